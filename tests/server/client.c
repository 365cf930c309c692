/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE 10000

int client_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void client_send(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server has had enough */
        }
        at += sent;
        length -= (size_t)sent;
    }
}

void client_send_text(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

static bool wait_for(int fd, int milliseconds)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, milliseconds) == 1;
}

static bool read_byte(int fd, char *ret_byte)
{
    return wait_for(fd, PATIENCE) && recv(fd, ret_byte, 1, 0) == 1;
}

const char *answer_header(const struct answer *answer, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    for (const char *line = strstr(answer->head, "\r\n"); line != NULL && line[2] != '\0';
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            const char *end = strstr(line + 2, "\r\n");
            int size = end != NULL ? (int)(end - line - 4 - (int)length) : 0;
            snprintf(value, sizeof(value), "%.*s", size, line + 4 + length);
            return value;
        }
    }
    return NULL;
}

static bool read_head(int fd, struct answer *answer)
{
    size_t length = 0;
    answer->head[0] = '\0';
    while (length + 1 < sizeof(answer->head) && read_byte(fd, &answer->head[length])) {
        answer->head[++length] = '\0';
        if (length >= 4 && memcmp(answer->head + length - 4, "\r\n\r\n", 4) == 0) {
            return sscanf(answer->head, "HTTP/1.1 %d", &answer->http) == 1;
        }
    }
    return false;
}

struct answer client_read(int fd, bool head_only)
{
    struct answer answer = {0};
    if (!read_head(fd, &answer)) {
        answer.http = 0;
        answer.closed = true;
        answer.body = calloc(1, 1);
        return answer;
    }
    const char *length = answer_header(&answer, "Content-Length");
    bool none = head_only || length == NULL || answer.http == 304 || answer.http == 204;
    size_t wanted = none ? 0 : (size_t)strtoull(length, NULL, 10);
    answer.body = malloc(wanted + 1);
    assert_non_null(answer.body);
    while (answer.length < wanted && wait_for(fd, PATIENCE)) {
        ssize_t got = recv(fd, answer.body + answer.length, wanted - answer.length, 0);
        if (got <= 0) {
            answer.closed = true;
            break;
        }
        answer.length += (size_t)got;
    }
    answer.body[answer.length] = '\0';
    return answer;
}

void answer_free(struct answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

bool client_sees_close(int fd, int milliseconds)
{
    char drop[4096];
    int64_t end = time_monotonic() + (int64_t)milliseconds * 1000;
    for (int64_t now = 0; (now = time_monotonic()) < end;) {
        if (!wait_for(fd, (int)((end - now) / 1000) + 1)) {
            continue;
        }
        ssize_t got = recv(fd, drop, sizeof(drop), 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return true;
        }
    }
    return false;
}

struct answer client_ask(int port, const char *text)
{
    int fd = client_connect(port);
    client_send_text(fd, text);
    struct answer answer = client_read(fd, strncmp(text, "HEAD ", 5) == 0);
    answer.closed = answer.closed || client_sees_close(fd, 300);
    close(fd);
    return answer;
}
