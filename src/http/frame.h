/* SPDX-License-Identifier: MIT */
/* WebSocket frames (RFC 6455, 5) as a server reads and writes them. */
#ifndef CARELAYER_HTTP_FRAME_H
#define CARELAYER_HTTP_FRAME_H

#include "base/base.h"

/* Nothing that a client has to say is longer, fragments together. */
#define FRAME_MESSAGE_MOST 4096
#define FRAME_CONTROL_MOST 125

enum frame_opcode {
    FRAME_CONTINUATION = 0,
    FRAME_TEXT = 1,
    FRAME_BINARY = 2,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10
};

/* Codes of a close frame (7.4.1). */
#define FRAME_NORMAL       1000
#define FRAME_GOING_AWAY   1001
#define FRAME_PROTOCOL     1002
#define FRAME_UNACCEPTABLE 1003
#define FRAME_NOT_UTF8     1007
#define FRAME_POLICY       1008
#define FRAME_TOO_BIG      1009
#define FRAME_TRY_LATER    1013

/* Zero-initialised it is at the beginning of a connection. */
struct frame_reader {
    uint8_t head[14]; /* of the frame being read */
    size_t have;      /* bytes of it */
    uint64_t left;    /* bytes of its payload still to come */
    bool in_payload;
    bool in_message; /* a text message has begun and is not final */
    char message[FRAME_MESSAGE_MOST];
    size_t length; /* of the message so far */
    char control[FRAME_CONTROL_MOST];
    size_t control_length;
    uint64_t taken; /* bytes of this frame's payload: where the mask is */
};

enum frame_event {
    FRAME_NONE,    /* more bytes are needed */
    FRAME_MESSAGE, /* a whole text message, well-formed UTF-8 */
    FRAME_CONTROL, /* a whole ping, pong or close */
    FRAME_BROKEN   /* close with *RET_CODE; feed no more */
};

/* Reads from BYTES up to the end of the next message or control frame. The payload lives until the
 * next call. Of a close frame *RET_CODE is the client's, or 0 for none. */
enum frame_event frame_read(struct frame_reader *reader, struct slice bytes, size_t *ret_taken,
                            enum frame_opcode *ret_opcode, struct slice *ret_payload,
                            unsigned *ret_code);

/* The head of a final frame, unmasked as a server's are, at most 10 bytes. */
#define FRAME_HEAD_MOST 10
size_t frame_write_head(enum frame_opcode opcode, uint64_t length,
                        uint8_t ret_head[static FRAME_HEAD_MOST]);

#endif
