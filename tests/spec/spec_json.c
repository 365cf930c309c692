/* SPDX-License-Identifier: MIT */
/* The JSON parsing suite (RFC 8259): files named y_ must be read, n_ refused with a position, i_
 * may be either and must not crash. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

#define SKIPPED 77 /* meson's exit status for a test that did not run */

struct tally {
    unsigned read, refused, wrong;
};

static const char *judge(char kind, enum status status, const struct outcome *outcome)
{
    if (kind == 'y') {
        return status == STATUS_OK ? NULL : "should be read";
    }
    if (kind == 'n' && status == STATUS_OK) {
        return "should be refused";
    }
    if (status != STATUS_OK && (outcome->errors == 0 || outcome->first == NULL)) {
        return "is refused without an error";
    }
    if (status != STATUS_OK && (outcome->first->line == 0 || outcome->first->column == 0)) {
        return "is refused without a position";
    }
    return NULL;
}

/* What was read must survive being written. */
static const char *write_back(const struct json *json, struct arena *arena)
{
    struct buffer once = {.arena = arena}, again = {.arena = arena};
    struct json back;
    json_write(json->root, NULL, NULL, &once);
    if (json_read(buffer_slice(&once), &json_limits_default, arena, NULL, &back) != STATUS_OK) {
        return "cannot be read back";
    }
    json_write(back.root, NULL, NULL, &again);
    return slice_equals(buffer_slice(&once), buffer_slice(&again)) ? NULL : "changes when written";
}

static void run_file(const char *folder, const char *name, struct tally *tally)
{
    struct arena *arena = arena_create((size_t)64 << 20);
    struct outcome outcome;
    struct slice text = {NULL, 0};
    struct json json;
    if (arena == NULL) {
        tally->wrong++;
        return;
    }
    outcome_init(&outcome, arena);
    const char *path = arena_print(arena, "%s/%s", folder, name);
    const char *complaint = "cannot be opened";
    if (disk_read_file(path, (size_t)64 << 20, arena, &text) == STATUS_OK) {
        enum status status = json_read(text, &json_limits_default, arena, &outcome, &json);
        complaint = judge(name[0], status, &outcome);
        if (complaint == NULL && status == STATUS_OK) {
            complaint = write_back(&json, arena);
        }
        tally->read += status == STATUS_OK;
        tally->refused += status != STATUS_OK;
    }
    if (complaint != NULL) {
        printf("%s %s\n", name, complaint);
        tally->wrong++;
    }
    arena_destroy(arena);
}

int main(int count, char **arguments)
{
    const char *suites = getenv("CARELAYER_SUITES");
    suites = suites != NULL ? suites : count > 1 ? arguments[1] : ".";
    char folder[4096];
    int length = snprintf(folder, sizeof folder, "%s/json", suites);
    DIR *directory = length > 0 && (size_t)length < sizeof folder ? opendir(folder) : NULL;
    if (directory == NULL) {
        printf("skipped: there is no folder json of test suites\n");
        return SKIPPED;
    }
    struct tally tally = {0};
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (slice_ends(slice_text(entry->d_name), SLICE(".json")) && entry->d_name[1] == '_') {
            run_file(folder, entry->d_name, &tally);
        }
    }
    (void)closedir(directory);
    printf("%u read, %u refused, %u wrong\n", tally.read, tally.refused, tally.wrong);
    return tally.wrong == 0 && tally.read > 0 && tally.refused > 0 ? 0 : 1;
}
