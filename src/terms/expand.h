/* SPDX-License-Identifier: MIT */
/* An expansion while it is made (expand.c) and written (expand_write.c). */
#ifndef CARELAYER_TERMS_EXPAND_H
#define CARELAYER_TERMS_EXPAND_H

#include "terms/terms_int.h"

struct item {
    const struct code_system *system;
    uint32_t code;
    yyjson_val *listed;         /* compose.include.concept, or NULL */
    size_t parent, child, next; /* nesting: PARENT an index or SIZE_MAX, the others index + 1 */
};

/* Which codes of a set are among the items already. */
struct seen {
    const struct code_set *set;
    roaring_bitmap_t *codes;
};

#define PROPERTIES_MOST 64

/* A property that some item has: declared at the head of the expansion. */
struct used_property {
    struct slice code, uri;
};

struct expansion {
    struct question *question;
    const struct value_set *set;
    struct item *items;
    size_t count, capacity;
    size_t
        first; /* the number of items[0] in the whole: what lies before a page need not be there */
    struct seen *seen;
    size_t first_root;  /* index + 1 */
    uint32_t **by_code; /* by set, then by number of the concept: index of the item + 1 */
    bool by_code_ready;
    size_t page_count, page_offset;
    bool count_given, offset_given;
    struct slice filter;
    bool active_only, designations, definition, nested;
    struct used_property used[PROPERTIES_MOST];
    size_t used_count;
};

size_t item_find(const struct expansion *expansion, const struct code_system *system,
                 uint32_t code);

MUST_CHECK enum status expansion_write(struct expansion *expansion, struct buffer *out);

/* expansion.parameter, with its name and a comma after it (expand_parameters.c). */
void expansion_write_parameters(struct expansion *expansion, struct buffer *out);

#endif
