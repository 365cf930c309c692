/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_SEARCH_SEARCH_INT_H
#define CARELAYER_SEARCH_SEARCH_INT_H

#include "search/search.h"

struct planning {
    const struct search_options *options;
    struct arena *arena;
    struct outcome *outcome;
    struct search_plan *plan;
    struct store_clause *clauses;
    struct search_argument *applied;
    struct slice *ignored;
};

/* Values of one parameter: split at unescaped commas, read by the parameter's kind, ORed. */
enum status plan_clause(struct planning *planning, const struct search_parameter *parameter,
                        const struct search_argument *argument);

/* `_id` and `_lastUpdated`, which are columns of the store and not index rows. */
enum status plan_ids(struct planning *planning, const struct search_argument *argument);
enum status plan_updated(struct planning *planning, const struct search_argument *argument);

/* Splits TEXT at SEPARATOR where no backslash stands before it; parts keep their escapes. NULL when
 * the arena is full. */
struct slice *split_values(struct arena *arena, struct slice text, char separator,
                           size_t *ret_count);

/* Without the backslashes of R4 search, "Escaping Search Parameters". */
struct slice unescape(struct arena *arena, struct slice text);

/* More values than this in one parameter are refused: no search takes unbounded work. */
#define SEARCH_VALUES_MOST 1000
enum status check_value_count(struct planning *planning, const struct search_argument *argument,
                              size_t count);

/* A prefix (ge, lt ...) cut off *TEXT; STORE_EQ when there is none. */
enum store_compare take_prefix(struct slice *text);

/* The parameter's name as it may be repeated in a message: shown when it is made of the characters
 * that names are made of, else "(unreadable)". */
const char *shown_name(struct arena *arena, const struct search_argument *argument);

#endif
