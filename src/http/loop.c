/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http_int.h"

/* ---- deadlines ------------------------------------------------------------------------------ */

static int64_t deadline_micros(const struct config *config, enum deadline_kind kind)
{
    switch (kind) {
    case DEADLINE_IDLE:
        return config->idle_timeout * MICROS_PER_SECOND;
    case DEADLINE_HEADER:
        return config->header_timeout * MICROS_PER_SECOND;
    case DEADLINE_BODY:
        return config->body_timeout * MICROS_PER_SECOND;
    case DEADLINE_SEND:
        return config->send_timeout * MICROS_PER_SECOND;
    case DEADLINE_LINGER:
    case DEADLINE_NONE:
        break;
    }
    return LINGER_MICROS;
}

void deadline_clear(struct connection *connection)
{
    if (connection->deadline_kind == DEADLINE_NONE) {
        return;
    }
    struct connection_list *list = &connection->loop->deadlines[connection->deadline_kind];
    struct connection *before = connection->deadline_previous;
    struct connection *after = connection->deadline_next;
    *(before != NULL ? &before->deadline_next : &list->first) = after;
    *(after != NULL ? &after->deadline_previous : &list->last) = before;
    connection->deadline_kind = DEADLINE_NONE;
}

/* All deadlines of a kind have the same length, so the end of the list is the place. */
void deadline_set(struct connection *connection, enum deadline_kind kind, int64_t now)
{
    deadline_clear(connection);
    struct loop *loop = connection->loop;
    struct connection_list *list = &loop->deadlines[kind];
    connection->deadline_kind = kind;
    connection->deadline = now + deadline_micros(loop->server->service->config, kind);
    connection->deadline_next = NULL;
    connection->deadline_previous = list->last;
    *(list->last != NULL ? &list->last->deadline_next : &list->first) = connection;
    list->last = connection;
}

static void expire_deadlines(struct loop *loop, int64_t now)
{
    for (int kind = 0; kind < DEADLINE_COUNT; kind++) {
        struct connection_list *list = &loop->deadlines[kind];
        while (list->first != NULL && list->first->deadline <= now) {
            connection_expire(list->first, now);
        }
    }
}

/* A sender that took bytes since the last look has a new deadline: its place is at the end. */
static void note_progress(struct loop *loop, int64_t now)
{
    struct connection *last = loop->deadlines[DEADLINE_SEND].last;
    struct connection *next = NULL;
    for (struct connection *at = loop->deadlines[DEADLINE_SEND].first; at != NULL; at = next) {
        next = at == last ? NULL : at->deadline_next;
        size_t output = evbuffer_get_length(bufferevent_get_output(at->socket));
        if (output < at->seen_output) {
            deadline_set(at, DEADLINE_SEND, now);
        }
        at->seen_output = output;
    }
}

/* ---- stopping ------------------------------------------------------------------------------- */

static bool is_idle(const struct connection *connection)
{
    return connection->state == CONNECTION_SOCKET ||
           (connection->state == CONNECTION_READING && connection->parser.phase == PHASE_BETWEEN);
}

static void close_connections(struct loop *loop, bool all)
{
    struct connection *next = NULL;
    for (struct connection *at = loop->connections.first; at != NULL; at = next) {
        next = at->next;
        if (all || is_idle(at)) {
            connection_abort(at);
        }
    }
}

static void end_if_empty(struct loop *loop)
{
    if (loop->stopping && loop->connections.first == NULL) {
        event_base_loopbreak(loop->base);
    }
}

static void accept_connection(struct evconnlistener *listener, evutil_socket_t fd,
                              struct sockaddr *address, int length, void *context)
{
    (void)listener;
    (void)address;
    (void)length;
    connection_accept(context, (int)fd);
}

/* What the system has accepted for us is ours to answer: closing the listening socket would reset
 * it. */
static void accept_last(struct loop *loop)
{
    int listening = (int)evconnlistener_get_fd(loop->listener);
    for (;;) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno != EINTR && errno != ECONNABORTED) {
            return;
        }
        if (fd >= 0) {
            connection_accept(loop, fd);
        }
    }
}

/* Idle connections end at the second tick, after each socket was looked at: a connection that was
 * just accepted may have its request waiting there. */
static void stop_begin(struct loop *loop)
{
    loop->stopping = true;
    loop->stop_deadline =
        time_monotonic() + loop->server->service->config->stop_timeout * MICROS_PER_SECOND;
    accept_last(loop);
    evconnlistener_free(loop->listener);
    loop->listener = NULL;
    end_if_empty(loop);
}

/* ---- events --------------------------------------------------------------------------------- */

/* What was ready has been served: the snapshot of its reads need not wait for the next to come. */
static void rest(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    (void)fd;
    (void)what;
    if (loop->reader != NULL) {
        store_reader_rest(loop->reader);
    }
}

static void tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct loop *loop = context;
    int64_t now = time_monotonic();
    note_progress(loop, now);
    expire_deadlines(loop, now);
    if (loop->listener_paused && loop->listener != NULL) {
        loop->listener_paused = evconnlistener_enable(loop->listener) != 0;
    }
    if (loop->stopping) {
        bool looked = loop->stop_looks++ > 0;
        if (looked) {
            close_connections(loop, now >= loop->stop_deadline);
        }
        end_if_empty(loop);
    }
}

static struct request *reverse(struct request *newest)
{
    struct request *oldest = NULL;
    while (newest != NULL) {
        struct request *next = newest->next_waiting;
        newest->next_waiting = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void woken(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct loop *loop = context;
    uint64_t count = 0;
    if (read((int)fd, &count, sizeof(count)) < 0) {
        count = 0; /* somebody else's wake was taken with the last one */
    }
    struct request *next = NULL;
    struct request *first =
        reverse(atomic_exchange_explicit(&loop->resumed, NULL, memory_order_acquire));
    for (struct request *at = first; at != NULL; at = next) {
        next = at->next_waiting;
        at->next_waiting = NULL;
        connection_resume(at->door_context);
    }
    struct connection *after = NULL;
    for (struct connection *at = loop->connections.first; at != NULL && loop->websockets > 0;
         at = after) {
        after = at->next;
        if (at->state == CONNECTION_SOCKET) {
            websocket_pump(at);
        }
    }
    if (atomic_load(&loop->server->stopping) && !loop->stopping) {
        stop_begin(loop);
    }
    end_if_empty(loop);
}

static void accept_failed(struct evconnlistener *listener, void *context)
{
    struct loop *loop = context;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        evconnlistener_disable(listener);
        loop->listener_paused = true;
        log_event(LOG_CONNECTION_REFUSED, LOG_NUMBER(LOG_FIELD_ERRNO, errno));
    }
}

/* ---- resuming from any thread --------------------------------------------------------------- */

/* Set on the log's thread, which says when a batch of its answers is complete: then one wake a loop
 * does for all of them. */
static _Thread_local bool wakes_in_batches;

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    if (write(loop->wake_fd, &one, sizeof(one)) < 0) {
        return; /* the counter is full: a wake is pending anyhow */
    }
}

void loop_resume(struct request *request)
{
    struct connection *connection = request->door_context;
    struct loop *loop = connection->loop;
    struct request *newest = atomic_load_explicit(&loop->resumed, memory_order_relaxed);
    do {
        request->next_waiting = newest;
    } while (!atomic_compare_exchange_weak_explicit(&loop->resumed, &newest, request,
                                                    memory_order_release, memory_order_relaxed));
    if (newest != NULL) {
        return; /* whoever pushed first wakes, or has woken */
    }
    if (wakes_in_batches) {
        atomic_store(&loop->wake_owed, true);
    } else {
        loop_wake(loop);
    }
}

void loop_wake_batch(void *context)
{
    struct http_server *server = context;
    wakes_in_batches = true;
    for (size_t i = 0; i < server->loop_count; i++) {
        if (atomic_exchange(&server->loops[i].wake_owed, false)) {
            loop_wake(&server->loops[i]);
        }
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

const char *loop_date(struct loop *loop)
{
    int64_t now = time_now();
    if (now / MICROS_PER_SECOND != loop->date_second) {
        loop->date_second = now / MICROS_PER_SECOND;
        http_date_write(now, loop->date);
    }
    return loop->date;
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL) {
        return NULL;
    }
    struct event_base *base = NULL;
    /* No changelist: it would tell epoll about a descriptor after it was closed, when another loop
     * may have it already. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0) {
        base = event_base_new_with_config(config);
    }
    event_config_free(config);
    return base;
}

static bool add_events(struct loop *loop, int listening)
{
    const struct timeval every = {.tv_usec = TICK_MICROS};
    loop->listener =
        evconnlistener_new(loop->base, accept_connection, loop,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 1024, listening);
    if (loop->listener == NULL) {
        close(listening);
        return false;
    }
    evconnlistener_set_error_cb(loop->listener, accept_failed);
    loop->wake_event = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, woken, loop);
    loop->tick_event = event_new(loop->base, -1, EV_PERSIST, tick, loop);
    loop->rest_event = event_new(loop->base, -1, 0, rest, loop);
    return loop->wake_event != NULL && loop->tick_event != NULL && loop->rest_event != NULL &&
           event_add(loop->wake_event, NULL) == 0 && event_add(loop->tick_event, &every) == 0;
}

enum status loop_open(struct loop *loop, struct http_server *server, int listening,
                      struct outcome *outcome)
{
    uint8_t prefix[4];
    random_bytes(prefix, sizeof(prefix));
    loop->server = server;
    loop->date_second = -1;
    for (size_t i = 0; i < sizeof(prefix); i++) {
        loop->request_prefix[2 * i] = "0123456789abcdef"[prefix[i] >> 4];
        loop->request_prefix[2 * i + 1] = "0123456789abcdef"[prefix[i] & 15];
    }
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->arena = arena_create(0);
    loop->scratch = arena_create(ARENA_REQUEST_BASE);
    loop->base = make_base();
    if (loop->wake_fd < 0 || loop->arena == NULL || loop->scratch == NULL || loop->base == NULL) {
        close(listening);
        return outcome_fail(outcome, STATUS_MEMORY, "", "There is no memory for an event loop.");
    }
    if (!add_events(loop, listening)) {
        return outcome_fail(outcome, STATUS_MEMORY, "", "The event loop cannot be set up.");
    }
    if (server->service->store != NULL && !store_reads_wait(server->service->store)) {
        TRY(store_reader_open(server->service->store, &loop->reader));
    }
    return STATUS_OK;
}

void *loop_run(void *context)
{
    struct loop *loop = context;
    event_base_dispatch(loop->base);
    return NULL;
}

void loop_close(struct loop *loop)
{
    if (loop->base != NULL) {
        close_connections(loop, true);
        event_base_loop(loop->base, EVLOOP_NONBLOCK); /* sockets are freed a round later */
    }
    if (loop->listener != NULL) {
        evconnlistener_free(loop->listener);
    }
    if (loop->wake_event != NULL) {
        event_free(loop->wake_event);
    }
    if (loop->tick_event != NULL) {
        event_free(loop->tick_event);
    }
    if (loop->rest_event != NULL) {
        event_free(loop->rest_event);
    }
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    if (loop->reader != NULL) {
        store_reader_close(loop->reader);
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    arena_destroy(loop->scratch);
    arena_destroy(loop->arena);
}
