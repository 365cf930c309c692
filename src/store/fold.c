/* SPDX-License-Identifier: MIT */
/* store: folding text for searches: lower case, no diacritics, single spaces. Latin letters are
 * folded to their base, Greek and Cyrillic to lower case; other scripts stay as written. */
#include "store_int.h"

/* U+00C0..U+017F and U+1E00..U+1EFF. '?': no letter with a base here; '*': more than one, below. */
static const char latin[] =
    "aaaaaa*ceeeeiiiidnooooo?ouuuuy**aaaaaa*ceeeeiiiidnooooo?ouuuuy*yaaaaaaccccccccddddeeeeeeeeee"
    "gggggggghhhhiiiiiiiiii**jjkkqllllllllllnnnnnnnnnoooooo**rrrrrrssssssssttttttuuuuuuuuuuuuwwyyy"
    "zzzzzzs";
static const char latin_additional[] =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrr"
    "rrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy????*?aaaaaaaaaaaaaaaaaaaaaaaaee"
    "eeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy??????";

static const struct {
    uint32_t point;
    char letters[3];
} ligatures[] = {{0xc6, "ae"},  {0xde, "th"},  {0xdf, "ss"},  {0xe6, "ae"},  {0xfe, "th"},
                 {0x132, "ij"}, {0x133, "ij"}, {0x152, "oe"}, {0x153, "oe"}, {0x1e9e, "ss"}};

/* The length of the character at AT, well-formed or not: never 0, never past the end. */
static size_t decode(struct slice text, size_t at, uint32_t *ret_point)
{
    uint8_t first = (uint8_t)text.at[at];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0x80 || at + length > text.length) {
        *ret_point = first;
        return 1;
    }
    uint32_t point = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        point = point << 6 | ((uint8_t)text.at[at + i] & 0x3f);
    }
    *ret_point = point;
    return length;
}

static bool fold_latin(uint32_t point, struct buffer *out)
{
    char base = '?';
    if (point >= 0xc0 && point <= 0x17f) {
        base = latin[point - 0xc0];
    } else if (point >= 0x1e00 && point <= 0x1eff) {
        base = latin_additional[point - 0x1e00];
    }
    if (base == '?') {
        return false;
    }
    if (base != '*') {
        buffer_add_byte(out, base);
        return true;
    }
    for (size_t i = 0; i < sizeof(ligatures) / sizeof(ligatures[0]); i++) {
        if (ligatures[i].point == point) {
            buffer_add_text(out, ligatures[i].letters);
        }
    }
    return true;
}

static void add_point(uint32_t point, struct buffer *out)
{
    if (point < 0x800) {
        buffer_add_byte(out, (char)(0xc0 | point >> 6));
    } else {
        buffer_add_byte(out, (char)(0xe0 | point >> 12));
        buffer_add_byte(out, (char)(0x80 | (point >> 6 & 0x3f)));
    }
    buffer_add_byte(out, (char)(0x80 | (point & 0x3f)));
}

/* Greek capitals, and Cyrillic ones; 0: not one of these. */
static uint32_t lower_case(uint32_t point)
{
    if ((point >= 0x391 && point <= 0x3a9) || (point >= 0x410 && point <= 0x42f)) {
        return point + 32;
    }
    return point >= 0x400 && point <= 0x40f ? point + 80 : 0;
}

static bool is_space(uint32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0xa0 || point == 0x2003 ||
           point == 0x3000;
}

void text_fold(struct slice text, struct buffer *out)
{
    size_t start = out->length;
    bool space = false;
    for (size_t at = 0; at < text.length;) {
        uint32_t point;
        size_t length = decode(text, at, &point);
        if (is_space(point)) {
            space = out->length > start;
        } else if (point >= 0x300 && point <= 0x36f) {
            /* a combining mark */
        } else {
            if (space) {
                buffer_add_byte(out, ' ');
                space = false;
            }
            if (point < 0x80) {
                buffer_add_byte(out, (char)(point >= 'A' && point <= 'Z' ? point + 32 : point));
            } else if (lower_case(point) != 0) {
                add_point(lower_case(point), out);
            } else if (!fold_latin(point, out)) {
                buffer_add(out, slice_of(text.at + at, length));
            }
        }
        at += length;
    }
}
