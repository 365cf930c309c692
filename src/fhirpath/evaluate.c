/* SPDX-License-Identifier: MIT */
/* Evaluation: a walk over the steps. What gives a truth is asked as one, without a collection in
 * between (evaluate_truth); everything else appends to a collection. */
#include "fhirpath/fhirpath_int.h"

/* ---- collections ------------------------------------------------------------------------------
 */

static bool values_grow(struct evaluation *evaluation, struct values *values, uint32_t more)
{
    uint32_t capacity = values->capacity == 0 ? 4 : values->capacity * 2;
    while (capacity < values->count + more) {
        capacity *= 2;
    }
    struct fhirpath_value *items =
        arena_resize(evaluation->arena, values->items, values->capacity * sizeof *items,
                     capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    values->items = items;
    values->capacity = capacity;
    return true;
}

struct fhirpath_value *values_add(struct evaluation *evaluation, struct values *values)
{
    if (values->count == values->capacity && !values_grow(evaluation, values, 1)) {
        return NULL;
    }
    return &values->items[values->count++];
}

void values_add_all(struct evaluation *evaluation, struct values *values,
                    const struct fhirpath_value *items, size_t count)
{
    if (count == 0 || (values->count + count > values->capacity &&
                       !values_grow(evaluation, values, (uint32_t)count))) {
        return;
    }
    memcpy(values->items + values->count, items, count * sizeof *items);
    values->count += (uint32_t)count;
}

void values_add_boolean(struct evaluation *evaluation, struct values *values, bool boolean)
{
    struct fhirpath_value *value = values_add(evaluation, values);
    if (value != NULL) {
        value->kind = FHIRPATH_BOOLEAN;
        value->boolean = boolean;
    }
}

void values_add_integer(struct evaluation *evaluation, struct values *values, int64_t integer)
{
    struct fhirpath_value *value = values_add(evaluation, values);
    if (value != NULL) {
        value->kind = FHIRPATH_INTEGER;
        value->integer = integer;
    }
}

void values_add_string(struct evaluation *evaluation, struct values *values, struct slice text)
{
    struct fhirpath_value *value = values_add(evaluation, values);
    if (value != NULL) {
        value->kind = FHIRPATH_STRING;
        value->string = text;
    }
}

bool value_system(struct evaluation *evaluation, const struct fhirpath_value *value,
                  struct fhirpath_value *ret_system)
{
    return fhirpath_system(evaluation->definitions, value, evaluation->arena, ret_system);
}

enum status evaluation_costs(struct evaluation *evaluation, const struct step *step, size_t steps)
{
    if (steps > evaluation->step_limit - evaluation->steps) {
        return evaluation_fail(evaluation, STATUS_TOO_COSTLY, step,
                               "The evaluation takes more than %u steps.", evaluation->step_limit);
    }
    evaluation->steps += (uint32_t)steps;
    return STATUS_OK;
}

enum status values_have(struct evaluation *evaluation, const struct step *step,
                        const struct fhirpath_value *items, size_t count,
                        const struct fhirpath_value *value, bool *ret_has)
{
    *ret_has = false;
    TRY(evaluation_costs(evaluation, step, count));
    for (size_t i = 0; i < count && !*ret_has; i++) {
        *ret_has = values_equal(evaluation->definitions, evaluation->arena, &items[i], value) ==
                   TRUTH_TRUE;
    }
    return STATUS_OK;
}

#define HASH_FROM 64u /* items: fewer are compared with each other */

/* The strings that ITEMS are, one after another; NULL: some are none. */
static const struct slice *all_strings(struct evaluation *evaluation,
                                       const struct fhirpath_value *items, size_t count)
{
    struct slice *texts = arena_array(evaluation->arena, count + 1, sizeof *texts);
    for (size_t i = 0; texts != NULL && i < count; i++) {
        struct fhirpath_value system;
        if (items[i].kind != FHIRPATH_STRING &&
            (items[i].kind != FHIRPATH_NODE || items[i].node.type->kind != TYPE_PRIMITIVE)) {
            return NULL;
        }
        if (!value_system(evaluation, &items[i], &system) || system.kind != FHIRPATH_STRING) {
            return NULL;
        }
        texts[i] = system.string;
    }
    return texts;
}

/* Many strings, as the codes of a code system are: a table finds those that are there. *RET_DONE
 * false: they are something else. */
static enum status add_strings(struct evaluation *evaluation, const struct step *step,
                               struct values *values, const struct fhirpath_value *items,
                               size_t count, bool *ret_done)
{
    *ret_done = false;
    size_t size = 256;
    while (size < count * 2) {
        size *= 2;
    }
    const struct slice *texts = all_strings(evaluation, items, count);
    uint32_t *slots = texts != NULL ? arena_array(evaluation->arena, size, sizeof *slots) : NULL;
    if (slots == NULL) {
        return STATUS_OK;
    }
    TRY(evaluation_costs(evaluation, step, count));
    for (size_t i = 0; i < count; i++) {
        size_t slot = slice_hash(texts[i]) & (size - 1);
        while (slots[slot] != 0 && !slice_equals(texts[slots[slot] - 1], texts[i])) {
            slot = (slot + 1) & (size - 1);
        }
        if (slots[slot] == 0) {
            slots[slot] = (uint32_t)i + 1;
            values_add_all(evaluation, values, &items[i], 1);
        }
    }
    *ret_done = true;
    return STATUS_OK;
}

enum status values_add_distinct(struct evaluation *evaluation, const struct step *step,
                                struct values *values, const struct fhirpath_value *items,
                                size_t count)
{
    if (values->count == 0 && count >= HASH_FROM) {
        bool done;
        TRY(add_strings(evaluation, step, values, items, count, &done));
        if (done) {
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool has;
        TRY(values_have(evaluation, step, values->items, values->count, &items[i], &has));
        if (!has) {
            values_add_all(evaluation, values, &items[i], 1);
        }
    }
    return STATUS_OK;
}

enum status truth_of(struct evaluation *evaluation, const struct step *step,
                     const struct fhirpath_value *items, size_t count, enum truth *ret_truth)
{
    struct fhirpath_value system;
    *ret_truth = TRUTH_EMPTY;
    if (count == 0) {
        return STATUS_OK;
    }
    if (count > 1) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "Several items stand where true or false must: use exists(), all() "
                               "or first().");
    }
    bool boolean =
        items[0].kind == FHIRPATH_BOOLEAN ||
        (items[0].kind == FHIRPATH_NODE && items[0].node.type->fhir_type == FHIR_TYPE_BOOLEAN);
    if (!boolean) {
        *ret_truth = TRUTH_TRUE;
    } else if (value_system(evaluation, &items[0], &system)) {
        *ret_truth = truth(system.boolean);
    }
    return STATUS_OK;
}

/* ---- logic ------------------------------------------------------------------------------------
 */

static enum status evaluate_and(struct evaluation *evaluation, const struct step *step,
                                const struct frame *frame, enum truth *ret_truth)
{
    enum truth right;
    TRY(evaluate_truth(evaluation, step->left, frame, ret_truth));
    if (*ret_truth == TRUTH_FALSE) {
        return STATUS_OK;
    }
    TRY(evaluate_truth(evaluation, step->right, frame, &right));
    *ret_truth = right == TRUTH_FALSE        ? TRUTH_FALSE
                 : *ret_truth == TRUTH_EMPTY ? TRUTH_EMPTY
                                             : right;
    return STATUS_OK;
}

/* `or`; with IMPLIES the left side counts as its opposite. */
static enum status evaluate_or(struct evaluation *evaluation, const struct step *step,
                               const struct frame *frame, bool implies, enum truth *ret_truth)
{
    enum truth left, right;
    TRY(evaluate_truth(evaluation, step->left, frame, &left));
    if (implies && left != TRUTH_EMPTY) {
        left = truth(left == TRUTH_FALSE);
    }
    *ret_truth = left;
    if (left == TRUTH_TRUE) {
        return STATUS_OK;
    }
    TRY(evaluate_truth(evaluation, step->right, frame, &right));
    *ret_truth = right == TRUTH_TRUE ? TRUTH_TRUE : left == TRUTH_EMPTY ? TRUTH_EMPTY : right;
    return STATUS_OK;
}

static enum status evaluate_xor(struct evaluation *evaluation, const struct step *step,
                                const struct frame *frame, enum truth *ret_truth)
{
    enum truth left, right;
    TRY(evaluate_truth(evaluation, step->left, frame, &left));
    TRY(evaluate_truth(evaluation, step->right, frame, &right));
    *ret_truth = left == TRUTH_EMPTY || right == TRUTH_EMPTY ? TRUTH_EMPTY : truth(left != right);
    return STATUS_OK;
}

static enum status evaluate_is(struct evaluation *evaluation, const struct step *step,
                               const struct frame *frame, enum truth *ret_truth)
{
    struct values left = {0};
    const struct fhirpath_value *items = frame->focus;
    size_t count = frame->focus_count;
    if (step->left != NO_STEP) {
        TRY(evaluate(evaluation, step->left, frame, &left));
        items = left.items;
        count = left.count;
    }
    if (count > 1) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "`is` asks one item; here are several: use ofType().");
    }
    *ret_truth = count == 0
                     ? TRUTH_EMPTY
                     : truth(type_test_holds(evaluation->definitions, &step->test, &items[0]));
    return STATUS_OK;
}

/* The input of a function: the focus, or what stands to its left. */
static enum status call_input(struct evaluation *evaluation, const struct step *step,
                              const struct frame *frame, struct call *call, struct values *room)
{
    *call = (struct call){.evaluation = evaluation, .step = step, .frame = frame};
    if (step->left == NO_STEP) {
        call->input = frame->focus;
        call->count = frame->focus_count;
        return STATUS_OK;
    }
    TRY(evaluate(evaluation, step->left, frame, room));
    call->input = room->items;
    call->count = room->count;
    return STATUS_OK;
}

static enum status evaluate_call_truth(struct evaluation *evaluation, const struct step *step,
                                       const struct frame *frame, enum truth *ret_truth)
{
    struct call call;
    struct values room = {0}, out = {0};
    if (step->function->test != NULL) {
        TRY(call_input(evaluation, step, frame, &call, &room));
        return step->function->test(&call, ret_truth);
    }
    TRY(call_input(evaluation, step, frame, &call, &room));
    TRY(step->function->run(&call, &out));
    return truth_of(evaluation, step, out.items, out.count, ret_truth);
}

static bool gives_truth(const struct step *step)
{
    switch (step->operation) {
    case OP_AND:
    case OP_OR:
    case OP_XOR:
    case OP_IMPLIES:
    case OP_IS:
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
    case OP_EQUAL:
    case OP_NOT_EQUAL:
    case OP_EQUIVALENT:
    case OP_NOT_EQUIVALENT:
    case OP_IN:
    case OP_CONTAINS:
        return true;
    case OP_CALL:
        return step->function->test != NULL;
    default:
        return false;
    }
}

enum status evaluate_truth(struct evaluation *evaluation, uint32_t index, const struct frame *frame,
                           enum truth *ret_truth)
{
    const struct step *step = &evaluation->expression->steps[index];
    struct values values = {0};
    const struct scope *scope = evaluation->scope;
    enum status status;
    TRY(evaluation_costs(evaluation, step, 1));
    switch (step->operation) {
    case OP_AND:
        status = evaluate_and(evaluation, step, frame, ret_truth);
        break;
    case OP_OR:
    case OP_IMPLIES:
        status = evaluate_or(evaluation, step, frame, step->operation == OP_IMPLIES, ret_truth);
        break;
    case OP_XOR:
        status = evaluate_xor(evaluation, step, frame, ret_truth);
        break;
    case OP_IS:
        status = evaluate_is(evaluation, step, frame, ret_truth);
        break;
    case OP_CALL: /* a variable that it defined is there for what follows */
        return evaluate_call_truth(evaluation, step, frame, ret_truth);
    default:
        if (gives_truth(step)) {
            status = evaluate_comparison(evaluation, step, frame, ret_truth);
        } else {
            status = evaluate(evaluation, index, frame, &values);
            status = status != STATUS_OK
                         ? status
                         : truth_of(evaluation, step, values.items, values.count, ret_truth);
        }
        break;
    }
    evaluation->scope = scope;
    return status;
}

/* ---- terms and paths --------------------------------------------------------------------------
 */

static enum status evaluate_member(struct evaluation *evaluation, const struct step *step,
                                   const struct frame *frame, struct values *out)
{
    struct values left = {0};
    if (step->left == NO_STEP) {
        return navigate(evaluation, step, frame->focus, frame->focus_count, SIZE_MAX, out);
    }
    TRY(evaluate(evaluation, step->left, frame, &left));
    return navigate(evaluation, step, left.items, left.count, SIZE_MAX, out);
}

static void evaluate_root(struct evaluation *evaluation, const struct step *step,
                          const struct frame *frame, struct values *out)
{
    for (size_t i = 0; i < frame->focus_count; i++) {
        const struct fhirpath_value *item = &frame->focus[i];
        if (item->kind == FHIRPATH_NODE &&
            type_derives(evaluation->tables, item->node.type, step->type)) {
            values_add_all(evaluation, out, item, 1);
        }
    }
}

static void add_node(struct evaluation *evaluation, const struct fhirpath_node *node,
                     struct values *out)
{
    struct fhirpath_value *value = node != NULL ? values_add(evaluation, out) : NULL;
    if (value != NULL) {
        value->kind = FHIRPATH_NODE;
        value->node = *node;
    }
}

static void evaluate_resource(struct evaluation *evaluation, bool container, struct values *out)
{
    const struct fhirpath_environment *environment = evaluation->environment;
    const struct fhirpath_node *node = environment->resource;
    if (container && environment->root_resource != NULL) {
        node = environment->root_resource;
    } else if (node == NULL && evaluation->context_count > 0) {
        node = node_resource(&evaluation->context[0].node, container);
    } else if (node != NULL && container) {
        node = node_resource(node, true);
    }
    add_node(evaluation, node, out);
}

static enum status evaluate_variable(struct evaluation *evaluation, const struct step *step,
                                     struct values *out)
{
    for (const struct scope *scope = evaluation->scope; scope != NULL; scope = scope->outer) {
        if (slice_equals(scope->name, step->name)) {
            values_add_all(evaluation, out, scope->values.items, scope->values.count);
            return STATUS_OK;
        }
    }
    const struct fhirpath_environment *environment = evaluation->environment;
    for (size_t i = 0; i < environment->variable_count; i++) {
        const struct fhirpath_variable *variable = &environment->variables[i];
        if (slice_equals(variable->name, step->name)) {
            values_add_all(evaluation, out, variable->values.items, variable->values.count);
            return STATUS_OK;
        }
    }
    return evaluation_fail(evaluation, STATUS_INVALID, step, "This variable is not defined here.");
}

static enum status evaluate_indexer(struct evaluation *evaluation, const struct step *step,
                                    const struct frame *frame, struct values *out)
{
    struct values left = {0}, index = {0};
    struct fhirpath_value system;
    const struct scope *scope;
    TRY(evaluate(evaluation, step->left, frame, &left));
    scope = evaluation->scope;
    TRY(evaluate(evaluation, step->right, frame, &index));
    evaluation->scope = scope;
    if (index.count == 0) {
        return STATUS_OK;
    }
    if (index.count > 1 || !value_system(evaluation, &index.items[0], &system) ||
        system.kind != FHIRPATH_INTEGER) {
        return evaluation_fail(evaluation, STATUS_INVALID, step, "An index is one integer.");
    }
    if (system.integer >= 0 && (uint64_t)system.integer < left.count) {
        values_add_all(evaluation, out, &left.items[system.integer], 1);
    }
    return STATUS_OK;
}

static enum status evaluate_as(struct evaluation *evaluation, const struct step *step,
                               const struct frame *frame, struct values *out)
{
    struct values left = {0};
    const struct fhirpath_value *items = frame->focus;
    size_t count = frame->focus_count;
    if (step->left != NO_STEP) {
        TRY(evaluate(evaluation, step->left, frame, &left));
        items = left.items;
        count = left.count;
    }
    if (count > 1 && !evaluation->expression->lenient) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "`as` takes one item; here are several: use ofType().");
    }
    for (size_t i = 0; i < count; i++) {
        if (type_test_holds(evaluation->definitions, &step->test, &items[i])) {
            values_add_all(evaluation, out, &items[i], 1);
        }
    }
    return STATUS_OK;
}

static enum status evaluate_union(struct evaluation *evaluation, const struct step *step,
                                  const struct frame *frame, struct values *out)
{
    struct values both = {0}, distinct = {0};
    const struct scope *scope = evaluation->scope;
    TRY(evaluate(evaluation, step->left, frame, &both));
    evaluation->scope = scope;
    TRY(evaluate(evaluation, step->right, frame, &both));
    evaluation->scope = scope;
    TRY(values_add_distinct(evaluation, step, &distinct, both.items, both.count));
    values_add_all(evaluation, out, distinct.items, distinct.count);
    return STATUS_OK;
}

static enum status evaluate_call(struct evaluation *evaluation, const struct step *step,
                                 const struct frame *frame, struct values *out)
{
    struct call call;
    struct values room = {0};
    TRY(call_input(evaluation, step, frame, &call, &room));
    return step->function->run(&call, out);
}

enum status evaluate(struct evaluation *evaluation, uint32_t index, const struct frame *frame,
                     struct values *out)
{
    const struct step *step = &evaluation->expression->steps[index];
    enum truth result;
    if (gives_truth(step)) {
        TRY(evaluate_truth(evaluation, index, frame, &result));
        if (result != TRUTH_EMPTY) {
            values_add_boolean(evaluation, out, result == TRUTH_TRUE);
        }
        return STATUS_OK;
    }
    TRY(evaluation_costs(evaluation, step, 1));
    switch (step->operation) {
    case OP_LITERAL:
        values_add_all(evaluation, out, step->literal, 1);
        return STATUS_OK;
    case OP_EMPTY:
        return STATUS_OK;
    case OP_THIS:
        values_add_all(evaluation, out, frame->focus, frame->focus_count);
        return STATUS_OK;
    case OP_INDEX:
        if (frame->index >= 0) {
            values_add_integer(evaluation, out, frame->index);
        }
        return STATUS_OK;
    case OP_TOTAL:
        if (frame->total != NULL) {
            values_add_all(evaluation, out, frame->total->items, frame->total->count);
        }
        return STATUS_OK;
    case OP_CONTEXT:
        values_add_all(evaluation, out, evaluation->context, evaluation->context_count);
        return STATUS_OK;
    case OP_RESOURCE:
    case OP_ROOT_RESOURCE:
        evaluate_resource(evaluation, step->operation == OP_ROOT_RESOURCE, out);
        return STATUS_OK;
    case OP_VARIABLE:
        return evaluate_variable(evaluation, step, out);
    case OP_ROOT:
        evaluate_root(evaluation, step, frame, out);
        return STATUS_OK;
    case OP_MEMBER:
        return evaluate_member(evaluation, step, frame, out);
    case OP_CALL:
        return evaluate_call(evaluation, step, frame, out);
    case OP_INDEXER:
        return evaluate_indexer(evaluation, step, frame, out);
    case OP_AS:
        return evaluate_as(evaluation, step, frame, out);
    case OP_UNION:
        return evaluate_union(evaluation, step, frame, out);
    default:
        return evaluate_arithmetic(evaluation, step, frame, out);
    }
}
