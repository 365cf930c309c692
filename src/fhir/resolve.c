/* SPDX-License-Identifier: MIT */
/* Exchanging links in place: one walk over the values, nothing written. */
#include "fhir/walk_int.h"

struct resolving {
    link_resolve *resolve;
    void *context;
    struct arena *arena;
};

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
        other = narrative_links(text, resolving->resolve, resolving->context, resolving->arena);
        if (other.at != NULL && other.at != text.at) {
            (void)yyjson_set_strn(at->value, other.at, other.length);
        }
        return;
    default:
        return;
    }
    if (text.length > 0 && resolving->resolve(resolving->context, text, &other)) {
        (void)yyjson_set_strn(at->value, other.at, other.length);
    }
}

enum status resource_resolve_links(const struct definitions *definitions, resource_type type,
                                   yyjson_val *resource, link_resolve *resolve, void *context,
                                   struct arena *arena)
{
    struct resolving resolving = {.resolve = resolve, .context = context, .arena = arena};
    resource_walk(definitions, type, resource, resolve_value, &resolving);
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
