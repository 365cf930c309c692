/* SPDX-License-Identifier: MIT */
/* The national rules, each by what it lets pass and what it does not, and an operator's own. */
#include <stdio.h>
#include <unistd.h>

#include "validate_test.h"

#define NOW INT64_C(1782864000000000) /* 2026-07-01T00:00:00Z */

static const struct rules *rules;

/* "severity rule@path" of each problem. */
static const char *judged(const char *text)
{
    struct outcome outcome;
    struct json json;
    resource_type type;
    char *copy = (char *)(uintptr_t)arena_copy(arena, slice_text(text)).at;
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    outcome_init(&outcome, arena);
    assert_int_equal(json_read(slice_text(copy), &json_limits_default, arena, &outcome, &json),
                     STATUS_OK);
    struct validate_options options = {.definitions = definitions, .rules = rules, .now = NOW};
    enum status status =
        validate_resource(&options, &json, json.root, SLICE(""), arena, &outcome, &type);
    assert_int_equal(status == STATUS_OK, outcome.errors == 0);
    assert_true(status == STATUS_OK || status == STATUS_BUSINESS_RULE);
    struct buffer out = {.arena = arena};
    for (const struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        buffer_print(&out, "%s%s %.*s@%.*s", out.length > 0 ? " " : "",
                     issue->severity == SEVERITY_ERROR ? "error" : "warning",
                     SLICE_ARGS(issue->rule), SLICE_ARGS(issue->path));
        assert_true(issue->text.length > 20);
        assert_true(issue->line >= 1);
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

#define assert_judged(text, expect) assert_string_equal(judged(text), expect)

static int read_national(void **state)
{
    (void)arena_setup(state);
    return rules_read(definitions, NULL, 0, arena, NULL, &rules) != STATUS_OK;
}

#define RULES_TEST(name) cmocka_unit_test_setup_teardown(name, read_national, arena_teardown)

#define NUMBERED(value)                                                                            \
    "{'resourceType':'Patient','identifier':[{'system':'https://fhir.nhs.uk/Id/nhs-number',"       \
    "'value':'" value "'}]}"
#define NUMBER_WRONG "error nhs-number@Patient.identifier[0].value"

static void refuses_an_nhs_number_that_is_none(void **state)
{
    (void)state;
    assert_judged(NUMBERED("9434765919"), "");
    assert_judged(NUMBERED("9990000018"), "");
    assert_judged(NUMBERED("9434765918"), NUMBER_WRONG);
    assert_judged(NUMBERED("943476591"), NUMBER_WRONG);
    assert_judged(NUMBERED("94347659190"), NUMBER_WRONG);
    assert_judged(NUMBERED("943 476 5919"), NUMBER_WRONG);
    assert_judged(NUMBERED("943476591X"), NUMBER_WRONG);
    /* Right by the arithmetic, and given to nobody. */
    assert_judged(NUMBERED("0000000000"), NUMBER_WRONG);
    assert_judged(NUMBERED("9999999999"), NUMBER_WRONG);
    /* The remainder asks for a check digit of 10: no last digit is right. */
    assert_judged(NUMBERED("0000000060"), NUMBER_WRONG);
    assert_judged(NUMBERED("0000000061"), NUMBER_WRONG);
}

static void looks_at_nhs_numbers_wherever_they_stand(void **state)
{
    (void)state;
    assert_judged("{'resourceType':'Observation','status':'final','code':{'text':'x'},'subject':"
                  "{'identifier':{'system':'https://fhir.nhs.uk/Id/nhs-number','value':'1'}}}",
                  "error nhs-number@Observation.subject.identifier.value");
    assert_judged("{'resourceType':'Patient','identifier':[{'system':'https://example.org/n',"
                  "'value':'1'},{'value':'2'}]}",
                  "");
    assert_judged("{'resourceType':'Patient','identifier':[{'system':"
                  "'https://fhir.nhs.uk/Id/nhs-number','_value':{'extension':[{'url':"
                  "'http://hl7.org/fhir/StructureDefinition/data-absent-reason','valueCode':"
                  "'unknown'}]}}]}",
                  "");
}

static void refuses_an_ods_code_of_another_shape(void **state)
{
    (void)state;
#define ODS(value)                                                                                 \
    "{'resourceType':'Organization','identifier':[{'system':"                                      \
    "'https://fhir.nhs.uk/Id/ods-organization-code','value':'" value "'}]}"
    assert_judged(ODS("RR8"), "");
    assert_judged(ODS("Y12345"), "");
    assert_judged(ODS("rr8"), "error ods-code@Organization.identifier[0].value");
    assert_judged(ODS("RR 8"), "error ods-code@Organization.identifier[0].value");
    assert_judged(ODS("R8"), "error ods-code@Organization.identifier[0].value");
}

static void warns_of_a_postcode_of_another_shape(void **state)
{
    (void)state;
#define AT(value)      "{'resourceType':'Patient','address':[{'line':['1']," value "}]}"
#define POSTCODE_WRONG "warning postcode@Patient.address[0].postalCode"
    assert_judged(AT("'postalCode':'SW1A 1AA'"), "");
    assert_judged(AT("'postalCode':'M1 1AE'"), "");
    assert_judged(AT("'postalCode':'B33 8TH','country':'GBR'"), "");
    assert_judged(AT("'postalCode':'CR2 6XH','country':'England'"), "");
    assert_judged(AT("'postalCode':'DN55 1PT'"), "");
    assert_judged(AT("'postalCode':'W1A 0AX'"), "");
    assert_judged(AT("'postalCode':'GIR 0AA'"), "");
    assert_judged(AT("'postalCode':'ZZ99 3WZ'"), "");
    assert_judged(AT("'postalCode':'sw1a 1aa'"), POSTCODE_WRONG);
    assert_judged(AT("'postalCode':'SW1A1AA'"), POSTCODE_WRONG);
    assert_judged(AT("'postalCode':'LEN 7TF','country':'united kingdom'"), POSTCODE_WRONG);
    assert_judged(AT("'postalCode':'01730'"), POSTCODE_WRONG);
    assert_judged(AT("'postalCode':'01730','country':'US'"), "");
}

#define BORN(value) "{'resourceType':'Patient'," value "}"

static void refuses_birth_and_death_in_the_future(void **state)
{
    (void)state;
    assert_judged(BORN("'birthDate':'2026-06-30'"), "");
    assert_judged(BORN("'birthDate':'2026-07'"), "");
    assert_judged(BORN("'birthDate':'2026'"), "");
    assert_judged(BORN("'birthDate':'2026-08'"), "error birth-not-in-future@Patient.birthDate");
    assert_judged(BORN("'birthDate':'2062-01-01'"), "error birth-not-in-future@Patient.birthDate");
    assert_judged("{'resourceType':'Practitioner','birthDate':'2027'}",
                  "error birth-not-in-future@Practitioner.birthDate");
    assert_judged(BORN("'deceasedDateTime':'2026-07-05T10:00:00Z'"),
                  "error death-not-in-future@Patient.deceased.ofType(dateTime)");
}

static void refuses_a_death_before_birth_or_far_behind_it(void **state)
{
    (void)state;
    assert_judged(BORN("'birthDate':'1950-05-02','deceasedDateTime':'1950-05-02T23:00:00Z'"), "");
    assert_judged(BORN("'birthDate':'1950-05','deceasedDateTime':'1950'"), "");
    assert_judged(BORN("'birthDate':'1950-05-02','deceasedDateTime':'1950-04'"),
                  "error death-after-birth@Patient.deceased.ofType(dateTime)");
    assert_judged(BORN("'birthDate':'1850-02-28','deceasedDateTime':'1979-12-31'"), "");
    assert_judged(BORN("'birthDate':'1852-02-29','deceasedDateTime':'1982-03-05'"),
                  "error age-at-death@Patient.deceased.ofType(dateTime)");
}

static void warns_of_a_birth_long_ago_without_a_death(void **state)
{
    (void)state;
    assert_judged(BORN("'birthDate':'1896-07-02'"), "");
    assert_judged(BORN("'birthDate':'1896'"), "");
    assert_judged(BORN("'birthDate':'1896-06'"), "");
    assert_judged(BORN("'birthDate':'1896-06-20'"), "warning birth-long-ago@Patient.birthDate");
    assert_judged(BORN("'birthDate':'1850-01-01','deceasedBoolean':false"),
                  "warning birth-long-ago@Patient.birthDate");
    assert_judged(BORN("'birthDate':'1850-01-01','deceasedBoolean':true"), "");
    assert_judged(BORN("'birthDate':'1850-01-01','deceasedDateTime':'1920'"), "");
}

#define CODED(codes) "'code':{'coding':[" codes "]}"
#define LOINC(code)  "{'system':'http://loinc.org','code':'" code "'}"
#define QUANTITY(value, code)                                                                      \
    "'valueQuantity':{'value':" value ",'system':'http://unitsofmeasure.org','code':'" code "'}"
#define MEASURED(codes, quantity)                                                                  \
    "{'resourceType':'Observation','status':'final'," CODED(codes) "," quantity "}"
#define OUTSIDE(rule) "warning " rule "@Observation.value.ofType(Quantity)"

static void warns_of_measurements_that_are_not_plausible(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *code, *fine, *low, *high, *unit;
    } rows[] = {{"heart-rate", "8867-4", "72", "3", "720", "/min"},
                {"heart-rate", "8867-4", "72", "3", "720", "{beats}/min"},
                {"respiratory-rate", "9279-1", "16", "1", "160", "/min"},
                {"body-temperature", "8310-5", "37.2", "3.72", "99", "Cel"},
                {"body-temperature", "8310-5", "98.6", "37.2", "986", "[degF]"},
                {"oxygen-saturation", "2708-6", "97", "9.7", "100.5", "%"},
                {"body-weight", "29463-7", "72.5", "0.0725", "725", "kg"},
                {"body-weight", "29463-7", "3500", "72.5", "3500000", "g"},
                {"body-weight", "29463-7", "154", "0.154", "1540", "[lb_av]"},
                {"body-height", "8302-2", "172", "1.72", "1720", "cm"},
                {"body-height", "8302-2", "1.72", "0.172", "172", "m"},
                {"body-mass-index", "39156-5", "24", "2.4", "240", "kg/m2"},
                {"head-circumference", "9843-4", "35", "3.5", "350", "cm"},
                {"peak-flow", "19935-6", "450", "4.5", "4500", "L/min"},
                {"coma-scale", "9269-2", "15", "2", "16", "{score}"},
                {"hba1c", "59261-8", "48", "6.5", "480", "mmol/mol"},
                {"hba1c", "4548-4", "6.5", "0.65", "48", "%"},
                {"glucose", "15074-8", "5.5", "0.055", "550", "mmol/L"},
                {"glucose", "2339-0", "99", "1", "9900", "mg/dL"},
                {"creatinine", "14682-9", "80", "0.8", "8000", "umol/L"},
                {"creatinine", "2160-0", "0.9", "0.009", "90", "mg/dL"},
                {"filtration-rate", "62238-1", "90", "-1", "900", "mL/min/{1.73_m2}"},
                {"sodium", "2951-2", "140", "14", "1400", "mmol/L"},
                {"potassium", "2823-3", "4.1", "0.41", "41", "mmol/L"},
                {"haemoglobin", "718-7", "135", "1.35", "1350", "g/L"},
                {"haemoglobin", "718-7", "13.5", "0.135", "135", "g/dL"},
                {"white-cells", "6690-2", "7", "-7", "7000", "10*3/uL"},
                {"platelets", "777-3", "250", "-1", "250000", "10*9/L"},
                {"cholesterol", "2093-3", "190", "5", "19000", "mg/dL"},
                {"thyrotropin", "3016-3", "2.1", "-1", "2100", "u[iU]/mL"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *values[] = {rows[i].fine, rows[i].low, rows[i].high};
        for (size_t k = 0; k < 3; k++) {
            const char *text = arena_print(arena, MEASURED(LOINC("%s"), QUANTITY("%s", "%s")),
                                           rows[i].code, values[k], rows[i].unit);
            const char *wanted = k == 0 ? "" : arena_print(arena, OUTSIDE("%s"), rows[i].rule);
            assert_judged(text, wanted);
        }
    }
}

static void looks_at_components_too(void **state)
{
    (void)state;
#define PRESSURE(systolic, diastolic)                                                                                        \
    "{'resourceType':'Observation','status':'final'," CODED(LOINC(                                                           \
        "85354-9")) ",'component':[{" CODED(LOINC("8480-6")) "," QUANTITY(systolic,                                          \
                                                                          "mm[Hg]") "},"                                     \
                                                                                    "{" CODED(LOINC("8462-4")) "," QUANTITY( \
                                                                                        diastolic,                           \
                                                                                        "mm[Hg]") "}]}"
    assert_judged(PRESSURE("120", "80"), "");
    assert_judged(PRESSURE("12", "800"),
                  "warning systolic-pressure@Observation.component[0].value.ofType(Quantity) "
                  "warning diastolic-pressure@Observation.component[1].value.ofType(Quantity)");
}

static void knows_a_measurement_by_any_of_its_codings_and_says_it_once(void **state)
{
    (void)state;
    assert_judged(
        MEASURED("{'system':'http://snomed.info/sct','code':'364075005'}", QUANTITY("900", "/min")),
        OUTSIDE("heart-rate"));
    assert_judged(MEASURED("{'system':'https://example.org','code':'1'},{'system':"
                           "'http://snomed.info/sct','code':'364075005'}," LOINC("8867-4"),
                           QUANTITY("900", "/min")),
                  OUTSIDE("heart-rate"));
    /* The code of another system is another thing. */
    assert_judged(
        MEASURED("{'system':'https://example.org','code':'8867-4'}", QUANTITY("900", "/min")), "");
}

static void warns_of_a_unit_that_cannot_be_compared(void **state)
{
    (void)state;
    assert_judged(MEASURED(LOINC("29463-7"), QUANTITY("72", "cm")), OUTSIDE("body-weight"));
    assert_judged(MEASURED(LOINC("29463-7"), QUANTITY("72", "kilos")), OUTSIDE("body-weight"));
    assert_judged(MEASURED(LOINC("29463-7"), "'valueQuantity':{'value':72,'unit':'kg'}"),
                  OUTSIDE("body-weight"));
    assert_judged(MEASURED(LOINC("29463-7"), "'valueQuantity':{'unit':'kg'}"), "");
    assert_judged(MEASURED(LOINC("29463-7"), "'valueQuantity':{'value':900,'comparator':'>',"
                                             "'system':'http://unitsofmeasure.org','code':'kg'}"),
                  "");
    assert_judged(MEASURED(LOINC("29463-7"), "'valueString':'heavy'"), "");
}

static void says_the_range_and_not_the_value(void **state)
{
    (void)state;
    struct outcome outcome;
    struct json json;
    resource_type type;
    outcome_init(&outcome, arena);
    assert_int_equal(
        json_read(SLICE("{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{"
                        "\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"8302-2\"}]},\n"
                        "\"valueQuantity\":{\"value\":1777,\"code\":\"cm\",\"system\":"
                        "\"http://unitsofmeasure.org\"}}"),
                  &json_limits_default, arena, &outcome, &json),
        STATUS_OK);
    struct validate_options options = {.definitions = definitions, .rules = rules, .now = NOW};
    assert_int_equal(
        validate_resource(&options, &json, json.root, SLICE(""), arena, &outcome, &type),
        STATUS_OK);
    assert_int_equal(outcome.count, 1);
    struct slice text = outcome.first->text;
    assert_non_null(memmem(text.at, text.length, "(20 to 280 cm)", 14));
    assert_null(memmem(text.at, text.length, "1777", 4));
    assert_string_equal(outcome.first->code, "business-rule");
    assert_int_equal(outcome.first->line, 2);
}

/* ---- an operator's table ----------------------------------------------------------------------
 */

/* The national rules with TEXT over them; the status, and the line that is wrong or 0. */
static enum status extend(const char *text, const char **ret_message)
{
    char path[] = "/tmp/carelayer-rules-XXXXXX";
    int file = mkstemp(path);
    struct outcome outcome;
    const char *files[] = {path};
    assert_true(file >= 0);
    assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(file);
    outcome_init(&outcome, arena);
    enum status status = rules_read(definitions, files, 1, arena, &outcome, &rules);
    (void)unlink(path);
    *ret_message =
        outcome.first != NULL ? arena_print(arena, "%.*s", SLICE_ARGS(outcome.first->text)) : "";
    return status;
}

static void takes_an_operators_rules_over_the_national_ones(void **state)
{
    (void)state;
    const char *message;
    assert_int_equal(extend("# ours\n"
                            "system  local  https://example.org/codes\n"
                            "heart-rate  off  Observation.valueQuantity  -  range 1..2 /min\n"
                            "postcode  error  Address.postalCode  country=  shape 99999\n"
                            "   Five\n\tdigits, as in\n    other places.\n"
                            "grip  warning  Observation.valueQuantity  code=local:grip  "
                            "range 1..900 N\n"
                            "ods-code  off  Identifier.value  -  nhs-number\n"
                            "given  warning  HumanName.given  use=official  shape Xxx,Xxxx\n"
                            "    Three or four letters.\n",
                            &message),
                     STATUS_OK);
    assert_judged(MEASURED(LOINC("8867-4"), QUANTITY("900", "/min")), "");
    assert_judged(MEASURED(LOINC("29463-7"), QUANTITY("9000", "kg")), OUTSIDE("body-weight"));
    assert_judged(
        MEASURED("{'system':'https://example.org/codes','code':'grip'}", QUANTITY("1000", "N")),
        OUTSIDE("grip"));
    assert_judged(AT("'postalCode':'SW1A 1AA'"), "error postcode@Patient.address[0].postalCode");
    assert_judged(AT("'postalCode':'SW1A 1AA','country':'GB'"), "");
    assert_judged(AT("'postalCode':'01730'"), "");
    assert_judged(ODS("rr8"), "");
    /* Items of a list are judged one by one. */
    assert_judged("{'resourceType':'Patient','name':[{'use':'official','given':['Axx','bad']}]}",
                  "warning given@Patient.name[0].given[1]");
}

static void names_the_line_of_a_table_that_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"a  error  Patient.birthDate  -\n", "line 1"},
        {"\n  lost message\na  b\n", "line 3"},
        {"a  fatal  Patient.birthDate  -  not-future\n  Say.\n", "severity"},
        {"a  error  Patient.birthday  -  not-future\n  Say.\n", "no such element"},
        {"a  error  Patienz.birthDate  -  not-future\n  Say.\n", "no such element"},
        {"a  error  birthDate  -  not-future\n  Say.\n", "no such element"},
        {"a  error  Patient.birthDate  -  not-future\n", "what the sender should do"},
        {"a  error  Patient.birthDate  -  tomorrow\n  Say.\n", "no such test"},
        {"a  error  Patient.birthDate  gender  not-future\n  Say.\n", "member=value"},
        {"a  error  Patient.birthDate  -  within 5 years\n  Say.\n", "within N years"},
        {"a  error  Observation.valueQuantity  -  range 5..1 kg\n", "LOW..HIGH"},
        {"a  error  Observation.valueQuantity  -  range 1..5 kilo\n", "code of UCUM"},
        {"a  error  Observation.valueQuantity  code=loinc:1,other:2  range 1..5 kg\n",
         "Codings and other values"},
        {"a  error  Observation.valueQuantity  category=loinc:1  range 1..5 kg\n", "one member"},
        {"system  alone\n", "what it stands for"},
        /* What could never be met must not look like a rule that is kept. */
        {"a  error  Encounter.serviceType  -  nhs-number\n  Say.\n", "not of a type"},
        {"a  error  Patient.active  -  shape AA\n  Say.\n", "not of a type"},
        {"a  error  Patient.gender  -  not-future\n  Say.\n", "not of a type"},
        {"a  error  Observation.valueString  -  range 1..5 kg\n", "not of a type"},
        {"a  error  Patient.birthDate  -  within 5 years of birthdate\n  Say.\n", "no date"},
        {"a  error  Patient.birthDate  -  not-before gender\n  Say.\n", "no date"},
        {"a  error  Patient.birthDate  sex=male  not-future\n  Say.\n", "does not have"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *message;
        assert_int_equal(extend(wrong[i][0], &message), STATUS_VALUE);
        if (strstr(message, wrong[i][1]) == NULL) {
            fail_msg("table %zu: \"%s\"", i, message);
        }
    }
    const char *missing[] = {"/nowhere/rules.txt"};
    assert_int_equal(rules_read(definitions, missing, 1, arena, NULL, &rules), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULES_TEST(refuses_an_nhs_number_that_is_none),
        RULES_TEST(looks_at_nhs_numbers_wherever_they_stand),
        RULES_TEST(refuses_an_ods_code_of_another_shape),
        RULES_TEST(warns_of_a_postcode_of_another_shape),
        RULES_TEST(refuses_birth_and_death_in_the_future),
        RULES_TEST(refuses_a_death_before_birth_or_far_behind_it),
        RULES_TEST(warns_of_a_birth_long_ago_without_a_death),
        RULES_TEST(warns_of_measurements_that_are_not_plausible),
        RULES_TEST(looks_at_components_too),
        RULES_TEST(knows_a_measurement_by_any_of_its_codings_and_says_it_once),
        RULES_TEST(warns_of_a_unit_that_cannot_be_compared),
        RULES_TEST(says_the_range_and_not_the_value),
        RULES_TEST(takes_an_operators_rules_over_the_national_ones),
        RULES_TEST(names_the_line_of_a_table_that_is_wrong),
    };
    return cmocka_run_group_tests_name("validate_rules", tests, definitions_setup,
                                       definitions_teardown);
}
