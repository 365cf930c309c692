/* SPDX-License-Identifier: MIT */
/* JSON Patch from outside: {"doc": ..., "patch": ...}. A result must be a document that can be
 * written and read again. */
#include <stdlib.h>

#include "fhir/fhir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create((size_t)16 << 20);
    if (arena == NULL) {
        return 0;
    }
    struct outcome outcome;
    outcome_init(&outcome, arena);
    struct json json;
    struct slice text = slice_of((const char *)data, size);
    yyjson_mut_doc *result = NULL;
    if (json_read(text, &json_limits_default, arena, NULL, &json) == STATUS_OK &&
        json_get(json.root, "doc") != NULL &&
        patch_json_apply(json_get(json.root, "doc"), json_get(json.root, "patch"), arena, &outcome,
                         &result) == STATUS_OK) {
        struct buffer out = {.arena = arena};
        json_write_mutable(yyjson_mut_doc_get_root(result), &out);
        if (buffer_ok(&out)) {
            enum status status =
                json_read(buffer_slice(&out), &json_limits_default, arena, &outcome, &json);
            if (status == STATUS_STRUCTURE) {
                abort();
            }
        }
    }
    arena_destroy(arena);
    return 0;
}
