/* SPDX-License-Identifier: MIT */
/* store, inside: a connection to a PostgreSQL server. Commands are sent without waiting for their
 * answers (libpq's pipeline mode): what gives no rows is only waited for when rows are read or the
 * transaction ends, so a resource of a hundred index rows costs one round trip and not a hundred.
 * The first failure of a transaction is kept and answered from then on.
 *
 *   postgres.c            connecting, sending, answers and what SQLSTATEs mean to us
 *   postgres_statement.c  statements: binding, rows in growing pieces
 *   postgres_array.c      many values as one parameter
 *   postgres_batch.c      rows to be inserted, gathered
 *   postgres_expect.c     what writes will look for, looked for at once
 *   postgres_sql.c        the text of each statement
 *   postgres_schema.c     the tables, as numbered forward migrations
 *   postgres_keeper.c     a look around once a second
 *   postgres_writer.c     jobs: a transaction each, on several connections at once
 */
#ifndef CARELAYER_STORE_POSTGRES_H
#define CARELAYER_STORE_POSTGRES_H

#include <libpq-fe.h>

#include "store_int.h"

/* How a statement's rows are fetched. */
enum postgres_rows {
    ROWS_ALL,    /* few, or it has a limit of its own: all at once */
    ROWS_KEYED,  /* in pieces: the next begins at the last one's COLUMN + 1, bound to parameter KEY;
                    where that is not bound it begins with the least */
    ROWS_AFTER,  /* in pieces: NEXT gives those behind the last row, whose COLUMNS are its first
                    parameters behind those that are bound */
    ROWS_COUNTED /* in pieces: the next begins after as many rows as there were */
};

/* The texts of a statement: one is prepared when it is first needed. */
enum postgres_part {
    PART_FIRST,
    PART_NEXT,
    PART_COUNT, /* of ROWS_KEYED: how many there are from the key on */
    POSTGRES_PARTS
};

#define POSTGRES_KEYS 3
struct postgres_text {
    const char *sql;
    enum postgres_rows rows;
    int key;    /* parameter */
    int column; /* where the key stands */
    const char *next;
    int columns[POSTGRES_KEYS];
    int column_count;
    int packed; /* so many columns come as an array each: a piece is one row; 0: as rows. They are
                   never NULL, and are read one row after another only */
    bool greatest; /* and of the column behind these only the greatest: the next piece begins with
                      it once more, and is as long as all before it, so it comes further */
};
/* The row of the table for NUMBER; SQL NULL: as on SQLite. */
const struct postgres_text *postgres_text(enum statement_number number);

#define POSTGRES_PARAMETERS 16
#define POSTGRES_PENDING    512
#define POSTGRES_BATCHES    14 /* tables whose rows are sent many at once */

struct postgres_value {
    Oid type; /* 0: nothing bound, or NULL */
    int length;
    const char *at; /* NULL: NULL, or BYTES when they are used */
    bool own;       /* the value stands in BYTES */
    char bytes[72];
};

#define OID_BYTEA  17
#define OID_INT8   20
#define OID_TEXT   25
#define OID_FLOAT8 701

/* Values of one type; bytes may be NULL. */
struct postgres_array {
    Oid type; /* of an element; 0: not made yet */
    char *at;
    size_t length, room;
    int count;
    bool nulls; /* there are some */
};
#define POSTGRES_ARRAY_NUMBER 12 /* bytes of room for each */

/* A column of a packed piece, and the value of the row it stands on. */
struct postgres_column {
    Oid type;
    const char *at, *end; /* end: behind all values */
    int length;
};

struct postgres_statement {
    enum statement_number number;
    int count; /* parameters bound so far, the highest number */
    struct postgres_value values[POSTGRES_PARAMETERS];
    PGresult *result;
    int row, rows, chunk;
    int64_t passed; /* rows of the pieces before */
    bool open, more;
    int64_t begins; /* ROWS_KEYED: no row of this piece is before, none of those between lacks */
    int wish;       /* rows of the first piece, of a packed one of each; 0: as usual */
    bool asked;     /* it was sent: EARLY is its answer once that is there */
    bool keeps;     /* the last piece stays when it is at its end */
    PGresult *early;
    struct postgres_column columns[POSTGRES_KEYS]; /* of a packed piece */
    bool packed;                                   /* the piece is such */
    struct postgres *of;
    struct postgres_statement *next; /* among those to be used again */
};

struct postgres_prepared {
    unsigned generation; /* 0: not prepared on this session */
    int count;
    Oid types[POSTGRES_PARAMETERS];
};

struct postgres {
    struct store *store;
    struct arena *arena;
    PGconn *link;
    bool writes; /* wants a server that may be written to */
    struct postgres_prepared prepared[STATEMENT_COUNT][POSTGRES_PARTS];
    unsigned generation, settled; /* of what was prepared last, and surely */
    /* Commands whose answers are not read yet, oldest first. */
    char pending[POSTGRES_PENDING];
    struct postgres_statement *pending_for[POSTGRES_PENDING]; /* whose answer; NULL: nobody's */
    size_t pending_first, pending_count;
    bool unsynced;
    bool in_transaction;
    bool fresh;         /* nothing was read in it yet */
    int64_t deadline;   /* of it: time_monotonic; 0: none */
    enum status failed; /* why the transaction cannot be committed */
    bool again;       /* run afresh it may succeed: a clash with another, or the server was lost */
    bool lost;        /* the connection is broken */
    bool unknown;     /* it broke while a commit was on its way */
    unsigned session; /* how often it was connected */
    struct postgres_statement *idle;
    struct postgres_batches *batches;
};

/* Connects; the arena is CONNECTION's. STATUS_TRANSIENT: no server answers. */
MUST_CHECK enum status postgres_open(struct store *store, bool writing, struct arena *arena,
                                     struct postgres **ret_postgres);
void postgres_close(struct postgres *postgres);
/* Connects again when the connection was lost; not in a transaction. */
MUST_CHECK enum status postgres_revive(struct postgres *postgres);

MUST_CHECK enum status postgres_prepare(struct postgres *postgres, enum statement_number number,
                                        struct postgres_statement **ret_statement);
/* Binds what FROM has bound. */
void postgres_take_values(struct postgres_statement *to, const struct postgres_statement *from);
void postgres_finalize(struct postgres *postgres, struct postgres_statement *statement);
/* DEADLINE: time_monotonic; 0: none. */
MUST_CHECK enum status postgres_row(struct postgres *postgres, struct postgres_statement *statement,
                                    int64_t deadline, bool *ret_row);
MUST_CHECK enum status postgres_run(struct postgres *postgres,
                                    struct postgres_statement *statement);

/* What is sent of a statement beside its values. */
struct postgres_piece {
    enum postgres_part part;
    int64_t limit, offset;  /* negative: none; that of the first piece is 0 */
    int64_t key;            /* of ROWS_KEYED, behind the first piece */
    const PGresult *before; /* PART_NEXT: whose last row it begins behind */
};
#define POSTGRES_WHOLE ((struct postgres_piece){.limit = -1, .offset = -1})
/* *RET_RESULT NULL: do not wait. */
MUST_CHECK enum status postgres_send(struct postgres *postgres,
                                     const struct postgres_statement *statement,
                                     const struct postgres_piece *piece, PGresult **ret_result);
/* Not waited for: STATEMENT's EARLY will be the answer. */
MUST_CHECK enum status postgres_send_early(struct postgres *postgres,
                                           struct postgres_statement *statement,
                                           const struct postgres_piece *piece);
/* The answer that is to come is nobody's. */
void postgres_disown(struct postgres *postgres, const struct postgres_statement *statement);
/* One command without values, not waited for. */
MUST_CHECK enum status postgres_say(struct postgres *postgres, const char *sql);
/* Waits for every answer. */
MUST_CHECK enum status postgres_settle(struct postgres *postgres);
/* Any number of commands, outside the pipeline; waits. */
MUST_CHECK enum status postgres_execute(struct postgres *postgres, const char *sql);
/* The one number, text or nothing (NULL) that a query gives. */
MUST_CHECK enum status postgres_ask(struct postgres *postgres, const char *sql,
                                    int64_t *ret_number);

/* The thread that looks for what other processes changed; CONTEXT is the store. */
void *postgres_keeper_main(void *context);

/* TYPE 0: a NULL, so of bytes. */
MUST_CHECK enum status postgres_array_make(struct arena *arena, Oid type, size_t room,
                                           struct postgres_array *ret_array);
void postgres_array_clear(struct postgres_array *array);
/* The other way: to before the first value of an array of so many as are answered; 0: NULL. */
int postgres_array_open(const PGresult *result, int row, int column,
                        struct postgres_column *ret_column);
/* To the next; false: it is cut off. */
bool postgres_array_step(struct postgres_column *column);
bool postgres_array_fits(const struct postgres_array *array, const struct postgres_value *value);
/* It must fit. */
void postgres_array_add(struct postgres_array *array, const struct postgres_value *value);
/* To be bound; as long as the array is not changed. */
struct postgres_value postgres_array_end(struct postgres_array *array);

MUST_CHECK enum status postgres_batches_make(struct postgres *postgres);
/* A row for a table whose rows are sent many at once; false: it is not for one of those. */
MUST_CHECK enum status postgres_batch_add(struct postgres *postgres,
                                          const struct postgres_statement *statement,
                                          bool *ret_added);
/* Sends what waits for the tables that statement NUMBER names; or all. */
MUST_CHECK enum status postgres_batches_before(struct postgres *postgres,
                                               enum statement_number number);
MUST_CHECK enum status postgres_batches_flush(struct postgres *postgres);
void postgres_batches_forget(struct postgres *postgres);

MUST_CHECK enum status postgres_begin(struct postgres *postgres, bool write, int64_t deadline);
MUST_CHECK enum status postgres_commit(struct postgres *postgres);
void postgres_rollback(struct postgres *postgres);
bool postgres_in_transaction(const struct postgres *postgres);

/* CREATE: an empty database is laid out. */
MUST_CHECK enum status postgres_schema_apply(struct postgres *postgres, bool write, bool create,
                                             struct outcome *outcome, int *ret_from, int *ret_to);

#endif
