/* SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "fhirpath/regex_int.h"

#define MATCH_STEPS   1000000u
#define MATCH_DEPTH   10000u
#define PATTERN_LIMIT ((size_t)10000) /* bytes */

struct regex {
    pcre2_code *code;
};

static void *take(PCRE2_SIZE size, void *arena)
{
    return arena_alloc(arena, size);
}

static void give(void *block, void *arena)
{
    (void)block;
    (void)arena; /* the arena ends it */
}

enum status regex_compile(struct slice pattern, bool whole, struct arena *arena,
                          const struct regex **ret_regex)
{
    uint32_t options = PCRE2_UTF | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C |
                       (whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0);
    int error;
    PCRE2_SIZE at;
    struct regex *regex = ARENA_NEW(arena, struct regex);
    pcre2_general_context *general = pcre2_general_context_create(take, give, arena);
    pcre2_compile_context *context = general != NULL ? pcre2_compile_context_create(general) : NULL;
    if (regex == NULL || context == NULL) {
        return STATUS_TOO_COSTLY;
    }
    (void)pcre2_set_max_pattern_length(context, PATTERN_LIMIT);
    regex->code = pcre2_compile((PCRE2_SPTR)(pattern.length > 0 ? pattern.at : ""), pattern.length,
                                options, &error, &at, context);
    *ret_regex = regex;
    return regex->code != NULL ? STATUS_OK : STATUS_INVALID;
}

/* What a match needs, in ARENA; false when it is full. */
static bool prepare(const struct regex *regex, struct arena *arena,
                    pcre2_match_context **ret_context, pcre2_match_data **ret_data)
{
    pcre2_general_context *general = pcre2_general_context_create(take, give, arena);
    if (general == NULL) {
        return false;
    }
    *ret_context = pcre2_match_context_create(general);
    *ret_data = pcre2_match_data_create_from_pattern(regex->code, general);
    if (*ret_context == NULL || *ret_data == NULL) {
        return false;
    }
    (void)pcre2_set_match_limit(*ret_context, MATCH_STEPS);
    (void)pcre2_set_depth_limit(*ret_context, MATCH_DEPTH);
    return true;
}

enum status regex_match(const struct regex *regex, struct slice text, struct arena *arena,
                        bool *ret_matches)
{
    pcre2_match_context *context;
    pcre2_match_data *data;
    struct arena_mark mark = arena_mark(arena);
    if (!prepare(regex, arena, &context, &data)) {
        return STATUS_TOO_COSTLY;
    }
    int found = pcre2_match(regex->code, (PCRE2_SPTR)(text.length > 0 ? text.at : ""), text.length,
                            0, 0, data, context);
    if (arena_full(arena)) {
        return STATUS_TOO_COSTLY;
    }
    arena_rewind(arena, mark);
    *ret_matches = found >= 0;
    return found >= 0 || found == PCRE2_ERROR_NOMATCH ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status regex_replace(const struct regex *regex, struct slice text, struct slice by,
                          struct buffer *out)
{
    const uint32_t options =
        PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH | PCRE2_SUBSTITUTE_UNSET_EMPTY;
    pcre2_match_context *context;
    pcre2_match_data *data;
    size_t room = text.length + by.length + 64;
    if (!prepare(regex, out->arena, &context, &data)) {
        return STATUS_TOO_COSTLY;
    }
    for (int tries = 0; tries < 2; tries++) {
        char *at = buffer_reserve(out, room);
        PCRE2_SIZE length = room;
        if (at == NULL) {
            return STATUS_TOO_COSTLY;
        }
        int count =
            pcre2_substitute(regex->code, (PCRE2_SPTR)(text.length > 0 ? text.at : ""), text.length,
                             0, options, data, context, (PCRE2_SPTR)(by.length > 0 ? by.at : ""),
                             by.length, (PCRE2_UCHAR *)at, &length);
        if (count >= 0) {
            out->length += length;
            return STATUS_OK;
        }
        if (count == PCRE2_ERROR_BADREPLACEMENT || count == PCRE2_ERROR_NOSUBSTRING ||
            count == PCRE2_ERROR_BADSUBSTITUTION || count == PCRE2_ERROR_BADREPESCAPE) {
            return STATUS_INVALID;
        }
        if (count != PCRE2_ERROR_NOMEMORY || arena_full(out->arena)) {
            return STATUS_TOO_COSTLY;
        }
        room = length;
    }
    return STATUS_TOO_COSTLY;
}
