/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "testing.h"

static struct decimal read_decimal(const char *text)
{
    struct decimal value = {0};
    assert_true(decimal_parse(slice_text(text), &value));
    return value;
}

static void keeps_every_digit_that_was_written(void **state)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "0.00",
                                        "1.0",
                                        "1.10",
                                        "-12.340",
                                        "0.010",
                                        "100",
                                        "1E2",
                                        "-5E-40",
                                        "123456789012345678901234567890123456",
                                        "0.000000000000000000000000000000000001",
                                        "-99999999999999999999999999999999.9999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buffer out = {.arena = *state};
        decimal_write(read_decimal(texts[i]), &out);
        assert_buffer_is(&out, strcmp(texts[i], "-0") == 0 ? "0" : texts[i]);
    }
    assert_int_equal(read_decimal("0.010").scale, 3);
    assert_int_equal(read_decimal("1.5e3").scale, -2);
}

static void refuses_what_is_no_json_number(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "-",
                                        "+1",
                                        "01",
                                        "-01",
                                        ".5",
                                        "5.",
                                        "1e",
                                        "1e+",
                                        "1.e1",
                                        "1 ",
                                        " 1",
                                        "0x10",
                                        "1_000",
                                        "NaN",
                                        "Infinity",
                                        "1e401",
                                        "1e-401",
                                        "0.72224e-400",
                                        "1,5",
                                        "--1",
                                        "1.2.3",
                                        "1234567890123456789012345678901234567",
                                        "1e99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct decimal value;
        assert_false(decimal_parse(slice_text(wrong[i]), &value));
    }
}

static void knows_numbers_of_json_of_any_size(void **state)
{
    (void)state;
    static const char *const right[] = {
        "0",   "-0",    "10",     "0.0",   "-1.50",
        "1e5", "1E+05", "1.5e-3", "1e401", "1234567890123456789012345678901234567890"};
    static const char *const wrong[] = {"",   "-",   "+1",  "01",    "-01",  ".5", "5.",
                                        "1e", "1e+", "1e.", "1.e1",  "1.-1", "1 ", " 1",
                                        "-a", "1a",  "--1", "1.2.3", "NaN"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(decimal_is_json(slice_text(right[i])));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(decimal_is_json(slice_text(wrong[i])));
    }
}

static void orders_by_value_not_by_writing(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {{"1.0", "1.00", 0},
                {"0", "-0.000", 0},
                {"0", "0e5", 0},
                {"1e2", "100.0", 0},
                {"1.1", "1.09", 1},
                {"-1.1", "-1.09", -1},
                {"-1", "1", -1},
                {"0", "1e-400", -1},
                {"1e400", "999999999999999999999999999999999999", 1},
                {"1e-400", "1e-399", -1},
                {"100000000000000000000000000000000001", "1e35", 1},
                {"0.1", "1", -1},
                {"-1e400", "1e-400", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal a = read_decimal(rows[i].a), b = read_decimal(rows[i].b);
        assert_int_equal(decimal_compare(a, b), rows[i].order);
        assert_int_equal(decimal_compare(b, a), -rows[i].order);
    }
}

static void gives_the_range_that_a_search_value_means(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"100", "99.5", "100.5"},           {"100.00", "99.995", "100.005"}, {"1e2", "95", "105"},
        {"1.00e2", "99.5", "100.5"},        {"-5.4", "-5.45", "-5.35"},      {"0", "-0.5", "0.5"},
        {"5.40e-3", "0.005395", "0.005405"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal low, high;
        assert_true(decimal_range(read_decimal(rows[i][0]), &low, &high));
        assert_int_equal(decimal_compare(low, read_decimal(rows[i][1])), 0);
        assert_int_equal(decimal_compare(high, read_decimal(rows[i][2])), 0);
    }
    struct decimal most = {((__int128)INT64_MAX << 63), 0}, low, high;
    assert_false(decimal_range(most, &low, &high));
}

static void rounds_to_the_nearest_double(void **state)
{
    (void)state;
    static const char *const texts[] = {"0.00000000000000000000001",
                                        "0.0000000000000000000001",
                                        "0.1",
                                        "123.456",
                                        "1e22",
                                        "1e23",
                                        "5e-324",
                                        "1e308",
                                        "-0.3",
                                        "9007199254740993",
                                        "2.2250738585072014e-308",
                                        "123456789012345678901234567890.123456"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_true(decimal_double(read_decimal(texts[i])) == strtod(texts[i], NULL));
    }
}

static void agrees_with_doubles_on_random_pairs(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 11, 0);
    for (int i = 0; i < 20000; i++) {
        char text[2][40];
        struct decimal value[2];
        double real[2];
        for (int k = 0; k < 2; k++) {
            (void)snprintf(
                text[k], sizeof text[k], "%lld.%0*llu", (long long)random_below(&random, 20) - 10,
                (int)random_below(&random, 4) + 1, (unsigned long long)random_below(&random, 10));
            value[k] = read_decimal(text[k]);
            real[k] = strtod(text[k], NULL);
        }
        int wanted = (real[0] > real[1]) - (real[0] < real[1]);
        assert_int_equal(decimal_compare(value[0], value[1]), wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(keeps_every_digit_that_was_written),
        cmocka_unit_test(refuses_what_is_no_json_number),
        cmocka_unit_test(knows_numbers_of_json_of_any_size),
        cmocka_unit_test(orders_by_value_not_by_writing),
        cmocka_unit_test(gives_the_range_that_a_search_value_means),
        cmocka_unit_test(rounds_to_the_nearest_double),
        cmocka_unit_test(agrees_with_doubles_on_random_pairs),
    };
    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
