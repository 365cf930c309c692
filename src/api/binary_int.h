/* SPDX-License-Identifier: MIT */
/* api, inside: Binary (R4 binary.html). */
#ifndef CARELAYER_API_BINARY_INT_H
#define CARELAYER_API_BINARY_INT_H

#include "api/api_int.h"

/* Content up to this many bytes stays in the body as base64; a multiple of 3. */
#define BINARY_INLINE ((size_t)65536 / 3 * 3)

/* Is this media type the FHIR form, in JSON or XML? application/json and application/xml are not:
 * they may be somebody's content. */
bool binary_is_fhir(struct slice media);

#endif
