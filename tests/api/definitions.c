/* SPDX-License-Identifier: MIT */
/* Definitions as large as they come: code systems and profiles, stored over the API. */
#include <stdio.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(takes_code_systems_of_sixty_thousand_concepts),
        SERVICE_TEST(what_is_large_is_read_as_it_was_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
