/* SPDX-License-Identifier: MIT */
/* The terminology service over the API, and conformance resources that are stored through it. */
#include "service.h"

#define GENDER     "http://hl7.org/fhir/administrative-gender"
#define GENDER_SET "http://hl7.org/fhir/ValueSet/administrative-gender"

#define COLOURS                                                                                    \
    "{'resourceType':'CodeSystem','id':'colours','url':'http://x/colours','version':'1',"          \
    "'status':'active','content':'complete','concept':[{'code':'red','display':'Red'},"            \
    "{'code':'green','display':'%s'}]}"
#define COLOUR_SET                                                                                 \
    "{'resourceType':'ValueSet','id':'colours','url':'http://x/set','status':'active',"            \
    "'compose':{'include':[{'system':'http://x/colours'%s}]}}"

/* The value of a parameter of the answer, or empty. */
static struct slice result(const struct answer *answer, const char *name)
{
    struct json json;
    assert_int_equal(json_read(answer->body, &json_limits_default, answer->arena, NULL, &json),
                     STATUS_OK);
    size_t at, max, inner, count;
    yyjson_val *parameter, *key, *value;
    yyjson_arr_foreach(json_get(json.root, "parameter"), at, max, parameter)
    {
        if (!slice_is(json_get_string(parameter, "name"), name)) {
            continue;
        }
        yyjson_obj_foreach(parameter, inner, count, key, value)
        {
            if (yyjson_is_bool(value)) {
                return yyjson_get_bool(value) ? SLICE("true") : SLICE("false");
            }
            if (slice_starts(json_string(key), SLICE("value"))) {
                return json_string(value);
            }
        }
    }
    return (struct slice){0};
}

#define ASSERT_RESULT(answer, name, text)                                                          \
    do {                                                                                           \
        struct slice result_ = result(&(answer), (name));                                          \
        if (!slice_is(result_, (text))) {                                                          \
            fail_msg("%s is %.*s", (name), SLICE_ARGS(result_));                                   \
        }                                                                                          \
    } while (0)

static size_t expanded(const char *path)
{
    struct answer answer = get(path);
    struct json json;
    assert_http(answer, 200);
    assert_int_equal(json_read(answer.body, &json_limits_default, answer.arena, NULL, &json),
                     STATUS_OK);
    return yyjson_arr_size(json_get(json_get(json.root, "expansion"), "contains"));
}

static void answers_questions_in_urls(void **state)
{
    (void)state;
    assert_int_equal(expanded("ValueSet/$expand?url=" GENDER_SET), 4);
    assert_int_equal(expanded("ValueSet/$expand?count=3&offset=2&url=" GENDER_SET), 2);
    assert_int_equal(expanded("ValueSet/$expand?filter=male&url=" GENDER_SET), 2);
    struct answer answer =
        get("ValueSet/$validate-code?url=" GENDER_SET "&code=male&system=" GENDER);
    ASSERT_RESULT(answer, "result", "true");
    ASSERT_RESULT(answer, "display", "Male");
    answer = get("ValueSet/$validate-code?url=" GENDER_SET "&code=mail&system=" GENDER);
    ASSERT_RESULT(answer, "result", "false");
    answer = get("CodeSystem/$validate-code?url=" GENDER "&code=male&display=Masculine");
    ASSERT_RESULT(answer, "result", "false");
    answer = get("CodeSystem/$lookup?code=other&system=" GENDER);
    ASSERT_RESULT(answer, "display", "Other");
    answer = get("CodeSystem/$subsumes?codeA=ACT&codeB=OBS&system="
                 "http://terminology.hl7.org/CodeSystem/v3-ActClass");
    ASSERT_RESULT(answer, "outcome", "subsumes");
    answer = get("ConceptMap/$translate?code=male&system=" GENDER
                 "&targetsystem=http://terminology.hl7.org/CodeSystem/v2-0001");
    ASSERT_RESULT(answer, "result", "true");
}

static void answers_questions_in_bodies(void **state)
{
    (void)state;
    struct answer answer =
        ask("POST", "ValueSet/$validate-code", "Content-Type: application/fhir+json",
            "{'resourceType':'Parameters','parameter':[{'name':'url','valueUri':'" GENDER_SET
            "'},{'name':'codeableConcept','valueCodeableConcept':{'coding':[{'system':'http://x/y',"
            "'code':'z'},{'system':'" GENDER "','code':'female'}]}}]}");
    assert_http(answer, 200);
    ASSERT_RESULT(answer, "code", "female");
    answer = ask("POST", "ValueSet/$expand", "Content-Type: application/fhir+json",
                 "{'resourceType':'Patient'}");
    assert_http(answer, 400);
    answer =
        ask("POST", "ValueSet/$expand", "Content-Type: application/fhir+json",
            "{'resourceType':'ValueSet','status':'active','compose':{'include':[{'system':'" GENDER
            "','concept':[{'code':'male'}]}]}}");
    assert_http(answer, 200);
}

static void says_what_it_does_not_have(void **state)
{
    (void)state;
    struct answer answer = get("ValueSet/$expand?url=http://x/none");
    assert_http(answer, 404);
    answer = get("ValueSet/$expand");
    assert_http(answer, 422);
    answer = get("CodeSystem/$lookup?code=x&system=http://x/none");
    assert_http(answer, 422);
    answer = get("CodeSystem/$lookup?code=x&system=" GENDER);
    assert_http(answer, 404);
    answer = get("ValueSet/nobody/$expand");
    assert_http(answer, 404);
    answer = get("ConceptMap/$translate?code=x&url=http://x/none");
    assert_http(answer, 404);
    answer = get("ValueSet/$expand?count=many&url=" GENDER_SET);
    assert_http(answer, 400);
}

static void uses_what_is_stored_from_the_moment_it_is(void **state)
{
    (void)state;
    assert_http(ask("PUT", "CodeSystem/colours", NULL, text_of(COLOURS, "Green")), 201);
    assert_http(ask("PUT", "ValueSet/colours", NULL, text_of(COLOUR_SET, "")), 201);
    assert_int_equal(expanded("ValueSet/$expand?url=http://x/set"), 2);
    assert_int_equal(expanded("ValueSet/colours/$expand"), 2);
    assert_http(
        ask("PUT", "ValueSet/colours", NULL, text_of(COLOUR_SET, ",'concept':[{'code':'green'}]")),
        200);
    assert_int_equal(expanded("ValueSet/$expand?url=http://x/set"), 1);
    struct answer answer =
        get("ValueSet/$validate-code?url=http://x/set&code=green&system=http://x/colours");
    ASSERT_RESULT(answer, "display", "Green");
    assert_http(ask("PUT", "CodeSystem/colours", NULL, text_of(COLOURS, "Verdant")), 200);
    answer = get("ValueSet/$validate-code?url=http://x/set&code=green&system=http://x/colours");
    ASSERT_RESULT(answer, "display", "Verdant");
    assert_http(ask("PUT", "ValueSet/colours", NULL,
                    "{'resourceType':'ValueSet','id':'colours','url':'http://x/renamed',"
                    "'status':'active','compose':{'include':[{'system':'http://x/colours'}]}}"),
                200);
    assert_http(get("ValueSet/$expand?url=http://x/set"), 404);
    assert_int_equal(expanded("ValueSet/$expand?url=http://x/renamed"), 2);
    assert_http(ask("DELETE", "ValueSet/colours", NULL, NULL), 204);
    assert_http(get("ValueSet/$expand?url=http://x/renamed"), 404);
}

static void what_was_stored_is_there_after_a_start(void **state)
{
    (void)state;
    assert_http(ask("PUT", "CodeSystem/colours", NULL, text_of(COLOURS, "Green")), 201);
    assert_http(ask("PUT", "ValueSet/colours", NULL, text_of(COLOUR_SET, "")), 201);
    service_restart();
    assert_int_equal(expanded("ValueSet/$expand?url=http://x/set"), 2);
    assert_http(ask("DELETE", "CodeSystem/colours", NULL, NULL), 204);
    assert_http(get("ValueSet/$expand?url=http://x/set"), 422);
}

#define PROFILE_OF(id, base, elements)                                                             \
    "{'resourceType':'StructureDefinition','id':'" id "','url':'http://x/" id "','name':'P',"      \
    "'status':'active','kind':'resource','abstract':false,'type':'Patient','baseDefinition':"      \
    "'" base "','derivation':'constraint','differential':{'element':[" elements "]}}"
#define NAMED_PROFILE                                                                              \
    PROFILE_OF("named", "http://hl7.org/fhir/StructureDefinition/Patient",                         \
               "{'id':'Patient.name','path':'Patient.name','min':1}")
#define BORN_PROFILE                                                                               \
    PROFILE_OF("born", "http://x/named",                                                           \
               "{'id':'Patient.birthDate','path':'Patient.birthDate','min':1}")
#define DECLARES "{'resourceType':'Patient','id':'%s','meta':{'profile':['http://x/born']}%s}"

static void put_declaring(const char *id, const char *more, int http)
{
    char path[64], body[512];
    (void)snprintf(path, sizeof path, "Patient/%s", id);
    (void)snprintf(body, sizeof body, DECLARES, id, more);
    assert_http(ask("PUT", path, NULL, body), http);
}

/* Nothing has asked about terminology before: entries themselves are reason enough to look. */
static void entries_are_held_to_profiles_that_are_stored(void **state)
{
    (void)state;
    service_validates = true;
    service_restart();
    put_declaring("before", "", 201); /* not loaded: a warning */
    assert_http(ask("PUT", "StructureDefinition/born", NULL, BORN_PROFILE), 201);
    assert_http(ask("PUT", "StructureDefinition/named", NULL, NAMED_PROFILE), 201);
    put_declaring("a", ",'birthDate':'1970-01-01'", 422); /* what the base of its profile asks */
    put_declaring("a", ",'name':[{'family':'B'}]", 422);
    put_declaring("a", ",'birthDate':'1970-01-01','name':[{'family':'B'}]", 201);
    service_restart();
    put_declaring("b", ",'birthDate':'1970-01-01'", 422);
    put_declaring("b", ",'birthDate':'1970-01-01','name':[{'family':'B'}]", 201);
    assert_http(ask("DELETE", "StructureDefinition/born", NULL, NULL), 204);
    put_declaring("c", "", 201);
    service_validates = false;
}

static void of_two_with_one_name_one_stays(void **state)
{
    (void)state;
    assert_http(ask("PUT", "CodeSystem/colours", NULL, text_of(COLOURS, "Green")), 201);
    assert_http(ask("PUT", "ValueSet/colours", NULL, text_of(COLOUR_SET, "")), 201);
    assert_int_equal(expanded("ValueSet/$expand?url=http://x/set"), 2);
    assert_http(ask("POST", "ValueSet", NULL, text_of(COLOUR_SET, "")), 201);
    assert_http(ask("DELETE", "ValueSet/colours", NULL, NULL), 204);
    assert_int_equal(expanded("ValueSet/$expand?url=http://x/set"), 2);
}

static void put_one_code(const char *id, const char *url, const char *code, int http)
{
    char path[64], body[512];
    (void)snprintf(path, sizeof path, "CodeSystem/%s", id);
    (void)snprintf(body, sizeof body,
                   "{'resourceType':'CodeSystem','id':'%s','url':'%s','status':'active',"
                   "'content':'complete','concept':[{'code':'%s'}]}",
                   id, url, code);
    assert_http(ask("PUT", path, NULL, body), http);
}

static void assert_counts(const char *code, const char *other)
{
    char path[128];
    (void)snprintf(path, sizeof path, "CodeSystem/$lookup?system=http://x/twice&code=%s", code);
    assert_http(get(path), 200);
    (void)snprintf(path, sizeof path, "CodeSystem/$lookup?system=http://x/twice&code=%s", other);
    assert_http(get(path), 404);
}

static void of_two_with_one_name_the_one_written_last_counts(void **state)
{
    (void)state;
    put_one_code("second", "http://x/elsewhere", "b", 201);
    put_one_code("first", "http://x/twice", "a", 201);
    assert_counts("a", "b");
    put_one_code("second", "http://x/twice", "b", 200);
    assert_counts("b", "a");
    service_restart();
    assert_counts("b", "a");
    put_one_code("first", "http://x/twice", "a", 200);
    assert_counts("a", "b");
    service_restart();
    assert_counts("a", "b");
}

static void what_was_deleted_or_renamed_no_longer_stands_for_another_of_its_name(void **state)
{
    (void)state;
    assert_http(get("CodeSystem/$lookup?system=http://x/twice&code=a"), 422);
    put_one_code("first", "http://x/twice", "a", 201);
    put_one_code("second", "http://x/twice", "b", 201);
    assert_counts("b", "a");
    assert_http(ask("DELETE", "CodeSystem/second", NULL, NULL), 204);
    assert_counts("a", "b");
    put_one_code("second", "http://x/twice", "b", 201);
    assert_counts("b", "a");
    put_one_code("second", "http://x/elsewhere", "b", 200);
    assert_counts("a", "b");
    put_one_code("third", "http://x/twice", "c", 201);
    put_one_code("second", "http://x/twice", "b", 200);
    assert_http(ask("DELETE", "CodeSystem/third", NULL, NULL), 204); /* not the one that counts */
    assert_counts("b", "c");
    assert_http(ask("DELETE", "CodeSystem/second", NULL, NULL), 204);
    assert_http(ask("DELETE", "CodeSystem/first", NULL, NULL), 204);
    assert_http(get("CodeSystem/$lookup?system=http://x/twice&code=a"), 422);
}

static void no_answer_has_an_empty_element(void **state)
{
    (void)state;
    struct answer answer = ask("POST", "ValueSet/$validate-code", NULL,
                               "{'resourceType':'Parameters','parameter':[{'name':'url','valueUri':"
                               "'" GENDER_SET "'},{'name':'coding','valueCoding':{'system':"
                               "'" GENDER "'}}]}");
    assert_http(answer, 200);
    ASSERT_RESULT(answer, "result", "false");
    assert_null(memmem(answer.body.at, answer.body.length, ":\"\"", 3));
}

static void refuses_what_would_narrow_an_expansion_and_is_not_supported(void **state)
{
    (void)state;
    assert_http(get("ValueSet/$expand?url=" GENDER_SET "&exclude-system=" GENDER), 400);
}

static void a_long_chain_of_value_sets_is_no_circle(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        char path[64], body[512];
        (void)snprintf(path, sizeof path, "ValueSet/chain%d", i);
        (void)snprintf(
            body, sizeof body,
            "{'resourceType':'ValueSet','id':'chain%d','url':'http://x/chain%d','status':"
            "'active','compose':{'include':[{'valueSet':['http://x/chain%d']}]}}",
            i, i, i == 39 ? 38 : i + 1);
        assert_http(ask("PUT", path, NULL, body), 201);
    }
    assert_text(get("ValueSet/$expand?url=http://x/chain0"), "issue.0.code", "too-costly");
    assert_text(get("ValueSet/$expand?url=http://x/chain30"), "issue.0.code", "processing");
}

static unsigned long fail_at;

static void arm(void)
{
    (void)arena_fail_after(fail_at);
}

static void disarm(void)
{
    (void)arena_fail_after(0);
}

/* Whatever ran out of memory: what is told as stored counts. */
static void what_is_told_as_stored_counts_though_memory_was_short(void **state)
{
    (void)state;
    put_one_code("first", "http://x/twice", "begin", 201);
    assert_http(get("CodeSystem/$lookup?system=http://x/twice&code=begin"), 200);
    for (unsigned long n = 1; n < 150; n++) {
        char body[256], path[128];
        (void)snprintf(body, sizeof body,
                       "{'resourceType':'CodeSystem','id':'first','url':'http://x/t%lu',"
                       "'status':'active','content':'complete','concept':[{'code':'c%lu'}]}",
                       n, n);
        fail_at = n;
        service_before_walk = arm;
        service_after_walk = disarm;
        struct answer answer = ask("PUT", "CodeSystem/first", NULL, body);
        service_before_walk = service_after_walk = NULL;
        if (answer.http == 200) {
            (void)snprintf(path, sizeof path, "CodeSystem/$lookup?system=http://x/t%lu&code=c%lu",
                           n, n);
            assert_http(get(path), 200);
        }
    }
}

static void a_batch_may_ask_many_questions(void **state)
{
    (void)state;
    struct answer answer =
        ask("POST", "", NULL,
            "{'resourceType':'Bundle','type':'batch','entry':["
            "{'request':{'method':'GET','url':'CodeSystem/$lookup?code=male&system=" GENDER "'}},"
            "{'request':{'method':'GET','url':'ValueSet/$expand?url=http://x/none'}}]}");
    assert_http(answer, 200);
    struct json json;
    assert_int_equal(json_read(answer.body, &json_limits_default, answer.arena, NULL, &json),
                     STATUS_OK);
    yyjson_val *entries = json_get(json.root, "entry");
    yyjson_val *first = json_get(yyjson_arr_get(entries, 0), "response");
    yyjson_val *second = json_get(yyjson_arr_get(entries, 1), "response");
    assert_true(slice_starts(json_get_string(first, "status"), SLICE("200")));
    assert_true(slice_starts(json_get_string(second, "status"), SLICE("404")));
}

static void tells_what_its_terminology_can_do(void **state)
{
    (void)state;
    struct answer answer = get("metadata?mode=terminology");
    assert_http(answer, 200);
    assert_text(answer, "resourceType", "TerminologyCapabilities");
    answer = get("metadata");
    assert_text(answer, "resourceType", "CapabilityStatement");
}

#define BORN                                                                                       \
    "{'resourceType':'StructureDefinition','id':'born','url':'http://x/born','name':'Born',"       \
    "'status':'draft','kind':'resource','abstract':false,'type':'Patient','baseDefinition':"       \
    "'http://hl7.org/fhir/StructureDefinition/Patient','derivation':'constraint','differential':"  \
    "{'element':[{'id':'Patient.birthDate','path':'Patient.birthDate'%s}]}}"
#define CLAIMS "{'resourceType':'Patient','meta':{'profile':['http://x/born']},'active':true}"

static bool is_valid(const char *profile)
{
    struct answer answer = ask("POST", text_of("Patient/$validate?profile=%s", profile), NULL,
                               "{'resourceType':'Patient','active':true}");
    assert_http(answer, 200);
    return memmem(answer.body.at, answer.body.length, "\"severity\":\"error\"", 18) == NULL;
}

static void a_profile_counts_from_the_moment_it_is_stored(void **state)
{
    (void)state;
    service_stop();
    service_validates = true;
    service_prepare();
    service_start();
    assert_http(ask("PUT", "StructureDefinition/born", NULL, text_of(BORN, ",'min':1")), 201);
    assert_false(is_valid("http://x/born"));
    assert_http(ask("POST", "Patient", NULL, CLAIMS), 422);
    service_restart();
    assert_http(ask("POST", "Patient", NULL, CLAIMS), 422); /* the first that is asked */
    assert_http(ask("PUT", "StructureDefinition/born", NULL, text_of(BORN, "")), 200);
    assert_http(ask("POST", "Patient", NULL, CLAIMS), 201);
    /* One of which no snapshot can be made leaves nothing of the one before. */
    assert_http(ask("PUT", "StructureDefinition/born", NULL, text_of(BORN, ",'min':1")), 200);
    assert_http(ask("PUT", "StructureDefinition/born", NULL,
                    text_of(BORN, "},{'id':'Patient.nothing','path':'Patient.nothing'")),
                200);
    assert_false(is_valid("http://x/born"));
    assert_http(ask("POST", "Patient", NULL, CLAIMS), 201); /* a profile that is not known */
    service_validates = false;
}

static void touches_nobody_s_record(void **state)
{
    (void)state;
    assert_int_equal(expanded("ValueSet/$expand?url=" GENDER_SET), 4);
    assert_int_equal(service_log(NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(answers_questions_in_urls),
        SERVICE_TEST(answers_questions_in_bodies),
        SERVICE_TEST(says_what_it_does_not_have),
        SERVICE_TEST(uses_what_is_stored_from_the_moment_it_is),
        SERVICE_TEST(what_was_stored_is_there_after_a_start),
        SERVICE_TEST(entries_are_held_to_profiles_that_are_stored),
        SERVICE_TEST(of_two_with_one_name_one_stays),
        SERVICE_TEST(of_two_with_one_name_the_one_written_last_counts),
        SERVICE_TEST(no_answer_has_an_empty_element),
        SERVICE_TEST(a_long_chain_of_value_sets_is_no_circle),
        SERVICE_TEST(refuses_what_would_narrow_an_expansion_and_is_not_supported),
        SERVICE_TEST(what_is_told_as_stored_counts_though_memory_was_short),
        SERVICE_TEST(what_was_deleted_or_renamed_no_longer_stands_for_another_of_its_name),
        SERVICE_TEST(a_batch_may_ask_many_questions),
        SERVICE_TEST(tells_what_its_terminology_can_do),
        SERVICE_TEST(a_profile_counts_from_the_moment_it_is_stored),
        SERVICE_TEST(touches_nobody_s_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
