/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fhir/fhir_int.h"

const size_t blob_row_sizes[BLOB_TABLE_COUNT] = {
    [BLOB_STRINGS] = 1,
    [BLOB_TYPES] = sizeof(struct type_row),
    [BLOB_ELEMENTS] = sizeof(struct element_row),
    [BLOB_SLOTS] = sizeof(uint16_t),
    [BLOB_CODE_SETS] = sizeof(struct code_set_row),
    [BLOB_CODES] = sizeof(struct code_row),
    [BLOB_TARGETS] = sizeof(uint16_t),
    [BLOB_TYPE_NAMES] = sizeof(uint16_t),
    [BLOB_PATHS] = sizeof(struct path_row),
    [BLOB_STEPS] = sizeof(struct text_row),
    [BLOB_PARAMETERS] = sizeof(struct parameter_row),
    [BLOB_PARAMETER_TARGETS] = sizeof(uint16_t),
    [BLOB_COMPONENTS] = sizeof(struct component_row),
    [BLOB_RESOURCES] = sizeof(struct resource_extra_row),
    [BLOB_CANONICALS] = sizeof(struct canonical_row),
    [BLOB_CANONICAL_SLOTS] = sizeof(uint32_t),
    [BLOB_CANONICAL_TEXTS] = 1,
};

static const struct blob_header *header_of(const struct definitions *definitions)
{
    return (const void *)definitions->map;
}

static const void *table_at(const struct definitions *definitions, enum blob_table table)
{
    return definitions->map + header_of(definitions)->tables[table].offset;
}

static uint32_t table_count(const struct definitions *definitions, enum blob_table table)
{
    return header_of(definitions)->tables[table].count;
}

/* The hash stands for everything behind the header, so offsets inside the rows need no check of
 * their own: they are as the compiler wrote them. */
static bool blob_is_whole(const char *map, size_t length)
{
    const struct blob_header *header = (const void *)map;
    if (length < sizeof *header || memcmp(header->magic, BLOB_MAGIC, sizeof header->magic) != 0 ||
        header->format != BLOB_FORMAT || header->byte_order != BLOB_BYTE_ORDER ||
        header->header_length != sizeof *header || header->length != length) {
        return false;
    }
    for (size_t i = 0; i < BLOB_TABLE_COUNT; i++) {
        uint64_t end =
            header->tables[i].offset + (uint64_t)header->tables[i].count * blob_row_sizes[i];
        if (header->tables[i].offset % 8 != 0 || header->tables[i].offset < sizeof *header ||
            end > length) {
            return false;
        }
    }
    uint8_t digest[SHA256_LENGTH];
    sha256(slice_of(map + sizeof *header, length - sizeof *header), digest);
    return memcmp(digest, header->hash, sizeof digest) == 0;
}

static enum status map_file(struct definitions *definitions, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return disk_status(errno);
    }
    struct stat about;
    void *map = MAP_FAILED;
    if (fstat(file, &about) == 0 && about.st_size > 0) {
        map = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    }
    close(file);
    if (map == MAP_FAILED) {
        return STATUS_IO;
    }
    definitions->map = map;
    definitions->map_length = (size_t)about.st_size;
    return STATUS_OK;
}

static struct slice text_of(const struct definitions *definitions, struct text_row text)
{
    return table_text(&definitions->tables, text);
}

static void open_tables(struct definitions *definitions)
{
    definitions->tables =
        (struct element_tables){.strings = table_at(definitions, BLOB_STRINGS),
                                .types = table_at(definitions, BLOB_TYPES),
                                .elements = table_at(definitions, BLOB_ELEMENTS),
                                .slots = table_at(definitions, BLOB_SLOTS),
                                .code_sets = table_at(definitions, BLOB_CODE_SETS),
                                .codes = table_at(definitions, BLOB_CODES),
                                .targets = table_at(definitions, BLOB_TARGETS),
                                .type_count = table_count(definitions, BLOB_TYPES),
                                .element_count = table_count(definitions, BLOB_ELEMENTS),
                                .code_set_count = table_count(definitions, BLOB_CODE_SETS)};
    definitions->type_names = table_at(definitions, BLOB_TYPE_NAMES);
    definitions->canonicals = table_at(definitions, BLOB_CANONICALS);
    definitions->canonical_slots = table_at(definitions, BLOB_CANONICAL_SLOTS);
    definitions->canonical_texts = table_at(definitions, BLOB_CANONICAL_TEXTS);
    definitions->canonical_count = table_count(definitions, BLOB_CANONICALS);
    definitions->canonical_slot_count = table_count(definitions, BLOB_CANONICAL_SLOTS);
    definitions->resource_count = (resource_type)table_count(definitions, BLOB_RESOURCES);
    definitions->fhir_version = text_of(definitions, header_of(definitions)->fhir_version);
    for (size_t i = 0; i < SHA256_LENGTH; i++) {
        static const char digits[] = "0123456789abcdef";
        uint8_t byte = header_of(definitions)->hash[i];
        definitions->hash[2 * i] = digits[byte >> 4];
        definitions->hash[2 * i + 1] = digits[byte & 15];
    }
}

static struct search_path *open_paths(struct definitions *definitions)
{
    uint32_t count = table_count(definitions, BLOB_PATHS);
    uint32_t step_count = table_count(definitions, BLOB_STEPS);
    const struct path_row *rows = table_at(definitions, BLOB_PATHS);
    const struct text_row *texts = table_at(definitions, BLOB_STEPS);
    struct slice *steps = arena_array(definitions->arena, step_count, sizeof *steps);
    struct search_path *paths = arena_array(definitions->arena, count, sizeof *paths);
    if (steps == NULL || paths == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < step_count; i++) {
        steps[i] = text_of(definitions, texts[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        paths[i] = (struct search_path){.steps = steps + rows[i].first_step,
                                        .count = rows[i].step_count,
                                        .type = (enum fhir_type)rows[i].type,
                                        .filter_name = text_of(definitions, rows[i].filter_name),
                                        .filter_value = text_of(definitions, rows[i].filter_value),
                                        .filter_step = rows[i].filter_step,
                                        .target = rows[i].target};
    }
    return paths;
}

static bool open_components(struct definitions *definitions, struct search_parameter *parameters)
{
    uint32_t count = table_count(definitions, BLOB_COMPONENTS);
    uint32_t parameter_count = table_count(definitions, BLOB_PARAMETERS);
    const struct component_row *rows = table_at(definitions, BLOB_COMPONENTS);
    const struct parameter_row *owners = table_at(definitions, BLOB_PARAMETERS);
    struct search_component *components =
        arena_array(definitions->arena, count + (size_t)1, sizeof *components);
    if (components == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        components[i].parameter = &parameters[rows[i].parameter];
        components[i].expression = text_of(definitions, rows[i].expression);
    }
    for (uint32_t i = 0; i < parameter_count; i++) {
        parameters[i].components = components + owners[i].first_component;
        parameters[i].component_count = owners[i].component_count;
    }
    return true;
}

static struct search_parameter *open_parameters(struct definitions *definitions,
                                                const struct search_path *paths)
{
    uint32_t count = table_count(definitions, BLOB_PARAMETERS);
    const struct parameter_row *rows = table_at(definitions, BLOB_PARAMETERS);
    const uint16_t *targets = table_at(definitions, BLOB_PARAMETER_TARGETS);
    struct search_parameter *parameters =
        arena_array(definitions->arena, count, sizeof *parameters);
    if (parameters == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct parameter_row *row = &rows[i];
        parameters[i] =
            (struct search_parameter){.code = text_of(definitions, row->code),
                                      .url = text_of(definitions, row->url),
                                      .kind = (enum search_kind)row->kind,
                                      .number = row->number,
                                      .paths = paths + row->first_path,
                                      .path_count = row->path_count,
                                      .simple = (row->flags & PARAMETER_SIMPLE) != 0,
                                      .exists = (row->flags & PARAMETER_EXISTS) != 0,
                                      .targets = targets + row->first_target,
                                      .target_count = row->target_count,
                                      .expression = text_of(definitions, row->expression)};
    }
    return open_components(definitions, parameters) ? parameters : NULL;
}

static enum status materialise(struct definitions *definitions)
{
    const struct search_path *paths = open_paths(definitions);
    const struct search_parameter *parameters =
        paths != NULL ? open_parameters(definitions, paths) : NULL;
    const struct resource_extra_row *rows = table_at(definitions, BLOB_RESOURCES);
    definitions->extras =
        arena_array(definitions->arena, definitions->resource_count, sizeof *definitions->extras);
    struct parameter_list *lists =
        arena_array(definitions->arena, definitions->resource_count, sizeof *lists);
    if (parameters == NULL || definitions->extras == NULL || lists == NULL) {
        return STATUS_MEMORY;
    }
    for (resource_type i = 0; i < definitions->resource_count; i++) {
        lists[i] =
            (struct parameter_list){parameters + rows[i].first_parameter, rows[i].parameter_count};
        definitions->extras[i] =
            (struct resource_extra){.base = &lists[i],
                                    .parameters = &lists[i],
                                    .last_number = (uint16_t)rows[i].parameter_count,
                                    .home = paths + rows[i].first_home,
                                    .home_count = rows[i].home_count,
                                    .member = paths + rows[i].first_member,
                                    .member_count = rows[i].member_count,
                                    .shared = rows[i].shared != 0};
    }
    return STATUS_OK;
}

enum status definitions_open(const char *path, struct outcome *outcome,
                             struct definitions **ret_definitions)
{
    struct arena *arena = arena_create(0);
    struct definitions *definitions = arena != NULL ? ARENA_NEW(arena, struct definitions) : NULL;
    if (definitions == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    definitions->arena = arena;
    definitions->added = arena_create(0);
    definitions->lock = ARENA_NEW(arena, pthread_mutex_t);
    if (definitions->added == NULL || definitions->lock == NULL ||
        pthread_mutex_init(definitions->lock, NULL) != 0) {
        arena_destroy(definitions->added);
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    enum status status = map_file(definitions, path);
    if (status != STATUS_OK) {
        definitions_close(definitions);
        return outcome_fail(outcome, STATUS_IO, "",
                            "Cannot read the definitions at %s: build them, or give their path.",
                            path);
    }
    if (!blob_is_whole(definitions->map, definitions->map_length)) {
        definitions_close(definitions);
        return outcome_fail(outcome, STATUS_CORRUPT, "",
                            "%s is no whole definitions file of this program's format: build it "
                            "again.",
                            path);
    }
    open_tables(definitions);
    status = materialise(definitions);
    if (status != STATUS_OK) {
        definitions_close(definitions);
        return status;
    }
    *ret_definitions = definitions;
    return STATUS_OK;
}

void definitions_close(struct definitions *definitions)
{
    if (definitions == NULL) {
        return;
    }
    if (definitions->map != NULL) {
        munmap((void *)(uintptr_t)definitions->map, definitions->map_length);
    }
    pthread_mutex_destroy(definitions->lock);
    arena_destroy(definitions->added);
    arena_destroy(definitions->arena);
}

struct slice definitions_fhir_version(const struct definitions *definitions)
{
    return definitions->fhir_version;
}

struct slice definitions_hash(const struct definitions *definitions)
{
    return slice_of(definitions->hash, 2 * SHA256_LENGTH);
}

const struct element_tables *definitions_tables(const struct definitions *definitions)
{
    return &definitions->tables;
}

/* ---- types ------------------------------------------------------------------------------------
 */

resource_type resource_type_count(const struct definitions *definitions)
{
    return definitions->resource_count;
}

struct slice resource_type_name(const struct definitions *definitions, resource_type type)
{
    if (type == RESOURCE_TYPE_NONE || type > definitions->resource_count) {
        return (struct slice){NULL, 0};
    }
    return text_of(definitions, definitions->tables.types[type - 1].name);
}

resource_type resource_type_find(const struct definitions *definitions, struct slice name)
{
    const struct type_row *type = type_find(definitions, name);
    return type != NULL ? type->resource : RESOURCE_TYPE_NONE;
}

const struct type_row *type_find(const struct definitions *definitions, struct slice name)
{
    size_t low = 0, high = definitions->tables.type_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct type_row *type = &definitions->tables.types[definitions->type_names[middle]];
        int order = slice_compare(name, text_of(definitions, type->name));
        if (order == 0) {
            return type;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

bool code_set_has(const struct element_tables *tables, const struct code_set_row *set,
                  struct slice code, struct slice system)
{
    uint32_t slot = name_hash(code.at, code.length, 0) & set->slot_mask;
    for (;; slot = (slot + 1) & set->slot_mask) {
        const struct code_row *row = &tables->codes[set->first_slot + slot];
        if (row->code.length == 0) {
            return false;
        }
        if (slice_equals(table_text(tables, row->code), code) &&
            (system.length == 0 || slice_equals(table_text(tables, row->system), system))) {
            return true;
        }
    }
}

/* ---- search -----------------------------------------------------------------------------------
 */

const struct search_parameter *search_parameters(const struct definitions *definitions,
                                                 resource_type type, size_t *ret_count)
{
    *ret_count = 0;
    if (type == RESOURCE_TYPE_NONE || type > definitions->resource_count) {
        return NULL;
    }
    const struct parameter_list *list =
        atomic_load_explicit(&definitions->extras[type - 1].parameters, memory_order_acquire);
    *ret_count = list->count;
    return list->items;
}

const struct search_parameter *search_parameter_find(const struct definitions *definitions,
                                                     resource_type type, struct slice code)
{
    size_t low = 0, high;
    const struct search_parameter *all = search_parameters(definitions, type, &high);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(code, all[middle].code);
        if (order == 0) {
            return &all[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct search_path *home_paths(const struct definitions *definitions, resource_type type,
                                     size_t *ret_count)
{
    *ret_count = 0;
    if (type == RESOURCE_TYPE_NONE || type > definitions->resource_count) {
        return NULL;
    }
    *ret_count = definitions->extras[type - 1].home_count;
    return definitions->extras[type - 1].home;
}

const struct search_path *member_paths(const struct definitions *definitions, resource_type type,
                                       size_t *ret_count)
{
    *ret_count = 0;
    if (type == RESOURCE_TYPE_NONE || type > definitions->resource_count) {
        return NULL;
    }
    *ret_count = definitions->extras[type - 1].member_count;
    return definitions->extras[type - 1].member;
}

bool resource_type_is_shared(const struct definitions *definitions, resource_type type)
{
    return type != RESOURCE_TYPE_NONE && type <= definitions->resource_count &&
           definitions->extras[type - 1].shared;
}
