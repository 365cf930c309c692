/* SPDX-License-Identifier: MIT */
/* The log's life: opening (and cutting a torn end), appending, closing, reading. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/audit_int.h"

/* Is there, after the last record that can be read, one that was written when more than that was
 * already synced? Then something acknowledged is damaged, and this is no torn end. */
static bool acknowledged_is_damaged(struct slice bytes, size_t offset)
{
    struct record record;
    for (size_t at = offset; at + RECORD_HEAD <= bytes.length; at += 8) {
        if (record_read(bytes, at, &record) && record.synced > offset) {
            return true;
        }
    }
    return false;
}

/* What is cut off is kept beside the segment: it was not acknowledged, but it is evidence. */
static enum status keep_torn_end(struct audit *audit, struct slice torn)
{
    const char *path =
        arena_print(audit->arena, "%s/%08u-%zu.torn", audit->folder, audit->segment, audit->offset);
    return disk_replace_file(path, torn);
}

/* Zeroes what a power cut may have left after the last whole record, so that an old record can
 * never be taken for a new one. What is there may be the work of a process that died before its
 * sync: it must be safe before the next segment is, or a power cut would leave a gap. */
static enum status cut_torn_end(struct audit *audit, struct slice bytes, int fd)
{
    size_t end = bytes.length;
    while (end > audit->offset && bytes.at[end - 1] == '\0') {
        end--;
    }
    if (end > audit->offset) {
        if (acknowledged_is_damaged(bytes, audit->offset)) {
            return STATUS_CORRUPT;
        }
        size_t length = end - audit->offset;
        TRY(keep_torn_end(audit, slice_of(bytes.at + audit->offset, length)));
        memset(audit->batch, 0, length);
        TRY(disk_write_all(fd, slice_of(audit->batch, length), (off_t)audit->offset));
        log_event(LOG_AUDIT_RECOVERED, LOG_NUMBER(LOG_FIELD_BYTES, length));
    }
    return disk->fsync(fd) == 0 ? STATUS_OK : disk_status(errno);
}

static bool all_zero(struct slice bytes)
{
    size_t i = 0;
    while (i < bytes.length && bytes.at[i] == '\0') {
        i++;
    }
    return i == bytes.length;
}

/* Is a segment after the last begun one whole and empty, and safe from a power cut? Only the first
 * of them can hold the leavings of a batch that was never acknowledged. */
static bool still_ready(struct audit *audit, uint32_t segment, bool first)
{
    char path[4096];
    char last_byte;
    segment_path(audit->folder, segment, path, sizeof path);
    int fd = disk->open(path, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    bool ready =
        disk->pread(fd, &last_byte, 1, (off_t)audit->size - 1) == 1 && disk->fsync(fd) == 0;
    (void)disk->close(fd);
    if (ready && first) {
        struct arena_mark mark = arena_mark(audit->arena);
        struct slice bytes;
        ready = segment_load(audit->folder, segment, audit->arena, &bytes) == STATUS_OK &&
                all_zero(bytes);
        arena_rewind(audit->arena, mark);
    }
    return ready;
}

/* Finds where the log ends and what its next number is. */
static enum status recover(struct audit *audit)
{
    uint32_t used, last;
    TRY(segment_find(audit->folder, audit->arena, &used, &last));
    if (last > 0) { /* names too may not be safe yet */
        char path[4096];
        segment_path(audit->folder, last, path, sizeof path);
        TRY(disk_sync_directory(path));
    }
    audit->ready = used;
    while (audit->ready < last && still_ready(audit, audit->ready + 1, audit->ready == used)) {
        audit->ready++;
    }
    audit->number = 1;
    if (used == 0) {
        return STATUS_OK;
    }
    struct arena_mark mark = arena_mark(audit->arena);
    struct slice bytes;
    TRY(segment_load(audit->folder, used, audit->arena, &bytes));
    struct record record;
    while (record_read(bytes, audit->offset, &record)) {
        audit->offset += record_size(record.payload.length);
        audit->number = record.number + record.count;
        audit->origin = record.origin;
    }
    char path[4096];
    segment_path(audit->folder, used, path, sizeof path);
    audit->segment = used;
    audit->fd = disk->open(path, O_RDWR | O_CLOEXEC, 0600);
    enum status status = audit->fd < 0 ? disk_status(errno) : cut_torn_end(audit, bytes, audit->fd);
    arena_rewind(audit->arena, mark);
    audit->bytes = (uint64_t)(used - 1) * audit->size + audit->offset;
    audit->entries = audit->number - 1;
    return status;
}

static bool start(pthread_t *thread, bool *runs, void *(*main)(void *), struct audit *audit)
{
    *runs = pthread_create(thread, NULL, main, audit) == 0;
    return *runs;
}

static struct audit *make(const struct audit_options *options)
{
    struct arena *arena = arena_create(0);
    struct audit *audit = arena != NULL ? ARENA_NEW(arena, struct audit) : NULL;
    char *batch = audit != NULL ? arena_alloc(arena, SEGMENT_SIZE) : NULL;
    if (batch == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    int64_t reserve = options->reserve_bytes > 0 ? options->reserve_bytes : 0;
    audit->arena = arena;
    audit->folder = arena_print(arena, "%s/audit", options->folder);
    audit->size = options->segment_bytes > 0 && options->segment_bytes < SEGMENT_SIZE
                      ? options->segment_bytes
                      : SEGMENT_SIZE;
    audit->ahead = (uint32_t)((uint64_t)reserve / audit->size) + 1;
    audit->fd = -1;
    audit->batch = batch;
    (void)pthread_mutex_init(&audit->lock, NULL);
    (void)pthread_cond_init(&audit->work, NULL);
    (void)pthread_cond_init(&audit->supply, NULL);
    (void)pthread_cond_init(&audit->rested, NULL);
    return audit;
}

enum status audit_open(const struct audit_options *options, struct outcome *outcome,
                       struct audit **ret_audit)
{
    struct audit *audit = make(options);
    if (audit == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = disk_make_directory(audit->folder);
    if (status == STATUS_OK) {
        status = recover(audit);
    }
    if (status == STATUS_OK &&
        (!start(&audit->writer, &audit->writer_runs, audit_writer_main, audit) ||
         !start(&audit->allocator, &audit->allocator_runs, audit_allocator_main, audit))) {
        status = STATUS_MEMORY;
    }
    if (status != STATUS_OK) {
        audit_close(audit);
        if (status == STATUS_CORRUPT) {
            return outcome_fail(outcome, status, "",
                                "The access log in the data folder's audit/ is damaged before its "
                                "end: entries that were acknowledged cannot be read. Restore the "
                                "segment from a copy, or move the folder aside to start a new log "
                                "and keep the damaged one as evidence.");
        }
        return outcome_fail(outcome, status, "",
                            "The access log in the data folder's audit/ cannot be opened: check "
                            "that the folder is writable and has space.");
    }
    *ret_audit = audit;
    return STATUS_OK;
}

void audit_close(struct audit *audit)
{
    (void)pthread_mutex_lock(&audit->lock);
    audit->stopping = true;
    (void)pthread_cond_broadcast(&audit->work);
    (void)pthread_cond_broadcast(&audit->supply);
    (void)pthread_mutex_unlock(&audit->lock);
    if (audit->sequencer_started) {
        (void)pthread_join(audit->sequencer, NULL);
    }
    if (audit->writer_runs) {
        (void)pthread_join(audit->writer, NULL);
    }
    (void)pthread_mutex_lock(&audit->lock);
    audit->finished = true; /* only now: what was appended may need a further segment */
    (void)pthread_cond_broadcast(&audit->supply);
    (void)pthread_mutex_unlock(&audit->lock);
    if (audit->allocator_runs) {
        (void)pthread_join(audit->allocator, NULL);
    }
    if (audit->fd >= 0) {
        (void)disk->close(audit->fd);
    }
    (void)pthread_cond_destroy(&audit->work);
    (void)pthread_cond_destroy(&audit->supply);
    (void)pthread_cond_destroy(&audit->rested);
    (void)pthread_mutex_destroy(&audit->lock);
    arena_destroy(audit->arena);
}

void audit_append(struct audit *audit, struct audit_ticket *ticket)
{
    ticket->next = NULL;
    (void)pthread_mutex_lock(&audit->lock);
    bool was_empty = audit->first == NULL;
    if (was_empty) {
        audit->first = ticket;
    } else {
        audit->last->next = ticket;
    }
    audit->last = ticket;
    if (was_empty) {
        (void)pthread_cond_signal(&audit->work);
    }
    (void)pthread_mutex_unlock(&audit->lock);
}

/* ---- waiting for them --------------------------------------------------------------------------
 */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum status status;
};

static void wake_waiting(void *context, enum status status)
{
    struct waiting *waiting = context;
    (void)pthread_mutex_lock(&waiting->lock);
    waiting->done = true;
    waiting->status = status;
    (void)pthread_cond_signal(&waiting->changed);
    (void)pthread_mutex_unlock(&waiting->lock);
}

enum status audit_append_wait(struct audit *audit, const struct slice *entries, size_t count)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    struct audit_ticket ticket = {
        .entries = entries, .count = count, .done = wake_waiting, .context = &waiting};
    audit_append(audit, &ticket);
    (void)pthread_mutex_lock(&waiting.lock);
    while (!waiting.done) {
        (void)pthread_cond_wait(&waiting.changed, &waiting.lock);
    }
    (void)pthread_mutex_unlock(&waiting.lock);
    return waiting.status;
}

void audit_on_batch(struct audit *audit, void (*wake)(void *context), void *context)
{
    (void)pthread_mutex_lock(&audit->lock);
    audit->wake = wake;
    audit->wake_context = context;
    /* A batch under way has the old ones: whoever takes them back may free them afterwards. */
    uint64_t batch = audit->batches;
    while (audit->busy && audit->batches == batch) {
        (void)pthread_cond_wait(&audit->rested, &audit->lock);
    }
    (void)pthread_mutex_unlock(&audit->lock);
}

void audit_statistics(struct audit *audit, struct audit_statistics *ret_numbers)
{
    (void)pthread_mutex_lock(&audit->lock);
    uint32_t ready = audit->ready;
    (void)pthread_mutex_unlock(&audit->lock);
    *ret_numbers = (struct audit_statistics){.ready = ready,
                                             .entries = audit->entries,
                                             .syncs = audit->syncs,
                                             .bytes = audit->bytes,
                                             .failing = audit->failing};
}

static enum status visit_record(const struct record *record, audit_visit *visit, void *context)
{
    struct slice rest = record->payload;
    for (uint32_t i = 0; i < record->count; i++) {
        uint32_t length;
        if (rest.length < 4) {
            return STATUS_CORRUPT;
        }
        memcpy(&length, rest.at, 4);
        rest = slice_from(rest, 4);
        if (rest.length < length) {
            return STATUS_CORRUPT;
        }
        TRY(visit(context, record->number + i, slice_head(rest, length)));
        rest = slice_from(rest, length);
    }
    return rest.length == 0 ? STATUS_OK : STATUS_CORRUPT;
}

static enum status read_segment(const char *folder, uint32_t segment, struct arena *arena,
                                uint64_t *number, audit_visit *visit, void *context)
{
    struct slice bytes;
    struct record record;
    TRY(segment_load(folder, segment, arena, &bytes));
    for (size_t offset = 0; record_read(bytes, offset, &record);
         offset += record_size(record.payload.length)) {
        if (record.number != *number) {
            return STATUS_CORRUPT;
        }
        if (record.kind == RECORD_ENTRIES) {
            TRY(visit_record(&record, visit, context));
            *number += record.count;
        }
    }
    return STATUS_OK;
}

enum status audit_read(const char *folder, audit_visit *visit, void *context,
                       struct outcome *outcome)
{
    struct arena *arena = arena_create(SEGMENT_SIZE * 2);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    const char *path = arena_print(arena, "%s/audit", folder);
    uint32_t used = 0, last = 0;
    enum status status = segment_find(path, arena, &used, &last);
    uint64_t number = 1;
    struct arena_mark mark = arena_mark(arena);
    for (uint32_t i = 1; i <= used && status == STATUS_OK; i++) {
        status = read_segment(path, i, arena, &number, visit, context);
        arena_rewind(arena, mark);
        if (status == STATUS_CORRUPT) {
            status = outcome_fail(outcome, status, "",
                                  "Segment %u of the access log does not follow on entry %llu: the "
                                  "log was damaged or altered there.",
                                  i, (unsigned long long)(number - 1));
        }
    }
    arena_destroy(arena);
    return status;
}
