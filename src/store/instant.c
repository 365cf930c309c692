/* SPDX-License-Identifier: MIT */
/* store: a snapshot of one instant. Changes get their times in the order in which they are
 * committed (put.c), so the last one's time says what is in; and once a job that was submitted at
 * some time is durable, so is all that has a time before. */
#include "store_int.h"

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

enum status store_snapshot_instant(struct store_reader *reader, struct store_tx **ret_tx,
                                   int64_t *ret_instant)
{
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
