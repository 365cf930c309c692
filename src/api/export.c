/* SPDX-License-Identifier: MIT */
/* $export: the kick-off request (Bulk Data 2). What is asked for is checked now, and written later:
 * the answer says where to ask how far it is. */
#include "api/export_int.h"

/* ---- what bulk/ is handed -----------------------------------------------------------------------
 */

static uint64_t content_length(struct slice head, uint64_t blob_length)
{
    return binary_form_length(FORMAT_JSON, head, blob_length);
}

static enum status content_write(struct store_tx *tx, const struct store_version *version,
                                 struct slice head, uint64_t offset, size_t max, struct buffer *out)
{
    return binary_form_write(tx, version, FORMAT_JSON, head, offset, max, out);
}

const struct bulk_content api_bulk_content = {binary_guard, content_length, content_write};

static enum status ready(void *context)
{
    struct service *service = context;
    return service->stored_ready != NULL ? service->stored_ready(service) : STATUS_OK;
}

enum status api_exports_open(struct service *service, struct outcome *outcome)
{
    const struct config *config = service->config;
    const struct bulk_options options = {.folder = config->data,
                                         .definitions = service->definitions,
                                         .store = service->store,
                                         .audit = service->audit,
                                         .terms = service->terms,
                                         .conformance = service->conformance,
                                         .content = &api_bulk_content,
                                         .ready = ready,
                                         .context = service,
                                         .threads = (size_t)config->export_threads,
                                         .jobs = (size_t)config->exports,
                                         .keep = config->export_keep,
                                         .spare = config->export_spare,
                                         .file_bytes = (size_t)config->export_file};
    return bulk_open(&options, outcome, &service->bulk);
}

/* ---- the request --------------------------------------------------------------------------------
 */

/* Preferences of all Prefer headers: "respond-async, handling=lenient" (RFC 7240). */
bool api_prefers_async(const struct request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice rest = request->headers[i].value;
        if (!slice_equals_ignoring_case(request->headers[i].name, SLICE("Prefer"))) {
            continue;
        }
        while (rest.at != NULL) {
            struct slice part = slice_cut(&rest, ',');
            if (slice_equals_ignoring_case(slice_trim(slice_cut(&part, ';')),
                                           SLICE("respond-async"))) {
                return true;
            }
        }
    }
    return false;
}

static struct slice whole_url(struct request *request)
{
    struct buffer url = {.arena = request->arena};
    buffer_add(&url, request->base_url);
    buffer_add_byte(&url, '/');
    buffer_add(&url, request->target);
    if (request->query_text.length > 0) {
        buffer_add_byte(&url, '?');
        buffer_add(&url, request->query_text);
    }
    return buffer_slice(&url);
}

static void write_accepted(struct request *request, const char *id)
{
    struct outcome outcome;
    request->response.http = 202;
    request->response.content_location = slice_text(
        arena_print(request->arena, "%.*s/$export/%s", SLICE_ARGS(request->base_url), id));
    outcome_init(&outcome, request->arena);
    outcome_note(
        &outcome, "",
        "The export has begun: ask at the Content-Location how far it is, and end it there "
        "with DELETE.");
    outcome_write_json(&outcome, &request->response.body);
}

/* Whom the request names is told of by what comes of it, even by nothing. */
static enum status disclose_named(struct request *request, struct store_tx *tx,
                                  const struct bulk_ask *ask)
{
    struct store_query query = {
        .type = resource_type_find(request->service->definitions, SLICE("Patient")),
        .ids = ask->patients,
        .id_count = ask->patient_count};
    TRY(api_disclose_criteria(request, tx, &query));
    for (size_t i = 0; i < ask->filter_count; i++) {
        TRY(bulk_filter_query(request->service->bulk, ask->base_url, &ask->filters[i],
                              request->arena, &request->outcome, &query));
        TRY(api_disclose_criteria(request, tx, &query));
    }
    return STATUS_OK;
}

enum status api_export_perform(struct request *request)
{
    struct bulk *bulk = request->service->bulk;
    struct bulk_ask ask;
    struct store_tx *tx;
    char id[UUID_LENGTH + 1];
    if (bulk == NULL || request->parent != NULL) {
        return request_fail(request, STATUS_NOT_SUPPORTED, "",
                            "$export is a request of its own, to a server that keeps files.");
    }
    if (!api_prefers_async(request)) {
        return request_fail(request, STATUS_REQUIRED, "Prefer",
                            "$export is answered in the background only: send the header Prefer: "
                            "respond-async.");
    }
    TRY(export_ask_read(request, &ask));
    ask.url = whole_url(request);
    if (ask.filter_count > 0 && request->service->terms != NULL) {
        arena_raise(request->arena, API_TERMS_BYTES);
    }
    TRY(request_snapshot(request, &tx));
    TRY(bulk_check(bulk, tx, &ask, request->arena, &request->outcome));
    TRY(disclose_named(request, tx, &ask));
    TRY(bulk_start(bulk, &ask, &request->outcome, id));
    write_accepted(request, id);
    return STATUS_OK;
}
