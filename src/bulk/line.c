/* SPDX-License-Identifier: MIT */
/* Resources as lines of NDJSON. */
#include <stdio.h>

#include "bulk/bulk_int.h"

enum status bulk_line_open(const struct bulk_line *line, const struct store_version *version,
                           bool *ret_open)
{
    struct arena_mark mark = arena_mark(line->arena);
    enum status status =
        line->content->guard(line->definitions, line->tx, version, line->arena, ret_open);
    arena_rewind(line->arena, mark);
    return status;
}

/* ---- what is asked of it -----------------------------------------------------------------------
 */

/* Those of the elements that are said of this type: "Patient.name" only of a Patient. None: the
 * whole resource. */
static size_t elements_of(const struct bulk_line *line, struct slice type,
                          struct slice **ret_elements)
{
    struct slice *own = arena_array(line->arena, line->element_count + 1, sizeof *own);
    size_t count = 0;
    for (size_t i = 0; own != NULL && i < line->element_count; i++) {
        struct slice name = line->elements[i];
        struct slice first = slice_cut(&name, '.');
        if (name.at == NULL || slice_equals(first, type)) {
            own[count++] = line->elements[i];
        }
    }
    *ret_elements = own;
    return count;
}

/* "Binary/1" is an address only where it is known whose: it becomes an absolute one ("Attachments",
 * url SHALL be absolute). */
static bool make_absolute(void *context, struct slice text, struct slice *ret_text)
{
    const struct bulk_line *line = context;
    struct reference reference = reference_parse(line->definitions, text, (struct slice){NULL, 0});
    if (reference.kind != REFERENCE_LOCAL ||
        !slice_is(resource_type_name(line->definitions, reference.type), "Binary")) {
        return false;
    }
    *ret_text = slice_text(
        arena_print(line->arena, "%.*s/%.*s", SLICE_ARGS(line->base_url), SLICE_ARGS(text)));
    return true;
}

static bool may_link(const struct bulk_line *line, struct slice text)
{
    return line->base_url.length > 0 && text.length > 0 &&
           memmem(text.at, text.length, "Binary/", 7) != NULL;
}

/* Writes the resource TEXT of TYPE as it was asked for. */
static enum status write_asked(const struct bulk_line *line, resource_type type, struct slice text)
{
    struct slice *elements = NULL;
    size_t count = line->element_count == 0
                       ? 0
                       : elements_of(line, resource_type_name(line->definitions, type), &elements);
    bool links = may_link(line, text);
    if (count == 0 && !links) {
        buffer_add(line->out, text);
        return arena_full(line->arena) ? STATUS_MEMORY : STATUS_OK;
    }
    struct json json;
    TRY(json_read(text, &json_limits_default, line->arena, NULL, &json));
    if (links) {
        struct link_changes changes = {.arena = line->arena};
        TRY(resource_exchange_links(line->definitions, type, json.root, make_absolute,
                                    (void *)(uintptr_t)line, &changes));
    }
    resource_write_subset(line->definitions, type, json.root, SUMMARY_FALSE, elements, count,
                          line->out);
    return arena_full(line->arena) ? STATUS_MEMORY : STATUS_OK;
}

/* ---- one line -----------------------------------------------------------------------------------
 */

/* Content that the store keeps beside a Binary's body goes out in pieces. */
static enum status write_long(const struct bulk_line *line, const struct store_version *version,
                              struct slice head)
{
    uint64_t length = line->content->length(head, version->blob_length);
    for (uint64_t at = 0; at < length; at += BULK_BLOCK) {
        TRY(line->content->write(line->tx, version, head, at, BULK_BLOCK, line->out));
        if (at + BULK_BLOCK < length) {
            TRY(line->flush(line->context));
        }
    }
    return STATUS_OK;
}

static bool wants_content(const struct bulk_line *line)
{
    struct slice *elements;
    size_t count = elements_of(line, SLICE("Binary"), &elements);
    for (size_t i = 0; i < count; i++) {
        if (slice_is(elements[i], "data") || slice_is(elements[i], "Binary.data")) {
            return true;
        }
    }
    return count == 0;
}

static enum status write_line(const struct bulk_line *line, const struct store_version *version)
{
    struct buffer text = {.arena = line->arena};
    store_version_write(version, &text);
    if (!buffer_ok(&text)) {
        return STATUS_MEMORY;
    }
    if (version->blob_length > 0 && wants_content(line)) {
        return write_long(line, version, buffer_slice(&text));
    }
    return write_asked(line, version->type, buffer_slice(&text));
}

static enum status end_line(const struct bulk_line *line, struct arena_mark mark,
                            enum status status)
{
    arena_rewind(line->arena, mark);
    buffer_add_byte(line->out, '\n');
    return status == STATUS_OK && !buffer_ok(line->out) ? STATUS_MEMORY : status;
}

enum status bulk_line_write(const struct bulk_line *line, const struct store_version *version)
{
    struct arena_mark mark = arena_mark(line->arena);
    if (line->base_url.length == 0 && line->element_count == 0 && version->blob_length == 0) {
        store_version_write(version, line->out); /* as it is, without a copy */
        return end_line(line, mark, STATUS_OK);
    }
    enum status status = write_line(line, version);
    return end_line(line, mark, status);
}

/* ---- Binaries that are somebody's ---------------------------------------------------------------
 */

void bulk_document_id(struct slice binary, char ret_id[static BULK_DOCUMENT_ID + 1])
{
    static const char prefix[] = "binary-";
    size_t room = BULK_DOCUMENT_ID - (sizeof prefix - 1);
    if (binary.length <= room) {
        (void)snprintf(ret_id, BULK_DOCUMENT_ID + 1, "%s%.*s", prefix, SLICE_ARGS(binary));
        return;
    }
    uint8_t digest[SHA256_LENGTH];
    sha256(binary, digest);
    (void)snprintf(ret_id, BULK_DOCUMENT_ID + 1, "%s", prefix);
    for (size_t i = 0; i < 24; i++) {
        (void)snprintf(ret_id + strlen(ret_id), 3, "%02x", digest[i]);
    }
}

static void add_member(struct buffer *out, const char *name, const yyjson_val *value)
{
    if (value != NULL) {
        buffer_print(out, ",\"%s\":", name);
        json_write(value, NULL, NULL, out);
    }
}

static void write_meta(const struct store_version *version, const yyjson_val *meta,
                       struct buffer *out)
{
    char updated[INSTANT_LENGTH + 1];
    instant_write(version->updated, updated);
    buffer_print(out, ",\"meta\":{\"versionId\":\"%u\",\"lastUpdated\":\"%s\"", version->version,
                 updated);
    add_member(out, "security", json_get(meta, "security"));
    add_member(out, "tag", json_get(meta, "tag"));
    buffer_add_byte(out, '}');
}

static enum status write_subject(const struct bulk_line *line, const struct store_version *version,
                                 struct buffer *out)
{
    struct slice patient;
    enum status status = store_patient_id(line->tx, version->patients[0], line->arena, &patient);
    if (status == STATUS_OK) {
        buffer_print(out, ",\"subject\":{\"reference\":\"Patient/%.*s\"}", SLICE_ARGS(patient));
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void write_attachment(const struct bulk_line *line, const struct store_version *version,
                             const yyjson_val *binary, struct buffer *out)
{
    const yyjson_val *data = json_get(binary, "data");
    buffer_add_text(out, ",\"content\":[{\"attachment\":{\"contentType\":");
    buffer_add_json_string(out, json_get_string(binary, "contentType"));
    if (version->blob_length == 0 && data != NULL) {
        add_member(out, "data", data);
    } else {
        buffer_print(out, ",\"url\":\"%.*s/Binary/%.*s/_history/%u\"", SLICE_ARGS(line->base_url),
                     SLICE_ARGS(version->id), version->version);
    }
    buffer_add_text(out, "}}]}");
}

static enum status write_document(const struct bulk_line *line, const struct store_version *version)
{
    char id[BULK_DOCUMENT_ID + 1];
    struct buffer text = {.arena = line->arena};
    struct json json;
    TRY(json_read(version->body, &json_limits_default, line->arena, NULL, &json));
    bulk_document_id(version->id, id);
    buffer_print(&text, "{\"resourceType\":\"DocumentReference\",\"id\":\"%s\"", id);
    write_meta(version, json_get(json.root, "meta"), &text);
    buffer_add_text(&text, ",\"status\":\"current\"");
    if (version->patient_count > 0) {
        TRY(write_subject(line, version, &text));
    }
    write_attachment(line, version, json.root, &text);
    if (!buffer_ok(&text)) {
        return STATUS_MEMORY;
    }
    return write_asked(line, resource_type_find(line->definitions, SLICE("DocumentReference")),
                       buffer_slice(&text));
}

enum status bulk_line_write_document(const struct bulk_line *line,
                                     const struct store_version *version)
{
    struct arena_mark mark = arena_mark(line->arena);
    enum status status = write_document(line, version);
    return end_line(line, mark, status);
}
