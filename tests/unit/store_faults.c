/* SPDX-License-Identifier: MIT */
/* The store on a disk that fails: each write or sync of a script in turn, and each allocation. What
 * was acknowledged stays, what failed leaves nothing, and the store works again afterwards. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store_test.h"

/* ---- a VFS whose n-th write or sync fails -------------------------------------------------- */

static sqlite3_vfs *real_vfs, fault_vfs;
/* SQLite has one set of methods for the database and another, without locks, for the rest. */
static sqlite3_io_methods real_methods, fault_methods[2];
static _Atomic long countdown; /* 1: the next fails; 0: none */
static _Atomic int fault_code;
static _Atomic bool stays; /* every later one fails too */

static bool fails(void)
{
    long left = atomic_load(&countdown);
    if (left == 0) {
        return false;
    }
    if (left > 1) {
        atomic_store(&countdown, left - 1);
        return false;
    }
    if (!atomic_load(&stays)) {
        atomic_store(&countdown, 0);
    }
    return true;
}

static int fault_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    return fails() ? atomic_load(&fault_code) : real_methods.xWrite(file, bytes, length, offset);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    return fails() ? SQLITE_IOERR_FSYNC : real_methods.xSync(file, flags);
}

static int fault_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    (void)vfs;
    int code = real_vfs->xOpen(real_vfs, path, file, flags, ret_flags);
    if (code == SQLITE_OK && file->pMethods != NULL) {
        sqlite3_io_methods *methods = &fault_methods[(flags & SQLITE_OPEN_MAIN_DB) != 0];
        real_methods = *file->pMethods; /* writing and syncing is the same for both */
        *methods = real_methods;
        methods->xWrite = fault_write;
        methods->xSync = fault_sync;
        file->pMethods = methods;
    }
    return code;
}

static int vfs_setup(void **state)
{
    real_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *real_vfs;
    fault_vfs.zName = "fault";
    fault_vfs.pNext = NULL;
    fault_vfs.xOpen = fault_open;
    log_target_set(open("/dev/null", O_WRONLY | O_CLOEXEC)); /* each fault is logged */
    return sqlite3_vfs_register(&fault_vfs, 0) == SQLITE_OK ? definitions_setup(state) : -1;
}

static void fail_at(long count, int code, bool forever)
{
    atomic_store(&fault_code, code);
    atomic_store(&stays, forever);
    atomic_store(&countdown, count);
}

static void use_fault_vfs(void)
{
    store_shut();
    store_reopen_with("fault");
}

static void assert_checks_clean(void)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    enum status status = store_check(store, NULL, NULL, &outcome);
    if (status != STATUS_OK && outcome.first != NULL) {
        print_message("%.*s\n", SLICE_ARGS(outcome.first->text));
    }
    assert_int_equal(status, STATUS_OK);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void each_failing_write_fails_its_job_whole_and_the_next_works(void **state)
{
    (void)state;
    static const int codes[] = {SQLITE_IOERR_WRITE, SQLITE_FULL};
    use_fault_vfs();
    uint32_t acknowledged = 0, failed = 0;
    for (long n = 1; n <= 40; n++) {
        fail_at(n, codes[n % 2], false);
        for (int i = 0; i < 3; i++) {
            const char *text =
                arena_print(arena,
                            "{'resourceType':'Patient','id':'p','name':[{'family':'n%ld %d'}],"
                            "'identifier':[{'system':'http://s%ld','value':'%d'}],"
                            "'link':[{'other':{'reference':'Patient/q%ld'}}]}",
                            n, i, n, i, n);
            struct store_written written;
            enum status status = try_put(text, (struct store_condition){0}, &written);
            assert_true(status == STATUS_OK || status == STATUS_IO || status == STATUS_NO_SPACE);
            if (status == STATUS_OK) {
                acknowledged++;
                assert_int_equal(written.version, acknowledged);
            } else {
                failed++;
            }
        }
        fail_at(0, 0, false);
        struct store_version version;
        assert_int_equal(try_read("Patient", "p", &version),
                         acknowledged > 0 ? STATUS_OK : STATUS_NOT_FOUND);
        assert_true(acknowledged == 0 || version.version == acknowledged);
    }
    assert_true(failed >= 20);
    assert_checks_clean();
    use_fault_vfs();
    assert_checks_clean();
}

static void a_full_disk_refuses_writes_keeps_reads_and_recovers(void **state)
{
    (void)state;
    struct store_statistics numbers;
    struct store_version version;
    use_fault_vfs();
    must_put("{'resourceType':'Basic','id':'a'}");
    fail_at(1, SQLITE_FULL, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            try_put("{'resourceType':'Basic','id':'b'}", (struct store_condition){0}, NULL),
            STATUS_NO_SPACE);
        assert_int_equal(try_read("Basic", "a", &version), STATUS_OK);
        assert_int_equal(try_read("Basic", "b", &version), STATUS_NOT_FOUND);
    }
    assert_int_equal(store_statistics(store, &numbers), STATUS_OK);
    assert_true(numbers.full);
    fail_at(0, 0, false);
    assert_int_equal(must_put("{'resourceType':'Basic','id':'b'}").version, 1);
    assert_int_equal(store_statistics(store, &numbers), STATUS_OK);
    assert_false(numbers.full);
    assert_checks_clean();
}

/* What runs in the job takes its memory from an arena of its own, where the n-th allocation fails:
 * a request over its limits, not a machine without memory, so only this job is undone. */
struct tight {
    struct store_draft *draft;
    struct arena *arena;
    unsigned long fail;
    struct store_written written;
};

static enum status put_tight(struct store_tx *tx, void *context)
{
    struct tight *tight = context;
    arena_fail_after(tight->fail);
    enum status status =
        store_put(tx, tight->draft, STORE_UPDATED, NULL, tight->arena, NULL, &tight->written);
    arena_fail_after(0);
    return status;
}

static void each_failing_allocation_undoes_its_job_alone(void **state)
{
    (void)state;
    const char *text = "{'resourceType':'Observation','id':'o','status':'final','subject':"
                       "{'reference':'Patient/p'},'performer':[{'reference':'Patient/q'}],"
                       "'identifier':[{'system':'http://s','value':'1'}]}";
    uint32_t version = must_put(text).version;
    bool succeeded = false;
    for (unsigned long n = 1; n < 200 && !succeeded; n++) {
        struct tight tight = {
            .draft = draft_of(text), .arena = arena_create((size_t)1 << 20), .fail = n};
        enum status status = store_write(store, put_tight, &tight);
        succeeded = status == STATUS_OK;
        assert_true(status == STATUS_OK || status == STATUS_TOO_COSTLY || status == STATUS_MEMORY);
        struct store_version now;
        assert_int_equal(try_read("Observation", "o", &now), STATUS_OK);
        assert_int_equal(now.version, succeeded ? version + 1 : version);
        arena_destroy(tight.arena);
    }
    assert_true(succeeded);
    assert_checks_clean();
}

static void each_failing_allocation_of_a_reader_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Patient','id':'p%d','name':"
                             "[{'family':'Smith'}],'birthDate':'1950'}",
                             i));
    }
    struct store_value value = {.text = SLICE("smi")};
    struct store_clause clause = {parameter_named("Patient", "family"), STORE_PLAIN, &value, 1};
    struct store_sort sort = {.parameter = parameter_named("Patient", "birthdate")};
    struct store_query query = {.type = type_named("Patient"),
                                .clauses = &clause,
                                .clause_count = 1,
                                .sorts = &sort,
                                .sort_count = 1,
                                .count = 3,
                                .bodies = true};
    struct store_history_query past = {.since = INT64_MIN, .count = 3};
    bool succeeded = false;
    for (unsigned long n = 1; n < 400 && !succeeded; n++) {
        struct arena *own = arena_create((size_t)1 << 20);
        struct store_page page;
        struct store_tx *tx = begin();
        arena_fail_after(n);
        enum status found = store_find(tx, &query, own, NULL, &page);
        enum status listed =
            found == STATUS_OK ? store_history(tx, &past, own, NULL, &page) : found;
        arena_fail_after(0);
        store_snapshot_end(tx);
        succeeded = listed == STATUS_OK;
        assert_true(succeeded || listed == STATUS_TOO_COSTLY || listed == STATUS_MEMORY ||
                    listed == STATUS_VALUE || listed == STATUS_TOO_LONG);
        arena_destroy(own);
    }
    assert_true(succeeded);
}

static void each_failing_allocation_of_a_draft_is_told(void **state)
{
    (void)state;
    yyjson_val *root =
        parse("{'resourceType':'Patient','id':'p','name':[{'family':'Smith','given':['A','B']}],"
              "'link':[{'other':{'reference':'Patient/q'}}],'gender':'male'}");
    bool succeeded = false;
    for (unsigned long n = 1; n < 400 && !succeeded; n++) {
        struct arena *own = arena_create((size_t)1 << 20);
        struct store_draft *draft = NULL;
        arena_fail_after(n);
        enum status status =
            store_draft_make(store, type_of(root), SLICE("p"), root, SLICE(""), own, NULL, &draft);
        arena_fail_after(0);
        succeeded = status == STATUS_OK;
        assert_true(succeeded || status == STATUS_TOO_COSTLY);
        arena_destroy(own);
    }
    assert_true(succeeded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_failing_write_fails_its_job_whole_and_the_next_works),
        STORE_TEST(a_full_disk_refuses_writes_keeps_reads_and_recovers),
        STORE_TEST(each_failing_allocation_undoes_its_job_alone),
        STORE_TEST(each_failing_allocation_of_a_reader_is_told),
        STORE_TEST(each_failing_allocation_of_a_draft_is_told),
    };
    return cmocka_run_group_tests(tests, vfs_setup, definitions_teardown);
}
