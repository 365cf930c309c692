/* SPDX-License-Identifier: MIT */
/* Two walks along the element tables. They are apart because the writer must see every member,
 * known or not, and the visitor only primitives that the definitions know. */
#include "fhir/walk_int.h"

const struct element_row *member_element(const struct element_tables *tables,
                                         const struct type_row *type, struct slice name,
                                         bool *ret_sibling)
{
    *ret_sibling = false;
    const struct element_row *element = type_find_element(tables, type, name.at, name.length);
    if (element != NULL || name.length < 2 || name.at[0] != '_') {
        return element;
    }
    element = type_find_element(tables, type, name.at + 1, name.length - 1);
    if (element == NULL || element_type_row(tables, element)->kind != TYPE_PRIMITIVE) {
        return NULL;
    }
    *ret_sibling = true;
    return element;
}

const struct type_row *object_type(const struct definitions *definitions,
                                   const struct type_row *declared, yyjson_val *object)
{
    if (declared->kind != TYPE_ABSTRACT) {
        return declared;
    }
    resource_type type = resource_type_find(definitions, json_get_string(object, "resourceType"));
    return type != RESOURCE_TYPE_NONE ? resource_row(definitions_tables(definitions), type) : NULL;
}

/* ---- visiting ---------------------------------------------------------------------------------
 */

struct visitor {
    const struct definitions *definitions;
    const struct element_tables *tables;
    walk_visit *visit;
    void *context;
};

static void visit_object(const struct visitor *visitor, const struct type_row *type,
                         yyjson_val *object);

static void visit_item(const struct visitor *visitor, const struct element_row *element,
                       struct walk_value *at, yyjson_val *value, bool sibling)
{
    const struct type_row *type = element_type_row(visitor->tables, element);
    if (yyjson_is_obj(value)) {
        if (type->kind != TYPE_PRIMITIVE || sibling) {
            visit_object(visitor, type, value);
        }
        return;
    }
    if (type->kind == TYPE_PRIMITIVE && !sibling && !yyjson_is_arr(value) &&
        !yyjson_is_null(value)) {
        at->value = value;
        visitor->visit(visitor->context, at);
    }
}

static void visit_object(const struct visitor *visitor, const struct type_row *declared,
                         yyjson_val *object)
{
    const struct type_row *type = object_type(visitor->definitions, declared, object);
    if (type == NULL) {
        return;
    }
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        bool sibling;
        struct slice name = known_text(key);
        const struct element_row *element = member_element(visitor->tables, type, name, &sibling);
        if (element == NULL) {
            continue;
        }
        struct walk_value found = {.type = (enum fhir_type)element->fhir_type,
                                   .parent_type = (enum fhir_type)type->fhir_type,
                                   .name = name,
                                   .parent = object};
        if (!yyjson_is_arr(value)) {
            visit_item(visitor, element, &found, value, sibling);
            continue;
        }
        size_t item_at, item_max;
        yyjson_val *item;
        yyjson_arr_foreach(value, item_at, item_max, item)
        {
            visit_item(visitor, element, &found, item, sibling);
        }
    }
}

void resource_walk(const struct definitions *definitions, resource_type type, yyjson_val *resource,
                   walk_visit *visit, void *context)
{
    const struct visitor visitor = {definitions, definitions_tables(definitions), visit, context};
    visit_object(&visitor, resource_row(visitor.tables, type), resource);
}
