/* SPDX-License-Identifier: MIT */
/* store: whom a resource concerns by way of others. Its ties (concern_find.c) are rows by which it
 * is found again when what they name arrives or changes; so whoever comes first, the patients in
 * its row and in the table member are always those that can be reached from it now. Versions in
 * history keep ties too, under minus their change, and only ever gain patients. */
#include "concern_int.h"

/* ---- ties of one place -------------------------------------------------------------------------
 */

/* The system of an identifier becomes its number: the key is then that of the identifier's rows in
 * the tree of texts. */
static enum status tie_key(struct store_tx *tx, struct slice tie, struct arena *arena,
                           struct slice *ret_key)
{
    if (tie.at[0] != TIE_IDENTIFIER) {
        *ret_key = tie;
        return STATUS_OK;
    }
    int64_t number = 0;
    struct slice rest = slice_from(tie, 1);
    struct slice system = slice_cut(&rest, '\0');
    struct buffer key = {.arena = arena};
    TRY(intern_system(tx, system, &number));
    buffer_add_byte(&key, TIE_IDENTIFIER);
    text_key_write(rest, number, &key);
    *ret_key = buffer_slice(&key);
    return buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY;
}

int concern_key_order(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    return slice_compare(*x, *y);
}

enum status concern_keys(struct store_tx *tx, const struct text_set *ties, struct arena *arena,
                         struct concern *concern)
{
    concern->keys = arena_array(arena, ties->count + 1, sizeof(*concern->keys));
    if (concern->keys == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < ties->count; i++) {
        TRY(tie_key(tx, ties->items[i], arena, &concern->keys[i]));
    }
    concern->key_count = ties->count;
    if (ties->count > 0) {
        qsort(concern->keys, ties->count, sizeof(*concern->keys), concern_key_order);
    }
    return STATUS_OK;
}

static enum status read_tied(struct slice blob, struct arena *arena, struct concern *concern)
{
    struct slice copy = arena_copy(arena, blob);
    const uint8_t *at = (const uint8_t *)copy.at;
    const uint8_t *end = copy.length > 0 ? at + copy.length : at;
    uint64_t direct = 0, length = 0;
    concern->keys = arena_array(arena, copy.length + 1, sizeof(*concern->keys));
    if (copy.at == NULL || concern->keys == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (!varint_read(&at, end, &direct)) {
        return STATUS_CORRUPT;
    }
    concern->direct = (size_t)direct;
    while (at < end) {
        if (!varint_read(&at, end, &length) || length == 0 || length > (uint64_t)(end - at)) {
            return STATUS_CORRUPT;
        }
        concern->keys[concern->key_count++] = slice_of((const char *)at, (size_t)length);
        at += length;
    }
    return STATUS_OK;
}

enum status concern_read(struct connection *connection, int64_t place, size_t others,
                         struct arena *arena, struct concern *ret_concern)
{
    *ret_concern = (struct concern){.direct = others};
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_TIED_GET, &statement));
    statement_bind_number(statement, 1, place);
    TRY(statement_row(connection, statement, &row));
    enum status status = STATUS_OK;
    if (row) {
        status = read_tied(statement_blob(statement, 0), arena, ret_concern);
        ret_concern->direct = ret_concern->direct < others ? ret_concern->direct : others;
    }
    statement_reset(statement);
    return status;
}

static enum status run_tie(struct connection *connection, enum statement_number number,
                           struct slice key, int64_t place)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    statement_bind_blob(statement, 1, key);
    statement_bind_number(statement, 2, place);
    return statement_run(connection, statement);
}

static bool says_nothing(const struct concern *concern, size_t others)
{
    return concern->key_count == 0 && concern->direct == others;
}

static enum status remove_tied(struct connection *connection, int64_t place)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_TIED_REMOVE, &statement));
    statement_bind_number(statement, 1, place);
    return statement_run(connection, statement);
}

enum status concern_tied_write(struct connection *connection, int64_t place,
                               const struct concern *concern, size_t others, struct arena *arena)
{
    struct buffer blob = {.arena = arena};
    if (says_nothing(concern, others)) {
        return remove_tied(connection, place);
    }
    varint_write(&blob, concern->direct);
    for (size_t i = 0; i < concern->key_count; i++) {
        varint_write(&blob, concern->keys[i].length);
        buffer_add(&blob, concern->keys[i]);
    }
    if (!buffer_ok(&blob)) {
        return STATUS_TOO_COSTLY;
    }
    struct statement *statement;
    TRY(statement_get(connection, SQL_TIED_SET, &statement));
    statement_bind_number(statement, 1, place);
    statement_bind_blob(statement, 2, buffer_slice(&blob));
    return statement_run(connection, statement);
}

enum status concern_write(struct connection *connection, int64_t place,
                          const struct concern *concern, size_t others, struct arena *arena)
{
    if (says_nothing(concern, others)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < concern->key_count; i++) {
        TRY(run_tie(connection, SQL_TIE_ADD, concern->keys[i], place));
    }
    return concern_tied_write(connection, place, concern, others, arena);
}

enum status concern_remove(struct connection *connection, int64_t place,
                           const struct concern *concern, size_t others)
{
    if (says_nothing(concern, others)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < concern->key_count; i++) {
        TRY(run_tie(connection, SQL_TIE_REMOVE, concern->keys[i], place));
    }
    return remove_tied(connection, place);
}

enum status concern_past_keys(const struct concern *concern, bool tombstone, struct arena *arena,
                              struct concern *ret_past)
{
    *ret_past = (struct concern){.direct = concern->direct};
    ret_past->keys = arena_array(arena, concern->key_count + 1, sizeof(*ret_past->keys));
    if (ret_past->keys == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < concern->key_count; i++) {
        if (tombstone || concern->keys[i].at[0] != TIE_HOLDS) {
            ret_past->keys[ret_past->key_count++] = concern->keys[i];
        }
    }
    return STATUS_OK;
}

enum status concern_to_past(struct connection *connection, uint64_t change, bool tombstone,
                            const struct concern *concern, size_t others, struct arena *arena)
{
    struct concern past;
    TRY(concern_past_keys(concern, tombstone, arena, &past));
    return concern_write(connection, -(int64_t)change, &past, others, arena);
}

/* ---- whom can be reached -----------------------------------------------------------------------
 */

struct reach {
    struct store_tx *tx;
    struct arena *arena;
    struct outcome *outcome;
    size_t *looked;
    struct number_set places; /* seen, and to be looked at from AT on */
    size_t at;
    struct number_set patients;
};

enum status concern_look(size_t *looked, struct outcome *outcome)
{
    if (++*looked > CONCERN_LIMIT) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "",
                            "More resources hang together than can be looked through to find whom "
                            "this one concerns (%d). Give it a Patient as its subject.",
                            CONCERN_LIMIT);
    }
    return STATUS_OK;
}

void concern_add(struct number_set *set, uint32_t home, const uint32_t *others, size_t count)
{
    if (home >= PATIENT_FIRST) {
        (void)number_set_add(set, home);
    }
    for (size_t i = 0; i < count; i++) {
        (void)number_set_add(set, others[i]);
    }
}

enum status concern_head(struct connection *connection, int64_t place, struct arena *arena,
                         struct head *ret_head)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, place >= 0 ? SQL_HEAD_CURRENT : SQL_HEAD_PAST, &statement));
    statement_bind_number(statement, 1, place >= 0 ? place : -place);
    TRY(statement_row(connection, statement, &row));
    if (!row) {
        return STATUS_NOT_FOUND;
    }
    *ret_head = (struct head){.type = (resource_type)statement_number(statement, 0),
                              .home = (uint32_t)statement_number(statement, 2),
                              .version = (uint32_t)statement_number(statement, 4)};
    ret_head->tombstone = (int)statement_number(statement, 5) == STORE_DELETED;
    struct slice id = statement_id(statement, 1, arena);
    enum status status =
        id.at != NULL && id_pack(id, &ret_head->id) ? STATUS_OK : STATUS_TOO_COSTLY;
    if (status == STATUS_OK) {
        status = patients_read(statement_blob(statement, 3), 0, arena, &ret_head->others,
                               &ret_head->other_count);
    }
    statement_reset(statement);
    return status;
}

/* All places that one statement over a key gives; it is closed before they are looked at. */
enum status concern_places(struct connection *connection, struct slice key,
                           struct number_set *places)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_TIE_PLACES, &statement));
    statement_bind_blob(statement, 1, key);
    TRY(statement_row(connection, statement, &row));
    while (row) {
        (void)number_set_add(places, statement_number(statement, 0));
        TRY(statement_row(connection, statement, &row));
    }
    statement_reset(statement);
    return places->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

uint32_t concern_identifier(const struct store *store)
{
    const struct search_parameter *parameter =
        search_parameter_find(store->definitions, store->patient_type, SLICE("identifier"));
    const struct parameter *known =
        parameter != NULL ? store_parameter(store, store->patient_type, parameter) : NULL;
    return known != NULL ? known->number * 2 : 0;
}

static enum status reach_identifier(struct reach *reach, struct slice text)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(reach->tx->connection, SQL_TEXT_RIDS, &statement));
    statement_bind_number(statement, 1, concern_identifier(reach->tx->connection->store));
    statement_bind_blob(statement, 2, text);
    statement_bind_number(statement, 3, INT64_MIN);
    TRY(statement_row(reach->tx->connection, statement, &row));
    while (row) {
        uint32_t patient = place_patient(statement_number(statement, 0));
        (void)number_set_add(&reach->patients, patient);
        TRY(statement_row(reach->tx->connection, statement, &row));
    }
    statement_reset(statement);
    return STATUS_OK;
}

bool concern_key_resource(struct slice key, resource_type *ret_type, struct packed_id *ret_id)
{
    const uint8_t *at = (const uint8_t *)key.at + 1;
    const uint8_t *end = (const uint8_t *)key.at + key.length;
    uint64_t type = 0;
    if (!varint_read(&at, end, &type) || end - at < 2 || end - at > 65) {
        return false;
    }
    *ret_type = (resource_type)type;
    *ret_id = (struct packed_id){.uuid = *at == 1, .length = (uint8_t)(end - at - 1)};
    memcpy(ret_id->bytes, at + 1, ret_id->length);
    return true;
}

/* What was deleted is still about those it was about. */
static enum status reach_tombstone(struct reach *reach, resource_type type,
                                   const struct packed_id *id)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(reach->tx->connection, SQL_PAST_LAST, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_id(statement, 2, id);
    TRY(statement_row(reach->tx->connection, statement, &row));
    struct store_version version = {0};
    enum status status =
        row ? version_from_row(reach->tx->connection, statement, false, reach->arena, &version)
            : STATUS_OK;
    statement_reset(statement);
    concern_add(&reach->patients, 0, version.patients, version.patient_count);
    return status;
}

static enum status reach_key(struct reach *reach, struct slice key)
{
    resource_type type;
    struct packed_id id;
    struct entry entry;
    if (key.at[0] == TIE_IDENTIFIER) {
        return reach_identifier(reach, slice_from(key, 1));
    }
    if (key.at[0] != TIE_RESOURCE) {
        return STATUS_OK;
    }
    if (!concern_key_resource(key, &type, &id)) {
        return STATUS_CORRUPT;
    }
    TRY(directory_find(reach->tx, type, &id, &entry));
    if (entry.known && entry.state == ENTRY_LIVE) {
        (void)number_set_add(&reach->places, entry.rid);
    } else if (entry.known && entry.state == ENTRY_DELETED) {
        TRY(reach_tombstone(reach, type, &id));
    }
    return STATUS_OK;
}

/* A deleted holder counts as long as it is deleted: what it held is not without an owner. */
static enum status reach_holder(struct reach *reach, int64_t place)
{
    struct head head;
    struct entry entry;
    if (place >= 0) {
        (void)number_set_add(&reach->places, place);
        return STATUS_OK;
    }
    TRY(concern_head(reach->tx->connection, place, reach->arena, &head));
    TRY(directory_find(reach->tx, head.type, &head.id, &entry));
    if (entry.state == ENTRY_DELETED && entry.version == head.version) {
        concern_add(&reach->patients, head.home, head.others, head.other_count);
    }
    return STATUS_OK;
}

static enum status reach_holders(struct reach *reach, resource_type type,
                                 const struct packed_id *id)
{
    struct buffer key = {.arena = reach->arena};
    struct number_set holders = {.arena = reach->arena};
    tie_write(TIE_HOLDS, type, id, &key);
    TRY(buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY);
    TRY(concern_places(reach->tx->connection, buffer_slice(&key), &holders));
    for (size_t i = 0; i < holders.count; i++) {
        TRY(reach_holder(reach, holders.items[i]));
    }
    return STATUS_OK;
}

bool concern_is_held(const struct store *store, resource_type type)
{
    return slice_is(resource_type_name(store->definitions, type), "Binary");
}

static enum status reach_from(struct reach *reach, resource_type type, const struct packed_id *id,
                              const struct concern *concern)
{
    for (size_t i = 0; i < concern->key_count; i++) {
        TRY(reach_key(reach, concern->keys[i]));
    }
    return concern_is_held(reach->tx->connection->store, type) ? reach_holders(reach, type, id)
                                                               : STATUS_OK;
}

static enum status reach_all(struct reach *reach)
{
    while (reach->at < reach->places.count) {
        struct head head;
        struct concern concern;
        int64_t place = reach->places.items[reach->at++];
        TRY(concern_look(reach->looked, reach->outcome));
        TRY(concern_head(reach->tx->connection, place, reach->arena, &head));
        TRY(concern_read(reach->tx->connection, place, head.other_count, reach->arena, &concern));
        concern_add(&reach->patients, head.home, head.others, concern.direct);
        TRY(reach_from(reach, head.type, &head.id, &concern));
    }
    bool broken = reach->places.broken || reach->patients.broken || arena_full(reach->arena);
    return broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status concern_reach_run(struct store_tx *tx, resource_type type, const struct packed_id *id,
                              int64_t own, const struct concern *concern, size_t *looked,
                              struct arena *arena, struct outcome *outcome,
                              struct number_set *patients)
{
    struct reach reach = {.tx = tx,
                          .arena = arena,
                          .outcome = outcome,
                          .looked = looked,
                          .places = {.arena = arena},
                          .patients = *patients};
    if (own >= 0) {
        (void)number_set_add(&reach.places, own);
        reach.at = 1;
    }
    TRY(reach_from(&reach, type, id, concern));
    TRY(reach_all(&reach));
    *patients = reach.patients;
    return STATUS_OK;
}

enum status concern_reach(struct store_tx *tx, resource_type type, const struct packed_id *id,
                          int64_t own, const struct concern *concern, struct arena *arena,
                          struct outcome *outcome, struct number_set *patients)
{
    size_t looked = 0;
    if (concern->key_count == 0 && !concern_is_held(tx->connection->store, type)) {
        return STATUS_OK;
    }
    return concern_reach_run(tx, type, id, own, concern, &looked, arena, outcome, patients);
}
