/* SPDX-License-Identifier: MIT */
/* Which text in a Bundle means which resource. */
#include "fhir/bundle_int.h"

#define MAP_FIRST 64

static struct entry_link **map_slot(struct entry_link **slots, size_t capacity, uint64_t hash,
                                    struct slice text)
{
    size_t at = (size_t)hash & (capacity - 1);
    while (slots[at] != NULL && (slots[at]->hash != hash || !slice_equals(slots[at]->text, text))) {
        at = (at + 1) & (capacity - 1);
    }
    return &slots[at];
}

struct entry_link *link_map_find(const struct link_map *map, struct slice text)
{
    if ((map->lengths >> (text.length & 63) & 1) == 0) {
        return NULL;
    }
    return *map_slot(map->slots, map->capacity, slice_hash(text), text);
}

static bool map_grow(struct link_map *map)
{
    size_t capacity = map->capacity == 0 ? MAP_FIRST : map->capacity * 2;
    struct entry_link **slots = arena_array(map->arena, capacity, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        struct entry_link *link = map->slots[i];
        if (link != NULL) {
            *map_slot(slots, capacity, link->hash, link->text) = link;
        }
    }
    map->slots = slots;
    map->capacity = capacity;
    return true;
}

struct entry_link *link_map_add(struct link_map *map, struct slice text, bool *ret_new)
{
    *ret_new = false;
    if (map->count * 2 >= map->capacity && !map_grow(map)) {
        return NULL;
    }
    uint64_t hash = slice_hash(text);
    struct entry_link **slot = map_slot(map->slots, map->capacity, hash, text);
    if (*slot == NULL) {
        *slot = ARENA_NEW(map->arena, struct entry_link);
        if (*slot == NULL) {
            return NULL;
        }
        **slot = (struct entry_link){.text = text, .hash = hash};
        map->count++;
        map->lengths |= UINT64_C(1) << (text.length & 63);
        *ret_new = true;
    }
    return *slot;
}

struct slice identity_text(const struct definitions *definitions, struct arena *arena,
                           resource_type type, struct slice id)
{
    struct buffer text = {.arena = arena};
    buffer_add(&text, resource_type_name(definitions, type));
    buffer_add_byte(&text, '/');
    buffer_add(&text, id);
    return buffer_ok(&text) ? buffer_slice(&text) : (struct slice){NULL, 0};
}

enum status link_set(const struct definitions *definitions, struct bundle *bundle,
                     struct entry_link *link, resource_type type, struct slice id)
{
    struct slice target = identity_text(definitions, bundle->links.arena, type, id);
    if (target.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    link->target = target;
    return STATUS_OK;
}

enum status bundle_set_target(const struct definitions *definitions, struct bundle *bundle,
                              const struct bundle_entry *entry, struct slice id)
{
    return entry->link == NULL ? STATUS_OK
                               : link_set(definitions, bundle, entry->link, entry->type, id);
}

/* ---- conditional references --------------------------------------------------------------------
 */

struct query_search {
    const struct definitions *definitions;
    struct bundle *bundle;
    const struct bundle_entry *entry;
    struct bundle_query *queries;
    size_t count, capacity;
    bool full;
};

static void query_add(struct query_search *search, const struct bundle_query *query)
{
    if (search->count == search->capacity) {
        size_t capacity = search->capacity == 0 ? 16 : search->capacity * 2;
        struct bundle_query *more =
            arena_resize(search->bundle->links.arena, search->queries,
                         search->capacity * sizeof(*more), capacity * sizeof(*more));
        if (more == NULL) {
            search->full = true;
            return;
        }
        search->queries = more;
        search->capacity = capacity;
    }
    search->queries[search->count++] = *query;
}

static void query_visit(void *context, const struct walk_value *value)
{
    struct query_search *search = context;
    if (value->parent_type != FHIR_TYPE_REFERENCE || !slice_is(value->name, "reference")) {
        return;
    }
    struct slice text = json_string(value->value);
    struct reference reference =
        reference_parse(search->definitions, text, (struct slice){NULL, 0});
    if (reference.kind != REFERENCE_QUERY) {
        return;
    }
    bool is_new;
    struct entry_link *link = link_map_add(&search->bundle->links, text, &is_new);
    if (link == NULL) {
        search->full = true;
    } else if (is_new) {
        query_add(search,
                  &(struct bundle_query){link, reference.type, reference.query, search->entry});
    }
}

enum status bundle_queries(const struct definitions *definitions, struct bundle *bundle,
                           struct bundle_query **ret_queries, size_t *ret_count)
{
    struct query_search search = {.definitions = definitions, .bundle = bundle};
    for (size_t i = 0; i < bundle->count; i++) {
        const struct bundle_entry *entry = &bundle->entries[i];
        if (entry->status == STATUS_OK && entry->resource_type != RESOURCE_TYPE_NONE &&
            (entry->method == BUNDLE_POST || entry->method == BUNDLE_PUT)) {
            search.entry = entry;
            resource_walk(definitions, entry->resource_type, entry->resource, query_visit, &search);
        }
    }
    *ret_queries = search.queries;
    *ret_count = search.count;
    return search.full ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- resolving ---------------------------------------------------------------------------------
 */

void bundle_linker_start(struct bundle_linker *linker, const struct definitions *definitions,
                         const struct bundle *bundle, const struct bundle_entry *entry)
{
    resource_type type;
    struct slice id;
    *linker = (struct bundle_linker){.bundle = bundle, .scratch = {.arena = bundle->links.arena}};
    linker->root = full_url_root(definitions, entry->full_url, &type, &id);
}

static bool target_of(const struct bundle *bundle, struct slice text, struct slice *ret_text)
{
    const struct entry_link *link = link_map_find(&bundle->links, text);
    if (link == NULL || link->target.length == 0) {
        return false;
    }
    *ret_text = link->target;
    return true;
}

/* Is it a relative reference, Type/id...? Types begin with a capital, schemes hold a colon. */
static bool is_relative(struct slice text)
{
    return text.at[0] >= 'A' && text.at[0] <= 'Z' && slice_index(text, '/') < text.length &&
           slice_index(text, ':') == text.length;
}

static bool resolve_plain(struct bundle_linker *linker, struct slice text, struct slice *ret_text)
{
    if (linker->root.length == 0 || !is_relative(text)) {
        return target_of(linker->bundle, text, ret_text);
    }
    linker->scratch.length = 0;
    buffer_add(&linker->scratch, linker->root);
    buffer_add(&linker->scratch, text);
    return buffer_ok(&linker->scratch) &&
           target_of(linker->bundle, buffer_slice(&linker->scratch), ret_text);
}

bool bundle_link_resolve(void *context, struct slice text, struct slice *ret_text)
{
    struct bundle_linker *linker = context;
    if (text.length == 0 || linker->bundle->links.count == 0) {
        return false;
    }
    if (resolve_plain(linker, text, ret_text)) {
        return true;
    }
    size_t mark = slice_index(text, '#');
    if (mark == 0 || mark == text.length ||
        !resolve_plain(linker, slice_head(text, mark), ret_text)) {
        return false;
    }
    struct slice target = *ret_text;
    linker->scratch.length = 0;
    buffer_add(&linker->scratch, target);
    buffer_add(&linker->scratch, slice_from(text, mark));
    *ret_text = buffer_slice(&linker->scratch);
    return buffer_ok(&linker->scratch);
}
