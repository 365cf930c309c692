/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "http_int.h"

/* ---- where to listen ------------------------------------------------------------------------ */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
    }
    return false;
}

static enum status check_rules(const struct config *config, const struct sockaddr *address,
                               struct outcome *outcome)
{
    if (strcmp(config->auth, "off") != 0) {
        return outcome_fail(outcome, STATUS_NOT_SUPPORTED, "auth",
                            "This version has no rules of who may read what: the only value is "
                            "off, and then it listens on a loopback address only.");
    }
    if (!is_loopback(address)) {
        return outcome_fail(outcome, STATUS_FORBIDDEN, "host",
                            "Rules are off (auth is off), so anyone who can reach this address "
                            "could read every record. Listen on 127.0.0.1 or ::1 instead; to "
                            "reach it from elsewhere, use a tunnel that knows its users.");
    }
    return STATUS_OK;
}

static enum status find_address(const struct config *config, struct outcome *outcome,
                                struct sockaddr_storage *ret_address, socklen_t *ret_length)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)config->port & 65535U);
    const char *host = config->host[0] != '\0' ? config->host : NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0 || found == NULL) {
        return outcome_fail(outcome, STATUS_VALUE, "host",
                            "This is no address or name of this machine.");
    }
    enum status status = check_rules(config, found->ai_addr, outcome);
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    *ret_length = found->ai_addrlen;
    freeaddrinfo(found);
    return status;
}

static enum status listen_failed(int fd, struct outcome *outcome)
{
    enum status status =
        errno == EADDRINUSE
            ? outcome_fail(outcome, STATUS_CONFLICT, "port",
                           "Another program listens on this port: stop it or choose another.")
            : outcome_fail(outcome, STATUS_IO, "host", "The address cannot be listened on: %s.",
                           strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

/* Every loop has a listening socket of its own. Only the first may find the port in use by somebody
 * else: SO_REUSEPORT would share it with any program of the same user. */
static enum status open_listener(struct sockaddr_storage *address, socklen_t length, bool first,
                                 struct outcome *outcome, int *ret_fd)
{
    const int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        return listen_failed(fd, outcome);
    }
    if (first) {
        int probe = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool taken = probe >= 0 &&
                     setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                     bind(probe, (struct sockaddr *)address, length) != 0;
        int error = errno;
        if (probe >= 0) {
            close(probe);
        }
        errno = error;
        if (taken) {
            return listen_failed(fd, outcome);
        }
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &length) != 0) {
        return listen_failed(fd, outcome);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

static int port_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port)
               : ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

/* ---- life ----------------------------------------------------------------------------------- */

static size_t count_loops(const struct config *config)
{
    cpu_set_t cores;
    if (config->loops > 0) {
        return (size_t)config->loops;
    }
    return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? (size_t)CPU_COUNT(&cores) : 1;
}

/* "https://example.org:8443/care/fhir" -> "example.org:8443" and "/care/fhir". */
static void split_base_url(const struct config *config, struct slice *ret_authority,
                           struct slice *ret_path)
{
    struct slice url = config_base_url(config);
    struct slice rest = slice_starts(url, SLICE("https://"))  ? slice_from(url, 8)
                        : slice_starts(url, SLICE("http://")) ? slice_from(url, 7)
                                                              : (struct slice){0};
    size_t slash = slice_index(rest, '/');
    *ret_authority = slice_head(rest, slash);
    *ret_path = slice_from(rest, slash);
}

/* It stands in links, and says which references are to what is here. */
static bool is_path(struct slice path)
{
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.at[i];
        if (c <= ' ' || c >= 127 || strchr("?#\"<>\\^`{|}", c) != NULL) {
            return false;
        }
    }
    return true;
}

enum status http_check_base_url(const struct config *config, struct outcome *outcome)
{
    struct slice authority, path;
    split_base_url(config, &authority, &path);
    return config_base_url(config).length == 0 || (authority_is_safe(authority) && is_path(path))
               ? STATUS_OK
               : outcome_fail(outcome, STATUS_VALUE, "base-url",
                              "Give the whole address that clients use, with its path and without "
                              "a query: https://example.org/fhir.");
}

static enum status open_loops(struct http_server *server, struct outcome *outcome, int *ret_port)
{
    struct sockaddr_storage address;
    socklen_t length = 0;
    TRY(find_address(server->service->config, outcome, &address, &length));
    size_t wanted = count_loops(server->service->config);
    size_t bytes = wanted * sizeof(struct loop) + _Alignof(struct loop);
    char *memory = arena_zero(server->arena, bytes);
    if (memory == NULL) {
        return STATUS_MEMORY;
    }
    uintptr_t skip = -(uintptr_t)memory & (_Alignof(struct loop) - 1);
    server->loops = (struct loop *)(void *)(memory + skip);
    for (size_t i = 0; i < wanted; i++) {
        int listening = -1;
        TRY(open_listener(&address, length, i == 0, outcome, &listening));
        server->loops[i].wake_fd = -1;
        server->loop_count++;
        TRY(loop_open(&server->loops[i], server, listening, outcome));
    }
    *ret_port = port_of(&address);
    return STATUS_OK;
}

static enum status run_loops(struct http_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        struct loop *loop = &server->loops[i];
        if (pthread_create(&loop->thread, NULL, loop_run, loop) != 0) {
            return STATUS_MEMORY;
        }
        loop->running = true;
    }
    return STATUS_OK;
}

static void close_server(struct http_server *server)
{
    atomic_store(&server->stopping, true);
    for (size_t i = 0; i < server->loop_count; i++) {
        loop_wake(&server->loops[i]);
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        if (server->loops[i].running) {
            pthread_join(server->loops[i].thread, NULL);
        }
    }
    if (server->service->audit != NULL) {
        audit_on_batch(server->service->audit, NULL, NULL);
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        loop_close(&server->loops[i]);
    }
    SSL_CTX_free(server->tls);
    arena_destroy(server->arena);
}

static enum status open_server(struct http_server *server, struct outcome *outcome, int *ret_port)
{
    split_base_url(server->service->config, &server->own_authority, &server->fhir_prefix);
    TRY(tls_open(server->service->config, outcome, &server->tls));
    TRY(static_load(server, outcome));
    TRY(open_loops(server, outcome, ret_port));
    if (server->service->audit != NULL) {
        audit_on_batch(server->service->audit, loop_wake_batch, server);
    }
    return run_loops(server);
}

enum status http_start(struct service *service, struct outcome *outcome,
                       struct http_server **ret_server, int *ret_port)
{
    struct arena *arena = arena_create(0);
    struct http_server *server = arena != NULL ? ARENA_NEW(arena, struct http_server) : NULL;
    if (server == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    server->service = service;
    server->arena = arena;
    /* A client that went away is an error of its write, not a signal to the program. */
    signal(SIGPIPE, SIG_IGN);
    enum status status = open_server(server, outcome, ret_port);
    if (status != STATUS_OK) {
        close_server(server);
        return status;
    }
    log_event(LOG_AUTH_OFF, LOG_NUMBER(LOG_FIELD_PORT, *ret_port));
    log_event(LOG_SERVER_STARTED, LOG_NUMBER(LOG_FIELD_PORT, *ret_port),
              LOG_TEXT(LOG_FIELD_VERSION, CARELAYER_VERSION));
    *ret_server = server;
    return STATUS_OK;
}

void http_stop(struct http_server *server)
{
    log_event(LOG_SERVER_STOPPING, LOG_NUMBER(LOG_FIELD_COUNT, atomic_load(&server->connections)));
    close_server(server);
    log_event(LOG_SERVER_STOPPED, LOG_NUMBER(LOG_FIELD_COUNT, 0));
}
