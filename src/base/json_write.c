/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "json_int.h"

/* An open array or object. */
struct frame {
    size_t left; /* values still to come; in objects keys count as well */
    bool object;
    struct slice name; /* of the member that it is */
};

static inline void add_newline(struct buffer *out, size_t depth)
{
    char *at = buffer_reserve(out, 1 + 2 * depth);
    if (at != NULL) {
        at[0] = '\n';
        memset(at + 1, ' ', 2 * depth);
        out->length += 1 + 2 * depth;
    }
}

static inline void add_string(struct buffer *out, const yyjson_val *value)
{
    struct slice text = {value->uni.str, tag_length(value->tag)};
    if (tag_subtype(value->tag) != YYJSON_SUBTYPE_NOESC) {
        buffer_add_json_string(out, text);
        return;
    }
    /* The reader met no escape in it, and control characters are not JSON: it can go as it is. */
    char *at = buffer_reserve(out, text.length + 2);
    if (at != NULL) {
        at[0] = '"';
        memcpy(at + 1, text.at, text.length);
        at[text.length + 1] = '"';
        out->length += text.length + 2;
    }
}

/* Numbers that a program put into a document; those that were read are raw text. */
static void add_computed(struct buffer *out, uint64_t tag, const void *number)
{
    switch (tag_subtype(tag)) {
    case YYJSON_SUBTYPE_UINT: {
        uint64_t value = 0;
        memcpy(&value, number, sizeof value);
        buffer_add_unsigned(out, value);
        break;
    }
    case YYJSON_SUBTYPE_SINT: {
        int64_t value = 0;
        memcpy(&value, number, sizeof value);
        buffer_add_signed(out, value);
        break;
    }
    default: {
        double value = 0;
        memcpy(&value, number, sizeof value);
        assert(value - value == 0); /* JSON has neither infinity nor NaN */
        buffer_print(out, "%.17g", value);
        break;
    }
    }
}

static inline void add_scalar(struct buffer *out, const yyjson_val *value, struct slice name,
                              json_rewrite *rewrite, void *context)
{
    struct slice text = {NULL, 0};
    switch (tag_type(value->tag)) {
    case YYJSON_TYPE_STR:
        if (rewrite != NULL && rewrite(context, name, json_string(value), &text)) {
            buffer_add_json_string(out, text);
        } else {
            add_string(out, value);
        }
        break;
    case YYJSON_TYPE_RAW:
        buffer_add(out, slice_of(value->uni.str, tag_length(value->tag)));
        break;
    case YYJSON_TYPE_BOOL:
        buffer_add(out,
                   tag_subtype(value->tag) == YYJSON_SUBTYPE_TRUE ? SLICE("true") : SLICE("false"));
        break;
    case YYJSON_TYPE_NUM:
        add_computed(out, value->tag, &value->uni);
        break;
    default:
        buffer_add(out, SLICE("null"));
        break;
    }
}

/* Closes what is complete after a value; false when that was the last. */
static inline bool close_frames(struct buffer *out, const struct frame *frames, size_t *depth,
                                struct frame *top, bool pretty)
{
    while (*depth > 0) {
        top->left--;
        if (top->left > 0) {
            buffer_add_byte(out, ',');
            if (pretty) {
                add_newline(out, *depth);
            }
            return true;
        }
        (*depth)--;
        if (pretty) {
            add_newline(out, *depth);
        }
        buffer_add_byte(out, top->object ? '}' : ']');
        *top = frames[*depth];
    }
    return false;
}

/* The values of a document lie in memory in the order of the text, so writing is one pass without
 * recursion. Inlined into each caller, so that the plain writer has none of the other's tests. */
static inline __attribute__((always_inline)) void write_values(const yyjson_val *value,
                                                               json_rewrite *rewrite, void *context,
                                                               bool pretty, struct buffer *out)
{
    struct frame frames[JSON_DEPTH_MOST + 1];
    struct frame top = {0};
    size_t depth = 0;
    struct slice name = {NULL, 0};
    for (;; value++) {
        if (top.object && (top.left & 1) == 0) {
            add_string(out, value);
            buffer_add(out, pretty ? SLICE(": ") : SLICE(":"));
            if (rewrite != NULL) {
                name = json_string(value);
            }
            top.left--;
            continue;
        }
        uint8_t type = tag_type(value->tag);
        if (type != YYJSON_TYPE_ARR && type != YYJSON_TYPE_OBJ) {
            add_scalar(out, value, top.object || depth == 0 ? name : top.name, rewrite, context);
        } else {
            bool object = type == YYJSON_TYPE_OBJ;
            size_t count = tag_length(value->tag);
            if (count > 0) {
                assert(depth < JSON_DEPTH_MOST);
                buffer_add_byte(out, object ? '{' : '[');
                struct slice inner = depth > 0 && !top.object ? top.name : name;
                frames[depth++] = top;
                top = (struct frame){.left = object ? 2 * count : count, .object = object};
                top.name = inner;
                if (pretty) {
                    add_newline(out, depth);
                }
                continue;
            }
            buffer_add(out, object ? SLICE("{}") : SLICE("[]"));
        }
        if (!close_frames(out, frames, &depth, &top, pretty)) {
            return;
        }
    }
}

void json_write(const yyjson_val *value, json_rewrite *rewrite, void *context, struct buffer *out)
{
    if (rewrite == NULL) {
        write_values(value, NULL, NULL, false, out);
    } else {
        write_values(value, rewrite, context, false, out);
    }
}

void json_write_pretty(const yyjson_val *value, struct buffer *out)
{
    write_values(value, NULL, NULL, true, out);
}

static void write_mutable(const yyjson_mut_val *value, struct buffer *out, size_t depth)
{
    uint8_t type = tag_type(value->tag);
    if (type != YYJSON_TYPE_ARR && type != YYJSON_TYPE_OBJ) {
        if (type == YYJSON_TYPE_STR) {
            buffer_add_json_string(out, slice_of(value->uni.str, tag_length(value->tag)));
        } else if (type == YYJSON_TYPE_NUM) {
            add_computed(out, value->tag, &value->uni);
        } else {
            yyjson_val same = {.tag = value->tag};
            same.uni.str = value->uni.str;
            add_scalar(out, &same, (struct slice){NULL, 0}, NULL, NULL);
        }
        return;
    }
    bool object = type == YYJSON_TYPE_OBJ;
    size_t count = tag_length(value->tag);
    if (depth >= JSON_DEPTH_MOST) {
        out->broken = true; /* deeper than json_read would take back */
        return;
    }
    buffer_add_byte(out, object ? '{' : '[');
    /* A container points to its last member (in objects the last key); they form a ring. */
    const yyjson_mut_val *member = value->uni.ptr;
    for (size_t i = 0; i < count; i++) {
        member = object ? member->next->next : member->next;
        if (i > 0) {
            buffer_add_byte(out, ',');
        }
        if (object) {
            write_mutable(member, out, depth + 1);
            buffer_add_byte(out, ':');
        }
        write_mutable(object ? member->next : member, out, depth + 1);
    }
    buffer_add_byte(out, object ? '}' : ']');
}

void json_write_mutable(const yyjson_mut_val *value, struct buffer *out)
{
    write_mutable(value, out, 0);
}
