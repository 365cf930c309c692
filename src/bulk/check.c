/* SPDX-License-Identifier: MIT */
/* What was asked: can it be answered, and how it reads as a query. */
#include "bulk/bulk_int.h"

bool type_asked(const struct bulk *bulk, const struct bulk_ask *ask, resource_type type)
{
    /* Directory and conformance resources are in no patient's compartment. */
    if (ask->level != BULK_SYSTEM && resource_type_is_shared(bulk->options.definitions, type)) {
        return false;
    }
    for (size_t i = 0; i < ask->type_count; i++) {
        if (ask->types[i] == type) {
            return true;
        }
    }
    return ask->type_count == 0;
}

static enum status take_argument(struct slice part, struct arena *arena,
                                 struct search_argument *ret_argument)
{
    struct buffer name = {.arena = arena}, value = {.arena = arena};
    size_t equals = slice_index(part, '=');
    if (!url_decode(slice_head(part, equals), true, &name) ||
        !url_decode(slice_from(part, equals < part.length ? equals + 1 : equals), true, &value)) {
        return STATUS_VALUE;
    }
    struct slice whole = buffer_slice(&name);
    ret_argument->name = slice_cut(&whole, ':');
    ret_argument->modifier = whole;
    ret_argument->value = buffer_slice(&value);
    return buffer_ok(&name) && buffer_ok(&value) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status bulk_filter_read(const struct definitions *definitions, struct slice text,
                             struct arena *arena, struct bulk_filter *ret_filter)
{
    struct slice query = slice_trim(text);
    struct slice type = slice_cut(&query, '?');
    size_t most = 1;
    for (size_t i = 0; i < query.length; i++) {
        most += query.at[i] == '&';
    }
    struct search_argument *arguments = arena_array(arena, most, sizeof *arguments);
    *ret_filter =
        (struct bulk_filter){.type = resource_type_find(definitions, type), .arguments = arguments};
    if (ret_filter->type == RESOURCE_TYPE_NONE || query.length == 0) {
        return STATUS_VALUE;
    }
    if (arguments == NULL) {
        return STATUS_TOO_COSTLY;
    }
    while (query.at != NULL) {
        struct slice part = slice_cut(&query, '&');
        if (part.length > 0) {
            TRY(take_argument(part, arena, &arguments[ret_filter->count++]));
        }
    }
    return STATUS_OK;
}

enum status bulk_filter_query(struct bulk *bulk, struct slice base_url,
                              const struct bulk_filter *filter, struct arena *arena,
                              struct outcome *outcome, struct store_query *ret_query)
{
    const struct bulk_options *options = &bulk->options;
    /* As a condition: what shapes an answer (_include, _sort, _count ...) has no place in it. */
    struct search_options how = {.definitions = options->definitions,
                                 .terms = options->terms,
                                 .conformance = options->conformance,
                                 .base_url = base_url,
                                 .type = filter->type,
                                 .conditional = true};
    struct search_plan *plan = ARENA_NEW(arena, struct search_plan);
    if (plan == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(search_plan_make(&how, filter->arguments, filter->count, arena, outcome, plan));
    if (plan->query.has_patient || plan->query.type != filter->type) {
        return outcome_fail(outcome, STATUS_PARAMETER, "_typeFilter",
                            "A filter of this form cannot be answered here.");
    }
    *ret_query = plan->query;
    return STATUS_OK;
}

enum status filters_plan(struct bulk *bulk, const struct bulk_ask *ask, resource_type type,
                         struct arena *arena, struct outcome *outcome,
                         struct store_clause *ret_clause, bool *ret_any)
{
    struct store_query *queries = arena_array(arena, ask->filter_count + 1, sizeof *queries);
    size_t count = 0;
    *ret_any = false;
    if (queries == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < ask->filter_count; i++) {
        if (ask->filters[i].type == type) {
            TRY(bulk_filter_query(bulk, ask->base_url, &ask->filters[i], arena, outcome,
                                  &queries[count++]));
        }
    }
    *ret_any = count > 0;
    *ret_clause =
        (struct store_clause){.modifier = STORE_ANY, .queries = queries, .query_count = count};
    return STATUS_OK;
}

/* The store is asked for nothing, so that what it does not answer is refused now. */
static enum status try_filters(struct bulk *bulk, struct store_tx *tx, const struct bulk_ask *ask,
                               resource_type type, struct arena *arena, struct outcome *outcome)
{
    struct store_clause clause;
    struct store_page page;
    bool any;
    TRY(filters_plan(bulk, ask, type, arena, outcome, &clause, &any));
    const struct store_query query = {
        .type = type, .clauses = &clause, .clause_count = 1, .count = 1};
    return any ? store_find(tx, &query, arena, outcome, &page) : STATUS_OK;
}

enum status bulk_check(struct bulk *bulk, struct store_tx *tx, const struct bulk_ask *ask,
                       struct arena *arena, struct outcome *outcome)
{
    struct arena *memory = arena_create(0);
    struct patient_set set = {.arena = memory};
    bool limited;
    uint64_t nameless;
    if (memory == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = STATUS_OK;
    if ((ask->filter_count > 0 || ask->level == BULK_GROUP) && bulk->options.ready != NULL) {
        status = bulk->options.ready(bulk->options.context);
    }
    for (size_t i = 0; i < ask->filter_count && status == STATUS_OK; i++) {
        status = try_filters(bulk, tx, ask, ask->filters[i].type, arena, outcome);
    }
    if (status == STATUS_OK) {
        status = patients_asked(bulk, tx, ask, NULL, arena, outcome, &set, &limited, &nameless);
    }
    arena_destroy(memory);
    return status;
}
