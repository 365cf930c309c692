/* SPDX-License-Identifier: MIT */
/* search: from a URL's parameters to a typed plan (struct store_query), which the engine carries
 * out; and back to the links of a page (R4 search). An unknown or unsupported parameter is refused
 * and named, unless the caller asked for lenient handling: then it is left out and listed, so the
 * caller can see that the answer is wider (R4 search, "Handling Errors"). */
#ifndef CARELAYER_SEARCH_SEARCH_H
#define CARELAYER_SEARCH_SEARCH_H

#include "base/base.h"
#include "fhir/fhir.h"
#include "store/store.h"

/* `name:modifier=value`, decoded. */
struct search_argument {
    struct slice name, modifier, value;
};

struct terms;

struct search_options {
    const struct definitions *definitions;
    struct terms *terms; /* for :in, :not-in, :above and :below of codes; NULL: refused */
    struct conformance *conformance; /* for compartments; NULL: refused */
    struct slice base_url;           /* absolute references under it are ours */
    resource_type type;        /* NONE: system-wide; only parameters common to all types then */
    resource_type compartment; /* with its id: only what is in this compartment; NONE: none */
    struct slice compartment_id;
    bool learning;  /* parameters are being taken in: a code that is not known may be one's */
    bool contained; /* the caller can answer with what contains a match: `_contained` */
    bool record;    /* the compartment is a Patient's, and meant is the whole record: all that the
                       store knows to concern them (DESIGN 6), which is more than R4's compartment */
    bool lenient;
    bool conditional; /* of a conditional operation: result parameters (_count, _sort ...) are
                         refused, and at least one real criterion is required */
    size_t count_default, count_max;
};

/* `_include=Source:parameter:Target`, `_revinclude` likewise. */
struct search_include {
    bool reverse;
    bool iterate;                             /* also of what was included */
    resource_type source;                     /* whose parameter it is; NONE: of any type (`*`) */
    const struct search_parameter *parameter; /* NULL: every reference parameter of the source */
    resource_type target;                     /* only what is of this type; NONE: any */
};

struct search_plan {
    struct store_query query;
    const struct search_include *includes;
    size_t include_count;
    size_t criteria;                       /* parameters that narrow the search */
    const struct search_argument *applied; /* what counts, in order: for the self link */
    size_t applied_count;
    const struct slice *ignored; /* names left out under lenient handling */
    size_t ignored_count;
};

/* Plans a search. Parameters of the transport (_format, _pretty, _summary, _elements, _cursor) are
 * taken or passed over as fits. Errors name the parameter and the mend, never its value:
 * STATUS_VALUE, STATUS_NOT_SUPPORTED (as HTTP 400). */
MUST_CHECK enum status search_plan_make(const struct search_options *options,
                                        const struct search_argument *arguments, size_t count,
                                        struct arena *arena, struct outcome *outcome,
                                        struct search_plan *ret_plan);

/* ---- what there is: for the capability statement and the table in docs -----------------------
 */

struct search_modifier {
    const char *name; /* "exact" */
    enum store_modifier modifier;
    unsigned kinds;      /* 1 << enum search_kind */
    const char *meaning; /* a few words */
};
const struct search_modifier *search_modifiers(size_t *ret_count);

struct search_prefix {
    const char *name; /* "ge" */
    enum store_compare compare;
};
const struct search_prefix *search_prefixes(size_t *ret_count);
bool search_kind_has_prefixes(enum search_kind kind);

/* Does this parameter narrow a search? Not those that only name a query language or a list. */
bool search_parameter_answered(const struct search_parameter *parameter);

/* May the references of this parameter lead to TYPE? */
bool search_parameter_targets(const struct search_parameter *parameter, resource_type type);

/* Parameters that are no SearchParameter of a type: `_has`, `_list`, `_type`. */
struct search_extra {
    const char *name;
    enum search_kind kind;
    const char *meaning;
    bool system_only;
};
const struct search_extra *search_extras(size_t *ret_count);

/* Writes "name:modifier=value&..." of the applied arguments, percent-encoded, with CURSOR as
 * _cursor when not empty: the query of a self or next link. */
void search_plan_write_query(const struct search_plan *plan, struct slice cursor,
                             struct buffer *out);

#endif
