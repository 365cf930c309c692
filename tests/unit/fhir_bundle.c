/* SPDX-License-Identifier: MIT */
/* Batches and transactions (R4 http.html "batch/transaction", bundle.html "Resolving references in
 * Bundles"). */
#include "fhir_test.h"

static struct outcome outcome;
static struct bundle bundle;

static enum status read_entries(const char *type, const char *entries)
{
    outcome_init(&outcome, arena);
    return bundle_read(
        definitions,
        parse(arena_print(arena, "{'resourceType':'Bundle','type':'%s','entry':[%s]}", type,
                          entries)),
        SLICE("https://our.example/fhir"), arena, &outcome, &bundle);
}

static void read_transaction(const char *entries)
{
    enum status status = read_entries("transaction", entries);
    if (status != STATUS_OK) {
        print_message("%.*s: %.*s\n", SLICE_ARGS(outcome.first->path),
                      SLICE_ARGS(outcome.first->text));
    }
    assert_int_equal(status, STATUS_OK);
}

/* The one problem of a transaction is at this path. */
static void assert_fault(const char *entries, const char *path, enum status expected)
{
    assert_string_equal(status_name(read_entries("transaction", entries)), status_name(expected));
    assert_true(outcome.errors > 0);
    assert_string_equal(arena_copy(arena, outcome.first->path).at, path);
}

#define PATIENT "'resource':{'resourceType':'Patient'}"

static void reads_what_entries_ask(void **state)
{
    (void)state;
    read_transaction(
        "{'fullUrl':'urn:uuid:1'," PATIENT ",'request':{'method':'POST','url':'Patient',"
        "'ifNoneExist':'identifier=x|1'}},"
        "{'resource':{'resourceType':'Patient','id':'7'},'request':{'method':'PUT',"
        "'url':'Patient/7','ifMatch':'W/\\u00223\\u0022'}},"
        "{'request':{'method':'DELETE','url':'Patient?identifier=x|2'}},"
        "{'request':{'method':'GET','url':'https://our.example/fhir/Patient/8/_history/2?_pretty="
        "true','ifNoneMatch':'W/\\u00221\\u0022','ifModifiedSince':'2020-01-01T00:00:00Z'}},"
        "{'request':{'method':'GET','url':'Patient/$everything?_count=1'}},"
        "{'request':{'method':'HEAD','url':'metadata'}},"
        "{'request':{'method':'GET','url':'?_type=Patient'}},"
        "{'resource':{'resourceType':'Binary'},'request':{'method':'PATCH','url':'Patient/9'}}");
    assert_true(bundle.transaction);
    assert_int_equal(bundle.count, 8);
    const struct bundle_entry *entries = bundle.entries;
    assert_int_equal(entries[0].method, BUNDLE_POST);
    assert_true(slice_is(entries[0].if_none_exist, "identifier=x|1"));
    assert_true(slice_is(entries[1].id, "7"));
    assert_true(slice_is(entries[1].if_match, "W/\"3\""));
    assert_true(slice_is(entries[2].query, "identifier=x|2"));
    assert_int_equal(entries[2].id.length, 0);
    assert_true(slice_is(entries[3].url, "Patient/8/_history/2?_pretty=true"));
    assert_true(slice_is(entries[3].id, "8"));
    assert_true(slice_is(entries[3].below, "_history/2"));
    assert_true(slice_is(entries[3].if_none_match, "W/\"1\""));
    assert_true(slice_is(entries[3].if_modified_since, "2020-01-01T00:00:00Z"));
    assert_true(slice_is(entries[4].below, "$everything"));
    assert_int_equal(entries[4].id.length, 0);
    assert_true(slice_is(entries[5].below, "metadata"));
    assert_int_equal(entries[6].type, RESOURCE_TYPE_NONE);
    assert_true(slice_is(entries[6].query, "_type=Patient"));
}

static void processes_in_the_order_of_the_specification(void **state)
{
    (void)state;
    static const char entries[] =
        "{'request':{'method':'GET','url':'Patient/1'}},"
        "{'resource':{'resourceType':'Patient','id':'2'},'request':{'method':'PUT','url':"
        "'Patient/2'}},"
        "{" PATIENT ",'request':{'method':'POST','url':'Patient'}},"
        "{'request':{'method':'HEAD','url':'Patient/1'}},"
        "{'resource':{'resourceType':'Binary'},'request':{'method':'PATCH','url':'Patient/3'}},"
        "{'request':{'method':'DELETE','url':'Patient/4'}},"
        "{" PATIENT ",'request':{'method':'POST','url':'Patient'}}";
    static const size_t expected[] = {5, 2, 6, 1, 4, 0, 3};
    read_transaction(entries);
    struct bundle_entry *const *order = bundle_order(&bundle, arena);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(order[i]->index, expected[i]);
    }
    assert_int_equal(read_entries("batch", entries), STATUS_OK);
    order = bundle_order(&bundle, arena);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(order[i]->index, i);
    }
}

static void names_what_is_wrong_with_an_entry(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *member;
        enum status status;
    } faults[] = {
        {"7", "request", STATUS_REQUIRED},
        {"{}", "request", STATUS_REQUIRED},
        {"{'request':{'url':'Patient/1'}}", "request.method", STATUS_REQUIRED},
        {"{'request':{'method':'get','url':'Patient/1'}}", "request.method", STATUS_VALUE},
        {"{'request':{'method':'GET'}}", "request.url", STATUS_REQUIRED},
        {"{'request':{'method':'GET','url':'/Patient/1'}}", "request.url", STATUS_VALUE},
        {"{'request':{'method':'GET','url':'https://other.example/fhir/Patient/1'}}", "request.url",
         STATUS_VALUE},
        {"{'request':{'method':'GET','url':'Nobody/1'}}", "request.url", STATUS_VALUE},
        {"{'request':{'method':'GET','url':'Patient/a_b'}}", "request.url", STATUS_VALUE},
        {"{'request':{'method':'POST','url':'Patient'}}", "resource", STATUS_REQUIRED},
        {"{'resource':{},'request':{'method':'POST','url':'Patient'}}", "resource",
         STATUS_STRUCTURE},
        {"{'resource':{'resourceType':'Group'},'request':{'method':'POST','url':'Patient'}}",
         "resource.resourceType", STATUS_INVALID},
        {"{" PATIENT ",'request':{'method':'POST','url':'Patient/1'}}", "request.url",
         STATUS_INVALID},
        {"{" PATIENT ",'request':{'method':'PUT','url':'Patient'}}", "request.url", STATUS_INVALID},
        {"{" PATIENT ",'request':{'method':'PUT','url':'Patient/1'}}", "resource.id",
         STATUS_INVALID},
        {"{'request':{'method':'PATCH','url':'Patient/1'}}", "resource", STATUS_REQUIRED},
        {"{'request':{'method':'DELETE','url':'Patient'}}", "request.url", STATUS_INVALID},
        {"{'request':{'method':'DELETE','url':'Patient/1/_history/2'}}", "request.url",
         STATUS_INVALID},
        {"{'request':{'method':'DELETE','url':'Patient/1','ifNoneExist':'x=1'}}",
         "request.ifNoneExist", STATUS_INVALID},
        {"{'request':{'method':'GET','url':'Patient/1','ifMatch':7}}", "request.ifMatch",
         STATUS_STRUCTURE},
        {"{'fullUrl':'Patient/1','request':{'method':'GET','url':'Patient/1'}}", "fullUrl",
         STATUS_INVALID},
        {"{'fullUrl':'https://x/Patient/1/_history/2','request':{'method':'GET','url':"
         "'Patient/1'}}",
         "fullUrl", STATUS_INVALID},
        {"{'fullUrl':'https://x/Group/1'," PATIENT ",'request':{'method':'POST','url':'Patient'}}",
         "fullUrl", STATUS_INVALID},
        {"{'fullUrl':'https://x/Patient/1','resource':{'resourceType':'Patient','id':'2'},"
         "'request':{'method':'PUT','url':'Patient/2'}}",
         "fullUrl", STATUS_INVALID},
    };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_fault(faults[i].entry, arena_print(arena, "Bundle.entry[0].%s", faults[i].member),
                     faults[i].status);
    }
}

static void reports_every_faulty_entry(void **state)
{
    (void)state;
    assert_int_equal(read_entries("transaction", "{'request':{'method':'GET','url':'Nobody/1'}},"
                                                 "{'request':{'method':'GET','url':'Patient/1'}},"
                                                 "{'request':{'method':'PUT','url':'Patient/1'}}"),
                     STATUS_VALUE);
    assert_int_equal(outcome.errors, 2);
    assert_true(slice_is(outcome.last->path, "Bundle.entry[2].resource"));
}

static void lets_the_good_entries_of_a_batch_be_done(void **state)
{
    (void)state;
    assert_int_equal(read_entries("batch", "{'request':{'method':'GET','url':'Nobody/1'}},"
                                           "{'request':{'method':'GET','url':'Patient/1'}}"),
                     STATUS_OK);
    assert_int_equal(bundle.entries[0].status, STATUS_VALUE);
    assert_int_equal(bundle.entries[0].faults->errors, 1);
    assert_int_equal(bundle.entries[1].status, STATUS_OK);
    assert_null(bundle.entries[1].faults);
}

static void refuses_what_is_neither_batch_nor_transaction(void **state)
{
    (void)state;
    assert_int_equal(read_entries("collection", ""), STATUS_INVALID);
    assert_int_equal(bundle_read(definitions, parse("{'resourceType':'Patient'}"), SLICE(""), arena,
                                 &outcome, &bundle),
                     STATUS_STRUCTURE);
    assert_int_equal(bundle_read(definitions, parse("[]"), SLICE(""), arena, &outcome, &bundle),
                     STATUS_STRUCTURE);
    assert_int_equal(bundle_read(definitions,
                                 parse("{'resourceType':'Bundle','type':'batch','entry':{}}"),
                                 SLICE(""), arena, &outcome, &bundle),
                     STATUS_STRUCTURE);
    assert_int_equal(bundle_read(definitions, parse("{'resourceType':'Bundle','type':'batch'}"),
                                 SLICE(""), arena, &outcome, &bundle),
                     STATUS_OK);
    assert_int_equal(bundle.count, 0);
}

static void refuses_two_changes_of_one_resource(void **state)
{
    (void)state;
    static const char entries[] =
        "{'resource':{'resourceType':'Patient','id':'1'},'request':{'method':'PUT','url':"
        "'Patient/1'}},{'request':{'method':'DELETE','url':'Patient/1'}}";
    assert_fault(entries, "Bundle.entry[1].request.url", STATUS_INVALID);
    assert_int_equal(read_entries("batch", entries), STATUS_OK);
    assert_int_equal(bundle.entries[1].status, STATUS_OK);
    read_transaction("{'request':{'method':'DELETE','url':'Patient/1'}},"
                     "{'request':{'method':'DELETE','url':'Group/1'}},"
                     "{'request':{'method':'GET','url':'Patient/1'}}");
}

static void refuses_conditional_changes_that_turn_out_to_overlap(void **state)
{
    (void)state;
    read_transaction("{'request':{'method':'DELETE','url':'Patient/1'}},"
                     "{" PATIENT ",'request':{'method':'PUT','url':'Patient?identifier=1'}}");
    struct bundle_entry *entry = &bundle.entries[1];
    assert_int_equal(bundle_claim(definitions, &bundle, entry, SLICE("2"), &outcome), STATUS_OK);
    assert_int_equal(bundle_claim(definitions, &bundle, entry, SLICE("2"), &outcome), STATUS_OK);
    assert_int_equal(bundle_claim(definitions, &bundle, entry, SLICE("1"), &outcome),
                     STATUS_INVALID);
    assert_true(slice_is(outcome.last->path, "Bundle.entry[1].request.url"));
}

static void refuses_two_entries_with_one_fullurl(void **state)
{
    (void)state;
    assert_fault("{'fullUrl':'urn:uuid:1'," PATIENT ",'request':{'method':'POST','url':'Patient'}},"
                 "{'fullUrl':'urn:uuid:1'," PATIENT ",'request':{'method':'POST','url':'Patient'}}",
                 "Bundle.entry[1].fullUrl", STATUS_INVALID);
}

/* ---- links ---- */

static const char *resolved_in(size_t index)
{
    const struct bundle_entry *entry = &bundle.entries[index];
    struct bundle_linker linker;
    struct buffer out = {.arena = arena};
    struct link_changes changes = {.arena = arena};
    bundle_linker_start(&linker, definitions, &bundle, entry);
    assert_int_equal(resource_exchange_links(definitions, entry->resource_type, entry->resource,
                                             bundle_link_resolve, &linker, &changes),
                     STATUS_OK);
    json_write(entry->resource, NULL, NULL, &out);
    resource_restore_links(&changes);
    return as_text(&out);
}

#define OBSERVATION(url, reference)                                                                \
    "{'fullUrl':'" url "','resource':{'resourceType':'Observation','subject':{'reference':"        \
    "'" reference "'}},'request':{'method':'POST','url':'Observation'}}"

static void assert_subject(size_t index, const char *reference)
{
    assert_json(resolved_in(index),
                arena_print(arena, "{'resourceType':'Observation','subject':{'reference':'%s'}}",
                            reference));
}

static void resolves_fullurls_once_their_ids_are_known(void **state)
{
    (void)state;
    read_transaction(OBSERVATION(
        "urn:uuid:2", "urn:uuid:1") ","
                                    "{'fullUrl':'urn:uuid:1'," PATIENT
                                    ",'request':{'method':'POST','url':'Patient','ifNoneExist':'"
                                    "identifier=1'}}," OBSERVATION("urn:uuid:3", "urn:uuid:9"));
    assert_subject(0, "urn:uuid:1");
    assert_int_equal(bundle_set_target(definitions, &bundle, &bundle.entries[1], SLICE("77")),
                     STATUS_OK);
    assert_subject(0, "Patient/77");
    assert_subject(2, "urn:uuid:9");
}

static void resolves_relative_references_below_the_root_of_the_fullurl(void **state)
{
    (void)state;
    read_transaction(
        "{'fullUrl':'https://x.example/r4/Patient/1','resource':{'resourceType':'Patient','id':'1'"
        "},'request':{'method':'POST','url':'Patient'}}," OBSERVATION(
            "https://x.example/r4/Observation/1",
            "Patient/1") "," OBSERVATION("https://y.example/r4/Observation/1",
                                         "Patient/1") "," OBSERVATION("urn:uuid:1",
                                                                      "Patient/1") "," OBSERVATION("urn:uuid:2",
                                                                                                   "https://x.example/r4/Patient/1") "," OBSERVATION("https://x.example/r4/Observation/2",
                                                                                                                                                     "Patient/1/_history/4") "," OBSERVATION("https://x.example/r4/Observation/3",
                                                                                                                                                                                             "Patient/2"));
    assert_int_equal(bundle_set_target(definitions, &bundle, &bundle.entries[0], SLICE("77")),
                     STATUS_OK);
    assert_subject(1, "Patient/77");
    assert_subject(2, "Patient/1");
    assert_subject(3, "Patient/1");
    assert_subject(4, "Patient/77");
    assert_subject(5, "Patient/1/_history/4");
    assert_subject(6, "Patient/2");
}

static void knows_the_id_of_an_update_from_the_start(void **state)
{
    (void)state;
    read_transaction(
        "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Patient','id':'5'},"
        "'request':{'method':'PUT','url':'Patient/5'}}," OBSERVATION("urn:uuid:2", "urn:uuid:1"));
    assert_subject(1, "Patient/5");
}

static void keeps_the_fragment_of_a_link(void **state)
{
    (void)state;
    read_transaction("{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Patient','id':'5'},"
                     "'request':{'method':'PUT','url':'Patient/5'}}," OBSERVATION(
                         "urn:uuid:2", "urn:uuid:1#x") "," OBSERVATION("urn:uuid:3", "#x"));
    assert_subject(1, "Patient/5#x");
    assert_subject(2, "#x");
}

static void exchanges_links_in_uris_and_narrative(void **state)
{
    (void)state;
    read_transaction(
        "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Patient','id':'5'},"
        "'request':{'method':'PUT','url':'Patient/5'}},"
        "{'resource':{'resourceType':'Composition','text':{'div':'<div><a href=\\u0022urn:uuid:1"
        "\\u0022>x</a>urn:uuid:1</div>'},'extension':[{'url':'http://x','valueUri':'urn:uuid:1'},"
        "{'url':'http://y','valueCanonical':'urn:uuid:1'}]},'request':{'method':'POST','url':"
        "'Composition'}}");
    assert_json(resolved_in(1),
                "{'resourceType':'Composition','text':{'div':'<div><a href=\\u0022Patient/5"
                "\\u0022>x</a>urn:uuid:1</div>'},'extension':[{'url':'http://x','valueUri':"
                "'Patient/5'},{'url':'http://y','valueCanonical':'urn:uuid:1'}]}");
}

static void finds_and_resolves_conditional_references(void **state)
{
    (void)state;
    read_transaction(OBSERVATION("urn:uuid:1", "Patient?identifier=x|1") "," OBSERVATION(
        "urn:uuid:2",
        "Patient?identifier=x|1") "," OBSERVATION("urn:uuid:3",
                                                  "Group?identifier=x|1") "," OBSERVATION("urn:"
                                                                                          "uuid:4",
                                                                                          "Patient/"
                                                                                          "1"));
    struct bundle_query *queries;
    size_t count;
    assert_int_equal(bundle_queries(definitions, &bundle, &queries, &count), STATUS_OK);
    assert_int_equal(count, 2);
    assert_true(slice_is(queries[0].query, "identifier=x|1"));
    assert_int_equal(queries[0].entry->index, 0);
    assert_int_equal(queries[1].entry->index, 2);
    assert_true(slice_is(resource_type_name(definitions, queries[1].type), "Group"));
    assert_int_equal(link_set(definitions, &bundle, queries[0].link, queries[0].type, SLICE("9")),
                     STATUS_OK);
    assert_subject(0, "Patient/9");
    assert_subject(1, "Patient/9");
    assert_subject(2, "Group?identifier=x|1");
}

static void holds_thousands_of_links(void **state)
{
    (void)state;
    struct buffer entries = {.arena = arena};
    for (int i = 0; i < 3000; i++) {
        buffer_print(&entries,
                     "%s{'fullUrl':'urn:uuid:%d','resource':{'resourceType':'Patient','id':'p%d'},"
                     "'request':{'method':'PUT','url':'Patient/p%d'}}",
                     i > 0 ? "," : "", i, i, i);
    }
    buffer_add_byte(&entries, '\0');
    read_transaction(entries.at);
    struct bundle_linker linker;
    bundle_linker_start(&linker, definitions, &bundle, &bundle.entries[0]);
    for (int i = 0; i < 3000; i++) {
        struct slice text;
        assert_true(
            bundle_link_resolve(&linker, slice_text(arena_print(arena, "urn:uuid:%d", i)), &text));
        assert_true(slice_is(text, arena_print(arena, "Patient/p%d", i)));
    }
}

static void survives_a_lack_of_memory_at_any_point(void **state)
{
    (void)state;
    yyjson_val *value =
        parse("{'resourceType':'Bundle','type':'transaction','entry':[{'fullUrl':'urn:uuid:1',"
              "'resource':{'resourceType':'Patient','id':'5','managingOrganization':{'reference':"
              "'Organization?name=x'}},'request':{'method':'PUT','url':'Patient/5'}}]}");
    enum status status = STATUS_INTERNAL;
    for (unsigned long i = 1; i < 200 && status != STATUS_OK; i++) {
        struct arena *small = arena_create((size_t)1 << 20);
        struct bundle_query *queries;
        size_t count;
        arena_fail_after(i);
        status = bundle_read(definitions, value, SLICE(""), small, NULL, &bundle);
        if (status == STATUS_OK) {
            status = bundle_queries(definitions, &bundle, &queries, &count);
        }
        arena_fail_after(0);
        assert_true(status == STATUS_OK || status == STATUS_TOO_COSTLY);
        arena_destroy(small);
    }
    assert_int_equal(status, STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(reads_what_entries_ask),
        FHIR_TEST(processes_in_the_order_of_the_specification),
        FHIR_TEST(names_what_is_wrong_with_an_entry),
        FHIR_TEST(reports_every_faulty_entry),
        FHIR_TEST(lets_the_good_entries_of_a_batch_be_done),
        FHIR_TEST(refuses_what_is_neither_batch_nor_transaction),
        FHIR_TEST(refuses_two_changes_of_one_resource),
        FHIR_TEST(refuses_conditional_changes_that_turn_out_to_overlap),
        FHIR_TEST(refuses_two_entries_with_one_fullurl),
        FHIR_TEST(resolves_fullurls_once_their_ids_are_known),
        FHIR_TEST(resolves_relative_references_below_the_root_of_the_fullurl),
        FHIR_TEST(knows_the_id_of_an_update_from_the_start),
        FHIR_TEST(keeps_the_fragment_of_a_link),
        FHIR_TEST(exchanges_links_in_uris_and_narrative),
        FHIR_TEST(finds_and_resolves_conditional_references),
        FHIR_TEST(holds_thousands_of_links),
        FHIR_TEST(survives_a_lack_of_memory_at_any_point),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
