/* SPDX-License-Identifier: MIT */
/* store: does a resource's row of facts satisfy a clause? */
#include "find_int.h"

static bool has_number(const struct wanted *wanted, int64_t number)
{
    return list_has(wanted->numbers, wanted->number_count, number);
}

static bool contains(struct slice text, struct slice part)
{
    return part.length == 0 ||
           (text.length >= part.length && memmem(text.at, text.length, part.at, part.length));
}

static enum match yes_if(bool holds)
{
    return holds ? MATCH_YES : MATCH_NO;
}

/* Keys are cut: a longer value is only known to begin alike. */
static enum match match_cut(bool holds, struct slice key, struct slice fact)
{
    if (!holds) {
        return MATCH_NO;
    }
    return key.length >= TEXT_KEY_LIMIT || fact.length >= TEXT_KEY_LIMIT ? MATCH_MAYBE : MATCH_YES;
}

static enum match match_string(const struct test *test, const struct wanted *wanted,
                               struct slice text)
{
    switch (test->clause->modifier) {
    case STORE_CONTAINS:
        if (text.length >= TEXT_KEY_LIMIT) {
            return MATCH_MAYBE;
        }
        return yes_if(contains(text, wanted->key));
    case STORE_EXACT:
        return slice_equals(text, slice_head(wanted->key, TEXT_KEY_LIMIT)) ? MATCH_MAYBE : MATCH_NO;
    default:
        if (wanted->key.length > TEXT_KEY_LIMIT) {
            return match_cut(slice_equals(text, slice_head(wanted->key, TEXT_KEY_LIMIT)),
                             wanted->key, text);
        }
        return yes_if(slice_starts(text, wanted->key));
    }
}

/* A step of a path more, or the same (R4 search, ":above"); cut texts may be more. */
bool uri_is_above(struct slice uri, struct slice below)
{
    if (!slice_starts(below, uri)) {
        return false;
    }
    char last = uri.length > 0 ? uri.at[uri.length - 1] : '/';
    bool cut = uri.length >= TEXT_KEY_LIMIT;
    return cut || uri.length == below.length || last == '/' || last == ':' || last == '#' ||
           strchr("/|#:?", below.at[uri.length]) != NULL;
}

static enum match match_uri(const struct test *test, const struct wanted *wanted, struct slice text)
{
    struct slice key = slice_head(wanted->key, TEXT_KEY_LIMIT);
    switch (test->clause->modifier) {
    case STORE_BELOW:
        return match_cut(slice_starts(text, key), wanted->key, SLICE(""));
    case STORE_CONTAINS:
        return text.length >= TEXT_KEY_LIMIT ? MATCH_MAYBE : yes_if(contains(text, wanted->key));
    case STORE_ABOVE:
        return match_cut(uri_is_above(text, wanted->key), SLICE(""), text);
    default:
        return match_cut(slice_equals(text, key), wanted->key, text);
    }
}

/* R4 search, "date" and the table of prefixes: how [low, high) of the value must lie to
 * [low, high) of the search. */
static enum match match_date(const struct store_value *value, int64_t low, int64_t width)
{
    int64_t high = low + width;
    bool inside = value->low <= low && high <= value->high;
    switch (value->compare) {
    case STORE_EQ:
        return yes_if(inside);
    case STORE_NE:
        return yes_if(!inside);
    case STORE_GT:
        return yes_if(high > value->high);
    case STORE_LT:
        return yes_if(low < value->low);
    case STORE_GE:
        return yes_if(high > value->high || inside);
    case STORE_LE:
        return yes_if(low < value->low || inside);
    case STORE_SA:
        return yes_if(low >= value->high);
    case STORE_EB:
        return yes_if(high <= value->low);
    case STORE_AP: {
        int64_t away = time_now() - value->low;
        int64_t slack = (away < 0 ? -away : away) / 10;
        return yes_if(low < value->high + slack && high > value->low - slack);
    }
    }
    return MATCH_NO;
}

static enum match invert(enum match match)
{
    return match == MATCH_MAYBE ? match : match == MATCH_YES ? MATCH_NO : MATCH_YES;
}

static enum match match_above(double fact, double bound)
{
    return fact == bound ? MATCH_MAYBE : yes_if(fact > bound);
}

/* Rounding to doubles keeps order, so only equal doubles leave a doubt. */
static enum match match_number(const struct wanted *wanted, double fact)
{
    enum match inside = MATCH_YES;
    if (fact < wanted->low || fact > wanted->high) {
        inside = MATCH_NO;
    } else if (fact == wanted->low || fact == wanted->high) {
        inside = MATCH_MAYBE;
    }
    switch (wanted->value->compare) {
    case STORE_EQ:
    case STORE_AP:
        return inside;
    case STORE_NE:
        return invert(inside);
    case STORE_GT:
    case STORE_SA:
    case STORE_GE:
        return match_above(fact, wanted->number);
    case STORE_LT:
    case STORE_EB:
    case STORE_LE:
        return match_above(wanted->number, fact);
    }
    return MATCH_NO;
}

/* Of tokens: codes, the system of an identifier, and what is there but says nothing. */
static enum match match_code(const struct test *test, const struct wanted *wanted,
                             const struct fact *fact)
{
    bool apart = (fact->parameter & 1) != 0;
    if (test->clause->modifier == STORE_TEXT) {
        bool may = test->clause->parameter->kind == SEARCH_REFERENCE ||
                   fact->number == CODE_PRESENT || has_number(wanted, fact->number);
        return may ? MATCH_MAYBE : MATCH_NO;
    }
    if (apart) {
        return yes_if(wanted->system != 0 && fact->number == wanted->system);
    }
    return yes_if(test->clause->modifier != STORE_OF_TYPE && has_number(wanted, fact->number));
}

static enum match match_quantity(const struct wanted *wanted, const struct fact *fact)
{
    bool apart = (fact->parameter & 1) != 0;
    if (apart && fact->other == UNIT_RANGE) {
        return MATCH_MAYBE;
    }
    if (apart != wanted->canonical || !(wanted->any_unit || has_number(wanted, fact->other))) {
        return MATCH_NO;
    }
    return match_number(wanted, fact->real);
}

static enum match match_identifier(const struct test *test, const struct wanted *wanted,
                                   struct slice text)
{
    if (wanted->key.at == NULL) {
        return MATCH_NO;
    }
    bool holds =
        wanted->key_begins ? slice_starts(text, wanted->key) : slice_equals(text, wanted->key);
    bool doubt = wanted->key_cut || test->clause->modifier == STORE_OF_TYPE;
    return holds && doubt ? MATCH_MAYBE : yes_if(holds);
}

static enum match match_text(const struct test *test, const struct wanted *wanted,
                             struct slice text)
{
    enum search_kind kind = test->clause->parameter->kind;
    if (test->clause->modifier == STORE_TEXT) {
        return MATCH_MAYBE;
    }
    if (kind == SEARCH_STRING) {
        return match_string(test, wanted, text);
    }
    if (kind == SEARCH_TOKEN || test->clause->modifier == STORE_IDENTIFIER) {
        return match_identifier(test, wanted, text);
    }
    return wanted->key.at != NULL ? match_uri(test, wanted, text) : MATCH_NO;
}

enum match test_fact(const struct test *test, const struct wanted *wanted, const struct fact *fact)
{
    switch ((enum tree)fact->tree) {
    case TREE_TOKEN:
        return match_code(test, wanted, fact);
    case TREE_REFERENCE:
        return test->clause->modifier == STORE_TEXT ? MATCH_MAYBE
                                                    : yes_if(has_number(wanted, fact->number));
    case TREE_DATE:
        return match_date(wanted->value, fact->number, fact->other);
    case TREE_NUMBER:
        return match_number(wanted, fact->real);
    case TREE_QUANTITY:
        return match_quantity(wanted, fact);
    case TREE_TEXT:
        return match_text(test, wanted, fact->text);
    }
    return MATCH_NO;
}

/* Which of the two numbers of a parameter a fact of interest has. */
static bool concerns(const struct test *test, const struct fact *fact)
{
    if ((fact->parameter & ~1u) != test->parameter) {
        return false;
    }
    if (test->clause->parameter->kind != SEARCH_REFERENCE ||
        test->clause->modifier == STORE_MISSING || test->clause->modifier == STORE_TEXT) {
        return true;
    }
    return (fact->parameter & 1) == (test->clause->modifier == STORE_IDENTIFIER);
}

enum match test_facts(const struct test *test, struct slice facts)
{
    struct facts_cursor cursor;
    struct fact fact;
    enum match best = MATCH_NO;
    bool present = false;
    if (parameter_is_words(test->clause->parameter)) {
        return MATCH_MAYBE;
    }
    facts_open(facts, &cursor);
    while (best != MATCH_YES && facts_next(&cursor, &fact) &&
           (fact.parameter & ~1u) <= test->parameter) {
        if (!concerns(test, &fact)) {
            continue;
        }
        present = true;
        for (size_t i = 0; i < test->count && best != MATCH_YES; i++) {
            enum match match = test_fact(test, &test->wanted[i], &fact);
            best = match == MATCH_NO ? best : match;
        }
    }
    switch (test->clause->modifier) {
    case STORE_MISSING:
        return yes_if(present != test->clause->values[0].boolean);
    case STORE_NOT:
        return invert(best);
    default:
        return best;
    }
}
