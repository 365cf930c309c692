/* SPDX-License-Identifier: MIT */
/* `_summary` and `_elements` (R4 search.html 3.1.1.5.8, 3.1.1.5.9). */
#include "fhir/walk_int.h"

#define SUBSETTED_TAG                                                                              \
    "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\","                   \
    "\"code\":\"SUBSETTED\"}"

struct subset {
    const struct definitions *definitions;
    const struct element_tables *tables;
    enum summary summary;
    const struct slice *elements;
    size_t element_count;
    struct buffer *out;
};

static bool is_mandatory(const struct type_row *type, const struct element_row *element)
{
    return (type->required >> element->group & 1) != 0;
}

/* Does the caller's word ("name", "Patient.name", "value", "valueQuantity", "value[x]",
 * "name.family") ask for this element? Only base elements can be chosen: a longer path gives the
 * whole element, which is more than asked and allowed. */
static bool word_names(struct slice word, struct slice type, struct slice name,
                       const struct element_row *element)
{
    struct slice first = slice_cut(&word, '.');
    if (word.at != NULL && slice_equals(first, type)) {
        first = slice_cut(&word, '.');
    }
    if (slice_ends(first, SLICE("[x]"))) {
        first.length -= 3;
    }
    return slice_equals(first, name) ||
           ((element->flags & ELEMENT_CHOICE) != 0 &&
            slice_equals(first, slice_head(name, element->stem_length)));
}

/* Modifier elements stay although R4 leaves their choice to the client: a refuted allergy without
 * its verificationStatus would read as an allergy. */
static bool elements_keep(const struct subset *subset, const struct type_row *type,
                          const struct element_row *element)
{
    struct slice name = table_text(subset->tables, element->name);
    if (is_mandatory(type, element) || (element->flags & ELEMENT_MODIFIER) != 0 ||
        slice_is(name, "id") || slice_is(name, "meta")) {
        return true;
    }
    for (size_t i = 0; i < subset->element_count; i++) {
        if (word_names(subset->elements[i], table_text(subset->tables, type->name), name,
                       element)) {
            return true;
        }
    }
    return false;
}

static bool summary_keep(const struct subset *subset, const struct type_row *type,
                         const struct element_row *element)
{
    struct slice name = table_text(subset->tables, element->name);
    switch (subset->summary) {
    case SUMMARY_TRUE:
    case SUMMARY_COUNT:
        return (element->flags & ELEMENT_SUMMARY) != 0 || is_mandatory(type, element) ||
               slice_is(name, "id");
    case SUMMARY_TEXT:
        return slice_is(name, "text") || slice_is(name, "id") || slice_is(name, "meta") ||
               is_mandatory(type, element);
    case SUMMARY_DATA:
        return !slice_is(name, "text");
    case SUMMARY_FALSE:
        break;
    }
    return true;
}

/* Is a member of the resource kept? Members the definitions do not know stay only where nothing is
 * chosen by name. */
static bool member_keep(const struct subset *subset, const struct type_row *type,
                        const struct element_row *element)
{
    if (element == NULL) {
        return subset->summary == SUMMARY_DATA && subset->element_count == 0;
    }
    return summary_keep(subset, type, element) &&
           (subset->element_count == 0 || elements_keep(subset, type, element));
}

/* ---- inside elements: only _summary=true goes below the top -----------------------------------
 */

static void write_resource(const struct subset *subset, const struct type_row *type,
                           yyjson_val *resource);
static bool write_value(const struct subset *subset, const struct type_row *type, yyjson_val *value,
                        bool whole);

/* A type of which nothing is marked has no summary form of its own: it is shown whole. */
static bool has_summary(const struct subset *subset, const struct type_row *type)
{
    for (size_t i = 0; i < type->element_count; i++) {
        const struct element_row *element = type_element(subset->tables, type, i);
        struct slice name = table_text(subset->tables, element->name);
        if ((element->flags & ELEMENT_SUMMARY) != 0 && !slice_is(name, "modifierExtension")) {
            return true;
        }
    }
    return false;
}

static void write_name(struct buffer *out, struct slice name)
{
    buffer_add_json_string(out, name);
    buffer_add_byte(out, ':');
}

/* False, and nothing written, when the summary of the object is empty: FHIR has no empty objects.
 */
static bool write_object(const struct subset *subset, const struct type_row *type,
                         yyjson_val *object)
{
    size_t start = subset->out->length;
    bool any = false;
    size_t at, max;
    yyjson_val *key, *value;
    buffer_add_byte(subset->out, '{');
    yyjson_obj_foreach(object, at, max, key, value)
    {
        bool sibling;
        struct slice name = known_text(key);
        const struct element_row *element = member_element(subset->tables, type, name, &sibling);
        if (element == NULL || !summary_keep(subset, type, element)) {
            continue;
        }
        size_t before = subset->out->length;
        if (any) {
            buffer_add_byte(subset->out, ',');
        }
        write_name(subset->out, name);
        if (write_value(subset, element_type_row(subset->tables, element), value, sibling)) {
            any = true;
        } else {
            subset->out->length = before;
        }
    }
    buffer_add_byte(subset->out, '}');
    if (!any) {
        subset->out->length = start;
    }
    return any;
}

static bool write_array(const struct subset *subset, const struct type_row *type, yyjson_val *array)
{
    size_t start = subset->out->length;
    bool any = false;
    size_t at, max;
    yyjson_val *item;
    buffer_add_byte(subset->out, '[');
    yyjson_arr_foreach(array, at, max, item)
    {
        size_t before = subset->out->length;
        if (any) {
            buffer_add_byte(subset->out, ',');
        }
        if (write_value(subset, type, item, false)) {
            any = true;
        } else {
            subset->out->length = before;
        }
    }
    buffer_add_byte(subset->out, ']');
    if (!any) {
        subset->out->length = start;
    }
    return any;
}

/* WHOLE: the `_name` beside a primitive, which says why a value is absent, is never cut. */
static bool write_value(const struct subset *subset, const struct type_row *type, yyjson_val *value,
                        bool whole)
{
    if (whole || type->kind == TYPE_PRIMITIVE || !yyjson_is_ctn(value)) {
        json_write(value, NULL, NULL, subset->out);
        return true;
    }
    if (yyjson_is_arr(value)) {
        return write_array(subset, type, value);
    }
    const struct type_row *actual = object_type(subset->definitions, type, value);
    if (actual == NULL) {
        return false;
    }
    if (actual->kind == TYPE_RESOURCE) {
        write_resource(subset, actual, value);
        return true;
    }
    if (!has_summary(subset, actual)) {
        json_write(value, NULL, NULL, subset->out);
        return true;
    }
    return write_object(subset, actual, value);
}

/* ---- meta ---------------------------------------------------------------------------------------
 */

static bool is_subsetted(yyjson_val *tag)
{
    return slice_is(json_get_string(tag, "code"), "SUBSETTED") &&
           slice_is(json_get_string(tag, "system"),
                    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue");
}

static void write_tags(struct buffer *out, yyjson_val *tags)
{
    bool there = false;
    size_t at, max;
    yyjson_val *tag;
    buffer_add_byte(out, '[');
    yyjson_arr_foreach(tags, at, max, tag)
    {
        there = there || is_subsetted(tag);
        if (at > 0) {
            buffer_add_byte(out, ',');
        }
        json_write(tag, NULL, NULL, out);
    }
    if (!there) {
        buffer_add_text(out, yyjson_arr_size(tags) > 0 ? "," SUBSETTED_TAG : SUBSETTED_TAG);
    }
    buffer_add_byte(out, ']');
}

/* The members of meta with the tag among its tags; says whether it has been added. */
static bool write_meta_members(struct buffer *out, yyjson_val *meta, bool *ret_any)
{
    bool any = false, tagged = false;
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(meta, at, max, key, value)
    {
        if (any) {
            buffer_add_byte(out, ',');
        }
        any = true;
        write_name(out, known_text(key));
        if (slice_is(known_text(key), "tag") && yyjson_is_arr(value)) {
            write_tags(out, value);
            tagged = true;
        } else {
            json_write(value, NULL, NULL, out);
        }
    }
    *ret_any = any;
    return tagged;
}

/* META may be NULL: then there was none. */
static void write_meta(struct buffer *out, yyjson_val *meta)
{
    bool any = false;
    buffer_add_byte(out, '{');
    bool tagged = meta != NULL && write_meta_members(out, meta, &any);
    if (!tagged) {
        buffer_add_text(out, any ? ",\"tag\":[" SUBSETTED_TAG "]" : "\"tag\":[" SUBSETTED_TAG "]");
    }
    buffer_add_byte(out, '}');
}

/* ---- the resource ------------------------------------------------------------------------------
 */

/* After which member a new meta goes: R4's order is resourceType, id, meta. */
static yyjson_val *meta_anchor(yyjson_val *resource)
{
    yyjson_val *anchor = NULL;
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(resource, at, max, key, value)
    {
        if (slice_is(known_text(key), "id")) {
            return key;
        }
        if (slice_is(known_text(key), "resourceType")) {
            anchor = key;
        }
    }
    return anchor;
}

static bool write_member(const struct subset *subset, const struct type_row *type, yyjson_val *key,
                         yyjson_val *value)
{
    bool sibling;
    struct slice name = known_text(key);
    if (slice_is(name, "resourceType")) {
        write_name(subset->out, name);
        json_write(value, NULL, NULL, subset->out);
        return true;
    }
    const struct element_row *element = member_element(subset->tables, type, name, &sibling);
    if (!member_keep(subset, type, element)) {
        return false;
    }
    size_t before = subset->out->length;
    write_name(subset->out, name);
    if (slice_is(name, "meta") && yyjson_is_obj(value)) {
        write_meta(subset->out, value);
        return true;
    }
    bool whole = element == NULL || sibling ||
                 (subset->summary != SUMMARY_TRUE && subset->summary != SUMMARY_COUNT);
    if (whole) {
        json_write(value, NULL, NULL, subset->out);
    } else if (!write_value(subset, element_type_row(subset->tables, element), value, false)) {
        subset->out->length = before;
        return false;
    }
    return true;
}

static void write_resource(const struct subset *subset, const struct type_row *type,
                           yyjson_val *resource)
{
    bool has_meta = json_get(resource, "meta") != NULL;
    yyjson_val *anchor = has_meta ? NULL : meta_anchor(resource);
    bool any = false;
    size_t at, max;
    yyjson_val *key, *value;
    buffer_add_byte(subset->out, '{');
    yyjson_obj_foreach(resource, at, max, key, value)
    {
        size_t before = subset->out->length;
        if (any) {
            buffer_add_byte(subset->out, ',');
        }
        if (write_member(subset, type, key, value)) {
            any = true;
        } else {
            subset->out->length = before;
        }
        if (key == anchor) {
            buffer_add_text(subset->out, ",\"meta\":");
            write_meta(subset->out, NULL);
        }
    }
    buffer_add_byte(subset->out, '}');
}

void resource_write_subset(const struct definitions *definitions, resource_type type,
                           yyjson_val *resource, enum summary summary, const struct slice *elements,
                           size_t element_count, struct buffer *out)
{
    const struct subset subset = {
        definitions, definitions_tables(definitions), summary, elements, element_count, out};
    if (!yyjson_is_obj(resource) || (summary == SUMMARY_FALSE && element_count == 0)) {
        json_write(resource, NULL, NULL, out);
        return;
    }
    write_resource(&subset, resource_row(subset.tables, type), resource);
}
