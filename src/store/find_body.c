/* SPDX-License-Identifier: MIT */
/* store: a clause tested on the body itself, where the facts are cut or rounded: exact strings,
 * texts longer than a key, numbers on the edge of a range. Only asked after the facts said maybe.
 */
#include "find_int.h"

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
    case STORE_ABOVE:
        return slice_starts(wanted->key, text);
    default:
        return slice_equals(text, wanted->key);
    }
}

static bool number_matches(const struct wanted *wanted, struct decimal number)
{
    const struct store_value *value = wanted->value;
    bool inside = decimal_compare(number, value->number_low) >= 0 &&
                  decimal_compare(number, value->number_high) < 0;
    int order = decimal_compare(number, value->number);
    switch (value->compare) {
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
    case STORE_AP: {
        double real = decimal_double(number);
        return real >= wanted->low && real <= wanted->high;
    }
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

static bool unit_matches(const struct store_value *value, yyjson_val *quantity, bool money)
{
    struct slice code = json_get_string(quantity, money ? "currency" : "code");
    struct slice system =
        money ? SLICE("urn:iso:std:iso:4217") : json_get_string(quantity, "system");
    if (value->code.length == 0 && !value->has_system) {
        return true;
    }
    if (value->system.length > 0) {
        return slice_equals(system, value->system) &&
               (value->code.length == 0 || slice_equals(code, value->code));
    }
    return slice_equals(code, value->code) ||
           slice_equals(json_get_string(quantity, "unit"), value->code);
}

static void test_number(struct body_test *at, const struct search_path *path, yyjson_val *value)
{
    bool quantity = at->test->clause->parameter->kind == SEARCH_QUANTITY;
    struct decimal number;
    struct slice text = json_number(quantity ? json_get(value, "value") : value);
    if (!decimal_parse(text, &number)) {
        return;
    }
    for (size_t i = 0; i < at->test->count; i++) {
        const struct wanted *wanted = &at->test->wanted[i];
        if (!quantity || unit_matches(wanted->value, value, path->type == FHIR_TYPE_MONEY)) {
            at->met = at->met || number_matches(wanted, number);
        }
    }
}

static void test_value(void *context, const struct search_path *path, yyjson_val *value)
{
    struct body_test *at = context;
    switch (at->test->clause->parameter->kind) {
    case SEARCH_STRING:
        test_strings(at, value);
        break;
    case SEARCH_NUMBER:
    case SEARCH_QUANTITY:
        test_number(at, path, value);
        break;
    case SEARCH_REFERENCE:
        test_text(at, path->type == FHIR_TYPE_REFERENCE ? json_get_string(value, "reference")
                                                        : json_string(value));
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
