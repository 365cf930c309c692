/* SPDX-License-Identifier: MIT */
/* ValueSet.compose.include.filter (R4 valueset.html, "Filters"): which concepts a property, an
 * operator and a value select. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <roaring/roaring.h>

#include "terms/ecl.h"
#include "terms/terms_int.h"

/* Patterns are matched without backtracking (pcre2_dfa_match), and within these bounds. */
#define PATTERN_LONGEST   2000u
#define PATTERN_MATCHES   100000u
#define PATTERN_HEAP      4000u /* KiB */
#define PATTERN_WORKSPACE 4096

struct filter {
    struct scope *scope;
    const struct code_system *system;
    struct slice property, op, value, path;
    roaring_bitmap_t *set;
};

static enum status refuse(const struct filter *filter, enum message message, enum status status)
{
    problem_add(&filter->scope->problems, message, filter->path, filter->system->url,
                filter->property, filter->op);
    return status;
}

/* ---- patterns ---------------------------------------------------------------------------------
 */

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    int workspace[PATTERN_WORKSPACE];
    bool costly;
};

static void pattern_release(void *thing)
{
    struct pattern *pattern = thing;
    pcre2_match_data_free(pattern->data);
    pcre2_match_context_free(pattern->context);
    pcre2_code_free(pattern->code);
}

static struct pattern *pattern_make(struct slice text, struct arena *arena)
{
    struct pattern *pattern = ARENA_NEW(arena, struct pattern);
    int error;
    PCRE2_SIZE at;
    if (pattern == NULL || text.length > PATTERN_LONGEST) {
        return NULL;
    }
    pattern->code = pcre2_compile((PCRE2_SPTR)(text.at != NULL ? text.at : ""), text.length,
                                  PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                                      PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE,
                                  &error, &at, NULL);
    if (pattern->code == NULL) {
        return NULL;
    }
    pattern->data = pcre2_match_data_create(1, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (pattern->data == NULL || pattern->context == NULL) {
        pattern_release(pattern);
        return NULL;
    }
    pcre2_set_match_limit(pattern->context, PATTERN_MATCHES);
    pcre2_set_heap_limit(pattern->context, PATTERN_HEAP);
    pcre2_set_depth_limit(pattern->context, 200);
    return arena_defer(arena, pattern_release, pattern) == STATUS_OK ? pattern : NULL;
}

static bool pattern_matches(struct pattern *pattern, struct slice text)
{
    int found =
        pcre2_dfa_match(pattern->code, (PCRE2_SPTR)(text.at != NULL ? text.at : ""), text.length, 0,
                        0, pattern->data, pattern->context, pattern->workspace, PATTERN_WORKSPACE);
    pattern->costly |= found < 0 && found != PCRE2_ERROR_NOMATCH;
    return found >= 0;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static bool in_list(struct slice value, struct slice list)
{
    while (list.at != NULL) {
        if (slice_equals(slice_trim(slice_cut(&list, ',')), value)) {
            return true;
        }
    }
    return false;
}

/* Does one value satisfy the operator? */
static bool value_fits(const struct filter *filter, struct pattern *pattern, struct slice value)
{
    return pattern != NULL             ? pattern_matches(pattern, value)
           : slice_is(filter->op, "=") ? slice_equals(value, filter->value)
                                       : in_list(value, filter->value);
}

static bool property_fits(const struct filter *filter, struct pattern *pattern, uint32_t code,
                          struct arena *scratch)
{
    const struct code_system *system = filter->system;
    if (slice_equals(filter->property, system->inactive_property) ||
        slice_is(filter->property, "inactive")) {
        return value_fits(filter, pattern,
                          code_is(system, code, CODE_INACTIVE) ? SLICE("true") : SLICE("false"));
    }
    size_t count;
    const struct property *all = scope_properties(filter->scope, system, code, scratch, &count);
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(all[i].code, filter->property) &&
            (slice_is(filter->op, "exists") || value_fits(filter, pattern, all[i].value))) {
            return true;
        }
    }
    return false;
}

/* Every concept is asked. */
static enum status filter_values(struct filter *filter, bool negated)
{
    struct pattern *pattern = NULL;
    if (slice_is(filter->op, "regex")) {
        pattern = pattern_make(filter->value, filter->scope->arena);
        if (pattern == NULL) {
            return refuse(filter, MESSAGE_FILTER_INVALID, STATUS_INVALID);
        }
    }
    bool code = slice_is(filter->property, "code") || slice_is(filter->property, "concept");
    bool display = slice_is(filter->property, "display");
    for (uint32_t i = 0; i < filter->system->count; i++) {
        struct arena_mark mark = arena_mark(filter->scope->arena);
        bool fits = code      ? value_fits(filter, pattern, code_text(filter->system, i))
                    : display ? value_fits(filter, pattern, code_display(filter->system, i))
                              : property_fits(filter, pattern, i, filter->scope->arena);
        if (fits != negated) {
            roaring_bitmap_add(filter->set, i);
        }
        arena_rewind(filter->scope->arena, mark);
        if ((pattern != NULL && pattern->costly) ||
            (i % CLOCK_EVERY == CLOCK_EVERY - 1 && scope_late(filter->scope))) {
            return refuse(filter, MESSAGE_FILTER_COSTLY, STATUS_TOO_COSTLY);
        }
    }
    return STATUS_OK;
}

static enum status filter_exists(struct filter *filter)
{
    if (!slice_is(filter->value, "true") && !slice_is(filter->value, "false")) {
        return refuse(filter, MESSAGE_FILTER_INVALID, STATUS_INVALID);
    }
    return filter_values(filter, slice_is(filter->value, "false"));
}

/* ---- hierarchy --------------------------------------------------------------------------------
 */

static void keep_leaves(const struct code_system *system, const roaring_bitmap_t *set,
                        struct arena *arena, roaring_bitmap_t *ret_leaves)
{
    size_t count;
    const uint32_t *codes = bitmap_list(set, arena, &count);
    for (size_t i = 0; i < count; i++) {
        if (system->children.at == NULL ||
            system->children.at[codes[i]] == system->children.at[codes[i] + 1]) {
            roaring_bitmap_add(ret_leaves, codes[i]);
        }
    }
}

static void invert(struct filter *filter)
{
    roaring_bitmap_flip_inplace(filter->set, 0, filter->system->count);
}

/* False: no operator on the hierarchy. */
static bool filter_hierarchy(struct filter *filter, uint32_t code)
{
    const struct code_system *system = filter->system;
    roaring_bitmap_t *set = filter->set;
    struct slice op = filter->op;
    if (slice_is(op, "is-a") || slice_is(op, "is-not-a")) {
        code_add_descendants(system, code, set);
        roaring_bitmap_add(set, code);
        if (slice_is(op, "is-not-a")) {
            invert(filter);
        }
    } else if (slice_is(op, "descendent-of")) {
        code_add_descendants(system, code, set);
        roaring_bitmap_remove(set, code);
    } else if (slice_is(op, "child-of")) {
        code_add_children(system, code, set);
    } else if (slice_is(op, "descendent-leaf")) {
        roaring_bitmap_t *below = roaring_bitmap_create();
        code_add_descendants(system, code, below);
        keep_leaves(system, below, filter->scope->arena, set);
        roaring_bitmap_free(below);
    } else if (slice_is(op, "generalizes")) {
        code_add_ancestors(system, code, set);
        roaring_bitmap_add(set, code);
    } else {
        return false;
    }
    return true;
}

static bool is_concept(struct slice property)
{
    return slice_is(property, "concept") || slice_is(property, "code");
}

static enum status filter_concept(struct filter *filter)
{
    uint32_t code = code_find(filter->system, filter->value);
    static const char *const known[] = {"is-a",     "is-not-a",        "descendent-of",
                                        "child-of", "descendent-leaf", "generalizes"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_is(filter->op, known[i])) {
            if (code == CODE_NONE) { /* nothing is below what does not exist */
                if (slice_is(filter->op, "is-not-a")) {
                    invert(filter);
                }
                return STATUS_OK;
            }
            return filter_hierarchy(filter, code) ? STATUS_OK : STATUS_INTERNAL;
        }
    }
    return STATUS_NOT_SUPPORTED;
}

/* parent = X and child = X, where the system has no property of its own of that name. */
static bool filter_relative(struct filter *filter)
{
    bool parent = slice_is(filter->property, "parent");
    if ((!parent && !slice_is(filter->property, "child")) || !slice_is(filter->op, "=")) {
        return false;
    }
    uint32_t code = code_find(filter->system, filter->value);
    if (code != CODE_NONE && parent) {
        code_add_children(filter->system, code, filter->set);
    } else if (code != CODE_NONE) {
        code_add_parents(filter->system, code, filter->set);
    }
    return true;
}

static enum status filter_run(struct filter *filter)
{
    struct slice op = filter->op;
    if (filter->system->release != NULL) {
        enum status status = ecl_filter(filter->scope, filter->system, filter->property, op,
                                        filter->value, filter->set);
        if (status != STATUS_NOT_SUPPORTED) {
            return status == STATUS_OK           ? status
                   : status == STATUS_TOO_COSTLY ? refuse(filter, MESSAGE_FILTER_COSTLY, status)
                                                 : refuse(filter, MESSAGE_FILTER_INVALID, status);
        }
    }
    if (is_concept(filter->property)) {
        enum status status = filter_concept(filter);
        if (status != STATUS_NOT_SUPPORTED) {
            return status;
        }
    }
    if (filter_relative(filter)) {
        return STATUS_OK;
    }
    if (slice_is(op, "exists")) {
        return filter_exists(filter);
    }
    if (slice_is(op, "=") || slice_is(op, "in") || slice_is(op, "regex")) {
        return filter_values(filter, false);
    }
    if (slice_is(op, "not-in")) {
        return filter_values(filter, true);
    }
    return refuse(filter, MESSAGE_FILTER_UNKNOWN, STATUS_NOT_SUPPORTED);
}

enum status filter_apply(struct scope *scope, const struct code_system *system, yyjson_val *node,
                         struct slice path, roaring_bitmap_t **ret_set)
{
    struct filter filter = {.scope = scope,
                            .system = system,
                            .property = json_get_string(node, "property"),
                            .op = json_get_string(node, "op"),
                            .value = json_get_string(node, "value"),
                            .path = path,
                            .set = bitmap_make(scope->arena)};
    *ret_set = filter.set;
    if (filter.set == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (filter.value.length == 0) {
        return refuse(&filter, MESSAGE_FILTER_WITHOUT_VALUE, STATUS_INVALID);
    }
    return filter_run(&filter);
}
