/* SPDX-License-Identifier: MIT */
/* The list of imports over HTTP: opened, begun, asked about, ended. */
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed/jobs_int.h"

/* How often a client may ask how far a job is: so many at once, and so many a second. */
#define POLLS_AT_ONCE  60.0
#define POLLS_A_SECOND 2.0

/* ---- what an earlier process left ---------------------------------------------------------------
 */

static void append(struct feed_jobs *jobs, struct feed_job *job)
{
    struct feed_job **at = &jobs->list;
    while (*at != NULL && (*at)->begun <= job->begun) {
        at = &(*at)->next;
    }
    job->next = *at;
    *at = job;
}

static enum status take_folder(struct feed_jobs *jobs, const char *name)
{
    struct feed_job *job = feed_job_create(jobs, name);
    if (job == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = strlen(name) == UUID_LENGTH ? feed_job_load(job) : STATUS_CORRUPT;
    if (status == STATUS_OK) {
        append(jobs, job);
        return STATUS_OK;
    }
    bool ours =
        status == STATUS_NOT_FOUND || status == STATUS_CORRUPT || status == STATUS_STRUCTURE;
    if (ours) { /* cancelled, or half begun */
        feed_job_remove(job);
    }
    feed_job_destroy(job);
    return ours ? STATUS_OK : status;
}

static enum status take_folders(struct feed_jobs *jobs)
{
    DIR *directory = opendir(jobs->folder);
    const struct dirent *entry;
    enum status status = STATUS_OK;
    while (directory != NULL && status == STATUS_OK && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            status = take_folder(jobs, entry->d_name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return directory != NULL || errno == ENOENT ? status : disk_status(errno);
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

static size_t unfinished(const struct feed_jobs *jobs)
{
    size_t count = 0;
    for (const struct feed_job *job = jobs->list; job != NULL; job = job->next) {
        count += job->state < IMPORT_DONE && !job->cancelled;
    }
    return count;
}

static enum status enter(struct feed_jobs *jobs, struct feed_job *job, struct outcome *outcome)
{
    size_t most = (size_t)jobs->service.config->imports;
    (void)pthread_mutex_lock(&jobs->lock);
    bool room = unfinished(jobs) < most;
    if (room) {
        append(jobs, job);
        jobs->totals.started++;
        (void)pthread_cond_broadcast(&jobs->changed);
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return room ? STATUS_OK
                : outcome_fail(outcome, STATUS_TOO_MANY, "",
                               "%zu imports are not finished yet, and more are not taken: wait for "
                               "one, or cancel it with DELETE.",
                               most);
}

/* Every place is judged before anything is begun: what cannot be had is told at once. */
static enum status check_places(const struct feed_jobs *jobs, const struct import_ask *ask,
                                struct arena *arena, struct outcome *outcome)
{
    for (size_t i = 0; i < ask->count; i++) {
        struct slice url = ask->inputs[i].url;
        const char *plain;
        int file;
        if (!places_is_file(url)) {
            TRY(places_allow(jobs->places, url, arena, outcome, &plain));
            continue;
        }
        TRY(places_open(jobs->places, url, arena, outcome, &file));
        (void)close(file);
    }
    return STATUS_OK;
}

static enum status start(void *context, const struct import_ask *ask, struct arena *arena,
                         struct outcome *outcome, char ret_id[static UUID_LENGTH + 1])
{
    struct feed_jobs *jobs = context;
    TRY(check_places(jobs, ask, arena, outcome));
    bulk_new_id(ret_id);
    struct feed_job *job = feed_job_create(jobs, ret_id);
    if (job == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = feed_job_take(job, ask);
    job->polls = POLLS_AT_ONCE;
    job->polled = time_monotonic();
    if (status == STATUS_OK) {
        status = feed_job_save(job);
    }
    if (status == STATUS_OK) {
        status = enter(jobs, job, outcome);
    }
    if (status != STATUS_OK) {
        feed_job_remove(job);
        feed_job_destroy(job);
    }
    return status;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

/* Expired is gone, also while a long job keeps the thread that removes it. */
static struct feed_job *find(struct feed_jobs *jobs, struct slice id, struct slice who)
{
    int64_t before = time_now() - jobs->service.config->import_keep * MICROS_PER_SECOND;
    for (struct feed_job *job = jobs->list; job != NULL; job = job->next) {
        if (slice_is(id, job->id) && slice_equals(job->ask.who, who) && !job->cancelled &&
            (job->state < IMPORT_DONE || job->finished >= before)) {
            return job;
        }
    }
    return NULL;
}

static bool may_poll(struct feed_job *job)
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

static enum status look_at(struct feed_jobs *jobs, struct feed_job *job, struct slice base_url,
                           struct arena *arena, struct import_view *view)
{
    if (job->state < IMPORT_DONE && !may_poll(job)) {
        return STATUS_TOO_MANY;
    }
    *view = (struct import_view){.state = job->running ? job->state : IMPORT_WAITING,
                                 .input = job->at + 1,
                                 .count = job->ask.count,
                                 .done = atomic_load(&job->done),
                                 .all = atomic_load(&job->all),
                                 .stored = atomic_load(&job->stored),
                                 .status = job->status};
    for (const struct feed_job *other = jobs->list; other != job; other = other->next) {
        view->before += other->state < IMPORT_DONE && !other->cancelled;
    }
    if (job->state >= IMPORT_DONE) {
        view->state = job->state;
        view->expires = job->finished + jobs->service.config->import_keep * MICROS_PER_SECOND;
    }
    if (job->state == IMPORT_DONE) {
        struct buffer out = {.arena = arena};
        feed_job_manifest(job, base_url, &out);
        view->manifest = buffer_slice(&out);
        return buffer_ok(&out) ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    return STATUS_OK;
}

static enum status look(void *context, struct slice id, struct slice who, struct slice base_url,
                        struct arena *arena, struct import_view *ret_view)
{
    struct feed_jobs *jobs = context;
    (void)pthread_mutex_lock(&jobs->lock);
    struct feed_job *job = find(jobs, id, who);
    enum status status =
        job != NULL ? look_at(jobs, job, base_url, arena, ret_view) : STATUS_NOT_FOUND;
    (void)pthread_mutex_unlock(&jobs->lock);
    return status;
}

/* Names are "1.ndjson" and so on: a number, so that none leads out of the folder. */
static bool input_of(const struct feed_job *job, struct slice name, size_t *ret_input)
{
    uint64_t number;
    struct slice first = slice_cut(&name, '.');
    if (!slice_is(name, "ndjson") || !slice_to_unsigned(first, job->ask.count, &number) ||
        number == 0 || first.at[0] == '0') {
        return false;
    }
    *ret_input = (size_t)number - 1;
    return job->intakes[*ret_input].errors > 0;
}

static enum status open_file(void *context, struct slice id, struct slice who, struct slice name,
                             int *ret_file, uint64_t *ret_length)
{
    struct feed_jobs *jobs = context;
    char path[4096];
    size_t input = 0;
    (void)pthread_mutex_lock(&jobs->lock);
    const struct feed_job *job = find(jobs, id, who);
    bool there = job != NULL && job->state == IMPORT_DONE && input_of(job, name, &input);
    if (there) {
        (void)snprintf(path, sizeof path, "%s/%zu.ndjson", job->folder, input + 1);
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    struct stat about;
    int file = there ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (!there || file < 0) {
        return STATUS_NOT_FOUND;
    }
    if (fstat(file, &about) != 0) {
        (void)close(file);
        return STATUS_IO;
    }
    *ret_file = file;
    *ret_length = (uint64_t)about.st_size;
    return STATUS_OK;
}

/* ---- ending -------------------------------------------------------------------------------------
 */

static enum status cancel(void *context, struct slice id, struct slice who)
{
    struct feed_jobs *jobs = context;
    (void)pthread_mutex_lock(&jobs->lock);
    struct feed_job *job = find(jobs, id, who);
    bool running = job != NULL && job->running;
    if (job != NULL) {
        jobs->totals.cancelled++;
        job->cancelled = true; /* whoever works on it removes it */
        feed_job_forget(job);
        for (struct feed_job **at = &jobs->list; !running && *at != NULL; at = &(*at)->next) {
            if (*at == job) {
                *at = job->next;
                break;
            }
        }
        (void)pthread_cond_broadcast(&jobs->changed);
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    if (job != NULL && !running) {
        feed_job_remove(job);
        feed_job_destroy(job);
    }
    return job != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

static void count(void *context, struct import_statistics *ret_numbers)
{
    struct feed_jobs *jobs = context;
    (void)pthread_mutex_lock(&jobs->lock);
    *ret_numbers = jobs->totals;
    for (const struct feed_job *job = jobs->list; job != NULL; job = job->next) {
        bool open = job->state < IMPORT_DONE;
        ret_numbers->running += open && job->running;
        ret_numbers->waiting += open && !job->running;
        ret_numbers->kept += !open;
    }
    (void)pthread_mutex_unlock(&jobs->lock);
}

/* ---- opening and closing ------------------------------------------------------------------------
 */

static enum status open_parts(struct feed_jobs *jobs, struct outcome *outcome)
{
    const struct config *config = jobs->service.config;
    TRY(places_read(&config->import_url, config->import_folder, jobs->arena, outcome,
                    &jobs->places));
    if (jobs->folder == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return STATUS_MEMORY;
    }
    TRY(take_folders(jobs));
    /* Its own threads: a long import takes none from requests. */
    TRY(workers_start(jobs->service.store, (size_t)config->import_threads, &jobs->service.workers));
    jobs->runs = pthread_create(&jobs->thread, NULL, feed_jobs_run, jobs) == 0;
    return jobs->runs ? STATUS_OK : STATUS_MEMORY;
}

enum status feed_jobs_open(struct service *service, struct outcome *outcome,
                           struct feed_jobs **ret_jobs)
{
    struct arena *arena = arena_create(0);
    struct feed_jobs *jobs = arena != NULL ? ARENA_NEW(arena, struct feed_jobs) : NULL;
    *ret_jobs = NULL;
    if (jobs == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    jobs->arena = arena;
    jobs->service = *service;
    jobs->service.workers = NULL;
    jobs->folder = arena_print(arena, "%s/imports", service->config->data);
    jobs->importer = (struct importer){jobs, start, look, cancel, open_file, count};
    (void)pthread_mutex_init(&jobs->lock, NULL);
    (void)pthread_cond_init(&jobs->changed, NULL);
    enum status status = open_parts(jobs, outcome);
    if (status != STATUS_OK) {
        feed_jobs_close(jobs);
        return outcome->errors > 0
                   ? status
                   : outcome_fail(outcome, status, "data",
                                  "The folder imports in the data folder cannot be used: check "
                                  "rights, space and memory.");
    }
    service->importer = &jobs->importer;
    *ret_jobs = jobs;
    return STATUS_OK;
}

void feed_jobs_close(struct feed_jobs *jobs)
{
    if (jobs == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->lock);
    if (jobs->runs) {
        (void)pthread_join(jobs->thread, NULL);
    }
    workers_stop(jobs->service.workers);
    for (struct feed_job *job = jobs->list, *next; job != NULL; job = next) {
        next = job->next;
        feed_job_destroy(job);
    }
    (void)pthread_cond_destroy(&jobs->changed);
    (void)pthread_mutex_destroy(&jobs->lock);
    arena_destroy(jobs->arena);
}
