/* SPDX-License-Identifier: MIT */
/* An answer's head, and what form its body takes: whole, packed, a range, pulled, or none. */
#include "http_int.h"

/* Shorter bodies do not gain a packet by being packed. */
#define GZIP_FROM ((size_t)1 << 10)
/* Longer ones are packed by a worker: a loop must not stand still for milliseconds. */
#define GZIP_ON_LOOP ((size_t)16 << 10)
#define GZIP_LEVEL   1

#define FHIR_JSON "application/fhir+json; charset=utf-8"
#define FHIR_XML  "application/fhir+xml; charset=utf-8"

/* For everything that may hold a person's data: no sniffing, no copies in caches, and content of a
 * Binary runs nothing when a browser shows it. */
#define DATA_HEADERS "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
#define RAW_HEADERS  "Content-Security-Policy: default-src 'none'; sandbox\r\n"

static const char *reason_of(int http)
{
    switch (http) {
#define REASON(code, text)                                                                         \
    case code:                                                                                     \
        return text;
        REASON(200, "200 OK")
        REASON(201, "201 Created")
        REASON(202, "202 Accepted")
        REASON(204, "204 No Content")
        REASON(206, "206 Partial Content")
        REASON(302, "302 Found")
        REASON(304, "304 Not Modified")
        REASON(400, "400 Bad Request")
        REASON(401, "401 Unauthorized")
        REASON(403, "403 Forbidden")
        REASON(404, "404 Not Found")
        REASON(405, "405 Method Not Allowed")
        REASON(406, "406 Not Acceptable")
        REASON(408, "408 Request Timeout")
        REASON(409, "409 Conflict")
        REASON(410, "410 Gone")
        REASON(412, "412 Precondition Failed")
        REASON(413, "413 Content Too Large")
        REASON(414, "414 URI Too Long")
        REASON(415, "415 Unsupported Media Type")
        REASON(416, "416 Range Not Satisfiable")
        REASON(417, "417 Expectation Failed")
        REASON(421, "421 Misdirected Request")
        REASON(422, "422 Unprocessable Content")
        REASON(429, "429 Too Many Requests")
        REASON(431, "431 Request Header Fields Too Large")
        REASON(500, "500 Internal Server Error")
        REASON(501, "501 Not Implemented")
        REASON(503, "503 Service Unavailable")
        REASON(505, "505 HTTP Version Not Supported")
        REASON(507, "507 Insufficient Storage")
#undef REASON
    default:
        return NULL;
    }
}

/* ---- the head ------------------------------------------------------------------------------- */

/* Values come from records too: one with a line break in it would be a header of its own. */
static void add_header(struct buffer *out, struct slice name, struct slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.at[i];
        if ((byte < ' ' && byte != '\t') || byte == 127) {
            return;
        }
    }
    buffer_add(out, name);
    buffer_add(out, SLICE(": "));
    buffer_add(out, value);
    buffer_add(out, SLICE("\r\n"));
}

static void add_optional(struct buffer *out, struct slice name, struct slice value)
{
    if (value.length > 0) {
        add_header(out, name, value);
    }
}

static void begin_head(struct connection *connection, int http, struct buffer *out)
{
    struct loop *loop = connection->loop;
    arena_reset(loop->scratch, ARENA_REQUEST_BASE);
    *out = (struct buffer){.arena = loop->scratch};
    buffer_reserve(out, 1024);
    const char *reason = reason_of(http);
    buffer_add(out, SLICE("HTTP/1.1 "));
    if (reason != NULL) {
        buffer_add_text(out, reason);
    } else {
        buffer_print(out, "%d Status", http);
    }
    buffer_add(out, SLICE("\r\nDate: "));
    buffer_add(out, slice_of(loop_date(loop), HTTP_DATE_LENGTH));
    buffer_add(out, SLICE("\r\n"));
}

static void add_cors(struct connection *connection, struct buffer *out)
{
    const struct http_server *server = connection->loop->server;
    const struct known_headers *known = &connection->parser.head.known;
    if (server->service->config->cors.count == 0) {
        return;
    }
    buffer_add(out, SLICE("Vary: Origin\r\n"));
    if (!origin_allowed(server, known->origin)) {
        return;
    }
    add_header(out, SLICE("Access-Control-Allow-Origin"), known->origin);
    if (connection->route != ROUTE_OPTIONS) {
        buffer_add(out, SLICE("Access-Control-Expose-Headers: ETag, Location, Content-Location, "
                              "Last-Modified, X-Request-Id, Retry-After, Content-Range, "
                              "Content-Encoding, Expires, X-Progress\r\n"));
        return;
    }
    buffer_add(out, SLICE("Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\n"
                          "Access-Control-Max-Age: 86400\r\n"));
    add_optional(out, SLICE("Access-Control-Allow-Headers"), known->preflight_headers);
}

static void end_head(struct connection *connection, struct buffer *out)
{
    struct request *request = connection->request;
    add_cors(connection, out);
    if (request != NULL && request->id_text.length > 0) {
        add_header(out, SLICE("X-Request-Id"), request->id_text);
    }
    if (connection->tls) {
        buffer_add(out, SLICE("Strict-Transport-Security: max-age=31536000\r\n"));
    }
    connection->keep_alive = connection->keep_alive && !connection->loop->stopping;
    if (!connection->keep_alive) {
        buffer_add(out, SLICE("Connection: close\r\n"));
    } else if (connection->parser.head.minor == 0) {
        buffer_add(out, SLICE("Connection: keep-alive\r\n"));
    }
    buffer_add(out, SLICE("\r\n"));
}

static void add_length(struct buffer *out, uint64_t length)
{
    buffer_add(out, SLICE("Content-Length: "));
    buffer_add_unsigned(out, length);
    buffer_add(out, SLICE("\r\n"));
}

/* ---- a failure without a request ------------------------------------------------------------ */

static void write_json(const struct failure *failure, struct buffer *out)
{
    struct outcome outcome;
    struct issue issue = {
        .severity = SEVERITY_ERROR, .code = failure->issue, .text = slice_text(failure->text)};
    outcome_init(&outcome, out->arena);
    outcome_add(&outcome, &issue);
    outcome_write_json(&outcome, out);
}

/* A text of our own as the value of an attribute. */
static void add_attribute(struct buffer *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '&' || *at == '<' || *at == '"') {
            buffer_print(out, "&#%d;", *at);
        } else {
            buffer_add_byte(out, *at);
        }
    }
}

static void write_xml(const struct failure *failure, struct buffer *out)
{
    buffer_add_text(out, "<OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue><severity "
                         "value=\"error\"/><code value=\"");
    add_attribute(out, failure->issue);
    buffer_add_text(out, "\"/><details><text value=\"");
    add_attribute(out, failure->text);
    buffer_add_text(out, "\"/></details><diagnostics value=\"");
    add_attribute(out, failure->text);
    buffer_add_text(out, "\"/></issue></OperationOutcome>");
}

/* In the form that was asked for, as far as the request had come. Gives its content type. */
static const char *write_outcome(const struct connection *connection, const struct failure *failure,
                                 struct buffer *out)
{
    const struct head *head = &connection->parser.head;
    struct slice accept = {0};
    struct slice query = head->query;
    if (query.at == NULL && head->target.at != NULL) {
        size_t mark = slice_index(head->target, '?');
        query = slice_from(head->target, mark < head->target.length ? mark + 1 : mark);
    }
    for (size_t i = 0; i < head->header_count && accept.length == 0; i++) {
        if (slice_equals_ignoring_case(head->headers[i].name, SLICE("Accept"))) {
            accept = head->headers[i].value;
        }
    }
    if (format_asked(query, accept, out->arena) == FORMAT_XML) {
        write_xml(failure, out);
        return FHIR_XML;
    }
    write_json(failure, out);
    return FHIR_JSON;
}

void answer_failure(struct connection *connection, const struct failure *failure)
{
    struct buffer head;
    begin_head(connection, failure->http, &head);
    struct buffer body = {.arena = connection->loop->scratch};
    const char *type = write_outcome(connection, failure, &body);
    buffer_print(&head, "Content-Type: %s\r\n" DATA_HEADERS, type);
    if (failure->http == 503) {
        buffer_add(&head, SLICE("Retry-After: 1\r\n"));
    }
    add_length(&head, body.length);
    end_head(connection, &head);
    bool none = connection->parser.head.method == METHOD_HEAD;
    stream_write(connection, buffer_slice(&head), none ? (struct slice){0} : buffer_slice(&body),
                 false);
}

void answer_problem(struct connection *connection, int http, const char *issue, const char *text)
{
    const struct failure failure = {.http = http, .issue = issue, .text = text};
    struct response *response = &connection->request->response;
    response->http = http;
    response->content_type = write_outcome(connection, &failure, &response->body);
    answer_send(connection);
}

void answer_continue(struct connection *connection)
{
    if (!connection->expects) {
        return;
    }
    connection->expects = false;
    bufferevent_write(connection->socket, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* ---- packing -------------------------------------------------------------------------------- */

static bool is_text(const char *type)
{
    return type == NULL || strstr(type, "json") != NULL || strstr(type, "xml") != NULL ||
           strncmp(type, "text/", 5) == 0 || strstr(type, "javascript") != NULL;
}

/* Content can be had in parts, resources cannot: a part of one is no resource. */
static bool has_ranges(const struct connection *connection)
{
    const struct request *request = connection->request;
    const struct response *response = &request->response;
    return connection->route == ROUTE_FHIR && response->http == 200 &&
           (request->method == METHOD_GET || request->method == METHOD_HEAD) &&
           (response->pull != NULL ||
            (response->content_type != NULL && strstr(response->content_type, "fhir+") == NULL));
}

/* Not what can be had in parts: its entity tag is a strong one, and parts are cut out of what that
 * names (RFC 9110, 8.8.1 and 14.2). */
static bool wants_packing(const struct connection *connection)
{
    const struct response *response = &connection->request->response;
    return connection->route != ROUTE_APPS && !has_ranges(connection) &&
           response->body.length > GZIP_FROM && is_text(response->content_type) &&
           accepts_gzip(connection->parser.head.known.accept_encoding);
}

static void pack(struct connection *connection)
{
    struct request *request = connection->request;
    struct slice body = buffer_slice(&request->response.body);
    connection->packed = (struct buffer){.arena = request->arena};
    arena_raise(request->arena, arena_used(request->arena) + 2 * body.length + ARENA_REQUEST_BASE);
    enum status status = gzip_compress(body, GZIP_LEVEL, &connection->packed);
    bool pays = status == STATUS_OK && connection->packed.length < body.length / 10 * 9;
    connection->packing = pays ? PACKING_DONE : PACKING_REFUSED;
}

static void pack_on_worker(void *context, struct store_reader *reader)
{
    struct connection *connection = context;
    (void)reader;
    pack(connection);
    loop_resume(connection->request);
}

/* False: a worker packs it and comes back. */
static bool settle_packing(struct connection *connection)
{
    if (connection->packing != PACKING_OPEN) {
        return true;
    }
    if (!wants_packing(connection) || connection->request->method == METHOD_HEAD) {
        connection->packing = PACKING_REFUSED;
        return true;
    }
    if (connection->request->response.body.length > GZIP_ON_LOOP) {
        connection_submit(connection, TASK_GZIP, pack_on_worker);
        return false;
    }
    pack(connection);
    return true;
}

/* ---- ranges --------------------------------------------------------------------------------- */

struct part {
    uint64_t from, end; /* of the content */
    uint64_t whole;
    int http;
};

/* If-Range needs a strong validator to match (RFC 9110, 13.1.5). */
static struct part find_part(const struct connection *connection)
{
    const struct response *response = &connection->request->response;
    const struct known_headers *known = &connection->parser.head.known;
    uint64_t whole = response->pull != NULL ? response->pull_length : response->body.length;
    struct part part = {.end = whole, .whole = whole, .http = response->http};
    bool same = known->if_range.length == 0 || (!slice_starts(response->etag, SLICE("W/")) &&
                                                slice_equals(known->if_range, response->etag));
    enum status status = STATUS_OK;
    if (known->range.length > 0 && same && connection->request->method == METHOD_GET &&
        has_ranges(connection) &&
        range_parse(known->range, whole, &part.from, &part.end, &status)) {
        part.http = status == STATUS_OK ? 206 : 416;
    }
    return part;
}

static void add_range(const struct connection *connection, const struct part *part,
                      struct buffer *out)
{
    if (has_ranges(connection)) {
        buffer_add(out, SLICE("Accept-Ranges: bytes\r\n"));
    }
    if (part->http == 206) {
        buffer_print(out, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)part->from,
                     (unsigned long long)(part->end - 1), (unsigned long long)part->whole);
    } else if (part->http == 416) {
        buffer_print(out, "Content-Range: bytes */%llu\r\n", (unsigned long long)part->whole);
    }
}

/* ---- the answer to a request ---------------------------------------------------------------- */

static void add_fields(struct connection *connection, struct buffer *out)
{
    const struct response *response = &connection->request->response;
    if (connection->route != ROUTE_APPS) {
        buffer_add(out, SLICE(DATA_HEADERS));
    }
    add_optional(out, SLICE("ETag"), response->etag);
    if (response->last_modified != 0) {
        char date[HTTP_DATE_LENGTH + 1];
        http_date_write(response->last_modified, date);
        add_header(out, SLICE("Last-Modified"), slice_of(date, HTTP_DATE_LENGTH));
    }
    add_optional(out, SLICE("Location"), response->location);
    add_optional(out, SLICE("Content-Location"), response->content_location);
    for (size_t i = 0; i < response->header_count; i++) {
        add_header(out, response->headers[i].name, response->headers[i].value);
    }
}

static void add_type(const struct connection *connection, struct buffer *out)
{
    const struct response *response = &connection->request->response;
    if (response->content_type == NULL) {
        buffer_add(out, SLICE("Content-Type: " FHIR_JSON "\r\n"));
        return;
    }
    size_t before = out->length;
    add_header(out, SLICE("Content-Type"), slice_text(response->content_type));
    if (out->length == before) {
        buffer_add(out, SLICE("Content-Type: application/octet-stream\r\n"));
    }
    /* The apps bring a policy of their own; two policies would both hold. */
    if (connection->route != ROUTE_APPS && strstr(response->content_type, "fhir+") == NULL) {
        buffer_add(out, SLICE(RAW_HEADERS));
    }
}

static void add_body_fields(struct connection *connection, const struct part *part,
                            struct buffer *out)
{
    bool packed = connection->packing == PACKING_DONE;
    uint64_t length = packed ? connection->packed.length : part->end - part->from;
    if (part->http == 416) {
        length = 0;
    } else if (length > 0) {
        add_type(connection, out);
    }
    if (packed) {
        buffer_add(out, SLICE("Content-Encoding: gzip\r\n"));
    }
    if (wants_packing(connection) || packed) {
        buffer_add(out, SLICE("Vary: Accept-Encoding\r\n"));
    }
    add_range(connection, part, out);
    /* Of HEAD, the length is left out where GET would send a packed body (RFC 9110, 8.6). */
    if (connection->request->method != METHOD_HEAD || !wants_packing(connection)) {
        add_length(out, length);
    }
}

static struct slice body_of(const struct connection *connection, const struct part *part)
{
    const struct response *response = &connection->request->response;
    if (connection->packing == PACKING_DONE) {
        return buffer_slice(&connection->packed);
    }
    struct slice body = slice_from(buffer_slice(&response->body), (size_t)part->from);
    return slice_head(body, (size_t)(part->end - part->from));
}

void answer_send(struct connection *connection)
{
    struct request *request = connection->request;
    struct response *response = &request->response;
    if (!settle_packing(connection)) {
        return;
    }
    if (response->http == 0) {
        response->http = status_http(request->status);
    }
    struct part part = find_part(connection);
    bool no_body = part.http == 204 || part.http == 304;
    struct buffer head;
    begin_head(connection, part.http, &head);
    add_fields(connection, &head);
    if (!no_body) {
        add_body_fields(connection, &part, &head);
    }
    end_head(connection, &head);
    if (!buffer_ok(&head)) {
        connection_abort(connection);
        return;
    }
    bool none = no_body || request->method == METHOD_HEAD || part.http == 416;
    if (response->pull != NULL && !none) {
        connection->pull_offset = part.from;
        connection->pull_end = part.end;
    }
    stream_write(connection, buffer_slice(&head),
                 none || response->pull != NULL ? (struct slice){0} : body_of(connection, &part),
                 true);
}
