/* SPDX-License-Identifier: MIT */
/* The audit stage: one entry for each person disclosed, one for a query that finds nobody, and
 * for refusals; durable before the answer leaves. */
#include "request/request_int.h"

/* Names of the search parameters, never their values. */
static struct slice parameter_names(struct request *request)
{
    struct buffer names = {.arena = request->arena};
    for (size_t i = 0; i < request->parameter_count; i++) {
        if (i > 0) {
            buffer_add_byte(&names, ',');
        }
        buffer_add(&names, slice_head(request->parameters[i].name, 64));
    }
    return slice_head(buffer_slice(&names), 1024);
}

static bool add_entry(struct request *request, const struct disclosure *disclosure,
                      struct buffer *scratch, struct slice *ret_entry)
{
    struct audit_entry entry = {
        .when = time_now(),
        .action = request->interaction->action,
        .http = (uint16_t)request_http(request),
        .patient = disclosure->patient,
        .type = request->type,
        .resources = disclosure->resources,
        .interaction = slice_text(request->interaction->name),
        .id = request->id,
        .who = request->who,
        .request = request->id_text,
        .query = parameter_names(request),
    };
    uint64_t version;
    if (slice_to_unsigned(request->version, UINT32_MAX, &version)) {
        entry.version = (uint32_t)version;
    }
    scratch->at = NULL;
    scratch->length = scratch->capacity = 0;
    audit_entry_write(&entry, scratch);
    *ret_entry = buffer_slice(scratch);
    return buffer_ok(scratch);
}

enum status request_entries(struct request *request, struct buffer *scratch, struct slice **entries,
                            size_t *count, size_t *capacity)
{
    if (request->interaction == NULL || request->outboxed ||
        (request->interaction->flags & INTERACTION_NO_PERSON) != 0) {
        return STATUS_OK;
    }
    static const struct disclosure nobody = {0};
    bool refused = request->status != STATUS_OK && request->status != STATUS_NOT_MODIFIED;
    size_t wanted = refused ? 0 : request->disclosure_count;
    const struct disclosure *from = wanted > 0 ? request->disclosures : &nobody;
    wanted = wanted > 0 ? wanted : 1;
    if (*count + wanted > *capacity) {
        size_t more = *capacity * 2 + wanted;
        struct slice *larger = arena_resize(request->arena, *entries, *capacity * sizeof **entries,
                                            more * sizeof **entries);
        if (larger == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *entries = larger;
        *capacity = more;
    }
    for (size_t i = 0; i < wanted; i++) {
        if (!add_entry(request, &from[i], scratch, &(*entries)[*count])) {
            return STATUS_TOO_COSTLY;
        }
        (*count)++;
    }
    return STATUS_OK;
}

/* Of the request, or of its entries when it has any: each of those is an access of its own. */
static enum status all_entries(struct request *request, struct slice **ret_entries,
                               size_t *ret_count)
{
    struct buffer scratch = {.arena = request->arena};
    size_t capacity = 0;
    *ret_entries = NULL;
    *ret_count = 0;
    if (request->child_count == 0) {
        return request_entries(request, &scratch, ret_entries, ret_count, &capacity);
    }
    for (size_t i = 0; i < request->child_count; i++) {
        TRY(request_entries(request->children[i], &scratch, ret_entries, ret_count, &capacity));
    }
    return STATUS_OK;
}

/* As few rows as hold them: a transaction's entries are one row. */
enum status request_outbox(struct request *request, struct store_tx *tx)
{
    struct slice *entries;
    size_t count;
    TRY(all_entries(request, &entries, &count));
    struct buffer row = {.arena = request->arena};
    for (size_t i = 0; i < count; i++) {
        audit_row_add(entries[i], &row);
        if (row.length >= AUDIT_ROW_LIMIT || i + 1 == count) {
            TRY(buffer_ok(&row) ? store_outbox_add(tx, buffer_slice(&row)) : STATUS_TOO_COSTLY);
            row.length = 0;
        }
    }
    return STATUS_OK;
}

static void audit_done(void *context, enum status status)
{
    struct request *request = context;
    request->audited = status;
    request_resume(request);
}

enum step stage_audit(struct request *request)
{
    struct slice *entries;
    size_t count;
    request->audited = all_entries(request, &entries, &count);
    if (request->audited != STATUS_OK || count == 0) {
        return STEP_NEXT;
    }
    request->ticket = (struct audit_ticket){
        .entries = entries, .count = count, .done = audit_done, .context = request};
    audit_append(request->service->audit, &request->ticket);
    return STEP_PARKED;
}
