/* SPDX-License-Identifier: MIT */
/* api: the interactions of FHIR R4's RESTful API, one file each. The table api_interactions is what
 * routing, the capability statement, the metrics and the access log run on. */
#ifndef CARELAYER_API_API_H
#define CARELAYER_API_API_H

#include "request/request.h"
#include "search/search.h"

/* Every interaction this server has; ended by a row without name. */
extern const struct interaction api_interactions[];

/* Generates the service's CapabilityStatement (R4) from the tables that the program runs on, and
 * again whenever the search parameters have changed. Store and terminology must be open; closed
 * when no request is left, and right after a failure too. */
MUST_CHECK enum status api_capability_open(struct service *service);
void api_capability_close(struct service *service);

/* May the content of VERSION be shown? A Binary opens only while its securityContext, and that of
 * its current version, names a resource that is here; what is no Binary always does. */
MUST_CHECK enum status binary_guard(const struct definitions *definitions, struct store_tx *tx,
                                    const struct store_version *version, struct arena *arena,
                                    bool *ret_open);

/* ---- stored.c ---- */

/* Opens the service's conformance resources and terminology, over its definitions and store, which
 * must be set; api_conformance_close is right after a failure too. Before workers and doors stop
 * nothing may be closed. */
MUST_CHECK enum status api_conformance_open(struct service *service, struct outcome *outcome);
void api_conformance_close(struct service *service);

/* ---- export.c ---- */

/* Opens the jobs of $export over the service's store, access log and configuration, which must be
 * set, and goes on with what is unfinished. Close with bulk_close(service->bulk), before them. */
MUST_CHECK enum status api_exports_open(struct service *service, struct outcome *outcome);

/* What bulk/ must be handed of Binaries. */
extern const struct bulk_content api_bulk_content;

/* ---- subscription.c ---- */

/* Opens the service's subscriptions over its store, access log and configuration, which must be
 * set. Close with subscribe_close(service->subscribe), before them, after the door. */
MUST_CHECK enum status api_subscriptions_open(struct service *service, struct outcome *outcome);

/* ---- bundle_condition.c: conditional references ("Patient?identifier=...") of Bundles ---- */

struct lookup {
    const struct bundle_query *query;
    struct request *request; /* carries the criteria and what is wrong; no entry of the Bundle */
    struct search_plan plan;
    bool planned;
    struct slice id; /* that it met when the caller last asked; the caller's to keep */
};

/* Plans what QUERY, which must live as long, asks for; REQUEST is the Bundle's. A failure that is
 * the query's is explained in ret_lookup->request. */
MUST_CHECK enum status api_lookup_plan(struct request *request, const struct bundle_query *query,
                                       struct lookup *ret_lookup);

/* The id of the one resource it meets. STATUS_PRECONDITION: none, STATUS_MULTIPLE: several;
 * explained in lookup->request. */
MUST_CHECK enum status api_lookup_find(struct lookup *lookup, struct store_tx *tx,
                                       struct slice *ret_id);

/* ---- binary_form.c: the FHIR form of content that is kept beside the body ---- */

/* How long the resource is with its content as data. HEAD is the resource without it, in FORMAT and
 * not indented. */
uint64_t binary_form_length(enum format format, struct slice head, uint64_t blob_length);

/* Writes at most MAX bytes of it from OFFSET. */
MUST_CHECK enum status binary_form_write(struct store_tx *tx, const struct store_version *version,
                                         enum format format, struct slice head, uint64_t offset,
                                         size_t max, struct buffer *out);

#endif
