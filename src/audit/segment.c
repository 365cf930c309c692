/* SPDX-License-Identifier: MIT */
/* Segments: the files of the log and the records in them. */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
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
    uint32_t crc = crc32c(0, head + 8, RECORD_HEAD - 8);
    put32(head + 4, crc32c(crc, record->payload.at, record->payload.length));
}

void segment_path(const char *folder, uint32_t segment, char *ret_path, size_t size)
{
    (void)snprintf(ret_path, size, "%s/%08u.log", folder, segment);
}

enum status segment_load(const char *folder, uint32_t segment, struct arena *arena,
                         struct slice *ret_bytes)
{
    char path[4096];
    segment_path(folder, segment, path, sizeof path);
    return disk_read_file(path, SEGMENT_SIZE, arena, ret_bytes);
}

static bool begun(const char *folder, uint32_t segment, struct arena *arena)
{
    struct arena_mark mark = arena_mark(arena);
    struct slice bytes;
    struct record record;
    bool is_begun = segment_load(folder, segment, arena, &bytes) == STATUS_OK &&
                    record_read(bytes, 0, &record) && record.kind == RECORD_HEADER;
    arena_rewind(arena, mark);
    return is_begun;
}

static uint32_t file_number(const char *name)
{
    uint64_t number;
    struct slice text = slice_text(name);
    if (text.length != 12 || !slice_ends(text, SLICE(".log")) ||
        !slice_to_unsigned(slice_head(text, 8), UINT32_MAX, &number)) {
        return 0;
    }
    return (uint32_t)number;
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
    uint32_t used = last;
    while (used > 0 && !begun(folder, used, arena)) {
        used--;
    }
    *ret_used = used;
    *ret_last = last;
    return STATUS_OK;
}
