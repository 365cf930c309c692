/* SPDX-License-Identifier: MIT */
/* fhir, inside: what the two halves of bundles share. */
#ifndef CARELAYER_FHIR_BUNDLE_INT_H
#define CARELAYER_FHIR_BUNDLE_INT_H

#include "fhir/fhir.h"

/* NULL: not there. */
struct entry_link *link_map_find(const struct link_map *map, struct slice text);

/* The link with this text, made when it is new. TEXT is kept, not copied. NULL: the arena is full.
 */
struct entry_link *link_map_add(struct link_map *map, struct slice text, bool *ret_new);

/* "Patient/1" in ARENA; at is NULL when it is full. */
struct slice identity_text(const struct definitions *definitions, struct arena *arena,
                           resource_type type, struct slice id);

/* Of a RESTful fullUrl (http or https, ending in Type/id) what is before Type/id; else empty. */
struct slice full_url_root(const struct definitions *definitions, struct slice full_url,
                           resource_type *ret_type, struct slice *ret_id);

#endif
