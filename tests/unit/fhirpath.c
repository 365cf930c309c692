/* SPDX-License-Identifier: MIT */
/* FHIRPath: the grammar, paths, types and operators (N1, sections 2 to 6). */
#include "fhirpath_test.h"

static void reads_literals(void **state)
{
    (void)state;
    ANSWERS({"true", "true"}, {"false", "false"}, {"42", "42"}, {"007", "7"}, {"1.50", "1.50"},
            {"'it\\'s'", "it's"}, {"'\\u00e9\\t\\n'", "é\t\n"}, {"'\\ud83d\\ude00'", "😀"},
            {"@2015", "2015"}, {"@2015-02", "2015-02"}, {"@2015-02T", "2015-02"},
            {"@2015-02-04T14:34:28.123+09:00", "2015-02-04T14:34:28.123+09:00"},
            {"@2015-02-04T14Z", "2015-02-04T14Z"}, {"@T14:34", "14:34"}, {"4 'mg'", "4 'mg'"},
            {"4 days", "4 day"}, {"1 week", "1 week"}, {"{}", ""});
}

static void refuses_what_is_no_literal(void **state)
{
    (void)state;
    ANSWERS({"'open", "error"}, {"`open", "error"}, {"'\\x'", "error"}, {"'\\ud83d'", "error"},
            {"@2015-13", "error"}, {"@2015-02-30", "error"}, {"@T25:00", "error"},
            {"@T14:34:28Z", "error"}, {"@2015-2", "error"}, {"12345678901234567890", "error"},
            {"#", "error"}, {"1 !", "error"});
}

static void passes_over_comments(void **state)
{
    (void)state;
    ANSWERS({"2 + 2 // + 4", "4"}, {"/* a */ 2 /* b\n * c */ + 1", "3"},
            {"2 /* not ended", "error"}, {"2 + 2 /", "error"});
}

static void binds_operators_by_their_precedence(void **state)
{
    (void)state;
    ANSWERS({"1+2*3+4", "11"}, {"(1+2)*3", "9"}, {"1 | 2 = 1", "false"}, {"-1 + 3", "2"},
            {"true or false and false", "true"}, {"false implies false implies false", "false"},
            {"(1 | 1 is Integer).count()", "2"}, {"2 in 1 | 2", "true"}, {"1 < 2 = true", "true"},
            {"-1.abs()", "-1"}, {"(-1).abs()", "1"}, {"8 div 2 mod 3", "1"}, {"10 - 2 - 3", "5"},
            {"'a' & 'b' + 'c'", "abc"});
}

static void refuses_what_is_not_the_grammar(void **state)
{
    (void)state;
    ANSWERS({"", "error"}, {"1 +", "error"}, {"(1", "error"}, {"1)", "error"}, {"name.", "error"},
            {"name..given", "error"}, {"name[", "error"}, {"name[0", "error"}, {"1 2", "error"},
            {"name.given()", "error"}, {"where()", "error"}, {"count(1)", "error"},
            {"$that", "error"}, {"name.$this", "error"}, {"{1}", "error"}, {"%", "error"},
            {"1 is", "error"}, {"1 is Nothing", "error"}, {"iif(true)", "error"},
            {"substring(1,2,3)", "error"}, {"Nothing.name", "error"});
}

static void follows_paths(void **state)
{
    (void)state;
    ANSWERS({"name.given", "Peter, James, Jim, Peter, "},
            {"Patient.name.family", "Chalmers, Windsor"}, {"name[0].given[1]", "James"},
            {"name[7]", ""}, {"`Patient`.`name`.`use`", "official, usual, maiden"},
            {"name.suffix", ""}, {"Resource.id", "p1"}, {"DomainResource.active", "true"},
            {"contact.name.family", "Marché"}, {"contained.name", "Acme"}, {"contained.id", "o1"},
            {"$this.gender", "male"});
}

static void meets_choices_by_their_stem(void **state)
{
    (void)state;
    struct asked observation = {
        .resource = "{'resourceType':'Observation','valueQuantity':{'value':1.5,'unit':'lbs'},"
                    "'component':[{'valueString':'a'},{'_valueInteger':{'id':'x'}}]}"};
    assert_string_equal(ask(&observation, "Observation.value.unit"), "lbs");
    assert_string_equal(ask(&observation, "value.value"), "1.5");
    assert_string_equal(ask(&observation, "component.value.count()"), "2");
    assert_string_equal(ask(&observation, "component.value.hasValue()"), "false");
    assert_string_equal(ask(&observation, "(value as Quantity).unit"), "lbs");
    assert_string_equal(ask(&observation, "value.ofType(Period).start"), "");
    ANSWERS({"deceased", "false"}, {"multipleBirth + 1", "3"}, {"deceased.exists()", "true"});
}

static void finds_wrong_names_when_the_type_is_known(void **state)
{
    (void)state;
    struct asked observation = {.resource = "{'resourceType':'Observation'}"};
    ANSWERS({"name.given1", "error"}, {"Encounter.name", "error"}, {"deceasedBoolean", "error"},
            {"name.where(use1 = 'x')", "error"}, {"(1).foo", "error"},
            {"name.startsWith('a')", "error"}, {"contact.name.givn", "error"},
            {"descendants().given1", ""}, {"name.family.value", "Chalmers, Windsor"});
    assert_string_equal(ask(&observation, "valueQuantity.unit"), "error");
    assert_string_equal(ask(&observation, "(value as Period).unit"), "error");
    assert_string_equal(ask(&observation, "value.nothing"), "error");
    assert_string_equal(ask(&observation, "value.unit"), "");
    observation.flags = FHIRPATH_LENIENT;
    assert_string_equal(ask(&observation, "valueQuantity.unit"), "");
    assert_string_equal(ask(&observation, "nothing.at.all"), "");
}

static void gives_primitives_their_extensions_and_no_value(void **state)
{
    (void)state;
    ANSWERS({"birthDate.extension('http://time').value", "1974-12-25T14:35:45-05:00"},
            {"birthDate.extension.url", "http://time"},
            {"birthDate.hasExtension('http://no')", "false"},
            {"name.given.select(hasValue())", "true, true, true, true, false"},
            {"name.given.where(id = 'g').count()", "1"}, {"name[2].given[1].getValue()", ""},
            {"extension('http://q').value.unit", "kg"},
            {"extension('http://q').value > 70 'kg'", "true"});
}

static void tells_types(void **state)
{
    (void)state;
    ANSWERS({"1 is Integer", "true"}, {"1.is(System.Integer)", "true"}, {"1 is Decimal", "false"},
            {"active is boolean", "true"}, {"active is Boolean", "false"},
            {"active is FHIR.boolean", "true"}, {"gender is code", "true"},
            {"gender is string", "true"}, {"gender is id", "false"}, {"id is string", "true"},
            {"Patient is DomainResource", "true"}, {"Patient is Resource", "true"},
            {"contact.first() is BackboneElement", "true"}, {"contact.first() is Element", "true"},
            {"name.first() is HumanName", "true"}, {"@2015 is Date", "true"},
            {"@2015T is DateTime", "true"}, {"@T10 is Time", "true"}, {"1 'g' is Quantity", "true"},
            {"1 'g' is System.Quantity", "true"}, {"extension.value is Quantity", "true"},
            {"'a'.type().name", "String"}, {"'a'.type().namespace", "System"},
            {"Patient.type().name", "Patient"}, {"contact.type().name", "BackboneElement"},
            {"{} is Integer", ""}, {"name is HumanName", "error"}, {"gender as code", "male"},
            {"gender as id", ""}, {"name as HumanName", "error"}, {"gender as string1", "error"},
            {"name.ofType(HumanName).count()", "3"}, {"children().ofType(boolean).count()", "2"});
}

static void keeps_to_three_valued_logic(void **state)
{
    (void)state;
    ANSWERS({"true and true", "true"}, {"true and {}", ""}, {"false and {}", "false"},
            {"{} and false", "false"}, {"{} and {}", ""}, {"true or {}", "true"},
            {"{} or true", "true"}, {"false or {}", ""}, {"{} or {}", ""},
            {"true xor true", "false"}, {"true xor {}", ""}, {"true implies {}", ""},
            {"false implies {}", "true"}, {"{} implies true", "true"}, {"{} implies false", ""},
            {"{} implies {}", ""}, {"{}.not()", ""}, {"true.not()", "false"});
}

static void takes_one_item_for_a_truth(void **state)
{
    (void)state;
    ANSWERS({"true and 'foo'", "true"}, {"(0).not()", "false"}, {"name.where(family).count()", "2"},
            {"(1 | 2) and true", "error"}, {"(1 | 2).not()", "error"});
}

static void does_not_ask_what_cannot_matter(void **state)
{
    (void)state;
    ANSWERS({"false and (1 | 2).single().exists()", "false"},
            {"true or (1 | 2).single().exists()", "true"},
            {"false implies (1 | 2).single().exists()", "true"},
            {"iif(true, 1, (1 | 2).single())", "1"}, {"iif(false, (1 | 2).single(), 2)", "2"});
}

static void tells_equal_from_unequal(void **state)
{
    (void)state;
    ANSWERS({"1 = 1.0", "true"}, {"'a' = 'A'", "false"}, {"1 = '1'", "false"}, {"{} = 1", ""},
            {"(1 | 2) = (1 | 2)", "true"}, {"(1 | 2) = (2 | 1)", "false"}, {"(1 | 2) = 1", "false"},
            {"1 != 2", "true"}, {"{} != {}", ""}, {"gender = 'male'", "true"},
            {"birthDate = @1974-12-25", "true"}, {"name[0] = name[0]", "true"},
            {"name[0] = name[1]", "false"}, {"name = name", "true"}, {"multipleBirth = 2", "true"},
            {"name[0] = 'x'", "false"}, {"@2012 = @2012-01", ""},
            {"@2012-04-15 = @2012-04-15T10:00:00", ""},
            {"@2012-04-15T15:00:00+02:00 = @2012-04-15T16:00:00+03:00", "true"},
            {"@2012-04-15T10:00:00 = @2012-04-15T10:00:00Z", ""},
            {"@2012-04-15T10:00:00 = @2012-04-18T10:00:00Z", "false"},
            {"@T10:00:00 = @T10:00:00.000", "true"}, {"@T10:00 = @T10:00:00", ""});
}

static void tells_what_is_equivalent(void **state)
{
    (void)state;
    ANSWERS({"'A  b' ~ 'a\\t B'", "true"}, {"'É' ~ 'é'", "true"}, {"1.10 ~ 1.1", "true"},
            {"1.2 / 1.8 ~ 0.67", "true"}, {"1 ~ 2", "false"}, {"{} ~ {}", "true"},
            {"1 ~ {}", "false"}, {"(1 | 2) ~ (2 | 1)", "true"}, {"(1 | 2) !~ (2 | 3)", "true"},
            {"@2012 ~ @2012-01", "false"}, {"name ~ name.skip(1) | name.first()", "true"},
            {"name[0] !~ name[1]", "true"}, {"4 'g' ~ 4040 'mg'", "true"},
            {"1 year ~ 12 months", "true"}, {"1 year ~ 1 'a'", "true"});
}

static void puts_values_in_order(void **state)
{
    (void)state;
    ANSWERS({"1 < 1.5", "true"}, {"'a' > 'b'", "false"}, {"1 <= 1", "true"}, {"{} < 1", ""},
            {"@2018-03 < @2018-04-01", "true"}, {"@2018-03 < @2018-03-01", ""},
            {"@T10:30 < @T10:30:00", ""}, {"@T10:30 < @T10:31:00", "true"},
            {"now() > birthDate", "true"}, {"now() > today()", ""}, {"today() >= today()", "true"},
            {"1 < 'a'", "error"}, {"true < false", "error"}, {"name < name", "error"},
            {"(1 | 2) < 3", "error"}, {"6 days < 1 week", "true"}, {"13 months > 1 year", "true"},
            {"1 year > 300 days", ""}, {"1 'kg' > 999 'g'", "true"}, {"1 'kg' > 1 'm'", ""},
            {"birthDate.extension.value > birthDate", ""});
}

static void asks_membership(void **state)
{
    (void)state;
    ANSWERS({"2 in (1 | 2)", "true"}, {"{} in (1 | 2)", ""}, {"2 in {}", "false"},
            {"(1 | 2) contains 3", "false"}, {"'Jim' in name.given", "true"},
            {"(1 | 2) in (1 | 2)", "error"});
}

static void calculates_exactly(void **state)
{
    (void)state;
    ANSWERS({"0.1 + 0.2", "0.3"}, {"1 / 2", "0.5"}, {"1 / 0", ""}, {"7 div 2", "3"},
            {"-7 div 2", "-3"}, {"-7 mod 2", "-1"}, {"5 div 0", ""}, {"5.5 mod 2", "1.5"},
            {"2147483647 + 1", ""}, {"-2147483648", "-2147483648"}, {"2147483647 * 2", ""},
            {"1.5 * 2.0", "3.00"}, {"{} + 1", ""}, {"'a' + 'b'", "ab"}, {"'a' + {}", ""},
            {"'a' & {}", "a"}, {"{} & {}", ""}, {"'a' + 1", "error"}, {"1 & 'a'", "error"},
            {"-'a'", "error"}, {"-true", "error"}, {"(1 | 2) + 1", "error"}, {"+3", "3"},
            {"name + 1", "error"});
}

static void calculates_with_quantities(void **state)
{
    (void)state;
    ANSWERS({"2.0 'cm' * 2.0 'm' = 0.040 'm2'", "true"}, {"4.0 'g' / 2.0 'm' = 2 'g/m'", "true"},
            {"1 'kg' + 500 'g'", "1.500 'kg'"}, {"1 'kg' + 1 'm'", ""}, {"3 'mg' * 2", "6 'mg'"},
            {"-3 'mg'", "-3 'mg'"}, {"1 day + 1 day", "2 day"}, {"6 'mg' / 2", "3 'mg'"},
            {"1 'mg' div 2", "error"});
}

static void moves_dates(void **state)
{
    (void)state;
    ANSWERS({"@1973-12-25 + 7 days", "1974-01-01"}, {"@2020-01-31 + 1 month", "2020-02-29"},
            {"@2020-02-29 + 1 year", "2021-02-28"}, {"@2014 + 24 months", "2016"},
            {"@2014 + 23 months", "2015"}, {"@2014-01 - 1 month", "2013-12"},
            {"@1973-12-25T23:59:59Z + 1 second", "1973-12-26T00:00:00Z"},
            {"@1973-12-25T00:00:00.000+10:00 + 0.1 's'", "1973-12-25T00:00:00.100+10:00"},
            {"@1973-12-25 + 1 'wk'", "1974-01-01"}, {"@1973-12-25 + 1 'mo'", "error"},
            {"@1973-12-25 + 1 'a'", "error"}, {"@1973-12-25 + 1 'cm'", "error"},
            {"@1974-12-25 + 7", "error"}, {"@T23:00:00 + 2 hours", "01:00:00"},
            {"@T01:00:00 - 2 hours", "23:00:00"}, {"@T01:00 + 1 day", "error"},
            {"@9999-12-31 + 1 day", ""}, {"@0001-01-01 - 1 day", ""}, {"@2020 * 2", "error"},
            {"birthDate + 1 day", "1974-12-26"}, {"@1973-12-25 + 7.7 days", "1974-01-01"},
            {"@1974-12-25 - 1 'month'", "1974-11-25"});
}

static void knows_the_variables_of_fhir(void **state)
{
    (void)state;
    ANSWERS(
        {"%ucum", "http://unitsofmeasure.org"}, {"%sct", "http://snomed.info/sct"},
        {"%loinc", "http://loinc.org"},
        {"%`vs-administrative-gender`", "http://hl7.org/fhir/ValueSet/administrative-gender"},
        {"%'ext-patient-birthTime'", "http://hl7.org/fhir/StructureDefinition/patient-birthTime"},
        {"name.given.where($this = %context.name.given.first()).count()", "2"},
        {"name.select(%resource.id).count()", "3"}, {"contained.select(%resource.id)", "p1"},
        {"%nothing", "error"});
}

static void knows_the_variables_of_its_caller(void **state)
{
    (void)state;
    const struct fhirpath_value numbers[] = {{.kind = FHIRPATH_INTEGER, .integer = 1},
                                             {.kind = FHIRPATH_INTEGER, .integer = 2}};
    const struct fhirpath_variable variables[] = {{SLICE("numbers"), {numbers, 2}}};
    struct asked asked = {.environment = {.variables = variables, .variable_count = 1}};
    assert_string_equal(ask(&asked, "%numbers.count()"), "2");
    assert_string_equal(ask(&asked, "defineVariable('numbers', 3)"), "error");
}

/* ---- constants --------------------------------------------------------------------------------
 */

static bool is_constant(const char *text)
{
    const struct fhirpath *expression;
    outcome_init(&asked_outcome, arena);
    assert_int_equal(fhirpath_compile(definitions, slice_text(text), NULL, 0, arena, &asked_outcome,
                                      &expression),
                     STATUS_OK);
    return fhirpath_is_constant(expression);
}

static void computes_once_what_does_not_depend_on_the_resource(void **state)
{
    (void)state;
    static const char *const constant[] = {"{}",
                                           "'a'",
                                           "1 + 2 * 3",
                                           "('a' | 'b' | 'a')",
                                           "@2024-02-29 - 1 year",
                                           "4 'g' / 2 'm'",
                                           "'abc'.substring(1) & 'd'",
                                           "1 > 2 or 'a' in ('a' | 'b')",
                                           "1.0 is Decimal",
                                           "-(1)"};
    static const char *const asking[] = {"id",
                                         "$this",
                                         "%resource",
                                         "%context.id = 'p1'",
                                         "('a' | 'b').where($this = 'a')",
                                         "now()",
                                         "1.today()",
                                         "'a'.trace('a')",
                                         "'a'.memberOf('http://a')",
                                         "1.defineVariable('one')",
                                         "Patient",
                                         "(1 | id).count()"};
    for (size_t i = 0; i < sizeof constant / sizeof constant[0]; i++) {
        assert_true(is_constant(constant[i]));
    }
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++) {
        assert_false(is_constant(asking[i]));
    }
    ANSWERS({"('a' | 'b' | 'a')", "a, b"}, {"name.use.where($this in ('usual' | 'old'))", "usual"},
            {"birthDate > @1970-01-01 + 4 years", "true"}, {"name.given[1 + 1]", "Jim"},
            {"multipleBirth > -1", "true"}, {"name[0].given & ('!' & '?')", "error"},
            {"id & ('!' & '?')", "p1!?"}, {"iif(active, {}, 'a' + 'b')", ""});
}

static void leaves_what_fails_or_is_large_to_the_evaluation(void **state)
{
    (void)state;
    static const char *const wrong[] = {"(1 | 2) + 3", "'a' + 1", "('a' | 'b').single()"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct asked asked = {.resource = patient};
        assert_false(is_constant(wrong[i]));
        assert_string_equal(ask(&asked, wrong[i]), "error");
    }
    /* Twice as long with each; 128 KiB in the end. */
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "'a'");
    for (unsigned i = 0; i < 17; i++) {
        buffer_add_text(&text, ".replace('a', 'aa')");
    }
    buffer_add_text(&text, ".length()");
    const char *large = arena_print(arena, "%.*s", SLICE_ARGS(buffer_slice(&text)));
    struct asked asked = {.resource = patient};
    assert_false(is_constant(large));
    assert_string_equal(ask(&asked, large), "131072");
    assert_string_equal(ask(&asked, "false and (1 | 2) + 3 = 3"), "false");
}

/* Literals and the focus are pointed at: what is added to a collection must not reach them. */
static void gives_the_same_when_asked_again(void **state)
{
    (void)state;
    static const char text[] = "('a' | 'b').combine(id).combine(name.given.first()) | "
                               "name.where(use = 'usual').given | ('a' | 'b').combine('c')";
    const struct fhirpath_environment environment = {.definitions = definitions};
    const struct fhirpath *expression;
    yyjson_val *root = parse(patient);
    struct fhirpath_node focus =
        fhirpath_root(definitions, resource_type_find(definitions, SLICE("Patient")), root);
    assert_int_equal(
        fhirpath_compile(definitions, slice_text(text), focus.type, 0, arena, NULL, &expression),
        STATUS_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct fhirpath_collection values;
        struct buffer answer = {.arena = arena};
        assert_int_equal(fhirpath_evaluate(expression, &environment, &focus, arena, NULL, &values),
                         STATUS_OK);
        for (size_t j = 0; j < values.count; j++) {
            fhirpath_write(&values.items[j], &answer);
            buffer_add_byte(&answer, ' ');
        }
        assert_true(slice_is(buffer_slice(&answer), "a b p1 Peter Jim c "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(reads_literals),
        FHIR_TEST(refuses_what_is_no_literal),
        FHIR_TEST(passes_over_comments),
        FHIR_TEST(binds_operators_by_their_precedence),
        FHIR_TEST(refuses_what_is_not_the_grammar),
        FHIR_TEST(follows_paths),
        FHIR_TEST(meets_choices_by_their_stem),
        FHIR_TEST(finds_wrong_names_when_the_type_is_known),
        FHIR_TEST(gives_primitives_their_extensions_and_no_value),
        FHIR_TEST(tells_types),
        FHIR_TEST(keeps_to_three_valued_logic),
        FHIR_TEST(takes_one_item_for_a_truth),
        FHIR_TEST(does_not_ask_what_cannot_matter),
        FHIR_TEST(tells_equal_from_unequal),
        FHIR_TEST(tells_what_is_equivalent),
        FHIR_TEST(puts_values_in_order),
        FHIR_TEST(asks_membership),
        FHIR_TEST(calculates_exactly),
        FHIR_TEST(calculates_with_quantities),
        FHIR_TEST(moves_dates),
        FHIR_TEST(knows_the_variables_of_fhir),
        FHIR_TEST(knows_the_variables_of_its_caller),
        FHIR_TEST(computes_once_what_does_not_depend_on_the_resource),
        FHIR_TEST(leaves_what_fails_or_is_large_to_the_evaluation),
        FHIR_TEST(gives_the_same_when_asked_again),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
