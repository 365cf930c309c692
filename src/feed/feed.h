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
    /* Called now and then from the caller's thread. */
    void (*progress)(void *context, uint64_t resources, uint64_t bytes);
    void *context;
};

struct feed_result {
    uint64_t stored;   /* resources */
    uint64_t rejected; /* resources, those that fell with their transaction included */
    uint64_t bytes;    /* of JSON */
    uint64_t resumed;  /* units that an earlier run had stored */
    uint64_t files_done_before;
};

/* Imports the files ("-" is stdin; plain or gzip; Bundle, resource or NDJSON, told apart by their
 * content). STATUS_OK also when there were rejects; another status, with an issue, when the import
 * could not go on. */
MUST_CHECK enum status feed_import(const struct feed_options *options, const char *const *files,
                                   size_t count, struct outcome *outcome,
                                   struct feed_result *ret_result);

/* Writes every current resource to FOLDER, one NDJSON file a type, each replaced whole. */
MUST_CHECK enum status feed_export(struct service *service, const char *folder,
                                   store_progress *progress, void *context, struct outcome *outcome,
                                   uint64_t *ret_count);

#endif
