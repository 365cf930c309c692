/* SPDX-License-Identifier: MIT */
/* store: sets that keep the order in which things came. A resource may name a hundred thousand
 * people, so looking from the first to the last would take their number squared. */
#include "store_int.h"

static uint64_t number_hash(int64_t number)
{
    return slice_hash(slice_of((const char *)&number, sizeof(number)));
}

/* The slot that holds item AT, or the free one where it belongs: 0 free, else 1 + its index. */
static size_t number_slot(const struct number_set *set, int64_t number)
{
    size_t slot = number_hash(number) & set->mask;
    while (set->slots[slot] != 0 && set->items[set->slots[slot] - 1] != number) {
        slot = (slot + 1) & set->mask;
    }
    return slot;
}

static size_t text_slot(const struct text_set *set, struct slice text)
{
    size_t slot = slice_hash(text) & set->mask;
    while (set->slots[slot] != 0 && !slice_equals(set->items[set->slots[slot] - 1], text)) {
        slot = (slot + 1) & set->mask;
    }
    return slot;
}

bool number_set_has(const struct number_set *set, int64_t number)
{
    return set->capacity > 0 && set->slots[number_slot(set, number)] != 0;
}

bool number_set_add(struct number_set *set, int64_t number)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        int64_t *items = arena_resize(set->arena, set->items, set->capacity * sizeof(*items),
                                      capacity * sizeof(*items));
        uint32_t *slots = arena_array(set->arena, capacity * 2, sizeof(*slots));
        if (items == NULL || slots == NULL) {
            set->broken = true;
            return false;
        }
        set->items = items;
        set->slots = slots;
        set->capacity = capacity;
        set->mask = capacity * 2 - 1;
        for (size_t i = 0; i < set->count; i++) {
            slots[number_slot(set, items[i])] = (uint32_t)i + 1;
        }
    }
    size_t slot = number_slot(set, number);
    if (set->slots[slot] != 0) {
        return false;
    }
    set->items[set->count++] = number;
    set->slots[slot] = (uint32_t)set->count;
    return true;
}

bool text_set_has(const struct text_set *set, struct slice text)
{
    return set->capacity > 0 && set->slots[text_slot(set, text)] != 0;
}

void text_set_add(struct text_set *set, struct slice text)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        struct slice *items = arena_resize(set->arena, set->items, set->capacity * sizeof(*items),
                                           capacity * sizeof(*items));
        uint32_t *slots = arena_array(set->arena, capacity * 2, sizeof(*slots));
        if (items == NULL || slots == NULL) {
            set->broken = true;
            return;
        }
        set->items = items;
        set->slots = slots;
        set->capacity = capacity;
        set->mask = capacity * 2 - 1;
        for (size_t i = 0; i < set->count; i++) {
            slots[text_slot(set, items[i])] = (uint32_t)i + 1;
        }
    }
    size_t slot = text_slot(set, text);
    if (set->slots[slot] != 0) {
        return;
    }
    struct slice copy = arena_copy(set->arena, text);
    if (copy.at == NULL) {
        set->broken = true;
        return;
    }
    set->items[set->count++] = copy;
    set->slots[slot] = (uint32_t)set->count;
}
