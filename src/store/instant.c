/* SPDX-License-Identifier: MIT */
/* store: a snapshot of one instant. Changes get their times in the order in which they are
 * committed (put.c), so the last one's time says what is in; and once a job that was submitted at
 * some time is durable, so is all that has a time before. */
#include <unistd.h>

#include "postgres.h"

#define WRITERS_PATIENCE (20 * MICROS_PER_SECOND)

static enum status nothing(struct store_tx *tx, void *context)
{
    (void)tx;
    (void)context;
    return STATUS_OK;
}

/* When the last change was; 0: there was none. */
static enum status last_updated(struct store_tx *tx, int64_t *ret_updated)
{
    struct store_page page;
    struct arena *arena = arena_create(0);
    const struct store_history_query query = {.since = INT64_MIN, .count = 1};
    *ret_updated = 0;
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_history(tx, &query, arena, NULL, &page);
    if (status == STATUS_OK && page.count > 0) {
        *ret_updated = page.items[0].updated;
    }
    arena_destroy(arena);
    return status;
}

/* On a server: while nobody can get a time (turn(), in postgres_schema.c), those who have one come
 * to their end; then all there is has a time before one that is taken now, and what comes is later.
 */
static enum status instant_locked(struct store_reader *reader, struct store_tx **ret_tx,
                                  int64_t *ret_instant)
{
    struct postgres *postgres = reader->connection.postgres;
    int64_t until = time_monotonic() + WRITERS_PATIENCE;
    TRY(postgres_ask(postgres,
                     "SELECT setval('moment', greatest(nextval('moment'),"
                     " (extract(epoch FROM clock_timestamp()) * 1000000)::int8))",
                     ret_instant));
    for (;;) {
        int64_t busy = 0;
        TRY(store_snapshot_begin(reader, 0, ret_tx));
        enum status status = postgres_ask(
            postgres,
            "SELECT pg_snapshot_xmin(s)<>pg_snapshot_xmax(s) FROM pg_current_snapshot() s", &busy);
        if (status == STATUS_OK && busy == 0) {
            return STATUS_OK;
        }
        store_snapshot_end(*ret_tx);
        TRY(status);
        if (time_monotonic() > until) {
            return STATUS_BUSY;
        }
        usleep(10000);
    }
}

static enum status server_instant(struct store_reader *reader, struct store_tx **ret_tx,
                                  int64_t *ret_instant)
{
    struct postgres *postgres = reader->connection.postgres;
    TRY(postgres_revive(postgres));
    TRY(postgres_execute(postgres, "SELECT pg_advisory_lock(1129075283, 2)"));
    enum status status = instant_locked(reader, ret_tx, ret_instant);
    enum status unlocked =
        postgres->lost ? STATUS_OK
                       : postgres_execute(postgres, "SELECT pg_advisory_unlock(1129075283, 2)");
    if (status == STATUS_OK && unlocked != STATUS_OK) {
        store_snapshot_end(*ret_tx);
    }
    return status != STATUS_OK ? status : unlocked;
}

enum status store_snapshot_instant(struct store_reader *reader, struct store_tx **ret_tx,
                                   int64_t *ret_instant)
{
    if (reader->connection.db == NULL) {
        return server_instant(reader, ret_tx, ret_instant);
    }
    int64_t asked = time_now() - 1, last; /* what comes after may have the time it is now */
    TRY(store_write(reader->connection.store, nothing, NULL));
    TRY(store_snapshot_begin(reader, 0, ret_tx));
    enum status status = last_updated(*ret_tx, &last);
    if (status != STATUS_OK) {
        store_snapshot_end(*ret_tx);
        return status;
    }
    *ret_instant = last > asked ? last : asked;
    return STATUS_OK;
}
