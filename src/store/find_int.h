/* SPDX-License-Identifier: MIT */
/* store, finding. A search is an intersection of *streams* of places in rising order, made from the
 * trees or from short lists, and of *tests* on a resource's facts; a test that the facts alone
 * cannot decide looks into the body. */
#ifndef CARELAYER_STORE_FIND_INT_H
#define CARELAYER_STORE_FIND_INT_H

#include "store_int.h"

/* ---- streams -----------------------------------------------------------------------------------
 */

/* One ascending run of places: a statement over a tree, or a sorted list. */
struct source {
    struct connection *connection;
    enum statement_number number;
    struct statement statement; /* none: a list */
    int from;                   /* the statement's parameter for the place to begin at */
    uint32_t parameter;         /* of a tree: what its statement is bound to */
    int64_t value;
    int64_t floor;        /* never begin below this */
    int shift;            /* its numbers are of blocks of this many bits of places */
    bool firsts;          /* of each place, the first one of its patient's home counts */
    const int64_t *homes; /* only within these, in order (find_confine.c); NULL: anywhere */
    size_t home_count, home;
    const int64_t *list;
    size_t list_count, list_at;
    int64_t current; /* INT64_MAX: at its end */
    bool started;
};

/* The union of sources; its places rise and do not repeat. */
struct stream {
    struct source *sources;
    size_t count, capacity;
    int64_t current;
    size_t asked, kept, rests; /* of blocks, by find_agree.c: how much it lets through, and how
                                  often it need not be asked, since that is nearly everything */
};

#define STREAM_END INT64_MAX

/* On a server, lets the streams of a search that is about one person, or a few, go only where
 * resources can be that concern them: to one partition in most cases, and not to all. Before they
 * are read. *RET_CONFINED: it is about such. */
struct search;
MUST_CHECK enum status search_confine(struct search *search, bool *ret_confined);
/* Search is for what any of several find that are one stream each, of which BRANCH is one: whom it
 * is about. */
void search_note_people(struct search *search, const struct search *branch);

MUST_CHECK enum status stream_add_tree(struct stream *stream, struct connection *connection,
                                       struct arena *arena, enum statement_number number,
                                       uint32_t parameter, int64_t value);
/* On a server: of any of the codes, which last. */
MUST_CHECK enum status stream_add_codes(struct stream *stream, struct connection *connection,
                                        struct arena *arena, uint32_t parameter,
                                        const int64_t *codes, size_t count);
MUST_CHECK enum status stream_add_text(struct stream *stream, struct connection *connection,
                                       struct arena *arena, uint32_t parameter, struct slice key);
/* The first places of the homes in which places of LIKE are, a tree. */
MUST_CHECK enum status stream_add_homes(struct stream *stream, struct arena *arena,
                                        const struct source *like);
/* Places of TYPE (NONE: all) in [low, high). */
MUST_CHECK enum status stream_add_places(struct stream *stream, struct connection *connection,
                                         struct arena *arena, resource_type type, int64_t low,
                                         int64_t high);
MUST_CHECK enum status stream_add_members(struct stream *stream, struct connection *connection,
                                          struct arena *arena, uint32_t patient);
/* Every place, used or not, of the blocks that have the word. */
MUST_CHECK enum status stream_add_blocks(struct stream *stream, struct connection *connection,
                                         struct arena *arena, uint32_t word);
MUST_CHECK enum status stream_add_list(struct stream *stream, struct arena *arena,
                                       const int64_t *list, size_t count);
/* Moves to the first place >= RID; stream->current says which. */
MUST_CHECK enum status stream_seek(struct stream *stream, int64_t rid);
/* Back to before its beginning: the next seek may go anywhere. */
void stream_rewind(struct stream *stream);
/* Makes the one source of a stream made by stream_add_tree read another value; rewinds. */
void stream_aim(struct stream *stream, int64_t value);
/* Moves the sources of FROM to the end of TO. */
MUST_CHECK enum status stream_take(struct stream *to, struct arena *arena, struct stream *from);
/* Makes it a list, when it has no more than LIMIT places. Rewinds. */
MUST_CHECK enum status stream_gather(struct stream *stream, struct arena *arena, size_t limit);
/* How many places come behind the current one. Only of a stream of one source, not of blocks. */
MUST_CHECK enum status stream_rest(struct stream *stream, uint64_t *ret_count);
void stream_close(struct stream *stream);
/* On a server: its first ROWS places will be read soon, so they are asked for and not waited for.
 */
MUST_CHECK enum status stream_foresee(struct stream *stream, size_t rows);
/* How many places, counting no further than LIMIT. Leaves the stream at its beginning. */
MUST_CHECK enum status stream_probe(struct stream *stream, size_t limit, size_t *ret_count);

/* ---- tests -------------------------------------------------------------------------------------
 */

enum match { MATCH_NO, MATCH_YES, MATCH_MAYBE };

/* One value of a clause made ready to compare with facts. */
struct wanted {
    const struct store_value *value;
    int64_t *numbers; /* codes, units or targets, sorted */
    size_t number_count;
    struct slice key; /* text: the whole key, or what it begins with */
    bool key_begins;
    bool key_cut;   /* longer than a key: the body decides */
    int64_t system; /* "system|": the code that stands for it; else 0 */
    bool any_unit;
    bool canonical;    /* in canonical units, and this one */
    struct slice unit; /* of it */
    double number, low, high;
    struct decimal exact, exact_low, exact_high; /* what those were made of */
    struct slice *words;                         /* folded */
    size_t word_count;
};

struct number_list {
    struct arena *arena;
    int64_t *items;
    size_t count, capacity;
};
MUST_CHECK enum status list_add(struct number_list *list, int64_t number);
/* In order, each once. */
void list_sort(struct number_list *list);
bool list_has(const int64_t *items, size_t count, int64_t number);
enum test_kind {
    TEST_FACTS,     /* by the row's facts, and by the body where these leave a doubt */
    TEST_LINK,      /* by what it leads to, or by what leads to it */
    TEST_COMPOSITE, /* by the body */
    TEST_NEAR,
    TEST_INSIDE /* by what it contains */
};

struct link;
struct composite;
struct range;
struct search;

struct test {
    enum test_kind kind;
    const struct store_clause *clause;
    uint32_t parameter; /* even */
    struct wanted *wanted;
    size_t count;
    bool streamed; /* a stream holds exactly what this would let through */
    bool denied;   /* a stream of the search's denied ones holds exactly what it would not */
    bool sifted;   /* a stream does, but for the doubts among its places */
    const int64_t *doubts;
    size_t doubt_count;
    struct link *link;
    const struct composite *composite;
};

/* More numbers than this are first asked whether any resource has them. */
#define KEEP_USED_ABOVE 64

/* The numbers of all codes that "system|code", "|code", "code" or "system|" mean, in order. */
MUST_CHECK enum status find_codes(struct search *search, const struct store_value *value,
                                  bool exact_case, struct number_list *list);
/* Does the value mean this token of a resource, which is text still? */
MUST_CHECK enum status token_is(struct search *search, const struct store_value *value,
                                const struct fact *fact, bool *ret_match);
MUST_CHECK enum status prepare_token(struct search *search, const struct test *test,
                                     struct wanted *wanted);
/* May its values be texts, and not only codes? */
bool token_has_texts(const struct search_parameter *parameter);
MUST_CHECK enum status prepare_quantity(struct search *search, struct wanted *wanted);
MUST_CHECK enum status prepare_number(struct wanted *wanted);

/* ---- words -------------------------------------------------------------------------------------
 */

/* `_text` or `_content`, which are no index values. */
bool parameter_is_words(const struct search_parameter *parameter);
MUST_CHECK enum status prepare_words(struct search *search, const struct test *test,
                                     struct wanted *wanted);
/* Streams that a clause for words has at most, beside one of the places of the type. */
#define WORD_STREAMS 4
MUST_CHECK enum status stream_words(struct search *search, const struct test *test);
bool words_match_value(const struct wanted *wanted, const struct search_path *path,
                       yyjson_val *value, struct arena *arena);
bool words_match_resource(const struct store *store, const struct test *test, resource_type type,
                          yyjson_val *resource, struct arena *arena);

/* Is URI the same as BELOW, or that of something above it in the path? */
bool uri_is_above(struct slice uri, struct slice below);
enum match test_facts(const struct test *test, struct slice facts);
/* One value alone, of the test's parameter. */
enum match test_fact(const struct test *test, const struct wanted *wanted, const struct fact *fact);
/* Under which parameter its texts stand: identifiers of references have one of their own. */
uint32_t test_text_parameter(const struct test *test);
/* The same by the body itself. */
MUST_CHECK enum status test_body(const struct store *store, const struct test *test,
                                 resource_type type, yyjson_val *resource, struct arena *arena,
                                 bool *ret_match);

/* One value of the parameter alone: does it match any of what the test wants? */
MUST_CHECK enum status test_body_value(const struct test *test, const struct search_path *path,
                                       yyjson_val *value, struct arena *arena, bool *ret_match);

/* ---- sorting -----------------------------------------------------------------------------------
 */

enum column_kind { COLUMN_UPDATED, COLUMN_ID, COLUMN_FACTS, COLUMN_LACKING };
struct column {
    enum column_kind kind;
    bool descending;
    uint32_t parameter; /* of facts, even */
    enum search_kind search_kind;
};
#define SORT_KEY  256 /* bytes of a sort key that count */
#define SORT_TEXT 48  /* bytes of a text in it */
#define SORT_ID   64
struct sort_key {
    uint8_t bytes[SORT_KEY];
    size_t length;
};

/* The first MOST of all that were added, in order, each once. */
struct ranked {
    struct sort_key key;
    int64_t rid;
};
struct ranking {
    struct ranked *items;
    size_t count, most;
};
int sort_key_compare(const struct sort_key *a, const struct sort_key *b);
MUST_CHECK enum status ranking_make(struct arena *arena, size_t most, struct ranking *ret_ranking);
void ranking_add(struct ranking *ranking, const struct ranked *item);

/* ---- the search --------------------------------------------------------------------------------
 * A query made ready. It can give its matches in the order of places, and can say of one place
 * whether it is a match; so it can stand in another search's clause. */

struct search {
    struct store_tx *tx;
    struct connection *connection;
    const struct store *store;
    const struct store_query *query; /* its type is one type, or there are no clauses and ids */
    struct arena *arena;             /* as long as the search */
    struct arena *scratch;           /* of one candidate */
    struct outcome *outcome;
    unsigned depth;   /* 0: not nested */
    uint64_t *looked; /* candidates looked at, nested searches included */
    struct stream *streams;
    size_t stream_count;
    struct stream *denied; /* what must not be in these; read at the same places */
    size_t denied_count;
    struct test *tests;
    size_t test_count;
    struct range *ranges;
    size_t range_count;
    struct column *columns; /* what it is sorted by */
    size_t column_count;
    const int64_t *ids; /* places of the query's ids, sorted */
    size_t id_count;
    struct number_list
        about;              /* patients whom all matches refer to, one or another; none: unknown */
    const uint32_t *person; /* with has_patient */
    size_t person_count;
    struct search *inside; /* it is for what contains a match of this one; NULL: it is not */
    bool nothing;          /* some clause can match nothing */
    bool typed;            /* some stream holds only the type asked for */
    bool brief;            /* some stream is known to be short */
    bool narrow;           /* there is a stream beside that of all places */
    bool gone;             /* the only stream may have places where nothing lives any more */
    bool all;              /* the first stream is that, for want of another */
    bool wants_row;        /* candidates come with their row even if nothing must be tested */
    bool every;            /* all matches are wanted, however many */
    bool races;            /* it gives matches, so that its links may become streams meanwhile */
    uint64_t own;          /* looks spent on its own candidates */
    uint64_t matched;      /* matches that search_next gave */
    uint64_t pause;        /* search_next gives up once *looked is this; 0: never */
    uint64_t asked;        /* how often search_has was */
    int64_t ahead;         /* of several searches: its next candidate */
    struct ahead *coming;  /* on a server: candidates read ahead (find_ahead.c); NULL: none yet */
    uint64_t turn;         /* how often its streams became others */
};

/* What a row says of a candidate. Facts lie in scratch. */
struct candidate {
    struct search *search;
    int64_t rid, updated;
    resource_type type;
    struct slice facts;
    struct slice id; /* as text, when it is sorted by */
    bool paused;     /* not found yet: to go on from RID */
};

/* A search for QUERY in the clause of another, prepared. */
MUST_CHECK enum status search_nest(struct search *parent, const struct store_query *query,
                                   struct search **ret_search);
/* A search for another QUERY of the same snapshot, prepared. */
MUST_CHECK enum status search_beside(const struct search *other, const struct store_query *query,
                                     struct search **ret_search);
/* Clauses into tests and streams. Everything that must be refused is refused here. */
MUST_CHECK enum status search_prepare(struct search *search);
/* Streams enough to find all matches in order: once, after search_prepare, before search_next. */
MUST_CHECK enum status search_settle(struct search *search);
void search_close(struct search *search);
void search_rewind(struct search *search);
/* The next place >= FROM that all streams have. *RET_PAUSED: not found yet, none is before it. */
MUST_CHECK enum status search_candidate(struct search *search, int64_t from, int64_t *ret_rid,
                                        bool *ret_paused);
/* The same without a thought of other ways to search, one by one. */
MUST_CHECK enum status search_agree(struct search *search, int64_t from, int64_t *ret_rid,
                                    bool *ret_paused);
/* Must the row be read to tell whether the candidate is a match? */
bool search_needs_row(const struct search *search, int64_t rid);
/* And its body, when these are its facts? */
bool search_needs_body(const struct search *search, int64_t rid, struct slice facts);
/* May the place be a match, as far as streams can tell? Leaves them anywhere. */
MUST_CHECK enum status search_has(struct search *search, int64_t rid, bool *ret_has);
/* Sorts the places, at most AHEAD_MOST, and keeps those that may. */
MUST_CHECK enum status search_has_many(struct search *search, int64_t *rids, size_t *count);
/* Does the candidate, which all streams have, pass all tests? */
MUST_CHECK enum status search_test(struct search *search, int64_t rid, struct candidate *candidate,
                                   bool *ret_match);
/* The next match at or after FROM; candidate->rid is STREAM_END when there is none. Scratch is the
 * caller's to rewind. */
MUST_CHECK enum status search_next(struct search *search, int64_t from,
                                   struct candidate *candidate);
/* Is the current resource at RID, if there is one, a match? No stream is asked. */
MUST_CHECK enum status search_matches(struct search *search, int64_t rid,
                                      struct candidate *candidate, bool *ret_match);
/* Counts one look; STATUS_TOO_COSTLY after the deadline. */
MUST_CHECK enum status search_look(struct search *search);

/* ---- ahead (find_ahead.c): on a server many rows come in one journey ---------------------------
 */

#define AHEAD_MOST 512
/* As search_candidate, of a search whose candidates' rows must be read, or that has several
 * streams.
 */
MUST_CHECK enum status ahead_candidate(struct search *search, int64_t from, int64_t *ret_rid,
                                       bool *ret_paused);
/* The rows of these places will be asked for: at most AHEAD_MOST count. Forgets those before. */
MUST_CHECK enum status rows_expect(struct search *search, const int64_t *rids, size_t count);
/* The row, with the columns of SQL_FILTER_ROW; *RET_THERE false: nothing is at the place. False: it
 * was not expected. */
bool rows_recall(struct search *search, int64_t rid, struct statement **ret_statement,
                 bool *ret_there);
/* Can its streams be asked about many places at once (find_agree.c)? And are there several, so that
 * it is better to? */
bool agree_can_be_asked(const struct search *search);
bool agree_at_once(const struct search *search);
/* Keeps those of at most AHEAD_MOST places, in order, that the stream has. */
MUST_CHECK enum status agree_keep(struct search *search, const struct stream *stream, int64_t *rids,
                                  size_t *count);
/* As search_agree, of about MOST places from *FROM on, which is then behind them: STREAM_END, there
 * are no more. *RET_KNOWN false: it cannot be done in this way. */
MUST_CHECK enum status agree_many(struct search *search, int64_t *from, size_t most,
                                  int64_t *ret_rids, size_t *ret_count, bool *ret_known);
#define CANDIDATES_OF_A_LOOK 2 /* that some stream lacks */
/* On a server, of at most AHEAD_MOST places in order: which refer by PARAMETER to the patient in
 * whose home they are. */
MUST_CHECK enum status agree_on_home(struct search *search, uint32_t parameter, const int64_t *rids,
                                     size_t count, bool *ret_has);
/* Forgets the candidates. */
void ahead_drop(struct search *search);
void ahead_close(struct search *search);

/* Is every place of its one stream a match? Behind the last match, *RET_REST more come. */
MUST_CHECK enum status search_rest(struct search *search, bool *ret_known, uint64_t *ret_rest);

/* Must a query across types be asked of one type after the other? */
bool query_needs_types(const struct store_query *query);
/* The query asked of TYPE, with its own parameters of the same codes; *RET_QUERY NULL: it lacks
 * one. */
MUST_CHECK enum status query_for_type(const struct store *store, struct arena *arena,
                                      const struct store_query *query, resource_type type,
                                      const struct store_query **ret_query);

MUST_CHECK enum status search_refuse(struct search *search, const struct store_clause *clause,
                                     const char *text);
MUST_CHECK enum status search_not_ready(struct search *search,
                                        const struct search_parameter *parameter);

/* Makes the clause's test, and its stream when it has one. */
MUST_CHECK enum status clause_prepare(struct search *search, const struct store_clause *clause);

/* ---- ranges: tests that come to runs of a tree -------------------------------------------------
 */

/* Begins with them: what is short becomes a stream at once. After the other streams are there. */
MUST_CHECK enum status ranges_prepare(struct search *search);
/* Goes on as far as is fair. */
MUST_CHECK enum status ranges_advance(struct search *search);
void ranges_close(struct search *search);

/* Which beginnings within [LOW, END) surely are of matches of all COUNT values, whatever the dates'
 * width in their class. False: none. */
bool dates_sure(const struct wanted *const *wanted, size_t count, enum date_class span,
                int64_t *low, int64_t *end);

/* Has no resource of the type more than one value of the parameter? */
bool parameter_is_single(const struct store *store, resource_type type,
                         const struct search_parameter *parameter);

#define PAIR_CODES 64
/* A pair (pairs.c) of what a test asks for by codes, *RET_CODES, and the parameter that stands
 * under SECOND: its rows with these codes are of what passes that test. NULL: there is none. */
MUST_CHECK enum status pair_of_search(struct search *search, uint32_t second,
                                      const struct pair **ret_pair, const int64_t **ret_codes,
                                      size_t *ret_count);

/* ---- what is asked for -------------------------------------------------------------------------
 */

/* One search, or one for each type of a query across types, whose matches are merged. */
struct finder {
    struct search root;    /* of one type; else only what the others share */
    struct search **parts; /* the searches */
    size_t part_count;
    const struct store_query *query;
    struct arena *answer;  /* the caller's */
    struct search *inside; /* what contained resources must match; NULL: none are asked */
    uint64_t looked;
    uint64_t pause; /* next_match gives up once looked is this; 0: never */
};

MUST_CHECK enum status finder_next(struct finder *finder, int64_t from,
                                   struct candidate *candidate);
void finder_rewind(struct finder *finder);
/* Matches of all parts, exactly when they are few. */
MUST_CHECK enum status finder_estimate(struct finder *finder, uint64_t *ret_total);

/* ---- links: chains, their reverse, and any of several queries ---------------------------------
 */

#define LIST_LIMIT 20000 /* places that are worth a list */

MUST_CHECK enum status link_prepare(struct search *search, const struct store_clause *clause);
MUST_CHECK enum status link_test(struct search *search, const struct test *test,
                                 const struct candidate *candidate, bool *ret_match);
/* What candidates with these facts will ask of other resources is read at once. */
MUST_CHECK enum status link_expect(struct search *search, const struct test *test,
                                   const struct slice *facts, size_t count);
/* Streams of the patients in whose homes are matches of what must refer to them, where nobody else
 * can be referred to. After the other streams are there. */
MUST_CHECK enum status links_by_homes(struct search *search);
/* Goes on with finding what the open links lead to, as far as is fair. */
MUST_CHECK enum status links_advance(struct search *search);
void link_close(struct link *link);
struct place_body;
/* The same of a resource that is contained in the one at RID. */
MUST_CHECK enum status link_test_contained(struct search *search, const struct test *test,
                                           const struct place_body *place, int64_t rid,
                                           yyjson_val *resource, bool *ret_match);

/* ---- contained resources -----------------------------------------------------------------------
 * They have no rows of their own: the body alone decides. */

/* Is RESOURCE, contained in the one at RID, a match of the search? */
MUST_CHECK enum status contained_matches(struct search *search, const struct place_body *place,
                                         int64_t rid, yyjson_val *resource, bool *ret_match);
/* Makes the test and the stream of a search that is for what contains. */
MUST_CHECK enum status inside_prepare(struct search *search);
/* Does the current resource at RID contain a match of INSIDE? With RET_INSIDE: which, in ARENA,
 * with the patients of VERSION, which is at that place. */
MUST_CHECK enum status inside_test(struct search *inside, int64_t rid, bool *ret_match);
MUST_CHECK enum status inside_collect(struct search *inside, int64_t rid,
                                      const struct store_version *version, struct arena *arena,
                                      struct store_inside *ret_inside);
/* Do values that have no numbers match any of what the test wants? *RET_DECIDED false: ask the
 * body.
 */
MUST_CHECK enum status raw_matches(struct search *search, const struct test *test,
                                   const struct facts *raw, bool *ret_decided, bool *ret_match);

/* ---- by the body alone -------------------------------------------------------------------------
 */

MUST_CHECK enum status composite_prepare(struct search *search, const struct store_clause *clause);
MUST_CHECK enum status composite_test(struct search *search, const struct test *test, int64_t rid,
                                      bool *ret_match);
MUST_CHECK enum status composite_test_contained(struct search *search, const struct test *test,
                                                const struct place_body *place,
                                                yyjson_val *resource, bool *ret_match);
MUST_CHECK enum status near_prepare(struct search *search, const struct store_clause *clause);
MUST_CHECK enum status near_test(struct search *search, const struct test *test, int64_t rid,
                                 bool *ret_match);
bool near_test_body(const struct test *test, yyjson_val *location);

/* ---- hierarchies ------------------------------------------------------------------------------
 */

/* Adds the numbers of what the value names and of all below or above it. */
MUST_CHECK enum status tree_prepare(struct search *search, const struct store_clause *clause,
                                    const struct store_value *value,
                                    struct number_set *ret_entities);

/* ---- references as rows of the directory -------------------------------------------------------
 */

/* The first change of a resource of the type with this number or a greater one; 0: none. */
MUST_CHECK enum status change_after(struct connection *connection, resource_type type, int64_t from,
                                    int64_t *ret_change, int64_t *ret_rid);
/* The last one; 0: none. */
MUST_CHECK enum status change_last(struct connection *connection, resource_type type,
                                   int64_t *ret_change);
/* The first that was at TIME or later, or one past the last. */
MUST_CHECK enum status change_since(struct connection *connection, resource_type type, int64_t time,
                                    int64_t *ret_change);
/* When it was. RID: where its resource was put. */
MUST_CHECK enum status change_time(struct connection *connection, int64_t change, int64_t rid,
                                   int64_t *ret_updated);
/* When the row at RID was put; *RET_CURRENT: and that was the change. */
MUST_CHECK enum status place_time(struct connection *connection, int64_t rid, int64_t change,
                                  int64_t *ret_updated, bool *ret_current);

struct place_body {
    resource_type type;
    struct slice base_url; /* that it was put under, where that matters */
    yyjson_val *root;      /* NULL: nothing is there */
};
MUST_CHECK enum status place_body_read(struct store_tx *tx, int64_t rid, struct arena *arena,
                                       struct place_body *ret_body);
/* The same from the columns of SQL_PLACE_BODY. */
MUST_CHECK enum status place_body_of_row(struct store_tx *tx, const struct statement *statement,
                                         struct arena *arena, struct place_body *ret_body);
/* The same in scratch; on a server candidates to come are read with it (find_ahead.c). */
MUST_CHECK enum status search_body_read(struct search *search, int64_t rid,
                                        struct place_body *ret_body);

struct target {
    resource_type type;
    struct entry entry; /* known */
};
/* What the current resource at RID refers to by PARAMETER of its type (NULL: by any), out of its
 * body. */
MUST_CHECK enum status targets_of_place(struct store_tx *tx, int64_t rid,
                                        const struct search_parameter *parameter,
                                        struct arena *arena, struct target **ret_targets,
                                        size_t *ret_count);
/* The number by which references name the current resource at RID; 0: there is none. */
MUST_CHECK enum status place_entity(struct store_tx *tx, int64_t rid, int64_t *ret_entity);

MUST_CHECK enum status sort_key_make(const struct candidate *candidate, struct sort_key *ret_key);
/* Parts of a key, as sort_key_make writes them. */
void sort_add_updated(struct sort_key *key, int64_t updated, bool descending);
void sort_add_place(struct sort_key *key, int64_t rid);
void sort_add_id(struct sort_key *key, struct slice id, bool descending);
void sort_add_text(struct sort_key *key, struct slice text, bool descending);
MUST_CHECK enum status sort_add_fact(struct search *search, struct sort_key *key,
                                     const struct fact *fact, bool descending);
MUST_CHECK enum status sort_code_text(struct search *search, int64_t number, struct arena *arena,
                                      struct slice *ret_text);
/* Adds the first matches behind AFTER by walking the tree of the first column. *RET_DONE false:
 * they may not be all that there should be; rank instead. Only for a search of one type without a
 * patient. */
MUST_CHECK enum status search_walk(struct search *search, const struct sort_key *after,
                                   struct ranking *ranking, bool *ret_done);
/* Does that walk come by nothing but what some test asks for? */
MUST_CHECK enum status search_walks_pairs(struct search *search, bool *ret_walks);
/* Makes the columns. */
MUST_CHECK enum status sorts_prepare(struct search *search);

#endif
