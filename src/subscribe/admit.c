/* SPDX-License-Identifier: MIT */
/* A Subscription or topic on its way into the store: refused when it could not be served, and freed
 * of its secrets. Header values never enter the record: whoever reads the Subscription, its
 * history or an export of it sees a mark in their place. */
#include "subscribe/subscribe_int.h"

/* "Authorization: [kept by the server: 0123456789abcdef.1]" */
#define MARK_BEGIN "[kept by the server: "
#define MARK_END   "]"

static struct slice value_of(struct slice header)
{
    (void)slice_cut(&header, ':');
    return slice_trim(header);
}

bool header_mark(struct slice header, struct slice *ret_mark, uint64_t *ret_index)
{
    struct slice value = value_of(header);
    if (!slice_starts(value, SLICE(MARK_BEGIN)) || !slice_ends(value, SLICE(MARK_END))) {
        return false;
    }
    value = slice_from(slice_head(value, value.length - 1), sizeof MARK_BEGIN - 1);
    *ret_mark = slice_cut(&value, '.');
    return value.at != NULL && ret_mark->length == 16 &&
           slice_to_unsigned(value, HEADERS_MOST, ret_index);
}

/* ---- secrets ------------------------------------------------------------------------------------
 */

static enum status hide_headers(const struct wanted *wanted, yyjson_mut_doc *doc,
                                struct arena *arena, struct subscribe_admission *admission)
{
    yyjson_mut_val *channel = yyjson_mut_obj_get(yyjson_mut_doc_get_root(doc), "channel");
    yyjson_mut_val *all = yyjson_mut_obj_get(channel, "header");
    struct buffer secret = {.arena = arena}, mark = {.arena = arena};
    uint8_t bytes[8];
    uint64_t kept = 0;
    random_bytes(bytes, sizeof bytes);
    hex_write(slice_of((const char *)bytes, sizeof bytes), &mark);
    buffer_add(&secret, wanted->endpoint);
    for (size_t i = 0; i < wanted->header_count; i++) {
        struct slice ignored, header = wanted->headers[i];
        uint64_t number;
        if (header_mark(header, &ignored, &number)) {
            continue;
        }
        const char *text = arena_print(arena, "%.*s: " MARK_BEGIN "%.*s.%llu" MARK_END,
                                       SLICE_ARGS(slice_head(header, slice_index(header, ':'))),
                                       SLICE_ARGS(buffer_slice(&mark)), (unsigned long long)kept++);
        buffer_add_byte(&secret, '\n');
        buffer_add(&secret, header);
        if (yyjson_mut_arr_replace(all, i, yyjson_mut_strcpy(doc, text)) == NULL) {
            return STATUS_TOO_COSTLY;
        }
    }
    if (kept > 0) {
        admission->mark = buffer_slice(&mark);
        admission->secret = buffer_slice(&secret);
    }
    return buffer_ok(&secret) && buffer_ok(&mark) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* What a client says of the status: `off`, or anything else, which asks for it to be (again) in
 * force: the server then says what came of that. */
static enum status settle(const struct wanted *wanted, yyjson_val *root, struct arena *arena,
                          struct subscribe_admission *admission)
{
    struct slice status = json_get_string(root, "status");
    bool as_it_is = slice_is(status, "off") || slice_is(status, "requested");
    if (as_it_is && wanted->header_count == 0) {
        return STATUS_OK;
    }
    struct buffer text = {.arena = arena};
    struct json json;
    yyjson_mut_doc *doc = json_mutable(arena, root);
    if (doc == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (!as_it_is) {
        yyjson_mut_val *object = yyjson_mut_doc_get_root(doc);
        yyjson_mut_val *value = yyjson_mut_str(doc, "requested");
        if (!yyjson_mut_obj_replace(object, yyjson_mut_str(doc, "status"), value)) {
            return STATUS_TOO_COSTLY;
        }
        (void)yyjson_mut_obj_remove_key(object, "error");
    }
    TRY(hide_headers(wanted, doc, arena, admission));
    json_write_mutable(yyjson_mut_doc_get_root(doc), &text);
    if (!buffer_ok(&text)) {
        return STATUS_TOO_COSTLY;
    }
    TRY(json_read(buffer_slice(&text), &json_limits_default, arena, NULL, &json));
    admission->root = json.root;
    return STATUS_OK;
}

/* ---- can it be served ---------------------------------------------------------------------------
 */

/* One that is too large for the thread that tells would keep it from telling anybody. */
static enum status check_size(yyjson_val *root, struct slice name, struct arena *arena,
                              struct outcome *outcome)
{
    struct arena_mark mark = arena_mark(arena);
    struct buffer text = {.arena = arena};
    json_write(root, NULL, NULL, &text);
    bool fits = buffer_ok(&text) && text.length <= RESOURCE_MOST;
    arena_rewind(arena, mark);
    return fits ? STATUS_OK
                : outcome_fail(outcome, STATUS_BUSINESS_RULE, "",
                               "This %.*s is larger than 256 KiB: leave out what nobody needs to "
                               "be told.",
                               SLICE_ARGS(name));
}

static enum status check_room(const struct subscribe *subscribe, struct slice id,
                              struct outcome *outcome)
{
    if (subscribe->count < (size_t)subscribe->options.config->subscriptions ||
        subscription_find(subscribe, id) != NULL) {
        return STATUS_OK;
    }
    return outcome_fail(outcome, STATUS_BUSINESS_RULE, "",
                        "This server keeps %lld Subscriptions (setting subscriptions) and has them "
                        "already: delete one that is no longer used.",
                        (long long)subscribe->options.config->subscriptions);
}

static enum status check_topic(struct subscribe *subscribe, struct wanted *wanted,
                               struct slice base_url, struct arena *arena, struct outcome *outcome)
{
    const struct topic *topic = topic_find(subscribe, wanted);
    struct planner planner = {
        .options = &subscribe->options, .base_url = base_url, .arena = arena, .outcome = outcome};
    if (topic == NULL) {
        return outcome_fail(outcome, STATUS_BUSINESS_RULE, "Subscription.criteria",
                            "There is no active topic of this URL here: a topic is a Basic with "
                            "code SubscriptionTopic, as docs/subscriptions.md shows.");
    }
    return plan_filters(&planner, topic, wanted);
}

static enum status check_subscription(struct subscribe *subscribe, struct slice id,
                                      struct wanted *wanted, struct slice base_url,
                                      struct arena *arena, struct outcome *outcome)
{
    if (wanted->channel == CHANNEL_REST_HOOK &&
        !endpoint_allowed(&subscribe->options.config->subscription_endpoint, wanted->endpoint)) {
        return outcome_fail(outcome, STATUS_BUSINESS_RULE, "Subscription.channel.endpoint",
                            "This server may not call this endpoint: its operator lists the "
                            "addresses that may be called with the setting "
                            "subscription-endpoint.");
    }
    if (subscribe->options.ready != NULL) {
        TRY(subscribe->options.ready(subscribe->options.context));
    }
    (void)pthread_mutex_lock(&subscribe->lock);
    enum status status = check_room(subscribe, id, outcome);
    if (status == STATUS_OK) {
        status = check_topic(subscribe, wanted, base_url, arena, outcome);
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    return status;
}

/* A topic in force must be understood whole; a draft may be anything. */
static enum status admit_topic(struct subscribe *subscribe, const struct definitions *definitions,
                               yyjson_val *root, struct slice base_url, struct arena *arena,
                               struct outcome *outcome)
{
    struct topic *topic;
    struct outcome unheard;
    outcome_init(&unheard, arena);
    enum status status = topic_read(definitions, root, arena, &unheard, &topic);
    if (topic == NULL || !topic->active) {
        return topic == NULL ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    if (status != STATUS_OK) {
        return topic_read(definitions, root, arena, outcome, &topic);
    }
    if (subscribe == NULL) {
        return STATUS_OK;
    }
    struct planner planner = {
        .options = &subscribe->options, .base_url = base_url, .arena = arena, .outcome = outcome};
    if (subscribe->options.ready != NULL) {
        TRY(subscribe->options.ready(subscribe->options.context));
    }
    return plan_topic(&planner, topic);
}

enum status subscribe_admit(struct subscribe *subscribe, const struct definitions *definitions,
                            resource_type type, struct slice id, yyjson_val *root,
                            struct slice base_url, struct arena *arena, struct outcome *outcome,
                            struct subscribe_admission *ret_admission)
{
    struct slice name = resource_type_name(definitions, type);
    struct wanted wanted;
    *ret_admission = (struct subscribe_admission){.root = root};
    if (slice_is(name, "Basic") && topic_is(root)) {
        TRY(check_size(root, SLICE("topic"), arena, outcome));
        return admit_topic(subscribe, definitions, root, base_url, arena, outcome);
    }
    if (!slice_is(name, "Subscription")) {
        return STATUS_OK;
    }
    TRY(check_size(root, name, arena, outcome));
    ret_admission->id = id;
    TRY(wanted_read(definitions, root, arena, outcome, &wanted));
    if (subscribe != NULL && wanted.standing != STANDING_OFF) {
        TRY(check_subscription(subscribe, id, &wanted, base_url, arena, outcome));
    }
    return settle(&wanted, root, arena, ret_admission);
}

enum status subscribe_keep(const struct subscribe_admission *admission, struct slice base_url,
                           struct arena *arena, struct store_draft *draft)
{
    if (admission->id.length == 0) {
        return STATUS_OK;
    }
    TRY(store_draft_add_note(draft, note_name(arena, "base", admission->id), base_url, arena));
    if (admission->mark.length == 0) {
        return STATUS_OK;
    }
    const char *name = arena_print(arena, "subscribe.secret/%.*s/%.*s", SLICE_ARGS(admission->id),
                                   SLICE_ARGS(admission->mark));
    return store_draft_add_note(draft, slice_text(name), admission->secret, arena);
}
