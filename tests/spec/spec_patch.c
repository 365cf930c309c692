/* SPDX-License-Identifier: MIT */
/* suites/patch, the JSON Patch part, as data: each case is applied, and the result compared. The
 * cases that their authors switched off are run too, unless an exclusion says why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fhir/fhir.h"

/* Left out, with the reason and what comes out instead. The run fails when one starts to pass. */
static const struct exclusion {
    const char *comment, *reason, *outcome;
} exclusions[] = {
    {"duplicate ops",
     "the second 'op' was lost when the suite's file was written, so there is nothing to refuse "
     "(tests/unit/fhir_patch.c has the case)",
     "{\"baz\":\"bar\"}"},
};

static const struct exclusion *exclusion_of(yyjson_val *item)
{
    for (size_t i = 0; i < sizeof(exclusions) / sizeof(exclusions[0]); i++) {
        if (slice_is(json_get_string(item, "comment"), exclusions[i].comment)) {
            return &exclusions[i];
        }
    }
    return NULL;
}

static const char *suites_folder(void)
{
    const char *folder = getenv("CARELAYER_SUITES");
    return folder != NULL ? folder : "../shared/suites";
}

static struct slice file_read(struct arena *arena, const char *name)
{
    FILE *file = fopen(arena_print(arena, "%s/patch/%s", suites_folder(), name), "rb");
    struct buffer text = {.arena = arena};
    char block[4096];
    size_t length;
    while (file != NULL && (length = fread(block, 1, sizeof(block), file)) > 0) {
        buffer_add(&text, slice_of(block, length));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return buffer_slice(&text);
}

static struct slice written(struct arena *arena, const yyjson_val *value)
{
    struct buffer out = {.arena = arena};
    json_write(value, NULL, NULL, &out);
    return buffer_slice(&out);
}

/* Does the case come out as it should: as its author says, or as the exclusion says? */
static bool case_holds(yyjson_val *item, struct arena *arena)
{
    const struct exclusion *exclusion = exclusion_of(item);
    struct outcome outcome;
    outcome_init(&outcome, arena);
    yyjson_mut_doc *result = NULL;
    yyjson_val *expected = json_get(item, "expected");
    struct slice before = written(arena, json_get(item, "doc"));
    enum status status =
        patch_json_apply(json_get(item, "doc"), json_get(item, "patch"), arena, &outcome, &result);
    if (!slice_equals(before, written(arena, json_get(item, "doc")))) {
        return false;
    }
    if (expected == NULL && exclusion == NULL) {
        return status != STATUS_OK && outcome.errors == 1 && result == NULL;
    }
    struct buffer out = {.arena = arena};
    if (status == STATUS_OK) {
        json_write_mutable(yyjson_mut_doc_get_root(result), &out);
    }
    struct slice wanted =
        exclusion != NULL ? slice_text(exclusion->outcome) : written(arena, expected);
    return status == STATUS_OK && slice_equals(buffer_slice(&out), wanted);
}

static void suite_run(const char *name)
{
    struct arena *arena = arena_create((size_t)64 << 20);
    struct slice text = file_read(arena, name);
    if (text.length == 0) {
        arena_destroy(arena);
        print_message("skipped: %s is not there\n", name);
        skip();
    }
    struct json suite;
    assert_int_equal(json_read(text, &json_limits_default, arena, NULL, &suite), STATUS_OK);
    size_t passed = 0, excluded = 0, at, max;
    yyjson_val *item;
    yyjson_arr_foreach(suite.root, at, max, item)
    {
        bool holds = case_holds(item, arena);
        const struct exclusion *exclusion = exclusion_of(item);
        passed += holds ? 1 : 0;
        if (exclusion != NULL) {
            excluded++;
            print_message("excluded: %s: %s\n", exclusion->comment, exclusion->reason);
        }
        if (!holds) {
            print_message("%s, case %zu: %.*s\n", name, at,
                          SLICE_ARGS(json_get_string(item, "comment")));
        }
    }
    print_message("%s: %zu of %zu, %zu excluded\n", name, passed - excluded, max, excluded);
    assert_true(max > 0);
    assert_int_equal(passed, max);
    arena_destroy(arena);
}

static void every_example_of_the_rfc_holds(void **state)
{
    (void)state;
    suite_run("json-patch-spec_tests.json");
}

static void every_case_of_the_json_patch_suite_holds(void **state)
{
    (void)state;
    suite_run("json-patch-tests.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_of_the_rfc_holds),
        cmocka_unit_test(every_case_of_the_json_patch_suite_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
