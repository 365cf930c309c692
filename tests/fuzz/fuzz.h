/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share. */
#ifndef CARELAYER_TESTS_FUZZ_H
#define CARELAYER_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "fhir/fhir.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* What has to hold whatever the input was. */
static inline void must(bool so)
{
    if (!so) {
        abort();
    }
}

/* The definitions that CARELAYER_DEFINITIONS names. */
static inline const struct definitions *definitions_once(void)
{
    static struct definitions *definitions;
    if (definitions == NULL) {
        const char *path = getenv("CARELAYER_DEFINITIONS");
        must(path != NULL && definitions_open(path, NULL, &definitions) == STATUS_OK);
    }
    return definitions;
}

#endif
