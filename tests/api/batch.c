/* SPDX-License-Identifier: MIT */
/* Batches (R4 http, "Batch Processing Rules"): every entry for itself. */
#include "service.h"

static struct answer batch(const char *entries)
{
    return send_bundle("batch", entries);
}

static void a_failure_is_its_own_entry_s_only(void **state)
{
    (void)state;
    struct answer answer =
        batch("{'resource':{'resourceType':'Patient','id':'a'},"
              "'request':{'method':'PUT','url':'Patient/a'}},"
              "{'resource':{'resourceType':'Patient','colour':'red'},"
              "'request':{'method':'POST','url':'Patient'}},"
              "{'request':{'method':'BREW','url':'Patient'}},"
              "{'request':{'method':'GET','url':'Patient/none'}},"
              "{'resource':{'resourceType':'Patient','id':'c'},"
              "'request':{'method':'PUT','url':'Patient/c','ifMatch':'W/\\\"7\\\"'}},"
              "{'resource':{'resourceType':'Patient'},'request':{'method':'POST',"
              "'url':'Patient'}}");
    assert_http(answer, 200);
    assert_text(answer, "type", "batch-response");
    assert_text(answer, "entry.0.response.status", "201 Created");
    assert_text(answer, "entry.1.response.status", "400 Bad Request");
    assert_text(answer, "entry.1.response.outcome.resourceType", "OperationOutcome");
    assert_text(answer, "entry.2.response.status", "400 Bad Request");
    assert_text(answer, "entry.2.response.outcome.issue.0.expression.0",
                "Bundle.entry[2].request.method");
    assert_text(answer, "entry.3.response.status", "404 Not Found");
    assert_text(answer, "entry.4.response.status", "412 Precondition Failed");
    assert_text(answer, "entry.4.response.outcome.issue.0.expression.0", "Bundle.entry[4]");
    assert_text(answer, "entry.5.response.status", "201 Created");
    assert_int_equal(count_of("Patient"), 2);
    assert_http(get("Patient/a"), 200);
}

static void reads_and_searches(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    struct answer answer = batch("{'request':{'method':'GET','url':'Patient/a'}},"
                                 "{'request':{'method':'GET','url':'Patient?_id=a'}},"
                                 "{'request':{'method':'GET','url':'/Patient/a'}},"
                                 "{'request':{'method':'GET','url':'metadata'}}");
    assert_http(answer, 200);
    assert_text(answer, "entry.0.resource.id", "a");
    assert_text(answer, "entry.0.response.etag", "W/\"1\"");
    assert_text(answer, "entry.1.resource.type", "searchset");
    assert_text(answer, "entry.2.response.status", "400 Bad Request");
    assert_text(answer, "entry.3.resource.resourceType", "CapabilityStatement");
}

static void leaves_links_between_entries_alone(void **state)
{
    (void)state;
    struct answer answer =
        batch("{'fullUrl':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9','resource':"
              "{'resourceType':'Patient'},'request':{'method':'POST','url':'Patient'}},"
              "{'resource':{'resourceType':'Basic','id':'b','code':{'text':'x'},'subject':{"
              "'reference':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9'}},"
              "'request':{'method':'PUT','url':'Basic/b'}}");
    assert_http(answer, 200);
    assert_text(get("Basic/b"), "subject.reference",
                "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9");
}

static void refuses_a_batch_within_a_batch(void **state)
{
    (void)state;
    struct answer answer = batch("{'resource':{'resourceType':'Bundle','type':'batch'},"
                                 "'request':{'method':'POST','url':'?x=y'}}");
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "400 Bad Request");
}

static void an_empty_batch_has_an_empty_answer(void **state)
{
    (void)state;
    struct answer answer = ask("POST", "", NULL, "{'resourceType':'Bundle','type':'batch'}");
    assert_http(answer, 200);
    assert_text(answer, "type", "batch-response");
}

static void logs_each_entry(void **state)
{
    (void)state;
    assert_http(batch("{'resource':{'resourceType':'Patient'},'request':{'method':'POST',"
                      "'url':'Patient'}},{'request':{'method':'GET','url':'Patient/none'}},"
                      "{'request':{'method':'GET','url':'Patient'}}"),
                200);
    assert_int_equal(service_log(NULL, NULL), 3);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(a_failure_is_its_own_entry_s_only),
        SERVICE_TEST(reads_and_searches),
        SERVICE_TEST(leaves_links_between_entries_alone),
        SERVICE_TEST(refuses_a_batch_within_a_batch),
        SERVICE_TEST(an_empty_batch_has_an_empty_answer),
        SERVICE_TEST(logs_each_entry),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
