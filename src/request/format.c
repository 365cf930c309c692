/* SPDX-License-Identifier: MIT */
/* Which form an answer is asked for in (R4 http, 3.1.0.1.11): of a request, and of one that is so
 * broken that it never becomes one. Needs no other part of a request. */
#include "request/request_int.h"

enum wanted media_type(struct slice text)
{
    struct slice name = slice_trim(slice_cut(&text, ';'));
    /* In a query an unescaped plus is a space. */
    static const struct {
        const char *name;
        enum wanted wanted;
    } known[] = {
        {"application/fhir+json", WANTED_JSON},
        {"application/json", WANTED_JSON},
        {"text/json", WANTED_JSON},
        {"json", WANTED_JSON},
        {"application/json+fhir", WANTED_JSON},
        {"application/fhir json", WANTED_JSON},
        {"application/fhir+xml", WANTED_XML},
        {"application/xml", WANTED_XML},
        {"text/xml", WANTED_XML},
        {"xml", WANTED_XML},
        {"application/xml+fhir", WANTED_XML},
        {"application/fhir xml", WANTED_XML},
        {"*/*", WANTED_ANY},
        {"application/*", WANTED_ANY},
        {"text/html", WANTED_ANY},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_equals_ignoring_case(name, slice_text(known[i].name))) {
            return known[i].wanted;
        }
    }
    return WANTED_NONE;
}

/* The weight of a media range in thousandths (RFC 9110, 12.4.2): 1 when none is given, and 0, which
 * is "never", when it cannot be read. */
static int weight_of(struct slice parameters)
{
    while (parameters.at != NULL) {
        struct slice one = slice_trim(slice_cut(&parameters, ';'));
        if (one.length < 2 || (one.at[0] | 0x20) != 'q' || one.at[1] != '=') {
            continue;
        }
        struct slice digits = slice_from(one, 2);
        int weight = 0;
        int place = 1000;
        for (size_t i = 0; i < digits.length; i++) {
            char byte = digits.at[i];
            if (i == 1 && byte == '.') {
                continue;
            }
            if (byte < '0' || byte > '9' || i > 4) {
                return 0;
            }
            weight += (byte - '0') * place;
            place /= 10;
        }
        return weight <= 1000 ? weight : 0;
    }
    return 1000;
}

/* What was asked for, by weight; -1: not named. */
struct wishes {
    int json, xml, any;
    bool xml_first; /* named before JSON */
};

static void add_wish(struct wishes *wishes, enum wanted wanted, int weight)
{
    if (wanted == WANTED_XML) {
        wishes->xml_first = wishes->xml_first || wishes->json < 0;
        wishes->xml = weight > wishes->xml ? weight : wishes->xml;
    } else if (wanted == WANTED_JSON) {
        wishes->json = weight > wishes->json ? weight : wishes->json;
    } else if (wanted == WANTED_ANY) {
        wishes->any = weight > wishes->any ? weight : wishes->any;
    }
}

/* False: neither form is acceptable. Of two that are equally welcome JSON is taken, unless XML
 * alone was named, or first. */
static bool choose(const struct wishes *wishes, enum format *ret_format)
{
    int json = wishes->json >= 0 ? wishes->json : wishes->any;
    int xml = wishes->xml >= 0 ? wishes->xml : wishes->any;
    bool named = wishes->xml > 0 && (wishes->json < 0 || wishes->xml_first);
    *ret_format = xml > 0 && (xml > json || (xml == json && named)) ? FORMAT_XML : FORMAT_JSON;
    return json > 0 || xml > 0;
}

bool format_choose(struct slice ranges, enum format *ret_format)
{
    struct wishes wishes = {.json = -1, .xml = -1, .any = -1};
    *ret_format = FORMAT_JSON;
    if (ranges.length == 0) {
        return true;
    }
    while (ranges.at != NULL) {
        struct slice parameters = slice_cut(&ranges, ',');
        struct slice name = slice_cut(&parameters, ';');
        add_wish(&wishes, media_type(name), weight_of(parameters));
    }
    return choose(&wishes, ret_format);
}

enum format format_asked(struct slice query, struct slice accept, struct arena *arena)
{
    enum format format;
    while (query.at != NULL) {
        struct slice value = slice_cut(&query, '&');
        struct buffer name = {.arena = arena}, text = {.arena = arena};
        if (url_decode(slice_cut(&value, '='), true, &name) &&
            slice_is(buffer_slice(&name), "_format") && url_decode(value, true, &text) &&
            buffer_ok(&text)) {
            accept = buffer_slice(&text);
            break;
        }
    }
    (void)format_choose(accept, &format);
    return format;
}
