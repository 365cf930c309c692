/* SPDX-License-Identifier: MIT */
/* store: whom a resource concerns, as far as it says so itself: the patients it refers to, and its
 * *ties*, through which it concerns those whom something else is about (concern.c). References are
 * found wherever they stand: in extensions, in what is contained, in the entries of a Bundle.
 *
 * A tie, as a draft has it, is a byte for its kind and
 *   'r'  type and id of a resource: whoever it concerns, this concerns too
 *   'i'  system, NUL, value of an identifier: any Patient who has it
 *   'h'  id of a Binary that this resource holds: the Binary concerns whom this concerns */
#include "store_int.h"

struct finder {
    const struct store *store;
    struct slice base_url;
    struct text_set *patients, *ties;
    struct buffer text; /* for one at a time: the sets keep copies */
    bool follow;        /* what others are about counts too */
    bool shared;
    bool used_base;
};

void tie_write(char kind, resource_type type, const struct packed_id *id, struct buffer *out)
{
    buffer_add_byte(out, kind);
    varint_write(out, type);
    buffer_add_byte(out, id->uuid ? 1 : 0);
    buffer_add(out, slice_of(id->bytes, id->length));
}

static struct buffer *empty_text(struct finder *finder)
{
    finder->text.length = 0;
    return &finder->text;
}

static void add_text(struct finder *finder)
{
    text_set_add(finder->ties, buffer_slice(&finder->text));
    finder->ties->broken = finder->ties->broken || !buffer_ok(&finder->text);
}

static void add_tie(struct finder *finder, char kind, resource_type type, struct slice id)
{
    struct packed_id key;
    if (id_pack(id, &key)) {
        tie_write(kind, type, &key, empty_text(finder));
        add_text(finder);
    }
}

static void add_identifier(struct finder *finder, yyjson_val *identifier)
{
    struct slice system = json_get_string(identifier, "system");
    struct slice value = json_get_string(identifier, "value");
    /* A number without a system, or cut off, could be anybody's. */
    if (finder->shared || system.length == 0 || value.length == 0 ||
        value.length >= TEXT_KEY_LIMIT) {
        return;
    }
    struct buffer *text = empty_text(finder);
    buffer_add_byte(text, TIE_IDENTIFIER);
    buffer_add(text, system);
    buffer_add_byte(text, 0);
    buffer_add(text, value);
    add_text(finder);
}

static bool is_absolute(struct slice text)
{
    return slice_index(text, ':') < text.length;
}

/* A link to one of our resources. FOREIGN: relative ones are another server's. False: none of ours.
 */
static bool see_link(struct finder *finder, struct slice text, bool foreign, bool reference)
{
    const struct definitions *definitions = finder->store->definitions;
    if (text.length == 0) {
        return false;
    }
    struct reference link = reference_parse(definitions, text, finder->base_url);
    if (link.kind != REFERENCE_LOCAL || (foreign && !is_absolute(text))) {
        return false;
    }
    bool binary = slice_is(resource_type_name(definitions, link.type), "Binary");
    if (binary) {
        add_tie(finder, TIE_HOLDS, link.type, link.id);
    }
    if (reference && link.type == finder->store->patient_type) {
        text_set_add(finder->patients, link.id);
    } else if (reference && finder->follow && !resource_type_is_shared(definitions, link.type)) {
        add_tie(finder, TIE_RESOURCE, link.type, link.id);
    }
    finder->used_base = finder->used_base || ((binary || reference) && is_absolute(text));
    return true;
}

/* The members that matter, found in one pass over an object. */
struct members {
    yyjson_val *reference, *identifier, *type, *url, *resource, *resource_type;
};

static void members_take(struct members *members, yyjson_val *name, yyjson_val *value)
{
    struct slice text = json_string(name);
    switch (text.length) {
    case 3:
        members->url = slice_is(text, "url") ? value : members->url;
        break;
    case 4:
        members->type = slice_is(text, "type") ? value : members->type;
        break;
    case 8:
        members->resource = slice_is(text, "resource") ? value : members->resource;
        break;
    case 9:
        members->reference = slice_is(text, "reference") ? value : members->reference;
        break;
    case 10:
        members->identifier = slice_is(text, "identifier") ? value : members->identifier;
        break;
    case 12:
        members->resource_type = slice_is(text, "resourceType") ? value : members->resource_type;
        break;
    default:
        break;
    }
}

static void see_reference(struct finder *finder, const struct members *members, bool foreign)
{
    struct slice type = json_string(members->type);
    if (see_link(finder, json_string(members->reference), foreign, true) ||
        !yyjson_is_obj(members->identifier)) {
        return;
    }
    /* By identifier alone, or beside an address that is not here. What has a resourceType is no
     * Reference, and its identifier its own. */
    if (members->resource_type == NULL && (type.length == 0 || slice_is(type, "Patient"))) {
        add_identifier(finder, members->identifier);
    }
}

/* A Patient within a resource is a person we may know by an identifier. */
static void see_patient(struct finder *finder, yyjson_val *patient)
{
    size_t i, max;
    yyjson_val *identifier;
    yyjson_arr_foreach(json_get(patient, "identifier"), i, max, identifier)
    {
        add_identifier(finder, identifier);
    }
}

/* An entry of a Bundle (R4 bundle, "Resolving references in Bundles"): its fullUrl says which
 * resource it is and whose the relative references in it are. Says whether another server's. */
static bool see_entry(struct finder *finder, yyjson_val *entry, yyjson_val *resource, bool foreign)
{
    struct slice url = json_get_string(entry, "fullUrl");
    if (url.length > 0) {
        struct reference link = reference_parse(finder->store->definitions, url, finder->base_url);
        (void)see_link(finder, url, foreign, true);
        return link.kind == REFERENCE_FOREIGN || (foreign && link.kind != REFERENCE_LOCAL);
    }
    struct buffer text = {.arena = finder->ties->arena};
    buffer_add(&text, json_get_string(resource, "resourceType"));
    buffer_add_byte(&text, '/');
    buffer_add(&text, json_get_string(resource, "id"));
    if (buffer_ok(&text)) {
        (void)see_link(finder, buffer_slice(&text), foreign, true);
    }
    return foreign;
}

static void see(struct finder *finder, yyjson_val *value, bool foreign, bool root)
{
    size_t i, max;
    yyjson_val *name, *item;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, i, max, item)
        {
            see(finder, item, foreign, false);
        }
        return;
    }
    if (!yyjson_is_obj(value)) {
        return;
    }
    struct members members = {0};
    yyjson_obj_foreach(value, i, max, name, item)
    {
        members_take(&members, name, item);
    }
    see_reference(finder, &members, foreign);
    (void)see_link(finder, json_string(members.url), foreign, false);
    if (!root && slice_is(json_string(members.resource_type), "Patient")) {
        see_patient(finder, value);
    }
    bool inner = foreign;
    if (json_get(members.resource, "resourceType") != NULL) {
        inner = see_entry(finder, value, members.resource, foreign);
    }
    yyjson_obj_foreach(value, i, max, name, item)
    {
        if (yyjson_is_ctn(item)) {
            see(finder, item, item == members.resource ? inner : foreign, false);
        }
    }
}

/* ---- by its subject ----------------------------------------------------------------------------
 */

struct subject {
    struct finder *finder;
    struct text_set *homes;
    size_t patients, others;
};

static void see_subject(void *context, const struct search_path *path, yyjson_val *value)
{
    (void)path;
    struct subject *subject = context;
    struct finder *finder = subject->finder;
    struct reference link = reference_parse(finder->store->definitions,
                                            json_get_string(value, "reference"), finder->base_url);
    if (link.kind != REFERENCE_LOCAL) {
        return;
    }
    if (link.type == finder->store->patient_type) {
        subject->patients++;
        text_set_add(subject->homes, link.id);
    } else if (!resource_type_is_shared(finder->store->definitions, link.type)) {
        subject->others++;
    }
}

/* What has a Patient as its subject is about them and whoever else it names; anything else is also
 * about those whom the resources it refers to are about. */
static bool names_its_subject(struct finder *finder, resource_type type, yyjson_val *root,
                              struct text_set *homes)
{
    size_t count = 0;
    bool named = type == finder->store->patient_type;
    const struct search_path *paths = home_paths(finder->store->definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        struct subject subject = {.finder = finder, .homes = homes};
        search_path_walk(&paths[i], root, see_subject, &subject);
        named = named || (i == 0 && subject.patients > 0 && subject.others == 0);
    }
    return named;
}

enum status concern_find(const struct store *store, resource_type type, yyjson_val *root,
                         struct slice base_url, struct arena *arena, struct said *ret_said)
{
    struct said *said = ret_said;
    *said = (struct said){
        .homes = {.arena = arena}, .patients = {.arena = arena}, .ties = {.arena = arena}};
    struct finder finder = {.store = store,
                            .base_url = base_url,
                            .patients = &said->patients,
                            .ties = &said->ties,
                            .text = {.arena = arena},
                            .shared = resource_type_is_shared(store->definitions, type)};
    finder.follow = !names_its_subject(&finder, type, root, &said->homes) && !finder.shared;
    see(&finder, root, false, true);
    said->used_base = finder.used_base;
    return said->homes.broken || said->patients.broken || said->ties.broken ? STATUS_TOO_COSTLY
                                                                            : STATUS_OK;
}
