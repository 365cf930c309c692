/* SPDX-License-Identifier: MIT */
/* A profile's rules asked of a value: one pass over its members, in which only those are looked at
 * of which something is asked. What the base asks has been asked already. */
#include "ucum/ucum.h"
#include "validate/profile_int.h"

#define COUNTS_FEW 32 /* slices whose counts need no memory */

static struct slice name_of(const struct rule_element *rule)
{
    return rule->id.length > 0 ? rule->id : rule->stem;
}

static bool given_up(const struct review *review)
{
    return review->quiet > 0 && review->failed;
}

/* ---- a value ----------------------------------------------------------------------------------
 */

static const struct allowed_type *allowed_for(const struct rule_element *rule,
                                              const struct fhirpath_node *node,
                                              const struct element_tables *tables)
{
    struct slice name = table_text(tables, node->type->name);
    for (size_t i = 0; i < rule->type_count; i++) {
        const struct allowed_type *type = &rule->types[i];
        if (type->row == node->type || slice_equals(type->code, name) ||
            (type->row != NULL && type->row->kind == TYPE_ABSTRACT) ||
            (node->type->kind == TYPE_BACKBONE)) {
            return type;
        }
    }
    return NULL;
}

/* An extension is checked against its definition wherever it stands: not twice. */
static bool is_own_definition(const struct fhirpath_node *node, struct slice canonical)
{
    return node->type->fhir_type == FHIR_TYPE_EXTENSION &&
           slice_equals(json_get_string(node->value, "url"),
                        slice_head(canonical, slice_index(canonical, '|')));
}

static bool declares_own(const struct fhirpath_node *node, struct slice canonical)
{
    size_t i, max;
    yyjson_val *declared;
    yyjson_arr_foreach(json_get(json_get(node->value, "meta"), "profile"), i, max, declared)
    {
        if (slice_equals(json_string(declared), canonical)) {
            return node->type->kind == TYPE_RESOURCE;
        }
    }
    return false;
}

/* Whether the value conforms cannot be told: who judges a record must not say that it does. */
static void report_unknown(struct review *review, const struct rule_element *rule,
                           const struct fhirpath_node *node)
{
    if (review->quiet > 0 || node->type->kind != TYPE_RESOURCE) {
        return;
    }
    fault(review, node, NULL, review->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING,
          "not-found", SLICE("profile-unknown"),
          tell(review,
               "%.*s must conform to a profile that is not loaded, so nothing was checked against "
               "it: load its package.",
               SLICE_ARGS(name_of(rule))));
}

static void check_type_profiles(struct review *review, const struct rule_element *rule,
                                const struct allowed_type *type, const struct fhirpath_node *node)
{
    const struct profile *known = NULL;
    size_t known_count = 0;
    for (size_t i = 0; i < type->profile_count; i++) {
        if (is_own_definition(node, type->profiles[i])) {
            return;
        }
        const struct profile *profile = profile_find(review->validator, type->profiles[i]);
        if (profile != NULL && review->quiet == 0 && declares_own(node, type->profiles[i])) {
            return;
        }
        if (profile != NULL) {
            known = profile;
            known_count++;
        }
    }
    if (known_count == 0) {
        report_unknown(review, rule, node);
        return;
    }
    if (known_count == 1 && type->profile_count == 1) {
        profile_walk(review, known, node);
        return;
    }
    for (size_t i = 0; i < type->profile_count; i++) {
        const struct profile *profile = profile_find(review->validator, type->profiles[i]);
        if (profile == NULL || profile_fits(review, profile, node)) {
            return;
        }
    }
    fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("type-profile"),
          tell(review, "%.*s must conform to one of the profiles that are allowed for it.",
               SLICE_ARGS(name_of(rule))));
}

static void check_types(struct review *review, const struct rule_element *rule,
                        const struct fhirpath_node *node)
{
    const struct allowed_type *type = allowed_for(rule, node, review->tables);
    if (type == NULL) {
        if (rule->type_count > 0) {
            fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("type"),
                  tell(review, "A value of this type may not stand in %.*s.",
                       SLICE_ARGS(name_of(rule))));
        }
        return;
    }
    if (type->profile_count > 0) {
        check_type_profiles(review, rule, type, node);
    }
    if (type->target_count > 0 || rule->aggregation != 0) {
        check_targets(review, rule, node);
    }
}

/* Quantities of one unit, or of units of UCUM that convert. */
static int compare_quantities(yyjson_val *value, yyjson_val *limit)
{
    struct decimal a, b;
    int order;
    struct slice left = json_get_string(value, "code"), right = json_get_string(limit, "code");
    struct slice system = json_get_string(value, "system");
    if (!decimal_parse(json_number(json_get(value, "value")), &a) ||
        !decimal_parse(json_number(json_get(limit, "value")), &b) ||
        !slice_equals(system, json_get_string(limit, "system"))) {
        return 2;
    }
    if (slice_equals(left, right) &&
        (left.length > 0 ||
         slice_equals(json_get_string(value, "unit"), json_get_string(limit, "unit")))) {
        return decimal_compare(a, b);
    }
    return slice_is(system, UCUM_SYSTEM) &&
                   ucum_compare(a, left, b, right, NULL, &order) == STATUS_OK
               ? order
               : 2;
}

/* Negative, 0, positive as they are in order; 2: they cannot be compared. */
static int compare_values(const struct fhirpath_node *node, yyjson_val *limit)
{
    if (yyjson_is_obj(node->value)) {
        int order = compare_quantities(node->value, limit);
        return order == 2 ? 2 : (order > 0) - (order < 0);
    }
    struct slice left = json_number(node->value), right = json_number(limit);
    if (left.length > 0 && right.length > 0) {
        struct decimal a, b;
        return decimal_parse(left, &a) && decimal_parse(right, &b)
                   ? (decimal_compare(a, b) > 0) - (decimal_compare(a, b) < 0)
                   : 2;
    }
    struct partial_date a, b;
    enum date_form form =
        node->type->fhir_type == FHIR_TYPE_TIME ? DATE_FORM_TIME : DATE_FORM_DATETIME;
    if (!date_parse(json_string(node->value), form, &a) ||
        !date_parse(json_string(limit), form, &b)) {
        return 2;
    }
    int64_t a_low, a_high, b_low, b_high;
    date_range(&a, &a_low, &a_high);
    date_range(&b, &b_low, &b_high);
    return a_high <= b_low ? -1 : a_low >= b_high ? 1 : 0;
}

static size_t characters(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += ((uint8_t)text.at[i] & 0xC0) != 0x80;
    }
    return count;
}

static void check_limits(struct review *review, const struct rule_element *rule,
                         const struct fhirpath_node *node)
{
    if (rule->longest > 0 && characters(json_string(node->value)) > rule->longest) {
        fault(review, node, NULL, SEVERITY_ERROR, "too-long", SLICE("length"),
              tell(review, "%.*s has at most %u characters.", SLICE_ARGS(name_of(rule)),
                   rule->longest));
    }
    /* Of quantities the validators that senders have tried before let it pass: told, not refused.
     */
    enum severity severity = yyjson_is_obj(node->value) ? SEVERITY_WARNING : SEVERITY_ERROR;
    if (rule->least != NULL && compare_values(node, rule->least) == -1) {
        fault(review, node, NULL, severity, "invalid", SLICE("least"),
              tell(review, "%.*s lies below the least value that is allowed.",
                   SLICE_ARGS(name_of(rule))));
    }
    if (rule->greatest != NULL && compare_values(node, rule->greatest) == 1) {
        fault(review, node, NULL, severity, "invalid", SLICE("greatest"),
              tell(review, "%.*s lies above the greatest value that is allowed.",
                   SLICE_ARGS(name_of(rule))));
    }
}

/* What a profile fixes is its own text, so the message may repeat it. */
static void check_fixed(struct review *review, const struct rule_element *rule,
                        const struct fhirpath_node *node)
{
    if (rule->fixed != NULL && !value_is_fixed(rule->fixed, node->value)) {
        struct slice text = json_string(rule->fixed);
        fault(review, node, NULL, SEVERITY_ERROR, "value", SLICE("fixed"),
              text.length > 0
                  ? tell(review, "%.*s must be \"%.*s\".", SLICE_ARGS(name_of(rule)),
                         SLICE_ARGS(text))
                  : tell(review, "%.*s must have exactly the value that its profile fixes.",
                         SLICE_ARGS(name_of(rule))));
    }
    if (rule->pattern != NULL && !value_has_pattern(rule->pattern, node->value)) {
        fault(review, node, NULL, SEVERITY_ERROR, "value", SLICE("pattern"),
              tell(review, "%.*s must hold what the pattern of its profile asks.",
                   SLICE_ARGS(name_of(rule))));
    }
}

/* ---- members ----------------------------------------------------------------------------------
 */

struct member_walk {
    struct review *review;
    const struct profile *profile;
    const struct rule_element *rule;
    const struct rule_element *last; /* slice of the value before */
    uint32_t *counts;                /* of values in each slice, by its number */
    uint32_t total;
    bool unmatched; /* a value of no slice has been met */
};

static void check_order(struct member_walk *walk, const struct rule_element *slice,
                        const struct fhirpath_node *node)
{
    if (walk->rule->ordered && walk->last != NULL && slice != walk->last) {
        for (const struct rule_element *each = slice->next; each != NULL; each = each->next) {
            if (each == walk->last) {
                fault(walk->review, node, NULL, SEVERITY_ERROR, "invalid", SLICE("slice-order"),
                      tell(walk->review, "The slices of %.*s stand in the order of the profile.",
                           SLICE_ARGS(name_of(walk->rule))));
            }
        }
    }
    if (walk->rule->rules == SLICING_OPEN_AT_END && walk->unmatched) {
        fault(walk->review, node, NULL, SEVERITY_ERROR, "invalid", SLICE("slice-order"),
              tell(walk->review, "Values of no slice of %.*s stand behind all others.",
                   SLICE_ARGS(name_of(walk->rule))));
    }
    walk->last = slice;
}

/* Finds the slice, and within it the slice of the slice. */
static const struct rule_element *sort_into(struct member_walk *walk,
                                            const struct fhirpath_node *node)
{
    const struct rule_element *rule = walk->rule;
    while (rule->slices != NULL) {
        const struct rule_element *slice = slice_find(walk->review, rule, node);
        if (slice == NULL) {
            if (rule->rules == SLICING_CLOSED && rule->sliced) {
                fault(walk->review, node, NULL, SEVERITY_ERROR, "invalid", SLICE("slice-closed"),
                      tell(walk->review,
                           "This value is none of those that the profile allows in %.*s.",
                           SLICE_ARGS(name_of(rule))));
            }
            walk->unmatched = walk->unmatched || rule == walk->rule;
            break;
        }
        if (rule == walk->rule) {
            check_order(walk, slice, node);
        }
        walk->counts[slice->number]++;
        rule = slice;
    }
    return rule;
}

static bool walk_one(void *context, const struct fhirpath_node *node)
{
    struct member_walk *walk = context;
    walk->total++;
    if (is_late(walk->review, node)) {
        return false;
    }
    walk_element(walk->review, walk->profile, sort_into(walk, node), node);
    return !given_up(walk->review);
}

static void check_count(struct review *review, const struct profile *profile,
                        const struct rule_element *rule, const struct fhirpath_node *node,
                        uint32_t count)
{
    bool slice = rule->slice.length > 0;
    if (count < rule->min && (rule->own_min || slice)) {
        fault(review, node, NULL, SEVERITY_ERROR, slice ? "structure" : "required",
              slice ? SLICE("slice-min") : SLICE("min"),
              tell(review, "%.*s is needed %s%u time%s by the profile %.*s.",
                   SLICE_ARGS(name_of(rule)), rule->max == rule->min ? "" : "at least ", rule->min,
                   rule->min == 1 ? "" : "s", SLICE_ARGS(profile->url)));
    }
    if (count > rule->max && rule->own_max) {
        fault(review, node, NULL, SEVERITY_ERROR, "structure",
              slice ? SLICE("slice-max") : SLICE("max"),
              rule->max == 0
                  ? tell(review, "%.*s may not stand here by the profile %.*s.",
                         SLICE_ARGS(name_of(rule)), SLICE_ARGS(profile->url))
                  : tell(review, "%.*s may stand here at most %u time%s.",
                         SLICE_ARGS(name_of(rule)), rule->max, rule->max == 1 ? "" : "s"));
    }
    if (count == 0 && rule->must_support && review->options->must_support && rule->max > 0) {
        fault(review, node, NULL, SEVERITY_INFORMATION, "informational", SLICE("must-support"),
              tell(review,
                   "%.*s is an element that systems of the profile %.*s must support, and "
                   "is not there.",
                   SLICE_ARGS(name_of(rule)), SLICE_ARGS(profile->url)));
    }
}

static void check_slice_counts(struct member_walk *walk, const struct rule_element *rule,
                               const struct fhirpath_node *node)
{
    for (const struct rule_element *each = rule->slices; each != NULL; each = each->next) {
        uint32_t count = walk->counts[each->number];
        check_count(walk->review, walk->profile, each, node, count);
        if (count > 0) {
            check_slice_counts(walk, each, node);
        }
    }
}

static void check_counts(struct member_walk *walk, const struct fhirpath_node *node)
{
    check_count(walk->review, walk->profile, walk->rule, node, walk->total);
    check_slice_counts(walk, walk->rule, node);
}

static void walk_member(struct review *review, const struct profile *profile,
                        const struct rule_element *rule, const struct fhirpath_node *node)
{
    struct member_walk walk = {.review = review, .profile = profile, .rule = rule};
    uint32_t few[COUNTS_FEW] = {0};
    walk.counts = few;
    if (rule->slice_total > COUNTS_FEW) {
        walk.counts = arena_array(review->arena, rule->slice_total, sizeof *walk.counts);
        if (walk.counts == NULL) {
            return; /* the arena is full, and so the record is refused */
        }
    }
    (void)node_each(review->definitions, node, rule->stem, walk_one, &walk);
    if (!given_up(review) && !review->late) {
        check_counts(&walk, node);
    }
}

/* ---- elements ---------------------------------------------------------------------------------
 */

void walk_element(struct review *review, const struct profile *profile,
                  const struct rule_element *rule, const struct fhirpath_node *node)
{
    if (!rule->asks) {
        return;
    }
    if (rule->own_types) {
        check_types(review, rule, node);
    }
    bool valued = node->value != NULL; /* else an extension says why there is no value */
    if (valued && (rule->fixed != NULL || rule->pattern != NULL)) {
        check_fixed(review, rule, node);
    }
    if (valued) {
        check_limits(review, rule, node);
    }
    if (rule->binding.strength != STRENGTH_NONE) {
        check_bound(review, &rule->binding, node);
    }
    for (const struct rule_element *each = rule->children; each != NULL && !given_up(review);
         each = each->next) {
        if (each->asks) {
            walk_member(review, profile, each, node);
        }
    }
    check_constraints(review, rule->constraints, node, rule->row == NULL ? node : node->parent);
}

void profile_walk(struct review *review, const struct profile *profile,
                  const struct fhirpath_node *node)
{
    if (review->depth > 64 ||
        (profile->type != node->type && profile->type->kind != TYPE_ABSTRACT &&
         node->type->kind == TYPE_RESOURCE)) {
        if (review->depth <= 64) {
            fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("profile-type"),
                  tell(review, "The profile %.*s is for another type.", SLICE_ARGS(profile->url)));
        }
        return;
    }
    review->depth++;
    walk_element(review, profile, profile->root, node);
    review->depth--;
}

bool profile_fits(struct review *review, const struct profile *profile,
                  const struct fhirpath_node *node)
{
    for (const struct trial *each = review->trials; each != NULL; each = each->next) {
        if (each->profile == profile && each->value == node->value) {
            return each->fits;
        }
    }
    struct trial *trial = ARENA_NEW(review->arena, struct trial);
    if (trial == NULL) {
        return true;
    }
    *trial = (struct trial){profile, node->value, true, review->trials};
    review->trials = trial;
    bool before = review->failed;
    review->failed = false;
    review->quiet++;
    profile_walk(review, profile, node);
    review->quiet--;
    trial->fits = !review->failed;
    review->failed = before;
    return trial->fits;
}
