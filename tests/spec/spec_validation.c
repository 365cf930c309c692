/* SPDX-License-Identifier: MIT */
/* Structural validation against what others wrote: the examples of the specification itself, the
 * records of suites/synthea, and the cases of suites/validator, where two other validators' answers
 * are known. validation_exclusions.json says what is refused, where and why; a file there that
 * passes, or is refused at another place, fails the test. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fhir/compile_int.h"
#include "validate/validate.h"

#define FILE_LIMIT ((size_t)256 << 20)

static struct definitions *definitions;
static struct arena *lasting; /* exclusions */
static struct arena *arena;   /* one file */
static yyjson_val *exclusions;
static const char *suites;

static int setup(void **state)
{
    (void)state;
    struct json json;
    struct slice text;
    lasting = arena_create(0);
    arena = arena_create(0);
    const char *path = "tests/spec/validation_exclusions.json";
    bool fine = disk_read_file(path, FILE_LIMIT, lasting, &text) == STATUS_OK &&
                json_read(text, &json_limits_default, lasting, NULL, &json) == STATUS_OK &&
                getenv("CARELAYER_DEFINITIONS") != NULL &&
                definitions_open(getenv("CARELAYER_DEFINITIONS"), NULL, &definitions) == STATUS_OK;
    exclusions = fine ? json.root : NULL;
    return fine ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    definitions_close(definitions);
    arena_destroy(arena);
    arena_destroy(lasting);
    return 0;
}

/* The first problem as "rule@path"; "json" when it is no JSON, "" when there is none. */
static const char *first_problem(struct slice text)
{
    struct outcome outcome;
    struct json json;
    resource_type type;
    struct validate_options options = {.definitions = definitions};
    outcome_init(&outcome, arena);
    if (json_read(text, &json_limits_default, arena, &outcome, &json) != STATUS_OK) {
        return "json";
    }
    enum status status = validate_resource(&options, &json, json.root, (struct slice){NULL, 0},
                                           arena, &outcome, &type);
    assert_int_equal(status == STATUS_OK, outcome.errors == 0);
    return outcome.first == NULL ? ""
                                 : arena_print(arena, "%.*s@%.*s", SLICE_ARGS(outcome.first->rule),
                                               SLICE_ARGS(outcome.first->path));
}

static struct slice expected(const char *list, struct slice name)
{
    yyjson_val *group = json_get(exclusions, list);
    yyjson_val *row = yyjson_obj_getn(group, name.at, name.length);
    return json_get_string(row, "expect");
}

/* True when the answer is what the exclusions say. */
static bool holds(const char *list, struct slice name, const char *problem)
{
    if (slice_equals(expected(list, name), slice_text(problem))) {
        return true;
    }
    print_error("%.*s: %s\n", SLICE_ARGS(name), problem[0] != '\0' ? problem : "passes now");
    return false;
}

/* ---- the examples of the specification ---------------------------------------------------------
 */

struct tally {
    size_t files, refused, wrong;
};

static enum status check_example(void *context, struct slice name, struct slice text)
{
    struct tally *tally = context;
    struct slice file = slice_from(name, slice_index(name, '/') + 1);
    if (memmem(text.at, text.length, "\"resourceType\"", 14) == NULL ||
        slice_is(file, "package.json")) {
        return STATUS_OK;
    }
    arena_reset(arena, 0);
    const char *problem = first_problem(text);
    tally->files++;
    tally->refused += problem[0] != '\0';
    tally->wrong += !holds("examples", file, problem);
    return STATUS_OK;
}

static void accepts_the_examples_of_the_specification(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct slice path = slice_text(getenv("CARELAYER_DEFINITIONS"));
    while (path.length > 0 && path.at[path.length - 1] != '/') {
        path.length--;
    }
    const char *package = arena_print(lasting, "%.*sr4.tgz", SLICE_ARGS(path));
    assert_int_equal(package_read(package, check_example, &tally, NULL), STATUS_OK);
    print_message("examples: %zu files, %zu refused for a reason that is listed\n", tally.files,
                  tally.refused - tally.wrong);
    assert_true(tally.files > 5000);
    assert_int_equal(tally.refused, yyjson_obj_size(json_get(exclusions, "examples")));
    assert_int_equal(tally.wrong, 0);
}

/* ---- suites ------------------------------------------------------------------------------------
 */

static struct slice read_suite_file(const char *path)
{
    struct slice bytes;
    struct buffer plain = {.arena = arena};
    assert_int_equal(disk_read_file(path, FILE_LIMIT, arena, &bytes), STATUS_OK);
    if (!slice_ends(slice_text(path), SLICE(".gz"))) {
        return bytes;
    }
    assert_int_equal(gzip_inflate(bytes, FILE_LIMIT, &plain), STATUS_OK);
    return buffer_slice(&plain);
}

static void accepts_every_synthetic_record(void **state)
{
    (void)state;
    const char *folder = arena_print(lasting, "%s/synthea", suites);
    DIR *files = opendir(folder);
    size_t count = 0, refused = 0, bytes = 0;
    if (files == NULL) {
        print_message("skipped: %s is not there\n", folder);
        skip();
    }
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        if (!slice_ends(slice_text(entry->d_name), SLICE(".json.gz"))) {
            continue;
        }
        arena_reset(arena, 0);
        struct slice text = read_suite_file(arena_print(arena, "%s/%s", folder, entry->d_name));
        const char *problem = first_problem(text);
        count++;
        bytes += text.length;
        refused += problem[0] != '\0';
        if (problem[0] != '\0') {
            print_error("%s: %s\n", entry->d_name, problem);
        }
    }
    (void)closedir(files);
    print_message("synthea: %zu Bundles, %zu bytes, %zu refused\n", count, bytes, refused);
    assert_true(count > 0);
    assert_int_equal(refused, 0);
}

static unsigned errors_of(yyjson_val *test, const char *name)
{
    uint64_t value;
    struct slice number = json_number(json_get(test, name));
    return slice_to_unsigned(number, 100000, &value) ? (unsigned)value : 0;
}

/* Where both other validators find no error we must find none; what they refuse for reasons of
 * profiles, invariants and terminology is not ours to see yet. */
static void agrees_with_two_other_validators(void **state)
{
    (void)state;
    size_t both_fine = 0, both_refuse = 0, theirs_only = 0, wrong = 0, skipped = 0;
    struct json json;
    if (access(arena_print(lasting, "%s/validator/cases.json", suites), R_OK) != 0) {
        print_message("skipped: the folder validator is not there\n");
        skip();
    }
    arena_reset(arena, 0);
    struct slice text = arena_copy(
        lasting, read_suite_file(arena_print(lasting, "%s/validator/cases.json", suites)));
    assert_int_equal(json_read(text, &json_limits_default, lasting, NULL, &json), STATUS_OK);
    size_t i, max;
    yyjson_val *test;
    yyjson_arr_foreach(json.root, i, max, test)
    {
        struct slice file = json_get_string(test, "file");
        arena_reset(arena, 0);
        const char *path = arena_print(arena, "%s/validator/%.*s", suites, SLICE_ARGS(file));
        if (!slice_ends(file, SLICE(".json")) || access(path, R_OK) != 0) {
            skipped++; /* XML, or not part of the copy */
            continue;
        }
        const char *problem = first_problem(read_suite_file(path));
        bool refuses = problem[0] != '\0';
        bool theirs = errors_of(test, "errors") > 0 || errors_of(test, "secondOpinionErrors") > 0 ||
                      yyjson_is_null(json_get(test, "errors"));
        both_refuse += refuses && theirs;
        theirs_only += !refuses && theirs;
        both_fine += !refuses && !theirs;
        if (!theirs) {
            wrong += !holds("validator", json_get_string(test, "name"), problem);
        }
    }
    print_message(
        "validator: %zu cases both accept, %zu both refuse, %zu only they refuse (profiles, "
        "invariants, terminology), %zu in XML passed over\n",
        both_fine, both_refuse, theirs_only, skipped);
    assert_int_equal(wrong, 0);
    assert_true(both_refuse >= 21);
}

int main(int argc, char **argv)
{
    suites = getenv("CARELAYER_SUITES");
    if (suites == NULL) {
        suites = argc > 1 ? argv[1] : "../shared/suites";
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_examples_of_the_specification),
        cmocka_unit_test(accepts_every_synthetic_record),
        cmocka_unit_test(agrees_with_two_other_validators),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
