/* SPDX-License-Identifier: MIT */
/* Putting versions of resources into answers. */
#include "api/binary_int.h"

void api_respond_headers(struct request *request, uint32_t version, int64_t updated)
{
    request->response.etag = slice_text(arena_print(request->arena, "W/\"%u\"", version));
    request->response.last_modified = updated;
}

static bool wants_subset(const struct request *request)
{
    return request->summary != SUMMARY_FALSE || request->element_count > 0;
}

static enum status write_with_content(struct request *request, const struct store_version *version,
                                      struct buffer *out)
{
    struct buffer head = {.arena = request->arena};
    struct store_tx *tx;
    store_version_write(version, &head);
    if (!buffer_ok(&head)) {
        return STATUS_TOO_COSTLY;
    }
    TRY(request_snapshot(request, &tx));
    return binary_form_write(tx, version, FORMAT_JSON, buffer_slice(&head), 0, API_PAGE_BYTES * 2,
                             out);
}

/* In memory of its own: a page of parts needs that for one resource at a time. */
static enum status write_subset(struct request *request, const struct store_version *version,
                                enum summary summary, struct buffer *out)
{
    struct arena *scratch =
        arena_create(ARENA_REQUEST_BASE + ARENA_REQUEST_FACTOR * (size_t)version->body.length);
    struct buffer whole = {.arena = scratch};
    struct json json;
    if (scratch == NULL) {
        return STATUS_MEMORY;
    }
    store_version_write(version, &whole);
    enum status status = buffer_ok(&whole) ? json_read(buffer_slice(&whole), &json_limits_default,
                                                       scratch, NULL, &json)
                                           : STATUS_TOO_COSTLY;
    if (status == STATUS_OK) {
        resource_write_subset(request->service->definitions, version->type, json.root, summary,
                              request->elements, request->element_count, out);
        status = buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    arena_destroy(scratch);
    return status;
}

void api_make_reading_room(struct request *request)
{
    if (request->parent == NULL) {
        arena_raise(request->arena,
                    ARENA_REQUEST_BASE + 4 * (size_t)request->service->config->max_body);
    }
}

enum status api_write_resource(struct request *request, const struct store_version *version,
                               struct buffer *out)
{
    /* Without its content it is a part (of a Binary, _summary=data takes nothing away but says so).
     */
    bool left_out = version->blob_length > API_PAGE_BYTES;
    enum summary summary = left_out && !wants_subset(request) ? SUMMARY_DATA : request->summary;
    if (!wants_subset(request) && !left_out) {
        if (version->blob_length > 0) {
            return write_with_content(request, version, out);
        }
        store_version_write(version, out);
        return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    return write_subset(request, version, summary, out);
}

static struct slice version_url(struct request *request, resource_type type, struct slice id,
                                uint32_t version)
{
    struct slice name = resource_type_name(request->service->definitions, type);
    return slice_text(arena_print(request->arena, "%.*s/%.*s/%.*s/_history/%u",
                                  SLICE_ARGS(request->base_url), SLICE_ARGS(name), SLICE_ARGS(id),
                                  version));
}

enum status api_respond_version(struct request *request, const struct store_version *version)
{
    request_discloses_version(request, version);
    api_respond_headers(request, version->version, version->updated);
    if (api_not_modified(request, version->version, version->updated)) {
        return STATUS_NOT_MODIFIED;
    }
    return api_write_resource(request, version, &request->response.body);
}

void api_note_written(struct request *request, const struct store_written *written)
{
    request_discloses_of(request, request->type, written->patients, written->patient_count);
    request->written_tied = written->tied;
    request->response.http = written->created ? 201 : 200;
    api_respond_headers(request, written->version, written->updated);
    request->response.location = version_url(request, request->type, request->id, written->version);
}

void api_respond_written(struct request *request, const struct store_draft *draft,
                         const struct store_written *written)
{
    struct store_version version;
    store_draft_version(draft, &version);
    api_stored_changed(request, written, version.body);
    version.version = written->version;
    version.updated = written->updated;
    if (request->prefer_return == PREFER_REPRESENTATION) {
        store_version_write(&version, &request->response.body);
    } else if (request->prefer_return == PREFER_OUTCOME) {
        /* What the checks had to say short of refusing it: R4 http.html, "Prefer". */
        outcome_write_json(&request->outcome, &request->response.body);
    }
}

/* The version that an entity tag names (weak comparison: RFC 9110 8.8.3.2); 0: none of ours. */
static uint32_t tag_version(struct slice tag)
{
    uint64_t number;
    if (slice_starts(tag, SLICE("W/"))) {
        tag = slice_from(tag, 2);
    }
    if (tag.length < 3 || tag.at[0] != '"' || tag.at[tag.length - 1] != '"' ||
        !slice_to_unsigned(slice_of(tag.at + 1, tag.length - 2), UINT32_MAX, &number)) {
        return 0;
    }
    return (uint32_t)number;
}

/* Does a list of entity tags hold this version? */
static bool names_version(struct slice list, uint32_t version)
{
    while (list.at != NULL) {
        struct slice tag = slice_trim(slice_cut(&list, ','));
        if (slice_is(tag, "*") || tag_version(tag) == version) {
            return true;
        }
    }
    return false;
}

bool api_not_modified(const struct request *request, uint32_t version, int64_t updated)
{
    struct slice tags = request_header(request, "If-None-Match");
    if (tags.length > 0) {
        return names_version(tags, version); /* and If-Modified-Since is then ignored */
    }
    int64_t since;
    struct slice date = request_header(request, "If-Modified-Since");
    return date.length > 0 && http_date_parse(date, &since) &&
           updated / MICROS_PER_SECOND <= since / MICROS_PER_SECOND;
}

enum status api_if_match(struct request *request, struct store_condition *condition)
{
    struct slice list = request_header(request, "If-Match");
    size_t most = 1;
    for (size_t i = 0; i < list.length; i++) {
        most += list.at[i] == ',';
    }
    if (list.length == 0 || slice_is(list, "*")) {
        condition->present = list.length > 0;
        return STATUS_OK;
    }
    uint32_t *versions = arena_array(request->arena, most, sizeof *versions);
    if (versions == NULL) {
        return STATUS_TOO_COSTLY;
    }
    while (list.at != NULL && list.length > 0) {
        uint32_t version = tag_version(slice_trim(slice_cut(&list, ',')));
        if (version != 0) {
            versions[condition->version_count++] = version;
        }
    }
    if (condition->version_count == 0) {
        return request_fail(request, STATUS_PRECONDITION, "",
                            "If-Match must hold an ETag as this server gives it: W/\"3\", several "
                            "with commas between, or * for whatever is current.");
    }
    condition->versions = versions;
    return STATUS_OK;
}

enum status api_make_draft(struct request *request, struct slice id, struct store_draft **ret_draft)
{
    arena_raise(request->arena,
                ARENA_REQUEST_BASE + 2 * ARENA_REQUEST_FACTOR * request->json.text.length);
    return api_admit_draft(request, request->type, id, request->json.root, ret_draft);
}
