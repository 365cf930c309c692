/* SPDX-License-Identifier: MIT */
#include "fhir/compile_int.h"

/* More codes than this are no list worth carrying; nor is any required binding of R4 so large. */
#define CODE_LIMIT   20000u
#define NESTED_LIMIT 8u
#define TREE_LIMIT   64u

struct code {
    struct slice code, system;
};

struct code_list {
    struct arena *arena;
    struct code *codes;
    size_t count, capacity;
};

struct code_set_memo {
    struct slice url;
    uint16_t answer;
    struct code_set_memo *next;
};

static bool list_add(struct code_list *list, struct slice code, struct slice system)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
        struct code *grown =
            arena_resize(list->arena, list->codes, list->capacity * sizeof *list->codes,
                         capacity * sizeof *list->codes);
        if (grown == NULL) {
            return false;
        }
        list->codes = grown;
        list->capacity = capacity;
    }
    list->codes[list->count++] = (struct code){code, system};
    return list->count <= CODE_LIMIT;
}

static bool list_has(const struct code_list *list, const struct code *code)
{
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equals(list->codes[i].code, code->code) &&
            slice_equals(list->codes[i].system, code->system)) {
            return true;
        }
    }
    return false;
}

/* Keeps the codes that are (KEEP) or are not in OTHER. */
static void list_filter(struct code_list *list, const struct code_list *other, bool keep)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list_has(other, &list->codes[i]) == keep) {
            list->codes[kept++] = list->codes[i];
        }
    }
    list->count = kept;
}

/* ---- code systems -----------------------------------------------------------------------------
 */

/* Does the concept name PARENT in a property? v2 and v3 tables give their tree so. */
static bool has_parent(yyjson_val *concept, struct slice parent)
{
    size_t i, max;
    yyjson_val *property;
    yyjson_arr_foreach(json_get(concept, "property"), i, max, property)
    {
        struct slice name = json_get_string(property, "code");
        if ((slice_is(name, "subsumedBy") || slice_is(name, "parent")) &&
            slice_equals(json_get_string(property, "valueCode"), parent)) {
            return true;
        }
    }
    return false;
}

struct tree_walk {
    struct code_list *list;
    struct slice system;
    struct slice top; /* empty: everything */
    bool with_top;
    bool by_property; /* a concept was taken because of a property: look again */
};

static bool already_taken(const struct tree_walk *walk, struct slice code)
{
    struct code wanted = {code, walk->system};
    return list_has(walk->list, &wanted);
}

/* INSIDE: below the top already. */
static bool take_concepts(struct tree_walk *walk, yyjson_val *concepts, bool inside, unsigned depth)
{
    size_t i, max;
    yyjson_val *concept;
    if (depth > TREE_LIMIT) {
        return false;
    }
    yyjson_arr_foreach(concepts, i, max, concept)
    {
        struct slice code = json_get_string(concept, "code");
        bool is_top = walk->top.length > 0 && slice_equals(code, walk->top);
        bool take = inside || walk->top.length == 0 || (is_top && walk->with_top) ||
                    (walk->top.length > 0 && has_parent(concept, walk->top));
        if (take && code.length > 0 && (walk->top.length == 0 || !already_taken(walk, code)) &&
            !list_add(walk->list, code, walk->system)) {
            return false;
        }
        if (!take_concepts(walk, json_get(concept, "concept"), take || is_top, depth + 1)) {
            return false;
        }
    }
    return true;
}

static yyjson_val *complete_system(const struct compiler *compiler, struct slice url)
{
    const struct source *system = source_find(&compiler->code_systems, url);
    if (system == NULL || !slice_is(json_get_string(system->root, "content"), "complete")) {
        return NULL;
    }
    return system->root;
}

static bool take_tree(struct code_list *list, yyjson_val *system, struct slice url,
                      struct slice top, bool with_top)
{
    struct tree_walk walk = {.list = list, .system = url, .top = top, .with_top = with_top};
    if (!take_concepts(&walk, json_get(system, "concept"), false, 0)) {
        return false;
    }
    if (top.length == 0) {
        return true;
    }
    /* Children named by property may have children of their own: take those of each code taken. */
    for (size_t i = 0; i < list->count; i++) {
        walk.top = list->codes[i].code;
        walk.with_top = false;
        if (!slice_equals(walk.top, top) &&
            !take_concepts(&walk, json_get(system, "concept"), false, 0)) {
            return false;
        }
    }
    return true;
}

/* ---- value sets -------------------------------------------------------------------------------
 */

static bool expand_set(const struct compiler *compiler, struct slice canonical, unsigned nested,
                       struct code_list *list);

/* One filter of an include: false when it is not one we can decide from the package. */
static bool apply_filter(struct code_list *list, yyjson_val *filter, yyjson_val *system,
                         struct slice url)
{
    struct slice operation = json_get_string(filter, "op");
    struct slice value = json_get_string(filter, "value");
    struct code_list met = {.arena = list->arena};
    struct slice property = json_get_string(filter, "property");
    if (!slice_is(property, "concept") && !slice_is(property, "code")) {
        return false;
    }
    if (slice_is(operation, "is-a") || slice_is(operation, "descendent-of")) {
        if (!take_tree(&met, system, url, value, slice_is(operation, "is-a"))) {
            return false;
        }
        list_filter(list, &met, true);
        return true;
    }
    if (slice_is(operation, "is-not-a")) {
        if (!take_tree(&met, system, url, value, true)) {
            return false;
        }
        list_filter(list, &met, false);
        return true;
    }
    if (slice_is(operation, "=") || slice_is(operation, "in")) {
        while (value.at != NULL) {
            if (!list_add(&met, slice_trim(slice_cut(&value, ',')), url)) {
                return false;
            }
        }
        list_filter(list, &met, true);
        return true;
    }
    return false;
}

/* The codes of one include or exclude that come from its system. */
static bool take_from_system(const struct compiler *compiler, yyjson_val *part,
                             struct code_list *list)
{
    struct slice url = json_get_string(part, "system");
    yyjson_val *listed = json_get(part, "concept");
    size_t i, max;
    yyjson_val *each;
    if (yyjson_arr_size(listed) > 0) {
        yyjson_arr_foreach(listed, i, max, each)
        {
            if (!list_add(list, json_get_string(each, "code"), url)) {
                return false;
            }
        }
        return true;
    }
    yyjson_val *system = complete_system(compiler, url);
    if (system == NULL || !take_tree(list, system, url, (struct slice){NULL, 0}, true)) {
        return false;
    }
    yyjson_arr_foreach(json_get(part, "filter"), i, max, each)
    {
        if (!apply_filter(list, each, system, url)) {
            return false;
        }
    }
    return true;
}

static bool take_part(const struct compiler *compiler, yyjson_val *part, unsigned nested,
                      struct code_list *list)
{
    struct code_list own = {.arena = list->arena};
    bool started = json_get_string(part, "system").length > 0;
    if (started && !take_from_system(compiler, part, &own)) {
        return false;
    }
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(part, "valueSet"), i, max, each)
    {
        struct code_list other = {.arena = list->arena};
        if (!expand_set(compiler, json_string(each), nested + 1, &other)) {
            return false;
        }
        if (started) {
            list_filter(&own, &other, true);
        } else {
            own = other;
            started = true;
        }
    }
    for (size_t code = 0; code < own.count; code++) {
        if (!list_add(list, own.codes[code].code, own.codes[code].system)) {
            return false;
        }
    }
    return started;
}

static bool expand_set(const struct compiler *compiler, struct slice canonical, unsigned nested,
                       struct code_list *list)
{
    const struct source *set = source_find(&compiler->value_sets, canonical);
    yyjson_val *compose = set != NULL ? json_get(set->root, "compose") : NULL;
    if (compose == NULL || nested > NESTED_LIMIT) {
        return false;
    }
    size_t i, max;
    yyjson_val *part;
    yyjson_arr_foreach(json_get(compose, "include"), i, max, part)
    {
        if (!take_part(compiler, part, nested, list)) {
            return false;
        }
    }
    struct code_list excluded = {.arena = list->arena};
    yyjson_arr_foreach(json_get(compose, "exclude"), i, max, part)
    {
        if (!take_part(compiler, part, nested, &excluded)) {
            return false;
        }
    }
    list_filter(list, &excluded, false);
    return true;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static uint16_t add_code_set(struct compiler *compiler, struct slice url,
                             const struct code_list *list)
{
    uint32_t size = 4;
    while (size < list->count * 2) {
        size *= 2;
    }
    uint32_t first, number;
    if (table_add(compiler, BLOB_CODES, sizeof(struct code_row), size, &first) == NULL) {
        return 0;
    }
    uint32_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct code *code = &list->codes[i];
        struct code_row row = {compile_text(compiler, code->code),
                               compile_text(compiler, code->system)};
        struct code_row *rows = TABLE_ROW(compiler, BLOB_CODES, struct code_row, first);
        uint32_t slot = name_hash(code->code.at, code->code.length, 0) & (size - 1);
        while (rows[slot].code.length > 0 && memcmp(&rows[slot], &row, sizeof row) != 0) {
            slot = (slot + 1) & (size - 1);
        }
        count += rows[slot].code.length == 0;
        rows[slot] = row;
    }
    struct text_row text = compile_text(compiler, url);
    struct code_set_row *set = table_add(compiler, BLOB_CODE_SETS, sizeof *set, 1, &number);
    if (set == NULL || number >= UINT16_MAX) {
        return 0;
    }
    *set = (struct code_set_row){
        .url = text, .first_slot = first, .slot_mask = size - 1, .count = count};
    return (uint16_t)(number + 1);
}

uint16_t compile_code_set(struct compiler *compiler, struct slice canonical)
{
    struct slice url = slice_head(canonical, slice_index(canonical, '|'));
    for (struct code_set_memo *memo = compiler->code_sets; memo != NULL; memo = memo->next) {
        if (slice_equals(memo->url, url)) {
            return memo->answer;
        }
    }
    struct code_set_memo *memo = ARENA_NEW(compiler->arena, struct code_set_memo);
    struct arena *scratch = arena_create(0);
    if (memo == NULL || scratch == NULL) {
        arena_destroy(scratch);
        arena_fail(compiler->arena);
        return 0;
    }
    struct code_list list = {.arena = scratch};
    memo->url = url;
    if (expand_set(compiler, url, 0, &list) && list.count > 0) {
        memo->answer = add_code_set(compiler, url, &list);
    }
    memo->next = compiler->code_sets;
    compiler->code_sets = memo;
    arena_destroy(scratch);
    return memo->answer;
}
