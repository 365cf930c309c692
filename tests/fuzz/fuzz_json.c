/* SPDX-License-Identifier: MIT */
/* Whatever the bytes: json_read answers, and what it accepts can be located and written, and the
 * writing reads back to the same writing. */
#include "fuzz.h"

static void try_accepted(const struct json *json, struct arena *arena)
{
    for (size_t i = 0; i < json->doc->val_read; i++) {
        uint32_t line = 0, column = 0;
        json_position(json, json->root + i, &line, &column);
        must(line > 0 && column > 0);
    }
    struct buffer once = {.arena = arena}, again = {.arena = arena}, pretty = {.arena = arena};
    struct buffer changed = {.arena = arena};
    struct json back;
    json_write(json->root, NULL, NULL, &once);
    enum status status = json_read(buffer_slice(&once), &json_limits_default, arena, NULL, &back);
    must(status == STATUS_OK || arena_full(arena));
    if (status == STATUS_OK) {
        json_write(back.root, NULL, NULL, &again);
        must(arena_full(arena) || slice_equals(buffer_slice(&once), buffer_slice(&again)));
    }
    json_write_pretty(json->root, &pretty);
    yyjson_mut_doc *copy = json_mutable(arena, json->root);
    if (copy != NULL) {
        json_write_mutable(yyjson_mut_doc_get_root(copy), &changed);
        must(arena_full(arena) || slice_equals(buffer_slice(&once), buffer_slice(&changed)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_create((size_t)1 << 20);
    struct outcome outcome;
    struct json json;
    must(arena != NULL);
    outcome_init(&outcome, arena);
    enum status status = json_read(slice_of((const char *)bytes, length), &json_limits_default,
                                   arena, &outcome, &json);
    if (status == STATUS_OK) {
        try_accepted(&json, arena);
    } else {
        must(outcome.errors > 0);
    }
    struct buffer out = {.arena = arena};
    outcome_write_json(&outcome, &out);
    arena_destroy(arena);
    return 0;
}
