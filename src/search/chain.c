/* SPDX-License-Identifier: MIT */
/* One criterion: a parameter, a chain of them (R4 search, "Chained parameters") or its reverse
 * ("Reverse chaining"). Each step of a chain is a query of its own inside a clause. */
#include "search/search_int.h"

struct step step_cut(struct slice path)
{
    struct step step = {0};
    size_t end = 0;
    while (end < path.length && path.at[end] != '.' && path.at[end] != ':') {
        end++;
    }
    step.name = slice_head(path, end);
    if (end < path.length && path.at[end] == ':') {
        struct slice behind = slice_from(path, end + 1);
        size_t dot = slice_index(behind, '.');
        step.modifier = slice_head(behind, dot);
        end += 1 + dot;
    }
    step.chained = end < path.length;
    step.rest = slice_from(path, step.chained ? end + 1 : path.length);
    return step;
}

/* ---- which parameter --------------------------------------------------------------------------
 */

static const struct search_parameter *find_answered(struct planning *planning, resource_type type,
                                                    struct slice name)
{
    planning->lookups++;
    const struct search_parameter *parameter =
        search_parameter_find(planning->options->definitions, type, name);
    return parameter != NULL && search_parameter_answered(parameter) ? parameter : NULL;
}

const struct search_parameter *scope_parameter(struct planning *planning, const struct scope *scope,
                                               struct slice name)
{
    size_t count = scope->types != NULL ? scope->type_count
                                        : resource_type_count(planning->options->definitions);
    const struct search_parameter *first = NULL;
    for (size_t i = 0; i < count; i++) {
        resource_type type = scope->types != NULL ? scope->types[i] : (resource_type)(i + 1);
        const struct search_parameter *one = find_answered(planning, type, name);
        if (one == NULL || (first != NULL && first->kind != one->kind)) {
            return NULL;
        }
        first = first != NULL ? first : one;
    }
    return first;
}

static bool may_lead_to(struct planning *planning, const struct scope *scope, struct slice name,
                        resource_type target)
{
    size_t count = scope->types != NULL ? scope->type_count
                                        : resource_type_count(planning->options->definitions);
    for (size_t i = 0; i < count; i++) {
        resource_type type = scope->types != NULL ? scope->types[i] : (resource_type)(i + 1);
        const struct search_parameter *one = find_answered(planning, type, name);
        if (one != NULL && search_parameter_targets(one, target)) {
            return true;
        }
    }
    return false;
}

/* Does TYPE have what PATH asks for, as far as names go? */
static bool knows(struct planning *planning, resource_type type, struct slice path, size_t depth)
{
    struct step step = step_cut(path);
    static const char *const always[] = {"_id", "_lastUpdated", "_has", "_list"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        if (slice_is(step.name, always[i])) {
            return true;
        }
    }
    const struct search_parameter *parameter = find_answered(planning, type, step.name);
    if (parameter == NULL || !step.chained || depth >= SEARCH_DEPTH_MOST) {
        return parameter != NULL;
    }
    resource_type last = resource_type_count(planning->options->definitions);
    for (resource_type target = 1; target <= last; target++) {
        if (planning->lookups > SEARCH_LOOKUPS_MOST) {
            return false;
        }
        if (search_parameter_targets(parameter, target) &&
            (step.modifier.length == 0 ||
             slice_equals(step.modifier,
                          resource_type_name(planning->options->definitions, target))) &&
            knows(planning, target, step.rest, depth + 1)) {
            return true;
        }
    }
    return false;
}

/* ---- chains -----------------------------------------------------------------------------------
 */

enum status plan_inner(struct planning *planning, resource_type type, size_t depth,
                       struct slice path, struct slice value, struct store_query *ret_query)
{
    *ret_query = (struct store_query){.type = type};
    resource_type *types = arena_array(planning->arena, 1, sizeof *types);
    if (types == NULL) {
        return STATUS_TOO_COSTLY;
    }
    types[0] = type;
    struct scope scope = {.query = ret_query, .types = types, .type_count = 1, .depth = depth};
    if (++planning->queries > SEARCH_QUERIES_MOST || planning->lookups > SEARCH_LOOKUPS_MOST) {
        return refuse_many(planning);
    }
    if (depth > SEARCH_DEPTH_MOST) {
        return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "",
                            "Parameter '%s' has more than %d steps.", planning->shown,
                            SEARCH_DEPTH_MOST);
    }
    return plan_criterion(planning, &scope, path, value);
}

static enum status chain_type(struct planning *planning, const struct scope *scope,
                              const struct step *step, resource_type *ret_type)
{
    *ret_type = RESOURCE_TYPE_NONE;
    if (step->modifier.length == 0) {
        return STATUS_OK;
    }
    *ret_type = resource_type_find(planning->options->definitions, step->modifier);
    if (*ret_type == RESOURCE_TYPE_NONE || !may_lead_to(planning, scope, step->name, *ret_type)) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s': behind the colon stands a resource type that the "
                            "reference may lead to, as in subject:Patient.name.",
                            planning->shown);
    }
    return STATUS_OK;
}

/* What follows the dot, asked of one of the types that the reference may lead to. A chain applies
 * to those of them that it can be asked of, and with this value ("Patient/x" where one may refer to
 * a Device only); STATUS_PARAMETER and STATUS_VALUE, kept in REFUSED: not of this. */
static enum status plan_target(struct planning *planning, resource_type type, size_t depth,
                               struct slice path, struct slice value, struct store_query *ret_query,
                               struct outcome *refused)
{
    struct outcome aside, *outcome = planning->outcome;
    outcome_init(&aside, planning->arena);
    planning->outcome = &aside;
    enum status status = plan_inner(planning, type, depth, path, value, ret_query);
    planning->outcome = outcome;
    if (arena_full(planning->arena)) {
        return STATUS_TOO_COSTLY;
    }
    if (status == STATUS_PARAMETER || status == STATUS_VALUE) {
        *refused = refused->first == NULL ? aside : *refused;
    } else if (status != STATUS_OK && aside.first != NULL) {
        outcome_add(outcome, aside.first);
    }
    return status;
}

static enum status plan_chain(struct planning *planning, struct scope *scope,
                              const struct step *step, struct slice value)
{
    const struct search_parameter *parameter = scope_parameter(planning, scope, step->name);
    resource_type named;
    if (parameter == NULL) {
        return refuse_unknown(planning);
    }
    if (parameter->kind != SEARCH_REFERENCE) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s': only a parameter that is a reference can be "
                            "followed by a dot.",
                            planning->shown);
    }
    TRY(chain_type(planning, scope, step, &named));
    resource_type last = resource_type_count(planning->options->definitions);
    struct store_query *queries = arena_array(planning->arena, last, sizeof *queries);
    struct store_clause clause = {
        .parameter = parameter, .modifier = STORE_CHAIN, .queries = queries};
    if (queries == NULL) {
        return STATUS_TOO_COSTLY;
    }
    struct outcome refused = {0};
    enum status refusal = STATUS_PARAMETER;
    for (resource_type type = 1; type <= last; type++) {
        bool wanted = named != RESOURCE_TYPE_NONE ? type == named
                                                  : may_lead_to(planning, scope, step->name, type);
        if (wanted && knows(planning, type, step->rest, scope->depth + 1)) {
            enum status status = plan_target(planning, type, scope->depth + 1, step->rest, value,
                                             &queries[clause.query_count], &refused);
            if (status == STATUS_PARAMETER || status == STATUS_VALUE) {
                refusal = status;
            } else {
                TRY(status);
                clause.query_count++;
            }
        }
    }
    if (planning->lookups > SEARCH_LOOKUPS_MOST) {
        return refuse_many(planning);
    }
    if (clause.query_count == 0 && refused.first != NULL) {
        outcome_add(planning->outcome, refused.first);
        return refusal;
    }
    return clause.query_count > 0 ? scope_add(planning, scope, &clause) : refuse_unknown(planning);
}

/* Does the parameter of a _has lead to what is searched? */
static bool leads_here(const struct planning *planning, const struct scope *scope,
                       const struct search_parameter *parameter)
{
    size_t count = scope->types != NULL ? scope->type_count
                                        : resource_type_count(planning->options->definitions);
    for (size_t i = 0; i < count; i++) {
        resource_type type = scope->types != NULL ? scope->types[i] : (resource_type)(i + 1);
        if (type == RESOURCE_TYPE_NONE || search_parameter_targets(parameter, type)) {
            return true;
        }
    }
    return false;
}

/* "_has:Type:reference:criterion" */
static enum status plan_has(struct planning *planning, struct scope *scope, struct slice path,
                            struct slice value)
{
    struct slice rest = path;
    (void)slice_cut(&rest, ':');
    struct slice type_name = slice_cut(&rest, ':');
    struct slice name = slice_cut(&rest, ':');
    resource_type type = resource_type_find(planning->options->definitions, type_name);
    if (type == RESOURCE_TYPE_NONE || name.length == 0 || rest.length == 0) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s': write _has:Type:reference:parameter, as in "
                            "_has:Observation:patient:code.",
                            planning->shown);
    }
    const struct search_parameter *parameter = find_answered(planning, type, name);
    if (parameter == NULL || parameter->kind != SEARCH_REFERENCE ||
        !leads_here(planning, scope, parameter)) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s': the type has no reference parameter of this name "
                            "that leads to what is searched.",
                            planning->shown);
    }
    struct store_query *query = ARENA_NEW(planning->arena, struct store_query);
    if (query == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(plan_inner(planning, type, scope->depth + 1, rest, value, query));
    struct store_clause clause = {
        .parameter = parameter, .modifier = STORE_HAS, .queries = query, .query_count = 1};
    return scope_add(planning, scope, &clause);
}

enum status plan_criterion(struct planning *planning, struct scope *scope, struct slice path,
                           struct slice value)
{
    static const struct {
        const char *name;
        enum status (*plan)(struct planning *planning, struct scope *scope, struct slice modifier,
                            struct slice text);
    } columns[] = {{"_id", plan_ids},
                   {"_lastUpdated", plan_updated},
                   {"_list", plan_list},
                   {"_type", plan_types}};
    struct step step = step_cut(path);
    if (slice_is(step.name, "_has")) {
        return plan_has(planning, scope, path, value);
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (slice_is(step.name, columns[i].name)) {
            return step.chained ? refuse_unknown(planning)
                                : columns[i].plan(planning, scope, step.modifier, value);
        }
    }
    if (step.chained) {
        return plan_chain(planning, scope, &step, value);
    }
    const struct search_parameter *parameter = scope_parameter(planning, scope, step.name);
    return parameter != NULL ? plan_clause(planning, scope, parameter, step.modifier, value)
                             : refuse_unknown(planning);
}
