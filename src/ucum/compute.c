/* SPDX-License-Identifier: MIT */
#include "ucum/ucum_int.h"

static enum status refuse_apart(struct outcome *outcome)
{
    return outcome_fail(outcome, STATUS_UNPROCESSABLE, "",
                        "These units measure different kinds of things: give units of one kind.");
}

static enum status refuse_mixed(struct outcome *outcome)
{
    return outcome_fail(outcome, STATUS_UNPROCESSABLE, "",
                        "A unit on a scale of its own, such as Cel or [pH], cannot be computed "
                        "with as a part of a product: use a proper unit, such as K or mol/L.");
}

static enum status refuse_range(struct outcome *outcome)
{
    return outcome_fail(outcome, STATUS_UNPROCESSABLE, "",
                        "The result is out of the range that decimals hold here.");
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* Without an exponent where 36 digits allow: 5E3 is 5000. */
static struct decimal plain(struct decimal value)
{
    struct decimal filled;
    return value.scale < 0 && decimal_round(value, 0, DECIMAL_HALF_EVEN, &filled) ? filled : value;
}

bool ratio_apply(struct decimal value, const struct ucum_unit *unit, bool divide,
                 struct decimal *ret_value)
{
    struct decimal times = divide ? unit->denominator : unit->numerator;
    struct decimal by = divide ? unit->numerator : unit->denominator;
    struct decimal pi;
    if (!decimal_multiply(value, times, &value)) {
        return false;
    }
    if (unit->pi != 0 &&
        (!pi_power(divide ? -unit->pi : unit->pi, &pi) || !decimal_multiply(value, pi, &value))) {
        return false;
    }
    if (by.coefficient != 1 || by.scale != 0) {
        if (!decimal_divide(value, by, DECIMAL_DIGITS, DECIMAL_HALF_EVEN, &value)) {
            return false;
        }
    }
    *ret_value = plain(value);
    return true;
}

static bool to_base(struct decimal value, const struct ucum_unit *unit, struct decimal *ret_value)
{
    if (unit->special == 0) {
        return ratio_apply(value, unit, false, ret_value);
    }
    return ratio_apply(value, unit, false, &value) &&
           special_to_proper(unit_table[unit->special].kind, value, &value) &&
           ratio_apply(value, unit_resolved(unit->special), false, ret_value);
}

static bool from_base(struct decimal value, const struct ucum_unit *unit, struct decimal *ret_value)
{
    if (unit->special == 0) {
        return ratio_apply(value, unit, true, ret_value);
    }
    return ratio_apply(value, unit_resolved(unit->special), true, &value) &&
           special_from_proper(unit_table[unit->special].kind, value, &value) &&
           ratio_apply(value, unit, true, ret_value);
}

/* ---- the code of base units -------------------------------------------------------------------
 */

static void write_power(struct buffer *out, const char *code, int32_t exponent)
{
    if (exponent == 0) {
        return;
    }
    if (out->length > 0) {
        buffer_add_byte(out, '.');
    }
    buffer_add_text(out, code);
    if (exponent != 1) {
        buffer_add_signed(out, exponent);
    }
}

static enum status write_base_unit(const struct ucum_unit *unit, struct arena *arena,
                                   struct slice *ret_unit)
{
    static const enum base order[] = {BASE_C, BASE_K, BASE_CD, BASE_G, BASE_M, BASE_RAD, BASE_S};
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        write_power(&out, unit_table[order[i]].code, unit->exponents[order[i]]);
    }
    for (int i = 0; i < UCUM_ARBITRARY_COUNT && unit->arbitrary[i].unit != 0; i++) {
        write_power(&out, unit_table[unit->arbitrary[i].unit].code, unit->arbitrary[i].exponent);
    }
    if (out.length == 0) {
        buffer_add_byte(&out, '1');
    }
    *ret_unit = buffer_slice(&out);
    return buffer_ok(&out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* ---- what others call -------------------------------------------------------------------------
 */

/* Reads both, which must measure the same kind of thing. */
static enum status parse_pair(struct slice a, struct slice b, struct outcome *outcome,
                              struct ucum_unit *ret_a, struct ucum_unit *ret_b)
{
    TRY(ucum_parse(a, outcome, ret_a));
    TRY(ucum_parse(b, outcome, ret_b));
    if (ret_a->mixed || ret_b->mixed) {
        return refuse_mixed(outcome);
    }
    return ucum_commensurable(ret_a, ret_b) ? STATUS_OK : refuse_apart(outcome);
}

enum status ucum_convert(struct decimal value, struct slice from, struct slice to,
                         struct outcome *outcome, struct decimal *ret_value)
{
    struct ucum_unit source, target;
    if (slice_equals(from, to)) {
        TRY(ucum_parse(from, outcome, &source));
        *ret_value = value;
        return STATUS_OK;
    }
    TRY(parse_pair(from, to, outcome, &source, &target));
    bool done;
    if (source.special == 0 && target.special == 0) {
        done =
            unit_combine(&source, &target, true) && ratio_apply(value, &source, false, ret_value);
    } else {
        done = to_base(value, &source, &value) && from_base(value, &target, ret_value);
    }
    return done ? STATUS_OK : refuse_range(outcome);
}

enum status ucum_canonical(struct decimal value, struct slice unit, struct arena *arena,
                           struct outcome *outcome, struct decimal *ret_value,
                           struct slice *ret_unit)
{
    struct ucum_unit parsed;
    TRY(ucum_parse(unit, outcome, &parsed));
    if (parsed.mixed) {
        return refuse_mixed(outcome);
    }
    if (!to_base(value, &parsed, ret_value)) {
        return refuse_range(outcome);
    }
    return write_base_unit(&parsed, arena, ret_unit);
}

enum status ucum_compare(struct decimal a, struct slice unit_a, struct decimal b,
                         struct slice unit_b, struct outcome *outcome, int *ret_order)
{
    struct ucum_unit left, right;
    if (slice_equals(unit_a, unit_b)) {
        TRY(ucum_parse(unit_a, outcome, &left));
        *ret_order = decimal_compare(a, b);
        return STATUS_OK;
    }
    TRY(parse_pair(unit_a, unit_b, outcome, &left, &right));
    bool done = true;
    if (!ucum_equal(&left, &right)) {
        if (left.special == 0 && right.special == 0) {
            /* a x n / d against b: without a division, so without rounding. */
            struct decimal pi = decimal_from_integer(1);
            done = unit_combine(&left, &right, true) && pi_power(left.pi, &pi) &&
                   decimal_multiply(a, left.numerator, &a) && decimal_multiply(a, pi, &a) &&
                   decimal_multiply(b, left.denominator, &b);
        } else {
            done = to_base(a, &left, &a) && to_base(b, &right, &b);
        }
    }
    if (!done) {
        return refuse_range(outcome);
    }
    *ret_order = decimal_compare(a, b);
    return STATUS_OK;
}

/* Takes a value off its special scale, and leaves a proper unit. */
static bool make_proper(struct decimal *value, struct ucum_unit *unit)
{
    if (unit->special == 0) {
        return true;
    }
    bool done = to_base(*value, unit, value);
    unit->numerator = unit->denominator = decimal_from_integer(1);
    unit->special = 0;
    return done;
}

static enum status combine(struct decimal a, struct slice unit_a, struct decimal b,
                           struct slice unit_b, bool divide, struct arena *arena,
                           struct outcome *outcome, struct decimal *ret_value,
                           struct slice *ret_unit)
{
    struct ucum_unit unit, other;
    TRY(ucum_parse(unit_a, outcome, &unit));
    TRY(ucum_parse(unit_b, outcome, &other));
    if (unit.mixed || other.mixed) {
        return refuse_mixed(outcome);
    }
    bool done =
        make_proper(&a, &unit) && make_proper(&b, &other) && unit_combine(&unit, &other, divide);
    if (done && divide && decimal_sign(b) == 0) {
        return outcome_fail(outcome, STATUS_UNPROCESSABLE, "", "Nothing can be divided by 0.");
    }
    done = done && (divide || decimal_multiply(a, b, &a)) && ratio_apply(a, &unit, false, &a) &&
           (!divide || decimal_divide(a, b, DECIMAL_DIGITS, DECIMAL_HALF_EVEN, &a));
    if (!done) {
        return refuse_range(outcome);
    }
    *ret_value = plain(a);
    return write_base_unit(&unit, arena, ret_unit);
}

enum status ucum_multiply(struct decimal a, struct slice unit_a, struct decimal b,
                          struct slice unit_b, struct arena *arena, struct outcome *outcome,
                          struct decimal *ret_value, struct slice *ret_unit)
{
    return combine(a, unit_a, b, unit_b, false, arena, outcome, ret_value, ret_unit);
}

enum status ucum_divide(struct decimal a, struct slice unit_a, struct decimal b,
                        struct slice unit_b, struct arena *arena, struct outcome *outcome,
                        struct decimal *ret_value, struct slice *ret_unit)
{
    return combine(a, unit_a, b, unit_b, true, arena, outcome, ret_value, ret_unit);
}
