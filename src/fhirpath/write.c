/* SPDX-License-Identifier: MIT */
/* Values and their places as text. */
#include "fhirpath/fhirpath_int.h"

static void write_node(const struct fhirpath_node *node, struct buffer *out)
{
    if (yyjson_is_str(node->value)) {
        buffer_add(out, json_string(node->value));
    } else if (node->value != NULL) {
        json_write(node->value, NULL, NULL, out);
    }
}

void fhirpath_write(const struct fhirpath_value *value, struct buffer *out)
{
    switch (value->kind) {
    case FHIRPATH_NODE:
        if (type_is_quantity(value->node.type)) {
            struct fhirpath_value system;
            if (fhirpath_system(NULL, value, out->arena, &system)) {
                quantity_write(system.quantity, out);
                return;
            }
        }
        write_node(&value->node, out);
        return;
    case FHIRPATH_BOOLEAN:
        buffer_add_text(out, value->boolean ? "true" : "false");
        return;
    case FHIRPATH_INTEGER:
        buffer_add_signed(out, value->integer);
        return;
    case FHIRPATH_DECIMAL:
        decimal_write(value->decimal, out);
        return;
    case FHIRPATH_STRING:
        buffer_add(out, value->string);
        return;
    case FHIRPATH_DATE:
    case FHIRPATH_DATETIME:
    case FHIRPATH_TIME:
        date_text_write(&value->date, value->kind, out);
        return;
    case FHIRPATH_QUANTITY:
        quantity_write(value->quantity, out);
        return;
    case FHIRPATH_TYPE:
        buffer_add(out, value->type.space);
        buffer_add_byte(out, '.');
        buffer_add(out, value->type.name);
        return;
    }
}

void fhirpath_write_path(const struct definitions *definitions, const struct fhirpath_node *node,
                         struct buffer *out)
{
    const struct element_tables *tables = definitions_tables(definitions);
    if (node->element == NULL || node->parent == NULL) {
        buffer_add(out, table_text(tables, node->type->name));
        return;
    }
    fhirpath_write_path(definitions, node->parent, out);
    /* A choice is its stem: Observation.value, whatever type it has. */
    struct slice name = table_text(tables, node->element->name);
    if ((node->element->flags & ELEMENT_CHOICE) != 0) {
        name = slice_head(name, node->element->stem_length);
    }
    buffer_add_byte(out, '.');
    buffer_add(out, name);
    if ((node->element->flags & ELEMENT_ARRAY) != 0) {
        buffer_print(out, "[%u]", node->index);
    }
}
