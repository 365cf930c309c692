/* SPDX-License-Identifier: MIT */
/* store, finding: a walk along a tree. Only find_walk.c and find_lane.c include this. */
#ifndef CARELAYER_STORE_FIND_WALK_H
#define CARELAYER_STORE_FIND_WALK_H

#include "find_int.h"

#include <assert.h>

#define PAIR_LANES 8 /* codes whose pairs are worth walking at once */
#define RUNS_MOST  8 /* widths or units of one value whose rows are worth reading one by one */
/* Each may stand on a value of many at the page's begin, and on another at its end. */
#define WALK_LANES (PAIR_LANES * DATE_CLASSES * 3)
static_assert(DATE_CLASSES * (1 + 2 * RUNS_MOST) <= WALK_LANES, "room for runs of dates");

/* One ordered run of rows. */
struct lane {
    enum statement_number number;
    struct statement statement; /* none: it is not open */
    enum tree tree;
    bool uuids;          /* of ids: the packed ones */
    struct slice *codes; /* of tokens: their texts in order, and their numbers */
    int64_t *numbers;
    size_t code_count, code_at;
    bool coded;
    struct slice prefix; /* of pairs: what the code comes to; the lane ends with it */
    uint32_t parameter;
    bool run;            /* only rows of one value, in the order of places */
    struct sort_key key; /* of the row it stands on: the first column alone */
    int64_t rid;         /* STREAM_END: at its end */
};

struct walk {
    struct search *search;
    const struct column *column;
    const struct sort_key *after; /* where to begin; length 0: at the beginning */
    struct lane *lanes;           /* room for WALK_LANES */
    size_t lane_count;
    uint64_t passed; /* rows that no stream has */
    bool exact;      /* rows of codes come in the order of whole keys: one column, no text twice */
};

static inline bool key_begins(const struct sort_key *key, const struct sort_key *part)
{
    return key->length >= part->length && memcmp(key->bytes, part->bytes, part->length) == 0;
}

/* Opens the lanes of the walk's column. *RET_FITS false: it has no tree to be walked along. */
MUST_CHECK enum status walk_open(struct walk *walk, bool *ret_fits);

/* Can the rows of the value that LANE stands on be read in the order of places? */
bool lane_has_runs(const struct lane *lane);

/* Opens lanes of the rows of the value that LANE stands on, from place FROM on. Each is a run. They
 * follow those there are; none has been stepped. */
MUST_CHECK enum status runs_open(struct walk *walk, const struct lane *lane, int64_t from);

/* What LANE gives next is behind the value that it stands on. */
MUST_CHECK enum status lane_pass(struct walk *walk, struct lane *lane);

#endif
