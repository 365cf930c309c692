/* SPDX-License-Identifier: MIT */
/* terms: the terminology service (R4 "Using Terminologies", "Terminology Service"). Code systems,
 * value sets and concept maps come from the conformance resources and from releases that an
 * operator loads; hierarchies are bitmaps. Safe for threads. */
#ifndef CARELAYER_TERMS_TERMS_H
#define CARELAYER_TERMS_TERMS_H

#include "base/base.h"
#include "fhir/fhir.h"

struct terms;

MUST_CHECK enum status terms_open(struct conformance *conformance, struct outcome *outcome,
                                  struct terms **ret_terms);
void terms_close(struct terms *terms);

struct terms_coding {
    struct slice system, version, code, display; /* any may be empty; system empty: a bare code */
};

/* What is known of a code in a value set. Unknown is not wrong: the caller warns. */
enum terms_verdict {
    TERMS_MEMBER,
    TERMS_NOT_MEMBER,    /* the code system is known, and so is that it is not in */
    TERMS_UNKNOWN_SET,   /* no such value set is loaded */
    TERMS_UNKNOWN_SYSTEM /* whether it is in hangs on a code system that is not loaded, or only in
                            part (CodeSystem.content fragment, example, not-present) */
};

/* Is the code in the value set ("" for VALUE_SET: just in its code system)? The answer is cached.
 * *RET_DISPLAY (may be NULL): the preferred display, when the code is known. */
enum terms_verdict terms_check(struct terms *terms, struct slice value_set,
                               const struct terms_coding *coding, struct arena *arena,
                               struct slice *ret_display);

/* Does A subsume B (itself included) in SYSTEM (R4 CodeSystem/$subsumes)? */
enum terms_subsumption {
    TERMS_EQUIVALENT,
    TERMS_SUBSUMES,
    TERMS_SUBSUMED_BY,
    TERMS_NOT_SUBSUMED,
    TERMS_SUBSUMPTION_UNKNOWN
};
enum terms_subsumption terms_subsumes(struct terms *terms, struct slice system,
                                      struct slice version, struct slice a, struct slice b);

#endif
