/* SPDX-License-Identifier: MIT */
/* store: versions read. */
#include "store_int.h"

/* The columns stand in COLUMNS_CURRENT and COLUMNS_PAST. */
enum column {
    COLUMN_TYPE,
    COLUMN_ID,
    COLUMN_VERSION,
    COLUMN_UPDATED,
    COLUMN_CHANGE,
    COLUMN_METHOD,
    COLUMN_SPLICE,
    COLUMN_HOME,
    COLUMN_OTHERS,
    COLUMN_BLOB_LENGTH,
    COLUMN_DICTIONARY,
    COLUMN_BODY
};

enum status version_from_row(struct connection *connection, struct statement *statement, bool body,
                             struct arena *arena, struct store_version *ret_version)
{
    struct store_version *version = ret_version;
    *version = (struct store_version){0};
    version->type = (resource_type)statement_number(statement, COLUMN_TYPE);
    version->id = statement_id(statement, COLUMN_ID, arena);
    version->version = (uint32_t)statement_number(statement, COLUMN_VERSION);
    version->updated = statement_number(statement, COLUMN_UPDATED);
    version->change = (uint64_t)statement_number(statement, COLUMN_CHANGE);
    int64_t method = statement_number(statement, COLUMN_METHOD) & ((1 << METHOD_BITS) - 1);
    version->method = method == METHOD_PUT_BACK ? STORE_UPDATED : (enum store_method)method;
    version->created = method == METHOD_PUT_BACK || method == STORE_CREATED ||
                       (method == STORE_UPDATED && version->version == 1);
    version->splice = (uint32_t)statement_number(statement, COLUMN_SPLICE);
    version->blob_length = (uint64_t)statement_number(statement, COLUMN_BLOB_LENGTH);
    uint32_t home = (uint32_t)statement_number(statement, COLUMN_HOME);
    TRY(patients_read(statement_blob(statement, COLUMN_OTHERS), home, arena, &version->patients,
                      &version->patient_count));
    if (version->id.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (!body || version->method == STORE_DELETED) {
        return STATUS_OK;
    }
    return body_decompress(connection, statement_blob(statement, COLUMN_BODY),
                           statement_number(statement, COLUMN_DICTIONARY), arena, &version->body);
}

/* The statement's one row; always resets, so that no read lingers. */
static enum status one_row(struct connection *connection, struct statement *statement, bool body,
                           struct arena *arena, struct store_version *ret_version)
{
    bool row = false;
    enum status status = statement_row(connection, statement, &row);
    if (status == STATUS_OK && !row) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        status = version_from_row(connection, statement, body, arena, ret_version);
    }
    statement_reset(statement);
    return status;
}

static enum status read_row(struct connection *connection, enum statement_number number,
                            resource_type type, const struct packed_id *id, uint32_t version,
                            struct arena *arena, struct store_version *ret_version)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_id(statement, 2, id);
    if (number == SQL_PAST_VERSION) {
        statement_bind_number(statement, 3, version);
    }
    return one_row(connection, statement, true, arena, ret_version);
}

static enum status tombstone_is_gone(enum status status, const struct store_version *version)
{
    return status == STATUS_OK && version->method == STORE_DELETED ? STATUS_GONE : status;
}

static enum status read_current(struct connection *connection, resource_type type, struct slice id,
                                struct arena *arena, struct store_version *ret_version)
{
    struct packed_id key;
    if (!id_pack(id, &key)) {
        return STATUS_NOT_FOUND;
    }
    enum status status = read_row(connection, SQL_READ, type, &key, 0, arena, ret_version);
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    /* No current one: whatever history has last is a tombstone, except when another writer put the
     * resource back in between and there is no snapshot around both reads. */
    status = read_row(connection, SQL_PAST_LAST, type, &key, 0, arena, ret_version);
    if (status == STATUS_OK && ret_version->method != STORE_DELETED) {
        status = read_row(connection, SQL_READ, type, &key, 0, arena, ret_version);
    }
    return tombstone_is_gone(status, ret_version);
}

enum status store_read(struct store_tx *tx, resource_type type, struct slice id,
                       struct arena *arena, struct store_version *ret_version)
{
    return read_current(tx->connection, type, id, arena, ret_version);
}

enum status store_read_now(struct store_reader *reader, resource_type type, struct slice id,
                           struct arena *arena, struct store_version *ret_version)
{
    /* (A server gives each statement the newest there is.) To open and close a snapshot costs as
     * much as the read itself. The turn is looked at before one is taken, and while a commit is on
     * its way none is kept: so nobody reads what is older than what another reader has seen. */
    uint64_t turn = reader->connection.store->turn;
    if (reader->keeps && (reader->turn != turn || turn % 2 != 0)) {
        store_reader_rest(reader);
    }
    bool inside = !reader->keeps &&
                  (reader->connection.db == NULL || database_in_transaction(&reader->connection));
    if (!reader->keeps && !inside) {
        struct store_tx *tx;
        TRY(store_snapshot_begin(reader, 0, &tx));
        reader->keeps = true;
        reader->turn = turn;
    }
    return read_current(&reader->connection, type, id, arena, ret_version);
}

bool store_reads_wait(const struct store *store)
{
    return store->database != NULL;
}

void store_reader_rest(struct store_reader *reader)
{
    if (reader->keeps) {
        reader->keeps = false;
        store_snapshot_end(&reader->tx);
    }
}

enum status store_read_version(struct store_tx *tx, resource_type type, struct slice id,
                               uint32_t version, struct arena *arena,
                               struct store_version *ret_version)
{
    struct packed_id key;
    struct entry entry;
    if (!id_pack(id, &key)) {
        return STATUS_NOT_FOUND;
    }
    TRY(directory_find(tx, type, &key, &entry));
    if (!entry.known || version == 0 || version > entry.version) {
        return STATUS_NOT_FOUND;
    }
    if (entry.state == ENTRY_LIVE && entry.version == version) {
        return read_row(tx->connection, SQL_READ, type, &key, 0, arena, ret_version);
    }
    enum status status =
        read_row(tx->connection, SQL_PAST_VERSION, type, &key, version, arena, ret_version);
    return tombstone_is_gone(status, ret_version);
}

enum status place_read(struct connection *connection, int64_t rid, bool body, struct arena *arena,
                       struct store_version *ret_version)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_PLACE_READ, &statement));
    statement_bind_number(statement, 1, rid);
    return one_row(connection, statement, body, arena, ret_version);
}

/* On a server all in one journey. */
static enum status places_there(struct connection *connection, const int64_t *rids, size_t count,
                                bool body, struct arena *arena, struct store_version *ret_versions)
{
    struct statement *statement;
    bool row = false;
    size_t found = 0;
    TRY(statement_get(connection, SQL_SERVER_PLACES_READ, &statement));
    TRY(postgres_bind_numbers(statement->postgres, 1, rids, count, arena));
    TRY(statement_row(connection, statement, &row));
    while (row) {
        size_t at = (size_t)statement_number(statement, 12) - 1;
        enum status status =
            at < count ? version_from_row(connection, statement, body, arena, &ret_versions[at])
                       : STATUS_INTERNAL;
        if (status != STATUS_OK) {
            statement_reset(statement);
            return status;
        }
        found++;
        TRY(statement_row(connection, statement, &row));
    }
    statement_reset(statement);
    return found == count ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status place_read_all(struct connection *connection, const int64_t *rids, size_t count,
                           bool body, struct arena *arena, struct store_version *ret_versions)
{
    if (connection->db == NULL && count > 1) {
        return places_there(connection, rids, count, body, arena, ret_versions);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(place_read(connection, rids[i], body, arena, &ret_versions[i]));
    }
    return STATUS_OK;
}

static enum status concerned_by_row(struct store_tx *tx, const struct entry *entry,
                                    struct arena *arena, struct store_version *ret_version)
{
    struct connection *connection = tx->connection;
    struct statement *statement;
    if (entry->state == ENTRY_LIVE) {
        return place_read(connection, entry->rid, false, arena, ret_version);
    }
    TRY(statement_get(connection, SQL_PAST_LAST, &statement));
    statement_bind_number(statement, 1, entry->type);
    statement_bind_id(statement, 2, &entry->id);
    return one_row(connection, statement, false, arena, ret_version);
}

enum status store_concerned(struct store_tx *tx, resource_type type, struct slice id,
                            struct arena *arena, const uint32_t **ret_patients, size_t *ret_count)
{
    struct packed_id key;
    struct entry entry = {.known = false};
    *ret_patients = NULL;
    *ret_count = 0;
    if (id_pack(id, &key)) {
        TRY(directory_find(tx, type, &key, &entry));
    }
    if (entry.known && type == tx->connection->store->patient_type) {
        uint32_t *patient = ARENA_NEW(arena, uint32_t);
        if (patient == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *patient = place_patient(entry.rid);
        *ret_patients = patient;
        *ret_count = 1;
    } else if (entry.known && entry.state != ENTRY_MENTIONED) {
        struct store_version version = {0};
        TRY(concerned_by_row(tx, &entry, arena, &version));
        *ret_patients = version.patients;
        *ret_count = version.patient_count;
    }
    return STATUS_OK;
}

enum status history_read(struct connection *connection, uint64_t change, bool body,
                         struct arena *arena, struct store_version *ret_version)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_PAST_READ, &statement));
    statement_bind_number(statement, 1, (int64_t)change);
    return one_row(connection, statement, body, arena, ret_version);
}

/* ---- everything ----------------------------------------------------------------------------- */

enum status store_scan(struct store_tx *tx, resource_type type, store_visit *visit, void *context)
{
    struct connection *connection = tx->connection;
    struct arena *scratch = arena_create(0);
    struct statement *statement = NULL;
    if (scratch == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = statement_get(
        connection, type != RESOURCE_TYPE_NONE ? SQL_SCAN_TYPE : SQL_SCAN_ALL, &statement);
    if (status == STATUS_OK && type != RESOURCE_TYPE_NONE) {
        statement_bind_number(statement, 1, type);
    }
    bool row = false;
    while (status == STATUS_OK) {
        status = statement_row(connection, statement, &row);
        if (status != STATUS_OK || !row) {
            break;
        }
        struct store_version version;
        status = version_from_row(connection, statement, true, scratch, &version);
        if (status == STATUS_OK) {
            status = visit(context, &version);
        }
        arena_reset(scratch, 0);
    }
    if (statement != NULL) {
        statement_reset(statement);
    }
    arena_destroy(scratch);
    return status;
}
