/* SPDX-License-Identifier: MIT */
/* One round: the whole service in one process, with writers, readers, an import, and a disk that
 * will fail. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "feed/feed.h"
#include "world.h"

#define BASE "http://127.0.0.1:8080/fhir"

static const struct world *world;
static struct service service;
static struct config config;
static int told_pipe;

static void must(enum status status, const char *what)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "# round %u: %s: %s\n", world->round, what, status_name(status));
        _exit(1);
    }
}

static void tell(struct told told)
{
    if (write(told_pipe, &told, sizeof told) != (ssize_t)sizeof told) {
        _exit(1);
    }
}

/* ---- a door of one thread -----------------------------------------------------------------------
 */

struct caller {
    struct store_reader *reader;
    struct random random;
    struct arena *arena; /* of bodies */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int resumes;
    bool done;
    uint32_t thread, count;
};

static void door_resume(struct request *request)
{
    struct caller *caller = request->door_context;
    pthread_mutex_lock(&caller->lock);
    caller->resumes++;
    pthread_cond_signal(&caller->changed);
    pthread_mutex_unlock(&caller->lock);
}

static void door_respond(struct request *request)
{
    struct caller *caller = request->door_context;
    pthread_mutex_lock(&caller->lock);
    caller->done = true;
    pthread_cond_signal(&caller->changed);
    pthread_mutex_unlock(&caller->lock);
}

static struct store_reader *door_reader(struct request *request)
{
    return ((struct caller *)request->door_context)->reader;
}

static const struct door door = {door_resume, door_respond, door_reader};

static void walk(struct caller *caller, struct request *request)
{
    request_start(request);
    pthread_mutex_lock(&caller->lock);
    while (!caller->done) {
        if (caller->resumes == 0) {
            pthread_cond_wait(&caller->changed, &caller->lock);
            continue;
        }
        caller->resumes--;
        pthread_mutex_unlock(&caller->lock);
        request_continue(request);
        pthread_mutex_lock(&caller->lock);
    }
    pthread_mutex_unlock(&caller->lock);
}

/* Sends one request; the answer's status, version and hash go into TOLD. Gives the HTTP status. */
static int send_one(struct caller *caller, enum method method, const char *target,
                    const char *query, struct slice body, struct told *told)
{
    size_t limit = ARENA_REQUEST_BASE + ARENA_REQUEST_FACTOR * body.length;
    struct request *request = request_create(&service, &door, caller, limit);
    if (request == NULL) {
        must(STATUS_MEMORY, "request");
    }
    told->request = world->seed << 40 | (uint64_t)caller->thread << 32 | caller->count++;
    caller->done = false;
    caller->resumes = 0;
    request->method = method;
    request->target = slice_text(target);
    request->query_text = slice_text(query);
    request->base_url = SLICE(BASE);
    request->body = body;
    request->id_text =
        slice_text(arena_print(request->arena, "%016llx", (unsigned long long)told->request));
    walk(caller, request);
    uint64_t version = 0;
    struct slice tag = request->response.etag; /* W/"3" */
    if (tag.length > 4) {
        (void)slice_to_unsigned(slice_of(tag.at + 3, tag.length - 4), UINT32_MAX, &version);
    }
    int http = request->response.http;
    told->version = (uint32_t)version;
    told->hash = world_hash(buffer_slice(&request->response.body));
    request_destroy(request);
    return http;
}

static void caller_make(struct caller *caller, uint32_t thread)
{
    *caller = (struct caller){.thread = thread, .arena = arena_create(0)};
    random_seed(&caller->random, world->seed, 100 + thread);
    pthread_mutex_init(&caller->lock, NULL);
    pthread_cond_init(&caller->changed, NULL);
    must(store_reader_open(service.store, &caller->reader), "reader");
}

/* ---- writers ------------------------------------------------------------------------------------
 */

static const char *filler(struct caller *caller)
{
    size_t length = (size_t)random_below(&caller->random, 8) == 0 ? 6000 : 400;
    length = (size_t)random_below(&caller->random, length) + 1;
    char *text = arena_alloc(caller->arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)('a' + random_below(&caller->random, 26));
    }
    text[length] = '\0';
    return text;
}

static void put_one(struct caller *caller, struct told *told)
{
    struct name name = world_name(told, 0);
    const char *target = arena_print(caller->arena, "%s/%s", name.type, name.id);
    int http;
    if (random_below(&caller->random, 12) == 0) {
        told->kind = TOLD_DELETED;
        http = send_one(caller, METHOD_DELETE, target, "", (struct slice){0}, told);
        told->kind = told->version == 0 ? TOLD_LOOKED : TOLD_DELETED; /* there was nothing */
    } else {
        const char *body =
            arena_print(caller->arena,
                        "{\"resourceType\":\"Patient\",\"id\":\"%s\",\"name\":[{\"text\":\"%s\"}]}",
                        name.id, filler(caller));
        http = send_one(caller, METHOD_PUT, target, "", slice_text(body), told);
    }
    if (http >= 300 && http != 404 && http != 410) {
        told->kind = TOLD_FAILED;
        told->version = (uint32_t)http;
    }
    tell(*told);
}

static void *write_until_dark(void *context)
{
    struct caller *caller = context;
    for (;;) {
        arena_reset(caller->arena, 0);
        uint32_t key = (uint32_t)random_below(&caller->random, WORLD_KEYS);
        struct told told = {.kind = TOLD_PUT, .key = caller->thread * WORLD_KEYS + key, .count = 1};
        put_one(caller, &told);
    }
    return NULL;
}

static const char *bundle_text(struct arena *arena, const struct name names[3], const char *text)
{
    return arena_print(
        arena,
        "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":["
        "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"%s\",\"name\":[{\"text\":\"%s\"}]},"
        "\"request\":{\"method\":\"PUT\",\"url\":\"Patient/%s\"}},"
        "{\"resource\":{\"resourceType\":\"Observation\",\"id\":\"%s\",\"status\":\"final\","
        "\"code\":{\"text\":\"c\"},\"subject\":{\"reference\":\"Patient/%s\"}},"
        "\"request\":{\"method\":\"PUT\",\"url\":\"Observation/%s\"}},"
        "{\"resource\":{\"resourceType\":\"Condition\",\"id\":\"%s\",\"subject\":"
        "{\"reference\":\"Patient/%s\"},\"note\":[{\"text\":\"%s\"}]},"
        "\"request\":{\"method\":\"PUT\",\"url\":\"Condition/%s\"}}]}",
        names[0].id, text, names[0].id, names[1].id, names[0].id, names[1].id, names[2].id,
        names[0].id, text, names[2].id);
}

static void *bundle_until_dark(void *context)
{
    struct caller *caller = context;
    struct name names[3];
    for (;;) {
        arena_reset(caller->arena, 0);
        uint32_t key = (uint32_t)random_below(&caller->random, WORLD_KEYS);
        struct told told = {
            .kind = TOLD_TRANSACTION, .key = caller->thread * WORLD_KEYS + key, .count = 3};
        for (uint32_t part = 0; part < 3; part++) {
            names[part] = world_name(&told, part);
        }
        const char *body = bundle_text(caller->arena, names, filler(caller));
        int http = send_one(caller, METHOD_POST, "", "", slice_text(body), &told);
        told.kind = http == 200 ? TOLD_TRANSACTION : TOLD_FAILED;
        told.version = http == 200 ? 0 : (uint32_t)http;
        tell(told);
    }
    return NULL;
}

/* ---- readers ------------------------------------------------------------------------------------
 */

static void *read_until_dark(void *context)
{
    struct caller *caller = context;
    for (;;) {
        arena_reset(caller->arena, 0);
        uint64_t which = random_below(&caller->random, 8);
        usleep((useconds_t)random_below(&caller->random, 4000)); /* leave the disk to the writers */
        uint32_t keys = (WORLD_WRITERS + WORLD_BUNDLERS) * WORLD_KEYS;
        struct told told = {
            .kind = TOLD_READ, .key = (uint32_t)random_below(&caller->random, keys), .count = 1};
        struct name name = world_name(&told, 0);
        int http;
        if (which == 0) {
            http = send_one(caller, METHOD_GET, "Observation",
                            arena_print(caller->arena, "patient=Patient/%s", name.id),
                            (struct slice){0}, &told);
        } else {
            http = send_one(caller, METHOD_GET,
                            arena_print(caller->arena, "%s/%s", name.type, name.id), "",
                            (struct slice){0}, &told);
        }
        told.kind = which == 0 || http != 200 ? TOLD_LOOKED : TOLD_READ;
        if (http != 200 && http != 404 && http != 410) {
            told.kind = TOLD_FAILED;
            told.version = (uint32_t)http;
        }
        tell(told);
    }
    return NULL;
}

/* ---- an import, and the rest --------------------------------------------------------------------
 */

static void *import_until_dark(void *context)
{
    (void)context;
    struct outcome outcome;
    struct feed_result result;
    char path[256];
    for (uint32_t file = world->import; file < WORLD_IMPORTS; file++) {
        const char *files[1] = {path};
        usleep(60000); /* now and then the writers have the store to themselves */
        struct feed_options options = {.service = &service,
                                       .rejects = open("/dev/null", O_WRONLY | O_CLOEXEC)};
        outcome_init(&outcome, arena_create(0));
        world_import_path(world, file, path);
        if (access(path, R_OK) != 0) {
            return NULL; /* the world has no more */
        }
        must(feed_import(&options, files, 1, &outcome, &result), "import");
        close(options.rejects);
        tell((struct told){
            .kind = TOLD_IMPORTED, .key = file, .version = (uint32_t)result.rejected});
    }
    return NULL;
}

static void back_up(void)
{
    char path[256];
    uint32_t number = (uint32_t)world->seed;
    world_backup_path(world, number, path);
    tell((struct told){.kind = TOLD_BACKUP_BEGUN, .key = number});
    must(store_backup(service.store, path, NULL, NULL, NULL), "backup");
    tell((struct told){.kind = TOLD_BACKUP, .key = number});
}

static void *look_after_until_dark(void *context)
{
    (void)context;
    struct arena *arena = arena_create(0);
    uint32_t ready = 0;
    for (uint32_t number = (uint32_t)(world->seed % 1000000) * 1000;; number++) {
        struct audit_statistics numbers;
        audit_statistics(service.audit, &numbers);
        if (numbers.ready > ready) {
            ready = numbers.ready;
            tell((struct told){.kind = TOLD_READY, .version = ready});
        }
        if (number % 1000 == 10 && world->backs_up) {
            back_up();
        }
        arena_reset(arena, 0);
        struct buffer text = {.arena = arena};
        for (int i = 0; i < 300; i++) {
            buffer_print(&text, "%u\n", number);
        }
        must(disk_replace_file(world->replaced, buffer_slice(&text)), "replace");
        tell((struct told){.kind = TOLD_REPLACED, .version = number});
        usleep(2000);
    }
    return NULL;
}

static void start_service(const char *vfs)
{
    struct store_options store = {
        .folder = world->folder, .definitions = world->definitions, .vfs = vfs};
    struct audit_options log = {.folder = world->folder, .segment_bytes = WORLD_SEGMENT};
    config_init(&config);
    config.data = world->folder;
    service = (struct service){.config = &config,
                               .definitions = world->definitions,
                               .interactions = api_interactions,
                               .started = time_now()};
    must(store_open(&store, NULL, &service.store), "store");
    must(audit_open(&log, NULL, &service.audit), "log");
    must(audit_sequence(service.audit, service.store), "sequencer");
    must(workers_start(service.store, 2, &service.workers), "workers");
    service.metrics = metrics_create(api_interactions);
}

void world_round(const struct world *the_world, int pipe, bool on_system)
{
    static struct caller callers[WORLD_WRITERS + WORLD_BUNDLERS + WORLD_READERS];
    pthread_t thread;
    world = the_world;
    told_pipe = pipe;
    start_service(on_system ? NULL : POWER_VFS);
    for (uint32_t i = 0; i < WORLD_WRITERS + WORLD_BUNDLERS + WORLD_READERS; i++) {
        caller_make(&callers[i], i);
        void *(*run)(void *) = i < WORLD_WRITERS                    ? write_until_dark
                               : i < WORLD_WRITERS + WORLD_BUNDLERS ? bundle_until_dark
                                                                    : read_until_dark;
        if (pthread_create(&thread, NULL, run, &callers[i]) != 0) {
            _exit(1);
        }
    }
    if (pthread_create(&thread, NULL, import_until_dark, NULL) != 0) {
        _exit(1);
    }
    look_after_until_dark(NULL);
    _exit(1);
}
