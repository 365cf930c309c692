/* SPDX-License-Identifier: MIT */
/* The FHIR server under load: its address, checked to be this machine, and a plain blocking client
 * for what is asked before the clock runs. */
#ifndef CARELAYER_BENCH_TARGET_H
#define CARELAYER_BENCH_TARGET_H

#include <sys/socket.h>

#include "base/base.h"

struct target {
    struct sockaddr_storage address;
    socklen_t address_length;
    struct slice host;    /* for the Host header: "127.0.0.1:8080" */
    struct slice path;    /* of the FHIR base, without a slash at its end: "/fhir" */
    struct slice headers; /* further header lines of every request, each with CRLF; may be empty */
};

/* Reads "http://HOST[:PORT][/PATH]". Only loopback addresses are accepted (127.0.0.0/8, [::1],
 * localhost): a load driver pointed at somebody else's machine is an attack. The slices live in
 * ARENA. STATUS_VALUE or STATUS_FORBIDDEN, with *RET_PROBLEM (static) saying what to mend. */
MUST_CHECK enum status target_parse(const char *url, struct arena *arena, struct target *ret_target,
                                    const char **ret_problem);

/* A connected socket with TCP_NODELAY, or -1 and errno. A NONBLOCKING one may still be
 * connecting. */
int target_connect(const struct target *target, bool nonblocking);

/* Writes "METHOD base/path HTTP/1.1" and the headers. PATH is relative to the base ("Patient/1")
 * unless it starts with "/" or "http://". With a body, BODY_LENGTH and TYPE are stated. */
void target_write_head(const struct target *target, const char *method, struct slice path,
                       struct slice type, size_t body_length, bool has_body, struct buffer *out);

/* GETs PATH on a connection of its own. STATUS_OK for any whole HTTP answer; the body lives in
 * ARENA. STATUS_IO: no connection or not HTTP; STATUS_MEMORY: it does not fit the arena. */
MUST_CHECK enum status target_get(const struct target *target, struct slice path,
                                  struct arena *arena, int *ret_code, struct slice *ret_body);

#endif
