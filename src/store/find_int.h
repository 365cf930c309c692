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
    sqlite3_stmt *statement; /* NULL: a list */
    int from;                /* the statement's parameter for the place to begin at */
    int64_t floor;           /* never begin below this */
    int shift;               /* its numbers are of blocks of this many bits of places */
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
};

#define STREAM_END INT64_MAX

MUST_CHECK enum status stream_add_tree(struct stream *stream, struct connection *connection,
                                       struct arena *arena, enum statement_number number,
                                       uint32_t parameter, int64_t value);
MUST_CHECK enum status stream_add_text(struct stream *stream, struct connection *connection,
                                       struct arena *arena, uint32_t parameter, struct slice key);
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
void stream_close(struct stream *stream);
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

struct search;

struct test {
    const struct store_clause *clause;
    uint32_t parameter; /* even */
    struct wanted *wanted;
    size_t count;
    bool streamed; /* a stream holds exactly what this would let through */
};

/* More numbers than this are first asked whether any resource has them. */
#define KEEP_USED_ABOVE 64

/* The numbers of all codes that "system|code", "|code", "code" or "system|" mean, in order. */
MUST_CHECK enum status find_codes(struct search *search, const struct store_value *value,
                                  bool exact_case, struct number_list *list);
MUST_CHECK enum status prepare_token(struct search *search, const struct test *test,
                                     struct wanted *wanted);
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
/* The same by the body itself. */
MUST_CHECK enum status test_body(const struct store *store, const struct test *test,
                                 resource_type type, yyjson_val *resource, struct arena *arena,
                                 bool *ret_match);

/* ---- the search --------------------------------------------------------------------------------
 */

struct search {
    struct store_tx *tx;
    struct connection *connection;
    const struct store *store;
    const struct store_query *query;
    struct arena *arena, *scratch;
    struct outcome *outcome;
    struct stream *streams;
    size_t stream_count;
    struct test *tests;
    size_t test_count;
    const uint32_t *person; /* with has_patient */
    size_t person_count;
    bool nothing; /* some clause can match nothing */
    bool typed;   /* some stream holds only the type asked for */
    uint64_t looked;
};

/* Makes the clause's test, and its stream when it has one. */
MUST_CHECK enum status clause_prepare(struct search *search, const struct store_clause *clause);
/* A list of places that holds all matches of the test, when it is no longer than LIMIT. *RET_LIST
 * NULL: there is none. */
MUST_CHECK enum status test_range(struct search *search, const struct test *test, size_t limit,
                                  const int64_t **ret_list, size_t *ret_count);

#define SORT_KEY 256 /* bytes of a sort key that count */
struct sort_key {
    uint8_t bytes[SORT_KEY];
    size_t length;
};
MUST_CHECK enum status sort_key_make(struct search *search, int64_t rid, int64_t updated,
                                     struct slice facts, struct sort_key *ret_key);
MUST_CHECK enum status sorts_check(struct search *search);

#endif
