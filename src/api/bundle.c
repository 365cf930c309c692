/* SPDX-License-Identifier: MIT */
/* batch and transaction (R4 http, "batch/transaction"): what both have in common. Every entry is a
 * request of its own, which walks the same stages as one that came alone. */
#include "api/bundle_int.h"

/* ---- an entry's request -----------------------------------------------------------------------
 */

static const enum method methods[] = {
    [BUNDLE_DELETE] = METHOD_DELETE, [BUNDLE_POST] = METHOD_POST, [BUNDLE_PUT] = METHOD_PUT,
    [BUNDLE_PATCH] = METHOD_PATCH,   [BUNDLE_GET] = METHOD_GET,   [BUNDLE_HEAD] = METHOD_HEAD};

/* What a caller says of the whole holds for each entry; but a write's resource is in the answer
 * only when asked for by name: the caller has just sent it. */
static enum status take_headers(struct request *child, const struct bundle_entry *entry)
{
    const struct {
        const char *name;
        struct slice value;
    } given[] = {
        {"Prefer", SLICE("return=minimal")},
        {"Prefer", request_header(child->parent, "Prefer")},
        {"If-Match", entry->if_match},
        {"If-None-Match", entry->if_none_match},
        {"If-Modified-Since", entry->if_modified_since},
        {"If-None-Exist", entry->if_none_exist},
    };
    struct header *headers =
        arena_array(child->arena, sizeof given / sizeof given[0], sizeof *headers);
    if (headers == NULL) {
        return STATUS_TOO_COSTLY;
    }
    child->headers = headers;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (given[i].value.length > 0) {
            headers[child->header_count++] =
                (struct header){slice_text(given[i].name), given[i].value};
        }
    }
    return STATUS_OK;
}

/* If-Modified-Since of an entry is an instant, of a request a date as HTTP writes it. */
static enum status take_instant(struct request *child, struct bundle_entry *entry)
{
    struct partial_date date;
    int64_t low, high;
    char text[HTTP_DATE_LENGTH + 1];
    if (entry->if_modified_since.length == 0) {
        return STATUS_OK;
    }
    if (!date_parse(entry->if_modified_since, DATE_FORM_INSTANT, &date)) {
        return request_fail(child, STATUS_VALUE, "request.ifModifiedSince",
                            "Give an instant, with seconds and zone.");
    }
    date_range(&date, &low, &high);
    http_date_write(low, text);
    entry->if_modified_since = arena_copy(child->arena, slice_text(text));
    return STATUS_OK;
}

/* A FHIRPath Patch comes as its Parameters, a JSON Patch as a Binary with the patch as its data (R4
 * http, "Patching in bundles"). */
static enum status take_patch(struct request *child, yyjson_val *resource)
{
    if (slice_is(json_get_string(resource, "resourceType"), "Parameters")) {
        child->json = child->parent->json;
        child->json.root = resource;
        return STATUS_OK;
    }
    struct buffer bytes = {.arena = child->arena};
    struct slice media = json_get_string(resource, "contentType");
    if (!slice_is(json_get_string(resource, "resourceType"), "Binary") ||
        !slice_is(slice_trim(slice_head(media, slice_index(media, ';'))),
                  "application/json-patch+json")) {
        return request_fail(child, STATUS_NOT_SUPPORTED, "resource",
                            "Send a FHIRPath Patch as its Parameters, or a JSON Patch as a Binary "
                            "whose contentType is application/json-patch+json; other patches are "
                            "not supported.");
    }
    if (!base64_parse(json_get_string(resource, "data"), true, &bytes)) {
        return request_fail(child, STATUS_VALUE, "resource.data",
                            "Give the JSON Patch document in base64.");
    }
    struct json_limits limits = json_limits_default;
    struct outcome inside;
    outcome_init(&inside, child->arena);
    enum status status =
        json_read(buffer_slice(&bytes), &limits, child->arena, &inside, &child->json);
    if (status != STATUS_OK) {
        return request_fail(child, status, "resource.data",
                            "The decoded data is not a JSON document.");
    }
    return STATUS_OK;
}

static enum status fill_child(struct request *child, struct bundle_entry *entry)
{
    size_t mark = slice_index(entry->url, '?');
    child->method = methods[entry->method];
    child->target = slice_head(entry->url, mark);
    child->query_text = entry->query;
    child->path = slice_text(arena_print(child->arena, "Bundle.entry[%zu].resource", entry->index));
    TRY(take_instant(child, entry));
    TRY(take_headers(child, entry));
    if (entry->method == BUNDLE_PATCH) {
        return take_patch(child, entry->resource);
    }
    if (entry->method == BUNDLE_POST && slice_is(entry->below, "_search")) {
        /* Its criteria would be a form, which an entry cannot hold: a search without them would
         * answer more than was asked. */
        return request_fail(child, STATUS_INVALID, "request.url",
                            "Search with GET inside a Bundle: the criteria go in the url.");
    }
    if (entry->resource != NULL) {
        child->json = child->parent->json;
        child->json.root = entry->resource;
    }
    return STATUS_OK;
}

enum status bundle_children_make(struct request *request, struct bundle_work *work)
{
    struct bundle *bundle = &work->bundle;
    struct request **children =
        arena_array(request->arena, bundle->count + 1, sizeof(struct request *));
    if (children == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        struct bundle_entry *entry = &bundle->entries[i];
        struct request *child = request_create_child(request);
        if (child == NULL) {
            return STATUS_TOO_COSTLY;
        }
        children[i] = child;
        if (entry->status != STATUS_OK) {
            child->status = entry->status;
            child->outcome = *entry->faults;
            continue;
        }
        enum status status = fill_child(child, entry);
        child->status = status;
    }
    request->children = children;
    request->child_count = bundle->count;
    work->reserve = arena_alloc(request->arena, (bundle->count + 1) * BUNDLE_SHORT_BYTES);
    return work->reserve != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* ---- issues -----------------------------------------------------------------------------------
 */

/* Where in the Bundle what an entry's own walk complains of is: an element of its resource that
 * was named with a path of ours already, its id, a member of the entry, or something in its url. */
static struct slice path_in_bundle(struct arena *arena, struct slice path, size_t index)
{
    if (slice_starts(path, SLICE("Bundle."))) {
        return path;
    }
    if (path.length == 0) {
        return slice_text(arena_print(arena, "Bundle.entry[%zu]", index));
    }
    if (slice_is(path, "id")) {
        return slice_text(arena_print(arena, "Bundle.entry[%zu].resource.id", index));
    }
    if (slice_starts(path, SLICE("request.")) || slice_starts(path, SLICE("resource"))) {
        return slice_text(arena_print(arena, "Bundle.entry[%zu].%.*s", index, SLICE_ARGS(path)));
    }
    return slice_text(arena_print(arena, "Bundle.entry[%zu].request.url", index));
}

void bundle_take_issues(struct request *child, size_t index, struct outcome *outcome)
{
    if (child->outcome.errors == 0 && child->status != STATUS_OK) {
        (void)outcome_fail(&child->outcome, child->status, "", "%s",
                           request_explanation(child->status));
    }
    for (const struct issue *issue = child->outcome.first; issue != NULL; issue = issue->next) {
        struct issue copy = *issue;
        copy.next = NULL;
        copy.path = path_in_bundle(child->arena, issue->path, index);
        outcome_add(outcome, &copy);
    }
}

/* ---- the interaction --------------------------------------------------------------------------
 */

enum status api_bundle_perform(struct request *request)
{
    struct bundle_work *work = ARENA_NEW(request->arena, struct bundle_work);
    if (work == NULL) {
        return STATUS_TOO_COSTLY;
    }
    request->perform_state = work;
    work->changes.arena = request->arena;
    size_t entries = yyjson_arr_size(json_get(request->json.root, "entry"));
    arena_raise(request->arena, arena_limit(request->arena) + entries * BUNDLE_ENTRY_BYTES);
    enum status status =
        bundle_read(request->service->definitions, request->json.root, request->base_url,
                    request->arena, &request->outcome, &work->bundle);
    if (status != STATUS_OK && (work->bundle.entries == NULL || arena_full(request->arena))) {
        return status;
    }
    TRY(bundle_children_make(request, work));
    work->order = bundle_order(&work->bundle, request->arena);
    if (work->order == NULL) {
        return STATUS_TOO_COSTLY;
    }
    return work->bundle.transaction ? bundle_transaction_perform(request, work)
                                    : bundle_batch_perform(request, work);
}

/* Only of transactions: the entries of a batch are jobs of their own. */
enum status api_bundle_commit(struct request *request, struct store_tx *tx)
{
    return bundle_transaction_commit(request, request->perform_state, tx);
}

void api_bundle_committed(struct request *request)
{
    bundle_answer(request, request->perform_state);
}

/* ---- batch ------------------------------------------------------------------------------------
 */

enum status bundle_batch_perform(struct request *request, struct bundle_work *work)
{
    bool writes = false;
    request->children_independent = true;
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        if (request_run_child(child, CHILD_PREPARE, NULL) == STATUS_OK) {
            writes = writes ||
                     (!child->skip_commit && (child->interaction->flags & INTERACTION_WRITES) != 0);
        }
        if (arena_full(request->arena)) {
            return STATUS_TOO_COSTLY;
        }
    }
    if (!writes) {
        request->skip_commit = true;
        bundle_answer(request, work);
    }
    return STATUS_OK;
}
