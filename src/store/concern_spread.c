/* SPDX-License-Identifier: MIT */
/* store: what a write changes in whom other resources concern. */
#include "concern_int.h"

/* A place whose patients may be others now. GAINS: only these came; NULL: find them all anew. */
struct touched {
    int64_t place;
    const struct number_set *gains;
};

struct spread {
    struct store_tx *tx;
    struct connection *connection;
    struct arena *arena;
    struct outcome *outcome;
    size_t looked;
    struct touched *queue;
    size_t count, capacity, at;
    /* The queue goes in waves, and a place stands once in each: what many lead to is looked at
     * when all of them are done. The sets hold the wave that is being gathered. */
    size_t wave_end;
    struct number_set anew, gaining;
    const struct number_set *wave_gains;
};

static void next_wave(struct spread *spread)
{
    spread->wave_end = spread->count;
    spread->anew = (struct number_set){.arena = spread->arena};
    spread->gaining = (struct number_set){.arena = spread->arena};
    spread->wave_gains = NULL;
}

/* Does it stand in this wave already, with no less to do? */
static bool stands(struct spread *spread, int64_t place, const struct number_set *gains)
{
    if (gains == NULL) {
        return !number_set_add(&spread->anew, place);
    }
    spread->wave_gains = spread->wave_gains == NULL ? gains : spread->wave_gains;
    return number_set_has(&spread->anew, place) ||
           (gains == spread->wave_gains && !number_set_add(&spread->gaining, place));
}

static enum status touch(struct spread *spread, int64_t place, const struct number_set *gains)
{
    if (stands(spread, place, gains)) {
        return spread->anew.broken || spread->gaining.broken ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    if (spread->count == spread->capacity) {
        size_t capacity = spread->capacity == 0 ? 16 : spread->capacity * 2;
        struct touched *queue =
            arena_resize(spread->arena, spread->queue, spread->capacity * sizeof(*queue),
                         capacity * sizeof(*queue));
        if (queue == NULL) {
            return STATUS_TOO_COSTLY;
        }
        spread->queue = queue;
        spread->capacity = capacity;
    }
    spread->queue[spread->count++] = (struct touched){place, gains};
    return STATUS_OK;
}

static enum status touch_key(struct spread *spread, struct slice key,
                             const struct number_set *gains)
{
    struct number_set places = {.arena = spread->arena};
    TRY(concern_places(spread->connection, key, &places));
    for (size_t i = 0; i < places.count; i++) {
        TRY(touch(spread, places.items[i], gains));
    }
    return STATUS_OK;
}

/* The Binary that a key says is held, and its past versions. */
static enum status touch_held(struct spread *spread, struct slice key,
                              const struct number_set *gains)
{
    resource_type type;
    struct packed_id id;
    struct entry entry;
    struct statement *statement;
    bool row = false;
    if (!concern_key_resource(key, &type, &id)) {
        return STATUS_CORRUPT;
    }
    TRY(directory_find(spread->tx, type, &id, &entry));
    if (!entry.known || entry.state == ENTRY_MENTIONED) {
        return STATUS_OK;
    }
    if (entry.state == ENTRY_LIVE) {
        TRY(touch(spread, entry.rid, gains));
    }
    TRY(statement_get(spread->connection, SQL_PAST_OF_ID, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_id(statement, 2, &id);
    statement_bind_number(statement, 3, INT64_MAX);
    TRY(statement_row(spread->connection, statement, &row));
    while (row) {
        TRY(touch(spread, -statement_number(statement, 0), gains));
        TRY(statement_row(spread->connection, statement, &row));
    }
    statement_reset(statement);
    return STATUS_OK;
}

static enum status touch_dependents(struct spread *spread, resource_type type,
                                    const struct packed_id *id, const struct concern *concern,
                                    const struct number_set *gains)
{
    struct buffer key = {.arena = spread->arena};
    tie_write(TIE_RESOURCE, type, id, &key);
    TRY(buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY);
    TRY(touch_key(spread, buffer_slice(&key), gains));
    for (size_t i = 0; i < concern->key_count; i++) {
        if (concern->keys[i].at[0] == TIE_HOLDS) {
            TRY(touch_held(spread, concern->keys[i], gains));
        }
    }
    return STATUS_OK;
}

static enum status set_others(struct connection *connection, int64_t place, const uint32_t *others,
                              size_t count, struct arena *arena)
{
    struct buffer blob = {.arena = arena};
    struct statement *statement;
    patients_write(others, count, &blob);
    TRY(buffer_ok(&blob) ? STATUS_OK : STATUS_TOO_COSTLY);
    TRY(statement_get(connection, place >= 0 ? SQL_OTHERS_CURRENT : SQL_OTHERS_PAST, &statement));
    statement_bind_number(statement, 1, place >= 0 ? place : -place);
    if (blob.length > 0) {
        statement_bind_blob(statement, 2, buffer_slice(&blob));
    } else {
        statement_bind_null(statement, 2);
    }
    return statement_run(connection, statement);
}

static enum status run_member(struct connection *connection, enum statement_number number,
                              uint32_t patient, int64_t place)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    statement_bind_number(statement, 1, patient);
    statement_bind_number(statement, 2, place);
    return statement_run(connection, statement);
}

enum status concern_set_members(struct connection *connection, int64_t place,
                                const struct head *head, const struct number_set *patients)
{
    for (size_t i = 0; i < head->other_count; i++) {
        if (!number_set_has(patients, head->others[i])) {
            TRY(run_member(connection, SQL_MEMBER_REMOVE, head->others[i], place));
        }
    }
    for (size_t i = 0; i < patients->count; i++) {
        if (patients->items[i] != head->home) {
            TRY(run_member(connection, SQL_MEMBER_ADD, (uint32_t)patients->items[i], place));
        }
    }
    return STATUS_OK;
}

enum status concern_set_patients(struct connection *connection, int64_t place,
                                 const struct head *head, const struct number_set *patients,
                                 struct arena *arena)
{
    uint32_t *others = arena_array(arena, patients->count + 1, sizeof(*others));
    size_t count = 0;
    if (others == NULL || patients->broken) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < patients->count; i++) {
        if (patients->items[i] != head->home) {
            others[count++] = (uint32_t)patients->items[i];
        }
    }
    TRY(set_others(connection, place, others, count, arena));
    return place >= 0 ? concern_set_members(connection, place, head, patients) : STATUS_OK;
}

static bool has_changed(const struct head *head, const struct number_set *patients)
{
    size_t before = head->other_count + (head->home >= PATIENT_FIRST);
    bool changed = patients->count != before;
    for (size_t i = 0; i < head->other_count && !changed; i++) {
        changed = !number_set_has(patients, head->others[i]);
    }
    return changed;
}

static bool is_about(const struct head *head, int64_t patient)
{
    bool found = patient == head->home;
    for (size_t i = 0; i < head->other_count && !found; i++) {
        found = patient == head->others[i];
    }
    return found;
}

/* What is tied to something deleted concerns whom the tombstone does; to a past version nothing is
 * tied. */
static enum status touch_further(struct spread *spread, int64_t place, const struct head *head,
                                 const struct concern *concern, const struct number_set *gains)
{
    struct entry entry;
    if (place < 0 && !head->tombstone) {
        return STATUS_OK;
    }
    if (place < 0) {
        TRY(directory_find(spread->tx, head->type, &head->id, &entry));
        if (entry.state != ENTRY_DELETED || entry.version != head->version) {
            return STATUS_OK;
        }
    }
    return touch_dependents(spread, head->type, &head->id, concern, gains);
}

static enum status settle(struct spread *spread, const struct touched *touched)
{
    struct head head;
    struct concern concern;
    int64_t place = touched->place;
    TRY(concern_look(&spread->looked, spread->outcome));
    TRY(concern_head(spread->connection, place, spread->arena, &head));
    if (touched->gains != NULL && touched->gains->count == 1 &&
        is_about(&head, touched->gains->items[0])) {
        return STATUS_OK;
    }
    TRY(concern_read(spread->connection, place, head.other_count, spread->arena, &concern));
    struct number_set *patients = ARENA_NEW(spread->arena, struct number_set);
    if (patients == NULL) {
        return STATUS_TOO_COSTLY;
    }
    patients->arena = spread->arena;
    bool keeps = place < 0 || touched->gains != NULL;
    concern_add(patients, head.home, head.others, keeps ? head.other_count : concern.direct);
    for (size_t i = 0; touched->gains != NULL && i < touched->gains->count; i++) {
        (void)number_set_add(patients, touched->gains->items[i]);
    }
    if (touched->gains == NULL) {
        TRY(concern_reach_run(spread->tx, head.type, &head.id, place, &concern, &spread->looked,
                              spread->arena, spread->outcome, patients));
    }
    if (patients->broken || !has_changed(&head, patients)) {
        return patients->broken ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    TRY(concern_set_patients(spread->connection, place, &head, patients, spread->arena));
    size_t others = patients->count - (head.home >= PATIENT_FIRST);
    TRY(concern_tied_write(spread->connection, place, &concern, others, spread->arena));
    return touch_further(spread, place, &head, &concern, touched->gains);
}

static enum status touch_identifier(struct spread *spread, const struct fact *fact,
                                    const struct number_set *gains)
{
    struct buffer key = {.arena = spread->arena};
    if (fact->parameter != concern_identifier(spread->connection->store) ||
        fact->tree != TREE_TEXT) {
        return STATUS_OK;
    }
    buffer_add_byte(&key, TIE_IDENTIFIER);
    buffer_add(&key, fact->text);
    TRY(buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY);
    return touch_key(spread, buffer_slice(&key), gains);
}

/* Identifiers that a Patient has now and had not, or has no more. */
static enum status touch_identifiers(struct spread *spread, const struct concern_change *change)
{
    const struct facts *old = change->old_facts, *new = change->new_facts;
    struct number_set *self = ARENA_NEW(spread->arena, struct number_set);
    size_t i = 0, j = 0;
    if (self == NULL) {
        return STATUS_TOO_COSTLY;
    }
    self->arena = spread->arena;
    (void)number_set_add(self, change->after.items[0]); /* the home comes first */
    while (i < old->count || j < new->count) {
        int order = i >= old->count   ? 1
                    : j >= new->count ? -1
                                      : fact_compare(&old->items[i], &new->items[j]);
        if (order < 0) {
            TRY(touch_identifier(spread, &old->items[i], NULL));
        } else if (order > 0) {
            TRY(touch_identifier(spread, &new->items[j], self));
        }
        i += order <= 0;
        j += order >= 0;
    }
    return self->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

static bool same_set(const struct number_set *a, const struct number_set *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++) {
        same = number_set_has(b, a->items[i]);
    }
    return same;
}

static bool has_key(const struct concern *concern, struct slice key)
{
    return concern->key_count > 0 &&
           bsearch(&key, concern->keys, concern->key_count, sizeof(key), concern_key_order) != NULL;
}

static enum status touch_first(struct spread *spread, const struct concern_change *change)
{
    bool fresh = !change->was_live && !change->was_deleted;
    bool other = !change->was_live || !same_set(&change->before, &change->after);
    const struct number_set *gains = fresh ? &change->after : NULL;
    if (other) {
        TRY(touch_dependents(spread, change->type, change->id, change->new, gains));
    }
    for (size_t i = 0; i < change->new->key_count && !other; i++) {
        struct slice key = change->new->keys[i];
        if (key.at[0] == TIE_HOLDS && !has_key(change->old, key)) {
            TRY(touch_held(spread, key, &change->after));
        }
    }
    for (size_t i = 0; i < change->old->key_count; i++) {
        struct slice key = change->old->keys[i];
        if (key.at[0] == TIE_HOLDS && !has_key(change->new, key)) {
            TRY(touch_held(spread, key, NULL));
        }
    }
    if (change->type == spread->connection->store->patient_type) {
        TRY(touch_identifiers(spread, change));
    }
    return STATUS_OK;
}

enum status concern_spread(struct store_tx *tx, const struct concern_change *change,
                           struct arena *arena, struct outcome *outcome)
{
    struct spread spread = {
        .tx = tx, .connection = tx->connection, .arena = arena, .outcome = outcome};
    next_wave(&spread);
    TRY(touch_first(&spread, change));
    while (spread.at < spread.count) {
        if (spread.at == spread.wave_end) {
            next_wave(&spread);
        }
        struct touched touched = spread.queue[spread.at++];
        TRY(settle(&spread, &touched));
    }
    return STATUS_OK;
}
