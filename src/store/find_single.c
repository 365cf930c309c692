/* SPDX-License-Identifier: MIT */
/* store: of which parameters a resource has one value at most, so that two clauses about it are
 * about the same one. */
#include "find_int.h"

/* Does the element at the end of STEPS stand at most once in a resource? */
static bool is_single(const struct definitions *definitions, resource_type type,
                      const struct search_path *path)
{
    const struct element_tables *tables = definitions_tables(definitions);
    const struct type_row *row = resource_row(tables, type);
    for (size_t i = 0; i < path->count; i++) {
        const struct element_row *element =
            type_find_element(tables, row, path->steps[i].at, path->steps[i].length);
        if (element == NULL || element->max != 1) {
            return false;
        }
        row = element_type_row(tables, element);
    }
    return path->count > 0;
}

/* The name of a choice without its type: "effective". */
static struct slice stem_of(const struct definitions *definitions, resource_type type,
                            const struct search_path *path)
{
    const struct element_tables *tables = definitions_tables(definitions);
    const struct element_row *element = type_find_element(tables, resource_row(tables, type),
                                                          path->steps[0].at, path->steps[0].length);
    return element != NULL ? slice_head(path->steps[0], element->stem_length) : SLICE("");
}

bool parameter_is_single(const struct store *store, resource_type type,
                         const struct search_parameter *parameter)
{
    const struct definitions *definitions = store->definitions;
    if (type == RESOURCE_TYPE_NONE || !parameter->simple || parameter->path_count == 0) {
        return false;
    }
    struct slice stem = stem_of(definitions, type, &parameter->paths[0]);
    for (size_t i = 0; i < parameter->path_count; i++) {
        const struct search_path *path = &parameter->paths[i];
        bool alone = parameter->path_count == 1 || (path->count == 1 && stem.length > 0);
        if (!alone || !is_single(definitions, type, path) ||
            !slice_equals(stem_of(definitions, type, path), stem)) {
            return false;
        }
    }
    return true;
}
