/* SPDX-License-Identifier: MIT */
/* A server with a walk that does what the path says:
 *   quick            answers at once, on the loop
 *   echo             answers what it was given, as JSON
 *   resumed          parks, and is resumed before request_start returned
 *   slow?MS          parks; a worker resumes it after so long
 *   elsewhere        respond is called on a worker
 *   large?BYTES      a body in memory
 *   Binary/raw?BYTES the same as application/octet-stream with a strong ETag
 *   Binary/pull?BYTES a pulled body
 *   broken?BYTES     a pulled body that fails half way
 *   missing          404 with an OperationOutcome
 *   unchanged        304
 *   created          201 with Location and a header with a line break in it
 * Bodies are the bytes of walk_byte. */
#ifndef CARELAYER_TESTS_WALK_H
#define CARELAYER_TESTS_WALK_H

#include "http/http.h"

struct test_server {
    struct config config;
    struct service service;
    struct http_server *http;
    struct arena *arena;
    struct outcome outcome;
    int port;
    char folder[64]; /* the data folder */
};

/* A server to be configured: then call server_start. */
void server_prepare(struct test_server *server);
void server_start(struct test_server *server);
/* Stops it and checks that no request is left and no arena memory is lost. */
void server_stop(struct test_server *server);

char walk_byte(uint64_t offset);
int walk_requests_alive(void);
int walk_requests_started(void);
uint64_t walk_bytes_pulled(void);

#endif
