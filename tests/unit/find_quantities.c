/* SPDX-License-Identifier: MIT */
/* Quantities by canonical units, by units as written, and ranges of them. */
#include "clause_test.h"

#define UCUM "http://unitsofmeasure.org"

static void put_value(const char *id, const char *quantity)
{
    must_put(arena_print(arena, "{'resourceType':'Observation','id':'%s','valueQuantity':{%s}}", id,
                         quantity));
}

static void put_ucum(const char *id, const char *value, const char *code)
{
    put_value(id, arena_print(arena, "'value':%s,'unit':'%s','system':'" UCUM "','code':'%s'",
                              value, code, code));
}

static void a_unit_of_ucum_is_compared_in_canonical_units(void **state)
{
    (void)state;
    put_ucum("a", "5.4", "g/L");
    put_ucum("b", "540", "mg/dL");
    put_ucum("c", "545", "mg/dL");
    put_ucum("d", "544.999", "mg/dL");
    put_ucum("e", "535", "mg/dL");
    put_ucum("f", "5.4", "mg");
    put_value("g", "'value':5.4,'unit':'g/L'");
    put_value("h", "'value':5.4,'system':'http://other','code':'g/L'");
    static const struct expectation rows[] = {
        {"5.4|" UCUM "|g/L", "a b d e"},
        {"540|" UCUM "|mg/dL", "a b"},
        {"ne5.4|" UCUM "|g/L", "c"},
        {"gt5.4|" UCUM "|g/L", "c d"},
        {"ge540|" UCUM "|mg/dL", "a b c d"},
        {"lt5.4|" UCUM "|g/L", "e"},
        {"ap600|" UCUM "|mg/dL", "a b c d"},
        {"5.4|" UCUM "|m", ""},
        /* As written. */
        {"5.4||g/L", "a g h"},
        {"5.4|http://other|g/L", "h"},
        {"540||mg/dL", "b"},
        {"5.4||G/L", ""},
        /* Whatever the unit. */
        {"5.4", "a f g h"},
        {"gt500", "b c d e"},
    };
    EXPECT("Observation", "value-quantity", STORE_PLAIN, quantity_of, rows);
}

static void units_on_a_scale_of_their_own_are_converted_too(void **state)
{
    (void)state;
    put_ucum("cel", "37", "Cel");
    put_ucum("fahrenheit", "98.6", "[degF]");
    put_ucum("kelvin", "310.15", "K");
    static const struct expectation rows[] = {
        {"37|" UCUM "|Cel", "cel fahrenheit kelvin"},
        {"98.6|" UCUM "|[degF]", "cel fahrenheit kelvin"},
        {"gt37.01|" UCUM "|Cel", ""},
    };
    EXPECT("Observation", "value-quantity", STORE_PLAIN, quantity_of, rows);
}

static void a_code_that_is_no_unit_is_compared_as_written(void **state)
{
    (void)state;
    put_ucum("a", "3", "no unit");
    static const struct expectation rows[] = {
        {"3|" UCUM "|no unit", "a"}, {"3||no unit", "a"}, {"3|" UCUM "|mg", ""}};
    EXPECT("Observation", "value-quantity", STORE_PLAIN, quantity_of, rows);
}

static void money_is_found_by_its_currency(void **state)
{
    (void)state;
    must_put("{'resourceType':'Invoice','id':'i','totalNet':{'value':20.5,'currency':'GBP'}}");
    static const struct expectation rows[] = {{"20.5|urn:iso:std:iso:4217|GBP", "i"},
                                              {"20.5||GBP", "i"},
                                              {"20.5||EUR", ""},
                                              {"20.5", "i"}};
    EXPECT("Invoice", "totalnet", STORE_PLAIN, quantity_of, rows);
}

static void a_range_is_compared_as_a_range(void **state)
{
    (void)state;
    must_put("{'resourceType':'Condition','id':'r','onsetRange':{"
             "'low':{'value':30,'system':'" UCUM "','code':'a'},"
             "'high':{'value':40,'system':'" UCUM "','code':'a'}}}");
    must_put("{'resourceType':'Condition','id':'open','onsetRange':{"
             "'low':{'value':35,'system':'" UCUM "','code':'a'}}}");
    must_put("{'resourceType':'Condition','id':'age','onsetAge':{'value':35,'system':'" UCUM "',"
             "'code':'a'}}");
    static const struct expectation rows[] = {
        {"35|" UCUM "|a", "age"},
        {"gt38|" UCUM "|a", "open r"},
        {"lt31|" UCUM "|a", "r"},
        {"sa29|" UCUM "|a", "age open r"},
        {"eb41|" UCUM "|a", "age r"},
        {"ge40|" UCUM "|a", "open r"},
        {"ap34|" UCUM "|a", "age open r"},
        {"gt456|" UCUM "|mo", "open r"},
        {"gt38", "open r"},
        {"lt31||a", "r"},
        {"ne35", "open r"},
    };
    EXPECT("Condition", "onset-age", STORE_PLAIN, quantity_of, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_unit_of_ucum_is_compared_in_canonical_units),
        STORE_TEST(units_on_a_scale_of_their_own_are_converted_too),
        STORE_TEST(a_code_that_is_no_unit_is_compared_as_written),
        STORE_TEST(money_is_found_by_its_currency),
        STORE_TEST(a_range_is_compared_as_a_range),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
