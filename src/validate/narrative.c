/* SPDX-License-Identifier: MIT */
/* Narrative.div (R4 narrative.html, rules txt-1 and txt-2): well-formed XHTML of the elements and
 * attributes on two lists, with nothing that runs. A scanner of its own, because what is stored is
 * shown in browsers, which read HTML and not XML: whatever the two read differently (CDATA,
 * processing instructions, odd comments, named entities) is refused here. */
#include "validate/validate_int.h"

#define OPEN_LIMIT 100u

static const struct slice elements[] = {
#define E(text) {text, sizeof(text) - 1},
    E("a") E("abbr") E("acronym") E("b") E("big") E("blockquote") E("br") E("caption") E("cite")
        E("code") E("col") E("colgroup") E("dd") E("dfn") E("div") E("dl") E("dt") E("em") E("h1")
            E("h2") E("h3") E("h4") E("h5") E("h6") E("hr") E("i") E("img") E("li") E("ol") E("p")
                E("pre") E("q") E("samp") E("small") E("span") E("strong") E("sub") E("sup")
                    E("table") E("tbody") E("td") E("tfoot") E("th") E("thead") E("tr") E("tt")
                        E("ul") E("var")};

static const struct slice attributes[] = {
    E("abbr") E("accesskey") E("align") E("alt") E("axis") E("bgcolor") E("border") E("cellhalign")
        E("cellpadding") E("cellspacing") E("cellvalign") E("char") E("charoff") E("charset")
            E("cite") E("class") E("colspan") E("compact") E("coords") E("dir") E("frame")
                E("headers") E("height") E("href") E("hreflang") E("hspace") E("id") E("lang")
                    E("longdesc") E("name") E("nowrap") E("rel") E("rev") E("rowspan") E("rules")
                        E("scope") E("shape") E("span") E("src") E("start") E("style") E("summary")
                            E("tabindex") E("title") E("type") E("valign") E("value") E("vspace")
                                E("width") E("xmlns") E("xml:lang") E("xml:space") E("xml:id")
#undef E
};

#define ELEMENT_COUNT   (sizeof elements / sizeof *elements)
#define ATTRIBUTE_COUNT (sizeof attributes / sizeof *attributes)
_Static_assert(ATTRIBUTE_COUNT <= 64, "attributes met are a bit set");

struct scan {
    struct slice text;
    size_t at;
    const char *fault;
    bool content; /* text other than white space, or an image */
    uint8_t open[OPEN_LIMIT];
    unsigned depth;
};

static bool fail(struct scan *scan, const char *fault)
{
    if (scan->fault == NULL) {
        scan->fault = fault;
    }
    return false;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool ended(const struct scan *scan)
{
    return scan->at == scan->text.length;
}

static bool looking_at(const struct scan *scan, const char *text)
{
    return slice_starts(slice_from(scan->text, scan->at), slice_text(text));
}

static bool take(struct scan *scan, const char *text)
{
    bool here = looking_at(scan, text);
    scan->at += here ? strlen(text) : 0;
    return here;
}

static void skip_space(struct scan *scan)
{
    while (!ended(scan) && is_space(scan->text.at[scan->at])) {
        scan->at++;
    }
}

static struct slice take_name(struct scan *scan)
{
    size_t start = scan->at;
    while (!ended(scan)) {
        char byte = scan->text.at[scan->at];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool inner = (byte >= '0' && byte <= '9') || byte == ':' || byte == '-' || byte == '_' ||
                     byte == '.';
        if (!letter && (scan->at == start || !inner)) {
            break;
        }
        scan->at++;
    }
    return slice_of(scan->text.at + start, scan->at - start);
}

static size_t find(const struct slice *list, size_t count, struct slice name)
{
    size_t i = 0;
    while (i < count && !slice_equals(list[i], name)) {
        i++;
    }
    return i;
}

/* ---- characters -------------------------------------------------------------------------------
 */

static bool is_xml_character(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code <= 0xD7FF) ||
           (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

static bool take_number(struct scan *scan, uint32_t *ret_code)
{
    bool hex = take(scan, "x");
    size_t start = scan->at;
    uint32_t code = 0;
    for (; !ended(scan) && scan->text.at[scan->at] != ';' && scan->at - start < 8; scan->at++) {
        char byte = scan->text.at[scan->at];
        uint32_t digit;
        if (byte >= '0' && byte <= '9') {
            digit = (uint32_t)(byte - '0');
        } else if (hex && (byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') {
            digit = (uint32_t)((byte | 0x20) - 'a' + 10);
        } else {
            return false;
        }
        code = code * (hex ? 16 : 10) + digit;
    }
    *ret_code = code;
    return scan->at > start && take(scan, ";") && is_xml_character(code);
}

/* After the ampersand. */
static bool take_entity(struct scan *scan, uint32_t *ret_code)
{
    static const struct {
        const char *text;
        uint32_t code;
    } known[] = {{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (take(scan, known[i].text)) {
            *ret_code = known[i].code;
            return true;
        }
    }
    if (take(scan, "#") && take_number(scan, ret_code)) {
        return true;
    }
    return fail(scan, "Only &lt; &gt; &amp; &quot; &apos; and numeric references are entities of "
                      "XHTML in FHIR: write other characters as themselves.");
}

/* One character of text or of an attribute value; entities resolved, other bytes as they are. */
static bool take_character(struct scan *scan, uint32_t *ret_code)
{
    uint8_t byte = (uint8_t)scan->text.at[scan->at++];
    if (byte == '&') {
        return take_entity(scan, ret_code);
    }
    if (byte < ' ' && !is_space((char)byte)) {
        return fail(scan, "Remove the control character.");
    }
    *ret_code = byte;
    return true;
}

/* ---- attribute values -------------------------------------------------------------------------
 */

/* A value as a browser compares it: entities resolved, white space and controls removed, small
 * letters; its beginning only, for what is asked of it. */
struct folded {
    char text[4096];
    size_t length;
    bool cut;
    bool backslash;
};

static void fold_in(struct folded *folded, uint32_t code)
{
    if (code <= ' ') {
        return;
    }
    folded->backslash = folded->backslash || code == '\\';
    if (folded->length == sizeof folded->text) {
        folded->cut = true;
        return;
    }
    char byte = code < 128 ? (char)code : '?';
    folded->text[folded->length++] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

static bool has_part(const struct folded *folded, const char *part)
{
    return memmem(folded->text, folded->length, part, strlen(part)) != NULL;
}

/* Links: relative, or of a scheme that only fetches or names. */
static bool link_is_safe(struct slice text, bool image)
{
    static const char *const schemes[] = {"http", "https", "mailto", "tel", "ftp", "urn", "cid"};
    size_t colon = slice_index(text, ':');
    size_t stop = colon;
    for (size_t i = 0; i < colon; i++) {
        if (text.at[i] == '/' || text.at[i] == '?' || text.at[i] == '#') {
            stop = i;
            break;
        }
    }
    if (colon == text.length || stop < colon) {
        return true;
    }
    struct slice scheme = slice_head(text, colon);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (slice_is(scheme, schemes[i])) {
            return true;
        }
    }
    /* Pictures in the narrative itself; not SVG, which may hold script. */
    return image && slice_starts(text, SLICE("data:image/")) &&
           !slice_starts(text, SLICE("data:image/svg"));
}

/* url(...) of a style: a picture, under the rules of img. */
static bool style_links_are_safe(struct slice text)
{
    const char *found;
    while ((found = memmem(text.at, text.length, "url(", 4)) != NULL) {
        text = slice_from(text, (size_t)(found - text.at) + 4);
        struct slice link = slice_head(text, slice_index(text, ')'));
        bool quoted = link.length > 0 && (link.at[0] == '"' || link.at[0] == '\'');
        if (link.length == text.length || !link_is_safe(slice_from(link, quoted), true)) {
            return false;
        }
    }
    return true;
}

static bool style_is_safe(const struct folded *folded)
{
    static const char *const parts[] = {
        "expression(", "javascript:", "vbscript:", "behavior:", "-moz-binding", "@import"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (has_part(folded, parts[i])) {
            return false;
        }
    }
    return !folded->backslash && !folded->cut &&
           style_links_are_safe(slice_of(folded->text, folded->length));
}

static bool check_value(struct scan *scan, struct slice name, const struct folded *folded)
{
    if (slice_is(name, "style") && !style_is_safe(folded)) {
        return fail(scan, "A style attribute holds plain declarations only: no script, @import, "
                          "expressions or escapes, up to 4,096 characters.");
    }
    bool image = slice_is(name, "src");
    bool is_link =
        image || slice_is(name, "href") || slice_is(name, "cite") || slice_is(name, "longdesc");
    if (is_link && !link_is_safe(slice_of(folded->text, folded->length), image)) {
        return fail(scan, "Links are relative or http, https, mailto, tel, ftp, urn or cid; "
                          "pictures may be data:image.");
    }
    if (slice_is(name, "xmlns") && !slice_equals(slice_of(folded->text, folded->length),
                                                 SLICE("http://www.w3.org/1999/xhtml"))) {
        return fail(scan, "The namespace of the narrative is http://www.w3.org/1999/xhtml.");
    }
    return true;
}

static bool take_value(struct scan *scan, struct slice name)
{
    struct folded folded;
    folded.length = 0;
    folded.cut = false;
    folded.backslash = false;
    skip_space(scan);
    if (!take(scan, "=")) {
        return fail(scan, "An attribute needs a value: name=\"value\".");
    }
    skip_space(scan);
    char quote = ended(scan) ? '\0' : scan->text.at[scan->at];
    if (quote != '"' && quote != '\'') {
        return fail(scan, "Put attribute values in quotes.");
    }
    scan->at++;
    while (!ended(scan) && scan->text.at[scan->at] != quote) {
        uint32_t code;
        if (scan->text.at[scan->at] == '<') {
            return fail(scan, "Write '<' in an attribute value as &lt;.");
        }
        if (!take_character(scan, &code)) {
            return false;
        }
        fold_in(&folded, code);
    }
    if (ended(scan)) {
        return fail(scan, "An attribute value is not closed.");
    }
    scan->at++;
    return check_value(scan, name, &folded);
}

/* ---- markup -----------------------------------------------------------------------------------
 */

/* Attributes up to '>' or '/>'. */
static bool take_attributes(struct scan *scan, bool root, bool *ret_source)
{
    uint64_t met = 0;
    for (;;) {
        size_t before = scan->at;
        skip_space(scan);
        if (ended(scan)) {
            return fail(scan, "A tag is not closed.");
        }
        if (scan->text.at[scan->at] == '>' || scan->text.at[scan->at] == '/') {
            break;
        }
        struct slice name = take_name(scan);
        size_t number = find(attributes, ATTRIBUTE_COUNT, name);
        if (name.length == 0 || before == scan->at - name.length) {
            return fail(scan, "Separate the attributes of a tag by spaces.");
        }
        if (number == ATTRIBUTE_COUNT) {
            return fail(scan, "This attribute may not stand in a narrative: only the formatting "
                              "attributes of HTML 4 may, and no event handlers.");
        }
        if ((met & UINT64_C(1) << number) != 0) {
            return fail(scan, "An attribute stands twice in its tag.");
        }
        met |= UINT64_C(1) << number;
        if (!take_value(scan, name)) {
            return false;
        }
    }
    *ret_source = (met & UINT64_C(1) << find(attributes, ATTRIBUTE_COUNT, SLICE("src"))) != 0;
    if (root && (met & UINT64_C(1) << find(attributes, ATTRIBUTE_COUNT, SLICE("xmlns"))) == 0) {
        return fail(scan, "The div needs xmlns=\"http://www.w3.org/1999/xhtml\".");
    }
    return true;
}

static bool take_start(struct scan *scan)
{
    struct slice name = take_name(scan);
    size_t number = find(elements, ELEMENT_COUNT, name);
    bool root = scan->depth == 0;
    if (number == ELEMENT_COUNT) {
        return fail(scan, "This element may not stand in a narrative: only the formatting "
                          "elements of HTML 4 may, in small letters, and no script, form, frame "
                          "or object.");
    }
    if (root && !slice_is(name, "div")) {
        return fail(scan, "A narrative is one div element.");
    }
    bool source = false;
    if (!take_attributes(scan, root, &source)) {
        return false;
    }
    scan->content = scan->content || (source && slice_is(name, "img"));
    if (take(scan, "/>")) {
        return true;
    }
    if (!take(scan, ">")) {
        return fail(scan, "A tag is not closed.");
    }
    if (scan->depth == OPEN_LIMIT) {
        return fail(scan, "Elements of a narrative may be nested 100 deep.");
    }
    scan->open[scan->depth++] = (uint8_t)number;
    return true;
}

static bool take_end(struct scan *scan)
{
    struct slice name = take_name(scan);
    skip_space(scan);
    if (!take(scan, ">") || scan->depth == 0 ||
        !slice_equals(elements[scan->open[scan->depth - 1]], name)) {
        return fail(scan, "Elements must be closed in the order in which they were opened.");
    }
    scan->depth--;
    return true;
}

static bool take_comment(struct scan *scan)
{
    struct slice rest = slice_from(scan->text, scan->at);
    const char *end = rest.length > 0 ? memmem(rest.at, rest.length, "--", 2) : NULL;
    if (end == NULL || rest.at[0] == '>' || slice_starts(rest, SLICE("->")) ||
        !slice_starts(slice_from(rest, (size_t)(end - rest.at)), SLICE("-->"))) {
        return fail(scan, "A comment ends with --> and holds no -- before that.");
    }
    scan->at += (size_t)(end - rest.at) + 3;
    return true;
}

static bool take_markup(struct scan *scan)
{
    if (take(scan, "</")) {
        return take_end(scan);
    }
    if (take(scan, "<!--")) {
        return take_comment(scan);
    }
    if (looking_at(scan, "<!") || looking_at(scan, "<?")) {
        return fail(scan, "Remove the CDATA section, document type or processing instruction.");
    }
    scan->at++;
    return take_start(scan);
}

static bool take_text(struct scan *scan)
{
    while (!ended(scan) && scan->text.at[scan->at] != '<') {
        uint32_t code;
        if (looking_at(scan, "]]>")) {
            return fail(scan, "Write ]]> in text as ]]&gt;.");
        }
        if (!take_character(scan, &code)) {
            return false;
        }
        scan->content = scan->content || code > ' ';
    }
    return true;
}

static bool scan_all(struct scan *scan)
{
    skip_space(scan);
    if (!looking_at(scan, "<div")) {
        return fail(scan, "A narrative is one div element.");
    }
    do {
        if (ended(scan)) {
            return fail(scan, "An element of the narrative is not closed.");
        }
        bool fine = scan->text.at[scan->at] == '<' ? take_markup(scan) : take_text(scan);
        if (!fine) {
            return false;
        }
    } while (scan->depth > 0);
    skip_space(scan);
    if (!ended(scan)) {
        return fail(scan, "Nothing may follow the div of the narrative.");
    }
    return scan->content || fail(scan, "A narrative must say something (txt-2): give it text.");
}

const char *narrative_fault(struct slice xhtml, size_t *ret_offset)
{
    struct scan scan;
    scan.text = xhtml;
    scan.at = 0;
    scan.fault = NULL;
    scan.content = false;
    scan.depth = 0;
    (void)scan_all(&scan);
    *ret_offset = scan.at;
    return scan.fault;
}
