/* SPDX-License-Identifier: MIT */
/* The operations of the terminology service (R4 terminology-service.html), and its
 * TerminologyCapabilities. Nobody's record is touched. */
#include "api/api_int.h"

static const struct {
    const char *type, *operation;
    enum terms_operation answer;
} operations[] = {
    {"ValueSet", "$expand", TERMS_EXPAND},
    {"ValueSet", "$validate-code", TERMS_VALIDATE_SET},
    {"ValueSet", "$batch-validate-code", TERMS_VALIDATE_SET_BATCH},
    {"CodeSystem", "$validate-code", TERMS_VALIDATE_SYSTEM},
    {"CodeSystem", "$batch-validate-code", TERMS_VALIDATE_SYSTEM_BATCH},
    {"CodeSystem", "$lookup", TERMS_LOOKUP},
    {"CodeSystem", "$subsumes", TERMS_SUBSUMES_CODE},
    {"ConceptMap", "$translate", TERMS_TRANSLATE},
};

static enum terms_operation operation_of(const struct interaction *row)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].type, row->type) == 0 &&
            strcmp(operations[i].operation, row->operation) == 0) {
            return operations[i].answer;
        }
    }
    return TERMS_EXPAND;
}

/* A parameter of a URL is bare text; a body is Parameters, or the resource asked about. */
static enum status read_parameters(struct request *request, struct terms_question *question)
{
    struct terms_parameter *body = NULL, *all;
    size_t body_count = 0, count = 0;
    yyjson_val *root = request->method == METHOD_POST ? request->json.root : NULL;
    struct slice type = json_get_string(root, "resourceType");
    if (slice_is(type, "Parameters")) {
        TRY(terms_parameters_read(root, request->arena, &body, &body_count));
    } else if (slice_is(type, request->interaction->type)) {
        question->instance = root;
    } else if (root != NULL) {
        return request_fail(request, STATUS_STRUCTURE, "resourceType",
                            "Send the parameters of the operation as a Parameters resource.");
    }
    all = arena_array(request->arena, body_count + request->parameter_count + 1, sizeof *all);
    if (all == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        all[count++] = (struct terms_parameter){.name = request->parameters[i].name,
                                                .text = request->parameters[i].value};
    }
    for (size_t i = 0; i < body_count; i++) {
        all[count++] = body[i];
    }
    question->parameters = all;
    question->count = count;
    return STATUS_OK;
}

/* [type]/[id]/$operation asks about the stored resource. */
static enum status read_instance(struct request *request, struct terms_question *question)
{
    struct store_tx *tx;
    struct store_version version;
    struct json json;
    if (request->id.length == 0) {
        return STATUS_OK;
    }
    TRY(request_snapshot(request, &tx));
    TRY(api_find_version(request, tx, &version));
    TRY(json_read(version.body, &json_limits_default, request->arena, &request->outcome, &json));
    question->instance = json.root;
    return STATUS_OK;
}

enum status api_terms_perform(struct request *request)
{
    struct terms_question question = {.operation = operation_of(request->interaction),
                                      .language = request_header(request, "Accept-Language")};
    if (request->service->terms == NULL) {
        return request_fail(request, STATUS_NOT_SUPPORTED, "",
                            "This service has no terminology: ask the server.");
    }
    TRY(api_stored_ready(request));
    TRY(read_parameters(request, &question));
    TRY(read_instance(request, &question));
    arena_raise(request->arena, API_TERMS_BYTES);
    return terms_answer(request->service->terms, &question, request->arena, &request->response.body,
                        &request->response.http);
}

/* ---- TerminologyCapabilities ------------------------------------------------------------------
 */

static void write_expansion(struct buffer *out)
{
    static const struct {
        const char *name, *documentation;
    } parameters[] = {
        {"url", "The canonical of the value set"},
        {"valueSet", "The value set itself"},
        {"valueSetVersion", "Its version"},
        {"filter", "Words that the display or code has"},
        {"offset", "Where the page begins"},
        {"count", "How many concepts the page has; without it at most 1,000 are given"},
        {"includeDesignations", "Designations are given"},
        {"designation", "Only these, as system|code"},
        {"includeDefinition", "The definition is given too"},
        {"activeOnly", "Inactive concepts are left out"},
        {"excludeNested", "A flat list"},
        {"displayLanguage", "Languages of the displays, in order"},
        {"property", "Properties that are given"},
        {"useSupplement", "Supplements that add to code systems"},
        {"system-version", "The version where the value set names none, as system|version"},
        {"check-system-version", "Any other version is an error"},
        {"force-system-version", "The version whatever the value set says"},
        {"default-valueset-version", "The version of imports without one"},
        {"tx-resource", "A resource that is known for this question alone"},
    };
    buffer_add_text(out,
                    "\"expansion\":{\"hierarchical\":true,\"paging\":true,\"incomplete\":false,"
                    "\"parameter\":[");
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        buffer_print(out, "%s{\"name\":\"%s\",\"documentation\":\"%s\"}", i > 0 ? "," : "",
                     parameters[i].name, parameters[i].documentation);
    }
    buffer_add_text(out, "],\"textFilter\":\"Every word of the filter, in any case, is in the "
                         "display or in the code.\"},\"codeSearch\":\"all\",\"validateCode\":{"
                         "\"translations\":true},\"translation\":{\"needsMap\":true}");
}

enum status api_terms_capabilities(struct request *request)
{
    struct buffer *out = &request->response.body;
    char now[INSTANT_LENGTH + 1];
    TRY(api_stored_ready(request));
    instant_write(request->service->started, now);
    buffer_print(out,
                 "{\"resourceType\":\"TerminologyCapabilities\",\"status\":\"active\",\"date\":"
                 "\"%s\",\"kind\":\"instance\",\"software\":{\"name\":\"carelayer\",\"version\":"
                 "\"%s\"},\"implementation\":{\"description\":\"carelayer: a data layer for health "
                 "and social care\"},\"codeSystem\":[",
                 now, CARELAYER_VERSION);
    TRY(terms_write_systems(request->service->terms, request->arena, out));
    buffer_add_text(out, "],");
    write_expansion(out);
    buffer_add_byte(out, '}');
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
