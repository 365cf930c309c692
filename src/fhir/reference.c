/* SPDX-License-Identifier: MIT */
#include "fhir/fhir.h"

#define ID_LENGTH_LIMIT 64

static bool is_alpha(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool resource_id_valid(struct slice id)
{
    if (id.length == 0 || id.length > ID_LENGTH_LIMIT) {
        return false;
    }
    for (size_t i = 0; i < id.length; i++) {
        if (!is_alpha(id.at[i]) && !is_digit(id.at[i]) && id.at[i] != '-' && id.at[i] != '.') {
            return false;
        }
    }
    return true;
}

/* R4 "uri": no white space; control characters have no place in any URI (RFC 3986 2). */
static bool uri_shaped(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f) {
            return false;
        }
    }
    return text.length > 0;
}

/* The length of the scheme before the colon (RFC 3986 3.1), or 0. */
static size_t scheme_length(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte == ':') {
            return i;
        }
        bool inner = is_digit(byte) || byte == '+' || byte == '-' || byte == '.';
        if (!is_alpha(byte) && (i == 0 || !inner)) {
            return 0;
        }
    }
    return 0;
}

/* Where scheme and host end: those two ignore case (RFC 3986 6.2.2.1), the path does not. */
static size_t authority_end(struct slice url)
{
    size_t colon = slice_index(url, ':');
    struct slice rest = slice_from(url, colon);
    if (!slice_starts(rest, SLICE("://"))) {
        return colon;
    }
    return colon + 3 + slice_index(slice_from(rest, 3), '/');
}

/* Does TEXT lie below BASE? *RET_REST is what follows the slash after the base. */
static bool below_base(struct slice text, struct slice base, struct slice *ret_rest)
{
    if (base.length == 0 || text.length <= base.length || text.at[base.length] != '/') {
        return false;
    }
    size_t end = authority_end(base);
    if (!slice_equals_ignoring_case(slice_head(text, end), slice_head(base, end)) ||
        memcmp(text.at + end, base.at + end, base.length - end) != 0) {
        return false;
    }
    *ret_rest = slice_from(text, base.length + 1);
    return true;
}

/* Type/id or Type/id/_history/version. */
static bool local_parse(const struct definitions *definitions, struct slice text,
                        struct reference *ret_reference)
{
    struct slice rest = text;
    resource_type type = resource_type_find(definitions, slice_cut(&rest, '/'));
    struct slice id = slice_cut(&rest, '/');
    struct slice version = {NULL, 0};
    if (type == RESOURCE_TYPE_NONE || !resource_id_valid(id)) {
        return false;
    }
    if (rest.at != NULL) {
        if (!slice_is(slice_cut(&rest, '/'), "_history")) {
            return false;
        }
        version = slice_cut(&rest, '/');
        if (!resource_id_valid(version) || rest.at != NULL) {
            return false;
        }
    }
    *ret_reference =
        (struct reference){.kind = REFERENCE_LOCAL, .type = type, .id = id, .version = version};
    return true;
}

/* Type?query (R4 http "Conditional references"). */
static bool query_parse(const struct definitions *definitions, struct slice text,
                        struct reference *ret_reference)
{
    size_t mark = slice_index(text, '?');
    resource_type type = resource_type_find(definitions, slice_head(text, mark));
    if (type == RESOURCE_TYPE_NONE || mark + 1 >= text.length) {
        return false;
    }
    *ret_reference = (struct reference){
        .kind = REFERENCE_QUERY, .type = type, .query = slice_from(text, mark + 1)};
    return true;
}

static bool has_urn_prefix(struct slice text)
{
    return slice_equals_ignoring_case(slice_head(text, 9), SLICE("urn:uuid:")) ||
           slice_equals_ignoring_case(slice_head(text, 8), SLICE("urn:oid:"));
}

struct reference reference_parse(const struct definitions *definitions, struct slice text,
                                 struct slice base)
{
    struct reference reference = {.kind = REFERENCE_BROKEN};
    struct slice rest;
    if (!uri_shaped(text)) {
        return reference;
    }
    if (text.at[0] == '#') {
        reference.kind = REFERENCE_FRAGMENT;
        reference.id = slice_from(text, 1);
    } else if (has_urn_prefix(text)) {
        bool empty = slice_index(slice_from(text, 4), ':') + 5 == text.length;
        reference.kind = empty ? REFERENCE_BROKEN : REFERENCE_URN;
    } else if (below_base(text, base, &rest)) {
        /* Under our base it must be one of ours: what names nothing here names nothing at all. */
        (void)local_parse(definitions, rest, &reference);
    } else if (scheme_length(text) > 0) {
        bool empty = scheme_length(text) + 1 == text.length;
        reference.kind = empty ? REFERENCE_BROKEN : REFERENCE_FOREIGN;
    } else if (!local_parse(definitions, text, &reference)) {
        (void)query_parse(definitions, text, &reference);
    }
    return reference;
}
