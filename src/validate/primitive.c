/* SPDX-License-Identifier: MIT */
/* Formats and ranges of the primitive types: R4 datatypes.html, the regular expression of each
 * written out as a scanner. */
#include "validate/validate_int.h"

#define STRING_LIMIT ((size_t)1 << 20)

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* C0 controls but tab, line feed and carriage return. */
static bool is_control(uint8_t byte)
{
    return byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r';
}

/* Does any of the eight bytes lie below 0x20? */
static bool has_low_byte(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((word - ones * 0x20) & ~word & ones * 0x80) != 0;
}

static bool has_control(struct slice text)
{
    const char *at = text.at;
    const char *end = text.at + text.length;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        if (has_low_byte(word)) {
            break;
        }
    }
    for (; at < end; at++) {
        if (is_control((uint8_t)*at)) {
            return true;
        }
    }
    return false;
}

static bool has_space(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((uint8_t)text.at[i] <= ' ') {
            return true;
        }
    }
    return false;
}

/* [^\s]+(\s[^\s]+)* : words with one space between. */
static bool is_code(struct slice text)
{
    bool space = true;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = (uint8_t)text.at[i];
        bool is_gap = byte <= ' ';
        if (is_gap && (space || is_control(byte))) {
            return false;
        }
        space = is_gap;
    }
    return !space;
}

static bool is_base64_byte(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
}

/* Groups of four, padded at the end; white space anywhere between characters. */
static bool is_base64(struct slice text)
{
    size_t digits = 0, padding = 0;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte == '=') {
            padding++;
        } else if (is_base64_byte(byte)) {
            if (padding > 0) {
                return false;
            }
            digits++;
        } else if (!is_space((uint8_t)byte)) {
            return false;
        }
    }
    return digits > 0 && padding <= 2 && (digits + padding) % 4 == 0;
}

/* urn:oid:[0-2](\.(0|[1-9][0-9]*))+ */
static bool is_oid(struct slice text)
{
    if (!slice_starts(text, SLICE("urn:oid:")) || text.length < 11 || text.at[8] < '0' ||
        text.at[8] > '2') {
        return false;
    }
    struct slice rest = slice_from(text, 9);
    while (rest.length > 0) {
        size_t digits = 1;
        while (digits < rest.length && rest.at[digits] >= '0' && rest.at[digits] <= '9') {
            digits++;
        }
        if (rest.at[0] != '.' || digits == 1 || (digits > 2 && rest.at[1] == '0')) {
            return false;
        }
        rest = slice_from(rest, digits);
    }
    return true;
}

/* urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} */
static bool is_uuid(struct slice text)
{
    static const char shape[] = "urn:uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (text.length != sizeof shape - 1) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
        if (shape[i] == 'x' && i >= 9 ? !digit : byte != shape[i]) {
            return false;
        }
    }
    return true;
}

static bool is_date(struct slice text, enum date_form form)
{
    struct partial_date date;
    return date_parse(text, form, &date);
}

static void check_number(struct checker *checker, const struct frame *frame, enum fhir_type type,
                         yyjson_val *value)
{
    struct slice text = json_number(value);
    if (text.length == 0) {
        report(
            checker, frame, value, RULE_TYPE,
            xml_is_likely(checker->json->text)
                ? "Write a number as the value here: digits, without plus, leading zero or space."
                : "Write this element as a JSON number, without quotes.");
        return;
    }
    if (type == FHIR_TYPE_DECIMAL) {
        return; /* JSON's grammar is the type's */
    }
    bool negative = text.at[0] == '-';
    struct slice digits = slice_from(text, negative);
    uint64_t number;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9') {
            report(checker, frame, value, RULE_FORMAT,
                   "Write a whole number, without decimal point and exponent.");
            return;
        }
    }
    bool small = slice_to_unsigned(digits, UINT64_C(2147483648), &number);
    if (type == FHIR_TYPE_INTEGER) {
        if (!small || (number == 0 && negative) || (number > INT32_MAX && !negative)) {
            report(checker, frame, value, RULE_RANGE,
                   "Give a whole number from -2147483648 to 2147483647.");
        }
    } else if (type == FHIR_TYPE_UNSIGNEDINT) {
        if (!small || negative || number > INT32_MAX) {
            report(checker, frame, value, RULE_RANGE, "Give a whole number from 0 to 2147483647.");
        }
    } else if (!small || negative || number > INT32_MAX || number == 0) {
        report(checker, frame, value, RULE_RANGE, "Give a whole number from 1 to 2147483647.");
    }
}

/* NULL when the text has the format of its type. */
static const char *text_fault(enum fhir_type type, struct slice text)
{
    switch (type) {
    case FHIR_TYPE_CODE:
        return is_code(text)
                   ? NULL
                   : "A code has no spaces at its ends and only single spaces between words.";
    case FHIR_TYPE_ID:
        return resource_id_valid(text)
                   ? NULL
                   : "An id has 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.'.";
    case FHIR_TYPE_URI:
    case FHIR_TYPE_URL:
    case FHIR_TYPE_CANONICAL:
        return has_space(text) ? "A URI has no spaces: percent-encode them." : NULL;
    case FHIR_TYPE_OID:
        return is_oid(text) ? NULL : "An OID is written as a URI: urn:oid:1.2.3.";
    case FHIR_TYPE_UUID:
        return is_uuid(text)
                   ? NULL
                   : "A UUID is written as a URI in small letters: urn:uuid: and 36 characters.";
    case FHIR_TYPE_DATE:
        return is_date(text, DATE_FORM_DATE)
                   ? NULL
                   : "Give a date that exists, as YYYY, YYYY-MM or YYYY-MM-DD.";
    case FHIR_TYPE_DATETIME:
        return is_date(text, DATE_FORM_DATETIME)
                   ? NULL
                   : "Give a date that exists, as YYYY, YYYY-MM, YYYY-MM-DD or "
                     "YYYY-MM-DDThh:mm:ss+zz:zz; a time needs its zone.";
    case FHIR_TYPE_INSTANT:
        return is_date(text, DATE_FORM_INSTANT)
                   ? NULL
                   : "Give an instant that exists, as YYYY-MM-DDThh:mm:ss.sss+zz:zz.";
    case FHIR_TYPE_TIME:
        return is_date(text, DATE_FORM_TIME) ? NULL : "Give a time of day as hh:mm:ss.";
    case FHIR_TYPE_BASE64BINARY:
        return is_base64(text) ? NULL : "Give base64 (RFC 4648, not base64url) in groups of four.";
    default:
        return has_control(text) ? "Remove the control characters: only tab, carriage return and "
                                   "line feed may stand in text."
                                 : NULL;
    }
}

/* Longer than 1024*1024 characters; bytes are counted first, because they are cheap. */
static bool is_too_long(enum fhir_type type, struct slice text)
{
    if (text.length <= STRING_LIMIT || type == FHIR_TYPE_BASE64BINARY || type == FHIR_TYPE_XHTML) {
        return false;
    }
    size_t characters = 0;
    for (size_t i = 0; i < text.length; i++) {
        characters += ((uint8_t)text.at[i] & 0xC0) != 0x80;
    }
    return characters > STRING_LIMIT;
}

static void check_text(struct checker *checker, const struct frame *frame, enum fhir_type type,
                       yyjson_val *value)
{
    struct slice text = slice_of(yyjson_get_str(value), yyjson_get_len(value));
    if (text.length == 0) {
        report(checker, frame, value, RULE_EMPTY,
               "An empty string says nothing: leave the element out.");
        return;
    }
    if (is_too_long(type, text)) {
        report(checker, frame, value, RULE_LENGTH,
               "A string has at most 1,048,576 characters: use an Attachment.");
        return;
    }
    if (xml_has_noncharacter(text)) { /* every text can be asked for as XML */
        report(checker, frame, value, RULE_FORMAT,
               "Remove U+FFFE and U+FFFF: they are no characters, and XML cannot say them.");
        return;
    }
    const char *fault;
    if (type == FHIR_TYPE_XHTML) {
        size_t offset;
        fault = narrative_fault(text, &offset);
        if (fault != NULL) {
            report(checker, frame, value, RULE_NARRATIVE,
                   say(checker, "%s (at byte %zu of the narrative)", fault, offset));
        }
        return;
    }
    if (type == FHIR_TYPE_MARKDOWN && checker->options->refuse_html && markdown_has_html(text)) {
        report(checker, frame, value, RULE_MARKDOWN,
               "HTML may not stand in this text: write it in markdown, or escape '<' as \\<.");
    }
    fault = text_fault(type, text);
    if (fault != NULL) {
        report(checker, frame, value, RULE_FORMAT, fault);
    }
}

void check_primitive(struct checker *checker, const struct frame *frame, enum fhir_type type,
                     yyjson_val *value)
{
    switch (type) {
    case FHIR_TYPE_BOOLEAN:
        if (!yyjson_is_bool(value)) {
            report(checker, frame, value, RULE_TYPE,
                   xml_is_likely(checker->json->text)
                       ? "The value here is true or false, in small letters."
                       : "Write true or false here, without quotes.");
        }
        return;
    case FHIR_TYPE_INTEGER:
    case FHIR_TYPE_UNSIGNEDINT:
    case FHIR_TYPE_POSITIVEINT:
    case FHIR_TYPE_DECIMAL:
        check_number(checker, frame, type, value);
        return;
    default:
        if (!yyjson_is_str(value)) {
            report(checker, frame, value, RULE_TYPE,
                   "Write this element as a JSON string, in double quotes.");
            return;
        }
        check_text(checker, frame, type, value);
    }
}
