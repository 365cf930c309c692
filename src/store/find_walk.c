/* SPDX-License-Identifier: MIT */
/* store: the first matches of a sorted search by walking the tree of its first sort key in order,
 * where ranking all of a great many matches would take too long. Every value of a resource has a
 * row in the tree; the resource counts where its own sort key says, so it is taken once, and the
 * page is the same as that of ranking. */
#include "find_walk.h"

#define STEPS_OF_A_LOOK 4     /* asking a stream is so much cheaper than looking at a row */
#define STEPS_FIRST     64    /* rows asked about at once, on a server */
#define WALK_LOOKS      20000 /* looks after which ranking is thought cheaper after all */

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

static enum status take_row(struct walk *walk, const struct lane *lane, struct ranking *ranking)
{
    bool has = false;
    TRY(search_has(walk->search, lane->rid, &has));
    return take_step(walk, lane->rid, &lane->key, has, ranking);
}

/* Of a full page; NULL: it is not. */
static const struct sort_key *last_of(const struct ranking *ranking)
{
    return ranking->count == ranking->most ? &ranking->items[ranking->most - 1].key : NULL;
}

/* Is the page full, and can nothing from KEY on be before its last? */
static bool is_behind(const struct ranking *ranking, const struct sort_key *key)
{
    const struct sort_key *last = last_of(ranking);
    return last != NULL && !key_begins(last, key) && sort_key_compare(key, last) > 0;
}

/* ---- many of one value --------------------------------------------------------------------------
 * Where nothing else is sorted by, they come in the order of places: a page that begins among them
 * goes on behind its place, and one that ends among them wants no more than it shows. */

static enum status turn_to_runs(struct walk *walk, const struct lane *lane, int64_t from)
{
    size_t first = walk->lane_count;
    TRY(runs_open(walk, lane, from));
    for (size_t i = first; i < walk->lane_count; i++) {
        TRY(lane_step(walk, &walk->lanes[i]));
    }
    return STATUS_OK;
}

static bool is_among(const struct walk *walk, const struct lane *lane, const struct sort_key *key)
{
    return walk->search->column_count == 1 && lane->rid != STREAM_END && !lane->coded &&
           key_begins(key, &lane->key) && lane_has_runs(lane);
}

/* To the first row of the lane, or to what it has behind the place where the page begins. */
static enum status lane_begin(struct walk *walk, struct lane *lane)
{
    TRY(lane_step(walk, lane));
    if (walk->after->length == 0 || !is_among(walk, lane, walk->after)) {
        return STATUS_OK;
    }
    TRY(turn_to_runs(walk, lane, (int64_t)last_eight(walk->after) + 1));
    TRY(lane_pass(walk, lane));
    return lane_step(walk, lane);
}

/* The page is full and ends with LAST. *RET_MOVED: the lane stands at its end. */
static enum status pass_run(struct walk *walk, struct lane *lane, const struct sort_key *last,
                            bool *ret_moved)
{
    *ret_moved =
        is_among(walk, lane, last) && (!lane->run || lane->rid > (int64_t)last_eight(last));
    if (*ret_moved && !lane->run) {
        TRY(turn_to_runs(walk, lane, INT64_MIN));
    }
    lane->rid = *ret_moved ? STREAM_END : lane->rid;
    return STATUS_OK;
}

/* ---- on a server: many rows at once, and more each time -----------------------------------------
 */

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
    const struct sort_key *last = last_of(ranking);
    struct lane *lane;
    *ret_count = 0;
    while (*ret_count < size && (lane = first_lane(walk)) != NULL) {
        bool moved = false, behind = is_behind(ranking, &lane->key);
        TRY(last != NULL ? pass_run(walk, lane, last, &moved) : STATUS_OK);
        if (moved) {
            continue;
        }
        steps[*ret_count].key = lane->key;
        steps[(*ret_count)++].rid = lane->rid;
        if (behind) {
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
        if (count == 0) {
            *ret_done = last_of(ranking) != NULL;
            *ret_lacks = !*ret_done;
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
    for (size_t i = 0, opened = walk->lane_count; i < opened; i++) {
        TRY(lane_begin(walk, &walk->lanes[i]));
    }
    *ret_done = false;
    if (agree_can_be_asked(search)) {
        return walk_many(walk, until, ranking, ret_lacks, ret_done);
    }
    while (*search->looked < until) {
        struct lane *lane = first_lane(walk);
        const struct sort_key *last = last_of(ranking);
        if (lane == NULL) {
            *ret_done = last != NULL;
            *ret_lacks = last == NULL;
            return STATUS_OK;
        }
        *ret_done = is_behind(ranking, &lane->key);
        if (*ret_done) {
            return STATUS_OK;
        }
        bool moved = false;
        TRY(last != NULL ? pass_run(walk, lane, last, &moved) : STATUS_OK);
        if (!moved) {
            TRY(take_row(walk, lane, ranking));
            TRY(lane_step(walk, lane));
        }
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
    walk.lanes = arena_array(search->arena, WALK_LANES, sizeof(*walk.lanes));
    enum status status = walk.lanes != NULL ? walk_open(&walk, &fits) : STATUS_TOO_COSTLY;
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
