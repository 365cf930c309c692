/* SPDX-License-Identifier: MIT */
/* Rules of single interactions (R4 http). */
#include "service.h"

static void put_patient(const char *id, const char *number)
{
    struct answer answer = ask("PUT", text_of("Patient/%s", id), NULL,
                               text_of("{'resourceType':'Patient','id':'%s','identifier':[{"
                                       "'system':'s','value':'%s'}]}",
                                       id, number));
    assert_http(answer, 201);
}

/* ---- conditional update ---- */

static void a_conditional_update_replaces_nothing_that_its_criteria_miss(void **state)
{
    (void)state;
    put_patient("p1", "1");
    const char *other = "{'resourceType':'Patient','id':'p1','identifier':[{'system':'s',"
                        "'value':'999'}]}";
    assert_http(ask("PUT", "Patient?identifier=s|999", NULL, other), 409);
    struct answer answer =
        ask("POST", "", NULL,
            text_of("{'resourceType':'Bundle','type':'transaction','entry':[{'resource':%s,"
                    "'request':{'method':'PUT','url':'Patient?identifier=s|999'}}]}",
                    other));
    assert_http(answer, 409);
    assert_text(get("Patient/p1"), "identifier.0.value", "1");
    assert_text(get("Patient/p1"), "meta.versionId", "1");
    const char *fresh = "{'resourceType':'Patient','id':'p2','identifier':[{'system':'s',"
                        "'value':'2'}]}";
    assert_http(ask("PUT", "Patient?identifier=s|2", NULL, fresh), 201);
    assert_http(ask("PUT", "Patient?identifier=s|2", NULL, fresh), 200);
}

/* ---- If-Match ---- */

static const char plain[] = "{'resourceType':'Patient','id':'a'}";

static void if_match_takes_a_star_and_lists(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", "If-Match: *", plain), 412);
    assert_http(ask("PUT", "Patient/a", NULL, plain), 201);
    assert_http(ask("PUT", "Patient/a", "If-Match: *", plain), 200);
    assert_http(ask("PUT", "Patient/a", "If-Match: W/\"1\", W/\"2\"", plain), 200);
    assert_http(ask("PUT", "Patient/a", "If-Match: W/\"1\", W/\"2\"", plain), 412);
    assert_http(ask("PUT", "Patient/a", "If-Match: \"other\",\"3\"", plain), 200);
    assert_http(ask("PUT", "Patient/a", "If-Match: three", plain), 412);
    const char *patch = "[{'op':'add','path':'/active','value':true}]";
    const char *type = "Content-Type: application/json-patch+json";
    assert_http(ask("PATCH", "Patient/a", text_of("%s\nIf-Match: W/\"1\",W/\"9\"", type), patch),
                412);
    assert_http(ask("PATCH", "Patient/a", text_of("%s\nIf-Match: W/\"1\",W/\"4\"", type), patch),
                200);
    assert_http(ask("PATCH", "Patient/a", text_of("%s\nIf-Match: *", type), patch), 200);
    assert_http(ask("DELETE", "Patient/a", "If-Match: W/\"1\",W/\"2\"", NULL), 412);
    assert_http(ask("DELETE", "Patient/a", "If-Match: W/\"1\",W/\"6\"", NULL), 204);
}

static void refuses_conditions_that_it_does_not_heed(void **state)
{
    (void)state;
    const char *patch = "[{'op':'add','path':'/active','value':true}]";
    const char *type = "Content-Type: application/json-patch+json";
    const char *old = "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT";
    assert_http(ask("PUT", "Patient/a", NULL, plain), 201);
    assert_http(ask("PATCH", "Patient/a", text_of("%s\nIf-None-Match: *", type), patch), 412);
    assert_http(ask("PATCH", "Patient/a", text_of("%s\n%s", type, old), patch), 412);
    assert_http(ask("DELETE", "Patient/a", "If-None-Match: *", NULL), 412);
    assert_http(ask("DELETE", "Patient/a", old, NULL), 412);
    assert_http(ask("PUT", "Patient/a", old, plain), 412);
    assert_text(get("Patient/a"), "meta.versionId", "1");
    /* RFC 9110, 13.1.4: with If-Match it is ignored. */
    assert_http(ask("PUT", "Patient/a", text_of("%s\nIf-Match: W/\"1\"", old), plain), 200);
}

/* ---- patches ---- */

#define REPLACE_SYSTEM(path)                                                                       \
    "{'name':'operation','part':[{'name':'type','valueCode':'replace'},{'name':'path',"            \
    "'valueString':'" path "'},{'name':'value','valueUri':'http://x/new'}]}"

static const char *patient_with(size_t identifiers)
{
    struct buffer out = {.arena = service_memory()};
    buffer_add_text(&out, "{'resourceType':'Patient','id':'a','identifier':[");
    for (size_t i = 0; i < identifiers; i++) {
        buffer_print(&out, "%s{'system':'http://x/s','value':'v%zu'}", i > 0 ? "," : "", i);
    }
    buffer_add_text(&out, "]}");
    buffer_add_byte(&out, '\0');
    return out.at;
}

/* How large the resource is hangs on who stored it, not on who patches it. */
static void a_small_patch_of_a_large_resource_has_room(void **state)
{
    (void)state;
    const char *operation = "{'resourceType':'Parameters','parameter':[" REPLACE_SYSTEM(
        "Patient.identifier[1].system") "]}";
    assert_http(ask("PUT", "Patient/a", NULL, patient_with(12000)), 201);
    assert_http(ask("PATCH", "Patient/a", "Content-Type: application/json-patch+json",
                    "[{'op':'replace','path':'/identifier/1/system','value':'http://x/new'}]"),
                200);
    assert_text(get("Patient/a"), "identifier.1.system", "http://x/new");
    assert_http(ask("PATCH", "Patient/a", "Content-Type: application/fhir+json", operation), 200);
}

static void many_operations_on_a_long_list_have_room(void **state)
{
    (void)state;
    struct buffer out = {.arena = service_memory()};
    assert_http(ask("PUT", "Patient/a", NULL, patient_with(4000)), 201);
    buffer_add_text(&out, "{'resourceType':'Parameters','parameter':[");
    for (size_t i = 0; i < 100; i++) {
        buffer_add_text(&out, i > 0 ? "," : "");
        buffer_add_text(&out, REPLACE_SYSTEM("Patient.identifier[1].system"));
    }
    buffer_add_text(&out, "]}");
    buffer_add_byte(&out, '\0');
    assert_http(ask("PATCH", "Patient/a", "Content-Type: application/fhir+json", out.at), 200);
}

/* ---- history ---- */

static void history_says_201_of_what_was_put_back(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, plain), 201);
    assert_http(ask("PUT", "Patient/a", NULL, plain), 200);
    assert_http(ask("DELETE", "Patient/a", NULL, NULL), 204);
    assert_http(ask("PUT", "Patient/a", NULL, plain), 201);
    assert_http(ask("PUT", "Patient/a", NULL, plain), 200);
    struct answer answer = get("Patient/a/_history");
    assert_text(answer, "entry.0.response.status", "200 OK");
    assert_text(answer, "entry.1.response.status", "201 Created");
    assert_text(answer, "entry.1.request.method", "PUT");
    assert_text(answer, "entry.2.response.status", "204 No Content");
    assert_text(answer, "entry.3.response.status", "200 OK");
    assert_text(answer, "entry.4.response.status", "201 Created");
}

/* ---- ids ---- */

static void a_bad_id_is_refused_when_written_and_unknown_when_read(void **state)
{
    (void)state;
    struct answer answer = ask("PUT", "Patient/a_b", NULL, "{'resourceType':'Patient','id':'a_b'}");
    assert_http(answer, 400);
    assert_http(get("Patient/a_b"), 404);
}

/* ---- what is subsetted ---- */

static void refuses_a_part_in_place_of_the_whole(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, plain), 201);
    const char *part =
        "{'resourceType':'Patient','id':'a','meta':{'tag':[{'system':"
        "'http://terminology.hl7.org/CodeSystem/v3-ObservationValue','code':'SUBSETTED'}]}}";
    assert_http(ask("PUT", "Patient/a", NULL, part), 422);
    assert_text(get("Patient/a"), "meta.versionId", "1");
}

static void tags_a_binary_whose_content_is_left_out(void **state)
{
    (void)state;
    size_t length = ((size_t)8 << 20) + 3;
    char *bytes = arena_zero(service_memory(), length);
    assert_http(caller_send_file(service_caller(), "PUT", "Binary/x",
                                 "Content-Type: application/pdf", slice_of(bytes, length)),
                201);
    struct answer answer = get("Binary?_id=x");
    assert_http(answer, 200);
    assert_text(answer, "entry.0.resource.meta.tag.0.code", "SUBSETTED");
    assert_text(answer, "entry.0.resource.meta.versionId", "1");
    assert_null(answer_value(&answer, "entry.0.resource.data"));
    answer = get("Binary/x/_history");
    assert_text(answer, "entry.0.resource.meta.tag.0.code", "SUBSETTED");
    assert_http(caller_send_file(service_caller(), "PUT", "Binary/y",
                                 "Content-Type: application/pdf", slice_of(bytes, 1 << 20)),
                201);
    answer = get("Binary?_id=y");
    assert_null(answer_value(&answer, "entry.0.resource.meta.tag"));
    assert_non_null(answer_value(&answer, "entry.0.resource.data"));
}

/* ---- many persons ---- */

static void takes_a_group_of_eight_thousand(void **state)
{
    (void)state;
    struct buffer members = {.arena = service_memory()};
    for (int i = 0; i < 8000; i++) {
        buffer_print(&members, "%s{'entity':{'reference':'Patient/p%05d'}}", i > 0 ? "," : "", i);
    }
    buffer_add_byte(&members, '\0');
    const char *group = text_of("{'resourceType':'Group','id':'g','type':'person','actual':true,"
                                "'member':[%s]}",
                                members.at);
    assert_http(ask("PUT", "Group/g?_pretty=false&_format=json", NULL, group), 201);
    assert_http(get("Group/g"), 200);
    assert_http(ask("DELETE", "Group/g", NULL, NULL), 204);
    assert_int_equal(service_log(NULL, NULL), 3 * 8000);
}

/* A text that folds to nothing begins every text. */
static void a_blank_text_finds_nobody_and_not_everybody(void **state)
{
    (void)state;
    static const char *const blanks[] = {"Patient?family=%20", "Patient?family=%CC%81",
                                         "Patient?family:contains=%20%20", "Patient?name=x,%20"};
    assert_http(ask("PUT", "Patient/a", NULL,
                    "{'resourceType':'Patient','id':'a','name':[{'family':'Smith'}]}"),
                201);
    for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++) {
        assert_http(get(blanks[i]), 400);
    }
    assert_http(ask("DELETE", "Patient?family=%20", NULL, NULL), 400);
    assert_http(get("Patient/a"), 200);
    assert_int_equal(count_of("Patient?family:exact=%20"), 0);
    assert_int_equal(count_of("Patient?family=smith"), 1);
}

/* ---- national rules ---- */

static void national_rules_refuse_errors_and_let_warnings_pass(void **state)
{
    (void)state;
    const char *numbered = "{'resourceType':'Patient','identifier':[{'system':"
                           "'https://fhir.nhs.uk/Id/nhs-number','value':'9434765918'}]}";
    struct answer answer = ask("POST", "Patient", NULL, numbered);
    assert_http(answer, 422);
    assert_text(answer, "issue.0.code", "business-rule");
    assert_text(answer, "issue.0.expression.0", "Patient.identifier[0].value");
    assert_null(memmem(answer.body.at, answer.body.length, "9434765918", 10));
    assert_int_equal(count_of("Patient"), 0);
    assert_http(ask("POST", "", NULL,
                    text_of("{'resourceType':'Bundle','type':'transaction','entry':[{'resource':%s,"
                            "'request':{'method':'POST','url':'Patient'}}]}",
                            numbered)),
                422);
    const char *warm =
        "{'resourceType':'Observation','status':'final','code':{'coding':[{'system':"
        "'http://loinc.org','code':'8310-5'}]},'valueQuantity':{'value':98.6,'system':"
        "'http://unitsofmeasure.org','code':'Cel'}}";
    assert_http(ask("POST", "Observation", NULL, warm), 201);
    answer = ask("POST", "Observation", "Prefer: return=OperationOutcome", warm);
    assert_http(answer, 201);
    assert_text(answer, "issue.0.severity", "warning");
    answer = ask("POST", "", "Prefer: return=OperationOutcome",
                 text_of("{'resourceType':'Bundle','type':'transaction','entry':[{'resource':%s,"
                         "'request':{'method':'POST','url':'Observation'}}]}",
                         warm));
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.outcome.issue.0.severity", "warning");
    answer = ask("POST", "Observation/$validate", NULL, warm);
    assert_http(answer, 200);
    assert_text(answer, "issue.0.severity", "warning");
}

static void a_logical_reference_is_found_with_and_without_its_system(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Basic/a", NULL,
                    "{'resourceType':'Basic','id':'a','code':{'text':'x'},'subject':{'identifier':"
                    "{'system':'urn:s','value':'123'}}}"),
                201);
    assert_int_equal(count_of("Basic?subject:identifier=urn:s%7C123"), 1);
    assert_int_equal(count_of("Basic?subject:identifier=123"), 1);
    assert_int_equal(count_of("Basic?subject:identifier=12"), 0);
    assert_int_equal(count_of("Basic?subject:identifier=124,123"), 1);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(national_rules_refuse_errors_and_let_warnings_pass),
        SERVICE_TEST(a_conditional_update_replaces_nothing_that_its_criteria_miss),
        SERVICE_TEST(if_match_takes_a_star_and_lists),
        SERVICE_TEST(refuses_conditions_that_it_does_not_heed),
        SERVICE_TEST(a_small_patch_of_a_large_resource_has_room),
        SERVICE_TEST(many_operations_on_a_long_list_have_room),
        SERVICE_TEST(history_says_201_of_what_was_put_back),
        SERVICE_TEST(a_bad_id_is_refused_when_written_and_unknown_when_read),
        SERVICE_TEST(refuses_a_part_in_place_of_the_whole),
        SERVICE_TEST(tags_a_binary_whose_content_is_left_out),
        SERVICE_TEST(takes_a_group_of_eight_thousand),
        SERVICE_TEST(a_blank_text_finds_nobody_and_not_everybody),
        SERVICE_TEST(a_logical_reference_is_found_with_and_without_its_system),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
