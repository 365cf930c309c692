/* SPDX-License-Identifier: MIT */
/* Snapshots, inside: ElementDefinitions as a tree. */
#ifndef CARELAYER_FHIR_SNAPSHOT_INT_H
#define CARELAYER_FHIR_SNAPSHOT_INT_H

#include "fhir/snapshot.h"

/* One ElementDefinition. A slice is a sibling that follows the element it slices. */
struct node {
    struct slice name;  /* last step of the path: "name", "value[x]" */
    struct slice slice; /* sliceName; empty: none */
    yyjson_mut_val *element;
    struct slice reference; /* contentReference, which its children took the place of; or empty */
    struct node *parent, *first, *last, *next;
};

struct tree {
    struct arena *arena;
    yyjson_mut_doc *doc; /* in the arena: everything below lives in it */
    struct node *root;
};

/* The tree of SNAPSHOT's elements, copied; NULL when there are none or they do not hang together.
 */
struct node *tree_read(struct tree *tree, yyjson_val *elements);

/* The child NAME with slice SLICE (empty: the unsliced one), or NULL. */
struct node *tree_child(const struct node *parent, struct slice name, struct slice slice);

/* A new child behind AFTER (NULL: at the end). */
struct node *tree_insert(struct tree *tree, struct node *parent, struct node *after,
                         struct slice name, struct slice slice);

/* A deep copy of the children of FROM below TO. FOLDED: what was taken from a content reference is
 * the reference again, or each level of a recursion would hold all others. */
void tree_copy_children(struct tree *tree, const struct node *from, struct node *to, bool folded);

/* A deep copy of an element's own definition. */
yyjson_mut_val *tree_copy_element(struct tree *tree, yyjson_mut_val *element);

/* Writes all elements as a JSON array, ids and paths made from the tree. */
void tree_write(const struct tree *tree, struct buffer *out);

/* Lays the members of DIFFERENTIAL over ELEMENT. */
void element_merge(struct tree *tree, yyjson_mut_val *element, yyjson_val *differential);

#endif
