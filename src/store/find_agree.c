/* SPDX-License-Identifier: MIT */
/* store: what several streams have in common, on a server. To leap from one to the next is a
 * journey for each step. So the one that seems to have the fewest places gives many of them, and
 * the others are asked, at once, which of these they have too. */
#include "postgres.h"

#include "find_int.h"

#define SOURCES_MOST    64 /* that are asked about each candidate */
#define SOURCES_AT_ONCE 8

static enum statement_number among(enum statement_number number)
{
    switch (number) {
    case SQL_TOKEN_RIDS:
        return SQL_SERVER_TOKEN_AMONG;
    case SQL_REFERENCE_RIDS:
        return SQL_SERVER_REFERENCE_AMONG;
    case SQL_TEXT_RIDS:
        return SQL_SERVER_TEXT_AMONG;
    case SQL_PLACE_RIDS:
        return SQL_SERVER_PLACE_AMONG;
    case SQL_ALL_RIDS:
        return SQL_SERVER_ALL_AMONG;
    case SQL_WORD_BLOCKS:
        return SQL_SERVER_WORD_AMONG;
    case SQL_SERVER_CODES_RIDS:
        return SQL_SERVER_CODES_AMONG;
    default:
        return STATEMENT_COUNT;
    }
}

static enum statement_number in_blocks(enum statement_number number)
{
    switch (number) {
    case SQL_TOKEN_RIDS:
        return SQL_SERVER_TOKEN_IN_BLOCKS;
    case SQL_SERVER_CODES_RIDS:
        return SQL_SERVER_CODES_IN_BLOCKS;
    case SQL_REFERENCE_RIDS:
        return SQL_SERVER_REFERENCE_IN_BLOCKS;
    case SQL_PLACE_RIDS:
        return SQL_SERVER_PLACE_IN_BLOCKS;
    default:
        return STATEMENT_COUNT;
    }
}

static bool is_of_blocks(const struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        if (stream->sources[i].shift > 0) {
            return true;
        }
    }
    return false;
}

/* Can it say which places it has in a block? */
static bool knows_blocks(const struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        const struct source *source = &stream->sources[i];
        if (statement_is_none(&source->statement) || source->floor != INT64_MIN ||
            in_blocks(source->number) == STATEMENT_COUNT) {
            return false;
        }
    }
    return true;
}

static bool can_be_asked(const struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        const struct source *source = &stream->sources[i];
        bool list = statement_is_none(&source->statement);
        if (!list && (source->homes != NULL || source->floor != INT64_MIN ||
                      among(source->number) == STATEMENT_COUNT)) {
            return false;
        }
    }
    return stream->count <= SOURCES_MOST;
}

bool agree_can_be_asked(const struct search *search)
{
    bool can = search->connection->db == NULL;
    for (size_t i = 0; i < search->stream_count && can; i++) {
        can = can_be_asked(&search->streams[i]);
    }
    return can;
}

bool agree_at_once(const struct search *search)
{
    size_t asked = 0;
    for (size_t i = 0; i < search->stream_count; i++) {
        for (size_t j = 0; j < search->streams[i].count; j++) {
            asked += !statement_is_none(&search->streams[i].sources[j].statement);
        }
    }
    return search->stream_count > 1 && asked > 0 && agree_can_be_asked(search);
}

/* What refers to one thing stands close together: as many times its rows. */
#define MORE_OF_ONE 16

#define PLACES_OF_A_BLOCK 4 /* that cost as much as asking what is in it */

/* About how many places it has from where it stands. */
static double about(const struct stream *stream)
{
    double count = 0;
    for (size_t i = 0; i < stream->count; i++) {
        const struct source *source = &stream->sources[i];
        const struct postgres_statement *statement = source->statement.postgres;
        bool spread = stream->count == 1 && source->number != SQL_REFERENCE_RIDS;
        double own = statement == NULL ? (double)(source->list_count - source->list_at)
                     : spread          ? (double)postgres_about(statement)
                                       : (double)postgres_row_count(statement) * MORE_OF_ONE;
        count += own * (source->shift > 0 ? PLACES_OF_A_BLOCK : 1);
    }
    return count;
}

/* What it costs to ask all others about each of its places. */
static double cost_of(const struct search *search, const struct stream *leader)
{
    size_t others = 1;
    for (size_t i = 0; i < search->stream_count; i++) {
        others += &search->streams[i] != leader ? search->streams[i].count : 0;
    }
    return about(leader) * (double)others;
}

/* Whose places are gone through. Of words, which have no places of their own: which other stream
 * says what is in its blocks. NULL: there is none. */
static enum status find_leader(struct search *search, int64_t from, struct stream **ret_leader,
                               struct stream **ret_within)
{
    double least = 0, least_within = 0;
    /* That of all places is there for want of another, and is not read where there is one. */
    size_t all = search->all && search->stream_count > 1 ? 1 : 0;
    *ret_leader = *ret_within = NULL;
    for (size_t i = all; i < search->stream_count; i++) {
        struct stream *stream = &search->streams[i];
        TRY(stream_seek(stream, from));
        double cost = cost_of(search, stream);
        if (*ret_leader == NULL || cost < least) {
            least = cost;
            *ret_leader = stream;
        }
        if (knows_blocks(stream) && (*ret_within == NULL || cost < least_within)) {
            least_within = cost;
            *ret_within = stream;
        }
    }
    if (!is_of_blocks(*ret_leader)) {
        *ret_within = NULL;
    } else if (*ret_within == NULL && all == 1 && knows_blocks(&search->streams[0])) {
        *ret_within = &search->streams[0];
    } else if (*ret_within == NULL) {
        *ret_leader = NULL;
    }
    return STATUS_OK;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

struct asking {
    struct search *search;
    enum statement_number (*number)(enum statement_number number); /* the question to a source */
    const int64_t *rids;                                           /* or blocks */
    size_t count;
    bool *has;                 /* which of them */
    struct number_list *found; /* or else the answers themselves */
};

static int place_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void mark(const struct asking *asking, int64_t rid)
{
    const int64_t *at = bsearch(&rid, asking->rids, asking->count, sizeof(rid), place_order);
    if (at != NULL) {
        asking->has[at - asking->rids] = true;
    }
}

static void mark_listed(const struct asking *asking, const struct source *source)
{
    size_t at = source->list_at;
    for (size_t i = 0; i < asking->count; i++) {
        size_t high = source->list_count;
        while (at < high) {
            size_t middle = at + (high - at) / 2;
            if (source->list[middle] < asking->rids[i]) {
                at = middle + 1;
            } else {
                high = middle;
            }
        }
        if (at < source->list_count && source->list[at] == asking->rids[i]) {
            asking->has[i] = true;
        }
    }
}

static enum status send_question(const struct asking *asking, const struct source *source,
                                 struct statement *ret_statement)
{
    struct search *search = asking->search;
    TRY(statement_take(search->connection, asking->number(source->number), ret_statement));
    postgres_take_values(ret_statement->postgres, source->statement.postgres);
    TRY(postgres_bind_numbers(ret_statement->postgres, source->from, asking->rids, asking->count,
                              search->scratch));
    return postgres_foresee(search->connection->postgres, ret_statement->postgres, 0);
}

static enum status read_answer(const struct asking *asking, struct statement *statement)
{
    bool row = false;
    TRY(statement_row(asking->search->connection, statement, &row));
    while (row) {
        if (asking->found != NULL) {
            TRY(list_add(asking->found, statement_number(statement, 0)));
        } else {
            mark(asking, statement_number(statement, 0));
        }
        TRY(statement_row(asking->search->connection, statement, &row));
    }
    return STATUS_OK;
}

/* A few sources on their way at a time. */
static enum status ask_some(const struct asking *asking, const struct source *sources, size_t count)
{
    struct statement statements[SOURCES_AT_ONCE] = {{NULL, NULL}};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!statement_is_none(&sources[i].statement)) {
            status = send_question(asking, &sources[i], &statements[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!statement_is_none(&statements[i])) {
            status = status == STATUS_OK ? read_answer(asking, &statements[i]) : status;
            statement_give(asking->search->connection, asking->number(sources[i].number),
                           &statements[i]);
        }
    }
    return status;
}

static enum status ask_all(const struct asking *asking, const struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i += SOURCES_AT_ONCE) {
        size_t left = stream->count - i;
        TRY(ask_some(asking, stream->sources + i, left < SOURCES_AT_ONCE ? left : SOURCES_AT_ONCE));
    }
    return STATUS_OK;
}

enum status agree_keep(struct search *search, const struct stream *stream, int64_t *rids,
                       size_t *count)
{
    bool has[AHEAD_MOST] = {false};
    struct asking asking = {search, among, rids, *count, has, NULL};
    size_t kept = 0;
    for (size_t i = 0; i < stream->count; i++) {
        if (statement_is_none(&stream->sources[i].statement)) {
            mark_listed(&asking, &stream->sources[i]);
        }
    }
    struct arena_mark before = arena_mark(search->scratch);
    TRY(ask_all(&asking, stream));
    arena_rewind(search->scratch, before);
    for (size_t i = 0; i < *count; i++) {
        if (has[i]) {
            rids[kept++] = rids[i];
        }
    }
    *count = kept;
    return STATUS_OK;
}

/* What NUMBER gives of RIDS, which are its second parameter. */
static enum status ask_about(const struct asking *asking, enum statement_number number,
                             int64_t first)
{
    struct connection *connection = asking->search->connection;
    struct arena *scratch = asking->search->scratch;
    struct statement *statement;
    struct arena_mark before = arena_mark(scratch);
    TRY(statement_get(connection, number, &statement));
    statement_bind_number(statement, 1, first);
    TRY(postgres_bind_numbers(statement->postgres, 2, asking->rids, asking->count, scratch));
    statement_bind_number(statement, 3, INT64_MAX);
    enum status status = read_answer(asking, statement);
    statement_reset(statement);
    arena_rewind(scratch, before);
    return status;
}

enum status agree_on_home(struct search *search, uint32_t parameter, const int64_t *rids,
                          size_t count, bool *ret_has)
{
    struct asking asking = {search, among, rids, count, ret_has, NULL};
    memset(ret_has, 0, count * sizeof(*ret_has));
    return count > 0 ? ask_about(&asking, SQL_SERVER_REFERENCE_OF_HOME, parameter) : STATUS_OK;
}

/* ---- many candidates ----------------------------------------------------------------------------
 */

/* What was looked at in vain counts as what it costs. */
static enum status count_looks(struct search *search, size_t dropped)
{
    for (size_t i = 0; i < dropped / CANDIDATES_OF_A_LOOK; i++) {
        TRY(search_look(search));
        search->own++;
    }
    return STATUS_OK;
}

#define BLOCKS_AT_ONCE 128
#define LEAST_BLOCKS   16

/* The places of the leader from where it stands. */
static enum status lead(struct stream *leader, size_t most, int64_t *ret_rids, size_t *ret_count)
{
    while (*ret_count < most && leader->current != STREAM_END) {
        ret_rids[(*ret_count)++] = leader->current;
        TRY(stream_seek(leader, leader->current + 1));
    }
    return STATUS_OK;
}

static enum status in_these_blocks(struct search *search, const struct stream *within, int64_t from,
                                   const int64_t *blocks, size_t count, struct number_list *found)
{
    struct asking asking = {search, in_blocks, blocks, count, NULL, found};
    size_t kept = 0;
    TRY(ask_all(&asking, within));
    list_sort(found);
    for (size_t i = 0; i < found->count; i++) {
        if (found->items[i] >= from) {
            found->items[kept++] = found->items[i];
        }
    }
    found->count = kept;
    return STATUS_OK;
}

/* Those of WITHIN in the leader's blocks, from FROM on, which is then where it goes on. */
static enum status lead_by_blocks(struct search *search, struct stream *leader,
                                  const struct stream *within, size_t most, int64_t *from,
                                  int64_t *ret_rids, size_t *ret_count)
{
    struct arena_mark mark = arena_mark(search->scratch);
    struct number_list found = {.arena = search->scratch};
    int64_t blocks[BLOCKS_AT_ONCE];
    size_t count = 0, limit = most / 2 > LEAST_BLOCKS ? most / 2 : LEAST_BLOCKS;
    while (count < limit && count < BLOCKS_AT_ONCE && leader->current != STREAM_END) {
        blocks[count] = leader->current >> WORD_BLOCK_BITS;
        TRY(stream_seek(leader, (blocks[count++] + 1) << WORD_BLOCK_BITS));
    }
    TRY(count > 0 ? in_these_blocks(search, within, *from, blocks, count, &found) : STATUS_OK);
    *from = leader->current;
    if (found.count > AHEAD_MOST) {
        *from = found.items[AHEAD_MOST];
        found.count = AHEAD_MOST;
        stream_rewind(leader);
    }
    if (found.count > 0) {
        memcpy(ret_rids, found.items, found.count * sizeof(*ret_rids));
    }
    *ret_count = found.count;
    arena_rewind(search->scratch, mark);
    return STATUS_OK;
}

#define ASKED_ENOUGH 64 /* places, to know what a stream lets through */
#define REST         8  /* times without a question */

/* That a word is in a block says only maybe, and what nearly always is need not be asked. */
static enum status keep_agreed(struct search *search, struct stream *stream, int64_t *rids,
                               size_t *count)
{
    bool blocks = is_of_blocks(stream);
    if (blocks && stream->rests > 0) {
        stream->rests--;
        return STATUS_OK;
    }
    stream->asked += *count;
    TRY(agree_keep(search, stream, rids, count));
    stream->kept += *count;
    if (blocks && stream->asked >= ASKED_ENOUGH) {
        stream->rests = stream->kept * 8 >= stream->asked * 7 ? REST : 0;
        stream->asked = stream->kept = 0;
    }
    return STATUS_OK;
}

enum status agree_many(struct search *search, int64_t *from, size_t most, int64_t *ret_rids,
                       size_t *ret_count, bool *ret_known)
{
    struct stream *leader, *within;
    size_t count = 0;
    *ret_count = 0;
    TRY(find_leader(search, *from, &leader, &within));
    *ret_known = leader != NULL;
    if (leader == NULL) {
        return STATUS_OK;
    }
    if (within != NULL) {
        TRY(lead_by_blocks(search, leader, within, most, from, ret_rids, &count));
    } else {
        TRY(lead(leader, most, ret_rids, &count));
        *from = leader->current;
    }
    size_t given = count;
    for (size_t i = 0; i < search->stream_count && count > 0; i++) {
        if (&search->streams[i] != leader && &search->streams[i] != within) {
            TRY(keep_agreed(search, &search->streams[i], ret_rids, &count));
        }
    }
    *ret_count = count;
    return count_looks(search, given - count);
}
