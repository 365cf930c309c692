/* SPDX-License-Identifier: MIT */
/* terms: the terminology service (R4 "Using Terminologies", "Terminology Service"). Code systems,
 * value sets and concept maps come from the conformance resources and from releases that an
 * operator loads; hierarchies are bitmaps. Safe for threads. */
#ifndef CARELAYER_TERMS_TERMS_H
#define CARELAYER_TERMS_TERMS_H

#include "base/base.h"
#include "fhir/fhir.h"
#include "fhirpath/fhirpath.h"

struct terms;

MUST_CHECK enum status terms_open(struct conformance *conformance, struct outcome *outcome,
                                  struct terms **ret_terms);
void terms_close(struct terms *terms);

/* ---- releases that an operator loads -------------------------------------------------------- */

/* Compiles the release SOURCE, a folder or zip (SNOMED CT RF2 snapshot; NHSBSA dm+d), into FOLDER,
 * which must exist, so that terms_use_releases finds it there. *RET_NAME in ARENA says what it is.
 * STATUS_NOT_SUPPORTED: no release that we know; STATUS_STRUCTURE: it is damaged. */
MUST_CHECK enum status terms_load(const char *source, const char *folder, struct outcome *outcome,
                                  struct arena *arena, const char **ret_name);

/* The compiled releases of FOLDER are opened when a code system is first asked for that is not
 * among the conformance resources. Once, before questions; FOLDER is copied and need not exist. */
void terms_use_releases(struct terms *terms, const char *folder);

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

/* ---- sets of codes --------------------------------------------------------------------------- */

struct terms_code {
    struct slice system, code;
};

/* Every code of a value set, at most MOST, with texts as long as ARENA. STATUS_NOT_FOUND: no such
 * value set is loaded; STATUS_INVALID: what is in it hangs on a code system that is not loaded or
 * only in part, or on a filter that cannot be applied; STATUS_TOO_COSTLY: there are more. */
MUST_CHECK enum status terms_codes_in(struct terms *terms, struct slice value_set, size_t most,
                                      struct arena *arena, struct terms_code **ret_codes,
                                      size_t *ret_count);

/* CODE and every code that it subsumes, or ABOVE: that subsumes it. STATUS_INVALID: its code system
 * is not loaded, or only in part; STATUS_NOT_FOUND: it is none of its codes. */
MUST_CHECK enum status terms_codes_beside(struct terms *terms, const struct terms_code *code,
                                          bool above, size_t most, struct arena *arena,
                                          struct terms_code **ret_codes, size_t *ret_count);

/* ---- for FHIRPath ---------------------------------------------------------------------------
 *
 * The calls of struct fhirpath_host that terminology answers; their context is a terms_host, or
 * begins with one. */
struct terms_host {
    struct terms *terms;
    struct arena *arena;
};
MUST_CHECK enum status terms_member_of(void *context, const struct fhirpath_value *value,
                                       struct slice value_set, bool *ret_known, bool *ret_member);
MUST_CHECK enum status terms_host_subsumes(void *context, const struct fhirpath_value *a,
                                           const struct fhirpath_value *b, bool *ret_known,
                                           bool *ret_subsumes);

/* ---- operations -------------------------------------------------------------------------------
 *
 * The operations of the FHIR terminology service. A question is the parameters of one; its answer
 * the JSON of a Parameters or ValueSet, or of an OperationOutcome when it cannot be answered. */

enum terms_operation {
    TERMS_EXPAND,             /* ValueSet/$expand */
    TERMS_VALIDATE_SET,       /* ValueSet/$validate-code */
    TERMS_VALIDATE_SYSTEM,    /* CodeSystem/$validate-code */
    TERMS_VALIDATE_SET_BATCH, /* ValueSet/$batch-validate-code (HL7 terminology ecosystem) */
    TERMS_VALIDATE_SYSTEM_BATCH,
    TERMS_LOOKUP,        /* CodeSystem/$lookup */
    TERMS_SUBSUMES_CODE, /* CodeSystem/$subsumes */
    TERMS_TRANSLATE      /* ConceptMap/$translate */
};

/* One parameter: of a Parameters resource (VALUE or RESOURCE), or of a URL (TEXT alone). */
struct terms_parameter {
    struct slice name;
    struct slice text; /* the value of a primitive as text */
    yyjson_val *value; /* value[x]; NULL: from a URL */
    yyjson_val *resource;
};

struct terms_question {
    enum terms_operation operation;
    const struct terms_parameter *parameters;
    size_t count;
    struct slice language;   /* Accept-Language; may be empty */
    yyjson_val *instance;    /* the resource that the operation is asked of; NULL: by parameters */
    uint32_t expansion_most; /* concepts in an expansion without count; 0: TERMS_EXPANSION_MOST */
};

/* $expand without count gives no more: a larger value set is asked page by page. */
#define TERMS_EXPANSION_MOST 1000u

/* The code systems that are loaded, as TerminologyCapabilities.codeSystem has them, without the
 * brackets. */
MUST_CHECK enum status terms_write_systems(struct terms *terms, struct arena *arena,
                                           struct buffer *out);

/* The parameters of a Parameters resource. What is none is left out. */
MUST_CHECK enum status terms_parameters_read(yyjson_val *root, struct arena *arena,
                                             struct terms_parameter **ret_parameters,
                                             size_t *ret_count);

/* Answers into OUT (buffer in ARENA). *RET_HTTP: 200, or 4xx with an OperationOutcome.
 * STATUS_TOO_COSTLY: the arena is full. */
MUST_CHECK enum status terms_answer(struct terms *terms, const struct terms_question *question,
                                    struct arena *arena, struct buffer *out, int *ret_http);

#endif
