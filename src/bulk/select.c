/* SPDX-License-Identifier: MIT */
/* The first step of a job: which versions of which resources are wanted, all in one snapshot, into
 * a file. Type by type, so that each file of the next step is of one type; tombstones last. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bulk/bulk_int.h"

#define PAGE       4096
#define TOMB_PAGE  512
#define TOMB_BYTES ((size_t)8 << 20)

static enum status write_out(struct selecting *selecting)
{
    struct slice bytes = buffer_slice(&selecting->out);
    if (!buffer_ok(&selecting->out)) {
        return STATUS_MEMORY;
    }
    TRY(spare_check(selecting->file, selecting->bulk->options.spare));
    TRY(disk_write_all(selecting->file, bytes, selecting->written));
    selecting->written += (off_t)bytes.length;
    selecting->out.length = 0;
    return STATUS_OK;
}

void people_add(struct bulk_people *people, uint32_t patient)
{
    for (size_t i = 0; i < people->count; i++) {
        if (people->patients[i] == patient) {
            return;
        }
    }
    if (people->count < BULK_NAMES) {
        people->patients[people->count++] = patient;
    } else {
        people->many = true;
    }
}

void selection_tells(struct selecting *selecting, const struct store_version *version)
{
    const struct definitions *definitions = selecting->bulk->options.definitions;
    for (size_t i = 0; i < version->patient_count && !selecting->people.many; i++) {
        people_add(&selecting->people, version->patients[i]);
    }
    if (version->patient_count == 0 && !resource_type_is_shared(definitions, version->type)) {
        people_add(&selecting->people, AUDIT_PERSON_UNKNOWN);
    }
}

/* Of whom was asked for it is told that there is nothing, too. */
static void tell_of_asked(struct selecting *selecting)
{
    const struct patient_set *set = &selecting->set;
    for (size_t i = 0; i < 8 * set->bytes && selecting->limited; i++) {
        if (patient_set_has(set, (uint32_t)i) && !selecting->people.many) {
            people_add(&selecting->people, (uint32_t)i);
        }
    }
}

enum status selection_add(struct selecting *selecting, enum selected_kind kind,
                          const struct store_version *version)
{
    uint8_t head[SELECTED_HEAD] = {(uint8_t)kind, (uint8_t)version->id.length};
    memcpy(head + 2, &version->type, 2);
    memcpy(head + 4, &version->version, 4);
    buffer_add(&selecting->out, slice_of((const char *)head, sizeof head));
    buffer_add(&selecting->out, version->id);
    atomic_store(&selecting->job->done, ++selecting->count);
    return selecting->out.length >= BULK_BLOCK ? write_out(selecting) : STATUS_OK;
}

/* Is what concerns these persons wanted? */
static bool concerns(const struct selecting *selecting, const struct store_version *version)
{
    if (selecting->limited) {
        return patient_set_meets(&selecting->set, version);
    }
    return selecting->job->ask.level == BULK_SYSTEM || version->patient_count > 0;
}

/* ---- what is there ------------------------------------------------------------------------------
 */

/* KIND of a Binary says which of them: DOCUMENT those that are somebody's, RESOURCE the others. */
static bool wanted(const struct selecting *selecting, enum selected_kind kind,
                   const struct store_version *version)
{
    bool binary = version->type == selecting->bulk->binary;
    bool fits = !binary || (kind == SELECTED_DOCUMENT) == (version->patient_count > 0);
    return fits && concerns(selecting, version);
}

static enum status select_page(struct selecting *selecting, enum selected_kind kind,
                               const struct store_query *query, struct store_page *ret_page)
{
    TRY(store_find(selecting->tx, query, selecting->page, &selecting->outcome, ret_page));
    for (size_t i = 0; i < ret_page->count; i++) {
        if (wanted(selecting, kind, &ret_page->items[i])) {
            selection_tells(selecting, &ret_page->items[i]);
            TRY(selection_add(selecting, kind, &ret_page->items[i]));
        }
    }
    return job_ends(selecting->job) ? STATUS_BUSY : STATUS_OK;
}

static enum status select_type(struct selecting *selecting, resource_type type,
                               enum selected_kind kind)
{
    const struct bulk_ask *ask = &selecting->job->ask;
    struct arena_mark mark = arena_mark(selecting->arena);
    struct store_clause clause;
    struct store_page page = {.more = true};
    bool any = false;
    TRY(filters_plan(selecting->bulk, ask, type, selecting->arena, &selecting->outcome, &clause,
                     &any));
    struct store_query query = {
        .type = type, .clauses = &clause, .clause_count = any, .count = PAGE};
    if (ask->has_since) {
        query.updated_low = ask->since + 1;
        query.updated_high = INT64_MAX;
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && page.more) {
        arena_reset(selecting->page, PAGE_BYTES);
        status = select_page(selecting, kind, &query, &page);
        if (status == STATUS_OK && page.more) {
            arena_rewind(selecting->arena, mark);
            if (any) { /* the plan lies where the cursor goes */
                status = filters_plan(selecting->bulk, ask, type, selecting->arena,
                                      &selecting->outcome, &clause, &any);
            }
            query.cursor = arena_copy(selecting->arena, page.next);
            status = query.cursor.at == NULL ? STATUS_MEMORY : status;
        }
    }
    arena_rewind(selecting->arena, mark);
    return status;
}

static bool has_filter(const struct bulk_ask *ask, resource_type type)
{
    for (size_t i = 0; i < ask->filter_count; i++) {
        if (ask->filters[i].type == type) {
            return true;
        }
    }
    return false;
}

static enum status select_current(struct selecting *selecting)
{
    const struct bulk *bulk = selecting->bulk;
    const struct bulk_ask *ask = &selecting->job->ask;
    resource_type last = resource_type_count(bulk->options.definitions);
    bool done = false;
    TRY(select_few(selecting, &done));
    for (resource_type type = 1; type <= last && !done; type++) {
        if (!type_asked(bulk, ask, type)) {
            continue;
        }
        TRY(select_type(selecting, type, SELECTED_RESOURCE));
        if (type == bulk->document && !has_filter(ask, type)) {
            TRY(select_type(selecting, bulk->binary, SELECTED_DOCUMENT));
        }
    }
    return STATUS_OK;
}

/* ---- what was deleted ---------------------------------------------------------------------------
 */

/* A tombstone that is still the last word about its resource. */
static enum status is_last(struct selecting *selecting, const struct store_version *version,
                           bool *ret_last)
{
    struct store_version current;
    struct arena_mark mark = arena_mark(selecting->arena);
    enum status status =
        store_read(selecting->tx, version->type, version->id, selecting->arena, &current);
    *ret_last = status == STATUS_GONE && current.version == version->version;
    arena_rewind(selecting->arena, mark);
    return status == STATUS_GONE || status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status select_tombstones(struct selecting *selecting, const struct store_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct store_version *version = &page->items[i];
        bool last;
        if (version->method != STORE_DELETED || !concerns(selecting, version)) {
            continue;
        }
        TRY(is_last(selecting, version, &last));
        if (last) {
            selection_tells(selecting, version);
            TRY(selection_add(selecting, SELECTED_DELETED, version));
        }
    }
    return job_ends(selecting->job) ? STATUS_BUSY : STATUS_OK;
}

static enum status select_deleted(struct selecting *selecting, resource_type type)
{
    struct store_page page = {.more = true};
    struct store_history_query query = {.type = type,
                                        .since = selecting->job->ask.since + 1,
                                        .count = TOMB_PAGE,
                                        .bytes = TOMB_BYTES};
    struct arena_mark mark = arena_mark(selecting->arena);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && page.more) {
        arena_reset(selecting->page, PAGE_BYTES);
        status = store_history(selecting->tx, &query, selecting->page, &selecting->outcome, &page);
        if (status == STATUS_OK) {
            status = select_tombstones(selecting, &page);
        }
        if (status == STATUS_OK && page.more) {
            arena_rewind(selecting->arena, mark);
            query.cursor = arena_copy(selecting->arena, page.next);
            status = query.cursor.at == NULL ? STATUS_MEMORY : STATUS_OK;
        }
    }
    arena_rewind(selecting->arena, mark);
    return status;
}

static enum status select_all_deleted(struct selecting *selecting)
{
    const struct bulk *bulk = selecting->bulk;
    const struct bulk_ask *ask = &selecting->job->ask;
    resource_type last = resource_type_count(bulk->options.definitions);
    for (resource_type type = 1; type <= last && ask->has_since; type++) {
        /* A Binary that was somebody's left as a DocumentReference. */
        if (type_asked(bulk, ask, type) ||
            (type == bulk->binary && type_asked(bulk, ask, bulk->document))) {
            TRY(select_deleted(selecting, type));
        }
    }
    return STATUS_OK;
}

/* ---- the step -----------------------------------------------------------------------------------
 */

static enum status select_in_snapshot(struct selecting *selecting)
{
    TRY(patients_asked(selecting->bulk, selecting->tx, &selecting->job->ask, selecting->job,
                       selecting->arena, &selecting->outcome, &selecting->set, &selecting->limited,
                       &selecting->nameless));
    tell_of_asked(selecting);
    TRY(select_current(selecting));
    TRY(select_all_deleted(selecting));
    TRY(write_out(selecting));
    return disk->fsync(selecting->file) == 0 ? STATUS_OK : disk_status(errno);
}

static void settle(struct selecting *selecting, int64_t instant)
{
    struct job *job = selecting->job;
    (void)pthread_mutex_lock(&job->bulk->lock);
    job->instant = instant;
    job->all = selecting->count;
    job->nameless = selecting->nameless;
    job->people = selecting->people;
    job->selected = true;
    job->state = BULK_WRITING;
    atomic_store(&job->done, 0);
    (void)pthread_mutex_unlock(&job->bulk->lock);
}

static enum status run(struct selecting *selecting, struct store_reader *reader)
{
    const struct bulk_options *options = &selecting->bulk->options;
    int64_t instant;
    const struct bulk_ask *ask = &selecting->job->ask;
    if ((ask->filter_count > 0 || ask->level == BULK_GROUP) && options->ready != NULL) {
        TRY(options->ready(options->context));
    }
    TRY(store_snapshot_instant(reader, &selecting->tx, &instant));
    enum status status = select_in_snapshot(selecting);
    store_snapshot_end(selecting->tx);
    if (status == STATUS_OK) {
        settle(selecting, instant);
    }
    return status;
}

enum status job_select(struct job *job, struct store_reader *reader)
{
    struct arena *arena = arena_create(0);
    struct arena *page = arena_create(PAGE_BYTES);
    struct arena *people = arena_create(0);
    struct selecting selecting = {.bulk = job->bulk,
                                  .job = job,
                                  .arena = arena,
                                  .page = page,
                                  .set = {.arena = people},
                                  .out = {.arena = arena}};
    bool room = arena != NULL && page != NULL && people != NULL;
    enum status status = room ? STATUS_OK : STATUS_MEMORY;
    if (status == STATUS_OK) {
        outcome_init(&selecting.outcome, arena);
        (void)buffer_reserve(&selecting.out, 2 * BULK_BLOCK); /* before what is rewound */
        const char *path = job_path(job, arena, SELECTION);
        selecting.file = disk->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        status = selecting.file >= 0 ? run(&selecting, reader) : disk_status(errno);
        if (selecting.file >= 0 && disk->close(selecting.file) != 0 && status == STATUS_OK) {
            status = disk_status(errno);
        }
        if (status == STATUS_OK) {
            status = disk_sync_directory(path);
        }
    }
    arena_destroy(arena);
    arena_destroy(page);
    arena_destroy(people);
    return status;
}
