/* SPDX-License-Identifier: MIT */
/* Conformance resources that were stored through the API: they count beside those of the packages,
 * from the moment their write is durable. At a start they are read when first something asks for
 * them (an entry to be checked, a question of terminology), so that a server's first answer does
 * not wait. */
#include <pthread.h>

#include "api/api_int.h"

/* Which name a resource in the store has: what it says may change with its next version. Of several
 * with one name the one that was written last counts. */
struct named {
    uint64_t key; /* of type and id; 0: free */
    struct slice id, type, url, version;
    resource_type resource;
    uint32_t number; /* of the version known: news may come out of order */
    uint64_t change; /* that made it */
    uint64_t load;   /* the last one that met it */
    bool gone;
};

struct api_stored {
    struct arena *arena;
    struct arena *texts; /* of the names; another one takes its place when it is full */
    pthread_mutex_t lock;
    _Atomic bool loaded;
    _Atomic uint64_t news; /* of the store, as of the last load */
    uint64_t loads;
    struct named *names;
    size_t count, capacity;
};

static const char *const types[] = {"CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition",
                                    "Questionnaire"};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static bool counts(const struct service *service, resource_type type)
{
    struct slice name = resource_type_name(service->definitions, type);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (slice_is(name, types[i])) {
            return true;
        }
    }
    return false;
}

static uint64_t key_of(resource_type type, struct slice id)
{
    uint64_t key = slice_hash(id) * 31 + (uint64_t)type;
    return key != 0 ? key : 1;
}

static struct named *find_named(struct api_stored *stored, resource_type type, struct slice id)
{
    uint64_t key = key_of(type, id);
    for (size_t i = 0; i < stored->count; i++) {
        if (stored->names[i].key == key) {
            return &stored->names[i];
        }
    }
    struct slice copy = arena_copy(stored->texts, id);
    if (copy.at != NULL && stored->count == stored->capacity) {
        size_t to = stored->capacity == 0 ? 64 : stored->capacity * 2;
        struct named *names = arena_resize(stored->texts, stored->names,
                                           stored->capacity * sizeof *names, to * sizeof *names);
        if (names == NULL) {
            return NULL;
        }
        stored->names = names;
        stored->capacity = to;
    }
    if (copy.at == NULL) {
        return NULL;
    }
    struct named *named = &stored->names[stored->count++];
    *named = (struct named){.key = key, .id = copy, .resource = type, .gone = true};
    return named;
}

static bool is_name(const struct named *named, struct slice url, struct slice version)
{
    return slice_equals(named->url, url) && slice_equals(named->version, version);
}

/* The one written last of the others that have this name; NULL: none has. */
static const struct named *find_namesake(const struct api_stored *stored, const struct named *named,
                                         struct slice url, struct slice version)
{
    const struct named *last = NULL;
    for (size_t i = 0; i < stored->count; i++) {
        const struct named *other = &stored->names[i];
        if (other != named && !other->gone && other->resource == named->resource &&
            is_name(other, url, version) && (last == NULL || other->change > last->change)) {
            last = other;
        }
    }
    return last;
}

/* Gives the body as it is stored now, if it still has the name; its own news may be under way. */
static enum status read_namesake(const struct service *service, const struct named *named,
                                 struct arena *arena, struct slice *ret_body)
{
    struct store_reader *reader;
    struct store_tx *tx;
    struct store_version current;
    struct json json;
    TRY(store_reader_open(service->store, &reader));
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        status = store_read(tx, named->resource, named->id, arena, &current);
        store_snapshot_end(tx);
    }
    store_reader_close(reader);
    TRY(status);
    TRY(json_read(current.body, &json_limits_default, arena, NULL, &json));
    *ret_body = current.body;
    return is_name(named, json_get_string(json.root, "url"), json_get_string(json.root, "version"))
               ? STATUS_OK
               : STATUS_NOT_FOUND;
}

/* Takes the name out; another stored resource that has it as well counts from here on. */
static void take_out(const struct service *service, struct named *named)
{
    struct api_stored *stored = service->stored;
    if (named->gone) {
        return;
    }
    named->gone = true;
    const struct named *other = find_namesake(stored, named, named->url, named->version);
    if (other != NULL && other->change > named->change) {
        return; /* it counted already */
    }
    struct arena *scratch = arena_create(0);
    struct slice body;
    if (other == NULL || scratch == NULL ||
        read_namesake(service, other, scratch, &body) != STATUS_OK ||
        conformance_add(service->conformance, body, NULL) != STATUS_OK) {
        conformance_remove(service->conformance, named->type, named->url, named->version);
    }
    arena_destroy(scratch);
}

/* STATUS_INVALID: it is no use as a conformance resource. */
static enum status give_name(const struct service *service, struct named *named, struct slice body,
                             struct slice url, struct slice version)
{
    struct arena *arena = service->stored->texts;
    const struct named *other = find_namesake(service->stored, named, url, version);
    bool counts_already = other != NULL && other->change > named->change;
    if (url.length == 0) {
        return STATUS_INVALID;
    }
    if (!counts_already) {
        TRY(conformance_add(service->conformance, body, NULL));
    }
    if (!is_name(named, url, version) || named->type.length == 0) {
        named->type = resource_type_name(service->definitions, named->resource);
        named->url = arena_copy(arena, url);
        named->version = arena_copy(arena, version);
    }
    named->gone = named->url.at == NULL || named->version.at == NULL;
    return named->gone ? STATUS_MEMORY : STATUS_OK;
}

/* Under the lock. What is no use as a conformance resource (no url, no snapshot to be made) is
 * stored all the same and counts for nothing. STATUS_MEMORY: it may not be known as it should. */
static enum status take_in(const struct service *service, resource_type type, struct slice id,
                           uint32_t number, uint64_t change, struct slice body)
{
    struct named *named = find_named(service->stored, type, id);
    struct arena *scratch = arena_create(0);
    struct json json;
    if (named == NULL || scratch == NULL || number < named->number ||
        json_read(body, &json_limits_default, scratch, NULL, &json) != STATUS_OK) {
        bool short_of_memory = named == NULL || scratch == NULL || arena_full(scratch);
        arena_destroy(scratch);
        return short_of_memory ? STATUS_MEMORY : STATUS_OK;
    }
    struct slice url = json_get_string(json.root, "url");
    struct slice version = json_get_string(json.root, "version");
    named->load = service->stored->loads;
    if (!named->gone && number == named->number && change == named->change) {
        arena_destroy(scratch);
        return STATUS_OK; /* read again, and the same */
    }
    if (!is_name(named, url, version)) {
        take_out(service, named);
    }
    named->number = number;
    named->change = change;
    enum status status = give_name(service, named, body, url, version);
    if (status != STATUS_OK) {
        take_out(service, named); /* what it was before is no more */
    }
    arena_destroy(scratch);
    return status == STATUS_MEMORY ? status : STATUS_OK;
}

static enum status visit(void *context, const struct store_version *version)
{
    return take_in(context, version->type, version->id, version->version, version->change,
                   version->body);
}

/* What was met by no load since is there no more: another process deleted it. */
static void sweep(struct service *service)
{
    struct api_stored *stored = service->stored;
    for (size_t i = 0; i < stored->count; i++) {
        if (stored->names[i].load != stored->loads) {
            take_out(service, &stored->names[i]);
        }
    }
}

/* What the server itself heeds, under what packages bring and others store. */
static enum status add_own(struct service *service)
{
    struct outcome outcome;
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    outcome_init(&outcome, arena);
    enum status status =
        conformance_add(service->conformance, slice_text(bulk_member_filter), &outcome);
    arena_destroy(arena);
    return status;
}

/* With a reader of its own: whoever asks may be in the middle of a write. */
static enum status load(struct service *service)
{
    service->stored->loads++;
    struct store_reader *reader;
    struct store_tx *tx;
    TRY(add_own(service));
    TRY(store_reader_open(service->store, &reader));
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        for (size_t i = 0; status == STATUS_OK && i < TYPE_COUNT; i++) {
            resource_type type = resource_type_find(service->definitions, slice_text(types[i]));
            status = store_scan(tx, type, visit, service);
        }
        store_snapshot_end(tx);
    }
    store_reader_close(reader);
    if (status == STATUS_OK) {
        sweep(service);
    }
    return status;
}

/* An arena that was once short of memory gives none any more. */
static enum status begin_names(const struct service *service)
{
    struct api_stored *stored = service->stored;
    if (stored->texts == NULL || arena_full(stored->texts)) {
        for (size_t i = 0; i < stored->count; i++) {
            const struct named *named = &stored->names[i];
            if (!named->gone) {
                conformance_remove(service->conformance, named->type, named->url, named->version);
            }
        }
        arena_destroy(stored->texts);
        stored->texts = arena_create(0);
        stored->names = NULL;
        stored->count = stored->capacity = 0;
    }
    return stored->texts != NULL ? STATUS_OK : STATUS_MEMORY;
}

/* On a server other processes write them too. */
static bool is_current(const struct service *service)
{
    const struct api_stored *stored = service->stored;
    return atomic_load(&stored->loaded) &&
           (service->store == NULL || atomic_load(&stored->news) == store_news(service->store));
}

static enum status stored_ready(struct service *service)
{
    struct api_stored *stored = service->stored;
    if (stored == NULL || is_current(service)) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    (void)pthread_mutex_lock(&stored->lock);
    if (!is_current(service)) {
        uint64_t news = service->store != NULL ? store_news(service->store) : 0;
        status = begin_names(service);
        status = status == STATUS_OK ? load(service) : status;
        atomic_store(&stored->loaded, status == STATUS_OK);
        atomic_store(&stored->news, news);
    }
    (void)pthread_mutex_unlock(&stored->lock);
    return status;
}

enum status api_stored_ready(struct request *request)
{
    return stored_ready(request->service);
}

/* Before the first load nothing is done: the load will see what is durable by then. */
void api_stored_changed(struct request *request, const struct store_written *written,
                        struct slice body)
{
    struct service *service = request->service;
    struct api_stored *stored = service->stored;
    if (stored == NULL || !counts(service, request->type)) {
        return;
    }
    (void)pthread_mutex_lock(&stored->lock);
    if (atomic_load(&stored->loaded) && body.length > 0) {
        /* Without memory to know it, all are read again before anybody asks: old answers are wrong
         * ones. */
        atomic_store(&stored->loaded, take_in(service, request->type, request->id, written->version,
                                              written->change, body) == STATUS_OK);
    } else if (atomic_load(&stored->loaded)) {
        struct named *named = find_named(stored, request->type, request->id);
        atomic_store(&stored->loaded, named != NULL);
        if (named != NULL && written->version >= named->number) {
            named->number = written->version;
            take_out(service, named);
        }
    }
    (void)pthread_mutex_unlock(&stored->lock);
}

static void watch(const struct service *service)
{
    resource_type kept[TYPE_COUNT];
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        kept[i] = resource_type_find(service->definitions, slice_text(types[i]));
    }
    if (service->store != NULL) {
        store_watch(service->store, kept, TYPE_COUNT);
    }
}

/* A profile of thousands of elements takes a second to be made ready, and more under a lock. */
static bool settles_long(const struct request *request)
{
    bool defines = counts(request->service, request->type);
    for (size_t i = 0; i < request->child_count; i++) {
        defines = defines || counts(request->service, request->children[i]->type);
    }
    return defines;
}

enum status api_conformance_open(struct service *service, struct outcome *outcome)
{
    struct arena *arena = arena_create(0);
    struct api_stored *stored = arena != NULL ? ARENA_NEW(arena, struct api_stored) : NULL;
    if (stored == NULL || pthread_mutex_init(&stored->lock, NULL) != 0) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    stored->arena = arena;
    service->stored = stored;
    service->stored_ready = stored_ready;
    watch(service);
    service->settles_long = settles_long;
    TRY(conformance_open(service->definitions, &service->conformance));
    TRY(terms_open(service->conformance, outcome, &service->terms));
    const char *releases = config_terminology(service->config, arena);
    if (releases != NULL) {
        terms_use_releases(service->terms, releases);
    }
    return STATUS_OK;
}

void api_conformance_close(struct service *service)
{
    terms_close(service->terms);
    conformance_close(service->conformance);
    if (service->stored != NULL) {
        (void)pthread_mutex_destroy(&service->stored->lock);
        arena_destroy(service->stored->texts);
        arena_destroy(service->stored->arena);
    }
    service->terms = NULL;
    service->conformance = NULL;
    service->stored = NULL;
    service->stored_ready = NULL;
    service->settles_long = NULL;
}
