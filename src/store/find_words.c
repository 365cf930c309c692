/* SPDX-License-Identifier: MIT */
/* store: searches for words: `_text`, `_content` and `:text`. The blocks of places that have all
 * words make the streams, codes that ever stood beside all words sort out by the facts, and the
 * bodies decide. */
#include "find_int.h"

#define WORDS_MOST 64 /* in one value */

bool parameter_is_words(const struct search_parameter *parameter)
{
    return parameter->expression.length == 0 &&
           (slice_is(parameter->code, "_text") || slice_is(parameter->code, "_content"));
}

/* ---- making ready -------------------------------------------------------------------------------
 */

struct asking {
    struct arena *arena;
    struct slice *words;
    size_t count;
    bool broken;
};

static void ask_word(void *context, struct slice word)
{
    struct asking *asking = context;
    for (size_t i = 0; i < asking->count; i++) {
        if (slice_equals(asking->words[i], word)) {
            return;
        }
    }
    asking->broken = asking->broken || asking->count == WORDS_MOST;
    if (!asking->broken) {
        asking->words[asking->count++] = arena_copy(asking->arena, word);
    }
}

/* Which codes ever stood beside all of the words. */
static enum status find_codes_beside(struct search *search, struct wanted *wanted)
{
    struct number_list list = {.arena = search->arena};
    for (size_t i = 0; i < wanted->word_count; i++) {
        struct statement *statement;
        size_t kept = 0;
        bool row = false;
        TRY(statement_get(search->connection, SQL_CODES_OF_WORD, &statement));
        statement_bind_number(statement, 1, word_number(wanted->words[i]));
        TRY(statement_row(search->connection, statement, &row));
        while (row) {
            int64_t code = statement_number(statement, 0);
            if (i == 0) {
                TRY(list_add(&list, code));
            } else if (list_has(list.items + kept, list.count - kept, code)) {
                /* Both are in order, so what is kept never runs over what is to be looked at. */
                list.items[kept++] = code;
            }
            TRY(statement_row(search->connection, statement, &row));
        }
        list.count = i == 0 ? list.count : kept;
    }
    wanted->numbers = list.items;
    wanted->number_count = list.count;
    return STATUS_OK;
}

enum status prepare_words(struct search *search, const struct test *test, struct wanted *wanted)
{
    struct asking asking = {.arena = search->arena};
    asking.words = arena_array(search->arena, WORDS_MOST, sizeof(*asking.words));
    if (asking.words == NULL) {
        return STATUS_TOO_COSTLY;
    }
    words_each(wanted->value->text, search->arena, ask_word, &asking);
    if (asking.broken || asking.count == 0) {
        return outcome_fail(search->outcome, STATUS_VALUE, "",
                            "Search parameter %.*s: give between 1 and %d words of letters and "
                            "digits.",
                            SLICE_ARGS(test->clause->parameter->code), WORDS_MOST);
    }
    wanted->words = asking.words;
    wanted->word_count = asking.count;
    return test->clause->parameter->kind == SEARCH_TOKEN ? find_codes_beside(search, wanted)
                                                         : STATUS_OK;
}

/* The places of the query's types: a block holds those of all. */
static enum status stream_places(struct search *search)
{
    const struct store_query *query = search->query;
    struct stream *stream = &search->streams[search->stream_count++];
    search->typed = true;
    if (query->type != RESOURCE_TYPE_NONE || query->types == NULL) {
        return stream_add_places(stream, search->connection, search->arena, query->type, INT64_MIN,
                                 INT64_MAX);
    }
    for (size_t i = 0; i < query->type_count; i++) {
        TRY(stream_add_places(stream, search->connection, search->arena, query->types[i], INT64_MIN,
                              INT64_MAX));
    }
    return STATUS_OK;
}

/* Each of them costs something. */
#define CODES_ASKED_FOR 64

/* On a server: whoever has such a value has a code that stood beside all words of one, or none at
 * all. (In a file a step to a place costs so little that its row is read sooner.) *RET_DONE false:
 * there are too many codes, or values without. */
static enum status stream_codes(struct search *search, const struct test *test, bool *ret_done)
{
    struct number_list codes = {.arena = search->arena};
    const struct store_clause *clause = test->clause;
    *ret_done = search->connection->db == NULL && clause->modifier == STORE_TEXT &&
                clause->parameter->kind == SEARCH_TOKEN && !token_has_texts(clause->parameter);
    for (size_t i = 0; i < test->count && *ret_done; i++) {
        const struct wanted *wanted = &test->wanted[i];
        *ret_done = wanted->number_count < CODES_ASKED_FOR;
        for (size_t j = 0; j < wanted->number_count && *ret_done; j++) {
            TRY(list_add(&codes, wanted->numbers[j]));
        }
    }
    TRY(list_add(&codes, CODE_PRESENT));
    list_sort(&codes);
    *ret_done = *ret_done && codes.count <= CODES_ASKED_FOR;
    if (!*ret_done) {
        return STATUS_OK;
    }
    search->typed = true;
    return stream_add_codes(&search->streams[search->stream_count++], search->connection,
                            search->arena, test->parameter, codes.items, codes.count);
}

/* How many blocks have the word, as far as that matters. */
static enum status count_blocks(struct search *search, uint32_t word, size_t *ret_count)
{
    struct statement *statement;
    bool row = false;
    *ret_count = 0;
    TRY(statement_get(search->connection, SQL_WORD_BLOCKS, &statement));
    statement_bind_number(statement, 1, word);
    statement_bind_number(statement, 3, INT64_MIN);
    TRY(statement_row(search->connection, statement, &row));
    while (row && *ret_count < 256) {
        ++*ret_count;
        TRY(statement_row(search->connection, statement, &row));
    }
    statement_reset(statement);
    return STATUS_OK;
}

/* The rarest words of a value first. */
static enum status order_words(struct search *search, struct wanted *wanted)
{
    size_t counts[WORDS_MOST];
    for (size_t i = 0; i < wanted->word_count; i++) {
        struct slice word = wanted->words[i];
        size_t count = 0, at = i;
        TRY(wanted->word_count == 1 ? STATUS_OK : count_blocks(search, word_number(word), &count));
        for (; at > 0 && counts[at - 1] > count; at--) {
            counts[at] = counts[at - 1];
            wanted->words[at] = wanted->words[at - 1];
        }
        counts[at] = count;
        wanted->words[at] = word;
    }
    return STATUS_OK;
}

/* One value: a stream for each of its rarest words. Several: one stream of the rarest of each. */
enum status stream_words(struct search *search, const struct test *test)
{
    size_t streams = 0;
    if (search->tx->writer != NULL) {
        TRY(words_show(search->tx->writer));
    }
    for (size_t i = 0; i < test->count; i++) {
        TRY(order_words(search, &test->wanted[i]));
    }
    if (test->count == 1) {
        const struct wanted *wanted = &test->wanted[0];
        for (; streams < WORD_STREAMS && streams < wanted->word_count; streams++) {
            TRY(stream_add_blocks(&search->streams[search->stream_count++], search->connection,
                                  search->arena, word_number(wanted->words[streams])));
        }
    } else {
        struct stream *stream = &search->streams[search->stream_count++];
        for (size_t i = 0; i < test->count; i++) {
            TRY(stream_add_blocks(stream, search->connection, search->arena,
                                  word_number(test->wanted[i].words[0])));
        }
    }
    bool done = false;
    TRY(stream_codes(search, test, &done));
    return done ? STATUS_OK : stream_places(search);
}

/* ---- by the body --------------------------------------------------------------------------------
 */

struct meeting {
    const struct wanted *wanted;
    struct arena *arena;
    uint64_t met; /* which of the words */
};

static void meet_word(void *context, struct slice word)
{
    struct meeting *meeting = context;
    for (size_t i = 0; i < meeting->wanted->word_count; i++) {
        if (slice_equals(word, meeting->wanted->words[i])) {
            meeting->met |= UINT64_C(1) << i;
        }
    }
}

static void meet_text(void *context, struct slice text)
{
    struct meeting *meeting = context;
    words_each(text, meeting->arena, meet_word, meeting);
}

static bool met_all(const struct meeting *meeting)
{
    return meeting->met == UINT64_MAX >> (64 - meeting->wanted->word_count);
}

bool words_match_value(const struct wanted *wanted, const struct search_path *path,
                       yyjson_val *value, struct arena *arena)
{
    struct meeting meeting = {wanted, arena, 0};
    value_texts(path, value, meet_text, &meeting);
    return met_all(&meeting);
}

bool words_match_resource(const struct store *store, const struct test *test, resource_type type,
                          yyjson_val *resource, struct arena *arena)
{
    bool narrative = slice_is(test->clause->parameter->code, "_text");
    struct slice xhtml = json_get_string(json_get(resource, "text"), "div");
    struct buffer plain = {.arena = arena};
    if (narrative) {
        narrative_text(xhtml, &plain);
    }
    for (size_t i = 0; i < test->count; i++) {
        struct meeting meeting = {&test->wanted[i], arena, 0};
        if (narrative && plain.length > 0) {
            meet_text(&meeting, buffer_slice(&plain));
        } else if (!narrative) {
            resource_texts(store->definitions, type, resource, arena, meet_text, &meeting);
        }
        if (met_all(&meeting)) {
            return true;
        }
    }
    return false;
}
