/* SPDX-License-Identifier: MIT */
/* The driver against a small HTTP server of the test's own, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "driver.h"
#include "report.h"

#define CLIENTS   32
#define SEEN_MAX  4096
#define LINE_SIZE 256

enum manner { ANSWERS_WELL, CLOSES_EACH_TIME, FAILS_READS, HANGS_UP };

/* Answers one request after the other, in one thread; keeps the request lines and checks that
 * every body is JSON whose references name what was created and not deleted. */
static struct server {
    pthread_t thread;
    int listener;
    uint16_t port;
    _Atomic bool stop;
    enum manner manner;
    struct pollfd clients[CLIENTS];
    char inputs[CLIENTS][65536];
    size_t lengths[CLIENTS];
    size_t seen_count;
    char seen[SEEN_MAX][LINE_SIZE];
    bool alive[SEEN_MAX]; /* by id number */
    unsigned created, bad_bodies, entries;
} server;

static struct arena *arena;
static struct target target;
static struct workload_options choices;
static struct work work;
static struct driver_result result;

/* Every "Type/number" in a body must be alive. */
static bool references_live(struct slice text)
{
    for (size_t i = 0; i + 13 < text.length; i++) {
        struct slice rest = slice_from(text, i);
        if (!slice_starts(rest, SLICE("\"reference\":\""))) {
            continue;
        }
        rest = slice_from(rest, 13);
        struct slice reference = slice_head(rest, slice_index(rest, '"'));
        uint64_t number;
        struct slice id = slice_from(reference, slice_index(reference, '/') + 1);
        if (!slice_to_unsigned(id, SEEN_MAX - 1, &number) || !server.alive[number]) {
            return false;
        }
    }
    return true;
}

static void look_at_body(struct slice text)
{
    struct arena *own = arena_create((size_t)8 << 20);
    struct json json;
    if (json_read(text, &json_limits_default, own, NULL, &json) != STATUS_OK ||
        !references_live(text)) {
        server.bad_bodies++;
    } else {
        server.entries += (unsigned)yyjson_arr_size(json_get(json.root, "entry"));
    }
    arena_destroy(own);
}

static const char bundle[] =
    "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\","
    "\"id\":\"1\"}},{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"2\"}}]}";

static void write_answer(struct slice method, struct slice path, char *out, size_t size)
{
    const char *close = server.manner == CLOSES_EACH_TIME ? "Connection: close\r\n" : "";
    struct slice id = path;
    while (slice_index(id, '/') < id.length) {
        id = slice_from(id, slice_index(id, '/') + 1);
    }
    uint64_t number = 0;
    bool named = slice_to_unsigned(id, SEEN_MAX - 1, &number);
    if (slice_is(method, "POST") && !slice_is(path, "/fhir")) {
        number = ++server.created;
        server.alive[number] = true;
        snprintf(out, size,
                 "HTTP/1.1 201 Created\r\n%sLocation: http://h%.*s/%u/_history/1\r\n"
                 "Content-Length: 0\r\n\r\n",
                 close, SLICE_ARGS(path), server.created);
    } else if (slice_is(method, "GET") && server.manner == FAILS_READS && named) {
        snprintf(out, size, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    } else if (named && !server.alive[number]) {
        snprintf(out, size, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    } else if (slice_is(method, "DELETE")) {
        server.alive[number] = false;
        snprintf(out, size, "HTTP/1.1 204 No Content\r\n%s\r\n", close);
    } else if (slice_is(method, "GET") && !named) {
        snprintf(out, size,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%zx\r\n%s\r\n0"
                 "\r\n\r\n",
                 close, sizeof bundle - 1, bundle);
    } else {
        snprintf(out, size, "HTTP/1.1 200 OK\r\n%sContent-Length: 2\r\n\r\n{}", close);
    }
}

/* Answers the first whole request of a client's input, if there is one. False: hang up. */
static bool answer(size_t client)
{
    struct slice input = slice_of(server.inputs[client], server.lengths[client]);
    const char *end = memmem(input.at, input.length, "\r\n\r\n", 4);
    if (end == NULL) {
        return true;
    }
    size_t head = (size_t)(end - input.at) + 4;
    const char *stated = memmem(input.at, head, "Content-Length: ", 16);
    size_t length = stated != NULL ? strtoul(stated + 16, NULL, 10) : 0;
    if (input.length < head + length) {
        return true;
    }
    struct slice line = slice_head(input, slice_index(input, '\r'));
    memcpy(server.seen[server.seen_count % SEEN_MAX], line.at,
           slice_head(line, LINE_SIZE - 1).length); /* zero-filled at start */
    server.seen_count++;
    if (server.manner == HANGS_UP) {
        return false;
    }
    if (length > 0) {
        look_at_body(slice_of(input.at + head, length));
    }
    struct slice method = slice_cut(&line, ' ');
    struct slice path = slice_cut(&line, ' ');
    char out[1024];
    write_answer(method, path, out, sizeof out);
    memmove(server.inputs[client], input.at + head + length, input.length - head - length);
    server.lengths[client] -= head + length;
    return send(server.clients[client].fd, out, strlen(out), MSG_NOSIGNAL) > 0 &&
           server.manner != CLOSES_EACH_TIME;
}

static void serve_client(size_t client)
{
    struct pollfd *poll = &server.clients[client];
    ssize_t got = recv(poll->fd, server.inputs[client] + server.lengths[client],
                       sizeof server.inputs[client] - server.lengths[client], 0);
    server.lengths[client] += got > 0 ? (size_t)got : 0;
    if (got <= 0 || !answer(client)) {
        close(poll->fd);
        poll->fd = -1;
    }
}

static void *serve(void *unused)
{
    (void)unused;
    while (!server.stop) {
        struct pollfd door = {.fd = server.listener, .events = POLLIN};
        if (poll(&door, 1, 0) == 1) {
            size_t place = 0;
            while (place < CLIENTS && server.clients[place].fd >= 0) {
                place++;
            }
            assert_true(place < CLIENTS);
            server.clients[place].fd = accept(server.listener, NULL, NULL);
            server.lengths[place] = 0;
        }
        poll(server.clients, CLIENTS, 2);
        for (size_t i = 0; i < CLIENTS; i++) {
            if (server.clients[i].fd >= 0 && server.clients[i].revents != 0) {
                serve_client(i);
            }
        }
    }
    return NULL;
}

static void serve_with(enum manner manner)
{
    memset(&server, 0, sizeof server);
    server.manner = manner;
    server.alive[1] = server.alive[2] = true;
    server.created = 2;
    for (size_t i = 0; i < CLIENTS; i++) {
        server.clients[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    }
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.listener, 64), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &length), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop_serving(void)
{
    server.stop = true;
    pthread_join(server.thread, NULL);
    close(server.listener);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (server.clients[i].fd >= 0) {
            close(server.clients[i].fd);
        }
    }
}

static int open_arena(void **state)
{
    (void)state;
    arena = arena_create(0);
    choices = (struct workload_options){.types = "Patient", .limit = 100, .seed = 1};
    return arena == NULL;
}

static int close_arena(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static enum status prepare(const char *name)
{
    const char *problem;
    const char *url = arena_print(arena, "http://127.0.0.1:%u/fhir/", (unsigned)server.port);
    assert_int_equal(target_parse(url, arena, &target, &problem), STATUS_OK);
    work = (struct work){.target = &target, .options = &choices, .arena = arena};
    work.workload = workload_find(name);
    return work.workload->prepare(&work);
}

static enum status drive(unsigned concurrency, unsigned threads, uint64_t requests)
{
    struct driver_options options = {
        .concurrency = concurrency, .threads = threads, .requests = requests};
    return driver_run(&work, &options, arena, &result);
}

static void only_this_machine_may_be_put_under_load(void **state)
{
    (void)state;
    static const char *const good[] = {"http://127.0.0.1:8080/fhir", "http://127.9.9.9",
                                       "http://[::1]:80/a/b/", "http://localhost:1/"};
    static const char *const foreign[] = {"http://192.168.1.1/fhir", "http://128.0.0.1/",
                                          "http://[2001:db8::1]/",   "http://example.org/fhir",
                                          "http://0.0.0.0:8080/",    "http://[::ffff:10.0.0.1]/"};
    static const char *const bad[] = {"https://127.0.0.1/",  "127.0.0.1:8080",
                                      "http://127.0.0.1:0/", "http://127.0.0.1:65536/",
                                      "http://[::1]x/",      ""};
    const char *problem;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(target_parse(good[i], arena, &target, &problem), STATUS_OK);
    }
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_int_equal(target_parse(foreign[i], arena, &target, &problem), STATUS_FORBIDDEN);
        assert_non_null(problem);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(target_parse(bad[i], arena, &target, &problem), STATUS_VALUE);
        assert_non_null(problem);
    }
}

static void a_path_is_put_below_the_base_unless_it_is_whole(void **state)
{
    (void)state;
    const char *problem;
    assert_int_equal(target_parse("http://127.0.0.1:81/fhir/", arena, &target, &problem),
                     STATUS_OK);
    target.headers = SLICE("X-A: b\r\n");
    static const struct {
        const char *path, *line;
    } cases[] = {{"Patient/1", "GET /fhir/Patient/1 HTTP/1.1\r\n"},
                 {"", "GET /fhir HTTP/1.1\r\n"},
                 {"?page=2", "GET /fhir?page=2 HTTP/1.1\r\n"},
                 {"/other", "GET /other HTTP/1.1\r\n"},
                 {"http://127.0.0.1:81/fhir?p=2", "GET /fhir?p=2 HTTP/1.1\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {.arena = arena};
        target_write_head(&target, "GET", slice_text(cases[i].path), SLICE(""), 0, false, &out);
        assert_true(slice_starts(buffer_slice(&out), slice_text(cases[i].line)));
        assert_true(slice_ends(buffer_slice(&out), SLICE("X-A: b\r\n\r\n")));
    }
}

static void crud_makes_reads_changes_and_removes_nine_linked_resources(void **state)
{
    (void)state;
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("crud"), STATUS_OK);
    assert_int_equal(drive(1, 1, 36), STATUS_OK);
    stop_serving();
    assert_int_equal(result.requests, 36);
    assert_int_equal(result.errors, 0);
    assert_int_equal(server.bad_bodies, 0);
    assert_int_equal(server.seen_count, 36);
    assert_string_equal(server.seen[0], "POST /fhir/Patient HTTP/1.1");
    assert_string_equal(server.seen[8], "POST /fhir/DiagnosticReport HTTP/1.1");
    assert_string_equal(server.seen[9], "GET /fhir/Patient/3 HTTP/1.1");
    assert_string_equal(server.seen[18], "PUT /fhir/Patient/3 HTTP/1.1");
    assert_string_equal(server.seen[27], "DELETE /fhir/DiagnosticReport/11 HTTP/1.1");
    assert_string_equal(server.seen[35], "DELETE /fhir/Patient/3 HTTP/1.1");
    for (size_t id = 3; id <= 11; id++) {
        assert_false(server.alive[id]);
    }
}

static void many_connections_on_several_threads_do_exactly_what_was_asked(void **state)
{
    (void)state;
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("crud"), STATUS_OK);
    assert_int_equal(drive(10, 3, 1000), STATUS_OK);
    stop_serving();
    assert_int_equal(result.requests, 1000);
    assert_int_equal(result.errors, 0);
    assert_int_equal(result.latency.total, 1000);
    assert_int_equal(result.connects, 0);
    assert_int_equal(server.seen_count, 1000);
    assert_int_equal(server.bad_bodies, 0);
}

static void ids_come_from_a_search_or_from_a_file(void **state)
{
    (void)state;
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("search"), STATUS_OK);
    assert_int_equal(work.request_count, 2);
    assert_int_equal(work.sample_entries, 2);
    assert_true(
        slice_starts(work.requests[1], SLICE("GET /fhir/Observation?patient=2&_count=20 ")));
    char path[] = "bench_idsXXXXXX";
    int fd = mkstemp(path);
    static const char lines[] = "Patient/2\n\n  Patient/1\r\n";
    assert_int_equal(write(fd, lines, sizeof lines - 1), sizeof lines - 1);
    close(fd);
    choices.ids = path;
    assert_int_equal(prepare("everything"), STATUS_OK);
    unlink(path);
    stop_serving();
    assert_int_equal(work.request_count, 2);
    assert_true(
        slice_starts(work.requests[0], SLICE("GET /fhir/Patient/2/$everything?_count=1000 ")));
}

static void answers_that_are_no_success_are_counted_by_status_and_step(void **state)
{
    (void)state;
    serve_with(FAILS_READS);
    assert_int_equal(prepare("crud"), STATUS_OK);
    assert_int_equal(drive(1, 1, 36), STATUS_OK);
    stop_serving();
    assert_int_equal(result.requests, 36);
    assert_int_equal(result.errors, 9);
    assert_int_equal(result.faults[0].status, 410);
    assert_string_equal(result.faults[0].step, "read Patient");
    assert_int_equal(result.faults[0].count, 1);
    struct driver_options options = {.concurrency = 1, .threads = 1};
    struct buffer out = {.arena = arena};
    struct json json;
    report_write_json(&work, &options, &result, &out);
    assert_int_equal(json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    assert_true(slice_is(json_number(json_get(json.root, "errors")), "9"));
    assert_int_equal(yyjson_arr_size(json_get(json.root, "faults")), DRIVER_FAULTS);
}

static void a_server_that_closes_each_connection_is_asked_again(void **state)
{
    (void)state;
    serve_with(CLOSES_EACH_TIME);
    assert_int_equal(prepare("crud"), STATUS_OK);
    assert_int_equal(drive(2, 1, 72), STATUS_OK);
    stop_serving();
    assert_int_equal(result.requests, 72);
    assert_int_equal(result.errors, 0);
    assert_int_equal(result.connects, 70);
}

static void a_server_that_only_hangs_up_ends_the_run(void **state)
{
    (void)state;
    serve_with(HANGS_UP);
    assert_int_equal(prepare("crud"), STATUS_OK);
    assert_int_equal(drive(4, 1, 100000), STATUS_TRANSIENT);
    stop_serving();
    assert_true(result.errors > 0);
    assert_int_equal(result.errors, result.requests);
    assert_int_equal(result.faults[0].status, 0);
}

static void no_server_ends_the_run(void **state)
{
    (void)state;
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("crud"), STATUS_OK);
    stop_serving();
    assert_int_equal(drive(4, 2, 100000), STATUS_TRANSIENT);
    assert_int_equal(prepare("read"), STATUS_IO);
    assert_non_null(work.problem);
}

static void each_bundle_is_imported_once_and_its_entries_are_counted(void **state)
{
    (void)state;
    char plain[] = "bench_bundleXXXXXX", packed[] = "bench_packedXXXXXX";
    struct buffer gzip = {.arena = arena};
    int fd = mkstemp(plain);
    assert_int_equal(write(fd, bundle, sizeof bundle - 1), sizeof bundle - 1);
    close(fd);
    fd = mkstemp(packed);
    assert_int_equal(gzip_compress(slice_text(bundle), 6, &gzip), STATUS_OK);
    assert_int_equal(write(fd, gzip.at, gzip.length), gzip.length);
    close(fd);
    const char *files[] = {plain, packed, plain};
    choices.files = files;
    choices.file_count = 3;
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("import"), STATUS_OK);
    assert_int_equal(work.resources, 6);
    assert_int_equal(drive(8, 2, 0), STATUS_OK);
    stop_serving();
    unlink(plain);
    unlink(packed);
    assert_int_equal(result.requests, 3);
    assert_int_equal(server.seen_count, 3);
    assert_int_equal(server.entries, 6);
    assert_string_equal(server.seen[0], "POST /fhir HTTP/1.1");
}

static void a_batch_has_fifty_entries_about_known_patients(void **state)
{
    (void)state;
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("batch"), STATUS_OK);
    assert_int_equal(drive(2, 1, 10), STATUS_OK);
    stop_serving();
    assert_int_equal(result.errors, 0);
    assert_int_equal(server.bad_bodies, 0);
    assert_int_equal(server.entries, 500);
}

static void a_run_by_time_ends_by_time_and_leaves_the_warm_up_out(void **state)
{
    (void)state;
    pid_t self = getpid();
    serve_with(ANSWERS_WELL);
    assert_int_equal(prepare("read"), STATUS_OK);
    struct driver_options options = {.concurrency = 2,
                                     .threads = 1,
                                     .seconds = 0.3,
                                     .warm_up = 0.2,
                                     .server = &self,
                                     .server_count = 1};
    int64_t begin = time_monotonic();
    assert_int_equal(driver_run(&work, &options, arena, &result), STATUS_OK);
    double took = (double)(time_monotonic() - begin) / 1e6;
    stop_serving();
    assert_true(took >= 0.5 && took < 5);
    assert_true(result.seconds >= 0.3 && result.seconds < took);
    assert_true(result.requests > 0 && result.requests < server.seen_count);
    assert_true(result.server_cpu >= 0);
}

static void the_cpu_time_of_no_process_is_unknown(void **state)
{
    (void)state;
    assert_true(driver_process_cpu(getpid()) >= 0);
    assert_true(driver_process_cpu(INT32_MAX) < 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(only_this_machine_may_be_put_under_load),
        TEST(a_path_is_put_below_the_base_unless_it_is_whole),
        TEST(crud_makes_reads_changes_and_removes_nine_linked_resources),
        TEST(many_connections_on_several_threads_do_exactly_what_was_asked),
        TEST(ids_come_from_a_search_or_from_a_file),
        TEST(answers_that_are_no_success_are_counted_by_status_and_step),
        TEST(a_server_that_closes_each_connection_is_asked_again),
        TEST(a_server_that_only_hangs_up_ends_the_run),
        TEST(no_server_ends_the_run),
        TEST(each_bundle_is_imported_once_and_its_entries_are_counted),
        TEST(a_batch_has_fifty_entries_about_known_patients),
        TEST(a_run_by_time_ends_by_time_and_leaves_the_warm_up_out),
        TEST(the_cpu_time_of_no_process_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
