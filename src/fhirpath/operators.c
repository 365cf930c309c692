/* SPDX-License-Identifier: MIT */
/* Operators of two operands: equality, order, membership, arithmetic (FHIRPath N1, section 6). */
#include "fhirpath/fhirpath_int.h"

/* Both operands, each with the variables that were there before. */
static enum status evaluate_operands(struct evaluation *evaluation, const struct step *step,
                                     const struct frame *frame, struct values *ret_left,
                                     struct values *ret_right)
{
    *ret_left = (struct values){0};
    *ret_right = (struct values){0};
    TRY(evaluate_operand(evaluation, step->left, frame, ret_left));
    return evaluate_operand(evaluation, step->right, frame, ret_right);
}

static enum status expect_single(struct evaluation *evaluation, const struct step *step,
                                 const struct values *values)
{
    return values->count <= 1
               ? STATUS_OK
               : evaluation_fail(evaluation, STATUS_INVALID, step,
                                 "An operand of this operator is one item; here are several.");
}

/* ---- equality and order -----------------------------------------------------------------------
 */

static enum truth collections_equal(struct evaluation *evaluation, const struct values *a,
                                    const struct values *b)
{
    if (a->count == 0 || b->count == 0) {
        return TRUTH_EMPTY;
    }
    enum truth equal = truth(a->count == b->count);
    for (size_t i = 0; i < a->count && equal != TRUTH_FALSE; i++) {
        enum truth same = values_equal(evaluation->arena, &a->items[i], &b->items[i]);
        equal = same == TRUTH_TRUE ? equal : same;
    }
    return equal;
}

enum status evaluate_equality(struct evaluation *evaluation, const struct step *step,
                              const struct frame *frame, enum truth *ret_truth)
{
    struct values left, right;
    TRY(evaluate_operands(evaluation, step, frame, &left, &right));
    TRY(evaluation_costs(evaluation, step, left.count));
    *ret_truth = collections_equal(evaluation, &left, &right);
    if (step->operation == OP_NOT_EQUAL && *ret_truth != TRUTH_EMPTY) {
        *ret_truth = truth(*ret_truth == TRUTH_FALSE);
    }
    return STATUS_OK;
}

/* In any order, each item of B once. */
static enum status collections_equivalent(struct evaluation *evaluation, const struct values *a,
                                          const struct values *b, bool *ret_same)
{
    *ret_same = a->count == b->count;
    if (!*ret_same || a->count == 0) {
        return STATUS_OK;
    }
    if (a->count == 1) {
        *ret_same = values_equivalent(evaluation->arena, a->items, b->items);
        return STATUS_OK;
    }
    bool *taken = arena_array(evaluation->arena, b->count, sizeof *taken);
    if (taken == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < a->count && *ret_same; i++) {
        size_t j = 0;
        while (j < b->count &&
               (taken[j] || !values_equivalent(evaluation->arena, &a->items[i], &b->items[j]))) {
            j++;
        }
        *ret_same = j < b->count;
        if (*ret_same) {
            taken[j] = true;
        }
    }
    return STATUS_OK;
}

enum status evaluate_equivalence(struct evaluation *evaluation, const struct step *step,
                                 const struct frame *frame, enum truth *ret_truth)
{
    struct values left, right;
    bool same;
    TRY(evaluate_operands(evaluation, step, frame, &left, &right));
    TRY(evaluation_costs(evaluation, step, (size_t)left.count * right.count));
    TRY(collections_equivalent(evaluation, &left, &right, &same));
    *ret_truth = truth(same == (step->operation == OP_EQUIVALENT));
    return STATUS_OK;
}

enum status evaluate_order(struct evaluation *evaluation, const struct step *step,
                           const struct frame *frame, enum truth *ret_truth)
{
    struct values left, right;
    TRY(evaluate_operands(evaluation, step, frame, &left, &right));
    TRY(expect_single(evaluation, step, &left));
    TRY(expect_single(evaluation, step, &right));
    *ret_truth = TRUTH_EMPTY;
    if (left.count == 0 || right.count == 0) {
        return STATUS_OK;
    }
    enum order order = values_order(evaluation->arena, left.items, right.items);
    if (order == ORDER_WRONG) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "Values of these types have no order between them.");
    }
    if (order == ORDER_UNKNOWN) {
        return STATUS_OK;
    }
    *ret_truth = truth(step->operation == OP_LESS            ? order == ORDER_LESS
                       : step->operation == OP_LESS_EQUAL    ? order != ORDER_GREATER
                       : step->operation == OP_GREATER_EQUAL ? order != ORDER_LESS
                                                             : order == ORDER_GREATER);
    return STATUS_OK;
}

/* The element stands to the left of `in`, to the right of `contains`. */
enum status evaluate_membership(struct evaluation *evaluation, const struct step *step,
                                const struct frame *frame, enum truth *ret_truth)
{
    struct values left, right;
    bool has, in = step->operation == OP_IN;
    TRY(evaluate_operands(evaluation, step, frame, &left, &right));
    const struct values *element = in ? &left : &right, *collection = in ? &right : &left;
    TRY(expect_single(evaluation, step, element));
    *ret_truth = TRUTH_EMPTY;
    if (element->count == 0) {
        return STATUS_OK;
    }
    TRY(values_have(evaluation, step, collection->items, collection->count, element->items, &has));
    *ret_truth = truth(has);
    return STATUS_OK;
}

/* ---- arithmetic -------------------------------------------------------------------------------
 */

#define INTEGER_LEAST INT32_MIN /* N1 "Integer": 32 bits */
#define INTEGER_MOST  INT32_MAX
#define DIVIDE_DIGITS 28 /* N1 "Decimal" */

static struct decimal decimal_of(const struct fhirpath_value *number)
{
    return number->kind == FHIRPATH_INTEGER ? decimal_from_integer(number->integer)
                                            : number->decimal;
}

/* Overflow is empty (section 6.6). */
static void add_integer(struct evaluation *evaluation, struct values *out, int64_t integer)
{
    if (integer >= INTEGER_LEAST && integer <= INTEGER_MOST) {
        values_add_integer(evaluation, out, integer);
    }
}

static enum status wrong_types(struct evaluation *evaluation, const struct step *step)
{
    return evaluation_fail(evaluation, STATUS_INVALID, step,
                           "This operator does not take operands of these types.");
}

static void integer_arithmetic(struct evaluation *evaluation, const struct step *step, int64_t a,
                               int64_t b, struct values *out)
{
    int64_t result = 0;
    bool overflow = false;
    switch (step->operation) {
    case OP_MULTIPLY:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
    case OP_ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
    case OP_SUBTRACT:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
    default:
        if (b == 0 || (b == -1 && a == INT64_MIN)) {
            return;
        }
        result = step->operation == OP_DIV ? a / b : a % b;
        break;
    }
    if (!overflow) {
        add_integer(evaluation, out, result);
    }
}

static void decimal_arithmetic(struct evaluation *evaluation, const struct step *step,
                               struct decimal a, struct decimal b, struct values *out)
{
    struct decimal result, rest;
    int64_t whole;
    bool fits;
    switch (step->operation) {
    case OP_MULTIPLY:
        fits = decimal_multiply(a, b, &result);
        break;
    case OP_DIVIDE:
        fits = decimal_divide(a, b, DIVIDE_DIGITS, DECIMAL_HALF_EVEN, &result);
        break;
    case OP_ADD:
        fits = decimal_add(a, b, &result);
        break;
    case OP_SUBTRACT:
        fits = decimal_subtract(a, b, &result);
        break;
    case OP_DIV:
        if (decimal_divide_whole(a, b, &result, &rest) && decimal_to_integer(result, &whole)) {
            add_integer(evaluation, out, whole);
        }
        return;
    default:
        fits = decimal_divide_whole(a, b, &rest, &result);
        break;
    }
    if (fits) {
        values_add_decimal(evaluation, out, result);
    }
}

static enum status quantity_arithmetic(struct evaluation *evaluation, const struct step *step,
                                       const struct fhirpath_quantity *a,
                                       const struct fhirpath_quantity *b, struct values *out)
{
    struct fhirpath_quantity *result = arena_alloc(evaluation->arena, sizeof *result);
    bool fits;
    if (result == NULL) {
        return STATUS_TOO_COSTLY;
    }
    switch (step->operation) {
    case OP_MULTIPLY:
    case OP_DIVIDE:
        fits = quantity_multiply(a, b, step->operation == OP_DIVIDE, evaluation->arena, result);
        break;
    case OP_ADD:
    case OP_SUBTRACT:
        fits = quantity_add(a, b, step->operation == OP_SUBTRACT, result);
        break;
    default:
        return wrong_types(evaluation, step);
    }
    struct fhirpath_value *value = fits ? values_add(evaluation, out) : NULL;
    if (value != NULL) {
        value->kind = FHIRPATH_QUANTITY;
        value->quantity = result;
    }
    return STATUS_OK;
}

static enum status date_arithmetic(struct evaluation *evaluation, const struct step *step,
                                   const struct fhirpath_value *date,
                                   const struct fhirpath_quantity *quantity, struct values *out)
{
    struct fhirpath_value result;
    bool fits;
    if ((step->operation != OP_ADD && step->operation != OP_SUBTRACT)) {
        return wrong_types(evaluation, step);
    }
    if (!date_shift(date, quantity, step->operation == OP_SUBTRACT, &result, &fits)) {
        return evaluation_fail(evaluation, STATUS_INVALID, step,
                               "A date is moved by years, months, weeks, days, hours, minutes, "
                               "seconds or milliseconds; a time by hours and less.");
    }
    if (fits) {
        values_add_all(evaluation, out, &result, 1);
    }
    return STATUS_OK;
}

static bool is_number(const struct fhirpath_value *value)
{
    return value->kind == FHIRPATH_INTEGER || value->kind == FHIRPATH_DECIMAL;
}

static enum status calculate(struct evaluation *evaluation, const struct step *step,
                             const struct fhirpath_value *a, const struct fhirpath_value *b,
                             struct values *out)
{
    if (a->kind == FHIRPATH_INTEGER && b->kind == FHIRPATH_INTEGER &&
        step->operation != OP_DIVIDE) {
        integer_arithmetic(evaluation, step, a->integer, b->integer, out);
        return STATUS_OK;
    }
    if (is_number(a) && is_number(b)) {
        decimal_arithmetic(evaluation, step, decimal_of(a), decimal_of(b), out);
        return STATUS_OK;
    }
    bool quantity_a = a->kind == FHIRPATH_QUANTITY, quantity_b = b->kind == FHIRPATH_QUANTITY;
    if ((quantity_a || quantity_b) && (quantity_a || is_number(a)) &&
        (quantity_b || is_number(b))) {
        struct fhirpath_quantity left = {.unit = SLICE("1")}, right = {.unit = SLICE("1")};
        left = quantity_a ? *a->quantity : left;
        right = quantity_b ? *b->quantity : right;
        left.value = quantity_a ? left.value : decimal_of(a);
        right.value = quantity_b ? right.value : decimal_of(b);
        return quantity_arithmetic(evaluation, step, &left, &right, out);
    }
    bool date =
        a->kind == FHIRPATH_DATE || a->kind == FHIRPATH_DATETIME || a->kind == FHIRPATH_TIME;
    if (date && quantity_b) {
        return date_arithmetic(evaluation, step, a, b->quantity, out);
    }
    return wrong_types(evaluation, step);
}

static enum status join(struct evaluation *evaluation, struct slice a, struct slice b,
                        struct values *out)
{
    struct buffer text = {.arena = evaluation->arena};
    buffer_add(&text, a);
    buffer_add(&text, b);
    values_add_string(evaluation, out, buffer_slice(&text));
    return buffer_ok(&text) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* The one System value of an operand, perhaps made in ROOM; NULL: it is empty. */
static enum status operand(struct evaluation *evaluation, const struct step *step,
                           const struct values *values, struct fhirpath_value *room,
                           const struct fhirpath_value **ret_value)
{
    TRY(expect_single(evaluation, step, values));
    *ret_value = values->count == 1 ? as_system(values->items, evaluation->arena, room) : NULL;
    if (values->count == 1 && *ret_value == NULL && values->items[0].node.value != NULL) {
        return wrong_types(evaluation, step);
    }
    return STATUS_OK;
}

static enum status concatenate(struct evaluation *evaluation, const struct step *step,
                               const struct fhirpath_value *a, const struct fhirpath_value *b,
                               struct values *out)
{
    if ((a != NULL && a->kind != FHIRPATH_STRING) || (b != NULL && b->kind != FHIRPATH_STRING)) {
        return wrong_types(evaluation, step);
    }
    return join(evaluation, a != NULL ? a->string : slice_text(""),
                b != NULL ? b->string : slice_text(""), out);
}

static enum status negate(struct evaluation *evaluation, const struct step *step,
                          const struct fhirpath_value *value, struct values *out)
{
    if (value->kind == FHIRPATH_QUANTITY) {
        struct fhirpath_quantity *negated = arena_alloc(evaluation->arena, sizeof *negated);
        if (negated == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *negated = *value->quantity;
        negated->value = decimal_negate(negated->value);
        const struct fhirpath_value result = {.kind = FHIRPATH_QUANTITY, .quantity = negated};
        values_add_all(evaluation, out, &result, 1);
    } else if (value->kind == FHIRPATH_DECIMAL) {
        values_add_decimal(evaluation, out, decimal_negate(value->decimal));
    } else if (value->kind == FHIRPATH_INTEGER) {
        add_integer(evaluation, out, value->integer > INT64_MIN ? -value->integer : INT64_MAX);
    } else {
        return wrong_types(evaluation, step);
    }
    return STATUS_OK;
}

enum status evaluate_sign(struct evaluation *evaluation, const struct step *step,
                          const struct frame *frame, struct values *out)
{
    struct values values = {0};
    struct fhirpath_value room;
    const struct fhirpath_value *value;
    TRY(evaluate(evaluation, step->left, frame, &values));
    TRY(operand(evaluation, step, &values, &room, &value));
    if (value == NULL) {
        return STATUS_OK;
    }
    if (step->operation == OP_MINUS) {
        return negate(evaluation, step, value, out);
    }
    if (!is_number(value) && value->kind != FHIRPATH_QUANTITY) {
        return wrong_types(evaluation, step);
    }
    values_add_all(evaluation, out, value, 1);
    return STATUS_OK;
}

enum status evaluate_arithmetic(struct evaluation *evaluation, const struct step *step,
                                const struct frame *frame, struct values *out)
{
    struct values left, right;
    struct fhirpath_value room_a, room_b;
    const struct fhirpath_value *a, *b;
    TRY(evaluate_operands(evaluation, step, frame, &left, &right));
    TRY(operand(evaluation, step, &left, &room_a, &a));
    TRY(operand(evaluation, step, &right, &room_b, &b));
    if (step->operation == OP_CONCATENATE) {
        return concatenate(evaluation, step, a, b, out);
    }
    if (a == NULL || b == NULL) {
        return STATUS_OK;
    }
    if (a->kind == FHIRPATH_STRING && b->kind == FHIRPATH_STRING && step->operation == OP_ADD) {
        return join(evaluation, a->string, b->string, out);
    }
    return calculate(evaluation, step, a, b, out);
}
