/* SPDX-License-Identifier: MIT */
/* Operational log: one line of JSON an event on stderr. Every event is a row of LOG_EVENTS and
 * every field a row of LOG_FIELDS with a privacy class, so "no patient data in logs" is a property
 * of two tables. There is no free text from outside: the message is fixed, the fields are typed.
 *
 * Privacy classes: PUBLIC may be shown to anyone; OPERATOR (addresses, paths of our own files)
 * stays with whoever runs the server. There is deliberately no class for personal data: no such
 * field can be written. */
#ifndef CARELAYER_BASE_LOG_H
#define CARELAYER_BASE_LOG_H

#include <stdint.h>

#include "slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_class { LOG_PUBLIC, LOG_OPERATOR };

/*    field               JSON name       kind    class                                           */
#define LOG_FIELDS(X)                                                                              \
    X(LOG_FIELD_STATUS, "status", TEXT, LOG_PUBLIC)                                                \
    X(LOG_FIELD_HTTP, "http", NUMBER, LOG_PUBLIC)                                                  \
    X(LOG_FIELD_INTERACTION, "interaction", TEXT, LOG_PUBLIC)                                      \
    X(LOG_FIELD_RESOURCE, "resource", TEXT, LOG_PUBLIC)                                            \
    X(LOG_FIELD_STAGE, "stage", TEXT, LOG_PUBLIC)                                                  \
    X(LOG_FIELD_MICROS, "micros", NUMBER, LOG_PUBLIC)                                              \
    X(LOG_FIELD_COUNT, "count", NUMBER, LOG_PUBLIC)                                                \
    X(LOG_FIELD_BYTES, "bytes", NUMBER, LOG_PUBLIC)                                                \
    X(LOG_FIELD_LIMIT, "limit", NUMBER, LOG_PUBLIC)                                                \
    X(LOG_FIELD_ERRNO, "errno", NUMBER, LOG_PUBLIC)                                                \
    X(LOG_FIELD_LIBRARY_CODE, "library_code", NUMBER, LOG_PUBLIC)                                  \
    X(LOG_FIELD_LIBRARY, "library", TEXT, LOG_PUBLIC)                                              \
    X(LOG_FIELD_VERSION, "version", TEXT, LOG_PUBLIC)                                              \
    X(LOG_FIELD_LAYOUT, "layout", NUMBER, LOG_PUBLIC)                                              \
    X(LOG_FIELD_PORT, "port", NUMBER, LOG_PUBLIC)                                                  \
    X(LOG_FIELD_ADDRESS, "address", TEXT, LOG_OPERATOR)                                            \
    X(LOG_FIELD_FILE, "file", TEXT, LOG_OPERATOR)                                                  \
    X(LOG_FIELD_REQUEST, "request", TEXT, LOG_PUBLIC)

/*    event                          level        fixed text                                      */
#define LOG_EVENTS(X)                                                                              \
    X(LOG_SERVER_STARTED, LOG_INFO, "server started")                                              \
    X(LOG_SERVER_STOPPING, LOG_INFO, "server stopping: finishing what it accepted")                \
    X(LOG_SERVER_STOPPED, LOG_INFO, "server stopped")                                              \
    X(LOG_REQUEST_DONE, LOG_DEBUG, "request answered")                                             \
    X(LOG_REQUEST_FAILED, LOG_WARNING, "request failed by our fault or the machine's")             \
    X(LOG_CONNECTION_REFUSED, LOG_WARNING, "connection refused: too many connections")             \
    X(LOG_CONNECTION_TIMEOUT, LOG_DEBUG, "connection closed: the client was too slow")             \
    X(LOG_STORE_OPENED, LOG_INFO, "store opened")                                                  \
    X(LOG_STORE_UPGRADING, LOG_INFO, "records are brought to this program's layout: please wait")  \
    X(LOG_STORE_CATCHING_UP, LOG_INFO, "whom each record concerns is found anew: please wait")     \
    X(LOG_STORE_FULL, LOG_ERROR, "disk full: writes are refused until there is space")             \
    X(LOG_STORE_RECOVERED, LOG_INFO, "disk has space again: writes are accepted")                  \
    X(LOG_STORE_FAILED, LOG_ERROR, "store operation failed")                                       \
    X(LOG_STORE_DICTIONARY, LOG_INFO, "compression dictionary trained")                            \
    X(LOG_EXPORT_FAILED, LOG_WARNING, "bulk export failed: its files are removed")                 \
    X(LOG_IMPORT_FAILED, LOG_WARNING, "import over HTTP failed: what it stored is safe")           \
    X(LOG_TOPIC_PASSED_OVER, LOG_WARNING, "a topic of a package is not supported: passed over")    \
    X(LOG_SUBSCRIPTION_ERROR, LOG_WARNING, "a subscriber cannot be told: subscription has failed") \
    X(LOG_SUBSCRIPTIONS_WAIT, LOG_WARNING, "subscriptions cannot go on: tried again")              \
    X(LOG_SUBSCRIPTIONS_TAKEN, LOG_INFO, "of the processes on the server this one tells")          \
    X(LOG_SUBSCRIPTIONS_LEFT, LOG_INFO, "another process on the server may tell subscribers now")  \
    X(LOG_AUDIT_FAILED, LOG_ERROR, "access log cannot be written: records are not disclosed")      \
    X(LOG_AUDIT_RECOVERED, LOG_INFO, "access log recovered: unfinished entries cut off")           \
    X(LOG_AUTH_OFF, LOG_WARNING, "rules are off: anyone on this machine can read everything")      \
    X(LOG_TLS_FAILED, LOG_WARNING, "TLS handshake failed")

enum log_field {
#define LOG_FIELD_ROW(name, json, kind, class) name,
    LOG_FIELDS(LOG_FIELD_ROW)
#undef LOG_FIELD_ROW
        LOG_FIELD_LAST
};

enum log_event {
#define LOG_EVENT_ROW(name, level, text) name,
    LOG_EVENTS(LOG_EVENT_ROW)
#undef LOG_EVENT_ROW
        LOG_EVENT_LAST
};

struct log_value {
    enum log_field field;
    int64_t number;
    const char *text; /* static text or a name that the definitions know; NULL for numbers */
};

#define LOG_NUMBER(field_, number_)                                                                \
    ((struct log_value){.field = (field_), .number = (int64_t)(number_)})
#define LOG_TEXT(field_, text_) ((struct log_value){.field = (field_), .text = (text_)})

/* Writes one event with up to eight fields: log_event(LOG_STORE_FULL, LOG_NUMBER(...), ...). */
void log_write(enum log_event event, const struct log_value *values, size_t count);
#define log_event(event, ...)                                                                      \
    log_write((event), (const struct log_value[]){__VA_ARGS__},                                    \
              sizeof((const struct log_value[]){__VA_ARGS__}) / sizeof(struct log_value))

/* Events below this level are not written (default LOG_INFO). */
void log_level_set(enum log_level level);

/* Where lines go: a file descriptor, stderr by default. Tests read a pipe. */
void log_target_set(int fd);

#endif
