/* SPDX-License-Identifier: MIT */
/* The conformance resources themselves: each goes into the blob as minified JSON, compressed, so
 * that any number of packages costs no memory until one of their resources is asked for. */
#include <zstd.h>

#include "fhir/compile_int.h"

/* Reading is as quick at any level; this one packs 70 MB of the specification in a second. */
#define LEVEL 7

/* R4's canonical resources: those that may be named by their url (R4 references.html#canonical),
 * and NamingSystem, which says what urls mean. */
static const char *const canonical_types[] = {
    "ActivityDefinition",
    "CapabilityStatement",
    "ChargeItemDefinition",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "EffectEvidenceSynthesis",
    "GraphDefinition",
    "ImplementationGuide",
    "Library",
    "Measure",
    "MessageDefinition",
    "NamingSystem",
    "OperationDefinition",
    "PlanDefinition",
    "Questionnaire",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "RiskEvidenceSynthesis",
    "SearchParameter",
    "StructureDefinition",
    "StructureMap",
    "TerminologyCapabilities",
    "TestScript",
    "ValueSet",
};

bool canonical_type(struct slice type)
{
    for (size_t i = 0; i < sizeof canonical_types / sizeof canonical_types[0]; i++) {
        if (slice_is(type, canonical_types[i])) {
            return true;
        }
    }
    return false;
}

/* A narrative that was generated says nothing that the resource does not, and is half of it. */
static bool is_generated(const yyjson_val *key, const yyjson_val *value)
{
    return slice_is(json_string(key), "text") &&
           slice_is(json_get_string(value, "status"), "generated");
}

void canonical_write(const yyjson_val *resource, struct buffer *out)
{
    size_t i, max, written = 0;
    yyjson_val *key, *value;
    buffer_add_byte(out, '{');
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)resource, i, max, key, value)
    {
        if (is_generated(key, value)) {
            continue;
        }
        if (written++ > 0) {
            buffer_add_byte(out, ',');
        }
        buffer_add_json_string(out, json_string(key));
        buffer_add_byte(out, ':');
        json_write(value, NULL, NULL, out);
    }
    buffer_add_byte(out, '}');
}

/* ---- rows ------------------------------------------------------------------------------------ */

static enum status add_text(struct compiler *compiler, ZSTD_CCtx *context, struct slice text,
                            struct canonical_row *row)
{
    struct buffer *texts = &compiler->tables[BLOB_CANONICAL_TEXTS];
    size_t room = ZSTD_compressBound(text.length);
    char *at = buffer_reserve(texts, room);
    if (at == NULL) {
        return STATUS_MEMORY;
    }
    size_t got = ZSTD_compressCCtx(context, at, room, text.at, text.length, LEVEL);
    if (ZSTD_isError(got) != 0 || texts->length + got > UINT32_MAX) {
        return STATUS_TOO_LONG;
    }
    row->offset = (uint32_t)texts->length;
    row->stored = (uint32_t)got;
    row->length = (uint32_t)text.length;
    texts->length += got;
    return STATUS_OK;
}

static bool same_name(const struct source *a, const struct source *b)
{
    return slice_equals(a->url, b->url) &&
           slice_equals(json_get_string(a->root, "resourceType"),
                        json_get_string(b->root, "resourceType")) &&
           slice_equals(json_get_string(a->root, "version"), json_get_string(b->root, "version"));
}

/* Of those with one type, url and version only the last counts. */
static enum status drop_replaced(struct compiler *compiler, size_t *ret_count)
{
    struct source_list *list = &compiler->canonicals;
    size_t size = 16;
    while (size < list->count * 2) {
        size *= 2;
    }
    struct source **slots = arena_array(compiler->arena, size, sizeof *slots);
    if (slots == NULL) {
        return STATUS_MEMORY;
    }
    *ret_count = 0;
    for (struct source *each = list->first; each != NULL; each = each->next) {
        ++*ret_count;
        if (each->url.length == 0) {
            continue;
        }
        size_t slot = slice_hash(each->url) & (size - 1);
        while (slots[slot] != NULL && !same_name(slots[slot], each)) {
            slot = (slot + 1) & (size - 1);
        }
        if (slots[slot] != NULL) {
            slots[slot]->root = NULL;
            --*ret_count;
        }
        slots[slot] = each;
    }
    return STATUS_OK;
}

static enum status add_row(struct compiler *compiler, ZSTD_CCtx *context, struct arena *scratch,
                           const struct source *source)
{
    struct buffer text = {.arena = scratch};
    const struct package_about *about = &compiler->packages[source->package];
    struct canonical_row row = {
        .type = compile_text(compiler, json_get_string(source->root, "resourceType")),
        .url = compile_text(compiler, source->url),
        .version = compile_text(compiler, json_get_string(source->root, "version")),
        .package = compile_text(compiler, about->name)};
    canonical_write(source->root, &text);
    if (!buffer_ok(&text)) {
        return STATUS_MEMORY;
    }
    TRY(add_text(compiler, context, buffer_slice(&text), &row));
    uint32_t number;
    struct canonical_row *kept = table_add(compiler, BLOB_CANONICALS, sizeof *kept, 1, &number);
    if (kept == NULL) {
        return STATUS_MEMORY;
    }
    *kept = row;
    return STATUS_OK;
}

static enum status add_slots(struct compiler *compiler, size_t count)
{
    uint32_t size = 16, first;
    while (size < count * 2) {
        size *= 2;
    }
    uint32_t *slots = table_add(compiler, BLOB_CANONICAL_SLOTS, sizeof *slots, size, &first);
    if (slots == NULL) {
        return STATUS_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct text_row url = TABLE_ROW(compiler, BLOB_CANONICALS, struct canonical_row, i)->url;
        struct slice text = compiled_text(compiler, url);
        if (text.length == 0) {
            continue;
        }
        uint32_t slot = name_hash(text.at, text.length, 0) & (size - 1);
        while (slots[slot] != 0) {
            slot = (slot + 1) & (size - 1);
        }
        slots[slot] = i + 1;
    }
    return STATUS_OK;
}

static enum status add_rows(struct compiler *compiler, ZSTD_CCtx *context)
{
    struct arena *scratch = arena_create(0);
    enum status status = scratch != NULL ? STATUS_OK : STATUS_MEMORY;
    size_t count = 0;
    if (status == STATUS_OK) {
        status = drop_replaced(compiler, &count);
    }
    for (struct source *each = compiler->canonicals.first; each != NULL && status == STATUS_OK;
         each = each->next) {
        if (each->root != NULL) {
            arena_reset(scratch, 0);
            status = add_row(compiler, context, scratch, each);
        }
    }
    arena_destroy(scratch);
    return status == STATUS_OK ? add_slots(compiler, count) : status;
}

/* ---- packages -------------------------------------------------------------------------------- */

static bool is_given(const struct compiler *compiler, struct slice name)
{
    /* The base specification comes under several names: core, examples, expansions. */
    if (slice_starts(name, SLICE("hl7.fhir.r4.")) || slice_is(name, "hl7.fhir.core")) {
        return true;
    }
    for (size_t i = 0; i < compiler->package_count; i++) {
        struct slice given = compiler->packages[i].name;
        if (slice_equals(slice_head(given, slice_index(given, '#')), name)) {
            return true;
        }
    }
    return false;
}

static void name_missing(struct compiler *compiler)
{
    for (size_t i = 0; i < compiler->package_count; i++) {
        size_t at, max;
        yyjson_val *key, *value;
        if (compiler->packages[i].dependencies == NULL) {
            continue; /* yyjson's loop computes with the pointer */
        }
        yyjson_obj_foreach(compiler->packages[i].dependencies, at, max, key, value)
        {
            if (!is_given(compiler, json_string(key))) {
                outcome_warn(compiler->outcome, "incomplete", "",
                             "The package %.*s builds on %.*s#%.*s, which is not loaded: what it "
                             "defines is not checked.",
                             SLICE_ARGS(compiler->packages[i].name), SLICE_ARGS(json_string(key)),
                             SLICE_ARGS(json_string(value)));
            }
        }
    }
}

enum status compile_canonicals(struct compiler *compiler)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (context == NULL) {
        return STATUS_MEMORY;
    }
    name_missing(compiler);
    enum status status = add_rows(compiler, context);
    ZSTD_freeCCtx(context);
    return status;
}
