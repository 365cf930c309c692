/* SPDX-License-Identifier: MIT */
/* Steps between the nodes of a resource, along the definitions. */
#include "validate/profile_int.h"

struct fhirpath_node node_child(const struct definitions *definitions,
                                const struct fhirpath_node *parent,
                                const struct element_row *element, yyjson_val *value,
                                yyjson_val *sibling, size_t index)
{
    const struct element_tables *tables = definitions_tables(definitions);
    struct fhirpath_node node = {.value = yyjson_is_null(value) ? NULL : value,
                                 .sibling = yyjson_is_null(sibling) ? NULL : sibling,
                                 .type = element_type_row(tables, element),
                                 .element = element,
                                 .parent = parent,
                                 .index = (uint32_t)index};
    if (node.type->kind == TYPE_ABSTRACT) {
        resource_type type =
            resource_type_find(definitions, json_get_string(value, "resourceType"));
        if (type != RESOURCE_TYPE_NONE) {
            node.type = resource_row(tables, type);
        }
    }
    return node;
}

/* The value of "_NAME". */
static yyjson_val *sibling_of(yyjson_val *object, struct slice name)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        const char *at = yyjson_get_str(key);
        if (yyjson_get_len(key) == name.length + 1 && at[0] == '_' &&
            memcmp(at + 1, name.at, name.length) == 0) {
            return value;
        }
    }
    return NULL;
}

/* Where the members of a node stand: those of a primitive in its `_` sibling. */
static yyjson_val *members_of(const struct fhirpath_node *node)
{
    return node->type->kind == TYPE_PRIMITIVE ? node->sibling : node->value;
}

static bool each_value(const struct definitions *definitions, const struct fhirpath_node *node,
                       const struct element_row *element, node_visit *visit, void *context)
{
    const struct element_tables *tables = definitions_tables(definitions);
    struct slice name = table_text(tables, element->name);
    yyjson_val *object = members_of(node);
    yyjson_val *value = yyjson_obj_getn(object, name.at, name.length);
    yyjson_val *sibling = NULL;
    if (element_type_row(tables, element)->kind == TYPE_PRIMITIVE) {
        sibling = sibling_of(object, name);
    }
    if (!yyjson_is_arr(value) && !yyjson_is_arr(sibling)) {
        struct fhirpath_node child = node_child(definitions, node, element, value, sibling, 0);
        return (value == NULL && sibling == NULL) || visit(context, &child);
    }
    size_t count = yyjson_arr_size(value), more = yyjson_arr_size(sibling);
    for (size_t i = 0; i < count || i < more; i++) {
        struct fhirpath_node child = node_child(
            definitions, node, element, yyjson_arr_get(value, i), yyjson_arr_get(sibling, i), i);
        if (!visit(context, &child)) {
            return false;
        }
    }
    return true;
}

bool node_each(const struct definitions *definitions, const struct fhirpath_node *node,
               struct slice stem, node_visit *visit, void *context)
{
    const struct element_tables *tables = definitions_tables(definitions);
    if (!yyjson_is_obj(members_of(node))) {
        return true;
    }
    for (size_t i = 0; i < node->type->element_count; i++) {
        const struct element_row *element = type_element(tables, node->type, i);
        struct slice name = table_text(tables, element->name);
        if (element->stem_length == stem.length && memcmp(name.at, stem.at, stem.length) == 0 &&
            !each_value(definitions, node, element, visit, context)) {
            return false;
        }
    }
    return true;
}

/* ---- upwards ----------------------------------------------------------------------------------
 */

const struct fhirpath_node *node_own_resource(const struct fhirpath_node *node)
{
    while (node->parent != NULL && node->type->kind != TYPE_RESOURCE) {
        node = node->parent;
    }
    return node;
}

static bool stands_in(const struct definitions *definitions, const struct fhirpath_node *node,
                      const char *member)
{
    return node->element != NULL &&
           slice_is(table_text(definitions_tables(definitions), node->element->name), member);
}

const struct fhirpath_node *node_container(const struct definitions *definitions,
                                           const struct fhirpath_node *node)
{
    const struct fhirpath_node *resource = node_own_resource(node);
    return stands_in(definitions, resource, "contained") ? node_own_resource(resource->parent)
                                                         : resource;
}

const struct fhirpath_node *node_entry(const struct definitions *definitions,
                                       const struct fhirpath_node *node)
{
    const struct fhirpath_node *resource = node_container(definitions, node);
    const struct fhirpath_node *entry = resource->parent;
    return entry != NULL && stands_in(definitions, resource, "resource") &&
                   stands_in(definitions, entry, "entry")
               ? entry
               : NULL;
}
