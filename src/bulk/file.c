/* SPDX-License-Identifier: MIT */
/* Files being read: whoever is in the bytes that leave has an access entry first. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "bulk/bulk_int.h"

#define GZIP_HEAD  10 /* bytes of the member before its first block, as zlib writes it */
#define GZIP_TAIL  8
#define INDEX_MOST ((size_t)256 << 20)

struct bulk_file {
    struct arena *arena; /* the file too */
    struct audit *audit;
    int file;
    int64_t expires;
    struct pack_head head;
    const uint64_t *blocks;
    const struct pack_person *persons;
    uint8_t *logged; /* bit N: person N of the index has an entry */
    size_t from;     /* persons before it have theirs, or end before AT */
    uint64_t at;     /* plain bytes are read upwards from here */
};

/* ---- opening ------------------------------------------------------------------------------------
 */

static enum status take_index(struct bulk_file *file, struct slice index)
{
    if (index.length < sizeof file->head) {
        return STATUS_CORRUPT;
    }
    memcpy(&file->head, index.at, sizeof file->head);
    struct slice rest = slice_from(index, sizeof file->head);
    size_t blocks = (size_t)file->head.blocks * sizeof *file->blocks;
    size_t persons = (size_t)file->head.persons * sizeof *file->persons;
    if (file->head.magic != PACK_MAGIC || rest.length != blocks + persons ||
        crc32c(0, rest.at, rest.length) != file->head.crc ||
        file->head.blocks != (file->head.plain + BULK_BLOCK - 1) / BULK_BLOCK) {
        return STATUS_CORRUPT;
    }
    uint64_t *tables = arena_alloc(file->arena, rest.length);
    file->logged = arena_zero(file->arena, file->head.persons / 8 + 1);
    if (tables == NULL || file->logged == NULL) {
        return STATUS_MEMORY;
    }
    if (rest.length > 0) {
        memcpy(tables, rest.at, rest.length);
    }
    file->blocks = tables;
    file->persons = (const struct pack_person *)(tables + file->head.blocks);
    return STATUS_OK;
}

static enum status open_parts(struct bulk_file *file, const char *path)
{
    struct slice index;
    const char *name = arena_print(file->arena, "%s.index", path);
    TRY(disk_read_file(name, INDEX_MOST, file->arena, &index));
    TRY(take_index(file, index));
    name = arena_print(file->arena, "%s.gz", path);
    file->file = disk->open(name, O_RDONLY | O_CLOEXEC, 0);
    return file->file >= 0 ? STATUS_OK : disk_status(errno);
}

/* The job's files are listed under the lock; what was unlinked since is "not found" too. */
static enum status find_path(struct bulk *bulk, struct slice id, struct slice who,
                             struct slice name, struct bulk_file *file, const char **ret_path)
{
    enum status status = STATUS_NOT_FOUND;
    (void)pthread_mutex_lock(&bulk->lock);
    for (const struct job *job = bulk->jobs; job != NULL; job = job->next) {
        if (!slice_is(id, job->id) || !slice_equals(job->ask.who, who) || job->cancelled ||
            job->state != BULK_DONE) {
            continue;
        }
        file->expires = job->finished + bulk->options.keep * MICROS_PER_SECOND;
        for (size_t i = 0; i < job->file_count; i++) {
            if (slice_equals(job->files[i].name, name)) {
                *ret_path = arena_print(file->arena, "%s/%.*s", job->folder, SLICE_ARGS(name));
                status = arena_full(file->arena) ? STATUS_MEMORY : STATUS_OK;
            }
        }
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    return status;
}

enum status bulk_file_open(struct bulk *bulk, struct slice id, struct slice who, struct slice name,
                           struct bulk_file **ret_file)
{
    struct arena *arena = arena_create(2 * INDEX_MOST);
    struct bulk_file *file = arena != NULL ? ARENA_NEW(arena, struct bulk_file) : NULL;
    const char *path = NULL;
    *ret_file = NULL;
    if (file == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    file->arena = arena;
    file->audit = bulk->options.audit;
    file->file = -1;
    enum status status = find_path(bulk, id, who, name, file, &path);
    if (status == STATUS_OK) {
        status = open_parts(file, path);
    }
    if (status != STATUS_OK) {
        bulk_file_close(file);
        return status;
    }
    *ret_file = file;
    return STATUS_OK;
}

void bulk_file_close(struct bulk_file *file)
{
    if (file != NULL) {
        if (file->file >= 0) {
            (void)disk->close(file->file);
        }
        arena_destroy(file->arena);
    }
}

uint64_t bulk_file_length(const struct bulk_file *file, bool packed)
{
    return packed ? file->head.packed : file->head.plain;
}

int64_t bulk_file_expires(const struct bulk_file *file)
{
    return file->expires;
}

uint64_t bulk_file_resources(const struct bulk_file *file)
{
    return file->head.resources;
}

void bulk_file_people(const struct bulk_file *file, struct bulk_people *ret_people)
{
    *ret_people = (struct bulk_people){.count = 0};
    for (size_t i = 0; i < file->head.persons && !ret_people->many; i++) {
        people_add(ret_people, file->persons[i].patient);
    }
}

/* ---- access entries -----------------------------------------------------------------------------
 */

static bool is_logged(const struct bulk_file *file, size_t person)
{
    return (file->logged[person / 8] >> person % 8 & 1) != 0;
}

/* Persons are in the order of their first byte: those before END are a beginning of the list. */
static enum status make_entries(const struct bulk_file *file, uint64_t from, uint64_t end,
                                const struct bulk_access *access, struct arena *arena,
                                struct slice **ret_entries, size_t *ret_count, size_t *ret_until)
{
    size_t until = file->from, count = 0;
    while (until < file->head.persons && file->persons[until].first < end) {
        until++;
    }
    struct slice *entries = arena_array(arena, until - file->from + 1, sizeof *entries);
    for (size_t i = file->from; entries != NULL && i < until; i++) {
        const struct pack_person *person = &file->persons[i];
        if (is_logged(file, i) || person->last <= from) {
            continue;
        }
        struct buffer text = {.arena = arena};
        struct audit_entry entry = {.when = time_now(),
                                    .action = AUDIT_READ,
                                    .http = 200,
                                    .patient = person->patient,
                                    .resources = person->resources,
                                    .interaction = SLICE("export-file"),
                                    .who = access->who,
                                    .request = access->request};
        audit_entry_write(&entry, &text);
        entries[count++] = buffer_slice(&text);
    }
    *ret_entries = entries;
    *ret_count = count;
    *ret_until = until;
    return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
}

static enum status log_persons(struct bulk_file *file, uint64_t from, uint64_t end,
                               const struct bulk_access *access)
{
    struct arena *arena = arena_create(0);
    struct slice *entries;
    size_t count = 0, until = 0;
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    file->from = from < file->at ? 0 : file->from;
    file->at = from;
    enum status status = make_entries(file, from, end, access, arena, &entries, &count, &until);
    if (status == STATUS_OK && count > 0) {
        status = audit_append_wait(file->audit, entries, count);
    }
    arena_destroy(arena);
    if (status != STATUS_OK) {
        return status;
    }
    bool all = true; /* of those passed over none can be in later bytes but by its last ones */
    for (size_t i = file->from; i < until; i++) {
        if (file->persons[i].last > from) {
            file->logged[i / 8] |= (uint8_t)(1u << i % 8);
        }
        all = all && (is_logged(file, i) || file->persons[i].last <= from);
        file->from = all ? i + 1 : file->from;
    }
    return STATUS_OK;
}

/* ---- bytes --------------------------------------------------------------------------------------
 */

static enum status read_all(int fd, uint64_t offset, size_t length, char *to)
{
    while (length > 0) {
        ssize_t got = disk->pread(fd, to, length, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? disk_status(errno) : STATUS_CORRUPT;
        }
        to += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return STATUS_OK;
}

static uint64_t block_end(const struct bulk_file *file, size_t block)
{
    return block + 1 < file->head.blocks ? file->blocks[block + 1] : file->head.packed - GZIP_TAIL;
}

static enum status inflate_block(const char *packed, size_t packed_length, char *to, size_t length)
{
    z_stream stream = {0};
    if (inflateInit2(&stream, -15) != Z_OK) {
        return STATUS_MEMORY;
    }
    stream.next_in = (const Bytef *)packed;
    stream.avail_in = (uInt)packed_length;
    stream.next_out = (Bytef *)to;
    stream.avail_out = (uInt)length;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    bool whole = (result == Z_OK || result == Z_STREAM_END) && stream.avail_out == 0;
    (void)inflateEnd(&stream);
    return whole ? STATUS_OK : STATUS_CORRUPT;
}

/* What of the block that holds OFFSET follows it. */
static enum status read_plain(const struct bulk_file *file, uint64_t offset, size_t max,
                              struct buffer *out)
{
    size_t block = (size_t)(offset / BULK_BLOCK);
    uint64_t begins = block * (uint64_t)BULK_BLOCK;
    uint64_t left = file->head.plain - begins;
    size_t length = left < BULK_BLOCK ? (size_t)left : BULK_BLOCK;
    uint64_t from = file->blocks[block], end = block_end(file, block);
    if (from < GZIP_HEAD || end <= from || end - from > 2 * BULK_BLOCK) {
        return STATUS_CORRUPT;
    }
    struct arena *arena = arena_create(0);
    char *packed = arena != NULL ? arena_alloc(arena, (size_t)(end - from)) : NULL;
    char *plain = arena != NULL ? arena_alloc(arena, length) : NULL;
    enum status status = packed == NULL || plain == NULL ? STATUS_MEMORY : STATUS_OK;
    if (status == STATUS_OK) {
        status = read_all(file->file, from, (size_t)(end - from), packed);
    }
    if (status == STATUS_OK) {
        status = inflate_block(packed, (size_t)(end - from), plain, length);
    }
    if (status == STATUS_OK) {
        buffer_add(out,
                   slice_head(slice_from(slice_of(plain, length), (size_t)(offset - begins)), max));
    }
    arena_destroy(arena);
    return status == STATUS_OK && !buffer_ok(out) ? STATUS_MEMORY : status;
}

/* The block that a byte of the packed file is of. */
static size_t block_at(const struct bulk_file *file, uint64_t offset)
{
    size_t low = 0, high = file->head.blocks;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (file->blocks[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

enum status bulk_file_read(struct bulk_file *file, bool packed, uint64_t offset, size_t max,
                           const struct bulk_access *access, struct buffer *out)
{
    uint64_t whole = bulk_file_length(file, packed);
    if (offset >= whole || max == 0) {
        return STATUS_RANGE;
    }
    size_t length = whole - offset < max ? (size_t)(whole - offset) : max;
    if (!packed) {
        uint64_t end = (offset / BULK_BLOCK + 1) * BULK_BLOCK;
        TRY(log_persons(file, offset, end < offset + length ? end : offset + length, access));
        return read_plain(file, offset, length, out);
    }
    uint64_t from = block_at(file, offset) * (uint64_t)BULK_BLOCK;
    uint64_t end = (block_at(file, offset + length - 1) + 1) * (uint64_t)BULK_BLOCK;
    TRY(log_persons(file, from, end, access));
    char *to = buffer_reserve(out, length);
    if (to == NULL) {
        return STATUS_MEMORY;
    }
    TRY(read_all(file->file, offset, length, to));
    out->length += length;
    return STATUS_OK;
}
