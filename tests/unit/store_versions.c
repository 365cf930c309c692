/* SPDX-License-Identifier: MIT */
#include "store_test.h"

static void gives_back_what_was_put_with_its_version(void **state)
{
    (void)state;
    struct store_written written =
        must_put("{'resourceType':'Patient','id':'p1','meta':{'profile':['http://x']},"
                 "'birthDate':'1950-01-02'}");
    assert_int_equal(written.version, 1);
    assert_true(written.created);
    assert_int_equal(written.patient_count, 1);
    struct store_version version;
    assert_int_equal(try_read("Patient", "p1", &version), STATUS_OK);
    assert_int_equal(version.version, 1);
    assert_true(version.updated == written.updated);
    struct buffer out = {.arena = arena};
    store_version_write(&version, &out);
    yyjson_val *root = parse(as_text(&out));
    yyjson_val *meta = json_get(root, "meta");
    assert_true(slice_is(json_get_string(meta, "versionId"), "1"));
    assert_int_equal(json_get_string(meta, "lastUpdated").length, INSTANT_LENGTH);
    assert_non_null(json_get(meta, "profile"));
    assert_true(slice_is(json_get_string(root, "birthDate"), "1950-01-02"));
}

static void keeps_decimals_to_the_digit_and_members_in_order(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','status':'final','id':'o1','valueQuantity':"
             "{'value':1.50e0,'unit':'mg'},'code':{'text':'x'}}");
    struct store_version version;
    assert_int_equal(try_read("Observation", "o1", &version), STATUS_OK);
    assert_json(arena_copy(arena, version.body).at,
                "{'resourceType':'Observation','meta':{},'status':'final','id':'o1',"
                "'valueQuantity':{'value':1.50e0,'unit':'mg'},'code':{'text':'x'}}");
}

static void drops_the_version_and_time_a_client_sends(void **state)
{
    (void)state;
    must_put("{'resourceType':'Basic','id':'b','meta':{'versionId':'7','source':'s',"
             "'lastUpdated':'2001-01-01T00:00:00Z'}}");
    struct store_version version;
    assert_int_equal(try_read("Basic", "b", &version), STATUS_OK);
    assert_json(arena_copy(arena, version.body).at,
                "{'resourceType':'Basic','id':'b','meta':{'source':'s'}}");
}

static void keeps_uuids_and_other_ids_apart(void **state)
{
    (void)state;
    must_put("{'resourceType':'Basic','id':'01234567-89ab-cdef-0123-456789abcdef'}");
    must_put("{'resourceType':'Basic','id':'01234567-89AB-cdef-0123-456789abcdef'}");
    struct store_version version;
    assert_int_equal(try_read("Basic", "01234567-89ab-cdef-0123-456789abcdef", &version),
                     STATUS_OK);
    assert_true(slice_is(version.id, "01234567-89ab-cdef-0123-456789abcdef"));
    assert_int_equal(try_read("Basic", "01234567-89AB-cdef-0123-456789abcdef", &version),
                     STATUS_OK);
    assert_true(slice_is(version.id, "01234567-89AB-cdef-0123-456789abcdef"));
}

static void every_version_stays_readable(void **state)
{
    (void)state;
    must_put("{'resourceType':'Basic','id':'b','language':'en'}");
    must_put("{'resourceType':'Basic','id':'b','language':'cy'}");
    assert_int_equal(must_put("{'resourceType':'Basic','id':'b','language':'gd'}").version, 3);
    struct store_tx *tx = begin();
    struct store_version version;
    for (uint32_t i = 1; i <= 3; i++) {
        static const char *const languages[] = {"en", "cy", "gd"};
        assert_int_equal(
            store_read_version(tx, type_named("Basic"), SLICE("b"), i, arena, &version), STATUS_OK);
        assert_int_equal(version.version, i);
        assert_non_null(strstr(arena_copy(arena, version.body).at, languages[i - 1]));
    }
    assert_int_equal(store_read_version(tx, type_named("Basic"), SLICE("b"), 4, arena, &version),
                     STATUS_NOT_FOUND);
    assert_int_equal(store_read_version(tx, type_named("Basic"), SLICE("b"), 0, arena, &version),
                     STATUS_NOT_FOUND);
    store_snapshot_end(tx);
}

static void a_delete_leaves_a_tombstone_and_a_put_brings_it_back(void **state)
{
    (void)state;
    struct store_version version;
    const struct store_condition none = {0};
    assert_int_equal(try_delete("Basic", "b", none), STATUS_NOT_FOUND);
    must_put("{'resourceType':'Basic','id':'b'}");
    assert_int_equal(try_delete("Basic", "b", none), STATUS_OK);
    assert_int_equal(try_read("Basic", "b", &version), STATUS_GONE);
    assert_int_equal(version.version, 2);
    assert_int_equal(version.method, STORE_DELETED);
    assert_int_equal(try_delete("Basic", "b", none), STATUS_GONE);
    struct store_written written = must_put("{'resourceType':'Basic','id':'b'}");
    assert_int_equal(written.version, 3);
    assert_true(written.created);
    assert_int_equal(try_read("Basic", "b", &version), STATUS_OK);
    struct store_tx *tx = begin();
    assert_int_equal(store_read_version(tx, type_named("Basic"), SLICE("b"), 2, arena, &version),
                     STATUS_GONE);
    store_snapshot_end(tx);
    assert_int_equal(try_read("Basic", "never", &version), STATUS_NOT_FOUND);
}

static void conditions_hold_or_nothing_is_written(void **state)
{
    (void)state;
    const char *text = "{'resourceType':'Basic','id':'b'}";
    assert_int_equal(try_put(text, (struct store_condition){.present = true}, NULL),
                     STATUS_PRECONDITION);
    assert_int_equal(try_put(text, (struct store_condition){.absent = true}, NULL), STATUS_OK);
    assert_int_equal(try_put(text, (struct store_condition){.absent = true}, NULL),
                     STATUS_PRECONDITION);
    assert_int_equal(try_put(text, (struct store_condition){.version = 2}, NULL),
                     STATUS_PRECONDITION);
    assert_int_equal(try_put(text, (struct store_condition){.version = 1}, NULL), STATUS_OK);
    assert_int_equal(try_delete("Basic", "b", (struct store_condition){.version = 1}),
                     STATUS_PRECONDITION);
    struct store_version version;
    assert_int_equal(try_read("Basic", "b", &version), STATUS_OK);
    assert_int_equal(version.version, 2);
}

static void what_was_written_is_there_after_opening_again(void **state)
{
    (void)state;
    struct store_written before = must_put("{'resourceType':'Basic','id':'b'}");
    store_shut();
    store_reopen_with(NULL);
    struct store_version version;
    assert_int_equal(try_read("Basic", "b", &version), STATUS_OK);
    struct store_written after = must_put("{'resourceType':'Basic','id':'c'}");
    assert_true(after.change > before.change);
    assert_true(after.updated > before.updated);
    struct store_statistics numbers;
    assert_int_equal(store_statistics(store, &numbers), STATUS_OK);
    assert_int_equal(numbers.resources, 2);
}

static void a_second_writer_is_refused(void **state)
{
    (void)state;
    ONLY_SQLITE();
    struct store *second = NULL;
    struct store_options options = {.folder = folder, .definitions = definitions};
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(store_open(&options, &outcome, &second), STATUS_CONFLICT);
    options.read_only = true;
    must_put("{'resourceType':'Basic','id':'b'}");
    assert_int_equal(store_open(&options, &outcome, &second), STATUS_OK);
    store_close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(gives_back_what_was_put_with_its_version),
        STORE_TEST(keeps_decimals_to_the_digit_and_members_in_order),
        STORE_TEST(drops_the_version_and_time_a_client_sends),
        STORE_TEST(keeps_uuids_and_other_ids_apart),
        STORE_TEST(every_version_stays_readable),
        STORE_TEST(a_delete_leaves_a_tombstone_and_a_put_brings_it_back),
        STORE_TEST(conditions_hold_or_nothing_is_written),
        STORE_TEST(what_was_written_is_there_after_opening_again),
        STORE_TEST(a_second_writer_is_refused),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
