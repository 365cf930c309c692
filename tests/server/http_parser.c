/* SPDX-License-Identifier: MIT */
/* The parser without sockets: what it reads does not depend on where the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/parse.h"

struct seen {
    struct arena *arena;
    struct buffer text; /* everything that was told, in order */
};

static struct arena *on_begin(void *context)
{
    struct seen *seen = context;
    return seen->arena;
}

static bool on_head(void *context, const struct head *head, struct failure *failure)
{
    struct seen *seen = context;
    (void)failure;
    buffer_print(&seen->text, "[%d %.*s|%.*s|%.*s", (int)head->method, SLICE_ARGS(head->path),
                 SLICE_ARGS(head->query), SLICE_ARGS(head->authority));
    for (size_t i = 0; i < head->header_count; i++) {
        buffer_print(&seen->text, "|%.*s=%.*s", SLICE_ARGS(head->headers[i].name),
                     SLICE_ARGS(head->headers[i].value));
    }
    buffer_add_text(&seen->text, head->keep_alive ? "|keep]" : "|close]");
    return true;
}

static bool on_body(void *context, struct slice piece, struct failure *failure)
{
    struct seen *seen = context;
    (void)failure;
    buffer_add(&seen->text, piece);
    return true;
}

static const struct parser_events events = {on_begin, on_head, on_body};

/* Feeds TEXT in pieces of random length (0: whole) and tells what was seen. */
static const char *read_cut(const char *text, struct random *random, struct arena *arena)
{
    struct seen seen = {.arena = arena, .text = {.arena = arena}};
    struct parser parser;
    struct slice rest = slice_text(text);
    parser_init(&parser, &events, &seen, 4096);
    while (rest.length > 0) {
        size_t cut = random == NULL ? rest.length : 1 + random_below(random, 9);
        struct slice piece = slice_head(rest, cut);
        /* An exact copy, so that a read past it is seen. */
        char *copy = malloc(piece.length);
        assert_non_null(copy);
        memcpy(copy, piece.at, piece.length);
        size_t taken = 0;
        enum parse_result result = parser_feed(&parser, slice_of(copy, piece.length), &taken);
        free(copy);
        assert_true(taken <= piece.length);
        rest = slice_from(rest, taken);
        if (result == PARSE_DONE) {
            buffer_add_text(&seen.text, "[end]");
            parser_next(&parser);
        } else if (result == PARSE_FAILED) {
            buffer_print(&seen.text, "[failed %d]", parser.failure.http);
            break;
        } else {
            assert_int_equal(taken, piece.length);
        }
    }
    buffer_add_byte(&seen.text, '\0');
    return seen.text.at;
}

static void reads_the_same_wherever_the_bytes_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text, *seen;
    } cases[] = {
        {"GET /a?b=c HTTP/1.1\r\nHost: h\r\nX:\t y z \r\nEmpty:\r\n\r\n",
         "[0 /a|b=c|h|Host=h|X=y z|Empty=|keep][end]"},
        {"\r\n\r\nPOST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd"
         "GET / HTTP/1.0\r\n\r\n",
         "[2 /p||h|Host=h|Content-Length=4|keep]abcd[end][0 /|||close][end]"},
        {"PUT /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
         "DELETE /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         "[3 /p||h|Host=h|Transfer-Encoding=chunked|keep]abc0123456789[end]"
         "[5 /d||h|Host=h|Connection=close|close][end]"},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\nSEARCH /x HTTP/1.1\r\nHost: h\r\n\r\n",
         "[6 *||h|Host=h|keep][end][7 /x||h|Host=h|keep][end]"},
        {"GET http://o:1?q HTTP/1.1\r\nHost: h\r\n\r\n", "[0 /|q|o:1|Host=h|keep][end]"},
        {"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "[failed 400]"},
        {"GET / RTSP/1.0\r\nHost: h\r\n\r\n", "[failed 400]"},
        {"GET / HTTP/1.1\nHost: h\n\n", "[failed 400]"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab0\r\n\r\n",
         "[2 /||h|Host=h|Transfer-Encoding=chunked|keep]ab[failed 400]"},
    };
    struct random random;
    random_seed(&random, 1, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int cut = 0; cut < 200; cut++) {
            struct arena *arena = arena_create((size_t)1 << 20);
            const char *seen = read_cut(cases[i].text, cut == 0 ? NULL : &random, arena);
            assert_string_equal(seen, cases[i].seen);
            arena_destroy(arena);
        }
    }
}

static void says_503_when_no_memory_is_left_for_a_head(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth < 4; nth++) {
        struct arena *arena = arena_create((size_t)1 << 20);
        struct arena *own = arena_create((size_t)1 << 20);
        struct seen seen = {.arena = arena, .text = {.arena = own}};
        struct parser parser;
        size_t taken = 0;
        parser_init(&parser, &events, &seen, 4096);
        arena_fail_after(nth);
        enum parse_result result =
            parser_feed(&parser, SLICE("GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"), &taken);
        arena_fail_after(0);
        if (result == PARSE_FAILED) {
            assert_int_equal(parser.failure.http, 503);
        } else {
            assert_true(nth > 1);
        }
        arena_destroy(own);
        arena_destroy(arena);
    }
}

static void knows_safe_hosts(void **state)
{
    (void)state;
    static const char *const safe[] = {"localhost", "a.b-c_d:80", "127.0.0.1:65535",
                                       "[::1]",     "[::1]:8080", "h:0"};
    static const char *const unsafe[] = {
        "",     "a b", "a/b",    "a@b",  "a:",  "a:b",      "a:65536",
        "[::1", "[]",  "[::1]x", "a\tb", ":80", "\xc3\xa9", "a:1:2"};
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
        assert_true(authority_is_safe(slice_text(safe[i])));
    }
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
        if (authority_is_safe(slice_text(unsafe[i]))) {
            fail_msg("%s is taken for a host", unsafe[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_same_wherever_the_bytes_are_cut),
        cmocka_unit_test(says_503_when_no_memory_is_left_for_a_head),
        cmocka_unit_test(knows_safe_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
