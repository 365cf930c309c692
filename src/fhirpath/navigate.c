/* SPDX-License-Identifier: MIT */
/* From a value to its elements: members by name, choices by their stem, children, descendants. */
#include <assert.h>

#include "fhirpath/fhirpath_int.h"

struct walk {
    struct evaluation *evaluation;
    const struct step *step;
    struct values *out;
    const struct type_row *type; /* of the item before, and what the name means on it */
    struct member member;
    uint32_t depth; /* below what descendants() was asked of; 0: only what is named is wanted */
    bool too_deep;
};

static void add_children(struct walk *walk, const struct fhirpath_node *node);

static struct slice key_text(yyjson_val *key)
{
    return slice_of(yyjson_get_str(key), yyjson_get_len(key));
}

/* Where any resource may stand, the one that stands there; NULL: it does not say. */
static const struct type_row *actual_type(const struct evaluation *evaluation,
                                          const struct element_row *element, yyjson_val *value)
{
    const struct type_row *type = element_type_row(evaluation->tables, element);
    if (type->kind != TYPE_ABSTRACT) {
        return type;
    }
    resource_type found =
        resource_type_find(evaluation->definitions, json_get_string(value, "resourceType"));
    return found != RESOURCE_TYPE_NONE ? resource_row(evaluation->tables, found) : NULL;
}

static void add_one(struct walk *walk, const struct fhirpath_node *parent,
                    const struct element_row *element, yyjson_val *value, yyjson_val *sibling,
                    uint32_t index)
{
    if (value != NULL && yyjson_is_null(value)) {
        value = NULL; /* as the JSON of repeating primitives writes what has only extensions */
    }
    if (sibling != NULL && !yyjson_is_obj(sibling)) {
        sibling = NULL;
    }
    if (value == NULL && sibling == NULL) {
        return;
    }
    const struct type_row *type = actual_type(walk->evaluation, element, value);
    struct fhirpath_value *item = type != NULL ? values_add(walk->evaluation, walk->out) : NULL;
    if (item == NULL) {
        return;
    }
    item->kind = FHIRPATH_NODE;
    item->node = (struct fhirpath_node){.value = value,
                                        .sibling = sibling,
                                        .type = type,
                                        .element = element,
                                        .parent = parent,
                                        .index = index};
    if (walk->depth > 0 && (sibling != NULL || yyjson_is_obj(value))) {
        add_children(walk, &item->node);
    }
}

/* Two arrays side by side, one of which may be missing. */
static void add_arrays(struct walk *walk, const struct fhirpath_node *parent,
                       const struct element_row *element, yyjson_val *value, yyjson_val *sibling)
{
    size_t count = yyjson_arr_size(value), siblings = yyjson_arr_size(sibling);
    yyjson_val *item = count > 0 ? yyjson_arr_get_first(value) : NULL;
    yyjson_val *beside = siblings > 0 ? yyjson_arr_get_first(sibling) : NULL;
    size_t most = count > siblings ? count : siblings;
    if (!values_reserve(walk->evaluation, walk->out, most)) {
        return;
    }
    for (size_t i = 0; i < most; i++) {
        add_one(walk, parent, element, i < count ? item : NULL, i < siblings ? beside : NULL,
                (uint32_t)i);
        item = i < count ? unsafe_yyjson_get_next(item) : NULL;
        beside = i < siblings ? unsafe_yyjson_get_next(beside) : NULL;
    }
}

/* VALUE and SIBLING of one member. */
static inline void add_member(struct walk *walk, const struct fhirpath_node *parent,
                              const struct element_row *element, yyjson_val *value,
                              yyjson_val *sibling)
{
    if (yyjson_is_arr(value) || yyjson_is_arr(sibling)) {
        add_arrays(walk, parent, element, value, sibling);
    } else {
        add_one(walk, parent, element, value, sibling, 0);
    }
}

/* The member NAME and its `_NAME`, in one walk over the keys. */
static void find_pair(yyjson_val *object, struct slice name, yyjson_val **ret_value,
                      yyjson_val **ret_sibling)
{
    size_t i, max;
    yyjson_val *key, *value;
    *ret_value = NULL;
    *ret_sibling = NULL;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        size_t longer = yyjson_get_len(key) - name.length;
        if (longer > 1) {
            continue; /* shorter than the one or longer than the other */
        }
        const char *text = yyjson_get_str(key);
        if (text[longer] != name.at[0] || !bytes_equal(text + longer, name.at, name.length)) {
            continue;
        }
        if (longer == 0) {
            *ret_value = value;
        } else if (text[0] == '_') {
            *ret_sibling = value;
        }
    }
}

static yyjson_val *find_member(yyjson_val *object, struct slice name)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        if (yyjson_get_len(key) == name.length &&
            bytes_equal(yyjson_get_str(key), name.at, name.length)) {
            return value;
        }
    }
    return NULL;
}

static void add_named(struct walk *walk, const struct fhirpath_node *parent, yyjson_val *object,
                      const struct member *member)
{
    struct slice name = table_text(walk->evaluation->tables, member->first->name);
    yyjson_val *value, *sibling = NULL;
    if (member->primitive) {
        find_pair(object, name, &value, &sibling);
    } else {
        value = find_member(object, name);
    }
    if (value != NULL || sibling != NULL) {
        add_member(walk, parent, member->first, value, sibling);
    }
}

/* The member of a choice that this key is; *RET_SIBLING: it is the `_name`. */
static const struct element_row *choice_element(const struct walk *walk,
                                                const struct fhirpath_node *node,
                                                const struct element_row *first, struct slice key,
                                                bool *ret_sibling)
{
    const struct element_tables *tables = walk->evaluation->tables;
    const char *stem = tables->strings + first->name.offset;
    *ret_sibling = key.length > 0 && key.at[0] == '_';
    key = slice_from(key, *ret_sibling ? 1 : 0);
    if (key.length <= first->stem_length || key.at[0] != stem[0] ||
        memcmp(key.at, stem, first->stem_length) != 0) {
        return NULL;
    }
    const struct element_row *element = type_find_element(tables, node->type, key.at, key.length);
    bool member =
        element != NULL && (element->flags & ELEMENT_CHOICE) != 0 && element->group == first->group;
    return member ? element : NULL;
}

static void add_choice(struct walk *walk, const struct fhirpath_node *parent, yyjson_val *object,
                       const struct member *member)
{
    const struct element_row *found = NULL;
    yyjson_val *found_value = NULL, *found_sibling = NULL;
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        bool sibling;
        const struct element_row *element =
            choice_element(walk, parent, member->first, key_text(key), &sibling);
        if (element == NULL) {
            continue;
        }
        found = element;
        *(sibling ? &found_sibling : &found_value) = value;
    }
    if (found != NULL) {
        add_member(walk, parent, found, found_value, found_sibling);
    }
}

/* What is no node has no elements but these (N1 "Quantity", "TypeInfo"). */
static void add_system_member(struct walk *walk, const struct fhirpath_value *item)
{
    struct slice name = walk->step->name;
    struct evaluation *evaluation = walk->evaluation;
    if (item->kind == FHIRPATH_TYPE && slice_is(name, "name")) {
        values_add_string(evaluation, walk->out, item->type.name);
    } else if (item->kind == FHIRPATH_TYPE && slice_is(name, "namespace")) {
        values_add_string(evaluation, walk->out, item->type.space);
    } else if (item->kind == FHIRPATH_QUANTITY && slice_is(name, "unit")) {
        values_add_string(evaluation, walk->out, item->quantity->unit);
    } else if (item->kind == FHIRPATH_QUANTITY && slice_is(name, "value")) {
        struct fhirpath_value *value = values_add(evaluation, walk->out);
        if (value != NULL) {
            value->kind = FHIRPATH_DECIMAL;
            value->decimal = item->quantity->value;
        }
    }
}

/* A primitive is its `_name` object, and its value is of a System type. */
static void add_primitive_member(struct walk *walk, const struct fhirpath_value *item)
{
    struct fhirpath_value system;
    if (slice_is(walk->step->name, "value") && value_system(walk->evaluation, item, &system)) {
        values_add_all(walk->evaluation, walk->out, &system, 1);
    }
}

static void navigate_item(struct walk *walk, const struct fhirpath_value *item)
{
    if (item->kind != FHIRPATH_NODE) {
        add_system_member(walk, item);
        return;
    }
    const struct fhirpath_node *node = &item->node;
    bool primitive = node->type->kind == TYPE_PRIMITIVE;
    yyjson_val *object = primitive ? node->sibling : node->value;
    if (!yyjson_is_obj(object)) {
        if (primitive) {
            add_primitive_member(walk, item);
        }
        return;
    }
    if (node->type != walk->type) {
        walk->type = node->type;
        walk->member = type_member(walk->evaluation->tables, node->type, walk->step->name);
    }
    if (walk->member.first == NULL) {
        if (primitive) {
            add_primitive_member(walk, item);
        }
    } else if (walk->member.choice) {
        add_choice(walk, node, object, &walk->member);
    } else {
        add_named(walk, node, object, &walk->member);
    }
}

enum status navigate(struct evaluation *evaluation, const struct step *step,
                     const struct fhirpath_value *input, size_t count, struct values *out)
{
    struct walk walk = {.evaluation = evaluation,
                        .step = step,
                        .out = out,
                        .type = step->type,
                        .member = step->member};
    for (size_t i = 0; i < count; i++) {
        navigate_item(&walk, &input[i]);
    }
    return evaluation_costs(evaluation, step, out->count);
}

/* ---- children ---------------------------------------------------------------------------------
 */

static bool has_siblings(yyjson_val *object)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        (void)value;
        if (yyjson_get_str(key)[0] == '_') {
            return true;
        }
    }
    return false;
}

/* The member KEY of OBJECT, a primitive with its `_name`: of these two the value is what counts. */
static void add_child(struct walk *walk, const struct fhirpath_node *node, yyjson_val *object,
                      bool siblings, struct slice key, yyjson_val *value)
{
    const struct element_tables *tables = walk->evaluation->tables;
    bool sibling = key.length > 1 && key.at[0] == '_';
    struct slice name = slice_from(key, sibling ? 1 : 0);
    const struct element_row *element = type_find_element(tables, node->type, name.at, name.length);
    yyjson_val *first = value, *beside = NULL;
    if (element == NULL) {
        return;
    }
    if (siblings && element_type_row(tables, element)->kind == TYPE_PRIMITIVE) {
        find_pair(object, name, &first, &beside);
    }
    if (sibling ? first == NULL && value == beside : value == first) {
        add_member(walk, node, element, first, beside);
    }
}

/* Every member that the definitions know; siblings with their values. Where the walk is deep, each
 * with all that is below it. */
static void add_children(struct walk *walk, const struct fhirpath_node *node)
{
    bool primitive = node->type->kind == TYPE_PRIMITIVE;
    yyjson_val *object = primitive ? node->sibling : node->value;
    size_t i, max;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(object)) {
        return;
    }
    if (walk->depth > walk->evaluation->depth_limit) {
        walk->too_deep = true;
        return;
    }
    walk->depth += walk->depth > 0;
    bool siblings = has_siblings(object);
    yyjson_obj_foreach(object, i, max, key, value)
    {
        add_child(walk, node, object, siblings, key_text(key), value);
    }
    walk->depth -= walk->depth > 0;
}

/* The values in the JSON of VALUE, itself included: they lie one after another. */
static size_t json_count(yyjson_val *value)
{
    return value != NULL ? (size_t)(unsafe_yyjson_get_next(value) - value) : 0;
}

/* All below NODE, each before what is below it. They point at each other, so they lie in one block
 * that is large enough for all of them and is not moved. */
static enum status add_descendants(struct evaluation *evaluation, const struct step *step,
                                   const struct fhirpath_node *node, struct values *out)
{
    size_t most = json_count(node->value) + json_count(node->sibling);
    struct fhirpath_value *block = arena_alloc(evaluation->arena, most * sizeof *block);
    if (block == NULL || most > UINT32_MAX) {
        return STATUS_TOO_COSTLY;
    }
    struct values found = {block, 0, (uint32_t)most};
    struct walk walk = {.evaluation = evaluation, .step = step, .out = &found, .depth = 1};
    add_children(&walk, node);
    if (walk.too_deep) {
        return evaluation_fail(evaluation, STATUS_TOO_COSTLY, step,
                               "The resource is nested deeper than %u levels.",
                               evaluation->depth_limit);
    }
    assert(found.items == block);
    (void)arena_resize(evaluation->arena, block, most * sizeof *block, found.count * sizeof *block);
    values_share(evaluation, out, found.items, found.count);
    return evaluation_costs(evaluation, step, found.count);
}

enum status navigate_children(struct evaluation *evaluation, const struct step *step,
                              const struct fhirpath_value *input, size_t count, bool deep,
                              struct values *out)
{
    struct walk walk = {.evaluation = evaluation, .step = step, .out = out};
    for (size_t i = 0; i < count; i++) {
        if (input[i].kind != FHIRPATH_NODE) {
            continue;
        }
        if (deep) {
            TRY(add_descendants(evaluation, step, &input[i].node, out));
        } else {
            add_children(&walk, &input[i].node);
        }
    }
    return evaluation_costs(evaluation, step, out->count);
}

const struct fhirpath_node *node_resource(const struct fhirpath_node *node, bool container)
{
    while (node != NULL) {
        bool resource = node->type->kind == TYPE_RESOURCE;
        /* A resource in a Bundle or in Parameters stands for itself; one that is contained lives
         * in the resource around it, whose element is a list of any resource. */
        bool contained = resource && node->element != NULL && node->parent != NULL &&
                         node->parent->type->kind == TYPE_RESOURCE;
        if (resource && !(container && contained)) {
            return node;
        }
        node = node->parent;
    }
    return NULL;
}
