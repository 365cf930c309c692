/* SPDX-License-Identifier: MIT */
/* Base64, percent-encoding and gzip from any bytes, and each back from its own writing. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct slice text = slice_of((const char *)bytes, length);
    struct arena *arena = arena_create((size_t)8 << 20);
    must(arena != NULL);
    struct buffer a = {.arena = arena}, b = {.arena = arena}, c = {.arena = arena};
    struct buffer d = {.arena = arena}, e = {.arena = arena}, f = {.arena = arena};
    base64_write(text, &a);
    must(base64_parse(buffer_slice(&a), false, &b) && slice_equals(buffer_slice(&b), text));
    b.length = 0;
    (void)base64_parse(text, true, &b);
    buffer_add_url(&c, text, false);
    bool plain = slice_is_utf8(text) && slice_index(text, '\0') == text.length;
    must(url_decode(buffer_slice(&c), true, &d) == plain);
    (void)url_decode(text, true, &d);
    (void)!gzip_inflate(text, (size_t)1 << 20, &e);
    e.length = 0;
    must(gzip_compress(text, 1, &e) == STATUS_OK);
    must(gzip_inflate(buffer_slice(&e), length, &f) == STATUS_OK);
    must(slice_equals(buffer_slice(&f), text));
    arena_destroy(arena);
    return 0;
}
