/* SPDX-License-Identifier: MIT */
/* What operations are asked: a parameter that is not understood, is given too often or says what
 * another one denies is refused by name, whichever way it came. */
#include <stdio.h>

#include "service.h"

#define JSON       "Content-Type: application/fhir+json"
#define GENDER     "http://hl7.org/fhir/administrative-gender"
#define GENDER_SET "http://hl7.org/fhir/ValueSet/administrative-gender"
#define ACT        "http://terminology.hl7.org/CodeSystem/v3-ActClass"

static void assert_says(struct answer answer, const char *words)
{
    struct slice text = answer_text(&answer, "issue.0.diagnostics");
    if (text.length == 0 || memmem(text.at, text.length, words, strlen(words)) == NULL) {
        fail_msg("HTTP %d does not say %s: %.*s", answer.http, words, SLICE_ARGS(answer.body));
    }
}

/* A question in a body, its parameters written with ' for ". */
static struct answer pose(const char *path, const char *parameters)
{
    return ask("POST", path, JSON,
               text_of("{'resourceType':'Parameters','parameter':[%s]}", parameters));
}

static const char *path_of(const struct interaction *row)
{
    const char *type = row->type != NULL ? row->type : "Patient";
    switch (row->level) {
    case LEVEL_SYSTEM:
        return row->operation;
    case LEVEL_TYPE:
        return text_of("%s/%s", type, row->operation);
    default:
        return text_of("%s/%s/%s", type, strcmp(type, "Measure") == 0 ? "data-quality" : "x",
                       row->operation);
    }
}

/* The whole table is asked, so that an operation that is added is too. */
static void every_operation_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    size_t asked = 0;
    for (const struct interaction *row = api_interactions; row->name != NULL; row++) {
        if (row->operation == NULL || row->operation[0] != '$' ||
            strcmp(row->operation, "$export") == 0 || /* tests/system/bulk_export.py */
            strcmp(row->operation, "$import") == 0) { /* a manifest, no Parameters */
            continue;
        }
        const char *path = path_of(row);
        bool searches = strcmp(row->operation, "$everything") == 0 ||
                        strcmp(row->operation, "$lastn") == 0; /* they take no resource */
        const char *others = searches ? "{'name':'patient','valueString':'x'},"
                                        "{'name':'code','valueString':'y'}"
                                      : "{'name':'resource','resource':{'resourceType':'Basic',"
                                        "'code':{'text':'x'}}}";
        struct answer answer =
            row->method == METHOD_GET
                ? get(text_of("%s?nonsense=1&patient=x&code=y", path))
                : pose(path, text_of("{'name':'nonsense','valueString':'x'},%s", others));
        assert_http(answer, 400);
        assert_says(answer, "'nonsense'");
        if (row->method != METHOD_GET) {
            answer = pose(text_of("%s?nonsense=1", path), "");
            assert_http(answer, 400);
        }
        asked++;
    }
    assert_true(asked > 20);
}

static void names_the_parameter_that_was_meant(void **state)
{
    (void)state;
    assert_says(get("ValueSet/$expand?fliter=x&url=" GENDER_SET), "'filter'");
    assert_says(get("ValueSet/$expand?Count=1&url=" GENDER_SET), "'count'");
    assert_says(get("ConceptMap/$translate?targetsytem=x"), "'targetsystem'");
    struct answer answer = get("ValueSet/$expand?zzzzzz=x&url=" GENDER_SET);
    assert_says(answer, "'zzzzzz' is not supported by $expand.");
    assert_says(get("ValueSet/$expand?%3Cb%3E=x&url=" GENDER_SET), "(unreadable)");
}

static void leaves_out_what_it_does_not_know_when_asked_to(void **state)
{
    (void)state;
    struct answer answer =
        ask("GET", "ValueSet/$expand?zzzzzz=x&url=" GENDER_SET, "Prefer: handling=lenient", NULL);
    assert_http(answer, 200);
    answer = ask("GET", "ValueSet/$expand?count=1&count=2&url=" GENDER_SET,
                 "Prefer: handling=lenient", NULL);
    assert_http(answer, 400);
}

static void refuses_what_is_given_twice(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "ValueSet/$expand?url=" GENDER_SET "&url=http://x/other",
        "ValueSet/$expand?filter=a&filter=b&url=" GENDER_SET,
        "ValueSet/$validate-code?url=" GENDER_SET "&code=male&code=female&system=" GENDER,
        "CodeSystem/$lookup?code=male&code=female&system=" GENDER,
        "CodeSystem/$subsumes?codeA=ACT&codeA=OBS&codeB=OBS&system=" ACT,
        "ConceptMap/$translate?code=male&system=" GENDER "&target=http://x/a&target=http://x/b",
        "Measure/data-quality/$evaluate-measure?periodStart=2026&periodEnd=2026&reporter=unknown&"
        "reporter=other",
        "Observation/$lastn?patient=x&code=y&max=1&max=2",
        "Patient/x/$everything?start=2020&start=2021",
        "Patient/x/$everything?_count=1&_count=2",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct answer answer = get(paths[i]);
        assert_http(answer, 400);
    }
    assert_http(
        pose("ValueSet/$expand?url=" GENDER_SET, "{'name':'url','valueUri':'" GENDER_SET "'}"),
        400);
    assert_http(get("CodeSystem/$lookup?code=male&property=a&property=b&system=" GENDER), 200);
}

static void refuses_what_says_the_same_twice(void **state)
{
    (void)state;
    assert_says(pose("ValueSet/$expand", "{'name':'url','valueUri':'" GENDER_SET
                                         "'},{'name':'valueSet','resource':{'resourceType':"
                                         "'ValueSet','status':'active'}}"),
                "not both");
    assert_says(pose("CodeSystem/$lookup",
                     "{'name':'system','valueUri':'" GENDER
                     "'},{'name':'code','valueCode':'male'},{'name':'coding',"
                     "'valueCoding':{'system':'" GENDER "','code':'female'}}"),
                "not both");
    assert_says(get("ValueSet/mine/$expand?url=" GENDER_SET), "the path names");
    assert_says(get("CodeSystem/mine/$validate-code?code=a&url=" GENDER), "the path names");
    assert_says(get("ConceptMap/mine/$translate?code=a&url=http://x/map"), "the path names");
    assert_says(pose("ValueSet/$validate-code",
                     "{'name':'url','valueUri':'" GENDER_SET
                     "'},{'name':'display','valueString':'Male'},{'name':'coding','valueCoding':{"
                     "'system':'" GENDER "','code':'male'}}"),
                "goes with 'code'");
}

/* The other system would have been passed over, and the answer been about something else. */
static void a_coding_of_another_system_is_not_answered(void **state)
{
    (void)state;
#define CODING(name, system, code)                                                                 \
    "{'name':'" name "','valueCoding':{'system':'" system "','code':'" code "'}}"
    assert_http(pose("CodeSystem/$validate-code",
                     "{'name':'url','valueUri':'" ACT "'}," CODING("coding", GENDER, "male")),
                422);
    struct answer answer =
        pose("CodeSystem/$validate-code",
             "{'name':'url','valueUri':'" GENDER "'}," CODING("coding", GENDER, "male"));
    assert_http(answer, 200);
    assert_http(pose("CodeSystem/$validate-code",
                     "{'name':'url','valueUri':'" ACT
                     "'},{'name':'codeableConcept','valueCodeableConcept':{'coding':[{'system':"
                     "'" GENDER "','code':'male'}]}}"),
                422);
    assert_http(pose("CodeSystem/$subsumes",
                     "{'name':'system','valueUri':'" ACT
                     "'}," CODING("codingA", ACT, "ACT") "," CODING("codingB", GENDER, "male")),
                422);
    assert_http(pose("CodeSystem/$subsumes",
                     CODING("codingA", ACT, "ACT") "," CODING("codingB", ACT, "OBS")),
                200);
    assert_http(pose("ConceptMap/$translate",
                     "{'name':'system','valueUri':'" ACT "'}," CODING("coding", GENDER, "male")),
                422);
}

static void refuses_values_of_another_type(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "ValueSet/$expand?count=many&url=" GENDER_SET,
        "ValueSet/$expand?count=-1&url=" GENDER_SET,
        "ValueSet/$expand?activeOnly=yes&url=" GENDER_SET,
        "ValueSet/$expand?url=",
        "ValueSet/$expand?excludeNotForUI=true&url=" GENDER_SET,
        "ValueSet/$validate-code?coding=male&url=" GENDER_SET,
        "ValueSet/$expand?url:below=" GENDER_SET,
        "ValueSet/$expand?date=2020-01-01&url=" GENDER_SET,
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_http(get(paths[i]), 400);
    }
    assert_http(get("ValueSet/$expand?filter=&excludeNotForUI=false&url=" GENDER_SET), 200);
    assert_http(pose("ValueSet/$expand", "{'name':'url','valueCoding':{'code':'x'}}"), 400);
    assert_http(pose("ValueSet/$expand", "{'name':'url'}"), 400);
    assert_http(pose("ValueSet/$expand", "{'name':'valueSet','resource':{'resourceType':"
                                         "'CodeSystem','status':'active'}}"),
                400);
    assert_http(pose("ValueSet/$validate-code", "{'name':'url','valueUri':'" GENDER_SET
                                                "'},{'name':'coding','valueCodeableConcept':{"
                                                "'coding':[{'code':'male'}]}}"),
                400);
    assert_http(pose("ValueSet/$expand", "{'name':'url','valueString':'" GENDER_SET
                                         "'},{'name':'count','valueInteger':1}"),
                200);
}

/* Of two values the first would be read and the second be checked. */
static void refuses_two_values_in_one_parameter(void **state)
{
    (void)state;
    static const char *const doubled[] = {
        "'valueString':'x','valueCoding':{'system':'" GENDER "','code':'male'}",
        "'valueCoding':{'system':'" GENDER "','code':'male'},'resource':{'resourceType':'Basic'}",
        "'valueCoding':{'system':'" GENDER "','code':'male'},'part':[{'name':'x'}]"};
    for (size_t i = 0; i < sizeof doubled / sizeof doubled[0]; i++) {
        struct answer answer = pose("ValueSet/$validate-code?url=" GENDER_SET,
                                    text_of("{'name':'coding',%s}", doubled[i]));
        assert_http(answer, 400);
        assert_says(answer, "one value[x]");
        assert_text(answer, "issue.0.expression.0", "Parameters.parameter[0]");
    }
    struct answer answer =
        ask("POST", "ValueSet/$expand?url=" GENDER_SET, JSON,
            "{'resourceType':'Parameters','parameter':{'name':'count','valueInteger':1}}");
    assert_http(answer, 400);
    assert_says(answer, "array");
}

/* Also by those that read a search, or have no table. */
static void every_operation_refuses_two_values_in_one_parameter(void **state)
{
    (void)state;
    size_t asked = 0;
    for (const struct interaction *row = api_interactions; row->name != NULL; row++) {
        if (row->operation == NULL || row->operation[0] != '$' || row->method != METHOD_POST ||
            strcmp(row->operation, "$export") == 0 || strcmp(row->operation, "$import") == 0 ||
            strcmp(row->operation, "$validate") ==
                0) { /* a Parameters may be what is asked about */
            continue;
        }
        struct answer answer =
            pose(path_of(row), "{'name':'x','valueString':'a'},{'name':'code','valueString':'a',"
                               "'valueCode':'b'}");
        assert_http(answer, 400);
        assert_says(answer, "one value[x]");
        assert_text(answer, "issue.0.expression.0", "Parameters.parameter[1]");
        assert_says(pose(path_of(row), "{'valueString':'a'}"), "a name");
        asked++;
    }
    assert_true(asked > 8);
    assert_says(pose("Patient/$validate",
                     "{'name':'resource','resource':{'resourceType':'Patient'},"
                     "'valueString':'a'}"),
                "one value[x]");
}

static void the_questions_of_a_batch_are_held_to_it_too(void **state)
{
    (void)state;
#define ONE(parameters)                                                                            \
    "{'name':'url','valueUri':'" GENDER_SET                                                        \
    "'},{'name':'validation','resource':{'resourceType':'Parameters','parameter':[" parameters     \
    "]}}"
    assert_http(pose("ValueSet/$batch-validate-code", ONE(CODING("coding", GENDER, "male"))), 200);
    assert_says(pose("ValueSet/$batch-validate-code",
                     ONE(CODING("coding", GENDER, "male") "," CODING("coding", GENDER, "x"))),
                "'coding'");
    assert_says(pose("ValueSet/$batch-validate-code", ONE("{'name':'kode','valueCode':'x'}")),
                "'code'");
    assert_http(pose("ValueSet/$batch-validate-code", "{'name':'url','valueUri':'http://x'}"), 400);
}

#define MAP(id, extra)                                                                             \
    "{'resourceType':'ConceptMap','id':'" id "','url':'http://x/" id                               \
    "','status':'active','targetUri':'http://x/to','group':[{'source':'http://x/a'," extra         \
    "'target':'http://x/b','element':[{'code':'1','target':[{'code':'2','equivalence':"            \
    "'equal'}]}]}]}"

static void assert_result(const char *path, bool wanted)
{
    struct answer answer = get(path);
    assert_http(answer, 200);
    assert_int_equal(yyjson_get_bool(answer_value(&answer, "parameter.0.valueBoolean")), wanted);
}

/* What is asked beside the map's name narrows the answer. */
static void a_map_that_is_named_is_held_to_the_rest(void **state)
{
    (void)state;
    assert_http(ask("PUT", "ConceptMap/m", JSON, MAP("m", "'sourceVersion':'3',")), 201);
#define ASK "ConceptMap/$translate?url=http://x/m&code=1"
    assert_result(ASK, true);
    assert_result(ASK "&target=http://x/to", true);
    assert_result(ASK "&target=http://x/elsewhere", false);
    assert_result(ASK "&source=http://x/elsewhere", false);
    assert_result(ASK "&targetsystem=http://x/b", true);
    assert_result(ASK "&targetsystem=http://x/c", false);
    assert_result(ASK "&version=3", true);
    assert_result(ASK "&version=4", false);
    assert_result("ConceptMap/m/$translate?code=1&target=http://x/elsewhere", false);
    assert_result("ConceptMap/m/$translate?code=1", true);
}

static void would_be_stored_is_asked_in_one_way(void **state)
{
    (void)state;
#define BASIC "{'name':'resource','resource':{'resourceType':'Basic','code':{'text':'x'}}}"
    assert_http(pose("Basic/$validate", BASIC ",{'name':'mode','valueCode':'create'}"), 200);
    assert_http(pose("Basic/$validate", BASIC ",{'name':'mode','valueCode':'delete'}"), 400);
    assert_http(pose("Basic/$validate?mode=delete", BASIC), 400);
    assert_http(pose("Basic/$validate", BASIC "," BASIC), 400);
    assert_http(pose("Basic/$validate?profile=http://x/a",
                     BASIC ",{'name':'profile','valueUri':'http://x/b'}"),
                400);
    assert_http(pose("Parameters/$validate", "{'name':'anything','valueString':'x'}"), 200);
    assert_http(pose("Basic/$validate", "{'name':'mode','valueCode':'create'}"), 400);
}

static void a_report_is_asked_for_in_a_body_too(void **state)
{
    (void)state;
    struct answer answer = pose("Measure/data-quality/$evaluate-measure",
                                "{'name':'periodStart','valueDate':'2026-01'},{'name':'periodEnd',"
                                "'valueDate':'2026-02'}");
    assert_http(answer, 200);
    assert_text(answer, "period.end", "2026-02-28");
    assert_says(
        pose("Measure/data-quality/$evaluate-measure", "{'name':'periodStart','valueDate':'2026'}"),
        "'periodEnd'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(every_operation_refuses_what_it_does_not_know),
        SERVICE_TEST(names_the_parameter_that_was_meant),
        SERVICE_TEST(leaves_out_what_it_does_not_know_when_asked_to),
        SERVICE_TEST(refuses_what_is_given_twice),
        SERVICE_TEST(refuses_what_says_the_same_twice),
        SERVICE_TEST(a_coding_of_another_system_is_not_answered),
        SERVICE_TEST(refuses_values_of_another_type),
        SERVICE_TEST(refuses_two_values_in_one_parameter),
        SERVICE_TEST(every_operation_refuses_two_values_in_one_parameter),
        SERVICE_TEST(the_questions_of_a_batch_are_held_to_it_too),
        SERVICE_TEST(a_map_that_is_named_is_held_to_the_rest),
        SERVICE_TEST(would_be_stored_is_asked_in_one_way),
        SERVICE_TEST(a_report_is_asked_for_in_a_body_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
