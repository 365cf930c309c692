/* SPDX-License-Identifier: MIT */
/* store: sort keys: bytes whose order is the order wanted, with the place last so that no two are
 * equal. What a resource lacks comes last, whichever way the sort goes. */
#include "find_int.h"

static enum status refuse(struct search *search, const struct search_parameter *parameter)
{
    return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                        "This server cannot sort by %.*s.", SLICE_ARGS(parameter->code));
}

static enum status column_make(struct search *search, const struct store_sort *sort,
                               struct column *column)
{
    *column = (struct column){.kind = COLUMN_UPDATED, .descending = sort->descending};
    if (sort->parameter == NULL || slice_is(sort->parameter->code, "_lastUpdated")) {
        return STATUS_OK;
    }
    if (slice_is(sort->parameter->code, "_id")) {
        column->kind = COLUMN_ID;
        return STATUS_OK;
    }
    const struct search_parameter *parameter = search_parameter_find(
        search->store->definitions, search->query->type, sort->parameter->code);
    if (parameter == NULL) {
        column->kind = COLUMN_LACKING;
        return STATUS_OK;
    }
    const struct parameter *known = store_parameter(search->store, search->query->type, parameter);
    bool learning = store_learning(search->store);
    if ((known == NULL && !learning) || parameter->kind == SEARCH_REFERENCE) {
        return refuse(search, parameter);
    }
    if (known == NULL || !parameter_is_ready(known, search->connection)) {
        return search_not_ready(search, parameter);
    }
    column->kind = COLUMN_FACTS;
    column->parameter = known->number * 2;
    column->search_kind = parameter->kind;
    return STATUS_OK;
}

enum status sorts_prepare(struct search *search)
{
    const struct store_query *query = search->query;
    size_t count = search->depth == 0 ? query->sort_count : 0;
    if (count > STORE_SORTS_MOST) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "Sort by at most %d parameters.", STORE_SORTS_MOST);
    }
    search->columns = arena_array(search->arena, count + 1, sizeof(*search->columns));
    if (search->columns == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(column_make(search, &query->sorts[i], &search->columns[i]));
        search->column_count++;
        if (search->columns[i].kind == COLUMN_ID) {
            break; /* no two are equal, so nothing after it matters */
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
    value += 0.0; /* no zero below zero: the trees of both engines know one */
    memcpy(&bits, &value, sizeof(bits));
    return bits >> 63 != 0 ? ~bits : bits | UINT64_C(0x8000000000000000);
}

static void add_text(struct sort_key *key, struct slice text, size_t bytes, bool invert)
{
    uint8_t flip = invert ? 0xff : 0;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = i < text.length ? (uint8_t)text.at[i] : 0;
        key->bytes[key->length++] = byte ^ flip;
    }
}

enum status sort_code_text(struct search *search, int64_t number, struct arena *arena,
                           struct slice *ret_text)
{
    struct statement *statement;
    TRY(statement_get(search->connection, SQL_CODE_TEXT, &statement));
    statement_bind_number(statement, 1, number);
    bool row = false;
    TRY(statement_row(search->connection, statement, &row));
    *ret_text = row ? arena_copy(arena, statement_blob(statement, 0)) : SLICE("");
    statement_reset(statement);
    return ret_text->at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

void sort_add_updated(struct sort_key *key, int64_t updated, bool descending)
{
    add_eight(key, order_signed(updated), descending);
}

void sort_add_place(struct sort_key *key, int64_t rid)
{
    add_eight(key, (uint64_t)rid, false);
}

void sort_add_id(struct sort_key *key, struct slice id, bool descending)
{
    add_text(key, id, SORT_ID, descending);
}

void sort_add_text(struct sort_key *key, struct slice text, bool descending)
{
    key->bytes[key->length++] = 0; /* it has a value */
    add_text(key, text, SORT_TEXT, descending);
}

enum status sort_add_fact(struct search *search, struct sort_key *key, const struct fact *fact,
                          bool descending)
{
    struct slice text = fact->text;
    key->bytes[key->length++] = 0; /* it has a value */
    switch ((enum tree)fact->tree) {
    case TREE_DATE:
        /* By where it begins, whichever way: so the tree of dates has the same order. */
        add_eight(key, order_signed(fact->number), descending);
        return STATUS_OK;
    case TREE_NUMBER:
    case TREE_QUANTITY:
        add_eight(key, order_double(fact->real), descending);
        return STATUS_OK;
    case TREE_TOKEN:
        TRY(sort_code_text(search, fact->number, search->scratch, &text));
        break;
    case TREE_TEXT:
    case TREE_REFERENCE:
        break;
    }
    add_text(key, text, SORT_TEXT, descending);
    return STATUS_OK;
}

/* Beside the values stand facts that only searches use: systems of identifiers, what is there but
 * says nothing, quantities in canonical units. */
static bool is_sorted_by(const struct column *column, const struct fact *fact)
{
    bool apart = (fact->parameter & 1) != 0;
    bool aside = (fact->tree == TREE_TOKEN && (apart || fact->number == CODE_PRESENT)) ||
                 (fact->tree == TREE_QUANTITY && apart);
    return (fact->parameter & ~1u) == column->parameter && !aside;
}

/* Of several values the least counts, and the greatest when sorting downwards. */
static enum status add_facts(const struct candidate *candidate, const struct column *column,
                             struct sort_key *key)
{
    struct facts_cursor cursor;
    struct fact fact;
    struct sort_key best = {.length = 0};
    facts_open(candidate->facts, &cursor);
    while (column->kind == COLUMN_FACTS && facts_next(&cursor, &fact)) {
        if (!is_sorted_by(column, &fact)) {
            continue;
        }
        struct sort_key one = {.length = 0};
        TRY(sort_add_fact(candidate->search, &one, &fact, column->descending));
        if (best.length == 0 ||
            slice_compare(slice_of((const char *)one.bytes, one.length),
                          slice_of((const char *)best.bytes, best.length)) < 0) {
            best = one;
        }
    }
    if (best.length == 0) {
        best.bytes[best.length++] = 1; /* after all that have one */
    }
    memcpy(key->bytes + key->length, best.bytes, best.length);
    key->length += best.length;
    return STATUS_OK;
}

enum status sort_key_make(const struct candidate *candidate, struct sort_key *ret_key)
{
    ret_key->length = 0;
    for (size_t i = 0; i < candidate->search->column_count; i++) {
        const struct column *column = &candidate->search->columns[i];
        switch (column->kind) {
        case COLUMN_UPDATED:
            sort_add_updated(ret_key, candidate->updated, column->descending);
            break;
        case COLUMN_ID:
            sort_add_id(ret_key, candidate->id, column->descending);
            break;
        case COLUMN_FACTS:
        case COLUMN_LACKING:
            TRY(add_facts(candidate, column, ret_key));
            break;
        }
    }
    sort_add_place(ret_key, candidate->rid);
    return STATUS_OK;
}

/* ---- the first of many --------------------------------------------------------------------------
 */

int sort_key_compare(const struct sort_key *a, const struct sort_key *b)
{
    return slice_compare(slice_of((const char *)a->bytes, a->length),
                         slice_of((const char *)b->bytes, b->length));
}

enum status ranking_make(struct arena *arena, size_t most, struct ranking *ret_ranking)
{
    *ret_ranking =
        (struct ranking){.most = most, .items = arena_array(arena, most, sizeof(struct ranked))};
    return ret_ranking->items != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

void ranking_add(struct ranking *ranking, const struct ranked *item)
{
    size_t low = 0, high = ranking->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sort_key_compare(&ranking->items[middle].key, &item->key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool again = low < ranking->count && ranking->items[low].rid == item->rid;
    if (low >= ranking->most || again) {
        return;
    }
    size_t kept = ranking->count < ranking->most ? ranking->count : ranking->most - 1;
    memmove(&ranking->items[low + 1], &ranking->items[low], (kept - low) * sizeof(*ranking->items));
    ranking->items[low] = *item;
    ranking->count = kept + 1;
}
