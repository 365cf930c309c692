/* SPDX-License-Identifier: MIT */
/* Snapshots from differentials (R4 profiling.html "Snapshot and differential", elementdefinition
 * "Interpretation in context"). */
#ifndef CARELAYER_FHIR_SNAPSHOT_H
#define CARELAYER_FHIR_SNAPSHOT_H

#include "fhir/conformance.h"

/* Writes the StructureDefinition DEFINITION with a snapshot made of its base's and its own
 * differential (a snapshot that it has is made anew). STATUS_NOT_FOUND: its base is not known
 * (OUTCOME says nothing); STATUS_INVALID: the differential does not fit it; OUTCOME (may be NULL)
 * says where. */
MUST_CHECK enum status snapshot_write(struct conformance *conformance, const yyjson_val *definition,
                                      struct outcome *outcome, struct buffer *out);

#endif
