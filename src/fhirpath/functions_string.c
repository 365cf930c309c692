/* SPDX-License-Identifier: MIT */
/* Strings (FHIRPath N1, section 5.6, and the additions of FHIRPath 2). Positions and lengths count
 * characters, not bytes. */
#include "fhirpath/fhirpath_int.h"
#include "fhirpath/regex_int.h"

#define EMPTY_TEXT ((struct slice){"", 0})

/* ---- characters -------------------------------------------------------------------------------
 */

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

static size_t character_count(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += starts_character(text.at[i]) ? 1 : 0;
    }
    return count;
}

/* The byte at which character NUMBER begins; text.length when there are fewer. */
static size_t character_at(struct slice text, size_t number)
{
    for (size_t i = 0; i < text.length; i++) {
        if (starts_character(text.at[i]) && number-- == 0) {
            return i;
        }
    }
    return text.length;
}

/* Where PART is in TEXT from the left, or from the right: text.length + 1 when nowhere. */
static size_t find_text(struct slice text, struct slice part, bool last)
{
    if (part.length > text.length) {
        return text.length + 1;
    }
    if (!last && part.length > 0) {
        const char *found = memmem(text.at, text.length, part.at, part.length);
        return found != NULL ? (size_t)(found - text.at) : text.length + 1;
    }
    size_t range = text.length - part.length;
    for (size_t i = 0; i <= range; i++) {
        size_t at = last ? range - i : i;
        if (part.length == 0 || memcmp(text.at + at, part.at, part.length) == 0) {
            return at;
        }
    }
    return text.length + 1;
}

/* ---- 5.6 --------------------------------------------------------------------------------------
 */

/* The input and the argument of the many functions that ask two strings; *RET_HAS: both are there.
 */
static enum status two_strings(struct call *call, struct slice *ret_text, struct slice *ret_other,
                               bool *ret_has)
{
    bool has_text, has_other;
    TRY(call_text(call, ret_text, &has_text));
    TRY(call_string(call, 0, ret_other, &has_other));
    *ret_has = has_text && has_other;
    return STATUS_OK;
}

static enum status index_of(struct call *call, bool last, struct values *out)
{
    struct slice text, part;
    bool has;
    TRY(two_strings(call, &text, &part, &has));
    if (!has) {
        return STATUS_OK;
    }
    size_t at = find_text(text, part, last);
    values_add_integer(call->evaluation, out,
                       at > text.length ? -1 : (int64_t)character_count(slice_head(text, at)));
    return STATUS_OK;
}

enum status function_index_of(struct call *call, struct values *out)
{
    return index_of(call, false, out);
}

enum status function_last_index_of(struct call *call, struct values *out)
{
    return index_of(call, true, out);
}

enum status function_substring(struct call *call, struct values *out)
{
    struct slice text;
    int64_t start, length;
    bool has, has_start, has_length;
    TRY(call_text(call, &text, &has));
    TRY(call_integer(call, 0, &start, &has_start));
    TRY(call_integer(call, 1, &length, &has_length));
    if (!has || !has_start || start < 0 || (uint64_t)start >= character_count(text)) {
        return STATUS_OK;
    }
    struct slice rest = slice_from(text, character_at(text, (size_t)start));
    if (has_length) {
        rest = slice_head(rest, length > 0 ? character_at(rest, (size_t)length) : 0);
    }
    values_add_string(call->evaluation, out, rest);
    return STATUS_OK;
}

enum status function_starts_with(struct call *call, enum truth *ret_truth)
{
    struct slice text, part;
    bool has;
    TRY(two_strings(call, &text, &part, &has));
    *ret_truth = has ? truth(slice_starts(text, part)) : TRUTH_EMPTY;
    return STATUS_OK;
}

enum status function_ends_with(struct call *call, enum truth *ret_truth)
{
    struct slice text, part;
    bool has;
    TRY(two_strings(call, &text, &part, &has));
    *ret_truth = has ? truth(slice_ends(text, part)) : TRUTH_EMPTY;
    return STATUS_OK;
}

enum status function_contains(struct call *call, enum truth *ret_truth)
{
    struct slice text, part;
    bool has;
    TRY(two_strings(call, &text, &part, &has));
    *ret_truth = has ? truth(find_text(text, part, false) <= text.length) : TRUTH_EMPTY;
    return STATUS_OK;
}

static enum status add_text(struct call *call, const struct buffer *text, struct values *out)
{
    values_add_string(call->evaluation, out, text->length > 0 ? buffer_slice(text) : EMPTY_TEXT);
    return buffer_ok(text) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status change_case(struct call *call, bool upper, struct values *out)
{
    struct slice text;
    struct buffer changed = {.arena = call->evaluation->arena};
    bool has;
    TRY(call_text(call, &text, &has));
    if (!has) {
        return STATUS_OK;
    }
    text_write_case(text, upper, &changed);
    return add_text(call, &changed, out);
}

enum status function_upper(struct call *call, struct values *out)
{
    return change_case(call, true, out);
}

enum status function_lower(struct call *call, struct values *out)
{
    return change_case(call, false, out);
}

/* An empty pattern stands between all characters (section 5.6.8). */
static void replace_empty(struct slice text, struct slice by, struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++) {
        if (starts_character(text.at[i])) {
            buffer_add(out, by);
        }
        buffer_add_byte(out, text.at[i]);
    }
    buffer_add(out, by);
}

enum status function_replace(struct call *call, struct values *out)
{
    struct slice text, pattern, by;
    struct buffer changed = {.arena = call->evaluation->arena};
    bool has, has_by;
    TRY(two_strings(call, &text, &pattern, &has));
    TRY(call_string(call, 1, &by, &has_by));
    if (!has || !has_by) {
        return STATUS_OK;
    }
    if (pattern.length == 0) {
        replace_empty(text, by, &changed);
        return add_text(call, &changed, out);
    }
    for (;;) {
        size_t at = find_text(text, pattern, false);
        if (at > text.length) {
            break;
        }
        buffer_add(&changed, slice_head(text, at));
        buffer_add(&changed, by);
        text = slice_from(text, at + pattern.length);
    }
    buffer_add(&changed, text);
    return add_text(call, &changed, out);
}

/* ---- regular expressions ----------------------------------------------------------------------
 */

/* The pattern of argument 0: compiled with the expression where it is a literal. */
static enum status pattern_of(struct call *call, struct slice pattern, bool whole,
                              const struct regex **ret_regex)
{
    *ret_regex = call->step->regex;
    if (*ret_regex != NULL) {
        return STATUS_OK;
    }
    if (regex_compile(pattern, whole, call->evaluation->arena, ret_regex) != STATUS_OK) {
        return call_fail(call, STATUS_INVALID, "The pattern is not a regular expression.");
    }
    return STATUS_OK;
}

static enum status match(struct call *call, bool whole, enum truth *ret_truth)
{
    struct slice text, pattern;
    const struct regex *regex;
    bool has, matches;
    *ret_truth = TRUTH_EMPTY;
    TRY(two_strings(call, &text, &pattern, &has));
    if (!has) {
        return STATUS_OK;
    }
    TRY(pattern_of(call, pattern, whole, &regex));
    if (regex_match(regex, text, call->evaluation->arena, &matches) != STATUS_OK) {
        return call_fail(call, STATUS_TOO_COSTLY, "The pattern takes too long on this text.");
    }
    *ret_truth = truth(matches);
    return STATUS_OK;
}

enum status function_matches(struct call *call, enum truth *ret_truth)
{
    return match(call, false, ret_truth);
}

enum status function_matches_full(struct call *call, enum truth *ret_truth)
{
    return match(call, true, ret_truth);
}

enum status function_replace_matches(struct call *call, struct values *out)
{
    struct slice text, pattern, by;
    struct buffer changed = {.arena = call->evaluation->arena};
    const struct regex *regex;
    bool has, has_by;
    TRY(two_strings(call, &text, &pattern, &has));
    TRY(call_string(call, 1, &by, &has_by));
    if (!has || !has_by) {
        return STATUS_OK;
    }
    if (pattern.length == 0) {
        values_add_string(call->evaluation, out, text);
        return STATUS_OK;
    }
    TRY(pattern_of(call, pattern, false, &regex));
    enum status status = regex_replace(regex, text, by, &changed);
    if (status == STATUS_INVALID) {
        return call_fail(call, status, "The substitution names a group that is not there.");
    }
    if (status != STATUS_OK) {
        return call_fail(call, status, "The pattern takes too long on this text.");
    }
    return add_text(call, &changed, out);
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

enum status function_length(struct call *call, struct values *out)
{
    struct slice text;
    bool has;
    TRY(call_text(call, &text, &has));
    if (has) {
        values_add_integer(call->evaluation, out, (int64_t)character_count(text));
    }
    return STATUS_OK;
}

enum status function_to_chars(struct call *call, struct values *out)
{
    struct slice text;
    bool has;
    TRY(call_text(call, &text, &has));
    while (has && text.length > 0) {
        size_t end = character_at(text, 1);
        values_add_string(call->evaluation, out, slice_head(text, end));
        text = slice_from(text, end);
    }
    return STATUS_OK;
}

enum status function_trim(struct call *call, struct values *out)
{
    struct slice text;
    bool has;
    TRY(call_text(call, &text, &has));
    if (has) {
        text = slice_trim(text);
        values_add_string(call->evaluation, out, text.length > 0 ? text : EMPTY_TEXT);
    }
    return STATUS_OK;
}

enum status function_split(struct call *call, struct values *out)
{
    struct slice text, separator;
    bool has;
    TRY(two_strings(call, &text, &separator, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (separator.length == 0) {
        return function_to_chars(call, out);
    }
    for (;;) {
        size_t at = find_text(text, separator, false);
        if (at > text.length) {
            values_add_string(call->evaluation, out, text.length > 0 ? text : EMPTY_TEXT);
            return STATUS_OK;
        }
        values_add_string(call->evaluation, out, at > 0 ? slice_head(text, at) : EMPTY_TEXT);
        text = slice_from(text, at + separator.length);
    }
}

enum status function_join(struct call *call, struct values *out)
{
    struct slice separator;
    struct buffer joined = {.arena = call->evaluation->arena};
    bool has, first = true;
    TRY(call_string(call, 0, &separator, &has));
    if (call->count == 0) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < call->count; i++) {
        struct fhirpath_value value;
        if (!value_system(call->evaluation, &call->input[i], &value)) {
            continue;
        }
        if (value.kind != FHIRPATH_STRING) {
            return call_fail(call, STATUS_INVALID, "The function join is asked of strings.");
        }
        if (!first) {
            buffer_add(&joined, separator);
        }
        first = false;
        buffer_add(&joined, value.string);
    }
    return add_text(call, &joined, out);
}

/* ---- encodings --------------------------------------------------------------------------------
 */

static void swap_letters(char *at, size_t length, const char *from, const char *to)
{
    for (size_t i = 0; i < length; i++) {
        at[i] = at[i] == from[0] ? to[0] : at[i] == from[1] ? to[1] : at[i];
    }
}

static enum status unknown_format(struct call *call, const char *formats)
{
    return call_fail(call, STATUS_INVALID, "The function %s knows the formats %s.",
                     call->step->function->name, formats);
}

enum status function_encode(struct call *call, struct values *out)
{
    struct slice text, format;
    struct buffer encoded = {.arena = call->evaluation->arena};
    bool has;
    TRY(two_strings(call, &text, &format, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (slice_is(format, "hex")) {
        hex_write(text, &encoded);
    } else if (slice_is(format, "base64") || slice_is(format, "urlbase64")) {
        base64_write(text, &encoded);
        if (slice_is(format, "urlbase64") && encoded.length > 0) {
            swap_letters(encoded.at, encoded.length, "+/", "-_");
        }
    } else {
        return unknown_format(call, "hex, base64 and urlbase64");
    }
    return add_text(call, &encoded, out);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool hex_parse(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i + 1 < text.length; i += 2) {
        int high = hex_digit(text.at[i]), low = hex_digit(text.at[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        buffer_add_byte(out, (char)(high << 4 | low));
    }
    return text.length % 2 == 0;
}

enum status function_decode(struct call *call, struct values *out)
{
    struct slice text, format;
    struct buffer decoded = {.arena = call->evaluation->arena};
    bool has, fine;
    TRY(two_strings(call, &text, &format, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (slice_is(format, "hex")) {
        fine = hex_parse(text, &decoded);
    } else if (slice_is(format, "base64") || slice_is(format, "urlbase64")) {
        struct slice copy = arena_copy(call->evaluation->arena, text);
        if (copy.at == NULL) {
            return STATUS_TOO_COSTLY;
        }
        if (slice_is(format, "urlbase64")) {
            swap_letters((char *)copy.at, copy.length, "-_", "+/");
        }
        fine = base64_parse(copy, false, &decoded);
    } else {
        return unknown_format(call, "hex, base64 and urlbase64");
    }
    /* What is no text has no value of type String. */
    if (!fine || !slice_is_utf8(buffer_slice(&decoded))) {
        return STATUS_OK;
    }
    return add_text(call, &decoded, out);
}

enum status function_escape(struct call *call, struct values *out)
{
    struct slice text, target;
    struct buffer escaped = {.arena = call->evaluation->arena};
    bool has;
    TRY(two_strings(call, &text, &target, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (slice_is(target, "html")) {
        buffer_add_html(&escaped, text);
    } else if (slice_is(target, "json")) {
        buffer_add_json_string(&escaped, text);
        if (buffer_ok(&escaped)) { /* without its quotes */
            escaped.at++;
            escaped.length -= 2;
        }
    } else {
        return unknown_format(call, "html and json");
    }
    return add_text(call, &escaped, out);
}

/* "lt" and "#60" and "#x3c", between & and ;. */
static bool entity_value(struct slice name, uint32_t *ret_code)
{
    static const struct {
        const char *name;
        uint32_t code;
    } named[] = {{"lt", '<'},   {"gt", '>'},    {"amp", '&'},
                 {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xA0}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (slice_is(name, named[i].name)) {
            *ret_code = named[i].code;
            return true;
        }
    }
    if (name.length < 2 || name.at[0] != '#') {
        return false;
    }
    bool hex = name.at[1] == 'x';
    uint32_t code = 0;
    struct slice digits = slice_from(name, hex ? 2 : 1);
    for (size_t i = 0; i < digits.length; i++) {
        int digit = hex_digit(digits.at[i]);
        if (digit < 0 || (!hex && digit > 9) || code > 0x10FFFF) {
            return false;
        }
        code = code * (hex ? 16 : 10) + (uint32_t)digit;
    }
    *ret_code = code;
    return digits.length > 0 && code > 0 && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

#define ENTITY_LONGEST ((size_t)16)

static void unescape_html(struct slice text, struct buffer *out)
{
    while (text.length > 0) {
        /* No entity is longer: each & looks that far only. */
        struct slice near = slice_head(text, text.at[0] == '&' ? ENTITY_LONGEST : 0);
        size_t end = slice_index(near, ';');
        uint32_t code;
        if (end < near.length && entity_value(slice_of(text.at + 1, end - 1), &code)) {
            buffer_add_utf8(out, code);
            text = slice_from(text, end + 1);
        } else {
            buffer_add_byte(out, text.at[0]);
            text = slice_from(text, 1);
        }
    }
}

/* The text as JSON has it between quotes; false when it is not. */
static bool unescape_json(struct slice text, struct arena *arena, struct slice *ret_text)
{
    struct buffer quoted = {.arena = arena};
    struct json json;
    buffer_add_byte(&quoted, '"');
    buffer_add(&quoted, text);
    buffer_add_byte(&quoted, '"');
    if (!buffer_ok(&quoted) ||
        json_read(buffer_slice(&quoted), &json_limits_default, arena, NULL, &json) != STATUS_OK) {
        return false;
    }
    *ret_text = json_string(json.root);
    return yyjson_is_str(json.root);
}

enum status function_unescape(struct call *call, struct values *out)
{
    struct slice text, target;
    struct buffer plain = {.arena = call->evaluation->arena};
    bool has;
    TRY(two_strings(call, &text, &target, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (slice_is(target, "html")) {
        unescape_html(text, &plain);
        return add_text(call, &plain, out);
    }
    if (!slice_is(target, "json")) {
        return unknown_format(call, "html and json");
    }
    if (unescape_json(text, call->evaluation->arena, &text)) {
        values_add_string(call->evaluation, out, text);
    }
    return STATUS_OK;
}
