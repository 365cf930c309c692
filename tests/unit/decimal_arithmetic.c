/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "testing.h"

static struct decimal read_decimal(const char *text)
{
    struct decimal value = {0};
    if (!decimal_parse(slice_text(text), &value)) {
        fail_msg("\"%s\" is no decimal", text);
    }
    return value;
}

/* WANTED NULL: no result. Compares as written, so that the scale counts. */
static void assert_decimal(struct arena *arena, bool done, struct decimal value, const char *wanted)
{
    assert_int_equal(done, wanted != NULL);
    if (done) {
        struct buffer out = {.arena = arena};
        decimal_write(value, &out);
        assert_buffer_is(&out, wanted);
    }
}

#define NINES "999999999999999999999999999999999999" /* 36 of them */

static void adds_exactly_and_keeps_the_larger_scale(void **state)
{
    static const char *const rows[][3] = {
        {"1.0", "0.25", "1.25"},
        {"0.1", "0.2", "0.3"},
        {"1.50", "-1.5", "0.00"},
        {"-3", "1.75", "-1.25"},
        {"1E2", "1", "101"},
        {"0", "1E5", "100000"},
        {"1E30", "0.00001", "1000000000000000000000000000000.00001"},
        /* More than 36 digits: rounded, half to even, and ties told from no ties. */
        {NINES, "1", "1.00000000000000000000000000000000000E36"},
        {NINES, "0.5", "1.00000000000000000000000000000000000E36"},
        {"100000000000000000000000000000000000", "0.5", "100000000000000000000000000000000000"},
        {"100000000000000000000000000000000001", "0.5", "100000000000000000000000000000000002"},
        {"100000000000000000000000000000000000", "0.5000001",
         "100000000000000000000000000000000001"},
        {"100000000000000000000000000000000000", "-0.5", "99999999999999999999999999999999999.5"},
        {"1E300", "-1E-300", "1.00000000000000000000000000000000000E300"},
        {"1E399", "9E399", "10E399"},
        {NINES "E400", NINES "E400", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal sum = {0}, back = {0};
        struct decimal a = read_decimal(rows[i][0]), b = read_decimal(rows[i][1]);
        bool done = decimal_add(a, b, &sum);
        /* Rounded ones are compared by value. */
        if (done && strchr(rows[i][2], 'E') != NULL) {
            assert_int_equal(decimal_compare(sum, read_decimal(rows[i][2])), 0);
        } else {
            assert_decimal(*state, done, sum, rows[i][2]);
        }
        assert_int_equal(decimal_add(b, a, &back), done);
        assert_int_equal(decimal_compare(sum, back), 0);
    }
    struct decimal difference = {0};
    assert_true(decimal_subtract(read_decimal("10.00"), read_decimal("0.001"), &difference));
    assert_decimal(*state, true, difference, "9.999");
}

static void multiplies_exactly_or_to_thirty_six_digits(void **state)
{
    static const char *const rows[][3] = {
        {"1.5", "2.0", "3.00"},
        {"-0.10", "0.1", "-0.010"},
        {"0", "-7.25", "0.00"},
        {"1E10", "1E10", "1E20"},
        {"111111111111111111", "111111111111111111", "12345679012345678987654320987654321"},
        {"1.00000000000000000000000000000000000", "1.00000000000000000000000000000000000",
         "1.00000000000000000000000000000000000"},
        {NINES, NINES, "999999999999999999999999999999999998E36"},
        {"1.23456789012345678901", "1.2345678901234567890",
         "1.52415787532388367503139767765142509"},
        {"1E-300", "1E-300", "0E-400"},
        {"5E-1", "1E-400", "0E-400"},
        {"6E-1", "1E-400", "1E-400"},
        {"1E300", "1E300", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal product = {0};
        bool done = decimal_multiply(read_decimal(rows[i][0]), read_decimal(rows[i][1]), &product);
        assert_decimal(*state, done, product, rows[i][2]);
    }
}

static void divides_to_the_digits_asked_for(void **state)
{
    static const struct {
        const char *a, *b;
        int digits;
        enum decimal_rounding rounding;
        const char *wanted;
    } rows[] = {{"7.0", "2", 36, DECIMAL_HALF_EVEN, "3.5"},
                {"6.0", "2", 36, DECIMAL_HALF_EVEN, "3.0"},
                {"60", "2.0", 36, DECIMAL_HALF_EVEN, "30"},
                {"1", "8", 36, DECIMAL_HALF_EVEN, "0.125"},
                {"1", "3", 8, DECIMAL_HALF_EVEN, "0.33333333"},
                {"2", "3", 8, DECIMAL_HALF_EVEN, "0.66666667"},
                {"2", "3", 8, DECIMAL_TRUNCATE, "0.66666666"},
                {"-2", "3", 3, DECIMAL_FLOOR, "-0.667"},
                {"-2", "3", 3, DECIMAL_CEILING, "-0.666"},
                {"2", "3", 3, DECIMAL_CEILING, "0.667"},
                {"1", "8", 2, DECIMAL_HALF_EVEN, "0.12"},
                {"1", "8", 2, DECIMAL_HALF_UP, "0.13"},
                {"-1", "8", 2, DECIMAL_HALF_UP, "-0.13"},
                {"12345", "1", 2, DECIMAL_HALF_EVEN, "12E3"},
                {"999", "1000", 2, DECIMAL_HALF_EVEN, "1.0"},
                {"1", "3", 36, DECIMAL_HALF_EVEN, "0.333333333333333333333333333333333333"},
                {"1", NINES, 36, DECIMAL_TRUNCATE, "100000000000000000000000000000000000E-71"},
                {NINES, "3", 36, DECIMAL_HALF_EVEN, "333333333333333333333333333333333333"},
                {"0", "5", 36, DECIMAL_HALF_EVEN, "0"},
                {"1", "0.00", 36, DECIMAL_HALF_EVEN, NULL},
                {"1E300", "1E-300", 36, DECIMAL_HALF_EVEN, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal quotient = {0};
        bool done = decimal_divide(read_decimal(rows[i].a), read_decimal(rows[i].b), rows[i].digits,
                                   rows[i].rounding, &quotient);
        assert_decimal(*state, done, quotient, rows[i].wanted);
    }
}

static void divides_into_a_whole_and_a_remainder(void **state)
{
    static const char *const rows[][4] = {
        {"7", "2", "3", "1"},         {"7", "-2", "-3", "1"},     {"-7", "2", "-3", "-1"},
        {"5.5", "0.7", "7", "0.6"},   {"1.25", "1", "1", "0.25"}, {"1", "0.25", "4", "0.00"},
        {"0", "0.001", "0", "0.000"}, {"1", "1E300", "0", "1"},   {"2.2", "1.8", "1", "0.4"},
        {"1E300", "7", NULL, NULL},   {"1", "0", NULL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal quotient = {0}, remainder = {0};
        bool done = decimal_divide_whole(read_decimal(rows[i][0]), read_decimal(rows[i][1]),
                                         &quotient, &remainder);
        assert_decimal(*state, done, quotient, rows[i][2]);
        if (done) {
            assert_decimal(*state, done, remainder, rows[i][3]);
        }
    }
}

static void rounds_to_a_scale(void **state)
{
    static const struct {
        const char *value;
        int32_t scale;
        enum decimal_rounding rounding;
        const char *wanted;
    } rows[] = {{"2.5", 0, DECIMAL_HALF_EVEN, "2"},     {"3.5", 0, DECIMAL_HALF_EVEN, "4"},
                {"2.51", 0, DECIMAL_HALF_EVEN, "3"},    {"2.5", 0, DECIMAL_HALF_UP, "3"},
                {"-2.5", 0, DECIMAL_HALF_UP, "-3"},     {"-2.1", 0, DECIMAL_FLOOR, "-3"},
                {"-2.9", 0, DECIMAL_CEILING, "-2"},     {"2.01", 0, DECIMAL_CEILING, "3"},
                {"2.00", 0, DECIMAL_CEILING, "2"},      {"2.99", 0, DECIMAL_TRUNCATE, "2"},
                {"9.99", 1, DECIMAL_HALF_EVEN, "10.0"}, {"1.5", 3, DECIMAL_HALF_EVEN, "1.500"},
                {"149", -2, DECIMAL_HALF_EVEN, "1E2"},  {"1E-60", 2, DECIMAL_HALF_EVEN, "0.00"},
                {"1E-60", 2, DECIMAL_CEILING, "0.01"},  {NINES, 1, DECIMAL_HALF_EVEN, NULL},
                {"0", 400, DECIMAL_HALF_EVEN, "0E-400"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal rounded = {0};
        bool done =
            decimal_round(read_decimal(rows[i].value), rows[i].scale, rows[i].rounding, &rounded);
        assert_decimal(*state, done, rounded, rows[i].wanted);
    }
}

static void raises_to_a_whole_power(void **state)
{
    static const struct {
        const char *base;
        int exponent;
        const char *wanted;
    } rows[] = {{"2", 10, "1024"}, {"1.1", 2, "1.21"}, {"2", -3, "0.125"},
                {"-3", 3, "-27"},  {"7", 0, "1"},      {"0", 0, "1"},
                {"0", -1, NULL},   {"10", 401, "ok"},  {"10", 500, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal power = {0};
        bool done = decimal_power(read_decimal(rows[i].base), rows[i].exponent, &power);
        if (rows[i].wanted != NULL && strcmp(rows[i].wanted, "ok") == 0) {
            assert_true(done);
        } else {
            assert_decimal(*state, done, power, rows[i].wanted);
        }
    }
}

static void comes_from_and_goes_to_other_numbers(void **state)
{
    struct decimal value = {0};
    int64_t whole = 0;
    assert_decimal(*state, decimal_from_double(0.1, 15, &value), value, "0.1");
    assert_decimal(*state, decimal_from_double(-2.5e10, 15, &value), value, "-25000000000");
    assert_false(decimal_from_double(NAN, 15, &value));
    assert_false(decimal_from_double(-INFINITY, 15, &value));
    assert_decimal(*state, true, decimal_from_integer(INT64_MIN), "-9223372036854775808");
    assert_decimal(*state, true, decimal_normalise(read_decimal("1.500")), "1.5");
    assert_decimal(*state, true, decimal_normalise(read_decimal("1E2")), "100");
    assert_decimal(*state, true, decimal_normalise(read_decimal("0.00")), "0");
    assert_true(decimal_to_integer(read_decimal("3.00"), &whole));
    assert_int_equal(whole, 3);
    assert_false(decimal_to_integer(read_decimal("3.01"), &whole));
    assert_false(decimal_to_integer(read_decimal("9223372036854775808"), &whole));
    assert_int_equal(decimal_sign(read_decimal("-0.00")), 0);
    assert_int_equal(decimal_sign(read_decimal("-0.01")), -1);
}

static struct decimal random_decimal(struct random *random)
{
    int bits = (int)random_below(random, 119);
    __int128 coefficient = (__int128)((unsigned __int128)random_below(random, UINT64_MAX) << 64 |
                                      random_below(random, UINT64_MAX)) &
                           (((__int128)1 << bits) - 1);
    return (struct decimal){random_below(random, 2) == 0 ? coefficient : -coefficient,
                            (int32_t)random_below(random, 60) - 30};
}

/* a = quotient x b + rest, and (a + b) - b is a, where everything fits. */
static void keeps_the_laws_of_arithmetic_on_random_numbers(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 23, 0);
    for (int i = 0; i < 20000; i++) {
        struct decimal a = random_decimal(&random), b = random_decimal(&random);
        struct decimal sum, back, quotient, rest, product;
        assert_true(decimal_add(a, b, &sum) && decimal_subtract(sum, b, &back));
        if (decimal_sign(a) != 0 && decimal_compare(back, a) != 0) {
            /* Rounded, then: by less than the last of 36 digits of the larger one. */
            double size = fmax(fabs(decimal_double(a)), fabs(decimal_double(b)));
            assert_true(fabs(decimal_double(back) - decimal_double(a)) <= size * 1e-15);
        }
        if (decimal_divide_whole(a, b, &quotient, &rest)) {
            assert_true(decimal_multiply(quotient, b, &product));
            assert_true(decimal_add(product, rest, &sum));
            double wrong = fabs(decimal_double(sum) - decimal_double(a));
            assert_true(wrong <= fabs(decimal_double(a)) * 1e-15);
        }
        if (decimal_sign(b) != 0) {
            assert_true(decimal_divide(a, b, 36, DECIMAL_HALF_EVEN, &quotient));
            double wanted = decimal_double(a) / decimal_double(b);
            assert_true(fabs(decimal_double(quotient) - wanted) <= fabs(wanted) * 1e-14);
        }
        assert_true(decimal_multiply(a, b, &product));
        double wanted = decimal_double(a) * decimal_double(b);
        assert_true(fabs(decimal_double(product) - wanted) <= fabs(wanted) * 1e-14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(adds_exactly_and_keeps_the_larger_scale),
        TEST_IN_ARENA(multiplies_exactly_or_to_thirty_six_digits),
        TEST_IN_ARENA(divides_to_the_digits_asked_for),
        TEST_IN_ARENA(divides_into_a_whole_and_a_remainder),
        TEST_IN_ARENA(rounds_to_a_scale),
        TEST_IN_ARENA(raises_to_a_whole_power),
        TEST_IN_ARENA(comes_from_and_goes_to_other_numbers),
        cmocka_unit_test(keeps_the_laws_of_arithmetic_on_random_numbers),
    };
    return cmocka_run_group_tests_name("decimal_arithmetic", tests, NULL, NULL);
}
