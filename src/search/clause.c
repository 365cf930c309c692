/* SPDX-License-Identifier: MIT */
/* One parameter with its modifier and values into a clause. */
#include "search/search_int.h"

enum status scope_add(struct planning *planning, struct scope *scope,
                      const struct store_clause *clause)
{
    size_t count = scope->query->clause_count;
    if (count == scope->capacity) {
        size_t to = scope->capacity == 0 ? 1 : scope->capacity * 2;
        struct store_clause *clauses =
            arena_resize(planning->arena, scope->clauses, scope->capacity * sizeof *clauses,
                         to * sizeof *clauses);
        if (clauses == NULL) {
            return STATUS_TOO_COSTLY;
        }
        scope->clauses = clauses;
        scope->capacity = to;
    }
    scope->clauses[count] = *clause;
    scope->query->clauses = scope->clauses;
    scope->query->clause_count++;
    return STATUS_OK;
}

/* The row of a modifier that goes with this kind; *RET_TYPE for :[type]. NULL: there is none. */
static const struct search_modifier *find_modifier(const struct planning *planning,
                                                   const struct search_parameter *parameter,
                                                   struct slice text, resource_type *ret_type)
{
    size_t count;
    const struct search_modifier *all = search_modifiers(&count);
    unsigned kind = 1u << parameter->kind;
    *ret_type = resource_type_find(planning->options->definitions, text);
    struct slice name = *ret_type != RESOURCE_TYPE_NONE ? SLICE("[type]") : text;
    for (size_t i = 0; i < count; i++) {
        if ((all[i].kinds & kind) != 0 && slice_is(name, all[i].name) &&
            (*ret_type != RESOURCE_TYPE_NONE) == (all[i].name[0] == '[')) {
            return &all[i];
        }
    }
    return NULL;
}

static enum status take_modifier(struct planning *planning,
                                 const struct search_parameter *parameter, struct slice text,
                                 const struct search_modifier **ret_modifier,
                                 resource_type *ret_type)
{
    *ret_modifier = NULL;
    *ret_type = RESOURCE_TYPE_NONE;
    if (text.length == 0) {
        return STATUS_OK;
    }
    *ret_modifier = find_modifier(planning, parameter, text, ret_type);
    bool words = parameter->kind == SEARCH_STRING && parameter->expression.length == 0;
    if (*ret_modifier == NULL || words) {
        return refuse_modifier(planning);
    }
    if (*ret_type != RESOURCE_TYPE_NONE && !search_parameter_targets(parameter, *ret_type)) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s': its references do not lead to this type.",
                            planning->shown);
    }
    return STATUS_OK;
}

static enum status read_values(struct planning *planning, const struct search_parameter *parameter,
                               const struct search_modifier *modifier, resource_type type,
                               const struct slice *texts, struct store_clause *clause)
{
    struct store_value *values = arena_array(planning->arena, clause->value_count, sizeof *values);
    size_t codes = 0;
    if (values == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        values[i] = (struct store_value){0};
        if (is_code_set(modifier)) {
            TRY(plan_codes(planning, modifier, texts[i], &values[i]));
            codes += values[i].code_count;
        } else if (!read_value(planning, parameter, modifier, type, texts[i], &values[i])) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "",
                                "A value of parameter '%s' cannot be read: give %s.",
                                planning->shown, value_form(parameter, modifier));
        }
    }
    if (codes > SEARCH_CODES_MOST) {
        return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "",
                            "Parameter '%s': its values come to more than %d codes.",
                            planning->shown, SEARCH_CODES_MOST);
    }
    clause->values = values;
    return STATUS_OK;
}

enum status plan_clause(struct planning *planning, struct scope *scope,
                        const struct search_parameter *parameter, struct slice modifier,
                        struct slice text)
{
    const struct search_modifier *row;
    resource_type type;
    size_t count;
    TRY(take_modifier(planning, parameter, modifier, &row, &type));
    struct store_clause clause = {.parameter = parameter,
                                  .modifier = row != NULL ? row->modifier : STORE_PLAIN};
    struct slice *texts = split_values(planning->arena, text, ',', &count);
    if (texts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(check_value_count(planning, count));
    clause.value_count = count;
    if (clause.modifier == STORE_MISSING && count != 1) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "",
                            "A value of parameter '%s' cannot be read: give true or false.",
                            planning->shown);
    }
    TRY(read_values(planning, parameter, row, type, texts, &clause));
    return scope_add(planning, scope, &clause);
}
