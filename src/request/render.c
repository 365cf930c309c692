/* SPDX-License-Identifier: MIT */
/* The form of an answer: interactions write JSON, most of it stored bytes; XML and indented JSON
 * are made of that at the end. */
#include "request/request_int.h"

bool render_is_needed(const struct request *request)
{
    const struct response *response = &request->response;
    return (request->format == FORMAT_XML || request->pretty) && response->content_type == NULL &&
           response->pull == NULL && response->body.length > 0;
}

enum status render(struct request *request)
{
    struct response *response = &request->response;
    struct slice text = buffer_slice(&response->body);
    struct buffer out = {.arena = request->arena};
    struct json json;
    /* The body is ours and of whatever size: reading and writing it takes a multiple of that. */
    const struct json_limits limits = {
        .bytes = text.length, .depth = JSON_DEPTH_MOST, .values = UINT32_MAX};
    arena_raise(request->arena, arena_used(request->arena) + ARENA_REQUEST_BASE + 12 * text.length);
    TRY(json_read(text, &limits, request->arena, NULL, &json));
    if (request->format == FORMAT_XML) {
        struct outcome *outcome = request->status == STATUS_OK ? &request->outcome : NULL;
        enum status status =
            xml_write(request->service->definitions, json.root, request->pretty, outcome, &out);
        if (status != STATUS_OK) {
            return status == STATUS_STRUCTURE ? STATUS_INTERNAL : status;
        }
        response->content_type = RENDER_XML_TYPE;
    } else {
        json_write_pretty(json.root, &out);
        buffer_add_byte(&out, '\n');
    }
    if (!buffer_ok(&out)) {
        response->content_type = NULL;
        return STATUS_TOO_COSTLY;
    }
    response->body = out;
    return STATUS_OK;
}
