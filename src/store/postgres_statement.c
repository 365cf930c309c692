/* SPDX-License-Identifier: MIT */
/* store: statements on a PostgreSQL server: binary values, and rows in pieces that grow, since a
 * search often wants the first few of very many. */
#include <endian.h>

#include "postgres.h"

#define FIRST_ROWS  32
#define MOST_ROWS   8192
#define ROWS_GROW   4
#define MOST_SOUGHT 512 /* rows of a piece that is sought anew */

/* Of a packed piece, whose rows cost a fraction of others. */
#define PACKED_LEAST 512
#define PACKED_MOST  32768
#define PACKED_GROW  2

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
    struct slice found = postgres_blob(statement, at);
    const char *bytes = found.at;
    switch (found.length) {
    case 0:
        return 0;
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
    return statement->packed ? false
                             : statement->result == NULL ||
                                   PQgetisnull(statement->result, statement->row, at) == 1;
}

struct slice postgres_blob(const struct postgres_statement *statement, int at)
{
    if (statement->packed) {
        return slice_of(statement->columns[at].at, (size_t)statement->columns[at].length);
    }
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
    *statement = (struct postgres_statement){.number = number, .of = postgres};
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
    if (statement->asked) {
        postgres_disown(statement->of, statement);
    }
    PQclear(statement->early);
    PQclear(statement->result);
    statement->result = statement->early = NULL;
    statement->open = statement->more = statement->asked = statement->keeps = false;
    statement->packed = false;
    statement->row = statement->rows = statement->chunk = statement->wish = 0;
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

static int64_t bound_key(const struct postgres_statement *statement,
                         const struct postgres_text *text)
{
    if (text->rows != ROWS_KEYED || text->key > statement->count) {
        return INT64_MIN;
    }
    uint64_t bits;
    memcpy(&bits, statement->values[text->key - 1].bytes, sizeof(bits));
    return (int64_t)be64toh(bits);
}

/* What is to be sent for the next rows. */
static struct postgres_piece next_piece(struct postgres_statement *statement,
                                        const struct postgres_text *text)
{
    struct postgres_piece piece = {.key = INT64_MIN, .before = statement->result};
    if (statement->open) {
        statement->row = statement->rows - 1;
        piece.key = statement->rows > 0 ? postgres_number(statement, text->column) + 1 : INT64_MIN;
        piece.part = text->rows == ROWS_AFTER ? PART_NEXT : PART_FIRST;
        statement->begins = piece.key;
        statement->passed += statement->rows;
        statement->chunk *= statement->chunk < MOST_ROWS ? ROWS_GROW : 1;
    } else {
        statement->begins = bound_key(statement, text);
        statement->chunk = statement->wish > 0 ? statement->wish : FIRST_ROWS;
    }
    if (text->packed > 0) {
        /* Each piece costs something by itself. */
        int64_t most = text->greatest ? INT32_MAX : PACKED_MOST;
        int64_t least = text->greatest ? statement->passed : statement->passed / PACKED_GROW;
        int64_t wish = statement->wish > least ? statement->wish : least;
        wish = wish > PACKED_LEAST ? wish : PACKED_LEAST;
        statement->chunk = (int)(wish < most ? wish : most);
    }
    piece.offset = statement->passed;
    piece.limit = text->rows != ROWS_ALL ? statement->chunk : -1;
    return piece;
}

static bool packed_step(struct postgres_statement *statement)
{
    bool ok = true;
    for (int i = 0; i < postgres_text(statement->number)->packed && ok; i++) {
        ok = postgres_array_step(&statement->columns[i]);
    }
    return ok;
}

static void open_rows(struct postgres_statement *statement, PGresult *result)
{
    const struct postgres_text *text = postgres_text(statement->number);
    PQclear(statement->result);
    statement->result = result;
    statement->open = true;
    statement->rows = PQntuples(result);
    statement->packed = text->packed > 0;
    for (int i = 0; i < text->packed; i++) {
        statement->rows = postgres_array_open(result, 0, i, &statement->columns[i]);
    }
    statement->more = text->rows != ROWS_ALL && statement->rows == statement->chunk;
    statement->row = 0;
}

static enum status fetch(struct postgres *postgres, struct postgres_statement *statement)
{
    PGresult *result = NULL;
    if (statement->asked) {
        statement->asked = false;
        enum status status = statement->early == NULL ? postgres_settle(postgres) : STATUS_OK;
        result = statement->early;
        statement->early = NULL;
        if (status != STATUS_OK) {
            PQclear(result);
            return status;
        }
    }
    if (result == NULL) {
        struct postgres_piece piece = next_piece(statement, postgres_text(statement->number));
        TRY(postgres_send(postgres, statement, &piece, &result));
    }
    open_rows(statement, result);
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
static enum status fetch_inside(struct postgres *postgres, struct postgres_statement *statement)
{
    bool fresh = postgres->fresh && !postgres->writes;
    enum status status = fetch(postgres, statement);
    if (status != STATUS_OK && postgres->lost && fresh) {
        postgres->in_transaction = false;
        TRY(postgres_begin(postgres, false, postgres->deadline));
        status = fetch(postgres, statement);
    }
    postgres->fresh = postgres->fresh && status != STATUS_OK;
    return status;
}

void postgres_wish(struct postgres_statement *statement, uint64_t rows)
{
    statement->wish = rows < PACKED_MOST ? (int)rows : PACKED_MOST;
}

bool postgres_piece_ends(const struct postgres_statement *statement)
{
    return statement->more && statement->row + 1 >= statement->rows;
}

enum status postgres_foresee(struct postgres *postgres, struct postgres_statement *statement,
                             int rows)
{
    statement->keeps = true;
    if (statement->open || statement->asked) {
        return STATUS_OK;
    }
    statement->wish = rows > 0 ? rows : statement->wish;
    if (!postgres->in_transaction) {
        return STATUS_OK;
    }
    struct postgres_piece piece = next_piece(statement, postgres_text(statement->number));
    enum status status = postgres_send_early(postgres, statement, &piece);
    statement->asked = status == STATUS_OK;
    /* Whoever reads it asks once more then. */
    return postgres->lost && postgres->fresh && !postgres->writes ? STATUS_OK : status;
}

/* The first row of the piece whose key is not below KEY. */
static int row_from(struct postgres_statement *statement, int column, int64_t key)
{
    int low = 0, high = statement->rows;
    while (low < high) {
        statement->row = low + (high - low) / 2;
        if (postgres_number(statement, column) < key) {
            low = statement->row + 1;
        } else {
            high = statement->row;
        }
    }
    return low;
}

bool postgres_covers(const struct postgres_statement *statement, int64_t key)
{
    const struct postgres_text *text = postgres_text(statement->number);
    if (!statement->open || text->rows != ROWS_KEYED || key < statement->begins) {
        return false;
    }
    struct postgres_statement last = {.result = statement->result, .row = statement->rows - 1};
    /* Behind the last row comes the next piece. */
    return !statement->more ||
           (statement->rows > 0 && key <= postgres_number(&last, text->column) + 1);
}

enum status postgres_seek(struct postgres *postgres, struct postgres_statement *statement,
                          int64_t key, bool *ret_found)
{
    if (statement->asked && !statement->open) {
        TRY(fetch_inside(postgres, statement));
    }
    *ret_found = postgres_covers(statement, key);
    if (*ret_found) {
        statement->row = row_from(statement, postgres_text(statement->number)->column, key) - 1;
        statement->keeps = true;
        return STATUS_OK;
    }
    int wish = statement->open ? statement->chunk * 2 : 0;
    postgres_reset(statement);
    statement->wish = wish < MOST_SOUGHT ? wish : MOST_SOUGHT;
    statement->keeps = true;
    return STATUS_OK;
}

uint64_t postgres_about(const struct postgres_statement *statement)
{
    static const double everywhere = 4503599627370496; /* 2^52: wider than the places of most */
    int column = postgres_text(statement->number)->column;
    struct postgres_statement first = {.result = statement->result};
    struct postgres_statement last = {.result = statement->result, .row = statement->rows - 1};
    if (!statement->more) {
        int rows = statement->rows - (statement->row > 0 ? statement->row : 0);
        return statement->open && rows > 0 ? (uint64_t)rows : 0;
    }
    double width =
        (double)postgres_number(&last, column) - (double)postgres_number(&first, column) + 1;
    double rows = (double)statement->rows;
    return (uint64_t)(rows + (width < everywhere ? rows * (everywhere / width) : 0));
}

enum status postgres_count(struct postgres *postgres, struct postgres_statement *statement,
                           uint64_t *ret_count)
{
    struct postgres_statement count = {.number = statement->number, .of = postgres};
    int rows = statement->rows - statement->row - 1;
    *ret_count = rows > 0 ? (uint64_t)rows : 0;
    if (!statement->more) {
        return STATUS_OK;
    }
    const struct postgres_text *text = postgres_text(statement->number);
    const struct postgres_piece piece = {.part = PART_COUNT, .limit = -1, .offset = -1};
    struct postgres_statement last = {.result = statement->result, .row = statement->rows - 1};
    postgres_take_values(&count, statement);
    postgres_bind_number(&count, text->key, postgres_number(&last, text->column) + 1);
    TRY(postgres_send(postgres, &count, &piece, &count.result));
    *ret_count += (uint64_t)postgres_number(&count, 0);
    PQclear(count.result);
    return STATUS_OK;
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
            alone ? fetch_alone(postgres, statement) : fetch_inside(postgres, statement);
        if (status != STATUS_OK) {
            postgres_reset(statement);
            return status;
        }
    }
    *ret_row = statement->row < statement->rows;
    if (*ret_row && statement->packed && !packed_step(statement)) {
        return STATUS_INTERNAL;
    }
    if (!*ret_row && !statement->keeps) {
        postgres_reset(statement);
    }
    statement->row = statement->row < statement->rows ? statement->row : statement->rows;
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
