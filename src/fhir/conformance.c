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
    bool listed;      /* in the cache or the overlay; else the last release ends it */
    bool derived;     /* its snapshot was made here, of those that it builds on */
    bool pending;     /* none could be made yet: it is known by name only */
    uint64_t made_at; /* what `structures` was when that was last tried */
};

struct conformance {
    const struct definitions *definitions;
    struct arena *arena;
    pthread_mutex_t lock;
    struct entry **cache;           /* by row */
    struct entry *overlay[BUCKETS]; /* by the hash of the url; newest first */
    size_t overlay_count, cached_bytes;
    uint64_t clock, serial, generation;
    uint64_t structures; /* grows when a StructureDefinition comes or goes */
    uint64_t *failed;    /* by row: 1 + structures when no snapshot could be made; 0: never */
};

/* What this thread is making just now: definitions may lead back to themselves. */
struct making {
    const void *what;
    const struct making *outer;
};
static _Thread_local const struct making *under_way;

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

static bool is_under_way(const void *what)
{
    const struct making *each = under_way;
    while (each != NULL && each->what != what) {
        each = each->outer;
    }
    return each != NULL;
}

static bool needs_snapshot(yyjson_val *root)
{
    return slice_is(json_get_string(root, "resourceType"), "StructureDefinition") &&
           json_get(root, "snapshot") == NULL && json_get(root, "differential") != NULL;
}

/* Puts the resource DEFINITION with a snapshot into ENTRY. */
static enum status entry_derive(struct conformance *conformance, const yyjson_val *definition,
                                struct outcome *outcome, struct entry *entry)
{
    struct buffer whole = {.arena = entry->arena};
    TRY(snapshot_write(conformance, definition, outcome, &whole));
    TRY(json_read(buffer_slice(&whole), &limits, entry->arena, outcome, &entry->json));
    entry->canonical.text = buffer_slice(&whole);
    return STATUS_OK;
}

static void entry_name(struct entry *entry)
{
    yyjson_val *root = entry->json.root;
    entry->canonical.type = json_get_string(root, "resourceType");
    entry->canonical.url = json_get_string(root, "url");
    entry->canonical.version = json_get_string(root, "version");
    entry->canonical.json = &entry->json;
}

/* An entry of its own arena for TEXT, which lies in that arena. A StructureDefinition without a
 * snapshot gets one, or is pending when what it builds on is not known. */
static enum status entry_make(struct conformance *conformance, struct arena *arena,
                              struct slice text, struct outcome *outcome, struct entry **ret_entry)
{
    struct entry *entry = ARENA_NEW(arena, struct entry);
    if (entry == NULL) {
        return STATUS_MEMORY;
    }
    entry->arena = arena;
    entry->canonical.text = text;
    TRY(json_read(text, &limits, arena, outcome, &entry->json));
    if (needs_snapshot(entry->json.root)) {
        entry->derived = true;
        enum status status = entry_derive(conformance, entry->json.root, outcome, entry);
        entry->pending = status == STATUS_NOT_FOUND;
        if (status != STATUS_OK && !entry->pending) {
            return status;
        }
    }
    entry_name(entry);
    *ret_entry = entry;
    return STATUS_OK;
}

static enum status row_make(struct conformance *conformance, uint32_t number, struct arena *arena,
                            struct entry **ret_entry)
{
    const struct canonical_row *row = &conformance->definitions->canonicals[number];
    char *text = arena_alloc(arena, row->length);
    if (text == NULL) {
        return STATUS_MEMORY;
    }
    if (ZSTD_decompress(text, row->length, conformance->definitions->canonical_texts + row->offset,
                        row->stored) != row->length) {
        return STATUS_CORRUPT;
    }
    TRY(entry_make(conformance, arena, slice_of(text, row->length), NULL, ret_entry));
    struct entry *entry = *ret_entry;
    entry->canonical.package = text_of(conformance, row->package);
    entry->canonical.serial = number + 1u;
    return entry->pending ? STATUS_NOT_FOUND : STATUS_OK;
}

/* The row's resource, unpacked; NULL: it cannot be, and will not be asked again before a
 * StructureDefinition comes or goes. */
static struct entry *row_unpack(struct conformance *conformance, uint32_t number,
                                uint64_t structures)
{
    struct making making = {&conformance->definitions->canonicals[number], under_way};
    struct arena *arena = arena_create(0);
    struct entry *entry = NULL;
    if (arena == NULL) {
        return NULL;
    }
    under_way = &making;
    enum status status = row_make(conformance, number, arena, &entry);
    under_way = making.outer;
    if (status == STATUS_OK) {
        return entry;
    }
    arena_destroy(arena);
    if (status != STATUS_MEMORY) {
        pthread_mutex_lock(&conformance->lock);
        conformance->failed[number] = structures + 1;
        pthread_mutex_unlock(&conformance->lock);
    }
    return NULL;
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
    uint64_t structures = conformance->structures;
    bool hopeless = conformance->failed[number] == structures + 1 ||
                    is_under_way(&conformance->definitions->canonicals[number]);
    if (entry == NULL && !hopeless) {
        pthread_mutex_unlock(&conformance->lock);
        struct entry *made = row_unpack(conformance, number, structures);
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

/* Puts MADE in the place of OLD in the overlay; under the lock. */
static void overlay_replace(struct conformance *conformance, struct entry *old, struct entry *made)
{
    struct entry **link = &conformance->overlay[bucket_of(old->canonical.url)];
    while (*link != old) {
        link = &(*link)->next;
    }
    made->next = old->next;
    made->listed = true;
    made->canonical.serial = ++conformance->serial;
    *link = made;
    old->listed = false;
    conformance->generation++;
}

/* What an added definition builds on may have come, gone or changed since its snapshot was made:
 * makes it again. OLD is held, and so is the answer, in its place. When none can be made what is
 * there stays: a rule that was is not lost. */
static struct entry *entry_renew(struct conformance *conformance, struct entry *old,
                                 uint64_t structures)
{
    struct making making = {old, under_way};
    struct arena *arena = arena_create(0);
    struct entry *made = arena != NULL ? ARENA_NEW(arena, struct entry) : NULL;
    enum status status = STATUS_MEMORY;
    if (made != NULL) {
        made->arena = arena;
        made->derived = true;
        made->made_at = structures;
        made->holds = 1;
        under_way = &making;
        status = entry_derive(conformance, old->json.root, NULL, made);
        under_way = making.outer;
    }
    pthread_mutex_lock(&conformance->lock);
    bool news = status == STATUS_OK && old->listed &&
                (old->pending || !slice_equals(made->canonical.text, old->canonical.text));
    if (news) {
        entry_name(made);
        overlay_replace(conformance, old, made);
    } else if (status != STATUS_MEMORY) {
        old->made_at = structures;
    }
    pthread_mutex_unlock(&conformance->lock);
    if (!news) {
        arena_destroy(arena);
        return old;
    }
    entry_release(conformance, old);
    return made;
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
    uint64_t structures = conformance->structures;
    bool stale = false;
    if (entry != NULL) {
        entry->holds++;
        stale = entry->derived && entry->made_at != structures && !is_under_way(entry);
    }
    pthread_mutex_unlock(&conformance->lock);
    if (stale) {
        entry = entry_renew(conformance, entry, structures);
    }
    if (entry != NULL && entry->pending) {
        entry_release(conformance, entry);
        entry = NULL;
    }
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
    if (entry->pending) {
        outcome_warn(outcome, "not-found", "StructureDefinition.baseDefinition",
                     "What this definition builds on is not loaded: it counts once that is.");
    }
    return STATUS_OK;
}

/* A StructureDefinition comes or goes: what was made of others may be out of date. */
static void note_change(struct conformance *conformance, struct slice type)
{
    conformance->generation++;
    conformance->structures += slice_is(type, "StructureDefinition");
}

static uint64_t structures_now(struct conformance *conformance)
{
    pthread_mutex_lock(&conformance->lock);
    uint64_t structures = conformance->structures;
    pthread_mutex_unlock(&conformance->lock);
    return structures;
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
    struct entry *entry = NULL;
    uint64_t structures = structures_now(conformance);
    enum status status = entry_make(conformance, arena, copy, outcome, &entry);
    if (status == STATUS_OK) {
        status = check_added(conformance, entry, outcome);
    }
    if (status != STATUS_OK) {
        bool short_of_memory = status == STATUS_MEMORY || arena_full(arena);
        arena_destroy(arena);
        return short_of_memory ? STATUS_MEMORY : STATUS_INVALID;
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
    bool meanwhile = conformance->structures != structures;
    note_change(conformance, name.type);
    entry->made_at = meanwhile ? structures : conformance->structures;
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
    if (entry != NULL) {
        note_change(conformance, entry->canonical.type);
    }
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
    uint64_t *failed = cache != NULL
                           ? arena_array(arena, definitions->canonical_count + 1u, sizeof *failed)
                           : NULL;
    if (failed == NULL || pthread_mutex_init(&conformance->lock, NULL) != 0) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    conformance->arena = arena;
    conformance->definitions = definitions;
    conformance->cache = cache;
    conformance->failed = failed;
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
