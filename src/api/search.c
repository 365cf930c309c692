/* SPDX-License-Identifier: MIT */
/* Search of a type, a compartment and the system (R4 search). */
#include "api/api_int.h"

static struct slice page_url(struct request *request, const struct search_plan *plan,
                             struct slice cursor)
{
    struct buffer url = {.arena = request->arena};
    struct slice target = request->target;
    if (slice_is(target, "_search")) {
        target = (struct slice){0};
    } else if (slice_ends(target, SLICE("/_search"))) {
        target.length -= strlen("/_search"); /* links are followed with GET */
    }
    buffer_add(&url, request->base_url);
    buffer_add_byte(&url, '/');
    buffer_add(&url, target);
    if (slice_ends(target, request->id) && request->compartment != RESOURCE_TYPE_NONE &&
        request->type == RESOURCE_TYPE_NONE) {
        buffer_add_text(&url, "/*"); /* POST Patient/1/_search */
    }
    struct buffer query = {.arena = request->arena};
    search_plan_write_query(plan, cursor, &query);
    if (query.length > 0) {
        buffer_add_byte(&url, '?');
        buffer_add(&url, buffer_slice(&query));
    }
    return buffer_slice(&url);
}

/* What lenient handling left out is told in the Bundle itself. */
static void add_ignored(struct bundle_writer *writer, const struct search_plan *plan)
{
    struct request *request = writer->request;
    struct outcome outcome;
    if (plan->ignored_count == 0) {
        return;
    }
    outcome_init(&outcome, request->arena);
    for (size_t i = 0; i < plan->ignored_count; i++) {
        outcome_warn(&outcome, "not-supported", "",
                     "Search parameter '%.*s' was ignored: the answer is not what was asked for, "
                     "and may be wider.",
                     SLICE_ARGS(plan->ignored[i]));
    }
    buffer_add_text(writer->out, writer->entries++ == 0 ? ",\"entry\":[" : ",");
    buffer_add_text(writer->out, "{\"resource\":");
    outcome_write_json(&outcome, writer->out);
    buffer_add_text(writer->out, ",\"search\":{\"mode\":\"outcome\"}}");
}

static enum status plan_search(struct request *request, struct search_plan *ret_plan)
{
    const struct config *config = request->service->config;
    struct search_argument *arguments =
        arena_array(request->arena, request->parameter_count + 1, sizeof *arguments);
    if (arguments == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        arguments[i] = (struct search_argument){
            .name = parameter->name, .modifier = parameter->modifier, .value = parameter->value};
    }
    TRY(api_search_terms(request, request->parameters, request->parameter_count));
    struct search_options options = {.definitions = request->service->definitions,
                                     .terms = request->service->terms,
                                     .conformance = request->service->conformance,
                                     .base_url = request->base_url,
                                     .learning = store_learning(request->service->store),
                                     .type = request->type,
                                     .compartment = request->compartment,
                                     .compartment_id = request->id,
                                     .lenient = request->prefer_lenient,
                                     .contained = true,
                                     .count_default = (size_t)config->page,
                                     .count_max = (size_t)config->page_max};
    TRY(search_plan_make(&options, arguments, request->parameter_count, request->arena,
                         &request->outcome, ret_plan));
    ret_plan->query.bytes = API_PAGE_BYTES;
    /* "_count=0 is the same as _summary=count" (R4 search, 3.1.1.5.3). */
    if (request->summary == SUMMARY_COUNT || ret_plan->query.count == 0) {
        if (ret_plan->query.contained != STORE_CONTAINED_NOT && ret_plan->query.inside) {
            return request_fail(request, STATUS_PARAMETER, "_containedType",
                                "With _containedType=contained nothing is counted: ask with "
                                "_containedType=container, which counts what contains.");
        }
        ret_plan->query.count = 0;
        ret_plan->query.total = true;
    }
    return STATUS_OK;
}

/* Item AT of the page: it, or the contained resources that it was found for. */
static enum status add_match(struct bundle_writer *writer, const struct store_page *page, size_t at)
{
    const struct slice more = SLICE(",\"search\":{\"mode\":\"match\"}");
    const struct store_version *item = &page->items[at];
    if (page->inside == NULL || page->inside[at].itself) {
        TRY(bundle_add_version(writer, item, more));
    }
    for (size_t i = 0; page->inside != NULL && i < page->inside[at].count; i++) {
        TRY(bundle_add_contained(writer, item, &page->inside[at].items[i], more));
    }
    return STATUS_OK;
}

enum status api_respond_page(struct request *request, const struct search_plan *plan,
                             const struct search_answer *answer)
{
    const struct store_page *page = &answer->page;
    struct bundle_writer writer;
    struct page_link links[2] = {{"self", page_url(request, plan, plan->query.cursor)}};
    size_t link_count = 1;
    if (page->more && plan->query.count > 0) {
        links[link_count++] = (struct page_link){"next", page_url(request, plan, page->next)};
    }
    bundle_begin(&writer, request, "searchset", page->total, links, link_count);
    for (size_t i = 0; i < page->count; i++) {
        TRY(add_match(&writer, page, i));
    }
    for (size_t i = 0; i < answer->included_count; i++) {
        TRY(bundle_add_version(&writer, &answer->included[i],
                               SLICE(",\"search\":{\"mode\":\"include\"}")));
    }
    add_ignored(&writer, plan);
    bundle_end(&writer);
    return buffer_ok(&request->response.body) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status api_search_perform(struct request *request)
{
    struct search_plan plan;
    struct store_tx *tx;
    struct search_answer answer = {0};
    TRY(plan_search(request, &plan));
    arena_raise(request->arena, 6 * API_PAGE_BYTES);
    TRY(request_snapshot(request, &tx));
    TRY(store_find(tx, &plan.query, request->arena, &request->outcome, &answer.page));
    TRY(api_include(request, tx, &plan, &answer));
    TRY(api_respond_page(request, &plan, &answer));
    return api_disclose_search(request, tx, &plan, &answer.page);
}
