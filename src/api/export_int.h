/* SPDX-License-Identifier: MIT */
/* api, inside: $export (Bulk Data 2). */
#ifndef CARELAYER_API_EXPORT_INT_H
#define CARELAYER_API_EXPORT_INT_H

#include "api/api_int.h"

/* Reads the parameters of a kick-off request, of the URL or of a Parameters resource, into
 * *RET_ASK, in the request's arena. What is not supported is refused by name, or with lenient
 * handling left out and noted: but never a limit whose absence would widen the answer. */
MUST_CHECK enum status export_ask_read(struct request *request, struct bulk_ask *ret_ask);

#endif
