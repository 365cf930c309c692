/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include <stdarg.h>
#include <stdio.h>

#define SESSION_MEMORY ((size_t)1 << 20)

enum status work_fail(struct work *work, enum status status, const char *text, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(line, sizeof line, text, arguments);
    va_end(arguments);
    work->problem = arena_print(work->arena, "%s", line);
    return status;
}

/* Makes COUNT GET requests out of paths below the base. */
static enum status make_gets(struct work *work, const struct slice *paths, size_t count)
{
    work->requests = arena_array(work->arena, count, sizeof *work->requests);
    if (work->requests == NULL) {
        return work_fail(work, STATUS_MEMORY, "There is no memory for the requests.");
    }
    for (size_t i = 0; i < count; i++) {
        struct buffer head = {.arena = work->arena};
        target_write_head(work->target, "GET", paths[i], SLICE(""), 0, false, &head);
        work->requests[i] = buffer_slice(&head);
    }
    work->request_count = count;
    return STATUS_OK;
}

/* Asks for the first path once, so that a run never measures how fast the wrong answer is given. */
static enum status sample(struct work *work, struct slice path)
{
    int code;
    struct slice body;
    if (target_get(work->target, path, work->arena, &code, &body) != STATUS_OK) {
        return work_fail(work, STATUS_IO, "The server does not answer HTTP at its base address.");
    }
    if (code < 200 || code > 299) {
        return work_fail(work, STATUS_INVALID,
                         "The first request got HTTP %d: load something first, or name other ids.",
                         code);
    }
    struct json json;
    if (json_read(body, &json_limits_default, work->arena, NULL, &json) == STATUS_OK) {
        work->sample_entries = yyjson_arr_size(json_get(json.root, "entry"));
    }
    return STATUS_OK;
}

/* One path an id, made of the parts around it. */
static enum status prepare_paths(struct work *work, const char *types, const char *before,
                                 const char *after, bool id_only)
{
    struct slice *ids;
    size_t count;
    TRY(work_collect_ids(work, types, &ids, &count));
    for (size_t i = 0; i < count; i++) {
        struct slice id = id_only ? slice_from(ids[i], slice_index(ids[i], '/') + 1) : ids[i];
        struct buffer path = {.arena = work->arena};
        buffer_add_text(&path, before);
        buffer_add(&path, id);
        buffer_add_text(&path, after);
        ids[i] = buffer_slice(&path);
    }
    TRY(sample(work, ids[0]));
    return make_gets(work, ids, count);
}

static enum status read_prepare(struct work *work)
{
    return prepare_paths(work, work->options->types, "", "", false);
}

static enum status everything_prepare(struct work *work)
{
    uint64_t page = work->options->page != 0 ? work->options->page : 1000;
    const char *after =
        arena_print(work->arena, "/$everything?_count=%llu", (unsigned long long)page);
    return prepare_paths(work, "Patient", "", after, false);
}

static enum status search_prepare(struct work *work)
{
    uint64_t page = work->options->page != 0 ? work->options->page : 20;
    const char *after = arena_print(work->arena, "&_count=%llu", (unsigned long long)page);
    return prepare_paths(work, "Patient", "Observation?patient=", after, true);
}

static enum status get_prepare(struct work *work)
{
    struct slice *paths;
    size_t count;
    if (work->options->paths == NULL) {
        return work_fail(work, STATUS_REQUIRED, "The workload `get` needs --paths FILE.");
    }
    TRY(work_read_lines(work, work->options->paths, &paths, &count));
    TRY(sample(work, paths[0]));
    return make_gets(work, paths, count);
}

/* Any of the prepared requests, or the next one when each is to be sent once. */
static bool next_prepared(struct session *session, struct exchange *ret_exchange)
{
    struct work *work = session->work;
    uint64_t index =
        work->once ? work->next++ : random_below(&session->random, work->request_count);
    if (index >= work->request_count) {
        return false;
    }
    ret_exchange->head = work->requests[index];
    ret_exchange->body = work->bodies != NULL ? work->bodies[index] : SLICE("");
    ret_exchange->step = work->workload->name;
    return true;
}

const struct workload workloads[] = {
    {"crud", "nine linked resources created, read, updated and deleted", crud_prepare, crud_next,
     crud_answer},
    {"read", "resources by id (of --types, or from --ids)", read_prepare, next_prepared, NULL},
    {"everything", "Patient/$everything, --page entries at most", everything_prepare, next_prepared,
     NULL},
    {"search", "a patient's Observations, one page of --page (20)", search_prepare, next_prepared,
     NULL},
    {"import", "transaction Bundles from files, each sent once", import_prepare, next_prepared,
     NULL},
    {"batch", "batch Bundles of 25 reads and 25 creates", batch_prepare, next_prepared, NULL},
    {"get", "any paths below the base, from --paths", get_prepare, next_prepared, NULL},
};
const size_t workload_count = sizeof workloads / sizeof *workloads;

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < workload_count; i++) {
        if (strcmp(workloads[i].name, name) == 0) {
            return &workloads[i];
        }
    }
    return NULL;
}

bool session_open(struct session *session, struct work *work, unsigned index)
{
    *session = (struct session){.work = work};
    random_seed(&session->random, work->options->seed, index);
    session->scratch = arena_create(SESSION_MEMORY);
    return session->scratch != NULL;
}

void session_close(struct session *session)
{
    arena_destroy(session->scratch);
    session->scratch = NULL;
}
