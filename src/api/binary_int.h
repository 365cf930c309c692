/* SPDX-License-Identifier: MIT */
/* api, inside: Binary (R4 binary.html). */
#ifndef CARELAYER_API_BINARY_INT_H
#define CARELAYER_API_BINARY_INT_H

#include "api/api_int.h"

/* Content up to this many bytes stays in the body as base64; a multiple of 3. */
#define BINARY_INLINE ((size_t)65536 / 3 * 3)

/* Is this media type the FHIR form? application/json is not: it may be somebody's content. */
bool binary_is_fhir(struct slice media);

/* ---- binary_form.c: the FHIR form of content that is kept beside the body ---- */

/* How long the resource is with its content as data. HEAD is the resource without it. */
uint64_t binary_form_length(struct slice head, uint64_t blob_length);

/* Writes at most MAX bytes of it from OFFSET. */
MUST_CHECK enum status binary_form_write(struct store_tx *tx, const struct store_version *version,
                                         struct slice head, uint64_t offset, size_t max,
                                         struct buffer *out);

#endif
