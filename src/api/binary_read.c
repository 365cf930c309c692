/* SPDX-License-Identifier: MIT */
/* read and vread of Binary (R4 binary.html): the content itself, or the FHIR form when that is
 * asked for. The door cuts ranges out of raw content; whatever is long is pulled piece by piece.
 *
 * A Binary is readable through its securityContext only. While rules are off everybody may read
 * that, so what is kept here is what does not depend on who asks: a context that is not there, or
 * no longer, opens nothing; and the access log names the persons of the context. The rule proper
 * belongs to the consent stage, which decides for the context what it decides for any resource. */
#include "api/binary_int.h"

struct content {
    struct store_version version;
    struct slice head; /* the resource without its content */
};

/* ---- the security context -----------------------------------------------------------------------
 */

static void disclose_context(struct request *request, const struct store_version *binary,
                             const struct store_version *context)
{
    for (size_t i = 0; i < context->patient_count; i++) {
        size_t at = 0;
        while (at < binary->patient_count && binary->patients[at] != context->patients[i]) {
            at++;
        }
        if (at == binary->patient_count) {
            request_discloses(request, &context->patients[i], 1);
        }
    }
}

static enum status check_context(struct request *request, struct store_tx *tx,
                                 const struct store_version *binary, struct slice text)
{
    struct reference reference =
        reference_parse(request->service->definitions, text, request->base_url);
    struct store_version context;
    if (reference.kind != REFERENCE_LOCAL) {
        return STATUS_OK; /* not ours to look up */
    }
    enum status status = store_read(tx, reference.type, reference.id, request->arena, &context);
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        return request_fail(request, STATUS_FORBIDDEN, "Binary.securityContext",
                            "The resource that decides who may read this content is not there: "
                            "restore it, or update the Binary with another securityContext.");
    }
    TRY(status);
    disclose_context(request, binary, &context);
    return STATUS_OK;
}

/* ---- what holds it -----------------------------------------------------------------------------
 */

enum { HOLDERS_MOST = 100 };

/* DocumentReferences are found by their search parameter `location`, which is the attachment's
 * address: relative, or absolute under our base. */
static enum status find_documents(struct request *request, struct store_tx *tx, struct slice id,
                                  struct store_page *ret_page)
{
    const struct definitions *definitions = request->service->definitions;
    struct buffer value = {.arena = request->arena};
    buffer_print(&value, "Binary/%.*s,", SLICE_ARGS(id));
    buffer_print(&value, "%.*s/Binary/%.*s", SLICE_ARGS(request->base_url), SLICE_ARGS(id));
    struct search_argument argument = {.name = SLICE("location"), .value = buffer_slice(&value)};
    struct search_options options = {
        .definitions = definitions,
        .base_url = request->base_url,
        .type = resource_type_find(definitions, SLICE("DocumentReference")),
        .count_default = HOLDERS_MOST,
        .count_max = HOLDERS_MOST};
    struct search_plan plan;
    TRY(buffer_ok(&value) ? STATUS_OK : STATUS_TOO_COSTLY);
    TRY(search_plan_make(&options, &argument, 1, request->arena, &request->outcome, &plan));
    plan.query.bodies = false;
    return store_find(tx, &plan.query, request->arena, &request->outcome, ret_page);
}

enum status api_disclose_holders(struct request *request, struct store_tx *tx,
                                 const struct store_version *binary)
{
    struct store_page page;
    struct store_version referrer;
    TRY(find_documents(request, tx, binary->id, &page));
    for (size_t i = 0; i < page.count; i++) {
        request_discloses(request, page.items[i].patients, page.items[i].patient_count);
    }
    if (page.count > 0) {
        return STATUS_OK;
    }
    enum status status =
        store_find_referrer(tx, binary->type, binary->id, request->arena, &referrer);
    if (status == STATUS_OK) {
        request_discloses(request, referrer.patients, referrer.patient_count);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- pieces -------------------------------------------------------------------------------------
 */

static enum status begin(struct request *request, struct store_tx **ret_tx)
{
    return store_snapshot_begin(
        request->reader,
        time_monotonic() + request->service->config->request_timeout * MICROS_PER_SECOND, ret_tx);
}

static enum status pull_raw(struct request *request, uint64_t offset, size_t max,
                            struct buffer *out)
{
    const struct content *content = request->perform_state;
    struct store_tx *tx;
    TRY(begin(request, &tx));
    enum status status = store_read_blob(tx, &content->version, offset, max, out);
    store_snapshot_end(tx);
    return status;
}

static enum status pull_form(struct request *request, uint64_t offset, size_t max,
                             struct buffer *out)
{
    const struct content *content = request->perform_state;
    struct store_tx *tx;
    TRY(begin(request, &tx));
    enum status status =
        binary_form_write(tx, &content->version, request->format, content->head, offset, max, out);
    store_snapshot_end(tx);
    return status;
}

/* ---- answers ------------------------------------------------------------------------------------
 */

/* Types that a browser shows without running anything in them. */
static bool is_inert(struct slice media)
{
    static const char *const inert[] = {"application/pdf", "image/png",  "image/jpeg",
                                        "image/gif",       "image/webp", "text/plain"};
    struct slice name = slice_trim(slice_head(media, slice_index(media, ';')));
    for (size_t i = 0; i < sizeof inert / sizeof inert[0]; i++) {
        if (slice_equals_ignoring_case(name, slice_text(inert[i]))) {
            return true;
        }
    }
    return slice_starts(name, SLICE("audio/")) || slice_starts(name, SLICE("video/"));
}

/* Content is somebody else's: it must not run as ours. (The door adds the sandbox that goes with
 * every answer that is not FHIR.) */
static void add_safety(struct request *request, struct slice media)
{
    if (!is_inert(media)) {
        response_add_header(request, "Content-Disposition", SLICE("attachment"));
    }
}

static enum status answer_raw(struct request *request, const struct content *content,
                              yyjson_val *root)
{
    struct response *response = &request->response;
    struct slice media = json_get_string(root, "contentType");
    struct slice context = json_get_string(json_get(root, "securityContext"), "reference");
    response->content_type = arena_copy(request->arena, media).at;
    /* Bytes, so a strong validator: parts of one version fit together. */
    response->etag = slice_text(arena_print(request->arena, "\"%u\"", content->version.version));
    add_safety(request, media);
    if (context.length > 0) {
        response_add_header(request, "X-Security-Context", arena_copy(request->arena, context));
    }
    if (content->version.blob_length > 0) {
        response->pull = pull_raw;
        response->pull_length = content->version.blob_length;
        return STATUS_OK;
    }
    if (!base64_parse(json_get_string(root, "data"), true, &response->body)) {
        return buffer_ok(&response->body) ? STATUS_CORRUPT : STATUS_TOO_COSTLY;
    }
    return STATUS_OK;
}

static enum status make_xml_head(struct request *request, struct content *content)
{
    struct buffer out = {.arena = request->arena};
    struct json json;
    TRY(json_read(content->head, &json_limits_default, request->arena, &request->outcome, &json));
    TRY(xml_write(request->service->definitions, json.root, false, &request->outcome, &out));
    content->head = buffer_slice(&out);
    return slice_ends(content->head, SLICE("</Binary>")) ? STATUS_OK : STATUS_INTERNAL;
}

static enum status answer_form(struct request *request, struct content *content)
{
    bool subset = request->summary != SUMMARY_FALSE || request->element_count > 0;
    if (content->version.blob_length == 0 || subset || request->parent != NULL) {
        return api_write_resource(request, &content->version, &request->response.body);
    }
    request->response.pull = pull_form;
    request->response.content_type = "application/fhir+json; charset=utf-8";
    if (request->format == FORMAT_XML) {
        TRY(make_xml_head(request, content));
        request->response.content_type = "application/fhir+xml; charset=utf-8";
    }
    request->response.pull_length =
        binary_form_length(request->format, content->head, content->version.blob_length);
    return STATUS_OK;
}

/* Plain application/json and application/xml mean content that is such, and FHIR's form otherwise.
 */
static bool is_plain_form(struct slice name)
{
    return slice_equals_ignoring_case(name, SLICE("application/json")) ||
           slice_equals_ignoring_case(name, SLICE("application/xml"));
}

static bool wants_form(const struct request *request, struct slice media)
{
    if (request->parent != NULL || request_parameter(request, "_format") != NULL) {
        return true;
    }
    struct slice rest = request_header(request, "Accept");
    while (rest.at != NULL && rest.length > 0) {
        struct slice item = slice_cut(&rest, ',');
        struct slice name = slice_trim(slice_head(item, slice_index(item, ';')));
        if (slice_equals_ignoring_case(name, slice_head(media, slice_index(media, ';'))) ||
            slice_is(name, "*/*")) {
            return false;
        }
        if (binary_is_fhir(name) || is_plain_form(name)) {
            return true;
        }
    }
    return false;
}

enum status api_binary_read_perform(struct request *request)
{
    struct content *content = ARENA_NEW(request->arena, struct content);
    struct buffer head = {.arena = request->arena};
    struct store_tx *tx;
    struct json json;
    if (content == NULL) {
        return STATUS_TOO_COSTLY;
    }
    request->perform_state = content;
    TRY(request_snapshot(request, &tx));
    TRY(api_find_version(request, tx, &content->version));
    const struct store_version *version = &content->version;
    store_version_write(version, &head);
    content->head = buffer_slice(&head);
    TRY(json_read(content->head, &json_limits_default, request->arena, &request->outcome, &json));
    request_discloses(request, version->patients, version->patient_count);
    TRY(check_context(request, tx, version,
                      json_get_string(json_get(json.root, "securityContext"), "reference")));
    if (request->disclosure_count == 0) {
        TRY(api_disclose_holders(request, tx, version));
    }
    api_respond_headers(request, version->version, version->updated);
    if (api_not_modified(request, version->version, version->updated)) {
        return STATUS_NOT_MODIFIED;
    }
    return wants_form(request, json_get_string(json.root, "contentType"))
               ? answer_form(request, content)
               : answer_raw(request, content, json.root);
}
