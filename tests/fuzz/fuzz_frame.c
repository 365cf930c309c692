/* SPDX-License-Identifier: MIT */
/* WebSocket frames from outside: whole and cut anywhere they must say the same. */
#include "http/frame.h"

#include "fuzz.h"

/* A hash of all that was read, up to the first broken frame. PIECE: bytes at a time. */
static uint64_t read_in(const uint8_t *data, size_t size, size_t piece)
{
    struct frame_reader reader = {0};
    struct slice rest = slice_of((const char *)data, size);
    uint64_t hash = 0;
    while (rest.length > 0) {
        struct slice part = slice_head(rest, piece);
        enum frame_opcode opcode = FRAME_TEXT;
        struct slice payload;
        size_t taken;
        unsigned code;
        enum frame_event event = frame_read(&reader, part, &taken, &opcode, &payload, &code);
        must(taken <= part.length && payload.length <= FRAME_MESSAGE_MOST);
        must(event != FRAME_NONE || taken == part.length);
        must(event != FRAME_MESSAGE || slice_is_utf8(payload));
        must(event != FRAME_BROKEN || code >= 1000);
        if (event != FRAME_NONE) {
            hash = hash * 31 + (uint64_t)event + slice_hash(payload) + code;
        }
        if (event == FRAME_BROKEN) {
            break;
        }
        rest = slice_from(rest, taken);
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = read_in(data, size, size > 0 ? size : 1);
    must(read_in(data, size, 1) == whole);
    must(read_in(data, size, 7) == whole);
    return 0;
}
