/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_SIZE     ((size_t)256 << 10)
#define EVENTS           256
#define WAIT_MILLIS      50
#define GIVE_UP_FAILURES 50                        /* in a row on one connection */
#define GIVE_UP_SILENCE  (300 * MICROS_PER_SECOND) /* without any answer on a thread */

enum phase { PHASE_WARM, PHASE_COUNT, PHASE_STOP };

/* Shared by all threads of a run. */
struct run {
    struct work *work;
    const struct driver_options *options;
    _Atomic int phase;
    _Atomic uint64_t issued; /* requests begun while counting */
    _Atomic unsigned living; /* threads with connections still at work */
    _Atomic int status;      /* the first reason to give up */
};

struct connection {
    int fd;
    bool wants_write; /* epoll also waits for room to send */
    bool finished;    /* nothing more to ask */
    unsigned failures;
    size_t sent; /* of head and body together */
    int64_t began;
    struct exchange exchange;
    struct response response;
    struct session session;
};

struct loop {
    struct run *run;
    pthread_t thread;
    int epoll;
    struct connection *connections;
    unsigned count, first; /* how many, and the number of the first in the whole run */
    unsigned active;
    char *chunk;
    int64_t last_answer;
    struct driver_result result;
};

static void give_up(struct run *run, enum status status)
{
    int none = STATUS_OK;
    atomic_compare_exchange_strong(&run->status, &none, (int)status);
    atomic_store(&run->phase, PHASE_STOP);
}

static bool watch(struct loop *loop, struct connection *connection, int operation, bool write)
{
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u),
                                .data.ptr = connection};
    connection->wants_write = write;
    return epoll_ctl(loop->epoll, operation, connection->fd, &event) == 0;
}

static void disconnect(struct connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
}

static bool reconnect(struct loop *loop, struct connection *connection)
{
    disconnect(connection);
    connection->fd = target_connect(loop->run->work->target, true);
    return connection->fd >= 0 && watch(loop, connection, EPOLL_CTL_ADD, false);
}

/* Sends what is left of the request. False: the connection is broken. */
static bool push(struct loop *loop, struct connection *connection)
{
    struct slice head = slice_from(connection->exchange.head, connection->sent);
    size_t into_body = connection->sent > connection->exchange.head.length
                           ? connection->sent - connection->exchange.head.length
                           : 0;
    struct slice body = slice_from(connection->exchange.body, into_body);
    while (head.length + body.length > 0) {
        struct iovec parts[2] = {{(void *)(uintptr_t)head.at, head.length},
                                 {(void *)(uintptr_t)body.at, body.length}};
        struct msghdr message = {.msg_iov = head.length > 0 ? parts : parts + 1,
                                 .msg_iovlen =
                                     (size_t)(head.length > 0) + (size_t)(body.length > 0)};
        ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            /* ENOTCONN: a non-blocking connect is under way. */
            bool later = errno == EAGAIN || errno == ENOTCONN;
            return later &&
                   (connection->wants_write || watch(loop, connection, EPOLL_CTL_MOD, true));
        }
        connection->sent += (size_t)sent;
        size_t of_head = (size_t)sent < head.length ? (size_t)sent : head.length;
        head = slice_from(head, of_head);
        body = slice_from(body, (size_t)sent - of_head);
    }
    return !connection->wants_write || watch(loop, connection, EPOLL_CTL_MOD, false);
}

static void finish(struct loop *loop, struct connection *connection)
{
    connection->finished = true;
    disconnect(connection);
    loop->active--;
}

/* May another request begin? */
static bool may_begin(struct run *run)
{
    int phase = atomic_load_explicit(&run->phase, memory_order_relaxed);
    if (phase == PHASE_STOP) {
        return false;
    }
    uint64_t limit = run->options->requests;
    return limit == 0 || phase == PHASE_WARM || atomic_fetch_add(&run->issued, 1) < limit;
}

static void note_fault(struct driver_result *result, int status, const char *step, uint64_t count)
{
    for (size_t i = 0; i < DRIVER_FAULTS; i++) {
        struct fault *fault = &result->faults[i];
        if (fault->count == 0) {
            *fault = (struct fault){status, step, count};
            return;
        }
        if (fault->status == status && strcmp(fault->step, step) == 0) {
            fault->count += count;
            return;
        }
    }
}

static void record(struct loop *loop, struct connection *connection, bool whole)
{
    struct driver_result *result = &loop->result;
    int64_t now = time_monotonic();
    loop->last_answer = now;
    if (atomic_load_explicit(&loop->run->phase, memory_order_relaxed) != PHASE_COUNT) {
        return;
    }
    int status = connection->response.status;
    result->requests++;
    result->bytes += connection->response.length;
    if (whole) {
        histogram_record(&result->latency, (uint64_t)(now - connection->began));
    }
    if (!whole || ((status < 200 || status > 299) && status != 304)) {
        result->errors++;
        note_fault(result, whole ? status : 0, connection->exchange.step, 1);
    }
}

/* The last exchange is over, well or badly: begins the next, again on a new connection for as long
 * as connecting fails but not for ever. */
static void advance(struct loop *loop, struct connection *connection)
{
    struct run *run = loop->run;
    bool connected = connection->fd >= 0;
    for (;;) {
        if (!may_begin(run) ||
            !run->work->workload->next(&connection->session, &connection->exchange)) {
            finish(loop, connection);
            return;
        }
        response_start(&connection->response, NULL);
        connection->sent = 0;
        connection->began = time_monotonic();
        if (!connected) {
            loop->result.connects++;
            connected = reconnect(loop, connection);
        }
        if (connected && push(loop, connection)) {
            return;
        }
        disconnect(connection);
        connected = false;
        record(loop, connection, false);
        if (run->work->workload->answer != NULL) {
            run->work->workload->answer(&connection->session, &connection->response);
        }
        if (++connection->failures > GIVE_UP_FAILURES) {
            give_up(run, STATUS_TRANSIENT);
        }
    }
}

static void complete(struct loop *loop, struct connection *connection, bool whole)
{
    if (!whole) {
        connection->response.status = 0;
    }
    record(loop, connection, whole);
    const struct workload *workload = loop->run->work->workload;
    if (workload->answer != NULL) {
        workload->answer(&connection->session, &connection->response);
    }
    connection->failures = whole ? 0 : connection->failures + 1;
    if (connection->failures > GIVE_UP_FAILURES) {
        give_up(loop->run, STATUS_TRANSIENT);
    }
    if (!whole || !connection->response.keep_alive) {
        disconnect(connection);
    }
    advance(loop, connection);
}

static void pull(struct loop *loop, struct connection *connection)
{
    for (;;) {
        ssize_t got = recv(connection->fd, loop->chunk, RECEIVE_SIZE, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            bool whole = got == 0 && response_closed(&connection->response) == RESPONSE_DONE;
            complete(loop, connection, whole);
            return;
        }
        size_t used;
        enum response_state state =
            response_feed(&connection->response, loop->chunk, (size_t)got, &used);
        if (state != RESPONSE_MORE) {
            complete(loop, connection, state == RESPONSE_DONE && used == (size_t)got);
            return;
        }
        if ((size_t)got < RECEIVE_SIZE) {
            return;
        }
    }
}

static void serve(struct loop *loop, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (connection->finished || connection->fd < 0) {
        return;
    }
    if ((event->events & EPOLLOUT) != 0 && !push(loop, connection)) {
        complete(loop, connection, false);
        return;
    }
    if ((event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        pull(loop, connection);
    }
}

static bool open_sessions(struct loop *loop)
{
    for (unsigned i = 0; i < loop->count; i++) {
        struct connection *connection = &loop->connections[i];
        connection->fd = -1;
        if (!session_open(&connection->session, loop->run->work, loop->first + i)) {
            return false;
        }
    }
    return true;
}

static void *loop_main(void *context)
{
    struct loop *loop = context;
    struct run *run = loop->run;
    struct epoll_event events[EVENTS];
    loop->active = loop->count;
    loop->last_answer = time_monotonic();
    for (unsigned i = 0; i < loop->count; i++) {
        advance(loop, &loop->connections[i]);
    }
    loop->result.connects = 0; /* the first ones do not count as made again */
    while (loop->active > 0 &&
           atomic_load_explicit(&run->phase, memory_order_relaxed) < PHASE_STOP) {
        int ready = epoll_wait(loop->epoll, events, EVENTS, WAIT_MILLIS);
        for (int i = 0; i < ready; i++) {
            serve(loop, &events[i]);
        }
        if (ready == 0 && time_monotonic() - loop->last_answer > GIVE_UP_SILENCE) {
            give_up(run, STATUS_TRANSIENT);
        }
    }
    atomic_fetch_sub(&run->living, 1);
    return NULL;
}

static void sleep_until(int64_t when, struct run *run)
{
    for (int64_t now = time_monotonic();
         now < when && atomic_load(&run->living) > 0 && atomic_load(&run->phase) < PHASE_STOP;
         now = time_monotonic()) {
        int64_t step = when - now < 20000 ? when - now : 20000;
        nanosleep(&(struct timespec){.tv_nsec = (long)step * 1000}, NULL);
    }
}

double driver_process_cpu(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t length = read(fd, text, sizeof text);
    close(fd);
    /* The second field is a name in brackets that may hold spaces: count from its end (proc(5):
     * the state is field 3, utime 14, stime 15). */
    const char *name_end = length > 0 ? memrchr(text, ')', (size_t)length) : NULL;
    if (name_end == NULL) {
        return -1;
    }
    struct slice rest = slice_of(name_end + 1, (size_t)(text + length - name_end - 1));
    uint64_t ticks = 0, value;
    for (unsigned field = 2; field <= 15; field++) {
        struct slice word = slice_cut(&rest, ' ');
        if (field >= 14) {
            if (!slice_to_unsigned(word, INT64_MAX, &value)) {
                return -1;
            }
            ticks += value;
        }
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double server_cpu(const struct driver_options *options)
{
    double total = 0;
    for (size_t i = 0; i < options->server_count; i++) {
        double one = driver_process_cpu(options->server[i]);
        if (one < 0) {
            return -1;
        }
        total += one;
    }
    return options->server_count > 0 ? total : -1;
}

static enum status make_loops(struct run *run, struct arena *arena, struct loop **ret_loops,
                              unsigned *ret_count)
{
    unsigned connections = run->options->concurrency;
    unsigned count = run->options->threads < connections ? run->options->threads : connections;
    struct loop *loops = arena_array(arena, count, sizeof *loops);
    if (loops == NULL) {
        return STATUS_MEMORY;
    }
    for (unsigned i = 0; i < count; i++) {
        loops[i].run = run;
        loops[i].epoll = epoll_create1(EPOLL_CLOEXEC);
        loops[i].first = connections * i / count;
        loops[i].count = connections * (i + 1) / count - loops[i].first;
        loops[i].connections = arena_array(arena, loops[i].count, sizeof *loops[i].connections);
        loops[i].chunk = arena_alloc(arena, RECEIVE_SIZE);
        if (loops[i].connections == NULL || loops[i].chunk == NULL || !open_sessions(&loops[i])) {
            return STATUS_MEMORY;
        }
        if (loops[i].epoll < 0) {
            return STATUS_IO;
        }
    }
    *ret_loops = loops;
    *ret_count = count;
    return STATUS_OK;
}

static void gather(struct loop *loop, struct driver_result *result)
{
    histogram_merge(&result->latency, &loop->result.latency);
    result->requests += loop->result.requests;
    result->errors += loop->result.errors;
    result->connects += loop->result.connects;
    result->bytes += loop->result.bytes;
    for (size_t i = 0; i < DRIVER_FAULTS && loop->result.faults[i].count > 0; i++) {
        const struct fault *fault = &loop->result.faults[i];
        note_fault(result, fault->status, fault->step, fault->count);
    }
    close(loop->epoll);
    for (unsigned i = 0; i < loop->count; i++) {
        disconnect(&loop->connections[i]);
        session_close(&loop->connections[i].session);
    }
}

enum status driver_run(struct work *work, const struct driver_options *options, struct arena *arena,
                       struct driver_result *ret_result)
{
    struct run run = {.work = work, .options = options, .status = STATUS_OK};
    struct loop *loops;
    unsigned count, started = 0;
    *ret_result = (struct driver_result){0};
    atomic_store(&run.phase, options->warm_up > 0 ? PHASE_WARM : PHASE_COUNT);
    TRY(make_loops(&run, arena, &loops, &count));
    atomic_store(&run.living, count);
    double cpu_before = server_cpu(options);
    int64_t begin = time_monotonic();
    for (; started < count; started++) {
        if (pthread_create(&loops[started].thread, NULL, loop_main, &loops[started]) != 0) {
            give_up(&run, STATUS_IO);
            break;
        }
    }
    if (options->warm_up > 0) {
        sleep_until(begin + (int64_t)(options->warm_up * 1e6), &run);
        cpu_before = server_cpu(options);
        begin = time_monotonic();
        int warm = PHASE_WARM;
        atomic_compare_exchange_strong(&run.phase, &warm, PHASE_COUNT);
    }
    if (options->seconds > 0) {
        sleep_until(begin + (int64_t)(options->seconds * 1e6), &run);
        atomic_store(&run.phase, PHASE_STOP);
    }
    int64_t end = time_monotonic();
    double cpu_after = server_cpu(options);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(loops[i].thread, NULL);
    }
    if (options->seconds <= 0) {
        end = time_monotonic();
        cpu_after = server_cpu(options);
    }
    for (unsigned i = 0; i < count; i++) {
        gather(&loops[i], ret_result);
    }
    ret_result->seconds = (double)(end - begin) / 1e6;
    ret_result->server_cpu = cpu_before < 0 || cpu_after < 0 ? -1 : cpu_after - cpu_before;
    return (enum status)atomic_load(&run.status);
}
