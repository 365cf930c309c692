/* SPDX-License-Identifier: MIT */
/* store: folding text for searches: lower case, no diacritics, no punctuation, single spaces (R4
 * search, "string"). Latin, Greek and Cyrillic letters are folded to their base in lower case;
 * other scripts stay as written. */
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

size_t text_decode(struct slice text, size_t at, uint32_t *ret_point)
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

void text_encode(uint32_t point, struct buffer *out)
{
    if (point < 0x80) {
        buffer_add_byte(out, (char)point);
        return;
    }
    if (point < 0x800) {
        buffer_add_byte(out, (char)(0xc0 | point >> 6));
    } else {
        if (point < 0x10000) {
            buffer_add_byte(out, (char)(0xe0 | point >> 12));
        } else {
            buffer_add_byte(out, (char)(0xf0 | point >> 18));
            buffer_add_byte(out, (char)(0x80 | (point >> 12 & 0x3f)));
        }
        buffer_add_byte(out, (char)(0x80 | (point >> 6 & 0x3f)));
    }
    buffer_add_byte(out, (char)(0x80 | (point & 0x3f)));
}

/* Letters with a mark, and the other form of sigma, to what they are without. */
static const uint16_t marked[][2] = {
    {0x386, 0x3b1}, {0x388, 0x3b5}, {0x389, 0x3b7}, {0x38a, 0x3b9}, {0x38c, 0x3bf}, {0x38e, 0x3c5},
    {0x38f, 0x3c9}, {0x390, 0x3b9}, {0x3aa, 0x3b9}, {0x3ab, 0x3c5}, {0x3ac, 0x3b1}, {0x3ad, 0x3b5},
    {0x3ae, 0x3b7}, {0x3af, 0x3b9}, {0x3b0, 0x3c5}, {0x3c2, 0x3c3}, {0x3ca, 0x3b9}, {0x3cb, 0x3c5},
    {0x3cc, 0x3bf}, {0x3cd, 0x3c5}, {0x3ce, 0x3c9}, {0x400, 0x435}, {0x401, 0x435}, {0x403, 0x433},
    {0x407, 0x456}, {0x40c, 0x43a}, {0x40d, 0x438}, {0x40e, 0x443}, {0x419, 0x438}, {0x439, 0x438},
    {0x450, 0x435}, {0x451, 0x435}, {0x453, 0x433}, {0x457, 0x456}, {0x45c, 0x43a}, {0x45d, 0x438},
    {0x45e, 0x443}};

/* Greek and Cyrillic; 0: not one of these, or as it should be. */
static uint32_t lower_case(uint32_t point)
{
    if (point < 0x386 || point > 0x45f) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
        if (marked[i][0] == point) {
            return marked[i][1];
        }
    }
    if ((point >= 0x391 && point <= 0x3a9) || (point >= 0x410 && point <= 0x42f)) {
        return point + 32;
    }
    return point >= 0x400 && point <= 0x40f ? point + 80 : 0;
}

/* Signs such as + < = $ are none. */
static bool is_punctuation(uint32_t point)
{
    if (point < 0x80) {
        bool letter = (point | 32) >= 'a' && (point | 32) <= 'z';
        return !letter && point > ' ' && (point < '0' || point > '9') &&
               strchr("!\"#%&'()*,-./:;?@[\\]_{}", (int)point) != NULL;
    }
    return point == 0xa1 || point == 0xa7 || point == 0xab || point == 0xb6 || point == 0xb7 ||
           point == 0xbb || point == 0xbf || (point >= 0x2010 && point <= 0x2027) ||
           (point >= 0x2030 && point <= 0x205e && point != 0x2044 && point != 0x2052) ||
           (point >= 0x3001 && point <= 0x3003) || (point >= 0x3008 && point <= 0x3011);
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
        size_t length = text_decode(text, at, &point);
        if (is_space(point)) {
            space = out->length > start;
        } else if ((point >= 0x300 && point <= 0x36f) || is_punctuation(point)) {
            /* a combining mark, or what counts for nothing */
        } else {
            if (space) {
                buffer_add_byte(out, ' ');
                space = false;
            }
            if (point < 0x80) {
                buffer_add_byte(out, (char)(point >= 'A' && point <= 'Z' ? point + 32 : point));
            } else if (lower_case(point) != 0) {
                text_encode(lower_case(point), out);
            } else if (!fold_latin(point, out)) {
                buffer_add(out, slice_of(text.at + at, length));
            }
        }
        at += length;
    }
}
