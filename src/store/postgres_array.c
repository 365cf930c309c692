/* SPDX-License-Identifier: MIT */
/* store: arrays as a PostgreSQL server reads them in binary: one dimension, counted from one. */
#include <endian.h>

#include "postgres.h"

#define HEADER 20

#define OID_BYTEA_ARRAY 1001
#define OID_TEXT_ARRAY  1009
#define OID_INT8_ARRAY  1016
#define OID_REAL_ARRAY  1022

static void put_four(char *at, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(at, &big, 4);
}

static Oid array_of(Oid type)
{
    return type == OID_INT8     ? OID_INT8_ARRAY
           : type == OID_FLOAT8 ? OID_REAL_ARRAY
           : type == OID_TEXT   ? OID_TEXT_ARRAY
                                : OID_BYTEA_ARRAY;
}

enum status postgres_array_make(struct arena *arena, Oid type, size_t room,
                                struct postgres_array *ret_array)
{
    *ret_array = (struct postgres_array){
        .type = type != 0 ? type : OID_BYTEA, .room = HEADER + room, .length = HEADER};
    ret_array->at = arena_alloc(arena, ret_array->room);
    return ret_array->at != NULL ? STATUS_OK : STATUS_MEMORY;
}

void postgres_array_clear(struct postgres_array *array)
{
    array->length = HEADER;
    array->count = 0;
    array->nulls = false;
}

bool postgres_array_fits(const struct postgres_array *array, const struct postgres_value *value)
{
    return (array->type == value->type || value->type == 0) &&
           array->room - array->length >= 4 + (size_t)value->length;
}

void postgres_array_add(struct postgres_array *array, const struct postgres_value *value)
{
    array->count++;
    if (value->type == 0) {
        put_four(array->at + array->length, UINT32_MAX);
        array->length += 4;
        array->nulls = true;
        return;
    }
    put_four(array->at + array->length, (uint32_t)value->length);
    memcpy(array->at + array->length + 4, value->own ? value->bytes : value->at,
           (size_t)value->length);
    array->length += 4 + (size_t)value->length;
}

int postgres_array_open(const PGresult *result, int row, int column,
                        struct postgres_column *ret_column)
{
    uint32_t header[HEADER / 4];
    *ret_column = (struct postgres_column){.type = OID_INT8};
    if (row >= PQntuples(result) || PQgetisnull(result, row, column) == 1 ||
        PQgetlength(result, row, column) < HEADER) {
        return 0;
    }
    const char *bytes = PQgetvalue(result, row, column);
    memcpy(header, bytes, sizeof(header));
    ret_column->type = be32toh(header[2]);
    ret_column->at = bytes + HEADER;
    ret_column->end = bytes + PQgetlength(result, row, column);
    return (int)be32toh(header[3]);
}

bool postgres_array_step(struct postgres_column *column)
{
    uint32_t length;
    column->at += column->length;
    if (column->end - column->at < 4) {
        return false;
    }
    memcpy(&length, column->at, 4);
    length = be32toh(length);
    column->at += 4;
    if (length > (uint64_t)(column->end - column->at)) { /* a NULL too */
        return false;
    }
    column->length = (int)length;
    return true;
}

struct postgres_value postgres_array_end(struct postgres_array *array)
{
    put_four(array->at, 1);
    put_four(array->at + 4, array->nulls);
    put_four(array->at + 8, array->type);
    put_four(array->at + 12, (uint32_t)array->count);
    put_four(array->at + 16, 1);
    return (struct postgres_value){
        .type = array_of(array->type), .at = array->at, .length = (int)array->length};
}

enum status postgres_bind_numbers(struct postgres_statement *statement, int at,
                                  const int64_t *values, size_t count, struct arena *arena)
{
    struct postgres_array array;
    struct postgres_value *value = &statement->values[at - 1];
    TRY(postgres_array_make(arena, OID_INT8, count * POSTGRES_ARRAY_NUMBER, &array));
    for (size_t i = 0; i < count; i++) {
        postgres_bind_number(statement, at, values[i]);
        postgres_array_add(&array, value);
    }
    *value = postgres_array_end(&array);
    return STATUS_OK;
}
