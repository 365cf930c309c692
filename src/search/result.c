/* SPDX-License-Identifier: MIT */
/* Parameters about the answer (R4 search, "Managing Returned Resources"). */
#include "search/search_int.h"

static enum status once(struct planning *planning, bool *given)
{
    if (*given) {
        return outcome_fail(planning->outcome, STATUS_VALUE, planning->shown,
                            "%s is given twice: give it once.", planning->shown);
    }
    *given = true;
    return STATUS_OK;
}

static enum status take_count(struct planning *planning, const struct scope *scope,
                              struct slice text)
{
    uint64_t number;
    (void)scope;
    TRY(once(planning, &planning->counted));
    if (!slice_to_unsigned(text, UINT32_MAX, &number)) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "_count",
                            "_count is a whole number from 0.");
    }
    size_t most = planning->options->count_max;
    planning->plan->query.count = number < most ? (size_t)number : most;
    return STATUS_OK;
}

static enum status take_total(struct planning *planning, const struct scope *scope,
                              struct slice text)
{
    struct store_query *query = &planning->plan->query;
    (void)scope;
    TRY(once(planning, &planning->totalled));
    query->estimate = slice_is(text, "estimate");
    query->total = query->estimate || slice_is(text, "accurate");
    if (!query->total && !slice_is(text, "none")) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "_total",
                            "_total is none, estimate or accurate.");
    }
    return STATUS_OK;
}

static enum status refuse_sort(struct planning *planning, struct slice name)
{
    return outcome_fail(planning->outcome, STATUS_PARAMETER, "_sort",
                        "_sort by '%s' is not supported: name a search parameter of this type, "
                        "with a minus before it for the other direction.",
                        shown_name(planning->arena, name));
}

static enum status take_sort(struct planning *planning, const struct scope *scope,
                             struct slice text)
{
    size_t count;
    TRY(once(planning, &planning->sorted));
    struct slice *names = split_values(planning->arena, text, ',', &count);
    if (names != NULL && count > STORE_SORTS_MOST) {
        return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "_sort",
                            "_sort takes at most %d parameters.", STORE_SORTS_MOST);
    }
    struct store_sort *sorts = arena_array(planning->arena, count, sizeof *sorts);
    if (names == NULL || sorts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice name = names[i];
        bool descending = name.length > 0 && name.at[0] == '-';
        name = slice_from(name, descending ? 1 : 0);
        sorts[i] = (struct store_sort){.descending = descending};
        if (slice_is(name, "_lastUpdated")) {
            continue;
        }
        const struct search_parameter *parameter = scope_parameter(planning, scope, name);
        if (parameter == NULL || parameter->kind == SEARCH_COMPOSITE ||
            parameter->kind == SEARCH_SPECIAL || parameter->expression.length == 0) {
            return refuse_sort(planning, name);
        }
        sorts[i].parameter = parameter;
    }
    planning->plan->query.sorts = sorts;
    planning->plan->query.sort_count = count;
    return STATUS_OK;
}

static enum status take_contained(struct planning *planning, const struct scope *scope,
                                  struct slice text)
{
    struct store_query *query = &planning->plan->query;
    (void)scope;
    TRY(once(planning, &planning->containing));
    bool both = slice_is(text, "both"), only = slice_is(text, "true");
    if (!both && !only && !slice_is(text, "false")) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "_contained",
                            "_contained is false, true or both.");
    }
    if ((both || only) && !planning->options->contained) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "_contained",
                            "Contained resources are not searched here: _contained may only be "
                            "false.");
    }
    query->contained = both   ? STORE_CONTAINED_TOO
                       : only ? STORE_CONTAINED_ONLY
                              : STORE_CONTAINED_NOT;
    return STATUS_OK;
}

static enum status take_contained_type(struct planning *planning, const struct scope *scope,
                                       struct slice text)
{
    (void)scope;
    TRY(once(planning, &planning->formed));
    planning->plan->query.inside = slice_is(text, "contained");
    if (!planning->plan->query.inside && !slice_is(text, "container")) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "_containedType",
                            "_containedType is container or contained.");
    }
    return STATUS_OK;
}

static enum status refuse_beside(struct planning *planning, const char *name, const char *text)
{
    return outcome_fail(planning->outcome, STATUS_PARAMETER, name, "%s", text);
}

/* What contains a match may be of any type; what is contained stands in no order of its own and is
 * only counted by looking into what contains it. */
enum status check_beside_contained(struct planning *planning)
{
    const struct search_options *options = planning->options;
    const struct search_plan *plan = planning->plan;
    const struct store_query *query = &plan->query;
    if (query->contained == STORE_CONTAINED_NOT) {
        return STATUS_OK;
    }
    if (options->type == RESOURCE_TYPE_NONE) {
        return refuse_beside(planning, "_contained",
                             "_contained is answered for a search of one type only: name the type "
                             "in the address.");
    }
    if (options->compartment != RESOURCE_TYPE_NONE) {
        return refuse_beside(planning, "_contained",
                             "_contained is not answered within a compartment: name what the "
                             "contained resources must meet as criteria.");
    }
    for (size_t i = 0; i < query->sort_count; i++) {
        if (query->sorts[i].parameter != NULL) {
            return refuse_beside(planning, "_sort",
                                 "With _contained _sort takes _lastUpdated only, which is that of "
                                 "what contains: other parameters are none of all that is found.");
        }
    }
    if (query->inside && query->total) {
        return refuse_beside(planning, "_total",
                             "With _containedType=contained there is no _total: one is counted "
                             "with _containedType=container, of what contains.");
    }
    if (query->inside && plan->include_count > 0) {
        return refuse_beside(planning, "_include",
                             "With _containedType=contained nothing is included: ask with "
                             "_containedType=container.");
    }
    return STATUS_OK;
}

static enum status take_include(struct planning *planning, const struct scope *scope,
                                struct slice text)
{
    (void)text;
    return plan_include(planning, scope, slice_is(planning->argument->name, "_revinclude"));
}

static const struct result_parameter result_parameters[] = {
    {"_count", take_count, true},
    {"_sort", take_sort, true},
    {"_total", take_total, true},
    {"_include", take_include, true},
    {"_revinclude", take_include, true},
    {"_contained", take_contained, true},
    {"_containedType", take_contained_type, true},
    {"_cursor", NULL, false},
    {"_format", NULL, true},
    {"_pretty", NULL, true},
    {"_summary", NULL, true},
    {"_elements", NULL, true},
};

const struct result_parameter *find_result(struct slice name)
{
    for (size_t i = 0; i < sizeof result_parameters / sizeof result_parameters[0]; i++) {
        if (slice_is(name, result_parameters[i].name)) {
            return &result_parameters[i];
        }
    }
    return NULL;
}
