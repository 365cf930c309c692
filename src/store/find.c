/* SPDX-License-Identifier: MIT */
/* store: finding. */
#include "find_int.h"

#define LIST_LIMIT  20000 /* places of a range that are worth a list */
#define PROBE_LIMIT 512   /* a stream shorter than this needs no help */

/* ---- streams that are no clause -----------------------------------------------------------------
 */

static struct stream *stream_new(struct search *search)
{
    return &search->streams[search->stream_count++];
}

static enum status add_places(struct search *search, struct stream *stream, int64_t low,
                              int64_t high)
{
    const struct store_query *query = search->query;
    if (query->type != RESOURCE_TYPE_NONE || query->types == NULL) {
        return stream_add_places(stream, search->connection, search->arena, query->type, low, high);
    }
    for (size_t i = 0; i < query->type_count; i++) {
        TRY(stream_add_places(stream, search->connection, search->arena, query->types[i], low,
                              high));
    }
    return STATUS_OK;
}

static enum status prepare_patient(struct search *search)
{
    struct packed_id key;
    struct entry entry = {0};
    if (id_pack(search->query->patient, &key)) {
        TRY(directory_find(search->tx, search->store->patient_type, &key, &entry));
    }
    if (!entry.known) {
        search->nothing = true;
        return STATUS_OK;
    }
    TRY(store_person_patients(search->tx, place_patient(entry.rid), search->arena, &search->person,
                              &search->person_count));
    if (!search->typed && (search->query->type != RESOURCE_TYPE_NONE || search->query->types)) {
        /* A member may be of any type. */
        TRY(add_places(search, stream_new(search), INT64_MIN, INT64_MAX));
        search->typed = true;
    }
    struct stream *stream = stream_new(search);
    for (size_t i = 0; i < search->person_count; i++) {
        int64_t low = place_first(search->person[i]);
        TRY(add_places(search, stream, low, low + SEQUENCE_LIMIT + 1));
        TRY(stream_add_members(stream, search->connection, search->arena, search->person[i]));
    }
    return STATUS_OK;
}

static int place_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum status prepare_ids(struct search *search)
{
    const struct store_query *query = search->query;
    int64_t *list = arena_array(search->arena, query->id_count, sizeof(*list));
    size_t count = 0;
    if (list == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < query->id_count; i++) {
        struct packed_id key;
        struct entry entry;
        if (!id_pack(query->ids[i], &key)) {
            continue;
        }
        TRY(directory_find(search->tx, query->type, &key, &entry));
        if (entry.known && entry.state == ENTRY_LIVE) {
            list[count++] = entry.rid;
        }
    }
    qsort(list, count, sizeof(*list), place_order);
    search->typed = true;
    search->nothing = search->nothing || count == 0;
    return stream_add_list(stream_new(search), search->arena, list, count);
}

/* When no stream is short, a range may be. */
static enum status prepare_ranges(struct search *search)
{
    for (size_t i = 0; i < search->stream_count; i++) {
        size_t count = 0;
        TRY(stream_probe(&search->streams[i], PROBE_LIMIT, &count));
        if (count < PROBE_LIMIT) {
            return STATUS_OK;
        }
    }
    size_t limit = LIST_LIMIT, best_count = 0;
    const int64_t *best = NULL;
    for (size_t i = 0; i < search->test_count; i++) {
        const int64_t *list = NULL;
        size_t count = 0;
        TRY(test_range(search, &search->tests[i], limit, &list, &count));
        if (list != NULL && (best == NULL || count < best_count)) {
            best = list;
            best_count = count;
            limit = count > 0 ? count : 1;
        }
    }
    if (best != NULL) {
        search->typed = true;
        return stream_add_list(stream_new(search), search->arena, best, best_count);
    }
    if (search->stream_count == 0) {
        TRY(add_places(search, stream_new(search), INT64_MIN, INT64_MAX));
        search->typed = true;
    }
    return STATUS_OK;
}

static enum status prepare(struct search *search)
{
    const struct store_query *query = search->query;
    if (query->type == RESOURCE_TYPE_NONE && (query->clause_count > 0 || query->id_count > 0)) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "Search parameters need a resource type: search one type at a time.");
    }
    search->streams = arena_array(search->arena, query->clause_count + 5, sizeof(struct stream));
    search->tests = arena_array(search->arena, query->clause_count + 1, sizeof(struct test));
    if (search->streams == NULL || search->tests == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(sorts_check(search));
    for (size_t i = 0; i < query->clause_count; i++) {
        TRY(clause_prepare(search, &query->clauses[i]));
    }
    if (query->ids != NULL) {
        TRY(prepare_ids(search));
    }
    if (query->has_patient) {
        TRY(prepare_patient(search));
    }
    return search->nothing ? STATUS_OK : prepare_ranges(search);
}

/* ---- candidates
 * ---------------------------------------------------------------------------------- */

/* The first place >= RID that all streams have. */
static enum status next_candidate(struct search *search, int64_t rid, int64_t *ret_rid)
{
    size_t agreed = 0;
    for (size_t i = 0; agreed < search->stream_count; i = (i + 1) % search->stream_count) {
        TRY(stream_seek(&search->streams[i], rid));
        if (search->streams[i].current == STREAM_END) {
            *ret_rid = STREAM_END;
            return STATUS_OK;
        }
        if (search->streams[i].current == rid) {
            agreed++;
        } else {
            rid = search->streams[i].current;
            agreed = 1;
        }
    }
    *ret_rid = rid;
    return STATUS_OK;
}

static bool type_wanted(const struct store_query *query, resource_type type)
{
    if (query->type != RESOURCE_TYPE_NONE) {
        return type == query->type;
    }
    for (size_t i = 0; i < query->type_count; i++) {
        if (query->types[i] == type) {
            return true;
        }
    }
    return query->types == NULL;
}

static enum status look_into_body(struct search *search, const struct test *test, int64_t rid,
                                  bool *ret_match)
{
    struct store_version version;
    struct json json;
    TRY(place_read(search->connection, rid, true, search->scratch, &version));
    TRY(json_read(version.body, &json_limits_default, search->scratch, NULL, &json));
    TRY(test_body(search->store, test, version.type, json.root, search->scratch, ret_match));
    if (test->clause->modifier == STORE_NOT) {
        *ret_match = !*ret_match;
    }
    return STATUS_OK;
}

static bool needs_row(const struct search *search)
{
    const struct store_query *query = search->query;
    if (query->sort_count > 0 || query->updated_low != 0 || query->updated_high != 0) {
        return true;
    }
    for (size_t i = 0; i < search->test_count; i++) {
        if (!search->tests[i].streamed) {
            return true;
        }
    }
    return false;
}

struct candidate {
    int64_t rid, updated;
    struct slice facts; /* in scratch */
};

static enum status test_row(struct search *search, int64_t rid, struct candidate *candidate,
                            bool *ret_match)
{
    const struct store_query *query = search->query;
    sqlite3_stmt *statement;
    TRY(statement_get(search->connection, SQL_FILTER_ROW, &statement));
    sqlite3_bind_int64(statement, 1, rid);
    bool row = false;
    TRY(statement_row(search->connection, statement, &row));
    if (!row) {
        return STATUS_CORRUPT;
    }
    resource_type type = (resource_type)sqlite3_column_int(statement, 0);
    candidate->updated = sqlite3_column_int64(statement, 1);
    candidate->facts = arena_copy(search->scratch, statement_blob(statement, 2));
    sqlite3_reset(statement);
    *ret_match = type_wanted(query, type);
    if (query->updated_low != 0 || query->updated_high != 0) {
        *ret_match = *ret_match && candidate->updated >= query->updated_low &&
                     candidate->updated < query->updated_high;
    }
    if (candidate->facts.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < search->test_count && *ret_match; i++) {
        const struct test *test = &search->tests[i];
        enum match match = test->streamed ? MATCH_YES : test_facts(test, candidate->facts);
        *ret_match = match != MATCH_NO;
        if (match == MATCH_MAYBE) {
            TRY(look_into_body(search, test, rid, ret_match));
        }
    }
    return STATUS_OK;
}

/* The next match at or after FROM. */
static enum status next_match(struct search *search, int64_t from, struct candidate *candidate)
{
    for (;;) {
        TRY(next_candidate(search, from, &candidate->rid));
        if (candidate->rid == STREAM_END) {
            return STATUS_OK;
        }
        int64_t deadline = search->connection->deadline;
        if (++search->looked % 64 == 0 && deadline != 0 && time_monotonic() > deadline) {
            return outcome_fail(search->outcome, STATUS_TOO_COSTLY, "",
                                "The search takes too long. Narrow it: name a patient, or add a "
                                "code, an identifier or a date.");
        }
        bool match = true;
        if (needs_row(search)) {
            arena_reset(search->scratch, ARENA_REQUEST_BASE * 16);
            TRY(test_row(search, candidate->rid, candidate, &match));
        }
        if (match) {
            return STATUS_OK;
        }
        from = candidate->rid + 1;
    }
}

/* ---- pages
 * ---------------------------------------------------------------------------------------- */

static enum status load_items(struct search *search, const int64_t *rids, size_t count,
                              struct store_page *page)
{
    const struct store_query *query = search->query;
    size_t bytes = 0;
    page->items = arena_array(search->arena, count, sizeof(*page->items));
    if (page->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        if (query->bytes != 0 && bytes >= query->bytes && i > 0) {
            page->more = true;
            break;
        }
        TRY(place_read(search->connection, rids[i], query->bodies, search->arena, &page->items[i]));
        bytes += page->items[i].body.length;
        page->count++;
    }
    return STATUS_OK;
}

static enum status cursor_give(struct search *search, char kind, struct slice bytes,
                               struct store_page *page)
{
    if (page->more) {
        page->next = cursor_write(search->arena, kind, bytes);
        return page->next.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    return STATUS_OK;
}

static enum status bad_cursor(struct search *search)
{
    return outcome_fail(search->outcome, STATUS_VALUE, "",
                        "This is no page of this search. Follow the links of the answer.");
}

/* Without a sort: in the order of places, which never changes. */
static enum status find_by_place(struct search *search, struct store_page *page)
{
    const struct store_query *query = search->query;
    struct candidate candidate;
    int64_t after = -1;
    struct slice bytes;
    if (query->cursor.length > 0) {
        if (!cursor_read(query->cursor, 'p', search->arena, &bytes) || bytes.length != 8) {
            return bad_cursor(search);
        }
        memcpy(&after, bytes.at, 8);
        if (after < 0 || after == INT64_MAX) {
            return bad_cursor(search);
        }
    }
    int64_t *rids = arena_array(search->arena, query->count, sizeof(*rids));
    size_t count = 0;
    uint64_t total = 0;
    if (rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    /* A total counts from the beginning, a page alone starts behind the one before. */
    int64_t from = query->total ? 0 : after + 1;
    for (;;) {
        TRY(next_match(search, from, &candidate));
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
    TRY(load_items(search, rids, count, page));
    return cursor_give(search, 'p',
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
static enum status find_sorted(struct search *search, struct store_page *page)
{
    const struct store_query *query = search->query;
    struct ranked after = {.rid = -1}, item;
    struct slice bytes;
    if (query->cursor.length > 0) {
        if (!cursor_read(query->cursor, 's', search->arena, &bytes) || bytes.length > SORT_KEY) {
            return bad_cursor(search);
        }
        memcpy(after.key.bytes, bytes.at, bytes.length);
        after.key.length = bytes.length;
    }
    size_t most = query->count + 1, count = 0;
    struct ranked *items = arena_array(search->arena, most, sizeof(*items));
    int64_t *rids = arena_array(search->arena, most, sizeof(*rids));
    if (items == NULL || rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    uint64_t total = 0;
    struct candidate candidate = {.rid = -1};
    for (;;) {
        TRY(next_match(search, candidate.rid + 1, &candidate));
        if (candidate.rid == STREAM_END) {
            break;
        }
        total++;
        item.rid = candidate.rid;
        TRY(sort_key_make(search, candidate.rid, candidate.updated, candidate.facts, &item.key));
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
    TRY(load_items(search, rids, count, page));
    const struct sort_key *last = &items[page->count > 0 ? page->count - 1 : 0].key;
    return cursor_give(search, 's', slice_of((const char *)last->bytes, last->length), page);
}

static enum status run_search(struct search *search, struct store_page *page)
{
    const struct store_query *query = search->query;
    TRY(prepare(search));
    if (search->nothing) {
        page->total = query->total ? 0 : UINT64_MAX;
        return STATUS_OK;
    }
    return query->sort_count > 0 ? find_sorted(search, page) : find_by_place(search, page);
}

enum status store_find(struct store_tx *tx, const struct store_query *query, struct arena *arena,
                       struct outcome *outcome, struct store_page *ret_page)
{
    *ret_page = (struct store_page){.total = UINT64_MAX};
    struct search search = {.tx = tx,
                            .connection = tx->connection,
                            .store = tx->connection->store,
                            .query = query,
                            .arena = arena,
                            .scratch = arena_create(ARENA_REQUEST_BASE * 16),
                            .outcome = outcome};
    if (search.scratch == NULL) {
        return STATUS_MEMORY;
    }
    /* In a job the deadline holds for searches only: a write that is interrupted would undo the
     * transactions of all. */
    if (tx->writer != NULL) {
        tx->connection->deadline = tx->writer->deadline;
    }
    enum status status = run_search(&search, ret_page);
    for (size_t i = 0; i < search.stream_count; i++) {
        stream_close(&search.streams[i]);
    }
    if (tx->writer != NULL) {
        tx->connection->deadline = 0;
    }
    arena_destroy(search.scratch);
    return status;
}

/* ---- who refers to it
 * ------------------------------------------------------------------------------ */

static enum status referrer_by(struct store_tx *tx, uint32_t parameter, int64_t target, int64_t own,
                               struct arena *arena, struct store_version *ret_version)
{
    sqlite3_stmt *statement;
    TRY(statement_get(tx->connection, SQL_REFERENCE_RIDS, &statement));
    sqlite3_bind_int64(statement, 1, parameter);
    sqlite3_bind_int64(statement, 2, target);
    sqlite3_bind_int64(statement, 3, INT64_MIN);
    bool row = false;
    int64_t rid = -1;
    TRY(statement_row(tx->connection, statement, &row));
    while (row && rid < 0) {
        rid = sqlite3_column_int64(statement, 0);
        if (rid == own) { /* a reference to itself holds nothing */
            rid = -1;
            TRY(statement_row(tx->connection, statement, &row));
        }
    }
    sqlite3_reset(statement);
    return rid >= 0 ? place_read(tx->connection, rid, false, arena, ret_version) : STATUS_NOT_FOUND;
}

enum status store_find_referrer(struct store_tx *tx, resource_type type, struct slice id,
                                struct arena *arena, struct store_version *ret_version)
{
    const struct store *store = tx->connection->store;
    struct packed_id key;
    struct entry entry;
    if (!id_pack(id, &key)) {
        return STATUS_NOT_FOUND;
    }
    TRY(directory_find(tx, type, &key, &entry));
    if (!entry.known) {
        return STATUS_NOT_FOUND;
    }
    for (resource_type from = 1; from <= resource_type_count(store->definitions); from++) {
        for (uint32_t i = 0; i < store->parameter_counts[from]; i++) {
            uint32_t number = store->parameters[from][i].number;
            if (number == 0) {
                continue;
            }
            enum status status =
                referrer_by(tx, number * 2, entry.entity, entry.rid, arena, ret_version);
            if (status != STATUS_NOT_FOUND) {
                return status;
            }
        }
    }
    return STATUS_NOT_FOUND;
}
