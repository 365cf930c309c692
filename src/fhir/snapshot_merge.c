/* SPDX-License-Identifier: MIT */
/* One ElementDefinition laid over another: what the differential says takes the place of what the
 * base says, but lists that collect (constraints, mappings, aliases, conditions, examples) grow. */
#include "fhir/snapshot_int.h"

static bool is_one_of(struct slice name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (slice_is(name, *names)) {
            return true;
        }
    }
    return false;
}

static bool same_value(yyjson_mut_val *a, yyjson_mut_val *b)
{
    return yyjson_mut_equals(a, b);
}

static struct slice text_of(yyjson_mut_val *object, const char *name)
{
    yyjson_mut_val *value = yyjson_mut_obj_get(object, name);
    return yyjson_mut_is_str(value) ? slice_of(yyjson_mut_get_str(value), yyjson_mut_get_len(value))
                                    : (struct slice){NULL, 0};
}

/* Adds the items of MORE to LIST, each once; those with the same KEY (may be NULL) replace. */
static void list_merge(yyjson_mut_val *list, yyjson_mut_val *more, const char *key)
{
    yyjson_mut_val *item;
    while ((item = yyjson_mut_arr_remove_first(more)) != NULL) {
        size_t i, max, found = SIZE_MAX;
        yyjson_mut_val *each;
        yyjson_mut_arr_foreach(list, i, max, each)
        {
            if (same_value(each, item) || (key != NULL && text_of(item, key).length > 0 &&
                                           slice_equals(text_of(each, key), text_of(item, key)))) {
                found = i;
            }
        }
        if (found == SIZE_MAX) {
            yyjson_mut_arr_append(list, item);
        } else {
            yyjson_mut_arr_replace(list, found, item);
        }
    }
}

/* fixed[x], pattern[x], minValue[x], maxValue[x], defaultValue[x]: one of each. */
static void drop_choice(yyjson_mut_val *element, struct slice name)
{
    static const char *const stems[] = {"fixed", "pattern", "minValue", "maxValue", "defaultValue"};
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        struct slice stem = slice_text(stems[i]);
        if (!slice_starts(name, stem)) {
            continue;
        }
        yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(element);
        yyjson_mut_val *key;
        while ((key = yyjson_mut_obj_iter_next(&iter)) != NULL) {
            struct slice each = slice_of(yyjson_mut_get_str(key), yyjson_mut_get_len(key));
            if (slice_starts(each, stem) && each.length > stem.length &&
                each.at[stem.length] >= 'A' && each.at[stem.length] <= 'Z') {
                yyjson_mut_obj_iter_remove(&iter);
            }
        }
    }
}

/* A text that begins with "..." goes on from the base's (elementdefinition.html). */
static void merge_text(struct tree *tree, yyjson_mut_val *element, struct slice name,
                       yyjson_val *value)
{
    struct slice text = json_string(value);
    yyjson_mut_val *before = yyjson_mut_obj_getn(element, name.at, name.length);
    if (!slice_starts(text, SLICE("...")) || !yyjson_mut_is_str(before)) {
        yyjson_mut_obj_put(element, yyjson_mut_strncpy(tree->doc, name.at, name.length),
                           yyjson_val_mut_copy(tree->doc, value));
        return;
    }
    struct buffer whole = {.arena = tree->arena};
    buffer_add(&whole, slice_of(yyjson_mut_get_str(before), yyjson_mut_get_len(before)));
    buffer_add_text(&whole, "\r\n");
    buffer_add(&whole, slice_from(text, 3));
    yyjson_mut_obj_put(element, yyjson_mut_strncpy(tree->doc, name.at, name.length),
                       yyjson_mut_strncpy(tree->doc, whole.at, whole.length));
}

/* slicing and binding: a differential that only tightens (rules, strength) keeps what else the base
 * says (discriminators, value set). */
static void merge_members(struct tree *tree, yyjson_mut_val *element, struct slice of,
                          yyjson_val *value)
{
    yyjson_mut_val *before = yyjson_mut_obj_getn(element, of.at, of.length);
    if (!yyjson_mut_is_obj(before)) {
        yyjson_mut_obj_put(element, yyjson_mut_strncpy(tree->doc, of.at, of.length),
                           yyjson_val_mut_copy(tree->doc, value));
        return;
    }
    size_t i, max;
    yyjson_val *key, *member;
    yyjson_obj_foreach(value, i, max, key, member)
    {
        struct slice name = json_string(key);
        yyjson_mut_val *copy = yyjson_val_mut_copy(tree->doc, member);
        yyjson_mut_val *list = yyjson_mut_obj_get(before, "discriminator");
        if (slice_is(name, "discriminator") && yyjson_mut_is_arr(list)) {
            list_merge(list, copy, NULL);
        } else {
            yyjson_mut_obj_put(before, yyjson_mut_strncpy(tree->doc, name.at, name.length), copy);
        }
    }
}

void element_merge(struct tree *tree, yyjson_mut_val *element, yyjson_val *differential)
{
    static const char *const lists[] = {"alias", "condition", "example", "mapping", "code", NULL};
    static const char *const texts[] = {"definition", "comment", "requirements", NULL};
    static const char *const ours[] = {"id", "path", "base", NULL};
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(differential, i, max, key, value)
    {
        struct slice name = json_string(key);
        if (is_one_of(name, ours)) {
            continue;
        }
        bool constraint = slice_is(name, "constraint") || slice_is(name, "extension");
        yyjson_mut_val *before = yyjson_mut_obj_getn(element, name.at, name.length);
        if (slice_is(name, "slicing") || slice_is(name, "binding")) {
            merge_members(tree, element, name, value);
        } else if ((constraint || is_one_of(name, lists)) && yyjson_mut_is_arr(before)) {
            list_merge(before, yyjson_val_mut_copy(tree->doc, value),
                       slice_is(name, "constraint")  ? "key"
                       : slice_is(name, "extension") ? "url"
                                                     : NULL);
        } else if (is_one_of(name, texts)) {
            merge_text(tree, element, name, value);
        } else {
            drop_choice(element, name);
            yyjson_mut_obj_put(element, yyjson_mut_strncpy(tree->doc, name.at, name.length),
                               yyjson_val_mut_copy(tree->doc, value));
        }
    }
}
