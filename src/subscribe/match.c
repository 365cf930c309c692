/* SPDX-License-Identifier: MIT */
/* Searches of topics and filters as plans, and whether a change meets them. */
#include "subscribe/subscribe_int.h"

/* ---- plans --------------------------------------------------------------------------------------
 */

static enum status decode(const struct planner *planner, struct slice text, struct slice *ret_text)
{
    struct buffer out = {.arena = planner->arena};
    if (!url_decode(text, true, &out)) {
        return outcome_fail(planner->outcome, STATUS_BUSINESS_RULE, "",
                            "A search in a topic or filter has escapes that mean nothing.");
    }
    *ret_text = out.length > 0 ? buffer_slice(&out) : SLICE("");
    return buffer_ok(&out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status split(const struct planner *planner, struct slice text,
                         struct search_argument **ret_arguments, size_t *ret_count)
{
    size_t most = 1;
    for (size_t i = 0; i < text.length; i++) {
        most += text.at[i] == '&';
    }
    struct search_argument *arguments = arena_array(planner->arena, most, sizeof *arguments);
    *ret_arguments = arguments;
    *ret_count = 0;
    while (arguments != NULL && text.at != NULL && text.length > 0) {
        struct search_argument *argument = &arguments[*ret_count];
        struct slice value = slice_cut(&text, '&');
        struct slice modifier = slice_cut(&value, '=');
        struct slice name = slice_cut(&modifier, ':');
        if (name.length == 0) {
            continue;
        }
        TRY(decode(planner, name, &argument->name));
        TRY(decode(planner, modifier, &argument->modifier));
        TRY(decode(planner, value, &argument->value));
        ++*ret_count;
    }
    return arguments != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status plan(const struct planner *planner, resource_type type,
                        const struct search_argument *arguments, size_t count,
                        const struct store_query **ret_plan)
{
    struct search_plan *made = ARENA_NEW(planner->arena, struct search_plan);
    struct search_options options = {.definitions = planner->options->definitions,
                                     .terms = planner->options->terms,
                                     .conformance = planner->options->conformance,
                                     .base_url = planner->base_url,
                                     .learning = store_learning(planner->options->store),
                                     .type = type,
                                     .conditional = true,
                                     .count_default = 1,
                                     .count_max = 1};
    if (made == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(search_plan_make(&options, arguments, count, planner->arena, planner->outcome, made));
    TRY(store_matches_check(&made->query, planner->outcome));
    *ret_plan = &made->query;
    return STATUS_OK;
}

/* A refusal of ours is about what is written in the resource, not about a parameter of a URL. */
static enum status as_rule(enum status status)
{
    return status != STATUS_OK && status_http(status) < 500 && status != STATUS_TOO_COSTLY
               ? STATUS_BUSINESS_RULE
               : status;
}

static enum status plan_text(const struct planner *planner, resource_type type, struct slice text,
                             const struct store_query **ret_plan)
{
    struct search_argument *arguments;
    size_t count, mark = slice_index(text, '?');
    *ret_plan = NULL;
    if (text.length == 0) {
        return STATUS_OK;
    }
    TRY(split(planner, slice_from(text, mark < text.length ? mark + 1 : 0), &arguments, &count));
    enum status status = plan(planner, type, arguments, count, ret_plan);
    return status == STATUS_NOT_SUPPORTED ? STATUS_BUSINESS_RULE : as_rule(status);
}

enum status plan_topic(const struct planner *planner, struct topic *topic)
{
    for (size_t i = 0; i < topic->trigger_count; i++) {
        struct topic_trigger *trigger = &topic->triggers[i];
        TRY(plan_text(planner, trigger->type, trigger->previous, &trigger->previous_plan));
        TRY(plan_text(planner, trigger->type, trigger->current, &trigger->current_plan));
    }
    return STATUS_OK;
}

/* ---- filters ------------------------------------------------------------------------------------
 */

static bool is_listed(const struct topic_filter *filter, struct slice code)
{
    for (size_t i = 0; i < filter->modifier_count; i++) {
        if (slice_equals(filter->modifiers[i], code)) {
            return true;
        }
    }
    return filter->modifier_count == 0;
}

/* "gt" of "gt2026-01-01"; "eq" when there is none. */
static struct slice comparator_of(const struct planner *planner, resource_type type,
                                  const struct search_argument *argument)
{
    const struct search_parameter *parameter =
        search_parameter_find(planner->options->definitions, type, argument->name);
    size_t count;
    const struct search_prefix *prefixes = search_prefixes(&count);
    for (size_t i = 0; parameter != NULL && search_kind_has_prefixes(parameter->kind) && i < count;
         i++) {
        if (slice_starts(argument->value, slice_text(prefixes[i].name))) {
            return slice_text(prefixes[i].name);
        }
    }
    return SLICE("eq");
}

static bool is_allowed(const struct planner *planner, const struct topic *topic, resource_type type,
                       const struct search_argument *argument)
{
    struct slice comparator = comparator_of(planner, type, argument);
    for (size_t i = 0; i < topic->filter_count; i++) {
        const struct topic_filter *filter = &topic->filters[i];
        bool named = (filter->type == RESOURCE_TYPE_NONE || filter->type == type) &&
                     slice_equals(filter->name, argument->name);
        bool modified = argument->modifier.length == 0 || is_listed(filter, argument->modifier);
        bool compared = slice_is(comparator, "eq") || is_listed(filter, comparator);
        if (named && modified && compared) {
            return true;
        }
    }
    return false;
}

static bool has_trigger(const struct topic *topic, resource_type type)
{
    for (size_t i = 0; i < topic->trigger_count; i++) {
        if (topic->triggers[i].type == type) {
            return true;
        }
    }
    return false;
}

static bool has_one_type(const struct topic *topic)
{
    for (size_t i = 1; i < topic->trigger_count; i++) {
        if (topic->triggers[i].type != topic->triggers[0].type) {
            return false;
        }
    }
    return true;
}

static enum status refuse(const struct planner *planner, const char *text)
{
    return outcome_fail(planner->outcome, STATUS_BUSINESS_RULE, "Subscription.criteria", "%s",
                        text);
}

static enum status plan_filter(const struct planner *planner, const struct topic *topic,
                               struct wanted_filter *filter)
{
    struct search_argument *arguments;
    size_t count;
    if (filter->type == RESOURCE_TYPE_NONE && has_one_type(topic)) {
        filter->type = topic->triggers[0].type;
    }
    if (filter->type == RESOURCE_TYPE_NONE || !has_trigger(topic, filter->type)) {
        return refuse(planner, "A filter names a type that the topic tells of: "
                               "Encounter?patient=Patient/1.");
    }
    TRY(split(planner, filter->text, &arguments, &count));
    for (size_t i = 0; i < count; i++) {
        if (!is_allowed(planner, topic, filter->type, &arguments[i])) {
            return refuse(planner, "A filter uses a parameter, modifier or comparator that the "
                                   "topic does not list in canFilterBy.");
        }
    }
    return as_rule(plan(planner, filter->type, arguments, count, &filter->plan));
}

enum status plan_filters(const struct planner *planner, const struct topic *topic,
                         struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->filter_count; i++) {
        TRY(plan_filter(planner, topic, &wanted->filters[i]));
    }
    return STATUS_OK;
}

/* ---- one change ---------------------------------------------------------------------------------
 */

static enum status read_body(struct happening *happening, struct slice body, yyjson_val **ret_root)
{
    struct json json;
    TRY(json_read(body, &json_limits_default, happening->arena, NULL, &json));
    *ret_root = json.root;
    return STATUS_OK;
}

static enum status look_at_current(struct happening *happening)
{
    if (happening->has_current || happening->version->method == STORE_DELETED) {
        return STATUS_OK;
    }
    happening->has_current = true;
    return read_body(happening, happening->version->body, &happening->current);
}

static enum status look_at_previous(struct happening *happening)
{
    const struct store_version *version = happening->version;
    struct store_version before;
    if (happening->has_previous || version->version <= 1 || version->created) {
        return STATUS_OK;
    }
    happening->has_previous = true;
    enum status status = store_read_version(happening->tx, version->type, version->id,
                                            version->version - 1, happening->arena, &before);
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        return STATUS_OK;
    }
    TRY(status);
    return read_body(happening, before.body, &happening->previous);
}

static enum status meets(struct happening *happening, const struct store_query *query,
                         yyjson_val *root, struct slice base_url, bool *ret_meets)
{
    struct outcome unheard;
    outcome_init(&unheard, happening->arena);
    return store_matches(happening->tx, query, root, base_url, happening->arena, &unheard,
                         ret_meets);
}

static unsigned interaction_of(const struct store_version *version)
{
    return version->method == STORE_DELETED ? ON_DELETE : version->created ? ON_CREATE : ON_UPDATE;
}

/* R5 SubscriptionTopic.resourceTrigger.queryCriteria: with requireBoth all tests that are given
 * must pass, otherwise any of them. */
static enum status trigger_fires(struct happening *happening, const struct topic_trigger *trigger,
                                 struct slice base_url, bool *ret_fires)
{
    bool before = trigger->create_passes, now = trigger->delete_passes;
    const struct store_query *previous = trigger->previous_plan, *current = trigger->current_plan;
    *ret_fires = trigger->type == happening->version->type &&
                 (trigger->interactions & interaction_of(happening->version)) != 0;
    if (!*ret_fires || (previous == NULL && current == NULL)) {
        return STATUS_OK;
    }
    if (current != NULL) {
        TRY(look_at_current(happening));
        if (happening->current != NULL) {
            TRY(meets(happening, current, happening->current, base_url, &now));
        }
    }
    if (previous != NULL) {
        TRY(look_at_previous(happening));
        if (happening->previous != NULL) {
            TRY(meets(happening, previous, happening->previous, base_url, &before));
        }
    }
    before = previous != NULL ? before : trigger->both;
    now = current != NULL ? now : trigger->both;
    *ret_fires = trigger->both ? before && now : before || now;
    return STATUS_OK;
}

enum status happening_fires(struct happening *happening, const struct topic *topic,
                            struct slice base_url, bool *ret_fires)
{
    *ret_fires = false;
    for (size_t i = 0; i < topic->trigger_count && !*ret_fires; i++) {
        TRY(trigger_fires(happening, &topic->triggers[i], base_url, ret_fires));
    }
    return STATUS_OK;
}

/* Filters are asked of the version as it is now; of a deleted one as it was. */
enum status happening_passes(struct happening *happening, const struct wanted *wanted,
                             struct slice base_url, bool *ret_passes)
{
    *ret_passes = true;
    for (size_t i = 0; i < wanted->filter_count && *ret_passes; i++) {
        const struct wanted_filter *filter = &wanted->filters[i];
        if (filter->type != happening->version->type) {
            continue;
        }
        TRY(look_at_current(happening));
        if (happening->current == NULL) {
            TRY(look_at_previous(happening));
        }
        yyjson_val *root = happening->current != NULL ? happening->current : happening->previous;
        *ret_passes = false;
        if (root != NULL) {
            TRY(meets(happening, filter->plan, root, base_url, ret_passes));
        }
    }
    return STATUS_OK;
}
