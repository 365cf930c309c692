/* SPDX-License-Identifier: MIT */
/* The parameters of a search, one after the other, into a plan. */
#include "search/search_int.h"

static enum status unknown(struct planning *planning, const struct search_argument *argument)
{
    return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                        "Search parameter '%s' is not supported for this type: [base]/metadata "
                        "lists those that are. With 'Prefer: handling=lenient' it is ignored.",
                        shown_name(planning->arena, argument));
}

static enum status no_modifier(struct planning *planning, const struct search_argument *argument)
{
    return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                        "Parameter '%s' is not supported with a modifier.",
                        shown_name(planning->arena, argument));
}

static enum status take_count(struct planning *planning, const struct search_argument *argument)
{
    uint64_t number;
    if (!slice_to_unsigned(argument->value, UINT32_MAX, &number)) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "_count",
                            "_count is a whole number from 0.");
    }
    size_t most = planning->options->count_max;
    planning->plan->query.count = number < most ? (size_t)number : most;
    return STATUS_OK;
}

static enum status take_total(struct planning *planning, const struct search_argument *argument)
{
    bool wanted = slice_is(argument->value, "accurate") || slice_is(argument->value, "estimate");
    if (!wanted && !slice_is(argument->value, "none")) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "_total",
                            "_total is none, estimate or accurate.");
    }
    planning->plan->query.total = wanted; /* an exact count is a good estimate */
    return STATUS_OK;
}

static enum status take_sort(struct planning *planning, const struct search_argument *argument)
{
    size_t count;
    struct slice *names = split_values(planning->arena, argument->value, ',', &count);
    struct store_sort *sorts = arena_array(planning->arena, count, sizeof *sorts);
    if (names == NULL || sorts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice name = names[i];
        sorts[i].descending = name.length > 0 && name.at[0] == '-';
        name = slice_from(name, sorts[i].descending ? 1 : 0);
        if (slice_is(name, "_lastUpdated")) {
            continue;
        }
        sorts[i].parameter =
            search_parameter_find(planning->options->definitions, planning->options->type, name);
        if (sorts[i].parameter == NULL) {
            struct search_argument shown = {.name = name};
            return outcome_fail(planning->outcome, STATUS_PARAMETER, "_sort",
                                "Sorting by '%s' is not supported: it is no search parameter of "
                                "this type.",
                                shown_name(planning->arena, &shown));
        }
    }
    planning->plan->query.sorts = sorts;
    planning->plan->query.sort_count = count;
    return STATUS_OK;
}

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

static enum status take_types(struct planning *planning, const struct search_argument *argument)
{
    size_t count;
    struct slice *names = split_values(planning->arena, argument->value, ',', &count);
    const struct definitions *definitions = planning->options->definitions;
    size_t most = (size_t)resource_type_count(definitions) + 1;
    resource_type *types = arena_array(planning->arena, most, sizeof *types);
    bool *listed = arena_array(planning->arena, most, sizeof *listed);
    if (names == NULL || types == NULL || listed == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t name_count = count;
    count = 0;
    for (size_t i = 0; i < name_count; i++) {
        resource_type type = resource_type_find(definitions, names[i]);
        if (type == RESOURCE_TYPE_NONE) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "_type",
                                "_type lists FHIR R4 resource types: Observation,Condition.");
        }
        if (!listed[type]) { /* a type that is named again is looked through once */
            types[count++] = type;
            listed[type] = true;
        }
    }
    struct store_query *query = &planning->plan->query;
    if (query->types != NULL) { /* given twice, both must hold */
        count = intersect(query->types, query->type_count, types, count);
    }
    if (count == 0) {
        types[count++] = RESOURCE_TYPE_NONE; /* no resource is of this type: nothing matches */
    }
    query->types = types;
    query->type_count = count;
    return STATUS_OK;
}

/* Parameters about the answer, not about what is searched. */
struct result_parameter {
    const char *name;
    enum status (*take)(struct planning *planning, const struct search_argument *argument);
    bool in_links; /* repeated in self and next */
};

static const struct result_parameter result_parameters[] = {
    {"_count", take_count, true}, {"_sort", take_sort, true}, {"_total", take_total, true},
    {"_cursor", NULL, false},     {"_format", NULL, true},    {"_pretty", NULL, true},
    {"_summary", NULL, true},     {"_elements", NULL, true},
};

static const struct result_parameter *find_result(struct slice name)
{
    for (size_t i = 0; i < sizeof result_parameters / sizeof result_parameters[0]; i++) {
        if (slice_is(name, result_parameters[i].name)) {
            return &result_parameters[i];
        }
    }
    return NULL;
}

static enum status take_criterion(struct planning *planning, const struct search_argument *argument)
{
    const struct search_options *options = planning->options;
    planning->plan->criteria++;
    if (slice_is(argument->name, "_id")) {
        return plan_ids(planning, argument);
    }
    if (slice_is(argument->name, "_lastUpdated")) {
        return plan_updated(planning, argument);
    }
    if (slice_is(argument->name, "_type") && options->type == RESOURCE_TYPE_NONE) {
        if (argument->modifier.length > 0) {
            return no_modifier(planning, argument);
        }
        return take_types(planning, argument);
    }
    const struct search_parameter *parameter =
        options->type != RESOURCE_TYPE_NONE
            ? search_parameter_find(options->definitions, options->type, argument->name)
            : NULL;
    if (parameter == NULL || parameter->expression.length == 0 ||
        parameter->kind == SEARCH_COMPOSITE || parameter->kind == SEARCH_SPECIAL) {
        planning->plan->criteria--;
        return unknown(planning, argument);
    }
    return plan_clause(planning, parameter, argument);
}

static enum status take(struct planning *planning, const struct search_argument *argument)
{
    const struct result_parameter *result = find_result(argument->name);
    if (result == NULL) {
        return take_criterion(planning, argument);
    }
    if (planning->options->conditional) {
        return result->take == NULL ? STATUS_OK : unknown(planning, argument);
    }
    if (argument->modifier.length > 0) {
        return no_modifier(planning, argument);
    }
    if (slice_is(argument->name, "_cursor")) {
        planning->plan->query.cursor = argument->value;
    }
    return result->take != NULL ? result->take(planning, argument) : STATUS_OK;
}

/* One argument; under lenient handling what is not supported is left out and listed. */
static enum status take_or_ignore(struct planning *planning, const struct search_argument *argument)
{
    struct outcome *outcome = planning->outcome;
    struct search_plan *plan = planning->plan;
    if (planning->options->lenient) {
        struct outcome aside;
        outcome_init(&aside, planning->arena);
        planning->outcome = &aside;
        enum status status = take(planning, argument);
        planning->outcome = outcome;
        if (status == STATUS_PARAMETER) {
            planning->ignored[plan->ignored_count++] =
                slice_text(shown_name(planning->arena, argument));
            return STATUS_OK;
        }
        if (status != STATUS_OK && aside.first != NULL) {
            outcome_add(outcome, aside.first);
        }
        TRY(status);
    } else {
        TRY(take(planning, argument));
    }
    const struct result_parameter *result = find_result(argument->name);
    if (result == NULL || result->in_links) {
        planning->applied[plan->applied_count++] = *argument;
    }
    return STATUS_OK;
}

static enum status take_compartment(struct planning *planning)
{
    const struct search_options *options = planning->options;
    if (options->compartment == RESOURCE_TYPE_NONE) {
        return STATUS_OK;
    }
    if (!slice_is(resource_type_name(options->definitions, options->compartment), "Patient")) {
        return outcome_fail(planning->outcome, STATUS_NOT_SUPPORTED, "",
                            "Only the compartment of Patient is supported.");
    }
    planning->plan->query.has_patient = true;
    planning->plan->query.patient = options->compartment_id;
    return STATUS_OK;
}

static enum status check_whole(const struct planning *planning)
{
    const struct search_options *options = planning->options;
    const struct store_query *query = &planning->plan->query;
    if (options->conditional && planning->plan->criteria == 0) {
        return outcome_fail(planning->outcome, STATUS_PRECONDITION, "",
                            "A conditional operation needs at least one criterion.");
    }
    if (options->type == RESOURCE_TYPE_NONE && !query->has_patient && query->types == NULL) {
        return outcome_fail(planning->outcome, STATUS_REQUIRED, "_type",
                            "A search across types must say which: _type=Observation,Condition.");
    }
    return STATUS_OK;
}

enum status search_plan_make(const struct search_options *options,
                             const struct search_argument *arguments, size_t count,
                             struct arena *arena, struct outcome *outcome,
                             struct search_plan *ret_plan)
{
    struct planning planning = {
        .options = options,
        .arena = arena,
        .outcome = outcome,
        .plan = ret_plan,
        .clauses = arena_array(arena, count + 1, sizeof *planning.clauses),
        .applied = arena_array(arena, count + 1, sizeof *planning.applied),
        .ignored = arena_array(arena, count + 1, sizeof *planning.ignored),
    };
    *ret_plan = (struct search_plan){
        .query = {.type = options->type, .count = options->count_default, .bodies = true}};
    if (planning.clauses == NULL || planning.applied == NULL || planning.ignored == NULL) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "", "There are too many parameters.");
    }
    TRY(take_compartment(&planning));
    for (size_t i = 0; i < count; i++) {
        TRY(take_or_ignore(&planning, &arguments[i]));
    }
    ret_plan->query.clauses = planning.clauses;
    ret_plan->applied = planning.applied;
    ret_plan->ignored = planning.ignored;
    return check_whole(&planning);
}

static void add_argument(const struct search_argument *argument, char separator, struct buffer *out)
{
    if (separator != '\0') {
        buffer_add_byte(out, separator);
    }
    buffer_add_url(out, argument->name, false);
    if (argument->modifier.length > 0) {
        buffer_add_byte(out, ':');
        buffer_add_url(out, argument->modifier, false);
    }
    buffer_add_byte(out, '=');
    buffer_add_url(out, argument->value, false);
}

void search_plan_write_query(const struct search_plan *plan, struct slice cursor,
                             struct buffer *out)
{
    for (size_t i = 0; i < plan->applied_count; i++) {
        add_argument(&plan->applied[i], i > 0 ? '&' : '\0', out);
    }
    if (cursor.length > 0) {
        struct search_argument argument = {.name = SLICE("_cursor"), .value = cursor};
        add_argument(&argument, plan->applied_count > 0 ? '&' : '\0', out);
    }
}
