/* SPDX-License-Identifier: MIT */
/* store: statements on a PostgreSQL server: binary values, and rows in pieces that grow, since a
 * search often wants the first few of very many. */
#include <endian.h>

#include "postgres.h"

#define FIRST_ROWS 32
#define MOST_ROWS  8192
#define ROWS_GROW  4

/* Before a packed UUID, so that UUIDs stand behind all other ids, which are ASCII. */
#define UUID_MARK ((char)0xff)

/* ---- binding ------------------------------------------------------------------------------------
 */

static struct postgres_value *bind(struct postgres_statement *statement, int at, Oid type,
                                   const char *bytes, size_t length)
{
    struct postgres_value *value = &statement->values[at - 1];
    statement->count = at > statement->count ? at : statement->count;
    value->type = type;
    value->at = bytes;
    value->length = (int)length;
    value->own = false;
    return value;
}

static void bind_eight(struct postgres_statement *statement, int at, Oid type, uint64_t bits)
{
    uint64_t big = htobe64(bits);
    struct postgres_value *value = bind(statement, at, type, NULL, 8);
    memcpy(value->bytes, &big, 8);
    value->own = true;
}

void postgres_bind_number(struct postgres_statement *statement, int at, int64_t value)
{
    bind_eight(statement, at, OID_INT8, (uint64_t)value);
}

void postgres_bind_real(struct postgres_statement *statement, int at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    bind_eight(statement, at, OID_FLOAT8, bits);
}

void postgres_bind_null(struct postgres_statement *statement, int at)
{
    bind(statement, at, 0, NULL, 0);
}

void postgres_bind_text(struct postgres_statement *statement, int at, struct slice text)
{
    bind(statement, at, OID_TEXT, text.length > 0 ? text.at : "", text.length);
}

void postgres_bind_blob(struct postgres_statement *statement, int at, struct slice bytes)
{
    bind(statement, at, OID_BYTEA, bytes.length > 0 ? bytes.at : "", bytes.length);
}

void postgres_bind_id(struct postgres_statement *statement, int at, const struct packed_id *id)
{
    struct postgres_value *value =
        bind(statement, at, OID_BYTEA, NULL, (size_t)id->length + id->uuid);
    value->bytes[0] = UUID_MARK;
    memcpy(value->bytes + id->uuid, id->bytes, id->length);
    value->own = true;
}

void postgres_take_values(struct postgres_statement *to, const struct postgres_statement *from)
{
    to->count = from->count;
    memcpy(to->values, from->values, sizeof(to->values));
}

/* ---- columns ------------------------------------------------------------------------------------
 */

int64_t postgres_number(const struct postgres_statement *statement, int at)
{
    if (postgres_is_null(statement, at)) {
        return 0;
    }
    const char *bytes = PQgetvalue(statement->result, statement->row, at);
    switch (PQgetlength(statement->result, statement->row, at)) {
    case 1:
        return bytes[0];
    case 2: {
        uint16_t value;
        memcpy(&value, bytes, sizeof(value));
        return (int16_t)be16toh(value);
    }
    case 4: {
        uint32_t value;
        memcpy(&value, bytes, sizeof(value));
        return (int32_t)be32toh(value);
    }
    default: {
        uint64_t value;
        memcpy(&value, bytes, sizeof(value));
        return (int64_t)be64toh(value);
    }
    }
}

double postgres_real(const struct postgres_statement *statement, int at)
{
    int64_t bits = postgres_number(statement, at);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

bool postgres_is_null(const struct postgres_statement *statement, int at)
{
    return statement->result == NULL || PQgetisnull(statement->result, statement->row, at) == 1;
}

struct slice postgres_blob(const struct postgres_statement *statement, int at)
{
    if (postgres_is_null(statement, at)) {
        return slice_of(NULL, 0);
    }
    return slice_of(PQgetvalue(statement->result, statement->row, at),
                    (size_t)PQgetlength(statement->result, statement->row, at));
}

void postgres_packed_id(const struct postgres_statement *statement, int at,
                        struct packed_id *ret_id)
{
    struct slice bytes = postgres_blob(statement, at);
    ret_id->uuid = bytes.length > 0 && bytes.at[0] == UUID_MARK;
    bytes = slice_head(slice_from(bytes, ret_id->uuid), sizeof(ret_id->bytes));
    ret_id->length = (uint8_t)bytes.length;
    if (bytes.length > 0) {
        memcpy(ret_id->bytes, bytes.at, bytes.length);
    }
}

/* ---- running ------------------------------------------------------------------------------------
 */

enum status postgres_prepare(struct postgres *postgres, enum statement_number number,
                             struct postgres_statement **ret_statement)
{
    struct postgres_statement *statement = postgres->idle;
    if (statement != NULL) {
        postgres->idle = statement->next;
    } else {
        statement = ARENA_NEW(postgres->arena, struct postgres_statement);
    }
    *ret_statement = statement;
    if (statement == NULL) {
        return STATUS_MEMORY;
    }
    *statement = (struct postgres_statement){.number = number};
    return STATUS_OK;
}

void postgres_finalize(struct postgres *postgres, struct postgres_statement *statement)
{
    postgres_reset(statement);
    statement->next = postgres->idle;
    postgres->idle = statement;
}

void postgres_reset(struct postgres_statement *statement)
{
    PQclear(statement->result);
    statement->result = NULL;
    statement->open = statement->more = false;
    statement->row = statement->rows = statement->chunk = 0;
    statement->passed = 0;
}

int postgres_row_count(const struct postgres_statement *statement)
{
    return statement->rows;
}

void postgres_move(struct postgres_statement *statement, int row)
{
    statement->row = row;
}

static enum status fetch(struct postgres *postgres, struct postgres_statement *statement)
{
    const struct postgres_text *text = postgres_text(statement->number);
    bool pieces = text->rows != ROWS_ALL;
    struct postgres_piece piece = {.key = INT64_MIN, .limit = -1, .offset = statement->passed};
    PGresult *before = statement->result;
    if (statement->open) {
        statement->row = statement->rows - 1;
        piece.key = postgres_number(statement, text->column) + 1;
        piece.part = text->rows == ROWS_AFTER ? PART_NEXT : PART_FIRST;
        piece.before = before;
        piece.offset = statement->passed += statement->rows;
        statement->chunk *= statement->chunk < MOST_ROWS ? ROWS_GROW : 1;
    } else {
        statement->chunk = FIRST_ROWS;
    }
    piece.limit = pieces ? statement->chunk : -1;
    statement->result = NULL;
    enum status status = postgres_send(postgres, statement, &piece, &statement->result);
    PQclear(before);
    TRY(status);
    statement->open = true;
    statement->rows = PQntuples(statement->result);
    statement->more = pieces && statement->rows == statement->chunk;
    statement->row = 0;
    return STATUS_OK;
}

/* Outside a transaction nothing is lost with a connection: it is asked once more on a new one. */
static enum status fetch_alone(struct postgres *postgres, struct postgres_statement *statement)
{
    enum status status = STATUS_TRANSIENT;
    for (int attempt = 0; attempt < 2 && status == STATUS_TRANSIENT; attempt++) {
        if (!postgres->lost) {
            (void)!postgres_settle(postgres);
        }
        postgres->failed = STATUS_OK;
        TRY(postgres_revive(postgres));
        status = fetch(postgres, statement);
    }
    return status;
}

/* Nor with a snapshot in which nothing was read yet. */
static enum status fetch_inside(struct postgres *postgres, struct postgres_statement *statement,
                                int64_t deadline)
{
    bool fresh = postgres->fresh && !postgres->writes;
    enum status status = fetch(postgres, statement);
    if (status != STATUS_OK && postgres->lost && fresh) {
        postgres->in_transaction = false;
        TRY(postgres_begin(postgres, false, deadline));
        status = fetch(postgres, statement);
    }
    postgres->fresh = postgres->fresh && status != STATUS_OK;
    return status;
}

enum status postgres_row(struct postgres *postgres, struct postgres_statement *statement,
                         int64_t deadline, bool *ret_row)
{
    *ret_row = false;
    statement->row++;
    if (!statement->open || (statement->row >= statement->rows && statement->more)) {
        if (deadline != 0 && time_monotonic() > deadline) {
            return STATUS_TOO_COSTLY;
        }
        bool alone = !postgres->in_transaction && !statement->open;
        enum status status =
            alone ? fetch_alone(postgres, statement) : fetch_inside(postgres, statement, deadline);
        if (status != STATUS_OK) {
            postgres_reset(statement);
            return status;
        }
    }
    *ret_row = statement->row < statement->rows;
    if (!*ret_row) {
        postgres_reset(statement);
    }
    return STATUS_OK;
}

enum status postgres_run(struct postgres *postgres, struct postgres_statement *statement)
{
    bool added = postgres_text(statement->number)->sql[0] == '\0'; /* nothing to do there */
    enum status status = !added && postgres->in_transaction
                             ? postgres_batch_add(postgres, statement, &added)
                             : STATUS_OK;
    if (status == STATUS_OK && !added) {
        status = postgres_send(postgres, statement, &POSTGRES_WHOLE, NULL);
    }
    if (status == STATUS_OK && !postgres->in_transaction) {
        status = postgres_settle(postgres);
    }
    postgres_reset(statement);
    return status;
}
