/* SPDX-License-Identifier: MIT */
#include "fhir/snapshot_int.h"

#define DEPTH_LIMIT 40u

static struct slice last_step(struct slice path)
{
    size_t start = path.length;
    while (start > 0 && path.at[start - 1] != '.') {
        start--;
    }
    return slice_from(path, start);
}

static size_t depth_of(struct slice path)
{
    size_t depth = 0;
    for (size_t i = 0; i < path.length; i++) {
        depth += path.at[i] == '.';
    }
    return depth;
}

struct node *tree_child(const struct node *parent, struct slice name, struct slice slice)
{
    for (struct node *each = parent->first; each != NULL; each = each->next) {
        if (slice_equals(each->name, name) && slice_equals(each->slice, slice)) {
            return each;
        }
    }
    return NULL;
}

struct node *tree_insert(struct tree *tree, struct node *parent, struct node *after,
                         struct slice name, struct slice slice)
{
    struct node *node = ARENA_NEW(tree->arena, struct node);
    if (node == NULL) {
        return NULL;
    }
    *node = (struct node){.name = name, .slice = slice, .parent = parent};
    if (after == NULL) {
        after = parent->last;
    }
    if (after == NULL) {
        parent->first = node;
    } else {
        node->next = after->next;
        after->next = node;
    }
    if (parent->last == after) {
        parent->last = node;
    }
    return node;
}

/* Older snapshots name a type's slice by its own member name: valueQuantity beside value[x]. */
static struct slice choice_stem(const struct node *parent, struct slice name)
{
    for (struct node *each = parent->first; each != NULL; each = each->next) {
        if (slice_ends(each->name, SLICE("[x]"))) {
            struct slice stem = slice_head(each->name, each->name.length - 3);
            if (name.length > stem.length && slice_starts(name, stem) &&
                name.at[stem.length] >= 'A' && name.at[stem.length] <= 'Z') {
                return each->name;
            }
        }
    }
    return name;
}

struct node *tree_read(struct tree *tree, yyjson_val *elements)
{
    struct node *stack[DEPTH_LIMIT] = {NULL};
    struct node top = {.parent = NULL};
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(elements, i, max, element)
    {
        struct slice path = json_get_string(element, "path");
        size_t depth = depth_of(path);
        struct node *parent = depth == 0 ? &top : depth < DEPTH_LIMIT ? stack[depth - 1] : NULL;
        if (parent == NULL || (depth == 0) != (i == 0)) {
            return NULL;
        }
        struct slice name = last_step(path);
        struct slice slice = json_get_string(element, "sliceName");
        if (depth > 0 && tree_child(parent, name, (struct slice){NULL, 0}) == NULL) {
            struct slice stem = choice_stem(parent, name);
            if (!slice_equals(stem, name)) {
                slice = slice.length > 0 ? slice : name;
                name = stem;
            }
        }
        struct node *node = tree_insert(tree, parent, NULL, arena_copy(tree->arena, name),
                                        arena_copy(tree->arena, slice));
        if (node == NULL) {
            return NULL;
        }
        node->parent = depth == 0 ? NULL : parent;
        node->element = yyjson_val_mut_copy(tree->doc, element);
        for (size_t below = depth + 1; below < DEPTH_LIMIT; below++) {
            stack[below] = NULL;
        }
        stack[depth] = node;
    }
    return top.first;
}

yyjson_mut_val *tree_copy_element(struct tree *tree, yyjson_mut_val *element)
{
    return yyjson_mut_val_mut_copy(tree->doc, element);
}

static void fold(struct tree *tree, struct node *copy, struct slice reference)
{
    yyjson_mut_obj_remove_key(copy->element, "type");
    yyjson_mut_obj_put(copy->element, yyjson_mut_str(tree->doc, "contentReference"),
                       yyjson_mut_strncpy(tree->doc, reference.at, reference.length));
}

void tree_copy_children(struct tree *tree, const struct node *from, struct node *to, bool folded)
{
    /* TO may lie below FROM: what is added meanwhile is not copied again. */
    struct node *end = from->last;
    for (struct node *each = from->first; each != NULL; each = each->next) {
        struct node *copy = tree_insert(tree, to, NULL, each->name, each->slice);
        if (copy == NULL) {
            return;
        }
        copy->element = tree_copy_element(tree, each->element);
        if (folded && each->reference.length > 0) {
            fold(tree, copy, each->reference);
        } else if (each != to) {
            copy->reference = each->reference;
            tree_copy_children(tree, each, copy, folded);
        }
        if (each == end) {
            return;
        }
    }
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void write_path(const struct node *node, bool with_slices, struct buffer *out)
{
    if (node->parent != NULL) {
        write_path(node->parent, with_slices, out);
        buffer_add_byte(out, '.');
    }
    buffer_add(out, node->name);
    if (with_slices && node->slice.length > 0) {
        buffer_add_byte(out, ':');
        buffer_add(out, node->slice);
    }
}

static bool write_node(const struct tree *tree, const struct node *node, bool first,
                       struct buffer *out)
{
    struct buffer id = {.arena = tree->arena}, path = {.arena = tree->arena};
    write_path(node, true, &id);
    write_path(node, false, &path);
    if (!first) {
        buffer_add_byte(out, ',');
    }
    buffer_add_text(out, "{\"id\":");
    buffer_add_json_string(out, buffer_slice(&id));
    buffer_add_text(out, ",\"path\":");
    buffer_add_json_string(out, buffer_slice(&path));
    size_t i, max;
    yyjson_mut_val *key, *value;
    yyjson_mut_obj_foreach(node->element, i, max, key, value)
    {
        struct slice name = slice_of(yyjson_mut_get_str(key), yyjson_mut_get_len(key));
        if (!slice_is(name, "id") && !slice_is(name, "path")) {
            buffer_add_byte(out, ',');
            buffer_add_json_string(out, name);
            buffer_add_byte(out, ':');
            json_write_mutable(value, out);
        }
    }
    buffer_add_byte(out, '}');
    for (const struct node *each = node->first; each != NULL; each = each->next) {
        if (!write_node(tree, each, false, out)) {
            return false;
        }
    }
    return buffer_ok(out);
}

void tree_write(const struct tree *tree, struct buffer *out)
{
    buffer_add_byte(out, '[');
    (void)write_node(tree, tree->root, true, out);
    buffer_add_byte(out, ']');
}
