/* SPDX-License-Identifier: MIT */
/* A job's folder: what was asked, so that it can go on in another process; and its end. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bulk/bulk_int.h"

#define ASK      "job.json"
#define ASK_MOST ((size_t)64 << 20)

struct job *job_create(struct bulk *bulk, const char *id)
{
    struct arena *arena = arena_create(4 * ASK_MOST);
    struct job *job = arena != NULL ? ARENA_NEW(arena, struct job) : NULL;
    if (job == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    job->bulk = bulk;
    job->arena = arena;
    (void)snprintf(job->id, sizeof job->id, "%s", id);
    job->folder = arena_print(arena, "%s/%s", bulk->folder, job->id);
    job->begun = time_now();
    if (arena_full(arena)) {
        job_destroy(job);
        return NULL;
    }
    return job;
}

void job_destroy(struct job *job)
{
    arena_destroy(job->arena);
}

const char *job_path(const struct job *job, struct arena *arena, const char *name)
{
    return arena_print(arena, "%s/%s", job->folder, name);
}

bool job_ends(const struct job *job)
{
    return job->cancelled || job->bulk->stopping;
}

/* ---- what was asked -----------------------------------------------------------------------------
 */

static struct slice *copy_list(struct arena *arena, const struct slice *items, size_t count)
{
    struct slice *copies = arena_array(arena, count + 1, sizeof *copies);
    for (size_t i = 0; copies != NULL && i < count; i++) {
        copies[i] = arena_copy(arena, items[i]);
    }
    return copies;
}

static const struct bulk_filter *copy_filters(struct arena *arena, const struct bulk_ask *ask)
{
    struct bulk_filter *filters = arena_array(arena, ask->filter_count + 1, sizeof *filters);
    for (size_t i = 0; filters != NULL && i < ask->filter_count; i++) {
        const struct bulk_filter *from = &ask->filters[i];
        struct search_argument *arguments = arena_array(arena, from->count + 1, sizeof *arguments);
        for (size_t j = 0; arguments != NULL && j < from->count; j++) {
            arguments[j] =
                (struct search_argument){.name = arena_copy(arena, from->arguments[j].name),
                                         .modifier = arena_copy(arena, from->arguments[j].modifier),
                                         .value = arena_copy(arena, from->arguments[j].value)};
        }
        filters[i] = (struct bulk_filter){from->type, arguments, from->count};
    }
    return filters;
}

enum status job_take(struct job *job, const struct bulk_ask *ask)
{
    struct arena *arena = job->arena;
    job->ask = *ask;
    job->ask.group = arena_copy(arena, ask->group);
    job->ask.patients = copy_list(arena, ask->patients, ask->patient_count);
    job->ask.elements = copy_list(arena, ask->elements, ask->element_count);
    job->ask.notes = copy_list(arena, ask->notes, ask->note_count);
    job->ask.filters = copy_filters(arena, ask);
    job->ask.base_url = arena_copy(arena, ask->base_url);
    job->ask.url = arena_copy(arena, ask->url);
    job->ask.who = arena_copy(arena, ask->who);
    resource_type *types = arena_array(arena, ask->type_count + 1, sizeof *types);
    if (types != NULL && ask->type_count > 0) {
        memcpy(types, ask->types, ask->type_count * sizeof *types);
    }
    job->ask.types = types;
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- writing it ---------------------------------------------------------------------------------
 */

static void add_text(struct buffer *out, const char *name, struct slice text)
{
    buffer_print(out, ",\"%s\":", name);
    buffer_add_json_string(out, text);
}

static void add_list(struct buffer *out, const char *name, const struct slice *items, size_t count)
{
    buffer_print(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        buffer_add_json_string(out, items[i]);
    }
    buffer_add_byte(out, ']');
}

static void add_types(struct buffer *out, const struct definitions *definitions,
                      const struct bulk_ask *ask)
{
    buffer_add_text(out, ",\"types\":[");
    for (size_t i = 0; i < ask->type_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        buffer_add_json_string(out, resource_type_name(definitions, ask->types[i]));
    }
    buffer_add_byte(out, ']');
}

static void add_filters(struct buffer *out, const struct definitions *definitions,
                        const struct bulk_ask *ask)
{
    buffer_add_text(out, ",\"filters\":[");
    for (size_t i = 0; i < ask->filter_count; i++) {
        const struct bulk_filter *filter = &ask->filters[i];
        buffer_add_text(out, i > 0 ? ",[" : "[");
        buffer_add_json_string(out, resource_type_name(definitions, filter->type));
        for (size_t j = 0; j < filter->count; j++) {
            const struct slice parts[] = {filter->arguments[j].name, filter->arguments[j].modifier,
                                          filter->arguments[j].value};
            for (size_t k = 0; k < 3; k++) {
                buffer_add_byte(out, ',');
                buffer_add_json_string(out, parts[k]);
            }
        }
        buffer_add_byte(out, ']');
    }
    buffer_add_byte(out, ']');
}

enum status job_save(const struct job *job)
{
    const struct bulk_ask *ask = &job->ask;
    const struct definitions *definitions = job->bulk->options.definitions;
    struct arena *arena = arena_create(4 * ASK_MOST);
    struct buffer out = {.arena = arena};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    buffer_print(&out, "{\"level\":%d,\"begun\":%llu", (int)ask->level,
                 (unsigned long long)job->begun);
    if (ask->has_since) {
        buffer_print(&out, ",\"since\":%llu", (unsigned long long)ask->since);
    }
    add_text(&out, "group", ask->group);
    add_text(&out, "base", ask->base_url);
    add_text(&out, "url", ask->url);
    add_text(&out, "who", ask->who);
    add_list(&out, "patients", ask->patients, ask->patient_count);
    add_list(&out, "elements", ask->elements, ask->element_count);
    add_list(&out, "notes", ask->notes, ask->note_count);
    add_types(&out, definitions, ask);
    add_filters(&out, definitions, ask);
    buffer_add_text(&out, "}\n");
    const char *path = job_path(job, arena, ASK);
    enum status status = buffer_ok(&out) && !arena_full(arena) ? STATUS_OK : STATUS_MEMORY;
    if (status == STATUS_OK) {
        status = disk_make_directory(job->folder);
    }
    if (status == STATUS_OK) {
        status = disk_replace_file(path, buffer_slice(&out));
    }
    arena_destroy(arena);
    return status;
}

/* ---- reading it ---------------------------------------------------------------------------------
 */

static struct slice text_of(struct job *job, const yyjson_val *root, const char *name)
{
    return arena_copy(job->arena, json_get_string(root, name));
}

static const struct slice *list_of(struct job *job, const yyjson_val *root, const char *name,
                                   size_t *ret_count)
{
    yyjson_val *list = json_get(root, name);
    size_t count = yyjson_arr_size(list);
    struct slice *items = arena_array(job->arena, count + 1, sizeof *items);
    for (size_t i = 0; items != NULL && i < count; i++) {
        items[i] = arena_copy(job->arena, json_string(yyjson_arr_get(list, i)));
    }
    *ret_count = count;
    return items;
}

static enum status take_types(struct job *job, const yyjson_val *root)
{
    size_t count;
    const struct slice *names = list_of(job, root, "types", &count);
    resource_type *types = arena_array(job->arena, count + 1, sizeof *types);
    if (names == NULL || types == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        types[i] = resource_type_find(job->bulk->options.definitions, names[i]);
        if (types[i] == RESOURCE_TYPE_NONE) {
            return STATUS_CORRUPT; /* and no wider answer */
        }
    }
    job->ask.types = types;
    job->ask.type_count = count;
    return STATUS_OK;
}

static enum status take_filter(struct job *job, yyjson_val *list, struct bulk_filter *filter)
{
    size_t count = yyjson_arr_size(list);
    struct search_argument *arguments = arena_array(job->arena, count / 3 + 1, sizeof *arguments);
    filter->type =
        resource_type_find(job->bulk->options.definitions, json_string(yyjson_arr_get(list, 0)));
    filter->arguments = arguments;
    if (filter->type == RESOURCE_TYPE_NONE || count % 3 != 1) {
        return STATUS_CORRUPT;
    }
    for (size_t at = 1; arguments != NULL && at < count; at += 3) {
        arguments[filter->count++] = (struct search_argument){
            .name = arena_copy(job->arena, json_string(yyjson_arr_get(list, at))),
            .modifier = arena_copy(job->arena, json_string(yyjson_arr_get(list, at + 1))),
            .value = arena_copy(job->arena, json_string(yyjson_arr_get(list, at + 2)))};
    }
    return STATUS_OK;
}

static enum status take_filters(struct job *job, const yyjson_val *root)
{
    yyjson_val *list = json_get(root, "filters");
    size_t count = yyjson_arr_size(list);
    struct bulk_filter *filters = arena_array(job->arena, count + 1, sizeof *filters);
    if (filters == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(take_filter(job, yyjson_arr_get(list, i), &filters[i]));
    }
    job->ask.filters = filters;
    job->ask.filter_count = count;
    return STATUS_OK;
}

static enum status take_ask(struct job *job, yyjson_val *root)
{
    struct bulk_ask *ask = &job->ask;
    uint64_t level = json_get_unsigned(root, "level");
    if (!yyjson_is_obj(root) || level > BULK_GROUP || json_get(root, "filters") == NULL) {
        return STATUS_CORRUPT;
    }
    ask->level = (enum bulk_level)level;
    job->begun = (int64_t)json_get_unsigned(root, "begun");
    ask->has_since = json_get(root, "since") != NULL;
    ask->since = (int64_t)json_get_unsigned(root, "since");
    ask->group = text_of(job, root, "group");
    ask->base_url = text_of(job, root, "base");
    ask->url = text_of(job, root, "url");
    ask->who = text_of(job, root, "who");
    ask->patients = list_of(job, root, "patients", &ask->patient_count);
    ask->elements = list_of(job, root, "elements", &ask->element_count);
    ask->notes = list_of(job, root, "notes", &ask->note_count);
    TRY(take_types(job, root));
    TRY(take_filters(job, root));
    return arena_full(job->arena) ? STATUS_MEMORY : STATUS_OK;
}

enum status job_load(struct job *job)
{
    struct arena *arena = arena_create(4 * ASK_MOST);
    struct slice text;
    struct json json;
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = disk_read_file(job_path(job, arena, ASK), ASK_MOST, arena, &text);
    if (status == STATUS_OK) {
        status = json_read(text, &json_limits_default, arena, NULL, &json);
    }
    if (status == STATUS_OK) {
        status = take_ask(job, json.root);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? job_load_state(job) : status;
}

/* ---- the end ------------------------------------------------------------------------------------
 */

static void remove_in(const struct job *job, bool all)
{
    DIR *directory = opendir(job->folder);
    const struct dirent *entry;
    char path[4096];
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        bool says = strcmp(entry->d_name, ASK) == 0 || strncmp(entry->d_name, "state", 5) == 0;
        if (entry->d_name[0] == '.' || (says && !all)) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", job->folder, entry->d_name);
        (void)disk->unlink(path);
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

void job_remove_files(const struct job *job)
{
    remove_in(job, false);
}

void job_forget(const struct job *job)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", job->folder, ASK);
    (void)disk->unlink(path);
    if (disk_sync_directory(path) != STATUS_OK) {
        log_event(LOG_EXPORT_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(STATUS_IO)));
    }
}

/* Half removed it must not begin again. */
void job_remove(const struct job *job)
{
    job_forget(job);
    remove_in(job, true);
    (void)rmdir(job->folder);
}
