/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- workers -------------------------------------------------------------------------------- */

#define WORKERS 3

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, *last;
    bool stopping;
    pthread_t threads[WORKERS];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *work_on(void *unused)
{
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        while (queue.first == NULL && !queue.stopping) {
            pthread_cond_wait(&queue.wake, &queue.lock);
        }
        struct work *work = queue.first;
        if (work == NULL) {
            break;
        }
        queue.first = work->next;
        pthread_mutex_unlock(&queue.lock);
        work->run(work->context, NULL);
        pthread_mutex_lock(&queue.lock);
    }
    pthread_mutex_unlock(&queue.lock);
    return unused;
}

void workers_submit(struct workers *workers, struct work *work)
{
    (void)workers;
    work->next = NULL;
    pthread_mutex_lock(&queue.lock);
    *(queue.first != NULL ? &queue.last->next : &queue.first) = work;
    queue.last = work;
    pthread_cond_signal(&queue.wake);
    pthread_mutex_unlock(&queue.lock);
}

/* ---- the walk ------------------------------------------------------------------------------- */

static atomic_int alive, started;
static _Atomic uint64_t pulled;

int walk_requests_alive(void)
{
    return atomic_load(&alive);
}

uint64_t walk_bytes_pulled(void)
{
    return atomic_load(&pulled);
}

int walk_requests_started(void)
{
    return atomic_load(&started);
}

struct request *request_create(struct service *service, const struct door *door, void *door_context,
                               size_t limit)
{
    struct arena *arena = arena_create(limit);
    if (arena == NULL) {
        return NULL;
    }
    struct request *request = ARENA_NEW(arena, struct request);
    request->service = service;
    request->arena = arena;
    request->door = door;
    request->door_context = door_context;
    request->body_file = -1;
    request->response.body.arena = arena;
    outcome_init(&request->outcome, arena);
    atomic_fetch_add(&alive, 1);
    return request;
}

void request_destroy(struct request *request)
{
    if (request != NULL) {
        atomic_fetch_sub(&alive, 1);
        arena_destroy(request->arena);
    }
}

void response_add_header(struct request *request, const char *name, struct slice value)
{
    struct response *response = &request->response;
    response->headers[response->header_count++] =
        (struct header){.name = slice_text(name), .value = value};
}

char walk_byte(uint64_t offset)
{
    return (char)('a' + (offset * 7 + offset / 251) % 26);
}

static void add_bytes(struct buffer *out, uint64_t offset, size_t length)
{
    char *at = buffer_reserve(out, length);
    if (at != NULL) {
        for (size_t i = 0; i < length; i++) {
            at[i] = walk_byte(offset + i);
        }
        out->length += length;
    }
}

static enum status pull(struct request *request, uint64_t offset, size_t max, struct buffer *out)
{
    if (slice_is(request->target, "broken") && offset > request->response.pull_length / 2) {
        return STATUS_IO;
    }
    add_bytes(out, offset, max < 100000 ? max : 100000);
    atomic_fetch_add(&pulled, out->length);
    return STATUS_OK;
}

static uint64_t file_sum(const struct request *request)
{
    static _Thread_local char piece[65536];
    uint64_t good = 0;
    for (uint64_t offset = 0; offset < request->body_file_length;) {
        ssize_t got = pread(request->body_file, piece, sizeof(piece), (off_t)offset);
        if (got <= 0) {
            break;
        }
        for (ssize_t i = 0; i < got; i++) {
            good += piece[i] == walk_byte(offset + (uint64_t)i);
        }
        offset += (uint64_t)got;
    }
    return good;
}

static uint64_t body_sum(const struct request *request)
{
    uint64_t good = 0;
    for (size_t i = 0; i < request->body.length; i++) {
        good += request->body.at[i] == walk_byte(i);
    }
    return good;
}

static void add_member(struct buffer *out, const char *name, struct slice value)
{
    buffer_add_byte(out, out->length == 0 ? '{' : ',');
    buffer_add_json_string(out, slice_text(name));
    buffer_add_byte(out, ':');
    buffer_add_json_string(out, value);
}

static void echo(struct request *request, struct buffer *out)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", "OTHER"};
    add_member(out, "method", slice_text(methods[request->method]));
    add_member(out, "target", request->target);
    add_member(out, "query", request->query_text);
    add_member(out, "base", request->base_url);
    add_member(out, "id", request->id_text);
    add_member(out, "body", slice_head(request->body, 100));
    for (size_t i = 0; i < request->header_count; i++) {
        if (slice_starts(request->headers[i].name, SLICE("X-Test"))) {
            add_member(out, "header", request->headers[i].value);
        }
    }
    buffer_print(
        out, ",\"length\":%zu,\"good\":%llu,\"file\":%s,\"file_length\":%llu,\"file_good\":%llu}",
        request->body.length, (unsigned long long)body_sum(request),
        request->body_file >= 0 ? "true" : "false", (unsigned long long)request->body_file_length,
        (unsigned long long)file_sum(request));
}

static uint64_t number_of(const struct request *request)
{
    uint64_t number = 0;
    return slice_to_unsigned(request->query_text, UINT64_MAX / 2, &number) ? number : 0;
}

static void prepare(struct request *request)
{
    struct response *response = &request->response;
    struct slice target = request->target;
    response->http = 200;
    if (slice_is(target, "echo") || slice_starts(target, SLICE("Binary/echo"))) {
        echo(request, &response->body);
    } else if (slice_is(target, "large")) {
        arena_raise(request->arena, 4 * (number_of(request) + 4096));
        add_bytes(&response->body, 0, (size_t)number_of(request));
    } else if (slice_is(target, "Binary/raw") || slice_is(target, "Binary/text")) {
        response->content_type =
            slice_is(target, "Binary/text") ? "text/plain" : "application/octet-stream";
        arena_raise(request->arena, 4 * (number_of(request) + 4096));
        response->etag = SLICE("\"strong\"");
        add_bytes(&response->body, 0, (size_t)number_of(request));
    } else if (slice_is(target, "Binary/pull") || slice_is(target, "broken")) {
        response->content_type = "application/pdf";
        response->pull = pull;
        response->pull_length = number_of(request);
    } else if (slice_is(target, "missing")) {
        response->http = 404;
        buffer_add(&response->body, SLICE("{\"resourceType\":\"OperationOutcome\"}"));
    } else if (slice_is(target, "unchanged")) {
        response->http = 304;
        response->etag = SLICE("W/\"3\"");
    } else if (slice_is(target, "created")) {
        response->http = 201;
        response->location = SLICE("http://127.0.0.1/fhir/Patient/1/_history/1");
        response->etag = SLICE("W/\"1\"");
        response->last_modified = INT64_C(1790000000) * MICROS_PER_SECOND;
        response_add_header(request, "X-Evil", SLICE("a\r\nX-Injected: b"));
    } else {
        buffer_add(&response->body, SLICE("{\"resourceType\":\"Basic\",\"id\":\"1\"}"));
    }
}

static void answer_elsewhere(void *context, struct store_reader *reader)
{
    struct request *request = context;
    (void)reader;
    prepare(request);
    request->door->respond(request);
}

static void resume_later(void *context, struct store_reader *reader)
{
    struct request *request = context;
    (void)reader;
    usleep((useconds_t)number_of(request) * 1000);
    request->door->resume(request);
}

static void submit(struct request *request, void (*run)(void *, struct store_reader *))
{
    request->work = (struct work){.run = run, .context = request};
    workers_submit(NULL, &request->work);
}

void request_start(struct request *request)
{
    atomic_fetch_add(&started, 1);
    if (slice_is(request->target, "elsewhere")) {
        submit(request, answer_elsewhere);
    } else if (slice_is(request->target, "slow")) {
        submit(request, resume_later);
    } else if (slice_is(request->target, "resumed")) {
        request->door->resume(request);
    } else {
        prepare(request);
        request->door->respond(request);
    }
}

void request_continue(struct request *request)
{
    prepare(request);
    request->door->respond(request);
}

/* ---- what is not here ----------------------------------------------------------------------- */

void metrics_gauge_add(struct metrics *metrics, enum gauge gauge, int64_t change)
{
    (void)metrics;
    (void)gauge;
    (void)change;
}

void metrics_write(struct service *service, struct buffer *out)
{
    (void)service;
    buffer_add(out, SLICE("# TYPE tests counter\ntests 1\n"));
}

enum status store_reader_open(struct store *store, struct store_reader **ret_reader)
{
    (void)store;
    *ret_reader = NULL;
    return STATUS_OK;
}

void store_reader_close(struct store_reader *reader)
{
    (void)reader;
}

void store_reader_rest(struct store_reader *reader)
{
    (void)reader;
}

bool store_reads_wait(const struct store *store)
{
    (void)store;
    return false;
}

enum status store_statistics(struct store *store, struct store_statistics *ret_numbers)
{
    (void)store;
    *ret_numbers = (struct store_statistics){0};
    return STATUS_OK;
}

void audit_statistics(struct audit *audit, struct audit_statistics *ret_numbers)
{
    (void)audit;
    *ret_numbers = (struct audit_statistics){0};
}

void audit_on_batch(struct audit *audit, void (*wake)(void *context), void *context)
{
    (void)audit;
    (void)wake;
    (void)context;
}

/* ---- the server ----------------------------------------------------------------------------- */

void server_prepare(struct test_server *server)
{
    *server = (struct test_server){.arena = arena_create(0)};
    config_init(&server->config);
    outcome_init(&server->outcome, server->arena);
    snprintf(server->folder, sizeof(server->folder), "%s/carelayer-http-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(server->folder));
    server->config.data = server->folder;
    server->config.port = 0;
    server->config.loops = 2;
    server->service = (struct service){.config = &server->config};
    log_level_set(LOG_ERROR);
}

void server_start(struct test_server *server)
{
    atomic_store(&started, 0);
    queue.stopping = false;
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&queue.threads[i], NULL, work_on, NULL), 0);
    }
    enum status status =
        http_start(&server->service, &server->outcome, &server->http, &server->port);
    assert_int_equal(status, STATUS_OK);
}

void server_stop(struct test_server *server)
{
    if (server->http != NULL) {
        http_stop(server->http);
        pthread_mutex_lock(&queue.lock);
        queue.stopping = true;
        pthread_cond_broadcast(&queue.wake);
        pthread_mutex_unlock(&queue.lock);
        for (int i = 0; i < WORKERS; i++) {
            pthread_join(queue.threads[i], NULL);
        }
    }
    assert_int_equal(walk_requests_alive(), 0);
    assert_int_equal(arena_budget_used(), 0);
    rmdir(server->folder);
    arena_destroy(server->arena);
}

/* ---- subscriptions: nobody is told of anything here --------------------------------------- */

struct subscribe_socket *subscribe_socket_open(struct subscribe *subscribe,
                                               void (*wake)(void *context), void *context)
{
    (void)subscribe;
    (void)wake;
    (void)context;
    return NULL;
}

void subscribe_socket_close(struct subscribe_socket *socket)
{
    (void)socket;
}

enum status subscribe_socket_bind(struct subscribe_socket *socket, struct slice token)
{
    (void)socket;
    (void)token;
    return STATUS_FORBIDDEN;
}

bool subscribe_socket_next(struct subscribe_socket *socket, struct slice *ret_message)
{
    (void)socket;
    (void)ret_message;
    return false;
}

bool subscribe_socket_ended(struct subscribe_socket *socket)
{
    (void)socket;
    return false;
}

void subscribe_socket_sent(struct subscribe_socket *socket)
{
    (void)socket;
}
