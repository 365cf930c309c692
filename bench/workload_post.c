/* SPDX-License-Identifier: MIT */
/* Workloads that POST Bundles to the base: transactions from files, and batches made up here. */
#include "workload.h"

#define FILE_MAX      ((size_t)1 << 30)
#define BATCH_BUNDLES 64
#define BATCH_HALF    25

static enum status add_post(struct work *work, size_t index, struct slice body)
{
    struct buffer head = {.arena = work->arena};
    target_write_head(work->target, "POST", SLICE(""), SLICE("application/fhir+json"), body.length,
                      true, &head);
    work->requests[index] = buffer_slice(&head);
    work->bodies[index] = body;
    return buffer_ok(&head) ? STATUS_OK
                            : work_fail(work, STATUS_MEMORY, "There is no memory for requests.");
}

static enum status make_room(struct work *work, size_t count)
{
    work->requests = arena_array(work->arena, count, sizeof *work->requests);
    work->bodies = arena_array(work->arena, count, sizeof *work->bodies);
    work->request_count = count;
    return work->requests != NULL && work->bodies != NULL
               ? STATUS_OK
               : work_fail(work, STATUS_MEMORY, "There is no memory for the requests.");
}

/* Entries of a Bundle, or 0 when the text is none. Parsed in an arena of its own. */
static uint64_t count_entries(struct slice text)
{
    struct arena *arena = arena_create(text.length * 16 + ((size_t)1 << 20));
    struct json_limits limits = json_limits_default;
    limits.bytes = FILE_MAX;
    struct json json;
    uint64_t count = 0;
    if (arena != NULL && json_read(text, &limits, arena, NULL, &json) == STATUS_OK) {
        count = yyjson_arr_size(json_get(json.root, "entry"));
    }
    arena_destroy(arena);
    return count;
}

static enum status load_file(struct work *work, const char *path, struct slice *ret_text)
{
    struct slice bytes;
    if (disk_read_file(path, FILE_MAX, work->arena, &bytes) != STATUS_OK) {
        return work_fail(work, STATUS_IO, "%s cannot be read.", path);
    }
    if (bytes.length < 2 || memcmp(bytes.at, "\x1f\x8b", 2) != 0) {
        *ret_text = bytes;
        return STATUS_OK;
    }
    struct buffer text = {.arena = work->arena};
    if (gzip_inflate(bytes, FILE_MAX, &text) != STATUS_OK || !buffer_ok(&text)) {
        return work_fail(work, STATUS_STRUCTURE, "%s is not whole gzip.", path);
    }
    *ret_text = buffer_slice(&text);
    return STATUS_OK;
}

enum status import_prepare(struct work *work)
{
    const struct workload_options *options = work->options;
    if (options->file_count == 0) {
        return work_fail(work, STATUS_REQUIRED, "The workload `import` needs Bundle files.");
    }
    TRY(make_room(work, options->file_count));
    for (size_t i = 0; i < options->file_count; i++) {
        struct slice text;
        TRY(load_file(work, options->files[i], &text));
        uint64_t entries = count_entries(text);
        if (entries == 0) {
            return work_fail(work, STATUS_STRUCTURE, "%s is not a Bundle with entries.",
                             options->files[i]);
        }
        work->resources += entries;
        TRY(add_post(work, i, text));
    }
    work->once = true;
    return STATUS_OK;
}

static void write_create(struct buffer *out, uint64_t number, struct slice patient)
{
    buffer_add_text(out, "{\"request\":{\"method\":\"POST\",\"url\":\"Observation\"},"
                         "\"resource\":{\"resourceType\":\"Observation\",\"status\":\"final\","
                         "\"code\":{\"coding\":[{\"system\":\"http://loinc.org\","
                         "\"code\":\"8867-4\",\"display\":\"Heart rate\"}]},\"subject\":"
                         "{\"reference\":");
    buffer_add_json_string(out, patient);
    buffer_add_text(out, "},\"effectiveDateTime\":\"2024-05-01T09:30:00Z\",\"valueQuantity\":"
                         "{\"value\":");
    buffer_add_unsigned(out, 55 + number % 60);
    buffer_add_text(out, ",\"unit\":\"/min\",\"system\":\"http://unitsofmeasure.org\","
                         "\"code\":\"/min\"}}}");
}

static void write_read(struct buffer *out, struct slice id)
{
    buffer_add_text(out, "{\"request\":{\"method\":\"GET\",\"url\":");
    buffer_add_json_string(out, id);
    buffer_add_text(out, "}}");
}

enum status batch_prepare(struct work *work)
{
    struct slice *ids;
    size_t count, people = 0;
    TRY(work_collect_ids(work, "Patient", &ids, &count));
    struct slice *patients = arena_array(work->arena, count, sizeof *patients);
    for (size_t i = 0; i < count && patients != NULL; i++) {
        if (slice_starts(ids[i], SLICE("Patient/"))) {
            patients[people++] = ids[i];
        }
    }
    if (people == 0) {
        return work_fail(work, STATUS_REQUIRED, "The ids for `batch` must name some Patients.");
    }
    TRY(make_room(work, BATCH_BUNDLES));
    struct random random;
    random_seed(&random, work->options->seed, 0);
    for (size_t i = 0; i < BATCH_BUNDLES; i++) {
        struct buffer body = {.arena = work->arena};
        buffer_add_text(&body, "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[");
        for (unsigned k = 0; k < BATCH_HALF; k++) {
            buffer_add_text(&body, k > 0 ? "," : "");
            write_read(&body, ids[random_below(&random, count)]);
            buffer_add_byte(&body, ',');
            write_create(&body, random_next(&random), patients[random_below(&random, people)]);
        }
        buffer_add_text(&body, "]}");
        TRY(add_post(work, i, buffer_slice(&body)));
    }
    work->resources = (uint64_t)BATCH_BUNDLES * BATCH_HALF * 2;
    return STATUS_OK;
}
