/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <math.h>
#include <stddef.h>

static size_t bucket_of(uint64_t value)
{
    if (value < (UINT64_C(1) << HISTOGRAM_BITS)) {
        return (size_t)value;
    }
    unsigned shift = 64 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
    /* value >> shift has its top bit set, so it lies in [HALF, 2 * HALF). */
    return (size_t)(shift * HISTOGRAM_HALF + (value >> shift));
}

/* The largest value that falls into a bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < (size_t)1 << HISTOGRAM_BITS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / HISTOGRAM_HALF) - 1;
    uint64_t lead = bucket % HISTOGRAM_HALF + HISTOGRAM_HALF;
    return ((lead + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    histogram->sum += value;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->counts[i] += from->counts[i];
    }
    histogram->total += from->total;
    histogram->sum += from->sum;
    if (from->max > histogram->max) {
        histogram->max = from->max;
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, double fraction)
{
    if (histogram->total == 0) {
        return 0;
    }
    double wanted = ceil(fraction * (double)histogram->total);
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t end = bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->total == 0 ? 0 : (double)histogram->sum / (double)histogram->total;
}
