/* SPDX-License-Identifier: MIT */
/* A client of bare sockets: it sends what no decent client would. */
#ifndef CARELAYER_TESTS_CLIENT_H
#define CARELAYER_TESTS_CLIENT_H

#include "base/base.h"

struct answer {
    int http;        /* 0: none, the connection ended or was silent */
    char head[8192]; /* NUL-terminated */
    char *body;      /* NUL-terminated, from malloc */
    size_t length;
    bool closed; /* the server closed after it */
};

int client_connect(int port);
void client_send(int fd, const void *bytes, size_t length);
void client_send_text(int fd, const char *text);

/* The next whole answer; HEAD_ONLY: it has no body. Bytes of further answers stay for the next
 * call on this descriptor. */
struct answer client_read(int fd, bool head_only);
void answer_free(struct answer *answer);

/* Connects, sends, reads one answer, sees whether the server closes within a second. */
struct answer client_ask(int port, const char *text);

/* The value of a header field of the answer, or NULL; in static storage. */
const char *answer_header(const struct answer *answer, const char *name);

/* Does the server close this connection within so long? What it sends before is dropped. */
bool client_sees_close(int fd, int milliseconds);

#endif
