/* SPDX-License-Identifier: MIT */
/* store: clauses that hold queries (find_link.c), answered forward: what leads to the matches of
 * the queries inside becomes a stream, a turn at a time. */
#include "find_link.h"

#define LINK_SOURCES 64  /* targets that are worth a source each */
#define LINK_TURN    512 /* looks before the other way has its turn */

static enum status forward_chain(struct search *search, struct link *link,
                                 const struct candidate *match)
{
    int64_t entity = 0;
    TRY(place_entity(search->tx, match->rid, &entity));
    if (entity != 0) {
        (void)number_set_add(&link->targets, entity);
    }
    return STATUS_OK;
}

/* Whether the patient is there another stream knows: there is one, if only that of all places. */
static void add_place_of_patient(const struct search *search, struct link *link, int64_t entity)
{
    if (search->query->type == search->store->patient_type) {
        (void)number_set_add(&link->targets, place_first((uint32_t)-entity));
    }
}

static enum status add_places_of_body(struct search *search, struct link *link,
                                      const struct branch *branch, int64_t rid)
{
    struct target *targets;
    size_t count;
    TRY(targets_of_place(search->tx, rid, branch->reference, search->scratch, &targets, &count));
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &targets[i].entry;
        (void)number_set_add(&link->strange, entry->entity);
        if (targets[i].type == search->query->type && entry->state == ENTRY_LIVE) {
            (void)number_set_add(&link->targets, entry->rid);
        }
    }
    return STATUS_OK;
}

/* Does what is at RID refer to the patient it is placed with? */
static enum status refers_home(const struct search *search, const struct branch *branch,
                               int64_t rid, int64_t home, bool *ret_refers)
{
    struct statement *statement;
    TRY(statement_get(search->connection, SQL_REFERENCE_RIDS, &statement));
    statement_bind_number(statement, 1, branch->parameter);
    statement_bind_number(statement, 2, home);
    statement_bind_number(statement, 3, rid);
    TRY(statement_row(search->connection, statement, ret_refers));
    *ret_refers = *ret_refers && statement_number(statement, 0) == rid;
    statement_reset(statement);
    return STATUS_OK;
}

static enum status forward_facts(struct search *search, struct link *link,
                                 const struct branch *branch, const struct candidate *match)
{
    struct facts_cursor cursor;
    struct fact fact;
    bool unknown = false;
    facts_open(match->facts, &cursor);
    while (facts_next(&cursor, &fact) && fact.parameter <= branch->parameter) {
        if (fact.parameter != branch->parameter || fact.tree != TREE_REFERENCE) {
            continue;
        }
        if (fact.number >= 0) {
            unknown = unknown || !number_set_has(&link->strange, fact.number);
        } else if (number_set_add(&link->strange, fact.number)) {
            add_place_of_patient(search, link, fact.number);
        }
    }
    return unknown ? add_places_of_body(search, link, branch, match->rid) : STATUS_OK;
}

/* REFERS: to its own patient, and to nobody else. */
static enum status forward_home(struct search *search, struct link *link,
                                const struct branch *branch, int64_t rid, bool refers)
{
    int64_t home = -(int64_t)place_patient(rid);
    struct candidate match;
    bool still = false;
    if (refers) {
        if (number_set_add(&link->strange, home)) {
            add_place_of_patient(search, link, home);
        }
        return STATUS_OK;
    }
    branch->forward->wants_row = true;
    enum status status = search_test(branch->forward, rid, &match, &still);
    branch->forward->wants_row = false;
    TRY(status);
    return forward_facts(search, link, branch, &match);
}

/* What a match refers to are the places sought. */
static enum status forward_has(struct search *search, struct link *link,
                               const struct branch *branch, const struct candidate *match)
{
    bool refers = false;
    if (!branch->by_home) {
        return forward_facts(search, link, branch, match);
    }
    TRY(refers_home(search, branch, match->rid, -(int64_t)place_patient(match->rid), &refers));
    return forward_home(search, link, branch, match->rid, refers);
}

/* On a server: of the matches that wait, at once. */
static enum status forward_homes(struct search *search, struct link *link,
                                 const struct branch *branch)
{
    bool has[AHEAD_MOST];
    TRY(agree_on_home(search, branch->parameter, link->found.items, link->found.count, has));
    for (size_t i = 0; i < link->found.count; i++) {
        struct arena_mark mark = arena_mark(search->scratch);
        TRY(forward_home(search, link, branch, link->found.items[i], has[i]));
        arena_rewind(search->scratch, mark);
    }
    link->found.count = 0;
    return STATUS_OK;
}

static int number_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The places that refer to the targets; *RET_FITS false: they are too many. */
static enum status gather(struct search *search, struct link *link, struct number_set *places,
                          bool *ret_fits)
{
    *ret_fits = true;
    for (size_t i = 0; i < link->targets.count && *ret_fits; i++) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(search->connection, SQL_REFERENCE_RIDS, &statement));
        statement_bind_number(statement, 1, link->parameter);
        statement_bind_number(statement, 2, link->targets.items[i]);
        statement_bind_number(statement, 3, INT64_MIN);
        TRY(statement_row(search->connection, statement, &row));
        while (row && places->count < LIST_LIMIT) {
            (void)number_set_add(places, statement_number(statement, 0));
            TRY(statement_row(search->connection, statement, &row));
        }
        *ret_fits = !row;
        statement_reset(statement);
    }
    return places->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

static enum status add_list(struct search *search, struct number_set *places)
{
    if (places->count > 0) {
        qsort(places->items, places->count, sizeof(*places->items), number_order);
    }
    return stream_add_list(&search->streams[search->stream_count++], search->arena, places->items,
                           places->count);
}

/* All that the queries match is known. */
static enum status forward_done(struct search *search, struct test *test)
{
    struct link *link = test->link;
    bool fits = true;
    if (test->clause->modifier != STORE_CHAIN) {
        TRY(add_list(search, &link->targets));
    } else if (link->targets.count <= LINK_SOURCES) {
        struct stream *stream = &search->streams[search->stream_count++];
        for (size_t i = 0; i < link->targets.count; i++) {
            TRY(stream_add_tree(stream, search->connection, search->arena, SQL_REFERENCE_RIDS,
                                link->parameter, link->targets.items[i]));
        }
        if (link->places.count > 0) {
            TRY(stream_add_list(stream, search->arena, link->places.items, link->places.count));
        }
    } else {
        struct number_set places = {.arena = search->arena};
        TRY(gather(search, link, &places, &fits));
        for (size_t i = 0; i < link->places.count; i++) {
            (void)number_set_add(&places, link->places.items[i]);
        }
        fits = fits && places.count <= LIST_LIMIT && !places.broken;
        if (fits) {
            TRY(add_list(search, &places));
        }
    }
    search->turn++;
    link->state = fits ? LINK_DONE : LINK_SET;
    test->streamed = fits;
    return STATUS_OK;
}

static enum status forward_match(struct search *search, const struct test *test,
                                 const struct branch *branch, const struct candidate *match)
{
    struct link *link = test->link;
    switch (test->clause->modifier) {
    case STORE_CHAIN:
        TRY(forward_chain(search, link, match));
        break;
    case STORE_HAS:
        if (!branch->by_home || search->connection->db != NULL) {
            TRY(forward_has(search, link, branch, match));
            break;
        }
        TRY(list_add(&link->found, match->rid));
        TRY(link->found.count < AHEAD_MOST ? STATUS_OK : forward_homes(search, link, branch));
        break;
    default:
        (void)number_set_add(&link->targets, match->rid);
        break;
    }
    if (link->targets.broken || link->strange.broken) {
        return STATUS_TOO_COSTLY;
    }
    bool many = link->targets.count > LIST_LIMIT || link->strange.count > 4 * LIST_LIMIT;
    link->state = many ? LINK_NEVER : link->state;
    return STATUS_OK;
}

static enum status branch_make(struct search *search, const struct test *test,
                               struct branch *branch)
{
    TRY(search_nest(search, branch->query, &branch->forward));
    bool has = test->clause->modifier == STORE_HAS;
    branch->by_home = has && search->query->type == search->store->patient_type &&
                      parameter_is_single(search->store, branch->query->type, branch->reference);
    branch->forward->wants_row = has && !branch->by_home;
    return STATUS_OK;
}

static enum status branch_open(struct search *search, const struct test *test,
                               struct branch *branch)
{
    TRY(branch->forward == NULL ? branch_make(search, test, branch) : STATUS_OK);
    branch->settled = true;
    return search_settle(branch->forward);
}

/* Of a chain, what refers to a match that it contains. */
static enum status forward_inside(struct search *search, const struct test *test, uint64_t until)
{
    struct link *link = test->link;
    bool match;
    while (link->contains && *search->looked < until) {
        TRY(stream_seek(&link->inside, link->inside_at));
        int64_t rid = link->inside.current;
        link->contains = rid != STREAM_END;
        if (!link->contains) {
            break;
        }
        TRY(search_look(search));
        TRY(link_follow_contained(search, test, rid, &match));
        if (match) { /* they come in order */
            (void)number_set_add(&link->places, rid);
        }
        link->inside_at = rid + 1;
        link->state = link->places.count > LIST_LIMIT ? LINK_NEVER : link->state;
        link->contains = link->state == LINK_OPEN;
    }
    return link->places.broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- by homes: a page needs the first who are meant, and not all ------------------------------
 */

/* A stream of trees that has all matches, and more perhaps. */
static const struct stream *stream_of_trees(const struct search *search)
{
    for (size_t i = 0; i < search->stream_count; i++) {
        const struct stream *stream = &search->streams[i];
        bool trees = stream->count > 0 && stream->count <= LINK_SOURCES;
        for (size_t j = 0; trees && j < stream->count; j++) {
            enum statement_number number = stream->sources[j].number;
            trees = !statement_is_none(&stream->sources[j].statement) &&
                    (number == SQL_TOKEN_RIDS || number == SQL_REFERENCE_RIDS);
        }
        if (trees) {
            return stream;
        }
    }
    return NULL;
}

/* *RET_CAN false: a patient may be meant in whose home no match is, or there is no such stream. */
static enum status add_homes(struct search *search, const struct test *test, struct branch *branch,
                             struct stream *homes, bool *ret_can)
{
    TRY(branch_make(search, test, branch));
    const struct stream *trees = stream_of_trees(branch->forward);
    *ret_can = trees != NULL && branch->by_home && !stray_may_be(search->store, branch->parameter);
    for (size_t i = 0; *ret_can && i < trees->count; i++) {
        TRY(stream_add_homes(homes, search->arena, &trees->sources[i]));
    }
    return STATUS_OK;
}

enum status links_by_homes(struct search *search)
{
    if (search->connection->db == NULL || search->query->type != search->store->patient_type) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < search->test_count; i++) {
        struct link *link = search->tests[i].link;
        if (link == NULL || link->state != LINK_OPEN || link->branch_count == 0 ||
            search->tests[i].clause->modifier != STORE_HAS) {
            continue;
        }
        bool only = search->stream_count == 0;
        struct stream *homes = &search->streams[search->stream_count++];
        *homes = (struct stream){.count = 0};
        link->by_homes = true;
        for (size_t j = 0; j < link->branch_count && link->by_homes; j++) {
            TRY(add_homes(search, &search->tests[i], &link->branches[j], homes, &link->by_homes));
        }
        if (link->by_homes) {
            search->gone = search->gone || only;
        } else {
            stream_close(homes);
            search->stream_count--;
        }
    }
    return STATUS_OK;
}

/* One turn: until *looked is UNTIL. */
static enum status forward_turn(struct search *search, struct test *test, uint64_t until)
{
    struct link *link = test->link;
    while (link->state == LINK_OPEN && link->branch_at < link->branch_count) {
        struct branch *branch = &link->branches[link->branch_at];
        if (branch->follow->nothing) {
            link->branch_at++;
            continue;
        }
        if (!branch->settled) {
            TRY(branch_open(search, test, branch));
        }
        struct candidate match;
        struct arena_mark mark = arena_mark(search->scratch);
        branch->forward->pause = until;
        TRY(search_next(branch->forward, link->at, &match));
        if (match.paused) {
            link->at = match.rid;
            arena_rewind(search->scratch, mark);
            return STATUS_OK;
        }
        if (match.rid == STREAM_END) {
            TRY(link->found.count > 0 ? forward_homes(search, link, branch) : STATUS_OK);
            link->branch_at++;
            link->at = 0;
        } else {
            link->at = match.rid + 1;
            TRY(forward_match(search, test, branch, &match));
        }
        arena_rewind(search->scratch, mark);
    }
    if (link->state == LINK_OPEN) {
        TRY(forward_inside(search, test, until));
    }
    return link->state == LINK_OPEN && !link->contains ? forward_done(search, test) : STATUS_OK;
}

enum status links_advance(struct search *search)
{
    for (size_t i = 0; i < search->test_count; i++) {
        struct test *test = &search->tests[i];
        struct link *link = test->link;
        if (link == NULL || link->state != LINK_OPEN) {
            continue;
        }
        uint64_t allowed = search->own + (search->brief || link->by_homes ? 0 : LINK_TURN);
        if (allowed < link->spent + LINK_TURN) {
            continue;
        }
        uint64_t before = *search->looked, until = before + allowed - link->spent;
        bool paused = search->pause != 0 && search->pause < until;
        TRY(forward_turn(search, test, paused ? search->pause : until));
        link->spent += *search->looked - before;
    }
    return STATUS_OK;
}
