/* SPDX-License-Identifier: MIT */
/* What unit tests share: cmocka with the headers it forgets, and an arena a test. */
#ifndef CARELAYER_TESTS_TESTING_H
#define CARELAYER_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

/* For cmocka_unit_test_setup_teardown: *state is an arena of 64 MiB. */
static inline int make_arena(void **state)
{
    *state = arena_create((size_t)64 << 20);
    return *state == NULL;
}

static inline int drop_arena(void **state)
{
    arena_destroy(*state);
    return 0;
}

#define TEST_IN_ARENA(test) cmocka_unit_test_setup_teardown(test, make_arena, drop_arena)

static inline void assert_slice_is(struct slice s, const char *text)
{
    if (!slice_is(s, text)) {
        fail_msg("got \"%.*s\", wanted \"%s\"", (int)s.length, s.at != NULL ? s.at : "",
                 text != NULL ? text : "");
    }
}

/* The buffer's content is whole and reads TEXT. */
static inline void assert_buffer_is(const struct buffer *buffer, const char *text)
{
    assert_true(buffer_ok(buffer));
    assert_slice_is(buffer_slice(buffer), text);
}

#endif
