/* SPDX-License-Identifier: MIT */
/* From a value to its elements: members by name, choices by their stem, children, descendants. */
#include "fhirpath/fhirpath_int.h"

struct walk {
    struct evaluation *evaluation;
    const struct step *step;
    struct values *out;
    size_t limit; /* of out->count */
};

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
    if (item != NULL) {
        item->kind = FHIRPATH_NODE;
        item->node = (struct fhirpath_node){.value = value,
                                            .sibling = sibling,
                                            .type = type,
                                            .element = element,
                                            .parent = parent,
                                            .index = index};
    }
}

/* VALUE and SIBLING of one member, arrays flattened side by side. */
static void add_member(struct walk *walk, const struct fhirpath_node *parent,
                       const struct element_row *element, yyjson_val *value, yyjson_val *sibling)
{
    bool array = yyjson_is_arr(value), sibling_array = yyjson_is_arr(sibling);
    if (!array && !sibling_array) {
        add_one(walk, parent, element, value, sibling, 0);
        return;
    }
    yyjson_arr_iter values, siblings;
    bool has_values = array && yyjson_arr_iter_init(value, &values);
    bool has_siblings = sibling_array && yyjson_arr_iter_init(sibling, &siblings);
    for (uint32_t i = 0; walk->out->count < walk->limit; i++) {
        yyjson_val *item = has_values ? yyjson_arr_iter_next(&values) : NULL;
        yyjson_val *beside = has_siblings ? yyjson_arr_iter_next(&siblings) : NULL;
        if (item == NULL && beside == NULL) {
            return;
        }
        add_one(walk, parent, element, item, beside, i);
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
        struct slice text = key_text(key);
        if (text.length == name.length && memcmp(text.at, name.at, name.length) == 0) {
            *ret_value = value;
        } else if (text.length == name.length + 1 && text.at[0] == '_' &&
                   memcmp(text.at + 1, name.at, name.length) == 0) {
            *ret_sibling = value;
        }
    }
}

static void add_named(struct walk *walk, const struct fhirpath_node *parent, yyjson_val *object,
                      const struct element_row *element)
{
    const struct element_tables *tables = walk->evaluation->tables;
    struct slice name = table_text(tables, element->name);
    yyjson_val *value, *sibling = NULL;
    if (element_type_row(tables, element)->kind == TYPE_PRIMITIVE) {
        find_pair(object, name, &value, &sibling);
    } else {
        value = yyjson_obj_getn(object, name.at, name.length);
    }
    if (value != NULL || sibling != NULL) {
        add_member(walk, parent, element, value, sibling);
    }
}

/* The member of a choice that this key is; *RET_SIBLING: it is the `_name`. */
static const struct element_row *choice_element(const struct walk *walk,
                                                const struct member *member, struct slice key,
                                                bool *ret_sibling)
{
    const struct element_tables *tables = walk->evaluation->tables;
    const char *stem = tables->strings + member->first->name.offset;
    size_t length = member->first->stem_length;
    *ret_sibling = key.length > 0 && key.at[0] == '_';
    key = slice_from(key, *ret_sibling ? 1 : 0);
    if (key.length <= length || memcmp(key.at, stem, length) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < member->count; i++) {
        if (slice_equals(table_text(tables, member->first[i].name), key)) {
            return &member->first[i];
        }
    }
    return NULL;
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
        const struct element_row *element = choice_element(walk, member, key_text(key), &sibling);
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
    const struct step *step = walk->step;
    if (item->kind != FHIRPATH_NODE) {
        add_system_member(walk, item);
        return;
    }
    const struct fhirpath_node *node = &item->node;
    struct member member = node->type == step->type
                               ? step->member
                               : type_member(walk->evaluation->tables, node->type, step->name);
    bool primitive = node->type->kind == TYPE_PRIMITIVE;
    yyjson_val *object = primitive ? node->sibling : node->value;
    if (member.first == NULL) {
        if (primitive) {
            add_primitive_member(walk, item);
        }
    } else if (yyjson_is_obj(object)) {
        if (member.choice) {
            add_choice(walk, node, object, &member);
        } else {
            add_named(walk, node, object, member.first);
        }
    }
}

enum status navigate(struct evaluation *evaluation, const struct step *step,
                     const struct fhirpath_value *input, size_t count, size_t limit,
                     struct values *out)
{
    struct walk walk = {evaluation, step, out, limit};
    for (size_t i = 0; i < count && out->count < limit; i++) {
        navigate_item(&walk, &input[i]);
    }
    return evaluation_costs(evaluation, step, out->count);
}

/* ---- children ---------------------------------------------------------------------------------
 */

/* Every member that the definitions know; siblings with their values. */
static void add_children(struct walk *walk, const struct fhirpath_node *node)
{
    const struct element_tables *tables = walk->evaluation->tables;
    bool primitive = node->type->kind == TYPE_PRIMITIVE;
    yyjson_val *object = primitive ? node->sibling : node->value;
    size_t i, max;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(object)) {
        return;
    }
    yyjson_obj_foreach(object, i, max, key, value)
    {
        struct slice name = key_text(key);
        bool sibling = name.length > 1 && name.at[0] == '_';
        struct slice bare = slice_from(name, sibling ? 1 : 0);
        const struct element_row *element =
            type_find_element(tables, node->type, bare.at, bare.length);
        if (element == NULL) {
            continue;
        }
        bool has_sibling = element_type_row(tables, element)->kind == TYPE_PRIMITIVE;
        yyjson_val *first, *beside;
        if (!has_sibling) {
            if (!sibling) {
                add_member(walk, node, element, value, NULL);
            }
            continue;
        }
        find_pair(object, bare, &first, &beside);
        if (!sibling || first == NULL) { /* once for the two */
            add_member(walk, node, element, first, beside);
        }
    }
}

/* Depth first; the children of one node have an array of their own, so that what points at them
 * stays right while the result grows. */
static enum status add_descendants(struct walk *walk, const struct fhirpath_node *node,
                                   uint32_t depth)
{
    struct values children = {0};
    struct walk inner = *walk;
    if (depth > walk->evaluation->depth_limit) {
        return evaluation_fail(walk->evaluation, STATUS_TOO_COSTLY, walk->step,
                               "The resource is nested deeper than %u levels.",
                               walk->evaluation->depth_limit);
    }
    inner.out = &children;
    add_children(&inner, node);
    TRY(evaluation_costs(walk->evaluation, walk->step, children.count));
    for (size_t i = 0; i < children.count; i++) {
        values_add_all(walk->evaluation, walk->out, &children.items[i], 1);
        TRY(add_descendants(walk, &children.items[i].node, depth + 1));
    }
    return STATUS_OK;
}

enum status navigate_children(struct evaluation *evaluation, const struct step *step,
                              const struct fhirpath_value *input, size_t count, bool deep,
                              struct values *out)
{
    struct walk walk = {evaluation, step, out, SIZE_MAX};
    for (size_t i = 0; i < count; i++) {
        if (input[i].kind != FHIRPATH_NODE) {
            continue;
        }
        if (deep) {
            TRY(add_descendants(&walk, &input[i].node, 1));
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
