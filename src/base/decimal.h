/* SPDX-License-Identifier: MIT */
/* Exact decimals (FHIR R4 datatypes, "decimal": precision is significant, 0.010 is not 0.01). */
#ifndef CARELAYER_BASE_DECIMAL_H
#define CARELAYER_BASE_DECIMAL_H

#include "buffer.h"
#include "slice.h"

/* coefficient x 10^-scale; at most 36 significant digits. Trailing zeros are kept in scale. */
struct decimal {
    __int128 coefficient;
    int32_t scale; /* digits after the point; negative for 1e5 written with an exponent */
};

/* Reads a JSON number (RFC 8259 grammar). False: not a number, more than 36 significant digits, or
 * an exponent or a scale beyond +-400. */
bool decimal_parse(struct slice text, struct decimal *ret_value);

/* Is it a number as JSON writes them (RFC 8259 section 6), of whatever size? */
bool decimal_is_json(struct slice text);

/* <0, 0, >0 by value: 1.0 equals 1.00. */
int decimal_compare(struct decimal a, struct decimal b);

/* The implicit range of a search value (R4 search, "number"): 100 -> [99.5, 100.5),
 * 1e2 -> [95, 105), 1.00e2 -> [99.5, 100.5): half a unit of the last significant digit either side,
 * where a single digit with an exponent counts as two (as the table in R4 has it). False on
 * overflow. */
bool decimal_range(struct decimal value, struct decimal *ret_low, struct decimal *ret_high);

/* The nearest double, correctly rounded: for indexes, where the exact value is compared again. */
double decimal_double(struct decimal value);

/* Plain notation when the exponent is small, else with E; keeps scale. */
void decimal_write(struct decimal value, struct buffer *out);

/* ---- arithmetic -------------------------------------------------------------------------------
 *
 * Results are exact wherever they fit into 36 significant digits, and otherwise rounded to 36 of
 * them, half to even. An exact sum keeps the larger scale of the two (1.0 + 0.25 = 1.25), an exact
 * product the sum of the scales (1.5 x 2.0 = 3.00), unless that takes more than 36 digits: then as
 * many zeros at the end are dropped as must. False, with *RET_VALUE untouched: the result is out of
 * what decimal_parse reads (an exponent or a scale beyond +-400). What is smaller than 10^-400
 * becomes 0. */

#define DECIMAL_DIGITS 36 /* significant digits at most */

enum decimal_rounding {
    DECIMAL_HALF_EVEN, /* to the nearest; 0.5 -> 0, 1.5 -> 2 */
    DECIMAL_HALF_UP,   /* to the nearest; 0.5 -> 1, -0.5 -> -1 */
    DECIMAL_TRUNCATE,  /* towards zero */
    DECIMAL_FLOOR,     /* towards minus infinity */
    DECIMAL_CEILING    /* towards infinity */
};

struct decimal decimal_from_integer(int64_t value);

/* A double as the nearest decimal of DIGITS significant digits (1..17), zeros at its end dropped.
 * False: not finite, or out of range. */
bool decimal_from_double(double value, int digits, struct decimal *ret_value);

struct decimal decimal_negate(struct decimal value);

/* -1, 0 or 1. */
int decimal_sign(struct decimal value);

bool decimal_add(struct decimal a, struct decimal b, struct decimal *ret_value);
bool decimal_subtract(struct decimal a, struct decimal b, struct decimal *ret_value);
bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *ret_value);

/* A / B to at most DIGITS significant digits (1..DECIMAL_DIGITS), rounded in one step. An exact
 * quotient drops zeros at its end down to the scale a.scale - b.scale, or 0 where that is negative
 * (7.0 / 2 = 3.5, 6.0 / 2 = 3.0, 60 / 2.0 = 30). False also when B is 0. */
bool decimal_divide(struct decimal a, struct decimal b, int digits, enum decimal_rounding rounding,
                    struct decimal *ret_value);

/* The whole number of times that B goes into A, towards zero, and what is left, which has the sign
 * of A: 7 by -2 is -3 and 1. Both exact. False when B is 0 or the quotient has over 36 digits. */
bool decimal_divide_whole(struct decimal a, struct decimal b, struct decimal *ret_quotient,
                          struct decimal *ret_remainder);

/* VALUE with SCALE digits after the point (-400..400), rounded or filled with zeros. False when the
 * zeros do not fit into 36 digits. */
bool decimal_round(struct decimal value, int32_t scale, enum decimal_rounding rounding,
                   struct decimal *ret_value);

/* BASE to the whole EXPONENT (-1000..1000), each step rounded to 36 digits. False on overflow, and
 * for 0 to a negative one. */
bool decimal_power(struct decimal base, int exponent, struct decimal *ret_value);

/* Without the zeros at its end, scale >= 0 where 36 digits allow: 1.50 -> 1.5, 1E2 -> 100. */
struct decimal decimal_normalise(struct decimal value);

/* A whole number within int64_t? 3.00 is. */
bool decimal_to_integer(struct decimal value, int64_t *ret_value);

#endif
