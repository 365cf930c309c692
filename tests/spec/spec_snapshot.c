/* SPDX-License-Identifier: MIT */
/* Snapshots that others made (the packages of suites/packages carry them) against ours, made anew
 * from the same differentials: cardinalities, types, fixed and pattern values, bindings, slicing,
 * constraints. snapshot_exclusions.json says where we differ and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fhir/compile_int.h"
#include "fhir/conformance.h"
#include "fhir/snapshot.h"

static const char *suites;
static struct definitions *definitions;
static struct conformance *conformance;
static struct arena *arena;
static yyjson_val *exclusions;

static bool ours_lack(const char *name)
{
    return access(arena_print(arena, "%s/packages/%s", suites, name), R_OK) != 0;
}

static yyjson_val *element_of(yyjson_val *elements, struct slice id)
{
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(elements, i, max, element)
    {
        if (slice_equals(json_get_string(element, "id"), id)) {
            return element;
        }
    }
    return NULL;
}

static bool equal_values(yyjson_val *a, yyjson_val *b)
{
    return a == b || (a != NULL && b != NULL && yyjson_equals(a, b));
}

/* The code and profiles of each type; extensions on them are passed over. */
static bool equal_types(yyjson_val *a, yyjson_val *b)
{
    size_t count = yyjson_arr_size(a);
    bool equal = count == yyjson_arr_size(b);
    for (size_t i = 0; i < count && equal; i++) {
        yyjson_val *left = yyjson_arr_get(a, i), *right = yyjson_arr_get(b, i);
        equal = equal_values(json_get(left, "code"), json_get(right, "code")) &&
                equal_values(json_get(left, "profile"), json_get(right, "profile")) &&
                equal_values(json_get(left, "targetProfile"), json_get(right, "targetProfile"));
    }
    return equal;
}

static const char *difference(yyjson_val *theirs, yyjson_val *ours)
{
    static const char *const members[] = {"min", "max", "maxLength"};
    static const char *const flags[] = {"mustSupport", "isModifier"};
    if (ours == NULL) {
        return "missing";
    }
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!equal_values(json_get(theirs, members[i]), json_get(ours, members[i]))) {
            return members[i];
        }
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (yyjson_get_bool(json_get(theirs, flags[i])) !=
            yyjson_get_bool(json_get(ours, flags[i]))) {
            return flags[i];
        }
    }
    struct slice shared = json_get_string(theirs, "contentReference");
    if (!slice_equals(slice_from(shared, slice_index(shared, '#')),
                      json_get_string(ours, "contentReference"))) {
        return "contentReference";
    }
    if (!equal_types(json_get(theirs, "type"), json_get(ours, "type"))) {
        return "type";
    }
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(theirs, i, max, key, value)
    {
        struct slice name = json_string(key);
        if ((slice_starts(name, SLICE("fixed")) || slice_starts(name, SLICE("pattern")) ||
             slice_starts(name, SLICE("minValue")) || slice_starts(name, SLICE("maxValue"))) &&
            !equal_values(value, yyjson_obj_getn(ours, name.at, name.length))) {
            return "value";
        }
    }
    yyjson_val *binding = json_get(theirs, "binding"), *own = json_get(ours, "binding");
    struct slice set = json_get_string(binding, "valueSet");
    struct slice own_set = json_get_string(own, "valueSet");
    if (!slice_equals(slice_head(set, slice_index(set, '|')),
                      slice_head(own_set, slice_index(own_set, '|'))) ||
        !equal_values(json_get(binding, "strength"), json_get(own, "strength"))) {
        return "binding";
    }
    yyjson_val *slicing = json_get(theirs, "slicing"), *cut = json_get(ours, "slicing");
    /* Some say of every list of extensions how it would be sliced. */
    bool said = slice_ends(json_get_string(theirs, "path"), SLICE("xtension")) && cut == NULL;
    if (said) {
        return NULL;
    }
    if (!equal_values(json_get(slicing, "discriminator"), json_get(cut, "discriminator")) ||
        !equal_values(json_get(slicing, "rules"), json_get(cut, "rules"))) {
        return "slicing";
    }
    return NULL;
}

struct tally {
    size_t profiles, elements, differences, unlisted, added;
    const char *package;
};

static void note(struct tally *tally, struct slice profile, struct slice id, const char *what)
{
    struct slice row =
        slice_text(arena_print(arena, "%.*s@%.*s: %s", SLICE_ARGS(profile), SLICE_ARGS(id), what));
    tally->differences++;
    if (yyjson_obj_getn(exclusions, row.at, row.length) == NULL) {
        tally->unlisted++;
        print_message("  %.*s\n", SLICE_ARGS(row));
    }
}

static bool compare_one(void *context, const struct canonical *row)
{
    struct tally *tally = context;
    if (!slice_starts(row->package, slice_text(tally->package))) {
        return true;
    }
    const struct canonical *canonical = conformance_find(conformance, row->type, row->url, arena);
    assert_non_null(canonical);
    yyjson_val *root = canonical->json->root;
    struct slice name = json_get_string(root, "id");
    if (slice_is(json_get_string(root, "kind"), "logical")) {
        return true; /* those of the packages are based on a type that came after R4 */
    }
    struct outcome outcome;
    struct json json;
    struct buffer out = {.arena = arena};
    outcome_init(&outcome, arena);
    tally->profiles++;
    if (snapshot_write(conformance, root, &outcome, &out) != STATUS_OK) {
        note(tally, name, outcome.first != NULL ? outcome.first->text : SLICE("?"), "refused");
        return true;
    }
    assert_int_equal(json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    yyjson_val *theirs = json_get(json_get(root, "snapshot"), "element");
    yyjson_val *ours = json_get(json_get(json.root, "snapshot"), "element");
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(theirs, i, max, element)
    {
        struct slice id = json_get_string(element, "id");
        const char *what = difference(element, element_of(ours, id));
        tally->elements++;
        if (what != NULL) {
            note(tally, name, id, what);
        }
    }
    yyjson_arr_foreach(ours, i, max, element)
    {
        struct slice id = json_get_string(element, "id");
        if (element_of(theirs, id) == NULL) {
            note(tally, name, id, "added");
        }
    }
    return true;
}

static void compare_package(const char *file, const char *package)
{
    if (ours_lack(file)) {
        print_message("skipped: %s is not there\n", file);
        skip();
    }
    struct tally tally = {.package = package};
    const char *blob = getenv("CARELAYER_DEFINITIONS");
    const char *slash = strrchr(blob, '/');
    const char *base = arena_print(arena, "%.*sr4.tgz", (int)(slash - blob + 1), blob);
    const char *cache = arena_print(arena, "%.*scache", (int)(slash - blob + 1), blob);
    const char *packages[] = {arena_print(arena, "%s/packages/%s", suites, file)};
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(definitions_open_with(blob, base, packages, 1, cache, &outcome, &definitions),
                     STATUS_OK);
    assert_int_equal(conformance_open(definitions, &conformance), STATUS_OK);
    conformance_each(conformance, SLICE("StructureDefinition"), compare_one, &tally);
    print_message("%s: %zu profiles, %zu elements, %zu differences, %zu of them not listed\n",
                  package, tally.profiles, tally.elements, tally.differences, tally.unlisted);
    assert_true(tally.profiles > 0);
    assert_int_equal(tally.unlisted, 0);
}

static void makes_the_snapshots_of_uk_core(void **state)
{
    (void)state;
    compare_package("fhir.r4.ukcore.stu2-2.0.2.tgz", "fhir.r4.ukcore");
}

static void makes_the_snapshots_of_the_patient_summary(void **state)
{
    (void)state;
    compare_package("hl7.fhir.uv.ips-2.0.0.tgz", "hl7.fhir.uv.ips");
}

static int setup(void **state)
{
    (void)state;
    struct json json;
    struct slice text;
    arena = arena_create(0);
    definitions = NULL;
    conformance = NULL;
    bool fine = disk_read_file("tests/spec/snapshot_exclusions.json", (size_t)1 << 24, arena,
                               &text) == STATUS_OK &&
                json_read(text, &json_limits_default, arena, NULL, &json) == STATUS_OK;
    exclusions = fine ? json.root : NULL;
    return fine ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    conformance_close(conformance);
    definitions_close(definitions);
    return 0;
}

int main(int argc, char **argv)
{
    suites = getenv("CARELAYER_SUITES");
    if (suites == NULL) {
        suites = argc > 1 ? argv[1] : "../shared/suites";
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_the_snapshots_of_uk_core, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_the_snapshots_of_the_patient_summary, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
