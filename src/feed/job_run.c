/* SPDX-License-Identifier: MIT */
/* The thread that works on imports over HTTP, one at a time, file after file. */
#include <stdio.h>
#include <time.h>

#include "feed/jobs_int.h"

#define TRIES 5 /* at what may pass by itself: no memory, a part that is busy */

static void wait_locked(struct feed_jobs *jobs, int64_t micros)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    int64_t nanos = until.tv_nsec + micros * 1000;
    until.tv_sec += nanos / 1000000000;
    until.tv_nsec = nanos % 1000000000;
    if (!jobs->stopping) {
        (void)pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until);
    }
}

void feed_jobs_wait(struct feed_jobs *jobs, int64_t micros)
{
    (void)pthread_mutex_lock(&jobs->lock);
    wait_locked(jobs, micros);
    (void)pthread_mutex_unlock(&jobs->lock);
}

/* ---- one job ------------------------------------------------------------------------------------
 */

static enum status finish(struct feed_job *job)
{
    int64_t now = time_now();
    (void)pthread_mutex_lock(&job->jobs->lock);
    job->finished = now;
    (void)pthread_mutex_unlock(&job->jobs->lock);
    TRY(feed_job_save_state(job, IMPORT_DONE)); /* before it is told as done */
    (void)pthread_mutex_lock(&job->jobs->lock);
    job->state = IMPORT_DONE;
    job->jobs->totals.done++;
    (void)pthread_mutex_unlock(&job->jobs->lock);
    return STATUS_OK;
}

static enum status work_on(struct feed_job *job)
{
    for (size_t i = 0; i < job->ask.count; i++) {
        if (feed_job_ends(job)) {
            return STATUS_BUSY;
        }
        if (job->intakes[i].state != INTAKE_DONE) {
            TRY(feed_job_run_input(job, i));
        }
    }
    return finish(job);
}

/* When even that cannot be saved the job goes on in the next process. */
static void fail(struct feed_job *job, enum status status)
{
    log_event(LOG_IMPORT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    (void)pthread_mutex_lock(&job->jobs->lock);
    job->state = IMPORT_FAILED;
    job->status = status;
    job->finished = time_now();
    job->jobs->totals.failed++;
    (void)pthread_mutex_unlock(&job->jobs->lock);
    for (size_t i = 0; i < job->ask.count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%zu.data", job->folder, i + 1);
        (void)disk->unlink(path);
    }
    if (feed_job_save_state(job, IMPORT_FAILED) != STATUS_OK) {
        log_event(LOG_IMPORT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(STATUS_IO)));
    }
}

static bool may_pass(enum status status)
{
    return status == STATUS_MEMORY || status == STATUS_BUSY || status == STATUS_TRANSIENT;
}

static void work_until_done(struct feed_job *job)
{
    enum status status = STATUS_OK;
    for (int tries = 0; tries < TRIES && !feed_job_ends(job); tries++) {
        status = work_on(job);
        if (status == STATUS_OK) {
            return;
        }
        if (!may_pass(status) || feed_job_ends(job)) {
            break;
        }
        feed_jobs_wait(job->jobs, MICROS_PER_SECOND / 2 << tries);
    }
    if (!feed_job_ends(job)) {
        fail(job, status);
    }
}

/* ---- the thread ---------------------------------------------------------------------------------
 */

static void unlink_job(struct feed_jobs *jobs, const struct feed_job *job)
{
    for (struct feed_job **at = &jobs->list; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            return;
        }
    }
}

static struct feed_job *next_job(struct feed_jobs *jobs)
{
    for (struct feed_job *job = jobs->list; job != NULL; job = job->next) {
        if (!job->cancelled && job->state < IMPORT_DONE) {
            return job;
        }
    }
    return NULL;
}

static struct feed_job *expired_job(struct feed_jobs *jobs)
{
    int64_t before = time_now() - jobs->service.config->import_keep * MICROS_PER_SECOND;
    for (struct feed_job *job = jobs->list; job != NULL; job = job->next) {
        if (job->state >= IMPORT_DONE && job->finished < before) {
            return job;
        }
    }
    return NULL;
}

static void drop(struct feed_jobs *jobs, struct feed_job *job)
{
    unlink_job(jobs, job);
    (void)pthread_mutex_unlock(&jobs->lock);
    feed_job_remove(job);
    feed_job_destroy(job);
    (void)pthread_mutex_lock(&jobs->lock);
}

static void run_job(struct feed_jobs *jobs, struct feed_job *job)
{
    job->running = true;
    (void)pthread_mutex_unlock(&jobs->lock);
    work_until_done(job);
    (void)pthread_mutex_lock(&jobs->lock);
    job->running = false;
    if (job->cancelled) {
        drop(jobs, job);
    }
}

void *feed_jobs_run(void *context)
{
    struct feed_jobs *jobs = context;
    (void)pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        struct feed_job *expired = expired_job(jobs), *job = next_job(jobs);
        if (expired != NULL) {
            drop(jobs, expired);
        } else if (job != NULL) {
            run_job(jobs, job);
        } else {
            wait_locked(jobs, MICROS_PER_SECOND);
        }
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return NULL;
}
