/* SPDX-License-Identifier: MIT */
/* For measuring what the access log costs: the program with its audit stage exchanged by the linker
 * (--wrap). It is built for bench/run only, never installed; the product has no such switch. */
#include "request/request.h"

enum step __wrap_stage_audit(struct request *request);

enum step __wrap_stage_audit(struct request *request)
{
    (void)request;
    return STEP_NEXT;
}
