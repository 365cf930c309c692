/* SPDX-License-Identifier: MIT */
/* Composite parameters (R4 search, "Composite Search Parameters"): all components on one value;
 * and `near` of Location. */
#include "find_test.h"

static struct store_clause *composite(const char *type, const char *code,
                                      const struct store_value *parts, size_t count)
{
    struct store_value value = {.parts = parts, .part_count = count};
    return clause_of(type, code, STORE_PLAIN, value);
}

static struct store_value number(enum store_compare compare, const char *text)
{
    struct store_value value = {.compare = compare};
    assert_true(decimal_parse(slice_text(text), &value.number));
    assert_true(decimal_range(value.number, &value.number_low, &value.number_high));
    return value;
}

static struct store_value date(enum store_compare compare, const char *text)
{
    struct store_value value = {.compare = compare};
    struct partial_date partial;
    assert_true(date_parse(slice_text(text), DATE_FORM_SEARCH, &partial));
    date_range(&partial, &value.low, &value.high);
    return value;
}

static void put_pressures(void)
{
    /* 120/80 and 80/120: only one value says which is which. */
    must_put("{'resourceType':'Observation','id':'well','code':{'coding':[{'code':'bp'}]},"
             "'component':[{'code':{'coding':[{'code':'sys'}]},'valueQuantity':{'value':120}},"
             "{'code':{'coding':[{'code':'dia'}]},'valueQuantity':{'value':80}}]}");
    must_put("{'resourceType':'Observation','id':'odd','code':{'coding':[{'code':'bp'}]},"
             "'component':[{'code':{'coding':[{'code':'sys'}]},'valueQuantity':{'value':80}},"
             "{'code':{'coding':[{'code':'dia'}]},'valueQuantity':{'value':120}}]}");
    must_put("{'resourceType':'Observation','id':'weight','code':{'coding':[{'system':'http://s',"
             "'code':'w'}]},'effectiveDateTime':'2020-02-03','valueQuantity':{'value':5.40}}");
    must_put("{'resourceType':'Observation','id':'sign','code':{'coding':[{'code':'w'}]},"
             "'valueCodeableConcept':{'coding':[{'code':'fair'}]}}");
    must_put("{'resourceType':'Observation','id':'word','code':{'coding':[{'code':'w'}]},"
             "'valueString':'Not Heavy'}");
}

static const char *pressure(const char *code, enum store_compare compare, const char *value)
{
    struct store_value *parts = arena_array(arena, 2, sizeof(*parts));
    parts[0].code = slice_text(code);
    parts[1] = number(compare, value);
    return found(query_of("Observation",
                          composite("Observation", "component-code-value-quantity", parts, 2)));
}

static void components_must_match_on_one_value(void **state)
{
    (void)state;
    put_pressures();
    assert_string_equal(pressure("sys", STORE_GT, "100"), "well");
    assert_string_equal(pressure("dia", STORE_GT, "100"), "odd");
    assert_string_equal(pressure("sys", STORE_GT, "70"), "odd well");
    assert_string_equal(pressure("sys", STORE_GT, "130"), "");
    assert_string_equal(pressure("sys", STORE_EQ, "120"), "well");
    assert_string_equal(pressure("pulse", STORE_GT, "1"), "");
}

static void a_composite_of_the_resource_itself(void **state)
{
    (void)state;
    put_pressures();
    struct store_value parts[2] = {{.code = SLICE("w")}, number(STORE_LT, "6")};
    struct store_clause *clause = composite("Observation", "code-value-quantity", parts, 2);
    assert_string_equal(found(query_of("Observation", clause)), "weight");
    parts[0] = (struct store_value){
        .has_system = true, .system = SLICE("http://other"), .code = SLICE("w")};
    assert_string_equal(found(query_of("Observation", clause)), "");
    parts[0].system = SLICE("http://s");
    assert_string_equal(found(query_of("Observation", clause)), "weight");
    /* Written 5.40: 5.4 is what it says, to two digits (R4 search, "number"). */
    parts[1] = number(STORE_EQ, "5.4");
    assert_string_equal(found(query_of("Observation", clause)), "weight");
    parts[1] = number(STORE_EQ, "5.41");
    assert_string_equal(found(query_of("Observation", clause)), "");
    struct store_value concept[2] = {{.code = SLICE("w")}, {.code = SLICE("fair")}};
    clause = composite("Observation", "code-value-concept", concept, 2);
    assert_string_equal(found(query_of("Observation", clause)), "sign");
    struct store_value string[2] = {{.code = SLICE("w")}, {.text = SLICE("not h")}};
    clause = composite("Observation", "code-value-string", string, 2);
    assert_string_equal(found(query_of("Observation", clause)), "word");
    /* Seen from the resource and from its components. */
    struct store_value combined[2] = {{.code = SLICE("w")}, number(STORE_LT, "6")};
    clause = composite("Observation", "combo-code-value-quantity", combined, 2);
    assert_string_equal(found(query_of("Observation", clause)), "weight");
    combined[0].code = SLICE("dia");
    combined[1] = number(STORE_EQ, "80");
    assert_string_equal(found(query_of("Observation", clause)), "well");
}

static void any_of_several_composite_values_will_do(void **state)
{
    (void)state;
    put_pressures();
    struct store_value low[2] = {{.code = SLICE("sys")}, number(STORE_LT, "90")};
    struct store_value high[2] = {{.code = SLICE("dia")}, number(STORE_GT, "110")};
    struct store_value crossed[2] = {{.code = SLICE("dia")}, number(STORE_LT, "70")};
    struct store_value values[2] = {{.parts = low, .part_count = 2},
                                    {.parts = high, .part_count = 2}};
    struct store_clause *clause = composite("Observation", "component-code-value-quantity", low, 2);
    clause->values = values;
    clause->value_count = 2;
    assert_string_equal(found(query_of("Observation", clause)), "odd");
    /* The parts of two values do not make a third. */
    values[1].parts = crossed;
    low[1] = number(STORE_GT, "200");
    assert_string_equal(found(query_of("Observation", clause)), "");
}

static void composites_with_dates_codes_and_references(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'d','code':{'coding':[{'code':'w'}]},"
             "'valueDateTime':'2020-02-03'}");
    struct store_value dated[2] = {{.code = SLICE("w")}, date(STORE_EQ, "2020-02")};
    struct store_clause *clause = composite("Observation", "code-value-date", dated, 2);
    assert_string_equal(found(query_of("Observation", clause)), "d");
    dated[1] = date(STORE_EQ, "2020-03");
    assert_string_equal(found(query_of("Observation", clause)), "");
    must_put("{'resourceType':'DocumentReference','id':'new','relatesTo':[{'code':'replaces',"
             "'target':{'reference':'DocumentReference/old'}},{'code':'appends','target':"
             "{'reference':'DocumentReference/base'}}]}");
    /* Whose components stand as code, then target. */
    struct store_value related[2] = {
        {.has_system = true,
         .system = SLICE("http://hl7.org/fhir/document-relationship-type"),
         .code = SLICE("replaces")},
        {.target = type_named("DocumentReference"), .id = SLICE("old")}};
    clause = composite("DocumentReference", "relationship", related, 2);
    assert_string_equal(found(query_of("DocumentReference", clause)), "new");
    related[1].id = SLICE("base");
    assert_string_equal(found(query_of("DocumentReference", clause)), "");
}

static void refuses_a_composite_that_lacks_a_part(void **state)
{
    (void)state;
    struct store_value part = {.code = SLICE("w")};
    struct store_query *query =
        query_of("Observation", composite("Observation", "code-value-quantity", &part, 1));
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
    struct store_clause *missing = clause_of("Observation", "code-value-quantity", STORE_MISSING,
                                             (struct store_value){.boolean = true});
    assert_int_equal(try_find(query_of("Observation", missing)), STATUS_NOT_SUPPORTED);
}

static void every_composite_of_the_specification_can_be_asked(void **state)
{
    (void)state;
    size_t asked = 0;
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        size_t count;
        const struct search_parameter *all = search_parameters(definitions, type, &count);
        for (size_t i = 0; i < count; i++) {
            if (all[i].kind != SEARCH_COMPOSITE) {
                continue;
            }
            struct store_value parts[8] = {0};
            for (size_t j = 0; j < all[i].component_count; j++) {
                parts[j] = number(STORE_EQ, "1");
                parts[j].code = SLICE("x");
                parts[j].text = SLICE("x");
                parts[j].id = SLICE("x");
                parts[j].high = 1;
            }
            struct store_value value = {.parts = parts, .part_count = all[i].component_count};
            struct store_clause clause = {.parameter = &all[i], .values = &value, .value_count = 1};
            struct store_query query = {.type = type, .clauses = &clause, .clause_count = 1};
            assert_string_equal(found(&query), "");
            asked++;
        }
    }
    assert_in_range(asked, 20, 200);
}

/* ---- near ----------------------------------------------------------------------------------- */

static const char *near_to(double latitude, double longitude, double metres)
{
    return found(query_of("Location", clause_of("Location", "near", STORE_PLAIN,
                                                (struct store_value){.latitude = latitude,
                                                                     .longitude = longitude,
                                                                     .metres = metres})));
}

static void finds_places_within_a_distance(void **state)
{
    (void)state;
    /* Leeds General Infirmary, St James's (2.4 km from it), York Hospital (about 36 km). */
    must_put("{'resourceType':'Location','id':'lgi','position':"
             "{'latitude':53.8027,'longitude':-1.5527}}");
    must_put("{'resourceType':'Location','id':'jimmys','position':"
             "{'latitude':53.8066,'longitude':-1.5197}}");
    must_put("{'resourceType':'Location','id':'york','position':"
             "{'latitude':53.9690,'longitude':-1.0842}}");
    must_put("{'resourceType':'Location','id':'nowhere'}");
    must_put("{'resourceType':'Location','id':'fiji','position':"
             "{'latitude':-17.8,'longitude':179.9}}");
    assert_string_equal(near_to(53.8027, -1.5527, 100), "lgi");
    assert_string_equal(near_to(53.8027, -1.5527, 2000), "lgi");
    assert_string_equal(near_to(53.8027, -1.5527, 3000), "jimmys lgi");
    assert_string_equal(near_to(53.8027, -1.5527, 30000), "jimmys lgi");
    assert_string_equal(near_to(53.8027, -1.5527, 40000), "jimmys lgi york");
    /* Over the line where the days change: 0.2 degrees, about 21 km. */
    assert_string_equal(near_to(-17.8, -179.9, 25000), "fiji");
    assert_string_equal(near_to(-17.8, -179.9, 20000), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(components_must_match_on_one_value),
        STORE_TEST(a_composite_of_the_resource_itself),
        STORE_TEST(any_of_several_composite_values_will_do),
        STORE_TEST(composites_with_dates_codes_and_references),
        STORE_TEST(refuses_a_composite_that_lacks_a_part),
        STORE_TEST(every_composite_of_the_specification_can_be_asked),
        STORE_TEST(finds_places_within_a_distance),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
