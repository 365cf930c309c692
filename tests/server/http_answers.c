/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "walk.h"

#define HOST "Host: 127.0.0.1:8080\r\n"

static struct test_server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    static const char *origins[] = {"https://app.example"};
    server.config.cors = (struct config_list){.items = origins, .count = 1};
    server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static void answers_a_read_and_keeps_the_connection(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    for (int i = 0; i < 3; i++) {
        client_send_text(fd, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.http, 200);
        assert_string_equal(answer.body, "{\"resourceType\":\"Basic\",\"id\":\"1\"}");
        assert_string_equal(answer_header(&answer, "Content-Type"),
                            "application/fhir+json; charset=utf-8");
        assert_string_equal(answer_header(&answer, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(answer_header(&answer, "Cache-Control"), "no-store");
        assert_int_equal(strlen(answer_header(&answer, "Date")), 29);
        assert_null(answer_header(&answer, "Server"));
        assert_null(answer_header(&answer, "Connection"));
        answer_free(&answer);
    }
    close(fd);
}

static void answers_pipelined_requests_in_their_order(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "GET /fhir/slow?60 HTTP/1.1\r\n" HOST "X-Request-Id: one\r\n\r\n"
                         "GET /fhir/elsewhere HTTP/1.1\r\n" HOST "X-Request-Id: two\r\n\r\n"
                         "GET /fhir/resumed HTTP/1.1\r\n" HOST "X-Request-Id: three\r\n\r\n"
                         "POST /fhir/echo HTTP/1.1\r\n" HOST
                         "X-Request-Id: four\r\nContent-Length: 5\r\n\r\nhello"
                         "GET /fhir/quick HTTP/1.1\r\n" HOST "X-Request-Id: five\r\n\r\n");
    static const char *const order[] = {"one", "two", "three", "four", "five"};
    for (size_t i = 0; i < 5; i++) {
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.http, 200);
        assert_string_equal(answer_header(&answer, "X-Request-Id"), order[i]);
        answer_free(&answer);
    }
    close(fd);
}

static void hands_on_what_was_asked(void **state)
{
    (void)state;
    struct answer answer =
        client_ask(server.port, "PUT /fhir/echo?a=b%20c&d HTTP/1.1\r\nhost: localhost:9\r\n"
                                "X-Test:  \t two words \t\r\nX-Request-Id: bad id\r\n"
                                "content-length: 3\r\n\r\nabc");
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer.body, "\"method\":\"PUT\""));
    assert_non_null(strstr(answer.body, "\"target\":\"echo\""));
    assert_non_null(strstr(answer.body, "\"query\":\"a=b%20c&d\""));
    assert_non_null(strstr(answer.body, "\"base\":\"http://localhost:9/fhir\""));
    assert_non_null(strstr(answer.body, "\"header\":\"two words\""));
    assert_non_null(strstr(answer.body, "\"body\":\"abc\""));
    assert_null(strstr(answer.body, "bad id"));
    assert_non_null(answer_header(&answer, "X-Request-Id"));
    answer_free(&answer);
}

static void decodes_escapes_of_a_path_but_no_slashes(void **state)
{
    (void)state;
    struct answer answer = client_ask(server.port, "GET /fhir/%65cho HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer.body, "\"target\":\"echo\""));
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/Patient%2F1 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 400);
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/a%00b HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 400);
    answer_free(&answer);
}

static void takes_an_absolute_target_in_place_of_host(void **state)
{
    (void)state;
    struct answer answer = client_ask(
        server.port, "GET http://localhost:77/fhir/echo?x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer.body, "\"base\":\"http://localhost:77/fhir\""));
    assert_non_null(strstr(answer.body, "\"target\":\"echo\",\"query\":\"x\""));
    answer_free(&answer);
}

static void head_has_the_fields_of_get_and_no_body(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    for (int i = 0; i < 2; i++) {
        client_send_text(fd, "HEAD /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
        struct answer answer = client_read(fd, true);
        assert_int_equal(answer.http, 200);
        assert_string_equal(answer_header(&answer, "Content-Length"), "33");
        answer_free(&answer);
    }
    close(fd);
}

static void writes_location_etag_and_no_injected_header(void **state)
{
    (void)state;
    struct answer answer =
        client_ask(server.port, "POST /fhir/created HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    assert_int_equal(answer.http, 201);
    assert_string_equal(answer_header(&answer, "Location"),
                        "http://127.0.0.1/fhir/Patient/1/_history/1");
    assert_string_equal(answer_header(&answer, "ETag"), "W/\"1\"");
    assert_string_equal(answer_header(&answer, "Last-Modified"), "Mon, 21 Sep 2026 14:13:20 GMT");
    assert_null(answer_header(&answer, "X-Injected"));
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/unchanged HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 304);
    assert_null(answer_header(&answer, "Content-Length"));
    assert_string_equal(answer_header(&answer, "ETag"), "W/\"3\"");
    answer_free(&answer);
}

static void closes_when_asked_and_after_http_1_0(void **state)
{
    (void)state;
    struct answer answer =
        client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    assert_int_equal(answer.http, 200);
    assert_true(answer.closed);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/quick HTTP/1.0\r\n\r\n");
    assert_int_equal(answer.http, 200);
    assert_true(answer.closed);
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/quick HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(answer.http, 200);
    assert_false(answer.closed);
    assert_string_equal(answer_header(&answer, "Connection"), "keep-alive");
    answer_free(&answer);
}

static void answers_a_client_that_closed_its_sending_half(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "GET /fhir/slow?50 HTTP/1.1\r\n" HOST "\r\n");
    shutdown(fd, SHUT_WR);
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.http, 200);
    assert_true(client_sees_close(fd, 2000));
    answer_free(&answer);
    close(fd);
}

static void survives_clients_that_leave_during_their_request(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        int fd = client_connect(server.port);
        client_send_text(fd, "GET /fhir/slow?5 HTTP/1.1\r\n" HOST "\r\n");
        if (i % 2 == 0) {
            const struct linger at_once = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
        close(fd);
    }
    struct answer answer = client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 200);
    answer_free(&answer);
}

static void tells_browsers_of_allowed_origins_only(void **state)
{
    (void)state;
    struct answer answer = client_ask(
        server.port, "OPTIONS /fhir/Patient HTTP/1.1\r\n" HOST "Origin: https://app.example\r\n"
                     "Access-Control-Request-Method: PUT\r\n"
                     "Access-Control-Request-Headers: content-type,if-match\r\n\r\n");
    assert_int_equal(answer.http, 204);
    assert_string_equal(answer_header(&answer, "Access-Control-Allow-Origin"),
                        "https://app.example");
    assert_non_null(strstr(answer_header(&answer, "Access-Control-Allow-Methods"), "PATCH"));
    assert_string_equal(answer_header(&answer, "Access-Control-Allow-Headers"),
                        "content-type,if-match");
    answer_free(&answer);
    answer = client_ask(server.port,
                        "GET /fhir/quick HTTP/1.1\r\n" HOST "Origin: https://app.example\r\n\r\n");
    assert_non_null(strstr(answer_header(&answer, "Access-Control-Expose-Headers"), "ETag"));
    assert_string_equal(answer_header(&answer, "Vary"), "Origin");
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\n" HOST
                                     "Origin: https://other.example\r\n\r\n");
    assert_int_equal(answer.http, 200);
    assert_null(answer_header(&answer, "Access-Control-Allow-Origin"));
    answer_free(&answer);
}

static void refuses_writes_by_pages_of_other_origins(void **state)
{
    (void)state;
    int before = walk_requests_started();
    struct answer answer =
        client_ask(server.port, "POST /fhir/Patient HTTP/1.1\r\n" HOST
                                "Origin: https://other.example\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(answer.http, 403);
    assert_int_equal(walk_requests_started(), before);
    answer_free(&answer);
    answer =
        client_ask(server.port, "POST /fhir/echo HTTP/1.1\r\n" HOST
                                "Origin: http://127.0.0.1:8080\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(answer.http, 200);
    answer_free(&answer);
}

static void refuses_names_that_only_resolve_to_this_machine(void **state)
{
    (void)state;
    struct answer answer =
        client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    assert_int_equal(answer.http, 421);
    answer_free(&answer);
    answer = client_ask(server.port, "GET /fhir/quick HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
    assert_int_equal(answer.http, 200);
    answer_free(&answer);
}

static void tells_its_health_and_metrics(void **state)
{
    (void)state;
    struct answer answer = client_ask(server.port, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer.body, "\"status\":\"ok\""));
    answer_free(&answer);
    answer = client_ask(server.port, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer_header(&answer, "Content-Type"), "version=0.0.4"));
    answer_free(&answer);
}

static void refuses_to_listen_beyond_this_machine_without_rules(void **state)
{
    (void)state;
    static const char *const hosts[] = {"0.0.0.0", "::", ""};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct config config;
        struct service service = {.config = &config};
        struct arena *arena = arena_create(0);
        struct outcome outcome;
        struct http_server *http = NULL;
        int port = 0;
        config_init(&config);
        config.port = 0;
        config.host = hosts[i];
        outcome_init(&outcome, arena);
        assert_int_equal(http_start(&service, &outcome, &http, &port), STATUS_FORBIDDEN);
        assert_int_equal(outcome.count, 1);
        assert_null(http);
        arena_destroy(arena);
    }
}

static void says_when_the_port_is_taken(void **state)
{
    (void)state;
    struct config config = server.config;
    struct service service = {.config = &config};
    struct http_server *http = NULL;
    int port = 0;
    config.port = server.port;
    assert_int_equal(http_start(&service, &server.outcome, &http, &port), STATUS_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_read_and_keeps_the_connection),
        cmocka_unit_test(answers_pipelined_requests_in_their_order),
        cmocka_unit_test(hands_on_what_was_asked),
        cmocka_unit_test(decodes_escapes_of_a_path_but_no_slashes),
        cmocka_unit_test(takes_an_absolute_target_in_place_of_host),
        cmocka_unit_test(head_has_the_fields_of_get_and_no_body),
        cmocka_unit_test(writes_location_etag_and_no_injected_header),
        cmocka_unit_test(closes_when_asked_and_after_http_1_0),
        cmocka_unit_test(answers_a_client_that_closed_its_sending_half),
        cmocka_unit_test(survives_clients_that_leave_during_their_request),
        cmocka_unit_test(tells_browsers_of_allowed_origins_only),
        cmocka_unit_test(refuses_writes_by_pages_of_other_origins),
        cmocka_unit_test(refuses_names_that_only_resolve_to_this_machine),
        cmocka_unit_test(tells_its_health_and_metrics),
        cmocka_unit_test(refuses_to_listen_beyond_this_machine_without_rules),
        cmocka_unit_test(says_when_the_port_is_taken),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
