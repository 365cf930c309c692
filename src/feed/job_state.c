/* SPDX-License-Identifier: MIT */
/* An import's folder: what was asked, and how far it is, so that it goes on in another process. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "feed/jobs_int.h"

#define ASK       "job.json"
#define STATE     "state.json"
#define FILE_MOST ((size_t)64 << 20)

struct feed_job *feed_job_create(struct feed_jobs *jobs, const char *id)
{
    struct arena *arena = arena_create(4 * FILE_MOST);
    struct feed_job *job = arena != NULL ? ARENA_NEW(arena, struct feed_job) : NULL;
    if (job == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    job->jobs = jobs;
    job->arena = arena;
    (void)snprintf(job->id, sizeof job->id, "%s", id);
    job->folder = arena_print(arena, "%s/%s", jobs->folder, job->id);
    job->begun = time_now();
    if (arena_full(arena)) {
        feed_job_destroy(job);
        return NULL;
    }
    return job;
}

void feed_job_destroy(struct feed_job *job)
{
    arena_destroy(job->arena);
}

bool feed_job_ends(const struct feed_job *job)
{
    return job->cancelled || job->jobs->stopping;
}

const char *feed_job_path(const struct feed_job *job, struct arena *arena, size_t input,
                          const char *suffix)
{
    return arena_print(arena, "%s/%zu.%s", job->folder, input + 1, suffix);
}

enum status feed_job_take(struct feed_job *job, const struct import_ask *ask)
{
    struct arena *arena = job->arena;
    struct import_input *inputs = arena_array(arena, ask->count + 1, sizeof *inputs);
    job->intakes = arena_array(arena, ask->count + 1, sizeof *job->intakes);
    for (size_t i = 0; inputs != NULL && i < ask->count; i++) {
        inputs[i] =
            (struct import_input){ask->inputs[i].type, arena_copy(arena, ask->inputs[i].url)};
    }
    job->ask = (struct import_ask){.inputs = inputs,
                                   .count = ask->count,
                                   .source = arena_copy(arena, ask->source),
                                   .base_url = arena_copy(arena, ask->base_url),
                                   .who = arena_copy(arena, ask->who)};
    return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void add_text(struct buffer *out, const char *name, struct slice text)
{
    buffer_print(out, ",\"%s\":", name);
    buffer_add_json_string(out, text);
}

static void add_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_print(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

static enum status replace(const struct feed_job *job, const char *name, const struct buffer *text)
{
    const char *path = arena_print(text->arena, "%s/%s", job->folder, name);
    return buffer_ok(text) && path != NULL ? disk_replace_file(path, buffer_slice(text))
                                           : STATUS_MEMORY;
}

enum status feed_job_save(const struct feed_job *job)
{
    const struct definitions *definitions = job->jobs->service.definitions;
    struct arena *arena = arena_create(4 * FILE_MOST);
    struct buffer out = {.arena = arena};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    buffer_print(&out, "{\"begun\":%llu", (unsigned long long)job->begun);
    add_text(&out, "source", job->ask.source);
    add_text(&out, "base", job->ask.base_url);
    add_text(&out, "who", job->ask.who);
    buffer_add_text(&out, ",\"inputs\":[");
    for (size_t i = 0; i < job->ask.count; i++) {
        const struct import_input *input = &job->ask.inputs[i];
        buffer_add_text(&out, i > 0 ? ",{\"type\":" : "{\"type\":");
        buffer_add_json_string(&out, resource_type_name(definitions, input->type));
        add_text(&out, "url", input->url);
        buffer_add_byte(&out, '}');
    }
    buffer_add_text(&out, "]}\n");
    enum status status = disk_make_directory(job->folder);
    if (status == STATUS_OK) {
        status = replace(job, ASK, &out);
    }
    arena_destroy(arena);
    return status;
}

enum status feed_job_save_state(const struct feed_job *job, enum import_state state)
{
    struct arena *arena = arena_create(4 * FILE_MOST);
    struct buffer out = {.arena = arena};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    buffer_print(&out, "{\"state\":%d", (int)state);
    add_number(&out, "status", (uint64_t)job->status);
    add_number(&out, "finished", (uint64_t)job->finished);
    buffer_add_text(&out, ",\"inputs\":[");
    for (size_t i = 0; i < job->ask.count; i++) {
        const struct intake *intake = &job->intakes[i];
        buffer_print(&out, "%s{\"state\":%d", i > 0 ? "," : "", (int)intake->state);
        add_number(&out, "status", (uint64_t)intake->status);
        add_number(&out, "stored", intake->stored);
        add_number(&out, "errors", intake->errors);
        add_number(&out, "length", intake->length);
        add_number(&out, "changed", (uint64_t)intake->changed);
        buffer_add_byte(&out, '}');
    }
    buffer_add_text(&out, "]}\n");
    enum status status = replace(job, STATE, &out);
    arena_destroy(arena);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static enum status take_ask(struct feed_job *job, const yyjson_val *root, struct arena *arena)
{
    yyjson_val *list = json_get(root, "inputs");
    size_t count = yyjson_arr_size(list);
    struct import_input *inputs = arena_array(arena, count + 1, sizeof *inputs);
    if (count == 0) {
        return STATUS_CORRUPT;
    }
    for (size_t i = 0; inputs != NULL && i < count; i++) {
        const yyjson_val *item = yyjson_arr_get(list, i);
        inputs[i] = (struct import_input){.type = resource_type_find(job->jobs->service.definitions,
                                                                     json_get_string(item, "type")),
                                          .url = json_get_string(item, "url")};
        if (inputs[i].type == RESOURCE_TYPE_NONE) {
            return STATUS_CORRUPT; /* and not of any type */
        }
    }
    job->begun = (int64_t)json_get_unsigned(root, "begun");
    const struct import_ask ask = {.inputs = inputs,
                                   .count = count,
                                   .source = json_get_string(root, "source"),
                                   .base_url = json_get_string(root, "base"),
                                   .who = json_get_string(root, "who")};
    return inputs != NULL ? feed_job_take(job, &ask) : STATUS_MEMORY;
}

static enum status take_state(struct feed_job *job, const yyjson_val *root, struct arena *arena)
{
    yyjson_val *list = json_get(root, "inputs");
    uint64_t state = json_get_unsigned(root, "state"), status = json_get_unsigned(root, "status");
    (void)arena;
    if (yyjson_arr_size(list) != job->ask.count || state > IMPORT_FAILED ||
        status >= STATUS_COUNT) {
        return STATUS_CORRUPT;
    }
    for (size_t i = 0; i < job->ask.count; i++) {
        const yyjson_val *item = yyjson_arr_get(list, i);
        uint64_t at = json_get_unsigned(item, "state"), why = json_get_unsigned(item, "status");
        if (at > INTAKE_DONE || why >= STATUS_COUNT) {
            return STATUS_CORRUPT;
        }
        job->intakes[i] = (struct intake){.state = (enum intake_state)at,
                                          .status = (enum status)why,
                                          .stored = json_get_unsigned(item, "stored"),
                                          .errors = json_get_unsigned(item, "errors"),
                                          .length = json_get_unsigned(item, "length"),
                                          .changed = (int64_t)json_get_unsigned(item, "changed")};
    }
    job->state = (enum import_state)state;
    job->status = (enum status)status;
    job->finished = (int64_t)json_get_unsigned(root, "finished");
    return STATUS_OK;
}

static enum status load(struct feed_job *job, const char *name, struct arena *arena,
                        enum status (*take)(struct feed_job *job, const yyjson_val *root,
                                            struct arena *arena))
{
    struct slice text;
    struct json json;
    const char *path = arena_print(arena, "%s/%s", job->folder, name);
    if (path == NULL) {
        return STATUS_MEMORY;
    }
    TRY(disk_read_file(path, FILE_MOST, arena, &text));
    TRY(json_read(text, &json_limits_default, arena, NULL, &json));
    return yyjson_is_obj(json.root) ? take(job, json.root, arena) : STATUS_CORRUPT;
}

enum status feed_job_load(struct feed_job *job)
{
    struct arena *arena = arena_create(8 * FILE_MOST);
    enum status status = arena != NULL ? load(job, ASK, arena, take_ask) : STATUS_MEMORY;
    if (status == STATUS_OK) {
        status = load(job, STATE, arena, take_state);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status; /* it is at its beginning */
    }
    arena_destroy(arena);
    return status;
}

/* ---- the end ------------------------------------------------------------------------------------
 */

void feed_job_forget(const struct feed_job *job)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", job->folder, ASK);
    (void)disk->unlink(path);
    if (disk_sync_directory(path) != STATUS_OK) {
        log_event(LOG_IMPORT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(STATUS_IO)));
    }
}

/* Half removed it must not begin again. */
void feed_job_remove(const struct feed_job *job)
{
    char path[4096];
    feed_job_forget(job);
    DIR *directory = opendir(job->folder);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", job->folder, entry->d_name);
            (void)disk->unlink(path);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    (void)rmdir(job->folder);
}

/* ---- what the client is told --------------------------------------------------------------------
 */

static void add_address(const struct feed_job *job, struct slice base_url, size_t input,
                        struct buffer *out)
{
    struct buffer url = {.arena = out->arena};
    buffer_print(&url, "%.*s/$import/%s/%zu.ndjson", SLICE_ARGS(base_url), job->id, input + 1);
    buffer_add_text(out, ",\"url\":");
    buffer_add_json_string(out, buffer_slice(&url));
}

void feed_job_manifest(const struct feed_job *job, struct slice base_url, struct buffer *out)
{
    char instant[INSTANT_LENGTH + 1];
    instant_write(job->finished, instant);
    buffer_print(out, "{\"transactionTime\":\"%s\",\"request\":", instant);
    struct buffer request = {.arena = out->arena};
    buffer_print(&request, "%.*s/$import", SLICE_ARGS(job->ask.base_url));
    buffer_add_json_string(out, buffer_slice(&request));
    buffer_add_text(out, ",\"requiresAccessToken\":false"); /* until identity exists */
    buffer_add_text(out, ",\"output\":[");
    for (size_t i = 0; i < job->ask.count; i++) {
        const struct import_input *input = &job->ask.inputs[i];
        struct slice type = resource_type_name(job->jobs->service.definitions, input->type);
        buffer_print(out, "%s{\"type\":\"%.*s\",\"inputUrl\":", i > 0 ? "," : "", SLICE_ARGS(type));
        buffer_add_json_string(out, input->url);
        buffer_print(out, ",\"count\":%llu}", (unsigned long long)job->intakes[i].stored);
    }
    buffer_add_text(out, "],\"error\":[");
    size_t listed = 0;
    for (size_t i = 0; i < job->ask.count; i++) {
        if (job->intakes[i].errors > 0) {
            buffer_add_text(out, listed++ > 0 ? "," : "");
            buffer_add_text(out, "{\"type\":\"OperationOutcome\",\"inputUrl\":");
            buffer_add_json_string(out, job->ask.inputs[i].url);
            buffer_print(out, ",\"count\":%llu", (unsigned long long)job->intakes[i].errors);
            add_address(job, base_url, i, out);
            buffer_add_byte(out, '}');
        }
    }
    buffer_add_text(out, "]}");
}
