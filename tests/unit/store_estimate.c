/* SPDX-License-Identifier: MIT */
/* Totals: exact, or estimated in bounded time (R4 search, "_total"). */
#include "find_test.h"

#define PEOPLE 900

static void put_many(void)
{
    for (int i = 0; i < PEOPLE; i++) {
        for (int j = 0; j < 5; j++) {
            must_put(arena_print(arena,
                                 "{'resourceType':'Observation','id':'o%d-%d','status':'%s',"
                                 "'subject':{'reference':'Patient/p%d'}}",
                                 i, j, i % 4 == 0 ? "amended" : "final", i));
            arena_reset(arena, (size_t)16 << 20);
        }
    }
}

static uint64_t total(struct store_query *query, bool estimate)
{
    query->total = true;
    query->estimate = estimate;
    query->count = 3;
    assert_int_equal(try_find(query), STATUS_OK);
    assert_int_equal(page.count, 3);
    assert_true(page.more);
    return page.total;
}

static void an_estimate_of_few_is_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        must_put(arena_print(arena, "{'resourceType':'Basic','id':'%d'}", i));
    }
    assert_int_equal(total(query_of("Basic", NULL), true), 20);
    struct store_sort sort = {.parameter = parameter_named("Basic", "_id")};
    struct store_query *query = query_of("Basic", NULL);
    query->sorts = &sort;
    query->sort_count = 1;
    assert_int_equal(total(query, true), 20);
    assert_int_equal(total(query, false), 20);
}

static void an_estimate_of_many_is_near_and_always_the_same(void **state)
{
    (void)state;
    put_many();
    struct store_query *all = query_of("Observation", NULL);
    assert_int_equal(total(all, false), PEOPLE * 5);
    uint64_t guess = total(all, true);
    assert_in_range(guess, PEOPLE * 5 * 8 / 10, PEOPLE * 5 * 12 / 10);
    assert_int_equal(total(all, true), guess);
    struct store_clause *clause = code_is("Observation", "status", "final");
    clause->modifier = STORE_NOT;
    struct store_query *rest = query_of("Observation", clause);
    assert_int_equal(total(rest, false), PEOPLE / 4 * 5);
    assert_in_range(total(rest, true), PEOPLE / 4 * 5 / 2, PEOPLE / 4 * 5 * 2);
    /* Of one patient nothing is guessed. */
    struct store_query one = {
        .type = type_named("Observation"), .has_patient = true, .patient = SLICE("p8")};
    assert_int_equal(total(&one, true), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_estimate_of_few_is_exact),
        STORE_TEST(an_estimate_of_many_is_near_and_always_the_same),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
