/* SPDX-License-Identifier: MIT */
#include "testing.h"

static int released[8];
static int releases;

static void note_release(void *thing)
{
    released[releases++] = *(int *)thing;
}

static void gives_aligned_memory_of_any_size(void **state)
{
    for (size_t size = 0; size < 100000; size = size * 2 + 1) {
        char *at = arena_alloc(*state, size);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        memset(at, 0xA5, size);
    }
}

static void clears_what_it_promises_to_clear(void **state)
{
    struct arena_mark mark = arena_mark(*state);
    memset(arena_alloc(*state, 500), 0xFF, 500);
    arena_rewind(*state, mark);
    unsigned char *at = arena_zero(*state, 500);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(at[i], 0);
    }
}

static void stays_full_once_it_was_full(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1000);
    assert_non_null(arena_alloc(arena, 900));
    assert_false(arena_full(arena));
    assert_null(arena_alloc(arena, 200));
    assert_true(arena_full(arena));
    assert_null(arena_alloc(arena, 1));
    assert_null(arena_copy(arena, SLICE("x")).at);
    assert_string_equal(arena_print(arena, "%d", 1), "");
    arena_reset(arena, 1000);
    assert_false(arena_full(arena));
    assert_non_null(arena_alloc(arena, 200));
    arena_destroy(arena);
}

static void refuses_sizes_that_overflow(void **state)
{
    assert_null(arena_array(*state, SIZE_MAX / 2, 3));
    assert_true(arena_full(*state));
    arena_reset(*state, 0);
    assert_null(arena_alloc(*state, SIZE_MAX));
    arena_reset(*state, 0);
    assert_null(arena_alloc(*state, SIZE_MAX - 64));
}

static void raises_a_limit_but_never_lowers_it(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1000);
    arena_raise(arena, 100);
    assert_int_equal(arena_limit(arena), 1000);
    arena_raise(arena, 5000);
    assert_non_null(arena_alloc(arena, 4000));
    arena_destroy(arena);
}

static void grows_the_last_block_in_place(void **state)
{
    char *at = arena_alloc(*state, 10);
    memcpy(at, "123456789", 10);
    assert_ptr_equal(arena_resize(*state, at, 10, 1000), at);
    char *other = arena_alloc(*state, 10);
    char *moved = arena_resize(*state, at, 1000, 2000);
    assert_ptr_not_equal(moved, at);
    assert_string_equal(moved, "123456789");
    assert_non_null(other);
}

static void keeps_content_while_a_block_outgrows_chunks(void **state)
{
    size_t size = 8;
    unsigned char *at = arena_alloc(*state, size);
    memset(at, 7, size);
    while (size < (size_t)16 << 20) {
        at = arena_resize(*state, at, size, size * 3);
        assert_non_null(at);
        memset(at + size, 7, size * 2);
        size *= 3;
        assert_int_equal(at[0], 7);
        assert_int_equal(at[size / 2], 7);
        assert_int_equal(at[size - 1], 7);
    }
    size_t used = arena_used(*state);
    assert_ptr_equal(arena_resize(*state, at, size, 100), at);
    assert_true(arena_used(*state) < used);
}

static void leaves_the_old_block_when_growing_fails(void **state)
{
    (void)state;
    struct arena *arena = arena_create(100000);
    char *at = arena_alloc(arena, 64);
    memcpy(at, "still here", 11);
    assert_null(arena_resize(arena, at, 64, 200000));
    assert_string_equal(at, "still here");
    assert_true(arena_full(arena));
    arena_destroy(arena);
}

static void a_block_older_than_the_mark_does_not_move_under_it(void **state)
{
    /* A block alone in its chunk, then a mark, then growth: the chunk itself must stay put. */
    (void)arena_alloc(*state, 16000);
    size_t size = (size_t)2 << 20;
    char *at = arena_alloc(*state, size);
    at[0] = 'a';
    struct arena_mark mark = arena_mark(*state);
    char *grown = arena_resize(*state, at, size, size * 2);
    assert_ptr_not_equal(grown, at);
    arena_rewind(*state, mark);
    assert_int_equal(at[0], 'a');
    at[size - 1] = 'z';
    assert_non_null(arena_alloc(*state, size));
}

static void a_block_older_than_the_mark_does_not_grow_past_it(void **state)
{
    char *at = arena_alloc(*state, 16);
    memcpy(at, "kept", 5);
    struct arena_mark mark = arena_mark(*state);
    char *grown = arena_resize(*state, at, 16, 64);
    assert_ptr_not_equal(grown, at);
    assert_string_equal(grown, "kept");
    arena_rewind(*state, mark);
    assert_string_equal(at, "kept");
}

static void rewinds_to_a_mark_over_chunk_boundaries(void **state)
{
    char *kept = arena_copy(*state, SLICE("kept")).at == NULL ? NULL : arena_alloc(*state, 5);
    memcpy(kept, "kept", 5);
    size_t before = arena_used(*state);
    for (int i = 0; i < 50; i++) {
        struct arena_mark mark = arena_mark(*state);
        for (int j = 0; j < 20; j++) {
            memset(arena_alloc(*state, 5000), j, 5000);
        }
        arena_rewind(*state, mark);
        assert_int_equal(arena_used(*state), before);
    }
    assert_string_equal(kept, "kept");
}

static void releases_newest_first_at_rewind_and_at_the_end(void **state)
{
    (void)state;
    static int numbers[] = {0, 1, 2, 3};
    releases = 0;
    struct arena *arena = arena_create(100000);
    assert_int_equal(arena_defer(arena, note_release, &numbers[0]), STATUS_OK);
    struct arena_mark mark = arena_mark(arena);
    assert_int_equal(arena_defer(arena, note_release, &numbers[1]), STATUS_OK);
    assert_int_equal(arena_defer(arena, note_release, &numbers[2]), STATUS_OK);
    arena_rewind(arena, mark);
    assert_int_equal(releases, 2);
    assert_int_equal(released[0], 2);
    assert_int_equal(released[1], 1);
    assert_int_equal(arena_defer(arena, note_release, &numbers[3]), STATUS_OK);
    arena_destroy(arena);
    assert_int_equal(releases, 4);
    assert_int_equal(released[2], 3);
    assert_int_equal(released[3], 0);
}

static void releases_at_once_what_it_cannot_remember(void **state)
{
    static int number = 9;
    releases = 0;
    arena_fail(*state);
    assert_int_equal(arena_defer(*state, note_release, &number), STATUS_TOO_COSTLY);
    assert_int_equal(releases, 1);
}

static void counts_against_the_global_budget_and_gives_it_back(void **state)
{
    (void)state;
    size_t before = arena_budget_used();
    struct arena *arena = arena_create((size_t)64 << 20);
    struct arena *unbounded = arena_create(0);
    size_t with_first = arena_budget_used();
    assert_true(with_first > before);
    assert_non_null(arena_alloc(unbounded, (size_t)8 << 20));
    assert_int_equal(arena_budget_used(), with_first);
    void *at = arena_alloc(arena, (size_t)8 << 20);
    assert_true(arena_budget_used() >= before + ((size_t)8 << 20));
    assert_non_null(arena_resize(arena, at, (size_t)8 << 20, (size_t)12 << 20));
    assert_true(arena_budget_used() >= before + ((size_t)12 << 20));
    arena_budget_set(before + ((size_t)13 << 20));
    assert_null(arena_alloc(arena, (size_t)4 << 20));
    assert_true(arena_full(arena));
    arena_reset(arena, 1000);
    assert_int_equal(arena_budget_used(), with_first);
    arena_reset(arena, 0);
    assert_int_equal(arena_budget_used(), before);
    arena_reset(arena, 1000);
    arena_budget_set(1);
    assert_null(arena_create(1000));
    arena_budget_set((size_t)1 << 30);
    arena_destroy(arena);
    arena_destroy(unbounded);
    assert_int_equal(arena_budget_used(), before);
}

static void fails_the_allocation_that_a_test_names(void **state)
{
    arena_fail_after(3);
    assert_non_null(arena_alloc(*state, 8));
    assert_non_null(arena_alloc(*state, 8));
    assert_null(arena_alloc(*state, 8));
    assert_null(arena_alloc(*state, 8));
    arena_reset(*state, 0);
    assert_non_null(arena_alloc(*state, 8));
    arena_fail_after(1);
    arena_fail_after(0);
    assert_non_null(arena_alloc(*state, 8));
}

static void prints_short_and_long_texts(void **state)
{
    assert_string_equal(arena_print(*state, "%d-%s", 42, "x"), "42-x");
    const char *wide = arena_print(*state, "%1000d", 1);
    assert_int_equal(strlen(wide), 1000);
    struct slice copy = arena_copy(*state, SLICE("a\0b"));
    assert_int_equal(copy.length, 3);
    assert_int_equal(copy.at[3], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(gives_aligned_memory_of_any_size),
        TEST_IN_ARENA(clears_what_it_promises_to_clear),
        cmocka_unit_test(stays_full_once_it_was_full),
        TEST_IN_ARENA(refuses_sizes_that_overflow),
        cmocka_unit_test(raises_a_limit_but_never_lowers_it),
        TEST_IN_ARENA(grows_the_last_block_in_place),
        TEST_IN_ARENA(keeps_content_while_a_block_outgrows_chunks),
        cmocka_unit_test(leaves_the_old_block_when_growing_fails),
        TEST_IN_ARENA(a_block_older_than_the_mark_does_not_move_under_it),
        TEST_IN_ARENA(a_block_older_than_the_mark_does_not_grow_past_it),
        TEST_IN_ARENA(rewinds_to_a_mark_over_chunk_boundaries),
        cmocka_unit_test(releases_newest_first_at_rewind_and_at_the_end),
        TEST_IN_ARENA(releases_at_once_what_it_cannot_remember),
        cmocka_unit_test(counts_against_the_global_budget_and_gives_it_back),
        TEST_IN_ARENA(fails_the_allocation_that_a_test_names),
        TEST_IN_ARENA(prints_short_and_long_texts),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
