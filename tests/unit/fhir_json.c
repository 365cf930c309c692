/* SPDX-License-Identifier: MIT */
/* Resources in JSON that is broken: every fault is told, where in the resource it is, and what was
 * meant is read. */
#include "fhir_test.h"

static struct outcome outcome;
static struct json json;

static enum status read_exactly(const char *text)
{
    outcome_init(&outcome, arena);
    return resource_read_json(definitions, slice_text(text), &json_limits_default, arena, &outcome,
                              &json);
}

/* ' for ", except where a test is about quotes. */
static const char *quoted(const char *text)
{
    char *copy = (char *)(uintptr_t)arena_copy(arena, slice_text(text)).at;
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return copy;
}

/* "path@line:column" of each fault. */
static const char *faults(void)
{
    struct buffer out = {.arena = arena};
    for (const struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        assert_true(issue->text.length > 10);
        assert_int_equal(issue->severity, SEVERITY_ERROR);
        buffer_print(&out, "%s%.*s@%u:%u", out.length > 0 ? " " : "", SLICE_ARGS(issue->path),
                     issue->line, issue->column);
    }
    return as_text(&out);
}

/* TEXT has these FAULTS and was meant to be MEANT; "": that is not known. */
static void assert_broken_exactly(const char *text, const char *expected, const char *meant)
{
    assert_int_equal(read_exactly(text), STATUS_STRUCTURE);
    assert_string_equal(faults(), expected);
    if (meant[0] == '\0') {
        assert_null(json.root);
        return;
    }
    assert_non_null(json.root);
    assert_json(written(json.root), meant);
}

static void assert_broken(const char *text, const char *expected, const char *meant)
{
    assert_broken_exactly(quoted(text), expected, meant);
}

#define PATIENT "{'resourceType':'Patient'"

static void reads_what_is_json(void **state)
{
    (void)state;
    assert_int_equal(read_exactly(quoted(PATIENT ",'active':true}")), STATUS_OK);
    assert_int_equal(outcome.count, 0);
    assert_json(written(json.root), PATIENT ",'active':true}");
}

static void tells_of_comments(void **state)
{
    (void)state;
    assert_broken("// first\n" PATIENT ", /* a\nb */ 'name':[{'family' : // why\n'x'}]}//",
                  "Patient@1:1 Patient@2:28 Patient.name[0]@3:26 Patient@4:7",
                  PATIENT ",'name':[{'family':'x'}]}");
    assert_broken(PATIENT ",'active':true /* not closed }", "Patient@1:41 Patient@1:56", "");
}

static void tells_of_commas(void **state)
{
    (void)state;
    assert_broken(PATIENT ",'name':[{'given':['a',],},]}",
                  "Patient.name[0].given@1:48 Patient.name[0]@1:50 Patient.name@1:52",
                  PATIENT ",'name':[{'given':['a']}]}");
    assert_broken(PATIENT ",'name':[{'given':['a' 'b'] 'family':'x'}]}",
                  "Patient.name[0].given@1:49 Patient.name[0]@1:54",
                  PATIENT ",'name':[{'given':['a','b'],'family':'x'}]}");
    assert_broken(PATIENT ",,'active':true}", "Patient@1:27", PATIENT ",'active':true}");
    assert_broken("{,'resourceType':'Patient'}", "Patient@1:2", PATIENT "}");
}

static void tells_of_quotes_that_are_missing(void **state)
{
    (void)state;
    assert_broken(PATIENT ",gender:male,'name':[{'given':[Ann Mary, 'b']}]}",
                  "Patient@1:27 Patient.gender@1:34 Patient.name[0].given[0]@1:57",
                  PATIENT ",'gender':'male','name':[{'given':['Ann Mary','b']}]}");
    assert_broken_exactly("{\"resourceType\":\"Patient\",\"gender\":'male'}", "Patient.gender@1:36",
                          PATIENT ",'gender':'male'}");
    assert_broken(PATIENT ",'birthDate':1970-01-01T10:00}", "Patient.birthDate@1:39",
                  PATIENT ",'birthDate':'1970-01-01T10:00'}");
}

static void tells_of_literals_and_numbers(void **state)
{
    (void)state;
    assert_broken(PATIENT ",'active':True,'multipleBirthInteger':01}",
                  "Patient.active@1:36 Patient.multipleBirth.ofType(integer)@1:64",
                  PATIENT ",'active':true,'multipleBirthInteger':'01'}");
    assert_broken(PATIENT ",'multipleBirthInteger':-12.50e+3,'x':NaN,'active':null}",
                  "Patient@1:64",
                  PATIENT ",'multipleBirthInteger':-12.50e+3,'x':'NaN','active':null}");
    assert_broken(PATIENT ",'a':.5,'b':5.,'c':+5,'d':1e,'e':-}",
                  "Patient@1:31 Patient@1:38 Patient@1:45 Patient@1:52 Patient@1:59",
                  PATIENT ",'a':'.5','b':'5.','c':'+5','d':'1e','e':'-'}");
}

static void tells_of_names_and_colons(void **state)
{
    (void)state;
    assert_broken(PATIENT ",'active' true,'gender','birthDate':}",
                  "Patient@1:36 Patient@1:49 Patient@1:62", PATIENT ",'active':true}");
    assert_broken(PATIENT ",:1,{'a':[1,]},'active':true}",
                  "Patient@1:27 Patient@1:30 Patient@1:30 Patient@1:37", PATIENT ",'active':true}");
    assert_broken(PATIENT ",'name':[:{'family':'x'}]}", "Patient.name@1:35",
                  PATIENT ",'name':[{'family':'x'}]}");
}

static void tells_of_escapes_and_control_characters(void **state)
{
    (void)state;
    assert_broken(PATIENT ",'gender':'a\\xb\\u00e9\\ud83d\\ude00\\n'}", "Patient.gender@1:36",
                  PATIENT ",'gender':'a\\\\xb\\u00e9\\ud83d\\ude00\\n'}");
    assert_broken(PATIENT ",'gender':'a\\ud83d','id':'\\u12'}",
                  "Patient.gender@1:36 Patient.id@1:51", PATIENT ",'gender':'a?','id':'\\\\u12'}");
    assert_broken(PATIENT ",'gender':'a\tb\nc','id':'x'}", "Patient.gender@1:36",
                  PATIENT ",'gender':'a\\tb\\nc','id':'x'}");
    assert_broken(PATIENT ",'gender':'\xC3('}", "Patient.gender@1:36", PATIENT ",'gender':'?('}");
}

static void guesses_no_more_when_a_quote_is_missing(void **state)
{
    (void)state;
    assert_broken(PATIENT ",'gender':'male,\n'id':'x'}", "Patient.gender@1:36", "");
    assert_broken(PATIENT ",'gender':'male}", "Patient.gender@1:36", "");
}

static void tells_of_brackets(void **state)
{
    (void)state;
    assert_broken(PATIENT ",'name':[{'given':['a'}]}", "Patient.name[0].given@1:48",
                  PATIENT ",'name':[{'given':['a']}]}");
    assert_broken(PATIENT ",'name':[{'family':'x']}", "Patient.name[0]@1:48",
                  PATIENT ",'name':[{'family':'x'}]}");
    assert_broken(PATIENT ",'name':[{'family':'x'", "Patient.name[0]@1:48", "");
    assert_broken(PATIENT "}}", "Patient@1:27", "");
    assert_broken(PATIENT "]", "Patient@1:26 Patient@1:26", "");
}

static void names_only_what_the_definitions_know(void **state)
{
    (void)state;
    assert_broken("{'resourceType':'Nobody','secret':{'a':1,}}", "@1:41",
                  "{'resourceType':'Nobody','secret':{'a':1}}");
    assert_broken(PATIENT ",'secret':{'a':1,}}", "Patient@1:42", PATIENT ",'secret':{'a':1}}");
    assert_broken("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient',}}]}",
                  "Bundle.entry[0].resource@1:72",
                  "{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient'}}]}");
    assert_broken(PATIENT ",'_birthDate':{'extension':[{'url':'u',}]}}",
                  "Patient.birthDate.extension[0]@1:64",
                  PATIENT ",'_birthDate':{'extension':[{'url':'u'}]}}");
}

static void leaves_the_rest_to_the_strict_reader(void **state)
{
    (void)state;
    assert_int_equal(read_exactly(""), STATUS_STRUCTURE);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(read_exactly("nothing at all"), STATUS_STRUCTURE);
    assert_int_equal(outcome.count, 1);
    assert_null(json.root);
    struct json_limits small = {.bytes = 100, .depth = 3, .values = 1000};
    outcome_init(&outcome, arena);
    assert_int_equal(
        resource_read_json(definitions, SLICE("{\"a\":[[[1,]]]}"), &small, arena, &outcome, &json),
        STATUS_STRUCTURE);
    assert_true(outcome.errors > 0);
    assert_null(json.root);
    assert_int_equal(
        resource_read_json(definitions, SLICE("{,}"), &json_limits_default, arena, NULL, &json),
        STATUS_STRUCTURE);
    assert_null(json.root);
}

static void stops_at_a_hundred_faults(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{\"resourceType\":\"Patient\"");
    for (int i = 0; i < 1000; i++) {
        buffer_add_text(&text, ",");
    }
    buffer_add_byte(&text, '\0');
    assert_int_equal(read_exactly(text.at), STATUS_STRUCTURE);
    assert_int_equal(outcome.count, 100);
    assert_null(json.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(reads_what_is_json),
        FHIR_TEST(tells_of_comments),
        FHIR_TEST(tells_of_commas),
        FHIR_TEST(tells_of_quotes_that_are_missing),
        FHIR_TEST(tells_of_literals_and_numbers),
        FHIR_TEST(tells_of_names_and_colons),
        FHIR_TEST(tells_of_escapes_and_control_characters),
        FHIR_TEST(guesses_no_more_when_a_quote_is_missing),
        FHIR_TEST(tells_of_brackets),
        FHIR_TEST(names_only_what_the_definitions_know),
        FHIR_TEST(leaves_the_rest_to_the_strict_reader),
        FHIR_TEST(stops_at_a_hundred_faults),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
