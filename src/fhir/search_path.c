/* SPDX-License-Identifier: MIT */
#include "fhir/fhir_int.h"

struct path_walk {
    const struct search_path *path;
    search_visit *visit;
    void *context;
};

static bool filter_holds(const struct search_path *path, size_t step, yyjson_val *value)
{
    if (path->filter_name.length == 0 || step != path->filter_step) {
        return true;
    }
    yyjson_val *member = yyjson_obj_getn(value, path->filter_name.at, path->filter_name.length);
    return slice_equals(json_string(member), path->filter_value);
}

static void walk_step(const struct path_walk *walk, yyjson_val *value, size_t step)
{
    if (yyjson_is_arr(value)) {
        size_t i, max;
        yyjson_val *item;
        yyjson_arr_foreach(value, i, max, item)
        {
            /* Arrays do not nest in FHIR; what does is no value. */
            if (!yyjson_is_arr(item)) {
                walk_step(walk, item, step);
            }
        }
        return;
    }
    if (value == NULL || yyjson_is_null(value) || !filter_holds(walk->path, step, value)) {
        return;
    }
    if (step == walk->path->count) {
        walk->visit(walk->context, walk->path, value);
        return;
    }
    const struct slice *name = &walk->path->steps[step];
    walk_step(walk, yyjson_obj_getn(value, name->at, name->length), step + 1);
}

void search_path_walk(const struct search_path *path, yyjson_val *resource, search_visit *visit,
                      void *context)
{
    struct path_walk walk = {path, visit, context};
    walk_step(&walk, resource, 0);
}
