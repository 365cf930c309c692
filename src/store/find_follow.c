/* SPDX-License-Identifier: MIT */
/* store: from a resource along its references, and back to what refers to it. Facts name a target
 * by a number that leads to no place, except that of a Patient; the body says who it is. */
#include "find_int.h"

/* ---- what a place refers to ---------------------------------------------------------------------
 */

static enum status targets_resolve(struct store_tx *tx, const struct facts *facts,
                                   struct arena *arena, struct target **ret_targets,
                                   size_t *ret_count)
{
    struct target *targets = arena_array(arena, facts->count + 1, sizeof(*targets));
    size_t count = 0;
    if (targets == NULL || facts->broken) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        struct packed_id key;
        if (fact->tree != TREE_REFERENCE || !id_pack(fact->text, &key)) {
            continue;
        }
        TRY(directory_find(tx, fact->target, &key, &targets[count].entry));
        targets[count].type = fact->target;
        count += targets[count].entry.known;
    }
    *ret_targets = targets;
    *ret_count = count;
    return STATUS_OK;
}

/* The body of the row that the statement stands on. */
static enum status read_body(struct store_tx *tx, sqlite3_stmt *statement, struct arena *arena,
                             resource_type *ret_type, int64_t *ret_base, struct slice *ret_body)
{
    *ret_type = (resource_type)sqlite3_column_int(statement, 0);
    *ret_base = sqlite3_column_int64(statement, 1) >> METHOD_BITS;
    return body_decompress(tx->connection, statement_blob(statement, 3),
                           sqlite3_column_int64(statement, 2), arena, ret_body);
}

static enum status facts_of_place(struct store_tx *tx, int64_t rid,
                                  const struct search_parameter *parameter, struct arena *arena,
                                  struct facts *ret_facts)
{
    sqlite3_stmt *statement;
    bool row = false;
    TRY(statement_get(tx->connection, SQL_PLACE_BODY, &statement));
    sqlite3_bind_int64(statement, 1, rid);
    TRY(statement_row(tx->connection, statement, &row));
    if (!row) {
        return STATUS_OK;
    }
    resource_type type;
    int64_t base = 0;
    struct slice body, base_url;
    struct json json;
    enum status status = read_body(tx, statement, arena, &type, &base, &body);
    sqlite3_reset(statement);
    TRY(status);
    TRY(base_url_of(tx, base, arena, &base_url));
    TRY(json_read(body, &json_limits_default, arena, NULL, &json));
    extract_one(tx->connection->store, type, parameter, json.root, base_url, ret_facts);
    return STATUS_OK;
}

enum status targets_of_place(struct store_tx *tx, int64_t rid,
                             const struct search_parameter *parameter, struct arena *arena,
                             struct target **ret_targets, size_t *ret_count)
{
    struct facts facts = {.arena = arena};
    TRY(facts_of_place(tx, rid, parameter, arena, &facts));
    return targets_resolve(tx, &facts, arena, ret_targets, ret_count);
}

enum status place_entity(struct store_tx *tx, int64_t rid, int64_t *ret_entity)
{
    sqlite3_stmt *statement;
    bool row = false;
    *ret_entity = 0;
    TRY(statement_get(tx->connection, SQL_HEAD_CURRENT, &statement));
    sqlite3_bind_int64(statement, 1, rid);
    TRY(statement_row(tx->connection, statement, &row));
    if (!row) {
        return STATUS_OK;
    }
    resource_type type = (resource_type)sqlite3_column_int(statement, 0);
    if (type == tx->connection->store->patient_type) {
        *ret_entity = -(int64_t)place_patient(rid);
        sqlite3_reset(statement);
        return STATUS_OK;
    }
    struct packed_id key = {.uuid = sqlite3_column_type(statement, 1) == SQLITE_BLOB};
    struct slice id = statement_blob(statement, 1);
    struct entry entry;
    key.length = (uint8_t)(id.length < sizeof(key.bytes) ? id.length : sizeof(key.bytes));
    if (key.length > 0) {
        memcpy(key.bytes, id.at, key.length);
    }
    sqlite3_reset(statement);
    TRY(directory_find(tx, type, &key, &entry));
    *ret_entity = entry.known ? entry.entity : 0;
    return STATUS_OK;
}
