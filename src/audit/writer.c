/* SPDX-License-Identifier: MIT */
/* The log's own threads: one writes whatever waits with one sync, one keeps zero-filled segments
 * ready, so that entries still go on when the disk is full. */
#include <errno.h>
#include <fcntl.h>

#include "audit/audit_int.h"

static const struct slice header_payload = {"carelayer audit 1", 17};

/* ---- segments kept ready ---- */

static enum status zero_fill(const char *path, size_t size)
{
    static const char zeroes[1 << 16];
    int fd = disk->open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return disk_status(errno);
    }
    enum status status = STATUS_OK;
    for (size_t at = 0; at < size && status == STATUS_OK; at += sizeof zeroes) {
        size_t length = size - at < sizeof zeroes ? size - at : sizeof zeroes;
        status = disk_write_all(fd, slice_of(zeroes, length), (off_t)at);
    }
    if (status == STATUS_OK && disk->fsync(fd) != 0) {
        status = disk_status(errno);
    }
    (void)disk->close(fd);
    if (status == STATUS_OK) {
        status = disk_sync_directory(path);
    }
    if (status != STATUS_OK) {
        (void)disk->unlink(path);
    }
    return status;
}

static bool make_one(struct audit *audit, uint32_t segment)
{
    char path[4096];
    segment_path(audit->folder, segment, path, sizeof path);
    return zero_fill(path, audit->size) == STATUS_OK;
}

void *audit_allocator_main(void *context)
{
    struct audit *audit = context;
    (void)pthread_mutex_lock(&audit->lock);
    while (!audit->finished) {
        if (audit->ready >= audit->segment + audit->ahead) {
            (void)pthread_cond_wait(&audit->supply, &audit->lock);
            continue;
        }
        uint32_t segment = audit->ready + 1;
        (void)pthread_mutex_unlock(&audit->lock);
        bool made = make_one(audit, segment);
        (void)pthread_mutex_lock(&audit->lock);
        audit->starved = !made;
        audit->ready = made ? segment : audit->ready;
        (void)pthread_cond_broadcast(&audit->supply);
        if (!made && !audit->finished) {
            struct timespec soon;
            (void)clock_gettime(CLOCK_REALTIME, &soon);
            soon.tv_sec += 1;
            (void)pthread_cond_timedwait(&audit->supply, &audit->lock, &soon);
        }
    }
    (void)pthread_mutex_unlock(&audit->lock);
    return NULL;
}

/* Waits a moment for the allocator, but not for space on a full disk: whoever is behind this ticket
 * waits too. */
static bool wait_for_segment(struct audit *audit, uint32_t segment)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    (void)pthread_mutex_lock(&audit->lock);
    int waited = 0;
    while (audit->ready < segment && !audit->starved && waited == 0) {
        waited = pthread_cond_timedwait(&audit->supply, &audit->lock, &until);
    }
    bool is_ready = audit->ready >= segment;
    (void)pthread_mutex_unlock(&audit->lock);
    return is_ready;
}

/* ---- writing ---- */

struct batch {
    size_t length;
    uint64_t number;
    uint64_t origin;
};

static enum status next_segment(struct audit *audit)
{
    uint32_t segment = audit->segment + 1;
    char path[4096];
    if (!wait_for_segment(audit, segment)) {
        return STATUS_NO_SPACE;
    }
    segment_path(audit->folder, segment, path, sizeof path);
    int fd = disk->open(path, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        return disk_status(errno);
    }
    if (audit->fd >= 0) {
        (void)disk->close(audit->fd);
    }
    audit->fd = fd;
    audit->offset = audit->dirty = 0;
    (void)pthread_mutex_lock(&audit->lock);
    audit->segment = segment;
    (void)pthread_cond_broadcast(&audit->supply);
    (void)pthread_mutex_unlock(&audit->lock);
    return STATUS_OK;
}

static void batch_begin(struct audit *audit, struct batch *batch)
{
    *batch = (struct batch){.number = audit->number, .origin = audit->origin};
    if (audit->offset == 0) {
        struct record header = {.number = audit->number,
                                .origin = audit->origin,
                                .kind = RECORD_HEADER,
                                .payload = header_payload};
        record_write_head(&header, audit->batch);
        batch->length = record_size(header_payload.length);
        memset(audit->batch + RECORD_HEAD, 0, batch->length - RECORD_HEAD);
        memcpy(audit->batch + RECORD_HEAD, header_payload.at, header_payload.length);
    }
}

/* Adds a ticket's entries as one record; false when it does not fit behind what is there. */
static bool batch_add(struct audit *audit, struct batch *batch, const struct audit_ticket *ticket)
{
    size_t size = 0;
    for (size_t i = 0; i < ticket->count; i++) {
        size += ticket->entries[i].length + (ticket->origin == 0 ? 4 : 0);
    }
    if (audit->offset + batch->length + record_size(size) > audit->size) {
        return false;
    }
    char *head = audit->batch + batch->length;
    char *at = head + RECORD_HEAD;
    for (size_t i = 0; i < ticket->count; i++) {
        struct slice entry = ticket->entries[i];
        if (ticket->origin == 0) {
            uint32_t length = (uint32_t)entry.length;
            memcpy(at, &length, 4);
            at += 4;
        }
        memcpy(at, entry.at, entry.length);
        at += entry.length;
    }
    batch->origin = ticket->origin != 0 ? ticket->origin : batch->origin;
    struct record record = {.number = batch->number,
                            .origin = batch->origin,
                            .kind = RECORD_ENTRIES,
                            .count = audit_ticket_entries(ticket),
                            .synced = (uint32_t)audit->offset,
                            .payload = slice_of(head + RECORD_HEAD, size)};
    record_write_head(&record, head);
    batch->number += record.count;
    batch->length += record_size(size);
    memset(at, 0, (size_t)(audit->batch + batch->length - at));
    return true;
}

/* One write, one sync. What a failed write may have left behind is overwritten with zeroes, so
 * that refused entries do not come to life. */
static enum status batch_write(struct audit *audit, const struct batch *batch)
{
    size_t end = audit->offset + batch->length;
    size_t length = batch->length;
    if (audit->dirty > end) {
        memset(audit->batch + batch->length, 0, audit->dirty - end);
        length += audit->dirty - end;
    }
    audit->dirty = audit->offset + length;
    TRY(disk_write_all(audit->fd, slice_of(audit->batch, length), (off_t)audit->offset));
    if (disk->fdatasync(audit->fd) != 0) {
        return disk_status(errno);
    }
    audit->offset = audit->dirty = end;
    audit->entries += batch->number - audit->number;
    audit->bytes += batch->length;
    audit->syncs++;
    audit->number = batch->number;
    audit->origin = batch->origin;
    return STATUS_OK;
}

static void tell_failure(struct audit *audit, enum status status)
{
    if (status != STATUS_OK && !atomic_exchange(&audit->failing, true)) {
        log_event(LOG_AUDIT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    } else if (status == STATUS_OK) {
        audit->failing = false;
    }
}

/* A ticket is its owner's again once it is done. */
static void finish(struct audit_ticket *first, const struct audit_ticket *end, enum status status)
{
    while (first != end) {
        struct audit_ticket *next = first->next;
        first->done(first->context, status);
        first = next;
    }
}

/* Writes tickets from FIRST on until one does not fit; gives the first that is left. */
static struct audit_ticket *write_some(struct audit *audit, struct audit_ticket *first)
{
    struct batch batch;
    batch_begin(audit, &batch);
    struct audit_ticket *end = first;
    while (end != NULL && batch_add(audit, &batch, end)) {
        end = end->next;
    }
    enum status status = STATUS_OK;
    if (end == first) {
        status = audit->offset == 0 ? STATUS_TOO_COSTLY : next_segment(audit);
        if (status == STATUS_OK) {
            return first; /* again, in the new segment */
        }
        /* Without a segment none of them can be written; one that is longer than any falls alone.
         */
        end = audit->offset == 0 ? first->next : NULL;
    } else {
        status = batch_write(audit, &batch);
    }
    tell_failure(audit, status);
    finish(first, end, status);
    return end;
}

void *audit_writer_main(void *context)
{
    struct audit *audit = context;
    for (;;) {
        (void)pthread_mutex_lock(&audit->lock);
        audit->busy = false;
        (void)pthread_cond_broadcast(&audit->rested);
        while (audit->first == NULL && !(audit->stopping && !audit->sequencer_runs)) {
            (void)pthread_cond_wait(&audit->work, &audit->lock);
        }
        struct audit_ticket *tickets = audit->first;
        audit->first = audit->last = NULL;
        audit->busy = tickets != NULL;
        audit->batches++;
        void (*wake)(void *) = audit->wake;
        void *wake_context = audit->wake_context;
        (void)pthread_mutex_unlock(&audit->lock);
        if (tickets == NULL) {
            return NULL;
        }
        if (audit->fd < 0) {
            enum status status = next_segment(audit);
            if (status != STATUS_OK) {
                tell_failure(audit, status);
                finish(tickets, NULL, status);
                tickets = NULL;
            }
        }
        while (tickets != NULL) {
            tickets = write_some(audit, tickets);
        }
        if (wake != NULL) {
            wake(wake_context);
        }
    }
}
