/* SPDX-License-Identifier: MIT */
/* What is asked of subscriptions: their status, their events, numbers of them all. */
#include <stdlib.h>

#include "subscribe/subscribe_int.h"

#define EVENTS_MOST 1000
#define ANSWER_MOST ((size_t)8 << 20)

static bool is_among(struct slice list, const char *name)
{
    bool any = list.length == 0;
    while (!any && list.at != NULL && list.length > 0) {
        any = slice_is(slice_trim(slice_cut(&list, ',')), name);
    }
    return any;
}

static struct notification about(const struct subscription *subscription, const char *type,
                                 struct slice base_url)
{
    return (struct notification){.options = &subscription->subscribe->options,
                                 .id = subscription->id,
                                 .topic = subscription->wanted.topic,
                                 .base_url = base_url,
                                 .standing = subscription->wanted.standing,
                                 .type = type,
                                 .last = subscription->numbers.last,
                                 .error = subscription->error,
                                 .content = subscription->wanted.content};
}

enum status subscribe_status(struct subscribe *subscribe, struct slice id, struct slice wanted,
                             struct slice base_url, struct buffer *out, bool *ret_wanted)
{
    *ret_wanted = false;
    (void)pthread_mutex_lock(&subscribe->lock);
    const struct subscription *subscription = subscription_find(subscribe, id);
    if (subscription != NULL) {
        struct notification notification = about(subscription, "query-status", base_url);
        notification.content = SUBSCRIBE_ID_ONLY; /* its owner knows the topic */
        *ret_wanted = is_among(wanted, standing_names[notification.standing]);
        if (*ret_wanted) {
            notification_write_status(
                &notification, subscription->numbers.last - subscription->numbers.delivered, out);
        }
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    return subscription != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

static int order_of(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

enum status subscribe_ids(struct subscribe *subscribe, struct arena *arena, struct slice **ret_ids,
                          size_t *ret_count)
{
    *ret_count = 0;
    (void)pthread_mutex_lock(&subscribe->lock);
    struct slice *ids = arena_array(arena, subscribe->count + 1, sizeof *ids);
    for (const struct subscription *each = subscribe->subscriptions; each != NULL && ids != NULL;
         each = each->next) {
        ids[(*ret_count)++] = arena_copy(arena, each->id);
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    *ret_ids = ids;
    if (ids == NULL || arena_full(arena)) {
        return STATUS_TOO_COSTLY;
    }
    if (*ret_count > 1) {
        qsort(ids, *ret_count, sizeof *ids, order_of);
    }
    return STATUS_OK;
}

/* ---- $events ------------------------------------------------------------------------------------
 */

/* The numbers asked for, of those that are kept. */
static enum status choose(const struct subscribe_question *question, const struct numbers *numbers,
                          struct outcome *outcome, uint64_t *ret_first, uint64_t *ret_last)
{
    bool since = question->since > numbers->first;
    bool until = question->until != 0 && question->until < numbers->last;
    *ret_first = since ? question->since : numbers->first;
    *ret_last = until ? question->until : numbers->last;
    if (*ret_first <= *ret_last && *ret_last - *ret_first >= EVENTS_MOST) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "",
                            "These are %llu events: ask for at most %d at once, with "
                            "eventsSinceNumber and eventsUntilNumber.",
                            (unsigned long long)(*ret_last - *ret_first + 1), EVENTS_MOST);
    }
    return STATUS_OK;
}

enum status subscribe_events(struct subscribe *subscribe, struct store_tx *tx,
                             const struct subscribe_question *question,
                             subscribe_disclose *disclose, void *context, struct arena *arena,
                             struct outcome *outcome, struct buffer *out)
{
    struct notification notification = {0};
    struct numbers numbers;
    (void)pthread_mutex_lock(&subscribe->lock);
    const struct subscription *subscription = subscription_find(subscribe, question->id);
    if (subscription != NULL) {
        numbers = subscription->numbers;
        notification = about(subscription, "query-event", question->base_url);
        notification.id = arena_copy(arena, notification.id);
        notification.topic = arena_copy(arena, notification.topic);
        notification.error = arena_copy(arena, notification.error);
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    if (subscription == NULL) {
        return STATUS_NOT_FOUND;
    }
    uint64_t first, last;
    struct event *events;
    TRY(choose(question, &numbers, outcome, &first, &last));
    TRY(events_load(subscribe->options.definitions, tx, question->id, first, last, arena, &events,
                    &notification.count));
    if (question->has_content && question->content < notification.content) {
        notification.content = question->content;
    }
    notification.events = events;
    notification.bytes = ANSWER_MOST;
    notification.disclose = disclose;
    notification.context = context;
    size_t written, asked = notification.count;
    TRY(notification_write(&notification, tx, arena, out, &written));
    if (written < asked) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "",
                            "These events are more than one Bundle may hold: ask for fewer at "
                            "once, with eventsSinceNumber and eventsUntilNumber.");
    }
    return STATUS_OK;
}

/* ---- numbers ------------------------------------------------------------------------------------
 */

void subscribe_statistics(struct subscribe *subscribe, struct subscribe_statistics *ret_numbers)
{
    (void)pthread_mutex_lock(&subscribe->lock);
    *ret_numbers = subscribe->totals;
    for (const struct subscription *each = subscribe->subscriptions; each != NULL;
         each = each->next) {
        uint64_t left = each->numbers.last - each->numbers.delivered;
        bool runs = each->wanted.standing <= STANDING_ACTIVE;
        ret_numbers->active += each->wanted.standing == STANDING_ACTIVE;
        ret_numbers->failed += each->wanted.standing == STANDING_ERROR;
        ret_numbers->requested += each->wanted.standing == STANDING_REQUESTED;
        ret_numbers->off += each->wanted.standing == STANDING_OFF;
        ret_numbers->waiting += runs ? left : 0;
        ret_numbers->dead += runs ? 0 : left;
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
}
