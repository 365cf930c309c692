/* SPDX-License-Identifier: MIT */
#include "testing.h"

static struct json written(struct arena *arena, const struct outcome *outcome)
{
    struct buffer out = {.arena = arena};
    struct json json;
    outcome_write_json(outcome, &out);
    assert_int_equal(json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    assert_slice_is(json_get_string(json.root, "resourceType"), "OperationOutcome");
    return json;
}

static yyjson_val *issue_at(const struct json *json, size_t index)
{
    return yyjson_arr_get(json_get(json->root, "issue"), index);
}

static void says_all_is_well_when_nothing_was_found(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    struct json json = written(*state, &outcome);
    assert_slice_is(json_get_string(issue_at(&json, 0), "severity"), "information");
    assert_slice_is(json_get_string(issue_at(&json, 0), "code"), "informational");
    assert_null(issue_at(&json, 1));
}

static void writes_every_part_of_an_issue(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    struct issue issue = {.severity = SEVERITY_FATAL,
                          .code = "required",
                          .rule = SLICE("dom-2"),
                          .path = SLICE("Patient.name[0]"),
                          .text = SLICE("Give \"family\"."),
                          .line = 3,
                          .column = 14};
    outcome_add(&outcome, &issue);
    struct buffer out = {.arena = *state};
    outcome_write_json(&outcome, &out);
    assert_buffer_is(
        &out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"extension\":["
              "{\"url\":\"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line\","
              "\"valueInteger\":3},"
              "{\"url\":\"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col\","
              "\"valueInteger\":14}],"
              "\"severity\":\"fatal\",\"code\":\"required\",\"details\":{\"coding\":["
              "{\"system\":\"urn:carelayer:rule\",\"code\":\"dom-2\"}],"
              "\"text\":\"Give \\\"family\\\".\"},\"diagnostics\":\"Give \\\"family\\\".\","
              "\"expression\":[\"Patient.name[0]\"]}]}");
}

static void leaves_out_what_an_issue_does_not_have(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    outcome_add(&outcome, &(struct issue){.severity = SEVERITY_WARNING, .code = "value"});
    struct buffer out = {.arena = *state};
    outcome_write_json(&outcome, &out);
    assert_buffer_is(&out, "{\"resourceType\":\"OperationOutcome\",\"issue\":["
                           "{\"severity\":\"warning\",\"code\":\"value\"}]}");
}

static void fails_with_the_status_it_was_given(void **state)
{
    struct outcome outcome;
    char path[] = "_count";
    outcome_init(&outcome, *state);
    assert_int_equal(outcome_fail(&outcome, STATUS_VALUE, path, "Give %d to %s.", 0, "1000"),
                     STATUS_VALUE);
    path[0] = 'X'; /* the outcome has its own copy */
    assert_int_equal(outcome_fail(NULL, STATUS_GONE, "", "x"), STATUS_GONE);
    outcome_warn(&outcome, "code-invalid", "Patient.gender", "Odd.");
    outcome_note(&outcome, "", "By the way.");
    assert_int_equal(outcome.count, 3);
    assert_int_equal(outcome.errors, 1);
    struct json json = written(*state, &outcome);
    assert_slice_is(json_get_string(issue_at(&json, 0), "code"), "value");
    assert_slice_is(json_get_string(issue_at(&json, 0), "diagnostics"), "Give 0 to 1000.");
    assert_slice_is(json_string(yyjson_arr_get(json_get(issue_at(&json, 0), "expression"), 0)),
                    "_count");
    assert_slice_is(json_get_string(issue_at(&json, 1), "severity"), "warning");
    assert_slice_is(json_get_string(issue_at(&json, 2), "severity"), "information");
    assert_null(json_get(issue_at(&json, 2), "expression"));
}

static void keeps_the_first_issues_and_counts_the_rest(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    for (int i = 0; i < OUTCOME_LIMIT + 20; i++) {
        (void)outcome_fail(&outcome, STATUS_INVALID, "", "Problem %d.", i);
    }
    assert_int_equal(outcome.count, OUTCOME_LIMIT);
    assert_int_equal(outcome.errors, OUTCOME_LIMIT + 20);
    assert_int_equal(outcome.dropped, 20);
    struct json json = written(*state, &outcome);
    assert_slice_is(json_get_string(issue_at(&json, OUTCOME_LIMIT - 1), "diagnostics"),
                    "Problem 499.");
    assert_non_null(issue_at(&json, OUTCOME_LIMIT));
    assert_null(issue_at(&json, OUTCOME_LIMIT + 1));
}

static void still_counts_errors_when_there_is_no_memory(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    arena_fail(*state);
    assert_int_equal(outcome_fail(&outcome, STATUS_INVALID, "a", "b"), STATUS_INVALID);
    assert_int_equal(outcome.errors, 1);
    assert_int_equal(outcome.count, 0);
    struct arena *other = arena_create(100000);
    struct json json = written(other, &outcome);
    assert_slice_is(json_get_string(issue_at(&json, 0), "severity"), "error");
    arena_destroy(other);
}

static void writes_lines_for_a_terminal(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    outcome_add(&outcome, &(struct issue){.severity = SEVERITY_ERROR,
                                          .code = "value",
                                          .path = SLICE("Patient.birthDate"),
                                          .text = SLICE("No such day."),
                                          .line = 4,
                                          .column = 9});
    outcome_note(&outcome, "", "Fine.");
    struct buffer out = {.arena = *state};
    outcome_write_text(&outcome, SLICE("a.json"), &out);
    assert_buffer_is(&out, "a.json:4:9: error: Patient.birthDate: No such day.\n"
                           "a.json: information: Fine.\n");
    out.length = 0;
    outcome_write_text(&outcome, SLICE(""), &out);
    assert_buffer_is(&out, "4:9: error: Patient.birthDate: No such day.\n"
                           "information: Fine.\n");
}

static void forgets_errors_and_nothing_else(void **state)
{
    struct outcome outcome;
    outcome_init(&outcome, *state);
    (void)outcome_fail(&outcome, STATUS_VALUE, "a", "First.");
    outcome_warn(&outcome, "value", "b", "Second.");
    (void)outcome_fail(&outcome, STATUS_VALUE, "c", "Third.");
    outcome_note(&outcome, "d", "Fourth.");
    (void)outcome_fail(&outcome, STATUS_VALUE, "e", "Fifth.");
    outcome_forget_errors(&outcome);
    assert_int_equal(outcome.errors, 0);
    assert_int_equal(outcome.count, 2);
    outcome_note(&outcome, "f", "Sixth.");
    struct buffer out = {.arena = *state};
    outcome_write_text(&outcome, SLICE(""), &out);
    assert_buffer_is(&out,
                     "warning: b: Second.\ninformation: d: Fourth.\ninformation: f: Sixth.\n");
    outcome_init(&outcome, *state);
    (void)outcome_fail(&outcome, STATUS_VALUE, "a", "First.");
    outcome_forget_errors(&outcome);
    outcome_forget_errors(&outcome);
    assert_null(outcome.first);
    assert_null(outcome.last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(says_all_is_well_when_nothing_was_found),
        TEST_IN_ARENA(writes_every_part_of_an_issue),
        TEST_IN_ARENA(leaves_out_what_an_issue_does_not_have),
        TEST_IN_ARENA(fails_with_the_status_it_was_given),
        TEST_IN_ARENA(keeps_the_first_issues_and_counts_the_rest),
        TEST_IN_ARENA(still_counts_errors_when_there_is_no_memory),
        TEST_IN_ARENA(writes_lines_for_a_terminal),
        TEST_IN_ARENA(forgets_errors_and_nothing_else),
    };
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
