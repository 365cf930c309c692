/* SPDX-License-Identifier: MIT */
/* Whom a resource concerns by way of others, whatever comes first. */

#include "store_test.h"

/* The ids of the patients of a version, sorted by their numbers: "p1 p2". */
static const char *patients_of(const struct store_version *version)
{
    struct buffer out = {.arena = arena};
    struct store_tx *tx = begin();
    uint32_t last = 0;
    for (size_t i = 0; i < version->patient_count; i++) {
        uint32_t next = UINT32_MAX;
        for (size_t j = 0; j < version->patient_count; j++) {
            uint32_t each = version->patients[j];
            next = each > last && each < next ? each : next;
        }
        struct slice id;
        if (next == UINT32_MAX) {
            break; /* one was there twice */
        }
        assert_int_equal(store_patient_id(tx, next, arena, &id), STATUS_OK);
        buffer_add_text(&out, i > 0 ? " " : "");
        buffer_add(&out, id);
        last = next;
    }
    store_snapshot_end(tx);
    return as_text(&out);
}

static void assert_concerns(const char *type, const char *id, const char *wanted)
{
    struct store_version version;
    enum status status = try_read(type, id, &version);
    assert_true(status == STATUS_OK || status == STATUS_GONE);
    assert_string_equal(patients_of(&version), wanted);
}

static void assert_version_concerns(const char *type, const char *id, uint32_t number,
                                    const char *wanted)
{
    struct store_version version;
    struct store_tx *tx = begin();
    enum status status =
        store_read_version(tx, type_named(type), slice_text(id), number, arena, &version);
    store_snapshot_end(tx);
    assert_true(status == STATUS_OK || status == STATUS_GONE);
    assert_string_equal(patients_of(&version), wanted);
}

/* All of a type in somebody's record. */
static const char *in_record(const char *patient, const char *type)
{
    struct store_query query = {
        .type = type_named(type), .has_patient = true, .patient = slice_text(patient), .count = 50};
    struct store_page page;
    struct store_tx *tx = begin();
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    return ids_of(&page);
}

static void check_is_clean(void)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    enum status status = store_check(store, NULL, NULL, &outcome);
    if (status != STATUS_OK && outcome.first != NULL) {
        fail_msg("%.*s", SLICE_ARGS(outcome.first->text));
    }
    assert_int_equal(status, STATUS_OK);
}

static const char p1[] = "{'resourceType':'Patient','id':'p1','identifier':[{'system':'nhs',"
                         "'value':'9990000018'}]}";
static const char p2[] = "{'resourceType':'Patient','id':'p2'}";
static const char visit[] = "{'resourceType':'Encounter','id':'e','subject':{'reference':"
                            "'Patient/p1'}}";
static const char answers[] = "{'resourceType':'QuestionnaireResponse','id':'q','subject':"
                              "{'reference':'Encounter/e'}}";

static void concerns_whom_its_encounter_is_about(void **state)
{
    (void)state;
    must_put(p1);
    must_put(visit);
    assert_true(must_put(answers).tied);
    must_put("{'resourceType':'Media','id':'m','encounter':{'reference':'Encounter/e'}}");
    assert_concerns("QuestionnaireResponse", "q", "p1");
    assert_concerns("Media", "m", "p1");
    assert_string_equal(in_record("p1", "QuestionnaireResponse"), "q");
    assert_string_equal(in_record("p1", "Media"), "m");
    check_is_clean();
}

static void may_come_before_what_it_is_about(void **state)
{
    (void)state;
    must_put(answers);
    assert_concerns("QuestionnaireResponse", "q", "");
    must_put("{'resourceType':'Provenance','id':'v','target':[{'reference':"
             "'QuestionnaireResponse/q'}]}");
    must_put(visit);
    assert_concerns("QuestionnaireResponse", "q", "p1");
    assert_concerns("Provenance", "v", "p1"); /* two steps away */
    assert_string_equal(in_record("p1", "Provenance"), "v");
    check_is_clean();
}

struct many {
    struct store_draft *drafts[8];
    size_t count;
};

static enum status put_many(struct store_tx *tx, void *context)
{
    struct many *many = context;
    static const struct store_condition any = {0};
    TRY(store_expect(tx, many->drafts, many->count));
    for (size_t i = 0; i < many->count; i++) {
        struct store_written written;
        TRY(store_put(tx, many->drafts[i], STORE_UPDATED, &any, arena, NULL, &written));
    }
    return STATUS_OK;
}

static void must_put_together(const char *const *texts, size_t count)
{
    struct many many = {.count = count};
    for (size_t i = 0; i < count; i++) {
        many.drafts[i] = draft_of(texts[i]);
    }
    assert_int_equal(store_write(store, put_many, &many), STATUS_OK);
}

/* What was looked for ahead of all of them is not what is there once the first is put. */
static void is_the_same_when_they_come_together(void **state)
{
    (void)state;
    const char *const texts[] = {
        "{'resourceType':'QuestionnaireResponse','id':'i','subject':{'identifier':"
        "{'system':'nhs','value':'9990000018'}}}",
        answers,
        visit,
        p1,
        answers,
        "{'resourceType':'Encounter','id':'f','subject':{'reference':'Patient/p2'}}",
        p2};
    must_put_together(texts, sizeof(texts) / sizeof(texts[0]));
    assert_concerns("QuestionnaireResponse", "q", "p1");
    assert_concerns("QuestionnaireResponse", "i", "p1");
    assert_string_equal(in_record("p1", "QuestionnaireResponse"), "q i");
    assert_version_concerns("QuestionnaireResponse", "q", 1, "p1");
    check_is_clean();
    /* And again, when all of it is there; a deleted one comes back. */
    assert_int_equal(try_delete("Encounter", "f", (struct store_condition){0}), STATUS_OK);
    must_put_together(texts, sizeof(texts) / sizeof(texts[0]));
    assert_concerns("Encounter", "f", "p2");
    assert_concerns("QuestionnaireResponse", "q", "p1");
    check_is_clean();
    must_put("{'resourceType':'Observation','id':'o','status':'final','code':{'text':'x'},"
             "'subject':{'reference':'Patient/p2'}}");
    assert_concerns("Observation", "o", "p2");
    check_is_clean();
}

static void follows_when_the_encounter_is_corrected(void **state)
{
    (void)state;
    must_put(visit);
    must_put(answers);
    must_put(answers);
    must_put("{'resourceType':'Encounter','id':'e','subject':{'reference':'Patient/p2'}}");
    assert_concerns("QuestionnaireResponse", "q", "p2");
    assert_string_equal(in_record("p1", "QuestionnaireResponse"), "");
    assert_string_equal(in_record("p2", "QuestionnaireResponse"), "q");
    /* What was said then was said of the one, and is now known to be about the other. */
    assert_version_concerns("QuestionnaireResponse", "q", 1, "p1 p2");
    check_is_clean();
}

static void what_was_deleted_is_still_about_somebody(void **state)
{
    (void)state;
    must_put(visit);
    must_put(answers);
    assert_int_equal(try_delete("Encounter", "e", (struct store_condition){0}), STATUS_OK);
    assert_concerns("QuestionnaireResponse", "q", "p1");
    must_put(answers); /* written again, with the tombstone only to go by */
    assert_concerns("QuestionnaireResponse", "q", "p1");
    assert_int_equal(try_delete("QuestionnaireResponse", "q", (struct store_condition){0}),
                     STATUS_OK);
    assert_concerns("QuestionnaireResponse", "q", "p1");
    must_put("{'resourceType':'Encounter','id':'e','subject':{'reference':'Patient/p2'}}");
    assert_version_concerns("QuestionnaireResponse", "q", 1, "p1 p2");
    check_is_clean();
}

static void finds_references_wherever_they_stand(void **state)
{
    (void)state;
    must_put("{'resourceType':'Basic','id':'x','extension':[{'url':'http://x','extension':[{'url':"
             "'y','valueReference':{'reference':'Patient/p1'}}]}]}");
    assert_concerns("Basic", "x", "p1");
    must_put("{'resourceType':'Organization','id':'o','extension':[{'url':'http://x',"
             "'valueReference':{'reference':'Patient/p1'}}]}");
    assert_concerns("Organization", "o", "p1");
    must_put("{'resourceType':'Observation','id':'c','contained':[{'resourceType':'Basic','id':"
             "'b','subject':{'reference':'http://here.example/fhir/Patient/p2'}}],'focus':"
             "[{'reference':'#b'}]}");
    assert_concerns("Observation", "c", "p2");
    check_is_clean();
}

static void knows_a_person_by_identifier_alone(void **state)
{
    (void)state;
    static const char early[] = "{'resourceType':'Observation','id':'a','subject':{'type':"
                                "'Patient','identifier':{'system':'nhs','value':'9990000018'}}}";
    must_put(early);
    must_put(early);
    assert_concerns("Observation", "a", "");
    must_put(p1);
    assert_concerns("Observation", "a", "p1");
    assert_version_concerns("Observation", "a", 1, "p1");
    assert_string_equal(in_record("p1", "Observation"), "a");
    must_put("{'resourceType':'Observation','id':'b','subject':{'reference':"
             "'https://elsewhere.example/Patient/7','identifier':{'system':'nhs','value':"
             "'9990000018'}}}");
    assert_concerns("Observation", "b", "p1");
    must_put("{'resourceType':'Observation','id':'n','performer':[{'type':'Practitioner',"
             "'identifier':{'system':'nhs','value':'9990000018'}}]}");
    assert_concerns("Observation", "n", "");
    check_is_clean();
    /* The number turns out to be another's. */
    must_put("{'resourceType':'Patient','id':'p1'}");
    must_put("{'resourceType':'Patient','id':'p2','identifier':[{'system':'nhs','value':"
             "'9990000018'}]}");
    assert_concerns("Observation", "a", "p2");
    assert_string_equal(in_record("p1", "Observation"), "");
    check_is_clean();
}

static void looks_into_documents(void **state)
{
    (void)state;
    must_put(p1);
    must_put("{'resourceType':'Bundle','id':'b','type':'document','entry':["
             "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Composition','subject':"
             "{'reference':'urn:uuid:2'}}},"
             "{'fullUrl':'urn:uuid:2','resource':{'resourceType':'Patient','identifier':"
             "[{'system':'nhs','value':'9990000018'}]}}]}");
    assert_concerns("Bundle", "b", "p1");
    must_put("{'resourceType':'Bundle','id':'ours','type':'collection','entry':[{'fullUrl':"
             "'http://here.example/fhir/Observation/o','resource':{'resourceType':'Observation',"
             "'id':'o','subject':{'reference':'Patient/p2'}}}]}");
    assert_concerns("Bundle", "ours", "p2");
    /* Another server's p2 is not ours. */
    must_put("{'resourceType':'Bundle','id':'theirs','type':'collection','entry':[{'fullUrl':"
             "'https://elsewhere.example/fhir/Observation/o','resource':{'resourceType':"
             "'Observation','id':'o','subject':{'reference':'Patient/p2'}}}]}");
    assert_concerns("Bundle", "theirs", "");
    check_is_clean();
}

static void a_binary_concerns_whom_its_holder_is_about(void **state)
{
    (void)state;
    static const char content[] = "{'resourceType':'Binary','id':'b','contentType':'text/plain',"
                                  "'data':'AAAA'}";
    static const char held[] = "{'resourceType':'DocumentReference','id':'d','subject':"
                               "{'reference':'Patient/p1'},'content':[{'attachment':{'url':"
                               "'Binary/b'}}]}";
    must_put(content);
    must_put(content);
    must_put(held);
    assert_concerns("Binary", "b", "p1");
    assert_version_concerns("Binary", "b", 1, "p1");
    assert_string_equal(in_record("p1", "Binary"), "b");
    must_put("{'resourceType':'Media','id':'m','subject':{'reference':'Patient/p2'},'content':"
             "{'url':'http://here.example/fhir/Binary/b'}}");
    assert_concerns("Binary", "b", "p1 p2");
    must_put("{'resourceType':'DocumentReference','id':'d','subject':{'reference':'Patient/p1'},"
             "'content':[{'attachment':{'url':'Binary/c'}}]}");
    assert_concerns("Binary", "b", "p2");
    must_put("{'resourceType':'Binary','id':'c','contentType':'text/plain'}");
    assert_concerns("Binary", "c", "p1");
    check_is_clean();
    assert_int_equal(try_delete("DocumentReference", "d", (struct store_condition){0}), STATUS_OK);
    must_put("{'resourceType':'Binary','id':'c','contentType':'text/html'}");
    assert_concerns("Binary", "c", "p1");
    check_is_clean();
}

static void a_subject_that_is_a_patient_says_it_all(void **state)
{
    (void)state;
    must_put(visit);
    assert_false(must_put("{'resourceType':'Observation','id':'o','subject':{'reference':"
                          "'Patient/p2'},'encounter':{'reference':'Encounter/e'}}")
                     .tied);
    assert_concerns("Observation", "o", "p2");
}

static void goes_round_in_circles_and_comes_to_an_end(void **state)
{
    (void)state;
    must_put("{'resourceType':'Basic','id':'a','subject':{'reference':'Basic/b'}}");
    must_put("{'resourceType':'Basic','id':'b','subject':{'reference':'Basic/c'}}");
    must_put("{'resourceType':'Basic','id':'c','subject':{'reference':'Basic/a'},'author':"
             "{'reference':'Patient/p1'}}");
    assert_concerns("Basic", "a", "p1");
    assert_concerns("Basic", "b", "p1");
    must_put("{'resourceType':'Basic','id':'c','subject':{'reference':'Basic/a'}}");
    assert_concerns("Basic", "a", "");
    assert_concerns("Basic", "b", "");
    assert_concerns("Basic", "c", "");
    must_put("{'resourceType':'Basic','id':'a','subject':{'reference':'Basic/a'}}");
    check_is_clean();
}

static void a_group_of_many_takes_its_time_once(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{'resourceType':'Group','id':'g','member':[");
    for (int i = 0; i < 20000; i++) {
        buffer_print(&text, "%s{'entity':{'reference':'Patient/n%d'}}", i > 0 ? "," : "", i);
    }
    buffer_add_text(&text, "]}");
    int64_t start = time_monotonic();
    struct store_written written = must_put(as_text(&text));
    assert_int_equal(written.patient_count, 20000);
    must_put("{'resourceType':'Observation','id':'o','subject':{'reference':'Group/g'}}");
    /* The square of that many would be minutes under the sanitizers. */
    int64_t limit = on_server() ? 300 : 20; /* sanitizers, and others on the machine */
    assert_true(time_monotonic() - start < limit * MICROS_PER_SECOND);
    assert_string_equal(in_record("n19999", "Observation"), "o");
}

static void what_was_deleted_passes_on_whom_it_comes_to_concern(void **state)
{
    (void)state;
    must_put(visit);
    must_put("{'resourceType':'Observation','id':'o','encounter':{'reference':'Encounter/e'}}");
    must_put("{'resourceType':'DocumentReference','id':'d','content':[{'attachment':{'url':"
             "'Binary/b'}}],'context':{'encounter':[{'reference':'Encounter/e'}]}}");
    must_put("{'resourceType':'Binary','id':'b'}");
    must_put("{'resourceType':'Provenance','id':'v','target':[{'reference':'Observation/o'}]}");
    assert_int_equal(try_delete("Observation", "o", (struct store_condition){0}), STATUS_OK);
    assert_int_equal(try_delete("DocumentReference", "d", (struct store_condition){0}), STATUS_OK);
    must_put("{'resourceType':'Encounter','id':'e','subject':{'reference':'Patient/p2'}}");
    assert_concerns("Observation", "o", "p1 p2");
    assert_concerns("Provenance", "v", "p1 p2");
    assert_concerns("Binary", "b", "p1 p2");
    check_is_clean();
}

static void a_binary_that_is_let_go_leaves_nothing_behind(void **state)
{
    (void)state;
    must_put("{'resourceType':'Binary','id':'b'}");
    must_put("{'resourceType':'DocumentReference','id':'d','subject':{'reference':'Patient/p1'},"
             "'content':[{'attachment':{'url':'Binary/b'}}]}");
    assert_concerns("Binary", "b", "p1");
    must_put("{'resourceType':'DocumentReference','id':'d','subject':{'reference':'Patient/p1'}}");
    assert_concerns("Binary", "b", "");
    assert_int_equal(try_delete("Binary", "b", (struct store_condition){0}), STATUS_OK);
    check_is_clean();
}

static const char *numbered(const char *format, int number)
{
    struct buffer text = {.arena = arena};
    buffer_print(&text, format, number);
    return as_text(&text);
}

/* Everything that hangs on the visit reaches the list: it is looked through once, not once for each
 * of its items. */
static void a_list_of_many_follows_in_one_go(void **state)
{
    (void)state;
    const int many = 500; /* whose square is past CONCERN_LIMIT */
    struct store_written written;
    struct buffer list = {.arena = arena};
    must_put(visit);
    buffer_add_text(&list, "{'resourceType':'List','id':'l','entry':[");
    for (int i = 0; i < many; i++) {
        buffer_print(&list, "%s{'item':{'reference':'Observation/o%d'}}", i > 0 ? "," : "", i);
        must_put(numbered("{'resourceType':'Observation','id':'o%d','encounter':{'reference':"
                          "'Encounter/e'}}",
                          i));
    }
    buffer_add_text(&list, "]}");
    must_put(as_text(&list));
    assert_concerns("List", "l", "p1");
    assert_int_equal(try_put("{'resourceType':'Encounter','id':'e','subject':{'reference':"
                             "'Patient/p2'}}",
                             (struct store_condition){0}, &written),
                     STATUS_OK);
    assert_concerns("List", "l", "p2");
    assert_concerns("Observation", "o499", "p2");
    assert_string_equal(in_record("p1", "List"), "");
    check_is_clean();
}

/* A request has 4 MiB and eight times its body. */
static void names_many_within_the_memory_of_a_request(void **state)
{
    (void)state;
    struct json json;
    struct store_draft *draft;
    struct buffer list = {.arena = arena};
    buffer_add_text(&list, "{\"resourceType\":\"List\",\"id\":\"l\",\"entry\":[");
    for (int i = 0; i < 20000; i++) {
        buffer_print(&list, "%s{\"item\":{\"reference\":\"Observation/o%d\"}}", i > 0 ? "," : "",
                     i);
    }
    buffer_add_text(&list, "]}");
    struct arena *small = arena_create(((size_t)4 << 20) + 8 * list.length);
    assert_non_null(small);
    assert_int_equal(json_read(buffer_slice(&list), &json_limits_default, small, NULL, &json),
                     STATUS_OK);
    assert_int_equal(store_draft_make(store, type_named("List"), SLICE("l"), json.root,
                                      (struct slice){NULL, 0}, small, NULL, &draft),
                     STATUS_OK);
    arena_destroy(small);
}

static void reindexing_finds_the_same(void **state)
{
    (void)state;
    must_put(answers);
    must_put(visit);
    must_put("{'resourceType':'Observation','id':'a','subject':{'identifier':{'system':'nhs',"
             "'value':'9990000018'}}}");
    must_put(p1);
    must_put(p2);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_concerns("QuestionnaireResponse", "q", "p1");
    assert_concerns("Observation", "a", "p1");
    check_is_clean();
}

static void opening_an_older_layout_finds_whom_all_concern(void **state)
{
    (void)state;
    ONLY_SQLITE();
    must_put(answers);
    must_put(answers);
    must_put("{'resourceType':'Provenance','id':'v','target':[{'reference':"
             "'QuestionnaireResponse/q'}]}");
    must_put("{'resourceType':'Media','id':'m','encounter':{'reference':'Encounter/e'}}");
    assert_int_equal(try_delete("Media", "m", (struct store_condition){0}), STATUS_OK);
    must_put("{'resourceType':'Basic','id':'x','subject':{'reference':'Media/m'}}");
    must_put(visit);
    must_put(p2);
    store_shut();
    meddle("DROP TABLE tie; DROP TABLE tied; DROP TABLE quality;"
           "DROP TABLE quality_rule; DROP TABLE word; DROP TABLE code_word;"
           "DROP INDEX code_alike; DELETE FROM member;"
           "UPDATE resource SET others=NULL; UPDATE history SET others=NULL;"
           "DROP TABLE stray; PRAGMA user_version=1");
    store_reopen_with(NULL);
    assert_concerns("QuestionnaireResponse", "q", "p1");
    assert_string_equal(in_record("p1", "QuestionnaireResponse"), "q");
    assert_version_concerns("QuestionnaireResponse", "q", 1, "p1");
    assert_version_concerns("Media", "m", 1, "p1");
    assert_concerns("Media", "m", "p1");
    assert_concerns("Basic", "x", "p1");
    check_is_clean();
    must_put("{'resourceType':'Encounter','id':'e','subject':{'reference':'Patient/p2'}}");
    assert_version_concerns("QuestionnaireResponse", "q", 1, "p1 p2");
    assert_concerns("Media", "m", "p1 p2");
    assert_concerns("Basic", "x", "p1 p2");
    check_is_clean();
}

static void check_tells_when_somebody_is_missing(void **state)
{
    (void)state;
    must_put(visit);
    must_put(answers);
    store_shut();
    meddle("DELETE FROM member; UPDATE resource SET others=''");
    store_reopen_with(NULL);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_CORRUPT);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_concerns("QuestionnaireResponse", "q", "p1");
    check_is_clean();
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(concerns_whom_its_encounter_is_about),
        STORE_TEST(may_come_before_what_it_is_about),
        STORE_TEST(is_the_same_when_they_come_together),
        STORE_TEST(follows_when_the_encounter_is_corrected),
        STORE_TEST(what_was_deleted_is_still_about_somebody),
        STORE_TEST(finds_references_wherever_they_stand),
        STORE_TEST(knows_a_person_by_identifier_alone),
        STORE_TEST(looks_into_documents),
        STORE_TEST(a_binary_concerns_whom_its_holder_is_about),
        STORE_TEST(a_subject_that_is_a_patient_says_it_all),
        STORE_TEST(goes_round_in_circles_and_comes_to_an_end),
        STORE_TEST(a_group_of_many_takes_its_time_once),
        STORE_TEST(what_was_deleted_passes_on_whom_it_comes_to_concern),
        STORE_TEST(a_binary_that_is_let_go_leaves_nothing_behind),
        STORE_TEST(a_list_of_many_follows_in_one_go),
        STORE_TEST(names_many_within_the_memory_of_a_request),
        STORE_TEST(reindexing_finds_the_same),
        STORE_TEST(opening_an_older_layout_finds_whom_all_concern),
        STORE_TEST(check_tells_when_somebody_is_missing),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
