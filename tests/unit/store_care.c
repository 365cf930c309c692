/* SPDX-License-Identifier: MIT */
#include <sys/wait.h>
#include <unistd.h>

#include "store_test.h"

static struct outcome outcome;

static enum status check(void)
{
    outcome_init(&outcome, arena);
    enum status status = store_check(store, NULL, NULL, &outcome);
    for (struct issue *issue = outcome.first; issue != NULL && status == STATUS_OK;
         issue = issue->next) {
        print_message("%.*s\n", SLICE_ARGS(issue->text));
    }
    return status;
}

static void put_some(void)
{
    must_put("{'resourceType':'Patient','id':'p','gender':'female','birthDate':'1950',"
             "'name':[{'family':'Ó Brien'}],'identifier':[{'system':'s','value':'9'}]}");
    must_put("{'resourceType':'Observation','id':'o','subject':{'reference':'Patient/p'},"
             "'code':{'coding':[{'system':'x','code':'y'}]},'effectiveDateTime':'2020-01-01',"
             "'encounter':{'reference':'http://here.example/fhir/Encounter/e'},"
             "'performer':[{'reference':'Patient/q'}],'valueQuantity':{'value':1,'unit':'g'}}");
    must_put("{'resourceType':'Observation','id':'o','subject':{'reference':'Patient/q'}}");
    must_put("{'resourceType':'Observation','id':'v','subject':{'reference':'Patient/p'},"
             "'code':{'coding':[{'system':'x','code':'y','display':'some words'}]},"
             "'encounter':{'reference':'http://here.example/fhir/Encounter/e'}}");
    must_put("{'resourceType':'Basic','id':'b'}");
    assert_int_equal(try_delete("Basic", "b", (struct store_condition){0}), STATUS_OK);
    must_put("{'resourceType':'ValueSet','id':'x','url':'http://x/y'}");
}

static void a_store_that_was_only_used_checks_clean(void **state)
{
    (void)state;
    put_some();
    assert_int_equal(check(), STATUS_OK);
    assert_int_equal(outcome.count, 0);
}

static void check_sees_each_fault(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *on_server; /* NULL: the same */
    } faults[] = {
        {"DELETE FROM token WHERE (parameter, code, rid) IN (SELECT * FROM token LIMIT 1)",
         "DELETE FROM token WHERE (parameter, code, patient, seq) IN (SELECT * FROM token LIMIT "
         "1)"},
        {"DELETE FROM word", NULL},
        {"DELETE FROM code_word", NULL},
        {"INSERT INTO date SELECT parameter, low+1, width, rid FROM date LIMIT 1",
         "INSERT INTO date SELECT parameter, low+1, width, patient, seq FROM date LIMIT 1"},
        {"UPDATE resource SET facts=x'' WHERE length(facts)>0",
         "UPDATE resource SET facts='' WHERE length(facts)>0"},
        {"UPDATE directory SET version=version+1 WHERE state=1", NULL},
        {"DELETE FROM history WHERE method<>4", NULL},
        {"DELETE FROM change WHERE change=2",
         "DELETE FROM change WHERE change=(SELECT min(change) FROM change)"},
        {"DELETE FROM place WHERE type=(SELECT type FROM place LIMIT 1)", NULL},
        {"UPDATE resource SET body=x'00', dictionary=0",
         "UPDATE resource SET body='\\x00', dictionary=0"},
        {"DELETE FROM state", "DELETE FROM tally"},
    };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        bool other = on_server() && faults[i].on_server != NULL;
        put_some();
        assert_int_equal(check(), STATUS_OK);
        store_shut();
        meddle(other ? faults[i].on_server : faults[i].sql);
        store_reopen_with(NULL);
        if (check() != STATUS_CORRUPT) {
            fail_msg("not seen: %s", faults[i].sql);
        }
        void *unused = NULL;
        store_teardown(&unused);
        assert_int_equal(store_setup(&unused), 0);
    }
}

static void reindex_mends_what_was_lost(void **state)
{
    (void)state;
    put_some();
    store_shut();
    meddle(on_server() ? "DELETE FROM token; DELETE FROM date; UPDATE resource SET facts=''"
                       : "DELETE FROM token; DELETE FROM date; UPDATE resource SET facts=x''");
    store_reopen_with(NULL);
    assert_int_equal(check(), STATUS_CORRUPT);
    /* Rows of other trees are there but not in the facts: they must not be in the way. */
    store_shut();
    meddle("DELETE FROM reference; DELETE FROM text; DELETE FROM quantity");
    store_reopen_with(NULL);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(check(), STATUS_OK);
}

static void a_backup_is_the_store_and_restores_only_where_nothing_is(void **state)
{
    (void)state;
    ONLY_SQLITE();
    char path[300], other[300];
    snprintf(path, sizeof(path), "%s/backup.db", folder);
    snprintf(other, sizeof(other), "%s-other", folder);
    put_some();
    assert_int_equal(store_backup(store, path, NULL, NULL, &outcome), STATUS_OK);
    must_put("{'resourceType':'Basic','id':'after'}");
    assert_int_equal(store_backup(store, path, NULL, NULL, NULL), STATUS_CONFLICT);
    assert_int_equal(store_restore(path, folder, NULL, NULL, NULL), STATUS_CONFLICT);
    assert_int_equal(store_restore(path, other, NULL, NULL, NULL), STATUS_OK);
    store_shut();
    char first[256];
    memcpy(first, folder, sizeof(first));
    snprintf(folder, sizeof(folder), "%.200s-other", first);
    store_reopen_with(NULL);
    struct store_version version;
    assert_int_equal(try_read("Observation", "o", &version), STATUS_OK);
    assert_int_equal(version.version, 2);
    assert_int_equal(try_read("Basic", "after", &version), STATUS_NOT_FOUND);
    assert_int_equal(check(), STATUS_OK);
    void *unused = NULL;
    store_teardown(&unused);
    memcpy(folder, first, sizeof(first));
    assert_int_equal(arena_setup(&unused), 0);
    store_reopen_with(NULL);
}

static void a_damaged_backup_is_refused(void **state)
{
    (void)state;
    ONLY_SQLITE();
    char path[300];
    snprintf(path, sizeof(path), "%s/backup.db", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("this is no database, though it is long enough to look like a file of something", file);
    fclose(file);
    char other[300];
    snprintf(other, sizeof(other), "%s-other", folder);
    assert_int_equal(store_restore(path, other, NULL, NULL, NULL), STATUS_CORRUPT);
}

static void files_that_are_not_ours_or_newer_are_refused(void **state)
{
    (void)state;
    ONLY_SQLITE();
    struct store_options options = {.folder = folder, .definitions = definitions};
    struct store *other = NULL;
    store_shut();
    int layout = (int)meddle("PRAGMA user_version");
    meddle("PRAGMA user_version=99");
    outcome_init(&outcome, arena);
    assert_int_equal(store_open(&options, &outcome, &other), STATUS_CORRUPT);
    meddle(arena_print(arena, "PRAGMA user_version=%d; PRAGMA application_id=7", layout));
    assert_int_equal(store_open(&options, &outcome, &other), STATUS_CORRUPT);
    assert_int_equal(outcome.errors, 2);
    meddle("PRAGMA application_id=1129075283");
    store_reopen_with(NULL);
}

static void an_older_layout_is_migrated_and_keeps_its_records(void **state)
{
    (void)state;
    ONLY_SQLITE();
    put_some();
    store_shut();
    meddle("DROP TABLE quality; DROP TABLE quality_rule; DROP TABLE word; DROP TABLE code_word;"
           "DROP INDEX code_alike; DROP TABLE stray; PRAGMA user_version=2");
    struct store_options options = {.folder = folder, .definitions = definitions};
    struct store *other = NULL;
    options.read_only = true;
    outcome_init(&outcome, arena);
    assert_int_equal(store_open(&options, &outcome, &other), STATUS_CORRUPT);
    int ends[2];
    char told[4096];
    assert_int_equal(pipe(ends), 0);
    log_target_set(ends[1]);
    log_level_set(LOG_INFO);
    store_reopen_with(NULL);
    log_level_set(LOG_ERROR);
    log_target_set(STDERR_FILENO);
    ssize_t length = read(ends[0], told, sizeof(told));
    assert_true(length > 0 && memmem(told, (size_t)length, "store_upgrading", 15) != NULL);
    (void)close(ends[0]);
    (void)close(ends[1]);
    struct store_version version;
    assert_int_equal(try_read("Observation", "o", &version), STATUS_OK);
    assert_int_equal(check(), STATUS_OK);
}

/* The folder without its file, whose name goes to PATH. */
static void remove_file(char *path, size_t size)
{
    store_shut();
    snprintf(path, size, "%s/records.db", folder);
    assert_int_equal(unlink(path), 0);
}

static void assert_no_records_yet(void)
{
    struct store_options options = {
        .folder = folder, .definitions = definitions, .must_exist = true, .read_only = true};
    struct store *other = NULL;
    outcome_init(&outcome, arena);
    assert_int_equal(store_open(&options, &outcome, &other), STATUS_NOT_FOUND);
    assert_true(slice_starts(outcome.first->text, SLICE("There are no records")));
}

/* As a process leaves it that is killed before it has made the tables. */
static void a_file_without_tables_has_no_records_yet(void **state)
{
    (void)state;
    ONLY_SQLITE();
    char path[300];
    remove_file(path, sizeof(path));
    meddle("PRAGMA page_size=8192; PRAGMA journal_mode=WAL");
    assert_no_records_yet();
    assert_int_equal(truncate(path, 0), 0);
    assert_no_records_yet();
    store_reopen_with(NULL);
}

/* As a process leaves it that is killed while it writes the first page. */
static void a_file_that_was_being_made_has_no_records_yet(void **state)
{
    (void)state;
    ONLY_SQLITE();
    char path[300];
    remove_file(path, sizeof(path));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sqlite3 *db = NULL;
        bool done = sqlite3_open(path, &db) == SQLITE_OK &&
                    sqlite3_exec(db,
                                 "PRAGMA cache_size=1; BEGIN; CREATE TABLE a(b);"
                                 "WITH n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT 99)"
                                 "INSERT INTO a SELECT zeroblob(9000) FROM n",
                                 NULL, NULL, NULL) == SQLITE_OK;
        _exit(done ? 0 : 1);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_no_records_yet();
    store_reopen_with(NULL);
}

static enum status add_entries(struct store_tx *tx, void *context)
{
    const char *text = context;
    if (store_outbox_add(tx, slice_text(text)) != STATUS_OK ||
        store_note_set(tx, SLICE("note"), slice_text(text)) != STATUS_OK) {
        return STATUS_INTERNAL;
    }
    return slice_is(slice_text(text), "bad") ? STATUS_INVALID : STATUS_OK;
}

static enum status remove_entries(struct store_tx *tx, void *context)
{
    return store_outbox_remove(tx, *(uint64_t *)context);
}

static uint64_t first_number;

static enum status collect(void *context, uint64_t number, struct slice entry)
{
    struct buffer *out = context;
    if (!on_server()) { /* there the numbers are those of transactions */
        buffer_print(out, "%d=", (int)number);
    }
    first_number = out->length < 10 && first_number == 0 ? number : first_number;
    buffer_print(out, "%.*s;", SLICE_ARGS(entry));
    return STATUS_OK;
}

static const char *outbox(uint64_t after, size_t max)
{
    struct buffer out = {.arena = arena};
    struct store_tx *tx = begin();
    assert_int_equal(store_outbox_read(tx, after, max, collect, &out), STATUS_OK);
    store_snapshot_end(tx);
    return as_text(&out);
}

static void outbox_and_notes_commit_with_their_job_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(store_write(store, add_entries, (void *)(uintptr_t) "one"), STATUS_OK);
    assert_int_equal(store_write(store, add_entries, (void *)(uintptr_t) "bad"), STATUS_INVALID);
    assert_int_equal(store_write(store, add_entries, (void *)(uintptr_t) "two"), STATUS_OK);
    first_number = 0;
    assert_string_equal(outbox(0, 10), on_server() ? "one;two;" : "1=one;2=two;");
    uint64_t one = first_number;
    assert_string_equal(outbox(one, 10), on_server() ? "two;" : "2=two;");
    assert_string_equal(outbox(0, 1), on_server() ? "one;" : "1=one;");
    uint64_t up_to = one + ((uint64_t)1 << 30);
    assert_int_equal(store_write(store, remove_entries, &up_to), STATUS_OK);
    assert_string_equal(outbox(0, 10), "");
    /* A number is never given twice, though nothing is left. */
    store_shut();
    store_reopen_with(NULL);
    assert_int_equal(store_write(store, add_entries, (void *)(uintptr_t) "three"), STATUS_OK);
    assert_string_equal(outbox(0, 10), on_server() ? "three;" : "3=three;");
    struct slice value;
    struct store_tx *tx = begin();
    assert_int_equal(store_note_get(tx, SLICE("note"), arena, &value), STATUS_OK);
    assert_true(slice_is(value, "three"));
    assert_int_equal(store_note_get(tx, SLICE("none"), arena, &value), STATUS_NOT_FOUND);
    store_snapshot_end(tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_store_that_was_only_used_checks_clean),
        STORE_TEST(check_sees_each_fault),
        STORE_TEST(reindex_mends_what_was_lost),
        STORE_TEST(a_backup_is_the_store_and_restores_only_where_nothing_is),
        STORE_TEST(a_damaged_backup_is_refused),
        STORE_TEST(files_that_are_not_ours_or_newer_are_refused),
        STORE_TEST(an_older_layout_is_migrated_and_keeps_its_records),
        STORE_TEST(a_file_without_tables_has_no_records_yet),
        STORE_TEST(a_file_that_was_being_made_has_no_records_yet),
        STORE_TEST(outbox_and_notes_commit_with_their_job_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
