/* SPDX-License-Identifier: MIT */
/* The Bundles of an import: links between their resources, and the conditional references of
 * transactions (R4 http, "Conditional references"). Those are looked up twice: on the worker, so
 * that drafts can be made there, and again inside the database transaction, where the answer counts
 * and the units before have been stored. */
#include "api/api.h"
#include "feed/feed_int.h"

/* ---- links between the resources of one Bundle ---- */

struct links {
    struct slice *texts;   /* open addressing; at == NULL: free */
    struct slice *targets; /* "Patient/1"; empty: of a reference that meets nothing */
    size_t mask;
};

static bool links_make(struct arena *arena, size_t count, struct links *ret_links)
{
    size_t size = 16;
    while (size < count * 2) {
        size *= 2;
    }
    ret_links->texts = arena_array(arena, size, sizeof(struct slice));
    ret_links->targets = arena_array(arena, size, sizeof(struct slice));
    ret_links->mask = size - 1;
    return ret_links->texts != NULL && ret_links->targets != NULL;
}

static size_t links_place(const struct links *links, struct slice text)
{
    size_t at = slice_hash(text) & links->mask;
    while (links->texts[at].at != NULL && !slice_equals(links->texts[at], text)) {
        at = (at + 1) & links->mask;
    }
    return at;
}

static bool resolve(void *context, struct slice text, struct slice *ret_text)
{
    const struct links *links = context;
    size_t at = links_place(links, text);
    *ret_text = links->targets[at];
    return ret_text->length > 0;
}

static enum status links_set(struct request *request, struct links *links, struct slice text,
                             resource_type type, struct slice id)
{
    struct slice name = resource_type_name(request->service->definitions, type);
    const char *target = arena_print(request->arena, "%.*s/%.*s", SLICE_ARGS(name), SLICE_ARGS(id));
    size_t at = links_place(links, text);
    links->texts[at] = text;
    links->targets[at] = id.length > 0 ? slice_text(target) : (struct slice){0};
    return arena_full(request->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- entries ---- */

struct feed_bundle {
    struct item *items;
    size_t count;
    struct links links;
    struct link_changes changes; /* made to the resources */
    uint64_t line;
    bool atomic;
    /* with conditional references */
    struct lookup *lookups;
    size_t lookup_count;
    bool prepared; /* drafts are made for the ids that are in lookups */
    size_t place;  /* they go before this one of the unit's drafts */
    struct store_draft **drafts;
    size_t draft_count;
    uint64_t rejected;
    struct verdicts verdicts;
    struct feed_bundle *next;
};

static struct item read_entry(struct request *request, const struct json *json, yyjson_val *entry,
                              size_t index, uint64_t line)
{
    struct item item = {.json = json,
                        .resource = json_get(entry, "resource"),
                        .full_url = json_get_string(entry, "fullUrl"),
                        .entry = (int64_t)index,
                        .line = line};
    item.type = resource_type_find(request->service->definitions,
                                   json_get_string(item.resource, "resourceType"));
    item_choose_id(request, &item);
    return item;
}

/* All the entries of an atomic Bundle fall with the first that is rejected. */
static void drop_all(struct unit *unit, const struct item *whole, size_t from)
{
    uint64_t dropped = unit->draft_count - from;
    unit->draft_count = from;
    unit_refuse(
        unit, whole, STATUS_INVALID, "Bundle",
        "The transaction is all or nothing and entries of it were rejected (listed before this "
        "line), so nothing of it was stored. Mend them, or import with --split.");
    unit->rejected += dropped;
    unit->rejected--;
}

struct query_search {
    const struct definitions *definitions;
    bool found;
};

static void find_query(void *context, const struct walk_value *value)
{
    struct query_search *search = context;
    if (value->parent_type == FHIR_TYPE_REFERENCE && slice_is(value->name, "reference")) {
        struct reference reference = reference_parse(search->definitions, json_string(value->value),
                                                     (struct slice){NULL, 0});
        search->found = search->found || reference.kind == REFERENCE_QUERY;
    }
}

static enum status take_one(struct unit *unit, struct feed_bundle *bundle, struct item *item)
{
    struct request *request = unit->request;
    const struct definitions *definitions = request->service->definitions;
    struct query_search search = {.definitions = definitions};
    if (item->resource == NULL) {
        unit_refuse(unit, item, STATUS_REQUIRED, "Bundle.entry.resource",
                    "The entry has no resource: import stores resources and does nothing else.");
        static const struct issue missing = {.severity = SEVERITY_ERROR, .code = "required"};
        return unit_judge(unit, item->type, NULL, true, &missing);
    }
    if (item->type != RESOURCE_TYPE_NONE) {
        TRY(resource_exchange_links(definitions, item->type, item->resource, resolve,
                                    &bundle->links, &bundle->changes));
        if (bundle->lookup_count > 0) {
            resource_walk(definitions, item->type, item->resource, find_query, &search);
        }
    }
    if (search.found) {
        unit_refuse(unit, item, STATUS_PRECONDITION, "Bundle.entry.resource",
                    "A conditional reference meets no resource or several, or cannot be searched "
                    "by: it must meet exactly one. Import first what it refers to.");
        return STATUS_OK;
    }
    return unit_take(unit, item);
}

static enum status take_items(struct unit *unit, struct feed_bundle *bundle)
{
    size_t drafts_before = unit->draft_count;
    size_t verdicts_before = unit->verdicts.count;
    uint64_t rejected_before = unit->rejected;
    for (size_t i = 0; i < bundle->count; i++) {
        TRY(take_one(unit, bundle, &bundle->items[i]));
    }
    if (bundle->atomic && unit->rejected > rejected_before) {
        struct item whole = {.entry = -1, .line = bundle->line};
        drop_all(unit, &whole, drafts_before);
        verdicts_forget_accepted(&unit->verdicts, verdicts_before);
    }
    return STATUS_OK;
}

/* ---- conditional references ---- */

static enum status find_queries(struct unit *unit, const struct feed_bundle *bundle,
                                struct bundle_query **ret_queries, size_t *ret_count)
{
    struct request *request = unit->request;
    struct bundle shape = {
        .transaction = true,
        .entries = arena_array(request->arena, bundle->count + 1, sizeof(struct bundle_entry)),
        .count = bundle->count,
        .links = {.arena = request->arena}};
    if (shape.entries == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        shape.entries[i] = (struct bundle_entry){.index = i,
                                                 .method = BUNDLE_PUT,
                                                 .resource = bundle->items[i].resource,
                                                 .resource_type = bundle->items[i].type};
    }
    return bundle_queries(request->service->definitions, &shape, ret_queries, ret_count);
}

/* Is it the machine that failed, and not the reference? */
static bool is_our_trouble(enum status status)
{
    return status == STATUS_TOO_COSTLY ||
           (status_http(status) >= 500 && status != STATUS_NOT_SUPPORTED);
}

static enum status plan_lookups(struct unit *unit, struct feed_bundle *bundle,
                                const struct bundle_query *queries, size_t count)
{
    bundle->lookups = arena_array(unit->request->arena, count, sizeof *bundle->lookups);
    if (bundle->lookups == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        enum status status = api_lookup_plan(unit->request, &queries[i], &bundle->lookups[i]);
        if (is_our_trouble(status)) {
            return status;
        }
    }
    bundle->lookup_count = count;
    return STATUS_OK;
}

static enum status find_lookups(struct feed_bundle *bundle, struct store_tx *tx, bool *ret_changed,
                                bool *ret_all)
{
    *ret_changed = false;
    *ret_all = true;
    for (size_t i = 0; i < bundle->lookup_count; i++) {
        struct lookup *lookup = &bundle->lookups[i];
        struct slice id = {0};
        enum status status = api_lookup_find(lookup, tx, &id);
        if (is_our_trouble(status)) {
            return status;
        }
        id = status == STATUS_OK ? id : (struct slice){0};
        *ret_changed = *ret_changed || !slice_equals(lookup->id, id);
        *ret_all = *ret_all && id.length > 0;
        lookup->id = id;
    }
    return STATUS_OK;
}

/* Makes the Bundle's drafts for the ids that its lookups have now, in the place of earlier ones. */
static enum status prepare(struct unit *unit, struct feed_bundle *bundle)
{
    resource_restore_links(&bundle->changes);
    for (size_t i = 0; i < bundle->lookup_count; i++) {
        const struct lookup *lookup = &bundle->lookups[i];
        TRY(links_set(unit->request, &bundle->links, lookup->query->link->text, lookup->query->type,
                      lookup->id));
    }
    struct unit aside = *unit; /* whose drafts are this Bundle's alone */
    aside.drafts = NULL;
    aside.draft_count = aside.draft_capacity = 0;
    aside.rejected = 0;
    aside.verdicts = (struct verdicts){0};
    TRY(take_items(&aside, bundle));
    unit->rejects = aside.rejects;
    unit->rejected += aside.rejected - bundle->rejected;
    bundle->rejected = aside.rejected;
    bundle->drafts = aside.drafts;
    bundle->draft_count = aside.draft_count;
    bundle->verdicts = aside.verdicts;
    bundle->prepared = true;
    return STATUS_OK;
}

/* What they meet now may be all; then the work is done here and not on the writer's thread. */
static enum status foresee(struct unit *unit, struct feed_bundle *bundle)
{
    struct store_tx *tx;
    bool changed, all;
    TRY(request_snapshot(unit->request, &tx));
    TRY(find_lookups(bundle, tx, &changed, &all));
    bundle->place = unit->draft_count;
    struct feed_bundle **last = &unit->bundles;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = bundle;
    return all ? prepare(unit, bundle) : STATUS_OK;
}

static enum status settle(struct unit *unit, struct feed_bundle *bundle, struct store_tx *tx)
{
    bool changed, all;
    TRY(find_lookups(bundle, tx, &changed, &all));
    return changed || !bundle->prepared ? prepare(unit, bundle) : STATUS_OK;
}

/* ---- the whole ---- */

enum status unit_take_bundle(struct unit *unit, const struct json *json, uint64_t line)
{
    struct request *request = unit->request;
    yyjson_val *entries = json_get(json->root, "entry");
    bool transaction = slice_is(json_get_string(json->root, "type"), "transaction");
    struct feed_bundle *bundle = ARENA_NEW(request->arena, struct feed_bundle);
    if (bundle == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *bundle = (struct feed_bundle){.count = yyjson_arr_size(entries),
                                   .changes = {.arena = request->arena},
                                   .line = line,
                                   .atomic = transaction && !unit->import->options->split};
    bundle->items = arena_array(request->arena, bundle->count + 1, sizeof *bundle->items);
    if (bundle->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t index, most;
    yyjson_val *entry;
    yyjson_arr_foreach(entries, index, most, entry)
    {
        bundle->items[index] = read_entry(request, json, entry, index, line);
    }
    struct bundle_query *queries = NULL;
    size_t count = 0;
    if (transaction) {
        TRY(find_queries(unit, bundle, &queries, &count));
    }
    if (!links_make(request->arena, bundle->count + count, &bundle->links)) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        const struct item *item = &bundle->items[i];
        if (item->full_url.length > 0 && item->type != RESOURCE_TYPE_NONE) {
            TRY(links_set(request, &bundle->links, item->full_url, item->type, item->id));
        }
    }
    if (count == 0) {
        return take_items(unit, bundle);
    }
    TRY(plan_lookups(unit, bundle, queries, count));
    return foresee(unit, bundle);
}

/* The unit's drafts from FROM up to TO; there may be none at all. */
static enum status put_range(struct unit *unit, struct store_tx *tx, size_t from, size_t to)
{
    return from < to ? unit_put(unit, tx, unit->drafts + from, to - from) : STATUS_OK;
}

enum status unit_put_all(struct unit *unit, struct store_tx *tx)
{
    size_t at = 0;
    for (struct feed_bundle *bundle = unit->bundles; bundle != NULL; bundle = bundle->next) {
        TRY(put_range(unit, tx, at, bundle->place));
        at = bundle->place;
        TRY(settle(unit, bundle, tx));
        TRY(unit_put(unit, tx, bundle->drafts, bundle->draft_count));
    }
    return put_range(unit, tx, at, unit->draft_count);
}

void unit_count_bundles(const struct unit *unit)
{
    for (const struct feed_bundle *bundle = unit->bundles; bundle != NULL; bundle = bundle->next) {
        verdicts_count(&bundle->verdicts, unit->import->service.quality);
    }
}
