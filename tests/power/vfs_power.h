/* SPDX-License-Identifier: MIT */
/* A disk that loses power. It stands under SQLite as a VFS and under everything else as a struct
 * disk_operations (base/disk.h). All goes through to the real files at once, and the old content of
 * each 512-byte sector written is remembered until its file is synced. At the cut a random part of
 * these sectors is put back, unsynced lengths, creations, renames and deletions are taken back from
 * some point on, and the process ends. What was synced stays.
 *
 * The memory is shared with the process that called power_install and all that it forks, so that a
 * process that only dies (power_die_after) leaves to the next one what the cut may still take.
 *
 * Not modelled: a disk that lies about syncing, and bits that rot. Creations, renames and deletions
 * survive in their order, as journalling file systems keep them. */
#ifndef CARELAYER_TESTS_VFS_POWER_H
#define CARELAYER_TESTS_VFS_POWER_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_VFS  "power"
#define POWER_EXIT 77 /* the status of a process that ended in a cut */
#define POWER_DIED 78 /* ... or only died, its writes still with the operating system */

/* Registers the VFS (give its name to store_options.vfs) and puts the operations into force. Once,
 * before any file is opened. False: SQLite would not have it. */
bool power_install(void);

/* The same in two steps: the memory, to be shared with processes forked from here, and the rest. */
bool power_share(void);

/* Cuts the power at the COUNT-th write, sync, truncation or change of a name from now (1: the
 * next), or never (0). SEED decides what survives. */
void power_cut_after(uint64_t count, uint64_t seed);

/* The process ends there as if it had been killed. */
void power_die_after(uint64_t count);

/* The same just before the COUNT-th sync of that kind from now (enum power_sync), if it comes
 * before the moment chosen by operations. */
void power_stop_at_sync(int kind, uint64_t count);

/* Cuts it now. */
_Noreturn void power_cut(void);

/* Writes, syncs, truncations and changes of names so far. */
uint64_t power_operations(void);

/* The syncs in the program, by what calls them. */
#define POWER_SYNCS(X)                                                                             \
    X(wal, "SQLite's log, at each commit and before it is moved")                                  \
    X(db, "SQLite's file, before its log starts again")                                            \
    X(journal, "SQLite's rollback journal")                                                        \
    X(sqlite_folder, "SQLite's folder, when it makes a log or journal")                            \
    X(backup, "a backup's file, before it gets its name")                                          \
    X(backup_folder, "a backup's folder, when it has its name")                                    \
    X(batch, "the access log's batch")                                                             \
    X(segment, "a segment of the access log, when it is allocated")                                \
    X(segment_folder, "the access log's folder, when a segment is allocated")                      \
    X(recovered, "the last segment found at opening")                                              \
    X(recovered_ready, "segments found ready at opening")                                          \
    X(recovered_folder, "the access log's folder at opening")                                      \
    X(made_folder, "the parent of a folder that was made")                                         \
    X(found_folder, "the parent of a folder that was found")                                       \
    X(replaced, "a file that replaces another")                                                    \
    X(replaced_folder, "the folder of a file that replaced another")

enum power_sync {
#define POWER_SYNC(name, meaning) POWER_##name,
    POWER_SYNCS(POWER_SYNC)
#undef POWER_SYNC
        POWER_SYNC_COUNT
};

/* Syncs of this kind do nothing from now on (their name above): to show that a test needs them.
 * False: there is no such kind. NULL: all are obeyed. */
bool power_ignore_syncs(const char *kind);

/* How many syncs of each kind there were, in all processes. */
uint64_t power_sync_count(enum power_sync kind);
const char *power_sync_name(enum power_sync kind);
const char *power_sync_meaning(enum power_sync kind);

#endif
