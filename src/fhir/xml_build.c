/* SPDX-License-Identifier: MIT */
/* From XML elements to the values of a JSON document, in one pass: members in the order in which
 * they come, repeats as arrays, what a primitive has besides its value as `_name` (R4 json.html,
 * "Representation of primitive elements"). */
#include "fhir/xml_int.h"

/* ---- values -----------------------------------------------------------------------------------
 */

static bool need(struct xml_reader *reader, uint32_t more)
{
    uint32_t count = reader->count;
    if (more > UINT32_MAX / 2 - count || count + more > reader->limits->values) {
        (void)outcome_fail(reader->outcome, STATUS_TOO_COSTLY, "",
                           "The XML holds too many values. The limit is %u: send it in smaller "
                           "parts.",
                           reader->limits->values);
        xml_stop(reader, STATUS_TOO_COSTLY);
        return false;
    }
    if (count + more <= reader->capacity) {
        return true;
    }
    uint32_t capacity = reader->capacity + reader->capacity / 2 + more;
    yyjson_val *values = arena_resize(reader->arena, reader->values,
                                      reader->capacity * sizeof *values, capacity * sizeof *values);
    if (values == NULL) {
        xml_stop(reader, STATUS_TOO_COSTLY);
        return false;
    }
    reader->values = values;
    reader->capacity = capacity;
    return true;
}

/* The place of a new value; XML_NO_VALUE when there is no room. */
static uint32_t add(struct xml_reader *reader, uint64_t tag, const char *text)
{
    if (reader->count == reader->capacity ? !need(reader, 1)
                                          : reader->count >= reader->limits->values) {
        (void)need(reader, 1);
        return XML_NO_VALUE;
    }
    yyjson_val *value = &reader->values[reader->count];
    value->tag = tag;
    value->uni.str = text;
    return reader->count++;
}

static void add_literal(struct xml_reader *reader, struct slice text)
{
    (void)add(reader,
              YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC | (uint64_t)text.length << YYJSON_TAG_BIT,
              text.at);
}

/* A name stands in the pool where it stands in the text. */
static void add_name(struct xml_reader *reader, struct slice name, size_t at)
{
    char *copy = reader->pool + at;
    memcpy(copy, name.at, name.length);
    copy[name.length] = '\0';
    add_literal(reader, slice_of(copy, name.length));
}

/* `_name`: the underscore has the place of what is before the name. */
static void add_sibling_name(struct xml_reader *reader, const struct element_row *element,
                             size_t name_at)
{
    struct slice name = table_text(reader->tables, element->name);
    char *copy = reader->pool + name_at - 1;
    copy[0] = '_';
    memcpy(copy + 1, name.at, name.length);
    copy[name.length + 1] = '\0';
    add_literal(reader, slice_of(copy, name.length + 1));
}

static void finish_container(struct xml_reader *reader, uint32_t at, uint64_t type, uint32_t size)
{
    if (reader->stopped) {
        return; /* there may be no such value */
    }
    yyjson_val *value = &reader->values[at];
    value->tag = type | (uint64_t)size << YYJSON_TAG_BIT;
    value->uni.ofs = (reader->count - at) * sizeof *value;
}

/* Copies while looking whether JSON would escape any of it. */
static uint64_t copy_text(char *to, struct slice text)
{
    bool escapes = false;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        escapes |= byte == '"' || byte == '\\' || (unsigned char)byte < ' ';
        to[i] = byte;
    }
    to[text.length] = '\0';
    return YYJSON_TYPE_STR | (escapes ? YYJSON_SUBTYPE_NONE : YYJSON_SUBTYPE_NOESC) |
           (uint64_t)text.length << YYJSON_TAG_BIT;
}

static void add_value(struct xml_reader *reader, enum fhir_type type,
                      const struct xml_attribute *attribute)
{
    struct slice text = attribute->value;
    char *copy = reader->pool + attribute->at;
    switch (type) {
    case FHIR_TYPE_BOOLEAN:
        if (slice_is(text, "true") || slice_is(text, "false")) {
            bool yes = text.length == 4;
            (void)add(reader, YYJSON_TYPE_BOOL | (yes ? YYJSON_SUBTYPE_TRUE : YYJSON_SUBTYPE_FALSE),
                      NULL);
            return;
        }
        break;
    case FHIR_TYPE_INTEGER:
    case FHIR_TYPE_POSITIVEINT:
    case FHIR_TYPE_UNSIGNEDINT:
    case FHIR_TYPE_DECIMAL:
        if (decimal_is_json(text)) {
            memcpy(copy, text.at, text.length);
            copy[text.length] = '\0';
            (void)add(reader, YYJSON_TYPE_RAW | (uint64_t)text.length << YYJSON_TAG_BIT, copy);
            return;
        }
        break;
    default:
        break;
    }
    uint64_t tag = copy_text(copy, text);
    (void)add(reader, tag, copy);
}

/* ---- members ----------------------------------------------------------------------------------
 */

static struct xml_frame *top(struct xml_reader *reader)
{
    return &reader->frames[reader->frame_count - 1];
}

/* Items first, nulls for those without a value, then `_name` with what stands beside them. */
static void split_array(struct xml_reader *reader, struct xml_frame *frame)
{
    const struct xml_chunk *chunks = reader->chunks + frame->first_chunk;
    uint32_t chunk_count = reader->chunk_count - frame->first_chunk;
    uint32_t array = frame->open_array;
    uint32_t items = frame->open_items;
    if (!need(reader, items + 2)) {
        return;
    }
    yyjson_val *values = reader->values;
    uint32_t beside = reader->count - array - 1 - items;
    struct arena_mark mark = arena_mark(reader->arena);
    yyjson_val *kept = arena_array(reader->arena, beside, sizeof *kept);
    if (kept == NULL) {
        xml_stop(reader, STATUS_TOO_COSTLY);
        return;
    }
    uint32_t read = array + 1, write = array + 1, saved = 0;
    for (uint32_t i = 0; i <= chunk_count; i++) {
        uint32_t until = i < chunk_count ? chunks[i].start : reader->count;
        memmove(values + write, values + read, (until - read) * sizeof *values);
        write += until - read;
        read = until;
        if (i < chunk_count) {
            memcpy(kept + saved, values + read, chunks[i].length * sizeof *values);
            saved += chunks[i].length;
            read += chunks[i].length;
        }
    }
    reader->count = write;
    if (frame->open_values > 0) {
        finish_container(reader, array, YYJSON_TYPE_ARR, items);
    } else {
        reader->count = array - 1; /* none has a value: only what is beside them is a member */
        frame->members--;
    }
    add_sibling_name(reader, frame->open, frame->open_name_at);
    uint32_t sibling = add(reader, 0, NULL);
    uint32_t chunk = 0;
    saved = 0;
    for (uint32_t i = 0; i < items; i++) {
        if (chunk < chunk_count && chunks[chunk].item == i) {
            memcpy(values + reader->count, kept + saved, chunks[chunk].length * sizeof *values);
            reader->count += chunks[chunk].length;
            saved += chunks[chunk++].length;
        } else {
            (void)add(reader, YYJSON_TYPE_NULL, NULL);
        }
    }
    arena_rewind(reader->arena, mark);
    finish_container(reader, sibling, YYJSON_TYPE_ARR, items);
    frame->members++;
    reader->chunk_count = frame->first_chunk;
}

static void close_member(struct xml_reader *reader, struct xml_frame *frame)
{
    if (frame->open != NULL && frame->open_array != XML_NO_VALUE) {
        if (reader->chunk_count > frame->first_chunk) {
            split_array(reader, frame);
        } else {
            finish_container(reader, frame->open_array, YYJSON_TYPE_ARR, frame->open_items);
        }
    }
    frame->open = NULL;
}

/* Puts the key, and the array when it is one, before a value. */
static void open_member(struct xml_reader *reader, struct xml_frame *frame,
                        const struct element_row *element, const struct xml_tag *tag)
{
    if (frame->open == element) {
        frame->open_items++;
        return;
    }
    close_member(reader, frame);
    frame->open = element;
    frame->open_array = XML_NO_VALUE;
    frame->open_items = 1;
    frame->open_values = 0;
    frame->open_name_at = tag->name_at;
    frame->first_chunk = reader->chunk_count;
}

static void add_key(struct xml_reader *reader, struct xml_frame *frame)
{
    if (frame->open_items == 1) {
        add_name(reader, table_text(reader->tables, frame->open->name), frame->open_name_at);
        frame->members++;
        if ((frame->open->flags & ELEMENT_ARRAY) != 0) {
            frame->open_array = add(reader, 0, NULL);
        }
    }
}

static void begin_object(struct xml_reader *reader, struct xml_frame *frame)
{
    frame->object = add(reader, 0, NULL);
}

/* DEPTH containers are open in JSON where FRAME begins. */
static bool fits_depth(struct xml_reader *reader, const struct xml_frame *frame, uint32_t depth,
                       size_t offset)
{
    if (depth <= reader->depth_limit && reader->frame_count < reader->frame_limit) {
        return true;
    }
    xml_report(reader, frame, NULL, offset, "depth",
               "Elements are nested too deeply here: flatten the content.");
    xml_stop(reader, STATUS_STRUCTURE);
    return false;
}

/* What a primitive has besides its value. */
static void begin_sibling(struct xml_reader *reader, struct xml_frame *frame)
{
    struct xml_frame *holder = frame - 1;
    if (frame->object != XML_NO_VALUE || !fits_depth(reader, frame, frame->depth, frame->start)) {
        return;
    }
    if ((frame->element->flags & ELEMENT_ARRAY) == 0) {
        add_sibling_name(reader, frame->element, frame->name_at);
        holder->members++;
        begin_object(reader, frame);
        return;
    }
    if (reader->chunk_count == reader->chunk_capacity) {
        uint32_t capacity = reader->chunk_capacity == 0 ? 16 : 2 * reader->chunk_capacity;
        struct xml_chunk *chunks =
            arena_resize(reader->arena, reader->chunks, reader->chunk_capacity * sizeof *chunks,
                         capacity * sizeof *chunks);
        if (chunks == NULL) {
            xml_stop(reader, STATUS_TOO_COSTLY);
            return;
        }
        reader->chunks = chunks;
        reader->chunk_capacity = capacity;
    }
    reader->chunks[reader->chunk_count++] =
        (struct xml_chunk){.item = frame->index, .start = reader->count};
    begin_object(reader, frame);
}

/* ---- attributes -------------------------------------------------------------------------------
 */

static bool has_content(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return true;
        }
    }
    return false;
}

static bool may_stand(const struct xml_frame *frame, const struct xml_attribute *attribute)
{
    if (!attribute->plain || frame->kind == XML_HOLDER) {
        return false;
    }
    if (slice_is(attribute->name, "value")) {
        return frame->kind == XML_PRIMITIVE;
    }
    if (slice_is(attribute->name, "id")) {
        return frame->type->kind != TYPE_RESOURCE;
    }
    return slice_is(attribute->name, "url") && frame->type->fhir_type == FHIR_TYPE_EXTENSION;
}

static void check_attributes(struct xml_reader *reader, const struct xml_frame *frame,
                             const struct xml_tag *tag)
{
    for (size_t i = 0; i < tag->attribute_count; i++) {
        if (i >= XML_ATTRIBUTES_MOST || !may_stand(frame, &tag->attributes[i])) {
            xml_report(reader, frame, NULL, tag->start, "unknown-attribute",
                       "The tag has an attribute that FHIR does not know here: only primitive "
                       "elements have value, only extensions url, and resources no id attribute; "
                       "schema locations may not stand in content.");
            return;
        }
        if (!has_content(tag->attributes[i].value)) {
            xml_report(reader, frame, NULL, tag->start, "ele-1",
                       "An attribute is never empty: give it content, or leave it out.");
        }
    }
}

/* NULL when it is not there, or may not be. */
static const struct xml_attribute *find_attribute(const struct xml_frame *frame,
                                                  const struct xml_tag *tag, const char *name)
{
    for (size_t i = 0; i < tag->attribute_count && i < XML_ATTRIBUTES_MOST; i++) {
        const struct xml_attribute *attribute = &tag->attributes[i];
        if (slice_is(attribute->name, name) && may_stand(frame, attribute)) {
            return attribute;
        }
    }
    return NULL;
}

static void add_attribute(struct xml_reader *reader, struct xml_frame *frame, struct slice name,
                          const struct xml_attribute *attribute)
{
    if (attribute == NULL) {
        return;
    }
    if (frame->kind == XML_PRIMITIVE) {
        begin_sibling(reader, frame);
    }
    add_literal(reader, name);
    add_value(reader, FHIR_TYPE_STRING, attribute);
    frame->members++;
    frame->content = frame->content || name.length == 3; /* an id alone says nothing */
}

/* ---- elements ---------------------------------------------------------------------------------
 */

static void skip(struct xml_reader *reader)
{
    reader->skipped = 1;
}

static void begin_primitive(struct xml_reader *reader, struct xml_frame *holder,
                            struct xml_frame *frame, const struct xml_tag *tag)
{
    const struct xml_attribute *value = find_attribute(frame, tag, "value");
    bool array = (frame->element->flags & ELEMENT_ARRAY) != 0;
    frame->valued = value != NULL;
    if (value != NULL || array) {
        add_key(reader, holder);
    }
    if (value != NULL) {
        holder->open_values++;
        add_value(reader, (enum fhir_type)frame->element->fhir_type, value);
    } else if (array) {
        (void)add(reader, YYJSON_TYPE_NULL, NULL);
    }
}

static void begin_element(struct xml_reader *reader, const struct element_row *element,
                          const struct xml_tag *tag)
{
    struct xml_frame *holder = top(reader);
    const struct type_row *type = element_type_row(reader->tables, element);
    bool array = (element->flags & ELEMENT_ARRAY) != 0;
    open_member(reader, holder, element, tag);
    struct xml_frame *frame = &reader->frames[reader->frame_count];
    *frame = (struct xml_frame){.type = type,
                                .element = element,
                                .start = tag->start,
                                .name_at = tag->name_at,
                                .index = holder->open_items - 1,
                                .object = XML_NO_VALUE,
                                .depth = holder->depth + 1 + array,
                                .kind = type->kind == TYPE_PRIMITIVE ? XML_PRIMITIVE
                                        : type->kind == TYPE_ABSTRACT || type->kind == TYPE_RESOURCE
                                            ? XML_HOLDER
                                            : XML_OBJECT};
    if (!fits_depth(reader, frame, frame->depth - (frame->kind == XML_PRIMITIVE), tag->start)) {
        return;
    }
    reader->frame_count++;
    check_attributes(reader, frame, tag);
    if (frame->kind == XML_PRIMITIVE) {
        begin_primitive(reader, holder, frame, tag);
    } else {
        add_key(reader, holder);
        if (frame->kind == XML_OBJECT) {
            begin_object(reader, frame);
        }
    }
    if (frame->kind != XML_HOLDER && tag->attribute_count > 0) {
        add_attribute(reader, frame, SLICE("id"), find_attribute(frame, tag, "id"));
        add_attribute(reader, frame, SLICE("url"), find_attribute(frame, tag, "url"));
    }
}

/* Elements that the definitions list and XML writes as attributes. */
static bool is_attribute(const struct xml_frame *frame, struct slice name)
{
    return (slice_is(name, "id") && frame->type->kind != TYPE_RESOURCE) ||
           (slice_is(name, "url") && frame->type->fhir_type == FHIR_TYPE_EXTENSION);
}

/* Is there a place for ELEMENT in FRAME, after what is in it already? */
static bool has_place(struct xml_reader *reader, struct xml_frame *frame,
                      const struct element_row *element, const struct xml_tag *tag)
{
    if (frame->open == element && (element->flags & ELEMENT_ARRAY) != 0) {
        return true;
    }
    uint64_t bit = UINT64_C(1) << element->group;
    bool met = (frame->met & bit) != 0;
    if (met && (element->flags & ELEMENT_ARRAY) == 0) {
        xml_report(reader, frame, element, tag->start,
                   (element->flags & ELEMENT_CHOICE) != 0 ? "choice" : "cardinality",
                   (element->flags & ELEMENT_CHOICE) != 0
                       ? "Give the element in one type only, and once."
                       : "This element does not repeat: give it once.");
        return false;
    }
    if (met || element->group < frame->group) {
        xml_report(reader, frame, element, tag->start, "order",
                   "Elements stand in the order of their definition, and repeats together: move "
                   "this one to its place.");
    }
    frame->met |= bit;
    frame->group = element->group > frame->group ? element->group : frame->group;
    return !met;
}

static void start_member(struct xml_reader *reader, const struct xml_tag *tag)
{
    struct xml_frame *frame = top(reader);
    const struct element_row *element =
        type_find_element(reader->tables, frame->type, tag->name.at, tag->name.length);
    bool xhtml = element != NULL && element->fhir_type == FHIR_TYPE_XHTML;
    frame->content = true;
    if (element == NULL || is_attribute(frame, tag->name)) {
        xml_report(reader, frame, NULL, tag->start,
                   tag->space == XML_NAMESPACE_FHIR ? "unknown-element" : "namespace",
                   element != NULL ? "Write this as an attribute of its element."
                   : tag->space == XML_NAMESPACE_FHIR
                       ? xml_say(reader,
                                 "%.*s has no element of the name on this line: correct its "
                                 "spelling, remove it, or say it as an extension.",
                                 SLICE_ARGS(table_text(reader->tables, frame->type->name)))
                       : "Only elements of the namespace http://hl7.org/fhir stand here: remove "
                         "it, or say it as an extension.");
        skip(reader);
        return;
    }
    if (tag->space != (xhtml ? XML_NAMESPACE_XHTML : XML_NAMESPACE_FHIR)) {
        xml_report(reader, frame, element, tag->start, "namespace",
                   xhtml ? "The narrative's div is in the namespace http://www.w3.org/1999/xhtml."
                         : "FHIR elements are in the namespace http://hl7.org/fhir.");
        skip(reader);
        return;
    }
    if (!has_place(reader, frame, element, tag)) {
        skip(reader);
        return;
    }
    if (xhtml) {
        close_member(reader, frame);
        xml_narrative_begin(reader, tag);
        return;
    }
    if (frame->kind == XML_PRIMITIVE) {
        begin_sibling(reader, frame);
    }
    if (!reader->stopped) {
        begin_element(reader, element, tag);
    }
}

/* The root, or what a holder holds. */
static void start_resource(struct xml_reader *reader, const struct xml_tag *tag)
{
    struct xml_frame *holder = reader->frame_count > 0 ? top(reader) : NULL;
    resource_type type = tag->space == XML_NAMESPACE_FHIR
                             ? resource_type_find(reader->definitions, tag->name)
                             : RESOURCE_TYPE_NONE;
    if (type == RESOURCE_TYPE_NONE || (holder != NULL && holder->valued)) {
        xml_report(reader, holder, NULL, tag->start,
                   tag->space == XML_NAMESPACE_FHIR ? "resource-type" : "namespace",
                   type != RESOURCE_TYPE_NONE ? "This element holds one resource: repeat it for "
                                                "others."
                   : tag->space == XML_NAMESPACE_FHIR
                       ? "FHIR R4 has no resource type of the name on this line: correct it."
                       : "A resource has the name of its type, in the namespace "
                         "http://hl7.org/fhir: add xmlns=\"http://hl7.org/fhir\".");
        skip(reader);
        return;
    }
    struct xml_frame *frame = &reader->frames[reader->frame_count];
    *frame = (struct xml_frame){.kind = XML_OBJECT,
                                .type = resource_row(reader->tables, type),
                                .start = tag->start,
                                .name_at = tag->name_at,
                                .depth = holder != NULL ? holder->depth : 1};
    if (!fits_depth(reader, frame, frame->depth, tag->start)) {
        return;
    }
    if (holder != NULL) {
        holder->valued = true;
    }
    reader->frame_count++;
    check_attributes(reader, frame, tag);
    begin_object(reader, frame);
    add_literal(reader, SLICE("resourceType"));
    add_name(reader, tag->name, tag->name_at);
    frame->members = 1;
    frame->content = true;
}

void xml_build_start(struct xml_reader *reader, const struct xml_tag *tag)
{
    if (reader->frame_count == 0 || top(reader)->kind == XML_HOLDER) {
        start_resource(reader, tag);
    } else {
        start_member(reader, tag);
    }
}

void xml_build_end(struct xml_reader *reader)
{
    struct xml_frame *frame = top(reader);
    close_member(reader, frame);
    if (reader->stopped) {
        return;
    }
    if (frame->kind == XML_HOLDER && !frame->valued) {
        xml_report(reader, frame, NULL, frame->start, "ele-1",
                   "This element holds a resource: put one in, or leave it out.");
        begin_object(reader, frame);
    } else if (frame->kind == XML_OBJECT && !frame->content) {
        xml_report(reader, frame, NULL, frame->start, "ele-1",
                   "An element is never empty: give it content, or leave it out.");
    } else if (frame->kind == XML_PRIMITIVE && !frame->valued && !frame->content) {
        xml_report(reader, frame, NULL, frame->start, "ele-1",
                   "A primitive element has a value, an extension that says why not, or both.");
    }
    if (frame->object != XML_NO_VALUE && !reader->stopped) {
        finish_container(reader, frame->object, YYJSON_TYPE_OBJ, frame->members);
        if (frame->kind == XML_PRIMITIVE && (frame->element->flags & ELEMENT_ARRAY) != 0) {
            struct xml_chunk *chunk = &reader->chunks[reader->chunk_count - 1];
            chunk->length = reader->count - chunk->start;
        }
    }
    reader->frame_count--;
}

void xml_build_narrative(struct xml_reader *reader, const char *text, size_t length)
{
    struct xml_frame *frame = top(reader);
    bool escapes = memchr(text, '"', length) != NULL || memchr(text, '\\', length) != NULL;
    add_literal(reader, SLICE("div"));
    for (size_t i = 0; i < length && !escapes; i++) {
        escapes = (unsigned char)text[i] < ' ';
    }
    (void)add(reader,
              YYJSON_TYPE_STR | (escapes ? YYJSON_SUBTYPE_NONE : YYJSON_SUBTYPE_NOESC) |
                  (uint64_t)length << YYJSON_TAG_BIT,
              text);
    frame->members++;
}
