/* SPDX-License-Identifier: MIT */
/* Conformance resources: those of the packages, unpacked when asked for, and those added. */
#include <pthread.h>

#include "fhir/conformance.h"
#include "fhir_test.h"

static struct conformance *conformance;

static int conformance_setup(void **state)
{
    return arena_setup(state) != 0 || conformance_open(definitions, &conformance) != STATUS_OK;
}

static int conformance_teardown(void **state)
{
    (void)arena_teardown(state); /* what was found is released with its arena */
    conformance_close(conformance);
    return 0;
}

static const struct canonical *find(const char *type, const char *url)
{
    return conformance_find(conformance, slice_text(type), slice_text(url), arena);
}

static enum status add(const char *text)
{
    struct buffer out = {.arena = arena};
    json_write(parse(text), NULL, NULL, &out);
    return conformance_add(conformance, buffer_slice(&out), NULL);
}

static const char *member(const struct canonical *canonical, const char *name)
{
    return canonical == NULL ? "none"
                             : arena_copy(arena, json_get_string(canonical->json->root, name)).at;
}

static void finds_what_the_base_package_brings(void **state)
{
    (void)state;
    const struct canonical *patient =
        find("StructureDefinition", "http://hl7.org/fhir/StructureDefinition/Patient");
    assert_string_equal(member(patient, "name"), "Patient");
    assert_true(slice_is(patient->version, "4.0.1"));
    assert_true(slice_is(patient->package, "hl7.fhir.r4.examples#4.0.1"));
    assert_non_null(json_get(json_get(patient->json->root, "snapshot"), "element"));
    assert_null(json_get(patient->json->root, "text")); /* generated */
    assert_string_equal(
        member(find("ValueSet", "http://hl7.org/fhir/ValueSet/administrative-gender"), "name"),
        "AdministrativeGender");
    assert_non_null(find("SearchParameter", "http://hl7.org/fhir/SearchParameter/Patient-active"));
    assert_non_null(find("", "http://hl7.org/fhir/administrative-gender|4.0.1"));
    assert_null(find("", "http://hl7.org/fhir/administrative-gender|4.0.2"));
    assert_null(find("ValueSet", "http://hl7.org/fhir/StructureDefinition/Patient"));
    assert_null(find("", ""));
    assert_ptr_equal(find("", "http://hl7.org/fhir/StructureDefinition/Patient#Patient.name")->json,
                     patient->json);
}

static void prefers_the_newest_version_and_the_one_added_last(void **state)
{
    (void)state;
    uint64_t generation = conformance_generation(conformance);
    assert_int_equal(add("{'resourceType':'ValueSet','url':'http://x/v','version':'1.9.0',"
                         "'name':'A'}"),
                     STATUS_OK);
    assert_int_equal(add("{'resourceType':'ValueSet','url':'http://x/v','version':'1.10.0',"
                         "'name':'B'}"),
                     STATUS_OK);
    const struct canonical *before = find("ValueSet", "http://x/v");
    assert_string_equal(member(before, "name"), "B");
    assert_string_equal(member(find("ValueSet", "http://x/v|1.9.0"), "name"), "A");
    assert_int_equal(add("{'resourceType':'ValueSet','url':'http://x/v','version':'1.10.0',"
                         "'name':'C'}"),
                     STATUS_OK);
    const struct canonical *after = find("ValueSet", "http://x/v");
    assert_string_equal(member(after, "name"), "C");
    assert_string_equal(member(before, "name"), "B"); /* as it was for whoever found it */
    assert_true(before->serial != after->serial);
    assert_int_equal(conformance_generation(conformance), generation + 3);
    conformance_remove(conformance, SLICE("ValueSet"), SLICE("http://x/v"), SLICE("1.10.0"));
    assert_string_equal(member(find("", "http://x/v"), "name"), "A");
    assert_string_equal(member(after, "name"), "C");
    conformance_remove(conformance, SLICE("ValueSet"), SLICE("http://x/v"), SLICE("1.10.0"));
    assert_int_equal(conformance_generation(conformance), generation + 4);
}

static void an_added_resource_stands_before_one_of_a_package(void **state)
{
    (void)state;
    assert_int_equal(
        add("{'resourceType':'ValueSet','url':'http://hl7.org/fhir/ValueSet/administrative-gender',"
            "'version':'4.0.1','name':'Mine'}"),
        STATUS_OK);
    assert_string_equal(
        member(find("ValueSet", "http://hl7.org/fhir/ValueSet/administrative-gender"), "name"),
        "Mine");
    conformance_remove(conformance, SLICE("ValueSet"),
                       SLICE("http://hl7.org/fhir/ValueSet/administrative-gender"), SLICE("4.0.1"));
    assert_string_equal(
        member(find("ValueSet", "http://hl7.org/fhir/ValueSet/administrative-gender"), "name"),
        "AdministrativeGender");
}

static void refuses_what_cannot_be_named(void **state)
{
    (void)state;
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(add("{'resourceType':'ValueSet'}"), STATUS_INVALID);
    assert_int_equal(conformance_add(conformance, SLICE("{"), &outcome), STATUS_INVALID);
    assert_int_equal(outcome.errors, 1);
}

struct count {
    size_t all, mine;
    bool stop;
};

static bool count_one(void *context, const struct canonical *canonical)
{
    struct count *count = context;
    count->all++;
    count->mine += slice_starts(canonical->url, SLICE("http://x/"));
    return !count->stop;
}

static void the_types_of_the_base_cannot_be_defined_anew(void **state)
{
    (void)state;
    assert_int_equal(
        add("{'resourceType':'StructureDefinition','url':"
            "'http://hl7.org/fhir/StructureDefinition/Patient','version':'9','type':'Patient',"
            "'snapshot':{'element':[{'path':'Patient'}]}}"),
        STATUS_INVALID);
    assert_int_equal(add("{'resourceType':'StructureDefinition','url':"
                         "'http://hl7.org/fhir/StructureDefinition/my-patient','type':'Patient',"
                         "'snapshot':{'element':[{'path':'Patient'}]}}"),
                     STATUS_OK);
}

static void visits_each_once(void **state)
{
    (void)state;
    struct count before = {0}, after = {0}, first = {.stop = true};
    conformance_each(conformance, SLICE("CodeSystem"), count_one, &before);
    assert_true(before.all > 1000);
    assert_int_equal(add("{'resourceType':'CodeSystem','url':'http://x/c'}"), STATUS_OK);
    assert_int_equal(add("{'resourceType':'ValueSet','url':'http://x/c'}"), STATUS_OK);
    assert_int_equal(add("{'resourceType':'CodeSystem','url':'http://hl7.org/fhir/task-status',"
                         "'version':'4.0.1'}"),
                     STATUS_OK);
    conformance_each(conformance, SLICE("CodeSystem"), count_one, &after);
    assert_int_equal(after.all, before.all + 1);
    assert_int_equal(after.mine, 1);
    conformance_each(conformance, SLICE(""), count_one, &first);
    assert_int_equal(first.all, 1);
}

/* ---- several threads ---- */

static void *find_many(void *context)
{
    static const char *const names[] = {"Patient", "Observation", "Bundle", "Encounter"};
    struct arena *own = arena_create((size_t)1 << 20);
    size_t *found = context;
    for (size_t i = 0; i < 200; i++) {
        struct arena_mark mark = arena_mark(own);
        const char *url =
            arena_print(own, "http://hl7.org/fhir/StructureDefinition/%s", names[i % 4]);
        const struct canonical *canonical =
            conformance_find(conformance, SLICE(""), slice_text(url), own);
        *found += canonical != NULL && json_get(canonical->json->root, "snapshot") != NULL;
        if (i % 8 == 0) {
            const struct slice text =
                SLICE("{\"resourceType\":\"ValueSet\",\"url\":\"http://x/t\"}");
            *found -= conformance_add(conformance, text, NULL) != STATUS_OK;
        } else if (i % 8 == 4) {
            conformance_remove(conformance, SLICE("ValueSet"), SLICE("http://x/t"), SLICE(""));
        }
        (void)conformance_find(conformance, SLICE(""), SLICE("http://x/t"), own);
        arena_rewind(own, mark);
    }
    arena_destroy(own);
    return NULL;
}

static void is_safe_for_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    size_t found[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, find_many, &found[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(found[i], 200);
    }
}

#define CONFORMANCE_TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, conformance_setup, conformance_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(finds_what_the_base_package_brings),
        CONFORMANCE_TEST(prefers_the_newest_version_and_the_one_added_last),
        CONFORMANCE_TEST(an_added_resource_stands_before_one_of_a_package),
        CONFORMANCE_TEST(refuses_what_cannot_be_named),
        CONFORMANCE_TEST(the_types_of_the_base_cannot_be_defined_anew),
        CONFORMANCE_TEST(visits_each_once),
        CONFORMANCE_TEST(is_safe_for_threads),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
