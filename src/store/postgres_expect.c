/* SPDX-License-Identifier: MIT */
/* store: what writes on a PostgreSQL server will look for (rows of the directory, the last place of
 * a patient, whether anything is tied to what comes), looked for at once for many drafts. One by
 * one each would be a journey to the server; what is missed here still is. It is the transaction's
 * own snapshot and what it reads counts as read, so nothing else changes. */
#include "concern_int.h"
#include "postgres.h"

struct wanted {
    struct store_tx *tx;
    struct arena *arena;
    struct entry *entries; /* asked for, in order */
    size_t entry_count, entry_capacity;
    size_t home_count; /* the first of them: of patients whose last place is wanted */
    struct text_set ties;
    bool broken;
};

/* ---- what is remembered -------------------------------------------------------------------------
 */

enum status postgres_expected_make(struct connection *connection)
{
    connection->expected = ARENA_NEW(connection->arena, struct expected);
    if (connection->expected == NULL) {
        return STATUS_MEMORY;
    }
    connection->expected->arena = arena_create(0);
    return connection->expected->arena != NULL ? STATUS_OK : STATUS_MEMORY;
}

void postgres_expected_close(struct connection *connection)
{
    if (connection->expected != NULL) {
        arena_destroy(connection->expected->arena);
        connection->expected = NULL;
    }
}

void postgres_expected_forget(struct connection *connection)
{
    struct expected *expected = connection->expected;
    arena_reset(expected->arena, 0);
    *expected = (struct expected){.arena = expected->arena,
                                  .untied = {.arena = expected->arena},
                                  .tied = {.arena = expected->arena}};
}

bool postgres_expects_none(const struct connection *connection, struct slice key)
{
    const struct expected *expected = connection->expected;
    return expected != NULL && !expected->tied.broken && text_set_has(&expected->untied, key) &&
           !text_set_has(&expected->tied, key);
}

void postgres_expected_tie(struct connection *connection, struct slice key)
{
    struct expected *expected = connection->expected;
    if (expected != NULL && text_set_has(&expected->untied, key)) {
        text_set_add(&expected->tied, key);
    }
}

/* ---- what drafts will look for ------------------------------------------------------------------
 */

/* Until the answer is there, it is remembered as one that there is no row of: so it is asked for
 * once. */
static void want(struct wanted *wanted, resource_type type, const struct packed_id *id)
{
    struct entry entry = {.type = type, .id = *id};
    if (directory_recall(wanted->tx->writer, type, id) != NULL) {
        return;
    }
    if (wanted->entry_count == wanted->entry_capacity) {
        size_t capacity = wanted->entry_capacity * 2 + 16;
        struct entry *more =
            arena_resize(wanted->arena, wanted->entries, wanted->entry_capacity * sizeof *more,
                         capacity * sizeof *more);
        if (more == NULL) {
            wanted->broken = true;
            return;
        }
        wanted->entries = more;
        wanted->entry_capacity = capacity;
    }
    wanted->entries[wanted->entry_count++] = entry;
    directory_remember(wanted->tx->writer, &entry);
}

static void want_id(struct wanted *wanted, resource_type type, struct slice id)
{
    struct packed_id key;
    if (id_pack(id, &key)) {
        want(wanted, type, &key);
    }
}

static void want_patients(struct wanted *wanted, const struct text_set *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        want_id(wanted, wanted->tx->connection->store->patient_type, ids->items[i]);
    }
}

static void want_tie(struct wanted *wanted, char kind, resource_type type,
                     const struct packed_id *id)
{
    struct buffer key = {.arena = wanted->arena};
    tie_write(kind, type, id, &key);
    if (buffer_ok(&key)) {
        text_set_add(&wanted->ties, buffer_slice(&key));
    }
}

/* The key under which those wait who named a Patient by it. */
static enum status want_identifier(struct wanted *wanted, const struct fact *fact)
{
    int64_t system = 0;
    struct buffer key = {.arena = wanted->arena};
    buffer_add_byte(&key, TIE_IDENTIFIER);
    if (fact->identifier) {
        TRY(intern_system(wanted->tx, fact->system, &system));
        text_key_write(fact->text, system, &key);
    } else {
        buffer_add(&key, fact->text);
    }
    if (buffer_ok(&key)) {
        text_set_add(&wanted->ties, buffer_slice(&key));
    }
    return STATUS_OK;
}

static enum status want_draft(struct wanted *wanted, const struct store_draft *draft)
{
    const struct store *store = wanted->tx->connection->store;
    bool patient = draft->type == store->patient_type;
    want(wanted, draft->type, &draft->key);
    want_patients(wanted, &draft->said.homes);
    want_patients(wanted, &draft->said.patients);
    want_tie(wanted, TIE_RESOURCE, draft->type, &draft->key);
    if (concern_is_held(store, draft->type)) {
        want_tie(wanted, TIE_HOLDS, draft->type, &draft->key);
    }
    for (size_t i = 0; i < draft->facts.count; i++) {
        const struct fact *fact = &draft->facts.items[i];
        if (fact->tree == TREE_REFERENCE) {
            want_id(wanted, fact->target, fact->text);
        } else if (patient && fact->tree == TREE_TEXT &&
                   fact->parameter == concern_identifier(store)) {
            TRY(want_identifier(wanted, fact));
        }
    }
    return STATUS_OK;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static enum status make_arrays(struct wanted *wanted, struct postgres_array arrays[static 3])
{
    size_t numbers = wanted->entry_count * POSTGRES_ARRAY_NUMBER;
    size_t bytes = wanted->entry_count * (4 + 1 + sizeof(wanted->entries->id.bytes));
    TRY(postgres_array_make(wanted->arena, OID_INT8, numbers, &arrays[0]));
    TRY(postgres_array_make(wanted->arena, OID_BYTEA, bytes, &arrays[1]));
    size_t keys = 0;
    for (size_t i = 0; i < wanted->ties.count; i++) {
        keys += 4 + wanted->ties.items[i].length;
    }
    return postgres_array_make(wanted->arena, OID_BYTEA, keys, &arrays[2]);
}

static enum status bind_wanted(struct wanted *wanted, struct postgres_statement *statement)
{
    struct postgres_array arrays[3];
    struct postgres_statement *row = ARENA_NEW(wanted->arena, struct postgres_statement);
    if (row == NULL) {
        return STATUS_MEMORY;
    }
    TRY(make_arrays(wanted, arrays));
    for (size_t i = 0; i < wanted->entry_count; i++) {
        postgres_bind_number(row, 1, wanted->entries[i].type);
        postgres_bind_id(row, 2, &wanted->entries[i].id);
        postgres_array_add(&arrays[0], &row->values[0]);
        postgres_array_add(&arrays[1], &row->values[1]);
    }
    for (size_t i = 0; i < wanted->ties.count; i++) {
        postgres_bind_blob(row, 1, wanted->ties.items[i]);
        postgres_array_add(&arrays[2], &row->values[0]);
    }
    for (int i = 0; i < 3; i++) {
        statement->values[i] = postgres_array_end(&arrays[i]);
    }
    postgres_bind_number(statement, 4, (int64_t)wanted->home_count);
    return STATUS_OK;
}

static enum status take_row(struct wanted *wanted, const struct statement *statement,
                            struct text_set *tied)
{
    int64_t number = statement_number(statement, 0);
    if (number < 0 && (size_t)-number <= wanted->ties.count) {
        text_set_add(tied, wanted->ties.items[-number - 1]);
        return STATUS_OK;
    }
    if (number < 1 || (size_t)number > wanted->entry_count) {
        return STATUS_INTERNAL;
    }
    struct entry *entry = &wanted->entries[number - 1];
    directory_read(statement, 1, entry);
    directory_remember(wanted->tx->writer, entry);
    if ((size_t)number <= wanted->home_count) {
        place_expect(wanted->tx->writer, place_patient(entry->rid), statement_number(statement, 5));
    }
    return STATUS_OK;
}

static enum status ask(struct wanted *wanted)
{
    struct connection *connection = wanted->tx->connection;
    struct expected *expected = connection->expected;
    struct text_set tied = {.arena = wanted->arena};
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_SERVER_EXPECT, &statement));
    TRY(bind_wanted(wanted, statement->postgres));
    TRY(statement_row(connection, statement, &row));
    while (row) {
        TRY(take_row(wanted, statement, &tied));
        TRY(statement_row(connection, statement, &row));
    }
    statement_reset(statement);
    for (size_t i = 0; i < wanted->ties.count && !tied.broken; i++) {
        if (!text_set_has(&tied, wanted->ties.items[i])) {
            text_set_add(&expected->untied, wanted->ties.items[i]);
        }
    }
    return STATUS_OK;
}

static struct wanted wanted_begin(struct store_tx *tx, size_t count)
{
    postgres_expected_forget(tx->connection);
    tx->connection->expected->drafts = count;
    struct arena *arena = tx->connection->expected->arena;
    return (struct wanted){.tx = tx, .arena = arena, .ties = {.arena = arena}};
}

static void want_home(struct wanted *wanted, const struct store_draft *draft)
{
    if (draft->said.homes.count > 0) {
        want_id(wanted, wanted->tx->connection->store->patient_type, draft->said.homes.items[0]);
    }
}

static enum status wanted_end(struct wanted *wanted)
{
    return wanted->broken || wanted->ties.broken ? STATUS_TOO_COSTLY : ask(wanted);
}

enum status postgres_expect(struct store_tx *tx, const struct store_draft *draft)
{
    if (tx->connection->expected->drafts > 0) {
        tx->connection->expected->drafts--;
        return STATUS_OK;
    }
    struct wanted wanted = wanted_begin(tx, 0);
    want_home(&wanted, draft);
    wanted.home_count = wanted.entry_count;
    TRY(want_draft(&wanted, draft));
    return wanted_end(&wanted);
}

enum status store_expect(struct store_tx *tx, struct store_draft *const *drafts, size_t count)
{
    if (tx->writer == NULL || tx->connection->expected == NULL || count == 0) {
        return STATUS_OK;
    }
    struct wanted wanted = wanted_begin(tx, count);
    for (size_t i = 0; i < count; i++) {
        want_home(&wanted, drafts[i]);
    }
    wanted.home_count = wanted.entry_count;
    for (size_t i = 0; i < count; i++) {
        TRY(want_draft(&wanted, drafts[i]));
    }
    return wanted_end(&wanted);
}
