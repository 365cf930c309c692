/* SPDX-License-Identifier: MIT */
#include "parse.h"

bool failure_set(struct failure *failure, int http, const char *issue, const char *text)
{
    *failure = (struct failure){.http = http, .issue = issue, .text = text};
    return false;
}

/* llhttp has no room for our reasons, so a callback that fails leaves its own in the parser. */
static int refuse(struct parser *parser, int http, const char *issue, const char *text)
{
    failure_set(&parser->failure, http, issue, text);
    return HPE_USER;
}

/* ---- the head ------------------------------------------------------------------------------- */

static int add_text(struct parser *parser, const char *at, size_t length)
{
    buffer_add(&parser->text, slice_of(at, length));
    return 0;
}

static int end_text(struct parser *parser)
{
    buffer_add_byte(&parser->text, '\0');
    return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t length)
{
    return add_text(llhttp->data, at, length);
}

static int on_url_complete(llhttp_t *llhttp)
{
    struct parser *parser = llhttp->data;
    parser->phase = PHASE_HEADERS;
    return end_text(parser);
}

/* llhttp also reads RTSP and ICE, which nobody means here: what stands before the version must be
 * HTTP's name. Some of it may have come with an earlier piece. */
static int on_version(llhttp_t *llhttp, const char *at, size_t length)
{
    struct parser *parser = llhttp->data;
    (void)length;
    for (ptrdiff_t i = 1; i <= 5 && !parser->versioned; i++) {
        ptrdiff_t here = at - parser->piece;
        char byte = here >= i ? at[-i] : parser->tail[5 + here - i];
        if (byte != "HTTP/"[5 - i]) {
            return refuse(parser, 400, "structure", "This is no HTTP/1.1 request line.");
        }
    }
    parser->versioned = true;
    return 0;
}

static void keep_tail(struct parser *parser, struct slice piece)
{
    size_t keep = piece.length < sizeof(parser->tail) ? piece.length : sizeof(parser->tail);
    memmove(parser->tail, parser->tail + keep, sizeof(parser->tail) - keep);
    memcpy(parser->tail + sizeof(parser->tail) - keep, piece.at + piece.length - keep, keep);
}

/* Fields after the last chunk are trailers: nothing of ours needs one, so they are only counted. */
static bool is_trailer(struct parser *parser, size_t length)
{
    if (parser->phase != PHASE_BODY) {
        return false;
    }
    parser->trailing += length + 1;
    return true;
}

static int trailer_result(struct parser *parser)
{
    if (parser->trailing > parser->head_limit) {
        return refuse(parser, 431, "too-long", "The trailers or chunk extensions are too long.");
    }
    return 0;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t length)
{
    struct parser *parser = llhttp->data;
    if (is_trailer(parser, length)) {
        return trailer_result(parser);
    }
    return add_text(parser, at, length);
}

static int on_field_complete(llhttp_t *llhttp)
{
    struct parser *parser = llhttp->data;
    if (is_trailer(parser, 0)) {
        return trailer_result(parser);
    }
    parser->fields++;
    if (parser->fields > 2 * PARSER_MAX_FIELDS) {
        return refuse(parser, 431, "too-long", "There are too many header fields.");
    }
    return end_text(parser);
}

static int on_chunk_extension(llhttp_t *llhttp, const char *at, size_t length)
{
    struct parser *parser = llhttp->data;
    (void)at;
    parser->trailing += length + 1;
    return trailer_result(parser);
}

static enum method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
        return METHOD_GET;
    case HTTP_HEAD:
        return METHOD_HEAD;
    case HTTP_POST:
        return METHOD_POST;
    case HTTP_PUT:
        return METHOD_PUT;
    case HTTP_PATCH:
        return METHOD_PATCH;
    case HTTP_DELETE:
        return METHOD_DELETE;
    case HTTP_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
}

#define KNOWN(text_, member_)                                                                      \
    {                                                                                              \
        SLICE(text_), offsetof(struct known_headers, member_), NO_COUNT                            \
    }
#define COUNTED(text_, member_)                                                                    \
    {                                                                                              \
        SLICE(text_), offsetof(struct known_headers, member_),                                     \
            offsetof(struct known_headers, member_##_count)                                        \
    }
#define NO_COUNT SIZE_MAX

static const struct {
    struct slice name;
    size_t value, count; /* where in struct known_headers */
} known_names[] = {
    COUNTED("host", host),
    COUNTED("content-length", content_length),
    COUNTED("transfer-encoding", transfer_encoding),
    COUNTED("content-encoding", content_encoding),
    KNOWN("connection", connection),
    KNOWN("accept-encoding", accept_encoding),
    KNOWN("origin", origin),
    KNOWN("expect", expect),
    KNOWN("content-type", content_type),
    KNOWN("x-request-id", request_id),
    KNOWN("range", range),
    KNOWN("if-range", if_range),
    KNOWN("if-none-match", if_none_match),
    KNOWN("access-control-request-method", preflight_method),
    KNOWN("access-control-request-headers", preflight_headers),
};

static void note_known(struct known_headers *known, const struct header *header)
{
    for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++) {
        if (known_names[i].name.length != header->name.length ||
            !slice_equals_ignoring_case(known_names[i].name, header->name)) {
            continue;
        }
        struct slice *value = (struct slice *)(void *)((char *)known + known_names[i].value);
        if (value->at == NULL) {
            *value = header->value;
        }
        if (known_names[i].count != NO_COUNT) {
            (*(unsigned *)(void *)((char *)known + known_names[i].count))++;
        }
        return;
    }
}

static struct slice take_text(const char **at, const char *end)
{
    size_t length = strnlen(*at, (size_t)(end - *at));
    struct slice text = {*at, length};
    *at += length + (*at + length < end ? 1 : 0);
    return text;
}

/* Turns the NUL-separated text of the head into slices, now that it moves no more. */
static bool no_memory(struct parser *parser)
{
    return failure_set(&parser->failure, 503, "throttled",
                       "There is no memory for this request now: try again.");
}

static bool collect_head(struct parser *parser)
{
    struct head *head = &parser->head;
    size_t count = parser->fields / 2;
    if (!buffer_ok(&parser->text)) {
        return no_memory(parser);
    }
    const char *at = parser->text.at;
    const char *end = at + parser->text.length;
    head->target = take_text(&at, end);
    head->headers = arena_array(parser->text.arena, count, sizeof(*head->headers));
    if (head->headers == NULL) {
        return no_memory(parser);
    }
    for (size_t i = 0; i < count; i++) {
        head->headers[i].name = take_text(&at, end);
        head->headers[i].value = slice_trim(take_text(&at, end));
        note_known(&head->known, &head->headers[i]);
    }
    head->header_count = count;
    return true;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct parser *parser = llhttp->data;
    struct head *head = &parser->head;
    if (!collect_head(parser)) {
        return HPE_USER;
    }
    head->method = method_of(llhttp_get_method(llhttp));
    head->minor = llhttp_get_http_major(llhttp) == 1 ? llhttp_get_http_minor(llhttp) : 9;
    head->has_length = head->known.content_length_count > 0;
    head->length = head->has_length ? llhttp->content_length : 0;
    head->chunked = head->known.transfer_encoding_count > 0;
    head->keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    /* We never change protocol: an Upgrade field is ignored (RFC 9110, 7.8), while llhttp would
     * stop reading the message here. */
    llhttp->upgrade = 0;
    if (llhttp_get_method(llhttp) == HTTP_CONNECT) {
        return refuse(parser, 501, "not-supported", "This server is no proxy.");
    }
    if (!head_check(head, &parser->failure)) {
        return HPE_USER;
    }
    parser->phase = PHASE_BODY;
    return parser->events->head(parser->context, head, &parser->failure) ? 0 : HPE_USER;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t length)
{
    struct parser *parser = llhttp->data;
    return parser->events->body(parser->context, slice_of(at, length), &parser->failure) ? 0
                                                                                         : HPE_USER;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct parser *parser = llhttp->data;
    parser->phase = PHASE_END;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_version = on_version,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_field,
    .on_header_value_complete = on_field_complete,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- feeding -------------------------------------------------------------------------------- */

void parser_init(struct parser *parser, const struct parser_events *events, void *context,
                 size_t head_limit)
{
    *parser = (struct parser){.events = events, .context = context, .head_limit = head_limit};
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &settings);
    parser->llhttp.data = parser;
}

void parser_next(struct parser *parser)
{
    llhttp_reset(&parser->llhttp);
    parser->head = (struct head){0};
    parser->text = (struct buffer){0};
    parser->failure = (struct failure){0};
    parser->phase = PHASE_BETWEEN;
    parser->versioned = false;
    parser->after_cr = false;
    parser->blank = 0;
    parser->fields = 0;
    parser->head_bytes = 0;
    parser->trailing = 0;
}

/* Empty lines before a request line are skipped (RFC 9112, 2.2): a few, and whole CRLFs only.
 * Gives how many bytes they are; sets the failure when they are something else. */
static size_t skip_blank_lines(struct parser *parser, struct slice bytes)
{
    size_t i = 0;
    for (; i < bytes.length; i++) {
        char byte = bytes.at[i];
        if (parser->after_cr != (byte == '\n')) {
            failure_set(&parser->failure, 400, "structure",
                        "Lines must end with CR and LF together.");
            return i;
        }
        if (byte == '\n') {
            parser->after_cr = false;
            if (++parser->blank > 4) {
                failure_set(&parser->failure, 400, "structure",
                            "There are too many empty lines before the request line.");
                return i;
            }
        } else if (byte == '\r') {
            parser->after_cr = true;
        } else {
            return i;
        }
    }
    return i;
}

static void begin_message(struct parser *parser, char first)
{
    if (first < 'A' || first > 'Z') {
        failure_set(&parser->failure, 400, "structure", "This is no HTTP/1.1 request line.");
        return;
    }
    parser->phase = PHASE_TARGET;
    parser->text.arena = parser->events->begin(parser->context);
    if (parser->text.arena == NULL) {
        failure_set(&parser->failure, 503, "throttled",
                    "There is no memory for another request now: try again.");
    }
}

/* What llhttp found, in our words. */
static void explain(struct parser *parser, llhttp_errno_t error)
{
    struct failure *failure = &parser->failure;
    if (failure->http != 0) {
        return;
    }
    switch (error) {
    case HPE_INVALID_METHOD:
        failure_set(failure, 501, "not-supported", "This method is not known here.");
        return;
    case HPE_INVALID_VERSION:
        if (parser->llhttp.http_major == 1 && parser->llhttp.http_minor <= 1) {
            break; /* the version was fine, what follows it was not */
        }
        failure_set(failure, 505, "not-supported", "Speak HTTP/1.1 or HTTP/1.0.");
        return;
    case HPE_PAUSED_H2_UPGRADE:
        failure_set(failure, 505, "not-supported", "Speak HTTP/1.1 or HTTP/1.0.");
        return;
    case HPE_INVALID_URL:
        failure_set(failure, 400, "structure",
                    "The request target has characters that must be percent-encoded.");
        return;
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_UNEXPECTED_SPACE:
        failure_set(failure, 400, "structure",
                    "A header field has characters or spaces that are not allowed there.");
        return;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        failure_set(failure, 400, "structure",
                    "Send one Content-Length, a plain number, and no Transfer-Encoding beside it.");
        return;
    case HPE_INVALID_TRANSFER_ENCODING:
        failure_set(failure, 400, "structure",
                    "Send either Content-Length or Transfer-Encoding, not both.");
        return;
    case HPE_INVALID_CHUNK_SIZE:
        failure_set(failure, 400, "structure",
                    "A chunk size is hexadecimal digits only, without sign, prefix or space.");
        return;
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
    case HPE_STRICT:
        failure_set(failure, 400, "structure", "Lines must end with CR and LF together.");
        return;
    default:
        break;
    }
    failure_set(failure, 400, "structure", "The request is not well formed HTTP/1.1.");
}

/* As many bytes as may still belong to a head. llhttp hands over fields only and swallows the
 * spaces around them, so the bytes are counted on the way in. */
static bool bound_head(struct parser *parser, struct slice *bytes)
{
    size_t room = parser->head_limit - parser->head_bytes;
    if (room == 0) {
        bool target = parser->phase == PHASE_TARGET;
        return failure_set(&parser->failure, target ? 414 : 431, "too-long",
                           target ? "The request target is too long: send the search as a POST."
                                  : "The header section is too long.");
    }
    *bytes = slice_head(*bytes, room);
    parser->head_bytes += bytes->length;
    return true;
}

/* Of a head that broke off: how the refusal is to be written may stand in what came before. */
static void keep_whole_fields(struct parser *parser)
{
    struct failure failure = parser->failure;
    if (parser->phase == PHASE_HEADERS && parser->head.headers == NULL) {
        (void)collect_head(parser);
        parser->failure = failure;
    }
}

enum parse_result parser_feed(struct parser *parser, struct slice bytes, size_t *ret_taken)
{
    size_t taken = 0;
    if (parser->phase == PHASE_BETWEEN) {
        taken = skip_blank_lines(parser, bytes);
        if (parser->failure.http == 0 && taken < bytes.length) {
            begin_message(parser, bytes.at[taken]);
        }
    }
    while (parser->failure.http == 0 && taken < bytes.length) {
        struct slice piece = slice_from(bytes, taken);
        if (parser->phase < PHASE_BODY && !bound_head(parser, &piece)) {
            break;
        }
        parser->piece = piece.at;
        llhttp_errno_t error = llhttp_execute(&parser->llhttp, piece.at, piece.length);
        if (error == HPE_OK) {
            if (!parser->versioned) {
                keep_tail(parser, piece);
            }
            taken += piece.length;
            continue;
        }
        if (error == HPE_PAUSED && parser->phase == PHASE_END) {
            taken += (size_t)(llhttp_get_error_pos(&parser->llhttp) - piece.at);
            *ret_taken = taken;
            return PARSE_DONE;
        }
        explain(parser, error);
    }
    if (parser->failure.http != 0) {
        keep_whole_fields(parser);
    }
    *ret_taken = taken;
    return parser->failure.http != 0 ? PARSE_FAILED : PARSE_MORE;
}
