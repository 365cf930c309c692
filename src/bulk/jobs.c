/* SPDX-License-Identifier: MIT */
/* The list of jobs: opened, asked about, ended. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "bulk/bulk_int.h"

/* How often a client may ask how far a job is: so many at once, and so many a second. */
#define POLLS_AT_ONCE  60.0
#define POLLS_A_SECOND 2.0

/* ---- what an earlier process left ---------------------------------------------------------------
 */

static void append(struct bulk *bulk, struct job *job)
{
    struct job **at = &bulk->jobs;
    while (*at != NULL && (*at)->begun <= job->begun) {
        at = &(*at)->next;
    }
    job->next = *at;
    *at = job;
}

/* What cannot be read is not ours to hand out: it is removed. */
static enum status take_folder(struct bulk *bulk, const char *name)
{
    struct job *job = job_create(bulk, name);
    if (job == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = strlen(name) == UUID_LENGTH ? job_load(job) : STATUS_CORRUPT;
    if (status == STATUS_OK) {
        append(bulk, job);
        return STATUS_OK;
    }
    bool ours =
        status == STATUS_NOT_FOUND || status == STATUS_CORRUPT || status == STATUS_STRUCTURE;
    if (ours) {
        job_remove(job);
    }
    job_destroy(job);
    return ours ? STATUS_OK : status;
}

/* The first job makes the folder: a server starts on a full disk too. */
static enum status take_folders(struct bulk *bulk)
{
    DIR *directory = opendir(bulk->folder);
    const struct dirent *entry;
    enum status status = STATUS_OK;
    while (directory != NULL && status == STATUS_OK && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            status = take_folder(bulk, entry->d_name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return directory != NULL || errno == ENOENT ? status : disk_status(errno);
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static enum status start_threads(struct bulk *bulk)
{
    bulk->threads = arena_array(bulk->arena, bulk->options.threads + 1, sizeof *bulk->threads);
    if (bulk->threads == NULL || pthread_create(&bulk->keeper, NULL, bulk_keep, bulk) != 0) {
        return STATUS_MEMORY;
    }
    bulk->keeper_runs = true;
    for (size_t i = 0; i < bulk->options.threads; i++) {
        if (pthread_create(&bulk->threads[i], NULL, bulk_run, bulk) != 0) {
            return STATUS_MEMORY;
        }
        bulk->thread_count++;
    }
    return STATUS_OK;
}

static enum status open_folder(struct bulk *bulk)
{
    return arena_full(bulk->arena) ? STATUS_MEMORY : take_folders(bulk);
}

enum status bulk_open(const struct bulk_options *options, struct outcome *outcome,
                      struct bulk **ret_bulk)
{
    struct arena *arena = arena_create(0);
    struct bulk *bulk = arena != NULL ? ARENA_NEW(arena, struct bulk) : NULL;
    *ret_bulk = NULL;
    if (bulk == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    bulk->options = *options;
    bulk->arena = arena;
    bulk->folder = arena_print(arena, "%s/exports", options->folder);
    bulk->patient = resource_type_find(options->definitions, SLICE("Patient"));
    bulk->binary = resource_type_find(options->definitions, SLICE("Binary"));
    bulk->group = resource_type_find(options->definitions, SLICE("Group"));
    bulk->document = resource_type_find(options->definitions, SLICE("DocumentReference"));
    (void)pthread_mutex_init(&bulk->lock, NULL);
    (void)pthread_cond_init(&bulk->changed, NULL);
    enum status status = open_folder(bulk);
    if (status == STATUS_OK) {
        status = start_threads(bulk);
    }
    if (status != STATUS_OK) {
        bulk_close(bulk);
        return outcome_fail(outcome, status, "data",
                            "The folder exports in the data folder cannot be used: check rights, "
                            "space and memory.");
    }
    *ret_bulk = bulk;
    return STATUS_OK;
}

void bulk_close(struct bulk *bulk)
{
    if (bulk == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&bulk->lock);
    bulk->stopping = true;
    (void)pthread_cond_broadcast(&bulk->changed);
    (void)pthread_mutex_unlock(&bulk->lock);
    for (size_t i = 0; i < bulk->thread_count; i++) {
        (void)pthread_join(bulk->threads[i], NULL);
    }
    if (bulk->keeper_runs) {
        (void)pthread_join(bulk->keeper, NULL);
    }
    for (struct job *job = bulk->jobs, *next; job != NULL; job = next) {
        next = job->next;
        job_destroy(job);
    }
    (void)pthread_cond_destroy(&bulk->changed);
    (void)pthread_mutex_destroy(&bulk->lock);
    arena_destroy(bulk->arena);
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

static size_t unfinished(const struct bulk *bulk)
{
    size_t count = 0;
    for (const struct job *job = bulk->jobs; job != NULL; job = job->next) {
        count += job->state < BULK_DONE && !job->cancelled;
    }
    return count;
}

static enum status enter(struct bulk *bulk, struct job *job, struct outcome *outcome)
{
    (void)pthread_mutex_lock(&bulk->lock);
    bool room = unfinished(bulk) < bulk->options.jobs;
    if (room) {
        append(bulk, job);
        bulk->totals.started++;
        (void)pthread_cond_broadcast(&bulk->changed);
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    return room ? STATUS_OK
                : outcome_fail(outcome, STATUS_TOO_MANY, "",
                               "%zu exports are not finished yet, and more are not taken: wait for "
                               "one, or cancel it with DELETE.",
                               bulk->options.jobs);
}

void bulk_new_id(char ret_id[static UUID_LENGTH + 1])
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    (void)snprintf(ret_id, UUID_LENGTH + 1,
                   "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x",
                   bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6] & 15u,
                   bytes[7], bytes[8] & 15u, bytes[9], bytes[10], bytes[11], bytes[12], bytes[13],
                   bytes[14], bytes[15]);
}

enum status bulk_start(struct bulk *bulk, const struct bulk_ask *ask, struct outcome *outcome,
                       char ret_id[static UUID_LENGTH + 1])
{
    bulk_new_id(ret_id);
    struct job *job = job_create(bulk, ret_id);
    if (job == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = job_take(job, ask);
    job->polls = POLLS_AT_ONCE;
    job->polled = time_monotonic();
    if (status == STATUS_OK) {
        status = job_save(job);
    }
    if (status == STATUS_OK) {
        status = enter(bulk, job, outcome);
    }
    if (status != STATUS_OK) {
        job_remove(job);
        job_destroy(job);
    }
    return status;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static struct job *find(struct bulk *bulk, struct slice id, struct slice who)
{
    for (struct job *job = bulk->jobs; job != NULL; job = job->next) {
        if (slice_is(id, job->id) && slice_equals(job->ask.who, who) && !job->cancelled) {
            return job;
        }
    }
    return NULL;
}

static bool may_poll(struct job *job)
{
    int64_t now = time_monotonic();
    job->polls += (double)(now - job->polled) / (double)MICROS_PER_SECOND * POLLS_A_SECOND;
    job->polled = now;
    job->polls = job->polls > POLLS_AT_ONCE ? POLLS_AT_ONCE : job->polls;
    if (job->polls < 1.0) {
        return false;
    }
    job->polls -= 1.0;
    return true;
}

static enum status look(struct bulk *bulk, struct job *job, struct slice base_url,
                        struct arena *arena, struct bulk_view *view)
{
    if (job->state < BULK_DONE && !may_poll(job)) {
        return STATUS_TOO_MANY;
    }
    *view = (struct bulk_view){.state = job->running ? job->state : BULK_WAITING,
                               .done = atomic_load(&job->done),
                               .all = job->selected ? job->all : 0,
                               .status = job->status};
    for (const struct job *other = bulk->jobs; other != job; other = other->next) {
        view->before += other->state < BULK_DONE && !other->cancelled;
    }
    if (job->state >= BULK_DONE) {
        view->state = job->state;
        view->expires = job->finished + bulk->options.keep * MICROS_PER_SECOND;
    }
    if (job->state == BULK_DONE) {
        struct buffer out = {.arena = arena};
        manifest_write(job, base_url, &out);
        view->people = job->people;
        view->manifest = buffer_slice(&out);
        return buffer_ok(&out) ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    return STATUS_OK;
}

enum status bulk_look(struct bulk *bulk, struct slice id, struct slice who, struct slice base_url,
                      struct arena *arena, struct bulk_view *ret_view)
{
    (void)pthread_mutex_lock(&bulk->lock);
    struct job *job = find(bulk, id, who);
    enum status status =
        job != NULL ? look(bulk, job, base_url, arena, ret_view) : STATUS_NOT_FOUND;
    (void)pthread_mutex_unlock(&bulk->lock);
    return status;
}

/* ---- ending -------------------------------------------------------------------------------------
 */

enum status bulk_cancel(struct bulk *bulk, struct slice id, struct slice who)
{
    (void)pthread_mutex_lock(&bulk->lock);
    struct job *job = find(bulk, id, who);
    bool running = job != NULL && job->running;
    if (job != NULL) {
        bulk->totals.cancelled++;
        job->cancelled = true; /* whoever works on it removes it */
        job_forget(job);
        for (struct job **at = &bulk->jobs; !running && *at != NULL; at = &(*at)->next) {
            if (*at == job) {
                *at = job->next;
                break;
            }
        }
        (void)pthread_cond_broadcast(&bulk->changed);
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    if (job != NULL && !running) {
        job_remove(job);
        job_destroy(job);
    }
    return job != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

/* ---- numbers ------------------------------------------------------------------------------------
 */

void bulk_statistics(struct bulk *bulk, struct bulk_statistics *ret_numbers)
{
    (void)pthread_mutex_lock(&bulk->lock);
    *ret_numbers = bulk->totals;
    for (const struct job *job = bulk->jobs; job != NULL; job = job->next) {
        bool open = job->state < BULK_DONE;
        ret_numbers->running += open && job->running;
        ret_numbers->waiting += open && !job->running;
        ret_numbers->kept += !open;
        ret_numbers->left += open && job->selected ? job->all - atomic_load(&job->done) : 0;
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    ret_numbers->resources = atomic_load(&bulk->resources);
    ret_numbers->bytes = atomic_load(&bulk->bytes);
}
