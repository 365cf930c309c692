/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_API_API_INT_H
#define CARELAYER_API_API_INT_H

#include "api/api.h"
#include "search/search.h"

/* ---- the rows of the table: one function each, in the file that is named after it ---- */

#define API_READ(name) enum status api_##name##_perform(struct request *request);
#define API_WRITE(name)                                                                            \
    API_READ(name)                                                                                 \
    enum status api_##name##_commit(struct request *request, struct store_tx *tx);                 \
    void api_##name##_committed(struct request *request);

API_READ(read)             /* read.c */
API_READ(version_read)     /* read.c */
API_READ(history)          /* history.c: instance, type and system */
API_READ(search)           /* search.c: type, system, compartment, GET and POST */
API_READ(everything)       /* everything.c */
API_READ(last)             /* last.c: $lastn of Observation */
API_READ(capability)       /* capability.c */
API_READ(validate)         /* validate.c: $validate */
API_READ(measure_read)     /* measure.c: the server's own Measure, and others */
API_READ(measure_update)   /* measure.c */
API_READ(measure_patch)    /* measure.c */
API_READ(evaluate_measure) /* measure_report.c */
API_READ(terms) /* terminology.c: $expand, $validate-code, $lookup, $subsumes, $translate */
API_READ(subscription_status) /* subscription.c: $status */
API_READ(subscription_events) /* subscription.c: $events */
API_READ(subscription_token)  /* subscription.c: $get-ws-binding-token */
API_READ(binary_read)         /* binary_read.c: read and vread of Binary, raw or FHIR, ranges */
API_READ(export)              /* export.c: $export of the system, Patient and Group */
API_READ(export_status)       /* export_status.c */
API_READ(export_cancel)       /* export_status.c */
API_READ(export_file)         /* export_status.c */
API_READ(import)              /* import.c: $import from URLs and files */
API_READ(import_status)       /* import.c */
API_READ(import_cancel)       /* import.c */
API_READ(import_file)         /* import.c */
API_WRITE(create)             /* create.c, conditional too */
API_WRITE(update)             /* update.c, update-as-create and conditional too */
API_WRITE(patch)              /* patch.c, conditional too */
API_WRITE(delete)             /* delete.c, conditional too */
API_WRITE(binary_write)       /* binary.c: create and update of Binary from raw bytes or FHIR */
API_WRITE(bundle)             /* bundle.c: batch and transaction */

/* ---- conformance resources that are stored (stored.c) ---- */

/* Those that were stored are known from here on; the first call reads them. */
MUST_CHECK enum status api_stored_ready(struct request *request);

/* The durable write of REQUEST is known from here on; BODY empty: it was deleted. */
void api_stored_changed(struct request *request, const struct store_written *written,
                        struct slice body);

/* The TerminologyCapabilities (R4), generated. */
MUST_CHECK enum status api_terms_capabilities(struct request *request);

/* What the operations of terminology take (terms_parameters.c); NULL: it is none of them. */
const struct operation_parameter *api_terms_parameters(const struct interaction *interaction);

/* What the answer to a terminology question may take. */
#define API_TERMS_BYTES ((size_t)128 << 20)

/* export.c: is the answer wanted in the background (Prefer: respond-async, RFC 7240)? */
bool api_prefers_async(const struct request *request);

/* ---- answers ---- */

/* Puts one version into the response: body (with _summary and _elements applied), ETag,
 * Last-Modified, Content-Location when FOR_WRITE is false; and its disclosure. Any STATUS. */
enum status api_respond_version(struct request *request, const struct store_version *version);

/* The same for a write, inside its transaction: 200 or 201, Location, ETag, Last-Modified and whom
 * it concerns. */
void api_note_written(struct request *request, const struct store_written *written);

/* And after it: the body as Prefer asks. */
void api_respond_written(struct request *request, const struct store_draft *draft,
                         const struct store_written *written);

/* ETag and Last-Modified of a version, also of a tombstone. */
void api_respond_headers(struct request *request, uint32_t version, int64_t updated);

/* Writes a resource with _summary and _elements of the request applied; content of a Binary that is
 * kept beside the body is put in as its data while that is at most API_PAGE_BYTES. */
enum status api_write_resource(struct request *request, const struct store_version *version,
                               struct buffer *out);

/* Does If-None-Match or If-Modified-Since say that the caller's copy is current? */
bool api_not_modified(const struct request *request, uint32_t version, int64_t updated);

/* Puts If-Match into the condition (RFC 9110 13.1.1): any of the tags listed, or for * that there
 * is a current version at all. STATUS_PRECONDITION when no tag can be one of ours. */
MUST_CHECK enum status api_if_match(struct request *request, struct store_condition *condition);

/* What could be stored can be read: a request about one resource gets room for it as it is stored
 * and as it is answered, whatever the request's own size. Entries of a Bundle share the Bundle's.
 */
void api_make_reading_room(struct request *request);

/* What a read or vread asks for. STATUS_NOT_FOUND and STATUS_GONE are explained, with the headers
 * of the tombstone. */
MUST_CHECK enum status api_find_version(struct request *request, struct store_tx *tx,
                                        struct store_version *ret_version);

/* Makes the draft of the resource that the request brings, under ID. What is sound may take as much
 * again for its index as it took to be read: tens of thousands of codes are as many rows. */
MUST_CHECK enum status api_make_draft(struct request *request, struct slice id,
                                      struct store_draft **ret_draft);

/* Of ROOT as it is about to be stored under TYPE and ID: a Subscription or topic only if this
 * server can serve it, and without the secrets in it (subscribe_admit). */
MUST_CHECK enum status api_admit_draft(struct request *request, resource_type type, struct slice id,
                                       yyjson_val *root, struct store_draft **ret_draft);

/* The draft that perform has made: a Binary's content is put beside it. */
struct store_draft *api_create_draft(struct request *request);
struct store_draft *api_update_draft(struct request *request);

/* STATUS_FORBIDDEN, explained, when content of this Binary may not be shown; anything else may. */
MUST_CHECK enum status api_binary_guard(struct request *request, struct store_tx *tx,
                                        const struct store_version *version);

/* ---- conditional operations ---- */

/* Plans the criteria of a conditional operation from a query text (If-None-Exist) or the request's
 * own parameters (QUERY empty). */
MUST_CHECK enum status api_condition_plan(struct request *request, struct slice query,
                                          struct search_plan *ret_plan);

/* The one match. *RET_FOUND false: none. STATUS_MULTIPLE: several. */
MUST_CHECK enum status api_condition_find(struct request *request, struct store_tx *tx,
                                          const struct search_plan *plan, bool *ret_found,
                                          struct store_version *ret_version);

/* A conditional update whose criteria met nothing may create under the id it brings, but not
 * replace what has that id: STATUS_CONFLICT. */
MUST_CHECK enum status api_condition_spares(struct request *request, struct store_tx *tx,
                                            struct slice id);

/* Looks the criteria up on a worker ahead of the write: those that take too long are refused here
 * and never hold up the writer. What they meet counts only inside the transaction. */
MUST_CHECK enum status api_condition_foresee(struct request *request,
                                             const struct search_plan *plan);

/* ---- references ---- */

/* With config integrity: every local reference of ROOT must name a current resource. */
MUST_CHECK enum status api_check_references(struct request *request, struct store_tx *tx,
                                            resource_type type, yyjson_val *root);

/* With config integrity: nothing current may refer to what REQUEST has deleted or is to delete. */
MUST_CHECK enum status api_check_referrers(struct request *request, struct store_tx *tx);

/* An entry of a transaction may refer to what a later one writes, and delete what a later one
 * stops to refer to: these checks then wait until all is written, and the functions above answer
 * STATUS_OK. The _now forms do not wait; ROOT of api_checked_later is NULL for referrers. False:
 * REQUEST is no entry of a transaction. */
MUST_CHECK enum status api_check_references_now(struct request *request, struct store_tx *tx,
                                                resource_type type, yyjson_val *root);
MUST_CHECK enum status api_check_referrers_now(struct request *request, struct store_tx *tx);
MUST_CHECK bool api_checked_later(struct request *request, resource_type type, yyjson_val *root,
                                  enum status *ret_status);

/* ---- bundles being written ---- */

struct bundle_writer {
    struct request *request;
    struct buffer *out;
    size_t entries;
    bool history;
};
/* {"resourceType":"Bundle","id":...,"type":TYPE,"timestamp"... up to the entry array; total
 * UINT64_MAX: none; LINKS are relation and URL pairs. */
struct page_link {
    const char *relation;
    struct slice url;
};
void bundle_begin(struct bundle_writer *writer, struct request *request, const char *type,
                  uint64_t total, const struct page_link *links, size_t link_count);
/* An entry's fullUrl and resource; MORE is written after it as it is (",\"search\":{...}").
 * VERSION's body empty: no resource member. Content that may not be shown is left out: a history
 * has the entry without a resource, a searchset an OperationOutcome instead. */
enum status bundle_add_version(struct bundle_writer *writer, const struct store_version *version,
                               struct slice more);
/* The entry of VERSION, which is contained in CONTAINER: its fullUrl is that of the container with
 * '#' and its id (R4 search, "Contained Resources"). */
enum status bundle_add_contained(struct bundle_writer *writer,
                                 const struct store_version *container,
                                 const struct store_version *version, struct slice more);
void bundle_end(struct bundle_writer *writer);

/* What a search found, and what comes with it. */
struct search_answer {
    struct store_page page;
    const struct store_version *included;
    size_t included_count;
};

/* Finds what the plan includes with the page's matches: each resource once, no match among them.
 * When these are too many the page gets shorter. */
MUST_CHECK enum status api_include(struct request *request, struct store_tx *tx,
                                   const struct search_plan *plan, struct search_answer *answer);

/* Whom the answer to a search tells of though no resource in it is theirs (disclose.c): after the
 * page is written. */
MUST_CHECK enum status api_disclose_search(struct request *request, struct store_tx *tx,
                                           const struct search_plan *plan,
                                           const struct store_page *page);

/* Of these, those whom the criteria name: by id, by a reference to them or what is theirs, by an
 * identifier; whether or not anything was found. */
MUST_CHECK enum status api_disclose_criteria(struct request *request, struct store_tx *tx,
                                             const struct store_query *query);
/* The same; nobody when whom they name can only be a match, who is told of anyway. */
MUST_CHECK enum status api_disclose_named(struct request *request, struct store_tx *tx,
                                          const struct store_query *query);

/* Writes a searchset of the answer, with its self and next links. */
enum status api_respond_page(struct request *request, const struct search_plan *plan,
                             const struct search_answer *answer);

/* A search parameter that asks for codes (:in, :below ...) needs the stored conformance resources,
 * and room. */
MUST_CHECK enum status api_search_terms(struct request *request, const struct parameter *parameters,
                                        size_t count);

/* This many bytes end a page early (the next link goes on). */
#define API_PAGE_BYTES ((size_t)8 << 20)

/* How many entries a page may have, of _count and the configuration. */
MUST_CHECK enum status api_page_count(struct request *request, size_t *ret_count);

#endif
