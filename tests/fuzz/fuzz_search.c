/* SPDX-License-Identifier: MIT */
/* The parameters of a search, as "Type?name:modifier=value&...". A plan's links must make the same
 * plan again; a refusal must say something. */
#include <stdlib.h>

#include "search/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGUMENTS 8

static struct definitions *definitions;

static size_t cut(struct slice text, struct search_argument *arguments)
{
    size_t count = 0;
    while (text.at != NULL && text.length > 0 && count < ARGUMENTS) {
        struct slice one = slice_cut(&text, '&');
        struct slice whole = slice_head(one, slice_index(one, '='));
        struct slice name = slice_head(whole, slice_index(whole, ':'));
        arguments[count++] =
            (struct search_argument){.name = name,
                                     .modifier = slice_from(whole, name.length + 1),
                                     .value = slice_from(one, whole.length + 1)};
    }
    return count;
}

static void plan(struct slice text, bool lenient, struct arena *arena)
{
    struct search_argument arguments[ARGUMENTS];
    struct search_plan made, again;
    struct outcome outcome;
    struct search_options options = {.definitions = definitions,
                                     .base_url = SLICE("http://here/fhir"),
                                     .lenient = lenient,
                                     .count_default = 20,
                                     .count_max = 100};
    outcome_init(&outcome, arena);
    options.type = resource_type_find(definitions, slice_cut(&text, '?'));
    size_t count = cut(text, arguments);
    enum status status = search_plan_make(&options, arguments, count, arena, &outcome, &made);
    if (status != STATUS_OK) {
        if (outcome.first == NULL && !arena_full(arena)) {
            abort();
        }
        return;
    }
    if (search_plan_make(&options, made.applied, made.applied_count, arena, &outcome, &again) ==
            STATUS_OK &&
        (again.query.clause_count != made.query.clause_count ||
         again.query.sort_count != made.query.sort_count ||
         again.include_count != made.include_count || again.ignored_count != 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (definitions == NULL) {
        const char *path = getenv("CARELAYER_DEFINITIONS");
        if (path == NULL || definitions_open(path, NULL, &definitions) != STATUS_OK) {
            abort();
        }
    }
    for (int lenient = 0; lenient < 2; lenient++) {
        struct arena *arena = arena_create((size_t)16 << 20);
        if (arena == NULL) {
            return 0;
        }
        plan(slice_of((const char *)data, size), lenient == 1, arena);
        arena_destroy(arena);
    }
    return 0;
}
