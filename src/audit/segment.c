/* SPDX-License-Identifier: MIT */
/* Segments: the files of the log and the records in them. */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit_int.h"

static uint32_t get32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static uint64_t get64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static void put32(char *at, uint32_t value)
{
    uint32_t little = htole32(value);
    memcpy(at, &little, sizeof little);
}

static void put64(char *at, uint64_t value)
{
    uint64_t little = htole64(value);
    memcpy(at, &little, sizeof little);
}

bool record_read(struct slice bytes, size_t offset, struct record *ret_record)
{
    if (offset > bytes.length || bytes.length - offset < RECORD_HEAD) {
        return false;
    }
    const char *head = bytes.at + offset;
    uint32_t length = get32(head);
    if (length == 0 || length > bytes.length - offset - RECORD_HEAD ||
        crc32c(0, head + 8, RECORD_HEAD - 8 + length) != get32(head + 4)) {
        return false;
    }
    *ret_record = (struct record){.number = get64(head + 8),
                                  .origin = get64(head + 16),
                                  .kind = get32(head + 24),
                                  .count = get32(head + 28),
                                  .synced = get32(head + 32),
                                  .payload = slice_of(head + RECORD_HEAD, length)};
    return true;
}

void record_write_head(const struct record *record, char head[static RECORD_HEAD])
{
    put32(head, (uint32_t)record->payload.length);
    put64(head + 8, record->number);
    put64(head + 16, record->origin);
    put32(head + 24, record->kind);
    put32(head + 28, record->count);
    put32(head + 32, record->synced);
    put32(head + 36, 0);
    uint32_t crc = crc32c(0, head + 8, RECORD_HEAD - 8);
    put32(head + 4, crc32c(crc, record->payload.at, record->payload.length));
}

void segment_path(const char *folder, uint32_t segment, char *ret_path, size_t size)
{
    (void)snprintf(ret_path, size, "%s/%08u.log", folder, segment);
}

/* Up to SIZE bytes from the front of a segment. */
static enum status load_head(const char *folder, uint32_t segment, size_t size, struct arena *arena,
                             struct slice *ret_bytes)
{
    char path[4096];
    char *bytes = arena_alloc(arena, size);
    if (bytes == NULL) {
        return STATUS_MEMORY;
    }
    segment_path(folder, segment, path, sizeof path);
    int fd = disk->open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return disk_status(errno);
    }
    size_t length = 0;
    ssize_t count = 1;
    while (length < size && count > 0) {
        count = disk->pread(fd, bytes + length, size - length, (off_t)length);
        length += count > 0 ? (size_t)count : 0;
    }
    enum status status = count < 0 ? disk_status(errno) : STATUS_OK;
    (void)disk->close(fd);
    *ret_bytes = slice_of(bytes, length);
    return status;
}

enum status segment_load(const char *folder, uint32_t segment, struct arena *arena,
                         struct slice *ret_bytes)
{
    return load_head(folder, segment, SEGMENT_SIZE, arena, ret_bytes);
}

/* A segment that cannot be read is an error, not an empty one: the log would start anew. */
static enum status is_begun(const char *folder, uint32_t segment, struct arena *arena,
                            bool *ret_begun)
{
    struct arena_mark mark = arena_mark(arena);
    struct slice bytes;
    struct record record;
    enum status status = load_head(folder, segment, 4096, arena, &bytes);
    *ret_begun =
        status == STATUS_OK && record_read(bytes, 0, &record) && record.kind == RECORD_HEADER;
    arena_rewind(arena, mark);
    return status;
}

/* The number in "00000012.log"; 0: another file. */
static uint32_t file_number(const char *name)
{
    uint32_t number = 0;
    if (strlen(name) != 12 || strcmp(name + 8, ".log") != 0) {
        return 0;
    }
    for (size_t i = 0; i < 8; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return 0;
        }
        number = number * 10 + (uint32_t)(name[i] - '0');
    }
    return number;
}

enum status segment_find(const char *folder, struct arena *arena, uint32_t *ret_used,
                         uint32_t *ret_last)
{
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return disk_status(errno);
    }
    uint32_t last = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        uint32_t number = file_number(entry->d_name);
        last = number > last ? number : last;
    }
    (void)closedir(directory);
    /* Only the few kept ready at the end are not begun. */
    bool begun = false;
    *ret_last = last;
    for (*ret_used = last; *ret_used > 0; (*ret_used)--) {
        TRY(is_begun(folder, *ret_used, arena, &begun));
        if (begun) {
            break;
        }
    }
    return STATUS_OK;
}
