/* SPDX-License-Identifier: MIT */
/* audit: who looked at or changed whose record (DESIGN 2, 8). Entries are durable before the first
 * byte of a person's data leaves. The log store has files and a writer thread of its own, so a
 * long import never delays a read; entries that wait together share one sync. A write's entry is a
 * row in the write's own transaction (store_outbox_add) which the sequencer moves here.
 *
 * File: segments of records in preallocated space, so that entries still go on when the disk is
 * full; each record has its length and CRC-32C; a torn end is cut off at opening. */
#ifndef CARELAYER_AUDIT_AUDIT_H
#define CARELAYER_AUDIT_AUDIT_H

#include "base/base.h"
#include "fhir/fhir.h"
#include "store/store.h"

enum audit_action { /* AuditEvent.action */
                    AUDIT_CREATE = 'C',
                    AUDIT_READ = 'R',
                    AUDIT_UPDATE = 'U',
                    AUDIT_DELETE = 'D',
                    AUDIT_EXECUTE = 'E'
};

/* Instead of a patient's number: about somebody, and no reference says whom. */
#define AUDIT_PERSON_UNKNOWN UINT32_MAX

/* One access to one person's data, or one query that found nobody (patient 0). */
struct audit_entry {
    int64_t when;             /* instant */
    enum audit_action action; /* what was done */
    uint16_t http;            /* the answer's status */
    uint32_t patient;         /* number of the person disclosed; 0: nobody; or unknown */
    resource_type type;       /* of what was asked for; NONE: the system */
    uint32_t version;         /* 0: not one version */
    uint32_t resources;       /* how many of this person's resources the answer holds */
    struct slice interaction; /* "read", "search-type", ... */
    struct slice id;          /* logical id; empty for searches */
    struct slice who;         /* "anonymous" while rules are off */
    struct slice request;     /* X-Request-Id, ours or the caller's */
    struct slice query;       /* of a search: parameter names only, never values */
};

/* Encodes to the record's payload (a versioned, length-prefixed binary form), and back: slices view
 * into the payload. False: not such a payload. */
void audit_entry_write(const struct audit_entry *entry, struct buffer *out);
bool audit_entry_read(struct slice payload, struct audit_entry *ret_entry);

struct audit;

struct audit_options {
    const char *folder;    /* the data folder; segments go into its audit/ */
    int64_t reserve_bytes; /* kept allocated ahead of the end */
    size_t segment_bytes;  /* of one file; 0, and at most, 8 MiB. Tests have smaller ones */
};
/* Opens, creating if needed, cuts a torn end, preallocates, starts the writer thread. */
MUST_CHECK enum status audit_open(const struct audit_options *options, struct outcome *outcome,
                                  struct audit **ret_audit);
/* Finishes what was appended. */
void audit_close(struct audit *audit);

/* A ticket is entries that must be durable together: COUNT slices from audit_entry_write. DONE is
 * called on the log's thread once all are on disk or could not be written (STATUS_NO_SPACE,
 * STATUS_IO): brief, only hand on. Memory is the caller's until DONE. */
struct audit_ticket {
    const struct slice *entries;
    size_t count;
    void (*done)(void *context, enum status status);
    void *context;
    uint64_t origin;           /* the log's: an outbox row's number */
    struct audit_ticket *next; /* the log's */
};
void audit_append(struct audit *audit, struct audit_ticket *ticket);

/* The same, and waits until they are durable or could not be. For threads that may wait: none of an
 * event loop or of the log. */
MUST_CHECK enum status audit_append_wait(struct audit *audit, const struct slice *entries,
                                         size_t count);

/* Called after each batch of DONEs, on the log's thread: lets a door wake each loop once. Once this
 * returns the WAKE before it is not called any more. Not from a DONE or a WAKE. */
void audit_on_batch(struct audit *audit, void (*wake)(void *context), void *context);

/* The form in which a write leaves its entries in the store's outbox: one row, up to
 * AUDIT_ROW_LIMIT bytes, for many entries. */
#define AUDIT_ROW_LIMIT ((size_t)1 << 20)
void audit_row_add(struct slice entry, struct buffer *row);

/* Moves outbox rows of the store into the log until stopped (audit_close): at most a second old.
 * Start once, before the first write (the store's next row gets a number that the log does not
 * know yet); both must stay open until audit_close. */
MUST_CHECK enum status audit_sequence(struct audit *audit, struct store *store);

struct audit_statistics {
    uint64_t entries; /* in the log */
    uint64_t syncs;   /* since start */
    uint64_t bytes;
    uint32_t ready; /* highest segment that is allocated, power cut or not */
    bool failing;   /* the last write failed: nothing is disclosed */
};
void audit_statistics(struct audit *audit, struct audit_statistics *ret_numbers);

/* Reads a log nobody need have open, from the first entry to the last whole one. */
typedef enum status audit_visit(void *context, uint64_t number, struct slice payload);
MUST_CHECK enum status audit_read(const char *folder, audit_visit *visit, void *context,
                                  struct outcome *outcome);

#endif
