/* SPDX-License-Identifier: MIT */
/* update, update-as-create and conditional update (R4 http, "update"). */
#include "api/api_int.h"

struct change {
    struct store_draft *draft;
    bool conditional;
    struct search_plan plan;
    struct store_condition condition;
    struct store_written written;
};

static enum status make_draft(struct request *request, struct change *change)
{
    return api_make_draft(request, request->id, &change->draft);
}

static enum status take_conditions(struct request *request, struct change *change)
{
    struct slice none_match = request_header(request, "If-None-Match");
    TRY(api_if_match(request, &change->condition));
    if (none_match.length > 0) {
        if (!slice_is(none_match, "*")) {
            return request_fail(request, STATUS_PRECONDITION, "",
                                "On an update If-None-Match can only be *: create, but replace "
                                "nothing.");
        }
        change->condition.absent = true;
    }
    return STATUS_OK;
}

/* Put in place of the whole, a part would lose the rest (R4 search, "_summary": "Servers SHOULD
 * mark the resources with the tag SUBSETTED to ensure that the incomplete resource is not
 * accidentally used to overwrite a complete resource"). */
static enum status check_whole(struct request *request)
{
    yyjson_val *tags = json_get(json_get(request->json.root, "meta"), "tag");
    size_t at, max;
    yyjson_val *tag;
    yyjson_arr_foreach(tags, at, max, tag)
    {
        struct slice system = json_get_string(tag, "system");
        bool ours = system.length == 0 || slice_ends(system, SLICE("/v3-ObservationValue"));
        if (ours && slice_is(json_get_string(tag, "code"), "SUBSETTED")) {
            return request_fail(request, STATUS_UNPROCESSABLE, "meta.tag",
                                "This is a part of a resource, as its tag SUBSETTED says: read "
                                "the whole by its id, change that and leave the tag out.");
        }
    }
    return STATUS_OK;
}

enum status api_update_perform(struct request *request)
{
    struct change *change = ARENA_NEW(request->arena, struct change);
    if (change == NULL) {
        return STATUS_TOO_COSTLY;
    }
    request->perform_state = change;
    change->conditional = request->id.length == 0;
    TRY(take_conditions(request, change));
    TRY(check_whole(request));
    subscribe_await_topic(request->service->subscribe, request->json.root);
    if (change->conditional) {
        TRY(api_condition_plan(request, (struct slice){0}, &change->plan));
        return api_condition_foresee(request, &change->plan);
    }
    return make_draft(request, change);
}

struct store_draft *api_update_draft(struct request *request)
{
    struct change *change = request->perform_state;
    return change->draft;
}

/* Which resource a conditional update is about is only known inside the transaction. */
static enum status choose_id(struct request *request, struct store_tx *tx, struct change *change)
{
    struct slice own = json_get_string(request->json.root, "id");
    struct store_version match;
    bool found;
    TRY(api_condition_find(request, tx, &change->plan, &found, &match));
    if (found && own.length > 0 && !slice_equals(own, match.id)) {
        return request_fail(request, STATUS_VALUE, "id",
                            "The criteria meet a resource with another id: leave the id out, or "
                            "update by id.");
    }
    if (found) {
        request->id = match.id;
    } else if (own.length > 0) {
        TRY(api_condition_spares(request, tx, own));
        request->id = own;
    } else {
        char id[UUID_LENGTH + 1];
        random_uuid(id);
        request->id = arena_copy(request->arena, slice_text(id));
    }
    return make_draft(request, change);
}

enum status api_update_commit(struct request *request, struct store_tx *tx)
{
    struct change *change = request->perform_state;
    if (change->conditional) {
        TRY(choose_id(request, tx, change));
    }
    TRY(api_check_references(request, tx, request->type, request->json.root));
    api_make_reading_room(request); /* what it replaces may be larger */
    TRY(store_put(tx, change->draft, STORE_UPDATED, &change->condition, request->arena,
                  &request->outcome, &change->written));
    api_note_written(request, &change->written);
    return STATUS_OK;
}

void api_update_committed(struct request *request)
{
    struct change *change = request->perform_state;
    api_respond_written(request, change->draft, &change->written);
}
