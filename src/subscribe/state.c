/* SPDX-License-Identifier: MIT */
/* Events and numbers as they lie in the store, and commits of them. */
#include "subscribe/subscribe_int.h"

/* ---- one event, one line ------------------------------------------------------------------------
 */

void event_write(const struct definitions *definitions, const struct event *event,
                 struct buffer *out)
{
    buffer_print(out, "%llu %llu %u %lld %d %d %.*s %.*s\n", (unsigned long long)event->number,
                 (unsigned long long)event->change, event->version, (long long)event->updated,
                 (int)event->method, event->created,
                 SLICE_ARGS(resource_type_name(definitions, event->type)), SLICE_ARGS(event->id));
}

static bool read_field(struct slice *line, uint64_t most, uint64_t *ret_value)
{
    return slice_to_unsigned(slice_cut(line, ' '), most, ret_value);
}

bool event_read(const struct definitions *definitions, struct slice line, struct event *ret_event)
{
    uint64_t version, updated, method, created;
    if (!read_field(&line, UINT64_MAX, &ret_event->number) ||
        !read_field(&line, UINT64_MAX, &ret_event->change) ||
        !read_field(&line, UINT32_MAX, &version) || !read_field(&line, INT64_MAX, &updated) ||
        !read_field(&line, STORE_DELETED, &method) || !read_field(&line, 1, &created)) {
        return false;
    }
    ret_event->version = (uint32_t)version;
    ret_event->updated = (int64_t)updated;
    ret_event->method = (enum store_method)method;
    ret_event->created = created != 0;
    ret_event->type = resource_type_find(definitions, slice_cut(&line, ' '));
    ret_event->id = line;
    return ret_event->type != RESOURCE_TYPE_NONE && resource_id_valid(line);
}

/* ---- numbers ------------------------------------------------------------------------------------
 */

struct slice numbers_write(const struct numbers *numbers, struct arena *arena)
{
    return slice_text(
        arena_print(arena, "%llu %llu %llu %llu %llu", (unsigned long long)numbers->version,
                    (unsigned long long)numbers->since, (unsigned long long)numbers->first,
                    (unsigned long long)numbers->last, (unsigned long long)numbers->delivered));
}

bool numbers_read(struct slice text, struct numbers *ret_numbers)
{
    return read_field(&text, UINT64_MAX, &ret_numbers->version) &&
           read_field(&text, UINT64_MAX, &ret_numbers->since) &&
           read_field(&text, UINT64_MAX, &ret_numbers->first) &&
           read_field(&text, UINT64_MAX, &ret_numbers->last) &&
           read_field(&text, UINT64_MAX, &ret_numbers->delivered) && text.at == NULL &&
           ret_numbers->first >= 1 && ret_numbers->delivered <= ret_numbers->last;
}

/* ---- commits ------------------------------------------------------------------------------------
 */

struct slice note_name(struct arena *arena, const char *kind, struct slice id)
{
    return slice_text(kind != NULL ? arena_print(arena, "subscribe.%s/%.*s", kind, SLICE_ARGS(id))
                                   : arena_print(arena, "subscribe/%.*s", SLICE_ARGS(id)));
}

struct slice events_name(struct arena *arena, struct slice id, uint64_t chunk)
{
    return slice_text(arena_print(arena, "subscribe.events/%.*s/%llu", SLICE_ARGS(id),
                                  (unsigned long long)chunk));
}

void commit_set(struct commit *commit, struct slice name, struct slice value)
{
    struct commit_note *note = ARENA_NEW(commit->arena, struct commit_note);
    if (note != NULL) {
        *note = (struct commit_note){.name = name, .value = value, .next = commit->notes};
        commit->notes = note;
    }
}

void commit_remove(struct commit *commit, struct slice name)
{
    commit_set(commit, name, (struct slice){0});
}

static enum status check_seal(struct store_tx *tx, struct commit *commit)
{
    struct slice seal = {0};
    enum status status = store_note_get(tx, SLICE("subscribe.seal"), commit->arena, &seal);
    if (status != STATUS_NOT_FOUND) {
        TRY(status);
    }
    TRY(slice_equals(seal, commit->before) ? STATUS_OK : STATUS_CONFLICT);
    return store_note_set(tx, SLICE("subscribe.seal"), commit->after);
}

static enum status run(struct store_tx *tx, void *context)
{
    struct commit *commit = context;
    TRY(check_seal(tx, commit));
    for (const struct commit_note *note = commit->notes; note != NULL; note = note->next) {
        TRY(note->value.at != NULL ? store_note_set(tx, note->name, note->value)
                                   : store_note_remove(tx, note->name));
    }
    if (commit->draft == NULL) {
        return STATUS_OK;
    }
    TRY(store_put(tx, commit->draft, STORE_UPDATED, &commit->condition, commit->arena, NULL,
                  &commit->written));
    return store_outbox_add(tx, commit->entry);
}

enum status commit_make(struct commit *commit, struct subscribe *subscribe)
{
    return atomic_load(&subscribe->holds) ? commit_seal(commit, subscribe) : STATUS_CONFLICT;
}

enum status commit_seal(struct commit *commit, struct subscribe *subscribe)
{
    char seal[UUID_LENGTH + 1];
    int64_t begun = time_monotonic();
    random_uuid(seal);
    commit->before = slice_text(subscribe->seal);
    commit->after = slice_text(seal);
    if (arena_full(commit->arena)) {
        return STATUS_TOO_COSTLY;
    }
    enum status status = store_write(subscribe->options.store, run, commit);
    if (status == STATUS_OK) {
        memcpy(subscribe->seal, seal, sizeof seal);
        subscribe->renewed = begun;
        subscribe->until =
            begun + subscribe->options.config->subscription_lease * MICROS_PER_SECOND;
    } else if (status != STATUS_PRECONDITION) {
        subscribe->anew = true;
    }
    return status;
}

/* ---- events of a subscription -------------------------------------------------------------------
 */

struct events {
    const struct definitions *definitions;
    struct event *items;
    size_t count;
    uint64_t first, last;
};

/* A line that is not ours ends it: to leave an event out silently would hide that it is lost. */
static enum status take_lines(struct events *events, struct slice text)
{
    while (text.at != NULL && text.length > 0) {
        struct event event = {0};
        if (!event_read(events->definitions, slice_cut(&text, '\n'), &event)) {
            return STATUS_CORRUPT;
        }
        if (event.number >= events->first && event.number <= events->last) {
            events->items[events->count++] = event;
        }
    }
    return STATUS_OK;
}

enum status events_load(const struct definitions *definitions, struct store_tx *tx, struct slice id,
                        uint64_t first, uint64_t last, struct arena *arena,
                        struct event **ret_events, size_t *ret_count)
{
    struct events events = {.definitions = definitions, .first = first, .last = last};
    *ret_count = 0;
    *ret_events = NULL;
    if (first == 0 || first > last) {
        return STATUS_OK;
    }
    events.items = arena_array(arena, last - first + 1 + CHUNK, sizeof *events.items);
    if (events.items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (uint64_t chunk = (first - 1) / CHUNK; chunk <= (last - 1) / CHUNK; chunk++) {
        struct slice text;
        enum status status = store_note_get(tx, events_name(arena, id, chunk), arena, &text);
        if (status != STATUS_NOT_FOUND) {
            TRY(status);
            TRY(take_lines(&events, text));
        }
    }
    *ret_events = events.items;
    *ret_count = events.count;
    return STATUS_OK;
}
