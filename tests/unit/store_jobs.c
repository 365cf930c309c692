/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_test.h"

/* ---- many at once ------------------------------------------------------------------------- */

#define CLIENTS 32

static struct store_draft *shared_draft;
static _Atomic int created, refused, other_status;

static enum status create_once(struct store_tx *tx, void *context)
{
    const struct store_condition condition = {.absent = true};
    struct store_written written;
    return store_put(tx, shared_draft, STORE_CREATED, &condition, context, NULL, &written);
}

static void *client(void *context)
{
    (void)context;
    struct arena *own = arena_create((size_t)1 << 20);
    enum status status = store_write(store, create_once, own);
    atomic_fetch_add(status == STATUS_OK             ? &created
                     : status == STATUS_PRECONDITION ? &refused
                                                     : &other_status,
                     1);
    arena_destroy(own);
    return NULL;
}

static void one_of_many_creates_of_the_same_thing_succeeds(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[CLIENTS];
        atomic_store(&created, 0);
        atomic_store(&refused, 0);
        shared_draft = draft_of(arena_print(arena, "{'resourceType':'Basic','id':'r%d'}", round));
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, client, NULL), 0);
        }
        for (int i = 0; i < CLIENTS; i++) {
            pthread_join(threads[i], NULL);
        }
        assert_int_equal(atomic_load(&created), 1);
        assert_int_equal(atomic_load(&refused), CLIENTS - 1);
    }
    assert_int_equal(atomic_load(&other_status), 0);
}

/* ---- point reads -------------------------------------------------------------------------- */

#define VERSIONS 300

static _Atomic uint32_t known; /* the last version that somebody was told of */

static void raise_to(_Atomic uint32_t *number, uint32_t least)
{
    uint32_t now = atomic_load(number);
    while (now < least && !atomic_compare_exchange_weak(number, &now, least)) {
    }
}

static enum status put_version(struct store_tx *tx, void *context)
{
    struct store_written written;
    return store_put(tx, shared_draft, STORE_UPDATED, NULL, context, NULL, &written);
}

static void *writer_of_versions(void *context)
{
    struct arena *own = arena_create((size_t)1 << 20);
    (void)context;
    for (int i = 0; i < VERSIONS && store_write(store, put_version, own) == STATUS_OK; i++) {
        raise_to(&known, (uint32_t)i + 2);
        arena_reset(own, 0);
    }
    arena_destroy(own);
    return NULL;
}

/* Reads until the last version; counts those that are older than what anybody read before. */
static size_t read_all_versions(struct store_reader *from)
{
    struct arena *own = arena_create((size_t)1 << 20);
    struct store_version version = {0};
    size_t wrong = 0;
    while (version.version < VERSIONS + 1) {
        uint32_t least = atomic_load(&known);
        arena_reset(own, 0);
        wrong += store_read_now(from, type_named("Basic"), SLICE("versions"), own, &version) !=
                 STATUS_OK;
        wrong += version.version < least;
        raise_to(&known, version.version);
    }
    store_reader_rest(from);
    arena_destroy(own);
    return wrong;
}

static void *another_reader(void *context)
{
    struct store_reader *from = NULL;
    size_t *wrong = context;
    *wrong = 1;
    if (store_reader_open(store, &from) == STATUS_OK) {
        *wrong = read_all_versions(from);
        store_reader_close(from);
    }
    return NULL;
}

static void point_reads_see_all_that_was_acknowledged_or_read_before(void **state)
{
    (void)state;
    pthread_t writing, reading;
    size_t wrong = 0;
    shared_draft = draft_of("{'resourceType':'Basic','id':'versions'}");
    must_put("{'resourceType':'Basic','id':'versions'}");
    atomic_store(&known, 1);
    assert_int_equal(pthread_create(&writing, NULL, writer_of_versions, NULL), 0);
    assert_int_equal(pthread_create(&reading, NULL, another_reader, &wrong), 0);
    assert_int_equal(read_all_versions(reader), 0);
    pthread_join(reading, NULL);
    pthread_join(writing, NULL);
    assert_int_equal(wrong, 0);
    store_reader_rest(reader); /* there is nothing to end */
}

/* The search of a conditional create sees what jobs before it in the same group wrote. */
static enum status create_unless_found(struct store_tx *tx, void *context)
{
    struct arena *own = context;
    struct store_value value = {.code = SLICE("same")};
    struct store_clause clause = {parameter_named("Patient", "identifier"), STORE_PLAIN, &value, 1};
    struct store_query query = {
        .type = type_named("Patient"), .clauses = &clause, .clause_count = 1, .count = 2};
    struct store_page page;
    struct store_written written;
    enum status status = store_find(tx, &query, own, NULL, &page);
    if (status != STATUS_OK || page.count > 0) {
        return status != STATUS_OK ? status : STATUS_MULTIPLE;
    }
    return store_put(tx, shared_draft, STORE_CREATED, NULL, own, NULL, &written);
}

static void *conditional_client(void *context)
{
    (void)context;
    struct arena *own = arena_create((size_t)1 << 22);
    enum status status = store_write(store, create_unless_found, own);
    atomic_fetch_add(status == STATUS_OK         ? &created
                     : status == STATUS_MULTIPLE ? &refused
                                                 : &other_status,
                     1);
    arena_destroy(own);
    return NULL;
}

static void a_conditional_create_by_many_makes_one_resource(void **state)
{
    (void)state;
    pthread_t threads[CLIENTS];
    atomic_store(&created, 0);
    atomic_store(&refused, 0);
    atomic_store(&other_status, 0);
    shared_draft = draft_of("{'resourceType':'Patient','id':'p','identifier':[{'value':'same'}]}");
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, conditional_client, NULL), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&created), 1);
    assert_int_equal(atomic_load(&refused), CLIENTS - 1);
}

/* ---- all or nothing ------------------------------------------------------------------------- */

struct several {
    struct store_draft *drafts[3];
    bool fail;
};

static enum status put_several(struct store_tx *tx, void *context)
{
    struct several *several = context;
    struct store_written written;
    for (int i = 0; i < 3; i++) {
        if (several->drafts[i] != NULL) {
            enum status status =
                store_put(tx, several->drafts[i], STORE_CREATED, NULL, arena, NULL, &written);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
    return several->fail ? STATUS_INVALID : STATUS_OK;
}

static void a_failed_job_leaves_nothing_and_what_it_interned_is_not_remembered(void **state)
{
    (void)state;
    const char *patient = "{'resourceType':'Patient','id':'p','gender':'female',"
                          "'identifier':[{'system':'http://new','value':'1'}]}";
    const char *observation = "{'resourceType':'Observation','id':'o','status':'final','subject':"
                              "{'reference':'Patient/p'},'encounter':{'reference':'Encounter/e'}}";
    struct several several = {.drafts = {draft_of(patient), draft_of(observation)}, .fail = true};
    assert_int_equal(store_write(store, put_several, &several), STATUS_INVALID);
    struct store_version version;
    assert_int_equal(try_read("Patient", "p", &version), STATUS_NOT_FOUND);
    several.fail = false;
    assert_int_equal(store_write(store, put_several, &several), STATUS_OK);
    assert_int_equal(try_read("Patient", "p", &version), STATUS_OK);
    assert_int_equal(version.version, 1);
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(store_check(store, NULL, NULL, &outcome), STATUS_OK);
}

static void a_snapshot_does_not_see_what_comes_after_it_began(void **state)
{
    (void)state;
    struct store_version version;
    must_put("{'resourceType':'Basic','id':'b','language':'en'}");
    struct store_tx *tx = begin();
    assert_int_equal(store_read(tx, type_named("Basic"), SLICE("b"), arena, &version), STATUS_OK);
    must_put("{'resourceType':'Basic','id':'b','language':'cy'}");
    assert_int_equal(store_read(tx, type_named("Basic"), SLICE("b"), arena, &version), STATUS_OK);
    assert_int_equal(version.version, 1);
    store_snapshot_end(tx);
    assert_int_equal(try_read("Basic", "b", &version), STATUS_OK);
    assert_int_equal(version.version, 2);
}

static enum status forbidden_put(struct store_tx *tx)
{
    struct store_written written;
    struct store_draft *draft = draft_of("{'resourceType':'Basic','id':'b'}");
    return store_put(tx, draft, STORE_CREATED, NULL, arena, NULL, &written);
}

static void a_snapshot_cannot_write(void **state)
{
    (void)state;
    struct store_tx *tx = begin();
    assert_int_equal(forbidden_put(tx), STATUS_INTERNAL);
    assert_int_equal(store_outbox_add(tx, SLICE("x")), STATUS_INTERNAL);
    store_snapshot_end(tx);
}

static void a_deadline_ends_a_search(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        must_put(arena_print(arena, "{'resourceType':'Patient','id':'p%d'}", i));
    }
    struct store_tx *tx = NULL;
    assert_int_equal(store_snapshot_begin(reader, 1, &tx), STATUS_OK); /* long ago */
    struct store_value value = {.text = SLICE("x")};
    struct store_clause clause = {parameter_named("Patient", "family"), STORE_CONTAINS, &value, 1};
    struct store_query query = {
        .type = type_named("Patient"), .clauses = &clause, .clause_count = 1, .count = 10};
    struct store_page page;
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_TOO_COSTLY);
    store_snapshot_end(tx);
    tx = begin();
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
}

/* A job whose time is up: its search ends, its own writes and those of others do not. */
static enum status search_and_put(struct store_tx *tx, void *context)
{
    enum status *found = context;
    struct store_query query = {
        .type = type_named("Patient"), .count = 1, .total = true, .bodies = false};
    struct store_page page;
    struct store_written written;
    *found = store_find(tx, &query, arena, NULL, &page);
    return store_put(tx, shared_draft, STORE_CREATED, NULL, arena, NULL, &written);
}

static _Atomic int job_status;

static void job_done(void *context, enum status status)
{
    (void)context;
    atomic_store(&job_status, (int)status);
}

/* What it waited does not count: MICROS_PER_SECOND is enough however long that was. */
static void a_job_s_patience_ends_its_searches_and_nothing_else(void **state)
{
    (void)state;
    static const int64_t patience[] = {1, 0, MICROS_PER_SECOND};
    static const enum status wanted[] = {STATUS_TOO_COSTLY, STATUS_OK, STATUS_OK};
    for (int i = 0; i < 300; i++) {
        must_put(arena_print(arena, "{'resourceType':'Patient','id':'p%d'}", i));
    }
    for (int i = 0; i < 3; i++) {
        enum status found = STATUS_INTERNAL;
        shared_draft = draft_of(arena_print(arena, "{'resourceType':'Basic','id':'late%d'}", i));
        struct store_job job = {
            .run = search_and_put, .done = job_done, .context = &found, .patience = patience[i]};
        atomic_store(&job_status, -1);
        store_submit(store, &job);
        while (atomic_load(&job_status) < 0) {
            (void)usleep(1000);
        }
        assert_int_equal(atomic_load(&job_status), STATUS_OK);
        assert_int_equal(found, wanted[i]);
    }
}

/* ---- history ----------------------------------------------------------------------------------
 */

static const char *history(struct store_history_query query, struct store_page *ret_page)
{
    struct buffer out = {.arena = arena};
    struct store_tx *tx = begin();
    query.count = query.count != 0 ? query.count : 100;
    assert_int_equal(store_history(tx, &query, arena, NULL, ret_page), STATUS_OK);
    store_snapshot_end(tx);
    for (size_t i = 0; i < ret_page->count; i++) {
        buffer_print(&out, "%s%.*s/%u", i > 0 ? " " : "", SLICE_ARGS(ret_page->items[i].id),
                     ret_page->items[i].version);
    }
    return as_text(&out);
}

static void history_is_newest_first_of_one_of_a_type_and_of_all(void **state)
{
    (void)state;
    struct store_page page;
    must_put("{'resourceType':'Basic','id':'a'}");
    must_put("{'resourceType':'Patient','id':'p'}");
    must_put("{'resourceType':'Basic','id':'b'}");
    int64_t middle = must_put("{'resourceType':'Basic','id':'a','language':'en'}").updated;
    assert_int_equal(try_delete("Basic", "a", (struct store_condition){0}), STATUS_OK);
    struct store_history_query query = {.since = INT64_MIN, .total = true};
    assert_string_equal(history(query, &page), "a/3 a/2 b/1 p/1 a/1");
    assert_int_equal(page.total, 5);
    query.type = type_named("Basic");
    assert_string_equal(history(query, &page), "a/3 a/2 b/1 a/1");
    query.id = SLICE("a");
    assert_string_equal(history(query, &page), "a/3 a/2 a/1");
    assert_int_equal(page.items[0].method, STORE_DELETED);
    query.since = middle;
    assert_string_equal(history(query, &page), "a/3 a/2");
    query.since = INT64_MIN;
    query.at_low = middle;
    query.at_high = middle + 1;
    assert_string_equal(history(query, &page), "a/2");
    query.at_low = middle - 1;
    assert_string_equal(history(query, &page), "a/2 a/1");
    query.id = SLICE("");
    query.at_low = middle;
    assert_string_equal(history(query, &page), "a/2 b/1");
    struct store_tx *tx = begin();
    query.id = SLICE("never");
    assert_int_equal(store_history(tx, &query, arena, NULL, &page), STATUS_NOT_FOUND);
    store_snapshot_end(tx);
}

static void history_pages_follow_each_other_while_changes_come_in(void **state)
{
    (void)state;
    struct store_page page = {0};
    for (int i = 0; i < 7; i++) {
        must_put("{'resourceType':'Basic','id':'a'}");
        must_put("{'resourceType':'Patient','id':'a'}");
    }
    for (int kind = 0; kind < 3; kind++) {
        struct store_history_query query = {.since = INT64_MIN, .count = 3};
        query.type = kind > 0 ? type_named("Basic") : RESOURCE_TYPE_NONE;
        query.id = kind > 1 ? SLICE("a") : SLICE("");
        uint64_t last = UINT64_MAX;
        size_t seen = 0;
        do {
            history(query, &page);
            for (size_t i = 0; i < page.count; i++) {
                assert_true(page.items[i].change < last);
                last = page.items[i].change;
            }
            seen += page.count;
            query.cursor = page.next;
            must_put("{'resourceType':'Account','id':'meanwhile'}");
        } while (page.more);
        /* Accounts of the rounds before are part of the system's history. */
        assert_int_equal(seen, kind == 0 ? 14 : 7);
    }
}

/* ---- content of Binaries ------------------------------------------------------------------------
 */

static void a_binarys_content_is_kept_in_pieces_with_its_version(void **state)
{
    (void)state;
    const size_t length = 200000;
    FILE *file = tmpfile();
    assert_non_null(file);
    for (size_t i = 0; i < length; i++) {
        fputc((int)(i * 7 % 251), file);
    }
    fflush(file);
    struct put put = {.draft = draft_of("{'resourceType':'Binary','id':'b','contentType':'x/y'}"),
                      .method = STORE_CREATED};
    store_draft_set_blob(put.draft, fileno(file), length);
    assert_int_equal(store_write(store, put_run, &put), STATUS_OK);
    fclose(file);
    must_put("{'resourceType':'Binary','id':'b','contentType':'x/z'}");
    struct store_version version;
    struct store_tx *tx = begin();
    assert_int_equal(store_read_version(tx, type_named("Binary"), SLICE("b"), 1, arena, &version),
                     STATUS_OK);
    assert_true(version.blob_length == length);
    struct buffer out = {.arena = arena};
    assert_int_equal(store_read_blob(tx, &version, 65000, 70000, &out), STATUS_OK);
    assert_int_equal(out.length, 70000);
    for (size_t i = 0; i < out.length; i++) {
        assert_int_equal((uint8_t)out.at[i], (65000 + i) * 7 % 251);
    }
    out.length = 0;
    assert_int_equal(store_read_blob(tx, &version, length - 5, 100, &out), STATUS_OK);
    assert_int_equal(out.length, 5);
    assert_int_equal(store_read_blob(tx, &version, length, 100, &out), STATUS_OK);
    assert_int_equal(out.length, 5);
    store_snapshot_end(tx);
}

static enum status count_visit(void *context, const struct store_version *version)
{
    size_t *count = context;
    ++*count;
    return version->body.length > 0 && *count < 30 ? STATUS_OK : STATUS_BUSY;
}

static void a_scan_visits_every_current_resource_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        must_put(arena_print(arena, "{'resourceType':'Basic','id':'b%d'}", i));
        must_put(arena_print(arena, "{'resourceType':'Patient','id':'b%d'}", i));
    }
    size_t count = 0;
    struct store_tx *tx = begin();
    assert_int_equal(store_scan(tx, type_named("Basic"), count_visit, &count), STATUS_OK);
    assert_int_equal(count, 20);
    count = 0;
    assert_int_equal(store_scan(tx, RESOURCE_TYPE_NONE, count_visit, &count), STATUS_BUSY);
    assert_int_equal(count, 30);
    store_snapshot_end(tx);
}

/* ---- a writer that never pauses ----------------------------------------------------------- */

#define STEADY_SECONDS 9
#define STEADY_PART    (4 << 20) /* bytes of a transaction */
#define LOG_MOST       (160 << 20)

static enum status write_slowly(struct store_tx *tx, void *context)
{
    const struct slice *value = context;
    enum status status = store_note_set(tx, SLICE("steady"), *value);
    usleep(30 * 1000); /* 130 MB a second */
    return status;
}

static void *write_on(void *context)
{
    int64_t end = time_monotonic() + STEADY_SECONDS * MICROS_PER_SECOND;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && time_monotonic() < end) {
        status = store_write(store, write_slowly, context);
    }
    return status == STATUS_OK ? context : NULL;
}

static void the_log_has_an_end_though_the_writer_never_pauses(void **state)
{
    (void)state;
    if (on_server()) {
        skip(); /* its log is its own */
    }
    struct slice value = {.at = arena_zero(arena, STEADY_PART), .length = STEADY_PART};
    assert_non_null(value.at);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_on, &value), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &value);
    }
    struct stat log;
    assert_int_equal(stat(arena_print(arena, "%s/records.db-wal", folder), &log), 0);
    print_message("%lld MB\n", (long long)log.st_size >> 20);
    assert_true(log.st_size < LOG_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(one_of_many_creates_of_the_same_thing_succeeds),
        STORE_TEST(a_conditional_create_by_many_makes_one_resource),
        STORE_TEST(a_failed_job_leaves_nothing_and_what_it_interned_is_not_remembered),
        STORE_TEST(point_reads_see_all_that_was_acknowledged_or_read_before),
        STORE_TEST(a_snapshot_does_not_see_what_comes_after_it_began),
        STORE_TEST(a_snapshot_cannot_write),
        STORE_TEST(a_deadline_ends_a_search),
        STORE_TEST(a_job_s_patience_ends_its_searches_and_nothing_else),
        STORE_TEST(history_is_newest_first_of_one_of_a_type_and_of_all),
        STORE_TEST(history_pages_follow_each_other_while_changes_come_in),
        STORE_TEST(a_binarys_content_is_kept_in_pieces_with_its_version),
        STORE_TEST(a_scan_visits_every_current_resource_once),
        STORE_TEST(the_log_has_an_end_though_the_writer_never_pauses),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
