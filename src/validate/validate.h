/* SPDX-License-Identifier: MIT */
/* validate: is this a resource? Every problem is reported, not the first, each with its element
 * path, line, rule and mend. At entry nothing passes that fails here.
 *
 * Structure (this module's first part): types, cardinality, choice types, primitive formats and
 * ranges (R4 data types), unknown elements, duplicate keys, null and empty rules of R4 "JSON
 * representation", resource and reference shape, contained resources, the shape of extensions,
 * required bindings to finite code systems, id and meta rules, narrative safety (R4 "Narrative":
 * the XHTML subset, no script, no event attributes, no external references that run).
 *
 * Full validation (with a struct validator): invariants of the base types, bindings, codes and
 * displays, extensions by their definitions, references and what they reach, and profiles: those
 * that a resource declares in meta.profile, those the caller names, and those that a policy asks of
 * every resource of a type (R4 profiling.html, validation.html). */
#ifndef CARELAYER_VALIDATE_VALIDATE_H
#define CARELAYER_VALIDATE_VALIDATE_H

#include "base/base.h"
#include "fhir/fhir.h"
#include "terms/terms.h"

/* What full validation keeps for the life of the process: rules compiled from definitions on first
 * use. Safe for threads. */
struct validator;

/* CONFORMANCE and TERMS must outlive it. TERMS NULL: whether a code is in a value set is judged
 * only where the definitions list its codes. */
MUST_CHECK enum status validator_open(const struct definitions *definitions,
                                      struct conformance *conformance, struct terms *terms,
                                      struct validator **ret_validator);
void validator_close(struct validator *validator);

/* From now on every resource of TYPE is checked against PROFILE too, as it is now, whatever it
 * declares and whatever is stored under its url. Before the first validation only.
 * STATUS_NOT_FOUND: no such profile is loaded. */
MUST_CHECK enum status validator_require(struct validator *validator, struct slice type,
                                         struct slice profile, struct outcome *outcome);

/* What a reference that leads out of the document reaches: its resource, parsed, in ARENA; false
 * when there is none or it is not to be had. */
typedef bool validate_resolve(void *context, struct slice reference, struct arena *arena,
                              resource_type *ret_type, yyjson_val **ret_resource);

/* National and local rules: a table (definitions/national-rules.txt and what an operator adds to
 * it) of elements, conditions, tests, severities and messages. Read-only once read. */
struct rules;

/* Reads the built-in table and FILES over it: a rule replaces an earlier one of its name. ARENA
 * holds the rules. STATUS_NOT_FOUND, STATUS_IO: a file; STATUS_VALUE: OUTCOME names file and line.
 */
MUST_CHECK enum status rules_read(const struct definitions *definitions, const char *const *files,
                                  size_t count, struct arena *arena, struct outcome *outcome,
                                  const struct rules **ret_rules);

/* A rule that is not held against what stands at an element: a problem of it becomes information.
 * For a judgement that leaves a known matter aside; nothing is taken in under a waiver. */
struct waiver {
    struct slice rule; /* as issues name it: "format" */
    struct slice path; /* without indexes: "Condition.contained.id"; empty: anywhere */
};

struct validate_options {
    const struct definitions *definitions;
    resource_type type; /* what it must be; RESOURCE_TYPE_NONE: any */
    struct slice id;    /* what its id must be (update); empty: any or none */
    bool id_required;   /* update: the body must carry its id */
    uint32_t depth;     /* of elements; 0: the default of 64 */
    /* NHS numbers that begin with 999 are never given to a person: they belong to demonstrations
     * and tests, and are refused anywhere else (config test-numbers). */
    bool refuse_test_numbers;
    const struct rules *rules; /* NULL: none */
    int64_t now;               /* the instant that dates are compared with; 0: the clock's */
    /* With these two the rules of Bundles and questionnaires are checked; NULL: not. TERMS alone
     * may be NULL. A validator brings its own where they are NULL. */
    struct conformance *conformance;
    struct terms *terms;

    struct validator *validator;  /* full validation; NULL: none */
    const struct slice *profiles; /* canonicals to check against beside those it declares */
    size_t profile_count;
    /* A record is being judged, not taken in: a code that its own, known code system does not have,
     * a code that is no unit of UCUM and a relative canonical are errors then, where at entry they
     * are warnings, because the fact is worth keeping with its text; and best practice (dom-6) is
     * spoken of. */
    bool strict;
    /* An extension whose definition is not loaded is refused, unless its url begins with one of
     * EXTENSION_URLS. R4 extensibility.html lets a reader pass over what it does not know, so this
     * is for who writes records and has all their definitions. */
    bool known_extensions;
    const struct slice *extension_urls;
    size_t extension_url_count;
    /* What a relative reference or urn: names must be in the document, or RESOLVE has it (R4
     * references.html does not ask it of a record alone). An absolute URL is another server's. */
    bool follow_references;
    bool refuse_html; /* tags in markdown: R4 datatypes.html#markdown leaves them to the reader */
    const struct waiver *waivers;
    size_t waiver_count;
    int64_t deadline;          /* time_monotonic; past it rules are not asked and the resource is
                                  refused as too costly; 0: none */
    bool must_support;         /* say of each must-support element that is not there */
    validate_resolve *resolve; /* may be NULL */
    void *resolve_context;
};

/* Checks the resource ROOT, a value of the document JSON (for positions), adding issues to
 * OUTCOME. STATUS_OK: no errors (warnings perhaps); STATUS_STRUCTURE, STATUS_VALUE ...: the first
 * error's status, outcome says the rest. *RET_TYPE is its type as soon as that is known. ROOT may
 * be an entry's resource inside a Bundle: PATH is its FHIRPath prefix then
 * ("Bundle.entry[3].resource"), or "". */
MUST_CHECK enum status validate_resource(const struct validate_options *options,
                                         const struct json *json, yyjson_val *root,
                                         struct slice path, struct arena *arena,
                                         struct outcome *outcome, resource_type *ret_type);

/* What is wrong with a narrative's XHTML: NULL when it is fine, else what and how to mend it.
 * *RET_OFFSET: where in the text. */
const char *narrative_fault(struct slice xhtml, size_t *ret_offset);

#endif
