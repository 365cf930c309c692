/* SPDX-License-Identifier: MIT */
/* api: the interactions of FHIR R4's RESTful API, one file each. The table api_interactions is what
 * routing, the capability statement, the metrics and the access log run on. */
#ifndef CARELAYER_API_API_H
#define CARELAYER_API_API_H

#include "request/request.h"

/* Every interaction this server has; ended by a row without name. */
extern const struct interaction api_interactions[];

/* Generates the CapabilityStatement (R4) from the tables the program runs on, as JSON in ARENA. */
MUST_CHECK enum status api_capability_make(const struct service *service, struct arena *arena,
                                           struct slice *ret_json);

/* May the content of VERSION be shown? A Binary opens only while its securityContext, and that of
 * its current version, names a resource that is here; what is no Binary always does. */
MUST_CHECK enum status binary_guard(const struct definitions *definitions, struct store_tx *tx,
                                    const struct store_version *version, struct arena *arena,
                                    bool *ret_open);

/* ---- binary_form.c: the FHIR form of content that is kept beside the body ---- */

/* How long the resource is with its content as data. HEAD is the resource without it. */
uint64_t binary_form_length(struct slice head, uint64_t blob_length);

/* Writes at most MAX bytes of it from OFFSET. */
MUST_CHECK enum status binary_form_write(struct store_tx *tx, const struct store_version *version,
                                         struct slice head, uint64_t offset, size_t max,
                                         struct buffer *out);

#endif
