/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <pthread.h>

#include "ucum/ucum_int.h"

/* ---- ratios -----------------------------------------------------------------------------------
 */

#define SCALE_LIMIT 300 /* with room for values and denominators below what decimals hold */

static unsigned __int128 magnitude_of(__int128 value)
{
    return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
}

static unsigned __int128 common_factor(unsigned __int128 a, unsigned __int128 b)
{
    while (b != 0) {
        if (a <= UINT64_MAX && b <= UINT64_MAX) {
            uint64_t x = (uint64_t)a, y = (uint64_t)b;
            while (y != 0) {
                uint64_t rest = x % y;
                x = y;
                y = rest;
            }
            return x;
        }
        unsigned __int128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void ratio_reduce(struct decimal *numerator, struct decimal *denominator)
{
    const unsigned __int128 room = (unsigned __int128)1 << 115;
    numerator->scale -= denominator->scale;
    denominator->scale = 0;
    if (denominator->coefficient == 1) {
        return;
    }
    __int128 factor = (__int128)common_factor(magnitude_of(numerator->coefficient),
                                              magnitude_of(denominator->coefficient));
    if (factor > 1) {
        numerator->coefficient /= factor;
        denominator->coefficient /= factor;
    }
    while (denominator->coefficient % 10 == 0) {
        denominator->coefficient /= 10;
        numerator->scale++;
    }
    while (denominator->coefficient % 2 == 0 && magnitude_of(numerator->coefficient) < room) {
        denominator->coefficient /= 2;
        numerator->coefficient *= 5;
        numerator->scale++;
    }
    while (denominator->coefficient % 5 == 0 && magnitude_of(numerator->coefficient) < room) {
        denominator->coefficient /= 5;
        numerator->coefficient *= 2;
        numerator->scale++;
    }
}

struct ucum_unit unit_one(void)
{
    return (struct ucum_unit){.numerator = {1, 0}, .denominator = {1, 0}};
}

static bool within_scale(const struct ucum_unit *unit)
{
    return unit->numerator.scale <= SCALE_LIMIT && unit->numerator.scale >= -SCALE_LIMIT;
}

/* Reduces; false when the magnitude has left what decimals hold. */
static bool settle_ratio(struct ucum_unit *unit)
{
    if (unit->numerator.coefficient == 0 || unit->denominator.coefficient == 0) {
        return false;
    }
    ratio_reduce(&unit->numerator, &unit->denominator);
    return within_scale(unit);
}

static bool multiply_ratio(struct ucum_unit *unit, struct decimal numerator,
                           struct decimal denominator)
{
    /* Powers of ten, as most units are, only move the point. */
    if (numerator.coefficient == 1 && denominator.coefficient == 1) {
        unit->numerator.scale += numerator.scale - denominator.scale;
        return within_scale(unit);
    }
    if (!decimal_multiply(unit->numerator, numerator, &unit->numerator) ||
        !decimal_multiply(unit->denominator, denominator, &unit->denominator)) {
        return false;
    }
    return settle_ratio(unit);
}

/* ---- products ---------------------------------------------------------------------------------
 */

static bool add_arbitrary(struct ucum_unit *unit, uint16_t row, int32_t exponent)
{
    int place = 0;
    while (place < UCUM_ARBITRARY_COUNT && unit->arbitrary[place].unit != 0 &&
           unit->arbitrary[place].unit < row) {
        place++;
    }
    if (place < UCUM_ARBITRARY_COUNT && unit->arbitrary[place].unit == row) {
        unit->arbitrary[place].exponent += exponent;
        if (unit->arbitrary[place].exponent != 0) {
            return true;
        }
        for (; place < UCUM_ARBITRARY_COUNT - 1; place++) {
            unit->arbitrary[place] = unit->arbitrary[place + 1];
        }
        unit->arbitrary[UCUM_ARBITRARY_COUNT - 1].unit = 0;
        unit->arbitrary[UCUM_ARBITRARY_COUNT - 1].exponent = 0;
        return true;
    }
    if (unit->arbitrary[UCUM_ARBITRARY_COUNT - 1].unit != 0) {
        return false;
    }
    for (int i = UCUM_ARBITRARY_COUNT - 1; i > place; i--) {
        unit->arbitrary[i] = unit->arbitrary[i - 1];
    }
    unit->arbitrary[place].unit = row;
    unit->arbitrary[place].exponent = exponent;
    return true;
}

static bool is_number(const struct ucum_unit *unit)
{
    static const int32_t none[UCUM_BASE_COUNT];
    return memcmp(unit->exponents, none, sizeof none) == 0 && unit->arbitrary[0].unit == 0 &&
           unit->special == 0 && unit->pi == 0;
}

bool unit_combine(struct ucum_unit *unit, const struct ucum_unit *other, bool divide)
{
    /* A special unit may be multiplied by a number and by nothing else (UCUM 22). */
    if (unit->special != 0 || other->special != 0) {
        bool allowed = unit->special != 0 ? is_number(other) : is_number(unit) && !divide;
        unit->mixed = unit->mixed || !allowed;
        unit->special = unit->special != 0 ? unit->special : other->special;
    }
    unit->mixed = unit->mixed || other->mixed;
    for (int i = 0; i < UCUM_BASE_COUNT; i++) {
        unit->exponents[i] += divide ? -other->exponents[i] : other->exponents[i];
    }
    unit->pi += divide ? -other->pi : other->pi;
    for (int i = 0; i < UCUM_ARBITRARY_COUNT && other->arbitrary[i].unit != 0; i++) {
        int32_t exponent = other->arbitrary[i].exponent;
        if (!add_arbitrary(unit, other->arbitrary[i].unit, divide ? -exponent : exponent)) {
            return false;
        }
    }
    return divide ? multiply_ratio(unit, other->denominator, other->numerator)
                  : multiply_ratio(unit, other->numerator, other->denominator);
}

/* *UNIT to the power EXPONENT. */
static bool raise(struct ucum_unit *unit, int32_t exponent)
{
    if (exponent == 1) {
        return true;
    }
    int32_t size = exponent < 0 ? -exponent : exponent;
    struct decimal numerator, denominator;
    if (unit->numerator.coefficient == 1 && unit->denominator.coefficient == 1) {
        unit->numerator.scale *= exponent;
        if (!within_scale(unit)) {
            return false;
        }
    } else {
        if (!decimal_power(unit->numerator, size, &numerator) ||
            !decimal_power(unit->denominator, size, &denominator)) {
            return false;
        }
        unit->numerator = exponent < 0 ? denominator : numerator;
        unit->denominator = exponent < 0 ? numerator : denominator;
        if (!settle_ratio(unit)) {
            return false;
        }
    }
    unit->pi *= exponent;
    unit->mixed = unit->mixed || unit->special != 0;
    for (int i = 0; i < UCUM_BASE_COUNT; i++) {
        unit->exponents[i] *= exponent;
    }
    for (int i = 0; i < UCUM_ARBITRARY_COUNT; i++) {
        unit->arbitrary[i].exponent *= exponent;
        if (exponent == 0) {
            unit->arbitrary[i].unit = 0;
        }
    }
    return true;
}

/* ---- the grammar (UCUM, "Formal syntax") ------------------------------------------------------
 */

struct parser {
    struct slice code;
    size_t at;
    struct token token; /* the next one */
    const char *fault;  /* NULL: none yet */
    size_t fault_at;
    const struct ucum_unit *(*resolve)(size_t unit);
    int depth;
};

static void fail(struct parser *parser, size_t at, const char *fault)
{
    if (parser->fault == NULL) {
        parser->fault = fault;
        parser->fault_at = at;
    }
}

static void advance(struct parser *parser)
{
    parser->token = token_next(parser->code, &parser->at);
    if (parser->token.kind == TOKEN_FAULT) {
        fail(parser, parser->token.at, parser->token.fault);
    }
}

static struct ucum_unit parse_symbol(struct parser *parser)
{
    struct token token = parser->token;
    const struct ucum_unit *atom = parser->resolve(token.unit);
    struct ucum_unit unit = unit_one();
    if (atom == NULL) {
        fail(parser, token.at, "its size cannot be computed");
        return unit;
    }
    /* The magnitude of a special unit stays apart: it belongs to its scale. */
    unit = *atom;
    if (kind_is_special(unit_table[token.unit].kind)) {
        unit.numerator = unit.denominator = decimal_from_integer(1);
        unit.special = (uint16_t)token.unit;
        unit.pi = 0;
    }
    if ((token.prefix != NULL &&
         !multiply_ratio(&unit, token.prefix->factor, decimal_from_integer(1))) ||
        !raise(&unit, token.exponent)) {
        fail(parser, token.at, "with this exponent it is beyond what is computed");
    }
    advance(parser);
    if (parser->token.kind == TOKEN_ANNOTATION) {
        advance(parser);
    }
    return unit;
}

static struct ucum_unit parse_number(struct parser *parser)
{
    struct ucum_unit unit = unit_one();
    __int128 value = 0;
    for (size_t i = 0; i < parser->token.text.length; i++) {
        value = value * 10 + (parser->token.text.at[i] - '0');
    }
    if (value == 0) {
        fail(parser, parser->token.at, "a unit is not made of nothing: 0 cannot stand here");
        value = 1;
    }
    unit.numerator.coefficient = value;
    advance(parser);
    return unit;
}

static struct ucum_unit parse_term(struct parser *parser, bool divide);

static struct ucum_unit parse_component(struct parser *parser)
{
    struct ucum_unit unit = unit_one();
    switch (parser->token.kind) {
    case TOKEN_SYMBOL:
        return parse_symbol(parser);
    case TOKEN_NUMBER:
        return parse_number(parser);
    case TOKEN_ANNOTATION:
        advance(parser);
        return unit;
    case TOKEN_OPEN:
        if (++parser->depth > PAREN_DEPTH) {
            fail(parser, parser->token.at, "parentheses may be nested 32 deep");
            return unit;
        }
        advance(parser);
        unit = parse_term(parser, false);
        parser->depth--;
        if (parser->token.kind != TOKEN_CLOSE) {
            fail(parser, parser->token.at, "close the parenthesis");
        }
        advance(parser);
        return unit;
    default:
        fail(parser, parser->token.at, "a unit must stand here");
        return unit;
    }
}

/* Components with "." and "/" between them, from left to right. DIVIDE: by the first one too. */
static struct ucum_unit parse_term(struct parser *parser, bool divide)
{
    struct ucum_unit unit = unit_one();
    bool first = !divide;
    while (parser->fault == NULL) {
        size_t at = parser->token.at;
        struct ucum_unit component = parse_component(parser);
        if (first) {
            unit = component;
            first = false;
        } else if (!unit_combine(&unit, &component, divide)) {
            fail(parser, at, "the size of the unit is beyond what is computed");
        }
        if (parser->token.kind != TOKEN_TIMES && parser->token.kind != TOKEN_DIVIDE) {
            break;
        }
        divide = parser->token.kind == TOKEN_DIVIDE;
        advance(parser);
    }
    return unit;
}

static const char *parse(struct slice code, const struct ucum_unit *(*resolve)(size_t unit),
                         size_t *ret_at, struct ucum_unit *ret_unit)
{
    struct parser parser = {.code = code, .resolve = resolve};
    *ret_at = 0;
    if (code.length == 0) {
        return "a unit must stand here; the unit of a plain number is 1";
    }
    if (code.length > UCUM_CODE_LENGTH) {
        return "a unit is 255 bytes long at most";
    }
    advance(&parser);
    bool divide = parser.token.kind == TOKEN_DIVIDE;
    if (divide) {
        advance(&parser);
    }
    *ret_unit = parse_term(&parser, divide);
    if (parser.token.kind != TOKEN_END) {
        fail(&parser, parser.token.at, "write . or / between the parts of a unit");
    }
    *ret_at = parser.fault_at;
    return parser.fault;
}

/* ---- the table, resolved ----------------------------------------------------------------------
 */

#define UNITS_MOST 512
static struct ucum_unit resolved[UNITS_MOST];
static enum { UNRESOLVED, RESOLVING, RESOLVED } states[UNITS_MOST];
static pthread_once_t resolved_once = PTHREAD_ONCE_INIT;

/* Depth first: a unit is defined by units that may stand below it in the table. */
static const struct ucum_unit *resolve_row(size_t row)
{
    const struct unit_row *unit = &unit_table[row];
    size_t at;
    assert(states[row] != RESOLVING);
    if (states[row] == RESOLVED) {
        return &resolved[row];
    }
    states[row] = RESOLVING;
    resolved[row] = unit_one();
    if (unit->kind == UNIT_BASE) {
        resolved[row].exponents[row] = 1;
    } else if (unit->kind == UNIT_PI) {
        resolved[row].pi = 1;
    } else if (unit->kind == UNIT_ARBITRARY) {
        resolved[row].arbitrary[0].unit = (uint16_t)row;
        resolved[row].arbitrary[0].exponent = 1;
    } else {
        struct decimal value = {0};
        const char *fault = parse(slice_text(unit->unit), resolve_row, &at, &resolved[row]);
        bool done = fault == NULL && decimal_parse(slice_text(unit->value), &value) &&
                    multiply_ratio(&resolved[row], value, decimal_from_integer(1));
        assert(done && !resolved[row].mixed && resolved[row].special == 0);
        (void)done;
        while (resolved[row].numerator.coefficient % 10 == 0) {
            resolved[row].numerator.coefficient /= 10;
            resolved[row].numerator.scale--;
        }
    }
    states[row] = RESOLVED;
    return &resolved[row];
}

static void resolve_all(void)
{
    assert(unit_count <= UNITS_MOST);
    for (size_t row = 0; row < unit_count; row++) {
        (void)resolve_row(row);
    }
}

const struct ucum_unit *unit_resolved(size_t unit)
{
    return &resolved[unit];
}

/* ---- what others call -------------------------------------------------------------------------
 */

static const char *read_unit(struct slice code, size_t *ret_at, struct ucum_unit *ret_unit)
{
    (void)pthread_once(&resolved_once, resolve_all);
    return parse(code, unit_resolved, ret_at, ret_unit);
}

const char *ucum_fault(struct slice code, size_t *ret_at)
{
    struct ucum_unit unit;
    return read_unit(code, ret_at, &unit);
}

bool ucum_valid(struct slice code)
{
    size_t at;
    return ucum_fault(code, &at) == NULL;
}

enum status ucum_parse(struct slice code, struct outcome *outcome, struct ucum_unit *ret_unit)
{
    size_t at;
    const char *fault = read_unit(code, &at, ret_unit);
    if (fault != NULL) {
        return outcome_fail(outcome, STATUS_VALUE, "", "UCUM unit, character %zu: %s.", at + 1,
                            fault);
    }
    return STATUS_OK;
}

bool ucum_commensurable(const struct ucum_unit *a, const struct ucum_unit *b)
{
    bool alike = memcmp(a->exponents, b->exponents, sizeof a->exponents) == 0;
    for (int i = 0; i < UCUM_ARBITRARY_COUNT; i++) {
        alike = alike && a->arbitrary[i].unit == b->arbitrary[i].unit &&
                a->arbitrary[i].exponent == b->arbitrary[i].exponent;
    }
    return alike && !a->mixed && !b->mixed;
}

bool ucum_equal(const struct ucum_unit *a, const struct ucum_unit *b)
{
    struct decimal left, right;
    return ucum_commensurable(a, b) && a->special == b->special && a->pi == b->pi &&
           decimal_multiply(a->numerator, b->denominator, &left) &&
           decimal_multiply(b->numerator, a->denominator, &right) &&
           decimal_compare(left, right) == 0;
}
