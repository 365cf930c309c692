/* SPDX-License-Identifier: MIT */
#include "validate_test.h"

static void accepts_a_plain_patient(void **state)
{
    (void)state;
    assert_fine("{'resourceType':'Patient','id':'p1','active':true,'name':[{'family':'Öz',"
                "'given':['A','B']}],'birthDate':'1970-02','deceasedBoolean':false}");
    assert_fine("{'resourceType':'Patient'}");
}

static void refuses_test_nhs_numbers_where_people_are_real(void **state)
{
    const struct validate_options real = {.refuse_test_numbers = true};
    (void)state;
#define NUMBERED(system, value)                                                                    \
    "{'resourceType':'Patient','identifier':[{'system':'" system "','value':'" value "'}]}"
    const char *test = NUMBERED("https://fhir.nhs.uk/Id/nhs-number", "9990000018");
    assert_string_equal(problems_with(test, &real),
                        "nhs-number-test-range@Patient.identifier[0].value");
    assert_fine(test);
    assert_string_equal(
        problems_with(NUMBERED("https://fhir.nhs.uk/Id/nhs-number", "9434765919"), &real), "");
    assert_string_equal(problems_with(NUMBERED("https://example.org/Id", "9990000018"), &real), "");
}

static void needs_a_known_resource_type(void **state)
{
    (void)state;
    assert_problem("{'id':'p1'}", "resource-type@Resource");
    assert_problem("{'resourceType':'Patients'}", "resource-type@Resource");
    assert_problem("{'resourceType':7}", "resource-type@Resource");
    assert_problem("{'resourceType':'DomainResource'}", "resource-type@Resource");
    assert_problem("{'resourceType':'HumanName'}", "resource-type@Resource");
    assert_problem("['Patient']", "type@Resource");
    assert_problem("{'resourceType':'Patient','resourceType':'Patient'}", "duplicate-key@Patient");
}

static void refuses_unknown_elements_wherever_they_stand(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','surname':'x'}", "unknown-element@Patient");
    assert_problem("{'resourceType':'Patient','name':[{'family':'x'},{'surname':'x','text':'y'}]}",
                   "unknown-element@Patient.name[1]");
    assert_problem("{'resourceType':'Patient','contact':[{'resourceType':'x','gender':'male'}]}",
                   "unknown-element@Patient.contact[0]");
    /* Not a type that this choice may have, and not the bare stem of a choice. */
    assert_problem("{'resourceType':'Patient','deceasedString':'x'}", "unknown-element@Patient");
    assert_problem("{'resourceType':'Patient','deceased':true}", "unknown-element@Patient");
    assert_problem("{'resourceType':'Patient','_name':[{'id':'x'}]}", "unknown-element@Patient");
    assert_problem("{'resourceType':'Patient','modifierExtension':[{'url':'http://x.org/y',"
                   "'valueCode':'z'}],'name':[{'text':'t','modifierExtension':[{'url':'http://x/y',"
                   "'valueCode':'z'}]}]}",
                   "unknown-element@Patient.name[0]");
}

static void refuses_a_key_that_stands_twice(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','active':true,'active':false}",
                   "duplicate-key@Patient.active");
    assert_problem("{'resourceType':'Patient','_active':{'id':'a','extension':[{'url':'http://x/y',"
                   "'valueCode':'z'}]},'_active':{'id':'b'}}",
                   "duplicate-key@Patient.active");
}

static void refuses_two_types_of_one_choice(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','deceasedBoolean':true,'deceasedDateTime':'2020'}",
                   "choice@Patient.deceased.ofType(dateTime)");
    assert_problem("{'resourceType':'Patient','deceasedBoolean':true,'_deceasedDateTime':"
                   "{'extension':[{'url':'http://x/y','valueCode':'z'}]}}",
                   "choice@Patient.deceased.ofType(dateTime)");
    assert_fine("{'resourceType':'Patient','deceasedBoolean':true,'_deceasedBoolean':{'id':'x'}}");
}

static void names_every_missing_element(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Observation'}",
                   "cardinality@Observation cardinality@Observation");
    assert_problem("{'resourceType':'Patient','link':[{'type':'seealso'}]}",
                   "cardinality@Patient.link[0]");
    /* A reason in place of the value counts as the element. */
    assert_fine("{'resourceType':'Observation','_status':{'extension':[{'url':'http://x/y',"
                "'valueCode':'unknown'}]},'code':{'text':'x'}}");
}

static void wants_arrays_where_elements_repeat_and_only_there(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','name':{'text':'x'}}", "type@Patient.name");
    assert_problem("{'resourceType':'Patient','gender':['male']}", "type@Patient.gender");
    assert_problem("{'resourceType':'Patient','name':[]}", "ele-1@Patient.name");
    assert_problem("{'resourceType':'Patient','name':[['x']]}", "type@Patient.name[0]");
    assert_problem("{'resourceType':'Patient','name':['x']}", "type@Patient.name[0]");
    assert_problem("{'resourceType':'Patient','maritalStatus':'M'}", "type@Patient.maritalStatus");
    assert_problem("{'resourceType':'Patient','birthDate':{'x':1}}", "type@Patient.birthDate");
}

static void allows_null_only_beside_an_extension(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','active':null}", "null@Patient.active");
    assert_problem("{'resourceType':'Patient','name':null}", "null@Patient.name");
    assert_problem("{'resourceType':'Patient','name':[null]}", "null@Patient.name[0]");
    assert_problem("{'resourceType':'Patient','name':[{'given':['a',null]}]}",
                   "null@Patient.name[0].given[1]");
    assert_fine("{'resourceType':'Patient','name':[{'given':['a',null],'_given':[null,{'extension':"
                "[{'url':'http://x/y','valueCode':'masked'}]}]}]}");
    assert_problem("{'resourceType':'Patient','name':[{'given':['a',null],'_given':[null,{'id':"
                   "'x'}]}]}",
                   "null@Patient.name[0].given[1] ele-1@Patient.name[0].given[1]");
    assert_problem("{'resourceType':'Patient','name':[{'given':['a'],'_given':[null,null]}]}",
                   "null@Patient.name[0].given[1]");
}

static void refuses_what_says_nothing(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','maritalStatus':{}}", "ele-1@Patient.maritalStatus");
    assert_problem("{'resourceType':'Patient','maritalStatus':{'id':'x'}}",
                   "ele-1@Patient.maritalStatus");
    assert_problem("{'resourceType':'Patient','_active':{}}", "ele-1@Patient.active");
    assert_problem("{'resourceType':'Patient','_active':{'id':'x'}}", "ele-1@Patient.active");
    assert_problem("{'resourceType':'Patient','name':[{'family':''}]}",
                   "ele-1@Patient.name[0].family");
    assert_problem("{'resourceType':'Patient','_active':null}", "type@Patient.active");
    assert_problem("{'resourceType':'Patient','name':[{'text':'x','_given':[]}]}",
                   "ele-1@Patient.name[0].given");
}

static void checks_siblings_of_primitives(void **state)
{
    (void)state;
    assert_fine("{'resourceType':'Patient','active':true,'_active':{'id':'x'}}");
    assert_problem("{'resourceType':'Patient','active':true,'_active':{'value':1,'id':'x'}}",
                   "unknown-element@Patient.active");
    assert_problem("{'resourceType':'Patient','active':true,'_active':[{'id':'x'}]}",
                   "type@Patient.active");
    assert_problem("{'resourceType':'Patient','active':true,'_active':{'extension':[{'valueCode':"
                   "'x'}]}}",
                   "cardinality@Patient.active.extension[0]");
}

static void checks_extensions(void **state)
{
    (void)state;
    assert_fine("{'resourceType':'Patient','extension':[{'url':'http://x.org/y','extension':["
                "{'url':'inner','valueString':'s'}]}]}");
    assert_problem("{'resourceType':'Patient','extension':[{'url':'http://x.org/y'}]}",
                   "ext-1@Patient.extension[0]");
    assert_problem("{'resourceType':'Patient','extension':[{'url':'http://x.org/y','valueCode':'c',"
                   "'extension':[{'url':'z','valueString':'s'}]}]}",
                   "ext-1@Patient.extension[0]");
    assert_problem("{'resourceType':'Patient','extension':[{'url':'y','valueCode':'c'}]}",
                   "ext-1@Patient.extension[0]");
    assert_problem("{'resourceType':'Patient','extension':[{'valueCode':'c'}]}",
                   "cardinality@Patient.extension[0]");
    assert_fine("{'resourceType':'Patient','extension':[{'url':'http://x.org/y','_valueDate':{"
                "'extension':[{'url':'http://x.org/z','valueCode':'unknown'}]}}]}");
}

static void checks_references(void **state)
{
    (void)state;
#define SUBJECT(text)                                                                              \
    "{'resourceType':'Condition','contained':[{'resourceType':'Patient','id':'p'},{'resourceType'" \
    ":'Organization','id':'o','name':'x'}],'subject':" text "}"
    assert_fine(SUBJECT("{'reference':'Patient/1'}"));
    assert_fine(SUBJECT("{'reference':'Patient/1/_history/2','type':'Patient'}"));
    assert_fine(SUBJECT("{'reference':'#p'}"));
    assert_fine(SUBJECT("{'reference':'urn:uuid:c757873d-ec9a-4326-a141-556f43239520'}"));
    assert_fine(SUBJECT("{'reference':'https://example.org/fhir/Patient/1'}"));
    assert_fine(SUBJECT("{'identifier':{'value':'9990000018'}}"));
    assert_fine(SUBJECT("{'display':'somebody'}"));
    assert_problem(SUBJECT("{'reference':'Patient'}"), "reference@Condition.subject");
    assert_problem(SUBJECT("{'reference':'Patient/a b'}"), "reference@Condition.subject");
    assert_problem(SUBJECT("{'reference':'patient/1'}"), "reference@Condition.subject");
    assert_problem(SUBJECT("{'reference':'#q'}"), "reference@Condition.subject");
    assert_problem(SUBJECT("{'reference':'#o'}"), "reference-target@Condition.subject");
    assert_problem(SUBJECT("{'reference':'Organization/1'}"), "reference-target@Condition.subject");
    assert_problem(SUBJECT("{'reference':'Patient/1','type':'Group'}"),
                   "reference-target@Condition.subject");
    assert_problem(SUBJECT("'Patient/1'"), "type@Condition.subject");
#undef SUBJECT
}

static void checks_contained_resources(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','contained':[{'resourceType':'Patient'}]}",
                   "dom-2@Patient.contained[0]");
    assert_problem("{'resourceType':'Patient','contained':[{'resourceType':'Patient','id':'a',"
                   "'contained':[{'resourceType':'Patient','id':'b'}]}]}",
                   "dom-2@Patient.contained[0].contained[0]");
    assert_problem("{'resourceType':'Patient','contained':[{'resourceType':'Patient','id':'a'},"
                   "{'resourceType':'Group','id':'a','type':'person','actual':true}]}",
                   "dom-2@Patient");
    assert_problem("{'resourceType':'Patient','contained':[{'resourceType':'Patient','id':'a',"
                   "'gender':'m'}]}",
                   "binding@Patient.contained[0].gender");
    assert_problem("{'resourceType':'Patient','contained':[{'id':'a'}]}",
                   "resource-type@Patient.contained[0]");
}

static void checks_the_resources_of_a_bundle(void **state)
{
    (void)state;
    assert_problem(
        "{'resourceType':'Bundle','type':'collection','entry':[{'resource':{'resourceType':"
        "'Patient'}},{'resource':{'resourceType':'Patient','birthDate':'x'}},{'resource':{'x':1}}]"
        "}",
        "format@Bundle.entry[1].resource.birthDate resource-type@Bundle.entry[2].resource");
    /* What one entry contains is not within another's reach. */
    assert_problem("{'resourceType':'Bundle','type':'collection','entry':[{'resource':{"
                   "'resourceType':'Patient','contained':[{'resourceType':'Organization','id':'o',"
                   "'name':'n'}],'managingOrganization':{'reference':'#o'}}},{'resource':{"
                   "'resourceType':'Patient','managingOrganization':{'reference':'#o'}}}]}",
                   "reference@Bundle.entry[1].resource.managingOrganization");
}

static void checks_required_bindings(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','gender':'Male'}", "binding@Patient.gender");
    assert_fine("{'resourceType':'AllergyIntolerance','patient':{'display':'x'},'clinicalStatus':{"
                "'coding':[{'system':'urn:own','code':'on'},{'system':'http://terminology.hl7.org/"
                "CodeSystem/allergyintolerance-clinical','code':'active'}]}}");
    assert_problem("{'resourceType':'AllergyIntolerance','patient':{'display':'x'},"
                   "'clinicalStatus':{'coding':[{'code':'active'}]}}",
                   "binding@AllergyIntolerance.clinicalStatus");
    assert_problem("{'resourceType':'AllergyIntolerance','patient':{'display':'x'},"
                   "'clinicalStatus':{'text':'active'}}",
                   "binding@AllergyIntolerance.clinicalStatus");
    /* Currencies and media types have no finite list here. */
    assert_fine("{'resourceType':'Binary','contentType':'application/x-own','data':'QUJD'}");
}

static void keeps_to_what_the_caller_asks(void **state)
{
    (void)state;
    const char *patient = "{'resourceType':'Patient','id':'a'}";
    struct validate_options options = {.id = SLICE("a"), .id_required = true};
    assert_string_equal(problems_with(patient, &options), "");
    options.id = SLICE("b");
    assert_string_equal(problems_with(patient, &options), "id@Patient");
    assert_string_equal(problems_with("{'resourceType':'Patient'}", &options), "id@Patient");
    options = (struct validate_options){.type = resource_type_find(definitions, SLICE("Group"))};
    assert_string_equal(problems_with(patient, &options), "resource-type@Patient");
    options = (struct validate_options){.depth = 3};
    assert_string_equal(problems_with("{'resourceType':'Patient','contact':[{'name':{'period':{"
                                      "'start':'2020'}}}]}",
                                      &options),
                        "depth@Patient.contact[0].name.period");
}

static void reports_every_problem_and_where(void **state)
{
    (void)state;
    struct outcome outcome;
    struct json json;
    resource_type type;
    struct validate_options options = {.definitions = definitions};
    outcome_init(&outcome, arena);
    assert_int_equal(json_read(SLICE("{\"resourceType\":\"Patient\",\n \"gender\":\"x\",\n"
                                     " \"secret-name\":1}"),
                               &json_limits_default, arena, &outcome, &json),
                     STATUS_OK);
    assert_int_equal(validate_resource(&options, &json, json.root,
                                       SLICE("Bundle.entry[3].resource"), arena, &outcome, &type),
                     STATUS_VALUE);
    assert_int_equal(outcome.errors, 2);
    assert_true(slice_is(outcome.first->path, "Bundle.entry[3].resource.gender"));
    assert_int_equal(outcome.first->line, 2);
    assert_int_equal(outcome.last->line, 3);
    assert_true(slice_is(resource_type_name(definitions, type), "Patient"));
    /* What the sender wrote is not repeated. */
    struct buffer text = {.arena = arena};
    outcome_write_json(&outcome, &text);
    assert_null(memmem(text.at, text.length, "secret", 6));
}

static void counts_what_it_no_longer_keeps(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    struct outcome outcome;
    struct json json;
    resource_type type;
    struct validate_options options = {.definitions = definitions};
    buffer_add_text(&text, "{\"resourceType\":\"Patient\",\"name\":[");
    for (int i = 0; i < 2000; i++) {
        buffer_add_text(&text, i == 0 ? "{\"x\":1,\"text\":\"t\"}" : ",{\"x\":1,\"text\":\"t\"}");
    }
    buffer_add_text(&text, "]}");
    outcome_init(&outcome, arena);
    assert_int_equal(json_read(buffer_slice(&text), &json_limits_default, arena, &outcome, &json),
                     STATUS_OK);
    assert_int_equal(
        validate_resource(&options, &json, json.root, SLICE(""), arena, &outcome, &type),
        STATUS_STRUCTURE);
    assert_int_equal(outcome.errors, 2000);
    assert_int_equal(outcome.count, OUTCOME_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(accepts_a_plain_patient),
        FHIR_TEST(refuses_test_nhs_numbers_where_people_are_real),
        FHIR_TEST(needs_a_known_resource_type),
        FHIR_TEST(refuses_unknown_elements_wherever_they_stand),
        FHIR_TEST(refuses_a_key_that_stands_twice),
        FHIR_TEST(refuses_two_types_of_one_choice),
        FHIR_TEST(names_every_missing_element),
        FHIR_TEST(wants_arrays_where_elements_repeat_and_only_there),
        FHIR_TEST(allows_null_only_beside_an_extension),
        FHIR_TEST(refuses_what_says_nothing),
        FHIR_TEST(checks_siblings_of_primitives),
        FHIR_TEST(checks_extensions),
        FHIR_TEST(checks_references),
        FHIR_TEST(checks_contained_resources),
        FHIR_TEST(checks_the_resources_of_a_bundle),
        FHIR_TEST(checks_required_bindings),
        FHIR_TEST(keeps_to_what_the_caller_asks),
        FHIR_TEST(reports_every_problem_and_where),
        FHIR_TEST(counts_what_it_no_longer_keeps),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
