/* SPDX-License-Identifier: MIT */
/* Operations of Subscription (Subscriptions R5 Backport 1.1), and what is looked at before a
 * Subscription or a topic is stored. */
#include "api/api_int.h"

static enum status ready(void *context)
{
    struct service *service = context;
    return service->stored_ready != NULL ? service->stored_ready(service) : STATUS_OK;
}

enum status api_subscriptions_open(struct service *service, struct outcome *outcome)
{
    struct subscribe_options options = {.config = service->config,
                                        .definitions = service->definitions,
                                        .store = service->store,
                                        .audit = service->audit,
                                        .terms = service->terms,
                                        .conformance = service->conformance,
                                        .ready = ready,
                                        .context = service,
                                        .guard = binary_guard};
    return subscribe_open(&options, outcome, &service->subscribe);
}

enum status api_admit_draft(struct request *request, resource_type type, struct slice id,
                            yyjson_val *root, struct store_draft **ret_draft)
{
    struct service *service = request->service;
    struct subscribe_admission admission;
    TRY(subscribe_admit(service->subscribe, service->definitions, type, id, root, request->base_url,
                        request->arena, &request->outcome, &admission));
    TRY(store_draft_make(service->store, type, id, admission.root, request->base_url,
                         request->arena, &request->outcome, ret_draft));
    return subscribe_keep(&admission, request->base_url, request->arena, *ret_draft);
}

/* ---- parameters ---------------------------------------------------------------------------------
 */

struct asked {
    struct slice ids[16];
    size_t id_count;
    struct buffer status; /* comma between */
    struct subscribe_question question;
};

static enum status take_number(struct request *request, struct slice value, uint64_t *ret_number)
{
    if (!slice_to_unsigned(value, UINT64_MAX, ret_number) || *ret_number == 0) {
        return request_fail(request, STATUS_VALUE, "",
                            "eventsSinceNumber and eventsUntilNumber are whole numbers from 1.");
    }
    return STATUS_OK;
}

static enum status take_content(struct request *request, struct slice value, struct asked *asked)
{
    static const char *const names[] = {"empty", "id-only", "full-resource"};
    for (size_t i = 0; i < 3; i++) {
        if (slice_is(value, names[i])) {
            asked->question.has_content = true;
            asked->question.content = (enum subscribe_content)i;
            return STATUS_OK;
        }
    }
    return request_fail(request, STATUS_VALUE, "content",
                        "content is empty, id-only or full-resource.");
}

static enum status take(struct request *request, struct slice name, struct slice value,
                        struct asked *asked)
{
    bool events = slice_is(slice_text(request->interaction->name), "$events");
    bool several = request->interaction->level == LEVEL_TYPE;
    if (events && slice_is(name, "eventsSinceNumber")) {
        return take_number(request, value, &asked->question.since);
    }
    if (events && slice_is(name, "eventsUntilNumber")) {
        return take_number(request, value, &asked->question.until);
    }
    if (events && slice_is(name, "content")) {
        return take_content(request, value, asked);
    }
    if (!events && slice_is(name, "status")) {
        buffer_add_text(&asked->status, asked->status.length > 0 ? "," : "");
        buffer_add(&asked->status, value);
        return STATUS_OK;
    }
    if (!events && slice_is(name, "id")) {
        while (several && value.at != NULL && value.length > 0) {
            if (asked->id_count == 16) {
                return request_fail(request, STATUS_VALUE, "id", "At most 16 ids are asked for.");
            }
            asked->ids[asked->id_count++] = slice_trim(slice_cut(&value, ','));
        }
        return STATUS_OK;
    }
    return STATUS_OK;
}

static const struct operation_parameter events_table[] = {
    {"eventsSinceNumber", "string", .max = 1},
    {"eventsUntilNumber", "string", .max = 1},
    {"content", "code", .max = 1},
    {0},
};

static const struct operation_parameter status_table[] = {{"id", "id"}, {"status", "code"}, {0}};

static enum status take_all(struct request *request, struct asked *asked)
{
    bool events = slice_is(slice_text(request->interaction->name), "$events");
    yyjson_val *body = request->method == METHOD_POST ? request->json.root : NULL;
    struct terms_parameter *parameters;
    size_t count;
    if (request->method != METHOD_POST && (request->body.length > 0 || request->body_file >= 0)) {
        return request_fail(request, STATUS_STRUCTURE, "",
                            "What is asked for with GET stands in the address: send the body with "
                            "POST, or nothing of it counts.");
    }
    TRY(operation_parameters(request, events ? events_table : status_table, body, NULL, &parameters,
                             &count));
    for (size_t i = 0; i < count; i++) {
        TRY(take(request, parameters[i].name, parameters[i].text, asked));
    }
    return STATUS_OK;
}

static enum status read_asked(struct request *request, struct asked *asked)
{
    *asked = (struct asked){.status = {.arena = request->arena}};
    asked->question.id = request->id;
    asked->question.base_url = request->base_url;
    TRY(take_all(request, asked));
    if (request->interaction->level == LEVEL_INSTANCE) {
        asked->ids[0] = request->id;
        asked->id_count = 1;
    }
    return request->service->subscribe != NULL ? STATUS_OK
                                               : request_fail(request, STATUS_NOT_SUPPORTED, "",
                                                              "Nobody is told of anything here.");
}

static enum status no_such_subscription(struct request *request)
{
    return request_fail(request, STATUS_NOT_FOUND, "", "There is no such Subscription.");
}

/* ---- $status ------------------------------------------------------------------------------------
 */

static void add_status(struct request *request, struct slice id, struct slice one, size_t count)
{
    struct buffer *out = &request->response.body;
    buffer_print(out, "%s{\"fullUrl\":\"%.*s/Subscription/%.*s/$status\",\"resource\":",
                 count > 0 ? "," : "", SLICE_ARGS(request->base_url), SLICE_ARGS(id));
    buffer_add(out, one);
    buffer_add_text(out, ",\"search\":{\"mode\":\"match\"}}");
}

/* *RET_MATCHES: how many were written. */
static enum status write_statuses(struct request *request, const struct asked *asked,
                                  struct store_tx *tx, const struct slice *ids, size_t count,
                                  struct arena *scratch, size_t *ret_matches)
{
    struct subscribe *subscribe = request->service->subscribe;
    bool instance = request->interaction->level == LEVEL_INSTANCE;
    struct slice statuses = instance ? SLICE("") : buffer_slice(&asked->status);
    *ret_matches = 0;
    for (size_t i = 0; i < count; i++) {
        struct buffer one = {.arena = scratch};
        bool wanted;
        enum status status = subscribe_status(subscribe, tx, ids[i], statuses, request->base_url,
                                              scratch, &one, &wanted);
        if (status == STATUS_NOT_FOUND && !instance) {
            continue;
        }
        TRY(status == STATUS_NOT_FOUND ? no_such_subscription(request) : status);
        if (wanted) {
            TRY(buffer_ok(&one) ? STATUS_OK : STATUS_TOO_COSTLY);
            add_status(request, ids[i], buffer_slice(&one), (*ret_matches)++);
        }
        arena_reset(scratch, 0);
    }
    return STATUS_OK;
}

enum status api_subscription_status_perform(struct request *request)
{
    struct asked asked;
    struct slice *ids;
    size_t count, matches;
    struct store_tx *tx;
    TRY(read_asked(request, &asked));
    TRY(request_snapshot(request, &tx));
    if (asked.id_count > 0) {
        ids = asked.ids;
        count = asked.id_count;
    } else {
        TRY(subscribe_ids(request->service->subscribe, tx, request->arena, &ids, &count));
    }
    struct buffer *out = &request->response.body;
    char id[UUID_LENGTH + 1];
    random_uuid(id);
    buffer_print(
        out, "{\"resourceType\":\"Bundle\",\"id\":\"%s\",\"type\":\"searchset\",\"entry\":[", id);
    size_t begin = out->length;
    struct arena *scratch = arena_create((size_t)16 << 20);
    enum status status = scratch != NULL
                             ? write_statuses(request, &asked, tx, ids, count, scratch, &matches)
                             : STATUS_MEMORY;
    arena_destroy(scratch);
    TRY(status);
    if (matches == 0) { /* an array is not empty */
        out->length = begin - strlen(",\"entry\":[");
    }
    buffer_print(out, "%s,\"total\":%zu}", matches > 0 ? "]" : "", matches);
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* ---- $events ------------------------------------------------------------------------------------
 */

static void disclose(void *context, const struct store_version *version)
{
    request_discloses_version(context, version);
}

enum status api_subscription_events_perform(struct request *request)
{
    struct asked asked;
    struct store_tx *tx;
    TRY(read_asked(request, &asked));
    TRY(request_snapshot(request, &tx));
    enum status status =
        subscribe_events(request->service->subscribe, tx, &asked.question, disclose, request,
                         request->arena, &request->outcome, &request->response.body);
    return status == STATUS_NOT_FOUND ? no_such_subscription(request) : status;
}

/* ---- $get-ws-binding-token ----------------------------------------------------------------------
 */

enum status api_subscription_token_perform(struct request *request)
{
    struct asked asked;
    char token[SUBSCRIBE_TOKEN + 1], instant[INSTANT_LENGTH + 1];
    int64_t expires;
    TRY(read_asked(request, &asked));
    TRY(subscribe_token(request->service->subscribe, asked.ids, asked.id_count, &request->outcome,
                        token, &expires));
    struct buffer *out = &request->response.body;
    struct slice base = request->base_url; /* http(s)://..., so ws(s)://... */
    instant_write(expires, instant);
    buffer_print(out,
                 "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"token\","
                 "\"valueString\":\"%s\"},{\"name\":\"expiration\",\"valueDateTime\":\"%s\"}",
                 token, instant);
    for (size_t i = 0; i < asked.id_count; i++) {
        buffer_add_text(out, ",{\"name\":\"subscription\",\"valueString\":");
        buffer_add_json_string(out, asked.ids[i]);
        buffer_add_byte(out, '}');
    }
    buffer_print(out, ",{\"name\":\"websocket-url\",\"valueUrl\":\"ws%.*s/$ws\"}]}",
                 SLICE_ARGS(slice_from(base, 4)));
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
