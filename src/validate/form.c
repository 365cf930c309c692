/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "validate/form_int.h"

#define FORM_DEPTH_MOST 64u

struct place place_member(const struct checker *checker, const struct place *up, const char *name,
                          uint32_t index)
{
    const struct element_row *element =
        type_find_element(checker->tables, up->type, name, strlen(name));
    assert(element != NULL);
    return (struct place){.frame = {.up = &up->frame,
                                    .element = element,
                                    .index = index,
                                    .indexed = index != NO_INDEX},
                          .type = element_type_row(checker->tables, element)};
}

yyjson_val *choice_value(yyjson_val *object, const char *stem, struct slice *ret_name)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        if (slice_starts(json_string(key), slice_text(stem))) {
            *ret_name = json_string(key);
            return value;
        }
    }
    *ret_name = (struct slice){NULL, 0};
    return NULL;
}

yyjson_val *extension_value(yyjson_val *object, const char *url)
{
    size_t i, max;
    yyjson_val *extension;
    struct slice name;
    yyjson_arr_foreach(json_get(object, "extension"), i, max, extension)
    {
        if (slice_is(json_get_string(extension, "url"), url)) {
            return choice_value(extension, "value", &name);
        }
    }
    return NULL;
}

static uint64_t extension_count(yyjson_val *object, const char *url, uint64_t otherwise)
{
    uint64_t count;
    yyjson_val *value = extension_value(object, url);
    return value != NULL && slice_to_unsigned(json_number(value), INT32_MAX, &count) ? count
                                                                                     : otherwise;
}

static size_t count_items(yyjson_val *items, unsigned depth)
{
    size_t i, max, count = 0;
    yyjson_val *item;
    yyjson_arr_foreach(items, i, max, item)
    {
        count += 1 + (depth < FORM_DEPTH_MOST ? count_items(json_get(item, "item"), depth + 1) : 0);
    }
    return count;
}

static void add_to_index(struct form *form, struct form_item *item)
{
    size_t slot = slice_hash(item->link) & form->mask;
    while (form->items[slot] != NULL) {
        if (slice_equals(form->items[slot]->link, item->link)) {
            return;
        }
        slot = (slot + 1) & form->mask;
    }
    form->items[slot] = item;
}

static bool read_items(struct form *form, struct form_item *parent, yyjson_val *items,
                       struct arena *arena, unsigned depth)
{
    size_t i, max;
    yyjson_val *definition;
    size_t size = yyjson_arr_size(items);
    if (size == 0) {
        return true;
    }
    parent->children = arena_array(arena, size, sizeof(struct form_item));
    if (parent->children == NULL || depth > FORM_DEPTH_MOST) {
        return false;
    }
    parent->child_count = size;
    yyjson_arr_foreach(items, i, max, definition)
    {
        struct form_item *item = &parent->children[i];
        item->definition = definition;
        item->link = json_get_string(definition, "linkId");
        item->type = json_get_string(definition, "type");
        item->required = yyjson_is_true(json_get(definition, "required"));
        item->repeats = yyjson_is_true(json_get(definition, "repeats"));
        item->parent = parent;
        item->least = extension_count(
            definition, "http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs",
            item->required ? 1 : 0);
        item->most = extension_count(
            definition, "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs",
            UINT64_MAX);
        add_to_index(form, item);
        if (!read_items(form, item, json_get(definition, "item"), arena, depth + 1)) {
            return false;
        }
    }
    return true;
}

const struct form *form_read(yyjson_val *questionnaire, struct arena *arena)
{
    struct form *form = ARENA_NEW(arena, struct form);
    yyjson_val *items = json_get(questionnaire, "item");
    size_t size = 16;
    if (form == NULL) {
        return NULL;
    }
    form->count = count_items(items, 0);
    while (size < form->count * 2) {
        size *= 2;
    }
    form->mask = size - 1;
    form->items = arena_array(arena, size, sizeof(struct form_item *));
    form->top.definition = questionnaire;
    if (form->items == NULL || !read_items(form, &form->top, items, arena, 0)) {
        return NULL;
    }
    return form;
}

const struct form_item *form_find(const struct form *form, struct slice link)
{
    size_t slot = slice_hash(link) & form->mask;
    while (form->items[slot] != NULL) {
        if (slice_equals(form->items[slot]->link, link)) {
            return form->items[slot];
        }
        slot = (slot + 1) & form->mask;
    }
    return NULL;
}
