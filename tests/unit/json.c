/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "testing.h"

static struct json read_json(struct arena *arena, const char *text)
{
    struct json json;
    assert_int_equal(json_read(slice_text(text), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    return json;
}

static void assert_refused(struct arena *arena, struct slice text, uint32_t line, uint32_t column)
{
    struct outcome outcome;
    struct json json;
    outcome_init(&outcome, arena);
    assert_int_equal(json_read(text, &json_limits_default, arena, &outcome, &json),
                     STATUS_STRUCTURE);
    assert_int_equal(outcome.errors, 1);
    assert_int_equal(outcome.first->line, line);
    assert_int_equal(outcome.first->column, column);
    assert_true(outcome.first->text.length > 0);
}

static void reads_members_strings_and_numbers_as_written(void **state)
{
    struct json json = read_json(*state, " {\"a\":\"x\\u00e9\\n\",\"b\":-1.500E+02,\"c\":[]} ");
    assert_slice_is(json_get_string(json.root, "a"), "x\xC3\xA9\n");
    assert_slice_is(json_number(json_get(json.root, "b")), "-1.500E+02");
    assert_null(json_get(json.root, "d"));
    assert_null(json_get(NULL, "a"));
    assert_null(json_get(json_get(json.root, "c"), "a"));
    assert_null(json_get_string(json.root, "b").at);
    assert_null(json_number(json_get(json.root, "a")).at);
    assert_null(json_string(NULL).at);
}

static void skips_a_byte_order_mark_without_counting_it(void **state)
{
    struct json json = read_json(*state, "\xEF\xBB\xBF{\"a\":1}");
    uint32_t line = 0, column = 0;
    json_position(&json, json_get(json.root, "a"), &line, &column);
    assert_int_equal(line, 1);
    assert_int_equal(column, 6);
    assert_refused(*state, SLICE("\xEF\xBB\xBF"), 1, 1);
    assert_refused(*state, SLICE("\xEF\xBB\xBF\xEF\xBB\xBF{}"), 1, 1);
}

static void names_line_and_column_of_what_is_wrong(void **state)
{
    assert_refused(*state, SLICE(""), 1, 1);
    assert_refused(*state, SLICE("{\n  \"a\": tru\n}"), 2, 8);
    assert_refused(*state, SLICE("{\n\"a\": 1,\n}"), 2, 7);
    assert_refused(*state, SLICE("[1] [2]"), 1, 5);
    assert_refused(*state, SLICE("[1,\n 01]"), 2, 2);
    assert_refused(*state, SLICE("{\"a\":1"), 1, 7);
    assert_refused(*state, slice_of("[1]\0", 4), 1, 4);
}

static void never_quotes_the_input_in_an_error(void **state)
{
    static const char *const texts[] = {
        "{\"nhs\": \"SECRETWORD", "{\"SECRETWORD\" 1}",    "SECRETWORD",
        "[\"a\" SECRETWORD]",     "{\"a\": 12SECRETWORD}", "\"SECRETWORD\\q\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct outcome outcome;
        struct json json;
        struct buffer out = {.arena = *state};
        outcome_init(&outcome, *state);
        assert_int_equal(
            json_read(slice_text(texts[i]), &json_limits_default, *state, &outcome, &json),
            STATUS_STRUCTURE);
        outcome_write_json(&outcome, &out);
        assert_null(memmem(out.at, out.length, "SECRET", 6));
    }
}

static void passes_over_comments_only_where_that_is_asked(void **state)
{
    struct json_limits lenient = json_limits_default;
    struct json json;
    const struct slice text = SLICE("// a\n{/* b */\"c\":\"// d\"}\n/* e */");
    lenient.comments = true;
    assert_refused(*state, text, 1, 1);
    assert_int_equal(json_read(text, &lenient, *state, NULL, &json), STATUS_OK);
    assert_slice_is(json_get_string(json.root, "c"), "// d");
    assert_int_equal(json_read(SLICE("{} // a /* b"), &lenient, *state, NULL, &json), STATUS_OK);
    assert_int_equal(json_read(SLICE("{} /* a"), &lenient, *state, NULL, &json), STATUS_STRUCTURE);
}

static void refuses_what_is_over_a_limit(void **state)
{
    struct json_limits limits = {.bytes = 20, .depth = 3, .values = 5};
    struct json json;
    assert_int_equal(json_read(SLICE("[[[1,2]]]"), &limits, *state, NULL, &json), STATUS_OK);
    assert_int_equal(json_read(SLICE("[[[1,2,3]]]"), &limits, *state, NULL, &json),
                     STATUS_TOO_COSTLY);
    assert_int_equal(json_read(SLICE("[[[[]]]]"), &limits, *state, NULL, &json), STATUS_STRUCTURE);
    assert_int_equal(json_read(SLICE("\"0123456789012345678\""), &limits, *state, NULL, &json),
                     STATUS_TOO_LONG);
    /* Depth is nesting, not the number of containers. */
    limits.values = 100;
    assert_int_equal(json_read(SLICE("[[[],[]],[],[[],{}]]"), &limits, *state, NULL, &json),
                     STATUS_OK);
}

static void says_where_it_is_too_deep(void **state)
{
    struct outcome outcome;
    struct json json;
    struct json_limits limits = json_limits_default;
    limits.depth = 2;
    outcome_init(&outcome, *state);
    assert_int_equal(json_read(SLICE("{\n\"a\": [\n1, [2]]}"), &limits, *state, &outcome, &json),
                     STATUS_STRUCTURE);
    assert_int_equal(outcome.first->line, 3);
}

static void refuses_ten_thousand_levels_whatever_the_limit(void **state)
{
    struct json_limits limits = {.bytes = SIZE_MAX, .depth = UINT32_MAX, .values = UINT32_MAX};
    struct buffer text = {.arena = *state};
    struct json json;
    for (int i = 0; i < 10000; i++) {
        buffer_add_byte(&text, '[');
    }
    for (int i = 0; i < 10000; i++) {
        buffer_add_byte(&text, ']');
    }
    assert_int_equal(json_read(buffer_slice(&text), &limits, *state, NULL, &json),
                     STATUS_STRUCTURE);
    struct slice allowed = {text.at + 10000 - JSON_DEPTH_MOST, (size_t)2 * JSON_DEPTH_MOST};
    assert_int_equal(json_read(allowed, &limits, *state, NULL, &json), STATUS_OK);
    struct buffer out = {.arena = *state}, changed = {.arena = *state};
    json_write(json.root, NULL, NULL, &out);
    assert_true(slice_equals(buffer_slice(&out), allowed));
    json_write_mutable(yyjson_mut_doc_get_root(json_mutable(*state, json.root)), &changed);
    assert_true(slice_equals(buffer_slice(&changed), allowed));
}

static void ends_too_costly_when_the_arena_is_small(void **state)
{
    struct buffer text = {.arena = *state};
    buffer_add_byte(&text, '[');
    for (int i = 0; i < 50000; i++) {
        buffer_add_text(&text, "1,");
    }
    buffer_add_text(&text, "1]");
    struct arena *small = arena_create(300000);
    struct json json;
    assert_int_equal(json_read(buffer_slice(&text), &json_limits_default, small, NULL, &json),
                     STATUS_TOO_COSTLY);
    assert_true(arena_full(small));
    arena_destroy(small);
}

static void keeps_only_the_memory_that_the_values_need(void **state)
{
    struct buffer text = {.arena = *state};
    buffer_add_byte(&text, '"');
    for (int i = 0; i < 1000000; i++) {
        buffer_add_byte(&text, 'x');
    }
    buffer_add_byte(&text, '"');
    struct arena *arena = arena_create((size_t)64 << 20);
    struct json json;
    assert_int_equal(json_read(buffer_slice(&text), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    assert_true(arena_used(arena) < 1010000);
    arena_destroy(arena);
}

static void finds_lines_and_columns_forwards_and_backwards(void **state)
{
    static const char text[] = "{\n"
                               "  \"name\": [\n"
                               "    {\"given\": \"a\\u0041\"},\n"
                               "    null, 12.50\n"
                               "  ],\n"
                               "  \"active\": true\n"
                               "}\n";
    struct json json = read_json(*state, text);
    yyjson_val *names = json_get(json.root, "name");
    yyjson_val *given = json_get(yyjson_arr_get(names, 0), "given");
    const struct {
        const yyjson_val *value;
        uint32_t line, column;
    } rows[] = {{json.root, 1, 1},
                {json.root + 1, 2, 3},
                {names, 2, 3},
                {given, 3, 15},
                {yyjson_arr_get(names, 1), 3, 15},
                {yyjson_arr_get(names, 2), 4, 11},
                {json_get(json.root, "active"), 6, 3}};
    size_t count = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < 2 * count; i++) {
        size_t at = i < count ? i : 2 * count - 1 - i;
        uint32_t line = 0, column = 0;
        json_position(&json, rows[at].value, &line, &column);
        assert_int_equal(line, rows[at].line);
        assert_int_equal(column, rows[at].column);
    }
    struct json other = read_json(*state, "[1]");
    uint32_t line = 7, column = 7;
    json_position(&json, other.root, &line, &column);
    assert_int_equal(line, 0);
    assert_int_equal(column, 0);
}

static void writes_what_it_read_digit_for_digit(void **state)
{
    static const char *const texts[] = {
        "1.500",
        "\"\"",
        "null",
        "true",
        "[]",
        "{}",
        "[[],{},[[]],{\"a\":{}}]",
        "{\"a\":1e5,\"b\":-0.0,\"b\":false,\"c\":[1,\"2\",null,{\"d\":[3]}],\"e\":0.10}",
        "[\"\\\"\\\\\\n\\u0001\xC3\xA9/\"]",
        "{\"\\\"key\\\"\":[{\"x\":[[[1]]]},2]}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json json = read_json(*state, texts[i]);
        struct buffer out = {.arena = *state}, changed = {.arena = *state};
        json_write(json.root, NULL, NULL, &out);
        assert_buffer_is(&out, texts[i]);
        yyjson_mut_doc *copy = json_mutable(*state, json.root);
        assert_non_null(copy);
        json_write_mutable(yyjson_mut_doc_get_root(copy), &changed);
        assert_buffer_is(&changed, texts[i]);
    }
}

static void writes_a_part_of_a_document(void **state)
{
    struct json json = read_json(*state, "{\"a\":[{\"b\":1},{\"c\":[2,3]}],\"z\":9}");
    struct buffer out = {.arena = *state};
    json_write(json_get(json.root, "a"), NULL, NULL, &out);
    assert_buffer_is(&out, "[{\"b\":1},{\"c\":[2,3]}]");
    out.length = 0;
    json_write(json_get(json.root, "z"), NULL, NULL, &out);
    assert_buffer_is(&out, "9");
}

static void indents_for_people(void **state)
{
    struct json json = read_json(*state, "{\"a\":[1,{\"b\":[]}],\"c\":{}}");
    struct buffer out = {.arena = *state};
    json_write_pretty(json.root, &out);
    assert_buffer_is(&out, "{\n"
                           "  \"a\": [\n"
                           "    1,\n"
                           "    {\n"
                           "      \"b\": []\n"
                           "    }\n"
                           "  ],\n"
                           "  \"c\": {}\n"
                           "}");
}

struct seen {
    struct buffer names;
};

static bool note_and_replace(void *context, struct slice name, struct slice text,
                             struct slice *ret_text)
{
    struct seen *seen = context;
    buffer_add(&seen->names, name);
    buffer_add_byte(&seen->names, '=');
    buffer_add(&seen->names, text);
    buffer_add_byte(&seen->names, ' ');
    *ret_text = SLICE("n\"w");
    return slice_is(text, "old");
}

static void rewrites_strings_by_member_name_but_never_keys(void **state)
{
    struct json json =
        read_json(*state, "{\"old\":\"old\",\"given\":[\"a\",[\"old\"],{\"x\":\"b\"},"
                          "\"c\"],\"after\":\"old\",\"n\":1}");
    struct seen seen = {.names = {.arena = *state}};
    struct buffer out = {.arena = *state};
    json_write(json.root, note_and_replace, &seen, &out);
    assert_buffer_is(&out, "{\"old\":\"n\\\"w\",\"given\":[\"a\",[\"n\\\"w\"],{\"x\":\"b\"},\"c\"],"
                           "\"after\":\"n\\\"w\",\"n\":1}");
    assert_buffer_is(&seen.names, "old=old given=a given=old x=b given=c after=old ");
}

static void writes_values_that_a_program_put_in(void **state)
{
    struct json json = read_json(*state, "{\"a\":1}");
    yyjson_mut_doc *doc = json_mutable(*state, json.root);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    assert_true(yyjson_mut_obj_add_uint(doc, root, "u", UINT64_MAX));
    assert_true(yyjson_mut_obj_add_sint(doc, root, "s", INT64_MIN));
    assert_true(yyjson_mut_obj_add_real(doc, root, "r", 0.5));
    assert_true(yyjson_mut_obj_add_bool(doc, root, "t", true));
    assert_true(yyjson_mut_obj_add_null(doc, root, "n"));
    assert_true(yyjson_mut_obj_add_strcpy(doc, root, "q", "\"\n"));
    struct buffer out = {.arena = *state};
    json_write_mutable(root, &out);
    assert_buffer_is(&out, "{\"a\":1,\"u\":18446744073709551615,\"s\":-9223372036854775808,"
                           "\"r\":0.5,\"t\":true,\"n\":null,\"q\":\"\\\"\\n\"}");
}

static void positions_of_many_values_take_linear_time(void **state)
{
    struct buffer text = {.arena = *state};
    buffer_add_byte(&text, '[');
    for (int i = 0; i < 200000; i++) {
        buffer_add_text(&text, "\n 1,");
    }
    buffer_add_text(&text, "2]");
    struct json json;
    assert_int_equal(json_read(buffer_slice(&text), &json_limits_default, *state, NULL, &json),
                     STATUS_OK);
    for (uint32_t i = 1; i <= 200000; i++) {
        uint32_t line = 0, column = 0;
        json_position(&json, json.root + i, &line, &column);
        assert_true(line == i + 1 && column == 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(reads_members_strings_and_numbers_as_written),
        TEST_IN_ARENA(skips_a_byte_order_mark_without_counting_it),
        TEST_IN_ARENA(names_line_and_column_of_what_is_wrong),
        TEST_IN_ARENA(never_quotes_the_input_in_an_error),
        TEST_IN_ARENA(passes_over_comments_only_where_that_is_asked),
        TEST_IN_ARENA(refuses_what_is_over_a_limit),
        TEST_IN_ARENA(says_where_it_is_too_deep),
        TEST_IN_ARENA(refuses_ten_thousand_levels_whatever_the_limit),
        TEST_IN_ARENA(ends_too_costly_when_the_arena_is_small),
        TEST_IN_ARENA(keeps_only_the_memory_that_the_values_need),
        TEST_IN_ARENA(finds_lines_and_columns_forwards_and_backwards),
        TEST_IN_ARENA(writes_what_it_read_digit_for_digit),
        TEST_IN_ARENA(writes_a_part_of_a_document),
        TEST_IN_ARENA(indents_for_people),
        TEST_IN_ARENA(rewrites_strings_by_member_name_but_never_keys),
        TEST_IN_ARENA(writes_values_that_a_program_put_in),
        TEST_IN_ARENA(positions_of_many_values_take_linear_time),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
