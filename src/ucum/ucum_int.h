/* SPDX-License-Identifier: MIT */
/* ucum, inside: the tables, the tokens of a code, and the scales of special units. */
#ifndef CARELAYER_UCUM_UCUM_INT_H
#define CARELAYER_UCUM_UCUM_INT_H

#include "ucum/ucum.h"

/* What the value of a unit does. */
enum unit_kind {
    UNIT_BASE,
    UNIT_RATIO,
    UNIT_PI,
    UNIT_ARBITRARY,
    /* On a scale of their own, from here on (UCUM 21 and 22). */
    UNIT_CELSIUS,
    UNIT_FAHRENHEIT,
    UNIT_REAUMUR,
    UNIT_PH,
    UNIT_LN,
    UNIT_LG,
    UNIT_LG_2, /* twice the logarithm: levels of fields */
    UNIT_LD,
    UNIT_TAN_100,
    UNIT_HP_X,
    UNIT_HP_C,
    UNIT_HP_M,
    UNIT_HP_Q,
    UNIT_SQRT
};

/* The bases are the first rows of the table, in this order. */
enum base { BASE_M, BASE_S, BASE_G, BASE_RAD, BASE_K, BASE_C, BASE_CD };

struct unit_row {
    const char *code;
    bool metric; /* takes prefixes */
    enum unit_kind kind;
    const char *value, *unit; /* the unit is so many of that unit */
    const char *name;
};
extern const struct unit_row unit_table[];
extern const size_t unit_count;

struct prefix_row {
    const char *code;
    struct decimal factor;
    const char *name;
};
extern const struct prefix_row prefix_table[];
extern const size_t prefix_count;

static inline bool kind_is_special(enum unit_kind kind)
{
    return kind >= UNIT_CELSIUS;
}

/* ---- tokens ---- */

enum token_kind {
    TOKEN_END,
    TOKEN_TIMES,
    TOKEN_DIVIDE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_NUMBER,
    TOKEN_SYMBOL,
    TOKEN_ANNOTATION,
    TOKEN_FAULT
};

struct token {
    enum token_kind kind;
    struct slice text;               /* digits of a number, inside of an annotation */
    size_t at;                       /* place in the code */
    size_t unit;                     /* SYMBOL: row */
    const struct prefix_row *prefix; /* SYMBOL: or NULL */
    int32_t exponent;                /* SYMBOL */
    const char *fault;
};

/* Takes the token at *AT of CODE. */
struct token token_next(struct slice code, size_t *at);

/* The row of a code without prefix; unit_count for none. */
size_t unit_find(struct slice code);

/* ---- units ---- */

#define PAREN_DEPTH    32
#define EXPONENT_LIMIT 999

/* Row UNIT in base units, for a special one the unit its scale is made of. The table is resolved
 * once. */
const struct ucum_unit *unit_resolved(size_t unit);

/* A unit of magnitude 1 and no dimension. */
struct ucum_unit unit_one(void);

/* *UNIT x OTHER^(1 or -1). False: beyond what decimals hold, or too many arbitrary units. */
bool unit_combine(struct ucum_unit *unit, const struct ucum_unit *other, bool divide);

/* NUMERATOR / DENOMINATOR without a common factor, the denominator 1 where that is exact. */
void ratio_reduce(struct decimal *numerator, struct decimal *denominator);

/* VALUE x UNIT's magnitude, or divided by it. */
bool ratio_apply(struct decimal value, const struct ucum_unit *unit, bool divide,
                 struct decimal *ret_value);

/* A number on the scale KIND in the scale's own proper unit, and back. False: out of range. */
bool special_to_proper(enum unit_kind kind, struct decimal value, struct decimal *ret_value);
bool special_from_proper(enum unit_kind kind, struct decimal value, struct decimal *ret_value);

/* pi^EXPONENT to 36 digits. */
bool pi_power(int32_t exponent, struct decimal *ret_value);

#endif
