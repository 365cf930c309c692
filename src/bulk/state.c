/* SPDX-License-Identifier: MIT */
/* How far a job is: saved after each whole file, so that nothing before it is done again. */
#include "bulk/bulk_int.h"

#define STATE      "state.json"
#define STATE_MOST ((size_t)64 << 20)

static void add_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_print(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void add_files(struct buffer *out, const struct job *job)
{
    buffer_add_text(out, ",\"files\":[");
    for (size_t i = 0; i < job->file_count; i++) {
        const struct job_file *file = &job->files[i];
        buffer_print(out, "%s{\"kind\":%d,\"type\":\"%.*s\",\"name\":\"%.*s\"", i > 0 ? "," : "",
                     (int)file->kind, SLICE_ARGS(file->type), SLICE_ARGS(file->name));
        add_number(out, "count", file->count);
        add_number(out, "bytes", file->bytes);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

enum status job_save_state(const struct job *job, enum bulk_state state)
{
    struct arena *arena = arena_create(STATE_MOST);
    struct buffer out = {.arena = arena};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    buffer_print(&out, "{\"state\":%d", (int)state);
    add_number(&out, "selected", job->selected);
    add_number(&out, "instant", (uint64_t)job->instant);
    add_number(&out, "finished", (uint64_t)job->finished);
    add_number(&out, "status", (uint64_t)job->status);
    add_number(&out, "offset", job->offset);
    add_number(&out, "all", job->all);
    add_number(&out, "written", job->written);
    add_number(&out, "withheld", job->withheld);
    add_number(&out, "missing", job->missing);
    add_number(&out, "nameless", job->nameless);
    add_number(&out, "many", job->people.many);
    buffer_add_text(&out, ",\"people\":[");
    for (size_t i = 0; i < job->people.count; i++) {
        buffer_print(&out, "%s%lu", i > 0 ? "," : "", (unsigned long)job->people.patients[i]);
    }
    buffer_add_byte(&out, ']');
    add_files(&out, job);
    buffer_add_text(&out, "}\n");
    const char *path = job_path(job, arena, STATE);
    enum status status = buffer_ok(&out) && !arena_full(arena)
                             ? disk_replace_file(path, buffer_slice(&out))
                             : STATUS_MEMORY;
    arena_destroy(arena);
    return status;
}

static enum status take_files(struct job *job, const yyjson_val *root)
{
    yyjson_val *list = json_get(root, "files");
    size_t count = yyjson_arr_size(list);
    struct job_file *files = arena_array(job->arena, count + 1, sizeof *files);
    for (size_t i = 0; files != NULL && i < count; i++) {
        const yyjson_val *item = yyjson_arr_get(list, i);
        uint64_t kind = json_get_unsigned(item, "kind");
        if (kind > FILE_ERROR) {
            return STATUS_CORRUPT;
        }
        files[i] = (struct job_file){.kind = (enum file_kind)kind,
                                     .type = arena_copy(job->arena, json_get_string(item, "type")),
                                     .name = arena_copy(job->arena, json_get_string(item, "name")),
                                     .count = json_get_unsigned(item, "count"),
                                     .bytes = json_get_unsigned(item, "bytes")};
    }
    job->files = files;
    job->file_count = count;
    job->file_capacity = count + 1;
    return arena_full(job->arena) ? STATUS_MEMORY : STATUS_OK;
}

static enum status take_people(struct job *job, const yyjson_val *root)
{
    yyjson_val *list = json_get(root, "people");
    size_t at, count;
    yyjson_val *item;
    job->people = (struct bulk_people){.many = json_get_unsigned(root, "many") != 0};
    if (!yyjson_is_arr(list)) { /* of before they were kept: nobody knows whom it tells of */
        job->people.many = true;
        return STATUS_OK;
    }
    yyjson_arr_foreach(list, at, count, item)
    {
        uint64_t patient;
        if (!slice_to_unsigned(json_number(item), UINT32_MAX, &patient)) {
            return STATUS_CORRUPT;
        }
        people_add(&job->people, (uint32_t)patient);
    }
    return STATUS_OK;
}

static enum status take_state(struct job *job, yyjson_val *root)
{
    uint64_t state = json_get_unsigned(root, "state"), status = json_get_unsigned(root, "status");
    if (!yyjson_is_obj(root) || state > BULK_FAILED || status >= STATUS_COUNT) {
        return STATUS_CORRUPT;
    }
    job->state = (enum bulk_state)state;
    job->selected = json_get_unsigned(root, "selected") != 0;
    job->instant = (int64_t)json_get_unsigned(root, "instant");
    job->finished = (int64_t)json_get_unsigned(root, "finished");
    job->status = (enum status)status;
    job->offset = json_get_unsigned(root, "offset");
    job->all = json_get_unsigned(root, "all");
    job->written = json_get_unsigned(root, "written");
    job->withheld = json_get_unsigned(root, "withheld");
    job->missing = json_get_unsigned(root, "missing");
    job->nameless = json_get_unsigned(root, "nameless");
    atomic_store(&job->done, job->written);
    TRY(take_people(job, root));
    return take_files(job, root);
}

enum status job_load_state(struct job *job)
{
    struct arena *arena = arena_create(2 * STATE_MOST);
    struct slice text;
    struct json json;
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = disk_read_file(job_path(job, arena, STATE), STATE_MOST, arena, &text);
    if (status == STATUS_OK) {
        status = json_read(text, &json_limits_default, arena, NULL, &json);
    } else if (status == STATUS_NOT_FOUND) {
        arena_destroy(arena);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = take_state(job, json.root);
    }
    arena_destroy(arena);
    return status;
}
