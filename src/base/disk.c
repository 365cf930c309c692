/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}

static int system_fallocate(int fd, off_t offset, off_t length)
{
    if (fallocate(fd, 0, offset, length) == 0) {
        return 0;
    }
    if (errno != EOPNOTSUPP) {
        return -1;
    }
    int error = posix_fallocate(fd, offset, length);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return 0;
}

const struct disk_operations disk_system = {.open = system_open,
                                            .close = close,
                                            .pwrite = pwrite,
                                            .pread = pread,
                                            .fdatasync = fdatasync,
                                            .fsync = fsync,
                                            .ftruncate = ftruncate,
                                            .fallocate = system_fallocate,
                                            .rename = rename,
                                            .unlink = unlink,
                                            .mkdir = mkdir};

const struct disk_operations *disk = &disk_system;

enum status disk_status(int error)
{
    switch (error) {
    case 0:
        return STATUS_OK;
    case ENOSPC:
    case EDQUOT:
        return STATUS_NO_SPACE;
    case ENOMEM:
        return STATUS_MEMORY;
    case ENOENT:
        return STATUS_NOT_FOUND;
    default:
        return STATUS_IO;
    }
}

enum status disk_sync_directory(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : slash != NULL ? (size_t)(slash - path) : 0;
    if (length >= sizeof folder) {
        return disk_status(ENAMETOOLONG);
    }
    memcpy(folder, length > 0 ? path : ".", length > 0 ? length : 1);
    folder[length > 0 ? length : 1] = '\0';
    int fd = disk->open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        return disk_status(errno);
    }
    int error = disk->fsync(fd) != 0 ? errno : 0;
    (void)disk->close(fd);
    return disk_status(error);
}

enum status disk_write_all(int fd, struct slice bytes, off_t offset)
{
    while (bytes.length > 0) {
        ssize_t written = disk->pwrite(fd, bytes.at, bytes.length, offset);
        if (written < 0 && errno != EINTR) {
            return disk_status(errno);
        }
        if (written == 0) {
            return STATUS_IO; /* no progress and no reason: do not spin */
        }
        if (written > 0) {
            bytes = slice_from(bytes, (size_t)written);
            offset += written;
        }
    }
    return STATUS_OK;
}

#define READ_STEP ((size_t)64 << 10)

/* Reads at OFFSET where the descriptor has positions, else what comes next (pipes, stdin). */
static ssize_t read_some(int fd, bool *positions, char *to, size_t length, off_t offset)
{
    if (*positions) {
        ssize_t got = disk->pread(fd, to, length, offset);
        if (got >= 0 || errno != ESPIPE) {
            return got;
        }
        *positions = false;
    }
    return read(fd, to, length);
}

static enum status read_all(int fd, bool positions, size_t limit, struct buffer *out)
{
    struct stat about;
    if (positions && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
        if ((uintmax_t)about.st_size > limit) {
            return STATUS_TOO_LONG;
        }
        (void)buffer_reserve(out, (size_t)about.st_size + 1);
    }
    for (;;) {
        size_t room = out->capacity - out->length;
        room = room > 0 ? room : READ_STEP;
        char *to = buffer_reserve(out, room);
        if (to == NULL) {
            return STATUS_TOO_COSTLY;
        }
        ssize_t got = read_some(fd, &positions, to, room, (off_t)out->length);
        if (got == 0) {
            return STATUS_OK;
        }
        if (got < 0 && errno != EINTR) {
            return disk_status(errno);
        }
        out->length += got > 0 ? (size_t)got : 0;
        if (out->length > limit) {
            return STATUS_TOO_LONG;
        }
    }
}

enum status disk_read_file(const char *path, size_t limit, struct arena *arena,
                           struct slice *ret_bytes)
{
    struct buffer bytes = {.arena = arena};
    bool standard_input = strcmp(path, "-") == 0;
    *ret_bytes = (struct slice){NULL, 0};
    int fd = standard_input ? STDIN_FILENO : disk->open(path, O_RDONLY, 0);
    if (fd < 0) {
        return disk_status(errno);
    }
    enum status status = read_all(fd, !standard_input, limit, &bytes);
    if (!standard_input) {
        (void)disk->close(fd);
    }
    TRY(status);
    *ret_bytes = buffer_slice(&bytes);
    return STATUS_OK;
}

static enum status write_and_sync(const char *path, struct slice bytes)
{
    int fd = disk->open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) {
        return disk_status(errno);
    }
    enum status status = disk_write_all(fd, bytes, 0);
    if (status == STATUS_OK && disk->fsync(fd) != 0) {
        status = disk_status(errno);
    }
    if (disk->close(fd) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    return status;
}

enum status disk_replace_file(const char *path, struct slice bytes)
{
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return disk_status(ENAMETOOLONG);
    }
    enum status status = write_and_sync(temporary, bytes);
    if (status == STATUS_OK && disk->rename(temporary, path) != 0) {
        status = disk_status(errno);
    }
    if (status != STATUS_OK) {
        (void)disk->unlink(temporary);
        return status;
    }
    return disk_sync_directory(path);
}

static enum status make_one(const char *path, bool *ret_made)
{
    *ret_made = disk->mkdir(path, 0700) == 0;
    int error = *ret_made ? 0 : errno;
    struct stat about;
    if (error == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
        return STATUS_OK;
    }
    return disk_status(error);
}

/* The deepest folder that was there already may be the work of a process that died before it synced
 * the name; those above it were synced before it was made. One whose parent we may not read was
 * not made by us. */
static enum status sync_existing(const char *path)
{
    enum status status = disk_sync_directory(path);
    return status != STATUS_OK && errno == EACCES ? STATUS_OK : status;
}

enum status disk_make_directory(const char *path)
{
    char part[PATH_MAX], existing[PATH_MAX] = "";
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    if (length >= sizeof part) {
        return disk_status(ENAMETOOLONG);
    }
    for (size_t i = 1; i <= length; i++) {
        if (i == length || (path[i] == '/' && path[i - 1] != '/')) {
            memcpy(part, path, i);
            part[i] = '\0';
            bool made;
            TRY(make_one(part, &made));
            if (!made) {
                memcpy(existing, part, i + 1);
                continue;
            }
            if (existing[0] != '\0') {
                TRY(sync_existing(existing));
                existing[0] = '\0';
            }
            TRY(disk_sync_directory(part));
        }
    }
    if (existing[0] != '\0') {
        TRY(sync_existing(existing));
    }
    return length > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}
