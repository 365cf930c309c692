/* SPDX-License-Identifier: MIT */
/* `_include` and `_revinclude` (R4 search, "Including other resources in result"). */
#include "search/search_int.h"

static enum status refuse(struct planning *planning, const char *why)
{
    return outcome_fail(planning->outcome, STATUS_PARAMETER, planning->shown, "%s: %s",
                        planning->shown, why);
}

static bool in_scope(const struct scope *scope, resource_type type)
{
    for (size_t i = 0; i < scope->type_count; i++) {
        if (scope->types[i] == type) {
            return true;
        }
    }
    return scope->types == NULL;
}

static bool leads_into_scope(const struct scope *scope, const struct search_parameter *parameter)
{
    for (size_t i = 0; i < scope->type_count; i++) {
        if (search_parameter_targets(parameter, scope->types[i])) {
            return true;
        }
    }
    return scope->types == NULL;
}

static enum status find_parts(struct planning *planning, struct slice text,
                              struct search_include *include)
{
    const struct definitions *definitions = planning->options->definitions;
    struct slice rest = text;
    struct slice source = slice_cut(&rest, ':');
    struct slice name = slice_cut(&rest, ':');
    include->source = resource_type_find(definitions, source);
    if (include->source == RESOURCE_TYPE_NONE || name.length == 0) {
        return refuse(planning, "write Type:parameter or Type:parameter:Type, as in "
                                "MedicationRequest:patient:Patient.");
    }
    if (!slice_is(name, "*")) {
        include->parameter = search_parameter_find(definitions, include->source, name);
        if (include->parameter == NULL || include->parameter->kind != SEARCH_REFERENCE ||
            !search_parameter_answered(include->parameter)) {
            return refuse(planning, "the type has no reference parameter of this name.");
        }
    }
    if (rest.at == NULL || rest.length == 0) {
        return STATUS_OK;
    }
    include->target = resource_type_find(definitions, rest);
    if (include->target == RESOURCE_TYPE_NONE ||
        (include->parameter != NULL &&
         !search_parameter_targets(include->parameter, include->target))) {
        return refuse(planning, "the third part is a resource type that the reference may lead "
                                "to.");
    }
    return STATUS_OK;
}

/* Without :iterate an include starts from the matches alone; one that cannot is a mistake. */
static enum status check_start(struct planning *planning, const struct scope *scope,
                               const struct search_include *include)
{
    bool starts = true;
    if (planning->plan->query.contained != STORE_CONTAINED_NOT) {
        return STATUS_OK; /* from what contains, which may be of any type */
    }
    if (include->source != RESOURCE_TYPE_NONE && !include->iterate) {
        starts =
            !include->reverse
                ? in_scope(scope, include->source)
                : (include->target == RESOURCE_TYPE_NONE || in_scope(scope, include->target)) &&
                      (include->parameter == NULL || leads_into_scope(scope, include->parameter));
    }
    if (starts) {
        return STATUS_OK;
    }
    return refuse(planning, include->reverse
                                ? "the reference does not lead to what is searched. With :iterate "
                                  "it starts from what is included too."
                                : "the first part is a type that is searched. With :iterate it "
                                  "may be one that is included too.");
}

enum status plan_include(struct planning *planning, const struct scope *scope, bool reverse)
{
    const struct search_argument *argument = planning->argument;
    struct search_plan *plan = planning->plan;
    struct search_include include = {.reverse = reverse,
                                     .iterate = slice_is(argument->modifier, "iterate")};
    if (argument->modifier.length > 0 && !include.iterate) {
        return refuse(planning, "the only modifier is :iterate.");
    }
    if (!slice_is(argument->value, "*")) {
        TRY(find_parts(planning, argument->value, &include));
        TRY(check_start(planning, scope, &include));
    }
    planning->includes[plan->include_count++] = include;
    return STATUS_OK;
}
