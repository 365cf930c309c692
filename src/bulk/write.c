/* SPDX-License-Identifier: MIT */
/* The second step of a job: the versions that were selected, into files of one type each. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bulk/bulk_int.h"

#define SNAPSHOT_VERSIONS 512 /* read in one snapshot, so that the store's log can be emptied */
#define BUNDLE_ENTRIES    100 /* of tombstones on a line */
#define READ_BYTES        ((size_t)64 << 10)
#define SCRATCH_BYTES     ((size_t)1 << 30)

struct writing {
    struct bulk *bulk;
    struct job *job;
    struct store_reader *reader;
    struct store_tx *tx; /* NULL: none is open */
    size_t read_in_it;
    struct arena *scratch; /* of one version */
    int selection;
    uint64_t offset; /* of the next entry */
    uint64_t begins; /* the one being written */
    char window[READ_BYTES];
    uint64_t window_from;
    size_t window_length;
    struct pack *pack; /* NULL: no file is open */
    enum file_kind kind;
    struct slice type;
    struct slice name;
    size_t entries;                   /* of the Bundle being written */
    uint64_t withheld, missing, done; /* as it will be once the file is whole */
};

/* ---- the selection ------------------------------------------------------------------------------
 */

static enum status fill_window(struct writing *writing)
{
    ssize_t got;
    do {
        got = disk->pread(writing->selection, writing->window, READ_BYTES, (off_t)writing->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return disk_status(errno);
    }
    writing->window_from = writing->offset;
    writing->window_length = (size_t)got;
    return STATUS_OK;
}

/* *RET_SELECTED with id_length 0: there is no more. */
static enum status next_selected(struct writing *writing, struct selected *ret_selected)
{
    size_t most = SELECTED_HEAD + sizeof ret_selected->id;
    *ret_selected = (struct selected){.id_length = 0};
    if (writing->done == writing->job->all) {
        return STATUS_OK;
    }
    if (writing->offset < writing->window_from ||
        writing->offset + most > writing->window_from + writing->window_length) {
        TRY(fill_window(writing));
    }
    const char *at = writing->window + (writing->offset - writing->window_from);
    size_t left = writing->window_length - (size_t)(writing->offset - writing->window_from);
    if (left < SELECTED_HEAD || (uint8_t)at[1] > sizeof ret_selected->id ||
        left < SELECTED_HEAD + (size_t)(uint8_t)at[1] || (uint8_t)at[0] > SELECTED_DELETED) {
        return STATUS_CORRUPT;
    }
    ret_selected->kind = (enum selected_kind)at[0];
    ret_selected->id_length = (uint8_t)at[1];
    memcpy(&ret_selected->type, at + 2, 2);
    memcpy(&ret_selected->version, at + 4, 4);
    memcpy(ret_selected->id, at + SELECTED_HEAD, ret_selected->id_length);
    writing->offset += SELECTED_HEAD + (uint64_t)ret_selected->id_length;
    return STATUS_OK;
}

/* ---- files --------------------------------------------------------------------------------------
 */

static enum status add_file(struct job *job, const struct job_file *file)
{
    if (job->file_count == job->file_capacity) {
        size_t capacity = job->file_capacity * 2 + 16;
        struct job_file *larger = arena_resize(
            job->arena, job->files, job->file_capacity * sizeof *larger, capacity * sizeof *larger);
        if (larger == NULL) {
            return STATUS_MEMORY;
        }
        job->files = larger;
        job->file_capacity = capacity;
    }
    job->files[job->file_count++] = *file;
    return STATUS_OK;
}

static enum status open_file(struct writing *writing, enum file_kind kind, struct slice type)
{
    struct job *job = writing->job;
    static const char *const words[] = {
        [FILE_OUTPUT] = "", [FILE_DELETED] = "deleted.", [FILE_ERROR] = "error."};
    (void)pthread_mutex_lock(&job->bulk->lock); /* the arena is the job's */
    writing->kind = kind;
    writing->type = type;
    writing->name = slice_text(arena_print(job->arena, "%zu.%s%.*s.ndjson", job->file_count + 1,
                                           words[kind], SLICE_ARGS(type)));
    const char *path = job_path(job, job->arena, writing->name.at);
    bool full = arena_full(job->arena);
    (void)pthread_mutex_unlock(&job->bulk->lock);
    return full ? STATUS_MEMORY : pack_begin(path, job->bulk->options.spare, &writing->pack);
}

static enum status end_bundle(struct writing *writing)
{
    if (writing->entries == 0) {
        return STATUS_OK;
    }
    writing->entries = 0;
    buffer_add_text(pack_out(writing->pack), "]}\n");
    return pack_end_line(writing->pack, 1);
}

/* From here on nothing before it is done again. */
static enum status settle(struct writing *writing, const struct job_file *file)
{
    struct job *job = writing->job;
    (void)pthread_mutex_lock(&job->bulk->lock);
    enum status status = file != NULL ? add_file(job, file) : STATUS_OK;
    job->offset = writing->begins;
    job->written = writing->done;
    job->withheld = writing->withheld;
    job->missing = writing->missing;
    (void)pthread_mutex_unlock(&job->bulk->lock);
    return status == STATUS_OK ? job_save_state(job, BULK_WRITING) : status;
}

static enum status close_file(struct writing *writing)
{
    struct pack *pack = writing->pack;
    if (pack == NULL) {
        return settle(writing, NULL);
    }
    TRY(end_bundle(writing));
    const struct job_file file = {.kind = writing->kind,
                                  .type = writing->type,
                                  .name = writing->name,
                                  .count = pack_resources(pack),
                                  .bytes = pack_length(pack)};
    writing->pack = NULL;
    TRY(pack_finish(pack));
    atomic_fetch_add(&writing->bulk->resources, file.count);
    atomic_fetch_add(&writing->bulk->bytes, file.bytes);
    return settle(writing, &file);
}

/* The file that the next entry goes to. */
static enum status turn_to(struct writing *writing, enum file_kind kind, struct slice type)
{
    if (writing->pack != NULL &&
        (writing->kind != kind || !slice_equals(writing->type, type) ||
         pack_length(writing->pack) >= writing->bulk->options.file_bytes)) {
        TRY(close_file(writing));
    }
    return writing->pack != NULL ? STATUS_OK : open_file(writing, kind, type);
}

/* ---- one version --------------------------------------------------------------------------------
 */

static enum status need_snapshot(struct writing *writing)
{
    if (writing->tx != NULL && ++writing->read_in_it > SNAPSHOT_VERSIONS) {
        store_snapshot_end(writing->tx);
        writing->tx = NULL;
    }
    if (writing->tx != NULL) {
        return STATUS_OK;
    }
    writing->read_in_it = 0;
    struct store_tx *tx;
    TRY(store_snapshot_begin(writing->reader, 0, &tx));
    writing->tx = tx;
    return STATUS_OK;
}

static void name_persons(struct writing *writing, const struct store_version *version)
{
    for (size_t i = 0; i < version->patient_count; i++) {
        pack_names(writing->pack, version->patients[i]);
    }
    if (version->patient_count == 0 &&
        !resource_type_is_shared(writing->bulk->options.definitions, version->type)) {
        pack_names(writing->pack, AUDIT_PERSON_UNKNOWN);
    }
}

static enum status write_resource(struct writing *writing, const struct selected *selected,
                                  const struct store_version *version)
{
    const struct bulk_ask *ask = &writing->job->ask;
    const struct bulk_options *options = &writing->bulk->options;
    bool document = selected->kind == SELECTED_DOCUMENT;
    struct bulk_line line = {.definitions = options->definitions,
                             .content = options->content,
                             .tx = writing->tx,
                             .arena = writing->scratch,
                             .out = NULL,
                             .flush = pack_flush,
                             .base_url = ask->base_url,
                             .elements = ask->elements,
                             .element_count = ask->element_count};
    bool open;
    TRY(bulk_line_open(&line, version, &open));
    if (!open) {
        writing->withheld++;
        return STATUS_OK;
    }
    resource_type type = document ? writing->bulk->document : version->type;
    TRY(turn_to(writing, FILE_OUTPUT, resource_type_name(options->definitions, type)));
    line.out = pack_out(writing->pack);
    line.context = writing->pack;
    TRY(document ? bulk_line_write_document(&line, version) : bulk_line_write(&line, version));
    name_persons(writing, version);
    return pack_end_line(writing->pack, 1);
}

/* Transaction Bundles of deletes ("deleted" in "Response - Complete Status"). */
static enum status write_deleted(struct writing *writing, const struct store_version *version)
{
    struct slice type = resource_type_name(writing->bulk->options.definitions, version->type);
    char document[BULK_DOCUMENT_ID + 1];
    struct slice id = version->id;
    TRY(turn_to(writing, FILE_DELETED, SLICE("Bundle")));
    if (version->type == writing->bulk->binary && version->patient_count > 0) {
        bulk_document_id(id, document);
        id = slice_text(document);
        type = SLICE("DocumentReference");
    }
    buffer_print(
        pack_out(writing->pack), "%s{\"request\":{\"method\":\"DELETE\",\"url\":\"%.*s/%.*s\"}}",
        writing->entries > 0 ? ","
                             : "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[",
        SLICE_ARGS(type), SLICE_ARGS(id));
    name_persons(writing, version);
    return ++writing->entries == BUNDLE_ENTRIES ? end_bundle(writing) : STATUS_OK;
}

static enum status write_selected(struct writing *writing, const struct selected *selected)
{
    struct store_version version;
    arena_reset(writing->scratch, SCRATCH_BYTES);
    TRY(need_snapshot(writing));
    enum status status =
        store_read_version(writing->tx, selected->type, slice_of(selected->id, selected->id_length),
                           selected->version, writing->scratch, &version);
    bool deleted = selected->kind == SELECTED_DELETED;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_GONE) {
        return status;
    }
    if (status != (deleted ? STATUS_GONE : STATUS_OK)) {
        writing->missing++; /* erased since */
        return STATUS_OK;
    }
    return deleted ? write_deleted(writing, &version) : write_resource(writing, selected, &version);
}

static enum status write_all_selected(struct writing *writing)
{
    struct selected selected;
    for (;;) {
        writing->begins = writing->offset;
        TRY(next_selected(writing, &selected));
        if (selected.id_length == 0) {
            return close_file(writing);
        }
        TRY(write_selected(writing, &selected));
        writing->done++;
        atomic_store(&writing->job->done, writing->done);
        if (job_ends(writing->job)) {
            return STATUS_BUSY;
        }
    }
}

/* ---- what else there is to say ------------------------------------------------------------------
 */

static enum status say(struct writing *writing, const char *code, const char *text)
{
    struct outcome outcome;
    outcome_init(&outcome, writing->scratch);
    outcome_warn(&outcome, code, "", "%s", text);
    outcome_write_json(&outcome, pack_out(writing->pack));
    buffer_add_byte(pack_out(writing->pack), '\n');
    return pack_end_line(writing->pack, 1);
}

static enum status say_count(struct writing *writing, uint64_t count, const char *code,
                             const char *text)
{
    return count == 0
               ? STATUS_OK
               : say(writing, code,
                     arena_print(writing->scratch, "%llu %s", (unsigned long long)count, text));
}

static enum status write_errors(struct writing *writing)
{
    const struct job *job = writing->job;
    arena_reset(writing->scratch, SCRATCH_BYTES);
    bool said = job->file_count > 0 && job->files[job->file_count - 1].kind == FILE_ERROR;
    bool nothing = job->ask.note_count == 0 && job->withheld + job->missing + job->nameless == 0;
    if (said || nothing) {
        return STATUS_OK;
    }
    TRY(open_file(writing, FILE_ERROR, SLICE("OperationOutcome")));
    for (size_t i = 0; i < job->ask.note_count; i++) {
        TRY(say(writing, "not-supported", job->ask.notes[i].at));
    }
    TRY(say_count(writing, job->withheld, "suppressed",
                  "Binaries were left out: the resource that decides who may read them is not "
                  "here."));
    TRY(say_count(writing, job->missing, "not-found",
                  "resources were erased while the files were written, and are not in them."));
    TRY(say_count(writing, job->nameless, "not-found",
                  "members of the Group were left out: no reference of theirs leads to a Patient "
                  "or Group on this server."));
    return close_file(writing);
}

/* ---- the step -----------------------------------------------------------------------------------
 */

static enum status run(struct writing *writing)
{
    struct job *job = writing->job;
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    writing->selection = disk->open(job_path(job, arena, SELECTION), O_RDONLY | O_CLOEXEC, 0);
    arena_destroy(arena);
    if (writing->selection < 0) {
        return disk_status(errno) == STATUS_NOT_FOUND ? STATUS_CORRUPT : disk_status(errno);
    }
    TRY(write_all_selected(writing));
    return write_errors(writing);
}

enum status job_write(struct job *job, struct store_reader *reader)
{
    struct arena *arena = arena_create(0);
    struct arena *scratch = arena_create(SCRATCH_BYTES);
    struct writing *writing = arena != NULL ? ARENA_NEW(arena, struct writing) : NULL;
    enum status status = STATUS_MEMORY;
    if (writing != NULL && scratch != NULL) {
        writing->bulk = job->bulk;
        writing->job = job;
        writing->reader = reader;
        writing->scratch = scratch;
        writing->selection = -1;
        writing->offset = job->offset;
        writing->done = job->written;
        writing->withheld = job->withheld;
        writing->missing = job->missing;
        status = run(writing);
        pack_abandon(writing->pack);
        if (writing->tx != NULL) {
            store_snapshot_end(writing->tx);
        }
        if (writing->selection >= 0) {
            (void)disk->close(writing->selection);
        }
    }
    arena_destroy(scratch);
    arena_destroy(arena);
    return status;
}
