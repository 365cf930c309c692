/* SPDX-License-Identifier: MIT */
#include "response.h"

static struct response *response_of(llhttp_t *parser)
{
    return parser->data;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length)
{
    struct response *response = response_of(parser);
    for (size_t i = 0; i < length && response->name_length < sizeof response->name; i++) {
        char c = at[i];
        response->name[response->name_length++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return 0;
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct response *response = response_of(parser);
    response->in_location = slice_is(slice_of(response->name, response->name_length), "location");
    response->name_length = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct response *response = response_of(parser);
    if (!response->in_location) {
        return 0;
    }
    if (response->location_length + length > sizeof response->location) {
        response->in_location = false; /* half an address is worse than none */
        response->location_length = 0;
        return 0;
    }
    memcpy(response->location + response->location_length, at, length);
    response->location_length += length;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct response *response = response_of(parser);
    response->body_length += length;
    if (response->keep != NULL) {
        buffer_add(response->keep, slice_of(at, length));
    }
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct response *response = response_of(parser);
    int status = llhttp_get_status_code(parser);
    if (status < 200) {
        response->location_length = 0; /* an interim response: the final one follows */
        return 0;
    }
    response->status = status;
    response->keep_alive = llhttp_should_keep_alive(parser) != 0;
    response->state = RESPONSE_DONE;
    return HPE_PAUSED; /* so that nothing after this response is read as part of it */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void response_start(struct response *response, struct buffer *keep)
{
    llhttp_init(&response->parser, HTTP_RESPONSE, &settings);
    response->parser.data = response;
    response->state = RESPONSE_MORE;
    response->status = 0;
    response->keep_alive = false;
    response->began = false;
    response->body_length = 0;
    response->length = 0;
    response->keep = keep;
    response->in_location = false;
    response->name_length = 0;
    response->location_length = 0;
}

enum response_state response_feed(struct response *response, const char *bytes, size_t length,
                                  size_t *ret_used)
{
    *ret_used = 0;
    if (response->state != RESPONSE_MORE || length == 0) {
        return response->state;
    }
    response->began = true;
    llhttp_errno_t error = llhttp_execute(&response->parser, bytes, length);
    if (response->state == RESPONSE_DONE) {
        *ret_used = error == HPE_PAUSED ? (size_t)(llhttp_get_error_pos(&response->parser) - bytes)
                                        : length;
    } else if (error != HPE_OK) {
        response->state = RESPONSE_BROKEN;
    } else {
        *ret_used = length;
    }
    response->length += *ret_used;
    return response->state;
}

enum response_state response_closed(struct response *response)
{
    if (response->state == RESPONSE_MORE) {
        llhttp_errno_t error = llhttp_finish(&response->parser);
        bool whole = response->began && response->state == RESPONSE_DONE &&
                     (error == HPE_OK || error == HPE_PAUSED);
        response->state = whole ? RESPONSE_DONE : RESPONSE_BROKEN;
        response->keep_alive = false;
    }
    return response->state;
}

struct slice response_location(const struct response *response)
{
    return slice_of(response->location, response->location_length);
}
