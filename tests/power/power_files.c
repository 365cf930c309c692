/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "power_int.h"

#define SECTOR 512
#define FILES  256
#define NAMES  1024

struct sector {
    int64_t number;
    char bytes[SECTOR];
};

struct power_file {
    char path[PATH_MAX];
    struct arena *arena; /* of the sectors; emptied by each sync */
    struct sector **table;
    size_t mask, count;
    int64_t length; /* that is sure to survive */
    bool dirty;
};

enum name_change { NAME_CREATED, NAME_RENAMED, NAME_DELETED };

/* A change of a name that its directory has not been synced for. */
struct name {
    enum name_change change;
    bool waiting;
    char from[PATH_MAX], to[PATH_MAX];
    char hidden[PATH_MAX]; /* what stood under TO, or what was deleted; empty: nothing */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct power_file *files[FILES];
static struct name *names[NAMES];
static size_t file_count, name_count;
static uint64_t operations, cut_at, hidden_count;
static struct random dice;
static const char *ignored;

static void give_up(const char *what)
{
    fprintf(stderr, "power: %s\n", what);
    abort();
}

static int64_t length_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

static bool is_ignored(const char *path)
{
    return ignored != NULL && slice_ends(slice_text(path), slice_text(ignored));
}

/* ---- files --------------------------------------------------------------------------------------
 */

static void name_wait(enum name_change change, const char *from, const char *to,
                      const char *hidden);

struct power_file *power_file_find(const char *path, bool created)
{
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i]->path, path) == 0) {
            if (created) {
                name_wait(NAME_CREATED, path, path, "");
            }
            return files[i];
        }
    }
    if (file_count == FILES) {
        give_up("too many files");
    }
    struct power_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        give_up("no memory");
    }
    snprintf(file->path, sizeof(file->path), "%s", path);
    file->arena = arena_create(0);
    file->length = length_of(path);
    files[file_count++] = file;
    if (created) {
        file->length = 0;
        name_wait(NAME_CREATED, path, path, "");
    }
    return file;
}

static struct sector **slot_of(struct power_file *file, int64_t number)
{
    size_t at = (size_t)((uint64_t)number * UINT64_C(0x9E3779B97F4A7C15) >> 32) & file->mask;
    while (file->table[at] != NULL && file->table[at]->number != number) {
        at = (at + 1) & file->mask;
    }
    return &file->table[at];
}

static void grow(struct power_file *file)
{
    struct sector **old = file->table;
    size_t old_size = old != NULL ? file->mask + 1 : 0;
    size_t size = old_size != 0 ? old_size * 2 : 256;
    file->table = arena_array(file->arena, size, sizeof(struct sector *));
    file->mask = size - 1;
    if (file->table == NULL) {
        give_up("no memory");
    }
    for (size_t i = 0; i < old_size; i++) {
        if (old[i] != NULL) {
            *slot_of(file, old[i]->number) = old[i];
        }
    }
}

static void remember(struct power_file *file, int fd, int64_t number)
{
    if (file->table == NULL || file->count * 2 > file->mask) {
        grow(file);
    }
    struct sector **slot = slot_of(file, number);
    if (*slot != NULL) {
        return;
    }
    struct sector *sector = ARENA_NEW(file->arena, struct sector);
    if (sector == NULL) {
        give_up("no memory");
    }
    sector->number = number;
    /* What lies past the end that is sure reads as zeroes. */
    int64_t from = number * SECTOR;
    if (from < file->length && pread(fd, sector->bytes, SECTOR, (off_t)from) < 0) {
        give_up("cannot read");
    }
    *slot = sector;
    file->count++;
}

void power_file_touch(struct power_file *file, int64_t offset, int64_t length)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return; /* its name is gone: nothing of it survives anyway */
    }
    file->dirty = true;
    for (int64_t at = offset / SECTOR; length > 0 && at <= (offset + length - 1) / SECTOR; at++) {
        remember(file, fd, at);
    }
    close(fd);
}

void power_file_truncate(struct power_file *file, int64_t length)
{
    int64_t now = length_of(file->path);
    file->dirty = true;
    if (now > length) {
        power_file_touch(file, length, now - length);
    }
}

static void forget(struct power_file *file)
{
    arena_reset(file->arena, 0);
    file->table = NULL;
    file->mask = 0;
    file->count = 0;
    file->dirty = false;
    file->length = length_of(file->path);
}

void power_file_synced(struct power_file *file)
{
    if (!is_ignored(file->path)) {
        forget(file);
    }
}

/* Puts back what the dice say; a sector past the sure end that stays keeps the file that long. */
static void file_cut(struct power_file *file, uint64_t keep)
{
    int fd = file->dirty ? open(file->path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    int64_t now = length_of(file->path), end = file->length;
    bool shortened = now < file->length && random_below(&dice, 100) < keep;
    for (size_t i = 0; file->table != NULL && i <= file->mask; i++) {
        const struct sector *sector = file->table[i];
        if (sector == NULL) {
            continue;
        }
        int64_t from = sector->number * SECTOR;
        if (from + SECTOR <= now && random_below(&dice, 100) < keep) {
            end = from + SECTOR > end ? from + SECTOR : end;
        } else if (pwrite(fd, sector->bytes, SECTOR, (off_t)from) != SECTOR) {
            give_up("cannot put back");
        }
    }
    if (ftruncate(fd, (off_t)(shortened ? now : end)) != 0) {
        give_up("cannot put back the length");
    }
    close(fd);
}

/* ---- names --------------------------------------------------------------------------------------
 */

static bool is_in(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;
    return strlen(folder) == length && memcmp(path, folder, length) == 0;
}

static void name_wait(enum name_change change, const char *from, const char *to, const char *hidden)
{
    struct name *name = NULL;
    for (size_t i = 0; i < name_count && name == NULL; i++) {
        /* The place of one that is settled can only be used when none after it waits. */
        if (i + 1 == name_count && !names[i]->waiting) {
            name = names[i];
        }
    }
    if (name == NULL) {
        if (name_count == NAMES) {
            give_up("too many changes of names");
        }
        name = names[name_count++] = calloc(1, sizeof(*name));
    }
    if (name == NULL) {
        give_up("no memory");
    }
    name->change = change;
    name->waiting = true;
    snprintf(name->from, sizeof(name->from), "%s", from);
    snprintf(name->to, sizeof(name->to), "%s", to);
    snprintf(name->hidden, sizeof(name->hidden), "%s", hidden);
}

/* Keeps what stands under PATH aside, so that it can come back. */
static void hide(const char *path, char ret_hidden[static PATH_MAX])
{
    int length =
        snprintf(ret_hidden, PATH_MAX, "%s.lost%llu", path, (unsigned long long)++hidden_count);
    if (length >= PATH_MAX || rename(path, ret_hidden) != 0) {
        ret_hidden[0] = '\0';
    }
}

static void file_moves(const char *from, const char *to)
{
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i]->path, to) == 0) {
            files[i]->path[0] = '\0';
        }
    }
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i]->path, from) == 0) {
            snprintf(files[i]->path, sizeof(files[i]->path), "%s", to);
        }
    }
}

void power_names_rename(const char *from, const char *to)
{
    char hidden[PATH_MAX] = "";
    if (access(from, F_OK) != 0) {
        return;
    }
    if (access(to, F_OK) == 0) {
        hide(to, hidden);
        file_moves(to, hidden);
    }
    name_wait(NAME_RENAMED, from, to, hidden);
    file_moves(from, to);
}

int power_names_unlink(const char *path)
{
    char hidden[PATH_MAX];
    if (access(path, F_OK) != 0) {
        errno = ENOENT;
        return -1;
    }
    hide(path, hidden);
    file_moves(path, hidden);
    name_wait(NAME_DELETED, path, path, hidden);
    return 0;
}

void power_names_synced(const char *folder)
{
    if (ignored != NULL && strcmp(ignored, "/") == 0) {
        return;
    }
    for (size_t i = 0; i < name_count; i++) {
        struct name *name = names[i];
        if (name->waiting && is_in(name->to, folder)) {
            name->waiting = false;
            if (name->hidden[0] != '\0') {
                unlink(name->hidden);
            }
        }
    }
    while (name_count > 0 && !names[name_count - 1]->waiting) {
        free(names[--name_count]);
    }
}

static void name_back(const struct name *name)
{
    switch (name->change) {
    case NAME_CREATED:
        unlink(name->to);
        break;
    case NAME_RENAMED:
        (void)rename(name->to, name->from);
        break;
    case NAME_DELETED:
        break;
    }
    if (name->hidden[0] != '\0') {
        (void)rename(name->hidden, name->to);
    }
}

/* ---- the cut
 * -------------------------------------------------------------------------------------- */

static _Noreturn void cut(void)
{
    /* Now and then nothing unsynced survives, now and then everything. */
    static const uint64_t chances[] = {0, 10, 50, 90, 100};
    for (size_t i = 0; i < file_count; i++) {
        if (files[i]->path[0] != '\0') {
            file_cut(files[i], chances[random_below(&dice, 5)]);
        }
    }
    size_t kept = (size_t)random_below(&dice, (uint64_t)name_count + 1);
    for (size_t i = name_count; i > 0; i--) {
        const struct name *name = names[i - 1];
        if (name->waiting && i > kept) {
            name_back(name);
        } else if (name->waiting && name->hidden[0] != '\0') {
            unlink(name->hidden);
        }
    }
    _exit(POWER_EXIT);
}

void power_enter(void)
{
    pthread_mutex_lock(&lock);
    operations++;
    if (cut_at != 0 && operations >= cut_at) {
        cut();
    }
}

void power_leave(void)
{
    pthread_mutex_unlock(&lock);
}

_Noreturn void power_cut(void)
{
    pthread_mutex_lock(&lock);
    cut();
}

void power_cut_after(uint64_t count, uint64_t seed)
{
    pthread_mutex_lock(&lock);
    random_seed(&dice, seed, 0);
    cut_at = count != 0 ? operations + count : 0;
    pthread_mutex_unlock(&lock);
}

uint64_t power_operations(void)
{
    pthread_mutex_lock(&lock);
    uint64_t count = operations;
    pthread_mutex_unlock(&lock);
    return count;
}

void power_ignore_syncs(const char *suffix)
{
    pthread_mutex_lock(&lock);
    ignored = suffix;
    pthread_mutex_unlock(&lock);
}
