/* SPDX-License-Identifier: MIT */
/* store: sort keys: bytes whose order is the order wanted, with the place last so that no two are
 * equal. What a resource lacks comes last, whichever way the sort goes. */
#include "find_int.h"

#define SORT_TEXT 48 /* bytes of a text that count */

enum status sorts_check(struct search *search)
{
    const struct store_query *query = search->query;
    if (query->sort_count > 4) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "Sort by at most four parameters.");
    }
    for (size_t i = 0; i < query->sort_count; i++) {
        const struct search_parameter *parameter = query->sorts[i].parameter;
        if (parameter == NULL) {
            continue;
        }
        const struct parameter *known = store_parameter(search->store, query->type, parameter);
        if (known == NULL || !known->ready || parameter->kind == SEARCH_REFERENCE) {
            return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                                "This server cannot sort by %.*s.", SLICE_ARGS(parameter->code));
        }
    }
    return STATUS_OK;
}

static void add_eight(struct sort_key *key, uint64_t value, bool invert)
{
    value = invert ? ~value : value;
    for (int shift = 56; shift >= 0; shift -= 8) {
        key->bytes[key->length++] = (uint8_t)(value >> shift);
    }
}

static uint64_t order_signed(int64_t value)
{
    return (uint64_t)value ^ UINT64_C(0x8000000000000000);
}

static uint64_t order_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits >> 63 != 0 ? ~bits : bits | UINT64_C(0x8000000000000000);
}

static void add_text(struct sort_key *key, struct slice text, bool invert)
{
    uint8_t flip = invert ? 0xff : 0;
    for (size_t i = 0; i < SORT_TEXT; i++) {
        uint8_t byte = i < text.length ? (uint8_t)text.at[i] : 0;
        key->bytes[key->length++] = byte ^ flip;
    }
}

static enum status code_text(struct search *search, int64_t number, struct slice *ret_text)
{
    sqlite3_stmt *statement;
    TRY(statement_get(search->connection, SQL_CODE_TEXT, &statement));
    sqlite3_bind_int64(statement, 1, number);
    bool row = false;
    TRY(statement_row(search->connection, statement, &row));
    *ret_text = row ? arena_copy(search->scratch, statement_blob(statement, 0)) : SLICE("");
    sqlite3_reset(statement);
    return ret_text->at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status add_fact(struct search *search, struct sort_key *key, const struct fact *fact,
                            bool descending)
{
    struct slice text = fact->text;
    switch ((enum tree)fact->tree) {
    case TREE_DATE:
        add_eight(key, order_signed(descending ? fact->number + fact->other : fact->number),
                  descending);
        return STATUS_OK;
    case TREE_NUMBER:
    case TREE_QUANTITY:
        add_eight(key, order_double(fact->real), descending);
        return STATUS_OK;
    case TREE_TOKEN:
        TRY(code_text(search, fact->number, &text));
        break;
    case TREE_TEXT:
    case TREE_REFERENCE:
        break;
    }
    add_text(key, text, descending);
    return STATUS_OK;
}

/* Of several values the least counts, and the greatest when sorting downwards. */
static enum status add_parameter(struct search *search, const struct store_sort *sort,
                                 struct slice facts, struct sort_key *key)
{
    const struct parameter *known =
        store_parameter(search->store, search->query->type, sort->parameter);
    struct facts_cursor cursor;
    struct fact fact;
    struct sort_key best = {.length = 0};
    facts_open(facts, &cursor);
    while (known != NULL && facts_next(&cursor, &fact)) {
        if ((fact.parameter & ~1u) != known->number * 2) {
            continue;
        }
        struct sort_key one = {.length = 0};
        TRY(add_fact(search, &one, &fact, sort->descending));
        if (best.length == 0 ||
            slice_compare(slice_of((const char *)one.bytes, one.length),
                          slice_of((const char *)best.bytes, best.length)) < 0) {
            best = one;
        }
    }
    key->bytes[key->length++] = best.length == 0;
    memcpy(key->bytes + key->length, best.bytes, best.length);
    key->length += best.length;
    return STATUS_OK;
}

enum status sort_key_make(struct search *search, int64_t rid, int64_t updated, struct slice facts,
                          struct sort_key *ret_key)
{
    ret_key->length = 0;
    for (size_t i = 0; i < search->query->sort_count; i++) {
        const struct store_sort *sort = &search->query->sorts[i];
        if (sort->parameter == NULL) {
            add_eight(ret_key, order_signed(updated), sort->descending);
        } else {
            TRY(add_parameter(search, sort, facts, ret_key));
        }
    }
    add_eight(ret_key, (uint64_t)rid, false);
    return STATUS_OK;
}
