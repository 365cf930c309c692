/* SPDX-License-Identifier: MIT */
/* Random numbers: from the operating system for identifiers, from a seed for synthetic data. */
#ifndef CARELAYER_BASE_RANDOM_H
#define CARELAYER_BASE_RANDOM_H

#include "slice.h"

/* Fills BYTES from the operating system (getrandom); aborts when that is impossible. */
void random_bytes(void *bytes, size_t length);

/* A UUID version 7 (RFC 9562): 36 lower-case characters and a NUL. Ordered by time, so that new
 * rows land together on disk. */
#define UUID_LENGTH 36
void random_uuid(char ret_text[static UUID_LENGTH + 1]);

/* A deterministic generator (xoshiro256**, seeded by splitmix64): the same seed and stream give
 * the same numbers on every machine. Not for secrets. */
struct random {
    uint64_t state[4];
};
void random_seed(struct random *random, uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound); /* [0, bound), unbiased; bound > 0 */
double random_unit(struct random *random);                    /* [0, 1) */
double random_normal(struct random *random);                  /* mean 0, deviation 1 */

#endif
