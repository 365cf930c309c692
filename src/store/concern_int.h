/* SPDX-License-Identifier: MIT */
/* store, whom a resource concerns: what concern.c and concern_spread.c share. */
#ifndef CARELAYER_STORE_CONCERN_INT_H
#define CARELAYER_STORE_CONCERN_INT_H

#include "store_int.h"

/* How many resources may be looked at to find whom one write concerns. */
#define CONCERN_LIMIT 100000

/* What a row says by itself. */
struct head {
    resource_type type;
    struct packed_id id;
    uint32_t home;
    const uint32_t *others;
    size_t other_count;
    bool tombstone;
    uint32_t version;
};

/* The row at PLACE, or of the change -PLACE in history; STATUS_NOT_FOUND. */
MUST_CHECK enum status concern_head(struct connection *connection, int64_t place,
                                    struct arena *arena, struct head *ret_head);

/* Counts one resource more that was looked at; STATUS_TOO_COSTLY past the limit. */
MUST_CHECK enum status concern_look(size_t *looked, struct outcome *outcome);

void concern_add(struct number_set *set, uint32_t home, const uint32_t *others, size_t count);

/* Every place that has the tie. */
MUST_CHECK enum status concern_places(struct connection *connection, struct slice key,
                                      struct number_set *places);

/* What a tie of kind TIE_RESOURCE or TIE_HOLDS names. */
bool concern_key_resource(struct slice key, resource_type *ret_type, struct packed_id *ret_id);

/* qsort and bsearch of keys. */
int concern_key_order(const void *a, const void *b);

/* The number under which identifiers of Patients are in the tree of texts. */
uint32_t concern_identifier(const struct store *store);

/* The ties of a version in history: a replaced one holds its Binary no more, a tombstone does. */
MUST_CHECK enum status concern_past_keys(const struct concern *concern, bool tombstone,
                                         struct arena *arena, struct concern *ret_past);

/* What is kept beside a place with OTHERS patients beside its home: a row, or none when it would
 * say nothing. */
MUST_CHECK enum status concern_tied_write(struct connection *connection, int64_t place,
                                          const struct concern *concern, size_t others,
                                          struct arena *arena);

/* PATIENTS, in their order but without the home, become those of the row; HEAD is what it had. */
MUST_CHECK enum status concern_set_patients(struct connection *connection, int64_t place,
                                            const struct head *head,
                                            const struct number_set *patients, struct arena *arena);

/* The membership of the current row at PLACE becomes PATIENTS. */
MUST_CHECK enum status concern_set_members(struct connection *connection, int64_t place,
                                           const struct head *head,
                                           const struct number_set *patients);

/* Adds to PATIENTS everybody reached by the ties of (type, id), which is at OWN (negative: not
 * current). */
MUST_CHECK enum status concern_reach_run(struct store_tx *tx, resource_type type,
                                         const struct packed_id *id, int64_t own,
                                         const struct concern *concern, size_t *looked,
                                         struct arena *arena, struct outcome *outcome,
                                         struct number_set *patients);

#endif
