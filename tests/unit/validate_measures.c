/* SPDX-License-Identifier: MIT */
/* MeasureReports against their measures. */
#include "validate_test.h"

static struct conformance *conformance;
static struct validate_options full;

static int open_all(void **state)
{
    (void)state;
    if (definitions_setup(NULL) != 0 || conformance_open(definitions, &conformance) != STATUS_OK) {
        return -1;
    }
    full = (struct validate_options){.conformance = conformance, .strict = true};
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    conformance_close(conformance);
    return definitions_teardown(NULL);
}

#define CODE(code)       "'code':{'coding':[{'system':'http://example.org','code':'" code "'}]}"
#define CRITERIA         "'criteria':{'language':'text/cql','expression':'E'}"
#define MEASURED(code)   "{" CODE(code) "," CRITERIA "}"
#define COUNTED(code, n) "{" CODE(code) ",'count':" #n "}"

/* Makes a measure with these members known as http://example.org/measure. */
static void measure(const char *members)
{
    struct buffer out = {.arena = arena};
    json_write(parse(arena_print(arena,
                                 "{'resourceType':'Measure','status':'active',"
                                 "'url':'http://example.org/measure',%s}",
                                 members)),
               NULL, NULL, &out);
    assert_int_equal(conformance_add(conformance, buffer_slice(&out), NULL), STATUS_OK);
}

static const char *reported_as(const char *type, const char *groups)
{
    return problems_with(arena_print(arena,
                                     "{'resourceType':'MeasureReport','status':'complete',"
                                     "'type':'%s','measure':'http://example.org/measure','period':"
                                     "{'start':'2026-01-01'},'group':[%s]}",
                                     type, groups),
                         &full);
}

#define assert_reports(groups, expect) assert_string_equal(reported_as("summary", groups), expect)

#define GROUP "MeasureReport.group"

static void pairs_groups_by_their_codes(void **state)
{
    (void)state;
    measure("'group':[{" CODE("a") "},{" CODE("b") "}]");
    assert_reports("{" CODE("b") "},{" CODE("a") "}", "");
    assert_reports("{" CODE("a") "},{" CODE("c") "}", "measure@" GROUP "[1] measure@MeasureReport");
    assert_reports("{" CODE("a") "},{'measureScore':{'value':1}}",
                   "measure@" GROUP "[1] measure@MeasureReport");
    assert_reports("{" CODE("a") "}", "measure@MeasureReport");
    assert_reports("{'code':{'coding':[{'system':'http://other','code':'a'}]}},{" CODE("b") "}",
                   "measure@" GROUP "[0] measure@MeasureReport");
}

static void takes_one_for_one_without_a_code(void **state)
{
    (void)state;
    measure("'group':[{'population':[" MEASURED("p") "]}]");
    assert_reports("{'population':[" COUNTED("p", 3) "]}", "");
    assert_reports("{" CODE("z") ",'population':[{'count':3}]}", "");
    assert_reports("{'population':[" COUNTED("q", 3) "]}",
                   "measure@" GROUP "[0].population[0] measure@" GROUP "[0]");
    assert_reports("{'measureScore':{'value':1}},{'measureScore':{'value':2}}",
                   "measure@" GROUP "[0] measure@" GROUP "[1] measure@MeasureReport");
}

static void asks_for_every_population_and_stratifier(void **state)
{
    (void)state;
    measure("'group':[{'population':[" MEASURED("p") "," MEASURED(
        "q") "],'stratifier':["
             "{'code':{'text':'age'}," CRITERIA "},{'code':{'text':'sex'}," CRITERIA "}]}]");
#define BOTH "'population':[" COUNTED("p", 3) "," COUNTED("q", 2) "]"
    assert_reports("{" BOTH ",'stratifier':[{'code':[{'text':'sex'}]},{'code':[{'text':'x'},"
                   "{'text':'age'}]}]}",
                   "");
    assert_reports("{" BOTH ",'stratifier':[{'code':[{'text':'sex'}]}]}", "measure@" GROUP "[0]");
    assert_reports("{'population':[" COUNTED("p", 3) "],'stratifier':[{'code':[{'text':'sex'}]},"
                                                     "{'code':[{'text':'age'}]}]}",
                   "measure@" GROUP "[0]");
}

static void gives_a_cohort_no_score(void **state)
{
    (void)state;
    measure("'scoring':{'coding':[{'code':'cohort'}]},'group':[{}]");
    assert_reports("{'measureScore':{'value':0.5}}", "measure@" GROUP "[0].measureScore");
    measure("'scoring':{'coding':[{'code':'ratio'}]},'group':[{}]");
    assert_reports("{'measureScore':{'value':0.5}}", "");
}

static void judges_only_what_can_be_judged(void **state)
{
    (void)state;
    measure("'group':[{" CODE("a") "},{" CODE("b") "}]");
    full.strict = false;
    assert_reports("{" CODE("z") "}", "");
    full.strict = true;
    assert_string_equal(
        problems_with("{'resourceType':'MeasureReport','status':'complete','type':'summary',"
                      "'measure':'http://example.org/unknown','period':{'start':'2026'},"
                      "'group':[{}]}",
                      &full),
        "ele-1@" GROUP "[0]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(pairs_groups_by_their_codes),
        FHIR_TEST(takes_one_for_one_without_a_code),
        FHIR_TEST(asks_for_every_population_and_stratifier),
        FHIR_TEST(gives_a_cohort_no_score),
        FHIR_TEST(judges_only_what_can_be_judged),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
