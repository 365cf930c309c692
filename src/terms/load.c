/* SPDX-License-Identifier: MIT */
/* Releases that an operator has: compiled into a folder, and opened from there. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "terms/release.h"

#define SUFFIX ".terms"

enum status terms_load(const char *source, const char *folder, struct outcome *outcome,
                       struct arena *arena, const char **ret_name)
{
    struct member *members;
    size_t count;
    struct code_system *system;
    const char *fresh = arena_print(arena, "%s/.loading-%ld", folder, (long)getpid());
    TRY(archive_list(source, arena, outcome, &members, &count));
    enum status status = rf2_is(members, count)   ? rf2_compile(members, count, fresh, outcome)
                         : dmd_is(members, count) ? dmd_compile(members, count, fresh, outcome)
                                                  : STATUS_NOT_SUPPORTED;
    if (status == STATUS_NOT_SUPPORTED) {
        return outcome_fail(outcome, status, "",
                            "There is no release here that can be read: a SNOMED CT RF2 snapshot, "
                            "or the dictionary of medicines and devices.");
    }
    if (status == STATUS_OK) {
        status = release_open(fresh, arena, outcome, &system);
    }
    if (status != STATUS_OK) {
        (void)disk->unlink(fresh);
        return status;
    }
    struct buffer name = {.arena = arena};
    buffer_print(&name, "%s/", folder);
    struct slice label = canonical_join(arena, system->url, system->version);
    for (size_t i = 0; i < label.length; i++) {
        char byte = label.at[i];
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                     (byte >= 'A' && byte <= 'Z') || byte == '.';
        buffer_add_byte(&name, plain ? byte : '-');
    }
    buffer_add(&name, slice_of(SUFFIX, sizeof SUFFIX)); /* with the NUL */
    if (!buffer_ok(&name) || disk->rename(fresh, name.at) != 0) {
        (void)disk->unlink(fresh);
        return outcome_fail(outcome, STATUS_IO, "", "The compiled release cannot be named.");
    }
    *ret_name = arena_print(arena, "%.*s %.*s, %u concepts", SLICE_ARGS(system->name),
                            SLICE_ARGS(system->version), system->count);
    return disk_sync_directory(name.at);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t releases_open(const char *folder, struct arena *arena,
                     const struct code_system ***ret_systems)
{
    const char *names[64];
    size_t count = 0, opened = 0;
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (slice_ends(slice_text(entry->d_name), SLICE(SUFFIX)) &&
            count < sizeof names / sizeof names[0]) {
            names[count++] = arena_print(arena, "%s/%s", folder, entry->d_name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    qsort(names, count, sizeof names[0], compare_names);
    const struct code_system **systems = arena_array(arena, count + 1, sizeof *systems);
    for (size_t i = 0; systems != NULL && i < count; i++) {
        struct code_system *system;
        if (release_open(names[i], arena, NULL, &system) == STATUS_OK) {
            systems[opened++] = system;
        }
    }
    *ret_systems = systems;
    return opened;
}
