/* SPDX-License-Identifier: MIT */
/* store: clauses that hold queries: chains, their reverse, and any of several queries.
 *
 * There are two ways to answer one. To *follow*: ask of each candidate whether what it leads to is
 * a match. Or to go *forward*: find the matches of the queries inside, and make what leads to them
 * a stream. Which is short nobody can know beforehand, so they take turns: whoever has spent less
 * goes on, and the search costs at most about twice the shorter way. Where the candidates are few,
 * as in a patient's record, following ends before forward begins: such a search does not get
 * slower with more people. */
#include "find_link.h"

#define LINK_DEPTH 8 /* queries within each other */

/* ---- preparing ----------------------------------------------------------------------------------
 */

static bool leads_by_reference(const struct search_parameter *parameter)
{
    for (size_t i = 0; i < parameter->path_count; i++) {
        if (parameter->paths[i].type == FHIR_TYPE_REFERENCE) {
            return true;
        }
    }
    return !parameter->simple;
}

static enum status reference_parameter(struct search *search, const struct store_clause *clause,
                                       resource_type type, struct branch *branch,
                                       uint32_t *ret_parameter)
{
    const struct search_parameter *parameter =
        search_parameter_find(search->store->definitions, type, clause->parameter->code);
    const struct parameter *known =
        parameter != NULL ? store_parameter(search->store, type, parameter) : NULL;
    bool learning = parameter != NULL && store_learning(search->store);
    if ((known == NULL && !learning) || parameter->kind != SEARCH_REFERENCE) {
        return search_refuse(search, clause, "it is no reference that this server indexes.");
    }
    if (known == NULL || !parameter_is_ready(known, search->connection)) {
        return search_not_ready(search, parameter);
    }
    if (!leads_by_reference(parameter)) {
        return search_refuse(search, clause,
                             "it names resources by their canonical address; a chain cannot "
                             "follow that yet.");
    }
    if (branch != NULL) {
        branch->reference = parameter;
    }
    *ret_parameter = known->number * 2;
    return STATUS_OK;
}

/* A query of another type can match nothing here; one of no type is asked of ours. */
static enum status branch_query(struct search *search, const struct store_clause *clause,
                                const struct store_query *query,
                                const struct store_query **ret_query)
{
    *ret_query = query;
    if (clause->modifier != STORE_ANY || query->type != RESOURCE_TYPE_NONE) {
        return query->type != RESOURCE_TYPE_NONE
                   ? STATUS_OK
                   : search_refuse(search, clause, "say of which type what it leads to is.");
    }
    return query_for_type(search->store, search->arena, query, search->query->type, ret_query);
}

static enum status branch_prepare(struct search *search, const struct store_clause *clause,
                                  const struct store_query *query, struct link *link)
{
    struct branch branch = {0};
    TRY(branch_query(search, clause, query, &branch.query));
    if (branch.query == NULL ||
        (clause->modifier == STORE_ANY && branch.query->type != search->query->type)) {
        return STATUS_OK;
    }
    if (clause->modifier == STORE_HAS) {
        TRY(reference_parameter(search, clause, query->type, &branch, &branch.parameter));
    }
    TRY(search_nest(search, branch.query, &branch.follow));
    /* What is contained has no rows, so rows do not say that it cannot match. */
    if (branch.follow->nothing && clause->modifier != STORE_CHAIN) {
        search_close(branch.follow);
    } else {
        link->branches[link->branch_count++] = branch;
    }
    return STATUS_OK;
}

/* Any of queries that are nothing but one stream each: one stream of them all. */
static bool is_one_stream(const struct search *search)
{
    const struct store_query *query = search->query;
    return search->stream_count == 1 && search->test_count == 1 && search->tests[0].streamed &&
           query->ids == NULL && query->updated_low == 0 && query->updated_high == 0;
}

static enum status unite_streams(struct search *search, struct test *test)
{
    struct link *link = test->link;
    for (size_t i = 0; i < link->branch_count; i++) {
        if (!is_one_stream(link->branches[i].follow)) {
            return STATUS_OK;
        }
    }
    struct stream *stream = &search->streams[search->stream_count++];
    search_note_people(search, link->branches[0].follow);
    for (size_t i = 1; i < link->branch_count && search->about.count > 0; i++) {
        search_note_people(search, link->branches[i].follow);
    }
    for (size_t i = 0; i < link->branch_count; i++) {
        TRY(stream_take(stream, search->arena, &link->branches[i].follow->streams[0]));
    }
    link->state = LINK_DONE;
    test->streamed = true;
    search->typed = true;
    return STATUS_OK;
}

static enum status prepare_inside(struct search *search, struct link *link)
{
    bool hope = false;
    TRY(stream_add_tree(&link->inside, search->connection, search->arena, SQL_TOKEN_RIDS,
                        link->parameter, CODE_PRESENT));
    TRY(stream_seek(&link->inside, 0));
    link->contains = link->inside.current != STREAM_END;
    for (size_t i = 0; i < link->branch_count; i++) {
        hope = hope || !link->branches[i].follow->nothing;
    }
    search->nothing = search->nothing || !(hope || link->contains);
    return STATUS_OK;
}

enum status link_prepare(struct search *search, const struct store_clause *clause)
{
    struct test *test = &search->tests[search->test_count];
    struct link *link = ARENA_NEW(search->arena, struct link);
    if (search->depth >= LINK_DEPTH) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "A chain of search parameters may have at most %d links.", LINK_DEPTH);
    }
    if (link == NULL) {
        return STATUS_TOO_COSTLY;
    }
    link->branches = arena_array(search->arena, clause->query_count + 1, sizeof(struct branch));
    link->answers = arena_array(search->arena, LINK_CACHE, sizeof(struct answer));
    if (link->branches == NULL || link->answers == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *test = (struct test){.kind = TEST_LINK, .clause = clause, .link = link};
    link->targets.arena = link->strange.arena = link->places.arena = search->arena;
    link->found.arena = search->arena;
    search->test_count++;
    if (clause->modifier == STORE_CHAIN) {
        TRY(reference_parameter(search, clause, search->query->type, NULL, &link->parameter));
        test->parameter = link->parameter;
    }
    for (size_t i = 0; i < clause->query_count; i++) {
        TRY(branch_prepare(search, clause, &clause->queries[i], link));
    }
    if (clause->modifier == STORE_CHAIN) {
        TRY(prepare_inside(search, link));
    }
    search->nothing = search->nothing || link->branch_count == 0;
    return clause->modifier == STORE_ANY && link->branch_count > 0 ? unite_streams(search, test)
                                                                   : STATUS_OK;
}

void link_close(struct link *link)
{
    stream_close(&link->inside);
    for (size_t i = 0; i < link->branch_count; i++) {
        search_close(link->branches[i].follow);
        if (link->branches[i].forward != NULL) {
            search_close(link->branches[i].forward);
        }
    }
}

/* ---- following ----------------------------------------------------------------------------------
 */

static struct answer *answer_slot(struct link *link, int64_t entity)
{
    uint64_t hash = (uint64_t)entity * UINT64_C(0x9E3779B97F4A7C15);
    return &link->answers[(hash >> 32) % LINK_CACHE];
}

/* Is the resource of the type at the place a match of one of the queries? */
static enum status any_branch(struct search *search, struct link *link, resource_type type,
                              int64_t rid, bool *ret_match)
{
    *ret_match = false;
    for (size_t i = 0; i < link->branch_count && !*ret_match; i++) {
        struct candidate candidate;
        if (link->branches[i].query->type == type) {
            struct arena_mark mark = arena_mark(search->scratch);
            TRY(search_matches(link->branches[i].follow, rid, &candidate, ret_match));
            arena_rewind(search->scratch, mark);
        }
    }
    return STATUS_OK;
}

static enum status ask_target(struct search *search, struct link *link, resource_type type,
                              int64_t entity, int64_t rid, bool *ret_match)
{
    TRY(any_branch(search, link, type, rid, ret_match));
    *answer_slot(link, entity) = (struct answer){entity, *ret_match};
    return STATUS_OK;
}

/* Those whose number does not tell their place: all of the parameter's targets, out of the body. */
static enum status follow_body(struct search *search, struct link *link,
                               const struct store_clause *clause, int64_t rid, bool *ret_match)
{
    struct target *targets;
    size_t count;
    struct arena_mark mark = arena_mark(search->scratch);
    TRY(targets_of_place(search->tx, rid, clause->parameter, search->scratch, &targets, &count));
    for (size_t i = 0; i < count && !*ret_match; i++) {
        const struct entry *entry = &targets[i].entry;
        if (entry->state == ENTRY_LIVE) {
            TRY(ask_target(search, link, targets[i].type, entry->entity, entry->rid, ret_match));
        } else {
            *answer_slot(link, entry->entity) = (struct answer){entry->entity, false};
        }
    }
    arena_rewind(search->scratch, mark);
    return STATUS_OK;
}

/* ---- contained resources ------------------------------------------------------------------------
 */

static void collect_reference(void *context, const struct search_path *path, yyjson_val *value)
{
    struct text_set *texts = context;
    if (path->type == FHIR_TYPE_REFERENCE) {
        text_set_add(texts, json_get_string(value, "reference"));
    }
}

static enum status references_of(struct search *search, resource_type type,
                                 const struct search_parameter *parameter, yyjson_val *resource,
                                 struct text_set *texts)
{
    bool used_base;
    const struct store *store = search->store;
    *texts = (struct text_set){.arena = search->scratch};
    TRY(parameter_visit(store->definitions, type, parameter,
                        store_parameter(store, type, parameter), resource, SLICE(""),
                        search->scratch, collect_reference, texts, &used_base));
    return texts->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* Is what is contained in the one at RID a match of one of the queries? */
static enum status any_contained(const struct link *link, const struct place_body *place,
                                 int64_t rid, yyjson_val *resource, bool *ret_match)
{
    for (size_t i = 0; i < link->branch_count && resource != NULL && !*ret_match; i++) {
        TRY(contained_matches(link->branches[i].follow, place, rid, resource, ret_match));
    }
    return STATUS_OK;
}

static enum status any_stored(struct search *search, struct link *link, struct slice text,
                              struct slice base_url, bool *ret_match)
{
    struct reference reference = reference_parse(search->store->definitions, text, base_url);
    struct packed_id key;
    struct entry entry = {0};
    if (reference.kind == REFERENCE_LOCAL && id_pack(reference.id, &key)) {
        TRY(directory_find(search->tx, reference.type, &key, &entry));
    }
    return entry.known && entry.state == ENTRY_LIVE
               ? any_branch(search, link, reference.type, entry.rid, ret_match)
               : STATUS_OK;
}

/* By the references of FROM, which is the body at RID or contained in it; of the body's own only
 * those to what it contains, the others are facts. */
static enum status follow_inside(struct search *search, const struct test *test,
                                 const struct place_body *place, int64_t rid, yyjson_val *from,
                                 bool *ret_match)
{
    struct link *link = test->link;
    struct text_set texts;
    *ret_match = false;
    TRY(references_of(search, search->query->type, test->clause->parameter, from, &texts));
    for (size_t i = 0; i < texts.count && !*ret_match; i++) {
        struct slice text = texts.items[i];
        if (slice_is(text, "#")) {
            TRY(any_branch(search, link, place->type, rid, ret_match));
        } else if (slice_starts(text, SLICE("#"))) {
            TRY(any_contained(link, place, rid, contained_find(place->root, slice_from(text, 1)),
                              ret_match));
        } else if (from != place->root && text.length > 0) {
            TRY(any_stored(search, link, text, place->base_url, ret_match));
        }
    }
    return STATUS_OK;
}

/* Of the resource at RID. */
enum status link_follow_contained(struct search *search, const struct test *test, int64_t rid,
                                  bool *ret_match)
{
    struct place_body place;
    struct arena_mark mark = arena_mark(search->scratch);
    *ret_match = false;
    TRY(place_body_read(search->tx, rid, search->scratch, &place));
    if (place.root != NULL && json_get(place.root, "contained") != NULL) {
        TRY(follow_inside(search, test, &place, rid, place.root, ret_match));
    }
    arena_rewind(search->scratch, mark);
    return STATUS_OK;
}

/* What is stored and refers to a contained resource is what contains it. */
static enum status has_contained(struct search *search, struct link *link,
                                 const struct place_body *place, int64_t rid, struct slice id,
                                 bool *ret_match)
{
    *ret_match = false;
    for (size_t i = 0; i < link->branch_count && !*ret_match; i++) {
        const struct branch *branch = &link->branches[i];
        struct text_set texts = {.count = 0};
        struct candidate candidate;
        if (branch->query->type == place->type) {
            TRY(references_of(search, place->type, branch->reference, place->root, &texts));
        }
        for (size_t j = 0; j < texts.count && !*ret_match; j++) {
            struct slice text = texts.items[j];
            if (slice_starts(text, SLICE("#")) && slice_equals(slice_from(text, 1), id)) {
                TRY(search_matches(branch->follow, rid, &candidate, ret_match));
            }
        }
    }
    return STATUS_OK;
}

enum status link_test_contained(struct search *search, const struct test *test,
                                const struct place_body *place, int64_t rid, yyjson_val *resource,
                                bool *ret_match)
{
    switch (test->clause->modifier) {
    case STORE_CHAIN:
        return follow_inside(search, test, place, rid, resource, ret_match);
    case STORE_HAS:
        return has_contained(search, test->link, place, rid, json_get_string(resource, "id"),
                             ret_match);
    default:
        *ret_match = false;
        return any_contained(test->link, place, rid, resource, ret_match);
    }
}

/* ---- a candidate --------------------------------------------------------------------------------
 */

static enum status follow_chain(struct search *search, const struct test *test,
                                const struct candidate *candidate, bool *ret_match)
{
    struct link *link = test->link;
    struct facts_cursor cursor;
    struct fact fact;
    bool unknown = false, contains = false;
    *ret_match = false;
    facts_open(candidate->facts, &cursor);
    while (!*ret_match && facts_next(&cursor, &fact) && fact.parameter <= link->parameter) {
        if (fact.parameter == link->parameter && fact.tree == TREE_TOKEN) {
            contains = true;
        }
        if (fact.parameter != link->parameter || fact.tree != TREE_REFERENCE) {
            continue;
        }
        if (link->state == LINK_SET) {
            *ret_match = number_set_has(&link->targets, fact.number);
            continue;
        }
        const struct answer *answer = answer_slot(link, fact.number);
        if (answer->entity == fact.number) {
            *ret_match = answer->match;
        } else if (fact.number < 0) {
            TRY(ask_target(search, link, search->store->patient_type, fact.number,
                           place_first((uint32_t)-fact.number), ret_match));
        } else {
            unknown = true;
        }
    }
    if (unknown && !*ret_match) {
        TRY(follow_body(search, link, test->clause, candidate->rid, ret_match));
    }
    return contains && !*ret_match ? link_follow_contained(search, test, candidate->rid, ret_match)
                                   : STATUS_OK;
}

/* The rows of patients; who else a candidate leads to only its body says. */
static enum status expect_patients(struct search *search, struct link *link,
                                   const struct number_list *rids)
{
    for (size_t i = 0; i < link->branch_count; i++) {
        if (link->branches[i].query->type == search->store->patient_type) {
            TRY(rows_expect(link->branches[i].follow, rids->items, rids->count));
        }
    }
    return STATUS_OK;
}

enum status link_expect(struct search *search, const struct test *test, const struct slice *facts,
                        size_t count)
{
    struct link *link = test->link;
    struct number_list rids = {.arena = search->scratch};
    if (test->clause->modifier != STORE_CHAIN || link->state == LINK_SET) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        struct facts_cursor cursor;
        struct fact fact;
        facts_open(facts[i], &cursor);
        while (facts_next(&cursor, &fact) && fact.parameter <= link->parameter) {
            if (fact.parameter == link->parameter && fact.tree == TREE_REFERENCE &&
                fact.number < 0 && answer_slot(link, fact.number)->entity != fact.number) {
                TRY(list_add(&rids, place_first((uint32_t)-fact.number)));
            }
        }
    }
    list_sort(&rids);
    return expect_patients(search, link, &rids);
}

/* Does a match of the branch's query refer to the entity? */
static enum status follow_back(struct search *search, struct branch *branch, int64_t entity,
                               bool *ret_match)
{
    struct search *follow = branch->follow;
    struct candidate candidate;
    if (branch->slot == NULL) {
        branch->slot = &follow->streams[follow->stream_count++];
        TRY(stream_add_tree(branch->slot, search->connection, search->arena, SQL_REFERENCE_RIDS,
                            branch->parameter, entity));
    } else {
        stream_aim(branch->slot, entity);
    }
    search_rewind(follow);
    struct arena_mark mark = arena_mark(search->scratch);
    TRY(search_next(follow, 0, &candidate));
    arena_rewind(search->scratch, mark);
    *ret_match = candidate.rid != STREAM_END;
    return STATUS_OK;
}

static enum status follow_has(struct search *search, struct link *link,
                              const struct candidate *candidate, bool *ret_match)
{
    int64_t entity = 0;
    *ret_match = false;
    TRY(place_entity(search->tx, candidate->rid, &entity));
    for (size_t i = 0; i < link->branch_count && !*ret_match && entity != 0; i++) {
        TRY(follow_back(search, &link->branches[i], entity, ret_match));
    }
    return STATUS_OK;
}

enum status link_test(struct search *search, const struct test *test,
                      const struct candidate *candidate, bool *ret_match)
{
    switch (test->clause->modifier) {
    case STORE_CHAIN:
        return follow_chain(search, test, candidate, ret_match);
    case STORE_HAS:
        return follow_has(search, test->link, candidate, ret_match);
    default:
        return any_branch(search, test->link, candidate->type, candidate->rid, ret_match);
    }
}
