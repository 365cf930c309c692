/* SPDX-License-Identifier: MIT */
/* Names that were made, changed and taken away in folders that were not synced since. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "power_int.h"

static void wait_for_folder(enum power_change change, const char *from, const char *to,
                            const char *hidden)
{
    struct power_state *state = power_state;
    if (state->name_count == POWER_NAMES) {
        power_give_up("too many changes of names");
    }
    struct power_name *name = &state->names[state->name_count++];
    *name = (struct power_name){.change = change, .waiting = true};
    snprintf(name->from, sizeof(name->from), "%s", from);
    snprintf(name->to, sizeof(name->to), "%s", to);
    snprintf(name->hidden, sizeof(name->hidden), "%s", hidden);
}

/* Keeps what stands under PATH aside, so that it can come back. */
static void hide(const char *path, char ret_hidden[static POWER_PATH])
{
    int length = snprintf(ret_hidden, POWER_PATH, "%s.lost%llu", path,
                          (unsigned long long)++power_state->hidden_count);
    if (length >= POWER_PATH || rename(path, ret_hidden) != 0) {
        ret_hidden[0] = '\0';
    }
}

void power_names_created(const char *path)
{
    wait_for_folder(POWER_CREATED, path, path, "");
}

void power_names_made(const char *path)
{
    wait_for_folder(POWER_MADE, path, path, "");
}

void power_names_rename(const char *from, const char *to)
{
    char hidden[POWER_PATH] = "";
    if (access(from, F_OK) != 0) {
        return;
    }
    if (access(to, F_OK) == 0) {
        hide(to, hidden);
        power_file_moves(to, hidden);
    }
    wait_for_folder(POWER_RENAMED, from, to, hidden);
    power_file_moves(from, to);
}

int power_names_unlink(const char *path)
{
    char hidden[POWER_PATH];
    if (access(path, F_OK) != 0) {
        errno = ENOENT;
        return -1;
    }
    hide(path, hidden);
    power_file_moves(path, hidden);
    wait_for_folder(POWER_DELETED, path, path, hidden);
    return 0;
}

static void forget_hidden(const struct power_name *name)
{
    if (name->hidden[0] != '\0') {
        unlink(name->hidden);
        power_file_gone(name->hidden);
    }
}

void power_names_synced(const char *folder)
{
    struct power_state *state = power_state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->name_count; i++) {
        struct power_name *name = &state->names[i];
        char its_folder[POWER_PATH];
        power_folder_of(name->to, its_folder);
        if (strcmp(its_folder, folder) == 0) {
            forget_hidden(name);
        } else {
            state->names[kept++] = *name;
        }
    }
    state->name_count = kept;
}

static void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[PATH_MAX];
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(name) != 0) {
            remove_tree(name);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    rmdir(path);
}

static void take_back(const struct power_name *name)
{
    switch (name->change) {
    case POWER_CREATED:
        unlink(name->to);
        break;
    case POWER_MADE:
        remove_tree(name->to);
        break;
    case POWER_RENAMED:
        (void)rename(name->to, name->from);
        break;
    case POWER_DELETED:
        break;
    }
    if (name->hidden[0] != '\0') {
        (void)rename(name->hidden, name->to);
    }
}

void power_names_cut(void)
{
    struct power_state *state = power_state;
    uint32_t kept = (uint32_t)random_below(&state->dice, (uint64_t)state->name_count + 1);
    for (uint32_t i = state->name_count; i > 0; i--) {
        if (i > kept) {
            take_back(&state->names[i - 1]);
        } else {
            forget_hidden(&state->names[i - 1]);
        }
    }
}
