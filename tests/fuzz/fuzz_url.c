/* SPDX-License-Identifier: MIT */
/* References and percent-encoded text from outside. CARELAYER_DEFINITIONS names the compiled
 * definitions. */
#include "fuzz.h"

/* A part of TEXT, or nothing: a view that leaves the text is a bug. */
static void must_lie_in(struct slice part, struct slice text)
{
    if (part.length > 0 && (part.at < text.at || part.at + part.length > text.at + text.length)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct definitions *definitions = definitions_once();
    struct slice text = slice_of((const char *)data, size);
    struct reference reference =
        reference_parse(definitions, text, SLICE("https://our.example/fhir"));
    must_lie_in(reference.id, text);
    must_lie_in(reference.version, text);
    must_lie_in(reference.query, text);
    if (reference.kind == REFERENCE_LOCAL &&
        (reference.type == RESOURCE_TYPE_NONE || !resource_id_valid(reference.id))) {
        abort();
    }
    struct arena *arena = arena_create((size_t)1 << 20);
    if (arena == NULL) {
        return 0;
    }
    for (int plus = 0; plus < 2; plus++) {
        struct buffer out = {.arena = arena};
        if (url_decode(text, plus == 1, &out) && buffer_ok(&out) &&
            !slice_is_utf8(buffer_slice(&out))) {
            abort();
        }
    }
    arena_destroy(arena);
    return 0;
}
