/* SPDX-License-Identifier: MIT */
/* The walk: a request goes from stage to stage, may be parked, and goes on where it was. */
#include <assert.h>
#include <stdarg.h>

#include "request/request_int.h"

/* The one table. */
static const struct {
    const char *name;
    enum step (*run)(struct request *request);
    bool always;
} stages[STAGE_COUNT] = {
#define STAGE_ENTRY(name, always) [STAGE_##name] = {#name, stage_##name, always},
    STAGES(STAGE_ENTRY)
#undef STAGE_ENTRY
};

const char *stage_name(enum stage stage)
{
    return stage < STAGE_COUNT ? stages[stage].name : "done";
}

struct request *request_create(struct service *service, const struct door *door, void *door_context,
                               size_t limit)
{
    struct arena *arena = arena_create(limit);
    struct request *request = arena != NULL ? ARENA_NEW(arena, struct request) : NULL;
    if (request == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    request->service = service;
    request->arena = arena;
    request->door = door;
    request->door_context = door_context;
    request->body_file = -1;
    request->received = time_monotonic();
    request->response.body.arena = arena;
    request->who = SLICE("anonymous");
    outcome_init(&request->outcome, arena);
    return request;
}

struct request *request_create_child(struct request *parent)
{
    struct request *child = ARENA_NEW(parent->arena, struct request);
    if (child == NULL) {
        return NULL;
    }
    child->service = parent->service;
    child->arena = parent->arena;
    child->door = parent->door;
    child->parent = parent;
    child->body_file = -1;
    child->received = parent->received;
    child->base_url = parent->base_url;
    child->id_text = parent->id_text;
    child->who = parent->who;
    child->reader = parent->reader;
    child->on_worker = true;
    child->response.body.arena = parent->arena;
    outcome_init(&child->outcome, parent->arena);
    return child;
}

void request_destroy(struct request *request)
{
    if (request != NULL) {
        request_snapshot_end(request);
        arena_destroy(request->arena);
    }
}

static void walk(struct request *request);

/* So many times the time of a query may pass before a worker has time. Whoever asked has given up
 * by then and asks again: the old questions would keep the new ones waiting. */
#define WAITS_MOST 3

static void walk_on_worker(void *context, struct store_reader *reader)
{
    struct request *request = context;
    request->reader = reader;
    if (time_monotonic() - request->queued > WAITS_MOST * request_patience(request)) {
        request->status = STATUS_BUSY;
    }
    walk(request);
}

/* What takes longer than a point read leaves the event loop before its body is looked at; so does a
 * point read where the loop has no reader. */
static bool leaves_loop(const struct request *request)
{
    return request->stage == STAGE_decode && !request->on_worker && request->status == STATUS_OK &&
           ((request->interaction->flags & INTERACTION_ON_LOOP) == 0 || request->reader == NULL);
}

static void walk(struct request *request)
{
    while (request->stage < STAGE_COUNT) {
        if (leaves_loop(request)) {
            request->on_worker = true;
            request->queued = time_monotonic();
            request->work = (struct work){.run = walk_on_worker, .context = request};
            workers_submit(request->service->workers, &request->work);
            return;
        }
        enum stage stage = request->stage++;
        if (request->status != STATUS_OK && !stages[stage].always) {
            continue;
        }
        bool last = stage == STAGE_respond;
        if (stages[stage].run(request) == STEP_PARKED || last) {
            return; /* another thread may own the request by now: do not touch it */
        }
    }
}

void request_start(struct request *request)
{
    assert(request->stage == STAGE_route);
    request->reader = request->door->reader(request);
    walk(request);
}

static void settle_on_worker(void *context, struct store_reader *reader)
{
    struct request *request = context;
    request->reader = reader;
    request->interaction->committed(request);
    request_resume(request);
}

void request_continue(struct request *request)
{
    const struct service *service = request->service;
    bool committed = request->stage == STAGE_redact && request->written;
    if (committed && request->interaction->committed != NULL && !request->settled) {
        request->settled = true;
        arena_raise(request->arena, arena_limit(request->arena) + REQUEST_ANSWER_BYTES);
        if (service->settles_long != NULL && service->settles_long(request)) {
            request->work = (struct work){.run = settle_on_worker, .context = request};
            workers_submit(service->workers, &request->work);
            return;
        }
        request->reader = request->door->reader(request);
        request->interaction->committed(request);
    } else if (committed) {
        request->reader = request->door->reader(request);
    }
    walk(request);
}

void request_resume(struct request *request)
{
    request->door->resume(request);
}

static enum status child_check(struct request *child)
{
    while (child->stage < STAGE_perform && child->status == STATUS_OK) {
        (void)stages[child->stage++].run(child);
    }
    return child->status;
}

static enum status child_prepare(struct request *child)
{
    TRY(child_check(child));
    bool waits = !child->parent->children_independent;
    if (!waits || (child->interaction->flags & INTERACTION_WRITES) != 0) {
        child->status = child->interaction->perform(child);
    }
    return child->status;
}

enum status request_run_child(struct request *child, enum child_phase phase, struct store_tx *tx)
{
    switch (phase) {
    case CHILD_CHECK:
        return child_check(child);
    case CHILD_PREPARE:
        return child_prepare(child);
    case CHILD_COMMIT:
        child->tx = tx;
        if ((child->interaction->flags & INTERACTION_WRITES) == 0) {
            child->status = child->interaction->perform(child);
        } else if (!child->skip_commit) {
            child->status = child->interaction->commit(child, tx);
        }
        child->tx = NULL;
        return child->status;
    case CHILD_FINISH:
        if (child->status == STATUS_OK && child->written && child->interaction->committed != NULL) {
            child->interaction->committed(child);
        }
        if (child->status == STATUS_OK) {
            (void)stages[STAGE_redact].run(child);
        }
        return child->status;
    }
    return STATUS_INTERNAL;
}

int64_t request_patience(const struct request *request)
{
    return request->service->config->request_timeout * MICROS_PER_SECOND;
}

void request_hurry(struct request *request)
{
    struct request *holder = request->parent != NULL ? request->parent : request;
    holder->deadline = time_monotonic() + request_patience(request);
}

bool request_is_late(const struct request *request)
{
    const struct request *holder = request->parent != NULL ? request->parent : request;
    return holder->deadline != 0 && time_monotonic() > holder->deadline;
}

enum status request_snapshot(struct request *request, struct store_tx **ret_tx)
{
    struct request *holder = request->parent != NULL ? request->parent : request;
    if (request->tx == NULL && holder->tx == NULL) {
        request_hurry(request);
        TRY(store_snapshot_begin(request->reader, holder->deadline, &holder->tx));
    }
    *ret_tx = request->tx != NULL ? request->tx : holder->tx;
    return STATUS_OK;
}

void request_snapshot_end(struct request *request)
{
    if (request->tx != NULL) {
        store_snapshot_end(request->tx);
        request->tx = NULL;
    }
}

/* Where PATIENT's slot is, or the free one that would be. */
static uint32_t *disclosure_slot(const struct request *request, uint32_t patient)
{
    size_t mask = 2 * request->disclosure_capacity - 1;
    size_t at = (size_t)(patient * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
    uint32_t *slots = request->disclosure_slots;
    while (slots[at] != 0 && request->disclosures[slots[at] - 1].patient != patient) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

static bool disclosures_grow(struct request *request)
{
    size_t count = request->disclosure_count;
    size_t capacity = count == 0 ? 4 : count * 2;
    struct disclosure *more = arena_array(request->arena, capacity, sizeof *more);
    uint32_t *slots = arena_array(request->arena, 2 * capacity, sizeof *slots);
    if (more == NULL || slots == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(more, request->disclosures, count * sizeof *more);
    }
    request->disclosures = more;
    request->disclosure_slots = slots;
    request->disclosure_capacity = capacity;
    for (size_t i = 0; i < count; i++) {
        *disclosure_slot(request, more[i].patient) = (uint32_t)i + 1;
    }
    return true;
}

void request_discloses(struct request *request, const uint32_t *patients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (request->disclosure_count == request->disclosure_capacity &&
            !disclosures_grow(request)) {
            return;
        }
        uint32_t *slot = disclosure_slot(request, patients[i]);
        if (*slot == 0) {
            request->disclosures[request->disclosure_count++] =
                (struct disclosure){.patient = patients[i]};
            *slot = (uint32_t)request->disclosure_count;
        }
        request->disclosures[*slot - 1].resources++;
    }
}

void request_discloses_nobody(struct request *request)
{
    request->disclosure_count = request->disclosure_capacity = 0;
}

void request_discloses_once(struct request *request, const uint32_t *patients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (request->disclosure_capacity == 0 || *disclosure_slot(request, patients[i]) == 0) {
            request_discloses(request, &patients[i], 1);
        }
    }
}

void request_discloses_also(struct request *request, const uint32_t *patients, size_t count)
{
    bool unknown = false;
    request_discloses_once(request, patients, count);
    const struct disclosure *before = request->disclosures;
    size_t before_count = request->disclosure_count;
    for (size_t i = 0; count > 0 && i < before_count; i++) {
        unknown = unknown || before[i].patient == AUDIT_PERSON_UNKNOWN;
    }
    if (!unknown) {
        return;
    }
    request_discloses_nobody(request);
    for (size_t i = 0; i < before_count; i++) {
        if (before[i].patient != AUDIT_PERSON_UNKNOWN) {
            request_discloses(request, &before[i].patient, 1);
        }
    }
}

void request_discloses_of(struct request *request, resource_type type, const uint32_t *patients,
                          size_t count)
{
    static const uint32_t unknown = AUDIT_PERSON_UNKNOWN;
    bool somebody = !resource_type_is_shared(request->service->definitions, type);
    request_discloses(request, count == 0 && somebody ? &unknown : patients,
                      count == 0 && somebody ? 1 : count);
}

void request_discloses_version(struct request *request, const struct store_version *version)
{
    request_discloses_of(request, version->type, version->patients, version->patient_count);
}

void request_discloses_count(struct request *request, uint64_t count)
{
    static const uint32_t nobody = 0;
    request_discloses(request, &nobody, 1);
    if (request->disclosure_capacity > 0 && *disclosure_slot(request, nobody) != 0) {
        request->disclosures[*disclosure_slot(request, nobody) - 1].resources =
            count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    }
}

enum status request_fail(struct request *request, enum status status, const char *path,
                         const char *text, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, text);
    (void)vsnprintf(message, sizeof message, text, arguments);
    va_end(arguments);
    request->status = status;
    return outcome_fail(&request->outcome, status, path, "%s", message);
}

struct slice request_header(const struct request *request, const char *name)
{
    struct slice wanted = slice_text(name);
    for (size_t i = 0; i < request->header_count; i++) {
        if (slice_equals_ignoring_case(request->headers[i].name, wanted)) {
            return request->headers[i].value;
        }
    }
    return (struct slice){0};
}

const struct parameter *request_parameter(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        if (slice_is(request->parameters[i].name, name)) {
            return &request->parameters[i];
        }
    }
    return NULL;
}

void response_add_header(struct request *request, const char *name, struct slice value)
{
    struct response *response = &request->response;
    size_t room = sizeof response->headers / sizeof response->headers[0];
    assert(response->header_count < room);
    if (response->header_count < room) {
        response->headers[response->header_count++] =
            (struct header){.name = slice_text(name), .value = value};
    }
}
