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

#define HOST "Host: localhost\r\n"
#define MEGA ((size_t)1 << 20)

static struct test_server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    server.config.max_body = (int64_t)(2 * MEGA);
    server.config.max_binary = (int64_t)(20 * MEGA);
    server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static char *pattern(size_t length)
{
    char *bytes = malloc(length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++) {
        bytes[i] = walk_byte(i);
    }
    bytes[length] = '\0';
    return bytes;
}

static void assert_pattern(const struct answer *answer, size_t from, size_t length)
{
    assert_int_equal(answer->length, length);
    for (size_t i = 0; i < length; i++) {
        if (answer->body[i] != walk_byte(from + i)) {
            fail_msg("byte %zu differs", i);
        }
    }
}

static struct answer ask_on(int fd, const char *head, const char *body, size_t length)
{
    client_send_text(fd, head);
    client_send(fd, body, length);
    return client_read(fd, false);
}

static void assert_number(const struct answer *answer, const char *name, size_t value)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "\"%s\":%zu", name, value);
    if (strstr(answer->body, wanted) == NULL) {
        fail_msg("%s is not in %s", wanted, answer->body);
    }
}

static void takes_a_body_by_length(void **state)
{
    (void)state;
    char *bytes = pattern(MEGA);
    int fd = client_connect(server.port);
    for (int i = 0; i < 2; i++) {
        struct answer answer = ask_on(
            fd, "POST /fhir/echo HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n", bytes, MEGA);
        assert_int_equal(answer.http, 200);
        assert_number(&answer, "length", MEGA);
        assert_number(&answer, "good", MEGA);
        answer_free(&answer);
    }
    close(fd);
    free(bytes);
}

static void takes_a_body_in_chunks_with_trailers(void **state)
{
    (void)state;
    char *bytes = pattern(300000);
    int fd = client_connect(server.port);
    client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n");
    for (size_t at = 0, size = 1; at < 300000; at += size, size = size * 3 % 7001 + 1) {
        char line[32];
        size = size < 300000 - at ? size : 300000 - at;
        snprintf(line, sizeof(line), "%zx;name=\"value\"\r\n", size);
        client_send_text(fd, line);
        client_send(fd, bytes + at, size);
        client_send_text(fd, "\r\n");
    }
    struct answer answer = ask_on(fd, "0\r\nX-Trailer: 1\r\nHost: second\r\n\r\n", "", 0);
    assert_int_equal(answer.http, 200);
    assert_number(&answer, "good", 300000);
    answer_free(&answer);
    answer = ask_on(fd, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n", "", 0);
    assert_int_equal(answer.http, 200);
    answer_free(&answer);
    close(fd);
    free(bytes);
}

static void says_continue_before_a_body_that_waits_for_it(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    client_send_text(fd, "POST /fhir/echo HTTP/1.1\r\n" HOST
                         "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    struct answer answer = client_read(fd, true);
    assert_int_equal(answer.http, 100);
    answer_free(&answer);
    answer = ask_on(fd, "hello", "", 0);
    assert_int_equal(answer.http, 200);
    assert_non_null(strstr(answer.body, "\"body\":\"hello\""));
    answer_free(&answer);
    close(fd);
}

static void a_long_binary_goes_to_a_file_without_name(void **state)
{
    (void)state;
    size_t length = 9 * MEGA + 17;
    char *bytes = pattern(length);
    char head[256];
    snprintf(head, sizeof(head),
             "POST /fhir/Binary/echo HTTP/1.1\r\n" HOST
             "Content-Type: image/png\r\nContent-Length: %zu\r\n\r\n",
             length);
    int fd = client_connect(server.port);
    struct answer answer = ask_on(fd, head, bytes, length);
    assert_int_equal(answer.http, 200);
    assert_number(&answer, "length", 0);
    assert_number(&answer, "file_length", length);
    assert_number(&answer, "file_good", length);
    answer_free(&answer);
    /* A short one stays in memory, and so does a resource. */
    answer = ask_on(fd,
                    "PUT /fhir/Binary/echo HTTP/1.1\r\n" HOST
                    "Content-Type: image/png\r\nContent-Length: 5\r\n\r\n",
                    "hello", 5);
    assert_non_null(strstr(answer.body, "\"body\":\"hello\""));
    answer_free(&answer);
    close(fd);
    free(bytes);
}

static void a_binary_resource_keeps_to_the_limit_of_resources(void **state)
{
    (void)state;
    struct answer answer = client_ask(server.port, "POST /fhir/Binary HTTP/1.1\r\n" HOST
                                                   "Content-Type: application/fhir+json\r\n"
                                                   "Content-Length: 5000000\r\n\r\n");
    assert_int_equal(answer.http, 413);
    answer_free(&answer);
    answer =
        client_ask(server.port, "POST /fhir/Binary HTTP/1.1\r\n" HOST "Content-Type: image/png\r\n"
                                "Content-Length: 50000000\r\n\r\n");
    assert_int_equal(answer.http, 413);
    answer_free(&answer);
}

static void says_when_the_data_folder_cannot_take_a_binary(void **state)
{
    (void)state;
    const char *folder = server.config.data;
    server.config.data = "/nowhere/at/all";
    size_t length = 5 * MEGA;
    char *bytes = pattern(length);
    int fd = client_connect(server.port);
    struct answer answer = ask_on(fd,
                                  "POST /fhir/Binary HTTP/1.1\r\n" HOST
                                  "Content-Type: image/png\r\nContent-Length: 5242880\r\n\r\n",
                                  bytes, length);
    assert_true(answer.http == 500 || answer.http == 404);
    answer_free(&answer);
    close(fd);
    free(bytes);
    server.config.data = folder;
}

static struct answer send_packed(const char *bytes, size_t length)
{
    struct arena *arena = arena_create(0);
    struct buffer packed = {.arena = arena};
    assert_int_equal(gzip_compress(slice_of(bytes, length), 6, &packed), STATUS_OK);
    char head[256];
    snprintf(head, sizeof(head),
             "POST /fhir/echo HTTP/1.1\r\n" HOST
             "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             packed.length);
    int fd = client_connect(server.port);
    struct answer answer = ask_on(fd, head, packed.at, packed.length);
    close(fd);
    arena_destroy(arena);
    return answer;
}

static void unpacks_gzip_bodies_up_to_the_limit(void **state)
{
    (void)state;
    char *bytes = pattern(3 * MEGA);
    struct answer answer = send_packed(bytes, MEGA);
    assert_int_equal(answer.http, 200);
    assert_number(&answer, "good", MEGA);
    answer_free(&answer);
    answer = send_packed(bytes, 3 * MEGA); /* a bomb: small on the wire */
    assert_int_equal(answer.http, 413);
    assert_non_null(strstr(answer.body, "OperationOutcome"));
    answer_free(&answer);
    free(bytes);
}

static void assert_unpacks_to(const struct answer *answer, size_t length)
{
    struct arena *arena = arena_create(0);
    struct buffer whole = {.arena = arena};
    assert_int_equal(gzip_inflate(slice_of(answer->body, answer->length), 64 * MEGA, &whole),
                     STATUS_OK);
    struct answer copy = {.body = whole.at, .length = whole.length};
    assert_pattern(&copy, 0, length);
    arena_destroy(arena);
}

static void packs_what_pays_for_who_accepts_it(void **state)
{
    (void)state;
    static const size_t lengths[] = {2000, 100000, 1000000}; /* on the loop, and by workers */
    for (size_t i = 0; i < 3; i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "GET /fhir/large?%zu HTTP/1.1\r\n" HOST "Accept-Encoding: br, gzip;q=0.5\r\n\r\n",
                 lengths[i]);
        struct answer answer = client_ask(server.port, text);
        assert_int_equal(answer.http, 200);
        assert_string_equal(answer_header(&answer, "Content-Encoding"), "gzip");
        assert_string_equal(answer_header(&answer, "Vary"), "Accept-Encoding");
        assert_true(answer.length < lengths[i] / 2);
        assert_unpacks_to(&answer, lengths[i]);
        answer_free(&answer);
    }
    static const char *const plain[] = {
        "GET /fhir/large?900 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n",
        "GET /fhir/large?5000 HTTP/1.1\r\n" HOST "\r\n",
        "GET /fhir/large?5000 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip;q=0\r\n\r\n",
        "GET /fhir/large?5000 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip;q=0, *\r\n\r\n",
        "GET /fhir/Binary/raw?5000 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n",
        "GET /fhir/Binary/text?5000 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct answer answer = client_ask(server.port, plain[i]);
        assert_int_equal(answer.http, 200);
        assert_null(answer_header(&answer, "Content-Encoding"));
        assert_pattern(&answer, 0, answer.length);
        answer_free(&answer);
    }
}

static void sends_large_bodies_whole(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    for (int i = 0; i < 2; i++) {
        struct answer answer =
            ask_on(fd, "GET /fhir/large?30000000 HTTP/1.1\r\n" HOST "\r\n", "", 0);
        assert_int_equal(answer.http, 200);
        assert_pattern(&answer, 0, 30000000);
        answer_free(&answer);
    }
    close(fd);
}

static void streams_pulled_bodies_without_holding_them(void **state)
{
    (void)state;
    int fd = client_connect(server.port);
    int held = MEGA; /* said, a system does not let the socket hold more as it is read */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &held, sizeof(held)), 0);
    for (int i = 0; i < 2; i++) {
        uint64_t before = walk_bytes_pulled();
        client_send_text(fd, "GET /fhir/Binary/pull?50000000 HTTP/1.1\r\n" HOST "\r\n");
        usleep(400000); /* a reader that comes late: only what the socket holds is pulled */
        assert_true(walk_bytes_pulled() - before < 16 * MEGA);
        assert_true(arena_budget_used() < 8 * MEGA);
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.http, 200);
        assert_string_equal(answer_header(&answer, "Content-Type"), "application/pdf");
        assert_string_equal(answer_header(&answer, "Content-Security-Policy"),
                            "default-src 'none'; sandbox");
        assert_pattern(&answer, 0, 50000000);
        answer_free(&answer);
    }
    close(fd);
}

static void cuts_off_a_pulled_body_that_fails(void **state)
{
    (void)state;
    struct answer answer =
        client_ask(server.port, "GET /fhir/broken?5000000 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 200);
    assert_true(answer.closed);
    assert_true(answer.length < 5000000);
    answer_free(&answer);
}

static void head_of_a_pulled_body_pulls_nothing(void **state)
{
    (void)state;
    struct answer answer =
        client_ask(server.port, "HEAD /fhir/broken?5000000 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.http, 200);
    assert_string_equal(answer_header(&answer, "Content-Length"), "5000000");
    assert_false(answer.closed);
    answer_free(&answer);
}

static void assert_range(const char *path, const char *fields, int http, size_t from, size_t length)
{
    char text[512];
    snprintf(text, sizeof(text), "GET /fhir/%s HTTP/1.1\r\n" HOST "%s\r\n", path, fields);
    struct answer answer = client_ask(server.port, text);
    assert_int_equal(answer.http, http);
    if (http != 416) {
        assert_pattern(&answer, from, length);
    }
    if (http == 206) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "bytes %zu-%zu/1000000", from, from + length - 1);
        assert_string_equal(answer_header(&answer, "Content-Range"), wanted);
    }
    answer_free(&answer);
}

static void sends_ranges_of_content(void **state)
{
    (void)state;
    static const char *const paths[] = {"Binary/pull?1000000", "Binary/raw?1000000"};
    for (size_t i = 0; i < 2; i++) {
        assert_range(paths[i], "Range: bytes=0-0\r\n", 206, 0, 1);
        assert_range(paths[i], "Range: bytes=1000-400999\r\n", 206, 1000, 400000);
        assert_range(paths[i], "Range: bytes=999990-\r\n", 206, 999990, 10);
        assert_range(paths[i], "Range: bytes=-10\r\n", 206, 999990, 10);
        assert_range(paths[i], "Range: bytes=-9999999\r\n", 206, 0, 1000000);
        assert_range(paths[i], "Range: bytes=5-9999999\r\n", 206, 5, 999995);
        assert_range(paths[i], "Range: bytes=1000000-\r\n", 416, 0, 0);
        assert_range(paths[i], "Range: bytes=-0\r\n", 416, 0, 0);
        assert_range(paths[i], "Range: bytes=5-4\r\n", 200, 0, 1000000);
        assert_range(paths[i], "Range: bytes=0-1,5-6\r\n", 200, 0, 1000000);
        assert_range(paths[i], "Range: lines=0-1\r\n", 200, 0, 1000000);
        assert_range(paths[i], "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n", 200, 0, 1000000);
    }
    assert_range("Binary/raw?1000000", "Range: bytes=0-1\r\nIf-Range: \"strong\"\r\n", 206, 0, 2);
    assert_range("large?1000000", "Range: bytes=0-1\r\n", 200, 0, 1000000);
    /* Parts are of the content as it is, which the strong tag names, and never of it packed. */
    assert_range("Binary/text?1000000", "Range: bytes=5-99\r\nAccept-Encoding: gzip\r\n", 206, 5,
                 95);
    assert_range("Binary/text?1000000", "Accept-Encoding: gzip\r\n", 200, 0, 1000000);
}

static void frees_a_request_whose_reader_left_in_the_middle(void **state)
{
    (void)state;
    static const char *const asks[] = {"GET /fhir/Binary/pull?50000000 HTTP/1.1\r\n" HOST "\r\n",
                                       "GET /fhir/large?10000000 HTTP/1.1\r\n" HOST "\r\n"};
    for (int i = 0; i < 20; i++) {
        int fd = client_connect(server.port);
        client_send_text(fd, asks[i % 2]);
        char some[100];
        assert_true(recv(fd, some, sizeof(some), 0) > 0);
        close(fd);
    }
    for (int i = 0; i < 100 && walk_requests_alive() > 0; i++) {
        usleep(20000);
    }
    assert_int_equal(walk_requests_alive(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_body_by_length),
        cmocka_unit_test(takes_a_body_in_chunks_with_trailers),
        cmocka_unit_test(says_continue_before_a_body_that_waits_for_it),
        cmocka_unit_test(a_long_binary_goes_to_a_file_without_name),
        cmocka_unit_test(a_binary_resource_keeps_to_the_limit_of_resources),
        cmocka_unit_test(says_when_the_data_folder_cannot_take_a_binary),
        cmocka_unit_test(unpacks_gzip_bodies_up_to_the_limit),
        cmocka_unit_test(packs_what_pays_for_who_accepts_it),
        cmocka_unit_test(sends_large_bodies_whole),
        cmocka_unit_test(streams_pulled_bodies_without_holding_them),
        cmocka_unit_test(cuts_off_a_pulled_body_that_fails),
        cmocka_unit_test(head_of_a_pulled_body_pulls_nothing),
        cmocka_unit_test(sends_ranges_of_content),
        cmocka_unit_test(frees_a_request_whose_reader_left_in_the_middle),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
