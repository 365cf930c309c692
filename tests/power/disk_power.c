/* SPDX-License-Identifier: MIT */
/* The disk as base/disk.h sees it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power_int.h"

#define DESCRIPTORS 4096

static const struct disk_operations *real_disk;

static struct {
    struct power_file *file;
    char *folder; /* it is a directory */
    bool created;
} opened[DESCRIPTORS];

/* What this thread did last: a folder's sync says what it was for by that. */
static _Thread_local enum { DID_OTHER, DID_SEGMENT, DID_REPLACED, DID_BACKUP } did;
static _Thread_local char made_in[POWER_PATH]; /* where it made a folder last */

static int power_open(const char *path, int flags, mode_t mode)
{
    power_enter();
    bool created = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
    if ((flags & O_TRUNC) != 0 && !created && access(path, F_OK) == 0) {
        power_file_truncate(power_file_find(path, false), 0);
    }
    int fd = real_disk->open(path, flags, mode);
    struct stat status;
    if (fd >= 0 && fd < DESCRIPTORS && fstat(fd, &status) == 0) {
        opened[fd].created = (flags & O_CREAT) != 0;
        if (S_ISDIR(status.st_mode)) {
            opened[fd].folder = strdup(path);
        } else {
            opened[fd].file = power_file_find(path, created);
        }
    }
    power_leave();
    return fd;
}

static int power_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS) {
        opened[fd].file = NULL;
        free(opened[fd].folder);
        opened[fd].folder = NULL;
    }
    return real_disk->close(fd);
}

static ssize_t power_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    power_enter();
    if (fd >= 0 && fd < DESCRIPTORS && opened[fd].file != NULL) {
        power_file_touch(opened[fd].file, offset, (int64_t)length);
    }
    ssize_t done = real_disk->pwrite(fd, bytes, length, offset);
    power_leave();
    return done;
}

static ssize_t power_pread(int fd, void *bytes, size_t length, off_t offset)
{
    return real_disk->pread(fd, bytes, length, offset);
}

static bool is_segment(const char *path)
{
    return slice_ends(slice_text(path), slice_text(".log"));
}

static enum power_sync kind_of_file(int fd)
{
    char first;
    if (!is_segment(opened[fd].file->path)) {
        return POWER_replaced;
    }
    if (opened[fd].created) {
        did = DID_SEGMENT;
        return POWER_segment;
    }
    bool begun = pread(fd, &first, 1, 0) == 1 && first != '\0';
    return begun ? POWER_recovered : POWER_recovered_ready;
}

static enum power_sync kind_of_folder(const char *folder)
{
    if (strcmp(folder, made_in) == 0) {
        made_in[0] = '\0';
        return POWER_made_folder;
    }
    switch (did) {
    case DID_SEGMENT:
        return POWER_segment_folder;
    case DID_REPLACED:
        return POWER_replaced_folder;
    case DID_BACKUP:
        return POWER_backup_folder;
    case DID_OTHER:
        break;
    }
    return slice_ends(slice_text(folder), slice_text("/audit")) ? POWER_recovered_folder
                                                                : POWER_found_folder;
}

static int sync_any(int fd, bool data_only)
{
    power_enter();
    if (fd >= 0 && fd < DESCRIPTORS && opened[fd].folder != NULL) {
        if (power_obeys(kind_of_folder(opened[fd].folder))) {
            power_names_synced(opened[fd].folder);
        }
        did = DID_OTHER;
    } else if (fd >= 0 && fd < DESCRIPTORS && opened[fd].file != NULL) {
        if (power_obeys(data_only ? POWER_batch : kind_of_file(fd))) {
            power_file_synced(opened[fd].file);
        }
    }
    power_leave();
    return 0;
}

static int power_fdatasync(int fd)
{
    return sync_any(fd, true);
}

static int power_fsync(int fd)
{
    return sync_any(fd, false);
}

static int power_ftruncate(int fd, off_t length)
{
    power_enter();
    if (fd >= 0 && fd < DESCRIPTORS && opened[fd].file != NULL) {
        power_file_truncate(opened[fd].file, length);
    }
    int answer = real_disk->ftruncate(fd, length);
    power_leave();
    return answer;
}

static int power_fallocate(int fd, off_t offset, off_t length)
{
    power_enter();
    if (fd >= 0 && fd < DESCRIPTORS && opened[fd].file != NULL) {
        power_file_touch(opened[fd].file, offset, length);
    }
    int answer = real_disk->fallocate(fd, offset, length);
    power_leave();
    return answer;
}

static int power_rename(const char *from, const char *to)
{
    power_enter();
    power_names_rename(from, to);
    int answer = real_disk->rename(from, to);
    did = slice_ends(slice_text(from), slice_text(".part")) ? DID_BACKUP : DID_REPLACED;
    power_leave();
    return answer;
}

static int power_unlink(const char *path)
{
    power_enter();
    int answer = power_names_unlink(path);
    power_leave();
    return answer;
}

static int power_mkdir(const char *path, mode_t mode)
{
    power_enter();
    int answer = real_disk->mkdir(path, mode);
    if (answer == 0) {
        power_names_made(path);
        power_folder_of(path, made_in);
    }
    power_leave();
    return answer;
}

bool power_disk_install(void)
{
    static const struct disk_operations table = {.open = power_open,
                                                 .close = power_close,
                                                 .pwrite = power_pwrite,
                                                 .pread = power_pread,
                                                 .fdatasync = power_fdatasync,
                                                 .fsync = power_fsync,
                                                 .ftruncate = power_ftruncate,
                                                 .fallocate = power_fallocate,
                                                 .rename = power_rename,
                                                 .unlink = power_unlink,
                                                 .mkdir = power_mkdir};
    real_disk = disk;
    disk = &table;
    return true;
}
