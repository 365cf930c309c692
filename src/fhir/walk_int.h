/* SPDX-License-Identifier: MIT */
/* fhir, inside: what the walks share. */
#ifndef CARELAYER_FHIR_WALK_INT_H
#define CARELAYER_FHIR_WALK_INT_H

#include "fhir/fhir.h"
#include "fhir/fhir_int.h"

/* The text of a key, string or raw number; VALUE is known to be one. */
static inline struct slice known_text(const yyjson_val *value)
{
    return slice_of(value->uni.str, (size_t)(value->tag >> YYJSON_TAG_BIT));
}

/* The element a member belongs to. *RET_SIBLING: it is the `_name` beside a primitive (R4
 * json.html, "Representation of primitive elements"). NULL: the definitions know no such member. */
const struct element_row *member_element(const struct element_tables *tables,
                                         const struct type_row *type, struct slice name,
                                         bool *ret_sibling);

/* The type of an object at an element of type DECLARED: where any resource may stand, what its
 * resourceType says; NULL when that says nothing we know. */
const struct type_row *object_type(const struct definitions *definitions,
                                   const struct type_row *declared, yyjson_val *object);

/* The XHTML of Narrative.div with the href and src attributes that RESOLVE knows exchanged. TEXT
 * itself when there is none; else in ARENA. */
struct slice narrative_links(struct slice text, link_resolve *resolve, void *context,
                             struct arena *arena);

#endif
