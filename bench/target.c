/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "response.h"

#define FETCH_CHUNK ((size_t)64 << 10)

static bool set_ipv4(struct target *target, const char *text, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
        return false;
    }
    memcpy(&target->address, &address, sizeof address);
    target->address_length = sizeof address;
    return (ntohl(address.sin_addr.s_addr) >> 24) == 127;
}

static bool set_ipv6(struct target *target, const char *text, uint16_t port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1) {
        return false;
    }
    memcpy(&target->address, &address, sizeof address);
    target->address_length = sizeof address;
    return IN6_IS_ADDR_LOOPBACK(&address.sin6_addr);
}

/* Host and port of an authority: "[::1]:80", "127.0.0.1". False when the port is no port. */
static bool split_authority(struct slice authority, struct slice *ret_host, uint16_t *ret_port)
{
    size_t end = 0;
    if (authority.length > 0 && authority.at[0] == '[') {
        end = slice_index(authority, ']');
        *ret_host = slice_from(slice_head(authority, end), 1);
        end = end < authority.length ? end + 1 : end;
    } else {
        end = slice_index(authority, ':');
        *ret_host = slice_head(authority, end);
    }
    struct slice rest = slice_from(authority, end);
    uint64_t port = 80;
    if (rest.length > 0 &&
        (rest.at[0] != ':' || !slice_to_unsigned(slice_from(rest, 1), 65535, &port) || port == 0)) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

enum status target_parse(const char *url, struct arena *arena, struct target *ret_target,
                         const char **ret_problem)
{
    *ret_target = (struct target){0};
    *ret_problem = NULL;
    struct slice text = arena_copy(arena, slice_text(url));
    if (!slice_starts(text, SLICE("http://"))) {
        *ret_problem = "The base must be a plain http:// address, such as "
                       "http://127.0.0.1:8080/fhir.";
        return STATUS_VALUE;
    }
    text = slice_from(text, sizeof "http://" - 1);
    size_t authority_end = slice_index(text, '/');
    struct slice host, path = slice_from(text, authority_end);
    uint16_t port;
    ret_target->host = slice_head(text, authority_end);
    if (!split_authority(ret_target->host, &host, &port)) {
        *ret_problem = "The port of the base must be a number from 1 to 65535.";
        return STATUS_VALUE;
    }
    while (path.length > 0 && path.at[path.length - 1] == '/') {
        path.length--;
    }
    ret_target->path = path;
    const char *name = slice_is(host, "localhost") ? "127.0.0.1" : arena_copy(arena, host).at;
    if (name == NULL) {
        *ret_problem = "There is no memory for the address.";
        return STATUS_MEMORY;
    }
    if (!set_ipv4(ret_target, name, port) && !set_ipv6(ret_target, name, port)) {
        *ret_problem = "Only a loopback address (127.0.0.1, [::1], localhost) may be put under "
                       "load.";
        return STATUS_FORBIDDEN;
    }
    return STATUS_OK;
}

int target_connect(const struct target *target, bool nonblocking)
{
    int kind = SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);
    int fd = socket(target->address.ss_family, kind, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&target->address, target->address_length) != 0 &&
        errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

void target_write_head(const struct target *target, const char *method, struct slice path,
                       struct slice type, size_t body_length, bool has_body, struct buffer *out)
{
    buffer_add_text(out, method);
    buffer_add_byte(out, ' ');
    if (slice_starts(path, SLICE("http://"))) {
        path = slice_from(path, sizeof "http://" - 1);
        path = slice_from(path, slice_index(path, '/'));
    } else if (path.length == 0 || path.at[0] != '/') {
        buffer_add(out, target->path);
        if (path.length > 0 && path.at[0] != '?') {
            buffer_add_byte(out, '/');
        }
    }
    buffer_add(out, path);
    buffer_add_text(out, " HTTP/1.1\r\nHost: ");
    buffer_add(out, target->host);
    buffer_add_text(out, "\r\nAccept: application/fhir+json\r\n");
    buffer_add(out, target->headers);
    if (has_body) {
        buffer_add_text(out, "Content-Type: ");
        buffer_add(out, type);
        buffer_add_text(out, "\r\nContent-Length: ");
        buffer_add_unsigned(out, body_length);
        buffer_add_text(out, "\r\n");
    }
    buffer_add_text(out, "\r\n");
}

static bool send_all(int fd, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        bytes = slice_from(bytes, (size_t)sent);
    }
    return true;
}

static enum response_state receive(int fd, char *chunk, struct response *response)
{
    for (;;) {
        ssize_t got = recv(fd, chunk, FETCH_CHUNK, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return response_closed(response);
        }
        size_t used;
        enum response_state state = response_feed(response, chunk, (size_t)got, &used);
        if (state != RESPONSE_MORE) {
            return state;
        }
    }
}

enum status target_get(const struct target *target, struct slice path, struct arena *arena,
                       int *ret_code, struct slice *ret_body)
{
    struct buffer head = {.arena = arena};
    target_write_head(target, "GET", path, SLICE(""), 0, false, &head);
    char *chunk = arena_alloc(arena, FETCH_CHUNK);
    if (chunk == NULL || !buffer_ok(&head)) {
        return STATUS_MEMORY;
    }
    int fd = target_connect(target, false);
    if (fd < 0) {
        return STATUS_IO;
    }
    struct buffer body = {.arena = arena};
    struct response response;
    response_start(&response, &body);
    enum response_state state = RESPONSE_BROKEN;
    if (send_all(fd, buffer_slice(&head))) {
        state = receive(fd, chunk, &response);
    }
    close(fd);
    if (state != RESPONSE_DONE) {
        return STATUS_IO;
    }
    if (!buffer_ok(&body)) {
        return STATUS_MEMORY;
    }
    *ret_code = response.status;
    *ret_body = buffer_slice(&body);
    return STATUS_OK;
}
