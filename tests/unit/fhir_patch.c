/* SPDX-License-Identifier: MIT */
/* JSON Patch: what the suite leaves open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fhir/fhir.h"

static struct arena *arena;
static struct outcome outcome;

static yyjson_val *parse(const char *text)
{
    struct json json;
    assert_int_equal(json_read(slice_text(text), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    return json.root;
}

static enum status apply(const char *target, const char *patch, struct slice *ret_text)
{
    yyjson_mut_doc *result = NULL;
    outcome_init(&outcome, arena);
    enum status status = patch_json_apply(parse(target), parse(patch), arena, &outcome, &result);
    if (status == STATUS_OK) {
        struct buffer out = {.arena = arena};
        json_write_mutable(yyjson_mut_doc_get_root(result), &out);
        *ret_text = buffer_slice(&out);
    } else {
        assert_null(result);
    }
    return status;
}

static void assert_patched(const char *target, const char *patch, const char *expected)
{
    struct slice text = {NULL, 0};
    assert_int_equal(apply(target, patch, &text), STATUS_OK);
    assert_string_equal(arena_copy(arena, text).at, expected);
}

static void assert_refused(const char *target, const char *patch, enum status expected)
{
    struct slice text = {NULL, 0};
    assert_string_equal(status_name(apply(target, patch, &text)), status_name(expected));
    assert_int_equal(outcome.errors, 1);
}

static void numbers_are_equal_by_value(void **state)
{
    (void)state;
    static const char *const equal[][2] = {
        {"1", "1.0"},
        {"1.0", "1e0"},
        {"100", "1E+2"},
        {"0.010", "1e-2"},
        {"-0", "0"},
        {"0e5", "0.000"},
        {"12.50", "125e-1"},
        {"123456789012345678901234567890123456789012345678901",
         "1234567890123456789012345678901234567890123456789010e-1"},
        {"1e99999999999999999999", "1e99999999999999999999"}};
    static const char *const different[][2] = {
        {"1", "2"},
        {"1", "-1"},
        {"1", "10"},
        {"1.01", "1.001"},
        {"1", "1e1"},
        {"0", "1e-9"},
        {"9007199254740993", "9007199254740992"},
        {"123456789012345678901234567890123456789012345678901",
         "123456789012345678901234567890123456789012345678902"}};
    struct slice text;
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++) {
        const char *patch =
            arena_print(arena, "[{\"op\":\"test\",\"path\":\"/n\",\"value\":%s}]", equal[i][1]);
        assert_int_equal(apply(arena_print(arena, "{\"n\":%s}", equal[i][0]), patch, &text),
                         STATUS_OK);
    }
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        assert_refused(
            arena_print(arena, "{\"n\":%s}", different[i][0]),
            arena_print(arena, "[{\"op\":\"test\",\"path\":\"/n\",\"value\":%s}]", different[i][1]),
            STATUS_UNPROCESSABLE);
    }
}

static void keeps_the_digits_of_decimals(void **state)
{
    (void)state;
    assert_patched("{\"a\":1.50,\"b\":[0.010]}",
                   "[{\"op\":\"copy\",\"from\":\"/b/0\",\"path\":\"/c\"},"
                   "{\"op\":\"add\",\"path\":\"/d\",\"value\":2.00}]",
                   "{\"a\":1.50,\"b\":[0.010],\"c\":0.010,\"d\":2.00}");
}

static void tests_objects_without_regard_to_order(void **state)
{
    (void)state;
    assert_patched("{\"o\":{\"a\":[1,{\"x\":null}],\"b\":true}}",
                   "[{\"op\":\"test\",\"path\":\"/o\",\"value\":"
                   "{\"b\":true,\"a\":[1.0,{\"x\":null}]}}]",
                   "{\"o\":{\"a\":[1,{\"x\":null}],\"b\":true}}");
    assert_refused("{\"o\":{\"a\":1,\"b\":2}}",
                   "[{\"op\":\"test\",\"path\":\"/o\",\"value\":{\"a\":1}}]", STATUS_UNPROCESSABLE);
    assert_refused("{\"o\":[1,2]}", "[{\"op\":\"test\",\"path\":\"/o\",\"value\":[2,1]}]",
                   STATUS_UNPROCESSABLE);
    assert_refused("{\"o\":false}", "[{\"op\":\"test\",\"path\":\"/o\",\"value\":null}]",
                   STATUS_UNPROCESSABLE);
}

static void replaces_members_in_their_place(void **state)
{
    (void)state;
    assert_patched("{\"a\":1,\"b\":2,\"c\":3}",
                   "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":{\"x\":[1,2]}},"
                   "{\"op\":\"add\",\"path\":\"/a\",\"value\":[]}]",
                   "{\"a\":[],\"b\":{\"x\":[1,2]},\"c\":3}");
}

static void adds_to_and_takes_from_arrays(void **state)
{
    (void)state;
    assert_patched("[1,2,3]",
                   "[{\"op\":\"add\",\"path\":\"/0\",\"value\":0},"
                   "{\"op\":\"add\",\"path\":\"/4\",\"value\":4},"
                   "{\"op\":\"add\",\"path\":\"/-\",\"value\":5},"
                   "{\"op\":\"remove\",\"path\":\"/2\"},"
                   "{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/-\"}]",
                   "[1,3,4,5,0]");
    assert_refused("[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":0}]", STATUS_UNPROCESSABLE);
    assert_refused("[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", STATUS_UNPROCESSABLE);
    assert_refused("[1]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":0}]",
                   STATUS_UNPROCESSABLE);
    assert_refused("[1]", "[{\"op\":\"add\",\"path\":\"/+0\",\"value\":0}]", STATUS_UNPROCESSABLE);
    assert_refused("[1]", "[{\"op\":\"add\",\"path\":\"/\",\"value\":0}]", STATUS_UNPROCESSABLE);
    assert_refused("[1]", "[{\"op\":\"add\",\"path\":\"/18446744073709551616\",\"value\":0}]",
                   STATUS_UNPROCESSABLE);
}

static void reads_escapes_of_pointers(void **state)
{
    (void)state;
    assert_patched("{\"a/b\":1,\"m~n\":2,\"~1\":3,\"\":4}",
                   "[{\"op\":\"replace\",\"path\":\"/a~1b\",\"value\":10},"
                   "{\"op\":\"replace\",\"path\":\"/m~0n\",\"value\":20},"
                   "{\"op\":\"replace\",\"path\":\"/~01\",\"value\":30},"
                   "{\"op\":\"replace\",\"path\":\"/\",\"value\":40},"
                   "{\"op\":\"add\",\"path\":\"/x~1~0\",\"value\":5}]",
                   "{\"a/b\":10,\"m~n\":20,\"~1\":30,\"\":40,\"x/~\":5}");
    assert_refused("{}", "[{\"op\":\"add\",\"path\":\"/~\",\"value\":1}]", STATUS_STRUCTURE);
    assert_refused("{}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", STATUS_STRUCTURE);
    assert_refused("{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", STATUS_STRUCTURE);
}

static void refuses_to_move_a_value_into_itself(void **state)
{
    (void)state;
    assert_refused("{\"a\":{\"b\":{}}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b/c\"}]",
                   STATUS_UNPROCESSABLE);
    assert_refused("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/b\"}]",
                   STATUS_UNPROCESSABLE);
    assert_refused("[{\"a\":1},{\"b\":2}]", "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/0/c\"}]",
                   STATUS_UNPROCESSABLE);
    assert_patched("{\"a\":1,\"ab\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]",
                   "{\"ab\":1}");
    assert_patched("{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]",
                   "{\"a\":1,\"b\":2}");
    assert_patched("{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"\"}]", "1");
}

static void copies_are_independent(void **state)
{
    (void)state;
    assert_patched("{\"a\":{\"x\":1}}",
                   "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},"
                   "{\"op\":\"replace\",\"path\":\"/a/x\",\"value\":2},"
                   "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/c\"}]",
                   "{\"a\":{\"x\":2},\"b\":{\"x\":1},\"c\":{\"a\":{\"x\":2},\"b\":{\"x\":1}}}");
}

static void does_all_or_nothing(void **state)
{
    (void)state;
    yyjson_val *target = parse("{\"a\":1}");
    yyjson_mut_doc *result = NULL;
    outcome_init(&outcome, arena);
    enum status status = patch_json_apply(target,
                                          parse("[{\"op\":\"add\",\"path\":\"/b\",\"value\":2},"
                                                "{\"op\":\"remove\",\"path\":\"/c\"}]"),
                                          arena, &outcome, &result);
    assert_int_equal(status, STATUS_UNPROCESSABLE);
    assert_null(result);
    assert_int_equal(yyjson_obj_size(target), 1);
}

static void names_the_operation_but_no_value(void **state)
{
    (void)state;
    assert_refused("{\"secret\":\"Zebedee\"}",
                   "[{\"op\":\"test\",\"path\":\"/secret\",\"value\":\"Zebedee\"},"
                   "{\"op\":\"test\",\"path\":\"/secret\",\"value\":\"Quixote\"}]",
                   STATUS_UNPROCESSABLE);
    const char *text = arena_copy(arena, outcome.first->text).at;
    assert_non_null(strstr(text, "Operation 1"));
    assert_null(strstr(text, "Zebedee"));
    assert_null(strstr(text, "Quixote"));
}

static void refuses_a_malformed_patch_before_it_tries_any_of_it(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "{}",
        "[1]",
        "[{\"path\":\"/a\"}]",
        "[{\"op\":\"spam\",\"path\":\"/a\"}]",
        "[{\"op\":1,\"path\":\"/a\"}]",
        "[{\"op\":\"add\",\"path\":\"/a\"}]",
        "[{\"op\":\"add\",\"path\":null,\"value\":1}]",
        "[{\"op\":\"move\",\"path\":\"/a\"}]",
        "[{\"op\":\"add\",\"op\":\"remove\",\"path\":\"/a\",\"value\":1}]",
        "[{\"op\":\"remove\",\"path\":\"/nothing\"},{\"op\":\"add\"}]"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_refused("{\"a\":1}", malformed[i], STATUS_STRUCTURE);
    }
}

static void refuses_what_would_be_too_deep_or_too_large(void **state)
{
    (void)state;
    struct buffer patch = {.arena = arena};
    buffer_add_byte(&patch, '[');
    for (int i = 0; i < 70; i++) {
        buffer_print(&patch, "%s{\"op\":\"add\",\"path\":\"", i > 0 ? "," : "");
        for (int j = 0; j <= i; j++) {
            buffer_add_text(&patch, "/a");
        }
        buffer_add_text(&patch, "\",\"value\":{}}");
    }
    buffer_add(&patch, slice_of("]\0", 2));
    assert_refused("{}", patch.at, STATUS_UNPROCESSABLE);

    struct buffer doubling = {.arena = arena};
    buffer_add_byte(&doubling, '[');
    for (int i = 0; i < 60; i++) {
        buffer_print(&doubling, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}",
                     i > 0 ? "," : "");
    }
    buffer_add(&doubling, slice_of("]\0", 2));
    struct slice text;
    enum status status = apply("{\"a\":[1]}", doubling.at, &text);
    assert_true(status == STATUS_UNPROCESSABLE || status == STATUS_TOO_COSTLY);
}

static void survives_a_lack_of_memory_at_any_point(void **state)
{
    (void)state;
    yyjson_val *target = parse("{\"a\":[1,2,{\"b~\":\"c\"}]}");
    yyjson_val *patch = parse("[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/d\"},"
                              "{\"op\":\"add\",\"path\":\"/a/2/b~0\",\"value\":[1]}]");
    enum status status = STATUS_INTERNAL;
    for (unsigned long i = 1; i < 1000 && status != STATUS_OK; i++) {
        struct arena *small = arena_create((size_t)1 << 20);
        yyjson_mut_doc *result = NULL;
        arena_fail_after(i);
        status = patch_json_apply(target, patch, small, NULL, &result);
        arena_fail_after(0);
        assert_true(status == STATUS_OK || status == STATUS_TOO_COSTLY);
        arena_destroy(small);
    }
    assert_int_equal(status, STATUS_OK);
}

static int arena_open(void **state)
{
    (void)state;
    arena = arena_create((size_t)4 << 20);
    return arena != NULL ? 0 : -1;
}

static int arena_close(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

#define PATCH_TEST(name) cmocka_unit_test_setup_teardown(name, arena_open, arena_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATCH_TEST(numbers_are_equal_by_value),
        PATCH_TEST(keeps_the_digits_of_decimals),
        PATCH_TEST(tests_objects_without_regard_to_order),
        PATCH_TEST(replaces_members_in_their_place),
        PATCH_TEST(adds_to_and_takes_from_arrays),
        PATCH_TEST(reads_escapes_of_pointers),
        PATCH_TEST(refuses_to_move_a_value_into_itself),
        PATCH_TEST(copies_are_independent),
        PATCH_TEST(does_all_or_nothing),
        PATCH_TEST(names_the_operation_but_no_value),
        PATCH_TEST(refuses_a_malformed_patch_before_it_tries_any_of_it),
        PATCH_TEST(refuses_what_would_be_too_deep_or_too_large),
        PATCH_TEST(survives_a_lack_of_memory_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
