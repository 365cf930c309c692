/* SPDX-License-Identifier: MIT */
/* The parameters of operations (R4 operations.html, "Executing an Operation Synchronously"), of a
 * URL and of a Parameters resource alike, against the table of what the operation takes. What is
 * not understood is refused: passed over, it would make the answer wider than was asked for. */
#include <assert.h>

#include "request/request_int.h"

/* What has no rows of its own, being about the answer as such (R4 http, "General Parameters"). */
static bool is_general(struct slice name)
{
    return slice_is(name, "_format") || slice_is(name, "_pretty");
}

/* ---- names --------------------------------------------------------------------------------------
 */

/* A name as a message shows it: only what looks like one, for anything can come in its place. */
static const char *shown(struct arena *arena, struct slice name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *text =
        name.length > 0 && name.length <= 64 ? arena_print(arena, "%.*s", SLICE_ARGS(name)) : NULL;
    for (size_t i = 0; text != NULL && i < name.length; i++) {
        if (memchr(letters, name.at[i], sizeof letters - 1) == NULL) {
            return "(unreadable)";
        }
    }
    return text != NULL ? text : "(unreadable)";
}

#define NAME_MOST 40

static char folded(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* How many letters have to be put in, taken out or changed to make one of the other, two that have
 * changed places being one; in any case. */
static size_t distance(struct slice a, struct slice b)
{
    size_t rows[3][NAME_MOST + 1];
    if (a.length > NAME_MOST || b.length > NAME_MOST) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.length; i++) {
        size_t *before = rows[(i + 2) % 3], *row = rows[i % 3], *twice = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            bool same = folded(a.at[i - 1]) == folded(b.at[j - 1]);
            size_t least = before[j - 1] + (same ? 0 : 1);
            least = before[j] + 1 < least ? before[j] + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            if (i > 1 && j > 1 && folded(a.at[i - 1]) == folded(b.at[j - 2]) &&
                folded(a.at[i - 2]) == folded(b.at[j - 1]) && twice[j - 2] + 1 < least) {
                least = twice[j - 2] + 1;
            }
            row[j] = least;
        }
    }
    return rows[a.length % 3][b.length];
}

/* The parameter that was probably meant, or NULL. */
static const char *likely(const struct operation_parameter *table, struct slice name)
{
    const char *best = NULL;
    size_t least = name.length <= 4 ? 2 : 3;
    for (const struct operation_parameter *row = table; row->name != NULL; row++) {
        size_t far = distance(name, slice_text(row->name));
        if (far < least) {
            least = far;
            best = row->name;
        }
    }
    return best;
}

/* ---- values -------------------------------------------------------------------------------------
 */

static bool is_primitive(const char *type)
{
    return type[0] >= 'a' && type[0] <= 'z';
}

static bool is_complex(const char *type)
{
    return strcmp(type, "Coding") == 0 || strcmp(type, "CodeableConcept") == 0;
}

/* NULL, or what such a value looks like. */
static const char *text_fault(const char *type, struct slice text)
{
    struct partial_date date;
    uint64_t number;
    if (strcmp(type, "boolean") == 0) {
        return slice_is(text, "true") || slice_is(text, "false") ? NULL : "true or false";
    }
    if (strcmp(type, "integer") == 0) {
        return slice_to_unsigned(text, INT32_MAX, &number) ? NULL : "a whole number from 0";
    }
    if (strcmp(type, "date") == 0) {
        return date_parse(text, DATE_FORM_DATE, &date) ? NULL
                                                       : "a date: 2026-11-21, 2026-11 or 2026";
    }
    /* A filter may be empty: nothing has been typed yet. */
    return strcmp(type, "string") == 0 || text.length > 0 ? NULL : "a value, or leave it out";
}

static bool brings(const yyjson_val *node, const char *member)
{
    return yyjson_is_obj(json_get(node, member));
}

/* The same of a parameter of either source; NODE NULL: it is of a URL. */
static const char *value_fault(const struct operation_parameter *row,
                               const struct terms_parameter *parameter, yyjson_val *node)
{
    if (is_primitive(row->type)) {
        bool plain = parameter->resource == NULL && json_get(node, "part") == NULL &&
                     !yyjson_is_ctn(parameter->value) && (node == NULL || parameter->value != NULL);
        return plain ? text_fault(row->type, parameter->text) : "one value of a primitive type";
    }
    if (node == NULL) {
        return "it in the Parameters of a POST, for it does not fit into a URL";
    }
    if (is_complex(row->type)) {
        bool coding = strcmp(row->type, "Coding") == 0;
        return brings(node, coding ? "valueCoding" : "valueCodeableConcept") ? NULL
               : coding                                                      ? "a valueCoding"
                        : "a valueCodeableConcept";
    }
    struct slice type = json_get_string(parameter->resource, "resourceType");
    bool any = strcmp(row->type, "Resource") == 0;
    return brings(node, "resource") && type.length > 0 && (any || slice_is(type, row->type))
               ? NULL
               : "a resource, of the type that the operation's definition names";
}

/* ---- one table, one list ------------------------------------------------------------------------
 */

#define ROWS_MOST 64 /* of a table */

struct reading {
    struct request *request;
    const struct operation_parameter *table;
    const char *given;
    struct terms_parameter *taken;
    size_t count;
    size_t times[ROWS_MOST]; /* each row was given */
};

/* The row of this name, or the one that ends the table. */
static size_t row_of(const struct operation_parameter *table, struct slice name)
{
    size_t row = 0;
    while (table[row].name != NULL && !slice_is(name, table[row].name)) {
        row++;
    }
    assert(row < ROWS_MOST);
    return row;
}

static enum status refuse_unknown(const struct reading *reading, struct slice name)
{
    struct request *request = reading->request;
    const char *meant = likely(reading->table, name);
    const char *operation = request->interaction->operation;
    if (request->prefer_lenient) {
        return STATUS_OK;
    }
    return request_fail(request, STATUS_PARAMETER, "",
                        "Parameter '%s' is not supported by %s%s%s%s. With 'Prefer: "
                        "handling=lenient' it is ignored.",
                        shown(request->arena, name), operation != NULL ? operation : "this",
                        meant != NULL ? " (is '" : "", meant != NULL ? meant : "",
                        meant != NULL ? "' meant?)" : "");
}

/* Another parameter says the same already. */
static enum status check_alone(const struct reading *reading, const struct operation_parameter *row)
{
    struct request *request = reading->request;
    if (row->instead == NULL) {
        return STATUS_OK;
    }
    if (reading->given != NULL && strcmp(reading->given, row->instead) == 0) {
        return request_fail(request, STATUS_VALUE, "",
                            "Leave parameter '%s' out: the path names the resource already.",
                            row->name);
    }
    for (size_t i = 0; reading->table[i].name != NULL; i++) {
        const struct operation_parameter *other = &reading->table[i];
        if (other != row && other->instead != NULL && strcmp(other->instead, row->instead) == 0 &&
            reading->times[i] > 0) {
            return request_fail(request, STATUS_VALUE, "",
                                "Give one of the parameters '%s' and '%s', not both.", other->name,
                                row->name);
        }
    }
    return STATUS_OK;
}

static enum status take(struct reading *reading, const struct terms_parameter *parameter,
                        yyjson_val *node)
{
    struct request *request = reading->request;
    size_t number = row_of(reading->table, parameter->name);
    const struct operation_parameter *row = &reading->table[number];
    if (row->name == NULL) {
        return refuse_unknown(reading, parameter->name);
    }
    if (row->max > 0 && reading->times[number] >= row->max) {
        return request_fail(request, STATUS_VALUE, "",
                            "Parameter '%s' is given more often than it may be (%u).", row->name,
                            (unsigned)row->max);
    }
    const char *wanted = value_fault(row, parameter, node);
    if (wanted != NULL) {
        return request_fail(request, STATUS_VALUE, "", "Parameter '%s': give %s.", row->name,
                            wanted);
    }
    if (row->only != NULL && !slice_is(parameter->text, row->only)) {
        return request_fail(request, STATUS_PARAMETER, "",
                            "Parameter '%s' is only supported as '%s'.", row->name, row->only);
    }
    TRY(check_alone(reading, row));
    reading->times[number]++;
    reading->taken[reading->count++] = *parameter;
    return STATUS_OK;
}

static enum status take_url(struct reading *reading)
{
    struct request *request = reading->request;
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        const struct terms_parameter plain = {.name = parameter->name, .text = parameter->value};
        if (is_general(parameter->name)) {
            continue;
        }
        if (parameter->modifier.length > 0) {
            return request_fail(request, STATUS_PARAMETER, "",
                                "Parameter '%s' is not supported with a modifier.",
                                shown(request->arena, parameter->name));
        }
        TRY(take(reading, &plain, NULL));
    }
    return STATUS_OK;
}

enum status operation_check(struct request *request, yyjson_val *parameters)
{
    enum status status = parameters_check(parameters, request->arena, &request->outcome);
    request->status = status != STATUS_OK ? status : request->status;
    return status;
}

static enum status take_body(struct reading *reading, yyjson_val *parameters)
{
    struct terms_parameter *all;
    size_t count, at, max;
    yyjson_val *node, *list = json_get(parameters, "parameter");
    if (parameters == NULL) {
        return STATUS_OK;
    }
    TRY(operation_check(reading->request, parameters));
    TRY(terms_parameters_read(parameters, reading->request->arena, &all, &count));
    yyjson_arr_foreach(list, at, max, node)
    {
        TRY(take(reading, &all[at], node));
    }
    return STATUS_OK;
}

static enum status check_whole(const struct reading *reading)
{
    for (size_t i = 0; reading->table[i].name != NULL; i++) {
        const struct operation_parameter *row = &reading->table[i];
        if (reading->times[i] < row->min) {
            return request_fail(reading->request, STATUS_REQUIRED, row->name,
                                "Parameter '%s' is missing.", row->name);
        }
        if (reading->times[i] > 0 && row->with != NULL &&
            reading->times[row_of(reading->table, slice_text(row->with))] == 0) {
            return request_fail(reading->request, STATUS_VALUE, "",
                                "Parameter '%s' goes with '%s', which is not given.", row->name,
                                row->with);
        }
    }
    return STATUS_OK;
}

static enum status read_list(struct reading *reading, yyjson_val *parameters, bool with_url);

/* Parameters within parameters are read for what is wrong with them; the operation reads them
 * again. */
static enum status check_parts(const struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++) {
        const struct operation_parameter *row =
            &reading->table[row_of(reading->table, reading->taken[i].name)];
        if (row->parts != NULL) {
            struct reading part = {.request = reading->request, .table = row->parts};
            TRY(read_list(&part, reading->taken[i].resource, false));
        }
    }
    return STATUS_OK;
}

static enum status read_list(struct reading *reading, yyjson_val *parameters, bool with_url)
{
    size_t most = yyjson_arr_size(json_get(parameters, "parameter")) + 1;
    most += with_url ? reading->request->parameter_count : 0;
    reading->taken = arena_array(reading->request->arena, most, sizeof *reading->taken);
    if (reading->taken == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (with_url) {
        TRY(take_url(reading));
    }
    TRY(take_body(reading, parameters));
    TRY(check_whole(reading));
    return check_parts(reading);
}

enum status operation_parameters(struct request *request, const struct operation_parameter *table,
                                 yyjson_val *parameters, const char *given,
                                 struct terms_parameter **ret_parameters, size_t *ret_count)
{
    struct reading reading = {.request = request, .table = table, .given = given};
    TRY(read_list(&reading, parameters, true));
    *ret_parameters = reading.taken;
    *ret_count = reading.count;
    return STATUS_OK;
}

/* ---- as of a URL --------------------------------------------------------------------------------
 */

static struct slice text_of(const struct terms_parameter *parameter)
{
    struct slice reference = json_get_string(parameter->value, "reference");
    return reference.length > 0 ? reference : parameter->text;
}

static struct parameter *type_of(struct parameter *parameters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(parameters[i].name, "_type") && parameters[i].modifier.length == 0) {
            return &parameters[i];
        }
    }
    return NULL;
}

static enum status join_one(struct request *request, const struct terms_parameter *from,
                            struct parameter *parameters, size_t *count)
{
    struct slice value = text_of(from);
    size_t colon = slice_index(from->name, ':');
    struct parameter *types = type_of(parameters, *count);
    if (value.length == 0) {
        return request_fail(request, STATUS_VALUE, "parameter",
                            "Parameter '%s': give one value of a primitive type, or a reference.",
                            shown(request->arena, from->name));
    }
    if (slice_is(from->name, "_type") && types != NULL) {
        const char *both =
            arena_print(request->arena, "%.*s,%.*s", SLICE_ARGS(types->value), SLICE_ARGS(value));
        types->value = both != NULL ? slice_text(both) : types->value;
        return both != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    parameters[(*count)++] = (struct parameter){
        .name = slice_head(from->name, colon),
        .modifier = colon < from->name.length ? slice_from(from->name, colon + 1) : SLICE(""),
        .value = value};
    return STATUS_OK;
}

enum status operation_parameters_join(struct request *request)
{
    yyjson_val *root = request->json.root;
    struct terms_parameter *all;
    size_t added = 0, count = request->parameter_count;
    if (request->method != METHOD_POST || root == NULL) {
        return STATUS_OK;
    }
    TRY(operation_check(request, root));
    TRY(terms_parameters_read(root, request->arena, &all, &added));
    struct parameter *parameters =
        arena_array(request->arena, count + added + 1, sizeof *parameters);
    if (parameters == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (count > 0) {
        memcpy(parameters, request->parameters, count * sizeof *parameters);
    }
    for (size_t i = 0; i < added; i++) {
        TRY(join_one(request, &all[i], parameters, &count));
    }
    request->parameters = parameters;
    request->parameter_count = count;
    return negotiate(request); /* "_summary" and the like have been read of the URL alone */
}
