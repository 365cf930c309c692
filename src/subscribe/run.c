/* SPDX-License-Identifier: MIT */
/* The thread of subscriptions: opened, awake, closed. */
#include <time.h>

#include "subscribe/subscribe_int.h"

#define PAUSE_MOST    (MICROS_PER_SECOND / 5) /* what no wake tells of: other processes' writes */
#define PAUSE_LEAST   (10 * 1000)             /* between two looks at the changes */
#define AWAIT_SECONDS 2
#define STORE_PAUSE   MICROS_PER_SECOND /* when the store or the log fails */

/* STATUS_NOT_FOUND: there is none. */
static enum status read_cursor(struct subscribe *subscribe, struct store_tx *tx,
                               struct arena *arena)
{
    struct slice text;
    TRY(store_note_get(tx, SLICE("subscribe.cursor"), arena, &text));
    return slice_to_unsigned(text, UINT64_MAX, &subscribe->cursor) ? STATUS_OK : STATUS_CORRUPT;
}

/* Who does not deliver looks at what comes from now on. So does who delivers first of all: what was
 * there before the first Subscription is never told. */
static enum status begin_at_now(struct subscribe *subscribe, struct store_tx *tx,
                                struct arena *arena)
{
    struct store_changes asked = {.types = subscribe->types, .most = 1, .bytes = 1};
    struct store_version *items;
    size_t count, types = (size_t)resource_type_count(subscribe->options.definitions) + 1;
    memset(subscribe->types, 0, types * sizeof *subscribe->types);
    TRY(store_changes_read(tx, &asked, arena, &items, &count, &subscribe->cursor));
    for (const struct subscription *each = subscribe->subscriptions;
         each != NULL && atomic_load(&subscribe->holds); each = each->next) {
        if (each->numbers.since < subscribe->cursor) {
            subscribe->cursor = each->numbers.since;
        }
    }
    return STATUS_OK;
}

static enum status load_from(struct subscribe *subscribe, struct store_tx *tx, struct arena *arena)
{
    subscribe->turn = store_parameters_turn(subscribe->options.store);
    TRY(lease_recall(subscribe, tx));
    TRY(subscriptions_load(subscribe, tx));
    if (atomic_load(&subscribe->holds)) {
        enum status status = read_cursor(subscribe, tx, arena);
        if (status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return begin_at_now(subscribe, tx, arena);
}

static enum status load(struct subscribe *subscribe)
{
    struct arena *arena = arena_create((size_t)1 << 20);
    struct store_tx *tx;
    enum status status = arena != NULL ? STATUS_OK : STATUS_MEMORY;
    if (status == STATUS_OK) {
        status = store_snapshot_begin(subscribe->reader, 0, &tx);
    }
    if (status == STATUS_OK) {
        subscribe->anew = true;
        status = load_from(subscribe, tx, arena);
        store_snapshot_end(tx);
    }
    arena_destroy(arena);
    if (status != STATUS_OK) {
        subscribe->anew = true;
        return status;
    }
    subscribe->saved_cursor = subscribe->cursor;
    subscribe->loaded = true;
    subscribe->stale = subscribe->anew = false;
    return STATUS_OK;
}

static enum status work(struct subscribe *subscribe, int64_t *ret_wait)
{
    bool more = false, alone = false, taken = false;
    if (!subscribe->loaded || subscribe->anew) {
        TRY(load(subscribe));
    }
    if (atomic_load(&subscribe->holds)) {
        TRY(lease_renew(subscribe));
    }
    enum status matched = changes_match(subscribe, &more, &alone);
    TRY(alone ? STATUS_OK : matched);
    (void)pthread_mutex_lock(&subscribe->lock);
    subscribe->rounds += matched == STATUS_OK && !more;
    (void)pthread_cond_broadcast(&subscribe->turned);
    (void)pthread_mutex_unlock(&subscribe->lock);
    if (atomic_load(&subscribe->holds)) {
        TRY(deliveries_begin(subscribe, ret_wait));
    } else {
        TRY(lease_take(subscribe, &taken));
        subscribe->anew = subscribe->anew || taken;
    }
    *ret_wait = more || taken ? 0 : *ret_wait;
    return matched;
}

/* Until something is to be done; what endpoints answer goes on meanwhile. */
static void rest(struct subscribe *subscribe, int64_t until, int64_t not_before)
{
    for (;;) {
        int running, ready;
        int64_t now = time_monotonic();
        bool woken = atomic_load(&subscribe->woken) && now >= not_before;
        (void)curl_multi_perform(subscribe->multi, &running);
        enum status status = deliveries_end(subscribe);
        if (status != STATUS_OK) {
            log_event(LOG_SUBSCRIPTIONS_WAIT, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
            subscribe->retry = now + STORE_PAUSE;
        }
        if (woken || atomic_load(&subscribe->stopping) || now >= until) {
            return;
        }
        int64_t wait = atomic_load(&subscribe->woken) ? not_before - now : until - now;
        size_t before = subscribe->delivery_count;
        (void)curl_multi_poll(subscribe->multi, NULL, 0, (int)(wait / 1000) + 1, &ready);
        (void)curl_multi_perform(subscribe->multi, &running);
        if ((size_t)running < before) {
            atomic_store(&subscribe->woken, true); /* one has ended: its next may begin */
        }
    }
}

static void *run(void *context)
{
    struct subscribe *subscribe = context;
    struct outcome unheard;
    outcome_init(&unheard, subscribe->arena);
    if (topics_of_packages(subscribe, &unheard) != STATUS_OK) {
        log_event(LOG_TOPIC_PASSED_OVER, LOG_NUMBER(LOG_FIELD_COUNT, unheard.errors));
    }
    while (!atomic_load(&subscribe->stopping)) {
        int64_t wait = PAUSE_MOST, now = time_monotonic();
        atomic_store(&subscribe->woken, false);
        if (now >= subscribe->retry) {
            enum status status = work(subscribe, &wait);
            if (status != STATUS_OK && !atomic_load(&subscribe->stopping)) {
                log_event(LOG_SUBSCRIPTIONS_WAIT, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
                subscribe->retry = now + STORE_PAUSE;
            }
        }
        if (wait > 0) {
            rest(subscribe, now + wait,
                 now + (atomic_load(&subscribe->holds) ? PAUSE_LEAST : PAUSE_MOST / 2));
        }
    }
    return NULL;
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static enum status start(struct subscribe *subscribe)
{
    const struct definitions *definitions = subscribe->options.definitions;
    size_t types = (size_t)resource_type_count(definitions) + 1;
    subscribe->subscription_type = resource_type_find(definitions, SLICE("Subscription"));
    subscribe->basic_type = resource_type_find(definitions, SLICE("Basic"));
    subscribe->types = arena_array(subscribe->arena, types, sizeof *subscribe->types);
    if (subscribe->types == NULL || subscribe->subscription_type == RESOURCE_TYPE_NONE ||
        curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return STATUS_MEMORY;
    }
    subscribe->multi = curl_multi_init();
    if (subscribe->multi == NULL) {
        return STATUS_MEMORY;
    }
    TRY(store_reader_open(subscribe->options.store, &subscribe->reader));
    if (pthread_create(&subscribe->thread, NULL, run, subscribe) != 0) {
        return STATUS_MEMORY;
    }
    subscribe->runs = true;
    return STATUS_OK;
}

enum status subscribe_open(const struct subscribe_options *options, struct outcome *outcome,
                           struct subscribe **ret_subscribe)
{
    struct arena *arena = arena_create(0);
    struct subscribe *subscribe = arena != NULL ? ARENA_NEW(arena, struct subscribe) : NULL;
    *ret_subscribe = NULL;
    if (subscribe == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    subscribe->options = *options;
    subscribe->arena = arena;
    (void)pthread_mutex_init(&subscribe->lock, NULL);
    (void)pthread_cond_init(&subscribe->turned, NULL);
    enum status status = start(subscribe);
    if (status != STATUS_OK) {
        subscribe_close(subscribe);
        return outcome_fail(outcome, status, "", "Subscriptions cannot begin: no memory for them.");
    }
    *ret_subscribe = subscribe;
    return STATUS_OK;
}

void subscribe_close(struct subscribe *subscribe)
{
    if (subscribe == NULL) {
        return;
    }
    atomic_store(&subscribe->stopping, true);
    if (subscribe->runs) {
        (void)curl_multi_wakeup(subscribe->multi);
        (void)pthread_join(subscribe->thread, NULL);
    }
    lease_release(subscribe);
    for (struct subscription *each = subscribe->subscriptions, *next; each != NULL; each = next) {
        next = each->next;
        subscription_free(each);
    }
    if (subscribe->multi != NULL) {
        (void)curl_multi_cleanup(subscribe->multi);
    }
    if (subscribe->reader != NULL) {
        store_reader_close(subscribe->reader);
    }
    (void)pthread_cond_destroy(&subscribe->turned);
    (void)pthread_mutex_destroy(&subscribe->lock);
    arena_destroy(subscribe->topic_arena);
    arena_destroy(subscribe->arena);
}

void subscribe_wake(struct subscribe *subscribe)
{
    if (subscribe != NULL && atomic_load(&subscribe->any) &&
        !atomic_exchange(&subscribe->woken, true)) {
        (void)curl_multi_wakeup(subscribe->multi);
    }
}

void subscribe_await_topic(struct subscribe *subscribe, yyjson_val *root)
{
    struct slice url = json_get_string(root, "criteria");
    struct wanted wanted = {.topic = slice_cut(&url, '|')};
    struct timespec until;
    if (subscribe == NULL || !slice_is(json_get_string(root, "resourceType"), "Subscription")) {
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_SECONDS;
    (void)pthread_mutex_lock(&subscribe->lock);
    /* The round that is going on may have begun before. */
    uint64_t enough = subscribe->rounds + 2;
    bool late = false;
    while (!late && subscribe->rounds < enough && topic_find(subscribe, &wanted) == NULL) {
        atomic_store(&subscribe->woken, true);
        (void)curl_multi_wakeup(subscribe->multi);
        late = pthread_cond_timedwait(&subscribe->turned, &subscribe->lock, &until) != 0;
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
}
