/* SPDX-License-Identifier: MIT */
/* Statements written by hand: what by_hand.c and by_hand_postgres.c share. */
#ifndef CARELAYER_BENCH_BY_HAND_H
#define CARELAYER_BENCH_BY_HAND_H

#include "store/store_int.h"

#define BY_HAND_MOST 256

struct by_hand_question {
    size_t number;    /* of the statement */
    struct slice sql; /* NUL-terminated */
    const struct slice *arguments;
    size_t count;
    size_t rows; /* bound last; 0: it has no such parameter */
};

/* Places, at most ROWS of them; or one number, when ROWS is 0. */
MUST_CHECK enum status by_hand_postgres(const struct connection *connection,
                                        const struct by_hand_question *question,
                                        struct arena *arena, int64_t *ret_numbers,
                                        size_t *ret_count);

#endif
