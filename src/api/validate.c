/* SPDX-License-Identifier: MIT */
/* $validate (R4, operation Resource-validate): would the resource be accepted? The answer is 200
 * with an OperationOutcome either way; nothing is stored. */
#include "validate/validate.h"
#include "api/api_int.h"

static const struct operation_parameter table[] = {
    {"resource", "Resource", .max = 1},
    {"mode", "code", .max = 1},
    {"profile", "uri", .max = 1},
    {0},
};

struct asked {
    yyjson_val *resource;
    struct slice mode, profile;
};

static bool brings_resource(yyjson_val *parameters)
{
    size_t index, count;
    yyjson_val *parameter;
    yyjson_arr_foreach(json_get(parameters, "parameter"), index, count, parameter)
    {
        if (slice_is(json_get_string(parameter, "name"), "resource") &&
            json_get(parameter, "resource") != NULL) {
            return true;
        }
    }
    return false;
}

/* The body is the resource itself or Parameters with it as parameter "resource". */
static enum status read_question(struct request *request, struct asked *ret_asked)
{
    yyjson_val *root = request->json.root;
    bool plain =
        request->type == RESOURCE_TYPE_NONE ||
        slice_is(resource_type_name(request->service->definitions, request->type), "Parameters");
    bool wrapped = slice_is(json_get_string(root, "resourceType"), "Parameters") &&
                   (!plain || brings_resource(root));
    struct terms_parameter *parameters;
    size_t count;
    TRY(operation_parameters(request, table, wrapped ? root : NULL, NULL, &parameters, &count));
    *ret_asked = (struct asked){.resource = wrapped ? NULL : root};
    for (size_t i = 0; i < count; i++) {
        if (parameters[i].resource != NULL) {
            ret_asked->resource = parameters[i].resource;
        } else if (slice_is(parameters[i].name, "mode")) {
            ret_asked->mode = parameters[i].text;
        } else {
            ret_asked->profile = parameters[i].text;
        }
    }
    struct slice mode = ret_asked->mode;
    if (mode.length > 0 && !slice_is(mode, "create") && !slice_is(mode, "update")) {
        return request_fail(request, STATUS_PARAMETER, "mode",
                            "Only mode create and update are supported: would this be stored?");
    }
    return STATUS_OK;
}

enum status api_validate_perform(struct request *request)
{
    struct asked asked;
    TRY(read_question(request, &asked));
    yyjson_val *resource = asked.resource;
    struct slice profile = asked.profile;
    if (resource == NULL) {
        return request_fail(request, STATUS_REQUIRED, "Parameters.parameter",
                            "Send the resource as the body, or as parameter 'resource'.");
    }
    struct validate_options options;
    TRY(service_validate_options(request->service, &options));
    options.type = request->type;
    options.id = request->id;
    options.id_required = request->id.length > 0 && !slice_is(asked.mode, "create");
    options.strict = true;
    options.must_support = true;
    options.profiles = &profile;
    options.profile_count = profile.length > 0;
    if (profile.length > 0 && request->service->validator == NULL) {
        return request_fail(request, STATUS_NOT_SUPPORTED, "profile",
                            "This server checks structure only (validate = structure): leave the "
                            "profile out.");
    }
    resource_type type;
    struct outcome outcome = request->outcome; /* reading XML may have found something already */
    enum status status = validate_resource(&options, &request->json, resource, (struct slice){0},
                                           request->arena, &outcome, &type);
    if (status_http(status) >= 500) {
        return status;
    }
    outcome_write_json(&outcome, &request->response.body);
    return STATUS_OK;
}
