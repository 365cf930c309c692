/* SPDX-License-Identifier: MIT */
/* $expand (R4 valueset-operation-expand): the codes of a value set, page by page. */
#include <roaring/roaring.h>

#include "terms/expand.h"

static const struct slice nothing = {0};

/* ---- may it be expanded? ----------------------------------------------------------------------
 */

static void check_include(struct expansion *expansion, const struct include *include)
{
    struct problems *problems = &expansion->question->scope->problems;
    bool known;
    if (include->state == INCLUDE_UNKNOWN_SET) {
        problem_add(problems, MESSAGE_VALUE_SET_MISSING, nothing, include->missing);
    } else if (include->state == INCLUDE_UNKNOWN_VERSION && include->listed_count == 0) {
        struct slice versions = scope_versions(expansion->question->scope, include->url, &known);
        problem_add(problems, MESSAGE_VERSION_UNKNOWN_EXPANDING, nothing, include->url,
                    include->version.asked, versions);
    } else if (include->state == INCLUDE_UNKNOWN_SYSTEM && include->listed_count == 0) {
        problem_add(problems, MESSAGE_SYSTEM_UNKNOWN_EXPANDING, nothing, include->url);
    } else if (include->system != NULL && !include->system->stand_in &&
               !version_matches(include->version.check, include->system->version)) {
        problem_add(problems, MESSAGE_VERSION_NOT_ALLOWED, nothing, include->system->version,
                    include->url, include->version.check);
    }
}

static void check_set(struct expansion *expansion, const struct value_set *set)
{
    for (size_t i = 0; i < set->include_count + set->exclude_count; i++) {
        const struct include *include =
            i < set->include_count ? &set->includes[i] : &set->excludes[i - set->include_count];
        if (scope_late(expansion->question->scope)) {
            return;
        }
        check_include(expansion, include);
        for (size_t j = 0; j < include->import_count; j++) {
            check_set(expansion, include->imports[j]);
        }
    }
}

/* ---- which codes ------------------------------------------------------------------------------
 */

static bool contains_word(struct slice text, struct slice word)
{
    for (size_t i = 0; i + word.length <= text.length; i++) {
        if (slice_equals_ignoring_case(slice_of(text.at + i, word.length), word)) {
            return true;
        }
    }
    return word.length == 0;
}

/* Every word of the filter is in the display or the code. */
static bool fits_filter(const struct expansion *expansion, const struct item *item)
{
    struct slice rest = slice_trim(expansion->filter);
    if (rest.length == 0) {
        return true;
    }
    struct slice shown =
        display_for(expansion->question, item->system, item->code, item->listed).text;
    while (rest.at != NULL) {
        struct slice word = slice_trim(slice_cut(&rest, ' '));
        if (!contains_word(shown, word) &&
            !contains_word(code_text(item->system, item->code), word)) {
            return false;
        }
    }
    return true;
}

/* Of versions that count as one, only the newest stays. */
static bool merge(struct expansion *expansion, const struct item *item)
{
    struct slice code = code_text(item->system, item->code);
    for (size_t i = 0; expansion->set->merged && i < expansion->count; i++) {
        struct item *old = &expansion->items[i];
        if (old->system != item->system && slice_equals(old->system->url, item->system->url) &&
            slice_equals(code_text(old->system, old->code), code)) {
            if (version_compare(item->system->version, old->system->version) > 0) {
                *old = *item;
            }
            return true;
        }
    }
    return false;
}

static bool add_item(struct expansion *expansion, const struct code_system *system, uint32_t code,
                     yyjson_val *listed)
{
    struct seen *seen = NULL;
    for (size_t i = 0; i < expansion->set->set_count; i++) {
        if (expansion->seen[i].set->system == system) {
            seen = &expansion->seen[i];
        }
    }
    if (seen == NULL || !roaring_bitmap_contains(seen->set->codes, code) ||
        !roaring_bitmap_add_checked(seen->codes, code)) {
        return true;
    }
    struct item item = {system, code, listed};
    if ((expansion->active_only && code_is(system, code, CODE_INACTIVE)) ||
        !fits_filter(expansion, &item) || merge(expansion, &item)) {
        return true;
    }
    if (expansion->count == expansion->capacity) {
        size_t to = expansion->capacity == 0 ? 64 : expansion->capacity * 2;
        struct item *items = arena_resize(expansion->question->arena, expansion->items,
                                          expansion->capacity * sizeof *items, to * sizeof *items);
        if (items == NULL) {
            return false;
        }
        expansion->items = items;
        expansion->capacity = to;
    }
    expansion->items[expansion->count++] = item;
    return true;
}

static bool add_listed(struct expansion *expansion, const struct include *include)
{
    size_t at, max;
    yyjson_val *concept;
    yyjson_arr_foreach(json_get(include->node, "concept"), at, max, concept)
    {
        uint32_t code = code_find(include->system, json_get_string(concept, "code"));
        if (code != CODE_NONE && !add_item(expansion, include->system, code, concept)) {
            return false;
        }
    }
    return true;
}

static bool add_bitmap(struct expansion *expansion, const struct code_system *system,
                       const roaring_bitmap_t *codes)
{
    size_t count;
    const uint32_t *list = bitmap_list(codes, expansion->question->arena, &count);
    for (size_t i = 0; i < count; i++) {
        if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && scope_late(expansion->question->scope)) {
            return false;
        }
        if (!add_item(expansion, system, list[i], NULL)) {
            return false;
        }
    }
    return list != NULL;
}

static bool add_set(struct expansion *expansion, const struct value_set *set)
{
    for (size_t i = 0; i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        bool whole = true;
        if (include->listed_count > 0) {
            whole = add_listed(expansion, include);
        } else if (include->codes != NULL) {
            whole = add_bitmap(expansion, include->system, include->codes);
        } else if (include->import_count > 0) {
            whole = add_set(expansion, include->imports[0]);
        }
        if (!whole) {
            return false;
        }
    }
    for (size_t i = 0; set->include_count == 0 && i < set->set_count; i++) {
        if (!add_bitmap(expansion, set->sets[i].system, set->sets[i].codes)) {
            return false;
        }
    }
    return true;
}

static enum status collect(struct expansion *expansion)
{
    const struct value_set *set = expansion->set;
    expansion->seen =
        arena_array(expansion->question->arena, set->set_count + 1, sizeof *expansion->seen);
    for (size_t i = 0; expansion->seen != NULL && i < set->set_count; i++) {
        expansion->seen[i] = (struct seen){&set->sets[i], bitmap_make(expansion->question->arena)};
        if (expansion->seen[i].codes == NULL) {
            return STATUS_TOO_COSTLY;
        }
    }
    return expansion->seen != NULL && add_set(expansion, set) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* Is a page just a stretch of one bitmap? */
static bool is_plain_page(const struct expansion *expansion)
{
    const struct value_set *set = expansion->set;
    return expansion->count_given && slice_trim(expansion->filter).length == 0 &&
           !expansion->active_only && !set->merged && set->set_count == 1 &&
           set->include_count == 1 && set->includes[0].codes != NULL &&
           set->includes[0].listed_count == 0 && set->includes[0].system == set->sets[0].system;
}

/* The codes of a page alone, counted off; the whole is not gone through. */
static enum status collect_page(struct expansion *expansion)
{
    const struct code_set *codes = &expansion->set->sets[0];
    size_t all = (size_t)roaring_bitmap_get_cardinality(codes->codes);
    size_t from = expansion->page_offset < all ? expansion->page_offset : all;
    size_t count = expansion->page_count < all - from ? expansion->page_count : all - from;
    struct arena *arena = expansion->question->arena;
    uint32_t *list = arena_array(arena, count + 1, sizeof *list);
    expansion->items = arena_array(arena, count + 1, sizeof *expansion->items);
    if (expansion->items == NULL ||
        !roaring_bitmap_range_uint32_array(codes->codes, from, count, list)) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        expansion->items[i] = (struct item){.system = codes->system, .code = list[i]};
    }
    expansion->first = from;
    expansion->count = all;
    return STATUS_OK;
}

/* ---- the nesting ------------------------------------------------------------------------------
 */

/* The item that NUMBER stands under: its nearest ancestor among the items. */
static void nest(struct expansion *expansion)
{
    for (size_t i = 0; i < expansion->count; i++) {
        struct item *item = &expansion->items[i];
        const struct edges *parents = &item->system->parents;
        uint32_t at = item->code;
        item->parent = SIZE_MAX;
        /* As many steps as there are concepts: a cycle ends. */
        for (uint32_t steps = 0; parents->at != NULL && steps < item->system->count; steps++) {
            if (parents->at[at] == parents->at[at + 1]) {
                break;
            }
            at = parents->to[parents->at[at]];
            size_t found = item_find(expansion, item->system, at);
            if (found != SIZE_MAX && found != i) {
                item->parent = found;
                break;
            }
        }
    }
    for (size_t i = expansion->count; i-- > 0;) {
        struct item *item = &expansion->items[i];
        size_t *first = item->parent != SIZE_MAX ? &expansion->items[item->parent].child
                                                 : &expansion->first_root;
        item->next = *first;
        *first = i + 1;
    }
}

size_t item_find(const struct expansion *expansion, const struct code_system *system, uint32_t code)
{
    if (!expansion->by_code_ready) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < expansion->set->set_count; i++) {
        if (expansion->set->sets[i].system == system && expansion->by_code[i] != NULL) {
            uint32_t found = expansion->by_code[i][code];
            return found == 0 ? SIZE_MAX : found - 1;
        }
    }
    return SIZE_MAX;
}

/* From code to item, for systems that nest. */
static enum status index_items(struct expansion *expansion)
{
    size_t sets = expansion->set->set_count;
    expansion->by_code =
        arena_array(expansion->question->arena, sets + 1, sizeof *expansion->by_code);
    if (expansion->by_code == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < sets; i++) {
        const struct code_system *system = expansion->set->sets[i].system;
        if (system->parents.at == NULL || system->release != NULL) {
            continue;
        }
        expansion->by_code[i] =
            arena_array(expansion->question->arena, (size_t)system->count + 1, sizeof(uint32_t));
        if (expansion->by_code[i] == NULL) {
            return STATUS_TOO_COSTLY;
        }
        for (size_t j = 0; j < expansion->count; j++) {
            if (expansion->items[j].system == system) {
                expansion->by_code[i][expansion->items[j].code] = (uint32_t)j + 1;
            }
        }
    }
    expansion->by_code_ready = true;
    nest(expansion);
    return STATUS_OK;
}

/* ---- paging -----------------------------------------------------------------------------------
 */

static enum status read_number(struct question *question, const char *name, size_t otherwise,
                               size_t *ret_number, bool *ret_given)
{
    struct slice text = question_text(question, name);
    uint64_t number;
    *ret_number = otherwise;
    *ret_given = text.length > 0;
    if (text.length == 0) {
        return STATUS_OK;
    }
    if (!slice_to_unsigned(text, INT32_MAX, &number)) {
        problem_add(&question->scope->problems, MESSAGE_UNUSABLE, nothing, slice_text(name),
                    SLICE("give a whole number from 0"));
        return STATUS_INVALID;
    }
    *ret_number = (size_t)number;
    return STATUS_OK;
}

static enum status limit(struct expansion *expansion)
{
    struct question *question = expansion->question;
    uint32_t most = question->asked->expansion_most;
    most = most == 0 ? TERMS_EXPANSION_MOST : most;
    if (!expansion->count_given && expansion->count > most) {
        problem_add(&question->scope->problems, MESSAGE_TOO_COSTLY, nothing,
                    value_set_name(expansion->set, question->arena),
                    slice_text(arena_print(question->arena, "%u", most)));
        return STATUS_TOO_COSTLY;
    }
    return STATUS_OK;
}

static enum status read_wishes(struct expansion *expansion)
{
    struct question *question = expansion->question;
    TRY(read_number(question, "count", SIZE_MAX, &expansion->page_count, &expansion->count_given));
    TRY(read_number(question, "offset", 0, &expansion->page_offset, &expansion->offset_given));
    if (question_text(question, "exclude-system").length > 0) { /* never a wider answer */
        problem_add(&question->scope->problems, MESSAGE_UNUSABLE, nothing, SLICE("exclude-system"),
                    SLICE("it is not supported, exclude the system in the value set"));
        return STATUS_INVALID;
    }
    expansion->filter = question_text(question, "filter");
    expansion->active_only = question_flag(question, "activeOnly", false);
    expansion->designations = question_flag(question, "includeDesignations", false);
    expansion->definition = question_flag(question, "includeDefinition", false);
    return STATUS_OK;
}

enum status expand_answer(struct question *question, struct buffer *out)
{
    struct expansion *expansion = ARENA_NEW(question->arena, struct expansion);
    if (expansion == NULL) {
        return STATUS_TOO_COSTLY;
    }
    expansion->question = question;
    TRY(read_wishes(expansion));
    TRY(question_value_set(question, &expansion->set));
    question_set_languages(question, expansion->set->root);
    check_set(expansion, expansion->set);
    if (question->scope->problems.errors > 0) {
        return STATUS_INVALID;
    }
    TRY(is_plain_page(expansion) ? collect_page(expansion) : collect(expansion));
    TRY(limit(expansion));
    expansion->nested = !question_flag(question, "excludeNested", false) &&
                        !expansion->count_given && !expansion->offset_given &&
                        !expansion->set->enumerated && expansion->filter.length == 0;
    if (expansion->nested) {
        TRY(index_items(expansion));
    }
    return expansion_write(expansion, out);
}
