/* SPDX-License-Identifier: MIT */
/* Narrative.div in XML: JSON has it as text, so it is kept as it stands, byte by byte. Only where
 * it would not stand alone (prefixes, or its namespace declared further up) is it put together
 * anew. What may be in it is for validate/ to say. */
#include "fhir/xml_int.h"

#define XMLNS " xmlns=\"http://www.w3.org/1999/xhtml\""

static void close_tag(struct xml_narrative *narrative)
{
    if (narrative->tag_open) {
        buffer_add_byte(&narrative->text, '>');
        narrative->tag_open = false;
    }
}

static void rewrite_start(struct xml_reader *reader, const struct xml_tag *tag, bool root)
{
    struct xml_narrative *narrative = &reader->narrative;
    close_tag(narrative);
    buffer_add_byte(&narrative->text, '<');
    buffer_add(&narrative->text, tag->name);
    if (root) {
        buffer_add_text(&narrative->text, XMLNS);
    }
    narrative->tag_open = true;
}

void xml_narrative_begin(struct xml_reader *reader, const struct xml_tag *tag)
{
    reader->narrative = (struct xml_narrative){.depth = 1,
                                               .start = tag->start,
                                               .rewriting = tag->prefixed || !tag->declares,
                                               .text = {.arena = reader->arena}};
    if (reader->narrative.rewriting) {
        rewrite_start(reader, tag, true);
    }
}

void xml_narrative_start(struct xml_reader *reader, const struct xml_tag *tag)
{
    struct xml_narrative *narrative = &reader->narrative;
    bool alien = tag->space != XML_NAMESPACE_XHTML;
    if (alien || (!narrative->rewriting && (tag->prefixed || !(tag->plain || tag->declares)))) {
        xml_report(reader, &reader->frames[reader->frame_count - 1], NULL, tag->start, "namespace",
                   alien ? "A narrative holds elements of the namespace "
                           "http://www.w3.org/1999/xhtml only."
                         : "Write the elements of this narrative without prefixes.");
        reader->skipped = 1;
        return;
    }
    narrative->depth++;
    if (narrative->rewriting) {
        rewrite_start(reader, tag, false);
    }
}

void xml_narrative_attribute(struct xml_reader *reader, const struct xml_attribute *attribute,
                             struct slice prefix)
{
    struct buffer *text = &reader->narrative.text;
    buffer_add_byte(text, ' ');
    if (prefix.length > 0) {
        buffer_add(text, prefix);
        buffer_add_byte(text, ':');
    }
    buffer_add(text, attribute->name);
    buffer_add_text(text, "=\"");
    buffer_add_html(text, attribute->value);
    buffer_add_byte(text, '"');
}

void xml_narrative_text(struct xml_reader *reader, struct slice text)
{
    if (reader->narrative.rewriting) {
        close_tag(&reader->narrative);
        buffer_add_html(&reader->narrative.text, text);
    }
}

/* The raw bytes, at their own place in the pool; carriage returns too, which whoever reads the
 * XHTML takes for line ends then. */
static void keep_raw(struct xml_reader *reader, size_t start, size_t end)
{
    char *copy = reader->pool + start;
    memcpy(copy, reader->json->text.at + start, end - start);
    copy[end - start] = '\0';
    xml_build_narrative(reader, copy, end - start);
}

void xml_narrative_end(struct xml_reader *reader, struct slice name, size_t end)
{
    struct xml_narrative *narrative = &reader->narrative;
    struct slice text = reader->json->text;
    narrative->depth--;
    if (narrative->rewriting) {
        if (narrative->tag_open) {
            buffer_add_text(&narrative->text, "/>");
            narrative->tag_open = false;
        } else {
            buffer_print(&narrative->text, "</%.*s>", SLICE_ARGS(name));
        }
    }
    if (narrative->depth > 0) {
        return;
    }
    if (narrative->rewriting) {
        buffer_add_byte(&narrative->text, '\0');
        if (!buffer_ok(&narrative->text)) {
            xml_stop(reader, STATUS_TOO_COSTLY);
            return;
        }
        xml_build_narrative(reader, narrative->text.at, narrative->text.length - 1);
    } else if (end <= narrative->start || end > text.length || text.at[end - 1] != '>') {
        xml_stop(reader, STATUS_INTERNAL);
    } else {
        keep_raw(reader, narrative->start, end);
    }
}
