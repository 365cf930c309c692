/* SPDX-License-Identifier: MIT */
/* The whole service in the process of a test, without sockets: definitions, store, access log and
 * workers are the real ones; only the door is the tests' own. */
#ifndef CARELAYER_TESTS_SERVICE_H
#define CARELAYER_TESTS_SERVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api.h"

#define SERVICE_BASE "http://127.0.0.1:8080/fhir"

/* One at a time. Settings may be changed between service_prepare and service_start. */
extern struct service service;
extern struct config service_config;

/* False: nothing moves the entries of writes into the access log, so that a request is all that
 * happens. Set before service_start. */
extern bool service_sequenced;

/* True: entries are checked in full, against profiles and value sets too. Set before service_start.
 */
extern bool service_validates;

/* Called around the walk of each request and each piece of its body that is pulled: where a test
 * makes things fail. NULL: nobody. */
extern void (*service_before_walk)(void);
extern void (*service_after_walk)(void);

/* Makes a new data folder. */
void service_prepare(void);
void service_start(void);

/* Stops and opens the same folder again. */
void service_restart(void);

/* Stops it and removes the folder. */
void service_stop(void);

/* Stops, counts the entries of the access log and hands each to VISIT (may be NULL); then start or
 * stop again. */
size_t service_log(void (*visit)(const struct audit_entry *entry, void *context), void *context);

/* How many access entries wait in the store that the log has not taken, in rows above the number
 * *LAST, which becomes that of the last. */
size_t service_outbox(uint64_t *last);

/* cmocka's setup and teardown of a test: a service with default settings. */
int service_setup(void **state);
int service_teardown(void **state);
#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, service_setup, service_teardown)

struct answer {
    int http;
    struct slice body;
    struct header headers[20];
    size_t header_count;
    size_t used; /* bytes of the request's arena */
    bool cut;    /* the body broke off while it was sent: a door closes the connection */
    struct arena *arena;
};

/* Who sends requests: one thread each. */
struct caller;
struct caller *caller_open(void);
void caller_close(struct caller *caller);

/* Sends one request and waits for its answer, which lives until the caller closes. PATH is below
 * the base, with query; HEADERS are "Name: value" lines or NULL. */
struct answer caller_send(struct caller *caller, const char *method, const char *path,
                          const char *headers, struct slice body);

/* The same with the body in a file, as the door does with long content. */
struct answer caller_send_file(struct caller *caller, const char *method, const char *path,
                               const char *headers, struct slice body);

/* The service's own. */
struct caller *service_caller(void);

/* By the service's own caller. BODY is text with ' for " , or NULL;
 * text_of makes one with arguments. */
struct answer ask(const char *method, const char *path, const char *headers, const char *body);
struct answer get(const char *path);

/* Sends a Bundle of TYPE ("batch", "transaction") with ENTRIES, the text between the brackets. */
struct answer send_bundle(const char *type, const char *entries);

/* A header of the answer; empty when there is none. */
struct slice answer_header(const struct answer *answer, const char *name);

/* The body's value at PATH ("entry.0.response.status"), or NULL; the empty path is the root. Of XML
 * it is what that is in JSON. */
yyjson_val *answer_value(const struct answer *answer, const char *path);
struct slice answer_text(const struct answer *answer, const char *path);

/* Both say what came instead. */
void assert_http(struct answer answer, int wanted);
void assert_text(struct answer answer, const char *path, const char *wanted);

/* How many entries the first page of a search has. */
size_t count_of(const char *search);

/* Memory until the service stops or starts again. */
struct arena *service_memory(void);

/* printf into the service's own memory. */
const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
