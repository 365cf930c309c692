/* SPDX-License-Identifier: MIT */
/* request: the journey of a request (DESIGN 2). Everything that touches a record, whichever door
 * it came by, is one walk through STAGES. A reader who knows these lines knows the server. */
#ifndef CARELAYER_REQUEST_REQUEST_H
#define CARELAYER_REQUEST_REQUEST_H

#include <stdatomic.h>

#include "audit/audit.h"
#include "base/base.h"
#include "bulk/bulk.h"
#include "fhir/fhir.h"
#include "quality/quality.h"
#include "store/store.h"
#include "subscribe/subscribe.h"
#include "terms/terms.h"
#include "validate/validate.h"

/*    stage         always  question                                                     */
#define STAGES(X)                                                                                  \
    X(route, false)        /* Which interaction on which resource is this? */                      \
    X(authenticate, false) /* Who is asking? */                                                    \
    X(authorise, false)    /* May this role do this at all? */                                     \
    X(decode, false)       /* Is the body well formed? */                                          \
    X(validate, false)     /* Does it keep to its profile? */                                      \
    X(consent, false)      /* May it be done to this person's record? */                           \
    X(perform, false)      /* Read, search or write the store. */                                  \
    X(redact, false)       /* Take out what this caller may not see. */                            \
    X(audit, true)         /* Record who did what, durably. */                                     \
    X(respond, true)       /* Send the answer or the OperationOutcome. */

enum stage {
#define STAGE_ROW(name, always) STAGE_##name,
    STAGES(STAGE_ROW)
#undef STAGE_ROW
        STAGE_COUNT
};

/* What a stage answers: go on; or wait, because somebody will call request_resume. A failed stage
 * sets request->status and details in the outcome and answers STEP_NEXT: the walk then goes on at
 * the next stage that always runs. */
enum step { STEP_NEXT, STEP_PARKED };

struct request;

/* ---- what is asked ---- */

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

struct header {
    struct slice name, value; /* value trimmed; repeated fields are separate entries */
};

/* A decoded query parameter, in the order it came: `name:modifier=value`. */
struct parameter {
    struct slice name;     /* decoded, without modifier */
    struct slice modifier; /* without colon; empty */
    struct slice value;    /* decoded */
};

enum format { FORMAT_JSON, FORMAT_XML };
enum prefer_return { PREFER_REPRESENTATION, PREFER_MINIMAL, PREFER_OUTCOME };

/* ---- interactions ---- */

/* Where a path may be matched; {type} is any resource type unless the interaction names one. A job
 * and its files are below the operation that began it: [base]/$export/{id}[/{file}]. */
enum level { LEVEL_SYSTEM, LEVEL_TYPE, LEVEL_INSTANCE, LEVEL_VERSION, LEVEL_JOB, LEVEL_JOB_FILE };

/* One row of the table that routing, the capability statement and the access log run on. */
struct interaction {
    const char *name; /* "read", "search-type", "$everything": as in the capability statement */
    enum method method;
    enum level level;
    const char *operation; /* last path segment: "_history", "_search", "$validate"; NULL: none */
    const char *type;      /* only for this resource type; NULL: all */
    enum audit_action action;
    unsigned flags; /* INTERACTION_... */
    /* Finds the answer; runs on a worker unless INTERACTION_ON_LOOP. Uses request_snapshot for
     * reading. A write prepares its drafts here; commit follows
     * unless skip_commit is set. Sets the response. */
    enum status (*perform)(struct request *request);
    /* The write, in its transaction: all or nothing. May be called again: starts afresh. */
    enum status (*commit)(struct request *request, struct store_tx *tx);
    /* Builds the body of the response after the durable commit; NULL: commit already did. Any
     * thread. What must be in the answer to a write (status, Location, ETag) is set in commit,
     * where a full arena still undoes the write; a body that does not fit is left out. May be
     * called again when entries beside the write could not be logged. */
    void (*committed)(struct request *request);
    const char *documentation; /* one sentence for the capability statement */
    const char *definition;    /* of an operation that R4 does not define: its canonical url */
};

#define INTERACTION_ON_LOOP     1u  /* a point read: quick enough for an event loop */
#define INTERACTION_BODY        2u  /* takes a resource as its body: decode and validate it */
#define INTERACTION_RAW_BODY    4u  /* takes any bytes (patch documents, Binary, forms) */
#define INTERACTION_WRITES      8u  /* has a commit */
#define INTERACTION_NO_PERSON   16u /* touches nobody's record: capability statement, $validate */
#define INTERACTION_NO_VALIDATE 32u /* the body is checked by perform, part by part (bundles) */
#define INTERACTION_PARAMETERS  64u /* search parameters may also come in a form body */
#define INTERACTION_ONE_FORM                                                                       \
    128u                       /* the answer has a form of its own, whatever Accept says           \
                                */
#define INTERACTION_LARGE 256u /* its commit writes very much */

/* ---- the answer ---- */

struct response {
    int http;                  /* 0: from the request's status */
    struct buffer body;        /* in the request's arena */
    const char *content_type;  /* NULL: a resource in JSON, which the respond stage turns into XML
                                  when that was asked for */
    struct header headers[16]; /* further ones; views into the arena */
    size_t header_count;
    struct slice etag;     /* W/"3" */
    int64_t last_modified; /* instant; 0: none */
    struct slice location; /* absolute */
    struct slice content_location;
    struct slice allow; /* of a 405: the methods that this path has */
    /* A body too large for memory: PULL writes up to MAX bytes from OFFSET, called on a worker each
     * time the connection has room; LENGTH in all. NULL: body is everything. */
    enum status (*pull)(struct request *request, uint64_t offset, size_t max, struct buffer *out);
    uint64_t pull_length;
};

/* The arena's limit is raised by this much once a write is durable: an answer that fitted before
 * shall not fail for the memory that the write took. */
#define REQUEST_ANSWER_BYTES ((size_t)24 << 20)

/* ---- whom it is about ---- */

/* The persons that an answer discloses: collected during perform, written at audit. */
struct disclosure {
    uint32_t patient;
    uint32_t resources;
};

/* ---- the door ---- */

/* What the transport offers to a walk; HTTP has one, feeds have another. */
struct door {
    /* Calls request_continue(request) on the thread the request belongs to (its event loop), soon.
     * Any thread may call it. */
    void (*resume)(struct request *request);
    /* The answer is complete: send it. Called in stage respond, on whichever thread the walk got
     * there; the door then owns the request and ends it with request_destroy. */
    void (*respond)(struct request *request);
    /* The reader of the request's own thread, for point reads; NULL: none, use a worker. */
    struct store_reader *(*reader)(struct request *request);
};

/* ---- workers ---- */

/* Threads with a store reader each, that run what is too long for a loop. */
struct workers;
MUST_CHECK enum status workers_start(struct store *store, size_t count,
                                     struct workers **ret_workers);
/* Finishes what is queued. */
void workers_stop(struct workers *workers);
/* RUN(context, reader) on some worker, in order of arrival. */
struct work {
    void (*run)(void *context, struct store_reader *reader);
    void *context;
    struct work *next;
};
void workers_submit(struct workers *workers, struct work *work);

/* ---- imports over HTTP ($import): feed's, which is above; handed in ---- */

struct import_input {
    resource_type type; /* of all resources in the file */
    struct slice url;   /* https:, http: or file: */
};

/* What is asked for. */
struct import_ask {
    const struct import_input *inputs;
    size_t count;
    struct slice source;   /* inputSource */
    struct slice base_url; /* of the server, as the caller called it */
    struct slice who;      /* nobody else sees the job */
};

enum import_state { IMPORT_WAITING, IMPORT_FETCHING, IMPORT_STORING, IMPORT_DONE, IMPORT_FAILED };

struct import_view {
    enum import_state state;
    size_t input, count;   /* which one is worked on, from 1, of how many */
    uint64_t done, all;    /* bytes of it; all 0: unknown */
    uint64_t stored;       /* resources */
    size_t before;         /* unfinished jobs that were there first */
    int64_t expires;       /* instant, of a finished one */
    enum status status;    /* of a failed one */
    struct slice manifest; /* of a finished one: JSON, file addresses under BASE_URL/$import/ID */
};

struct import_statistics {
    uint64_t waiting, running, kept; /* jobs now */
    uint64_t started, done, failed, cancelled;
    uint64_t resources, errors; /* stored, and lines of outcomes, since the start of the process */
    uint64_t fetched;           /* bytes */
};

/* Functions that any thread may call. */
struct importer {
    void *context;
    /* Begins a job: it is durable when this returns. STATUS_TOO_MANY, and STATUS_FORBIDDEN or
     * STATUS_VALUE for a place that may not be read, explained. */
    enum status (*start)(void *context, const struct import_ask *ask, struct arena *arena,
                         struct outcome *outcome, char ret_id[static UUID_LENGTH + 1]);
    /* STATUS_NOT_FOUND: no such job of WHO's; STATUS_TOO_MANY: it is asked about too often. */
    enum status (*look)(void *context, struct slice id, struct slice who, struct slice base_url,
                        struct arena *arena, struct import_view *ret_view);
    /* Ends a job; what it stored stays. STATUS_NOT_FOUND. */
    enum status (*cancel)(void *context, struct slice id, struct slice who);
    /* Opens a file of outcomes of a finished job by its name; close(2) it. STATUS_NOT_FOUND. */
    enum status (*open)(void *context, struct slice id, struct slice who, struct slice name,
                        int *ret_file, uint64_t *ret_length);
    void (*count)(void *context, struct import_statistics *ret_numbers);
};

/* ---- the service: what all requests share ---- */

struct service {
    const struct config *config;
    const struct definitions *definitions;
    const struct rules *rules;       /* national and local rules of entry; NULL: none */
    struct conformance *conformance; /* NULL: none (api_conformance_open) */
    struct terms *terms;             /* the same */
    struct api_stored *stored;       /* api's */
    /* Reads what conformance resources were stored, once; NULL: there are none to read. */
    enum status (*stored_ready)(struct service *service);
    /* Does what follows the commit of REQUEST take longer than a loop may stand still? NULL: never.
     */
    bool (*settles_long)(const struct request *request);
    struct validator *validator; /* NULL: entries are checked for their structure only */
    struct store *store;
    struct audit *audit;
    struct workers *workers;
    const struct interaction *interactions; /* ended by a row without name */
    struct api_capability *capability;      /* api's: the capability statement */
    int64_t started;                        /* instant */
    struct metrics *metrics;
    struct bulk *bulk;               /* NULL: nothing is exported in files */
    const struct importer *importer; /* NULL: nothing is imported over HTTP */
    struct subscribe *subscribe;     /* NULL: nobody is told of anything */
    struct quality *quality;         /* counts what is accepted and refused; NULL: nobody does */
};

/* What is asked of every entry, by whichever door; the caller adds what this one must be. Profiles
 * and value sets that were stored count from here on; when they cannot be read the status says so
 * and nothing may be taken in. */
MUST_CHECK enum status service_validate_options(struct service *service,
                                                struct validate_options *ret_options);

/* ---- the request ---- */

/* What the checks at entry said of the resource that a request would store. */
struct verdict {
    bool checked; /* they were asked */
    bool refused;
    resource_type type;
    struct slice source; /* quality_source_of */
};

struct request {
    struct service *service;
    struct arena *arena;
    struct outcome outcome;
    const struct door *door;
    void *door_context; /* the door's: its connection */

    /* as it came */
    enum method method;
    struct slice target;     /* path below the FHIR base, decoded, no slash in front: "Patient/1" */
    struct slice query_text; /* after '?', still encoded */
    const struct header *headers;
    size_t header_count;
    struct slice body; /* decoded from content codings; empty when in body_file */
    int body_file;     /* open file with a body too large for memory; -1: none */
    uint64_t body_file_length;
    struct slice base_url; /* "http://127.0.0.1:8080/fhir", no slash at the end */
    struct slice id_text;  /* X-Request-Id: theirs when well formed, else ours */
    int64_t received;      /* time_monotonic */
    int64_t deadline;      /* the same: of the query that runs; 0: none has begun */

    /* route */
    const struct interaction *interaction;
    resource_type type;
    struct slice id;
    struct slice version;
    struct slice file;         /* name of a job's file */
    resource_type compartment; /* GET Patient/1/Observation: type is Observation, this is Patient */
    const struct parameter *parameters; /* query, then form body */
    size_t parameter_count;
    enum format format;      /* of the answer */
    enum format body_format; /* of a body that is a resource */
    bool pretty;
    enum summary summary;
    const struct slice *elements;
    size_t element_count;
    enum prefer_return prefer_return;
    bool prefer_lenient;

    /* authenticate */
    struct slice who; /* "anonymous" while rules are off */

    /* decode */
    struct json json;  /* of a body in JSON or XML */
    struct slice path; /* FHIRPath of the body in its bundle ("Bundle.entry[3].resource") */

    /* validate: the last word of the checks; counted once, at the end of the walk */
    struct verdict verdict;

    /* the walk */
    enum stage stage;
    enum status status;          /* of the walk so far */
    struct request *parent;      /* an entry of a batch or transaction */
    struct store_tx *tx;         /* snapshot of this thread, or the write transaction in commit */
    struct store_reader *reader; /* of the thread that runs it now */
    struct store_job job;
    struct audit_ticket ticket;
    bool on_worker;   /* the walk has left the loop */
    bool skip_commit; /* a writing interaction found nothing to write */
    struct work work;
    int64_t queued;            /* time_monotonic when it was handed to the workers */
    struct request_mark *mark; /* as it was before its commit was tried */
    void *perform_state;       /* the interaction's own, from perform to commit to committed */
    bool written;              /* the commit is durable */
    bool settled;              /* what follows it is under way or done */
    bool written_tied;   /* whom it concerns may be known only when the transaction is whole */
    enum status audited; /* what the log said of the ticket */
    bool outboxed;       /* its access entries are rows of the write's own transaction */
    bool rendered;       /* the answer has the form that was asked for */

    /* entries of a batch or transaction, in the order of the bundle */
    struct request **children;
    size_t child_count;
    bool children_independent; /* batch: each entry commits or fails by itself */
    _Atomic size_t children_waiting;
    size_t children_submitted; /* of them, those that do not write passed over */

    struct disclosure *disclosures;
    uint32_t *disclosure_slots; /* 2 x capacity, open addressing: index from 1 */
    size_t disclosure_count, disclosure_capacity;

    struct response response;
    struct request *next_waiting; /* of whoever queues it */
};

/* A request whose arena may hold LIMIT bytes; NULL: no memory (answer 503 without one). The door
 * fills the "as it came" part, then calls request_start once. */
struct request *request_create(struct service *service, const struct door *door, void *door_context,
                               size_t limit);
void request_destroy(struct request *request);

/* Starts the walk on the calling thread, which becomes the request's own. */
void request_start(struct request *request);

/* Goes on with a parked walk; only the door calls it, on the request's own thread. */
void request_continue(struct request *request);

/* Whoever parked a request hands it on with this, from any thread. */
void request_resume(struct request *request);

/* Entries of batches and transactions are requests of their own without audit and respond; the
 * parent's audit stage writes their access entries too. The parent lists them in children.
 * CHILD_CHECK walks route to consent; CHILD_PREPARE goes on to perform on a worker (reading
 * interactions of a transaction wait with perform until CHILD_COMMIT, to see what was written
 * before them), and may be repeated; CHILD_COMMIT runs commit in TX; CHILD_FINISH runs committed
 * and redact. Gives the child's status. */
enum child_phase { CHILD_CHECK, CHILD_PREPARE, CHILD_COMMIT, CHILD_FINISH };
enum status request_run_child(struct request *child, enum child_phase phase, struct store_tx *tx);

/* Makes an entry's request in the parent's arena. */
struct request *request_create_child(struct request *parent);

/* The name of a stage, for logs and metrics. */
const char *stage_name(enum stage stage);

/* ---- for interactions ---- */

/* A consistent view for reading, begun once a request on the thread it runs on and ended by it. */
MUST_CHECK enum status request_snapshot(struct request *request, struct store_tx **ret_tx);

/* The value of the first such header, case ignored; empty when there is none. */
/* Microseconds that its query may take from when it begins. What it waited for a worker or for its
 * turn to write does not count: that says nothing of what it costs. */
int64_t request_patience(const struct request *request);
/* Begins that time; is it over? An entry of a Bundle shares it with the others. */
void request_hurry(struct request *request);
bool request_is_late(const struct request *request);

struct slice request_header(const struct request *request, const char *name);

/* The first such parameter, or NULL. */
const struct parameter *request_parameter(const struct request *request, const char *name);

/* Splits "a=1&b:exact=2" into decoded parameters in the arena. */
MUST_CHECK enum status parameters_parse(struct slice query, struct arena *arena,
                                        struct outcome *outcome, struct parameter **ret_parameters,
                                        size_t *ret_count);

/* The form of the answer that a QUERY (still encoded) or else an ACCEPT header asks for; JSON when
 * neither says. ARENA is for what has to be decoded. */
enum format format_asked(struct slice query, struct slice accept, struct arena *arena);

/* ---- parameters of operations (operation.c) ---- */

/* One parameter that an operation takes: a row of its table, which a row without name ends. */
struct operation_parameter {
    const char *name;
    const char *type;    /* FHIR's; a complex one, or a resource's, can only come in a body */
    uint8_t min, max;    /* how often it is given; max 0: any number of times */
    const char *instead; /* of those with the same word here only one is given: code, coding */
    const char *with;    /* says more of this parameter, and means nothing without it */
    const char *only;    /* the one value that is supported; NULL: any of the type */
    const struct operation_parameter *parts; /* of a Parameters resource: the rows for it */
    const char *documentation;
};

/* What an operation is asked: the parameters of the URL, then those of PARAMETERS (a Parameters
 * resource; NULL: none). What TABLE has not, is given too often or too seldom, or is of another
 * type is refused by name: STATUS_PARAMETER, STATUS_VALUE or STATUS_REQUIRED. With Prefer:
 * handling=lenient what is not in the table is left out. GIVEN (NULL: nothing) is a word of the
 * `instead` column that the path answers already: [type]/[id]/$operation. */
MUST_CHECK enum status operation_parameters(struct request *request,
                                            const struct operation_parameter *table,
                                            yyjson_val *parameters, const char *given,
                                            struct terms_parameter **ret_parameters,
                                            size_t *ret_count);

/* Is PARAMETERS a Parameters resource whose parameters have one content each? What the two below
 * ask of a body, for operations that read one themselves. STATUS_STRUCTURE, STATUS_VALUE. */
MUST_CHECK enum status operation_check(struct request *request, yyjson_val *parameters);

/* For operations whose parameters are those of a search: the parameters of a Parameters resource in
 * the body, of primitive types or references, are added to the request's own, as if the URL had
 * them, those of the answer's form too; those named `_type` become one list. Without a body:
 * nothing. STATUS_STRUCTURE, STATUS_VALUE, and what negotiate says. */
MUST_CHECK enum status operation_parameters_join(struct request *request);

/* These patients' data is in the answer: every resource that is put into a response is named here
 * before it leaves. Sticky on a full arena (the request then fails). */
void request_discloses(struct request *request, const uint32_t *patients, size_t count);

/* Those whom a resource of TYPE concerns; when it may be about somebody and nobody is known, the
 * entry is marked as AUDIT_PERSON_UNKNOWN. */
void request_discloses_of(struct request *request, resource_type type, const uint32_t *patients,
                          size_t count);
void request_discloses_version(struct request *request, const struct store_version *version);

/* These are told of though no resource in the answer is theirs: each who is not named yet, once. */
void request_discloses_once(struct request *request, const uint32_t *patients, size_t count);

/* What was written concerns these too, as the rest of its transaction shows. */
void request_discloses_also(struct request *request, const uint32_t *patients, size_t count);

/* Forgets whom the request disclosed: its transaction starts afresh. */
void request_discloses_nobody(struct request *request);

/* A count over so many persons that they are not named one by one: COUNT resources of nobody in
 * particular. */
void request_discloses_count(struct request *request, uint64_t count);

/* Fails the request's walk: sets status and adds the issue; gives the status back. */
enum status request_fail(struct request *request, enum status status, const char *path,
                         const char *text, ...) __attribute__((format(printf, 4, 5)));

/* Notes what the checks said (STATUS) of the resource ROOT (NULL: it could not be read) that the
 * request would store, and gives STATUS back. Said again, the last holds. */
enum status request_judge(struct request *request, resource_type type, yyjson_val *root,
                          enum status status);

/* Does this status of the checks say that the entry is at fault, not the machine or a limit? */
bool request_refuses(enum status status);

/* A sentence for failures that no stage explained: the disk, the memory, the deadline. Static. */
const char *request_explanation(enum status status);

void response_add_header(struct request *request, const char *name, struct slice value);

/* ---- metrics ---- */

/* Counters by interaction and status class, latency histogram, gauges; Prometheus text format
 * 0.0.4. */
struct metrics *metrics_create(const struct interaction *interactions);
void metrics_destroy(struct metrics *metrics);
void metrics_count(struct metrics *metrics, const struct interaction *interaction, int http,
                   int64_t micros);
enum gauge { GAUGE_CONNECTIONS, GAUGE_REQUESTS_IN_FLIGHT, GAUGE_COUNT };
void metrics_gauge_add(struct metrics *metrics, enum gauge gauge, int64_t change);
void metrics_write(struct service *service, struct buffer *out);

#endif
