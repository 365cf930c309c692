/* SPDX-License-Identifier: MIT */
/* store: the first matches of a sorted search by walking the tree of its first sort key in order,
 * where ranking all of a great many matches would take too long. Every value of a resource has a
 * row in the tree; the resource counts where its own sort key says, so it is taken once, and the
 * page is the same as that of ranking. */
#include "find_int.h"

#define WALK_LANES      (PAIR_LANES * DATE_CLASSES)
#define PAIR_LANES      8     /* codes whose pairs are worth walking at once */
#define WALK_CODES      256   /* distinct codes that are worth an order */
#define STEPS_OF_A_LOOK 4     /* asking a stream is so much cheaper than looking at a row */
#define STEPS_FIRST     64    /* rows asked about at once, on a server */
#define WALK_LOOKS      20000 /* looks after which ranking is thought cheaper after all */

/* One ordered run of rows. */
struct lane {
    enum statement_number number;
    struct statement statement; /* none: it is not open */
    enum tree tree;
    bool uuids;          /* of ids: the packed ones */
    struct slice *codes; /* of tokens: their texts in order, and their numbers */
    int64_t *numbers;
    size_t code_count, code_at;
    bool coded;
    struct slice prefix; /* of pairs: what the code comes to; the lane ends with it */
    struct sort_key key; /* of the row it stands on: the first column alone */
    int64_t rid;         /* STREAM_END: at its end */
};

struct walk {
    struct search *search;
    const struct column *column;
    const struct sort_key *after; /* where to begin; length 0: at the beginning */
    struct lane lanes[WALK_LANES];
    size_t lane_count;
    uint64_t passed; /* rows that no stream has */
    bool exact;      /* rows of codes come in the order of whole keys: one column, no text twice */
};

static bool key_begins(const struct sort_key *key, const struct sort_key *part)
{
    return key->length >= part->length && memcmp(key->bytes, part->bytes, part->length) == 0;
}

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
        return walk->column->descending ? 1.7e308 : -1.7e308;
    }
    uint64_t bits = key_number(walk, 1);
    bits = bits >> 63 != 0 ? bits & ~UINT64_C(0x8000000000000000) : ~bits;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The text in the key, cut as it is there. Downwards: followed by what is greater than any text. */
static struct slice first_text(const struct walk *walk, size_t at, size_t bytes)
{
    bool down = walk->column->descending;
    struct buffer text = {.arena = walk->search->arena};
    size_t length = 0;
    for (size_t i = 0; walk->after->length > 0 && i < bytes; i++) {
        uint8_t byte = walk->after->bytes[at + i] ^ (down ? 0xff : 0);
        length = byte != 0 ? i + 1 : length;
    }
    for (size_t i = 0; i < length; i++) {
        buffer_add_byte(&text, (char)(walk->after->bytes[at + i] ^ (down ? 0xff : 0)));
    }
    for (int i = 0; down && i < 4; i++) {
        buffer_add_byte(&text, (char)0xff);
    }
    return text.length > 0 ? buffer_slice(&text) : SLICE("");
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
    lane->number = walk->column->descending ? down : up;
    lane->rid = -1;
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
        statement_bind_number(&lane->statement, 1,
                              date_class_parameter(walk->column->parameter, (enum date_class)span));
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
        statement_bind_number(&lane->statement, 1,
                              date_class_parameter(pair->known.number * 2, (enum date_class)span));
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
    statement_bind_number(&lane->statement, 1, walk->column->parameter);
    statement_bind_real(&lane->statement, 2, first_double(walk));
    return STATUS_OK;
}

static enum status open_texts(struct walk *walk)
{
    struct lane *lane;
    TRY(lane_open(walk, SQL_WALK_TEXT_UP, SQL_WALK_TEXT_DOWN, &lane));
    lane->tree = TREE_TEXT;
    statement_bind_number(&lane->statement, 1, walk->column->parameter);
    statement_bind_blob(&lane->statement, 2, first_text(walk, 1, SORT_TEXT));
    return STATUS_OK;
}

static enum status open_ids(struct walk *walk)
{
    struct slice text = first_text(walk, 0, SORT_ID);
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

static enum status walk_open(struct walk *walk, bool *ret_fits)
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

/* ---- steps --------------------------------------------------------------------------------------
 */

/* The place at the end of a key. */
static uint64_t last_eight(const struct sort_key *key)
{
    uint64_t value = 0;
    for (size_t i = key->length - 8; i < key->length; i++) {
        value = value << 8 | key->bytes[i];
    }
    return value;
}

/* The next run of one code, when the one before has ended. */
static bool next_code(struct walk *walk, struct lane *lane)
{
    if (lane->code_at >= lane->code_count) {
        return false;
    }
    statement_reset(&lane->statement);
    statement_bind_number(&lane->statement, 1, walk->column->parameter);
    statement_bind_number(&lane->statement, 2, lane->numbers[lane->code_at]);
    struct sort_key key = {.length = 0};
    sort_add_text(&key, lane->codes[lane->code_at++], walk->column->descending);
    int64_t from = INT64_MIN;
    if (walk->exact && key_begins(walk->after, &key)) {
        from = (int64_t)last_eight(walk->after) + 1;
    }
    statement_bind_number(&lane->statement, 3, from);
    return true;
}

static void fact_of_row(const struct lane *lane, struct fact *ret_fact)
{
    *ret_fact = (struct fact){.tree = (uint8_t)lane->tree};
    if (lane->prefix.length > 0) {
        ret_fact->number =
            pair_read_date(slice_from(statement_blob(&lane->statement, 1), lane->prefix.length));
        return;
    }
    switch (lane->tree) {
    case TREE_NUMBER:
    case TREE_QUANTITY:
        ret_fact->real = statement_real(&lane->statement, 1);
        break;
    case TREE_TEXT:
        ret_fact->text = statement_blob(&lane->statement, 1);
        break;
    default:
        ret_fact->number = statement_number(&lane->statement, 1);
        break;
    }
}

/* The first column's part of the key of the row. *RET_CURRENT false: a version of the past. */
static enum status lane_key(struct walk *walk, struct lane *lane, bool *ret_current)
{
    bool down = walk->column->descending;
    *ret_current = true;
    lane->key.length = 0;
    if (walk->column->kind == COLUMN_ID) {
        struct slice id = statement_id(&lane->statement, 1, walk->search->scratch);
        sort_add_id(&lane->key, id, down);
        return id.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    if (walk->column->kind == COLUMN_UPDATED) {
        int64_t updated = statement_number(&lane->statement, 2);
        if (walk->search->connection->db != NULL) {
            TRY(place_time(walk->search->connection, lane->rid,
                           statement_number(&lane->statement, 1), &updated, ret_current));
        } /* there only those that are come */
        sort_add_updated(&lane->key, updated, down);
        return STATUS_OK;
    }
    if (lane->coded) {
        sort_add_text(&lane->key, lane->codes[lane->code_at - 1], down);
        if (walk->exact) {
            sort_add_place(&lane->key, lane->rid);
        }
        return STATUS_OK;
    }
    struct fact fact;
    fact_of_row(lane, &fact);
    return sort_add_fact(walk->search, &lane->key, &fact, down);
}

static enum status lane_step(struct walk *walk, struct lane *lane)
{
    for (;;) {
        bool row = false, current = false;
        bool started = !lane->coded || lane->code_at > 0 || next_code(walk, lane);
        if (started) {
            TRY(statement_row(walk->search->connection, &lane->statement, &row));
        }
        if (!row && next_code(walk, lane)) {
            continue;
        }
        row = row && (lane->prefix.length == 0 ||
                      slice_starts(statement_blob(&lane->statement, 1), lane->prefix));
        if (!row) {
            lane->rid = STREAM_END;
            return STATUS_OK;
        }
        lane->rid = statement_number(&lane->statement, 0);
        TRY(lane_key(walk, lane, &current));
        if (current) {
            return STATUS_OK;
        }
        TRY(search_look(walk->search));
    }
}

/* The lane whose row comes first; NULL: all have ended. */
static struct lane *first_lane(struct walk *walk)
{
    struct lane *first = NULL;
    for (size_t i = 0; i < walk->lane_count; i++) {
        struct lane *lane = &walk->lanes[i];
        if (lane->rid != STREAM_END &&
            (first == NULL || sort_key_compare(&lane->key, &first->key) < 0)) {
            first = lane;
        }
    }
    return first;
}

/* HAS: as far as streams can tell it may be a match. */
static enum status take_step(struct walk *walk, int64_t rid, const struct sort_key *key, bool has,
                             struct ranking *ranking)
{
    struct candidate candidate;
    struct ranked item = {.rid = rid};
    bool match = false;
    if (!has) {
        return ++walk->passed % STEPS_OF_A_LOOK == 0 ? search_look(walk->search) : STATUS_OK;
    }
    TRY(search_matches(walk->search, rid, &candidate, &match));
    if (!match) {
        return STATUS_OK;
    }
    TRY(sort_key_make(&candidate, &item.key));
    if (key_begins(&item.key, key) && sort_key_compare(&item.key, walk->after) > 0) {
        ranking_add(ranking, &item);
    }
    return STATUS_OK;
}

/* Is the page full, and can nothing from KEY on be before its last? */
static bool is_behind(const struct ranking *ranking, const struct sort_key *key)
{
    const struct sort_key *last =
        ranking->count == ranking->most ? &ranking->items[ranking->most - 1].key : NULL;
    return last != NULL && !key_begins(last, key) && sort_key_compare(key, last) > 0;
}

/* A row that some lane stood on. */
struct step {
    struct sort_key key;
    int64_t rid;
};

/* The next rows of all lanes in order, SIZE or fewer when no more are wanted. */
static enum status gather_steps(struct walk *walk, const struct ranking *ranking,
                                struct step *steps, size_t size, size_t *ret_count)
{
    struct arena_mark mark = arena_mark(walk->search->scratch);
    for (*ret_count = 0; *ret_count < size; ++*ret_count) {
        struct lane *lane = first_lane(walk);
        if (lane == NULL) {
            break;
        }
        steps[*ret_count].key = lane->key;
        steps[*ret_count].rid = lane->rid;
        if (is_behind(ranking, &lane->key)) {
            ++*ret_count;
            break;
        }
        TRY(lane_step(walk, lane));
        arena_rewind(walk->search->scratch, mark);
    }
    return STATUS_OK;
}

/* On a server: many rows at once, and more each time. */
static enum status walk_many(struct walk *walk, uint64_t until, struct ranking *ranking,
                             bool *ret_lacks, bool *ret_done)
{
    struct search *search = walk->search;
    struct arena_mark mark = arena_mark(search->scratch);
    struct step *steps = arena_array(search->arena, AHEAD_MOST, sizeof(*steps));
    int64_t *rids = arena_array(search->arena, AHEAD_MOST, sizeof(*rids));
    size_t size = STEPS_FIRST, count = 0;
    if (steps == NULL || rids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (; *search->looked < until; size = size * 2 < AHEAD_MOST ? size * 2 : AHEAD_MOST) {
        TRY(gather_steps(walk, ranking, steps, size, &count));
        *ret_lacks = count == 0;
        if (*ret_lacks) {
            return STATUS_OK;
        }
        size_t kept = count;
        for (size_t i = 0; i < count; i++) {
            rids[i] = steps[i].rid;
        }
        TRY(search_has_many(search, rids, &kept));
        TRY(rows_expect(search, rids, kept));
        for (size_t i = 0; i < count; i++) {
            *ret_done = is_behind(ranking, &steps[i].key);
            if (*ret_done) {
                return STATUS_OK;
            }
            TRY(take_step(walk, steps[i].rid, &steps[i].key, list_has(rids, kept, steps[i].rid),
                          ranking));
            arena_rewind(search->scratch, mark);
        }
    }
    return STATUS_OK;
}

/* Until the page is full and nothing that comes can be before its last. *RET_LACKS: what lacks the
 * value is still to come. */
static enum status walk_rows(struct walk *walk, struct ranking *ranking, bool *ret_lacks,
                             bool *ret_done)
{
    struct search *search = walk->search;
    uint64_t until = *search->looked + WALK_LOOKS;
    struct arena_mark mark = arena_mark(search->scratch);
    for (size_t i = 0; i < walk->lane_count; i++) {
        TRY(lane_step(walk, &walk->lanes[i]));
    }
    *ret_done = false;
    if (agree_can_be_asked(search)) {
        return walk_many(walk, until, ranking, ret_lacks, ret_done);
    }
    while (*search->looked < until) {
        struct lane *lane = first_lane(walk);
        bool has = false;
        if (lane == NULL) {
            *ret_lacks = true;
            return STATUS_OK;
        }
        *ret_done = is_behind(ranking, &lane->key);
        if (*ret_done) {
            return STATUS_OK;
        }
        TRY(search_has(search, lane->rid, &has));
        TRY(take_step(walk, lane->rid, &lane->key, has, ranking));
        TRY(lane_step(walk, lane));
        arena_rewind(search->scratch, mark);
    }
    return STATUS_OK;
}

/* ---- what lacks the value -----------------------------------------------------------------------
 */

/* Does lacking a value to sort by mean that the parameter is missing? Not where values are that
 * cannot be sorted by. */
static enum status lacking_is_missing(const struct walk *walk, bool *ret_is)
{
    enum search_kind kind = walk->column->search_kind;
    struct statement *statement;
    bool row = false;
    *ret_is = walk->column->kind == COLUMN_FACTS && walk->search->inside == NULL &&
              (kind == SEARCH_DATE || kind == SEARCH_NUMBER || kind == SEARCH_STRING ||
               kind == SEARCH_URI);
    if (*ret_is) {
        TRY(statement_get(walk->search->connection, SQL_TOKEN_RIDS, &statement));
        statement_bind_number(statement, 1, walk->column->parameter);
        statement_bind_number(statement, 2, CODE_PRESENT);
        statement_bind_number(statement, 3, INT64_MIN);
        TRY(statement_row(walk->search->connection, statement, &row));
        statement_reset(statement);
    }
    *ret_is = *ret_is && !row;
    return STATUS_OK;
}

/* The same question of what has no value. */
static enum status lacking_search(const struct walk *walk, struct search **ret_search)
{
    static const struct store_value yes = {.boolean = true};
    struct search *search = walk->search;
    const struct store_query *query = search->query;
    struct store_query *lacking = ARENA_NEW(search->arena, struct store_query);
    struct store_clause *clauses =
        arena_array(search->arena, query->clause_count + 1, sizeof(*clauses));
    if (lacking == NULL || clauses == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (query->clause_count > 0) {
        memcpy(clauses, query->clauses, query->clause_count * sizeof(*clauses));
    }
    clauses[query->clause_count] = (struct store_clause){.parameter = query->sorts[0].parameter,
                                                         .modifier = STORE_MISSING,
                                                         .values = &yes,
                                                         .value_count = 1};
    *lacking = *query;
    lacking->clauses = clauses;
    lacking->clause_count++;
    TRY(search_beside(search, lacking, ret_search));
    (*ret_search)->wants_row = true;
    return search_settle(*ret_search);
}

/* They come after all others, and where nothing else is sorted by in the order of places. */
static enum status rank_lacking(const struct walk *walk, struct search *search,
                                struct ranking *ranking)
{
    bool behind = walk->after->length > 0 && walk->after->bytes[0] != 0;
    bool by_place = walk->search->column_count == 1;
    struct candidate candidate;
    int64_t from = behind && by_place ? (int64_t)last_eight(walk->after) + 1 : 0;
    struct arena_mark mark = arena_mark(search->scratch);
    while (!by_place || ranking->count < ranking->most) {
        struct ranked item;
        TRY(search_next(search, from, &candidate));
        if (candidate.rid == STREAM_END) {
            break;
        }
        item.rid = candidate.rid;
        TRY(sort_key_make(&candidate, &item.key));
        if (sort_key_compare(&item.key, walk->after) > 0) {
            ranking_add(ranking, &item);
        }
        from = candidate.rid + 1;
        arena_rewind(search->scratch, mark);
    }
    return STATUS_OK;
}

static enum status walk_lacking(const struct walk *walk, struct ranking *ranking, bool *ret_done)
{
    struct search *search = NULL;
    TRY(lacking_is_missing(walk, ret_done));
    if (!*ret_done) {
        return STATUS_OK;
    }
    enum status status = lacking_search(walk, &search);
    if (status == STATUS_OK && !search->nothing) {
        status = rank_lacking(walk, search, ranking);
    }
    if (search != NULL) {
        search_close(search);
    }
    return status;
}

enum status search_walk(struct search *search, const struct sort_key *after,
                        struct ranking *ranking, bool *ret_done)
{
    struct walk walk = {.search = search, .column = &search->columns[0], .after = after};
    bool fits = false, lacks = false;
    *ret_done = false;
    if (walk.column->kind == COLUMN_FACTS && after->length > 0 && after->bytes[0] != 0) {
        return walk_lacking(&walk, ranking, ret_done); /* only that is left */
    }
    enum status status = walk_open(&walk, &fits);
    if (status == STATUS_OK && fits) {
        status = walk_rows(&walk, ranking, &lacks, ret_done);
    }
    if (status == STATUS_OK && lacks) {
        status = walk_lacking(&walk, ranking, ret_done);
    }
    for (size_t i = 0; i < walk.lane_count; i++) {
        statement_give(search->connection, walk.lanes[i].number, &walk.lanes[i].statement);
    }
    return status;
}
