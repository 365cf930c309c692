/* SPDX-License-Identifier: MIT */
/* Which code systems there are: for TerminologyCapabilities. */
#include <stdlib.h>

#include "terms/terms_int.h"

struct known_system {
    struct slice url, version;
};

struct systems {
    struct arena *arena;
    struct known_system *list;
    size_t count, capacity;
};

static bool add(struct systems *systems, struct slice url, struct slice version)
{
    if (systems->count == systems->capacity) {
        size_t from = systems->capacity, to = from == 0 ? 256 : from * 2;
        struct known_system *list =
            arena_resize(systems->arena, systems->list, from * sizeof *list, to * sizeof *list);
        if (list == NULL) {
            return false;
        }
        systems->list = list;
        systems->capacity = to;
    }
    systems->list[systems->count++] =
        (struct known_system){arena_copy(systems->arena, url), arena_copy(systems->arena, version)};
    return true;
}

static bool visit(void *context, const struct canonical *canonical)
{
    return canonical->url.length == 0 || add(context, canonical->url, canonical->version);
}

static int compare(const void *a, const void *b)
{
    const struct known_system *left = a, *right = b;
    int order = slice_compare(left->url, right->url);
    return order != 0 ? order : version_compare(right->version, left->version);
}

static void write_one(const struct known_system *list, size_t count, struct buffer *out)
{
    bool any = false;
    buffer_add_text(out, "{\"uri\":");
    buffer_add_json_string(out, list[0].url);
    for (size_t i = 0; i < count; i++) {
        if (list[i].version.length == 0 ||
            (i > 0 && slice_equals(list[i].version, list[i - 1].version))) {
            continue;
        }
        buffer_add_text(out, any ? ",{\"code\":" : ",\"version\":[{\"code\":");
        buffer_add_json_string(out, list[i].version);
        buffer_print(out, ",\"isDefault\":%s}", i == 0 ? "true" : "false");
        any = true;
    }
    buffer_add_text(out, any ? "],\"subsumption\":true}" : ",\"subsumption\":true}");
}

enum status terms_write_systems(struct terms *terms, struct arena *arena, struct buffer *out)
{
    struct systems systems = {.arena = arena};
    const struct code_system *const *releases;
    conformance_each(shelf_conformance(terms), SLICE("CodeSystem"), visit, &systems);
    size_t releases_count = shelf_releases(terms, &releases);
    for (size_t i = 0; i < releases_count; i++) {
        (void)add(&systems, releases[i]->url, releases[i]->version);
    }
    if (systems.count > 0) {
        qsort(systems.list, systems.count, sizeof *systems.list, compare);
    }
    for (size_t i = 0, next; i < systems.count; i = next) {
        next = i + 1;
        while (next < systems.count && slice_equals(systems.list[next].url, systems.list[i].url)) {
            next++;
        }
        buffer_add_text(out, i > 0 ? "," : "");
        write_one(&systems.list[i], next - i, out);
    }
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
