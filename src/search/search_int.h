/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_SEARCH_SEARCH_INT_H
#define CARELAYER_SEARCH_SEARCH_INT_H

#include "search/search.h"

/* No search takes unbounded work: what is more than this is refused. */
#define SEARCH_VALUES_MOST  1000  /* values of one parameter */
#define SEARCH_CODES_MOST   10000 /* codes that one parameter comes to */
#define SEARCH_DEPTH_MOST   16    /* steps of a chain */
#define SEARCH_QUERIES_MOST 2000  /* queries inside one search: a chain has one for each type */
#define SEARCH_LOOKUPS_MOST 200000

struct planning {
    const struct search_options *options;
    struct arena *arena;
    struct outcome *outcome;
    struct search_plan *plan;
    const struct search_argument *argument; /* that is being taken */
    const char *shown;                      /* its name as messages have it */
    struct search_argument *applied;
    struct slice *ignored;
    struct search_include *includes;
    size_t queries, lookups;
    bool counted, totalled, sorted; /* _count, _total, _sort are given once */
    bool containing, formed;        /* so are _contained and _containedType */
};

/* A query being made, and the types that it is of. */
struct scope {
    struct store_query *query;
    const resource_type *types; /* NULL: any type */
    size_t type_count;
    struct store_clause *clauses;
    size_t capacity;
    size_t depth; /* steps of chains above it */
};

/* "subject:Patient.name:exact" cut after its first step. */
struct step {
    struct slice name, modifier;
    struct slice rest; /* behind the dot */
    bool chained;      /* there is a dot */
};
struct step step_cut(struct slice path);

/* ---- criteria ---------------------------------------------------------------------------------
 */

/* One criterion with all its steps (chain.c). */
enum status plan_criterion(struct planning *planning, struct scope *scope, struct slice path,
                           struct slice value);

enum status scope_add(struct planning *planning, struct scope *scope,
                      const struct store_clause *clause);

/* The query of one type inside a clause, with one criterion. */
enum status plan_inner(struct planning *planning, resource_type type, size_t depth,
                       struct slice path, struct slice value, struct store_query *ret_query);

/* The parameter that all types of the scope have by this name, of one kind; NULL. */
const struct search_parameter *scope_parameter(struct planning *planning, const struct scope *scope,
                                               struct slice name);

/* Values of one parameter: split at unescaped commas, read by the parameter's kind, ORed. */
enum status plan_clause(struct planning *planning, struct scope *scope,
                        const struct search_parameter *parameter, struct slice modifier,
                        struct slice text);

/* `_id` and `_lastUpdated`, which are columns of the store and not index rows; `_type`; `_list`. */
enum status plan_ids(struct planning *planning, struct scope *scope, struct slice modifier,
                     struct slice text);
enum status plan_updated(struct planning *planning, struct scope *scope, struct slice modifier,
                         struct slice text);
enum status plan_types(struct planning *planning, struct scope *scope, struct slice modifier,
                       struct slice text);
enum status plan_list(struct planning *planning, struct scope *scope, struct slice modifier,
                      struct slice text);

/* The compartment of the options (compartment.c). */
enum status plan_compartment(struct planning *planning, struct scope *scope);

/* ---- results ----------------------------------------------------------------------------------
 */

/* Parameters about the answer, not about what is searched (result.c). */
struct result_parameter {
    const char *name;
    enum status (*take)(struct planning *planning, const struct scope *scope, struct slice text);
    bool in_links; /* repeated in self and next */
};
const struct result_parameter *find_result(struct slice name);

/* What does not go with `_contained`; once all is taken. */
enum status check_beside_contained(struct planning *planning);

/* `_include` and `_revinclude` (include.c). */
enum status plan_include(struct planning *planning, const struct scope *scope, bool reverse);

/* ---- values -----------------------------------------------------------------------------------
 */

/* Splits TEXT at SEPARATOR where no backslash stands before it; parts keep their escapes. NULL when
 * the arena is full. */
struct slice *split_values(struct arena *arena, struct slice text, char separator,
                           size_t *ret_count);

/* Without the backslashes of R4 search, "Escaping Search Parameters". */
struct slice unescape(struct arena *arena, struct slice text);

enum status check_value_count(struct planning *planning, size_t count);

/* A prefix (ge, lt ...) cut off *TEXT; STORE_EQ when there is none. */
enum store_compare take_prefix(struct slice *text);

/* One value by the parameter's kind; false: it is not of this form. */
bool read_value(struct planning *planning, const struct search_parameter *parameter,
                const struct search_modifier *modifier, resource_type type, struct slice text,
                struct store_value *value);

/* What a value of this kind looks like, for messages. */
const char *value_form(const struct search_parameter *parameter,
                       const struct search_modifier *modifier);

/* "near": latitude|longitude|distance|units (near.c). */
bool read_near(struct planning *planning, struct slice text, struct store_value *value);

/* The codes of a value set or beside a code (codes.c). */
bool is_code_set(const struct search_modifier *modifier);
enum status plan_codes(struct planning *planning, const struct search_modifier *modifier,
                       struct slice text, struct store_value *value);

/* ---- messages ---------------------------------------------------------------------------------
 */

/* The name as it may be repeated in a message: shown when it is made of the characters that names
 * are made of, else "(unreadable)". */
const char *shown_name(struct arena *arena, struct slice name);

/* Refusals that name the parameter. */
enum status refuse_unknown(struct planning *planning);
enum status refuse_modifier(struct planning *planning);
enum status refuse_many(struct planning *planning);

#endif
