/* SPDX-License-Identifier: MIT */
/* store: the lanes of a walk (find_walk.c): runs of rows in the order of a sort's first key, from
 * where a page begins. */
#include "find_walk.h"

#include <math.h>

#define WALK_CODES  256                       /* distinct codes that are worth an order */
#define ABOVE_TEXTS SLICE("\xff\xff\xff\xff") /* no text has a byte of ones */

/* ---- where to begin -----------------------------------------------------------------------------
 */

static uint64_t key_number(const struct walk *walk, size_t at)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | walk->after->bytes[at + i];
    }
    return walk->column->descending ? ~value : value;
}

static int64_t first_signed(const struct walk *walk, size_t at)
{
    if (walk->after->length == 0) {
        return walk->column->descending ? INT64_MAX : INT64_MIN;
    }
    return (int64_t)(key_number(walk, at) ^ UINT64_C(0x8000000000000000));
}

static double first_double(const struct walk *walk)
{
    if (walk->after->length == 0) {
        return walk->column->descending ? INFINITY : -INFINITY;
    }
    uint64_t bits = key_number(walk, 1);
    bits = bits >> 63 != 0 ? bits & ~UINT64_C(0x8000000000000000) : ~bits;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The text in the key. Downwards it has the zeros that fill a key up, since a text may end with
 * some; and where the key has only its beginning, what is greater than any text. */
static enum status first_text(const struct walk *walk, size_t at, size_t bytes,
                              struct slice *ret_text)
{
    bool down = walk->column->descending, begins = walk->after->length > 0;
    struct buffer text = {.arena = walk->search->arena};
    size_t length = 0;
    for (size_t i = 0; begins && i < bytes; i++) {
        uint8_t byte = walk->after->bytes[at + i] ^ (down ? 0xff : 0);
        length = byte != 0 ? i + 1 : length;
    }
    bool cut = length == bytes;
    for (size_t i = 0; begins && i < (down ? bytes : length); i++) {
        buffer_add_byte(&text, (char)(walk->after->bytes[at + i] ^ (down ? 0xff : 0)));
    }
    buffer_add(&text, down && (cut || !begins) ? ABOVE_TEXTS : SLICE(""));
    *ret_text = text.length > 0 ? buffer_slice(&text) : SLICE("");
    return buffer_ok(&text) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* The UUIDs that begin as the text does: their first, or downwards their last. */
static void first_uuid(const struct walk *walk, struct slice text, uint8_t ret_bytes[static 16])
{
    bool down = walk->column->descending;
    size_t digits = 0;
    memset(ret_bytes, down ? 0xff : 0, 16);
    for (size_t i = 0; i < text.length && digits < 32 && walk->after->length > 0; i++) {
        char c = text.at[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash && c == '-') {
            continue;
        }
        int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (dash || value < 0) {
            break;
        }
        int shift = digits % 2 == 0 ? 4 : 0;
        uint8_t *byte = &ret_bytes[digits / 2];
        *byte = (uint8_t)((*byte & ~(0xf << shift)) | value << shift);
        digits++;
    }
}

/* Change numbers rise with time, so where a time begins is found by halving. */
enum status change_since(struct connection *connection, resource_type type, int64_t time,
                         int64_t *ret_change)
{
    int64_t low = 0, high = 0, rid = 0;
    TRY(change_last(connection, type, &high));
    for (high++; low < high;) {
        int64_t middle = low + (high - low) / 2, change = 0, when = 0;
        TRY(change_after(connection, type, middle, &change, &rid));
        if (change == 0) { /* nothing so late */
            high = middle;
            continue;
        }
        TRY(change_time(connection, change, rid, &when));
        low = when < time ? change + 1 : low;
        high = when < time ? high : middle;
    }
    *ret_change = low;
    return STATUS_OK;
}

static enum status first_change(const struct walk *walk, int64_t *ret_change)
{
    bool down = walk->column->descending;
    *ret_change = down ? INT64_MAX : 0;
    return walk->after->length == 0
               ? STATUS_OK
               : change_since(walk->search->connection, walk->search->query->type,
                              first_signed(walk, 0) + down, ret_change);
}

/* ---- lanes --------------------------------------------------------------------------------------
 */

static enum status lane_open(struct walk *walk, enum statement_number up,
                             enum statement_number down, struct lane **ret_lane)
{
    struct lane *lane = &walk->lanes[walk->lane_count];
    *lane = (struct lane){.number = walk->column->descending ? down : up, .rid = -1};
    TRY(statement_take(walk->search->connection, lane->number, &lane->statement));
    walk->lane_count++;
    *ret_lane = lane;
    return STATUS_OK;
}

static enum status open_dates(struct walk *walk)
{
    for (uint32_t span = 0; span < DATE_CLASSES; span++) {
        struct lane *lane;
        TRY(lane_open(walk, SQL_WALK_DATE_UP, SQL_WALK_DATE_DOWN, &lane));
        lane->tree = TREE_DATE;
        lane->parameter = date_class_parameter(walk->column->parameter, (enum date_class)span);
        statement_bind_number(&lane->statement, 1, lane->parameter);
        statement_bind_number(&lane->statement, 2, first_signed(walk, 1));
    }
    return STATUS_OK;
}

/* Where pairs have what some test asks for, only their rows with its codes. */
static enum status open_pairs(struct walk *walk, const struct pair *pair, int64_t code)
{
    struct search *search = walk->search;
    for (uint32_t span = 0; span < DATE_CLASSES; span++) {
        struct pair_key key = {.length = 0};
        struct lane *lane;
        TRY(lane_open(walk, SQL_WALK_TEXT_UP, SQL_WALK_TEXT_DOWN, &lane));
        lane->tree = TREE_DATE;
        pair_add_code(&key, code);
        size_t prefix = key.length;
        pair_add_date(&key, first_signed(walk, 1));
        struct slice from = arena_copy(search->arena, slice_of(key.bytes, key.length));
        if (from.at == NULL) {
            return STATUS_TOO_COSTLY;
        }
        lane->prefix = slice_head(from, prefix);
        lane->parameter = date_class_parameter(pair->known.number * 2, (enum date_class)span);
        statement_bind_number(&lane->statement, 1, lane->parameter);
        statement_bind_blob(&lane->statement, 2, from);
    }
    return STATUS_OK;
}

static enum status pair_of_column(struct search *search, const struct column *column,
                                  const struct pair **ret_pair, const int64_t **ret_codes,
                                  size_t *ret_count)
{
    *ret_pair = NULL;
    if (column->kind == COLUMN_FACTS && column->search_kind == SEARCH_DATE) {
        TRY(pair_of_search(search, column->parameter, ret_pair, ret_codes, ret_count));
    }
    *ret_pair = *ret_pair != NULL && *ret_count <= PAIR_LANES ? *ret_pair : NULL;
    return STATUS_OK;
}

enum status search_walks_pairs(struct search *search, bool *ret_walks)
{
    const struct pair *pair = NULL;
    const int64_t *codes;
    size_t count;
    TRY(pair_of_column(search, &search->columns[0], &pair, &codes, &count));
    *ret_walks = pair != NULL;
    return STATUS_OK;
}

static enum status open_days(struct walk *walk)
{
    const struct pair *pair = NULL;
    const int64_t *codes = NULL;
    size_t count = 0;
    TRY(pair_of_column(walk->search, walk->column, &pair, &codes, &count));
    for (size_t i = 0; pair != NULL && i < count; i++) {
        TRY(open_pairs(walk, pair, codes[i]));
    }
    return pair != NULL ? STATUS_OK : open_dates(walk);
}

static enum status open_numbers(struct walk *walk, bool quantity)
{
    struct lane *lane;
    TRY(lane_open(walk, quantity ? SQL_WALK_QUANTITY_UP : SQL_WALK_NUMBER_UP,
                  quantity ? SQL_WALK_QUANTITY_DOWN : SQL_WALK_NUMBER_DOWN, &lane));
    lane->tree = quantity ? TREE_QUANTITY : TREE_NUMBER;
    lane->parameter = walk->column->parameter;
    statement_bind_number(&lane->statement, 1, lane->parameter);
    statement_bind_real(&lane->statement, 2, first_double(walk));
    return STATUS_OK;
}

static enum status open_texts(struct walk *walk)
{
    struct lane *lane;
    struct slice from;
    TRY(first_text(walk, 1, SORT_TEXT, &from));
    TRY(lane_open(walk, SQL_WALK_TEXT_UP, SQL_WALK_TEXT_DOWN, &lane));
    lane->tree = TREE_TEXT;
    lane->parameter = walk->column->parameter;
    statement_bind_number(&lane->statement, 1, lane->parameter);
    statement_bind_blob(&lane->statement, 2, from);
    return STATUS_OK;
}

static enum status open_ids(struct walk *walk)
{
    struct slice text;
    TRY(first_text(walk, 0, SORT_ID, &text));
    for (int uuids = 0; uuids < 2; uuids++) {
        struct lane *lane;
        TRY(lane_open(walk, uuids ? SQL_WALK_UUID_UP : SQL_WALK_ID_UP,
                      uuids ? SQL_WALK_UUID_DOWN : SQL_WALK_ID_DOWN, &lane));
        lane->uuids = uuids == 1;
        struct packed_id *id = ARENA_NEW(walk->search->arena, struct packed_id);
        if (id == NULL) {
            return STATUS_TOO_COSTLY;
        }
        id->uuid = lane->uuids;
        statement_bind_number(&lane->statement, 1, walk->search->query->type);
        if (uuids) {
            first_uuid(walk, text, (uint8_t *)id->bytes);
            id->length = 16;
        } else {
            id->length = (uint8_t)(text.length < SORT_ID ? text.length : SORT_ID);
            memcpy(id->bytes, text.at, id->length);
        }
        statement_bind_id(&lane->statement, 2, id);
    }
    return STATUS_OK;
}

static enum status open_changes(struct walk *walk)
{
    struct lane *lane;
    int64_t change = 0;
    TRY(first_change(walk, &change));
    bool there = walk->search->connection->db == NULL;
    TRY(lane_open(walk, there ? SQL_SERVER_CURRENT_UP : SQL_WALK_CHANGE_UP,
                  there ? SQL_SERVER_CURRENT_DOWN : SQL_WALK_CHANGE_DOWN, &lane));
    statement_bind_number(&lane->statement, 1, walk->search->query->type);
    statement_bind_number(&lane->statement, 2, change);
    return STATUS_OK;
}

struct code {
    struct slice text;
    int64_t number;
};

/* As far as a key tells. */
static bool same_text(struct slice a, struct slice b)
{
    return slice_equals(slice_head(a, SORT_TEXT), slice_head(b, SORT_TEXT));
}

static int code_order(const void *a, const void *b)
{
    const struct code *x = a, *y = b;
    return slice_compare(x->text, y->text);
}

/* Those that the pages before have not passed. */
static enum status lane_of_codes(struct walk *walk, const struct code *codes, size_t count)
{
    struct arena *arena = walk->search->arena;
    bool down = walk->column->descending;
    struct lane *lane;
    TRY(lane_open(walk, SQL_TOKEN_RIDS, SQL_TOKEN_RIDS, &lane));
    lane->tree = TREE_TOKEN;
    lane->codes = arena_array(arena, count, sizeof(*lane->codes));
    lane->numbers = arena_array(arena, count, sizeof(*lane->numbers));
    if (lane->codes == NULL || lane->numbers == NULL) {
        return STATUS_TOO_COSTLY;
    }
    walk->exact = walk->search->column_count == 1;
    for (size_t i = 0; i < count; i++) {
        const struct code *code = &codes[down ? count - 1 - i : i];
        struct sort_key key = {.length = 0};
        sort_add_text(&key, code->text, down);
        walk->exact =
            walk->exact && (i == 0 || !same_text(code->text, codes[down ? count - i : i - 1].text));
        if (key_begins(walk->after, &key) || sort_key_compare(&key, walk->after) > 0) {
            lane->codes[lane->code_count] = code->text;
            lane->numbers[lane->code_count++] = code->number;
        }
    }
    lane->coded = true;
    return STATUS_OK;
}

/* The codes that the parameter has at all, in the order of their texts. *RET_FITS false: many. */
static enum status open_codes(struct walk *walk, bool *ret_fits)
{
    struct search *search = walk->search;
    struct code *codes = arena_array(search->arena, WALK_CODES, sizeof(*codes));
    size_t count = 0;
    struct statement *statement;
    bool row = true;
    int64_t number = INT64_MIN;
    if (codes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    while (row && count < WALK_CODES) {
        TRY(statement_get(search->connection, SQL_TOKEN_NEXT, &statement));
        statement_bind_number(statement, 1, walk->column->parameter);
        statement_bind_number(statement, 2, number);
        TRY(statement_row(search->connection, statement, &row));
        if (row) {
            number = statement_number(statement, 0);
            statement_reset(statement);
            codes[count].number = number;
            TRY(sort_code_text(search, number, search->arena, &codes[count].text));
            count++;
        }
    }
    *ret_fits = !row;
    if (row || count == 0) {
        return STATUS_OK;
    }
    qsort(codes, count, sizeof(*codes), code_order);
    return lane_of_codes(walk, codes, count);
}

enum status walk_open(struct walk *walk, bool *ret_fits)
{
    *ret_fits = true;
    switch (walk->column->kind) {
    case COLUMN_UPDATED:
        return open_changes(walk);
    case COLUMN_ID:
        return open_ids(walk);
    case COLUMN_LACKING:
        *ret_fits = false;
        return STATUS_OK;
    case COLUMN_FACTS:
        break;
    }
    switch (walk->column->search_kind) {
    case SEARCH_DATE:
        return open_days(walk);
    case SEARCH_NUMBER:
    case SEARCH_QUANTITY:
        return open_numbers(walk, walk->column->search_kind == SEARCH_QUANTITY);
    case SEARCH_STRING:
    case SEARCH_URI:
        return open_texts(walk);
    case SEARCH_TOKEN:
        TRY(open_codes(walk, ret_fits));
        return *ret_fits ? open_texts(walk) : STATUS_OK;
    default:
        *ret_fits = false;
        return STATUS_OK;
    }
}

/* ---- many of one value --------------------------------------------------------------------------
 * A lane that falls comes to the first by place last, and one of dates to the narrow ones first. A
 * run has all of a key but the place, so that its rows need no sorting. */

/* Of each tree that has values of a resource in an order. */
struct run_statements {
    enum statement_number all;        /* of a value, with whatever lies between it and the place */
    bool parts;                       /* does something? */
    enum statement_number next, part; /* the next such; the rows of one */
};

static struct run_statements statements_of(const struct lane *lane)
{
    switch (lane->prefix.length > 0 ? TREE_TEXT : lane->tree) {
    case TREE_DATE:
        return (struct run_statements){SQL_RUN_DATE, true, SQL_NEXT_WIDTH, SQL_RUN_WIDTH};
    case TREE_QUANTITY:
        return (struct run_statements){SQL_RUN_QUANTITY, true, SQL_NEXT_UNIT, SQL_RUN_UNIT};
    case TREE_NUMBER:
        return (struct run_statements){.all = SQL_RUN_NUMBER};
    default:
        return (struct run_statements){.all = SQL_RUN_TEXT};
    }
}

bool lane_has_runs(const struct lane *lane)
{
    bool pair = lane->prefix.length > 0;
    bool text = lane->tree == TREE_TEXT &&
                statement_blob(&lane->statement, 1).length < SORT_TEXT; /* a key has all of it */
    return pair || text || lane->tree == TREE_DATE || lane->tree == TREE_NUMBER ||
           lane->tree == TREE_QUANTITY;
}

/* The value that LANE stands on, as the second parameter of another statement. */
static enum status bind_value(struct walk *walk, const struct lane *lane,
                              struct statement *statement)
{
    statement_bind_number(statement, 1, lane->parameter);
    if (lane->tree == TREE_TEXT || lane->prefix.length > 0) {
        struct slice value = arena_copy(walk->search->arena, statement_blob(&lane->statement, 1));
        statement_bind_blob(statement, 2, value);
        return value.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    if (lane->tree == TREE_DATE) {
        statement_bind_number(statement, 2, statement_number(&lane->statement, 1));
    } else {
        statement_bind_real(statement, 2, statement_real(&lane->statement, 1));
    }
    return STATUS_OK;
}

/* *RET_COUNT RUNS_MOST + 1: more than are worth it. */
static enum status parts_of(struct walk *walk, const struct lane *lane,
                            enum statement_number number, int64_t ret_parts[static RUNS_MOST + 1],
                            size_t *ret_count)
{
    int64_t last = INT64_MIN;
    bool row = true;
    for (*ret_count = 0; row && *ret_count <= RUNS_MOST;) {
        struct statement *statement;
        TRY(statement_get(walk->search->connection, number, &statement));
        TRY(bind_value(walk, lane, statement));
        statement_bind_number(statement, 3, last);
        TRY(statement_row(walk->search->connection, statement, &row));
        if (row) {
            last = statement_number(statement, 0);
            ret_parts[(*ret_count)++] = last;
            statement_reset(statement);
        }
    }
    return STATUS_OK;
}

static enum status run_open(struct walk *walk, const struct lane *lane,
                            enum statement_number number, int64_t from, const int64_t *part)
{
    struct lane *run;
    TRY(lane_open(walk, number, number, &run));
    run->tree = lane->tree;
    run->prefix = lane->prefix;
    run->run = true;
    TRY(bind_value(walk, lane, &run->statement));
    statement_bind_number(&run->statement, 3, from);
    if (part != NULL) {
        statement_bind_number(&run->statement, 4, *part);
    }
    return STATUS_OK;
}

enum status runs_open(struct walk *walk, const struct lane *lane, int64_t from)
{
    struct run_statements statements = statements_of(lane);
    int64_t parts[RUNS_MOST + 1];
    size_t count = RUNS_MOST + 1;
    if (statements.parts) {
        TRY(parts_of(walk, lane, statements.next, parts, &count));
    }
    if (count > RUNS_MOST) {
        return run_open(walk, lane, statements.all, from, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(run_open(walk, lane, statements.part, from, &parts[i]));
    }
    return STATUS_OK;
}

/* Less than VALUE, and no value of the tree is between (a value of pairs is at most three bytes
 * longer than another); upwards the least that is more. */
static enum status text_beside(struct walk *walk, struct slice value, struct slice *ret_text)
{
    struct buffer text = {.arena = walk->search->arena};
    bool down = walk->column->descending;
    uint8_t last = value.length > 0 ? (uint8_t)value.at[value.length - 1] : 0;
    buffer_add(&text, slice_head(value, value.length - (down && value.length > 0)));
    if (!down) {
        buffer_add_byte(&text, 0);
    } else if (last > 0) {
        buffer_add_byte(&text, (char)(last - 1));
        buffer_add(&text, ABOVE_TEXTS);
    }
    *ret_text = text.length > 0 ? buffer_slice(&text) : SLICE("");
    return buffer_ok(&text) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status lane_pass(struct walk *walk, struct lane *lane)
{
    bool down = walk->column->descending;
    struct statement *statement = &lane->statement;
    if (lane->tree == TREE_TEXT || lane->prefix.length > 0) {
        struct slice from;
        TRY(text_beside(walk, statement_blob(statement, 1), &from));
        statement_reset(statement);
        statement_bind_blob(statement, 2, from);
    } else if (lane->tree == TREE_DATE) {
        int64_t low = statement_number(statement, 1);
        statement_reset(statement);
        bool last = low == (down ? INT64_MIN : INT64_MAX); /* come to again, which is no harm */
        statement_bind_number(statement, 2, last ? low : low + (down ? -1 : 1));
    } else {
        double value = statement_real(statement, 1);
        statement_reset(statement);
        statement_bind_real(statement, 2, nextafter(value, down ? -INFINITY : INFINITY));
    }
    statement_bind_number(statement, 1, lane->parameter);
    return STATUS_OK;
}
