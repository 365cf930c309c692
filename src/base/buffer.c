/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define CAPACITY_FIRST 256

bool buffer_grow(struct buffer *buffer, size_t more)
{
    if (buffer->broken) {
        return false;
    }
    size_t need = 0;
    if (buffer->arena == NULL || __builtin_add_overflow(buffer->length, more, &need)) {
        buffer->broken = true;
        return false;
    }
    if (need <= buffer->capacity && buffer->at != NULL) {
        return true;
    }
    size_t wanted = buffer->capacity < SIZE_MAX / 2 ? buffer->capacity * 2 : need;
    wanted = wanted < CAPACITY_FIRST ? CAPACITY_FIRST : wanted;
    wanted = wanted < need ? need : wanted;
    /* Near the arena's limit doubling would fail where less still fits: a part of what is left, so
     * that the last bytes do not come one by one, each with a copy of all before. */
    size_t limit = arena_limit(buffer->arena);
    size_t room = limit != 0 ? limit - arena_used(buffer->arena) : SIZE_MAX;
    if (wanted > room) {
        /* What does not fit as a copy may still grow where it is. */
        size_t most = need <= room ? room : room + buffer->capacity;
        wanted = need <= most ? need + (most - need) / 4 : need;
    }
    char *at = arena_resize(buffer->arena, buffer->at, buffer->capacity, wanted);
    if (at == NULL) {
        buffer->broken = true;
        return false;
    }
    buffer->at = at;
    buffer->capacity = wanted;
    return true;
}

void buffer_add_unsigned(struct buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buffer_add(buffer, slice_of(digits + at, sizeof digits - at));
}

void buffer_add_signed(struct buffer *buffer, int64_t value)
{
    if (value < 0) {
        buffer_add_byte(buffer, '-');
    }
    buffer_add_unsigned(buffer, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void buffer_print_list(struct buffer *buffer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    char small[256];
    int length = vsnprintf(small, sizeof small, format, arguments);
    assert(length >= 0);
    if ((size_t)length < sizeof small) {
        buffer_add(buffer, slice_of(small, (size_t)length));
    } else {
        char *at = buffer_reserve(buffer, (size_t)length + 1);
        if (at != NULL) {
            (void)vsnprintf(at, (size_t)length + 1, format, again);
            buffer->length += (size_t)length;
        }
    }
    va_end(again);
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buffer_print_list(buffer, format, arguments);
    va_end(arguments);
}

/* Non-zero where a byte of WORD is below 0x20, a quote or a backslash (may also mark a byte after
 * a true one: only the lowest mark counts). */
static inline uint64_t json_special(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t control = (word - ones * 0x20) & ~word;
    return (control | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs;
}

/* How many bytes from AT need no escape. */
static size_t json_plain(const char *at, size_t length)
{
    size_t i = 0;
    while (length - i >= 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, 8);
        uint64_t marks = json_special(word);
        if (marks != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return i + (size_t)__builtin_ctzll(marks) / 8;
#else
            break;
#endif
        }
        i += 8;
    }
    while (i < length && (unsigned char)at[i] >= 0x20 && at[i] != '"' && at[i] != '\\') {
        i++;
    }
    return i;
}

static void add_json_escape(struct buffer *buffer, char byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *found = byte != '\0' ? strchr(from, byte) : NULL;
    if (found != NULL) {
        char pair[2] = {'\\', to[found - from]};
        buffer_add(buffer, slice_of(pair, 2));
    } else {
        char six[6] = {'\\', 'u', '0', '0', hex[(byte >> 4) & 15], hex[byte & 15]};
        buffer_add(buffer, slice_of(six, 6));
    }
}

void buffer_add_json_string(struct buffer *buffer, struct slice text)
{
    if (text.length > SIZE_MAX - 2 || buffer_reserve(buffer, text.length + 2) == NULL) {
        buffer->broken = true;
        return;
    }
    buffer_add_byte(buffer, '"');
    while (text.length > 0) {
        size_t plain = json_plain(text.at, text.length);
        buffer_add(buffer, slice_head(text, plain));
        if (plain == text.length) {
            break;
        }
        add_json_escape(buffer, text.at[plain]);
        text = slice_from(text, plain + 1);
    }
    buffer_add_byte(buffer, '"');
}

static const char *html_escape(char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void buffer_add_html(struct buffer *buffer, struct slice text)
{
    size_t start = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char *escape = html_escape(text.at[i]);
        if (escape != NULL) {
            buffer_add(buffer, slice_of(text.at + start, i - start));
            buffer_add_text(buffer, escape);
            start = i + 1;
        }
    }
    buffer_add(buffer, slice_from(text, start));
}

void buffer_add_url(struct buffer *buffer, struct slice text, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        bool plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
                     byte == '~' || (byte == '/' && keep_slash);
        if (plain) {
            buffer_add_byte(buffer, byte);
        } else {
            char three[3] = {'%', hex[((unsigned char)byte >> 4) & 15], hex[byte & 15]};
            buffer_add(buffer, slice_of(three, 3));
        }
    }
}
