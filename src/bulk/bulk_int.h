/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_BULK_BULK_INT_H
#define CARELAYER_BULK_BULK_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "bulk/bulk.h"

/* ---- files of a job (pack.c, file.c) ------------------------------------------------------------
 * {name}.gz is one gzip member (RFC 1952) whose deflate stream begins anew at each block of
 * BULK_BLOCK bytes, so that any block can be had alone; {name}.index says where the blocks begin,
 * and who is in which bytes. */

/* Somebody in a file: the bytes [first, last) of the plain content hold all that is about them. */
struct pack_person {
    uint32_t patient; /* AUDIT_PERSON_UNKNOWN: about somebody, nobody knows whom */
    uint32_t resources;
    uint64_t first, last;
};

#define PACK_MAGIC UINT64_C(0x31304b4c55424c43) /* "CLBULK01" */
struct pack_head {
    uint64_t magic;
    uint64_t plain, packed; /* bytes */
    uint64_t resources;
    uint32_t blocks, persons;
    uint32_t crc; /* CRC-32C of the tables after it */
    uint32_t zero;
    /* uint64_t where each block begins in the packed file [blocks];
     * struct pack_person [persons], by first */
};

struct pack;

/* STATUS_NO_SPACE: the disk that FILE is on has less than SPARE bytes left. */
MUST_CHECK enum status spare_check(int file, int64_t spare);

/* Begins a file at PATH (without suffix). No byte of it is seen under its name before pack_finish.
 * SPARE: of the disk, in bytes. */
MUST_CHECK enum status pack_begin(const char *path, int64_t spare, struct pack **ret_pack);

/* Where the text of lines goes; pack_flush takes what is there. */
struct buffer *pack_out(struct pack *pack);
MUST_CHECK enum status pack_flush(void *pack);

/* The line being written is about PATIENT. */
void pack_names(struct pack *pack, uint32_t patient);

/* The line is whole, line feed included. */
MUST_CHECK enum status pack_end_line(struct pack *pack, uint64_t resources);

uint64_t pack_length(const struct pack *pack);    /* plain bytes so far */
uint64_t pack_resources(const struct pack *pack); /* in whole lines */

/* Makes it durable under its name. The pack is gone afterwards, whatever the status. */
MUST_CHECK enum status pack_finish(struct pack *pack);
/* Removes what was written. NULL is allowed. */
void pack_abandon(struct pack *pack);

/* ---- jobs ---------------------------------------------------------------------------------------
 */

enum file_kind { FILE_OUTPUT, FILE_DELETED, FILE_ERROR };

struct job_file {
    enum file_kind kind;
    struct slice type; /* of the resources in it */
    struct slice name; /* "1.Patient.ndjson" */
    uint64_t count;    /* resources; deleted ones, each once */
    uint64_t bytes;    /* plain */
};

struct job {
    struct bulk *bulk;
    struct job *next;    /* in order of arrival */
    struct arena *arena; /* of all that lives as long as the job */
    char id[UUID_LENGTH + 1];
    const char *folder;
    struct bulk_ask ask;
    int64_t begun; /* instant */

    /* Changed by the thread that works on it, under the lock. */
    enum bulk_state state;
    bool selected;   /* the selection is whole */
    int64_t instant; /* transactionTime */
    int64_t finished;
    enum status status; /* why it failed */
    struct job_file *files;
    size_t file_count, file_capacity;
    uint64_t offset;           /* in the selection: what is before it is in the files */
    uint64_t all;              /* in the selection */
    uint64_t written;          /* of these, in the files */
    uint64_t withheld;         /* Binaries that may not be shown */
    uint64_t missing;          /* versions that were erased meanwhile */
    uint64_t nameless;         /* members of the Group whom no reference to a Patient here names */
    struct bulk_people people; /* whom the manifest tells of */

    _Atomic uint64_t done;  /* of ALL, those in the open file too */
    _Atomic bool cancelled; /* its folder is to go */
    bool running;           /* a thread works on it */
    double polls;           /* that may be answered now */
    int64_t polled;         /* time_monotonic */
};

struct bulk {
    struct bulk_options options;
    const char *folder; /* of all jobs */
    struct arena *arena;
    resource_type patient, binary, document, group;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *jobs;
    struct bulk_statistics totals; /* those since the start */
    _Atomic uint64_t resources, bytes;
    _Atomic bool stopping;
    pthread_t *threads;
    size_t thread_count;
    pthread_t keeper; /* removes what has expired */
    bool keeper_runs;
};

/* Should whoever works on it stop? */
bool job_ends(const struct job *job);

/* ---- folder.c -----------------------------------------------------------------------------------
 */

/* Makes an empty job with its arena; NULL: no memory. */
struct job *job_create(struct bulk *bulk, const char *id);
void job_destroy(struct job *job);
/* Copies ASK into the job. */
MUST_CHECK enum status job_take(struct job *job, const struct bulk_ask *ask);
/* Makes the folder with job.json in it, durably. */
MUST_CHECK enum status job_save(const struct job *job);
/* Reads both files of the folder: STATUS_CORRUPT when it is none of ours. */
MUST_CHECK enum status job_load(struct job *job);
/* Removes what is in the folder, and it. */
void job_remove(const struct job *job);
/* Takes away what says that there is such a job: it does not begin again. */
void job_forget(const struct job *job);
/* Removes its files but not what says that there is such a job. */
void job_remove_files(const struct job *job);
const char *job_path(const struct job *job, struct arena *arena, const char *name);

/* ---- state.c ------------------------------------------------------------------------------------
 */

/* Saves how far it is, durably, as being in STATE. */
MUST_CHECK enum status job_save_state(const struct job *job, enum bulk_state state);
/* None saved: the job is at its beginning. */
MUST_CHECK enum status job_load_state(struct job *job);

/* ---- manifest.c ---------------------------------------------------------------------------------
 */

void manifest_write(const struct job *job, struct slice base_url, struct buffer *out);

/* ---- group.c ------------------------------------------------------------------------------------
 */

/* Numbers of patients. Its arena is nobody else's: the arenas of the functions below are scratch.
 */
struct patient_set {
    struct arena *arena;
    uint8_t *bits;
    size_t bytes;
};
MUST_CHECK enum status patient_set_add(struct patient_set *set, uint32_t patient);
bool patient_set_has(const struct patient_set *set, uint32_t patient);
bool patient_set_meets(const struct patient_set *set, const struct store_version *version);

/* What a Group says of its members besides their names: the modifier extension member-filter of
 * Bulk Data ("Bulk Cohort API"). Members are whom every one of them finds. */
struct member_filters {
    struct bulk_filter *items;
    size_t count;
    bool of_all; /* no members are named: of all patients */
};

/* Adds the members of a Group who are patients now: active, within their period, those of Groups in
 * it too; each with all Patient resources that are the same person. *RET_NAMELESS: members that
 * could not be told. *RET_FILTERS: to be applied to them. OUTCOME says what is wrong with the Group
 * itself. */
MUST_CHECK enum status group_members(struct bulk *bulk, struct store_tx *tx, struct slice id,
                                     struct slice base_url, struct arena *arena,
                                     struct outcome *outcome, struct patient_set *set,
                                     uint64_t *ret_nameless, struct member_filters *ret_filters);

/* members.c: reads the filters of a Group's ROOT, in ARENA. STATUS_BUSINESS_RULE: one that is none,
 * or another modifier extension; explained. */
MUST_CHECK enum status member_filters_read(struct bulk *bulk, const yyjson_val *root,
                                           struct arena *arena, struct outcome *outcome,
                                           struct member_filters *ret_filters);
/* Takes out of SET whom one of the filters does not find. JOB NULL: only asks whether they can be
 * answered. STATUS_BUSY: the job ends. */
MUST_CHECK enum status member_filters_apply(struct bulk *bulk, struct store_tx *tx,
                                            const struct member_filters *filters,
                                            struct slice base_url, const struct job *job,
                                            struct outcome *outcome, struct patient_set *set);

/* The number of a Patient and of who is the same person; STATUS_NOT_FOUND. */
MUST_CHECK enum status patient_add(struct bulk *bulk, struct store_tx *tx, struct slice id,
                                   struct arena *arena, struct patient_set *set);

/* Whom the job is limited to; *RET_LIMITED false: to nobody in particular. JOB NULL: it is only
 * asked whether that can be told. */
MUST_CHECK enum status patients_asked(struct bulk *bulk, struct store_tx *tx,
                                      const struct bulk_ask *ask, const struct job *job,
                                      struct arena *arena, struct outcome *outcome,
                                      struct patient_set *set, bool *ret_limited,
                                      uint64_t *ret_nameless);

/* ---- check.c ------------------------------------------------------------------------------------
 */

/* The clause that says "meets one of the filters of TYPE"; *RET_ANY false: there are none. */
MUST_CHECK enum status filters_plan(struct bulk *bulk, const struct bulk_ask *ask,
                                    resource_type type, struct arena *arena,
                                    struct outcome *outcome, struct store_clause *ret_clause,
                                    bool *ret_any);

/* Is TYPE wanted? */
bool type_asked(const struct bulk *bulk, const struct bulk_ask *ask, resource_type type);

/* ---- the selection: select.c writes it, write.c reads it ---------------------------------------
 */

enum selected_kind {
    SELECTED_RESOURCE, /* as it is */
    SELECTED_DOCUMENT, /* a Binary, as a DocumentReference */
    SELECTED_DELETED   /* a tombstone */
};
struct selected {
    enum selected_kind kind;
    resource_type type;
    uint32_t version;
    uint8_t id_length;
    char id[64];
};
#define SELECTED_HEAD 8 /* kind, id length, type, version; the id follows */
#define SELECTION     "selection"

MUST_CHECK enum status job_select(struct job *job, struct store_reader *reader);

void people_add(struct bulk_people *people, uint32_t patient);

struct selecting {
    struct bulk *bulk;
    struct job *job;
    struct store_tx *tx;
    struct arena *arena; /* of the whole step */
    struct arena *page;  /* of one page */
    struct outcome outcome;
    struct patient_set set;
    bool limited; /* to those in the set */
    uint64_t nameless;
    int file;
    off_t written;
    struct buffer out;
    uint64_t count;
    struct bulk_people people;
};

/* VERSION will be in the files, or in their number: the manifest tells of whom it concerns. */
void selection_tells(struct selecting *selecting, const struct store_version *version);

/* Adds VERSION to the selection. */
MUST_CHECK enum status selection_add(struct selecting *selecting, enum selected_kind kind,
                                     const struct store_version *version);

/* select_few.c: what is current of few patients, without a look at everybody's; *RET_DONE false:
 * they are too many, or there are filters, and nothing was added. */
MUST_CHECK enum status select_few(struct selecting *selecting, bool *ret_done);

/* Memory of a page. */
#define PAGE_BYTES ((size_t)256 << 20)

/* ---- write.c, run.c -----------------------------------------------------------------------------
 */

MUST_CHECK enum status job_write(struct job *job, struct store_reader *reader);

/* Works on jobs until the end; context is the bulk. */
void *bulk_run(void *context);
void *bulk_keep(void *context);

#endif
