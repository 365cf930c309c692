/* SPDX-License-Identifier: MIT */
/* Trees, utilities and types (FHIRPath N1, sections 5.8, 5.9 and 6.3), and what R4 fhirpath.html
 * adds: extension(), resolve(), memberOf() and the like. */
#include "fhirpath/fhirpath_int.h"

/* ---- 5.8, 5.9 ---------------------------------------------------------------------------------
 */

enum status function_children(struct call *call, struct values *out)
{
    return navigate_children(call->evaluation, call->step, call->input, call->count, false, out);
}

enum status function_descendants(struct call *call, struct values *out)
{
    return navigate_children(call->evaluation, call->step, call->input, call->count, true, out);
}

enum status function_trace(struct call *call, struct values *out)
{
    const struct fhirpath_host *host = call->evaluation->environment->host;
    struct slice name;
    bool has;
    TRY(call_string(call, 0, &name, &has));
    if (host != NULL && host->trace != NULL) {
        struct values shown = {0};
        for (size_t i = 0; i < call->count && call->step->argument_count > 1; i++) {
            TRY(call_lambda(call, 1, &call->input[i], i, NULL, &shown));
        }
        struct fhirpath_collection collection = {shown.items, shown.count};
        if (call->step->argument_count == 1) {
            collection = (struct fhirpath_collection){call->input, call->count};
        }
        host->trace(host->context, name, &collection);
    }
    values_share(call->evaluation, out, call->input, call->count);
    return STATUS_OK;
}

static bool is_taken(const struct evaluation *evaluation, struct slice name)
{
    static const char *const fixed[] = {"context", "resource", "rootResource",
                                        "ucum",    "sct",      "loinc"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (slice_is(name, fixed[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < evaluation->environment->variable_count; i++) {
        if (slice_equals(evaluation->environment->variables[i].name, name)) {
            return true;
        }
    }
    for (const struct scope *scope = evaluation->scope; scope != NULL; scope = scope->outer) {
        if (slice_equals(scope->name, name)) {
            return true;
        }
    }
    return slice_starts(name, SLICE("vs-")) || slice_starts(name, SLICE("ext-"));
}

/* The variable is there for what follows in the same path; whoever evaluates an operand or an
 * argument puts the scope back behind it. */
enum status function_define_variable(struct call *call, struct values *out)
{
    struct evaluation *evaluation = call->evaluation;
    struct slice name;
    bool has;
    TRY(call_string(call, 0, &name, &has));
    if (!has || is_taken(evaluation, name)) {
        return call_fail(call, STATUS_INVALID,
                         "There is a variable of this name already, or the "
                         "name is empty.");
    }
    struct scope *scope = ARENA_NEW(evaluation->arena, struct scope);
    struct values values = {0};
    if (scope == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *scope = (struct scope){name, {call->input, call->count}, NULL};
    if (call->step->argument_count > 1) {
        struct frame frame = *call->frame;
        frame.focus = call->input;
        frame.focus_count = call->count;
        struct call inner = *call;
        inner.frame = &frame;
        TRY(call_argument(&inner, 1, &values));
        scope->values = (struct fhirpath_collection){values.items, values.count};
    }
    scope->outer = evaluation->scope;
    evaluation->scope = scope;
    values_share(evaluation, out, call->input, call->count);
    return STATUS_OK;
}

/* Now in the zone of the server. */
static struct partial_date now_of(struct evaluation *evaluation)
{
    if (evaluation->now == 0) {
        evaluation->now = time_now(); /* once: it stands still during an evaluation */
    }
    int64_t seconds = evaluation->now / MICROS_PER_SECOND;
    int32_t offset = zone_offset(seconds);
    int64_t local = seconds + offset;
    int64_t year;
    unsigned month, day;
    calendar_date(local / 86400 - (local % 86400 < 0), &year, &month, &day);
    int64_t clock = (local % 86400 + 86400) % 86400;
    return (struct partial_date){.precision = PRECISION_MILLISECOND,
                                 .has_zone = true,
                                 .zone_minutes = offset / 60,
                                 .year = (int16_t)year,
                                 .month = (uint8_t)month,
                                 .day = (uint8_t)day,
                                 .hour = (uint8_t)(clock / 3600),
                                 .minute = (uint8_t)(clock / 60 % 60),
                                 .second = (uint8_t)(clock % 60),
                                 .micros =
                                     (uint32_t)(evaluation->now % MICROS_PER_SECOND) / 1000 * 1000};
}

static enum status add_date(struct call *call, enum fhirpath_kind kind,
                            const struct partial_date *date, struct values *out)
{
    struct fhirpath_value *value = values_add(call->evaluation, out);
    if (value != NULL) {
        value->kind = kind;
        value->date = *date;
    }
    return STATUS_OK;
}

enum status function_now(struct call *call, struct values *out)
{
    struct partial_date now = now_of(call->evaluation);
    return add_date(call, FHIRPATH_DATETIME, &now, out);
}

enum status function_today(struct call *call, struct values *out)
{
    struct partial_date now = now_of(call->evaluation);
    struct partial_date today = {
        .precision = PRECISION_DAY, .year = now.year, .month = now.month, .day = now.day};
    return add_date(call, FHIRPATH_DATE, &today, out);
}

enum status function_time_of_day(struct call *call, struct values *out)
{
    struct partial_date now = now_of(call->evaluation);
    struct partial_date time = {.precision = PRECISION_MILLISECOND,
                                .hour = now.hour,
                                .minute = now.minute,
                                .second = now.second,
                                .micros = now.micros};
    return add_date(call, FHIRPATH_TIME, &time, out);
}

enum status function_type(struct call *call, struct values *out)
{
    for (size_t i = 0; i < call->count; i++) {
        struct fhirpath_value *value = values_add(call->evaluation, out);
        if (value != NULL) {
            value->kind = FHIRPATH_TYPE;
            value->type = fhirpath_type_of(call->evaluation->definitions, &call->input[i]);
        }
    }
    return STATUS_OK;
}

/* ---- extensions and values --------------------------------------------------------------------
 */

/* The members NAME of each item, which are there whatever its type. */
static enum status members(struct call *call, struct slice name, const struct fhirpath_value *items,
                           size_t count, struct values *out)
{
    struct step step = *call->step;
    step.name = name;
    step.type = NULL;
    return navigate(call->evaluation, &step, items, count, out);
}

enum status function_extension(struct call *call, struct values *out)
{
    struct slice url;
    struct values all = {0};
    bool has;
    TRY(call_string(call, 0, &url, &has));
    if (!has) {
        return STATUS_OK;
    }
    TRY(members(call, SLICE("extension"), call->input, call->count, &all));
    for (size_t i = 0; i < all.count; i++) {
        if (slice_equals(json_get_string(all.items[i].node.value, "url"), url)) {
            values_share(call->evaluation, out, &all.items[i], 1);
        }
    }
    return STATUS_OK;
}

enum status function_has_extension(struct call *call, enum truth *ret_truth)
{
    struct values found = {0};
    TRY(function_extension(call, &found));
    *ret_truth = truth(found.count > 0);
    return STATUS_OK;
}

static bool is_primitive_with_value(const struct fhirpath_value *value)
{
    return value->kind != FHIRPATH_NODE ||
           (value->node.type->kind == TYPE_PRIMITIVE && value->node.value != NULL);
}

enum status function_has_value(struct call *call, enum truth *ret_truth)
{
    *ret_truth = truth(call->count == 1 && is_primitive_with_value(call->input));
    return STATUS_OK;
}

enum status function_get_value(struct call *call, struct values *out)
{
    struct fhirpath_value value;
    if (call->count == 1 && is_primitive_with_value(call->input) &&
        value_system(call->evaluation, call->input, &value)) {
        values_add_all(call->evaluation, out, &value, 1);
    }
    return STATUS_OK;
}

enum status function_check_modifiers(struct call *call, enum truth *ret_truth)
{
    struct values found = {0};
    *ret_truth = TRUTH_TRUE;
    TRY(members(call, SLICE("modifierExtension"), call->input, call->count, &found));
    for (size_t i = 0; i < found.count; i++) {
        struct slice url = json_get_string(found.items[i].node.value, "url");
        bool known = false;
        for (unsigned j = 0; j < call->step->argument_count && !known; j++) {
            struct slice allowed;
            bool has;
            TRY(call_string(call, j, &allowed, &has));
            known = has && slice_equals(url, allowed);
        }
        *ret_truth = known ? *ret_truth : TRUTH_FALSE;
    }
    return STATUS_OK;
}

/* ---- references -------------------------------------------------------------------------------
 */

/* The text of a Reference, or of a canonical, uri or string. */
static struct slice reference_text(struct call *call, const struct fhirpath_value *item)
{
    struct fhirpath_value system;
    if (item->kind == FHIRPATH_NODE && item->node.type->fhir_type == FHIR_TYPE_REFERENCE) {
        return json_get_string(item->node.value, "reference");
    }
    return value_system(call->evaluation, item, &system) && system.kind == FHIRPATH_STRING
               ? system.string
               : (struct slice){NULL, 0};
}

static const struct fhirpath_node *top_of(const struct fhirpath_node *node)
{
    while (node->parent != NULL) {
        node = node->parent;
    }
    return node;
}

/* "#id" among the contained resources around NODE; "#" is that resource itself. */
static enum status resolve_fragment(struct call *call, const struct fhirpath_node *node,
                                    struct slice id, struct values *out)
{
    const struct fhirpath_environment *environment = call->evaluation->environment;
    const struct fhirpath_node *container = node_resource(node, true);
    if (container == NULL) {
        container =
            environment->root_resource != NULL ? environment->root_resource : environment->resource;
    }
    struct values contained = {0};
    struct fhirpath_value holder = {.kind = FHIRPATH_NODE};
    if (container == NULL) {
        return STATUS_OK;
    }
    holder.node = *container;
    if (id.length == 0) {
        values_add_all(call->evaluation, out, &holder, 1);
        return STATUS_OK;
    }
    /* What the contained nodes point back at must last. */
    values_add_all(call->evaluation, &contained, &holder, 1);
    struct values found = {0};
    if (contained.count == 0) {
        return STATUS_TOO_COSTLY;
    }
    TRY(members(call, SLICE("contained"), contained.items, 1, &found));
    for (size_t i = 0; i < found.count; i++) {
        if (slice_equals(json_get_string(found.items[i].node.value, "id"), id)) {
            values_share(call->evaluation, out, &found.items[i], 1);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* R4 bundle.html, "Resolving references in Bundles": by fullUrl, or type and id behind its base. */
static bool entry_is(yyjson_val *entry, struct slice reference)
{
    struct slice full = json_get_string(entry, "fullUrl");
    struct slice version = SLICE("/_history/");
    const char *at = reference.length > version.length
                         ? memmem(reference.at, reference.length, version.at, version.length)
                         : NULL;
    if (at != NULL) {
        reference.length = (size_t)(at - reference.at);
    }
    if (slice_equals(full, reference)) {
        return true;
    }
    bool relative = slice_index(reference, ':') == reference.length;
    return relative && full.length > reference.length && slice_ends(full, reference) &&
           full.at[full.length - reference.length - 1] == '/';
}

static enum status resolve_in_bundle(struct call *call, const struct fhirpath_node *top,
                                     struct slice reference, struct values *out)
{
    struct evaluation *evaluation = call->evaluation;
    size_t i, max;
    yyjson_val *entry;
    yyjson_val *entries = json_get(top->value, "entry");
    TRY(evaluation_costs(evaluation, call->step, yyjson_arr_size(entries)));
    yyjson_arr_foreach(entries, i, max, entry)
    {
        yyjson_val *resource = json_get(entry, "resource");
        if (!entry_is(entry, reference)) {
            continue;
        }
        resource_type type =
            resource_type_find(evaluation->definitions, json_get_string(resource, "resourceType"));
        struct fhirpath_value *value =
            type != RESOURCE_TYPE_NONE ? values_add(evaluation, out) : NULL;
        if (value != NULL) {
            value->kind = FHIRPATH_NODE;
            value->node = fhirpath_root(evaluation->definitions, type, resource);
            value->node.parent = top;
        }
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status resolve_item(struct call *call, const struct fhirpath_value *item,
                                struct values *out)
{
    const struct fhirpath_host *host = call->evaluation->environment->host;
    struct slice reference = reference_text(call, item);
    uint32_t before = out->count;
    struct fhirpath_node none = {0};
    const struct fhirpath_node *from = item->kind == FHIRPATH_NODE ? &item->node : &none;
    if (reference.length == 0) {
        return STATUS_OK;
    }
    if (reference.at[0] == '#') {
        return resolve_fragment(call, item->kind == FHIRPATH_NODE ? from : NULL,
                                slice_from(reference, 1), out);
    }
    const struct fhirpath_node *top = from->type != NULL ? top_of(from) : NULL;
    if (top == NULL || top->type->kind != TYPE_RESOURCE) {
        top = call->evaluation->environment->root_resource;
    }
    if (top != NULL && slice_is(table_text(call->evaluation->tables, top->type->name), "Bundle")) {
        TRY(resolve_in_bundle(call, top, reference, out));
    }
    struct fhirpath_node node;
    if (out->count == before && host != NULL && host->resolve != NULL &&
        host->resolve(host->context, from, reference, call->evaluation->arena, &node)) {
        struct fhirpath_value *value = values_add(call->evaluation, out);
        if (value != NULL) {
            value->kind = FHIRPATH_NODE;
            value->node = node;
        }
    }
    return STATUS_OK;
}

enum status function_resolve(struct call *call, struct values *out)
{
    for (size_t i = 0; i < call->count; i++) {
        TRY(resolve_item(call, &call->input[i], out));
    }
    return STATUS_OK;
}

/* "Patient/1" of a resource (SQL on FHIR, "getResourceKey"). */
enum status function_get_resource_key(struct call *call, struct values *out)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct fhirpath_value *item = &call->input[i];
        struct slice id = item->kind == FHIRPATH_NODE ? json_get_string(item->node.value, "id")
                                                      : (struct slice){NULL, 0};
        if (id.length > 0) {
            values_add_string(call->evaluation, out,
                              slice_text(arena_print(call->evaluation->arena, "%.*s/%.*s",
                                                     SLICE_ARGS(table_text(call->evaluation->tables,
                                                                           item->node.type->name)),
                                                     SLICE_ARGS(id))));
        }
    }
    return STATUS_OK;
}

/* The same key of what a reference names, of a wanted type (SQL on FHIR, "getReferenceKey"). */
enum status function_get_reference_key(struct call *call, struct values *out)
{
    const struct definitions *definitions = call->evaluation->definitions;
    const struct fhirpath *expression = call->evaluation->expression;
    struct slice wanted = {NULL, 0};
    if (call->step->argument_count > 0) {
        /* The type stands there as a name (Patient), which as an expression is a path's start. */
        const struct step *type = &expression->steps[expression->arguments[call->step->right]];
        if (type->operation != OP_ROOT) {
            return call_fail(call, STATUS_INVALID, "getReferenceKey() takes the name of a type.");
        }
        wanted = table_text(call->evaluation->tables, type->type->name);
    }
    for (size_t i = 0; i < call->count; i++) {
        struct reference reference =
            reference_parse(definitions, reference_text(call, &call->input[i]), slice_text(""));
        if (reference.kind != REFERENCE_LOCAL) {
            continue;
        }
        struct slice type = resource_type_name(definitions, reference.type);
        if (wanted.length == 0 || slice_equals(wanted, type)) {
            values_add_string(call->evaluation, out,
                              slice_text(arena_print(call->evaluation->arena, "%.*s/%.*s",
                                                     SLICE_ARGS(type), SLICE_ARGS(reference.id))));
        }
    }
    return STATUS_OK;
}

/* ---- what those above answer ------------------------------------------------------------------
 */

static enum status not_here(struct call *call)
{
    return call_fail(call, STATUS_NOT_SUPPORTED, "The function %s is not supported here.",
                     call->step->function->name);
}

enum status function_member_of(struct call *call, enum truth *ret_truth)
{
    const struct fhirpath_host *host = call->evaluation->environment->host;
    struct slice value_set;
    bool has, known = false, member = false;
    *ret_truth = TRUTH_EMPTY;
    TRY(call_string(call, 0, &value_set, &has));
    if (!has || call->count == 0) {
        return STATUS_OK;
    }
    if (call->count > 1) {
        return call_fail(call, STATUS_INVALID, "memberOf() is asked of one item.");
    }
    if (host == NULL || host->member_of == NULL) {
        return not_here(call);
    }
    TRY(host->member_of(host->context, call->input, value_set, &known, &member));
    *ret_truth = known ? truth(member) : TRUTH_EMPTY;
    return STATUS_OK;
}

static enum status ask_subsumes(struct call *call, bool reversed, enum truth *ret_truth)
{
    const struct fhirpath_host *host = call->evaluation->environment->host;
    struct values other;
    bool known = false, subsumes = false;
    *ret_truth = TRUTH_EMPTY;
    TRY(call_argument(call, 0, &other));
    if (other.count == 0 || call->count == 0) {
        return STATUS_OK;
    }
    if (other.count > 1 || call->count > 1) {
        return call_fail(call, STATUS_INVALID, "subsumes() is asked of one item.");
    }
    if (host == NULL || host->subsumes == NULL) {
        return not_here(call);
    }
    TRY(host->subsumes(host->context, reversed ? other.items : call->input,
                       reversed ? call->input : other.items, &known, &subsumes));
    *ret_truth = known ? truth(subsumes) : TRUTH_EMPTY;
    return STATUS_OK;
}

enum status function_subsumes(struct call *call, enum truth *ret_truth)
{
    return ask_subsumes(call, false, ret_truth);
}

enum status function_subsumed_by(struct call *call, enum truth *ret_truth)
{
    return ask_subsumes(call, true, ret_truth);
}

enum status function_conforms_to(struct call *call, enum truth *ret_truth)
{
    const struct fhirpath_host *host = call->evaluation->environment->host;
    struct slice profile;
    bool has, known = false, conforms = false;
    *ret_truth = TRUTH_EMPTY;
    TRY(call_string(call, 0, &profile, &has));
    if (!has || call->count == 0) {
        return STATUS_OK;
    }
    if (call->count > 1 || call->input[0].kind != FHIRPATH_NODE) {
        return call_fail(call, STATUS_INVALID, "conformsTo() is asked of one element.");
    }
    if (host == NULL || host->conforms_to == NULL) {
        return not_here(call);
    }
    TRY(host->conforms_to(host->context, &call->input[0].node, profile, &known, &conforms));
    if (!known) {
        return call_fail(call, STATUS_INVALID, "There is no profile of this URL here.");
    }
    *ret_truth = truth(conforms);
    return STATUS_OK;
}

enum status function_html_checks(struct call *call, enum truth *ret_truth)
{
    const struct fhirpath_host *host = call->evaluation->environment->host;
    struct fhirpath_value value;
    bool has;
    *ret_truth = TRUTH_EMPTY;
    TRY(call_single(call, &value, &has));
    if (!has) {
        return STATUS_OK;
    }
    if (host == NULL || host->html_checks == NULL) {
        return not_here(call);
    }
    *ret_truth =
        truth(value.kind == FHIRPATH_STRING && host->html_checks(host->context, value.string));
    return STATUS_OK;
}
