/* SPDX-License-Identifier: MIT */
/* A histogram of latencies in microseconds: counts in buckets whose width is at most 1/128 of
 * their value, so that a percentile is never more than 0.8 % above the true one, at any range, in
 * 58 kB. Recording is a few instructions; two histograms add up exactly. */
#ifndef CARELAYER_BENCH_HISTOGRAM_H
#define CARELAYER_BENCH_HISTOGRAM_H

#include <stdint.h>

/* Values below 2^HISTOGRAM_BITS have a bucket each; every doubling above has half as many. */
#define HISTOGRAM_BITS    8
#define HISTOGRAM_HALF    (1 << (HISTOGRAM_BITS - 1))
#define HISTOGRAM_BUCKETS (HISTOGRAM_HALF * (64 - HISTOGRAM_BITS + 2))

/* Zero-initialised is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t sum;
    uint64_t max;
};

void histogram_record(struct histogram *histogram, uint64_t value);

/* Adds everything in FROM. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* The smallest value that FRACTION (0..1) of the recorded values do not exceed (nearest rank),
 * rounded up to the end of its bucket but never above the maximum. 0 when nothing is recorded. */
uint64_t histogram_percentile(const struct histogram *histogram, double fraction);

/* The mean; 0 when nothing is recorded. */
double histogram_mean(const struct histogram *histogram);

#endif
