/* SPDX-License-Identifier: MIT */
/* store: the tests of a search on a resource that is contained in another (R4 search, "Contained
 * resources": a chain is evaluated inside contained resources too). Such a one has no row: its
 * codes and targets may have no numbers, so values are compared as they are written. */
#include "find_int.h"

/* ---- values without numbers ---------------------------------------------------------------------
 */

static bool may_target(const struct search_parameter *parameter, resource_type type)
{
    for (size_t i = 0; i < parameter->target_count; i++) {
        if (parameter->targets[i] == type) {
            return true;
        }
    }
    return parameter->target_count == 0;
}

static enum status reference_is(struct search *search, const struct test *test,
                                const struct wanted *wanted, const struct fact *fact,
                                bool *ret_match)
{
    const struct store_value *value = wanted->value;
    const struct search_parameter *parameter = test->clause->parameter;
    struct packed_id key;
    struct entry entry = {0};
    bool type = value->target != RESOURCE_TYPE_NONE ? value->target == fact->target
                                                    : may_target(parameter, fact->target);
    *ret_match = test->clause->modifier == STORE_PLAIN && type && value->id.length > 0 &&
                 slice_equals(value->id, fact->text);
    if (!*ret_match && wanted->number_count > 0 && id_pack(fact->text, &key)) {
        TRY(directory_find(search->tx, fact->target, &key, &entry));
        *ret_match = entry.known && list_has(wanted->numbers, wanted->number_count, entry.entity);
    }
    return STATUS_OK;
}

static enum status dates_match(struct search *search, const struct test *test,
                               const struct facts *raw, bool *ret_match)
{
    struct facts dates = {.arena = search->scratch};
    struct buffer blob = {.arena = search->scratch};
    for (size_t i = 0; i < raw->count; i++) {
        if (raw->items[i].tree == TREE_DATE) {
            facts_add(&dates, &raw->items[i]);
        }
    }
    facts_sort(&dates);
    facts_write(&dates, &blob);
    *ret_match = buffer_ok(&blob) && test_facts(test, buffer_slice(&blob)) == MATCH_YES;
    return buffer_ok(&blob) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status raw_matches(struct search *search, const struct test *test, const struct facts *raw,
                        bool *ret_decided, bool *ret_match)
{
    enum store_modifier modifier = test->clause->modifier;
    enum search_kind kind = test->clause->parameter->kind;
    bool token = kind == SEARCH_TOKEN && (modifier == STORE_PLAIN || modifier == STORE_NOT);
    bool reference =
        kind == SEARCH_REFERENCE &&
        (modifier == STORE_PLAIN || modifier == STORE_BELOW || modifier == STORE_ABOVE);
    *ret_match = false;
    *ret_decided = token || reference || kind == SEARCH_DATE;
    if (raw->broken) {
        return STATUS_TOO_COSTLY;
    }
    if (kind == SEARCH_DATE) {
        return dates_match(search, test, raw, ret_match);
    }
    for (size_t i = 0; *ret_decided && i < raw->count && !*ret_match; i++) {
        const struct fact *fact = &raw->items[i];
        for (size_t j = 0; j < test->count && !*ret_match; j++) {
            if (token) {
                TRY(token_is(search, test->wanted[j].value, fact, ret_match));
            } else if (fact->tree == TREE_REFERENCE) {
                TRY(reference_is(search, test, &test->wanted[j], fact, ret_match));
            }
        }
    }
    return STATUS_OK;
}

/* ---- a clause -----------------------------------------------------------------------------------
 */

static enum status facts_match(struct search *search, const struct test *test,
                               const struct place_body *place, yyjson_val *resource,
                               bool *ret_match)
{
    const struct store_clause *clause = test->clause;
    resource_type type = search->query->type;
    struct facts raw = {.arena = search->scratch};
    bool decided = false;
    if (!parameter_is_words(clause->parameter)) {
        extract_one(search->store, type, clause->parameter, resource, place->base_url, &raw);
    }
    if (raw.broken) {
        return STATUS_TOO_COSTLY;
    }
    if (clause->modifier == STORE_MISSING) {
        *ret_match = (raw.count > 0) != clause->values[0].boolean;
        return STATUS_OK;
    }
    TRY(raw_matches(search, test, &raw, &decided, ret_match));
    /* An address elsewhere, or a canonical, has no fact to compare. */
    bool address = clause->parameter->kind == SEARCH_REFERENCE && clause->modifier == STORE_PLAIN;
    if (!decided || (address && !*ret_match)) {
        TRY(test_body(search->store, test, type, resource, search->scratch, ret_match));
    }
    if (clause->modifier == STORE_NOT) {
        *ret_match = !*ret_match;
    }
    return STATUS_OK;
}

static enum status test_contained(struct search *search, const struct test *test,
                                  const struct place_body *place, int64_t rid, yyjson_val *resource,
                                  bool *ret_match)
{
    switch (test->kind) {
    case TEST_LINK:
        return link_test_contained(search, test, place, rid, resource, ret_match);
    case TEST_COMPOSITE:
        return composite_test_contained(search, test, place, resource, ret_match);
    case TEST_NEAR:
        *ret_match = near_test_body(test, resource);
        return STATUS_OK;
    case TEST_FACTS:
    case TEST_INSIDE: /* asked of what contains, never of what is contained */
        break;
    }
    return facts_match(search, test, place, resource, ret_match);
}

static bool is_among_ids(const struct store_query *query, struct slice id)
{
    for (size_t i = 0; i < query->id_count; i++) {
        if (slice_equals(query->ids[i], id)) {
            return true;
        }
    }
    return query->ids == NULL;
}

enum status contained_matches(struct search *search, const struct place_body *place, int64_t rid,
                              yyjson_val *resource, bool *ret_match)
{
    const struct store_query *query = search->query;
    resource_type type =
        resource_type_find(search->store->definitions, json_get_string(resource, "resourceType"));
    /* It was never updated by itself. */
    *ret_match = type != RESOURCE_TYPE_NONE && type == query->type && query->updated_low == 0 &&
                 query->updated_high == 0 && is_among_ids(query, json_get_string(resource, "id"));
    for (size_t i = 0; i < search->test_count && *ret_match; i++) {
        struct arena_mark mark = arena_mark(search->scratch);
        TRY(test_contained(search, &search->tests[i], place, rid, resource, ret_match));
        arena_rewind(search->scratch, mark);
    }
    return STATUS_OK;
}

/* ---- what contains a match ----------------------------------------------------------------------
 */

enum status inside_prepare(struct search *search)
{
    static const struct search_parameter shown = {.code = {"_contained", 10}};
    static const struct store_clause clause = {.parameter = &contained_parameter};
    const struct store *store = search->store;
    const struct parameter *known =
        store_parameter(store, search->query->type, &contained_parameter);
    if (known == NULL || !parameter_is_ready(known, search->connection)) {
        return search_not_ready(search, &shown);
    }
    uint32_t parameter = known->number * 2;
    resource_type wanted = search->inside->query->type;
    const struct store_value value = {.has_system = true,
                                      .code = resource_type_name(store->definitions, wanted)};
    struct number_list codes = {.arena = search->arena};
    size_t count = 0;
    TRY(find_codes(search, &value, true, &codes));
    search->tests[search->test_count++] =
        (struct test){.kind = TEST_INSIDE, .clause = &clause, .parameter = parameter};
    search->typed = true;
    if (codes.count > 0) { /* there is one of it without a system, if any */
        struct stream *stream = &search->streams[search->stream_count++];
        TRY(stream_add_tree(stream, search->connection, search->arena, SQL_TOKEN_RIDS, parameter,
                            codes.items[0]));
        TRY(stream_probe(stream, 1, &count));
    }
    search->nothing = search->nothing || count == 0;
    return STATUS_OK;
}

enum status inside_test(struct search *inside, int64_t rid, bool *ret_match)
{
    struct place_body place;
    struct arena_mark mark = arena_mark(inside->scratch);
    size_t i, max;
    yyjson_val *resource;
    *ret_match = false;
    TRY(place_body_read(inside->tx, rid, inside->scratch, &place));
    yyjson_arr_foreach(json_get(place.root, "contained"), i, max, resource)
    {
        if (!*ret_match) {
            TRY(contained_matches(inside, &place, rid, resource, ret_match));
        }
    }
    arena_rewind(inside->scratch, mark);
    return STATUS_OK;
}

enum status inside_collect(struct search *inside, int64_t rid, const struct store_version *version,
                           struct arena *arena, struct store_inside *ret_inside)
{
    struct place_body place;
    struct candidate candidate;
    struct arena_mark mark = arena_mark(inside->scratch);
    size_t i, max;
    yyjson_val *resource;
    TRY(place_body_read(inside->tx, rid, inside->scratch, &place));
    yyjson_val *all = json_get(place.root, "contained");
    *ret_inside = (struct store_inside){
        .items = arena_array(arena, yyjson_arr_size(all) + 1, sizeof *ret_inside->items)};
    if (ret_inside->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    yyjson_arr_foreach(all, i, max, resource)
    {
        bool match;
        TRY(contained_matches(inside, &place, rid, resource, &match));
        if (match) {
            struct buffer body = {.arena = arena};
            json_write(resource, NULL, NULL, &body);
            ret_inside->items[ret_inside->count++] =
                (struct store_version){.type = inside->query->type,
                                       .id = arena_copy(arena, json_get_string(resource, "id")),
                                       .updated = version->updated,
                                       .body = buffer_slice(&body),
                                       .patients = version->patients,
                                       .patient_count = version->patient_count};
            if (!buffer_ok(&body) || arena_full(arena)) {
                return STATUS_TOO_COSTLY;
            }
        }
    }
    if (version->type == inside->query->type) {
        TRY(search_matches(inside, rid, &candidate, &ret_inside->itself));
    }
    arena_rewind(inside->scratch, mark);
    return STATUS_OK;
}
