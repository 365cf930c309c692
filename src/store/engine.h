/* SPDX-License-Identifier: MIT */
/* store, inside: the seam between the store's functions and the two engines (ADR 11). A statement
 * is one row of the table in statements.h, prepared on one connection; what an engine does with it
 * is decided here by one branch, which is always the same on a connection. Only store_int.h
 * includes this.
 *
 * What is bound is not copied: it must last until the statement has run. Columns last until the
 * next step or reset. */
#ifndef CARELAYER_STORE_ENGINE_H
#define CARELAYER_STORE_ENGINE_H

#include <sqlite3.h>

#include "base/base.h"
#include "statements.h"

enum statement_number {
#define STATEMENT_ROW(name, sql) name,
    STATEMENT_TABLE(STATEMENT_ROW)
#undef STATEMENT_ROW
        STATEMENT_COUNT
};

struct connection;
struct packed_id;
struct postgres;           /* a connection to a server (postgres.c) */
struct postgres_statement; /* a statement there */

/* One of the two; both NULL: none, or not prepared yet. */
struct statement {
    sqlite3_stmt *sqlite;
    struct postgres_statement *postgres;
};
static inline bool statement_is_none(const struct statement *statement)
{
    return statement->sqlite == NULL && statement->postgres == NULL;
}

/* ---- PostgreSQL's side (postgres_statement.c) ------------------------------------------------ */

/* An array, in ARENA. */
MUST_CHECK enum status postgres_bind_numbers(struct postgres_statement *statement, int at,
                                             const int64_t *values, size_t count,
                                             struct arena *arena);
void postgres_bind_number(struct postgres_statement *statement, int at, int64_t value);
void postgres_bind_real(struct postgres_statement *statement, int at, double value);
void postgres_bind_null(struct postgres_statement *statement, int at);
void postgres_bind_text(struct postgres_statement *statement, int at, struct slice text);
void postgres_bind_blob(struct postgres_statement *statement, int at, struct slice bytes);
void postgres_bind_id(struct postgres_statement *statement, int at, const struct packed_id *id);
int64_t postgres_number(const struct postgres_statement *statement, int at);
double postgres_real(const struct postgres_statement *statement, int at);
bool postgres_is_null(const struct postgres_statement *statement, int at);
struct slice postgres_blob(const struct postgres_statement *statement, int at);
void postgres_packed_id(const struct postgres_statement *statement, int at,
                        struct packed_id *ret_id);
void postgres_reset(struct postgres_statement *statement);
/* Sends it, if it was not yet; its first ROWS rows (0: as usual) are not waited for before they are
 * read. Only in a transaction; else nothing. */
MUST_CHECK enum status postgres_foresee(struct postgres *postgres,
                                        struct postgres_statement *statement, int rows);
/* Of a statement whose pieces are packed: about so many rows will be read from now on. */
void postgres_wish(struct postgres_statement *statement, uint64_t rows);
/* Is it on the last row of a piece, behind which there may be more? */
bool postgres_piece_ends(const struct postgres_statement *statement);
/* Of ROWS_KEYED: are the rows from KEY on there? */
bool postgres_covers(const struct postgres_statement *statement, int64_t key);
/* To before the first of these; *RET_FOUND false: it is reset, to be bound and run again. */
MUST_CHECK enum status postgres_seek(struct postgres *postgres,
                                     struct postgres_statement *statement, int64_t key,
                                     bool *ret_found);
/* How many rows come behind the one it stands on. */
MUST_CHECK enum status postgres_count(struct postgres *postgres,
                                      struct postgres_statement *statement, uint64_t *ret_count);
/* About how many rows there are from the one it stands on, to compare with others: known only when
 * there are few, else by how far apart they are. */
uint64_t postgres_about(const struct postgres_statement *statement);
/* Of a statement all of whose rows came at once, and that has given one of them: how many there
 * are, and to stand on another. */
int postgres_row_count(const struct postgres_statement *statement);
void postgres_move(struct postgres_statement *statement, int row);

/* ---- binding and reading --------------------------------------------------------------------- */

static inline void statement_bind_number(struct statement *statement, int at, int64_t value)
{
    if (statement->sqlite != NULL) {
        sqlite3_bind_int64(statement->sqlite, at, value);
    } else {
        postgres_bind_number(statement->postgres, at, value);
    }
}

static inline void statement_bind_real(struct statement *statement, int at, double value)
{
    if (statement->sqlite != NULL) {
        sqlite3_bind_double(statement->sqlite, at, value);
    } else {
        postgres_bind_real(statement->postgres, at, value);
    }
}

static inline void statement_bind_null(struct statement *statement, int at)
{
    if (statement->sqlite != NULL) {
        sqlite3_bind_null(statement->sqlite, at);
    } else {
        postgres_bind_null(statement->postgres, at);
    }
}

/* A column of whole numbers of any width; 0 for NULL. */
static inline int64_t statement_number(const struct statement *statement, int at)
{
    return statement->sqlite != NULL ? sqlite3_column_int64(statement->sqlite, at)
                                     : postgres_number(statement->postgres, at);
}

static inline double statement_real(const struct statement *statement, int at)
{
    return statement->sqlite != NULL ? sqlite3_column_double(statement->sqlite, at)
                                     : postgres_real(statement->postgres, at);
}

static inline bool statement_is_null(const struct statement *statement, int at)
{
    return statement->sqlite != NULL ? sqlite3_column_type(statement->sqlite, at) == SQLITE_NULL
                                     : postgres_is_null(statement->postgres, at);
}

/* A column of text or bytes. */
static inline struct slice statement_blob(const struct statement *statement, int at)
{
    if (statement->sqlite == NULL) {
        return postgres_blob(statement->postgres, at);
    }
    const char *bytes = sqlite3_column_blob(statement->sqlite, at);
    return slice_of(bytes, (size_t)sqlite3_column_bytes(statement->sqlite, at));
}

/* Ends what it reads; what is bound stays. */
static inline void statement_reset(struct statement *statement)
{
    if (statement->sqlite != NULL) {
        sqlite3_reset(statement->sqlite);
    } else {
        postgres_reset(statement->postgres);
    }
}

void statement_bind_text(struct statement *statement, int at, struct slice text);
void statement_bind_blob(struct statement *statement, int at, struct slice bytes);
void statement_bind_id(struct statement *statement, int at, const struct packed_id *id);
/* A column of ids, packed; and as text in the arena: the empty slice when the arena is full. */
void statement_packed_id(const struct statement *statement, int at, struct packed_id *ret_id);
struct slice statement_id(const struct statement *statement, int at, struct arena *arena);

/* ---- running --------------------------------------------------------------------------------- */

/* A prepared statement of the table, reset and ready to bind. */
MUST_CHECK enum status statement_get(struct connection *connection, enum statement_number number,
                                     struct statement **ret_statement);
/* A further copy for one use among several at once, to be given back (nothing when it is none). */
MUST_CHECK enum status statement_take(struct connection *connection, enum statement_number number,
                                      struct statement *ret_statement);
void statement_give(struct connection *connection, enum statement_number number,
                    struct statement *statement);
/* Steps once. *RET_ROW: there is a row (the statement stays open: reset it soon). */
MUST_CHECK enum status statement_row(struct connection *connection, struct statement *statement,
                                     bool *ret_row);
/* Runs a statement that gives no rows, and resets it. PostgreSQL may be asked later, together with
 * those that follow: a failure then shows at the next row read or at the end. */
MUST_CHECK enum status statement_run(struct connection *connection, struct statement *statement);
/* Ends whatever its statements read. */
void statements_reset(struct connection *connection);

/* ---- transactions ---------------------------------------------------------------------------- */

MUST_CHECK enum status database_execute(struct connection *connection, const char *sql);
MUST_CHECK enum status database_begin(struct connection *connection, bool write);
MUST_CHECK enum status database_commit(struct connection *connection);
/* Nothing when there is none. */
void database_rollback(struct connection *connection);
bool database_in_transaction(const struct connection *connection);

#endif
