/* SPDX-License-Identifier: MIT */
/* What is accepted and refused is counted, whatever way it came, and told as a MeasureReport. */
#include "service.h"

#define ODD "'birthDate':'1980-02-30'"

static const char *bundle_of(const char *type, const char *entries)
{
    return text_of("{'resourceType':'Bundle','type':'%s','entry':[%s]}", type, entries);
}

static struct answer report(const char *more)
{
    assert_int_equal(quality_flush(service.quality), STATUS_OK);
    struct answer answer =
        get(text_of("Measure/data-quality/$evaluate-measure?periodStart=2000-01-01&"
                    "periodEnd=2000-12-31%s",
                    more));
    assert_http(answer, 200);
    return answer;
}

static struct answer report_now(const char *more)
{
    char today[DAY_LENGTH + 1];
    day_write(day_at(time_now()), today);
    assert_int_equal(quality_flush(service.quality), STATUS_OK);
    struct answer answer = get(text_of("Measure/data-quality/$evaluate-measure?periodStart=%s&"
                                       "periodEnd=%s%s",
                                       today, today, more));
    assert_http(answer, 200);
    return answer;
}

/* Their places in the table of populations. */
enum { ACCEPTED = 3, REFUSED = 5 };

static void assert_counts(const char *more, const char *accepted, const char *refused)
{
    struct answer answer = report_now(more);
    struct buffer out = {.arena = service_memory()};
    for (int i = ACCEPTED; i <= REFUSED; i += 2) {
        json_write(answer_value(&answer, text_of("group.0.population.%d.count", i)), NULL, NULL,
                   &out);
        buffer_add_byte(&out, ' ');
    }
    buffer_add_byte(&out, '\0');
    assert_string_equal(out.at, text_of("%s %s ", accepted, refused));
}

static void counts_creates_updates_and_patches(void **state)
{
    (void)state;
    const char *patch = "Content-Type: application/json-patch+json";
    assert_counts("", "0", "0");
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'}"), 201);
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    assert_http(ask("PATCH", "Patient/a", patch, "[{'op':'add','path':'/active','value':true}]"),
                200);
    assert_counts("", "3", "0");
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'," ODD "}"), 400);
    assert_http(ask("PATCH", "Patient/a", patch, "[{'op':'add','path':'/active','value':'yes'}]"),
                422);
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':"), 400);
    assert_counts("", "3", "3");
}

static void counts_the_entries_of_batches_each_for_itself(void **state)
{
    (void)state;
    const char *entries = "{'resource':{'resourceType':'Patient','id':'a'},'request':{'method':"
                          "'PUT','url':'Patient/a'}},{'resource':{'resourceType':'Patient'," ODD
                          "},'request':{'method':'POST','url':'Patient'}},"
                          "{'request':{'method':'GET','url':'Patient/a'}}";
    assert_http(ask("POST", "", NULL, bundle_of("batch", entries)), 200);
    assert_counts("", "1", "1");
}

static void what_falls_with_its_transaction_is_neither_accepted_nor_refused(void **state)
{
    (void)state;
    const char *good = "{'resource':{'resourceType':'Patient','id':'a'},'request':{'method':"
                       "'PUT','url':'Patient/a'}}";
    const char *odd = "{'resource':{'resourceType':'Patient'," ODD
                      "},'request':{'method':'POST','url':'Patient'}}";
    assert_http(ask("POST", "", NULL, bundle_of("transaction", text_of("%s,%s", good, odd))), 400);
    assert_counts("", "0", "1");
    assert_http(ask("POST", "", NULL, bundle_of("transaction", good)), 200);
    assert_counts("", "1", "1");
}

static void does_not_count_what_failed_for_another_reason(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", "If-Match: W/\"7\"", "{'resourceType':'Patient','id':'a'}"),
                412);
    assert_http(ask("POST", "Patient/$validate", NULL, "{'resourceType':'Patient'," ODD "}"), 200);
    assert_http(ask("POST", "Patient/$validate", NULL, "{'resourceType':'Patient'}"), 200);
    assert_http(get("Patient/none"), 404);
    assert_http(ask("DELETE", "Patient/none", NULL, NULL), 204);
    assert_counts("", "0", "0");
}

static void a_patch_that_is_prepared_twice_counts_once(void **state)
{
    (void)state;
    const char *entries =
        "{'resource':{'resourceType':'Patient','id':'a'},'request':{'method':'PUT','url':"
        "'Patient/a'}},{'resource':{'resourceType':'Binary','contentType':"
        "'application/json-patch+json','data':"
        "'W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0='},'request':{'method':"
        "'PATCH','url':'Patient/a'}}";
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    assert_http(ask("POST", "", NULL, bundle_of("batch", entries)), 200);
    assert_counts("", "3", "0");
}

static void tells_sources_apart_and_reports_on_one(void **state)
{
    (void)state;
    assert_http(ask("POST", "Patient", NULL,
                    "{'resourceType':'Patient','meta':{'source':'https://A.example/x#1'}," ODD "}"),
                400);
    assert_http(ask("POST", "Patient", NULL,
                    "{'resourceType':'Patient','meta':{'source':"
                    "'https://fhir.nhs.uk/Id/ods-organization-code/RX1'}}"),
                201);
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'}"), 201);
    assert_counts("&reporter=https://a.example", "0", "1");
    assert_counts("&reporter=RX1", "1", "0");
    assert_counts("&reporter=https://fhir.nhs.uk/Id/ods-organization-code%7CRX1", "1", "0");
    assert_counts("&reporter=unknown", "1", "0");
    assert_counts("&reporter=other", "0", "0");
    struct answer answer = report_now("&reporter=RX1");
    assert_text(answer, "reporter.identifier.value", "RX1");
    assert_text(answer, "group.0.stratifier.0.stratum.0.value.coding.0.code", "RX1");
}

static void says_which_rule_was_broken_and_how_to_mend_it(void **state)
{
    (void)state;
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'," ODD "}"), 400);
    struct answer answer = report_now("");
    assert_text(answer, "type", "summary");
    assert_text(answer, "group.0.stratifier.2.code.0.coding.0.code", "rule");
    assert_text(answer, "group.0.stratifier.2.stratum.0.value.coding.0.code", "format");
    struct slice words = answer_text(&answer, "group.0.stratifier.2.stratum.0.value.text");
    assert_true(slice_starts(words, SLICE("birthDate: ")));
    assert_text(answer, "group.0.stratifier.4.stratum.0.component.1.value.coding.0.code",
                "Patient");
    assert_text(answer, "group.0.stratifier.1.stratum.0.value.coding.0.code", "Patient");
}

static void assert_valid(const char *type, struct slice body)
{
    struct answer answer = caller_send(service_caller(), "POST", text_of("%s/$validate", type),
                                       "Content-Type: application/fhir+json", body);
    assert_http(answer, 200);
    assert_text(answer, "issue.0.severity", "information");
}

static void the_measure_and_its_reports_are_valid(void **state)
{
    (void)state;
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'," ODD "}"), 400);
    assert_http(ask("POST", "Basic", NULL, "{'resourceType':"), 400);
    assert_valid("MeasureReport", report("").body); /* an empty one */
    assert_valid("MeasureReport", report_now("").body);
    assert_valid("MeasureReport", report_now("&reporter=RX1").body);
    assert_valid("Measure", get("Measure/data-quality").body);
}

static void the_measure_is_read_like_any_and_not_written(void **state)
{
    (void)state;
    const char *own = "{'resourceType':'Measure','id':'data-quality','status':'active'}";
    struct answer answer = get("Measure/data-quality");
    assert_http(answer, 200);
    assert_text(answer, "group.0.population.5.code.coding.0.code", "refused");
    assert_text(answer, "url", SERVICE_BASE "/Measure/data-quality");
    assert_true(answer_header(&answer, "ETag").length > 0);
    assert_text(get("Measure/data-quality?_elements=name"), "meta.tag.0.code", "SUBSETTED");
    assert_http(ask("PUT", "Measure/data-quality", NULL, own), 403);
    assert_http(
        ask("PATCH", "Measure/data-quality", "Content-Type: application/json-patch+json", "[]"),
        403);
    assert_http(ask("PUT", "Measure/mine", NULL,
                    "{'resourceType':'Measure','id':'mine','status':'active'}"),
                201);
    assert_http(get("Measure/mine"), 200);
    assert_http(get("Measure/mine/$evaluate-measure?periodStart=2020&periodEnd=2020"), 501);
}

static void refuses_periods_and_parameters_that_make_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int http;
    } cases[] = {
        {"", 400},
        {"?periodStart=2026-01-01", 400},
        {"?periodStart=2026-02-30&periodEnd=2026-03-01", 400},
        {"?periodStart=2026-01-02&periodEnd=2026-01-01", 400},
        {"?periodStart=2000&periodEnd=2026", 400},
        {"?periodStart=2026&periodEnd=2026&subject=Patient/1", 400},
        {"?periodStart=2026&periodEnd=2026&reportType=subject-list", 501},
        {"?periodStart=2026&periodEnd=2026&reporter=John%20Smith", 400},
        {"?periodStart=2026&periodEnd=2026&reportType=summary", 200},
        {"?periodStart=2026-01&periodEnd=2026-12", 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_http(get(text_of("Measure/data-quality/$evaluate-measure%s", cases[i].query)),
                    cases[i].http);
    }
}

static void the_capability_statement_lists_the_operation(void **state)
{
    (void)state;
    struct slice statement = get("metadata").body;
    assert_non_null(memmem(statement.at, statement.length, "Measure-evaluate-measure",
                           strlen("Measure-evaluate-measure")));
}

static void counts_outlive_a_restart(void **state)
{
    (void)state;
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'}"), 201);
    service_restart();
    assert_counts("", "1", "0");
    assert_http(ask("POST", "Patient", NULL, "{'resourceType':'Patient'}"), 201);
    assert_counts("", "2", "0");
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(counts_creates_updates_and_patches),
        SERVICE_TEST(counts_the_entries_of_batches_each_for_itself),
        SERVICE_TEST(what_falls_with_its_transaction_is_neither_accepted_nor_refused),
        SERVICE_TEST(does_not_count_what_failed_for_another_reason),
        SERVICE_TEST(a_patch_that_is_prepared_twice_counts_once),
        SERVICE_TEST(tells_sources_apart_and_reports_on_one),
        SERVICE_TEST(says_which_rule_was_broken_and_how_to_mend_it),
        SERVICE_TEST(the_measure_and_its_reports_are_valid),
        SERVICE_TEST(the_measure_is_read_like_any_and_not_written),
        SERVICE_TEST(refuses_periods_and_parameters_that_make_no_sense),
        SERVICE_TEST(the_capability_statement_lists_the_operation),
        SERVICE_TEST(counts_outlive_a_restart),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
