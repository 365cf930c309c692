/* SPDX-License-Identifier: MIT */
/* What the tests of the store share: a folder and an open store for each test, and short ways to
 * put and read resources written with ' for ". */
#ifndef CARELAYER_TESTS_STORE_TEST_H
#define CARELAYER_TESTS_STORE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libpq-fe.h>
#include <sqlite3.h>

#include "fhir_test.h"
#include "store/store.h"

static struct store *store;
static struct store_reader *reader;
static char folder[256];

/* Where CARELAYER_POSTGRESQL says how to reach a server (tests/postgresql/with_server), the same
 * tests run there: each in a database of its own. */
static char database[256];

static inline bool on_server(void)
{
    return getenv("CARELAYER_POSTGRESQL") != NULL;
}

static inline void server_execute(const char *name, const char *sql)
{
    char address[300];
    snprintf(address, sizeof(address), "%s dbname=%s", getenv("CARELAYER_POSTGRESQL"), name);
    PGconn *link = PQconnectdb(address);
    PGresult *result = PQexec(link, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        print_message("%s\n", PQerrorMessage(link));
        fail();
    }
    PQclear(result);
    PQfinish(link);
}

/* Changes the records behind the store's back; gives the first number of its first row. Where
 * places stand, what is for both engines says so in words of SQLite's: `rid` is a place. */
static inline int64_t meddle(const char *sql)
{
    char path[300];
    int64_t number = 0;
    if (on_server()) {
        PGconn *link = PQconnectdb(database);
        PQclear(PQexec(link, "SET search_path = carelayer, carelayer_plain"));
        PGresult *result = PQexec(link, sql);
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            print_message("%s\n", PQerrorMessage(link));
            fail();
        }
        number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
        PQclear(result);
        PQfinish(link);
        return number;
    }
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof(path), "%s/records.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (const char *rest = sql; *rest != '\0';) {
        if (sqlite3_prepare_v2(db, rest, -1, &statement, &rest) != SQLITE_OK) {
            fail_msg("%s", sqlite3_errmsg(db));
        }
        int code = sqlite3_step(statement);
        number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        if (code != SQLITE_ROW && code != SQLITE_DONE) {
            fail_msg("%s", sqlite3_errmsg(db));
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    return number;
}

/* For what is about the file of SQLite. */
#define ONLY_SQLITE()                                                                              \
    do {                                                                                           \
        if (on_server()) {                                                                         \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static inline void store_reopen_with(const char *vfs)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    struct store_options options = {.folder = folder, .definitions = definitions, .vfs = vfs};
    options.database = on_server() ? database : NULL;
    options.writers = 3;
    enum status status = store_open(&options, &outcome, &store);
    if (status != STATUS_OK && outcome.first != NULL) {
        print_message("%.*s\n", SLICE_ARGS(outcome.first->text));
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(store_reader_open(store, &reader), STATUS_OK);
}

static inline void store_shut(void)
{
    store_reader_close(reader);
    store_close(store);
    reader = NULL;
    store = NULL;
}

static inline void store_shut(void);

/* A database of its own, copied from one whose tables are made: that takes a tenth of the time. */
static inline void server_database(void)
{
    static int count = 0;
    char sql[128];
    if (count++ == 0) {
        snprintf(sql, sizeof(sql), "CREATE DATABASE t%d_0 TEMPLATE template0 ENCODING 'UTF8'",
                 (int)getpid());
        server_execute("postgres", sql);
        snprintf(database, sizeof(database), "%s dbname=t%d_0", getenv("CARELAYER_POSTGRESQL"),
                 (int)getpid());
        store_reopen_with(NULL);
        store_shut();
    }
    snprintf(sql, sizeof(sql), "CREATE DATABASE t%d_%d TEMPLATE t%d_0", (int)getpid(), count,
             (int)getpid());
    server_execute("postgres", sql);
    snprintf(database, sizeof(database), "%s dbname=t%d_%d", getenv("CARELAYER_POSTGRESQL"),
             (int)getpid(), count);
}

static inline int store_setup(void **state)
{
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/carelayer-store-XXXXXX", root != NULL ? root : "/tmp");
    if (arena_setup(state) != 0 || mkdtemp(folder) == NULL) {
        return -1;
    }
    log_level_set(LOG_ERROR);
    if (on_server()) {
        server_database();
    }
    store_reopen_with(NULL);
    return 0;
}

static inline int store_teardown(void **state)
{
    static const char *const names[] = {"records.db",   "records.db-wal", "records.db-shm",
                                        "records.lock", "backup.db",      "store.id"};
    store_shut();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[300];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    if (on_server()) {
        char sql[128];
        snprintf(sql, sizeof(sql), "DROP DATABASE %s", strstr(database, "dbname=") + 7);
        server_execute("postgres", sql);
    }
    return arena_teardown(state);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

static inline resource_type type_named(const char *name)
{
    resource_type type = resource_type_find(definitions, slice_text(name));
    assert_int_not_equal(type, RESOURCE_TYPE_NONE);
    return type;
}

/* ---- writing ------------------------------------------------------------------------------- */

struct put {
    struct store_draft *draft;
    enum store_method method;
    struct store_condition condition;
    struct store_written written;
    struct slice id;
    resource_type type;
};

static inline enum status put_run(struct store_tx *tx, void *context)
{
    struct put *put = context;
    return store_put(tx, put->draft, put->method, &put->condition, arena, NULL, &put->written);
}

static inline enum status delete_run(struct store_tx *tx, void *context)
{
    struct put *put = context;
    return store_delete(tx, put->type, put->id, &put->condition, arena, NULL, &put->written);
}

static inline struct store_draft *draft_of(const char *text)
{
    yyjson_val *root = parse(text);
    struct store_draft *draft = NULL;
    assert_int_equal(store_draft_make(store, type_of(root), json_get_string(root, "id"), root,
                                      SLICE("http://here.example/fhir"), arena, NULL, &draft),
                     STATUS_OK);
    return draft;
}

static inline enum status try_put(const char *text, struct store_condition condition,
                                  struct store_written *ret_written)
{
    struct put put = {.draft = draft_of(text), .method = STORE_UPDATED, .condition = condition};
    enum status status = store_write(store, put_run, &put);
    if (ret_written != NULL) {
        *ret_written = put.written;
    }
    return status;
}

static inline struct store_written must_put(const char *text)
{
    struct store_written written = {0};
    assert_int_equal(try_put(text, (struct store_condition){0}, &written), STATUS_OK);
    return written;
}

static inline enum status try_delete(const char *type, const char *id,
                                     struct store_condition condition)
{
    struct put put = {.type = type_named(type), .id = slice_text(id), .condition = condition};
    return store_write(store, delete_run, &put);
}

/* ---- reading ------------------------------------------------------------------------------- */

static inline enum status try_read(const char *type, const char *id,
                                   struct store_version *ret_version)
{
    return store_read_now(reader, type_named(type), slice_text(id), arena, ret_version);
}

static inline struct store_tx *begin(void)
{
    struct store_tx *tx = NULL;
    assert_int_equal(store_snapshot_begin(reader, 0, &tx), STATUS_OK);
    return tx;
}

static inline const struct search_parameter *parameter_named(const char *type, const char *code)
{
    const struct search_parameter *parameter =
        search_parameter_find(definitions, type_named(type), slice_text(code));
    assert_non_null(parameter);
    return parameter;
}

/* The ids on a page, "a b c". */
static inline const char *ids_of(const struct store_page *page)
{
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < page->count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        buffer_add(&out, page->items[i].id);
    }
    return as_text(&out);
}

/* Puts what MAKE gives for 0 to COUNT - 1, many in a transaction. */
struct batch {
    struct store_draft *drafts[200];
    int count;
};

static inline enum status put_batch(struct store_tx *tx, void *context)
{
    const struct batch *batch = context;
    struct store_condition condition = {0};
    struct store_written written;
    for (int i = 0; i < batch->count; i++) {
        TRY(store_put(tx, batch->drafts[i], STORE_UPDATED, &condition, arena, NULL, &written));
    }
    return STATUS_OK;
}

static inline void put_in_batches(int count, const char *(*make)(int))
{
    for (int first = 0; first < count; first += 200) {
        struct arena_mark mark = arena_mark(arena);
        struct batch batch = {.count = count - first < 200 ? count - first : 200};
        for (int i = 0; i < batch.count; i++) {
            batch.drafts[i] = draft_of(make(first + i));
        }
        assert_int_equal(store_write(store, put_batch, &batch), STATUS_OK);
        arena_rewind(arena, mark);
    }
}

#endif
