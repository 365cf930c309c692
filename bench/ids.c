/* SPDX-License-Identifier: MIT */
#include "workload.h"

#define FILE_MAX ((size_t)256 << 20)

enum status work_read_lines(struct work *work, const char *path, struct slice **ret_lines,
                            size_t *ret_count)
{
    struct slice text;
    if (disk_read_file(path, FILE_MAX, work->arena, &text) != STATUS_OK) {
        return work_fail(work, STATUS_IO, "%s cannot be read.", path);
    }
    size_t most = 1;
    for (size_t i = 0; i < text.length; i++) {
        most += text.at[i] == '\n';
    }
    struct slice *lines = arena_array(work->arena, most, sizeof *lines);
    if (lines == NULL) {
        return work_fail(work, STATUS_MEMORY, "There is no memory for the lines of %s.", path);
    }
    size_t count = 0;
    while (text.at != NULL) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        if (line.length > 0) {
            lines[count++] = line;
        }
    }
    if (count == 0) {
        return work_fail(work, STATUS_REQUIRED, "%s has no line.", path);
    }
    *ret_lines = lines;
    *ret_count = count;
    return STATUS_OK;
}

/* The address of the next page, or the empty slice. */
static struct slice next_link(const yyjson_val *bundle)
{
    size_t i, count;
    yyjson_val *link;
    yyjson_val *links = json_get(bundle, "link");
    yyjson_arr_foreach(links, i, count, link)
    {
        if (slice_is(json_get_string(link, "relation"), "next")) {
            return json_get_string(link, "url");
        }
    }
    return SLICE("");
}

struct collection {
    struct slice *ids;
    size_t count, limit;
};

static void take_entries(struct work *work, const yyjson_val *bundle, struct collection *ids)
{
    size_t i, count;
    yyjson_val *entry;
    yyjson_val *entries = json_get(bundle, "entry");
    yyjson_arr_foreach(entries, i, count, entry)
    {
        const yyjson_val *resource = json_get(entry, "resource");
        struct slice type = json_get_string(resource, "resourceType");
        struct slice id = json_get_string(resource, "id");
        if (ids->count == ids->limit || id.length == 0 || slice_is(type, "OperationOutcome")) {
            continue;
        }
        const char *reference =
            arena_print(work->arena, "%.*s/%.*s", SLICE_ARGS(type), SLICE_ARGS(id));
        ids->ids[ids->count++] = slice_text(reference);
    }
}

/* Follows the pages of one type until there are LIMIT ids in all. */
static enum status search_type(struct work *work, struct slice type, struct collection *ids)
{
    struct slice path =
        slice_text(arena_print(work->arena, "%.*s?_count=1000&_elements=id", SLICE_ARGS(type)));
    while (path.length > 0 && ids->count < ids->limit) {
        int code;
        struct slice body;
        struct json json;
        if (target_get(work->target, path, work->arena, &code, &body) != STATUS_OK) {
            return work_fail(work, STATUS_IO, "The server does not answer HTTP at its base.");
        }
        if (code != 200 ||
            json_read(body, &json_limits_default, work->arena, NULL, &json) != STATUS_OK) {
            return work_fail(work, STATUS_INVALID,
                             "The search for ids of type %.*s got HTTP %d: give --ids FILE.",
                             SLICE_ARGS(type), code);
        }
        take_entries(work, json.root, ids);
        path = next_link(json.root);
    }
    return STATUS_OK;
}

enum status work_collect_ids(struct work *work, const char *types, struct slice **ret_ids,
                             size_t *ret_count)
{
    if (work->options->ids != NULL) {
        return work_read_lines(work, work->options->ids, ret_ids, ret_count);
    }
    struct slice names = slice_text(types);
    size_t type_count = 1;
    for (size_t i = 0; i < names.length; i++) {
        type_count += names.at[i] == ',';
    }
    size_t each = (size_t)work->options->limit / type_count;
    each = each == 0 ? 1 : each;
    struct collection ids = {0};
    ids.ids = arena_array(work->arena, each * type_count, sizeof *ids.ids);
    if (ids.ids == NULL) {
        return work_fail(work, STATUS_MEMORY, "There is no memory for the ids.");
    }
    while (names.at != NULL) {
        struct slice type = slice_cut(&names, ',');
        ids.limit = ids.count + each;
        TRY(search_type(work, type, &ids));
    }
    if (ids.count == 0) {
        return work_fail(work, STATUS_REQUIRED, "The server has no resource of type %s: load some.",
                         types);
    }
    *ret_ids = ids.ids;
    *ret_count = ids.count;
    return STATUS_OK;
}
