/* SPDX-License-Identifier: MIT */
/* The sequencer: moves what writes left in the store's outbox into the log, within a second. */
#include "audit/audit_int.h"

#define ROWS_AT_ONCE      1000
#define BYTES_AT_ONCE     ((size_t)64 << 20)
#define PAUSE_NANOSECONDS 200000000L

uint32_t audit_ticket_entries(const struct audit_ticket *ticket)
{
    if (ticket->origin == 0) {
        return (uint32_t)ticket->count;
    }
    uint32_t count = 0;
    for (struct slice rest = ticket->entries[0]; rest.length >= 4; count++) {
        uint32_t length;
        memcpy(&length, rest.at, 4);
        rest = slice_from(rest, 4 + (size_t)length);
    }
    return count;
}

/* A row's ticket, and the wait for the last of them. */
struct row {
    struct audit_ticket ticket;
    struct slice payload;
};

struct collection {
    struct audit *audit;
    struct arena *arena;
    struct row *rows;
    size_t count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t waiting;
    enum status status;
};

static enum status collect(void *context, uint64_t number, struct slice entry)
{
    struct collection *all = context;
    struct row *row = &all->rows[all->count];
    row->payload = arena_copy(all->arena, entry);
    if (row->payload.at == NULL) {
        return all->count > 0 ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    row->ticket.origin = number;
    all->count++;
    return STATUS_OK;
}

static void row_done(void *context, enum status status)
{
    struct collection *all = context;
    (void)pthread_mutex_lock(&all->lock);
    if (status != STATUS_OK) {
        all->status = status;
    }
    all->waiting--;
    (void)pthread_cond_signal(&all->changed);
    (void)pthread_mutex_unlock(&all->lock);
}

static enum status append_all(struct collection *all)
{
    all->waiting = all->count;
    for (size_t i = 0; i < all->count; i++) {
        struct row *row = &all->rows[i];
        row->ticket.entries = &row->payload;
        row->ticket.count = 1;
        row->ticket.done = row_done;
        row->ticket.context = all;
        audit_append(all->audit, &row->ticket);
    }
    (void)pthread_mutex_lock(&all->lock);
    while (all->waiting > 0) {
        (void)pthread_cond_wait(&all->changed, &all->lock);
    }
    (void)pthread_mutex_unlock(&all->lock);
    return all->status;
}

static enum status remove_rows(struct store_tx *tx, void *context)
{
    return store_outbox_remove(tx, *(uint64_t *)context);
}

/* Moves up to ROWS_AT_ONCE rows; a row that is already in the log (a crash came between the two)
 * is only removed. */
static enum status move_some(struct audit *audit, struct store_reader *reader,
                             struct collection *all, size_t *ret_moved)
{
    struct store_tx *tx;
    all->count = 0;
    all->status = STATUS_OK;
    uint64_t origin = audit->origin;
    TRY(store_snapshot_begin(reader, 0, &tx));
    enum status status = store_outbox_read(tx, origin, ROWS_AT_ONCE, collect, all);
    store_snapshot_end(tx);
    TRY(status);
    *ret_moved = all->count;
    if (all->count == 0) {
        return STATUS_OK;
    }
    uint64_t last = all->rows[all->count - 1].ticket.origin;
    TRY(append_all(all));
    return store_write(audit->store, remove_rows, &last);
}

/* An arena that was full once is full until it is reset: each round begins with a new one, so that
 * too many rows at once, or a moment without memory, hold up nothing that comes after. */
static enum status move_round(struct audit *audit, struct store_reader *reader,
                              struct collection *all, size_t *ret_moved)
{
    *ret_moved = 0;
    arena_reset(all->arena, BYTES_AT_ONCE);
    all->rows = arena_array(all->arena, ROWS_AT_ONCE, sizeof *all->rows);
    return all->rows != NULL ? move_some(audit, reader, all, ret_moved) : STATUS_MEMORY;
}

static bool pause_or_stop(struct audit *audit)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += PAUSE_NANOSECONDS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&audit->lock);
    if (!audit->stopping) {
        (void)pthread_cond_timedwait(&audit->supply, &audit->lock, &until);
    }
    bool stopping = audit->stopping;
    (void)pthread_mutex_unlock(&audit->lock);
    return stopping;
}

static void sequence(struct audit *audit, struct store_reader *reader, struct collection *all)
{
    for (bool stopping = false;;) {
        size_t moved;
        enum status status = move_round(audit, reader, all, &moved);
        if (stopping && (moved == 0 || status != STATUS_OK)) {
            return;
        }
        if ((moved < ROWS_AT_ONCE || status != STATUS_OK) && !stopping) {
            stopping = pause_or_stop(audit);
        }
    }
}

void *audit_sequencer_main(void *context)
{
    struct audit *audit = context;
    struct store_reader *reader = NULL;
    struct collection all = {.audit = audit, .arena = arena_create(BYTES_AT_ONCE)};
    (void)pthread_mutex_init(&all.lock, NULL);
    (void)pthread_cond_init(&all.changed, NULL);
    if (all.arena != NULL && store_reader_open(audit->store, &reader) == STATUS_OK) {
        sequence(audit, reader, &all);
        store_reader_close(reader);
    } else {
        log_event(LOG_AUDIT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(STATUS_MEMORY)));
    }
    (void)pthread_cond_destroy(&all.changed);
    (void)pthread_mutex_destroy(&all.lock);
    arena_destroy(all.arena);
    (void)pthread_mutex_lock(&audit->lock);
    audit->sequencer_runs = false;
    (void)pthread_cond_broadcast(&audit->work);
    (void)pthread_mutex_unlock(&audit->lock);
    return NULL;
}

/* ---- which store the outbox numbers in the log are of ---- */

struct generation {
    struct audit *audit;
    struct arena *arena;
    struct slice logged; /* what the log's folder says; empty: nothing */
    struct slice current;
};

static enum status settle_generation(struct store_tx *tx, void *context)
{
    struct generation *generation = context;
    struct slice name = SLICE(STORE_GENERATION);
    enum status status = store_note_get(tx, name, generation->arena, &generation->current);
    if (status == STATUS_NOT_FOUND) {
        char fresh[UUID_LENGTH + 1];
        random_uuid(fresh);
        generation->current = arena_copy(generation->arena, slice_text(fresh));
        status = store_note_set(tx, name, generation->current);
    }
    TRY(status);
    bool other = !slice_equals(generation->current, generation->logged);
    uint64_t origin = generation->audit->origin;
    return other && origin > 0 ? store_outbox_renumber(tx, origin) : store_outbox_begin(tx, origin);
}

/* A store that was restored gives outbox numbers that the log knows already. */
static enum status match_generations(struct audit *audit, struct store *store)
{
    struct generation generation = {.audit = audit, .arena = arena_create((size_t)1 << 20)};
    if (generation.arena == NULL) {
        return STATUS_MEMORY;
    }
    const char *path = arena_print(generation.arena, "%s/store", audit->folder);
    enum status status = disk_read_file(path, 4096, generation.arena, &generation.logged);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        status = store_write(store, settle_generation, &generation);
    }
    if (status == STATUS_OK && !slice_equals(generation.current, generation.logged)) {
        status = disk_replace_file(path, generation.current);
    }
    arena_destroy(generation.arena);
    return status;
}

enum status audit_sequence(struct audit *audit, struct store *store)
{
    TRY(match_generations(audit, store));
    audit->store = store;
    audit->sequencer_runs = true;
    audit->sequencer_started =
        pthread_create(&audit->sequencer, NULL, audit_sequencer_main, audit) == 0;
    if (!audit->sequencer_started) {
        audit->sequencer_runs = false;
        return STATUS_MEMORY;
    }
    return STATUS_OK;
}
