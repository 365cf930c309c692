/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "fhir/compile_int.h"

#define STRUCTURE_PREFIX "http://hl7.org/fhir/StructureDefinition/"
#define SYSTEM_PREFIX    "http://hl7.org/fhirpath/System."
#define GROUP_LIMIT      64u
#define TYPE_LIMIT       65000u

static enum fhir_type fhir_type_of(struct slice name)
{
    static const struct slice names[FHIR_TYPE_LIMIT] = {[FHIR_TYPE_OTHER] = {NULL, 0},
#define NAME_ROW(constant, text) [FHIR_TYPE_##constant] = {text, sizeof(text) - 1},
                                                        FHIR_PRIMITIVES(NAME_ROW)
                                                            FHIR_COMPLEX(NAME_ROW)
#undef NAME_ROW
    };
    for (int i = 1; i < FHIR_TYPE_LIMIT; i++) {
        if (slice_equals(names[i], name)) {
            return (enum fhir_type)i;
        }
    }
    return FHIR_TYPE_OTHER;
}

struct element_tables compile_view(const struct compiler *compiler)
{
    const struct buffer *tables = compiler->tables;
    return (struct element_tables){
        .strings = tables[BLOB_STRINGS].at,
        .types = (const void *)tables[BLOB_TYPES].at,
        .elements = (const void *)tables[BLOB_ELEMENTS].at,
        .slots = (const void *)tables[BLOB_SLOTS].at,
        .code_sets = (const void *)tables[BLOB_CODE_SETS].at,
        .codes = (const void *)tables[BLOB_CODES].at,
        .targets = (const void *)tables[BLOB_TARGETS].at,
        .type_count = (uint32_t)TABLE_COUNT(compiler, BLOB_TYPES, struct type_row),
        .element_count = (uint32_t)TABLE_COUNT(compiler, BLOB_ELEMENTS, struct element_row),
        .code_set_count = (uint32_t)TABLE_COUNT(compiler, BLOB_CODE_SETS, struct code_set_row)};
}

#define NO_TYPE UINT32_MAX

static uint32_t find_type(const struct compiler *compiler, struct slice name)
{
    size_t count = TABLE_COUNT(compiler, BLOB_TYPES, struct type_row);
    for (size_t i = 0; i < count; i++) {
        struct text_row text = TABLE_ROW(compiler, BLOB_TYPES, struct type_row, i)->name;
        if (slice_equals(compiled_text(compiler, text), name)) {
            return (uint32_t)i;
        }
    }
    return NO_TYPE;
}

resource_type compile_resource_find(const struct compiler *compiler, struct slice name)
{
    uint32_t type = find_type(compiler, name);
    return type < compiler->resource_count ? (resource_type)(type + 1) : RESOURCE_TYPE_NONE;
}

static uint32_t add_type(struct compiler *compiler, struct slice name, enum type_kind kind)
{
    struct text_row text = compile_text(compiler, name);
    uint32_t number;
    struct type_row *row = table_add(compiler, BLOB_TYPES, sizeof *row, 1, &number);
    if (row == NULL || number > TYPE_LIMIT) {
        return NO_TYPE;
    }
    row->name = text;
    row->kind = (uint8_t)kind;
    row->fhir_type = (uint8_t)fhir_type_of(name);
    row->resource = kind == TYPE_RESOURCE ? (uint16_t)(number + 1) : 0;
    return number;
}

/* ---- which definitions ------------------------------------------------------------------------
 */

static bool defines_type(const struct source *source)
{
    struct slice kind = json_get_string(source->root, "kind");
    return source->base && !slice_is(json_get_string(source->root, "derivation"), "constraint") &&
           (slice_is(kind, "resource") || slice_is(kind, "complex-type") ||
            slice_is(kind, "primitive-type"));
}

static enum type_kind kind_of(const struct source *source)
{
    struct slice kind = json_get_string(source->root, "kind");
    if (slice_is(kind, "primitive-type")) {
        return TYPE_PRIMITIVE;
    }
    if (slice_is(kind, "complex-type")) {
        return TYPE_COMPLEX;
    }
    return yyjson_get_bool(json_get(source->root, "abstract")) ? TYPE_ABSTRACT : TYPE_RESOURCE;
}

/* Concrete resources first, because their numbers are the resource_type codes; then by name. */
static int compare_sources(const void *a, const void *b)
{
    const struct source *left = *(const struct source *const *)a;
    const struct source *right = *(const struct source *const *)b;
    bool left_resource = kind_of(left) == TYPE_RESOURCE;
    bool right_resource = kind_of(right) == TYPE_RESOURCE;
    if (left_resource != right_resource) {
        return left_resource ? -1 : 1;
    }
    return slice_compare(json_get_string(left->root, "type"), json_get_string(right->root, "type"));
}

static yyjson_val *snapshot_elements(const struct source *source)
{
    return json_get(json_get(source->root, "snapshot"), "element");
}

/* An element with children is the home of a backbone type named by its path. */
static enum status add_backbones(struct compiler *compiler, const struct source *source)
{
    yyjson_val *elements = snapshot_elements(source);
    struct slice parent = {NULL, 0};
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(elements, i, max, element)
    {
        struct slice path = json_get_string(element, "path");
        bool below = i > 1 && path.length > parent.length && slice_starts(path, parent) &&
                     path.at[parent.length] == '.';
        if (below && find_type(compiler, parent) == NO_TYPE &&
            add_type(compiler, parent, TYPE_BACKBONE) == NO_TYPE) {
            return STATUS_MEMORY;
        }
        parent = path;
    }
    return STATUS_OK;
}

/* ---- elements ---------------------------------------------------------------------------------
 */

struct pending {
    struct compiler *compiler;
    const struct source *source;
    uint32_t owner; /* type number */
};

/* The name of the type behind an entry of ElementDefinition.type. Ids and url are given as
 * FHIRPath's own String there, with the FHIR type in an extension. */
static struct slice type_name_of(yyjson_val *type, struct slice path, bool in_resource)
{
    struct slice code = json_get_string(type, "code");
    if (!slice_starts(code, SLICE(SYSTEM_PREFIX))) {
        return code;
    }
    /* 4.0.1 says string for Resource.id; the data type page and resource.html say id. */
    if (in_resource && slice_ends(path, SLICE(".id"))) {
        return SLICE("id");
    }
    yyjson_val *extension = json_get(type, "extension");
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(extension, i, max, each)
    {
        if (slice_is(json_get_string(each, "url"),
                     STRUCTURE_PREFIX "structuredefinition-fhir-type")) {
            return json_get_string(each, "valueUrl");
        }
    }
    return SLICE("string");
}

static void add_targets(struct compiler *compiler, yyjson_val *type, struct element_row *row)
{
    yyjson_val *profiles = json_get(type, "targetProfile");
    size_t i, max;
    yyjson_val *profile;
    row->first_target = (uint32_t)TABLE_COUNT(compiler, BLOB_TARGETS, uint16_t);
    yyjson_arr_foreach(profiles, i, max, profile)
    {
        struct slice url = json_string(profile);
        struct slice name = slice_starts(url, SLICE(STRUCTURE_PREFIX))
                                ? slice_from(url, sizeof(STRUCTURE_PREFIX) - 1)
                                : url;
        resource_type target = compile_resource_find(compiler, name);
        if (target == RESOURCE_TYPE_NONE) { /* Resource: any */
            row->target_count = 0;
            return;
        }
        uint32_t number;
        uint16_t *at = table_add(compiler, BLOB_TARGETS, sizeof *at, 1, &number);
        if (at != NULL) {
            *at = target;
            row->target_count++;
        }
    }
}

static bool type_is_bindable(enum fhir_type type)
{
    switch (type) {
    case FHIR_TYPE_CODE:
    case FHIR_TYPE_CODING:
    case FHIR_TYPE_CODEABLECONCEPT:
    case FHIR_TYPE_QUANTITY:
    case FHIR_TYPE_STRING:
    case FHIR_TYPE_URI:
        return true;
    default:
        return false;
    }
}

static uint16_t binding_of(struct compiler *compiler, yyjson_val *element, enum fhir_type type)
{
    yyjson_val *binding = json_get(element, "binding");
    if (!slice_is(json_get_string(binding, "strength"), "required") || !type_is_bindable(type)) {
        return 0;
    }
    return compile_code_set(compiler, json_get_string(binding, "valueSet"));
}

static uint16_t flags_of(yyjson_val *element)
{
    unsigned flags = 0;
    flags |= slice_is(json_get_string(element, "max"), "1") ? 0 : ELEMENT_ARRAY;
    flags |= yyjson_get_bool(json_get(element, "isSummary")) ? ELEMENT_SUMMARY : 0;
    flags |= yyjson_get_bool(json_get(element, "isModifier")) ? ELEMENT_MODIFIER : 0;
    return (uint16_t)flags;
}

static uint16_t count_of(struct slice number)
{
    uint64_t value;
    return slice_to_unsigned(number, UINT16_MAX - 1, &value) ? (uint16_t)value : UINT16_MAX;
}

/* One JSON member: ELEMENT with the type TYPE_NAME. */
static enum status add_member(struct pending *pending, yyjson_val *element, yyjson_val *type,
                              struct slice name, struct slice type_name, unsigned extra_flags)
{
    struct compiler *compiler = pending->compiler;
    uint32_t number = find_type(compiler, type_name);
    if (number == NO_TYPE) {
        return outcome_fail(compiler->outcome, STATUS_INVALID, "StructureDefinition.snapshot",
                            "%.*s uses the type %.*s, which the base package does not define.",
                            SLICE_ARGS(pending->source->file), SLICE_ARGS(type_name));
    }
    uint64_t least = yyjson_is_raw(json_get(element, "min"))
                         ? count_of(json_number(json_get(element, "min")))
                         : 0;
    struct element_row row = {
        .name = compile_text(compiler, name),
        .type = (uint16_t)number,
        .fhir_type = TABLE_ROW(compiler, BLOB_TYPES, struct type_row, number)->fhir_type,
        .flags = (uint8_t)(flags_of(element) | extra_flags),
        .min = (uint16_t)least,
        .max = count_of(json_get_string(element, "max"))};
    struct slice path = json_get_string(element, "path");
    size_t stem = path.length;
    while (stem > 0 && path.at[stem - 1] != '.') {
        stem--;
    }
    stem = path.length - stem - ((extra_flags & ELEMENT_CHOICE) != 0 ? 3 : 0);
    row.stem_length = (uint8_t)stem;
    if (row.fhir_type == FHIR_TYPE_REFERENCE) {
        add_targets(compiler, type, &row);
    }
    row.code_set = binding_of(compiler, element, (enum fhir_type)row.fhir_type);
    struct type_row *owner = TABLE_ROW(compiler, BLOB_TYPES, struct type_row, pending->owner);
    if (owner->group_count >= GROUP_LIMIT || name.length > UINT8_MAX) {
        return outcome_fail(compiler->outcome, STATUS_INVALID, "StructureDefinition.snapshot",
                            "%.*s has more than %u elements in one type.",
                            SLICE_ARGS(pending->source->file), GROUP_LIMIT);
    }
    row.group = (uint8_t)owner->group_count;
    owner->required |= row.min > 0 ? UINT64_C(1) << row.group : 0;
    owner->modifiers |= (row.flags & ELEMENT_MODIFIER) != 0 ? UINT64_C(1) << row.group : 0;
    owner->element_count++;
    uint32_t at;
    struct element_row *kept = table_add(compiler, BLOB_ELEMENTS, sizeof *kept, 1, &at);
    if (kept == NULL) {
        return STATUS_MEMORY;
    }
    *kept = row;
    return STATUS_OK;
}

static struct slice choice_name(struct compiler *compiler, struct slice stem, struct slice type)
{
    char first = type.length > 0 ? type.at[0] : '\0';
    if (first >= 'a' && first <= 'z') {
        first = (char)(first - 'a' + 'A');
    }
    struct slice rest = slice_from(type, 1);
    return slice_text(
        arena_print(compiler->arena, "%.*s%c%.*s", SLICE_ARGS(stem), first, SLICE_ARGS(rest)));
}

static enum status add_element(struct pending *pending, yyjson_val *element, struct slice name)
{
    struct compiler *compiler = pending->compiler;
    struct slice path = json_get_string(element, "path");
    struct slice shared = json_get_string(element, "contentReference");
    if (shared.length > 0) {
        TRY(add_member(pending, element, NULL, name, slice_from(shared, 1), ELEMENT_REFERENCE));
    } else if (find_type(compiler, path) != NO_TYPE) {
        TRY(add_member(pending, element, NULL, name, path, 0));
    } else {
        bool choice = slice_ends(name, SLICE("[x]"));
        struct slice stem = choice ? slice_head(name, name.length - 3) : name;
        bool in_resource =
            pending->owner < compiler->resource_count || kind_of(pending->source) == TYPE_ABSTRACT;
        size_t i, max;
        yyjson_val *type;
        yyjson_arr_foreach(json_get(element, "type"), i, max, type)
        {
            struct slice type_name = type_name_of(type, path, in_resource);
            struct slice member = choice ? choice_name(compiler, stem, type_name) : name;
            TRY(add_member(pending, element, type, member, type_name, choice ? ELEMENT_CHOICE : 0));
        }
    }
    TABLE_ROW(compiler, BLOB_TYPES, struct type_row, pending->owner)->group_count++;
    return STATUS_OK;
}

/* The elements directly below PATH, in the order of the snapshot. */
static enum status add_elements(struct compiler *compiler, const struct source *source,
                                struct slice path, uint32_t owner)
{
    struct pending pending = {compiler, source, owner};
    TABLE_ROW(compiler, BLOB_TYPES, struct type_row, owner)->first_element =
        (uint32_t)TABLE_COUNT(compiler, BLOB_ELEMENTS, struct element_row);
    bool primitive = kind_of(source) == TYPE_PRIMITIVE;
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(snapshot_elements(source), i, max, element)
    {
        struct slice full = json_get_string(element, "path");
        if (full.length <= path.length + 1 || !slice_starts(full, path) ||
            full.at[path.length] != '.') {
            continue;
        }
        struct slice name = slice_from(full, path.length + 1);
        bool direct = slice_index(name, '.') == name.length;
        bool value = primitive && slice_is(name, "value");
        if (direct && !value && !slice_is(json_get_string(element, "max"), "0")) {
            TRY(add_element(&pending, element, name));
        }
    }
    return STATUS_OK;
}

/* A seed under which no two member names share a slot. */
static enum status add_slots(struct compiler *compiler, uint32_t number)
{
    struct type_row type = *TABLE_ROW(compiler, BLOB_TYPES, struct type_row, number);
    struct element_tables view = compile_view(compiler);
    uint32_t size = 4;
    while (size < type.element_count * 2u) {
        size *= 2;
    }
    for (uint32_t seed = 1;; seed++) {
        if (seed % 256 == 0) {
            size *= 2;
        }
        if (size > 1u << 16) {
            return outcome_fail(compiler->outcome, STATUS_INVALID, "StructureDefinition.snapshot",
                                "The type %.*s has two elements of one name.",
                                SLICE_ARGS(table_text(&view, type.name)));
        }
        struct arena_mark mark = arena_mark(compiler->arena);
        uint16_t *slots = arena_array(compiler->arena, size, sizeof *slots);
        if (slots == NULL) {
            return STATUS_MEMORY;
        }
        bool perfect = true;
        for (uint16_t i = 0; i < type.element_count && perfect; i++) {
            struct slice name = table_text(&view, type_element(&view, &type, i)->name);
            uint32_t slot = name_hash(name.at, name.length, seed) & (size - 1);
            perfect = slots[slot] == 0;
            slots[slot] = (uint16_t)(i + 1);
        }
        if (perfect) {
            uint32_t first;
            uint16_t *kept = table_add(compiler, BLOB_SLOTS, sizeof *kept, size, &first);
            if (kept == NULL) {
                return STATUS_MEMORY;
            }
            memcpy(kept, slots, size * sizeof *kept);
            struct type_row *row = TABLE_ROW(compiler, BLOB_TYPES, struct type_row, number);
            row->seed = seed;
            row->slot_mask = size - 1;
            row->first_slot = first;
            return STATUS_OK;
        }
        arena_rewind(compiler->arena, mark);
    }
}

static enum status add_type_names(struct compiler *compiler)
{
    size_t count = TABLE_COUNT(compiler, BLOB_TYPES, struct type_row);
    uint32_t first;
    uint16_t *numbers = table_add(compiler, BLOB_TYPE_NAMES, sizeof *numbers, count, &first);
    if (numbers == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice name =
            compiled_text(compiler, TABLE_ROW(compiler, BLOB_TYPES, struct type_row, i)->name);
        size_t at = i;
        while (at > 0 &&
               slice_compare(
                   compiled_text(
                       compiler,
                       TABLE_ROW(compiler, BLOB_TYPES, struct type_row, numbers[at - 1])->name),
                   name) > 0) {
            numbers[at] = numbers[at - 1];
            at--;
        }
        numbers[at] = (uint16_t)i;
    }
    return STATUS_OK;
}

/* Fills SORTED with the sources that define types. */
static size_t choose_sources(struct compiler *compiler, const struct source **sorted)
{
    size_t count = 0;
    for (struct source *each = compiler->structures.first; each != NULL; each = each->next) {
        if (defines_type(each)) {
            sorted[count++] = each;
        }
    }
    if (count > 0) {
        qsort(sorted, count, sizeof(struct source *), compare_sources);
    }
    return count;
}

static enum status add_named_types(struct compiler *compiler, const struct source **sorted,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum type_kind kind = kind_of(sorted[i]);
        if (add_type(compiler, json_get_string(sorted[i]->root, "type"), kind) == NO_TYPE) {
            return STATUS_MEMORY;
        }
        compiler->resource_count += kind == TYPE_RESOURCE;
    }
    compiler->domain = arena_array(compiler->arena, count, sizeof(bool));
    if (compiler->domain == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < compiler->resource_count; i++) {
        compiler->domain[i] = slice_is(json_get_string(sorted[i]->root, "baseDefinition"),
                                       STRUCTURE_PREFIX "DomainResource");
    }
    return STATUS_OK;
}

enum status compile_types(struct compiler *compiler)
{
    const struct source **sorted =
        arena_array(compiler->arena, compiler->structures.count + 1, sizeof *sorted);
    if (sorted == NULL) {
        return STATUS_MEMORY;
    }
    size_t count = choose_sources(compiler, sorted);
    TRY(add_named_types(compiler, sorted, count));
    if (compiler->resource_count == 0) {
        return outcome_fail(compiler->outcome, STATUS_REQUIRED, "",
                            "The first package must be the base specification; it defines no "
                            "resource type.");
    }
    compiler->fhir_version = json_get_string(sorted[0]->root, "fhirVersion");
    for (size_t i = 0; i < count; i++) {
        TRY(add_backbones(compiler, sorted[i]));
    }
    for (size_t i = 0; i < count; i++) {
        struct slice root = json_get_string(sorted[i]->root, "type");
        TRY(add_elements(compiler, sorted[i], root, (uint32_t)i));
    }
    size_t types = TABLE_COUNT(compiler, BLOB_TYPES, struct type_row);
    for (size_t i = count; i < types; i++) {
        struct slice path =
            compiled_text(compiler, TABLE_ROW(compiler, BLOB_TYPES, struct type_row, i)->name);
        struct slice root = slice_head(path, slice_index(path, '.'));
        size_t home = find_type(compiler, root);
        path = arena_copy(compiler->arena, path); /* the pool moves as it grows */
        TRY(add_elements(compiler, sorted[home], path, (uint32_t)i));
    }
    for (uint32_t i = 0; i < types; i++) {
        TRY(add_slots(compiler, i));
    }
    return add_type_names(compiler);
}
