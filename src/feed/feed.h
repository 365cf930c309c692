/* SPDX-License-Identifier: MIT */
/* feed: doors for records that come in files. What comes in walks the same stages as a request over
 * HTTP: it is decoded, validated, stored in one durable transaction a unit, and its access entries
 * are written with it.
 *
 * Import has the meaning of PUT: ids are kept, and what exists becomes an older version. A
 * transaction Bundle is one unit, all or nothing, unless split; other Bundles and NDJSON are stored
 * resource by resource, in their order. A conditional reference of a transaction
 * ("Practitioner?identifier=...") is resolved against what is stored before it, by resources that
 * were imported earlier; one that does not meet exactly one is a reject. The progress ledger
 * commits with the data, so an import that was killed goes on where it was when it is started
 * again. */
#ifndef CARELAYER_FEED_FEED_H
#define CARELAYER_FEED_FEED_H

#include "request/request.h"

struct feed_options {
    struct service *service; /* with store, audit, definitions, workers, config; interactions are
                                set here */
    bool split;              /* transaction Bundles resource by resource too */
    bool again;              /* also files that the ledger knows as done */
    struct slice source;     /* who sent it, where a resource does not say: a name of
                                quality_source_read; empty: unknown */
    int rejects;             /* open file for what was rejected: a JSON object a line, no values */
    /* Called now and then from the caller's thread; BYTES with those that an earlier run stored. */
    void (*progress)(void *context, uint64_t resources, uint64_t bytes);
    void *context;

    /* Of an import that was asked for over HTTP; else left empty. */
    const char *ledger;           /* name of this import: one file only, and never one that was
                                     imported before under another name */
    struct slice request;         /* X-Request-Id of its access entries */
    struct slice base_url;        /* what is below it is ours */
    bool ndjson;                  /* whatever it looks like */
    bool outcomes;                /* rejects are lines of OperationOutcome, which say theirs */
    resource_type type;           /* only this one; RESOURCE_TYPE_NONE: any */
    size_t units;                 /* under way at once; 0: as many as are quickest */
    bool (*stops)(void *context); /* ends it, with STATUS_BUSY; NULL: never */
};

struct feed_result {
    uint64_t stored;   /* resources */
    uint64_t rejected; /* resources, those that fell with their transaction included */
    uint64_t bytes;    /* of JSON */
    uint64_t resumed;  /* units that an earlier run had stored */
    uint64_t files_done_before;
    uint64_t stored_in_all; /* with a ledger of its own: by earlier runs too */
};

/* Imports the files ("-" is stdin; plain or gzip; Bundle, resource or NDJSON, told apart by their
 * content). STATUS_OK also when there were rejects; another status, with an issue, when the import
 * could not go on. */
MUST_CHECK enum status feed_import(const struct feed_options *options, const char *const *files,
                                   size_t count, struct outcome *outcome,
                                   struct feed_result *ret_result);

/* ---- imports over HTTP ($import) ---- */

struct feed_jobs;

/* Jobs are folders in imports/ of the data folder. Opens what is there and goes on with what an
 * earlier process left; sets the importer of SERVICE, which must have all but that. Explained in
 * OUTCOME: a setting of where files may come from that cannot be read. */
MUST_CHECK enum status feed_jobs_open(struct service *service, struct outcome *outcome,
                                      struct feed_jobs **ret_jobs);
/* Stops at the next unit; what is unfinished goes on after feed_jobs_open. NULL is allowed. */
void feed_jobs_close(struct feed_jobs *jobs);

/* Writes every current resource to FOLDER, one NDJSON file a type, each replaced whole. */
MUST_CHECK enum status feed_export(struct service *service, const char *folder,
                                   store_progress *progress, void *context, struct outcome *outcome,
                                   uint64_t *ret_count);

#endif
