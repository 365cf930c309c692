/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power_int.h"

struct power_state *power_state;

/* Of this process: only one at a time uses the disk. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    const char *name, *meaning;
} kinds[] = {
#define KIND_ROW(name, meaning) {#name, meaning},
    POWER_SYNCS(KIND_ROW)
#undef KIND_ROW
};

void power_give_up(const char *what)
{
    fprintf(stderr, "power: %s\n", what);
    abort();
}

bool power_share(void)
{
    if (power_state != NULL) {
        return true;
    }
    void *at = mmap(NULL, sizeof(struct power_state), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    power_state = at;
    power_state->ignored = power_state->stop_kind = -1;
    return true;
}

int64_t power_length_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

void power_folder_of(const char *path, char ret_folder[static POWER_PATH])
{
    const char *slash = strrchr(path, '/');
    snprintf(ret_folder, POWER_PATH, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
}

static void stop_now(void);

bool power_obeys(enum power_sync kind)
{
    power_state->syncs[kind]++;
    if (power_state->stop_kind == (int)kind && --power_state->stop_count == 0) {
        stop_now();
    }
    return power_state->ignored != (int)kind;
}

static _Noreturn void cut(void)
{
    /* Now and then nothing unsynced survives, now and then everything. */
    static const uint64_t chances[] = {0, 10, 50, 90, 100};
    struct power_state *state = power_state;
    for (size_t i = 0; i < state->file_count; i++) {
        if (state->files[i].path[0] != '\0') {
            power_file_cut(&state->files[i], chances[random_below(&state->dice, 5)]);
        }
    }
    power_names_cut();
    state->file_count = state->name_count = state->sector_count = state->free_sectors = 0;
    memset(state->buckets, 0, sizeof(state->buckets));
    _exit(POWER_EXIT);
}

static void stop_now(void)
{
    if (power_state->cut_at == 0) {
        power_state->die_at = 0;
        _exit(POWER_DIED);
    }
    cut();
}

void power_enter(void)
{
    pthread_mutex_lock(&lock);
    struct power_state *state = power_state;
    state->operations++;
    if ((state->die_at != 0 && state->operations >= state->die_at) ||
        (state->cut_at != 0 && state->operations >= state->cut_at)) {
        stop_now();
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
    random_seed(&power_state->dice, seed, 0);
    power_state->cut_at = count != 0 ? power_state->operations + count : 0;
    power_state->die_at = 0;
    power_state->stop_kind = -1;
    pthread_mutex_unlock(&lock);
}

void power_die_after(uint64_t count)
{
    pthread_mutex_lock(&lock);
    power_state->die_at = count != 0 ? power_state->operations + count : 0;
    power_state->cut_at = 0;
    power_state->stop_kind = -1;
    pthread_mutex_unlock(&lock);
}

void power_stop_at_sync(int kind, uint64_t count)
{
    pthread_mutex_lock(&lock);
    power_state->stop_kind = kind;
    power_state->stop_count = count;
    pthread_mutex_unlock(&lock);
}

uint64_t power_operations(void)
{
    pthread_mutex_lock(&lock);
    uint64_t count = power_state->operations;
    pthread_mutex_unlock(&lock);
    return count;
}

bool power_ignore_syncs(const char *kind)
{
    power_state->ignored = -1;
    for (int i = 0; kind != NULL && i < POWER_SYNC_COUNT; i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            power_state->ignored = i;
        }
    }
    return kind == NULL || power_state->ignored >= 0;
}

uint64_t power_sync_count(enum power_sync kind)
{
    return power_state->syncs[kind];
}

const char *power_sync_name(enum power_sync kind)
{
    return kinds[kind].name;
}

const char *power_sync_meaning(enum power_sync kind)
{
    return kinds[kind].meaning;
}
