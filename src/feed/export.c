/* SPDX-License-Identifier: MIT */
/* Export: every current resource, one NDJSON file a type, in one consistent snapshot. Lines wait in
 * memory until the access entries of the people in them are durable. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "feed/feed_int.h"

#define BLOCK           ((size_t)1 << 20)
#define PERSONS_A_BLOCK 4096

struct exporting {
    struct service *service;
    const char *folder;
    int file;
    off_t written; /* bytes in it */
    resource_type type;
    struct arena *arena; /* of one block: rewound when it is written */
    struct arena_mark start;
    struct buffer lines;
    uint32_t persons[PERSONS_A_BLOCK]; /* in this block and not yet logged */
    size_t person_count;
    struct arena *known_arena;
    uint8_t *known; /* bit N: patient N has its entry */
    size_t known_bytes;
    struct store_tx *tx;
    uint64_t count, all;
    uint32_t unknown;  /* resources in this block that are about somebody and nobody is known */
    uint64_t withheld; /* Binaries whose securityContext is not here */
    store_progress *progress;
    void *context;
};

/* ---- access entries ---- */

static enum status log_persons(struct exporting *exporting)
{
    size_t count = exporting->person_count + (exporting->unknown > 0);
    struct slice *entries = arena_array(exporting->arena, count + 1, sizeof *entries);
    if (entries == NULL || count == 0) {
        return entries == NULL ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        bool known = i < exporting->person_count;
        struct buffer text = {.arena = exporting->arena};
        struct audit_entry entry = {.when = time_now(),
                                    .action = AUDIT_READ,
                                    .http = 200,
                                    .patient = known ? exporting->persons[i] : AUDIT_PERSON_UNKNOWN,
                                    .resources = known ? 0 : exporting->unknown,
                                    .interaction = SLICE("export"),
                                    .who = SLICE("operator"),
                                    .request = SLICE("export")};
        audit_entry_write(&entry, &text);
        entries[i] = buffer_slice(&text);
        if (!buffer_ok(&text)) {
            return STATUS_TOO_COSTLY;
        }
    }
    exporting->person_count = 0;
    exporting->unknown = 0;
    return audit_append_wait(exporting->service->audit, entries, count);
}

static bool note_person(struct exporting *exporting, uint32_t patient)
{
    size_t byte = patient / 8;
    uint8_t bit = (uint8_t)(1u << patient % 8);
    if (byte >= exporting->known_bytes) {
        size_t bytes = (byte + 1) * 2;
        uint8_t *more =
            arena_resize(exporting->known_arena, exporting->known, exporting->known_bytes, bytes);
        if (more == NULL) {
            return false;
        }
        memset(more + exporting->known_bytes, 0, bytes - exporting->known_bytes);
        exporting->known = more;
        exporting->known_bytes = bytes;
    }
    if ((exporting->known[byte] & bit) == 0) {
        exporting->known[byte] |= bit;
        exporting->persons[exporting->person_count++] = patient;
    }
    return true;
}

/* ---- files ---- */

static enum status write_block(struct exporting *exporting)
{
    enum status status = log_persons(exporting);
    struct slice lines = buffer_slice(&exporting->lines);
    if (status == STATUS_OK) {
        status = disk_write_all(exporting->file, lines, exporting->written);
        exporting->written += (off_t)lines.length;
    }
    arena_rewind(exporting->arena, exporting->start);
    exporting->lines = (struct buffer){.arena = exporting->arena};
    return status;
}

static enum status note_persons(struct exporting *exporting, const struct store_version *version)
{
    if (version->patient_count == 0 &&
        !resource_type_is_shared(exporting->service->definitions, version->type)) {
        exporting->unknown++;
    }
    for (size_t i = 0; i < version->patient_count; i++) {
        if (exporting->person_count == PERSONS_A_BLOCK) {
            TRY(write_block(exporting));
        }
        if (!note_person(exporting, version->patients[i])) {
            return STATUS_MEMORY;
        }
    }
    return STATUS_OK;
}

static enum status flush_lines(void *context)
{
    return write_block(context);
}

static enum status write_one(void *context, const struct store_version *version)
{
    struct exporting *exporting = context;
    const struct bulk_line line = {.definitions = exporting->service->definitions,
                                   .content = &api_bulk_content,
                                   .tx = exporting->tx,
                                   .arena = exporting->known_arena,
                                   .out = &exporting->lines,
                                   .flush = flush_lines,
                                   .context = exporting};
    bool open;
    TRY(bulk_line_open(&line, version, &open));
    if (!open) {
        exporting->withheld++;
        return STATUS_OK;
    }
    TRY(note_persons(exporting, version));
    enum status status = bulk_line_write(&line, version);
    if (status == STATUS_MEMORY && arena_full(exporting->arena)) {
        return STATUS_TOO_COSTLY;
    }
    TRY(status);
    if (++exporting->count % 1024 == 0 && exporting->progress != NULL) {
        exporting->progress(exporting->context, exporting->count, exporting->all);
    }
    return exporting->lines.length >= BLOCK ? write_block(exporting) : STATUS_OK;
}

/* Written beside its place, synced and renamed, so that a file with the right name is always whole,
 * after a power cut too. */
static enum status export_type(struct exporting *exporting, struct store_tx *tx, resource_type type)
{
    struct slice name = resource_type_name(exporting->service->definitions, type);
    char path[4096], part[4200];
    (void)snprintf(path, sizeof path, "%s/%.*s.ndjson", exporting->folder, SLICE_ARGS(name));
    (void)snprintf(part, sizeof part, "%s.part", path);
    uint64_t before = exporting->count;
    exporting->written = 0;
    exporting->file = disk->open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (exporting->file < 0) {
        return disk_status(errno);
    }
    exporting->tx = tx;
    enum status status = store_scan(tx, type, write_one, exporting);
    if (status == STATUS_OK) {
        status = write_block(exporting);
    }
    bool empty = exporting->count == before;
    if (status == STATUS_OK && !empty && disk->fsync(exporting->file) != 0) {
        status = disk_status(errno);
    }
    if (disk->close(exporting->file) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    if (status != STATUS_OK || empty) {
        (void)disk->unlink(part);
        if (status == STATUS_OK) {
            (void)disk->unlink(path); /* of an export before */
        }
        return status;
    }
    return disk->rename(part, path) == 0 ? STATUS_OK : disk_status(errno);
}

static enum status export_types(struct exporting *exporting, struct store_tx *tx)
{
    resource_type last = resource_type_count(exporting->service->definitions);
    for (resource_type type = 1; type <= last; type++) {
        TRY(export_type(exporting, tx, type));
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/all", exporting->folder);
    return disk_sync_directory(path);
}

static enum status export_all(struct exporting *exporting)
{
    struct store *store = exporting->service->store;
    struct store_statistics numbers;
    struct store_reader *reader;
    struct store_tx *tx;
    TRY(disk_make_directory(exporting->folder));
    TRY(store_statistics(store, &numbers));
    exporting->all = numbers.resources;
    TRY(store_reader_open(store, &reader));
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        status = export_types(exporting, tx);
        store_snapshot_end(tx);
    }
    store_reader_close(reader);
    return status;
}

enum status feed_export(struct service *service, const char *folder, store_progress *progress,
                        void *context, struct outcome *outcome, uint64_t *ret_count)
{
    struct arena *known = arena_create(0);
    struct arena *blocks = arena_create((size_t)256 << 20);
    struct exporting *exporting = known != NULL ? ARENA_NEW(known, struct exporting) : NULL;
    enum status status = STATUS_MEMORY;
    *ret_count = 0;
    if (exporting != NULL && blocks != NULL) {
        *exporting = (struct exporting){.service = service,
                                        .folder = folder,
                                        .progress = progress,
                                        .context = context,
                                        .arena = blocks,
                                        .start = arena_mark(blocks),
                                        .lines = {.arena = blocks},
                                        .known_arena = known};
        status = export_all(exporting);
        *ret_count = exporting->count;
        if (exporting->withheld > 0) {
            outcome_warn(outcome, "suppressed", "Binary.securityContext",
                         "%llu Binaries were not written: the resource that decides who may read "
                         "them is not here.",
                         (unsigned long long)exporting->withheld);
        }
    }
    arena_destroy(blocks);
    arena_destroy(known);
    if (status != STATUS_OK) {
        (void)outcome_fail(outcome, status, folder,
                           "The export stopped: check that the folder is writable and has space. "
                           "Files that are there are whole.");
    }
    return status;
}
