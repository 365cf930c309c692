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

/* Where encoded entries go, one after the other; the slice lives until the call returns. */
struct sink {
    enum status (*take)(struct sink *sink, struct slice entry);
    struct request *request;
    struct buffer scratch;  /* of the entry */
    struct buffer row;      /* outbox: entries not yet written */
    struct store_tx *tx;    /* outbox */
    struct slice *entries;  /* ticket */
    size_t count, capacity; /* ticket */
};

static enum status add_entry(struct request *request, const struct disclosure *disclosure,
                             struct slice names, struct sink *sink)
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
        .query = names,
    };
    uint64_t version;
    if (slice_to_unsigned(request->version, UINT32_MAX, &version)) {
        entry.version = (uint32_t)version;
    }
    sink->scratch.length = 0;
    audit_entry_write(&entry, &sink->scratch);
    return buffer_ok(&sink->scratch) ? sink->take(sink, buffer_slice(&sink->scratch))
                                     : STATUS_TOO_COSTLY;
}

bool request_tells(enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_MODIFIED || status == STATUS_GONE;
}

static enum status own_entries(struct request *request, struct sink *sink)
{
    if (request->interaction == NULL || request->outboxed ||
        (request->interaction->flags & INTERACTION_NO_PERSON) != 0) {
        return STATUS_OK;
    }
    static const struct disclosure nobody = {0};
    size_t wanted = request_tells(request->status) ? request->disclosure_count : 0;
    const struct disclosure *from = wanted > 0 ? request->disclosures : &nobody;
    struct slice names = parameter_names(request);
    for (size_t i = 0; i < (wanted > 0 ? wanted : 1); i++) {
        TRY(add_entry(request, &from[i], names, sink));
    }
    return STATUS_OK;
}

/* Of the request, or of its entries when it has any: each of those is an access of its own. */
static enum status all_entries(struct request *request, struct sink *sink)
{
    if (request->child_count == 0) {
        return own_entries(request, sink);
    }
    for (size_t i = 0; i < request->child_count; i++) {
        TRY(own_entries(request->children[i], sink));
    }
    return STATUS_OK;
}

/* ---- the outbox: as few rows as hold them ---- */

static enum status write_row(struct sink *sink)
{
    TRY(buffer_ok(&sink->row) ? store_outbox_add(sink->tx, buffer_slice(&sink->row))
                              : STATUS_TOO_COSTLY);
    sink->row.length = 0;
    return STATUS_OK;
}

static enum status take_for_row(struct sink *sink, struct slice entry)
{
    audit_row_add(entry, &sink->row);
    return sink->row.length >= AUDIT_ROW_LIMIT ? write_row(sink) : STATUS_OK;
}

enum status request_outbox(struct request *request, struct store_tx *tx)
{
    struct sink sink = {.take = take_for_row,
                        .request = request,
                        .scratch = {.arena = request->arena},
                        .row = {.arena = request->arena},
                        .tx = tx};
    TRY(all_entries(request, &sink));
    return sink.row.length > 0 || !buffer_ok(&sink.row) ? write_row(&sink) : STATUS_OK;
}

/* ---- the ticket ---- */

static enum status take_for_ticket(struct sink *sink, struct slice entry)
{
    struct arena *arena = sink->request->arena;
    if (sink->count == sink->capacity) {
        size_t more = sink->capacity * 2 + 8;
        struct slice *larger = arena_resize(arena, sink->entries, sink->capacity * sizeof *larger,
                                            more * sizeof *larger);
        if (larger == NULL) {
            return STATUS_TOO_COSTLY;
        }
        sink->entries = larger;
        sink->capacity = more;
    }
    struct slice copy = arena_copy(arena, entry);
    sink->entries[sink->count++] = copy;
    return copy.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

static void audit_done(void *context, enum status status)
{
    struct request *request = context;
    request->audited = status;
    request_resume(request);
}

enum step stage_audit(struct request *request)
{
    struct sink sink = {
        .take = take_for_ticket, .request = request, .scratch = {.arena = request->arena}};
    request->audited = all_entries(request, &sink);
    if (request->audited != STATUS_OK || sink.count == 0) {
        return STEP_NEXT;
    }
    request->ticket = (struct audit_ticket){
        .entries = sink.entries, .count = sink.count, .done = audit_done, .context = request};
    audit_append(request->service->audit, &request->ticket);
    return STEP_PARKED;
}
