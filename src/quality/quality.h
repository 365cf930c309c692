/* SPDX-License-Identifier: MIT */
/* quality: data quality as data. Every entry that the checks at entry have looked at is counted, by
 * day, by who sent it, by resource type, and by the rules it broke; so that a sender sees what is
 * wrong and mends the source.
 *
 * What is counted: an entry once, when the walk of its request has ended. *Accepted*: it kept to
 * every rule and was answered with success (durably stored, if it was a write). *Refused*: a rule
 * of decoding or validation refused it. What failed for another reason (a version conflict, a full
 * disk, another entry of its transaction) says nothing of its quality and is in neither. These are
 * counts of entries, never of people.
 *
 * Counting takes no lock: each thread has a table of its own, and a thread of this module empties
 * them into the store, twice a second and at the end. A process that is killed loses at most what
 * it counted within its last second; nothing is ever counted twice. */
#ifndef CARELAYER_QUALITY_QUALITY_H
#define CARELAYER_QUALITY_QUALITY_H

#include "base/base.h"
#include "fhir/fhir.h"
#include "store/store.h"

struct quality;

/* Starts counting into STORE, which must outlive it. One for a store. */
MUST_CHECK enum status quality_start(struct store *store, struct quality **ret_quality);

/* Writes what is left and ends. Nobody counts any more. NULL is allowed. */
void quality_stop(struct quality *quality);

struct quality_entry {
    resource_type type;         /* NONE: it could not be told */
    struct slice source;        /* as quality_source_read gives it; empty: unknown */
    bool refused;               /* else accepted */
    const struct issue *issues; /* all that was said of it, in a list; NULL: nothing */
};

/* Counts one entry. Any thread; takes no lock unless this thread's table is full. QUALITY may be
 * NULL: not counted. */
void quality_count(struct quality *quality, const struct quality_entry *entry);

/* Writes what was counted until now; the thread of this module does it by itself. */
MUST_CHECK enum status quality_flush(struct quality *quality);

/* How many different sources and rules a day may have, and how many different combinations of
 * source, type and rule; what is past this is counted under QUALITY_OTHER. So nobody who may send
 * entries can fill the table. */
#define QUALITY_SOURCES_A_DAY      200
#define QUALITY_RULES_A_DAY        400
#define QUALITY_COMBINATIONS_A_DAY 8000
#define QUALITY_OTHER              "other"

/* Days that are kept. */
#define QUALITY_DAYS 1100

/* ---- who sent it ---- */

#define QUALITY_SOURCE_MOST 160
#define QUALITY_ODS_SYSTEM  "https://fhir.nhs.uk/Id/ods-organization-code"

/* The name under which entries of a sender are counted, out of what a resource (meta.source) or,
 * with SAID, an operator says. It names an organisation or a system, never a person, so that only
 * these are taken:
 *   an ODS code under its system or in the address of the ODS API   "SYSTEM|RX1"
 *   an http(s) URL                             its scheme, host and port: "https://trust.example"
 *   urn:oid:                                   as it is
 *   an ODS code alone, with SAID               as under its system
 * and nothing that holds nine digits in a row, as an NHS number would. False: none of these, and
 * nothing is written. *RET_LENGTH is its length; no NUL. */
bool quality_source_read(struct slice text, bool said, char ret_source[static QUALITY_SOURCE_MOST],
                         size_t *ret_length);

/* The same for a resource: its meta.source, else OTHERWISE (a name already, or empty). The name is
 * in ARENA. */
struct slice quality_source_of(yyjson_val *resource, struct slice otherwise, struct arena *arena);

#endif
