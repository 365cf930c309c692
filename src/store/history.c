/* SPDX-License-Identifier: MIT */
/* store: history, newest change first: of one resource, of a type, of the system. Every version
 * ever has a row in change, by type; the system's history is the merge of all types. */
#include "store_int.h"

struct walk {
    struct connection *connection;
    const struct store_history_query *query;
    struct arena *arena;
    struct store_page *page;
    size_t capacity;
    size_t bytes;
    uint64_t total;
    uint64_t before; /* the page begins below this change */
};

/* Is a version that held in [updated, ended) wanted? ENDED: INT64_MAX for the current one. */
static bool wanted(const struct store_history_query *query, int64_t updated, int64_t ended)
{
    if (updated < query->since) {
        return false;
    }
    if (query->at_low == query->at_high) {
        return true;
    }
    return updated < query->at_high && ended > query->at_low;
}

static enum status page_add(struct walk *walk, const struct store_version *version)
{
    struct store_page *page = walk->page;
    if (page->count == walk->capacity) {
        size_t capacity = walk->capacity == 0 ? 16 : walk->capacity * 2;
        struct store_version *items = arena_resize(
            walk->arena, page->items, walk->capacity * sizeof(*items), capacity * sizeof(*items));
        if (items == NULL) {
            return STATUS_TOO_COSTLY;
        }
        page->items = items;
        walk->capacity = capacity;
    }
    page->items[page->count++] = *version;
    walk->bytes += version->body.length;
    return STATUS_OK;
}

/* A version came up in order: count it, and put it on the page while there is room. *RET_DONE: no
 * further one need be looked at. */
static enum status take(struct walk *walk, uint64_t change, int64_t rid, bool past, bool *ret_done)
{
    const struct store_history_query *query = walk->query;
    walk->total++;
    *ret_done = false;
    if (change >= walk->before) {
        return STATUS_OK;
    }
    bool room = walk->page->count < query->count &&
                (query->bytes == 0 || walk->page->count == 0 || walk->bytes < query->bytes);
    if (!room) {
        walk->page->more = query->count > 0;
        *ret_done = !query->total;
        return STATUS_OK;
    }
    if (walk->page->more) {
        return STATUS_OK;
    }
    struct store_version version;
    TRY(past ? history_read(walk->connection, change, true, walk->arena, &version)
             : place_read(walk->connection, rid, true, walk->arena, &version));
    return page_add(walk, &version);
}

/* ---- one resource ------------------------------------------------------------------------------
 */

static enum status times_of_place(struct connection *connection, int64_t rid, int64_t *ret_updated,
                                  uint64_t *ret_change)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_PLACE_TIMES, &statement));
    statement_bind_number(statement, 1, rid);
    bool row = false;
    TRY(statement_row(connection, statement, &row));
    if (!row) {
        return STATUS_NOT_FOUND;
    }
    *ret_updated = statement_number(statement, 0);
    *ret_change = (uint64_t)statement_number(statement, 1);
    statement_reset(statement);
    return STATUS_OK;
}

static enum status past_of_id(struct walk *walk, const struct packed_id *key)
{
    struct statement *statement;
    TRY(statement_get(walk->connection, SQL_PAST_OF_ID, &statement));
    statement_bind_number(statement, 1, walk->query->type);
    statement_bind_id(statement, 2, key);
    statement_bind_number(statement, 3, INT64_MAX);
    bool row = false, done = false;
    enum status status = statement_row(walk->connection, statement, &row);
    while (status == STATUS_OK && row && !done) {
        int64_t updated = statement_number(statement, 1);
        bool ends = !statement_is_null(statement, 2);
        int64_t ended = ends ? statement_number(statement, 2) : INT64_MAX;
        if (updated < walk->query->since) {
            break;
        }
        if (wanted(walk->query, updated, ended)) {
            status = take(walk, (uint64_t)statement_number(statement, 0), 0, true, &done);
        }
        if (status == STATUS_OK && !done) {
            status = statement_row(walk->connection, statement, &row);
        }
    }
    statement_reset(statement);
    return status;
}

static enum status history_of_id(struct walk *walk, struct store_tx *tx)
{
    struct packed_id key;
    struct entry entry;
    if (!id_pack(walk->query->id, &key)) {
        return STATUS_NOT_FOUND;
    }
    TRY(directory_find(tx, walk->query->type, &key, &entry));
    if (!entry.known || entry.state == ENTRY_MENTIONED) {
        return STATUS_NOT_FOUND;
    }
    bool done = false;
    if (entry.state == ENTRY_LIVE) {
        int64_t updated = 0;
        uint64_t change = 0;
        TRY(times_of_place(walk->connection, entry.rid, &updated, &change));
        if (wanted(walk->query, updated, INT64_MAX)) {
            TRY(take(walk, change, entry.rid, false, &done));
        }
    }
    return done ? STATUS_OK : past_of_id(walk, &key);
}

/* A transaction that began earlier may commit later: a page that passed it by would never show it.
 */
enum status change_horizon(struct connection *connection, int64_t *ret_change)
{
    struct statement *statement;
    bool row = false;
    *ret_change = INT64_MAX;
    if (connection->db != NULL) {
        return STATUS_OK;
    }
    TRY(statement_get(connection, SQL_SERVER_HORIZON, &statement));
    TRY(statement_row(connection, statement, &row));
    if (row) {
        *ret_change = statement_number(statement, 0) << CHANGE_BITS;
        statement_reset(statement);
    }
    return row ? STATUS_OK : STATUS_INTERNAL;
}

/* ---- a type, or all -----------------------------------------------------------------------------
 */

/* The newest change of a type below BEFORE; *RET_CHANGE 0: none. */
static enum status last_change(struct connection *connection, resource_type type, uint64_t before,
                               uint64_t *ret_change, int64_t *ret_rid)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_CHANGE_LAST, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_number(statement, 2, before > INT64_MAX ? INT64_MAX : (int64_t)before);
    bool row = false;
    TRY(statement_row(connection, statement, &row));
    *ret_change = row ? (uint64_t)statement_number(statement, 0) : 0;
    *ret_rid = row ? statement_number(statement, 1) : 0;
    statement_reset(statement);
    return STATUS_OK;
}

static enum status times_of_change(struct connection *connection, uint64_t change, int64_t rid,
                                   int64_t *ret_updated, int64_t *ret_ended, bool *ret_past)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_PAST_TIMES, &statement));
    statement_bind_number(statement, 1, (int64_t)change);
    TRY(statement_row(connection, statement, ret_past));
    if (*ret_past) {
        *ret_updated = statement_number(statement, 0);
        *ret_ended = !statement_is_null(statement, 1) ? statement_number(statement, 1) : INT64_MAX;
        statement_reset(statement);
        return STATUS_OK;
    }
    uint64_t current = 0;
    *ret_ended = INT64_MAX;
    enum status status = times_of_place(connection, rid, ret_updated, &current);
    return status == STATUS_NOT_FOUND || (status == STATUS_OK && current != change) ? STATUS_CORRUPT
                                                                                    : status;
}

struct head {
    resource_type type;
    uint64_t change;
    int64_t rid;
};

static enum status heads_open(struct walk *walk, uint64_t before, struct head *heads,
                              size_t *ret_count)
{
    int type = walk->query->type;
    size_t count = 0;
    if (type != RESOURCE_TYPE_NONE) {
        heads[0].type = (resource_type)type;
        count = 1;
    }
    while (walk->query->type == RESOURCE_TYPE_NONE) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(walk->connection, SQL_CHANGE_NEXT_TYPE, &statement));
        statement_bind_number(statement, 1, type);
        TRY(statement_row(walk->connection, statement, &row));
        if (!row) {
            break;
        }
        type = (int)statement_number(statement, 0);
        statement_reset(statement);
        heads[count++].type = (resource_type)type;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(last_change(walk->connection, heads[i].type, before, &heads[i].change, &heads[i].rid));
    }
    *ret_count = count;
    return STATUS_OK;
}

static enum status history_of_types(struct walk *walk)
{
    const struct store *store = walk->connection->store;
    size_t most = (size_t)resource_type_count(store->definitions) + 1, count = 0;
    struct head *heads = arena_array(walk->arena, most, sizeof(*heads));
    if (heads == NULL) {
        return STATUS_TOO_COSTLY;
    }
    int64_t horizon;
    TRY(change_horizon(walk->connection, &horizon));
    /* A total counts from the newest; a page alone begins where it begins. */
    uint64_t before = walk->query->total ? UINT64_MAX : walk->before;
    before = before < (uint64_t)horizon ? before : (uint64_t)horizon;
    TRY(heads_open(walk, before, heads, &count));
    bool done = false;
    while (!done) {
        struct head *newest = NULL;
        for (size_t i = 0; i < count; i++) {
            if (heads[i].change != 0 && (newest == NULL || heads[i].change > newest->change)) {
                newest = &heads[i];
            }
        }
        if (newest == NULL) {
            break;
        }
        int64_t updated = 0, ended = 0;
        bool past = false;
        TRY(times_of_change(walk->connection, newest->change, newest->rid, &updated, &ended,
                            &past));
        if (updated < walk->query->since) {
            break; /* times rise with changes */
        }
        if (wanted(walk->query, updated, ended)) {
            TRY(take(walk, newest->change, newest->rid, past, &done));
        }
        TRY(last_change(walk->connection, newest->type, newest->change, &newest->change,
                        &newest->rid));
    }
    return STATUS_OK;
}

enum status store_history(struct store_tx *tx, const struct store_history_query *query,
                          struct arena *arena, struct outcome *outcome, struct store_page *ret_page)
{
    *ret_page = (struct store_page){.total = UINT64_MAX};
    struct walk walk = {.connection = tx->connection,
                        .query = query,
                        .arena = arena,
                        .page = ret_page,
                        .before = UINT64_MAX};
    if (query->cursor.length > 0) {
        struct slice bytes;
        if (!cursor_read(query->cursor, 'h', arena, &bytes) || bytes.length != 8) {
            return outcome_fail(outcome, STATUS_VALUE, "",
                                "This is no page of a history. Follow the links of the answer.");
        }
        memcpy(&walk.before, bytes.at, 8);
    }
    TRY(query->id.length > 0 ? history_of_id(&walk, tx) : history_of_types(&walk));
    if (query->total) {
        ret_page->total = walk.total;
    }
    if (ret_page->more) {
        uint64_t last = ret_page->items[ret_page->count - 1].change;
        ret_page->next = cursor_write(arena, 'h', slice_of((const char *)&last, sizeof(last)));
        if (ret_page->next.at == NULL) {
            return STATUS_TOO_COSTLY;
        }
    }
    return STATUS_OK;
}
