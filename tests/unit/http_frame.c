/* SPDX-License-Identifier: MIT */
/* WebSocket frames (RFC 6455, 5). */
#include "http/frame.h"
#include "testing.h"

#define MASK "\x37\xfa\x21\x3d"

/* A client's frame: masked with MASK. */
static struct slice frame_of(struct arena *arena, uint8_t first, struct slice payload)
{
    struct buffer out = {.arena = arena};
    buffer_add_byte(&out, (char)first);
    if (payload.length < 126) {
        buffer_add_byte(&out, (char)(0x80 | payload.length));
    } else {
        buffer_add_byte(&out, (char)(0x80 | 126));
        buffer_add_byte(&out, (char)(payload.length >> 8));
        buffer_add_byte(&out, (char)payload.length);
    }
    buffer_add(&out, SLICE(MASK));
    for (size_t i = 0; i < payload.length; i++) {
        buffer_add_byte(&out, (char)(payload.at[i] ^ MASK[i % 4]));
    }
    return buffer_slice(&out);
}

struct read {
    enum frame_event event;
    enum frame_opcode opcode;
    struct slice payload;
    unsigned code;
};

static struct read read_all(struct frame_reader *reader, struct slice *bytes)
{
    struct read read = {0};
    size_t taken;
    read.event = frame_read(reader, *bytes, &taken, &read.opcode, &read.payload, &read.code);
    *bytes = slice_from(*bytes, taken);
    return read;
}

static void reads_a_text_however_it_comes(void **state)
{
    struct arena *arena = *state;
    struct frame_reader reader = {0};
    struct slice text = SLICE("Hello, \xe2\x82\xac");
    struct slice bytes = frame_of(arena, 0x81, text);
    assert_int_equal((uint8_t)bytes.at[6], 0x7f); /* as in 5.7: 'H' under this mask */
    struct slice rest = bytes;
    struct read read = read_all(&reader, &rest);
    assert_int_equal(read.event, FRAME_MESSAGE);
    assert_true(slice_equals(read.payload, text) && rest.length == 0);
    for (size_t i = 0; i < bytes.length; i++) { /* byte by byte */
        struct slice one = slice_of(bytes.at + i, 1);
        read = read_all(&reader, &one);
        assert_int_equal(read.event, i + 1 < bytes.length ? FRAME_NONE : FRAME_MESSAGE);
    }
    assert_true(slice_equals(read.payload, text));
}

static void puts_pieces_together_around_a_ping(void **state)
{
    struct arena *arena = *state;
    struct frame_reader reader = {0};
    struct buffer all = {.arena = arena};
    buffer_add(&all, frame_of(arena, 0x01, SLICE("\xe2\x82"))); /* a letter cut in two */
    buffer_add(&all, frame_of(arena, 0x89, SLICE("ping")));
    buffer_add(&all, frame_of(arena, 0x00, SLICE("\xac")));
    buffer_add(&all, frame_of(arena, 0x80, SLICE("")));
    struct slice rest = buffer_slice(&all);
    struct read read = read_all(&reader, &rest);
    assert_true(read.event == FRAME_CONTROL && read.opcode == FRAME_PING);
    assert_slice_is(read.payload, "ping");
    read = read_all(&reader, &rest);
    assert_true(read.event == FRAME_MESSAGE && rest.length == 0);
    assert_slice_is(read.payload, "\xe2\x82\xac");
}

static void says_which_rule_a_frame_breaks(void **state)
{
    struct arena *arena = *state;
    char big[FRAME_MESSAGE_MOST + 1];
    memset(big, 'x', sizeof big);
    const struct {
        struct slice bytes;
        unsigned code;
    } rows[] = {{SLICE("\x81\x02hi"), FRAME_PROTOCOL},               /* not masked */
                {frame_of(arena, 0xc1, SLICE("x")), FRAME_PROTOCOL}, /* RSV1 */
                {frame_of(arena, 0x83, SLICE("x")), FRAME_PROTOCOL}, /* unknown opcode */
                {frame_of(arena, 0x8b, SLICE("x")), FRAME_PROTOCOL}, /* unknown control */
                {frame_of(arena, 0x80, SLICE("x")), FRAME_PROTOCOL}, /* goes on with nothing */
                {frame_of(arena, 0x09, SLICE("x")), FRAME_PROTOCOL}, /* a ping in pieces */
                {frame_of(arena, 0x89, slice_of(big, 126)), FRAME_PROTOCOL}, /* a ping too long */
                {SLICE("\x81\xfe\x00\x05" MASK), FRAME_PROTOCOL},            /* 5 in two bytes */
                {SLICE("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" MASK), FRAME_PROTOCOL},
                {SLICE("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" MASK), FRAME_PROTOCOL},
                {SLICE("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK), FRAME_TOO_BIG},
                {frame_of(arena, 0x82, SLICE("x")), FRAME_UNACCEPTABLE},
                {frame_of(arena, 0x81, slice_of(big, sizeof big)), FRAME_TOO_BIG},
                {frame_of(arena, 0x81, SLICE("\xff")), FRAME_NOT_UTF8},
                {frame_of(arena, 0x88, SLICE("x")), FRAME_PROTOCOL},
                {frame_of(arena, 0x88, SLICE("\x03\xed")), FRAME_PROTOCOL}, /* 1005 */
                {frame_of(arena, 0x88, SLICE("\x03\xe8\xff")), FRAME_NOT_UTF8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct frame_reader reader = {0};
        struct slice rest = rows[i].bytes;
        struct read read = read_all(&reader, &rest);
        if (read.event != FRAME_BROKEN || read.code != rows[i].code) {
            fail_msg("row %zu: event %d, code %u", i, read.event, read.code);
        }
    }
    struct frame_reader reader = {0};
    struct slice rest = frame_of(arena, 0x81, slice_of(big, FRAME_MESSAGE_MOST));
    assert_int_equal(read_all(&reader, &rest).event, FRAME_MESSAGE);
    rest = frame_of(arena, 0x88,
                    SLICE("\x03\xe8"
                          "bye"));
    struct read read = read_all(&reader, &rest);
    assert_true(read.event == FRAME_CONTROL && read.code == FRAME_NORMAL);
    rest = frame_of(arena, 0x88, SLICE(""));
    assert_int_equal(read_all(&reader, &rest).code, 0);
}

static void writes_the_shortest_head(void **state)
{
    (void)state;
    uint8_t head[FRAME_HEAD_MOST];
    assert_int_equal(frame_write_head(FRAME_TEXT, 125, head), 2);
    assert_memory_equal(head, "\x81\x7d", 2);
    assert_int_equal(frame_write_head(FRAME_TEXT, 126, head), 4);
    assert_memory_equal(head, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(frame_write_head(FRAME_TEXT, 65535, head), 4);
    assert_int_equal(frame_write_head(FRAME_PONG, 65536, head), 10);
    assert_memory_equal(head, "\x8a\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(reads_a_text_however_it_comes),
        TEST_IN_ARENA(puts_pieces_together_around_a_ping),
        TEST_IN_ARENA(says_which_rule_a_frame_breaks),
        TEST_IN_ARENA(writes_the_shortest_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
