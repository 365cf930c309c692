/* SPDX-License-Identifier: MIT */
/* $validate (R4, operation Resource-validate): would the resource be accepted? The answer is 200
 * with an OperationOutcome either way; nothing is stored. */
#include "validate/validate.h"
#include "api/api_int.h"

/* The body is the resource itself or Parameters with it as parameter "resource". */
static yyjson_val *find_resource(struct request *request, struct slice *ret_mode,
                                 struct slice *ret_profile)
{
    yyjson_val *root = request->json.root;
    *ret_mode = (struct slice){0};
    *ret_profile = (struct slice){0};
    if (!slice_is(json_get_string(root, "resourceType"), "Parameters")) {
        return root;
    }
    yyjson_val *parameters = json_get(root, "parameter");
    yyjson_val *resource = NULL;
    size_t index, count;
    yyjson_val *parameter;
    yyjson_arr_foreach(parameters, index, count, parameter)
    {
        struct slice name = json_get_string(parameter, "name");
        if (slice_is(name, "resource")) {
            resource = json_get(parameter, "resource");
        } else if (slice_is(name, "mode")) {
            *ret_mode = json_get_string(parameter, "valueCode");
        } else if (slice_is(name, "profile")) {
            *ret_profile = json_get_string(parameter, "valueUri");
        }
    }
    bool plain =
        request->type == RESOURCE_TYPE_NONE ||
        slice_is(resource_type_name(request->service->definitions, request->type), "Parameters");
    return resource != NULL || !plain ? resource : root;
}

enum status api_validate_perform(struct request *request)
{
    struct slice mode, profile;
    yyjson_val *resource = find_resource(request, &mode, &profile);
    const struct parameter *asked = request_parameter(request, "profile");
    if (asked != NULL) {
        profile = asked->value;
    }
    if (resource == NULL) {
        return request_fail(request, STATUS_REQUIRED, "Parameters.parameter",
                            "Send the resource as the body, or as parameter 'resource'.");
    }
    struct validate_options options;
    TRY(service_validate_options(request->service, &options));
    options.type = request->type;
    options.id = request->id;
    options.id_required = request->id.length > 0 && !slice_is(mode, "create");
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
