/* SPDX-License-Identifier: MIT */
/* What the files of terms share. */
#ifndef CARELAYER_TERMS_TERMS_INT_H
#define CARELAYER_TERMS_TERMS_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "terms/terms.h"

/* Of <roaring/roaring.h>, which is long: who looks into a set includes it. */
typedef struct roaring_bitmap_s roaring_bitmap_t;

#define CODE_NONE UINT32_MAX

/* ---- code systems (codesystem.c) ------------------------------------------------------------ */

enum code_content {
    CONTENT_COMPLETE,
    CONTENT_FRAGMENT,
    CONTENT_EXAMPLE,
    CONTENT_NOT_PRESENT,
    CONTENT_SUPPLEMENT
};

#define CODE_INACTIVE 1u /* R4 concept-properties#inactive, or a status that says so */
#define CODE_ABSTRACT 2u /* R4 concept-properties#notSelectable */

/* Edges in compressed rows: those of concept i are to[at[i]] .. to[at[i + 1]]. */
struct edges {
    const uint32_t *at;
    const uint32_t *to;
};

struct release; /* release.h: the tables of a loaded release */

/* A compiled code system: concepts are numbered in their order of definition. Read-only, but for
 * stand-ins while their value set is compiled. */
struct code_system {
    struct slice url, version, name, title, language, status, standards_status;
    struct slice supplements; /* canonical of what a supplement adds to */
    enum code_content content;
    bool experimental;
    bool case_sensitive;
    bool stand_in; /* not loaded: holds the codes that a value set lists of it */
    bool listed;   /* made of what the specification lists of it (listed.c) */

    uint32_t count, capacity;
    struct slice *codes;
    yyjson_val **nodes; /* CodeSystem.concept; NULL: a release */
    uint8_t *flags;     /* CODE_... */
    uint32_t *table;    /* code to number + 1, open addressing */
    uint32_t table_size;
    struct edges parents, children;
    yyjson_val *declared; /* CodeSystem.property */
    struct slice status_property, inactive_property, abstract_property;

    const struct release *release; /* else NULL */

    uint64_t serial;                /* of the canonical it was compiled from; 0: none */
    const struct canonical *source; /* held; NULL: none */
    struct arena *own;              /* of a cached one */
    _Atomic uint32_t references;
};

/* Compiles CodeSystem ROOT, whose text must outlive it, into ARENA. STATUS_TOO_COSTLY: memory. */
MUST_CHECK enum status code_system_compile(yyjson_val *root, struct arena *arena,
                                           struct code_system **ret_system);

/* An empty stand-in, and a code of it, which gets its number (NODE may be NULL). */
struct code_system *code_system_stand_in(struct arena *arena, struct slice url,
                                         struct slice version);
uint32_t code_system_add(struct code_system *system, struct slice code, yyjson_val *node,
                         struct arena *arena);

/* The number of CODE, or CODE_NONE. */
uint32_t code_find(const struct code_system *system, struct slice code);

struct slice code_text(const struct code_system *system, uint32_t code);
struct slice code_display(const struct code_system *system, uint32_t code);
struct slice code_definition(const struct code_system *system, uint32_t code);
bool code_is(const struct code_system *system, uint32_t code, unsigned flag);

struct designation {
    struct slice language, use_system, use_code, use_display, value;
    yyjson_val *node; /* where it stands in a CodeSystem or ValueSet; NULL: in a release */
};

struct property {
    struct slice code;
    const char *type; /* "Code", "String", "Boolean", "Integer", "Decimal", "DateTime", "Coding" */
    struct slice value; /* as text; of a Coding its code */
    yyjson_val *node;   /* of a Coding the value; else NULL */
};

/* What is said of a concept, in ARENA; COUNT 0 when nothing is (or the arena is full). */
const struct designation *code_designations(const struct code_system *system, uint32_t code,
                                            struct arena *arena, size_t *ret_count);
const struct property *code_properties(const struct code_system *system, uint32_t code,
                                       struct arena *arena, size_t *ret_count);

/* The URI of a declared property, or empty. */
struct slice code_property_uri(const struct code_system *system, struct slice property);

/* ---- hierarchy (hierarchy.c) ---------------------------------------------------------------- */

/* Does ANCESTOR stand above CODE (not itself)? */
bool code_below(const struct code_system *system, uint32_t code, uint32_t ancestor);

/* Does A subsume B? (check.c) */
enum terms_subsumption code_subsumption(const struct code_system *system, struct slice a,
                                        struct slice b);

/* Adds what is below (above) CODE to SET, CODE itself not. */
void code_add_descendants(const struct code_system *system, uint32_t code, roaring_bitmap_t *set);
void code_add_ancestors(const struct code_system *system, uint32_t code, roaring_bitmap_t *set);
void code_add_children(const struct code_system *system, uint32_t code, roaring_bitmap_t *set);
void code_add_parents(const struct code_system *system, uint32_t code, roaring_bitmap_t *set);

/* A bitmap that ends with the arena; NULL when that is full. */
roaring_bitmap_t *bitmap_make(struct arena *arena);
roaring_bitmap_t *bitmap_copy(const roaring_bitmap_t *set, struct arena *arena);
/* Its numbers, ascending; NULL when the arena is full. */
const uint32_t *bitmap_list(const roaring_bitmap_t *set, struct arena *arena, size_t *ret_count);
/* Every concept of the system. */
roaring_bitmap_t *bitmap_all(const struct code_system *system, struct arena *arena);

/* ---- messages (message.c) ------------------------------------------------------------------- */

/* The problems that an answer tells. The texts are those that terminology clients know (HL7
 * terminology ecosystem); codes are of http://hl7.org/fhir/tools/CodeSystem/tx-issue-type. The
 * texts quote what the question itself said, never a record. */
#define MESSAGES(X)                                                                                \
    X(VALUE_SET_MISSING, ERROR, "not-found", "not-found", true, "Unable_to_resolve_value_Set_",    \
      "A definition for the value Set '%s' could not be found")                                    \
    X(SUPPLEMENT_MISSING, ERROR, "not-found", "not-found", true, "VALUESET_SUPPLEMENT_MISSING",    \
      "Required supplement not found: %s")                                                         \
    X(CYCLE, ERROR, "processing", "vs-invalid", true, "VALUESET_CIRCULAR_REFERENCE",               \
      "The value set %s refers to itself, so what it holds cannot be told")                        \
    X(TOO_COSTLY, ERROR, "too-costly", "", true, "VALUESET_TOO_COSTLY",                            \
      "The value set %s has more than %s codes: ask for a page (count and offset) or a filter")    \
    X(SETS_TOO_MANY, ERROR, "too-costly", "vs-invalid", true, "VALUESET_TOO_COSTLY",               \
      "The value set %s includes too many others, each counted as often as it is included")        \
    X(SETS_TOO_DEEP, ERROR, "too-costly", "vs-invalid", true, "VALUESET_TOO_COSTLY",               \
      "The value set %s is reached through too long a chain of others: include it nearer")         \
    X(TOO_LATE, ERROR, "too-costly", "", true, "TOO_COSTLY",                                       \
      "The answer takes too long: ask for less at once")                                           \
    X(FILTER_WITHOUT_VALUE, ERROR, "invalid", "vs-invalid", true,                                  \
      "UNABLE_TO_HANDLE_SYSTEM_FILTER_WITH_NO_VALUE",                                              \
      "The system %s filter with property = %s, op = %s has no value")                             \
    X(FILTER_UNKNOWN, ERROR, "not-supported", "vs-invalid", true, "FILTER_NOT_UNDERSTOOD",         \
      "The system %s filter with property = %s, op = %s is not supported")                         \
    X(FILTER_INVALID, ERROR, "invalid", "vs-invalid", true, "FILTER_INVALID_VALUE",                \
      "The system %s filter with property = %s, op = %s has a value that cannot be used")          \
    X(FILTER_COSTLY, ERROR, "too-costly", "vs-invalid", true, "FILTER_TOO_COSTLY",                 \
      "The system %s filter with property = %s, op = %s takes too long")                           \
    X(SYSTEM_UNKNOWN_EXPANDING, ERROR, "not-found", "not-found", true, "UNKNOWN_CODESYSTEM_EXP",   \
      "A definition for CodeSystem '%s' could not be found, so the value set cannot be expanded")  \
    X(VERSION_UNKNOWN_EXPANDING, ERROR, "not-found", "not-found", true,                            \
      "UNKNOWN_CODESYSTEM_VERSION_EXP",                                                            \
      "A definition for CodeSystem '%s' version '%s' could not be found, so the value set cannot " \
      "be expanded. Valid versions: %s")                                                           \
    X(SYSTEM_UNKNOWN, ERROR, "not-found", "not-found", true, "UNKNOWN_CODESYSTEM",                 \
      "A definition for CodeSystem '%s' could not be found, so the code cannot be validated")      \
    X(VERSION_UNKNOWN, ERROR, "not-found", "not-found", true, "UNKNOWN_CODESYSTEM_VERSION",        \
      "A definition for CodeSystem '%s' version '%s' could not be found, so the code cannot be "   \
      "validated. Valid versions: %s")                                                             \
    X(VERSION_UNKNOWN_NONE, ERROR, "not-found", "not-found", true,                                 \
      "UNKNOWN_CODESYSTEM_VERSION_NONE",                                                           \
      "A definition for CodeSystem '%s' version '%s' could not be found, so the code cannot be "   \
      "validated. No versions of this code system are known")                                      \
    X(SYSTEM_IS_RELATIVE, ERROR, "invalid", "invalid-data", true,                                  \
      "Terminology_TX_System_Relative",                                                            \
      "Coding.system must be an absolute reference, not a local reference")                        \
    X(SYSTEM_IS_VALUE_SET, ERROR, "invalid", "invalid-data", true,                                 \
      "Terminology_TX_System_ValueSet2",                                                           \
      "The Coding references a value set, not a code system ('%s')")                               \
    X(SYSTEM_IS_SUPPLEMENT, ERROR, "invalid", "invalid-data", true, "CODESYSTEM_CS_NO_SUPPLEMENT", \
      "CodeSystem %s is a supplement, so it has no codes of its own to validate against")          \
    X(NO_SYSTEM, WARNING, "invalid", "invalid-data", true,                                         \
      "Coding_has_no_system__cannot_validate",                                                     \
      "The Coding has no system: a code without one has no defined meaning")                       \
    X(NO_CODE, ERROR, "invalid", "invalid-data", true, "Coding_has_no_code", "There is no code")   \
    X(NO_INPUT, ERROR, "invalid", "", true, "",                                                    \
      "Unable to find code to validate (looked for coding | codeableConcept | code+system | "      \
      "code+inferSystem in parameters")                                                            \
    X(NOT_INFERRED, ERROR, "not-found", "cannot-infer", true, "UNABLE_TO_INFER_CODESYSTEM",        \
      "The System URI could not be determined for the code '%s' in the ValueSet '%s'")             \
    X(INFERRED_MANY, ERROR, "not-found", "cannot-infer", true,                                     \
      "Unable_to_resolve_system__value_set_has_multiple_matches",                                  \
      "The System URI could not be determined for the code '%s' in the ValueSet '%s': value set "  \
      "expansion has multiple matches: [%s]")                                                      \
    X(CODE_UNKNOWN, ERROR, "code-invalid", "invalid-code", true, "Unknown_Code_in",                \
      "Unknown code '%s' in the CodeSystem '%s'")                                                  \
    X(CODE_UNKNOWN_VERSION, ERROR, "code-invalid", "invalid-code", true,                           \
      "Unknown_Code_in_Version", "Unknown code '%s' in the CodeSystem '%s' version '%s'")          \
    X(CODE_UNKNOWN_FRAGMENT, WARNING, "code-invalid", "invalid-code", false,                       \
      "UNKNOWN_CODE_IN_FRAGMENT",                                                                  \
      "Unknown Code '%s' in the CodeSystem '%s' version '%s' - note that the code system is "      \
      "labeled as a fragment, so the code may be valid in some other fragment")                    \
    X(NOT_IN_SET, ERROR, "code-invalid", "not-in-vs", true,                                        \
      "None_of_the_provided_codes_are_in_the_value_set_one",                                       \
      "The provided code '%s' was not found in the value set '%s'")                                \
    X(THIS_NOT_IN_SET, INFORMATION, "code-invalid", "this-code-not-in-vs", false,                  \
      "None_of_the_provided_codes_are_in_the_value_set_one",                                       \
      "The provided code '%s' was not found in the value set '%s'")                                \
    X(NONE_IN_SET, ERROR, "code-invalid", "not-in-vs", true, "TX_GENERAL_CC_ERROR_MESSAGE",        \
      "No valid coding was found for the value set '%s'")                                          \
    X(SET_UNCHECKED_SYSTEM, WARNING, "not-found", "vs-invalid", true,                              \
      "UNABLE_TO_CHECK_IF_THE_PROVIDED_CODES_ARE_IN_THE_VALUE_SET_CS",                             \
      "Unable to check whether the code is in the value set '%s' because the code system %s was "  \
      "not found")                                                                                 \
    X(SET_UNCHECKED_SET, WARNING, "not-found", "vs-invalid", true,                                 \
      "UNABLE_TO_CHECK_IF_THE_PROVIDED_CODES_ARE_IN_THE_VALUE_SET_VS",                             \
      "Unable to check whether the code is in the value set '%s' because the value set %s was "    \
      "not found")                                                                                 \
    X(INACTIVE, WARNING, "business-rule", "code-comment", true, "INACTIVE_CONCEPT_FOUND",          \
      "The concept '%s' has a status of %s and its use should be reviewed")                        \
    X(NOT_ACTIVE, ERROR, "business-rule", "code-rule", true, "STATUS_CODE_WARNING_CODE",           \
      "The concept '%s' is valid but is not active")                                               \
    X(NOT_SELECTABLE, ERROR, "business-rule", "code-rule", true, "ABSTRACT_CODE_NOT_ALLOWED",      \
      "Code '%s#%s' is abstract, and not allowed in this context")                                 \
    X(DEPRECATED_IN_SET, WARNING, "business-rule", "code-comment", false,                          \
      "CONCEPT_DEPRECATED_IN_VALUESET",                                                            \
      "The presence of the concept '%s' in the system '%s' in the value set %s is marked with a "  \
      "status of %s and its use should be reviewed")                                               \
    X(DISPLAY_WRONG, ERROR, "invalid", "invalid-display", true,                                    \
      "Display_Name_for__should_be_one_of__instead_of",                                            \
      "Wrong Display Name '%s' for %s#%s. Valid display is %s (for the language(s) '%s')")         \
    X(DISPLAY_NONE_WRONG, ERROR, "invalid", "invalid-display", true,                               \
      "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_ERR",                                                  \
      "Wrong Display Name '%s' for %s#%s. There are no valid display names found for language(s) " \
      "'%s'. Default display is '%s'")                                                             \
    X(DISPLAY_NONE_RIGHT, INFORMATION, "invalid", "invalid-display", true,                         \
      "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_OK",                                                   \
      "There are no valid display names found for the code %s#%s for language(s) '%s'. The "       \
      "display is '%s' which is a valid display for the default language")                         \
    X(DISPLAY_UNKNOWN, WARNING, "invalid", "invalid-display", false, "NO_VALID_DISPLAY_FOUND",     \
      "No display is known for %s#%s, so '%s' cannot be checked")                                  \
    X(VERSION_OTHER, ERROR, "invalid", "vs-invalid", true, "VALUESET_VALUE_MISMATCH",              \
      "The code system '%s' version '%s' in the ValueSet include is different to the one in the "  \
      "value ('%s')")                                                                              \
    X(VERSION_OTHER_RULE, ERROR, "invalid", "vs-invalid", true, "VALUESET_VALUE_MISMATCH_CHANGED", \
      "The code system '%s' version '%s' resulting from the version '%s' in the ValueSet include " \
      "is different to the one in the value ('%s')")                                               \
    X(VERSION_OTHER_DEFAULT, WARNING, "invalid", "vs-invalid", false,                              \
      "VALUESET_VALUE_MISMATCH_DEFAULT",                                                           \
      "The code system '%s' version '%s' for the versionless include in the ValueSet include is "  \
      "different to the one in the value ('%s')")                                                  \
    X(VERSION_NOT_ALLOWED, ERROR, "exception", "version-error", true, "VALUESET_VERSION_CHECK",    \
      "The version '%s' is not allowed for system '%s': required to be '%s' by a version-check "   \
      "parameter")                                                                                 \
    X(STANDING, INFORMATION, "business-rule", "status-check", false, "MSG_",                       \
      "Reference to %s %s %s")                                                                     \
    X(LOOKUP_UNKNOWN, ERROR, "not-found", "invalid-code", true, "Unknown_Code_in_Version",         \
      "Unable to find code '%s' in %s")                                                            \
    X(MAP_MISSING, ERROR, "not-found", "not-found", true, "", "No concept map was found for this") \
    X(REQUIRED, ERROR, "required", "", true, "", "The parameter %s is missing")                    \
    X(UNUSABLE, ERROR, "value", "", true, "", "The parameter %s cannot be used: %s")               \
    X(UNSUPPORTED, ERROR, "not-supported", "", true, "", "%s is not supported: %s")

enum message {
#define MESSAGE_ROW(name, severity, code, detail, joins, id, text) MESSAGE_##name,
    MESSAGES(MESSAGE_ROW)
#undef MESSAGE_ROW
        MESSAGE_COUNT
};

struct problem {
    enum message message;
    enum severity severity;
    struct slice id; /* of the message */
    struct slice text;
    struct slice path; /* "Coding.code"; may be empty */
    struct problem *next;
};

struct problems {
    struct arena *arena;
    struct problem *first, *last;
    uint32_t count, errors;
};

/* Adds a problem; its text is the row's, with the slices put in for each %s. The same problem at
 * the same place is told once. */
struct problem *problem_add(struct problems *problems, enum message message, struct slice path,
                            ...);

/* An OperationOutcome of them all. */
void problems_write(const struct problems *problems, struct buffer *out);

/* The texts that belong into `message`, sorted, with "; " between; empty when there are none. */
struct slice problems_summary(const struct problems *problems, struct arena *arena);

/* ---- what a question may bring (scope.c) ---------------------------------------------------- */

enum rule_kind { RULE_DEFAULT, RULE_CHECK, RULE_FORCE };

/* system-version, check-system-version, force-system-version; and default-valueset-version. */
struct version_rule {
    enum rule_kind kind;
    struct slice url, version;
    bool used;
};

/* A resource that the question itself brings (tx-resource, valueSet, contained). */
struct guest {
    struct slice type, url, version, fragment; /* FRAGMENT: "#id" of a contained one */
    yyjson_val *root;
    struct code_system *compiled;
};

#define SCOPE_MOST 64 /* rules, guests, supplements, systems used */

/* Value sets that one may be made of, each counted as often as it is included: what walks over them
 * walks over each of these. */
#define SCOPE_SETS_MOST 1000u

/* How long one question, or one value set, may keep a worker. */
#define SCOPE_TIME_MOST (10 * MICROS_PER_SECOND)

/* Where names are looked up while one question is answered, or one value set compiled. Everything
 * that it finds lives as long as its arena. */
struct scope {
    struct terms *terms;
    struct arena *arena;
    struct problems problems;
    struct version_rule rules[SCOPE_MOST];
    size_t rule_count;
    struct version_rule set_rules[SCOPE_MOST];
    size_t set_rule_count;
    struct guest guests[SCOPE_MOST];
    size_t guest_count;
    struct slice supplement_names[SCOPE_MOST];
    size_t supplement_name_count;
    const struct code_system *supplements[SCOPE_MOST];
    size_t supplement_count;
    struct code_system *stand_ins[SCOPE_MOST]; /* of systems that are not loaded */
    size_t stand_in_count;
    yyjson_val *compiling[32]; /* value sets that are being compiled: imports of imports */
    struct slice compiling_names[32];
    size_t depth;
    uint32_t compiled; /* value sets so far */
    int64_t deadline;  /* time_monotonic; past it STATUS_TOO_COSTLY */
    bool late;
    bool versions_match, versions_match_given; /* of the value set being compiled */
    bool crossed;
    bool quiet; /* nobody reads the problems */
};

/* A cleared scope, ready to be used from now on. */
void scope_begin(struct scope *scope, struct terms *terms, struct arena *arena);

/* Is the time over? That is told once, and costs as much as looking at the clock. */
bool scope_late(struct scope *scope);
#define CLOCK_EVERY 1024u /* concepts between two such looks */

bool scope_is_plain(const struct scope *scope);

/* The system whose version is VERSION ("" the newest, "1.x" by pattern), or NULL. */
const struct code_system *scope_system(struct scope *scope, struct slice url, struct slice version);

/* The versions there are of a code system, "1.0.0 or 1.2.0"; empty when there are none. */
struct slice scope_versions(struct scope *scope, struct slice url, bool *ret_known);

/* A ValueSet's JSON, or NULL; *RET_SERIAL 0 for a guest. */
yyjson_val *scope_value_set(struct scope *scope, struct slice canonical, uint64_t *ret_serial);

/* Takes in the supplements that are named, and those named by ROOT (a ValueSet, may be NULL).
 * STATUS_BUSINESS_RULE, with the problem told, when one is not there. */
MUST_CHECK enum status scope_supplements(struct scope *scope, yyjson_val *root);

/* What is said of a concept by its code system and the scope's supplements, in SCRATCH. */
const struct designation *scope_designations(const struct scope *scope,
                                             const struct code_system *system, uint32_t code,
                                             struct arena *scratch, size_t *ret_count);
const struct property *scope_properties(const struct scope *scope, const struct code_system *system,
                                        uint32_t code, struct arena *scratch, size_t *ret_count);
/* Does the supplement add to this system? */
bool supplement_adds(const struct code_system *supplement, const struct code_system *system);

/* Which version an include asks for, after the rules. */
struct asked_version {
    struct slice written; /* in the include */
    struct slice asked;   /* after the rules; may be a pattern or empty */
    struct slice check;   /* what a check rule demands; empty: nothing */
    bool by_rule;
};
struct asked_version scope_asked(struct scope *scope, struct slice url, struct slice written);

bool version_matches(struct slice pattern, struct slice version);
bool version_is_pattern(struct slice version);
int version_compare(struct slice a, struct slice b);

/* Cuts "url|version"; without '|' the version is empty. A #fragment goes. */
struct slice canonical_url(struct slice canonical, struct slice *ret_version);
struct slice canonical_join(struct arena *arena, struct slice url, struct slice version);

/* The url of an extension below an object, or NULL. */
yyjson_val *extension_find(yyjson_val *object, const char *url);

/* ---- filters (filter.c, ecl.c) -------------------------------------------------------------- */

/* The concepts that ValueSet.compose.include.filter number INDEX selects. On failure the problem
 * is told at PATH. */
MUST_CHECK enum status filter_apply(struct scope *scope, const struct code_system *system,
                                    yyjson_val *filter, struct slice path,
                                    roaring_bitmap_t **ret_set);

/* ---- value sets (valueset.c) ---------------------------------------------------------------- */

enum include_state {
    INCLUDE_KNOWN,
    INCLUDE_UNKNOWN_SYSTEM,
    INCLUDE_UNKNOWN_VERSION,
    INCLUDE_UNKNOWN_SET,
    INCLUDE_UNUSABLE /* a filter that cannot be applied */
};

/* One of compose.include or compose.exclude. */
struct include {
    enum include_state state;
    struct slice url; /* of the code system; empty: value sets only */
    struct asked_version version;
    const struct code_system *system; /* NULL unless known */
    roaring_bitmap_t *codes;          /* of the system; NULL: imports only */
    const uint32_t *listed;           /* compose.include.concept, in order; NULL: none */
    size_t listed_count;
    struct value_set **imports;
    size_t import_count;
    struct slice missing; /* what is not there */
    yyjson_val *node;
    bool whole; /* neither list nor filter */
};

/* The codes of one code system. */
struct code_set {
    const struct code_system *system;
    roaring_bitmap_t *codes;
};

struct value_set {
    struct slice url, version, name;
    yyjson_val *root;
    struct include *includes, *excludes;
    size_t include_count, exclude_count;
    struct code_set *sets; /* all together, by code system, in order of the includes */
    size_t set_count;
    bool open;        /* it has a part that is not known */
    bool active_only; /* compose.inactive is false */
    bool crossed;     /* an exclude took codes of another version out */
    bool merged;      /* versions of a code count as one (versionsMatch) */
    bool enumerated;  /* every include lists its codes */
    bool unusable;    /* a filter of it cannot be applied: the problem says why */
    uint64_t serial;

    const struct canonical *source; /* held; NULL: none */
    struct arena *own;              /* of a cached one */
    _Atomic uint32_t references;
};

/* Compiles ROOT in SCOPE's arena; problems go to the scope, and what cannot be known is marked.
 * STATUS_INVALID: it refers to itself; STATUS_TOO_COSTLY. */
MUST_CHECK enum status value_set_compile(struct scope *scope, yyjson_val *root,
                                         struct value_set **ret_set);

/* The codes of SYSTEM that an include selects, imports left aside. */
MUST_CHECK enum status include_codes(struct scope *scope, const struct include *include,
                                     const struct code_system *system,
                                     roaring_bitmap_t **ret_codes);

/* A value set by name, compiled; plain scopes share one. STATUS_NOT_FOUND: there is none;
 * STATUS_INVALID, STATUS_TOO_COSTLY: with the problem told. */
MUST_CHECK enum status scope_compiled(struct scope *scope, struct slice canonical,
                                      const struct value_set **ret_set);

/* "url|version", as messages name it. */
struct slice value_set_name(const struct value_set *set, struct arena *arena);

/* The definition of an implicit value set (R4 snomedct.html, "Implicit Value Sets"; "?fhir_vs" of
 * any code system), or NULL. */
yyjson_val *implicit_value_set(struct slice canonical, struct arena *arena);

/* The codes of set that are of SYSTEM, or NULL. */
const struct code_set *value_set_part(const struct value_set *set,
                                      const struct code_system *system);

/* The node of compose.include.concept that lists the code, or NULL. */
yyjson_val *value_set_listed(const struct value_set *set, const struct code_system *system,
                             uint32_t code);

/* ---- the shelf of what is compiled (terms.c) ------------------------------------------------ */

/* The compiled form of a CodeSystem of the conformance resources, kept at least as long as ARENA.
 * CANONICAL lives for now. STATUS_TOO_COSTLY. */
MUST_CHECK enum status shelf_system(struct terms *terms, const struct canonical *canonical,
                                    struct arena *arena, const struct code_system **ret_system);

/* The same for a value set by its canonical, or NULL when the shelf has none. */
const struct value_set *shelf_set(struct terms *terms, struct slice canonical, struct arena *arena);

/* Puts a value set, compiled at GENERATION in an arena of its own, on the shelf, and takes it over.
 * The one to use lives as long as ARENA; NULL: that is full. */
const struct value_set *shelf_put(struct terms *terms, struct slice canonical,
                                  struct value_set *set, uint64_t generation, struct arena *arena);

/* The code systems of loaded releases. */
size_t shelf_releases(struct terms *terms, const struct code_system *const **ret_systems);

/* ---- code systems without a resource (listed.c) ------------------------------------------------
 */

/* The value set that lists codes of SYSTEM, or NULL. */
const char *listing_of(struct slice system);

/* The code system URL as VALUE_SET lists it. NULL: it lists none of its codes, or the arena is
 * full. */
struct code_system *listed_system_make(struct slice url, yyjson_val *value_set,
                                       struct arena *arena);

/* The same, made once and kept; NULL: none. */
const struct code_system *shelf_listed(struct terms *terms, struct slice url);

/* False when no code of SYSTEM is written as CODE is. */
bool code_may_be(struct slice system, struct slice code);

struct conformance *shelf_conformance(struct terms *terms);

/* ---- concept maps by what they translate (maps.c) ------------------------------------------- */

struct map_notes;

/* NULL: no memory. It lies in ARENA and is closed before that goes. */
struct map_notes *map_notes_open(struct conformance *conformance, struct arena *arena);
void map_notes_close(struct map_notes *notes);
struct map_notes *shelf_maps(struct terms *terms);

/* What a ConceptMap is to translate between; empty: anything. */
struct map_wish {
    struct slice source, target;         /* code systems of one of its groups */
    struct slice source_set, target_set; /* value sets of the whole */
};

bool map_fits(struct slice wanted, struct slice given);

/* The canonicals of the loaded ConceptMaps that fit, in ARENA. */
MUST_CHECK enum status maps_that_fit(struct map_notes *notes, const struct map_wish *wish,
                                     struct arena *arena, struct slice **ret_canonicals,
                                     size_t *ret_count);

/* The value sets that a ConceptMap says it is from and to, in the words of R4, R4B or R5. */
struct slice map_source_set(yyjson_val *map);
struct slice map_target_set(yyjson_val *map);

/* ---- questions (question.c) ----------------------------------------------------------------- */

#define LANGUAGES_MOST 16

struct question {
    struct scope *scope;
    struct arena *arena;
    const struct terms_question *asked;
    const struct terms_parameter *parameters;
    size_t count;
    struct slice language_text; /* as it was asked for; empty: no language */
    struct slice languages[LANGUAGES_MOST];
    size_t language_count;
};

/* Reads the parameters that concern every operation. A problem is told and STATUS_INVALID. */
MUST_CHECK enum status question_read(struct question *question);

const struct terms_parameter *question_find(const struct question *question, const char *name);
struct slice question_text(const struct question *question, const char *name);
bool question_flag(const struct question *question, const char *name, bool otherwise);
yyjson_val *question_value(const struct question *question, const char *name);

/* The languages of a value set count where the question names none. */
void question_set_languages(struct question *question, yyjson_val *value_set);

/* The value of compose's valueset-expansion-parameter NAME, or empty. */
struct slice expansion_parameter(yyjson_val *value_set, const char *name);

/* The value set that the question names or brings: NOT_FOUND with the problem told. */
MUST_CHECK enum status question_value_set(struct question *question,
                                          const struct value_set **ret_set);

/* "Parameters" being written. */
struct parameters_writer {
    struct buffer *out;
    bool any;
};
void parameters_begin(struct parameters_writer *writer, struct buffer *out);
/* A parameter NAME with value[x] of TYPE ("String"); VALUE is text, written as JSON needs. */
void parameters_add(struct parameters_writer *writer, const char *name, const char *type,
                    struct slice value);
void parameters_flag(struct parameters_writer *writer, const char *name, bool value);
void parameters_json(struct parameters_writer *writer, const char *name, const char *type,
                     const yyjson_val *value);
void parameters_end(struct parameters_writer *writer);
/* "name":..., "valueType":... of one parameter or part, without braces. */
void part_write(struct buffer *out, const char *name, const char *type, struct slice value);
void value_write(struct buffer *out, const char *type, struct slice value);

/* ---- displays (display.c) ------------------------------------------------------------------- */

struct shown {
    struct slice text, language;
};

bool language_matches(struct slice wanted, struct slice given);

/* Was the designation taken back? */
bool designation_withdrawn(const struct designation *designation);

/* What to show for a code, in the languages asked for where there is something. LISTED is its node
 * in the value set, or NULL. */
struct shown display_for(const struct question *question, const struct code_system *system,
                         uint32_t code, yyjson_val *listed);

/* Are these words known for the code in a language asked for? */
bool display_known(struct question *question, const struct code_system *system, uint32_t code,
                   yyjson_val *listed, struct slice display);

/* Compares a display that came with a code, and tells what is wrong with it. */
void display_check(struct question *question, const struct code_system *system, uint32_t code,
                   yyjson_val *listed, struct slice display, struct slice path, bool lenient);

/* ---- operations ----------------------------------------------------------------------------- */

/* Each writes its answer; a failure is told in the scope's problems. */
MUST_CHECK enum status expand_answer(struct question *question, struct buffer *out);
MUST_CHECK enum status validate_answer(struct question *question, bool system_only,
                                       struct buffer *out);
MUST_CHECK enum status lookup_answer(struct question *question, struct buffer *out);
MUST_CHECK enum status subsumes_answer(struct question *question, struct buffer *out);
MUST_CHECK enum status translate_answer(struct question *question, struct buffer *out);

#endif
