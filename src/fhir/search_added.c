/* SPDX-License-Identifier: MIT */
/* Search parameters that come while the program runs: a type's list is made anew with them, and put
 * in the place of the one before, which stays for whoever has it. */
#include <stdlib.h>

#include "fhir/fhir_int.h"

static const char *const kind_names[] = {
    [SEARCH_NUMBER] = "number",       [SEARCH_DATE] = "date",
    [SEARCH_STRING] = "string",       [SEARCH_TOKEN] = "token",
    [SEARCH_REFERENCE] = "reference", [SEARCH_COMPOSITE] = "composite",
    [SEARCH_QUANTITY] = "quantity",   [SEARCH_URI] = "uri",
    [SEARCH_SPECIAL] = "special"};

const char *search_kind_name(enum search_kind kind)
{
    return kind_names[kind];
}

bool search_kind_find(struct slice name, enum search_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++) {
        if (slice_is(name, kind_names[i])) {
            *ret_kind = (enum search_kind)i;
            return true;
        }
    }
    return false;
}

struct adding {
    const struct definitions *definitions;
    yyjson_val *const *resources;
    size_t count;
    resource_type type;
    const struct parameter_list *base, *before;
    struct search_parameter *items; /* being made: the blob's, then the added ones */
    size_t item_count;
    bool changed;
};

/* DomainResource has narrative, and so text; what has none derives from Resource itself. */
static bool is_domain(const struct definitions *definitions, const struct type_row *row)
{
    return type_find_element(definitions_tables(definitions), row, "text", 4) != NULL;
}

static bool applies_to(const struct adding *adding, yyjson_val *resource)
{
    size_t i, max;
    yyjson_val *base;
    struct slice name = resource_type_name(adding->definitions, adding->type);
    const struct type_row *row = type_find(adding->definitions, name);
    yyjson_arr_foreach(json_get(resource, "base"), i, max, base)
    {
        struct slice text = json_string(base);
        if (slice_equals(text, name) || slice_is(text, "Resource") ||
            (slice_is(text, "DomainResource") && is_domain(adding->definitions, row))) {
            return true;
        }
    }
    return false;
}

static bool is_usable(yyjson_val *resource, enum search_kind *ret_kind)
{
    return slice_is(json_get_string(resource, "status"), "active") &&
           json_get_string(resource, "code").length > 0 &&
           json_get_string(resource, "expression").length > 0 &&
           search_kind_find(json_get_string(resource, "type"), ret_kind) &&
           *ret_kind != SEARCH_SPECIAL;
}

static bool has_code(const struct adding *adding, struct slice code)
{
    for (size_t i = 0; i < adding->item_count; i++) {
        if (slice_equals(adding->items[i].code, code)) {
            return true;
        }
    }
    return false;
}

static const struct search_parameter *item_of_url(const struct adding *adding, struct slice url)
{
    struct slice plain = slice_head(url, slice_index(url, '|'));
    for (size_t i = 0; i < adding->item_count; i++) {
        if (plain.length > 0 && slice_equals(adding->items[i].url, plain)) {
            return &adding->items[i];
        }
    }
    return NULL;
}

/* ---- one parameter ----------------------------------------------------------------------------
 */

static void take_targets(struct adding *adding, yyjson_val *resource, struct search_parameter *item)
{
    const struct definitions *definitions = adding->definitions;
    yyjson_val *list = json_get(resource, "target"), *target;
    size_t i, max;
    resource_type *targets =
        arena_array(definitions->added, yyjson_arr_size(list) + 1, sizeof *targets);
    yyjson_arr_foreach(list, i, max, target)
    {
        resource_type type = resource_type_find(definitions, json_string(target));
        if (type == RESOURCE_TYPE_NONE) {
            item->target_count = 0; /* Resource: no restriction */
            return;
        }
        if (targets != NULL) {
            targets[item->target_count++] = type;
        }
    }
    item->targets = targets;
}

/* Each component finds its own among the parameters of the type, or the composite has none and is
 * not searched. */
static void take_components(struct adding *adding, yyjson_val *resource,
                            struct search_parameter *item)
{
    struct arena *arena = adding->definitions->added;
    yyjson_val *list = json_get(resource, "component"), *each;
    size_t i, max;
    struct search_component *components =
        arena_array(arena, yyjson_arr_size(list) + 1, sizeof *components);
    yyjson_arr_foreach(list, i, max, each)
    {
        const struct search_parameter *own =
            item_of_url(adding, json_get_string(each, "definition"));
        if (components == NULL || own == NULL || own->kind == SEARCH_COMPOSITE) {
            return;
        }
        components[i].parameter = own;
        components[i].expression = arena_copy(arena, json_get_string(each, "expression"));
    }
    item->components = components;
    item->component_count = yyjson_arr_size(list) > 1 ? yyjson_arr_size(list) : 0;
}

static bool same_targets(const struct search_parameter *a, const struct search_parameter *b)
{
    return a->target_count == b->target_count &&
           (a->target_count == 0 ||
            memcmp(a->targets, b->targets, a->target_count * sizeof *a->targets) == 0);
}

static bool same_components(const struct search_parameter *a, const struct search_parameter *b)
{
    bool same = a->component_count == b->component_count;
    for (size_t i = 0; same && i < a->component_count; i++) {
        same = a->components[i].parameter->number == b->components[i].parameter->number &&
               slice_equals(a->components[i].expression, b->components[i].expression);
    }
    return same;
}

static const struct search_parameter *item_before(const struct adding *adding, struct slice code)
{
    for (size_t i = 0; i < adding->before->count; i++) {
        if (slice_equals(adding->before->items[i].code, code)) {
            return &adding->before->items[i];
        }
    }
    return NULL;
}

/* The number that it had, when it is still the same; else a new one, while there are any. */
static void take_number(struct adding *adding, struct search_parameter *item)
{
    struct resource_extra *extra = &adding->definitions->extras[adding->type - 1];
    const struct search_parameter *before = item_before(adding, item->code);
    bool same = before != NULL && before->kind == item->kind &&
                slice_equals(before->url, item->url) &&
                slice_equals(before->expression, item->expression) && same_targets(before, item) &&
                same_components(before, item);
    if (same) {
        item->number = before->number;
        return;
    }
    if (extra->last_number - adding->base->count < SEARCH_ADDED_MOST) {
        item->number = ++extra->last_number;
    }
    adding->changed = true;
}

static void take_resource(struct adding *adding, yyjson_val *resource, enum search_kind kind)
{
    struct arena *arena = adding->definitions->added;
    struct search_parameter *item = &adding->items[adding->item_count];
    *item = (struct search_parameter){
        .code = arena_copy(arena, json_get_string(resource, "code")),
        .url = arena_copy(arena, json_get_string(resource, "url")),
        .kind = kind,
        .expression = arena_copy(arena, json_get_string(resource, "expression"))};
    take_targets(adding, resource, item);
    adding->item_count++;
}

/* ---- one type ---------------------------------------------------------------------------------
 */

static int compare_items(const void *a, const void *b)
{
    const struct search_parameter *left = a, *right = b;
    return slice_compare(left->code, right->code);
}

static yyjson_val *resource_of(const struct adding *adding, struct slice code)
{
    enum search_kind kind;
    size_t i = 0;
    while (!is_usable(adding->resources[i], &kind) || !applies_to(adding, adding->resources[i]) ||
           !slice_equals(json_get_string(adding->resources[i], "code"), code)) {
        i++;
    }
    return adding->resources[i];
}

/* In the order of their codes; components point into that, and have their numbers first. */
static void finish(struct adding *adding)
{
    qsort(adding->items, adding->item_count, sizeof *adding->items, compare_items);
    for (size_t i = 0; i < adding->item_count; i++) {
        if (adding->items[i].number == 0 && adding->items[i].kind != SEARCH_COMPOSITE) {
            take_number(adding, &adding->items[i]);
        }
    }
    for (size_t i = 0; i < adding->item_count; i++) {
        if (adding->items[i].number == 0 && adding->items[i].kind == SEARCH_COMPOSITE) {
            take_components(adding, resource_of(adding, adding->items[i].code), &adding->items[i]);
            take_number(adding, &adding->items[i]);
        }
    }
}

static enum status add_to_type(struct adding *adding)
{
    struct resource_extra *extra = &adding->definitions->extras[adding->type - 1];
    struct arena *arena = adding->definitions->added;
    struct parameter_list *list = ARENA_NEW(arena, struct parameter_list);
    adding->base = extra->base;
    adding->before = atomic_load_explicit(&extra->parameters, memory_order_relaxed);
    adding->changed = false;
    adding->item_count = extra->base->count;
    adding->items =
        arena_array(arena, extra->base->count + adding->count + 1, sizeof *adding->items);
    if (list == NULL || adding->items == NULL) {
        return STATUS_MEMORY;
    }
    memcpy(adding->items, extra->base->items, extra->base->count * sizeof *adding->items);
    for (size_t i = 0; i < adding->count; i++) {
        enum search_kind kind;
        yyjson_val *resource = adding->resources[i];
        if (is_usable(resource, &kind) && applies_to(adding, resource) &&
            !has_code(adding, json_get_string(resource, "code"))) {
            take_resource(adding, resource, kind);
        }
    }
    finish(adding);
    if (arena_full(arena)) {
        return STATUS_MEMORY;
    }
    if (adding->changed || adding->item_count != adding->before->count) {
        *list = (struct parameter_list){adding->items, adding->item_count};
        adding->changed = true;
        atomic_store_explicit(&extra->parameters, list, memory_order_release);
    }
    return STATUS_OK;
}

/* Most types have none of their own, and nothing is made for them. */
static bool concerns_type(const struct adding *adding)
{
    const struct resource_extra *extra = &adding->definitions->extras[adding->type - 1];
    enum search_kind kind;
    bool concerns = atomic_load_explicit(&extra->parameters, memory_order_relaxed) != extra->base;
    for (size_t i = 0; !concerns && i < adding->count; i++) {
        concerns =
            is_usable(adding->resources[i], &kind) && applies_to(adding, adding->resources[i]);
    }
    return concerns;
}

enum status search_parameters_add(const struct definitions *definitions,
                                  yyjson_val *const *resources, size_t count,
                                  search_change_visit *visit, void *context)
{
    struct adding adding = {.definitions = definitions, .resources = resources, .count = count};
    enum status status = STATUS_OK;
    pthread_mutex_lock(definitions->lock);
    for (resource_type type = 1; status == STATUS_OK && type <= definitions->resource_count;
         type++) {
        adding.type = type;
        if (!concerns_type(&adding)) {
            continue;
        }
        struct arena_mark mark = arena_mark(definitions->added);
        status = add_to_type(&adding);
        if (status == STATUS_OK && adding.changed) {
            visit(context, type);
        } else {
            arena_rewind(definitions->added, mark);
        }
    }
    pthread_mutex_unlock(definitions->lock);
    return status;
}
