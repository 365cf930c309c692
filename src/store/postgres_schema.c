/* SPDX-License-Identifier: MIT */
/* store: the tables on a PostgreSQL server, as numbered forward migrations. A step is never changed
 * once released. Tables of people's data are partitioned by patient, which every key of theirs
 * includes; what is found by an id is partitioned by that. */
#include "postgres.h"

#define BY_PATIENT ") PARTITION BY HASH(patient);"

/* A step, and the oldest layout whose programs may go on writing beside it: a step that those
 * cannot live with raises it, so that they are refused instead of doing harm. */
static const struct {
    int oldest;
    const char *sql;
} steps[] = {
    {1,
     "CREATE TABLE state(name text COLLATE \"C\" PRIMARY KEY, value bytea);"
     "CREATE TABLE note(name bytea PRIMARY KEY, value bytea NOT NULL);"
     /* Entries for an access log: each data folder has one, and takes only its own. */
     "CREATE TABLE log(number int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
     " folder text NOT NULL UNIQUE);"
     "CREATE TABLE outbox(log int4 NOT NULL, number int8 NOT NULL, entry bytea NOT NULL,"
     " PRIMARY KEY(log, number));"
     "CREATE TABLE dictionary(number int4 PRIMARY KEY, bytes bytea NOT NULL);"
     "CREATE TABLE parameter(number int4 PRIMARY KEY, type int4 NOT NULL,"
     " code text COLLATE \"C\" NOT NULL, shape bytea NOT NULL, ready int4 NOT NULL,"
     " UNIQUE(type, code));"
     /* Texts of any length: a tree's key has a limit, a hash has none. */
     "CREATE TABLE system(number int4 PRIMARY KEY, uri text COLLATE \"C\" NOT NULL);"
     "CREATE INDEX system_by_uri ON system(hashtextextended(uri, 0));"
     "CREATE TABLE code(number int4 PRIMARY KEY, system int4 NOT NULL,"
     " code text COLLATE \"C\" NOT NULL);"
     "CREATE INDEX code_by_code ON code(hashtextextended(code, 0), system);"
     "CREATE INDEX code_by_system ON code(system, number);"
     "CREATE INDEX code_alike ON code(hashtextextended(lower(code), 0));"
     /* In each table what is wide stands first: a row has 24 bytes of its own and no gaps then. */
     "CREATE TABLE directory(entity int8 NOT NULL, type int4 NOT NULL, patient int4 NOT NULL,"
     " seq int4 NOT NULL, version int4 NOT NULL, state int4 NOT NULL, id bytea NOT NULL,"
     " PRIMARY KEY(type, id)) PARTITION BY HASH(id);"
     "CREATE TABLE patient(number int4 PRIMARY KEY, id bytea NOT NULL);"
     "CREATE TABLE resource(updated int8 NOT NULL, change int8 NOT NULL,"
     " blob_length int8 NOT NULL, patient int4 NOT NULL, seq int4 NOT NULL, type int4 NOT NULL,"
     " version int4 NOT NULL, method int4 NOT NULL, splice int4 NOT NULL, dictionary int4 NOT NULL,"
     " id bytea NOT NULL, others bytea NOT NULL, facts bytea NOT NULL, body bytea NOT NULL,"
     " PRIMARY KEY(patient, seq)" BY_PATIENT
     /* Bodies are packed already. */
     "ALTER TABLE resource ALTER body SET STORAGE EXTERNAL;"
     /* The places of a type: a table there would have every row twice. */
     "CREATE INDEX resource_by_type ON resource(type, patient, seq);"
     "CREATE TABLE change(type int4 NOT NULL, change int8 NOT NULL, patient int4 NOT NULL,"
     " seq int4 NOT NULL, PRIMARY KEY(type, change, patient, seq)" BY_PATIENT
     "CREATE TABLE history(change int8 NOT NULL, updated int8 NOT NULL, ended int8,"
     " blob_length int8 NOT NULL, type int4 NOT NULL, version int4 NOT NULL, method int4 NOT NULL,"
     " splice int4 NOT NULL, home int4 NOT NULL, dictionary int4 NOT NULL, id bytea NOT NULL,"
     " others bytea, body bytea NOT NULL, PRIMARY KEY(type, id, version)) PARTITION BY HASH(id);"
     "ALTER TABLE history ALTER body SET STORAGE EXTERNAL;"
     "CREATE INDEX history_by_change ON history(change);"
     "CREATE TABLE blob(change int8 NOT NULL, piece int4 NOT NULL, bytes bytea NOT NULL,"
     " PRIMARY KEY(change, piece));"
     "CREATE TABLE member(patient int4 NOT NULL, home int4 NOT NULL, seq int4 NOT NULL,"
     " PRIMARY KEY(patient, home, seq)" BY_PATIENT
     "CREATE TABLE link(patient int4 NOT NULL, other int4 NOT NULL,"
     " PRIMARY KEY(patient, other));"
     "CREATE INDEX link_by_other ON link(other, patient);"
     "CREATE TABLE token(parameter int4 NOT NULL, code int4 NOT NULL, patient int4 NOT NULL,"
     " seq int4 NOT NULL, PRIMARY KEY(parameter, code, patient, seq)" BY_PATIENT
     "CREATE TABLE reference(parameter int4 NOT NULL, target int8 NOT NULL,"
     " patient int4 NOT NULL, seq int4 NOT NULL,"
     " PRIMARY KEY(parameter, target, patient, seq)" BY_PATIENT
     "CREATE TABLE text(parameter int4 NOT NULL, patient int4 NOT NULL, seq int4 NOT NULL,"
     " value bytea NOT NULL, PRIMARY KEY(parameter, value, patient, seq)" BY_PATIENT
     "CREATE TABLE date(parameter int4 NOT NULL, low int8 NOT NULL, width int8 NOT NULL,"
     " patient int4 NOT NULL, seq int4 NOT NULL,"
     " PRIMARY KEY(parameter, low, width, patient, seq)" BY_PATIENT
     "CREATE TABLE number(parameter int4 NOT NULL, value float8 NOT NULL,"
     " patient int4 NOT NULL, seq int4 NOT NULL,"
     " PRIMARY KEY(parameter, value, patient, seq)" BY_PATIENT
     "CREATE TABLE quantity(value float8 NOT NULL, parameter int4 NOT NULL, unit int4 NOT NULL,"
     " patient int4 NOT NULL, seq int4 NOT NULL,"
     " PRIMARY KEY(parameter, value, unit, patient, seq)" BY_PATIENT
     "CREATE TABLE tie(key bytea NOT NULL, place int8 NOT NULL, PRIMARY KEY(key, place));"
     "CREATE INDEX tie_by_place ON tie(place);"
     "CREATE TABLE tied(place int8 PRIMARY KEY, ties bytea NOT NULL);"
     "CREATE TABLE quality(day int4 NOT NULL, source text COLLATE \"C\" NOT NULL,"
     " type int4 NOT NULL, rule text COLLATE \"C\" NOT NULL, verdict int4 NOT NULL,"
     " count int8 NOT NULL, PRIMARY KEY(day, source, type, rule, verdict));"
     "CREATE TABLE quality_rule(rule text COLLATE \"C\" NOT NULL, type int4 NOT NULL,"
     " words text COLLATE \"C\" NOT NULL, PRIMARY KEY(rule, type));"
     "CREATE TABLE word(word int4 NOT NULL, patient int4 NOT NULL, block int4 NOT NULL,"
     " PRIMARY KEY(word, patient, block)" BY_PATIENT
     "CREATE TABLE code_word(word int4 NOT NULL, code int4 NOT NULL, PRIMARY KEY(word, code));"
     /* How many there are: a row for each connection that writes, so that none waits for
      * another's. Their sum counts. */
     /* The last transaction of each connection that writes: a number it chose. Who lost the answer
      * to a commit looks here: a server that crashed may give a transaction's number again. */
     "CREATE TABLE attempt(log int4 NOT NULL, writer int4 NOT NULL, number int8 NOT NULL,"
     " PRIMARY KEY(log, writer));"
     "CREATE TABLE tally(slot int4 PRIMARY KEY, resources int8 NOT NULL,"
     " versions int8 NOT NULL, patients int8 NOT NULL);"
     "CREATE SEQUENCE entity_number INCREMENT 1024;"
     "CREATE SEQUENCE patient_number AS int4 INCREMENT 64 START 1024;"
     "CREATE SEQUENCE code_number AS int4 INCREMENT 16;"
     /* Three bits of a method stand beside that of a system. */
     "CREATE SEQUENCE system_number AS int4 INCREMENT 16 MAXVALUE 268435455;"
     "CREATE SEQUENCE place_number AS int4 INCREMENT 64;"
     "CREATE SEQUENCE moment;"
     /* What is added to a transaction's number to make it that of its changes: 0, or more when
      * the records came from a server that had seen more transactions. */
     "CREATE TABLE origin(added int8 NOT NULL);"
     "INSERT INTO origin VALUES(0);"
     /* The last change of a SearchParameter. */
     "CREATE TABLE taught(change int8 NOT NULL);"
     "INSERT INTO taught VALUES(0);"
     /* Number and time of a transaction that writes. Both rise together, whoever asks, because
      * one asks at a time: so neither order ever contradicts the other. */
     "CREATE FUNCTION turn(OUT transaction int8, OUT at int8, OUT origin int8) LANGUAGE plpgsql "
     "AS $$ BEGIN"
     " PERFORM pg_advisory_lock(1129075283, 2);"
     " transaction := pg_current_xact_id()::text::int8;"
     " at := greatest(nextval('moment'),"
     " (extract(epoch FROM clock_timestamp()) * 1000000)::int8);"
     " PERFORM setval('moment', at);"
     " PERFORM pg_advisory_unlock(1129075283, 2);"
     " SELECT added INTO turn.origin FROM origin;"
     "END $$;"
     "DO $$ DECLARE partitioned text; part int; BEGIN"
     " FOREACH partitioned IN ARRAY ARRAY['directory', 'resource', 'change', 'history',"
     " 'member', 'token', 'reference', 'text', 'date', 'number', 'quantity', 'word'] LOOP"
     " FOR part IN 0..7 LOOP EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH"
     " (MODULUS 8, REMAINDER %s)', partitioned || '_' || part, partitioned, part);"
     " END LOOP; END LOOP; END $$;"
     /* The same tables with places as one number, for people and for `carelayer check`. */
     "CREATE SCHEMA carelayer_plain;"
     "CREATE VIEW carelayer_plain.directory AS SELECT type, id, entity,"
     " patient::int8 << 31 | seq AS rid, version, state FROM directory;"
     "CREATE VIEW carelayer_plain.resource AS SELECT patient::int8 << 31 | seq AS rid, type, id,"
     " version, updated, change, method, splice, others, blob_length, facts, dictionary, body"
     " FROM resource;"
     "CREATE VIEW carelayer_plain.place AS SELECT type, patient::int8 << 31 | seq AS rid"
     " FROM resource;"
     "CREATE VIEW carelayer_plain.change AS SELECT type, change,"
     " patient::int8 << 31 | seq AS rid FROM change;"
     "CREATE VIEW carelayer_plain.member AS SELECT patient, home::int8 << 31 | seq AS rid"
     " FROM member;"},
};
#define LAYOUT ((int)(sizeof(steps) / sizeof(steps[0])))

static enum status step_apply(struct postgres *postgres, int step, struct arena *arena)
{
    struct buffer sql = {.arena = arena};
    buffer_add_text(&sql, "BEGIN;");
    if (step == 0) {
        buffer_add_text(&sql, "CREATE SCHEMA IF NOT EXISTS carelayer;"
                              "CREATE TABLE layout(version int4 NOT NULL, oldest int4 NOT NULL);"
                              "INSERT INTO layout VALUES(0, 0);");
    }
    buffer_add_text(&sql, steps[step].sql);
    buffer_print(&sql, "UPDATE layout SET version=%d, oldest=%d; COMMIT", step + 1,
                 steps[step].oldest);
    buffer_add_byte(&sql, '\0');
    if (!buffer_ok(&sql)) {
        return STATUS_MEMORY;
    }
    enum status status = postgres_execute(postgres, sql.at);
    if (status != STATUS_OK) {
        (void)!postgres_execute(postgres, "ROLLBACK");
    }
    return status;
}

static enum status look(struct postgres *postgres, int64_t *ret_version, int64_t *ret_oldest)
{
    int64_t there = 0, utf8 = 0;
    TRY(postgres_ask(postgres, "SELECT current_setting('server_encoding')='UTF8'", &utf8));
    if (utf8 == 0) {
        return STATUS_NOT_SUPPORTED;
    }
    TRY(postgres_ask(postgres, "SELECT to_regclass('carelayer.layout') IS NOT NULL", &there));
    if (there != 0) {
        TRY(postgres_ask(postgres, "SELECT version FROM layout", ret_version));
        TRY(postgres_ask(postgres, "SELECT oldest FROM layout", ret_oldest));
    }
    return STATUS_OK;
}

enum status postgres_schema_apply(struct postgres *postgres, bool write, bool create,
                                  struct outcome *outcome, int *ret_from, int *ret_to)
{
    int64_t version = 0, oldest = 0;
    enum status status = look(postgres, &version, &oldest);
    if (status == STATUS_NOT_SUPPORTED) {
        return outcome_fail(outcome, status, "",
                            "The database must have the encoding UTF8. Make one with "
                            "`createdb --encoding=UTF8 --template=template0`.");
    }
    TRY(status);
    *ret_from = (int)version;
    *ret_to = version > LAYOUT ? (int)version : LAYOUT;
    if (oldest > LAYOUT) {
        return outcome_fail(outcome, STATUS_CORRUPT, "",
                            "The records have layout %d, this program knows up to %d. Use the "
                            "newer program.",
                            (int)version, LAYOUT);
    }
    if (version == 0 ? !create : !write && version < LAYOUT) {
        return version == 0
                   ? outcome_fail(outcome, STATUS_NOT_FOUND, "",
                                  "There are no records in this database yet: nothing was ever "
                                  "stored in it.")
                   : outcome_fail(
                         outcome, STATUS_CORRUPT, "",
                         "The records have layout %d and must be migrated to %d first: run "
                         "`carelayer migrate`.",
                         (int)version, LAYOUT);
    }
    for (int step = (int)version; step < LAYOUT; step++) {
        TRY(step_apply(postgres, step, postgres->arena));
    }
    return STATUS_OK;
}
