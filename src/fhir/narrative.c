/* SPDX-License-Identifier: MIT */
/* Links inside Narrative.div. Only as much XML is read as tells an attribute of a tag from text,
 * comments and CDATA: what is no link is copied byte by byte, so that a narrative without links of
 * ours comes out as it went in. */
#include "fhir/walk_int.h"

struct scan {
    struct slice text;
    size_t at;
    size_t copied; /* bytes of text that are in out, once out is begun */
    link_resolve *resolve;
    void *context;
    struct arena *arena;
    struct buffer out;
    bool changed;
};

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Moves past the next END; to the end of the text when there is none. */
static void skip_past(struct scan *scan, struct slice end)
{
    struct slice rest = slice_from(scan->text, scan->at);
    const char *found = rest.length > 0 ? memmem(rest.at, rest.length, end.at, end.length) : NULL;
    scan->at = found != NULL ? (size_t)(found - scan->text.at) + end.length : scan->text.length;
}

/* "&#x41;" and "&amp;" name a character; the length of the reference, or 0 when it is none that
 * XML knows without a DTD. */
static size_t entity_read(struct slice text, struct buffer *out)
{
    static const struct {
        struct slice name;
        char byte;
    } known[] = {{{"&amp;", 5}, '&'},
                 {{"&lt;", 4}, '<'},
                 {{"&gt;", 4}, '>'},
                 {{"&quot;", 6}, '"'},
                 {{"&apos;", 6}, '\''}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (slice_starts(text, known[i].name)) {
            buffer_add_byte(out, known[i].byte);
            return known[i].name.length;
        }
    }
    size_t end = slice_index(slice_head(text, 10), ';');
    if (!slice_starts(text, SLICE("&#")) || end >= 10 || end >= text.length) {
        return 0;
    }
    bool hex = text.at[2] == 'x';
    uint32_t code = 0;
    for (size_t i = hex ? 3 : 2; i < end; i++) {
        char byte = text.at[i];
        uint32_t digit = byte >= '0' && byte <= '9'   ? (uint32_t)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (uint32_t)(byte - 'a' + 10)
                         : byte >= 'A' && byte <= 'F' ? (uint32_t)(byte - 'A' + 10)
                                                      : 99;
        if (digit >= (hex ? 16u : 10u)) {
            return 0;
        }
        code = code * (hex ? 16 : 10) + digit;
    }
    /* Links are ASCII; any other character cannot be part of one that we would exchange. */
    if (code < 0x20 || code > 0x7e) {
        return 0;
    }
    buffer_add_byte(out, (char)code);
    return end + 1;
}

/* The attribute's value as a reader sees it. False: it has references we do not read. */
static bool unescape(struct scan *scan, struct slice raw, struct slice *ret_text)
{
    *ret_text = raw;
    if (slice_index(raw, '&') == raw.length) {
        return true;
    }
    struct buffer out = {.arena = scan->arena};
    for (size_t i = 0; i < raw.length;) {
        if (raw.at[i] != '&') {
            buffer_add_byte(&out, raw.at[i++]);
            continue;
        }
        size_t length = entity_read(slice_from(raw, i), &out);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    *ret_text = buffer_slice(&out);
    return buffer_ok(&out);
}

/* The value between the quotes is text[from, to). */
static void attribute(struct scan *scan, struct slice name, size_t from, size_t to)
{
    struct slice text, other;
    if (!slice_is(name, "href") && !slice_is(name, "src")) {
        return;
    }
    if (!unescape(scan, slice_of(scan->text.at + from, to - from), &text) ||
        !scan->resolve(scan->context, text, &other)) {
        return;
    }
    buffer_add(&scan->out, slice_of(scan->text.at + scan->copied, from - scan->copied));
    buffer_add_html(&scan->out, other);
    scan->copied = to;
    scan->changed = true;
}

/* One attribute, with the spaces around it; false at the end of the tag or when it is no XML. */
static bool attribute_read(struct scan *scan)
{
    const char *bytes = scan->text.at;
    size_t end = scan->text.length;
    while (scan->at < end && (is_space(bytes[scan->at]) || bytes[scan->at] == '/')) {
        scan->at++;
    }
    size_t name = scan->at;
    while (scan->at < end && !is_space(bytes[scan->at]) && bytes[scan->at] != '=' &&
           bytes[scan->at] != '>' && bytes[scan->at] != '/') {
        scan->at++;
    }
    size_t name_end = scan->at;
    while (scan->at < end && is_space(bytes[scan->at])) {
        scan->at++;
    }
    if (name == name_end || scan->at >= end || bytes[scan->at] != '=') {
        return name < name_end && scan->at < end && bytes[scan->at] != '>';
    }
    scan->at++;
    while (scan->at < end && is_space(bytes[scan->at])) {
        scan->at++;
    }
    if (scan->at >= end || (bytes[scan->at] != '"' && bytes[scan->at] != '\'')) {
        return false;
    }
    char quote = bytes[scan->at++];
    size_t from = scan->at;
    while (scan->at < end && bytes[scan->at] != quote) {
        scan->at++;
    }
    if (scan->at < end) {
        attribute(scan, slice_of(bytes + name, name_end - name), from, scan->at++);
    }
    return scan->at < end;
}

/* At a '<'. */
static void tag(struct scan *scan)
{
    struct slice rest = slice_from(scan->text, scan->at);
    if (slice_starts(rest, SLICE("<!--"))) {
        scan->at += 4;
        skip_past(scan, SLICE("-->"));
    } else if (slice_starts(rest, SLICE("<![CDATA["))) {
        skip_past(scan, SLICE("]]>"));
    } else if (slice_starts(rest, SLICE("<?"))) {
        skip_past(scan, SLICE("?>"));
    } else {
        while (scan->at < scan->text.length && !is_space(scan->text.at[scan->at]) &&
               scan->text.at[scan->at] != '>') {
            scan->at++;
        }
        while (attribute_read(scan)) {
        }
        skip_past(scan, SLICE(">"));
    }
}

struct slice narrative_links(struct slice text, link_resolve *resolve, void *context,
                             struct arena *arena)
{
    if (text.at == NULL || text.length == 0 ||
        (memmem(text.at, text.length, "href", 4) == NULL &&
         memmem(text.at, text.length, "src", 3) == NULL)) {
        return text;
    }
    struct scan scan = {.text = text, .resolve = resolve, .context = context, .arena = arena};
    scan.out.arena = arena;
    while (scan.at < text.length) {
        const char *next = memchr(text.at + scan.at, '<', text.length - scan.at);
        if (next == NULL) {
            break;
        }
        scan.at = (size_t)(next - text.at);
        tag(&scan);
    }
    if (!scan.changed) {
        return text;
    }
    buffer_add(&scan.out, slice_from(text, scan.copied));
    return buffer_slice(&scan.out);
}
