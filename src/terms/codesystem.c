/* SPDX-License-Identifier: MIT */
/* Code systems, compiled from CodeSystem resources (R4 codesystem.html): concepts in one table, a
 * hash of their codes, their hierarchy from nesting and from the properties parent, child and
 * subsumedBy, and what makes them inactive or abstract. */
#include "terms/release.h"
#include "terms/terms_int.h"

#define PROPERTIES "http://hl7.org/fhir/concept-properties#"

struct edge {
    uint32_t child, parent;
};

struct building {
    struct code_system *system;
    struct arena *arena;
    struct edge *edges;
    size_t edge_count, edge_capacity;
};

static uint64_t code_hash(const struct code_system *system, struct slice code)
{
    if (system->case_sensitive) {
        return slice_hash(code);
    }
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < code.length; i++) {
        unsigned char byte = (unsigned char)code.at[i];
        byte = byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 32) : byte;
        hash = (hash ^ byte) * 1099511628211u;
    }
    return hash ^ (hash >> 29);
}

static bool code_same(const struct code_system *system, struct slice a, struct slice b)
{
    return system->case_sensitive ? slice_equals(a, b) : slice_equals_ignoring_case(a, b);
}

static bool table_make(struct code_system *system, uint32_t count, struct arena *arena)
{
    uint32_t size = 16;
    while (size < count * 2) {
        size *= 2;
    }
    system->table = arena_array(arena, size, sizeof *system->table);
    system->table_size = system->table != NULL ? size : 0;
    return system->table != NULL;
}

static void table_put(struct code_system *system, uint32_t number)
{
    uint32_t mask = system->table_size - 1;
    uint32_t at = (uint32_t)code_hash(system, system->codes[number]) & mask;
    while (system->table[at] != 0) {
        if (code_same(system, system->codes[system->table[at] - 1], system->codes[number])) {
            return; /* the first of two definitions counts */
        }
        at = (at + 1) & mask;
    }
    system->table[at] = number + 1;
}

uint32_t code_find(const struct code_system *system, struct slice code)
{
    if (system->release != NULL) {
        return release_find(system->release, code);
    }
    if (system->table_size == 0) {
        return CODE_NONE;
    }
    uint32_t mask = system->table_size - 1;
    uint32_t at = (uint32_t)code_hash(system, code) & mask;
    while (system->table[at] != 0) {
        if (code_same(system, system->codes[system->table[at] - 1], code)) {
            return system->table[at] - 1;
        }
        at = (at + 1) & mask;
    }
    return CODE_NONE;
}

/* ---- the table ------------------------------------------------------------------------------ */

static bool grow(struct code_system *system, struct arena *arena)
{
    if (system->count < system->capacity) {
        return true;
    }
    size_t from = system->capacity, to = from == 0 ? 16 : from * 2;
    struct slice *codes =
        arena_resize(arena, system->codes, from * sizeof *codes, to * sizeof *codes);
    if (codes != NULL) {
        system->codes = codes;
    }
    yyjson_val **nodes =
        arena_resize(arena, (void *)system->nodes, from * sizeof *nodes, to * sizeof *nodes);
    if (nodes != NULL) {
        system->nodes = nodes;
    }
    uint8_t *flags = arena_resize(arena, system->flags, from, to);
    if (flags != NULL) {
        system->flags = flags;
    }
    if (codes == NULL || nodes == NULL || flags == NULL) {
        return false;
    }
    system->capacity = (uint32_t)to;
    return true;
}

static uint32_t append(struct code_system *system, struct slice code, yyjson_val *node,
                       struct arena *arena)
{
    if (!grow(system, arena)) {
        return CODE_NONE;
    }
    system->codes[system->count] = code;
    system->nodes[system->count] = node;
    system->flags[system->count] = 0;
    return system->count++;
}

static bool add_edge(struct building *building, uint32_t child, uint32_t parent)
{
    if (child == parent) {
        return true;
    }
    if (building->edge_count == building->edge_capacity) {
        size_t from = building->edge_capacity, to = from == 0 ? 64 : from * 2;
        struct edge *edges = arena_resize(building->arena, building->edges, from * sizeof *edges,
                                          to * sizeof *edges);
        if (edges == NULL) {
            return false;
        }
        building->edges = edges;
        building->edge_capacity = to;
    }
    building->edges[building->edge_count++] = (struct edge){child, parent};
    return true;
}

static bool add_concepts(struct building *building, yyjson_val *concepts, uint32_t parent)
{
    size_t at, max;
    yyjson_val *concept;
    yyjson_arr_foreach(concepts, at, max, concept)
    {
        uint32_t number =
            append(building->system, json_get_string(concept, "code"), concept, building->arena);
        if (number == CODE_NONE || (parent != CODE_NONE && !add_edge(building, number, parent)) ||
            !add_concepts(building, json_get(concept, "concept"), number)) {
            return false;
        }
    }
    return true;
}

/* ---- properties that mean something to us ---------------------------------------------------- */

/* The code under which URI is declared, else STANDARD. */
static struct slice declared_as(yyjson_val *declared, const char *uri, const char *standard)
{
    size_t at, max;
    yyjson_val *property;
    yyjson_arr_foreach(declared, at, max, property)
    {
        struct slice given = json_get_string(property, "uri");
        if (slice_starts(given, SLICE(PROPERTIES)) &&
            slice_is(slice_from(given, sizeof PROPERTIES - 1), uri)) {
            return json_get_string(property, "code");
        }
    }
    return slice_text(standard);
}

static struct slice value_text(yyjson_val *value)
{
    if (yyjson_is_bool(value)) {
        return yyjson_get_bool(value) ? SLICE("true") : SLICE("false");
    }
    if (yyjson_is_obj(value)) {
        return json_get_string(value, "code");
    }
    struct slice text = json_string(value);
    return text.at != NULL ? text : json_number(value);
}

/* The member value[x] of a property or extension, with its type. */
static yyjson_val *value_of(yyjson_val *object, const char **ret_type)
{
    static const struct {
        const char *member, *type;
    } kinds[] = {
        {"valueCode", "Code"},       {"valueString", "String"},   {"valueBoolean", "Boolean"},
        {"valueInteger", "Integer"}, {"valueDecimal", "Decimal"}, {"valueDateTime", "DateTime"},
        {"valueCoding", "Coding"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        yyjson_val *value = json_get(object, kinds[i].member);
        if (value != NULL) {
            *ret_type = kinds[i].type;
            return value;
        }
    }
    *ret_type = NULL;
    return NULL;
}

static bool links(struct building *building, uint32_t number, yyjson_val *property)
{
    struct code_system *system = building->system;
    struct slice code = json_get_string(property, "code");
    struct slice uri = code_property_uri(system, code);
    bool parent = slice_is(code, "subsumedBy") || slice_is(code, "parent") ||
                  slice_is(uri, PROPERTIES "parent");
    bool child = slice_is(code, "child") || slice_is(uri, PROPERTIES "child");
    if (!parent && !child) {
        return true;
    }
    const char *type;
    uint32_t other = code_find(system, value_text(value_of(property, &type)));
    return other == CODE_NONE ||
           (parent ? add_edge(building, number, other) : add_edge(building, other, number));
}

static bool read_properties(struct building *building)
{
    struct code_system *system = building->system;
    for (uint32_t i = 0; i < system->count; i++) {
        size_t at, max;
        yyjson_val *property;
        yyjson_arr_foreach(json_get(system->nodes[i], "property"), at, max, property)
        {
            struct slice code = json_get_string(property, "code");
            const char *type;
            struct slice value = value_text(value_of(property, &type));
            if (slice_equals(code, system->abstract_property) && slice_is(value, "true")) {
                system->flags[i] |= CODE_ABSTRACT;
            }
            if ((slice_equals(code, system->inactive_property) && slice_is(value, "true")) ||
                (slice_equals(code, system->status_property) &&
                 (slice_is(value, "retired") || slice_is(value, "inactive")))) {
                system->flags[i] |= CODE_INACTIVE;
            }
            if (!links(building, i, property)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- edges into rows --------------------------------------------------------------------------
 */

static bool rows(const struct building *building, bool up, struct edges *ret_edges)
{
    uint32_t count = building->system->count;
    uint32_t *at = arena_array(building->arena, (size_t)count + 2, sizeof *at);
    uint32_t *to = arena_array(building->arena, building->edge_count + 1, sizeof *to);
    if (at == NULL || to == NULL) {
        return false;
    }
    for (size_t i = 0; i < building->edge_count; i++) {
        at[(up ? building->edges[i].child : building->edges[i].parent) + 2]++;
    }
    for (uint32_t i = 2; i < count + 2; i++) {
        at[i] += at[i - 1];
    }
    for (size_t i = 0; i < building->edge_count; i++) {
        struct edge edge = building->edges[i];
        to[at[(up ? edge.child : edge.parent) + 1]++] = up ? edge.parent : edge.child;
    }
    *ret_edges = (struct edges){at, to};
    return true;
}

static struct slice standards_status(yyjson_val *root)
{
    size_t at, max;
    yyjson_val *extension;
    yyjson_arr_foreach(json_get(root, "extension"), at, max, extension)
    {
        if (slice_is(json_get_string(extension, "url"),
                     "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-"
                     "status")) {
            return json_get_string(extension, "valueCode");
        }
    }
    return (struct slice){0};
}

static enum code_content content_of(yyjson_val *root)
{
    struct slice content = json_get_string(root, "content");
    return slice_is(content, "fragment")      ? CONTENT_FRAGMENT
           : slice_is(content, "example")     ? CONTENT_EXAMPLE
           : slice_is(content, "not-present") ? CONTENT_NOT_PRESENT
           : slice_is(content, "supplement")  ? CONTENT_SUPPLEMENT
                                              : CONTENT_COMPLETE;
}

enum status code_system_compile(yyjson_val *root, struct arena *arena,
                                struct code_system **ret_system)
{
    struct code_system *system = ARENA_NEW(arena, struct code_system);
    if (system == NULL) {
        return STATUS_TOO_COSTLY;
    }
    yyjson_val *sensitive = json_get(root, "caseSensitive");
    *system = (struct code_system){.url = json_get_string(root, "url"),
                                   .version = json_get_string(root, "version"),
                                   .name = json_get_string(root, "name"),
                                   .title = json_get_string(root, "title"),
                                   .language = json_get_string(root, "language"),
                                   .status = json_get_string(root, "status"),
                                   .standards_status = standards_status(root),
                                   .supplements = json_get_string(root, "supplements"),
                                   .content = content_of(root),
                                   .experimental = yyjson_is_true(json_get(root, "experimental")),
                                   .case_sensitive = !yyjson_is_false(sensitive),
                                   .declared = json_get(root, "property")};
    system->status_property = declared_as(system->declared, "status", "status");
    system->inactive_property = declared_as(system->declared, "inactive", "inactive");
    system->abstract_property = declared_as(system->declared, "notSelectable", "notSelectable");
    struct building building = {.system = system, .arena = arena};
    if (!add_concepts(&building, json_get(root, "concept"), CODE_NONE) ||
        !table_make(system, system->count, arena)) {
        return STATUS_TOO_COSTLY;
    }
    for (uint32_t i = 0; i < system->count; i++) {
        table_put(system, i);
    }
    if (!read_properties(&building) || !rows(&building, true, &system->parents) ||
        !rows(&building, false, &system->children)) {
        return STATUS_TOO_COSTLY;
    }
    *ret_system = system;
    return STATUS_OK;
}

/* ---- stand-ins --------------------------------------------------------------------------------
 */

struct code_system *code_system_stand_in(struct arena *arena, struct slice url,
                                         struct slice version)
{
    struct code_system *system = ARENA_NEW(arena, struct code_system);
    if (system != NULL) {
        *system = (struct code_system){.url = url,
                                       .version = version,
                                       .content = CONTENT_NOT_PRESENT,
                                       .stand_in = true,
                                       .case_sensitive = true};
    }
    return system;
}

uint32_t code_system_add(struct code_system *system, struct slice code, yyjson_val *node,
                         struct arena *arena)
{
    uint32_t known = code_find(system, code);
    if (known != CODE_NONE) {
        return known;
    }
    uint32_t number = append(system, code, node, arena);
    if (number == CODE_NONE) {
        return CODE_NONE;
    }
    if (system->count * 2 > system->table_size) {
        if (!table_make(system, system->count * 2, arena)) {
            return CODE_NONE;
        }
        for (uint32_t i = 0; i < system->count; i++) {
            table_put(system, i);
        }
    } else {
        table_put(system, number);
    }
    return number;
}

/* ---- concepts ---------------------------------------------------------------------------------
 */

struct slice code_text(const struct code_system *system, uint32_t code)
{
    return system->release != NULL ? release_code(system->release, code) : system->codes[code];
}

struct slice code_display(const struct code_system *system, uint32_t code)
{
    return system->release != NULL ? release_display(system->release, code)
                                   : json_get_string(system->nodes[code], "display");
}

struct slice code_definition(const struct code_system *system, uint32_t code)
{
    return system->release != NULL ? release_definition(system->release, code)
                                   : json_get_string(system->nodes[code], "definition");
}

bool code_is(const struct code_system *system, uint32_t code, unsigned flag)
{
    if (system->release != NULL) {
        return flag == CODE_INACTIVE && release_inactive(system->release, code);
    }
    return (system->flags[code] & flag) != 0;
}

const struct designation *code_designations(const struct code_system *system, uint32_t code,
                                            struct arena *arena, size_t *ret_count)
{
    *ret_count = 0;
    if (system->release != NULL) {
        return release_designations(system->release, code, arena, ret_count);
    }
    yyjson_val *nodes = json_get(system->nodes[code], "designation");
    struct designation *all = arena_array(arena, yyjson_arr_size(nodes) + 1, sizeof *all);
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        yyjson_val *use = json_get(node, "use");
        if (all != NULL) {
            all[(*ret_count)++] =
                (struct designation){.language = json_get_string(node, "language"),
                                     .use_system = json_get_string(use, "system"),
                                     .use_code = json_get_string(use, "code"),
                                     .use_display = json_get_string(use, "display"),
                                     .value = json_get_string(node, "value"),
                                     .node = node};
        }
    }
    return all;
}

const struct property *code_properties(const struct code_system *system, uint32_t code,
                                       struct arena *arena, size_t *ret_count)
{
    *ret_count = 0;
    if (system->release != NULL) {
        return release_properties(system->release, code, arena, ret_count);
    }
    yyjson_val *nodes = json_get(system->nodes[code], "property");
    struct property *all = arena_array(arena, yyjson_arr_size(nodes) + 1, sizeof *all);
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        const char *type;
        yyjson_val *value = value_of(node, &type);
        if (all != NULL && value != NULL) {
            all[(*ret_count)++] = (struct property){.code = json_get_string(node, "code"),
                                                    .type = type,
                                                    .value = value_text(value),
                                                    .node = yyjson_is_obj(value) ? value : NULL};
        }
    }
    return all;
}

struct slice code_property_uri(const struct code_system *system, struct slice property)
{
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(system->declared, at, max, node)
    {
        if (slice_equals(json_get_string(node, "code"), property)) {
            return json_get_string(node, "uri");
        }
    }
    return (struct slice){0};
}
