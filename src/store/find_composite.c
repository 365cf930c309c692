/* SPDX-License-Identifier: MIT */
/* store: what is decided on the body alone: composite parameters, whose components must all match
 * on one and the same value (R4 search, "composite"), and `near` (R4 Location). */
#include <math.h>

#include "fhirpath/fhirpath.h"
#include "find_int.h"

#define STEP_LIMIT 1000000u

/* ---- composites ---------------------------------------------------------------------------------
 */

struct part {
    const struct fhirpath *expression;
    const struct test *test; /* of the component's own parameter: every value's part */
};

struct composite {
    const struct fhirpath *expression;
    struct part *parts;
    size_t part_count;
};

static enum status compile(struct search *search, const struct store_clause *clause,
                           struct slice text, const struct type_row *type,
                           const struct fhirpath **ret_expression)
{
    enum status status = fhirpath_compile(search->store->definitions, text, type, FHIRPATH_LENIENT,
                                          search->arena, NULL, ret_expression);
    return status == STATUS_OK || status == STATUS_MEMORY
               ? status
               : search_refuse(search, clause, "its expression cannot be evaluated.");
}

/* The component's own parameter finds every resource in which some value matches: a superset. */
static enum status part_prepare(struct search *search, const struct store_clause *clause, size_t at,
                                struct part *part)
{
    const struct search_component *component = &clause->parameter->components[at];
    struct store_clause *own = arena_zero(search->arena, sizeof(*own));
    struct store_value *values =
        arena_array(search->arena, clause->value_count, sizeof(struct store_value));
    if (own == NULL || values == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        values[i] = clause->values[i].parts[at];
    }
    *own = (struct store_clause){.parameter = component->parameter,
                                 .modifier = STORE_PLAIN,
                                 .values = values,
                                 .value_count = clause->value_count};
    TRY(compile(search, clause, component->expression, NULL, &part->expression));
    part->test = &search->tests[search->test_count];
    return clause_prepare(search, own);
}

enum status composite_prepare(struct search *search, const struct store_clause *clause)
{
    const struct search_parameter *parameter = clause->parameter;
    struct composite *composite = arena_zero(search->arena, sizeof(*composite));
    if (parameter->component_count == 0 || parameter->expression.length == 0) {
        return search_refuse(search, clause, "this server does not know its components.");
    }
    if (clause->modifier != STORE_PLAIN || clause->value_count == 0) {
        return search_refuse(search, clause, "this modifier is not supported with it.");
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        if (clause->values[i].part_count != parameter->component_count) {
            return search_refuse(search, clause, "give a value for each of its components.");
        }
    }
    const struct type_row *type =
        resource_row(definitions_tables(search->store->definitions), search->query->type);
    if (composite == NULL) {
        return STATUS_TOO_COSTLY;
    }
    composite->parts =
        arena_array(search->arena, parameter->component_count, sizeof(*composite->parts));
    if (composite->parts == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(compile(search, clause, parameter->expression, type, &composite->expression));
    for (size_t i = 0; i < parameter->component_count; i++) {
        TRY(part_prepare(search, clause, i, &composite->parts[i]));
        composite->part_count++;
    }
    struct test *test = &search->tests[search->test_count++];
    *test = (struct test){.kind = TEST_COMPOSITE, .clause = clause, .composite = composite};
    return STATUS_OK;
}

/* A resource's body while its values are compared. */
struct body {
    struct search *search;
    struct fhirpath_environment environment;
    struct fhirpath_node root;
    resource_type type;
    struct slice base_url;
    bool contained; /* its values have no numbers */
};

static enum status evaluate(struct body *body, const struct fhirpath *expression,
                            const struct fhirpath_node *focus,
                            struct fhirpath_collection *ret_values)
{
    enum status status = fhirpath_evaluate(expression, &body->environment, focus,
                                           body->search->scratch, NULL, ret_values);
    if (status == STATUS_INVALID || status == STATUS_NOT_SUPPORTED) {
        /* An expression that goes wrong on this resource finds nothing in it. */
        *ret_values = (struct fhirpath_collection){NULL, 0};
        return STATUS_OK;
    }
    return status;
}

/* Does one value match what is wanted AT of the part? As its facts say, and the value itself where
 * these leave a doubt. */
static enum status value_matches(struct body *body, const struct part *part, size_t at,
                                 const struct fhirpath_node *node, bool *ret_match)
{
    struct search *search = body->search;
    struct arena *scratch = search->scratch;
    struct test one = *part->test;
    one.wanted = &part->test->wanted[at];
    one.count = 1;
    struct search_path path = {.type = (enum fhir_type)node->type->fhir_type};
    struct facts raw = {.arena = scratch}, facts = {.arena = scratch};
    struct buffer blob = {.arena = scratch};
    extract_value_of(search->store, body->type, one.clause->parameter, &path, node->element,
                     node->value, body->base_url, &raw);
    if (body->contained) {
        bool decided;
        TRY(raw_matches(search, &one, &raw, &decided, ret_match));
        return decided ? STATUS_OK : test_body_value(&one, &path, node->value, scratch, ret_match);
    }
    TRY(facts_resolve(search->tx, &raw, &facts));
    facts_write(&facts, &blob);
    if (!buffer_ok(&blob)) {
        return STATUS_TOO_COSTLY;
    }
    enum match match = test_facts(&one, buffer_slice(&blob));
    *ret_match = match == MATCH_YES;
    return match == MATCH_MAYBE ? test_body_value(&one, &path, node->value, scratch, ret_match)
                                : STATUS_OK;
}

static enum status part_matches(struct body *body, const struct part *part, size_t at,
                                const struct fhirpath_node *focus, bool *ret_match)
{
    struct fhirpath_collection values;
    *ret_match = false;
    TRY(evaluate(body, part->expression, focus, &values));
    for (size_t i = 0; i < values.count && !*ret_match; i++) {
        const struct fhirpath_value *value = &values.items[i];
        if (value->kind == FHIRPATH_NODE && value->node.value != NULL) {
            TRY(value_matches(body, part, at, &value->node, ret_match));
        }
    }
    return STATUS_OK;
}

static enum status focus_matches(struct body *body, const struct test *test,
                                 const struct fhirpath_node *focus, bool *ret_match)
{
    const struct composite *composite = test->composite;
    *ret_match = false;
    for (size_t i = 0; i < test->clause->value_count && !*ret_match; i++) {
        *ret_match = true;
        for (size_t j = 0; j < composite->part_count && *ret_match; j++) {
            TRY(part_matches(body, &composite->parts[j], i, focus, ret_match));
        }
    }
    return STATUS_OK;
}

static enum status any_focus_matches(struct body *body, const struct test *test, bool *ret_match)
{
    struct fhirpath_collection focuses;
    TRY(evaluate(body, test->composite->expression, &body->root, &focuses));
    for (size_t i = 0; i < focuses.count && !*ret_match; i++) {
        if (focuses.items[i].kind == FHIRPATH_NODE) {
            TRY(focus_matches(body, test, &focuses.items[i].node, ret_match));
        }
    }
    return STATUS_OK;
}

static enum status body_matches(struct search *search, const struct test *test,
                                const struct place_body *place, bool contained, bool *ret_match)
{
    const struct definitions *definitions = search->store->definitions;
    struct body body = {.search = search,
                        .environment = {.definitions = definitions, .step_limit = STEP_LIMIT},
                        .root = fhirpath_root(definitions, place->type, place->root),
                        .type = place->type,
                        .base_url = place->base_url,
                        .contained = contained};
    return any_focus_matches(&body, test, ret_match);
}

enum status composite_test_contained(struct search *search, const struct test *test,
                                     const struct place_body *place, yyjson_val *resource,
                                     bool *ret_match)
{
    struct place_body inner = {search->query->type, place->base_url, resource};
    return body_matches(search, test, &inner, true, ret_match);
}

enum status composite_test(struct search *search, const struct test *test, int64_t rid,
                           bool *ret_match)
{
    struct arena_mark mark = arena_mark(search->scratch);
    struct place_body place;
    *ret_match = false;
    TRY(search_body_read(search, rid, &place));
    if (place.root != NULL) {
        TRY(body_matches(search, test, &place, false, ret_match));
    }
    arena_rewind(search->scratch, mark);
    return STATUS_OK;
}

/* ---- near ---------------------------------------------------------------------------------------
 */

#define EARTH_RADIUS 6371008.8 /* metres, mean (IUGG) */
#define RADIANS      0.017453292519943295

static double distance(double latitude, double longitude, const struct store_value *from)
{
    double south = sin((latitude - from->latitude) * RADIANS / 2);
    double east = sin((longitude - from->longitude) * RADIANS / 2);
    double h =
        south * south + cos(latitude * RADIANS) * cos(from->latitude * RADIANS) * east * east;
    return 2 * EARTH_RADIUS * asin(h < 1 ? sqrt(h) : 1);
}

enum status near_prepare(struct search *search, const struct store_clause *clause)
{
    struct slice type = resource_type_name(search->store->definitions, search->query->type);
    if (!slice_is(clause->parameter->code, "near") || !slice_is(type, "Location")) {
        return search_refuse(search, clause, "this server does not index it.");
    }
    if (clause->modifier != STORE_PLAIN || clause->value_count == 0) {
        return search_refuse(search, clause, "this modifier is not supported with it.");
    }
    search->tests[search->test_count++] = (struct test){.kind = TEST_NEAR, .clause = clause};
    return STATUS_OK;
}

static bool coordinate(yyjson_val *position, const char *name, double *ret_number)
{
    struct decimal number;
    if (!decimal_parse(json_number(json_get(position, name)), &number)) {
        return false;
    }
    *ret_number = decimal_double(number);
    return true;
}

bool near_test_body(const struct test *test, yyjson_val *location)
{
    double latitude = 0, longitude = 0;
    yyjson_val *position = location != NULL ? json_get(location, "position") : NULL;
    if (position == NULL || !coordinate(position, "latitude", &latitude) ||
        !coordinate(position, "longitude", &longitude)) {
        return false;
    }
    for (size_t i = 0; i < test->clause->value_count; i++) {
        const struct store_value *from = &test->clause->values[i];
        if (distance(latitude, longitude, from) <= from->metres) {
            return true;
        }
    }
    return false;
}

enum status near_test(struct search *search, const struct test *test, int64_t rid, bool *ret_match)
{
    struct arena_mark mark = arena_mark(search->scratch);
    struct place_body place;
    TRY(search_body_read(search, rid, &place));
    *ret_match = near_test_body(test, place.root);
    arena_rewind(search->scratch, mark);
    return STATUS_OK;
}
