/* SPDX-License-Identifier: MIT */
/* store, search parameters as data, and making anew what is derived: what learn.c, parameters.c and
 * reindex.c give each other and those who open a store. */
#ifndef CARELAYER_STORE_LEARN_INT_H
#define CARELAYER_STORE_LEARN_INT_H

#include "store_int.h"

/* Takes the stored SearchParameters in, and starts the thread that keeps up with them. */
MUST_CHECK enum status learner_start(struct store *store);
/* Takes them in beside a process that writes: what that has made ready can be asked. */
MUST_CHECK enum status learner_read_only(struct store *store, struct connection *connection);
void learner_stop(struct store *store);
void learner_close(struct store *store); /* when no other thread is left */
/* A SearchParameter has been written, or deleted, and that has been committed. */
void learner_told(struct store *store);

/* What the database says of a parameter. */
struct parameter_state {
    uint32_t number; /* 0: nothing */
    bool ready;      /* and its values are extracted as they were then */
};
MUST_CHECK enum status parameter_recall(struct connection *connection, resource_type type,
                                        const struct search_parameter *parameter,
                                        struct parameter_state *ret_state);
MUST_CHECK enum status parameter_save(struct connection *connection, resource_type type,
                                      const struct search_parameter *parameter,
                                      const struct parameter_state *state, bool add);
/* Has it values in the trees? `_id` and `_lastUpdated` are columns of the row. */
bool parameter_is_indexed(const struct search_parameter *parameter);
/* By the code that the table has; NULL: the definitions do not know it. */
const struct search_parameter *parameter_of_code(const struct store *store, resource_type type,
                                                 struct slice code);
/* Index values made anew, of a row of SQL_REINDEX_NEXT or SQL_REINDEX_TYPE. */
MUST_CHECK enum status reindex_row(struct store_tx *tx, struct arena *arena, struct statement *row,
                                   int64_t *ret_rid);

/* Goes through what was stored before the layout had what is derived now: whom a resource concerns
 * by way of others, words, canonical units. */
MUST_CHECK enum status layout_catch_up(struct store *store, const struct store_options *options,
                                       struct outcome *outcome);

#endif
