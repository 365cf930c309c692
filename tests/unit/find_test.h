/* SPDX-License-Identifier: MIT */
/* What the tests of finding share: queries in short. */
#ifndef CARELAYER_TESTS_FIND_TEST_H
#define CARELAYER_TESTS_FIND_TEST_H

#include "store_test.h"

static struct store_page page;

static inline enum status try_find(struct store_query *query)
{
    struct store_tx *tx = begin();
    query->count = query->count != 0 ? query->count : 100;
    enum status status = store_find(tx, query, arena, NULL, &page);
    store_snapshot_end(tx);
    return status;
}

static inline int version_order(const void *a, const void *b)
{
    const struct store_version *x = a, *y = b;
    return slice_compare(x->id, y->id);
}

static inline const char *ids_sorted(void)
{
    if (page.count > 0) {
        qsort(page.items, page.count, sizeof(*page.items), version_order);
    }
    return ids_of(&page);
}

/* ---- queries in short ----------------------------------------------------------------------- */

static inline struct store_query *query_of(const char *type, struct store_clause *clause)
{
    struct store_query *query = ARENA_NEW(arena, struct store_query);
    *query = (struct store_query){
        .type = type_named(type), .clauses = clause, .clause_count = clause != NULL};
    return query;
}

static inline struct store_clause *clause_of(const char *type, const char *code,
                                             enum store_modifier modifier, struct store_value value)
{
    struct store_clause *clause = ARENA_NEW(arena, struct store_clause);
    struct store_value *values = ARENA_NEW(arena, struct store_value);
    *values = value;
    *clause = (struct store_clause){.parameter = parameter_named(type, code),
                                    .modifier = modifier,
                                    .values = values,
                                    .value_count = 1};
    return clause;
}

static inline struct store_clause *code_is(const char *type, const char *code, const char *value)
{
    return clause_of(type, code, STORE_PLAIN, (struct store_value){.code = slice_text(value)});
}

static inline struct store_clause *text_is(const char *type, const char *code, const char *value)
{
    return clause_of(type, code, STORE_PLAIN, (struct store_value){.text = slice_text(value)});
}

/* TYPE:CODE leads to a match of QUERY. */
static inline struct store_clause *chain(const char *type, const char *code,
                                         struct store_query *query)
{
    struct store_clause *clause = ARENA_NEW(arena, struct store_clause);
    *clause = (struct store_clause){.parameter = parameter_named(type, code),
                                    .modifier = STORE_CHAIN,
                                    .queries = query,
                                    .query_count = 1};
    return clause;
}

/* A match of QUERY, of TYPE, refers to it by CODE. */
static inline struct store_clause *has(const char *type, const char *code,
                                       struct store_query *query)
{
    struct store_clause *clause = chain(type, code, query);
    clause->modifier = STORE_HAS;
    return clause;
}

static inline const char *found(struct store_query *query)
{
    assert_int_equal(try_find(query), STATUS_OK);
    return ids_sorted();
}

#endif
