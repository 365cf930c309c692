/* SPDX-License-Identifier: MIT */
/* What FHIRPath N1 says of its operators and functions at their edges, section by section: empty
 * collections, several items, partial dates, units, and the end of numbers. */
#include "fhirpath_test.h"

/* 4.5 Singleton evaluation of collections */
static void evaluates_a_single_item(void **state)
{
    (void)state;
    ANSWERS(
        {"name.first().family and true", "true"}, /* one item that is no boolean counts as true */
        {"name.family and true", "error"},        /* several */
        {"{} and true", ""}, {"(true | false) and true", "error"},
        {"name.first().given.first() + 'x'", "Peterx"}, {"name.given + 'x'", "error"});
}

/* 5.1 Existence */
static void asks_what_exists_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"{}.empty()", "true"}, {"{}.exists()", "false"}, {"{}.all($this > 1)", "true"},
            {"{}.allTrue()", "true"}, {"{}.anyTrue()", "false"}, {"{}.allFalse()", "true"},
            {"{}.anyFalse()", "false"}, {"(true | false).allTrue()", "false"},
            {"(true | false).anyFalse()", "true"}, {"{}.subsetOf(1 | 2)", "true"},
            {"(1 | 2).subsetOf({})", "false"}, {"{}.supersetOf({})", "true"},
            {"(1 | 2 | 3).supersetOf(3 | 1)", "true"}, {"{}.count()", "0"},
            {"{}.isDistinct()", "true"}, {"(1).combine(1).isDistinct()", "false"},
            {"(1).combine(1).combine(1.0).distinct()", "1"},
            {"name.exists(use = 'nickname')", "false"}, {"1.exists($this > 0)", "true"});
}

/* 5.2, 5.3 Filtering, projection, subsetting */
static void takes_parts_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"{}.where(true)", ""}, {"(1 | 2).where({})", ""}, {"{}.select(1)", ""},
            {"(1 | 2).select({})", ""}, {"(1 | 2 | 3)[0]", "1"}, {"(1 | 2 | 3)[3]", ""},
            {"(1 | 2)[-1]", ""}, {"(1 | 2)[{}]", ""}, {"{}.first()", ""}, {"{}.last()", ""},
            {"(1).tail()", ""}, {"(1 | 2 | 3).skip(-1)", "1, 2, 3"}, {"(1 | 2).skip(5)", ""},
            {"(1 | 2).take(0)", ""}, {"(1 | 2).take(-1)", ""}, {"(1 | 2).take(9)", "1, 2"},
            {"{}.single()", ""}, {"(1 | 2).single()", "error"},
            {"(1).combine(1).intersect(1)", "1"}, {"(1 | 2).intersect({})", ""},
            {"(1).combine(1).combine(2).exclude(2)", "1, 1"}, {"(1 | 2).exclude({})", "1, 2"});
}

/* 5.4 Combining */
static void combines_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"{} | {}", ""}, {"1 | 1", "1"}, {"(1).union(1 | 2)", "1, 2"},
            {"(1 | 2).combine(2)", "1, 2, 2"}, {"(1).combine({})", "1"},
            {"name.select(use.union(given)).count()", "8"}, /* within each name */
            {"name.select(use | given).count()", "8"});
}

/* 5.5 Conversion */
static void converts_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"iif({}, 1, 2)", "2"}, {"iif({}, 1)", ""}, {"iif(true, 1, (1 | 2).single())", "1"},
            {"'T'.toBoolean()", "true"}, {"'No'.toBoolean()", "false"}, {"'2'.toBoolean()", ""},
            {"1.0.toBoolean()", "true"}, {"2.toBoolean()", ""}, {"'+5'.toInteger()", "5"},
            {"'-0'.toInteger()", "0"}, {"'5.0'.toInteger()", ""}, {"'2147483648'.toInteger()", ""},
            {"true.toInteger()", "1"}, {"1.1.toInteger()", ""}, {"'1e3'.toDecimal()", ""},
            {"'.5'.toDecimal()", ""}, {"'5.'.toDecimal()", ""}, {"'2015-02-30'.toDate()", ""},
            {"'2015-02'.toDate()", "2015-02"}, {"@2015-02-04T14:34.toDate()", "2015-02-04"},
            {"'25:00'.toTime()", ""}, {"'14:34:28'.toTime()", "14:34:28"},
            {"'4 \\'mg\\''.toQuantity().value", "4"}, {"'1 wk'.toQuantity()", ""},
            {"'1 week'.toQuantity().unit", "week"}, {"{}.toString()", ""},
            {"(1 | 2).toString()", "error"}, {"{}.convertsToInteger()", ""},
            {"'x'.convertsToInteger()", "false"}, {"name.convertsToString()", "error"});
}

/* 5.6 Strings */
static void works_on_strings_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"'abc'.indexOf('')", "0"}, {"'abc'.indexOf('x')", "-1"}, {"{}.indexOf('a')", ""},
            {"'abc'.indexOf({})", ""}, {"'abc'.substring(3)", ""}, {"'abc'.substring(-1)", ""},
            {"'abc'.substring(1, 0)", ""}, {"'abc'.substring(1, 9)", "bc"},
            {"'abc'.substring(1, {})", "bc"}, {"'abc'.startsWith('')", "true"},
            {"'abc'.endsWith('')", "true"}, {"'abc'.contains('')", "true"},
            {"{}.contains('a')", ""}, {"'abc'.replace('', '-')", "-a-b-c-"},
            {"'aaa'.replace('aa', 'b')", "ba"}, {"'abc'.replace('b', {})", ""},
            {"'a\\nb'.matches('a.b')", "true"}, {"'ab'.matches('b')", "true"},
            {"'ab'.matchesFull('b')", "false"}, {"'\\u00e4'.length()", "1"}, {"''.length()", "0"},
            {"''.toChars().count()", "0"}, {"{} & 'a' & {}", "a"}, {"({} + 'a').empty()", "true"},
            {"1 & 'a'", "error"},
            {"'\\u03c3\\u03bf\\u03c2'.upper() = '\\u03a3\\u039f\\u03a3'", "true"},
            {"'&lt;&#39;&amp;;&nope; & x'.unescape('html')", "<'&;&nope; & x"});
}

/* 5.7 Math */
static void calculates_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"(-5.5).abs()", "5.5"}, {"(-1.1).ceiling()", "-1"}, {"(-1.1).floor()", "-2"},
            {"(-1.9).truncate()", "-1"}, {"0.ln()", ""}, {"(-1).sqrt()", ""},
            {"2.power(-1)", "0.5"}, {"(-1).power(0.5)", ""}, {"100.log(10)", "2"},
            {"1.5.round()", "2"}, {"3.14159.round(3)", "3.142"}, {"1.round(-1)", "error"},
            {"{}.abs()", ""}, {"(1 | 2).abs()", "error"}, {"'a'.abs()", "error"});
}

/* 6.1 Equality */
static void tells_equal_from_unequal_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"{} = {}", ""}, {"1 = {}", ""}, {"{} != 1", ""}, {"(1 | 2) = (2 | 1)", "false"},
            {"(1 | 2) = (1 | 2)", "true"}, {"(1 | 2) = 1", "false"}, {"1 = 1.0", "true"},
            {"'a' = 'A'", "false"}, {"1 = '1'", "false"}, {"@2012 = @2012", "true"},
            {"@2012-01 = @2012", ""}, {"@2012 = @2013-01", "false"},
            {"@2012-04-15T15:00:00Z = @2012-04-15T17:00:00+02:00", "true"},
            {"@2012-04-15T15:00:00 = @2012-04-15T10:00:00.000", "false"},
            {"@T10:30 = @T10:30:00", ""}, {"@T10:30:00 = @T10:30:00.000", "true"},
            {"1 'g' = 1000 'mg'", "true"}, {"1 'g' = 1 'm'", ""}, {"1 year = 12 months", "true"},
            {"1 week = 7 days", "true"}, {"1 'a' = 1 year", ""}, {"7 days = 1 'wk'", "true"});
}

/* 6.1.2 Equivalence */
static void tells_what_is_equivalent_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"{} ~ {}", "true"}, {"1 ~ {}", "false"}, {"(1 | 2) ~ (2 | 1)", "true"},
            {"'A B' ~ 'a\\tb'", "true"}, {"1.23 ~ 1.2", "true"}, {"1.26 ~ 1.2", "false"},
            {"100 ~ 100.4", "true"}, {"100 ~ 149", "false"}, {"@2012-01 ~ @2012", "false"},
            {"'a' !~ 'b'", "true"}, {"1 'g' ~ 1000 'mg'", "true"}, {"1 year ~ 1 'a'", "true"},
            /* of what is below, too, the order does not matter */
            {"name[0] ~ name[0]", "true"}, {"name[0] ~ name[1]", "false"});
    struct asked asked = {
        .resource = "{'resourceType':'Patient','name':[{'family':'A','given':['B','C']},"
                    "{'given':['c','b'],'family':'a'},{'family':'A','given':['B','B']}]}"};
    assert_string_equal(ask(&asked, "name[0] ~ name[1]"), "true");
    assert_string_equal(ask(&asked, "name[0] = name[1]"), "false");
    assert_string_equal(ask(&asked, "name[0] ~ name[2]"), "false");
    assert_string_equal(ask(&asked, "name[2] ~ name[0]"), "false");
}

/* 6.2 Comparison */
static void puts_values_in_order_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"1 < {}", ""}, {"1 < 1.5", "true"}, {"'a' < 'b'", "true"}, {"1 < 'b'", "error"},
            {"true < false", "error"}, {"@2012 < @2013-06", "true"}, {"@2012-06 < @2012", ""},
            {"@2012-06 <= @2012", ""}, {"@2018-03-01 < @2018-03-01T00:00:00", ""},
            {"@T10:30 < @T10:31:00", "true"}, {"@T10:30 >= @T10:30:10", ""},
            {"1 'g' < 1 'kg'", "true"}, {"1 'g' < 1 'm'", ""}, {"(1 | 2) < 3", "error"});
}

/* 6.4 Collections, 6.5 Boolean logic */
static void reasons_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"1 in {}", "false"}, {"{} in (1 | 2)", ""}, {"{} contains 1", "false"},
            {"(1 | 2) contains {}", ""}, {"(1 | 2) in (1 | 2)", "error"}, {"{} or true", "true"},
            {"{} or false", ""}, {"false and {}", "false"}, {"{} xor true", ""},
            {"true implies {}", ""}, {"false implies {}", "true"}, {"{} implies true", "true"},
            {"{} implies false", ""}, {"{}.not()", ""}, {"(true | false).not()", "error"});
}

/* 6.6, 6.7 Arithmetic */
static void counts_to_the_end_of_numbers(void **state)
{
    (void)state;
    ANSWERS({"1 / 0", ""}, {"1 div 0", ""}, {"1 mod 0", ""}, {"5 div 2", "2"}, {"-5 div 2", "-2"},
            {"5.5 div 0.7", "7"}, {"5.5 mod 0.7", "0.6"}, {"-5 mod 2", "-1"}, {"1 / 2", "0.5"},
            {"2147483647 + 1", ""}, {"1 + {}", ""}, {"'a' + {}", ""},
            {"@2016-02-29 + 1 year", "2017-02-28"}, {"@2016-01-31 + 1 month", "2016-02-29"},
            {"@2014 + 24 months", "2016"}, {"@2014 + 23 months", "2015"},
            {"@2014-01-01 - 1 day", "2013-12-31"}, {"@T23:30 + 1 hour", "00:30"},
            {"@2012-01-01 + 1.9 days", "2012-01-02"}, {"@2012 + 1 'mo'", "error"},
            {"@2012-01-01 + 1", "error"}, {"@9999-12-31 + 1 day", ""}, {"@0001-01-01 - 1 day", ""},
            {"@2019-03-01T00:00:00Z - 1 second", "2019-02-28T23:59:59Z"},
            {"1 'm' * 2 'm' = 2 'm2'", "true"}, {"4 'g' / 2 'g' = 2 '1'", "true"},
            {"1 'g' + 1 'm'", ""});
}

/* 7 Aggregates, 5.2.3 repeat */
static void gathers_at_the_edges(void **state)
{
    (void)state;
    ANSWERS({"{}.aggregate($this + $total, 0)", "0"}, {"{}.aggregate($this)", ""},
            {"(1 | 2 | 3).aggregate($this + $total, 10)", "16"},
            {"(1 | 2 | 3).aggregate(iif($total.empty(), $this, $this + $total))", "6"},
            {"(3 | 1 | 2).select($this + $index)", "3, 2, 4"},
            {"(1).repeat(iif($this < 5, $this + 1, {}))", "2, 3, 4, 5"}, {"{}.repeat($this)", ""},
            {"{}.sort()", ""}, {"(3 | 1 | 2).sort(-$this)", "3, 2, 1"});
}

static void finds_doubles_among_very_many(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{'resourceType':'Patient','name':[{'given':[");
    for (unsigned i = 0; i < 5000; i++) {
        buffer_print(&text, "'n%u',", i);
    }
    const char *all = arena_print(arena, "%.*s'x']}]}", SLICE_ARGS(buffer_slice(&text)));
    const char *twice = arena_print(arena, "%.*s'n7']}]}", SLICE_ARGS(buffer_slice(&text)));
    struct asked asked = {.resource = all};
    assert_string_equal(ask(&asked, "name.given.isDistinct()"), "true");
    assert_string_equal(ask(&asked, "name.given.distinct().count()"), "5001");
    assert_string_equal(ask(&asked, "(name.given | name.given).count()"), "5001");
    asked.resource = twice;
    assert_string_equal(ask(&asked, "name.given.isDistinct()"), "false");
    assert_string_equal(ask(&asked, "name.given.distinct().count()"), "5000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(evaluates_a_single_item),
        FHIR_TEST(asks_what_exists_at_the_edges),
        FHIR_TEST(takes_parts_at_the_edges),
        FHIR_TEST(combines_at_the_edges),
        FHIR_TEST(converts_at_the_edges),
        FHIR_TEST(works_on_strings_at_the_edges),
        FHIR_TEST(calculates_at_the_edges),
        FHIR_TEST(tells_equal_from_unequal_at_the_edges),
        FHIR_TEST(tells_what_is_equivalent_at_the_edges),
        FHIR_TEST(puts_values_in_order_at_the_edges),
        FHIR_TEST(reasons_at_the_edges),
        FHIR_TEST(counts_to_the_end_of_numbers),
        FHIR_TEST(gathers_at_the_edges),
        FHIR_TEST(finds_doubles_among_very_many),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
