/* SPDX-License-Identifier: MIT */
/* Patient/[id]/$everything (R4, operation Patient-everything): all that concerns one person, in the
 * order of the store, page by page. */
#include "api/api_int.h"

static enum status take_parameters(struct request *request, struct search_plan *plan)
{
    struct search_argument *arguments =
        arena_array(request->arena, request->parameter_count + 1, sizeof *arguments);
    size_t count = 0;
    if (arguments == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        if (slice_is(parameter->name, "start") || slice_is(parameter->name, "end")) {
            return request_fail(request, STATUS_PARAMETER, "",
                                "$everything does not support start and end: search by date "
                                "instead.");
        }
        arguments[count++] = (struct search_argument){
            .name = parameter->name, .modifier = parameter->modifier, .value = parameter->value};
        if (slice_is(parameter->name, "_since")) {
            struct buffer since = {.arena = request->arena};
            buffer_add_text(&since, "ge");
            buffer_add(&since, parameter->value);
            arguments[count - 1] = (struct search_argument){.name = SLICE("_lastUpdated"),
                                                            .value = buffer_slice(&since)};
        }
    }
    const struct config *config = request->service->config;
    struct search_options options = {.definitions = request->service->definitions,
                                     .base_url = request->base_url,
                                     .compartment = request->type,
                                     .compartment_id = request->id,
                                     .lenient = request->prefer_lenient,
                                     .count_default = (size_t)config->page_max,
                                     .count_max = (size_t)config->page_max};
    return search_plan_make(&options, arguments, count, request->arena, &request->outcome, plan);
}

enum status api_everything_perform(struct request *request)
{
    struct search_plan plan;
    struct store_tx *tx;
    struct store_page page;
    struct store_version patient;
    TRY(take_parameters(request, &plan));
    TRY(request_snapshot(request, &tx));
    enum status status = store_read(tx, request->type, request->id, request->arena, &patient);
    if (status == STATUS_GONE) {
        request_discloses_version(request, &patient);
    }
    if (status == STATUS_GONE || status == STATUS_NOT_FOUND) {
        return request_fail(request, status, "",
                            status == STATUS_GONE ? "The Patient was deleted; its _history shows "
                                                    "what it was."
                                                  : "There is no Patient of this id.");
    }
    TRY(status);
    plan.query.bytes = API_PAGE_BYTES;
    arena_raise(request->arena, 6 * API_PAGE_BYTES);
    TRY(store_find(tx, &plan.query, request->arena, &request->outcome, &page));
    TRY(api_respond_page(request, &plan, &page));
    /* That nothing of a kind is in a record is told of somebody too. */
    request_discloses_also(request, patient.patients, patient.patient_count);
    return STATUS_OK;
}
