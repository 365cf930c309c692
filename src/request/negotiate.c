/* SPDX-License-Identifier: MIT */
/* What the caller wants to get and says it sends (R4 http: content types, general parameters,
 * Prefer). */
#include "request/request_int.h"

/* A Binary may be asked for in its own media type: the interaction decides then. */
static bool may_be_raw(const struct request *request)
{
    return request->type != RESOURCE_TYPE_NONE &&
           slice_is(resource_type_name(request->service->definitions, request->type), "Binary");
}

static bool find_format(const struct request *request, enum format *ret_format)
{
    const struct parameter *format = request_parameter(request, "_format");
    return format_choose(format != NULL ? format->value : request_header(request, "Accept"),
                         ret_format);
}

static enum status refuse_format(struct request *request)
{
    return request_fail(request, STATUS_NOT_ACCEPTABLE, "",
                        "None of the media types asked for is supported: ask for "
                        "application/fhir+json or application/fhir+xml.");
}

void negotiate_failure(struct request *request)
{
    request->format =
        format_asked(request->query_text, request_header(request, "Accept"), request->arena);
}

static enum status take_summary(struct request *request, struct slice value)
{
    static const struct {
        const char *name;
        enum summary summary;
    } known[] = {{"false", SUMMARY_FALSE},
                 {"true", SUMMARY_TRUE},
                 {"text", SUMMARY_TEXT},
                 {"data", SUMMARY_DATA},
                 {"count", SUMMARY_COUNT}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_is(value, known[i].name)) {
            request->summary = known[i].summary;
            return STATUS_OK;
        }
    }
    return request_fail(request, STATUS_VALUE, "_summary",
                        "_summary is true, text, data, count or false.");
}

/* Each is compared with each member of each resource of a page. */
#define ELEMENTS_MOST 1000

static enum status take_elements(struct request *request, struct slice value)
{
    size_t most = 1;
    for (size_t i = 0; i < value.length; i++) {
        most += value.at[i] == ',';
    }
    if (most > ELEMENTS_MOST) {
        return request_fail(request, STATUS_VALUE, "_elements", "Name at most %d elements.",
                            ELEMENTS_MOST);
    }
    struct slice *elements = arena_array(request->arena, most, sizeof *elements);
    if (elements == NULL) {
        return request_fail(request, STATUS_TOO_COSTLY, "_elements", "The list is too long.");
    }
    size_t count = 0;
    while (value.at != NULL) {
        struct slice element = slice_trim(slice_cut(&value, ','));
        if (element.length > 0) {
            elements[count++] = element;
        }
    }
    request->elements = elements;
    request->element_count = count;
    return STATUS_OK;
}

static enum status take_general_parameters(struct request *request)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        if (slice_is(parameter->name, "_pretty")) {
            request->pretty = slice_is(parameter->value, "true");
        } else if (slice_is(parameter->name, "_summary")) {
            TRY(take_summary(request, parameter->value));
        } else if (slice_is(parameter->name, "_elements")) {
            TRY(take_elements(request, parameter->value));
        }
    }
    return STATUS_OK;
}

static void take_prefer(struct request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (!slice_equals_ignoring_case(request->headers[i].name, SLICE("Prefer"))) {
            continue;
        }
        struct slice rest = request->headers[i].value;
        while (rest.at != NULL) {
            struct slice part = slice_cut(&rest, ',');
            struct slice wish = slice_trim(slice_cut(&part, ';'));
            if (slice_is(wish, "return=minimal")) {
                request->prefer_return = PREFER_MINIMAL;
            } else if (slice_is(wish, "return=representation")) {
                request->prefer_return = PREFER_REPRESENTATION;
            } else if (slice_is(wish, "return=OperationOutcome")) {
                request->prefer_return = PREFER_OUTCOME;
            } else if (slice_is(wish, "handling=lenient")) {
                request->prefer_lenient = true;
            }
        }
    }
}

/* Is the parameter NAME of a media type, when it is given, one of the VALUES (ended by NULL)? */
static bool parameter_is(struct slice type, const char *name, const char *const *values)
{
    (void)slice_cut(&type, ';');
    while (type.at != NULL) {
        struct slice value = slice_cut(&type, ';');
        struct slice given = slice_trim(slice_cut(&value, '='));
        value = slice_trim(value);
        if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"') {
            value = slice_of(value.at + 1, value.length - 2);
        }
        if (!slice_equals_ignoring_case(given, slice_text(name))) {
            continue;
        }
        const char *const *known = values;
        while (*known != NULL && !slice_equals_ignoring_case(value, slice_text(*known))) {
            known++;
        }
        if (*known == NULL) {
            return false;
        }
    }
    return true;
}

/* FHIR is UTF-8, of which ASCII is a part, and a body may say which version of FHIR it is of (R4
 * http, 3.1.0.1.11 and 3.1.0.1.12). */
static enum status check_text(struct request *request, struct slice type)
{
    static const char *const charsets[] = {"utf-8", "utf8", "us-ascii", NULL};
    static const char *const versions[] = {"4.0", "4.0.0", "4.0.1", NULL};
    if (!parameter_is(type, "charset", charsets)) {
        return request_fail(request, STATUS_MEDIA_TYPE, "",
                            "Send text in UTF-8: no other charset is read here.");
    }
    return parameter_is(type, "fhirVersion", versions)
               ? STATUS_OK
               : request_fail(request, STATUS_MEDIA_TYPE, "",
                              "Send FHIR R4 (fhirVersion=4.0): no other version is read here.");
}

/* Is the body read as text, and not kept as the bytes it is? */
static bool reads_text(const struct request *request, struct slice type)
{
    unsigned flags = request->interaction->flags;
    bool raw = (flags & INTERACTION_RAW_BODY) != 0 && request->method != METHOD_PATCH;
    bool fhir = slice_equals_ignoring_case(slice_head(type, 16), SLICE("application/fhir")) ||
                slice_ends(slice_trim(slice_head(type, slice_index(type, ';'))), SLICE("+fhir"));
    return (flags & (INTERACTION_BODY | INTERACTION_RAW_BODY | INTERACTION_PARAMETERS)) != 0 &&
           request->method != METHOD_GET && request->method != METHOD_HEAD && (!raw || fhir);
}

static enum status check_content_type(struct request *request)
{
    struct slice type = request_header(request, "Content-Type");
    if (request->parent != NULL) {
        return STATUS_OK;
    }
    if (reads_text(request, type)) {
        TRY(check_text(request, type));
    }
    if ((request->interaction->flags & INTERACTION_BODY) == 0) {
        return STATUS_OK;
    }
    enum wanted sent = type.length > 0 ? media_type(type) : WANTED_JSON;
    request->body_format = sent == WANTED_XML ? FORMAT_XML : FORMAT_JSON;
    if (sent == WANTED_JSON || sent == WANTED_XML || may_be_raw(request)) {
        return STATUS_OK;
    }
    return request_fail(request, STATUS_MEDIA_TYPE, "",
                        "Send the body as application/fhir+json or application/fhir+xml.");
}

/* A condition that says nothing is not a request without condition: somebody meant one. */
static enum status check_conditions(struct request *request)
{
    static const char *const names[] = {"If-Match", "If-None-Match", "If-None-Exist"};
    for (size_t i = 0; i < request->header_count; i++) {
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            if (request->headers[i].value.length == 0 &&
                slice_equals_ignoring_case(request->headers[i].name, slice_text(names[j]))) {
                return request_fail(request, STATUS_VALUE, "",
                                    "%s is empty: give its condition, or leave the header out.",
                                    names[j]);
            }
        }
    }
    return STATUS_OK;
}

/* Whoever sends a condition that is not heeded believes a change safe that is not. */
static enum status check_heeded(struct request *request)
{
    bool patches = request->method == METHOD_PATCH || request->method == METHOD_DELETE;
    if (patches && request_header(request, "If-None-Match").length > 0) {
        return request_fail(request, STATUS_PRECONDITION, "",
                            "If-None-Match is for reads and for PUT: use If-Match here.");
    }
    if ((request->interaction->flags & INTERACTION_WRITES) != 0 &&
        request_header(request, "If-Match").length == 0 &&
        request_header(request, "If-Unmodified-Since").length > 0) {
        return request_fail(request, STATUS_PRECONDITION, "",
                            "If-Unmodified-Since is not heeded, for a resource may change twice in "
                            "a second: use If-Match with its ETag.");
    }
    return STATUS_OK;
}

/* The form first: what is wrong is told in it. */
enum status negotiate(struct request *request)
{
    bool acceptable = find_format(request, &request->format) || may_be_raw(request);
    TRY(take_general_parameters(request));
    TRY(check_conditions(request));
    TRY(check_heeded(request));
    if (!acceptable && (request->interaction->flags & INTERACTION_ONE_FORM) == 0) {
        return refuse_format(request);
    }
    take_prefer(request);
    return check_content_type(request);
}
