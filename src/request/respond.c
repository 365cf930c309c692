/* SPDX-License-Identifier: MIT */
/* The respond stage: the answer, or the OperationOutcome that says why there is none. */
#include "request/request_int.h"

int request_http(const struct request *request)
{
    if (request->status != STATUS_OK) {
        return status_http(request->status);
    }
    return request->response.http != 0 ? request->response.http : 200;
}

const char *request_explanation(enum status status)
{
    switch (status) {
    case STATUS_NO_SPACE:
        return "The server's disk is full: nothing was changed. Reading still works; try again "
               "when the operator has made room.";
    case STATUS_BUSY:
    case STATUS_MEMORY:
    case STATUS_TRANSIENT:
        return "The server has no room for this request now: try again shortly.";
    case STATUS_TOO_MANY:
        return "This is asked too often, or too much at once: wait as Retry-After says.";
    case STATUS_TOO_COSTLY:
        return "This takes more memory or time than one request may have: ask for less at once.";
    case STATUS_NOT_FOUND:
        return "There is no such resource.";
    case STATUS_GONE:
        return "The resource was deleted.";
    default:
        return "The server failed; nothing was changed. The operator finds the cause in the "
               "server's log at the time of this answer.";
    }
}

static void write_error(struct request *request)
{
    static char no_memory[] =
        "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":"
        "\"too-costly\",\"diagnostics\":\"The request takes more memory than one request may "
        "have: ask for less at once.\"}]}";
    struct response *response = &request->response;
    struct response found = *response;
    *response = (struct response){.body = {.arena = request->arena}, .allow = found.allow};
    if (request_tells(
            request->status)) { /* of any other failure nothing of the version is logged */
        response->etag = found.etag;
        response->last_modified = found.last_modified;
    }
    if (response->allow.length > 0) {
        response_add_header(request, "Allow", response->allow);
    }
    if (request->status == STATUS_NOT_MODIFIED) {
        return;
    }
    if (request->outcome.errors == 0) {
        (void)outcome_fail(&request->outcome, request->status, "", "%s",
                           request_explanation(request->status));
    }
    outcome_write_json(&request->outcome, &response->body);
    if (!buffer_ok(&response->body)) {
        request->status = STATUS_TOO_COSTLY;
        response->body = (struct buffer){.at = no_memory, .length = sizeof no_memory - 1};
    }
    if (status_http(request->status) == 503) {
        response_add_header(request, "Retry-After", SLICE("1"));
    } else if (request->status == STATUS_TOO_MANY) {
        response_add_header(request, "Retry-After", SLICE("10"));
    }
}

/* Needs no memory. */
static void write_short_xml(struct response *response)
{
    static char no_memory[] =
        "<OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue><severity value=\"error\"/><code "
        "value=\"too-costly\"/><diagnostics value=\"The answer does not fit into the memory that "
        "one request may have: ask for less at once.\"/></issue></OperationOutcome>";
    response->body = (struct buffer){.at = no_memory, .length = sizeof no_memory - 1};
    response->content_type = RENDER_XML_TYPE;
}

/* A durable write is told without its body, anything else becomes an error that says why. */
static void render_or_fail(struct request *request)
{
    struct response *response = &request->response;
    enum status status = render(request);
    if (status == STATUS_OK || request->format == FORMAT_JSON) {
        return; /* JSON is JSON without its indentation */
    }
    if (request->written && request->status == STATUS_OK) {
        response->body = (struct buffer){.arena = request->arena};
        return;
    }
    if (request->status == STATUS_OK) {
        request->status = status;
        write_error(request);
        status = render(request);
    }
    if (status != STATUS_OK) {
        write_short_xml(response);
    }
}

static void render_on_worker(void *context, struct store_reader *reader)
{
    struct request *request = context;
    (void)reader;
    render_or_fail(request);
    request->stage = STAGE_respond;
    request_resume(request);
}

static void tell(struct request *request, int http)
{
    int64_t micros = time_monotonic() - request->received;
    metrics_count(request->service->metrics, request->interaction, http, micros);
    if (http >= 500 && http != 501) { /* what is not built here is no fault */
        const char *name = request->interaction != NULL ? request->interaction->name : "none";
        log_event(LOG_REQUEST_FAILED, LOG_TEXT(LOG_FIELD_INTERACTION, name),
                  LOG_TEXT(LOG_FIELD_STATUS, status_name(request->status)),
                  LOG_NUMBER(LOG_FIELD_HTTP, http), LOG_NUMBER(LOG_FIELD_MICROS, micros));
    }
}

/* What was read beside a durable write could not be logged: it is not told, neither that it was
 * deleted nor its version, but the write is. */
static void withhold_reads(struct request *request)
{
    for (size_t i = 0; i < request->child_count; i++) {
        struct request *child = request->children[i];
        if (!child->written && request_tells(child->status)) {
            child->status = request->audited;
            child->response = (struct response){.body = {.arena = request->arena}};
            outcome_init(&child->outcome, request->arena);
        }
    }
    request->interaction->committed(request);
}

/* A durable write is never told as a failure: what does not fit of its body is left out. */
static void settle_written(struct request *request)
{
    if (request->audited != STATUS_OK && request->child_count > 0) {
        withhold_reads(request);
    }
    if (!buffer_ok(&request->response.body)) {
        request->response.body = (struct buffer){.arena = request->arena};
    }
}

/* Not logged, so not disclosed: neither body nor version nor date. */
static void withhold(struct request *request)
{
    request->status = request->audited;
    request->response = (struct response){.body = {.arena = request->arena}};
    outcome_init(&request->outcome, request->arena);
    (void)outcome_fail(&request->outcome, request->status, "",
                       "The access log cannot be written, so nothing is disclosed. Nothing was "
                       "changed. Try again when the operator has made room or mended the disk.");
}

static void settle_answer(struct request *request)
{
    if (request->written && request->status == STATUS_OK) {
        settle_written(request);
    } else if (request->audited != STATUS_OK) {
        withhold(request);
    } else if (request->status == STATUS_OK &&
               (!buffer_ok(&request->response.body) || arena_full(request->arena))) {
        request->status = STATUS_TOO_COSTLY;
    }
    request_count_verdicts(request);
    if (request->status != STATUS_OK) {
        write_error(request);
    }
}

enum step stage_respond(struct request *request)
{
    if (!request->rendered) {
        settle_answer(request);
        request->rendered = true;
        if (render_is_needed(request) && request->response.body.length > RENDER_ON_LOOP) {
            request->work = (struct work){.run = render_on_worker, .context = request};
            workers_submit(request->service->workers, &request->work);
            return STEP_PARKED;
        }
        if (render_is_needed(request)) {
            render_or_fail(request);
        }
    }
    request->response.http = request_http(request);
    tell(request, request->response.http);
    request->door->respond(request);
    return STEP_NEXT;
}
