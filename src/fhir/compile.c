/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "fhir/compile_int.h"

/* ---- tables ---------------------------------------------------------------------------------- */

void *table_add(struct compiler *compiler, enum blob_table table, size_t size, size_t count,
                uint32_t *ret_first)
{
    struct buffer *rows = &compiler->tables[table];
    char *at = buffer_reserve(rows, size * count);
    *ret_first = (uint32_t)(rows->length / size);
    if (at == NULL) {
        return NULL;
    }
    if (size * count > 0) {
        memset(at, 0, size * count);
    }
    rows->length += size * count;
    return at;
}

struct slice compiled_text(const struct compiler *compiler, struct text_row text)
{
    return slice_of(compiler->tables[BLOB_STRINGS].at + text.offset, text.length);
}

static bool interned_grow(struct compiler *compiler)
{
    size_t size = compiler->interned == NULL ? 1u << 15 : (compiler->interned_mask + 1) * 2;
    struct text_row *old = compiler->interned;
    size_t old_size = old == NULL ? 0 : compiler->interned_mask + 1;
    struct text_row *fresh = arena_array(compiler->arena, size, sizeof *fresh);
    if (fresh == NULL) {
        return false;
    }
    compiler->interned = fresh;
    compiler->interned_mask = size - 1;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].length > 0) {
            size_t slot = slice_hash(compiled_text(compiler, old[i])) & compiler->interned_mask;
            while (fresh[slot].length > 0) {
                slot = (slot + 1) & compiler->interned_mask;
            }
            fresh[slot] = old[i];
        }
    }
    return true;
}

struct text_row compile_text(struct compiler *compiler, struct slice text)
{
    struct text_row none = {0, 0};
    if (text.length == 0) {
        return none;
    }
    if (compiler->interned_count * 2 >= compiler->interned_mask && !interned_grow(compiler)) {
        return none;
    }
    size_t slot = slice_hash(text) & compiler->interned_mask;
    while (compiler->interned[slot].length > 0) {
        if (slice_equals(compiled_text(compiler, compiler->interned[slot]), text)) {
            return compiler->interned[slot];
        }
        slot = (slot + 1) & compiler->interned_mask;
    }
    struct buffer *pool = &compiler->tables[BLOB_STRINGS];
    struct text_row row = {(uint32_t)pool->length, (uint32_t)text.length};
    buffer_add(pool, text);
    if (!buffer_ok(pool)) {
        return none;
    }
    compiler->interned[slot] = row;
    compiler->interned_count++;
    return row;
}

/* ---- sources --------------------------------------------------------------------------------- */

static struct slice without_version(struct slice canonical)
{
    return slice_head(canonical, slice_index(canonical, '|'));
}

const struct source *source_find(const struct source_list *list, struct slice canonical)
{
    struct slice url = without_version(canonical);
    if (list->index == NULL) {
        return NULL;
    }
    for (size_t slot = slice_hash(url) & list->mask; list->index[slot] != NULL;
         slot = (slot + 1) & list->mask) {
        if (slice_equals(list->index[slot]->url, url)) {
            return list->index[slot];
        }
    }
    return NULL;
}

/* A later source with the url of an earlier one takes its place, and only its place: order stays
 * that of the packages. */
static bool source_index(struct compiler *compiler, struct source_list *list)
{
    size_t size = 16;
    while (size < list->count * 2) {
        size *= 2;
    }
    list->mask = size - 1;
    list->index = arena_array(compiler->arena, size, sizeof(struct source *));
    if (list->index == NULL) {
        return false;
    }
    for (struct source **link = &list->first; *link != NULL;) {
        struct source *source = *link;
        size_t slot = slice_hash(source->url) & list->mask;
        while (list->index[slot] != NULL && !slice_equals(list->index[slot]->url, source->url)) {
            slot = (slot + 1) & list->mask;
        }
        if (list->index[slot] == NULL) {
            list->index[slot] = source;
            link = &source->next;
        } else {
            list->index[slot]->root = source->root;
            list->index[slot]->file = source->file;
            *link = source->next;
            list->count--;
        }
    }
    return true;
}

/* The resourceType of a file that begins with it, as published files do; else empty. Parsing all
 * examples of a package only to pass them over would take longer than the rest together. */
static struct slice peek_type(struct slice text)
{
    static const char member[] = "\"resourceType\"";
    const char *at = text.at;
    const char *end = text.at + text.length;
    struct slice none = {NULL, 0};
#define SKIP_SPACE()                                                                               \
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {                \
        at++;                                                                                      \
    }
    SKIP_SPACE()
    if (at == end || *at++ != '{') {
        return none;
    }
    SKIP_SPACE()
    if ((size_t)(end - at) < sizeof member || memcmp(at, member, sizeof member - 1) != 0) {
        return none;
    }
    at += sizeof member - 1;
    SKIP_SPACE()
    if (at == end || *at++ != ':') {
        return none;
    }
    SKIP_SPACE()
    if (at == end || *at++ != '"') {
        return none;
    }
#undef SKIP_SPACE
    struct slice rest = slice_of(at, (size_t)(end - at));
    return slice_head(rest, slice_index(rest, '"'));
}

static struct source_list *list_of(struct compiler *compiler, struct slice type)
{
    if (slice_is(type, "StructureDefinition")) {
        return &compiler->structures;
    }
    if (slice_is(type, "ValueSet")) {
        return &compiler->value_sets;
    }
    if (slice_is(type, "CodeSystem")) {
        return &compiler->code_systems;
    }
    return slice_is(type, "SearchParameter") ? &compiler->parameters : NULL;
}

struct reading {
    struct compiler *compiler;
    bool base;
    uint32_t package;
    size_t taken;
};

static enum status list_append(struct compiler *compiler, struct source_list *list,
                               const struct source *given)
{
    struct source *source = ARENA_NEW(compiler->arena, struct source);
    if (source == NULL) {
        return STATUS_MEMORY;
    }
    *source = *given;
    if (list->last != NULL) {
        list->last->next = source;
    } else {
        list->first = source;
    }
    list->last = source;
    list->count++;
    return STATUS_OK;
}

static enum status take_resource(struct reading *reading, struct slice file, yyjson_val *root)
{
    struct compiler *compiler = reading->compiler;
    struct slice type = json_get_string(root, "resourceType");
    struct source_list *list = list_of(compiler, type);
    struct source source = {.url = json_get_string(root, "url"),
                            .file = file,
                            .root = root,
                            .base = reading->base,
                            .package = reading->package};
    if (list != NULL && source.url.length > 0) {
        TRY(list_append(compiler, list, &source));
        reading->taken++;
    }
    if (canonical_type(type) && (source.url.length > 0 || slice_is(type, "NamingSystem"))) {
        TRY(list_append(compiler, &compiler->canonicals, &source));
    }
    return STATUS_OK;
}

/* package.json: the package's name and what it builds on. */
static void take_about(struct reading *reading, yyjson_val *root)
{
    struct compiler *compiler = reading->compiler;
    struct slice name = json_get_string(root, "name");
    struct slice version = json_get_string(root, "version");
    struct package_about *about = &compiler->packages[reading->package];
    if (name.length > 0 && version.length > 0) {
        about->name = slice_text(
            arena_print(compiler->arena, "%.*s#%.*s", SLICE_ARGS(name), SLICE_ARGS(version)));
        about->dependencies = json_get(root, "dependencies");
    }
}

static enum status take_file(void *context, struct slice name, struct slice text)
{
    struct reading *reading = context;
    struct compiler *compiler = reading->compiler;
    struct slice type = peek_type(text);
    /* Bundles count only in files given by themselves: those of the base specification repeat its
     * files. */
    bool alone = slice_index(name, '/') == name.length;
    bool about = slice_ends(name, SLICE("/package.json"));
    if (type.length > 0 && !canonical_type(type) && !(alone && slice_is(type, "Bundle"))) {
        return STATUS_OK;
    }
    struct json json;
    struct slice kept = arena_copy(compiler->arena, text);
    struct slice file = arena_copy(compiler->arena, name);
    if (arena_full(compiler->arena)) {
        return STATUS_MEMORY;
    }
    struct outcome problems;
    outcome_init(&problems, compiler->arena);
    enum status status = json_read(kept, &json_limits_default, compiler->arena, &problems, &json);
    if (status != STATUS_OK) {
        outcome_warn(compiler->outcome, "structure", "", "%.*s is passed over: it is no JSON.",
                     SLICE_ARGS(file));
        return status == STATUS_STRUCTURE ? STATUS_OK : status;
    }
    if (slice_is(json_get_string(json.root, "resourceType"), "Bundle") && alone) {
        yyjson_val *entries = json_get(json.root, "entry");
        size_t i, max;
        yyjson_val *entry;
        yyjson_arr_foreach(entries, i, max, entry)
        {
            TRY(take_resource(reading, file, json_get(entry, "resource")));
        }
        return STATUS_OK;
    }
    if (about) {
        take_about(reading, json.root);
        return STATUS_OK;
    }
    return take_resource(reading, file, json.root);
}

static enum status read_packages(struct compiler *compiler, const char *const *paths, size_t count)
{
    compiler->packages = arena_array(compiler->arena, count, sizeof *compiler->packages);
    if (compiler->packages == NULL) {
        return STATUS_MEMORY;
    }
    compiler->package_count = count;
    for (size_t i = 0; i < count; i++) {
        struct reading reading = {.compiler = compiler, .base = i == 0, .package = (uint32_t)i};
        const char *slash = strrchr(paths[i], '/');
        compiler->packages[i].name = slice_text(slash != NULL ? slash + 1 : paths[i]);
        TRY(package_read(paths[i], take_file, &reading, compiler->outcome));
        if (reading.taken == 0) {
            outcome_warn(compiler->outcome, "incomplete", "",
                         "%s holds no StructureDefinition, SearchParameter, ValueSet or "
                         "CodeSystem.",
                         paths[i]);
        }
    }
    bool indexed = source_index(compiler, &compiler->structures) &&
                   source_index(compiler, &compiler->value_sets) &&
                   source_index(compiler, &compiler->code_systems) &&
                   source_index(compiler, &compiler->parameters);
    return indexed ? STATUS_OK : STATUS_MEMORY;
}

/* ---- the file -------------------------------------------------------------------------------- */

static enum status write_blob(struct compiler *compiler, const char *output)
{
    struct blob_header header = {.magic = BLOB_MAGIC,
                                 .format = BLOB_FORMAT,
                                 .header_length = sizeof header,
                                 .byte_order = BLOB_BYTE_ORDER,
                                 .fhir_version = compile_text(compiler, compiler->fhir_version)};
    struct buffer file = {.arena = compiler->arena};
    buffer_add(&file, slice_of((const char *)&header, sizeof header));
    for (size_t i = 0; i < BLOB_TABLE_COUNT; i++) {
        while (file.length % 8 != 0 && buffer_ok(&file)) {
            buffer_add_byte(&file, 0);
        }
        struct slice rows = buffer_slice(&compiler->tables[i]);
        header.tables[i] = (struct blob_section){(uint32_t)file.length,
                                                 (uint32_t)(rows.length / blob_row_sizes[i])};
        buffer_add(&file, rows);
        if (!buffer_ok(&compiler->tables[i])) {
            return STATUS_MEMORY;
        }
    }
    if (!buffer_ok(&file)) {
        return STATUS_MEMORY;
    }
    header.length = file.length;
    sha256(slice_from(buffer_slice(&file), sizeof header), header.hash);
    memcpy(file.at, &header, sizeof header);
    return disk_replace_file(output, buffer_slice(&file));
}

static enum status compile_all(struct compiler *compiler, const char *const *paths, size_t count,
                               const char *output)
{
    TRY(read_packages(compiler, paths, count));
    TRY(compile_types(compiler));
    TRY(compile_search(compiler));
    TRY(compile_homes(compiler));
    TRY(compile_canonicals(compiler));
    if (arena_full(compiler->arena)) {
        return STATUS_MEMORY;
    }
    enum status status = write_blob(compiler, output);
    if (status != STATUS_OK) {
        return outcome_fail(compiler->outcome, status, "", "Cannot write %s.", output);
    }
    return STATUS_OK;
}

enum status definitions_compile(const char *const *paths, size_t count, const char *output,
                                struct outcome *outcome)
{
    struct arena *arena = arena_create(0);
    struct compiler *compiler = arena != NULL ? ARENA_NEW(arena, struct compiler) : NULL;
    if (compiler == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    compiler->arena = arena;
    compiler->outcome = outcome;
    compiler->scratch = arena_create(0);
    for (size_t i = 0; i < BLOB_TABLE_COUNT; i++) {
        compiler->tables[i].arena = arena;
    }
    enum status status =
        compiler->scratch != NULL ? compile_all(compiler, paths, count, output) : STATUS_MEMORY;
    arena_destroy(compiler->scratch);
    arena_destroy(arena);
    return status;
}
