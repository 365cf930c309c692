/* SPDX-License-Identifier: MIT */
/* Questionnaires, the responses to them, and Bundles. */
#include "validate_test.h"

static struct conformance *conformance;
static struct validate_options full;

static int open_all(void **state)
{
    (void)state;
    if (definitions_setup(NULL) != 0 || conformance_open(definitions, &conformance) != STATUS_OK) {
        return -1;
    }
    full.conformance = conformance;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    conformance_close(conformance);
    return definitions_teardown(NULL);
}

/* Makes a questionnaire with these items known as http://example.org/form. */
static void ask(const char *items)
{
    const char *text = arena_print(arena,
                                   "{'resourceType':'Questionnaire','status':'active',"
                                   "'url':'http://example.org/form','item':[%s]}",
                                   items);
    char *copy = (char *)(uintptr_t)arena_copy(arena, slice_text(text)).at;
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    assert_int_equal(conformance_add(conformance, slice_text(copy), NULL), STATUS_OK);
}

static const char *answered_as(const char *status, const char *items)
{
    return problems_with(arena_print(arena,
                                     "{'resourceType':'QuestionnaireResponse','status':'%s',"
                                     "'questionnaire':'http://example.org/form'%s%s%s}",
                                     status, items[0] != '\0' ? ",'item':[" : "", items,
                                     items[0] != '\0' ? "]" : ""),
                         &full);
}

#define assert_answers(items, expect) assert_string_equal(answered_as("completed", items), expect)

#define ITEM "QuestionnaireResponse.item[0]"

static void accepts_answers_that_fit(void **state)
{
    (void)state;
    ask("{'linkId':'g','type':'group','item':[{'linkId':'a','type':'boolean','required':true,"
        "'item':[{'linkId':'b','type':'date'}]}]},{'linkId':'t','type':'display'}");
    assert_answers("{'linkId':'g','item':[{'linkId':'a','answer':[{'valueBoolean':true,'item':"
                   "[{'linkId':'b','answer':[{'valueDate':'2026-01-01'}]}]}]}]},{'linkId':'t'}",
                   "");
}

static void warns_when_the_questionnaire_is_not_known(void **state)
{
    (void)state;
    assert_string_equal(
        problems_with("{'resourceType':'QuestionnaireResponse','status':'completed',"
                      "'questionnaire':'http://example.org/none'}",
                      &full),
        "questionnaire-unknown@QuestionnaireResponse");
}

static void answers_a_questionnaire_that_is_contained(void **state)
{
    (void)state;
    assert_string_equal(
        problems_with("{'resourceType':'QuestionnaireResponse','status':'completed','contained':"
                      "[{'resourceType':'Questionnaire','id':'q','status':'active','item':"
                      "[{'linkId':'a','type':'string'}]}],'questionnaire':'#q','item':"
                      "[{'linkId':'x'}]}",
                      &full),
        "questionnaire-link@QuestionnaireResponse");
}

static void refuses_items_in_other_places(void **state)
{
    (void)state;
    ask("{'linkId':'g','type':'group','item':[{'linkId':'a','type':'string'},"
        "{'linkId':'b','type':'string'}]}");
    assert_answers("{'linkId':'x'}", "questionnaire-link@QuestionnaireResponse");
    assert_answers("{'linkId':'a'}", "questionnaire@" ITEM);
    assert_answers("{'linkId':'g','item':[{'linkId':'b'},{'linkId':'a'}]}",
                   "questionnaire@" ITEM ".item[1]");
    assert_answers("{'linkId':'g','answer':[{'valueString':'x'}]}", "questionnaire@" ITEM);
    assert_answers("{'linkId':'g'},{'linkId':'g'}", "questionnaire@QuestionnaireResponse.item[1]");
    assert_answers("{'linkId':'g','item':[{'linkId':'a'},{'linkId':'a'}]}",
                   "questionnaire@" ITEM ".item[1]");
}

static void counts_answers(void **state)
{
    (void)state;
    ask("{'linkId':'a','type':'string','required':true},{'linkId':'b','type':'string','repeats':"
        "true,'extension':[{'url':'http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs"
        "','valueInteger':2},{'url':'http://hl7.org/fhir/StructureDefinition/questionnaire-"
        "maxOccurs','valueInteger':3}]}");
#define TWO "{'linkId':'b','answer':[{'valueString':'x'},{'valueString':'y'}]}"
    assert_answers(TWO, "answer-required@QuestionnaireResponse");
    assert_answers("{'linkId':'a'}," TWO, "answer-required@" ITEM);
    assert_answers("{'linkId':'a','answer':[{'valueString':'x'},{'valueString':'y'}]}," TWO,
                   "questionnaire@" ITEM);
    assert_answers("{'linkId':'a','answer':[{'valueString':'x'}]},{'linkId':'b','answer':"
                   "[{'valueString':'x'}]}",
                   "questionnaire@QuestionnaireResponse.item[1]");
    assert_answers("{'linkId':'a','answer':[{'valueString':'x'}]},{'linkId':'b','answer':"
                   "[{'valueString':'x'},{'valueString':'x'},{'valueString':'x'},{'valueString':"
                   "'x'}]}",
                   "questionnaire@QuestionnaireResponse.item[1]");
    /* What is not complete may lack answers, and has not too many. */
    assert_string_equal(answered_as("in-progress", ""), "");
    assert_string_equal(answered_as("in-progress", "{'linkId':'a','answer':[{'valueString':'x'},"
                                                   "{'valueString':'y'}]}"),
                        "questionnaire@" ITEM);
}

static void refuses_answers_of_another_type(void **state)
{
    (void)state;
    static const struct {
        const char *type, *fits, *other, *path;
    } rows[] = {
        {"boolean", "'valueBoolean':true", "'valueString':'true'", "string"},
        {"decimal", "'valueDecimal':1.50", "'valueInteger':1", "integer"},
        {"integer", "'valueInteger':1", "'valueDecimal':1.0", "decimal"},
        {"date", "'valueDate':'2026-01'", "'valueDateTime':'2026-01'", "dateTime"},
        {"time", "'valueTime':'10:00:00'", "'valueString':'10:00'", "string"},
        {"text", "'valueString':'x'", "'valueBoolean':true", "boolean"},
        {"url", "'valueUri':'http://x.org'", "'valueString':'x'", "string"},
        {"choice", "'valueCoding':{'code':'x'}", "'valueBoolean':true", "boolean"},
        {"quantity", "'valueQuantity':{'value':1}", "'valueDecimal':1", "decimal"},
        {"reference", "'valueReference':{'display':'x'}", "'valueString':'x'", "string"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ask(arena_print(arena, "{'linkId':'a','type':'%s'}", rows[i].type));
        assert_answers(arena_print(arena, "{'linkId':'a','answer':[{%s}]}", rows[i].fits), "");
        assert_answers(
            arena_print(arena, "{'linkId':'a','answer':[{%s}]}", rows[i].other),
            arena_print(arena, "answer@" ITEM ".answer[0].value.ofType(%s)", rows[i].path));
    }
}

static void holds_answers_to_the_options(void **state)
{
    (void)state;
    ask("{'linkId':'a','type':'choice','repeats':true,'answerOption':[{'valueCoding':{'system':"
        "'http://x.org','code':'c'}},{'valueCoding':{'system':'http://x.org','code':'d'},"
        "'extension':[{'url':'http://hl7.org/fhir/StructureDefinition/questionnaire-"
        "optionExclusive','valueBoolean':true}]}]}");
#define CODE(code) "{'valueCoding':{'system':'http://x.org','code':'" code "'}}"
    assert_answers("{'linkId':'a','answer':[" CODE("c") "]}", "");
    assert_answers("{'linkId':'a','answer':[" CODE("d") "]}", "");
    assert_answers("{'linkId':'a','answer':[" CODE("e") "]}", "answer-option@" ITEM ".answer[0]");
    assert_answers("{'linkId':'a','answer':[" CODE("c") "," CODE("d") "]}",
                   "answer-option@" ITEM ".answer[1]");
    ask("{'linkId':'a','type':'integer','answerOption':[{'valueInteger':1},{'valueInteger':2}]}");
    assert_answers("{'linkId':'a','answer':[{'valueInteger':2}]}", "");
    assert_answers("{'linkId':'a','answer':[{'valueInteger':3}]}",
                   "answer-option@" ITEM ".answer[0].value.ofType(integer)");
    ask("{'linkId':'a','type':'open-choice','answerOption':[{'valueCoding':{'code':'c'}}]}");
    assert_answers("{'linkId':'a','answer':[{'valueString':'other'}]}", "");
}

static void holds_answers_to_limits(void **state)
{
    (void)state;
#define LIMIT(name, value) "{'url':'http://hl7.org/fhir/StructureDefinition/" name "','" value "}"
    ask("{'linkId':'a','type':'decimal','extension':[" LIMIT(
        "minValue",
        "valueDecimal':1.5") "," LIMIT("maxValue",
                                       "valueDecimal':10") "," LIMIT("maxDecimalPlaces",
                                                                     "valueInteger':2") "]}");
    const char *place = "answer@" ITEM ".answer[0].value.ofType(decimal)";
    assert_answers("{'linkId':'a','answer':[{'valueDecimal':1.50}]}", "");
    assert_answers("{'linkId':'a','answer':[{'valueDecimal':1.49}]}", place);
    assert_answers("{'linkId':'a','answer':[{'valueDecimal':10.01}]}", place);
    assert_answers("{'linkId':'a','answer':[{'valueDecimal':5.125}]}", place);
    ask("{'linkId':'a','type':'string','maxLength':3}");
    assert_answers("{'linkId':'a','answer':[{'valueString':'\xC3\xA9\xC3\xA9\xC3\xA9'}]}", "");
    assert_answers("{'linkId':'a','answer':[{'valueString':'abcd'}]}",
                   "answer@" ITEM ".answer[0].value.ofType(string)");
    ask("{'linkId':'a','type':'quantity','extension':[" LIMIT(
        "questionnaire-unitOption",
        "valueCoding':{'system':'http://unitsofmeasure.org','code':'km'}") "]}");
    assert_answers("{'linkId':'a','answer':[{'valueQuantity':{'value':1,'system':"
                   "'http://unitsofmeasure.org','code':'km'}}]}",
                   "");
    assert_answers("{'linkId':'a','answer':[{'valueQuantity':{'value':1,'system':"
                   "'http://unitsofmeasure.org','code':'kg'}}]}",
                   "answer@" ITEM ".answer[0].value.ofType(Quantity)");
    ask("{'linkId':'a','type':'attachment','extension':[" LIMIT("mimeType",
                                                                "valueCode':'image/gif'") "]}");
    assert_answers("{'linkId':'a','answer':[{'valueAttachment':{'contentType':'text/plain'}}]}",
                   "answer@" ITEM ".answer[0]");
}

static void asks_only_what_is_enabled(void **state)
{
    (void)state;
    ask("{'linkId':'a','type':'integer'},{'linkId':'b','type':'string','required':true,"
        "'enableWhen':[{'question':'a','operator':'>','answerInteger':5}]},{'linkId':'c','type':"
        "'string','required':true,'enableBehavior':'any','enableWhen':[{'question':'a','operator':"
        "'exists','answerBoolean':false},{'question':'a','operator':'=','answerInteger':0}]}");
#define A(value) "{'linkId':'a','answer':[{'valueInteger':" value "}]}"
#define B        "{'linkId':'b','answer':[{'valueString':'x'}]}"
#define C        "{'linkId':'c','answer':[{'valueString':'x'}]}"
    assert_answers(A("6") "," B, "");
    assert_answers(A("6"), "answer-required@QuestionnaireResponse");
    assert_answers(A("5"), "");
    assert_answers(A("5") "," B, "questionnaire@QuestionnaireResponse.item[1]");
    assert_answers(A("0"), "answer-required@QuestionnaireResponse");
    assert_answers(A("0") "," C, "");
    assert_answers(C, "");
    assert_answers("", "answer-required@QuestionnaireResponse");
}

static void asks_conditions_within_the_same_group_first(void **state)
{
    (void)state;
    ask("{'linkId':'g','type':'group','repeats':true,'item':[{'linkId':'a','type':'boolean'},"
        "{'linkId':'b','type':'string','required':true,'enableWhen':[{'question':'a','operator':"
        "'=','answerBoolean':true}]}]}");
    assert_answers("{'linkId':'g','item':[{'linkId':'a','answer':[{'valueBoolean':true}]}," B "]},"
                   "{'linkId':'g','item':[{'linkId':'a','answer':[{'valueBoolean':false}]}]}",
                   "");
    assert_answers("{'linkId':'g','item':[{'linkId':'a','answer':[{'valueBoolean':true}]}," B "]},"
                   "{'linkId':'g','item':[{'linkId':'a','answer':[{'valueBoolean':true}]}]}",
                   "answer-required@QuestionnaireResponse.item[1]");
}

static void refuses_conditions_that_cannot_be_asked(void **state)
{
    (void)state;
#define FORM(items) "{'resourceType':'Questionnaire','status':'draft','item':[" items "]}"
#define WHEN(link)  "'enableWhen':[{'question':'" link "','operator':'exists','answerBoolean':true}]"
    assert_string_equal(
        problems_with(
            FORM("{'linkId':'a','type':'string'},{'linkId':'b','type':'string'," WHEN("a") "}"),
            &full),
        "");
    assert_string_equal(problems_with(FORM("{'linkId':'b','type':'string'," WHEN("x") "}"), &full),
                        "questionnaire@Questionnaire.item[0].enableWhen[0]");
    assert_string_equal(problems_with(FORM("{'linkId':'g','type':'group'," WHEN(
                                          "a") ",'item':[{'linkId':'a','type':'string'}]}"),
                                      &full),
                        "questionnaire@Questionnaire.item[0]");
    assert_string_equal(
        problems_with(
            FORM("{'linkId':'g','type':'display'},{'linkId':'b','type':'string'," WHEN("g") "}"),
            &full),
        "questionnaire@Questionnaire.item[1].enableWhen[0]");
}

/* ---- Bundles ----------------------------------------------------------------------------------
 */

#define BUNDLE(type, entries) "{'resourceType':'Bundle','type':'" type "','entry':[" entries "]}"
#define ENTRY(url, resource)  "{'fullUrl':'" url "','resource':" resource "}"
#define PATIENT               "{'resourceType':'Patient','id':'1'}"
#define COMPOSITION(author, more)                                                                  \
    ENTRY("http://x.org/Composition/1",                                                            \
          "{'resourceType':'Composition','id':'1','status':'final','type':{'text':'t'},'date':"    \
          "'2026-01-01','title':'t','author':[{'reference':'" author "'}]" more "}")

static void refuses_full_urls_that_name_nothing(void **state)
{
    (void)state;
    assert_string_equal(
        problems_with(BUNDLE("collection", ENTRY("http://x.org/Patient/1", PATIENT)), &full), "");
    assert_string_equal(
        problems_with(
            BUNDLE("collection", ENTRY("urn:uuid:c8dd55de-0b2c-4f7f-9a9d-1c5a1d4f3b11", PATIENT)),
            &full),
        "");
    assert_string_equal(problems_with(BUNDLE("collection", ENTRY("Patient/1", PATIENT)), &full),
                        "full-url@Bundle.entry[0]");
    assert_string_equal(
        problems_with(BUNDLE("collection", ENTRY("http://x.org/Patient/2", PATIENT)), &full),
        "full-url@Bundle.entry[0]");
    assert_string_equal(problems_with(BUNDLE("collection", "{'resource':" PATIENT "}"), &full),
                        "full-url@Bundle.entry[0]");
    assert_string_equal(
        problems_with(BUNDLE("transaction", "{'resource':" PATIENT
                                            ",'request':{'method':'POST','url':'Patient'}}"),
                      &full),
        "");
}

static void an_entry_of_one_version_stands_once(void **state)
{
    (void)state;
#define VERSION(number)                                                                            \
    ENTRY("http://x.org/Patient/1",                                                                \
          "{'resourceType':'Patient','id':'1','meta':{'versionId':'" number "'}}")
    assert_string_equal(problems_with(BUNDLE("collection", VERSION("1") "," VERSION("2")), &full),
                        "");
    assert_string_equal(
        problems_with(BUNDLE("collection", VERSION("1") "," VERSION("2") "," VERSION("1")), &full),
        "bdl-7@Bundle");
    assert_string_equal(
        problems_with(BUNDLE("collection", ENTRY("http://x.org/Patient/1", PATIENT) "," ENTRY(
                                               "http://x.org/Patient/1", PATIENT)),
                      &full),
        "bdl-7@Bundle");
    assert_string_equal(problems_with(BUNDLE("history", VERSION("1") "," VERSION("1")), &full), "");
}

static void says_once_that_full_urls_are_relative(void **state)
{
    (void)state;
    assert_string_equal(
        problems_with(
            BUNDLE("collection", ENTRY("http://x.org/Patient/1", PATIENT) "," ENTRY(
                                     "Patient/1", PATIENT) "," ENTRY("Patient/3", PATIENT)),
            &full),
        "full-url@Bundle.entry[1]");
}

static void keeps_documents_whole(void **state)
{
    (void)state;
#define DOCUMENT(entries)                                                                          \
    "{'resourceType':'Bundle','type':'document','timestamp':'2026-01-01T00:00:00Z','identifier':"  \
    "{'system':'http://x.org','value':'1'},'entry':[" entries "]}"
    assert_string_equal(problems_with(DOCUMENT(COMPOSITION("Patient/1", "") "," ENTRY(
                                          "http://x.org/Patient/1", PATIENT)),
                                      &full),
                        "");
    assert_string_equal(problems_with(DOCUMENT(COMPOSITION("Patient/2", "")), &full),
                        "document@Bundle.entry[0].resource.author[0]");
    assert_string_equal(
        problems_with(DOCUMENT(COMPOSITION(
                          "http://x.org/Patient/1",
                          ",'section':[{'title':'s','section':[{'title':'t','entry':[{'reference':"
                          "'Observation/1'}]}]}]") "," ENTRY("http://x.org/Patient/1", PATIENT)),
                      &full),
        "document@Bundle.entry[0].resource.section[0].section[0].entry[0]");
}

static void refuses_entries_of_a_document_that_nothing_links(void **state)
{
    (void)state;
#define OTHER(id) ENTRY("http://x.org/Patient/" id, "{'resourceType':'Patient','id':'" id "'}")
#define POINTS                                                                                     \
    ENTRY("http://x.org/Provenance/1",                                                             \
          "{'resourceType':'Provenance','id':'1','target':[{'reference':'Patient/1'}],'recorded':" \
          "'2026-01-01T00:00:00Z','agent':[{'who':{'display':'x'}}]}")
    const char *links = COMPOSITION("Patient/1", "") "," OTHER("1");
    assert_string_equal(problems_with(arena_print(arena, DOCUMENT("%s," POINTS), links), &full),
                        "");
    assert_string_equal(
        problems_with(arena_print(arena, DOCUMENT("%s,%s"), links, OTHER("2")), &full),
        "document@Bundle.entry[2]");
}

static void refuses_a_binary_that_is_no_stylesheet_of_its_document(void **state)
{
    (void)state;
#define SHEET(id)                                                                                  \
    ENTRY("http://x.org/Binary/" id,                                                               \
          "{'resourceType':'Binary','id':'" id "','contentType':'text/css','data':'QUJD'}")
#define STYLED                                                                                     \
    "{'resourceType':'Bundle','type':'document','timestamp':'2026-01-01T00:00:00Z','identifier':"  \
    "{'system':'http://x.org','value':'1'},'link':[{'relation':'stylesheet','url':'Binary/css'}]," \
    "'entry':[%s,%s]}"
    struct validate_options strict = full;
    strict.strict = true;
    const char *links = COMPOSITION("Patient/1", "") "," OTHER("1");
    assert_string_equal(problems_with(arena_print(arena, STYLED, links, SHEET("css")), &strict),
                        "");
    assert_string_equal(
        problems_with(arena_print(arena, STYLED, links, SHEET("css") "," SHEET("more")), &strict),
        "document@Bundle.entry[3]");
    assert_string_equal(problems_with(arena_print(arena, STYLED, links, SHEET("more")), &strict),
                        "document@Bundle.link[0] document@Bundle.entry[2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(accepts_answers_that_fit),
        FHIR_TEST(warns_when_the_questionnaire_is_not_known),
        FHIR_TEST(answers_a_questionnaire_that_is_contained),
        FHIR_TEST(refuses_items_in_other_places),
        FHIR_TEST(counts_answers),
        FHIR_TEST(refuses_answers_of_another_type),
        FHIR_TEST(holds_answers_to_the_options),
        FHIR_TEST(holds_answers_to_limits),
        FHIR_TEST(asks_only_what_is_enabled),
        FHIR_TEST(asks_conditions_within_the_same_group_first),
        FHIR_TEST(refuses_conditions_that_cannot_be_asked),
        FHIR_TEST(refuses_full_urls_that_name_nothing),
        FHIR_TEST(an_entry_of_one_version_stands_once),
        FHIR_TEST(says_once_that_full_urls_are_relative),
        FHIR_TEST(keeps_documents_whole),
        FHIR_TEST(refuses_entries_of_a_document_that_nothing_links),
        FHIR_TEST(refuses_a_binary_that_is_no_stylesheet_of_its_document),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
