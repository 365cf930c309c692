/* SPDX-License-Identifier: MIT */
/* Prints docs/search.md: what a search may ask, from the tables that the planner runs on, and the
 * test that shows each. Exits 1 when a row of the tables has no test. Argument: the definitions. */
#include <stdio.h>

#include "search/search.h"

static const enum search_kind kinds[] = {SEARCH_NUMBER,   SEARCH_DATE,      SEARCH_STRING,
                                         SEARCH_TOKEN,    SEARCH_REFERENCE, SEARCH_COMPOSITE,
                                         SEARCH_QUANTITY, SEARCH_URI,       SEARCH_SPECIAL};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- which test shows what ----------------------------------------------------------------------
 */

#define READS_NUMBERS    "reads_numbers_and_quantities_with_each_prefix"
#define READS_DATES      "reads_dates_with_each_prefix_as_ranges"
#define READS_STRINGS    "reads_strings_and_uris_with_their_modifiers"
#define READS_TOKENS     "reads_tokens_with_their_modifiers"
#define READS_REFERENCES "reads_references_with_their_modifiers"
#define READS_COMPOSITES "reads_composites_part_by_part"
#define READS_CODES      "codes_come_from_terminology"
#define MISSING          "finds_what_is_missing_in_each_kind"
#define PREFIXES         "finds_numbers_dates_and_quantities_by_each_prefix"
#define CODES            "finds_codes_of_value_sets_and_hierarchies"
#define REFERENCES       "finds_references_in_each_form"
#define TEXTS            "finds_texts_and_uris_in_each_form"
#define WORDS            "finds_by_words_and_types_of_identifiers"
#define ABOVE            "finds_what_is_above_and_below_in_a_hierarchy"
#define NINE(kind, reading)                                                                        \
    {kind, "eq", reading, PREFIXES}, {kind, "ne", reading, PREFIXES},                              \
        {kind, "gt", reading, PREFIXES}, {kind, "lt", reading, PREFIXES},                          \
        {kind, "ge", reading, PREFIXES}, {kind, "le", reading, PREFIXES},                          \
        {kind, "sa", reading, PREFIXES}, {kind, "eb", reading, PREFIXES},                          \
    {                                                                                              \
        kind, "ap", reading, PREFIXES                                                              \
    }

/* Of a kind with a modifier or a prefix; NAME "": neither. */
static const struct shown {
    enum search_kind kind;
    const char *name;
    const char *reading, *finding; /* test of the plan; of the whole server */
} tests[] = {
    {SEARCH_NUMBER, "", READS_NUMBERS, PREFIXES},
    {SEARCH_NUMBER, "missing", READS_NUMBERS, MISSING},
    NINE(SEARCH_NUMBER, READS_NUMBERS),
    {SEARCH_DATE, "", READS_DATES, PREFIXES},
    {SEARCH_DATE, "missing", READS_DATES, MISSING},
    NINE(SEARCH_DATE, READS_DATES),
    {SEARCH_STRING, "", READS_STRINGS, TEXTS},
    {SEARCH_STRING, "missing", READS_STRINGS, MISSING},
    {SEARCH_STRING, "exact", READS_STRINGS, TEXTS},
    {SEARCH_STRING, "contains", READS_STRINGS, TEXTS},
    {SEARCH_TOKEN, "", READS_TOKENS, "finds_identifiers_and_codes_in_each_form"},
    {SEARCH_TOKEN, "missing", READS_TOKENS, MISSING},
    {SEARCH_TOKEN, "text", READS_TOKENS, WORDS},
    {SEARCH_TOKEN, "not", READS_TOKENS, "finds_identifiers_and_codes_in_each_form"},
    {SEARCH_TOKEN, "in", READS_CODES, CODES},
    {SEARCH_TOKEN, "not-in", READS_CODES, CODES},
    {SEARCH_TOKEN, "below", READS_CODES, CODES},
    {SEARCH_TOKEN, "above", READS_CODES, CODES},
    {SEARCH_TOKEN, "of-type", READS_TOKENS, WORDS},
    {SEARCH_REFERENCE, "", READS_REFERENCES, REFERENCES},
    {SEARCH_REFERENCE, "missing", READS_REFERENCES, MISSING},
    {SEARCH_REFERENCE, "text", READS_REFERENCES, REFERENCES},
    {SEARCH_REFERENCE, "below", READS_REFERENCES, ABOVE},
    {SEARCH_REFERENCE, "above", READS_REFERENCES, ABOVE},
    {SEARCH_REFERENCE, "identifier", READS_REFERENCES, REFERENCES},
    {SEARCH_REFERENCE, "[type]", READS_REFERENCES, REFERENCES},
    {SEARCH_COMPOSITE, "", READS_COMPOSITES, "finds_composite_values"},
    {SEARCH_QUANTITY, "", READS_NUMBERS, "finds_quantities_in_other_units"},
    {SEARCH_QUANTITY, "missing", READS_NUMBERS, MISSING},
    NINE(SEARCH_QUANTITY, READS_NUMBERS),
    {SEARCH_URI, "", READS_STRINGS, TEXTS},
    {SEARCH_URI, "missing", READS_STRINGS, MISSING},
    {SEARCH_URI, "contains", READS_STRINGS, TEXTS},
    {SEARCH_URI, "below", READS_STRINGS, TEXTS},
    {SEARCH_URI, "above", READS_STRINGS, TEXTS},
    {SEARCH_SPECIAL, "", "reads_a_place_and_a_distance", "finds_places_nearby"},
};
#define TESTS (sizeof tests / sizeof tests[0])

static const struct shown *find_test(enum search_kind kind, const char *name)
{
    for (size_t i = 0; i < TESTS; i++) {
        if (tests[i].kind == kind && strcmp(tests[i].name, name) == 0) {
            return &tests[i];
        }
    }
    return NULL;
}

static bool write_row(enum search_kind kind, const char *sign, const char *name,
                      const char *meaning, struct buffer *out)
{
    const struct shown *test = find_test(kind, name);
    if (test == NULL) {
        (void)fprintf(stderr, "no test: %s %s\n", search_kind_name(kind), name);
        return false;
    }
    const char *mark = name[0] != '\0' ? "`" : "";
    buffer_print(out, "| %s | %s%s%s%s | %s | `%s` | `%s` |\n", search_kind_name(kind), mark, sign,
                 name, mark, meaning, test->reading, test->finding);
    return true;
}

static bool write_modifiers(enum search_kind kind, struct buffer *out)
{
    size_t count;
    const struct search_modifier *all = search_modifiers(&count);
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        if ((all[i].kinds & 1u << kind) != 0) {
            whole = write_row(kind, ":", all[i].name, all[i].meaning, out) && whole;
        }
    }
    return whole;
}

static bool write_prefixes(enum search_kind kind, struct buffer *out)
{
    static const char *const meanings[] = {"equals: the range of the value holds it",
                                           "does not equal",
                                           "greater: reaches above the value",
                                           "less: reaches below the value",
                                           "greater or equal",
                                           "less or equal",
                                           "starts after the value",
                                           "ends before the value",
                                           "about: within a tenth"};
    size_t count;
    const struct search_prefix *all = search_prefixes(&count);
    bool whole = true;
    for (size_t i = 0; search_kind_has_prefixes(kind) && i < count; i++) {
        whole = write_row(kind, "", all[i].name, meanings[all[i].compare], out) && whole;
    }
    return whole;
}

static void write_refused(enum search_kind kind, struct buffer *out)
{
    size_t count, written = 0;
    const struct search_modifier *all = search_modifiers(&count);
    buffer_print(out, "| %s | ", search_kind_name(kind));
    for (size_t i = 0; i < count; i++) {
        bool taken = false, before = false;
        for (size_t j = 0; j < count; j++) {
            bool same = strcmp(all[i].name, all[j].name) == 0;
            taken = taken || (same && (all[j].kinds & 1u << kind) != 0);
            before = before || (same && j < i);
        }
        if (!taken && !before) {
            buffer_print(out, "%s`:%s`", written++ > 0 ? " " : "", all[i].name);
        }
    }
    buffer_add_text(out, search_kind_has_prefixes(kind) ? " | none |\n" : " | all |\n");
}

static void write_counts(const struct definitions *definitions, struct buffer *out)
{
    size_t answered[KINDS] = {0}, refused = 0, count;
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        const struct search_parameter *all = search_parameters(definitions, type, &count);
        for (size_t i = 0; i < count; i++) {
            answered[all[i].kind] += search_parameter_answered(&all[i]);
            refused += !search_parameter_answered(&all[i]);
        }
    }
    buffer_add_text(out,
                    "| kind | parameters, counted for each type that has them |\n|---|---:|\n");
    for (size_t i = 0; i < KINDS; i++) {
        buffer_print(out, "| %s | %zu |\n", search_kind_name(kinds[i]), answered[kinds[i]]);
    }
    buffer_print(out, "| refused (`_query`, `_filter`) | %zu |\n\n", refused);
    buffer_add_text(out, "Each is asked for what has its value, and for what has not: "
                         "`every_parameter_finds_what_has_its_value_and_nothing_else`. The "
                         "specification's own examples: "
                         "`the_examples_of_the_specification_find_what_they_say`.\n\n");
}

static const char head[] =
    "# Search\n"
    "\n"
    "Generated from the tables that the planner runs on (`tools/search_table.c`): do not edit. "
    "What is not\n"
    "listed is refused by name ([why](adr/0009-unknown-search-parameters-are-refused.md)). All "
    "search\n"
    "parameters of R4 and of loaded packages are answered:\n"
    "\n"
    "| asked | form | test |\n"
    "|---|---|---|\n"
    "| chain | `subject:Patient.name=`, `subject.name=` (every type that has it), to any depth | "
    "`follows_references_to_what_they_lead_to` |\n"
    "| contained | a chain looks into them too; what contains it is found | "
    "`a_chain_is_evaluated_inside_contained_resources` |\n"
    "| reverse chain | `_has:Observation:patient:code=`, nested | `finds_by_what_refers_to_it` |\n"
    "| list | `_list=ID`; not `$current-...` | `finds_items_of_a_list` |\n"
    "| all types | `?_type=A,B&parameter=` that all of them have | "
    "`asks_of_several_types_what_they_share` |\n"
    "| compartment | `Patient/ID/Type`, `Patient/ID/*`; of Patient (that of linked records too), "
    "Encounter, RelatedPerson, Practitioner, Device | "
    "`compartments_are_what_their_definitions_list` |\n"
    "| `_include`, `_revinclude` | `Type:parameter[:Type]`, `Type:*`, `*`, `:iterate`; at most "
    "1,000 a "
    "page, which gets shorter | `includes_come_once_and_are_no_matches` |\n"
    "| `_sort` | up to 4 parameters | `sorts_by_several_keys` |\n"
    "| `_count`, `_total` | `none`, `estimate`, `accurate` | `totals_are_told_when_asked_for` |\n"
    "| `_summary`, `_elements` | | `elements_and_summaries_hold_for_pages` |\n"
    "| `_contained` | `false`, `true`, `both`, of one type; `_sort` by `_lastUpdated` only, in no "
    "compartment | `what_contains_a_match_is_found` |\n"
    "| `_containedType` | `container` (what contains a match, once); `contained` (each match in it "
    "is an entry, so that a page may have more than `_count`; without `_total` and `_include`) | "
    "`what_contains_a_match_is_given_or_what_is_contained` |\n"
    "| `_lastUpdated`, `_id` | every prefix, several values | `finds_what_was_changed_when` |\n"
    "| `Prefer: handling=` | `strict` (the default), `lenient` | "
    "`the_self_link_shows_what_was_applied` |\n"
    "| GET and POST | parameters in the URL, a form, or both; `POST _search`, `Type/_search`, "
    "`Patient/ID/Type/_search`, `Patient/ID/_search` | `a_form_and_a_url_ask_the_same` |\n"
    "| `Patient/ID/$everything` | `start`, `end`, `_since`, `_type`, `_count` | "
    "`everything_keeps_to_dates_of_care` |\n"
    "| `Observation/$lastn` | `max`, a patient, a code or category | "
    "`the_last_of_each_code_are_given` |\n"
    "\n";

static bool write_page(const struct definitions *definitions, struct buffer *out)
{
    bool whole = true;
    buffer_add_text(out, head);
    write_counts(definitions, out);
    buffer_add_text(out, "## Kinds, modifiers and prefixes\n\nThe tests of reading are in "
                         "`tests/unit/search_plan.c` and `search_chain.c`, those of finding in "
                         "`tests/system/`.\n\n| kind | with | finds | read by | found by "
                         "|\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < KINDS; i++) {
        whole = write_row(kinds[i], "", "", "the value", out) && whole;
        whole = write_modifiers(kinds[i], out) && whole;
        whole = write_prefixes(kinds[i], out) && whole;
    }
    buffer_add_text(out, "\nRefused by name:\n\n| kind | modifiers | prefixes |\n|---|---|---|\n");
    for (size_t i = 0; i < KINDS; i++) {
        write_refused(kinds[i], out);
    }
    return whole;
}

int main(int argc, char **argv)
{
    struct definitions *definitions;
    struct arena *arena = arena_create(0);
    if (argc != 2 || arena == NULL || definitions_open(argv[1], NULL, &definitions) != STATUS_OK) {
        (void)fprintf(stderr, "usage: carelayer-search-table DEFINITIONS\n");
        return 2;
    }
    struct buffer out = {.arena = arena};
    bool whole = write_page(definitions, &out);
    bool written = buffer_ok(&out) && fwrite(out.at, 1, out.length, stdout) == out.length &&
                   fflush(stdout) == 0;
    definitions_close(definitions);
    arena_destroy(arena);
    return !written ? 3 : whole ? 0 : 1;
}
