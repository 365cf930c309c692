/* SPDX-License-Identifier: MIT */
/* The manifest of a finished job (Bulk Data 2, "Response - Complete Status"). */
#include <stdio.h>

#include "bulk/bulk_int.h"

/* As exact as the store's own times: with it as the next _since nothing is missed or told twice. */
static void write_instant(int64_t instant, struct buffer *out)
{
    char text[INSTANT_LENGTH + 1];
    instant_write(instant, text); /* ends in milliseconds and Z */
    buffer_print(out, "\"%.*s%03lldZ\"", INSTANT_LENGTH - 1, text, (long long)(instant % 1000));
}

static void write_files(const struct job *job, enum file_kind kind, const char *name,
                        struct slice base_url, struct buffer *out)
{
    size_t count = 0;
    buffer_print(out, ",\"%s\":[", name);
    for (size_t i = 0; i < job->file_count; i++) {
        const struct job_file *file = &job->files[i];
        if (file->kind != kind) {
            continue;
        }
        buffer_print(out, "%s{\"type\":\"%.*s\",\"url\":", count++ > 0 ? "," : "",
                     SLICE_ARGS(file->type));
        struct buffer url = {.arena = out->arena};
        buffer_print(&url, "%.*s/$export/%s/%.*s", SLICE_ARGS(base_url), job->id,
                     SLICE_ARGS(file->name));
        buffer_add_json_string(out, buffer_slice(&url));
        buffer_print(out, ",\"count\":%llu}", (unsigned long long)file->count);
    }
    buffer_add_byte(out, ']');
}

void manifest_write(const struct job *job, struct slice base_url, struct buffer *out)
{
    buffer_add_text(out, "{\"transactionTime\":");
    write_instant(job->instant, out);
    buffer_add_text(out, ",\"request\":");
    buffer_add_json_string(out, job->ask.url);
    buffer_add_text(out, ",\"requiresAccessToken\":false"); /* until identity exists */
    write_files(job, FILE_OUTPUT, "output", base_url, out);
    write_files(job, FILE_DELETED, "deleted", base_url, out);
    write_files(job, FILE_ERROR, "error", base_url, out);
    buffer_add_byte(out, '}');
}
