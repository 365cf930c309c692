/* SPDX-License-Identifier: MIT */
/* The threads that work on jobs, and the one that removes what has expired. */
#include <stdio.h>
#include <time.h>

#include "bulk/bulk_int.h"

#define TRIES 5 /* at what may pass by itself: no memory, a part that is busy */

static void wait_a_while(struct bulk *bulk, int64_t micros)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    int64_t nanos = until.tv_nsec + micros * 1000;
    until.tv_sec += nanos / 1000000000;
    until.tv_nsec = nanos % 1000000000;
    (void)pthread_mutex_lock(&bulk->lock);
    if (!bulk->stopping) {
        (void)pthread_cond_timedwait(&bulk->changed, &bulk->lock, &until);
    }
    (void)pthread_mutex_unlock(&bulk->lock);
}

static bool may_pass(enum status status)
{
    return status == STATUS_MEMORY || status == STATUS_BUSY || status == STATUS_TRANSIENT;
}

/* ---- one job ------------------------------------------------------------------------------------
 */

static void set_state(struct job *job, enum bulk_state state)
{
    (void)pthread_mutex_lock(&job->bulk->lock);
    job->state = state;
    (void)pthread_mutex_unlock(&job->bulk->lock);
}

static enum status finish(struct job *job)
{
    int64_t now = time_now();
    (void)pthread_mutex_lock(&job->bulk->lock);
    job->finished = now;
    (void)pthread_mutex_unlock(&job->bulk->lock);
    /* On disk as done before it is told as done. */
    TRY(job_save_state(job, BULK_DONE));
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", job->folder, SELECTION);
    (void)disk->unlink(path);
    set_state(job, BULK_DONE);
    return STATUS_OK;
}

static enum status work_on(struct job *job, struct store_reader *reader)
{
    if (!job->selected) {
        set_state(job, BULK_SELECTING);
        TRY(job_select(job, reader));
        TRY(job_save_state(job, BULK_WRITING));
    }
    set_state(job, BULK_WRITING);
    TRY(job_write(job, reader));
    return finish(job);
}

/* Its files go first: a full disk is the usual cause, and the state needs room too. When even that
 * cannot be saved the job begins again in the next process. */
static void fail(struct job *job, enum status status)
{
    log_event(LOG_EXPORT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    job_remove_files(job);
    (void)pthread_mutex_lock(&job->bulk->lock);
    job->state = BULK_FAILED;
    job->status = status;
    job->finished = time_now();
    job->file_count = 0;
    job->bulk->totals.failed++;
    (void)pthread_mutex_unlock(&job->bulk->lock);
    if (job_save_state(job, BULK_FAILED) != STATUS_OK) {
        log_event(LOG_EXPORT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(STATUS_IO)));
    }
}

static void work_until_done(struct job *job, struct store_reader *reader)
{
    enum status status = STATUS_OK;
    for (int tries = 0; tries < TRIES && !job_ends(job); tries++) {
        status = work_on(job, reader);
        if (status == STATUS_OK) {
            (void)pthread_mutex_lock(&job->bulk->lock);
            job->bulk->totals.done++;
            (void)pthread_mutex_unlock(&job->bulk->lock);
            return;
        }
        if (!may_pass(status) || job_ends(job)) {
            break;
        }
        wait_a_while(job->bulk, MICROS_PER_SECOND / 2 << tries);
    }
    if (!job_ends(job)) {
        fail(job, status);
    }
}

/* ---- the threads --------------------------------------------------------------------------------
 */

static void unlink_job(struct bulk *bulk, const struct job *job)
{
    for (struct job **at = &bulk->jobs; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            return;
        }
    }
}

static struct job *next_job(struct bulk *bulk)
{
    for (;;) {
        for (struct job *job = bulk->jobs; job != NULL && !bulk->stopping; job = job->next) {
            if (!job->running && !job->cancelled && job->state < BULK_DONE) {
                return job;
            }
        }
        if (bulk->stopping) {
            return NULL;
        }
        (void)pthread_cond_wait(&bulk->changed, &bulk->lock);
    }
}

void *bulk_run(void *context)
{
    struct bulk *bulk = context;
    struct store_reader *reader = NULL;
    while (store_reader_open(bulk->options.store, &reader) != STATUS_OK) {
        if (bulk->stopping) {
            return NULL;
        }
        wait_a_while(bulk, MICROS_PER_SECOND);
    }
    (void)pthread_mutex_lock(&bulk->lock);
    for (struct job *job; (job = next_job(bulk)) != NULL;) {
        job->running = true;
        (void)pthread_mutex_unlock(&bulk->lock);
        work_until_done(job, reader);
        (void)pthread_mutex_lock(&bulk->lock);
        job->running = false;
        if (job->cancelled) {
            unlink_job(bulk, job);
            (void)pthread_mutex_unlock(&bulk->lock);
            job_remove(job);
            job_destroy(job);
            (void)pthread_mutex_lock(&bulk->lock);
        }
        (void)pthread_cond_broadcast(&bulk->changed);
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    store_reader_close(reader);
    return NULL;
}

/* The first that has expired, taken out of the list; NULL: none. */
static struct job *take_expired(struct bulk *bulk)
{
    int64_t before = time_now() - bulk->options.keep * MICROS_PER_SECOND;
    for (struct job *job = bulk->jobs; job != NULL; job = job->next) {
        if (!job->running && job->state >= BULK_DONE && job->finished < before) {
            unlink_job(bulk, job);
            bulk->totals.expired++;
            return job;
        }
    }
    return NULL;
}

void *bulk_keep(void *context)
{
    struct bulk *bulk = context;
    while (!bulk->stopping) {
        (void)pthread_mutex_lock(&bulk->lock);
        struct job *job = take_expired(bulk);
        (void)pthread_mutex_unlock(&bulk->lock);
        if (job != NULL) {
            job_remove(job);
            job_destroy(job);
        } else {
            wait_a_while(bulk, MICROS_PER_SECOND);
        }
    }
    return NULL;
}
