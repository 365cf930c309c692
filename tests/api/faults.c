/* SPDX-License-Identifier: MIT */
/* Every interaction with each allocation and each SQL step failing in turn (DESIGN 13). With the
 * argument "every", at every place and in every way; that is suite 'long'. */
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "feed/feed.h"
#include "torture.h"

#define FHIR  "Content-Type: application/fhir+json"
#define FORM  "Content-Type: application/x-www-form-urlencoded"
#define PATCH "Content-Type: application/json-patch+json"
#define WHOLE "Prefer: return=representation"
#define MATCH "identifier=urn:s|@"
#define PERSON                                                                                     \
    "{'resourceType':'Patient','id':'@','active':true,'identifier':[{'system':'urn:s',"            \
    "'value':'@'}],'name':[{'family':'@','given':['A']}],'birthDate':'1950-02-03'}"
#define RESULT(id, status)                                                                         \
    "{'resourceType':'Observation','id':'" id "','status':'" status "','code':{'coding':[{"        \
    "'system':'http://loinc.org','code':'@'}]},'subject':{'reference':'Patient/@'},"               \
    "'effectiveDateTime':'2024-01-31','valueQuantity':{'value':1.50,'unit':'kg',"                  \
    "'system':'http://unitsofmeasure.org','code':'kg'}}"
#define BUNDLE(type, entries) "{'resourceType':'Bundle','type':'" type "','entry':[" entries "]}"
#define ENTRY(resource, method, url)                                                               \
    "{'resource':" resource ",'request':{'method':'" method "','url':'" url "'}}"
#define ASK(method, url) "{'request':{'method':'" method "','url':'" url "'}}"
#define UUID             "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9"
#define XML              "Content-Type: application/fhir+xml\nAccept: application/fhir+xml"
#define XML_PERSON                                                                                 \
    "<Patient xmlns='http://hl7.org/fhir'><text><status value='generated'/><div "                  \
    "xmlns='http://www.w3.org/1999/xhtml'>@</div></text><name><family "                            \
    "value='@'/></name></Patient>"
#define NEW_PERSON                                                                                 \
    "{'resourceType':'Patient','identifier':[{'system':'urn:n','value':'@'}],'name':[{"            \
    "'family':'@'}]}"
#define ABOUT(reference)                                                                           \
    "{'resourceType':'Basic','code':{'text':'@'},'subject':{'reference':'" reference "'}}"
#define KEEP                                                                                       \
    {                                                                                              \
        "PUT", "Patient/@", NULL, PERSON                                                           \
    }
#define KEEP_IT                                                                                    \
    {                                                                                              \
        "PUT", "Observation/@", NULL, RESULT("@", "final")                                         \
    }
/* Longer than is kept within a body. */
#define LONG_BYTES ((size_t)400 << 10)

static const struct script scripts[] = {
    {"create", {{0}}, {"POST", "Patient", WHOLE, PERSON}},
    {"create that is conditional and meets nothing",
     {{0}},
     {"POST", "Patient", WHOLE "\nIf-None-Exist: " MATCH, PERSON}},
    {"create that is conditional and meets one",
     {KEEP},
     {"POST", "Patient", WHOLE "\nIf-None-Exist: " MATCH, PERSON}},
    {"read", {KEEP}, {"GET", "Patient/@?_pretty=true", NULL, NULL}},
    {"read of a part", {KEEP}, {"GET", "Patient/@?_elements=name", NULL, NULL}},
    {"vread", {KEEP, KEEP}, {"GET", "Patient/@/_history/1", NULL, NULL}},
    {"update", {KEEP_IT}, {"PUT", "Observation/@", WHOLE, RESULT("@", "amended")}},
    {"update that creates", {{0}}, {"PUT", "Observation/@", WHOLE, RESULT("@", "final")}},
    {"update of one version",
     {KEEP_IT},
     {"PUT", "Observation/@", "If-Match: W/\"1\"", RESULT("@", "amended")}},
    {"update that moves to another person",
     {KEEP, KEEP_IT},
     {"PUT", "Observation/@", WHOLE,
      "{'resourceType':'Observation','id':'@','status':'final','code':{'text':'x'},"
      "'subject':{'reference':'Patient/other-@'},'performer':[{'reference':'Patient/@'}]}"}},
    {"update that is conditional", {KEEP}, {"PUT", "Patient?" MATCH, WHOLE, PERSON}},
    {"update that is conditional and creates", {{0}}, {"PUT", "Patient?" MATCH, WHOLE, NEW_PERSON}},
    {"patch",
     {KEEP},
     {"PATCH", "Patient/@", PATCH "\n" WHOLE,
      "[{'op':'replace','path':'/birthDate','value':'1951'},{'op':'add',"
      "'path':'/name/0/given/-','value':'B'},{'op':'remove','path':'/active'}]"}},
    {"patch that is conditional",
     {KEEP},
     {"PATCH", "Patient?" MATCH, PATCH, "[{'op':'remove','path':'/active'}]"}},
    {"delete", {KEEP, KEEP}, {"DELETE", "Patient/@", "Prefer: return=OperationOutcome", NULL}},
    {"delete of what is deleted",
     {KEEP, {"DELETE", "Patient/@", NULL, NULL}},
     {"DELETE", "Patient/@", NULL, NULL}},
    {"delete that is conditional", {KEEP}, {"DELETE", "Patient?" MATCH, NULL, NULL}},
    {"history of one", {KEEP, KEEP}, {"GET", "Patient/@/_history", NULL, NULL}},
    {"history of all of a type",
     {KEEP, KEEP, KEEP},
     {"GET", "Patient/_history?_count=2", NULL, NULL}},
    {"history of all",
     {KEEP, {"DELETE", "Patient/@", NULL, NULL}, KEEP_IT},
     {"GET", "_history?_count=3&_since=2020-01-01T00:00:00Z", NULL, NULL}},
    {"search", {KEEP}, {"GET", "Patient?family=@&birthdate=1950&_sort=-birthdate", NULL, NULL}},
    {"search of a record",
     {KEEP, KEEP_IT},
     {"GET", "Patient/@/Observation?code=http://loinc.org|@&_total=accurate", NULL, NULL}},
    {"search by reference", {KEEP, KEEP_IT}, {"GET", "Observation?subject=Patient/@", NULL, NULL}},
    {"search by quantity",
     {KEEP, KEEP_IT},
     {"GET", "Observation?code=@&value-quantity=1.50||kg&date=2024-01", NULL, NULL}},
    {"search that counts", {KEEP}, {"GET", "Patient?" MATCH "&_summary=count", NULL, NULL}},
    {"_search", {KEEP}, {"POST", "Patient/_search", FORM, "family=@&_summary=text"}},
    {"$everything", {KEEP, KEEP_IT}, {"GET", "Patient/@/$everything", NULL, NULL}},
    {"$validate", {{0}}, {"POST", "Patient/$validate", NULL, PERSON}},
    {"$validate of XML", {{0}}, {"POST", "Patient/$validate", XML, XML_PERSON}},
    {"create in XML", {{0}}, {"POST", "Patient", XML "\n" WHOLE, XML_PERSON}},
    {"read in XML", {KEEP}, {"GET", "Patient/@?_pretty=true&_format=xml", NULL, NULL}},
    {"history in XML", {KEEP, KEEP}, {"GET", "Patient/@/_history?_format=xml", NULL, NULL}},
    {"patch in FHIRPath",
     {KEEP},
     {"PATCH", "Patient/@", "Content-Type: application/fhir+json\n" WHOLE,
      "{'resourceType':'Parameters','parameter':[{'name':'operation','part':[{'name':'type',"
      "'valueCode':'insert'},{'name':'path','valueString':'Patient.name[0].given'},{'name':'index',"
      "'valueInteger':0},{'name':'value','valueString':'B'}]}]}"}},
    /* Of a time in which nothing was counted: counts of now change while this runs. */
    {"report on data quality",
     {{0}},
     {"GET", "Measure/data-quality/$evaluate-measure?periodStart=2020&periodEnd=2021", NULL, NULL}},
    {"capability statement", {{0}}, {"GET", "metadata", NULL, NULL}},
    {.name = "batch",
     .before = {KEEP, KEEP_IT},
     .call = {"POST", "", NULL,
              BUNDLE("batch",
                     ENTRY(PERSON, "PUT", "Patient/@") "," ASK("GET", "Patient/@") "," ENTRY(
                         RESULT("b-@", "final"), "PUT",
                         "Observation/b-@") "," ASK("GET",
                                                    "Observation?subject=Patient/"
                                                    "@&code=none") "," ASK("DELETE", "Observation/"
                                                                                     "@"))},
     .each = true},
    {.name = "batch that reads",
     .before = {KEEP, KEEP_IT},
     .call = {"POST", "", NULL,
              BUNDLE("batch",
                     ASK("GET", "Patient/@") "," ASK("GET", "Observation?subject=Patient/@"))},
     .each = true},
    {"transaction",
     {KEEP, KEEP_IT, {"PUT", "Patient/other-@", NULL, "{'resourceType':'Patient','id':'other-@'}"}},
     {"POST", "", NULL,
      BUNDLE(
          "transaction",
          "{'fullUrl':'" UUID "','resource':" NEW_PERSON
          ",'request':{'method':'POST','url':'Patient'}}," ENTRY(
              ABOUT(UUID), "POST",
              "Basic") "," ENTRY(PERSON, "PUT",
                                 "Patient/@") "," ASK("DELETE",
                                                      "Observation/@") "," ASK("GET",
                                                                               "Patient/@") ","
                                                                                            "{'"
                                                                                            "resour"
                                                                                            "ce':{'"
                                                                                            "resour"
                                                                                            "ceType"
                                                                                            "':'"
                                                                                            "Binary"
                                                                                            "','"
                                                                                            "conten"
                                                                                            "tType'"
                                                                                            ":'"
                                                                                            "applic"
                                                                                            "ation/"
                                                                                            "json-"
                                                                                            "patch+"
                                                                                            "json',"
                                                                                            "'data'"
                                                                                            ":'"
                                                                                            "W3sib3"
                                                                                            "AiOiJh"
                                                                                            "ZGQiLC"
                                                                                            "JwYXRo"
                                                                                            "IjoiL2"
                                                                                            "FjdGl2"
                                                                                            "ZSIsIn"
                                                                                            "ZhbHVl"
                                                                                            "Ijp0cn"
                                                                                            "VlfV0="
                                                                                            "'},"
                                                                                            "'reque"
                                                                                            "st':{'"
                                                                                            "method"
                                                                                            "':'"
                                                                                            "PATCH'"
                                                                                            ",'url'"
                                                                                            ":'"
                                                                                            "Patien"
                                                                                            "t/"
                                                                                            "other-"
                                                                                            "@'}"
                                                                                            "}")}},
    {"transaction with conditions",
     {KEEP},
     {"POST", "", "Prefer: return=representation",
      BUNDLE(
          "transaction",
          "{'fullUrl':'" UUID "','resource':" NEW_PERSON
          ",'request':{'method':'POST','url':'Patient','ifNoneExist':'identifier=urn:n|@'}}," ENTRY(
              ABOUT("Patient?" MATCH), "POST",
              "Basic") "," ENTRY(ABOUT(UUID), "POST",
                                 "Basic") "," ENTRY(NEW_PERSON, "PUT",
                                                    "Patient?identifier=urn:m|@"))}},
    {"transaction that reads",
     {KEEP, KEEP_IT},
     {"POST", "", NULL,
      BUNDLE("transaction",
             ASK("GET", "Patient/@") "," ASK("GET", "Observation?subject=Patient/@"))}},
    {"create of a Binary",
     {{0}},
     {"POST", "Binary", "Content-Type: text/plain\nX-Security-Context: Patient/@", "bytes"}},
    {.name = "update of a long Binary",
     .call = {"PUT", "Binary/@", "Content-Type: text/plain", NULL},
     .bytes = LONG_BYTES},
    {"create of a Binary in FHIR form",
     {{0}},
     {"POST", "Binary", FHIR,
      "{'resourceType':'Binary','contentType':'text/plain','data':'YWJj'}"}},
    {"read of a Binary",
     {KEEP,
      {"PUT", "Binary/@", "Content-Type: text/plain\nX-Security-Context: Patient/@", "bytes"}},
     {"GET", "Binary/@", "Accept: text/plain", NULL}},
    {"read of a Binary in FHIR form",
     {KEEP, {"PUT", "Binary/@", "Content-Type: text/plain", "bytes"}},
     {"GET", "Binary/@", "Accept: application/fhir+json", NULL}},
};

/* With referential integrity. */
static const struct script strict_scripts[] = {
    {"create that refers", {KEEP}, {"POST", "Observation", WHOLE, RESULT("x", "final")}},
    {"delete of what nothing refers to", {KEEP}, {"DELETE", "Patient/@", NULL, NULL}},
    {"transaction that refers to itself",
     {KEEP, KEEP_IT},
     {"POST", "", NULL,
      BUNDLE("transaction",
             "{'fullUrl':'" UUID "','resource':" NEW_PERSON
             ",'request':{'method':'POST','url':'Patient'}}," ENTRY(
                 ABOUT(UUID), "POST",
                 "Basic") "," ASK("DELETE", "Observation/@") "," ASK("DELETE", "Patient/@"))}},
};

/* ---- what is longer than a step of a script can be --------------------------------------------
 */

static void put_long(const char *path)
{
    char *bytes = arena_alloc(service_memory(), LONG_BYTES);
    memset(bytes, 'b', LONG_BYTES);
    struct answer answer = caller_send_file(
        service_caller(), "PUT", path, "Content-Type: text/plain", slice_of(bytes, LONG_BYTES));
    assert_true(answer.http < 300);
}

static void reads_long_content(enum fault_kind kind)
{
    put_long("Binary/long");
    static const struct script raw = {
        "read of a long Binary", {{0}}, {"GET", "Binary/long", "Accept: text/plain", NULL}};
    static const struct script fhir = {
        "read of a long Binary in FHIR form",
        {{0}},
        {"GET", "Binary/long", "Accept: application/fhir+json", NULL}};
    torture(&raw, kind);
    torture(&fhir, kind);
}

/* ---- import -----------------------------------------------------------------------------------
 */

struct import_case {
    const char *name;
    const char *text;
    uint64_t resources;
};

static const struct import_case imports[] = {
    {"import of a transaction",
     BUNDLE("transaction", "{'fullUrl':'" UUID "','resource':{'resourceType':'Patient','id':'@'},"
                           "'request':{'method':'POST','url':'Patient'}}," ENTRY(
                               "{'resourceType':'Basic','id':'@','code':{'text':'x'},'subject':{"
                               "'reference':'" UUID "'}}",
                               "POST", "Basic")),
     2},
    {"import of a transaction with a conditional reference",
     BUNDLE("transaction", ENTRY("{'resourceType':'Basic','id':'@','code':{'text':'x'},'subject':{"
                                 "'reference':'Patient?identifier=urn:s|known'}}",
                                 "POST", "Basic")),
     1},
    {"import of lines", PERSON "\n" RESULT("@", "final") "\n", 2},
};

static const char *write_import(const struct import_case *import, const char *mark)
{
    char *text = (char *)(uintptr_t)torture_text(import->text, mark);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    const char *path = text_of("%s/%s.json", service_config.data, mark);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(disk_write_all(file, slice_text(text), 0), STATUS_OK);
    assert_int_equal(close(file), 0);
    return path;
}

static enum status import_once(const char *path, int rejects, struct outcome *outcome,
                               struct feed_result *ret_result)
{
    struct feed_options options = {.service = &service, .rejects = rejects};
    outcome_init(outcome, service_memory());
    return feed_import(&options, &path, 1, outcome, ret_result);
}

static uint64_t changes_now(void)
{
    struct store_statistics numbers;
    assert_int_equal(store_statistics(service.store, &numbers), STATUS_OK);
    return numbers.last_change;
}

/* True: something failed. */
static bool import_round(const struct import_case *import, enum fault_kind kind, unsigned long n,
                         int code)
{
    const char *path = write_import(import, torture_mark());
    int rejects = open(service_config.data, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct outcome outcome;
    struct feed_result result;
    uint64_t before = changes_now();
    fault_begin(kind, n, code);
    enum status status = import_once(path, rejects, &outcome, &result);
    bool hit = fault_end();
    uint64_t stored = changes_now() - before;
    if (status == STATUS_OK ? stored != import->resources || result.stored != import->resources
                            : stored != 0 && stored != import->resources) {
        fail_msg("%s, fault %d %lu (%d): %s, but %llu stored", import->name, (int)kind, n, code,
                 status_name(status), (unsigned long long)stored);
    }
    if (status != STATUS_OK && (status_http(status) < 500 && status != STATUS_TOO_COSTLY)) {
        fail_msg("%s, fault %d %lu (%d): %s", import->name, (int)kind, n, code,
                 status_name(status));
    }
    if (status != STATUS_OK) {
        assert_true(outcome.errors > 0);
        assert_int_equal(import_once(path, rejects, &outcome, &result), STATUS_OK);
        assert_int_equal(changes_now() - before, import->resources);
    }
    assert_int_equal(result.rejected, 0);
    assert_int_equal(lseek(rejects, 0, SEEK_END), 0);
    assert_int_equal(close(rejects), 0);
    return hit;
}

static void imports_from_files(enum fault_kind kind)
{
    assert_true(ask("PUT", "Patient/known", NULL,
                    "{'resourceType':'Patient','id':'known','identifier':[{'system':'urn:s',"
                    "'value':'known'}]}")
                    .http < 300);
    for (size_t i = 0; i < sizeof imports / sizeof imports[0]; i++) {
        (void)import_round(&imports[i], kind, 0, 0);
        bool hit = true;
        for (unsigned long n = 1; hit; n = fault_next(n)) {
            int codes[FAULT_CODES_MOST];
            size_t count = fault_codes(kind, n, codes);
            for (size_t code = 0; code < count && hit; code++) {
                hit = import_round(&imports[i], kind, n, codes[code]);
            }
        }
        print_message("  %s\n", imports[i].name);
    }
}

/* ---- export -----------------------------------------------------------------------------------
 */

static enum status export_once(const char *folder, struct outcome *outcome, uint64_t *ret_count)
{
    outcome_init(outcome, service_memory());
    return feed_export(&service, folder, NULL, NULL, outcome, ret_count);
}

/* All of what is in the files that hold something. */
static size_t exported_bytes(const char *folder)
{
    static const char *const types[] = {"Patient", "Observation", "Binary"};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct slice text;
        const char *path = text_of("%s/%s.ndjson", folder, types[i]);
        assert_int_equal(disk_read_file(path, 16 << 20, service_memory(), &text), STATUS_OK);
        bytes += text.length;
    }
    return bytes;
}

static void exports_to_files(enum fault_kind kind)
{
    const char *folder = text_of("%s/export", service_config.data);
    struct outcome outcome;
    uint64_t count, wanted;
    for (int i = 0; i < 3; i++) {
        const char *mark = torture_mark();
        const char *path = text_of("Observation/%s", mark);
        assert_http(ask("PUT", path, NULL, torture_text(RESULT("@", "final"), mark)), 201);
        path = text_of("Patient/%s", mark);
        assert_http(ask("PUT", path, NULL, torture_text(PERSON, mark)), 201);
    }
    put_long("Binary/long");
    assert_int_equal(export_once(folder, &outcome, &wanted), STATUS_OK);
    size_t bytes = exported_bytes(folder);
    bool hit = true;
    for (unsigned long n = 1; hit; n = fault_next(n)) {
        int codes[FAULT_CODES_MOST];
        size_t code_count = fault_codes(kind, n, codes);
        for (size_t i = 0; i < code_count && hit; i++) {
            fault_begin(kind, n, codes[i]);
            enum status status = export_once(folder, &outcome, &count);
            hit = fault_end();
            assert_true(status == STATUS_OK ? count == wanted : outcome.errors > 0);
            assert_int_equal(exported_bytes(folder), bytes); /* each file is whole, now or before */
        }
    }
    assert_int_equal(export_once(folder, &outcome, &count), STATUS_OK);
    assert_int_equal(count, wanted);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void each_script(enum fault_kind kind)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        torture(&scripts[i], kind);
    }
    service_config.integrity = true;
    for (size_t i = 0; i < sizeof strict_scripts / sizeof strict_scripts[0]; i++) {
        torture(&strict_scripts[i], kind);
    }
    service_config.integrity = false;
    reads_long_content(kind);
    imports_from_files(kind);
}

static void each_allocation_that_fails_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    each_script(FAULT_ALLOCATION);
}

static void each_sql_step_that_fails_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    each_script(FAULT_SQL);
}

static void each_fault_of_an_export_is_told_and_leaves_whole_files(void **state)
{
    (void)state;
    exports_to_files(FAULT_ALLOCATION);
    exports_to_files(FAULT_SQL);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_allocation_that_fails_is_told_and_leaves_nothing,
                                        torture_setup, torture_teardown),
        cmocka_unit_test_setup_teardown(each_sql_step_that_fails_is_told_and_leaves_nothing,
                                        torture_setup, torture_teardown),
        cmocka_unit_test_setup_teardown(each_fault_of_an_export_is_told_and_leaves_whole_files,
                                        torture_setup, torture_teardown),
    };
    cmocka_set_test_filter(count > 2 ? arguments[2] : NULL);
    torture_thorough = count > 1 && strcmp(arguments[1], "every") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
