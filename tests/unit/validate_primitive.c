/* SPDX-License-Identifier: MIT */
#include "validate_test.h"

/* An element of each primitive type, in a resource that is fine without it. */
static const struct sample {
    const char *type, *before, *after, *path;
} samples[] = {
    {"boolean", "{'resourceType':'Patient','active':", "}", "Patient.active"},
    {"integer", "{'resourceType':'Patient','multipleBirthInteger':", "}",
     "Patient.multipleBirth.ofType(integer)"},
    {"unsignedInt", "{'resourceType':'Bundle','type':'searchset','total':", "}", "Bundle.total"},
    {"positiveInt", "{'resourceType':'Patient','telecom':[{'rank':", "}]}",
     "Patient.telecom[0].rank"},
    {"decimal", "{'resourceType':'Location','position':{'latitude':1,'longitude':", "}}",
     "Location.position.longitude"},
    {"string", "{'resourceType':'Patient','name':[{'family':", "}]}", "Patient.name[0].family"},
    {"markdown", "{'resourceType':'Patient','extension':[{'url':'http://x/y','valueMarkdown':",
     "}]}", "Patient.extension[0].value.ofType(markdown)"},
    {"code", "{'resourceType':'Patient','meta':{'tag':[{'code':", "}]}}",
     "Patient.meta.tag[0].code"},
    {"id", "{'resourceType':'Patient','id':", "}", "Patient.id"},
    {"uri", "{'resourceType':'Patient','identifier':[{'system':", "}]}",
     "Patient.identifier[0].system"},
    {"url", "{'resourceType':'Patient','photo':[{'url':", "}]}", "Patient.photo[0].url"},
    {"canonical", "{'resourceType':'Patient','meta':{'profile':[", "]}}",
     "Patient.meta.profile[0]"},
    {"oid", "{'resourceType':'Patient','extension':[{'url':'http://x/y','valueOid':", "}]}",
     "Patient.extension[0].value.ofType(oid)"},
    {"uuid", "{'resourceType':'Patient','extension':[{'url':'http://x/y','valueUuid':", "}]}",
     "Patient.extension[0].value.ofType(uuid)"},
    {"base64Binary", "{'resourceType':'Patient','photo':[{'data':", "}]}", "Patient.photo[0].data"},
    {"date", "{'resourceType':'Patient','birthDate':", "}", "Patient.birthDate"},
    {"dateTime", "{'resourceType':'Patient','deceasedDateTime':", "}",
     "Patient.deceased.ofType(dateTime)"},
    {"instant", "{'resourceType':'Patient','meta':{'lastUpdated':", "}}",
     "Patient.meta.lastUpdated"},
    {"time", "{'resourceType':'Patient','extension':[{'url':'http://x/y','valueTime':", "}]}",
     "Patient.extension[0].value.ofType(time)"},
};

struct trial {
    const char *type, *value, *rule; /* rule "": fine */
};

static void try_all(const struct trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sample *sample = samples;
        while (strcmp(sample->type, trials[i].type) != 0) {
            sample++;
        }
        const char *text =
            arena_print(arena, "%s%s%s", sample->before, trials[i].value, sample->after);
        const char *expect = trials[i].rule[0] == '\0'
                                 ? ""
                                 : arena_print(arena, "%s@%s", trials[i].rule, sample->path);
        const char *found = problems_with(text, NULL);
        if (strcmp(found, expect) != 0) {
            print_error("%s %s\n", trials[i].type, trials[i].value);
        }
        assert_string_equal(found, expect);
    }
}

#define TRY_ALL(...)                                                                               \
    do {                                                                                           \
        static const struct trial trials[] = {__VA_ARGS__};                                        \
        try_all(trials, sizeof trials / sizeof *trials);                                           \
    } while (0)

static void checks_booleans_and_numbers(void **state)
{
    (void)state;
    TRY_ALL({"boolean", "false", ""}, {"boolean", "'true'", "type"}, {"boolean", "1", "type"},
            {"integer", "0", ""}, {"integer", "-2147483648", ""}, {"integer", "2147483647", ""},
            {"integer", "2147483648", "range"}, {"integer", "-2147483649", "range"},
            {"integer", "99999999999999999999999", "range"}, {"integer", "-0", "range"},
            {"integer", "1.0", "format"}, {"integer", "1e3", "format"}, {"integer", "'1'", "type"},
            {"integer", "true", "type"}, {"unsignedInt", "0", ""}, {"unsignedInt", "-1", "range"},
            {"unsignedInt", "2147483648", "range"}, {"positiveInt", "1", ""},
            {"positiveInt", "0", "range"}, {"positiveInt", "-1", "range"}, {"decimal", "0.010", ""},
            {"decimal", "-1.5E-3", ""}, {"decimal", "'1'", "type"}, {"decimal", "true", "type"});
}

static void checks_text(void **state)
{
    (void)state;
    TRY_ALL({"string", "' x '", ""}, {"string", "'a\\tb\\r\\nc'", ""}, {"string", "''", "ele-1"},
            {"string", "'a\\u0000'", "format"}, {"string", "'12345678\\u0007'", "format"},
            {"string", "'\\u001f1234567890'", "format"}, {"string", "1", "type"},
            {"string", "'a\\uFFFE'", "format"}, {"string", "'\\uFFFFb'", "format"},
            {"string", "'\\uFFFD\\uFB01\\uE000'", ""}, {"code", "'a\\uFFFE'", "format"},
            {"uri", "'http://x\\uFFFF'", "format"}, {"string", "true", "type"},
            {"markdown", "'# x\\n'", ""}, {"markdown", "''", "ele-1"}, {"code", "'a b'", ""},
            {"code", "' a'", "format"}, {"code", "'a '", "format"}, {"code", "'a  b'", "format"},
            {"code", "'a\\u0001'", "format"}, {"code", "''", "ele-1"}, {"id", "'a-b.C9'", ""},
            {"id", "'a_b'", "format"},
            {"id", "'1234567890123456789012345678901234567890123456789012345678901234'", ""},
            {"id", "'12345678901234567890123456789012345678901234567890123456789012345'", "format"},
            {"id", "7", "type"});
}

static void checks_uris(void **state)
{
    (void)state;
    TRY_ALL({"uri", "'urn:x:y'", ""}, {"uri", "'any/thing'", ""}, {"uri", "'http://a b'", "format"},
            {"uri", "'a\\n'", "format"}, {"url", "'http://x'", ""},
            {"url", "' http://x'", "format"}, {"canonical", "'http://x|1'", ""},
            {"canonical", "'http://x |1'", "format"}, {"oid", "'urn:oid:1.2.3'", ""},
            {"oid", "'1.2.3'", "format"}, {"oid", "'urn:oid:3.2'", "format"},
            {"oid", "'urn:oid:1.02'", "format"}, {"oid", "'urn:oid:1.'", "format"},
            {"oid", "'urn:oid:1'", "format"}, {"oid", "'urn:oid:2.0.10'", ""},
            {"uuid", "'urn:uuid:c757873d-ec9a-4326-a141-556f43239520'", ""},
            {"uuid", "'c757873d-ec9a-4326-a141-556f43239520'", "format"},
            {"uuid", "'urn:uuid:C757873D-ec9a-4326-a141-556f43239520'", "format"},
            {"uuid", "'urn:uuid:c757873d-ec9a-4326-a141-556f4323952'", "format"},
            {"uuid", "'urn:uuid:c757873dxec9a-4326-a141-556f43239520'", "format"});
}

static void checks_base64(void **state)
{
    (void)state;
    TRY_ALL({"base64Binary", "'QUJD'", ""}, {"base64Binary", "'QUI='", ""},
            {"base64Binary", "'QQ=='", ""}, {"base64Binary", "'QU\\nJD QUJD'", ""},
            {"base64Binary", "'QUJ'", "format"}, {"base64Binary", "'Q==='", "format"},
            {"base64Binary", "'QQ==QUJD'", "format"}, {"base64Binary", "'QU-_'", "format"},
            {"base64Binary", "'    '", "format"}, {"base64Binary", "''", "ele-1"});
}

static void refuses_days_and_times_that_do_not_exist(void **state)
{
    (void)state;
    TRY_ALL({"date", "'2024'", ""}, {"date", "'2024-02-29'", ""},
            {"date", "'2023-02-29'", "format"}, {"date", "'2023-13'", "format"},
            {"date", "'2023-1-1'", "format"}, {"date", "'2023-01-01T00:00:00Z'", "format"},
            {"date", "'0000'", "format"}, {"date", "2023", "type"}, {"dateTime", "'2023-01'", ""},
            {"dateTime", "'2023-01-01T10:00:00+01:00'", ""},
            {"dateTime", "'2023-01-01T23:59:60Z'", ""},
            {"dateTime", "'2023-01-01T10:00:00'", "format"},
            {"dateTime", "'2023-01-01T10:00Z'", "format"},
            {"dateTime", "'2023-01-01T24:00:00Z'", "format"},
            {"dateTime", "'2023-01-01 10:00:00Z'", "format"},
            {"dateTime", "'2023-01-01T10:00:00+15:00'", "format"},
            {"instant", "'2023-01-01T10:00:00.123Z'", ""}, {"instant", "'2023-01-01'", "format"},
            {"instant", "'2023-01-01T10:00Z'", "format"}, {"time", "'10:00:00.5'", ""},
            {"time", "'10:00'", "format"}, {"time", "'25:00:00'", "format"},
            {"time", "'10:00:00Z'", "format"});
}

static void limits_strings_to_a_million_characters(void **state)
{
    (void)state;
    size_t limit = (size_t)1 << 20;
    char *text = arena_alloc(arena, 2 * limit + 3);
    text[0] = '\'';
    memset(text + 1, 'x', limit);
    memcpy(text + 1 + limit, "'", 2);
    const struct trial fits = {"string", text, ""};
    try_all(&fits, 1);
    memcpy(text + 1 + limit, "x'", 3);
    const struct trial longer = {"string", text, "length"};
    try_all(&longer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(checks_booleans_and_numbers),
        FHIR_TEST(checks_text),
        FHIR_TEST(checks_uris),
        FHIR_TEST(checks_base64),
        FHIR_TEST(refuses_days_and_times_that_do_not_exist),
        FHIR_TEST(limits_strings_to_a_million_characters),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
