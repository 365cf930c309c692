/* SPDX-License-Identifier: MIT */
/* A disk that loses power. It stands under SQLite as a VFS and under everything else as a struct
 * disk_operations (base/disk.h). All goes through to the real files at once, and the old content of
 * each 512-byte sector written is remembered until its file is synced. At the cut a random part of
 * these sectors is put back, unsynced lengths, creations, renames and deletions are taken back from
 * some point on, and the process ends. What was synced stays.
 *
 * Not modelled: a disk that lies about syncing, and bits that rot. Creations, renames and deletions
 * of one directory survive in their order, as journalling file systems keep them. */
#ifndef CARELAYER_TESTS_VFS_POWER_H
#define CARELAYER_TESTS_VFS_POWER_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_VFS  "power"
#define POWER_EXIT 77 /* the status of a process that ended in a cut */

/* Registers the VFS (give its name to store_options.vfs) and puts the operations into force. Once,
 * before any file is opened. False: SQLite would not have it. */
bool power_install(void);

/* Cuts the power at the COUNT-th write, sync, truncation or change of a name from now (1: the
 * next), or never (0). SEED decides what survives. */
void power_cut_after(uint64_t count, uint64_t seed);

/* Cuts it now. */
_Noreturn void power_cut(void);

/* Writes, syncs, truncations and changes of names so far. */
uint64_t power_operations(void);

/* Syncs of files whose path ends in SUFFIX do nothing from now on ("-wal", ".db"; "/" means
 * directories): to show that a test needs them. NULL: all are obeyed. */
void power_ignore_syncs(const char *suffix);

#endif
