/* SPDX-License-Identifier: MIT */
/* store: changes in the order they were made, and whether a version meets what is asked for: for
 * who must act on every change, each once. */
#include "find_int.h"

struct head {
    resource_type type;
    int64_t change, rid; /* its next; change 0: none */
};

/* Numbers behind which a slower writer may still commit are not shown yet. SQLite's one writer
 * gives them out as it commits, so there are none. */
static enum status last_change_shown(struct connection *connection, uint64_t *ret_change)
{
    int type = RESOURCE_TYPE_NONE;
    *ret_change = 0;
    if (connection->db == NULL) {
        int64_t horizon;
        TRY(change_horizon(connection, &horizon));
        *ret_change = horizon > 0 ? (uint64_t)horizon - 1 : 0;
        return STATUS_OK;
    }
    for (;;) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(connection, SQL_CHANGE_NEXT_TYPE, &statement));
        statement_bind_number(statement, 1, type);
        TRY(statement_row(connection, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        type = (int)statement_number(statement, 0);
        statement_reset(statement);
        TRY(statement_get(connection, SQL_CHANGE_LAST, &statement));
        statement_bind_number(statement, 1, type);
        statement_bind_number(statement, 2, INT64_MAX);
        TRY(statement_row(connection, statement, &row));
        uint64_t last = row ? (uint64_t)statement_number(statement, 0) : 0;
        statement_reset(statement);
        *ret_change = last > *ret_change ? last : *ret_change;
    }
}

/* Which of the types have a change after AFTER, and their first. */
static enum status heads_open(struct connection *connection, const struct store_changes *asked,
                              struct head *heads, size_t *ret_count)
{
    resource_type last = resource_type_count(connection->store->definitions);
    *ret_count = 0;
    for (resource_type type = 1; type <= last; type++) {
        struct head head = {.type = type};
        if (asked->types != NULL && !asked->types[type]) {
            continue;
        }
        TRY(change_after(connection, type, (int64_t)asked->after + 1, &head.change, &head.rid));
        if (head.change != 0) {
            heads[(*ret_count)++] = head;
        }
    }
    return STATUS_OK;
}

static enum status read_change(struct connection *connection, const struct head *head,
                               struct arena *arena, struct store_version *ret_version)
{
    enum status status = history_read(connection, (uint64_t)head->change, true, arena, ret_version);
    if (status == STATUS_NOT_FOUND) {
        TRY(place_read(connection, head->rid, true, arena, ret_version));
        status = ret_version->change == (uint64_t)head->change ? STATUS_OK : STATUS_CORRUPT;
    }
    return status;
}

enum status store_changes_read(struct store_tx *tx, const struct store_changes *asked,
                               struct arena *arena, struct store_version **ret_items,
                               size_t *ret_count, uint64_t *ret_up_to)
{
    struct connection *connection = tx->connection;
    size_t types = (size_t)resource_type_count(connection->store->definitions) + 1;
    struct head *heads = arena_array(arena, types, sizeof *heads);
    struct store_version *items = arena_array(arena, asked->most + 1, sizeof *items);
    size_t count = 0, left = 0, bytes = 0;
    uint64_t shown;
    *ret_count = 0;
    *ret_items = items;
    if (heads == NULL || items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(last_change_shown(connection, &shown));
    *ret_up_to = shown > asked->after ? shown : asked->after;
    if (shown <= asked->after) {
        return STATUS_OK;
    }
    TRY(heads_open(connection, asked, heads, &left));
    for (;;) {
        struct head *first = NULL;
        for (size_t i = 0; i < left; i++) {
            bool has = heads[i].change != 0 && (uint64_t)heads[i].change <= shown;
            first = has && (first == NULL || heads[i].change < first->change) ? &heads[i] : first;
        }
        if (first == NULL) {
            break;
        }
        if (count == asked->most || (bytes >= asked->bytes && count > 0)) {
            *ret_up_to = items[count - 1].change;
            break;
        }
        TRY(read_change(connection, first, arena, &items[count]));
        bytes += items[count++].body.length;
        TRY(change_after(connection, first->type, first->change + 1, &first->change, &first->rid));
    }
    *ret_count = count;
    return STATUS_OK;
}

/* ---- one version --------------------------------------------------------------------------------
 */

static enum status only_itself(const struct store_query *query, struct outcome *outcome)
{
    bool others = query->updated_low != 0 || query->updated_high != 0 || query->has_patient ||
                  query->type == RESOURCE_TYPE_NONE;
    for (size_t i = 0; i < query->clause_count; i++) {
        enum store_modifier modifier = query->clauses[i].modifier;
        others =
            others || modifier == STORE_CHAIN || modifier == STORE_HAS || modifier == STORE_ANY;
    }
    return others ? outcome_fail(outcome, STATUS_NOT_SUPPORTED, "",
                                 "What a change must meet is asked of the resource alone: no "
                                 "chain, _has, _lastUpdated or compartment.")
                  : STATUS_OK;
}

enum status store_matches_check(const struct store_query *query, struct outcome *outcome)
{
    return only_itself(query, outcome);
}

enum status store_matches(struct store_tx *tx, const struct store_query *query,
                          yyjson_val *resource, struct slice base_url, struct arena *arena,
                          struct outcome *outcome, bool *ret_match)
{
    uint64_t looked = 0;
    TRY(only_itself(query, outcome));
    struct search search = {.tx = tx,
                            .connection = tx->connection,
                            .store = tx->connection->store,
                            .query = query,
                            .arena = arena,
                            .scratch = arena_create(ARENA_REQUEST_BASE * 16),
                            .outcome = outcome,
                            .looked = &looked,
                            .ahead = -1};
    struct place_body place = {.type = query->type, .base_url = base_url, .root = resource};
    *ret_match = false;
    if (search.scratch == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = search_prepare(&search);
    if (status == STATUS_OK) {
        status = contained_matches(&search, &place, 0, resource, ret_match);
    }
    search_close(&search);
    arena_destroy(search.scratch);
    return status;
}
