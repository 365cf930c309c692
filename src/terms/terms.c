/* SPDX-License-Identifier: MIT */
/* The shelf: code systems and value sets are compiled once and shared by threads. A code system is
 * known by the serial of its resource and stays while that is current; a value set may depend on
 * anything, so all of them go when a conformance resource changes. */
#include <roaring/roaring.h>
#include <stdio.h>

#include "terms/release.h"
#include "terms/terms_int.h"

/* More value sets than this are not kept at once: a caller may name any number of implicit ones. */
#define SETS_KEPT       20000u
#define SETS_KEPT_BYTES ((size_t)192 << 20)

struct slot {
    uint64_t key;
    void *value;
};

/* From a non-zero key to a pointer; grows, never shrinks but by clearing. */
struct map {
    struct slot *slots;
    size_t size, count;
    struct arena *arena;
};

struct terms {
    struct conformance *conformance;
    struct arena *arena;
    pthread_rwlock_t lock;
    uint64_t generation;
    struct map systems;         /* serial -> struct code_system */
    struct map sets;            /* hash of the canonical -> struct kept_set */
    size_t set_bytes;           /* of these */
    const char *release_folder; /* NULL: none */
    struct arena *release_arena;
    pthread_mutex_t release_lock;
    _Atomic bool releases_opened;
    const struct code_system **releases;
    size_t release_count;
    struct map_notes *maps;
    struct listed *listed; /* under release_lock */
};

/* A code system of which a value set of the specification lists the codes. */
struct listed {
    struct slice url;
    struct code_system *system; /* NULL: the value set is not loaded */
    struct listed *next;
};

struct kept_set {
    struct slice canonical;
    struct value_set *set;
};

static struct slot *map_slot(struct map *map, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (map->size - 1);
    while (map->slots[at].key != 0 && map->slots[at].key != key) {
        at = (at + 1) & (map->size - 1);
    }
    return &map->slots[at];
}

static void *map_get(struct map *map, uint64_t key)
{
    return map->size == 0 ? NULL : map_slot(map, key)->value;
}

static bool map_set(struct map *map, uint64_t key, void *value)
{
    if (map->count * 2 >= map->size) {
        struct map next = {.size = map->size == 0 ? 64 : map->size * 2, .arena = map->arena};
        next.slots = arena_array(map->arena, next.size, sizeof *next.slots);
        if (next.slots == NULL) {
            return false;
        }
        for (size_t i = 0; i < map->size; i++) {
            if (map->slots[i].key != 0 && map->slots[i].value != NULL) {
                *map_slot(&next, map->slots[i].key) = map->slots[i];
                next.count++;
            }
        }
        *map = next;
    }
    struct slot *slot = map_slot(map, key);
    map->count += slot->key == 0 ? 1 : 0;
    *slot = (struct slot){key, value};
    return true;
}

/* ---- references -------------------------------------------------------------------------------
 */

struct held {
    struct terms *terms;
    struct code_system *system;
    struct value_set *set;
};

static void system_let_go(struct terms *terms, struct code_system *system)
{
    if (atomic_fetch_sub(&system->references, 1) == 1) {
        const struct canonical *source = system->source;
        arena_destroy(system->own);
        conformance_release(terms->conformance, source);
    }
}

static void set_let_go(struct value_set *set)
{
    if (atomic_fetch_sub(&set->references, 1) == 1) {
        arena_destroy(set->own);
    }
}

static void held_release(void *thing)
{
    struct held *held = thing;
    if (held->system != NULL) {
        system_let_go(held->terms, held->system);
    }
    if (held->set != NULL) {
        set_let_go(held->set);
    }
}

/* The reference, taken already, ends with the arena. */
static bool hold(struct terms *terms, struct code_system *system, struct value_set *set,
                 struct arena *arena)
{
    struct held *held = ARENA_NEW(arena, struct held);
    if (held == NULL) {
        struct held now = {terms, system, set};
        held_release(&now);
        return false;
    }
    *held = (struct held){terms, system, set};
    return arena_defer(arena, held_release, held) == STATUS_OK;
}

/* ---- what has changed -------------------------------------------------------------------------
 */

static bool still_current(struct terms *terms, const struct code_system *system,
                          struct arena *arena)
{
    struct slice name = canonical_join(arena, system->url, system->version);
    const struct canonical *now =
        conformance_find(terms->conformance, SLICE("CodeSystem"), name, arena);
    return now != NULL && now->serial == system->serial;
}

/* Under the write lock. */
static void clear_sets(struct terms *terms)
{
    for (size_t i = 0; i < terms->sets.size; i++) {
        struct kept_set *kept = terms->sets.slots[i].value;
        if (kept != NULL) {
            set_let_go(kept->set);
        }
    }
    arena_destroy(terms->sets.arena);
    terms->sets = (struct map){.arena = arena_create(0)};
    terms->set_bytes = 0;
}

/* Under the write lock. */
static void clear_stale(struct terms *terms)
{
    clear_sets(terms);
    struct arena *scratch = arena_create((size_t)4 << 20);
    for (size_t i = 0; scratch != NULL && i < terms->systems.size; i++) {
        struct code_system *system = terms->systems.slots[i].value;
        if (system != NULL && !still_current(terms, system, scratch)) {
            terms->systems.slots[i].value = NULL;
            system_let_go(terms, system);
        }
        arena_reset(scratch, (size_t)4 << 20);
    }
    arena_destroy(scratch);
}

static void notice_changes(struct terms *terms)
{
    uint64_t now = conformance_generation(terms->conformance);
    pthread_rwlock_rdlock(&terms->lock);
    bool same = terms->generation == now;
    pthread_rwlock_unlock(&terms->lock);
    if (same) {
        return;
    }
    pthread_rwlock_wrlock(&terms->lock);
    if (terms->generation < now) {
        clear_stale(terms);
        terms->generation = now;
    }
    pthread_rwlock_unlock(&terms->lock);
}

/* ---- code systems -----------------------------------------------------------------------------
 */

static struct code_system *system_take(struct terms *terms, uint64_t serial)
{
    pthread_rwlock_rdlock(&terms->lock);
    struct code_system *system = map_get(&terms->systems, serial);
    if (system != NULL) {
        atomic_fetch_add(&system->references, 1);
    }
    pthread_rwlock_unlock(&terms->lock);
    return system;
}

static enum status system_make(struct terms *terms, const struct canonical *canonical,
                               struct code_system **ret_system)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "%.*s%s%.*s", SLICE_ARGS(canonical->url),
                          canonical->version.length > 0 ? "|" : "", SLICE_ARGS(canonical->version));
    const struct canonical *source = length > 0 && (size_t)length < sizeof text
                                         ? conformance_hold(terms->conformance, SLICE("CodeSystem"),
                                                            slice_of(text, (size_t)length))
                                         : NULL;
    if (source == NULL || source->json == NULL) {
        return STATUS_NOT_FOUND;
    }
    struct arena *own = arena_create(0);
    enum status status =
        own != NULL ? code_system_compile(source->json->root, own, ret_system) : STATUS_MEMORY;
    if (status != STATUS_OK) {
        arena_destroy(own);
        conformance_release(terms->conformance, source);
        return status;
    }
    (*ret_system)->own = own;
    (*ret_system)->source = source;
    (*ret_system)->serial = source->serial;
    atomic_init(&(*ret_system)->references, 1);
    return STATUS_OK;
}

enum status shelf_system(struct terms *terms, const struct canonical *canonical,
                         struct arena *arena, const struct code_system **ret_system)
{
    struct code_system *system = system_take(terms, canonical->serial);
    if (system == NULL) {
        TRY(system_make(terms, canonical, &system));
        pthread_rwlock_wrlock(&terms->lock);
        struct code_system *other = map_get(&terms->systems, system->serial);
        struct code_system *mine = system;
        if (other != NULL) {
            atomic_fetch_add(&other->references, 1);
            system = other;
        } else if (map_set(&terms->systems, system->serial, system)) {
            atomic_fetch_add(&system->references, 1);
        }
        pthread_rwlock_unlock(&terms->lock);
        if (system != mine) {
            system_let_go(terms, mine);
        }
    }
    *ret_system = system;
    return hold(terms, system, NULL, arena) ? STATUS_OK : STATUS_TOO_COSTLY;
}

void terms_use_releases(struct terms *terms, const char *folder)
{
    terms->release_folder = arena_copy(terms->arena, slice_text(folder)).at;
}

size_t shelf_releases(struct terms *terms, const struct code_system *const **ret_systems)
{
    if (terms->release_folder != NULL && !atomic_load(&terms->releases_opened)) {
        (void)pthread_mutex_lock(&terms->release_lock);
        if (!atomic_load(&terms->releases_opened)) {
            terms->release_count =
                releases_open(terms->release_folder, terms->release_arena, &terms->releases);
            atomic_store(&terms->releases_opened, true);
        }
        (void)pthread_mutex_unlock(&terms->release_lock);
    }
    *ret_systems = terms->releases;
    return terms->release_count;
}

static struct listed *listed_make(struct terms *terms, struct slice url, const char *value_set)
{
    struct listed *listed = ARENA_NEW(terms->release_arena, struct listed);
    if (listed == NULL) {
        return NULL;
    }
    const struct canonical *source =
        conformance_hold(terms->conformance, SLICE("ValueSet"), slice_text(value_set));
    *listed = (struct listed){.url = arena_copy(terms->release_arena, url), .next = terms->listed};
    if (source != NULL) {
        listed->system = listed_system_make(url, source->json->root, terms->release_arena);
    }
    conformance_release(terms->conformance, source);
    terms->listed = listed;
    return listed;
}

const struct code_system *shelf_listed(struct terms *terms, struct slice url)
{
    const char *value_set = listing_of(url);
    if (value_set == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&terms->release_lock);
    struct listed *listed = terms->listed;
    while (listed != NULL && !slice_equals(listed->url, url)) {
        listed = listed->next;
    }
    if (listed == NULL) {
        listed = listed_make(terms, url, value_set);
    }
    (void)pthread_mutex_unlock(&terms->release_lock);
    return listed != NULL ? listed->system : NULL;
}

struct conformance *shelf_conformance(struct terms *terms)
{
    return terms->conformance;
}

struct map_notes *shelf_maps(struct terms *terms)
{
    return terms->maps;
}

/* ---- value sets -------------------------------------------------------------------------------
 */

static uint64_t set_key(struct slice canonical)
{
    uint64_t key = slice_hash(canonical);
    return key != 0 ? key : 1;
}

const struct value_set *shelf_set(struct terms *terms, struct slice canonical, struct arena *arena)
{
    notice_changes(terms);
    pthread_rwlock_rdlock(&terms->lock);
    struct kept_set *kept = map_get(&terms->sets, set_key(canonical));
    struct value_set *set = NULL;
    if (kept != NULL && slice_equals(kept->canonical, canonical)) {
        set = kept->set;
        atomic_fetch_add(&set->references, 1);
    }
    pthread_rwlock_unlock(&terms->lock);
    return set != NULL && hold(terms, NULL, set, arena) ? set : NULL;
}

static size_t bytes_of(const struct value_set *set)
{
    size_t bytes = arena_used(set->own);
    for (size_t i = 0; i < set->set_count; i++) {
        bytes += roaring_bitmap_size_in_bytes(set->sets[i].codes);
    }
    for (size_t i = 0; i < set->include_count; i++) {
        bytes += set->includes[i].codes != NULL
                     ? roaring_bitmap_size_in_bytes(set->includes[i].codes)
                     : 0;
    }
    return bytes;
}

const struct value_set *shelf_put(struct terms *terms, struct slice canonical,
                                  struct value_set *set, uint64_t generation, struct arena *arena)
{
    size_t bytes = bytes_of(set);
    atomic_init(&set->references, 1);
    pthread_rwlock_wrlock(&terms->lock);
    uint64_t key = set_key(canonical);
    if (terms->generation == generation && bytes < SETS_KEPT_BYTES / 4 &&
        map_get(&terms->sets, key) == NULL) {
        if (terms->sets.count >= SETS_KEPT || terms->set_bytes + bytes > SETS_KEPT_BYTES) {
            clear_sets(terms); /* what is in use comes back soon */
        }
        struct kept_set *kept = ARENA_NEW(terms->sets.arena, struct kept_set);
        if (kept != NULL) {
            *kept = (struct kept_set){arena_copy(terms->sets.arena, canonical), set};
            if (map_set(&terms->sets, key, kept)) {
                terms->set_bytes += bytes;
                atomic_fetch_add(&set->references, 1);
            }
        }
    }
    pthread_rwlock_unlock(&terms->lock);
    return hold(terms, NULL, set, arena) ? set : NULL;
}

/* ---- opening and closing ----------------------------------------------------------------------
 */

enum status terms_open(struct conformance *conformance, struct outcome *outcome,
                       struct terms **ret_terms)
{
    (void)outcome;
    struct arena *arena = arena_create(0);
    struct terms *terms = arena != NULL ? ARENA_NEW(arena, struct terms) : NULL;
    if (terms == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    *terms = (struct terms){.conformance = conformance,
                            .arena = arena,
                            .generation = conformance_generation(conformance),
                            .systems = {.arena = arena},
                            .sets = {.arena = arena_create(0)}};
    terms->release_arena = arena_create(0);
    terms->maps = map_notes_open(conformance, arena);
    if (terms->sets.arena == NULL || terms->release_arena == NULL || terms->maps == NULL ||
        pthread_rwlock_init(&terms->lock, NULL) != 0 ||
        pthread_mutex_init(&terms->release_lock, NULL) != 0) {
        arena_destroy(terms->release_arena);
        arena_destroy(terms->sets.arena);
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    *ret_terms = terms;
    return STATUS_OK;
}

void terms_close(struct terms *terms)
{
    if (terms == NULL) {
        return;
    }
    for (size_t i = 0; i < terms->sets.size; i++) {
        struct kept_set *kept = terms->sets.slots[i].value;
        if (kept != NULL) {
            set_let_go(kept->set);
        }
    }
    arena_destroy(terms->sets.arena);
    for (size_t i = 0; i < terms->systems.size; i++) {
        struct code_system *system = terms->systems.slots[i].value;
        if (system != NULL) {
            system_let_go(terms, system);
        }
    }
    map_notes_close(terms->maps);
    (void)pthread_rwlock_destroy(&terms->lock);
    (void)pthread_mutex_destroy(&terms->release_lock);
    arena_destroy(terms->release_arena);
    arena_destroy(terms->arena);
}
