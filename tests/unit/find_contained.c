/* SPDX-License-Identifier: MIT */
/* Chains into contained resources (R4 search, "Contained resources"): found is what contains. */
#include "ask_test.h"

/* A MedicationRequest with what it contains. */
static void put_request(const char *id, const char *contained)
{
    must_put(arena_print(arena,
                         "{'resourceType':'MedicationRequest','id':'%s','medicationReference':"
                         "{'reference':'#med'},'contained':[%s]}",
                         id, contained));
}

static void put_requests(void)
{
    must_put("{'resourceType':'Organization','id':'acme','name':'Acme'}");
    must_put("{'resourceType':'Medication','id':'stored','code':{'coding':[{'system':'http://s',"
             "'code':'abc'}]},'manufacturer':{'reference':'Organization/acme'}}");
    put_request("one", "{'resourceType':'Medication','id':'med','code':{'coding':[{'system':"
                       "'http://s','code':'abc','display':'Some ointment'}]},'status':'active',"
                       "'batch':{'lotNumber':'L1','expirationDate':'2030-05'},'manufacturer':"
                       "{'reference':'Organization/acme'},'identifier':[{'system':'http://i',"
                       "'value':'7'}]}");
    put_request("two", "{'resourceType':'Medication','id':'med','code':{'coding':[{'system':"
                       "'http://never','code':'Seen'}]},'manufacturer':{'reference':'#maker'}},"
                       "{'resourceType':'Organization','id':'maker','name':'Byte\\u00e9',"
                       "'alias':['Nibble'],'partOf':{'reference':'Organization/acme'}}");
    put_request("other", "{'resourceType':'Medication','id':'else','code':{'coding':[{'system':"
                         "'http://s','code':'abc'}]}},{'resourceType':'Medication','id':'med',"
                         "'code':{'text':'Only words'}}");
    must_put("{'resourceType':'MedicationRequest','id':'plain','medicationReference':"
             "{'reference':'Medication/stored'}}");
    must_put("{'resourceType':'MedicationRequest','id':'words','medicationReference':"
             "{'display':'abc'}}");
}

static void a_chain_is_evaluated_inside_contained_resources(void **state)
{
    (void)state;
    put_requests();
    static const struct asked rows[] = {
        {"MedicationRequest?medication.code=abc", "one plain"},
        {"MedicationRequest?medication.code=http://s|abc", "one plain"},
        {"MedicationRequest?medication.code=http://s|", "one plain"},
        {"MedicationRequest?medication.code=http://t|abc", ""},
        {"MedicationRequest?medication.code=|abc", ""},
        {"MedicationRequest?medication.code=none", ""},
        /* Of a system and with codes that no row has. */
        {"MedicationRequest?medication.code=http://never|Seen", "two"},
        {"MedicationRequest?medication.code=seen", "two"},
        {"MedicationRequest?medication.code:not=abc", "other two"},
        {"MedicationRequest?medication.code:text=ointment", "one"},
        {"MedicationRequest?medication:Medication.status=active", "one"},
        {"MedicationRequest?medication.status:missing=true", "other plain two"},
        {"MedicationRequest?medication.status:missing=false", "one"},
        {"MedicationRequest?medication.lot-number=L1", "one"},
        {"MedicationRequest?medication.expiration-date=2030", "one"},
        {"MedicationRequest?medication.expiration-date=gt2031", ""},
        {"MedicationRequest?medication.identifier=http://i|7", "one"},
        {"MedicationRequest?medication.identifier=7", "one"},
        {"MedicationRequest?medication.identifier=http://i|", "one"},
        {"MedicationRequest?medication.identifier=http://j|7", ""},
        {"MedicationRequest?medication._id=med", "one other two"},
        {"MedicationRequest?medication._id=else", ""},
        {"MedicationRequest?medication._id=stored", "plain"},
        {"MedicationRequest?medication._lastUpdated=gt2000", "plain"},
        {"MedicationRequest?medication.code=abc&medication.status=active", "one"},
        {"Medication?code=abc", "stored"}, /* what is contained is no match itself */
        {"Medication?code=http://never|Seen", ""},
    };
    EXPECT_ALL(rows);
}

static void a_chain_goes_on_from_what_is_contained(void **state)
{
    (void)state;
    put_requests();
    static const struct asked rows[] = {
        {"MedicationRequest?medication.manufacturer=Organization/acme", "one plain"},
        {"MedicationRequest?medication.manufacturer:Organization=acme", "one plain"},
        {"MedicationRequest?medication.manufacturer.name=acme", "one plain"},
        {"MedicationRequest?medication.manufacturer.name=bytee", "two"},
        {"MedicationRequest?medication.manufacturer.name:exact=Byte", ""},
        {"MedicationRequest?medication.manufacturer.name:contains=ibbl", "two"},
        {"MedicationRequest?medication.manufacturer.partof.name=acme", "two"},
        {"MedicationRequest?medication.manufacturer.partof:below=acme", "two"},
        {"MedicationRequest?medication._has:MedicationRequest:medication:_id=two", "two"},
        {"MedicationRequest?medication._has:MedicationRequest:medication:_id=plain", "plain"},
    };
    EXPECT_ALL(rows);
}

/* What they contain is seen as it is now; and a composite is one of its values. */
static void what_is_contained_is_seen_as_it_is_now(void **state)
{
    (void)state;
    static const char *const report =
        "{'resourceType':'DiagnosticReport','id':'r','result':[{'reference':'#o'}],'contained':"
        "[{'resourceType':'Observation','id':'o','code':{'coding':[{'system':'http://l','code':"
        "'2823-3'}]},'valueQuantity':{'value':%s,'system':'http://unitsofmeasure.org','code':"
        "'mmol/L'},'subject':{'reference':'Patient/p'},'effectiveDateTime':'2020-01-02'}]}";
    static const struct asked before[] = {
        {"DiagnosticReport?result.code-value-quantity=http://l|2823-3$gt5.4|"
         "http://unitsofmeasure.org|mmol/L",
         "r"},
        {"DiagnosticReport?result.code-value-quantity=2823-3$gt5400|http://unitsofmeasure.org|"
         "umol/L",
         "r"},
        {"DiagnosticReport?result.code-value-quantity=2823-3$gt7", ""},
        {"DiagnosticReport?result.code-value-date=2823-3$2020", ""},
        {"DiagnosticReport?result.value-quantity=6", "r"},
        {"DiagnosticReport?result.patient=p", "r"},
        {"DiagnosticReport?result.subject:Patient=q", ""},
        {"DiagnosticReport?result.patient:missing=false", "r"},
        {"DiagnosticReport?result.date=ge2020&result.date=lt2021", "r"},
    };
    static const struct asked after[] = {
        {"DiagnosticReport?result.value-quantity=6", ""},
        {"DiagnosticReport?result.value-quantity=5", "r"},
    };
    must_put(arena_print(arena, report, "6"));
    EXPECT_ALL(before);
    must_put(arena_print(arena, report, "5"));
    EXPECT_ALL(after);
    assert_int_equal(try_delete("DiagnosticReport", "r", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(ask(after[1].url), "");
}

/* More of them than the search looks at in one turn, and than the list of what matches is short. */
static void many_that_contain_are_found_whichever_way_is_shorter(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'p'}");
    for (int i = 0; i < 1500;) {
        const char *texts[100];
        struct arena_mark mark = arena_mark(arena);
        for (size_t j = 0; j < 100; j++, i++) {
            texts[j] = arena_print(
                arena,
                "{'resourceType':'MedicationRequest','id':'m%04d','subject':{'reference':"
                "'Patient/%s'},'medicationReference':{'reference':'#x'},'contained':[{"
                "'resourceType':'Medication','id':'x','code':{'coding':[{'code':'c%d'}]}}]}",
                i, i % 500 == 7 ? "p" : "q", i % 700);
        }
        must_put_all(texts, 100);
        arena_rewind(arena, mark);
    }
    static const struct asked rows[] = {
        {"MedicationRequest?medication.code=c5", "m0005 m0705 m1405"},
        {"MedicationRequest?medication.code=c699", "m0699 m1399"},
        {"MedicationRequest?medication.code=c7&subject=p", "m0007"},
        {"MedicationRequest?medication.code=c107,c7,c307&subject=Patient/p", "m0007 m1007"},
        {"MedicationRequest?medication.code=none", ""},
        {"MedicationRequest?subject:Patient._id=p&medication.code=c507", "m0507"},
    };
    EXPECT_ALL(rows);
}

/* As one whose tables were made before there was that parameter. */
static void a_store_that_was_made_before_is_indexed_first(void **state)
{
    (void)state;
    put_requests();
    store_shut();
    meddle("DELETE FROM parameter WHERE code='_contained '");
    struct store_options settings = {
        .folder = folder, .definitions = definitions, .read_only = true};
    settings.database = on_server() ? database : NULL;
    assert_int_equal(store_open(&settings, NULL, &store), STATUS_OK);
    assert_int_equal(store_reader_open(store, &reader), STATUS_OK);
    assert_string_equal(ask("Medication?_contained=true&code=abc"), "STATUS_TRANSIENT");
    assert_string_equal(ask("Medication?code=abc"), "stored");
    store_shut();
    store_reopen_with(NULL);
    assert_int_equal(store_learned(store), STATUS_OK);
    assert_string_equal(ask("Medication?_contained=true&code=abc"), "one other");
    assert_string_equal(ask("Organization?_contained=true"), "two");
    store_shut();
    store_reopen_with(NULL); /* and it stays so */
    assert_string_equal(ask("Medication?_contained=true&code=abc"), "one other");
}

/* ---- references to one type only ---------------------------------------------------------------
 */

static void references_to_another_type_are_none_of_the_parameters(void **state)
{
    (void)state;
    static const char *const subjects[][2] = {
        {"patient", "'reference':'Patient/p'"},
        {"group", "'reference':'Group/g','identifier':{'system':'http://i','value':'9'},"
                  "'display':'A group'"},
        {"ours", "'reference':'http://here.example/fhir/Patient/p/_history/2'"},
        {"foreign", "'reference':'http://there/fhir/Patient/p'"},
        {"strange", "'reference':'http://there/fhir/Group/g'"},
        {"named", "'identifier':{'system':'http://i','value':'9'}"},
        {"typed", "'type':'Group','identifier':{'system':'http://i','value':'9'}"},
        {"inside", "'reference':'#p'},'contained':[{'resourceType':'Patient','id':'p','name':"
                   "[{'family':'Inner'}]},{'resourceType':'Group','id':'g'}],'recorder':{"
                   "'display':'x'"},
        {"within", "'reference':'#g'},'contained':[{'resourceType':'Patient','id':'p'},"
                   "{'resourceType':'Group','id':'g'}],'recorder':{'display':'x'"},
        {"urn", "'reference':'urn:uuid:00000000-0000-4000-8000-000000000001'"},
    };
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        must_put(arena_print(arena, "{'resourceType':'Condition','id':'%s','subject':{%s}}",
                             subjects[i][0], subjects[i][1]));
    }
    static const struct asked rows[] = {
        {"Condition?patient:missing=false", "foreign inside named ours patient"},
        {"Condition?patient:missing=true", "group strange typed urn within"},
        {"Condition?subject:missing=true", ""},
        {"Condition?patient:identifier=http://i|9", "named"},
        {"Condition?subject:identifier=http://i|9", "group named typed"},
        {"Condition?patient:text=group", ""},
        {"Condition?subject:text=group", "group"},
        {"Condition?patient=p", "ours patient"},
        {"Condition?patient=http://there/fhir/Patient/p", "foreign"},
        {"Condition?patient=http://there/fhir/Group/g", ""},
        {"Condition?subject=http://there/fhir/Group/g", "strange"},
        {"Condition?patient.family=inner", "inside"},
    };
    EXPECT_ALL(rows);
}

/* ---- chains through any type -------------------------------------------------------------------
 */

static void a_chain_asks_of_the_types_that_have_what_follows(void **state)
{
    (void)state;
    must_put("{'resourceType':'Practitioner','id':'joe','name':[{'family':'Joe'}]}");
    must_put("{'resourceType':'Patient','id':'ann','name':[{'family':'Ann'}],"
             "'generalPractitioner':[{'reference':'Practitioner/joe'}]}");
    must_put("{'resourceType':'Observation','id':'o','subject':{'reference':'Patient/ann'},"
             "'performer':[{'reference':'Practitioner/joe'}],'effectiveDateTime':'2019'}");
    must_put("{'resourceType':'Provenance','id':'v','target':[{'reference':'Observation/o'}],"
             "'agent':[{'who':{'reference':'Practitioner/joe'}}]}");
    static const struct asked rows[] = {
        {"Observation?subject.family=ann", "o"},
        {"Observation?subject.gender:missing=true", "o"},
        {"Observation?subject.general-practitioner:Practitioner.name=joe", "o"},
        {"Provenance?agent._has:Observation:performer:date=ge2019", "v"},
        {"Provenance?agent._has:Observation:performer:date=ge2020", ""},
        {"Provenance?target.subject:Patient.family=ann", "v"},
        {"Provenance?target.subject:Patient.family:exact=ann", ""},
        {"Provenance?target.subject:Medication.unheardof=x", "STATUS_PARAMETER"},
        {"Provenance?agent._has:Observation:encounter:date=ge2019", "STATUS_PARAMETER"},
        {"Observation?subject.family:exakt=ann", "STATUS_PARAMETER"},
        {"Observation?subject.unheardof=ann", "STATUS_PARAMETER"},
        {"Observation?subject.birthdate=ann", "STATUS_VALUE"},
    };
    EXPECT_ALL(rows);
}

/* ---- a search of what is contained --------------------------------------------------------------
 */

static void what_contains_a_match_is_found(void **state)
{
    (void)state;
    put_requests();
    must_put("{'resourceType':'List','id':'three','contained':[{'resourceType':'Medication','id':"
             "'a','code':{'coding':[{'code':'x1'}]}},{'resourceType':'Medication','id':'b','code':"
             "{'coding':[{'code':'x1'}]}},{'resourceType':'Patient','id':'c','birthDate':'1970',"
             "'name':[{'family':'Inner'}]}]}");
    must_put("{'resourceType':'Medication','id':'outer','contained':[{'resourceType':'Medication',"
             "'id':'in','code':{'coding':[{'code':'x2'}]}}],'code':{'coding':[{'code':'x1'}]}}");
    static const struct asked rows[] = {
        {"Medication?_contained=true", "one other outer three two"},
        {"Medication?_contained=false&code=abc", "stored"},
        {"Medication?_contained=true&code=abc", "one other"},
        {"Medication?_contained=both&code=abc", "one other stored"},
        {"Medication?_contained=true&code=x1", "three"},
        {"Medication?_contained=both&code=x1", "outer three"},
        {"Medication?_contained=both&code=x1,x2", "outer three"}, /* once, found twice */
        {"Medication?_contained=true&code=none", ""},
        {"Medication?_contained=true&code:not=abc", "other outer three two"},
        {"Medication?_contained=true&code:text=ointment", "one"},
        {"Medication?_contained=true&code:text=none", ""},
        {"Medication?_contained=true&code:missing=true", ""},
        {"Medication?_contained=true&status:missing=false", "one"},
        {"Medication?_contained=true&code=http://never|Seen", "two"},
        {"Medication?_contained=true&expiration-date=2030", "one"},
        {"Medication?_contained=true&expiration-date=gt2031", ""},
        {"Medication?_contained=true&identifier=http://i|7", "one"},
        {"Medication?_contained=true&identifier=http://j|7", ""},
        {"Medication?_contained=true&_id=med", "one other two"},
        {"Medication?_contained=true&_id=else", "other"},
        {"Medication?_contained=true&_id=stored", ""},
        {"Medication?_contained=both&_id=stored,else", "other stored"},
        {"Medication?_contained=true&_lastUpdated=gt2000", ""},
        {"Medication?_contained=both&_lastUpdated=gt2000", "outer stored"},
        /* All criteria must be met by one of them. */
        {"Medication?_contained=true&_id=else&code=abc", "other"},
        {"Medication?_contained=true&_id=med&code=abc", "one"},
        {"Medication?_contained=true&_content=ointment", "one"},
        {"Medication?_contained=true&manufacturer=Organization/acme", "one"},
        {"Medication?_contained=true&manufacturer=Organization/none", ""},
        {"Medication?_contained=true&manufacturer.name=acme", "one"},
        {"Medication?_contained=true&manufacturer.name=bytee", "two"},
        {"Medication?_contained=true&manufacturer.name=none", ""},
        {"Medication?_contained=true&_has:MedicationRequest:medication:_id=two", "two"},
        {"Medication?_contained=true&_has:MedicationRequest:medication:_id=plain", ""},
        {"Organization?_contained=true&name=byte", "two"},
        {"Organization?_contained=true&name:exact=Byte", ""},
        {"Organization?_contained=both&name:contains=e", "acme two"},
        {"Organization?_contained=true&partof=acme", "two"},
        {"Patient?_contained=true&birthdate=lt1980", "three"},
        {"Patient?_contained=true&birthdate=lt1960", ""},
        {"Patient?_contained=true&family=inner", "three"},
        {"Location?_contained=true", ""},
        {"MedicationRequest?_contained=true", ""},
        {"Medication?_contained=true&unheardof=x", "STATUS_PARAMETER"},
    };
    EXPECT_ALL(rows);
}

static void quantities_and_composites_of_what_is_contained_are_found(void **state)
{
    (void)state;
    must_put("{'resourceType':'DiagnosticReport','id':'r','result':[{'reference':'#o'}],"
             "'contained':[{'resourceType':'Observation','id':'o','code':{'coding':[{'system':"
             "'http://l','code':'2823-3'}]},'valueQuantity':{'value':6,'system':"
             "'http://unitsofmeasure.org','code':'mmol/L'},'subject':{'reference':'Patient/p'}}]}");
    static const struct asked rows[] = {
        {"Observation?_contained=true&value-quantity=6", "r"},
        {"Observation?_contained=true&value-quantity=gt7", ""},
        {"Observation?_contained=true&code-value-quantity=http://l|2823-3$gt5.4", "r"},
        {"Observation?_contained=true&code-value-quantity=http://l|2823-3$gt7", ""},
        {"Observation?_contained=true&patient=p", "r"},
        {"Observation?_contained=true&patient=q", ""},
        {"Observation?value-quantity=6", ""},
    };
    EXPECT_ALL(rows);
}

static void it_follows_what_is_written(void **state)
{
    (void)state;
    static const char *const list =
        "{'resourceType':'List','id':'l','contained':[{'resourceType':'%s','id':'x'}]}";
    must_put(arena_print(arena, list, "Patient"));
    assert_string_equal(ask("Patient?_contained=true"), "l");
    must_put(arena_print(arena, list, "Device"));
    assert_string_equal(ask("Patient?_contained=true"), "");
    assert_string_equal(ask("Device?_contained=true"), "l");
    assert_int_equal(try_delete("List", "l", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(ask("Device?_contained=true"), "");
}

/* Whom it concerns is whom what contains it concerns; each is told with what it was found for. */
static void each_item_tells_what_it_was_found_for(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'p'}");
    must_put("{'resourceType':'Medication','id':'outer','contained':[{'resourceType':'Medication',"
             "'id':'in','code':{'coding':[{'code':'x1'}]}}],'code':{'coding':[{'code':'x1'}]}}");
    must_put("{'resourceType':'MedicationRequest','id':'r','subject':{'reference':'Patient/p'},"
             "'contained':[{'resourceType':'Medication','id':'a','code':{'coding':[{'code':'x1'}]}}"
             ",{'resourceType':'Medication','id':'b','code':{'coding':[{'code':'x2'}]}},"
             "{'resourceType':'Medication','id':'c','code':{'coding':[{'code':'x1'}]}}]}");
    const struct store_value x1 = {.code = SLICE("x1")};
    resource_type type = resource_type_find(definitions, SLICE("Medication"));
    const struct store_clause clause = {.parameter =
                                            search_parameter_find(definitions, type, SLICE("code")),
                                        .values = &x1,
                                        .value_count = 1};
    struct store_query query = {.type = type,
                                .clauses = &clause,
                                .clause_count = 1,
                                .count = 10,
                                .bodies = true,
                                .contained = STORE_CONTAINED_TOO,
                                .inside = true};
    for (int both = 1; both >= 0; both--) {
        struct store_page page;
        struct outcome outcome;
        struct store_tx *tx = begin();
        query.contained = both == 1 ? STORE_CONTAINED_TOO : STORE_CONTAINED_ONLY;
        outcome_init(&outcome, arena);
        assert_int_equal(store_find(tx, &query, arena, &outcome, &page), STATUS_OK);
        store_snapshot_end(tx);
        assert_int_equal(page.count, 2);
        for (size_t i = 0; i < 2; i++) {
            const struct store_inside *inside = &page.inside[i];
            struct buffer text = {.arena = arena};
            bool outer = slice_is(page.items[i].id, "outer");
            assert_int_equal(inside->itself, outer && both == 1);
            assert_int_equal(inside->count, outer ? 1 : 2);
            store_version_write(&inside->items[0], &text);
            assert_true(slice_is(inside->items[0].id, outer ? "in" : "a"));
            assert_true(slice_starts(buffer_slice(&text),
                                     SLICE("{\"resourceType\":\"Medication\",\"id\":\"")));
            assert_int_equal(inside->items[0].patient_count, outer ? 0 : 1);
            assert_true(outer || slice_is(inside->items[1].id, "c"));
        }
    }
}

static void pages_of_what_contains_have_each_once(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'%s','id':'n%02d','contained':[{'resourceType':"
                             "'Medication','id':'x','code':{'coding':[{'code':'c%d'}]}}],'code':{"
                             "'coding':[{'code':'c0'}]}}",
                             i % 3 == 0   ? "Medication"
                             : i % 3 == 1 ? "Observation"
                                          : "Condition",
                             i, i % 2));
    }
    const struct search_argument contained[] = {
        {.name = SLICE("_contained"), .value = SLICE("both")},
        {.name = SLICE("code"), .value = SLICE("c0")},
        {.name = SLICE("_total"), .value = SLICE("accurate")},
        {.name = SLICE("_sort"), .value = SLICE("-_lastUpdated")}};
    for (size_t sorted = 0; sorted < 2; sorted++) {
        struct search_options options = {.definitions = definitions,
                                         .type =
                                             resource_type_find(definitions, SLICE("Medication")),
                                         .contained = true,
                                         .count_default = 7,
                                         .count_max = 100};
        struct search_plan plan;
        struct outcome outcome;
        struct store_page page = {.more = true};
        bool seen[60] = {false};
        size_t count = 0;
        outcome_init(&outcome, arena);
        assert_int_equal(search_plan_make(&options, contained, 3 + sorted, arena, &outcome, &plan),
                         STATUS_OK);
        while (page.more) {
            struct store_tx *tx = begin();
            assert_int_equal(store_find(tx, &plan.query, arena, &outcome, &page), STATUS_OK);
            store_snapshot_end(tx);
            assert_int_equal(page.total, 40); /* half of all, and a third of the other half */
            for (size_t i = 0; i < page.count; i++, count++) {
                int at = (page.items[i].id.at[1] - '0') * 10 + page.items[i].id.at[2] - '0';
                assert_false(seen[at]);
                assert_true(at % 2 == 0 || at % 3 == 0);
                seen[at] = true;
            }
            plan.query.cursor = page.next;
        }
        assert_int_equal(count, 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_chain_is_evaluated_inside_contained_resources),
        STORE_TEST(a_chain_goes_on_from_what_is_contained),
        STORE_TEST(what_is_contained_is_seen_as_it_is_now),
        STORE_TEST(many_that_contain_are_found_whichever_way_is_shorter),
        STORE_TEST(what_contains_a_match_is_found),
        STORE_TEST(quantities_and_composites_of_what_is_contained_are_found),
        STORE_TEST(it_follows_what_is_written),
        STORE_TEST(each_item_tells_what_it_was_found_for),
        STORE_TEST(pages_of_what_contains_have_each_once),
        STORE_TEST(a_store_that_was_made_before_is_indexed_first),
        STORE_TEST(references_to_another_type_are_none_of_the_parameters),
        STORE_TEST(a_chain_asks_of_the_types_that_have_what_follows),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
