/* SPDX-License-Identifier: MIT */
/* fhir: the definitions (compiled StructureDefinitions, SearchParameters, code systems) and what
 * can be done with a resource by knowing them: walk it, find its references, patch it.
 *
 * The compiler turns a FHIR package into one relocatable file, the *blob*: offsets instead of
 * pointers, a format version and a hash, read by mmap, never written again. Everything below that
 * is reached from struct definitions lives as long as it, is read-only and may be shared by
 * threads. */
#ifndef CARELAYER_FHIR_FHIR_H
#define CARELAYER_FHIR_FHIR_H

#include "base/base.h"

/* ---- the blob ------------------------------------------------------------------------------ */

struct definitions;

/* Compiles the packages at PATHS (each a .tgz, a folder, or one conformance resource as .json; the
 * base specification first, later ones add to it) into the file OUTPUT, replaced atomically.
 * Problems in a package are issues with its file and element; STATUS_OK with warnings is usual. */
MUST_CHECK enum status definitions_compile(const char *const *paths, size_t count,
                                           const char *output, struct outcome *outcome);

/* Opens a blob: checks magic, format version, length and hash; STATUS_CORRUPT or STATUS_IO. */
MUST_CHECK enum status definitions_open(const char *path, struct outcome *outcome,
                                        struct definitions **ret_definitions);
void definitions_close(struct definitions *definitions);

/* Opens the base specification with PACKAGES added: BLOB is the compiled base, BASE_PACKAGE what it
 * was compiled from. The result is kept in the folder CACHE under a name made of the checksums of
 * all of them, and compiled only when it is not there. With no packages as definitions_open. */
MUST_CHECK enum status definitions_open_with(const char *blob, const char *base_package,
                                             const char *const *packages, size_t count,
                                             const char *cache, struct outcome *outcome,
                                             struct definitions **ret_definitions);

/* Visits every resource of a package, as definitions_compile takes it, in which WORD stands. */
typedef enum status package_resource(void *context, struct slice text);
MUST_CHECK enum status package_resources(const char *path, struct slice word,
                                         package_resource *visit, void *context,
                                         struct outcome *outcome);

/* "4.0.1", and a hex hash of the content that changes when any definition does. */
struct slice definitions_fhir_version(const struct definitions *definitions);
struct slice definitions_hash(const struct definitions *definitions);

/* ---- types and elements --------------------------------------------------------------------- */

/* What types are made of: the rows of the blob. */
#include "elements.h"

/* R4's data types, as far as code must tell them apart; a type that is no data type (a resource,
 * a backbone element, an unlisted type) is FHIR_TYPE_OTHER. */
/* clang-format never settles on these. */
/* clang-format off */
#define FHIR_PRIMITIVES(X)                                                                         \
    X(BASE64BINARY, "base64Binary")                                                                \
    X(BOOLEAN, "boolean") X(CANONICAL, "canonical") X(CODE, "code") X(DATE, "date")                \
        X(DATETIME, "dateTime") X(DECIMAL, "decimal") X(ID, "id") X(INSTANT, "instant")            \
            X(INTEGER, "integer") X(MARKDOWN, "markdown") X(OID, "oid")                            \
                X(POSITIVEINT, "positiveInt") X(STRING, "string") X(TIME, "time")                  \
                    X(UNSIGNEDINT, "unsignedInt") X(URI, "uri") X(URL, "url") X(UUID, "uuid")      \
                        X(XHTML, "xhtml")
#define FHIR_COMPLEX(X)                                                                            \
    X(ADDRESS, "Address")                                                                          \
    X(AGE, "Age") X(ANNOTATION, "Annotation") X(ATTACHMENT, "Attachment")                          \
        X(CODEABLECONCEPT, "CodeableConcept") X(CODING, "Coding") X(CONTACTPOINT, "ContactPoint")  \
            X(COUNT, "Count") X(DISTANCE, "Distance") X(DURATION, "Duration")                      \
                X(EXTENSION, "Extension") X(HUMANNAME, "HumanName") X(IDENTIFIER, "Identifier")    \
                    X(META, "Meta") X(MONEY, "Money") X(NARRATIVE, "Narrative")                    \
                        X(PERIOD, "Period") X(QUANTITY, "Quantity") X(RANGE, "Range")              \
                            X(RATIO, "Ratio") X(REFERENCE, "Reference")                            \
                                X(SAMPLEDDATA, "SampledData") X(SIGNATURE, "Signature")            \
                                    X(TIMING, "Timing")
/* clang-format on */

enum fhir_type {
    FHIR_TYPE_OTHER,
#define FHIR_TYPE_ROW(name, text) FHIR_TYPE_##name,
    FHIR_PRIMITIVES(FHIR_TYPE_ROW) FHIR_COMPLEX(FHIR_TYPE_ROW)
#undef FHIR_TYPE_ROW
        FHIR_TYPE_LIMIT
};

/* A resource type's code: 1 + its place among R4's concrete resource types in byte order, so the
 * same in every release of this program and safe to store. 0 is "no type". */
typedef uint16_t resource_type;
#define RESOURCE_TYPE_NONE ((resource_type)0)

/* How many there are; codes run from 1 to this. */
resource_type resource_type_count(const struct definitions *definitions);

/* "Patient"; static as the definitions are. */
struct slice resource_type_name(const struct definitions *definitions, resource_type type);

/* RESOURCE_TYPE_NONE when there is no such concrete resource type. */
resource_type resource_type_find(const struct definitions *definitions, struct slice name);

/* ---- search parameters ------------------------------------------------------------------------
 */

enum search_kind {
    SEARCH_NUMBER,
    SEARCH_DATE,
    SEARCH_STRING,
    SEARCH_TOKEN,
    SEARCH_REFERENCE,
    SEARCH_COMPOSITE,
    SEARCH_QUANTITY,
    SEARCH_URI,
    SEARCH_SPECIAL
};

/* One way through the JSON to values of one type: member names from the resource down, choice
 * types already spelt out (effectiveDateTime), arrays to be flattened on the way. */
struct search_path {
    const struct slice *steps;
    size_t count;
    enum fhir_type type;
    struct slice filter_name; /* .where(system = 'phone'): member and value; empty when none */
    struct slice filter_value;
    size_t filter_step;   /* which objects it is asked of: those met after this many steps */
    resource_type target; /* .where(resolve() is Patient): only references to that type; or NONE */
};

struct search_parameter;

/* One part of a composite parameter: the parameter that says how its value is searched, and where
 * the value lies, seen from each value of the composite's own expression. */
struct search_component {
    const struct search_parameter *parameter; /* of the same type */
    struct slice expression;                  /* FHIRPath */
};

/* A search parameter as it applies to one resource type. */
struct search_parameter {
    struct slice code; /* "birthdate" */
    struct slice url;  /* canonical */
    enum search_kind kind;
    uint16_t number; /* 1.., unique within the resource type, stable for one blob only */
    const struct search_path *paths; /* what its expression comes to; none: not simple */
    size_t path_count;
    bool simple; /* paths say all that the expression says */
    bool exists; /* the one value is true or false: whether a path meets a value that is not false
                    (X.exists() and X != false, as in Patient.deceased) */
    const resource_type *targets; /* of a reference parameter */
    size_t target_count;
    struct slice expression;                   /* FHIRPath, for this type */
    const struct search_component *components; /* of a composite parameter, in order */
    size_t component_count;
};

/* All parameters of a type, those of Resource and DomainResource included, ordered by code; the
 * added ones too. */
const struct search_parameter *search_parameters(const struct definitions *definitions,
                                                 resource_type type, size_t *ret_count);
const struct search_parameter *search_parameter_find(const struct definitions *definitions,
                                                     resource_type type, struct slice code);

/* Search parameters beside those of the blob, as resources that are stored while a program runs.
 * RESOURCES: every SearchParameter that is to count from now on, each a whole resource; those that
 * counted before and are not among them count no more. Passed over: whose status is not active, who
 * has no code, type or expression, whose base is no resource type here, or whose code a parameter
 * of the blob (or an earlier one of the list) has. Their values are what the expression says, their
 * paths are none. Texts are copied. VISIT is told of each type whose parameters have changed, once
 * the change is in force.
 *
 * Safe beside threads that ask for parameters: what search_parameters gave stays as it was, as long
 * as the definitions. A number is never used again; what comes after SEARCH_ADDED_MOST of them for
 * one type has the number 0, by which nothing is indexed, until the definitions are opened again.
 */
#define SEARCH_ADDED_MOST 200u
typedef void search_change_visit(void *context, resource_type type);
MUST_CHECK enum status search_parameters_add(const struct definitions *definitions,
                                             yyjson_val *const *resources, size_t count,
                                             search_change_visit *visit, void *context);

/* The code of SearchParameter.type, and the kind that it names; false: none. */
const char *search_kind_name(enum search_kind kind);
bool search_kind_find(struct slice name, enum search_kind *ret_kind);

/* Calls VISIT for every value the path meets in RESOURCE. References to other types than
 * path->target are visited too: the caller, who knows the base URL, tells them apart with
 * reference_parse. */
typedef void search_visit(void *context, const struct search_path *path, yyjson_val *value);
void search_path_walk(const struct search_path *path, yyjson_val *resource, search_visit *visit,
                      void *context);

/* Where a resource lives (DESIGN 6): the elements, best first, that name its home patient; none for
 * types that belong to no patient. Our own table, not the compartments. */
const struct search_path *home_paths(const struct definitions *definitions, resource_type type,
                                     size_t *ret_count);

/* Every element through which a resource of this type concerns a patient (a superset of
 * home_paths and of the Patient compartment): membership. */
const struct search_path *member_paths(const struct definitions *definitions, resource_type type,
                                       size_t *ret_count);

/* Directory and conformance types, which concern nobody and are shared by all partitions:
 * Organization, Practitioner, Location, ValueSet, StructureDefinition ... */
bool resource_type_is_shared(const struct definitions *definitions, resource_type type);

/* ---- references -------------------------------------------------------------------------------
 */

enum reference_kind {
    REFERENCE_LOCAL,    /* Patient/1, Patient/1/_history/2, or absolute under our base */
    REFERENCE_FOREIGN,  /* absolute elsewhere, http(s) or other scheme */
    REFERENCE_URN,      /* urn:uuid:, urn:oid: */
    REFERENCE_FRAGMENT, /* #id */
    REFERENCE_QUERY,    /* Patient?identifier=...: conditional, in transactions only */
    REFERENCE_BROKEN
};

struct reference {
    enum reference_kind kind;
    resource_type type;   /* LOCAL and QUERY */
    struct slice id;      /* LOCAL and FRAGMENT (there it may be empty); view into the text */
    struct slice version; /* LOCAL, may be empty */
    struct slice query;   /* QUERY: after the question mark */
};

/* Reads the text of Reference.reference (R4 "References"). BASE: the server's own base URL without
 * trailing slash; empty: no absolute reference is ours. */
struct reference reference_parse(const struct definitions *definitions, struct slice text,
                                 struct slice base);

/* [A-Za-z0-9\-\.]{1,64} (R4 "id"). */
bool resource_id_valid(struct slice id);

/* ---- walking ----------------------------------------------------------------------------------
 */

/* A walk along the definitions over a resource, contained resources and Bundle entries included.
 * Called for every primitive value, those in the `_name` siblings of primitives too, with its type
 * and the object that holds it. Unknown elements are passed over: validation names them. */
struct walk_value {
    enum fhir_type type;        /* a primitive */
    enum fhir_type parent_type; /* the data type it is a member of (REFERENCE, EXTENSION ..) */
    struct slice name;          /* member name */
    yyjson_val *value;
    yyjson_val *parent;
};
typedef void walk_visit(void *context, const struct walk_value *value);
void resource_walk(const struct definitions *definitions, resource_type type, yyjson_val *resource,
                   walk_visit *visit, void *context);

/* Exchanges the links of RESOURCE in place: every Reference.reference, uri, url, oid, uuid element
 * and every href and src in narrative (R4 "Transaction Processing Rules", replacing references) is
 * given to RESOLVE; where it answers true the text becomes *ret_text. canonical elements are left
 * alone. A position of a value so changed is no longer known. CHANGES, whose arena takes the texts
 * and lives as long as the document, remembers what stood there, over several calls;
 * resource_restore_links puts all of it back and forgets it. */
typedef bool link_resolve(void *context, struct slice text, struct slice *ret_text);
struct link_change {
    yyjson_val *value;
    yyjson_val before;
};
struct link_changes {
    struct arena *arena;
    struct link_change *items;
    size_t count, capacity;
};
MUST_CHECK enum status resource_exchange_links(const struct definitions *definitions,
                                               resource_type type, yyjson_val *resource,
                                               link_resolve *resolve, void *context,
                                               struct link_changes *changes);
void resource_restore_links(struct link_changes *changes);

/* ---- JSON Patch -------------------------------------------------------------------------------
 */

/* Applies a JSON Patch document (RFC 6902, pointers RFC 6901) to TARGET; the result is a new
 * document in the arena. All or nothing. STATUS_STRUCTURE: the patch is malformed;
 * STATUS_UNPROCESSABLE: an operation does not apply (its index is named, values are not). */
MUST_CHECK enum status patch_json_apply(yyjson_val *target, yyjson_val *patch, struct arena *arena,
                                        struct outcome *outcome, yyjson_mut_doc **ret_result);

/* ---- Parameters -------------------------------------------------------------------------------
 */

/* Can ROOT be read as the parameters of an operation (R4 parameters.html, inv-1)? STATUS_STRUCTURE:
 * it is no Parameters resource; STATUS_VALUE: a parameter, or a part of one, has no name or more
 * than one of value[x], resource and part. ARENA is for the path in the message. */
MUST_CHECK enum status parameters_check(yyjson_val *root, struct arena *arena,
                                        struct outcome *outcome);

/* ---- views of a resource ------------------------------------------------------------------------
 */

/* `_summary` and `_elements` (R4 search, "Summary", "Elements"): writes the resource with only the
 * elements asked for, mandatory ones kept, meta.tag SUBSETTED added. With ELEMENTS modifier
 * elements stay too. SUMMARY_TRUE also cuts inside elements and entries of a Bundle; SUMMARY_COUNT
 * has no resources to show and is taken as SUMMARY_TRUE. SUMMARY_FALSE without elements is
 * json_write. */
enum summary { SUMMARY_FALSE, SUMMARY_TRUE, SUMMARY_TEXT, SUMMARY_DATA, SUMMARY_COUNT };
void resource_write_subset(const struct definitions *definitions, resource_type type,
                           yyjson_val *resource, enum summary summary, const struct slice *elements,
                           size_t element_count, struct buffer *out);

#include "fhir/bundle.h"      /* batches and transactions */
#include "fhir/conformance.h" /* StructureDefinitions, ValueSets ... by canonical url */
#include "fhir/snapshot.h"    /* what a differential stands for */
#include "fhir/xml.h"         /* JSON that is broken, and the other form of a resource */

#endif
