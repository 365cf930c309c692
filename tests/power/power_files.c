/* SPDX-License-Identifier: MIT */
/* What a file's unsynced writes have overwritten. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "power_int.h"

static uint32_t index_of(const struct power_file *file)
{
    return (uint32_t)(file - power_state->files);
}

static uint32_t *bucket_of(uint32_t file, int64_t number)
{
    uint64_t mixed = ((uint64_t)number * 8191 + file) * UINT64_C(0x9E3779B97F4A7C15);
    return &power_state->buckets[mixed >> 52];
}

struct power_file *power_file_find(const char *path, bool created)
{
    struct power_state *state = power_state;
    struct power_file *file = NULL, *unused = NULL;
    for (uint32_t i = 0; i < state->file_count && file == NULL; i++) {
        struct power_file *one = &state->files[i];
        file = strcmp(one->path, path) == 0 ? one : NULL;
        unused = one->path[0] == '\0' && one->sectors == 0 && !one->dirty ? one : unused;
    }
    bool is_new = file == NULL;
    if (is_new && unused == NULL && state->file_count == POWER_FILES) {
        power_give_up("too many files");
    }
    if (is_new) {
        file = unused != NULL ? unused : &state->files[state->file_count++];
        *file = (struct power_file){.length = created ? 0 : power_length_of(path)};
        if ((size_t)snprintf(file->path, sizeof(file->path), "%s", path) >= sizeof(file->path)) {
            power_give_up("a path is too long");
        }
    }
    if (created) {
        power_names_created(path);
    }
    return file;
}

static struct power_sector *sector_new(void)
{
    struct power_state *state = power_state;
    if (state->free_sectors != 0) {
        struct power_sector *sector = &state->sectors[state->free_sectors];
        state->free_sectors = sector->next_in_file;
        return sector;
    }
    if (state->sector_count + 1 == POWER_SECTORS) {
        power_give_up("too many unsynced sectors");
    }
    return &state->sectors[++state->sector_count];
}

static void remember(struct power_file *file, int fd, int64_t number)
{
    struct power_state *state = power_state;
    uint32_t *bucket = bucket_of(index_of(file), number);
    for (uint32_t at = *bucket; at != 0; at = state->sectors[at].next_in_bucket) {
        if (state->sectors[at].number == number && state->sectors[at].file == index_of(file)) {
            return;
        }
    }
    struct power_sector *sector = sector_new();
    sector->number = number;
    sector->file = index_of(file);
    sector->next_in_bucket = *bucket;
    sector->next_in_file = file->sectors;
    *bucket = file->sectors = (uint32_t)(sector - state->sectors);
    /* What lies past the end that is sure reads as zeroes. */
    int64_t from = number * POWER_SECTOR;
    ssize_t got = from < file->length ? pread(fd, sector->bytes, POWER_SECTOR, (off_t)from) : 0;
    if (got < 0) {
        power_give_up("cannot read");
    }
    memset(sector->bytes + got, 0, POWER_SECTOR - (size_t)got);
}

void power_file_touch(struct power_file *file, int64_t offset, int64_t length)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return; /* its name is gone: nothing of it survives anyway */
    }
    file->dirty = true;
    int64_t last = (offset + length - 1) / POWER_SECTOR;
    for (int64_t at = offset / POWER_SECTOR; length > 0 && at <= last; at++) {
        remember(file, fd, at);
    }
    close(fd);
}

void power_file_truncate(struct power_file *file, int64_t length)
{
    int64_t now = power_length_of(file->path);
    file->dirty = true;
    if (now > length) {
        power_file_touch(file, length, now - length);
    }
}

void power_file_synced(struct power_file *file)
{
    struct power_state *state = power_state;
    while (file->sectors != 0) {
        struct power_sector *sector = &state->sectors[file->sectors];
        uint32_t *link = bucket_of(sector->file, sector->number);
        while (*link != file->sectors) {
            link = &state->sectors[*link].next_in_bucket;
        }
        *link = sector->next_in_bucket;
        uint32_t next = sector->next_in_file;
        sector->next_in_file = state->free_sectors;
        state->free_sectors = file->sectors;
        file->sectors = next;
    }
    file->dirty = false;
    file->length = power_length_of(file->path);
}

void power_file_gone(const char *path)
{
    struct power_state *state = power_state;
    for (uint32_t i = 0; i < state->file_count; i++) {
        if (strcmp(state->files[i].path, path) == 0) {
            state->files[i].path[0] = '\0';
            power_file_synced(&state->files[i]);
        }
    }
}

void power_file_moves(const char *from, const char *to)
{
    struct power_state *state = power_state;
    power_file_gone(to);
    for (uint32_t i = 0; i < state->file_count; i++) {
        if (strcmp(state->files[i].path, from) == 0) {
            snprintf(state->files[i].path, POWER_PATH, "%s", to);
        }
    }
}

/* Puts back what the dice say; a sector past the sure end that stays keeps the file that long. */
void power_file_cut(struct power_file *file, uint64_t keep)
{
    struct power_state *state = power_state;
    int fd = file->dirty ? open(file->path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    int64_t now = power_length_of(file->path), end = file->length;
    bool shortened = now < file->length && random_below(&state->dice, 100) < keep;
    for (uint32_t at = file->sectors; at != 0; at = state->sectors[at].next_in_file) {
        const struct power_sector *sector = &state->sectors[at];
        int64_t from = sector->number * POWER_SECTOR;
        if (from + POWER_SECTOR <= now && random_below(&state->dice, 100) < keep) {
            end = from + POWER_SECTOR > end ? from + POWER_SECTOR : end;
        } else if (pwrite(fd, sector->bytes, POWER_SECTOR, (off_t)from) != POWER_SECTOR) {
            power_give_up("cannot put back");
        }
    }
    if (ftruncate(fd, (off_t)(shortened ? now : end)) != 0) {
        power_give_up("cannot put back the length");
    }
    close(fd);
}
