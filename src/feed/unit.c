/* SPDX-License-Identifier: MIT */
/* One unit of an import: what is stored together. Its interaction is the only row of the feed's
 * table, so that it walks the same stages as any request. */
#include <errno.h>
#include <unistd.h>

#include "feed/feed_int.h"
#include "validate/validate.h"

/* ---- links between the resources of one Bundle ---- */

struct links {
    struct slice *texts;   /* open addressing; at == NULL: free */
    struct slice *targets; /* "Patient/1" */
    size_t mask;
    struct unit *unit;
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
    return links->texts[at].at != NULL;
}

/* ---- what the checks said ---- */

/* RESOURCE NULL: it could not be read. */
static enum status note_entry(struct unit *unit, resource_type type, yyjson_val *resource,
                              bool refused, const struct outcome *outcome)
{
    struct arena *arena = unit->request->arena;
    if (unit->entry_count == unit->entry_capacity) {
        size_t capacity = unit->entry_capacity == 0 ? 64 : unit->entry_capacity * 2;
        struct quality_entry *more = arena_resize(
            arena, unit->entries, unit->entry_capacity * sizeof *more, capacity * sizeof *more);
        if (more == NULL) {
            return STATUS_TOO_COSTLY;
        }
        unit->entries = more;
        unit->entry_capacity = capacity;
    }
    struct slice source = unit->import->options->source;
    unit->entries[unit->entry_count++] = (struct quality_entry){
        .type = type,
        .source = resource != NULL ? quality_source_of(resource, source, arena) : source,
        .refused = refused,
        .issues = outcome->first,
    };
    return STATUS_OK;
}

/* What fell with its transaction was not accepted, and nothing is wrong with it. */
static void forget_accepted(struct unit *unit, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < unit->entry_count; i++) {
        if (unit->entries[i].refused) {
            unit->entries[kept++] = unit->entries[i];
        }
    }
    unit->entry_count = kept;
}

static void count_entries(const struct unit *unit)
{
    struct quality *quality = unit->import->service.quality;
    for (size_t i = 0; i < unit->entry_count; i++) {
        quality_count(quality, &unit->entries[i]);
    }
}

/* ---- rejects ---- */

void unit_reject(struct unit *unit, uint64_t line, int64_t entry, resource_type type,
                 const struct outcome *outcome)
{
    struct buffer *out = &unit->rejects;
    buffer_add_text(out, "{\"file\":");
    buffer_add_json_string(out, slice_text(unit->file));
    if (unit->lines) {
        buffer_print(out, ",\"line\":%llu", (unsigned long long)line);
    }
    if (entry >= 0) {
        buffer_print(out, ",\"entry\":%lld", (long long)entry);
    }
    if (type != RESOURCE_TYPE_NONE) {
        struct slice name = resource_type_name(unit->import->service.definitions, type);
        buffer_print(out, ",\"type\":\"%.*s\"", SLICE_ARGS(name));
    }
    buffer_add_text(out, ",\"outcome\":");
    outcome_write_json(outcome, out);
    buffer_add_text(out, "}\n");
    unit->rejected++;
}

/* ---- one resource ---- */

struct item {
    const struct json *json;
    yyjson_val *resource;
    struct slice full_url;
    int64_t entry; /* -1: not of a Bundle */
    uint64_t line;
    resource_type type;
    struct slice id;
};

/* The id it has, or its urn:uuid, or a new one. */
static void choose_id(struct request *request, struct item *item)
{
    struct slice id = json_get_string(item->resource, "id");
    struct slice uuid = slice_starts(item->full_url, SLICE("urn:uuid:"))
                            ? slice_from(item->full_url, strlen("urn:uuid:"))
                            : (struct slice){0};
    if (id.length == 0 && resource_id_valid(uuid)) {
        id = uuid;
    }
    if (id.length == 0) {
        char fresh[UUID_LENGTH + 1];
        random_uuid(fresh);
        id = arena_copy(request->arena, slice_text(fresh));
    }
    item->id = id;
}

static struct outcome refuse(struct unit *unit, const struct item *item, enum status status,
                             const char *path, const char *why)
{
    struct outcome outcome;
    outcome_init(&outcome, unit->request->arena);
    (void)outcome_fail(&outcome, status, path, "%s", why);
    unit_reject(unit, item->line, item->entry, item->type, &outcome);
    return outcome;
}

static enum status add_draft(struct unit *unit, struct store_draft *draft)
{
    if (unit->draft_count == unit->draft_capacity) {
        size_t capacity = unit->draft_capacity == 0 ? 64 : unit->draft_capacity * 2;
        struct store_draft **more =
            arena_resize(unit->request->arena, unit->drafts,
                         unit->draft_capacity * sizeof *unit->drafts, capacity * sizeof *more);
        if (more == NULL) {
            return STATUS_TOO_COSTLY;
        }
        unit->drafts = more;
        unit->draft_capacity = capacity;
    }
    unit->drafts[unit->draft_count++] = draft;
    return STATUS_OK;
}

/* Validates and makes a draft; a fault of the input is a reject and no failure of the unit. */
static enum status take_item(struct unit *unit, struct item *item)
{
    struct request *request = unit->request;
    struct outcome outcome;
    outcome_init(&outcome, request->arena);
    struct validate_options options = {.definitions = request->service->definitions,
                                       .refuse_test_numbers =
                                           !request->service->config->test_numbers};
    struct slice path = item->entry >= 0
                            ? slice_text(arena_print(request->arena, "Bundle.entry[%lld].resource",
                                                     (long long)item->entry))
                            : (struct slice){0};
    enum status status = validate_resource(&options, item->json, item->resource, path,
                                           request->arena, &outcome, &item->type);
    struct store_draft *draft;
    if (status == STATUS_OK) {
        status = store_draft_make(request->service->store, item->type, item->id, item->resource,
                                  request->base_url, request->arena, &outcome, &draft);
    }
    if (status == STATUS_OK) {
        TRY(note_entry(unit, item->type, item->resource, false, &outcome));
        return add_draft(unit, draft);
    }
    if (status_http(status) >= 500 || status == STATUS_TOO_COSTLY) {
        return status;
    }
    unit_reject(unit, item->line, item->entry, item->type, &outcome);
    return note_entry(unit, item->type, item->resource, true, &outcome);
}

/* ---- Bundles ---- */

/* Which Bundles are lists of resources to be stored, and not documents of their own. */
static bool is_list(struct slice type)
{
    static const char *const lists[] = {"transaction", "batch",   "collection",
                                        "searchset",   "history", NULL};
    for (const char *const *list = lists; *list != NULL; list++) {
        if (slice_is(type, *list)) {
            return true;
        }
    }
    return false;
}

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
    choose_id(request, &item);
    return item;
}

static enum status add_link(struct request *request, struct links *links, const struct item *item)
{
    if (item->full_url.length == 0 || item->type == RESOURCE_TYPE_NONE) {
        return STATUS_OK;
    }
    struct slice name = resource_type_name(request->service->definitions, item->type);
    const char *target =
        arena_print(request->arena, "%.*s/%.*s", SLICE_ARGS(name), SLICE_ARGS(item->id));
    size_t at = links_place(links, item->full_url);
    links->texts[at] = item->full_url;
    links->targets[at] = slice_text(target);
    return arena_full(request->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* All the entries of an atomic Bundle fall with the first that is rejected. */
static void drop_all(struct unit *unit, const struct item *whole, size_t from)
{
    uint64_t dropped = unit->draft_count - from;
    unit->draft_count = from;
    (void)refuse(unit, whole, STATUS_INVALID, "Bundle",
                 "The transaction is all or nothing and entries of it were rejected (listed before "
                 "this line), so nothing of it was stored. Mend them, or import with --split.");
    unit->rejected += dropped;
    unit->rejected--;
}

static enum status take_bundle(struct unit *unit, const struct json *json, uint64_t line)
{
    struct request *request = unit->request;
    yyjson_val *entries = json_get(json->root, "entry");
    size_t count = yyjson_arr_size(entries);
    struct item *items = arena_array(request->arena, count + 1, sizeof *items);
    struct links links = {.unit = unit};
    size_t drafts_before = unit->draft_count;
    size_t entries_before = unit->entry_count;
    uint64_t rejected_before = unit->rejected;
    if (items == NULL || !links_make(request->arena, count, &links)) {
        return STATUS_TOO_COSTLY;
    }
    size_t index, most;
    yyjson_val *entry;
    yyjson_arr_foreach(entries, index, most, entry)
    {
        items[index] = read_entry(request, json, entry, index, line);
        TRY(add_link(request, &links, &items[index]));
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].resource == NULL) {
            struct outcome outcome =
                refuse(unit, &items[i], STATUS_REQUIRED, "Bundle.entry.resource",
                       "The entry has no resource: import stores resources and does nothing else.");
            TRY(note_entry(unit, items[i].type, NULL, true, &outcome));
            continue;
        }
        if (items[i].type != RESOURCE_TYPE_NONE) {
            TRY(resource_resolve_links(request->service->definitions, items[i].type,
                                       items[i].resource, resolve, &links, request->arena));
        }
        TRY(take_item(unit, &items[i]));
    }
    bool atomic = slice_is(json_get_string(json->root, "type"), "transaction") &&
                  !unit->import->options->split;
    if (atomic && unit->rejected > rejected_before) {
        struct item whole = {.entry = -1, .line = line};
        drop_all(unit, &whole, drafts_before);
        forget_accepted(unit, entries_before);
    }
    return STATUS_OK;
}

/* ---- documents and lines ---- */

static enum status take_document(struct unit *unit, struct slice text, uint64_t line)
{
    struct request *request = unit->request;
    struct json *json = ARENA_NEW(request->arena, struct json);
    struct json_limits limits = {
        .bytes = text.length, .depth = json_limits_default.depth, .values = UINT32_MAX};
    struct item item = {.json = json, .entry = -1, .line = line};
    struct outcome outcome;
    outcome_init(&outcome, request->arena);
    if (json == NULL) {
        return STATUS_TOO_COSTLY;
    }
    enum status status = json_read(text, &limits, request->arena, &outcome, json);
    if (status == STATUS_TOO_COSTLY) {
        return status;
    }
    if (status != STATUS_OK) {
        unit_reject(unit, line, -1, RESOURCE_TYPE_NONE, &outcome);
        return note_entry(unit, RESOURCE_TYPE_NONE, NULL, true, &outcome);
    }
    if (slice_is(json_get_string(json->root, "resourceType"), "Bundle") &&
        is_list(json_get_string(json->root, "type"))) {
        return take_bundle(unit, json, line);
    }
    item.resource = json->root;
    choose_id(request, &item);
    return take_item(unit, &item);
}

static enum status take_lines(struct unit *unit)
{
    struct slice rest = unit->request->body;
    uint64_t line = unit->line;
    for (; rest.at != NULL; line++) {
        struct slice text = slice_trim(slice_cut(&rest, '\n'));
        if (text.length > 0) {
            TRY(take_document(unit, text, line));
        }
    }
    return STATUS_OK;
}

/* Rejects are on disk before the ledger says that their unit is done: a kill in between lists them
 * twice, and never not at all. */
static enum status write_rejects(int file, struct slice lines)
{
    if (lines.length == 0) {
        return STATUS_OK;
    }
    while (lines.length > 0) {
        ssize_t count = write(file, lines.at, lines.length);
        if (count < 0 && errno != EINTR) {
            return disk_status(errno);
        }
        lines = slice_from(lines, count > 0 ? (size_t)count : 0);
    }
    return fdatasync(file) == 0 || errno == EINVAL || errno == ENOSYS ? STATUS_OK
                                                                      : disk_status(errno);
}

static enum status perform(struct request *request)
{
    struct unit *unit = request->door_context;
    enum status status =
        unit->lines ? take_lines(unit) : take_document(unit, request->body, unit->line);
    unit_await_turn(unit->import, unit->number);
    if (status == STATUS_OK && buffer_ok(&unit->rejects)) {
        status = write_rejects(unit->import->options->rejects, buffer_slice(&unit->rejects));
    }
    return status;
}

static enum status commit(struct request *request, struct store_tx *tx)
{
    struct unit *unit = request->door_context;
    static const struct store_condition any = {0};
    for (size_t i = 0; i < unit->draft_count; i++) {
        struct store_written written;
        TRY(store_put(tx, unit->drafts[i], STORE_UPDATED, &any, request->arena, &request->outcome,
                      &written));
        request_discloses(request, written.patients, written.patient_count);
    }
    TRY(ledger_mark(tx, request->arena, unit->ledger, unit->file_number));
    return ledger_close(tx, request->arena, unit->ledger);
}

const struct interaction feed_interactions[] = {
    {"import", METHOD_POST, LEVEL_SYSTEM, NULL, NULL, AUDIT_UPDATE,
     INTERACTION_RAW_BODY | INTERACTION_WRITES, perform, commit, NULL,
     "Resources from files, with the meaning of PUT."},
    {0},
};

/* ---- the door ---- */

static void continue_unit(void *context, struct store_reader *reader)
{
    (void)reader;
    request_continue(context);
}

static void door_resume(struct request *request)
{
    request->work = (struct work){.run = continue_unit, .context = request};
    workers_submit(request->service->workers, &request->work);
}

static void door_respond(struct request *request)
{
    struct unit *unit = request->door_context;
    struct import *import = unit->import;
    if (request->status == STATUS_OK) {
        count_entries(unit);
    }
    (void)pthread_mutex_lock(&import->lock);
    if (request->status == STATUS_OK) {
        import->result.stored += unit->draft_count;
        import->result.rejected += unit->rejected;
    } else if (import->status == STATUS_OK) {
        import->status = request->status;
    }
    import->result.bytes += unit->length;
    import->in_flight--;
    import->bytes_in_flight -= unit->length;
    (void)pthread_cond_broadcast(&import->changed);
    (void)pthread_mutex_unlock(&import->lock);
    request_destroy(request);
}

static struct store_reader *door_reader(struct request *request)
{
    (void)request;
    return NULL;
}

const struct door feed_door = {
    .resume = door_resume, .respond = door_respond, .reader = door_reader};
