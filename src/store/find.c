/* SPDX-License-Identifier: MIT */
/* store: finding: pages of matches in the order of places, or ranked by sort keys. */
#include "find_int.h"

/* An exact count wants every match looked at. */
static bool counts(const struct store_query *query)
{
    return query->total && !query->estimate;
}

/* ---- across types -------------------------------------------------------------------------------
 */

/* The next match of all parts at or after FROM. Whose candidate comes first is tested first, so
 * that no part runs far ahead to find a match that is not wanted yet. */
static enum status next_of_parts(struct finder *finder, int64_t from, struct candidate *candidate)
{
    for (;;) {
        struct search *first = NULL;
        if (finder->pause != 0 && finder->looked >= finder->pause) {
            *candidate = (struct candidate){.rid = from, .paused = true};
            return STATUS_OK;
        }
        for (size_t i = 0; i < finder->part_count; i++) {
            struct search *part = finder->parts[i];
            if (part->ahead < from) {
                bool paused;
                TRY(search_candidate(part, from, &part->ahead, &paused));
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

enum status finder_next(struct finder *finder, int64_t from, struct candidate *candidate)
{
    if (finder->part_count != 1) {
        return next_of_parts(finder, from, candidate);
    }
    arena_reset(finder->root.scratch, ARENA_REQUEST_BASE * 16);
    finder->parts[0]->pause = finder->pause;
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

#define FEW_TYPES 8

/* Of which types there are resources: *RET_USED by type. What few are named may all be used: to ask
 * each for matches costs less than to find out. */
static enum status types_used(struct finder *finder, bool **ret_used)
{
    struct connection *connection = finder->root.connection;
    size_t last = (size_t)resource_type_count(finder->root.store->definitions);
    struct statement *statement;
    bool row = false;
    *ret_used = arena_array(finder->root.arena, last + 1, sizeof(bool));
    if (*ret_used == NULL) {
        return STATUS_TOO_COSTLY;
    }
    bool few = finder->query->types != NULL && finder->query->type_count <= FEW_TYPES;
    for (size_t i = 0; i <= last; i++) {
        (*ret_used)[i] = few;
    }
    if (few) {
        return STATUS_OK;
    }
    TRY(statement_get(connection, SQL_TYPES_USED, &statement));
    TRY(statement_row(connection, statement, &row));
    while (row) {
        int64_t type = statement_number(statement, 0);
        if (type > 0 && (size_t)type <= last) {
            (*ret_used)[type] = true;
        }
        TRY(statement_row(connection, statement, &row));
    }
    statement_reset(statement);
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
    bool any = false, *used;
    TRY(types_used(finder, &used));
    for (resource_type type = 1; type <= last; type++) {
        const struct store_query *query = NULL;
        if (!is_listed(finder->query, type)) {
            continue;
        }
        TRY(query_for_type(store, finder->root.arena, finder->query, type, &query));
        any = any || query != NULL;
        if (query != NULL && used[type]) {
            TRY(add_part(finder, query));
        }
    }
    return any ? STATUS_OK
               : outcome_fail(finder->root.outcome, STATUS_NOT_SUPPORTED, "",
                              "No resource type asked for has all these search parameters.");
}

/* Every type that may contain a match. */
static enum status parts_inside(struct finder *finder)
{
    const struct store_query *query = finder->query;
    struct search *root = &finder->root;
    resource_type last = resource_type_count(root->store->definitions);
    struct store_query *inner = ARENA_NEW(root->arena, struct store_query);
    bool *used;
    if (query->type == RESOURCE_TYPE_NONE) {
        return outcome_fail(root->outcome, STATUS_NOT_SUPPORTED, "",
                            "Contained resources are searched one type at a time.");
    }
    if (inner == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *inner = *query;
    inner->has_patient = false;
    TRY(search_nest(root, inner, &finder->inside));
    TRY(types_used(finder, &used));
    for (resource_type type = 1; type <= last; type++) {
        struct store_query *outer;
        if (!used[type]) {
            continue;
        }
        outer = ARENA_NEW(root->arena, struct store_query);
        if (outer == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *outer = (struct store_query){.type = type,
                                      .has_patient = query->has_patient,
                                      .patient = query->patient,
                                      .sorts = query->sorts,
                                      .sort_count = query->sort_count};
        root->inside = finder->inside;
        enum status status = add_part(finder, outer);
        root->inside = NULL;
        TRY(status);
    }
    return STATUS_OK;
}

static enum status finder_prepare(struct finder *finder)
{
    const struct store_query *query = finder->query;
    size_t most = 2 * (size_t)resource_type_count(finder->root.store->definitions) + 1;
    finder->parts = arena_array(finder->root.arena, most, sizeof(struct search *));
    if (finder->parts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (query->type == RESOURCE_TYPE_NONE && query_needs_types(query)) {
        TRY(parts_of_types(finder));
    } else if (query->contained != STORE_CONTAINED_ONLY) {
        TRY(add_part(finder, query));
    }
    if (query->contained != STORE_CONTAINED_NOT) {
        TRY(parts_inside(finder));
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
        finder->parts[i]->every = counts(query);
        TRY(search_settle(finder->parts[i]));
    }
    return STATUS_OK;
}

/* ---- pages
 * ---------------------------------------------------------------------------------------- */

#define ITEMS_AT_ONCE 50

static enum status load_items(struct finder *finder, const int64_t *rids, size_t count,
                              struct store_page *page)
{
    const struct store_query *query = finder->query;
    size_t bytes = 0;
    struct store_inside *inside = arena_array(finder->answer, count, sizeof(*inside));
    page->items = arena_array(finder->answer, count, sizeof(*page->items));
    if (page->items == NULL || inside == NULL) {
        return STATUS_TOO_COSTLY;
    }
    page->inside = finder->inside != NULL && query->inside ? inside : NULL;
    for (size_t i = 0; i < count; i++) {
        if (query->bytes != 0 && bytes >= query->bytes && i > 0) {
            page->more = true;
            break;
        }
        if (i % ITEMS_AT_ONCE == 0) {
            size_t left = count - i;
            TRY(place_read_all(finder->root.connection, rids + i,
                               left < ITEMS_AT_ONCE ? left : ITEMS_AT_ONCE, query->bodies,
                               finder->answer, page->items + i));
        }
        if (page->inside != NULL) {
            TRY(inside_collect(finder->inside, rids[i], &page->items[i], finder->answer,
                               &inside[i]));
            inside[i].itself = inside[i].itself && query->contained == STORE_CONTAINED_TOO;
        }
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
        if (after < 0 || after == INT64_MAX) {
            return bad_cursor(finder);
        }
    }
    int64_t *rids = arena_array(finder->answer, query->count, sizeof(*rids));
    size_t count = 0;
    uint64_t total = 0;
    if (rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    /* A total counts from the beginning, a page alone starts behind the one before. */
    int64_t from = counts(query) ? 0 : after + 1;
    for (;;) {
        TRY(finder_next(finder, from, &candidate));
        if (candidate.rid == STREAM_END) {
            break;
        }
        total++;
        from = candidate.rid + 1;
        if (candidate.rid > after && count < query->count) {
            rids[count++] = candidate.rid;
        } else if (candidate.rid > after && query->count > 0) {
            page->more = true;
            if (!counts(query)) {
                break;
            }
        }
        bool full = query->count == 0 || page->more, known = false;
        uint64_t rest = 0;
        if (full && counts(query) && finder->part_count == 1) {
            TRY(search_rest(finder->parts[0], &known, &rest));
        }
        total += rest;
        if (known) {
            break;
        }
    }
    if (counts(query)) {
        page->total = total;
    }
    TRY(load_items(finder, rids, count, page));
    return cursor_give(finder, 'p',
                       slice_of((const char *)&rids[page->count > 0 ? page->count - 1 : 0],
                                page->count > 0 ? 8 : 0),
                       page);
}

#define RANK_LOOKS 2048 /* looks after which walking may be cheaper than ranking */
#define PAIR_LOOKS 256  /* the same where the walk is of what is asked for */

/* Every match is looked at and the first of them are kept. *RET_DONE false: LOOKS (0: any number)
 * were not enough. */
static enum status rank_all(struct finder *finder, const struct sort_key *after, uint64_t looks,
                            struct ranking *ranking, uint64_t *ret_total, bool *ret_done)
{
    struct candidate candidate = {.rid = -1};
    ranking->count = 0;
    *ret_total = 0;
    finder->pause = looks > 0 ? finder->looked + looks : 0;
    for (;;) {
        TRY(finder_next(finder, candidate.rid + 1, &candidate));
        if (candidate.rid == STREAM_END || candidate.paused) {
            break;
        }
        struct ranked item = {.rid = candidate.rid};
        ++*ret_total;
        TRY(sort_key_make(&candidate, &item.key));
        if (after->length == 0 || sort_key_compare(&item.key, after) > 0) {
            ranking_add(ranking, &item);
        }
    }
    finder->pause = 0;
    *ret_done = !candidate.paused;
    return STATUS_OK;
}

void finder_rewind(struct finder *finder)
{
    for (size_t i = 0; i < finder->part_count; i++) {
        search_rewind(finder->parts[i]);
        finder->parts[i]->ahead = -1;
    }
}

/* Is it known beforehand that there are more matches than are worth LOOKS? */
static enum status has_many(struct search *search, uint64_t looks, bool *ret_many)
{
    size_t count = 0;
    *ret_many = !search->narrow;
    for (size_t i = 0; i < search->test_count; i++) {
        if (!search->tests[i].streamed) {
            return STATUS_OK;
        }
    }
    if (search->narrow && search->stream_count == 1) {
        TRY(stream_probe(&search->streams[0], (size_t)looks, &count));
        *ret_many = count == looks;
    }
    return STATUS_OK;
}

/* The first of a great many need not all be ranked: so if there are many, the tree of the first key
 * is walked. A count needs them all. */
static enum status rank_first(struct finder *finder, const struct sort_key *after,
                              struct ranking *ranking, uint64_t *ret_total)
{
    const struct store_query *query = finder->query;
    bool done = false;
    bool walks = !counts(query) && finder->part_count == 1 && !query->has_patient &&
                 finder->parts[0]->query->type != RESOURCE_TYPE_NONE;
    if (walks) {
        bool many = false, pairs = false;
        TRY(search_walks_pairs(finder->parts[0], &pairs));
        uint64_t looks = pairs ? PAIR_LOOKS : RANK_LOOKS;
        TRY(has_many(finder->parts[0], looks, &many));
        if (!many) {
            TRY(rank_all(finder, after, looks, ranking, ret_total, &done));
        }
        if (!done) {
            ranking->count = 0;
            TRY(search_walk(finder->parts[0], after, ranking, &done));
        }
        finder_rewind(finder);
    }
    return done ? STATUS_OK : rank_all(finder, after, 0, ranking, ret_total, &done);
}

static enum status find_sorted(struct finder *finder, struct store_page *page)
{
    const struct store_query *query = finder->query;
    struct sort_key after = {.length = 0};
    struct slice bytes;
    if (query->cursor.length > 0) {
        if (!cursor_read(query->cursor, 's', finder->answer, &bytes) || bytes.length > SORT_KEY) {
            return bad_cursor(finder);
        }
        memcpy(after.bytes, bytes.at, bytes.length);
        after.length = bytes.length;
    }
    struct ranking ranking;
    uint64_t total = 0;
    int64_t *rids = arena_array(finder->answer, query->count + 1, sizeof(*rids));
    TRY(ranking_make(finder->root.arena, query->count + 1, &ranking));
    if (rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(rank_first(finder, &after, &ranking, &total));
    page->total = counts(query) ? total : page->total;
    page->more = ranking.count > query->count && query->count > 0;
    size_t count = ranking.count > query->count ? query->count : ranking.count;
    for (size_t i = 0; i < count; i++) {
        rids[i] = ranking.items[i].rid;
    }
    TRY(load_items(finder, rids, count, page));
    const struct sort_key *last = &ranking.items[page->count > 0 ? page->count - 1 : 0].key;
    return cursor_give(finder, 's', slice_of((const char *)last->bytes, last->length), page);
}

static enum status run_finder(struct finder *finder, struct store_page *page)
{
    TRY(finder_prepare(finder));
    if (finder->part_count == 0) {
        page->total = finder->query->total ? 0 : UINT64_MAX;
        return STATUS_OK;
    }
    TRY(finder->query->sort_count > 0 ? find_sorted(finder, page) : find_by_place(finder, page));
    return finder->query->total && finder->query->estimate ? finder_estimate(finder, &page->total)
                                                           : STATUS_OK;
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
        if (finder.inside != NULL) {
            search_close(finder.inside);
        }
        if (tx->writer != NULL) {
            tx->connection->deadline = 0;
        }
    }
    arena_destroy(finder.root.scratch);
    arena_destroy(finder.root.arena);
    return status;
}
