/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "histogram.h"

static struct histogram histogram, other;

static int empty_both(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    memset(&other, 0, sizeof other);
    return 0;
}

static void an_empty_histogram_answers_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_percentile(&histogram, 0.5), 0);
    assert_int_equal(histogram_percentile(&histogram, 1), 0);
    assert_true(histogram_mean(&histogram) == 0);
}

static void small_values_are_exact_by_nearest_rank(void **state)
{
    (void)state;
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_record(&histogram, value);
    }
    assert_int_equal(histogram_percentile(&histogram, 0), 1);
    assert_int_equal(histogram_percentile(&histogram, 0.50), 50);
    assert_int_equal(histogram_percentile(&histogram, 0.99), 99);
    assert_int_equal(histogram_percentile(&histogram, 0.991), 100);
    assert_int_equal(histogram_percentile(&histogram, 1), 100);
    assert_true(histogram_mean(&histogram) == 50.5);
}

static void one_value_is_every_percentile_exactly(void **state)
{
    (void)state;
    histogram_record(&histogram, 1234567);
    assert_int_equal(histogram_percentile(&histogram, 0.01), 1234567);
    assert_int_equal(histogram_percentile(&histogram, 0.99), 1234567);
    assert_int_equal(histogram.max, 1234567);
}

static int by_size(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Never below the true percentile, and at most one part in 128 above it, over the whole range. */
static void percentiles_lie_within_a_bucket_of_the_sorted_truth(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    struct random random;
    random_seed(&random, 7, 0);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = random_next(&random) >> random_below(&random, 64);
        histogram_record(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof *values, by_size);
    static const double fractions[] = {0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        double rank = fractions[i] * (double)COUNT;
        size_t index = (size_t)rank + ((double)(size_t)rank < rank) - 1;
        uint64_t truth = values[index];
        uint64_t answer = histogram_percentile(&histogram, fractions[i]);
        assert_true(answer >= truth);
        assert_true(answer - truth <= truth / HISTOGRAM_HALF);
    }
}

static void the_largest_and_smallest_numbers_have_a_bucket(void **state)
{
    (void)state;
    histogram_record(&histogram, 0);
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram_percentile(&histogram, 0.5), 0);
    assert_true(histogram_percentile(&histogram, 1) == UINT64_MAX);
}

static void every_power_of_two_is_within_its_bucket(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        memset(&histogram, 0, sizeof histogram);
        uint64_t value = UINT64_C(1) << bit;
        histogram_record(&histogram, value);
        histogram_record(&histogram, UINT64_MAX); /* so that the maximum does not cut the answer */
        uint64_t answer = histogram_percentile(&histogram, 0.5);
        assert_true(answer >= value && answer - value <= value / HISTOGRAM_HALF);
    }
}

static void two_histograms_add_up_to_the_one_that_saw_everything(void **state)
{
    (void)state;
    static struct histogram whole;
    for (uint64_t value = 1; value < 5000; value++) {
        histogram_record(value % 3 == 0 ? &histogram : &other, value * value);
        histogram_record(&whole, value * value);
    }
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &whole, sizeof whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_histogram_answers_zero, empty_both),
        cmocka_unit_test_setup(small_values_are_exact_by_nearest_rank, empty_both),
        cmocka_unit_test_setup(one_value_is_every_percentile_exactly, empty_both),
        cmocka_unit_test_setup(percentiles_lie_within_a_bucket_of_the_sorted_truth, empty_both),
        cmocka_unit_test_setup(the_largest_and_smallest_numbers_have_a_bucket, empty_both),
        cmocka_unit_test_setup(every_power_of_two_is_within_its_bucket, empty_both),
        cmocka_unit_test_setup(two_histograms_add_up_to_the_one_that_saw_everything, empty_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
