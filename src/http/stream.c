/* SPDX-License-Identifier: MIT */
/* Bytes of an answer into a socket, at the speed of its reader. */
#include <errno.h>
#include <sys/uio.h>

#include "http_int.h"

/* A pulled body comes in pieces of this size, the next one once less than ROOM_BELOW waits. */
#define PIECE_BYTES ((size_t)256 << 10)
#define ROOM_BELOW  ((size_t)128 << 10)

static size_t waiting(const struct connection *connection)
{
    return evbuffer_get_length(bufferevent_get_output(connection->socket));
}

/* Nearly every answer fits into the socket at once: one system call, no event, no copy. Gives how
 * much went out. */
static size_t write_now(struct connection *connection, struct slice head, struct slice body)
{
    struct iovec pieces[2] = {{(void *)(uintptr_t)head.at, head.length},
                              {(void *)(uintptr_t)body.at, body.length}};
    if (connection->tls || waiting(connection) > 0) {
        return 0;
    }
    ssize_t written = writev(connection->fd, pieces, body.length > 0 ? 2 : 1);
    return written > 0 ? (size_t)written : 0;
}

/* The head is in the loop's scratch and is copied; so is the body, unless it lives as long as its
 * request, which outlives the sending. */
static void write_later(struct connection *connection, struct slice head, struct slice body,
                        size_t written, bool lasts)
{
    struct evbuffer *output = bufferevent_get_output(connection->socket);
    struct slice rest = slice_from(head, written);
    size_t skip = written > head.length ? written - head.length : 0;
    struct slice more = slice_from(body, skip);
    bool fine = rest.length == 0 || evbuffer_add(output, rest.at, rest.length) == 0;
    if (more.length > 0) {
        fine = fine && (lasts ? evbuffer_add_reference(output, more.at, more.length, NULL, NULL)
                              : evbuffer_add(output, more.at, more.length)) == 0;
    }
    if (!fine) {
        connection_abort(connection);
    }
}

/* What comes next, now that the last bytes are on their way. */
static void go_on(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED) {
        return;
    }
    size_t left = waiting(connection);
    connection->state = CONNECTION_SENDING;
    if (left == 0) {
        deadline_clear(connection);
    } else if (connection->deadline_kind != DEADLINE_SEND) {
        connection->seen_output = left;
        deadline_set(connection, DEADLINE_SEND, time_monotonic());
    }
    if (connection->pull_offset < connection->pull_end) {
        if (left < ROOM_BELOW && connection->task == TASK_NONE) {
            stream_pull(connection);
        }
    } else if (left == 0) {
        connection_sent(connection);
    }
}

void stream_write(struct connection *connection, struct slice head, struct slice body, bool lasts)
{
    size_t low = connection->pull_offset < connection->pull_end ? ROOM_BELOW - 1 : 0;
    if (connection->low_output != low) {
        connection->low_output = low;
        bufferevent_setwatermark(connection->socket, EV_WRITE, low, 0);
    }
    size_t written = write_now(connection, head, body);
    if (written < head.length + body.length) {
        write_later(connection, head, body, written, lasts);
    }
    go_on(connection);
}

void stream_room(struct connection *connection)
{
    go_on(connection);
}

static void pull_on_worker(void *context, struct store_reader *reader)
{
    struct connection *connection = context;
    struct request *request = connection->request;
    uint64_t left = connection->pull_end - connection->pull_offset;
    size_t most = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    request->reader = reader;
    connection->piece = (struct buffer){.arena = connection->pull_arena};
    connection->task_status =
        request->response.pull(request, connection->pull_offset, most, &connection->piece);
    if (!buffer_ok(&connection->piece)) {
        connection->task_status = STATUS_MEMORY;
    }
    loop_resume(request);
}

void stream_pull(struct connection *connection)
{
    if (connection->pull_arena == NULL) {
        connection->pull_arena = arena_create(ARENA_REQUEST_BASE);
    } else {
        arena_reset(connection->pull_arena, ARENA_REQUEST_BASE);
    }
    if (connection->pull_arena == NULL) {
        connection_abort(connection);
        return;
    }
    connection_submit(connection, TASK_PULL, pull_on_worker);
}

/* The status line has left long ago: an answer that cannot be finished is cut off, and its length
 * tells the client so. */
void stream_piece(struct connection *connection)
{
    struct slice piece = buffer_slice(&connection->piece);
    uint64_t left = connection->pull_end - connection->pull_offset;
    if (connection->task_status != STATUS_OK || piece.length == 0 || piece.length > left) {
        log_event(LOG_REQUEST_FAILED,
                  LOG_TEXT(LOG_FIELD_STATUS, status_name(connection->task_status)));
        connection_abort(connection);
        return;
    }
    connection->pull_offset += piece.length;
    size_t written = write_now(connection, piece, (struct slice){0});
    if (written < piece.length) {
        write_later(connection, piece, (struct slice){0}, written, false);
    }
    go_on(connection);
}
