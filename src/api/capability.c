/* SPDX-License-Identifier: MIT */
/* The capability statement, generated from the tables that the program runs on. */
#include <pthread.h>

#include "api/api_int.h"

struct api_capability {
    pthread_mutex_t lock;
    struct arena *arena, *texts; /* its own; the statement's */
    struct slice text;
    uint64_t turn; /* of the search parameters in it */
};

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

/* An operation with a definition of its own stands once, whatever its methods. */
static bool is_said(const struct interaction *row)
{
    for (const struct interaction *before = api_interactions; before < row; before++) {
        if (row->definition != NULL && before->definition != NULL &&
            strcmp(before->definition, row->definition) == 0) {
            return true;
        }
    }
    return false;
}

static void write_operations(struct slice type, bool system, struct buffer *out)
{
    size_t count = 0;
    for (const struct interaction *row = api_interactions; row->name != NULL; row++) {
        bool here = system ? row->level == LEVEL_SYSTEM
                           : row->level == LEVEL_TYPE || row->level == LEVEL_INSTANCE;
        if (!is_operation(row) || !here || !applies(row, type) ||
            (!system && row->definition == NULL && !first_of_name(row, type) &&
             row->level == LEVEL_INSTANCE) ||
            is_said(row)) {
            continue;
        }
        const char *name = row->name + 1;
        bool patient = row->type != NULL;
        buffer_print(out, "%s{\"name\":\"%s\",\"definition\":\"",
                     count++ > 0 ? "," : ",\"operation\":[", name);
        if (row->definition != NULL) {
            buffer_print(out, "%s\"", row->definition);
        } else {
            buffer_print(out, "http://hl7.org/fhir/OperationDefinition/%s-%s\"",
                         patient ? row->type : "Resource", name);
        }
        buffer_add_text(out, ",\"documentation\":");
        buffer_add_json_string(out, slice_text(row->documentation));
        buffer_add_byte(out, '}');
    }
    if (count > 0) {
        buffer_add_byte(out, ']');
    }
}

static void write_parameter(struct slice name, struct slice url, enum search_kind kind,
                            const char *documentation, size_t number, struct buffer *out)
{
    buffer_add_text(out, number > 0 ? ",{\"name\":" : ",\"searchParam\":[{\"name\":");
    buffer_add_json_string(out, name);
    if (url.length > 0) {
        buffer_add_text(out, ",\"definition\":");
        buffer_add_json_string(out, url);
    }
    buffer_print(out, ",\"type\":\"%s\"", search_kind_name(kind));
    if (documentation != NULL) {
        buffer_add_text(out, ",\"documentation\":");
        buffer_add_json_string(out, slice_text(documentation));
    }
    buffer_add_byte(out, '}');
}

/* Those that are no SearchParameter of the type: `_has` and `_list`. */
static size_t write_extras(size_t written, bool system, struct buffer *out)
{
    size_t count;
    const struct search_extra *extras = search_extras(&count);
    for (size_t i = 0; i < count; i++) {
        if (system || !extras[i].system_only) {
            write_parameter(slice_text(extras[i].name), (struct slice){0}, extras[i].kind,
                            extras[i].meaning, written++, out);
        }
    }
    return written;
}

static void write_search(const struct definitions *definitions, resource_type type,
                         struct buffer *out)
{
    size_t count;
    size_t written = 0;
    const struct search_parameter *all = search_parameters(definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        if (search_parameter_answered(&all[i])) {
            write_parameter(all[i].code, all[i].url, all[i].kind, NULL, written++, out);
        }
    }
    (void)write_extras(written, false, out);
    buffer_add_byte(out, ']');
}

/* What every type has may be asked of all of them at once. */
static void write_system_search(const struct definitions *definitions, struct buffer *out)
{
    size_t count, written = 0;
    const struct search_parameter *all = search_parameters(definitions, 1, &count);
    for (size_t i = 0; i < count; i++) {
        bool common = search_parameter_answered(&all[i]);
        for (resource_type type = 2; common && type <= resource_type_count(definitions); type++) {
            const struct search_parameter *other =
                search_parameter_find(definitions, type, all[i].code);
            common = other != NULL && other->kind == all[i].kind;
        }
        if (common) {
            write_parameter(all[i].code, all[i].url, all[i].kind, NULL, written++, out);
        }
    }
    (void)write_extras(written, true, out);
    buffer_add_byte(out, ']');
}

/* One of searchInclude and searchRevInclude: "Type:parameter". */
static void write_include(struct slice type, struct slice code, const char *member, size_t number,
                          struct buffer *out)
{
    if (number == 0) {
        buffer_print(out, ",\"%s\":[\"*\"", member);
    }
    buffer_print(out, ",\"%.*s:%.*s\"", SLICE_ARGS(type), SLICE_ARGS(code));
}

static bool is_followed(const struct search_parameter *parameter)
{
    return parameter->kind == SEARCH_REFERENCE && search_parameter_answered(parameter);
}

static void write_includes(const struct definitions *definitions, resource_type type,
                           struct buffer *out)
{
    size_t count, written = 0;
    const struct search_parameter *all = search_parameters(definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        if (is_followed(&all[i])) {
            write_include(resource_type_name(definitions, type), all[i].code, "searchInclude",
                          written++, out);
        }
    }
    buffer_add_text(out, written > 0 ? "]" : "");
}

static void write_reverse_includes(const struct definitions *definitions, resource_type type,
                                   struct buffer *out)
{
    size_t count, written = 0;
    for (resource_type from = 1; from <= resource_type_count(definitions); from++) {
        const struct search_parameter *all = search_parameters(definitions, from, &count);
        for (size_t i = 0; i < count; i++) {
            if (is_followed(&all[i]) && search_parameter_targets(&all[i], type)) {
                write_include(resource_type_name(definitions, from), all[i].code,
                              "searchRevInclude", written++, out);
            }
        }
    }
    buffer_add_text(out, written > 0 ? "]" : "");
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
    write_includes(service->definitions, type, out);
    write_reverse_includes(service->definitions, type, out);
    write_search(service->definitions, type, out);
    write_operations(name, false, out);
    buffer_add_byte(out, '}');
}

static enum status make(const struct service *service, struct arena *arena, struct slice *ret_json)
{
    struct buffer out = {.arena = arena};
    char now[INSTANT_LENGTH + 1];
    instant_write(service->started, now);
    buffer_print(
        &out,
        "{\"resourceType\":\"CapabilityStatement\",\"status\":\"active\",\"date\":\"%s\","
        "\"kind\":\"instance\",\"instantiates\":[\"http://hl7.org/fhir/uv/bulkdata/"
        "CapabilityStatement/bulk-data\"],\"software\":{\"name\":\"carelayer\",\"version\":\"%s\"},"
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
    write_system_search(service->definitions, &out);
    write_operations((struct slice){0}, true, &out);
    buffer_add_text(&out, "}]}");
    *ret_json = buffer_slice(&out);
    return buffer_ok(&out) ? STATUS_OK : STATUS_MEMORY;
}

/* ---- kept until the search parameters change ----------------------------------------------------
 */

/* Under the lock, but at the opening. */
static enum status renew(const struct service *service)
{
    struct api_capability *capability = service->capability;
    uint64_t turn = store_parameters_turn(service->store);
    if (capability->text.length > 0 && capability->turn == turn) {
        return STATUS_OK;
    }
    arena_reset(capability->texts, 0);
    capability->text = (struct slice){0};
    TRY(make(service, capability->texts, &capability->text));
    capability->turn = turn;
    return STATUS_OK;
}

enum status api_capability_perform(struct request *request)
{
    struct api_capability *capability = request->service->capability;
    const struct parameter *mode = request_parameter(request, "mode");
    if (mode != NULL && slice_is(mode->value, "terminology") && request->service->terms != NULL) {
        return api_terms_capabilities(request);
    }
    (void)pthread_mutex_lock(&capability->lock);
    enum status status = renew(request->service);
    buffer_add(&request->response.body, capability->text);
    (void)pthread_mutex_unlock(&capability->lock);
    return status;
}

enum status api_capability_open(struct service *service)
{
    struct arena *arena = arena_create(0), *texts = arena_create(0);
    struct api_capability *capability =
        arena != NULL && texts != NULL ? ARENA_NEW(arena, struct api_capability) : NULL;
    if (capability == NULL || pthread_mutex_init(&capability->lock, NULL) != 0) {
        arena_destroy(texts);
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    capability->arena = arena;
    capability->texts = texts;
    service->capability = capability;
    return renew(service);
}

void api_capability_close(struct service *service)
{
    struct api_capability *capability = service->capability;
    if (capability != NULL) {
        (void)pthread_mutex_destroy(&capability->lock);
        arena_destroy(capability->texts);
        arena_destroy(capability->arena);
        service->capability = NULL;
    }
}
