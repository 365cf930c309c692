/* SPDX-License-Identifier: MIT */
/* Conformance resources: rows of the blob, unpacked and parsed when they are asked for and kept
 * while there is room; and an overlay of those added at run time. One lock guards the lists; it is
 * never held while something is unpacked, parsed or made. */
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "fhir/conformance.h"
#include "fhir/fhir_int.h"
#include "fhir/snapshot.h"

#define BUCKETS    1024u
#define CACHE_ROOM ((size_t)24 << 20) /* what nobody holds is dropped past this */

struct entry {
    struct canonical canonical; /* first: what is handed out is the entry */
    struct json json;
    struct arena *arena; /* its own; the entry lies in it */
    struct entry *next;  /* in its bucket */
    uint64_t used;       /* the clock when it was last found */
    uint32_t holds;
    bool listed; /* in the cache or the overlay; else the last release ends it */
};

struct conformance {
    const struct definitions *definitions;
    struct arena *arena;
    pthread_mutex_t lock;
    struct entry **cache;           /* by row */
    struct entry *overlay[BUCKETS]; /* by the hash of the url; newest first */
    size_t overlay_count, cached_bytes;
    uint64_t clock, serial, generation;
};

static const struct json_limits limits = {
    .bytes = (size_t)256 << 20, .depth = 256, .values = 50000000};

/* ---- names ------------------------------------------------------------------------------------
 */

struct wanted {
    struct slice type, url, version;
};

static struct wanted wanted_of(struct slice type, struct slice canonical)
{
    struct slice bare = slice_head(canonical, slice_index(canonical, '#'));
    size_t bar = slice_index(bare, '|');
    return (struct wanted){type, slice_head(bare, bar), slice_from(bare, bar + 1)};
}

/* Newer versions are greater: numbers between the dots as numbers, everything else as text; none
 * is older than any. */
static int version_compare(struct slice a, struct slice b)
{
    while (a.length > 0 && b.length > 0) {
        struct slice left = slice_cut(&a, '.'), right = slice_cut(&b, '.');
        uint64_t x, y;
        bool numbers =
            slice_to_unsigned(left, UINT32_MAX, &x) && slice_to_unsigned(right, UINT32_MAX, &y);
        int order = numbers ? (x > y) - (x < y) : slice_compare(left, right);
        if (order != 0) {
            return order;
        }
    }
    return (a.length > 0) - (b.length > 0);
}

static struct slice text_of(const struct conformance *conformance, struct text_row text)
{
    return table_text(&conformance->definitions->tables, text);
}

static bool is_wanted(const struct wanted *wanted, struct slice type, struct slice url,
                      struct slice version)
{
    return slice_equals(wanted->url, url) &&
           (wanted->type.length == 0 || slice_equals(wanted->type, type)) &&
           (wanted->version.length == 0 || slice_equals(wanted->version, version));
}

static size_t bucket_of(struct slice url)
{
    return slice_hash(url) & (BUCKETS - 1);
}

/* The newest added one, or NULL; under the lock. */
static struct entry *overlay_find(struct conformance *conformance, const struct wanted *wanted)
{
    struct entry *best = NULL;
    for (struct entry *each = conformance->overlay[bucket_of(wanted->url)]; each != NULL;
         each = each->next) {
        const struct canonical *one = &each->canonical;
        if (is_wanted(wanted, one->type, one->url, one->version) &&
            (best == NULL || version_compare(one->version, best->canonical.version) > 0)) {
            best = each;
        }
    }
    return best;
}

#define NO_ROW UINT32_MAX

/* The newest of the packages; of equals the later. */
static uint32_t row_find(const struct conformance *conformance, const struct wanted *wanted)
{
    const struct definitions *definitions = conformance->definitions;
    uint32_t best = NO_ROW;
    uint32_t mask = definitions->canonical_slot_count - 1;
    if (definitions->canonical_slot_count == 0 || wanted->url.length == 0) {
        return NO_ROW;
    }
    for (uint32_t slot = name_hash(wanted->url.at, wanted->url.length, 0) & mask;
         definitions->canonical_slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t number = definitions->canonical_slots[slot] - 1;
        const struct canonical_row *row = &definitions->canonicals[number];
        struct slice version = text_of(conformance, row->version);
        if (!is_wanted(wanted, text_of(conformance, row->type), text_of(conformance, row->url),
                       version)) {
            continue;
        }
        int order = best == NO_ROW
                        ? 1
                        : version_compare(
                              version, text_of(conformance,
                                               conformance->definitions->canonicals[best].version));
        if (order > 0 || (order == 0 && number > best)) {
            best = number;
        }
    }
    return best;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

static void entry_release(struct conformance *conformance, struct entry *entry)
{
    pthread_mutex_lock(&conformance->lock);
    bool last = --entry->holds == 0 && !entry->listed;
    pthread_mutex_unlock(&conformance->lock);
    if (last) {
        arena_destroy(entry->arena);
    }
}

/* An entry of its own arena for TEXT, which lies in that arena; NULL when it is no resource. A
 * StructureDefinition without a snapshot gets one. */
static struct entry *entry_make(struct conformance *conformance, struct arena *arena,
                                struct slice text, struct outcome *outcome)
{
    struct entry *entry = ARENA_NEW(arena, struct entry);
    if (entry == NULL || json_read(text, &limits, arena, outcome, &entry->json) != STATUS_OK) {
        return NULL;
    }
    entry->arena = arena;
    yyjson_val *root = entry->json.root;
    if (slice_is(json_get_string(root, "resourceType"), "StructureDefinition") &&
        json_get(root, "snapshot") == NULL && json_get(root, "differential") != NULL) {
        struct buffer whole = {.arena = arena};
        if (snapshot_write(conformance, root, outcome, &whole) != STATUS_OK ||
            json_read(buffer_slice(&whole), &limits, arena, outcome, &entry->json) != STATUS_OK) {
            return NULL;
        }
        text = buffer_slice(&whole);
        root = entry->json.root;
    }
    entry->canonical = (struct canonical){.type = json_get_string(root, "resourceType"),
                                          .url = json_get_string(root, "url"),
                                          .version = json_get_string(root, "version"),
                                          .text = text,
                                          .json = &entry->json};
    return entry;
}

static struct entry *row_make(struct conformance *conformance, uint32_t number)
{
    const struct canonical_row *row = &conformance->definitions->canonicals[number];
    struct arena *arena = arena_create(0);
    char *text = arena != NULL ? arena_alloc(arena, row->length) : NULL;
    struct entry *entry = NULL;
    if (text != NULL &&
        ZSTD_decompress(text, row->length, conformance->definitions->canonical_texts + row->offset,
                        row->stored) == row->length) {
        entry = entry_make(conformance, arena, slice_of(text, row->length), NULL);
    }
    if (entry == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    entry->canonical.package = text_of(conformance, row->package);
    entry->canonical.serial = number + 1u;
    return entry;
}

/* Drops what was not asked for longest until there is room; under the lock. */
static void cache_trim(struct conformance *conformance)
{
    uint32_t count = conformance->definitions->canonical_count;
    while (conformance->cached_bytes > CACHE_ROOM) {
        uint32_t oldest = NO_ROW;
        for (uint32_t i = 0; i < count; i++) {
            struct entry *each = conformance->cache[i];
            if (each != NULL && each->holds == 0 &&
                (oldest == NO_ROW || each->used < conformance->cache[oldest]->used)) {
                oldest = i;
            }
        }
        if (oldest == NO_ROW) {
            return;
        }
        struct entry *entry = conformance->cache[oldest];
        conformance->cache[oldest] = NULL;
        conformance->cached_bytes -= arena_used(entry->arena);
        arena_destroy(entry->arena);
    }
}

static struct entry *row_hold(struct conformance *conformance, uint32_t number)
{
    pthread_mutex_lock(&conformance->lock);
    struct entry *entry = conformance->cache[number];
    if (entry == NULL) {
        pthread_mutex_unlock(&conformance->lock);
        struct entry *made = row_make(conformance, number);
        pthread_mutex_lock(&conformance->lock);
        entry = conformance->cache[number];
        if (entry == NULL && made != NULL) {
            entry = made;
            entry->listed = true;
            conformance->cache[number] = entry;
            conformance->cached_bytes += arena_used(entry->arena);
        } else if (made != NULL) {
            arena_destroy(made->arena); /* somebody was quicker */
        }
    }
    if (entry != NULL) {
        entry->holds++;
        entry->used = ++conformance->clock;
        cache_trim(conformance);
    }
    pthread_mutex_unlock(&conformance->lock);
    return entry;
}

const struct canonical *conformance_hold(struct conformance *conformance, struct slice type,
                                         struct slice canonical)
{
    struct wanted wanted = wanted_of(type, canonical);
    uint32_t row = row_find(conformance, &wanted);
    pthread_mutex_lock(&conformance->lock);
    struct entry *entry = overlay_find(conformance, &wanted);
    if (entry != NULL && row != NO_ROW &&
        version_compare(text_of(conformance, conformance->definitions->canonicals[row].version),
                        entry->canonical.version) > 0) {
        entry = NULL;
    }
    if (entry != NULL) {
        entry->holds++;
    }
    pthread_mutex_unlock(&conformance->lock);
    if (entry == NULL && row != NO_ROW) {
        entry = row_hold(conformance, row);
    }
    return entry != NULL ? &entry->canonical : NULL;
}

void conformance_release(struct conformance *conformance, const struct canonical *canonical)
{
    if (canonical != NULL) {
        entry_release(conformance, (struct entry *)(uintptr_t)canonical);
    }
}

struct held {
    struct conformance *conformance;
    const struct canonical *canonical;
};

static void held_release(void *thing)
{
    struct held *held = thing;
    conformance_release(held->conformance, held->canonical);
}

const struct canonical *conformance_find(struct conformance *conformance, struct slice type,
                                         struct slice canonical, struct arena *arena)
{
    struct held *held = ARENA_NEW(arena, struct held);
    if (held == NULL) {
        return NULL;
    }
    *held = (struct held){conformance, conformance_hold(conformance, type, canonical)};
    if (held->canonical == NULL || arena_defer(arena, held_release, held) != STATUS_OK) {
        return NULL;
    }
    return held->canonical;
}

/* ---- adding and removing ----------------------------------------------------------------------
 */

/* Takes the one of exactly this name out of the overlay; under the lock. The caller releases the
 * hold that the overlay's own place stands for. */
static struct entry *overlay_take(struct conformance *conformance, const struct wanted *wanted)
{
    struct entry **link = &conformance->overlay[bucket_of(wanted->url)];
    for (; *link != NULL; link = &(*link)->next) {
        struct entry *entry = *link;
        if (is_wanted(wanted, entry->canonical.type, entry->canonical.url,
                      entry->canonical.version) &&
            slice_equals(wanted->version, entry->canonical.version)) {
            *link = entry->next;
            entry->listed = false;
            entry->holds++;
            conformance->overlay_count--;
            return entry;
        }
    }
    return NULL;
}

static enum status check_added(const struct conformance *conformance, const struct entry *entry,
                               struct outcome *outcome)
{
    const struct canonical *canonical = &entry->canonical;
    if (!slice_is(canonical->type, "NamingSystem") && canonical->url.length == 0) {
        return outcome_fail(outcome, STATUS_INVALID, "", "A conformance resource needs a url.");
    }
    /* Base rules are compiled once, and profiles stand on them. */
    struct slice prefix = SLICE("http://hl7.org/fhir/StructureDefinition/");
    if (slice_is(canonical->type, "StructureDefinition") && slice_starts(canonical->url, prefix) &&
        type_find(conformance->definitions, slice_from(canonical->url, prefix.length)) != NULL) {
        return outcome_fail(outcome, STATUS_INVALID, "StructureDefinition.url",
                            "The types of FHIR R4 itself cannot be defined anew: give the "
                            "definition a url of its own.");
    }
    return STATUS_OK;
}

enum status conformance_add(struct conformance *conformance, struct slice text,
                            struct outcome *outcome)
{
    struct arena *arena = arena_create(0);
    struct slice copy = arena != NULL ? arena_copy(arena, text) : (struct slice){NULL, 0};
    if (copy.at == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    struct entry *entry = entry_make(conformance, arena, copy, outcome);
    enum status status = entry == NULL ? STATUS_INVALID : check_added(conformance, entry, outcome);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    struct wanted name = {entry->canonical.type, entry->canonical.url, entry->canonical.version};
    pthread_mutex_lock(&conformance->lock);
    struct entry *before = overlay_take(conformance, &name);
    struct entry **bucket = &conformance->overlay[bucket_of(name.url)];
    entry->canonical.serial = ++conformance->serial;
    entry->listed = true;
    entry->next = *bucket;
    *bucket = entry;
    conformance->overlay_count++;
    conformance->generation++;
    pthread_mutex_unlock(&conformance->lock);
    if (before != NULL) {
        entry_release(conformance, before);
    }
    return STATUS_OK;
}

void conformance_remove(struct conformance *conformance, struct slice type, struct slice url,
                        struct slice version)
{
    struct wanted name = {type, url, version};
    pthread_mutex_lock(&conformance->lock);
    struct entry *entry = overlay_take(conformance, &name);
    conformance->generation += entry != NULL;
    pthread_mutex_unlock(&conformance->lock);
    if (entry != NULL) {
        entry_release(conformance, entry);
    }
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static int compare_serials(const void *a, const void *b)
{
    uint64_t left = (*(struct entry *const *)a)->canonical.serial;
    uint64_t right = (*(struct entry *const *)b)->canonical.serial;
    return (left > right) - (left < right);
}

/* Every added one of TYPE, held, oldest first. */
static struct entry **overlay_all(struct conformance *conformance, struct slice type,
                                  struct arena *arena, size_t *ret_count)
{
    pthread_mutex_lock(&conformance->lock);
    struct entry **all = arena_array(arena, conformance->overlay_count + 1, sizeof(struct entry *));
    size_t count = 0;
    for (size_t i = 0; i < BUCKETS && all != NULL; i++) {
        for (struct entry *each = conformance->overlay[i]; each != NULL; each = each->next) {
            if (type.length == 0 || slice_equals(type, each->canonical.type)) {
                each->holds++;
                all[count++] = each;
            }
        }
    }
    pthread_mutex_unlock(&conformance->lock);
    if (count > 0) {
        qsort(all, count, sizeof(struct entry *), compare_serials);
    }
    *ret_count = count;
    return all;
}

/* Was the row's resource replaced by one that was added? */
static bool is_replaced(struct conformance *conformance, const struct canonical *canonical)
{
    struct wanted name = {canonical->type, canonical->url, canonical->version};
    bool replaced = false;
    pthread_mutex_lock(&conformance->lock);
    for (struct entry *each = conformance->overlay[bucket_of(name.url)]; each != NULL;
         each = each->next) {
        replaced |= slice_equals(each->canonical.url, name.url) &&
                    slice_equals(each->canonical.type, name.type) &&
                    slice_equals(each->canonical.version, name.version);
    }
    pthread_mutex_unlock(&conformance->lock);
    return replaced;
}

static bool visit_rows(struct conformance *conformance, struct slice type, conformance_visit *visit,
                       void *context)
{
    const struct definitions *definitions = conformance->definitions;
    for (uint32_t i = 0; i < definitions->canonical_count; i++) {
        const struct canonical_row *row = &definitions->canonicals[i];
        struct canonical canonical = {.type = text_of(conformance, row->type),
                                      .url = text_of(conformance, row->url),
                                      .version = text_of(conformance, row->version),
                                      .package = text_of(conformance, row->package),
                                      .serial = i + 1u};
        if ((type.length == 0 || slice_equals(type, canonical.type)) &&
            !is_replaced(conformance, &canonical) && !visit(context, &canonical)) {
            return false;
        }
    }
    return true;
}

void conformance_each(struct conformance *conformance, struct slice type, conformance_visit *visit,
                      void *context)
{
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return;
    }
    size_t count;
    struct entry **all = overlay_all(conformance, type, arena, &count);
    bool more = visit_rows(conformance, type, visit, context);
    for (size_t i = 0; i < count; i++) {
        more = more && visit(context, &all[i]->canonical);
        entry_release(conformance, all[i]);
    }
    arena_destroy(arena);
}

uint64_t conformance_generation(const struct conformance *conformance)
{
    struct conformance *own = (struct conformance *)(uintptr_t)conformance;
    pthread_mutex_lock(&own->lock);
    uint64_t generation = own->generation;
    pthread_mutex_unlock(&own->lock);
    return generation;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

enum status conformance_open(const struct definitions *definitions,
                             struct conformance **ret_conformance)
{
    struct arena *arena = arena_create(0);
    struct conformance *conformance = arena != NULL ? ARENA_NEW(arena, struct conformance) : NULL;
    struct entry **cache =
        conformance != NULL
            ? arena_array(arena, definitions->canonical_count + 1u, sizeof(struct entry *))
            : NULL;
    if (cache == NULL || pthread_mutex_init(&conformance->lock, NULL) != 0) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    conformance->arena = arena;
    conformance->definitions = definitions;
    conformance->cache = cache;
    conformance->serial = definitions->canonical_count;
    *ret_conformance = conformance;
    return STATUS_OK;
}

void conformance_close(struct conformance *conformance)
{
    if (conformance == NULL) {
        return;
    }
    for (uint32_t i = 0; i < conformance->definitions->canonical_count; i++) {
        if (conformance->cache[i] != NULL) {
            arena_destroy(conformance->cache[i]->arena);
        }
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *each = conformance->overlay[i], *next; each != NULL; each = next) {
            next = each->next;
            arena_destroy(each->arena);
        }
    }
    pthread_mutex_destroy(&conformance->lock);
    arena_destroy(conformance->arena);
}
