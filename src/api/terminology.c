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
    static const struct {
        const char *type, *word; /* as the tables have it */
    } subjects[] = {{"ValueSet", "set"}, {"CodeSystem", "system"}, {"ConceptMap", "map"}};
    yyjson_val *root = request->method == METHOD_POST ? request->json.root : NULL;
    struct slice type = json_get_string(root, "resourceType");
    struct terms_parameter *parameters;
    const char *given = NULL;
    bool whole = slice_is(type, request->interaction->type);
    if (whole && request->id.length == 0) {
        question->instance = root;
    }
    for (size_t i = 0; whole || request->id.length > 0; i++) {
        if (strcmp(subjects[i].type, request->interaction->type) == 0) {
            given = subjects[i].word;
            break;
        }
    }
    TRY(operation_parameters(request, api_terms_parameters(request->interaction),
                             whole ? NULL : root, given, &parameters, &question->count));
    question->parameters = parameters;
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
    arena_raise(request->arena,
                API_TERMS_BYTES + ARENA_REQUEST_FACTOR * (size_t)version.body.length);
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
    arena_raise(request->arena, API_TERMS_BYTES);
    TRY(read_instance(request, &question));
    return terms_answer(request->service->terms, &question, request->arena, &request->response.body,
                        &request->response.http);
}

static bool asks_for_codes(struct slice modifier)
{
    static const char *const names[] = {"in", "not-in", "below", "above"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        /* Of a chain the modifier stands at its end: "Patient.code:in". */
        if (slice_ends(modifier, slice_text(names[i]))) {
            return true;
        }
    }
    return false;
}

enum status api_search_terms(struct request *request, const struct parameter *parameters,
                             size_t count)
{
    for (size_t i = 0; request->service->terms != NULL && i < count; i++) {
        if (asks_for_codes(parameters[i].modifier)) {
            arena_raise(request->arena, API_TERMS_BYTES);
            return api_stored_ready(request);
        }
    }
    return STATUS_OK;
}

/* ---- TerminologyCapabilities ------------------------------------------------------------------
 */

static void write_expansion(struct buffer *out)
{
    static const struct interaction expand = {.type = "ValueSet", .operation = "$expand"};
    const struct operation_parameter *row = api_terms_parameters(&expand);
    buffer_add_text(out,
                    "\"expansion\":{\"hierarchical\":true,\"paging\":true,\"incomplete\":false,"
                    "\"parameter\":[");
    for (bool first = true; row->name != NULL; row++, first = false) {
        buffer_print(out, "%s{\"name\":\"%s\",\"documentation\":\"%s\"}", first ? "" : ",",
                     row->name, row->documentation);
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
