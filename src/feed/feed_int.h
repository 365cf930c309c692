/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_FEED_FEED_INT_H
#define CARELAYER_FEED_FEED_INT_H

#include <pthread.h>

#include "feed/feed.h"

/* ---- the ledger: which units of a file are stored ---- */

/* Units below LOW are done, and those listed: as the note said when it was last read. */
#define LEDGER_AHEAD 64
struct ledger {
    char name[80]; /* of the note in the store */
    uint64_t low;
    uint64_t ahead[LEDGER_AHEAD];
    size_t ahead_count;
    uint64_t stored;        /* resources of these */
    _Atomic uint64_t units; /* in the file; UINT64_MAX until it was read to its end */
    bool whole;             /* the file was read to its end and all is stored */
};
/* NAME: its own, else NULL. */
void ledger_name(const char *path, const char *name, struct ledger *ledger);
enum status ledger_load(struct store_tx *tx, struct arena *arena, struct ledger *ledger);
/* The same, in a snapshot of its own. */
MUST_CHECK enum status ledger_read(struct store *store, struct arena *arena, struct ledger *ledger);
bool ledger_has(const struct ledger *ledger, uint64_t unit);
/* Marks a unit of STORED resources done, in the transaction that stores it. */
enum status ledger_mark(struct store_tx *tx, struct arena *arena, const struct ledger *ledger,
                        uint64_t unit, uint64_t stored);
/* Marks the whole file done if all its units are. */
enum status ledger_close(struct store_tx *tx, struct arena *arena, const struct ledger *ledger);

/* ---- reading files ---- */

struct source {
    struct gzip_reader *file;
    const char *name;
    struct arena *arena; /* of the window */
    char *window;        /* read and not yet given out: [start, end) of it */
    size_t start, end, capacity;
    uint64_t line; /* number of the line that is next */
    bool lines;    /* NDJSON; else one document */
    bool at_end;
};
enum status source_open(const char *path, bool ndjson, struct outcome *outcome,
                        struct source *ret_source);
void source_close(struct source *source);
/* The next unit's text, valid until the next call; empty at the end. *RET_LINE is its first line.
 */
enum status source_next(struct source *source, struct outcome *outcome, struct slice *ret_text,
                        uint64_t *ret_line);

/* ---- units ---- */

struct import {
    const struct feed_options *options;
    struct service service; /* ours, with the import's interactions */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t next;      /* number of the next unit, over all files */
    uint64_t submitted; /* units below this are with the store, in order */
    size_t in_flight;   /* not yet answered */
    size_t running;     /* with a worker that still looks at this struct */
    size_t bytes_in_flight;
    uint64_t bytes_before; /* of units that an earlier run stored */
    enum status status;    /* the first failure that is not the input's */
    struct feed_result result;
};

/* What the checks said of each entry: counted once the unit is durable. */
struct verdicts {
    struct quality_entry *items;
    size_t count, capacity;
};

struct unit {
    struct import *import;
    struct request *request;
    const char *file; /* name as it is shown */
    struct ledger *ledger;
    uint64_t number;      /* over all files */
    uint64_t file_number; /* in its file */
    uint64_t line;
    bool lines;
    size_t length;
    struct store_draft **drafts;
    size_t draft_count, draft_capacity;
    struct store_draft **tied; /* put, and whom they concern hangs on others too */
    size_t tied_count, tied_capacity;
    struct feed_bundle *bundles; /* those with conditional references, in their order */
    struct store_reader *reader; /* of the worker that runs it */
    struct buffer rejects;       /* JSON lines */
    uint64_t stored, rejected;
    struct verdicts verdicts; /* but those of BUNDLES */
    struct work work;
};

struct item {
    const struct json *json;
    yyjson_val *resource;
    struct slice full_url;
    int64_t entry; /* -1: not of a Bundle */
    uint64_t line;
    resource_type type;
    struct slice id;
};

/* The id it has, or its urn:uuid, or a new one. */
void item_choose_id(struct request *request, struct item *item);

/* Validates and makes a draft; a fault of the input is a reject and no failure of the unit. */
MUST_CHECK enum status unit_take(struct unit *unit, struct item *item);
/* Rejects it for one reason. */
void unit_refuse(struct unit *unit, const struct item *item, enum status status, const char *path,
                 const char *why);
/* Puts drafts, in the unit's database transaction. */
MUST_CHECK enum status unit_put(struct unit *unit, struct store_tx *tx,
                                struct store_draft *const *drafts, size_t count);

/* bundle.c: takes the entries of a Bundle; and puts everything that the unit has, in its order. */
MUST_CHECK enum status unit_take_bundle(struct unit *unit, const struct json *json, uint64_t line);
MUST_CHECK enum status unit_put_all(struct unit *unit, struct store_tx *tx);

/* Notes what the checks said of an entry; RESOURCE NULL: it could not be read. */
MUST_CHECK enum status unit_judge(struct unit *unit, resource_type type, yyjson_val *resource,
                                  bool refused, const struct issue *issues);
/* What fell with its transaction was not accepted, and nothing is wrong with it: of the verdicts
 * after the first FROM only refusals stay. */
void verdicts_forget_accepted(struct verdicts *verdicts, size_t from);
void verdicts_count(const struct verdicts *verdicts, struct quality *quality);
/* bundle.c: those of the Bundles with conditional references. */
void unit_count_bundles(const struct unit *unit);

extern const struct interaction feed_interactions[];
extern const struct door feed_door;

/* Adds a rejected resource's line: where it is, its type when known, and the outcome. */
void unit_reject(struct unit *unit, uint64_t line, int64_t entry, resource_type type,
                 const struct outcome *outcome);

/* Waits until every unit before this one is with the store. */
void unit_await_turn(struct import *import, uint64_t number);

#endif
