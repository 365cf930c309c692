/* SPDX-License-Identifier: MIT */
/* Files being written: packed block by block, with an index of where blocks begin and of who is in
 * them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "bulk/bulk_int.h"

#define PACK_LEVEL  1
#define PACK_ROOM   (BULK_BLOCK + ((size_t)64 << 10)) /* what a block can come to, packed */
#define LOOK_BLOCKS 16                                /* blocks between looks at the disk's space */

struct pack {
    struct arena *arena; /* the pack too */
    const char *path, *part;
    int file;
    int64_t spare;
    struct buffer lines; /* not yet packed */
    uint64_t plain;      /* packed so far */
    uint64_t packed;
    uint64_t resources;
    uint64_t line; /* where the line being written begins */
    z_stream stream;
    bool streams;
    uint8_t *room;
    uint64_t *blocks;
    size_t block_count, block_capacity;
    struct pack_person *persons; /* by first */
    size_t person_count, person_capacity;
    uint32_t *slots; /* 2 x capacity, open addressing: index from 1 */
    size_t *named;   /* persons of the line being written */
    size_t named_count, named_capacity;
};

/* ---- beginning ----------------------------------------------------------------------------------
 */

enum status spare_check(int file, int64_t spare)
{
    struct statvfs space;
    if (spare <= 0 || fstatvfs(file, &space) != 0) {
        return STATUS_OK;
    }
    uint64_t left = (uint64_t)space.f_bavail * (uint64_t)space.f_frsize;
    return left < (uint64_t)spare ? STATUS_NO_SPACE : STATUS_OK;
}

static enum status begin(struct pack *pack)
{
    if (pack->path == NULL || pack->part == NULL || pack->room == NULL) {
        return STATUS_MEMORY;
    }
    pack->file = disk->open(pack->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (pack->file < 0) {
        return disk_status(errno);
    }
    /* With gzip's wrapper. */
    if (deflateInit2(&pack->stream, PACK_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return STATUS_MEMORY;
    }
    pack->streams = true;
    return spare_check(pack->file, pack->spare);
}

enum status pack_begin(const char *path, int64_t spare, struct pack **ret_pack)
{
    struct arena *arena = arena_create(0);
    struct pack *pack = arena != NULL ? ARENA_NEW(arena, struct pack) : NULL;
    *ret_pack = NULL;
    if (pack == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    pack->arena = arena;
    pack->file = -1;
    pack->spare = spare;
    pack->path = arena_print(arena, "%s", path);
    pack->part = arena_print(arena, "%s.part", path);
    pack->room = arena_alloc(arena, PACK_ROOM);
    pack->lines = (struct buffer){.arena = arena};
    enum status status = begin(pack);
    if (status != STATUS_OK) {
        pack_abandon(pack);
        return status;
    }
    *ret_pack = pack;
    return STATUS_OK;
}

/* ---- blocks -------------------------------------------------------------------------------------
 */

/* A larger array with the same content; NULL: no memory. */
static void *grown(struct arena *arena, void *items, size_t *capacity, size_t size)
{
    size_t more = *capacity * 2 + 64;
    void *larger = arena_resize(arena, items, *capacity * size, more * size);
    if (larger != NULL) {
        *capacity = more;
    }
    return larger;
}

static enum status add_block(struct pack *pack)
{
    if (pack->block_count == pack->block_capacity) {
        uint64_t *larger =
            grown(pack->arena, pack->blocks, &pack->block_capacity, sizeof *pack->blocks);
        if (larger == NULL) {
            return STATUS_MEMORY;
        }
        pack->blocks = larger;
    }
    pack->blocks[pack->block_count++] = pack->packed;
    return pack->block_count % LOOK_BLOCKS == 0 ? spare_check(pack->file, pack->spare) : STATUS_OK;
}

static enum status deflate_all(struct pack *pack, struct slice bytes, int flush)
{
    z_stream *stream = &pack->stream;
    stream->next_in = (const Bytef *)bytes.at;
    stream->avail_in = (uInt)bytes.length;
    for (;;) {
        stream->next_out = pack->room;
        stream->avail_out = (uInt)PACK_ROOM;
        int result = deflate(stream, flush);
        struct slice made = slice_of((const char *)pack->room, PACK_ROOM - stream->avail_out);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
            return STATUS_INTERNAL;
        }
        if (made.length > 0) {
            TRY(disk_write_all(pack->file, made, (off_t)pack->packed));
            pack->packed += made.length;
        }
        if (result == Z_STREAM_END || (flush != Z_FINISH && stream->avail_out > 0)) {
            return STATUS_OK;
        }
    }
}

/* A full flush ends at a byte and forgets what was before: the next block can be read alone. */
static enum status pack_block(struct pack *pack, struct slice bytes)
{
    if (pack->block_count == 0) {
        TRY(deflate_all(pack, (struct slice){NULL, 0}, Z_FULL_FLUSH)); /* the head of the member */
    }
    TRY(add_block(pack));
    TRY(deflate_all(pack, bytes, Z_FULL_FLUSH));
    pack->plain += bytes.length;
    return STATUS_OK;
}

static enum status take_blocks(struct pack *pack, bool all)
{
    struct slice rest = buffer_slice(&pack->lines);
    if (!buffer_ok(&pack->lines)) {
        return STATUS_MEMORY;
    }
    while (rest.length >= BULK_BLOCK || (all && rest.length > 0)) {
        struct slice block = slice_head(rest, BULK_BLOCK);
        TRY(pack_block(pack, block));
        rest = slice_from(rest, block.length);
    }
    if (rest.length > 0) {
        memmove(pack->lines.at, rest.at, rest.length);
    }
    pack->lines.length = rest.length;
    return STATUS_OK;
}

struct buffer *pack_out(struct pack *pack)
{
    return &pack->lines;
}

enum status pack_flush(void *pack)
{
    return take_blocks(pack, false);
}

uint64_t pack_length(const struct pack *pack)
{
    return pack->plain + pack->lines.length;
}

uint64_t pack_resources(const struct pack *pack)
{
    return pack->resources;
}

/* ---- persons ------------------------------------------------------------------------------------
 */

static uint32_t *slot_of(const struct pack *pack, uint32_t patient)
{
    size_t mask = 2 * pack->person_capacity - 1;
    size_t at = (patient * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (pack->slots[at] != 0 && pack->persons[pack->slots[at] - 1].patient != patient) {
        at = (at + 1) & mask;
    }
    return &pack->slots[at];
}

static bool grow_persons(struct pack *pack)
{
    size_t capacity = pack->person_capacity == 0 ? 256 : pack->person_capacity * 2;
    struct pack_person *persons =
        arena_resize(pack->arena, pack->persons, pack->person_capacity * sizeof *persons,
                     capacity * sizeof *persons);
    uint32_t *slots = arena_array(pack->arena, 2 * capacity, sizeof *slots);
    if (persons == NULL || slots == NULL) {
        return false;
    }
    pack->persons = persons;
    pack->slots = slots;
    pack->person_capacity = capacity;
    for (size_t i = 0; i < pack->person_count; i++) {
        *slot_of(pack, persons[i].patient) = (uint32_t)i + 1;
    }
    return true;
}

/* When there is no memory the arena knows, and pack_end_line asks it. */
void pack_names(struct pack *pack, uint32_t patient)
{
    if (pack->person_count == pack->person_capacity && !grow_persons(pack)) {
        arena_fail(pack->arena);
        return;
    }
    if (pack->named_count == pack->named_capacity) {
        size_t *larger =
            grown(pack->arena, pack->named, &pack->named_capacity, sizeof *pack->named);
        if (larger == NULL) {
            return;
        }
        pack->named = larger;
    }
    uint32_t *slot = slot_of(pack, patient);
    if (*slot == 0) {
        pack->persons[pack->person_count++] =
            (struct pack_person){.patient = patient, .first = pack->line};
        *slot = (uint32_t)pack->person_count;
    }
    pack->persons[*slot - 1].resources++;
    pack->named[pack->named_count++] = *slot - 1;
}

enum status pack_end_line(struct pack *pack, uint64_t resources)
{
    uint64_t end = pack_length(pack);
    for (size_t i = 0; i < pack->named_count; i++) {
        pack->persons[pack->named[i]].last = end;
    }
    pack->named_count = 0;
    pack->line = end;
    pack->resources += resources;
    if (arena_full(pack->arena)) {
        return STATUS_MEMORY;
    }
    return pack->lines.length >= BULK_BLOCK ? take_blocks(pack, false) : STATUS_OK;
}

/* ---- ending -------------------------------------------------------------------------------------
 */

static enum status write_index(const struct pack *pack)
{
    struct buffer out = {.arena = pack->arena};
    struct slice blocks =
        slice_of((const char *)pack->blocks, pack->block_count * sizeof *pack->blocks);
    struct slice persons =
        slice_of((const char *)pack->persons, pack->person_count * sizeof *pack->persons);
    struct pack_head head = {.magic = PACK_MAGIC,
                             .plain = pack->plain,
                             .packed = pack->packed,
                             .resources = pack->resources,
                             .blocks = (uint32_t)pack->block_count,
                             .persons = (uint32_t)pack->person_count};
    head.crc = crc32c(crc32c(0, blocks.at, blocks.length), persons.at, persons.length);
    buffer_add(&out, slice_of((const char *)&head, sizeof head));
    buffer_add(&out, blocks);
    buffer_add(&out, persons);
    const char *path = arena_print(pack->arena, "%s.index", pack->path);
    return buffer_ok(&out) && !arena_full(pack->arena) ? disk_replace_file(path, buffer_slice(&out))
                                                       : STATUS_MEMORY;
}

static enum status finish(struct pack *pack)
{
    TRY(take_blocks(pack, true));
    TRY(deflate_all(pack, (struct slice){NULL, 0}, Z_FINISH));
    if (disk->fsync(pack->file) != 0) {
        return disk_status(errno);
    }
    TRY(write_index(pack));
    const char *name = arena_print(pack->arena, "%s.gz", pack->path);
    if (arena_full(pack->arena)) {
        return STATUS_MEMORY;
    }
    return disk->rename(pack->part, name) == 0 ? disk_sync_directory(name) : disk_status(errno);
}

static enum status end(struct pack *pack, enum status status)
{
    if (pack->streams) {
        (void)deflateEnd(&pack->stream);
    }
    if (pack->file >= 0 && disk->close(pack->file) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    if (status != STATUS_OK && pack->part != NULL) {
        (void)disk->unlink(pack->part);
    }
    arena_destroy(pack->arena);
    return status;
}

enum status pack_finish(struct pack *pack)
{
    return end(pack, finish(pack));
}

void pack_abandon(struct pack *pack)
{
    if (pack != NULL) {
        (void)end(pack, STATUS_INTERNAL);
    }
}
