/* SPDX-License-Identifier: MIT */
/* create and update of Binary (R4 binary.html): from raw bytes of any media type, or from the FHIR
 * form. Either way it becomes one resource; content past BINARY_INLINE is kept beside the body. */
#include <errno.h>
#include <fcntl.h>

#include "api/binary_int.h"
#include "validate/validate.h"

static bool binary_is_fhir_xml(struct slice media)
{
    struct slice name = slice_trim(slice_head(media, slice_index(media, ';')));
    return slice_equals_ignoring_case(name, SLICE("application/fhir+xml")) ||
           slice_equals_ignoring_case(name, SLICE("application/xml+fhir"));
}

bool binary_is_fhir(struct slice media)
{
    struct slice name = slice_trim(slice_head(media, slice_index(media, ';')));
    return slice_equals_ignoring_case(name, SLICE("application/fhir+json")) ||
           slice_equals_ignoring_case(name, SLICE("application/json+fhir")) ||
           binary_is_fhir_xml(media);
}

/* ---- content beside the body --------------------------------------------------------------------
 */

struct blob {
    int file; /* -1: none */
    uint64_t length;
};

static void close_file(void *thing)
{
    (void)disk->close((int)(intptr_t)thing);
}

/* Without a name, so that it ends with the request, also when the program is killed. */
static enum status open_file(struct request *request, int *ret_file)
{
    const char *folder = request->service->config->data;
    int file = disk->open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        char name[UUID_LENGTH + 1];
        random_uuid(name);
        const char *path = arena_print(request->arena, "%s/.binary-%s", folder, name);
        file = disk->open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (file >= 0) {
            (void)disk->unlink(path);
        }
    }
    if (file < 0) {
        return disk_status(errno);
    }
    *ret_file = file;
    return arena_defer(request->arena, close_file, (void *)(intptr_t)file);
}

static enum status keep_beside(struct request *request, struct slice content, struct blob *ret_blob)
{
    TRY(open_file(request, &ret_blob->file));
    TRY(disk_write_all(ret_blob->file, content, 0));
    ret_blob->length = content.length;
    return STATUS_OK;
}

/* ---- raw ----------------------------------------------------------------------------------------
 */

static void add_member(struct buffer *out, const char *name, struct slice value)
{
    buffer_print(out, ",\"%s\":", name);
    buffer_add_json_string(out, value);
}

static enum status read_text(struct request *request, struct buffer *text)
{
    if (!buffer_ok(text)) {
        return STATUS_TOO_COSTLY;
    }
    struct json_limits limits = json_limits_default;
    limits.bytes = text->length;
    return json_read(buffer_slice(text), &limits, request->arena, &request->outcome,
                     &request->json);
}

static enum status take_raw(struct request *request, struct blob *ret_blob)
{
    struct slice media = slice_trim(request_header(request, "Content-Type"));
    struct slice context = slice_trim(request_header(request, "X-Security-Context"));
    struct buffer text = {.arena = request->arena};
    buffer_add_text(&text, "{\"resourceType\":\"Binary\"");
    if (request->id.length > 0) {
        add_member(&text, "id", request->id);
    }
    add_member(&text, "contentType", media.length > 0 ? media : SLICE("application/octet-stream"));
    if (context.length > 0) {
        buffer_add_text(&text, ",\"securityContext\":{\"reference\":");
        buffer_add_json_string(&text, context);
        buffer_add_byte(&text, '}');
    }
    if (request->body_file >= 0) {
        *ret_blob = (struct blob){request->body_file, request->body_file_length};
    } else if (request->body.length > BINARY_INLINE) {
        TRY(keep_beside(request, request->body, ret_blob));
    } else if (request->body.length > 0) {
        buffer_add_text(&text, ",\"data\":\"");
        base64_write(request->body, &text);
        buffer_add_byte(&text, '"');
    }
    buffer_add_byte(&text, '}');
    return read_text(request, &text);
}

/* ---- the FHIR form ------------------------------------------------------------------------------
 */

/* The same resource without its data. */
static enum status leave_data_out(struct request *request)
{
    struct buffer text = {.arena = request->arena};
    size_t at, max;
    yyjson_val *key, *value;
    buffer_add_byte(&text, '{');
    yyjson_obj_foreach(request->json.root, at, max, key, value)
    {
        struct slice name = json_string(key);
        if (slice_is(name, "data")) {
            continue;
        }
        if (text.length > 1) {
            buffer_add_byte(&text, ',');
        }
        buffer_add_json_string(&text, name);
        buffer_add_byte(&text, ':');
        json_write(value, NULL, NULL, &text);
    }
    buffer_add_byte(&text, '}');
    return read_text(request, &text);
}

static enum status take_resource(struct request *request, struct blob *ret_blob)
{
    if (request->json.root == NULL) {
        struct json_limits limits = json_limits_default;
        limits.bytes = (size_t)request->service->config->max_body;
        if (request->body_file >= 0) {
            return request_fail(request, STATUS_TOO_LONG, "",
                                "The body is longer than max-body: send the content itself, under "
                                "its own media type.");
        }
        TRY(binary_is_fhir_xml(request_header(request, "Content-Type"))
                ? xml_read(request->service->definitions, request->body, &limits, request->arena,
                           &request->outcome, &request->json)
                : json_read(request->body, &limits, request->arena, &request->outcome,
                            &request->json));
    }
    struct validate_options options;
    TRY(service_validate_options(request->service, &options));
    options.type = request->type;
    options.id = request->method == METHOD_PUT ? request->id : (struct slice){0};
    options.id_required = request->method == METHOD_PUT;
    resource_type type;
    TRY(request_judge(request, request->type, request->json.root,
                      validate_resource(&options, &request->json, request->json.root, request->path,
                                        request->arena, &request->outcome, &type)));
    struct slice data = json_get_string(request->json.root, "data");
    struct buffer content = {.arena = request->arena};
    if (data.length <= BINARY_INLINE / 3 * 4) {
        return STATUS_OK;
    }
    if (!base64_parse(data, true, &content)) {
        return buffer_ok(&content)
                   ? request_fail(request, STATUS_VALUE, "Binary.data", "This is not base64.")
                   : STATUS_TOO_COSTLY;
    }
    TRY(keep_beside(request, buffer_slice(&content), ret_blob));
    return leave_data_out(request);
}

/* ---- the interaction ----------------------------------------------------------------------------
 */

static bool is_update(const struct request *request)
{
    return request->method == METHOD_PUT;
}

enum status api_binary_write_perform(struct request *request)
{
    struct blob blob = {.file = -1};
    bool fhir = request->parent != NULL || binary_is_fhir(request_header(request, "Content-Type"));
    TRY(fhir ? take_resource(request, &blob) : take_raw(request, &blob));
    if (!fhir) {
        struct validate_options options;
        TRY(service_validate_options(request->service, &options));
        options.type = request->type;
        resource_type type;
        TRY(request_judge(request, request->type, request->json.root,
                          validate_resource(&options, &request->json, request->json.root,
                                            (struct slice){0}, request->arena, &request->outcome,
                                            &type)));
    }
    TRY(is_update(request) ? api_update_perform(request) : api_create_perform(request));
    if (blob.file >= 0) {
        store_draft_set_blob(is_update(request) ? api_update_draft(request)
                                                : api_create_draft(request),
                             blob.file, blob.length);
        request->prefer_return = PREFER_MINIMAL; /* it is not sent back to who has just sent it */
    }
    return STATUS_OK;
}

enum status api_binary_write_commit(struct request *request, struct store_tx *tx)
{
    return is_update(request) ? api_update_commit(request, tx) : api_create_commit(request, tx);
}

void api_binary_write_committed(struct request *request)
{
    if (is_update(request)) {
        api_update_committed(request);
    } else {
        api_create_committed(request);
    }
}
