/* SPDX-License-Identifier: MIT */
/* Quick answers for bindings and expressions: is a code in a value set, does one code subsume
 * another. */
#include <roaring/roaring.h>

#include "terms/terms_int.h"

static void give_display(const struct value_set *set, const struct code_system *system,
                         uint32_t code, struct arena *arena, struct slice *ret_display)
{
    if (ret_display == NULL) {
        return;
    }
    struct slice display = set != NULL && set->enumerated
                               ? json_get_string(value_set_listed(set, system, code), "display")
                               : (struct slice){0};
    if (display.length == 0) {
        display = code_display(system, code);
    }
    *ret_display = arena_copy(arena, display);
}

/* A part of the value set that is not known may hold the code. */
static bool may_hold(const struct value_set *set, const struct terms_coding *coding)
{
    if (!set->open) {
        return false;
    }
    for (size_t i = 0; i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        bool of_system = coding->system.length == 0 || include->url.length == 0 ||
                         slice_equals(include->url, coding->system);
        if (!of_system || !code_may_be(include->url, coding->code)) {
            continue;
        }
        if (include->state != INCLUDE_KNOWN && include->listed_count == 0) {
            return true;
        }
        const struct code_system *system = include->system;
        if (system != NULL && !system->stand_in && system->content != CONTENT_COMPLETE &&
            include->listed_count == 0 && code_find(system, coding->code) == CODE_NONE) {
            return true;
        }
        for (size_t j = 0; j < include->import_count; j++) {
            if (may_hold(include->imports[j], coding)) {
                return true;
            }
        }
    }
    return set->include_count == 0;
}

/* An exclude that is not known may take the code out again. */
static bool may_lack(const struct value_set *set, const struct terms_coding *coding)
{
    for (size_t i = 0; set->open && i < set->exclude_count; i++) {
        const struct include *exclude = &set->excludes[i];
        if ((exclude->url.length == 0 || coding->system.length == 0 ||
             slice_equals(exclude->url, coding->system)) &&
            exclude->state != INCLUDE_KNOWN && exclude->listed_count == 0) {
            return true;
        }
    }
    return false;
}

static enum terms_verdict check_set(const struct value_set *set, const struct terms_coding *coding,
                                    struct arena *arena, struct slice *ret_display)
{
    for (size_t i = 0; i < set->set_count; i++) {
        const struct code_set *part = &set->sets[i];
        if (coding->system.length > 0 && !slice_equals(part->system->url, coding->system)) {
            continue;
        }
        uint32_t code = code_find(part->system, coding->code);
        if (code != CODE_NONE && roaring_bitmap_contains(part->codes, code)) {
            give_display(set, part->system, code, arena, ret_display);
            return may_lack(set, coding) ? TERMS_UNKNOWN_SYSTEM : TERMS_MEMBER;
        }
    }
    return may_hold(set, coding) ? TERMS_UNKNOWN_SYSTEM : TERMS_NOT_MEMBER;
}

static enum terms_verdict check_system(struct scope *scope, const struct terms_coding *coding,
                                       struct slice *ret_display)
{
    const struct code_system *system = scope_system(scope, coding->system, coding->version);
    if (system == NULL && coding->version.length > 0) {
        system = scope_system(scope, coding->system, (struct slice){0});
    }
    if (system == NULL || system->content == CONTENT_SUPPLEMENT) {
        return code_may_be(coding->system, coding->code) ? TERMS_UNKNOWN_SYSTEM : TERMS_NOT_MEMBER;
    }
    uint32_t code = code_find(system, coding->code);
    if (code != CODE_NONE) {
        give_display(NULL, system, code, scope->arena, ret_display);
        return TERMS_MEMBER;
    }
    return system->content == CONTENT_COMPLETE || !code_may_be(coding->system, coding->code)
               ? TERMS_NOT_MEMBER
               : TERMS_UNKNOWN_SYSTEM;
}

/* A scope is large: it is taken only where the shelf has no answer. */
static enum terms_verdict check_slowly(struct terms *terms, struct slice value_set,
                                       const struct terms_coding *coding, struct arena *arena,
                                       struct slice *ret_display)
{
    struct scope *scope = ARENA_NEW(arena, struct scope);
    if (scope == NULL) {
        return TERMS_UNKNOWN_SYSTEM;
    }
    scope_begin(scope, terms, arena);
    scope->quiet = true;
    if (value_set.length == 0) {
        return check_system(scope, coding, ret_display);
    }
    const struct value_set *set;
    enum status status = scope_compiled(scope, value_set, &set);
    return status == STATUS_NOT_FOUND ? TERMS_UNKNOWN_SET
           : status != STATUS_OK      ? TERMS_UNKNOWN_SYSTEM
                                      : check_set(set, coding, arena, ret_display);
}

enum terms_verdict terms_check(struct terms *terms, struct slice value_set,
                               const struct terms_coding *coding, struct arena *arena,
                               struct slice *ret_display)
{
    if (ret_display != NULL) {
        *ret_display = (struct slice){0};
    }
    const struct value_set *set = value_set.length > 0 ? shelf_set(terms, value_set, arena) : NULL;
    return set != NULL ? check_set(set, coding, arena, ret_display)
                       : check_slowly(terms, value_set, coding, arena, ret_display);
}

enum terms_subsumption code_subsumption(const struct code_system *system, struct slice a,
                                        struct slice b)
{
    uint32_t left = code_find(system, a), right = code_find(system, b);
    if (left == CODE_NONE || right == CODE_NONE) {
        return TERMS_SUBSUMPTION_UNKNOWN;
    }
    return left == right                     ? TERMS_EQUIVALENT
           : code_below(system, right, left) ? TERMS_SUBSUMES
           : code_below(system, left, right) ? TERMS_SUBSUMED_BY
                                             : TERMS_NOT_SUBSUMED;
}

enum terms_subsumption terms_subsumes(struct terms *terms, struct slice system,
                                      struct slice version, struct slice a, struct slice b)
{
    struct arena *arena = arena_create((size_t)1 << 20);
    struct scope *scope = arena != NULL ? ARENA_NEW(arena, struct scope) : NULL;
    enum terms_subsumption answer = TERMS_SUBSUMPTION_UNKNOWN;
    if (scope != NULL) {
        scope_begin(scope, terms, arena);
        scope->quiet = true;
        const struct code_system *known = scope_system(scope, system, version);
        answer = known != NULL ? code_subsumption(known, a, b) : answer;
    }
    arena_destroy(arena);
    return answer;
}
