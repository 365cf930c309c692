/* SPDX-License-Identifier: MIT */
/* store: a clause tested on the body itself, where the facts are cut or rounded: exact strings,
 * texts longer than a key, numbers on the edge of a range. Only asked after the facts said maybe.
 */
#include "find_int.h"
#include "ucum/ucum.h"

struct body_test {
    const struct test *test;
    struct arena *arena;
    bool met;
};

static struct slice folded(struct body_test *at, struct slice text)
{
    struct buffer out = {.arena = at->arena};
    text_fold(text, &out);
    return buffer_slice(&out);
}

static bool string_matches(struct body_test *at, const struct wanted *wanted, struct slice text)
{
    switch (at->test->clause->modifier) {
    case STORE_EXACT:
        return slice_equals(text, wanted->value->text);
    case STORE_CONTAINS: {
        struct slice whole = folded(at, text);
        return wanted->key.length == 0 ||
               (whole.length >= wanted->key.length &&
                memmem(whole.at, whole.length, wanted->key.at, wanted->key.length) != NULL);
    }
    default:
        return slice_starts(folded(at, text), wanted->key);
    }
}

static bool uri_matches(const struct test *test, const struct wanted *wanted, struct slice text)
{
    switch (test->clause->modifier) {
    case STORE_BELOW:
        return slice_starts(text, wanted->key);
    case STORE_CONTAINS:
        return wanted->key.length == 0 ||
               (text.length >= wanted->key.length &&
                memmem(text.at, text.length, wanted->key.at, wanted->key.length) != NULL);
    case STORE_ABOVE:
        return uri_is_above(text, wanted->key);
    default: {
        /* A canonical is found without its version too. */
        size_t length = wanted->key.length;
        return slice_equals(text, wanted->key) ||
               (slice_starts(text, wanted->key) && text.at[length] == '|');
    }
    }
}

static bool number_matches(const struct wanted *wanted, struct decimal number)
{
    bool inside = decimal_compare(number, wanted->exact_low) >= 0 &&
                  decimal_compare(number, wanted->exact_high) < 0;
    int order = decimal_compare(number, wanted->exact);
    switch (wanted->value->compare) {
    case STORE_EQ:
        return inside;
    case STORE_NE:
        return !inside;
    case STORE_GT:
    case STORE_SA:
        return order > 0;
    case STORE_LT:
    case STORE_EB:
        return order < 0;
    case STORE_GE:
        return order >= 0;
    case STORE_LE:
        return order <= 0;
    case STORE_AP:
        return inside || decimal_compare(number, wanted->exact_high) == 0;
    }
    return false;
}

/* As the table of prefixes has it for ranges; an end that is not given is as far as can be. */
static bool range_matches(const struct wanted *wanted, const struct decimal *low,
                          const struct decimal *high)
{
    int low_order = low == NULL ? -1 : decimal_compare(*low, wanted->exact);
    int high_order = high == NULL ? 1 : decimal_compare(*high, wanted->exact);
    bool inside = low != NULL && high != NULL && decimal_compare(*low, wanted->exact_low) >= 0 &&
                  decimal_compare(*high, wanted->exact_high) < 0;
    switch (wanted->value->compare) {
    case STORE_EQ:
        return inside;
    case STORE_NE:
        return !inside;
    case STORE_GT:
        return high_order > 0;
    case STORE_GE:
        return high_order >= 0;
    case STORE_LT:
        return low_order < 0;
    case STORE_LE:
        return low_order <= 0;
    case STORE_SA:
        return low_order > 0;
    case STORE_EB:
        return high_order < 0;
    case STORE_AP:
        return (low == NULL || decimal_compare(*low, wanted->exact_high) <= 0) &&
               (high == NULL || decimal_compare(*high, wanted->exact_low) >= 0);
    }
    return false;
}

static void test_text(struct body_test *at, struct slice text)
{
    for (size_t i = 0; i < at->test->count && text.length > 0; i++) {
        const struct wanted *wanted = &at->test->wanted[i];
        bool string = at->test->clause->parameter->kind == SEARCH_STRING;
        at->met = at->met ||
                  (string ? string_matches(at, wanted, text) : uri_matches(at->test, wanted, text));
    }
}

/* All strings in the value: names and addresses are found by each of their parts. A part's use or
 * period was never made a fact, but could match here: so only the parts that are facts count. */
static void test_strings(struct body_test *at, yyjson_val *value)
{
    if (yyjson_is_str(value)) {
        test_text(at, json_string(value));
        return;
    }
    size_t i, max;
    yyjson_val *name, *member;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, i, max, member)
        {
            test_strings(at, member);
        }
        return;
    }
    yyjson_obj_foreach(value, i, max, name, member)
    {
        struct slice text = json_string(name);
        bool part = !slice_is(text, "use") && !slice_is(text, "period") &&
                    !slice_is(text, "type") && !slice_is(text, "id") &&
                    !slice_is(text, "extension") && !slice_starts(text, SLICE("_"));
        if (part) {
            test_strings(at, member);
        }
    }
}

/* The number of a quantity in the units wanted; false: it has none, or another unit. */
static bool quantity_number(struct body_test *at, const struct wanted *wanted, yyjson_val *quantity,
                            bool money, struct decimal *ret_number)
{
    const struct store_value *value = wanted->value;
    struct slice code = json_get_string(quantity, money ? "currency" : "code");
    struct slice system =
        money ? SLICE("urn:iso:std:iso:4217") : json_get_string(quantity, "system");
    if (!decimal_parse(json_number(json_get(quantity, "value")), ret_number)) {
        return false;
    }
    if (wanted->any_unit) {
        return true;
    }
    if (wanted->canonical) {
        struct slice unit;
        return slice_is(system, UCUM_SYSTEM) &&
               ucum_canonical(*ret_number, code, at->arena, NULL, ret_number, &unit) == STATUS_OK &&
               slice_equals(unit, wanted->unit);
    }
    if (value->system.length > 0) {
        return slice_equals(system, value->system) &&
               (value->code.length == 0 || slice_equals(code, value->code));
    }
    return slice_equals(code, value->code) ||
           (!money && slice_equals(json_get_string(quantity, "unit"), value->code));
}

static void test_range_value(struct body_test *at, const struct wanted *wanted, yyjson_val *range)
{
    struct decimal low, high;
    yyjson_val *from = json_get(range, "low"), *to = json_get(range, "high");
    bool has_low = quantity_number(at, wanted, from, false, &low);
    bool has_high = quantity_number(at, wanted, to, false, &high);
    /* An end in another unit says nothing that could be compared. */
    if ((has_low || has_high) && has_low == (from != NULL) && has_high == (to != NULL)) {
        at->met = at->met || range_matches(wanted, has_low ? &low : NULL, has_high ? &high : NULL);
    }
}

static void test_quantity(struct body_test *at, const struct search_path *path, yyjson_val *value)
{
    for (size_t i = 0; i < at->test->count; i++) {
        const struct wanted *wanted = &at->test->wanted[i];
        struct decimal number;
        if (path->type == FHIR_TYPE_RANGE) {
            test_range_value(at, wanted, value);
        } else if (quantity_number(at, wanted, value, path->type == FHIR_TYPE_MONEY, &number)) {
            at->met = at->met || number_matches(wanted, number);
        }
    }
}

static void test_number(struct body_test *at, yyjson_val *value)
{
    struct decimal number;
    if (!decimal_parse(json_number(value), &number)) {
        return;
    }
    for (size_t i = 0; i < at->test->count; i++) {
        at->met = at->met || number_matches(&at->test->wanted[i], number);
    }
}

/* ---- tokens and words --------------------------------------------------------------------------
 */

static bool coding_is(yyjson_val *coding, const struct store_value *value)
{
    return slice_equals(json_get_string(coding, "code"), value->code) &&
           (!value->has_system || slice_equals(json_get_string(coding, "system"), value->system));
}

static bool identifier_is_of_type(yyjson_val *identifier, const struct store_value *value)
{
    size_t i, max;
    yyjson_val *coding;
    if (!slice_equals(json_get_string(identifier, "value"), value->text)) {
        return false;
    }
    yyjson_arr_foreach(json_get(json_get(identifier, "type"), "coding"), i, max, coding)
    {
        if (coding_is(coding, value)) {
            return true;
        }
    }
    return false;
}

static bool identifier_is(yyjson_val *identifier, const struct store_value *value)
{
    return slice_equals(json_get_string(identifier, "value"), value->code) &&
           (!value->has_system ||
            slice_equals(json_get_string(identifier, "system"), value->system));
}

/* Only asked for texts: codes are decided by the facts. */
static bool token_matches(const struct test *test, const struct wanted *wanted,
                          const struct search_path *path, yyjson_val *value)
{
    if (test->clause->modifier == STORE_OF_TYPE) {
        return path->type == FHIR_TYPE_IDENTIFIER && identifier_is_of_type(value, wanted->value);
    }
    if (path->type == FHIR_TYPE_IDENTIFIER) {
        return identifier_is(value, wanted->value);
    }
    if (path->type == FHIR_TYPE_CONTACTPOINT) {
        value = json_get(value, "value");
    }
    bool other_system = wanted->value->has_system && wanted->value->system.length > 0;
    return !other_system && yyjson_is_str(value) &&
           slice_equals(json_string(value), wanted->value->code);
}

static void test_token(struct body_test *at, const struct search_path *path, yyjson_val *value)
{
    for (size_t i = 0; i < at->test->count; i++) {
        at->met = at->met || token_matches(at->test, &at->test->wanted[i], path, value);
    }
}

static void test_words(struct body_test *at, const struct search_path *path, yyjson_val *value)
{
    for (size_t i = 0; i < at->test->count; i++) {
        at->met = at->met || words_match_value(&at->test->wanted[i], path, value, at->arena);
    }
}

static void test_reference(struct body_test *at, const struct search_path *path, yyjson_val *value)
{
    if (at->test->clause->modifier == STORE_IDENTIFIER) {
        for (size_t i = 0; i < at->test->count; i++) {
            at->met =
                at->met || identifier_is(json_get(value, "identifier"), at->test->wanted[i].value);
        }
        return;
    }
    test_text(at, path->type == FHIR_TYPE_REFERENCE ? json_get_string(value, "reference")
                                                    : json_string(value));
}

static void test_value(void *context, const struct search_path *path, yyjson_val *value)
{
    struct body_test *at = context;
    if (at->test->clause->modifier == STORE_TEXT) {
        test_words(at, path, value);
        return;
    }
    switch (at->test->clause->parameter->kind) {
    case SEARCH_STRING:
        test_strings(at, value);
        break;
    case SEARCH_NUMBER:
        test_number(at, value);
        break;
    case SEARCH_QUANTITY:
        test_quantity(at, path, value);
        break;
    case SEARCH_TOKEN:
        test_token(at, path, value);
        break;
    case SEARCH_REFERENCE:
        test_reference(at, path, value);
        break;
    default:
        test_text(at, json_string(value));
        break;
    }
}

enum status test_body(const struct store *store, const struct test *test, resource_type type,
                      yyjson_val *resource, struct arena *arena, bool *ret_match)
{
    struct body_test at = {.test = test, .arena = arena};
    const struct search_parameter *parameter = test->clause->parameter;
    bool used_base;
    if (parameter_is_words(parameter)) {
        *ret_match = words_match_resource(store, test, type, resource, arena);
        return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    TRY(parameter_visit(store->definitions, type, parameter,
                        store_parameter(store, type, parameter), resource, slice_text(""), arena,
                        test_value, &at, &used_base));
    *ret_match = at.met;
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status test_body_value(const struct test *test, const struct search_path *path,
                            yyjson_val *value, struct arena *arena, bool *ret_match)
{
    struct body_test at = {.test = test, .arena = arena};
    test_value(&at, path, value);
    *ret_match = at.met;
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
