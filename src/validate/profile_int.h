/* SPDX-License-Identifier: MIT */
/* validate, inside: full validation. A *review* goes over a resource whose structure has been
 * checked; it reads rules that were compiled from StructureDefinitions:
 *   - base rules, by type and by element of the definitions (rules.c),
 *   - profiles, trees of elements (profile_compile.c), walked one at a time (profile_walk.c).
 * Where it stands is a chain of FHIRPath nodes on the C stack, so that an invariant can be asked
 * anywhere at no cost. */
#ifndef CARELAYER_VALIDATE_PROFILE_INT_H
#define CARELAYER_VALIDATE_PROFILE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "fhirpath/fhirpath.h"
#include "validate/validate_int.h"

/* ---- rules ------------------------------------------------------------------------------------
 */

struct constraint {
    struct slice key, human;
    enum severity severity;
    const struct fhirpath
        *expression; /* NULL: it does not compile, which is told, or there is none */
    struct constraint *next;
};

enum strength {
    STRENGTH_NONE,
    STRENGTH_EXAMPLE,
    STRENGTH_PREFERRED,
    STRENGTH_EXTENSIBLE,
    STRENGTH_REQUIRED
};

struct binding {
    enum strength strength;
    struct slice value_set; /* canonical as written */
    struct slice most;      /* maxValueSet (elementdefinition-maxValueSet); empty: none */
    bool listed;            /* structure.c has judged it by the codes in the blob */
};

/* Base rules of one element of the definitions (of each member of a choice). */
struct element_rules {
    struct constraint *constraints; /* beyond those of its type */
    struct binding binding;
    struct slice profile; /* on its type (SimpleQuantity); empty: none */
};

/* Base rules of one type. */
struct type_rules {
    struct constraint *constraints;
};

/* ---- profiles ---------------------------------------------------------------------------------
 */

struct profile;

struct allowed_type {
    struct slice code;
    const struct type_row *row; /* NULL: unknown */
    const struct slice *profiles, *targets;
    size_t profile_count, target_count;
};

enum discriminator_kind {
    DISCRIMINATE_VALUE, /* and pattern, which R4 says is the same test */
    DISCRIMINATE_TYPE,
    DISCRIMINATE_PROFILE,
    DISCRIMINATE_EXISTS
};

struct discriminator {
    enum discriminator_kind kind;
    struct slice path;
};

enum slicing_rules { SLICING_OPEN, SLICING_CLOSED, SLICING_OPEN_AT_END };

enum aggregation { AGGREGATION_CONTAINED = 1, AGGREGATION_REFERENCED = 2, AGGREGATION_BUNDLED = 4 };

struct rule_element {
    struct slice id;               /* in its profile: "Patient.name:official" */
    struct slice stem;             /* member name without a choice's type; the root: empty */
    struct slice slice;            /* sliceName */
    const struct element_row *row; /* in the definitions, one of a choice's; NULL: the root */
    const struct type_row *type;   /* of its values when that is one; else NULL */
    uint32_t min, max;             /* as the profile says; max UINT32_MAX: any */
    bool own_min, own_max;         /* differ from the base's */
    bool own_types;                /* fewer types than the base, or with profiles */
    bool must_support;
    uint8_t aggregation;
    struct allowed_type *types;
    size_t type_count;
    yyjson_val *fixed, *pattern, *least, *greatest;
    uint32_t longest; /* maxLength; 0: none */
    struct binding binding;
    struct constraint *constraints; /* not the base's */

    bool sliced, ordered;
    enum slicing_rules rules;
    struct discriminator *discriminators;
    size_t discriminator_count;
    struct rule_element *slices; /* by next */
    uint32_t number;             /* of a slice, among those of the element that is sliced */
    uint32_t slice_total;        /* slices and theirs; of the element that is sliced */

    struct rule_element *parent, *children, *last_child, *next;
    struct rule_element **by_group; /* of the children, by their group within TYPE; or NULL */
    bool asks; /* something is asked of it or below it that the base does not */
};

struct profile {
    struct arena *arena;
    uint64_t serial;
    struct slice url, version, type_name;
    bool added;                  /* to the definitions while they are in use: may be replaced */
    bool pinned;                 /* a policy's */
    resource_type resource;      /* or NONE: of a data type */
    const struct type_row *type; /* what it constrains */
    struct rule_element *root;
    bool modifier;          /* an extension's: it modifies */
    struct slice *contexts; /* where an extension may stand: element ids */
    size_t context_count;
    bool any_context; /* some of its contexts is no element id: not judged */
    struct profile *next;
};

/* ---- the validator ----------------------------------------------------------------------------
 */

/* The profile is the one of the start: who may store definitions must not undo a policy. */
struct policy {
    struct slice type;
    const struct profile *profile;
    struct policy *next;
};

#define PROFILE_BUCKETS 256u

struct validator {
    struct arena *arena; /* under the lock */
    const struct definitions *definitions;
    const struct element_tables *tables;
    struct conformance *conformance;
    struct terms *terms;
    pthread_mutex_t lock;                           /* of everything that grows */
    _Atomic(struct type_rules *) *type_rules;       /* by type */
    _Atomic(struct element_rules *) *element_rules; /* by element */
    _Atomic bool *compiled;                         /* by type: both are whole */
    struct profile *profiles[PROFILE_BUCKETS];      /* by serial */
    pthread_rwlock_t use;   /* reviews hold it to read; what was replaced goes when none does */
    _Atomic uint32_t added; /* profiles of added definitions since that was last looked at */
    struct policy *policies;
};

/* The base rules of TYPE, compiled on first use; NULL: there are none. */
const struct type_rules *rules_of(struct validator *validator, const struct type_row *type);

/* Of an element whose owner's rules have been asked for; or NULL. */
static inline const struct element_rules *element_rules_of(struct validator *validator,
                                                           const struct element_row *element)
{
    return atomic_load_explicit(&validator->element_rules[element - validator->tables->elements],
                                memory_order_acquire);
}

/* A review asks for profiles between these two. What is compiled of definitions that have been
 * replaced or removed since is freed by the last that leaves. */
void validator_enter(struct validator *validator);
void validator_leave(struct validator *validator);

/* The compiled profile CANONICAL; NULL: not loaded, or no profile. Valid until validator_leave. */
const struct profile *profile_find(struct validator *validator, struct slice canonical);

/* Compiles a StructureDefinition; the profile has an arena of its own. NULL: out of memory, or not
 * a profile of a type that is known. */
struct profile *profile_compile(struct validator *validator, const struct canonical *canonical);

/* Of an ElementDefinition: what rules.c and profile_compile.c both read. */
void read_binding(yyjson_val *element, struct arena *arena, struct binding *ret_binding);
struct constraint *read_constraint(const struct definitions *definitions, yyjson_val *constraint,
                                   const struct type_row *context, struct arena *arena);

/* Is a constraint of this key checked by our own code instead of its expression? */
bool constraint_is_native(struct slice key);

/* ---- reviewing --------------------------------------------------------------------------------
 */

/* A Bundle whose entries have been looked up by fullUrl. */
struct known_bundle {
    const yyjson_val *bundle;
    const struct bundle_index *index;
    struct known_bundle *next;
};

/* An element's id: unique within its resource (R4 element.html). */
struct known_id {
    const yyjson_val *resource;
    struct slice id;
    struct known_id *next;
};

/* The contained resources of one container by id: open addressing. */
struct contained_slot {
    struct slice id;
    yyjson_val *resource; /* NULL: a free slot */
    uint32_t number;
    bool used;
};
struct contained_index {
    const yyjson_val *container;
    struct contained_slot *slots;
    size_t mask;
};

/* Whether a value fits a profile: known, or being found out (then it is taken to fit). */
struct trial {
    const struct profile *profile;
    const yyjson_val *value;
    bool fits;
    struct trial *next;
};

#define SEEN_LIMIT 64

struct review {
    struct checker *checker; /* outcome, arena, status, prefix */
    struct validator *validator;
    const struct validate_options *options;
    const struct definitions *definitions;
    const struct element_tables *tables;
    struct arena *arena;   /* of the review's own: what lasts until its end; made when needed */
    struct arena *scratch; /* the caller's, for expressions */
    struct known_bundle *bundles;
    struct contained_index contained; /* of the container asked of last */
    struct fhirpath_host host;
    uint32_t depth;
    uint32_t quiet;                    /* only find out: report nothing */
    bool failed;                       /* an error was met while quiet */
    bool late;                         /* past the deadline: told, and no rule is asked any more */
    uint32_t asked;                    /* sets of rules so far */
    uint64_t seen_systems[SEEN_LIMIT]; /* hashes of what has been warned of once */
    size_t seen_count;
    struct known_id *ids;          /* of elements, of all resources so far */
    const struct anchors *anchors; /* where links of narratives may lead; made when needed */
    struct trial *trials;          /* of targets against profiles: done, or under way */
};

/* A fault at NODE, whose line is that of AT (NULL: NODE's). CODE: issue-type. TEXT names no value
 * of the record; complain() makes such texts. Counts as failure while quiet. */
void fault(struct review *review, const struct fhirpath_node *node, const yyjson_val *at,
           enum severity severity, const char *code, struct slice rule, const char *text);
const char *tell(struct review *review, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NODE against a profile's root. */
void profile_walk(struct review *review, const struct profile *profile,
                  const struct fhirpath_node *node);

/* NODE against one element of a profile: its value, and what is below it. */
void walk_element(struct review *review, const struct profile *profile,
                  const struct rule_element *rule, const struct fhirpath_node *node);

/* Does NODE conform to the profile, base rules left aside? Reports nothing. */
bool profile_fits(struct review *review, const struct profile *profile,
                  const struct fhirpath_node *node);

/* Which of RULE's slices NODE belongs to; NULL: none. */
const struct rule_element *slice_find(struct review *review, const struct rule_element *rule,
                                      const struct fhirpath_node *node);

/* A value of the member ELEMENT of PARENT as a node; a resource has its own type. */
struct fhirpath_node node_child(const struct definitions *definitions,
                                const struct fhirpath_node *parent,
                                const struct element_row *element, yyjson_val *value,
                                yyjson_val *sibling, size_t index);

/* The values of the member STEM of NODE (all types of a choice, primitives without value too) one
 * by one, until VISIT answers false: then false. The nodes live only during the call. */
typedef bool node_visit(void *context, const struct fhirpath_node *node);
bool node_each(const struct definitions *definitions, const struct fhirpath_node *node,
               struct slice stem, node_visit *visit, void *context);

/* Equal as fixed[x] asks; as pattern[x] asks. */
bool value_is_fixed(yyjson_val *fixed, yyjson_val *value);
bool value_has_pattern(yyjson_val *pattern, yyjson_val *value);

/* Is the time over? The fault is told once. Looks at the clock now and then: each look costs as
 * much as a quick rule. */
bool is_late(struct review *review, const struct fhirpath_node *node);

/* Was TEXT asked about before? It has been from now on, unless only something is found out. */
bool seen_before(struct review *review, struct slice text);

/* OWNER: whose definition has the constraints; its resource is %resource. */
void check_constraints(struct review *review, const struct constraint *constraints,
                       const struct fhirpath_node *node, const struct fhirpath_node *owner);
void check_bound(struct review *review, const struct binding *binding,
                 const struct fhirpath_node *node);
void check_coding(struct review *review, const struct fhirpath_node *node);
void check_quantity_unit(struct review *review, const struct fhirpath_node *node);
void check_extension_use(struct review *review, const struct fhirpath_node *node, bool modifier);
void check_attachment(struct review *review, const struct fhirpath_node *node);

/* The resource that NODE belongs to (itself, when it is one); that which contains it, when it is
 * contained; and the Bundle entry it stands in, or NULL. */
const struct fhirpath_node *node_own_resource(const struct fhirpath_node *node);
const struct fhirpath_node *node_container(const struct definitions *definitions,
                                           const struct fhirpath_node *node);
const struct fhirpath_node *node_entry(const struct definitions *definitions,
                                       const struct fhirpath_node *node);

/* What the reference TEXT at FROM reaches; *RET_NODE lives in ARENA's next mark. TYPE: only its
 * type is known, the node has no value. */
enum reach { REACH_NONE, REACH_TYPE, REACH_CONTAINED, REACH_BUNDLED, REACH_OUTSIDE };
enum reach reference_reach(struct review *review, const struct fhirpath_node *from,
                           struct slice text, struct fhirpath_node *ret_node);

/* A Reference or canonical against the targets that a profile's element allows. */
void check_targets(struct review *review, const struct rule_element *rule,
                   const struct fhirpath_node *node);

/* A Reference to another entry of a Bundle: is that what the reference and its element say? */
void check_bundled(struct review *review, const struct fhirpath_node *node);

/* A Reference leads to something in the document (follow_references). */
void check_followed(struct review *review, const struct fhirpath_node *node);

/* The profile of the vital sign that an Observation is of; empty: of none. */
struct slice vital_sign_profile(yyjson_val *observation);

/* The resource type of a profile or of a base type's url; empty when it is not known. */
struct slice profile_type(struct review *review, struct slice canonical);

/* csd-1 (R4 codesystem.html): asked of every resource of that type. */
void check_codes_unique(struct review *review, const struct fhirpath_node *node);

/* dom-3: each contained resource is named by a reference, or names its container. */
void check_contained_used(struct review *review, const struct fhirpath_node *node);

/* Links of a resource's narrative lead somewhere. */
void check_narrative_links(struct review *review, const struct fhirpath_node *node);

/* Sets up what FHIRPath may ask of us. */
void host_init(struct review *review);

#endif
