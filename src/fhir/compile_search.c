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

static bool kind_of(struct slice name, enum search_kind *ret_kind)
{
    static const char *const names[] = {
        [SEARCH_NUMBER] = "number",       [SEARCH_DATE] = "date",
        [SEARCH_STRING] = "string",       [SEARCH_TOKEN] = "token",
        [SEARCH_REFERENCE] = "reference", [SEARCH_COMPOSITE] = "composite",
        [SEARCH_QUANTITY] = "quantity",   [SEARCH_URI] = "uri",
        [SEARCH_SPECIAL] = "special"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(name, names[i])) {
            *ret_kind = (enum search_kind)i;
            return true;
        }
    }
    return false;
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
    if (!kind_of(json_get_string(source->root, "type"), &kind)) {
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
        row->parameter_count++;
        TRY(add_parameter(compiler, type, candidates[i].source, (uint16_t)row->parameter_count));
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
