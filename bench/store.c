/* SPDX-License-Identifier: MIT */
/* Loads FHIR Bundles into a store and sets what it takes beside its floor: the same rows, in the
 * same order, 1,000 resources a commit, put into bare SQLite. Prints bytes a resource by table, and
 * rates a second of processor time.
 *
 *   bench_store DEFINITIONS FOLDER BUNDLE.json[.gz]... */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/store_int.h"

struct item {
    resource_type type;
    struct slice id, body;
};

struct load {
    struct store *store;
    struct definitions *definitions;
    struct arena *arena; /* the whole run */
    struct item *items;
    size_t count, capacity;
    size_t *bundles; /* first item of each */
    size_t bundle_count;
    int64_t draft_time, put_time;
};

static void must(enum status status, const char *what)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, status_name(status));
        exit(1);
    }
}

/* Processor time of the whole process: what a busy machine leaves comparable. */
static int64_t processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Of one thread: the writer's own work, without what other threads do meanwhile. */
static int64_t thread_time(pthread_t thread)
{
    struct timespec now = {0};
    clockid_t clock;
    if (pthread_getcpuclockid(thread, &clock) == 0) {
        clock_gettime(clock, &now);
    }
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double seconds(int64_t micros)
{
    return (double)micros / 1e6;
}

/* ---- reading bundles --------------------------------------------------------------------------
 */

struct resolving {
    yyjson_val *entries;
    struct arena *arena;
    size_t last;
};

static bool resolve(void *context, struct slice text, struct slice *ret_text)
{
    struct resolving *resolving = context;
    if (!slice_starts(text, SLICE("urn:uuid:"))) {
        return false;
    }
    size_t i, max;
    yyjson_val *entry;
    yyjson_arr_foreach(resolving->entries, i, max, entry)
    {
        if (slice_equals(json_get_string(entry, "fullUrl"), text)) {
            yyjson_val *resource = json_get(entry, "resource");
            const char *target = arena_print(resolving->arena, "%.*s/%.*s",
                                             SLICE_ARGS(json_get_string(resource, "resourceType")),
                                             SLICE_ARGS(json_get_string(resource, "id")));
            *ret_text = slice_text(target);
            return true;
        }
    }
    return false;
}

static void add_entry(struct load *load, struct resolving *resolving, yyjson_val *resource)
{
    struct slice name = json_get_string(resource, "resourceType");
    resource_type type = resource_type_find(load->definitions, name);
    if (type == RESOURCE_TYPE_NONE || load->count == load->capacity) {
        return;
    }
    struct buffer out = {.arena = load->arena};
    resource_write_resolved(load->definitions, type, resource, resolve, resolving, &out);
    load->items[load->count++] =
        (struct item){.type = type,
                      .id = arena_copy(load->arena, json_get_string(resource, "id")),
                      .body = buffer_slice(&out)};
}

static void read_bundle(struct load *load, const char *path)
{
    struct arena *scratch = arena_create(0);
    struct slice text;
    struct json json;
    must(disk_read_file(path, (size_t)1 << 30, scratch, &text), path);
    if (slice_ends(slice_text(path), SLICE(".gz"))) {
        struct buffer plain = {.arena = scratch};
        must(gzip_inflate(text, (size_t)1 << 30, &plain), path);
        text = buffer_slice(&plain);
    }
    must(json_read(text, &json_limits_default, scratch, NULL, &json), path);
    struct resolving resolving = {.entries = json_get(json.root, "entry"), .arena = scratch};
    load->bundles[load->bundle_count++] = load->count;
    size_t i, max;
    yyjson_val *entry;
    yyjson_arr_foreach(resolving.entries, i, max, entry)
    {
        add_entry(load, &resolving, json_get(entry, "resource"));
    }
    arena_destroy(scratch);
}

/* ---- putting -----------------------------------------------------------------------------------
 */

struct batch {
    struct load *load;
    size_t first, last;
    struct store_draft **drafts;
    struct arena *arena;
    struct arena *put_arena;
};

static enum status put_batch(struct store_tx *tx, void *context)
{
    struct batch *batch = context;
    for (size_t i = batch->first; i < batch->last; i++) {
        struct store_written written;
        arena_reset(batch->put_arena, 0);
        TRY(store_put(tx, batch->drafts[i - batch->first], STORE_CREATED, NULL, batch->put_arena,
                      NULL, &written));
    }
    return STATUS_OK;
}

static void make_drafts(struct batch *batch)
{
    struct load *load = batch->load;
    batch->drafts = arena_array(batch->arena, batch->last - batch->first, sizeof(*batch->drafts));
    for (size_t i = batch->first; i < batch->last; i++) {
        struct json json;
        const struct item *item = &load->items[i];
        must(json_read(item->body, &json_limits_default, batch->arena, NULL, &json), "json");
        must(store_draft_make(load->store, item->type, item->id, json.root, SLICE(""), batch->arena,
                              NULL, &batch->drafts[i - batch->first]),
             "draft");
    }
}

static void put_all(struct load *load)
{
    struct batch batch = {.load = load, .arena = arena_create(0), .put_arena = arena_create(0)};
    for (size_t i = 0; i < load->bundle_count; i++) {
        batch.first = load->bundles[i];
        batch.last = i + 1 < load->bundle_count ? load->bundles[i + 1] : load->count;
        int64_t start = thread_time(pthread_self());
        make_drafts(&batch);
        int64_t made = thread_time(pthread_self());
        must(store_write(load->store, put_batch, &batch), "put");
        load->draft_time += made - start;
        arena_reset(batch.arena, 0);
    }
    load->put_time = thread_time(load->store->writer_thread);
    arena_destroy(batch.arena);
    arena_destroy(batch.put_arena);
}

/* ---- the floor
 * ------------------------------------------------------------------------------------ */

static void prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement)
{
    if (sqlite3_prepare_v2(db, sql, -1, ret_statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void copy_columns(sqlite3_stmt *from, sqlite3_stmt *to)
{
    for (int i = 0; i < sqlite3_column_count(from); i++) {
        sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
    }
}

/* Rows are read from the loaded store before the clock runs: only inserts are timed. */
static int64_t floor_of(struct load *load, const char *folder, size_t *ret_rows)
{
    struct store *bare = NULL;
    struct store_options options = {.folder = folder, .definitions = load->definitions};
    must(store_open(&options, NULL, &bare), "floor");
    struct connection source = {0}, *target = &bare->writer->connection;
    must(database_open(load->store, false, &source), "floor");
    sqlite3_stmt *rows, *directory, *add[4];
    prepare(source.db,
            "SELECT rid,type,id,version,updated,change,method,splice,others,blob_length,facts,"
            "dictionary,body FROM resource ORDER BY change",
            &rows);
    prepare(source.db, "SELECT * FROM directory WHERE type=?1 AND id=?2", &directory);
    prepare(target->db, "INSERT INTO resource VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
            &add[0]);
    prepare(target->db, "INSERT INTO directory VALUES(?1,?2,?3,?4,?5,?6)", &add[1]);
    prepare(target->db, "INSERT INTO place(rid, type) VALUES(?1,?2)", &add[2]);
    prepare(target->db, "INSERT INTO change(rid, type, change) VALUES(?1,?2,?6)", &add[3]);
    int64_t spent = 0;
    size_t count = 0;
    must(database_execute(target, "BEGIN IMMEDIATE"), "floor");
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct facts_cursor cursor;
        struct fact fact;
        sqlite3_bind_value(directory, 1, sqlite3_column_value(rows, 1));
        sqlite3_bind_value(directory, 2, sqlite3_column_value(rows, 2));
        sqlite3_step(directory);
        int64_t rid = sqlite3_column_int64(rows, 0);
        int64_t start = thread_time(pthread_self());
        copy_columns(rows, add[0]);
        copy_columns(directory, add[1]);
        sqlite3_bind_int64(add[2], 1, rid);
        sqlite3_bind_value(add[2], 2, sqlite3_column_value(rows, 1));
        sqlite3_bind_int64(add[3], 1, rid);
        sqlite3_bind_value(add[3], 2, sqlite3_column_value(rows, 1));
        sqlite3_bind_value(add[3], 6, sqlite3_column_value(rows, 5));
        for (int i = 0; i < 4; i++) {
            sqlite3_step(add[i]);
            sqlite3_reset(add[i]);
        }
        *ret_rows += 4;
        facts_open(slice_of(sqlite3_column_blob(rows, 10), (size_t)sqlite3_column_bytes(rows, 10)),
                   &cursor);
        while (facts_next(&cursor, &fact)) {
            must(fact_insert(target, &fact, rid), "floor fact");
            ++*ret_rows;
        }
        if (++count % 1000 == 0) {
            must(database_execute(target, "COMMIT; BEGIN IMMEDIATE"), "floor");
        }
        spent += thread_time(pthread_self()) - start;
        sqlite3_reset(directory);
    }
    int64_t start = thread_time(pthread_self());
    must(database_execute(target, "COMMIT"), "floor");
    spent += thread_time(pthread_self()) - start;
    sqlite3_finalize(rows);
    sqlite3_finalize(directory);
    for (int i = 0; i < 4; i++) {
        sqlite3_finalize(add[i]);
    }
    database_close(&source);
    store_close(bare);
    return spent;
}

/* ---- reading
 * --------------------------------------------------------------------------------------- */

static void read_all(struct load *load)
{
    struct store_reader *reader = NULL;
    struct arena *arena = arena_create((size_t)16 << 20);
    struct random random;
    must(store_reader_open(load->store, &reader), "reader");
    random_seed(&random, 1, 0);
    const size_t reads = 200000;
    int64_t start = processor_time();
    for (size_t i = 0; i < reads; i++) {
        const struct item *item = &load->items[random_below(&random, load->count)];
        struct store_version version;
        arena_reset(arena, (size_t)16 << 20);
        must(store_read_now(reader, item->type, item->id, arena, &version), "read");
    }
    int64_t spent = processor_time() - start;
    printf("read by id            %10.0f /s\n", (double)reads / seconds(spent));
    store_reader_close(reader);
    arena_destroy(arena);
}

static void print_sizes(struct load *load, struct store *store)
{
    struct connection connection = {0};
    sqlite3_stmt *statement;
    must(database_open(store, false, &connection), "sizes");
    prepare(connection.db,
            "SELECT name, sum(pgsize), sum(payload), sum(ncell) FROM dbstat GROUP BY name"
            " ORDER BY 2 DESC",
            &statement);
    int64_t all = 0;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        int64_t bytes = sqlite3_column_int64(statement, 1);
        all += bytes;
        if (bytes > 20000) {
            printf("  %-24s %8.1f bytes a resource, payload %8.1f, %6.2f cells\n",
                   (const char *)sqlite3_column_text(statement, 0),
                   (double)bytes / (double)load->count,
                   (double)sqlite3_column_int64(statement, 2) / (double)load->count,
                   (double)sqlite3_column_int64(statement, 3) / (double)load->count);
        }
    }
    printf("  %-24s %8.1f bytes a resource\n", "all", (double)all / (double)load->count);
    sqlite3_finalize(statement);
    database_close(&connection);
}

int main(int count, char **arguments)
{
    struct load load = {.arena = arena_create(0), .capacity = 2000000};
    if (count < 4) {
        fprintf(stderr, "bench_store DEFINITIONS FOLDER BUNDLE...\n");
        return 2;
    }
    must(definitions_open(arguments[1], NULL, &load.definitions), "definitions");
    load.items = arena_array(load.arena, load.capacity, sizeof(*load.items));
    load.bundles = arena_array(load.arena, (size_t)count, sizeof(*load.bundles));
    for (int i = 3; i < count; i++) {
        read_bundle(&load, arguments[i]);
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < load.count; i++) {
        bytes += load.items[i].body.length;
    }
    printf("%zu resources, %.0f bytes each as JSON\n", load.count,
           (double)bytes / (double)load.count);
    const char *folder = arena_print(load.arena, "%s/store", arguments[2]);
    struct store_options options = {.folder = folder, .definitions = load.definitions};
    must(store_open(&options, NULL, &load.store), "open");
    put_all(&load);
    printf("parse, index, compress %9.0f /s\n", (double)load.count / seconds(load.draft_time));
    printf("put, durable          %10.0f /s\n", (double)load.count / seconds(load.put_time));
    printf("both, one after other %10.0f /s\n",
           (double)load.count / seconds(load.put_time + load.draft_time));
    read_all(&load);
    size_t rows = 0;
    int64_t spent = floor_of(&load, arena_print(load.arena, "%s/floor", arguments[2]), &rows);
    printf("floor, bare SQLite    %10.0f /s, %.1f rows a resource\n",
           (double)load.count / seconds(spent), (double)rows / (double)load.count);
    print_sizes(&load, load.store);
    store_close(load.store);
    definitions_close(load.definitions);
    arena_destroy(load.arena);
    return 0;
}
