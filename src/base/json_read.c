/* SPDX-License-Identifier: MIT */
#include "json_int.h"

const struct json_limits json_limits_default = {
    .bytes = (size_t)64 << 20, .depth = 64, .values = 4000000};

struct json_place {
    size_t offset; /* of the text: everything before it has been counted */
    size_t line_start;
    uint32_t line;
};

static void *give(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void *give_more(void *context, void *at, size_t old_size, size_t size)
{
    return arena_resize(context, at, old_size, size);
}

static void take_back(void *context, void *at)
{
    (void)context;
    (void)at;
}

const yyjson_alc *json_allocator(struct arena *arena)
{
    yyjson_alc *allocator = ARENA_NEW(arena, yyjson_alc);
    if (allocator != NULL) {
        *allocator = (yyjson_alc){give, give_more, take_back, arena};
    }
    return allocator;
}

/* What yyjson asks for last is the pool of values, which it sizes by a guess; remembering the
 * block lets the unused end go back to the arena. */
struct reader {
    struct arena *arena;
    char *last;
    size_t last_size;
};

static void *reader_give(void *context, size_t size)
{
    struct reader *reader = context;
    reader->last = arena_alloc(reader->arena, size);
    reader->last_size = size;
    return reader->last;
}

static void *reader_give_more(void *context, void *at, size_t old_size, size_t size)
{
    struct reader *reader = context;
    void *block = arena_resize(reader->arena, at, old_size, size);
    if (block != NULL) {
        reader->last = block;
        reader->last_size = size;
    }
    return block;
}

static void return_unused(struct reader *reader, const yyjson_doc *doc)
{
    const char *end = (const char *)(doc->root + doc->val_read);
    if (reader->last == (const char *)doc && end > reader->last &&
        (size_t)(end - reader->last) < reader->last_size) {
        (void)arena_resize(reader->arena, reader->last, reader->last_size,
                           (size_t)(end - reader->last));
    }
}

static void move_place(struct json_place *place, struct slice text, size_t offset)
{
    if (offset < place->offset) {
        *place = (struct json_place){.line = 1};
    }
    while (place->offset < offset) {
        const char *from = text.at + place->offset;
        const char *end = memchr(from, '\n', offset - place->offset);
        if (end == NULL) {
            place->offset = offset;
            return;
        }
        place->line++;
        place->offset = (size_t)(end - text.at) + 1;
        place->line_start = place->offset;
    }
}

static uint32_t column_of(const struct json_place *place)
{
    size_t column = place->offset - place->line_start + 1;
    return column < UINT32_MAX ? (uint32_t)column : UINT32_MAX;
}

static enum status fail_at(struct outcome *outcome, enum status status, struct slice text,
                           size_t offset, const char *message)
{
    if (outcome != NULL) {
        struct json_place place = {.line = 1};
        move_place(&place, text, offset < text.length ? offset : text.length);
        struct issue issue = {.severity = SEVERITY_ERROR,
                              .code = status_issue(status),
                              .text = slice_text(message),
                              .line = place.line,
                              .column = column_of(&place)};
        outcome_add(outcome, &issue);
    }
    return status;
}

static const char *explain(yyjson_read_code code)
{
    switch (code) {
    case YYJSON_READ_ERROR_INVALID_PARAMETER:
    case YYJSON_READ_ERROR_EMPTY_CONTENT:
        return "There is no JSON here: send one JSON value.";
    case YYJSON_READ_ERROR_UNEXPECTED_CONTENT:
        return "Something follows the end of the JSON value: send exactly one value.";
    case YYJSON_READ_ERROR_UNEXPECTED_END:
        return "The JSON ends too early: close every string, array and object.";
    case YYJSON_READ_ERROR_INVALID_COMMENT:
        return "JSON has no comments: remove it.";
    case YYJSON_READ_ERROR_INVALID_NUMBER:
        return "Not a JSON number: no leading zeros or plus sign, digits on both sides of the "
               "point.";
    case YYJSON_READ_ERROR_INVALID_STRING:
        return "Not a JSON string: it must be UTF-8 in double quotes, with control characters, "
               "quotes and backslashes escaped.";
    case YYJSON_READ_ERROR_LITERAL:
        return "Not a JSON value: write true, false or null in small letters and strings in "
               "double quotes.";
    default:
        return "Not well-formed JSON: a value, comma, colon or bracket is missing or misplaced.";
    }
}

/* Containers hold their byte length, so nesting needs only their ends. Gives the first value that
 * is too deep, or NULL. */
static const yyjson_val *too_deep(const yyjson_doc *doc, uint32_t depth)
{
    const yyjson_val *ends[JSON_DEPTH_MOST];
    uint32_t open = 0;
    const yyjson_val *end = doc->root + doc->val_read;
    for (const yyjson_val *value = doc->root; value < end; value++) {
        /* Arrays are 110 and objects 111 in the low three bits of the tag. */
        if ((value->tag & 6) == 6) {
            while (open > 0 && value >= ends[open - 1]) {
                open--;
            }
            if (open >= depth) {
                return value;
            }
            ends[open++] = (const yyjson_val *)(const void *)((const char *)value + value->uni.ofs);
        }
    }
    return NULL;
}

static enum status over(struct outcome *outcome, enum status status, const char *what,
                        unsigned long long limit)
{
    return outcome_fail(outcome, status, "", "%s The limit is %llu: send it in smaller parts.",
                        what, limit);
}

static enum status check_read(const struct json *json, const struct json_limits *limits,
                              struct outcome *outcome)
{
    if (json->doc->val_read > limits->values) {
        return over(outcome, STATUS_TOO_COSTLY, "The JSON holds too many values.", limits->values);
    }
    uint32_t depth = limits->depth < JSON_DEPTH_MOST ? limits->depth : JSON_DEPTH_MOST;
    const yyjson_val *deep = too_deep(json->doc, depth);
    if (deep == NULL) {
        return STATUS_OK;
    }
    if (outcome == NULL) {
        return STATUS_STRUCTURE;
    }
    uint32_t line = 0, column = 0;
    json_position(json, deep, &line, &column);
    struct issue issue = {.severity = SEVERITY_ERROR,
                          .code = status_issue(STATUS_STRUCTURE),
                          .text = SLICE("Arrays and objects are nested too deeply here: flatten "
                                        "the content."),
                          .line = line,
                          .column = column};
    outcome_add(outcome, &issue);
    return STATUS_STRUCTURE;
}

enum status json_read(struct slice text, const struct json_limits *limits, struct arena *arena,
                      struct outcome *outcome, struct json *ret_json)
{
    *ret_json = (struct json){.text = text};
    if (text.length > limits->bytes) {
        return over(outcome, STATUS_TOO_LONG, "The JSON has too many bytes.", limits->bytes);
    }
    if (slice_starts(text, SLICE("\xEF\xBB\xBF"))) {
        text = slice_from(text, 3);
        ret_json->text = text;
    }
    if (text.length == 0) {
        return fail_at(outcome, STATUS_STRUCTURE, text, 0,
                       explain(YYJSON_READ_ERROR_EMPTY_CONTENT));
    }
    struct json_place *place = ARENA_NEW(arena, struct json_place);
    struct reader *reader = ARENA_NEW(arena, struct reader);
    if (place == NULL || reader == NULL) {
        return over(outcome, STATUS_TOO_COSTLY, "The JSON needs too much memory.",
                    arena_limit(arena));
    }
    place->line = 1;
    reader->arena = arena;
    yyjson_alc allocator = {reader_give, reader_give_more, take_back, reader};
    yyjson_read_err error = {0};
    /* yyjson writes to its input only when asked to work in place, which we do not. */
    char *input = (char *)(uintptr_t)text.at;
    yyjson_read_flag flags =
        YYJSON_READ_NUMBER_AS_RAW | (limits->comments ? YYJSON_READ_ALLOW_COMMENTS : 0);
    yyjson_doc *doc = yyjson_read_opts(input, text.length, flags, &allocator, &error);
    if (doc == NULL && (arena_full(arena) || error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)) {
        arena_fail(arena);
        return over(outcome, STATUS_TOO_COSTLY, "The JSON needs too much memory.",
                    arena_limit(arena));
    }
    if (doc == NULL) {
        return fail_at(outcome, STATUS_STRUCTURE, text, error.pos, explain(error.code));
    }
    return_unused(reader, doc);
    *ret_json = (struct json){
        .doc = doc, .root = doc->root, .text = text, .pool = doc->str_pool, .place = place};
    enum status status = check_read(ret_json, limits, outcome);
    if (status != STATUS_OK) {
        *ret_json = (struct json){.text = text}; /* nobody must use what is over a limit */
    }
    return status;
}

/* Where the value's first byte is; text.length when unknown. */
static size_t offset_of(const struct json *json, const yyjson_val *value)
{
    uint8_t type = tag_type(value->tag);
    if (type == YYJSON_TYPE_STR) {
        return (size_t)(value->uni.str - json->pool) - 1; /* the quote before it */
    }
    return type == YYJSON_TYPE_RAW ? (size_t)(value->uni.str - json->pool) : json->text.length;
}

void json_position(const struct json *json, const yyjson_val *value, uint32_t *ret_line,
                   uint32_t *ret_column)
{
    *ret_line = 0;
    *ret_column = 0;
    if (json->doc == NULL || json->pool == NULL || value < json->root ||
        value >= json->root + json->doc->val_read) {
        return;
    }
    size_t offset = offset_of(json, value);
    while (offset >= json->text.length && value > json->root) {
        value--;
        offset = offset_of(json, value);
    }
    if (offset >= json->text.length) {
        offset = 0;
        while (offset < json->text.length && strchr(" \t\r\n", json->text.at[offset]) != NULL) {
            offset++;
        }
    }
    json_offset_position(json, offset, ret_line, ret_column);
}

void json_offset_position(const struct json *json, size_t offset, uint32_t *ret_line,
                          uint32_t *ret_column)
{
    move_place(json->place, json->text, offset < json->text.length ? offset : json->text.length);
    *ret_line = json->place->line;
    *ret_column = column_of(json->place);
}

bool json_begin(struct slice text, struct arena *arena, struct json *ret_json)
{
    *ret_json = (struct json){.text = text,
                              .pool = arena_alloc(arena, text.length + 1),
                              .place = ARENA_NEW(arena, struct json_place)};
    if (ret_json->pool == NULL || ret_json->place == NULL) {
        return false;
    }
    ret_json->place->line = 1;
    return true;
}

struct slice json_string(const yyjson_val *value)
{
    if (value == NULL || tag_type(value->tag) != YYJSON_TYPE_STR) {
        return (struct slice){NULL, 0};
    }
    return slice_of(value->uni.str, tag_length(value->tag));
}

struct slice json_number(const yyjson_val *value)
{
    if (value == NULL || tag_type(value->tag) != YYJSON_TYPE_RAW) {
        return (struct slice){NULL, 0};
    }
    return slice_of(value->uni.str, tag_length(value->tag));
}

yyjson_val *json_get(const yyjson_val *object, const char *name)
{
    return yyjson_obj_getn((yyjson_val *)(uintptr_t)object, name, strlen(name));
}

struct slice json_get_string(const yyjson_val *object, const char *name)
{
    return json_string(json_get(object, name));
}

uint64_t json_get_unsigned(const yyjson_val *object, const char *name)
{
    uint64_t number = 0;
    (void)slice_to_unsigned(json_number(json_get(object, name)), INT64_MAX, &number);
    return number;
}

yyjson_mut_doc *json_mutable(struct arena *arena, const yyjson_val *value)
{
    const yyjson_alc *allocator = json_allocator(arena);
    yyjson_mut_doc *doc = allocator != NULL ? yyjson_mut_doc_new(allocator) : NULL;
    yyjson_mut_val *root =
        doc != NULL ? yyjson_val_mut_copy(doc, (yyjson_val *)(uintptr_t)value) : NULL;
    if (root == NULL) {
        arena_fail(arena);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, root);
    return doc;
}
