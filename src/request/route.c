/* SPDX-License-Identifier: MIT */
/* Which interaction on which resource? Segments of the path against the table of interactions. */
#include "request/request_int.h"

struct place {
    enum level level;
    struct slice operation; /* empty: none */
};

static enum status no_such_path(struct request *request)
{
    return request_fail(request, STATUS_NOT_FOUND, "",
                        "There is nothing at this path: use [base]/[type], [base]/[type]/[id], "
                        "[base]/[type]/[id]/_history/[version] or an operation that "
                        "[base]/metadata lists.");
}

static enum status take_type(struct request *request, struct slice name)
{
    request->type = resource_type_find(request->service->definitions, name);
    if (request->type == RESOURCE_TYPE_NONE) {
        return request_fail(request, STATUS_NOT_FOUND, "",
                            "The path does not start with a FHIR R4 resource type: names are "
                            "written as in 'Patient', with a capital.");
    }
    return STATUS_OK;
}

static enum status take_id(struct request *request, struct slice id)
{
    if (!resource_id_valid(id)) {
        /* What cannot be there is not found; but a write under it breaks a rule. */
        return request_fail(request,
                            request->method == METHOD_PUT ? STATUS_VALUE : STATUS_NOT_FOUND, "",
                            "The id in the path is not a FHIR id: 1 to 64 of A-Z, a-z, 0-9, "
                            "'-' and '.'.");
    }
    request->id = id;
    return STATUS_OK;
}

/* All types of a compartment (none, or "*") or one of them. */
static enum status take_compartment(struct request *request, struct slice type)
{
    request->compartment = request->type;
    if (type.length == 0 || slice_is(type, "*")) {
        request->type = RESOURCE_TYPE_NONE;
        return STATUS_OK;
    }
    return take_type(request, type);
}

/* What follows an id: /_history[/version], /$operation, or the types of a compartment[/_search]. */
static enum status take_below_instance(struct request *request, const struct slice *parts,
                                       size_t count, struct place *place)
{
    place->level = LEVEL_INSTANCE;
    if (count == 2) {
        return STATUS_OK;
    }
    if (count == 4 && slice_is(parts[2], "_history")) {
        place->level = LEVEL_VERSION;
        request->version = parts[3];
        return STATUS_OK;
    }
    if (count <= 4 && slice_is(parts[count - 1], "_search")) {
        place->operation = parts[count - 1];
        return take_compartment(request, count == 4 ? parts[2] : SLICE(""));
    }
    if (count != 3) {
        return no_such_path(request);
    }
    place->operation = parts[2];
    char first = parts[2].length > 0 ? parts[2].at[0] : '\0';
    if (first == '_' || first == '$') {
        return STATUS_OK;
    }
    place->operation = SLICE("*");
    return parts[2].length > 0 ? take_compartment(request, parts[2]) : no_such_path(request);
}

/* $operation/{id}[/{file}]: a job that the operation began, and what it left. */
static enum status take_job(struct request *request, const struct slice *parts, size_t count,
                            struct place *place)
{
    place->level = count == 2 ? LEVEL_JOB : LEVEL_JOB_FILE;
    place->operation = parts[0];
    request->file = count == 3 ? parts[2] : (struct slice){0};
    return take_id(request, parts[1]);
}

static enum status take_path(struct request *request, struct place *place)
{
    struct slice rest = request->target;
    struct slice parts[5];
    size_t count = 0;
    while (rest.at != NULL && rest.length > 0) {
        if (count == 5) {
            return no_such_path(request);
        }
        parts[count++] = slice_cut(&rest, '/');
    }
    place->level = LEVEL_SYSTEM;
    if (count == 0) {
        return STATUS_OK;
    }
    char first = parts[0].length > 0 ? parts[0].at[0] : '\0';
    if (count == 1 && (first == '$' || first == '_' || slice_is(parts[0], "metadata"))) {
        place->operation = parts[0];
        return STATUS_OK;
    }
    if (first == '$' && count <= 3) {
        return take_job(request, parts, count, place);
    }
    TRY(take_type(request, parts[0]));
    place->level = LEVEL_TYPE;
    if (count == 1) {
        return STATUS_OK;
    }
    first = parts[1].length > 0 ? parts[1].at[0] : '\0';
    if (count == 2 && (first == '_' || first == '$')) {
        place->operation = parts[1];
        return STATUS_OK;
    }
    TRY(take_id(request, parts[1]));
    return take_below_instance(request, parts, count, place);
}

static bool row_fits(const struct interaction *row, const struct request *request,
                     const struct place *place)
{
    if (row->level != place->level) {
        return false;
    }
    if (row->operation == NULL ? place->operation.length != 0
                               : !slice_is(place->operation, row->operation)) {
        return false;
    }
    return row->type == NULL ||
           slice_is(resource_type_name(request->service->definitions, request->type), row->type);
}

/* A 405 names the methods that the path has (RFC 9110, 15.5.6). */
static void allow_methods(struct request *request, const struct place *place)
{
    static const char *const names[] = {"GET, HEAD", NULL, "POST", "PUT", "PATCH", "DELETE"};
    struct buffer allow = {.arena = request->arena};
    bool fits[sizeof names / sizeof names[0]] = {false};
    for (const struct interaction *row = request->service->interactions; row->name != NULL; row++) {
        if (row->method <= METHOD_DELETE && row_fits(row, request, place)) {
            fits[row->method] = true;
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (fits[i]) {
            buffer_add_text(&allow, allow.length > 0 ? ", " : "");
            buffer_add_text(&allow, names[i]);
        }
    }
    request->response.allow = buffer_slice(&allow);
}

/* Rows of one type stand before the general ones, so the first that fits is the right one. */
static enum status find_interaction(struct request *request, const struct place *place)
{
    enum method method = request->method == METHOD_HEAD ? METHOD_GET : request->method;
    bool path_known = false;
    for (const struct interaction *row = request->service->interactions; row->name != NULL; row++) {
        if (row_fits(row, request, place)) {
            path_known = true;
            if (row->method == method) {
                request->interaction = row;
                return STATUS_OK;
            }
        }
    }
    if (path_known) {
        allow_methods(request, place);
        return request_fail(request, STATUS_METHOD, "",
                            "This path is not used with this method: [base]/metadata lists the "
                            "interactions.");
    }
    if (place->operation.length > 0 && place->operation.at[0] == '$') {
        return request_fail(request, STATUS_NOT_SUPPORTED, "",
                            "This operation is not supported here: [base]/metadata lists those "
                            "that are.");
    }
    return no_such_path(request);
}

static enum status take_parameters(struct request *request)
{
    struct parameter *parameters;
    size_t count;
    if (request->query_text.length == 0) {
        return STATUS_OK;
    }
    TRY(parameters_parse(request->query_text, request->arena, &request->outcome, &parameters,
                         &count));
    request->parameters = parameters;
    request->parameter_count = count;
    return STATUS_OK;
}

enum step stage_route(struct request *request)
{
    struct place place = {0};
    enum status status = take_path(request, &place);
    if (status == STATUS_OK) {
        status = find_interaction(request, &place);
    }
    if (status == STATUS_OK) {
        status = take_parameters(request);
    }
    if (status == STATUS_OK) {
        status = negotiate(request);
    } else {
        negotiate_failure(request);
    }
    request->status = status;
    return STEP_NEXT;
}
