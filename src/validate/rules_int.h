/* SPDX-License-Identifier: MIT */
/* The table of rules, read: rows by the type of the objects that they look at. */
#ifndef CARELAYER_VALIDATE_RULES_INT_H
#define CARELAYER_VALIDATE_RULES_INT_H

#include "ucum/ucum.h"
#include "validate/validate_int.h"

enum rule_test {
    RULE_TEST_NHS_NUMBER,
    RULE_TEST_SHAPE,
    RULE_TEST_NOT_FUTURE,
    RULE_TEST_NOT_BEFORE,
    RULE_TEST_WITHIN,
    RULE_TEST_RANGE
};

#define RULE_VALUES     40 /* of one condition, forms of a shape */
#define RULE_CONDITIONS 4
#define RULE_RANGES     4

struct rule_list {
    struct slice *items;
    size_t count;
};

/* Holds when a member of the object has one of the values, ignoring case; an empty value stands for
 * no such member. */
struct rule_condition {
    const char *member; /* NUL-terminated */
    struct rule_list values;
};

struct rule_range {
    struct decimal low, high;
    struct slice unit;
    struct ucum_unit parsed;
};

struct rule_row {
    struct slice name;
    enum severity severity;
    uint16_t type; /* of the objects, in the type table */
    const struct element_row *element;
    const char *member; /* the element's name in JSON */
    struct rule_condition conditions[RULE_CONDITIONS];
    size_t condition_count;
    enum rule_test test;
    struct rule_list forms; /* SHAPE */
    const char *other;      /* NOT_BEFORE, WITHIN: member; NULL: now */
    int years;              /* WITHIN */
    struct rule_range ranges[RULE_RANGES];
    size_t range_count;
    const char *text;      /* for the sender */
    const char *unit_text; /* RANGE: when the unit is none of these */
    const struct rule_row *next;
};

/* A coding for which a row holds: found by hash. */
struct rule_coding {
    struct slice system, code;
    const char *member; /* of the object: a CodeableConcept */
    const struct rule_row *row;
};

struct rules {
    const struct rule_row **plain; /* by type: rows without a coding, chained */
    const char **coded;            /* by type: the member whose codings are looked up, or NULL */
    struct rule_coding *codings;   /* open addressing, by code */
    size_t mask;
    size_t type_count;
};

/* definitions/national-rules.txt */
extern const char rules_built_in[];

#endif
