/* SPDX-License-Identifier: MIT */
/* $validate (R4, operation Resource-validate): would the resource be accepted? The answer is 200
 * with an OperationOutcome either way; nothing is stored. */
#include "validate/validate.h"
#include "api/api_int.h"

/* The body is the resource itself or Parameters with it as parameter "resource". */
static yyjson_val *find_resource(struct request *request, struct slice *ret_mode)
{
    yyjson_val *root = request->json.root;
    *ret_mode = (struct slice){0};
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
        }
    }
    bool plain =
        request->type == RESOURCE_TYPE_NONE ||
        slice_is(resource_type_name(request->service->definitions, request->type), "Parameters");
    return resource != NULL || !plain ? resource : root;
}

enum status api_validate_perform(struct request *request)
{
    struct slice mode;
    yyjson_val *resource = find_resource(request, &mode);
    const struct parameter *profile = request_parameter(request, "profile");
    if (profile != NULL) {
        return request_fail(request, STATUS_NOT_SUPPORTED, "profile",
                            "Validation against a profile is not supported: leave it out to have "
                            "the base specification checked.");
    }
    if (resource == NULL) {
        return request_fail(request, STATUS_REQUIRED, "Parameters.parameter",
                            "Send the resource as the body, or as parameter 'resource'.");
    }
    struct validate_options options = {
        .definitions = request->service->definitions,
        .rules = request->service->rules,
        .refuse_test_numbers = !request->service->config->test_numbers,
        .type = request->type,
        .id = request->id,
        .id_required = request->id.length > 0 && !slice_is(mode, "create")};
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
