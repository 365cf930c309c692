/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "response.h"

static struct arena *arena;
static struct response response;
static struct buffer body;

static int open_arena(void **state)
{
    (void)state;
    arena = arena_create((size_t)1 << 20);
    body = (struct buffer){.arena = arena};
    return arena == NULL;
}

static int close_arena(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

/* Feeds TEXT in runs of STEP bytes; gives the state and the bytes used. */
static enum response_state feed(const char *text, size_t step, size_t *ret_used)
{
    size_t length = strlen(text), at = 0;
    enum response_state result = RESPONSE_MORE;
    while (at < length && result == RESPONSE_MORE) {
        size_t run = length - at < step ? length - at : step, used;
        result = response_feed(&response, text + at, run, &used);
        at += used;
    }
    *ret_used = at;
    return result;
}

/* TEXT followed by other bytes is read alike whatever the runs it arrives in, and exactly to its
 * end. */
static void expect(const char *text, int status, const char *content)
{
    const char *follows = arena_print(arena, "%sHTTP/1.1 200 OK\r\n", text);
    for (size_t step = 1; step <= strlen(follows); step++) {
        size_t used;
        body = (struct buffer){.arena = arena};
        response_start(&response, &body);
        assert_int_equal(feed(follows, step, &used), RESPONSE_DONE);
        assert_int_equal(used, strlen(text));
        assert_int_equal(response.length, strlen(text));
        assert_int_equal(response.status, status);
        assert_int_equal(response.body_length, strlen(content));
        assert_true(slice_is(buffer_slice(&body), content));
    }
}

static void reads_a_body_of_stated_length(void **state)
{
    (void)state;
    expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    expect("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404, "");
    assert_true(response.keep_alive);
}

static void reads_a_chunked_body_with_extensions_and_trailers(void **state)
{
    (void)state;
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n6;note=1\r\n world\r\n0\r\n\r\n",
           200, "hello world");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
           200, "abc");
}

static void statuses_without_a_body_end_at_their_headers(void **state)
{
    (void)state;
    expect("HTTP/1.1 204 No Content\r\nETag: W/\"1\"\r\n\r\n", 204, "");
    /* RFC 9110 8.6: a 304 may state the length that the 200 would have had. */
    expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, "");
}

static void interim_responses_are_passed_over(void **state)
{
    (void)state;
    expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", 201,
           "{}");
    expect("HTTP/1.1 103 Early Hints\r\nLocation: /a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204,
           "");
    assert_int_equal(response_location(&response).length, 0);
}

static void keeps_the_location_and_no_other_header(void **state)
{
    (void)state;
    expect("HTTP/1.1 201 Created\r\nContent-Location: no\r\nLOCATION: http://h/Patient/1/_history/1"
           "\r\nX-Location: no\r\nContent-Length: 0\r\n\r\n",
           201, "");
    assert_true(slice_is(response_location(&response), "http://h/Patient/1/_history/1"));
}

static void a_location_too_long_to_keep_is_none(void **state)
{
    (void)state;
    char address[RESPONSE_LOCATION_MAX + 2];
    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    expect(arena_print(arena, "HTTP/1.1 201 Created\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                       address),
           201, "");
    assert_int_equal(response_location(&response).length, 0);
}

static void a_response_that_closes_says_so(void **state)
{
    (void)state;
    expect("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x");
    assert_false(response.keep_alive);
}

static void a_body_without_length_lasts_until_the_close(void **state)
{
    (void)state;
    size_t used;
    response_start(&response, &body);
    assert_int_equal(feed("HTTP/1.1 200 OK\r\n\r\nall of it", 4, &used), RESPONSE_MORE);
    assert_int_equal(response_closed(&response), RESPONSE_DONE);
    assert_false(response.keep_alive);
    assert_true(slice_is(buffer_slice(&body), "all of it"));
}

static void a_close_in_the_middle_is_broken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "H", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t used;
        response_start(&response, NULL);
        assert_int_equal(feed(texts[i], 100, &used), RESPONSE_MORE);
        assert_int_equal(response_closed(&response), RESPONSE_BROKEN);
    }
}

static void a_close_before_the_first_byte_is_broken(void **state)
{
    (void)state;
    response_start(&response, NULL);
    assert_int_equal(response_closed(&response), RESPONSE_BROKEN);
}

static void refuses_what_is_not_http(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t used;
        response_start(&response, NULL);
        assert_int_equal(feed(texts[i], 100, &used), RESPONSE_BROKEN);
        assert_int_equal(response_closed(&response), RESPONSE_BROKEN);
    }
}

static void counts_a_body_that_nobody_keeps(void **state)
{
    (void)state;
    size_t used;
    response_start(&response, NULL);
    assert_int_equal(feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 3, &used),
                     RESPONSE_DONE);
    assert_int_equal(response.body_length, 5);
}

static void the_next_response_of_a_connection_starts_clean(void **state)
{
    (void)state;
    expect("HTTP/1.1 201 Created\r\nLocation: /a/Patient/1\r\nConnection: close\r\n"
           "Content-Length: 1\r\n\r\nx",
           201, "x");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny", 200, "y");
    assert_true(response.keep_alive);
    assert_int_equal(response_location(&response).length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_a_body_of_stated_length, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(reads_a_chunked_body_with_extensions_and_trailers,
                                        open_arena, close_arena),
        cmocka_unit_test_setup_teardown(statuses_without_a_body_end_at_their_headers, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(interim_responses_are_passed_over, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(keeps_the_location_and_no_other_header, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(a_location_too_long_to_keep_is_none, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(a_response_that_closes_says_so, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_body_without_length_lasts_until_the_close, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(a_close_in_the_middle_is_broken, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_close_before_the_first_byte_is_broken, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_http, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(counts_a_body_that_nobody_keeps, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(the_next_response_of_a_connection_starts_clean, open_arena,
                                        close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
