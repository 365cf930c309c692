/* SPDX-License-Identifier: MIT */
/* $import: files of records that the server fetches, in the background. The request is the JSON
 * manifest of the SMART "Bulk Data Import" proposal, or the same as a Parameters resource; the walk
 * of the job is that of $export (Bulk Data 2). */
#include <errno.h>
#include <unistd.h>

#include "api/api_int.h"

#define INPUTS_MOST 10000

struct reading {
    struct request *request;
    struct import_ask *ask;
    struct import_input *inputs;
    size_t capacity;
    bool has_format, has_files, has_others; /* storageDetail fits file: URLs, and https: */
    bool storage_file, storage_https;
};

static enum status refuse(struct reading *reading, const char *element, const char *why)
{
    return request_fail(reading->request, STATUS_VALUE, element, "%s", why);
}

/* ---- elements -----------------------------------------------------------------------------------
 */

static enum status take_format(struct reading *reading, struct slice value)
{
    static const char *const known[] = {"application/fhir+ndjson", "application/ndjson", "ndjson"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_equals_ignoring_case(value, slice_text(known[i]))) {
            reading->has_format = true;
            return STATUS_OK;
        }
    }
    return refuse(reading, "inputFormat", "Only application/fhir+ndjson is taken in.");
}

static enum status take_storage(struct reading *reading, struct slice type)
{
    reading->storage_file = slice_is(type, "file");
    reading->storage_https = slice_is(type, "https");
    return reading->storage_file || reading->storage_https
               ? STATUS_OK
               : refuse(reading, "storageDetail.type", "Files are taken from https and file only.");
}

static enum status take_coding(struct reading *reading, struct slice coding)
{
    return slice_is(coding, "gzip") || slice_is(coding, "identity")
               ? STATUS_OK
               : refuse(reading, "storageDetail.contentEncoding",
                        "Files are read plain or packed with gzip.");
}

static enum status add_input(struct reading *reading, struct slice type, struct slice url)
{
    struct request *request = reading->request;
    resource_type known = resource_type_find(request->service->definitions, type);
    if (known == RESOURCE_TYPE_NONE) {
        return refuse(reading, "input.type", "Give each file the resource type that is in it.");
    }
    if (url.length == 0) {
        return request_fail(request, STATUS_REQUIRED, "input.url", "Give each file its address.");
    }
    if (reading->ask->count == reading->capacity) {
        size_t capacity = reading->capacity * 2 + 16;
        struct import_input *more =
            arena_resize(request->arena, reading->inputs, reading->capacity * sizeof *more,
                         capacity * sizeof *more);
        if (more == NULL) {
            return STATUS_TOO_COSTLY;
        }
        reading->inputs = more;
        reading->capacity = capacity;
    }
    if (reading->ask->count == INPUTS_MOST) {
        return request_fail(request, STATUS_TOO_COSTLY, "input",
                            "More than %d files: ask in several requests.", INPUTS_MOST);
    }
    bool file = slice_equals_ignoring_case(slice_head(url, 5), SLICE("file:"));
    reading->has_files = reading->has_files || file;
    reading->has_others = reading->has_others || !file;
    reading->inputs[reading->ask->count++] = (struct import_input){known, url};
    return STATUS_OK;
}

/* What is not supported is refused, or passed over when the caller says that it may be. */
static enum status pass_over(struct reading *reading)
{
    return reading->request->prefer_lenient
               ? STATUS_OK
               : request_fail(reading->request, STATUS_PARAMETER, "",
                              "$import takes inputFormat, inputSource, input (type, url) and "
                              "storageDetail (type, contentEncoding), and nothing else; Prefer: "
                              "handling=lenient passes over what else is there.");
}

/* ---- the manifest -------------------------------------------------------------------------------
 */

static enum status take_list(struct reading *reading, yyjson_val *list,
                             enum status (*take)(struct reading *reading, yyjson_val *item))
{
    size_t index, most;
    yyjson_val *item;
    if (!yyjson_is_arr(list)) {
        return take(reading, list);
    }
    yyjson_arr_foreach(list, index, most, item)
    {
        TRY(take(reading, item));
    }
    return STATUS_OK;
}

static enum status take_coding_item(struct reading *reading, yyjson_val *item)
{
    return take_coding(reading, json_string(item));
}

static enum status take_input_object(struct reading *reading, yyjson_val *item)
{
    size_t index, most;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(item)) {
        return refuse(reading, "input", "input is a list of objects with type and url.");
    }
    yyjson_obj_foreach(item, index, most, key, value)
    {
        if (!slice_is(json_string(key), "type") && !slice_is(json_string(key), "url")) {
            TRY(pass_over(reading));
        }
    }
    return add_input(reading, json_get_string(item, "type"), json_get_string(item, "url"));
}

static enum status take_storage_object(struct reading *reading, yyjson_val *storage)
{
    size_t index, most;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(storage)) {
        return refuse(reading, "storageDetail", "storageDetail is an object with a type.");
    }
    yyjson_obj_foreach(storage, index, most, key, value)
    {
        if (slice_is(json_string(key), "type")) {
            TRY(take_storage(reading, json_string(value)));
        } else if (slice_is(json_string(key), "contentEncoding")) {
            TRY(take_list(reading, value, take_coding_item));
        } else {
            TRY(pass_over(reading));
        }
    }
    return STATUS_OK;
}

static enum status read_manifest(struct reading *reading, yyjson_val *root)
{
    size_t index, most;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, index, most, key, value)
    {
        struct slice name = json_string(key);
        if (slice_is(name, "inputFormat")) {
            TRY(take_format(reading, json_string(value)));
        } else if (slice_is(name, "inputSource")) {
            reading->ask->source = json_string(value);
        } else if (slice_is(name, "input")) {
            TRY(take_list(reading, value, take_input_object));
        } else if (slice_is(name, "storageDetail")) {
            TRY(take_storage_object(reading, value));
        } else {
            TRY(pass_over(reading));
        }
    }
    return STATUS_OK;
}

/* ---- Parameters ---------------------------------------------------------------------------------
 */

/* value[x], whichever of the types of text it has. */
static struct slice value_of(const yyjson_val *parameter)
{
    static const char *const names[] = {"valueString", "valueCode", "valueUri", "valueUrl",
                                        "valueCanonical"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct slice value = json_get_string(parameter, names[i]);
        if (value.length > 0) {
            return value;
        }
    }
    return json_get_string(json_get(parameter, "valueCoding"), "code");
}

static enum status take_storage_part(struct reading *reading, yyjson_val *part)
{
    struct slice name = json_get_string(part, "name");
    if (slice_is(name, "type")) {
        return take_storage(reading, value_of(part));
    }
    return slice_is(name, "contentEncoding") ? take_coding(reading, value_of(part))
                                             : pass_over(reading);
}

static enum status take_input_parts(struct reading *reading, yyjson_val *parts)
{
    struct slice type = {0}, url = {0};
    size_t index, most;
    yyjson_val *part;
    yyjson_arr_foreach(parts, index, most, part)
    {
        struct slice name = json_get_string(part, "name");
        if (slice_is(name, "type")) {
            type = value_of(part);
        } else if (slice_is(name, "url")) {
            url = value_of(part);
        } else {
            TRY(pass_over(reading));
        }
    }
    return add_input(reading, type, url);
}

static enum status take_parameter(struct reading *reading, yyjson_val *parameter)
{
    struct slice name = json_get_string(parameter, "name");
    if ((slice_is(name, "inputFormat") && reading->has_format) ||
        (slice_is(name, "inputSource") && reading->ask->source.length > 0)) {
        return refuse(reading, "parameter", "inputFormat and inputSource are given once each.");
    }
    if (slice_is(name, "inputFormat")) {
        return take_format(reading, value_of(parameter));
    }
    if (slice_is(name, "inputSource")) {
        reading->ask->source = value_of(parameter);
        return STATUS_OK;
    }
    if (slice_is(name, "input")) {
        return take_input_parts(reading, json_get(parameter, "part"));
    }
    if (slice_is(name, "storageDetail")) {
        return take_list(reading, json_get(parameter, "part"), take_storage_part);
    }
    return pass_over(reading);
}

/* ---- the request --------------------------------------------------------------------------------
 */

static enum status check_whole(struct reading *reading)
{
    struct request *request = reading->request;
    if (!reading->has_format) {
        return request_fail(request, STATUS_REQUIRED, "inputFormat",
                            "Give inputFormat: application/fhir+ndjson.");
    }
    if (reading->ask->source.length == 0) {
        return request_fail(request, STATUS_REQUIRED, "inputSource",
                            "Give inputSource: the URI of where the records come from.");
    }
    if (reading->ask->count == 0) {
        return request_fail(request, STATUS_REQUIRED, "input",
                            "Give at least one input with its type and url.");
    }
    if ((reading->storage_file && reading->has_others) ||
        (reading->storage_https && reading->has_files)) {
        return refuse(reading, "storageDetail.type",
                      "storageDetail says another protocol than an input's url.");
    }
    return STATUS_OK;
}

static enum status read_body(struct request *request, struct json *ret_json)
{
    if (request->body_file >= 0) {
        return request_fail(request, STATUS_TOO_LONG, "", "The request is longer than max-body.");
    }
    if (request->body.length == 0) {
        return request_fail(request, STATUS_REQUIRED, "",
                            "Send the manifest as application/json, or a Parameters resource.");
    }
    if (slice_starts(slice_trim(request->body), SLICE("<"))) {
        return xml_read(request->service->definitions, request->body, &json_limits_default,
                        request->arena, &request->outcome, ret_json);
    }
    return json_read(request->body, &json_limits_default, request->arena, &request->outcome,
                     ret_json);
}

static enum status read_ask(struct request *request, struct import_ask *ret_ask)
{
    struct reading reading = {.request = request, .ask = ret_ask};
    struct json json = {0};
    *ret_ask = (struct import_ask){.base_url = request->base_url, .who = request->who};
    TRY(read_body(request, &json));
    struct slice type = json_get_string(json.root, "resourceType");
    if (!yyjson_is_obj(json.root) || (type.length > 0 && !slice_is(type, "Parameters"))) {
        return request_fail(request, STATUS_STRUCTURE, "",
                            "The body is a JSON object with inputFormat, inputSource and input, or "
                            "a Parameters resource with these.");
    }
    TRY(type.length > 0 ? operation_check(request, json.root) : STATUS_OK);
    TRY(type.length > 0 ? take_list(&reading, json_get(json.root, "parameter"), take_parameter)
                        : read_manifest(&reading, json.root));
    TRY(check_whole(&reading));
    ret_ask->inputs = reading.inputs;
    return STATUS_OK;
}

enum status api_import_perform(struct request *request)
{
    const struct importer *importer = request->service->importer;
    struct import_ask ask;
    struct outcome outcome;
    char id[UUID_LENGTH + 1];
    if (importer == NULL || request->parent != NULL) {
        return request_fail(request, STATUS_NOT_SUPPORTED, "",
                            "$import is a request of its own, to a server that imports.");
    }
    if (!api_prefers_async(request)) {
        return request_fail(request, STATUS_REQUIRED, "Prefer",
                            "$import is answered in the background only: send the header Prefer: "
                            "respond-async.");
    }
    TRY(read_ask(request, &ask));
    TRY(importer->start(importer->context, &ask, request->arena, &request->outcome, id));
    request->response.http = 202;
    request->response.content_location = slice_text(
        arena_print(request->arena, "%.*s/$import/%s", SLICE_ARGS(request->base_url), id));
    outcome_init(&outcome, request->arena);
    outcome_note(&outcome, "",
                 "The import has begun: ask at the Content-Location how far it is, and end it "
                 "there with DELETE. What is stored by then stays.");
    outcome_write_json(&outcome, &request->response.body);
    return STATUS_OK;
}

/* ---- how far it is ------------------------------------------------------------------------------
 */

static enum status no_such_import(struct request *request)
{
    return request_fail(request, STATUS_NOT_FOUND, "",
                        "There is no such import: it was cancelled, has expired, or never was.");
}

static void add_expires(struct request *request, int64_t expires)
{
    char date[HTTP_DATE_LENGTH + 1];
    http_date_write(expires, date);
    response_add_header(request, "Expires",
                        arena_copy(request->arena, slice_of(date, HTTP_DATE_LENGTH)));
}

static enum status answer_progress(struct request *request, const struct import_view *view)
{
    struct arena *arena = request->arena;
    unsigned long long percent = view->all > 0 ? view->done * 100 / view->all : 0;
    const char *text =
        view->state == IMPORT_WAITING ? arena_print(arena, "waiting, %zu before it", view->before)
        : view->state == IMPORT_FETCHING
            ? arena_print(arena, "fetching file %zu of %zu, %llu%%", view->input, view->count,
                          percent)
            : arena_print(arena, "storing file %zu of %zu, %llu%%, %llu resources", view->input,
                          view->count, percent, (unsigned long long)view->stored);
    request->response.http = 202;
    response_add_header(request, "X-Progress", slice_text(text));
    response_add_header(request, "Retry-After", SLICE("1"));
    return STATUS_OK;
}

static enum status answer_failure(struct request *request, enum status status)
{
    if (status == STATUS_NO_SPACE) {
        return request_fail(request, status, "",
                            "The disk is full and the import was ended. What it stored is safe; "
                            "begin it again when the operator has made room.");
    }
    return request_fail(request, status_http(status) >= 500 ? status : STATUS_INTERNAL, "",
                        "The import failed. What it stored is safe; begin it again. The operator "
                        "finds the cause in the server's log.");
}

enum status api_import_status_perform(struct request *request)
{
    const struct importer *importer = request->service->importer;
    struct import_view view;
    enum status status = importer != NULL
                             ? importer->look(importer->context, request->id, request->who,
                                              request->base_url, request->arena, &view)
                             : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND) {
        return no_such_import(request);
    }
    TRY(status);
    if (view.state == IMPORT_FAILED) {
        return answer_failure(request, view.status);
    }
    if (view.state != IMPORT_DONE) {
        return answer_progress(request, &view);
    }
    add_expires(request, view.expires);
    request->response.content_type = "application/json";
    buffer_add(&request->response.body, view.manifest);
    return STATUS_OK;
}

enum status api_import_cancel_perform(struct request *request)
{
    const struct importer *importer = request->service->importer;
    struct outcome outcome;
    enum status status = importer != NULL && request->parent == NULL
                             ? importer->cancel(importer->context, request->id, request->who)
                             : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND) {
        return no_such_import(request);
    }
    TRY(status);
    outcome_init(&outcome, request->arena);
    outcome_note(&outcome, "", "The import is ended. What it had stored by then stays.");
    outcome_write_json(&outcome, &request->response.body);
    request->response.http = 202;
    return STATUS_OK;
}

/* ---- what became of a file ----------------------------------------------------------------------
 */

static void close_file(void *file)
{
    (void)close(*(int *)file);
}

static enum status pull(struct request *request, uint64_t offset, size_t max, struct buffer *out)
{
    const int *file = request->perform_state;
    char *to = buffer_reserve(out, max);
    if (to == NULL) {
        return STATUS_TOO_COSTLY;
    }
    ssize_t got = disk->pread(*file, to, max, (off_t)offset);
    if (got <= 0) {
        return got < 0 ? disk_status(errno) : STATUS_IO; /* shorter than it was: not ours */
    }
    out->length += (size_t)got;
    return STATUS_OK;
}

enum status api_import_file_perform(struct request *request)
{
    const struct importer *importer = request->service->importer;
    int *file = arena_zero(request->arena, sizeof *file);
    uint64_t length = 0;
    if (file == NULL) {
        return STATUS_TOO_COSTLY;
    }
    enum status status = importer != NULL && request->parent == NULL
                             ? importer->open(importer->context, request->id, request->who,
                                              request->file, file, &length)
                             : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND) {
        return no_such_import(request);
    }
    TRY(status);
    TRY(arena_defer(request->arena, close_file, file));
    request->perform_state = file;
    request->response.content_type = "application/fhir+ndjson";
    request->response.pull = pull;
    request->response.pull_length = length;
    return STATUS_OK;
}
