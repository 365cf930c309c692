/* SPDX-License-Identifier: MIT */
/* Search parameters that are posted: searched by once they are ready, and never answered wrongly
 * before. */
#include <stdlib.h>
#include <unistd.h>

#include "service.h"

#define JSON "Content-Type: application/fhir+json"
#define EYES                                                                                       \
    "{'resourceType':'SearchParameter','id':'eyes','url':'http://x/eyes','name':'eyes',"           \
    "'status':'%s','description':'Colour of the eyes.','code':'x-eyes','base':['Patient'],"        \
    "'type':'token','expression':'%s'}"
#define PLACE "Patient.extension.value.ofType(code)"

static void put_person(int number, const char *colour)
{
    char path[64], body[400];
    snprintf(path, sizeof path, "Patient/e%d", number);
    snprintf(body, sizeof body,
             "{'resourceType':'Patient','id':'e%d','extension':[{'url':'http://x/colour',"
             "'valueCode':'%s'}]}",
             number, colour);
    struct answer answer = ask("PUT", path, JSON, body);
    assert_true(answer.http == 200 || answer.http == 201);
}

static struct answer put_eyes(const char *status, const char *expression, const char *headers)
{
    char body[1000];
    snprintf(body, sizeof body, EYES, status, expression);
    return ask("PUT", "SearchParameter/eyes", headers, body);
}

/* Asked until it is ready: what is answered before is 503, and nothing else. */
static uint64_t total(const char *path)
{
    for (;;) {
        struct answer answer = get(path);
        struct json json;
        if (answer.http == 503) {
            assert_non_null(memmem(answer.body.at, answer.body.length, "transient", 9));
            usleep(2000);
            continue;
        }
        assert_http(answer, 200);
        assert_int_equal(json_read(answer.body, &json_limits_default, answer.arena, NULL, &json),
                         STATUS_OK);
        return strtoull(json_number(json_get(json.root, "total")).at, NULL, 10);
    }
}

static void is_searched_by_once_it_is_ready(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        put_person(i, i % 3 == 0 ? "green" : "brown");
    }
    assert_http(get("Patient?x-eyes=green"), 400);
    assert_http(put_eyes("active", PLACE, JSON), 201);
    assert_int_equal(total("Patient?x-eyes=green&_total=accurate&_count=1"), 20);
    put_person(60, "green");
    assert_int_equal(total("Patient?x-eyes=green&_total=accurate&_count=1"), 21);
    struct answer answer = get("metadata");
    assert_non_null(memmem(answer.body.at, answer.body.length, "x-eyes", 6));
    assert_http(ask("DELETE", "SearchParameter/eyes", "", ""), 204);
    while (get("Patient?x-eyes=green").http != 400) {
        usleep(2000);
    }
    answer = get("metadata");
    assert_null(memmem(answer.body.at, answer.body.length, "x-eyes", 6));
}

static void tells_who_sends_one_that_is_of_no_use(void **state)
{
    (void)state;
    struct answer answer =
        put_eyes("active", "Patient.(", JSON "\nPrefer: return=OperationOutcome");
    assert_true(answer.http == 200 || answer.http == 201);
    assert_non_null(memmem(answer.body.at, answer.body.length, "cannot be read", 14));
    answer = put_eyes("draft", "Patient.(", JSON "\nPrefer: return=OperationOutcome");
    assert_http(answer, 200);
    assert_null(memmem(answer.body.at, answer.body.length, "cannot be read", 14));
    answer = ask("PUT", "SearchParameter/sex", JSON "\nPrefer: return=OperationOutcome",
                 "{'resourceType':'SearchParameter','id':'sex','url':'http://x/sex','name':'sex',"
                 "'status':'active','description':'d','code':'gender','base':['Patient'],"
                 "'type':'token','expression':'Patient.active'}");
    assert_http(answer, 201);
    assert_non_null(memmem(answer.body.at, answer.body.length, "another code", 12));
}

int main(void)
{
    service_validates = true;
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(is_searched_by_once_it_is_ready),
        SERVICE_TEST(tells_who_sends_one_that_is_of_no_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
