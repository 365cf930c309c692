/* SPDX-License-Identifier: MIT */
/* Counters in the Prometheus text format, version 0.0.4. No label carries anything from outside. */
#include <stdlib.h>

#include "request/request_int.h"

/* Upper bounds of the latency histogram, in microseconds. */
static const int64_t bounds[] = {100,   250,   500,    1000,   2500,    5000,    10000,
                                 25000, 50000, 100000, 250000, 1000000, 5000000, 30000000};
#define BOUND_COUNT (sizeof bounds / sizeof bounds[0])

struct series {
    _Atomic uint64_t classes[6]; /* by first digit of the HTTP status */
    _Atomic uint64_t buckets[BOUND_COUNT + 1];
    _Atomic uint64_t micros;
};

struct metrics {
    struct arena *arena;
    const struct interaction *interactions;
    size_t count; /* of interactions; series[count] is for requests that reached none */
    _Atomic int64_t gauges[GAUGE_COUNT];
    struct series series[];
};

struct metrics *metrics_create(const struct interaction *interactions)
{
    size_t count = 0;
    while (interactions[count].name != NULL) {
        count++;
    }
    struct arena *arena = arena_create(0);
    struct metrics *metrics =
        arena != NULL ? arena_zero(arena, sizeof *metrics + (count + 1) * sizeof metrics->series[0])
                      : NULL;
    if (metrics == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    metrics->arena = arena;
    metrics->interactions = interactions;
    metrics->count = count;
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics != NULL) {
        arena_destroy(metrics->arena);
    }
}

void metrics_count(struct metrics *metrics, const struct interaction *interaction, int http,
                   int64_t micros)
{
    if (metrics == NULL) {
        return;
    }
    size_t row =
        interaction != NULL ? (size_t)(interaction - metrics->interactions) : metrics->count;
    struct series *series = &metrics->series[row];
    int class = http / 100;
    atomic_fetch_add_explicit(&series->classes[class >= 1 && class <= 5 ? class : 0], 1,
                              memory_order_relaxed);
    size_t bucket = 0;
    while (bucket < BOUND_COUNT && micros > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&series->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->micros, (uint64_t)micros, memory_order_relaxed);
}

void metrics_gauge_add(struct metrics *metrics, enum gauge gauge, int64_t change)
{
    if (metrics != NULL) {
        atomic_fetch_add_explicit(&metrics->gauges[gauge], change, memory_order_relaxed);
    }
}

static void write_number(struct buffer *out, const char *name, const char *kind, const char *help,
                         uint64_t value)
{
    buffer_print(out, "# HELP carelayer_%s %s\n# TYPE carelayer_%s %s\ncarelayer_%s %llu\n", name,
                 help, name, kind, name, (unsigned long long)value);
}

/* Rows of one name (search by GET and by POST, say) are one label value. */
static bool first_of_name(const struct metrics *metrics, size_t row)
{
    for (size_t i = 0; row < metrics->count && i < row; i++) {
        if (strcmp(metrics->interactions[i].name, metrics->interactions[row].name) == 0) {
            return false;
        }
    }
    return true;
}

static void add_row(const struct metrics *metrics, size_t row, struct series *sum)
{
    const struct series *series = &metrics->series[row];
    for (size_t i = 0; i < 6; i++) {
        sum->classes[i] += series->classes[i];
    }
    for (size_t i = 0; i <= BOUND_COUNT; i++) {
        sum->buckets[i] += series->buckets[i];
    }
    sum->micros += series->micros;
}

static const char *row_name(const struct metrics *metrics, size_t row)
{
    return row < metrics->count ? metrics->interactions[row].name : "none";
}

static void sum_rows(const struct metrics *metrics, size_t row, struct series *ret_sum)
{
    memset(ret_sum, 0, sizeof *ret_sum);
    for (size_t i = row; i <= metrics->count; i++) {
        if (strcmp(row_name(metrics, i), row_name(metrics, row)) == 0) {
            add_row(metrics, i, ret_sum);
        }
    }
}

static void write_requests(const struct metrics *metrics, struct buffer *out)
{
    buffer_add_text(out, "# HELP carelayer_requests_total Requests answered.\n"
                         "# TYPE carelayer_requests_total counter\n");
    for (size_t row = 0; row <= metrics->count; row++) {
        struct series sum;
        if (!first_of_name(metrics, row)) {
            continue;
        }
        sum_rows(metrics, row, &sum);
        for (size_t class = 1; class < 6; class ++) {
            if (sum.classes[class] > 0) {
                buffer_print(out,
                             "carelayer_requests_total{interaction=\"%s\",status=\"%zuxx\"} %llu\n",
                             row_name(metrics, row), class, (unsigned long long)sum.classes[class]);
            }
        }
    }
}

static void write_histogram(const char *name, const struct series *sum, struct buffer *out)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= BOUND_COUNT; i++) {
        total += sum->buckets[i];
        buffer_print(out, "carelayer_request_seconds_bucket{interaction=\"%s\",le=\"", name);
        if (i < BOUND_COUNT) {
            buffer_print(out, "%g", (double)bounds[i] / 1e6);
        } else {
            buffer_add_text(out, "+Inf");
        }
        buffer_print(out, "\"} %llu\n", (unsigned long long)total);
    }
    buffer_print(out, "carelayer_request_seconds_sum{interaction=\"%s\"} %.6f\n", name,
                 (double)sum->micros / 1e6);
    buffer_print(out, "carelayer_request_seconds_count{interaction=\"%s\"} %llu\n", name,
                 (unsigned long long)total);
}

static void write_latencies(const struct metrics *metrics, struct buffer *out)
{
    buffer_add_text(out, "# HELP carelayer_request_seconds Time from first byte to answer.\n"
                         "# TYPE carelayer_request_seconds histogram\n");
    for (size_t row = 0; row <= metrics->count; row++) {
        struct series sum;
        if (!first_of_name(metrics, row)) {
            continue;
        }
        sum_rows(metrics, row, &sum);
        write_histogram(row_name(metrics, row), &sum, out);
    }
}

static void write_store(struct service *service, struct buffer *out)
{
    struct store_statistics store;
    if (store_statistics(service->store, &store) == STATUS_OK) {
        write_number(out, "store_resources", "gauge", "Current resources.", store.resources);
        write_number(out, "store_versions", "gauge", "Superseded versions and tombstones.",
                     store.versions);
        write_number(out, "store_patients", "gauge", "Patients mentioned.", store.patients);
        write_number(out, "store_commits_total", "counter", "Durable commits.", store.commits);
        write_number(out, "store_jobs_total", "counter", "Writes committed.", store.jobs);
        write_number(out, "store_waiting", "gauge", "Writes waiting.", store.waiting);
        write_number(out, "store_bytes", "gauge", "Size of the store on disk.", store.file_bytes);
        write_number(out, "store_full", "gauge", "1: the disk is full, writes are refused.",
                     store.full);
    }
    uint64_t done = 0, all = 0;
    bool indexing = store_indexing(service->store, &done, &all);
    write_number(out, "store_indexing", "gauge",
                 "Resources still to be indexed by search parameters that are new.",
                 indexing && all > done ? all - done : 0);
    struct audit_statistics audit;
    audit_statistics(service->audit, &audit);
    write_number(out, "audit_entries", "gauge", "Entries in the access log.", audit.entries);
    write_number(out, "audit_syncs_total", "counter", "Syncs of the access log.", audit.syncs);
    write_number(out, "audit_bytes", "gauge", "Size of the access log.", audit.bytes);
    write_number(out, "audit_failing", "gauge", "1: the access log cannot be written.",
                 audit.failing);
}

static void write_exports(struct bulk *bulk, struct buffer *out)
{
    struct bulk_statistics numbers;
    bulk_statistics(bulk, &numbers);
    write_number(out, "exports_waiting", "gauge", "Bulk exports not begun.", numbers.waiting);
    write_number(out, "exports_running", "gauge", "Bulk exports worked on.", numbers.running);
    write_number(out, "exports_kept", "gauge", "Finished bulk exports not expired.", numbers.kept);
    write_number(out, "exports_left", "gauge", "Resources that running exports will yet write.",
                 numbers.left);
    write_number(out, "exports_started_total", "counter", "Bulk exports asked for.",
                 numbers.started);
    write_number(out, "exports_done_total", "counter", "Bulk exports finished.", numbers.done);
    write_number(out, "exports_failed_total", "counter", "Bulk exports that failed.",
                 numbers.failed);
    write_number(out, "exports_cancelled_total", "counter", "Bulk exports cancelled or removed.",
                 numbers.cancelled);
    write_number(out, "exports_expired_total", "counter", "Bulk exports removed at their expiry.",
                 numbers.expired);
    write_number(out, "export_resources_total", "counter", "Resources written by bulk exports.",
                 numbers.resources);
    write_number(out, "export_bytes_total", "counter", "Bytes of these, before packing.",
                 numbers.bytes);
}

static void write_imports(const struct importer *importer, struct buffer *out)
{
    struct import_statistics numbers;
    importer->count(importer->context, &numbers);
    write_number(out, "imports_waiting", "gauge", "Imports over HTTP not begun.", numbers.waiting);
    write_number(out, "imports_running", "gauge", "Imports over HTTP worked on.", numbers.running);
    write_number(out, "imports_kept", "gauge", "Finished imports whose result can be fetched.",
                 numbers.kept);
    write_number(out, "imports_started_total", "counter", "Imports asked for over HTTP.",
                 numbers.started);
    write_number(out, "imports_done_total", "counter", "Imports over HTTP finished.", numbers.done);
    write_number(out, "imports_failed_total", "counter", "Imports over HTTP that failed.",
                 numbers.failed);
    write_number(out, "imports_cancelled_total", "counter",
                 "Imports over HTTP cancelled or removed.", numbers.cancelled);
    write_number(out, "import_resources_total", "counter", "Resources stored by them.",
                 numbers.resources);
    write_number(out, "import_errors_total", "counter", "Outcomes told of what was not stored.",
                 numbers.errors);
    write_number(out, "import_bytes_total", "counter", "Bytes fetched by them.", numbers.fetched);
}

static void write_subscriptions(struct subscribe *subscribe, struct buffer *out)
{
    struct subscribe_statistics numbers;
    subscribe_statistics(subscribe, &numbers);
    write_number(out, "subscriptions_deliverer", "gauge",
                 "1: of several processes this one tells subscribers, and counts what waits.",
                 numbers.delivers);
    write_number(out, "subscriptions_active", "gauge", "Subscriptions in force.", numbers.active);
    write_number(out, "subscriptions_requested", "gauge", "Subscriptions before their handshake.",
                 numbers.requested);
    write_number(out, "subscriptions_failed", "gauge",
                 "Subscriptions whose subscriber could not be told: status error.", numbers.failed);
    write_number(out, "subscriptions_off", "gauge", "Subscriptions that are off.", numbers.off);
    write_number(out, "subscription_events_waiting", "gauge", "Events to be delivered.",
                 numbers.waiting);
    write_number(out, "subscription_events_dead", "gauge",
                 "Events of subscriptions that failed or are off: nobody delivers them.",
                 numbers.dead);
    write_number(out, "subscription_events_total", "counter", "Events.", numbers.events);
    write_number(out, "subscription_delivered_total", "counter", "Events delivered.",
                 numbers.delivered);
    write_number(out, "subscription_failures_total", "counter", "Notifications not taken.",
                 numbers.failures);
    write_number(out, "subscription_sockets", "gauge", "Websockets open.", numbers.sockets);
}

void metrics_write(struct service *service, struct buffer *out)
{
    static const char *const names[GAUGE_COUNT][2] = {
        [GAUGE_CONNECTIONS] = {"connections", "Open connections."},
        [GAUGE_REQUESTS_IN_FLIGHT] = {"requests_in_flight", "Requests accepted, not yet answered."},
    };
    struct metrics *metrics = service->metrics;
    write_requests(metrics, out);
    write_latencies(metrics, out);
    for (size_t i = 0; i < GAUGE_COUNT; i++) {
        int64_t value = metrics->gauges[i];
        write_number(out, names[i][0], "gauge", names[i][1], value > 0 ? (uint64_t)value : 0);
    }
    write_number(out, "request_memory_bytes", "gauge", "Memory of requests in flight.",
                 arena_budget_used());
    write_store(service, out);
    if (service->bulk != NULL) {
        write_exports(service->bulk, out);
    }
    if (service->importer != NULL) {
        write_imports(service->importer, out);
    }
    if (service->subscribe != NULL) {
        write_subscriptions(service->subscribe, out);
    }
}
