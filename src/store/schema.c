/* SPDX-License-Identifier: MIT */
/* store: the tables, as numbered forward migrations. A step is never changed once released. */
#include "learn_int.h"
#include "store_int.h"

static const char *const steps[] = {
    /* 1: the first layout */
    "CREATE TABLE state(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE note(name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE outbox(number INTEGER PRIMARY KEY, entry BLOB NOT NULL);"
    "CREATE TABLE dictionary(number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE parameter(number INTEGER PRIMARY KEY, type INTEGER NOT NULL, code TEXT NOT NULL,"
    " shape BLOB NOT NULL, ready INTEGER NOT NULL, UNIQUE(type, code));"
    "CREATE TABLE system(number INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE);"
    "CREATE TABLE code(number INTEGER PRIMARY KEY, system INTEGER NOT NULL, code TEXT NOT NULL,"
    " UNIQUE(code, system));"
    "CREATE INDEX code_by_system ON code(system);"
    /* state: enum entry_state; rid means something when live, and of a Patient always */
    "CREATE TABLE directory(type INTEGER NOT NULL, id NOT NULL, entity INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, version INTEGER NOT NULL, state INTEGER NOT NULL,"
    " PRIMARY KEY(type, id)) WITHOUT ROWID;"
    "CREATE TABLE patient(number INTEGER PRIMARY KEY, id NOT NULL);"
    /* What scans and filters look at stands before the body, which may run over several pages. */
    "CREATE TABLE resource(rid INTEGER PRIMARY KEY, type INTEGER NOT NULL, id NOT NULL,"
    " version INTEGER NOT NULL, updated INTEGER NOT NULL, change INTEGER NOT NULL,"
    " method INTEGER NOT NULL, splice INTEGER NOT NULL, others BLOB, blob_length INTEGER NOT NULL,"
    " facts BLOB NOT NULL, dictionary INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE place(type INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY(type, rid))"
    " WITHOUT ROWID;"
    /* Every version ever, append-only; the body is in history, or still at its place. */
    "CREATE TABLE change(type INTEGER NOT NULL, change INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(type, change)) WITHOUT ROWID;"
    "CREATE TABLE history(change INTEGER PRIMARY KEY, type INTEGER NOT NULL, id NOT NULL,"
    " version INTEGER NOT NULL, updated INTEGER NOT NULL, ended INTEGER, method INTEGER NOT NULL,"
    " splice INTEGER NOT NULL, home INTEGER NOT NULL, others BLOB, blob_length INTEGER NOT NULL,"
    " dictionary INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX history_by_version ON history(type, id, version);"
    "CREATE TABLE blob(piece INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE member(patient INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY(patient, rid))"
    " WITHOUT ROWID;"
    "CREATE TABLE link(patient INTEGER NOT NULL, other INTEGER NOT NULL,"
    " PRIMARY KEY(patient, other)) WITHOUT ROWID;"
    "CREATE INDEX link_by_other ON link(other, patient);"
    /* The value-first trees. */
    "CREATE TABLE token(parameter INTEGER NOT NULL, code INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(parameter, code, rid)) WITHOUT ROWID;"
    "CREATE TABLE reference(parameter INTEGER NOT NULL, target INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY(parameter, target, rid)) WITHOUT ROWID;"
    "CREATE TABLE text(parameter INTEGER NOT NULL, value BLOB NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(parameter, value, rid)) WITHOUT ROWID;"
    "CREATE TABLE date(parameter INTEGER NOT NULL, low INTEGER NOT NULL, width INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY(parameter, low, width, rid)) WITHOUT ROWID;"
    "CREATE TABLE number(parameter INTEGER NOT NULL, value REAL NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(parameter, value, rid)) WITHOUT ROWID;"
    "CREATE TABLE quantity(parameter INTEGER NOT NULL, value REAL NOT NULL, unit INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY(parameter, value, unit, rid)) WITHOUT ROWID;",
    /* 2: whom a resource concerns by way of others. Place: a row, or minus a change in history.
     * What is there already is gone through at opening (layout_catch_up). */
    "CREATE TABLE tie(key BLOB NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(key, place))"
    " WITHOUT ROWID;"
    "CREATE TABLE tied(place INTEGER PRIMARY KEY, ties BLOB NOT NULL);"
    "INSERT INTO note(name, value) SELECT CAST('store.concern' AS BLOB), x'00'"
    " WHERE EXISTS(SELECT 1 FROM resource);",
    /* 3: how many entries were accepted and refused, by day, source, type and rule. Not derived:
     * what was refused is nowhere else. A row without rule counts entries; one with a rule counts
     * those of them in which the rule gave a warning or an error. */
    "CREATE TABLE quality(day INTEGER NOT NULL, source TEXT NOT NULL, type INTEGER NOT NULL,"
    " rule TEXT NOT NULL, verdict INTEGER NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY(day, source, type, rule, verdict)) WITHOUT ROWID;"
    /* How to mend what breaks a rule, in the words of the first who broke it. */
    "CREATE TABLE quality_rule(rule TEXT NOT NULL, type INTEGER NOT NULL, words TEXT NOT NULL,"
    " PRIMARY KEY(rule, type)) WITHOUT ROWID;",
    /* 4: words. Which block of places (words.c) may have a word in its texts, and which codes ever
     * stood beside a word. Codes are also looked for whatever their case. Index values are of new
     * kinds too, so what is there already is gone through at opening (layout_catch_up). */
    "CREATE TABLE word(word INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY(word, block))"
    " WITHOUT ROWID;"
    "CREATE TABLE code_word(word INTEGER NOT NULL, code INTEGER NOT NULL,"
    " PRIMARY KEY(word, code)) WITHOUT ROWID;"
    "CREATE INDEX code_alike ON code(code COLLATE NOCASE);"
    "DELETE FROM note WHERE name=CAST('store.reindex' AS BLOB);"
    "INSERT OR REPLACE INTO note(name, value) SELECT CAST('store.concern' AS BLOB), x'00'"
    " WHERE EXISTS(SELECT 1 FROM resource);",
    /* 5: dates stand apart by their width: wider than 25 hours, and than 32 days (date_class). */
    "UPDATE date SET parameter=parameter+16777216 WHERE parameter%2=0 AND parameter<16777216"
    " AND width>90000000000 AND width<=2764800000000;"
    "UPDATE date SET parameter=parameter+33554432 WHERE parameter%2=0 AND parameter<16777216"
    " AND width>2764800000000;",
    /* 6: pairs (pairs.c), which a program that does not know them would leave behind. What is
     * stored is indexed by them in the background. */
    "",
    /* 7: by which parameters some resource refers to a patient in whose home it is not. */
    "CREATE TABLE stray(parameter INTEGER PRIMARY KEY);"
    "INSERT INTO stray SELECT DISTINCT parameter FROM reference"
    " WHERE target<0 AND -target<>rid>>31;",
};
#define SCHEMA_VERSION ((int)(sizeof(steps) / sizeof(steps[0])))

static enum status pragma_number(struct connection *connection, const char *sql, int *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            *ret_number = sqlite3_column_int(statement, 0);
            code = SQLITE_OK;
        }
    }
    sqlite3_finalize(statement);
    return database_status(connection, code);
}

/* Steps FIRST up to, not including, END, in one transaction. */
static enum status steps_apply(struct connection *connection, int first, int end)
{
    TRY(database_execute(connection, "BEGIN IMMEDIATE"));
    enum status status = STATUS_OK;
    for (int step = first; status == STATUS_OK && step < end; step++) {
        status = database_execute(connection, steps[step]);
    }
    if (status == STATUS_OK) {
        char sql[96];
        snprintf(sql, sizeof(sql), "PRAGMA user_version=%d; PRAGMA application_id=%d", end,
                 SCHEMA_APPLICATION);
        status = database_execute(connection, sql);
    }
    if (status == STATUS_OK) {
        status = database_execute(connection, "COMMIT");
    }
    if (status != STATUS_OK && !sqlite3_get_autocommit(connection->db)) {
        sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

enum status schema_apply(struct connection *connection, struct outcome *outcome, int *ret_from,
                         int *ret_to)
{
    int application = 0, version = 0, tables = 0;
    enum status status = pragma_number(connection, "PRAGMA application_id", &application);
    if (status == STATUS_OK) {
        status = pragma_number(connection, "PRAGMA user_version", &version);
    }
    if (status == STATUS_OK) {
        status = pragma_number(connection, "SELECT count(*) FROM sqlite_schema", &tables);
    }
    if (status == STATUS_CORRUPT) {
        return outcome_fail(outcome, status, "",
                            "The records file is damaged or no database. Restore a backup with "
                            "`carelayer restore`.");
    }
    TRY(status);
    if (application != SCHEMA_APPLICATION && (application != 0 || tables > 0)) {
        return outcome_fail(outcome, STATUS_CORRUPT, "",
                            "The file records.db was not made by this program. Give another data "
                            "folder.");
    }
    if (version > SCHEMA_VERSION) {
        return outcome_fail(outcome, STATUS_CORRUPT, "",
                            "The records have layout %d, this program knows up to %d. Use the "
                            "newer program.",
                            version, SCHEMA_VERSION);
    }
    *ret_from = version;
    *ret_to = SCHEMA_VERSION;
    if (connection->store->read_only && version == 0) {
        /* Whoever made the file was stopped before it made the tables. */
        return outcome_fail(outcome, STATUS_NOT_FOUND, "",
                            "There are no records in this data folder yet: nothing was ever "
                            "stored in it.");
    }
    if (connection->store->read_only && version < SCHEMA_VERSION) {
        return outcome_fail(outcome, STATUS_CORRUPT, "",
                            "The records have layout %d and must be migrated to %d first: run "
                            "`carelayer migrate`.",
                            version, SCHEMA_VERSION);
    }
    if (version > 0 && version < SCHEMA_VERSION) {
        log_event(LOG_STORE_UPGRADING, LOG_NUMBER(LOG_FIELD_LAYOUT, version));
    }
    if (version == 0) { /* whoever is killed meanwhile leaves nothing, not an older layout */
        return steps_apply(connection, 0, SCHEMA_VERSION);
    }
    for (int step = version; step < SCHEMA_VERSION; step++) {
        TRY(steps_apply(connection, step, step + 1));
    }
    return STATUS_OK;
}
