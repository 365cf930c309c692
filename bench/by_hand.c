/* SPDX-License-Identifier: MIT */
/* For measuring what finding costs: the program with store_find exchanged by the linker (--wrap)
 * for statements written by hand, on the same snapshot, the same tables and the same HTTP path. It
 * is built for bench/shapes only, never installed; the product has no such door.
 *
 * CARELAYER_BY_HAND names a file with lines `NAME TAB SQL`: statements that give places in the
 * order of the page. A search whose `_id` is `by-hand.NAME,ARGUMENT,...` is answered with NAME's
 * rows; an argument is a letter and its text: i a whole number, r a real one, t text, x bytes in
 * hex. The statement's last parameter is how many rows are wanted, one more than the page has. With
 * a total, NAME.total gives it. Any other search goes to the store's own store_find. */
#include "by_hand.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define STATEMENTS_MOST BY_HAND_MOST
#define HANDLES_MOST    64
#define MARK            "by-hand."

enum status __real_store_find(struct store_tx *tx, const struct store_query *query,
                              struct arena *arena, struct outcome *outcome,
                              struct store_page *ret_page);
enum status __wrap_store_find(struct store_tx *tx, const struct store_query *query,
                              struct arena *arena, struct outcome *outcome,
                              struct store_page *ret_page);
int __real_sqlite3_close(sqlite3 *db);
int __wrap_sqlite3_close(sqlite3 *db);

struct by_hand {
    struct slice name, sql;
};

/* What one database handle has prepared; a handle is used by one thread at a time. */
struct handle {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS_MOST];
};

static struct by_hand written[STATEMENTS_MOST];
static size_t written_count;
static struct handle handles[HANDLES_MOST];
static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_statements(void)
{
    struct arena *arena = arena_create(0); /* as long as the process */
    const char *path = getenv("CARELAYER_BY_HAND");
    FILE *file = path != NULL && arena != NULL ? fopen(path, "r") : NULL;
    char line[16384];
    while (file != NULL && written_count < STATEMENTS_MOST &&
           fgets(line, sizeof(line), file) != NULL) {
        struct slice text = arena_copy(arena, slice_of(line, strcspn(line, "\n")));
        size_t tab = slice_index(text, '\t');
        if (text.at != NULL && tab < text.length) {
            written[written_count++] =
                (struct by_hand){slice_head(text, tab), slice_from(text, tab + 1)};
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static struct handle *handle_of(sqlite3 *db)
{
    struct handle *found = NULL;
    pthread_mutex_lock(&handles_lock);
    for (size_t i = 0; i < HANDLES_MOST && found == NULL; i++) {
        if (handles[i].db == NULL || handles[i].db == db) {
            found = &handles[i];
            found->db = db;
        }
    }
    pthread_mutex_unlock(&handles_lock);
    return found;
}

/* A database is only closed once its statements are finalized. */
int __wrap_sqlite3_close(sqlite3 *db)
{
    pthread_mutex_lock(&handles_lock);
    for (size_t i = 0; i < HANDLES_MOST; i++) {
        for (size_t j = 0; handles[i].db == db && db != NULL && j < STATEMENTS_MOST; j++) {
            sqlite3_finalize(handles[i].statements[j]);
            handles[i].statements[j] = NULL;
        }
    }
    pthread_mutex_unlock(&handles_lock);
    return __real_sqlite3_close(db);
}

static enum status statement_of(sqlite3 *db, struct slice name, sqlite3_stmt **ret_statement)
{
    struct handle *handle = handle_of(db);
    for (size_t i = 0; i < written_count && handle != NULL; i++) {
        if (!slice_equals(written[i].name, name)) {
            continue;
        }
        sqlite3_stmt **own = &handle->statements[i];
        if (*own == NULL && sqlite3_prepare_v3(db, written[i].sql.at, (int)written[i].sql.length,
                                               SQLITE_PREPARE_PERSISTENT, own, NULL) != SQLITE_OK) {
            fprintf(stderr, "by hand: %.*s: %s\n", SLICE_ARGS(name), sqlite3_errmsg(db));
            return STATUS_IO;
        }
        *ret_statement = *own;
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static enum status bind_bytes(sqlite3_stmt *statement, int at, struct slice hex)
{
    char bytes[32];
    size_t count = hex.length / 2 < sizeof(bytes) ? hex.length / 2 : sizeof(bytes);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (char)(digit(hex.at[2 * i]) << 4 | digit(hex.at[2 * i + 1]));
    }
    return sqlite3_bind_blob(statement, at, bytes, (int)count, SQLITE_TRANSIENT) == SQLITE_OK
               ? STATUS_OK
               : STATUS_IO;
}

static enum status bind_argument(sqlite3_stmt *statement, int at, struct slice argument)
{
    char text[72];
    int code = SQLITE_ERROR;
    snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(argument));
    switch (text[0]) {
    case 'i':
        code = sqlite3_bind_int64(statement, at, strtoll(text + 1, NULL, 10));
        break;
    case 'r':
        code = sqlite3_bind_double(statement, at, strtod(text + 1, NULL));
        break;
    case 't':
        code = sqlite3_bind_text(statement, at, text + 1, -1, SQLITE_TRANSIENT);
        break;
    case 'x':
        return bind_bytes(statement, at, slice_from(argument, 1));
    default:
        break;
    }
    return code == SQLITE_OK ? STATUS_OK : STATUS_VALUE;
}

static enum status bind_all(sqlite3_stmt *statement, const struct store_query *query, size_t rows)
{
    for (size_t i = 1; i < query->id_count; i++) {
        TRY(bind_argument(statement, (int)i, query->ids[i]));
    }
    int last = sqlite3_bind_parameter_count(statement);
    if (last == (int)query->id_count) {
        sqlite3_bind_int64(statement, last, (int64_t)rows);
    }
    return STATUS_OK;
}

/* ---- on a server --------------------------------------------------------------------------------
 */

static enum status question_of(const struct store_query *query, struct slice name, size_t rows,
                               struct by_hand_question *ret_question)
{
    for (size_t i = 0; i < written_count; i++) {
        if (slice_equals(written[i].name, name)) {
            *ret_question = (struct by_hand_question){.number = i,
                                                      .sql = written[i].sql,
                                                      .arguments = query->ids + 1,
                                                      .count = query->id_count - 1,
                                                      .rows = rows};
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status find_on_server(struct connection *connection, const struct store_query *query,
                                  struct slice name, struct arena *arena, struct store_page *page)
{
    struct by_hand_question question;
    size_t count = 0;
    int64_t *places = arena_array(arena, query->count + 1, sizeof(*places));
    page->items = arena_array(arena, query->count + 1, sizeof(*page->items));
    if (places == NULL || page->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(question_of(query, name, query->count + 1, &question));
    TRY(by_hand_postgres(connection, &question, arena, places, &count));
    page->more = count > query->count;
    page->count = page->more ? query->count : count;
    TRY(place_read_all(connection, places, page->count, query->bodies, arena, page->items));
    page->next = page->more ? SLICE("00") : SLICE("");
    return STATUS_OK;
}

static enum status count_on_server(struct connection *connection, const struct store_query *query,
                                   struct slice name, struct arena *arena, uint64_t *ret_total)
{
    struct by_hand_question question;
    size_t count = 0;
    int64_t total = 0;
    TRY(question_of(query, name, 0, &question));
    TRY(by_hand_postgres(connection, &question, arena, &total, &count));
    *ret_total = (uint64_t)total;
    return STATUS_OK;
}

/* ---- in a file ----------------------------------------------------------------------------------
 */

static enum status count_all(struct connection *connection, const struct store_query *query,
                             struct slice name, struct arena *arena, uint64_t *ret_total)
{
    sqlite3_stmt *statement;
    struct buffer total = {.arena = arena};
    buffer_add(&total, name);
    buffer_add_text(&total, ".total");
    if (connection->db == NULL) {
        return count_on_server(connection, query, buffer_slice(&total), arena, ret_total);
    }
    TRY(statement_of(connection->db, buffer_slice(&total), &statement));
    enum status status = bind_all(statement, query, 0);
    if (status == STATUS_OK && sqlite3_step(statement) == SQLITE_ROW) {
        *ret_total = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return status;
}

static enum status read_rows(struct connection *connection, sqlite3_stmt *statement,
                             const struct store_query *query, struct arena *arena,
                             struct store_page *page)
{
    int code;
    page->items = arena_array(arena, query->count + 1, sizeof(*page->items));
    if (page->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (page->count == query->count) {
            page->more = true;
            break;
        }
        TRY(place_read(connection, sqlite3_column_int64(statement, 0), query->bodies, arena,
                       &page->items[page->count++]));
    }
    page->next = page->more ? SLICE("00") : SLICE("");
    return code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : STATUS_IO;
}

enum status __wrap_store_find(struct store_tx *tx, const struct store_query *query,
                              struct arena *arena, struct outcome *outcome,
                              struct store_page *ret_page)
{
    if (query->id_count == 0 || !slice_starts(query->ids[0], SLICE(MARK))) {
        return __real_store_find(tx, query, arena, outcome, ret_page);
    }
    struct slice name = slice_from(query->ids[0], strlen(MARK));
    sqlite3_stmt *statement;
    *ret_page = (struct store_page){.total = UINT64_MAX};
    pthread_once(&once, read_statements);
    if (query->total) {
        TRY(count_all(tx->connection, query, name, arena, &ret_page->total));
    }
    if (query->count == 0) {
        return STATUS_OK;
    }
    if (tx->connection->db == NULL) {
        return find_on_server(tx->connection, query, name, arena, ret_page);
    }
    TRY(statement_of(tx->connection->db, name, &statement));
    enum status status = bind_all(statement, query, query->count + 1);
    if (status == STATUS_OK) {
        status = read_rows(tx->connection, statement, query, arena, ret_page);
    }
    sqlite3_reset(statement);
    return status;
}
