/* SPDX-License-Identifier: MIT */
/* Files that must survive a power cut, apart from SQLite's own. All durable writing outside SQLite
 * goes through this table of operations, so that a test can put a disk underneath that loses
 * every byte not yet synced. */
#ifndef CARELAYER_BASE_DISK_H
#define CARELAYER_BASE_DISK_H

#include <sys/types.h>

#include "slice.h"
#include "status.h"

/* Each answers as its POSIX namesake: -1 and errno on failure. */
struct disk_operations {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t length, off_t offset);
    ssize_t (*pread)(int fd, void *bytes, size_t length, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t length);
    int (*fallocate)(int fd, off_t offset, off_t length); /* allocates and zero-fills */
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
};

/* The operations in force: the operating system's, until a test puts others here. */
extern const struct disk_operations *disk;

/* The operating system's, for a test to stand on. */
extern const struct disk_operations disk_system;

/* Syncs the directory that holds PATH, so that a created or renamed name survives. */
MUST_CHECK enum status disk_sync_directory(const char *path);

/* Writes all bytes, retrying short writes and EINTR. ENOSPC and EDQUOT give STATUS_NO_SPACE. */
MUST_CHECK enum status disk_write_all(int fd, struct slice bytes, off_t offset);

/* The status an errno stands for: ENOSPC, EDQUOT -> STATUS_NO_SPACE, ENOMEM -> STATUS_MEMORY,
 * ENOENT -> STATUS_NOT_FOUND, everything else STATUS_IO. */
enum status disk_status(int error);

/* A whole file or stdin ("-") into the arena; STATUS_TOO_LONG over LIMIT bytes. */
struct arena;
MUST_CHECK enum status disk_read_file(const char *path, size_t limit, struct arena *arena,
                                      struct slice *ret_bytes);

/* Writes PATH so that after a power cut it is whole, old or new: temporary file, sync, rename,
 * sync of the directory. */
MUST_CHECK enum status disk_replace_file(const char *path, struct slice bytes);

/* mkdir -p with mode 0700 (records live below); the names survive a power cut, also when a process
 * made them that died before it could sync them. */
MUST_CHECK enum status disk_make_directory(const char *path);

#endif
