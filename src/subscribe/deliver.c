/* SPDX-License-Identifier: MIT */
/* Notifications on their way: at most one of a subscription at a time, so that order holds, and
 * none of them waits for another's endpoint. */
#include "subscribe/subscribe_int.h"

#define DELIVERIES_MOST  64
#define NOTIFICATION     ((size_t)1 << 20) /* bytes after which a Bundle takes no further event */
#define ANSWER_MOST      ((size_t)1 << 20) /* bytes of an answer, which nobody reads */
#define STORE_WAIT       (5 * MICROS_PER_SECOND)
#define SETTLE_WAIT_MOST (300 * MICROS_PER_SECOND)

enum kind { KIND_NONE, KIND_HANDSHAKE, KIND_EVENTS, KIND_HEARTBEAT };

struct delivery {
    struct subscription *subscription;
    struct delivery *next;
    struct arena *arena;
    enum kind kind;
    uint64_t up_to;
    struct slice body;
    CURL *easy; /* NULL: by a websocket, or not begun */
    size_t answer;
    struct slice *entries; /* of the access log */
    size_t entry_count, entry_capacity;
    char request[UUID_LENGTH + 1];
    bool done;
    CURLcode result;
};

int64_t backoff(unsigned failures, int64_t first, int64_t most, double chance)
{
    int64_t wait = first;
    for (unsigned i = 1; i < failures && wait < most; i++) {
        wait *= 2;
    }
    wait = wait < most ? wait : most;
    return wait - (int64_t)((double)(wait / 2) * chance);
}

/* ---- what is due --------------------------------------------------------------------------------
 */

static enum kind kind_due(const struct subscription *subscription, int64_t now)
{
    const struct numbers *numbers = &subscription->numbers;
    bool socket = subscription->wanted.channel == CHANNEL_WEBSOCKET;
    int64_t beat = (int64_t)subscription->wanted.heartbeat * MICROS_PER_SECOND;
    if (subscription->topic == NULL || subscription->wanted.standing > STANDING_ACTIVE ||
        !lease_held(subscription->subscribe) || subscription->delivery != NULL ||
        subscription->due > now || subscription->acknowledged > numbers->delivered ||
        (socket && (subscription->socket == NULL || subscription->queued))) {
        return KIND_NONE;
    }
    if (socket ? !subscription->greeted : subscription->wanted.standing == STANDING_REQUESTED) {
        return KIND_HANDSHAKE;
    }
    if (numbers->last > numbers->delivered) {
        return KIND_EVENTS;
    }
    return beat > 0 && now - subscription->sent >= beat ? KIND_HEARTBEAT : KIND_NONE;
}

/* ---- whose data it is ---------------------------------------------------------------------------
 */

static void add_entry(struct delivery *delivery, const struct store_version *version,
                      uint32_t patient)
{
    struct buffer out = {.arena = delivery->arena};
    const char *who =
        arena_print(delivery->arena, "Subscription/%.*s", SLICE_ARGS(delivery->subscription->id));
    struct audit_entry entry = {.when = time_now(),
                                .action = AUDIT_READ,
                                .http = 200,
                                .patient = patient,
                                .type = version->type,
                                .version = version->version,
                                .resources = 1,
                                .interaction = SLICE("notification"),
                                .id = version->id,
                                .who = slice_text(who),
                                .request = slice_text(delivery->request)};
    if (delivery->entry_count == delivery->entry_capacity) {
        size_t more = delivery->entry_capacity * 2 + 16;
        struct slice *larger =
            arena_resize(delivery->arena, delivery->entries,
                         delivery->entry_capacity * sizeof *larger, more * sizeof *larger);
        if (larger == NULL) {
            arena_fail(delivery->arena); /* nothing leaves that is not logged */
            return;
        }
        delivery->entries = larger;
        delivery->entry_capacity = more;
    }
    audit_entry_write(&entry, &out);
    if (!buffer_ok(&out)) {
        arena_fail(delivery->arena);
    }
    delivery->entries[delivery->entry_count++] = buffer_slice(&out);
}

static void disclose(void *context, const struct store_version *version)
{
    struct delivery *delivery = context;
    const struct definitions *definitions = delivery->subscription->subscribe->options.definitions;
    for (size_t i = 0; i < version->patient_count; i++) {
        add_entry(delivery, version, version->patients[i]);
    }
    if (version->patient_count == 0) {
        bool somebody = !resource_type_is_shared(definitions, version->type);
        add_entry(delivery, version, somebody ? AUDIT_PERSON_UNKNOWN : 0);
    }
}

/* ---- making one ---------------------------------------------------------------------------------
 */

static enum status compose(struct delivery *delivery, struct store_tx *tx)
{
    struct subscription *subscription = delivery->subscription;
    struct subscribe *subscribe = subscription->subscribe;
    const struct numbers *numbers = &subscription->numbers;
    const char *topic =
        arena_print(delivery->arena, "%.*s", SLICE_ARGS(subscription->wanted.topic));
    struct notification notification = {.options = &subscribe->options,
                                        .id = subscription->id,
                                        .topic = slice_text(topic),
                                        .base_url = subscription->base_url,
                                        .shape = subscription->topic,
                                        .standing = subscription->wanted.standing,
                                        .type = delivery->kind == KIND_HANDSHAKE ? "handshake"
                                                : delivery->kind == KIND_HEARTBEAT
                                                    ? "heartbeat"
                                                    : "event-notification",
                                        .last = numbers->last,
                                        .content = subscription->wanted.content,
                                        .bytes = NOTIFICATION,
                                        .disclose = disclose,
                                        .context = delivery};
    struct buffer out = {.arena = delivery->arena};
    struct event *events = NULL;
    size_t count = 0, written;
    if (delivery->kind == KIND_EVENTS) {
        uint64_t first = numbers->delivered + 1;
        uint64_t last = numbers->delivered + subscription->wanted.most;
        TRY(events_load(subscribe->options.definitions, tx, subscription->id, first,
                        last < numbers->last ? last : numbers->last, delivery->arena, &events,
                        &count));
        if (count == 0 || events[0].number != first) {
            return STATUS_CORRUPT; /* an event that was numbered is gone */
        }
    }
    notification.events = events;
    notification.count = count;
    TRY(notification_write(&notification, tx, delivery->arena, &out, &written));
    delivery->up_to = written > 0 ? events[written - 1].number : 0;
    delivery->body = buffer_slice(&out);
    return arena_full(delivery->arena) ? STATUS_MEMORY : STATUS_OK;
}

static void delivery_free(struct delivery *delivery)
{
    struct subscribe *subscribe = delivery->subscription->subscribe;
    if (delivery->easy != NULL) {
        (void)curl_multi_remove_handle(subscribe->multi, delivery->easy);
        curl_easy_cleanup(delivery->easy);
    }
    delivery->subscription->delivery = NULL;
    arena_destroy(delivery->arena);
}

void delivery_abandon(struct delivery *delivery)
{
    if (delivery == NULL) {
        return;
    }
    struct subscribe *subscribe = delivery->subscription->subscribe;
    struct delivery **at = &subscribe->deliveries;
    while (*at != NULL && *at != delivery) {
        at = &(*at)->next;
    }
    if (*at == delivery) {
        *at = delivery->next;
        subscribe->delivery_count--;
    }
    delivery_free(delivery);
}

static enum status prepare(struct subscription *subscription, struct store_tx *tx, enum kind kind,
                           struct delivery **ret_delivery)
{
    struct arena *arena = arena_create((size_t)128 << 20);
    struct delivery *delivery = arena != NULL ? ARENA_NEW(arena, struct delivery) : NULL;
    *ret_delivery = delivery;
    if (delivery == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    delivery->arena = arena;
    delivery->subscription = subscription;
    delivery->kind = kind;
    random_uuid(delivery->request);
    enum status status = compose(delivery, tx);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    subscription->delivery = delivery;
    return STATUS_OK;
}

/* ---- HTTP ---------------------------------------------------------------------------------------
 */

static size_t pass_over(char *bytes, size_t size, size_t count, void *context)
{
    struct delivery *delivery = context;
    (void)bytes;
    delivery->answer += size * count;
    return delivery->answer > ANSWER_MOST ? 0 : size * count;
}

/* No redirects: the operator allowed this address, not wherever it points to. No proxy of the
 * environment either. */
static bool set_options(struct delivery *delivery, const char *url)
{
    CURL *easy = delivery->easy;
    const struct wanted *wanted = &delivery->subscription->wanted;
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "carelayer/" CARELAYER_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, delivery->subscription->headers) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, delivery->body.at) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)delivery->body.length) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)wanted->timeout) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)wanted->timeout) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pass_over) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, delivery) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, delivery) == CURLE_OK;
}

static enum status send_hook(struct delivery *delivery)
{
    struct subscribe *subscribe = delivery->subscription->subscribe;
    const char *url =
        arena_print(delivery->arena, "%.*s", SLICE_ARGS(delivery->subscription->wanted.endpoint));
    delivery->easy = curl_easy_init();
    if (delivery->easy == NULL || arena_full(delivery->arena) || !set_options(delivery, url)) {
        return STATUS_MEMORY;
    }
    if (curl_multi_add_handle(subscribe->multi, delivery->easy) != CURLM_OK) {
        curl_easy_cleanup(delivery->easy);
        delivery->easy = NULL;
        return STATUS_MEMORY;
    }
    delivery->next = subscribe->deliveries;
    subscribe->deliveries = delivery;
    subscribe->delivery_count++;
    return STATUS_OK;
}

/* The message takes over the delivery's memory. */
static enum status send_socket(struct delivery *delivery)
{
    struct subscription *subscription = delivery->subscription;
    struct subscribe *subscribe = subscription->subscribe;
    struct message *message = ARENA_NEW(delivery->arena, struct message);
    if (message == NULL) {
        return STATUS_MEMORY;
    }
    *message = (struct message){.arena = delivery->arena,
                                .text = delivery->body,
                                .subscription = subscription,
                                .up_to = delivery->up_to};
    subscription->delivery = NULL;
    (void)pthread_mutex_lock(&subscribe->lock);
    if (subscription->socket != NULL) {
        subscription->greeted = subscription->greeted || delivery->kind == KIND_HANDSHAKE;
        subscription->queued = true;
        socket_send(subscription->socket, message);
        message = NULL;
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    if (message != NULL) {
        arena_destroy(message->arena);
    }
    return STATUS_OK;
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

struct round {
    struct subscribe *subscribe;
    struct arena *arena;
    struct delivery *items[DELIVERIES_MOST];
    size_t count;
    struct slice *entries;
    size_t entry_count;
};

/* WAIT, or less when something of it is due before. */
static int64_t wait_for(const struct subscription *subscription, int64_t now, int64_t wait)
{
    int64_t beat =
        (int64_t)subscription->wanted.heartbeat * MICROS_PER_SECOND + subscription->sent - now;
    if (subscription->wanted.standing > STANDING_ACTIVE) {
        return wait;
    }
    if (subscription->due > now && subscription->due - now < wait) {
        wait = subscription->due - now;
    }
    return subscription->wanted.heartbeat > 0 && beat > 0 && beat < wait ? beat : wait;
}

/* The next round begins with FIRST: whoever was passed over for lack of room is not again. */
static void begin_with(struct subscribe *subscribe, struct subscription *first)
{
    struct subscription *last = first;
    if (first == NULL || first == subscribe->subscriptions) {
        return;
    }
    (void)pthread_mutex_lock(&subscribe->lock);
    while (last->next != NULL) {
        last = last->next;
    }
    last->next = subscribe->subscriptions;
    while (last->next != first) {
        last = last->next;
    }
    last->next = NULL;
    subscribe->subscriptions = first;
    (void)pthread_mutex_unlock(&subscribe->lock);
}

static enum status gather(struct round *round, int64_t now, int64_t *ret_wait)
{
    struct subscribe *subscribe = round->subscribe;
    struct subscription *passed_over = NULL;
    struct store_tx *tx = NULL;
    enum status status = STATUS_OK;
    for (struct subscription *each = subscribe->subscriptions; each != NULL && status == STATUS_OK;
         each = each->next) {
        (void)pthread_mutex_lock(&subscribe->lock);
        *ret_wait = wait_for(each, now, *ret_wait);
        enum kind kind = kind_due(each, now);
        (void)pthread_mutex_unlock(&subscribe->lock);
        if (kind == KIND_NONE) {
            continue;
        }
        if (subscribe->delivery_count + round->count >= DELIVERIES_MOST) {
            passed_over = passed_over == NULL ? each : passed_over;
            continue;
        }
        if (tx == NULL) {
            status = store_snapshot_begin(subscribe->reader, 0, &tx);
        }
        if (status == STATUS_OK) {
            status = prepare(each, tx, kind, &round->items[round->count]);
            round->count += status == STATUS_OK;
            /* One that cannot be made is no reason to keep the others waiting. */
            if (status != STATUS_OK) {
                log_event(LOG_SUBSCRIPTIONS_WAIT, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
                each->due = now + STORE_WAIT;
                status = STATUS_OK;
            }
        }
    }
    if (tx != NULL) {
        store_snapshot_end(tx);
    }
    begin_with(subscribe, passed_over);
    return status;
}

static enum status log_all(struct round *round)
{
    size_t count = 0;
    for (size_t i = 0; i < round->count; i++) {
        count += round->items[i]->entry_count;
    }
    round->entries = arena_array(round->arena, count + 1, sizeof *round->entries);
    if (round->entries == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < round->count; i++) {
        for (size_t j = 0; j < round->items[i]->entry_count; j++) {
            round->entries[round->entry_count++] = round->items[i]->entries[j];
        }
    }
    return round->entry_count > 0 ? audit_append_wait(round->subscribe->options.audit,
                                                      round->entries, round->entry_count)
                                  : STATUS_OK;
}

static enum status begin(struct round *round, int64_t now, int64_t *ret_wait)
{
    enum status status = gather(round, now, ret_wait);
    if (status == STATUS_OK) {
        status = log_all(round);
    }
    for (size_t i = 0; i < round->count; i++) {
        struct delivery *delivery = round->items[i];
        bool socket = delivery->subscription->wanted.channel == CHANNEL_WEBSOCKET;
        enum status sent = status;
        if (sent == STATUS_OK && !lease_held(round->subscribe)) {
            sent = STATUS_CONFLICT; /* writing the log took long */
        }
        if (sent == STATUS_OK) {
            sent = socket ? send_socket(delivery) : send_hook(delivery);
        }
        if (sent != STATUS_OK) {
            delivery->subscription->due = now + STORE_WAIT;
            delivery_free(delivery);
        }
    }
    return status;
}

/* What is not for an endpoint to decide. */
static enum status settle_standing(struct subscription *subscription, int64_t instant)
{
    struct wanted *wanted = &subscription->wanted;
    const struct numbers *numbers = &subscription->numbers;
    int64_t most = subscription->subscribe->options.config->subscription_waiting;
    if (wanted->standing == STANDING_OFF || !subscription->saved) {
        return STATUS_OK;
    }
    if (wanted->end != 0 && instant >= wanted->end) {
        return standing_set(subscription, STANDING_OFF, SLICE("Its end has come."));
    }
    if (numbers->last - numbers->delivered > (uint64_t)most) {
        return standing_set(subscription, STANDING_OFF,
                            SLICE("More events waited than are kept (setting "
                                  "subscription-waiting): what happens from now on until it is "
                                  "requested again is not told."));
    }
    if (wanted->standing < STANDING_ERROR && subscription->unmatched) {
        return standing_set(subscription, STANDING_ERROR,
                            SLICE("A change could not be compared with what this asks for: it may "
                                  "be missing among the events. Look for it, and request it "
                                  "again."));
    }
    if (wanted->standing != STANDING_ERROR && subscription->error.length > 0) {
        return standing_set(subscription, STANDING_ERROR, subscription->error);
    }
    if (wanted->channel == CHANNEL_WEBSOCKET && wanted->standing == STANDING_REQUESTED &&
        subscription->topic != NULL) {
        return standing_set(subscription, STANDING_ACTIVE, (struct slice){0});
    }
    return STATUS_OK;
}

/* One that cannot be settled is left for a while, longer each time, so that all others are served;
 * only when a commit failed nobody is, until it is known what counts. */
static enum status tend(struct subscription *subscription, int64_t now, int64_t instant)
{
    if (subscription->unsettled > 0 && now < subscription->settle_due) {
        return STATUS_OK;
    }
    enum status status = settle_standing(subscription, instant);
    if (status == STATUS_OK) {
        subscription->unsettled = 0;
        return STATUS_OK;
    }
    subscription->unsettled++;
    subscription->settle_due =
        time_monotonic() + backoff(subscription->unsettled, STORE_WAIT, SETTLE_WAIT_MOST, 0);
    log_event(LOG_SUBSCRIPTIONS_WAIT, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
    return subscription->subscribe->anew ? status : STATUS_OK;
}

enum status deliveries_begin(struct subscribe *subscribe, int64_t *ret_wait)
{
    struct round round = {.subscribe = subscribe, .arena = arena_create((size_t)64 << 20)};
    int64_t instant = time_now();
    if (round.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = STATUS_OK;
    for (struct subscription *each = subscribe->subscriptions; each != NULL && status == STATUS_OK;
         each = each->next) {
        status = tend(each, time_monotonic(), instant);
    }
    if (status == STATUS_OK) {
        status = begin(&round, time_monotonic(), ret_wait);
    }
    arena_destroy(round.arena);
    return status;
}

/* ---- ending -------------------------------------------------------------------------------------
 */

static enum status failed(struct subscription *subscription, enum kind kind, CURLcode result,
                          long http)
{
    struct subscribe *subscribe = subscription->subscribe;
    const struct config *config = subscribe->options.config;
    char text[200];
    subscription->failures++;
    (void)pthread_mutex_lock(&subscribe->lock);
    subscribe->totals.failures++;
    (void)pthread_mutex_unlock(&subscribe->lock);
    (void)snprintf(text, sizeof text,
                   result == CURLE_OK ? (http >= 300 && http < 400
                                             ? "The endpoint answered HTTP %ld: redirects are not "
                                               "followed."
                                             : "The endpoint answered HTTP %ld.")
                                      : "The endpoint was not reached (libcurl %ld).",
                   result == CURLE_OK ? http : (long)result);
    if (kind != KIND_HANDSHAKE &&
        subscription->failures < (unsigned)config->subscription_attempts) {
        uint64_t bits;
        random_bytes(&bits, sizeof bits);
        subscription->due =
            time_monotonic() + backoff(subscription->failures, config->subscription_retry * 1000,
                                       config->subscription_retry_most * MICROS_PER_SECOND,
                                       (double)(bits >> 11) * 0x1p-53);
        return STATUS_OK;
    }
    subscription->due = time_monotonic() + STORE_WAIT; /* if this cannot be written */
    return standing_set(subscription, STANDING_ERROR, slice_text(text));
}

static enum status take_end(struct delivery *delivery)
{
    struct subscription *subscription = delivery->subscription;
    enum kind kind = delivery->kind;
    uint64_t up_to = delivery->up_to;
    CURLcode result = delivery->result;
    long http = 0;
    (void)curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &http);
    delivery_abandon(delivery);
    if (result != CURLE_OK || http < 200 || http > 299) {
        return failed(subscription, kind, result, http);
    }
    subscription->failures = 0;
    subscription->sent = time_monotonic();
    if (kind == KIND_HANDSHAKE) {
        return standing_set(subscription, STANDING_ACTIVE, (struct slice){0});
    }
    (void)pthread_mutex_lock(&subscription->subscribe->lock);
    subscription->acknowledged =
        up_to > subscription->acknowledged ? up_to : subscription->acknowledged;
    (void)pthread_mutex_unlock(&subscription->subscribe->lock);
    return STATUS_OK;
}

/* Whole chunks behind what $events still gives go. */
static void forget_old(struct subscription *subscription, struct numbers *numbers,
                       struct commit *commit)
{
    uint64_t kept = (uint64_t)subscription->subscribe->options.config->subscription_kept;
    for (;;) {
        uint64_t chunk = (numbers->first - 1) / CHUNK, end = (chunk + 1) * CHUNK;
        if (end + kept > numbers->delivered) {
            return;
        }
        commit_remove(commit, events_name(commit->arena, subscription->id, chunk));
        numbers->first = end + 1;
    }
}

static enum status acknowledge(struct subscribe *subscribe)
{
    struct commit commit = {.arena = arena_create((size_t)16 << 20)};
    enum status status = commit.arena != NULL ? STATUS_OK : STATUS_MEMORY;
    size_t count = 0;
    (void)pthread_mutex_lock(&subscribe->lock);
    struct numbers *after = commit.arena != NULL
                                ? arena_array(commit.arena, subscribe->count + 1, sizeof *after)
                                : NULL;
    for (struct subscription *each = subscribe->subscriptions; each != NULL && after != NULL;
         each = each->next) {
        struct numbers *numbers = &after[count++];
        *numbers = each->numbers;
        if (each->acknowledged > numbers->delivered) {
            numbers->delivered = each->acknowledged;
            forget_old(each, numbers, &commit);
            commit_set(&commit, note_name(commit.arena, NULL, each->id),
                       numbers_write(numbers, commit.arena));
        }
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    if (commit.notes != NULL) {
        status = commit_make(&commit, subscribe);
    }
    if (status == STATUS_OK && commit.notes != NULL) {
        (void)pthread_mutex_lock(&subscribe->lock);
        count = 0;
        for (struct subscription *each = subscribe->subscriptions; each != NULL;
             each = each->next) {
            subscribe->totals.delivered += after[count].delivered - each->numbers.delivered;
            each->numbers.delivered = after[count].delivered;
            each->numbers.first = after[count++].first;
        }
        (void)pthread_mutex_unlock(&subscribe->lock);
    }
    arena_destroy(commit.arena);
    return status;
}

enum status deliveries_end(struct subscribe *subscribe)
{
    struct CURLMsg *message;
    int left;
    enum status status = STATUS_OK;
    while ((message = curl_multi_info_read(subscribe->multi, &left)) != NULL) {
        struct delivery *delivery = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&delivery);
        if (message->msg == CURLMSG_DONE && delivery != NULL) {
            delivery->result = message->data.result;
            enum status ended = take_end(delivery);
            status = ended != STATUS_OK ? ended : status;
        }
    }
    if (subscribe->anew || !atomic_load(&subscribe->holds)) {
        return status; /* first it is read what counts now */
    }
    enum status noted = acknowledge(subscribe);
    return noted != STATUS_OK ? noted : status;
}
