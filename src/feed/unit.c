/* SPDX-License-Identifier: MIT */
/* One unit of an import: what is stored together. Its interaction is the only row of the feed's
 * table, so that it walks the same stages as any request. */
#include <errno.h>
#include <unistd.h>

#include "feed/feed_int.h"
#include "validate/validate.h"

/* ---- what the checks said ---- */

enum status unit_judge(struct unit *unit, resource_type type, yyjson_val *resource, bool refused,
                       const struct issue *issues)
{
    struct arena *arena = unit->request->arena;
    struct verdicts *verdicts = &unit->verdicts;
    if (verdicts->count == verdicts->capacity) {
        size_t capacity = verdicts->capacity == 0 ? 64 : verdicts->capacity * 2;
        struct quality_entry *more = arena_resize(
            arena, verdicts->items, verdicts->capacity * sizeof *more, capacity * sizeof *more);
        if (more == NULL) {
            return STATUS_TOO_COSTLY;
        }
        verdicts->items = more;
        verdicts->capacity = capacity;
    }
    struct slice source = unit->import->options->source;
    verdicts->items[verdicts->count++] = (struct quality_entry){
        .type = type,
        .source = resource != NULL ? quality_source_of(resource, source, arena) : source,
        .refused = refused,
        .issues = issues,
    };
    return STATUS_OK;
}

void verdicts_forget_accepted(struct verdicts *verdicts, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < verdicts->count; i++) {
        if (verdicts->items[i].refused) {
            verdicts->items[kept++] = verdicts->items[i];
        }
    }
    verdicts->count = kept;
}

void verdicts_count(const struct verdicts *verdicts, struct quality *quality)
{
    for (size_t i = 0; i < verdicts->count; i++) {
        quality_count(quality, &verdicts->items[i]);
    }
}

/* ---- rejects ---- */

/* The line in the file, and not in the text of one resource. */
static void add_outcome(struct unit *unit, uint64_t line, const struct outcome *outcome)
{
    for (struct issue *issue = outcome->first; unit->lines && issue != NULL; issue = issue->next) {
        uint64_t in_file = line + (issue->line > 0 ? issue->line - 1 : 0);
        issue->line = in_file < UINT32_MAX ? (uint32_t)in_file : UINT32_MAX;
    }
    outcome_write_json(outcome, &unit->rejects);
    buffer_add_byte(&unit->rejects, '\n');
    unit->rejected++;
}

void unit_reject(struct unit *unit, uint64_t line, int64_t entry, resource_type type,
                 const struct outcome *outcome)
{
    struct buffer *out = &unit->rejects;
    if (unit->import->options->outcomes) {
        add_outcome(unit, line, outcome);
        return;
    }
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

void item_choose_id(struct request *request, struct item *item)
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

void unit_refuse(struct unit *unit, const struct item *item, enum status status, const char *path,
                 const char *why)
{
    struct outcome outcome;
    outcome_init(&outcome, unit->request->arena);
    (void)outcome_fail(&outcome, status, path, "%s", why);
    unit_reject(unit, item->line, item->entry, item->type, &outcome);
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

/* A Subscription leaves its secrets at this door too. */
static enum status make_draft(struct request *request, const struct item *item,
                              struct outcome *outcome, struct store_draft **ret_draft)
{
    struct subscribe_admission admission;
    const struct service *service = request->service;
    TRY(subscribe_admit(service->subscribe, service->definitions, item->type, item->id,
                        item->resource, request->base_url, request->arena, outcome, &admission));
    TRY(store_draft_make(service->store, item->type, item->id, admission.root, request->base_url,
                         request->arena, outcome, ret_draft));
    return subscribe_keep(&admission, request->base_url, request->arena, *ret_draft);
}

enum status unit_take(struct unit *unit, struct item *item)
{
    struct request *request = unit->request;
    struct outcome outcome;
    outcome_init(&outcome, request->arena);
    struct validate_options options;
    TRY(service_validate_options(request->service, &options));
    struct slice path = item->entry >= 0
                            ? slice_text(arena_print(request->arena, "Bundle.entry[%lld].resource",
                                                     (long long)item->entry))
                            : (struct slice){0};
    enum status status = validate_resource(&options, item->json, item->resource, path,
                                           request->arena, &outcome, &item->type);
    struct store_draft *draft;
    if (status == STATUS_OK) {
        status = make_draft(request, item, &outcome, &draft);
    }
    if (status == STATUS_OK) {
        TRY(unit_judge(unit, item->type, item->resource, false, outcome.first));
        return add_draft(unit, draft);
    }
    if (status_http(status) >= 500 || status == STATUS_TOO_COSTLY) {
        return status;
    }
    unit_reject(unit, item->line, item->entry, item->type, &outcome);
    return unit_judge(unit, item->type, item->resource, true, outcome.first);
}

/* A file over HTTP is announced with the type that is in it. */
static enum status refuse_type(struct unit *unit, const struct item *item)
{
    static const struct issue other = {.severity = SEVERITY_ERROR, .code = "invalid"};
    unit_refuse(unit, item, STATUS_INVALID, "resourceType",
                "This file was announced with resources of another type: announce each file with "
                "the type that is in it.");
    return unit_judge(unit, item->type, NULL, true, &other);
}

/* ---- documents and lines ---- */

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
    enum status status = resource_read_any(request->service->definitions, text, &limits,
                                           request->arena, &outcome, json);
    if (status == STATUS_TOO_COSTLY) {
        return status;
    }
    if (status != STATUS_OK) {
        unit_reject(unit, line, -1, RESOURCE_TYPE_NONE, &outcome);
        return unit_judge(unit, RESOURCE_TYPE_NONE, NULL, true, outcome.first);
    }
    resource_type announced = unit->import->options->type;
    item.type = resource_type_find(request->service->definitions,
                                   json_get_string(json->root, "resourceType"));
    if (announced != RESOURCE_TYPE_NONE && item.type != announced &&
        item.type != RESOURCE_TYPE_NONE) {
        return refuse_type(unit, &item);
    }
    if (slice_is(json_get_string(json->root, "resourceType"), "Bundle") &&
        is_list(json_get_string(json->root, "type"))) {
        return unit_take_bundle(unit, json, line);
    }
    item.resource = json->root;
    item_choose_id(request, &item);
    return unit_take(unit, &item);
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

static enum status note_tied(struct unit *unit, struct store_draft *draft)
{
    if (unit->tied_count == unit->tied_capacity) {
        size_t capacity = unit->tied_capacity * 2 + 16;
        struct store_draft **more =
            arena_resize(unit->request->arena, unit->tied, unit->tied_capacity * sizeof *more,
                         capacity * sizeof *more);
        if (more == NULL) {
            return STATUS_TOO_COSTLY;
        }
        unit->tied = more;
        unit->tied_capacity = capacity;
    }
    unit->tied[unit->tied_count++] = draft;
    return STATUS_OK;
}

enum status unit_put(struct unit *unit, struct store_tx *tx, struct store_draft *const *drafts,
                     size_t count)
{
    struct request *request = unit->request;
    static const struct store_condition any = {0};
    for (size_t i = 0; i < count; i++) {
        struct store_written written;
        TRY(store_put(tx, drafts[i], STORE_UPDATED, &any, request->arena, &request->outcome,
                      &written));
        request_discloses(request, written.patients, written.patient_count);
        TRY(written.tied ? note_tied(unit, drafts[i]) : STATUS_OK);
        unit->stored++;
    }
    return STATUS_OK;
}

/* What was written concerns those too whom what came after it tells. */
static enum status disclose_tied(struct unit *unit, struct store_tx *tx)
{
    struct request *request = unit->request;
    for (size_t i = 0; i < unit->tied_count; i++) {
        struct store_version version;
        store_draft_version(unit->tied[i], &version);
        TRY(store_read(tx, version.type, version.id, request->arena, &version));
        request_discloses_also(request, version.patients, version.patient_count);
    }
    return STATUS_OK;
}

static enum status commit(struct request *request, struct store_tx *tx)
{
    struct unit *unit = request->door_context;
    unit->stored = unit->tied_count = 0;
    unit->rejects = (struct buffer){.arena = request->arena};
    request_discloses_nobody(request);
    TRY(unit_put_all(unit, tx));
    TRY(disclose_tied(unit, tx));
    TRY(buffer_ok(&unit->rejects)
            ? write_rejects(unit->import->options->rejects, buffer_slice(&unit->rejects))
            : STATUS_TOO_COSTLY);
    TRY(ledger_mark(tx, request->arena, unit->ledger, unit->file_number, unit->stored));
    return ledger_close(tx, request->arena, unit->ledger);
}

const struct interaction feed_interactions[] = {
    {"import", METHOD_POST, LEVEL_SYSTEM, NULL, NULL, AUDIT_UPDATE,
     INTERACTION_RAW_BODY | INTERACTION_WRITES | INTERACTION_LARGE, perform, commit, NULL,
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
        verdicts_count(&unit->verdicts, import->service.quality);
        unit_count_bundles(unit);
    }
    (void)pthread_mutex_lock(&import->lock);
    if (request->status == STATUS_OK) {
        import->result.stored += unit->stored;
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
    return ((struct unit *)request->door_context)->reader;
}

const struct door feed_door = {
    .resume = door_resume, .respond = door_respond, .reader = door_reader};
