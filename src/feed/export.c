/* SPDX-License-Identifier: MIT */
/* Export: every current resource, one NDJSON file a type, in one consistent snapshot. */
#include <errno.h>
#include <stdio.h>

#include "feed/feed_int.h"

struct exporting {
    struct service *service;
    const char *folder;
    FILE *file;
    struct arena *arena;
    struct audit *audit;
    uint64_t count, all;
    store_progress *progress;
    void *context;
    enum status status;
};

static enum status write_one(void *context, const struct store_version *version)
{
    struct exporting *exporting = context;
    struct arena_mark mark = arena_mark(exporting->arena);
    struct buffer line = {.arena = exporting->arena};
    store_version_write(version, &line);
    buffer_add_byte(&line, '\n');
    bool written =
        buffer_ok(&line) && fwrite(line.at, 1, line.length, exporting->file) == line.length;
    enum status status = written            ? STATUS_OK
                         : buffer_ok(&line) ? disk_status(errno)
                                            : STATUS_TOO_COSTLY;
    arena_rewind(exporting->arena, mark);
    if (++exporting->count % 1024 == 0 && exporting->progress != NULL) {
        exporting->progress(exporting->context, exporting->count, exporting->all);
    }
    return status;
}

/* Written beside its place and renamed, so that a file with the right name is always whole. */
static enum status export_type(struct exporting *exporting, struct store_tx *tx, resource_type type)
{
    struct slice name = resource_type_name(exporting->service->definitions, type);
    char path[4096], part[4200];
    (void)snprintf(path, sizeof path, "%s/%.*s.ndjson", exporting->folder, SLICE_ARGS(name));
    (void)snprintf(part, sizeof part, "%s.part", path);
    uint64_t before = exporting->count;
    exporting->file = fopen(part, "we");
    if (exporting->file == NULL) {
        return disk_status(errno);
    }
    enum status status = store_scan(tx, type, write_one, exporting);
    if (fclose(exporting->file) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    bool empty = exporting->count == before;
    if (status != STATUS_OK || empty) {
        (void)remove(part);
        if (empty) {
            (void)remove(path); /* of an export before */
        }
        return status;
    }
    return rename(part, path) == 0 ? STATUS_OK : disk_status(errno);
}

static enum status export_all(struct exporting *exporting, struct store_tx *tx)
{
    resource_type last = resource_type_count(exporting->service->definitions);
    for (resource_type type = 1; type <= last; type++) {
        TRY(export_type(exporting, tx, type));
    }
    return STATUS_OK;
}

enum status feed_export(struct service *service, const char *folder, store_progress *progress,
                        void *context, struct outcome *outcome, uint64_t *ret_count)
{
    struct exporting exporting = {.service = service,
                                  .folder = folder,
                                  .progress = progress,
                                  .context = context,
                                  .arena = arena_create((size_t)256 << 20)};
    struct store_statistics numbers;
    struct store_reader *reader;
    struct store_tx *tx;
    if (exporting.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = disk_make_directory(folder);
    if (status == STATUS_OK && store_statistics(service->store, &numbers) == STATUS_OK) {
        exporting.all = numbers.resources;
    }
    if (status == STATUS_OK) {
        status = store_reader_open(service->store, &reader);
    }
    if (status == STATUS_OK) {
        status = store_snapshot_begin(reader, 0, &tx);
        if (status == STATUS_OK) {
            status = export_all(&exporting, tx);
            store_snapshot_end(tx);
        }
        store_reader_close(reader);
    }
    arena_destroy(exporting.arena);
    *ret_count = exporting.count;
    if (status != STATUS_OK) {
        (void)outcome_fail(outcome, status, folder,
                           "The export stopped: check that the folder is writable and has space. "
                           "Files that are there are whole.");
    }
    return status;
}
