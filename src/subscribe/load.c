/* SPDX-License-Identifier: MIT */
/* Subscriptions and topics out of the store, as they are now. */
#include "fhir/fhir.h"
#include "subscribe/subscribe_int.h"

/* ---- topics -------------------------------------------------------------------------------------
 */

const struct topic *topic_find(const struct subscribe *subscribe, const struct wanted *wanted)
{
    const struct topic *lists[] = {subscribe->topics, subscribe->packaged};
    for (size_t i = 0; i < 2; i++) {
        for (const struct topic *topic = lists[i]; topic != NULL; topic = topic->next) {
            if (slice_equals(topic->url, wanted->topic) &&
                (wanted->topic_version.length == 0 ||
                 slice_equals(topic->version, wanted->topic_version))) {
                return topic;
            }
        }
    }
    return NULL;
}

static struct planner planner_of(struct subscribe *subscribe, struct arena *arena,
                                 struct outcome *outcome, struct slice base_url)
{
    outcome_init(outcome, arena);
    return (struct planner){
        .options = &subscribe->options, .base_url = base_url, .arena = arena, .outcome = outcome};
}

/* What is no use as a topic is none; it was refused when it came in, unless by another door. */
static enum status take_topic(struct subscribe *subscribe, struct arena *scratch,
                              struct arena *arena, const struct store_version *version,
                              struct topic **list)
{
    struct json json;
    struct topic *topic;
    struct outcome outcome;
    struct planner planner = planner_of(subscribe, arena, &outcome, (struct slice){0});
    if (version->body.length > RESOURCE_MOST) {
        return STATUS_OK;
    }
    TRY(json_read(version->body, &json_limits_default, scratch, NULL, &json));
    if (!topic_is(json.root) ||
        topic_read(subscribe->options.definitions, json.root, arena, &outcome, &topic) !=
            STATUS_OK ||
        !topic->active) {
        return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
    }
    enum status status = plan_topic(&planner, topic);
    if (status == STATUS_OK) {
        topic->id = arena_copy(arena, version->id);
        topic->next = *list;
        *list = topic;
    }
    return status == STATUS_BUSINESS_RULE ? STATUS_OK : status;
}

static enum status find_topics(struct subscribe *subscribe, struct store_tx *tx,
                               struct arena *scratch, struct arena *arena, struct topic **ret_list)
{
    struct outcome outcome;
    struct search_plan plan;
    struct store_page page = {.more = true};
    const struct search_argument code = {SLICE("code"), SLICE(""), SLICE("SubscriptionTopic")};
    struct search_options options = {.definitions = subscribe->options.definitions,
                                     .learning = store_learning(subscribe->options.store),
                                     .type = subscribe->basic_type,
                                     .count_default = 100,
                                     .count_max = 100};
    *ret_list = NULL;
    outcome_init(&outcome, arena);
    TRY(search_plan_make(&options, &code, 1, arena, &outcome, &plan));
    while (page.more) {
        plan.query.cursor = page.next;
        struct arena_mark mark = arena_mark(scratch);
        TRY(store_find(tx, &plan.query, scratch, &outcome, &page));
        page.next = arena_copy(arena, page.next);
        for (size_t i = 0; i < page.count; i++) {
            struct arena_mark one = arena_mark(scratch);
            struct store_version version;
            TRY(store_read(tx, subscribe->basic_type, page.items[i].id, scratch, &version));
            TRY(take_topic(subscribe, scratch, arena, &version, ret_list));
            arena_rewind(scratch, one);
        }
        arena_rewind(scratch, mark);
    }
    return STATUS_OK;
}

static enum status load_topics(struct subscribe *subscribe, struct store_tx *tx)
{
    struct arena *arena = arena_create((size_t)256 << 20);
    struct arena *scratch = arena_create((size_t)256 << 20);
    struct topic *topics = NULL;
    enum status status = arena != NULL && scratch != NULL
                             ? find_topics(subscribe, tx, scratch, arena, &topics)
                             : STATUS_MEMORY;
    arena_destroy(scratch);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    (void)pthread_mutex_lock(&subscribe->lock);
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        each->topic = NULL;
    }
    struct arena *old = subscribe->topic_arena;
    subscribe->topic_arena = arena;
    subscribe->topics = topics;
    (void)pthread_mutex_unlock(&subscribe->lock);
    arena_destroy(old);
    return STATUS_OK;
}

static enum status visit_package(void *context, struct slice text)
{
    struct subscribe *subscribe = context;
    struct arena *scratch = arena_create((size_t)256 << 20);
    struct topic *topic;
    struct json json;
    struct outcome outcome;
    if (scratch == NULL) {
        return STATUS_MEMORY;
    }
    if (json_read(text, &json_limits_default, scratch, NULL, &json) == STATUS_OK &&
        topic_is(json.root)) {
        struct planner planner =
            planner_of(subscribe, subscribe->arena, &outcome, (struct slice){0});
        if (topic_read(subscribe->options.definitions, json.root, subscribe->arena, &outcome,
                       &topic) == STATUS_OK &&
            topic->active && plan_topic(&planner, topic) == STATUS_OK) {
            topic->next = subscribe->packaged;
            subscribe->packaged = topic;
        } else if (topic == NULL || topic->active) {
            log_event(LOG_TOPIC_PASSED_OVER, LOG_NUMBER(LOG_FIELD_BYTES, text.length));
        }
    }
    arena_destroy(scratch);
    return STATUS_OK;
}

enum status topics_of_packages(struct subscribe *subscribe, struct outcome *outcome)
{
    const struct config_list *packages = &subscribe->options.config->package;
    for (size_t i = 0; i < packages->count; i++) {
        TRY(package_resources(packages->items[i], SLICE("SubscriptionTopic"), visit_package,
                              subscribe, outcome));
    }
    return STATUS_OK;
}

/* ---- one subscription ---------------------------------------------------------------------------
 */

struct subscription *subscription_find(const struct subscribe *subscribe, struct slice id)
{
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        if (slice_equals(each->id, id)) {
            return each;
        }
    }
    return NULL;
}

void subscription_free(struct subscription *subscription)
{
    delivery_abandon(subscription->delivery);
    curl_slist_free_all(subscription->headers);
    arena_destroy(subscription->arena);
    arena_destroy(subscription->own);
}

static enum status read_note(struct subscription *subscription, struct store_tx *tx,
                             struct slice name, struct slice *ret_text)
{
    enum status status = store_note_get(tx, name, subscription->arena, ret_text);
    if (status == STATUS_NOT_FOUND) {
        *ret_text = (struct slice){0};
        return STATUS_OK;
    }
    return status;
}

/* The header as it is to be sent; the empty slice when it was meant for another endpoint. */
static enum status recall_header(struct subscription *subscription, struct store_tx *tx,
                                 struct slice mark, uint64_t index, struct slice *ret_header)
{
    struct slice text, id = subscription->id;
    const char *name = arena_print(subscription->arena, "subscribe.secret/%.*s/%.*s",
                                   SLICE_ARGS(id), SLICE_ARGS(mark));
    *ret_header = (struct slice){0};
    TRY(read_note(subscription, tx, slice_text(name), &text));
    struct slice endpoint = slice_cut(&text, '\n');
    if (!slice_equals(endpoint, subscription->wanted.endpoint)) {
        return STATUS_OK;
    }
    while (text.at != NULL && index-- > 0) {
        (void)slice_cut(&text, '\n');
    }
    *ret_header = text.at != NULL ? slice_cut(&text, '\n') : text;
    return STATUS_OK;
}

static bool add_line(struct subscription *subscription, struct slice line)
{
    const char *text = arena_print(subscription->arena, "%.*s", SLICE_ARGS(line));
    struct curl_slist *more = curl_slist_append(subscription->headers, text);
    subscription->headers = more != NULL ? more : subscription->headers;
    return more != NULL;
}

static enum status load_headers(struct subscription *subscription, struct store_tx *tx)
{
    const struct wanted *wanted = &subscription->wanted;
    curl_slist_free_all(subscription->headers);
    subscription->headers = NULL;
    subscription->headers_lost = false;
    bool fits = add_line(subscription, SLICE("Content-Type: application/fhir+json")) &&
                add_line(subscription, SLICE("Expect:"));
    for (size_t i = 0; fits && i < wanted->header_count; i++) {
        struct slice mark, header = wanted->headers[i];
        uint64_t index;
        if (header_mark(header, &mark, &index)) {
            TRY(recall_header(subscription, tx, mark, index, &header));
        }
        subscription->headers_lost = subscription->headers_lost || header.length == 0;
        fits = header.length == 0 || add_line(subscription, header);
    }
    return fits ? STATUS_OK : STATUS_MEMORY;
}

/* Why it cannot be served; the empty slice: it can. */
static enum status understand(struct subscription *subscription, struct store_tx *tx,
                              yyjson_val *root, struct slice *ret_fault)
{
    struct subscribe *subscribe = subscription->subscribe;
    struct wanted *wanted = &subscription->wanted;
    struct outcome outcome;
    struct planner planner =
        planner_of(subscribe, subscription->arena, &outcome, subscription->base_url);
    *ret_fault = (struct slice){0};
    if (wanted_read(subscribe->options.definitions, root, subscription->arena, &outcome, wanted) !=
        STATUS_OK) {
        *ret_fault = SLICE("This Subscription is not one that this server can serve: PUT it again "
                           "to learn why.");
        return arena_full(subscription->arena) ? STATUS_MEMORY : STATUS_OK;
    }
    subscription->topic = topic_find(subscribe, wanted);
    TRY(load_headers(subscription, tx));
    if (subscription->topic == NULL) {
        *ret_fault = SLICE("There is no active topic of this URL any more.");
        return STATUS_OK;
    }
    enum status status = plan_filters(&planner, subscription->topic, wanted);
    if (status == STATUS_BUSINESS_RULE) {
        subscription->topic = NULL;
        *ret_fault = SLICE("The topic does not allow these filters any more.");
        return STATUS_OK;
    }
    TRY(status);
    if (subscription->headers_lost) {
        *ret_fault = SLICE("The header values kept for it were given for another endpoint: give "
                           "them again.");
    } else if (wanted->channel == CHANNEL_REST_HOOK &&
               !endpoint_allowed(&subscribe->options.config->subscription_endpoint,
                                 wanted->endpoint)) {
        *ret_fault = SLICE("This server may not call this endpoint (any more).");
    }
    return STATUS_OK;
}

/* Somebody else than this module has written it: it begins, begins again or ends. */
static void take_news(struct subscription *subscription, const struct store_version *version,
                      bool was_off)
{
    struct wanted *wanted = &subscription->wanted;
    if (wanted->standing != STANDING_OFF) {
        wanted->standing = STANDING_REQUESTED;
    }
    if (was_off) {
        subscription->numbers.since = version->change;
    }
    subscription->replaced =
        subscription->replaced > 0 ? subscription->replaced : subscription->numbers.version;
    subscription->numbers.version = version->version;
    subscription->saved = subscription->unmatched = false;
    subscription->failures = subscription->faults = subscription->unsettled = 0;
    subscription->due = 0;
    subscription->greeted = false;
    subscription->error = (struct slice){0};
}

static enum status recall(struct subscription *subscription, struct store_tx *tx, bool *ret_first)
{
    struct slice text;
    struct arena_mark mark = arena_mark(subscription->own);
    enum status status = store_note_get(tx, note_name(subscription->own, NULL, subscription->id),
                                        subscription->own, &text);
    *ret_first = status == STATUS_NOT_FOUND;
    if (*ret_first) {
        subscription->numbers = (struct numbers){.first = 1};
        subscription->acknowledged = 0;
        status = STATUS_OK;
    } else if (status == STATUS_OK && !numbers_read(text, &subscription->numbers)) {
        status = STATUS_CORRUPT;
    }
    arena_rewind(subscription->own, mark);
    return status;
}

/* Was the version that was taken in last off? What happened since then was not to be told. */
static enum status was_off(struct subscription *subscription, struct store_tx *tx, bool *ret_off)
{
    struct arena *scratch = arena_create((size_t)16 << 20);
    struct store_version version;
    struct json json;
    uint64_t number = subscription->numbers.version;
    *ret_off = false;
    if (scratch == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_read_version(tx, subscription->subscribe->subscription_type,
                                            subscription->id, (uint32_t)number, scratch, &version);
    if (status == STATUS_OK && version.body.length <= RESOURCE_MOST) {
        status = json_read(version.body, &json_limits_default, scratch, NULL, &json);
        *ret_off = status == STATUS_OK && slice_is(json_get_string(json.root, "status"), "off");
    }
    arena_destroy(scratch);
    return status == STATUS_NOT_FOUND || status == STATUS_GONE ? STATUS_OK : status;
}

/* Under the lock. KNOWN: what is in memory of it is how it stood before. */
static enum status take(struct subscription *subscription, struct store_tx *tx,
                        const struct store_version *version, bool known, bool first)
{
    struct json json;
    struct slice fault;
    bool fits = version->body.length <= RESOURCE_MOST; /* or it came in before that was refused */
    bool off = first || subscription->wanted.standing == STANDING_OFF;
    if (!known && !first && subscription->numbers.version != version->version) {
        TRY(was_off(subscription, tx, &off));
    }
    struct arena *old = subscription->arena;
    subscription->arena = arena_create((size_t)16 << 20);
    if (subscription->arena == NULL) {
        subscription->arena = old;
        return STATUS_MEMORY;
    }
    delivery_abandon(subscription->delivery);
    arena_destroy(old);
    subscription->topic = NULL;
    subscription->wanted = (struct wanted){0};
    subscription->error = (struct slice){0};
    TRY(read_note(subscription, tx, note_name(subscription->arena, "base", subscription->id),
                  &subscription->base_url));
    if (!fits) {
        subscription->wanted.standing = STANDING_OFF;
        fault = SLICE("This Subscription is larger than 256 KiB: PUT a smaller one.");
    } else {
        TRY(json_read(version->body, &json_limits_default, subscription->arena, NULL, &json));
        TRY(understand(subscription, tx, json.root, &fault));
    }
    if (subscription->numbers.version != version->version) {
        take_news(subscription, version, off);
    } else if (fits && subscription->wanted.standing == STANDING_ERROR) {
        subscription->error = arena_copy(subscription->arena, json_get_string(json.root, "error"));
    }
    subscription->error = fault.length > 0 ? fault : subscription->error;
    return arena_full(subscription->arena) ? STATUS_MEMORY : STATUS_OK;
}

static enum status make(struct subscribe *subscribe, struct slice id,
                        struct subscription **ret_subscription)
{
    struct arena *own = arena_create((size_t)1 << 20);
    struct subscription *subscription = own != NULL ? ARENA_NEW(own, struct subscription) : NULL;
    *ret_subscription = subscription;
    if (subscription == NULL) {
        arena_destroy(own);
        return STATUS_MEMORY;
    }
    subscription->subscribe = subscribe;
    subscription->own = own;
    subscription->id = arena_copy(own, id);
    subscription->sent = time_monotonic();
    return STATUS_OK;
}

enum status subscription_take(struct subscribe *subscribe, struct store_tx *tx,
                              const struct store_version *version)
{
    struct subscription *subscription = subscription_find(subscribe, version->id);
    bool fresh = subscription == NULL, known = !fresh && !subscribe->anew, first = false;
    enum status status = STATUS_OK;
    if (fresh) {
        TRY(make(subscribe, version->id, &subscription));
    }
    if (!known) {
        (void)pthread_mutex_lock(&subscribe->lock);
        status = recall(subscription, tx, &first);
        (void)pthread_mutex_unlock(&subscribe->lock);
    }
    (void)pthread_mutex_lock(&subscribe->lock);
    if (status == STATUS_OK) {
        subscription->seen = true;
        status = take(subscription, tx, version, known, first);
    }
    if (status == STATUS_OK && fresh) {
        subscription->next = subscribe->subscriptions;
        subscribe->subscriptions = subscription;
        subscribe->count++;
        atomic_store(&subscribe->any, true);
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    if (status != STATUS_OK && fresh) {
        subscription_free(subscription);
    }
    return status;
}

/* ---- all ----------------------------------------------------------------------------------------
 */

/* Their ids first: a scan is not asked for other things meanwhile. */
static enum status take_all(struct subscribe *subscribe, struct store_tx *tx, struct arena *arena)
{
    struct slice *ids;
    size_t count;
    TRY(subscribe_ids(subscribe, tx, arena, &ids, &count));
    for (size_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(arena);
        struct store_version version;
        TRY(store_read(tx, subscribe->subscription_type, ids[i], arena, &version));
        TRY(subscription_take(subscribe, tx, &version));
        arena_rewind(arena, mark);
    }
    return STATUS_OK;
}

static enum status forget_unseen(struct subscribe *subscribe, struct store_tx *tx)
{
    for (struct subscription *each = subscribe->subscriptions, *next; each != NULL; each = next) {
        next = each->next;
        if (!each->seen) {
            TRY(subscription_forget(subscribe, tx, each->id));
        }
    }
    return STATUS_OK;
}

enum status subscriptions_load(struct subscribe *subscribe, struct store_tx *tx)
{
    if (subscribe->options.ready != NULL) {
        TRY(subscribe->options.ready(subscribe->options.context));
    }
    TRY(load_topics(subscribe, tx));
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        each->seen = false;
    }
    struct arena *arena = arena_create((size_t)256 << 20);
    enum status status = arena != NULL ? take_all(subscribe, tx, arena) : STATUS_MEMORY;
    arena_destroy(arena);
    TRY(status);
    return forget_unseen(subscribe, tx);
}

static bool is_kept(const struct subscription *kept, struct slice mark)
{
    for (size_t i = 0; kept != NULL && i < kept->wanted.header_count; i++) {
        struct slice other;
        uint64_t index;
        if (header_mark(kept->wanted.headers[i], &other, &index) && slice_equals(other, mark)) {
            return true;
        }
    }
    return false;
}

/* KEPT: but not what this has; NULL: all. */
static void forget_secrets_of(const struct store_version *version, const struct subscription *kept,
                              struct arena *scratch, struct commit *commit, uint64_t *last)
{
    struct json json;
    size_t at, max;
    yyjson_val *header;
    if (version->body.length == 0 ||
        json_read(version->body, &json_limits_default, scratch, NULL, &json) != STATUS_OK) {
        return; /* a tombstone */
    }
    yyjson_val *all = json_get(json_get(json.root, "channel"), "header");
    if (!yyjson_is_arr(all)) {
        return;
    }
    yyjson_arr_foreach(all, at, max, header)
    {
        struct slice mark;
        uint64_t index, this = 0;
        if (!header_mark(json_string(header), &mark, &index)) {
            continue;
        }
        memcpy(&this, mark.at, sizeof this); /* enough to know the one before again */
        if (this != *last && !is_kept(kept, mark)) {
            commit_remove(commit,
                          slice_text(arena_print(commit->arena, "subscribe.secret/%.*s/%.*s",
                                                 SLICE_ARGS(version->id), SLICE_ARGS(mark))));
        }
        *last = this;
    }
}

/* Those of earlier versions too. */
static enum status forget_secrets(struct subscribe *subscribe, struct store_tx *tx, struct slice id,
                                  struct commit *commit)
{
    struct arena *arena = arena_create((size_t)64 << 20);
    struct arena *scratch = arena_create((size_t)256 << 20);
    struct store_history_query query = {.type = subscribe->subscription_type,
                                        .id = id,
                                        .since = INT64_MIN,
                                        .count = 100,
                                        .bytes = (size_t)8 << 20};
    struct store_page page = {.more = true};
    struct outcome outcome;
    uint64_t last = 0;
    enum status status = arena != NULL && scratch != NULL ? STATUS_OK : STATUS_MEMORY;
    while (status == STATUS_OK && page.more) {
        struct arena_mark mark = arena_mark(scratch);
        query.cursor = page.next;
        outcome_init(&outcome, scratch);
        status = store_history(tx, &query, scratch, &outcome, &page);
        for (size_t i = 0; status == STATUS_OK && i < page.count; i++) {
            forget_secrets_of(&page.items[i], NULL, scratch, commit, &last);
        }
        page.next = status == STATUS_OK ? arena_copy(arena, page.next) : page.next;
        arena_rewind(scratch, mark);
    }
    arena_destroy(arena);
    arena_destroy(scratch);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* erased */
}

enum status secrets_forget_replaced(struct subscription *subscription, struct store_tx *tx,
                                    struct commit *commit)
{
    struct arena *scratch = arena_create((size_t)16 << 20);
    resource_type type = subscription->subscribe->subscription_type;
    enum status status = scratch != NULL ? STATUS_OK : STATUS_MEMORY;
    uint64_t last = 0;
    for (uint64_t number = subscription->replaced;
         status == STATUS_OK && number < subscription->numbers.version; number++) {
        struct store_version version;
        status =
            store_read_version(tx, type, subscription->id, (uint32_t)number, scratch, &version);
        if (status == STATUS_OK) {
            forget_secrets_of(&version, subscription, scratch, commit, &last);
        }
        status = status == STATUS_NOT_FOUND || status == STATUS_GONE ? STATUS_OK : status;
        arena_reset(scratch, 0);
    }
    arena_destroy(scratch);
    return status;
}

static enum status numbers_of(struct store_tx *tx, struct slice id, struct arena *arena,
                              struct numbers *ret_numbers)
{
    struct slice text;
    *ret_numbers = (struct numbers){.first = 1};
    TRY(store_note_get(tx, note_name(arena, NULL, id), arena, &text));
    return numbers_read(text, ret_numbers) ? STATUS_OK : STATUS_CORRUPT;
}

/* Whoever delivered when it was deleted may have died before it did this: so it asks the store and
 * not what is in memory. */
static enum status forget_notes(struct subscribe *subscribe, struct store_tx *tx, struct slice id,
                                struct commit *commit)
{
    struct numbers numbers;
    struct slice base;
    enum status status = numbers_of(tx, id, commit->arena, &numbers);
    bool has_numbers = status == STATUS_OK;
    TRY(status == STATUS_NOT_FOUND ? STATUS_OK : status);
    status = store_note_get(tx, note_name(commit->arena, "base", id), commit->arena, &base);
    if (status == STATUS_NOT_FOUND && !has_numbers) {
        return STATUS_OK; /* it was done before */
    }
    TRY(status == STATUS_NOT_FOUND ? STATUS_OK : status);
    commit_remove(commit, note_name(commit->arena, NULL, id));
    commit_remove(commit, note_name(commit->arena, "base", id));
    for (uint64_t chunk = (numbers.first - 1) / CHUNK;
         numbers.last > 0 && chunk <= (numbers.last - 1) / CHUNK; chunk++) {
        commit_remove(commit, events_name(commit->arena, id, chunk));
    }
    TRY(forget_secrets(subscribe, tx, id, commit));
    return commit_make(commit, subscribe);
}

/* It was deleted: what was kept for it goes too. */
enum status subscription_forget(struct subscribe *subscribe, struct store_tx *tx, struct slice id)
{
    if (atomic_load(&subscribe->holds)) {
        struct commit commit = {.arena = arena_create((size_t)64 << 20)};
        enum status status =
            commit.arena != NULL ? forget_notes(subscribe, tx, id, &commit) : STATUS_MEMORY;
        arena_destroy(commit.arena);
        TRY(status);
    }
    struct subscription **at = &subscribe->subscriptions;
    while (*at != NULL && !slice_equals((*at)->id, id)) {
        at = &(*at)->next;
    }
    struct subscription *gone = *at;
    if (gone == NULL) {
        return STATUS_OK;
    }
    (void)pthread_mutex_lock(&subscribe->lock);
    *at = gone->next;
    subscribe->count--;
    socket_forget(subscribe, gone);
    (void)pthread_mutex_unlock(&subscribe->lock);
    subscription_free(gone);
    return STATUS_OK;
}
