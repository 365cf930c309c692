/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <pthread.h>

#include "ucum/ucum_int.h"

/* Rows by code, open addressing: row + 1, 0 for free. Twice as many slots as units at least. */
#define SLOTS 1024u
static uint16_t slots[SLOTS];
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;

static uint32_t hash_of(struct slice code)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < code.length; i++) {
        hash = (hash ^ (unsigned char)code.at[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static void fill_slots(void)
{
    assert(unit_count * 2 < SLOTS);
    for (size_t row = 0; row < unit_count; row++) {
        uint32_t slot = hash_of(slice_text(unit_table[row].code)) % SLOTS;
        while (slots[slot] != 0) {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = (uint16_t)(row + 1);
    }
}

size_t unit_find(struct slice code)
{
    (void)pthread_once(&slots_once, fill_slots);
    for (uint32_t slot = hash_of(code) % SLOTS; slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        size_t row = (size_t)slots[slot] - 1;
        if (slice_is(code, unit_table[row].code)) {
            return row;
        }
    }
    return unit_count;
}

static const struct prefix_row *find_prefix(struct slice code)
{
    for (size_t i = 0; i < prefix_count; i++) {
        if (prefix_table[i].code[0] == code.at[0] && slice_is(code, prefix_table[i].code)) {
            return &prefix_table[i];
        }
    }
    return NULL;
}

/* A unit's own code goes before one with a prefix: "cd" is candela, "min" minute (UCUM 5). */
static bool resolve_symbol(struct slice text, struct token *token)
{
    token->unit = unit_find(text);
    if (token->unit < unit_count) {
        return true;
    }
    for (size_t length = 2; length > 0; length--) {
        if (text.length <= length) {
            continue;
        }
        size_t unit = unit_find(slice_from(text, length));
        if (unit < unit_count && unit_table[unit].metric) {
            token->prefix = find_prefix(slice_head(text, length));
            token->unit = unit;
            if (token->prefix != NULL) {
                return true;
            }
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct token fault_at(size_t at, const char *fault)
{
    return (struct token){.kind = TOKEN_FAULT, .at = at, .fault = fault};
}

/* The end of a symbol that begins at AT: an operator, a bracket of ours, a digit or a sign outside
 * square brackets. SIZE_MAX: a square bracket stays open. */
static size_t symbol_end(struct slice code, size_t at)
{
    bool bracketed = false;
    for (; at < code.length; at++) {
        char c = code.at[at];
        if (bracketed) {
            bracketed = c != ']';
        } else if (c == '[') {
            bracketed = true;
        } else if (is_digit(c) || c == '+' || c == '-' || c == '.' || c == '/' || c == '(' ||
                   c == ')' || c == '{' || c == '}') {
            break;
        }
    }
    return bracketed ? SIZE_MAX : at;
}

/* An exponent when there is one: a sign and digits. */
static bool take_exponent(struct slice code, size_t *at, int32_t *ret_exponent)
{
    bool negative = false;
    *ret_exponent = 1;
    if (*at >= code.length ||
        (!is_digit(code.at[*at]) && code.at[*at] != '+' && code.at[*at] != '-')) {
        return true;
    }
    if (!is_digit(code.at[*at])) {
        negative = code.at[*at] == '-';
        (*at)++;
    }
    int32_t exponent = 0;
    size_t start = *at;
    for (; *at < code.length && is_digit(code.at[*at]); (*at)++) {
        exponent = exponent * 10 + (code.at[*at] - '0');
        if (exponent > EXPONENT_LIMIT) {
            return false;
        }
    }
    *ret_exponent = negative ? -exponent : exponent;
    return *at > start;
}

static struct token take_symbol(struct slice code, size_t *at, size_t end)
{
    struct token token = {.kind = TOKEN_SYMBOL, .at = *at};
    if (end == SIZE_MAX) {
        return fault_at(*at, "close the square bracket");
    }
    if (end == *at) {
        return fault_at(*at, "a unit must stand here");
    }
    token.text = slice_of(code.at + *at, end - *at);
    if (!resolve_symbol(token.text, &token)) {
        return fault_at(*at, "no unit of UCUM has this code: look it up at ucum.org, minding "
                             "capitals and square brackets, and say other things as an "
                             "{annotation}");
    }
    *at = end;
    if (!take_exponent(code, at, &token.exponent)) {
        return fault_at(*at, "an exponent is a whole number of three digits at most");
    }
    return token;
}

static struct token take_annotation(struct slice code, size_t *at)
{
    struct token token = {.kind = TOKEN_ANNOTATION, .at = *at};
    size_t start = *at + 1;
    for (size_t i = start; i < code.length; i++) {
        char c = code.at[i];
        if (c == '}') {
            token.text = slice_of(code.at + start, i - start);
            *at = i + 1;
            return token;
        }
        if (c < '!' || c > '~' || c == '{') {
            return fault_at(i, "an annotation has no spaces, curly brackets or letters beyond "
                               "ASCII");
        }
    }
    return fault_at(*at, "close the curly bracket");
}

static struct token take_digits(struct slice code, size_t *at)
{
    size_t start = *at, end = start;
    while (end < code.length && is_digit(code.at[end])) {
        end++;
    }
    bool ten = end == start + 2 && memcmp(code.at + start, "10", 2) == 0;
    if (ten && end < code.length && (code.at[end] == '*' || code.at[end] == '^')) {
        return take_symbol(code, at, end + 1);
    }
    *at = end;
    if (end - start > 30) {
        return fault_at(start, "a number has 30 digits at most");
    }
    return (struct token){
        .kind = TOKEN_NUMBER, .at = start, .text = slice_of(code.at + start, end - start)};
}

struct token token_next(struct slice code, size_t *at)
{
    if (*at >= code.length) {
        return (struct token){.kind = TOKEN_END, .at = code.length};
    }
    struct token token = {.at = *at};
    switch (code.at[*at]) {
    case '.':
        token.kind = TOKEN_TIMES;
        break;
    case '/':
        token.kind = TOKEN_DIVIDE;
        break;
    case '(':
        token.kind = TOKEN_OPEN;
        break;
    case ')':
        token.kind = TOKEN_CLOSE;
        break;
    case '{':
        return take_annotation(code, at);
    default:
        return is_digit(code.at[*at]) ? take_digits(code, at)
                                      : take_symbol(code, at, symbol_end(code, *at));
    }
    (*at)++;
    return token;
}
