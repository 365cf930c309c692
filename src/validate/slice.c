/* SPDX-License-Identifier: MIT */
/* Which slice a value belongs to (R4 profiling.html "Slicing", "Discriminator"). A discriminator's
 * path is followed on both sides at once: through the slice's rules and through the value. */
#include "validate/profile_int.h"

/* Where a path has got to on the side of the rules. */
struct place {
    const struct rule_element *rule;      /* NULL: nothing is said here */
    yyjson_val *expected;                 /* part of a fixed value or pattern higher up; or NULL */
    bool exact;                           /* it is of a fixed value */
    const struct rule_element *reference; /* behind resolve(): whose targets are meant */
};

struct search {
    struct review *review;
    enum discriminator_kind kind;
    struct slice path; /* what is left of it */
    struct place place;
    unsigned steps; /* of the path that are open: a path may lead round in circles */
    bool found;     /* some value was met */
    bool fits;
};

#define STEPS_MOST 64u

static bool follow(struct search *search, const struct fhirpath_node *node);

static struct slice bare(struct slice canonical)
{
    return slice_head(canonical, slice_index(canonical, '|'));
}

/* ---- at the end of the path -------------------------------------------------------------------
 */

static bool quiet_walk(struct review *review, const struct rule_element *rule,
                       const struct fhirpath_node *node)
{
    static const struct profile nameless = {.url = {"", 0}};
    bool before = review->failed;
    review->failed = false;
    review->quiet++;
    walk_element(review, &nameless, rule, node);
    review->quiet--;
    bool fits = !review->failed;
    review->failed = before;
    return fits;
}

static bool value_fits(struct search *search, const struct fhirpath_node *node)
{
    const struct place *place = &search->place;
    if (place->expected != NULL) {
        return place->exact ? value_is_fixed(place->expected, node->value)
                            : value_has_pattern(place->expected, node->value);
    }
    const struct rule_element *rule = place->rule;
    if (rule == NULL) {
        return false; /* the slice does not say what tells it apart */
    }
    if (rule->fixed != NULL) {
        return value_is_fixed(rule->fixed, node->value);
    }
    if (rule->pattern != NULL) {
        return value_has_pattern(rule->pattern, node->value);
    }
    return quiet_walk(search->review, rule, node);
}

static bool is_type(const struct search *search, struct slice code,
                    const struct fhirpath_node *node)
{
    const struct element_tables *tables = search->review->tables;
    struct slice name = table_text(tables, node->type->name);
    bool resource = node->type->kind == TYPE_RESOURCE;
    bool backbone = node->type->kind == TYPE_BACKBONE &&
                    (slice_is(code, "BackboneElement") || slice_is(code, "Element"));
    return slice_equals(code, name) || backbone ||
           (resource && (slice_is(code, "Resource") || slice_is(code, "DomainResource")));
}

static bool type_fits(struct search *search, const struct fhirpath_node *node)
{
    const struct rule_element *rule = search->place.rule;
    if (search->place.reference != NULL) {
        rule = search->place.reference;
        for (size_t i = 0; i < rule->type_count; i++) {
            for (size_t j = 0; j < rule->types[i].target_count; j++) {
                if (is_type(search, profile_type(search->review, rule->types[i].targets[j]),
                            node)) {
                    return true;
                }
            }
        }
        return false;
    }
    for (size_t i = 0; rule != NULL && i < rule->type_count; i++) {
        if (is_type(search, rule->types[i].code, node)) {
            return true;
        }
    }
    return false;
}

static bool list_fits(struct search *search, const struct slice *profiles, size_t count,
                      const struct fhirpath_node *node)
{
    for (size_t i = 0; i < count; i++) {
        const struct profile *profile = profile_find(search->review->validator, profiles[i]);
        if (profile != NULL && profile->type == node->type &&
            (node->value == NULL || profile_fits(search->review, profile, node))) {
            return true;
        }
    }
    return false;
}

static bool profiles_fit(struct search *search, const struct fhirpath_node *node)
{
    const struct rule_element *rule =
        search->place.reference != NULL ? search->place.reference : search->place.rule;
    for (size_t i = 0; rule != NULL && i < rule->type_count; i++) {
        const struct allowed_type *type = &rule->types[i];
        bool behind = search->place.reference != NULL;
        if (list_fits(search, behind ? type->targets : type->profiles,
                      behind ? type->target_count : type->profile_count, node)) {
            return true;
        }
    }
    return false;
}

/* False stops: one value that fits is enough. */
static bool arrive(struct search *search, const struct fhirpath_node *node)
{
    search->found = true;
    switch (search->kind) {
    case DISCRIMINATE_TYPE:
        search->fits = type_fits(search, node);
        break;
    case DISCRIMINATE_PROFILE:
        search->fits = profiles_fit(search, node);
        break;
    case DISCRIMINATE_EXISTS:
        search->fits = true;
        break;
    case DISCRIMINATE_VALUE:
        search->fits = value_fits(search, node);
        break;
    }
    return !search->fits;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

/* The root of the one profile on a rule's type, where what it says goes on. */
static const struct rule_element *profile_root(struct review *review,
                                               const struct rule_element *rule)
{
    if (rule->type_count != 1 || rule->types[0].profile_count != 1) {
        return NULL;
    }
    const struct profile *profile = profile_find(review->validator, rule->types[0].profiles[0]);
    return profile != NULL ? profile->root : NULL;
}

/* An element of which a slice must be there: that says more. bp tells its components by
 * code.coding.code, and says that code of the slice SBPCode of coding. */
static const struct rule_element *telling(const struct rule_element *rule)
{
    const struct rule_element *slice = rule->slices;
    if (slice != NULL && (rule->row->flags & ELEMENT_CHOICE) != 0) {
        return slice->next == NULL && (slice->min > 0 || !rule->asks) ? slice : rule;
    }
    while (slice != NULL && slice->min == 0) {
        slice = slice->next;
    }
    return slice != NULL ? slice : rule;
}

static const struct rule_element *member_rule(const struct rule_element *rule, struct slice stem)
{
    const struct rule_element *each = rule->children;
    while (each != NULL && !slice_equals(each->stem, stem)) {
        each = each->next;
    }
    return each;
}

static const struct rule_element *child_rule(const struct rule_element *rule, struct slice stem)
{
    const struct rule_element *member = member_rule(rule, stem);
    return member != NULL ? telling(member) : NULL;
}

static struct place step_down(struct review *review, const struct place *from, struct slice name)
{
    struct place to = {.rule = NULL};
    const struct rule_element *rule = from->rule;
    yyjson_val *fixed = from->expected;
    to.exact = from->exact;
    if (fixed == NULL && rule != NULL && (rule->fixed != NULL || rule->pattern != NULL)) {
        fixed = rule->fixed != NULL ? rule->fixed : rule->pattern;
        to.exact = rule->fixed != NULL;
    }
    if (yyjson_is_arr(fixed)) {
        fixed = yyjson_arr_get_first(fixed);
    }
    to.expected = fixed != NULL ? yyjson_obj_getn(fixed, name.at, name.length) : NULL;
    if (from->reference != NULL) {
        const struct rule_element *reference = from->reference;
        for (size_t i = 0; i < reference->type_count && rule == NULL; i++) {
            for (size_t j = 0; j < reference->types[i].target_count && rule == NULL; j++) {
                const struct profile *profile =
                    profile_find(review->validator, reference->types[i].targets[j]);
                rule = profile != NULL ? profile->root : NULL;
            }
        }
    }
    if (rule != NULL) {
        to.rule = child_rule(rule, name);
        const struct rule_element *root =
            to.rule == NULL || !to.rule->asks ? profile_root(review, rule) : NULL;
        if (root != NULL && child_rule(root, name) != NULL) {
            to.rule = child_rule(root, name);
        }
    }
    return to;
}

static bool visit_step(void *context, const struct fhirpath_node *node)
{
    return follow(context, node);
}

struct extension_step {
    struct search *search;
    struct slice url;
};

static bool visit_extension(void *context, const struct fhirpath_node *node)
{
    struct extension_step *step = context;
    return !slice_equals(json_get_string(node->value, "url"), step->url) ||
           follow(step->search, node);
}

static bool follow_extension(struct search *search, const struct fhirpath_node *node,
                             struct slice url)
{
    struct extension_step step = {search, url};
    struct place before = search->place;
    const struct rule_element *rule =
        before.rule != NULL ? member_rule(before.rule, SLICE("extension")) : NULL;
    search->place = (struct place){.rule = NULL};
    for (const struct rule_element *each = rule != NULL ? rule->slices : NULL; each != NULL;
         each = each->next) {
        const struct rule_element *own = child_rule(each, SLICE("url"));
        struct slice named = own != NULL && own->fixed != NULL ? json_string(own->fixed)
                             : each->type_count == 1 && each->types[0].profile_count == 1
                                 ? bare(each->types[0].profiles[0])
                                 : (struct slice){NULL, 0};
        if (slice_equals(named, url)) {
            search->place.rule = each;
        }
    }
    bool more =
        node_each(search->review->definitions, node, SLICE("extension"), visit_extension, &step);
    search->place = before;
    return more;
}

static bool follow_reference(struct search *search, const struct fhirpath_node *node)
{
    struct fhirpath_node target;
    struct place before = search->place;
    struct slice text = yyjson_is_obj(node->value) ? json_get_string(node->value, "reference")
                                                   : json_string(node->value);
    if (text.length == 0 || reference_reach(search->review, node, text, &target) == REACH_NONE) {
        return true;
    }
    search->place = (struct place){.reference = before.rule};
    bool more = follow(search, &target);
    search->place = before;
    return more;
}

/* ofType(X): the choice in that type only. */
static bool follow_type(struct search *search, const struct fhirpath_node *node, struct slice type)
{
    struct slice name = table_text(search->review->tables, node->type->name);
    struct place before = search->place;
    if (!slice_equals(name, type)) {
        return true;
    }
    for (const struct rule_element *each = before.rule != NULL ? before.rule->slices : NULL;
         each != NULL; each = each->next) {
        if (each->type_count == 1 && slice_equals(each->types[0].code, type)) {
            search->place.rule = each;
        }
    }
    bool more = follow(search, node);
    search->place = before;
    return more;
}

/* Cuts the first step off the path: its name and, of a function, what stands in its parentheses. */
static struct slice cut_step(struct slice *path, struct slice *ret_argument)
{
    size_t end = 0, open = path->length;
    unsigned depth = 0;
    for (; end < path->length && (depth > 0 || path->at[end] != '.'); end++) {
        if (path->at[end] == '(') {
            open = depth++ == 0 ? end : open;
        } else if (path->at[end] == ')' && depth > 0) {
            depth--;
        }
    }
    struct slice step = slice_head(*path, end);
    *path = slice_from(*path, end + (end < path->length));
    *ret_argument = (struct slice){NULL, 0};
    if (open < step.length) {
        struct slice inner = slice_from(step, open + 1);
        inner.length -= slice_ends(inner, SLICE(")")) ? 1 : 0;
        *ret_argument = slice_trim(inner);
        step = slice_head(step, open);
    }
    return step;
}

static struct slice unquoted(struct slice text)
{
    bool quoted = text.length >= 2 && (text.at[0] == '\'' || text.at[0] == '"');
    return quoted ? slice_of(text.at + 1, text.length - 2) : text;
}

static bool follow(struct search *search, const struct fhirpath_node *node)
{
    struct slice before = search->path, argument, step = SLICE("$this");
    bool more;
    while (slice_is(step, "$this") && search->path.length > 0) {
        step = cut_step(&search->path, &argument);
    }
    if (slice_is(step, "$this")) {
        more = arrive(search, node);
        search->path = before;
        return more;
    }
    if (search->steps == STEPS_MOST) {
        search->path = before;
        return true;
    }
    search->steps++;
    if (slice_is(step, "resolve")) {
        more = follow_reference(search, node);
    } else if (slice_is(step, "extension") && argument.length > 0) {
        more = follow_extension(search, node, unquoted(argument));
    } else if (slice_is(step, "ofType")) {
        more = follow_type(search, node, argument);
    } else {
        struct place place = search->place;
        search->place = step_down(search->review, &place, step);
        more = node_each(search->review->definitions, node, step, visit_step, search);
        search->place = place;
    }
    search->steps--;
    search->path = before;
    return more;
}

/* ---- slices -----------------------------------------------------------------------------------
 */

/* An extension that a slice names by its definition only. */
static bool is_named_extension(const struct rule_element *slice, const struct fhirpath_node *node,
                               bool *ret_known)
{
    *ret_known = slice->row->fhir_type == FHIR_TYPE_EXTENSION && slice->type_count == 1 &&
                 slice->types[0].profile_count == 1;
    return *ret_known &&
           slice_equals(json_get_string(node->value, "url"), bare(slice->types[0].profiles[0]));
}

/* The slice's rule at the end of the path; NULL: it says nothing there. */
static const struct rule_element *rule_at(struct search *search, struct slice path)
{
    struct place place = search->place;
    while (path.length > 0) {
        struct slice argument;
        struct slice step = cut_step(&path, &argument);
        if (!slice_is(step, "$this")) {
            place = step_down(search->review, &place, step);
        }
    }
    return place.expected == NULL ? place.rule : NULL;
}

/* exists: what the slice says of the number of values there. */
static bool exists_fits(struct search *search, struct slice path, bool found)
{
    const struct rule_element *rule = rule_at(search, path);
    if (rule == NULL) {
        return found;
    }
    return found ? rule->max > 0 : rule->min == 0;
}

/* Nothing stands at the path: that is as the slice has it when it asks for nothing there. */
static bool absence_fits(struct search *search, struct slice path)
{
    bool reference = path.length > 0 && memmem(path.at, path.length, "resolve()", 9) != NULL;
    const struct rule_element *rule = reference ? NULL : rule_at(search, path);
    return rule != NULL && rule->min == 0 && (!rule->asks || rule->max == 0);
}

static bool discriminator_fits(struct review *review, const struct discriminator *discriminator,
                               const struct rule_element *slice, const struct fhirpath_node *node)
{
    struct search search = {.review = review,
                            .kind = discriminator->kind,
                            .path = discriminator->path,
                            .place = {.rule = slice}};
    bool known;
    if (slice_is(discriminator->path, "url")) {
        bool named = is_named_extension(slice, node, &known);
        if (known) {
            return named;
        }
    }
    (void)follow(&search, node);
    if (discriminator->kind == DISCRIMINATE_EXISTS) {
        return exists_fits(&search, discriminator->path, search.found);
    }
    return search.found ? search.fits : absence_fits(&search, discriminator->path);
}

const struct rule_element *slice_find(struct review *review, const struct rule_element *rule,
                                      const struct fhirpath_node *node)
{
    for (const struct rule_element *each = rule->slices; each != NULL; each = each->next) {
        bool fits = true;
        for (size_t i = 0; i < rule->discriminator_count && fits; i++) {
            fits = discriminator_fits(review, &rule->discriminators[i], each, node);
        }
        if (rule->discriminator_count == 0) {
            fits = quiet_walk(review, each, node);
        }
        if (fits) {
            return each;
        }
    }
    return NULL;
}
