/* SPDX-License-Identifier: MIT */
/* Transactions with conditional entries and references (R4 http, "Conditional References"). */
#include "service.h"

#define WITH_NUMBER(type, number)                                                                  \
    "{'resourceType':'" type "','identifier':[{'system':'urn:s','value':'" number "'}]}"
#define CREATE(url, type, number)                                                                  \
    "{'fullUrl':'" url                                                                             \
    "','resource':" WITH_NUMBER(type, number) ",'request':{'method':'POST',"                       \
                                              "'url':'" type                                       \
                                              "','ifNoneExist':'identifier=urn:s|" number "'}}"
#define REFERS(reference)                                                                          \
    "{'resource':{'resourceType':'Basic','id':'b','code':{'text':'x'},'subject':{'reference':"     \
    "'" reference "'}},'request':{'method':'PUT','url':'Basic/b'}}"
#define URN "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9"

static struct answer transact(const char *entries)
{
    return send_bundle("transaction", entries);
}

static void put_patient(const char *id, const char *number)
{
    assert_http(ask("PUT", text_of("Patient/%s", id), NULL,
                    text_of("{'resourceType':'Patient','id':'%s','identifier':[{'system':'urn:s',"
                            "'value':'%s'}]}",
                            id, number)),
                201);
}

static void links_to_the_match_of_a_conditional_create(void **state)
{
    (void)state;
    put_patient("a", "1");
    struct answer answer = transact(CREATE(URN, "Patient", "1") "," REFERS(URN));
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "200 OK");
    assert_text(answer, "entry.0.response.location", "Patient/a/_history/1");
    assert_text(get("Basic/b"), "subject.reference", "Patient/a");
    assert_int_equal(count_of("Patient"), 1);
}

static void links_to_what_a_conditional_create_makes(void **state)
{
    (void)state;
    struct answer answer = transact(CREATE(URN, "Patient", "1") "," REFERS(URN));
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "201 Created");
    struct answer found = get("Patient?identifier=urn:s|1");
    struct slice id = answer_text(&found, "entry.0.resource.id");
    assert_text(get("Basic/b"), "subject.reference", text_of("Patient/%.*s", SLICE_ARGS(id)));
}

static void two_creates_on_one_condition_are_one(void **state)
{
    (void)state;
    struct answer answer = transact(
        CREATE(URN, "Patient", "1") "," CREATE("urn:uuid:15efabf0-4be2-4561-91ce-51548425acb9",
                                               "Patient", "1") "," REFERS("urn:uuid:15efabf0-4be2-"
                                                                          "4561-91ce-"
                                                                          "51548425acb9"));
    assert_http(answer, 200);
    assert_text(answer, "entry.1.response.status", "200 OK");
    struct answer found = get("Patient?identifier=urn:s|1");
    assert_int_equal(yyjson_arr_size(answer_value(&found, "entry")), 1);
    struct slice id = answer_text(&found, "entry.0.resource.id");
    assert_text(get("Basic/b"), "subject.reference", text_of("Patient/%.*s", SLICE_ARGS(id)));
}

static void refuses_a_create_that_would_meet_another_of_the_same_bundle(void **state)
{
    (void)state;
    struct answer answer = transact("{'resource':" WITH_NUMBER(
        "Patient", "1") ",'request':{'method':'POST',"
                        "'url':'Patient'}}," CREATE(URN, "Patient", "1") "," REFERS(URN));
    assert_http(answer, 400);
    assert_text(answer, "issue.0.expression.0", "Bundle.entry[1].request.ifNoneExist");
    assert_int_equal(count_of("Patient"), 0);
}

static void resolves_conditional_references(void **state)
{
    (void)state;
    put_patient("a", "1");
    assert_http(transact(REFERS("Patient?identifier=urn:s|1")), 200);
    assert_text(get("Basic/b"), "subject.reference", "Patient/a");
    assert_int_equal(count_of("Basic?subject=Patient/a"), 1);
}

static void a_conditional_reference_must_meet_exactly_one(void **state)
{
    (void)state;
    struct answer answer = transact(REFERS("Patient?identifier=urn:s|1"));
    assert_http(answer, 412);
    assert_text(answer, "issue.0.expression.0", "Bundle.entry[0].resource");
    put_patient("a", "1");
    put_patient("b", "1");
    answer = transact(REFERS("Patient?identifier=urn:s|1"));
    assert_http(answer, 412);
    assert_text(answer, "issue.0.code", "multiple-matches");
    assert_http(get("Basic/b"), 404);
}

static void conditions_are_asked_after_the_deletes(void **state)
{
    (void)state;
    put_patient("a", "1");
    put_patient("b", "1");
    assert_http(transact("{'request':{'method':'DELETE','url':'Patient/b'}}," REFERS(
                    "Patient?identifier=urn:s|1")),
                200);
    assert_text(get("Basic/b"), "subject.reference", "Patient/a");
    put_patient("c", "2");
    struct answer answer = transact("{'request':{'method':'DELETE','url':'Patient/c'}}," CREATE(
        URN, "Patient", "2") "," REFERS(URN));
    assert_http(answer, 200);
    assert_text(answer, "entry.1.response.status", "201 Created");
    struct answer found = get("Patient?identifier=urn:s|2");
    struct slice id = answer_text(&found, "entry.0.resource.id");
    assert_text(get("Basic/b"), "subject.reference", text_of("Patient/%.*s", SLICE_ARGS(id)));
}

static void updates_and_links_to_what_the_criteria_meet(void **state)
{
    (void)state;
    put_patient("a", "1");
    struct answer answer = transact("{'fullUrl':'" URN "','resource':" WITH_NUMBER(
        "Patient",
        "1") ",'request':{'method':'PUT','url':'Patient?identifier=urn:s|1'}}," REFERS(URN));
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.location", "Patient/a/_history/2");
    assert_text(get("Basic/b"), "subject.reference", "Patient/a");
    answer = transact("{'fullUrl':'" URN "','resource':" WITH_NUMBER(
        "Patient",
        "9") ",'request':{'method':'PUT','url':'Patient?identifier=urn:s|9'}}," REFERS(URN));
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "201 Created");
}

static void refuses_criteria_that_meet_what_another_entry_changes(void **state)
{
    (void)state;
    put_patient("a", "1");
    struct answer answer =
        transact("{'resource':{'resourceType':'Patient','id':'a','active':true},"
                 "'request':{'method':'PUT','url':'Patient/a'}},"
                 "{'request':{'method':'DELETE','url':'Patient?identifier=urn:s|1'}}");
    assert_http(answer, 400);
    assert_text(get("Patient/a"), "meta.versionId", "1");
    answer = transact(
        "{'resource':{'resourceType':'Patient','id':'a','identifier':[{"
        "'system':'urn:s','value':'1'}]},"
        "'request':{'method':'PUT','url':'Patient/a'}},"
        "{'resource':" WITH_NUMBER(
            "Patient", "1") ",'request':{'method':'PUT','url':'Patient?identifier=urn:s|1'}}");
    assert_http(answer, 400);
    assert_text(get("Patient/a"), "meta.versionId", "1");
}

static void fails_as_a_whole_when_criteria_meet_several(void **state)
{
    (void)state;
    put_patient("a", "1");
    put_patient("b", "1");
    struct answer answer = transact(CREATE(URN, "Patient", "1") "," REFERS(URN));
    assert_http(answer, 412);
    assert_text(answer, "issue.0.code", "multiple-matches");
    assert_http(get("Basic/b"), 404);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(links_to_the_match_of_a_conditional_create),
        SERVICE_TEST(links_to_what_a_conditional_create_makes),
        SERVICE_TEST(two_creates_on_one_condition_are_one),
        SERVICE_TEST(refuses_a_create_that_would_meet_another_of_the_same_bundle),
        SERVICE_TEST(resolves_conditional_references),
        SERVICE_TEST(a_conditional_reference_must_meet_exactly_one),
        SERVICE_TEST(conditions_are_asked_after_the_deletes),
        SERVICE_TEST(updates_and_links_to_what_the_criteria_meet),
        SERVICE_TEST(refuses_criteria_that_meet_what_another_entry_changes),
        SERVICE_TEST(fails_as_a_whole_when_criteria_meet_several),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
