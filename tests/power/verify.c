/* SPDX-License-Identifier: MIT */
/* What must be there after the power came back. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

struct seen { /* an access entry */
    uint64_t request, id;
};

struct look {
    const struct world *world;
    struct store *store;
    struct store_reader *reader;
    struct arena *arena;
    struct seen *seen;
    size_t seen_count, seen_capacity;
    uint64_t imported; /* resources that the import's entries tell of */
    unsigned faults;
};

static void fault(struct look *look, const char *what, const struct told *told)
{
    if (look->faults++ < 8) {
        printf("# round %u: %s", look->world->round, what);
        if (told != NULL) {
            struct name name = world_name(told, 0);
            printf(" (kind %u, %s/%s, version %u)", told->kind, name.type, name.id, told->version);
        }
        printf("\n");
    }
}

static bool is_fine(struct look *look, enum status status, const char *what)
{
    if (status != STATUS_OK) {
        char text[200];
        snprintf(text, sizeof text, "%s: %s", what, status_name(status));
        fault(look, text, NULL);
    }
    return status == STATUS_OK;
}

/* ---- records ------------------------------------------------------------------------------------
 */

/* The current version's number; of a tombstone too. 0: never existed. */
static uint32_t version_of(struct look *look, struct name name)
{
    struct store_version version = {0};
    resource_type type = resource_type_find(look->world->definitions, slice_text(name.type));
    enum status status =
        store_read_now(look->reader, type, slice_text(name.id), look->arena, &version);
    if (status != STATUS_OK && status != STATUS_GONE && status != STATUS_NOT_FOUND) {
        is_fine(look, status, "a resource cannot be read");
    }
    return status == STATUS_NOT_FOUND ? 0 : version.version;
}

static void check_version(struct look *look, struct store_tx *tx, const struct told *told)
{
    struct name name = world_name(told, 0);
    struct store_version version;
    struct buffer body = {.arena = look->arena};
    resource_type type = resource_type_find(look->world->definitions, slice_text(name.type));
    enum status status =
        store_read_version(tx, type, slice_text(name.id), told->version, look->arena, &version);
    if (told->kind == TOLD_DELETED) {
        if (status != STATUS_GONE) {
            fault(look, "an acknowledged delete is lost", told);
        }
        return;
    }
    if (status != STATUS_OK) {
        fault(look,
              told->kind == TOLD_PUT ? "an acknowledged write is lost"
                                     : "what a read was answered with is lost",
              told);
        return;
    }
    store_version_write(&version, &body);
    if (world_hash(buffer_slice(&body)) != told->hash) {
        fault(look, "a version is not what was acknowledged", told);
    }
}

static void check_versions(struct look *look, const struct told *from, size_t count)
{
    struct store_tx *tx;
    if (!is_fine(look, store_snapshot_begin(look->reader, 0, &tx), "snapshot")) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(look->arena);
        if (from[i].kind == TOLD_PUT || from[i].kind == TOLD_DELETED || from[i].kind == TOLD_READ) {
            check_version(look, tx, &from[i]);
        }
        arena_rewind(look->arena, mark);
    }
    store_snapshot_end(tx);
}

/* Of each key: as many versions as transactions were acknowledged, and all three alike. */
static void check_transactions(struct look *look, const struct told *told, size_t count)
{
    uint32_t acknowledged[(WORLD_WRITERS + WORLD_BUNDLERS) * WORLD_KEYS] = {0};
    for (size_t i = 0; i < count; i++) {
        if (told[i].kind == TOLD_TRANSACTION) {
            acknowledged[told[i].key]++;
        }
    }
    for (uint32_t key = WORLD_WRITERS * WORLD_KEYS;
         key < (WORLD_WRITERS + WORLD_BUNDLERS) * WORLD_KEYS; key++) {
        struct told one = {.kind = TOLD_TRANSACTION, .key = key};
        uint32_t versions[3];
        for (uint32_t part = 0; part < 3; part++) {
            versions[part] = version_of(look, world_name(&one, part));
        }
        one.version = versions[0];
        if (versions[0] != versions[1] || versions[0] != versions[2]) {
            fault(look, "a transaction is half there", &one);
        }
        if (versions[0] < acknowledged[key]) {
            fault(look, "an acknowledged transaction is lost", &one);
        }
    }
}

/* Gives how many resources of the file there are. */
static uint32_t check_import(struct look *look, uint32_t file, bool whole)
{
    uint32_t there = 0;
    for (uint32_t bundle = 0; bundle < WORLD_BUNDLES; bundle++) {
        uint32_t versions[3];
        struct arena_mark mark = arena_mark(look->arena);
        for (uint32_t part = 0; part < 3; part++) {
            versions[part] = version_of(look, world_imported(file, bundle, part));
            there += versions[part] != 0;
        }
        arena_rewind(look->arena, mark);
        if (versions[0] != versions[1] || versions[0] != versions[2]) {
            fault(look, "an imported transaction is half there", NULL);
        } else if (versions[0] > 1) {
            fault(look, "an imported transaction was stored again", NULL);
        } else if (whole && versions[0] == 0) {
            fault(look, "an imported transaction is missing", NULL);
        }
    }
    return there;
}

/* ---- the access log -----------------------------------------------------------------------------
 */

static enum status see(void *context, uint64_t number, struct slice payload)
{
    struct look *look = context;
    struct audit_entry entry;
    (void)number;
    if (!audit_entry_read(payload, &entry)) {
        return STATUS_CORRUPT;
    }
    if (slice_is(entry.request, "import")) {
        look->imported += entry.resources;
        return STATUS_OK;
    }
    if (look->seen_count == look->seen_capacity) {
        look->seen_capacity = look->seen_capacity * 2 + 4096;
        look->seen = realloc(look->seen, look->seen_capacity * sizeof *look->seen);
    }
    char text[20] = "";
    memcpy(text, entry.request.at, entry.request.length < 16 ? entry.request.length : 16);
    look->seen[look->seen_count++] = (struct seen){strtoull(text, NULL, 16), world_hash(entry.id)};
    return STATUS_OK;
}

static int by_request(const void *a, const void *b)
{
    const struct seen *left = a, *right = b;
    return left->request < right->request ? -1 : left->request > right->request;
}

static void check_entries(struct look *look, const struct told *told)
{
    struct seen wanted = {.request = told->request};
    const struct seen *any = look->seen_count > 0 ? bsearch(&wanted, look->seen, look->seen_count,
                                                            sizeof wanted, by_request)
                                                  : NULL;
    uint32_t count = 0;
    if (any != NULL) {
        const struct seen *first = any;
        while (first > look->seen && first[-1].request == wanted.request) {
            first--;
        }
        const struct seen *end = look->seen + look->seen_count;
        for (; first < end && first->request == wanted.request; first++) {
            struct name name = world_name(told, count);
            bool about =
                told->kind == TOLD_PUT || told->kind == TOLD_DELETED || told->kind == TOLD_READ;
            count += !about || first->id == world_hash(slice_text(name.id));
        }
    }
    if (count < told->count) {
        fault(look,
              told->kind == TOLD_READ || told->kind == TOLD_LOOKED
                  ? "an answered read has no entry"
                  : "an acknowledged write has no entry",
              told);
    }
}

static void check_log(struct look *look, const struct told *told, size_t count)
{
    is_fine(look, audit_read(look->world->folder, see, look, NULL), "the access log");
    if (look->seen_count > 0) {
        qsort(look->seen, look->seen_count, sizeof *look->seen, by_request);
    }
    for (size_t i = 0; i < count; i++) {
        if (told[i].count > 0) {
            check_entries(look, &told[i]);
        }
    }
}

/* ---- files --------------------------------------------------------------------------------------
 */

static void check_ready(struct look *look, const struct told *told)
{
    for (uint32_t i = 1; i <= told->version; i++) {
        char path[256];
        struct stat about;
        snprintf(path, sizeof path, "%s/audit/%08u.log", look->world->folder, i);
        if (stat(path, &about) != 0 || (size_t)about.st_size < WORLD_SEGMENT) {
            fault(look, "an allocated segment of the access log is lost", NULL);
            return;
        }
    }
}

static void check_replaced(struct look *look, const struct told *told)
{
    struct slice text;
    uint64_t number, first = 0;
    uint32_t lines = 0;
    if (!is_fine(look, disk_read_file(look->world->replaced, 1 << 20, look->arena, &text),
                 "the replaced file")) {
        return;
    }
    while (text.at != NULL && text.length > 0 &&
           slice_to_unsigned(slice_cut(&text, '\n'), UINT32_MAX, &number)) {
        first = lines == 0 ? number : first;
        lines += number == first;
    }
    if (lines != 300 || first < told->version) {
        fault(look, "a replaced file is not whole or is an older one", NULL);
    }
}

static void check_files(struct look *look, const struct told *told, size_t count)
{
    const struct told *replaced = NULL, *ready = NULL;
    for (size_t i = 0; i < count; i++) {
        replaced = told[i].kind == TOLD_REPLACED ? &told[i] : replaced;
        ready = told[i].kind == TOLD_READY ? &told[i] : ready;
        if (told[i].kind == TOLD_FAILED) {
            fault(look, "an answer was not as expected", &told[i]);
        }
        if (told[i].kind == TOLD_IMPORTED && told[i].version != 0) {
            fault(look, "an import rejected what is right", NULL);
        }
    }
    if (replaced != NULL) {
        check_replaced(look, replaced);
    }
    if (ready != NULL) {
        check_ready(look, ready);
    }
}

/* ---- backups ------------------------------------------------------------------------------------
 */

static bool look_open(struct look *look, const char *folder)
{
    struct store_options options = {.folder = folder, .definitions = look->world->definitions};
    struct outcome outcome;
    outcome_init(&outcome, look->arena);
    if (!is_fine(look, store_open(&options, &outcome, &look->store), "the store") ||
        !is_fine(look, store_reader_open(look->store, &look->reader), "a reader")) {
        return false;
    }
    if (store_check(look->store, NULL, NULL, &outcome) != STATUS_OK || outcome.errors > 0) {
        fault(look, "check finds faults", NULL);
    }
    return true;
}

static void look_close(struct look *look)
{
    store_reader_close(look->reader);
    store_close(look->store);
    look->reader = NULL;
    look->store = NULL;
}

static void check_backup(struct look *look, const struct told *told, size_t before, uint32_t number)
{
    char path[256], folder[256], file[300];
    world_backup_path(look->world, number, path);
    snprintf(folder, sizeof folder, "%s/restored", look->world->root);
    if (is_fine(look, store_restore(path, folder, NULL, NULL, NULL), "a finished backup") &&
        look_open(look, folder)) {
        check_versions(look, told, before);
        check_transactions(look, told, before);
        look_close(look);
    }
    static const char *const names[] = {"records.db", "records.db-wal", "records.db-shm",
                                        "records.lock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, names[i]);
        unlink(file);
    }
    rmdir(folder);
}

static void check_backups(struct look *look, const struct told *told, size_t count, size_t from)
{
    size_t before = 0;
    for (size_t i = from; i < count; i++) {
        before = told[i].kind == TOLD_BACKUP_BEGUN ? i : before;
        if (told[i].kind == TOLD_BACKUP) {
            check_backup(look, told, before, told[i].key);
        }
    }
}

/* ---- all ----------------------------------------------------------------------------------------
 */

/* The log takes what writes left in the store, as it does whenever the service runs. */
static bool drain(struct look *look)
{
    struct audit_options options = {.folder = look->world->folder, .segment_bytes = WORLD_SEGMENT};
    struct audit *audit = NULL;
    if (!is_fine(look, audit_open(&options, NULL, &audit), "the access log")) {
        return false;
    }
    bool fine = is_fine(look, audit_sequence(audit, look->store), "the sequencer");
    audit_close(audit);
    return fine;
}

static void check_imports(struct look *look, bool everything)
{
    const struct world *world = look->world;
    uint64_t resources = 0;
    for (uint32_t file = everything ? 0 : world->import; file <= world->import; file++) {
        resources += check_import(look, file, file < world->import);
    }
    if (everything && resources != look->imported) {
        printf("# %llu resources imported, entries tell of %llu\n", (unsigned long long)resources,
               (unsigned long long)look->imported);
        fault(look, "an import's entries are not one for each resource", NULL);
    }
}

/* Nothing may have been told yet, and then there is no array. */
static const struct told *told_from(const struct world *world, size_t at)
{
    return world->told != NULL ? world->told + at : NULL;
}

bool world_verify(const struct world *world, bool everything)
{
    struct look look = {.world = world, .arena = arena_create(0)};
    size_t from = everything ? 0 : world->round_begins;
    const struct told *told = told_from(world, from);
    size_t count = world->told_count - from;
    check_files(&look, told_from(world, world->round_begins),
                world->told_count - world->round_begins);
    if (look_open(&look, world->folder)) {
        bool drained = drain(&look);
        check_versions(&look, told, count);
        check_transactions(&look, world->told, world->told_count);
        if (drained) {
            check_log(&look, told, count);
            check_imports(&look, everything);
        }
        look_close(&look);
    }
    check_backups(&look, world->told, world->told_count, world->round_begins);
    return look.faults == 0;
}
