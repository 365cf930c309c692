/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdio.h>

static double per_second(const struct driver_result *result)
{
    uint64_t answered = result->requests - result->errors;
    return result->seconds > 0 ? (double)answered / result->seconds : 0;
}

/* Resources that the good answers stand for: a batch has fifty to a request. */
static double resources_per_second(const struct work *work, const struct driver_result *result)
{
    if (work->resources == 0 || work->request_count == 0) {
        return 0;
    }
    return per_second(result) * (double)work->resources / (double)work->request_count;
}

static double cpu_micros(const struct driver_result *result)
{
    return result->server_cpu >= 0 && result->requests > 0
               ? result->server_cpu * 1e6 / (double)result->requests
               : -1;
}

static void write_faults_json(const struct driver_result *result, struct buffer *out)
{
    buffer_add_text(out, ",\"faults\":[");
    for (size_t i = 0; i < DRIVER_FAULTS && result->faults[i].count > 0; i++) {
        const struct fault *fault = &result->faults[i];
        buffer_print(out, "%s{\"status\":%d,\"step\":", i > 0 ? "," : "", fault->status);
        buffer_add_json_string(out, slice_text(fault->step));
        buffer_print(out, ",\"count\":%llu}", (unsigned long long)fault->count);
    }
    buffer_add_byte(out, ']');
}

void report_write_json(const struct work *work, const struct driver_options *options,
                       const struct driver_result *result, struct buffer *out)
{
    const struct histogram *latency = &result->latency;
    buffer_add_text(out, "{\"workload\":");
    buffer_add_json_string(out, slice_text(work->workload->name));
    buffer_print(out, ",\"concurrency\":%u,\"threads\":%u,\"seconds\":%.3f", options->concurrency,
                 options->threads, result->seconds);
    buffer_print(out, ",\"requests\":%llu,\"errors\":%llu,\"reconnects\":%llu,\"bytes\":%llu",
                 (unsigned long long)result->requests, (unsigned long long)result->errors,
                 (unsigned long long)result->connects, (unsigned long long)result->bytes);
    buffer_print(out, ",\"per_second\":%.1f,\"resources_per_second\":%.1f", per_second(result),
                 resources_per_second(work, result));
    buffer_print(out, ",\"mean_us\":%.1f,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu",
                 histogram_mean(latency), (unsigned long long)histogram_percentile(latency, 0.50),
                 (unsigned long long)histogram_percentile(latency, 0.99),
                 (unsigned long long)latency->max);
    if (cpu_micros(result) >= 0) {
        buffer_print(out, ",\"server_cpu_us\":%.2f", cpu_micros(result));
    } else {
        buffer_add_text(out, ",\"server_cpu_us\":null");
    }
    buffer_print(out, ",\"sample_entries\":%llu", (unsigned long long)work->sample_entries);
    write_faults_json(result, out);
    buffer_add_text(out, "}\n");
}

static void write_row(struct buffer *out, const char *name, double value, const char *unit)
{
    buffer_print(out, "%-20s %14.*f %s\n", name, value < 100 ? 2 : 0, value, unit);
}

void report_write_table(const struct work *work, const struct driver_options *options,
                        const struct driver_result *result, struct buffer *out)
{
    const struct histogram *latency = &result->latency;
    buffer_print(out, "%s: %s\n", work->workload->name, work->workload->meaning);
    write_row(out, "connections", options->concurrency, "");
    write_row(out, "time", result->seconds, "s");
    write_row(out, "requests", (double)result->requests, "");
    write_row(out, "errors", (double)result->errors, "");
    write_row(out, "throughput", per_second(result), "good answers/s");
    if (work->resources > 0) {
        write_row(out, "resources", resources_per_second(work, result), "resources/s");
    }
    write_row(out, "p50", (double)histogram_percentile(latency, 0.50), "us");
    write_row(out, "p99", (double)histogram_percentile(latency, 0.99), "us");
    write_row(out, "max", (double)latency->max, "us");
    write_row(out, "received", (double)result->bytes / 1e6, "MB");
    if (cpu_micros(result) >= 0) {
        write_row(out, "server CPU", cpu_micros(result), "us a request");
    }
    if (work->sample_entries > 0) {
        write_row(out, "entries", (double)work->sample_entries, "in the first answer");
    }
    for (size_t i = 0; i < DRIVER_FAULTS && result->faults[i].count > 0; i++) {
        const struct fault *fault = &result->faults[i];
        buffer_print(out, "  %llu x %s: ", (unsigned long long)fault->count, fault->step);
        if (fault->status == 0) {
            buffer_add_text(out, "no whole answer\n");
        } else {
            buffer_print(out, "HTTP %d\n", fault->status);
        }
    }
}
