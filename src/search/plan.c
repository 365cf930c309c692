/* SPDX-License-Identifier: MIT */
/* The parameters of a search, one after the other, into a plan. */
#include "search/search_int.h"

static enum status take(struct planning *planning, struct scope *scope, struct slice path)
{
    const struct search_argument *argument = planning->argument;
    const struct result_parameter *result = find_result(argument->name);
    if (result == NULL) {
        TRY(plan_criterion(planning, scope, path, argument->value));
        planning->plan->criteria++;
        return STATUS_OK;
    }
    if (planning->options->conditional) {
        return result->take == NULL ? STATUS_OK : refuse_unknown(planning);
    }
    bool includes = slice_ends(argument->name, SLICE("include"));
    if (argument->modifier.length > 0 && !includes) {
        return refuse_modifier(planning);
    }
    if (slice_is(argument->name, "_cursor")) {
        planning->plan->query.cursor = argument->value;
    }
    return result->take != NULL ? result->take(planning, scope, argument->value) : STATUS_OK;
}

/* "subject" and "Patient.name" as they stood in the URL. */
static struct slice whole_name(struct arena *arena, const struct search_argument *argument)
{
    if (argument->modifier.length == 0) {
        return argument->name;
    }
    struct buffer out = {.arena = arena};
    buffer_add(&out, argument->name);
    buffer_add_byte(&out, ':');
    buffer_add(&out, argument->modifier);
    return buffer_slice(&out);
}

/* What the links repeat: of _count what is given, which may be less than was asked for. */
static struct search_argument as_applied(const struct planning *planning)
{
    struct search_argument applied = *planning->argument;
    if (slice_is(applied.name, "_count")) {
        const char *text = arena_print(planning->arena, "%zu", planning->plan->query.count);
        applied.value = text != NULL ? slice_text(text) : applied.value;
    }
    return applied;
}

/* One argument; under lenient handling what is not supported is left out and listed. */
static enum status take_or_ignore(struct planning *planning, struct scope *scope,
                                  const struct search_argument *argument)
{
    struct outcome *outcome = planning->outcome;
    struct search_plan *plan = planning->plan;
    struct slice path = whole_name(planning->arena, argument);
    struct outcome aside;
    planning->argument = argument;
    planning->shown = shown_name(planning->arena, path);
    if (planning->options->lenient) {
        outcome_init(&aside, planning->arena);
        planning->outcome = &aside;
    }
    enum status status = take(planning, scope, path);
    planning->outcome = outcome;
    if (arena_full(planning->arena)) {
        return STATUS_TOO_COSTLY; /* what was read may be cut short, and so mean more */
    }
    if (planning->options->lenient && status == STATUS_PARAMETER) {
        planning->ignored[plan->ignored_count++] = slice_text(planning->shown);
        return STATUS_OK;
    }
    if (planning->options->lenient && status != STATUS_OK && aside.first != NULL) {
        outcome_add(outcome, aside.first);
    }
    TRY(status);
    const struct result_parameter *result = find_result(argument->name);
    if (result == NULL || result->in_links) {
        planning->applied[plan->applied_count++] = as_applied(planning);
    }
    return STATUS_OK;
}

static enum status check_whole(struct planning *planning)
{
    const struct search_options *options = planning->options;
    if (options->conditional && planning->plan->criteria == 0) {
        return outcome_fail(planning->outcome, STATUS_PRECONDITION, "",
                            "A conditional operation needs at least one criterion.");
    }
    if (options->type == RESOURCE_TYPE_NONE && options->compartment == RESOURCE_TYPE_NONE &&
        planning->plan->criteria == 0) {
        return outcome_fail(planning->outcome, STATUS_REQUIRED, "_type",
                            "A search across types must say of what: _type=Observation,Condition "
                            "or another parameter that all types have.");
    }
    return check_beside_contained(planning);
}

/* These first: which parameters the others may be hangs on them. */
static bool comes_first(struct slice name)
{
    return slice_is(name, "_type") || slice_is(name, "_contained");
}

static enum status take_all(struct planning *planning, struct scope *scope,
                            const struct search_argument *arguments, size_t count)
{
    for (int first = 1; first >= 0; first--) {
        for (size_t i = 0; i < count; i++) {
            if (comes_first(arguments[i].name) == (first == 1)) {
                TRY(take_or_ignore(planning, scope, &arguments[i]));
            }
        }
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
        .applied = arena_array(arena, count + 1, sizeof *planning.applied),
        .ignored = arena_array(arena, count + 1, sizeof *planning.ignored),
        .includes = arena_array(arena, count + 1, sizeof *planning.includes),
    };
    *ret_plan = (struct search_plan){
        .query = {.type = options->type, .count = options->count_default, .bodies = true}};
    if (planning.applied == NULL || planning.ignored == NULL || planning.includes == NULL) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "", "There are too many parameters.");
    }
    bool typed = options->type != RESOURCE_TYPE_NONE;
    struct scope scope = {.query = &ret_plan->query,
                          .types = typed ? &options->type : NULL,
                          .type_count = typed ? 1 : 0};
    TRY(plan_compartment(&planning, &scope));
    TRY(take_all(&planning, &scope, arguments, count));
    ret_plan->applied = planning.applied;
    ret_plan->ignored = planning.ignored;
    ret_plan->includes = planning.includes;
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
