/* SPDX-License-Identifier: MIT */
/* store: jobs on a PostgreSQL server. Several threads take them, each with a connection, and each
 * job is a transaction of its own: the server shares syncs among those that commit together.
 *
 * Transactions are SERIALIZABLE: the functions of the store look before they write and are written
 * as if nobody else wrote meanwhile. Where that would not come to the same, the server refuses one
 * of the two, and it is run afresh. */
#include <unistd.h>

#include "learn_int.h"
#include "postgres.h"

#define CLASH_PATIENCE  (20 * MICROS_PER_SECOND) /* while others win */
#define SERVER_PATIENCE (3 * MICROS_PER_SECOND)  /* while no server answers */
#define LONGEST_PAUSE   (100 * 1000)

/* ---- numbers ------------------------------------------------------------------------------------
 */

enum status postgres_number_next(struct writer *writer, enum number_kind kind, int64_t *ret_number)
{
    static const struct {
        enum statement_number statement;
        int64_t count; /* as many as the sequence goes on by */
    } sequences[NUMBER_KINDS] = {[NUMBER_ENTITY] = {SQL_SERVER_ENTITY, 1024},
                                 [NUMBER_PATIENT] = {SQL_SERVER_PATIENT, 64},
                                 [NUMBER_CODE] = {SQL_SERVER_CODE, 16},
                                 [NUMBER_SYSTEM] = {SQL_SERVER_SYSTEM, 16},
                                 [NUMBER_PLACE] = {SQL_SERVER_PLACE, 64}};
    struct number_block *block = &writer->blocks[kind];
    if (block->next == block->end) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(&writer->connection, sequences[kind].statement, &statement));
        TRY(statement_row(&writer->connection, statement, &row));
        block->next = row ? statement_number(statement, 0) : 0;
        block->end = row ? block->next + sequences[kind].count : 0;
        statement_reset(statement);
        if (!row) {
            return STATUS_INTERNAL;
        }
    }
    *ret_number = block->next++;
    return STATUS_OK;
}

/* ---- one attempt --------------------------------------------------------------------------------
 */

/* Whoever does not know all the parameters would write what a search by one of them misses. So a
 * transaction looks whether it does, and the server sees to it that this stays so until it is
 * committed; if not, it waits for the learner. */
static enum status taught_check(struct writer *writer)
{
    struct store *store = writer->connection.store;
    if (writer->taught_there == store->taught) {
        return STATUS_OK;
    }
    if (!store_learning(store)) {
        learner_told(store);
    }
    writer->connection.postgres->again = true;
    return STATUS_BUSY;
}

static enum status attempt_begin(struct writer *writer, bool learns)
{
    struct connection *connection = &writer->connection;
    struct statement *statement;
    bool row = false;
    int64_t begun = time_monotonic();
    writer->transaction = 0;
    TRY(postgres_begin(connection->postgres, true, 0));
    TRY(statement_get(connection, SQL_SERVER_TURN, &statement));
    TRY(statement_row(connection, statement, &row));
    if (!row) {
        return STATUS_INTERNAL;
    }
    writer->transaction = statement_number(statement, 0);
    int64_t change = (statement_number(statement, 2) + writer->transaction) << CHANGE_BITS;
    writer->counters = (struct counters){
        .change = change, .outbox = change, .updated = statement_number(statement, 1)};
    writer->taught_there = statement_number(statement, 3);
    statement_reset(statement);
    writer->word_count = writer->words_before = 0;
    writer->turn++;
    postgres_expected_forget(connection);
    writer->taught = false;
    connection->begun = begun;
    return learns ? STATUS_OK : taught_check(writer);
}

static enum status tally(struct writer *writer)
{
    const struct counters *counters = &writer->counters;
    struct statement *statement;
    if (counters->resources == 0 && counters->versions == 0 && counters->patients == 0) {
        return STATUS_OK;
    }
    TRY(statement_get(&writer->connection, SQL_SERVER_TALLY, &statement));
    statement_bind_number(statement, 1, writer->slot);
    statement_bind_number(statement, 2, counters->resources);
    statement_bind_number(statement, 3, counters->versions);
    statement_bind_number(statement, 4, counters->patients);
    return statement_run(&writer->connection, statement);
}

static enum status mark_attempt(struct writer *writer)
{
    struct statement *statement;
    uint64_t number;
    random_bytes(&number, sizeof(number));
    writer->attempt = (int64_t)(number >> 1);
    TRY(statement_get(&writer->connection, SQL_SERVER_ATTEMPT, &statement));
    statement_bind_number(statement, 1, writer->connection.store->log);
    statement_bind_number(statement, 2, writer - writer->connection.store->writers);
    statement_bind_number(statement, 3, writer->attempt);
    return statement_run(&writer->connection, statement);
}

/* Seen by every process before its next write, and a second later at most. */
static enum status taught_set(struct writer *writer)
{
    struct statement *statement;
    TRY(statement_get(&writer->connection, SQL_SERVER_TAUGHT_SET, &statement));
    statement_bind_number(statement, 1, writer->counters.change);
    return statement_run(&writer->connection, statement);
}

static enum status attempt(struct writer *writer, struct store_job *job)
{
    struct connection *connection = &writer->connection;
    TRY(attempt_begin(writer, job->learns));
    writer->deadline = job_deadline(job); /* of its searches: the server would undo all of it */
    enum status status = job->run(writer->tx, job->context);
    arena_reset(writer->scratch, 0);
    statements_reset(connection);
    if (connection->postgres->failed != STATUS_OK) {
        return connection->postgres->failed;
    }
    TRY(status);
    TRY(words_flush(writer));
    TRY(tally(writer));
    TRY(mark_attempt(writer));
    TRY(writer->taught ? taught_set(writer) : STATUS_OK);
    return database_commit(connection);
}

static void attempt_undo(struct writer *writer)
{
    statements_reset(&writer->connection);
    database_rollback(&writer->connection);
    writer->word_count = writer->words_before = 0;
    if (writer->touched) {
        writer_forget(writer);
    }
}

/* ---- a commit whose answer was lost -------------------------------------------------------------
 */

enum fate { FATE_UNKNOWN, FATE_ABORTED, FATE_COMMITTED, FATE_RUNNING };

static enum status ask_for_row(struct writer *writer, const char *sql, int64_t *ret_number)
{
    TRY(postgres_revive(writer->connection.postgres));
    return postgres_ask(writer->connection.postgres, sql, ret_number);
}

/* First whether it still runs, then, in a later snapshot, whether what it wrote last is there. That
 * its number is committed would say nothing: after a crash the server may have given it again. (One
 * that it has not reached yet cannot be asked for.) */
static enum status fate_of(struct writer *writer, enum fate *ret_fate)
{
    char sql[256];
    int64_t runs = 0, there = 0;
    *ret_fate = FATE_UNKNOWN;
    snprintf(sql, sizeof(sql),
             "SELECT CASE WHEN '%lld'::xid8>=pg_snapshot_xmax(pg_current_snapshot()) THEN 0"
             " ELSE coalesce(pg_xact_status('%lld'::xid8)='in progress', false)::int END",
             (long long)writer->transaction, (long long)writer->transaction);
    TRY(ask_for_row(writer, sql, &runs));
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM attempt WHERE log=%lld AND writer=%d AND number=%lld",
             (long long)writer->connection.store->log,
             (int)(writer - writer->connection.store->writers), (long long)writer->attempt);
    TRY(ask_for_row(writer, sql, &there));
    *ret_fate = there != 0 ? FATE_COMMITTED : runs != 0 ? FATE_RUNNING : FATE_ABORTED;
    return STATUS_OK;
}

/* Waits for the answer as long as there is hope: who is told of a failure tries again, and if it
 * was none everything is there twice. */
static enum fate fate_wait(struct writer *writer, int64_t until)
{
    enum fate fate = FATE_UNKNOWN;
    for (;;) {
        enum status status = fate_of(writer, &fate);
        bool settled = status == STATUS_OK && fate != FATE_RUNNING;
        if (settled || time_monotonic() > until) {
            return status == STATUS_OK ? fate : FATE_UNKNOWN;
        }
        usleep(LONGEST_PAUSE);
    }
}

/* ---- a job --------------------------------------------------------------------------------------
 */

/* The slot of the tally is a lock of the session, so a new session must lease one anew. */
static enum status ready(struct writer *writer)
{
    struct postgres *postgres = writer->connection.postgres;
    unsigned before = postgres->session;
    if (!postgres->in_transaction) {
        TRY(postgres_revive(postgres));
    }
    if (writer->slot >= 0 && before == postgres->session && writer->session == before) {
        return STATUS_OK;
    }
    for (int slot = 0; slot < 100000; slot++) {
        char sql[128];
        int64_t mine = 0;
        snprintf(sql, sizeof(sql), "SELECT pg_try_advisory_lock(1129075284, %d)", slot);
        TRY(postgres_ask(postgres, sql, &mine));
        if (mine != 0) {
            snprintf(sql, sizeof(sql),
                     "INSERT INTO tally VALUES(%d, 0, 0, 0) ON CONFLICT DO NOTHING", slot);
            TRY(postgres_execute(postgres, sql));
            writer->slot = slot;
            writer->session = postgres->session;
            return STATUS_OK;
        }
    }
    return STATUS_BUSY;
}

static bool is_worth_it(const struct writer *writer, enum status status, int64_t begun)
{
    const struct postgres *postgres = writer->connection.postgres;
    int64_t now = time_monotonic();
    bool away = postgres->lost || status == STATUS_TRANSIENT;
    return (postgres->again || away) && now - begun < (away ? SERVER_PATIENCE : CLASH_PATIENCE);
}

static void pause_before(int tries)
{
    uint64_t random;
    random_bytes(&random, sizeof(random));
    int64_t most = (int64_t)500 << (tries < 8 ? tries : 8);
    usleep((useconds_t)(random % (uint64_t)(most < LONGEST_PAUSE ? most : LONGEST_PAUSE)));
}

static void job_done(struct writer *writer)
{
    writer->touched = false;
    if (writer->taught) {
        writer->taught = false;
        learner_told(writer->connection.store);
    }
}

/* *RET_AGAIN: it is worth another attempt. */
static enum status job_try(struct writer *writer, struct store_job *job, int64_t begun,
                           bool *ret_again)
{
    struct postgres *postgres = writer->connection.postgres;
    *ret_again = false;
    postgres->unknown = false;
    enum status status = ready(writer);
    status = status == STATUS_OK ? attempt(writer, job) : status;
    if (status == STATUS_OK) {
        job_done(writer);
        return STATUS_OK;
    }
    bool unknown = postgres->unknown;
    attempt_undo(writer);
    if (unknown) {
        switch (fate_wait(writer, time_monotonic() + SERVER_PATIENCE)) {
        case FATE_COMMITTED:
            job_done(writer);
            return STATUS_OK;
        case FATE_ABORTED:
            postgres->again = true;
            break;
        default:
            return STATUS_TRANSIENT;
        }
    }
    *ret_again = is_worth_it(writer, status, begun) &&
                 (job->patience == 0 || time_monotonic() < begun + job->patience);
    return status;
}

static void turnstile_enter(struct turnstile *turnstile, bool alone)
{
    pthread_mutex_lock(&turnstile->lock);
    uint64_t ticket = turnstile->given++;
    while (turnstile->called != ticket || turnstile->alone || (alone && turnstile->together > 0)) {
        pthread_cond_wait(&turnstile->changed, &turnstile->lock);
    }
    turnstile->called++;
    turnstile->alone = alone;
    turnstile->together += !alone;
    pthread_cond_broadcast(&turnstile->changed);
    pthread_mutex_unlock(&turnstile->lock);
}

static void turnstile_leave(struct turnstile *turnstile)
{
    pthread_mutex_lock(&turnstile->lock);
    turnstile->together -= !turnstile->alone;
    turnstile->alone = false;
    pthread_cond_broadcast(&turnstile->changed);
    pthread_mutex_unlock(&turnstile->lock);
}

/* The first attempt goes beside those of others. Whoever loses goes on alone in this process: a
 * large job would otherwise lose again and again to what is done meanwhile, so it begins alone. */
static enum status job_run(struct writer *writer, struct store_job *job)
{
    struct turnstile *turnstile = writer->connection.store->turnstile;
    int64_t begun = 0;
    for (int tries = 0;; tries++) {
        bool again;
        turnstile_enter(turnstile, job->large || tries > 0);
        begun = begun != 0 ? begun : time_monotonic();
        enum status status = job_try(writer, job, begun, &again);
        turnstile_leave(turnstile);
        if (!again) {
            return status;
        }
        pause_before(tries);
    }
}

static void job_report(struct store *store, struct store_job *job, enum status status)
{
    pthread_mutex_lock(&store->lock_queue);
    store->commits += status == STATUS_OK;
    store->jobs += status == STATUS_OK;
    bool was_full = store->full;
    store->full = status == STATUS_NO_SPACE || (was_full && status != STATUS_OK);
    bool full = store->full;
    pthread_mutex_unlock(&store->lock_queue);
    if (full != was_full) {
        log_event(full ? LOG_STORE_FULL : LOG_STORE_RECOVERED,
                  LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    }
    job->done(job->context, status);
}

void *postgres_writer_main(void *context)
{
    struct writer *writer = context;
    struct store *store = writer->connection.store;
    struct store_job *job;
    /* What is large is for the first of them, who knows the codes and words of what came before. */
    bool large = writer == store->writers;
    while ((job = store_queue_take(store, large, true)) != NULL) {
        job_report(store, job, job_run(writer, job));
    }
    return NULL;
}
