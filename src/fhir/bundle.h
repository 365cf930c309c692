/* SPDX-License-Identifier: MIT */
/* Bundles that are to be done: batch and transaction (R4 http.html "batch/transaction"). A chapter
 * of fhir.h; do not include it alone.
 *
 * The caller's steps: bundle_read says what is asked and what is wrong with it; bundle_order gives
 * the order of processing; then, inside the database transaction, the caller learns the ids of
 * conditional entries and says so (bundle_set_target), and finds the conditional references
 * (bundle_queries, link_set). Once all links are set, bundle_linker_start and bundle_link_resolve
 * let resource_exchange_links exchange the references of each resource. */
#ifndef CARELAYER_FHIR_BUNDLE_H
#define CARELAYER_FHIR_BUNDLE_H

#include "base/base.h"

enum bundle_method {
    BUNDLE_DELETE,
    BUNDLE_POST,
    BUNDLE_PUT,
    BUNDLE_PATCH,
    BUNDLE_GET,
    BUNDLE_HEAD
};

/* "DELETE"; static. */
const char *bundle_method_name(enum bundle_method method);

/* A text that references may contain, and what it becomes once that is known. */
struct entry_link {
    struct slice text;   /* a fullUrl, or a conditional reference ("Patient?identifier=...") */
    struct slice target; /* "Patient/123"; empty until it is set */
    uint64_t hash;
    const struct bundle_entry *owner; /* whose fullUrl or identity it is; NULL of a query */
};

struct bundle_entry {
    size_t index; /* in Bundle.entry */
    enum bundle_method method;
    struct slice full_url; /* may be empty */
    struct slice url;      /* of the request, relative to the base; never empty when status is OK */
    resource_type type;    /* that the url begins with; NONE: system level */
    struct slice id;       /* the url is Type/id or below it; else empty */
    struct slice below;    /* of the path, after Type or Type/id: "_history/2", "$everything" */
    struct slice query;    /* of the url, after the question mark; still percent-encoded */
    struct slice if_none_match, if_modified_since, if_match, if_none_exist;
    yyjson_val *resource; /* NULL when there is none */
    resource_type resource_type;
    struct entry_link *link;      /* of full_url, where others may refer to the entry; or NULL */
    enum status status;           /* not STATUS_OK: the entry cannot be done */
    const struct outcome *faults; /* then: why, for this entry's answer; else NULL */
};

/* An open-addressed table of links by text. */
struct link_map {
    struct arena *arena;
    struct entry_link **slots;
    size_t capacity, count;
    uint64_t lengths; /* bit N: some text's length is N modulo 64; spares most hashes */
};

struct bundle {
    bool transaction; /* else a batch */
    struct bundle_entry *entries;
    size_t count;
    struct link_map links;
    struct link_map claims; /* the identities that entries change */
};

/* Reads a Bundle of type batch or transaction; everything is in ARENA or a view into VALUE. BASE as
 * in reference_parse: absolute request urls below it are accepted.
 *
 * Problems are named with their path in OUTCOME (Bundle.entry[3].request.url). A transaction with
 * any problem gives the first one's status. A batch gives STATUS_OK as long as it is a batch: a
 * faulty entry carries status and faults, the others are to be done.
 *
 * Checked: method and url; a resource where POST, PUT and PATCH need one, and of the url's type;
 * its id against the url of a PUT; ifNoneExist with POST only; fullUrl absolute, not of a version
 * (bdl-8), unique (bdl-7) and not at odds with the resource's id; no identity changed twice. */
MUST_CHECK enum status bundle_read(const struct definitions *definitions, yyjson_val *value,
                                   struct slice base, struct arena *arena, struct outcome *outcome,
                                   struct bundle *ret_bundle);

/* The entries in the order of processing: for a transaction DELETE, POST, PUT and PATCH, GET and
 * HEAD (R4 "Transaction Processing Rules"), each kind in its order in the Bundle; a batch as it is.
 * Answers still go in the order of the Bundle. NULL when the arena is full. */
struct bundle_entry *const *bundle_order(const struct bundle *bundle, struct arena *arena);

/* Claims Type/id for a change: called for the identity that a conditional update or delete turned
 * out to mean. STATUS_INVALID, with the issue: another entry changes it too (R4: the transaction
 * fails when identities overlap). Those named in urls are claimed by bundle_read; the same entry
 * may claim again; in a batch nothing overlaps. */
MUST_CHECK enum status bundle_claim(const struct definitions *definitions, struct bundle *bundle,
                                    const struct bundle_entry *entry, struct slice id,
                                    struct outcome *outcome);

/* ---- links -------------------------------------------------------------------------------------
 */

/* Says which resource ENTRY is: references to its fullUrl become "Type/id". No link, no matter. May
 * be said again: the last word counts. For a PUT to Type/id bundle_read has said it. */
MUST_CHECK enum status bundle_set_target(const struct definitions *definitions,
                                         struct bundle *bundle, const struct bundle_entry *entry,
                                         struct slice id);

/* The conditional references (R4 "Conditional references") in the resources of POST and PUT
 * entries, each distinct text once, as links to be set with link_set. One that is never set is left
 * as it is: the caller refuses first when a query meets no resource or several. */
struct bundle_query {
    struct entry_link *link;
    resource_type type;
    struct slice query;               /* after the question mark */
    const struct bundle_entry *entry; /* the first that has it */
};
MUST_CHECK enum status bundle_queries(const struct definitions *definitions, struct bundle *bundle,
                                      struct bundle_query **ret_queries, size_t *ret_count);

/* Sets the target of a link: TYPE/ID, made in the bundle's arena. */
MUST_CHECK enum status link_set(const struct definitions *definitions, struct bundle *bundle,
                                struct entry_link *link, resource_type type, struct slice id);

/* The context of bundle_link_resolve for the resource of one entry. */
struct bundle_linker {
    const struct bundle *bundle;
    struct slice root; /* of a RESTful fullUrl, with its slash; relative references start there */
    struct buffer scratch;
};
void bundle_linker_start(struct bundle_linker *linker, const struct definitions *definitions,
                         const struct bundle *bundle, const struct bundle_entry *entry);

/* A link_resolve; CONTEXT is a struct bundle_linker. Follows R4 bundle.html "Resolving references
 * in Bundles": absolute texts are looked up as they are, relative ones below the root of the
 * entry's own fullUrl. A fragment after a known link is kept. References to one version are left
 * alone: what they name is not the version that this bundle makes. */
bool bundle_link_resolve(void *context, struct slice text, struct slice *ret_text);

#endif
