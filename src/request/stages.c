/* SPDX-License-Identifier: MIT */
/* The stages between route and audit. */
#include "request/request_int.h"
#include "validate/validate.h"

/* Rules are off until identity exists: the server listens on loopback only, and everyone is
 * anonymous. */
enum step stage_authenticate(struct request *request)
{
    request->who = SLICE("anonymous");
    return STEP_NEXT;
}

enum step stage_authorise(struct request *request)
{
    (void)request;
    return STEP_NEXT;
}

static enum status take_form(struct request *request)
{
    struct slice type = request_header(request, "Content-Type");
    if (request->body_file >= 0) {
        return request_fail(request, STATUS_TOO_LONG, "", "There are too many search parameters.");
    }
    if (request->body.length == 0) {
        return STATUS_OK;
    }
    if (!slice_equals_ignoring_case(slice_trim(slice_head(type, slice_index(type, ';'))),
                                    SLICE("application/x-www-form-urlencoded"))) {
        return request_fail(request, STATUS_MEDIA_TYPE, "",
                            "Send search parameters as application/x-www-form-urlencoded.");
    }
    struct parameter *more;
    size_t count;
    TRY(parameters_parse(request->body, request->arena, &request->outcome, &more, &count));
    size_t old = request->parameter_count;
    struct parameter *all = arena_array(request->arena, old + count + 1, sizeof *all);
    if (all == NULL) {
        return request_fail(request, STATUS_TOO_COSTLY, "", "There are too many parameters.");
    }
    for (size_t i = 0; i < old; i++) {
        all[i] = request->parameters[i];
    }
    for (size_t i = 0; i < count; i++) {
        all[old + i] = more[i];
    }
    request->parameters = all;
    request->parameter_count = old + count;
    return negotiate(request);
}

static enum status decode_resource(struct request *request)
{
    if (request->json.root != NULL) {
        return STATUS_OK; /* an entry of a bundle that was read with it */
    }
    if (request->body_file >= 0) {
        return request_fail(request, STATUS_TOO_LONG, "",
                            "The body is longer than max-body: split it.");
    }
    if (request->body.length == 0) {
        return request_fail(request, STATUS_REQUIRED, "",
                            "The body is empty: send a resource as application/fhir+json or "
                            "application/fhir+xml.");
    }
    struct json_limits limits = json_limits_default;
    limits.bytes = (size_t)request->service->config->max_body;
    enum status status =
        request->body_format == FORMAT_JSON
            ? resource_read_json(request->service->definitions, request->body, &limits,
                                 request->arena, &request->outcome, &request->json)
            : xml_read(request->service->definitions, request->body, &limits, request->arena,
                       &request->outcome, &request->json);
    bool only_asks = (request->interaction->flags & INTERACTION_NO_PERSON) != 0;
    /* What is asked about is told all that is wrong with it. */
    return status == STATUS_STRUCTURE && request->json.root != NULL && only_asks ? STATUS_OK
                                                                                 : status;
}

/* What would have been read: to the system as a whole only Bundles are sent. */
static resource_type sent_type(const struct request *request)
{
    return request->type != RESOURCE_TYPE_NONE
               ? request->type
               : resource_type_find(request->service->definitions, SLICE("Bundle"));
}

enum step stage_decode(struct request *request)
{
    unsigned flags = request->interaction->flags;
    if ((flags & INTERACTION_PARAMETERS) != 0 && request->method == METHOD_POST) {
        request->status = take_form(request);
    } else if ((flags & INTERACTION_BODY) != 0) {
        request->status = decode_resource(request);
        if (status_http(request->status) == 400 && (flags & INTERACTION_WRITES) != 0) {
            request->status = request_judge(request, sent_type(request), NULL, request->status);
        }
    }
    return STEP_NEXT;
}

/* No honest resource needs a tenth of it; a worker is not to be had for longer. */
#define VALIDATION_MOST (10 * MICROS_PER_SECOND)

enum status service_validate_options(struct service *service, struct validate_options *ret_options)
{
    *ret_options = (struct validate_options){.definitions = service->definitions,
                                             .validator = service->validator,
                                             .rules = service->rules,
                                             .refuse_test_numbers = !service->config->test_numbers,
                                             .deadline = time_monotonic() + VALIDATION_MOST};
    return service->validator != NULL && service->stored_ready != NULL
               ? service->stored_ready(service)
               : STATUS_OK;
}

enum step stage_validate(struct request *request)
{
    unsigned flags = request->interaction->flags;
    if ((flags & INTERACTION_BODY) == 0 || (flags & INTERACTION_NO_VALIDATE) != 0) {
        return STEP_NEXT;
    }
    struct validate_options options;
    request->status = service_validate_options(request->service, &options);
    if (request->status != STATUS_OK) {
        return STEP_NEXT;
    }
    options.type = request->type;
    options.id = request->id;
    options.id_required = request->id.length > 0;
    resource_type type;
    request->status = validate_resource(&options, &request->json, request->json.root, request->path,
                                        request->arena, &request->outcome, &type);
    request->status = request_judge(request, request->type, request->json.root, request->status);
    return STEP_NEXT;
}

enum step stage_consent(struct request *request)
{
    (void)request;
    return STEP_NEXT;
}

/* What a commit that is tried again must not find of the time before. */
struct request_mark {
    enum status status;
    bool written_tied;
    struct response response;
    struct outcome outcome;
    struct disclosure *disclosures;
    size_t disclosure_count;
};

static enum status mark_set(struct request *request)
{
    struct request_mark *mark = ARENA_NEW(request->arena, struct request_mark);
    request->mark = mark;
    if (mark == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *mark = (struct request_mark){.status = request->status,
                                  .written_tied = request->written_tied,
                                  .response = request->response,
                                  .outcome = request->outcome,
                                  .disclosure_count = request->disclosure_count};
    mark->disclosures =
        arena_array(request->arena, request->disclosure_count, sizeof(*mark->disclosures));
    if (request->disclosure_count > 0 && mark->disclosures != NULL) {
        memcpy(mark->disclosures, request->disclosures,
               request->disclosure_count * sizeof(*mark->disclosures));
    }
    return arena_full(request->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

static void mark_return(struct request *request)
{
    const struct request_mark *mark = request->mark;
    request->status = mark->status;
    request->written_tied = mark->written_tied;
    request->response = mark->response;
    request->outcome = mark->outcome;
    if (mark->outcome.last != NULL) {
        mark->outcome.last->next = NULL;
    }
    request_discloses_nobody(request);
    for (size_t i = 0; i < mark->disclosure_count; i++) {
        for (uint32_t j = 0; j < mark->disclosures[i].resources; j++) {
            request_discloses(request, &mark->disclosures[i].patient, 1);
        }
    }
}

static enum status commit_run(struct store_tx *tx, void *context)
{
    struct request *request = context;
    request->tx = NULL;
    if (request->mark != NULL) {
        mark_return(request);
    } else if (store_reads_wait(request->service->store)) { /* so commits may be tried again */
        TRY(mark_set(request));
    }
    request->tx = tx;
    request_hurry(request);
    enum status status = request->interaction->commit(request, tx);
    if (status == STATUS_OK && arena_full(request->arena)) {
        status = STATUS_TOO_COSTLY;
    }
    if (status == STATUS_OK) {
        status = request_outbox(request, tx);
    }
    request->tx = NULL;
    return status;
}

/* What was undone with the whole is logged as refused, entry by entry. */
static void refuse_children(struct request *request)
{
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        if (child->status == STATUS_OK || child->status == STATUS_NOT_MODIFIED) {
            child->status = request->status;
        }
    }
}

static void settle(struct request *request, enum status status)
{
    request->status = status;
    request->written = request->outboxed = status == STATUS_OK;
    if (status != STATUS_OK) {
        refuse_children(request);
    }
    if (!request->children_independent) {
        for (size_t i = 0; i < request->child_count && status == STATUS_OK; i++) {
            struct request *child = request->children[i];
            child->written =
                !child->skip_commit && (child->interaction->flags & INTERACTION_WRITES) != 0;
            child->outboxed = true;
        }
    }
}

static void commit_done(void *context, enum status status)
{
    const struct request *request = context;
    settle(context, status);
    subscribe_wake(request->service->subscribe);
    request_resume(context);
}

/* Of a transaction: above these it is no longer like any other request's. */
#define CHILDREN_MANY 16

static void submit(struct request *request, void (*done)(void *, enum status))
{
    request->job = (struct store_job){
        .run = commit_run, .done = done, .context = request, .patience = request_patience(request)};
    request->job.large = (request->interaction->flags & INTERACTION_LARGE) != 0 ||
                         request->child_count > CHILDREN_MANY;
    store_submit(request->service->store, &request->job);
}

static bool child_writes(const struct request *child)
{
    return child->status == STATUS_OK && !child->skip_commit &&
           (child->interaction->flags & INTERACTION_WRITES) != 0;
}

static void child_commit_done(void *context, enum status status);

/* The next entry of a batch that writes; false: there is none. */
static bool submit_next(struct request *request)
{
    while (request->children_submitted < request->child_count) {
        struct request *child = request->children[request->children_submitted++];
        if (child_writes(child)) {
            submit(child, child_commit_done);
            return true;
        }
    }
    return false;
}

static void child_commit_done(void *context, enum status status)
{
    struct request *child = context;
    struct request *parent = child->parent;
    settle(child, status);
    subscribe_wake(child->service->subscribe);
    if (store_jobs_run_together(child->service->store)) {
        (void)submit_next(parent);
    }
    if (atomic_fetch_sub(&parent->children_waiting, 1) == 1) {
        request_resume(parent);
    }
}

/* Each entry of a batch is a job of its own; they share the next durable commit. Where jobs run
 * together they follow each other, because they share the memory of the request. */
static enum step submit_children(struct request *request)
{
    size_t waiting = 0;
    for (size_t i = 0; i < request->child_count; i++) {
        waiting += child_writes(request->children[i]);
    }
    if (waiting == 0) {
        return STEP_NEXT;
    }
    request->written = true;
    /* One more than there are, so that the last of them cannot resume us before we are through;
     * and which of them write is fixed before the first can be done. */
    atomic_store(&request->children_waiting, waiting + 1);
    while (submit_next(request) && !store_jobs_run_together(request->service->store)) {
    }
    if (atomic_fetch_sub(&request->children_waiting, 1) == 1) {
        request_resume(request);
    }
    return STEP_PARKED;
}

enum step stage_perform(struct request *request)
{
    request->status = request->interaction->perform(request);
    request_snapshot_end(request);
    if (request->status != STATUS_OK) {
        refuse_children(request);
    }
    bool writes = (request->interaction->flags & INTERACTION_WRITES) != 0;
    if (request->status != STATUS_OK || !writes || request->skip_commit) {
        return STEP_NEXT;
    }
    if (request->children_independent) {
        return submit_children(request);
    }
    submit(request, commit_done);
    return STEP_PARKED;
}

/* With rules off nothing is hidden from anyone on this machine. */
enum step stage_redact(struct request *request)
{
    (void)request;
    return STEP_NEXT;
}
