/* SPDX-License-Identifier: MIT */
/* A slice is a view of bytes that somebody else owns; it is never NUL-terminated by promise. */
#ifndef CARELAYER_BASE_SLICE_H
#define CARELAYER_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at; /* may be NULL when length is 0 */
    size_t length;  /* bytes */
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

/* For printf("%.*s", SLICE_ARGS(s)). */
#define SLICE_ARGS(s) (int)(s).length, (s).at

static inline struct slice slice_of(const char *at, size_t length)
{
    return (struct slice){at, length};
}

/* A slice of a NUL-terminated string; NULL gives the empty slice. */
static inline struct slice slice_text(const char *text)
{
    return (struct slice){text, text != NULL ? strlen(text) : 0};
}

/* The same LENGTH bytes? Short ones, as names are, without a call. */
static inline bool bytes_equal(const char *a, const char *b, size_t length)
{
    if (length > 16) {
        return memcmp(a, b, length) == 0;
    }
    if (length >= 8) {
        uint64_t first[2], last[2];
        memcpy(&first[0], a, 8);
        memcpy(&first[1], b, 8);
        memcpy(&last[0], a + length - 8, 8);
        memcpy(&last[1], b + length - 8, 8);
        return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
    }
    if (length >= 4) {
        uint32_t first[2], last[2];
        memcpy(&first[0], a, 4);
        memcpy(&first[1], b, 4);
        memcpy(&last[0], a + length - 4, 4);
        memcpy(&last[1], b + length - 4, 4);
        return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equals(a, slice_text(text));
}

/* The bytes [from, length); an offset past the end gives the empty slice at the end. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    size_t start = from < s.length ? from : s.length;
    return (struct slice){start > 0 ? s.at + start : s.at, s.length - start};
}

/* The first LENGTH bytes, or all of them when there are fewer. */
static inline struct slice slice_head(struct slice s, size_t length)
{
    return (struct slice){s.at, length < s.length ? length : s.length};
}

bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* ASCII case ignored; bytes above 127 compare as they are. */
bool slice_equals_ignoring_case(struct slice a, struct slice b);

/* Byte-wise order, a shorter prefix first: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);

/* The index of the first such byte, or s.length when there is none. */
size_t slice_index(struct slice s, char byte);

/* Without leading and trailing ASCII white space. */
struct slice slice_trim(struct slice s);

/* Cuts the text before the first SEPARATOR off *S and gives it; *S keeps what follows the
 * separator. At the end *S becomes {NULL, 0}, so that `while (s.at != NULL)` visits every part. */
struct slice slice_cut(struct slice *s, char separator);

/* A decimal natural number without sign, spaces or superfluous text; false when it is not one or
 * exceeds MAX. */
bool slice_to_unsigned(struct slice s, uint64_t max, uint64_t *ret_value);

/* Are these bytes well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool slice_is_utf8(struct slice s);

/* Writes the UTF-8 of a code point, which is no surrogate and at most U+10FFFF; gives the number of
 * bytes. */
size_t utf8_write(char to[static 4], uint32_t code);

/* A fast non-cryptographic 64-bit hash for tables in memory (never stored). */
uint64_t slice_hash(struct slice s);

#endif
