/* SPDX-License-Identifier: MIT */
/* carelayer validate as a shell sees it: what it prints, and how it ends. */
#include "cli_test.h"

static int setup(void **state)
{
    (void)state;
    return enter_folder("validate");
}

/* Runs "BEFORE carelayer validate ARGUMENTS"; the exit code, what it printed in `printed`. */
static int run(const char *before, const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "%s '%s' validate %s", before, getenv("CARELAYER_PROGRAM"),
             arguments);
    return run_command(command);
}

static void write_file(const char *name, const char *text)
{
    assert_int_equal(disk_replace_file(name, slice_text(text)), STATUS_OK);
}

static size_t lines(void)
{
    size_t count = 0;
    for (const char *at = printed; *at != '\0'; at++) {
        count += *at == '\n';
    }
    return count;
}

#define GOOD                                                                                       \
    "{\"resourceType\":\"Patient\",\"id\":\"a\",\"text\":{\"status\":\"generated\","               \
    "\"div\":\"<div xmlns='http://www.w3.org/1999/xhtml'>A</div>\"}}"
#define BAD "{\"resourceType\":\"Patient\",\n\"gender\":\"odd-value\"}"

static void is_silent_and_succeeds_when_all_is_well(void **state)
{
    (void)state;
    write_file("good.json", GOOD);
    assert_int_equal(run("", "good.json good.json"), 0);
    assert_string_equal(printed, "");
}

static void names_file_line_path_and_mend_but_no_value(void **state)
{
    (void)state;
    write_file("bad.json", BAD);
    assert_int_equal(run("", "bad.json"), 1);
    assert_int_equal(strncmp(printed, "bad.json:2:", 11), 0);
    assert_non_null(strstr(printed, "error: Patient.gender: "));
    assert_null(strstr(printed, "odd-value"));
}

static void prints_one_outcome_a_resource_in_order(void **state)
{
    (void)state;
    write_file("good.json", GOOD);
    write_file("bad.json", BAD);
    write_file("none.json", "{");
    assert_int_equal(run("", "--json bad.json good.json none.json missing.json"), 1);
    assert_int_equal(lines(), 4);
    const char *order[] = {"Patient.gender", "All OK", "\"structure\"", "not-found"};
    const char *at = printed;
    for (size_t i = 0; i < 4; i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
}

#define WEIGHED                                                                                    \
    "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"coding\":[{\"system\":"    \
    "\"http://loinc.org\",\"code\":\"8339-4\"}]},\"valueQuantity\":{\"value\":7200,\"system\":"    \
    "\"http://unitsofmeasure.org\",\"code\":\"kg\"}}"

static void warns_by_the_national_rules_and_refuses_by_the_operators(void **state)
{
    (void)state;
    write_file("weighed.json", WEIGHED);
    assert_int_equal(run("", "weighed.json"), 0);
    assert_non_null(strstr(printed, "warning: Observation.value.ofType(Quantity): "));
    assert_null(strstr(printed, "7200"));
    write_file("strict.txt", "birth-weight  error  Observation.valueQuantity  "
                             "code=loinc:8339-4  range 1..300 kg\n");
    assert_int_equal(run("", "--rules strict.txt weighed.json"), 1);
    assert_non_null(strstr(printed, "(1 to 300 kg)"));
    write_file("off.txt", "birth-weight  off  Observation.valueQuantity  -  range 1..300 kg\n");
    assert_int_equal(run("", "--rules off.txt weighed.json"), 0);
    assert_null(strstr(printed, "Quantity"));
    write_file("wrong.txt",
               "\nbirth-weight  strict  Observation.valueQuantity  -  range 1..3 kg\n");
    assert_int_equal(run("2>&1", "--rules wrong.txt weighed.json"), 2);
    assert_non_null(strstr(printed, "wrong.txt, line 2: A severity is"));
    assert_int_equal(run("2>&1", "--rules missing.txt weighed.json"), 2);
}

static void reads_ndjson_gzip_and_standard_input(void **state)
{
    (void)state;
    write_file("many.ndjson", GOOD "\n\n{\"resourceType\":\"Patient\",\"x\":1}\n" GOOD);
    assert_int_equal(run("", "--json many.ndjson"), 1);
    assert_int_equal(lines(), 3);
    assert_int_equal(run("", "many.ndjson"), 1);
    assert_int_equal(strncmp(printed, "many.ndjson:3:", 14), 0);
    assert_int_equal(system("gzip -k many.ndjson && gzip -kc bad.json > bad.json.gz"), 0);
    assert_int_equal(run("", "--json many.ndjson.gz bad.json.gz"), 1);
    assert_int_equal(lines(), 4);
    assert_int_equal(run("cat many.ndjson |", "--json -"), 1);
    assert_int_equal(lines(), 3);
    assert_int_equal(run("gzip -c bad.json |", "-"), 1);
    assert_int_equal(strncmp(printed, "stdin:2:", 8), 0);
    assert_int_equal(system("head -c 60 many.ndjson.gz > cut.ndjson.gz"), 0);
    assert_int_equal(run("", "cut.ndjson.gz"), 1);
    assert_int_equal(system("(gzip -c good.json; echo more) > followed.json.gz"), 0);
    assert_int_equal(run("", "followed.json.gz"), 1);
}

static void reads_xml_and_says_all_that_is_wrong(void **state)
{
    (void)state;
    write_file("good.xml", "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"a\"/></Patient>");
    write_file("bad.xml", "<Observation xmlns=\"http://hl7.org/fhir\">\n<nick value=\"x\"/>\n"
                          "<status value=\"odd-value\"/></Observation>");
    assert_int_equal(run("", "good.xml"), 0);
    assert_int_equal(run("", "bad.xml"), 1);
    assert_int_equal(strncmp(printed, "bad.xml:2:1: error: Observation: ", 33), 0);
    assert_non_null(strstr(printed, "bad.xml:3:15: error: Observation.status: "));
    assert_non_null(strstr(printed, "needs the element code"));
    assert_null(strstr(printed, "odd-value"));
    assert_int_equal(system("gzip -kc bad.xml > bad.xml.gz"), 0);
    assert_int_equal(run("", "good.xml bad.xml.gz"), 1);
    assert_int_equal(run("cat bad.xml |", "-"), 1);
    assert_int_equal(strncmp(printed, "stdin:2:1:", 10), 0);
}

static void reads_lines_longer_than_its_buffer(void **state)
{
    (void)state;
    FILE *file = fopen("long.ndjson", "w");
    assert_non_null(file);
    for (int i = 0; i < 3; i++) {
        assert_true(fputs("{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"x\"}", file) >= 0);
        for (int j = 0; j < 60000; j++) {
            assert_true(fputs(",{\"family\":\"somebody or other\"}", file) >= 0);
        }
        assert_true(fputs("]}\n", file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(run("", "--json long.ndjson"), 0);
    assert_int_equal(lines(), 3);
}

#define EXTENDED                                                                                   \
    "{\"resourceType\":\"Patient\",\"birthDate\":\"1 May\",\"extension\":[{\"url\":"               \
    "\"http://a/b\",\"valueBoolean\":true}],\"managingOrganization\":{\"reference\":"              \
    "\"Organization/1\"}}\n"

static void judges_as_it_is_asked_to(void **state)
{
    (void)state;
    write_file("wishes.json", EXTENDED);
    write_file("comments.json", "// a Patient\n" GOOD);
    assert_int_equal(run("", "wishes.json"), 1);
    assert_int_equal(run("", "--waive format@Patient.birthDate wishes.json"), 0);
    assert_int_equal(run("", "--waive format@Patient.deceased,dom-6 wishes.json"), 1);
    assert_int_equal(run("", "--waive dom-6,format --extensions any wishes.json"), 0);
    assert_int_equal(run("", "--waive format --extensions known wishes.json"), 1);
    assert_non_null(strstr(printed, "Patient.extension[0]"));
    assert_int_equal(run("", "--waive format --extensions known,http://a/ wishes.json"), 0);
    assert_int_equal(run("", "--waive format --check-references wishes.json"), 1);
    assert_non_null(strstr(printed, "Patient.managingOrganization"));
    assert_int_equal(run("", "comments.json"), 1);
    assert_int_equal(run("", "--allow-comments comments.json"), 0);
    assert_int_equal(run("", "--extensions some wishes.json 2>&1"), 2);
    assert_int_equal(run("", "--extensions any,http://a wishes.json 2>&1"), 2);
    assert_int_equal(run("", "--waive @Patient wishes.json 2>&1"), 2);
    assert_int_equal(run("", "--waive '' wishes.json 2>&1"), 2);
}

static void tells_usage_from_faults(void **state)
{
    (void)state;
    assert_int_equal(run("", "2>&1"), 2);
    assert_int_equal(run("", "--nonsense 2>&1"), 2);
    assert_int_equal(run("", "--help"), 0);
    assert_non_null(strstr(printed, "--package"));
    assert_int_equal(run("", "--profile http://x/y good.json 2>&1"), 1);
    assert_non_null(strstr(printed, "is not loaded"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_silent_and_succeeds_when_all_is_well),
        cmocka_unit_test(names_file_line_path_and_mend_but_no_value),
        cmocka_unit_test(prints_one_outcome_a_resource_in_order),
        cmocka_unit_test(warns_by_the_national_rules_and_refuses_by_the_operators),
        cmocka_unit_test(reads_ndjson_gzip_and_standard_input),
        cmocka_unit_test(reads_xml_and_says_all_that_is_wrong),
        cmocka_unit_test(reads_lines_longer_than_its_buffer),
        cmocka_unit_test(judges_as_it_is_asked_to),
        cmocka_unit_test(tells_usage_from_faults),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
