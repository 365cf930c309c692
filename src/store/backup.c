/* SPDX-License-Identifier: MIT */
/* store: online backup, and making a store out of one. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "store_int.h"

#define PAGES_A_STEP 512

static enum status copy_pages(sqlite3 *from, sqlite3 *to, store_progress *progress, void *context)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL) {
        return STATUS_IO;
    }
    int code = SQLITE_OK;
    while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        code = sqlite3_backup_step(backup, PAGES_A_STEP);
        if (progress != NULL) {
            int all = sqlite3_backup_pagecount(backup);
            progress(context, (uint64_t)(all - sqlite3_backup_remaining(backup)), (uint64_t)all);
        }
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            sqlite3_sleep(10);
        }
    }
    int end = sqlite3_backup_finish(backup);
    if (code == SQLITE_DONE && end == SQLITE_OK) {
        return STATUS_OK;
    }
    return (code & 0xff) == SQLITE_FULL || (end & 0xff) == SQLITE_FULL ? STATUS_NO_SPACE
                                                                       : STATUS_IO;
}

/* Copies FROM's database into the new file PATH, whole or not at all. AFTERWARDS is done to the
 * copy before it gets its name. */
static enum status copy_to_file(sqlite3 *from, const char *path, const char *vfs,
                                const char *afterwards, struct arena *arena,
                                store_progress *progress, void *context)
{
    const char *part = arena_print(arena, "%s.part", path);
    sqlite3 *to = NULL;
    if (arena_full(arena)) {
        return STATUS_MEMORY;
    }
    unlink(part);
    int code = sqlite3_open_v2(
        part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    enum status status = code == SQLITE_OK ? STATUS_OK : STATUS_IO;
    if (status == STATUS_OK &&
        sqlite3_exec(to, "PRAGMA synchronous=FULL; PRAGMA journal_mode=DELETE", NULL, NULL, NULL) !=
            SQLITE_OK) {
        status = STATUS_IO;
    }
    if (status == STATUS_OK) {
        status = copy_pages(from, to, progress, context);
    }
    if (status == STATUS_OK && afterwards != NULL &&
        sqlite3_exec(to, afterwards, NULL, NULL, NULL) != SQLITE_OK) {
        status = STATUS_IO;
    }
    if (sqlite3_close(to) != SQLITE_OK && status == STATUS_OK) {
        status = STATUS_IO;
    }
    if (status == STATUS_OK && disk->rename(part, path) != 0) {
        status = disk_status(errno);
    }
    if (status == STATUS_OK) {
        return disk_sync_directory(path);
    }
    unlink(part);
    return status;
}

/* The copy says of itself what the store does: that a log goes with it, which would have to be made
 * beside it wherever it is read. Only once it was read can that be taken back. */
static const char be_one_file[] = "SELECT count(*) FROM sqlite_schema; PRAGMA journal_mode=DELETE";

enum status store_backup(struct store *store, const char *file, store_progress *progress,
                         void *context, struct outcome *outcome)
{
    struct connection connection = {0};
    if (store->database != NULL) {
        return outcome_fail(outcome, STATUS_NOT_SUPPORTED, "",
                            "The records are on a PostgreSQL server: back them up with its own "
                            "tools (docs/operate/postgresql.md).");
    }
    if (access(file, F_OK) == 0) {
        return outcome_fail(outcome, STATUS_CONFLICT, "",
                            "The file for the backup is there already. Give a new name.");
    }
    TRY(database_open(store, false, &connection));
    /* One snapshot for the whole copy: writers go on, and the copy never starts again. */
    enum status status = database_execute(&connection, "BEGIN; SELECT count(*) FROM state");
    if (status == STATUS_OK) {
        status = copy_to_file(connection.db, file, store->vfs, be_one_file, connection.arena,
                              progress, context);
    }
    sqlite3_exec(connection.db, "ROLLBACK", NULL, NULL, NULL);
    database_close(&connection);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "",
                            "The backup could not be written. Check the space and rights at its "
                            "place.");
    }
    return STATUS_OK;
}

static enum status one_text(sqlite3 *db, const char *sql, const char *wanted)
{
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_CORRUPT;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        status = slice_is(slice_text(text), wanted) ? STATUS_OK : STATUS_CORRUPT;
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status check_backup(sqlite3 *db, struct arena *arena)
{
    TRY(one_text(db, "PRAGMA application_id", arena_print(arena, "%d", SCHEMA_APPLICATION)));
    return one_text(db, "PRAGMA integrity_check(1)", "ok");
}

/* The log of other records would be read into those restored beside it. */
static bool has_remains(const char *path, struct arena *arena)
{
    static const char *const endings[] = {"", "-wal", "-journal"};
    bool found = false;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        found = found || access(arena_print(arena, "%s%s", path, endings[i]), F_OK) == 0;
    }
    return found;
}

static const char forget_generation[] =
    "DELETE FROM note WHERE name=CAST('" STORE_GENERATION "' AS BLOB)";

enum status store_restore(const char *file, const char *folder, store_progress *progress,
                          void *context, struct outcome *outcome)
{
    struct arena *arena = arena_create(0);
    sqlite3 *from = NULL;
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    const char *path = arena_print(arena, "%s/records.db", folder);
    enum status status = STATUS_OK;
    if (has_remains(path, arena)) {
        status = outcome_fail(outcome, STATUS_CONFLICT, "",
                              "The data folder has records already, or what was left of some. "
                              "Restore into a new folder.");
    } else if (sqlite3_open_v2(file, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
               SQLITE_OK) {
        status = outcome_fail(outcome, STATUS_NOT_FOUND, "", "The backup cannot be opened.");
    } else if (check_backup(from, arena) != STATUS_OK) {
        status = outcome_fail(outcome, STATUS_CORRUPT, "",
                              "The file is no backup of records, or it is damaged. Use another.");
    }
    if (status == STATUS_OK) {
        status = disk_make_directory(folder);
    }
    if (status == STATUS_OK) {
        status = copy_to_file(from, path, NULL, forget_generation, arena, progress, context);
    }
    if (status != STATUS_OK && outcome != NULL && outcome->errors == 0) {
        status = outcome_fail(outcome, status, "",
                              "The records could not be written to the data folder. Check its "
                              "path, its space and rights.");
    }
    sqlite3_close(from);
    arena_destroy(arena);
    return status;
}

enum status store_migrate(const struct store_options *options, struct outcome *outcome)
{
    struct store *store = NULL;
    TRY(store_open(options, outcome, &store));
    if (outcome != NULL && outcome->count == 0) {
        outcome_note(outcome, "", "The records already have this program's layout.");
    }
    store_close(store);
    return STATUS_OK;
}
