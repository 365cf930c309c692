/* SPDX-License-Identifier: MIT */
/* What references reach (R4 references.html, bundle.html "Resolving references in Bundles"): a
 * contained resource, another entry of the Bundle, or what the caller can fetch; and whether that
 * may stand there. */
#include "validate/profile_int.h"

#define STRUCTURE_PREFIX "http://hl7.org/fhir/StructureDefinition/"

/* ---- Bundles ----------------------------------------------------------------------------------
 */

static const struct bundle_index *index_of(struct review *review, yyjson_val *bundle)
{
    for (struct known_bundle *each = review->bundles; each != NULL; each = each->next) {
        if (each->bundle == bundle) {
            return each->index;
        }
    }
    struct known_bundle *known = ARENA_NEW(review->arena, struct known_bundle);
    const struct bundle_index *index = bundle_index_make(bundle, review->arena);
    if (known == NULL || index == NULL) {
        return NULL;
    }
    *known = (struct known_bundle){bundle, index, review->bundles};
    review->bundles = known;
    return index;
}

/* "http://x/Patient/1" is "http://x" and "Patient/1": the base of a RESTful url, or empty. */
static struct slice base_of(const struct definitions *definitions, struct slice url)
{
    size_t cut = url.length;
    for (int parts = 0; parts < 2 && cut > 0; parts++) {
        do {
            cut--;
        } while (cut > 0 && url.at[cut] != '/');
    }
    struct slice rest = slice_from(url, cut + 1);
    bool resource = resource_type_find(definitions, slice_head(rest, slice_index(rest, '/'))) !=
                    RESOURCE_TYPE_NONE;
    return resource ? slice_head(url, cut) : (struct slice){NULL, 0};
}

/* The resource that TEXT names in one of the Bundles around FROM; *RET_ENTRY: of which entry of
 * theirs FROM is a part. */
static const struct bundle_index_entry *bundled(struct review *review,
                                                const struct fhirpath_node *from, struct slice text,
                                                const struct fhirpath_node **ret_entry)
{
    const struct fhirpath_node *entry = node_entry(review->definitions, from);
    for (; entry != NULL; entry = node_entry(review->definitions, entry->parent)) {
        const struct bundle_index *index = index_of(review, entry->parent->value);
        const struct bundle_index_entry *found =
            index != NULL ? bundle_index_find(index, json_get_string(entry->value, "fullUrl"), text,
                                              review->arena)
                          : NULL;
        if (found != NULL && found->resource != NULL) {
            *ret_entry = entry;
            return found;
        }
    }
    return NULL;
}

/* ---- what is reached --------------------------------------------------------------------------
 */

static bool node_of_resource(struct review *review, yyjson_val *resource,
                             struct fhirpath_node *ret_node)
{
    resource_type type =
        resource_type_find(review->definitions, json_get_string(resource, "resourceType"));
    if (type == RESOURCE_TYPE_NONE) {
        return false;
    }
    *ret_node = fhirpath_root(review->definitions, type, resource);
    return true;
}

/* The resource of another entry of the Bundle that OWN is an entry of, below nodes of its own, so
 * that its references resolve too. */
static bool node_of_bundled(struct review *review, const struct fhirpath_node *own,
                            const struct bundle_index_entry *entry, struct fhirpath_node *ret_node)
{
    struct fhirpath_node *place = ARENA_NEW(review->arena, struct fhirpath_node);
    const struct element_row *element = type_find_element(review->tables, own->type, "resource", 8);
    if (place == NULL || element == NULL) {
        return false;
    }
    *place = *own;
    place->index = entry->number;
    place->value = entry->entry;
    *ret_node = node_child(review->definitions, place, element, entry->resource, NULL, 0);
    return ret_node->type->kind == TYPE_RESOURCE;
}

/* The slot of an id: the contained resource's, or the free one where it would go. */
static struct contained_slot *contained_slot(const struct contained_index *index, struct slice id)
{
    size_t slot = slice_hash(id) & index->mask;
    while (index->slots[slot].resource != NULL && !slice_equals(index->slots[slot].id, id)) {
        slot = (slot + 1) & index->mask;
    }
    return &index->slots[slot];
}

/* What CONTAINER contains, by id. Only the last is kept: a walk asks of one after another. NULL
 * when the arena is full. */
static const struct contained_index *contained_of(struct review *review,
                                                  const yyjson_val *container)
{
    struct contained_index *index = &review->contained;
    if (index->container == container) {
        return index;
    }
    size_t i, max, size = 8;
    yyjson_val *each, *list = json_get(container, "contained");
    while (size < yyjson_arr_size(list) * 2) {
        size *= 2;
    }
    struct contained_slot *slots = arena_array(review->arena, size, sizeof *slots);
    if (slots == NULL) {
        return NULL;
    }
    *index = (struct contained_index){.container = container, .slots = slots, .mask = size - 1};
    yyjson_arr_foreach(list, i, max, each)
    {
        struct slice id = json_get_string(each, "id");
        struct contained_slot *slot = contained_slot(index, id);
        if (id.length > 0 && slot->resource == NULL) {
            *slot = (struct contained_slot){.id = id, .resource = each, .number = (uint32_t)i};
        }
    }
    return index;
}

static enum reach reach_contained(struct review *review, const struct fhirpath_node *from,
                                  struct slice id, struct fhirpath_node *ret_node)
{
    const struct fhirpath_node *container = node_container(review->definitions, from);
    if (id.length == 0) {
        *ret_node = *container;
        return REACH_CONTAINED;
    }
    const struct element_row *element =
        type_find_element(review->tables, container->type, "contained", 9);
    const struct contained_index *index = contained_of(review, container->value);
    const struct contained_slot *slot = index != NULL ? contained_slot(index, id) : NULL;
    if (element == NULL || slot == NULL || slot->resource == NULL) {
        return REACH_NONE;
    }
    *ret_node =
        node_child(review->definitions, container, element, slot->resource, NULL, slot->number);
    return ret_node->type->kind == TYPE_RESOURCE ? REACH_CONTAINED : REACH_NONE;
}

enum reach reference_reach(struct review *review, const struct fhirpath_node *from,
                           struct slice text, struct fhirpath_node *ret_node)
{
    if (text.length > 0 && text.at[0] == '#') {
        return reach_contained(review, from, slice_from(text, 1), ret_node);
    }
    const struct fhirpath_node *entry;
    const struct bundle_index_entry *inside = bundled(review, from, text, &entry);
    if (inside != NULL && node_of_bundled(review, entry, inside, ret_node)) {
        return REACH_BUNDLED;
    }
    resource_type type;
    yyjson_val *resource;
    if (review->options->resolve != NULL &&
        review->options->resolve(review->options->resolve_context, text, review->arena, &type,
                                 &resource) &&
        node_of_resource(review, resource, ret_node)) {
        return REACH_OUTSIDE;
    }
    struct slice rest = reference_without_version(text);
    struct slice base = base_of(review->definitions, rest);
    struct slice local = base.length > 0 ? slice_from(rest, base.length + 1) : rest;
    type = resource_type_find(review->definitions, slice_head(local, slice_index(local, '/')));
    if (type == RESOURCE_TYPE_NONE || slice_index(local, '/') == local.length) {
        return REACH_NONE;
    }
    *ret_node = (struct fhirpath_node){.type = resource_row(review->tables, type)};
    return REACH_TYPE;
}

/* ---- targets ----------------------------------------------------------------------------------
 */

struct slice profile_type(struct review *review, struct slice canonical)
{
    struct slice url = slice_head(canonical, slice_index(canonical, '|'));
    if (slice_starts(url, SLICE(STRUCTURE_PREFIX))) {
        struct slice name = slice_from(url, sizeof(STRUCTURE_PREFIX) - 1);
        if (type_find(review->definitions, name) != NULL) {
            return name;
        }
    }
    const struct profile *profile = profile_find(review->validator, canonical);
    return profile != NULL ? profile->type_name : (struct slice){NULL, 0};
}

/* Does what is reached have the type of a target, and fit its profile? */
static bool target_fits(struct review *review, struct slice target,
                        const struct fhirpath_node *node, bool *ret_type)
{
    struct slice type = profile_type(review, target);
    if (type.length == 0) {
        *ret_type = true;
        return true; /* the profile is not loaded: nothing can be said */
    }
    if (!slice_equals(type, table_text(review->tables, node->type->name)) &&
        !slice_is(type, "Resource") && !slice_is(type, "DomainResource")) {
        return false;
    }
    *ret_type = true;
    const struct profile *profile =
        node->value != NULL ? profile_find(review->validator, target) : NULL;
    return profile == NULL || profile_fits(review, profile, node);
}

static void check_aggregation(struct review *review, const struct rule_element *rule,
                              const struct fhirpath_node *node, enum reach reach)
{
    unsigned met = reach == REACH_CONTAINED ? AGGREGATION_CONTAINED
                   : reach == REACH_BUNDLED ? AGGREGATION_BUNDLED | AGGREGATION_REFERENCED
                                            : AGGREGATION_REFERENCED;
    if (rule->aggregation != 0 && (rule->aggregation & met) == 0) {
        static const char *const places[] = {
            [AGGREGATION_CONTAINED] = "contained",
            [AGGREGATION_REFERENCED] = "a resource of its own, not contained",
            [AGGREGATION_BUNDLED] = "in the same Bundle",
            [AGGREGATION_CONTAINED | AGGREGATION_BUNDLED] = "contained or in the same Bundle",
            [AGGREGATION_REFERENCED | AGGREGATION_BUNDLED] = "a resource of its own, not contained",
            [AGGREGATION_CONTAINED | AGGREGATION_REFERENCED] = "contained or a resource of its own",
        };
        fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("aggregation"),
              tell(review, "The resource that %.*s names must be %s.", SLICE_ARGS(rule->id),
                   places[rule->aggregation]));
    }
}

void check_targets(struct review *review, const struct rule_element *rule,
                   const struct fhirpath_node *node)
{
    struct fhirpath_node target;
    bool is_object = yyjson_is_obj(node->value);
    struct slice text =
        is_object ? json_get_string(node->value, "reference") : json_string(node->value);
    if (text.length == 0 || node->type->fhir_type != FHIR_TYPE_REFERENCE) {
        return; /* canonicals name definitions, of which nothing is asked here */
    }
    enum reach reach = reference_reach(review, node, text, &target);
    check_aggregation(review, rule, node, reach);
    if (reach == REACH_NONE) {
        return;
    }
    bool type_fits = false, asked = false;
    for (size_t i = 0; i < rule->type_count; i++) {
        const struct allowed_type *type = &rule->types[i];
        if (type->row != node->type) {
            continue;
        }
        for (size_t j = 0; j < type->target_count; j++) {
            asked = true;
            if (target_fits(review, type->targets[j], &target, &type_fits)) {
                return;
            }
        }
    }
    if (asked) {
        fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("reference-target"),
              type_fits ? tell(review,
                               "What %.*s names does not conform to a profile that is allowed "
                               "there.",
                               SLICE_ARGS(rule->id))
                        : tell(review, "%.*s may not name a resource of this type.",
                               SLICE_ARGS(rule->id)));
    }
}

/* Reference.type is the name of a resource type, or its URL (R4 references.html). */
static void check_stated_type(struct review *review, const struct fhirpath_node *node)
{
    struct slice stated = json_get_string(node->value, "type");
    if (slice_starts(stated, SLICE(STRUCTURE_PREFIX))) {
        stated = slice_from(stated, sizeof(STRUCTURE_PREFIX) - 1);
    }
    if (stated.length > 0 && slice_index(stated, ':') == stated.length &&
        resource_type_find(review->definitions, stated) == RESOURCE_TYPE_NONE) {
        fault(review, node, json_get(node->value, "type"),
              review->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING, "structure",
              SLICE("reference-type"),
              "Reference.type names a type of resource, as the specification writes it.");
    }
}

/* Type/id where an entry of the fullUrl urn:uuid:id stands: it does not reach that, but it is what
 * is meant, and then the types agree. */
static void check_meant(struct review *review, const struct fhirpath_node *node,
                        const struct reference *reference)
{
    const struct fhirpath_node *entry = node_entry(review->definitions, node);
    const struct bundle_index *index =
        entry != NULL && reference->kind == REFERENCE_LOCAL && review->options->strict
            ? index_of(review, entry->parent->value)
            : NULL;
    if (index == NULL) {
        return;
    }
    const char *url = arena_print(review->arena, "urn:uuid:%.*s", SLICE_ARGS(reference->id));
    const struct bundle_index_entry *found =
        bundle_index_find(index, (struct slice){NULL, 0}, slice_text(url), review->arena);
    if (found != NULL && found->resource != NULL &&
        !slice_equals(json_get_string(found->resource, "resourceType"),
                      resource_type_name(review->definitions, reference->type))) {
        fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("reference-target"),
              "The entry of this id is of another type: correct the reference, and write it as "
              "the fullUrl of the entry.");
    }
}

void check_bundled(struct review *review, const struct fhirpath_node *node)
{
    const struct fhirpath_node *entry;
    struct slice text = json_get_string(node->value, "reference");
    check_stated_type(review, node);
    if (text.length == 0 || text.at[0] == '#' || node->element == NULL) {
        return;
    }
    struct reference parsed = reference_parse(review->definitions, text, (struct slice){NULL, 0});
    const struct bundle_index_entry *found = bundled(review, node, text, &entry);
    if (found == NULL) {
        check_meant(review, node, &parsed);
        return;
    }
    resource_type type =
        resource_type_find(review->definitions, json_get_string(found->resource, "resourceType"));
    if (type == RESOURCE_TYPE_NONE) {
        return;
    }
    bool allowed = node->element->target_count == 0;
    for (uint16_t i = 0; i < node->element->target_count; i++) {
        allowed |= review->tables->targets[node->element->first_target + i] == type;
    }
    if (!allowed || (parsed.kind == REFERENCE_LOCAL && parsed.type != type)) {
        fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("reference-target"),
              tell(review,
                   "The entry of the Bundle that is named here is of type %.*s, which may "
                   "not stand here or is not the type that the reference says.",
                   SLICE_ARGS(resource_type_name(review->definitions, type))));
    }
}

/* ---- contained --------------------------------------------------------------------------------
 */

static void see_value(void *context, const struct walk_value *value)
{
    const struct contained_index *index = context;
    struct slice text = json_string(value->value);
    bool link = value->type == FHIR_TYPE_URI || value->type == FHIR_TYPE_URL ||
                value->type == FHIR_TYPE_CANONICAL ||
                (value->parent_type == FHIR_TYPE_REFERENCE && slice_is(value->name, "reference"));
    if (link && text.length > 1 && text.at[0] == '#') {
        struct contained_slot *slot = contained_slot(index, slice_from(text, 1));
        slot->used = slot->resource != NULL;
    }
}

static void see_container(void *context, const struct walk_value *value)
{
    bool *used = context;
    *used = *used || slice_is(json_string(value->value), "#");
}

void check_contained_used(struct review *review, const struct fhirpath_node *node)
{
    size_t i, max;
    yyjson_val *contained, *list = json_get(node->value, "contained");
    if (list == NULL) {
        return;
    }
    const struct contained_index *index = contained_of(review, node->value);
    if (index == NULL) {
        return;
    }
    resource_walk(review->definitions, node->type->resource, node->value, see_value,
                  (void *)(uintptr_t)index);
    yyjson_arr_foreach(list, i, max, contained)
    {
        const struct contained_slot *slot = contained_slot(index, json_get_string(contained, "id"));
        resource_type type =
            resource_type_find(review->definitions, json_get_string(contained, "resourceType"));
        if (slot->resource != contained || slot->used || type == RESOURCE_TYPE_NONE) {
            continue; /* what has no id or another's, structure has told */
        }
        bool used = false;
        resource_walk(review->definitions, type, contained, see_container, &used);
        if (!used) {
            fault(review, node, contained, SEVERITY_ERROR, "invariant", SLICE("dom-3"),
                  "A contained resource is named by a reference from the resource around it, or "
                  "names that with '#': use it, or take it out.");
        }
    }
}
