/* SPDX-License-Identifier: MIT */
/* The parameters of $export (Bulk Data 2, "Query Parameters"). Values that are lists may be given
 * in one parameter with commas, in several, or both. */
#include "api/export_int.h"

struct asking {
    struct request *request;
    struct bulk_ask *ask;
    struct slice *patients, *elements, *notes;
    resource_type *types;
    struct bulk_filter *filters;
    size_t patient_capacity, element_capacity, note_capacity, type_capacity, filter_capacity;
    bool typed; /* _type was given, whatever is left of it */
};

/* One more of COUNT; NULL: no memory. */
static void *room_for(struct asking *asking, void *items, size_t count, size_t *capacity,
                      size_t size)
{
    if (count < *capacity) {
        return items;
    }
    size_t more = *capacity * 2 + 16;
    void *larger = arena_resize(asking->request->arena, items, *capacity * size, more * size);
    *capacity = larger != NULL ? more : *capacity;
    return larger;
}

static enum status add_slice(struct asking *asking, struct slice **items, size_t *count,
                             size_t *capacity, struct slice item)
{
    struct slice *larger = room_for(asking, *items, *count, capacity, sizeof item);
    if (larger == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *items = larger;
    larger[(*count)++] = item;
    return STATUS_OK;
}

/* A name from outside, as far as it looks like one. */
static struct slice shown(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        if (!plain || i >= 40) {
            return SLICE("of this name");
        }
    }
    return name;
}

static enum status add_note(struct asking *asking, const char *note)
{
    return add_slice(asking, &asking->notes, &asking->ask->note_count, &asking->note_capacity,
                     slice_text(note));
}

/* Refused, or with lenient handling left out and told in the files. */
static enum status leave_out(struct asking *asking, struct slice name, const char *why)
{
    struct request *request = asking->request;
    struct slice safe = shown(name);
    if (!request->prefer_lenient) {
        return request_fail(request, STATUS_PARAMETER, "", "Parameter %.*s of $export: %s",
                            SLICE_ARGS(safe), why);
    }
    return add_note(asking,
                    arena_print(request->arena, "Parameter %.*s of $export was left out: %s",
                                SLICE_ARGS(safe), why));
}

/* ---- one function a parameter -------------------------------------------------------------------
 */

static enum status take_format(struct asking *asking, struct slice value)
{
    static const char *const known[] = {"application/fhir+ndjson", "application/fhir ndjson",
                                        "application/ndjson", "ndjson"};
    struct slice name = slice_trim(slice_head(value, slice_index(value, ';')));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_equals_ignoring_case(name, slice_text(known[i]))) {
            return STATUS_OK;
        }
    }
    return request_fail(asking->request, STATUS_VALUE, "_outputFormat",
                        "Files are written as application/fhir+ndjson only.");
}

static enum status take_since(struct asking *asking, struct slice value)
{
    struct partial_date date;
    int64_t low, high;
    if (asking->ask->has_since || !date_parse(value, DATE_FORM_INSTANT, &date)) {
        return request_fail(asking->request, STATUS_VALUE, "_since",
                            "_since is one instant with seconds and zone, such as "
                            "2026-01-31T09:30:00Z; in a URL + is written %%2B.");
    }
    date_range(&date, &low, &high);
    asking->ask->has_since = true;
    asking->ask->since = low > 0 ? low : 0;
    return STATUS_OK;
}

static enum status take_type(struct asking *asking, struct slice name)
{
    struct request *request = asking->request;
    const struct definitions *definitions = request->service->definitions;
    resource_type type = resource_type_find(definitions, name);
    asking->typed = true;
    if (type == RESOURCE_TYPE_NONE) {
        return leave_out(asking, SLICE("_type"), "it names what is no resource type of FHIR R4.");
    }
    if (asking->ask->level != BULK_SYSTEM && resource_type_is_shared(definitions, type)) {
        const char *why = arena_print(request->arena,
                                      "%.*s is in no patient's compartment: ask "
                                      "for it with [base]/$export.",
                                      SLICE_ARGS(name));
        return leave_out(asking, SLICE("_type"), why);
    }
    if (asking->ask->level != BULK_SYSTEM && slice_is(name, "Binary")) {
        return leave_out(
            asking, SLICE("_type"),
            "a Binary that is somebody's leaves as a DocumentReference: ask for that.");
    }
    resource_type *larger = room_for(asking, asking->types, asking->ask->type_count,
                                     &asking->type_capacity, sizeof *larger);
    if (larger == NULL) {
        return STATUS_TOO_COSTLY;
    }
    asking->types = larger;
    larger[asking->ask->type_count++] = type;
    return STATUS_OK;
}

static enum status take_types(struct asking *asking, struct slice value)
{
    do {
        TRY(take_type(asking, slice_trim(slice_cut(&value, ','))));
    } while (value.at != NULL);
    return STATUS_OK;
}

static enum status take_elements(struct asking *asking, struct slice value)
{
    struct request *request = asking->request;
    do {
        struct slice element = slice_trim(slice_cut(&value, ','));
        struct slice rest = element;
        struct slice first = slice_cut(&rest, '.');
        bool typed = rest.at != NULL;
        bool known = !typed ||
                     resource_type_find(request->service->definitions, first) != RESOURCE_TYPE_NONE;
        if (first.length == 0 || !known ||
            (typed && (rest.length == 0 || slice_index(rest, '.') < rest.length))) {
            return request_fail(request, STATUS_VALUE, "_elements",
                                "Elements are named as name or Patient.name: only those at the "
                                "root of a resource.");
        }
        TRY(add_slice(asking, &asking->elements, &asking->ask->element_count,
                      &asking->element_capacity, element));
    } while (value.at != NULL);
    return STATUS_OK;
}

static enum status take_patient(struct asking *asking, struct slice value)
{
    struct request *request = asking->request;
    const struct definitions *definitions = request->service->definitions;
    struct reference reference = reference_parse(definitions, value, request->base_url);
    if (request->method != METHOD_POST || asking->ask->level == BULK_SYSTEM) {
        return request_fail(request, STATUS_PARAMETER, "patient",
                            "patient goes with POST to Patient/$export and Group/[id]/$export "
                            "only.");
    }
    if (reference.kind != REFERENCE_LOCAL ||
        !slice_is(resource_type_name(definitions, reference.type), "Patient")) {
        return request_fail(request, STATUS_VALUE, "patient",
                            "Each patient is a reference to a Patient of this server: "
                            "\"valueReference\":{\"reference\":\"Patient/1\"}.");
    }
    return add_slice(asking, &asking->patients, &asking->ask->patient_count,
                     &asking->patient_capacity, reference.id);
}

/* ---- filters ------------------------------------------------------------------------------------
 */

/* Does "Type?" begin here? A comma before it ends a filter; any other belongs to a value. */
static bool begins_filter(const struct asking *asking, struct slice text)
{
    size_t end = slice_index(text, '?');
    return end < text.length &&
           resource_type_find(asking->request->service->definitions,
                              slice_trim(slice_head(text, end))) != RESOURCE_TYPE_NONE;
}

static struct slice cut_filter(const struct asking *asking, struct slice *rest)
{
    struct slice whole = *rest;
    for (size_t i = 0; i < whole.length; i++) {
        if (whole.at[i] == ',' && begins_filter(asking, slice_from(whole, i + 1))) {
            *rest = slice_from(whole, i + 1);
            return slice_head(whole, i);
        }
    }
    *rest = (struct slice){NULL, 0};
    return whole;
}

static enum status take_filter(struct asking *asking, struct slice text)
{
    struct request *request = asking->request;
    struct bulk_filter filter;
    enum status status =
        bulk_filter_read(request->service->definitions, text, request->arena, &filter);
    if (status == STATUS_VALUE) {
        return request_fail(request, STATUS_VALUE, "_typeFilter",
                            "A filter is a search of one type: Observation?status=final, encoded "
                            "as one value of the URL.");
    }
    TRY(status);
    struct bulk_filter *larger = room_for(asking, asking->filters, asking->ask->filter_count,
                                          &asking->filter_capacity, sizeof *larger);
    if (larger == NULL) {
        return STATUS_TOO_COSTLY;
    }
    asking->filters = larger;
    larger[asking->ask->filter_count++] = filter;
    return STATUS_OK;
}

static enum status take_filters(struct asking *asking, struct slice value)
{
    do {
        TRY(take_filter(asking, cut_filter(asking, &value)));
    } while (value.at != NULL);
    return STATUS_OK;
}

/* ---- all of them --------------------------------------------------------------------------------
 */

static const struct row {
    const char *name;
    enum status (*take)(struct asking *asking, struct slice value);
} rows[] = {{"_outputFormat", take_format}, {"_since", take_since},
            {"_type", take_types},          {"_typeFilter", take_filters},
            {"_elements", take_elements},   {"patient", take_patient}};

static const struct row *find_row(struct slice name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (slice_is(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

static enum status take(struct asking *asking, struct slice name, struct slice value)
{
    const struct row *row = find_row(name);
    if (row != NULL) {
        return row->take(asking, value);
    }
    if (slice_is(name, "_format") || slice_is(name, "_pretty")) {
        return STATUS_OK; /* of the answer to this request */
    }
    return leave_out(asking, name,
                     "it is not supported; those that are: _outputFormat, _since, _type, "
                     "_typeFilter, _elements and, with POST, patient.");
}

/* The text of value[x]. */
static struct slice value_of(yyjson_val *parameter)
{
    size_t at, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(parameter, at, count, key, value)
    {
        if (slice_starts(json_string(key), SLICE("value"))) {
            return yyjson_is_obj(value) ? json_get_string(value, "reference") : json_string(value);
        }
    }
    return (struct slice){0};
}

static enum status take_body(struct asking *asking)
{
    struct request *request = asking->request;
    yyjson_val *root = request->json.root;
    size_t at, count;
    yyjson_val *parameter;
    TRY(operation_check(request, root));
    yyjson_arr_foreach(json_get(root, "parameter"), at, count, parameter)
    {
        struct slice value = value_of(parameter);
        struct slice name = json_get_string(parameter, "name");
        if (value.length == 0 && find_row(name) != NULL) {
            return request_fail(request, STATUS_VALUE, "Parameters.parameter",
                                "Parameter number %zu has no value that is read here: give "
                                "valueString, valueInstant or valueReference.",
                                at + 1);
        }
        TRY(take(asking, name, value));
    }
    return STATUS_OK;
}

/* A filter of a type that is not asked for would filter nothing: somebody meant something else. */
static enum status check_filters(const struct asking *asking)
{
    const struct bulk_ask *ask = asking->ask;
    for (size_t i = 0; i < ask->filter_count; i++) {
        bool asked =
            ask->type_count == 0 && (ask->level == BULK_SYSTEM ||
                                     !resource_type_is_shared(asking->request->service->definitions,
                                                              asking->filters[i].type));
        for (size_t j = 0; j < ask->type_count; j++) {
            asked = asked || asking->types[j] == asking->filters[i].type;
        }
        if (!asked) {
            return request_fail(asking->request, STATUS_VALUE, "_typeFilter",
                                "Filter number %zu is of a type that is not exported: add the "
                                "type to _type, or leave the filter out.",
                                i + 1);
        }
    }
    return STATUS_OK;
}

static bool has_type(const struct asking *asking, struct slice name)
{
    const struct definitions *definitions = asking->request->service->definitions;
    for (size_t i = 0; i < asking->ask->type_count; i++) {
        if (slice_equals(resource_type_name(definitions, asking->types[i]), name)) {
            return true;
        }
    }
    return false;
}

/* Binaries that are somebody's are DocumentReferences here: whoever asks for either alone is told
 * what they do not get. */
static enum status note_binaries(struct asking *asking)
{
    const struct definitions *definitions = asking->request->service->definitions;
    if (has_type(asking, SLICE("Binary")) && !has_type(asking, SLICE("DocumentReference"))) {
        TRY(add_note(asking, "Of the Binaries only those are here that concern nobody: the others "
                             "leave as DocumentReferences, a type that was not asked for."));
    }
    for (size_t i = 0; i < asking->ask->filter_count; i++) {
        if (slice_is(resource_type_name(definitions, asking->filters[i].type),
                     "DocumentReference")) {
            return add_note(asking, "Binaries that concern somebody, which leave as "
                                    "DocumentReferences, are not looked at by a filter of "
                                    "DocumentReference and are left out.");
        }
    }
    return STATUS_OK;
}

enum status export_ask_read(struct request *request, struct bulk_ask *ret_ask)
{
    struct asking asking = {.request = request, .ask = ret_ask};
    *ret_ask = (struct bulk_ask){
        .level = request->id.length > 0                ? BULK_GROUP
                 : request->type != RESOURCE_TYPE_NONE ? BULK_PATIENTS
                                                       : BULK_SYSTEM,
        .group = request->id,
        .base_url = request->base_url,
        .who = request->who,
    };
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        TRY(parameter->modifier.length > 0
                ? leave_out(&asking, parameter->name, "it takes no modifier.")
                : take(&asking, parameter->name, parameter->value));
    }
    if (request->method == METHOD_POST) {
        TRY(take_body(&asking));
    }
    TRY(check_filters(&asking));
    TRY(note_binaries(&asking));
    if (asking.typed && ret_ask->type_count == 0) {
        return request_fail(request, STATUS_VALUE, "_type",
                            "Of the types in _type none can be exported here.");
    }
    ret_ask->patients = asking.patients;
    ret_ask->elements = asking.elements;
    ret_ask->notes = asking.notes;
    ret_ask->types = asking.types;
    ret_ask->filters = asking.filters;
    return STATUS_OK;
}
