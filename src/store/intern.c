/* SPDX-License-Identifier: MIT */
/* store: code systems, codes and units as small numbers. The writer remembers what it has seen; a
 * reader asks the tables. */
#include "store_int.h"

#define INTERN_LIMIT 16384 /* texts remembered before starting afresh */
#define INTERN_SLOTS 32768

static uint64_t intern_hash(int64_t system, struct slice text)
{
    return slice_hash(text) ^ (uint64_t)(system + 2) * UINT64_C(0x9E3779B97F4A7C15);
}

static struct intern_slot *intern_slot(struct intern *intern, int64_t system, struct slice text,
                                       uint64_t hash)
{
    size_t at = (size_t)hash & intern->mask;
    while (intern->slots[at].number != 0) {
        struct intern_slot *slot = &intern->slots[at];
        if (slot->hash == hash && slot->system == system && slice_equals(slot->text, text)) {
            return slot;
        }
        at = (at + 1) & intern->mask;
    }
    return &intern->slots[at];
}

static void intern_forget(struct intern *intern)
{
    arena_reset(intern->arena, 0);
    intern->slots = NULL;
    intern->mask = 0;
    intern->count = 0;
}

/* Only a memory: when there is no room it is just not remembered. */
static void intern_remember(struct intern *intern, int64_t system, struct slice text,
                            int64_t number)
{
    if (intern->count >= INTERN_LIMIT) {
        intern_forget(intern);
    }
    if (intern->slots == NULL) {
        intern->mask = INTERN_SLOTS - 1;
        intern->slots = arena_array(intern->arena, intern->mask + 1, sizeof(*intern->slots));
        if (intern->slots == NULL) {
            return;
        }
    }
    struct slice copy = arena_copy(intern->arena, text);
    if (copy.at == NULL) {
        return;
    }
    uint64_t hash = intern_hash(system, text);
    struct intern_slot *slot = intern_slot(intern, system, text, hash);
    if (slot->number == 0) {
        *slot = (struct intern_slot){hash, system, number, copy};
        intern->count++;
    }
}

static int64_t intern_recall(struct intern *intern, int64_t system, struct slice text)
{
    if (intern->slots == NULL) {
        return 0;
    }
    return intern_slot(intern, system, text, intern_hash(system, text))->number;
}

static enum status look(struct connection *connection, enum statement_number number, int64_t system,
                        struct slice text, int64_t *ret_number)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    if (system >= 0) {
        statement_bind_number(statement, 1, system);
    }
    statement_bind_text(statement, system >= 0 ? 2 : 1, text);
    bool row = false;
    TRY(statement_row(connection, statement, &row));
    *ret_number = row ? statement_number(statement, 0) : 0;
    statement_reset(statement);
    return STATUS_OK;
}

enum status lookup_system(struct connection *connection, struct slice system, int64_t *ret_number)
{
    return look(connection, SQL_SYSTEM_GET, -1, system, ret_number);
}

enum status intern_system(struct store_tx *tx, struct slice system, int64_t *ret_number)
{
    struct writer *writer = tx->writer;
    if (system.length == 0) {
        *ret_number = 0;
        return STATUS_OK;
    }
    if (writer == NULL) {
        TRY(look(tx->connection, SQL_SYSTEM_GET, -1, system, ret_number));
        *ret_number = *ret_number != 0 ? *ret_number : UNKNOWN_NUMBER;
        return STATUS_OK;
    }
    *ret_number = intern_recall(&writer->intern, -1, system);
    if (*ret_number != 0) {
        return STATUS_OK;
    }
    TRY(look(&writer->connection, SQL_SYSTEM_GET, -1, system, ret_number));
    if (*ret_number == 0) {
        struct statement *statement;
        TRY(number_next(writer, NUMBER_SYSTEM, ret_number));
        TRY(statement_get(&writer->connection, SQL_SYSTEM_ADD, &statement));
        statement_bind_number(statement, 1, *ret_number);
        statement_bind_text(statement, 2, system);
        TRY(statement_run(&writer->connection, statement));
        writer->touched = true;
    }
    intern_remember(&writer->intern, -1, system, *ret_number);
    return STATUS_OK;
}

enum status intern_code(struct store_tx *tx, struct slice system, struct slice code,
                        int64_t *ret_number)
{
    struct writer *writer = tx->writer;
    int64_t system_number = 0;
    TRY(intern_system(tx, system, &system_number));
    if (writer == NULL) {
        TRY(look(tx->connection, SQL_CODE_GET, system_number, code, ret_number));
        *ret_number = *ret_number != 0 ? *ret_number : UNKNOWN_NUMBER;
        return STATUS_OK;
    }
    *ret_number = intern_recall(&writer->intern, system_number, code);
    if (*ret_number != 0) {
        return STATUS_OK;
    }
    TRY(look(&writer->connection, SQL_CODE_GET, system_number, code, ret_number));
    if (*ret_number == 0) {
        struct statement *statement;
        TRY(number_next(writer, NUMBER_CODE, ret_number));
        TRY(statement_get(&writer->connection, SQL_CODE_ADD, &statement));
        statement_bind_number(statement, 1, *ret_number);
        statement_bind_number(statement, 2, system_number);
        statement_bind_text(statement, 3, code);
        TRY(statement_run(&writer->connection, statement));
        writer->touched = true;
    }
    intern_remember(&writer->intern, system_number, code, *ret_number);
    return STATUS_OK;
}

void writer_forget(struct writer *writer)
{
    intern_forget(&writer->intern);
    memset(writer->words, 0, WORD_CACHE * sizeof(*writer->words));
    writer->touched = false;
    if (writer->connection.db == NULL) {
        return; /* the rest is forgotten with each transaction */
    }
    memset(writer->entries, 0, ENTRY_CACHE * sizeof(*writer->entries));
    memset(writer->sequences, 0, SEQUENCE_CACHE * sizeof(*writer->sequences));
}
