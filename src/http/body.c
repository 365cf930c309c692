/* SPDX-License-Identifier: MIT */
/* Where the bytes of a body go: memory, a file without a name, or nowhere. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "http_int.h"

/* A Binary's content up to this length stays in memory. */
#define SPILL_BYTES ((uint64_t)4 << 20)
/* A body's memory grows as it comes: a length that is only announced takes none. */
#define FIRST_BYTES ((size_t)64 << 10)
#define GROWTH      8

static bool has_text(struct slice where, const char *what)
{
    size_t length = strlen(what);
    for (size_t i = 0; i + length <= where.length; i++) {
        if (slice_equals_ignoring_case(slice_of(where.at + i, length), slice_of(what, length))) {
            return true;
        }
    }
    return false;
}

/* Content of a Binary as it is (R4 http, "Binary"), and not a Binary resource. */
static bool is_raw_binary(const struct connection *connection)
{
    const struct request *request = connection->request;
    struct slice type = connection->parser.head.known.content_type;
    type = slice_head(type, slice_index(type, ';'));
    bool binary =
        slice_is(request->target, "Binary") || slice_starts(request->target, SLICE("Binary/"));
    return binary && connection->route == ROUTE_FHIR && !has_text(type, "json") &&
           !has_text(type, "xml");
}

static bool too_long(struct failure *failure)
{
    return failure_set(failure, 413, "too-long",
                       "The body is longer than this server takes in one request.");
}

bool body_begin(struct connection *connection, const struct head *head, struct failure *failure)
{
    const struct config *config = connection->loop->server->service->config;
    const struct known_headers *known = &head->known;
    bool raw = is_raw_binary(connection);
    connection->packed_body =
        known->content_encoding_count > 0 &&
        !slice_equals_ignoring_case(known->content_encoding, SLICE("identity"));
    if (connection->packed_body &&
        (known->content_encoding_count > 1 ||
         !slice_equals_ignoring_case(known->content_encoding, SLICE("gzip")))) {
        return failure_set(failure, 415, "not-supported",
                           "The only content coding read here is gzip.");
    }
    connection->sink = connection->route == ROUTE_FHIR ? BODY_MEMORY : BODY_DROP;
    connection->may_spill = raw && !connection->packed_body;
    connection->body = (struct buffer){.arena = connection->request->arena};
    connection->body_length = 0;
    connection->body_limit =
        (uint64_t)(connection->may_spill ? config->max_binary : config->max_body);
    connection->expects = false;
    if (head->has_length && head->length > connection->body_limit) {
        return too_long(failure);
    }
    if (known->expect.length > 0 && head->minor >= 1) {
        if (!slice_equals_ignoring_case(known->expect, SLICE("100-continue"))) {
            return failure_set(failure, 417, "not-supported",
                               "The only expectation met here is 100-continue.");
        }
        connection->expects = head->chunked || head->length > 0;
    }
    return true;
}

static void close_file(void *thing)
{
    disk->close((int)(intptr_t)thing);
}

/* The file has no name: it ends with the request, also when the program is killed. */
static enum status open_file(struct connection *connection)
{
    struct request *request = connection->request;
    const char *folder = connection->loop->server->service->config->data;
    int fd = disk->open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        const char *path = arena_print(request->arena, "%s/.body-%s-%llu", folder,
                                       connection->loop->request_prefix,
                                       (unsigned long long)++connection->loop->request_number);
        fd = disk->open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) {
            disk->unlink(path);
        }
    }
    if (fd < 0) {
        return disk_status(errno);
    }
    request->body_file = fd;
    return arena_defer(request->arena, close_file, (void *)(intptr_t)fd);
}

static enum status spill(struct connection *connection)
{
    TRY(open_file(connection));
    TRY(disk_write_all(connection->request->body_file, buffer_slice(&connection->body), 0));
    connection->body = (struct buffer){.arena = connection->request->arena};
    connection->sink = BODY_FILE;
    return STATUS_OK;
}

static bool explain(enum status status, struct failure *failure)
{
    if (status == STATUS_OK) {
        return true;
    }
    return failure_set(failure, status_http(status), status_issue(status),
                       status == STATUS_NO_SPACE
                           ? "The server's disk is full: the content was not stored."
                           : "The server could not keep the body.");
}

static bool add_to_memory(struct connection *connection, struct slice piece,
                          struct failure *failure)
{
    struct arena *arena = connection->request->arena;
    arena_raise(arena, ARENA_REQUEST_BASE + ARENA_REQUEST_FACTOR * (size_t)connection->body_length);
    size_t need = connection->body.length + piece.length;
    if (need > connection->body.capacity) {
        /* Whatever was announced, a few times what has come; and exactly what was announced once
         * that is less, for what is left over stays with the request. */
        size_t announced = (size_t)connection->parser.head.length;
        size_t growth = announced >= need ? GROWTH : 2;
        size_t room = need < FIRST_BYTES ? FIRST_BYTES : growth * need;
        room = announced >= need && announced < room ? announced : room;
        arena_raise(arena, arena_used(arena) + room + ARENA_REQUEST_BASE);
        buffer_reserve(&connection->body, room - connection->body.length);
    }
    buffer_add(&connection->body, piece);
    return buffer_ok(&connection->body) ||
           failure_set(failure, 503, "throttled",
                       "There is no memory for this body now: try again, or send less at once.");
}

bool body_add(struct connection *connection, struct slice piece, struct failure *failure)
{
    uint64_t offset = connection->body_length;
    connection->body_length += piece.length;
    connection->expects = false;
    if (connection->body_length > connection->body_limit) {
        return too_long(failure);
    }
    if (connection->sink == BODY_DROP) {
        return true;
    }
    if (connection->may_spill && connection->sink == BODY_MEMORY &&
        connection->body_length > SPILL_BYTES && !explain(spill(connection), failure)) {
        return false;
    }
    if (connection->sink == BODY_FILE) {
        return explain(disk_write_all(connection->request->body_file, piece, (off_t)offset),
                       failure);
    }
    return add_to_memory(connection, piece, failure);
}

/* Twice the work of a read, and up to max-body: not on a loop. */
static void inflate_on_worker(void *context, struct store_reader *reader)
{
    struct connection *connection = context;
    struct request *request = connection->request;
    const struct config *config = request->service->config;
    struct buffer whole = {.arena = request->arena};
    (void)reader;
    arena_raise(request->arena, ARENA_REQUEST_BASE + 3 * (size_t)config->max_body);
    enum status status =
        gzip_inflate(buffer_slice(&connection->body), (size_t)config->max_body, &whole);
    if (status == STATUS_OK) {
        request->body = buffer_slice(&whole);
        arena_raise(request->arena, arena_used(request->arena) + ARENA_REQUEST_BASE +
                                        ARENA_REQUEST_FACTOR * whole.length);
    }
    connection->task_status = status;
    loop_resume(request);
}

bool body_end(struct connection *connection)
{
    struct request *request = connection->request;
    if (connection->sink == BODY_FILE) {
        request->body_file_length = connection->body_length;
        return true;
    }
    if (connection->packed_body && connection->body.length > 0) {
        connection_submit(connection, TASK_INFLATE, inflate_on_worker);
        return false;
    }
    request->body = buffer_slice(&connection->body);
    return true;
}
