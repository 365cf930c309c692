/* SPDX-License-Identifier: MIT */
/* Writing XML: the members of each object in the order of its definition. */
#include "fhir/walk_int.h"

#define GROUPS_MOST 64

/* A member with what stands beside it; one a group. */
struct member {
    const struct element_row *element;
    const yyjson_val *value;   /* NULL: none */
    const yyjson_val *sibling; /* `_name`, or NULL */
};

struct writer {
    const struct definitions *definitions;
    const struct element_tables *tables;
    struct outcome *outcome;
    struct buffer *out;
    bool pretty;
    uint32_t depth;
};

static enum status write_object(struct writer *writer, const struct type_row *type,
                                struct slice name, const yyjson_val *object, bool resource);

/* ---- text -------------------------------------------------------------------------------------
 */

/* Bytes that go into an attribute as they are. From 0x80 on: only U+FFFE, U+FFFF and their like are
 * no characters of XML, which begin with EF. */
static const bool plain_bytes[256] = {
    [' ' ... '!'] = true, ['#' ... '%'] = true,   ['\'' ... ';'] = true, ['='] = true,
    ['?' ... '~'] = true, [0x7f ... 0xee] = true, [0xf0 ... 0xff] = true};

bool xml_has_noncharacter(struct slice text)
{
    while (text.length >= 3) {
        const char *at = memchr(text.at, 0xef, text.length - 2);
        if (at == NULL) {
            return false;
        }
        if ((unsigned char)at[1] == 0xbf && (unsigned char)at[2] >= 0xbe) {
            return true;
        }
        text = slice_from(text, (size_t)(at - text.at) + 1);
    }
    return false;
}

static struct slice escape_of(unsigned char byte)
{
    switch (byte) {
    case '"':
        return SLICE("&quot;");
    case '&':
        return SLICE("&amp;");
    case '<':
        return SLICE("&lt;");
    case '>':
        return SLICE("&gt;");
    case '\t':
        return SLICE("&#9;");
    case '\n':
        return SLICE("&#10;");
    case '\r':
        return SLICE("&#13;");
    default:
        return (struct slice){NULL, 0};
    }
}

static enum status cannot_say(struct writer *writer)
{
    return outcome_fail(writer->outcome, STATUS_NOT_ACCEPTABLE, "",
                        "A text holds a character that XML cannot say: ask for JSON.");
}

static enum status add_escaped(struct writer *writer, struct slice text)
{
    size_t from = 0;
    for (size_t at = 0; at < text.length; at++) {
        unsigned char byte = (unsigned char)text.at[at];
        if (plain_bytes[byte]) {
            continue;
        }
        if (byte == 0xef) {
            bool none = at + 2 < text.length && (unsigned char)text.at[at + 1] == 0xbf &&
                        (unsigned char)text.at[at + 2] >= 0xbe;
            if (!none) {
                continue;
            }
        }
        struct slice escape = escape_of(byte);
        if (escape.length == 0) {
            return cannot_say(writer);
        }
        buffer_add(writer->out, slice_of(text.at + from, at - from));
        buffer_add(writer->out, escape);
        from = at + 1;
    }
    buffer_add(writer->out, slice_from(text, from));
    return STATUS_OK;
}

static void add_line(struct writer *writer)
{
    if (writer->pretty) {
        size_t length = 2 * (size_t)writer->depth;
        char *at = buffer_reserve(writer->out, 1 + length);
        if (at != NULL) {
            at[0] = '\n';
            memset(at + 1, ' ', length);
            writer->out->length += 1 + length;
        }
    }
}

static void add_tag(struct buffer *out, const char *open, struct slice name)
{
    size_t before = strlen(open);
    char *at = buffer_reserve(out, before + name.length);
    if (at != NULL) {
        memcpy(at, open, before);
        memcpy(at + before, name.at, name.length);
        out->length += before + name.length;
    }
}

static enum status add_attribute(struct writer *writer, const char *name, struct slice text)
{
    buffer_add_byte(writer->out, ' ');
    buffer_add_text(writer->out, name);
    buffer_add(writer->out, SLICE("=\""));
    TRY(add_escaped(writer, text));
    buffer_add_byte(writer->out, '"');
    return STATUS_OK;
}

/* ---- members ----------------------------------------------------------------------------------
 */

static enum status fail(struct writer *writer, const struct type_row *type, const char *what)
{
    return outcome_fail(writer->outcome, STATUS_STRUCTURE, "", "%s (in %.*s).", what,
                        SLICE_ARGS(table_text(writer->tables, type->name)));
}

/* Puts a member where its group belongs; nearly always that is behind the last. */
static struct member *place_member(struct member *list, size_t *count,
                                   const struct element_row *element)
{
    size_t at = *count;
    while (at > 0 && list[at - 1].element->group > element->group) {
        at--;
    }
    if (at > 0 && list[at - 1].element->group == element->group) {
        return list[at - 1].element == element ? &list[at - 1] : NULL;
    }
    memmove(list + at + 1, list + at, (*count - at) * sizeof *list);
    list[at] = (struct member){.element = element};
    (*count)++;
    return &list[at];
}

static enum status sort_members(struct writer *writer, const struct type_row *type,
                                const yyjson_val *object, struct member *list, size_t *ret_count)
{
    size_t i, max;
    yyjson_val *key, *value;
    *ret_count = 0;
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)object, i, max, key, value)
    {
        bool sibling;
        struct slice name = known_text(key);
        const struct element_row *element = member_element(writer->tables, type, name, &sibling);
        if (element == NULL) {
            if (type->kind == TYPE_RESOURCE && slice_is(name, "resourceType")) {
                continue;
            }
            return fail(writer, type, "There is a member that the definitions do not know");
        }
        struct member *member = place_member(list, ret_count, element);
        if (member == NULL || (sibling ? member->sibling : member->value) != NULL) {
            return fail(writer, type, "An element is given twice");
        }
        if (sibling) {
            member->sibling = value;
        } else {
            member->value = value;
        }
    }
    return STATUS_OK;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static struct slice scalar_text(const yyjson_val *value)
{
    if (yyjson_is_bool((yyjson_val *)(uintptr_t)value)) {
        return yyjson_is_true((yyjson_val *)(uintptr_t)value) ? SLICE("true") : SLICE("false");
    }
    struct slice text = json_string(value);
    return text.at != NULL ? text : json_number(value);
}

static bool is_null(const yyjson_val *value)
{
    return value == NULL || yyjson_is_null((yyjson_val *)(uintptr_t)value);
}

/* In XML these are attributes of the element's own tag. */
static bool is_attribute(const struct type_row *type, struct slice name)
{
    return (type->kind != TYPE_RESOURCE && slice_is(name, "id")) ||
           (type->fhir_type == FHIR_TYPE_EXTENSION && slice_is(name, "url"));
}

static enum status write_narrative(struct writer *writer, const struct type_row *holder,
                                   const yyjson_val *value)
{
    struct slice text = json_string(value);
    if (!slice_starts(text, SLICE("<div")) || !slice_ends(text, SLICE(">"))) {
        return fail(writer, holder, "The narrative is no XHTML div");
    }
    if (xml_has_noncharacter(text)) {
        return cannot_say(writer);
    }
    add_line(writer);
    buffer_add(writer->out, text);
    return STATUS_OK;
}

static enum status write_primitive(struct writer *writer, const struct type_row *type,
                                   struct slice name, const yyjson_val *value,
                                   const yyjson_val *sibling)
{
    add_line(writer);
    add_tag(writer->out, "<", name);
    if (!is_null(value)) {
        struct slice text = scalar_text(value);
        if (text.at == NULL) {
            return fail(writer, type, "A primitive value is an object or array");
        }
        TRY(add_attribute(writer, "value", text));
    }
    if (is_null(sibling)) {
        buffer_add(writer->out, SLICE("/>"));
        return STATUS_OK;
    }
    return write_object(writer, type, name, sibling, false);
}

static enum status write_resource(struct writer *writer, struct slice name,
                                  const yyjson_val *resource)
{
    const struct type_row *type =
        object_type(writer->definitions, type_find(writer->definitions, SLICE("Resource")),
                    (yyjson_val *)(uintptr_t)resource);
    if (type == NULL || !yyjson_is_obj((yyjson_val *)(uintptr_t)resource)) {
        return outcome_fail(writer->outcome, STATUS_STRUCTURE, "",
                            "A resource has no resourceType that FHIR R4 knows.");
    }
    struct slice type_name = table_text(writer->tables, type->name);
    if (name.length > 0) {
        add_line(writer);
        add_tag(writer->out, "<", name);
        buffer_add_byte(writer->out, '>');
        writer->depth++;
        add_line(writer);
    }
    add_tag(writer->out, "<", type_name);
    if (name.length == 0) {
        buffer_add_text(writer->out, " xmlns=\"http://hl7.org/fhir\"");
    }
    TRY(write_object(writer, type, type_name, resource, true));
    if (name.length > 0) {
        writer->depth--;
        add_line(writer);
        add_tag(writer->out, "</", name);
        buffer_add_byte(writer->out, '>');
    }
    return STATUS_OK;
}

static enum status write_item(struct writer *writer, const struct type_row *holder,
                              const struct element_row *element, const yyjson_val *value,
                              const yyjson_val *sibling)
{
    const struct type_row *type = element_type_row(writer->tables, element);
    struct slice name = table_text(writer->tables, element->name);
    if (element->fhir_type == FHIR_TYPE_XHTML) {
        return write_narrative(writer, holder, value);
    }
    if (type->kind == TYPE_PRIMITIVE) {
        return write_primitive(writer, type, name, value, sibling);
    }
    if (type->kind == TYPE_ABSTRACT || type->kind == TYPE_RESOURCE) {
        return write_resource(writer, name, value);
    }
    add_line(writer);
    add_tag(writer->out, "<", name);
    return write_object(writer, type, name, value, false);
}

/* Values and what stands beside them go together, place by place. */
static enum status write_array(struct writer *writer, const struct type_row *holder,
                               const struct member *member)
{
    yyjson_val *value = (yyjson_val *)(uintptr_t)member->value;
    yyjson_val *sibling = (yyjson_val *)(uintptr_t)member->sibling;
    size_t values = yyjson_arr_size(value);
    size_t siblings = yyjson_arr_size(sibling);
    yyjson_val *item = yyjson_arr_get_first(value);
    yyjson_val *beside = yyjson_arr_get_first(sibling);
    for (size_t i = 0; i < values || i < siblings; i++) {
        TRY(write_item(writer, holder, member->element, i < values ? item : NULL,
                       i < siblings ? beside : NULL));
        item = i + 1 < values ? unsafe_yyjson_get_next(item) : NULL;
        beside = i + 1 < siblings ? unsafe_yyjson_get_next(beside) : NULL;
    }
    return STATUS_OK;
}

static enum status write_member(struct writer *writer, const struct type_row *type,
                                const struct member *member)
{
    bool array = (member->element->flags & ELEMENT_ARRAY) != 0;
    const yyjson_val *both[2] = {member->value, member->sibling};
    for (size_t i = 0; i < 2; i++) {
        yyjson_val *value = (yyjson_val *)(uintptr_t)both[i];
        if (value != NULL && array != yyjson_is_arr(value)) {
            return fail(writer, type,
                        array ? "An element that repeats is no array"
                              : "An element that does not repeat is an array");
        }
    }
    return array ? write_array(writer, type, member)
                 : write_item(writer, type, member->element, member->value, member->sibling);
}

/* What follows the name in the start tag, to the end of the end tag. */
static enum status write_object(struct writer *writer, const struct type_row *type,
                                struct slice name, const yyjson_val *object, bool resource)
{
    struct member list[GROUPS_MOST + 1];
    size_t count;
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)object)) {
        return fail(writer, type, "An element with members is no object");
    }
    if (writer->depth >= JSON_DEPTH_MOST) {
        return fail(writer, type, "Elements are nested too deeply");
    }
    TRY(sort_members(writer, type, object, list, &count));
    size_t children = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice member = table_text(writer->tables, list[i].element->name);
        if (resource || !is_attribute(type, member)) {
            children++;
            continue;
        }
        struct slice text = json_string(list[i].value);
        if (text.at == NULL || list[i].sibling != NULL) {
            return fail(writer, type, "An id or url is no plain string");
        }
        TRY(add_attribute(writer, member.length == 2 ? "id" : "url", text));
    }
    if (children == 0) {
        buffer_add(writer->out, SLICE("/>"));
        return STATUS_OK;
    }
    buffer_add_byte(writer->out, '>');
    writer->depth++;
    for (size_t i = 0; i < count; i++) {
        if (resource || !is_attribute(type, table_text(writer->tables, list[i].element->name))) {
            TRY(write_member(writer, type, &list[i]));
        }
    }
    writer->depth--;
    add_line(writer);
    add_tag(writer->out, "</", name);
    buffer_add_byte(writer->out, '>');
    return STATUS_OK;
}

enum status xml_write(const struct definitions *definitions, const yyjson_val *resource,
                      bool pretty, struct outcome *outcome, struct buffer *out)
{
    struct writer writer = {.definitions = definitions,
                            .tables = definitions_tables(definitions),
                            .outcome = outcome,
                            .out = out,
                            .pretty = pretty};
    TRY(write_resource(&writer, (struct slice){NULL, 0}, resource));
    if (pretty) {
        buffer_add_byte(out, '\n');
    }
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
