/* SPDX-License-Identifier: MIT */
/* What became of an export: how far it is, its manifest, its files; and its end (Bulk Data 2). */
#include "api/export_int.h"

static enum status no_such_export(struct request *request)
{
    return request_fail(request, STATUS_NOT_FOUND, "",
                        "There is no such export: it was cancelled, has expired, or never was.");
}

static void add_expires(struct request *request, int64_t expires)
{
    char date[HTTP_DATE_LENGTH + 1];
    http_date_write(expires, date);
    response_add_header(request, "Expires",
                        arena_copy(request->arena, slice_of(date, HTTP_DATE_LENGTH)));
}

/* ---- how far it is ------------------------------------------------------------------------------
 */

/* In thousands only: how many there are of somebody is told by the manifest, which is logged. */
static const char *progress_of(struct request *request, const struct bulk_view *view)
{
    struct arena *arena = request->arena;
    switch (view->state) {
    case BULK_WAITING:
        return arena_print(arena, "waiting, %zu before it", view->before);
    case BULK_SELECTING:
        return view->done < 1000 ? "selecting"
                                 : arena_print(arena, "selecting, %llu thousand resources so far",
                                               (unsigned long long)view->done / 1000);
    default:
        return view->all < 1000 ? "writing"
                                : arena_print(arena, "%llu%% of %llu thousand resources written",
                                              (unsigned long long)(view->done * 100 / view->all),
                                              (unsigned long long)view->all / 1000);
    }
}

static enum status answer_progress(struct request *request, const struct bulk_view *view)
{
    request->response.http = 202;
    response_add_header(request, "X-Progress", slice_text(progress_of(request, view)));
    response_add_header(request, "Retry-After", view->done > 100000 ? SLICE("10") : SLICE("1"));
    return STATUS_OK;
}

static enum status answer_failure(struct request *request, enum status status)
{
    switch (status) {
    case STATUS_NO_SPACE:
        return request_fail(request, status, "",
                            "The export needs more disk than may be used, and was ended: ask for "
                            "less at once, or again when the operator has made room.");
    case STATUS_BUSINESS_RULE:
    case STATUS_NOT_FOUND:
    case STATUS_GONE:
    case STATUS_VALUE:
        return request_fail(request, STATUS_UNPROCESSABLE, "",
                            "The Group or a patient that was asked for had changed or gone when "
                            "the export began.");
    default:
        return request_fail(request, status_http(status) >= 500 ? status : STATUS_INTERNAL, "",
                            "The export failed and its files are removed: begin another. The "
                            "operator finds the cause in the server's log.");
    }
}

/* Of few the persons are named, of many the number of what is told of them. */
static void disclose(struct request *request, const struct bulk_people *people, uint64_t resources)
{
    if (people->many) {
        request_discloses_count(request, resources);
    } else {
        request_discloses_once(request, people->patients, people->count);
    }
}

enum status api_export_status_perform(struct request *request)
{
    struct bulk_view view;
    if (request->service->bulk == NULL) {
        return no_such_export(request);
    }
    enum status status = bulk_look(request->service->bulk, request->id, request->who,
                                   request->base_url, request->arena, &view);
    if (status == STATUS_NOT_FOUND) {
        return no_such_export(request);
    }
    TRY(status);
    if (view.state == BULK_FAILED) {
        return answer_failure(request, view.status);
    }
    if (view.state != BULK_DONE) {
        return answer_progress(request, &view);
    }
    disclose(request, &view.people, view.all);
    add_expires(request, view.expires);
    request->response.content_type = "application/json";
    buffer_add(&request->response.body, view.manifest);
    return STATUS_OK;
}

enum status api_export_cancel_perform(struct request *request)
{
    struct bulk *bulk = request->service->bulk;
    enum status status = bulk != NULL && request->parent == NULL
                             ? bulk_cancel(bulk, request->id, request->who)
                             : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND) {
        return no_such_export(request);
    }
    TRY(status);
    struct outcome outcome;
    outcome_init(&outcome, request->arena);
    outcome_note(&outcome, "", "The export is ended and its files are removed.");
    outcome_write_json(&outcome, &request->response.body);
    request->response.http = 202;
    return STATUS_OK;
}

/* ---- its files ----------------------------------------------------------------------------------
 */

struct download {
    struct bulk_file *file;
    bool packed;
};

static void close_file(void *thing)
{
    bulk_file_close(thing);
}

static enum status pull(struct request *request, uint64_t offset, size_t max, struct buffer *out)
{
    const struct download *download = request->perform_state;
    const struct bulk_access access = {.who = request->who, .request = request->id_text};
    return bulk_file_read(download->file, download->packed, offset, max, &access, out);
}

/* Two representations, each with a strong tag of its own: parts of one fit together (RFC 9110,
 * 8.8.3.3). */
static enum status answer_file(struct request *request, const struct download *download)
{
    struct response *response = &request->response;
    const char *tag = arena_print(request->arena, "\"%.*s.%.*s%s\"", SLICE_ARGS(request->id),
                                  SLICE_ARGS(request->file), download->packed ? ".gz" : "");
    response->etag = slice_text(tag);
    add_expires(request, bulk_file_expires(download->file));
    response_add_header(request, "Vary", SLICE("Accept-Encoding"));
    if (request->method == METHOD_HEAD) {
        struct bulk_people people;
        bulk_file_people(download->file, &people);
        disclose(request, &people, bulk_file_resources(download->file));
    }
    if (slice_equals(request_header(request, "If-None-Match"), response->etag)) {
        return STATUS_NOT_MODIFIED;
    }
    if (download->packed) {
        response_add_header(request, "Content-Encoding", SLICE("gzip"));
    }
    response->content_type = "application/fhir+ndjson";
    response->pull = pull;
    response->pull_length = bulk_file_length(download->file, download->packed);
    return STATUS_OK;
}

enum status api_export_file_perform(struct request *request)
{
    struct bulk *bulk = request->service->bulk;
    struct download *download = ARENA_NEW(request->arena, struct download);
    if (download == NULL) {
        return STATUS_TOO_COSTLY;
    }
    enum status status =
        bulk != NULL && request->parent == NULL
            ? bulk_file_open(bulk, request->id, request->who, request->file, &download->file)
            : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND) {
        return no_such_export(request);
    }
    TRY(status);
    TRY(arena_defer(request->arena, close_file, download->file));
    download->packed = accepts_gzip(request_header(request, "Accept-Encoding"));
    request->perform_state = download;
    return answer_file(request, download);
}
