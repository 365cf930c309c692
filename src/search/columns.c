/* SPDX-License-Identifier: MIT */
/* `_id`, `_lastUpdated`, `_type` and `_list`: columns of the store, and items of a List. */
#include "search/search_int.h"

static bool holds(const struct slice *ids, size_t count, struct slice id)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(ids[i], id)) {
            return true;
        }
    }
    return false;
}

/* The values of TEXT, none of which may be empty. */
static enum status read_list(struct planning *planning, struct slice modifier, struct slice text,
                             struct slice **ret_texts, size_t *ret_count)
{
    if (modifier.length > 0) {
        return refuse_modifier(planning);
    }
    *ret_texts = split_values(planning->arena, text, ',', ret_count);
    if (*ret_texts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < *ret_count; i++) {
        if ((*ret_texts)[i].length == 0) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "",
                                "A value of parameter '%s' is empty.", planning->shown);
        }
    }
    return check_value_count(planning, *ret_count);
}

enum status plan_ids(struct planning *planning, struct scope *scope, struct slice modifier,
                     struct slice text)
{
    struct store_query *query = scope->query;
    struct slice *ids = NULL;
    size_t count = 0;
    TRY(read_list(planning, modifier, text, &ids, &count));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        /* Given twice, both must hold; a duplicate would be found twice. */
        bool wanted = query->ids == NULL || holds(query->ids, query->id_count, ids[i]);
        if (wanted && !holds(ids, kept, ids[i])) {
            ids[kept++] = ids[i];
        }
    }
    query->ids = ids;
    query->id_count = kept;
    return STATUS_OK;
}

/* ---- _lastUpdated -----------------------------------------------------------------------------
 */

struct span {
    int64_t from, to;
};

/* The one or (of ne) two spans that a value comes to. */
static size_t spans_of(enum store_compare compare, int64_t low, int64_t high, struct span *spans)
{
    int64_t away = time_now() - low, slack = (away < 0 ? -away : away) / 10;
    switch (compare) {
    case STORE_GT:
    case STORE_SA:
        spans[0] = (struct span){high, INT64_MAX};
        return 1;
    case STORE_LT:
    case STORE_EB:
        spans[0] = (struct span){INT64_MIN, low};
        return 1;
    case STORE_GE:
        spans[0] = (struct span){low, INT64_MAX};
        return 1;
    case STORE_LE:
        spans[0] = (struct span){INT64_MIN, high};
        return 1;
    case STORE_NE:
        spans[0] = (struct span){INT64_MIN, low};
        spans[1] = (struct span){high, INT64_MAX};
        return 2;
    case STORE_AP: /* "10% of the gap between now and the date" */
        spans[0] = (struct span){low - slack, high + slack};
        return 1;
    case STORE_EQ:
        break;
    }
    spans[0] = (struct span){low, high};
    return 1;
}

static void narrow(struct store_query *query, struct span span)
{
    bool first = query->updated_low == 0 && query->updated_high == 0;
    query->updated_low = first || span.from > query->updated_low ? span.from : query->updated_low;
    query->updated_high = first || span.to < query->updated_high ? span.to : query->updated_high;
    if (query->updated_low >= query->updated_high) {
        /* Nothing can match; 0,0 would mean anything. */
        query->updated_low = query->updated_high = 1;
    }
}

enum status plan_updated(struct planning *planning, struct scope *scope, struct slice modifier,
                         struct slice text)
{
    struct slice *texts = NULL;
    size_t count = 0, kept = 0;
    TRY(read_list(planning, modifier, text, &texts, &count));
    struct span *spans = arena_array(planning->arena, 2 * count, sizeof *spans);
    if (spans == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        struct partial_date date;
        int64_t low, high;
        enum store_compare compare = take_prefix(&texts[i]);
        if (!date_parse(texts[i], DATE_FORM_SEARCH, &date)) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "",
                                "A value of parameter '%s' cannot be read: give a date or time, "
                                "with a prefix such as ge if wanted: ge2026-01-31.",
                                planning->shown);
        }
        date_range(&date, &low, &high);
        kept += spans_of(compare, low, high, &spans[kept]);
    }
    if (kept == 1) {
        narrow(scope->query, spans[0]);
        return STATUS_OK;
    }
    struct store_query *queries = arena_array(planning->arena, kept, sizeof *queries);
    if (queries == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < kept; i++) {
        queries[i] = (struct store_query){.type = scope->query->type};
        narrow(&queries[i], spans[i]);
    }
    struct store_clause clause = {.modifier = STORE_ANY, .queries = queries, .query_count = kept};
    return scope_add(planning, scope, &clause);
}

/* ---- _type ------------------------------------------------------------------------------------
 */

/* Keeps of TYPES what is in BEFORE too. */
static size_t intersect(const resource_type *before, size_t before_count, resource_type *types,
                        size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < before_count; k++) {
            if (before[k] == types[i]) {
                types[kept++] = types[i];
                break;
            }
        }
    }
    return kept;
}

enum status plan_types(struct planning *planning, struct scope *scope, struct slice modifier,
                       struct slice text)
{
    struct store_query *query = scope->query;
    struct slice *names = NULL;
    size_t count = 0, kept = 0;
    if (query->type != RESOURCE_TYPE_NONE) {
        return refuse_unknown(planning);
    }
    TRY(read_list(planning, modifier, text, &names, &count));
    resource_type *types = arena_array(planning->arena, count, sizeof *types);
    if (types == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        resource_type type = resource_type_find(planning->options->definitions, names[i]);
        if (type == RESOURCE_TYPE_NONE) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "_type",
                                "_type lists FHIR R4 resource types: Observation,Condition.");
        }
        if (intersect(types, kept, &type, 1) == 0) {
            types[kept++] = type;
        }
    }
    if (query->types != NULL) { /* given twice, both must hold */
        kept = intersect(query->types, query->type_count, types, kept);
    }
    if (kept == 0) {
        types[kept++] = RESOURCE_TYPE_NONE; /* no resource is of this type: nothing matches */
    }
    query->types = scope->types = types;
    query->type_count = scope->type_count = kept;
    return STATUS_OK;
}

/* ---- _list ------------------------------------------------------------------------------------
 */

enum status plan_list(struct planning *planning, struct scope *scope, struct slice modifier,
                      struct slice text)
{
    const struct definitions *definitions = planning->options->definitions;
    resource_type list = resource_type_find(definitions, SLICE("List"));
    const struct search_parameter *item = search_parameter_find(definitions, list, SLICE("item"));
    struct slice *ids = NULL;
    size_t count = 0;
    TRY(read_list(planning, modifier, text, &ids, &count));
    for (size_t i = 0; i < count; i++) {
        if (ids[i].at[0] == '$') {
            return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                                "Parameter '%s': lists by function, as $current-problems, are not "
                                "supported. Give the id of a List.",
                                planning->shown);
        }
        if (slice_starts(ids[i], SLICE("List/"))) {
            ids[i] = slice_from(ids[i], strlen("List/"));
        }
        if (!resource_id_valid(ids[i])) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "",
                                "A value of parameter '%s' cannot be read: give the id of a List.",
                                planning->shown);
        }
    }
    struct store_query *query = ARENA_NEW(planning->arena, struct store_query);
    if (query == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *query = (struct store_query){.type = list, .ids = ids, .id_count = count};
    struct store_clause clause = {
        .parameter = item, .modifier = STORE_HAS, .queries = query, .query_count = 1};
    return item != NULL ? scope_add(planning, scope, &clause) : refuse_unknown(planning);
}
