/* SPDX-License-Identifier: MIT */
/* Transactions without conditions (R4 http, "Transaction Processing Rules"). */
#include "service.h"

#define PATIENT "{'resourceType':'Patient','active':true}"

/* A transaction of the entries given as JSON text. */
static struct answer transact(const char *entries)
{
    return send_bundle("transaction", entries);
}

static const char *id_in(const struct answer *answer, const char *path)
{
    struct slice location = answer_text(answer, path);
    (void)slice_cut(&location, '/');
    struct slice id = slice_cut(&location, '/');
    return text_of("%.*s", SLICE_ARGS(id));
}

static void does_what_each_entry_asks_and_answers_in_their_order(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/old", NULL, "{'resourceType':'Patient','id':'old'}"), 201);
    struct answer answer =
        transact("{'request':{'method':'GET','url':'Patient/new'}},"
                 "{'resource':{'resourceType':'Patient','id':'new','active':true},"
                 "'request':{'method':'PUT','url':'Patient/new'}},"
                 "{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}},"
                 "{'request':{'method':'DELETE','url':'Patient/old'}}");
    assert_http(answer, 200);
    assert_text(answer, "type", "transaction-response");
    assert_int_equal(yyjson_arr_size(answer_value(&answer, "entry")), 4);
    assert_text(answer, "entry.0.response.status", "200 OK");
    assert_text(answer, "entry.0.resource.id", "new");
    assert_text(answer, "entry.1.response.status", "201 Created");
    assert_text(answer, "entry.1.response.location", "Patient/new/_history/1");
    assert_text(answer, "entry.1.response.etag", "W/\"1\"");
    assert_null(answer_value(&answer, "entry.1.resource"));
    assert_text(answer, "entry.2.response.status", "201 Created");
    assert_non_null(answer_value(&answer, "entry.2.response.lastModified"));
    assert_text(answer, "entry.3.response.status", "204 No Content");
    assert_http(get("Patient/old"), 410);
    assert_http(get(text_of("Patient/%s", id_in(&answer, "entry.2.response.location"))), 200);
}

static void deletes_before_it_creates_and_creates_before_it_updates(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL,
                    "{'resourceType':'Patient','id':'a','identifier':[{'system':'urn:s',"
                    "'value':'1'}]}"),
                201);
    struct answer answer = transact(
        "{'request':{'method':'GET','url':'Patient?identifier=urn:s|1'}},"
        "{'resource':{'resourceType':'Patient','identifier':[{'system':'urn:s','value':'1'}]},"
        "'request':{'method':'POST','url':'Patient','ifNoneExist':'identifier=urn:s|1'}},"
        "{'request':{'method':'DELETE','url':'Patient/a'}}");
    assert_http(answer, 200);
    assert_text(answer, "entry.1.response.status", "201 Created");
    assert_int_equal(yyjson_arr_size(answer_value(&answer, "entry.0.resource.entry")), 1);
}

static void resolves_links_wherever_they_may_stand(void **state)
{
    (void)state;
    struct answer answer = transact(
        "{'fullUrl':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9','resource':" PATIENT
        ",'request':{'method':'POST','url':'Patient'}},"
        "{'fullUrl':'urn:oid:1.2.3','resource':{'resourceType':'Observation','status':'final',"
        "'code':{'text':'x'},"
        "'text':{'status':'generated','div':'<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">"
        "<a href=\\\"urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9\\\">p</a></div>'},"
        "'extension':[{'url':'http://example.org/x',"
        "'valueUri':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9'}],"
        "'subject':{'reference':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9'},"
        "'note':[{'text':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9'}]},"
        "'request':{'method':'POST','url':'Observation'}}");
    assert_http(answer, 200);
    const char *patient = text_of("Patient/%s", id_in(&answer, "entry.0.response.location"));
    struct answer stored =
        get(text_of("Observation/%s", id_in(&answer, "entry.1.response.location")));
    assert_http(stored, 200);
    assert_text(stored, "subject.reference", patient);
    assert_text(stored, "extension.0.valueUri", patient);
    assert_text(stored, "note.0.text", "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9");
    struct slice narrative = answer_text(&stored, "text.div");
    assert_non_null(memmem(narrative.at, narrative.length, patient, strlen(patient)));
    assert_int_equal(count_of(text_of("Observation?subject=%s", patient)), 1);
}

static void resolves_references_in_a_circle(void **state)
{
    (void)state;
    service_config.integrity = true;
    struct answer answer =
        transact("{'fullUrl':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9','resource':{"
                 "'resourceType':'Patient','link':[{'type':'seealso','other':{"
                 "'reference':'urn:uuid:15efabf0-4be2-4561-91ce-51548425acb9'}}]},"
                 "'request':{'method':'POST','url':'Patient'}},"
                 "{'fullUrl':'urn:uuid:15efabf0-4be2-4561-91ce-51548425acb9','resource':{"
                 "'resourceType':'Patient','link':[{'type':'seealso','other':{"
                 "'reference':'urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9'}}]},"
                 "'request':{'method':'POST','url':'Patient'}}");
    assert_http(answer, 200);
    struct answer first = get(text_of("Patient/%s", id_in(&answer, "entry.0.response.location")));
    assert_text(first, "link.0.other.reference",
                text_of("Patient/%s", id_in(&answer, "entry.1.response.location")));
}

static void leaves_nothing_when_one_entry_fails(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    struct answer answer =
        transact("{'resource':{'resourceType':'Patient','id':'b'},"
                 "'request':{'method':'PUT','url':'Patient/b'}},"
                 "{'request':{'method':'DELETE','url':'Patient/a'}},"
                 "{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}},"
                 "{'resource':{'resourceType':'Patient','id':'c'},"
                 "'request':{'method':'PUT','url':'Patient/c','ifMatch':'W/\\\"7\\\"'}}");
    assert_http(answer, 412);
    assert_text(answer, "resourceType", "OperationOutcome");
    assert_text(answer, "issue.0.expression.0", "Bundle.entry[3]");
    assert_http(get("Patient/a"), 200);
    assert_http(get("Patient/b"), 404);
    assert_int_equal(count_of("Patient"), 1);
}

static void reports_every_faulty_resource_with_its_path(void **state)
{
    (void)state;
    struct answer answer =
        transact("{'resource':{'resourceType':'Patient','birthDate':'2023-02-30'},"
                 "'request':{'method':'POST','url':'Patient'}},"
                 "{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}},"
                 "{'resource':{'resourceType':'Patient','colour':'red'},"
                 "'request':{'method':'POST','url':'Patient'}},"
                 "{'resource':" PATIENT ",'request':{'method':'BREW','url':'Patient'}}");
    assert_int_equal(answer.http / 100, 4);
    bool seen[4] = {false};
    size_t at, max;
    yyjson_val *issue;
    yyjson_arr_foreach(answer_value(&answer, "issue"), at, max, issue)
    {
        struct slice path = json_string(yyjson_arr_get(json_get(issue, "expression"), 0));
        seen[0] = seen[0] || slice_is(path, "Bundle.entry[0].resource.birthDate");
        seen[2] = seen[2] || slice_starts(path, SLICE("Bundle.entry[2].resource"));
        seen[3] = seen[3] || slice_is(path, "Bundle.entry[3].request.method");
    }
    assert_true(seen[0] && seen[2] && seen[3]);
    assert_int_equal(max, 3);
    assert_int_equal(count_of("Patient"), 0);
}

static void refuses_two_entries_about_one_resource(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    struct answer answer = transact("{'resource':{'resourceType':'Patient','id':'a','active':true},"
                                    "'request':{'method':'PUT','url':'Patient/a'}},"
                                    "{'request':{'method':'DELETE','url':'Patient/a'}}");
    assert_http(answer, 400);
    assert_text(get("Patient/a"), "meta.versionId", "1");
}

static void reads_see_what_was_written_before_them(void **state)
{
    (void)state;
    struct answer answer = transact("{'request':{'method':'GET','url':'Patient?active=true'}},"
                                    "{'request':{'method':'GET','url':'Patient/a/_history'}},"
                                    "{'resource':{'resourceType':'Patient','id':'a','active':true},"
                                    "'request':{'method':'PUT','url':'Patient/a'}}");
    assert_http(answer, 200);
    assert_text(answer, "entry.0.resource.entry.0.resource.id", "a");
    assert_text(answer, "entry.1.resource.type", "history");
}

static void a_read_that_fails_fails_the_whole(void **state)
{
    (void)state;
    struct answer answer =
        transact("{'request':{'method':'GET','url':'Patient/none'}},"
                 "{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}}");
    assert_http(answer, 404);
    assert_int_equal(count_of("Patient"), 0);
    answer = transact("{'request':{'method':'GET','url':'Patient/none'}}");
    assert_http(answer, 404);
}

static void a_copy_that_is_current_is_no_failure(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    struct answer answer =
        transact("{'request':{'method':'GET','url':'Patient/a','ifNoneMatch':'W/\\\"1\\\"'}},"
                 "{'request':{'method':'GET','url':'Patient/a',"
                 "'ifModifiedSince':'2999-01-01T00:00:00Z'}},"
                 "{'request':{'method':'HEAD','url':'Patient/a'}}");
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "304 Not Modified");
    assert_text(answer, "entry.1.response.status", "304 Not Modified");
    assert_text(answer, "entry.2.response.status", "200 OK");
    assert_null(answer_value(&answer, "entry.2.resource"));
}

static void gives_back_what_was_written_when_asked_to(void **state)
{
    (void)state;
    const char *bundle = "{'resourceType':'Bundle','type':'transaction','entry':[{'resource':"
                         "{'resourceType':'Patient','id':'a'},"
                         "'request':{'method':'PUT','url':'Patient/a'}}]}";
    struct answer answer = ask("POST", "", "Prefer: return=representation", bundle);
    assert_http(answer, 200);
    assert_text(answer, "entry.0.resource.meta.versionId", "1");
    answer = ask("POST", "", "Prefer: return=OperationOutcome", bundle);
    assert_text(answer, "entry.0.response.outcome.resourceType", "OperationOutcome");
    assert_null(answer_value(&answer, "entry.0.resource"));
}

static void patches_with_a_binary(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    /* [{"op":"add","path":"/active","value":true}] */
    struct answer answer =
        transact("{'resource':{'resourceType':'Binary','contentType':'application/json-patch+json',"
                 "'data':'W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0='},"
                 "'request':{'method':'PATCH','url':'Patient/a'}}");
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.location", "Patient/a/_history/2");
    struct answer read = get("Patient/a");
    assert_true(yyjson_get_bool(answer_value(&read, "active")));
    answer = transact("{'resource':{'resourceType':'Binary','contentType':'text/plain',"
                      "'data':'AAAA'},'request':{'method':'PATCH','url':'Patient/a'}}");
    assert_http(answer, 501);
}

static void deletes_what_another_entry_lets_go(void **state)
{
    (void)state;
    service_config.integrity = true;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    assert_http(ask("PUT", "Basic/b", NULL,
                    "{'resourceType':'Basic','id':'b','code':{'text':'x'},"
                    "'subject':{'reference':'Patient/a'}}"),
                201);
    struct answer answer = transact("{'request':{'method':'DELETE','url':'Patient/a'}}");
    assert_http(answer, 409);
    assert_text(answer, "issue.0.expression.0", "Bundle.entry[0]");
    answer = transact("{'request':{'method':'DELETE','url':'Patient/a'}},"
                      "{'resource':{'resourceType':'Basic','id':'b','code':{'text':'x'}},"
                      "'request':{'method':'PUT','url':'Basic/b'}}");
    assert_http(answer, 200);
    answer = transact("{'resource':{'resourceType':'Basic','id':'b','code':{'text':'x'},"
                      "'subject':{'reference':'Patient/a'}},"
                      "'request':{'method':'PUT','url':'Basic/b'}}");
    assert_http(answer, 409);
    assert_text(get("Basic/b"), "meta.versionId", "2");
}

static void refuses_what_is_no_batch_or_transaction(void **state)
{
    (void)state;
    struct answer answer =
        ask("POST", "", NULL, "{'resourceType':'Bundle','type':'collection','entry':[]}");
    assert_http(answer, 400);
    struct slice text = answer_text(&answer, "issue.0.diagnostics");
    assert_non_null(memmem(text.at, text.length, "[base]/Bundle", 13));
    assert_http(ask("POST", "", NULL, PATIENT), 400);
    answer = transact("{'resource':{'resourceType':'Bundle','type':'batch'},"
                      "'request':{'method':'POST','url':'/'}}");
    assert_http(answer, 400);
    answer = transact("");
    assert_http(answer, 200);
    assert_text(answer, "type", "transaction-response");
}

static void refuses_a_search_whose_criteria_it_could_not_see(void **state)
{
    (void)state;
    struct answer answer = transact("{'resource':{'resourceType':'Parameters'},"
                                    "'request':{'method':'POST','url':'Patient/_search'}}");
    assert_http(answer, 400);
}

struct tally {
    size_t created, refused;
};

static void tally_entry(const struct audit_entry *entry, void *context)
{
    struct tally *tally = context;
    tally->created += entry->http == 201 && entry->patient != 0;
    tally->refused += entry->http == 412 && entry->patient == 0;
}

static void logs_each_entry_and_what_was_undone_as_refused(void **state)
{
    (void)state;
    struct tally tally = {0};
    assert_http(transact("{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}},"
                         "{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}}"),
                200);
    assert_http(transact("{'resource':" PATIENT ",'request':{'method':'POST','url':'Patient'}},"
                         "{'resource':{'resourceType':'Patient','id':'c'},'request':{"
                         "'method':'PUT','url':'Patient/c','ifMatch':'W/\\\"7\\\"'}}"),
                412);
    (void)service_log(tally_entry, &tally);
    assert_int_equal(tally.created, 2);
    assert_int_equal(tally.refused, 2);
}

#define MANY 10000

static void takes_ten_thousand_entries_within_its_memory(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{'fullUrl':'urn:uuid:05efabf0-4be2-4561-91ce-5154%08zu','resource':{'resourceType':"
        "'Patient','name':[{'family':'F','given':['G']}]},'request':{'method':'POST',"
        "'url':'Patient'}}",
        "{'resource':{'resourceType':'Basic','code':{'text':'x'},'subject':{'reference':"
        "'urn:uuid:05efabf0-4be2-4561-91ce-5154%08zu'}},'request':{'method':'POST',"
        "'url':'Basic'}}"};
    static const char *const types[] = {"transaction", "batch"};
    for (size_t kind = 0; kind < 2; kind++) {
        struct arena *memory = arena_create(0);
        struct buffer body = {.arena = memory};
        buffer_print(&body, "{'resourceType':'Bundle','type':'%s','entry':[", types[kind]);
        for (size_t i = 0; i < MANY; i++) {
            buffer_add_text(&body, i > 0 ? "," : "");
            buffer_add_text(&body, text_of(forms[i % 2], i / 2));
        }
        buffer_add_text(&body, "]}");
        buffer_add_byte(&body, '\0');
        int64_t start = time_monotonic();
        struct answer answer = ask("POST", "", NULL, body.at);
        assert_http(answer, 200);
        assert_int_equal(yyjson_arr_size(answer_value(&answer, "entry")), MANY);
        assert_text(answer, "entry.9999.response.status", "201 Created");
        print_message("%s of %d entries: %zu bytes, arena %zu (bound without entries %zu), %lld "
                      "ms\n",
                      types[kind], MANY, body.length, answer.used,
                      ARENA_REQUEST_BASE + ARENA_REQUEST_FACTOR * body.length,
                      (long long)(time_monotonic() - start) / 1000);
        arena_destroy(memory);
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(does_what_each_entry_asks_and_answers_in_their_order),
        SERVICE_TEST(deletes_before_it_creates_and_creates_before_it_updates),
        SERVICE_TEST(resolves_links_wherever_they_may_stand),
        SERVICE_TEST(resolves_references_in_a_circle),
        SERVICE_TEST(leaves_nothing_when_one_entry_fails),
        SERVICE_TEST(reports_every_faulty_resource_with_its_path),
        SERVICE_TEST(refuses_two_entries_about_one_resource),
        SERVICE_TEST(reads_see_what_was_written_before_them),
        SERVICE_TEST(a_read_that_fails_fails_the_whole),
        SERVICE_TEST(a_copy_that_is_current_is_no_failure),
        SERVICE_TEST(gives_back_what_was_written_when_asked_to),
        SERVICE_TEST(patches_with_a_binary),
        SERVICE_TEST(deletes_what_another_entry_lets_go),
        SERVICE_TEST(refuses_what_is_no_batch_or_transaction),
        SERVICE_TEST(refuses_a_search_whose_criteria_it_could_not_see),
        SERVICE_TEST(logs_each_entry_and_what_was_undone_as_refused),
        SERVICE_TEST(takes_ten_thousand_entries_within_its_memory),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
