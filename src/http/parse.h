/* SPDX-License-Identifier: MIT */
/* The parser of requests (RFC 9112): bytes in any splits -> a head, pieces of a body, the end. It
 * knows no sockets. llhttp does the grammar with every lenient flag off; the rules it lacks are
 * ours. One parser a connection; it stops after each message so that one request is in flight. */
#ifndef CARELAYER_HTTP_PARSE_H
#define CARELAYER_HTTP_PARSE_H

#include <llhttp.h>

#include "request/request.h"

/* Why a message is refused: the connection answers this and closes. */
struct failure {
    int http;          /* 0: none */
    const char *issue; /* issue-type code */
    const char *text;  /* static; never from the message */
};

/* Header fields that the transport itself looks at; empty: not sent (the first one, when repeated
 * without harm). */
struct known_headers {
    struct slice host, connection, expect, content_type, content_length, content_encoding;
    struct slice transfer_encoding;
    struct slice accept_encoding, origin, preflight_method, preflight_headers, request_id;
    struct slice range, if_range, if_none_match;
    unsigned host_count, transfer_encoding_count, content_length_count, content_encoding_count;
};

struct head {
    enum method method;
    unsigned minor;         /* of HTTP/1.minor */
    struct slice target;    /* as it came */
    struct slice path;      /* with slash in front, still encoded; "*" of OPTIONS * */
    struct slice query;     /* after '?' */
    struct slice authority; /* Host, or of an absolute-form target; safe characters only */
    struct header *headers; /* in the request's arena */
    size_t header_count;
    struct known_headers known;
    bool chunked;
    bool has_length;
    uint64_t length; /* of Content-Length */
    bool keep_alive; /* what the client asks for */
};

struct parser_events {
    /* The first byte of a request came: gives the arena that the head goes into, or NULL when
     * there is no memory. */
    struct arena *(*begin)(void *context);
    /* The head is whole and keeps to the rules. False: failed, with the failure set. */
    bool (*head)(void *context, const struct head *head, struct failure *ret_failure);
    /* A piece of the body, decoded from chunks; gone after the call. */
    bool (*body)(void *context, struct slice piece, struct failure *ret_failure);
};

enum parse_result {
    PARSE_MORE,   /* everything was taken; more is needed */
    PARSE_DONE,   /* a message ended; what follows it was not taken */
    PARSE_FAILED, /* see failure; the connection cannot go on. Of the head: what came whole */
};

enum parse_phase { PHASE_BETWEEN, PHASE_TARGET, PHASE_HEADERS, PHASE_BODY, PHASE_END };

struct parser {
    llhttp_t llhttp;
    const struct parser_events *events;
    void *context;
    struct head head;
    struct buffer text; /* target and fields of the head, each ended by NUL */
    struct failure failure;
    enum parse_phase phase;
    const char *piece; /* given to llhttp now */
    char tail[5];      /* the bytes before it */
    bool versioned;    /* the version has begun */
    bool after_cr;     /* between messages: a CR of an empty line came */
    unsigned blank;    /* empty lines before the request line */
    unsigned fields;   /* field names and values seen */
    size_t head_limit; /* bytes of a head, and of trailers and chunk extensions together */
    size_t head_bytes; /* so far */
    size_t trailing;   /* bytes of trailers and chunk extensions so far */
};

/* More field lines than this are refused, whatever their length. */
#define PARSER_MAX_FIELDS 128

void parser_init(struct parser *parser, const struct parser_events *events, void *context,
                 size_t head_limit);

/* Takes bytes; *RET_TAKEN of them were used. After PARSE_DONE call parser_next first. */
enum parse_result parser_feed(struct parser *parser, struct slice bytes, size_t *ret_taken);

/* Ready for the next message on the same connection. */
void parser_next(struct parser *parser);

/* The rules of a whole head beyond grammar: version, Host, Transfer-Encoding, target forms. Fills
 * path, query and authority of HEAD. */
bool head_check(struct head *head, struct failure *ret_failure);

/* Is this host[:port] of safe characters only (a name, IPv4, or [IPv6])? */
bool authority_is_safe(struct slice authority);

/* Fails with these; gives false back. */
bool failure_set(struct failure *failure, int http, const char *issue, const char *text);

#endif
