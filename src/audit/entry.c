/* SPDX-License-Identifier: MIT */
/* One access entry as bytes: version, fixed fields, then strings with their lengths. */
#include <endian.h>

#include "audit/audit_int.h"

#define ENTRY_VERSION 1

static void add_number(struct buffer *out, uint64_t value, size_t size)
{
    uint64_t little = htole64(value);
    buffer_add(out, slice_of((const char *)&little, size));
}

static void add_text(struct buffer *out, struct slice text)
{
    struct slice cut = slice_head(text, UINT16_MAX);
    add_number(out, cut.length, 2);
    buffer_add(out, cut);
}

void audit_entry_write(const struct audit_entry *entry, struct buffer *out)
{
    add_number(out, ENTRY_VERSION, 1);
    add_number(out, (uint64_t)entry->action, 1);
    add_number(out, entry->http, 2);
    add_number(out, (uint64_t)entry->when, 8);
    add_number(out, entry->patient, 4);
    add_number(out, entry->type, 2);
    add_number(out, entry->version, 4);
    add_number(out, entry->resources, 4);
    add_text(out, entry->interaction);
    add_text(out, entry->id);
    add_text(out, entry->who);
    add_text(out, entry->request);
    add_text(out, entry->query);
}

static bool take_number(struct slice *rest, size_t size, uint64_t *ret_value)
{
    if (rest->length < size) {
        return false;
    }
    uint64_t little = 0;
    memcpy(&little, rest->at, size);
    *ret_value = le64toh(little);
    *rest = slice_from(*rest, size);
    return true;
}

static bool take_text(struct slice *rest, struct slice *ret_text)
{
    uint64_t length;
    if (!take_number(rest, 2, &length) || rest->length < length) {
        return false;
    }
    *ret_text = slice_head(*rest, length);
    *rest = slice_from(*rest, length);
    return true;
}

bool audit_entry_read(struct slice payload, struct audit_entry *ret_entry)
{
    uint64_t version, action, http, when, patient, type, resource_version, resources;
    struct audit_entry entry = {0};
    if (!take_number(&payload, 1, &version) || version != ENTRY_VERSION ||
        !take_number(&payload, 1, &action) || !take_number(&payload, 2, &http) ||
        !take_number(&payload, 8, &when) || !take_number(&payload, 4, &patient) ||
        !take_number(&payload, 2, &type) || !take_number(&payload, 4, &resource_version) ||
        !take_number(&payload, 4, &resources) || !take_text(&payload, &entry.interaction) ||
        !take_text(&payload, &entry.id) || !take_text(&payload, &entry.who) ||
        !take_text(&payload, &entry.request) || !take_text(&payload, &entry.query) ||
        payload.length != 0) {
        return false;
    }
    entry.action = (enum audit_action)action;
    entry.http = (uint16_t)http;
    entry.when = (int64_t)when;
    entry.patient = (uint32_t)patient;
    entry.type = (resource_type)type;
    entry.version = (uint32_t)resource_version;
    entry.resources = (uint32_t)resources;
    *ret_entry = entry;
    return true;
}

void audit_row_add(struct slice entry, struct buffer *row)
{
    add_number(row, entry.length, 4);
    buffer_add(row, entry);
}
