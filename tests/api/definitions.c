/* SPDX-License-Identifier: MIT */
/* Definitions as large as they come: code systems and profiles, stored over the API. */
#include <stdio.h>
#include <time.h>

#include "service.h"

#define JSON "Content-Type: application/fhir+json"

/* A CodeSystem of so many concepts, about 40 bytes each, in groups of ten; by any id. */
static struct slice code_system(const char *id, unsigned concepts)
{
    struct buffer text = {.arena = service_memory()};
    buffer_print(&text,
                 "{\"resourceType\":\"CodeSystem\",\"id\":\"%s\",\"url\":\"http://x/%s\","
                 "\"status\":\"active\",\"content\":\"complete\",\"concept\":[",
                 id, id);
    for (unsigned i = 0; i < concepts; i++) {
        buffer_print(&text, "%s{\"code\":\"c%06u\",\"display\":\"Concept %u\"}", i > 0 ? "," : "",
                     i, i);
    }
    buffer_add_text(&text, "]}");
    return buffer_slice(&text);
}

static struct answer put(const char *path, struct slice body)
{
    struct caller *caller = caller_open();
    struct answer answer = caller_send(caller, "PUT", path, JSON "\nPrefer: return=minimal", body);
    if (answer.http >= 400) {
        print_error("%.*s\n", SLICE_ARGS(answer.body));
    }
    answer.body = (struct slice){0};
    print_message("%s: %zu bytes took %.1f times as many\n", path, body.length,
                  (double)answer.used / (double)body.length);
    caller_close(caller);
    return answer;
}

static void takes_code_systems_of_sixty_thousand_concepts(void **state)
{
    (void)state;
    service_validates = true;
    service_restart();
    assert_int_equal(put("CodeSystem/large", code_system("large", 60000)).http, 201);
    struct answer answer = get("CodeSystem/$lookup?system=http://x/large&code=c059999");
    assert_http(answer, 200);
    assert_http(get("ValueSet/$expand?url=http://x/large?fhir_vs&count=3&offset=59990"), 200);
    assert_int_equal(put("CodeSystem/larger", code_system("larger", 120000)).http, 201);
    assert_http(get("CodeSystem/$lookup?system=http://x/larger&code=c119999"), 200);
    assert_int_equal(count_of("CodeSystem?code=c119998"), 1);
    service_restart();
    assert_http(get("CodeSystem/$lookup?system=http://x/larger&code=c119999"), 200);
    assert_http(get("CodeSystem/larger/$validate-code?code=c000000"), 200);
    assert_http(get("CodeSystem/larger?_summary=true"), 200);
}

static size_t length_of(const char *path)
{
    struct answer answer = get(path);
    if (answer.http != 200) {
        fail_msg("%s: %d %.*s", path, answer.http, SLICE_ARGS(answer.body));
    }
    return answer.body.length;
}

/* What could be stored can be read, in every form and by every way. */
static void what_is_large_is_read_as_it_was_stored(void **state)
{
    (void)state;
    struct slice body = code_system("large", 60000);
    assert_int_equal(put("CodeSystem/large", body).http, 201);
    assert_true(length_of("CodeSystem/large") > body.length);
    assert_true(length_of("CodeSystem/large/_history/1") > body.length);
    assert_true(length_of("CodeSystem/large/_history") > body.length);
    assert_true(length_of("CodeSystem?_id=large") > body.length);
    assert_true(length_of("CodeSystem/large?_format=xml") > body.length);
    assert_true(length_of("CodeSystem/large?_summary=true") < 1000);
    assert_true(length_of("CodeSystem?_id=large&_elements=url") < 1500);
    struct answer answer =
        ask("PATCH", "CodeSystem/large", "Content-Type: application/json-patch+json",
            "[{'op':'add','path':'/name','value':'Large'}]");
    assert_http(answer, 200);
    assert_int_equal(put("CodeSystem/large", body).http, 200);
    assert_http(ask("DELETE", "CodeSystem/large", NULL, NULL), 204);
    assert_int_equal(put("CodeSystem/large", body).http, 201);
    assert_int_equal(put("CodeSystem/large", code_system("large", 3)).http, 200);
}

/* A profile of Patient with so many slices of its identifiers. */
static struct slice profile(unsigned slices)
{
    struct buffer text = {.arena = service_memory()};
    buffer_add_text(
        &text,
        "{\"resourceType\":\"StructureDefinition\",\"id\":\"wide\",\"url\":\"http://x/wide\","
        "\"name\":\"Wide\",\"status\":\"active\",\"kind\":\"resource\",\"abstract\":false,"
        "\"type\":\"Patient\",\"baseDefinition\":"
        "\"http://hl7.org/fhir/StructureDefinition/Patient\",\"derivation\":\"constraint\","
        "\"differential\":{\"element\":[{\"id\":\"Patient.identifier\",\"path\":"
        "\"Patient.identifier\",\"slicing\":{\"discriminator\":[{\"type\":\"value\",\"path\":"
        "\"system\"}],\"rules\":\"open\"},\"min\":1}");
    for (unsigned i = 0; i < slices; i++) {
        buffer_print(&text,
                     ",{\"id\":\"Patient.identifier:s%u\",\"path\":\"Patient.identifier\","
                     "\"sliceName\":\"s%u\"},{\"id\":\"Patient.identifier:s%u.system\",\"path\":"
                     "\"Patient.identifier.system\",\"min\":1,\"fixedUri\":\"http://x/s%u\"}",
                     i, i, i, i);
    }
    buffer_add_text(&text, "]}}");
    return buffer_slice(&text);
}

static double thread_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* This thread is the loop: what it works for one request, every other one on it waits for. */
static void a_definition_is_made_ready_away_from_the_loop(void **state)
{
    (void)state;
    service_validates = true;
    service_restart();
    assert_http(ask("POST", "Patient", JSON, "{'resourceType':'Patient'}"), 201);
    struct slice body = profile(600);
    bool (*settles_long)(const struct request *) = service.settles_long;
    service.settles_long = NULL;
    double before = thread_seconds();
    assert_int_equal(put("StructureDefinition/wide", body).http, 201);
    double held_up = thread_seconds() - before;
    service.settles_long = settles_long;
    before = thread_seconds();
    assert_int_equal(put("StructureDefinition/wide", body).http, 200);
    double alone = thread_seconds() - before;
    before = thread_seconds();
    struct buffer bundle = {.arena = service_memory()};
    buffer_add_text(&bundle, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{"
                             "\"request\":{\"method\":\"PUT\",\"url\":"
                             "\"StructureDefinition/wide\"},\"resource\":");
    buffer_add(&bundle, body);
    buffer_add_text(&bundle, "}]}");
    struct caller *caller = caller_open();
    struct answer answer = caller_send(caller, "POST", "", JSON, buffer_slice(&bundle));
    assert_int_equal(answer.http, 200);
    caller_close(caller);
    double bundled = thread_seconds() - before;
    print_message("on the loop: %.3f s, in a bundle %.3f s, in place of %.3f s\n", alone, bundled,
                  held_up);
    assert_true(alone < held_up / 3 && bundled < held_up / 3);
    assert_http(ask("POST", "Patient", JSON,
                    "{'resourceType':'Patient','meta':{'profile':['http://x/wide']}}"),
                422);
}

static void a_binary_is_held_to_its_profiles_too(void **state)
{
    (void)state;
    service_validates = true;
    service_restart();
    assert_http(ask("PUT", "StructureDefinition/spoken", JSON,
                    "{'resourceType':'StructureDefinition','id':'spoken','url':'http://x/spoken',"
                    "'name':'Spoken','status':'active','kind':'resource','abstract':false,'type':"
                    "'Binary','baseDefinition':'http://hl7.org/fhir/StructureDefinition/Binary',"
                    "'derivation':'constraint','differential':{'element':[{'id':'Binary.language',"
                    "'path':'Binary.language','min':1}]}}"),
                201);
#define SPOKEN(more)                                                                               \
    "{'resourceType':'Binary','id':'b','meta':{'profile':['http://x/spoken']}," more               \
    "'contentType':'text/plain','data':'aGk='}"
    assert_http(ask("PUT", "Binary/b", JSON, SPOKEN("")), 422);
    assert_http(ask("PUT", "Binary/b", JSON, SPOKEN("'language':'en-GB',")), 201);
    assert_http(ask("PUT", "Binary/c", "Content-Type: text/plain", "hello"), 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(takes_code_systems_of_sixty_thousand_concepts),
        SERVICE_TEST(what_is_large_is_read_as_it_was_stored),
        SERVICE_TEST(a_definition_is_made_ready_away_from_the_loop),
        SERVICE_TEST(a_binary_is_held_to_its_profiles_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
