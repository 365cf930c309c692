/* SPDX-License-Identifier: MIT */
/* store: prepared statements on either engine, ids as columns, and what SQLite's codes mean to us.
 */
#include "postgres.h"

static const char *const statement_sql[STATEMENT_COUNT] = {
#define STATEMENT_ROW(name, sql) [name] = (sql),
    STATEMENT_TABLE(STATEMENT_ROW)
#undef STATEMENT_ROW
};

static enum status status_of_code(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STATUS_OK;
    case SQLITE_FULL:
        return STATUS_NO_SPACE;
    case SQLITE_NOMEM:
        return STATUS_MEMORY;
    case SQLITE_INTERRUPT:
        return STATUS_TOO_COSTLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_BUSY;
    case SQLITE_TOOBIG:
        return STATUS_TOO_LONG;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL:
        return STATUS_IO;
    default:
        return STATUS_INTERNAL;
    }
}

enum status database_status(struct connection *connection, int code)
{
    enum status status = status_of_code(code);
    switch (status) {
    case STATUS_NO_SPACE:
    case STATUS_MEMORY:
    case STATUS_IO:
    case STATUS_CORRUPT:
        if (connection->doomed == STATUS_OK) {
            connection->doomed = status;
        }
        break;
    case STATUS_INTERNAL:
        log_event(LOG_STORE_FAILED, LOG_NUMBER(LOG_FIELD_LIBRARY_CODE, code),
                  LOG_TEXT(LOG_FIELD_LIBRARY, "sqlite"));
        break;
    default:
        break;
    }
    return status;
}

static enum status prepare(struct connection *connection, enum statement_number number,
                           struct statement *ret_statement)
{
    if (connection->db == NULL) {
        return postgres_prepare(connection->postgres, number, &ret_statement->postgres);
    }
    int code = sqlite3_prepare_v3(connection->db, statement_sql[number], -1,
                                  SQLITE_PREPARE_PERSISTENT, &ret_statement->sqlite, NULL);
    if (code != SQLITE_OK) {
        ret_statement->sqlite = NULL;
    }
    return database_status(connection, code);
}

enum status statement_get(struct connection *connection, enum statement_number number,
                          struct statement **ret_statement)
{
    struct statement *statement = &connection->statements[number];
    if (statement_is_none(statement)) {
        TRY(prepare(connection, number, statement));
    } else {
        statement_reset(statement);
    }
    *ret_statement = statement;
    return STATUS_OK;
}

enum status statement_row(struct connection *connection, struct statement *statement, bool *ret_row)
{
    if (statement->sqlite == NULL) {
        return postgres_row(connection->postgres, statement->postgres, connection->deadline,
                            ret_row);
    }
    int code = sqlite3_step(statement->sqlite);
    *ret_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW) {
        return STATUS_OK;
    }
    sqlite3_reset(statement->sqlite);
    return database_status(connection, code);
}

enum status statement_run(struct connection *connection, struct statement *statement)
{
    if (statement->sqlite == NULL) {
        return postgres_run(connection->postgres, statement->postgres);
    }
    int code = sqlite3_step(statement->sqlite);
    int again = sqlite3_reset(statement->sqlite);
    return database_status(connection, code == SQLITE_DONE || code == SQLITE_ROW ? again : code);
}

void statements_reset(struct connection *connection)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        struct statement *statement = &connection->statements[i];
        if (statement->postgres != NULL ||
            (statement->sqlite != NULL && sqlite3_stmt_busy(statement->sqlite))) {
            statement_reset(statement);
        }
    }
}

static void finalize(struct connection *connection, struct statement *statement)
{
    sqlite3_finalize(statement->sqlite);
    if (statement->postgres != NULL) {
        postgres_finalize(connection->postgres, statement->postgres);
    }
    *statement = (struct statement){NULL, NULL};
}

void statements_finalize(struct connection *connection)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        finalize(connection, &connection->statements[i]);
    }
    for (int i = 0; i < SPARE_STATEMENTS; i++) {
        finalize(connection, &connection->spares[i].statement);
    }
}

/* ---- statements that several want at once ---------------------------------------------------- */

enum status statement_take(struct connection *connection, enum statement_number number,
                           struct statement *ret_statement)
{
    for (size_t i = 0; i < SPARE_STATEMENTS; i++) {
        struct spare_statement *spare = &connection->spares[i];
        if (spare->number == number && !statement_is_none(&spare->statement)) {
            *ret_statement = spare->statement;
            spare->statement = (struct statement){NULL, NULL};
            return STATUS_OK;
        }
    }
    *ret_statement = (struct statement){NULL, NULL};
    return prepare(connection, number, ret_statement);
}

void statement_give(struct connection *connection, enum statement_number number,
                    struct statement *statement)
{
    if (statement_is_none(statement)) {
        return;
    }
    statement_reset(statement);
    if (statement->sqlite != NULL) {
        sqlite3_clear_bindings(statement->sqlite);
    }
    for (size_t i = 0; i < SPARE_STATEMENTS; i++) {
        struct spare_statement *spare = &connection->spares[i];
        if (statement_is_none(&spare->statement)) {
            *spare = (struct spare_statement){number, *statement};
            *statement = (struct statement){NULL, NULL};
            return;
        }
    }
    finalize(connection, statement);
}

/* ---- binding ----------------------------------------------------------------------------------
 */

void statement_bind_text(struct statement *statement, int at, struct slice text)
{
    if (statement->sqlite == NULL) {
        postgres_bind_text(statement->postgres, at, text);
        return;
    }
    sqlite3_bind_text64(statement->sqlite, at, text.length > 0 ? text.at : "", text.length,
                        SQLITE_STATIC, SQLITE_UTF8);
}

void statement_bind_id(struct statement *statement, int at, const struct packed_id *id)
{
    if (statement->sqlite == NULL) {
        postgres_bind_id(statement->postgres, at, id);
    } else if (id->uuid) {
        sqlite3_bind_blob(statement->sqlite, at, id->bytes, id->length, SQLITE_STATIC);
    } else {
        sqlite3_bind_text(statement->sqlite, at, id->bytes, id->length, SQLITE_STATIC);
    }
}

void statement_bind_blob(struct statement *statement, int at, struct slice bytes)
{
    if (statement->sqlite == NULL) {
        postgres_bind_blob(statement->postgres, at, bytes);
    } else if (bytes.length == 0) {
        sqlite3_bind_zeroblob(statement->sqlite, at, 0);
    } else {
        sqlite3_bind_blob64(statement->sqlite, at, bytes.at, bytes.length, SQLITE_STATIC);
    }
}

void statement_packed_id(const struct statement *statement, int at, struct packed_id *ret_id)
{
    if (statement->sqlite == NULL) {
        postgres_packed_id(statement->postgres, at, ret_id);
        return;
    }
    ret_id->uuid = sqlite3_column_type(statement->sqlite, at) == SQLITE_BLOB;
    struct slice id = slice_head(statement_blob(statement, at), sizeof(ret_id->bytes));
    ret_id->length = (uint8_t)id.length;
    if (id.length > 0) {
        memcpy(ret_id->bytes, id.at, id.length);
    }
}

struct slice statement_id(const struct statement *statement, int at, struct arena *arena)
{
    struct packed_id id;
    statement_packed_id(statement, at, &id);
    if (!id.uuid || id.length != 16) {
        return arena_copy(arena, slice_of(id.bytes, id.length));
    }
    char *text = arena_alloc(arena, UUID_LENGTH);
    if (text == NULL) {
        return (struct slice){NULL, 0};
    }
    uuid_unpack((const uint8_t *)id.bytes, text);
    return slice_of(text, UUID_LENGTH);
}

/* ---- transactions -----------------------------------------------------------------------------
 */

enum status database_execute(struct connection *connection, const char *sql)
{
    if (connection->db == NULL) {
        return postgres_execute(connection->postgres, sql);
    }
    return database_status(connection, sqlite3_exec(connection->db, sql, NULL, NULL, NULL));
}

static enum status run_number(struct connection *connection, enum statement_number number)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    return statement_run(connection, statement);
}

enum status database_begin(struct connection *connection, bool write)
{
    if (connection->db == NULL) {
        return postgres_begin(connection->postgres, write, connection->deadline);
    }
    return run_number(connection, write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ);
}

enum status database_commit(struct connection *connection)
{
    if (connection->db == NULL) {
        return postgres_commit(connection->postgres);
    }
    return run_number(connection, SQL_COMMIT);
}

bool database_in_transaction(const struct connection *connection)
{
    return connection->db != NULL ? !sqlite3_get_autocommit(connection->db)
                                  : postgres_in_transaction(connection->postgres);
}

void database_rollback(struct connection *connection)
{
    if (connection->db == NULL) {
        postgres_rollback(connection->postgres);
    } else if (!sqlite3_get_autocommit(connection->db)) {
        sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* ---- ids ------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool uuid_hyphen(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool uuid_pack(struct slice text, uint8_t ret_bytes[static 16])
{
    if (text.length != UUID_LENGTH) {
        return false;
    }
    size_t out = 0;
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        if (uuid_hyphen(i)) {
            if (text.at[i] != '-') {
                return false;
            }
            continue;
        }
        int high = hex_value(text.at[i]);
        int low = hex_value(text.at[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        ret_bytes[out++] = (uint8_t)(high << 4 | low);
        i++;
    }
    return true;
}

void uuid_unpack(const uint8_t bytes[static 16], char ret_text[static 36])
{
    static const char digits[] = "0123456789abcdef";
    size_t in = 0;
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        if (uuid_hyphen(i)) {
            ret_text[i] = '-';
            continue;
        }
        ret_text[i] = digits[bytes[in] >> 4];
        ret_text[++i] = digits[bytes[in++] & 15];
    }
}

bool id_pack(struct slice id, struct packed_id *ret_id)
{
    ret_id->uuid = uuid_pack(id, (uint8_t *)ret_id->bytes);
    if (ret_id->uuid) {
        ret_id->length = 16;
        return true;
    }
    if (!resource_id_valid(id)) {
        return false;
    }
    memcpy(ret_id->bytes, id.at, id.length);
    ret_id->length = (uint8_t)id.length;
    return true;
}

/* ---- varints ----------------------------------------------------------------------------------
 */

void varint_write(struct buffer *out, uint64_t value)
{
    char *at = buffer_reserve(out, 10);
    if (at == NULL) {
        return;
    }
    size_t length = 0;
    while (value >= 0x80) {
        at[length++] = (char)(value | 0x80);
        value >>= 7;
    }
    at[length++] = (char)value;
    out->length += length;
}

bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

void patients_write(const uint32_t *patients, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        varint_write(out, patients[i]);
    }
}

enum status patients_read(struct slice blob, uint32_t home, struct arena *arena,
                          const uint32_t **ret_patients, size_t *ret_count)
{
    /* A varint is at least one byte, so this is room enough. */
    uint32_t *patients = arena_array(arena, blob.length + 1, sizeof(*patients));
    if (patients == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t count = 0;
    if (home >= PATIENT_FIRST) {
        patients[count++] = home;
    }
    const uint8_t *at = (const uint8_t *)blob.at;
    const uint8_t *end = blob.length > 0 ? at + blob.length : at;
    while (at < end) {
        uint64_t value = 0;
        if (!varint_read(&at, end, &value) || value > UINT32_MAX) {
            return STATUS_CORRUPT;
        }
        patients[count++] = (uint32_t)value;
    }
    *ret_patients = patients;
    *ret_count = count;
    return STATUS_OK;
}
