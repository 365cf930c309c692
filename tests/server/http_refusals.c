/* SPDX-License-Identifier: MIT */
/* What must never be read as two different requests by two programs in a row, and limits of a head:
 * each is refused with an OperationOutcome and the connection closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "walk.h"

#define HOST "Host: localhost\r\n"

static struct test_server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    server.config.max_headers = 4096;
    server.config.max_body = 2000;
    server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

/* In one piece, and byte by byte: the parser must not depend on how the bytes arrive. */
static void assert_refused_bytes(const char *bytes, size_t length, int http)
{
    for (int dribble = 0; dribble < 2; dribble++) {
        int before = walk_requests_started();
        int fd = client_connect(server.port);
        for (size_t i = 0; dribble == 1 && i < length && i < 200; i++) {
            client_send(fd, bytes + i, 1);
        }
        client_send(fd, bytes + (dribble == 1 ? (length < 200 ? length : 200) : 0),
                    dribble == 1 ? length - (length < 200 ? length : 200) : length);
        struct answer answer = client_read(fd, false);
        if (answer.http != http) {
            print_error("answered %d in place of %d to:\n%s\n", answer.http, http, bytes);
        }
        assert_int_equal(answer.http, http);
        assert_non_null(strstr(answer.body, "\"resourceType\":\"OperationOutcome\""));
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        assert_true(client_sees_close(fd, 3000));
        assert_int_equal(walk_requests_started(), before);
        answer_free(&answer);
        close(fd);
    }
}

static void assert_refused(const char *text, int http)
{
    assert_refused_bytes(text, strlen(text), http);
}

static void refuses_two_content_lengths_even_equal_ones(void **state)
{
    (void)state;
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
                   400);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
                   400);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc", 400);
}

static void refuses_lengths_that_are_no_plain_numbers(void **state)
{
    (void)state;
    static const char *const lengths[] = {"+3", "-3", "0x3", "3 3",
                                          "3a", "",   "3.0", "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: %s\r\n\r\nabc", lengths[i]);
        assert_refused(text, 400);
    }
}

static void refuses_a_space_before_the_colon(void **state)
{
    (void)state;
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost : localhost\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-Any\t: 1\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n Host: localhost\r\n\r\n", 400);
}

static void refuses_bare_line_feeds_and_bare_returns(void **state)
{
    (void)state;
    assert_refused("GET /fhir/echo HTTP/1.1\nHost: localhost\n\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost: localhost\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\nX-B: c\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "\n", 400);
    assert_refused("\nGET /fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("\r\rGET /fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\rX-B: c\r\n\r\n", 400);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
                   400);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n",
                   400);
}

static void refuses_chunk_sizes_with_sign_prefix_or_space(void **state)
{
    (void)state;
    static const char *const sizes[] = {
        "+3", "-3", "0x3", " 3", "3 ", "", "g", "3,", "3\t", "fffffffffffffffff3", ";a"};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "POST /fhir/echo HTTP/1.1\r\n" HOST
                 "Transfer-Encoding: chunked\r\n\r\n%s\r\nabc\r\n0\r\n\r\n",
                 sizes[i]);
        assert_refused(text, 400);
    }
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
                   400);
}

static void refuses_folded_header_lines(void **state)
{
    (void)state;
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\r\n\tc\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A:\r\n c\r\n\r\n", 400);
}

static void refuses_nul_and_control_characters(void **state)
{
    (void)state;
    static const char nul[] = "GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\0c\r\n\r\n";
    assert_refused_bytes(nul, sizeof(nul) - 1, 400);
    static const char nul_name[] = "GET /fhir/echo HTTP/1.1\r\n" HOST "X-\0A: b\r\n\r\n";
    assert_refused_bytes(nul_name, sizeof(nul_name) - 1, 400);
    static const char nul_target[] = "GET /fhir/ec\0ho HTTP/1.1\r\n" HOST "\r\n";
    assert_refused_bytes(nul_target, sizeof(nul_target) - 1, 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\x01\x63\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: b\x7f\r\n\r\n", 400);
    assert_refused("GET /fhir/\x01 HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /fhir/\x7f HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /fhir/\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /fhir/a#b HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /fhir/a b HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void refuses_no_host_two_hosts_and_bad_hosts(void **state)
{
    (void)state;
    assert_refused("GET /fhir/echo HTTP/1.1\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\n" HOST "host: other\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost: localhost/evil\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost: user@localhost\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", 400);
    assert_refused("GET /fhir/echo HTTP/1.1\r\nHost: localhost:\"><script>\r\n\r\n", 400);
    assert_refused("GET http://a@localhost/fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET http:///fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void refuses_length_and_transfer_encoding_together(void **state)
{
    (void)state;
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                   400);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
                   400);
}

static void refuses_transfer_codings_it_does_not_know(void **state)
{
    (void)state;
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                   501);
    assert_refused(
        "POST /fhir/echo HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                   400);
    assert_refused(
        "POST /fhir/echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

static void refuses_other_protocols_and_methods(void **state)
{
    (void)state;
    assert_refused("GET /fhir/echo HTTP/2.0\r\n" HOST "\r\n", 505);
    assert_refused("GET /fhir/echo HTTP/0.9\r\n" HOST "\r\n", 505);
    assert_refused("GET /fhir/echo HTTP/1.2\r\n" HOST "\r\n", 505);
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    assert_refused("CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("NONSENSE /fhir/echo HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("get /fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("\x16\x03\x01\x02", 400);
    assert_refused("GET fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET ftp://localhost/fhir/echo HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET * HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /fhir/echo\r\n" HOST "\r\n", 505);
    assert_refused("GET /fhir/echo RTSP/1.0\r\n" HOST "\r\n", 400);
}

static char *repeat(const char *before, const char *unit, size_t count, const char *after)
{
    size_t length = strlen(unit);
    char *text = calloc(1, strlen(before) + length * count + strlen(after) + 1);
    assert_non_null(text);
    char *at = text + snprintf(text, strlen(before) + 1, "%s", before);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, unit, length);
        at += length;
    }
    memcpy(at, after, strlen(after));
    return text;
}

static void refuses_heads_over_the_limit(void **state)
{
    (void)state;
    char *text = repeat("GET /fhir/", "a", 5000, " HTTP/1.1\r\n" HOST "\r\n");
    assert_refused(text, 414);
    free(text);
    text = repeat("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A: ", "a", 5000, "\r\n\r\n");
    assert_refused(text, 431);
    free(text);
    text = repeat("GET /fhir/echo HTTP/1.1\r\n" HOST "X-A:", " ", 5000, "a\r\n\r\n");
    assert_refused(text, 431);
    free(text);
    text = repeat("GET /fhir/echo HTTP/1.1\r\n" HOST, "X: y\r\n", 200, "\r\n");
    assert_refused(text, 431);
    free(text);
    text = repeat("", "\r\n", 20, "GET /fhir/echo HTTP/1.1\r\n" HOST "\r\n");
    assert_refused(text, 400);
    free(text);
}

static void refuses_endless_trailers_and_chunk_extensions(void **state)
{
    (void)state;
    char *text =
        repeat("POST /fhir/echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;a=", "b",
               6000, "\r\na\r\n0\r\n\r\n");
    assert_refused(text, 431);
    free(text);
    text = repeat("POST /fhir/echo HTTP/1.1\r\n" HOST
                  "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
                  "X-A: bbbbbbbbbb\r\n", 600, "\r\n");
    assert_refused(text, 431);
    free(text);
}

static void refuses_bodies_over_the_limit(void **state)
{
    (void)state;
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 2001\r\n\r\n", 413);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 2001\r\nExpect: 100-continue\r\n\r\n",
                   413);
    char *text = repeat("POST /fhir/echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
                        "a\r\n0123456789\r\n", 201, "0\r\n\r\n");
    assert_refused(text, 413);
    free(text);
}

static void refuses_codings_and_expectations_it_does_not_know(void **state)
{
    (void)state;
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\nContent-Encoding: br\r\n\r\nabc",
                   415);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\nContent-Encoding: gzip\r\n\r\nabc",
                   400);
    assert_refused("POST /fhir/echo HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\nExpect: miracles\r\n\r\nabc",
                   417);
}

static void a_refusal_is_read_although_more_was_sent(void **state)
{
    (void)state;
    char *text = repeat("POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n",
                        "0123456789", 300000, "");
    int fd = client_connect(server.port);
    client_send_text(fd, text);
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.http, 413);
    assert_true(client_sees_close(fd, 5000));
    answer_free(&answer);
    close(fd);
    free(text);
}

static void nothing_after_a_refusal_is_read_as_a_request(void **state)
{
    (void)state;
    int before = walk_requests_started();
    struct answer answer = client_ask(server.port, "GET /fhir/echo HTTP/1.1\r\n" HOST HOST "\r\n"
                                                   "GET /fhir/echo HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 400);
    assert_true(answer.closed);
    assert_int_equal(walk_requests_started(), before);
    answer_free(&answer);
}

static void ignores_an_upgrade_that_was_offered(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    for (int i = 0; i < 2; i++) {
        client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST
                             "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi");
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.http, 200);
        assert_non_null(strstr(answer.body, "\"body\":\"hi\""));
        answer_free(&answer);
    }
    close(fd);
}

static void assert_form(const char *text, int http, const char *form)
{
    int fd = client_connect(server.port);
    client_send_text(fd, text);
    struct answer answer = client_read(fd, false);
    const char *type = answer_header(&answer, "Content-Type");
    bool xml = strncmp(answer.body, "<OperationOutcome xmlns=", 24) == 0;
    if (answer.http != http || type == NULL || strstr(type, form) == NULL ||
        xml != (strcmp(form, "fhir+xml") == 0)) {
        fail_msg("%d %s: %s\nto: %s", answer.http, type, answer.body, text);
    }
    answer_free(&answer);
    close(fd);
}

/* As far as the request came: what was asked for stands in its target or in the fields before the
 * fault. */
static void says_why_in_the_form_that_was_asked_for(void **state)
{
    (void)state;
#define XML "Accept: application/fhir+xml\r\n"
    assert_form("GET /nope HTTP/1.1\r\n" HOST XML "\r\n", 404, "fhir+xml");
    assert_form("GET /nope?_format=xml HTTP/1.1\r\n" HOST "\r\n", 404, "fhir+xml");
    assert_form("GET /nope?_format=json HTTP/1.1\r\n" HOST XML "\r\n", 404, "fhir+json");
    assert_form("GET /nope HTTP/1.1\r\n" HOST "\r\n", 404, "fhir+json");
    assert_form("DELETE /nope HTTP/1.1\r\n" HOST XML "\r\n", 405, "fhir+xml");
    assert_form("GET /fhir/a%2Fb HTTP/1.1\r\n" HOST XML "\r\n", 400, "fhir+xml");
    assert_form("GET /fhir/a%2Fb?a=b&%5fformat=application%2Ffhir%2Bxml HTTP/1.1\r\n" HOST "\r\n",
                400, "fhir+xml");
    assert_form("POST /fhir/echo HTTP/1.1\r\n" HOST XML "Content-Length: 5000\r\n\r\n", 413,
                "fhir+xml");
    assert_form("POST /fhir/echo HTTP/1.1\r\n" HOST XML
                "Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
                415, "fhir+xml");
    assert_form("POST /fhir/echo HTTP/1.1\r\n" HOST XML
                "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
                400, "fhir+xml");
    assert_form("GET /fhir/quick HTTP/1.1\r\n" HOST XML "Bad Field: x\r\n\r\n", 400, "fhir+xml");
    assert_form("GET /fhir/quick?_format=xml HTTP/1.1\r\n" HOST "Bad Field: x\r\n\r\n", 400,
                "fhir+xml");
    assert_form("GET /fhir/quick HTTP/1.1\r\n" XML "\r\n", 400, "fhir+xml");
    assert_form("BREW /fhir/quick HTTP/1.1\r\n" HOST XML "\r\n", 501, "fhir+json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_two_content_lengths_even_equal_ones),
        cmocka_unit_test(refuses_lengths_that_are_no_plain_numbers),
        cmocka_unit_test(refuses_a_space_before_the_colon),
        cmocka_unit_test(refuses_bare_line_feeds_and_bare_returns),
        cmocka_unit_test(refuses_chunk_sizes_with_sign_prefix_or_space),
        cmocka_unit_test(refuses_folded_header_lines),
        cmocka_unit_test(refuses_nul_and_control_characters),
        cmocka_unit_test(refuses_no_host_two_hosts_and_bad_hosts),
        cmocka_unit_test(refuses_length_and_transfer_encoding_together),
        cmocka_unit_test(refuses_transfer_codings_it_does_not_know),
        cmocka_unit_test(refuses_other_protocols_and_methods),
        cmocka_unit_test(refuses_heads_over_the_limit),
        cmocka_unit_test(refuses_endless_trailers_and_chunk_extensions),
        cmocka_unit_test(refuses_bodies_over_the_limit),
        cmocka_unit_test(refuses_codings_and_expectations_it_does_not_know),
        cmocka_unit_test(a_refusal_is_read_although_more_was_sent),
        cmocka_unit_test(nothing_after_a_refusal_is_read_as_a_request),
        cmocka_unit_test(ignores_an_upgrade_that_was_offered),
        cmocka_unit_test(says_why_in_the_form_that_was_asked_for),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
