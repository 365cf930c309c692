/* SPDX-License-Identifier: MIT */
/* Conformance resources by canonical URL: the StructureDefinitions, ValueSets, CodeSystems,
 * ConceptMaps, SearchParameters, Questionnaires ... of the packages, which lie as JSON in the
 * definitions, and those that were added while the program runs (posted to the API).
 *
 * Safe for threads. A resource that was found stays as it was for whoever found it, also when it is
 * replaced or removed meanwhile. */
#ifndef CARELAYER_FHIR_CONFORMANCE_H
#define CARELAYER_FHIR_CONFORMANCE_H

#include "base/base.h"

struct definitions;
struct conformance;

/* One resource, read-only. */
struct canonical {
    struct slice type;       /* "ValueSet" */
    struct slice url;        /* without version */
    struct slice version;    /* may be empty */
    struct slice package;    /* "hl7.fhir.r4.core#4.0.1"; empty: added at run time */
    struct slice text;       /* the resource as JSON; a generated narrative is left out */
    const struct json *json; /* the same, parsed */
    uint64_t serial;         /* differs for every resource ever added: a key for caches */
};

MUST_CHECK enum status conformance_open(const struct definitions *definitions,
                                        struct conformance **ret_conformance);
void conformance_close(struct conformance *conformance);

/* Adds or replaces (same type, url and version) a resource; TEXT is copied. A StructureDefinition
 * without a snapshot gets one (R4 profiling, "Snapshot and differential"), which is made again when
 * one that it builds on may have changed: in what order they come does not matter. One whose base
 * is not known yet is kept, with a warning, and found from when that has come. STATUS_INVALID: it
 * has no url, no snapshot can be made of it, or it would define a type of R4 anew. */
MUST_CHECK enum status conformance_add(struct conformance *conformance, struct slice text,
                                       struct outcome *outcome);

/* Takes an added one out again; what packages brought stays. */
void conformance_remove(struct conformance *conformance, struct slice type, struct slice url,
                        struct slice version);

/* The resource that CANONICAL names ("url", "url|version", a #fragment is ignored), or NULL.
 * Without a version the newest one (R4 references, "Canonical URLs"); of equal ones that added
 * last. It lives as long as ARENA. TYPE empty: any. */
const struct canonical *conformance_find(struct conformance *conformance, struct slice type,
                                         struct slice canonical, struct arena *arena);

/* As conformance_find, kept until conformance_release: for caches that outlive requests. */
const struct canonical *conformance_hold(struct conformance *conformance, struct slice type,
                                         struct slice canonical);
void conformance_release(struct conformance *conformance, const struct canonical *canonical);

/* Every resource of TYPE (empty: of all types), each once, added ones after those of packages;
 * stops when VISIT answers false. The resource is only valid during the call, and those of packages
 * come by name only, without TEXT and JSON: conformance_find unpacks them. */
typedef bool conformance_visit(void *context, const struct canonical *canonical);
void conformance_each(struct conformance *conformance, struct slice type, conformance_visit *visit,
                      void *context);

/* Grows by one with every change: what was computed at the same number still holds. */
uint64_t conformance_generation(const struct conformance *conformance);

#endif
