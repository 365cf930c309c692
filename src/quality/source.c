/* SPDX-License-Identifier: MIT */
/* The name of a sender. meta.source is a claim of whoever wrote the resource, and may hold anything
 * that a URI can: only what names an organisation or a machine is taken out of it. */
#include "quality/quality_int.h"

/* The addresses of the ODS API end in the code, after one of these. */
static const char *const ods_places[] = {
    QUALITY_ODS_SYSTEM "/",
    QUALITY_ODS_SYSTEM "|",
    "https://directory.spineservices.nhs.uk/ORD/2-0-0/organisations/",
    "https://directory.spineservices.nhs.uk/STU3/Organization/",
    "https://directory.spineservices.nhs.uk/FHIR/R4/Organization/",
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Three to eight capitals and digits, a letter or digit first (Organisation Data Service). */
static bool is_ods_code(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!is_digit(text.at[i]) && !(text.at[i] >= 'A' && text.at[i] <= 'Z')) {
            return false;
        }
    }
    return text.length >= 3 && text.length <= 8;
}

/* Digits that only hyphens part, as many as an NHS number without its check digit has. */
static bool has_number(struct slice text)
{
    size_t run = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (is_digit(text.at[i])) {
            run++;
        } else if (text.at[i] != '-') {
            run = 0;
        }
        if (run >= 9) {
            return true;
        }
    }
    return false;
}

/* A host with or without port: "trust.example:8443", "[2001:db8::1]". */
static bool is_authority(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (!is_letter(c) && !is_digit(c) && strchr(".-:[]", c) == NULL) {
            return false;
        }
    }
    return text.length > 0;
}

static bool is_oid(struct slice text)
{
    struct slice rest = slice_from(text, strlen("urn:oid:"));
    for (size_t i = 0; i < rest.length; i++) {
        if (!is_digit(rest.at[i]) && rest.at[i] != '.') {
            return false;
        }
    }
    return slice_starts(text, SLICE("urn:oid:")) && rest.length > 2;
}

static bool give(struct slice text, char *ret_source, size_t *ret_length)
{
    if (text.length == 0 || text.length > QUALITY_SOURCE_MOST || has_number(text)) {
        return false;
    }
    memcpy(ret_source, text.at, text.length);
    *ret_length = text.length;
    return true;
}

static bool give_ods(struct slice code, char *ret_source, size_t *ret_length)
{
    static const char system[] = QUALITY_ODS_SYSTEM "|";
    if (!is_ods_code(code)) {
        return false;
    }
    memcpy(ret_source, system, sizeof system - 1);
    memcpy(ret_source + sizeof system - 1, code.at, code.length);
    *ret_length = sizeof system - 1 + code.length;
    return true;
}

static bool give_address(struct slice text, char *ret_source, size_t *ret_length)
{
    bool secure =
        text.length > 8 && slice_equals_ignoring_case(slice_head(text, 8), SLICE("https://"));
    bool plain =
        text.length > 7 && slice_equals_ignoring_case(slice_head(text, 7), SLICE("http://"));
    if (!secure && !plain) {
        return false;
    }
    size_t scheme = secure ? 8 : 7;
    struct slice rest = slice_from(text, scheme);
    struct slice authority = slice_head(rest, slice_index(rest, '/'));
    if (!is_authority(authority) ||
        !give(slice_head(text, scheme + authority.length), ret_source, ret_length)) {
        return false;
    }
    for (size_t i = 0; i < *ret_length; i++) {
        if (ret_source[i] >= 'A' && ret_source[i] <= 'Z') {
            ret_source[i] = (char)(ret_source[i] - 'A' + 'a');
        }
    }
    return true;
}

bool quality_source_read(struct slice text, bool said, char ret_source[static QUALITY_SOURCE_MOST],
                         size_t *ret_length)
{
    text = slice_head(text, slice_index(text, '#')); /* names a message */
    text = slice_head(text, slice_index(text, '?'));
    for (size_t i = 0; i < sizeof ods_places / sizeof ods_places[0]; i++) {
        struct slice place = slice_text(ods_places[i]);
        if (slice_starts(text, place)) {
            return give_ods(slice_from(text, place.length), ret_source, ret_length);
        }
    }
    if (said && give_ods(text, ret_source, ret_length)) {
        return true;
    }
    if (is_oid(text)) {
        return give(text, ret_source, ret_length);
    }
    return give_address(text, ret_source, ret_length);
}

struct slice quality_source_of(yyjson_val *resource, struct slice otherwise, struct arena *arena)
{
    struct slice claim = json_get_string(json_get(resource, "meta"), "source");
    char source[QUALITY_SOURCE_MOST];
    size_t length;
    if (claim.length == 0 || !quality_source_read(claim, false, source, &length)) {
        return otherwise;
    }
    struct slice copy = arena_copy(arena, slice_of(source, length));
    return copy.at != NULL ? copy : otherwise;
}
