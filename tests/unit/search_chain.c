/* SPDX-License-Identifier: MIT */
/* Chains, their reverse, includes, compartments and sets of codes in a plan. The chains are those
 * that R4 search shows. */
#include "search_test.h"

struct row {
    const char *type, *query, *plan;
};

static void follows_the_chains_of_the_specification(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"DiagnosticReport", "subject:Patient.name=peter",
         "DiagnosticReport subject->(Patient name='peter')"},
        {"DiagnosticReport", "subject:Patient.name:exact=Peter",
         "DiagnosticReport subject->(Patient name:exact='Peter')"},
        {"DiagnosticReport", "subject.name=peter",
         "DiagnosticReport subject->(Location name='peter')|(Patient name='peter')"},
        /* an ImagingStudy and an Observation are never of a Practitioner */
        {"Observation", "derived-from.subject=Practitioner/x",
         "Observation derived-from->(DocumentReference subject=Practitioner/x)|"
         "(Media subject=Practitioner/x)|(QuestionnaireResponse subject=Practitioner/x)"},
        {"Patient",
         "general-practitioner.name=Joe&general-practitioner:Practitioner.address-state=MN",
         "Patient general-practitioner->(Organization name='Joe')|(Practitioner name='Joe') "
         "general-practitioner->(Practitioner address-state='MN')"},
        {"MedicationRequest", "patient.organization.identifier=http://x|1,2",
         "MedicationRequest patient->(Patient organization->(Organization identifier=http://x|1,"
         "2))"},
        {"Observation", "subject:Patient.birthdate:missing=true",
         "Observation subject->(Patient birthdate:missing=true)"},
        {"Observation", "subject:Patient._id=23", "Observation subject->(Patient id=23)"},
        {"Patient", "_has:Observation:patient:code=1234-5",
         "Patient patient<-(Observation code=1234-5)"},
        {"Patient", "_has:Observation:patient:code=123,456",
         "Patient patient<-(Observation code=123,456)"},
        {"Patient", "_has:Observation:patient:code=123&_has:Observation:patient:code=456",
         "Patient patient<-(Observation code=123) patient<-(Observation code=456)"},
        {"Patient", "_has:Observation:patient:_has:AuditEvent:entity:agent=MyUserId",
         "Patient patient<-(Observation entity<-(AuditEvent agent=/MyUserId))"},
        {"Encounter", "patient._has:Group:member:_id=102",
         "Encounter patient->(Patient member<-(Group id=102))"},
        {"Patient", "_has:Observation:patient:performer:Practitioner.name:exact=Joe",
         "Patient patient<-(Observation performer->(Practitioner name:exact='Joe'))"},
        {"Patient", "_has:Group:member:_lastUpdated=2011-01-01",
         "Patient member<-(Group at 2011-01-01..2011-01-02)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(shown(rows[i].type, rows[i].query), rows[i].plan);
    }
}

static void refuses_a_chain_that_leads_nowhere(void **state)
{
    (void)state;
    static const struct {
        const char *type, *query;
    } rows[] = {
        {"Observation", "subject.unheardof=x"},
        {"Observation", "subject:Patient.unheardof=x"},
        {"Observation", "subject:Encounter.date=x"},
        {"Observation", "subject:Unheardof.name=x"},
        {"Observation", "code.name=x"},
        {"Observation", "subject."},
        {"Observation", "subject:Patient.name:not=x"},
        {"Observation", ".name=x"},
        {"Patient", "_id.name=x"},
        {"Patient", "_has=x"},
        {"Patient", "_has:Observation=x"},
        {"Patient", "_has:Observation:patient=x"},
        {"Patient", "_has:Observation:patient:=x"},
        {"Patient", "_has:Observation:code:code=x"},
        {"Patient", "_has:Unheardof:patient:code=x"},
        {"Organization", "_has:Observation:patient:code=x"},
        {"Patient", "_has:Observation:patient:unheardof=x"},
        {"Patient", "_has:Observation:patient:code:exact=x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum status status = plan_of(rows[i].type, rows[i].query);
        if (status != STATUS_PARAMETER) {
            print_error("%s?%s: %s\n", rows[i].type, rows[i].query, message());
        }
        assert_int_equal(status, STATUS_PARAMETER);
        assert_non_null(outcome.first);
    }
    assert_int_equal(plan_of("Observation", "subject:Patient.birthdate=soon"), STATUS_VALUE);
    assert_int_equal(plan_of("Observation", "derived-from.date=soon"), STATUS_VALUE);
}

static void a_chain_has_an_end(void **state)
{
    (void)state;
    struct buffer name = {.arena = arena};
    for (int i = 0; i < 40; i++) {
        buffer_add_text(&name, "partof.");
    }
    buffer_add_text(&name, "name=x");
    assert_int_equal(plan_of("Location", as_text(&name)), STATUS_TOO_COSTLY);
    assert_int_equal(plan_of("Location", "partof.partof.partof.partof.name=x"), STATUS_OK);
    /* Any type at each step: as many queries as there are ways. */
    assert_int_equal(plan_of("List", "item.focus.focus.focus.focus.focus.focus.focus.focus._id=1"),
                     STATUS_TOO_COSTLY);
    name.length = 0;
    for (int i = 0; i < 40; i++) {
        buffer_add_text(&name, "_has:Location:partof:");
    }
    buffer_add_text(&name, "name=x");
    assert_int_equal(plan_of("Location", as_text(&name)), STATUS_TOO_COSTLY);
}

/* ---- includes ---- */

static const char *include_shown(size_t at)
{
    const struct search_include *include = &plan.includes[at];
    struct buffer out = {.arena = arena};
    buffer_print(&out, "%s%s ", include->reverse ? "rev" : "inc", include->iterate ? "*" : "");
    show_type(&out, include->source);
    buffer_print(&out, ":%.*s:",
                 SLICE_ARGS(include->parameter != NULL ? include->parameter->code : SLICE("*")));
    show_type(&out, include->target);
    return as_text(&out);
}

static void reads_includes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"MedicationRequest", "_include=MedicationRequest:patient",
         "inc MedicationRequest:patient:"},
        {"MedicationRequest", "_include=MedicationRequest:patient:Patient",
         "inc MedicationRequest:patient:Patient"},
        {"MedicationRequest", "_include=*", "inc :*:"},
        {"MedicationRequest", "_include=MedicationRequest:*", "inc MedicationRequest:*:"},
        {"MedicationRequest", "_revinclude=Provenance:target", "rev Provenance:target:"},
        {"MedicationRequest", "_revinclude=*", "rev :*:"},
        {"MedicationDispense", "_include:iterate=MedicationRequest:requester",
         "inc* MedicationRequest:requester:"},
        {"Patient", "_revinclude:iterate=Observation:subject:Patient",
         "rev* Observation:subject:Patient"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(plan_of(rows[i].type, rows[i].query), STATUS_OK);
        assert_int_equal(plan.include_count, 1);
        assert_int_equal(plan.criteria, 0);
        assert_string_equal(include_shown(0), rows[i].plan);
    }
    static const char *const wrong[] = {"_include=Unheardof:patient",
                                        "_include=Observation",
                                        "_include=Observation:",
                                        "_include=Observation:code",
                                        "_include=Observation:unheardof",
                                        "_include=Patient:organization",
                                        "_include=Observation:patient:Encounter",
                                        "_include=Observation:patient:Unheardof",
                                        "_include:recurse=Observation:patient",
                                        "_include=",
                                        "_revinclude=Provenance:agent",
                                        "_revinclude=Patient:link:Patient"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(plan_of("Observation", wrong[i]), STATUS_PARAMETER);
    }
}

/* ---- compartments ---- */

static const char *compartment(const char *of, const char *type, const char *query)
{
    options.compartment = type_named(of);
    options.compartment_id = SLICE("7");
    return shown(type, query);
}

static void a_compartment_is_what_its_definition_lists(void **state)
{
    (void)state;
    assert_string_equal(compartment("Patient", "Observation", "code=x"),
                        "Observation any(Observation subject=Patient/7)|(Observation performer="
                        "Patient/7) code=x");
    assert_string_equal(compartment("Patient", "Goal", ""), "Goal patient=Patient/7");
    assert_true(plan.query.clauses[0].values[0].person);
    assert_null(strstr(compartment("Patient", "", ""), "Task"));
    assert_int_equal(plan_of("Task", ""), STATUS_PARAMETER);
    options.record = true;
    assert_string_equal(compartment("Patient", "Observation", "code=x"), "Observation of 7 code=x");
    assert_string_equal(compartment("Patient", "", ""), " of 7");
    options.record = false;
    assert_string_equal(compartment("Encounter", "Observation", "code=x"),
                        "Observation encounter=Encounter/7 code=x");
    assert_string_equal(compartment("Encounter", "Encounter", ""), "Encounter any(Encounter id=7)");
    assert_string_equal(compartment("Practitioner", "AllergyIntolerance", ""),
                        "AllergyIntolerance any(AllergyIntolerance recorder=Practitioner/7)|"
                        "(AllergyIntolerance asserter=Practitioner/7)");
    assert_string_equal(compartment("Device", "Observation", ""),
                        "Observation any(Observation subject=Device/7)|(Observation device="
                        "Device/7)");
    assert_string_equal(compartment("RelatedPerson", "Patient", "_id=3"),
                        "Patient id=3 link=RelatedPerson/7");
    const char *all = compartment("Encounter", "", "_type=Encounter,Observation");
    assert_non_null(strstr(all, "(Encounter id=7)"));
    assert_non_null(strstr(all, "(Observation encounter=Encounter/7)"));
    assert_int_equal(plan_of("Patient", ""), STATUS_PARAMETER);
    options.compartment = type_named("Organization");
    assert_int_equal(plan_of("Patient", ""), STATUS_PARAMETER);
    options.compartment = type_named("Encounter");
    options.conformance = NULL;
    assert_int_equal(plan_of("Observation", ""), STATUS_PARAMETER);
}

static void a_stored_definition_makes_no_compartment(void **state)
{
    (void)state;
    add("{'resourceType':'CompartmentDefinition','url':"
        "'http://hl7.org/fhir/CompartmentDefinition/encounter','version':'4.0.1','name':'x',"
        "'status':'draft','code':'Encounter','search':true,'resource':[{'code':'Observation',"
        "'param':['subject']}]}");
    options.compartment = type_named("Encounter");
    options.compartment_id = SLICE("7");
    assert_int_equal(plan_of("Observation", ""), STATUS_PARAMETER);
}

/* ---- sets of codes ---- */

static void codes_come_from_terminology(void **state)
{
    (void)state;
    add(ANIMALS);
    add("{'resourceType':'ValueSet','url':'http://x/kept','status':'active','compose':{'include':[{"
        "'system':'http://x/animals','filter':[{'property':'concept','op':'is-a','value':'cat'}]}"
        "]}}");
    static const struct row rows[] = {
        {"Observation", "code:in=http://x/kept",
         "Observation code=http://x/animals|cat http://x/animals|lynx"},
        {"Observation", "code:not-in=http://x/kept",
         "Observation code:not=http://x/animals|cat http://x/animals|lynx"},
        {"Observation", "code:below=http://x/animals|cat",
         "Observation code=http://x/animals|cat http://x/animals|lynx"},
        {"Observation", "code:above=http://x/animals|lynx",
         "Observation code=http://x/animals|mammal http://x/animals|cat http://x/animals|lynx"},
        {"Observation", "code:below=http://x/animals|lynx,http://x/animals|owl",
         "Observation code=http://x/animals|lynx,http://x/animals|owl"},
        {"Patient", "_has:Observation:patient:code:in=http://x/kept",
         "Patient patient<-(Observation code=http://x/animals|cat http://x/animals|lynx)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(shown(rows[i].type, rows[i].query), rows[i].plan);
    }
}

static void codes_that_cannot_be_told_are_refused(void **state)
{
    (void)state;
    add(ANIMALS);
    add("{'resourceType':'CodeSystem','url':'http://x/part','status':'active','content':'fragment',"
        "'concept':[{'code':'a'}]}");
    add("{'resourceType':'ValueSet','url':'http://x/of-part','status':'active','compose':{'include'"
        ":[{'system':'http://x/part'}]}}");
    add("{'resourceType':'ValueSet','url':'http://x/of-nothing','status':'active','compose':{"
        "'include':[{'system':'http://x/unheardof'}]}}");
    add("{'resourceType':'ValueSet','url':'http://x/less','status':'active','compose':{"
        "'include':[{'system':'http://x/animals'}],'exclude':[{'system':'http://x/part'}]}}");
    add("{'resourceType':'ValueSet','url':'http://x/through','status':'active','compose':{"
        "'include':[{'valueSet':['http://x/of-nothing']}]}}");
    static const char *const wrong[] = {"code:in=http://x/unheardof",
                                        "code:not-in=http://x/unheardof",
                                        "code:in=http://x/of-part",
                                        "code:not-in=http://x/of-part",
                                        "code:in=http://x/of-nothing",
                                        "code:not-in=http://x/less",
                                        "code:in=http://x/through",
                                        "code:in=",
                                        "code:below=cat",
                                        "code:below=|cat",
                                        "code:below=http://x/animals|",
                                        "code:below=http://x/animals|unheardof",
                                        "code:below=http://x/part|a",
                                        "code:above=http://x/unheardof|a"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(plan_of("Observation", wrong[i]), STATUS_VALUE);
        assert_non_null(outcome.first);
    }
    options.lenient = true;
    assert_int_equal(plan_of("Observation", "code:in=http://x/unheardof"), STATUS_VALUE);
    options.terms = NULL;
    options.lenient = false;
    assert_int_equal(plan_of("Observation", "code:in=http://x/animals"), STATUS_PARAMETER);
}

static void too_many_codes_are_refused(void **state)
{
    (void)state;
    struct buffer out = {.arena = arena};
    buffer_add_text(&out, "{'resourceType':'CodeSystem','url':'http://x/many','status':'active',"
                          "'content':'complete','concept':[{'code':'top','concept':[");
    for (int i = 0; i < 10001; i++) {
        buffer_print(&out, "%s{'code':'c%d'}", i > 0 ? "," : "", i);
    }
    buffer_add_text(&out, "]}]}");
    add(as_text(&out));
    assert_int_equal(plan_of("Observation", "code:below=http://x/many|top"), STATUS_TOO_COSTLY);
    assert_int_equal(plan_of("Observation", "code:in=http://x/many?fhir_vs"), STATUS_TOO_COSTLY);
    assert_int_equal(plan_of("Observation", "code:below=http://x/many|c1"), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEARCH_TEST(follows_the_chains_of_the_specification),
        SEARCH_TEST(refuses_a_chain_that_leads_nowhere),
        SEARCH_TEST(a_chain_has_an_end),
        SEARCH_TEST(reads_includes),
        SEARCH_TEST(a_compartment_is_what_its_definition_lists),
        SEARCH_TEST(a_stored_definition_makes_no_compartment),
        SEARCH_TEST(codes_come_from_terminology),
        SEARCH_TEST(codes_that_cannot_be_told_are_refused),
        SEARCH_TEST(too_many_codes_are_refused),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
