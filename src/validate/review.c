/* SPDX-License-Identifier: MIT */
/* Full validation of a resource whose structure has been checked: one walk that asks the base rules
 * of everything it meets, resources within included, and then each profile in turn. */
#include "validate/profile_int.h"

#define DEPTH_LIMIT 128u

/* What rules may take: those on all elements of a large value set or questionnaire need more than a
 * request is given for its size. */
#define REVIEW_BYTES ((size_t)64 << 20)

static void review_object(struct review *review, const struct fhirpath_node *node);
static void review_whole(struct review *review, const struct fhirpath_node *node);

/* ---- profiles of a resource -------------------------------------------------------------------
 */

static void check_profile(struct review *review, const struct fhirpath_node *node,
                          const struct profile *profile, const yyjson_val *at)
{
    if (profile->type != node->type && profile->type->kind != TYPE_ABSTRACT) {
        fault(review, node, at, SEVERITY_ERROR, "structure", SLICE("profile-type"),
              tell(review, "The profile %.*s is for resources of another type.",
                   SLICE_ARGS(profile->url)));
        return;
    }
    profile_walk(review, profile, node);
}

static void check_declared(struct review *review, const struct fhirpath_node *node)
{
    size_t i, max;
    yyjson_val *declared;
    yyjson_arr_foreach(json_get(json_get(node->value, "meta"), "profile"), i, max, declared)
    {
        const struct profile *profile = profile_find(review->validator, json_string(declared));
        if (profile != NULL) {
            check_profile(review, node, profile, declared);
        } else {
            fault(review, node, declared, SEVERITY_WARNING, "not-found", SLICE("profile-unknown"),
                  "A profile that meta.profile names is not loaded, so nothing was checked against "
                  "it: load its package.");
        }
    }
}

/* Does meta.profile name just this profile, so that it has been asked already? */
static bool declares_this(struct review *review, const struct fhirpath_node *node,
                          const struct profile *profile)
{
    size_t i, max;
    yyjson_val *declared;
    yyjson_arr_foreach(json_get(json_get(node->value, "meta"), "profile"), i, max, declared)
    {
        if (profile_find(review->validator, json_string(declared)) == profile) {
            return true;
        }
    }
    return false;
}

static bool declares(const struct fhirpath_node *node, struct slice url)
{
    size_t i, max;
    yyjson_val *declared;
    yyjson_arr_foreach(json_get(json_get(node->value, "meta"), "profile"), i, max, declared)
    {
        struct slice own = json_string(declared);
        if (slice_equals(slice_head(own, slice_index(own, '|')), url)) {
            return true;
        }
    }
    return false;
}

static void check_policies(struct review *review, const struct fhirpath_node *node)
{
    for (const struct policy *each = review->validator->policies; each != NULL; each = each->next) {
        if (slice_equals(each->type, table_text(review->tables, node->type->name))) {
            if (!declares_this(review, node, each->profile)) {
                check_profile(review, node, each->profile, NULL);
            }
        }
    }
}

/* Those that the caller names are of the whole, not of what it holds. */
static void check_asked(struct review *review, const struct fhirpath_node *node)
{
    const struct validate_options *options = review->options;
    for (size_t i = 0; i < options->profile_count; i++) {
        const struct profile *profile = profile_find(review->validator, options->profiles[i]);
        if (profile == NULL) {
            fault(review, node, NULL, SEVERITY_ERROR, "not-found", SLICE("profile-unknown"),
                  tell(review, "The profile %.*s is not loaded: give its package with --package.",
                       SLICE_ARGS(options->profiles[i])));
        } else if (!declares(node, profile->url)) {
            check_profile(review, node, profile, NULL);
        }
    }
}

/* What the specification asks of an Observation by what it is of. */
static void check_vital_sign(struct review *review, const struct fhirpath_node *node)
{
    struct slice url = slice_is(table_text(review->tables, node->type->name), "Observation")
                           ? vital_sign_profile(node->value)
                           : (struct slice){NULL, 0};
    const struct profile *profile =
        url.length > 0 && !declares(node, url) ? profile_find(review->validator, url) : NULL;
    if (profile != NULL) {
        check_profile(review, node, profile, NULL);
    }
}

/* ---- one value --------------------------------------------------------------------------------
 */

static void check_period(struct review *review, const struct fhirpath_node *node)
{
    struct partial_date start, end;
    struct slice from = json_get_string(node->value, "start");
    struct slice to = json_get_string(node->value, "end");
    int64_t start_low, start_high, end_low, end_high;
    if (from.length == 0 || to.length == 0 || !date_parse(from, DATE_FORM_DATETIME, &start) ||
        !date_parse(to, DATE_FORM_DATETIME, &end)) {
        return;
    }
    date_range(&start, &start_low, &start_high);
    date_range(&end, &end_low, &end_high);
    bool alike = start.precision == end.precision ||
                 (start.precision >= PRECISION_SECOND && end.precision >= PRECISION_SECOND);
    bool surely = alike ? start_low <= end_low : start_high <= end_low;
    if (start_low >= end_high) { /* however the missing parts are read */
        fault(review, node, NULL, SEVERITY_ERROR, "invariant", SLICE("per-1"),
              "A period starts before it ends: correct start or end.");
    } else if (!surely && review->options->strict) { /* start <= end is empty, and so not true */
        fault(review, node, NULL, SEVERITY_ERROR, "invariant", SLICE("per-1"),
              "Whether this period starts before it ends cannot be told: write start and end to "
              "the same precision.");
    }
}

static void review_typed(struct review *review, const struct fhirpath_node *node)
{
    switch (node->type->fhir_type) {
    case FHIR_TYPE_EXTENSION:
        check_extension_use(review, node, (node->element->flags & ELEMENT_MODIFIER) != 0);
        break;
    case FHIR_TYPE_CODING:
        check_coding(review, node);
        break;
    case FHIR_TYPE_QUANTITY:
        check_quantity_unit(review, node);
        break;
    case FHIR_TYPE_PERIOD:
        check_period(review, node);
        break;
    case FHIR_TYPE_REFERENCE:
        check_bundled(review, node);
        if (review->options->follow_references) {
            check_followed(review, node);
        }
        break;
    case FHIR_TYPE_ATTACHMENT:
        check_attachment(review, node);
        break;
    default:
        break;
    }
}

/* What the definition of its element asks, beside its type. */
static void review_element(struct review *review, const struct fhirpath_node *node)
{
    const struct element_rules *rules = element_rules_of(review->validator, node->element);
    if (rules == NULL) {
        return;
    }
    if (!rules->binding.listed &&
        (rules->binding.strength >= STRENGTH_EXTENSIBLE || rules->binding.most.length > 0)) {
        check_bound(review, &rules->binding, node);
    }
    check_constraints(review, rules->constraints, node, node->parent);
    if (rules->profile.length > 0 && node->type->fhir_type == FHIR_TYPE_QUANTITY) {
        const struct profile *profile = profile_find(review->validator, rules->profile);
        if (profile != NULL) {
            profile_walk(review, profile, node);
        }
    }
}

/* R4 references.html#canonical: a canonical is an absolute URL, or names what is contained. */
static void check_canonical(struct review *review, const struct fhirpath_node *node)
{
    struct slice text = json_string(node->value);
    if (text.length > 0 && text.at[0] != '#' && slice_index(text, ':') == text.length) {
        fault(review, node, NULL, review->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING,
              "invalid", SLICE("canonical"),
              "A canonical is an absolute URL, or # and the id of a contained resource.");
    }
}

static void review_value(struct review *review, const struct fhirpath_node *node)
{
    const struct type_row *type = node->type;
    if (type->kind == TYPE_PRIMITIVE) {
        if (type->fhir_type == FHIR_TYPE_CANONICAL) {
            check_canonical(review, node);
        }
        review_element(review, node);
        return;
    }
    if (!yyjson_is_obj(node->value)) {
        return; /* structure has said so */
    }
    if (type->kind == TYPE_ABSTRACT || type->kind == TYPE_RESOURCE) {
        if (type->kind == TYPE_RESOURCE) {
            review_whole(review, node);
        }
        return;
    }
    review_object(review, node);
    review_typed(review, node);
    review_element(review, node);
}

/* ---- objects ----------------------------------------------------------------------------------
 */

/* The extensions of a primitive, which hang in its `_` sibling. */
static void review_sibling(struct review *review, const struct fhirpath_node *node)
{
    const struct element_row *element =
        type_find_element(review->tables, node->type, "extension", 9);
    size_t i, max;
    yyjson_val *extension;
    yyjson_arr_foreach(json_get(node->sibling, "extension"), i, max, extension)
    {
        struct fhirpath_node child = {.value = extension,
                                      .type = element_type_row(review->tables, element),
                                      .element = element,
                                      .parent = node,
                                      .index = (uint32_t)i};
        review_value(review, &child);
    }
}

static yyjson_val *member(yyjson_val *object, struct slice name)
{
    return yyjson_obj_getn(object, name.at, name.length);
}

/* "_name": what it adds to the values of "name", or says in their place. */
static void review_siblings(struct review *review, const struct fhirpath_node *node,
                            struct slice name, yyjson_val *sibling)
{
    const struct element_row *element =
        type_find_element(review->tables, node->type, name.at, name.length);
    if (element == NULL) {
        return;
    }
    struct fhirpath_node child = {
        .type = element_type_row(review->tables, element), .element = element, .parent = node};
    if (child.type->kind != TYPE_PRIMITIVE) {
        return;
    }
    yyjson_val *value = member(node->value, name);
    if (!yyjson_is_arr(sibling)) {
        child.value = value;
        child.sibling = sibling;
        review_sibling(review, &child);
        return;
    }
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(sibling, i, max, each)
    {
        yyjson_val *own = yyjson_arr_get(value, i);
        child.value = yyjson_is_null(own) ? NULL : own;
        child.sibling = each;
        child.index = (uint32_t)i;
        review_sibling(review, &child);
    }
}

/* The ids of elements are few, so a list does. */
static void check_id(struct review *review, const struct fhirpath_node *node, yyjson_val *id)
{
    const yyjson_val *resource = node_own_resource(node)->value;
    struct slice text = json_string(id);
    size_t looked = 0;
    if (slice_is(table_text(review->tables, node->type->name), "ElementDefinition")) {
        return; /* the snapshot and the differential name their elements alike */
    }
    for (const struct known_id *each = review->ids; each != NULL && looked < 2000;
         each = each->next, looked++) {
        if (each->resource == resource && slice_equals(each->id, text)) {
            fault(review, node, id, SEVERITY_ERROR, "business-rule", SLICE("element-id"),
                  "Another element of this resource has the same id: ids are for references, so "
                  "give each its own.");
            return;
        }
    }
    struct known_id *known = ARENA_NEW(review->arena, struct known_id);
    if (known != NULL) {
        *known = (struct known_id){resource, text, review->ids};
        review->ids = known;
    }
}

static void review_member(struct review *review, const struct fhirpath_node *node,
                          const struct element_row *element, yyjson_val *value)
{
    if (element_type_row(review->tables, element)->kind == TYPE_PRIMITIVE &&
        element->fhir_type != FHIR_TYPE_CANONICAL &&
        element_rules_of(review->validator, element) == NULL) {
        return;
    }
    if (!yyjson_is_arr(value)) {
        struct fhirpath_node child = node_child(review->definitions, node, element, value, NULL, 0);
        review_value(review, &child);
        return;
    }
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(value, i, max, item)
    {
        struct fhirpath_node child = node_child(review->definitions, node, element, item, NULL, i);
        if (!yyjson_is_null(item)) {
            review_value(review, &child);
        }
    }
}

static void review_object(struct review *review, const struct fhirpath_node *node)
{
    const struct type_rules *rules = rules_of(review->validator, node->type);
    size_t i, max;
    yyjson_val *key, *value;
    if (++review->depth > DEPTH_LIMIT) {
        review->depth--;
        return; /* structure has said so */
    }
    yyjson_obj_foreach(node->value, i, max, key, value)
    {
        const char *name = unsafe_yyjson_get_str(key);
        size_t length = unsafe_yyjson_get_len(key);
        const struct element_row *element =
            type_find_element(review->tables, node->type, name, length);
        if (element != NULL) {
            if (length == 2 && name[0] == 'i' && name[1] == 'd' &&
                node->type->kind != TYPE_RESOURCE) {
                check_id(review, node, value);
            }
            review_member(review, node, element, value);
        } else if (length > 1 && name[0] == '_') {
            review_siblings(review, node, slice_of(name + 1, length - 1), value);
        }
    }
    if (rules != NULL) {
        check_constraints(review, rules->constraints, node, node);
    }
    review->depth--;
}

/* ---- resources --------------------------------------------------------------------------------
 */

/* dom-3 to dom-6 (R4 domainresource.html), ref-1 is a matter of structure. */
static void check_domain(struct review *review, const struct fhirpath_node *node)
{
    yyjson_val *contained = json_get(node->value, "contained");
    size_t i, max;
    yyjson_val *each;
    if (type_find_element(review->tables, node->type, "contained", 9) == NULL) {
        return;
    }
    yyjson_arr_foreach(contained, i, max, each)
    {
        yyjson_val *meta = json_get(each, "meta");
        if (json_get(meta, "versionId") != NULL || json_get(meta, "lastUpdated") != NULL) {
            fault(review, node, meta, SEVERITY_ERROR, "invariant", SLICE("dom-4"),
                  "A contained resource has no version of its own: leave meta.versionId and "
                  "meta.lastUpdated out.");
        }
        if (json_get(meta, "security") != NULL) {
            fault(review, node, meta, SEVERITY_ERROR, "invariant", SLICE("dom-5"),
                  "A contained resource has no security label of its own: put the label on the "
                  "resource around it.");
        }
    }
    if (contained != NULL) {
        check_contained_used(review, node);
    }
    if (review->options->strict) {
        check_narrative_links(review, node);
    }
    if (review->options->strict && node->parent == NULL &&
        json_get(json_get(node->value, "text"), "div") == NULL) {
        fault(review, node, NULL, SEVERITY_WARNING, "invariant", SLICE("dom-6"),
              "A resource should have a narrative, so that it can be read without a program.");
    }
}

static void review_whole(struct review *review, const struct fhirpath_node *node)
{
    review_object(review, node);
    check_domain(review, node);
    if (slice_is(table_text(review->tables, node->type->name), "CodeSystem")) {
        check_codes_unique(review, node);
    }
    check_declared(review, node);
    check_policies(review, node);
    if (review->options->strict) {
        check_vital_sign(review, node);
    }
    if (node->parent == NULL) {
        check_asked(review, node);
    }
}

void review_resource(struct checker *checker, yyjson_val *root, resource_type type)
{
    arena_raise(checker->arena, REVIEW_BYTES);
    struct review review = {.checker = checker,
                            .validator = checker->options->validator,
                            .options = checker->options,
                            .definitions = checker->definitions,
                            .tables = checker->tables,
                            .arena = arena_create(arena_limit(checker->arena)),
                            .scratch = checker->arena};
    if (review.arena == NULL) {
        arena_fail(checker->arena);
        return;
    }
    struct fhirpath_node node = fhirpath_root(checker->definitions, type, root);
    host_init(&review);
    validator_enter(review.validator);
    review_whole(&review, &node);
    validator_leave(review.validator);
    if (arena_full(review.arena)) {
        arena_fail(checker->arena);
    }
    arena_destroy(review.arena);
}
