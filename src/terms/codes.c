/* SPDX-License-Identifier: MIT */
/* Sets of codes by name: what a search by value set or by hierarchy looks for. What is not wholly
 * known is no set at all: a search that took it for one would find too little, or with a "not" too
 * much. */
#include <roaring/roaring.h>

#include "terms/terms_int.h"

static struct scope *scope_make(struct terms *terms, struct arena *arena)
{
    struct scope *scope = ARENA_NEW(arena, struct scope);
    if (scope != NULL) {
        scope->terms = terms;
        scope->arena = arena;
        scope->problems.arena = arena;
        scope->quiet = true;
    }
    return scope;
}

static bool is_known(const struct value_set *set);

/* Codes that are listed are known, whatever is known of their code system. */
static bool is_include_known(const struct include *include)
{
    for (size_t i = 0; i < include->import_count; i++) {
        if (!is_known(include->imports[i])) {
            return false;
        }
    }
    if (include->state == INCLUDE_UNUSABLE || include->state == INCLUDE_UNKNOWN_SET) {
        return false;
    }
    if (include->listed_count > 0) {
        return true;
    }
    return include->state == INCLUDE_KNOWN &&
           (include->system == NULL || include->system->content == CONTENT_COMPLETE);
}

static bool is_known(const struct value_set *set)
{
    bool known = !set->unusable && (!set->open || set->include_count > 0);
    for (size_t i = 0; known && i < set->include_count; i++) {
        known = is_include_known(&set->includes[i]);
    }
    for (size_t i = 0; known && i < set->exclude_count; i++) {
        known = is_include_known(&set->excludes[i]);
    }
    return known;
}

static enum status add_codes(const struct code_system *system, const roaring_bitmap_t *codes,
                             struct arena *arena, struct terms_code *list, size_t *count)
{
    size_t more;
    const uint32_t *numbers = bitmap_list(codes, arena, &more);
    if (numbers == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < more; i++) {
        list[(*count)++] = (struct terms_code){system->url, code_text(system, numbers[i])};
    }
    return STATUS_OK;
}

enum status terms_codes_in(struct terms *terms, struct slice value_set, size_t most,
                           struct arena *arena, struct terms_code **ret_codes, size_t *ret_count)
{
    struct scope *scope = scope_make(terms, arena);
    const struct value_set *set;
    uint64_t all = 0;
    *ret_count = 0;
    if (scope == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(scope_compiled(scope, value_set, &set));
    if (!is_known(set)) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < set->set_count; i++) {
        all += roaring_bitmap_get_cardinality(set->sets[i].codes);
    }
    struct terms_code *codes =
        all <= most ? arena_array(arena, (size_t)all + 1, sizeof *codes) : NULL;
    if (codes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < set->set_count; i++) {
        TRY(add_codes(set->sets[i].system, set->sets[i].codes, arena, codes, ret_count));
    }
    *ret_codes = codes;
    return STATUS_OK;
}

enum status terms_codes_beside(struct terms *terms, const struct terms_code *code, bool above,
                               size_t most, struct arena *arena, struct terms_code **ret_codes,
                               size_t *ret_count)
{
    struct scope *scope = scope_make(terms, arena);
    roaring_bitmap_t *set = bitmap_make(arena);
    *ret_count = 0;
    if (scope == NULL || set == NULL) {
        return STATUS_TOO_COSTLY;
    }
    const struct code_system *system = scope_system(scope, code->system, (struct slice){0});
    if (system == NULL || system->content != CONTENT_COMPLETE) {
        return STATUS_INVALID;
    }
    uint32_t number = code_find(system, code->code);
    if (number == CODE_NONE) {
        return STATUS_NOT_FOUND;
    }
    if (above) {
        code_add_ancestors(system, number, set);
    } else {
        code_add_descendants(system, number, set);
    }
    roaring_bitmap_add(set, number);
    uint64_t all = roaring_bitmap_get_cardinality(set);
    *ret_codes = all <= most ? arena_array(arena, (size_t)all + 1, sizeof **ret_codes) : NULL;
    return *ret_codes != NULL ? add_codes(system, set, arena, *ret_codes, ret_count)
                              : STATUS_TOO_COSTLY;
}
