/* SPDX-License-Identifier: MIT */
/* store: index values packed into one blob a resource, and as rows of the value-first trees.
 *
 * A blob is the resource's values in order, each: varint (difference of parameter numbers << 3 |
 * tree), then by tree a varint code, a zigzag target, length and bytes, eight bytes of low end and
 * a varint width, eight bytes of double, or those and a varint unit. */
#include "store_int.h"

void facts_add(struct facts *facts, const struct fact *fact)
{
    if (facts->count == facts->capacity) {
        size_t capacity = facts->capacity == 0 ? 32 : facts->capacity * 2;
        struct fact *items =
            arena_resize(facts->arena, facts->items, facts->capacity * sizeof(*items),
                         capacity * sizeof(*items));
        if (items == NULL) {
            facts->broken = true;
            return;
        }
        facts->items = items;
        facts->capacity = capacity;
    }
    facts->items[facts->count++] = *fact;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int fact_compare(const struct fact *a, const struct fact *b)
{
    int order = compare_numbers(a->parameter, b->parameter);
    if (order == 0) {
        order = compare_numbers(a->tree, b->tree);
    }
    if (order != 0) {
        return order;
    }
    switch ((enum tree)a->tree) {
    case TREE_TEXT:
        return slice_compare(a->text, b->text);
    case TREE_NUMBER:
    case TREE_QUANTITY:
        if (a->real != b->real) {
            return a->real < b->real ? -1 : 1;
        }
        return compare_numbers(a->other, b->other);
    default:
        order = compare_numbers(a->number, b->number);
        return order != 0 ? order : compare_numbers(a->other, b->other);
    }
}

static int fact_order(const void *a, const void *b)
{
    return fact_compare(a, b);
}

void facts_sort(struct facts *facts)
{
    if (facts->count == 0) {
        return;
    }
    qsort(facts->items, facts->count, sizeof(*facts->items), fact_order);
    size_t kept = 1;
    for (size_t i = 1; i < facts->count; i++) {
        if (fact_compare(&facts->items[kept - 1], &facts->items[i]) != 0) {
            facts->items[kept++] = facts->items[i];
        }
    }
    facts->count = kept;
}

static void write_eight(struct buffer *out, const void *bytes)
{
    buffer_add(out, slice_of(bytes, 8));
}

void facts_write(const struct facts *facts, struct buffer *out)
{
    uint32_t parameter = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        varint_write(out, (uint64_t)(fact->parameter - parameter) << 3 | fact->tree);
        parameter = fact->parameter;
        switch ((enum tree)fact->tree) {
        case TREE_TOKEN:
            varint_write(out, (uint64_t)fact->number);
            break;
        case TREE_REFERENCE:
            varint_write(out, zigzag(fact->number));
            break;
        case TREE_TEXT:
            varint_write(out, fact->text.length);
            buffer_add(out, fact->text);
            break;
        case TREE_DATE:
            write_eight(out, &fact->number);
            varint_write(out, (uint64_t)fact->other);
            break;
        case TREE_NUMBER:
            write_eight(out, &fact->real);
            break;
        case TREE_QUANTITY:
            write_eight(out, &fact->real);
            varint_write(out, (uint64_t)fact->other);
            break;
        }
    }
    if (facts->broken) {
        out->broken = true;
    }
}

void facts_open(struct slice blob, struct facts_cursor *ret_cursor)
{
    const uint8_t *at = (const uint8_t *)blob.at;
    *ret_cursor = (struct facts_cursor){.at = at, .end = blob.length > 0 ? at + blob.length : at};
}

static bool read_eight(struct facts_cursor *cursor, void *ret_bytes)
{
    if (cursor->end - cursor->at < 8) {
        return false;
    }
    memcpy(ret_bytes, cursor->at, 8);
    cursor->at += 8;
    return true;
}

static bool read_value(struct facts_cursor *cursor, struct fact *fact)
{
    uint64_t value = 0;
    switch ((enum tree)fact->tree) {
    case TREE_TOKEN:
    case TREE_REFERENCE:
        if (!varint_read(&cursor->at, cursor->end, &value)) {
            return false;
        }
        fact->number = fact->tree == TREE_TOKEN ? (int64_t)value : unzigzag(value);
        return true;
    case TREE_TEXT:
        if (!varint_read(&cursor->at, cursor->end, &value) ||
            value > (uint64_t)(cursor->end - cursor->at)) {
            return false;
        }
        fact->text = slice_of((const char *)cursor->at, (size_t)value);
        cursor->at += value;
        return true;
    case TREE_DATE:
        if (!read_eight(cursor, &fact->number) || !varint_read(&cursor->at, cursor->end, &value)) {
            return false;
        }
        fact->other = (int64_t)value;
        return true;
    case TREE_NUMBER:
        return read_eight(cursor, &fact->real);
    case TREE_QUANTITY:
        if (!read_eight(cursor, &fact->real) || !varint_read(&cursor->at, cursor->end, &value)) {
            return false;
        }
        fact->other = (int64_t)value;
        return true;
    }
    return false;
}

bool facts_next(struct facts_cursor *cursor, struct fact *ret_fact)
{
    if (cursor->at >= cursor->end || cursor->broken) {
        return false;
    }
    uint64_t head = 0;
    *ret_fact = (struct fact){0};
    cursor->broken = !varint_read(&cursor->at, cursor->end, &head);
    if (!cursor->broken) {
        cursor->parameter += (uint32_t)(head >> 3);
        ret_fact->parameter = cursor->parameter;
        ret_fact->tree = head & 7;
        cursor->broken = !read_value(cursor, ret_fact);
    }
    return !cursor->broken;
}

enum status facts_read(struct slice blob, struct facts *ret_facts)
{
    struct facts_cursor cursor;
    struct fact fact;
    facts_open(blob, &cursor);
    while (facts_next(&cursor, &fact)) {
        facts_add(ret_facts, &fact);
    }
    if (cursor.broken) {
        return STATUS_CORRUPT;
    }
    return ret_facts->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static void fact_bind(struct statement *statement, const struct fact *fact, int64_t rid)
{
    uint32_t parameter = fact->tree == TREE_DATE ? date_class_parameter(fact->parameter & ~1u,
                                                                        date_class_of(fact->other))
                                                 : fact->parameter;
    statement_bind_number(statement, 1, parameter);
    statement_bind_number(statement, 3, rid);
    switch ((enum tree)fact->tree) {
    case TREE_TOKEN:
    case TREE_REFERENCE:
        statement_bind_number(statement, 2, fact->number);
        break;
    case TREE_TEXT:
        statement_bind_blob(statement, 2, fact->text);
        break;
    case TREE_DATE:
        statement_bind_number(statement, 2, fact->number);
        statement_bind_number(statement, 4, fact->other);
        break;
    case TREE_NUMBER:
        statement_bind_real(statement, 2, fact->real);
        break;
    case TREE_QUANTITY:
        statement_bind_real(statement, 2, fact->real);
        statement_bind_number(statement, 4, fact->other);
        break;
    }
}

static enum status fact_run(struct connection *connection, enum statement_number number,
                            const struct fact *fact, int64_t rid)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    fact_bind(statement, fact, rid);
    return statement_run(connection, statement);
}

enum status fact_has(struct connection *connection, const struct fact *fact, int64_t rid,
                     bool *ret_has)
{
    static const enum statement_number numbers[TREE_COUNT] = {
        [TREE_TOKEN] = SQL_TOKEN_HAS,   [TREE_REFERENCE] = SQL_REFERENCE_HAS,
        [TREE_TEXT] = SQL_TEXT_HAS,     [TREE_DATE] = SQL_DATE_HAS,
        [TREE_NUMBER] = SQL_NUMBER_HAS, [TREE_QUANTITY] = SQL_QUANTITY_HAS};
    struct statement *statement;
    TRY(statement_get(connection, numbers[fact->tree], &statement));
    fact_bind(statement, fact, rid);
    TRY(statement_row(connection, statement, ret_has));
    statement_reset(statement);
    return STATUS_OK;
}

enum status fact_insert(struct connection *connection, const struct fact *fact, int64_t rid)
{
    static const enum statement_number numbers[TREE_COUNT] = {
        [TREE_TOKEN] = SQL_TOKEN_ADD,   [TREE_REFERENCE] = SQL_REFERENCE_ADD,
        [TREE_TEXT] = SQL_TEXT_ADD,     [TREE_DATE] = SQL_DATE_ADD,
        [TREE_NUMBER] = SQL_NUMBER_ADD, [TREE_QUANTITY] = SQL_QUANTITY_ADD};
    TRY(stray_note(connection, fact, rid));
    return fact_run(connection, numbers[fact->tree], fact, rid);
}

enum status fact_delete(struct connection *connection, const struct fact *fact, int64_t rid)
{
    static const enum statement_number numbers[TREE_COUNT] = {
        [TREE_TOKEN] = SQL_TOKEN_REMOVE,   [TREE_REFERENCE] = SQL_REFERENCE_REMOVE,
        [TREE_TEXT] = SQL_TEXT_REMOVE,     [TREE_DATE] = SQL_DATE_REMOVE,
        [TREE_NUMBER] = SQL_NUMBER_REMOVE, [TREE_QUANTITY] = SQL_QUANTITY_REMOVE};
    return fact_run(connection, numbers[fact->tree], fact, rid);
}

/* ---- keys of texts ------------------------------------------------------------------------------
 */

void text_key_value(struct slice value, struct buffer *out)
{
    uint8_t bytes[16];
    if (uuid_pack(value, bytes)) {
        buffer_add_byte(out, 1);
        buffer_add(out, slice_of((const char *)bytes, 16));
        return;
    }
    if (value.length > 0 && (uint8_t)value.at[0] <= 2) {
        buffer_add_byte(out, 2);
    }
    buffer_add(out, slice_head(value, TEXT_KEY_LIMIT));
    /* No FHIR string has a NUL, so no value's key begins another's. */
    buffer_add_byte(out, 0);
}

void text_key_write(struct slice value, int64_t system, struct buffer *out)
{
    text_key_value(value, out);
    varint_write(out, (uint64_t)system);
}
