/* SPDX-License-Identifier: MIT */
/* A buffer is bytes being written, growing inside an arena. Writes after the arena is full are
 * ignored; buffer_ok says whether the content is whole. Zero-initialised plus an arena is valid:
 * struct buffer out = {.arena = arena}. The content is never NUL-terminated. */
#ifndef CARELAYER_BASE_BUFFER_H
#define CARELAYER_BASE_BUFFER_H

#include <stdarg.h>

#include "arena.h"
#include "slice.h"

struct buffer {
    struct arena *arena;
    char *at;
    size_t length;
    size_t capacity;
    bool broken; /* a write did not fit */
};

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->at, buffer->length};
}

static inline bool buffer_ok(const struct buffer *buffer)
{
    return !buffer->broken;
}

/* Makes room for MORE further bytes when there is none: false once broken. The slow half of the
 * functions below. */
bool buffer_grow(struct buffer *buffer, size_t more);

/* Room for MORE further bytes: a pointer to it, or NULL when broken. Advance length yourself. */
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
    /* Also true for no bytes at all: the first call must make a pointer. */
    bool lacking = more - 1 >= buffer->capacity - buffer->length;
    if (__builtin_expect(lacking || buffer->broken, 0) && !buffer_grow(buffer, more)) {
        return NULL;
    }
    return buffer->at + buffer->length;
}

static inline void buffer_add_byte(struct buffer *buffer, char byte)
{
    char *at = buffer_reserve(buffer, 1);
    if (at != NULL) {
        *at = byte;
        buffer->length++;
    }
}

static inline void buffer_add(struct buffer *buffer, struct slice bytes)
{
    char *at = bytes.length > 0 ? buffer_reserve(buffer, bytes.length) : NULL;
    if (at != NULL) {
        memcpy(at, bytes.at, bytes.length);
        buffer->length += bytes.length;
    }
}

/* A code point as UTF-8 (see utf8_write). */
static inline void buffer_add_utf8(struct buffer *buffer, uint32_t code)
{
    char *at = buffer_reserve(buffer, 4);
    buffer->length += at != NULL ? utf8_write(at, code) : 0;
}

static inline void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, slice_text(text));
}

void buffer_add_unsigned(struct buffer *buffer, uint64_t value);
void buffer_add_signed(struct buffer *buffer, int64_t value);
void buffer_print(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_print_list(struct buffer *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* The text as a JSON string with its quotes: escapes quote, backslash and C0 controls; other
 * bytes go through as they are (well-formed UTF-8 in, well-formed out). */
void buffer_add_json_string(struct buffer *buffer, struct slice text);

/* The text with the five characters that matter to XML and HTML escaped. */
void buffer_add_html(struct buffer *buffer, struct slice text);

/* Percent-encodes everything but RFC 3986 unreserved characters (and '/' when KEEP_SLASH). */
void buffer_add_url(struct buffer *buffer, struct slice text, bool keep_slash);

#endif
