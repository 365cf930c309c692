/* SPDX-License-Identifier: MIT */
/* Exchanging links in place: one walk over the values, nothing written. */
#include "fhir/walk_int.h"

struct resolving {
    link_resolve *resolve;
    void *context;
    struct link_changes *changes;
};

/* The old value is kept first: what cannot be undone is not done. */
static void exchange(struct link_changes *changes, yyjson_val *value, struct slice text)
{
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity == 0 ? 16 : changes->capacity * 2;
        struct link_change *more =
            arena_resize(changes->arena, changes->items, changes->capacity * sizeof(*more),
                         capacity * sizeof(*more));
        if (more == NULL) {
            return;
        }
        changes->items = more;
        changes->capacity = capacity;
    }
    struct slice copy = arena_copy(changes->arena, text);
    if (copy.at != NULL) {
        changes->items[changes->count++] = (struct link_change){value, *value};
        (void)yyjson_set_strn(value, copy.at, copy.length);
    }
}

static void resolve_value(void *context, const struct walk_value *at)
{
    const struct resolving *resolving = context;
    struct slice text = json_string(at->value);
    struct slice other = text;
    switch (at->type) {
    case FHIR_TYPE_STRING:
        if (at->parent_type != FHIR_TYPE_REFERENCE || !slice_is(at->name, "reference")) {
            return;
        }
        break;
    case FHIR_TYPE_URI:
    case FHIR_TYPE_URL:
    case FHIR_TYPE_OID:
    case FHIR_TYPE_UUID:
        break;
    case FHIR_TYPE_XHTML:
        other = narrative_links(text, resolving->resolve, resolving->context,
                                resolving->changes->arena);
        if (other.at != NULL && other.at != text.at) {
            exchange(resolving->changes, at->value, other);
        }
        return;
    default:
        return;
    }
    if (text.length > 0 && resolving->resolve(resolving->context, text, &other)) {
        exchange(resolving->changes, at->value, other);
    }
}

enum status resource_exchange_links(const struct definitions *definitions, resource_type type,
                                    yyjson_val *resource, link_resolve *resolve, void *context,
                                    struct link_changes *changes)
{
    struct resolving resolving = {.resolve = resolve, .context = context, .changes = changes};
    resource_walk(definitions, type, resource, resolve_value, &resolving);
    return arena_full(changes->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

void resource_restore_links(struct link_changes *changes)
{
    while (changes->count > 0) {
        const struct link_change *change = &changes->items[--changes->count];
        *change->value = change->before;
    }
}
