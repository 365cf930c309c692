/* SPDX-License-Identifier: MIT */
/* bulk: records in files for who asked: FHIR Bulk Data Access 2.0.0 (STU 2), "Bulk Data Export".
 *
 * A job is a folder below {data}/exports, which only the server's user can read. It goes on in two
 * steps, so that it is of one instant and yet survives kill -9 without starting anew:
 *   1. select: in one snapshot, which versions of which resources are wanted, into a file;
 *   2. write: these versions, which never change, into NDJSON files, a few megabytes each; after
 *      each the state is saved, so what was cut off goes on after the last whole file.
 * Writing a file beside the records discloses nothing. Reading one does: bulk_file_read hands out
 * bytes only when the access entries of all persons in them are durable (docs/adr/0010).
 *
 * Threads: everything here may be called from any thread; a bulk_file belongs to one at a time. */
#ifndef CARELAYER_BULK_BULK_H
#define CARELAYER_BULK_BULK_H

#include "audit/audit.h"
#include "base/base.h"
#include "fhir/fhir.h"
#include "search/search.h"
#include "store/store.h"

/* ---- lines ------------------------------------------------------------------------------------
 */

/* What is known above of content that is kept beside a Binary's body: handed in. */
struct bulk_content {
    /* May the content of VERSION be shown? What is no Binary always may. */
    enum status (*guard)(const struct definitions *definitions, struct store_tx *tx,
                         const struct store_version *version, struct arena *arena, bool *ret_open);
    /* How long the resource in JSON is with its content as data; HEAD is it without. */
    uint64_t (*length)(struct slice head, uint64_t blob_length);
    /* Writes at most MAX bytes of that from OFFSET. */
    enum status (*write)(struct store_tx *tx, const struct store_version *version,
                         struct slice head, uint64_t offset, size_t max, struct buffer *out);
};

/* Resources as lines of NDJSON. FLUSH is called in between when OUT holds BULK_BLOCK bytes or more
 * of one long line, and must leave it empty. ARENA is scratch. */
#define BULK_BLOCK ((size_t)256 << 10)
struct bulk_line {
    const struct definitions *definitions;
    const struct bulk_content *content;
    struct store_tx *tx;
    struct arena *arena;
    struct buffer *out;
    enum status (*flush)(void *context);
    void *context;
    /* Of an export that goes elsewhere; else left empty. */
    struct slice base_url;        /* relative links to Binaries become absolute under it */
    const struct slice *elements; /* only these, "Patient.name" or "name", and what must be */
    size_t element_count;
};

/* May it be written? False: a Binary whose securityContext does not let it be read. */
MUST_CHECK enum status bulk_line_open(const struct bulk_line *line,
                                      const struct store_version *version, bool *ret_open);

/* Adds VERSION and a line feed to OUT. */
MUST_CHECK enum status bulk_line_write(const struct bulk_line *line,
                                       const struct store_version *version);

/* A Binary that concerns a person leaves as a DocumentReference (Bulk Data 2, "Kick-off Request")
 * with the id of bulk_document_id: its content as data while it is in the body, else by its
 * address. */
MUST_CHECK enum status bulk_line_write_document(const struct bulk_line *line,
                                                const struct store_version *version);
#define BULK_DOCUMENT_ID 64
void bulk_document_id(struct slice binary, char ret_id[static BULK_DOCUMENT_ID + 1]);

/* ---- jobs -------------------------------------------------------------------------------------
 */

struct bulk;

struct bulk_options {
    const char *folder; /* the data folder; jobs are in its exports/ */
    const struct definitions *definitions;
    struct store *store;
    struct audit *audit;
    struct terms *terms;             /* for filters; may be NULL */
    struct conformance *conformance; /* the same */
    const struct bulk_content *content;
    enum status (*ready)(void *context); /* before a filter is planned; NULL: nothing to do */
    void *context;
    size_t threads;    /* jobs worked on at a time */
    size_t jobs;       /* unfinished ones at most; more are refused with STATUS_TOO_MANY */
    int64_t keep;      /* seconds that a finished job's files stay */
    int64_t spare;     /* bytes of the disk that no job may use up */
    size_t file_bytes; /* about how long a file gets, before it is packed */
};

/* Opens what is in the folder, and goes on with what an earlier process left. */
MUST_CHECK enum status bulk_open(const struct bulk_options *options, struct outcome *outcome,
                                 struct bulk **ret_bulk);
/* Stops at the next whole file; what is unfinished goes on after bulk_open. NULL is allowed. */
void bulk_close(struct bulk *bulk);

enum bulk_level {
    BULK_SYSTEM,   /* everything */
    BULK_PATIENTS, /* what concerns any patient */
    BULK_GROUP     /* what concerns a member of one Group */
};

/* `Type?name:modifier=value&...` of _typeFilter. */
struct bulk_filter {
    resource_type type;
    const struct search_argument *arguments;
    size_t count;
};

/* Reads `Type?name:modifier=value&...`, encoded as in a URL, in ARENA. STATUS_VALUE, unexplained:
 * it is none of one type. */
MUST_CHECK enum status bulk_filter_read(const struct definitions *definitions, struct slice text,
                                        struct arena *arena, struct bulk_filter *ret_filter);

/* The StructureDefinition of the extension member-filter, which $export of a Group heeds: the
 * packages that are loaded need not bring it. Its version is older than that of any package. */
extern const char bulk_member_filter[];

/* What is asked for. */
struct bulk_ask {
    enum bulk_level level;
    struct slice group;           /* id of the Group */
    const struct slice *patients; /* ids: only what concerns these; none: no such limit */
    size_t patient_count;
    const resource_type *types; /* none: all */
    size_t type_count;
    bool has_since;
    int64_t since;                /* instant, not before 1970: only what changed after it */
    const struct slice *elements; /* as in bulk_line */
    size_t element_count;
    const struct bulk_filter *filters; /* a resource of a type with filters must meet one of them */
    size_t filter_count;
    const struct slice *notes; /* what lenient handling left out: sentences */
    size_t note_count;
    struct slice base_url; /* of the server, as the caller called it */
    struct slice url;      /* of the request, whole */
    struct slice who;      /* who asks: nobody else sees the job */
};

/* Can it be carried out? Explained in OUTCOME: a Group that is not there, inactive or only
 * described; a patient who is not there or no member (of a Group by search: that is found out when
 * the job begins); a filter that cannot be answered. */
MUST_CHECK enum status bulk_check(struct bulk *bulk, struct store_tx *tx,
                                  const struct bulk_ask *ask, struct arena *arena,
                                  struct outcome *outcome);

/* The search that a filter of ASK is; its persons are told of by the mere asking. */
MUST_CHECK enum status bulk_filter_query(struct bulk *bulk, struct slice base_url,
                                         const struct bulk_filter *filter, struct arena *arena,
                                         struct outcome *outcome, struct store_query *ret_query);

/* Begins a job: it is durable when this returns. STATUS_TOO_MANY, explained. */
MUST_CHECK enum status bulk_start(struct bulk *bulk, const struct bulk_ask *ask,
                                  struct outcome *outcome, char ret_id[static UUID_LENGTH + 1]);

/* An id for a job: nothing in it can be guessed, as a time can. */
void bulk_new_id(char ret_id[static UUID_LENGTH + 1]);

enum bulk_state { BULK_WAITING, BULK_SELECTING, BULK_WRITING, BULK_DONE, BULK_FAILED };

/* Whom an answer tells of that holds nothing of theirs: of a few by name, of many their number. */
#define BULK_NAMES 100
struct bulk_people {
    uint32_t patients[BULK_NAMES];
    size_t count;
    bool many; /* more than these */
};

struct bulk_view {
    enum bulk_state state;
    uint64_t done, all;    /* resources; all is 0 while they are selected */
    size_t before;         /* unfinished jobs that were there first */
    int64_t expires;       /* instant; 0: not yet known */
    enum status status;    /* of a failed one */
    struct slice manifest; /* of a finished one: JSON, file addresses under BASE_URL/$export/ID */
    struct bulk_people people; /* of a finished one: who was asked for, and who is in the files */
};

/* STATUS_NOT_FOUND: no such job of WHO's; STATUS_TOO_MANY: it is asked about too often. */
MUST_CHECK enum status bulk_look(struct bulk *bulk, struct slice id, struct slice who,
                                 struct slice base_url, struct arena *arena,
                                 struct bulk_view *ret_view);

/* Ends a job, whatever its state, and removes its files. STATUS_NOT_FOUND. */
MUST_CHECK enum status bulk_cancel(struct bulk *bulk, struct slice id, struct slice who);

/* ---- files ------------------------------------------------------------------------------------
 */

struct bulk_file;

/* Opens a file of a finished job, by its name in the manifest. It can be read to its end even if
 * the job expires meanwhile. STATUS_NOT_FOUND. */
MUST_CHECK enum status bulk_file_open(struct bulk *bulk, struct slice id, struct slice who,
                                      struct slice name, struct bulk_file **ret_file);
void bulk_file_close(struct bulk_file *file);

/* Two representations of one content: plain, and packed (one gzip member). */
uint64_t bulk_file_length(const struct bulk_file *file, bool packed);
int64_t bulk_file_expires(const struct bulk_file *file);
uint64_t bulk_file_resources(const struct bulk_file *file);
/* Who is in it: for an answer that tells of it without a byte of it. */
void bulk_file_people(const struct bulk_file *file, struct bulk_people *ret_people);

/* Under what an access to it is logged. */
struct bulk_access {
    struct slice who;
    struct slice request; /* X-Request-Id */
};

/* Adds at least one and at most MAX bytes from OFFSET, which lies before the end, to OUT: after an
 * entry for each person in these bytes who had none by this bulk_file is durable. */
MUST_CHECK enum status bulk_file_read(struct bulk_file *file, bool packed, uint64_t offset,
                                      size_t max, const struct bulk_access *access,
                                      struct buffer *out);

/* ---- numbers ----------------------------------------------------------------------------------
 */

struct bulk_statistics {
    uint64_t waiting, running, kept;           /* jobs now */
    uint64_t started, done, failed, cancelled; /* since the start of the process */
    uint64_t expired;
    uint64_t resources, bytes; /* written, before packing */
    uint64_t left;             /* resources of running jobs not yet written */
};
void bulk_statistics(struct bulk *bulk, struct bulk_statistics *ret_numbers);

#endif
