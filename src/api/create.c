/* SPDX-License-Identifier: MIT */
/* create and conditional create (R4 http, "create"). */
#include "api/api_int.h"

struct creation {
    struct store_draft *draft;
    bool conditional;
    struct slice id; /* the one it gets when it is made */
    bool matched;    /* the condition met a resource: nothing was written */
    struct search_plan plan;
    struct store_written written;
};

static enum status give_id(struct request *request)
{
    char id[UUID_LENGTH + 1];
    if (request->id.length > 0) {
        return STATUS_OK; /* a transaction has promised one already */
    }
    random_uuid(id);
    request->id = arena_copy(request->arena, slice_text(id));
    return request->id.length > 0 ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status api_create_perform(struct request *request)
{
    struct creation *creation = ARENA_NEW(request->arena, struct creation);
    if (creation == NULL) {
        return STATUS_TOO_COSTLY;
    }
    request->perform_state = creation;
    struct slice criteria = request_header(request, "If-None-Exist");
    creation->conditional = criteria.length > 0;
    if (creation->conditional) {
        TRY(api_condition_plan(request, criteria, &creation->plan));
        TRY(api_condition_foresee(request, &creation->plan));
    }
    TRY(give_id(request));
    creation->id = request->id;
    subscribe_await_topic(request->service->subscribe, request->json.root);
    return api_make_draft(request, request->id, &creation->draft);
}

struct store_draft *api_create_draft(struct request *request)
{
    struct creation *creation = request->perform_state;
    return creation->draft;
}

/* The match of a conditional create: nothing is written, and the answer says what is there. */
static enum status answer_match(struct request *request, struct store_tx *tx, struct slice id)
{
    struct slice name = resource_type_name(request->service->definitions, request->type);
    struct store_version match;
    api_make_reading_room(request);
    TRY(store_read(tx, request->type, id, request->arena, &match));
    request->id = match.id;
    request_discloses_version(request, &match);
    request->response.http = 200;
    api_respond_headers(request, match.version, match.updated);
    request->response.location = slice_text(
        arena_print(request->arena, "%.*s/%.*s/%.*s/_history/%u", SLICE_ARGS(request->base_url),
                    SLICE_ARGS(name), SLICE_ARGS(match.id), match.version));
    request->response.body = (struct buffer){.arena = request->arena};
    /* Content kept beside the body is for a read to stream, not for the writer's thread. */
    bool open;
    TRY(binary_guard(request->service->definitions, tx, &match, request->arena, &open));
    return request->prefer_return == PREFER_REPRESENTATION && match.blob_length == 0 && open
               ? api_write_resource(request, &match, &request->response.body)
               : STATUS_OK;
}

enum status api_create_commit(struct request *request, struct store_tx *tx)
{
    struct creation *creation = request->perform_state;
    creation->matched = false;
    request->id = creation->id;
    if (creation->conditional) {
        struct store_version match;
        TRY(api_condition_find(request, tx, &creation->plan, &creation->matched, &match));
        if (creation->matched) {
            return answer_match(request, tx, match.id);
        }
    }
    struct store_condition condition = {.absent = true};
    TRY(api_check_references(request, tx, request->type, request->json.root));
    TRY(store_put(tx, creation->draft, STORE_CREATED, &condition, request->arena, &request->outcome,
                  &creation->written));
    api_note_written(request, &creation->written);
    return STATUS_OK;
}

void api_create_committed(struct request *request)
{
    struct creation *creation = request->perform_state;
    if (!creation->matched) {
        api_respond_written(request, creation->draft, &creation->written);
    }
}
