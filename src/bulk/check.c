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

static enum status plan_filter(struct bulk *bulk, const struct bulk_ask *ask,
                               const struct bulk_filter *filter, struct arena *arena,
                               struct outcome *outcome, struct store_query *ret_query)
{
    const struct bulk_options *options = &bulk->options;
    /* As a condition: what shapes an answer (_include, _sort, _count ...) has no place in it. */
    struct search_options how = {.definitions = options->definitions,
                                 .terms = options->terms,
                                 .conformance = options->conformance,
                                 .base_url = ask->base_url,
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
            TRY(plan_filter(bulk, ask, &ask->filters[i], arena, outcome, &queries[count++]));
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
    if (ask->filter_count > 0 && bulk->options.ready != NULL) {
        status = bulk->options.ready(bulk->options.context);
    }
    for (size_t i = 0; i < ask->filter_count && status == STATUS_OK; i++) {
        status = try_filters(bulk, tx, ask, ask->filters[i].type, arena, outcome);
    }
    if (status == STATUS_OK) {
        status = patients_asked(bulk, tx, ask, arena, outcome, &set, &limited, &nameless);
    }
    arena_destroy(memory);
    return status;
}
