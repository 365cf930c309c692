/* SPDX-License-Identifier: MIT */
/* transaction (R4 http, "Transaction Processing Rules"): one database transaction for all entries,
 * in the order DELETE, POST, PUT and PATCH, GET and HEAD. Every resource is checked first and all
 * that is wrong is reported; the first entry that fails later undoes the whole. */
#include "api/bundle_int.h"

static bool is_fine(enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_MODIFIED;
}

/* ---- before the transaction ---------------------------------------------------------------------
 */

static enum status check_all(struct request *request, const struct bundle_work *work)
{
    enum status first = STATUS_OK;
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        if (child->status == STATUS_OK) {
            (void)request_run_child(child, CHILD_CHECK, NULL);
        }
        if (child->status == STATUS_OK) {
            continue;
        }
        first = first == STATUS_OK ? child->status : first;
        if (work->bundle.entries[i].status == STATUS_OK) {
            bundle_take_issues(child, i, &request->outcome); /* bundle_read has told the others */
        }
    }
    return first;
}

/* Ids of what is created are known before it is, so that others can refer to it. */
static enum status promise_ids(struct request *request, struct bundle_work *work)
{
    for (size_t i = 0; i < request->child_count; i++) {
        struct bundle_entry *entry = &work->bundle.entries[i];
        struct request *child = request->children[i];
        bool creates = entry->method == BUNDLE_POST && entry->below.length == 0 &&
                       entry->if_none_exist.length == 0;
        if (!creates) {
            continue;
        }
        char id[UUID_LENGTH + 1];
        random_uuid(id);
        child->id = arena_copy(request->arena, slice_text(id));
        TRY(bundle_set_target(request->service->definitions, &work->bundle, entry, child->id));
    }
    return arena_full(request->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

static enum status child_failed(struct request *request, struct request *child, size_t index)
{
    enum status status = child->status;
    bundle_take_issues(child, index, &request->outcome);
    return status;
}

static enum status prepare_some(struct request *request, struct bundle_work *work, bool deletes)
{
    enum status first = STATUS_OK;
    for (size_t i = 0; i < request->child_count && !arena_full(request->arena); i++) {
        struct request *child = request->children[i];
        if ((work->bundle.entries[i].method == BUNDLE_DELETE) == deletes &&
            request_run_child(child, CHILD_PREPARE, NULL) != STATUS_OK) {
            enum status status = child_failed(request, child, i);
            first = first == STATUS_OK ? status : first;
        }
    }
    return arena_full(request->arena) ? STATUS_TOO_COSTLY : first;
}

/* Makes all drafts for the ids as they are known now. */
static enum status prepare_drafts(struct request *request, struct bundle_work *work)
{
    TRY(bundle_links_apply(request, work));
    TRY(prepare_some(request, work, false));
    work->prepared = true;
    return STATUS_OK;
}

/* What the checks had to say beside stays. */
static void forget_failures(struct request *request)
{
    request->status = STATUS_OK;
    outcome_forget_errors(&request->outcome);
    for (size_t i = 0; i < request->child_count; i++) {
        request->children[i]->status = STATUS_OK;
        outcome_forget_errors(&request->children[i]->outcome);
    }
}

/* Looks the conditions up ahead of the transaction. With a DELETE in it, what they meet now need
 * not be what they meet then, so a failure is no answer yet. */
static enum status foresee(struct request *request, struct bundle_work *work)
{
    struct store_tx *tx;
    bool changed;
    TRY(prepare_some(request, work, true));
    if (work->condition_count + work->lookup_count == 0) {
        return prepare_drafts(request, work);
    }
    TRY(request_snapshot(request, &tx));
    enum status status = bundle_conditions_find(request, work, tx, &changed);
    if (status != STATUS_OK && work->deletes) {
        forget_failures(request);
        return STATUS_OK;
    }
    TRY(status);
    return prepare_drafts(request, work);
}

static bool any_writes(const struct request *request)
{
    for (size_t i = 0; i < request->child_count; i++) {
        if ((request->children[i]->interaction->flags & INTERACTION_WRITES) != 0) {
            return true;
        }
    }
    return false;
}

static enum status read_all(struct request *request, struct bundle_work *work)
{
    struct store_tx *tx;
    request->skip_commit = true;
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        TRY(request_snapshot(request, &tx));
        if (!is_fine(request_run_child(child, CHILD_COMMIT, tx))) {
            return child_failed(request, child, i);
        }
    }
    bundle_answer(request, work);
    return STATUS_OK;
}

enum status bundle_transaction_perform(struct request *request, struct bundle_work *work)
{
    TRY(check_all(request, work));
    if (!any_writes(request)) {
        return read_all(request, work);
    }
    TRY(promise_ids(request, work));
    TRY(bundle_conditions_plan(request, work));
    return foresee(request, work);
}

/* ---- inside the transaction ---------------------------------------------------------------------
 */

/* As if nothing had been tried: the engine may have to run a transaction again. */
static void start_afresh(struct request *request, struct bundle_work *work)
{
    forget_failures(request);
    work->check_count = 0;
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        request_discloses_nobody(child);
        child->written_tied = false;
        child->response = (struct response){.body = {.arena = request->arena}};
    }
}

/* A conditional entry is, after all, about one resource; no other entry may be about the same. */
static enum status check_identity(struct request *request, struct bundle_work *work,
                                  const struct bundle_entry *entry, const struct request *child)
{
    const struct definitions *definitions = request->service->definitions;
    if (entry->method != BUNDLE_GET && entry->method != BUNDLE_HEAD &&
        entry->method != BUNDLE_POST && entry->id.length == 0 && child->id.length > 0) {
        return bundle_claim(definitions, &work->bundle, entry, child->id, &request->outcome);
    }
    const struct condition *condition = work->condition_of[entry->index];
    if (condition != NULL && !slice_equals(condition->id, child->id)) {
        return outcome_fail(
            &request->outcome, STATUS_INVALID,
            arena_print(request->arena, "Bundle.entry[%zu].request.ifNoneExist", entry->index),
            "Another entry of the transaction creates what these criteria meet. "
            "Leave one of the two out.");
    }
    return STATUS_OK;
}

static enum status commit_entry(struct request *request, struct bundle_work *work,
                                const struct bundle_entry *entry, struct store_tx *tx)
{
    struct request *child = request->children[entry->index];
    if (!is_fine(request_run_child(child, CHILD_COMMIT, tx))) {
        return child_failed(request, child, entry->index);
    }
    return check_identity(request, work, entry, child);
}

static enum status check_later(struct request *request, struct bundle_work *work,
                               struct store_tx *tx)
{
    for (size_t i = 0; i < work->check_count; i++) {
        const struct later_check *check = &work->checks[i];
        struct request *child = check->child;
        child->status = check->root != NULL
                            ? api_check_references_now(child, tx, check->type, check->root)
                            : api_check_referrers_now(child, tx);
        for (size_t at = 0; child->status != STATUS_OK && at < request->child_count; at++) {
            if (request->children[at] == child) {
                return child_failed(request, child, at);
            }
        }
    }
    return STATUS_OK;
}

/* What an entry wrote may concern somebody only by way of what a later entry wrote. */
static enum status disclose_tied(struct request *request, struct store_tx *tx)
{
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        struct store_version version;
        if (!child->written_tied) {
            continue;
        }
        TRY(store_read(tx, child->type, child->id, request->arena, &version));
        request_discloses_also(child, version.patients, version.patient_count);
    }
    return STATUS_OK;
}

enum status bundle_transaction_commit(struct request *request, struct bundle_work *work,
                                      struct store_tx *tx)
{
    size_t at = 0;
    bool changed = false;
    start_afresh(request, work);
    for (; at < request->child_count && work->order[at]->method == BUNDLE_DELETE; at++) {
        TRY(commit_entry(request, work, work->order[at], tx));
    }
    if (work->condition_count + work->lookup_count > 0) {
        TRY(bundle_conditions_find(request, work, tx, &changed));
    }
    if (changed || !work->prepared) {
        TRY(prepare_drafts(request, work));
    }
    for (; at < request->child_count; at++) {
        TRY(commit_entry(request, work, work->order[at], tx));
    }
    TRY(disclose_tied(request, tx));
    return check_later(request, work, tx);
}

/* ---- referential integrity ----------------------------------------------------------------------
 */

bool api_checked_later(struct request *request, resource_type type, yyjson_val *root,
                       enum status *ret_status)
{
    struct request *parent = request->parent;
    if (parent == NULL || parent->children_independent) {
        return false;
    }
    struct bundle_work *work = parent->perform_state;
    *ret_status = STATUS_TOO_COSTLY;
    if (work->check_count == work->check_capacity) {
        size_t capacity = work->check_capacity == 0 ? 16 : work->check_capacity * 2;
        struct later_check *more =
            arena_resize(parent->arena, work->checks, work->check_capacity * sizeof *more,
                         capacity * sizeof *more);
        if (more == NULL) {
            return true;
        }
        work->checks = more;
        work->check_capacity = capacity;
    }
    work->checks[work->check_count++] = (struct later_check){request, type, root};
    *ret_status = STATUS_OK;
    return true;
}
