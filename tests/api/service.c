/* SPDX-License-Identifier: MIT */
#include "service.h"
#include "validate/validate.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct service service;
struct config service_config;
bool service_sequenced = true;
bool service_validates;
void (*service_before_walk)(void);
void (*service_after_walk)(void);

static char folder[256];
static struct definitions *definitions;
static const struct rules *rules;
static struct arena *arena; /* of the service's life */
static struct caller *own;
static bool running;

struct caller {
    struct arena *arena; /* of its answers */
    struct store_reader *reader;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int resumes;
    bool done;
};

/* ---- the service --------------------------------------------------------------------------------
 */

static void start(void)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    struct store_options options = {.folder = folder, .definitions = definitions};
    struct audit_options log = {.folder = folder, .reserve_bytes = 0};
    service = (struct service){.config = &service_config,
                               .definitions = definitions,
                               .rules = rules,
                               .interactions = api_interactions,
                               .started = time_now()};
    assert_int_equal(store_open(&options, &outcome, &service.store), STATUS_OK);
    assert_int_equal(audit_open(&log, &outcome, &service.audit), STATUS_OK);
    assert_int_equal(api_conformance_open(&service, &outcome), STATUS_OK);
    if (service_validates) {
        assert_int_equal(
            validator_open(definitions, service.conformance, service.terms, &service.validator),
            STATUS_OK);
    }
    if (service_sequenced) {
        assert_int_equal(audit_sequence(service.audit, service.store), STATUS_OK);
    }
    assert_int_equal(quality_start(service.store, &service.quality), STATUS_OK);
    assert_int_equal(workers_start(service.store, (size_t)service_config.workers, &service.workers),
                     STATUS_OK);
    service.metrics = metrics_create(api_interactions);
    assert_int_equal(api_capability_open(&service), STATUS_OK);
    own = caller_open();
    running = true;
}

static void stop(void)
{
    if (!running) {
        return;
    }
    running = false;
    caller_close(own);
    workers_stop(service.workers);
    api_capability_close(&service);
    quality_stop(service.quality);
    validator_close(service.validator);
    api_conformance_close(&service);
    audit_close(service.audit);
    store_close(service.store);
    metrics_destroy(service.metrics);
}

void service_prepare(void)
{
    const char *root = getenv("TMPDIR");
    const char *blob = getenv("CARELAYER_DEFINITIONS");
    (void)snprintf(folder, sizeof folder, "%s/carelayer-api-XXXXXX",
                   root != NULL ? root : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    assert_non_null(blob);
    arena = arena_create(0);
    log_level_set(LOG_ERROR);
    assert_int_equal(definitions_open(blob, NULL, &definitions), STATUS_OK);
    assert_int_equal(rules_read(definitions, NULL, 0, arena, NULL, &rules), STATUS_OK);
    config_init(&service_config);
    service_config.data = folder;
    service_config.workers = 3;
}

void service_start(void)
{
    start();
}

void service_restart(void)
{
    stop();
    start();
}

static void remove_folder(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[600];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(name) != 0) {
            remove_folder(name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

void service_stop(void)
{
    stop();
    definitions_close(definitions);
    arena_destroy(arena);
    remove_folder(folder);
    assert_int_equal(arena_budget_used(), 0);
}

int service_setup(void **state)
{
    (void)state;
    service_prepare();
    service_start();
    return 0;
}

int service_teardown(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

struct counting {
    size_t count;
    void (*visit)(const struct audit_entry *entry, void *context);
    void *context;
};

static enum status count_entry(void *context, uint64_t number, struct slice payload)
{
    struct counting *counting = context;
    struct audit_entry entry;
    (void)number;
    if (audit_entry_read(payload, &entry)) {
        counting->count++;
        if (counting->visit != NULL) {
            counting->visit(&entry, counting->context);
        }
    }
    return STATUS_OK;
}

static enum status see_row(void *context, uint64_t number, struct slice entry)
{
    (void)number;
    (void)entry;
    ++*(size_t *)context;
    return STATUS_OK;
}

struct rows {
    size_t count;
    uint64_t last;
};

static enum status count_row(void *context, uint64_t number, struct slice entry)
{
    struct rows *rows = context;
    for (; entry.length >= 4; rows->count++) { /* a row holds all that a write left */
        uint32_t length;
        memcpy(&length, entry.at, 4);
        entry = slice_from(entry, 4 + (size_t)length);
    }
    rows->last = number;
    return STATUS_OK;
}

size_t service_outbox(uint64_t *last)
{
    struct rows rows = {.last = *last};
    struct store_tx *tx;
    assert_int_equal(store_snapshot_begin(own->reader, 0, &tx), STATUS_OK);
    assert_int_equal(store_outbox_read(tx, *last, SIZE_MAX, count_row, &rows), STATUS_OK);
    store_snapshot_end(tx);
    *last = rows.last;
    return rows.count;
}

/* The entries of writes wait in the store until the log takes them, a second at most. */
static void wait_for_log(void)
{
    for (int tries = 0; tries < 200; tries++) {
        struct caller *caller = caller_open();
        struct store_tx *tx;
        size_t rows = 0;
        assert_int_equal(store_snapshot_begin(caller->reader, 0, &tx), STATUS_OK);
        assert_int_equal(store_outbox_read(tx, 0, 1, see_row, &rows), STATUS_OK);
        store_snapshot_end(tx);
        caller_close(caller);
        if (rows == 0) {
            return;
        }
        (void)usleep(50000);
    }
    fail_msg("the log does not take what writes left");
}

size_t service_log(void (*visit)(const struct audit_entry *entry, void *context), void *context)
{
    struct counting counting = {.visit = visit, .context = context};
    struct outcome outcome;
    outcome_init(&outcome, arena);
    wait_for_log();
    stop();
    assert_int_equal(audit_read(folder, count_entry, &counting, &outcome), STATUS_OK);
    return counting.count;
}

/* ---- the door -----------------------------------------------------------------------------------
 */

static void door_resume(struct request *request)
{
    struct caller *caller = request->door_context;
    (void)pthread_mutex_lock(&caller->lock);
    caller->resumes++;
    (void)pthread_cond_signal(&caller->changed);
    (void)pthread_mutex_unlock(&caller->lock);
}

static void door_respond(struct request *request)
{
    struct caller *caller = request->door_context;
    (void)pthread_mutex_lock(&caller->lock);
    caller->done = true;
    (void)pthread_cond_signal(&caller->changed);
    (void)pthread_mutex_unlock(&caller->lock);
}

static struct store_reader *door_reader(struct request *request)
{
    return ((struct caller *)request->door_context)->reader;
}

static const struct door door = {door_resume, door_respond, door_reader};

struct caller *caller_open(void)
{
    struct arena *memory = arena_create(0);
    struct caller *caller = ARENA_NEW(memory, struct caller);
    caller->arena = memory;
    assert_int_equal(store_reader_open(service.store, &caller->reader), STATUS_OK);
    (void)pthread_mutex_init(&caller->lock, NULL);
    (void)pthread_cond_init(&caller->changed, NULL);
    return caller;
}

void caller_close(struct caller *caller)
{
    store_reader_close(caller->reader);
    (void)pthread_mutex_destroy(&caller->lock);
    (void)pthread_cond_destroy(&caller->changed);
    arena_destroy(caller->arena);
}

/* ---- requests
 * ------------------------------------------------------------------------------------ */

static void take_headers(struct request *request, const char *lines)
{
    struct slice rest = slice_text(lines);
    struct header *headers = arena_array(request->arena, 16, sizeof *headers);
    request->headers = headers;
    while (rest.at != NULL && rest.length > 0) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        headers[request->header_count++] = (struct header){name, slice_trim(value)};
    }
}

static enum method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum method)i;
        }
    }
    return METHOD_OTHER;
}

static void call(void (*hook)(void))
{
    if (hook != NULL) {
        hook();
    }
}

static void walk(struct caller *caller, struct request *request)
{
    call(service_before_walk);
    request_start(request);
    (void)pthread_mutex_lock(&caller->lock);
    while (!caller->done) {
        if (caller->resumes == 0) {
            (void)pthread_cond_wait(&caller->changed, &caller->lock);
            continue;
        }
        caller->resumes--;
        (void)pthread_mutex_unlock(&caller->lock);
        request_continue(request);
        (void)pthread_mutex_lock(&caller->lock);
    }
    (void)pthread_mutex_unlock(&caller->lock);
    call(service_after_walk);
}

static void add_header(struct answer *answer, const char *name, struct slice value)
{
    if (value.length > 0) {
        answer->headers[answer->header_count++] =
            (struct header){slice_text(name), arena_copy(answer->arena, value)};
    }
}

static void pull_body(struct caller *caller, struct request *request, struct answer *answer)
{
    struct buffer whole = {.arena = caller->arena};
    request->reader = caller->reader;
    while (whole.length < request->response.pull_length) {
        struct arena *piece_arena = arena_create(ARENA_REQUEST_BASE);
        struct buffer piece = {.arena = piece_arena};
        call(service_before_walk);
        /* An odd size, so that pieces begin and end anywhere. */
        enum status status = request->response.pull(request, whole.length, 99991, &piece);
        call(service_after_walk);
        answer->cut = status != STATUS_OK || !buffer_ok(&piece);
        if (answer->cut) {
            arena_destroy(piece_arena);
            return;
        }
        assert_true(piece.length > 0);
        buffer_add(&whole, buffer_slice(&piece));
        arena_destroy(piece_arena);
    }
    assert_int_equal(whole.length, request->response.pull_length);
    answer->body = buffer_slice(&whole);
}

static struct answer take_answer(struct caller *caller, struct request *request)
{
    struct response *response = &request->response;
    struct answer answer = {
        .http = response->http, .arena = caller->arena, .used = arena_used(request->arena)};
    answer.body = arena_copy(caller->arena, buffer_slice(&response->body));
    if (response->pull != NULL) {
        pull_body(caller, request, &answer);
    }
    add_header(&answer, "Content-Type",
               slice_text(response->content_type != NULL ? response->content_type
                                                         : "application/fhir+json"));
    add_header(&answer, "ETag", response->etag);
    add_header(&answer, "Location", response->location);
    add_header(&answer, "Content-Location", response->content_location);
    for (size_t i = 0; i < response->header_count; i++) {
        char *name = (char *)(uintptr_t)arena_copy(caller->arena, response->headers[i].name).at;
        add_header(&answer, name, response->headers[i].value);
    }
    return answer;
}

static struct answer send_one(struct caller *caller, const char *method, const char *path,
                              const char *headers, struct slice body, int file)
{
    size_t limit = ARENA_REQUEST_BASE + ARENA_REQUEST_FACTOR * body.length;
    struct request *request = request_create(&service, &door, caller, limit);
    struct slice target = slice_text(path);
    assert_non_null(request);
    caller->done = false;
    caller->resumes = 0;
    request->method = method_of(method);
    request->target = slice_head(target, slice_index(target, '?'));
    request->query_text = slice_from(target, request->target.length + 1);
    request->base_url = SLICE(SERVICE_BASE);
    request->id_text = SLICE("a-test");
    take_headers(request, headers);
    if (file >= 0) {
        request->body_file = file;
        request->body_file_length = body.length;
    } else {
        request->body = body;
    }
    walk(caller, request);
    struct answer answer = take_answer(caller, request);
    request_destroy(request);
    return answer;
}

struct answer caller_send(struct caller *caller, const char *method, const char *path,
                          const char *headers, struct slice body)
{
    return send_one(caller, method, path, headers, body, -1);
}

struct answer caller_send_file(struct caller *caller, const char *method, const char *path,
                               const char *headers, struct slice body)
{
    char name[300];
    (void)snprintf(name, sizeof name, "%s/body", folder);
    int file = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(disk_write_all(file, body, 0), STATUS_OK);
    struct answer answer = send_one(caller, method, path, headers, body, file);
    (void)close(file);
    return answer;
}

struct answer ask(const char *method, const char *path, const char *headers, const char *body)
{
    struct slice text = arena_copy(own->arena, slice_text(body));
    for (size_t i = 0; i < text.length; i++) {
        char *at = (char *)(uintptr_t)text.at;
        at[i] = at[i] == '\'' ? '"' : at[i];
    }
    return caller_send(own, method, path, headers, text);
}

struct answer send_bundle(const char *type, const char *entries)
{
    return ask("POST", "", NULL,
               text_of("{'resourceType':'Bundle','type':'%s','entry':[%s]}", type, entries));
}

struct answer get(const char *path)
{
    return ask("GET", path, NULL, NULL);
}

/* ---- answers
 * ------------------------------------------------------------------------------------- */

struct slice answer_header(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        if (slice_equals_ignoring_case(answer->headers[i].name, slice_text(name))) {
            return answer->headers[i].value;
        }
    }
    return (struct slice){NULL, 0};
}

yyjson_val *answer_value(const struct answer *answer, const char *path)
{
    struct json json;
    struct slice rest = slice_text(path);
    if (resource_read_any(service.definitions, answer->body, &json_limits_default, answer->arena,
                          NULL, &json) != STATUS_OK) {
        return NULL;
    }
    yyjson_val *value = json.root;
    while (rest.at != NULL && rest.length > 0) {
        struct slice step = slice_cut(&rest, '.');
        uint64_t index;
        if (yyjson_is_arr(value) && slice_to_unsigned(step, 1000000, &index)) {
            value = yyjson_arr_get(value, (size_t)index);
        } else {
            value = yyjson_obj_getn(value, step.at, step.length);
        }
    }
    return value;
}

struct slice answer_text(const struct answer *answer, const char *path)
{
    const yyjson_val *value = answer_value(answer, path);
    struct slice text = json_string(value);
    return text.at != NULL ? text : json_number(value);
}

void assert_http(struct answer answer, int wanted)
{
    if (answer.http != wanted) {
        fail_msg("HTTP %d, wanted %d: %.*s", answer.http, wanted,
                 SLICE_ARGS(slice_head(answer.body, 800)));
    }
}

void assert_text(struct answer answer, const char *path, const char *wanted)
{
    struct slice text = answer_text(&answer, path);
    if (!slice_is(text, wanted)) {
        fail_msg("%s is \"%.*s\", wanted \"%s\", in %.*s", path, SLICE_ARGS(text), wanted,
                 SLICE_ARGS(slice_head(answer.body, 800)));
    }
}

size_t count_of(const char *search)
{
    struct answer answer = get(search);
    assert_http(answer, 200);
    return yyjson_arr_size(answer_value(&answer, "entry"));
}

const char *text_of(const char *format, ...)
{
    struct buffer out = {.arena = own->arena};
    va_list arguments;
    va_start(arguments, format);
    buffer_print_list(&out, format, arguments);
    va_end(arguments);
    buffer_add_byte(&out, '\0');
    assert_true(buffer_ok(&out));
    return out.at;
}

struct arena *service_memory(void)
{
    return own->arena;
}

struct caller *service_caller(void)
{
    return own;
}
