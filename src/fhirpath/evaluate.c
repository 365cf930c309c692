/* SPDX-License-Identifier: MIT */
/* Evaluation: a walk over the steps. What gives a truth is asked as one, without a collection in
 * between (evaluate_truth); everything else appends to a collection. */
#include "fhirpath/fhirpath_int.h"

enum status evaluation_too_long(struct evaluation *evaluation, const struct step *step)
{
    return evaluation_fail(evaluation, STATUS_TOO_COSTLY, step,
                           "The evaluation takes more than %u steps.", evaluation->step_limit);
}

enum status evaluate_operand(struct evaluation *evaluation, uint32_t index,
                             const struct frame *frame, struct values *out)
{
    const struct step *step = &evaluation->steps[index];
    if (step->operation == OP_LITERAL) {
        values_share(evaluation, out, step->literal, step->literal_count);
        return STATUS_OK;
    }
    const struct scope *scope = evaluation->scope;
    TRY(evaluate(evaluation, index, frame, out));
    evaluation->scope = scope;
    return STATUS_OK;
}

static enum status operand_truth(struct evaluation *evaluation, uint32_t index,
                                 const struct frame *frame, enum truth *ret_truth)
{
    const struct scope *scope = evaluation->scope;
    TRY(evaluate_truth(evaluation, index, frame, ret_truth));
    evaluation->scope = scope;
    return STATUS_OK;
}

/* What stands to the left of a step in its path: the focus where nothing does. */
static enum status evaluate_input(struct evaluation *evaluation, const struct step *step,
                                  const struct frame *frame, struct values *ret_input)
{
    if (step->left == NO_STEP) {
        *ret_input = (struct values){frame->focus, (uint32_t)frame->focus_count, 0};
        return STATUS_OK;
    }
    *ret_input = (struct values){0};
    return evaluate(evaluation, step->left, frame, ret_input);
}

enum status truth_of(struct evaluation *evaluation, const struct step *step,
                     const struct fhirpath_value *items, size_t count, enum truth *ret_truth)
{
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
    struct fhirpath_value room;
    const struct fhirpath_value *system;
    if (!boolean) {
        *ret_truth = TRUTH_TRUE;
    } else if ((system = as_system(&items[0], evaluation->arena, &room)) != NULL) {
        *ret_truth = truth(system->boolean);
    }
    return STATUS_OK;
}

/* ---- logic ------------------------------------------------------------------------------------
 */

static enum status test_and(struct evaluation *evaluation, const struct step *step,
                            const struct frame *frame, enum truth *ret_truth)
{
    enum truth right;
    TRY(operand_truth(evaluation, step->left, frame, ret_truth));
    if (*ret_truth == TRUTH_FALSE) {
        return STATUS_OK;
    }
    TRY(operand_truth(evaluation, step->right, frame, &right));
    *ret_truth = right == TRUTH_FALSE        ? TRUTH_FALSE
                 : *ret_truth == TRUTH_EMPTY ? TRUTH_EMPTY
                                             : right;
    return STATUS_OK;
}

/* `or`; of `implies` the left side counts as its opposite. */
static enum status test_or(struct evaluation *evaluation, const struct step *step,
                           const struct frame *frame, enum truth *ret_truth)
{
    enum truth left, right;
    TRY(operand_truth(evaluation, step->left, frame, &left));
    if (step->operation == OP_IMPLIES && left != TRUTH_EMPTY) {
        left = truth(left == TRUTH_FALSE);
    }
    *ret_truth = left;
    if (left == TRUTH_TRUE) {
        return STATUS_OK;
    }
    TRY(operand_truth(evaluation, step->right, frame, &right));
    *ret_truth = right == TRUTH_TRUE ? TRUTH_TRUE : left == TRUTH_EMPTY ? TRUTH_EMPTY : right;
    return STATUS_OK;
}

static enum status test_xor(struct evaluation *evaluation, const struct step *step,
                            const struct frame *frame, enum truth *ret_truth)
{
    enum truth left, right;
    TRY(operand_truth(evaluation, step->left, frame, &left));
    TRY(operand_truth(evaluation, step->right, frame, &right));
    *ret_truth = left == TRUTH_EMPTY || right == TRUTH_EMPTY ? TRUTH_EMPTY : truth(left != right);
    return STATUS_OK;
}

static enum status test_is(struct evaluation *evaluation, const struct step *step,
                           const struct frame *frame, enum truth *ret_truth)
{
    struct values left;
    const struct scope *scope = evaluation->scope;
    TRY(evaluate_input(evaluation, step, frame, &left));
    evaluation->scope = scope;
    if (left.count > 1) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "`is` asks one item; here are several: use ofType().");
    }
    *ret_truth = left.count == 0
                     ? TRUTH_EMPTY
                     : truth(type_test_holds(evaluation->definitions, &step->test, left.items));
    return STATUS_OK;
}

/* ---- calls ------------------------------------------------------------------------------------
 */

/* The input of a function: the focus, or what stands to its left. */
static enum status call_begin(struct evaluation *evaluation, const struct step *step,
                              const struct frame *frame, struct call *ret_call)
{
    struct values input;
    TRY(evaluate_input(evaluation, step, frame, &input));
    *ret_call = (struct call){evaluation, step, frame, input.items, input.count};
    return STATUS_OK;
}

/* Variables that the input or the function defined are there for what follows in the path. */
static enum status test_call(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, enum truth *ret_truth)
{
    struct call call;
    struct values out = {0};
    TRY(call_begin(evaluation, step, frame, &call));
    if (step->function->test != NULL) {
        return step->function->test(&call, ret_truth);
    }
    TRY(step->function->run(&call, &out));
    return truth_of(evaluation, step, out.items, out.count, ret_truth);
}

static enum status run_call(struct evaluation *evaluation, const struct step *step,
                            const struct frame *frame, struct values *out)
{
    struct call call;
    enum truth truth;
    TRY(call_begin(evaluation, step, frame, &call));
    if (step->function->run != NULL) {
        return step->function->run(&call, out);
    }
    TRY(step->function->test(&call, &truth));
    if (truth != TRUTH_EMPTY) {
        values_add_boolean(evaluation, out, truth == TRUTH_TRUE);
    }
    return STATUS_OK;
}

/* ---- terms and paths --------------------------------------------------------------------------
 */

static enum status run_literal(struct evaluation *evaluation, const struct step *step,
                               const struct frame *frame, struct values *out)
{
    (void)frame;
    values_share(evaluation, out, step->literal, step->literal_count);
    return STATUS_OK;
}

static enum status run_empty(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, struct values *out)
{
    (void)evaluation, (void)step, (void)frame, (void)out;
    return STATUS_OK;
}

static enum status run_this(struct evaluation *evaluation, const struct step *step,
                            const struct frame *frame, struct values *out)
{
    (void)step;
    values_share(evaluation, out, frame->focus, frame->focus_count);
    return STATUS_OK;
}

static enum status run_index(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, struct values *out)
{
    (void)step;
    if (frame->index >= 0) {
        values_add_integer(evaluation, out, frame->index);
    }
    return STATUS_OK;
}

static enum status run_total(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, struct values *out)
{
    (void)step;
    if (frame->total != NULL) {
        values_share(evaluation, out, frame->total->items, frame->total->count);
    }
    return STATUS_OK;
}

static enum status run_context(struct evaluation *evaluation, const struct step *step,
                               const struct frame *frame, struct values *out)
{
    (void)step, (void)frame;
    values_share(evaluation, out, evaluation->context, evaluation->context_count);
    return STATUS_OK;
}

/* %resource and %rootResource. */
static enum status run_resource(struct evaluation *evaluation, const struct step *step,
                                const struct frame *frame, struct values *out)
{
    const struct fhirpath_environment *environment = evaluation->environment;
    const struct fhirpath_node *node = environment->resource;
    bool container = step->operation == OP_ROOT_RESOURCE;
    (void)frame;
    if (container && environment->root_resource != NULL) {
        node = environment->root_resource;
    } else if (node == NULL && evaluation->context_count > 0) {
        node = node_resource(&evaluation->context[0].node, container);
    } else if (node != NULL && container) {
        node = node_resource(node, true);
    }
    struct fhirpath_value *value = node != NULL ? values_add(evaluation, out) : NULL;
    if (value != NULL) {
        value->kind = FHIRPATH_NODE;
        value->node = *node;
    }
    return STATUS_OK;
}

static enum status run_variable(struct evaluation *evaluation, const struct step *step,
                                const struct frame *frame, struct values *out)
{
    (void)frame;
    for (const struct scope *scope = evaluation->scope; scope != NULL; scope = scope->outer) {
        if (slice_equals(scope->name, step->name)) {
            values_share(evaluation, out, scope->values.items, scope->values.count);
            return STATUS_OK;
        }
    }
    const struct fhirpath_environment *environment = evaluation->environment;
    for (size_t i = 0; i < environment->variable_count; i++) {
        const struct fhirpath_variable *variable = &environment->variables[i];
        if (slice_equals(variable->name, step->name)) {
            values_share(evaluation, out, variable->values.items, variable->values.count);
            return STATUS_OK;
        }
    }
    return evaluation_fail(evaluation, STATUS_INVALID, step, "This variable is not defined here.");
}

static enum status run_root(struct evaluation *evaluation, const struct step *step,
                            const struct frame *frame, struct values *out)
{
    for (size_t i = 0; i < frame->focus_count; i++) {
        const struct fhirpath_value *item = &frame->focus[i];
        if (item->kind == FHIRPATH_NODE &&
            type_derives(evaluation->tables, item->node.type, step->type)) {
            values_share(evaluation, out, item, 1);
        }
    }
    return STATUS_OK;
}

static enum status run_member(struct evaluation *evaluation, const struct step *step,
                              const struct frame *frame, struct values *out)
{
    struct values input;
    TRY(evaluate_input(evaluation, step, frame, &input));
    return navigate(evaluation, step, input.items, input.count, out);
}

static enum status run_indexer(struct evaluation *evaluation, const struct step *step,
                               const struct frame *frame, struct values *out)
{
    struct values left = {0}, index = {0};
    struct fhirpath_value room;
    TRY(evaluate(evaluation, step->left, frame, &left));
    TRY(evaluate_operand(evaluation, step->right, frame, &index));
    if (index.count == 0) {
        return STATUS_OK;
    }
    const struct fhirpath_value *system = as_system(index.items, evaluation->arena, &room);
    if (index.count > 1 || system == NULL || system->kind != FHIRPATH_INTEGER) {
        return evaluation_fail(evaluation, STATUS_INVALID, step, "An index is one integer.");
    }
    if (system->integer >= 0 && (uint64_t)system->integer < left.count) {
        values_share(evaluation, out, &left.items[system->integer], 1);
    }
    return STATUS_OK;
}

static enum status run_as(struct evaluation *evaluation, const struct step *step,
                          const struct frame *frame, struct values *out)
{
    struct values left;
    TRY(evaluate_input(evaluation, step, frame, &left));
    if (left.count > 1 && !evaluation->expression->lenient) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "`as` takes one item; here are several: use ofType().");
    }
    for (size_t i = 0; i < left.count; i++) {
        if (type_test_holds(evaluation->definitions, &step->test, &left.items[i])) {
            values_share(evaluation, out, &left.items[i], 1);
        }
    }
    return STATUS_OK;
}

static enum status run_union(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, struct values *out)
{
    struct values both = {0}, distinct;
    TRY(evaluate_operand(evaluation, step->left, frame, &both));
    /* Of a | b | c the items of a | b need not be compared again. */
    bool chain = evaluation->steps[step->left].operation == OP_UNION;
    size_t known = chain ? both.count : 0;
    TRY(evaluate_operand(evaluation, step->right, frame, &both));
    TRY(values_distinct(evaluation, step, both.items, both.count, known, &distinct));
    values_share(evaluation, out, distinct.items, distinct.count);
    return STATUS_OK;
}

/* ---- every operation --------------------------------------------------------------------------
 */

static enum status run_truth(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, struct values *out);

/* How an operation gives its values and, where it gives a truth, that. */
struct operation_row {
    enum status (*run)(struct evaluation *evaluation, const struct step *step,
                       const struct frame *frame, struct values *out);
    enum status (*test)(struct evaluation *evaluation, const struct step *step,
                        const struct frame *frame, enum truth *ret_truth);
};

static const struct operation_row operations[] = {
    [OP_LITERAL] = {run_literal, NULL},
    [OP_EMPTY] = {run_empty, NULL},
    [OP_THIS] = {run_this, NULL},
    [OP_INDEX] = {run_index, NULL},
    [OP_TOTAL] = {run_total, NULL},
    [OP_CONTEXT] = {run_context, NULL},
    [OP_RESOURCE] = {run_resource, NULL},
    [OP_ROOT_RESOURCE] = {run_resource, NULL},
    [OP_VARIABLE] = {run_variable, NULL},
    [OP_ROOT] = {run_root, NULL},
    [OP_MEMBER] = {run_member, NULL},
    [OP_CALL] = {run_call, test_call},
    [OP_INDEXER] = {run_indexer, NULL},
    [OP_PLUS] = {evaluate_sign, NULL},
    [OP_MINUS] = {evaluate_sign, NULL},
    [OP_MULTIPLY] = {evaluate_arithmetic, NULL},
    [OP_DIVIDE] = {evaluate_arithmetic, NULL},
    [OP_DIV] = {evaluate_arithmetic, NULL},
    [OP_MOD] = {evaluate_arithmetic, NULL},
    [OP_ADD] = {evaluate_arithmetic, NULL},
    [OP_SUBTRACT] = {evaluate_arithmetic, NULL},
    [OP_CONCATENATE] = {evaluate_arithmetic, NULL},
    [OP_IS] = {run_truth, test_is},
    [OP_AS] = {run_as, NULL},
    [OP_UNION] = {run_union, NULL},
    [OP_LESS] = {run_truth, evaluate_order},
    [OP_LESS_EQUAL] = {run_truth, evaluate_order},
    [OP_GREATER] = {run_truth, evaluate_order},
    [OP_GREATER_EQUAL] = {run_truth, evaluate_order},
    [OP_EQUAL] = {run_truth, evaluate_equality},
    [OP_NOT_EQUAL] = {run_truth, evaluate_equality},
    [OP_EQUIVALENT] = {run_truth, evaluate_equivalence},
    [OP_NOT_EQUIVALENT] = {run_truth, evaluate_equivalence},
    [OP_IN] = {run_truth, evaluate_membership},
    [OP_CONTAINS] = {run_truth, evaluate_membership},
    [OP_AND] = {run_truth, test_and},
    [OP_OR] = {run_truth, test_or},
    [OP_XOR] = {run_truth, test_xor},
    [OP_IMPLIES] = {run_truth, test_or},
};

static enum status run_truth(struct evaluation *evaluation, const struct step *step,
                             const struct frame *frame, struct values *out)
{
    enum truth truth;
    TRY(operations[step->operation].test(evaluation, step, frame, &truth));
    if (truth != TRUTH_EMPTY) {
        values_add_boolean(evaluation, out, truth == TRUTH_TRUE);
    }
    return STATUS_OK;
}

enum status evaluate(struct evaluation *evaluation, uint32_t index, const struct frame *frame,
                     struct values *out)
{
    const struct step *step = &evaluation->steps[index];
    TRY(evaluation_costs(evaluation, step, 1));
    return operations[step->operation].run(evaluation, step, frame, out);
}

enum status evaluate_truth(struct evaluation *evaluation, uint32_t index, const struct frame *frame,
                           enum truth *ret_truth)
{
    const struct step *step = &evaluation->steps[index];
    struct values values = {0};
    TRY(evaluation_costs(evaluation, step, 1));
    if (operations[step->operation].test != NULL) {
        return operations[step->operation].test(evaluation, step, frame, ret_truth);
    }
    TRY(operations[step->operation].run(evaluation, step, frame, &values));
    return truth_of(evaluation, step, values.items, values.count, ret_truth);
}
