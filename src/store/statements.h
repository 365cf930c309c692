/* SPDX-License-Identifier: MIT */
/* Every fixed statement of the store. Only store_int.h includes this. */
#ifndef CARELAYER_STORE_STATEMENTS_H
#define CARELAYER_STORE_STATEMENTS_H

/* The columns that version_from_row reads, of a current row and of one in history. */
#define COLUMNS_CURRENT                                                                            \
    "r.type, r.id, r.version, r.updated, r.change, r.method, r.splice, r.rid >> 31, r.others,"     \
    " r.blob_length, r.dictionary, r.body"
#define COLUMNS_PAST                                                                               \
    "h.type, h.id, h.version, h.updated, h.change, h.method, h.splice, h.home, h.others,"          \
    " h.blob_length, h.dictionary, h.body"

/* Changes stand by type there: the last of each type, and of those the last. */
#define SERVER_LAST_CHANGE                                                                         \
    "(WITH RECURSIVE t(type) AS (SELECT min(type) FROM change UNION ALL SELECT (SELECT min(type)"  \
    " FROM change WHERE type>t.type) FROM t WHERE t.type IS NOT NULL)"                             \
    " SELECT max((SELECT max(change) FROM change c WHERE c.type=t.type)) FROM t)"

#define STATEMENT_TABLE(X)                                                                         \
    X(SQL_BEGIN_WRITE, "BEGIN IMMEDIATE")                                                          \
    X(SQL_BEGIN_READ, "BEGIN")                                                                     \
    X(SQL_COMMIT, "COMMIT")                                                                        \
    X(SQL_SAVEPOINT, "SAVEPOINT job")                                                              \
    X(SQL_RELEASE, "RELEASE job")                                                                  \
    X(SQL_ROLLBACK_JOB, "ROLLBACK TO job")                                                         \
    X(SQL_STATE_GET, "SELECT value FROM state WHERE name=?1")                                      \
    X(SQL_STATE_SET, "INSERT OR REPLACE INTO state(name, value) VALUES(?1, ?2)")                   \
    X(SQL_NOTE_GET, "SELECT value FROM note WHERE name=?1")                                        \
    X(SQL_NOTE_SET, "INSERT OR REPLACE INTO note(name, value) VALUES(?1, ?2)")                     \
    X(SQL_NOTE_REMOVE, "DELETE FROM note WHERE name=?1")                                           \
    X(SQL_OUTBOX_ADD, "INSERT INTO outbox(number, entry) VALUES(?1, ?2)")                          \
    X(SQL_OUTBOX_READ,                                                                             \
      "SELECT number, entry FROM outbox WHERE number>?1 ORDER BY number LIMIT ?2")                 \
    X(SQL_OUTBOX_SHIFT, "UPDATE outbox SET number=number+?1")                                      \
    X(SQL_OUTBOX_REMOVE, "DELETE FROM outbox WHERE number<=?1")                                    \
    X(SQL_READ, "SELECT " COLUMNS_CURRENT " FROM directory d JOIN resource r ON r.rid=d.rid"       \
                " WHERE d.type=?1 AND d.id=?2 AND d.state=1")                                      \
    X(SQL_SCAN_TYPE, "SELECT " COLUMNS_CURRENT " FROM place p JOIN resource r ON r.rid=p.rid"      \
                     " WHERE p.type=?1 ORDER BY p.rid")                                            \
    X(SQL_SCAN_ALL, "SELECT " COLUMNS_CURRENT " FROM resource r ORDER BY r.rid")                   \
    X(SQL_PLACE_READ, "SELECT " COLUMNS_CURRENT " FROM resource r WHERE r.rid=?1")                 \
    X(SQL_PLACE_BODY, "SELECT type, method, dictionary, body FROM resource WHERE rid=?1")          \
    X(SQL_PAST_READ, "SELECT " COLUMNS_PAST " FROM history h WHERE h.change=?1")                   \
    X(SQL_PAST_VERSION, "SELECT " COLUMNS_PAST " FROM history h"                                   \
                        " WHERE h.type=?1 AND h.id=?2 AND h.version=?3")                           \
    X(SQL_PAST_LAST, "SELECT " COLUMNS_PAST " FROM history h WHERE h.type=?1 AND h.id=?2"          \
                     " ORDER BY h.version DESC LIMIT 1")                                           \
    X(SQL_PAST_OF_ID, "SELECT change, updated, ended FROM history WHERE type=?1 AND id=?2"         \
                      " AND version<?3 ORDER BY version DESC")                                     \
    X(SQL_PAST_TIMES, "SELECT updated, ended FROM history WHERE change=?1")                        \
    X(SQL_CHANGES_OF_TYPE, "SELECT change, rid FROM change WHERE type=?1 AND change<?2"            \
                           " ORDER BY change DESC")                                                \
    X(SQL_CHANGE_LAST, "SELECT change, rid FROM change WHERE type=?1 AND change<?2"                \
                       " ORDER BY change DESC LIMIT 1")                                            \
    X(SQL_CHANGE_RANGE, "SELECT rid FROM change WHERE type=?1 AND change>=?2 AND change<?3")       \
    X(SQL_CHANGE_NEXT_TYPE, "SELECT type FROM change WHERE type>?1 ORDER BY type LIMIT 1")         \
    X(SQL_CHANGE_ADD, "INSERT INTO change(type, change, rid) VALUES(?1, ?2, ?3)")                  \
    X(SQL_PLACE_TIMES, "SELECT updated, change FROM resource WHERE rid=?1")                        \
    X(SQL_DIRECTORY_GET, "SELECT entity, rid, version, state FROM directory"                       \
                         " WHERE type=?1 AND id=?2")                                               \
    X(SQL_DIRECTORY_ADD, "INSERT INTO directory(type, id, entity, rid, version, state)"            \
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                        \
    X(SQL_DIRECTORY_SET, "UPDATE directory SET rid=?4, version=?5, state=?6"                       \
                         " WHERE type=?1 AND id=?2 AND entity=?3")                                 \
    X(SQL_PATIENT_ADD, "INSERT INTO patient(number, id) VALUES(?1, ?2)")                           \
    X(SQL_PATIENT_ID, "SELECT id FROM patient WHERE number=?1")                                    \
    X(SQL_PLACE_LAST, "SELECT max(rid) FROM resource WHERE rid BETWEEN ?1 AND ?2")                 \
    X(SQL_PLACE_HIGHEST, "SELECT max(rid) FROM resource")                                          \
    X(SQL_PLACE_ADD, "INSERT INTO place(type, rid) VALUES(?1, ?2)")                                \
    X(SQL_PLACE_REMOVE, "DELETE FROM place WHERE type=?1 AND rid=?2")                              \
    X(SQL_RESOURCE_ADD,                                                                            \
      "INSERT INTO resource(rid, type, id, version, updated, change, method, splice, others,"      \
      " blob_length, facts, dictionary, body) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)") \
    X(SQL_RESOURCE_SET,                                                                            \
      "UPDATE resource SET version=?4, updated=?5, change=?6, method=?7, splice=?8, others=?9,"    \
      " blob_length=?10, facts=?11, dictionary=?12, body=?13 WHERE rid=?1 AND type=?2 AND id=?3")  \
    X(SQL_RESOURCE_REMOVE, "DELETE FROM resource WHERE rid=?1")                                    \
    X(SQL_RESOURCE_FACTS, "SELECT facts, others, change FROM resource WHERE rid=?1")               \
    X(SQL_RESOURCE_FACTS_SET, "UPDATE resource SET facts=?2 WHERE rid=?1")                         \
    X(SQL_RESOURCE_TO_PAST,                                                                        \
      "INSERT INTO history(change, type, id, version, updated, ended, method, splice, home,"       \
      " others, blob_length, dictionary, body) SELECT change, type, id, version, updated, ?2,"     \
      " method, splice, rid >> 31, others, blob_length, dictionary, body FROM resource"            \
      " WHERE rid=?1")                                                                             \
    X(SQL_PAST_ADD,                                                                                \
      "INSERT INTO history(change, type, id, version, updated, method, splice, home, others,"      \
      " blob_length, dictionary, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, 0, -1, x'')")     \
    X(SQL_PAST_END, "UPDATE history SET ended=?4 WHERE type=?1 AND id=?2 AND version=?3")          \
    X(SQL_MEMBER_ADD, "INSERT OR IGNORE INTO member(patient, rid) VALUES(?1, ?2)")                 \
    X(SQL_MEMBER_REMOVE, "DELETE FROM member WHERE patient=?1 AND rid=?2")                         \
    X(SQL_MEMBER_HAS, "SELECT 1 FROM member WHERE patient=?1 AND rid=?2")                          \
    X(SQL_TIE_ADD, "INSERT OR IGNORE INTO tie(key, place) VALUES(?1, ?2)")                         \
    X(SQL_TIE_REMOVE, "DELETE FROM tie WHERE key=?1 AND place=?2")                                 \
    X(SQL_TIE_PLACES, "SELECT place FROM tie WHERE key=?1")                                        \
    X(SQL_TIED_GET, "SELECT ties FROM tied WHERE place=?1")                                        \
    X(SQL_TIED_SET, "INSERT OR REPLACE INTO tied(place, ties) VALUES(?1, ?2)")                     \
    X(SQL_TIED_REMOVE, "DELETE FROM tied WHERE place=?1")                                          \
    X(SQL_HEAD_CURRENT, "SELECT type, id, rid >> 31, others, version, method & 7 FROM resource"    \
                        " WHERE rid=?1")                                                           \
    X(SQL_HEAD_PAST, "SELECT type, id, home, others, version, method & 7 FROM history"             \
                     " WHERE change=?1")                                                           \
    X(SQL_OTHERS_CURRENT, "UPDATE resource SET others=?2 WHERE rid=?1")                            \
    X(SQL_OTHERS_PAST, "UPDATE history SET others=?2 WHERE change=?1")                             \
    X(SQL_LINK_ADD, "INSERT OR IGNORE INTO link(patient, other) VALUES(?1, ?2)")                   \
    X(SQL_LINK_REMOVE, "DELETE FROM link WHERE patient=?1")                                        \
    X(SQL_LINKED, "SELECT other FROM link WHERE patient=?1 UNION"                                  \
                  " SELECT patient FROM link WHERE other=?1")                                      \
    X(SQL_SYSTEM_GET, "SELECT number FROM system WHERE uri=?1")                                    \
    X(SQL_SYSTEM_URI, "SELECT uri FROM system WHERE number=?1")                                    \
    X(SQL_SYSTEM_ADD, "INSERT INTO system(number, uri) VALUES(?1, ?2)")                            \
    X(SQL_CODE_GET, "SELECT number FROM code WHERE code=?2 AND system=?1")                         \
    X(SQL_CODE_ADD, "INSERT INTO code(number, system, code) VALUES(?1, ?2, ?3)")                   \
    X(SQL_CODE_TEXT, "SELECT code FROM code WHERE number=?1")                                      \
    X(SQL_CODES_OF_CODE, "SELECT number FROM code WHERE code=?1")                                  \
    X(SQL_CODES_OF_SYSTEM, "SELECT number FROM code WHERE system=?1")                              \
    X(SQL_BLOB_ADD, "INSERT INTO blob(piece, bytes) VALUES(?1 << 20 | ?2, ?3)")                    \
    X(SQL_BLOB_GET, "SELECT bytes FROM blob WHERE piece=(?1 << 20 | ?2)")                          \
    X(SQL_TOKEN_ADD, "INSERT INTO token(parameter, code, rid) VALUES(?1, ?2, ?3)")                 \
    X(SQL_REFERENCE_ADD, "INSERT INTO reference(parameter, target, rid) VALUES(?1, ?2, ?3)")       \
    X(SQL_TEXT_ADD, "INSERT INTO text(parameter, value, rid) VALUES(?1, ?2, ?3)")                  \
    X(SQL_DATE_ADD, "INSERT INTO date(parameter, low, rid, width) VALUES(?1, ?2, ?3, ?4)")         \
    X(SQL_NUMBER_ADD, "INSERT INTO number(parameter, value, rid) VALUES(?1, ?2, ?3)")              \
    X(SQL_QUANTITY_ADD,                                                                            \
      "INSERT INTO quantity(parameter, value, rid, unit) VALUES(?1, ?2, ?3, ?4)")                  \
    X(SQL_TOKEN_REMOVE, "DELETE FROM token WHERE parameter=?1 AND code=?2 AND rid=?3")             \
    X(SQL_REFERENCE_REMOVE, "DELETE FROM reference WHERE parameter=?1 AND target=?2 AND rid=?3")   \
    X(SQL_TEXT_REMOVE, "DELETE FROM text WHERE parameter=?1 AND value=?2 AND rid=?3")              \
    X(SQL_DATE_REMOVE, "DELETE FROM date WHERE parameter=?1 AND low=?2 AND rid=?3 AND width=?4")   \
    X(SQL_NUMBER_REMOVE, "DELETE FROM number WHERE parameter=?1 AND value=?2 AND rid=?3")          \
    X(SQL_QUANTITY_REMOVE,                                                                         \
      "DELETE FROM quantity WHERE parameter=?1 AND value=?2 AND rid=?3 AND unit=?4")               \
    X(SQL_TOKEN_HAS, "SELECT 1 FROM token WHERE parameter=?1 AND code=?2 AND rid=?3")              \
    X(SQL_REFERENCE_HAS, "SELECT 1 FROM reference WHERE parameter=?1 AND target=?2 AND rid=?3")    \
    X(SQL_TEXT_HAS, "SELECT 1 FROM text WHERE parameter=?1 AND value=?2 AND rid=?3")               \
    X(SQL_DATE_HAS, "SELECT 1 FROM date WHERE parameter=?1 AND low=?2 AND rid=?3 AND width=?4")    \
    X(SQL_NUMBER_HAS, "SELECT 1 FROM number WHERE parameter=?1 AND value=?2 AND rid=?3")           \
    X(SQL_QUANTITY_HAS,                                                                            \
      "SELECT 1 FROM quantity WHERE parameter=?1 AND value=?2 AND rid=?3 AND unit=?4")             \
    X(SQL_TOKEN_RIDS, "SELECT rid FROM token WHERE parameter=?1 AND code=?2 AND rid>=?3"           \
                      " ORDER BY rid")                                                             \
    X(SQL_REFERENCE_RIDS, "SELECT rid FROM reference WHERE parameter=?1 AND target=?2"             \
                          " AND rid>=?3 ORDER BY rid")                                             \
    X(SQL_TOKEN_COUNT, "SELECT count(*) FROM token WHERE parameter=?1 AND code=?2 AND rid>=?3")    \
    X(SQL_REFERENCE_COUNT,                                                                         \
      "SELECT count(*) FROM reference WHERE parameter=?1 AND target=?2 AND rid>=?3")               \
    X(SQL_TEXT_RIDS, "SELECT rid FROM text WHERE parameter=?1 AND value=?2 AND rid>=?3"            \
                     " ORDER BY rid")                                                              \
    X(SQL_PLACE_RIDS, "SELECT rid FROM place WHERE type=?1 AND rid>=?2 AND rid<?3 ORDER BY rid")   \
    X(SQL_ALL_RIDS, "SELECT rid FROM resource WHERE rid>=?1 AND rid<?2 ORDER BY rid")              \
    X(SQL_MEMBER_RIDS, "SELECT rid FROM member WHERE patient=?1 AND rid>=?2 ORDER BY rid")         \
    X(SQL_WALK_DATE_UP, "SELECT rid, low FROM date WHERE parameter=?1 AND low>=?2 ORDER BY low")   \
    X(SQL_WALK_DATE_DOWN,                                                                          \
      "SELECT rid, low FROM date WHERE parameter=?1 AND low<=?2 ORDER BY low DESC")                \
    X(SQL_RUN_DATE,                                                                                \
      "SELECT rid, low FROM date WHERE parameter=?1 AND low=?2 AND rid>=?3 ORDER BY rid")          \
    X(SQL_RUN_TEXT,                                                                                \
      "SELECT rid, value FROM text WHERE parameter=?1 AND value=?2 AND rid>=?3 ORDER BY rid")      \
    X(SQL_RUN_WIDTH,                                                                               \
      "SELECT rid, low FROM date WHERE parameter=?1 AND low=?2 AND rid>=?3 AND width=?4"           \
      " ORDER BY rid")                                                                             \
    X(SQL_NEXT_WIDTH, "SELECT width FROM date WHERE parameter=?1 AND low=?2 AND width>?3"          \
                      " ORDER BY width LIMIT 1")                                                   \
    X(SQL_RUN_NUMBER,                                                                              \
      "SELECT rid, value FROM number WHERE parameter=?1 AND value=?2 AND rid>=?3 ORDER BY rid")    \
    X(SQL_RUN_QUANTITY,                                                                            \
      "SELECT rid, value FROM quantity WHERE parameter=?1 AND value=?2 AND rid>=?3"                \
      " ORDER BY rid")                                                                             \
    X(SQL_RUN_UNIT,                                                                                \
      "SELECT rid, value FROM quantity WHERE parameter=?1 AND value=?2 AND rid>=?3 AND unit=?4"    \
      " ORDER BY rid")                                                                             \
    X(SQL_NEXT_UNIT, "SELECT unit FROM quantity WHERE parameter=?1 AND value=?2 AND unit>?3"       \
                     " ORDER BY unit LIMIT 1")                                                     \
    X(SQL_WALK_NUMBER_UP,                                                                          \
      "SELECT rid, value FROM number WHERE parameter=?1 AND value>=?2 ORDER BY value")             \
    X(SQL_WALK_NUMBER_DOWN,                                                                        \
      "SELECT rid, value FROM number WHERE parameter=?1 AND value<=?2 ORDER BY value DESC")        \
    X(SQL_WALK_QUANTITY_UP,                                                                        \
      "SELECT rid, value FROM quantity WHERE parameter=?1 AND value>=?2 ORDER BY value")           \
    X(SQL_WALK_QUANTITY_DOWN,                                                                      \
      "SELECT rid, value FROM quantity WHERE parameter=?1 AND value<=?2 ORDER BY value DESC")      \
    X(SQL_WALK_TEXT_UP,                                                                            \
      "SELECT rid, value FROM text WHERE parameter=?1 AND value>=?2 ORDER BY value")               \
    X(SQL_WALK_TEXT_DOWN,                                                                          \
      "SELECT rid, value FROM text WHERE parameter=?1 AND value<=?2 ORDER BY value DESC")          \
    X(SQL_WALK_CHANGE_UP,                                                                          \
      "SELECT rid, change FROM change WHERE type=?1 AND change>=?2 ORDER BY change")               \
    X(SQL_WALK_CHANGE_DOWN,                                                                        \
      "SELECT rid, change FROM change WHERE type=?1 AND change<=?2 ORDER BY change DESC")          \
    X(SQL_WALK_ID_UP,                                                                              \
      "SELECT rid, id FROM directory WHERE type=?1 AND id>=?2 AND id<x'' AND state=1 ORDER BY id") \
    X(SQL_WALK_ID_DOWN,                                                                            \
      "SELECT rid, id FROM directory WHERE type=?1 AND id<=?2 AND state=1 ORDER BY id DESC")       \
    X(SQL_WALK_UUID_UP,                                                                            \
      "SELECT rid, id FROM directory WHERE type=?1 AND id>=?2 AND state=1 ORDER BY id")            \
    X(SQL_WALK_UUID_DOWN, "SELECT rid, id FROM directory WHERE type=?1 AND id<=?2 AND id>=x'' "    \
                          "AND state=1 ORDER BY id DESC")                                          \
    X(SQL_TOKEN_NEXT,                                                                              \
      "SELECT code FROM token WHERE parameter=?1 AND code>?2 ORDER BY code LIMIT 1")               \
    X(SQL_TEXT_RANGE, "SELECT rid, value FROM text WHERE parameter=?1 AND value>=?2 AND value<?3") \
    X(SQL_TEXT_FROM, "SELECT rid, value FROM text WHERE parameter=?1 AND value>=?2")               \
    X(SQL_TEXT_HAVING, "SELECT rid, value FROM text WHERE parameter=?1"                            \
                       " AND (instr(value, ?2)>0 OR length(value)>=?3)")                           \
    X(SQL_TOKEN_RANGE, "SELECT rid FROM token WHERE parameter=?1 AND code=?2")                     \
    X(SQL_DATE_RANGE,                                                                              \
      "SELECT rid, low, width FROM date WHERE parameter=?1 AND low>=?2 AND low<?3")                \
    X(SQL_NUMBER_RANGE,                                                                            \
      "SELECT rid, value FROM number WHERE parameter=?1 AND value BETWEEN ?2 AND ?3")              \
    X(SQL_QUANTITY_RANGE,                                                                          \
      "SELECT rid, value, unit FROM quantity WHERE parameter=?1 AND value BETWEEN ?2 AND ?3")      \
    X(SQL_TOKEN_NEXT_CODE, "SELECT code FROM token WHERE parameter=?1 AND code>=?2"                \
                           " ORDER BY code LIMIT 1")                                               \
    X(SQL_WORD_ADD, "INSERT OR IGNORE INTO word(word, block) VALUES(?1, ?2)")                      \
    X(SQL_WORD_HAS, "SELECT 1 FROM word WHERE word=?1 AND block=?2")                               \
    X(SQL_WORD_BLOCKS, "SELECT block FROM word WHERE word=?1 AND block>=?3 ORDER BY block")        \
    X(SQL_CODE_WORD_ADD, "INSERT OR IGNORE INTO code_word(word, code) VALUES(?1, ?2)")             \
    X(SQL_CODE_WORD_HAS, "SELECT 1 FROM code_word WHERE word=?1 AND code=?2")                      \
    X(SQL_CODES_OF_WORD, "SELECT code FROM code_word WHERE word=?1 ORDER BY code")                 \
    X(SQL_CODE_ROWS_OF_SYSTEM, "SELECT number, code FROM code WHERE system=?1")                    \
    X(SQL_CODES_ALIKE, "SELECT c.number, c.code, s.uri FROM code c LEFT JOIN system s"             \
                       " ON s.number=c.system WHERE c.code=?1 COLLATE NOCASE")                     \
    X(SQL_FILTER_ROW, "SELECT type, updated, facts, id FROM resource WHERE rid=?1")                \
    X(SQL_DICTIONARY_GET, "SELECT number, bytes FROM dictionary ORDER BY number")                  \
    X(SQL_DICTIONARY_ADD, "INSERT INTO dictionary(number, bytes) VALUES(?1, ?2)")                  \
    X(SQL_BODIES, "SELECT dictionary, body FROM resource")                                         \
    X(SQL_STRAYS, "SELECT parameter FROM stray")                                                   \
    X(SQL_STRAY_HAS, "SELECT 1 FROM stray WHERE parameter=?1")                                     \
    X(SQL_STRAY_ADD, "INSERT OR IGNORE INTO stray(parameter) VALUES(?1)")                          \
    X(SQL_PARAMETERS, "SELECT number, type, code, shape, ready FROM parameter")                    \
    X(SQL_PARAMETER_ADD, "INSERT INTO parameter(number, type, code, shape, ready)"                 \
                         " VALUES(?1, ?2, ?3, ?4, ?5)")                                            \
    X(SQL_PARAMETER_SET, "UPDATE parameter SET shape=?2, ready=?3 WHERE number=?1")                \
    X(SQL_PARAMETER_FIND, "SELECT number, shape, ready FROM parameter WHERE type=?1 AND code=?2")  \
    X(SQL_PARAMETER_LAST, "SELECT coalesce(max(number), 0) FROM parameter")                        \
    X(SQL_PARAMETER_READY, "UPDATE parameter SET ready=?2 WHERE number=?1")                        \
    X(SQL_TYPE_COUNT, "SELECT count(*) FROM place WHERE type=?1 AND rid>?2")                       \
    X(SQL_PARAMETERS_READY, "UPDATE parameter SET ready=1")                                        \
    X(SQL_REINDEX_NEXT, "SELECT rid, type, facts, method, dictionary, body FROM resource"          \
                        " WHERE rid>?1 ORDER BY rid LIMIT 1")                                      \
    /* A tombstone is about whom the version before it was about. */                               \
    X(SQL_REINDEX_TYPE, "SELECT r.rid, r.type, r.facts, r.method, r.dictionary, r.body"            \
                        " FROM place p JOIN resource r ON r.rid=p.rid"                             \
                        " WHERE p.type=?1 AND p.rid>?2 ORDER BY p.rid LIMIT 1")                    \
    X(SQL_REINDEX_PAST, "SELECT h.change, b.method, b.dictionary, b.body FROM history h"           \
                        " JOIN history b ON b.type=h.type AND b.id=h.id"                           \
                        " AND b.version=h.version-((h.method & 7)=4)"                              \
                        " WHERE h.change>?1 ORDER BY h.change LIMIT 1")                            \
    X(SQL_CHECK_ROW, "SELECT d.rid, d.version, d.entity FROM directory d"                          \
                     " WHERE d.type=?1 AND d.id=?2 AND d.state=1")                                 \
    X(SQL_CHECK_BODIES,                                                                            \
      "SELECT rid, type, facts, method, dictionary, body FROM resource ORDER BY rid")              \
    X(SQL_CHECK_CHANGE, "SELECT rid FROM change WHERE type=?1 AND change=?2")                      \
    X(SQL_QUALITY_ADD, "INSERT INTO quality(day, source, type, rule, verdict, count) VALUES(?1, "  \
                       "?2, ?3, ?4, ?5, ?6)"                                                       \
                       " ON CONFLICT DO UPDATE SET count=count+excluded.count")                    \
    X(SQL_QUALITY_WORDS, "INSERT OR IGNORE INTO quality_rule(rule, type, words)"                   \
                         " VALUES(?1, ?2, ?3)")                                                    \
    X(SQL_QUALITY_FORGET, "DELETE FROM quality WHERE day<?1")                                      \
    X(SQL_QUALITY_FORGET_WORDS, "DELETE FROM quality_rule WHERE NOT EXISTS(SELECT 1 FROM quality"  \
                                " q WHERE q.rule=quality_rule.rule)")                              \
    X(SQL_QUALITY_DAY, "SELECT day, source, type, rule, verdict, count FROM quality WHERE day=?1") \
    X(SQL_QUALITY_ALL, "SELECT sum(count), verdict FROM quality WHERE day BETWEEN ?1 AND ?2"       \
                       " AND (?3 IS NULL OR source=?3) AND rule='' GROUP BY verdict")              \
    X(SQL_QUALITY_SOURCES, "SELECT sum(count), verdict, source FROM quality"                       \
                           " WHERE day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR source=?3)"            \
                           " AND rule='' GROUP BY source, verdict ORDER BY source, verdict")       \
    X(SQL_QUALITY_TYPES, "SELECT sum(count), verdict, type FROM quality"                           \
                         " WHERE day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR source=?3)"              \
                         " AND rule='' GROUP BY type, verdict ORDER BY type, verdict")             \
    X(SQL_QUALITY_DAYS, "SELECT sum(count), verdict, day FROM quality"                             \
                        " WHERE day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR source=?3)"               \
                        " AND rule='' GROUP BY day, verdict ORDER BY day, verdict")                \
    X(SQL_QUALITY_RULES,                                                                           \
      "SELECT sum(count), verdict, rule, type FROM quality"                                        \
      " WHERE day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR source=?3)"                                 \
      " AND rule<>'' GROUP BY rule, type, verdict ORDER BY rule, type, verdict")                   \
    X(SQL_QUALITY_MEND, "SELECT words FROM quality_rule WHERE rule=?1 AND type=?2")                \
    X(SQL_TYPE_USED, "SELECT 1 FROM place WHERE type=?1 LIMIT 1")                                  \
    X(SQL_TYPES_USED,                                                                              \
      "WITH RECURSIVE t(type) AS (SELECT min(type) FROM place UNION ALL SELECT (SELECT min(type)"  \
      " FROM place WHERE type>t.type) FROM t WHERE t.type IS NOT NULL)"                            \
      " SELECT type FROM t WHERE type IS NOT NULL")                                                \
    /* Only on a PostgreSQL server. */                                                             \
    X(SQL_SERVER_TURN, "SELECT transaction, at, origin, (SELECT change FROM taught) FROM turn()")  \
    X(SQL_SERVER_TAUGHT_SET, "UPDATE taught SET change=?1")                                        \
    X(SQL_SERVER_TAUGHT, "SELECT change FROM taught")                                              \
    X(SQL_SERVER_LOOK, "SELECT (SELECT change FROM taught), coalesce(sum(resources), 0)::int8"     \
                       " FROM tally")                                                              \
    X(SQL_SERVER_LAST, "SELECT coalesce(max(change), 0) FROM change WHERE type=?1")                \
    X(SQL_SERVER_ENTITY, "SELECT nextval('entity_number')")                                        \
    X(SQL_SERVER_PATIENT, "SELECT nextval('patient_number')")                                      \
    X(SQL_SERVER_CODE, "SELECT nextval('code_number')")                                            \
    X(SQL_SERVER_SYSTEM, "SELECT nextval('system_number')")                                        \
    X(SQL_SERVER_PLACE, "SELECT nextval('place_number')")                                          \
    X(SQL_SERVER_ATTEMPT, "INSERT INTO attempt(log, writer, number) VALUES(?1, ?2, ?3)"            \
                          " ON CONFLICT(log, writer) DO UPDATE SET number=excluded.number")        \
    X(SQL_SERVER_TALLY, "UPDATE tally SET resources=resources+?2, versions=versions+?3,"           \
                        " patients=patients+?4 WHERE slot=?1")                                     \
    X(SQL_SERVER_SUM,                                                                              \
      "SELECT coalesce(sum(resources), 0)::int8, coalesce(sum(versions), 0)::int8,"                \
      " coalesce(sum(patients), 0)::int8,"                                                         \
      " pg_database_size(current_database()),"                                                     \
      " coalesce(" SERVER_LAST_CHANGE ", 0) FROM tally")                                           \
    X(SQL_SERVER_HORIZON, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8 + added"     \
                          " FROM origin")                                                          \
    X(SQL_SERVER_ORIGIN, "UPDATE origin SET added=added+?1")                                       \
    /* Within one home, with the parameters of those without: the texts are in postgres_sql.c. */  \
    X(SQL_SERVER_TOKEN_HOME, "")                                                                   \
    X(SQL_SERVER_REFERENCE_HOME, "")                                                               \
    X(SQL_SERVER_TEXT_HOME, "")                                                                    \
    X(SQL_SERVER_PLACE_HOME, "")                                                                   \
    X(SQL_SERVER_PLACES_READ, "")                                                                  \
    X(SQL_SERVER_FILTER_ROWS, "")                                                                  \
    X(SQL_SERVER_DATE_SURE, "")                                                                    \
    X(SQL_SERVER_BODIES, "")                                                                       \
    /* As SQL_WALK_CHANGE_UP and _DOWN, without versions of the past, and when it was put. */      \
    X(SQL_SERVER_CURRENT_UP, "")                                                                   \
    X(SQL_SERVER_CURRENT_DOWN, "")                                                                 \
    /* Which of many places a stream has, with the parameters of those without. */                 \
    X(SQL_SERVER_TOKEN_AMONG, "")                                                                  \
    X(SQL_SERVER_REFERENCE_AMONG, "")                                                              \
    X(SQL_SERVER_TEXT_AMONG, "")                                                                   \
    X(SQL_SERVER_PLACE_AMONG, "")                                                                  \
    X(SQL_SERVER_ALL_AMONG, "")                                                                    \
    X(SQL_SERVER_WORD_AMONG, "")                                                                   \
    X(SQL_SERVER_CODES_AMONG, "")                                                                  \
    /* Which places a stream has in some of the blocks of words. */                                \
    X(SQL_SERVER_TOKEN_IN_BLOCKS, "")                                                              \
    X(SQL_SERVER_CODES_IN_BLOCKS, "")                                                              \
    X(SQL_SERVER_REFERENCE_IN_BLOCKS, "")                                                          \
    X(SQL_SERVER_PLACE_IN_BLOCKS, "")                                                              \
    /* Places with any of the codes of an array. */                                                \
    X(SQL_SERVER_CODES_RIDS, "")                                                                   \
    X(SQL_SERVER_CODES_HOME, "")                                                                   \
    X(SQL_SERVER_REFERENCE_OF_HOME, "")                                                            \
    X(SQL_SERVER_ALL_HOME, "")                                                                     \
    X(SQL_SERVER_WORD_HOME, "")                                                                    \
    X(SQL_SERVER_MEMBER_HOMES,                                                                     \
      "SELECT DISTINCT home FROM member WHERE patient=?1::int4 ORDER BY home LIMIT ?2")            \
    /* What writes will look for: rows of the directory, of the first ?4 the last place with that  \
     * patient; with minus their number the keys to which something is tied. */                    \
    X(SQL_SERVER_EXPECT,                                                                           \
      "SELECT n.o, d.entity, (d.patient::int8 << 31 | d.seq), d.version, d.state,"                 \
      " CASE WHEN n.o<=?4 THEN (SELECT r.seq FROM resource r WHERE r.patient=d.patient"            \
      " ORDER BY r.seq DESC LIMIT 1) END FROM unnest(?1, ?2) WITH ORDINALITY AS n(t, i, o)"        \
      " JOIN directory d ON d.type=n.t::int4 AND d.id=n.i UNION ALL"                               \
      " SELECT -k.o, NULL, NULL, NULL, NULL, NULL FROM unnest(?3) WITH ORDINALITY AS k(key, o)"    \
      " WHERE EXISTS(SELECT 1 FROM tie WHERE tie.key=k.key)")                                      \
    /* Many rows at once (postgres_batch.c): each parameter is an array. */                        \
    X(SQL_SERVER_TOKENS,                                                                           \
      "INSERT INTO token(parameter, code, patient, seq)"                                           \
      " SELECT p, v, r >> 31, r & 2147483647 FROM unnest(?1, ?2, ?3) AS n(p, v, r)")               \
    X(SQL_SERVER_REFERENCES,                                                                       \
      "INSERT INTO reference(parameter, target, patient, seq)"                                     \
      " SELECT p, v, r >> 31, r & 2147483647 FROM unnest(?1, ?2, ?3) AS n(p, v, r)")               \
    X(SQL_SERVER_TEXTS,                                                                            \
      "INSERT INTO text(parameter, value, patient, seq)"                                           \
      " SELECT p, v, r >> 31, r & 2147483647 FROM unnest(?1, ?2, ?3) AS n(p, v, r)")               \
    X(SQL_SERVER_DATES,                                                                            \
      "INSERT INTO date(parameter, low, patient, seq, width)"                                      \
      " SELECT p, v, r >> 31, r & 2147483647, o FROM unnest(?1, ?2, ?3, ?4) AS n(p, v, r, o)")     \
    X(SQL_SERVER_NUMBERS,                                                                          \
      "INSERT INTO number(parameter, value, patient, seq)"                                         \
      " SELECT p, v, r >> 31, r & 2147483647 FROM unnest(?1, ?2, ?3) AS n(p, v, r)")               \
    X(SQL_SERVER_QUANTITIES,                                                                       \
      "INSERT INTO quantity(parameter, value, patient, seq, unit)"                                 \
      " SELECT p, v, r >> 31, r & 2147483647, o FROM unnest(?1, ?2, ?3, ?4) AS n(p, v, r, o)")     \
    X(SQL_SERVER_WORDS,                                                                            \
      "INSERT INTO word(word, patient, block)"                                                     \
      " SELECT w, b >> 25, b & 33554431 FROM unnest(?1, ?2) AS n(w, b) ON CONFLICT DO NOTHING")    \
    X(SQL_SERVER_CODE_WORDS, "INSERT INTO code_word(word, code)"                                   \
                             " SELECT w, c FROM unnest(?1, ?2) AS n(w, c) ON CONFLICT DO NOTHING") \
    X(SQL_SERVER_DIRECTORY,                                                                        \
      "INSERT INTO directory(type, id, entity, patient, seq, version, state)"                      \
      " SELECT t, i, e, r >> 31, r & 2147483647, v, s"                                             \
      " FROM unnest(?1, ?2, ?3, ?4, ?5, ?6) AS n(t, i, e, r, v, s)")                               \
    X(SQL_SERVER_PATIENTS, "INSERT INTO patient(number, id)"                                       \
                           " SELECT p, i FROM unnest(?1, ?2) AS n(p, i)")                          \
    X(SQL_SERVER_RESOURCES,                                                                        \
      "INSERT INTO resource(patient, seq, type, id, version, updated, change, method, splice,"     \
      " others, blob_length, facts, dictionary, body) SELECT r >> 31, r & 2147483647, t, i, v, u," \
      " c, m, s, coalesce(o, ''), l, f, d, b FROM"                                                 \
      " unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"                            \
      " AS n(r, t, i, v, u, c, m, s, o, l, f, d, b)")                                              \
    X(SQL_SERVER_CHANGES,                                                                          \
      "INSERT INTO change(type, change, patient, seq)"                                             \
      " SELECT t, c, r >> 31, r & 2147483647 FROM unnest(?1, ?2, ?3) AS n(t, c, r)")               \
    X(SQL_SERVER_MEMBERS,                                                                          \
      "INSERT INTO member(patient, home, seq)"                                                     \
      " SELECT p, r >> 31, r & 2147483647 FROM unnest(?1, ?2) AS n(p, r) ON CONFLICT DO NOTHING")  \
    X(SQL_SERVER_PARAMETERS,                                                                       \
      "INSERT INTO parameter(number, type, code, shape, ready)"                                    \
      " SELECT n, t, c, s, r FROM unnest(?1, ?2, ?3, ?4, ?5) AS n(n, t, c, s, r)")

#endif
