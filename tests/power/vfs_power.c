/* SPDX-License-Identifier: MIT */
/* The two faces of the disk: SQLite's VFS, and base/disk.h's operations. */
#include "vfs_power.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "power_int.h"

/* ---- SQLite's files
 * ------------------------------------------------------------------------------ */

struct shim {
    sqlite3_file base;
    struct power_file *power;
    bool journal; /* SQLite syncs the directory with the first sync of these */
    char folder[PATH_MAX];
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *at, int length, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), at, length, offset);
}

static int shim_write(sqlite3_file *file, const void *at, int length, sqlite3_int64 offset)
{
    power_enter();
    power_file_touch(((struct shim *)file)->power, offset, length);
    int code = real_of(file)->pMethods->xWrite(real_of(file), at, length, offset);
    power_leave();
    return code;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 length)
{
    power_enter();
    power_file_truncate(((struct shim *)file)->power, length);
    int code = real_of(file)->pMethods->xTruncate(real_of(file), length);
    power_leave();
    return code;
}

static int shim_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct shim *shim = (struct shim *)file;
    power_enter();
    power_file_synced(shim->power);
    if (shim->journal) {
        power_names_synced(shim->folder);
        shim->journal = false;
    }
    power_leave();
    return SQLITE_OK; /* the machine stays up: the real disk need not be waited for */
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *ret_locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_locked);
}

static int shim_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int shim_sector_size(sqlite3_file *file)
{
    (void)file;
    return 512;
}

static int shim_characteristics(sqlite3_file *file)
{
    (void)file;
    return 0; /* nothing is promised: no atomic writes, no safe append, no order */
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_at)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret_at);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods shim_methods = {.iVersion = 2,
                                                .xClose = shim_close,
                                                .xRead = shim_read,
                                                .xWrite = shim_write,
                                                .xTruncate = shim_truncate,
                                                .xSync = shim_sync,
                                                .xFileSize = shim_size,
                                                .xLock = shim_lock,
                                                .xUnlock = shim_unlock,
                                                .xCheckReservedLock = shim_check_lock,
                                                .xFileControl = shim_control,
                                                .xSectorSize = shim_sector_size,
                                                .xDeviceCharacteristics = shim_characteristics,
                                                .xShmMap = shim_shm_map,
                                                .xShmLock = shim_shm_lock,
                                                .xShmBarrier = shim_shm_barrier,
                                                .xShmUnmap = shim_shm_unmap};

/* ---- SQLite's names
 * ------------------------------------------------------------------------------ */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    (void)vfs;
    struct shim *shim = (struct shim *)file;
    memset(shim, 0, sizeof(*shim));
    shim->real = (sqlite3_file *)(shim + 1);
    bool temporary = path == NULL || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    if (temporary) { /* no record lives there */
        return real_vfs->xOpen(real_vfs, path, file, flags, ret_flags);
    }
    power_enter();
    bool created = access(path, F_OK) != 0;
    int code = real_vfs->xOpen(real_vfs, path, shim->real, flags, ret_flags);
    if (code == SQLITE_OK) {
        shim->power = power_file_find(path, created);
        shim->journal = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
        const char *slash = strrchr(path, '/');
        snprintf(shim->folder, sizeof(shim->folder), "%.*s",
                 slash != NULL ? (int)(slash - path) : 0, path);
        shim->base.pMethods = &shim_methods;
    }
    power_leave();
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    power_enter();
    int code = SQLITE_OK;
    if (power_names_unlink(path) != 0) {
        code = errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
    } else if (sync_folder) {
        char folder[PATH_MAX];
        const char *slash = strrchr(path, '/');
        snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
        power_names_synced(folder);
    }
    power_leave();
    return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_answer)
{
    (void)vfs;
    return real_vfs->xAccess(real_vfs, path, flags, ret_answer);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int length, char *ret_path)
{
    (void)vfs;
    return real_vfs->xFullPathname(real_vfs, path, length, ret_path);
}

static int vfs_randomness(sqlite3_vfs *vfs, int length, char *ret_bytes)
{
    (void)vfs;
    return real_vfs->xRandomness(real_vfs, length, ret_bytes);
}

static int vfs_sleep(sqlite3_vfs *vfs, int micros)
{
    (void)vfs;
    return real_vfs->xSleep(real_vfs, micros);
}

static int vfs_time(sqlite3_vfs *vfs, double *ret_time)
{
    (void)vfs;
    return real_vfs->xCurrentTime(real_vfs, ret_time);
}

static int vfs_last_error(sqlite3_vfs *vfs, int length, char *ret_text)
{
    (void)vfs;
    return real_vfs->xGetLastError(real_vfs, length, ret_text);
}

/* ---- the operations of base/disk.h
 * --------------------------------------------------------------- */

#define DESCRIPTORS 4096

static const struct disk_operations *real_disk;
static struct power_file *open_files[DESCRIPTORS];
static char *open_folders[DESCRIPTORS];

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
        if (S_ISDIR(status.st_mode)) {
            open_folders[fd] = strdup(path);
        } else {
            open_files[fd] = power_file_find(path, created);
        }
    }
    power_leave();
    return fd;
}

static int power_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS) {
        open_files[fd] = NULL;
        free(open_folders[fd]);
        open_folders[fd] = NULL;
    }
    return real_disk->close(fd);
}

static ssize_t power_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    power_enter();
    if (fd < DESCRIPTORS && open_files[fd] != NULL) {
        power_file_touch(open_files[fd], offset, (int64_t)length);
    }
    ssize_t done = real_disk->pwrite(fd, bytes, length, offset);
    power_leave();
    return done;
}

static ssize_t power_pread(int fd, void *bytes, size_t length, off_t offset)
{
    return real_disk->pread(fd, bytes, length, offset);
}

static int power_fsync(int fd)
{
    power_enter();
    if (fd < DESCRIPTORS && open_folders[fd] != NULL) {
        power_names_synced(open_folders[fd]);
    } else if (fd < DESCRIPTORS && open_files[fd] != NULL) {
        power_file_synced(open_files[fd]);
    }
    power_leave();
    return 0;
}

static int power_ftruncate(int fd, off_t length)
{
    power_enter();
    if (fd < DESCRIPTORS && open_files[fd] != NULL) {
        power_file_truncate(open_files[fd], length);
    }
    int answer = real_disk->ftruncate(fd, length);
    power_leave();
    return answer;
}

static int power_fallocate(int fd, off_t offset, off_t length)
{
    power_enter();
    if (fd < DESCRIPTORS && open_files[fd] != NULL) {
        power_file_touch(open_files[fd], offset, length);
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

bool power_install(void)
{
    static const struct disk_operations power_operations_table = {.open = power_open,
                                                                  .close = power_close,
                                                                  .pwrite = power_pwrite,
                                                                  .pread = power_pread,
                                                                  .fdatasync = power_fsync,
                                                                  .fsync = power_fsync,
                                                                  .ftruncate = power_ftruncate,
                                                                  .fallocate = power_fallocate,
                                                                  .rename = power_rename,
                                                                  .unlink = power_unlink};
    static sqlite3_vfs vfs = {.iVersion = 1,
                              .mxPathname = PATH_MAX - 64,
                              .zName = POWER_VFS,
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_path,
                              .xRandomness = vfs_randomness,
                              .xSleep = vfs_sleep,
                              .xCurrentTime = vfs_time,
                              .xGetLastError = vfs_last_error};
    real_vfs = sqlite3_vfs_find(NULL);
    if (real_vfs == NULL) {
        return false;
    }
    vfs.szOsFile = (int)sizeof(struct shim) + real_vfs->szOsFile;
    real_disk = disk;
    disk = &power_operations_table;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}
