/* SPDX-License-Identifier: MIT */
/* What each ConceptMap translates between, noted once, so that $translate without a map's url reads
 * only those that fit. A note is known by its resource's serial: when conformance resources change,
 * only new maps are read. */
#include "terms/terms_int.h"

struct group_note {
    struct slice source, target; /* code systems, without version */
};

struct map_note {
    uint64_t serial;
    struct slice canonical;
    struct slice source_set, target_set;
    struct group_note *groups;
    size_t group_count;
};

struct map_notes {
    struct conformance *conformance;
    pthread_mutex_t lock;
    struct arena *arena; /* of the notes; NULL: none yet */
    uint64_t generation; /* what they were made of */
    struct map_note *list;
    size_t count, capacity;
};

struct map_notes *map_notes_open(struct conformance *conformance, struct arena *arena)
{
    struct map_notes *notes = ARENA_NEW(arena, struct map_notes);
    if (notes == NULL || pthread_mutex_init(&notes->lock, NULL) != 0) {
        return NULL;
    }
    notes->conformance = conformance;
    return notes;
}

void map_notes_close(struct map_notes *notes)
{
    (void)pthread_mutex_destroy(&notes->lock);
    arena_destroy(notes->arena);
}

/* ---- noting ----------------------------------------------------------------------------------
 */

static struct slice first_text(yyjson_val *map, const char *const *names)
{
    struct slice text = {0};
    for (; *names != NULL && text.length == 0; names++) {
        text = json_get_string(map, *names);
    }
    return text;
}

struct slice map_source_set(yyjson_val *map)
{
    static const char *const names[] = {"sourceUri", "sourceCanonical", "sourceScopeUri",
                                        "sourceScopeCanonical", NULL};
    return first_text(map, names);
}

struct slice map_target_set(yyjson_val *map)
{
    static const char *const names[] = {"targetUri", "targetCanonical", "targetScopeUri",
                                        "targetScopeCanonical", NULL};
    return first_text(map, names);
}

static void note_map(yyjson_val *map, struct arena *arena, struct map_note *note)
{
    yyjson_val *groups = json_get(map, "group");
    struct slice version;
    size_t i, max;
    yyjson_val *group;
    note->source_set = arena_copy(arena, map_source_set(map));
    note->target_set = arena_copy(arena, map_target_set(map));
    note->groups = arena_array(arena, yyjson_arr_size(groups) + 1, sizeof *note->groups);
    if (note->groups == NULL) {
        return;
    }
    yyjson_arr_foreach(groups, i, max, group)
    {
        note->groups[note->group_count++] = (struct group_note){
            arena_copy(arena, canonical_url(json_get_string(group, "source"), &version)),
            arena_copy(arena, canonical_url(json_get_string(group, "target"), &version))};
    }
}

/* What was noted of the same resource before; the texts go over into ARENA. */
static bool note_again(const struct map_notes *old, uint64_t serial, struct arena *arena,
                       struct map_note *note)
{
    size_t low = 0, high = old->count;
    while (low < high) { /* the serials ascend */
        size_t middle = low + (high - low) / 2;
        low = old->list[middle].serial < serial ? middle + 1 : low;
        high = old->list[middle].serial < serial ? high : middle;
    }
    if (low == old->count || old->list[low].serial != serial) {
        return false;
    }
    const struct map_note *before = &old->list[low];
    note->source_set = arena_copy(arena, before->source_set);
    note->target_set = arena_copy(arena, before->target_set);
    note->groups = arena_array(arena, before->group_count + 1, sizeof *note->groups);
    for (size_t i = 0; note->groups != NULL && i < before->group_count; i++) {
        note->groups[note->group_count++] =
            (struct group_note){arena_copy(arena, before->groups[i].source),
                                arena_copy(arena, before->groups[i].target)};
    }
    return true;
}

static bool list_map(void *context, const struct canonical *canonical)
{
    struct map_notes *fresh = context;
    if (fresh->count == fresh->capacity) {
        size_t to = fresh->capacity == 0 ? 256 : fresh->capacity * 2;
        struct map_note *list = arena_resize(fresh->arena, fresh->list,
                                             fresh->capacity * sizeof *list, to * sizeof *list);
        if (list == NULL) {
            return false;
        }
        fresh->list = list;
        fresh->capacity = to;
    }
    fresh->list[fresh->count++] = (struct map_note){
        .serial = canonical->serial,
        .canonical = arena_copy(fresh->arena,
                                canonical_join(fresh->arena, canonical->url, canonical->version))};
    return true;
}

/* Under the lock. */
static enum status bring_up_to_date(struct map_notes *notes)
{
    struct map_notes fresh = {.generation = conformance_generation(notes->conformance)};
    if (notes->arena != NULL && notes->generation == fresh.generation) {
        return STATUS_OK;
    }
    fresh.arena = arena_create(0);
    if (fresh.arena == NULL) {
        return STATUS_MEMORY;
    }
    conformance_each(notes->conformance, SLICE("ConceptMap"), list_map, &fresh);
    for (size_t i = 0; i < fresh.count; i++) {
        struct map_note *note = &fresh.list[i];
        if (note_again(notes, note->serial, fresh.arena, note)) {
            continue;
        }
        const struct canonical *map =
            conformance_hold(notes->conformance, SLICE("ConceptMap"), note->canonical);
        if (map != NULL) {
            note->serial = map->serial; /* it may have been replaced meanwhile */
            note_map(map->json->root, fresh.arena, note);
        }
        conformance_release(notes->conformance, map);
    }
    if (arena_full(fresh.arena)) {
        arena_destroy(fresh.arena);
        return STATUS_MEMORY;
    }
    arena_destroy(notes->arena);
    notes->arena = fresh.arena;
    notes->generation = fresh.generation;
    notes->list = fresh.list;
    notes->count = fresh.count;
    return STATUS_OK;
}

/* ---- asking ----------------------------------------------------------------------------------
 */

bool map_fits(struct slice wanted, struct slice given)
{
    return wanted.length == 0 || slice_equals(wanted, given);
}

static bool note_fits(const struct map_note *note, const struct map_wish *wish)
{
    if (!map_fits(wish->source_set, note->source_set) ||
        !map_fits(wish->target_set, note->target_set)) {
        return false;
    }
    for (size_t i = 0; i < note->group_count; i++) {
        if (map_fits(wish->source, note->groups[i].source) &&
            map_fits(wish->target, note->groups[i].target)) {
            return true;
        }
    }
    return false;
}

enum status maps_that_fit(struct map_notes *notes, const struct map_wish *wish, struct arena *arena,
                          struct slice **ret_canonicals, size_t *ret_count)
{
    pthread_mutex_lock(&notes->lock);
    enum status status = bring_up_to_date(notes);
    struct slice *list = arena_array(arena, notes->count + 1, sizeof *list);
    *ret_canonicals = list;
    *ret_count = 0;
    for (size_t i = 0; status == STATUS_OK && list != NULL && i < notes->count; i++) {
        if (note_fits(&notes->list[i], wish)) {
            list[(*ret_count)++] = arena_copy(arena, notes->list[i].canonical);
        }
    }
    pthread_mutex_unlock(&notes->lock);
    return status == STATUS_OK && arena_full(arena) ? STATUS_TOO_COSTLY : status;
}
