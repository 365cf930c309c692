/* SPDX-License-Identifier: MIT */
/* JSON that breaks the grammar of RFC 8259, read as it was meant: values are made where they stand,
 * as yyjson makes them, and each fault is kept with the value it belongs to, so that its path can
 * be told once the whole is there. */
#include "fhir/json_broken_int.h"

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct slice rest_of(const struct mender *mender)
{
    return slice_from(mender->text, mender->at);
}

/* The next byte; '\0' at the end. */
static char peek(const struct mender *mender)
{
    return mender->at < mender->text.length ? mender->text.at[mender->at] : '\0';
}

static bool at_end(const struct mender *mender)
{
    return mender->stopped || mender->at >= mender->text.length;
}

/* Nothing more is read: what follows could only be guessed at. */
static void give_up(struct mender *mender)
{
    mender->stopped = true;
    mender->whole = false;
}

void mender_fault(struct mender *mender, uint32_t value, size_t offset, const char *text)
{
    if (mender->stopped) {
        return;
    }
    if (mender->fault_count == MENDER_FAULTS_MOST) {
        give_up(mender);
        return;
    }
    mender->faults[mender->fault_count++] = (struct mender_fault){value, offset, text};
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* Faults must not cost the request its arena: what is told of them is told without the rest. */
static bool is_room(const struct mender *mender, size_t bytes)
{
    size_t limit = arena_limit(mender->arena);
    return limit == 0 || arena_used(mender->arena) + bytes < limit / 4 * 3;
}

static uint32_t add(struct mender *mender, uint64_t tag, const char *text)
{
    if (mender->count == mender->capacity) {
        size_t size = mender->capacity * sizeof *mender->values;
        size_t capacity = (size_t)mender->capacity * 2 + 64;
        yyjson_val *values =
            capacity <= mender->value_limit && is_room(mender, capacity * sizeof *values)
                ? arena_resize(mender->arena, mender->values, size, capacity * sizeof *values)
                : NULL;
        if (values == NULL) {
            give_up(mender);
            return MENDER_NO_VALUE;
        }
        mender->values = values;
        mender->capacity = (uint32_t)capacity;
    }
    mender->values[mender->count] = (yyjson_val){.tag = tag, .uni.str = text};
    return mender->count++;
}

static void add_string(struct mender *mender, const char *text, size_t length)
{
    (void)add(mender, YYJSON_TYPE_STR | (uint64_t)length << YYJSON_TAG_BIT, text);
}

static void close_container(struct mender *mender, uint32_t index, uint64_t type, uint32_t size)
{
    if (index != MENDER_NO_VALUE) {
        yyjson_val *value = &mender->values[index];
        value->tag = type | (uint64_t)size << YYJSON_TAG_BIT;
        value->uni.ofs = (mender->count - index) * sizeof *value;
    }
}

/* Forgets the values from COUNT on; their faults are the container's then. */
static void drop(struct mender *mender, uint32_t count, uint32_t container)
{
    mender->count = count < mender->count ? count : mender->count;
    for (size_t i = 0; i < mender->fault_count; i++) {
        if (mender->faults[i].value >= count) {
            mender->faults[i].value = container;
        }
    }
}

/* ---- between values ---------------------------------------------------------------------------
 */

static bool is_comment(const struct mender *mender)
{
    struct slice rest = rest_of(mender);
    return slice_starts(rest, SLICE("//")) || slice_starts(rest, SLICE("/*"));
}

static void skip(struct mender *mender, uint32_t container)
{
    while (!at_end(mender)) {
        if (is_space(peek(mender))) {
            mender->at++;
        } else if (is_comment(mender)) {
            struct slice rest = rest_of(mender);
            bool block = rest.at[1] == '*';
            const char *end = block ? memmem(rest.at + 2, rest.length - 2, "*/", 2)
                                    : memchr(rest.at, '\n', rest.length);
            if (!mender->comments) {
                mender_fault(mender, container, mender->at, "JSON has no comments: remove it.");
            }
            mender->at += end == NULL ? rest.length : (size_t)(end - rest.at) + (block ? 2 : 0);
        } else {
            return;
        }
    }
}

/* ---- strings ----------------------------------------------------------------------------------
 */

static bool hex_unit(struct slice text, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        char byte = i < text.length ? text.at[i] : '\0';
        uint32_t digit = byte >= '0' && byte <= '9'   ? (uint32_t)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (uint32_t)(byte - 'a') + 10
                         : byte >= 'A' && byte <= 'F' ? (uint32_t)(byte - 'A') + 10
                                                      : 16;
        if (digit == 16) {
            return false;
        }
        unit = unit << 4 | digit;
    }
    *ret_unit = unit;
    return true;
}

/* One escape, at the backslash; what it stands for goes to TO. False: it is none. */
static bool take_escape(struct mender *mender, char *to, size_t *length)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    struct slice rest = slice_from(rest_of(mender), 1);
    const char *name = rest.length > 0 && rest.at[0] != '\0' ? strchr(names, rest.at[0]) : NULL;
    uint32_t unit, low;
    if (name != NULL) {
        to[(*length)++] = bytes[name - names];
        mender->at += 2;
        return true;
    }
    if (rest.length > 0 && rest.at[0] == 'u' && hex_unit(slice_from(rest, 1), &unit)) {
        bool high = unit >= 0xD800 && unit < 0xDC00;
        mender->at += 6;
        if (high && slice_starts(rest_of(mender), SLICE("\\u")) &&
            hex_unit(slice_from(rest_of(mender), 2), &low) && low >= 0xDC00 && low < 0xE000) {
            mender->at += 6;
            *length += utf8_write(to + *length, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
            return true;
        }
        if (unit < 0xD800 || unit > 0xDFFF) {
            *length += utf8_write(to + *length, unit);
            return true;
        }
        to[(*length)++] = '?'; /* half a pair */
        return false;
    }
    to[(*length)++] = '\\';
    mender->at++;
    return false;
}

/* Takes a string whose quote, of either kind, is the next byte; its text stands in the pool where
 * it stands in the input. VALUE is whose faults those within it are. */
static void take_string(struct mender *mender, uint32_t value)
{
    char quote = peek(mender);
    size_t start = mender->at++, length = 0;
    char *to = mender->pool + mender->at;
    bool escapes = true, controls = false, lines = false;
    while (!at_end(mender) && peek(mender) != quote) {
        char byte = peek(mender);
        if (byte == '\\') {
            escapes = take_escape(mender, to, &length) && escapes;
            continue;
        }
        controls = controls || (unsigned char)byte < ' ';
        lines = lines || byte == '\n';
        to[length++] = byte;
        mender->at++;
    }
    bool ends = !at_end(mender);
    mender->at += ends;
    to[length] = '\0';
    if (quote != '"') {
        mender_fault(mender, value, start, "A JSON string stands in double quotes.");
    }
    if (!ends) {
        mender_fault(mender, value, start, "The string is not closed: end it with a quote.");
        give_up(mender);
    } else if (controls) {
        mender_fault(mender, value, start,
                     "A control character, such as the end of a line, is escaped in a JSON string "
                     "(\\n): escape it, or close the string before it.");
    }
    if (!escapes) {
        mender_fault(mender, value, start,
                     "A backslash in a JSON string is followed by one of \"\\/bfnrt, or by u and "
                     "four hexadecimal digits that make a character: write \\\\ for a backslash.");
    }
    if (!slice_is_utf8(slice_of(to, length))) {
        mender_fault(mender, value, start, "The string is not UTF-8: convert the file.");
        for (size_t i = 0; i < length; i++) {
            to[i] = (unsigned char)to[i] < 0x80 ? to[i] : '?';
        }
    }
    add_string(mender, to, length);
    size_t after = mender->at;
    while (after < mender->text.length && is_space(mender->text.at[after])) {
        after++;
    }
    if (lines && after < mender->text.length && strchr(",:]}/", mender->text.at[after]) == NULL) {
        give_up(mender); /* a quote was forgotten: strings and what is between have changed sides */
    }
}

/* ---- what stands without quotes ---------------------------------------------------------------
 */

/* To the end of its line, or what STOPS it; without the space behind it. */
static struct slice take_bare(struct mender *mender, const char *stops)
{
    size_t start = mender->at;
    while (!at_end(mender) && peek(mender) != '\n' &&
           (peek(mender) == '\0' || strchr(stops, peek(mender)) == NULL) && !is_comment(mender)) {
        mender->at++;
    }
    struct slice text = slice_of(mender->text.at + start, mender->at - start);
    while (text.length > 0 && is_space(text.at[text.length - 1])) {
        text.length--;
    }
    return text;
}

static char *keep(struct mender *mender, struct slice text)
{
    char *copy = mender->pool + (text.at - mender->text.at);
    bool plain = slice_is_utf8(text);
    for (size_t i = 0; i < text.length; i++) {
        copy[i] = plain || (unsigned char)text.at[i] < 0x80 ? text.at[i] : '?';
    }
    copy[text.length] = '\0';
    return copy;
}

static bool take_literal(struct mender *mender, struct slice text)
{
    static const struct {
        struct slice name;
        uint64_t tag;
    } literals[] = {{{"true", 4}, YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE},
                    {{"false", 5}, YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE},
                    {{"null", 4}, YYJSON_TYPE_NULL}};
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        if (slice_equals_ignoring_case(text, literals[i].name)) {
            if (!slice_equals(text, literals[i].name)) {
                mender_fault(mender, mender->count, (size_t)(text.at - mender->text.at),
                             "Write true, false and null in small letters.");
            }
            (void)add(mender, literals[i].tag, NULL);
            return true;
        }
    }
    return false;
}

static void take_word(struct mender *mender)
{
    size_t start = mender->at;
    struct slice text = take_bare(mender, ",{}[]\"");
    if (take_literal(mender, text)) {
        return;
    }
    if (decimal_is_json(text)) {
        (void)add(mender, YYJSON_TYPE_RAW | (uint64_t)text.length << YYJSON_TAG_BIT,
                  keep(mender, text));
        return;
    }
    bool number = strchr("+-.0123456789", text.at[0]) != NULL;
    mender_fault(mender, mender->count, start,
                 number ? "Not a JSON number: no leading zeros or plus sign, digits on both sides "
                          "of the point; anything else stands in double quotes."
                        : "A value without quotes: put it in double quotes.");
    add_string(mender, keep(mender, text), text.length);
}

/* ---- containers -------------------------------------------------------------------------------
 */

static bool take_value(struct mender *mender, uint32_t container);

struct list {
    uint32_t index; /* of the container */
    uint32_t count; /* of its members or items */
    size_t comma;   /* where the last one is, when COMMAS */
    bool commas;    /* nothing has followed it yet */
    char close;     /* its own bracket */
};

static void not_closed(struct mender *mender, const struct list *list)
{
    mender_fault(mender, list->index, mender->at,
                 list->close == '}' ? "The object is not closed: a } is missing."
                                    : "The array is not closed: a ] is missing.");
}

/* What may stand before a member or item; false: the list has ended. */
static bool next_in(struct mender *mender, struct list *list)
{
    for (;;) {
        skip(mender, list->index);
        if (at_end(mender)) {
            not_closed(mender, list);
            give_up(mender);
            return false;
        }
        char byte = peek(mender);
        if (byte == ',') {
            if (list->commas || list->count == 0) {
                mender_fault(mender, list->index, mender->at,
                             "A comma too many: one stands between two values.");
            }
            list->comma = mender->at++;
            list->commas = true;
        } else if (byte == '}' || byte == ']') {
            if (list->commas && list->count > 0) {
                mender_fault(mender, list->index, list->comma,
                             "A comma too many: none stands behind the last value.");
            }
            if (byte != list->close) {
                not_closed(mender, list); /* the bracket is that of a container around it */
            }
            mender->at += byte == list->close;
            return false;
        } else {
            if (!list->commas && list->count > 0) {
                mender_fault(mender, list->index, mender->at,
                             "A comma is missing between two values.");
            }
            list->commas = false;
            return true;
        }
    }
}

static void take_name(struct mender *mender, const struct list *list)
{
    size_t start = mender->at;
    if (peek(mender) == '"' || peek(mender) == '\'') {
        take_string(mender, list->index);
        return;
    }
    struct slice name = take_bare(mender, ":,{}[]\"");
    mender_fault(mender, list->index, start,
                 name.length > 0 ? "A name without quotes: put it in double quotes."
                                 : "A name is missing: every value of an object has one.");
    add_string(mender, keep(mender, name), name.length);
}

static void take_member(struct mender *mender, struct list *list)
{
    uint32_t before = mender->count;
    take_name(mender, list);
    skip(mender, list->index);
    bool colon = peek(mender) == ':';
    if (colon) {
        mender->at++;
    } else {
        mender_fault(mender, list->index, mender->at,
                     "A colon is missing between a name and its value.");
    }
    skip(mender, list->index);
    bool valued = !at_end(mender) && (colon || strchr(",}]", peek(mender)) == NULL) &&
                  take_value(mender, list->index);
    if (valued && mender->values[before].tag >> YYJSON_TAG_BIT > 0) {
        list->count++;
    } else {
        drop(mender, before, list->index);
    }
}

static void take_list(struct mender *mender)
{
    bool object = peek(mender) == '{';
    struct list list = {.index = add(mender, 0, NULL), .close = object ? '}' : ']'};
    mender->at++;
    if (list.index == MENDER_NO_VALUE || ++mender->depth > mender->depth_limit) {
        give_up(mender);
    }
    while (!mender->stopped && next_in(mender, &list)) {
        if (object) {
            take_member(mender, &list);
        } else {
            list.count += take_value(mender, list.index);
        }
    }
    mender->depth--;
    close_container(mender, list.index, object ? YYJSON_TYPE_OBJ : YYJSON_TYPE_ARR, list.count);
}

/* False: there is none, and a byte that belongs nowhere has been passed over. */
static bool take_value(struct mender *mender, uint32_t container)
{
    char byte = peek(mender);
    uint32_t before = mender->count;
    if (byte == '{' || byte == '[') {
        take_list(mender);
    } else if (byte == '"' || byte == '\'') {
        take_string(mender, mender->count);
    } else if (strchr(",:}]", byte) != NULL) { /* or '\0' */
        mender_fault(mender, container, mender->at,
                     byte == ':' ? "A colon stands between a name and its value only."
                                 : "A value is missing.");
        mender->at += byte == ':' || byte == '\0';
    } else {
        take_word(mender);
    }
    return mender->count > before;
}

bool mender_read(struct mender *mender)
{
    mender->whole = true;
    skip(mender, 0);
    if (peek(mender) != '{') {
        return false;
    }
    take_list(mender);
    skip(mender, 0);
    if (!at_end(mender)) {
        mender_fault(mender, 0, mender->at,
                     "Something follows the end of the JSON value: send exactly one value.");
        give_up(mender);
    }
    return mender->count > 0;
}
