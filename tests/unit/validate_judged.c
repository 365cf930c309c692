/* SPDX-License-Identifier: MIT */
/* What is asked only where a record is judged: by the caller's own wishes (extensions that are
 * known, references that lead somewhere, no HTML in markdown, waivers), and of vital signs,
 * measures and inherited obligations. */
#include "profile_test.h"

#define assert_judged(text, wished, expect) assert_string_equal(errors_as(text, wished), expect)

static const struct validate_options nothing;

/* ---- wishes -----------------------------------------------------------------------------------
 */

#define EXTENDED(url)                                                                              \
    "{'resourceType':'Patient','extension':[{'url':'" url "','valueBoolean':true}]}"

static void refuses_extensions_that_are_not_known_when_asked_to(void **state)
{
    (void)state;
    const struct slice urls[] = {SLICE("http://b/"), SLICE("https://c/one")};
    struct validate_options wished = {.known_extensions = true};
    assert_judged(EXTENDED("http://a/x"), nothing, "");
    assert_judged(EXTENDED("http://a/x"), wished, "extension-unknown@Patient.extension[0]");
    /* another version's element is known by its url */
    assert_judged(EXTENDED("http://hl7.org/fhir/5.0/StructureDefinition/extension-Patient.x"),
                  wished, "");
    wished.extension_urls = urls;
    wished.extension_url_count = 2;
    assert_judged(EXTENDED("http://a/x"), wished, "extension-unknown@Patient.extension[0]");
    assert_judged(EXTENDED("http://b/x"), wished, "");
    assert_judged(EXTENDED("https://c/one/x"), wished, "");
    assert_judged(EXTENDED("https://c/two"), wished, "extension-unknown@Patient.extension[0]");
    /* what modifies is refused whatever is wished */
    assert_judged("{'resourceType':'Patient','modifierExtension':[{'url':'http://b/x',"
                  "'valueBoolean':true}]}",
                  wished, "extension-unknown@Patient.modifierExtension[0]");
}

#define NAMES(reference)                                                                           \
    "{'resourceType':'Coverage','id':'c','status':'active','payor':[{'display':'P'}],"             \
    "'beneficiary':{'reference':'" reference "'}}"
#define SENT(resource)                                                                             \
    "{'resourceType':'Parameters','parameter':[{'name':'a','part':[{'name':'b','resource':"        \
    "{'resourceType':'Patient','id':'1'}}]},{'name':'c','resource':" resource "}]}"

static void follows_references_when_asked_to(void **state)
{
    (void)state;
    const struct validate_options wished = {.follow_references = true};
    assert_judged(NAMES("Patient/1"), nothing, "");
    assert_judged(NAMES("Patient/1"), wished, "reference-unresolved@Coverage.beneficiary");
    assert_judged(NAMES("urn:uuid:c757873d-ec9a-4326-a141-556f43239520"), wished,
                  "reference-unresolved@Coverage.beneficiary");
    assert_judged(NAMES("https://example.org/fhir/Patient/1"), wished, "");
    assert_judged(SENT(NAMES("Patient/1")), wished, "");
    assert_judged(SENT(NAMES("Patient/2")), wished,
                  "reference-unresolved@Parameters.parameter[1].resource.beneficiary");
    assert_judged("{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':"
                  "'http://x/Patient/1','resource':{'resourceType':'Patient','id':'1'}},"
                  "{'fullUrl':'http://x/Coverage/c','resource':" NAMES("Patient/1") "}]}",
                  wished, "");
}

#define NOTE(text)                                                                                 \
    "{'resourceType':'Communication','status':'completed','note':[{'text':'" text "'}]}"

static void refuses_html_in_markdown_when_asked_to(void **state)
{
    (void)state;
    static const char *const fine[] = {
        NOTE("a < b and c > d"),
        NOTE("a <3 b>"),
        NOTE("`<b>` and ``<i> ` </i>``"),
        NOTE("\\\\<b>"),
        NOTE("<https://x.org/a>"),
        NOTE("<someone@x.org>"),
        NOTE("<b and no end"),
        NOTE("<"),
        NOTE("ends in \\\\"),
        NOTE("a <= b, b => c <>"),
    };
    static const char *const tags[] = {
        NOTE("<b>bold</b>"),     NOTE("</b>"),         NOTE("<br/>"),        NOTE("<a href=x>"),
        NOTE("<!-- hidden -->"), NOTE("<?php ?>"),     NOTE("<!DOCTYPE a>"), NOTE("` <b>"),
        NOTE("\\\\\\\\<b>"),     NOTE("`a` <h1> `b`"),
    };
    const struct validate_options wished = {.refuse_html = true};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        assert_judged(fine[i], wished, "");
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        assert_judged(tags[i], nothing, "");
        assert_judged(tags[i], wished, "markdown-html@Communication.note[0].text");
    }
}

#define TWICE                                                                                      \
    "{'resourceType':'Patient','birthDate':'no','contact':[{'gender':'male'},{'gender':'odd'}]}"

static void holds_a_waived_rule_against_nobody(void **state)
{
    (void)state;
    const struct waiver format = {SLICE("format"), SLICE("Patient.birthDate")};
    const struct waiver contacts = {SLICE("pat-1"), SLICE("Patient.contact")};
    const struct waiver anywhere = {SLICE("binding"), SLICE("")};
    const struct waiver others[] = {{SLICE("format"), SLICE("Patient.birth")},
                                    {SLICE("format"), SLICE("Patient.birthDates")},
                                    {SLICE("formats"), SLICE("Patient.birthDate")}};
    const struct waiver all[] = {format, contacts, anywhere};
    const char *everything = "format@Patient.birthDate binding@Patient.contact[1].gender "
                             "pat-1@Patient.contact[0] pat-1@Patient.contact[1]";
    struct validate_options wished = {.waivers = others, .waiver_count = 3};
    assert_judged(TWICE, nothing, everything);
    assert_judged(TWICE, wished, everything);
    wished = (struct validate_options){.waivers = &format, .waiver_count = 1};
    assert_judged(TWICE, wished,
                  "binding@Patient.contact[1].gender pat-1@Patient.contact[0] "
                  "pat-1@Patient.contact[1]");
    wished = (struct validate_options){.waivers = all, .waiver_count = 3};
    assert_judged(TWICE, wished, "");
}

/* ---- what is said of some types ---------------------------------------------------------------
 */

#define TEMPERATURE(codings)                                                                       \
    "{'resourceType':'Observation','status':'final','category':[{'coding':[{'system':"             \
    "'http://terminology.hl7.org/CodeSystem/observation-category','code':'vital-signs'}]}],"       \
    "'subject':{'reference':'Patient/"                                                             \
    "1'},'effectiveDateTime':'2020-01-01','code':{'coding':[" codings                              \
    "]},'valueQuantity':{'value':37,'unit':'C','system':'http://unitsofmeasure.org',"              \
    "'code':'Cel'}}"
#define IN_LOINC  "{'system':'http://loinc.org','code':'8310-5'}"
#define IN_SNOMED "{'system':'http://snomed.info/sct','code':'386725007'}"

static void judges_a_vital_sign_by_its_profile(void **state)
{
    (void)state;
    assert_judged(TEMPERATURE(IN_LOINC), nothing, "");
    assert_judged(TEMPERATURE(IN_SNOMED "," IN_LOINC), nothing, "");
    assert_judged(TEMPERATURE(IN_SNOMED), nothing, "slice-min@Observation.code");
    /* of another system the code says something else */
    assert_judged(TEMPERATURE("{'system':'http://x/y','code':'386725007'}"), nothing, "");
    assert_judged(
        "{'resourceType':'Observation','status':'final','code':{'coding':[" IN_LOINC "]}}", nothing,
        "min@Observation slice-min@Observation min@Observation min@Observation "
        "vs-2@Observation");
}

#define PRESSURE(code, unit)                                                                       \
    "{'code':{'coding':[{'system':'http://loinc.org','code':'" code "'}]},'valueQuantity':{"       \
    "'value':80,'unit':'u','system':'http://unitsofmeasure.org','code':'" unit "'}}"
#define BLOOD_PRESSURE(components)                                                                 \
    "{'resourceType':'Observation','status':'final','category':[{'coding':[{'system':"             \
    "'http://terminology.hl7.org/CodeSystem/observation-category','code':'vital-signs'}]}],"       \
    "'subject':{'reference':'Patient/1'},'effectiveDateTime':'2020-01-01','code':{'coding':["      \
    "{'system':'http://loinc.org','code':'85354-9'}]},'component':[" components "]}"
#define SYSTOLIC  PRESSURE("8480-6", "mm[Hg]")
#define DIASTOLIC PRESSURE("8462-4", "mm[Hg]")

static void tells_the_components_of_a_blood_pressure_apart(void **state)
{
    (void)state;
    assert_judged(BLOOD_PRESSURE(SYSTOLIC "," DIASTOLIC), nothing, "");
    assert_judged(BLOOD_PRESSURE(DIASTOLIC "," SYSTOLIC), nothing, "");
    assert_judged(BLOOD_PRESSURE(SYSTOLIC "," SYSTOLIC), nothing,
                  "slice-max@Observation slice-min@Observation");
    assert_judged(BLOOD_PRESSURE(SYSTOLIC "," PRESSURE("8462-4", "kPa")), nothing,
                  "fixed@Observation.component[1].value.ofType(Quantity).code");
    /* what is measured beside it has units of its own */
    assert_judged(BLOOD_PRESSURE(SYSTOLIC "," DIASTOLIC "," PRESSURE("3151-8", "L/min")), nothing,
                  "");
}

#define MEASURE(library, criterion)                                                                \
    "{'resourceType':'Measure','status':'active','url':'http://x/m','name':'M',"                   \
    "'library':['" library "'],'group':[{'stratifier':[{'criteria':{'language':'text/cql',"        \
    "'expression':'" criterion "'}}]}]}"
#define CRITERION "criterion@Measure.group[0].stratifier[0].criteria"

/* A library http://x/NAME of one content. */
static void add_library(const char *name, const char *type, const char *content)
{
    struct buffer data = {.arena = arena};
    base64_write(slice_text(content), &data);
    add(arena_print(arena,
                    "{'resourceType':'Library','url':'http://x/%s','name':'%s','status':'active',"
                    "'type':{'text':'logic'},'content':[{'contentType':'%s','data':'%.*s'}]}",
                    name, name, type, (int)data.length, data.at));
}

static void finds_the_criteria_of_a_measure_in_its_libraries(void **state)
{
    (void)state;
    add_library("A", "text/cql",
                "library A // define Commented: 1\n/* define \"Hidden\": 2 */\n"
                "define \"Initial Population\": 'define Quoted'\ndefine private Bare: true\n"
                "define fluent function Older(age Integer): age > 1\n");
    add_library("B", "application/elm+json",
                "{\"library\":{\"statements\":{\"def\":[{\"name\":\"Numerator\"}]}}}");
    add_library("C", "application/elm+xml", "<library/>");
    static const char *const defined[] = {
        MEASURE("http://x/A", "\\\"Initial Population\\\""),
        MEASURE("http://x/A", "A.\\\"Initial Population\\\""),
        MEASURE("http://x/A", "Bare"),
        MEASURE("http://x/A", "A.Older"),
        MEASURE("http://x/B", "Numerator"),
        MEASURE("http://x/A", "Other.Thing"),    /* of a library that A may include */
        MEASURE("http://x/A", "exists Missing"), /* no name */
        MEASURE("http://x/C", "Anything"),       /* cannot be read */
        MEASURE("http://x/D", "Anything"),       /* is not loaded */
    };
    static const char *const missing[] = {
        MEASURE("http://x/A", "Commented"), MEASURE("http://x/A", "A.Hidden"),
        MEASURE("http://x/A", "Quoted"),    MEASURE("http://x/A", "bare"),
        MEASURE("http://x/B", "B.Bare"),
    };
    for (size_t i = 0; i < sizeof defined / sizeof *defined; i++) {
        assert_judged(defined[i], nothing, "");
    }
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        assert_judged(missing[i], nothing, CRITERION);
    }
}

#define PROFILE(url, base, extension)                                                              \
    "{'resourceType':'StructureDefinition','url':'" url "','name':'P','status':'draft',"           \
    "'kind':'resource','abstract':false,'type':'Patient','derivation':'constraint',"               \
    "'baseDefinition':'http://" base "','extension':[" extension "],'differential':{'element':["   \
    "{'id':'Patient','path':'Patient'}]}}"
#define CORE     "hl7.org/fhir/StructureDefinition/"
#define IS_ONE   "{'url':'http://" CORE "obligation-profile-flag','valueBoolean':true}"
#define OF(what) "{'url':'http://" CORE "inherit-obligations','valueCanonical':'" what "'}"

static void inherits_obligations_from_profiles_of_obligations(void **state)
{
    (void)state;
    const char *wrong = "definition@StructureDefinition.extension[0]";
    add(PROFILE("http://x/marked", CORE "Patient", IS_ONE));
    add(PROFILE("http://x/plain", CORE "Patient", ""));
    add(PROFILE("http://x/derived", "x/plain", IS_ONE));
    assert_judged(PROFILE("http://x/p", CORE "Patient", OF("http://x/marked")), nothing, "");
    assert_judged(PROFILE("http://x/p", CORE "Patient", OF("http://x/none")), nothing, "");
    assert_judged(PROFILE("http://x/p", CORE "Patient", OF("http://x/plain")), nothing, wrong);
    assert_judged(PROFILE("http://x/p", CORE "Patient", OF("http://x/derived")), nothing, wrong);
    assert_judged(PROFILE("http://x/p", "x/plain", OF("http://x/derived")), nothing, "");
}

#define COUNTRY(code, display)                                                                     \
    "{'resourceType':'ValueSet','status':'draft','jurisdiction':[{'coding':[{'system':"            \
    "'urn:iso:std:iso:3166','code':'" code "','display':'" display "'}]}]}"

static void knows_countries_and_their_names(void **state)
{
    (void)state;
    assert_judged(COUNTRY("BD", "Bangladesh"), nothing, "");
    assert_judged(COUNTRY("BD", "Australia"), nothing,
                  "display@ValueSet.jurisdiction[0].coding[0]");
    assert_judged(COUNTRY("BGD", "Bangladesh"), nothing, "");
    assert_judged(COUNTRY("Bangladesh", "Bangladesh"), nothing,
                  "code@ValueSet.jurisdiction[0].coding[0]");
}

#define FULL_TEST(name) cmocka_unit_test_setup_teardown(name, full_setup, full_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(refuses_extensions_that_are_not_known_when_asked_to),
        FULL_TEST(follows_references_when_asked_to),
        FULL_TEST(refuses_html_in_markdown_when_asked_to),
        FULL_TEST(holds_a_waived_rule_against_nobody),
        FULL_TEST(judges_a_vital_sign_by_its_profile),
        FULL_TEST(tells_the_components_of_a_blood_pressure_apart),
        FULL_TEST(finds_the_criteria_of_a_measure_in_its_libraries),
        FULL_TEST(inherits_obligations_from_profiles_of_obligations),
        FULL_TEST(knows_countries_and_their_names),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
