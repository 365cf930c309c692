/* SPDX-License-Identifier: MIT */
/* The examples of R4 search.html ("Prefixes", "date", "number"), with what they must find. */
#include "clause_test.h"

static void put_dates(void)
{
    static const struct {
        const char *id, *value;
    } rows[] = {{"day", "'effectiveDateTime':'2013-01-14'"},
                {"midnight", "'effectiveDateTime':'2013-01-14T00:00:00Z'"},
                {"ten", "'effectiveDateTime':'2013-01-14T10:00:00Z'"},
                {"next", "'effectiveDateTime':'2013-01-15T00:00:00Z'"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        must_put(arena_print(arena, "{'resourceType':'Observation','id':'%s',%s}", rows[i].id,
                             rows[i].value));
    }
}

static void a_date_compares_as_the_examples_of_the_specification_say(void **state)
{
    (void)state;
    put_dates();
    static const struct expectation rows[] = {
        {"eq2013-01-14", "day midnight ten"},
        {"ne2013-01-14", "next"},
        {"lt2013-01-14T10:00", "day midnight"},
        {"gt2013-01-14T10:00", "day next"},
        {"2013-01-14T10:00", "ten"},
        {"eq2013-01", "day midnight next ten"},
        {"eq2013", "day midnight next ten"},
        {"eq2012", ""},
    };
    EXPECT("Observation", "date", STORE_PLAIN, date_of, rows);
}

static void put_periods(void)
{
    must_put("{'resourceType':'Observation','id':'from-mar15','effectivePeriod':"
             "{'start':'2013-03-15'}}");
    must_put("{'resourceType':'Observation','id':'from-jan21','effectivePeriod':"
             "{'start':'2013-01-21'}}");
    must_put("{'resourceType':'Observation','id':'to-jan21','effectivePeriod':"
             "{'end':'2013-01-21'}}");
    must_put("{'resourceType':'Observation','id':'mar14','effectiveDateTime':'2013-03-14'}");
    must_put("{'resourceType':'Observation','id':'jan21','effectiveDateTime':'2013-01-21'}");
    must_put("{'resourceType':'Observation','id':'jun2035','effectiveDateTime':'2035-06-15'}");
}

static void periods_with_open_ends_compare_as_the_examples_say(void **state)
{
    (void)state;
    put_periods();
    static const struct expectation rows[] = {
        {"ge2013-03-14", "from-jan21 from-mar15 jun2035 mar14"},
        {"le2013-03-14", "from-jan21 jan21 mar14 to-jan21"},
        {"sa2013-03-14", "from-mar15 jun2035"},
        {"eb2013-03-14", "jan21 to-jan21"},
        {"gt2013-03-14", "from-jan21 from-mar15 jun2035"},
        {"lt2013-03-14", "from-jan21 jan21 to-jan21"},
        {"eq2013-03-14", "mar14"},
        {"ne2013-03-14", "from-jan21 from-mar15 jan21 jun2035 to-jan21"},
        /* Ten in a hundred of the time between now and then: more than a year, less than eight. */
        {"ap2013-03-14", "from-jan21 from-mar15 jan21 mar14 to-jan21"},
    };
    EXPECT("Observation", "date", STORE_PLAIN, date_of, rows);
}

static void a_partial_date_in_the_resource_is_a_range_too(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'y','birthDate':'1970'}");
    must_put("{'resourceType':'Patient','id':'m','birthDate':'1970-03'}");
    must_put("{'resourceType':'Patient','id':'d','birthDate':'1970-03-30'}");
    must_put("{'resourceType':'Patient','id':'none'}");
    static const struct expectation rows[] = {
        {"1970", "d m y"},         {"1970-03", "d m"},    {"1970-03-30", "d"},
        {"ne1970-03", "y"},        {"lt1970-03", "y"},    {"gt1970-03-30", "m y"},
        {"le1970-03-30", "d m y"}, {"sa1970-03-29", "d"}, {"eb1970-04", "d m"},
        {"sa1969", "d m y"},       {"eb1970-03-30", ""},
    };
    EXPECT("Patient", "birthdate", STORE_PLAIN, date_of, rows);
    assert_string_equal(
        found("Patient", "birthdate", STORE_MISSING, (struct store_value){.boolean = true}),
        "none");
}

static void put_risk(const char *id, const char *probability)
{
    must_put(arena_print(arena,
                         "{'resourceType':'RiskAssessment','id':'%s','prediction':"
                         "[{'probabilityDecimal':%s}]}",
                         id, probability));
}

static void a_number_has_the_range_that_its_digits_imply(void **state)
{
    (void)state;
    put_risk("99.4", "99.4");
    put_risk("99.5", "99.5");
    put_risk("99.995", "99.995");
    put_risk("100", "100");
    put_risk("100.004", "100.004");
    put_risk("100.005", "100.005");
    put_risk("100.5", "100.5");
    put_risk("104.9", "104.9");
    put_risk("105", "105");
    put_risk("95", "95");
    static const struct expectation rows[] = {
        {"100", "100 100.004 100.005 99.5 99.995"},
        {"100.00", "100 100.004 99.995"},
        {"1e2", "100 100.004 100.005 100.5 104.9 95 99.4 99.5 99.995"},
        {"1.00e2", "100 100.004 100.005 99.5 99.995"},
        {"ne1e2", "105"},
        /* What is behind a prefix has any precision. */
        {"lt100", "95 99.4 99.5 99.995"},
        {"le100", "100 95 99.4 99.5 99.995"},
        {"gt100", "100.004 100.005 100.5 104.9 105"},
        {"ge100", "100 100.004 100.005 100.5 104.9 105"},
        {"sa100.00", "100.004 100.005 100.5 104.9 105"},
        {"eb100.00", "95 99.4 99.5 99.995"},
        {"ap110", "100 100.004 100.005 100.5 104.9 105 99.4 99.5 99.995"},
        {"ap95", "100 100.004 100.005 100.5 95 99.4 99.5 99.995"},
    };
    /* 110 less a tenth is 99 exactly, 95 and a tenth is 104.5. */
    EXPECT("RiskAssessment", "probability", STORE_PLAIN, quantity_of, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_date_compares_as_the_examples_of_the_specification_say),
        STORE_TEST(periods_with_open_ends_compare_as_the_examples_say),
        STORE_TEST(a_partial_date_in_the_resource_is_a_range_too),
        STORE_TEST(a_number_has_the_range_that_its_digits_imply),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
