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

/* ---- snapshots of what is added ---- */

#define PROFILE(url, base, elements)                                                               \
    "{'resourceType':'StructureDefinition','url':'" url "','name':'P','status':'draft',"           \
    "'kind':'resource','abstract':false,'type':'Patient','baseDefinition':'" base "',"             \
    "'derivation':'constraint','differential':{'element':[{'id':'Patient','path':'Patient'"        \
    "}" elements "]}}"
#define PATIENT "http://hl7.org/fhir/StructureDefinition/Patient"
#define BASE                                                                                       \
    PROFILE("http://x/base", PATIENT, ",{'id':'Patient.name','path':'Patient.name','min':%d}")
#define DERIVED                                                                                    \
    PROFILE("http://x/derived", "http://x/base",                                                   \
            ",{'id':'Patient.gender','path':'Patient.gender','min':1}")
#define FURTHER                                                                                    \
    PROFILE("http://x/further", "http://x/derived",                                                \
            ",{'id':'Patient.active','path':'Patient.active','min':1}")

static void add_base(int least)
{
    assert_int_equal(add(arena_print(arena, BASE, least)), STATUS_OK);
}

/* "1": so often must the element of a profile's snapshot occur. */
static const char *least_of(const char *url, const char *path)
{
    const struct canonical *found = find("StructureDefinition", url);
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(found == NULL ? NULL
                                     : json_get(json_get(found->json->root, "snapshot"), "element"),
                       i, max, element)
    {
        if (slice_is(json_get_string(element, "path"), path)) {
            return arena_copy(arena, json_number(json_get(element, "min"))).at;
        }
    }
    return "none";
}

static void makes_a_snapshot_once_its_base_has_come(void **state)
{
    (void)state;
    struct outcome outcome;
    struct buffer text = {.arena = arena};
    outcome_init(&outcome, arena);
    json_write(parse(FURTHER), NULL, NULL, &text);
    assert_int_equal(conformance_add(conformance, buffer_slice(&text), &outcome), STATUS_OK);
    assert_int_equal(outcome.errors, 0);
    assert_int_equal(outcome.count, 1); /* a warning */
    assert_int_equal(add(DERIVED), STATUS_OK);
    assert_null(find("StructureDefinition", "http://x/derived"));
    assert_null(find("StructureDefinition", "http://x/further"));
    add_base(1);
    assert_string_equal(least_of("http://x/further", "Patient.name"), "1");
    assert_string_equal(least_of("http://x/further", "Patient.gender"), "1");
    assert_string_equal(least_of("http://x/further", "Patient.active"), "1");
}

static void makes_a_snapshot_again_when_its_base_changes(void **state)
{
    (void)state;
    add_base(0);
    assert_int_equal(add(DERIVED), STATUS_OK);
    assert_int_equal(add(FURTHER), STATUS_OK);
    const struct canonical *before = find("StructureDefinition", "http://x/further");
    assert_string_equal(least_of("http://x/further", "Patient.name"), "0");
    add_base(2);
    assert_string_equal(least_of("http://x/further", "Patient.name"), "2");
    const struct canonical *after = find("StructureDefinition", "http://x/further");
    assert_true(after->serial != before->serial);
    /* Nothing that concerns it: the same one. */
    assert_int_equal(add(PROFILE("http://x/other", PATIENT, "")), STATUS_OK);
    assert_true(find("StructureDefinition", "http://x/further")->serial == after->serial);
    /* Without its base the last good one stands. */
    conformance_remove(conformance, SLICE("StructureDefinition"), SLICE("http://x/base"),
                       SLICE(""));
    assert_string_equal(least_of("http://x/further", "Patient.name"), "2");
    conformance_remove(conformance, SLICE("StructureDefinition"), SLICE("http://x/further"),
                       SLICE(""));
    assert_null(find("StructureDefinition", "http://x/further"));
}

static void ends_where_definitions_lead_back_to_themselves(void **state)
{
    (void)state;
    assert_int_equal(add(PROFILE("http://x/a", "http://x/b", "")), STATUS_OK);
    assert_int_equal(add(PROFILE("http://x/b", "http://x/a", "")), STATUS_OK);
    assert_int_equal(add(PROFILE("http://x/self", "http://x/self", "")), STATUS_OK);
    assert_null(find("StructureDefinition", "http://x/a"));
    assert_null(find("StructureDefinition", "http://x/b"));
    assert_null(find("StructureDefinition", "http://x/self"));
    assert_int_equal(add(PROFILE("http://x/b", PATIENT, "")), STATUS_OK);
    assert_non_null(find("StructureDefinition", "http://x/a"));
}

/* Forty extensions in each other, each sliced from within outwards: each slice copies what lies
 * below, slices included. */
static void refuses_slices_that_multiply_without_end(void **state)
{
    (void)state;
    struct outcome outcome;
    struct buffer text = {.arena = arena};
    outcome_init(&outcome, arena);
    buffer_add_text(&text, "{\"resourceType\":\"StructureDefinition\",\"url\":\"http://x/many\","
                           "\"kind\":\"complex-type\",\"type\":\"Extension\",\"derivation\":"
                           "\"constraint\",\"baseDefinition\":\"http://hl7.org/fhir/"
                           "StructureDefinition/Extension\",\"differential\":{\"element\":[");
    for (int depth = 30; depth > 0; depth--) {
        buffer_print(&text, "%s{\"path\":\"Extension", depth < 30 ? "," : "");
        for (int i = 0; i < depth; i++) {
            buffer_add_text(&text, ".extension");
        }
        buffer_print(&text, "\",\"sliceName\":\"s%d\"}", depth);
    }
    buffer_add_text(&text, "]}}");
    assert_int_equal(conformance_add(conformance, buffer_slice(&text), &outcome), STATUS_INVALID);
    assert_int_equal(outcome.errors, 1);
    assert_non_null(strstr(outcome.first->text.at, "multiply"));
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

struct job {
    size_t found;
    struct slice texts[3]; /* two forms of the base, and what is derived from it */
};

static void *change_and_find(void *context)
{
    struct job *job = context;
    struct arena *own = arena_create((size_t)16 << 20);
    for (size_t i = 0; i < 20; i++) {
        struct arena_mark mark = arena_mark(own);
        job->found -= conformance_add(conformance, job->texts[i % 2], NULL) != STATUS_OK;
        job->found -= conformance_add(conformance, job->texts[2], NULL) != STATUS_OK;
        const struct canonical *canonical =
            conformance_find(conformance, SLICE(""), SLICE("http://x/derived"), own);
        job->found += canonical != NULL && json_get(canonical->json->root, "snapshot") != NULL;
        arena_rewind(own, mark);
    }
    arena_destroy(own);
    return NULL;
}

static void makes_snapshots_again_under_several_threads(void **state)
{
    (void)state;
    struct job jobs[4];
    pthread_t threads[4];
    const char *texts[] = {arena_print(arena, BASE, 1), arena_print(arena, BASE, 2), DERIVED};
    add_base(1);
    assert_int_equal(add(DERIVED), STATUS_OK);
    for (size_t i = 0; i < 4; i++) {
        jobs[i].found = 0;
        for (size_t j = 0; j < 3; j++) {
            struct buffer out = {.arena = arena};
            json_write(parse(texts[j]), NULL, NULL, &out);
            jobs[i].texts[j] = buffer_slice(&out);
        }
        assert_int_equal(pthread_create(&threads[i], NULL, change_and_find, &jobs[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].found, 20);
    }
    assert_string_not_equal(least_of("http://x/derived", "Patient.name"), "0");
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
        CONFORMANCE_TEST(makes_a_snapshot_once_its_base_has_come),
        CONFORMANCE_TEST(makes_a_snapshot_again_when_its_base_changes),
        CONFORMANCE_TEST(ends_where_definitions_lead_back_to_themselves),
        CONFORMANCE_TEST(refuses_slices_that_multiply_without_end),
        CONFORMANCE_TEST(is_safe_for_threads),
        CONFORMANCE_TEST(makes_snapshots_again_under_several_threads),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
