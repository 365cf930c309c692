/* SPDX-License-Identifier: MIT */
/* Collections: growing them, sharing what others have, and telling equal items apart. */
#include "fhirpath/fhirpath_int.h"

#define CAPACITY_FIRST 4u

bool values_grow(struct evaluation *evaluation, struct values *values, size_t more)
{
    size_t need = values->count + more;
    size_t capacity = values->capacity * (size_t)2;
    capacity = need > capacity ? need : capacity;
    capacity = capacity > CAPACITY_FIRST ? capacity : CAPACITY_FIRST;
    if (capacity > UINT32_MAX) {
        arena_fail(evaluation->arena);
        return false;
    }
    struct fhirpath_value *items;
    if (values->capacity > 0) {
        items = arena_resize(evaluation->arena, (void *)(uintptr_t)values->items,
                             values->capacity * sizeof *items, capacity * sizeof *items);
    } else {
        items = arena_alloc(evaluation->arena, capacity * sizeof *items);
    }
    if (items == NULL) {
        return false;
    }
    if (values->capacity == 0 && values->count > 0) {
        memcpy(items, values->items, values->count * sizeof *items);
    }
    values->items = items;
    values->capacity = (uint32_t)capacity;
    return true;
}

void values_add_all(struct evaluation *evaluation, struct values *values,
                    const struct fhirpath_value *items, size_t count)
{
    if (count > 0 && values_reserve(evaluation, values, count)) {
        memcpy((void *)(uintptr_t)(values->items + values->count), items, count * sizeof *items);
        values->count += (uint32_t)count;
    }
}

void values_add_boolean(struct evaluation *evaluation, struct values *values, bool boolean)
{
    static const struct fhirpath_value both[] = {{.kind = FHIRPATH_BOOLEAN, .boolean = false},
                                                 {.kind = FHIRPATH_BOOLEAN, .boolean = true}};
    values_share(evaluation, values, &both[boolean], 1);
}

void values_add_integer(struct evaluation *evaluation, struct values *values, int64_t integer)
{
    struct fhirpath_value *value = values_add(evaluation, values);
    if (value != NULL) {
        value->kind = FHIRPATH_INTEGER;
        value->integer = integer;
    }
}

void values_add_decimal(struct evaluation *evaluation, struct values *values,
                        struct decimal decimal)
{
    struct fhirpath_value *value = values_add(evaluation, values);
    if (value != NULL) {
        value->kind = FHIRPATH_DECIMAL;
        value->decimal = decimal;
    }
}

void values_add_string(struct evaluation *evaluation, struct values *values, struct slice text)
{
    struct fhirpath_value *value = values_add(evaluation, values);
    if (value != NULL) {
        value->kind = FHIRPATH_STRING;
        value->string = text;
    }
}

/* ---- equal items ------------------------------------------------------------------------------
 */

enum status values_have(struct evaluation *evaluation, const struct step *step,
                        const struct fhirpath_value *items, size_t count,
                        const struct fhirpath_value *value, bool *ret_has)
{
    struct fhirpath_value room;
    *ret_has = false;
    TRY(evaluation_costs(evaluation, step, count));
    const struct fhirpath_value *system =
        count > 1 ? as_system(value, evaluation->arena, &room) : NULL;
    value = system != NULL ? system : value; /* read once, whatever it is compared with */
    for (size_t i = 0; i < count && !*ret_has; i++) {
        *ret_has = values_equal(evaluation->arena, &items[i], value) == TRUTH_TRUE;
    }
    return STATUS_OK;
}

#define HASH_FROM 64u /* items: fewer are compared with each other */

/* The strings that ITEMS are, one after another; NULL: some are none. */
static const struct slice *all_strings(struct evaluation *evaluation,
                                       const struct fhirpath_value *items, size_t count)
{
    struct slice *texts = arena_array(evaluation->arena, count + 1, sizeof *texts);
    for (size_t i = 0; texts != NULL && i < count; i++) {
        struct fhirpath_value system;
        if (items[i].kind != FHIRPATH_STRING &&
            (items[i].kind != FHIRPATH_NODE || items[i].node.type->kind != TYPE_PRIMITIVE)) {
            return NULL;
        }
        if (!value_system(evaluation, &items[i], &system) || system.kind != FHIRPATH_STRING) {
            return NULL;
        }
        texts[i] = system.string;
    }
    return texts;
}

/* Many strings, as the codes of a code system are: a table finds those that are there. *RET_DONE
 * false: they are something else. */
static enum status add_strings(struct evaluation *evaluation, const struct step *step,
                               struct values *values, const struct fhirpath_value *items,
                               size_t count, bool *ret_done)
{
    *ret_done = false;
    size_t size = 256;
    while (size < count * 2) {
        size *= 2;
    }
    const struct slice *texts = all_strings(evaluation, items, count);
    uint32_t *slots = texts != NULL ? arena_array(evaluation->arena, size, sizeof *slots) : NULL;
    if (slots == NULL) {
        return STATUS_OK;
    }
    TRY(evaluation_costs(evaluation, step, count));
    for (size_t i = 0; i < count; i++) {
        size_t slot = slice_hash(texts[i]) & (size - 1);
        while (slots[slot] != 0 && !slice_equals(texts[slots[slot] - 1], texts[i])) {
            slot = (slot + 1) & (size - 1);
        }
        if (slots[slot] == 0) {
            slots[slot] = (uint32_t)i + 1;
            values_add_all(evaluation, values, &items[i], 1);
        }
    }
    *ret_done = true;
    return STATUS_OK;
}

/* ITEM as it is compared: read once, whatever it is compared with. */
static const struct fhirpath_value *comparable(struct evaluation *evaluation,
                                               const struct fhirpath_value *item)
{
    if (item->kind != FHIRPATH_NODE ||
        (item->node.type->kind != TYPE_PRIMITIVE && !type_is_quantity(item->node.type))) {
        return item;
    }
    struct fhirpath_value *room = arena_alloc(evaluation->arena, sizeof *room);
    return room != NULL && node_system(&item->node, evaluation->arena, room) ? room : item;
}

enum status values_distinct(struct evaluation *evaluation, const struct step *step,
                            const struct fhirpath_value *items, size_t count, size_t known,
                            struct values *ret_distinct)
{
    *ret_distinct = (struct values){items, (uint32_t)known, 0};
    if (count >= HASH_FROM) {
        struct values strings = {0};
        bool done;
        TRY(add_strings(evaluation, step, &strings, items, count, &done));
        if (done) {
            *ret_distinct = strings;
            return STATUS_OK;
        }
    }
    const struct fhirpath_value **kept = arena_alloc(evaluation->arena, count * sizeof *kept);
    size_t kept_count = 0;
    for (size_t i = 0; kept != NULL && i < count; i++) {
        const struct fhirpath_value *value = comparable(evaluation, &items[i]);
        bool has = false;
        TRY(evaluation_costs(evaluation, step, kept_count));
        for (size_t j = 0; i >= known && j < kept_count && !has; j++) {
            has = values_equal(evaluation->arena, kept[j], value) == TRUTH_TRUE;
        }
        if (has) {
            continue;
        }
        kept[kept_count++] = value;
        if (i >= known) {
            values_share(evaluation, ret_distinct, &items[i], 1);
        }
    }
    return STATUS_OK;
}

enum status values_add_distinct(struct evaluation *evaluation, const struct step *step,
                                struct values *values, const struct fhirpath_value *items,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool has;
        TRY(values_have(evaluation, step, values->items, values->count, &items[i], &has));
        if (!has) {
            values_share(evaluation, values, &items[i], 1);
        }
    }
    return STATUS_OK;
}
