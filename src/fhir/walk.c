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

/* ---- writing with links exchanged --------------------------------------------------------------
 */

struct linker {
    const struct definitions *definitions;
    const struct element_tables *tables;
    link_resolve *resolve;
    void *context;
    struct buffer *out;
};

static void link_object(const struct linker *linker, const struct type_row *type,
                        yyjson_val *object);

static bool is_link(const struct element_row *element, const struct type_row *holder,
                    const struct element_tables *tables)
{
    switch (element->fhir_type) {
    case FHIR_TYPE_URI:
    case FHIR_TYPE_URL:
    case FHIR_TYPE_OID:
    case FHIR_TYPE_UUID:
        return true;
    case FHIR_TYPE_STRING:
        return holder->fhir_type == FHIR_TYPE_REFERENCE &&
               slice_is(table_text(tables, element->name), "reference");
    default:
        return false;
    }
}

/* Most values by far are strings without escapes: they need neither a look at each byte nor the
 * general writer. */
static inline void write_scalar(struct buffer *out, const yyjson_val *value)
{
    if ((value->tag & YYJSON_TAG_MASK) != (YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC)) {
        json_write(value, NULL, NULL, out);
        return;
    }
    struct slice text = known_text(value);
    char *room = buffer_reserve(out, text.length + 2);
    if (room == NULL) {
        return;
    }
    room[0] = '"';
    memcpy(room + 1, text.at, text.length);
    room[text.length + 1] = '"';
    out->length += text.length + 2;
}

static void link_string(const struct linker *linker, const struct element_row *element,
                        const struct type_row *holder, yyjson_val *value)
{
    struct slice text = known_text(value);
    struct slice other = text;
    if (is_link(element, holder, linker->tables)) {
        if (!linker->resolve(linker->context, text, &other)) {
            other = text;
        }
    } else if (element->fhir_type == FHIR_TYPE_XHTML) {
        other = narrative_links(text, linker->resolve, linker->context, linker->out->arena);
    }
    if (other.at == text.at && other.length == text.length) {
        write_scalar(linker->out, value);
    } else {
        buffer_add_json_string(linker->out, other);
    }
}

static void link_value(const struct linker *linker, const struct element_row *element,
                       const struct type_row *holder, yyjson_val *value, bool sibling)
{
    if (yyjson_is_str(value) && !sibling) {
        link_string(linker, element, holder, value);
        return;
    }
    const struct type_row *type = element_type_row(linker->tables, element);
    if (yyjson_is_obj(value) && (type->kind != TYPE_PRIMITIVE || sibling)) {
        link_object(linker, type, value);
    } else if (yyjson_is_raw(value)) {
        buffer_add(linker->out, json_number(value));
    } else {
        json_write(value, NULL, NULL, linker->out);
    }
}

static void link_member(const struct linker *linker, const struct element_row *element,
                        const struct type_row *holder, yyjson_val *value, bool sibling)
{
    if (!yyjson_is_arr(value)) {
        link_value(linker, element, holder, value, sibling);
        return;
    }
    size_t at, max;
    yyjson_val *item;
    buffer_add_byte(linker->out, '[');
    yyjson_arr_foreach(value, at, max, item)
    {
        if (at > 0) {
            buffer_add_byte(linker->out, ',');
        }
        link_value(linker, element, holder, item, sibling);
    }
    buffer_add_byte(linker->out, ']');
}

/* A name the definitions know has no byte that JSON would escape. */
static inline void write_key(struct buffer *out, struct slice name, bool first)
{
    char *room = buffer_reserve(out, name.length + 4);
    if (room == NULL) {
        return;
    }
    char *at = room;
    if (!first) {
        *at++ = ',';
    }
    *at++ = '"';
    memcpy(at, name.at, name.length);
    at += name.length;
    *at++ = '"';
    *at++ = ':';
    out->length += (size_t)(at - room);
}

static void link_object(const struct linker *linker, const struct type_row *declared,
                        yyjson_val *object)
{
    const struct type_row *type = object_type(linker->definitions, declared, object);
    if (type == NULL) {
        json_write(object, NULL, NULL, linker->out);
        return;
    }
    size_t at, max;
    yyjson_val *key, *value;
    buffer_add_byte(linker->out, '{');
    yyjson_obj_foreach(object, at, max, key, value)
    {
        bool sibling;
        struct slice name = known_text(key);
        const struct element_row *element = member_element(linker->tables, type, name, &sibling);
        if (element != NULL) {
            write_key(linker->out, name, at == 0);
            link_member(linker, element, type, value, sibling);
        } else {
            if (at > 0) {
                buffer_add_byte(linker->out, ',');
            }
            buffer_add_json_string(linker->out, name);
            buffer_add_byte(linker->out, ':');
            json_write(value, NULL, NULL, linker->out);
        }
    }
    buffer_add_byte(linker->out, '}');
}

void resource_write_resolved(const struct definitions *definitions, resource_type type,
                             yyjson_val *resource, link_resolve *resolve, void *context,
                             struct buffer *out)
{
    const struct linker linker = {definitions, definitions_tables(definitions), resolve, context,
                                  out};
    if (yyjson_is_obj(resource)) {
        link_object(&linker, resource_row(linker.tables, type), resource);
    } else {
        json_write(resource, NULL, NULL, out);
    }
}
