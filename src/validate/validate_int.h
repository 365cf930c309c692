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
    RULE_DEPTH
};

/* Adds an error at FRAME; AT is the value or key whose line it is. TEXT names no value and lives as
 * long as the outcome's arena (say() makes such texts). */
void report(struct checker *checker, const struct frame *frame, const yyjson_val *at,
            enum rule rule, const char *text);

/* Adds what a row of the rules says, at its severity. */
void report_rule(struct checker *checker, const struct frame *frame, const yyjson_val *at,
                 enum severity severity, struct slice name, const char *text);

/* printf into the outcome's arena; "" when the outcome keeps no more issues. */
const char *say(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One primitive value, not null, against its type: reports what is wrong with it. */
void check_primitive(struct checker *checker, const struct frame *frame, enum fhir_type type,
                     yyjson_val *value);

/* "required by ..." rules of single data types, once their members have been checked. */
void check_reference(struct checker *checker, const struct frame *frame, yyjson_val *reference);
void check_identifier(struct checker *checker, const struct frame *frame, yyjson_val *identifier);
void check_extension(struct checker *checker, const struct frame *frame, yyjson_val *extension,
                     uint64_t seen);
void check_binding(struct checker *checker, const struct frame *frame, yyjson_val *value);

/* An object of TYPE against the rules; there are some. */
void check_rules(struct checker *checker, const struct frame *frame, const struct type_row *type,
                 yyjson_val *object);

/* The contained resources of a container: unique ids. */
void check_contained(struct checker *checker, const struct frame *frame,
                     struct container *container);

/* What is wrong with a narrative's XHTML: NULL when it is fine, else what and how to mend it.
 * *RET_OFFSET: where in the text. */
const char *narrative_fault(struct slice xhtml, size_t *ret_offset);

#endif
