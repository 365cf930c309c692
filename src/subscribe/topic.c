/* SPDX-License-Identifier: MIT */
/* Topics: SubscriptionTopic (R4B, R5), and the same as extensions of a Basic, which is how R4 has
 * it (Subscriptions R5 Backport, "R4 Encounter Complete"). One reader sees both alike. */
#include "subscribe/subscribe_int.h"

static const char *const prefixes[] = {
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.",
    "http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic."};

/* ---- one element in either form -----------------------------------------------------------------
 */

struct node {
    yyjson_val *value;
    bool extended; /* its members are extensions */
    bool root;
};

static bool names(const struct node *parent, yyjson_val *extension, const char *name)
{
    struct slice url = json_get_string(extension, "url");
    if (!parent->root) {
        return slice_is(url, name);
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct slice prefix = slice_text(prefixes[i]);
        if (slice_starts(url, prefix) && slice_is(slice_from(url, prefix.length), name)) {
            return true;
        }
    }
    return false;
}

static bool find_extension(const struct node *parent, const char *list, const char *name,
                           size_t *left, struct node *ret_node)
{
    size_t at, max;
    yyjson_val *extension, *all = json_get(parent->value, list);
    if (!yyjson_is_arr(all)) {
        return false;
    }
    yyjson_arr_foreach(all, at, max, extension)
    {
        if (names(parent, extension, name) && (*left)-- == 0) {
            *ret_node = (struct node){.value = extension, .extended = true};
            return true;
        }
    }
    return false;
}

/* The member number INDEX of this name. */
static bool member(const struct node *parent, const char *name, size_t index, struct node *ret_node)
{
    if (parent->extended) {
        size_t left = index;
        return find_extension(parent, "extension", name, &left, ret_node) ||
               (parent->root && find_extension(parent, "modifierExtension", name, &left, ret_node));
    }
    yyjson_val *value = json_get(parent->value, name);
    value = yyjson_is_arr(value) ? yyjson_arr_get(value, index) : index == 0 ? value : NULL;
    *ret_node = (struct node){.value = value};
    return value != NULL;
}

static struct slice text_of(const struct node *node)
{
    yyjson_val *value = node->extended ? NULL : node->value;
    size_t at, max;
    yyjson_val *key, *each;
    if (node->extended && yyjson_is_obj(node->value)) {
        yyjson_obj_foreach(node->value, at, max, key, each)
        {
            value = slice_starts(json_string(key), SLICE("value")) ? each : value;
        }
    }
    if (yyjson_is_bool(value)) {
        return yyjson_is_true(value) ? SLICE("true") : SLICE("false");
    }
    return json_string(value);
}

static struct slice text_at(const struct node *parent, const char *name, size_t index)
{
    struct node node;
    return member(parent, name, index, &node) ? text_of(&node) : (struct slice){0};
}

static size_t count_of(const struct node *parent, const char *name)
{
    struct node node;
    size_t count = 0;
    while (member(parent, name, count, &node)) {
        count++;
    }
    return count;
}

/* ---- parts --------------------------------------------------------------------------------------
 */

struct reading {
    const struct definitions *definitions;
    struct arena *arena;
    struct outcome *outcome;
    struct topic *topic;
};

static enum status refuse(const struct reading *reading, const char *text)
{
    return outcome_fail(reading->outcome, STATUS_BUSINESS_RULE, "", "%s", text);
}

/* "Encounter" or its canonical URL. */
static resource_type type_of(const struct reading *reading, struct slice name)
{
    static const char prefix[] = "http://hl7.org/fhir/StructureDefinition/";
    if (slice_starts(name, slice_text(prefix))) {
        name = slice_from(name, sizeof prefix - 1);
    }
    return resource_type_find(reading->definitions, name);
}

static bool code_passes(struct slice code, bool *ret_known)
{
    *ret_known = *ret_known && (code.length == 0 || slice_is(code, "test-passes") ||
                                slice_is(code, "test-fails"));
    return slice_is(code, "test-passes");
}

static enum status read_criteria(const struct reading *reading, const struct node *node,
                                 struct topic_trigger *trigger)
{
    bool known = true;
    struct node criteria;
    if (count_of(node, "fhirPathCriteria") > 0) {
        return refuse(reading, "A trigger with fhirPathCriteria is not supported: say it as "
                               "queryCriteria, and leave fhirPathCriteria out.");
    }
    if (!member(node, "queryCriteria", 0, &criteria)) {
        return STATUS_OK;
    }
    trigger->previous = arena_copy(reading->arena, text_at(&criteria, "previous", 0));
    trigger->current = arena_copy(reading->arena, text_at(&criteria, "current", 0));
    trigger->create_passes = code_passes(text_at(&criteria, "resultForCreate", 0), &known);
    trigger->delete_passes = code_passes(text_at(&criteria, "resultForDelete", 0), &known);
    trigger->both = slice_is(text_at(&criteria, "requireBoth", 0), "true");
    return known ? STATUS_OK
                 : refuse(reading, "resultForCreate and resultForDelete are test-passes or "
                                   "test-fails.");
}

static enum status read_trigger(const struct reading *reading, const struct node *node,
                                struct topic_trigger *trigger)
{
    size_t count = count_of(node, "supportedInteraction");
    trigger->type = type_of(reading, text_at(node, "resource", 0));
    if (trigger->type == RESOURCE_TYPE_NONE) {
        return refuse(reading, "A trigger's resource is a resource type of R4, as Encounter or "
                               "http://hl7.org/fhir/StructureDefinition/Encounter.");
    }
    for (size_t i = 0; i < count; i++) {
        struct slice code = text_at(node, "supportedInteraction", i);
        unsigned bit = slice_is(code, "create")   ? ON_CREATE
                       : slice_is(code, "update") ? ON_UPDATE
                       : slice_is(code, "delete") ? ON_DELETE
                                                  : 0;
        if (bit == 0) {
            return refuse(reading, "supportedInteraction is create, update or delete.");
        }
        trigger->interactions |= bit;
    }
    if (count == 0) {
        trigger->interactions = ON_CREATE | ON_UPDATE | ON_DELETE;
    }
    return read_criteria(reading, node, trigger);
}

static enum status read_triggers(const struct reading *reading, const struct node *root)
{
    struct topic *topic = reading->topic;
    struct node node;
    topic->trigger_count = count_of(root, "resourceTrigger");
    topic->triggers =
        arena_array(reading->arena, topic->trigger_count + 1, sizeof *topic->triggers);
    if (topic->triggers == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (topic->trigger_count == 0 || count_of(root, "eventTrigger") > 0) {
        return refuse(reading, "A topic is made of resource triggers, one at least: event triggers "
                               "are not supported.");
    }
    for (size_t i = 0; i < topic->trigger_count && member(root, "resourceTrigger", i, &node); i++) {
        TRY(read_trigger(reading, &node, &topic->triggers[i]));
    }
    return STATUS_OK;
}

static enum status read_filter(const struct reading *reading, const struct node *node,
                               struct topic_filter *filter)
{
    struct slice type = text_at(node, "resource", 0);
    size_t modifiers = count_of(node, "modifier"), comparators = count_of(node, "comparator");
    filter->name = arena_copy(reading->arena, text_at(node, "filterParameter", 0));
    filter->type = type_of(reading, type);
    if (filter->name.length == 0 || (type.length > 0 && filter->type == RESOURCE_TYPE_NONE)) {
        return refuse(reading, "canFilterBy has a filterParameter, and its resource is a resource "
                               "type of R4.");
    }
    struct slice *list = arena_array(reading->arena, modifiers + comparators + 1, sizeof *list);
    if (list == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < modifiers; i++) {
        list[filter->modifier_count++] = arena_copy(reading->arena, text_at(node, "modifier", i));
    }
    for (size_t i = 0; i < comparators; i++) {
        list[filter->modifier_count++] = arena_copy(reading->arena, text_at(node, "comparator", i));
    }
    filter->modifiers = list;
    return STATUS_OK;
}

static enum status read_filters(const struct reading *reading, const struct node *root)
{
    struct topic *topic = reading->topic;
    struct node node;
    topic->filter_count = count_of(root, "canFilterBy");
    topic->filters = arena_array(reading->arena, topic->filter_count + 1, sizeof *topic->filters);
    if (topic->filters == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < topic->filter_count && member(root, "canFilterBy", i, &node); i++) {
        TRY(read_filter(reading, &node, &topic->filters[i]));
    }
    return STATUS_OK;
}

/* "Encounter:patient": what R4 does not know as a search parameter adds nothing, and may be left
 * out ("any resource beyond the focus resource [is] not guaranteed to be present"). */
static void read_include(const struct reading *reading, struct slice text, resource_type focus,
                         bool reverse)
{
    struct topic *topic = reading->topic;
    struct slice name = slice_head(text, slice_index(text, '&'));
    resource_type source = type_of(reading, slice_cut(&name, ':'));
    const struct search_parameter *parameter =
        source != RESOURCE_TYPE_NONE && name.at != NULL
            ? search_parameter_find(reading->definitions, source, slice_cut(&name, ':'))
            : NULL;
    if (parameter != NULL && parameter->kind == SEARCH_REFERENCE && (reverse || source == focus)) {
        topic->includes[topic->include_count++] = (struct topic_include){
            .reverse = reverse, .focus = focus, .source = source, .parameter = parameter};
    }
}

static enum status read_shapes(const struct reading *reading, const struct node *root)
{
    struct topic *topic = reading->topic;
    struct node node;
    size_t most = 0;
    for (size_t i = 0; member(root, "notificationShape", i, &node); i++) {
        most += count_of(&node, "include") + count_of(&node, "revInclude");
    }
    topic->includes = arena_array(reading->arena, most + 1, sizeof *topic->includes);
    if (topic->includes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; member(root, "notificationShape", i, &node); i++) {
        resource_type focus = type_of(reading, text_at(&node, "resource", 0));
        for (size_t j = 0; j < count_of(&node, "include"); j++) {
            read_include(reading, text_at(&node, "include", j), focus, false);
        }
        for (size_t j = 0; j < count_of(&node, "revInclude"); j++) {
            read_include(reading, text_at(&node, "revInclude", j), focus, true);
        }
    }
    return STATUS_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

bool topic_is(yyjson_val *root)
{
    size_t at, max;
    yyjson_val *coding, *codings = json_get(json_get(root, "code"), "coding");
    if (slice_is(json_get_string(root, "resourceType"), "SubscriptionTopic")) {
        return true;
    }
    if (!slice_is(json_get_string(root, "resourceType"), "Basic") || !yyjson_is_arr(codings)) {
        return false;
    }
    yyjson_arr_foreach(codings, at, max, coding)
    {
        if (slice_is(json_get_string(coding, "code"), "SubscriptionTopic")) {
            return true;
        }
    }
    return false;
}

enum status topic_read(const struct definitions *definitions, yyjson_val *root, struct arena *arena,
                       struct outcome *outcome, struct topic **ret_topic)
{
    struct topic *topic = ARENA_NEW(arena, struct topic);
    bool basic = slice_is(json_get_string(root, "resourceType"), "Basic");
    struct node node = {.value = root, .extended = basic, .root = true};
    struct reading reading = {definitions, arena, outcome, topic};
    *ret_topic = topic;
    if (topic == NULL) {
        return STATUS_TOO_COSTLY;
    }
    topic->url = arena_copy(arena, text_at(&node, "url", 0));
    topic->version = arena_copy(arena, text_at(&node, "version", 0));
    topic->title = arena_copy(arena, text_at(&node, "title", 0));
    topic->active = slice_is(text_at(&node, "status", 0), "active");
    if (topic->url.length == 0 || slice_index(topic->url, '|') < topic->url.length) {
        return refuse(&reading, "A topic has a url, by which Subscriptions name it.");
    }
    TRY(read_triggers(&reading, &node));
    TRY(read_filters(&reading, &node));
    TRY(read_shapes(&reading, &node));
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
