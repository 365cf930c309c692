/* SPDX-License-Identifier: MIT */
/* What a run gave, for people (a table) and for programs (one JSON object on one line). */
#ifndef CARELAYER_BENCH_REPORT_H
#define CARELAYER_BENCH_REPORT_H

#include "driver.h"

/* A line of JSON. Times are microseconds; "server_cpu_us" (a request) is null when no process was
 * named. */
void report_write_json(const struct work *work, const struct driver_options *options,
                       const struct driver_result *result, struct buffer *out);

/* A table of two columns, and a line for each kind of fault. */
void report_write_table(const struct work *work, const struct driver_options *options,
                        const struct driver_result *result, struct buffer *out);

#endif
