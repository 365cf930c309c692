/* SPDX-License-Identifier: MIT */
/* The store's changes, in order, become events of subscriptions. */
#include "subscribe/subscribe_int.h"

#define CHANGES_AT_ONCE 500
#define BYTES_AT_ONCE   ((size_t)8 << 20)
/* Changes that no event came of need not be remembered as seen at once: to look at them again after
 * a kill costs a little time. */
#define CURSOR_SECONDS 10

struct following {
    struct subscribe *subscribe;
    struct store_tx *tx;
    struct arena *arena;
    struct commit commit;
    uint64_t up_to;
    bool more, alone;
};

/* After so many attempts a second apart it is not the moment's fault. */
#define FAULTS_MOST 3

/* ---- what is looked at --------------------------------------------------------------------------
 */

static void choose_types(struct subscribe *subscribe)
{
    size_t count = (size_t)resource_type_count(subscribe->options.definitions) + 1;
    memset(subscribe->types, 0, count * sizeof *subscribe->types);
    subscribe->types[subscribe->subscription_type] = true;
    subscribe->types[subscribe->basic_type] = true;
    for (const struct subscription *each = subscribe->subscriptions;
         each != NULL && atomic_load(&subscribe->holds); each = each->next) {
        for (size_t i = 0; each->topic != NULL && i < each->topic->trigger_count; i++) {
            subscribe->types[each->topic->triggers[i].type] = true;
        }
    }
}

static bool is_topic_of_ours(const struct subscribe *subscribe, struct slice id)
{
    for (const struct topic *topic = subscribe->topics; topic != NULL; topic = topic->next) {
        if (slice_equals(topic->id, id)) {
            return true;
        }
    }
    return false;
}

/* Does the change add, change or take away a topic? */
static bool tells_of_topics(struct following *following, const struct store_version *version)
{
    struct json json;
    if (version->type != following->subscribe->basic_type) {
        return false;
    }
    return is_topic_of_ours(following->subscribe, version->id) ||
           (version->method != STORE_DELETED && version->body.length <= RESOURCE_MOST &&
            json_read(version->body, &json_limits_default, following->arena, NULL, &json) ==
                STATUS_OK &&
            topic_is(json.root));
}

static enum status refresh(struct following *following, struct slice id)
{
    struct subscribe *subscribe = following->subscribe;
    struct store_version version;
    const struct subscription *known = subscription_find(subscribe, id);
    enum status status =
        store_read(following->tx, subscribe->subscription_type, id, following->arena, &version);
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        return subscription_forget(subscribe, following->tx, id);
    }
    TRY(status);
    if (known != NULL && known->numbers.version == version.version && known->topic != NULL) {
        return STATUS_OK;
    }
    return subscription_take(subscribe, following->tx, &version);
}

/* Subscriptions and topics first, so that each is known before what happened after it. */
static enum status take_in(struct following *following, const struct store_version *items,
                           size_t count, bool *ret_again)
{
    struct subscribe *subscribe = following->subscribe;
    bool topics = false;
    size_t before = subscribe->count;
    for (size_t i = 0; i < count; i++) {
        topics = topics || tells_of_topics(following, &items[i]);
    }
    if (topics) {
        TRY(subscriptions_load(subscribe, following->tx));
    }
    for (size_t i = 0; i < count && !topics; i++) {
        if (items[i].type == subscribe->subscription_type) {
            TRY(refresh(following, items[i].id));
            *ret_again = true;
        }
    }
    *ret_again = *ret_again || topics || before != subscribe->count;
    return STATUS_OK;
}

/* ---- events -------------------------------------------------------------------------------------
 */

static enum status add_event(struct following *following, struct subscription *subscription,
                             const struct store_version *version)
{
    if (subscription->fresh_count == subscription->fresh_capacity) {
        size_t more = subscription->fresh_capacity * 2 + 16;
        struct event *larger =
            arena_resize(following->arena, subscription->fresh,
                         subscription->fresh_capacity * sizeof *larger, more * sizeof *larger);
        if (larger == NULL) {
            return STATUS_MEMORY;
        }
        subscription->fresh = larger;
        subscription->fresh_capacity = more;
    }
    struct event *event = &subscription->fresh[subscription->fresh_count++];
    *event = (struct event){.number = subscription->numbers.last + subscription->fresh_count,
                            .change = version->change,
                            .version = version->version,
                            .updated = version->updated,
                            .method = version->method,
                            .created = version->created,
                            .type = version->type,
                            .id = version->id};
    return STATUS_OK;
}

static enum status is_asked_for(struct happening *happening,
                                const struct subscription *subscription, bool *ret_asked)
{
    *ret_asked = subscription->topic != NULL && subscription->wanted.standing != STANDING_OFF &&
                 happening->version->change > subscription->numbers.since;
    if (*ret_asked) {
        TRY(happening_fires(happening, subscription->topic, subscription->base_url, ret_asked));
    }
    return *ret_asked ? happening_passes(happening, &subscription->wanted, subscription->base_url,
                                         ret_asked)
                      : STATUS_OK;
}

/* What cannot be compared with one subscription does not keep all others from their events: that
 * one gets status `error`, and only then the change is passed over for it. */
static enum status take_fault(struct following *following, struct subscription *subscription,
                              enum status status)
{
    if (status == STATUS_TRANSIENT || status == STATUS_BUSY || status == STATUS_IO) {
        return status; /* the store's */
    }
    if (subscription->unmatched && subscription->wanted.standing == STANDING_ERROR) {
        return STATUS_OK;
    }
    following->alone = true;
    subscription->faults++;
    subscription->unmatched = subscription->faults >= FAULTS_MOST;
    return status;
}

static enum status look_at(struct following *following, const struct store_version *version)
{
    struct happening happening = {
        .version = version, .tx = following->tx, .arena = arena_create((size_t)256 << 20)};
    enum status status = happening.arena != NULL ? STATUS_OK : STATUS_MEMORY;
    for (struct subscription *each = following->subscribe->subscriptions;
         each != NULL && status == STATUS_OK; each = each->next) {
        bool asked;
        status = is_asked_for(&happening, each, &asked);
        if (status != STATUS_OK) {
            status = take_fault(following, each, status);
        } else if (asked) {
            status = add_event(following, each, version);
        }
    }
    arena_destroy(happening.arena);
    return status;
}

/* The last chunk goes on, further ones begin. */
static enum status write_events(struct following *following, struct subscription *subscription)
{
    struct commit *commit = &following->commit;
    const struct definitions *definitions = following->subscribe->options.definitions;
    uint64_t last = subscription->numbers.last;
    struct buffer text = {.arena = following->arena};
    struct slice before;
    uint64_t chunk = last / CHUNK;
    if (last % CHUNK != 0) {
        enum status status =
            store_note_get(following->tx, events_name(following->arena, subscription->id, chunk),
                           following->arena, &before);
        if (status != STATUS_NOT_FOUND) {
            TRY(status);
            buffer_add(&text, before);
        }
    }
    for (size_t i = 0; i < subscription->fresh_count; i++) {
        const struct event *event = &subscription->fresh[i];
        if ((event->number - 1) / CHUNK != chunk) {
            commit_set(commit, events_name(following->arena, subscription->id, chunk),
                       buffer_slice(&text));
            TRY(buffer_ok(&text) ? STATUS_OK : STATUS_MEMORY);
            text = (struct buffer){.arena = following->arena};
            chunk = (event->number - 1) / CHUNK;
        }
        event_write(definitions, event, &text);
    }
    commit_set(commit, events_name(following->arena, subscription->id, chunk), buffer_slice(&text));
    return buffer_ok(&text) ? STATUS_OK : STATUS_MEMORY;
}

/* ---- commits ------------------------------------------------------------------------------------
 */

static enum status prepare_commit(struct following *following)
{
    struct subscribe *subscribe = following->subscribe;
    struct commit *commit = &following->commit;
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        struct numbers numbers = each->numbers;
        numbers.last += each->fresh_count;
        if (each->fresh_count > 0) {
            TRY(write_events(following, each));
        }
        if (!each->saved && each->replaced > 0) {
            TRY(secrets_forget_replaced(each, following->tx, commit));
        }
        if (each->fresh_count > 0 || !each->saved) {
            commit_set(commit, note_name(following->arena, NULL, each->id),
                       numbers_write(&numbers, following->arena));
        }
    }
    return STATUS_OK;
}

static void took_effect(struct following *following)
{
    struct subscribe *subscribe = following->subscribe;
    (void)pthread_mutex_lock(&subscribe->lock);
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        each->numbers.last += each->fresh_count;
        subscribe->totals.events += each->fresh_count;
        each->saved = true;
        each->replaced = 0;
        each->faults = 0;
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    subscribe->saved_cursor = following->up_to;
    subscribe->cursor_saved = time_monotonic();
}

static enum status settle(struct following *following)
{
    struct subscribe *subscribe = following->subscribe;
    if (!atomic_load(&subscribe->holds)) {
        subscribe->cursor = following->up_to;
        return STATUS_OK;
    }
    TRY(prepare_commit(following));
    bool late = subscribe->count > 0 && following->up_to != subscribe->saved_cursor &&
                time_monotonic() - subscribe->cursor_saved > CURSOR_SECONDS * MICROS_PER_SECOND;
    if (following->commit.notes != NULL || late) {
        commit_set(&following->commit, SLICE("subscribe.cursor"),
                   slice_text(arena_print(following->arena, "%llu",
                                          (unsigned long long)following->up_to)));
        TRY(commit_make(&following->commit, subscribe));
        took_effect(following);
    }
    subscribe->cursor = following->up_to;
    return STATUS_OK;
}

/* ---- a round ------------------------------------------------------------------------------------
 */

static enum status read_changes(struct following *following, struct store_version **ret_items,
                                size_t *ret_count)
{
    struct subscribe *subscribe = following->subscribe;
    struct store_changes asked = {.after = subscribe->cursor,
                                  .types = subscribe->types,
                                  .most = CHANGES_AT_ONCE,
                                  .bytes = BYTES_AT_ONCE};
    choose_types(subscribe);
    TRY(store_changes_read(following->tx, &asked, following->arena, ret_items, ret_count,
                           &following->up_to));
    following->more = *ret_count > 0 && (*ret_items)[*ret_count - 1].change == following->up_to;
    return STATUS_OK;
}

static enum status follow(struct following *following)
{
    struct subscribe *subscribe = following->subscribe;
    struct store_version *items;
    size_t count;
    bool again = false;
    uint64_t turn = store_parameters_turn(subscribe->options.store);
    if (subscribe->stale || turn != subscribe->turn) {
        TRY(subscriptions_load(subscribe, following->tx));
        subscribe->turn = turn;
        subscribe->stale = false;
    }
    if (!atomic_load(&subscribe->holds)) {
        TRY(lease_recall(subscribe, following->tx));
    }
    TRY(read_changes(following, &items, &count));
    TRY(take_in(following, items, count, &again));
    if (again) { /* other types may count now */
        TRY(read_changes(following, &items, &count));
    }
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        each->fresh = NULL;
        each->fresh_count = each->fresh_capacity = 0;
    }
    for (size_t i = 0; i < count && atomic_load(&subscribe->holds); i++) {
        TRY(look_at(following, &items[i]));
    }
    return STATUS_OK;
}

enum status changes_match(struct subscribe *subscribe, bool *ret_more, bool *ret_alone)
{
    struct following following = {.subscribe = subscribe, .arena = arena_create((size_t)256 << 20)};
    following.commit.arena = following.arena;
    *ret_more = *ret_alone = false;
    if (following.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_snapshot_begin(subscribe->reader, 0, &following.tx);
    if (status == STATUS_OK) {
        status = follow(&following);
        if (status == STATUS_OK) {
            status = settle(&following);
        }
        store_snapshot_end(following.tx);
    }
    if (status != STATUS_OK && !following.alone) {
        subscribe->stale = true;
    }
    *ret_more = status == STATUS_OK && following.more;
    *ret_alone = status != STATUS_OK && following.alone && !subscribe->anew;
    arena_destroy(following.arena);
    return status;
}
