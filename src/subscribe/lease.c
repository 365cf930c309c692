/* SPDX-License-Identifier: MIT */
/* Which of the processes on one server delivers. Nobody's clock is compared with another's: each
 * measures for how long nothing has happened. */
#include "subscribe/subscribe_int.h"

#define HOLDER "subscribe.holder"

static bool is_alone(const struct subscribe *subscribe)
{
    return store_member(subscribe->options.store).length == 0;
}

static int64_t lease_time(const struct subscribe *subscribe)
{
    return subscribe->options.config->subscription_lease * MICROS_PER_SECOND;
}

/* ---- what the notes say -------------------------------------------------------------------------
 */

/* Empty: there is none. */
static enum status read_note(struct store_tx *tx, struct slice name, struct arena *arena,
                             struct slice *ret_text)
{
    enum status status = store_note_get(tx, name, arena, ret_text);
    if (status == STATUS_NOT_FOUND) {
        *ret_text = (struct slice){0};
        return STATUS_OK;
    }
    return status;
}

static void begin_or_end(struct subscribe *subscribe, bool holds)
{
    bool before = atomic_exchange(&subscribe->holds, holds);
    if (before && !holds) {
        for (struct subscription *each = subscribe->subscriptions; each != NULL;
             each = each->next) {
            delivery_abandon(each->delivery);
        }
        (void)pthread_mutex_lock(&subscribe->lock);
        for (struct subscription *each = subscribe->subscriptions; each != NULL;
             each = each->next) {
            each->acknowledged = 0; /* it is told again */
        }
        sockets_end(subscribe);
        (void)pthread_mutex_unlock(&subscribe->lock);
        subscribe->until = 0;
    }
    if (before != holds && !is_alone(subscribe)) {
        log_event(holds ? LOG_SUBSCRIPTIONS_TAKEN : LOG_SUBSCRIPTIONS_LEFT);
    }
}

enum status lease_recall(struct subscribe *subscribe, struct store_tx *tx)
{
    struct arena *arena = arena_create((size_t)1 << 20);
    struct slice seal, holder, name = store_member(subscribe->options.store);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = read_note(tx, SLICE("subscribe.seal"), arena, &seal);
    if (status == STATUS_OK) {
        status = read_note(tx, SLICE(HOLDER), arena, &holder);
    }
    if (status == STATUS_OK && seal.length != 0 && seal.length != UUID_LENGTH) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        int64_t now = time_monotonic();
        if (subscribe->seen == 0 || !slice_equals(seal, slice_text(subscribe->seal))) {
            subscribe->seen = now;
        }
        memset(subscribe->seal, 0, sizeof subscribe->seal);
        if (seal.length > 0) {
            memcpy(subscribe->seal, seal.at, seal.length);
        }
        bool ours = is_alone(subscribe) || slice_equals(holder, name);
        subscribe->vacant =
            holder.length == 0 || ours || now - subscribe->seen > lease_time(subscribe);
        /* After a restart the note names us: that is taken as anything vacant is, by a commit. */
        begin_or_end(subscribe, is_alone(subscribe) || (ours && atomic_load(&subscribe->holds)));
    }
    arena_destroy(arena);
    return status;
}

/* ---- holding it ---------------------------------------------------------------------------------
 */

bool lease_held(const struct subscribe *subscribe)
{
    return atomic_load(&subscribe->holds) &&
           (is_alone(subscribe) || time_monotonic() < subscribe->until);
}

static enum status seal_with(struct subscribe *subscribe, bool take, struct slice holder)
{
    struct commit commit = {.arena = arena_create((size_t)1 << 20)};
    if (commit.arena == NULL) {
        return STATUS_MEMORY;
    }
    if (take && holder.length > 0) {
        commit_set(&commit, SLICE(HOLDER), holder);
    } else if (take) {
        commit_remove(&commit, SLICE(HOLDER));
    }
    enum status status = commit_seal(&commit, subscribe);
    arena_destroy(commit.arena);
    return status;
}

enum status lease_renew(struct subscribe *subscribe)
{
    if (is_alone(subscribe) || time_monotonic() - subscribe->renewed < lease_time(subscribe) / 3) {
        return STATUS_OK;
    }
    return seal_with(subscribe, false, (struct slice){0});
}

/* Where nobody ever subscribed nobody needs to be the one. */
enum status lease_take(struct subscribe *subscribe, bool *ret_taken)
{
    bool wanted = subscribe->count > 0 || subscribe->seal[0] != '\0';
    *ret_taken = false;
    if (!subscribe->vacant || !wanted) {
        return STATUS_OK;
    }
    enum status status = seal_with(subscribe, true, store_member(subscribe->options.store));
    subscribe->vacant = false;
    subscribe->seen = 0;
    if (status != STATUS_OK) { /* another was quicker, or the server is away */
        return status == STATUS_CONFLICT ? STATUS_OK : status;
    }
    begin_or_end(subscribe, true);
    *ret_taken = true;
    return STATUS_OK;
}

void lease_release(struct subscribe *subscribe)
{
    if (lease_held(subscribe) && !is_alone(subscribe) &&
        seal_with(subscribe, true, (struct slice){0}) == STATUS_OK) {
        begin_or_end(subscribe, false);
    }
}
