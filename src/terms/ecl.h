/* SPDX-License-Identifier: MIT */
/* Filters and expressions on a loaded release: SNOMED CT's Expression Constraint Language,
 * reference sets, and the filters of R4 snomedct.html. */
#ifndef CARELAYER_TERMS_ECL_H
#define CARELAYER_TERMS_ECL_H

#include "terms/terms_int.h"

/* Puts the concepts that a filter selects into SET. STATUS_NOT_SUPPORTED: not one of a release's
 * own filters, ask the general ones; STATUS_INVALID: the value cannot be read. */
MUST_CHECK enum status ecl_filter(struct scope *scope, const struct code_system *system,
                                  struct slice property, struct slice op, struct slice value,
                                  roaring_bitmap_t *set);

/* The concepts that an expression constraint selects. STATUS_TOO_COSTLY: past the scope's deadline,
 * or too long or deep. */
MUST_CHECK enum status ecl_select(struct scope *scope, const struct code_system *system,
                                  struct slice text, roaring_bitmap_t **ret_set);

#endif
