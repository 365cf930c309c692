/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_QUALITY_QUALITY_INT_H
#define CARELAYER_QUALITY_QUALITY_INT_H

#include "quality/quality.h"

/* A table of counts with room for so many, and so many bytes of text; it never allocates. */
struct tally {
    struct store_quality *cells; /* open addressing; count 0: free */
    uint64_t *hashes;
    size_t mask, used;
    char *pool;
    size_t pool_size, pool_used;
};

/* CELLS is a power of two. */
MUST_CHECK enum status tally_make(struct arena *arena, size_t cells, size_t pool,
                                  struct tally *ret_tally);
void tally_clear(struct tally *tally);

/* Adds ROW's count under its day, type, source, rule and verdict; its texts are copied. False: no
 * room, and nothing is added. */
bool tally_add(struct tally *tally, const struct store_quality *row);

/* A set of texts by their hashes, which holds at most half of SLOTS. */
struct seen {
    uint64_t *slots;
    size_t mask, count;
};
MUST_CHECK enum status seen_make(struct arena *arena, size_t slots, struct seen *ret_seen);
void seen_clear(struct seen *seen);
/* Is it there, or is it now because there were fewer than MOST? */
bool seen_admit(struct seen *seen, uint64_t hash, size_t most);

#endif
