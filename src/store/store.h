/* SPDX-License-Identifier: MIT */
/* store: people's records on disk. One interface, and SQLite or a PostgreSQL server behind it, so
 * nothing here speaks SQL. On a server whatever asks it may also end as STATUS_TRANSIENT: it is
 * away, try again.
 *
 * The model (DESIGN 6): a resource lives in the partition of one home patient; membership lists
 * every patient it concerns; a directory maps (type, id) to its place; every change has a number;
 * history is keyed by type, id and version; a delete leaves a tombstone. Placement never decides
 * correctness.
 *
 * Bodies are minified JSON in their incoming order, without meta.versionId and meta.lastUpdated,
 * which live in the row and are spliced in when the body is written out: so a body can be made
 * ready (minified, indexed, compressed) on any thread before its version is known.
 *
 * Threads: struct store is shared; a struct store_reader and a struct store_tx belong to one thread
 * at a time. Slices given back live in the arena that was handed in. */
#ifndef CARELAYER_STORE_STORE_H
#define CARELAYER_STORE_STORE_H

#include "base/base.h"
#include "fhir/fhir.h"

/* ---- opening -------------------------------------------------------------------------------- */

struct store;

/* Long work tells how far it is; NULL is allowed. */
typedef void store_progress(void *context, uint64_t done, uint64_t all);

struct store_options {
    const char *folder;   /* the data folder; the file in it is records.db */
    const char *database; /* a PostgreSQL server instead of that file: address as libpq takes it */
    size_t writers;       /* connections that write to it at once; 0: 8 */
    const struct definitions *definitions; /* must outlive the store */
    const char *vfs;     /* SQLite VFS to use; NULL: the default. Tests put a failing disk here. */
    int64_t cache_bytes; /* page cache over all connections; 0: 16 MiB */
    bool must_exist;     /* do not create */
    bool read_only;      /* no lock and no writer: beside a process that writes */
    store_progress *progress; /* of going through what an older layout holds */
    void *context;            /* its */
};

/* Opens, creating or migrating as needed, and starts the writer. STATUS_CORRUPT with what to do
 * when the file is not ours, newer than this program, or damaged. Locks the folder: a second
 * process that wants to write is refused with STATUS_CONFLICT. */
MUST_CHECK enum status store_open(const struct store_options *options, struct outcome *outcome,
                                  struct store **ret_store);

/* Finishes every job submitted, moves the log into the file, closes. All readers closed before. */
void store_close(struct store *store);

/* ---- versions of resources ------------------------------------------------------------------- */

enum store_method { STORE_CREATED = 1, STORE_UPDATED, STORE_PATCHED, STORE_DELETED };

struct store_version {
    resource_type type;
    struct slice id;
    uint32_t version;         /* from 1; 0: contained in another resource, with no version of its
                                 own; the patients are those of what contains it */
    int64_t updated;          /* instant, microseconds; rises with change */
    uint64_t change;          /* number of the change that made it */
    enum store_method method; /* STORE_DELETED: a tombstone, body empty */
    bool created;             /* there was none before it, or that had been deleted */
    struct slice body;        /* minified JSON without versionId and lastUpdated */
    uint32_t splice;          /* offset in body just after the brace that opens meta */
    const uint32_t *patients; /* numbers of the patients it concerns, home first */
    size_t patient_count;     /* 0: concerns nobody */
    uint64_t blob_length;     /* bytes of a Binary's content kept outside the body; 0: none */
};

/* The whole resource: body with versionId and lastUpdated spliced in; without, of a contained one.
 */
void store_version_write(const struct store_version *version, struct buffer *out);

/* ---- reading ----------------------------------------------------------------------------------
 */

/* A reader owns a connection and its cached statements. */
struct store_reader;
MUST_CHECK enum status store_reader_open(struct store *store, struct store_reader **ret_reader);
void store_reader_close(struct store_reader *reader);

/* A consistent view: either a snapshot of a reader or the write transaction of a job. */
struct store_tx;

/* Begins a snapshot. DEADLINE (time_monotonic) ends any query in it as STATUS_TOO_COSTLY; 0: none.
 * End it with store_snapshot_end before the next on this reader. */
MUST_CHECK enum status store_snapshot_begin(struct store_reader *reader, int64_t deadline,
                                            struct store_tx **ret_tx);
void store_snapshot_end(struct store_tx *tx);

/* Begins a snapshot without deadline that holds every change whose time (updated) is at or before
 * *RET_INSTANT and none that is later; that is no earlier than the call. Waits for the changes that
 * are on their way. */
MUST_CHECK enum status store_snapshot_instant(struct store_reader *reader, struct store_tx **ret_tx,
                                              int64_t *ret_instant);

/* The current version in ARENA. STATUS_NOT_FOUND: never existed; STATUS_GONE: deleted, and
 * *RET_VERSION is the tombstone. The quick path: two tree descents, no snapshot needed around it.
 */
MUST_CHECK enum status store_read(struct store_tx *tx, resource_type type, struct slice id,
                                  struct arena *arena, struct store_version *ret_version);

/* As store_read, on a snapshot with all that was committed before the call: the point read of an
 * event loop. The reader keeps that snapshot for the point reads that follow until something is
 * committed: whoever called must end it with store_reader_rest before its thread waits, or the
 * database's log cannot be emptied meanwhile. */
MUST_CHECK enum status store_read_now(struct store_reader *reader, resource_type type,
                                      struct slice id, struct arena *arena,
                                      struct store_version *ret_version);

/* Does even a point read wait for a server? Then reads are for workers only. */
bool store_reads_wait(const struct store *store);

/* Ends what store_read_now keeps; nothing when there is nothing. */
void store_reader_rest(struct store_reader *reader);

/* One version, current or past. A tombstone's version is STATUS_GONE. */
MUST_CHECK enum status store_read_version(struct store_tx *tx, resource_type type, struct slice id,
                                          uint32_t version, struct arena *arena,
                                          struct store_version *ret_version);

/* LENGTH bytes from OFFSET of the content of a Binary whose blob_length is not 0; fewer at its
 * end. */
MUST_CHECK enum status store_read_blob(struct store_tx *tx, const struct store_version *version,
                                       uint64_t offset, size_t length, struct buffer *out);

/* Of one item of a page: what it was found for. */
struct store_inside {
    bool itself;                 /* it is a match by itself */
    struct store_version *items; /* the matches that it contains, in their order */
    size_t count;
};

struct store_page {
    struct store_version *items;
    size_t count;
    const struct store_inside *inside; /* one for each item, when asked for; else NULL */
    bool more;                         /* there is a further page */
    uint64_t total;                    /* all matches, when asked for; else UINT64_MAX */
    struct slice next; /* opaque cursor for the next page (URL-safe text); empty without more */
};

/* History, newest change first (R4 http, "history"). */
struct store_history_query {
    resource_type type;      /* RESOURCE_TYPE_NONE: the whole system */
    struct slice id;         /* empty: the whole type */
    int64_t since;           /* only versions updated at or after; INT64_MIN: all */
    int64_t at_low, at_high; /* only versions current at some time in [low, high); equal: all */
    size_t count;
    struct slice cursor; /* of the page before; empty: the first */
    bool total;
    size_t bytes; /* end the page early once bodies pass this; 0: no bound */
};
MUST_CHECK enum status store_history(struct store_tx *tx, const struct store_history_query *query,
                                     struct arena *arena, struct outcome *outcome,
                                     struct store_page *ret_page);

/* Versions in the order of the changes that made them, tombstones too: for who must act on each
 * change once. A change that a slower transaction may still come before is not shown yet, so
 * nothing is ever skipped by going on behind the last one shown. */
struct store_changes {
    uint64_t after;    /* only changes with a higher number */
    const bool *types; /* by resource_type, only these; NULL: all */
    size_t most;       /* how many */
    size_t bytes;      /* end early once bodies pass this */
};
/* *RET_UP_TO: everything asked for up to this change is in the answer. */
MUST_CHECK enum status store_changes_read(struct store_tx *tx, const struct store_changes *asked,
                                          struct arena *arena, struct store_version **ret_items,
                                          size_t *ret_count, uint64_t *ret_up_to);

/* ---- finding ----------------------------------------------------------------------------------
 */

/* The typed plan of a search: clauses are ANDed, the values of a clause ORed. Building it from a
 * URL is search/'s work, carrying it out is the engine's. */
enum store_compare { /* prefixes of R4 search */
                     STORE_EQ,
                     STORE_NE,
                     STORE_GT,
                     STORE_LT,
                     STORE_GE,
                     STORE_LE,
                     STORE_SA,
                     STORE_EB,
                     STORE_AP
};
enum store_modifier {
    STORE_PLAIN,
    STORE_MISSING,    /* one value, boolean; any kind */
    STORE_NOT,        /* token */
    STORE_EXACT,      /* string */
    STORE_CONTAINS,   /* string, uri */
    STORE_BELOW,      /* uri; reference: the resource and what is below it in the hierarchy */
    STORE_ABOVE,      /* uri; reference: the resource and what is above it */
    STORE_IDENTIFIER, /* reference: by its logical identifier; value is a token */
    STORE_TEXT,       /* token, reference: by the words beside the value; value.text */
    STORE_OF_TYPE,    /* token of an Identifier: system and code are those of identifier.type,
                         text its value */
    STORE_CHAIN,      /* reference: what it leads to is a match of one of the queries */
    STORE_HAS,        /* a match of one of the queries refers to it by the parameter, which is one
                         of that query's type */
    STORE_ANY         /* no parameter: the resource itself is a match of one of the queries (what
                         several parameters put into a compartment; several times of change) */
};
struct store_code { /* of a set of codes */
    struct slice system, code;
};
struct store_value {
    enum store_compare compare; /* date, number, quantity */
    bool boolean;               /* MISSING */
    bool has_system;            /* token: "system|code" or "|code" (system empty: none) */
    struct slice system;        /* token; quantity: unit system */
    struct slice code;          /* token; quantity: unit code; empty: any code of the system */
    struct slice text;          /* string, uri, TEXT, OF_TYPE */
    resource_type target;       /* reference: type, or NONE for any of the parameter's targets */
    struct slice id;            /* reference: logical id; or empty with text = absolute URL */
    bool person;                /* reference to a Patient: or to one that is the same person */
    int64_t low, high;          /* date: half-open range of instants */
    struct decimal number;      /* number, quantity: as written */
    struct decimal number_low, number_high; /* its implicit range */
    const struct store_code *codes; /* token: any of these instead of system and code (:in, :below,
                                       :above of a code, worked out by the terminology) */
    size_t code_count;
    bool has_codes;                  /* with a count of 0: no code at all */
    const struct store_value *parts; /* composite: one for each component, in their order */
    size_t part_count;
    double latitude, longitude, metres; /* special `near` */
};
struct store_query;
struct store_clause {
    const struct search_parameter
        *parameter; /* of the query's type; with type NONE that of some
                       type, and each type's own of the same code counts */
    enum store_modifier modifier;
    const struct store_value *values;
    size_t value_count;
    const struct store_query *queries; /* CHAIN, HAS, ANY: only type, ids, updated_*, clauses count;
                                          ANY: type NONE is any type */
    size_t query_count;
};
/* Which resources are asked whether they match (R4 search, "Contained Resources"). What is found
 * for one that is contained is the current resource that contains it, each once. */
enum store_contained {
    STORE_CONTAINED_NOT, /* those that stand by themselves */
    STORE_CONTAINED_ONLY,
    STORE_CONTAINED_TOO
};
#define STORE_SORTS_MOST 4 /* a page's last key goes into its cursor */
struct store_sort {
    const struct search_parameter *parameter; /* NULL: by lastUpdated; type NONE as in a clause */
    bool descending;
};
struct store_query {
    resource_type type;         /* NONE: any type (with a patient scope: the whole record) */
    const resource_type *types; /* with type NONE: only these; NULL: all */
    size_t type_count;
    const struct slice *ids; /* `_id`: any of these; NULL: any */
    size_t id_count;
    bool has_patient;     /* only what concerns these patients (membership, linked ones included) */
    struct slice patient; /* logical id of a Patient */
    int64_t updated_low, updated_high; /* `_lastUpdated` in [low, high); both 0: any */
    const struct store_clause *clauses;
    size_t clause_count;
    const struct store_sort *sorts; /* none: an immutable order, (place in the store) */
    size_t sort_count;              /* at most STORE_SORTS_MOST */
    size_t count;                   /* entries a page; 0: only the total */
    struct slice cursor;            /* empty: the first page */
    bool total;                     /* count all matches exactly */
    bool estimate;                  /* with total: a good guess will do, made in bounded time */
    size_t bytes;                   /* end the page early once bodies pass this; 0: no bound */
    bool bodies; /* false: only type, id, version, patients (for conditional operations) */
    enum store_contained contained; /* but NOT: of one type, sorted by lastUpdated if at all */
    bool inside;                    /* with that: the page says what each item was found for */
};
/* STATUS_NOT_SUPPORTED with the parameter named when this engine's indexes cannot answer a clause
 * (never a wider answer); STATUS_VALUE for a cursor that is not one of ours. */
MUST_CHECK enum status store_find(struct store_tx *tx, const struct store_query *query,
                                  struct arena *arena, struct outcome *outcome,
                                  struct store_page *ret_page);

/* Does RESOURCE, any version of one of the query's type, meet the query's clauses? It is asked of
 * the resource alone: chains, `_has`, compartments and `_lastUpdated` are STATUS_NOT_SUPPORTED, as
 * store_matches_check says beforehand. BASE_URL: that absolute references in it were made under. */
MUST_CHECK enum status store_matches(struct store_tx *tx, const struct store_query *query,
                                     yyjson_val *resource, struct slice base_url,
                                     struct arena *arena, struct outcome *outcome, bool *ret_match);
MUST_CHECK enum status store_matches_check(const struct store_query *query,
                                           struct outcome *outcome);

/* The current resources that VERSION refers to by PARAMETER of its type (NULL: by any reference
 * parameter), of type TARGET only unless NONE: `_include`. Each once; local references only; what
 * is not there is left out. At most MOST, then STATUS_TOO_COSTLY. */
MUST_CHECK enum status store_follow(struct store_tx *tx, const struct store_version *version,
                                    const struct search_parameter *parameter, resource_type target,
                                    size_t most, struct arena *arena,
                                    struct store_version **ret_items, size_t *ret_count);

/* The current resources of type SOURCE (NONE, with no parameter: of any type) that refer to VERSION
 * by PARAMETER of SOURCE (NULL: by any reference parameter of it): `_revinclude`. Otherwise as
 * store_follow. STATUS_NOT_SUPPORTED, said in OUTCOME, when the parameter waits for a reindex. */
MUST_CHECK enum status store_referrers(struct store_tx *tx, const struct store_version *version,
                                       resource_type source,
                                       const struct search_parameter *parameter, size_t most,
                                       struct arena *arena, struct outcome *outcome,
                                       struct store_version **ret_items, size_t *ret_count);

/* Visits every current resource of a type (NONE: all) in place order: export and reindex. The
 * version's slices live until VISIT returns. A status other than OK from VISIT ends the scan and
 * is given back. */
typedef enum status store_visit(void *context, const struct store_version *version);
MUST_CHECK enum status store_scan(struct store_tx *tx, resource_type type, store_visit *visit,
                                  void *context);

/* The Patient id behind a patient number; STATUS_NOT_FOUND. */
MUST_CHECK enum status store_patient_id(struct store_tx *tx, uint32_t patient, struct arena *arena,
                                        struct slice *ret_id);

/* Whom the resource concerns, or concerned when it was deleted; a Patient itself also while only
 * references name it. *RET_COUNT 0: nobody, or there never was one. */
MUST_CHECK enum status store_concerned(struct store_tx *tx, resource_type type, struct slice id,
                                       struct arena *arena, const uint32_t **ret_patients,
                                       size_t *ret_count);

/* Every patient number that is the same person as PATIENT, itself first. */
MUST_CHECK enum status store_person_patients(struct store_tx *tx, uint32_t patient,
                                             struct arena *arena, const uint32_t **ret_patients,
                                             size_t *ret_count);

/* Does a current resource refer to this one? Gives one such (type, id) in the arena; for
 * referential integrity of deletes. STATUS_NOT_FOUND: none. */
MUST_CHECK enum status store_find_referrer(struct store_tx *tx, resource_type type, struct slice id,
                                           struct arena *arena, struct store_version *ret_version);

/* ---- search parameters as data -----------------------------------------------------------------
 *
 * SearchParameters that are stored and active count beside those of the definitions
 * (search_parameters_add), and by a parameter that is new here or has changed, the definitions'
 * too, what is stored is indexed in the background, some resources a job, so that others write
 * between. How far it came commits with each job. Until all is indexed searches by it end as
 * STATUS_TRANSIENT; they are right from the first answer on. */

/* Is anything being indexed? How much of it is done, of how much; both in resources. */
bool store_indexing(const struct store *store, uint64_t *ret_done, uint64_t *ret_all);

/* Has a SearchParameter been written that is not yet taken in? A code that is not known may be its.
 * That passes in moments. */
bool store_learning(const struct store *store);

/* Grows whenever the search parameters that count have changed. */
uint64_t store_parameters_turn(const struct store *store);

/* Waits until everything stored is taken in and indexed; for tools and tests. */
MUST_CHECK enum status store_learned(struct store *store);

/* Several processes may write to a server: which types somebody here keeps in memory (at most 8),
 * to be looked for once a second. Once, before there are requests. */
void store_watch(struct store *store, const resource_type *types, size_t count);
/* Grows when one of theirs has changed, whoever did it. Never with SQLite. */
uint64_t store_news(const struct store *store);
/* What this process is called among those that may write there: the same for a data folder for
 * ever, and only one process at a time has it. Empty with SQLite: nobody else writes. */
struct slice store_member(const struct store *store);

/* ---- writing ----------------------------------------------------------------------------------
 */

/* A resource made ready to be stored: minified, compressed, its index rows and patients found. The
 * work is done here, on the caller's thread; putting it is only tree inserts. */
struct store_draft;

/* ROOT is a valid resource of TYPE; the draft has ID as its id whatever ROOT says, and no
 * meta.versionId or lastUpdated. BASE_URL makes absolute references to us local. The draft lives
 * in ARENA and refers to ROOT's document no more. */
MUST_CHECK enum status store_draft_make(struct store *store, resource_type type, struct slice id,
                                        yyjson_val *root, struct slice base_url,
                                        struct arena *arena, struct outcome *outcome,
                                        struct store_draft **ret_draft);

/* The content of a Binary, in an open file of LENGTH bytes, to be kept beside the body in pieces.
 * The descriptor must stay open until the job is done. */
void store_draft_set_blob(struct store_draft *draft, int file, uint64_t length);

/* A named fact to be set whenever the draft is put, in the same transaction; copied. */
MUST_CHECK enum status store_draft_add_note(struct store_draft *draft, struct slice name,
                                            struct slice value, struct arena *arena);

/* Minified body of a draft as it will be written out, apart from versionId and lastUpdated. */
void store_draft_version(const struct store_draft *draft, struct store_version *ret_version);

struct store_condition {
    uint32_t version;         /* If-Match: the current version must be this; 0: any */
    bool absent;              /* there must be no current resource (create, If-None-Match: *) */
    bool present;             /* there must be one */
    const uint32_t *versions; /* If-Match with several tags: the current one must be among these */
    size_t version_count;
};

/* Does a current VERSION meet what If-Match says? */
bool store_condition_meets(const struct store_condition *condition, uint32_t version);

struct store_written {
    uint32_t version;
    int64_t updated;
    uint64_t change;
    bool created;             /* there was none, or it had been deleted */
    const uint32_t *patients; /* of the new version and of the one it replaced */
    size_t patient_count;
    bool tied; /* whom it concerns hangs on other resources too, which may yet come */
};

/* These drafts will be put next, in this order if all goes well: on a server, what all of them look
 * for is then asked for at once. Only a hint. */
MUST_CHECK enum status store_expect(struct store_tx *tx, struct store_draft *const *drafts,
                                    size_t count);

/* Puts a draft as the next version. STATUS_PRECONDITION / STATUS_CONFLICT when the condition
 * does not hold. */
MUST_CHECK enum status store_put(struct store_tx *tx, const struct store_draft *draft,
                                 enum store_method method, const struct store_condition *condition,
                                 struct arena *arena, struct outcome *outcome,
                                 struct store_written *ret_written);

/* Leaves a tombstone. STATUS_NOT_FOUND: never existed; STATUS_GONE: was deleted before, with
 * *RET_WRITTEN of that. */
MUST_CHECK enum status store_delete(struct store_tx *tx, resource_type type, struct slice id,
                                    const struct store_condition *condition, struct arena *arena,
                                    struct outcome *outcome, struct store_written *ret_written);

/* An access entry in the write's own transaction: an outbox row that the log takes later. */
MUST_CHECK enum status store_outbox_add(struct store_tx *tx, struct slice entry);

/* The rows to come get numbers above AFTER: what is already safe elsewhere under such a number may
 * have been lost here, with the commit of a process that died before it was synced. */
MUST_CHECK enum status store_outbox_begin(struct store_tx *tx, uint64_t after);

/* Hands every outbox row to VISIT in order, oldest first, at most MAX; and removes the rows up to a
 * number once they are safe elsewhere. */
typedef enum status store_outbox_visit(void *context, uint64_t number, struct slice entry);
MUST_CHECK enum status store_outbox_read(struct store_tx *tx, uint64_t after, size_t max,
                                         store_outbox_visit *visit, void *context);
MUST_CHECK enum status store_outbox_remove(struct store_tx *tx, uint64_t up_to);

/* Gives waiting rows and all later ones numbers above AFTER: the log beside a restored store knows
 * numbers that the store gives anew. */
MUST_CHECK enum status store_outbox_renumber(struct store_tx *tx, uint64_t after);

/* The note that tells one life of a store from another: a restore takes it out. */
#define STORE_GENERATION "generation"

/* Small named facts that commit with the data (progress of imports, ...). STATUS_NOT_FOUND. */
MUST_CHECK enum status store_note_set(struct store_tx *tx, struct slice name, struct slice value);
MUST_CHECK enum status store_note_get(struct store_tx *tx, struct slice name, struct arena *arena,
                                      struct slice *ret_value);
MUST_CHECK enum status store_note_remove(struct store_tx *tx, struct slice name);

/* ---- data quality -----------------------------------------------------------------------------
 */

/* What the checks at entry said of an entry; of a rule: whether it warned or refused. */
enum store_verdict { STORE_ACCEPTED, STORE_WARNED, STORE_REFUSED };

/* How many entries of a day. RULE empty: the entries themselves, each once; else those of them that
 * were accepted with a warning of this rule, or refused with an error of it. */
struct store_quality {
    int32_t day;         /* day_at */
    resource_type type;  /* NONE: it could not be told */
    struct slice source; /* who sent it (quality.h); empty: unknown */
    struct slice rule;   /* identifier of a rule; empty: the entries themselves */
    struct slice words;  /* what is wrong and how to mend it, for the first of its rule and type */
    enum store_verdict verdict;
    uint64_t count;
};

/* Adds to what is there. */
MUST_CHECK enum status store_quality_add(struct store_tx *tx, const struct store_quality *row);

/* Removes the days before DAY. */
MUST_CHECK enum status store_quality_forget(struct store_tx *tx, int32_t day);

/* Visits every row of one day; the slices live until VISIT returns. */
typedef void store_quality_visit(void *context, const struct store_quality *row);
MUST_CHECK enum status store_quality_day(struct store_tx *tx, int32_t day,
                                         store_quality_visit *visit, void *context);

/* Sums by one property, in its order: only this one (and verdict, count) is set in the rows. By
 * rule the type is set too, and the words when they are known. */
enum store_quality_by {
    STORE_QUALITY_ALL,
    STORE_QUALITY_BY_SOURCE,
    STORE_QUALITY_BY_TYPE,
    STORE_QUALITY_BY_RULE,
    STORE_QUALITY_BY_DAY
};
struct store_quality_query {
    int32_t first, last; /* days, both included */
    bool has_source;     /* only what came from SOURCE */
    struct slice source;
    enum store_quality_by by;
};
MUST_CHECK enum status store_quality_sum(struct store_tx *tx,
                                         const struct store_quality_query *query,
                                         struct arena *arena, struct store_quality **ret_rows,
                                         size_t *ret_count);

/* A job is what one request writes, all or nothing. RUN is called with the write transaction, in a
 * savepoint of its own; a status other than OK undoes what it did. DONE is called once, after the
 * commit is durable (or with the failure): on the writer's thread, so it must be brief and only
 * hand on. On an engine that must retry, RUN may be called again and must start afresh.
 * Jobs waiting together share one durable commit; STATUS_NO_SPACE, IO and MEMORY fail them all. On
 * a server several run at once, each a transaction: STATUS_BUSY, others won for too long;
 * STATUS_TRANSIENT, it is away, or it could not be found out whether the commit was done.
 * The job's memory is the caller's until DONE. */
struct store_job {
    enum status (*run)(struct store_tx *tx, void *context);
    void (*done)(void *context, enum status status);
    void *context;
    int64_t patience; /* microseconds from its turn on: its searches end as STATUS_TOO_COSTLY then;
                         0: never */
    bool large;       /* it writes so much that beside others it would clash with them */
    bool learns;      /* the store's: it brings what the parameters are up to date */
    struct store_job *next; /* the store's */
};
void store_submit(struct store *store, struct store_job *job);

/* Do jobs run beside each other, in threads of their own? Then those that share memory must be
 * submitted one after another. */
bool store_jobs_run_together(const struct store *store);

/* Submits and waits; for tools and tests, never on an event loop. */
MUST_CHECK enum status store_write(struct store *store,
                                   enum status (*run)(struct store_tx *tx, void *context),
                                   void *context);

/* ---- looking after it -------------------------------------------------------------------------
 */

struct store_statistics {
    uint64_t resources; /* current */
    uint64_t versions;  /* superseded and tombstones */
    uint64_t patients;
    uint64_t last_change;
    uint64_t commits; /* durable commits since start */
    uint64_t jobs;    /* jobs committed since start */
    uint64_t waiting; /* jobs in the queue now */
    uint64_t file_bytes;
    bool full; /* writes are refused for lack of space */
};
MUST_CHECK enum status store_statistics(struct store *store, struct store_statistics *ret_numbers);

/* Online backup of an open store to a new file (or of a folder nobody has open). Of a server:
 * STATUS_NOT_SUPPORTED, it has its own tools. */
MUST_CHECK enum status store_backup(struct store *store, const char *file, store_progress *progress,
                                    void *context, struct outcome *outcome);

/* Makes FOLDER's store out of a backup after checking it; refuses to overwrite records. */
MUST_CHECK enum status store_restore(const char *file, const char *folder, store_progress *progress,
                                     void *context, struct outcome *outcome);

/* Everything that must agree does: pages, directory, places, membership, index rows recomputed from
 * bodies, history without gaps, change numbers. Each fault is an issue (no values). */
MUST_CHECK enum status store_check(struct store *store, store_progress *progress, void *context,
                                   struct outcome *outcome);

/* Recomputes every index row from the bodies, in bounded transactions, resumable. */
MUST_CHECK enum status store_reindex(struct store *store, store_progress *progress, void *context,
                                     struct outcome *outcome);

/* Brings the schema up to this program's version (store_open does it too). Says from and to. */
MUST_CHECK enum status store_migrate(const struct store_options *options, struct outcome *outcome);

#endif
