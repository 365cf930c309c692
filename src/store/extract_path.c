/* SPDX-License-Identifier: MIT */
/* store: the values that a search parameter's expression meets: along its paths where these say all
 * of it, by evaluating it where they do not. */
#include "fhirpath/fhirpath.h"
#include "store_int.h"

#define SCRATCH_LIMIT ((size_t)16 << 20)
#define STEP_LIMIT    1000000u

enum status parameter_compile(const struct definitions *definitions, resource_type type,
                              const struct search_parameter *parameter, struct arena *arena,
                              const struct fhirpath **ret_expression)
{
    const struct type_row *row = resource_row(definitions_tables(definitions), type);
    return fhirpath_compile(definitions, parameter->expression, row, FHIRPATH_LENIENT, arena, NULL,
                            ret_expression);
}

struct resolving {
    const struct definitions *definitions;
    struct slice base_url;
    bool used_base;
};

/* `resolve() is Patient` asks for the type only, and the reference says it: what is named may come
 * later, or live elsewhere. */
static bool resolve_type(void *context, const struct fhirpath_node *from, struct slice reference,
                         struct arena *arena, struct fhirpath_node *ret_node)
{
    struct resolving *resolving = context;
    struct reference parsed =
        reference_parse(resolving->definitions, reference, resolving->base_url);
    (void)from;
    (void)arena;
    if (parsed.kind != REFERENCE_LOCAL || parsed.type == RESOURCE_TYPE_NONE) {
        return false;
    }
    resolving->used_base = resolving->used_base || slice_index(reference, ':') < reference.length;
    *ret_node = fhirpath_root(resolving->definitions, parsed.type, NULL);
    return true;
}

/* A System value as if it stood in the resource. Texts are copied into ARENA: those of the
 * evaluation do not last. */
static bool as_json(const struct fhirpath_value *value, struct arena *arena,
                    struct search_path *ret_path, yyjson_val *ret_value)
{
    if (value->kind == FHIRPATH_BOOLEAN) {
        ret_path->type = FHIR_TYPE_BOOLEAN;
        ret_value->tag =
            YYJSON_TYPE_BOOL | (value->boolean ? YYJSON_SUBTYPE_TRUE : YYJSON_SUBTYPE_FALSE);
        return true;
    }
    if (value->kind == FHIRPATH_QUANTITY || value->kind == FHIRPATH_TYPE) {
        return false;
    }
    struct buffer text = {.arena = arena};
    fhirpath_write(value, &text);
    bool number = value->kind == FHIRPATH_INTEGER || value->kind == FHIRPATH_DECIMAL;
    ret_path->type = number                             ? FHIR_TYPE_DECIMAL
                     : value->kind == FHIRPATH_DATE     ? FHIR_TYPE_DATE
                     : value->kind == FHIRPATH_DATETIME ? FHIR_TYPE_DATETIME
                                                        : FHIR_TYPE_STRING;
    ret_value->tag =
        (uint64_t)text.length << YYJSON_TAG_BIT | (number ? YYJSON_TYPE_RAW : YYJSON_TYPE_STR);
    ret_value->uni.str = text.at;
    return buffer_ok(&text) && text.length > 0;
}

static void visit_value(const struct fhirpath_value *value, struct arena *arena,
                        search_visit *visit, void *context)
{
    struct search_path path = {.count = 0};
    yyjson_val json = {0};
    if (value->kind != FHIRPATH_NODE) {
        if (as_json(value, arena, &path, &json)) {
            visit(context, &path, &json);
        }
    } else if (value->node.value != NULL) {
        path.type = (enum fhir_type)value->node.type->fhir_type;
        visit(context, &path, value->node.value);
    }
}

static enum status visit_expression(const struct definitions *definitions, resource_type type,
                                    const struct fhirpath *expression, yyjson_val *resource,
                                    struct slice base_url, struct arena *arena, search_visit *visit,
                                    void *context, bool *ret_used_base)
{
    struct resolving resolving = {definitions, base_url, false};
    const struct fhirpath_host host = {.context = &resolving, .resolve = resolve_type};
    const struct fhirpath_environment environment = {
        .definitions = definitions, .host = &host, .step_limit = STEP_LIMIT};
    struct fhirpath_node root = fhirpath_root(definitions, type, resource);
    struct fhirpath_collection values;
    struct arena *scratch = arena_create(SCRATCH_LIMIT);
    if (scratch == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = fhirpath_evaluate(expression, &environment, &root, scratch, NULL, &values);
    for (size_t i = 0; status == STATUS_OK && i < values.count; i++) {
        visit_value(&values.items[i], arena, visit, context);
    }
    arena_destroy(scratch);
    *ret_used_base = resolving.used_base;
    return status;
}

/* ---- references to one type only ----------------------------------------------------------------
 */

yyjson_val *contained_find(yyjson_val *root, struct slice id)
{
    size_t i, max;
    yyjson_val *resource;
    yyjson_arr_foreach(json_get(root, "contained"), i, max, resource)
    {
        if (slice_equals(json_get_string(resource, "id"), id)) {
            return resource;
        }
    }
    return NULL;
}

/* The name of the type in "[base]/Type/id/_history/version"; empty: it is not of this form. */
static struct slice type_in_address(struct slice text)
{
    struct slice parts[4] = {{NULL, 0}};
    size_t end = text.length;
    for (size_t i = 0; i < 4 && end > 0; i++) {
        size_t start = end;
        while (start > 0 && text.at[start - 1] != '/') {
            start--;
        }
        parts[i] = slice_of(text.at + start, end - start);
        end = start > 0 ? start - 1 : 0;
    }
    size_t id = slice_is(parts[1], "_history") ? 2 : 0;
    return resource_id_valid(parts[id]) ? parts[id + 1] : SLICE("");
}

/* `.where(resolve() is Patient)`, by what the reference itself says: what it names may come later,
 * or live elsewhere. One that says nothing, by an identifier alone, may lead to a Patient. */
static bool leads_to(yyjson_val *root, yyjson_val *reference, struct slice type)
{
    struct slice text = json_get_string(reference, "reference");
    struct slice said = json_get_string(reference, "type");
    if (text.length > 0 && text.at[0] == '#') {
        said = json_get_string(contained_find(root, slice_from(text, 1)), "resourceType");
    } else if (text.length > 0) {
        said = type_in_address(text);
    } else if (said.length == 0) {
        return true;
    }
    return slice_equals(said, type);
}

struct narrowed {
    const struct definitions *definitions;
    yyjson_val *root;
    search_visit *visit;
    void *context;
};

static void visit_narrowed(void *context, const struct search_path *path, yyjson_val *value)
{
    const struct narrowed *narrowed = context;
    if (path->target == RESOURCE_TYPE_NONE || path->type != FHIR_TYPE_REFERENCE ||
        leads_to(narrowed->root, value, resource_type_name(narrowed->definitions, path->target))) {
        narrowed->visit(narrowed->context, path, value);
    }
}

enum status parameter_visit(const struct definitions *definitions, resource_type type,
                            const struct search_parameter *parameter, const struct parameter *known,
                            yyjson_val *resource, struct slice base_url, struct arena *arena,
                            search_visit *visit, void *context, bool *ret_used_base)
{
    *ret_used_base = false;
    if (known != NULL && known->expression != NULL) {
        enum status status = visit_expression(definitions, type, known->expression, resource,
                                              base_url, arena, visit, context, ret_used_base);
        /* An expression that goes wrong on this resource finds nothing in it. */
        return status == STATUS_INVALID || status == STATUS_NOT_SUPPORTED ? STATUS_OK : status;
    }
    struct narrowed narrowed = {definitions, resource, visit, context};
    for (size_t i = 0; i < parameter->path_count; i++) {
        search_path_walk(&parameter->paths[i], resource, visit_narrowed, &narrowed);
    }
    return STATUS_OK;
}
