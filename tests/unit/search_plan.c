/* SPDX-License-Identifier: MIT */
/* From the parameters of a URL to a plan: kinds, modifiers, prefixes, escapes (R4 search). */
#include "search_test.h"

struct row {
    const char *type, *query, *plan;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(shown(rows[i].type, rows[i].query), rows[i].plan);
    }
}
#define CHECK(rows) check_rows(rows, sizeof rows / sizeof rows[0])

struct refusal {
    const char *type, *query;
    enum status status;
};

static void check_refusals(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = plan_of(rows[i].type, rows[i].query);
        if (status != rows[i].status) {
            print_error("%s?%s: %s\n", rows[i].type, rows[i].query, message());
        }
        assert_int_equal(status, rows[i].status);
        assert_non_null(outcome.first);
    }
}
#define REFUSED(rows) check_refusals(rows, sizeof rows / sizeof rows[0])

static void reads_numbers_and_quantities_with_each_prefix(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"RiskAssessment", "probability=0.8", "RiskAssessment probability=eq0.8"},
        {"RiskAssessment", "probability=gt0.80", "RiskAssessment probability=gt0.80"},
        {"RiskAssessment", "probability=ne1e-1,ap2", "RiskAssessment probability=ne0.1,ap2"},
        {"Observation", "value-quantity=5.4", "Observation value-quantity=eq5.4 "},
        {"Observation", "value-quantity=le5.4|http://unitsofmeasure.org|mg",
         "Observation value-quantity=le5.4 http://unitsofmeasure.org|mg"},
        {"Observation", "value-quantity=sa5.4||mg", "Observation value-quantity=sa5.4 mg"},
        {"Observation", "value-quantity=eb5.4||", "Observation value-quantity=eb5.4 "},
        {"Observation", "value-quantity=lt5.4&value-quantity=ge1",
         "Observation value-quantity=lt5.4  value-quantity=ge1 "},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"RiskAssessment", "probability=", STATUS_VALUE},
        {"RiskAssessment", "probability=xx1", STATUS_VALUE},
        {"RiskAssessment", "probability=gegt1", STATUS_VALUE},
        {"RiskAssessment", "probability:not=1", STATUS_PARAMETER},
        {"Observation", "value-quantity=5.4|mg", STATUS_VALUE},
        {"Observation", "value-quantity=5.4|a|b|c", STATUS_VALUE},
        {"Observation", "value-quantity:exact=5", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void reads_dates_with_each_prefix_as_ranges(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Patient", "birthdate=1980-01-31", "Patient birthdate=eq1980-01-31..1980-02-01"},
        {"Patient", "birthdate=ne1980-12-31", "Patient birthdate=ne1980-12-31..1981-01-01"},
        {"Patient", "birthdate=ge1980-12-31,lt1960-12-31",
         "Patient birthdate=ge1980-12-31..1981-01-01,lt1960-12-31..1961-01-01"},
        {"Observation", "date=sa2013-01-14T10:00:00Z", "Observation date=sa2013-01-14..2013-01-14"},
        {"Observation", "date=eb2013-12&date=ap2013-12&date=gt2012-12&date=le2013-12",
         "Observation date=eb2013-12-01..2014-01-01 date=ap2013-12-01..2014-01-01 "
         "date=gt2012-12-01..2013-01-01 date=le2013-12-01..2014-01-01"},
        {"Patient", "birthdate:missing=true", "Patient birthdate:missing=true"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Patient", "birthdate=", STATUS_VALUE},
        {"Patient", "birthdate=1970-02-30", STATUS_VALUE},
        {"Patient", "birthdate=yesterday", STATUS_VALUE},
        {"Patient", "birthdate:exact=1970", STATUS_PARAMETER},
        {"Patient", "birthdate:missing=maybe", STATUS_VALUE},
        {"Patient", "birthdate:missing=true,false", STATUS_VALUE},
    };
    REFUSED(wrong);
}

static void reads_strings_and_uris_with_their_modifiers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Patient", "name=eve", "Patient name='eve'"},
        {"Patient", "given:exact=Eve,Ada", "Patient given:exact='Eve','Ada'"},
        {"Patient", "family:contains=son", "Patient family:contains='son'"},
        {"Patient", "family=a\\,b\\$c\\|d\\\\e", "Patient family='a,b$c|d\\e'"},
        {"Patient", "family:missing=false", "Patient family:missing=false"},
        {"ValueSet", "url=http://acme.org/fhir/ValueSet/123",
         "ValueSet url='http://acme.org/fhir/ValueSet/123'"},
        {"ValueSet", "url:below=http://acme.org/fhir/",
         "ValueSet url:below='http://acme.org/fhir/'"},
        {"ValueSet", "url:above=http://acme.org/fhir/ValueSet/123/_history/5",
         "ValueSet url:above='http://acme.org/fhir/ValueSet/123/_history/5'"},
        {"ValueSet", "url:contains=acme", "ValueSet url:contains='acme'"},
        {"ValueSet", "url=urn:oid:1.2.3.4.5", "ValueSet url='urn:oid:1.2.3.4.5'"},
        {"Patient", "_text=renal failure,liver", "Patient _text='renal failure','liver'"},
        {"Patient", "_content=renal", "Patient _content='renal'"},
        {"Patient", "_profile=http://x/p&_source=http://y",
         "Patient _profile='http://x/p' _source='http://y'"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Patient", "name=", STATUS_VALUE},
        {"Patient", "name=a,", STATUS_VALUE},
        {"Patient", "name:unheardof=a", STATUS_PARAMETER},
        {"Patient", "name:not=a", STATUS_PARAMETER},
        {"Patient", "name:text=a", STATUS_PARAMETER},
        {"Patient", "name:below=a", STATUS_PARAMETER},
        {"Patient", "name:Patient=a", STATUS_PARAMETER},
        {"ValueSet", "url:exact=http://x", STATUS_PARAMETER},
        {"Patient", "_text=(bone OR liver) and metastases", STATUS_VALUE},
        {"Patient", "_text=bone AND liver", STATUS_VALUE},
        {"Patient", "_text:exact=bone", STATUS_PARAMETER},
        {"Patient", "_text:missing=true", STATUS_PARAMETER},
        {"Binary", "_text=bone", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void reads_tokens_with_their_modifiers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Patient", "gender=male", "Patient gender=male"},
        {"Patient", "gender:not=male,female", "Patient gender:not=male,female"},
        {"Condition", "code=http://acme.org|ha125", "Condition code=http://acme.org|ha125"},
        {"Condition", "code=|ha125", "Condition code=|ha125"},
        {"Condition", "code=http://acme.org|", "Condition code=http://acme.org|"},
        {"Condition", "code:text=headache", "Condition code:text='headache'"},
        {"Patient", "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053",
         "Patient identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR'446053'"},
        {"Patient", "active:missing=true", "Patient active:missing=true"},
        {"Patient", "identifier=a\\|b", "Patient identifier=a|b"},
        {"Patient", "_tag=http://acme.org/codes|needs-review&_security=R",
         "Patient _tag=http://acme.org/codes|needs-review _security=R"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Patient", "gender=", STATUS_VALUE},
        {"Patient", "identifier=|", STATUS_VALUE},
        {"Patient", "identifier=a|b|c", STATUS_VALUE},
        {"Patient", "gender:exact=male", STATUS_PARAMETER},
        {"Patient", "gender:contains=male", STATUS_PARAMETER},
        {"Patient", "gender:identifier=male", STATUS_PARAMETER},
        {"Patient", "gender:[type]=male", STATUS_PARAMETER},
        {"Patient", "identifier:of-type=MR|446053", STATUS_VALUE},
        {"Patient", "identifier:of-type=|MR|446053", STATUS_VALUE},
        {"Patient", "identifier:of-type=s|MR|", STATUS_VALUE},
        {"Patient", "unheardof=1", STATUS_PARAMETER},
        {"Patient", "=1", STATUS_PARAMETER},
        {"Patient", "_query=x", STATUS_PARAMETER},
        {"Patient", "_filter=x", STATUS_PARAMETER},
        {"Patient", "_type=Patient", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void reads_references_with_their_modifiers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Observation", "subject=23", "Observation subject=/23"},
        {"Observation", "subject=Patient/23", "Observation subject=Patient/23"},
        {"Observation", "subject:Patient=23", "Observation subject=Patient/23"},
        {"Observation", "subject=http://here.example/fhir/Patient/23",
         "Observation subject=Patient/23"},
        {"Observation", "subject=http://acme.org/fhir/Patient/23",
         "Observation subject='http://acme.org/fhir/Patient/23'"},
        {"Observation", "subject:identifier=http://acme.org/fhir/identifier/mrn|123456",
         "Observation subject:identifier=http://acme.org/fhir/identifier/mrn|123456"},
        {"Observation", "subject:missing=true", "Observation subject:missing=true"},
        {"Observation", "subject:text=Peter", "Observation subject:text='Peter'"},
        {"Location", "partof:below=42", "Location partof:below=/42"},
        {"Location", "partof:above=Location/42", "Location partof:above=Location/42"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Observation", "subject=", STATUS_VALUE},
        {"Observation", "subject=Encounter/1", STATUS_VALUE},
        {"Observation", "subject=Patient/1/_history/2", STATUS_VALUE},
        {"Observation", "subject:Patient=Group/1", STATUS_VALUE},
        {"Observation", "subject:Encounter=1", STATUS_PARAMETER},
        {"Observation", "subject:exact=1", STATUS_PARAMETER},
        {"Observation", "subject:not=1", STATUS_PARAMETER},
        {"Observation", "subject:in=http://x", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void reads_composites_part_by_part(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Observation", "code-value-quantity=http://loinc.org|11557-6$gt6.0",
         "Observation code-value-quantity=http://loinc.org|11557-6 $ gt6.0 "},
        {"Observation", "component-code-value-quantity=8480-6$lt60||mm,8462-4$lt40",
         "Observation component-code-value-quantity=8480-6 $ lt60 mm,8462-4 $ lt40 "},
        {"DiagnosticReport", "result.code-value-quantity=2823-3$gt5.4",
         "DiagnosticReport result->(Observation code-value-quantity=2823-3 $ gt5.4 )"},
        {"Observation", "code-value-string=a\\$b$c", "Observation code-value-string=a$b $ 'c'"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Observation", "code-value-quantity=11557-6", STATUS_VALUE},
        {"Observation", "code-value-quantity=11557-6$6$7", STATUS_VALUE},
        {"Observation", "code-value-quantity=11557-6$", STATUS_VALUE},
        {"Observation", "code-value-quantity:exact=11557-6$6", STATUS_PARAMETER},
        {"Observation", "code-value-quantity:missing=true", STATUS_PARAMETER},
        {"Observation", "_sort=code-value-quantity", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void reads_a_place_and_a_distance(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Location", "near=42.25|-83.69|11.2|km", "Location near=42.25 -83.69 11200m"},
        {"Location", "near=-42.25|83.69|11.2", "Location near=-42.25 83.69 11200m"},
        {"Location", "near=42.25|-83.69", "Location near=42.25 -83.69 5000m"},
        {"Location", "near=42.25|-83.69||", "Location near=42.25 -83.69 5000m"},
        {"Location", "near=42|-83|1|[mi_i],0|0|5|m",
         "Location near=42.00 -83.00 1609m,0.00 0.00 5m"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Location", "near=", STATUS_VALUE},
        {"Location", "near=42.25", STATUS_VALUE},
        {"Location", "near=91|0", STATUS_VALUE},
        {"Location", "near=0|181", STATUS_VALUE},
        {"Location", "near=0|0|-1", STATUS_VALUE},
        {"Location", "near=0|0|1|kg", STATUS_VALUE},
        {"Location", "near=0|0||km", STATUS_VALUE},
        {"Location", "near:missing=true", STATUS_PARAMETER},
        {"Location", "_sort=near", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void reads_columns_of_the_store(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Patient", "_id=23,24", "Patient id=23,24"},
        {"Patient", "_id=23,24&_id=24,25", "Patient id=24"},
        {"Patient", "_id=23&_id=24", "Patient no id"},
        {"Patient", "_lastUpdated=ge2010-12-01&_lastUpdated=lt2011-01-01",
         "Patient at 2010-12-01..2011-01-01"},
        {"Patient", "_lastUpdated=ne2011-01-01",
         "Patient any(Patient at *..2011-01-01)|(Patient at 2011-01-02..*)"},
        {"Patient", "_lastUpdated=2011-01-01,2012-01-01",
         "Patient any(Patient at 2011-01-01..2011-01-02)|(Patient at 2012-01-01..2012-01-02)"},
        {"Condition", "_list=42", "Condition item<-(List id=42)"},
        {"Condition", "_list=42,List/43", "Condition item<-(List id=42,43)"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"Patient", "_id=", STATUS_VALUE},
        {"Patient", "_id:exact=1", STATUS_PARAMETER},
        {"Patient", "_lastUpdated=soon", STATUS_VALUE},
        {"Patient", "_lastUpdated:missing=true", STATUS_PARAMETER},
        {"Patient", "_list=$current-problems", STATUS_PARAMETER},
        {"Patient", "_list=", STATUS_VALUE},
    };
    REFUSED(wrong);
}

static void asks_of_all_types_what_they_all_have(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "_id=5", " id=5"},
        {"", "_type=Patient,Device&_tag=x", "types Patient,Device _tag=x"},
        {"", "identifier=x&_type=Patient,Device", "types Patient,Device identifier=x"},
        {"", "_type=Condition,Observation&patient.name=x",
         "types Condition,Observation patient->(Patient name='x')"},
        {"", "_type=Patient,Device,Patient&_type=Device,Group", "types Device"},
    };
    CHECK(rows);
    static const struct refusal wrong[] = {
        {"", "", STATUS_REQUIRED},
        {"", "_count=5", STATUS_REQUIRED},
        {"", "_type=Unheardof", STATUS_VALUE},
        {"", "_type=", STATUS_VALUE},
        {"", "identifier=x", STATUS_PARAMETER},
        {"", "_type=Patient,Device&birthdate=2000", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void takes_what_is_said_of_the_answer(void **state)
{
    (void)state;
    assert_int_equal(plan_of("Patient", "_count=500&_sort=family,-birthdate,_lastUpdated&"
                                        "_total=estimate&_contained=false"),
                     STATUS_OK);
    assert_int_equal(plan.query.count, 100);
    assert_int_equal(plan.query.sort_count, 3);
    assert_true(slice_is(plan.query.sorts[0].parameter->code, "family"));
    assert_true(plan.query.sorts[1].descending);
    assert_null(plan.query.sorts[2].parameter);
    assert_true(plan.query.total && plan.query.estimate);
    assert_int_equal(plan.criteria, 0);
    assert_int_equal(plan_of("Patient", "_total=accurate&_count=0"), STATUS_OK);
    assert_true(plan.query.total && !plan.query.estimate && plan.query.count == 0);
    assert_int_equal(plan_of("Patient", "_total=none"), STATUS_OK);
    assert_false(plan.query.total || plan.query.estimate);
    static const struct refusal wrong[] = {
        {"Patient", "_count=-1", STATUS_VALUE},
        {"Patient", "_count=1&_count=2", STATUS_VALUE},
        {"Patient", "_total=some", STATUS_VALUE},
        {"Patient", "_sort=unheardof", STATUS_PARAMETER},
        {"Patient", "_sort=", STATUS_PARAMETER},
        {"Patient", "_sort=_text", STATUS_PARAMETER},
        {"Patient", "_sort=a,b,c,d,e,f,g,h,i", STATUS_TOO_COSTLY},
        {"Patient", "_sort:desc=name", STATUS_PARAMETER},
    };
    REFUSED(wrong);
}

static void takes_which_resources_are_asked(void **state)
{
    (void)state;
    options.contained = true;
    assert_int_equal(plan_of("Patient", "family=a&_contained=true"), STATUS_OK);
    assert_int_equal(plan.query.contained, STORE_CONTAINED_ONLY);
    assert_false(plan.query.inside);
    assert_int_equal(plan_of("Patient", "_sort=-_lastUpdated&_contained=both&_total=accurate&"
                                        "_containedType=container&_revinclude=Provenance:target&"
                                        "_include=Observation:subject"),
                     STATUS_OK);
    assert_int_equal(plan.query.contained, STORE_CONTAINED_TOO);
    assert_int_equal(plan.include_count, 2);
    assert_int_equal(plan_of("Patient", "_contained=true&_containedType=contained"), STATUS_OK);
    assert_true(plan.query.inside);
    assert_int_equal(plan_of("Patient", "_containedType=contained&_total=accurate"), STATUS_OK);
    assert_int_equal(plan.query.contained, STORE_CONTAINED_NOT);
    static const struct refusal wrong[] = {
        {"Patient", "_contained=yes", STATUS_VALUE},
        {"Patient", "_contained=true&_contained=true", STATUS_VALUE},
        {"Patient", "_containedType=both", STATUS_VALUE},
        {"Patient", "_contained=true&_sort=family", STATUS_PARAMETER},
        {"Patient", "_sort=_id&_contained=both", STATUS_PARAMETER},
        {"", "_type=Patient&_contained=true", STATUS_PARAMETER},
        {"Patient", "_contained=true&_containedType=contained&_total=estimate", STATUS_PARAMETER},
        {"Patient", "_contained=true&_containedType=contained&_include=*", STATUS_PARAMETER},
        {"Patient", "_include=Observation:subject", STATUS_PARAMETER},
    };
    REFUSED(wrong);
    options.contained = false;
    static const struct refusal elsewhere[] = {
        {"Patient", "_contained=true", STATUS_PARAMETER},
        {"Patient", "_contained=both", STATUS_PARAMETER},
    };
    REFUSED(elsewhere);
    assert_int_equal(plan_of("Patient", "_contained=false&_containedType=container"), STATUS_OK);
}

static void the_links_repeat_what_was_applied(void **state)
{
    (void)state;
    options.lenient = true;
    struct buffer out = {.arena = arena};
    assert_int_equal(plan_of("Patient", "name:exact=a b&unheardof=1&_count=999&_sort=nothing&"
                                        "organization.unheardof=1&_cursor=abc"),
                     STATUS_OK);
    search_plan_write_query(&plan, SLICE("next"), &out);
    assert_string_equal(as_text(&out), "name:exact=a%20b&_count=100&_cursor=next");
    assert_int_equal(plan.ignored_count, 3);
    assert_true(slice_is(plan.ignored[0], "unheardof"));
    assert_true(slice_is(plan.ignored[1], "_sort"));
    assert_true(slice_is(plan.ignored[2], "organization.unheardof"));
    assert_true(slice_is(plan.query.cursor, "abc"));
    /* What is known but cannot be read is never passed over. */
    assert_int_equal(plan_of("Patient", "birthdate=soon"), STATUS_VALUE);
    assert_non_null(outcome.first);
}

static void a_conditional_operation_takes_criteria_only(void **state)
{
    (void)state;
    options.conditional = true;
    static const struct refusal wrong[] = {
        {"Patient", "", STATUS_PRECONDITION},
        {"Patient", "_format=json", STATUS_PRECONDITION},
        {"Patient", "_count=5&name=x", STATUS_PARAMETER},
        {"Patient", "_include=Patient:organization&name=x", STATUS_PARAMETER},
    };
    REFUSED(wrong);
    assert_string_equal(shown("Patient", "organization.identifier=x"),
                        "Patient organization->(Organization identifier=x)");
}

static void messages_hold_no_value(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "birthdate=Sekret",    "identifier=Sekret|a|b", "general-practitioner=Sek ret",
        "_lastUpdated=Sekret", "_sort=Sek ret",         "_total=Sekret",
        "Sek ret=1",           "_include=Sekret",       "_list=Sek ret",
        "gender:in=Sekret"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        assert_int_not_equal(plan_of("Patient", queries[i]), STATUS_OK);
        assert_null(strstr(message(), "Sek"));
    }
}

/* With the n-th allocation failing a plan is whole or fails, and nothing leaks or is read. */
static void lack_of_memory_is_told(void **state)
{
    (void)state;
    static const char query[] =
        "name:exact=a,b&birthdate=ge1980&_has:Observation:patient:code-value-quantity=a$1&"
        "general-practitioner.name=x&_sort=family&_include=Patient:*&_lastUpdated=ne2020&_list=4";
    assert_int_equal(plan_of("Patient", query), STATUS_OK);
    for (unsigned long n = 1; n < 200; n++) {
        struct arena *whole = arena;
        arena = arena_create((size_t)16 << 20);
        assert_non_null(arena);
        (void)arena_fail_after(n);
        enum status status = plan_of("Patient", query);
        (void)arena_fail_after(0);
        assert_true(status == STATUS_TOO_COSTLY || (status == STATUS_OK && !arena_full(arena)));
        arena_destroy(arena);
        arena = whole;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEARCH_TEST(reads_numbers_and_quantities_with_each_prefix),
        SEARCH_TEST(reads_dates_with_each_prefix_as_ranges),
        SEARCH_TEST(reads_strings_and_uris_with_their_modifiers),
        SEARCH_TEST(reads_tokens_with_their_modifiers),
        SEARCH_TEST(reads_references_with_their_modifiers),
        SEARCH_TEST(reads_composites_part_by_part),
        SEARCH_TEST(reads_a_place_and_a_distance),
        SEARCH_TEST(reads_columns_of_the_store),
        SEARCH_TEST(asks_of_all_types_what_they_all_have),
        SEARCH_TEST(takes_what_is_said_of_the_answer),
        SEARCH_TEST(takes_which_resources_are_asked),
        SEARCH_TEST(the_links_repeat_what_was_applied),
        SEARCH_TEST(a_conditional_operation_takes_criteria_only),
        SEARCH_TEST(messages_hold_no_value),
        SEARCH_TEST(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
