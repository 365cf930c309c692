/* SPDX-License-Identifier: MIT */
/* What the files of http share. A loop is a thread with a listening socket, a store reader and its
 * connections; nothing of a loop is touched by another thread, but its queue of resumed requests.
 * A connection serves one request at a time:
 *
 *   READING --head and body whole--> BUSY --answer ready--> SENDING --all sent--> READING
 *                                      \-- client gone --> CLOSED (until the walk comes back)
 *   any failure: answer, then LINGERING (so that the client reads the answer), then gone. */
#ifndef CARELAYER_HTTP_INT_H
#define CARELAYER_HTTP_INT_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "http.h"
#include "parse.h"

struct connection;
struct loop;

/* ---- deadlines: one list a kind, each in order of expiry, looked at by a coarse tick ----------
 */

enum deadline_kind {
    DEADLINE_IDLE,   /* between requests */
    DEADLINE_HEADER, /* from the first byte of a request, or of a TLS handshake */
    DEADLINE_BODY,
    DEADLINE_SEND,   /* since the last progress of an answer */
    DEADLINE_LINGER, /* after a refusal, until the client closes */
    DEADLINE_COUNT,
    DEADLINE_NONE = DEADLINE_COUNT
};

#define TICK_MICROS   (MICROS_PER_SECOND / 4)
#define LINGER_MICROS (2 * MICROS_PER_SECOND)

struct connection_list {
    struct connection *first, *last;
};

/* ---- a connection ----------------------------------------------------------------------------*/

enum connection_state {
    CONNECTION_READING,
    CONNECTION_BUSY,      /* the request is with its walk or a worker */
    CONNECTION_SENDING,   /* the answer is not wholly in the socket yet */
    CONNECTION_SOCKET,    /* a websocket from now on */
    CONNECTION_LINGERING, /* told the client it is over; reads and forgets */
    CONNECTION_CLOSED     /* no socket any more; waits for whoever has the request */
};

/* Who has the request of a BUSY or CLOSED connection, so that a resume finds its way. */
enum connection_task { TASK_NONE, TASK_WALK, TASK_ANSWER, TASK_INFLATE, TASK_GZIP, TASK_PULL };

/* Is the answer's body gzipped? */
enum packing { PACKING_OPEN, PACKING_DONE, PACKING_REFUSED };

enum body_sink { BODY_MEMORY, BODY_FILE, BODY_DROP };

/* What is asked of the transport itself, or of the walk. */
enum route { ROUTE_FHIR, ROUTE_HEALTH, ROUTE_METRICS, ROUTE_APPS, ROUTE_OPTIONS };

struct connection {
    struct loop *loop;
    struct bufferevent *socket; /* NULL once CLOSED */
    int fd;
    bool tls;
    bool handshaking;
    bool ended;      /* the client sends no more */
    bool keep_alive; /* after this answer */
    bool expects;    /* waits for 100 Continue */
    enum connection_state state;
    enum connection_task task;
    enum route route;
    struct connection *next, *previous; /* all of the loop */
    enum deadline_kind deadline_kind;
    int64_t deadline; /* time_monotonic */
    struct connection *deadline_next, *deadline_previous;
    size_t low_output;  /* low-water mark set */
    size_t seen_output; /* bytes waiting when progress was last looked at */

    struct parser parser;
    struct request *request;
    enum body_sink sink;
    bool may_spill;   /* a Binary's content: into a file once it is long */
    bool packed_body; /* Content-Encoding: gzip */
    struct buffer body;
    uint64_t body_length; /* so far, whichever sink */
    uint64_t body_limit;

    struct work work;
    enum status task_status;
    struct buffer packed; /* the gzipped answer */
    enum packing packing;
    struct arena *pull_arena; /* one piece of a pulled body; NULL: never needed one */
    struct buffer piece;
    uint64_t pull_offset, pull_end;
    struct websocket *websocket; /* NULL: it is none */
};

/* ---- a loop ----------------------------------------------------------------------------------*/

struct loop {
    struct http_server *server;
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *wake_event, *tick_event;
    struct event *rest_event; /* behind the events that are being handled */
    int wake_fd;
    pthread_t thread;
    bool running;
    struct store_reader *reader;
    struct arena *arena;   /* connections: as long as the loop */
    struct arena *scratch; /* the head of one answer */
    struct connection *spare;
    struct connection_list connections;
    struct connection_list deadlines[DEADLINE_COUNT];
    size_t websockets;
    bool listener_paused; /* no descriptors left: tries again at the next tick */
    bool stopping;
    unsigned stop_looks; /* ticks since */
    int64_t stop_deadline;
    int64_t date_second;
    char date[HTTP_DATE_LENGTH + 1];
    uint64_t request_number;
    char request_prefix[9];
    _Alignas(64) _Atomic(struct request *) resumed; /* a stack, newest first; any thread pushes */
    atomic_bool wake_owed; /* pushed without a wake: the batch's end wakes */
};

struct static_file {
    struct slice path;         /* "/apps/record/index.html" */
    struct slice body, packed; /* packed empty: does not pay */
    struct slice etag;
    const char *content_type;
};

struct http_server {
    struct service *service;
    struct arena *arena; /* process */
    SSL_CTX *tls;        /* NULL: plain */
    struct loop *loops;
    size_t loop_count;
    atomic_int connections;
    atomic_bool stopping;
    struct slice fhir_prefix;   /* path of base-url, when it is not "/fhir"; else empty */
    struct slice own_authority; /* host[:port] of base-url; empty: none */
    struct static_file *files;  /* sorted by path */
    size_t file_count;
};

/* loop.c */
MUST_CHECK enum status loop_open(struct loop *loop, struct http_server *server, int listening,
                                 struct outcome *outcome);
void *loop_run(void *loop);
void loop_wake(struct loop *loop);
void loop_close(struct loop *loop);
/* Hands the request of a connection back to its loop; any thread. */
void loop_resume(struct request *request);
/* audit_on_batch: CONTEXT is the server. */
void loop_wake_batch(void *server);
void deadline_set(struct connection *connection, enum deadline_kind kind, int64_t now);
void deadline_clear(struct connection *connection);
const char *loop_date(struct loop *loop);

/* connection.c */
extern const struct door http_door;
void connection_accept(struct loop *loop, int fd);
/* Somebody is done with the connection's request: goes on according to its task. */
void connection_resume(struct connection *connection);
/* Parses what has come, as far as it goes. */
void connection_advance(struct connection *connection);
/* Ends the socket; the rest once nobody has the request any more. */
void connection_abort(struct connection *connection);
/* A deadline passed. */
void connection_expire(struct connection *connection, int64_t now);
/* Gives the request to a worker: TASK is then what the resume goes on with. */
void connection_submit(struct connection *connection, enum connection_task task,
                       void (*run)(void *connection, struct store_reader *reader));
/* The answer is wholly handed to the socket's buffer or the socket. */
void connection_sent(struct connection *connection);

/* The request is over. */
void connection_end_request(struct connection *connection);

/* websocket.c */
/* Answers the request with 101 and goes on as a websocket, or with a refusal. */
void websocket_begin(struct connection *connection);
void websocket_read(struct connection *connection);
/* The socket has room again; and: somebody has something to send. */
void websocket_room(struct connection *connection);
void websocket_pump(struct connection *connection);
void websocket_expire(struct connection *connection);
void websocket_close(struct connection *connection);

/* body.c */
bool body_begin(struct connection *connection, const struct head *head, struct failure *failure);
bool body_add(struct connection *connection, struct slice piece, struct failure *failure);
/* Puts the whole body into the request. False: it is with a worker, TASK_INFLATE. */
bool body_end(struct connection *connection);

/* target.c: which of our things a path names, and the request's target and base_url. */
bool target_resolve(struct connection *connection, struct failure *failure);
bool origin_is_ours(const struct connection *connection, struct slice origin);
bool origin_allowed(const struct http_server *server, struct slice origin);

/* answer.c */
/* Sends request->response. */
void answer_send(struct connection *connection);
/* Sends an OperationOutcome for a message that never became a request, then closes. */
void answer_failure(struct connection *connection, const struct failure *failure);
/* The answer of the transport itself, as an OperationOutcome. */
void answer_problem(struct connection *connection, int http, const char *issue, const char *text);
void answer_continue(struct connection *connection);
/* stream.c */
/* Sends both; BODY is not copied when it LASTS as long as the request. */
void stream_write(struct connection *connection, struct slice head, struct slice body, bool lasts);
void stream_pull(struct connection *connection);
void stream_piece(struct connection *connection);
/* The socket has room again. */
void stream_room(struct connection *connection);

/* range.c: one range of RFC 9110, 14. False: send everything. *RET_STATUS: OK or RANGE. */
bool range_parse(struct slice text, uint64_t length, uint64_t *ret_from, uint64_t *ret_end,
                 enum status *ret_status);

/* tls.c */
MUST_CHECK enum status tls_open(const struct config *config, struct outcome *outcome,
                                SSL_CTX **ret_tls);
struct bufferevent *tls_accept(SSL_CTX *tls, struct event_base *base, int fd);

/* static.c */
MUST_CHECK enum status static_load(struct http_server *server, struct outcome *outcome);
void static_answer(struct connection *connection);

/* health.c */
void health_answer(struct connection *connection);

#endif
