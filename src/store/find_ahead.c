/* SPDX-License-Identifier: MIT */
/* store: candidates found and read ahead. On a server each question is a journey that costs much
 * more than its answer, so the rows of several candidates are asked for at once: of few at first,
 * since a page wants the first matches only, and of more the longer a search goes on. */
#include "postgres.h"

#include "find_int.h"

#define AHEAD_FIRST  32
#define AHEAD_NESTED 8 /* of a search within another, of which one match is often enough */
#define AHEAD_GROW   4

/* What was asked for at once of some places. */
struct gathered {
    struct statement statement; /* stays open: its rows are read in any order */
    int64_t rids[AHEAD_MOST];   /* whose rows they are, in order */
    int rows[AHEAD_MOST];       /* -1: nothing is there */
    size_t count;
};

struct ahead {
    struct gathered filters, bodies;
    int64_t queue[AHEAD_MOST]; /* candidates, in order */
    size_t count, next, size;
    uint64_t turn; /* of the search's streams when they were found */
};

static enum status ahead_of(struct search *search, struct ahead **ret_ahead)
{
    if (search->coming == NULL) {
        search->coming = ARENA_NEW(search->arena, struct ahead);
        if (search->coming == NULL) {
            return STATUS_TOO_COSTLY;
        }
    }
    *ret_ahead = search->coming;
    return STATUS_OK;
}

static void gathered_close(struct search *search, enum statement_number number,
                           struct gathered *gathered)
{
    statement_give(search->connection, number, &gathered->statement);
    gathered->count = 0;
}

void ahead_close(struct search *search)
{
    if (search->coming != NULL) {
        gathered_close(search, SQL_SERVER_FILTER_ROWS, &search->coming->filters);
        gathered_close(search, SQL_SERVER_BODIES, &search->coming->bodies);
        search->coming->count = 0;
    }
}

void ahead_drop(struct search *search)
{
    if (search->coming != NULL) {
        search->coming->count = search->coming->next = search->coming->size = 0;
    }
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static int place_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void keep_places(struct gathered *gathered, const int64_t *rids, size_t count)
{
    memcpy(gathered->rids, rids, count * sizeof(*rids));
    qsort(gathered->rids, count, sizeof(*rids), place_order);
    gathered->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || gathered->rids[i] != gathered->rids[i - 1]) {
            gathered->rids[gathered->count++] = gathered->rids[i];
        }
    }
}

/* What NUMBER says of each; which of them, in its column 4. */
static enum status ask_rows(struct search *search, enum statement_number number,
                            struct gathered *gathered)
{
    struct arena_mark mark = arena_mark(search->scratch);
    struct statement *statement = &gathered->statement;
    bool row = false;
    if (statement_is_none(statement)) {
        TRY(statement_take(search->connection, number, statement));
    }
    statement_reset(statement);
    TRY(postgres_bind_numbers(statement->postgres, 1, gathered->rids, gathered->count,
                              search->scratch));
    enum status status = statement_row(search->connection, statement, &row);
    arena_rewind(search->scratch, mark);
    TRY(status);
    for (size_t i = 0; i < gathered->count; i++) {
        gathered->rows[i] = -1;
    }
    for (int i = 0; row && i < postgres_row_count(statement->postgres); i++) {
        postgres_move(statement->postgres, i);
        size_t at = (size_t)statement_number(statement, 4) - 1;
        if (at >= gathered->count) {
            return STATUS_INTERNAL;
        }
        gathered->rows[at] = i;
    }
    return STATUS_OK;
}

static enum status gather(struct search *search, enum statement_number number,
                          struct gathered *gathered, const int64_t *rids, size_t count)
{
    keep_places(gathered, rids, count < AHEAD_MOST ? count : AHEAD_MOST);
    size_t asked = gathered->count;
    enum status status = ask_rows(search, number, gathered);
    gathered->count = status == STATUS_OK ? asked : 0;
    return status;
}

static bool recall(struct gathered *gathered, int64_t rid, struct statement **ret_statement,
                   bool *ret_there)
{
    const int64_t *at = gathered->count > 0 ? bsearch(&rid, gathered->rids, gathered->count,
                                                      sizeof(rid), place_order)
                                            : NULL;
    if (at == NULL) {
        return false;
    }
    int row = gathered->rows[at - gathered->rids];
    *ret_there = row >= 0;
    *ret_statement = &gathered->statement;
    if (row >= 0) {
        postgres_move(gathered->statement.postgres, row);
    }
    return true;
}

enum status rows_expect(struct search *search, const int64_t *rids, size_t count)
{
    struct ahead *ahead;
    if (search->connection->db != NULL || count < 2) {
        return STATUS_OK;
    }
    TRY(ahead_of(search, &ahead));
    return gather(search, SQL_SERVER_FILTER_ROWS, &ahead->filters, rids, count);
}

bool rows_recall(struct search *search, int64_t rid, struct statement **ret_statement,
                 bool *ret_there)
{
    struct ahead *ahead = search->coming;
    return ahead != NULL && recall(&ahead->filters, rid, ret_statement, ret_there);
}

/* ---- bodies -------------------------------------------------------------------------------------
 */

#define BODIES_AT_ONCE 64

/* Of the candidate at RID and those behind it, as far as their facts leave a doubt. */
static enum status expect_bodies(struct search *search, struct ahead *ahead, int64_t rid)
{
    int64_t wanted[BODIES_AT_ONCE];
    size_t count = 0;
    for (size_t i = ahead->next; i < ahead->count && count < BODIES_AT_ONCE; i++) {
        struct statement *statement;
        bool there = false;
        if (ahead->queue[i] >= rid && rows_recall(search, ahead->queue[i], &statement, &there) &&
            there && search_needs_body(search, ahead->queue[i], statement_blob(statement, 2))) {
            wanted[count++] = ahead->queue[i];
        }
    }
    return count > 1 ? gather(search, SQL_SERVER_BODIES, &ahead->bodies, wanted, count) : STATUS_OK;
}

enum status search_body_read(struct search *search, int64_t rid, struct place_body *ret_body)
{
    struct ahead *ahead = search->coming;
    struct statement *statement = NULL;
    bool there = false, known = ahead != NULL && recall(&ahead->bodies, rid, &statement, &there);
    if (ahead != NULL && !known) {
        TRY(expect_bodies(search, ahead, rid));
        known = recall(&ahead->bodies, rid, &statement, &there);
    }
    if (!known) {
        return place_body_read(search->tx, rid, search->scratch, ret_body);
    }
    *ret_body = (struct place_body){.root = NULL};
    return there ? place_body_of_row(search->tx, statement, search->scratch, ret_body) : STATUS_OK;
}

/* ---- candidates ---------------------------------------------------------------------------------
 */

/* What these will ask of other resources. */
static enum status expect_links(struct search *search, struct ahead *ahead)
{
    struct arena_mark mark = arena_mark(search->scratch);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < search->test_count && status == STATUS_OK; i++) {
        if (search->tests[i].link == NULL || search->tests[i].streamed) {
            continue;
        }
        struct slice facts[AHEAD_MOST];
        size_t count = 0;
        for (size_t j = 0; j < ahead->count; j++) {
            struct statement *statement;
            bool there;
            if (rows_recall(search, ahead->queue[j], &statement, &there) && there) {
                facts[count++] = statement_blob(statement, 2);
            }
        }
        status = link_expect(search, &search->tests[i], facts, count);
    }
    arena_rewind(search->scratch, mark);
    return status;
}

static void grow(const struct search *search, struct ahead *ahead)
{
    /* A page, and what tells that more come, or so much that a journey is worth it. */
    size_t page = search->query->count + 1 < AHEAD_MOST ? search->query->count + 1 : AHEAD_MOST;
    size_t first = search->depth > 0 ? AHEAD_NESTED : page > AHEAD_FIRST ? page : AHEAD_FIRST;
    ahead->size = ahead->size == 0 ? first : ahead->size * AHEAD_GROW;
    ahead->size = ahead->size < AHEAD_MOST ? ahead->size : AHEAD_MOST;
}

static enum status agree_singly(struct search *search, struct ahead *ahead, int64_t from,
                                bool *ret_paused)
{
    while (ahead->count < ahead->size) {
        int64_t rid;
        TRY(search_agree(search, from, &rid, ret_paused));
        if (*ret_paused || rid == STREAM_END) {
            break;
        }
        ahead->queue[ahead->count++] = rid;
        from = rid + 1;
    }
    return STATUS_OK;
}

static enum status agree(struct search *search, struct ahead *ahead, int64_t *from,
                         bool *ret_paused)
{
    bool known = agree_at_once(search);
    *ret_paused = false;
    while (known && ahead->count == 0 && *from != STREAM_END && !*ret_paused) {
        TRY(agree_many(search, from, ahead->size, ahead->queue, &ahead->count, &known));
        TRY(search_look(search));
        *ret_paused = *from != STREAM_END && search->pause != 0 && *search->looked >= search->pause;
        if (ahead->count == 0) {
            grow(search, ahead);
        }
    }
    return known ? STATUS_OK : agree_singly(search, ahead, *from, ret_paused);
}

static enum status fill(struct search *search, struct ahead *ahead, int64_t *from, bool *ret_paused)
{
    int64_t wanted[AHEAD_MOST] = {0};
    size_t count = 0;
    grow(search, ahead);
    ahead->count = ahead->next = 0;
    TRY(agree(search, ahead, from, ret_paused));
    for (size_t i = 0; i < ahead->count; i++) {
        if (search_needs_row(search, ahead->queue[i])) {
            wanted[count++] = ahead->queue[i];
        }
    }
    TRY(rows_expect(search, wanted, count));
    return count > 0 ? expect_links(search, ahead) : STATUS_OK;
}

enum status ahead_candidate(struct search *search, int64_t from, int64_t *ret_rid, bool *ret_paused)
{
    struct ahead *ahead;
    TRY(ahead_of(search, &ahead));
    if (ahead->turn != search->turn) {
        ahead->turn = search->turn;
        search_rewind(search);
    }
    while (ahead->next < ahead->count && ahead->queue[ahead->next] < from) {
        ahead->next++;
    }
    *ret_paused = false;
    if (ahead->next == ahead->count) {
        TRY(fill(search, ahead, &from, ret_paused));
    }
    if (ahead->next < ahead->count) {
        *ret_paused = false;
        *ret_rid = ahead->queue[ahead->next];
    } else {
        *ret_rid = *ret_paused ? from : STREAM_END;
    }
    return STATUS_OK;
}
