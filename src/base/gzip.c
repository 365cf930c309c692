/* SPDX-License-Identifier: MIT */
#include <limits.h>

#define ZLIB_CONST
#include <zlib.h>

#include "codec.h"

#define GZIP_WINDOW (15 + 16) /* the largest window, with gzip's wrapper */
#define ROOM_FIRST  ((size_t)16 << 10)
#define ROOM_MOST   ((size_t)1 << 30)

static uInt at_most(size_t length)
{
    return length < ROOM_MOST ? (uInt)length : (uInt)ROOM_MOST;
}

static enum status status_of_buffer(const struct buffer *out)
{
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status gzip_compress(struct slice bytes, int level, struct buffer *out)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return STATUS_MEMORY;
    }
    int result = Z_OK;
    size_t left = bytes.length;
    stream.next_in = (const Bytef *)bytes.at;
    while (result != Z_STREAM_END) {
        if (stream.avail_in == 0) {
            stream.avail_in = at_most(left);
            left -= stream.avail_in;
        }
        size_t room =
            out->capacity - out->length > ROOM_FIRST ? out->capacity - out->length : ROOM_FIRST;
        char *to = buffer_reserve(out, room);
        if (to == NULL) {
            break;
        }
        stream.next_out = (Bytef *)to;
        stream.avail_out = at_most(room);
        uInt offered = stream.avail_out;
        result = deflate(&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH);
        out->length += offered - stream.avail_out;
        if (result == Z_STREAM_ERROR) {
            break;
        }
    }
    (void)deflateEnd(&stream);
    if (buffer_ok(out) && result != Z_STREAM_END) {
        return STATUS_INTERNAL;
    }
    return status_of_buffer(out);
}

/* One step of inflation into OUT, which may take ALLOWED bytes more. */
static enum status inflate_some(z_stream *stream, size_t *left, size_t allowed, struct buffer *out,
                                int *ret_result)
{
    if (stream->avail_in == 0) {
        stream->avail_in = at_most(*left);
        *left -= stream->avail_in;
    }
    /* One byte more than allowed, to see whether there is more. */
    size_t room =
        out->capacity - out->length > ROOM_FIRST ? out->capacity - out->length : ROOM_FIRST;
    room = room > allowed ? allowed + 1 : room;
    char *to = buffer_reserve(out, room);
    if (to == NULL) {
        return STATUS_TOO_COSTLY;
    }
    stream->next_out = (Bytef *)to;
    stream->avail_out = at_most(room);
    uInt offered = stream->avail_out;
    *ret_result = inflate(stream, Z_NO_FLUSH);
    size_t made = offered - stream->avail_out;
    out->length += made;
    if (made > allowed) {
        return STATUS_TOO_LONG;
    }
    if (*ret_result == Z_MEM_ERROR) {
        return STATUS_MEMORY;
    }
    bool stuck = *ret_result == Z_BUF_ERROR && stream->avail_in == 0 && *left == 0;
    if (stuck ||
        (*ret_result != Z_OK && *ret_result != Z_STREAM_END && *ret_result != Z_BUF_ERROR)) {
        return STATUS_STRUCTURE;
    }
    return STATUS_OK;
}

static enum status inflate_members(z_stream *stream, struct slice bytes, size_t limit,
                                   struct buffer *out)
{
    size_t start = out->length;
    size_t left = bytes.length;
    stream->next_in = (const Bytef *)bytes.at;
    for (;;) {
        int result = Z_OK;
        size_t allowed = limit - (out->length - start);
        TRY(inflate_some(stream, &left, allowed, out, &result));
        if (result != Z_STREAM_END) {
            continue;
        }
        if (stream->avail_in == 0 && left == 0) {
            return STATUS_OK;
        }
        if (inflateReset(stream) != Z_OK) {
            return STATUS_INTERNAL;
        }
    }
}

enum status gzip_inflate(struct slice bytes, size_t limit, struct buffer *out)
{
    z_stream stream = {0};
    if (bytes.length == 0) {
        return STATUS_STRUCTURE;
    }
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
        return STATUS_MEMORY;
    }
    enum status status = inflate_members(&stream, bytes, limit, out);
    (void)inflateEnd(&stream);
    return status;
}

/* The weight of "gzip", or else of "*", is not zero (RFC 9110, 12.5.3). */
bool accepts_gzip(struct slice accept_encoding)
{
    bool any = false;
    struct slice rest = accept_encoding;
    while (rest.at != NULL && rest.length > 0) {
        struct slice item = slice_trim(slice_cut(&rest, ','));
        struct slice name = slice_trim(slice_cut(&item, ';'));
        struct slice weight = slice_trim(item);
        bool wanted = true;
        if (slice_equals_ignoring_case(slice_head(weight, 2), SLICE("q="))) {
            wanted = false;
            for (size_t i = 2; i < weight.length; i++) {
                wanted = wanted || (weight.at[i] >= '1' && weight.at[i] <= '9');
            }
        }
        if (slice_equals_ignoring_case(name, SLICE("gzip"))) {
            return wanted;
        }
        if (slice_is(name, "*")) {
            any = wanted;
        }
    }
    return any;
}
