/* SPDX-License-Identifier: MIT */
/* store: a resource made ready to be stored, on the caller's thread. */
#include "store_int.h"

/* ---- the body ----------------------------------------------------------------------------------
 */

static void add_key(struct buffer *out, bool *first, struct slice name)
{
    if (!*first) {
        buffer_add_byte(out, ',');
    }
    *first = false;
    buffer_add_json_string(out, name);
    buffer_add_byte(out, ':');
}

static void add_meta_members(struct buffer *out, yyjson_val *meta)
{
    bool first_member = true;
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(meta, i, max, name, value)
    {
        struct slice text = json_string(name);
        if (slice_is(text, "versionId") || slice_is(text, "lastUpdated")) {
            continue;
        }
        add_key(out, &first_member, text);
        json_write(value, NULL, NULL, out);
    }
}

/* META may be NULL: then there was none. */
static uint32_t add_meta(struct buffer *out, bool *first, yyjson_val *meta)
{
    add_key(out, first, SLICE("meta"));
    buffer_add_byte(out, '{');
    uint32_t splice = (uint32_t)out->length;
    if (meta != NULL) {
        add_meta_members(out, meta);
    }
    buffer_add_byte(out, '}');
    return splice;
}

static void add_id(struct buffer *out, bool *first, struct slice id)
{
    add_key(out, first, SLICE("id"));
    buffer_add_json_string(out, id);
}

/* Members stay in their order; an id or meta that is missing comes after resourceType. */
static uint32_t write_body(yyjson_val *root, struct slice type, struct slice id, struct buffer *out)
{
    bool first = true;
    bool has_id = json_get(root, "id") != NULL;
    yyjson_val *given = json_get(root, "meta");
    bool has_meta = yyjson_is_obj(given);
    uint32_t splice = 0;
    buffer_add_byte(out, '{');
    add_key(out, &first, SLICE("resourceType"));
    buffer_add_json_string(out, type);
    if (!has_id) {
        add_id(out, &first, id);
    }
    if (!has_meta) {
        splice = add_meta(out, &first, NULL);
    }
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(root, i, max, name, value)
    {
        struct slice text = json_string(name);
        if (slice_is(text, "resourceType")) {
            continue;
        }
        if (slice_is(text, "id")) {
            add_id(out, &first, id);
        } else if (slice_is(text, "meta")) {
            if (has_meta) {
                splice = add_meta(out, &first, value);
            }
        } else {
            add_key(out, &first, text);
            json_write(value, NULL, NULL, out);
        }
    }
    buffer_add_byte(out, '}');
    return splice;
}

void store_version_write(const struct store_version *version, struct buffer *out)
{
    char instant[INSTANT_LENGTH + 1];
    size_t splice = version->splice;
    if (version->version == 0) {
        buffer_add(out, version->body);
        return;
    }
    if (splice > version->body.length) {
        out->broken = true;
        return;
    }
    instant_write(version->updated, instant);
    buffer_add(out, slice_head(version->body, splice));
    buffer_add_text(out, "\"versionId\":\"");
    buffer_add_unsigned(out, version->version);
    buffer_add_text(out, "\",\"lastUpdated\":\"");
    buffer_add_text(out, instant);
    buffer_add_byte(out, '"');
    if (splice < version->body.length && version->body.at[splice] != '}') {
        buffer_add_byte(out, ',');
    }
    buffer_add(out, slice_from(version->body, splice));
}

/* ---- whom it concerns --------------------------------------------------------------------------
 */

static void find_links(const struct store *store, struct slice base_url, yyjson_val *root,
                       struct text_set *links)
{
    size_t i, max;
    yyjson_val *link;
    yyjson_arr_foreach(json_get(root, "link"), i, max, link)
    {
        struct reference reference = reference_parse(
            store->definitions, json_get_string(json_get(link, "other"), "reference"), base_url);
        if (reference.kind == REFERENCE_LOCAL && reference.type == store->patient_type) {
            text_set_add(links, reference.id);
        }
    }
}

/* ---- making -------------------------------------------------------------------------------------
 */

/* Index values point into the resource's document, which need not live as long as the draft. */
static void own_texts(struct facts *facts, struct arena *arena)
{
    for (size_t i = 0; i < facts->count; i++) {
        struct fact *fact = &facts->items[i];
        if (fact->text.length > 0) {
            fact->text = arena_copy(arena, fact->text);
        }
        if (fact->system.length > 0) {
            fact->system = arena_copy(arena, fact->system);
        }
    }
    for (size_t i = 0; i < facts->code_word_count; i++) {
        struct code_word *word = &facts->code_words[i];
        bool same = i > 0 && slice_equals(word->code, word[-1].code) &&
                    slice_equals(word->system, word[-1].system);
        word->code = same ? word[-1].code : arena_copy(arena, word->code);
        word->system = same ? word[-1].system : arena_copy(arena, word->system);
    }
}

enum status store_draft_make(struct store *store, resource_type type, struct slice id,
                             yyjson_val *root, struct slice base_url, struct arena *arena,
                             struct outcome *outcome, struct store_draft **ret_draft)
{
    struct store_draft *draft = ARENA_NEW(arena, struct store_draft);
    if (draft == NULL) {
        return STATUS_TOO_COSTLY;
    }
    draft->type = type;
    draft->blob_file = -1;
    draft->id = arena_copy(arena, id);
    if (!id_pack(id, &draft->key)) {
        return outcome_fail(outcome, STATUS_VALUE, "id",
                            "An id has 1 to 64 of the characters A-Z, a-z, 0-9, '-' and '.'.");
    }
    struct buffer body = {.arena = arena};
    draft->splice = write_body(root, resource_type_name(store->definitions, type), id, &body);
    draft->body = buffer_slice(&body);
    draft->facts.arena = arena;
    draft->turn = store_parameters_turn(store);
    extract_all(store, type, root, base_url, &draft->facts);
    own_texts(&draft->facts, arena);
    draft->base_url = arena_copy(arena, base_url);
    enum status found = concern_find(store, type, root, base_url, arena, &draft->said);
    draft->facts.used_base = draft->facts.used_base || draft->said.used_base;
    struct text_set links = {.arena = arena};
    if (type == store->patient_type) {
        find_links(store, base_url, root, &links);
    }
    draft->links = links.items;
    draft->link_count = links.count;
    if (!buffer_ok(&body) || draft->facts.broken || found != STATUS_OK || links.broken ||
        arena_full(arena)) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "",
                            "The resource needs more memory than a request may use. Split it.");
    }
    TRY(body_compress(store, draft->body, arena, &draft->stored, &draft->dictionary));
    *ret_draft = draft;
    return STATUS_OK;
}

void store_draft_set_blob(struct store_draft *draft, int file, uint64_t length)
{
    draft->blob_file = file;
    draft->blob_length = length;
}

enum status store_draft_add_note(struct store_draft *draft, struct slice name, struct slice value,
                                 struct arena *arena)
{
    struct draft_note *note = ARENA_NEW(arena, struct draft_note);
    if (note == NULL) {
        return STATUS_TOO_COSTLY;
    }
    note->name = arena_copy(arena, name);
    note->value = arena_copy(arena, value);
    note->next = draft->notes;
    draft->notes = note;
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

void store_draft_version(const struct store_draft *draft, struct store_version *ret_version)
{
    *ret_version = (struct store_version){.type = draft->type,
                                          .id = draft->id,
                                          .body = draft->body,
                                          .splice = draft->splice,
                                          .blob_length = draft->blob_length};
}
