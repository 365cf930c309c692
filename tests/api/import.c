/* SPDX-License-Identifier: MIT */
/* Conditional references in what is imported (R4 http, "Conditional references"). */
#include <fcntl.h>
#include <unistd.h>

#include "feed/feed.h"
#include "service.h"

#define PRACTITIONER(id, value)                                                                    \
    "{'resourceType':'Practitioner','id':'" id "','identifier':[{'system':'urn:s','value':"        \
    "'" value "'}]}"
#define ENCOUNTER(id, reference)                                                                   \
    "{'resource':{'resourceType':'Encounter','id':'" id "','status':'finished','class':{'code':"   \
    "'AMB'},'participant':[{'individual':{'reference':'" reference "'}}]},"                        \
    "'request':{'method':'POST','url':'Encounter'}}"
#define TRANSACTION(entries) "{'resourceType':'Bundle','type':'transaction','entry':[" entries "]}"

static const char *file_of(const char *name, const char *text)
{
    const char *path = text_of("%s/%s.json", service_config.data, name);
    struct slice body = arena_copy(service_memory(), slice_text(text));
    for (size_t i = 0; i < body.length; i++) {
        char *at = (char *)(uintptr_t)body.at;
        at[i] = at[i] == '\'' ? '"' : at[i];
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(disk_write_all(file, body, 0), STATUS_OK);
    assert_int_equal(close(file), 0);
    return path;
}

struct imported {
    struct feed_result result;
    struct slice rejects;
};

static struct imported import_files(bool split, size_t count, const char *const *files)
{
    struct imported imported;
    struct outcome outcome;
    const char *rejects = text_of("%s/rejects", service_config.data);
    struct feed_options options = {.service = &service,
                                   .split = split,
                                   .rejects =
                                       open(rejects, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    outcome_init(&outcome, service_memory());
    assert_int_equal(feed_import(&options, files, count, &outcome, &imported.result), STATUS_OK);
    assert_int_equal(disk_read_file(rejects, 1 << 20, service_memory(), &imported.rejects),
                     STATUS_OK);
    assert_int_equal(close(options.rejects), 0);
    return imported;
}

static bool tells(struct imported imported, const char *text)
{
    return memmem(imported.rejects.at, imported.rejects.length, text, strlen(text)) != NULL;
}

static void resolves_a_conditional_reference_to_what_came_before(void **state)
{
    (void)state;
    const char *files[] = {
        file_of("a", PRACTITIONER("dr", "1")),
        file_of("b", TRANSACTION(ENCOUNTER("e", "Practitioner?identifier=urn:s|1") "," ENCOUNTER(
                         "f", "Practitioner?identifier=urn:s|1"))),
    };
    struct imported imported = import_files(false, 2, files);
    assert_int_equal(imported.result.stored, 3);
    assert_int_equal(imported.result.rejected, 0);
    assert_int_equal(imported.rejects.length, 0);
    assert_text(get("Encounter/e"), "participant.0.individual.reference", "Practitioner/dr");
    assert_int_equal(count_of("Encounter?participant=Practitioner/dr"), 2);
    /* It is there from the start: the drafts are made before the transaction. */
    const char *later =
        file_of("c", TRANSACTION(ENCOUNTER("g", "Practitioner?identifier=urn:s|1")));
    assert_int_equal(import_files(false, 1, &later).result.stored, 1);
    assert_text(get("Encounter/g"), "participant.0.individual.reference", "Practitioner/dr");
}

static void knows_addresses_below_the_base_url_as_its_own(void **state)
{
    (void)state;
    const char *before = service_config.base_url;
    service_config.base_url = "http://here.example/fhir/";
    const char *file = file_of(
        "own", "{'resourceType':'Basic','id':'own','code':{'text':'x'},'subject':{'reference':"
               "'http://here.example/fhir/Patient/own'}}");
    assert_int_equal(import_files(false, 1, &file).result.stored, 1);
    service_config.base_url = before;
    assert_int_equal(count_of("Basic?subject=Patient/own"), 1);
}

static void keeps_the_order_of_bundles_in_lines(void **state)
{
    (void)state;
    const char *lines = file_of(
        "lines",
        PRACTITIONER("dr", "1") "\n" TRANSACTION(ENCOUNTER(
            "e",
            "Practitioner?identifier=urn:s|"
            "1")) "\n" PRACTITIONER("dr",
                                    "2") "\n" TRANSACTION(ENCOUNTER("e", "Practitioner?identifier="
                                                                         "urn:s|2")) "\n");
    struct imported imported = import_files(false, 1, &lines);
    assert_int_equal(imported.result.stored, 4);
    assert_text(get("Encounter/e"), "meta.versionId", "2");
    assert_text(get("Encounter/e"), "participant.0.individual.reference", "Practitioner/dr");
    assert_http(get("Encounter/e/_history/1"), 200);
}

static void rejects_a_transaction_whose_reference_meets_nothing_or_several(void **state)
{
    (void)state;
    static const char *const queries[] = {"identifier=urn:s|none", "identifier=urn:s|2",
                                          "colour=red"};
    const char *two[] = {file_of("a", PRACTITIONER("a", "2")),
                         file_of("b", PRACTITIONER("b", "2"))};
    assert_int_equal(import_files(false, 2, two).result.stored, 2);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        const char *text = text_of(TRANSACTION("%s," ENCOUNTER("x", "Practitioner?%s")),
                                   ENCOUNTER("w", "Practitioner/a"), queries[i]);
        const char *path = file_of(text_of("c%zu", i), text);
        struct imported imported = import_files(false, 1, &path);
        assert_int_equal(imported.result.stored, 0);
        assert_int_equal(imported.result.rejected, 2);
        assert_true(tells(imported, "\"entry\":1,\"type\":\"Encounter\""));
        assert_true(tells(imported, "A conditional reference meets no resource or several"));
        assert_true(tells(imported, "all or nothing"));
        assert_false(tells(imported, "urn:s"));
        assert_int_equal(count_of("Encounter"), 0);
    }
}

static void split_rejects_only_what_is_not_resolved(void **state)
{
    (void)state;
    const char *path = file_of("a", TRANSACTION(ENCOUNTER("w", "Practitioner/a") "," ENCOUNTER(
                                        "x", "Practitioner?identifier=none")));
    struct imported imported = import_files(true, 1, &path);
    assert_int_equal(imported.result.stored, 1);
    assert_int_equal(imported.result.rejected, 1);
    assert_http(get("Encounter/w"), 200);
    assert_http(get("Encounter/x"), 404);
}

static void takes_bundles_and_resources_in_xml(void **state)
{
    (void)state;
    const char *files[] = {
        file_of("a", "<Bundle xmlns='http://hl7.org/fhir'><type value='transaction'/><entry>"
                     "<fullUrl value='urn:uuid:5cb4a9ab-9a4c-4e6a-9ad8-2a7b26b3b001'/><resource>"
                     "<Patient><name><family value='Ash'/></name></Patient></resource><request>"
                     "<method value='POST'/><url value='Patient'/></request></entry></Bundle>"),
        file_of("b", "\n<?xml-stylesheet x?>\n<Practitioner xmlns='http://hl7.org/fhir'>\n<id "
                     "value='dr'/></Practitioner>\n"),
        file_of("c", "<Patient xmlns='http://hl7.org/fhir'>\n<nick value='x'/></Patient>"),
        file_of("d", "<!DOCTYPE p [<!ENTITY x 'y'>]><Patient xmlns='http://hl7.org/fhir'/>")};
    struct imported imported = import_files(false, 4, files);
    assert_int_equal(imported.result.stored, 2);
    assert_int_equal(imported.result.rejected, 2);
    assert_text(get("Patient/5cb4a9ab-9a4c-4e6a-9ad8-2a7b26b3b001"), "name.0.family", "Ash");
    assert_http(get("Practitioner/dr"), 200);
    assert_true(tells(imported, "has no element of the name on this line"));
    assert_true(tells(imported, "document type"));
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(resolves_a_conditional_reference_to_what_came_before),
        SERVICE_TEST(knows_addresses_below_the_base_url_as_its_own),
        SERVICE_TEST(keeps_the_order_of_bundles_in_lines),
        SERVICE_TEST(rejects_a_transaction_whose_reference_meets_nothing_or_several),
        SERVICE_TEST(split_rejects_only_what_is_not_resolved),
        SERVICE_TEST(takes_bundles_and_resources_in_xml),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
