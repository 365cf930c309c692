/* SPDX-License-Identifier: MIT */
#include "slice.h"

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.length >= prefix.length && slice_equals(slice_head(s, prefix.length), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.length >= suffix.length &&
           slice_equals(slice_from(s, s.length - suffix.length), suffix);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool slice_equals_ignoring_case(struct slice a, struct slice b)
{
    if (a.length != b.length) {
        return false;
    }
    for (size_t i = 0; i < a.length; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.at, b.at, shorter) : 0;
    if (order != 0) {
        return order;
    }
    return (a.length > b.length) - (a.length < b.length);
}

size_t slice_index(struct slice s, char byte)
{
    const char *found = s.length > 0 ? memchr(s.at, byte, s.length) : NULL;
    return found != NULL ? (size_t)(found - s.at) : s.length;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.length > 0 && is_space(s.at[0])) {
        s.at++;
        s.length--;
    }
    while (s.length > 0 && is_space(s.at[s.length - 1])) {
        s.length--;
    }
    return s;
}

struct slice slice_cut(struct slice *s, char separator)
{
    size_t index = slice_index(*s, separator);
    struct slice part = slice_head(*s, index);
    *s = index < s->length ? slice_from(*s, index + 1) : (struct slice){NULL, 0};
    return part;
}

bool slice_to_unsigned(struct slice s, uint64_t max, uint64_t *ret_value)
{
    if (s.length == 0 || s.length > 20 || (s.length > 1 && s.at[0] == '0')) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < s.length; i++) {
        if (s.at[i] < '0' || s.at[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value)) {
            return false;
        }
    }
    if (value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* Length of the well-formed sequence at AT, 0 when it is none (RFC 3629, section 4). */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first >= 0xC2 && first <= 0xDF) {
        return left >= 2 && (at[1] & 0xC0) == 0x80 ? 2 : 0;
    }
    if ((first & 0xF0) == 0xE0) {
        unsigned char low = first == 0xE0 ? 0xA0 : 0x80;
        unsigned char high = first == 0xED ? 0x9F : 0xBF;
        return left >= 3 && at[1] >= low && at[1] <= high && (at[2] & 0xC0) == 0x80 ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        unsigned char low = first == 0xF0 ? 0x90 : 0x80;
        unsigned char high = first == 0xF4 ? 0x8F : 0xBF;
        return left >= 4 && at[1] >= low && at[1] <= high && (at[2] & 0xC0) == 0x80 &&
                       (at[3] & 0xC0) == 0x80
                   ? 4
                   : 0;
    }
    return 0;
}

bool slice_is_utf8(struct slice s)
{
    const unsigned char *at = (const unsigned char *)s.at;
    size_t i = 0;
    while (i < s.length) {
        uint64_t word = 0;
        while (s.length - i >= 8) {
            memcpy(&word, at + i, 8);
            if ((word & UINT64_C(0x8080808080808080)) != 0) {
                break;
            }
            i += 8;
        }
        while (i < s.length && at[i] < 0x80) {
            i++;
        }
        if (i < s.length) {
            size_t length = utf8_sequence(at + i, s.length - i);
            if (length == 0) {
                return false;
            }
            i += length;
        }
    }
    return true;
}

size_t utf8_write(char to[static 4], uint32_t code)
{
    static const uint8_t leads[] = {0, 0xC0, 0xE0, 0xF0};
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    to[0] = (char)(leads[more] | code >> (6 * more));
    for (size_t i = 1; i <= more; i++) {
        to[i] = (char)(0x80 | ((code >> (6 * (more - i))) & 0x3F));
    }
    return more + 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t slice_hash(struct slice s)
{
    const uint64_t first = UINT64_C(0x9E3779B97F4A7C15);
    const uint64_t second = UINT64_C(0xD6E8FEB86659FD93);
    uint64_t hash = first ^ s.length;
    const char *at = s.at;
    size_t left = s.length;
    uint64_t word = 0;
    while (left >= 8) {
        memcpy(&word, at, 8);
        hash = mix(hash ^ word, second);
        at += 8;
        left -= 8;
    }
    word = 0;
    if (left > 0) {
        memcpy(&word, at, left);
    }
    return mix(mix(hash ^ word, second), first);
}
