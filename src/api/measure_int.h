/* SPDX-License-Identifier: MIT */
/* api, inside: the one Measure of the server itself, "data-quality". The definition that callers
 * read and the reports are both written from these tables. */
#ifndef CARELAYER_API_MEASURE_INT_H
#define CARELAYER_API_MEASURE_INT_H

#include "api/api_int.h"

#define MEASURE_ID     "data-quality"
#define MEASURE_SYSTEM "urn:carelayer:quality" /* of our own codes: populations, "unknown" ... */

/* Which verdicts a population counts. */
#define MEASURE_HAS(verdict) (1u << (verdict))
#define MEASURE_KEPT         (MEASURE_HAS(STORE_ACCEPTED) | MEASURE_HAS(STORE_WARNED))
#define MEASURE_EVERY        (MEASURE_KEPT | MEASURE_HAS(STORE_REFUSED))

struct measure_population {
    const char *system, *code;
    unsigned verdicts;
    const char *description;
    const char *criteria; /* FHIRPath on the OperationOutcome of an entry's checks */
};
extern const struct measure_population measure_populations[]; /* ended by a row without code */

/* By what a report is split, in its order. */
struct measure_stratifier {
    const char *code;
    enum store_quality_by by;
    bool with_type; /* two components: this and the resource type */
    const char *description;
};
extern const struct measure_stratifier measure_stratifiers[]; /* ended by a row without code */

/* Is the request about it? */
bool measure_is_ours(const struct request *request);

#endif
