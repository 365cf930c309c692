/* SPDX-License-Identifier: MIT */
/* The disk as SQLite sees it: a VFS. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "power_int.h"

/* ---- SQLite's files
 * ------------------------------------------------------------------------------ */

struct shim {
    sqlite3_file base;
    struct power_file *power;
    enum power_sync kind;
    bool journal; /* SQLite syncs the directory with the first sync of these */
    char folder[POWER_PATH];
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
    if (power_obeys(shim->kind)) {
        power_file_synced(shim->power);
    }
    if (shim->journal) {
        if (power_obeys(POWER_sqlite_folder)) {
            power_names_synced(shim->folder);
        }
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

static enum power_sync kind_of(const char *path)
{
    static const struct {
        const char *suffix;
        enum power_sync kind;
    } table[] = {{"-wal", POWER_wal}, {"-journal", POWER_journal}, {".part", POWER_backup}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (slice_ends(slice_text(path), slice_text(table[i].suffix))) {
            return table[i].kind;
        }
    }
    return POWER_db;
}

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
        shim->kind = kind_of(path);
        power_folder_of(path, shim->folder);
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
    } else if (sync_folder && power_obeys(POWER_sqlite_folder)) {
        char folder[POWER_PATH];
        power_folder_of(path, folder);
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

bool power_install(void)
{
    static sqlite3_vfs vfs = {.iVersion = 1,
                              .mxPathname = POWER_PATH - 32,
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
    return power_share() && power_disk_install() && sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}
