/* SPDX-License-Identifier: MIT */
/* http: bytes <-> requests. HTTP/1.1 (RFC 9110, 9112) on libevent bufferevents and llhttp in strict
 * mode, TLS by OpenSSL; one event loop a core, each with its own listening socket
 * (SO_REUSEPORT), store reader and requests. */
#ifndef CARELAYER_HTTP_HTTP_H
#define CARELAYER_HTTP_HTTP_H

#include "request/request.h"

struct http_server;

/* Is base-url empty or a whole address? Explained; http_start needs it to be. */
MUST_CHECK enum status http_check_base_url(const struct config *config, struct outcome *outcome);

/* Binds and starts the loops. Refuses (STATUS_FORBIDDEN, with the reason) any address but loopback
 * while rules are off. *RET_PORT is the port bound. Paths: {base}/fhir/... are requests;
 * /healthz, /metrics and /apps/... are answered here; / redirects to the page. */
MUST_CHECK enum status http_start(struct service *service, struct outcome *outcome,
                                  struct http_server **ret_server, int *ret_port);

/* Graceful stop: closes the listening sockets, ends idle connections, finishes what was accepted
 * for at most config stop-timeout, then closes the rest. Blocks. */
void http_stop(struct http_server *server);

#endif
