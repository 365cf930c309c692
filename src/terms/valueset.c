/* SPDX-License-Identifier: MIT */
/* Value sets, compiled (R4 valueset.html, "Composition Rules"): each include and exclude becomes a
 * bitmap over its code system, and all together one bitmap a code system. What cannot be known -
 * a system or a value set that is not loaded - is marked, never guessed. */
#include <roaring/roaring.h>

#include "terms/terms_int.h"

static const struct slice nothing = {0};

/* What one compiled value set may take, bitmaps apart. */
#define SET_BYTES ((size_t)256 << 20)

struct slice value_set_name(const struct value_set *set, struct arena *arena)
{
    return set->url.length == 0 ? SLICE("(unidentified)")
                                : canonical_join(arena, set->url, set->version);
}

const struct code_set *value_set_part(const struct value_set *set, const struct code_system *system)
{
    for (size_t i = 0; i < set->set_count; i++) {
        if (set->sets[i].system == system) {
            return &set->sets[i];
        }
    }
    return NULL;
}

yyjson_val *value_set_listed(const struct value_set *set, const struct code_system *system,
                             uint32_t code)
{
    for (size_t i = 0; i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        if (include->listed_count > 0 && include->system == system &&
            roaring_bitmap_contains(include->codes, code)) {
            size_t at, max;
            yyjson_val *concept;
            yyjson_arr_foreach(json_get(include->node, "concept"), at, max, concept)
            {
                if (code_find(system, json_get_string(concept, "code")) == code) {
                    return concept;
                }
            }
        }
        for (size_t j = 0; j < include->import_count; j++) {
            yyjson_val *found = value_set_listed(include->imports[j], system, code);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

/* ---- one include ------------------------------------------------------------------------------
 */

static struct slice filter_path(struct scope *scope, const struct include *include, size_t number)
{
    /* Which include it is only its place in the array tells. */
    return slice_text(
        arena_print(scope->arena, "%.*s.filter[%zu]", SLICE_ARGS(include->missing), number));
}

static enum status apply_filters(struct scope *scope, const struct include *include,
                                 const struct code_system *system, roaring_bitmap_t *codes)
{
    size_t at, max;
    yyjson_val *filter;
    yyjson_arr_foreach(json_get(include->node, "filter"), at, max, filter)
    {
        roaring_bitmap_t *selected;
        TRY(filter_apply(scope, system, filter, filter_path(scope, include, at), &selected));
        roaring_bitmap_and_inplace(codes, selected);
    }
    return STATUS_OK;
}

enum status include_codes(struct scope *scope, const struct include *include,
                          const struct code_system *system, roaring_bitmap_t **ret_codes)
{
    yyjson_val *concepts = json_get(include->node, "concept");
    roaring_bitmap_t *codes =
        concepts != NULL ? bitmap_make(scope->arena) : bitmap_all(system, scope->arena);
    *ret_codes = codes;
    if (codes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t at, max;
    yyjson_val *concept;
    yyjson_arr_foreach(concepts, at, max, concept)
    {
        uint32_t code = code_find(system, json_get_string(concept, "code"));
        if (code != CODE_NONE) {
            roaring_bitmap_add(codes, code);
        }
    }
    return apply_filters(scope, include, system, codes);
}

static enum status note_listed(struct scope *scope, struct include *include)
{
    yyjson_val *concepts = json_get(include->node, "concept");
    uint32_t *listed = arena_array(scope->arena, yyjson_arr_size(concepts) + 1, sizeof *listed);
    if (listed == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t at, max;
    yyjson_val *concept;
    yyjson_arr_foreach(concepts, at, max, concept)
    {
        uint32_t code = code_find(include->system, json_get_string(concept, "code"));
        if (code != CODE_NONE) {
            listed[include->listed_count++] = code;
        }
    }
    include->listed = listed;
    return STATUS_OK;
}

static struct code_system *stand_in(struct scope *scope, struct slice url, struct slice version)
{
    for (size_t i = 0; i < scope->stand_in_count; i++) {
        if (slice_equals(scope->stand_ins[i]->url, url)) {
            return scope->stand_ins[i];
        }
    }
    struct code_system *made = scope->stand_in_count < SCOPE_MOST
                                   ? code_system_stand_in(scope->arena, url, version)
                                   : NULL;
    if (made != NULL) {
        scope->stand_ins[scope->stand_in_count++] = made;
    }
    return made;
}

/* A code system that is not loaded: what the value set lists of it is still known. */
static enum status include_unknown(struct scope *scope, struct include *include)
{
    bool known;
    (void)scope_versions(scope, include->url, &known);
    include->state = known && include->version.asked.length > 0 ? INCLUDE_UNKNOWN_VERSION
                                                                : INCLUDE_UNKNOWN_SYSTEM;
    include->missing = include->url;
    yyjson_val *concepts = json_get(include->node, "concept");
    if (yyjson_arr_size(concepts) == 0) {
        return STATUS_OK;
    }
    struct code_system *system = stand_in(scope, include->url, include->version.asked);
    roaring_bitmap_t *codes = bitmap_make(scope->arena);
    if (system == NULL || codes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t at, max;
    yyjson_val *concept;
    yyjson_arr_foreach(concepts, at, max, concept)
    {
        uint32_t code =
            code_system_add(system, json_get_string(concept, "code"), concept, scope->arena);
        if (code == CODE_NONE) {
            return STATUS_TOO_COSTLY;
        }
        roaring_bitmap_add(codes, code);
    }
    include->system = system;
    include->codes = codes;
    return note_listed(scope, include);
}

static enum status include_system(struct scope *scope, struct include *include)
{
    include->version = scope_asked(scope, include->url, json_get_string(include->node, "version"));
    const struct code_system *system = scope_system(scope, include->url, include->version.asked);
    /* What a value set lists itself may be more than is known of a system in part. */
    if (system == NULL || (system->listed && json_get(include->node, "concept") != NULL)) {
        return include_unknown(scope, include);
    }
    enum status status = include_codes(scope, include, system, &include->codes);
    if (status == STATUS_INVALID || status == STATUS_NOT_SUPPORTED) {
        include->state = INCLUDE_UNUSABLE;
        include->missing = nothing;
        include->codes = NULL;
        return STATUS_OK;
    }
    TRY(status);
    include->system = system;
    include->missing = nothing;
    return note_listed(scope, include);
}

static enum status include_imports(struct scope *scope, struct include *include)
{
    yyjson_val *names = json_get(include->node, "valueSet");
    include->imports =
        arena_array(scope->arena, yyjson_arr_size(names) + 1, sizeof *include->imports);
    if (include->imports == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t at, max;
    yyjson_val *name;
    yyjson_arr_foreach(names, at, max, name)
    {
        uint64_t serial;
        yyjson_val *root = scope_value_set(scope, json_string(name), &serial);
        if (root == NULL) {
            include->state = INCLUDE_UNKNOWN_SET;
            include->missing = json_string(name);
            continue;
        }
        TRY(value_set_compile(scope, root, &include->imports[include->import_count]));
        include->import_count++;
    }
    return STATUS_OK;
}

static enum status include_make(struct scope *scope, yyjson_val *node, const char *kind,
                                size_t number, struct include *include)
{
    *include = (struct include){.node = node, .url = json_get_string(node, "system")};
    include->whole = json_get(node, "concept") == NULL && json_get(node, "filter") == NULL;
    include->missing =
        slice_text(arena_print(scope->arena, "ValueSet.compose.%s[%zu]", kind, number));
    if (include->url.length > 0) {
        TRY(include_system(scope, include));
    } else {
        include->missing = nothing;
    }
    return include_imports(scope, include);
}

/* ---- all together -----------------------------------------------------------------------------
 */

struct sets {
    struct code_set *list;
    size_t count, capacity;
};

static struct code_set *sets_find(struct sets *sets, const struct code_system *system)
{
    for (size_t i = 0; i < sets->count; i++) {
        if (sets->list[i].system == system) {
            return &sets->list[i];
        }
    }
    return NULL;
}

static enum status sets_add(struct scope *scope, struct sets *sets,
                            const struct code_system *system, const roaring_bitmap_t *codes)
{
    struct code_set *set = sets_find(sets, system);
    if (set != NULL) {
        roaring_bitmap_or_inplace(set->codes, codes);
        return STATUS_OK;
    }
    if (sets->count == sets->capacity) {
        size_t to = sets->capacity == 0 ? 4 : sets->capacity * 2;
        struct code_set *list = arena_resize(scope->arena, sets->list,
                                             sets->capacity * sizeof *list, to * sizeof *list);
        if (list == NULL) {
            return STATUS_TOO_COSTLY;
        }
        sets->list = list;
        sets->capacity = to;
    }
    roaring_bitmap_t *copy = bitmap_copy(codes, scope->arena);
    if (copy == NULL) {
        return STATUS_TOO_COSTLY;
    }
    sets->list[sets->count++] = (struct code_set){system, copy};
    return STATUS_OK;
}

static void keep_common(struct sets *sets, const struct value_set *import)
{
    for (size_t i = 0; i < sets->count; i++) {
        const struct code_set *part = value_set_part(import, sets->list[i].system);
        if (part != NULL) {
            roaring_bitmap_and_inplace(sets->list[i].codes, part->codes);
        } else {
            roaring_bitmap_clear(sets->list[i].codes);
        }
    }
}

/* What one include (or exclude) selects in all. */
static enum status include_sets(struct scope *scope, const struct include *include,
                                struct sets *ret_sets)
{
    size_t first = 0;
    *ret_sets = (struct sets){0};
    if (include->url.length > 0) {
        if (include->codes == NULL) {
            return STATUS_OK;
        }
        TRY(sets_add(scope, ret_sets, include->system, include->codes));
    } else if (include->import_count > 0) {
        const struct value_set *import = include->imports[first++];
        for (size_t i = 0; i < import->set_count; i++) {
            TRY(sets_add(scope, ret_sets, import->sets[i].system, import->sets[i].codes));
        }
    }
    for (size_t i = first; i < include->import_count; i++) {
        keep_common(ret_sets, include->imports[i]);
    }
    return STATUS_OK;
}

static bool include_is_open(const struct include *include)
{
    bool open = include->state == INCLUDE_UNKNOWN_SET || include->state == INCLUDE_UNUSABLE ||
                (include->state != INCLUDE_KNOWN && include->listed_count == 0) ||
                (include->system != NULL && !include->system->stand_in &&
                 include->system->content != CONTENT_COMPLETE && include->listed_count == 0);
    for (size_t i = 0; i < include->import_count; i++) {
        open |= include->imports[i]->open;
    }
    return open;
}

static void note_include(struct value_set *set, const struct include *include)
{
    set->open |= include_is_open(include);
    set->unusable |= include->state == INCLUDE_UNUSABLE;
    for (size_t i = 0; i < include->import_count; i++) {
        set->unusable |= include->imports[i]->unusable;
    }
}

/* Takes the codes of TAKEN out of SET, whose system is another version of the same. */
static void take_out_by_text(struct code_set *set, const struct code_set *taken,
                             struct arena *arena)
{
    size_t count;
    const uint32_t *codes = bitmap_list(taken->codes, arena, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t code = code_find(set->system, code_text(taken->system, codes[i]));
        if (code != CODE_NONE) {
            roaring_bitmap_remove(set->codes, code);
        }
    }
}

/* An exclude of a version that no include has can only mean the codes, whatever their version;
 * unless the question says that versions have to match. */
static void take_out(struct scope *scope, struct sets *sets, const struct code_set *taken)
{
    struct code_set *same = sets_find(sets, taken->system);
    if (same != NULL) {
        roaring_bitmap_andnot_inplace(same->codes, taken->codes);
    }
    bool cross = scope->versions_match_given ? scope->versions_match : same == NULL;
    for (size_t i = 0; cross && i < sets->count; i++) {
        if (sets->list[i].system != taken->system &&
            slice_equals(sets->list[i].system->url, taken->system->url)) {
            take_out_by_text(&sets->list[i], taken, scope->arena);
            scope->crossed = true;
        }
    }
}

static void drop_inactive(struct code_set *set, struct arena *arena)
{
    size_t count;
    const uint32_t *codes = bitmap_list(set->codes, arena, &count);
    for (size_t i = 0; i < count; i++) {
        if (code_is(set->system, codes[i], CODE_INACTIVE)) {
            roaring_bitmap_remove(set->codes, codes[i]);
        }
    }
}

static enum status join(struct scope *scope, struct value_set *set)
{
    struct sets all = {0}, some;
    for (size_t i = 0; i < set->include_count; i++) {
        TRY(include_sets(scope, &set->includes[i], &some));
        for (size_t j = 0; j < some.count; j++) {
            TRY(sets_add(scope, &all, some.list[j].system, some.list[j].codes));
        }
        note_include(set, &set->includes[i]);
    }
    for (size_t i = 0; i < set->exclude_count; i++) {
        TRY(include_sets(scope, &set->excludes[i], &some));
        for (size_t j = 0; j < some.count; j++) {
            take_out(scope, &all, &some.list[j]);
        }
        note_include(set, &set->excludes[i]);
    }
    for (size_t i = 0; set->active_only && i < all.count; i++) {
        drop_inactive(&all.list[i], scope->arena);
    }
    set->sets = all.list;
    set->set_count = all.count;
    return arena_full(scope->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- from an expansion ------------------------------------------------------------------------
 */

static enum status take_contains(struct scope *scope, struct sets *sets, yyjson_val *contains)
{
    size_t at, max;
    yyjson_val *entry;
    yyjson_arr_foreach(contains, at, max, entry)
    {
        struct slice url = json_get_string(entry, "system"), code = json_get_string(entry, "code");
        const struct code_system *system =
            scope_system(scope, url, json_get_string(entry, "version"));
        uint32_t number = system != NULL ? code_find(system, code) : CODE_NONE;
        if (number == CODE_NONE && url.length > 0 && code.length > 0) {
            struct code_system *other = stand_in(scope, url, json_get_string(entry, "version"));
            number = other != NULL ? code_system_add(other, code, entry, scope->arena) : CODE_NONE;
            system = other;
        }
        if (number != CODE_NONE && !yyjson_is_true(json_get(entry, "abstract"))) {
            roaring_bitmap_t *one = roaring_bitmap_of(1, number);
            enum status status = sets_add(scope, sets, system, one);
            roaring_bitmap_free(one);
            TRY(status);
        }
        TRY(take_contains(scope, sets, json_get(entry, "contains")));
    }
    return STATUS_OK;
}

/* Without a definition, an expansion that came with the value set tells what is in it. */
static enum status use_expansion(struct scope *scope, struct value_set *set)
{
    struct sets sets = {0};
    yyjson_val *contains = json_get(json_get(set->root, "expansion"), "contains");
    set->open = contains == NULL;
    TRY(take_contains(scope, &sets, contains));
    set->sets = sets.list;
    set->set_count = sets.count;
    set->enumerated = true;
    return STATUS_OK;
}

/* ---- compiling --------------------------------------------------------------------------------
 */

static enum status make_all(struct scope *scope, yyjson_val *nodes, const char *kind,
                            struct include **ret_includes, size_t *ret_count)
{
    struct include *all = arena_array(scope->arena, yyjson_arr_size(nodes) + 1, sizeof *all);
    if (all == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t at, max;
    yyjson_val *node;
    *ret_includes = all;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        if (scope_late(scope)) {
            return STATUS_TOO_COSTLY;
        }
        TRY(include_make(scope, node, kind, at, &all[at]));
        *ret_count = at + 1;
    }
    return STATUS_OK;
}

static bool is_enumerated(const struct value_set *set)
{
    for (size_t i = 0; i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        if (include->url.length > 0 ? include->listed_count == 0 : include->import_count == 0) {
            return false;
        }
        for (size_t j = 0; include->url.length == 0 && j < include->import_count; j++) {
            if (!include->imports[j]->enumerated) {
                return false;
            }
        }
    }
    return true;
}

static void add_contained(struct scope *scope, yyjson_val *root)
{
    size_t at, max;
    yyjson_val *inside;
    yyjson_arr_foreach(json_get(root, "contained"), at, max, inside)
    {
        if (scope->guest_count < SCOPE_MOST) {
            struct slice id = json_get_string(inside, "id");
            scope->guests[scope->guest_count++] = (struct guest){
                .type = json_get_string(inside, "resourceType"),
                .url = json_get_string(inside, "url"),
                .version = json_get_string(inside, "version"),
                .fragment = slice_text(arena_print(scope->arena, "#%.*s", SLICE_ARGS(id))),
                .root = inside};
        }
    }
}

static enum status compile(struct scope *scope, struct value_set *set)
{
    yyjson_val *compose = json_get(set->root, "compose");
    if (json_get(compose, "include") == NULL) {
        return use_expansion(scope, set);
    }
    set->active_only = yyjson_is_false(json_get(compose, "inactive"));
    struct slice match = expansion_parameter(set->root, "versionsMatch");
    if (scope->depth == 1) {
        scope->versions_match_given = match.length > 0;
        scope->versions_match = slice_is(match, "true");
        scope->crossed = false;
        set->merged = scope->versions_match;
    }
    size_t guests = scope->guest_count;
    add_contained(scope, set->root);
    TRY(make_all(scope, json_get(compose, "include"), "include", &set->includes,
                 &set->include_count));
    TRY(make_all(scope, json_get(compose, "exclude"), "exclude", &set->excludes,
                 &set->exclude_count));
    scope->guest_count = guests;
    set->enumerated = is_enumerated(set);
    enum status status = join(scope, set);
    set->crossed = scope->crossed;
    return status;
}

enum status value_set_compile(struct scope *scope, yyjson_val *root, struct value_set **ret_set)
{
    struct value_set *set = ARENA_NEW(scope->arena, struct value_set);
    if (set == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *set = (struct value_set){.url = json_get_string(root, "url"),
                              .version = json_get_string(root, "version"),
                              .name = json_get_string(root, "name"),
                              .root = root};
    for (size_t i = 0; i < scope->depth; i++) {
        if (scope->compiling[i] == root) {
            problem_add(&scope->problems, MESSAGE_CYCLE, nothing,
                        value_set_name(set, scope->arena));
            return STATUS_INVALID;
        }
    }
    if (scope->depth == sizeof scope->compiling / sizeof scope->compiling[0]) {
        problem_add(&scope->problems, MESSAGE_SETS_TOO_DEEP, nothing,
                    value_set_name(set, scope->arena));
        return STATUS_TOO_COSTLY;
    }
    if (++scope->compiled > SCOPE_SETS_MOST) {
        problem_add(&scope->problems, MESSAGE_SETS_TOO_MANY, nothing,
                    canonical_join(scope->arena, json_get_string(scope->compiling[0], "url"),
                                   json_get_string(scope->compiling[0], "version")));
        return STATUS_TOO_COSTLY;
    }
    scope->compiling[scope->depth++] = root;
    enum status status = compile(scope, set);
    scope->depth--;
    *ret_set = set;
    return status;
}

/* ---- by name ----------------------------------------------------------------------------------
 */

static enum status compile_named(struct scope *scope, struct slice canonical,
                                 struct value_set **ret_set)
{
    uint64_t serial;
    yyjson_val *root = scope_value_set(scope, canonical, &serial);
    if (root == NULL) {
        root = implicit_value_set(canonical, scope->arena);
    }
    if (root == NULL) {
        return STATUS_NOT_FOUND;
    }
    TRY(scope_supplements(scope, root));
    TRY(value_set_compile(scope, root, ret_set));
    (*ret_set)->serial = serial;
    return STATUS_OK;
}

static enum status compile_shared(struct scope *asking, struct slice canonical,
                                  const struct value_set **ret_set)
{
    struct arena *own = arena_create(SET_BYTES);
    struct scope *scope = own != NULL ? ARENA_NEW(own, struct scope) : NULL;
    if (scope == NULL) {
        arena_destroy(own);
        return STATUS_MEMORY;
    }
    scope_begin(scope, asking->terms, own);
    uint64_t generation = conformance_generation(shelf_conformance(scope->terms));
    struct value_set *set;
    enum status status = compile_named(scope, arena_copy(own, canonical), &set);
    if (status != STATUS_OK) {
        arena_destroy(own);
        return status;
    }
    set->own = own;
    *ret_set = shelf_put(scope->terms, canonical, set, generation, asking->arena);
    return *ret_set != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status scope_compiled(struct scope *scope, struct slice canonical,
                           const struct value_set **ret_set)
{
    struct value_set *set;
    enum status status;
    if (scope_is_plain(scope)) {
        *ret_set = shelf_set(scope->terms, canonical, scope->arena);
        status = *ret_set != NULL ? STATUS_OK : compile_shared(scope, canonical, ret_set);
        if (status == STATUS_NOT_FOUND || scope->quiet ||
            (status == STATUS_OK && !(*ret_set)->unusable)) {
            return status;
        }
        /* Once more, for the problems to be told to who asks. */
    }
    status = compile_named(scope, canonical, &set);
    *ret_set = status == STATUS_OK ? set : NULL;
    return status;
}
