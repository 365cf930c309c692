/* SPDX-License-Identifier: MIT */
/* Files that are plain or gzip. Not zlib's gzread: it takes whatever follows a gzip member that
 * does not begin as another for the end of the file, and so loses the rest of a damaged one in
 * silence. */
#include <errno.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "codec.h"

#define READER_BYTES ((size_t)128 << 10)
#define READER_MOST  ((size_t)1 << 30)

struct gzip_reader {
    struct arena *arena;
    int fd;
    bool begun, gzip; /* the first bytes are read; they are those of gzip */
    bool inside;      /* a member */
    bool at_end;      /* of what the descriptor gives */
    z_stream stream;
    unsigned char *bytes; /* [start, end) waits */
    size_t start, end;
};

struct gzip_reader *gzip_reader_open(int fd)
{
    struct arena *arena = arena_create(0);
    struct gzip_reader *reader = arena != NULL ? ARENA_NEW(arena, struct gzip_reader) : NULL;
    unsigned char *bytes = reader != NULL ? arena_alloc(arena, READER_BYTES) : NULL;
    if (bytes == NULL || inflateInit2(&reader->stream, 15 + 16) != Z_OK) {
        arena_destroy(arena);
        (void)close(fd);
        return NULL;
    }
    reader->arena = arena;
    reader->fd = fd;
    reader->bytes = bytes;
    return reader;
}

void gzip_reader_close(struct gzip_reader *reader)
{
    if (reader != NULL) {
        (void)inflateEnd(&reader->stream);
        (void)close(reader->fd);
        arena_destroy(reader->arena);
    }
}

/* Reads more behind what waits. */
static enum status fill(struct gzip_reader *reader)
{
    ssize_t got;
    if (reader->start == reader->end) {
        reader->start = reader->end = 0;
    }
    do {
        got = read(reader->fd, reader->bytes + reader->end, READER_BYTES - reader->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return STATUS_IO;
    }
    reader->at_end = got == 0;
    reader->end += (size_t)got;
    return STATUS_OK;
}

static enum status begin(struct gzip_reader *reader)
{
    while (reader->end < 2 && !reader->at_end) {
        TRY(fill(reader));
    }
    reader->begun = true;
    reader->gzip = reader->end >= 2 && reader->bytes[0] == 0x1f && reader->bytes[1] == 0x8b;
    reader->inside = reader->gzip;
    return STATUS_OK;
}

/* Behind a member stands another, or zeros up to the end (as tapes pad), or nothing. */
static enum status next_member(struct gzip_reader *reader)
{
    if (reader->bytes[reader->start] != 0) {
        reader->inside = true;
        return inflateReset(&reader->stream) == Z_OK ? STATUS_OK : STATUS_INTERNAL;
    }
    while (!reader->at_end) {
        while (reader->start < reader->end) {
            if (reader->bytes[reader->start++] != 0) {
                return STATUS_STRUCTURE;
            }
        }
        TRY(fill(reader));
    }
    return STATUS_OK;
}

static enum status inflate_some(struct gzip_reader *reader, char *to, size_t size,
                                size_t *ret_count)
{
    z_stream *stream = &reader->stream;
    stream->next_in = reader->bytes + reader->start;
    stream->avail_in = (uInt)(reader->end - reader->start);
    stream->next_out = (Bytef *)to;
    stream->avail_out = (uInt)size;
    int result = inflate(stream, Z_NO_FLUSH);
    reader->start = reader->end - stream->avail_in;
    *ret_count = size - stream->avail_out;
    if (result == Z_STREAM_END) {
        reader->inside = false;
        return STATUS_OK;
    }
    if (result == Z_MEM_ERROR) {
        return STATUS_MEMORY;
    }
    return result == Z_OK || result == Z_BUF_ERROR ? STATUS_OK : STATUS_STRUCTURE;
}

enum status gzip_reader_read(struct gzip_reader *reader, char *to, size_t size, size_t *ret_count)
{
    *ret_count = 0;
    size = size < READER_MOST ? size : READER_MOST;
    if (!reader->begun) {
        TRY(begin(reader));
    }
    while (*ret_count == 0 && size > 0) {
        if (reader->start == reader->end && !reader->at_end) {
            TRY(fill(reader));
        }
        size_t waits = reader->end - reader->start;
        if (waits == 0) { /* a member that has not ended is cut off */
            return reader->inside ? STATUS_STRUCTURE : STATUS_OK;
        }
        if (!reader->gzip) {
            *ret_count = waits < size ? waits : size;
            memcpy(to, reader->bytes + reader->start, *ret_count);
            reader->start += *ret_count;
        } else if (!reader->inside) {
            TRY(next_member(reader));
        } else {
            TRY(inflate_some(reader, to, size, ret_count));
        }
    }
    return STATUS_OK;
}
