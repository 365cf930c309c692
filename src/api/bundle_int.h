/* SPDX-License-Identifier: MIT */
/* api, inside: batches and transactions (R4 http, "batch/transaction"). */
#ifndef CARELAYER_API_BUNDLE_INT_H
#define CARELAYER_API_BUNDLE_INT_H

#include "api/api_int.h"

/* What a conditional create or update of a transaction turned out to mean. */
struct condition {
    struct bundle_entry *entry;
    struct search_plan plan;
    struct slice promised;  /* the id it has when there is no match */
    struct slice id;        /* the one it has; empty: not looked up yet */
    struct condition *twin; /* the first create on the same criteria; or itself */
};

/* What referential integrity asks once everything is written. */
struct later_check {
    struct request *child;
    resource_type type;
    yyjson_val *root; /* its references must name something; NULL: the child deleted something
                         that nothing may refer to */
};

/* The perform_state of a batch or transaction. */
struct bundle_work {
    struct bundle bundle;
    struct bundle_entry *const *order; /* of processing */
    struct condition *conditions;
    struct condition **condition_of; /* of each entry; or NULL */
    size_t condition_count;
    struct lookup *lookups;
    size_t lookup_count;
    bool deletes;  /* some entry deletes, which may change what conditions meet */
    bool prepared; /* drafts are made for the ids that are in conditions and lookups */
    struct link_changes changes; /* made to the resources */
    struct later_check *checks;
    size_t check_count, check_capacity;
    bool finished; /* the entries' answers are made */
    char *reserve; /* memory for the shortest answer, taken before anything is written */
};

/* The most that an entry of the shortest answer takes: status, location, ETag. */
#define BUNDLE_SHORT_BYTES ((size_t)512)

/* Each entry's own memory beside 8 x its bytes: its request, its answer, its access entries. */
#define BUNDLE_ENTRY_BYTES ((size_t)8 << 10)

/* Makes the entries' requests, in the order of the Bundle. Those that cannot be asked have their
 * status and outcome set. */
MUST_CHECK enum status bundle_children_make(struct request *request, struct bundle_work *work);

/* Puts the issues of an entry into OUTCOME, their paths from the Bundle on. */
void bundle_take_issues(struct request *child, size_t index, struct outcome *outcome);

/* Writes the response Bundle from the children; of a durable write always one: when the whole does
 * not fit, one without resources and outcomes. May be called again. */
void bundle_answer(struct request *request, struct bundle_work *work);

enum status bundle_transaction_perform(struct request *request, struct bundle_work *work);
enum status bundle_transaction_commit(struct request *request, struct bundle_work *work,
                                      struct store_tx *tx);
enum status bundle_batch_perform(struct request *request, struct bundle_work *work);

/* ---- bundle_condition.c ---- */

/* Finds the conditions and conditional references of a transaction and plans them. */
MUST_CHECK enum status bundle_conditions_plan(struct request *request, struct bundle_work *work);

/* Looks all of them up in TX. *RET_CHANGED: some id is another than before. */
MUST_CHECK enum status bundle_conditions_find(struct request *request, struct bundle_work *work,
                                              struct store_tx *tx, bool *ret_changed);

/* Makes the links of the bundle mean what the conditions say and exchanges them in the resources,
 * undoing an earlier exchange first. */
MUST_CHECK enum status bundle_links_apply(struct request *request, struct bundle_work *work);

#endif
