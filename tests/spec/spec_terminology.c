/* SPDX-License-Identifier: MIT */
/* suites/terminology, the HL7 terminology ecosystem's tests, as data: each suite's code systems,
 * value sets and concept maps are loaded, each question is asked, and the answer compared as the
 * suite's readme says. The files are in R5's form: properties of an expansion, which R4 writes as
 * extensions, are put back before comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "terminology_compare.h"
#include "terms/terms.h"

static struct definitions *definitions;
static const char *folder;
static yyjson_val *exclusions;

static struct slice file_read(struct arena *arena, const char *path)
{
    struct slice text;
    return disk_read_file(path, (size_t)64 << 20, arena, &text) == STATUS_OK ? text
                                                                             : (struct slice){0};
}

static struct slice suite_file(struct arena *arena, struct slice name)
{
    return file_read(arena, arena_print(arena, "%s/terminology/%.*s", folder, SLICE_ARGS(name)));
}

static yyjson_val *suite_json(struct arena *arena, struct slice name)
{
    struct json json;
    struct slice text = suite_file(arena, name);
    if (text.length == 0 ||
        json_read(text, &json_limits_default, arena, NULL, &json) != STATUS_OK) {
        return NULL;
    }
    return json.root;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    enum terms_operation operation;
} operations[] = {
    {"expand", TERMS_EXPAND},
    {"validate-code", TERMS_VALIDATE_SET},
    {"cs-validate-code", TERMS_VALIDATE_SYSTEM},
    {"batch-validate", TERMS_VALIDATE_SET_BATCH},
    {"lookup", TERMS_LOOKUP},
    {"subsumes", TERMS_SUBSUMES_CODE},
    {"translate", TERMS_TRANSLATE},
};

static bool ask(struct terms *terms, yyjson_val *test, struct arena *arena, struct buffer *out,
                int *ret_http)
{
    struct terms_parameter *own, *profile = NULL, *all;
    size_t own_count, profile_count = 0;
    struct terms_question question = {.language = json_get_string(test, "Accept-Language")};
    bool known = false;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (slice_is(json_get_string(test, "operation"), operations[i].name)) {
            question.operation = operations[i].operation;
            known = true;
        }
    }
    yyjson_val *request = suite_json(arena, json_get_string(test, "request"));
    yyjson_val *more = suite_json(arena, json_get_string(test, "profile"));
    if (!known || request == NULL ||
        terms_parameters_read(request, arena, &own, &own_count) != STATUS_OK ||
        terms_parameters_read(more, arena, &profile, &profile_count) != STATUS_OK) {
        return false;
    }
    all = arena_array(arena, own_count + profile_count + 1, sizeof *all);
    memcpy(all, own, own_count * sizeof *all);
    memcpy(all + own_count, profile, profile_count * sizeof *all);
    question.parameters = all;
    question.count = own_count + profile_count;
    return terms_answer(terms, &question, arena, out, ret_http) == STATUS_OK;
}

/* ---- one test ---------------------------------------------------------------------------------
 */

static yyjson_val *exclusion_of(struct slice suite, struct slice name)
{
    size_t at, max;
    yyjson_val *entry;
    yyjson_arr_foreach(exclusions, at, max, entry)
    {
        if (slice_equals(json_get_string(entry, "suite"), suite) &&
            slice_equals(json_get_string(entry, "test"), name)) {
            return entry;
        }
    }
    return NULL;
}

static bool holds(struct terms *terms, yyjson_val *test, struct arena *arena, struct buffer *why)
{
    struct buffer out = {.arena = arena};
    struct json answer;
    int http = 0;
    if (!ask(terms, test, arena, &out, &http)) {
        buffer_add_text(why, "no answer");
        return false;
    }
    if (json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &answer) != STATUS_OK) {
        buffer_print(why, "not JSON: %.*s", SLICE_ARGS(buffer_slice(&out)));
        return false;
    }
    bool refused = json_get(test, "http-code") != NULL;
    if (refused != (http >= 400 && http < 500)) {
        buffer_print(why, "answered %d: %.*s", http, SLICE_ARGS(buffer_slice(&out)));
        return false;
    }
    yyjson_val *expected = suite_json(arena, json_get_string(test, "response"));
    yyjson_val *actual = as_r5(answer.root, arena);
    if (compare(expected, actual, arena, why)) {
        return true;
    }
    buffer_print(why, "\n    got %.*s", SLICE_ARGS(buffer_slice(&out)));
    return false;
}

struct tally {
    size_t passed, failed, excluded, wrongly_excluded;
};

static void run_case(struct terms *terms, struct slice suite, yyjson_val *test, struct tally *tally)
{
    struct arena *arena = arena_create((size_t)256 << 20);
    struct buffer why = {.arena = arena};
    struct slice name = json_get_string(test, "name");
    yyjson_val *exclusion = exclusion_of(suite, name);
    bool passed = holds(terms, test, arena, &why);
    const char *wanted = getenv("CARELAYER_SUITE_TEST");
    if (exclusion != NULL && !passed) {
        tally->excluded++;
    } else if (exclusion != NULL) {
        tally->wrongly_excluded++;
        print_message("excluded, but passes: %.*s\n", SLICE_ARGS(name));
    } else if (passed) {
        tally->passed++;
    } else {
        tally->failed++;
    }
    if ((!passed && exclusion == NULL) || (wanted != NULL && slice_is(name, wanted))) {
        struct slice text = slice_head(buffer_slice(&why), wanted != NULL ? SIZE_MAX : 1500);
        print_message("%.*s %.*s: %.*s\n", SLICE_ARGS(suite), SLICE_ARGS(name), SLICE_ARGS(text));
    }
    arena_destroy(arena);
}

static void run_suite(yyjson_val *suite, struct tally *tally)
{
    struct arena *arena = arena_create((size_t)256 << 20);
    struct conformance *conformance;
    struct terms *terms;
    assert_int_equal(conformance_open(definitions, &conformance), STATUS_OK);
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(json_get(suite, "setup"), at, max, item)
    {
        struct slice text = suite_file(arena, json_string(item));
        assert_int_equal(conformance_add(conformance, text, NULL), STATUS_OK);
    }
    assert_int_equal(terms_open(conformance, NULL, &terms), STATUS_OK);
    yyjson_arr_foreach(json_get(suite, "tests"), at, max, item)
    {
        run_case(terms, json_get_string(suite, "name"), item, tally);
    }
    terms_close(terms);
    conformance_close(conformance);
    arena_destroy(arena);
}

static void answers_as_the_terminology_ecosystem_does(void **state)
{
    (void)state;
    struct arena *arena = arena_create((size_t)256 << 20);
    yyjson_val *root = suite_json(arena, SLICE("test-cases.json"));
    if (root == NULL) {
        arena_destroy(arena);
        print_message("skipped: %s/terminology is not there\n", folder);
        skip();
    }
    struct json json;
    struct slice text = file_read(arena, "tests/spec/terminology_exclusions.json");
    assert_int_equal(json_read(text, &json_limits_default, arena, NULL, &json), STATUS_OK);
    exclusions = json.root;
    struct tally tally = {0};
    size_t at, max;
    yyjson_val *suite;
    yyjson_arr_foreach(json_get(root, "suites"), at, max, suite)
    {
        run_suite(suite, &tally);
    }
    size_t all = tally.passed + tally.failed + tally.excluded + tally.wrongly_excluded;
    print_message("terminology: %zu of %zu pass, %zu excluded\n",
                  tally.passed + tally.wrongly_excluded, all, tally.excluded);
    arena_destroy(arena);
    assert_int_equal(tally.failed, 0);
    assert_int_equal(tally.wrongly_excluded, 0);
    assert_true(tally.passed * 100 >= all * 95);
}

int main(int argc, char **argv)
{
    const char *path = getenv("CARELAYER_DEFINITIONS");
    folder = getenv("CARELAYER_SUITES");
    folder = folder != NULL ? folder : argc > 1 ? argv[1] : "../shared/suites";
    if (path == NULL || definitions_open(path, NULL, &definitions) != STATUS_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_terminology_ecosystem_does),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    definitions_close(definitions);
    return failed;
}
