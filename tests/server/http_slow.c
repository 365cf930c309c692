/* SPDX-License-Identifier: MIT */
/* Clients that take their time, or never come to an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "walk.h"

#define HOST      "Host: localhost\r\n"
#define DRIBBLERS 500
#define MOST      520

static struct test_server server;

static int start(void **state)
{
    struct rlimit files;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    server_prepare(&server);
    server.config.header_timeout = 1;
    server.config.body_timeout = 3;
    server.config.idle_timeout = 2;
    server.config.send_timeout = 1;
    server.config.max_connections = MOST;
    server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static int64_t milliseconds_since(int64_t from)
{
    return (time_monotonic() - from) / 1000;
}

/* Sends a byte every 100 ms, so that every read deadline that starts anew would never pass. */
static int dribble(int fd, const char *byte, int64_t from)
{
    char drop[1024];
    while (milliseconds_since(from) < 8000) {
        if (send(fd, byte, 1, MSG_NOSIGNAL) != 1 ||
            recv(fd, drop, sizeof(drop), MSG_DONTWAIT) >= 0) {
            break;
        }
        usleep(100000);
    }
    return (int)milliseconds_since(from);
}

static void dribbled_headers_meet_their_deadline(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "GET /fhir/quick HTTP/1.1\r\n" HOST "X-A: ");
    int took = dribble(fd, "a", time_monotonic());
    assert_in_range(took, 700, 7000); /* and not the 8000 of who is never cut off */
    close(fd);
}

static void dribbled_bodies_meet_their_deadline(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
    int took = dribble(fd, "a", time_monotonic());
    assert_in_range(took, 2600, 7500);
    close(fd);
}

static void tells_the_slow_why(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\nabc");
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.http, 408);
    assert_non_null(strstr(answer.body, "\"code\":\"timeout\""));
    assert_true(client_sees_close(fd, 10000));
    answer_free(&answer);
    close(fd);
}

static void silent_connections_are_closed(void **state)
{
    (void)state;
    int fresh = client_connect(server.port);
    int used = client_connect(server.port);
    int64_t from = time_monotonic();
    client_send_text(used, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
    struct answer answer = client_read(used, false);
    assert_int_equal(answer.http, 200);
    assert_true(client_sees_close(used, 10000));
    assert_true(client_sees_close(fresh, 5000));
    assert_in_range(milliseconds_since(from), 1700, 9000);
    answer_free(&answer);
    close(fresh);
    close(used);
}

static void a_reader_that_never_reads_is_dropped(void **state)
{
    (void)state;
    static const char *const asks[] = {"GET /fhir/large?30000000 HTTP/1.1\r\n" HOST "\r\n",
                                       "GET /fhir/Binary/pull?50000000 HTTP/1.1\r\n" HOST "\r\n"};
    for (size_t i = 0; i < 2; i++) {
        int fd = client_connect(server.port);
        client_send_text(fd, asks[i]);
        for (int wait = 0; wait < 1000 && walk_requests_alive() == 0; wait++) {
            usleep(10000);
        }
        assert_int_equal(walk_requests_alive(), 1);
        int64_t from = time_monotonic();
        while (walk_requests_alive() > 0 && milliseconds_since(from) < 20000) {
            usleep(50000);
        }
        assert_int_equal(walk_requests_alive(), 0);
        close(fd);
    }
}

static void a_slow_reader_that_goes_on_reading_is_served(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "GET /fhir/large?12000000 HTTP/1.1\r\n" HOST "\r\n");
    static char drop[400000];
    size_t got = 0;
    int64_t from = time_monotonic();
    while (got < 12000000) {
        ssize_t more = recv(fd, drop, sizeof(drop), 0);
        if (more <= 0) {
            break;
        }
        got += (size_t)more;
        usleep(70000);
    }
    assert_true(got >= 12000000);
    assert_true(milliseconds_since(from) > 1500); /* longer than the deadline itself */
    close(fd);
}

static void many_dribblers_do_not_stop_a_quick_client(void **state)
{
    (void)state;
    static int dribblers[DRIBBLERS];
    for (int i = 0; i < DRIBBLERS; i++) {
        dribblers[i] = client_connect(server.port);
        client_send_text(dribblers[i], "GET /fhir/quick HTTP/1.1\r\nX-A: ");
    }
    int fd = client_connect(server.port);
    int late = 0;
    for (int i = 0; i < 300; i++) {
        (void)send(dribblers[i], "a", 1, MSG_NOSIGNAL);
        int64_t from = time_monotonic();
        client_send_text(fd, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
        struct answer answer = client_read(fd, false);
        int64_t took = time_monotonic() - from;
        assert_int_equal(answer.http, 200);
        answer_free(&answer);
        late += took > 500000;
    }
    assert_in_range(late, 0, 6); /* the machine itself may be late now and then */
    for (int i = 0; i < DRIBBLERS; i++) {
        close(dribblers[i]);
    }
    close(fd);
}

static void connections_over_the_limit_are_closed_at_once(void **state)
{
    (void)state;
    static int open[MOST + 20];
    usleep(500000); /* those of the test before are gone */
    for (int i = 0; i < MOST + 20; i++) {
        open[i] = client_connect(server.port);
    }
    int closed = 0;
    for (int i = MOST - 40; i < MOST + 20; i++) {
        closed += client_sees_close(open[i], i < MOST ? 20 : 500);
    }
    assert_in_range(closed, 18, 40);
    for (int i = 0; i < MOST + 20; i++) {
        close(open[i]);
    }
    struct answer answer = client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
    for (int wait = 0; wait < 100 && answer.http != 200; wait++) { /* until they are gone */
        usleep(100000);
        answer_free(&answer);
        answer = client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
    }
    assert_int_equal(answer.http, 200);
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dribbled_headers_meet_their_deadline),
        cmocka_unit_test(dribbled_bodies_meet_their_deadline),
        cmocka_unit_test(tells_the_slow_why),
        cmocka_unit_test(silent_connections_are_closed),
        cmocka_unit_test(a_reader_that_never_reads_is_dropped),
        cmocka_unit_test(a_slow_reader_that_goes_on_reading_is_served),
        cmocka_unit_test(many_dribblers_do_not_stop_a_quick_client),
        cmocka_unit_test(connections_over_the_limit_are_closed_at_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
