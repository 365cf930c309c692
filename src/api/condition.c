/* SPDX-License-Identifier: MIT */
/* Conditional operations: criteria that must meet at most one resource, looked up inside the write
 * transaction, so that of many at once only one finds nothing. */
#include "api/api_int.h"

static enum status plan_arguments(struct request *request, const struct parameter *parameters,
                                  size_t count, struct search_plan *ret_plan)
{
    struct search_argument *arguments = arena_array(request->arena, count + 1, sizeof *arguments);
    if (arguments == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        arguments[i] = (struct search_argument){.name = parameters[i].name,
                                                .modifier = parameters[i].modifier,
                                                .value = parameters[i].value};
    }
    TRY(api_search_terms(request, parameters, count));
    struct search_options options = {.definitions = request->service->definitions,
                                     .terms = request->service->terms,
                                     .base_url = request->base_url,
                                     .learning = store_learning(request->service->store),
                                     .type = request->type,
                                     .conditional = true,
                                     .count_default = 2,
                                     .count_max = 2};
    TRY(search_plan_make(&options, arguments, count, request->arena, &request->outcome, ret_plan));
    ret_plan->query.count = 2;
    ret_plan->query.bodies = false;
    return STATUS_OK;
}

enum status api_condition_plan(struct request *request, struct slice query,
                               struct search_plan *ret_plan)
{
    if (query.length == 0) {
        return plan_arguments(request, request->parameters, request->parameter_count, ret_plan);
    }
    size_t mark = slice_index(query, '?'); /* "Patient?identifier=..." is written too */
    struct parameter *parameters;
    size_t count;
    TRY(parameters_parse(slice_from(query, mark < query.length ? mark + 1 : 0), request->arena,
                         &request->outcome, &parameters, &count));
    return plan_arguments(request, parameters, count, ret_plan);
}

enum status api_condition_find(struct request *request, struct store_tx *tx,
                               const struct search_plan *plan, bool *ret_found,
                               struct store_version *ret_version)
{
    struct store_page page;
    TRY(store_find(tx, &plan->query, request->arena, &request->outcome, &page));
    TRY(api_disclose_named(request, tx, &plan->query));
    *ret_found = page.count > 0;
    if (page.count > 1 || page.more) {
        return request_fail(request, STATUS_MULTIPLE, "",
                            "The criteria meet more than one resource: make them narrower.");
    }
    if (page.count == 1) {
        *ret_version = page.items[0];
    }
    return STATUS_OK;
}

enum status api_condition_spares(struct request *request, struct store_tx *tx, struct slice id)
{
    struct store_version other;
    enum status status = store_read(tx, request->type, id, request->arena, &other);
    if (status == STATUS_OK) {
        return request_fail(request, STATUS_CONFLICT, "id",
                            "The criteria meet nothing, but there is a resource with this id which "
                            "they do not meet: leave the id out to create another, or update by "
                            "id.");
    }
    return status == STATUS_NOT_FOUND || status == STATUS_GONE ? STATUS_OK : status;
}

enum status api_condition_foresee(struct request *request, const struct search_plan *plan)
{
    struct store_tx *tx;
    struct store_page page;
    struct outcome unheard;
    if (request->parent != NULL && !request->parent->children_independent) {
        return STATUS_OK; /* a transaction looks its conditions up itself */
    }
    outcome_init(&unheard, request->arena);
    TRY(request_snapshot(request, &tx));
    enum status status = store_find(tx, &plan->query, request->arena, &unheard, &page);
    return status == STATUS_TOO_COSTLY ? status : STATUS_OK;
}

/* ---- referential integrity ---- */

struct integrity {
    struct request *request;
    struct store_tx *tx;
    enum status status;
};

static void check_reference(void *context, const struct walk_value *value)
{
    struct integrity *integrity = context;
    struct request *request = integrity->request;
    if (integrity->status != STATUS_OK || value->parent_type != FHIR_TYPE_REFERENCE ||
        !slice_is(value->name, "reference")) {
        return;
    }
    struct reference reference = reference_parse(request->service->definitions,
                                                 json_string(value->value), request->base_url);
    if (reference.kind != REFERENCE_LOCAL) {
        return;
    }
    struct arena_mark mark = arena_mark(request->arena);
    struct store_version version;
    enum status status =
        store_read(integrity->tx, reference.type, reference.id, request->arena, &version);
    arena_rewind(request->arena, mark);
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        struct slice name = resource_type_name(request->service->definitions, reference.type);
        status = request_fail(request, STATUS_CONFLICT, "",
                              "A reference to a %.*s names nothing that is stored: write that "
                              "resource first, or both in one transaction.",
                              SLICE_ARGS(name));
    }
    integrity->status = status;
}

enum status api_check_references_now(struct request *request, struct store_tx *tx,
                                     resource_type type, yyjson_val *root)
{
    struct integrity integrity = {.request = request, .tx = tx};
    resource_walk(request->service->definitions, type, root, check_reference, &integrity);
    return integrity.status;
}

enum status api_check_references(struct request *request, struct store_tx *tx, resource_type type,
                                 yyjson_val *root)
{
    enum status status = STATUS_OK;
    if (!request->service->config->integrity || api_checked_later(request, type, root, &status)) {
        return status;
    }
    return api_check_references_now(request, tx, type, root);
}

enum status api_check_referrers_now(struct request *request, struct store_tx *tx)
{
    struct store_version referrer;
    enum status status =
        store_find_referrer(tx, request->type, request->id, request->arena, &referrer);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(status);
    struct slice name = resource_type_name(request->service->definitions, referrer.type);
    return request_fail(request, STATUS_CONFLICT, "",
                        "A %.*s still refers to this resource: change or delete that first, or "
                        "both in one transaction.",
                        SLICE_ARGS(name));
}

enum status api_check_referrers(struct request *request, struct store_tx *tx)
{
    enum status status = STATUS_OK;
    if (!request->service->config->integrity ||
        api_checked_later(request, request->type, NULL, &status)) {
        return status;
    }
    return api_check_referrers_now(request, tx);
}
