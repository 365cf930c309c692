/* SPDX-License-Identifier: MIT */
#include "frame.h"

static size_t head_length(const struct frame_reader *reader)
{
    if (reader->have < 2) {
        return 2;
    }
    unsigned length = reader->head[1] & 0x7f;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + 4;
}

static uint64_t payload_length(const struct frame_reader *reader)
{
    unsigned length = reader->head[1] & 0x7f;
    size_t bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    uint64_t value = bytes == 0 ? length : 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | reader->head[2 + i];
    }
    return value;
}

/* Rules of 5.2, 5.4 and 5.5; 0: it keeps to them. */
static unsigned check_head(const struct frame_reader *reader)
{
    unsigned opcode = reader->head[0] & 0x0f, short_length = reader->head[1] & 0x7f;
    uint64_t length = payload_length(reader);
    bool final = (reader->head[0] & 0x80) != 0, masked = (reader->head[1] & 0x80) != 0;
    bool control = opcode >= FRAME_CLOSE;
    bool known = opcode <= FRAME_BINARY || (opcode >= FRAME_CLOSE && opcode <= FRAME_PONG);
    bool least = short_length != 127 || (length > UINT16_MAX && length <= INT64_MAX);
    least = least && (short_length != 126 || length > 125);
    if ((reader->head[0] & 0x70) != 0 || !known || !masked || !least ||
        (control && (!final || short_length > 125))) {
        return FRAME_PROTOCOL;
    }
    if (control) {
        return 0;
    }
    if ((opcode == FRAME_CONTINUATION) != reader->in_message) {
        return FRAME_PROTOCOL;
    }
    if (opcode == FRAME_BINARY) {
        return FRAME_UNACCEPTABLE;
    }
    return length > FRAME_MESSAGE_MOST - reader->length ? FRAME_TOO_BIG : 0;
}

/* Codes that may stand in a close frame (7.4). */
static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1011 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum frame_event end_control(struct frame_reader *reader, enum frame_opcode opcode,
                                    struct slice *ret_payload, unsigned *ret_code)
{
    *ret_payload = slice_of(reader->control, reader->control_length);
    if (opcode != FRAME_CLOSE || reader->control_length == 0) {
        return FRAME_CONTROL;
    }
    if (reader->control_length == 1) {
        *ret_code = FRAME_PROTOCOL;
        return FRAME_BROKEN;
    }
    *ret_code = (unsigned)(uint8_t)reader->control[0] << 8 | (uint8_t)reader->control[1];
    if (!is_close_code(*ret_code)) {
        *ret_code = FRAME_PROTOCOL;
        return FRAME_BROKEN;
    }
    if (!slice_is_utf8(slice_from(*ret_payload, 2))) {
        *ret_code = FRAME_NOT_UTF8;
        return FRAME_BROKEN;
    }
    return FRAME_CONTROL;
}

static enum frame_event end_data(struct frame_reader *reader, bool final, struct slice *ret_payload,
                                 unsigned *ret_code)
{
    reader->in_message = !final;
    if (!final) {
        return FRAME_NONE;
    }
    *ret_payload = slice_of(reader->message, reader->length);
    reader->length = 0;
    if (!slice_is_utf8(*ret_payload)) {
        *ret_code = FRAME_NOT_UTF8;
        return FRAME_BROKEN;
    }
    return FRAME_MESSAGE;
}

/* Up to the end of the head; false: it is not whole yet. */
static bool take_head(struct frame_reader *reader, struct slice bytes, size_t *taken)
{
    while (*taken < bytes.length && reader->have < head_length(reader)) {
        reader->head[reader->have++] = (uint8_t)bytes.at[(*taken)++];
        /* An unmasked frame has no mask to wait for. */
        if (reader->have >= 2 && (reader->head[1] & 0x80) == 0) {
            return true;
        }
    }
    return reader->have >= 2 && reader->have == head_length(reader);
}

static void take_payload(struct frame_reader *reader, struct slice bytes, size_t *taken)
{
    const uint8_t *mask = reader->head + head_length(reader) - 4;
    bool control = (reader->head[0] & 0x0f) >= FRAME_CLOSE;
    while (*taken < bytes.length && reader->left > 0) {
        char byte = (char)((uint8_t)bytes.at[(*taken)++] ^ mask[reader->taken++ % 4]);
        if (control) {
            reader->control[reader->control_length++] = byte;
        } else {
            reader->message[reader->length++] = byte;
        }
        reader->left--;
    }
}

enum frame_event frame_read(struct frame_reader *reader, struct slice bytes, size_t *ret_taken,
                            enum frame_opcode *ret_opcode, struct slice *ret_payload,
                            unsigned *ret_code)
{
    *ret_taken = 0;
    *ret_payload = (struct slice){0};
    *ret_code = 0;
    for (;;) {
        if (!reader->in_payload) {
            if (!take_head(reader, bytes, ret_taken)) {
                return FRAME_NONE;
            }
            *ret_code = check_head(reader);
            if (*ret_code != 0) {
                return FRAME_BROKEN;
            }
            reader->in_payload = true;
            reader->left = payload_length(reader);
            reader->control_length = 0;
            reader->taken = 0;
        }
        take_payload(reader, bytes, ret_taken);
        if (reader->left > 0) {
            return FRAME_NONE;
        }
        bool final = (reader->head[0] & 0x80) != 0;
        *ret_opcode = (enum frame_opcode)(reader->head[0] & 0x0f);
        reader->in_payload = false;
        reader->have = 0;
        enum frame_event event = *ret_opcode >= FRAME_CLOSE
                                     ? end_control(reader, *ret_opcode, ret_payload, ret_code)
                                     : end_data(reader, final, ret_payload, ret_code);
        if (event != FRAME_NONE) {
            return event;
        }
    }
}

size_t frame_write_head(enum frame_opcode opcode, uint64_t length,
                        uint8_t ret_head[static FRAME_HEAD_MOST])
{
    size_t bytes = length < 126 ? 0 : length <= UINT16_MAX ? 2 : 8;
    ret_head[0] = (uint8_t)(0x80 | opcode);
    ret_head[1] = (uint8_t)(bytes == 0 ? length : bytes == 2 ? 126 : 127);
    for (size_t i = 0; i < bytes; i++) {
        ret_head[2 + i] = (uint8_t)(length >> (8 * (bytes - 1 - i)));
    }
    return 2 + bytes;
}
