/* SPDX-License-Identifier: MIT */
/* Mathematics (FHIRPath N1, section 5.7). What has an exact answer is computed exactly; roots,
 * logarithms and the like are doubles of 15 digits. */
#include <math.h>

#include "fhirpath/fhirpath_int.h"

#define DOUBLE_DIGITS 15

/* The input as a number; *RET_HAS false: empty. */
static enum status call_number(struct call *call, struct fhirpath_value *ret_value, bool *ret_has)
{
    TRY(call_single(call, ret_value, ret_has));
    if (*ret_has ? ret_value->kind == FHIRPATH_INTEGER || ret_value->kind == FHIRPATH_DECIMAL ||
                       ret_value->kind == FHIRPATH_QUANTITY
                 : call->count == 0 || call->input[0].node.value == NULL) {
        return STATUS_OK;
    }
    return call_fail(call, STATUS_INVALID, "The function %s is asked of a number.",
                     call->step->function->name);
}

static enum status call_plain_number(struct call *call, struct decimal *ret_value, bool *ret_has)
{
    struct fhirpath_value value;
    TRY(call_number(call, &value, ret_has));
    if (!*ret_has) {
        return STATUS_OK;
    }
    if (value.kind == FHIRPATH_QUANTITY) {
        return call_fail(call, STATUS_INVALID, "The function %s is asked of a number.",
                         call->step->function->name);
    }
    *ret_value =
        value.kind == FHIRPATH_INTEGER ? decimal_from_integer(value.integer) : value.decimal;
    return STATUS_OK;
}

/* What is no number (the root of -1) is empty. */
static void add_double(struct call *call, double number, struct values *out)
{
    struct decimal decimal;
    if (isfinite(number) && decimal_from_double(number, DOUBLE_DIGITS, &decimal)) {
        values_add_decimal(call->evaluation, out, decimal_normalise(decimal));
    }
}

enum status function_abs(struct call *call, struct values *out)
{
    struct fhirpath_value value;
    bool has;
    TRY(call_number(call, &value, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (value.kind == FHIRPATH_INTEGER) {
        value.integer = value.integer < 0 ? -value.integer : value.integer;
    } else if (value.kind == FHIRPATH_DECIMAL) {
        value.decimal =
            decimal_sign(value.decimal) < 0 ? decimal_negate(value.decimal) : value.decimal;
    } else {
        struct fhirpath_quantity *quantity = arena_alloc(call->evaluation->arena, sizeof *quantity);
        if (quantity == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *quantity = *value.quantity;
        if (decimal_sign(quantity->value) < 0) {
            quantity->value = decimal_negate(quantity->value);
        }
        value.quantity = quantity;
    }
    values_add_all(call->evaluation, out, &value, 1);
    return STATUS_OK;
}

static enum status to_whole(struct call *call, enum decimal_rounding rounding, struct values *out)
{
    struct decimal number;
    int64_t integer;
    bool has;
    TRY(call_plain_number(call, &number, &has));
    if (has && decimal_round(number, 0, rounding, &number) &&
        decimal_to_integer(number, &integer) && integer >= INT32_MIN && integer <= INT32_MAX) {
        values_add_integer(call->evaluation, out, integer);
    }
    return STATUS_OK;
}

enum status function_ceiling(struct call *call, struct values *out)
{
    return to_whole(call, DECIMAL_CEILING, out);
}

enum status function_floor(struct call *call, struct values *out)
{
    return to_whole(call, DECIMAL_FLOOR, out);
}

enum status function_truncate(struct call *call, struct values *out)
{
    return to_whole(call, DECIMAL_TRUNCATE, out);
}

enum status function_round(struct call *call, struct values *out)
{
    struct decimal number;
    int64_t digits;
    bool has, said;
    TRY(call_plain_number(call, &number, &has));
    TRY(call_integer(call, 0, &digits, &said));
    if (digits < 0 || digits > DECIMAL_DIGITS) {
        return call_fail(call, STATUS_INVALID, "round() keeps 0 to %d digits.", DECIMAL_DIGITS);
    }
    if (has && decimal_round(number, (int32_t)digits, DECIMAL_HALF_UP, &number)) {
        values_add_decimal(call->evaluation, out, number);
    }
    return STATUS_OK;
}

enum status function_exp(struct call *call, struct values *out)
{
    struct decimal number;
    bool has;
    TRY(call_plain_number(call, &number, &has));
    if (has) {
        add_double(call, exp(decimal_double(number)), out);
    }
    return STATUS_OK;
}

enum status function_ln(struct call *call, struct values *out)
{
    struct decimal number;
    bool has;
    TRY(call_plain_number(call, &number, &has));
    if (has && decimal_sign(number) > 0) {
        add_double(call, log(decimal_double(number)), out);
    }
    return STATUS_OK;
}

enum status function_log(struct call *call, struct values *out)
{
    struct decimal number;
    struct fhirpath_value base;
    bool has, has_base;
    TRY(call_plain_number(call, &number, &has));
    TRY(call_system(call, 0, FHIRPATH_DECIMAL, &base, &has_base));
    if (has && has_base && decimal_sign(number) > 0 && decimal_sign(base.decimal) > 0) {
        add_double(call, log(decimal_double(number)) / log(decimal_double(base.decimal)), out);
    }
    return STATUS_OK;
}

enum status function_sqrt(struct call *call, struct values *out)
{
    struct decimal number;
    bool has;
    TRY(call_plain_number(call, &number, &has));
    if (has && decimal_sign(number) >= 0) {
        add_double(call, sqrt(decimal_double(number)), out);
    }
    return STATUS_OK;
}

/* Exact for whole exponents; of two integers an integer, where it is one. */
enum status function_power(struct call *call, struct values *out)
{
    struct fhirpath_value value, exponent;
    struct decimal number, power;
    int64_t whole, integer;
    bool has, has_exponent;
    TRY(call_plain_number(call, &number, &has));
    TRY(call_single(call, &value, &has));
    TRY(call_system(call, 0, FHIRPATH_DECIMAL, &exponent, &has_exponent));
    if (!has || !has_exponent) {
        return STATUS_OK;
    }
    if (!decimal_to_integer(exponent.decimal, &whole) || whole > 1000 || whole < -1000) {
        add_double(call, pow(decimal_double(number), decimal_double(exponent.decimal)), out);
        return STATUS_OK;
    }
    if (!decimal_power(number, (int)whole, &power)) {
        return STATUS_OK;
    }
    if (value.kind == FHIRPATH_INTEGER && exponent.decimal.scale == 0 && whole >= 0) {
        if (decimal_to_integer(power, &integer) && integer >= INT32_MIN && integer <= INT32_MAX) {
            values_add_integer(call->evaluation, out, integer);
        }
        return STATUS_OK;
    }
    values_add_decimal(call->evaluation, out, power);
    return STATUS_OK;
}

/* ---- sums over a collection (FHIRPath 2, "Aggregates") -----------------------------------------
 */

static enum status fold(struct call *call, bool highest, bool lowest, struct values *out)
{
    struct fhirpath_value best;
    for (size_t i = 0; i < call->count; i++) {
        struct fhirpath_value value;
        if (!value_system(call->evaluation, &call->input[i], &value)) {
            return call_fail(call, STATUS_INVALID, "The function %s is asked of plain values.",
                             call->step->function->name);
        }
        enum order order =
            i == 0 ? ORDER_SAME : values_order(call->evaluation->arena, &value, &best);
        if (order == ORDER_WRONG) {
            return call_fail(call, STATUS_INVALID, "Values of these types have no order.");
        }
        if (i == 0 || (highest && order == ORDER_GREATER) || (lowest && order == ORDER_LESS)) {
            best = value;
        }
    }
    values_add_all(call->evaluation, out, &best, call->count > 0 ? 1 : 0);
    return STATUS_OK;
}

enum status function_min(struct call *call, struct values *out)
{
    return fold(call, false, true, out);
}

enum status function_max(struct call *call, struct values *out)
{
    return fold(call, true, false, out);
}

static enum status add_up(struct call *call, struct decimal *ret_sum, bool *ret_integers)
{
    *ret_sum = decimal_from_integer(0);
    *ret_integers = true;
    for (size_t i = 0; i < call->count; i++) {
        struct fhirpath_value value;
        bool number = value_system(call->evaluation, &call->input[i], &value) &&
                      (value.kind == FHIRPATH_INTEGER || value.kind == FHIRPATH_DECIMAL);
        if (!number ||
            !decimal_add(*ret_sum,
                         value.kind == FHIRPATH_INTEGER ? decimal_from_integer(value.integer)
                                                        : value.decimal,
                         ret_sum)) {
            return call_fail(call, STATUS_INVALID, "The function %s is asked of numbers.",
                             call->step->function->name);
        }
        *ret_integers = *ret_integers && value.kind == FHIRPATH_INTEGER;
    }
    return STATUS_OK;
}

enum status function_sum(struct call *call, struct values *out)
{
    struct decimal sum;
    int64_t integer;
    bool integers;
    TRY(add_up(call, &sum, &integers));
    if (integers && decimal_to_integer(sum, &integer)) {
        values_add_integer(call->evaluation, out, integer);
    } else {
        values_add_decimal(call->evaluation, out, sum);
    }
    return STATUS_OK;
}

enum status function_avg(struct call *call, struct values *out)
{
    struct decimal sum;
    bool integers;
    TRY(add_up(call, &sum, &integers));
    if (call->count > 0 && decimal_divide(sum, decimal_from_integer((int64_t)call->count), 28,
                                          DECIMAL_HALF_EVEN, &sum)) {
        values_add_decimal(call->evaluation, out, sum);
    }
    return STATUS_OK;
}
