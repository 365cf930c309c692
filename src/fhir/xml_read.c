/* SPDX-License-Identifier: MIT */
/* Reading XML: what libxml2's SAX parser finds is told to xml_build.c. No tree is made. */
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "fhir/xml_int.h"

#define FHIR_NAMESPACE  "http://hl7.org/fhir"
#define XHTML_NAMESPACE "http://www.w3.org/1999/xhtml"

/* libxml2 refuses longer values and deeper nesting by itself unless told that the document is huge;
 * our own limits hold either way. */
#define HUGE_FROM ((size_t)9 << 20)

/* The parser compares each attribute of a tag with each other, and looks namespaces up one by one:
 * without these limits a document made for it would keep it busy for minutes. */
#define TAG_ATTRIBUTES_MOST  64
#define NAMESPACES_OPEN_MOST 100

/* ---- problems ---------------------------------------------------------------------------------
 */

static void write_path(const struct xml_reader *reader, const struct xml_frame *last,
                       struct buffer *out)
{
    for (const struct xml_frame *frame = reader->frames; frame <= last; frame++) {
        if (frame == reader->frames) {
            buffer_add(out, table_text(reader->tables, frame->type->name));
        } else if (frame->element != NULL) {
            struct slice name = table_text(reader->tables, frame->element->name);
            buffer_add_byte(out, '.');
            buffer_add(out, slice_head(name, frame->element->stem_length));
            if ((frame->element->flags & ELEMENT_CHOICE) != 0) {
                const struct type_row *type = element_type_row(reader->tables, frame->element);
                buffer_print(out, ".ofType(%.*s)",
                             SLICE_ARGS(table_text(reader->tables, type->name)));
            }
            if ((frame->element->flags & ELEMENT_ARRAY) != 0) {
                buffer_print(out, "[%u]", frame->index);
            }
        }
    }
}

static bool keeps_more(const struct xml_reader *reader)
{
    return reader->outcome != NULL && reader->outcome->count < OUTCOME_LIMIT;
}

void xml_report(struct xml_reader *reader, const struct xml_frame *frame,
                const struct element_row *element, size_t offset, const char *rule,
                const char *text)
{
    struct issue issue = {.severity = SEVERITY_ERROR,
                          .code = status_issue(STATUS_STRUCTURE),
                          .rule = slice_text(rule),
                          .text = slice_text(text)};
    if (reader->status == STATUS_OK) {
        reader->status = STATUS_STRUCTURE;
    }
    if (keeps_more(reader)) {
        struct buffer path = {.arena = reader->outcome->arena};
        if (frame != NULL) {
            write_path(reader, frame, &path);
        }
        if (element != NULL) {
            struct slice name = table_text(reader->tables, element->name);
            buffer_add_byte(&path, '.');
            buffer_add(&path, slice_head(name, element->stem_length));
        }
        issue.path = buffer_slice(&path);
        json_offset_position(reader->json, offset, &issue.line, &issue.column);
    }
    if (reader->outcome != NULL) {
        outcome_add(reader->outcome, &issue);
    }
}

const char *xml_say(struct xml_reader *reader, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (!keeps_more(reader)) {
        return "";
    }
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t kept = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    struct slice copy = arena_copy(reader->outcome->arena, slice_of(text, kept));
    return copy.at != NULL ? copy.at : "";
}

void xml_stop(struct xml_reader *reader, enum status status)
{
    if (!reader->stopped) {
        reader->stopped = true;
        reader->status = status;
    }
}

/* Asked before and after each thing the parser tells; stopping frees what it has told. */
static bool is_over(struct xml_reader *reader)
{
    if (reader->stopped) {
        xmlStopParser(reader->parser);
    }
    return reader->stopped;
}

/* How far the parser is in the text. */
static size_t offset_now(const struct xml_reader *reader)
{
    long offset = xmlByteConsumed(reader->parser);
    size_t length = reader->json->text.length;
    return offset > 0 && (size_t)offset < length ? (size_t)offset : offset > 0 ? length : 0;
}

static void refuse(struct xml_reader *reader, size_t offset, const char *text)
{
    xml_report(reader, NULL, NULL, offset, "", text);
    xml_stop(reader, STATUS_STRUCTURE);
}

static const char *explain(int code)
{
    switch (code) {
    case XML_ERR_DOCUMENT_EMPTY:
        return "There is no XML here: send one resource.";
    case XML_ERR_DOCUMENT_END:
        return "Something follows the end of the resource: send exactly one.";
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_WAR_UNDECLARED_ENTITY:
        return "Only &lt; &gt; &amp; &quot; &apos; and numeric references are known here: write "
               "other characters as themselves.";
    case XML_ERR_INVALID_CHAR:
    case XML_ERR_INVALID_CHARREF:
    case XML_ERR_UNKNOWN_ENCODING:
    case XML_ERR_INVALID_ENCODING:
        return "Here is a character that XML does not allow, or bytes that are not UTF-8.";
    case XML_ERR_TAG_NAME_MISMATCH:
    case XML_ERR_TAG_NOT_FINISHED:
        return "Close every element, in the order in which they were opened.";
    case XML_ERR_ATTRIBUTE_REDEFINED:
        return "An attribute stands twice in its tag.";
    case XML_NS_ERR_UNDEFINED_NAMESPACE:
        return "The prefix is not declared: write FHIR elements with "
               "xmlns=\"" FHIR_NAMESPACE "\" on the resource.";
    default:
        return "Not well-formed XML: a tag, quote or bracket is missing or misplaced.";
    }
}

static void on_error(void *context, xmlErrorPtr error)
{
    struct xml_reader *reader = context;
    if (reader->stopped || error->level < XML_ERR_ERROR) {
        return;
    }
    if (error->code == XML_ERR_NO_MEMORY) {
        xml_stop(reader, STATUS_MEMORY);
        return;
    }
    refuse(reader, offset_now(reader), explain(error->code));
}

/* ---- what the parser finds --------------------------------------------------------------------
 */

static enum xml_namespace namespace_of(const xmlChar *uri)
{
    if (uri == NULL) {
        return XML_NAMESPACE_OTHER;
    }
    if (strcmp((const char *)uri, FHIR_NAMESPACE) == 0) {
        return XML_NAMESPACE_FHIR;
    }
    return strcmp((const char *)uri, XHTML_NAMESPACE) == 0 ? XML_NAMESPACE_XHTML
                                                           : XML_NAMESPACE_OTHER;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* The value of the NUMBER-th attribute, declarations of namespaces apart, of the well-formed start
 * tag TEXT[start, end): the parser gave a decoded copy of it. */
static size_t find_value(struct slice text, size_t start, size_t end, int number)
{
    size_t at = start;
    while (at < end && !is_space(text.at[at])) {
        at++;
    }
    for (;;) {
        while (at < end && is_space(text.at[at])) {
            at++;
        }
        size_t name = at;
        while (at < end && text.at[at] != '"' && text.at[at] != '\'') {
            at++;
        }
        const char *close = at < end ? memchr(text.at + at + 1, text.at[at], end - at - 1) : NULL;
        if (close == NULL) {
            return text.length;
        }
        struct slice rest = slice_of(text.at + name, at - name);
        bool declares =
            slice_starts(rest, SLICE("xmlns:")) ||
            (slice_starts(rest, SLICE("xmlns")) && (is_space(rest.at[5]) || rest.at[5] == '='));
        if (!declares && number-- == 0) {
            return at + 1;
        }
        at = (size_t)(close - text.at) + 1;
    }
}

/* The parser gives values of plain ASCII where they lie in its copy of the text, and others as
 * decoded copies. */
static struct xml_attribute attribute_of(const struct xml_reader *reader, const xmlChar **row,
                                         int number, size_t start, size_t end)
{
    const xmlParserCtxt *parser = reader->parser;
    const xmlParserInput *input = parser->input;
    struct xml_attribute attribute = {.name = slice_text((const char *)row[0]),
                                      .value =
                                          slice_of((const char *)row[3], (size_t)(row[4] - row[3])),
                                      .plain = row[2] == NULL && row[1] == NULL};
    if (row[3] >= input->base && row[3] < input->cur) {
        attribute.at = end - (size_t)(input->cur - row[3]);
    } else {
        attribute.at = find_value(reader->json->text, start, end, number);
    }
    return attribute;
}

/* For text that is put together anew, attributes go with their prefix. */
static void tell_attributes(struct xml_reader *reader, const xmlChar **attributes, int count)
{
    for (int i = 0; i < count; i++) {
        const xmlChar **row = attributes + (ptrdiff_t)5 * i;
        struct xml_attribute attribute = {
            .name = slice_text((const char *)row[0]),
            .value = slice_of((const char *)row[3], (size_t)(row[4] - row[3]))};
        xml_narrative_attribute(reader, &attribute, slice_text((const char *)row[1]));
    }
}

/* False: the parser and we disagree about where in the text we are. */
static bool place_tag(struct xml_reader *reader, const xmlChar *prefix, size_t end,
                      struct xml_tag *tag)
{
    struct slice text = reader->json->text;
    size_t start = end;
    size_t before = prefix != NULL ? strlen((const char *)prefix) + 1 : 0;
    /* By hand: a checked memrchr looks at all that it might have to read, so far each time. */
    while (start > 0 && text.at[start - 1] != '<') {
        start--;
    }
    if (start == 0) {
        return false;
    }
    tag->start = start - 1;
    tag->name_at = tag->start + 1 + before;
    return tag->name_at + tag->name.length <= text.length &&
           memcmp(text.at + tag->name_at, tag->name.at, tag->name.length) == 0;
}

/* What would take more of the parser's time or memory than its size says: it is stopped. */
static bool is_crowded(struct xml_reader *reader)
{
    const xmlParserCtxt *parser = reader->parser;
    if (parser->nsNr > 2 * NAMESPACES_OPEN_MOST) { /* prefix and address each */
        refuse(reader, offset_now(reader),
               "Too many namespaces are declared here: FHIR needs two.");
    } else if (reader->skipped > JSON_DEPTH_MOST || reader->narrative.depth > JSON_DEPTH_MOST) {
        refuse(reader, offset_now(reader), "Elements are nested too deeply here.");
    }
    return reader->stopped;
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted, const xmlChar **attributes)
{
    struct xml_reader *reader = context;
    struct xml_attribute list[XML_ATTRIBUTES_MOST];
    (void)defaulted;
    if (is_over(reader)) {
        return;
    }
    if (is_crowded(reader)) {
        (void)is_over(reader);
        return;
    }
    if (reader->skipped > 0) {
        reader->skipped++;
        return;
    }
    struct xml_tag tag = {.name = slice_text((const char *)name),
                          .space = namespace_of(uri),
                          .prefixed = prefix != NULL,
                          .declares = namespace_count == 1 && namespaces[0] == NULL,
                          .plain = namespace_count == 0,
                          .attributes = list,
                          .attribute_count = (size_t)attribute_count};
    size_t end = offset_now(reader);
    if (!place_tag(reader, prefix, end, &tag)) {
        xml_stop(reader, STATUS_INTERNAL);
        (void)is_over(reader);
        return;
    }
    bool narrative = reader->narrative.depth > 0;
    for (int i = 0; i < attribute_count && i < XML_ATTRIBUTES_MOST && !narrative; i++) {
        list[i] = attribute_of(reader, attributes + (ptrdiff_t)5 * i, i, tag.start, end);
    }
    if (narrative) {
        xml_narrative_start(reader, &tag);
    } else {
        xml_build_start(reader, &tag);
    }
    if (reader->narrative.depth > 0 && reader->narrative.rewriting && reader->skipped == 0) {
        tell_attributes(reader, attributes, attribute_count);
    }
    (void)is_over(reader);
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct xml_reader *reader = context;
    (void)prefix;
    (void)uri;
    if (is_over(reader)) {
        return;
    }
    if (reader->skipped > 0) {
        reader->skipped--;
    } else if (reader->narrative.depth > 0) {
        xml_narrative_end(reader, slice_text((const char *)name), offset_now(reader));
    } else {
        xml_build_end(reader);
    }
    (void)is_over(reader);
}

static void on_text(void *context, const xmlChar *at, int length)
{
    struct xml_reader *reader = context;
    struct slice text = slice_of((const char *)at, (size_t)length);
    if (is_over(reader) || reader->skipped > 0) {
        return;
    }
    if (reader->narrative.depth > 0) {
        xml_narrative_text(reader, text);
        return;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (!is_space(text.at[i])) {
            const struct xml_frame *frame =
                reader->frame_count > 0 ? &reader->frames[reader->frame_count - 1] : NULL;
            xml_report(reader, frame, NULL, offset_now(reader), "text",
                       "Text stands in narratives only: write a value as the attribute value of "
                       "its element.");
            return;
        }
    }
}

/* Called before anything the document type declares is read. */
static void on_document_type(void *context, const xmlChar *name, const xmlChar *external,
                             const xmlChar *system)
{
    struct xml_reader *reader = context;
    (void)name;
    (void)external;
    (void)system;
    if (!reader->stopped) {
        refuse(reader, offset_now(reader),
               "A document type (DOCTYPE) and the entities it declares are not allowed in FHIR: "
               "remove it.");
    }
    (void)is_over(reader);
}

static const xmlSAXHandler handlers = {.internalSubset = on_document_type,
                                       .externalSubset = on_document_type,
                                       .characters = on_text,
                                       .ignorableWhitespace = on_text,
                                       .cdataBlock = on_text,
                                       .initialized = XML_SAX2_MAGIC,
                                       .startElementNs = on_start,
                                       .endElementNs = on_end,
                                       .serror = on_error};

/* ---- the whole --------------------------------------------------------------------------------
 */

bool xml_is_likely(struct slice text)
{
    if (slice_starts(text, SLICE("\xEF\xBB\xBF"))) {
        text = slice_from(text, 3);
    }
    text = slice_trim(text);
    return text.length > 0 && text.at[0] == '<';
}

/* The encoding that the XML declaration names; empty when it names none. */
static struct slice declared_encoding(struct slice text)
{
    const char *end =
        slice_starts(text, SLICE("<?xml")) ? memmem(text.at, text.length, "?>", 2) : NULL;
    struct slice declaration = slice_head(text, end != NULL ? (size_t)(end - text.at) : 0);
    const char *name =
        declaration.length > 0 ? memmem(declaration.at, declaration.length, "encoding", 8) : NULL;
    if (name == NULL) {
        return (struct slice){NULL, 0};
    }
    struct slice rest = slice_from(declaration, (size_t)(name - declaration.at) + 8);
    while (rest.length > 0 && (is_space(rest.at[0]) || rest.at[0] == '=')) {
        rest = slice_from(rest, 1);
    }
    if (rest.length == 0) {
        return rest;
    }
    char quote = rest.at[0];
    rest = slice_from(rest, 1);
    return slice_head(rest, slice_index(rest, quote));
}

/* What the parser would take for another encoding: places in the text would no longer be ours. */
static bool is_utf8(struct slice text)
{
    struct slice encoding = declared_encoding(text);
    return xml_is_likely(text) &&
           memchr(text.at, '\0', text.length < 4 ? text.length : 4) == NULL &&
           (encoding.length == 0 || slice_equals_ignoring_case(encoding, SLICE("UTF-8")) ||
            slice_equals_ignoring_case(encoding, SLICE("UTF8")));
}

/* TAG is the text from one '<' to the next. */
static bool has_many_attributes(struct slice tag)
{
    size_t count = 0;
    for (size_t at = 1; at < tag.length && tag.at[at] != '>'; at++) {
        if (tag.at[at] == '"' || tag.at[at] == '\'') {
            size_t length = slice_index(slice_from(tag, at + 1), tag.at[at]);
            at += length + 1;
            count++;
        }
    }
    return count > TAG_ATTRIBUTES_MOST;
}

/* Counts the tags; false: one of them, at *RET_OFFSET, has too many attributes. */
static bool look_over(struct slice text, size_t *ret_tags, size_t *ret_offset)
{
    const size_t shortest = TAG_ATTRIBUTES_MOST * strlen(" a=\"\"");
    const char *end = text.at + text.length;
    const char *at = text.length > 0 ? memchr(text.at, '<', text.length) : NULL;
    *ret_tags = 0;
    while (at != NULL) {
        const char *next = memchr(at + 1, '<', (size_t)(end - at) - 1);
        size_t length = (size_t)((next != NULL ? next : end) - at);
        if (length > shortest && has_many_attributes(slice_of(at, length))) {
            *ret_offset = (size_t)(at - text.at);
            return false;
        }
        (*ret_tags)++;
        at = next;
    }
    return true;
}

static bool make_room(struct xml_reader *reader, struct slice text, size_t tags)
{
    size_t capacity = 2 * tags + 16;
    uint32_t depth =
        reader->limits->depth < JSON_DEPTH_MOST ? reader->limits->depth : (uint32_t)JSON_DEPTH_MOST;
    reader->depth_limit = depth;
    reader->frame_limit = 2 * depth + 4;
    reader->frames = arena_array(reader->arena, reader->frame_limit, sizeof *reader->frames);
    if (!json_begin(text, reader->arena, reader->json) || reader->frames == NULL) {
        return false;
    }
    reader->pool = (char *)(uintptr_t)reader->json->pool;
    reader->capacity = capacity < UINT32_MAX ? (uint32_t)capacity : UINT32_MAX;
    reader->values = arena_alloc(reader->arena, reader->capacity * sizeof *reader->values);
    return reader->values != NULL;
}

static void start_library(void)
{
    xmlInitParser();
}

static void parse(struct xml_reader *reader, struct slice text)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, start_library);
    xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(text.at, (int)text.length);
    if (parser == NULL) {
        reader->status = STATUS_MEMORY;
        return;
    }
    *parser->sax = handlers;
    parser->userData = reader;
    /* Replacing entities means XML's own five: any other would need a document type, at which we
     * stop. Without it the parser leaves "&amp;" half decoded. */
    (void)xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOENT |
                                        (text.length > HUGE_FROM ? XML_PARSE_HUGE : 0));
    reader->parser = parser;
    (void)xmlParseDocument(parser);
    if (!reader->stopped && (!parser->wellFormed || !parser->nsWellFormed)) {
        refuse(reader, text.length, explain(XML_ERR_INTERNAL_ERROR));
    }
    reader->parser = NULL;
    xmlFreeParserCtxt(parser);
}

/* The values as a document: yyjson's own has the same parts. */
static bool make_document(struct xml_reader *reader, struct json *json)
{
    size_t size = reader->capacity * sizeof *reader->values;
    size_t used = reader->count * sizeof *reader->values;
    reader->values = arena_resize(reader->arena, reader->values, size, used);
    yyjson_doc *doc = ARENA_NEW(reader->arena, yyjson_doc);
    if (reader->values == NULL || doc == NULL) {
        return false;
    }
    doc->root = reader->values;
    doc->dat_read = json->text.length;
    doc->val_read = reader->count;
    json->doc = doc;
    json->root = doc->root;
    return true;
}

static enum status fail_size(struct outcome *outcome, enum status status, const char *what)
{
    return outcome_fail(outcome, status, "", "%s Send it in smaller parts.", what);
}

enum status xml_read(const struct definitions *definitions, struct slice text,
                     const struct json_limits *limits, struct arena *arena, struct outcome *outcome,
                     struct json *ret_json)
{
    *ret_json = (struct json){.text = text};
    if (text.length > limits->bytes || text.length > INT_MAX) {
        return outcome_fail(outcome, STATUS_TOO_LONG, "",
                            "The XML has too many bytes. The limit is %zu: send it in smaller "
                            "parts.",
                            limits->bytes);
    }
    if (slice_starts(text, SLICE("\xEF\xBB\xBF"))) {
        text = slice_from(text, 3);
    }
    struct xml_reader reader = {.definitions = definitions,
                                .tables = definitions_tables(definitions),
                                .limits = limits,
                                .arena = arena,
                                .outcome = outcome,
                                .json = ret_json,
                                .status = STATUS_OK};
    size_t tags = 0, crowded = 0;
    bool sparse = look_over(text, &tags, &crowded);
    if (!make_room(&reader, text, tags)) {
        return fail_size(outcome, STATUS_TOO_COSTLY, "The XML needs too much memory.");
    }
    if (!is_utf8(text)) {
        xml_report(&reader, NULL, NULL, 0, "",
                   text.length == 0
                       ? explain(XML_ERR_DOCUMENT_EMPTY)
                       : "Send XML in UTF-8, beginning with a tag or an XML declaration.");
        return STATUS_STRUCTURE;
    }
    if (!sparse) {
        xml_report(&reader, NULL, NULL, crowded, "", "A tag here has too many attributes.");
        return STATUS_STRUCTURE;
    }
    parse(&reader, text);
    bool whole = !reader.stopped && reader.count > 0 &&
                 (reader.status == STATUS_OK || reader.status == STATUS_STRUCTURE);
    if (arena_full(arena) || reader.status == STATUS_TOO_COSTLY ||
        (whole && !make_document(&reader, ret_json))) {
        *ret_json = (struct json){.text = text};
        return outcome != NULL && outcome->errors > 0 && reader.status == STATUS_TOO_COSTLY
                   ? STATUS_TOO_COSTLY
                   : fail_size(outcome, STATUS_TOO_COSTLY, "The XML needs too much memory.");
    }
    if (!whole) {
        *ret_json = (struct json){.text = text};
    }
    if (reader.status == STATUS_INTERNAL || reader.status == STATUS_MEMORY) {
        return outcome_fail(outcome, reader.status, "", "The XML parser failed.");
    }
    return reader.status;
}
