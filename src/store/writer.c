/* SPDX-License-Identifier: MIT */
/* store: the queue of jobs and the group commit. Whatever waits when the writer is free becomes one
 * transaction, a savepoint each; so a lone job is not delayed and a crowd shares one sync. */
#include "learn_int.h"
#include "store_int.h"

#define GROUP_JOBS 1024
#define GROUP_TIME (100 * 1000) /* microseconds after which a group is closed */

struct group {
    struct store_job *jobs[GROUP_JOBS];
    enum status statuses[GROUP_JOBS];
    size_t count;
};

bool store_jobs_run_together(const struct store *store)
{
    return store->writer_count > 1;
}

void store_submit(struct store *store, struct store_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&store->lock_queue);
    if (store->last != NULL) {
        store->last->next = job;
    } else {
        store->first = job;
    }
    store->last = job;
    store->waiting++;
    if (job->large && store->writers != NULL) {
        pthread_cond_broadcast(&store->queue_filled); /* it is for one of them only */
    } else {
        pthread_cond_signal(&store->queue_filled);
    }
    pthread_mutex_unlock(&store->lock_queue);
}

/* The first that may be taken, out of the queue; NULL: there is none. */
static struct store_job *take_first(struct store *store, bool large)
{
    struct store_job *before = NULL;
    struct store_job *job = store->first;
    while (job != NULL && job->large && !large) {
        before = job;
        job = job->next;
    }
    if (job == NULL) {
        return NULL;
    }
    if (before != NULL) {
        before->next = job->next;
    } else {
        store->first = job->next;
    }
    if (store->last == job) {
        store->last = before;
    }
    store->waiting--;
    return job;
}

struct store_job *store_queue_take(struct store *store, bool large, bool wait)
{
    pthread_mutex_lock(&store->lock_queue);
    struct store_job *job = take_first(store, large);
    while (job == NULL && wait && !store->stopping) {
        pthread_cond_wait(&store->queue_filled, &store->lock_queue);
        job = take_first(store, large);
    }
    pthread_mutex_unlock(&store->lock_queue);
    return job;
}

/* ---- counters ---------------------------------------------------------------------------------
 */

enum status counters_load(struct connection *connection, struct counters *ret_counters)
{
    struct statement *statement;
    memset(ret_counters, 0, sizeof(*ret_counters));
    ret_counters->patient = PATIENT_FIRST - 1;
    TRY(statement_get(connection, SQL_STATE_GET, &statement));
    statement_bind_text(statement, 1, SLICE("counters"));
    bool row = false;
    TRY(statement_row(connection, statement, &row));
    if (!row) {
        return STATUS_OK;
    }
    struct slice bytes = statement_blob(statement, 0);
    bool fits = bytes.length == sizeof(*ret_counters);
    if (fits) {
        memcpy(ret_counters, bytes.at, bytes.length);
    }
    statement_reset(statement);
    return fits ? STATUS_OK : STATUS_CORRUPT;
}

enum status number_next(struct writer *writer, enum number_kind kind, int64_t *ret_number)
{
    struct counters *counters = &writer->counters;
    if (writer->connection.db == NULL) {
        return postgres_number_next(writer, kind, ret_number);
    }
    switch (kind) {
    case NUMBER_ENTITY:
        *ret_number = ++counters->entity;
        return STATUS_OK;
    case NUMBER_PATIENT:
        *ret_number = ++counters->patient;
        return STATUS_OK;
    case NUMBER_CODE:
        *ret_number = ++counters->code;
        return STATUS_OK;
    case NUMBER_SYSTEM:
        *ret_number = ++counters->system;
        return STATUS_OK;
    case NUMBER_PLACE:
    case NUMBER_KINDS:
        break;
    }
    return STATUS_INTERNAL;
}

static enum status counters_store(struct writer *writer)
{
    if (memcmp(&writer->counters, &writer->written, sizeof(writer->counters)) == 0) {
        return STATUS_OK;
    }
    struct statement *statement;
    TRY(statement_get(&writer->connection, SQL_STATE_SET, &statement));
    statement_bind_text(statement, 1, SLICE("counters"));
    statement_bind_blob(statement, 2,
                        slice_of((const char *)&writer->counters, sizeof(writer->counters)));
    return statement_run(&writer->connection, statement);
}

/* ---- a group ----------------------------------------------------------------------------------
 */

static enum status run_statement(struct writer *writer, enum statement_number number)
{
    struct statement *statement;
    TRY(statement_get(&writer->connection, number, &statement));
    return statement_run(&writer->connection, statement);
}

/* The savepoint of a job. When even this fails nobody knows what a commit would keep: all of the
 * group is undone. */
static enum status savepoint(struct writer *writer, enum statement_number number)
{
    enum status status = run_statement(writer, number);
    if (status != STATUS_OK && writer->connection.doomed == STATUS_OK) {
        writer->connection.doomed = status;
    }
    return status;
}

static enum status job_run(struct writer *writer, struct store_job *job)
{
    struct counters before = writer->counters;
    if (writer->connection.doomed == STATUS_OK) {
        writer->connection.doomed = words_begin_job(writer);
    }
    TRY(writer->connection.doomed);
    TRY(savepoint(writer, SQL_SAVEPOINT));
    writer->deadline = job_deadline(job);
    enum status status = job->run(writer->tx, job->context);
    arena_reset(writer->scratch, 0);
    if (writer->connection.doomed != STATUS_OK) {
        return writer->connection.doomed;
    }
    /* A read left open inside the savepoint would keep it from being released. */
    statements_reset(&writer->connection);
    if (status != STATUS_OK) {
        TRY(savepoint(writer, SQL_ROLLBACK_JOB));
        writer->counters = before;
        writer->word_count = writer->words_before;
        if (writer->touched) {
            writer_forget(writer);
        }
    }
    writer->touched = false;
    TRY(savepoint(writer, SQL_RELEASE));
    return status;
}

static enum status group_run(struct writer *writer, struct store *store, struct group *group)
{
    writer->connection.doomed = STATUS_OK;
    enum status status = database_begin(&writer->connection, true);
    int64_t end = time_monotonic() + GROUP_TIME;
    for (size_t i = 0; status == STATUS_OK && i < group->count; i++) {
        group->statuses[i] = job_run(writer, group->jobs[i]);
        status = writer->connection.doomed;
        if (group->count < GROUP_JOBS && i + 1 == group->count && time_monotonic() < end) {
            struct store_job *more = store_queue_take(store, true, false);
            if (more != NULL) {
                group->jobs[group->count++] = more;
            }
        }
    }
    if (status == STATUS_OK) {
        status = words_flush(writer);
    }
    if (status == STATUS_OK) {
        status = counters_store(writer);
    }
    if (status == STATUS_OK) {
        store->turn++;
        status = database_commit(&writer->connection);
        store->turn++;
    }
    if (status != STATUS_OK) {
        statements_reset(&writer->connection);
        database_rollback(&writer->connection);
        writer->counters = writer->written;
        writer->word_count = 0;
        writer_forget(writer);
        return status;
    }
    writer->written = writer->counters;
    return STATUS_OK;
}

static void group_report(struct store *store, struct group *group, enum status status)
{
    bool was_full = store->full;
    pthread_mutex_lock(&store->lock_queue);
    if (status == STATUS_OK) {
        store->commits++;
        store->shown = store->writer->counters;
        for (size_t i = 0; i < group->count; i++) {
            store->jobs += group->statuses[i] == STATUS_OK;
        }
    }
    store->full = status == STATUS_NO_SPACE || (was_full && status != STATUS_OK);
    bool full = store->full;
    pthread_mutex_unlock(&store->lock_queue);
    if (store->writer->taught) {
        store->writer->taught = false;
        learner_told(store);
    }
    if (full && !was_full) {
        log_event(LOG_STORE_FULL, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    } else if (was_full && !full) {
        log_event(LOG_STORE_RECOVERED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    } else if (status != STATUS_OK && status != STATUS_NO_SPACE) {
        log_event(LOG_STORE_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    }
    for (size_t i = 0; i < group->count; i++) {
        struct store_job *job = group->jobs[i];
        job->done(job->context, status != STATUS_OK ? status : group->statuses[i]);
    }
}

/* The log is brought to its end between two groups: see restart_log. */
static void turn_begin(struct store *store)
{
    pthread_mutex_lock(&store->lock_queue);
    while (store->log_restarting) {
        pthread_cond_wait(&store->turn_ended, &store->lock_queue);
    }
    store->group_running = true;
    pthread_mutex_unlock(&store->lock_queue);
}

static void turn_end(struct store *store)
{
    pthread_mutex_lock(&store->lock_queue);
    store->group_running = false;
    pthread_cond_broadcast(&store->turn_ended);
    pthread_mutex_unlock(&store->lock_queue);
}

void *store_writer_main(void *context)
{
    struct store *store = context;
    struct group group;
    struct store_job *job;
    while ((job = store_queue_take(store, true, true)) != NULL) {
        group.count = 0;
        do {
            group.jobs[group.count++] = job;
        } while (group.count < GROUP_JOBS && (job = store_queue_take(store, true, false)) != NULL);
        turn_begin(store);
        enum status status = group_run(store->writer, store, &group);
        turn_end(store);
        group_report(store, &group, status);
    }
    return NULL;
}

/* ---- waiting for a job ------------------------------------------------------------------------
 */

struct waiter {
    enum status (*run)(struct store_tx *tx, void *context);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum status status;
};

static enum status waiter_run(struct store_tx *tx, void *context)
{
    struct waiter *waiter = context;
    return waiter->run(tx, waiter->context);
}

static void waiter_done(void *context, enum status status)
{
    struct waiter *waiter = context;
    pthread_mutex_lock(&waiter->lock);
    waiter->status = status;
    waiter->done = true;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->lock);
}

enum status store_write(struct store *store, enum status (*run)(struct store_tx *tx, void *context),
                        void *context)
{
    return writer_wait(store, run, context, false);
}

enum status writer_wait(struct store *store, enum status (*run)(struct store_tx *tx, void *context),
                        void *context, bool learns)
{
    if (store->writer == NULL) {
        return STATUS_FORBIDDEN;
    }
    struct waiter waiter = {.run = run, .context = context};
    struct store_job job = {
        .run = waiter_run, .done = waiter_done, .context = &waiter, .learns = learns};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.changed, NULL);
    store_submit(store, &job);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done) {
        pthread_cond_wait(&waiter.changed, &waiter.lock);
    }
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.changed);
    pthread_mutex_destroy(&waiter.lock);
    return waiter.status;
}
