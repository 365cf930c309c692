/* SPDX-License-Identifier: MIT */
/* What became of a Subscription, written into the resource, where its owner reads it. */
#include "subscribe/subscribe_int.h"

static enum status write_entry(struct commit *commit, struct subscription *subscription)
{
    struct buffer entry = {.arena = commit->arena}, row = {.arena = commit->arena};
    struct audit_entry written = {.when = time_now(),
                                  .action = AUDIT_UPDATE,
                                  .http = 200,
                                  .type = subscription->subscribe->subscription_type,
                                  .interaction = SLICE("update"),
                                  .id = subscription->id,
                                  .who = SLICE("subscriptions")};
    audit_entry_write(&written, &entry);
    audit_row_add(buffer_slice(&entry), &row);
    commit->entry = buffer_slice(&row);
    return buffer_ok(&entry) && buffer_ok(&row) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* The resource with its new status and error. */
static enum status revise(struct commit *commit, struct subscription *subscription,
                          const struct store_version *version, enum standing standing,
                          struct slice error)
{
    struct buffer text = {.arena = commit->arena};
    struct json before, after;
    TRY(json_read(version->body, &json_limits_default, commit->arena, NULL, &before));
    yyjson_mut_doc *doc = json_mutable(commit->arena, before.root);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_doc_get_root(doc) : NULL;
    if (root == NULL || !yyjson_mut_obj_replace(root, yyjson_mut_str(doc, "status"),
                                                yyjson_mut_str(doc, standing_names[standing]))) {
        return STATUS_TOO_COSTLY;
    }
    (void)yyjson_mut_obj_remove_key(root, "error");
    if (error.length > 0 && !yyjson_mut_obj_add_strn(doc, root, "error", error.at, error.length)) {
        return STATUS_TOO_COSTLY;
    }
    json_write_mutable(root, &text);
    TRY(buffer_ok(&text) ? STATUS_OK : STATUS_TOO_COSTLY);
    TRY(json_read(buffer_slice(&text), &json_limits_default, commit->arena, NULL, &after));
    return store_draft_make(subscription->subscribe->options.store, version->type, version->id,
                            after.root, subscription->base_url, commit->arena, NULL,
                            &commit->draft);
}

static enum status read_it(struct subscription *subscription, struct arena *arena,
                           struct store_version *ret_version)
{
    struct subscribe *subscribe = subscription->subscribe;
    struct store_tx *tx;
    TRY(store_snapshot_begin(subscribe->reader, 0, &tx));
    enum status status =
        store_read(tx, subscribe->subscription_type, subscription->id, arena, ret_version);
    store_snapshot_end(tx);
    return status;
}

static enum status write_it(struct commit *commit, struct subscription *subscription,
                            enum standing standing, struct slice error)
{
    struct store_version version;
    enum status status = read_it(subscription, commit->arena, &version);
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        return STATUS_PRECONDITION;
    }
    TRY(status);
    if (version.version != subscription->numbers.version) {
        return STATUS_PRECONDITION; /* its owner has just changed it: that comes first */
    }
    TRY(revise(commit, subscription, &version, standing, error));
    TRY(write_entry(commit, subscription));
    struct numbers numbers = subscription->numbers;
    numbers.version++;
    commit->condition.version = version.version;
    commit_set(commit, note_name(commit->arena, NULL, subscription->id),
               numbers_write(&numbers, commit->arena));
    return commit_make(commit, subscription->subscribe);
}

enum status standing_set(struct subscription *subscription, enum standing standing,
                         struct slice error)
{
    struct subscribe *subscribe = subscription->subscribe;
    struct commit commit = {.arena = arena_create((size_t)16 << 20)};
    if (commit.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = write_it(&commit, subscription, standing, error);
    if (status == STATUS_OK) {
        (void)pthread_mutex_lock(&subscribe->lock);
        subscription->numbers.version++;
        subscription->saved = true;
        subscription->wanted.standing = standing;
        subscription->error = arena_copy(subscription->arena, error);
        subscription->failures = 0;
        subscription->due = 0;
        (void)pthread_mutex_unlock(&subscribe->lock);
        if (standing == STANDING_ERROR || standing == STANDING_OFF) {
            log_event(LOG_SUBSCRIPTION_ERROR,
                      LOG_NUMBER(LOG_FIELD_COUNT,
                                 subscription->numbers.last - subscription->numbers.delivered));
        }
    }
    arena_destroy(commit.arena);
    return status == STATUS_PRECONDITION ? STATUS_OK : status;
}
