/* SPDX-License-Identifier: MIT */
/* What the tests of search share: a search as in a URL, planned, and its plan as text. */
#ifndef CARELAYER_TESTS_SEARCH_TEST_H
#define CARELAYER_TESTS_SEARCH_TEST_H

#include "search/search.h"
#include "terms_test.h"

static struct search_options options;
static struct search_plan plan;
static struct outcome outcome;

static inline resource_type type_named(const char *name)
{
    return name == NULL || name[0] == '\0' ? RESOURCE_TYPE_NONE
                                           : resource_type_find(definitions, slice_text(name));
}

static inline int search_setup(void **state)
{
    int failed = terms_setup(state);
    options = (struct search_options){.definitions = definitions,
                                      .terms = terms,
                                      .conformance = conformance,
                                      .base_url = SLICE("http://here.example/fhir"),
                                      .count_default = 20,
                                      .count_max = 100};
    return failed;
}

#define SEARCH_TEST(name) cmocka_unit_test_setup_teardown(name, search_setup, terms_teardown)

/* QUERY is "name:modifier=value&...", not encoded. */
static inline enum status plan_of(const char *type, const char *query)
{
    struct search_argument arguments[16];
    size_t count = 0;
    struct slice rest = slice_text(query);
    while (rest.at != NULL && rest.length > 0) {
        struct slice one = slice_cut(&rest, '&');
        struct slice name = slice_head(one, slice_index(one, '='));
        struct slice bare = slice_head(name, slice_index(name, ':'));
        assert_true(count < 16);
        arguments[count++] = (struct search_argument){.name = bare,
                                                      .modifier = slice_from(name, bare.length + 1),
                                                      .value = slice_from(one, name.length + 1)};
    }
    options.type = type_named(type);
    outcome_init(&outcome, arena);
    return search_plan_make(&options, arguments, count, arena, &outcome, &plan);
}

static inline const char *message(void)
{
    struct buffer out = {.arena = arena};
    outcome_write_json(&outcome, &out);
    return as_text(&out);
}

/* ---- a plan as text ---- */

static inline void show_date(struct buffer *out, int64_t instant)
{
    char text[INSTANT_LENGTH + 1];
    if (instant == INT64_MIN || instant == INT64_MAX) {
        buffer_add_byte(out, '*');
        return;
    }
    instant_write(instant, text);
    buffer_add(out, slice_head(slice_text(text), 10));
}

static inline void show_type(struct buffer *out, resource_type type)
{
    if (type != RESOURCE_TYPE_NONE) {
        buffer_add(out, resource_type_name(definitions, type));
    }
}

static inline void show_value(struct buffer *out, const struct store_clause *clause,
                              const struct search_parameter *parameter,
                              const struct store_value *value)
{
    static const char *const compares[] = {"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"};
    bool reads_token = parameter->kind == SEARCH_TOKEN || clause->modifier == STORE_IDENTIFIER;
    if (clause->modifier == STORE_MISSING) {
        buffer_add_text(out, value->boolean ? "true" : "false");
        return;
    }
    if (value->has_codes) {
        for (size_t i = 0; i < value->code_count; i++) {
            buffer_print(out, "%s%.*s|%.*s", i > 0 ? " " : "", SLICE_ARGS(value->codes[i].system),
                         SLICE_ARGS(value->codes[i].code));
        }
        return;
    }
    if (search_kind_has_prefixes(parameter->kind)) {
        buffer_add_text(out, compares[value->compare]);
    }
    if (parameter->kind == SEARCH_DATE) {
        show_date(out, value->low);
        buffer_add_text(out, "..");
        show_date(out, value->high);
    } else if (search_kind_has_prefixes(parameter->kind)) {
        decimal_write(value->number, out);
    }
    if (reads_token || parameter->kind == SEARCH_QUANTITY) {
        buffer_print(out, "%s%.*s%s%.*s", parameter->kind == SEARCH_QUANTITY ? " " : "",
                     SLICE_ARGS(value->system), value->has_system ? "|" : "",
                     SLICE_ARGS(value->code));
    }
    if (parameter->kind == SEARCH_REFERENCE && !reads_token && value->id.length > 0) {
        show_type(out, value->target);
        buffer_print(out, "/%.*s", SLICE_ARGS(value->id));
    }
    if (value->text.length > 0) {
        buffer_print(out, "'%.*s'", SLICE_ARGS(value->text));
    }
    for (size_t i = 0; i < value->part_count; i++) {
        buffer_add_text(out, i > 0 ? " $ " : "");
        show_value(out, clause, parameter->components[i].parameter, &value->parts[i]);
    }
    if (parameter->kind == SEARCH_SPECIAL) {
        buffer_print(out, "%.2f %.2f %.0fm", value->latitude, value->longitude, value->metres);
    }
}

static inline void show_query(struct buffer *out, const struct store_query *query);

static inline void show_clause(struct buffer *out, const struct store_clause *clause)
{
    static const char *const names[] = {"",       ":missing", ":not",        ":exact", ":contains",
                                        ":below", ":above",   ":identifier", ":text",  ":of-type",
                                        "->",     "<-",       "any"};
    struct slice code = clause->parameter != NULL ? clause->parameter->code : (struct slice){0};
    buffer_print(out, "%.*s%s", SLICE_ARGS(code), names[clause->modifier]);
    for (size_t i = 0; i < clause->query_count; i++) {
        buffer_add_text(out, i > 0 ? "|(" : "(");
        show_query(out, &clause->queries[i]);
        buffer_add_byte(out, ')');
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        buffer_add_byte(out, i > 0 ? ',' : '=');
        show_value(out, clause, clause->parameter, &clause->values[i]);
    }
}

static inline void show_query(struct buffer *out, const struct store_query *query)
{
    show_type(out, query->type);
    for (size_t i = 0; query->types != NULL && i < query->type_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "types ");
        show_type(out, query->types[i]);
    }
    if (query->has_patient) {
        buffer_print(out, " of %.*s", SLICE_ARGS(query->patient));
    }
    for (size_t i = 0; i < query->id_count; i++) {
        buffer_print(out, "%s%.*s", i > 0 ? "," : " id=", SLICE_ARGS(query->ids[i]));
    }
    if (query->ids != NULL && query->id_count == 0) {
        buffer_add_text(out, " no id");
    }
    if (query->updated_low != 0 || query->updated_high != 0) {
        buffer_add_text(out, " at ");
        show_date(out, query->updated_low);
        buffer_add_text(out, "..");
        show_date(out, query->updated_high);
    }
    for (size_t i = 0; i < query->clause_count; i++) {
        buffer_add_byte(out, ' ');
        show_clause(out, &query->clauses[i]);
    }
}

static inline const char *shown(const char *type, const char *query)
{
    struct buffer out = {.arena = arena};
    enum status status = plan_of(type, query);
    if (status != STATUS_OK) {
        print_error("%s?%s: %s\n", type, query, message());
    }
    assert_int_equal(status, STATUS_OK);
    show_query(&out, &plan.query);
    return as_text(&out);
}

#endif
