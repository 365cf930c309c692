/* SPDX-License-Identifier: MIT */
/* Between the parts: the cut (power.c), files (power_files.c), names (power_names.c), and the two
 * faces (vfs_power.c, disk_power.c). Everything is called with the lock held. */
#ifndef CARELAYER_TESTS_POWER_INT_H
#define CARELAYER_TESTS_POWER_INT_H

#include <limits.h>
#include <sys/types.h>

#include "base/base.h"
#include "vfs_power.h"

#define POWER_FILES   256
#define POWER_NAMES   512
#define POWER_PATH    256
#define POWER_SECTOR  512
#define POWER_SECTORS ((uint32_t)1 << 18)
#define POWER_BUCKETS 4096

/* The old content of a sector. Indexes count from 1; 0 is none. */
struct power_sector {
    int64_t number;
    uint32_t file;
    uint32_t next_in_bucket;
    uint32_t next_in_file; /* or in the list of free ones */
    char bytes[POWER_SECTOR];
};

struct power_file {
    char path[POWER_PATH]; /* empty: its name is gone */
    uint32_t sectors;      /* the first remembered */
    int64_t length;        /* that is sure to survive */
    bool dirty;
};

enum power_change { POWER_CREATED, POWER_MADE, POWER_RENAMED, POWER_DELETED };

/* A change of a name that its directory has not been synced for. */
struct power_name {
    enum power_change change;
    bool waiting;
    char from[POWER_PATH], to[POWER_PATH];
    char hidden[POWER_PATH]; /* what stood under TO, or what was deleted; empty: nothing */
};

struct power_state {
    uint64_t operations, cut_at, die_at, hidden_count;
    struct random dice;
    int stop_kind; /* -1: none */
    uint64_t stop_count;
    int ignored; /* an enum power_sync; -1: none */
    uint64_t syncs[POWER_SYNC_COUNT];
    uint32_t file_count, name_count, sector_count, free_sectors;
    struct power_file files[POWER_FILES];
    struct power_name names[POWER_NAMES];
    uint32_t buckets[POWER_BUCKETS];
    struct power_sector sectors[POWER_SECTORS];
};
extern struct power_state *power_state;

_Noreturn void power_give_up(const char *what);

/* Takes the lock; may end the process. */
void power_enter(void);
void power_leave(void);

/* Counts a sync. False: it is one to be ignored. */
bool power_obeys(enum power_sync kind);

int64_t power_length_of(const char *path);
void power_folder_of(const char *path, char ret_folder[static POWER_PATH]);

/* The file's record. CREATED: its name is new. */
struct power_file *power_file_find(const char *path, bool created);
/* Remembers what lies in [offset, offset + length) before it is overwritten or cut off. */
void power_file_touch(struct power_file *file, int64_t offset, int64_t length);
void power_file_truncate(struct power_file *file, int64_t length);
void power_file_synced(struct power_file *file);
void power_file_moves(const char *from, const char *to);
void power_file_gone(const char *path);
void power_file_cut(struct power_file *file, uint64_t keep);

/* Names: before the real change is made. */
void power_names_created(const char *path);
void power_names_made(const char *path);
void power_names_rename(const char *from, const char *to);
/* Makes the name vanish; answers as unlink. */
int power_names_unlink(const char *path);
void power_names_synced(const char *folder);
void power_names_cut(void);

bool power_disk_install(void);

#endif
