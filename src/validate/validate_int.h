/* SPDX-License-Identifier: MIT */
/* validate, inside: the state of one check, how its problems are reported, and its parts. */
#ifndef CARELAYER_VALIDATE_VALIDATE_INT_H
#define CARELAYER_VALIDATE_VALIDATE_INT_H

#include "validate/validate.h"

/* Where we are: frames on the C stack, from the value up to the root. Paths are made of them only
 * when there is something to report. */
struct frame {
    const struct frame *up;
    const struct element_row *element; /* NULL: the root */
    uint32_t index;                    /* of an array's item */
    bool indexed;
};

/* The resource that references with '#' look into. */
struct container {
    yyjson_val *root;
    yyjson_val *contained; /* its array, or NULL */
    yyjson_val **ids;      /* contained resources by id, open addressing; made when needed */
    size_t mask;
    bool ready;
};

struct checker {
    const struct validate_options *options;
    const struct definitions *definitions;
    const struct element_tables *tables;
    const struct json *json;
    struct slice prefix; /* of paths; empty: the root's type */
    struct slice root_name;
    struct arena *arena;
    struct outcome *outcome;
    enum status status; /* of the first error */
    uint32_t depth, depth_limit;
    struct container *container;
    uint64_t extension_value, extension_nested; /* groups of Extension */
    bool inside_contained;
};

/* A rule that a resource can break. */
enum rule {
    RULE_TYPE,        /* the JSON type does not fit the element */
    RULE_UNKNOWN,     /* no such element */
    RULE_DUPLICATE,   /* the same key twice */
    RULE_CHOICE,      /* two members of one choice */
    RULE_CARDINALITY, /* a required element is missing, or too many */
    RULE_NULL,        /* null outside an array with a sibling */
    RULE_EMPTY,       /* {} or [] or "" or only an id (ele-1) */
    RULE_FORMAT,      /* not the format of its primitive type */
    RULE_RANGE,       /* a number out of its type's range */
    RULE_LENGTH,      /* a string over 1 MB */
    RULE_RESOURCE,    /* resourceType missing or unknown */
    RULE_CONTAINED,   /* contained in contained, without id, or ids not unique (dom-2) */
    RULE_REFERENCE,   /* the text of a reference */
    RULE_TARGET,      /* a reference to a type that may not stand there */
    RULE_EXTENSION,   /* ext-1, and the url */
    RULE_BINDING,     /* a code outside a required value set */
    RULE_ID,          /* the id that was asked for */
    RULE_TEST_NUMBER, /* an NHS number of the test range */
    RULE_NARRATIVE,   /* txt-1, txt-2, well-formedness */
    RULE_DEPTH,
    RULE_FORM,           /* a response is not as its questionnaire, or that is not coherent */
    RULE_FORM_LINK,      /* no item of that linkId */
    RULE_FORM_UNKNOWN,   /* the questionnaire is not there */
    RULE_ANSWER,         /* type and limits of an answer */
    RULE_ANSWER_MISSING, /* required */
    RULE_OPTION,         /* none of the answers offered */
    RULE_FULL_URL,       /* of a Bundle's entry */
    RULE_DEFINITION,     /* a StructureDefinition or SearchParameter that cannot hold */
    RULE_LINK,           /* of a Bundle: paging */
    RULE_UNIQUE,         /* two entries of one fullUrl and version */
    RULE_DOCUMENT,       /* what a document must hold */
    RULE_CRITERION,      /* of a Measure: no such expression in its libraries */
    RULE_MARKDOWN,       /* HTML where that is refused */
    RULE_MEASURE         /* a report is not as its measure */
};

/* Adds an error at FRAME; AT is the value or key whose line it is. TEXT names no value and lives as
 * long as the outcome's arena (say() makes such texts). */
void report(struct checker *checker, const struct frame *frame, const yyjson_val *at,
            enum rule rule, const char *text);

/* The same with another severity; only errors decide the status. */
void report_as(struct checker *checker, enum severity severity, const struct frame *frame,
               const yyjson_val *at, enum rule rule, const char *text);

/* Adds what a row of the rules says, at its severity. */
void report_rule(struct checker *checker, const struct frame *frame, const yyjson_val *at,
                 enum severity severity, struct slice name, const char *text);

/* Is RULE waived for what stands at PATH (which may have indexes)? */
bool is_waived(const struct validate_options *options, struct slice rule, struct slice path);

/* printf into the outcome's arena; "" when the outcome keeps no more issues. */
const char *say(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One primitive value, not null, against its type: reports what is wrong with it. */
void check_primitive(struct checker *checker, const struct frame *frame, enum fhir_type type,
                     yyjson_val *value);

/* Does markdown hold tags, comments or other HTML that CommonMark lets through? */
bool markdown_has_html(struct slice text);

/* "required by ..." rules of single data types, once their members have been checked. */
void check_reference(struct checker *checker, const struct frame *frame, yyjson_val *reference);
void check_identifier(struct checker *checker, const struct frame *frame, yyjson_val *identifier);
void check_extension(struct checker *checker, const struct frame *frame, yyjson_val *extension,
                     uint64_t seen);
void check_binding(struct checker *checker, const struct frame *frame, yyjson_val *value);

/* An object of TYPE against the rules; there are some. */
void check_rules(struct checker *checker, const struct frame *frame, const struct type_row *type,
                 yyjson_val *object);

/* Rules across the elements of one resource: of what stands at FRAME, whose type is TYPE. */
void check_bundle(struct checker *checker, const struct frame *frame, const struct type_row *type,
                  yyjson_val *bundle);
void check_structure_definition(struct checker *checker, const struct frame *frame,
                                const struct type_row *type, yyjson_val *root);
void check_search_parameter(struct checker *checker, const struct frame *frame,
                            const struct type_row *type, yyjson_val *root);
void check_measure(struct checker *checker, const struct frame *frame, const struct type_row *type,
                   yyjson_val *root);
void check_measure_report(struct checker *checker, const struct frame *frame,
                          const struct type_row *type, yyjson_val *root);
void check_questionnaire(struct checker *checker, const struct frame *frame,
                         const struct type_row *type, yyjson_val *questionnaire);
void check_questionnaire_response(struct checker *checker, const struct frame *frame,
                                  const struct type_row *type, yyjson_val *response);

/* The entries of a Bundle by fullUrl. */
struct bundle_index_entry {
    struct slice full_url;
    yyjson_val *entry;
    yyjson_val *resource; /* may be NULL */
    uint32_t number;
};
struct bundle_index {
    struct bundle_index_entry *entries;
    size_t count, mask;
    uint32_t *slots; /* 1 + number of the entry; 0: empty */
};

/* A reference up to its /_history/. */
struct slice reference_without_version(struct slice reference);

/* NULL when ARENA is full. */
const struct bundle_index *bundle_index_make(yyjson_val *bundle, struct arena *arena);

/* The entry that REFERENCE names when it stands in the entry with the fullUrl FROM (R4 bundle.html,
 * "Resolving references in Bundles"), or NULL. */
const struct bundle_index_entry *bundle_index_find(const struct bundle_index *index,
                                                   struct slice from, struct slice reference,
                                                   struct arena *arena);

/* The contained resources of a container: unique ids. */
void check_contained(struct checker *checker, const struct frame *frame,
                     struct container *container);

/* Full validation, once the structure has been checked (review.c). */
void validator_lend(const struct validator *validator, struct validate_options *options);
void review_resource(struct checker *checker, yyjson_val *root, resource_type type);

#endif
