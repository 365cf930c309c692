/* SPDX-License-Identifier: MIT */
/* store: every index row recomputed from the bodies, some hundred resources a transaction. How far
 * it came commits with each, so that a stopped run goes on where it was. */
#include "store_int.h"

#define RESOURCES_A_JOB 500

struct reindexing {
    struct store *store;
    struct arena *arena;
    int64_t after; /* the last place done */
    uint64_t done;
    bool finished;
};

#define REINDEX_NOTE SLICE("store.reindex")

static enum status reindex_row(struct store_tx *tx, struct arena *arena, sqlite3_stmt *row,
                               int64_t *ret_rid)
{
    struct connection *connection = tx->connection;
    int64_t rid = sqlite3_column_int64(row, 0);
    resource_type type = (resource_type)sqlite3_column_int(row, 1);
    int64_t base = sqlite3_column_int64(row, 3) >> METHOD_BITS;
    struct slice body;
    struct facts old = {.arena = arena}, new;
    struct slice blob = arena_copy(arena, statement_blob(row, 2));
    if (blob.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(body_decompress(connection, statement_blob(row, 5), sqlite3_column_int64(row, 4), arena,
                        &body));
    sqlite3_reset(row);
    TRY(facts_read(blob, &old));
    TRY(facts_of_body(tx, type, body, base, arena, &new));
    TRY(facts_exchange(connection, &old, rid, &new, rid));
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
    sqlite3_stmt *statement;
    TRY(statement_get(connection, SQL_RESOURCE_FACTS_SET, &statement));
    sqlite3_bind_int64(statement, 1, rid);
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
    sqlite3_stmt *statement;
    work->finished = true;
    work->after = INT64_MIN;
    TRY(statement_get(tx->connection, SQL_PARAMETERS_READY, &statement));
    return statement_run(tx->connection, statement);
}

static enum status reindex_some(struct store_tx *tx, void *context)
{
    struct reindexing *work = context;
    for (int i = 0; i < RESOURCES_A_JOB && !work->finished; i++) {
        sqlite3_stmt *statement;
        bool row = false;
        TRY(statement_get(tx->connection, SQL_REINDEX_NEXT, &statement));
        sqlite3_bind_int64(statement, 1, work->after);
        TRY(statement_row(tx->connection, statement, &row));
        if (!row) {
            TRY(reindex_end(tx, work));
            break;
        }
        arena_reset(work->arena, 0);
        TRY(reindex_row(tx, work->arena, statement, &work->after));
        work->done++;
    }
    return store_note_set(tx, REINDEX_NOTE,
                          slice_of((const char *)&work->after, sizeof(work->after)));
}

static void parameters_ready(struct store *store)
{
    for (resource_type type = 1; type <= resource_type_count(store->definitions); type++) {
        for (uint32_t i = 0; i < store->parameter_counts[type]; i++) {
            store->parameters[type][i].ready = true;
        }
    }
}

enum status store_reindex(struct store *store, store_progress *progress, void *context,
                          struct outcome *outcome)
{
    struct reindexing work = {.store = store, .arena = arena_create(0), .after = INT64_MIN};
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
            progress(context, work.done, numbers.resources);
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
    sqlite3_stmt *statement;
    TRY(statement_get(tx->connection, SQL_NOTE_REMOVE, &statement));
    statement_bind_blob(statement, 1, SLICE("store.concern"));
    return statement_run(tx->connection, statement);
}

enum status concern_catch_up(struct store *store, struct outcome *outcome)
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
    TRY(store_reindex(store, NULL, NULL, outcome));
    return store_write(store, forget_catching_up, NULL);
}
