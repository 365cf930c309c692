/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "client.h"
#include "walk.h"

#define HOST "Host: localhost\r\n"

static struct test_server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static void *stop_server(void *unused)
{
    server_stop(&server);
    return unused;
}

static int64_t milliseconds_since(int64_t from)
{
    return (time_monotonic() - from) / 1000;
}

static void finishes_an_accepted_slow_request(void **state)
{
    (void)state;
    pthread_t stopper;
    server_start(&server);
    int fd = client_connect(server.port);
    client_send_text(fd, "GET /fhir/slow?800 HTTP/1.1\r\n" HOST "\r\n");
    usleep(100000);
    pthread_create(&stopper, NULL, stop_server, NULL);
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.http, 200);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    assert_true(client_sees_close(fd, 3000));
    close(fd);
    pthread_join(stopper, NULL);
    answer_free(&answer);
}

static void finishes_a_request_that_is_still_coming(void **state)
{
    (void)state;
    pthread_t stopper;
    server_start(&server);
    int fd = client_connect(server.port);
    client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    usleep(100000);
    pthread_create(&stopper, NULL, stop_server, NULL);
    usleep(700000);
    client_send_text(fd, "def");
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer.body, "\"body\":\"abcdef\""));
    close(fd);
    pthread_join(stopper, NULL);
    answer_free(&answer);
}

static void ends_idle_connections_and_listens_no_more(void **state)
{
    (void)state;
    server_start(&server);
    int idle[20];
    for (int i = 0; i < 20; i++) {
        idle[i] = client_connect(server.port);
    }
    usleep(50000);
    int64_t from = time_monotonic();
    server_stop(&server);
    assert_true(milliseconds_since(from) < 1500);
    for (int i = 0; i < 20; i++) {
        assert_true(client_sees_close(idle[i], 500));
        close(idle[i]);
    }
}

static void answers_what_was_sent_just_before_the_stop(void **state)
{
    (void)state;
    server_start(&server);
    int fds[20];
    for (int i = 0; i < 20; i++) {
        fds[i] = client_connect(server.port);
        client_send_text(fds[i], "GET /fhir/slow?30 HTTP/1.1\r\n" HOST "\r\n");
    }
    server_stop(&server);
    for (int i = 0; i < 20; i++) {
        struct answer answer = client_read(fds[i], false);
        assert_int_equal(answer.http, 200);
        answer_free(&answer);
        close(fds[i]);
    }
}

static void closes_what_is_not_done_when_the_time_is_up(void **state)
{
    (void)state;
    server.config.stop_timeout = 1;
    server_start(&server);
    int fd = client_connect(server.port);
    client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    int slow = client_connect(server.port);
    client_send_text(slow, "GET /fhir/slow?2500 HTTP/1.1\r\n" HOST "\r\n");
    usleep(100000);
    int64_t from = time_monotonic();
    server_stop(&server);
    assert_in_range(milliseconds_since(from), 2000, 9000); /* the walk itself is waited for */
    assert_true(client_sees_close(fd, 500));
    assert_true(client_sees_close(slow, 500));
    close(fd);
    close(slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finishes_an_accepted_slow_request, start),
        cmocka_unit_test_setup(finishes_a_request_that_is_still_coming, start),
        cmocka_unit_test_setup(ends_idle_connections_and_listens_no_more, start),
        cmocka_unit_test_setup(answers_what_was_sent_just_before_the_stop, start),
        cmocka_unit_test_setup(closes_what_is_not_done_when_the_time_is_up, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
