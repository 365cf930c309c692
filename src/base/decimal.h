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

#endif
