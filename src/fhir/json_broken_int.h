/* SPDX-License-Identifier: MIT */
/* Reading broken JSON, inside: json_broken.c makes values of the text and keeps the faults,
 * json_read_any.c tells where in the resource each is. */
#ifndef CARELAYER_FHIR_JSON_BROKEN_INT_H
#define CARELAYER_FHIR_JSON_BROKEN_INT_H

#include "fhir/fhir.h"

#define MENDER_NO_VALUE    UINT32_MAX
#define MENDER_FAULTS_MOST 100 /* with more it is no resource that somebody wrote */

struct mender_fault {
    uint32_t value; /* it belongs to: its place in values */
    size_t offset;  /* in the text */
    const char *text;
};

struct mender {
    struct slice text;
    size_t at; /* the next byte */
    struct arena *arena;
    char *pool; /* of as many bytes as the text and one more */
    yyjson_val *values;
    uint32_t count, capacity, value_limit;
    uint32_t depth, depth_limit;
    struct mender_fault faults[MENDER_FAULTS_MOST];
    size_t fault_count;
    bool comments; /* are no fault (json_limits) */
    bool stopped;  /* nothing more is read */
    bool whole;    /* what was meant is known from the first brace to the last */
};

/* Reads the object that TEXT is meant to be; false: it does not begin as one. Containers that
 * were open when it stopped are closed. */
bool mender_read(struct mender *mender);

void mender_fault(struct mender *mender, uint32_t value, size_t offset, const char *text);

#endif
