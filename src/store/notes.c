/* SPDX-License-Identifier: MIT */
/* store: the outbox of access entries, named facts that commit with the data, and numbers. */
#include "store_int.h"

/* On a server rows are told apart by the log they are for (postgres_open.c); READ: where to stop,
 * since a slower transaction may still add a row with a lower number. */
static enum status bind_log(struct store_tx *tx, struct statement *statement, bool read)
{
    if (tx->connection->db != NULL) {
        return STATUS_OK;
    }
    statement_bind_number(statement, 3, tx->connection->store->log);
    if (read) {
        int64_t horizon;
        TRY(change_horizon(tx->connection, &horizon));
        statement_bind_number(statement, 4, horizon >> CHANGE_BITS);
    }
    return STATUS_OK;
}

enum status store_outbox_add(struct store_tx *tx, struct slice entry)
{
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_OUTBOX_ADD, &statement));
    statement_bind_number(statement, 1, ++tx->writer->counters.outbox);
    statement_bind_blob(statement, 2, entry);
    TRY(bind_log(tx, statement, false));
    return statement_run(tx->connection, statement);
}

/* From the next transaction on numbers are higher by this, and one more. */
static enum status origin_raise(struct store_tx *tx, int64_t by)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_SERVER_ORIGIN, &statement));
    statement_bind_number(statement, 1, by + 1);
    return statement_run(tx->connection, statement);
}

enum status store_outbox_begin(struct store_tx *tx, uint64_t after)
{
    if (tx->writer == NULL || after > INT64_MAX) {
        return STATUS_INTERNAL;
    }
    struct counters *counters = &tx->writer->counters;
    if (tx->connection->db == NULL) {
        return (int64_t)after < counters->outbox
                   ? STATUS_OK
                   : origin_raise(tx, ((int64_t)after - counters->outbox) >> CHANGE_BITS);
    }
    counters->outbox = counters->outbox < (int64_t)after ? (int64_t)after : counters->outbox;
    return STATUS_OK;
}

enum status store_outbox_read(struct store_tx *tx, uint64_t after, size_t max,
                              store_outbox_visit *visit, void *context)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_OUTBOX_READ, &statement));
    statement_bind_number(statement, 1, (int64_t)after);
    statement_bind_number(statement, 2, max < INT64_MAX ? (int64_t)max : INT64_MAX);
    TRY(bind_log(tx, statement, true));
    bool row = false;
    enum status status = statement_row(tx->connection, statement, &row);
    while (status == STATUS_OK && row) {
        status =
            visit(context, (uint64_t)statement_number(statement, 0), statement_blob(statement, 1));
        if (status == STATUS_OK) {
            status = statement_row(tx->connection, statement, &row);
        }
    }
    statement_reset(statement);
    return status;
}

enum status store_outbox_renumber(struct store_tx *tx, uint64_t after)
{
    struct statement *statement;
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    /* By more than any number that is there, so that no row meets another on its way. */
    int64_t known = tx->writer->counters.outbox;
    int64_t shift = (int64_t)after > known ? (int64_t)after : known;
    TRY(statement_get(tx->connection, SQL_OUTBOX_SHIFT, &statement));
    statement_bind_number(statement, 1, shift);
    TRY(bind_log(tx, statement, false));
    TRY(statement_run(tx->connection, statement));
    if (tx->connection->db == NULL) {
        return origin_raise(tx, shift >> CHANGE_BITS);
    }
    tx->writer->counters.outbox += shift;
    return STATUS_OK;
}

enum status store_outbox_remove(struct store_tx *tx, uint64_t up_to)
{
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_OUTBOX_REMOVE, &statement));
    statement_bind_number(statement, 1, (int64_t)up_to);
    TRY(bind_log(tx, statement, false));
    return statement_run(tx->connection, statement);
}

enum status store_note_set(struct store_tx *tx, struct slice name, struct slice value)
{
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_NOTE_SET, &statement));
    statement_bind_blob(statement, 1, name);
    statement_bind_blob(statement, 2, value);
    return statement_run(tx->connection, statement);
}

enum status store_note_get(struct store_tx *tx, struct slice name, struct arena *arena,
                           struct slice *ret_value)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_NOTE_GET, &statement));
    statement_bind_blob(statement, 1, name);
    bool row = false;
    TRY(statement_row(tx->connection, statement, &row));
    if (!row) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = arena_copy(arena, statement_blob(statement, 0));
    statement_reset(statement);
    return ret_value->at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status store_note_remove(struct store_tx *tx, struct slice name)
{
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_NOTE_REMOVE, &statement));
    statement_bind_blob(statement, 1, name);
    return statement_run(tx->connection, statement);
}

static uint64_t file_bytes(const struct store *store)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    uint64_t bytes = 0;
    int code =
        sqlite3_open_v2(store->file, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, store->vfs);
    if (code == SQLITE_OK &&
        sqlite3_prepare_v2(db,
                           "SELECT page_count*page_size FROM pragma_page_count,"
                           " pragma_page_size",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        bytes = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return bytes;
}

/* Whatever process wrote them. */
static enum status ask_server(struct store *store, struct store_statistics *ret_numbers)
{
    struct connection connection = {0};
    struct statement *statement;
    bool row = false;
    TRY(database_open(store, false, &connection));
    enum status status = statement_get(&connection, SQL_SERVER_SUM, &statement);
    if (status == STATUS_OK) {
        status = statement_row(&connection, statement, &row);
    }
    if (row) {
        ret_numbers->resources = (uint64_t)statement_number(statement, 0);
        ret_numbers->versions = (uint64_t)statement_number(statement, 1);
        ret_numbers->patients = (uint64_t)statement_number(statement, 2);
        ret_numbers->file_bytes = (uint64_t)statement_number(statement, 3);
        ret_numbers->last_change = (uint64_t)statement_number(statement, 4);
    }
    database_close(&connection);
    return status == STATUS_OK && !row ? STATUS_INTERNAL : status;
}

enum status store_statistics(struct store *store, struct store_statistics *ret_numbers)
{
    uint64_t bytes = store->database == NULL ? file_bytes(store) : 0;
    pthread_mutex_lock(&store->lock_queue);
    *ret_numbers = (struct store_statistics){
        .resources = (uint64_t)store->shown.resources,
        .versions = (uint64_t)store->shown.versions,
        .patients = (uint64_t)store->shown.patients,
        .last_change = (uint64_t)store->shown.change,
        .commits = store->commits,
        .jobs = store->jobs,
        .waiting = store->waiting,
        .file_bytes = bytes,
        .full = store->full,
    };
    pthread_mutex_unlock(&store->lock_queue);
    if (store->database != NULL) {
        return ask_server(store, ret_numbers);
    }
    return bytes != 0 ? STATUS_OK : STATUS_IO;
}
