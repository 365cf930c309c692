/* SPDX-License-Identifier: MIT */
/* store: opening on a PostgreSQL server. Several processes may have one database open: what only
 * one may do at a time (the tables, the numbers of search parameters) is done under a lock of the
 * server. */
#include "learn_int.h"
#include "postgres.h"

#define WRITERS 8

/* Of an empty server onto which the records of an older one were put, transactions begin anew: what
 * is added makes their changes go on behind those that are there. */
static enum status origin_find(struct postgres *postgres)
{
    return postgres_execute(
        postgres, "UPDATE origin SET added=n.needed FROM (SELECT"
                  " coalesce(" SERVER_LAST_CHANGE " >> 20, 0)"
                  " - pg_snapshot_xmax(pg_current_snapshot())::text::int8 + 1 AS needed) n"
                  " WHERE n.needed>added");
}

/* The folder's access log takes the entries of this folder's writes only, whatever other processes
 * write to the database: its name is in the folder, its number in the database. */
static enum status log_find(struct store *store, struct postgres *postgres)
{
    const char *path = arena_print(store->arena, "%s/store.id", store->folder);
    struct slice name;
    char fresh[UUID_LENGTH + 1], sql[400];
    uint8_t bytes[16];
    enum status status = disk_read_file(path, UUID_LENGTH, store->arena, &name);
    if (status == STATUS_NOT_FOUND) {
        random_uuid(fresh);
        name = slice_of(fresh, UUID_LENGTH);
        status = disk_replace_file(path, name);
    }
    TRY(status);
    if (!uuid_pack(name, bytes)) {
        return STATUS_CORRUPT;
    }
    memcpy(store->member, name.at, UUID_LENGTH);
    snprintf(sql, sizeof(sql),
             "WITH new AS (INSERT INTO log(folder) VALUES('%.36s') ON CONFLICT DO NOTHING"
             " RETURNING number) SELECT number FROM new UNION ALL"
             " SELECT number FROM log WHERE folder='%.36s' LIMIT 1",
             name.at, name.at);
    return postgres_ask(postgres, sql, &store->log);
}

static enum status load_locked(struct store *store, struct connection *connection, bool writing,
                               bool create, struct outcome *outcome)
{
    int from = 0, to = 0;
    TRY(postgres_schema_apply(connection->postgres, writing, create, outcome, &from, &to));
    if (outcome != NULL && from != to && from != 0) {
        outcome_note(outcome, "", "The records were migrated from layout %d to %d.", from, to);
    }
    if (writing) {
        TRY(origin_find(connection->postgres));
        TRY(log_find(store, connection->postgres));
    }
    TRY(parameters_load(store, connection, writing));
    return dictionaries_load(connection);
}

static enum status load(struct store *store, struct connection *connection, bool writing,
                        bool create, struct outcome *outcome)
{
    struct postgres *postgres = connection->postgres;
    TRY(postgres_execute(postgres, writing ? "SELECT pg_advisory_lock(1129075283, 1)"
                                           : "SELECT pg_advisory_lock_shared(1129075283, 1)"));
    enum status status = load_locked(store, connection, writing, create, outcome);
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

static enum status turnstile_make(struct store *store)
{
    struct turnstile *turnstile = ARENA_NEW(store->arena, struct turnstile);
    if (turnstile == NULL || pthread_mutex_init(&turnstile->lock, NULL) != 0) {
        return STATUS_MEMORY;
    }
    if (pthread_cond_init(&turnstile->changed, NULL) != 0) {
        pthread_mutex_destroy(&turnstile->lock);
        return STATUS_MEMORY;
    }
    store->turnstile = turnstile;
    return STATUS_OK;
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
        status = load(store, &connection, false, false, outcome);
        if (status == STATUS_OK) {
            status = learner_read_only(store, &connection);
        }
        database_close(&connection);
        return status;
    }
    TRY(turnstile_make(store));
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
        TRY(postgres_expected_make(&writer->connection));
    }
    store->writer = store->writers;
    TRY(load(store, &store->writer->connection, true, !options->must_exist, outcome));
    for (size_t i = 0; i < count; i++) {
        struct writer *writer = &store->writers[i];
        if (pthread_create(&writer->thread, NULL, postgres_writer_main, writer) != 0) {
            return STATUS_MEMORY;
        }
        writer->running = true;
    }
    if (pthread_create(&store->checkpoint_thread, NULL, postgres_keeper_main, store) != 0) {
        return STATUS_MEMORY;
    }
    store->checkpoint_running = true;
    return STATUS_OK;
}

void postgres_store_close(struct store *store)
{
    if (store->turnstile != NULL) {
        pthread_cond_destroy(&store->turnstile->changed);
        pthread_mutex_destroy(&store->turnstile->lock);
    }
    for (size_t i = 0; i < store->writer_count; i++) {
        writer_close(&store->writers[i]);
    }
}
