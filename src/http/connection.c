/* SPDX-License-Identifier: MIT */
/* The life of a connection: its states are told in http_int.h. */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_int.h"

/* So much of what a client sends ahead is kept while its request is being answered. */
#define READ_AHEAD ((size_t)64 << 10)

/* ---- opening and ending --------------------------------------------------------------------- */

static void list_add(struct loop *loop, struct connection *connection)
{
    struct connection_list *list = &loop->connections;
    connection->next = NULL;
    connection->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = connection;
    list->last = connection;
}

static void list_remove(struct loop *loop, struct connection *connection)
{
    struct connection_list *list = &loop->connections;
    struct connection *before = connection->previous;
    struct connection *after = connection->next;
    *(before != NULL ? &before->next : &list->first) = after;
    *(after != NULL ? &after->previous : &list->last) = before;
}

static void count_connections(struct http_server *server, int change)
{
    atomic_fetch_add(&server->connections, change);
    if (server->service->metrics != NULL) {
        metrics_gauge_add(server->service->metrics, GAUGE_CONNECTIONS, change);
    }
}

void connection_end_request(struct connection *connection)
{
    request_destroy(connection->request);
    connection->request = NULL;
    connection->body = (struct buffer){0};
    connection->packed = (struct buffer){0};
    connection->packing = PACKING_OPEN;
    connection->pull_end = 0;
    connection->pull_offset = 0;
}

static void release(struct connection *connection)
{
    struct loop *loop = connection->loop;
    connection_end_request(connection);
    arena_destroy(connection->pull_arena);
    connection->pull_arena = NULL;
    list_remove(loop, connection);
    connection->next = loop->spare;
    loop->spare = connection;
    count_connections(loop->server, -1);
    if (loop->stopping && loop->connections.first == NULL) {
        event_base_loopbreak(loop->base);
    }
}

void connection_abort(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED) {
        return;
    }
    bool busy = connection->task != TASK_NONE;
    deadline_clear(connection);
    websocket_close(connection);
    /* OpenSSL's bufferevent closes its descriptor before it forgets its events. */
    bufferevent_disable(connection->socket, EV_READ | EV_WRITE);
    bufferevent_free(connection->socket);
    connection->socket = NULL;
    connection->state = CONNECTION_CLOSED;
    if (!busy) {
        release(connection);
    }
}

/* ---- what the parser tells ------------------------------------------------------------------ */

static struct arena *begin_request(void *context)
{
    struct connection *connection = context;
    struct http_server *server = connection->loop->server;
    connection->request =
        request_create(server->service, &http_door, connection, ARENA_REQUEST_BASE);
    if (connection->request == NULL) {
        return NULL;
    }
    deadline_set(connection, DEADLINE_HEADER, time_monotonic());
    return connection->request->arena;
}

static bool is_request_id(struct slice id)
{
    for (size_t i = 0; i < id.length; i++) {
        char byte = id.at[i];
        bool fine = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_';
        if (!fine) {
            return false;
        }
    }
    return id.length > 0 && id.length <= 64;
}

/* Ours are a random part of the loop and a running number: unique, and cheap to make. */
static struct slice name_request(struct connection *connection, struct slice theirs)
{
    if (is_request_id(theirs)) {
        return theirs;
    }
    struct loop *loop = connection->loop;
    struct buffer name = {.arena = connection->request->arena};
    char *at = buffer_reserve(&name, 32);
    if (at == NULL) {
        return SLICE("none");
    }
    memcpy(at, loop->request_prefix, 8);
    at[8] = '-';
    name.length = 9;
    buffer_add_unsigned(&name, ++loop->request_number);
    return buffer_slice(&name);
}

static bool take_head(void *context, const struct head *head, struct failure *failure)
{
    struct connection *connection = context;
    struct request *request = connection->request;
    request->method = head->method;
    request->headers = head->headers;
    request->header_count = head->header_count;
    request->query_text = head->query;
    request->id_text = name_request(connection, head->known.request_id);
    connection->keep_alive = head->keep_alive;
    return target_resolve(connection, failure) && body_begin(connection, head, failure);
}

static bool take_body(void *context, struct slice piece, struct failure *failure)
{
    return body_add(context, piece, failure);
}

static const struct parser_events parser_events = {
    .begin = begin_request, .head = take_head, .body = take_body};

/* ---- the walk ------------------------------------------------------------------------------- */

static _Thread_local struct connection *walking; /* on this thread, now */
static _Thread_local bool walk_answered;

/* A walk that parks nowhere after its worker answers there. */
static void respond(struct request *request)
{
    struct connection *connection = request->door_context;
    if (connection == walking) {
        walk_answered = true;
        return;
    }
    connection->task = TASK_ANSWER;
    loop_resume(request);
}

static struct store_reader *reader_of(struct request *request)
{
    struct connection *connection = request->door_context;
    event_active(connection->loop->rest_event, 0, 0);
    return connection->loop->reader;
}

const struct door http_door = {.resume = loop_resume, .respond = respond, .reader = reader_of};

/* A closed connection only waited for its request. */
static bool release_closed(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED) {
        release(connection);
        return true;
    }
    return false;
}

/* The request may be on another thread as soon as the walk leaves this one, so nothing of it is
 * looked at afterwards unless it was answered right here. */
static void walk(struct connection *connection, void (*step)(struct request *request))
{
    connection->task = TASK_WALK;
    walking = connection;
    walk_answered = false;
    step(connection->request);
    walking = NULL;
    if (walk_answered) {
        connection->task = TASK_NONE;
        if (!release_closed(connection)) {
            answer_send(connection);
        }
    }
}

static void dispatch(struct connection *connection)
{
    struct request *request = connection->request;
    int64_t now = time_monotonic();
    deadline_clear(connection);
    connection->state = CONNECTION_BUSY;
    request->received = now;
    switch (connection->route) {
    case ROUTE_FHIR:
        if (slice_is(request->target, "$ws") && request->method == METHOD_GET) {
            websocket_begin(connection);
            return;
        }
        walk(connection, request_start);
        return;
    case ROUTE_HEALTH:
    case ROUTE_METRICS:
        health_answer(connection);
        return;
    case ROUTE_APPS:
        static_answer(connection);
        return;
    case ROUTE_OPTIONS:
        request->response.http = 204;
        answer_send(connection);
        return;
    }
}

/* Answers with the failure in the parser, and closes. */
static void refuse(struct connection *connection)
{
    connection->keep_alive = false;
    connection->state = CONNECTION_BUSY;
    deadline_clear(connection);
    answer_failure(connection, &connection->parser.failure);
}

static void fail(struct connection *connection, int http, const char *issue, const char *text)
{
    failure_set(&connection->parser.failure, http, issue, text);
    refuse(connection);
}

static void after_inflate(struct connection *connection)
{
    switch (connection->task_status) {
    case STATUS_OK:
        dispatch(connection);
        return;
    case STATUS_TOO_LONG:
        fail(connection, 413, "too-long", "The unpacked body is longer than this server takes.");
        return;
    case STATUS_STRUCTURE:
        fail(connection, 400, "structure", "The body is not whole gzip data.");
        return;
    default:
        fail(connection, 503, "throttled", "There is no memory for this body now: try again.");
        return;
    }
}

void connection_submit(struct connection *connection, enum connection_task task,
                       void (*run)(void *connection, struct store_reader *reader))
{
    connection->task = task;
    connection->work = (struct work){.run = run, .context = connection};
    workers_submit(connection->loop->server->service->workers, &connection->work);
}

void connection_resume(struct connection *connection)
{
    enum connection_task task = connection->task;
    if (task == TASK_WALK) {
        walk(connection, request_continue);
    } else {
        connection->task = TASK_NONE;
        if (release_closed(connection)) {
            return;
        }
        if (task == TASK_INFLATE) {
            after_inflate(connection);
        } else if (task == TASK_PULL) {
            stream_piece(connection);
        } else {
            answer_send(connection);
        }
    }
    connection_advance(connection);
}

/* ---- after an answer ------------------------------------------------------------------------ */

static void linger(struct connection *connection)
{
    if (connection->ended) {
        connection_abort(connection);
        return;
    }
    if (connection->tls) {
        SSL_shutdown(bufferevent_openssl_get_ssl(connection->socket));
    }
    /* Closing with unread bytes resets the connection, and the client may never see our answer
     * (RFC 9112, 9.6): close one half and forget what still comes. */
    shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_LINGERING;
    struct evbuffer *input = bufferevent_get_input(connection->socket);
    evbuffer_drain(input, evbuffer_get_length(input));
    deadline_set(connection, DEADLINE_LINGER, time_monotonic());
}

void connection_sent(struct connection *connection)
{
    struct loop *loop = connection->loop;
    connection_end_request(connection);
    if (!connection->keep_alive || loop->stopping) {
        linger(connection);
        return;
    }
    parser_next(&connection->parser);
    connection->state = CONNECTION_READING;
    deadline_set(connection, DEADLINE_IDLE, time_monotonic());
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void end_message(struct connection *connection)
{
    connection->state = CONNECTION_BUSY;
    deadline_clear(connection);
    if (body_end(connection)) {
        dispatch(connection);
    }
}

void connection_advance(struct connection *connection)
{
    while (connection->state == CONNECTION_READING) {
        struct evbuffer *input = bufferevent_get_input(connection->socket);
        struct evbuffer_iovec piece;
        if (evbuffer_peek(input, -1, NULL, &piece, 1) < 1 || piece.iov_len == 0) {
            break;
        }
        enum parse_phase before = connection->parser.phase;
        size_t taken = 0;
        enum parse_result result =
            parser_feed(&connection->parser, slice_of(piece.iov_base, piece.iov_len), &taken);
        evbuffer_drain(input, taken);
        if (result == PARSE_DONE) {
            end_message(connection);
        } else if (result == PARSE_FAILED) {
            refuse(connection);
        } else if (before < PHASE_BODY && connection->parser.phase == PHASE_BODY) {
            deadline_set(connection, DEADLINE_BODY, time_monotonic());
            answer_continue(connection);
        }
    }
    if (connection->state == CONNECTION_READING && connection->ended) {
        connection_abort(connection); /* half a request is none */
    }
}

static void on_read(struct bufferevent *socket, void *context)
{
    struct connection *connection = context;
    if (connection->state == CONNECTION_LINGERING) {
        struct evbuffer *input = bufferevent_get_input(socket);
        evbuffer_drain(input, evbuffer_get_length(input));
        return;
    }
    if (connection->state == CONNECTION_SOCKET) {
        websocket_read(connection);
        return;
    }
    connection_advance(connection);
}

static void on_write(struct bufferevent *socket, void *context)
{
    struct connection *connection = context;
    (void)socket;
    if (connection->state == CONNECTION_SENDING) {
        stream_room(connection);
        connection_advance(connection);
    } else if (connection->state == CONNECTION_SOCKET) {
        websocket_room(connection);
    }
}

static void on_event(struct bufferevent *socket, short what, void *context)
{
    struct connection *connection = context;
    (void)socket;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        connection->handshaking = false;
        deadline_set(connection, DEADLINE_IDLE, time_monotonic());
        return;
    }
    if (connection->handshaking) {
        log_event(LOG_TLS_FAILED, LOG_NUMBER(LOG_FIELD_LIBRARY_CODE,
                                             bufferevent_get_openssl_error(connection->socket)));
        connection_abort(connection);
        return;
    }
    if ((what & BEV_EVENT_EOF) == 0 || connection->state == CONNECTION_LINGERING ||
        connection->state == CONNECTION_SOCKET) {
        connection_abort(connection);
        return;
    }
    /* The client sends no more, but may still read the answer to what it sent. */
    connection->ended = true;
    connection_advance(connection);
}

void connection_expire(struct connection *connection, int64_t now)
{
    enum deadline_kind kind = connection->deadline_kind;
    if (connection->state == CONNECTION_SOCKET) {
        websocket_expire(connection);
        return;
    }
    bool partial =
        kind == DEADLINE_BODY || (kind == DEADLINE_HEADER && connection->request != NULL);
    if (kind != DEADLINE_LINGER && kind != DEADLINE_IDLE) {
        log_event(LOG_CONNECTION_TIMEOUT, LOG_NUMBER(LOG_FIELD_MICROS, now - connection->deadline));
    }
    if (!partial) {
        connection_abort(connection);
        return;
    }
    fail(connection, 408, "timeout",
         kind == DEADLINE_BODY ? "The body took too long to come."
                               : "The request's head took too long to come.");
}

static struct connection *take_connection(struct loop *loop)
{
    struct connection *connection = loop->spare;
    if (connection == NULL) {
        return arena_alloc(loop->arena, sizeof(*connection));
    }
    loop->spare = connection->next;
    return connection;
}

static struct bufferevent *open_socket(struct loop *loop, int fd)
{
    if (loop->server->tls != NULL) {
        return tls_accept(loop->server->tls, loop->base, fd);
    }
    return bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
}

void connection_accept(struct loop *loop, int fd)
{
    struct http_server *server = loop->server;
    const struct config *config = server->service->config;
    if (atomic_load(&server->connections) >= config->max_connections) {
        log_event(LOG_CONNECTION_REFUSED, LOG_NUMBER(LOG_FIELD_LIMIT, config->max_connections));
        close(fd);
        return;
    }
    struct connection *connection = take_connection(loop);
    struct bufferevent *socket = connection != NULL ? open_socket(loop, fd) : NULL;
    if (socket == NULL) {
        if (connection != NULL) {
            connection->next = loop->spare;
            loop->spare = connection;
        }
        close(fd);
        return;
    }
    *connection = (struct connection){.loop = loop,
                                      .socket = socket,
                                      .fd = fd,
                                      .tls = server->tls != NULL,
                                      .handshaking = server->tls != NULL,
                                      .deadline_kind = DEADLINE_NONE};
    parser_init(&connection->parser, &parser_events, connection, (size_t)config->max_headers);
    list_add(loop, connection);
    count_connections(server, 1);
    deadline_set(connection, connection->tls ? DEADLINE_HEADER : DEADLINE_IDLE, time_monotonic());
    bufferevent_setcb(socket, on_read, on_write, on_event, connection);
    bufferevent_setwatermark(socket, EV_READ, 0, READ_AHEAD);
    if (bufferevent_enable(socket, EV_READ | EV_WRITE) != 0) {
        connection_abort(connection);
    }
}
