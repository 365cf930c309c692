/* SPDX-License-Identifier: MIT */
/* Writing Bundles of search and history: stored bytes go through without being parsed. */
#include "api/api_int.h"

void bundle_begin(struct bundle_writer *writer, struct request *request, const char *type,
                  uint64_t total, const struct page_link *links, size_t link_count)
{
    char id[UUID_LENGTH + 1];
    char now[INSTANT_LENGTH + 1];
    struct buffer *out = &request->response.body;
    *writer = (struct bundle_writer){
        .request = request, .out = out, .history = slice_is(slice_text(type), "history")};
    random_uuid(id);
    instant_write(time_now(), now);
    buffer_print(out, "{\"resourceType\":\"Bundle\",\"id\":\"%s\",\"meta\":{\"lastUpdated\":\"%s\"",
                 id, now);
    if (request->summary != SUMMARY_FALSE || request->element_count > 0) {
        buffer_add_text(out, ",\"tag\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
                             "v3-ObservationValue\",\"code\":\"SUBSETTED\"}]");
    }
    buffer_print(out, "},\"type\":\"%s\"", type);
    if (total != UINT64_MAX) {
        buffer_print(out, ",\"total\":%llu", (unsigned long long)total);
    }
    for (size_t i = 0; i < link_count; i++) {
        buffer_print(out, "%s{\"relation\":\"%s\",\"url\":", i == 0 ? ",\"link\":[" : ",",
                     links[i].relation);
        buffer_add_json_string(out, links[i].url);
        buffer_add_byte(out, '}');
    }
    if (link_count > 0) {
        buffer_add_byte(out, ']');
    }
}

static void add_withheld(struct bundle_writer *writer)
{
    struct outcome outcome;
    outcome_init(&outcome, writer->request->arena);
    outcome_warn(&outcome, "suppressed", "Binary.securityContext",
                 "A Binary is not shown: the resource that decides who may read it is not here.");
    buffer_add_text(writer->out, writer->entries++ == 0 ? ",\"entry\":[" : ",");
    buffer_add_text(writer->out, "{\"resource\":");
    outcome_write_json(&outcome, writer->out);
    buffer_add_text(writer->out, ",\"search\":{\"mode\":\"outcome\"}}");
}

static enum status is_open(struct request *request, const struct store_version *version,
                           bool *ret_open)
{
    struct store_tx *tx;
    *ret_open = true;
    if (!slice_is(resource_type_name(request->service->definitions, version->type), "Binary")) {
        return STATUS_OK;
    }
    TRY(request_snapshot(request, &tx));
    return binary_guard(request->service->definitions, tx, version, request->arena, ret_open);
}

static void begin_entry(struct bundle_writer *writer, const struct store_version *version)
{
    struct request *request = writer->request;
    struct buffer *out = writer->out;
    buffer_add_text(out,
                    writer->entries++ == 0 ? ",\"entry\":[{\"fullUrl\":\"" : ",{\"fullUrl\":\"");
    buffer_add(out, request->base_url);
    buffer_add_byte(out, '/');
    buffer_add(out, resource_type_name(request->service->definitions, version->type));
    buffer_add_byte(out, '/');
    buffer_add(out, version->id);
}

enum status bundle_add_version(struct bundle_writer *writer, const struct store_version *version,
                               struct slice more)
{
    struct request *request = writer->request;
    struct buffer *out = writer->out;
    bool open;
    TRY(is_open(request, version, &open));
    request_discloses_version(request, version);
    if (!open && !writer->history) {
        add_withheld(writer);
        return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    begin_entry(writer, version);
    buffer_add_byte(out, '"');
    if (version->body.length > 0 && open) {
        buffer_add_text(out, ",\"resource\":");
        TRY(api_write_resource(request, version, out));
    }
    buffer_add(out, more);
    buffer_add_byte(out, '}');
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status bundle_add_contained(struct bundle_writer *writer,
                                 const struct store_version *container,
                                 const struct store_version *version, struct slice more)
{
    struct request *request = writer->request;
    struct buffer *out = writer->out;
    struct buffer fragment = {.arena = request->arena};
    request_discloses_version(request, container);
    begin_entry(writer, container);
    buffer_add_byte(out, '#');
    buffer_add_url(&fragment, version->id, false);
    buffer_add(out, buffer_slice(&fragment));
    buffer_add_text(out, "\",\"resource\":");
    TRY(api_write_resource(request, version, out));
    buffer_add(out, more);
    buffer_add_byte(out, '}');
    return buffer_ok(out) && buffer_ok(&fragment) ? STATUS_OK : STATUS_TOO_COSTLY;
}

void bundle_end(struct bundle_writer *writer)
{
    buffer_add_text(writer->out, writer->entries > 0 ? "]}" : "}");
}

enum status api_page_count(struct request *request, size_t *ret_count)
{
    const struct config *config = request->service->config;
    const struct parameter *count = request_parameter(request, "_count");
    uint64_t number = (uint64_t)config->page;
    if (count != NULL && !slice_to_unsigned(count->value, UINT32_MAX, &number)) {
        return request_fail(request, STATUS_VALUE, "_count", "_count is a whole number from 0.");
    }
    *ret_count = number < (uint64_t)config->page_max ? number : (uint64_t)config->page_max;
    return STATUS_OK;
}
