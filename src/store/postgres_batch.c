/* SPDX-License-Identifier: MIT */
/* store: rows for a PostgreSQL server, gathered and sent many at once. A statement costs the server
 * some twenty times what a further row of it does, so the index rows of a transaction travel as
 * arrays, a statement a table. A table's rows are sent before anything looks at that table or
 * changes it, and before the commit. */
#include "postgres.h"

#define ROWS_MOST  512
#define COLUMNS    13
#define TEXT_BYTES ((size_t)128 << 10)

static const struct {
    enum statement_number one, many;
    const char *table;
    int columns;
} kinds[POSTGRES_BATCHES] = {
    {SQL_TOKEN_ADD, SQL_SERVER_TOKENS, "token", 3},
    {SQL_REFERENCE_ADD, SQL_SERVER_REFERENCES, "reference", 3},
    {SQL_TEXT_ADD, SQL_SERVER_TEXTS, "text", 3},
    {SQL_DATE_ADD, SQL_SERVER_DATES, "date", 4},
    {SQL_NUMBER_ADD, SQL_SERVER_NUMBERS, "number", 3},
    {SQL_QUANTITY_ADD, SQL_SERVER_QUANTITIES, "quantity", 4},
    {SQL_WORD_ADD, SQL_SERVER_WORDS, "word", 2},
    {SQL_CODE_WORD_ADD, SQL_SERVER_CODE_WORDS, "code_word", 2},
    {SQL_DIRECTORY_ADD, SQL_SERVER_DIRECTORY, "directory", 6},
    {SQL_PATIENT_ADD, SQL_SERVER_PATIENTS, "patient", 2},
    {SQL_RESOURCE_ADD, SQL_SERVER_RESOURCES, "resource", 13},
    {SQL_CHANGE_ADD, SQL_SERVER_CHANGES, "change", 3},
    {SQL_MEMBER_ADD, SQL_SERVER_MEMBERS, "member", 2},
    {SQL_PARAMETER_ADD, SQL_SERVER_PARAMETERS, "parameter", 5},
};

struct batch {
    int rows;
    struct postgres_array columns[COLUMNS];
};

struct postgres_batches {
    struct batch batches[POSTGRES_BATCHES];
    uint32_t filled;                 /* a bit for each that has rows */
    uint32_t looks[STATEMENT_COUNT]; /* at which tables; bit 31: found out */
};
#define LOOKED (UINT32_C(1) << 31)

enum status postgres_batches_make(struct postgres *postgres)
{
    postgres->batches = ARENA_NEW(postgres->arena, struct postgres_batches);
    return postgres->batches != NULL ? STATUS_OK : STATUS_MEMORY;
}

static void batch_clear(struct batch *batch)
{
    batch->rows = 0;
    for (int i = 0; i < COLUMNS; i++) {
        postgres_array_clear(&batch->columns[i]);
    }
}

void postgres_batches_forget(struct postgres *postgres)
{
    for (int i = 0; postgres->batches != NULL && i < POSTGRES_BATCHES; i++) {
        batch_clear(&postgres->batches->batches[i]);
    }
    if (postgres->batches != NULL) {
        postgres->batches->filled = 0;
    }
}

/* ---- which statement looks at which table -------------------------------------------------------
 */

static bool names_table(const char *sql, const char *table)
{
    static const char *const before[] = {"FROM ", "INTO ", "JOIN ", "UPDATE "};
    size_t length = strlen(table);
    for (const char *at = strstr(sql, table); at != NULL; at = strstr(at + 1, table)) {
        char next = at[length];
        bool ends = next == '\0' || next == ' ' || next == '(' || next == ')' || next == ',';
        for (size_t i = 0; ends && i < sizeof(before) / sizeof(before[0]); i++) {
            size_t before_length = strlen(before[i]);
            if ((size_t)(at - sql) >= before_length &&
                memcmp(at - before_length, before[i], before_length) == 0) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t tables_of(struct postgres_batches *batches, enum statement_number number)
{
    uint32_t *looks = &batches->looks[number];
    if (*looks == 0) {
        *looks = LOOKED;
        for (int i = 0; i < POSTGRES_BATCHES; i++) {
            if (names_table(postgres_text(number)->sql, kinds[i].table)) {
                *looks |= UINT32_C(1) << i;
            }
        }
    }
    return *looks & ~LOOKED;
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static enum status flush(struct postgres *postgres, int kind)
{
    struct batch *batch = &postgres->batches->batches[kind];
    struct postgres_statement statement = {.number = kinds[kind].many,
                                           .count = kinds[kind].columns};
    for (int i = 0; i < kinds[kind].columns; i++) {
        statement.values[i] = postgres_array_end(&batch->columns[i]);
    }
    batch_clear(batch);
    postgres->batches->filled &= ~(UINT32_C(1) << kind);
    return postgres_send(postgres, &statement, &POSTGRES_WHOLE, NULL);
}

static enum status flush_those(struct postgres *postgres, uint32_t tables)
{
    uint32_t due = postgres->batches->filled & tables;
    for (int kind = 0; due != 0 && kind < POSTGRES_BATCHES; kind++) {
        if ((due >> kind & 1) != 0) {
            TRY(flush(postgres, kind));
        }
    }
    return STATUS_OK;
}

enum status postgres_batches_flush(struct postgres *postgres)
{
    return flush_those(postgres, UINT32_MAX);
}

enum status postgres_batches_before(struct postgres *postgres, enum statement_number number)
{
    struct postgres_batches *batches = postgres->batches;
    return batches->filled == 0 ? STATUS_OK : flush_those(postgres, tables_of(batches, number));
}

static int kind_of(enum statement_number number)
{
    for (int kind = 0; kind < POSTGRES_BATCHES; kind++) {
        if (kinds[kind].one == number) {
            return kind;
        }
    }
    return -1;
}

static bool fits(const struct batch *batch, const struct postgres_statement *statement)
{
    bool fits = batch->rows < ROWS_MOST;
    for (int i = 0; fits && i < statement->count; i++) {
        fits = postgres_array_fits(&batch->columns[i], &statement->values[i]);
    }
    return fits;
}

enum status postgres_batch_add(struct postgres *postgres,
                               const struct postgres_statement *statement, bool *ret_added)
{
    int kind = kind_of(statement->number);
    *ret_added = false;
    if (kind < 0 || statement->count != kinds[kind].columns) {
        return STATUS_OK;
    }
    struct batch *batch = &postgres->batches->batches[kind];
    for (int i = 0; i < statement->count; i++) {
        if (batch->columns[i].type == 0) {
            Oid type = statement->values[i].type;
            TRY(postgres_array_make(postgres->arena, type,
                                    type == OID_INT8 || type == OID_FLOAT8
                                        ? (size_t)ROWS_MOST * POSTGRES_ARRAY_NUMBER
                                        : TEXT_BYTES,
                                    &batch->columns[i]));
        }
    }
    if (batch->rows > 0 && !fits(batch, statement)) {
        TRY(flush(postgres, kind));
    }
    if (!fits(batch, statement)) {
        return STATUS_OK; /* longer than all the room: it goes alone */
    }
    for (int i = 0; i < statement->count; i++) {
        postgres_array_add(&batch->columns[i], &statement->values[i]);
    }
    batch->rows++;
    postgres->batches->filled |= UINT32_C(1) << kind;
    *ret_added = true;
    return STATUS_OK;
}
