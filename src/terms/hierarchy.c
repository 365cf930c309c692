/* SPDX-License-Identifier: MIT */
/* Hierarchies: walks over the edges of a code system that end as bitmaps, so that filters, imports
 * and expressions are set operations. */
#include <roaring/roaring.h>

#include "terms/terms_int.h"

static void walk(const struct edges *edges, uint32_t count, uint32_t from, roaring_bitmap_t *set)
{
    /* A stack of our own: hierarchies of releases are deep, and CodeSystems may hold cycles. */
    uint32_t fixed[256];
    roaring_bitmap_t *waiting = NULL;
    size_t depth = 0;
    if (edges->at == NULL || from >= count) {
        return;
    }
    fixed[depth++] = from;
    while (depth > 0 || (waiting != NULL && !roaring_bitmap_is_empty(waiting))) {
        uint32_t at;
        if (depth > 0) {
            at = fixed[--depth];
        } else {
            at = roaring_bitmap_minimum(waiting);
            roaring_bitmap_remove(waiting, at);
        }
        for (uint32_t i = edges->at[at]; i < edges->at[at + 1]; i++) {
            uint32_t next = edges->to[i];
            if (!roaring_bitmap_add_checked(set, next)) {
                continue;
            }
            if (depth < sizeof fixed / sizeof fixed[0]) {
                fixed[depth++] = next;
                continue;
            }
            if (waiting == NULL) {
                waiting = roaring_bitmap_create();
            }
            roaring_bitmap_add(waiting, next);
        }
    }
    if (waiting != NULL) {
        roaring_bitmap_free(waiting);
    }
}

/* A walk marks what it has seen in a set of its own: what SET holds beforehand must not end it. */
static void add_walk(const struct edges *edges, uint32_t count, uint32_t from,
                     roaring_bitmap_t *set)
{
    if (roaring_bitmap_is_empty(set)) {
        walk(edges, count, from, set);
        return;
    }
    roaring_bitmap_t *seen = roaring_bitmap_create();
    walk(edges, count, from, seen);
    roaring_bitmap_or_inplace(set, seen);
    roaring_bitmap_free(seen);
}

void code_add_descendants(const struct code_system *system, uint32_t code, roaring_bitmap_t *set)
{
    add_walk(&system->children, system->count, code, set);
}

void code_add_ancestors(const struct code_system *system, uint32_t code, roaring_bitmap_t *set)
{
    add_walk(&system->parents, system->count, code, set);
}

static void add_edges(const struct edges *edges, uint32_t code, roaring_bitmap_t *set)
{
    if (edges->at != NULL) {
        roaring_bitmap_add_many(set, edges->at[code + 1] - edges->at[code],
                                edges->to + edges->at[code]);
    }
}

void code_add_children(const struct code_system *system, uint32_t code, roaring_bitmap_t *set)
{
    add_edges(&system->children, code, set);
}

void code_add_parents(const struct code_system *system, uint32_t code, roaring_bitmap_t *set)
{
    add_edges(&system->parents, code, set);
}

bool code_below(const struct code_system *system, uint32_t code, uint32_t ancestor)
{
    /* Upwards is short: a concept has few ancestors, but may have very many descendants. */
    roaring_bitmap_t *above = roaring_bitmap_create();
    walk(&system->parents, system->count, code, above);
    bool below = roaring_bitmap_contains(above, ancestor) && code != ancestor;
    roaring_bitmap_free(above);
    return below;
}

static void bitmap_release(void *set)
{
    roaring_bitmap_free(set);
}

static roaring_bitmap_t *bitmap_keep(roaring_bitmap_t *set, struct arena *arena)
{
    if (set == NULL) {
        arena_fail(arena);
        return NULL;
    }
    /* When the arena is full the bitmap is freed at once. */
    return arena_defer(arena, bitmap_release, set) == STATUS_OK ? set : NULL;
}

roaring_bitmap_t *bitmap_make(struct arena *arena)
{
    return bitmap_keep(roaring_bitmap_create(), arena);
}

roaring_bitmap_t *bitmap_copy(const roaring_bitmap_t *set, struct arena *arena)
{
    return bitmap_keep(roaring_bitmap_copy(set), arena);
}

roaring_bitmap_t *bitmap_all(const struct code_system *system, struct arena *arena)
{
    return bitmap_keep(system->count > 0 ? roaring_bitmap_from_range(0, system->count, 1)
                                         : roaring_bitmap_create(),
                       arena);
}

const uint32_t *bitmap_list(const roaring_bitmap_t *set, struct arena *arena, size_t *ret_count)
{
    size_t count = (size_t)roaring_bitmap_get_cardinality(set);
    uint32_t *list = arena_array(arena, count + 1, sizeof *list);
    if (list != NULL) {
        roaring_bitmap_to_uint32_array(set, list);
    }
    *ret_count = list != NULL ? count : 0;
    return list;
}
