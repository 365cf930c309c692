/* SPDX-License-Identifier: MIT */
#include "testing.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct random a, b, c;
    random_seed(&a, 42, 7);
    random_seed(&b, 42, 7);
    random_seed(&c, 42, 8);
    uint64_t same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t number = random_next(&a);
        assert_true(number == random_next(&b));
        same += number == random_next(&c);
    }
    assert_int_equal(same, 0);
}

static void the_generator_is_xoshiro256_starstar(void **state)
{
    (void)state;
    /* By hand from the published recurrence, state 1, 2, 3, 4. */
    struct random random = {{1, 2, 3, 4}};
    assert_int_equal(random_next(&random), 11520);
    assert_int_equal(random_next(&random), 0);
    assert_int_equal(random_next(&random), 1509978240);
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    struct random random;
    unsigned counts[7] = {0};
    random_seed(&random, 1, 1);
    for (int i = 0; i < 70000; i++) {
        uint64_t number = random_below(&random, 7);
        assert_true(number < 7);
        counts[number]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9600, 10400);
    }
    assert_int_equal(random_below(&random, 1), 0);
    assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
}

static void units_and_normals_have_their_moments(void **state)
{
    (void)state;
    struct random random;
    double sum = 0, unit_sum = 0, squares = 0, fourths = 0;
    const int count = 200000;
    random_seed(&random, 3, 0);
    for (int i = 0; i < count; i++) {
        double unit = random_unit(&random), normal = random_normal(&random);
        assert_true(unit >= 0 && unit < 1);
        unit_sum += unit;
        sum += normal;
        squares += normal * normal;
        fourths += normal * normal * normal * normal;
    }
    assert_true(unit_sum / count > 0.497 && unit_sum / count < 0.503);
    assert_true(sum / count > -0.01 && sum / count < 0.01);
    assert_true(squares / count > 0.985 && squares / count < 1.015);
    assert_true(fourths / count > 2.9 && fourths / count < 3.1);
}

static void uuids_are_version_seven_ordered_and_different(void **state)
{
    (void)state;
    char before[UUID_LENGTH + 1] = "", text[UUID_LENGTH + 1];
    for (int i = 0; i < 1000; i++) {
        random_uuid(text);
        assert_int_equal(strlen(text), UUID_LENGTH);
        assert_int_equal(strspn(text, "0123456789abcdef-"), UUID_LENGTH);
        assert_true(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
        assert_int_equal(text[14], '7');
        assert_non_null(strchr("89ab", text[19]));
        assert_true(strcmp(before, text) != 0);
        assert_true(strncmp(before, text, 13) <= 0);
        memcpy(before, text, sizeof text);
    }
}

static void bytes_from_the_system_differ(void **state)
{
    (void)state;
    uint8_t a[64] = {0}, b[64] = {0};
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    random_bytes(a, 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(units_and_normals_have_their_moments),
        cmocka_unit_test(uuids_are_version_seven_ordered_and_different),
        cmocka_unit_test(bytes_from_the_system_differ),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
