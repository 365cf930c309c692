/* SPDX-License-Identifier: MIT */
/* store: does everything that must agree? Faults name tables and rules, never values. */
#include "postgres.h"

struct checking {
    struct store_tx tx;
    struct connection connection;
    struct store *store;
    struct outcome *outcome;
    store_progress *progress;
    void *context;
    uint64_t faults, done, all;
    uint64_t facts[TREE_COUNT];
    uint64_t members;
};

static void fault(struct checking *checking, const char *rule, const char *text)
{
    checking->faults++;
    if (checking->outcome != NULL) {
        outcome_add(checking->outcome, &(struct issue){.severity = SEVERITY_ERROR,
                                                       .code = "exception",
                                                       .rule = slice_text(rule),
                                                       .text = slice_text(text)});
    }
}

static enum status scalar(struct checking *checking, const char *sql, int64_t *ret_value)
{
    if (checking->connection.db == NULL) {
        return postgres_ask(checking->connection.postgres, sql, ret_value);
    }
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(checking->connection.db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        *ret_value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    }
    sqlite3_finalize(statement);
    return database_status(&checking->connection, code);
}

/* Of SQLite; a server looks after its own. */
static enum status check_pages(struct checking *checking)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(checking->connection.db, "PRAGMA integrity_check(100)", -1,
                                  &statement, NULL);
    bool first = true, fine = false;
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW) {
            break;
        }
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        fine = first && slice_is(slice_text(text), "ok");
        first = false;
        if (!fine) {
            fault(checking, "pages", "A page of the records file is damaged. Restore a backup.");
        }
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? STATUS_OK : database_status(&checking->connection, code);
}

/* ---- what SQL can say by itself
 * ------------------------------------------------------------------ */

static const struct {
    const char *rule, *sql, *text;
} rules[] = {
    {"directory-place",
     "SELECT count(*) FROM directory d LEFT JOIN resource r ON r.rid=d.rid"
     " WHERE d.state=1 AND (r.rid IS NULL OR r.type<>d.type OR r.id<>d.id OR r.version<>d.version)",
     "The directory names a place where the resource is not."},
    {"place-directory",
     "SELECT count(*) FROM resource r LEFT JOIN directory d ON d.type=r.type AND d.id=r.id"
     " WHERE d.rid IS DISTINCT FROM r.rid OR d.state<>1",
     "A resource is not in the directory."},
    {"place-type",
     "SELECT count(*) FROM resource r LEFT JOIN place p ON p.type=r.type AND p.rid=r.rid"
     " WHERE p.rid IS NULL",
     "A resource is not in the list of its type."},
    {"place-count", "SELECT (SELECT count(*) FROM place)<>(SELECT count(*) FROM resource)",
     "The list of a type names a resource that is not there."},
    {"history-gap",
     "SELECT count(*) FROM directory d WHERE d.state<>0 AND d.version<>(SELECT count(*)"
     " FROM history h WHERE h.type=d.type AND h.id=d.id AND h.version<=d.version)+"
     "CASE d.state WHEN 1 THEN 1 ELSE 0 END",
     "A version is missing from the history of a resource."},
    {"history-tombstone",
     "SELECT count(*) FROM directory d WHERE d.state=2 AND NOT EXISTS(SELECT 1 FROM history h"
     " WHERE h.type=d.type AND h.id=d.id AND h.version=d.version AND h.method=4)",
     "A deleted resource has no tombstone."},
    {"change-current",
     "SELECT count(*) FROM resource r LEFT JOIN change c ON c.type=r.type AND c.change=r.change"
     " WHERE c.rid IS DISTINCT FROM r.rid",
     "A current version is not in the list of changes."},
    {"change-past",
     "SELECT count(*) FROM history h LEFT JOIN change c ON c.type=h.type AND c.change=h.change"
     " WHERE c.change IS NULL",
     "A past version is not in the list of changes."},
    {"change-count",
     "SELECT (SELECT count(*) FROM change)<>(SELECT count(*) FROM resource)+"
     "(SELECT count(*) FROM history)",
     "The list of changes names a version that is not there."},
    {"change-twice", "SELECT count(*)<>count(DISTINCT change) FROM change",
     "Two versions have the same change number."},
    {"patient",
     "SELECT count(*) FROM resource r WHERE (r.rid>>31)>=1024 AND NOT EXISTS"
     "(SELECT 1 FROM patient p WHERE p.number=r.rid>>31)",
     "A resource lives with a patient who has no number."},
    {"member",
     "SELECT count(*) FROM member m LEFT JOIN resource r ON r.rid=m.rid"
     " WHERE r.rid IS NULL",
     "A membership names a resource that is not there."},
    {"quality-count",
     "SELECT count(*) FROM quality WHERE count<1 OR verdict NOT BETWEEN 0 AND 2"
     " OR (rule<>'' AND verdict=0)",
     "A count of data quality is none that could have been counted. Restore a backup."},
    {"quality-rule",
     "SELECT count(*) FROM quality q WHERE q.rule NOT IN ('', 'other') AND q.count>"
     "(SELECT coalesce(sum(e.count), 0) FROM quality e WHERE e.day=q.day AND e.source=q.source"
     " AND e.type=q.type AND e.rule='' AND e.verdict=q.verdict)",
     "A rule was broken by more entries than there were. Restore a backup."},
    {"tie", "SELECT count(*) FROM tie t LEFT JOIN tied d ON d.place=t.place WHERE d.place IS NULL",
     "A tie belongs to no resource."},
    {"tied",
     "SELECT count(*) FROM tied d WHERE NOT EXISTS(SELECT 1 FROM resource r WHERE r.rid=d.place)"
     " AND NOT EXISTS(SELECT 1 FROM history h WHERE h.change=-d.place)",
     "Ties belong to a resource that is not there."},
};

/* The rules are written for SQLite's tables. On a server there are views that look the same, and
 * whole tables are compared, which is not for the plans of everything else. */
static enum status rules_begin(struct checking *checking)
{
    return checking->connection.db != NULL
               ? STATUS_OK
               : database_execute(&checking->connection,
                                  "SET LOCAL search_path = carelayer_plain, carelayer;"
                                  "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on");
}

static enum status rules_end(struct checking *checking)
{
    return checking->connection.db != NULL
               ? STATUS_OK
               : database_execute(
                     &checking->connection,
                     "SET LOCAL search_path = carelayer;"
                     "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off");
}

static enum status check_rules(struct checking *checking)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        int64_t wrong = 0;
        TRY(scalar(checking, rules[i].sql, &wrong));
        if (wrong != 0) {
            fault(checking, rules[i].rule, rules[i].text);
        }
    }
    return STATUS_OK;
}

static enum status check_counters(struct checking *checking)
{
    struct counters counters;
    int64_t resources = 0, versions = 0, change = 0, entity = 0;
    if (checking->connection.db == NULL) {
        TRY(scalar(checking, "SELECT coalesce(sum(resources), 0) FROM tally", &counters.resources));
        TRY(scalar(checking, "SELECT coalesce(sum(versions), 0) FROM tally", &counters.versions));
        counters.change = INT64_MAX; /* numbers that rise whatever happens to a transaction */
        counters.entity = INT64_MAX;
    } else {
        TRY(counters_load(&checking->connection, &counters));
    }
    TRY(scalar(checking, "SELECT count(*) FROM resource", &resources));
    TRY(scalar(checking, "SELECT count(*) FROM history", &versions));
    TRY(scalar(checking, "SELECT max(change) FROM change", &change));
    TRY(scalar(checking, "SELECT max(entity) FROM directory", &entity));
    if (resources != counters.resources || versions != counters.versions ||
        change > counters.change || entity > counters.entity) {
        fault(checking, "counters", "The store's own counts do not agree with what it holds.");
    }
    return STATUS_OK;
}

/* ---- index rows recomputed
 * ----------------------------------------------------------------------- */

static enum status check_member(struct checking *checking, uint32_t patient, int64_t rid,
                                bool *ret_has)
{
    struct statement *statement;
    TRY(statement_get(&checking->connection, SQL_MEMBER_HAS, &statement));
    statement_bind_number(statement, 1, patient);
    statement_bind_number(statement, 2, rid);
    TRY(statement_row(&checking->connection, statement, ret_has));
    statement_reset(statement);
    return STATUS_OK;
}

/* Those whom it concerns by way of what was deleted since may be more than can be found now. */
static enum status check_concern(struct checking *checking, int64_t rid, resource_type type,
                                 struct slice body, int64_t base, struct arena *arena)
{
    struct store_version version;
    struct concern concern, stored;
    struct number_set found, held = {.arena = arena};
    struct packed_id id;
    TRY(place_read(&checking->connection, rid, false, arena, &version));
    if (!id_pack(version.id, &id)) {
        return STATUS_CORRUPT;
    }
    TRY(concern_of_body(&checking->tx, rid, type, &id, body, base, arena, &concern, &found));
    bool has_home = place_patient(rid) >= PATIENT_FIRST;
    TRY(concern_read(&checking->connection, rid, version.patient_count - has_home, arena, &stored));
    bool same = stored.key_count == concern.key_count && stored.direct == concern.direct;
    for (size_t i = 0; same && i < concern.key_count; i++) {
        same = slice_equals(concern.keys[i], stored.keys[i]);
    }
    for (size_t i = 0; i < version.patient_count; i++) {
        (void)number_set_add(&held, version.patients[i]);
    }
    for (size_t i = 0; same && i < found.count; i++) {
        same = number_set_has(&held, found.items[i]);
    }
    for (size_t i = has_home; same && i < version.patient_count; i++) {
        TRY(check_member(checking, version.patients[i], rid, &same));
    }
    checking->members += version.patient_count - has_home;
    if (!same) {
        fault(checking, "concern",
              "Whom a resource concerns is not what it says. Run `carelayer reindex`.");
    }
    return held.broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* Rows of a pair that is still being indexed may be lacking. */
static enum status check_pairs(struct checking *checking, resource_type type,
                               const struct facts *facts, int64_t rid, struct arena *arena)
{
    struct store *store = checking->connection.store;
    struct facts rows = {.arena = arena};
    TRY(pairs_of_facts(store, type, facts, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        bool has = false;
        TRY(fact_has(&checking->connection, &rows.items[i], rid, &has));
        checking->facts[TREE_TEXT] += has;
        if (!has && pair_is_ready(store, &rows.items[i])) {
            fault(checking, "index-row", "An index row is missing. Run `carelayer reindex`.");
        }
    }
    return STATUS_OK;
}

static enum status check_facts(struct checking *checking, struct statement *row,
                               struct arena *arena)
{
    int64_t rid = statement_number(row, 0);
    resource_type type = (resource_type)statement_number(row, 1);
    int64_t base = statement_number(row, 3) >> METHOD_BITS;
    struct slice body;
    struct facts facts;
    enum status status = body_decompress(&checking->connection, statement_blob(row, 5),
                                         statement_number(row, 4), arena, &body);
    if (status == STATUS_OK) {
        status = facts_of_body(&checking->tx, type, body, base, arena, &facts);
    }
    if (status == STATUS_CORRUPT || status == STATUS_STRUCTURE) {
        fault(checking, "body", "The body of a resource cannot be read. Restore a backup.");
        return STATUS_OK;
    }
    TRY(status);
    struct buffer blob = {.arena = arena};
    facts_write(&facts, &blob);
    if (!slice_equals(buffer_slice(&blob), statement_blob(row, 2))) {
        fault(checking, "index-values",
              "The index values of a resource are not those of its body. Run `carelayer reindex`.");
    }
    for (size_t i = 0; i < facts.count; i++) {
        bool has = false;
        TRY(fact_has(&checking->connection, &facts.items[i], rid, &has));
        checking->facts[facts.items[i].tree]++;
        if (!has) {
            fault(checking, "index-row", "An index row is missing. Run `carelayer reindex`.");
        }
    }
    for (size_t i = 0; checking->connection.db != NULL && i < facts.count; i++) {
        bool noted = true;
        TRY(fact_strays(&facts.items[i], rid)
                ? stray_is_noted(&checking->connection, facts.items[i].parameter, &noted)
                : STATUS_OK);
        if (!noted) {
            fault(checking, "index-stray",
                  "A reference to another patient is not noted. Run `carelayer reindex`.");
        }
    }
    TRY(check_pairs(checking, type, &facts, rid, arena));
    bool have = false;
    TRY(words_have(&checking->connection, &facts, rid, &have));
    if (!have) {
        fault(checking, "index-word",
              "A word of a resource is not in the index. Run `carelayer reindex`.");
    }
    TRY(check_concern(checking, rid, type, body, base, arena));
    return buffer_ok(&blob) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status check_bodies(struct checking *checking)
{
    struct arena *scratch = arena_create(0);
    struct statement *statement = NULL;
    bool row = true;
    enum status status = scratch != NULL
                             ? statement_get(&checking->connection, SQL_CHECK_BODIES, &statement)
                             : STATUS_MEMORY;
    while (status == STATUS_OK) {
        status = statement_row(&checking->connection, statement, &row);
        if (status != STATUS_OK || !row) {
            break;
        }
        status = check_facts(checking, statement, scratch);
        arena_reset(scratch, 0);
        if (checking->progress != NULL && ++checking->done % 1000 == 0) {
            checking->progress(checking->context, checking->done, checking->all);
        }
    }
    if (statement != NULL) {
        statement_reset(statement);
    }
    arena_destroy(scratch);
    return status;
}

static enum status check_trees(struct checking *checking)
{
    static const char *const counts[TREE_COUNT] = {
        [TREE_TOKEN] = "SELECT count(*) FROM token",
        [TREE_REFERENCE] = "SELECT count(*) FROM reference",
        [TREE_TEXT] = "SELECT count(*) FROM text",
        [TREE_DATE] = "SELECT count(*) FROM date",
        [TREE_NUMBER] = "SELECT count(*) FROM number",
        [TREE_QUANTITY] = "SELECT count(*) FROM quantity"};
    for (int tree = 0; tree < TREE_COUNT; tree++) {
        int64_t rows = 0;
        TRY(scalar(checking, counts[tree], &rows));
        if ((uint64_t)rows != checking->facts[tree]) {
            fault(checking, "index-count",
                  "An index has rows that belong to no resource. Run `carelayer reindex`.");
        }
    }
    int64_t members = 0;
    TRY(scalar(checking, "SELECT count(*) FROM member", &members));
    if ((uint64_t)members != checking->members) {
        fault(checking, "member-count",
              "A membership is not in its resource. Run `carelayer reindex`.");
    }
    return STATUS_OK;
}

static enum status check_all(struct checking *checking)
{
    int64_t all = 0;
    TRY(scalar(checking, "SELECT count(*) FROM resource", &all));
    checking->all = (uint64_t)all;
    if (checking->connection.db != NULL) {
        TRY(check_pages(checking));
    }
    TRY(rules_begin(checking));
    TRY(check_rules(checking));
    TRY(check_counters(checking));
    TRY(rules_end(checking));
    TRY(check_bodies(checking));
    return check_trees(checking);
}

enum status store_check(struct store *store, store_progress *progress, void *context,
                        struct outcome *outcome)
{
    struct checking checking = {
        .store = store, .outcome = outcome, .progress = progress, .context = context};
    TRY(database_open(store, false, &checking.connection));
    checking.tx.connection = &checking.connection;
    if (store->database == NULL) {
        sqlite3_progress_handler(checking.connection.db, 0, NULL, NULL);
    }
    enum status status = database_begin(&checking.connection, false);
    if (status == STATUS_OK) {
        status = check_all(&checking);
        statements_reset(&checking.connection);
        database_rollback(&checking.connection);
    }
    database_close(&checking.connection);
    if (status == STATUS_CORRUPT) {
        fault(&checking, "pages", "The records file is damaged. Restore a backup.");
    }
    return status == STATUS_OK && checking.faults > 0 ? STATUS_CORRUPT : status;
}
