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

/* As the store has it: whichever process delivers, any can say it. */
struct facts {
    struct wanted wanted;
    struct slice error;
    struct numbers numbers;
};

static enum status read_numbers(struct store_tx *tx, struct slice id, struct arena *arena,
                                struct numbers *ret_numbers)
{
    struct slice text;
    *ret_numbers = (struct numbers){.first = 1};
    enum status status = store_note_get(tx, note_name(arena, NULL, id), arena, &text);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK; /* nothing was told yet */
    }
    TRY(status);
    return numbers_read(text, ret_numbers) ? STATUS_OK : STATUS_CORRUPT;
}

static enum status read_facts(struct subscribe *subscribe, struct store_tx *tx, struct slice id,
                              struct arena *arena, struct facts *ret_facts)
{
    const struct definitions *definitions = subscribe->options.definitions;
    struct store_version version;
    struct json json;
    struct outcome unheard;
    *ret_facts = (struct facts){.wanted = {.standing = STANDING_OFF}};
    enum status status = store_read(tx, subscribe->subscription_type, id, arena, &version);
    TRY(status == STATUS_GONE ? STATUS_NOT_FOUND : status);
    TRY(read_numbers(tx, id, arena, &ret_facts->numbers));
    if (version.body.length > RESOURCE_MOST) {
        return STATUS_OK; /* it came in before that was refused, and is off */
    }
    TRY(json_read(version.body, &json_limits_default, arena, NULL, &json));
    outcome_init(&unheard, arena);
    status = wanted_read(definitions, json.root, arena, &unheard, &ret_facts->wanted);
    if (ret_facts->wanted.standing >= STANDING_ERROR) {
        ret_facts->error = json_get_string(json.root, "error");
    }
    return status != STATUS_OK && arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

static struct notification about(struct subscribe *subscribe, struct slice id,
                                 const struct facts *facts, const char *type, struct slice base_url)
{
    return (struct notification){.options = &subscribe->options,
                                 .id = id,
                                 .topic = facts->wanted.topic,
                                 .base_url = base_url,
                                 .standing = facts->wanted.standing,
                                 .type = type,
                                 .last = facts->numbers.last,
                                 .error = facts->error,
                                 .content = facts->wanted.content};
}

enum status subscribe_status(struct subscribe *subscribe, struct store_tx *tx, struct slice id,
                             struct slice wanted, struct slice base_url, struct arena *arena,
                             struct buffer *out, bool *ret_wanted)
{
    struct facts facts;
    *ret_wanted = false;
    TRY(read_facts(subscribe, tx, id, arena, &facts));
    struct notification notification = about(subscribe, id, &facts, "query-status", base_url);
    notification.content = SUBSCRIBE_ID_ONLY; /* its owner knows the topic */
    *ret_wanted = is_among(wanted, standing_names[notification.standing]);
    if (*ret_wanted) {
        notification_write_status(&notification, facts.numbers.last - facts.numbers.delivered, out);
    }
    return STATUS_OK;
}

static int order_of(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

struct listing {
    struct arena *arena;
    struct slice *ids;
    size_t count, capacity;
};

static enum status visit(void *context, const struct store_version *version)
{
    struct listing *listing = context;
    if (listing->count == listing->capacity) {
        size_t more = listing->capacity * 2 + 64;
        struct slice *larger =
            arena_resize(listing->arena, listing->ids, listing->capacity * sizeof *larger,
                         more * sizeof *larger);
        if (larger == NULL) {
            return STATUS_TOO_COSTLY;
        }
        listing->ids = larger;
        listing->capacity = more;
    }
    listing->ids[listing->count++] = arena_copy(listing->arena, version->id);
    return arena_full(listing->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status subscribe_ids(struct subscribe *subscribe, struct store_tx *tx, struct arena *arena,
                          struct slice **ret_ids, size_t *ret_count)
{
    struct listing listing = {.arena = arena};
    TRY(store_scan(tx, subscribe->subscription_type, visit, &listing));
    *ret_ids = listing.ids;
    *ret_count = listing.count;
    if (listing.count > 1) {
        qsort(listing.ids, listing.count, sizeof *listing.ids, order_of);
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
    struct facts facts;
    TRY(read_facts(subscribe, tx, question->id, arena, &facts));
    struct notification notification =
        about(subscribe, question->id, &facts, "query-event", question->base_url);
    uint64_t first, last;
    struct event *events;
    TRY(choose(question, &facts.numbers, outcome, &first, &last));
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
    ret_numbers->delivers = atomic_load(&subscribe->holds);
    for (const struct subscription *each = subscribe->subscriptions;
         each != NULL && ret_numbers->delivers; each = each->next) {
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
