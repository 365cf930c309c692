/* SPDX-License-Identifier: MIT */
/* The capability statement, generated from the tables that the program runs on. */
#include "api/api_int.h"

enum status api_capability_perform(struct request *request)
{
    struct response *response = &request->response;
    const struct parameter *mode = request_parameter(request, "mode");
    if (mode != NULL && slice_is(mode->value, "terminology") && request->service->terms != NULL) {
        return api_terms_capabilities(request);
    }
    buffer_add(&response->body, request->service->capability);
    return STATUS_OK;
}

static bool applies(const struct interaction *row, struct slice type)
{
    return row->type == NULL || slice_is(type, row->type);
}

static bool is_operation(const struct interaction *row)
{
    return row->name[0] == '$';
}

/* The codes of R4's value sets type-restful-interaction and system-restful-interaction. */
static bool has_code(const struct interaction *row, bool system)
{
    static const char *const type_codes[] = {
        "read",         "vread",  "update",      "patch", "delete", "history-instance",
        "history-type", "create", "search-type", NULL};
    static const char *const system_codes[] = {"transaction", "batch", "search-system",
                                               "history-system", NULL};
    for (const char *const *code = system ? system_codes : type_codes; *code != NULL; code++) {
        if (strcmp(*code, row->name) == 0) {
            return true;
        }
    }
    return false;
}

/* A name stands once, whatever the number of its rows. */
static bool first_of_name(const struct interaction *row, struct slice type)
{
    for (const struct interaction *before = api_interactions; before < row; before++) {
        if (strcmp(before->name, row->name) == 0 && applies(before, type)) {
            return false;
        }
    }
    return true;
}

static void write_interactions(struct slice type, bool system, struct buffer *out)
{
    size_t count = 0;
    buffer_add_text(out, "\"interaction\":[");
    for (const struct interaction *row = api_interactions; row->name != NULL; row++) {
        if (!has_code(row, system) || !applies(row, type) || !first_of_name(row, type)) {
            continue;
        }
        buffer_print(out, "%s{\"code\":\"%s\",\"documentation\":", count++ > 0 ? "," : "",
                     row->name);
        buffer_add_json_string(out, slice_text(row->documentation));
        buffer_add_byte(out, '}');
        if (strcmp(row->name, "transaction") == 0) {
            buffer_add_text(out, ",{\"code\":\"batch\"}");
        }
    }
    buffer_add_byte(out, ']');
}

static void write_operations(struct slice type, bool system, struct buffer *out)
{
    size_t count = 0;
    for (const struct interaction *row = api_interactions; row->name != NULL; row++) {
        bool here = system ? row->level == LEVEL_SYSTEM
                           : row->level == LEVEL_TYPE || row->level == LEVEL_INSTANCE;
        if (!is_operation(row) || !here || !applies(row, type) ||
            (!system && !first_of_name(row, type) && row->level == LEVEL_INSTANCE)) {
            continue;
        }
        const char *name = row->name + 1;
        bool patient = row->type != NULL;
        buffer_print(
            out,
            "%s{\"name\":\"%s\",\"definition\":\"http://hl7.org/fhir/OperationDefinition/%s-%s\"",
            count++ > 0 ? "," : ",\"operation\":[", name, patient ? row->type : "Resource", name);
        buffer_add_text(out, ",\"documentation\":");
        buffer_add_json_string(out, slice_text(row->documentation));
        buffer_add_byte(out, '}');
    }
    if (count > 0) {
        buffer_add_byte(out, ']');
    }
}

static const char *kind_code(enum search_kind kind)
{
    static const char *const codes[] = {
        [SEARCH_NUMBER] = "number",       [SEARCH_DATE] = "date",
        [SEARCH_STRING] = "string",       [SEARCH_TOKEN] = "token",
        [SEARCH_REFERENCE] = "reference", [SEARCH_COMPOSITE] = "composite",
        [SEARCH_QUANTITY] = "quantity",   [SEARCH_URI] = "uri",
        [SEARCH_SPECIAL] = "special"};
    return codes[kind];
}

/* Only what a search really answers: composites wait for the full search. */
static bool is_searchable(const struct search_parameter *parameter)
{
    bool by_id_or_date =
        slice_is(parameter->code, "_id") || slice_is(parameter->code, "_lastUpdated");
    return by_id_or_date ||
           (parameter->expression.length > 0 && parameter->kind != SEARCH_COMPOSITE &&
            parameter->kind != SEARCH_SPECIAL);
}

static void write_search(const struct definitions *definitions, resource_type type,
                         struct buffer *out)
{
    size_t count;
    size_t written = 0;
    const struct search_parameter *all = search_parameters(definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        if (!is_searchable(&all[i])) {
            continue;
        }
        buffer_add_text(out, written++ > 0 ? ",{\"name\":" : ",\"searchParam\":[{\"name\":");
        buffer_add_json_string(out, all[i].code);
        if (all[i].url.length > 0) {
            buffer_add_text(out, ",\"definition\":");
            buffer_add_json_string(out, all[i].url);
        }
        buffer_print(out, ",\"type\":\"%s\"}", kind_code(all[i].kind));
    }
    if (written > 0) {
        buffer_add_byte(out, ']');
    }
}

static void write_resource(const struct service *service, resource_type type, struct buffer *out)
{
    struct slice name = resource_type_name(service->definitions, type);
    buffer_print(out,
                 "{\"type\":\"%.*s\",\"profile\":\"http://hl7.org/fhir/StructureDefinition/%.*s\",",
                 SLICE_ARGS(name), SLICE_ARGS(name));
    write_interactions(name, false, out);
    buffer_print(out,
                 ",\"versioning\":\"versioned\",\"readHistory\":true,\"updateCreate\":true,"
                 "\"conditionalCreate\":true,\"conditionalRead\":\"full-support\","
                 "\"conditionalUpdate\":true,\"conditionalDelete\":\"single\","
                 "\"referencePolicy\":[\"literal\",\"logical\"%s]",
                 service->config->integrity ? ",\"enforced\"" : "");
    write_search(service->definitions, type, out);
    write_operations(name, false, out);
    buffer_add_byte(out, '}');
}

enum status api_capability_make(const struct service *service, struct arena *arena,
                                struct slice *ret_json)
{
    struct buffer out = {.arena = arena};
    char now[INSTANT_LENGTH + 1];
    instant_write(service->started, now);
    buffer_print(
        &out,
        "{\"resourceType\":\"CapabilityStatement\",\"status\":\"active\",\"date\":\"%s\","
        "\"kind\":\"instance\",\"software\":{\"name\":\"carelayer\",\"version\":\"%s\"},"
        "\"implementation\":{\"description\":\"carelayer: a data layer for health and "
        "social care\"},\"fhirVersion\":\"4.0.1\",\"format\":[\"json\",\"xml\","
        "\"application/fhir+json\",\"application/"
        "fhir+xml\"],\"patchFormat\":[\"application/json-patch+json\",\"application/fhir+json\","
        "\"application/fhir+xml\"],"
        "\"rest\":[{\"mode\":\"server\",\"documentation\":\"Rules are off: the server "
        "answers on a loopback address only, and logs every access.\",\"resource\":[",
        now, CARELAYER_VERSION);
    for (resource_type type = 1; type <= resource_type_count(service->definitions); type++) {
        if (type > 1) {
            buffer_add_byte(&out, ',');
        }
        write_resource(service, type, &out);
    }
    buffer_add_text(&out, "],");
    write_interactions((struct slice){0}, true, &out);
    write_operations((struct slice){0}, true, &out);
    buffer_add_text(&out, "}]}");
    *ret_json = buffer_slice(&out);
    return buffer_ok(&out) ? STATUS_OK : STATUS_MEMORY;
}
