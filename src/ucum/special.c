/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "ucum/ucum_int.h"

#define DIGITS_COMPUTED 15 /* of results of the C library, whose doubles hold between 15 and 17 */

bool pi_power(int32_t exponent, struct decimal *ret_value)
{
    struct decimal pi;
    return exponent >= -1000 && exponent <= 1000 &&
           decimal_parse(SLICE("3.14159265358979323846264338327950288"), &pi) &&
           decimal_power(pi, exponent, ret_value);
}

/* The zero of a temperature scale, in its own degrees above absolute zero. */
static struct decimal zero_of(enum unit_kind kind)
{
    static const struct decimal celsius = {27315, 2}, fahrenheit = {45967, 2}, reaumur = {21852, 2};
    return kind == UNIT_CELSIUS ? celsius : kind == UNIT_FAHRENHEIT ? fahrenheit : reaumur;
}

/* The base of a logarithmic scale: proper = base ^ (value x sign / times). */
static double logarithm_base(enum unit_kind kind)
{
    switch (kind) {
    case UNIT_LN:
        return exp(1.0);
    case UNIT_LD:
        return 2.0;
    case UNIT_HP_C:
        return 100.0;
    case UNIT_HP_M:
        return 1000.0;
    case UNIT_HP_Q:
        return 50000.0;
    default:
        return 10.0;
    }
}

/* pH and the potencies count down: more is thinner. */
static bool counts_down(enum unit_kind kind)
{
    return kind == UNIT_PH || kind == UNIT_HP_X || kind == UNIT_HP_C || kind == UNIT_HP_M ||
           kind == UNIT_HP_Q;
}

bool special_to_proper(enum unit_kind kind, struct decimal value, struct decimal *ret_value)
{
    double number = decimal_double(value);
    switch (kind) {
    case UNIT_CELSIUS:
    case UNIT_FAHRENHEIT:
    case UNIT_REAUMUR:
        return decimal_add(value, zero_of(kind), ret_value);
    case UNIT_SQRT:
        return decimal_multiply(value, value, ret_value);
    case UNIT_TAN_100:
        return decimal_from_double(atan(number / 100.0), DIGITS_COMPUTED, ret_value);
    default:
        number = counts_down(kind) ? -number : number;
        number = kind == UNIT_LG_2 ? number / 2.0 : number;
        return decimal_from_double(pow(logarithm_base(kind), number), DIGITS_COMPUTED, ret_value);
    }
}

bool special_from_proper(enum unit_kind kind, struct decimal value, struct decimal *ret_value)
{
    double number = decimal_double(value);
    switch (kind) {
    case UNIT_CELSIUS:
    case UNIT_FAHRENHEIT:
    case UNIT_REAUMUR:
        return decimal_subtract(value, zero_of(kind), ret_value);
    case UNIT_SQRT:
        return number >= 0 && decimal_from_double(sqrt(number), DIGITS_COMPUTED, ret_value);
    case UNIT_TAN_100:
        return decimal_from_double(tan(number) * 100.0, DIGITS_COMPUTED, ret_value);
    default:
        if (!(number > 0)) {
            return false;
        }
        /* log10 and log2 are exact for the powers of their bases; a quotient of log is not. */
        number = kind == UNIT_LN   ? log(number)
                 : kind == UNIT_LD ? log2(number)
                                   : log10(number) / log10(logarithm_base(kind));
        number = kind == UNIT_LG_2 ? number * 2.0 : number;
        return decimal_from_double(counts_down(kind) ? -number : number, DIGITS_COMPUTED,
                                   ret_value);
    }
}
