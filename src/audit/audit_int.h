/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_AUDIT_AUDIT_INT_H
#define CARELAYER_AUDIT_AUDIT_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/audit.h"

/* On disk: files audit/00000001.log, 00000002.log ... of SEGMENT_SIZE zero-filled bytes, written
 * from the front. A record never crosses a segment. Little-endian:
 *   u32 length of the payload   u32 CRC-32C of what follows, payload included
 *   u64 number of the first entry in it   u64 outbox number it came from, or the last one before
 *   u32 kind   u32 how many entries   u32 offset up to which the segment was synced before this
 *   u32 zero   payload, then zeroes up to a multiple of 8
 * A zero length ends the segment. The first record of each is a header: kind RECORD_HEADER, the
 * numbers that follow, payload "carelayer audit 1". An entry in a payload is u32 length, bytes. */
#define SEGMENT_SIZE   ((size_t)8 << 20)
#define RECORD_HEAD    40u
#define RECORD_HEADER  1u
#define RECORD_ENTRIES 2u

struct record {
    uint64_t number;
    uint64_t origin;
    uint32_t kind;
    uint32_t count;
    uint32_t synced;
    struct slice payload;
};

/* Bytes of a record on disk. */
static inline size_t record_size(size_t payload)
{
    return (RECORD_HEAD + payload + 7) / 8 * 8;
}

/* The record at OFFSET of a segment's BYTES. False at the end, or at a torn or damaged record. */
bool record_read(struct slice bytes, size_t offset, struct record *ret_record);

/* Writes the head for PAYLOAD into HEAD; the payload follows it on disk. */
void record_write_head(const struct record *record, char head[static RECORD_HEAD]);

void segment_path(const char *folder, uint32_t segment, char *ret_path, size_t size);

/* Highest segment number in the folder whose first record is whole (0: none), and the highest
 * file number there is. */
enum status segment_find(const char *folder, struct arena *arena, uint32_t *ret_used,
                         uint32_t *ret_last);

/* All bytes of a segment into the arena. */
enum status segment_load(const char *folder, uint32_t segment, struct arena *arena,
                         struct slice *ret_bytes);

struct audit {
    struct arena *arena;
    const char *folder; /* the audit/ folder itself */
    uint32_t ahead;     /* segments kept ready */
    size_t size;        /* of a segment that is made now */

    pthread_mutex_t lock;
    pthread_cond_t work;   /* tickets came, or stopping */
    pthread_cond_t supply; /* a segment was begun or made ready */
    struct audit_ticket *first, *last;
    bool stopping;
    bool finished; /* nothing more will be written: the allocator may end */
    bool starved;  /* the allocator's last try failed */

    pthread_t writer, allocator, sequencer;
    bool writer_runs, allocator_runs, sequencer_runs, sequencer_started;
    uint32_t ready; /* highest segment number that is zero-filled and synced */

    /* the writer's */
    int fd;
    uint32_t segment;
    size_t offset;
    size_t dirty;            /* bytes up to here may hold what a failed write left */
    uint64_t number;         /* of the next entry */
    _Atomic uint64_t origin; /* last outbox number in the log */
    char *batch;             /* SEGMENT_SIZE bytes */

    _Atomic uint64_t entries, syncs, bytes;
    _Atomic bool failing;

    void (*wake)(void *context);
    void *wake_context;
    bool busy;             /* the writer has a batch, and may be about to call wake */
    uint64_t batches;      /* taken so far */
    pthread_cond_t rested; /* a batch is over */
    struct store *store;
};

/* How many entries a ticket holds: an outbox row has its own already packed. */
uint32_t audit_ticket_entries(const struct audit_ticket *ticket);

/* Threads. */
void *audit_writer_main(void *context);
void *audit_allocator_main(void *context);
void *audit_sequencer_main(void *context);

#endif
