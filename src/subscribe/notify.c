/* SPDX-License-Identifier: MIT */
/* Notifications: a Bundle of type history whose first entry is a Parameters that says what this is
 * (Subscriptions R5 Backport 1.1, profiles "backport-subscription-notification-r4" and
 * "backport-subscription-status-r4"). What it may hold is decided as it is written. */
#include "subscribe/subscribe_int.h"

#define INCLUDES_MOST 100 /* of one parameter of one resource */

/* ---- what happened, as it may be told now -------------------------------------------------------
 */

struct telling {
    const struct event *event;
    bool there;                   /* its own version may be shown */
    bool deleted;                 /* the resource is deleted now */
    struct store_version shown;   /* the version of the event, or its tombstone */
    struct store_version *others; /* that the topic includes */
    size_t other_count;
};

struct writing {
    const struct notification *notification;
    struct store_tx *tx;
    struct arena *arena;
    struct buffer *out;
};

static struct slice type_name(const struct writing *writing, resource_type type)
{
    return resource_type_name(writing->notification->options->definitions, type);
}

static enum status may_show(const struct writing *writing, const struct store_version *version,
                            bool *ret_open)
{
    const struct subscribe_options *options = writing->notification->options;
    *ret_open = true;
    return options->guard != NULL ? options->guard(options->definitions, writing->tx, version,
                                                   writing->arena, ret_open)
                                  : STATUS_OK;
}

static enum status add_others(const struct writing *writing, struct telling *telling)
{
    const struct topic *shape = writing->notification->shape;
    struct store_version *items;
    size_t count;
    for (size_t i = 0; shape != NULL && i < shape->include_count; i++) {
        const struct topic_include *include = &shape->includes[i];
        struct outcome unheard;
        outcome_init(&unheard, writing->arena);
        if (include->focus != telling->event->type) {
            continue;
        }
        enum status status =
            include->reverse
                ? store_referrers(writing->tx, &telling->shown, include->source, include->parameter,
                                  INCLUDES_MOST, writing->arena, &unheard, &items, &count)
                : store_follow(writing->tx, &telling->shown, include->parameter, RESOURCE_TYPE_NONE,
                               INCLUDES_MOST, writing->arena, &items, &count);
        if (status == STATUS_TOO_COSTLY && !arena_full(writing->arena)) {
            continue; /* so many are no context of one event */
        }
        TRY(status);
        size_t all = telling->other_count + count;
        struct store_version *larger =
            arena_resize(writing->arena, telling->others, telling->other_count * sizeof *larger,
                         (all + 1) * sizeof *larger);
        if (larger == NULL) {
            return STATUS_TOO_COSTLY;
        }
        for (size_t j = 0; j < count; j++) {
            bool open;
            TRY(may_show(writing, &items[j], &open));
            if (open) {
                larger[telling->other_count++] = items[j];
            }
        }
        telling->others = larger;
    }
    return STATUS_OK;
}

/* The resource as it was at the event, if it is still there; a tombstone tells whom it was about.
 */
static enum status look(const struct writing *writing, struct telling *telling)
{
    const struct event *event = telling->event;
    struct store_version current;
    enum status status = store_read(writing->tx, event->type, event->id, writing->arena, &current);
    telling->deleted = status == STATUS_GONE;
    if (status == STATUS_NOT_FOUND) { /* erased: nothing of it is known any more */
        telling->deleted = true;
        telling->shown = (struct store_version){.type = event->type, .id = event->id};
        return STATUS_OK;
    }
    if (telling->deleted) {
        telling->shown = current;
        return STATUS_OK;
    }
    TRY(status);
    telling->shown = current;
    status = store_read_version(writing->tx, event->type, event->id, event->version, writing->arena,
                                &telling->shown);
    if (status == STATUS_GONE) { /* deleted then, back since */
        return STATUS_OK;
    }
    TRY(status);
    TRY(may_show(writing, &telling->shown, &telling->there));
    return writing->notification->content == SUBSCRIBE_EMPTY ? STATUS_OK
                                                             : add_others(writing, telling);
}

/* ---- Parameters ---------------------------------------------------------------------------------
 */

static void add_url(const struct writing *writing, resource_type type, struct slice id)
{
    struct slice base = writing->notification->base_url;
    buffer_add(writing->out, base);
    buffer_add_text(writing->out, base.length > 0 ? "/" : "");
    buffer_add(writing->out, type_name(writing, type));
    buffer_add_byte(writing->out, '/');
    buffer_add(writing->out, id);
}

static void add_reference(const struct writing *writing, const char *name, resource_type type,
                          struct slice id)
{
    buffer_print(writing->out, ",{\"name\":\"%s\",\"valueReference\":{\"reference\":\"", name);
    add_url(writing, type, id);
    buffer_add_text(writing->out, "\"}}");
}

static void add_event(const struct writing *writing, const struct telling *telling)
{
    const struct event *event = telling->event;
    char instant[INSTANT_LENGTH + 1];
    instant_write(event->updated, instant);
    buffer_print(writing->out,
                 ",{\"name\":\"notification-event\",\"part\":[{\"name\":\"event-number\","
                 "\"valueString\":\"%llu\"},{\"name\":\"timestamp\",\"valueInstant\":\"%s\"}",
                 (unsigned long long)event->number, instant);
    if (writing->notification->content != SUBSCRIBE_EMPTY) {
        add_reference(writing, "focus", event->type, event->id);
        for (size_t i = 0; i < telling->other_count; i++) {
            add_reference(writing, "additional-context", telling->others[i].type,
                          telling->others[i].id);
        }
    }
    buffer_add_text(writing->out, "]}");
}

static void add_head(const struct notification *notification, struct slice own_id,
                     struct buffer *out)
{
    struct slice base = notification->base_url;
    buffer_print(
        out,
        "{\"resourceType\":\"Parameters\",\"id\":\"%.*s\",\"meta\":{\"profile\":[\"" BACKPORT
        "backport-subscription-status-r4\"]},\"parameter\":[{\"name\":\"subscription\","
        "\"valueReference\":{\"reference\":\"%.*s%sSubscription/%.*s\"}}",
        SLICE_ARGS(own_id), SLICE_ARGS(base), base.length > 0 ? "/" : "",
        SLICE_ARGS(notification->id));
    if (notification->content != SUBSCRIBE_EMPTY) {
        buffer_add_text(out, ",{\"name\":\"topic\",\"valueCanonical\":");
        buffer_add_json_string(out, notification->topic);
        buffer_add_byte(out, '}');
    }
    buffer_print(out,
                 ",{\"name\":\"status\",\"valueCode\":\"%s\"},{\"name\":\"type\",\"valueCode\":"
                 "\"%s\"},{\"name\":\"events-since-subscription-start\",\"valueString\":\"%llu\"}",
                 standing_names[notification->standing], notification->type,
                 (unsigned long long)notification->last);
}

static void add_tail(const struct notification *notification, struct buffer *out)
{
    if (notification->error.length > 0) {
        buffer_add_text(out, ",{\"name\":\"error\",\"valueCodeableConcept\":{\"text\":");
        buffer_add_json_string(out, notification->error);
        buffer_add_text(out, "}}");
    }
    buffer_add_text(out, "]}");
}

void notification_write_status(const struct notification *notification, uint64_t waiting,
                               struct buffer *out)
{
    char id[UUID_LENGTH + 1];
    random_uuid(id);
    add_head(notification, slice_text(id), out);
    buffer_print(out, ",{\"name\":\"%s\",\"valueString\":\"%llu\"}",
                 notification->standing == STANDING_ACTIVE ||
                         notification->standing == STANDING_REQUESTED
                     ? "events-waiting"
                     : "events-dead",
                 (unsigned long long)waiting);
    add_tail(notification, out);
}

/* ---- entries ------------------------------------------------------------------------------------
 */

/* Bundle rules bdl-3 and bdl-4: each entry of a history has a request and a response. */
static void add_request(const struct writing *writing, const char *method, resource_type type,
                        struct slice id, const char *status)
{
    bool post = strcmp(method, "POST") == 0;
    buffer_print(writing->out, ",\"request\":{\"method\":\"%s\",\"url\":\"%.*s", method,
                 SLICE_ARGS(type_name(writing, type)));
    buffer_print(writing->out, "%s%.*s\"},\"response\":{\"status\":\"%s\"}}", post ? "" : "/",
                 post ? 0 : (int)id.length, id.at, status);
}

static enum status add_entry(const struct writing *writing, const struct store_version *version,
                             bool content, const char *method, const char *status)
{
    buffer_add_text(writing->out, ",{\"fullUrl\":\"");
    add_url(writing, version->type, version->id);
    buffer_add_byte(writing->out, '"');
    if (content) {
        buffer_add_text(writing->out, ",\"resource\":");
        store_version_write(version, writing->out);
    }
    add_request(writing, method, version->type, version->id, status);
    return buffer_ok(writing->out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status add_entries(const struct writing *writing, const struct telling *telling)
{
    const struct event *event = telling->event;
    if (event->method == STORE_DELETED) {
        TRY(add_entry(writing, &telling->shown, false, "DELETE", "204"));
    } else if (telling->there) {
        TRY(add_entry(writing, &telling->shown, true, event->created ? "POST" : "PUT",
                      event->created ? "201" : "200"));
    } else {
        TRY(add_entry(writing, &telling->shown, false, "GET", telling->deleted ? "410" : "403"));
    }
    for (size_t i = 0; i < telling->other_count; i++) {
        TRY(add_entry(writing, &telling->others[i], true, "GET", "200"));
    }
    return STATUS_OK;
}

/* ---- the Bundle ---------------------------------------------------------------------------------
 */

static size_t weight(const struct telling *telling)
{
    size_t bytes = telling->shown.body.length + 512;
    for (size_t i = 0; i < telling->other_count; i++) {
        bytes += telling->others[i].body.length + 256;
    }
    return bytes;
}

/* As many as fit, one at least. */
static enum status look_at_all(const struct writing *writing, struct telling *tellings,
                               size_t *ret_count)
{
    const struct notification *notification = writing->notification;
    size_t bytes = 0;
    *ret_count = 0;
    for (size_t i = 0; i < notification->count && bytes < notification->bytes; i++) {
        tellings[i].event = &notification->events[i];
        TRY(look(writing, &tellings[i]));
        bytes += weight(&tellings[i]);
        if (i > 0 && bytes > 2 * notification->bytes) {
            break;
        }
        ++*ret_count;
    }
    for (size_t i = 0; i < *ret_count && notification->disclose != NULL; i++) {
        notification->disclose(notification->context, &tellings[i].shown);
        for (size_t j = 0; j < tellings[i].other_count; j++) {
            notification->disclose(notification->context, &tellings[i].others[j]);
        }
    }
    return STATUS_OK;
}

static void begin_bundle(const struct writing *writing)
{
    const struct notification *notification = writing->notification;
    char id[UUID_LENGTH + 1], own[UUID_LENGTH + 1], now[INSTANT_LENGTH + 1];
    random_uuid(id);
    random_uuid(own);
    instant_write(time_now(), now);
    buffer_print(writing->out,
                 "{\"resourceType\":\"Bundle\",\"id\":\"%s\",\"meta\":{\"profile\":[\"" BACKPORT
                 "backport-subscription-notification-r4\"]},\"type\":\"history\",\"timestamp\":"
                 "\"%s\",\"entry\":[{\"fullUrl\":\"urn:uuid:%s\",\"resource\":",
                 id, now, own);
    add_head(notification, slice_text(own), writing->out);
}

enum status notification_write(const struct notification *notification, struct store_tx *tx,
                               struct arena *arena, struct buffer *out, size_t *ret_count)
{
    struct writing writing = {notification, tx, arena, out};
    struct telling *tellings = arena_array(arena, notification->count + 1, sizeof *tellings);
    *ret_count = 0;
    if (tellings == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(look_at_all(&writing, tellings, ret_count));
    begin_bundle(&writing);
    for (size_t i = 0; i < *ret_count; i++) {
        add_event(&writing, &tellings[i]);
    }
    add_tail(notification, out);
    buffer_print(out,
                 ",\"request\":{\"method\":\"GET\",\"url\":\"Subscription/%.*s/$status\"},"
                 "\"response\":{\"status\":\"200\"}}",
                 SLICE_ARGS(notification->id));
    for (size_t i = 0; i < *ret_count && notification->content == SUBSCRIBE_FULL; i++) {
        TRY(add_entries(&writing, &tellings[i]));
    }
    buffer_add_text(out, "]}");
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
