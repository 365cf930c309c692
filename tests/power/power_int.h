/* SPDX-License-Identifier: MIT */
/* Between the two halves: files and names (power_files.c), and SQLite's view (vfs_power.c). */
#ifndef CARELAYER_TESTS_POWER_INT_H
#define CARELAYER_TESTS_POWER_INT_H

#include <sys/types.h>

#include "vfs_power.h"

struct power_file;

/* Everything below is called with the lock held; power_enter may end the process. */
void power_enter(void);
void power_leave(void);

/* The file's record. CREATED: its name is new. */
struct power_file *power_file_find(const char *path, bool created);
/* Remembers what lies in [offset, offset + length) before it is overwritten or cut off. */
void power_file_touch(struct power_file *file, int64_t offset, int64_t length);
void power_file_truncate(struct power_file *file, int64_t length);
void power_file_synced(struct power_file *file);
/* Names: before the real change is made. */
void power_names_rename(const char *from, const char *to);
/* Makes the name vanish; answers as unlink. */
int power_names_unlink(const char *path);
void power_names_synced(const char *folder);

#endif
