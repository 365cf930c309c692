/* SPDX-License-Identifier: MIT */
/* read and vread of Binary (R4 binary.html): the content itself, or the FHIR form when that is
 * asked for. The door cuts ranges out of raw content; whatever is long is pulled piece by piece.
 */
#include "api/binary_int.h"

struct content {
    struct store_version version;
    struct slice head; /* the resource without its content */
};

/* ---- pieces -------------------------------------------------------------------------------------
 */

static enum status begin(struct request *request, struct store_tx **ret_tx)
{
    return store_snapshot_begin(request->reader, time_monotonic() + request_patience(request),
                                ret_tx);
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
    request_discloses_version(request, version);
    TRY(api_binary_guard(request, tx, version));
    api_respond_headers(request, version->version, version->updated);
    if (api_not_modified(request, version->version, version->updated)) {
        return STATUS_NOT_MODIFIED;
    }
    return wants_form(request, json_get_string(json.root, "contentType"))
               ? answer_form(request, content)
               : answer_raw(request, content, json.root);
}
