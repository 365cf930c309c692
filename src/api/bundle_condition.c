/* SPDX-License-Identifier: MIT */
/* What the conditional entries and references of a transaction mean. They are looked up twice: on
 * a worker, so that drafts can be made there, and again inside the database transaction, where the
 * answer counts. Only when the two differ are drafts made again on the writer's thread. */
#include "api/bundle_int.h"

static bool is_conditional(const struct bundle_entry *entry)
{
    return (entry->method == BUNDLE_POST && entry->if_none_exist.length > 0 &&
            entry->below.length == 0) ||
           (entry->method == BUNDLE_PUT && entry->id.length == 0);
}

static struct slice new_id(struct request *request)
{
    char id[UUID_LENGTH + 1];
    random_uuid(id);
    return arena_copy(request->arena, slice_text(id));
}

/* Open-addressed, of the first condition with each criteria. */
struct twins {
    struct condition **slots;
    size_t mask;
};

static struct condition *first_twin(struct twins *twins, struct condition *condition)
{
    const struct bundle_entry *entry = condition->entry;
    size_t at = (size_t)(slice_hash(entry->if_none_exist) + entry->type) & twins->mask;
    if (entry->method != BUNDLE_POST) {
        return condition;
    }
    while (twins->slots[at] != NULL) {
        const struct bundle_entry *other = twins->slots[at]->entry;
        if (other->type == entry->type &&
            slice_equals(other->if_none_exist, entry->if_none_exist)) {
            return twins->slots[at];
        }
        at = (at + 1) & twins->mask;
    }
    twins->slots[at] = condition;
    return condition;
}

static enum status plan_condition(struct request *request, struct condition *condition)
{
    size_t index = condition->entry->index;
    struct request *child = request->children[index];
    condition->promised = new_id(request);
    enum status status =
        api_condition_plan(child, condition->entry->if_none_exist, &condition->plan);
    if (status != STATUS_OK) {
        child->status = status;
        bundle_take_issues(child, index, &request->outcome);
    }
    return status;
}

static enum status plan_conditions(struct request *request, struct bundle_work *work)
{
    struct bundle *bundle = &work->bundle;
    size_t count = 0;
    for (size_t i = 0; i < bundle->count; i++) {
        count += is_conditional(&bundle->entries[i]);
    }
    struct twins twins = {.mask = 1};
    while (twins.mask + 1 < 2 * count) {
        twins.mask = twins.mask * 2 + 1;
    }
    twins.slots = arena_array(request->arena, twins.mask + 1, sizeof(struct condition *));
    work->conditions = arena_array(request->arena, count, sizeof *work->conditions);
    work->condition_of = arena_array(request->arena, bundle->count, sizeof(struct condition *));
    if (twins.slots == NULL || work->conditions == NULL || work->condition_of == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        if (is_conditional(&bundle->entries[i])) {
            struct condition *condition = &work->conditions[work->condition_count++];
            work->condition_of[i] = condition;
            condition->entry = &bundle->entries[i];
            condition->twin = first_twin(&twins, condition);
            TRY(plan_condition(request, condition));
        }
    }
    return STATUS_OK;
}

enum status api_lookup_plan(struct request *request, const struct bundle_query *query,
                            struct lookup *ret_lookup)
{
    struct request *carrier = request_create_child(request);
    *ret_lookup = (struct lookup){.query = query, .request = carrier};
    if (carrier == NULL) {
        return STATUS_TOO_COSTLY;
    }
    carrier->type = query->type;
    carrier->status = api_condition_plan(carrier, query->query, &ret_lookup->plan);
    ret_lookup->planned = carrier->status == STATUS_OK;
    return carrier->status;
}

static enum status plan_lookups(struct request *request, struct bundle_work *work)
{
    struct bundle_query *queries;
    size_t count;
    TRY(bundle_queries(request->service->definitions, &work->bundle, &queries, &count));
    work->lookups = arena_array(request->arena, count + 1, sizeof *work->lookups);
    if (work->lookups == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        struct lookup *lookup = &work->lookups[work->lookup_count++];
        enum status status = api_lookup_plan(request, &queries[i], lookup);
        if (status != STATUS_OK && lookup->request != NULL) {
            bundle_take_issues(lookup->request, queries[i].entry->index, &request->outcome);
        }
        TRY(status);
    }
    return STATUS_OK;
}

enum status bundle_conditions_plan(struct request *request, struct bundle_work *work)
{
    for (size_t i = 0; i < work->bundle.count; i++) {
        work->deletes = work->deletes || work->bundle.entries[i].method == BUNDLE_DELETE;
    }
    TRY(plan_conditions(request, work));
    return plan_lookups(request, work);
}

/* ---- looking up --------------------------------------------------------------------------------
 */

/* Two creates on the same condition are one: the second meets what the first has made. */
static struct slice id_without_match(const struct condition *condition, struct slice own)
{
    if (condition->entry->method == BUNDLE_PUT && own.length > 0) {
        return own;
    }
    return condition->twin == condition ? condition->promised : condition->twin->id;
}

static enum status find_condition(struct request *request, struct condition *condition,
                                  struct store_tx *tx, struct slice *ret_id)
{
    struct request *child = request->children[condition->entry->index];
    struct store_version match;
    bool found;
    TRY(api_condition_find(child, tx, &condition->plan, &found, &match));
    struct slice own = json_get_string(condition->entry->resource, "id");
    if (!found) {
        *ret_id = id_without_match(condition, own);
        return condition->entry->method == BUNDLE_PUT && own.length > 0
                   ? api_condition_spares(child, tx, own)
                   : STATUS_OK;
    }
    if (condition->entry->method == BUNDLE_PUT && own.length > 0 && !slice_equals(own, match.id)) {
        return request_fail(child, STATUS_VALUE, "id",
                            "The criteria meet a resource with another id: leave the id out, or "
                            "update by id.");
    }
    *ret_id = match.id;
    return STATUS_OK;
}

enum status api_lookup_find(struct lookup *lookup, struct store_tx *tx, struct slice *ret_id)
{
    struct store_version match;
    bool found;
    if (!lookup->planned) {
        return lookup->request->status;
    }
    TRY(api_condition_find(lookup->request, tx, &lookup->plan, &found, &match));
    if (!found) {
        return request_fail(lookup->request, STATUS_PRECONDITION, "resource",
                            "A conditional reference meets no resource: it must meet exactly "
                            "one.");
    }
    *ret_id = match.id;
    return STATUS_OK;
}

static void settle(struct slice *id, struct slice now, bool *changed)
{
    if (!slice_equals(*id, now)) {
        *changed = true;
        *id = now;
    }
}

enum status bundle_conditions_find(struct request *request, struct bundle_work *work,
                                   struct store_tx *tx, bool *ret_changed)
{
    *ret_changed = false;
    for (size_t i = 0; i < work->condition_count; i++) {
        struct condition *condition = &work->conditions[i];
        struct request *child = request->children[condition->entry->index];
        struct slice id = {0};
        enum status status = find_condition(request, condition, tx, &id);
        if (status != STATUS_OK) {
            child->status = status;
            bundle_take_issues(child, condition->entry->index, &request->outcome);
            return status;
        }
        settle(&condition->id, id, ret_changed);
    }
    for (size_t i = 0; i < work->lookup_count; i++) {
        struct lookup *lookup = &work->lookups[i];
        struct slice id = {0};
        enum status status = api_lookup_find(lookup, tx, &id);
        if (status != STATUS_OK) {
            lookup->request->status = status;
            bundle_take_issues(lookup->request, lookup->query->entry->index, &request->outcome);
            return status;
        }
        settle(&lookup->id, id, ret_changed);
    }
    return STATUS_OK;
}

/* ---- links -------------------------------------------------------------------------------------
 */

static bool has_links(const struct bundle_entry *entry)
{
    return entry->resource != NULL && entry->below.length == 0 &&
           (entry->method == BUNDLE_POST || entry->method == BUNDLE_PUT);
}

enum status bundle_links_apply(struct request *request, struct bundle_work *work)
{
    const struct definitions *definitions = request->service->definitions;
    struct bundle *bundle = &work->bundle;
    resource_restore_links(&work->changes);
    for (size_t i = 0; i < work->condition_count; i++) {
        struct condition *condition = &work->conditions[i];
        request->children[condition->entry->index]->id =
            condition->entry->method == BUNDLE_PUT ? condition->id : condition->promised;
        TRY(bundle_set_target(definitions, bundle, condition->entry, condition->id));
    }
    for (size_t i = 0; i < work->lookup_count; i++) {
        const struct lookup *lookup = &work->lookups[i];
        TRY(link_set(definitions, bundle, lookup->query->link, lookup->query->type, lookup->id));
    }
    for (size_t i = 0; i < bundle->count; i++) {
        struct bundle_entry *entry = &bundle->entries[i];
        if (has_links(entry)) {
            struct bundle_linker linker;
            bundle_linker_start(&linker, definitions, bundle, entry);
            TRY(resource_exchange_links(definitions, entry->resource_type, entry->resource,
                                        bundle_link_resolve, &linker, &work->changes));
        }
    }
    return STATUS_OK;
}
