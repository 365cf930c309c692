/* SPDX-License-Identifier: MIT */
/* store: strays. By which search parameters does some resource refer to a patient in whose home it
 * is not? By every other parameter a resource refers to the patient it lives with, or to none; then
 * whom the matches of a search refer to is known by where they are (find_forward.c). A parameter is
 * noted once and for all: forgetting it when the last such resource goes would take a count. */
#include <stdatomic.h>

#include "store_int.h"

static void remember(struct store *store, uint32_t parameter)
{
    uint32_t number = parameter / 2;
    if (number < STRAY_PARAMETERS) {
        atomic_fetch_or(&store->strays[number / 64], UINT64_C(1) << number % 64);
    }
}

bool fact_strays(const struct fact *fact, int64_t rid)
{
    return fact->tree == TREE_REFERENCE && fact->number < 0 &&
           -fact->number != (int64_t)place_patient(rid);
}

/* Said before the row is there for anybody, so no snapshot has the row without the note; and said
 * in the file with each row, for the transaction that said it first may have been undone. */
enum status stray_note(struct connection *connection, const struct fact *fact, int64_t rid)
{
    struct statement *statement;
    if (connection->db == NULL || !fact_strays(fact, rid)) {
        return STATUS_OK;
    }
    remember(connection->store, fact->parameter);
    TRY(statement_get(connection, SQL_STRAY_ADD, &statement));
    statement_bind_number(statement, 1, fact->parameter);
    return statement_run(connection, statement);
}

bool stray_may_be(const struct store *store, uint32_t parameter)
{
    uint32_t number = parameter / 2;
    return store->read_only || number >= STRAY_PARAMETERS ||
           (atomic_load(&store->strays[number / 64]) >> number % 64 & 1) != 0;
}

enum status stray_is_noted(struct connection *connection, uint32_t parameter, bool *ret_noted)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_STRAY_HAS, &statement));
    statement_bind_number(statement, 1, parameter);
    TRY(statement_row(connection, statement, ret_noted));
    statement_reset(statement);
    return STATUS_OK;
}

enum status strays_load(struct store *store, struct connection *connection)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_STRAYS, &statement));
    TRY(statement_row(connection, statement, &row));
    while (row) {
        remember(store, (uint32_t)statement_number(statement, 0));
        TRY(statement_row(connection, statement, &row));
    }
    return STATUS_OK;
}
