/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "fhir/compile_int.h"

uint32_t compile_path_add(struct compiler *compiler, const struct path_row *path,
                          const struct text_row *steps)
{
    uint32_t first, number;
    struct text_row *kept = table_add(compiler, BLOB_STEPS, sizeof *kept, path->step_count, &first);
    struct path_row *row = table_add(compiler, BLOB_PATHS, sizeof *row, 1, &number);
    if (kept == NULL || row == NULL) {
        return 0;
    }
    memcpy(kept, steps, path->step_count * sizeof *kept);
    *row = *path;
    row->first_step = first;
    return number;
}

/* Does the parameter name TYPE, or a type that it derives from, as its base? */
static bool applies_to(const struct compiler *compiler, const struct source *source,
                       resource_type type, struct slice type_name)
{
    size_t i, max;
    yyjson_val *base;
    yyjson_arr_foreach(json_get(source->root, "base"), i, max, base)
    {
        struct slice name = json_string(base);
        if (slice_equals(name, type_name) || slice_is(name, "Resource") ||
            (slice_is(name, "DomainResource") && compiler->domain[type - 1])) {
            return true;
        }
    }
    return false;
}

/* The specification shows what a SearchParameter may look like; its examples search nothing. */
static bool is_example(const struct source *source)
{
    return yyjson_is_true(json_get(source->root, "experimental")) &&
           slice_starts(source->url, SLICE("http://hl7.org/fhir/SearchParameter/example"));
}

struct candidate {
    const struct source *source;
    struct slice code;
    size_t order;
};

/* Of two parameters with one code the one that is no experiment stands. */
static int experimental(const struct candidate *candidate)
{
    return yyjson_is_true(json_get(candidate->source->root, "experimental"));
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    int order = slice_compare(left->code, right->code);
    order = order != 0 ? order : experimental(left) - experimental(right);
    return order != 0 ? order : left->order < right->order ? -1 : left->order > right->order;
}

static void add_parameter_targets(struct compiler *compiler, const struct source *source,
                                  struct parameter_row *row)
{
    size_t i, max;
    yyjson_val *target;
    row->first_target = (uint32_t)TABLE_COUNT(compiler, BLOB_PARAMETER_TARGETS, uint16_t);
    yyjson_arr_foreach(json_get(source->root, "target"), i, max, target)
    {
        resource_type type = compile_resource_find(compiler, json_string(target));
        if (type == RESOURCE_TYPE_NONE) {
            row->target_count = 0; /* Resource, Any: no restriction */
            return;
        }
        uint32_t number;
        uint16_t *at = table_add(compiler, BLOB_PARAMETER_TARGETS, sizeof *at, 1, &number);
        if (at != NULL) {
            *at = type;
            row->target_count++;
        }
    }
}

static enum status add_parameter(struct compiler *compiler, resource_type type,
                                 const struct source *source, uint16_t number)
{
    enum search_kind kind;
    if (!search_kind_find(json_get_string(source->root, "type"), &kind)) {
        return outcome_fail(compiler->outcome, STATUS_INVALID, "SearchParameter.type",
                            "%.*s has a type that FHIR R4 does not know.",
                            SLICE_ARGS(source->file));
    }
    struct slice expression =
        compile_expression_for(compiler, type, json_get_string(source->root, "expression"));
    struct path_list list;
    arena_reset(compiler->scratch, 0);
    struct parameter_row row = {.code =
                                    compile_text(compiler, json_get_string(source->root, "code")),
                                .url = compile_text(compiler, source->url),
                                .expression = compile_text(compiler, expression),
                                .kind = (uint8_t)kind,
                                .number = number};
    compile_expression(compiler, type, kind, expression, &list);
    row.first_path = (uint32_t)TABLE_COUNT(compiler, BLOB_PATHS, struct path_row);
    row.path_count = (uint16_t)list.count;
    row.flags =
        (uint8_t)((list.simple ? PARAMETER_SIMPLE : 0) | (list.exists ? PARAMETER_EXISTS : 0));
    for (size_t i = 0; i < list.count; i++) {
        compile_path_add(compiler, &list.rows[i], &list.steps[list.rows[i].first_step]);
    }
    add_parameter_targets(compiler, source, &row);
    uint32_t at;
    struct parameter_row *kept = table_add(compiler, BLOB_PARAMETERS, sizeof *kept, 1, &at);
    if (kept == NULL) {
        return STATUS_MEMORY;
    }
    *kept = row;
    return STATUS_OK;
}

/* ---- composites -------------------------------------------------------------------------------
 */

/* The row of the parameter with this code among those of the type, which are ordered by it. */
static bool find_row(const struct compiler *compiler, const struct resource_extra_row *type,
                     struct slice code, uint32_t *ret_row)
{
    for (uint32_t i = 0; i < type->parameter_count; i++) {
        const struct parameter_row *row =
            TABLE_ROW(compiler, BLOB_PARAMETERS, struct parameter_row, type->first_parameter + i);
        if (slice_equals(compiled_text(compiler, row->code), code)) {
            *ret_row = type->first_parameter + i;
            return true;
        }
    }
    return false;
}

static struct slice row_expression(const struct compiler *compiler, uint32_t row)
{
    return compiled_text(
        compiler, TABLE_ROW(compiler, BLOB_PARAMETERS, struct parameter_row, row)->expression);
}

static bool is_type_name(const struct compiler *compiler, struct slice name)
{
    size_t count = TABLE_COUNT(compiler, BLOB_TYPES, struct type_row);
    for (size_t i = 0; i < count; i++) {
        const struct type_row *type = TABLE_ROW(compiler, BLOB_TYPES, struct type_row, i);
        if (slice_equals(compiled_text(compiler, type->name), name)) {
            return true;
        }
    }
    return false;
}

/* The specification writes as(DateTime) in a component and means as(dateTime). */
static struct slice mend_type_names(struct compiler *compiler, struct slice expression)
{
    struct slice text = arena_copy(compiler->arena, expression);
    char *at = (char *)(uintptr_t)text.at;
    for (size_t i = 0; at != NULL && i + 3 < text.length; i++) {
        if (!slice_starts(slice_from(text, i), SLICE("as(")) || at[i + 3] < 'A' ||
            at[i + 3] > 'Z') {
            continue;
        }
        struct slice name = slice_from(text, i + 3);
        name = slice_head(name, slice_index(name, ')'));
        if (!is_type_name(compiler, name)) {
            at[i + 3] = (char)(at[i + 3] + 32);
            if (!is_type_name(compiler, name)) {
                at[i + 3] = (char)(at[i + 3] - 32);
            }
        }
    }
    return text;
}

/* Some components of the specification name each other's definition (DocumentReference.relationship
 * has `code` searched as a reference): where one's place is exactly that of a sibling's definition,
 * that is meant. */
static uint32_t mend_definition(struct compiler *compiler, const uint32_t *rows, size_t count,
                                size_t at, struct slice whole, struct slice part)
{
    struct buffer place = {.arena = compiler->scratch};
    buffer_add(&place, whole);
    buffer_add_byte(&place, '.');
    buffer_add(&place, part);
    if (!buffer_ok(&place) ||
        slice_equals(row_expression(compiler, rows[at]), buffer_slice(&place))) {
        return rows[at];
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(row_expression(compiler, rows[i]), buffer_slice(&place))) {
            return rows[i];
        }
    }
    return rows[at];
}

#define COMPONENTS_MOST 8

static bool find_components(struct compiler *compiler, const struct resource_extra_row *type,
                            yyjson_val *components, uint32_t *ret_rows)
{
    size_t i, max;
    yyjson_val *component;
    if (yyjson_arr_size(components) < 2 || yyjson_arr_size(components) > COMPONENTS_MOST) {
        return false;
    }
    yyjson_arr_foreach(components, i, max, component)
    {
        const struct source *source =
            source_find(&compiler->parameters, json_get_string(component, "definition"));
        if (source == NULL ||
            !find_row(compiler, type, json_get_string(source->root, "code"), &ret_rows[i])) {
            return false;
        }
    }
    return true;
}

/* Every parameter of the type is there: each component finds its own. One that does not leaves the
 * composite without components, and so not searchable. */
static enum status add_components(struct compiler *compiler, const struct source *source,
                                  const struct resource_extra_row *type, uint32_t owner)
{
    uint32_t rows[COMPONENTS_MOST], first = 0;
    yyjson_val *components = json_get(source->root, "component");
    size_t count = yyjson_arr_size(components);
    if (!find_components(compiler, type, components, rows)) {
        outcome_warn(compiler->outcome, "not-found", "SearchParameter.component",
                     "%.*s cannot be searched: a component is no search parameter of the same "
                     "resource type.",
                     SLICE_ARGS(source->file));
        return STATUS_OK;
    }
    struct slice whole = row_expression(compiler, owner);
    for (size_t i = 0; i < count; i++) {
        struct slice part = json_get_string(yyjson_arr_get(components, i), "expression");
        struct component_row row = {
            .parameter = mend_definition(compiler, rows, count, i, whole, part),
            .expression = compile_text(compiler, mend_type_names(compiler, part))};
        uint32_t number;
        struct component_row *kept = table_add(compiler, BLOB_COMPONENTS, sizeof *kept, 1, &number);
        if (kept == NULL) {
            return STATUS_MEMORY;
        }
        *kept = row;
        first = i == 0 ? number : first;
    }
    struct parameter_row *row = TABLE_ROW(compiler, BLOB_PARAMETERS, struct parameter_row, owner);
    row->first_component = first;
    row->component_count = (uint32_t)count;
    return STATUS_OK;
}

static enum status add_parameters(struct compiler *compiler, resource_type type,
                                  struct candidate *candidates, struct resource_extra_row *row)
{
    struct slice type_name =
        compiled_text(compiler, TABLE_ROW(compiler, BLOB_TYPES, struct type_row, type - 1u)->name);
    size_t count = 0, order = 0;
    for (const struct source *each = compiler->parameters.first; each != NULL; each = each->next) {
        struct slice code = json_get_string(each->root, "code");
        if (code.length > 0 && !is_example(each) && applies_to(compiler, each, type, type_name)) {
            candidates[count++] = (struct candidate){each, code, order++};
        }
    }
    if (count > 0) {
        qsort(candidates, count, sizeof *candidates, compare_candidates);
    }
    row->first_parameter = (uint32_t)TABLE_COUNT(compiler, BLOB_PARAMETERS, struct parameter_row);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_equals(candidates[i].code, candidates[i - 1].code)) {
            outcome_warn(compiler->outcome, "duplicate", "SearchParameter.code",
                         "%.*s is passed over: an earlier search parameter of a resource type "
                         "has its code.",
                         SLICE_ARGS(candidates[i].source->file));
            continue;
        }
        candidates[row->parameter_count++] = candidates[i];
        TRY(add_parameter(compiler, type, candidates[i].source, (uint16_t)row->parameter_count));
    }
    for (uint32_t i = 0; i < row->parameter_count; i++) {
        uint32_t owner = row->first_parameter + i;
        if (TABLE_ROW(compiler, BLOB_PARAMETERS, struct parameter_row, owner)->kind ==
            SEARCH_COMPOSITE) {
            TRY(add_components(compiler, candidates[i].source, row, owner));
        }
    }
    return STATUS_OK;
}

enum status compile_search(struct compiler *compiler)
{
    struct candidate *candidates =
        arena_array(compiler->arena, compiler->parameters.count + 1, sizeof *candidates);
    uint32_t first;
    if (candidates == NULL || table_add(compiler, BLOB_RESOURCES, sizeof(struct resource_extra_row),
                                        compiler->resource_count, &first) == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < compiler->resource_count; i++) {
        struct resource_extra_row row = {0};
        TRY(add_parameters(compiler, (resource_type)(i + 1), candidates, &row));
        *TABLE_ROW(compiler, BLOB_RESOURCES, struct resource_extra_row, i) = row;
    }
    return STATUS_OK;
}
