/* SPDX-License-Identifier: MIT */
/* What the operations of the terminology service take: R4's parameters that are heeded, R5's words
 * for them, and those of the HL7 terminology ecosystem. TerminologyCapabilities lists $expand's. */
#include "api/api_int.h"

/* Which versions count, and what is known for this question alone. */
#define RULES                                                                                      \
    {"system-version", "canonical",                                                                \
     .documentation = "The version where the value set names none, as system|version"},            \
        {"check-system-version", "canonical", .documentation = "Any other version is an error"},   \
        {"force-system-version", "canonical",                                                      \
         .documentation = "The version whatever the value set says"},                              \
        {"default-valueset-version", "canonical",                                                  \
         .documentation = "The version of imports without one"},                                   \
        {"useSupplement", "canonical", .documentation = "Supplements that add to code systems"},   \
    {                                                                                              \
        "tx-resource", "Resource",                                                                 \
            .documentation = "A resource that is known for this question "                         \
                             "alone"                                                               \
    }

#define VALUE_SET                                                                                  \
    {"url", "uri", .max = 1, .instead = "set", .documentation = "The canonical of the value set"}, \
        {"valueSet", "ValueSet", .max = 1, .instead = "set",                                       \
         .documentation = "The value set itself"},                                                 \
    {                                                                                              \
        "valueSetVersion", "string", .max = 1, .with = "url", .documentation = "Its version"       \
    }

#define LANGUAGE                                                                                   \
    {                                                                                              \
        "displayLanguage", "code", .max = 1,                                                       \
                                   .documentation = "Languages of the displays, in order"          \
    }

static const struct operation_parameter expand[] = {
    VALUE_SET,
    {"filter", "string", .max = 1, .documentation = "Words that the display or code has"},
    {"offset", "integer", .max = 1, .documentation = "Where the page begins"},
    {"count", "integer", .max = 1,
     .documentation = "How many concepts the page has; without it at most 1,000 are given"},
    {"includeDesignations", "boolean", .max = 1, .documentation = "Designations are given"},
    {"designation", "string", .documentation = "Only these, as system|code"},
    {"includeDefinition", "boolean", .max = 1, .documentation = "The definition is given too"},
    {"activeOnly", "boolean", .max = 1, .documentation = "Inactive concepts are left out"},
    {"excludeNested", "boolean", .max = 1, .documentation = "A flat list"},
    {"excludeNotForUI", "boolean", .max = 1, .only = "false",
     .documentation = "Only false: what is abstract is shown as such"},
    {"excludePostCoordinated", "boolean", .max = 1,
     .documentation = "Either way: expressions are in no expansion"},
    {"property", "code", .documentation = "Properties that are given"},
    LANGUAGE,
    RULES,
    {0},
};

/* The code asked about; SYSTEM is the parameter that names where it is from. */
#define ONE_OF(name, type)                                                                         \
    {                                                                                              \
        name, type, .max = 1, .instead = "code"                                                    \
    }
#define SAYS_OF(name, type, other)                                                                 \
    {                                                                                              \
        name, type, .max = 1, .with = other                                                        \
    }
#define CODED ONE_OF("code", "code"), ONE_OF("coding", "Coding")

#define CHECKED                                                                                    \
    CODED, ONE_OF("codeableConcept", "CodeableConcept"), SAYS_OF("display", "string", "code")

/* How it is checked. */
#define WISHES                                                                                     \
    {"abstract", "boolean", .max = 1}, {"activeOnly", "boolean", .max = 1},                        \
        {"mode", "code", .max = 1, .only = "lenient-display-validation"},                          \
        {"lenient-display-validation", "boolean", .max = 1},                                       \
        {"valueset-membership-only", "boolean", .max = 1}, {"inferSystem", "boolean", .max = 1},   \
        LANGUAGE, RULES

#define CODE_SYSTEM                                                                                \
    {"url", "uri", .max = 1, .instead = "system"},                                                 \
    {                                                                                              \
        "system", "uri", .max = 1, .instead = "system"                                             \
    }

static const struct operation_parameter validate_set[] = {
    VALUE_SET,
    CHECKED,
    SAYS_OF("system", "uri", "code"),
    SAYS_OF("systemVersion", "string", "code"),
    WISHES,
    {0},
};

static const struct operation_parameter validate_system[] = {
    CODE_SYSTEM, CHECKED, SAYS_OF("version", "string", "code"), WISHES, {0},
};

/* What is beside the questions holds for each that does not say otherwise. */
static const struct operation_parameter validate_sets[] = {
    {"validation", "Parameters", .min = 1, .parts = validate_set}, VALUE_SET, WISHES, {0}};
static const struct operation_parameter validate_systems[] = {
    {"validation", "Parameters", .min = 1, .parts = validate_system}, CODE_SYSTEM, WISHES, {0}};

static const struct operation_parameter lookup[] = {
    CODED,
    SAYS_OF("system", "uri", "code"),
    SAYS_OF("version", "string", "code"),
    {"property", "code"},
    LANGUAGE,
    RULES,
    {0},
};

static const struct operation_parameter subsumes[] = {
    {"codeA", "code", .max = 1, .instead = "A"},
    {"codingA", "Coding", .max = 1, .instead = "A"},
    {"codeB", "code", .max = 1, .instead = "B"},
    {"codingB", "Coding", .max = 1, .instead = "B"},
    {"system", "uri", .max = 1, .instead = "system"},
    {"version", "string", .max = 1},
    RULES,
    {0},
};

/* The second name of each pair is R5's. */
static const struct operation_parameter translate[] = {
    {"url", "uri", .max = 1, .instead = "map"},
    {"conceptMap", "ConceptMap", .max = 1, .instead = "map"},
    SAYS_OF("conceptMapVersion", "string", "url"),
    CODED,
    ONE_OF("codeableConcept", "CodeableConcept"),
    ONE_OF("sourceCode", "code"),
    ONE_OF("sourceCoding", "Coding"),
    ONE_OF("sourceCodeableConcept", "CodeableConcept"),
    ONE_OF("targetCode", "code"),
    ONE_OF("targetCoding", "Coding"),
    ONE_OF("targetCodeableConcept", "CodeableConcept"),
    {"system", "uri", .max = 1, .instead = "system"},
    {"sourceSystem", "uri", .max = 1, .instead = "system"},
    {"version", "string", .max = 1},
    {"source", "uri", .max = 1, .instead = "source"},
    {"sourceScope", "uri", .max = 1, .instead = "source"},
    {"target", "uri", .max = 1, .instead = "target"},
    {"targetScope", "uri", .max = 1, .instead = "target"},
    {"targetsystem", "uri", .max = 1, .instead = "target system"},
    {"targetSystem", "uri", .max = 1, .instead = "target system"},
    {"reverse", "boolean", .max = 1},
    RULES,
    {0},
};

static const struct {
    const char *type, *operation;
    const struct operation_parameter *parameters;
} tables[] = {
    {"ValueSet", "$expand", expand},
    {"ValueSet", "$validate-code", validate_set},
    {"ValueSet", "$batch-validate-code", validate_sets},
    {"CodeSystem", "$validate-code", validate_system},
    {"CodeSystem", "$batch-validate-code", validate_systems},
    {"CodeSystem", "$lookup", lookup},
    {"CodeSystem", "$subsumes", subsumes},
    {"ConceptMap", "$translate", translate},
};

const struct operation_parameter *api_terms_parameters(const struct interaction *interaction)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].type, interaction->type) == 0 &&
            strcmp(tables[i].operation, interaction->operation) == 0) {
            return tables[i].parameters;
        }
    }
    return NULL;
}
