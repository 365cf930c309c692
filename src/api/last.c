/* SPDX-License-Identifier: MIT */
/* Observation/$lastn (R4, operation Observation-lastn): of each code the last max observations.
 * Codes are one group when an observation has both, and so on ("the transitive property of
 * equality"); of several patients each has groups of their own. */
#include "api/api_int.h"

#define LOOKED_MOST 20000 /* observations that the criteria may meet */
#define GIVEN_MOST  1000
#define LOOKED_PAGE 500

/* A code of a patient: a node of the forest of groups. */
struct node {
    struct slice key;
    uint32_t parent;
};

struct reading {
    struct slice id;
    int64_t when; /* INT64_MIN: not known */
    uint32_t node;
};

struct last {
    struct request *request;
    struct arena *arena;   /* of what is kept */
    struct arena *scratch; /* of one page */
    size_t max;
    struct reading *readings;
    size_t count;
    struct node *nodes;
    size_t node_count, node_capacity;
    uint32_t *slots; /* open addressing: index of a node from 1 */
    size_t slot_count;
};

/* ---- groups -----------------------------------------------------------------------------------
 */

static uint32_t root_of(struct last *last, uint32_t node)
{
    while (last->nodes[node].parent != node) {
        last->nodes[node].parent = last->nodes[last->nodes[node].parent].parent;
        node = last->nodes[node].parent;
    }
    return node;
}

static uint32_t *slot_of(struct last *last, struct slice key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.length; i++) {
        hash = (hash ^ (uint8_t)key.at[i]) * 1099511628211u;
    }
    size_t at = (size_t)(hash ^ hash >> 32) & (last->slot_count - 1);
    while (last->slots[at] != 0 && !slice_equals(last->nodes[last->slots[at] - 1].key, key)) {
        at = (at + 1) & (last->slot_count - 1);
    }
    return &last->slots[at];
}

static bool grow(struct last *last)
{
    if (last->node_count < last->node_capacity) {
        return true;
    }
    size_t to = last->node_capacity == 0 ? 64 : last->node_capacity * 2;
    struct node *nodes = arena_resize(last->arena, last->nodes, last->node_capacity * sizeof *nodes,
                                      to * sizeof *nodes);
    uint32_t *slots = arena_zero(last->arena, 4 * to * sizeof *slots);
    if (nodes == NULL || slots == NULL) {
        return false;
    }
    last->nodes = nodes;
    last->node_capacity = to;
    last->slots = slots;
    last->slot_count = 4 * to;
    for (size_t i = 0; i < last->node_count; i++) {
        *slot_of(last, nodes[i].key) = (uint32_t)(i + 1);
    }
    return true;
}

/* The reading is of this code too. */
static enum status join(struct last *last, struct reading *reading, struct slice key)
{
    if (!grow(last)) {
        return STATUS_TOO_COSTLY;
    }
    uint32_t *slot = slot_of(last, key);
    if (*slot == 0) {
        uint32_t number = (uint32_t)last->node_count++;
        last->nodes[number] = (struct node){arena_copy(last->arena, key), number};
        *slot = number + 1;
        if (last->nodes[number].key.at == NULL) {
            return STATUS_TOO_COSTLY;
        }
    }
    uint32_t node = root_of(last, *slot - 1);
    if (reading->node == UINT32_MAX) {
        reading->node = node;
    } else {
        last->nodes[root_of(last, reading->node)].parent = node;
    }
    return STATUS_OK;
}

static enum status join_coding(struct last *last, struct reading *reading, yyjson_val *root,
                               const char *kind, struct slice system, struct slice code)
{
    struct buffer key = {.arena = last->scratch};
    buffer_add(&key, json_get_string(json_get(root, "subject"), "reference"));
    buffer_print(&key, "\n%s\n", kind);
    buffer_add(&key, system);
    buffer_add_byte(&key, '\n');
    buffer_add(&key, code);
    return buffer_ok(&key) ? join(last, reading, buffer_slice(&key)) : STATUS_TOO_COSTLY;
}

/* ---- readings ---------------------------------------------------------------------------------
 */

static bool time_of(struct slice text, int64_t *ret_when)
{
    struct partial_date date;
    int64_t high;
    if (text.length == 0 || !date_parse(text, DATE_FORM_SEARCH, &date)) {
        return false;
    }
    date_range(&date, ret_when, &high);
    return true;
}

static int64_t when_of(yyjson_val *root)
{
    yyjson_val *period = json_get(root, "effectivePeriod");
    yyjson_val *event = yyjson_arr_get_last(json_get(json_get(root, "effectiveTiming"), "event"));
    int64_t when = INT64_MIN;
    bool known = time_of(json_get_string(root, "effectiveDateTime"), &when) ||
                 time_of(json_get_string(root, "effectiveInstant"), &when) ||
                 time_of(json_get_string(period, "end"), &when) ||
                 time_of(json_get_string(period, "start"), &when) ||
                 time_of(json_string(event), &when);
    return known ? when : INT64_MIN;
}

static enum status take_reading(struct last *last, const struct store_version *version)
{
    struct json json;
    struct reading *reading = &last->readings[last->count++];
    TRY(json_read(version->body, &json_limits_default, last->scratch, NULL, &json));
    *reading = (struct reading){
        .id = arena_copy(last->arena, version->id), .when = when_of(json.root), .node = UINT32_MAX};
    yyjson_val *code = json_get(json.root, "code");
    size_t i, max;
    yyjson_val *coding;
    yyjson_arr_foreach(json_get(code, "coding"), i, max, coding)
    {
        struct slice text = json_get_string(coding, "code");
        if (text.length > 0) {
            TRY(join_coding(last, reading, json.root, "code", json_get_string(coding, "system"),
                            text));
        }
    }
    if (reading->node == UINT32_MAX) {
        struct slice text = json_get_string(code, "text");
        TRY(join_coding(last, reading, json.root, text.length > 0 ? "text" : "none",
                        (struct slice){0}, text.length > 0 ? text : version->id));
    }
    return reading->id.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status too_many(struct last *last)
{
    return request_fail(last->request, STATUS_TOO_COSTLY, "",
                        "The criteria of $lastn meet more than %d observations: add a code, a "
                        "category or a date.",
                        LOOKED_MOST);
}

static enum status look(struct last *last, struct store_tx *tx, const struct search_plan *plan)
{
    struct store_query query = plan->query;
    struct store_page page;
    query.count = LOOKED_PAGE;
    query.bytes = API_PAGE_BYTES;
    last->readings = arena_array(last->arena, LOOKED_MOST, sizeof *last->readings);
    if (last->readings == NULL) {
        return STATUS_TOO_COSTLY;
    }
    do {
        arena_reset(last->scratch, 6 * API_PAGE_BYTES);
        TRY(store_find(tx, &query, last->scratch, &last->request->outcome, &page));
        if (last->count + page.count > LOOKED_MOST) {
            return too_many(last);
        }
        for (size_t i = 0; i < page.count; i++) {
            TRY(take_reading(last, &page.items[i]));
        }
        query.cursor = arena_copy(last->arena, page.next);
    } while (page.more);
    for (size_t i = 0; i < last->count; i++) {
        last->readings[i].node = root_of(last, last->readings[i].node);
    }
    return STATUS_OK;
}

/* ---- which are the last -----------------------------------------------------------------------
 */

static int newest_first(const struct reading *a, const struct reading *b)
{
    return a->when != b->when ? (a->when < b->when) - (a->when > b->when)
                              : slice_compare(a->id, b->id);
}

static int by_time(const void *a, const void *b)
{
    return newest_first(a, b);
}

static int by_group(const void *a, const void *b)
{
    const struct reading *x = a, *y = b;
    return x->node != y->node ? (x->node > y->node) - (x->node < y->node) : newest_first(x, y);
}

/* Of each group the first max, and those of the same time as the last of these. */
static void keep_last(struct last *last)
{
    size_t kept = 0, of_group = 0;
    int64_t when = 0;
    uint32_t node = UINT32_MAX;
    if (last->count > 0) {
        qsort(last->readings, last->count, sizeof *last->readings, by_group);
    }
    for (size_t i = 0; i < last->count; i++) {
        struct reading reading = last->readings[i];
        of_group = reading.node == node ? of_group : 0;
        node = reading.node;
        if (of_group < last->max || (of_group > 0 && reading.when == when && when != INT64_MIN)) {
            when = reading.when;
            of_group++;
            last->readings[kept++] = reading;
        } else {
            of_group = last->max;
            when = INT64_MAX; /* ties end here */
        }
    }
    last->count = kept;
    if (kept > 0) {
        qsort(last->readings, kept, sizeof *last->readings, by_time);
    }
}

static enum status give(struct last *last, struct store_tx *tx, struct search_answer *answer)
{
    struct request *request = last->request;
    struct store_version *items =
        arena_array(request->arena, last->count + 1, sizeof *answer->page.items);
    size_t bytes = 0;
    if (items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < last->count; i++) {
        if (i == GIVEN_MOST || bytes > API_PAGE_BYTES) {
            return request_fail(request, STATUS_TOO_COSTLY, "max",
                                "$lastn would give more than %d observations: ask for fewer codes "
                                "or a smaller max.",
                                GIVEN_MOST);
        }
        TRY(store_read(tx, request->type, last->readings[i].id, request->arena, &items[i]));
        bytes += items[i].body.length;
    }
    answer->page = (struct store_page){.items = items, .count = last->count, .total = last->count};
    return STATUS_OK;
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static bool is_named(struct slice name, const char *first, const char *second)
{
    struct slice head = slice_head(name, slice_index(name, '.'));
    return slice_is(head, first) || slice_is(head, second);
}

static bool is_code(struct slice name)
{
    static const char part[] = "code";
    return slice_is(name, "category") ||
           (name.length > 0 && memmem(name.at, name.length, part, sizeof part - 1) != NULL);
}

static enum status check_parameter(struct request *request, struct slice name)
{
    static const char *const others[] = {"_count",  "_sort",    "_total",
                                         "_cursor", "_include", "_revinclude"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (slice_is(name, others[i])) {
            return request_fail(request, STATUS_PARAMETER, "",
                                "%s does not go with $lastn, which gives one page by time.",
                                others[i]);
        }
    }
    return STATUS_OK;
}

static enum status plan_last(struct request *request, size_t *ret_max, struct search_plan *plan)
{
    struct search_argument *arguments =
        arena_array(request->arena, request->parameter_count + 1, sizeof *arguments);
    size_t count = 0;
    uint64_t max = 1;
    bool subject = false, code = false, limited = false;
    if (arguments == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct parameter *parameter = &request->parameters[i];
        TRY(check_parameter(request, parameter->name));
        subject = subject || is_named(parameter->name, "patient", "subject");
        code = code || is_code(parameter->name);
        if (slice_is(parameter->name, "max") && limited) {
            return request_fail(request, STATUS_VALUE, "max", "max is given twice: give it once.");
        }
        limited = limited || slice_is(parameter->name, "max");
        if (!slice_is(parameter->name, "max")) {
            arguments[count++] = (struct search_argument){.name = parameter->name,
                                                          .modifier = parameter->modifier,
                                                          .value = parameter->value};
        } else if (!slice_to_unsigned(parameter->value, LOOKED_MOST, &max) || max == 0) {
            return request_fail(request, STATUS_VALUE, "max", "max is a whole number from 1.");
        }
    }
    if (!subject || !code) {
        return request_fail(request, STATUS_REQUIRED, "",
                            "$lastn needs a patient or subject, and a category or code: "
                            "patient=[id]&category=vital-signs.");
    }
    *ret_max = (size_t)max;
    TRY(api_search_terms(request, request->parameters, request->parameter_count));
    struct search_options options = {.definitions = request->service->definitions,
                                     .terms = request->service->terms,
                                     .base_url = request->base_url,
                                     .learning = store_learning(request->service->store),
                                     .type = request->type,
                                     .lenient = request->prefer_lenient,
                                     .count_default = LOOKED_PAGE,
                                     .count_max = LOOKED_PAGE};
    TRY(search_plan_make(&options, arguments, count, request->arena, &request->outcome, plan));
    struct search_argument *applied =
        arena_array(request->arena, plan->applied_count + 1, sizeof *applied);
    const char *text = arena_print(request->arena, "%zu", *ret_max);
    if (applied == NULL || text == NULL) {
        return STATUS_TOO_COSTLY;
    }
    memcpy(applied, plan->applied, plan->applied_count * sizeof *applied);
    applied[plan->applied_count++] =
        (struct search_argument){.name = SLICE("max"), .value = slice_text(text)};
    plan->applied = applied;
    return STATUS_OK;
}

static void end_scratch(void *scratch)
{
    arena_destroy(scratch);
}

enum status api_last_perform(struct request *request)
{
    struct search_plan plan;
    struct store_tx *tx;
    struct search_answer answer = {0};
    struct last last = {.request = request, .arena = request->arena};
    TRY(operation_parameters_join(request));
    TRY(plan_last(request, &last.max, &plan));
    arena_raise(request->arena, 6 * API_PAGE_BYTES);
    last.scratch = arena_create(6 * API_PAGE_BYTES);
    if (last.scratch == NULL) {
        return STATUS_MEMORY;
    }
    TRY(arena_defer(request->arena, end_scratch, last.scratch));
    TRY(request_snapshot(request, &tx));
    TRY(look(&last, tx, &plan));
    keep_last(&last);
    if (request->summary == SUMMARY_COUNT) {
        answer.page.total = last.count;
    } else {
        TRY(give(&last, tx, &answer));
    }
    TRY(api_respond_page(request, &plan, &answer));
    return api_disclose_named(request, tx, &plan.query);
}
