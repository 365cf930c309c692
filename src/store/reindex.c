/* SPDX-License-Identifier: MIT */
/* store: every index row recomputed from the bodies, some thousand resources a transaction, and
 * then the ties of what is in history. How far it came commits with each, so that a stopped run
 * goes on where it was. */
#include "learn_int.h"
#include "store_int.h"

#define RESOURCES_A_JOB 2000

struct reindexing {
    struct store *store;
    struct arena *arena;
    struct {
        int64_t place;  /* the last one done */
        int64_t change; /* of history, the last one done; negative: places are not done yet */
    } after;
    uint64_t done;
    bool finished;
};

#define REINDEX_NOTE SLICE("store.reindex")

enum status reindex_row(struct store_tx *tx, struct arena *arena, struct statement *row,
                        int64_t *ret_rid)
{
    struct connection *connection = tx->connection;
    int64_t rid = statement_number(row, 0);
    resource_type type = (resource_type)statement_number(row, 1);
    int64_t base = statement_number(row, 3) >> METHOD_BITS;
    struct slice body;
    struct facts old = {.arena = arena}, new;
    struct slice blob = arena_copy(arena, statement_blob(row, 2));
    if (blob.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(body_decompress(connection, statement_blob(row, 5), statement_number(row, 4), arena,
                        &body));
    statement_reset(row);
    TRY(facts_read(blob, &old));
    TRY(facts_of_body(tx, type, body, base, arena, &new));
    TRY(facts_exchange(connection, &old, rid, &new, rid));
    for (size_t i = 0; i < new.count; i++) {
        TRY(stray_note(connection, &new.items[i], rid));
    }
    TRY(pairs_mend(connection, type, &old, &new, rid, arena));
    TRY(words_put(tx, &new, rid));
    TRY(concern_repair(tx, rid, body, base, arena));
    struct buffer out = {.arena = arena};
    facts_write(&new, &out);
    if (!buffer_ok(&out)) {
        return STATUS_TOO_COSTLY;
    }
    *ret_rid = rid;
    if (slice_equals(buffer_slice(&out), blob)) {
        return STATUS_OK;
    }
    struct statement *statement;
    TRY(statement_get(connection, SQL_RESOURCE_FACTS_SET, &statement));
    statement_bind_number(statement, 1, rid);
    statement_bind_blob(statement, 2, buffer_slice(&out));
    return statement_run(connection, statement);
}

static enum status reindex_start(struct store_tx *tx, void *context)
{
    struct reindexing *work = context;
    struct slice value;
    enum status status = store_note_get(tx, REINDEX_NOTE, work->arena, &value);
    if (status == STATUS_OK && value.length == sizeof(work->after)) {
        memcpy(&work->after, value.at, sizeof(work->after));
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status reindex_end(struct store_tx *tx, struct reindexing *work)
{
    struct statement *statement;
    work->finished = true;
    work->after.place = INT64_MIN;
    work->after.change = -1;
    TRY(statement_get(tx->connection, SQL_PARAMETERS_READY, &statement));
    return statement_run(tx->connection, statement);
}

static enum status reindex_past(struct store_tx *tx, struct reindexing *work, struct statement *row)
{
    struct slice body;
    int64_t change = statement_number(row, 0);
    int64_t base = statement_number(row, 1) >> METHOD_BITS;
    TRY(body_decompress(tx->connection, statement_blob(row, 3), statement_number(row, 2),
                        work->arena, &body));
    statement_reset(row);
    TRY(concern_repair_past(tx, (uint64_t)change, body, base, work->arena));
    work->after.change = change;
    return STATUS_OK;
}

static enum status reindex_one(struct store_tx *tx, struct reindexing *work)
{
    struct statement *statement;
    bool row = false, past = work->after.change >= 0;
    TRY(statement_get(tx->connection, past ? SQL_REINDEX_PAST : SQL_REINDEX_NEXT, &statement));
    statement_bind_number(statement, 1, past ? work->after.change : work->after.place);
    TRY(statement_row(tx->connection, statement, &row));
    if (!row && past) {
        return reindex_end(tx, work);
    }
    if (!row) {
        work->after.change = 0;
        return STATUS_OK;
    }
    arena_reset(work->arena, 0);
    work->done++;
    return past ? reindex_past(tx, work, statement)
                : reindex_row(tx, work->arena, statement, &work->after.place);
}

static enum status reindex_some(struct store_tx *tx, void *context)
{
    struct reindexing *work = context;
    for (int i = 0; i < RESOURCES_A_JOB && !work->finished; i++) {
        TRY(reindex_one(tx, work));
    }
    return store_note_set(tx, REINDEX_NOTE,
                          slice_of((const char *)&work->after, sizeof(work->after)));
}

static void make_ready(struct parameter *known)
{
    known->ready = known->ready != 0 ? (int64_t)known->ready : time_monotonic();
}

static void parameters_ready(struct store *store)
{
    for (size_t i = 0; i < store->pair_count; i++) {
        make_ready(&store->pairs[i].known);
    }
    for (resource_type type = 1; type <= resource_type_count(store->definitions); type++) {
        for (uint32_t i = 0; i < store->parameter_counts[type]; i++) {
            make_ready(&store->parameters[type][i]);
        }
        make_ready(&store->presence[type]);
    }
}

enum status store_reindex(struct store *store, store_progress *progress, void *context,
                          struct outcome *outcome)
{
    struct reindexing work = {.store = store, .arena = arena_create(0), .after = {INT64_MIN, -1}};
    struct store_statistics numbers;
    if (work.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_statistics(store, &numbers);
    if (status == STATUS_OK) {
        status = store_write(store, reindex_start, &work);
    }
    while (status == STATUS_OK && !work.finished) {
        status = store_write(store, reindex_some, &work);
        if (progress != NULL) {
            progress(context, work.done, numbers.resources + numbers.versions);
        }
    }
    arena_destroy(work.arena);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "",
                            "Reindexing stopped. Run it again: it goes on where it was.");
    }
    parameters_ready(store);
    return STATUS_OK;
}

static enum status forget_catching_up(struct store_tx *tx, void *context)
{
    (void)context;
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_NOTE_REMOVE, &statement));
    statement_bind_blob(statement, 1, SLICE("store.concern"));
    return statement_run(tx->connection, statement);
}

enum status layout_catch_up(struct store *store, const struct store_options *options,
                            struct outcome *outcome)
{
    struct slice value;
    struct arena *arena = arena_create(0);
    struct connection connection = {0};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = database_open(store, false, &connection);
    if (status == STATUS_OK) {
        struct store_tx tx = {.connection = &connection};
        status = store_note_get(&tx, SLICE("store.concern"), arena, &value);
    }
    database_close(&connection);
    arena_destroy(arena);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(status);
    log_event(LOG_STORE_CATCHING_UP, LOG_NUMBER(LOG_FIELD_COUNT, store->shown.resources));
    TRY(store_reindex(store, options->progress, options->context, outcome));
    return store_write(store, forget_catching_up, NULL);
}
