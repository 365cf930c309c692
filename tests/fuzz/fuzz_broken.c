/* SPDX-License-Identifier: MIT */
/* Whatever the bytes: resource_read_json accepts what json_read accepts and nothing else, says what
 * is wrong with the rest, and what it takes to be meant can be located and written as JSON. The
 * definitions are those that CARELAYER_DEFINITIONS names. */
#include "fuzz.h"

static void write_meant(const struct json *json, struct arena *arena)
{
    struct buffer out = {.arena = arena};
    struct json back;
    for (size_t i = 0; i < json->doc->val_read; i++) {
        uint32_t line = 0, column = 0;
        json_position(json, json->root + i, &line, &column);
        must(line > 0 && column > 0);
    }
    json_write(json->root, NULL, NULL, &out);
    if (arena_full(arena)) {
        return;
    }
    enum status status = json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &back);
    must(status == STATUS_OK || arena_full(arena));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_create((size_t)2 << 20);
    struct slice text = slice_of((const char *)bytes, length);
    struct outcome outcome;
    struct json json, strict;
    must(arena != NULL);
    outcome_init(&outcome, arena);
    enum status status =
        resource_read_json(definitions_once(), text, &json_limits_default, arena, &outcome, &json);
    must((status == STATUS_OK) == (outcome.errors == 0) || arena_full(arena));
    enum status plain = json_read(text, &json_limits_default, arena, NULL, &strict);
    must(status == plain || arena_full(arena));
    if (json.root != NULL) {
        write_meant(&json, arena);
    }
    struct buffer out = {.arena = arena};
    outcome_write_json(&outcome, &out);
    arena_destroy(arena);
    return 0;
}
