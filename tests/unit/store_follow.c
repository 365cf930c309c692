/* SPDX-License-Identifier: MIT */
/* From a resource along its references and back: what `_include` and `_revinclude` stand on (R4
 * search, "Including other resources in result"). */

#include "store_test.h"

static struct store_version *items;
static size_t count;
static struct outcome said;

static const char *ids(void)
{
    struct buffer out = {.arena = arena};
    struct slice sorted[16];
    assert_in_range(count, 0, 16);
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && slice_compare(items[i].id, sorted[at - 1]) < 0; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = items[i].id;
    }
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        buffer_add(&out, sorted[i]);
    }
    return as_text(&out);
}

static enum status try_follow(const char *type, const char *id, const char *code,
                              const char *target, size_t most)
{
    struct store_version version;
    struct store_tx *tx = begin();
    assert_int_equal(store_read(tx, type_named(type), slice_text(id), arena, &version), STATUS_OK);
    enum status status = store_follow(
        tx, &version, code != NULL ? parameter_named(type, code) : NULL,
        target != NULL ? type_named(target) : RESOURCE_TYPE_NONE, most, arena, &items, &count);
    store_snapshot_end(tx);
    return status;
}

static const char *follow(const char *type, const char *id, const char *code, const char *target)
{
    assert_int_equal(try_follow(type, id, code, target, 10), STATUS_OK);
    return ids();
}

static enum status try_referrers(const char *type, const char *id, const char *source,
                                 const char *code, size_t most)
{
    struct store_version version;
    struct store_tx *tx = begin();
    outcome_init(&said, arena);
    assert_int_equal(store_read(tx, type_named(type), slice_text(id), arena, &version), STATUS_OK);
    enum status status = store_referrers(
        tx, &version, source != NULL ? type_named(source) : RESOURCE_TYPE_NONE,
        code != NULL ? parameter_named(source, code) : NULL, most, arena, &said, &items, &count);
    store_snapshot_end(tx);
    return status;
}

static const char *referrers(const char *type, const char *id, const char *source, const char *code)
{
    assert_int_equal(try_referrers(type, id, source, code, 10), STATUS_OK);
    return ids();
}

static void put_them(void)
{
    must_put("{'resourceType':'Patient','id':'pat'}");
    must_put("{'resourceType':'Practitioner','id':'doc'}");
    must_put("{'resourceType':'Medication','id':'med'}");
    must_put("{'resourceType':'MedicationRequest','id':'r1','subject':"
             "{'reference':'Patient/pat'},'requester':"
             "{'reference':'http://here.example/fhir/Practitioner/doc'},"
             "'medicationReference':{'reference':'Medication/med/_history/1'},"
             "'performer':{'reference':'Practitioner/doc'}}");
    must_put("{'resourceType':'MedicationRequest','id':'r2','subject':"
             "{'reference':'Patient/pat'},'requester':{'reference':'Practitioner/later'},"
             "'recorder':{'reference':'http://elsewhere.example/Practitioner/doc'}}");
    must_put("{'resourceType':'Provenance','id':'prov','target':["
             "{'reference':'MedicationRequest/r1'}]}");
}

static void follows_one_parameter_or_all_of_them(void **state)
{
    (void)state;
    put_them();
    assert_string_equal(follow("MedicationRequest", "r1", "subject", NULL), "pat");
    assert_string_equal(follow("MedicationRequest", "r1", "requester", NULL), "doc");
    assert_string_equal(follow("MedicationRequest", "r1", "medication", NULL), "med");
    assert_true(items[0].body.length > 0);
    assert_string_equal(follow("MedicationRequest", "r1", NULL, NULL), "doc med pat");
    assert_string_equal(follow("MedicationRequest", "r1", NULL, "Practitioner"), "doc");
    assert_string_equal(follow("MedicationRequest", "r1", "subject", "Practitioner"), "");
    assert_string_equal(follow("Patient", "pat", NULL, NULL), "");
}

static void follows_only_to_what_is_here_now(void **state)
{
    (void)state;
    put_them();
    assert_string_equal(follow("MedicationRequest", "r2", NULL, NULL), "pat");
    must_put("{'resourceType':'Practitioner','id':'later'}");
    assert_string_equal(follow("MedicationRequest", "r2", NULL, NULL), "later pat");
    assert_int_equal(try_delete("Practitioner", "later", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(follow("MedicationRequest", "r2", NULL, NULL), "pat");
}

static void finds_what_refers_to_it(void **state)
{
    (void)state;
    put_them();
    assert_string_equal(referrers("Patient", "pat", "MedicationRequest", "subject"), "r1 r2");
    assert_string_equal(referrers("Patient", "pat", "MedicationRequest", "requester"), "");
    assert_string_equal(referrers("Practitioner", "doc", "MedicationRequest", NULL), "r1");
    assert_string_equal(referrers("MedicationRequest", "r1", "Provenance", "target"), "prov");
    assert_string_equal(referrers("MedicationRequest", "r1", NULL, NULL), "prov");
    assert_string_equal(referrers("Patient", "pat", NULL, NULL), "r1 r2");
    assert_int_equal(try_delete("MedicationRequest", "r1", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(referrers("Patient", "pat", NULL, NULL), "r2");
}

static void gives_no_part_of_too_many(void **state)
{
    (void)state;
    put_them();
    assert_int_equal(try_follow("MedicationRequest", "r1", NULL, NULL, 3), STATUS_OK);
    assert_int_equal(try_follow("MedicationRequest", "r1", NULL, NULL, 2), STATUS_TOO_COSTLY);
    assert_int_equal(try_referrers("Patient", "pat", NULL, NULL, 2), STATUS_OK);
    assert_int_equal(try_referrers("Patient", "pat", NULL, NULL, 1), STATUS_TOO_COSTLY);
}

/* As by a parameter that is new with this program, until all is indexed by it. */
static void refuses_what_is_not_indexed_yet_and_says_so(void **state)
{
    (void)state;
    put_them();
    store_shut();
    meddle("UPDATE parameter SET ready=0 WHERE code='subject'");
    /* Who only reads does not index. */
    struct store_options options = {
        .folder = folder, .definitions = definitions, .read_only = true};
    options.database = on_server() ? database : NULL;
    assert_int_equal(store_open(&options, NULL, &store), STATUS_OK);
    assert_int_equal(store_reader_open(store, &reader), STATUS_OK);
    assert_int_equal(try_referrers("Patient", "pat", "MedicationRequest", "subject", 10),
                     STATUS_TRANSIENT);
    assert_non_null(said.first);
    assert_non_null(memmem(said.first->text.at, said.first->text.length, "being indexed", 13));
    assert_string_equal(referrers("Patient", "pat", "MedicationRequest", "patient"), "r1 r2");
    store_shut();
    store_reopen_with(NULL);
    assert_int_equal(store_learned(store), STATUS_OK);
    assert_string_equal(referrers("Patient", "pat", "MedicationRequest", "subject"), "r1 r2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(follows_one_parameter_or_all_of_them),
        STORE_TEST(follows_only_to_what_is_here_now),
        STORE_TEST(finds_what_refers_to_it),
        STORE_TEST(gives_no_part_of_too_many),
        STORE_TEST(refuses_what_is_not_indexed_yet_and_says_so),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
