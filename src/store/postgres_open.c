/* SPDX-License-Identifier: MIT */
/* store: opening on a PostgreSQL server. Several processes may have one database open: what only
 * one may do at a time (the tables, the numbers of search parameters) is done under a lock of the
 * server. */
#include "postgres.h"

#define WRITERS 8

/* Of an empty server onto which the records of an older one were put, transactions begin anew: what
 * is added makes their changes go on behind those that are there. */
static enum status origin_find(struct postgres *postgres, bool writing, int64_t *ret_origin)
{
    int64_t needed = 0;
    TRY(postgres_ask(postgres, "SELECT added FROM origin", ret_origin));
    TRY(postgres_ask(postgres,
                     "SELECT coalesce((SELECT max(change) >> 20 FROM change), 0)"
                     " - pg_snapshot_xmax(pg_current_snapshot())::text::int8 + 1",
                     &needed));
    if (!writing || needed <= *ret_origin) {
        return STATUS_OK;
    }
    char sql[64];
    snprintf(sql, sizeof(sql), "UPDATE origin SET added=%lld", (long long)needed);
    *ret_origin = needed;
    return postgres_execute(postgres, sql);
}

static enum status load_locked(struct store *store, struct connection *connection, bool writing,
                               struct outcome *outcome)
{
    int from = 0, to = 0;
    TRY(postgres_schema_apply(connection->postgres, writing, outcome, &from, &to));
    if (outcome != NULL && from != to && from != 0) {
        outcome_note(outcome, "", "The records were migrated from layout %d to %d.", from, to);
    }
    TRY(origin_find(connection->postgres, writing, &store->change_origin));
    TRY(parameters_load(store, connection, writing));
    return dictionaries_load(connection);
}

static enum status load(struct store *store, struct connection *connection, bool writing,
                        struct outcome *outcome)
{
    struct postgres *postgres = connection->postgres;
    TRY(postgres_execute(postgres, writing ? "SELECT pg_advisory_lock(1129075283, 1)"
                                           : "SELECT pg_advisory_lock_shared(1129075283, 1)"));
    enum status status = load_locked(store, connection, writing, outcome);
    enum status unlocked = postgres_execute(postgres, "SELECT pg_advisory_unlock_all()");
    return status != STATUS_OK ? status : unlocked;
}

static enum status cannot_connect(enum status status, struct outcome *outcome)
{
    if (status == STATUS_NOT_SUPPORTED) {
        return outcome_fail(outcome, status, "",
                            "The PostgreSQL server is too old. Use version 15 or newer.");
    }
    return outcome_fail(outcome, status, "",
                        "The PostgreSQL server does not answer or does not let this program in "
                        "(%s). Check the address, the user and its rights, and that it runs.",
                        status_name(status));
}

enum status postgres_store_open(struct store *store, const struct store_options *options,
                                struct outcome *outcome)
{
    if (store->read_only) {
        struct connection connection = {0};
        enum status status = database_open(store, false, &connection);
        if (status != STATUS_OK) {
            return cannot_connect(status, outcome);
        }
        status = load(store, &connection, false, outcome);
        database_close(&connection);
        return status;
    }
    size_t count = options->writers > 0 ? options->writers : WRITERS;
    store->writers = arena_array(store->arena, count, sizeof(*store->writers));
    if (store->writers == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        struct writer *writer = &store->writers[i];
        enum status status = database_open(store, true, &writer->connection);
        if (status != STATUS_OK) {
            return cannot_connect(status, outcome);
        }
        store->writer_count++;
        writer->slot = -1;
        TRY(writer_memory(store, writer));
    }
    store->writer = store->writers;
    TRY(load(store, &store->writer->connection, true, outcome));
    for (size_t i = 0; i < count; i++) {
        struct writer *writer = &store->writers[i];
        if (pthread_create(&writer->thread, NULL, postgres_writer_main, writer) != 0) {
            return STATUS_MEMORY;
        }
        writer->running = true;
    }
    return STATUS_OK;
}

void postgres_store_close(struct store *store)
{
    for (size_t i = 0; i < store->writer_count; i++) {
        writer_close(&store->writers[i]);
    }
}
