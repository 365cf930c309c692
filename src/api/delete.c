/* SPDX-License-Identifier: MIT */
/* delete and conditional delete (R4 http, "delete"). What does not exist is as good as deleted. */
#include "api/api_int.h"

struct deletion {
    bool conditional;
    struct search_plan plan;
    struct store_condition condition;
    struct store_written written;
};

enum status api_delete_perform(struct request *request)
{
    struct deletion *deletion = ARENA_NEW(request->arena, struct deletion);
    if (deletion == NULL) {
        return STATUS_TOO_COSTLY;
    }
    request->perform_state = deletion;
    deletion->conditional = request->id.length == 0;
    TRY(api_if_match(request, &deletion->condition));
    if (deletion->conditional) {
        TRY(api_condition_plan(request, (struct slice){0}, &deletion->plan));
        return api_condition_foresee(request, &deletion->plan);
    }
    return STATUS_OK;
}

enum status api_delete_commit(struct request *request, struct store_tx *tx)
{
    struct deletion *deletion = request->perform_state;
    request->response.http = 204;
    if (deletion->conditional) {
        bool found;
        struct store_version match;
        TRY(api_condition_find(request, tx, &deletion->plan, &found, &match));
        if (!found) {
            return STATUS_OK;
        }
        request->id = match.id;
    }
    TRY(api_check_referrers(request, tx));
    api_make_reading_room(request); /* its index is taken out, by what it was */
    enum status status = store_delete(tx, request->type, request->id, &deletion->condition,
                                      request->arena, &request->outcome, &deletion->written);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status != STATUS_OK && status != STATUS_GONE) {
        return status;
    }
    request_discloses_of(request, request->type, deletion->written.patients,
                         deletion->written.patient_count);
    api_respond_headers(request, deletion->written.version, deletion->written.updated);
    return STATUS_OK;
}

void api_delete_committed(struct request *request)
{
    struct outcome fine;
    const struct deletion *deletion = request->perform_state;
    if (deletion->written.version > 0) {
        api_stored_changed(request, &deletion->written, (struct slice){0});
    }
    if (request->prefer_return == PREFER_OUTCOME) {
        outcome_init(&fine, request->arena);
        request->response.http = 200;
        outcome_write_json(&fine, &request->response.body);
    }
}
