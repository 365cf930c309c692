/* SPDX-License-Identifier: MIT */
/* History of an instance, a type and the system, newest first (R4 http, "history"). */
#include "api/api_int.h"

static enum status take_since(struct request *request, struct store_history_query *query)
{
    const struct parameter *since = request_parameter(request, "_since");
    struct partial_date date;
    int64_t end;
    if (since == NULL) {
        return STATUS_OK;
    }
    if (!date_parse(since->value, DATE_FORM_INSTANT, &date)) {
        return request_fail(request, STATUS_VALUE, "_since",
                            "_since is an instant: 2026-01-31T09:30:00Z, with seconds and zone.");
    }
    date_range(&date, &query->since, &end);
    return STATUS_OK;
}

static enum status take_at(struct request *request, struct store_history_query *query)
{
    const struct parameter *at = request_parameter(request, "_at");
    struct partial_date date;
    if (at == NULL) {
        return STATUS_OK;
    }
    if (!date_parse(at->value, DATE_FORM_SEARCH, &date)) {
        return request_fail(request, STATUS_VALUE, "_at",
                            "_at is a date or time: 2026-01-31 or 2026-01-31T09:30:00Z.");
    }
    date_range(&date, &query->at_low, &query->at_high);
    return STATUS_OK;
}

/* History has no search parameters but these; anything else would be silently ignored. */
static bool stands_again(const struct request *request, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (slice_equals(request->parameters[i].name, request->parameters[number].name)) {
            return true;
        }
    }
    return false;
}

static enum status check_parameters(struct request *request)
{
    static const char *const known[] = {"_count",  "_since",   "_at",       "_cursor", "_format",
                                        "_pretty", "_summary", "_elements", "_total"};
    for (size_t i = 0; i < request->parameter_count; i++) {
        size_t at = 0;
        while (at < sizeof known / sizeof known[0] &&
               !slice_is(request->parameters[i].name, known[at])) {
            at++;
        }
        if (at == sizeof known / sizeof known[0] && !request->prefer_lenient) {
            return request_fail(request, STATUS_VALUE, "",
                                "History takes _count, _since, _at and the general parameters "
                                "only; parameter %zu is none of these.",
                                i + 1);
        }
        if (stands_again(request, i)) {
            return request_fail(request, STATUS_VALUE, "",
                                "Parameter %zu stands twice: give each of them once.", i + 1);
        }
    }
    return STATUS_OK;
}

static enum status plan(struct request *request, struct store_history_query *query)
{
    *query = (struct store_history_query){.type = request->type,
                                          .id = request->id,
                                          .since = INT64_MIN,
                                          .total = request->id.length > 0,
                                          .bytes = API_PAGE_BYTES};
    const struct parameter *cursor = request_parameter(request, "_cursor");
    query->cursor = cursor != NULL ? cursor->value : (struct slice){0};
    TRY(check_parameters(request));
    TRY(take_since(request, query));
    TRY(take_at(request, query));
    return api_page_count(request, &query->count);
}

static struct slice page_url(struct request *request, struct slice cursor)
{
    struct buffer url = {.arena = request->arena};
    buffer_add(&url, request->base_url);
    buffer_add_byte(&url, '/');
    buffer_add(&url, request->target);
    char separator = '?';
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        if (slice_is(parameter->name, "_cursor")) {
            continue;
        }
        buffer_add_byte(&url, separator);
        buffer_add_url(&url, parameter->name, false);
        buffer_add_byte(&url, '=');
        buffer_add_url(&url, parameter->value, false);
        separator = '&';
    }
    if (cursor.length > 0) {
        buffer_add_byte(&url, separator);
        buffer_add_text(&url, "_cursor=");
        buffer_add_url(&url, cursor, false);
    }
    return buffer_slice(&url);
}

/* request and response of one change, as R4 asks of history entries. */
static struct slice change_members(struct request *request, const struct store_version *version)
{
    struct buffer more = {.arena = request->arena};
    char updated[INSTANT_LENGTH + 1];
    struct slice name = resource_type_name(request->service->definitions, version->type);
    static const struct {
        const char *method;
        bool with_id;
        const char *status;
    } rows[] = {[STORE_CREATED] = {"POST", false, "201 Created"},
                [STORE_UPDATED] = {"PUT", true, "200 OK"},
                [STORE_PATCHED] = {"PATCH", true, "200 OK"},
                [STORE_DELETED] = {"DELETE", true, "204 No Content"}};
    instant_write(version->updated, updated);
    buffer_print(&more, ",\"request\":{\"method\":\"%s\",\"url\":\"%.*s",
                 rows[version->method].method, SLICE_ARGS(name));
    if (rows[version->method].with_id) {
        buffer_print(&more, "/%.*s", SLICE_ARGS(version->id));
    }
    const char *status = version->created ? "201 Created" : rows[version->method].status;
    buffer_print(&more,
                 "\"},\"response\":{\"status\":\"%s\",\"etag\":\"W/\\\"%u\\\"\","
                 "\"lastModified\":\"%s\"}",
                 status, version->version, updated);
    return buffer_slice(&more);
}

static enum status write_page(struct request *request, const struct store_page *page)
{
    struct bundle_writer writer;
    struct page_link links[2] = {
        {"self", page_url(request, request_parameter(request, "_cursor") != NULL
                                       ? request_parameter(request, "_cursor")->value
                                       : (struct slice){0})},
    };
    size_t link_count = 1;
    if (page->more) {
        links[link_count++] = (struct page_link){"next", page_url(request, page->next)};
    }
    bundle_begin(&writer, request, "history", page->total, links, link_count);
    for (size_t i = 0; i < page->count; i++) {
        TRY(bundle_add_version(&writer, &page->items[i], change_members(request, &page->items[i])));
    }
    bundle_end(&writer);
    return STATUS_OK;
}

enum status api_history_perform(struct request *request)
{
    struct store_history_query query;
    struct store_tx *tx;
    struct store_page page;
    TRY(plan(request, &query));
    arena_raise(request->arena, 6 * API_PAGE_BYTES);
    TRY(request_snapshot(request, &tx));
    enum status found = store_history(tx, &query, request->arena, &request->outcome, &page);
    if (found == STATUS_NOT_FOUND) {
        return request_fail(request, found, "",
                            "There is no resource of this type and id, and there never was.");
    }
    TRY(found);
    if (request->id.length > 0 && page.count == 0) {
        /* That there is a history, and how long, is told of somebody too. */
        struct store_version version;
        enum status status = store_read(tx, request->type, request->id, request->arena, &version);
        if (status == STATUS_OK || status == STATUS_GONE) {
            request_discloses_version(request, &version);
        } else if (status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return write_page(request, &page);
}
