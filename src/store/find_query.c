/* SPDX-License-Identifier: MIT */
/* store: a query made ready: its clauses as tests, and as streams where places can be read from a
 * tree in order; its matches one after another; and whether one place is a match. */
#include "find_int.h"

#define PROBE_LIMIT     512 /* a stream shorter than this needs no help */
#define TESTS_IN_DOUBT  256 /* of a search, whose bodies wait until all facts are asked */
#define STEPS_OF_A_LOOK 8   /* seeks that cost as much as looking at a candidate */

enum status search_refuse(struct search *search, const struct store_clause *clause,
                          const char *text)
{
    struct slice code = clause->parameter != NULL ? clause->parameter->code : SLICE("");
    return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "", "Search parameter %.*s: %s",
                        SLICE_ARGS(code), text);
}

enum status search_not_ready(struct search *search, const struct search_parameter *parameter)
{
    uint64_t done = 0, all = 0;
    bool runs = store_indexing(search->store, &done, &all);
    return outcome_fail(search->outcome, STATUS_TRANSIENT, "",
                        runs ? "Search parameter %.*s is not ready: it is new here or has changed, "
                               "and what is stored is being indexed by it (%llu of %llu resources "
                               "done). Ask again later."
                             : "Search parameter %.*s is not ready: it is new here or has changed. "
                               "A server that has these records open indexes by it, and so does "
                               "`carelayer reindex`.",
                        SLICE_ARGS(parameter->code), (unsigned long long)done,
                        (unsigned long long)all);
}

enum status search_look(struct search *search)
{
    int64_t deadline = search->connection->deadline;
    if ((*search->looked)++ % 64 == 0 && deadline != 0 && time_monotonic() > deadline) {
        return outcome_fail(search->outcome, STATUS_TOO_COSTLY, "",
                            "The search takes too long. Narrow it: name a patient, or add a "
                            "code, an identifier or a date.");
    }
    return STATUS_OK;
}

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
    search->ids = list;
    search->id_count = count;
    return stream_add_list(stream_new(search), search->arena, list, count);
}

/* ---- across types -------------------------------------------------------------------------------
 */

bool query_needs_types(const struct store_query *query)
{
    bool sorts = false;
    for (size_t i = 0; i < query->sort_count; i++) {
        sorts = sorts || query->sorts[i].parameter != NULL;
    }
    return query->clause_count > 0 || query->ids != NULL || sorts;
}

/* The type's own parameter with the code and kind of this one; NULL: it has none. */
static const struct search_parameter *parameter_of_type(const struct store *store,
                                                        resource_type type,
                                                        const struct search_parameter *parameter)
{
    const struct search_parameter *own =
        search_parameter_find(store->definitions, type, parameter->code);
    return own != NULL && own->kind == parameter->kind ? own : NULL;
}

enum status query_for_type(const struct store *store, struct arena *arena,
                           const struct store_query *query, resource_type type,
                           const struct store_query **ret_query)
{
    struct store_query *typed = arena_zero(arena, sizeof(*typed));
    struct store_clause *clauses = arena_array(arena, query->clause_count + 1, sizeof(*clauses));
    *ret_query = NULL;
    if (typed == NULL || clauses == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *typed = *query;
    typed->type = type;
    typed->clauses = clauses;
    for (size_t i = 0; i < query->clause_count; i++) {
        clauses[i] = query->clauses[i];
        bool own = clauses[i].modifier != STORE_HAS && clauses[i].modifier != STORE_ANY;
        if (own) {
            clauses[i].parameter = parameter_of_type(store, type, clauses[i].parameter);
        }
        if (own && clauses[i].parameter == NULL) {
            return STATUS_OK;
        }
    }
    *ret_query = typed;
    return STATUS_OK;
}

/* ---- preparing ----------------------------------------------------------------------------------
 */

static enum status prepare_clause(struct search *search, const struct store_clause *clause)
{
    switch (clause->modifier) {
    case STORE_CHAIN:
    case STORE_HAS:
    case STORE_ANY:
        return link_prepare(search, clause);
    default:
        break;
    }
    switch (clause->parameter->kind) {
    case SEARCH_COMPOSITE:
        return composite_prepare(search, clause);
    case SEARCH_SPECIAL:
        return near_prepare(search, clause);
    default:
        return clause_prepare(search, clause);
    }
}

enum status search_prepare(struct search *search)
{
    const struct store_query *query = search->query;
    size_t tests = 1;
    for (size_t i = 0; i < query->clause_count; i++) {
        const struct search_parameter *parameter = query->clauses[i].parameter;
        tests += 1 + (parameter != NULL ? parameter->component_count : 0);
    }
    search->streams =
        arena_array(search->arena, tests * (WORD_STREAMS + 1) + 5, sizeof(struct stream));
    search->tests = arena_array(search->arena, tests, sizeof(struct test));
    search->denied = arena_array(search->arena, tests, sizeof(struct stream));
    if (search->denied == NULL || search->streams == NULL || search->tests == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(sorts_prepare(search));
    if (search->inside != NULL) {
        TRY(inside_prepare(search));
    }
    for (size_t i = 0; i < query->clause_count; i++) {
        TRY(prepare_clause(search, &query->clauses[i]));
    }
    if (query->ids != NULL) {
        TRY(prepare_ids(search));
    }
    return query->has_patient && search->depth == 0 ? prepare_patient(search) : STATUS_OK;
}

static enum status search_make(const struct search *other, const struct store_query *query,
                               unsigned depth, struct search **ret_search)
{
    struct search *search = arena_zero(other->arena, sizeof(*search));
    *ret_search = search;
    if (search == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *search = (struct search){.tx = other->tx,
                              .connection = other->connection,
                              .store = other->store,
                              .query = query,
                              .arena = other->arena,
                              .scratch = other->scratch,
                              .outcome = other->outcome,
                              .depth = depth,
                              .looked = other->looked,
                              .ahead = -1};
    return search_prepare(search);
}

enum status search_nest(struct search *parent, const struct store_query *query,
                        struct search **ret_search)
{
    return search_make(parent, query, parent->depth + 1, ret_search);
}

enum status search_beside(const struct search *other, const struct store_query *query,
                          struct search **ret_search)
{
    return search_make(other, query, other->depth, ret_search);
}

enum status search_settle(struct search *search)
{
    bool confined = false;
    search->races = true;
    TRY(search_confine(search, &confined));
    if (confined) {
        search->brief = search->narrow = true;
        return STATUS_OK;
    }
    for (size_t i = 0; i < search->stream_count; i++) {
        TRY(stream_foresee(&search->streams[i], PROBE_LIMIT));
    }
    for (size_t i = 0; i < search->stream_count; i++) {
        size_t count = 0;
        TRY(stream_probe(&search->streams[i], PROBE_LIMIT, &count));
        if (count < PROBE_LIMIT) {
            search->brief = search->narrow = true;
            return STATUS_OK;
        }
    }
    search->narrow = search->stream_count > 0;
    TRY(ranges_prepare(search));
    TRY(search->brief ? STATUS_OK : links_by_homes(search));
    if (search->stream_count == 0 || search->gone) {
        search->all = search->stream_count == 0;
        TRY(add_places(search, stream_new(search), INT64_MIN, INT64_MAX));
        search->typed = true;
    }
    return STATUS_OK;
}

void search_close(struct search *search)
{
    ranges_close(search);
    ahead_close(search);
    for (size_t i = 0; i < search->stream_count; i++) {
        stream_close(&search->streams[i]);
    }
    for (size_t i = 0; i < search->denied_count; i++) {
        stream_close(&search->denied[i]);
    }
    for (size_t i = 0; i < search->test_count; i++) {
        if (search->tests[i].link != NULL) {
            link_close(search->tests[i].link);
        }
    }
}

void search_rewind(struct search *search)
{
    ahead_drop(search);
    for (size_t i = 0; i < search->stream_count; i++) {
        stream_rewind(&search->streams[i]);
    }
    for (size_t i = 0; i < search->denied_count; i++) {
        stream_rewind(&search->denied[i]);
    }
}

/* ---- one place ----------------------------------------------------------------------------------
 */

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
    struct place_body body;
    TRY(search_body_read(search, rid, &body));
    if (body.root == NULL) {
        return STATUS_NOT_FOUND;
    }
    TRY(test_body(search->store, test, body.type, body.root, search->scratch, ret_match));
    if (test->clause->modifier == STORE_NOT) {
        *ret_match = !*ret_match;
    }
    return STATUS_OK;
}

static enum status run_test(struct search *search, const struct test *test,
                            const struct candidate *candidate, bool *ret_match)
{
    switch (test->kind) {
    case TEST_LINK:
        return link_test(search, test, candidate, ret_match);
    case TEST_COMPOSITE:
        return composite_test(search, test, candidate->rid, ret_match);
    case TEST_NEAR:
        return near_test(search, test, candidate->rid, ret_match);
    case TEST_INSIDE:
        return inside_test(search->inside, candidate->rid, ret_match);
    case TEST_FACTS:
        break;
    }
    return look_into_body(search, test, candidate->rid, ret_match);
}

/* Is there nothing left to ask of the place? */
static bool is_settled(const struct test *test, int64_t rid)
{
    return test->streamed || test->denied ||
           (test->sifted && !list_has(test->doubts, test->doubt_count, rid));
}

bool search_needs_body(const struct search *search, int64_t rid, struct slice facts)
{
    bool needs = false;
    for (size_t i = 0; i < search->test_count; i++) {
        const struct test *test = &search->tests[i];
        if (is_settled(test, rid)) {
            continue;
        }
        if (test->kind == TEST_FACTS) {
            enum match match = test_facts(test, facts);
            if (match == MATCH_NO) {
                return false;
            }
            needs = needs || match == MATCH_MAYBE;
        } else {
            needs = needs || test->kind == TEST_COMPOSITE || test->kind == TEST_NEAR;
        }
    }
    return needs;
}

/* ALL: also what a stream has seen to. The facts are asked of all before what costs more: what they
 * leave in doubt, the body, and then other resources. */
static enum status run_tests(struct search *search, bool all, const struct candidate *candidate,
                             bool *ret_match)
{
    uint64_t doubts[TESTS_IN_DOUBT / 64] = {0};
    for (size_t i = 0; i < search->test_count && *ret_match; i++) {
        const struct test *test = &search->tests[i];
        if (test->kind != TEST_FACTS || (!all && is_settled(test, candidate->rid))) {
            continue;
        }
        enum match match = test_facts(test, candidate->facts);
        *ret_match = match != MATCH_NO;
        if (match == MATCH_MAYBE && i < TESTS_IN_DOUBT) {
            doubts[i / 64] |= UINT64_C(1) << i % 64;
        } else if (match == MATCH_MAYBE) {
            TRY(run_test(search, test, candidate, ret_match));
        }
    }
    for (int facts = 1; facts >= 0; facts--) {
        for (size_t i = 0; i < search->test_count && *ret_match; i++) {
            const struct test *test = &search->tests[i];
            bool doubt = i < TESTS_IN_DOUBT && (doubts[i / 64] >> i % 64 & 1) != 0;
            bool other = test->kind != TEST_FACTS && (all || !is_settled(test, candidate->rid));
            if (facts == 1 ? doubt : other) {
                TRY(run_test(search, test, candidate, ret_match));
            }
        }
    }
    return STATUS_OK;
}

static bool sorts_by_id(const struct search *search)
{
    return search->column_count > 0 && search->columns[search->column_count - 1].kind == COLUMN_ID;
}

static enum status read_row(struct search *search, int64_t rid, struct candidate *candidate,
                            bool *ret_there)
{
    struct statement *statement;
    bool expected = rows_recall(search, rid, &statement, ret_there);
    if (!expected) {
        TRY(statement_get(search->connection, SQL_FILTER_ROW, &statement));
        statement_bind_number(statement, 1, rid);
        TRY(statement_row(search->connection, statement, ret_there));
    }
    if (!*ret_there) {
        return STATUS_OK;
    }
    candidate->type = (resource_type)statement_number(statement, 0);
    candidate->updated = statement_number(statement, 1);
    candidate->facts = arena_copy(search->scratch, statement_blob(statement, 2));
    bool ok = candidate->facts.at != NULL;
    if (sorts_by_id(search)) {
        candidate->id = statement_id(statement, 3, search->scratch);
        ok = ok && candidate->id.at != NULL;
    }
    if (!expected) {
        statement_reset(statement);
    }
    return ok ? STATUS_OK : STATUS_TOO_COSTLY;
}

static bool row_matches(const struct store_query *query, const struct candidate *candidate)
{
    bool any = query->updated_low == 0 && query->updated_high == 0;
    return type_wanted(query, candidate->type) &&
           (any ||
            (candidate->updated >= query->updated_low && candidate->updated < query->updated_high));
}

bool search_needs_row(const struct search *search, int64_t rid)
{
    const struct store_query *query = search->query;
    if (search->wants_row || query->updated_low != 0 || query->updated_high != 0) {
        return true;
    }
    for (size_t i = 0; i < search->test_count; i++) {
        if (!is_settled(&search->tests[i], rid)) {
            return true;
        }
    }
    return false;
}

enum status search_rest(struct search *search, bool *ret_known, uint64_t *ret_rest)
{
    const struct stream *stream = search->streams;
    *ret_known = search->stream_count == 1 && stream->count == 1 && stream->sources[0].shift == 0 &&
                 !search->wants_row && search->query->updated_low == 0 &&
                 search->query->updated_high == 0;
    for (size_t i = 0; i < search->test_count; i++) {
        *ret_known = *ret_known && search->tests[i].streamed;
    }
    return *ret_known ? stream_rest(&search->streams[0], ret_rest) : STATUS_OK;
}

enum status search_test(struct search *search, int64_t rid, struct candidate *candidate,
                        bool *ret_match)
{
    *candidate = (struct candidate){.search = search, .rid = rid};
    *ret_match = true;
    if (!search_needs_row(search, rid)) {
        return STATUS_OK;
    }
    bool there = false;
    TRY(read_row(search, rid, candidate, &there));
    if (!there) {
        return STATUS_CORRUPT;
    }
    *ret_match = row_matches(search->query, candidate);
    return run_tests(search, false, candidate, ret_match);
}

static bool among_ids(const struct search *search, int64_t rid)
{
    return search->query->ids == NULL ||
           (search->id_count > 0 && bsearch(&rid, search->ids, search->id_count,
                                            sizeof(*search->ids), place_order) != NULL);
}

/* Streams of more sources than this are left to the tests. */
#define SOURCES_TO_ASK 4
/* After so many questions, and up to so many places, a list is cheaper to ask than a tree. */
#define ASKED_OFTEN    1000
#define PLACES_TO_LIST 65536

static enum status list_streams(struct search *search)
{
    for (size_t i = search->all ? 1 : 0; i < search->stream_count; i++) {
        struct stream *stream = &search->streams[i];
        if (stream->count == 1 && stream->sources[0].shift == 0) {
            TRY(stream_gather(stream, search->arena, PLACES_TO_LIST));
        }
    }
    return STATUS_OK;
}

enum status search_has(struct search *search, int64_t rid, bool *ret_has)
{
    *ret_has = true;
    if (++search->asked == ASKED_OFTEN) {
        TRY(list_streams(search));
    }
    for (size_t i = search->all ? 1 : 0; i < search->stream_count && *ret_has; i++) {
        struct stream *stream = &search->streams[i];
        if (stream->count <= SOURCES_TO_ASK) {
            stream_rewind(stream);
            TRY(stream_seek(stream, rid));
            *ret_has = stream->current == rid;
        }
    }
    return STATUS_OK;
}

enum status search_has_many(struct search *search, int64_t *rids, size_t *count)
{
    struct number_list list = {.arena = search->arena, .items = rids, .count = *count};
    if (search->asked < ASKED_OFTEN && search->asked + *count >= ASKED_OFTEN) {
        TRY(list_streams(search));
    }
    search->asked += *count;
    list_sort(&list);
    *count = list.count;
    for (size_t i = search->all ? 1 : 0; i<search->stream_count && * count> 0; i++) {
        if (search->streams[i].count <= SOURCES_TO_ASK) {
            stream_rewind(&search->streams[i]);
            TRY(agree_keep(search, &search->streams[i], rids, count));
        }
    }
    return STATUS_OK;
}

enum status search_matches(struct search *search, int64_t rid, struct candidate *candidate,
                           bool *ret_match)
{
    *candidate = (struct candidate){.search = search, .rid = rid};
    *ret_match = false;
    if (search->nothing || !among_ids(search, rid)) {
        return STATUS_OK;
    }
    TRY(search_look(search));
    TRY(read_row(search, rid, candidate, ret_match));
    *ret_match = *ret_match && row_matches(search->query, candidate);
    return run_tests(search, true, candidate, ret_match);
}

/* ---- one match after another --------------------------------------------------------------------
 */

enum status search_agree(struct search *search, int64_t from, int64_t *ret_rid, bool *ret_paused)
{
    size_t agreed = 0, apart = 0;
    *ret_paused = false;
    *ret_rid = STREAM_END;
    for (size_t i = 0; agreed < search->stream_count; i = (i + 1) % search->stream_count) {
        TRY(stream_seek(&search->streams[i], from));
        if (search->streams[i].current == STREAM_END) {
            return STATUS_OK;
        }
        if (search->streams[i].current == from) {
            agreed++;
        } else {
            from = search->streams[i].current;
            agreed = 1;
            if (++apart % STEPS_OF_A_LOOK == 0) {
                TRY(search_look(search));
                search->own++;
                *ret_paused = search->pause != 0 && *search->looked >= search->pause;
            }
            if (*ret_paused) {
                break;
            }
        }
    }
    *ret_rid = from;
    return STATUS_OK;
}

/* Must the rows of all candidates be read, or nearly? */
static bool reads_rows(const struct search *search)
{
    const struct store_query *query = search->query;
    bool reads = search->wants_row || query->updated_low != 0 || query->updated_high != 0;
    for (size_t i = 0; i < search->test_count && !reads; i++) {
        reads = !search->tests[i].streamed;
    }
    return reads;
}

static enum status next_agreed(struct search *search, int64_t from, int64_t *ret_rid,
                               bool *ret_paused)
{
    *ret_paused = false;
    *ret_rid = STREAM_END;
    if (search->nothing) {
        return STATUS_OK;
    }
    if (search->races) {
        TRY(ranges_advance(search));
        TRY(links_advance(search));
    }
    if (search->connection->db == NULL && (reads_rows(search) || agree_at_once(search))) {
        return ahead_candidate(search, from, ret_rid, ret_paused);
    }
    if (search->coming != NULL) { /* the streams are where that was */
        ahead_close(search);
        search_rewind(search);
        search->coming = NULL;
    }
    return search_agree(search, from, ret_rid, ret_paused);
}

static enum status is_denied(struct search *search, int64_t rid, bool *ret_denied)
{
    *ret_denied = false;
    for (size_t i = 0; i < search->denied_count && !*ret_denied; i++) {
        TRY(stream_seek(&search->denied[i], rid));
        *ret_denied = search->denied[i].current == rid;
    }
    return STATUS_OK;
}

enum status search_candidate(struct search *search, int64_t from, int64_t *ret_rid,
                             bool *ret_paused)
{
    for (size_t passed = 1;; passed++) {
        bool denied = false;
        TRY(next_agreed(search, from, ret_rid, ret_paused));
        if (*ret_rid == STREAM_END || *ret_paused) {
            return STATUS_OK;
        }
        TRY(is_denied(search, *ret_rid, &denied));
        if (!denied) {
            return STATUS_OK;
        }
        from = *ret_rid + 1;
        if (passed % STEPS_OF_A_LOOK == 0) {
            TRY(search_look(search));
            search->own++;
            *ret_paused = search->pause != 0 && *search->looked >= search->pause;
        }
        if (*ret_paused) {
            *ret_rid = from;
            return STATUS_OK;
        }
    }
}

enum status search_next(struct search *search, int64_t from, struct candidate *candidate)
{
    struct arena_mark mark = arena_mark(search->scratch);
    for (;;) {
        int64_t rid;
        if (search->pause != 0 && *search->looked >= search->pause) {
            *candidate = (struct candidate){.search = search, .rid = from, .paused = true};
            return STATUS_OK;
        }
        arena_rewind(search->scratch, mark);
        bool paused;
        TRY(search_candidate(search, from, &rid, &paused));
        if (paused) {
            from = rid;
            continue;
        }
        if (rid == STREAM_END) {
            *candidate = (struct candidate){.search = search, .rid = STREAM_END};
            return STATUS_OK;
        }
        bool match = true;
        uint64_t before = *search->looked;
        TRY(search_look(search));
        TRY(search_test(search, rid, candidate, &match));
        search->own += *search->looked - before;
        search->matched += match;
        if (match) {
            return STATUS_OK;
        }
        from = rid + 1;
    }
}
