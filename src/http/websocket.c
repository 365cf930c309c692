/* SPDX-License-Identifier: MIT */
/* A connection that was upgraded to a websocket (RFC 6455): a subscriber binds it with a token
 * (Subscriptions R5 Backport, "Websockets") and then is told of events as text messages. */
#include <openssl/evp.h>

#include "frame.h"
#include "http_int.h"

/* With so much unsent a ping is answered later, and only the last one (5.5.3): who asks and never
 * reads fills no memory. */
#define PONG_ROOM ((size_t)4 << 10)

struct websocket {
    struct arena *arena;
    struct connection *connection;
    struct subscribe_socket *socket;
    struct frame_reader reader;
    _Atomic bool owed;  /* something is to be sent */
    bool sending;       /* a message is in the connection's buffer */
    bool bound, pinged; /* pinged: and nothing was heard since */
    bool closing;       /* our close frame is out */
    bool pong_owed;
    size_t pong_length;
    char pong[FRAME_CONTROL_MOST];
};

/* ---- opening ------------------------------------------------------------------------------------
 */

static struct slice header_of(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (slice_equals_ignoring_case(request->headers[i].name, slice_text(name))) {
            return request->headers[i].value;
        }
    }
    return (struct slice){0};
}

static bool lists(struct slice value, const char *word)
{
    while (value.at != NULL && value.length > 0) {
        if (slice_equals_ignoring_case(slice_trim(slice_cut(&value, ',')), slice_text(word))) {
            return true;
        }
    }
    return false;
}

/* 4.2.2: the SHA-1 of the client's key and a constant, in base64. */
static bool write_accept(struct slice key, struct buffer *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct buffer text = {.arena = out->arena};
    buffer_add(&text, key);
    buffer_add_text(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    if (!buffer_ok(&text) ||
        EVP_Digest(text.at, text.length, digest, &length, EVP_sha1(), NULL) != 1) {
        return false;
    }
    base64_write(slice_of((const char *)digest, length), out);
    return buffer_ok(out);
}

static bool is_key(struct slice key, struct arena *arena)
{
    struct buffer bytes = {.arena = arena};
    return key.length == 24 && base64_parse(key, false, &bytes) && bytes.length == 16;
}

static void refuse(struct connection *connection, int http, const char *issue, const char *text)
{
    answer_problem(connection, http, issue, text);
}

/* A page of another site may open a websocket without asking first: so its origin counts. */
static bool check(struct connection *connection)
{
    struct request *request = connection->request;
    struct slice origin = connection->parser.head.known.origin;
    if (request->service->subscribe == NULL || connection->loop->stopping) {
        refuse(connection, 503, "throttled", "There are no websockets here now.");
        return false;
    }
    /* An upgrade asked for in HTTP/1.0 does not count (RFC 9110, 7.8). */
    if (connection->parser.head.minor == 0 || !lists(header_of(request, "Upgrade"), "websocket") ||
        !lists(header_of(request, "Connection"), "upgrade") ||
        !slice_is(header_of(request, "Sec-WebSocket-Version"), "13") ||
        !is_key(header_of(request, "Sec-WebSocket-Key"), request->arena)) {
        refuse(connection, 400, "structure",
               "This address is for websockets (RFC 6455, version 13): see "
               "Subscription/$get-ws-binding-token.");
        return false;
    }
    if (origin.length > 0 && !origin_is_ours(connection, origin) &&
        !origin_allowed(connection->loop->server, origin)) {
        refuse(connection, 403, "forbidden",
               "Pages of this origin may not be told here (see the cors setting).");
        return false;
    }
    return true;
}

static void wake(void *context)
{
    struct websocket *websocket = context;
    atomic_store(&websocket->owed, true);
    loop_wake(websocket->connection->loop);
}

static struct websocket *make(struct connection *connection)
{
    struct arena *arena = arena_create((size_t)64 << 10);
    struct websocket *websocket = arena != NULL ? ARENA_NEW(arena, struct websocket) : NULL;
    if (websocket == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    websocket->arena = arena;
    websocket->connection = connection;
    websocket->socket =
        subscribe_socket_open(connection->loop->server->service->subscribe, wake, websocket);
    if (websocket->socket == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    return websocket;
}

void websocket_begin(struct connection *connection)
{
    struct request *request = connection->request;
    struct buffer head = {.arena = request->arena};
    if (!check(connection)) {
        return;
    }
    buffer_add_text(&head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    bool fine = write_accept(header_of(request, "Sec-WebSocket-Key"), &head);
    buffer_add_text(&head, "\r\n\r\n");
    struct websocket *websocket = fine && buffer_ok(&head) ? make(connection) : NULL;
    if (websocket == NULL) {
        refuse(connection, 503, "throttled", "There is no memory for a websocket now.");
        return;
    }
    connection->websocket = websocket;
    connection->loop->websockets++;
    connection->state = CONNECTION_SOCKET;
    bool sent = bufferevent_write(connection->socket, head.at, head.length) == 0;
    connection_end_request(connection);
    deadline_set(connection, DEADLINE_IDLE, time_monotonic());
    if (!sent) {
        connection_abort(connection);
        return;
    }
    websocket_read(connection);
}

void websocket_close(struct connection *connection)
{
    struct websocket *websocket = connection->websocket;
    if (websocket != NULL) {
        connection->websocket = NULL;
        connection->loop->websockets--;
        subscribe_socket_close(websocket->socket);
        arena_destroy(websocket->arena);
    }
}

/* ---- sending ------------------------------------------------------------------------------------
 */

static bool send_frame(struct connection *connection, enum frame_opcode opcode,
                       struct slice payload)
{
    uint8_t head[FRAME_HEAD_MOST];
    size_t length = frame_write_head(opcode, payload.length, head);
    return bufferevent_write(connection->socket, head, length) == 0 &&
           (payload.length == 0 ||
            bufferevent_write(connection->socket, payload.at, payload.length) == 0);
}

/* Says why, and ends it; the client closes, or the deadline does. */
static void say_goodbye(struct connection *connection, unsigned code)
{
    char payload[2] = {(char)(code >> 8), (char)(code & 0xff)};
    struct websocket *websocket = connection->websocket;
    if (websocket->closing) {
        return;
    }
    websocket->closing = true;
    if (!send_frame(connection, FRAME_CLOSE, slice_of(payload, code != 0 ? 2 : 0))) {
        connection_abort(connection);
        return;
    }
    deadline_set(connection, DEADLINE_LINGER, time_monotonic());
}

static size_t waiting(const struct connection *connection)
{
    return evbuffer_get_length(bufferevent_get_output(connection->socket));
}

static bool answer_ping(struct connection *connection)
{
    struct websocket *websocket = connection->websocket;
    if (!websocket->pong_owed || websocket->closing || waiting(connection) >= PONG_ROOM) {
        return true;
    }
    websocket->pong_owed = false;
    return send_frame(connection, FRAME_PONG, slice_of(websocket->pong, websocket->pong_length));
}

/* A message counts as sent when it has left our memory. */
void websocket_room(struct connection *connection)
{
    struct websocket *websocket = connection->websocket;
    struct slice message;
    if (websocket->sending && waiting(connection) == 0) {
        websocket->sending = false;
        subscribe_socket_sent(websocket->socket);
    }
    if (!answer_ping(connection)) {
        connection_abort(connection);
        return;
    }
    if (subscribe_socket_ended(websocket->socket)) {
        say_goodbye(connection, FRAME_TRY_LATER);
        return;
    }
    if (websocket->closing || websocket->sending ||
        !subscribe_socket_next(websocket->socket, &message)) {
        return;
    }
    websocket->sending = true;
    if (!send_frame(connection, FRAME_TEXT, message)) {
        connection_abort(connection);
    }
}

void websocket_pump(struct connection *connection)
{
    if (atomic_exchange(&connection->websocket->owed, false)) {
        websocket_room(connection);
    }
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void take_message(struct connection *connection, struct slice text)
{
    struct websocket *websocket = connection->websocket;
    struct slice rest = slice_trim(text);
    struct slice word = slice_cut(&rest, ' ');
    if (!slice_is(word, "bind-with-token") ||
        subscribe_socket_bind(websocket->socket, slice_trim(rest)) != STATUS_OK) {
        say_goodbye(connection, FRAME_POLICY);
        return;
    }
    websocket->bound = true;
}

static void take_control(struct connection *connection, enum frame_opcode opcode,
                         struct slice payload, unsigned code)
{
    struct websocket *websocket = connection->websocket;
    if (opcode == FRAME_PING) {
        for (size_t i = 0; i < payload.length; i++) {
            websocket->pong[i] = payload.at[i];
        }
        websocket->pong_length = payload.length;
        websocket->pong_owed = true;
        if (!answer_ping(connection)) {
            connection_abort(connection);
        }
    } else if (opcode == FRAME_CLOSE) {
        bool first = !websocket->closing;
        say_goodbye(connection, code != 0 ? code : FRAME_NORMAL);
        if (!first) {
            connection_abort(connection);
        }
    }
}

void websocket_read(struct connection *connection)
{
    struct evbuffer *input = bufferevent_get_input(connection->socket);
    struct evbuffer_iovec piece;
    while (connection->state == CONNECTION_SOCKET &&
           evbuffer_peek(input, -1, NULL, &piece, 1) >= 1 && piece.iov_len > 0) {
        struct websocket *websocket = connection->websocket;
        enum frame_opcode opcode = FRAME_TEXT;
        struct slice payload;
        size_t taken;
        unsigned code;
        enum frame_event event =
            frame_read(&websocket->reader, slice_of(piece.iov_base, piece.iov_len), &taken, &opcode,
                       &payload, &code);
        evbuffer_drain(input, taken);
        websocket->pinged = false;
        if (event == FRAME_BROKEN) {
            evbuffer_drain(input, evbuffer_get_length(input));
            say_goodbye(connection, code);
            return;
        }
        if (event == FRAME_MESSAGE && !websocket->closing) {
            take_message(connection, payload);
        } else if (event == FRAME_CONTROL) {
            take_control(connection, opcode, payload, code);
        }
    }
}

/* Nothing was heard for a while: who answers a ping is there. */
void websocket_expire(struct connection *connection)
{
    struct websocket *websocket = connection->websocket;
    if (websocket->closing || websocket->pinged) {
        connection_abort(connection);
        return;
    }
    if (!websocket->bound) {
        say_goodbye(connection, FRAME_POLICY);
        return;
    }
    websocket->pinged = true;
    if (!send_frame(connection, FRAME_PING, SLICE("carelayer"))) {
        connection_abort(connection);
        return;
    }
    deadline_set(connection, DEADLINE_IDLE, time_monotonic());
}
