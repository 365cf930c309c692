/* SPDX-License-Identifier: MIT */
/* Whatever the bytes: xml_read answers with errors or a document; what is in that can be located,
 * and when it was read without a problem it can be written, and the writing reads back to the same
 * JSON. The definitions are those that CARELAYER_DEFINITIONS names. */
#include "fuzz.h"

static void locate(const struct json *json)
{
    for (size_t i = 0; i < json->doc->val_read; i++) {
        uint32_t line = 0, column = 0;
        json_position(json, json->root + i, &line, &column);
        must(line > 0 && column > 0);
    }
}

/* The narrative is opaque here: what XHTML may hold is for validation, which comes before. */
static bool has_narrative(struct slice json)
{
    return memmem(json.at, json.length, "\"div\":", 6) != NULL;
}

static void write_back(const struct json *json, struct arena *arena)
{
    struct buffer xml = {.arena = arena}, once = {.arena = arena}, again = {.arena = arena};
    struct json back;
    enum status status = xml_write(definitions_once(), json->root, false, NULL, &xml);
    json_write(json->root, NULL, NULL, &once);
    if (arena_full(arena)) {
        return;
    }
    must(status == STATUS_OK);
    status =
        xml_read(definitions_once(), buffer_slice(&xml), &json_limits_default, arena, NULL, &back);
    if (arena_full(arena) || has_narrative(buffer_slice(&once))) {
        return;
    }
    must(status == STATUS_OK);
    json_write(back.root, NULL, NULL, &again);
    must(arena_full(arena) || slice_equals(buffer_slice(&once), buffer_slice(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_create((size_t)2 << 20);
    struct outcome outcome;
    struct json json;
    must(arena != NULL);
    outcome_init(&outcome, arena);
    enum status status = xml_read(definitions_once(), slice_of((const char *)bytes, length),
                                  &json_limits_default, arena, &outcome, &json);
    must(status == STATUS_OK || outcome.errors > 0 || arena_full(arena));
    must(status != STATUS_OK || json.root != NULL);
    if (json.root != NULL) {
        locate(&json);
        struct buffer out = {.arena = arena};
        json_write(json.root, NULL, NULL, &out);
    }
    if (status == STATUS_OK) {
        write_back(&json, arena);
    }
    arena_destroy(arena);
    return 0;
}
