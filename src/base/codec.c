/* SPDX-License-Identifier: MIT */
#include "codec.h"

#include <openssl/sha.h>

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct slice bytes, struct buffer *out)
{
    size_t groups = bytes.length / 3 + (bytes.length % 3 != 0);
    if (groups > SIZE_MAX / 4) {
        out->broken = true;
        return;
    }
    char *to = groups > 0 ? buffer_reserve(out, groups * 4) : NULL;
    if (to == NULL) {
        return;
    }
    const unsigned char *from = (const unsigned char *)bytes.at;
    size_t left = bytes.length;
    for (; left >= 3; left -= 3, from += 3, to += 4) {
        uint32_t group = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        to[0] = base64_alphabet[group >> 18];
        to[1] = base64_alphabet[group >> 12 & 63];
        to[2] = base64_alphabet[group >> 6 & 63];
        to[3] = base64_alphabet[group & 63];
    }
    if (left > 0) {
        uint32_t group = (uint32_t)from[0] << 16 | (left > 1 ? (uint32_t)from[1] << 8 : 0);
        to[0] = base64_alphabet[group >> 18];
        to[1] = base64_alphabet[group >> 12 & 63];
        to[2] = left > 1 ? base64_alphabet[group >> 6 & 63] : '=';
        to[3] = '=';
    }
    out->length += groups * 4;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Four characters to one to three bytes; gives how many, 0 when it is no group. */
static size_t decode_group(const char *at, char ret_bytes[static 3])
{
    size_t count = at[3] != '=' ? 3 : at[2] != '=' ? 2 : 1;
    int digits[4] = {0, 0, 0, 0};
    for (size_t i = 0; i <= count; i++) {
        digits[i] = base64_digit(at[i]);
        if (digits[i] < 0) {
            return 0;
        }
    }
    uint32_t group = (uint32_t)digits[0] << 18 | (uint32_t)digits[1] << 12 |
                     (uint32_t)digits[2] << 6 | (uint32_t)digits[3];
    ret_bytes[0] = (char)(group >> 16);
    ret_bytes[1] = (char)(group >> 8 & 255);
    ret_bytes[2] = (char)(group & 255);
    return count;
}

bool base64_parse(struct slice text, bool allow_space, struct buffer *out)
{
    size_t i = 0;
    bool padded = false;
    (void)buffer_reserve(out, text.length / 4 * 3);
    for (;;) {
        while (allow_space && i < text.length && is_space(text.at[i])) {
            i++;
        }
        if (i == text.length) {
            return true;
        }
        char bytes[3];
        size_t count = text.length - i >= 4 && !padded ? decode_group(text.at + i, bytes) : 0;
        if (count == 0) {
            return false;
        }
        buffer_add(out, slice_of(bytes, count));
        padded = count < 3;
        i += 4;
    }
}

void hex_write(struct slice bytes, struct buffer *out)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.length; i++) {
        buffer_add_byte(out, hex[(unsigned char)bytes.at[i] >> 4]);
        buffer_add_byte(out, hex[bytes.at[i] & 15]);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool url_decode(struct slice text, bool plus_is_space, struct buffer *out)
{
    size_t start = out->length;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte == '%') {
            int high = text.length - i > 2 ? hex_digit(text.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            byte = (char)(high << 4 | low);
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        buffer_add_byte(out, byte);
    }
    /* A broken buffer reports itself; what did get in is still checked. */
    return out->length == start || slice_is_utf8(slice_of(out->at + start, out->length - start));
}

void sha256(struct slice bytes, uint8_t ret_digest[static SHA256_LENGTH])
{
    (void)SHA256((const unsigned char *)bytes.at, bytes.length, ret_digest);
}
