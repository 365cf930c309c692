/* SPDX-License-Identifier: MIT */
/* Carrying out `_include` and `_revinclude` (R4 search, "Including other resources in result"):
 * what the matches of one page refer to, or is referred to by, each resource once. */
#include "api/api_int.h"

/* More of them than this make the page smaller; of one match alone they are refused. */
#define INCLUDES_MOST 1000

struct gathering {
    struct request *request;
    struct store_tx *tx;
    const struct search_plan *plan;
    const struct store_page *page;
    struct store_version *items;
    size_t count, bytes;
    uint32_t *slots; /* open addressing: index from 1, matches first */
    size_t slot_count;
};

static const struct store_version *gathered(const struct gathering *gathering, size_t index)
{
    return index < gathering->page->count ? &gathering->page->items[index]
                                          : &gathering->items[index - gathering->page->count];
}

static size_t hash_of(const struct store_version *version)
{
    uint64_t hash = 14695981039346656037u ^ version->type;
    for (size_t i = 0; i < version->id.length; i++) {
        hash = (hash ^ (uint8_t)version->id.at[i]) * 1099511628211u;
    }
    return (size_t)(hash ^ hash >> 32);
}

/* The slot where the resource stands, or where it would. */
static uint32_t *slot_of(const struct gathering *gathering, const struct store_version *version)
{
    size_t at = hash_of(version) & (gathering->slot_count - 1);
    for (;; at = (at + 1) & (gathering->slot_count - 1)) {
        uint32_t *slot = &gathering->slots[at];
        if (*slot == 0) {
            return slot;
        }
        const struct store_version *other = gathered(gathering, *slot - 1);
        if (other->type == version->type && slice_equals(other->id, version->id)) {
            return slot;
        }
    }
}

static enum status add_all(struct gathering *gathering, const struct store_version *found,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t *slot = slot_of(gathering, &found[i]);
        if (*slot != 0) {
            continue;
        }
        gathering->bytes += found[i].body.length;
        if (gathering->count == INCLUDES_MOST || gathering->bytes > API_PAGE_BYTES) {
            return STATUS_TOO_COSTLY;
        }
        gathering->items[gathering->count++] = found[i];
        *slot = (uint32_t)(gathering->page->count + gathering->count);
    }
    return STATUS_OK;
}

static enum status follow(struct gathering *gathering, const struct search_include *include,
                          const struct store_version *version)
{
    struct store_version *found = NULL;
    size_t count = 0;
    struct arena *arena = gathering->request->arena;
    if (include->reverse) {
        if ((include->target != RESOURCE_TYPE_NONE && include->target != version->type) ||
            (include->parameter != NULL &&
             !search_parameter_targets(include->parameter, version->type))) {
            return STATUS_OK;
        }
        TRY(store_referrers(gathering->tx, version, include->source, include->parameter,
                            INCLUDES_MOST, arena, &gathering->request->outcome, &found, &count));
    } else {
        if (include->source != RESOURCE_TYPE_NONE && include->source != version->type) {
            return STATUS_OK;
        }
        TRY(store_follow(gathering->tx, version, include->parameter, include->target, INCLUDES_MOST,
                         arena, &found, &count));
    }
    return add_all(gathering, found, count);
}

static enum status gather(struct gathering *gathering)
{
    const struct search_plan *plan = gathering->plan;
    for (size_t i = 0; i < gathering->page->count + gathering->count; i++) {
        bool match = i < gathering->page->count;
        for (size_t j = 0; j < plan->include_count; j++) {
            if (match || plan->includes[j].iterate) {
                struct store_version version = *gathered(gathering, i);
                TRY(follow(gathering, &plan->includes[j], &version));
            }
        }
    }
    return STATUS_OK;
}

static enum status gather_of_page(struct request *request, struct store_tx *tx,
                                  const struct search_plan *plan, struct search_answer *answer)
{
    struct gathering gathering = {
        .request = request, .tx = tx, .plan = plan, .page = &answer->page, .slot_count = 64};
    while (gathering.slot_count < 2 * (answer->page.count + INCLUDES_MOST)) {
        gathering.slot_count *= 2;
    }
    gathering.slots = arena_zero(request->arena, gathering.slot_count * sizeof *gathering.slots);
    gathering.items = arena_array(request->arena, INCLUDES_MOST, sizeof *gathering.items);
    if (gathering.slots == NULL || gathering.items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < answer->page.count; i++) {
        *slot_of(&gathering, &answer->page.items[i]) = (uint32_t)(i + 1);
    }
    TRY(gather(&gathering));
    answer->included = gathering.items;
    answer->included_count = gathering.count;
    return STATUS_OK;
}

/* The same page with fewer matches; its total is known. */
static enum status shorten(struct request *request, struct store_tx *tx,
                           const struct search_plan *plan, struct search_answer *answer)
{
    struct store_query query = plan->query;
    uint64_t total = answer->page.total;
    query.count = answer->page.count / 2;
    query.total = false;
    TRY(store_find(tx, &query, request->arena, &request->outcome, &answer->page));
    answer->page.total = total;
    return STATUS_OK;
}

enum status api_include(struct request *request, struct store_tx *tx,
                        const struct search_plan *plan, struct search_answer *answer)
{
    if (plan->include_count == 0 || answer->page.count == 0) {
        return STATUS_OK;
    }
    arena_raise(request->arena, 12 * API_PAGE_BYTES);
    enum status status = gather_of_page(request, tx, plan, answer);
    while (status == STATUS_TOO_COSTLY && answer->page.count > 1 && !arena_full(request->arena) &&
           !request_is_late(request)) {
        TRY(shorten(request, tx, plan, answer));
        status = gather_of_page(request, tx, plan, answer);
    }
    if (status == STATUS_TOO_COSTLY && answer->page.count <= 1) {
        return request_fail(request, status, "_include",
                            "More than %d resources would be included with one match. Leave "
                            "_include or _revinclude out, and search for them page by page.",
                            INCLUDES_MOST);
    }
    return status;
}
