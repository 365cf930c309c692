/* SPDX-License-Identifier: MIT */
/* An outcome is the OperationOutcome (FHIR R4, resource OperationOutcome) being built: all problems
 * found, in order, each with where it is, which rule it breaks and how to mend it.
 *
 * LAW: a text names elements, rules, limits and mends; it never contains a value from a record.
 * So there is no way to add printf arguments from a body except element names that the
 * definitions know, and numbers that are limits or positions. */
#ifndef CARELAYER_BASE_OUTCOME_H
#define CARELAYER_BASE_OUTCOME_H

#include "arena.h"
#include "buffer.h"
#include "slice.h"
#include "status.h"

enum severity { SEVERITY_FATAL, SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_INFORMATION };

struct issue {
    enum severity severity;
    const char *code;      /* issue-type: "structure", "required", "value", "code-invalid", ... */
    struct slice rule;     /* identifier of the rule, e.g. "cardinality", "dom-2"; may be empty */
    struct slice path;     /* FHIRPath location, "Patient.name[0].given[1]"; empty: the whole */
    struct slice text;     /* what is wrong and how to mend it, one or two sentences */
    uint32_t line, column; /* of the input, from 1; 0 unknown */
    struct issue *next;
};

struct outcome {
    struct arena *arena;
    struct issue *first, *last;
    uint32_t count;   /* kept issues */
    uint32_t errors;  /* fatal + error, counting those past the limit too */
    uint32_t dropped; /* past OUTCOME_LIMIT */
};

/* At most this many issues are kept; the rest are counted and the JSON says how many. */
#define OUTCOME_LIMIT 500

void outcome_init(struct outcome *outcome, struct arena *arena);

/* Adds an issue; the slices are kept, not copied: they must live as long as the outcome's arena. */
void outcome_add(struct outcome *outcome, const struct issue *issue);

/* Takes the errors out again, for what is tried anew; warnings and what is told beside stay. */
void outcome_forget_errors(struct outcome *outcome);

/* Adds an error whose code is the status's, at PATH ("" for the whole), and gives the status back:
 * return outcome_fail(outcome, STATUS_VALUE, "_count", "Give a whole number from 0 to 1000.");
 * OUTCOME may be NULL. TEXT is printf-formatted into the outcome's arena. */
enum status outcome_fail(struct outcome *outcome, enum status status, const char *path,
                         const char *text, ...) __attribute__((format(printf, 4, 5)));

/* As outcome_fail, with severity warning and information; no status. */
void outcome_warn(struct outcome *outcome, const char *code, const char *path, const char *text,
                  ...) __attribute__((format(printf, 4, 5)));
void outcome_note(struct outcome *outcome, const char *path, const char *text, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the OperationOutcome as minified JSON. With no issue: one informational "all ok".
 * Line and column go into the standard extensions operationoutcome-issue-line and -col. */
void outcome_write_json(const struct outcome *outcome, struct buffer *out);

/* "file:line:col: error: Patient.birthDate: text" lines, for a terminal. NAME may be empty. */
void outcome_write_text(const struct outcome *outcome, struct slice name, struct buffer *out);

#endif
