/* SPDX-License-Identifier: MIT */
/* store: clauses made ready: texts become numbers and keys, and what is exact becomes a stream. */
#include "find_int.h"

/* More codes than this for one value ("system|") are tested for, not streamed. */
#define STREAM_SOURCES 64
/* More codes than this that a candidate must not have are looked for in its row. */
#define DENIED_SOURCES 8

static enum status add_target(struct search *search, resource_type type,
                              const struct packed_id *key, struct number_list *list)
{
    struct entry entry;
    TRY(directory_find(search->tx, type, key, &entry));
    return entry.known ? list_add(list, entry.entity) : STATUS_OK;
}

/* Every Patient that is the same person. */
static enum status add_person(struct search *search, const struct packed_id *key,
                              struct number_list *list)
{
    struct entry entry;
    const uint32_t *patients = NULL;
    size_t count = 0;
    TRY(directory_find(search->tx, search->store->patient_type, key, &entry));
    if (entry.known) {
        TRY(store_person_patients(search->tx, place_patient(entry.rid), search->arena, &patients,
                                  &count));
    }
    for (size_t i = 0; i < count; i++) {
        TRY(list_add(list, -(int64_t)patients[i]));
    }
    return STATUS_OK;
}

static enum status prepare_reference(struct search *search,
                                     const struct search_parameter *parameter,
                                     struct wanted *wanted)
{
    const struct store_value *value = wanted->value;
    struct packed_id key;
    struct number_list list = {.arena = search->arena};
    if (value->id.length == 0) {
        wanted->key = value->text;
        return STATUS_OK;
    }
    if (!id_pack(value->id, &key)) {
        return STATUS_OK;
    }
    if (value->person && value->target == search->store->patient_type) {
        TRY(add_person(search, &key, &list));
    } else if (value->target != RESOURCE_TYPE_NONE) {
        TRY(add_target(search, value->target, &key, &list));
    } else if (parameter->target_count > 0) {
        for (size_t i = 0; i < parameter->target_count; i++) {
            TRY(add_target(search, parameter->targets[i], &key, &list));
        }
    } else {
        resource_type last = resource_type_count(search->store->definitions);
        for (resource_type type = 1; type <= last; type++) {
            TRY(add_target(search, type, &key, &list));
        }
    }
    list_sort(&list);
    wanted->numbers = list.items;
    wanted->number_count = list.count;
    return STATUS_OK;
}

/* What the values of :below and :above come to. */
static enum status prepare_tree(struct search *search, const struct store_clause *clause,
                                struct wanted *wanted)
{
    struct number_set entities = {.arena = search->arena};
    TRY(tree_prepare(search, clause, wanted->value, &entities));
    struct number_list list = {search->arena, entities.items, entities.count, entities.capacity};
    list_sort(&list);
    wanted->numbers = list.items;
    wanted->number_count = list.count;
    return STATUS_OK;
}

/* Every text begins with no text: what is only spaces or accents would find everybody. */
static enum status prepare_string(struct search *search, const struct store_clause *clause,
                                  struct wanted *wanted)
{
    struct buffer folded = {.arena = search->arena};
    text_fold(wanted->value->text, &folded);
    if (!buffer_ok(&folded)) {
        return STATUS_TOO_COSTLY;
    }
    if (folded.length == 0 && clause->modifier != STORE_EXACT) {
        return outcome_fail(search->outcome, STATUS_VALUE, "",
                            "Search parameter %.*s: give a text with a letter, digit or sign that "
                            "counts; spaces and accents alone do not.",
                            SLICE_ARGS(clause->parameter->code));
    }
    wanted->key = folded.length > 0 ? buffer_slice(&folded) : SLICE("");
    return STATUS_OK;
}

static enum status prepare_value(struct search *search, const struct test *test,
                                 struct wanted *wanted)
{
    const struct store_clause *clause = test->clause;
    if (clause->modifier == STORE_TEXT || parameter_is_words(clause->parameter)) {
        return prepare_words(search, test, wanted);
    }
    switch (clause->parameter->kind) {
    case SEARCH_TOKEN:
        return prepare_token(search, test, wanted);
    case SEARCH_REFERENCE:
        if (clause->modifier == STORE_BELOW || clause->modifier == STORE_ABOVE) {
            return prepare_tree(search, clause, wanted);
        }
        return clause->modifier == STORE_IDENTIFIER
                   ? prepare_token(search, test, wanted)
                   : prepare_reference(search, clause->parameter, wanted);
    case SEARCH_STRING:
        return prepare_string(search, clause, wanted);
    case SEARCH_URI:
        wanted->key = wanted->value->text;
        return STATUS_OK;
    case SEARCH_NUMBER:
        return prepare_number(wanted);
    case SEARCH_QUANTITY:
        return prepare_quantity(search, wanted);
    case SEARCH_DATE:
        return STATUS_OK;
    case SEARCH_COMPOSITE:
    case SEARCH_SPECIAL:
        break;
    }
    return STATUS_NOT_SUPPORTED;
}

/* ---- streams ------------------------------------------------------------------------------------
 */

/* Can places be read from a tree in order, and are these exactly the matches? */
static bool is_streamable(const struct test *test)
{
    const struct store_clause *clause = test->clause;
    size_t sources = 0;
    bool token = clause->parameter->kind == SEARCH_TOKEN;
    bool kind = (token && (clause->modifier == STORE_PLAIN || clause->modifier == STORE_NOT)) ||
                (clause->parameter->kind == SEARCH_REFERENCE &&
                 (clause->modifier == STORE_PLAIN || clause->modifier == STORE_IDENTIFIER ||
                  clause->modifier == STORE_BELOW || clause->modifier == STORE_ABOVE));
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        sources += wanted->number_count + (wanted->key.at != NULL) + (wanted->system != 0);
        if (wanted->key_begins || wanted->key_cut ||
            (test->clause->modifier == STORE_PLAIN && !token &&
             wanted->key.length >= TEXT_KEY_LIMIT)) {
            return false;
        }
    }
    return kind && sources <= STREAM_SOURCES;
}

/* Identifiers of references stand under a number of their own. */
uint32_t test_text_parameter(const struct test *test)
{
    return test->parameter + (test->clause->modifier == STORE_IDENTIFIER);
}

static enum status stream_of(struct search *search, const struct test *test, struct stream *stream)
{
    bool token = test->clause->parameter->kind == SEARCH_TOKEN;
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        for (size_t j = 0; j < wanted->number_count; j++) {
            TRY(stream_add_tree(stream, search->connection, search->arena,
                                token ? SQL_TOKEN_RIDS : SQL_REFERENCE_RIDS, test->parameter,
                                wanted->numbers[j]));
        }
        if (wanted->system != 0) {
            TRY(stream_add_tree(stream, search->connection, search->arena, SQL_TOKEN_RIDS,
                                test->parameter + 1, wanted->system));
        }
        if (wanted->key.at != NULL) {
            TRY(stream_add_text(stream, search->connection, search->arena,
                                test_text_parameter(test), wanted->key));
        }
    }
    return STATUS_OK;
}

static enum status check_clause(struct search *search, const struct store_clause *clause,
                                uint32_t *ret_parameter)
{
    enum search_kind kind = clause->parameter->kind;
    if (parameter_is_words(clause->parameter)) {
        bool plain = clause->modifier == STORE_PLAIN && clause->value_count > 0;
        return plain ? STATUS_OK
                     : search_refuse(search, clause, "this modifier is not supported with it.");
    }
    const struct parameter *known =
        store_parameter(search->store, search->query->type, clause->parameter);
    if (known == NULL && !store_learning(search->store)) {
        return search_refuse(search, clause, "this server does not index it.");
    }
    if (known == NULL || !parameter_is_ready(known, search->connection)) {
        return search_not_ready(search, clause->parameter);
    }
    bool fits = false;
    switch (clause->modifier) {
    case STORE_PLAIN:
    case STORE_MISSING:
        fits = true;
        break;
    case STORE_NOT:
        fits = kind == SEARCH_TOKEN;
        break;
    case STORE_EXACT:
        fits = kind == SEARCH_STRING;
        break;
    case STORE_CONTAINS:
        fits = kind == SEARCH_STRING || kind == SEARCH_URI;
        break;
    case STORE_BELOW:
    case STORE_ABOVE:
        fits = kind == SEARCH_URI || kind == SEARCH_REFERENCE;
        break;
    case STORE_IDENTIFIER:
        fits = kind == SEARCH_REFERENCE;
        break;
    case STORE_TEXT:
        fits = kind == SEARCH_TOKEN || kind == SEARCH_REFERENCE;
        break;
    case STORE_OF_TYPE:
        fits = kind == SEARCH_TOKEN;
        break;
    default:
        break;
    }
    if (!fits || clause->value_count == 0) {
        return search_refuse(search, clause, "this modifier is not supported with it.");
    }
    *ret_parameter = known->number * 2;
    return STATUS_OK;
}

/* The tree of codes is smaller than the rows. Not on a server, where these come many at once. */
static enum status deny(struct search *search, struct test *test)
{
    struct stream *stream = &search->denied[search->denied_count++];
    *stream = (struct stream){.count = 0};
    TRY(stream_of(search, test, stream));
    test->denied = stream->count <= DENIED_SOURCES;
    if (!test->denied) {
        stream_close(stream);
        search->denied_count--;
    }
    return STATUS_OK;
}

enum status clause_prepare(struct search *search, const struct store_clause *clause)
{
    struct test *test = &search->tests[search->test_count];
    test->clause = clause;
    TRY(check_clause(search, clause, &test->parameter));
    test->wanted = arena_array(search->arena, clause->value_count, sizeof(*test->wanted));
    if (test->wanted == NULL) {
        return STATUS_TOO_COSTLY;
    }
    search->test_count++;
    if (clause->modifier == STORE_MISSING) {
        return STATUS_OK;
    }
    test->count = clause->value_count;
    for (size_t i = 0; i < test->count; i++) {
        test->wanted[i].value = &clause->values[i];
        TRY(prepare_value(search, test, &test->wanted[i]));
    }
    if (clause->modifier == STORE_TEXT || parameter_is_words(clause->parameter)) {
        return stream_words(search, test);
    }
    if (clause->modifier == STORE_NOT) {
        return search->connection->db != NULL && is_streamable(test) ? deny(search, test)
                                                                     : STATUS_OK;
    }
    if (is_streamable(test)) {
        struct stream *stream = &search->streams[search->stream_count++];
        TRY(stream_of(search, test, stream));
        test->streamed = true;
        search->typed = true;
        search->nothing = search->nothing || stream->count == 0;
    }
    return STATUS_OK;
}
