/* SPDX-License-Identifier: MIT */
/* The answer to a batch or transaction: one entry each, in the order they were asked (R4 http,
 * "Batch/Transaction Response"). */
#include <assert.h>

#include "api/bundle_int.h"

static const char *reason(int http)
{
    static const struct {
        int http;
        const char *text;
    } reasons[] = {{200, "200 OK"},
                   {201, "201 Created"},
                   {204, "204 No Content"},
                   {304, "304 Not Modified"},
                   {400, "400 Bad Request"},
                   {403, "403 Forbidden"},
                   {404, "404 Not Found"},
                   {405, "405 Method Not Allowed"},
                   {406, "406 Not Acceptable"},
                   {409, "409 Conflict"},
                   {410, "410 Gone"},
                   {412, "412 Precondition Failed"},
                   {413, "413 Content Too Large"},
                   {415, "415 Unsupported Media Type"},
                   {422, "422 Unprocessable Content"},
                   {500, "500 Internal Server Error"},
                   {501, "501 Not Implemented"},
                   {503, "503 Service Unavailable"},
                   {507, "507 Insufficient Storage"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].http == http) {
            return reasons[i].text;
        }
    }
    return NULL;
}

static int entry_http(const struct request *child)
{
    if (child->status != STATUS_OK) {
        return status_http(child->status);
    }
    return child->response.http != 0 ? child->response.http : 200;
}

static void add_status(int http, struct buffer *out)
{
    buffer_add_text(out, "\"response\":{\"status\":\"");
    if (reason(http) != NULL) {
        buffer_add_text(out, reason(http));
    } else {
        buffer_add_signed(out, http);
    }
    buffer_add_byte(out, '"');
}

/* Relative, as the examples of the specification have it. */
static void add_location(const struct request *child, struct buffer *out)
{
    struct slice location = child->response.location;
    if (slice_starts(location, child->base_url)) {
        location = slice_from(location, child->base_url.length + 1);
    }
    if (location.length > 0) {
        buffer_add_text(out, ",\"location\":");
        buffer_add_json_string(out, location);
    }
}

static void add_etag(const struct request *child, struct buffer *out)
{
    if (child->response.etag.length > 0) {
        buffer_add_text(out, ",\"etag\":");
        buffer_add_json_string(out, child->response.etag);
    }
}

static void add_version(const struct request *child, struct buffer *out)
{
    char instant[INSTANT_LENGTH + 1];
    add_etag(child, out);
    if (child->response.last_modified != 0) {
        instant_write(child->response.last_modified, instant);
        buffer_print(out, ",\"lastModified\":\"%s\"", instant);
    }
}

static void add_failure(struct request *child, size_t index, struct buffer *out)
{
    struct outcome outcome;
    outcome_init(&outcome, child->arena);
    bundle_take_issues(child, index, &outcome);
    buffer_add_text(out, ",\"outcome\":");
    outcome_write_json(&outcome, out);
}

static void add_entry(struct request *child, size_t index, struct buffer *out)
{
    bool fine = child->status == STATUS_OK;
    bool writes = fine && (child->interaction->flags & INTERACTION_WRITES) != 0;
    bool outcome = writes && child->prefer_return == PREFER_OUTCOME;
    struct slice body = fine ? buffer_slice(&child->response.body) : (struct slice){0};
    if (!buffer_ok(&child->response.body)) {
        out->broken = true;
    }
    buffer_add_text(out, index == 0 ? ",\"entry\":[{" : ",{");
    if (body.length > 0 && !outcome && child->method != METHOD_HEAD) {
        buffer_add_text(out, "\"resource\":");
        buffer_add(out, body);
        buffer_add_byte(out, ',');
    }
    add_status(entry_http(child), out);
    add_location(child, out);
    add_version(child, out);
    if (outcome && body.length > 0) {
        buffer_add_text(out, ",\"outcome\":");
        buffer_add(out, body);
    }
    if (!fine && child->status != STATUS_NOT_MODIFIED) {
        add_failure(child, index, out);
    }
    buffer_add_text(out, "}}");
}

static void finish_children(struct request *request, struct bundle_work *work)
{
    for (size_t i = 0; i < request->child_count && !work->finished; i++) {
        (void)request_run_child(request->children[i], CHILD_FINISH, NULL);
    }
    work->finished = true;
}

static const char *answer_type(const struct bundle_work *work)
{
    return work->bundle.transaction ? "transaction-response" : "batch-response";
}

static void write_whole(struct request *request, const struct bundle_work *work)
{
    struct bundle_writer writer;
    request->response.body = (struct buffer){.arena = request->arena};
    bundle_begin(&writer, request, answer_type(work), UINT64_MAX, NULL, 0);
    for (size_t i = 0; i < request->child_count; i++) {
        add_entry(request->children[i], i, writer.out);
        writer.entries++;
    }
    bundle_end(&writer);
}

/* Says of an entry no more than whether it was done and where; what was read is not in it. */
static void add_short_entry(const struct request *child, struct buffer *out)
{
    bool left_out = !child->written && child->status == STATUS_OK && entry_http(child) < 300 &&
                    child->response.body.length > 0;
    enum status status = left_out ? STATUS_TOO_COSTLY : child->status;
    buffer_add_byte(out, '{');
    add_status(left_out ? status_http(status) : entry_http(child), out);
    if (child->written) {
        add_location(child, out);
        add_etag(child, out);
    } else if (status != STATUS_OK && status != STATUS_NOT_MODIFIED) {
        buffer_print(out,
                     ",\"outcome\":{\"resourceType\":\"OperationOutcome\",\"issue\":[{"
                     "\"severity\":\"error\",\"code\":\"%s\"}]}",
                     status_issue(status));
    }
    buffer_add_text(out, "}}");
}

/* Needs no memory but what was taken before the write: it cannot fail. */
static void write_short(struct request *request, const struct bundle_work *work)
{
    struct buffer out = {.at = work->reserve,
                         .capacity = (request->child_count + 1) * BUNDLE_SHORT_BYTES};
    buffer_print(&out, "{\"resourceType\":\"Bundle\",\"type\":\"%s\"", answer_type(work));
    for (size_t i = 0; i < request->child_count; i++) {
        buffer_add_text(&out, i == 0 ? ",\"entry\":[" : ",");
        add_short_entry(request->children[i], &out);
    }
    buffer_add_text(&out, request->child_count > 0 ? "]}" : "}");
    assert(buffer_ok(&out));
    request->response.body = out;
}

void bundle_answer(struct request *request, struct bundle_work *work)
{
    finish_children(request, work);
    write_whole(request, work);
    bool fits = buffer_ok(&request->response.body) && !arena_full(request->arena);
    if (!fits && request->written) {
        write_short(request, work);
    }
}
