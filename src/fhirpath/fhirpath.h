/* SPDX-License-Identifier: MIT */
/* fhirpath: FHIRPath (HL7 normative release 1, with what R4 fhirpath.html adds), compiled once an
 * expression and evaluated on the parsed resource without copying it. Typed by the FHIR
 * definitions. Serves invariants, search parameters, patches, views and policies. */
#ifndef CARELAYER_FHIRPATH_FHIRPATH_H
#define CARELAYER_FHIRPATH_FHIRPATH_H

#include "base/base.h"
#include "fhir/fhir.h"

/* ---- expressions ---------------------------------------------------------------------------- */

struct fhirpath; /* a compiled expression: read-only, shared by threads, lives as its arena */

/* What R4's own invariants and search parameters rely on and the specification of FHIRPath forbids:
 * `as` on several items is as ofType, and the name of an element that its type does not have is
 * empty. Without it these are errors. */
#define FHIRPATH_LENIENT 1u

/* Compiles TEXT, which is copied. CONTEXT is the type of what it will be asked of (a resource, a
 * data type, a backbone element), so that names are looked up once and wrong ones are found here;
 * NULL when it is not known. An expression compiled for one type gives the same on others, only
 * slower. FLAGS: FHIRPATH_LENIENT or 0.
 *
 * Errors carry the position in the expression (line and column of the issue). STATUS_STRUCTURE: not
 * the grammar; STATUS_INVALID: an unknown function, type or element, or wrong arguments;
 * STATUS_NOT_SUPPORTED: a function of R4 that needs what is not built; STATUS_TOO_COSTLY: longer
 * than 64 KiB or too deeply nested. */
MUST_CHECK enum status fhirpath_compile(const struct definitions *definitions, struct slice text,
                                        const struct type_row *context, unsigned flags,
                                        struct arena *arena, struct outcome *outcome,
                                        const struct fhirpath **ret_expression);

/* Does it give the same whatever it is asked of? What does not depend on the resource is computed
 * by fhirpath_compile. */
bool fhirpath_is_constant(const struct fhirpath *expression);

/* ---- values --------------------------------------------------------------------------------- */

enum fhirpath_kind {
    FHIRPATH_NODE,    /* something of a resource: a primitive, a complex value, a resource */
    FHIRPATH_BOOLEAN, /* the System types, where they do not lie in a resource */
    FHIRPATH_INTEGER,
    FHIRPATH_DECIMAL,
    FHIRPATH_STRING,
    FHIRPATH_DATE,
    FHIRPATH_DATETIME,
    FHIRPATH_TIME,
    FHIRPATH_QUANTITY,
    FHIRPATH_TYPE /* what type() gives */
};

/* Where a value stands in its resource. Nodes point at what they came from, so that a path can be
 * written and a patch knows what to change; they live in the evaluation's arena. */
struct fhirpath_node {
    yyjson_val *value;   /* NULL: a primitive without value (only id or extensions), or a resource
                            of which only the type is known (see resolve) */
    yyjson_val *sibling; /* the `_name` object of a primitive; or NULL */
    const struct type_row *type;
    const struct element_row *element;  /* NULL: a resource's root, or what resolve() gave */
    const struct fhirpath_node *parent; /* NULL: the top */
    uint32_t index;                     /* in the array; 0 when it is none */
};

struct fhirpath_quantity {
    struct decimal value;
    struct slice unit; /* a UCUM code, or a calendar word ("year") */
    bool calendar;
};

struct fhirpath_type {
    struct slice space, name; /* "System" "Boolean", "FHIR" "Patient" */
};

struct fhirpath_value {
    enum fhirpath_kind kind;
    union {
        struct fhirpath_node node;
        bool boolean;
        int64_t integer;
        struct decimal decimal;
        struct slice string;
        struct partial_date date; /* DATE, DATETIME, TIME */
        const struct fhirpath_quantity *quantity;
        struct fhirpath_type type;
    };
};

struct fhirpath_collection {
    const struct fhirpath_value *items;
    size_t count;
};

/* The type as type() names it: "System" and "Boolean", "FHIR" and "HumanName"; backbone elements
 * are "BackboneElement". */
struct fhirpath_type fhirpath_type_of(const struct definitions *definitions,
                                      const struct fhirpath_value *value);

/* The value as text (toString, and for complex values their JSON; a System date without its @). */
void fhirpath_write(const struct fhirpath_value *value, struct buffer *out);

/* "Patient.name[0].given[1]": where a node stands. */
void fhirpath_write_path(const struct definitions *definitions, const struct fhirpath_node *node,
                         struct buffer *out);

/* The System value of a primitive or of a Quantity, ret_system->kind telling which; false when it
 * has no value, or the text is not one of its type, or it is neither. What is no node stays as it
 * is. ARENA takes what a quantity needs. */
bool fhirpath_system(const struct definitions *definitions, const struct fhirpath_value *value,
                     struct arena *arena, struct fhirpath_value *ret_system);

/* ---- evaluation ----------------------------------------------------------------------------- */

/* What an evaluation may ask of those above; a call that is NULL makes the function that needs it
 * an error (memberOf ...) or empty (resolve). ARENA is the evaluation's: what is put there may be
 * gone after the step that asked, so nothing of it may be kept. */
struct fhirpath_host {
    void *context;
    /* The resource that a reference text (or canonical) names, as a node of ARENA; contained ones
     * and entries of the Bundle around FROM have been looked for already. A node whose value is
     * NULL is a resource of which only the type is known: `is` answers, its elements are empty. */
    bool (*resolve)(void *context, const struct fhirpath_node *from, struct slice reference,
                    struct arena *arena, struct fhirpath_node *ret_node);
    /* Is the coding, CodeableConcept, code or string in the value set? */
    enum status (*member_of)(void *context, const struct fhirpath_value *value,
                             struct slice value_set, bool *ret_known, bool *ret_member);
    enum status (*conforms_to)(void *context, const struct fhirpath_node *node,
                               struct slice profile, bool *ret_known, bool *ret_conforms);
    /* A subsumes B? */
    enum status (*subsumes)(void *context, const struct fhirpath_value *a,
                            const struct fhirpath_value *b, bool *ret_known, bool *ret_subsumes);
    /* Is this XHTML what a narrative may hold (R4 narrative.html; txt-1 and txt-2)? */
    bool (*html_checks)(void *context, struct slice xhtml);
    void (*trace)(void *context, struct slice name, const struct fhirpath_collection *values);
};

struct fhirpath_variable {
    struct slice name; /* without % */
    struct fhirpath_collection values;
};

struct fhirpath_environment {
    const struct definitions *definitions;
    const struct fhirpath_host *host;          /* may be NULL */
    const struct fhirpath_node *resource;      /* %resource; NULL: the resource of the focus */
    const struct fhirpath_node *root_resource; /* %rootResource; NULL: that of %resource */
    const struct fhirpath_variable *variables; /* beside those of FHIR: %ucum, %sct, %vs-..., ... */
    size_t variable_count;
    int64_t now;          /* of now(), today(), timeOfDay(): microseconds; 0: the clock, once */
    uint32_t step_limit;  /* steps before STATUS_TOO_COSTLY; 0: ten million */
    uint32_t depth_limit; /* of the expression and of what it walks into; 0: 256 */
};

/* The root node of a parsed resource. */
struct fhirpath_node fhirpath_root(const struct definitions *definitions, resource_type type,
                                   yyjson_val *resource);

/* Evaluates EXPRESSION with FOCUS as its context (%context, $this); FOCUS NULL: nothing. Results
 * and everything between live in ARENA, but what EXPRESSION holds (literals) and what ENVIRONMENT
 * does (variables) is pointed at: results end with the first of the three. STATUS_INVALID: an error
 * of the expression on this input (more than one item where one must be, types that cannot be
 * compared ...); STATUS_TOO_COSTLY: over a limit. */
MUST_CHECK enum status fhirpath_evaluate(const struct fhirpath *expression,
                                         const struct fhirpath_environment *environment,
                                         const struct fhirpath_node *focus, struct arena *arena,
                                         struct outcome *outcome,
                                         struct fhirpath_collection *ret_values);

/* As an invariant is asked (R4 fhirpath.html): true when the result is one true, or one item that
 * is no boolean; empty is false. */
MUST_CHECK enum status fhirpath_test(const struct fhirpath *expression,
                                     const struct fhirpath_environment *environment,
                                     const struct fhirpath_node *focus, struct arena *arena,
                                     struct outcome *outcome, bool *ret_true);

/* ---- FHIRPath Patch ---------------------------------------------------------------------------
 */

/* Applies the operations of PARAMETERS (R4 fhirpatch.html: add, insert, delete, replace, move) to
 * RESOURCE; the result is a new document in ARENA, all or nothing. It is as valid as the values
 * were: validate it. STATUS_STRUCTURE: no such patch, or a path that is no expression;
 * STATUS_INVALID: a path with a name that the type does not have; STATUS_UNPROCESSABLE: an
 * operation does not apply. The issue names the operation, values are not. */
MUST_CHECK enum status fhirpath_patch_apply(const struct definitions *definitions,
                                            resource_type type, yyjson_val *resource,
                                            yyjson_val *parameters, struct arena *arena,
                                            struct outcome *outcome, yyjson_mut_doc **ret_result);

#endif
