/* SPDX-License-Identifier: MIT */
/* patch and conditional patch with JSON Patch or FHIRPath Patch (R4 http, "patch"). Prepared
 * against the version seen; when another write came between, it is prepared again inside the
 * transaction. */
#include "api/api_int.h"
#include "fhirpath/fhirpath.h"
#include "validate/validate.h"

struct patching {
    struct json patch;
    bool fhirpath; /* patch is a Parameters resource */
    bool conditional;
    struct search_plan plan;
    struct store_condition if_match;
    uint32_t prepared; /* the version that draft was made from; 0: none */
    yyjson_val *result;
    struct store_draft *draft;
    struct store_written written;
};

/* A FHIRPath Patch is a resource, and checked as one. */
static enum status check_parameters(struct request *request, struct patching *patching)
{
    resource_type type;
    struct validate_options options = {
        .definitions = request->service->definitions,
        .type = resource_type_find(request->service->definitions, SLICE("Parameters"))};
    patching->fhirpath = true;
    return validate_resource(&options, &patching->patch, patching->patch.root, request->path,
                             request->arena, &request->outcome, &type);
}

static enum status read_patch(struct request *request, struct patching *patching)
{
    static const char *const fhir[] = {"application/fhir+json", "application/fhir+xml"};
    struct slice type = request_header(request, "Content-Type");
    struct slice media = slice_trim(slice_head(type, slice_index(type, ';')));
    if (request->json.root != NULL) {
        patching->patch = request->json; /* of a bundle: a Binary's data, or Parameters */
        return yyjson_is_obj(patching->patch.root) ? check_parameters(request, patching)
                                                   : STATUS_OK;
    }
    if (slice_equals_ignoring_case(media, slice_text(fhir[0])) ||
        slice_equals_ignoring_case(media, slice_text(fhir[1]))) {
        TRY(resource_read_any(request->service->definitions, request->body, &json_limits_default,
                              request->arena, &request->outcome, &patching->patch));
        return check_parameters(request, patching);
    }
    if (!slice_equals_ignoring_case(media, SLICE("application/json-patch+json"))) {
        return request_fail(request, STATUS_MEDIA_TYPE, "",
                            "Send a JSON Patch as application/json-patch+json, or a FHIRPath Patch "
                            "(Parameters) as application/fhir+json; XML Patch is not supported.");
    }
    return json_read(request->body, &json_limits_default, request->arena, &request->outcome,
                     &patching->patch);
}

/* Room for what is patched, several times over: it is no part of the request's body. */
static void make_room(struct request *request, const struct store_version *version)
{
    arena_raise(request->arena, arena_used(request->arena) + ARENA_REQUEST_BASE +
                                    2 * ARENA_REQUEST_FACTOR * version->body.length);
}

/* Applies the patch to a current version and makes a valid draft of the result. */
static enum status prepare(struct request *request, struct patching *patching,
                           const struct store_version *version)
{
    struct buffer text = {.arena = request->arena};
    struct buffer patched = {.arena = request->arena};
    struct json before, after;
    yyjson_mut_doc *result;
    make_room(request, version);
    store_version_write(version, &text);
    TRY(json_read(buffer_slice(&text), &json_limits_default, request->arena, NULL, &before));
    TRY(patching->fhirpath
            ? fhirpath_patch_apply(request->service->definitions, version->type, before.root,
                                   patching->patch.root, request->arena, &request->outcome, &result)
            : patch_json_apply(before.root, patching->patch.root, request->arena, &request->outcome,
                               &result));
    json_write_mutable(yyjson_mut_doc_get_root(result), &patched);
    TRY(json_read(buffer_slice(&patched), &json_limits_default, request->arena, &request->outcome,
                  &after));
    struct validate_options options;
    TRY(service_validate_options(request->service, &options));
    options.type = version->type;
    options.id = version->id;
    options.id_required = true;
    resource_type type;
    enum status status = validate_resource(&options, &after, after.root, request->path,
                                           request->arena, &request->outcome, &type);
    status = request_judge(request, version->type, after.root, status);
    if (status != STATUS_OK) {
        /* The patch is well formed, what it makes is not (R4 http, "patch"). */
        return status_http(status) == 400 ? STATUS_UNPROCESSABLE : status;
    }
    patching->prepared = version->version;
    patching->result = after.root;
    make_room(request, version); /* for its index, now that it is sound */
    return api_admit_draft(request, version->type, version->id, after.root, &patching->draft);
}

static enum status read_current(struct request *request, struct store_tx *tx,
                                struct store_version *ret_version)
{
    api_make_reading_room(request);
    enum status status = store_read(tx, request->type, request->id, request->arena, ret_version);
    if (status == STATUS_GONE) {
        request_discloses_version(request, ret_version);
    }
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        return request_fail(request, status, "",
                            "There is no current resource to patch: create it with PUT.");
    }
    TRY(status);
    TRY(api_binary_guard(request, tx, ret_version)); /* a test operation reads too */
    return ret_version->blob_length == 0
               ? STATUS_OK
               : request_fail(request, STATUS_NOT_SUPPORTED, "Binary.data",
                              "Content of this length cannot be patched: update the Binary with "
                              "PUT.");
}

enum status api_patch_perform(struct request *request)
{
    struct patching *patching = ARENA_NEW(request->arena, struct patching);
    if (patching == NULL) {
        return STATUS_TOO_COSTLY;
    }
    request->perform_state = patching;
    patching->conditional = request->id.length == 0;
    TRY(api_if_match(request, &patching->if_match));
    TRY(read_patch(request, patching));
    if (patching->conditional) {
        TRY(api_condition_plan(request, (struct slice){0}, &patching->plan));
        return api_condition_foresee(request, &patching->plan);
    }
    if (request->parent != NULL) {
        return STATUS_OK; /* what stands before it in the bundle may change it first */
    }
    struct store_tx *tx;
    struct store_version version;
    TRY(request_snapshot(request, &tx));
    TRY(read_current(request, tx, &version));
    return prepare(request, patching, &version);
}

enum status api_patch_commit(struct request *request, struct store_tx *tx)
{
    struct patching *patching = request->perform_state;
    struct store_version version;
    if (patching->conditional) {
        bool found;
        TRY(api_condition_find(request, tx, &patching->plan, &found, &version));
        if (!found) {
            return request_fail(request, STATUS_NOT_FOUND, "",
                                "The criteria meet no resource: there is nothing to patch.");
        }
        request->id = version.id;
    }
    TRY(read_current(request, tx, &version));
    if (!store_condition_meets(&patching->if_match, version.version)) {
        return request_fail(request, STATUS_PRECONDITION, "",
                            "If-Match names another version than the current one: read it again "
                            "and repeat the change.");
    }
    if (patching->prepared != version.version) {
        TRY(prepare(request, patching, &version));
    }
    struct store_condition condition = {.version = version.version};
    TRY(api_check_references(request, tx, request->type, patching->result));
    TRY(store_put(tx, patching->draft, STORE_PATCHED, &condition, request->arena, &request->outcome,
                  &patching->written));
    api_note_written(request, &patching->written);
    return STATUS_OK;
}

void api_patch_committed(struct request *request)
{
    struct patching *patching = request->perform_state;
    api_respond_written(request, patching->draft, &patching->written);
}
