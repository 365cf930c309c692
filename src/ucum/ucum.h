/* SPDX-License-Identifier: MIT */
/* ucum: units of measure, by the Unified Code for Units of Measure (ucum.org, version 2.2; the case
 * sensitive codes, which FHIR uses). A code is read, valued in base units, converted and compared.
 *
 * Magnitudes are exact: a ratio of two decimals and a power of pi, so that a conversion between
 * units is exact wherever its result has at most 36 digits, and rounded once otherwise. Units on a
 * logarithmic or trigonometric scale ([pH], B, Np, %[slope] ...) are computed to 15 digits.
 *
 * Nothing here allocates but for texts that are given out. Every function may be called from any
 * thread at any time. OUTCOME may be NULL; what is said there contains nothing of the code. */
#ifndef CARELAYER_UCUM_UCUM_H
#define CARELAYER_UCUM_UCUM_H

#include "base/base.h"

/* The system of FHIR codings that are units. */
#define UCUM_SYSTEM "http://unitsofmeasure.org"

#define UCUM_CODE_LENGTH     255 /* bytes of a code at most */
#define UCUM_BASE_COUNT      7
#define UCUM_ARBITRARY_COUNT 3 /* different arbitrary units in one code */

/* A unit, as a value. Its magnitude in base units is numerator / denominator x pi^pi. */
struct ucum_unit {
    struct decimal numerator, denominator;
    int32_t pi;
    int32_t exponents[UCUM_BASE_COUNT]; /* of m, s, g, rad, K, C, cd */
    /* An arbitrary unit ([iU], [CFU] ...) is a dimension of its own (UCUM 24): its row in our
     * table, 0 for none, ascending. */
    struct {
        uint16_t unit;
        int32_t exponent;
    } arbitrary[UCUM_ARBITRARY_COUNT];
    uint16_t special; /* row of a unit on a scale of its own (Cel, [pH]); 0: a proper unit. Its
                         magnitude then multiplies the number on that scale. */
    bool mixed;       /* such a unit as a part of a product: readable, not computable (UCUM 22) */
};

/* What is wrong with CODE: NULL when it is a unit, else what and how to mend it, and *RET_AT, the
 * place of it in bytes. An empty code is none. */
const char *ucum_fault(struct slice code, size_t *ret_at);

bool ucum_valid(struct slice code);

/* Reads CODE. STATUS_VALUE: it is none; OUTCOME says what and where. */
MUST_CHECK enum status ucum_parse(struct slice code, struct outcome *outcome,
                                  struct ucum_unit *ret_unit);

/* Do they measure the same kind of thing? Annotations count for nothing. */
bool ucum_commensurable(const struct ucum_unit *a, const struct ucum_unit *b);

/* Are they the same unit however they are written: "mL" and "cm3", "[IU]" and "[iU]"? */
bool ucum_equal(const struct ucum_unit *a, const struct ucum_unit *b);

/* The functions below: STATUS_VALUE, a code is no unit; STATUS_UNPROCESSABLE, the units are not
 * commensurable, or one of them cannot be computed with (a product with a special unit), or the
 * result is out of range (also the logarithm of nothing). */

/* VALUE in other units: 6.3 mm in m is 0.0063. */
MUST_CHECK enum status ucum_convert(struct decimal value, struct slice from, struct slice to,
                                    struct outcome *outcome, struct decimal *ret_value);

/* VALUE in base units, and their code: 5 mg/dL is 50 "g.m-3", 37 Cel is 310.15 "K", 50 % is 0.5
 * "1". Bases stand in the order C, K, cd, g, m, rad, s, arbitrary units behind them. *RET_UNIT is
 * in ARENA. */
MUST_CHECK enum status ucum_canonical(struct decimal value, struct slice unit, struct arena *arena,
                                      struct outcome *outcome, struct decimal *ret_value,
                                      struct slice *ret_unit);

/* *RET_ORDER: below, at or above 0 as A is less than, equal to or more than B. */
MUST_CHECK enum status ucum_compare(struct decimal a, struct slice unit_a, struct decimal b,
                                    struct slice unit_b, struct outcome *outcome, int *ret_order);

/* The product or quotient of two quantities, in base units as of ucum_canonical: 2 cm by 3 m is
 * 0.06 "m2". STATUS_UNPROCESSABLE also when B is 0 in a quotient. */
MUST_CHECK enum status ucum_multiply(struct decimal a, struct slice unit_a, struct decimal b,
                                     struct slice unit_b, struct arena *arena,
                                     struct outcome *outcome, struct decimal *ret_value,
                                     struct slice *ret_unit);
MUST_CHECK enum status ucum_divide(struct decimal a, struct slice unit_a, struct decimal b,
                                   struct slice unit_b, struct arena *arena,
                                   struct outcome *outcome, struct decimal *ret_value,
                                   struct slice *ret_unit);

/* The code in words, in ARENA: "mm" is "(millimeter)", "m/s2" "(meter) / (second ^ 2)", the empty
 * code "(unity)". */
MUST_CHECK enum status ucum_display(struct slice code, struct arena *arena, struct outcome *outcome,
                                    struct slice *ret_text);

#endif
