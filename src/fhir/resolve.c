/* SPDX-License-Identifier: MIT */
/* Exchanging the links of a resource in place: a transaction's resources are parsed once, and what
 * stands in them is changed rather than written and parsed again. */
#include "fhir/walk_int.h"

struct resolver {
    const struct definitions *definitions;
    const struct element_tables *tables;
    link_resolve *resolve;
    void *context;
    struct link_changes *changes;
};

bool is_link_element(const struct element_row *element, const struct type_row *holder,
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

/* The old value is kept first: what cannot be undone is not done. */
static void exchange(struct link_changes *changes, yyjson_val *value, struct slice text)
{
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity == 0 ? 16 : changes->capacity * 2;
        struct link_change *more =
            arena_resize(changes->arena, changes->items, changes->capacity * sizeof(*more),
                         capacity * sizeof(*more));
        if (more == NULL) {
            return;
        }
        changes->items = more;
        changes->capacity = capacity;
    }
    struct slice copy = arena_copy(changes->arena, text);
    if (copy.at == NULL) {
        return;
    }
    changes->items[changes->count++] = (struct link_change){value, *value};
    yyjson_set_strn(value, copy.at, copy.length);
}

static void resolve_string(const struct resolver *resolver, const struct element_row *element,
                           const struct type_row *holder, yyjson_val *value)
{
    struct slice text = known_text(value);
    struct slice other = text;
    if (is_link_element(element, holder, resolver->tables)) {
        if (!resolver->resolve(resolver->context, text, &other)) {
            return;
        }
    } else if (element->fhir_type == FHIR_TYPE_XHTML) {
        other =
            narrative_links(text, resolver->resolve, resolver->context, resolver->changes->arena);
    }
    if (other.at != text.at || other.length != text.length) {
        exchange(resolver->changes, value, other);
    }
}

static void resolve_object(const struct resolver *resolver, const struct type_row *declared,
                           yyjson_val *object);

static void resolve_item(const struct resolver *resolver, const struct element_row *element,
                         const struct type_row *holder, yyjson_val *value, bool sibling)
{
    if (yyjson_is_str(value)) {
        if (!sibling) {
            resolve_string(resolver, element, holder, value);
        }
        return;
    }
    const struct type_row *type = element_type_row(resolver->tables, element);
    if (yyjson_is_obj(value) && (type->kind != TYPE_PRIMITIVE || sibling)) {
        resolve_object(resolver, type, value);
    }
}

static void resolve_object(const struct resolver *resolver, const struct type_row *declared,
                           yyjson_val *object)
{
    const struct type_row *type = object_type(resolver->definitions, declared, object);
    if (type == NULL) {
        return;
    }
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        bool sibling;
        const struct element_row *element =
            member_element(resolver->tables, type, known_text(key), &sibling);
        if (element == NULL) {
            continue;
        }
        if (!yyjson_is_arr(value)) {
            resolve_item(resolver, element, type, value, sibling);
            continue;
        }
        size_t item_at, item_max;
        yyjson_val *item;
        yyjson_arr_foreach(value, item_at, item_max, item)
        {
            resolve_item(resolver, element, type, item, sibling);
        }
    }
}

void resource_resolve_links(const struct definitions *definitions, resource_type type,
                            yyjson_val *resource, link_resolve *resolve, void *context,
                            struct link_changes *changes)
{
    const struct resolver resolver = {definitions, definitions_tables(definitions), resolve,
                                      context, changes};
    if (yyjson_is_obj(resource)) {
        resolve_object(&resolver, resource_row(resolver.tables, type), resource);
    }
}

void resource_links_undo(struct link_changes *changes)
{
    while (changes->count > 0) {
        const struct link_change *change = &changes->items[--changes->count];
        *change->value = change->before;
    }
}
