/* SPDX-License-Identifier: MIT */
/* store: finding: pages of matches in the order of places, or ranked by sort keys. */
#include "find_int.h"

/* One search, or one for each type of a query across types, whose matches are merged. */
struct finder {
    struct search root;    /* of one type; else only what the others share */
    struct search **parts; /* the searches */
    size_t part_count;
    const struct store_query *query;
    struct arena *answer; /* the caller's */
    uint64_t looked;
};

/* ---- across types -------------------------------------------------------------------------------
 */

/* The next match of all parts at or after FROM. Whose candidate comes first is tested first, so
 * that no part runs far ahead to find a match that is not wanted yet. */
static enum status next_of_parts(struct finder *finder, int64_t from, struct candidate *candidate)
{
    for (;;) {
        struct search *first = NULL;
        for (size_t i = 0; i < finder->part_count; i++) {
            struct search *part = finder->parts[i];
            if (part->ahead < from) {
                TRY(search_candidate(part, from, &part->ahead));
            }
            first = first == NULL || part->ahead < first->ahead ? part : first;
        }
        if (first == NULL || first->ahead == STREAM_END) {
            *candidate = (struct candidate){.rid = STREAM_END};
            return STATUS_OK;
        }
        arena_reset(finder->root.scratch, ARENA_REQUEST_BASE * 16);
        bool match = false;
        uint64_t before = finder->looked;
        TRY(search_look(first));
        TRY(search_test(first, first->ahead, candidate, &match));
        first->own += finder->looked - before;
        if (match) {
            return STATUS_OK;
        }
        from = first->ahead + 1;
    }
}

static enum status next_match(struct finder *finder, int64_t from, struct candidate *candidate)
{
    if (finder->part_count != 1) {
        return next_of_parts(finder, from, candidate);
    }
    arena_reset(finder->root.scratch, ARENA_REQUEST_BASE * 16);
    return search_next(finder->parts[0], from, candidate);
}

static bool is_listed(const struct store_query *query, resource_type type)
{
    for (size_t i = 0; i < query->type_count; i++) {
        if (query->types[i] == type) {
            return true;
        }
    }
    return query->types == NULL;
}

static enum status type_is_used(struct connection *connection, resource_type type, bool *ret_used)
{
    sqlite3_stmt *statement;
    TRY(statement_get(connection, SQL_TYPE_USED, &statement));
    sqlite3_bind_int(statement, 1, type);
    TRY(statement_row(connection, statement, ret_used));
    sqlite3_reset(statement);
    return STATUS_OK;
}

static enum status add_part(struct finder *finder, const struct store_query *query)
{
    struct search *part = arena_zero(finder->root.arena, sizeof(*part));
    if (part == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *part = finder->root;
    part->query = query;
    finder->parts[finder->part_count++] = part; /* from now on it is closed with the others */
    TRY(search_prepare(part));
    return STATUS_OK;
}

/* Every type that has the parameters. A resource of a type without one cannot match. */
static enum status parts_of_types(struct finder *finder)
{
    const struct store *store = finder->root.store;
    resource_type last = resource_type_count(store->definitions);
    bool any = false;
    for (resource_type type = 1; type <= last; type++) {
        const struct store_query *query = NULL;
        bool used = false;
        if (!is_listed(finder->query, type)) {
            continue;
        }
        TRY(query_for_type(store, finder->root.arena, finder->query, type, &query));
        any = any || query != NULL;
        TRY(type_is_used(finder->root.connection, type, &used));
        if (query != NULL && used) {
            TRY(add_part(finder, query));
        }
    }
    return any ? STATUS_OK
               : outcome_fail(finder->root.outcome, STATUS_NOT_SUPPORTED, "",
                              "No resource type asked for has all these search parameters.");
}

static enum status finder_prepare(struct finder *finder)
{
    const struct store_query *query = finder->query;
    size_t most = (size_t)resource_type_count(finder->root.store->definitions) + 1;
    finder->parts = arena_array(finder->root.arena, most, sizeof(struct search *));
    if (finder->parts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (query->type == RESOURCE_TYPE_NONE && query_needs_types(query)) {
        TRY(parts_of_types(finder));
    } else {
        TRY(add_part(finder, query));
    }
    size_t kept = 0;
    for (size_t i = 0; i < finder->part_count; i++) {
        struct search *part = finder->parts[i];
        part->wants_row = query->sort_count > 0;
        if (part->nothing) {
            search_close(part);
            continue;
        }
        finder->parts[kept++] = part;
    }
    finder->part_count = kept;
    for (size_t i = 0; i < kept; i++) {
        TRY(search_settle(finder->parts[i]));
    }
    return STATUS_OK;
}

/* ---- pages
 * ---------------------------------------------------------------------------------------- */

static enum status load_items(struct finder *finder, const int64_t *rids, size_t count,
                              struct store_page *page)
{
    const struct store_query *query = finder->query;
    size_t bytes = 0;
    page->items = arena_array(finder->answer, count, sizeof(*page->items));
    if (page->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        if (query->bytes != 0 && bytes >= query->bytes && i > 0) {
            page->more = true;
            break;
        }
        TRY(place_read(finder->root.connection, rids[i], query->bodies, finder->answer,
                       &page->items[i]));
        bytes += page->items[i].body.length;
        page->count++;
    }
    return STATUS_OK;
}

static enum status cursor_give(struct finder *finder, char kind, struct slice bytes,
                               struct store_page *page)
{
    if (page->more) {
        page->next = cursor_write(finder->answer, kind, bytes);
        return page->next.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    return STATUS_OK;
}

static enum status bad_cursor(struct finder *finder)
{
    return outcome_fail(finder->root.outcome, STATUS_VALUE, "",
                        "This is no page of this search. Follow the links of the answer.");
}

/* Without a sort: in the order of places, which never changes. */
static enum status find_by_place(struct finder *finder, struct store_page *page)
{
    const struct store_query *query = finder->query;
    struct candidate candidate;
    int64_t after = -1;
    struct slice bytes;
    if (query->cursor.length > 0) {
        if (!cursor_read(query->cursor, 'p', finder->answer, &bytes) || bytes.length != 8) {
            return bad_cursor(finder);
        }
        memcpy(&after, bytes.at, 8);
    }
    int64_t *rids = arena_array(finder->answer, query->count, sizeof(*rids));
    size_t count = 0;
    uint64_t total = 0;
    if (rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    /* A total counts from the beginning, a page alone starts behind the one before. */
    int64_t from = query->total ? 0 : after + 1;
    for (;;) {
        TRY(next_match(finder, from, &candidate));
        if (candidate.rid == STREAM_END) {
            break;
        }
        total++;
        from = candidate.rid + 1;
        if (candidate.rid > after && count < query->count) {
            rids[count++] = candidate.rid;
        } else if (candidate.rid > after && query->count > 0) {
            page->more = true;
            if (!query->total) {
                break;
            }
        }
    }
    if (query->total) {
        page->total = total;
    }
    TRY(load_items(finder, rids, count, page));
    return cursor_give(finder, 'p',
                       slice_of((const char *)&rids[page->count > 0 ? page->count - 1 : 0],
                                page->count > 0 ? 8 : 0),
                       page);
}

struct ranked {
    struct sort_key key;
    int64_t rid;
};

static int key_compare(const struct sort_key *a, const struct sort_key *b)
{
    return slice_compare(slice_of((const char *)a->bytes, a->length),
                         slice_of((const char *)b->bytes, b->length));
}

/* Keeps the COUNT first in order; the last falls out. */
static void rank(struct ranked *items, size_t *count, size_t most, const struct ranked *item)
{
    size_t low = 0, high = *count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_compare(&items[middle].key, &item->key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low >= most) {
        return;
    }
    size_t kept = *count < most ? *count : most - 1;
    memmove(&items[low + 1], &items[low], (kept - low) * sizeof(*items));
    items[low] = *item;
    *count = kept + 1;
}

/* With a sort: every match is looked at and the first of them are kept. */
static enum status find_sorted(struct finder *finder, struct store_page *page)
{
    const struct store_query *query = finder->query;
    struct ranked after = {.rid = -1}, item;
    struct slice bytes;
    if (query->cursor.length > 0) {
        if (!cursor_read(query->cursor, 's', finder->answer, &bytes) || bytes.length > SORT_KEY) {
            return bad_cursor(finder);
        }
        memcpy(after.key.bytes, bytes.at, bytes.length);
        after.key.length = bytes.length;
    }
    size_t most = query->count + 1, count = 0;
    struct ranked *items = arena_array(finder->answer, most, sizeof(*items));
    int64_t *rids = arena_array(finder->answer, most, sizeof(*rids));
    if (items == NULL || rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    uint64_t total = 0;
    struct candidate candidate = {.rid = -1};
    for (;;) {
        TRY(next_match(finder, candidate.rid + 1, &candidate));
        if (candidate.rid == STREAM_END) {
            break;
        }
        total++;
        item.rid = candidate.rid;
        TRY(sort_key_make(&candidate, &item.key));
        if (after.key.length == 0 || key_compare(&item.key, &after.key) > 0) {
            rank(items, &count, most, &item);
        }
    }
    page->total = query->total ? total : page->total;
    page->more = count > query->count && query->count > 0;
    count = count > query->count ? query->count : count;
    for (size_t i = 0; i < count; i++) {
        rids[i] = items[i].rid;
    }
    TRY(load_items(finder, rids, count, page));
    const struct sort_key *last = &items[page->count > 0 ? page->count - 1 : 0].key;
    return cursor_give(finder, 's', slice_of((const char *)last->bytes, last->length), page);
}

static enum status run_finder(struct finder *finder, struct store_page *page)
{
    TRY(finder_prepare(finder));
    if (finder->part_count == 0) {
        page->total = finder->query->total ? 0 : UINT64_MAX;
        return STATUS_OK;
    }
    return finder->query->sort_count > 0 ? find_sorted(finder, page) : find_by_place(finder, page);
}

/* What the search itself needs, which may be much more than a request's own. */
#define SEARCH_MEMORY ((size_t)64 << 20)

enum status store_find(struct store_tx *tx, const struct store_query *query, struct arena *arena,
                       struct outcome *outcome, struct store_page *ret_page)
{
    *ret_page = (struct store_page){.total = UINT64_MAX};
    struct finder finder = {.query = query, .answer = arena};
    finder.root = (struct search){.tx = tx,
                                  .connection = tx->connection,
                                  .store = tx->connection->store,
                                  .arena = arena_create(SEARCH_MEMORY),
                                  .scratch = arena_create(ARENA_REQUEST_BASE * 16),
                                  .outcome = outcome,
                                  .looked = &finder.looked,
                                  .ahead = -1};
    enum status status = STATUS_MEMORY;
    if (finder.root.arena != NULL && finder.root.scratch != NULL) {
        /* In a job the deadline holds for searches only: a write that is interrupted would undo
         * the transactions of all. */
        if (tx->writer != NULL) {
            tx->connection->deadline = tx->writer->deadline;
        }
        status = run_finder(&finder, ret_page);
        for (size_t i = 0; i < finder.part_count; i++) {
            search_close(finder.parts[i]);
        }
        if (tx->writer != NULL) {
            tx->connection->deadline = 0;
        }
    }
    arena_destroy(finder.root.scratch);
    arena_destroy(finder.root.arena);
    return status;
}
