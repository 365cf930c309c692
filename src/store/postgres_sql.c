/* SPDX-License-Identifier: MIT */
/* store: statements as PostgreSQL has them, where that differs from SQLite: there a place is two
 * columns, patient and seq, so that every table of a person's data can be distributed by patient.
 * What is bound and read stays one number (patient << 31 | seq). */
#include "postgres.h"

#define RID(table)         "(" table "patient::int8 << 31 | " table "seq)"
#define PATIENT(parameter) "(" parameter " >> 31)::int4"
#define SEQ(parameter)     "(" parameter " & 2147483647)::int4"
#define SPLIT(parameter)   PATIENT(parameter) ", " SEQ(parameter)
#define AT(parameter)      "patient=" PATIENT(parameter) " AND seq=" SEQ(parameter)
/* Bounds may lie outside what the columns can hold. */
#define FROM(parameter)  "(patient, seq)>=(" parameter " >> 31, " parameter " & 2147483647)"
#define BELOW(parameter) "(patient, seq)<(" parameter " >> 31, " parameter " & 2147483647)"
#define IN_ORDER         " ORDER BY patient, seq"
/* Blocks of words: the same, 64 places each. */
#define BLOCK(parameter) "(" parameter " >> 25)::int4, (" parameter " & 33554431)::int4"
/* Texts of any length are found by their hash. */
#define SAME(column, parameter)                                                                    \
    "hashtextextended(" column ", 0)=hashtextextended(" parameter " COLLATE \"C\", 0) AND " column \
    "=" parameter
#define SAME_LETTERS(column, parameter)                                                            \
    "hashtextextended(lower(" column "), 0)=hashtextextended(lower(" parameter                     \
    " COLLATE \"C\"), 0) AND lower(" column ")=lower(" parameter " COLLATE \"C\")"

/* No column of a resource is NULL: a row with one is 8 bytes longer. */
#define BYTES(parameter) "coalesce(" parameter "::bytea, '')"
#define NOTHING          ""

#define CURRENT                                                                                    \
    "r.type, r.id, r.version, r.updated, r.change, r.method, r.splice, r.patient, r.others,"       \
    " r.blob_length, r.dictionary, r.body"

#define TREE(table, column)                                                                        \
    "INSERT INTO " table "(parameter, " column ", patient, seq) VALUES(?1, ?2, " SPLIT("?3") ")"
#define TREE_TWO(table, column, other)                                                             \
    "INSERT INTO " table "(parameter, " column ", patient, seq, " other                            \
    ") VALUES(?1, ?2, " SPLIT("?3") ", ?4)"
#define ROW(table, column) " FROM " table " WHERE parameter=?1 AND " column "=?2 AND " AT("?3")
/* Rows in the order of a tree's whole key, so that each piece begins where the last ended. What
 * stands behind the parameters that are bound is the last row's. */
#define LATER(rid) "(" rid " >> 31), (" rid " & 2147483647)"
#define IN_TREE(table, what, where, order)                                                         \
    "SELECT " RID("") ", " what " FROM " table " WHERE parameter=?1 AND " where " ORDER BY " order
#define UP(column, more)   column ", " more "patient, seq"
#define DOWN(column, more) column " DESC, " more "patient DESC, seq DESC"
#define WALK(table, column, compare, order)                                                        \
    .sql = IN_TREE(table, column, column compare "=?2", order),                                    \
    .next = IN_TREE(table, column, "(" column ", patient, seq)" compare "(?3, " LATER("?4") ")",   \
                    order),                                                                        \
    .rows = ROWS_AFTER, .columns = {1, 0}, .column_count = 2
/* Where the key has another column behind the value. */
#define WALK_TWO(table, column, other, compare, order)                                             \
    .sql = IN_TREE(table, column ", " other "::int8", column compare "=?2", order),                \
    .next = IN_TREE(table, column ", " other "::int8",                                             \
                    "(" column ", " other ", patient, seq)" compare "(?3, ?4, " LATER("?5") ")",   \
                    order),                                                                        \
    .rows = ROWS_AFTER, .columns = {1, 2, 0}, .column_count = 3
/* Between two values. */
#define RANGE_TWO(table, column, other, below)                                                     \
    .sql = IN_TREE(table, column ", " other "::int8", column ">=?2 AND " column below "?3",        \
                   column ", " other ", patient, seq"),                                            \
    .next = IN_TREE(table, column ", " other "::int8",                                             \
                    column below "?3 AND (" column ", " other                                      \
                                 ", patient, seq)>(?4, ?5, " LATER("?6") ")",                      \
                    column ", " other ", patient, seq"),                                           \
    .rows = ROWS_AFTER, .columns = {1, 2, 0}, .column_count = 3, .packed = 3
#define RANGE(table, column, below)                                                                \
    .sql = IN_TREE(table, column, column ">=?2 AND " column below "?3", UP(column, "")),           \
    .next = IN_TREE(table, column,                                                                 \
                    column below "?3 AND (" column ", patient, seq)>(?4, " LATER("?5") ")",        \
                    UP(column, "")),                                                               \
    .rows = ROWS_AFTER, .columns = {1, 0}, .column_count = 2, .packed = 2
/* Rows whose order is that of one column that no two share. */
#define ONE_BY_ONE(what, where, bound, order, after, at)                                           \
    .sql = "SELECT " what where bound " ORDER BY " order,                                          \
    .next = "SELECT " what where after " ORDER BY " order, .rows = ROWS_AFTER, .columns = {at},    \
    .column_count = 1
/* The equality lets the server go to one partition. */
#define HOME(parameter) "patient=" PATIENT(parameter) " AND seq>=" SEQ(parameter)
#define QUALITY                                                                                    \
    " FROM quality WHERE day BETWEEN ?1 AND ?2 AND (?3::text IS NULL OR source=?3::text)"

#define HAVING_PART "(position(?2 in value)>0 OR length(value)>=?3)"
#define CURRENT_CHANGE                                                                             \
    " FROM change c JOIN resource r ON r.patient=c.patient AND r.seq=c.seq AND r.change=c.change"  \
    " WHERE c.type=?1"
#define AMONG(table, places)                                                                       \
    "SELECT n.r FROM unnest(" places ") n(r) JOIN " table                                          \
    " t ON t.patient=" PATIENT("n.r") " AND t.seq=" SEQ("n.r")

#define IN_BLOCKS(table, blocks, where)                                                            \
    "SELECT " RID(                                                                                 \
        "t.") " FROM unnest(" blocks ") n(b) JOIN " table                                          \
              " t ON t.patient=(n.b >> 25)::int4 AND t.seq>=((n.b & 33554431) << 6)::int4"         \
              " AND t.seq<=((n.b & 33554431) << 6 | 63)::int4" where " ORDER BY t.patient, t.seq"

static const struct postgres_text texts[STATEMENT_COUNT] = {
    [SQL_STATE_SET] = {"INSERT INTO state(name, value) VALUES(?1, ?2)"
                       " ON CONFLICT(name) DO UPDATE SET value=excluded.value"},
    [SQL_NOTE_SET] = {"INSERT INTO note(name, value) VALUES(?1, ?2)"
                      " ON CONFLICT(name) DO UPDATE SET value=excluded.value"},
    [SQL_DICTIONARY_ADD] = {"INSERT INTO dictionary(number, bytes) VALUES(?1, ?2)"
                            " ON CONFLICT DO NOTHING"},
    [SQL_OUTBOX_ADD] = {"INSERT INTO outbox(number, entry, log) VALUES(?1, ?2, ?3)"},
    [SQL_OUTBOX_READ] = {"SELECT number, entry FROM outbox WHERE number>?1 AND log=?3"
                         " AND number<(?4 << 20) ORDER BY number LIMIT ?2"},
    [SQL_OUTBOX_SHIFT] = {"UPDATE outbox SET number=number+?1 WHERE ?2::int8 IS NULL AND log=?3"},
    [SQL_OUTBOX_REMOVE] = {"DELETE FROM outbox WHERE number<=?1 AND ?2::int8 IS NULL AND log=?3"},
    [SQL_READ] = {"SELECT " CURRENT " FROM directory d JOIN resource r ON r.patient=d.patient"
                  " AND r.seq=d.seq WHERE d.type=?1 AND d.id=?2 AND d.state=1"},
    [SQL_SCAN_TYPE] = {"SELECT " CURRENT ", " RID("r.") " FROM (SELECT patient, seq FROM resource"
                                                        " WHERE type=?1 AND " FROM("?2") IN_ORDER
                       ") p JOIN resource r ON r.patient=p.patient AND r.seq=p.seq"
                       " ORDER BY p.patient, p.seq",
                       ROWS_KEYED, 2, 12},
    [SQL_SCAN_ALL] = {"SELECT " CURRENT ", " RID("r.") " FROM resource r WHERE " FROM("?1")
                          IN_ORDER,
                      ROWS_KEYED, 1, 12},
    [SQL_PLACE_READ] = {"SELECT " CURRENT " FROM resource r WHERE " AT("?1")},
    [SQL_PLACE_BODY] = {"SELECT type, method, dictionary, body FROM resource WHERE " AT("?1")},
    [SQL_PAST_OF_ID] = {"SELECT change, updated, ended FROM history WHERE type=?1 AND id=?2"
                        " AND version<?3 ORDER BY version DESC",
                        ROWS_COUNTED},
    [SQL_CHANGES_OF_TYPE] = {ONE_BY_ONE("change, " RID(""), " FROM change WHERE type=?1",
                                        " AND change<?2", "change DESC", " AND change<?3", 0)},
    [SQL_CHANGE_LAST] = {"SELECT change, " RID("") " FROM change WHERE type=?1 AND change<?2"
                                                   " ORDER BY change DESC LIMIT 1"},
    [SQL_CHANGE_ADD] = {"INSERT INTO change(type, change, patient, seq) VALUES(?1, ?2, " SPLIT(
        "?3") ")"},
    [SQL_PLACE_TIMES] = {"SELECT updated, change FROM resource WHERE " AT("?1")},
    [SQL_DIRECTORY_GET] = {"SELECT entity, " RID("") ", version, state FROM directory"
                                                     " WHERE type=?1 AND id=?2"},
    [SQL_DIRECTORY_ADD] = {"INSERT INTO directory(type, id, entity, patient, seq, version, state)"
                           " VALUES(?1, ?2, ?3, " SPLIT("?4") ", ?5, ?6)"},
    [SQL_DIRECTORY_SET] = {"UPDATE directory SET patient=" PATIENT("?4") ", seq=" SEQ(
        "?4") ", version=?5, state=?6 WHERE type=?1 AND id=?2 AND entity=?3"},
    [SQL_PLACE_LAST] = {"SELECT " RID("") " FROM resource WHERE patient=" PATIENT(
        "?1") " AND seq<=" SEQ("?2") " ORDER BY seq DESC LIMIT 1"},
    [SQL_PLACE_HIGHEST] = {"SELECT " RID("") " FROM resource ORDER BY patient DESC, seq DESC"
                                             " LIMIT 1"},
    /* There the places of a type are an index of the resources. */
    [SQL_PLACE_ADD] = {NOTHING},
    [SQL_PLACE_REMOVE] = {NOTHING},
    [SQL_TYPE_USED] = {"SELECT 1 FROM resource WHERE type=?1 LIMIT 1"},
    [SQL_TYPES_USED] = {"WITH RECURSIVE t(type) AS (SELECT min(type) FROM resource UNION ALL"
                        " SELECT (SELECT min(type) FROM resource WHERE type>t.type) FROM t"
                        " WHERE t.type IS NOT NULL) SELECT type FROM t WHERE type IS NOT NULL"},
    [SQL_RESOURCE_ADD] =
        {"INSERT INTO resource(patient, seq, type, id, version, updated, change,"
         " method, splice, others, blob_length, facts, dictionary, body) VALUES(" SPLIT(
             "?1") ",?2,?3,?4,?5,?6,?7,?8," BYTES("?9") ",?10,?11,?12,?13)"},
    [SQL_RESOURCE_SET] = {"UPDATE resource SET version=?4, updated=?5, change=?6, method=?7,"
                          " splice=?8, others=" BYTES("?9") ", blob_length=?10, facts=?11,"
                                                            " dictionary=?12, body=?13 WHERE " AT(
                                                                "?1") " AND type=?2 AND id=?3"},
    [SQL_RESOURCE_REMOVE] = {"DELETE FROM resource WHERE " AT("?1")},
    [SQL_RESOURCE_FACTS] = {"SELECT facts, others, change FROM resource WHERE " AT("?1")},
    [SQL_RESOURCE_FACTS_SET] = {"UPDATE resource SET facts=?2 WHERE " AT("?1")},
    [SQL_RESOURCE_TO_PAST] =
        {"INSERT INTO history(change, type, id, version, updated, ended,"
         " method, splice, home, others, blob_length, dictionary, body)"
         " SELECT change, type, id, version, updated, ?2, method, splice,"
         " patient, others, blob_length, dictionary, body FROM resource WHERE " AT("?1")},
    [SQL_PAST_ADD] = {"INSERT INTO history(change, type, id, version, updated, method, splice,"
                      " home, others, blob_length, dictionary, body)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, 0, -1, '')"},
    [SQL_MEMBER_ADD] = {"INSERT INTO member(patient, home, seq) VALUES(?1, " SPLIT(
        "?2") ") ON CONFLICT DO NOTHING"},
    [SQL_MEMBER_REMOVE] = {"DELETE FROM member WHERE patient=?1::int4 AND home=" PATIENT(
        "?2") " AND seq=" SEQ("?2")},
    [SQL_MEMBER_HAS] = {"SELECT 1 FROM member WHERE patient=?1::int4 AND home=" PATIENT(
        "?2") " AND seq=" SEQ("?2")},
    [SQL_TIE_ADD] = {"INSERT INTO tie(key, place) VALUES(?1, ?2) ON CONFLICT DO NOTHING"},
    [SQL_TIED_SET] = {"INSERT INTO tied(place, ties) VALUES(?1, ?2)"
                      " ON CONFLICT(place) DO UPDATE SET ties=excluded.ties"},
    [SQL_HEAD_CURRENT] = {"SELECT type, id, patient, others, version, method & 7 FROM resource"
                          " WHERE " AT("?1")},
    [SQL_OTHERS_CURRENT] = {"UPDATE resource SET others=" BYTES("?2") " WHERE " AT("?1")},
    [SQL_OTHERS_PAST] = {"UPDATE history SET others=?2::bytea WHERE change=?1"},
    [SQL_LINK_ADD] = {"INSERT INTO link(patient, other) VALUES(?1, ?2) ON CONFLICT DO NOTHING"},
    [SQL_SYSTEM_GET] = {"SELECT number FROM system WHERE " SAME("uri", "?1")},
    [SQL_CODE_GET] = {"SELECT number FROM code WHERE " SAME("code", "?2") " AND system=?1"},
    [SQL_CODES_OF_CODE] = {"SELECT number FROM code WHERE " SAME("code", "?1") " ORDER BY number",
                           ROWS_COUNTED},
    [SQL_CODES_OF_SYSTEM] = {ONE_BY_ONE("number", " FROM code WHERE system=?1", "", "number",
                                        " AND number>?2", 0)},
    [SQL_BLOB_ADD] = {"INSERT INTO blob(change, piece, bytes) VALUES(?1, ?2, ?3)"},
    [SQL_BLOB_GET] = {"SELECT bytes FROM blob WHERE change=?1 AND piece=?2"},
    [SQL_TOKEN_ADD] = {TREE("token", "code")},
    [SQL_REFERENCE_ADD] = {TREE("reference", "target")},
    [SQL_TEXT_ADD] = {TREE("text", "value")},
    [SQL_DATE_ADD] = {TREE_TWO("date", "low", "width")},
    [SQL_NUMBER_ADD] = {TREE("number", "value")},
    [SQL_QUANTITY_ADD] = {TREE_TWO("quantity", "value", "unit")},
    [SQL_TOKEN_REMOVE] = {"DELETE" ROW("token", "code")},
    [SQL_REFERENCE_REMOVE] = {"DELETE" ROW("reference", "target")},
    [SQL_TEXT_REMOVE] = {"DELETE" ROW("text", "value")},
    [SQL_DATE_REMOVE] = {"DELETE" ROW("date", "low") " AND width=?4"},
    [SQL_NUMBER_REMOVE] = {"DELETE" ROW("number", "value")},
    [SQL_QUANTITY_REMOVE] = {"DELETE" ROW("quantity", "value") " AND unit=?4"},
    [SQL_TOKEN_HAS] = {"SELECT 1" ROW("token", "code")},
    [SQL_REFERENCE_HAS] = {"SELECT 1" ROW("reference", "target")},
    [SQL_TEXT_HAS] = {"SELECT 1" ROW("text", "value")},
    [SQL_DATE_HAS] = {"SELECT 1" ROW("date", "low") " AND width=?4"},
    [SQL_NUMBER_HAS] = {"SELECT 1" ROW("number", "value")},
    [SQL_QUANTITY_HAS] = {"SELECT 1" ROW("quantity", "value") " AND unit=?4"},
    [SQL_TOKEN_RIDS] = {"SELECT " RID("") " FROM token WHERE parameter=?1 AND code=?2 AND " FROM(
                            "?3") IN_ORDER,
                        ROWS_KEYED, 3},
    [SQL_REFERENCE_RIDS] = {"SELECT " RID("") " FROM reference WHERE parameter=?1 AND target=?2"
                                              " AND " FROM("?3") IN_ORDER,
                            ROWS_KEYED, 3},
    [SQL_TEXT_RIDS] = {"SELECT " RID("") " FROM text WHERE parameter=?1 AND value=?2 AND " FROM(
                           "?3") IN_ORDER,
                       ROWS_KEYED, 3},
    [SQL_PLACE_RIDS] = {"SELECT " RID("") " FROM resource WHERE type=?1 AND " FROM(
                            "?2") " AND " BELOW("?3") IN_ORDER,
                        ROWS_KEYED, 2},
    [SQL_ALL_RIDS] = {"SELECT " RID("") " FROM resource WHERE " FROM("?1") " AND " BELOW("?2")
                          IN_ORDER,
                      ROWS_KEYED, 1},
    [SQL_SERVER_PLACES_READ] = {"SELECT " CURRENT ", n.o FROM unnest(?1) WITH ORDINALITY n(r, o)"
                                " JOIN resource r ON r.patient=" PATIENT("n.r") " AND r.seq=" SEQ(
                                    "n.r")},
    [SQL_SERVER_FILTER_ROWS] = {"SELECT r.type, r.updated, r.facts, r.id, n.o"
                                " FROM unnest(?1) WITH ORDINALITY n(r, o)"
                                " JOIN resource r ON r.patient=" PATIENT("n.r") " AND r.seq=" SEQ(
                                    "n.r")},
    /* Of one beginning all again, since a width is not sent. */
    [SQL_SERVER_DATE_SURE] = {.sql = "SELECT " RID("") ", low FROM date WHERE parameter=?1"
                                                       " AND low>=?2 AND low<?3 ORDER BY low",
                              .next = "SELECT " RID("") ", low FROM date WHERE parameter=?1"
                                                        " AND low>=?4 AND low<?3 ORDER BY low",
                              .rows = ROWS_AFTER,
                              .columns = {1},
                              .column_count = 1,
                              .packed = 1,
                              .greatest = true},
    [SQL_SERVER_BODIES] = {"SELECT r.type, r.method, r.dictionary, r.body, n.o"
                           " FROM unnest(?1) WITH ORDINALITY n(r, o)"
                           " JOIN resource r ON r.patient=" PATIENT("n.r") " AND r.seq=" SEQ(
                               "n.r")},
    [SQL_SERVER_TOKEN_AMONG] = {AMONG("token", "?3") " AND t.parameter=?1 AND t.code=?2"},
    [SQL_SERVER_CODES_AMONG] = {AMONG("token", "?3") " AND t.parameter=?1 AND t.code=ANY(?2)"},
    [SQL_SERVER_TOKEN_IN_BLOCKS] = {IN_BLOCKS("token", "?3", " AND t.parameter=?1 AND t.code=?2")},
    [SQL_SERVER_CODES_IN_BLOCKS] = {IN_BLOCKS("token", "?3",
                                              " AND t.parameter=?1 AND t.code=ANY(?2)")},
    [SQL_SERVER_REFERENCE_IN_BLOCKS] = {IN_BLOCKS("reference", "?3",
                                                  " AND t.parameter=?1 AND t.target=?2")},
    [SQL_SERVER_PLACE_IN_BLOCKS] = {IN_BLOCKS("resource", "?2",
                                              " AND t.type=?1 WHERE " RID("t.") "<?3")},
    /* Of each code no more than are wanted. */
    [SQL_SERVER_CODES_RIDS] = {"SELECT " RID(
                                   "t.") " FROM unnest(?2) c(code) CROSS JOIN LATERAL"
                                         " (SELECT patient, seq FROM token WHERE parameter=?1"
                                         " AND token.code=c.code AND " FROM("?3") IN_ORDER
                               " LIMIT ?4) t ORDER BY t.patient, t.seq",
                               ROWS_KEYED, 3},
    [SQL_SERVER_CODES_HOME] = {"SELECT " RID("") " FROM token WHERE parameter=?1"
                                                 " AND code=ANY(?2) AND " HOME(
                                                     "?3") " ORDER BY seq",
                               ROWS_KEYED, 3},
    [SQL_SERVER_REFERENCE_AMONG] = {AMONG("reference", "?3") " AND t.parameter=?1 AND t.target=?2"},
    [SQL_SERVER_TEXT_AMONG] = {AMONG("text", "?3") " AND t.parameter=?1 AND t.value=?2"},
    [SQL_SERVER_PLACE_AMONG] = {AMONG("resource", "?2") " AND t.type=?1 WHERE n.r<?3"},
    [SQL_SERVER_ALL_AMONG] = {AMONG("resource", "?1") " WHERE n.r<?2"},
    [SQL_SERVER_REFERENCE_OF_HOME] = {AMONG("reference",
                                            "?2") " AND t.parameter=?1"
                                                  " AND t.target=-(n.r >> 31) WHERE n.r<=?3"},
    [SQL_SERVER_WORD_AMONG] = {"SELECT n.r FROM unnest(?3) n(r) JOIN word t ON t.patient=" PATIENT(
        "n.r") " AND t.block=((n.r & 2147483647) >> 6)::int4 AND t.word=?1 AND ?2::int8 IS NULL"},
    [SQL_SERVER_TOKEN_HOME] = {"SELECT " RID("") " FROM token WHERE parameter=?1 AND code=?2"
                                                 " AND " HOME("?3") " ORDER BY seq",
                               ROWS_KEYED, 3},
    [SQL_SERVER_REFERENCE_HOME] = {"SELECT " RID("") " FROM reference WHERE parameter=?1"
                                                     " AND target=?2 AND " HOME(
                                                         "?3") " ORDER BY seq",
                                   ROWS_KEYED, 3},
    [SQL_SERVER_TEXT_HOME] = {"SELECT " RID("") " FROM text WHERE parameter=?1 AND value=?2"
                                                " AND " HOME("?3") " ORDER BY seq",
                              ROWS_KEYED, 3},
    [SQL_SERVER_PLACE_HOME] = {"SELECT " RID("") " FROM resource WHERE type=?1 AND " HOME(
                                   "?2") " AND " BELOW("?3") " ORDER BY seq",
                               ROWS_KEYED, 2},
    [SQL_SERVER_ALL_HOME] = {"SELECT " RID("") " FROM resource WHERE " HOME("?1") " AND " BELOW(
                                 "?2") " ORDER BY seq",
                             ROWS_KEYED, 1},
    [SQL_SERVER_WORD_HOME] = {"SELECT (patient::int8 << 25 | block) FROM word WHERE word=?1"
                              " AND ?2::int8 IS NULL AND patient=(?3 >> 25)::int4"
                              " AND block>=(?3 & 33554431)::int4 ORDER BY block",
                              ROWS_KEYED, 3},
    [SQL_MEMBER_RIDS] = {"SELECT (home::int8 << 31 | seq) FROM member WHERE patient=?1::int4"
                         " AND (home, seq)>=(?2 >> 31, ?2 & 2147483647) ORDER BY home, seq",
                         ROWS_KEYED, 2},
    [SQL_RUN_DATE] = {"SELECT " RID("") ", low FROM date WHERE parameter=?1 AND low=?2 AND " FROM(
                          "?3") IN_ORDER,
                      ROWS_KEYED, 3},
    [SQL_RUN_TEXT] = {"SELECT " RID("") ", value FROM text WHERE parameter=?1 AND value=?2"
                                        " AND " FROM("?3") IN_ORDER,
                      ROWS_KEYED, 3},
    [SQL_RUN_WIDTH] = {"SELECT " RID("") ", low FROM date WHERE parameter=?1 AND low=?2 AND " FROM(
                           "?3") " AND width=?4" IN_ORDER,
                       ROWS_KEYED, 3},
    [SQL_RUN_NUMBER] = {"SELECT " RID("") ", value FROM number WHERE parameter=?1 AND value=?2"
                                          " AND " FROM("?3") IN_ORDER,
                        ROWS_KEYED, 3},
    [SQL_RUN_QUANTITY] = {"SELECT " RID("") ", value FROM quantity WHERE parameter=?1 AND value=?2"
                                            " AND " FROM("?3") IN_ORDER,
                          ROWS_KEYED, 3},
    [SQL_RUN_UNIT] = {"SELECT " RID("") ", value FROM quantity WHERE parameter=?1 AND value=?2"
                                        " AND " FROM("?3") " AND unit=?4" IN_ORDER,
                      ROWS_KEYED, 3},
    [SQL_NEXT_WIDTH] = {"SELECT width FROM date WHERE parameter=?1 AND low=?2 AND width>?3"
                        " ORDER BY width LIMIT 1"},
    [SQL_NEXT_UNIT] = {"SELECT unit FROM quantity WHERE parameter=?1 AND value=?2 AND unit>?3"
                       " ORDER BY unit LIMIT 1"},
    [SQL_WALK_DATE_UP] = {WALK_TWO("date", "low", "width", ">", UP("low", "width, "))},
    [SQL_WALK_DATE_DOWN] = {WALK_TWO("date", "low", "width", "<", DOWN("low", "width DESC, "))},
    [SQL_WALK_NUMBER_UP] = {WALK("number", "value", ">", UP("value", ""))},
    [SQL_WALK_NUMBER_DOWN] = {WALK("number", "value", "<", DOWN("value", ""))},
    [SQL_WALK_QUANTITY_UP] = {WALK_TWO("quantity", "value", "unit", ">", UP("value", "unit, "))},
    [SQL_WALK_QUANTITY_DOWN] = {WALK_TWO("quantity", "value", "unit", "<",
                                         DOWN("value", "unit DESC, "))},
    [SQL_WALK_TEXT_UP] = {WALK("text", "value", ">", UP("value", ""))},
    [SQL_WALK_TEXT_DOWN] = {WALK("text", "value", "<", DOWN("value", ""))},
    [SQL_WALK_CHANGE_UP] = {ONE_BY_ONE(RID("") ", change", " FROM change WHERE type=?1",
                                       " AND change>=?2", "change", " AND change>?3", 1)},
    [SQL_WALK_CHANGE_DOWN] = {ONE_BY_ONE(RID("") ", change", " FROM change WHERE type=?1",
                                         " AND change<=?2", "change DESC", " AND change<?3", 1)},
    [SQL_SERVER_CURRENT_UP] = {ONE_BY_ONE(RID("c.") ", c.change, r.updated", CURRENT_CHANGE,
                                          " AND c.change>=?2", "c.change", " AND c.change>?3", 1)},
    [SQL_SERVER_CURRENT_DOWN] = {ONE_BY_ONE(RID("c.") ", c.change, r.updated", CURRENT_CHANGE,
                                            " AND c.change<=?2", "c.change DESC",
                                            " AND c.change<?3", 1)},
    [SQL_WALK_ID_UP] = {ONE_BY_ONE(RID("") ", id",
                                   " FROM directory WHERE type=?1 AND id<'\\xff' AND state=1",
                                   " AND id>=?2", "id", " AND id>?3", 1)},
    [SQL_WALK_ID_DOWN] = {ONE_BY_ONE(RID("") ", id",
                                     " FROM directory WHERE type=?1 AND id<'\\xff' AND state=1",
                                     " AND id<=?2", "id DESC", " AND id<?3", 1)},
    [SQL_WALK_UUID_UP] = {ONE_BY_ONE(RID("") ", id", " FROM directory WHERE type=?1 AND state=1",
                                     " AND id>=?2", "id", " AND id>?3", 1)},
    [SQL_WALK_UUID_DOWN] = {ONE_BY_ONE(RID("") ", id",
                                       " FROM directory WHERE type=?1 AND id>='\\xff' AND state=1",
                                       " AND id<=?2", "id DESC", " AND id<?3", 1)},
    [SQL_TEXT_RANGE] = {RANGE("text", "value", "<")},
    [SQL_TEXT_FROM] = {WALK("text", "value", ">", UP("value", "")), .packed = 2},
    [SQL_TEXT_HAVING] = {.sql = IN_TREE("text", "value", HAVING_PART, UP("value", "")),
                         .next =
                             IN_TREE("text", "value",
                                     HAVING_PART " AND (value, patient, seq)>(?4, " LATER("?5") ")",
                                     UP("value", "")),
                         .rows = ROWS_AFTER,
                         .columns = {1, 0},
                         .column_count = 2,
                         .packed = 2},
    [SQL_DATE_RANGE] = {RANGE_TWO("date", "low", "width", "<")},
    [SQL_TOKEN_RANGE] = {.sql = "SELECT " RID(
                             "") " FROM token WHERE parameter=?1 AND code=?2" IN_ORDER,
                         .next = "SELECT " RID("") " FROM token WHERE parameter=?1 AND code=?2"
                                                   " AND (patient, seq)>(" LATER("?3") ")" IN_ORDER,
                         .rows = ROWS_AFTER,
                         .columns = {0},
                         .column_count = 1,
                         .packed = 1},
    [SQL_NUMBER_RANGE] = {RANGE("number", "value", "<=")},
    [SQL_QUANTITY_RANGE] = {RANGE_TWO("quantity", "value", "unit", "<=")},
    [SQL_CHANGE_RANGE] = {ONE_BY_ONE(RID("") ", change", " FROM change WHERE type=?1 AND change<?3",
                                     " AND change>=?2", "change", " AND change>?4", 1),
                          .packed = 2},
    [SQL_WORD_ADD] = {"INSERT INTO word(word, patient, block) VALUES(?1, " BLOCK(
        "?2") ") ON CONFLICT DO NOTHING"},
    [SQL_WORD_HAS] = {"SELECT 1 FROM word WHERE word=?1 AND (patient, block)=(" BLOCK("?2") ")"},
    [SQL_WORD_BLOCKS] = {"SELECT (patient::int8 << 25 | block) FROM word WHERE word=?1"
                         " AND ?2::int8 IS NULL AND (patient, block)>=(?3 >> 25, ?3 & 33554431)"
                         " ORDER BY patient, block",
                         ROWS_KEYED, 3},
    [SQL_CODE_WORD_ADD] = {"INSERT INTO code_word(word, code) VALUES(?1, ?2)"
                           " ON CONFLICT DO NOTHING"},
    [SQL_CODES_OF_WORD] = {ONE_BY_ONE("code", " FROM code_word WHERE word=?1", "", "code",
                                      " AND code>?2", 0)},
    [SQL_CODE_ROWS_OF_SYSTEM] = {ONE_BY_ONE("number, code", " FROM code WHERE system=?1", "",
                                            "number", " AND number>?2", 0)},
    [SQL_CODES_ALIKE] = {"SELECT c.number, c.code, s.uri FROM code c LEFT JOIN system s"
                         " ON s.number=c.system WHERE " SAME_LETTERS("c.code", "?1")},
    [SQL_FILTER_ROW] = {"SELECT type, updated, facts, id FROM resource WHERE " AT("?1")},
    [SQL_BODIES] = {"SELECT dictionary, body FROM resource" IN_ORDER, ROWS_COUNTED},
    [SQL_REINDEX_NEXT] = {"SELECT " RID(
        "") ", type, facts, method, dictionary, body FROM resource"
            " WHERE (patient, seq)>(?1 >> 31, ?1 & 2147483647)" IN_ORDER " LIMIT 1"},
    [SQL_TYPE_COUNT] = {"SELECT count(*) FROM resource WHERE type=?1"
                        " AND (patient, seq)>(?2 >> 31, ?2 & 2147483647)"},
    [SQL_REINDEX_TYPE] = {"SELECT " RID(
        "r.") ", r.type, r.facts, r.method, r.dictionary, r.body"
              " FROM (SELECT patient, seq FROM resource WHERE type=?1"
              " AND (patient, seq)>(?2 >> 31, ?2 & 2147483647)" IN_ORDER " LIMIT 1) p"
              " JOIN resource r ON r.patient=p.patient AND r.seq=p.seq"},
    [SQL_REINDEX_PAST] = {"SELECT h.change, b.method, b.dictionary, b.body FROM history h"
                          " JOIN history b ON b.type=h.type AND b.id=h.id AND b.version=h.version-"
                          "(CASE WHEN (h.method & 7)=4 THEN 1 ELSE 0 END)"
                          " WHERE h.change>?1 ORDER BY h.change LIMIT 1"},
    [SQL_CHECK_ROW] = {"SELECT " RID("d.") ", d.version, d.entity FROM directory d"
                                           " WHERE d.type=?1 AND d.id=?2 AND d.state=1"},
    [SQL_CHECK_BODIES] = {"SELECT " RID("") ", type, facts, method, dictionary, body FROM resource"
                                            " WHERE " FROM("?1") IN_ORDER,
                          ROWS_KEYED, 1},
    [SQL_CHECK_CHANGE] = {"SELECT " RID("") " FROM change WHERE type=?1 AND change=?2"},
    [SQL_QUALITY_ADD] = {"INSERT INTO quality(day, source, type, rule, verdict, count)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                         " ON CONFLICT(day, source, type, rule, verdict)"
                         " DO UPDATE SET count=quality.count+excluded.count"},
    [SQL_QUALITY_WORDS] = {"INSERT INTO quality_rule(rule, type, words) VALUES(?1, ?2, ?3)"
                           " ON CONFLICT DO NOTHING"},
    [SQL_QUALITY_DAY] = {"SELECT day, source, type, rule, verdict, count FROM quality WHERE day=?1"
                         " ORDER BY source, type, rule, verdict"},
    [SQL_QUALITY_ALL] = {"SELECT sum(count)::int8, verdict" QUALITY
                         " AND rule='' GROUP BY verdict"},
    [SQL_QUALITY_SOURCES] = {"SELECT sum(count)::int8, verdict, source" QUALITY
                             " AND rule='' GROUP BY source, verdict ORDER BY source, verdict"},
    [SQL_QUALITY_TYPES] = {"SELECT sum(count)::int8, verdict, type" QUALITY
                           " AND rule='' GROUP BY type, verdict ORDER BY type, verdict"},
    [SQL_QUALITY_DAYS] = {"SELECT sum(count)::int8, verdict, day" QUALITY
                          " AND rule='' GROUP BY day, verdict ORDER BY day, verdict"},
    [SQL_QUALITY_RULES] = {"SELECT sum(count)::int8, verdict, rule, type" QUALITY
                           " AND rule<>'' GROUP BY rule, type, verdict"
                           " ORDER BY rule, type, verdict"},
};

const struct postgres_text *postgres_text(enum statement_number number)
{
    static const struct postgres_text same[STATEMENT_COUNT] = {
#define STATEMENT_ROW(name, text) [name] = {.sql = (text)},
        STATEMENT_TABLE(STATEMENT_ROW)
#undef STATEMENT_ROW
    };
    return texts[number].sql != NULL ? &texts[number] : &same[number];
}
