/* SPDX-License-Identifier: MIT */
/* What the client is told of a file: the outcomes of its lines, each once. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed/jobs_int.h"

#define WRITE_STEP ((size_t)1 << 18)

struct lines {
    struct arena *arena;
    uint64_t *seen; /* open addressing; 0: free */
    size_t count, slots;
    int file;
    off_t length;
    struct buffer out;
};

static bool seen_before(struct lines *lines, uint64_t hash)
{
    hash = hash != 0 ? hash : 1;
    size_t at = hash & (lines->slots - 1);
    while (lines->seen[at] != 0 && lines->seen[at] != hash) {
        at = (at + 1) & (lines->slots - 1);
    }
    bool before = lines->seen[at] == hash;
    lines->seen[at] = hash;
    lines->count += !before;
    return before;
}

static enum status make_room(struct lines *lines)
{
    if (lines->count * 2 < lines->slots) {
        return STATUS_OK;
    }
    struct lines more = {.slots = lines->slots > 0 ? lines->slots * 4 : 1024};
    more.seen = arena_array(lines->arena, more.slots, sizeof *more.seen);
    if (more.seen == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < lines->slots; i++) {
        if (lines->seen[i] != 0) {
            (void)seen_before(&more, lines->seen[i]);
        }
    }
    lines->seen = more.seen;
    lines->slots = more.slots;
    return STATUS_OK;
}

static enum status write_out(struct lines *lines)
{
    TRY(buffer_ok(&lines->out) ? STATUS_OK : STATUS_MEMORY);
    TRY(disk_write_all(lines->file, buffer_slice(&lines->out), lines->length));
    lines->length += (off_t)lines->out.length;
    lines->out.length = 0;
    return STATUS_OK;
}

/* A kill lists what was rejected in its last units twice: once is enough. */
static enum status copy_lines(struct lines *lines, struct slice text)
{
    while (text.length > 0) {
        struct slice line = slice_head(text, slice_index(text, '\n') + 1);
        text = slice_from(text, line.length);
        TRY(make_room(lines));
        if (!seen_before(lines, slice_hash(line))) {
            buffer_add(&lines->out, line);
        }
        if (lines->out.length > WRITE_STEP) {
            TRY(write_out(lines));
        }
    }
    return STATUS_OK;
}

static enum status copy_file(struct lines *lines, const char *path)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno == ENOENT ? STATUS_OK : disk_status(errno);
    }
    enum status status = fstat(file, &about) == 0 ? STATUS_OK : STATUS_IO;
    size_t length = status == STATUS_OK ? (size_t)about.st_size : 0;
    void *map = length > 0 ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    if (map != MAP_FAILED) {
        status = copy_lines(lines, slice_of(map, length));
        (void)munmap(map, length);
    } else if (length > 0) {
        status = STATUS_MEMORY;
    }
    (void)close(file);
    return status;
}

static enum status write_lines(struct lines *lines, const char *rejects, const struct outcome *last)
{
    TRY(copy_file(lines, rejects));
    if (last->errors > 0) {
        outcome_write_json(last, &lines->out);
        buffer_add_byte(&lines->out, '\n');
        lines->count++;
    }
    TRY(write_out(lines));
    return disk->fsync(lines->file) == 0 ? STATUS_OK : disk_status(errno);
}

enum status outcomes_write(const char *rejects, const char *path, const struct outcome *last,
                           uint64_t *ret_count)
{
    struct arena *arena = arena_create(0);
    struct lines lines = {.arena = arena, .out = {.arena = arena}};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    lines.file = disk->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum status status = lines.file >= 0 ? write_lines(&lines, rejects, last) : disk_status(errno);
    if (lines.file >= 0 && disk->close(lines.file) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    *ret_count = lines.count;
    arena_destroy(arena);
    return status == STATUS_OK ? disk_sync_directory(path) : status;
}
