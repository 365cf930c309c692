/* SPDX-License-Identifier: MIT */
/* The tables of a release (SNOMED CT RF2, dm+d ...), compiled into one file that is mapped into
 * memory: it is used as it lies, so that half a million concepts cost nothing to open. */
#ifndef CARELAYER_TERMS_RELEASE_H
#define CARELAYER_TERMS_RELEASE_H

#include "terms/terms_int.h"

uint32_t release_find(const struct release *release, struct slice code);
struct slice release_code(const struct release *release, uint32_t code);
struct slice release_display(const struct release *release, uint32_t code);
struct slice release_definition(const struct release *release, uint32_t code);
bool release_inactive(const struct release *release, uint32_t code);
const struct designation *release_designations(const struct release *release, uint32_t code,
                                               struct arena *arena, size_t *ret_count);
const struct property *release_properties(const struct release *release, uint32_t code,
                                          struct arena *arena, size_t *ret_count);

#endif
