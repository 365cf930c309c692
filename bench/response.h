/* SPDX-License-Identifier: MIT */
/* One HTTP/1.1 response being read from a socket, byte run by byte run (RFC 9112, by llhttp):
 * Content-Length, chunked, until close, and the statuses that have no body (1xx, 204, 304).
 * The body is counted, and kept only when a buffer is given. */
#ifndef CARELAYER_BENCH_RESPONSE_H
#define CARELAYER_BENCH_RESPONSE_H

#include <llhttp.h>

#include "base/base.h"

enum response_state {
    RESPONSE_MORE,  /* feed more bytes */
    RESPONSE_DONE,  /* one whole response read */
    RESPONSE_BROKEN /* not HTTP, or closed in the middle */
};

#define RESPONSE_LOCATION_MAX 512

struct response {
    llhttp_t parser;
    enum response_state state;
    int status;           /* of the final response, 200..599 */
    bool keep_alive;      /* the connection may carry another request */
    bool began;           /* at least one byte was fed */
    uint64_t body_length; /* bytes of body, chunk framing excluded */
    uint64_t length;      /* bytes on the wire */
    struct buffer *keep;  /* where the body goes; NULL: nowhere */
    bool in_location;     /* reading the value of a Location header */
    char name[16];        /* the header name so far, lower case; longer ones are cut */
    size_t name_length;
    char location[RESPONSE_LOCATION_MAX]; /* not NUL-terminated */
    size_t location_length;               /* 0: none, or too long to keep */
};

/* Makes RESPONSE ready for the next response of its connection. KEEP may be NULL and must outlive
 * the reading. */
void response_start(struct response *response, struct buffer *keep);

/* Reads bytes. *RET_USED says how many belong to this response: fewer than LENGTH once it is done
 * and the server sent more than was asked for. */
enum response_state response_feed(struct response *response, const char *bytes, size_t length,
                                  size_t *ret_used);

/* The peer closed: done if the body was to last until then, broken otherwise. */
enum response_state response_closed(struct response *response);

/* The value of the Location header; empty when there is none. */
struct slice response_location(const struct response *response);

#endif
