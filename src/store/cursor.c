/* SPDX-License-Identifier: MIT */
/* store: cursors, opaque and URL-safe: hex of a kind, its bytes and a check sum. The sum is not a
 * secret: it only tells a cursor of ours from a mistake. */
#include "store_int.h"

struct slice cursor_write(struct arena *arena, char kind, const struct slice bytes)
{
    struct buffer plain = {.arena = arena};
    struct buffer text = {.arena = arena};
    buffer_add_byte(&plain, kind);
    buffer_add(&plain, bytes);
    if (!buffer_ok(&plain)) {
        return (struct slice){NULL, 0};
    }
    uint32_t sum = crc32c(0, plain.at, plain.length);
    hex_write(slice_of((const char *)&sum, sizeof(sum)), &text);
    hex_write(buffer_slice(&plain), &text);
    return buffer_ok(&text) ? buffer_slice(&text) : (struct slice){NULL, 0};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cursor_read(struct slice cursor, char kind, struct arena *arena, struct slice *ret_bytes)
{
    uint32_t sum;
    if (cursor.length % 2 != 0 || cursor.length < 2 * (sizeof(sum) + 1)) {
        return false;
    }
    size_t length = cursor.length / 2;
    char *plain = arena_alloc(arena, length);
    for (size_t i = 0; plain != NULL && i < length; i++) {
        int high = hex_digit(cursor.at[2 * i]);
        int low = hex_digit(cursor.at[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        plain[i] = (char)(high << 4 | low);
    }
    if (plain == NULL) {
        return false;
    }
    memcpy(&sum, plain, sizeof(sum));
    if (plain[sizeof(sum)] != kind || crc32c(0, plain + sizeof(sum), length - sizeof(sum)) != sum) {
        return false;
    }
    *ret_bytes = slice_of(plain + sizeof(sum) + 1, length - sizeof(sum) - 1);
    return true;
}
