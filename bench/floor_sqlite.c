/* SPDX-License-Identifier: MIT */
/* carelayer-floor-sqlite: how fast bare SQLite takes the very rows that an import made.
 *
 * Reads every row of every table of a store into memory (untimed), makes an empty database with
 * the same page size, tables and indexes, and inserts the rows again: resource by resource in the
 * order of their changes, 1,000 resources a commit, WAL, synchronous=FULL, checkpointed at the end.
 * No parsing, no validation, no indexing: what is left is the price of the rows themselves. */
#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

#define TABLES_MAX  128
#define COLUMNS_MAX 64
#define WAL_BYTES   INT64_C(67108864)
#define EXIT_BAD    1
#define EXIT_USAGE  2

/* A row in memory: for each column a type byte and its value. */
struct row {
    int64_t group; /* the resource it belongs to; 0 when the table has no such column */
    const char *values;
};

struct table {
    const char *name;
    const char *columns[COLUMNS_MAX];
    size_t column_count;
    int group_column;  /* index, or -1 */
    int change_column; /* index, or -1 */
    bool group_is_key; /* one row a resource */
    struct row *rows;
    size_t row_count, next;
    sqlite3_stmt *insert;
};

struct copy {
    sqlite3 *from, *to;
    struct arena *arena;
    struct table tables[TABLES_MAX];
    size_t table_count;
    struct table *anchor;
    const char *group; /* name of the column that names a resource's place */
    uint64_t rows, resources, bytes;
};

static void die(sqlite3 *database, const char *what)
{
    fprintf(stderr, "carelayer-floor-sqlite: %s: %s\n", what,
            database != NULL ? sqlite3_errmsg(database) : "given up");
    exit(EXIT_BAD);
}

static void execute(sqlite3 *database, const char *sql)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        die(database, sql);
    }
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        die(database, sql);
    }
    return statement;
}

static int64_t ask(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = prepare(database, sql);
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return value;
}

static const char *keep(struct copy *copy, const unsigned char *text)
{
    struct slice kept = arena_copy(copy->arena, slice_text((const char *)text));
    if (kept.at == NULL) {
        die(NULL, "reading the schema");
    }
    return kept.at;
}

static void read_columns(struct copy *copy, struct table *table)
{
    sqlite3_stmt *statement = prepare(copy->from, "SELECT name, pk FROM pragma_table_info(?1)");
    sqlite3_bind_text(statement, 1, table->name, -1, SQLITE_STATIC);
    table->group_column = table->change_column = -1;
    while (sqlite3_step(statement) == SQLITE_ROW && table->column_count < COLUMNS_MAX) {
        const char *name = keep(copy, sqlite3_column_text(statement, 0));
        if (strcmp(name, copy->group) == 0) {
            table->group_column = (int)table->column_count;
            table->group_is_key = sqlite3_column_int(statement, 1) == 1;
        }
        if (strcmp(name, "change") == 0) {
            table->change_column = (int)table->column_count;
        }
        table->columns[table->column_count++] = name;
    }
    sqlite3_finalize(statement);
}

/* Makes tables and indexes in the new database and lists the tables. */
static void copy_schema(struct copy *copy)
{
    sqlite3_stmt *statement =
        prepare(copy->from, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND "
                            "name NOT LIKE 'sqlite_%' AND type IN ('table', 'index') "
                            "ORDER BY type DESC, rowid");
    while (sqlite3_step(statement) == SQLITE_ROW) {
        execute(copy->to, (const char *)sqlite3_column_text(statement, 2));
        if (strcmp((const char *)sqlite3_column_text(statement, 0), "table") == 0) {
            if (copy->table_count == TABLES_MAX) {
                die(NULL, "more tables than expected");
            }
            struct table *table = &copy->tables[copy->table_count++];
            table->name = keep(copy, sqlite3_column_text(statement, 1));
            read_columns(copy, table);
        }
    }
    sqlite3_finalize(statement);
}

static void encode(struct buffer *out, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    buffer_add_byte(out, (char)type);
    if (type == SQLITE_INTEGER) {
        int64_t number = sqlite3_value_int64(value);
        buffer_add(out, slice_of((const char *)&number, sizeof number));
    } else if (type == SQLITE_FLOAT) {
        double number = sqlite3_value_double(value);
        buffer_add(out, slice_of((const char *)&number, sizeof number));
    } else if (type != SQLITE_NULL) {
        const void *at = type == SQLITE_BLOB ? sqlite3_value_blob(value)
                                             : (const void *)sqlite3_value_text(value);
        uint32_t length = (uint32_t)sqlite3_value_bytes(value);
        buffer_add(out, slice_of((const char *)&length, sizeof length));
        buffer_add(out, slice_of(at, length));
    }
}

static void read_rows(struct copy *copy, struct table *table)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", table->name);
    size_t most = (size_t)ask(copy->from, sql);
    table->rows = arena_array(copy->arena, most + 1, sizeof *table->rows);
    if (table->rows == NULL) {
        die(NULL, "reading rows");
    }
    struct buffer names = {.arena = copy->arena};
    buffer_add_text(&names, "SELECT ");
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_print(&names, "%s\"%s\"", i > 0 ? "," : "", table->columns[i]);
    }
    buffer_print(&names, " FROM \"%s\"", table->name);
    if (table->group_column >= 0) {
        buffer_print(&names, " ORDER BY \"%s\"", copy->group);
    }
    buffer_add_byte(&names, '\0');
    sqlite3_stmt *statement = prepare(copy->from, names.at);
    while (table->row_count < most && sqlite3_step(statement) == SQLITE_ROW) {
        struct buffer values = {.arena = copy->arena};
        for (size_t i = 0; i < table->column_count; i++) {
            encode(&values, sqlite3_column_value(statement, (int)i));
        }
        if (!buffer_ok(&values)) {
            die(NULL, "reading rows");
        }
        struct row *row = &table->rows[table->row_count++];
        row->values = values.at;
        row->group =
            table->group_column >= 0 ? sqlite3_column_int64(statement, table->group_column) : 0;
        copy->bytes += values.length;
    }
    sqlite3_finalize(statement);
    copy->rows += table->row_count;
}

static void insert_row(struct copy *copy, struct table *table, const struct row *row)
{
    const char *at = row->values;
    for (int i = 1; i <= (int)table->column_count; i++) {
        int type = *at++;
        if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
            int64_t whole;
            double real;
            memcpy(&whole, at, sizeof whole);
            memcpy(&real, at, sizeof real);
            at += sizeof whole;
            (void)(type == SQLITE_INTEGER ? sqlite3_bind_int64(table->insert, i, whole)
                                          : sqlite3_bind_double(table->insert, i, real));
        } else if (type == SQLITE_NULL) {
            (void)sqlite3_bind_null(table->insert, i);
        } else {
            uint32_t length;
            memcpy(&length, at, sizeof length);
            at += sizeof length;
            (void)(type == SQLITE_BLOB
                       ? sqlite3_bind_blob(table->insert, i, at, (int)length, SQLITE_STATIC)
                       : sqlite3_bind_text(table->insert, i, at, (int)length, SQLITE_STATIC));
            at += length;
        }
    }
    if (sqlite3_step(table->insert) != SQLITE_DONE || sqlite3_reset(table->insert) != SQLITE_OK) {
        die(copy->to, table->name);
    }
}

static void prepare_insert(struct copy *copy, struct table *table)
{
    struct buffer sql = {.arena = copy->arena};
    buffer_print(&sql, "INSERT INTO \"%s\" (", table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_print(&sql, "%s\"%s\"", i > 0 ? "," : "", table->columns[i]);
    }
    buffer_add_text(&sql, ") VALUES (");
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_add_text(&sql, i > 0 ? ",?" : "?");
    }
    buffer_add_text(&sql, ")");
    buffer_add_byte(&sql, '\0');
    if (!buffer_ok(&sql)) {
        die(NULL, "preparing");
    }
    table->insert = prepare(copy->to, sql.at);
}

/* The first row of a group, by binary search: rows lie in the order of their groups. */
static size_t first_of(const struct table *table, int64_t group)
{
    size_t low = 0, high = table->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->rows[middle].group < group) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct ordered {
    int64_t change, group;
};

static int by_change(const void *a, const void *b)
{
    const struct ordered *left = a, *right = b;
    return left->change < right->change ? -1 : left->change > right->change;
}

/* The value of an integer column of an encoded row. */
static int64_t column_integer(const struct table *table, const struct row *row, int column)
{
    const char *at = row->values;
    for (int i = 0;; i++) {
        int type = *at++;
        int64_t number = 0;
        uint32_t length = sizeof number;
        if (type == SQLITE_NULL) {
            length = 0;
        } else if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
            memcpy(&length, at, sizeof length);
            at += sizeof length;
        } else if (type == SQLITE_INTEGER) {
            memcpy(&number, at, sizeof number);
        }
        if (i == column || i + 1 == (int)table->column_count) {
            return number;
        }
        at += length;
    }
}

/* The resources in the order in which they were written. */
static struct ordered *order_groups(struct copy *copy)
{
    struct table *anchor = copy->anchor;
    struct ordered *order = arena_array(copy->arena, anchor->row_count + 1, sizeof *order);
    if (order == NULL) {
        die(NULL, "ordering");
    }
    for (size_t i = 0; i < anchor->row_count; i++) {
        order[i].group = anchor->rows[i].group;
        order[i].change = column_integer(anchor, &anchor->rows[i], anchor->change_column);
    }
    qsort(order, anchor->row_count, sizeof *order, by_change);
    return order;
}

static void insert_group(struct copy *copy, int64_t group, size_t done, size_t all)
{
    for (size_t i = 0; i < copy->table_count; i++) {
        struct table *table = &copy->tables[i];
        if (table->group_column < 0) { /* a fair share of the rows that belong to no resource */
            size_t until = (size_t)((double)table->row_count * (double)(done + 1) / (double)all);
            for (; table->next < until; table->next++) {
                insert_row(copy, table, &table->rows[table->next]);
            }
            continue;
        }
        for (size_t row = first_of(table, group);
             row < table->row_count && table->rows[row].group == group; row++) {
            insert_row(copy, table, &table->rows[row]);
        }
    }
}

/* Rows about places where no resource lives now: mentioned only, or deleted. */
static void insert_leftovers(struct copy *copy)
{
    const struct table *anchor = copy->anchor;
    for (size_t i = 0; i < copy->table_count; i++) {
        struct table *table = &copy->tables[i];
        for (size_t row = 0; table->group_column >= 0 && row < table->row_count; row++) {
            int64_t group = table->rows[row].group;
            size_t at = first_of(anchor, group);
            if (at == anchor->row_count || anchor->rows[at].group != group) {
                insert_row(copy, table, &table->rows[row]);
            }
        }
    }
}

static double insert_all(struct copy *copy, const struct ordered *order, size_t per_commit)
{
    size_t all = copy->anchor->row_count;
    int64_t begin = time_monotonic();
    for (size_t i = 0; i < all; i++) {
        if (i % per_commit == 0) {
            execute(copy->to, "BEGIN IMMEDIATE");
        }
        insert_group(copy, order[i].group, i, all);
        if (i + 1 == all) {
            insert_leftovers(copy);
        }
        if ((i + 1) % per_commit == 0 || i + 1 == all) {
            execute(copy->to, "COMMIT");
        }
    }
    execute(copy->to, "PRAGMA wal_checkpoint(TRUNCATE)"); /* as a clean stop does */
    return (double)(time_monotonic() - begin) / 1e6;
}

/* The anchor has one row a resource, with its place and the number of its change. */
static void choose_anchor(struct copy *copy)
{
    for (size_t i = 0; i < copy->table_count; i++) {
        struct table *table = &copy->tables[i];
        if (table->group_is_key && table->change_column >= 0) {
            copy->anchor = table;
        }
    }
    if (copy->anchor == NULL || copy->anchor->row_count == 0) {
        fprintf(stderr,
                "carelayer-floor-sqlite: no table with rows has the columns %s and change; name "
                "the column that places a resource with --group.\n",
                copy->group);
        exit(EXIT_BAD);
    }
    copy->resources = copy->anchor->row_count;
}

/* What really stands in the new tables: must be every row of the store. */
static uint64_t count_inserted(struct copy *copy)
{
    uint64_t count = 0;
    for (size_t i = 0; i < copy->table_count; i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", copy->tables[i].name);
        count += (uint64_t)ask(copy->to, sql);
    }
    return count;
}

static void open_databases(struct copy *copy, const char *from, const char *to, int64_t cache)
{
    char sql[128];
    if (access(to, F_OK) == 0) {
        fputs("carelayer-floor-sqlite: the new file exists already; name another.\n", stderr);
        exit(EXIT_USAGE);
    }
    if (sqlite3_open_v2(from, &copy->from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        die(copy->from, "the store cannot be read");
    }
    if (sqlite3_open(to, &copy->to) != SQLITE_OK) {
        die(copy->to, "the new file cannot be made");
    }
    snprintf(sql, sizeof sql, "PRAGMA page_size=%lld",
             (long long)ask(copy->from, "PRAGMA page_size"));
    execute(copy->to, sql);
    snprintf(sql, sizeof sql, "PRAGMA auto_vacuum=%lld",
             (long long)ask(copy->from, "PRAGMA auto_vacuum"));
    execute(copy->to, sql);
    execute(copy->to, "PRAGMA journal_mode=WAL");
    execute(copy->to, "PRAGMA synchronous=FULL");
    /* As little checkpointing as a store of any care would do: a floor must not be slowed by
     * settings that nobody would choose. */
    snprintf(sql, sizeof sql, "PRAGMA wal_autocheckpoint=%lld",
             (long long)(WAL_BYTES / ask(copy->to, "PRAGMA page_size")));
    execute(copy->to, sql);
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%lld", (long long)cache);
    execute(copy->to, sql);
}

static int run(const char *from, const char *to, const char *group, size_t per_commit,
               int64_t cache)
{
    static struct copy copy;
    copy.group = group;
    copy.arena = arena_create(0);
    if (copy.arena == NULL) {
        die(NULL, "starting");
    }
    open_databases(&copy, from, to, cache);
    copy_schema(&copy);
    for (size_t i = 0; i < copy.table_count; i++) {
        read_rows(&copy, &copy.tables[i]);
        prepare_insert(&copy, &copy.tables[i]);
    }
    choose_anchor(&copy);
    double seconds = insert_all(&copy, order_groups(&copy), per_commit);
    uint64_t inserted = count_inserted(&copy);
    printf("{\"resources\":%llu,\"rows\":%llu,\"bytes\":%llu,"
           "\"seconds\":%.3f,\"rows_per_second\":%.0f,\"resources_per_second\":%.0f}\n",
           (unsigned long long)copy.resources, (unsigned long long)inserted,
           (unsigned long long)copy.bytes, seconds, (double)inserted / seconds,
           (double)copy.resources / seconds);
    if (inserted != copy.rows) {
        die(NULL, "not every row was inserted again");
    }
    for (size_t i = 0; i < copy.table_count; i++) {
        sqlite3_finalize(copy.tables[i].insert);
    }
    sqlite3_close(copy.from);
    sqlite3_close(copy.to);
    arena_destroy(copy.arena);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    static const struct option options[] = {{"per-commit", required_argument, NULL, 'n'},
                                            {"group", required_argument, NULL, 'g'},
                                            {"cache", required_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    uint64_t per_commit = 1000, cache = 16384;
    const char *group = "rid";
    int code;
    bool good = true;
    while ((code = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (code == 'n') {
            good = slice_to_unsigned(slice_text(optarg), 1000000, &per_commit) && per_commit > 0;
        } else if (code == 'k') {
            good = slice_to_unsigned(slice_text(optarg), 1u << 30, &cache);
        } else if (code == 'g') {
            group = optarg;
        } else {
            good = false;
        }
        if (!good) {
            break;
        }
    }
    if (!good || count - optind != 2) {
        fputs("usage: carelayer-floor-sqlite [--per-commit 1000] [--group COLUMN] [--cache KIB] "
              "STORE.db NEW.db\n",
              code == 'h' ? stdout : stderr);
        return code == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
    }
    return run(arguments[optind], arguments[optind + 1], group, (size_t)per_commit, (int64_t)cache);
}
