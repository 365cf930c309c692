/* SPDX-License-Identifier: MIT */
/* Displays: which words to show for a code in which language, and whether the words that came with
 * a code are among those known for it. */
#include "terms/terms_int.h"

bool language_matches(struct slice wanted, struct slice given)
{
    return slice_equals_ignoring_case(wanted, given) ||
           (given.length > wanted.length && given.at[wanted.length] == '-' &&
            slice_equals_ignoring_case(slice_head(given, wanted.length), wanted));
}

bool designation_withdrawn(const struct designation *designation)
{
    yyjson_val *status = extension_find(
        designation->node,
        "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status");
    return slice_is(json_get_string(status, "valueCode"), "withdrawn");
}

/* Is the designation a name that may stand for the code, and no synonym of some special use? */
static bool is_name(const struct designation *designation)
{
    static const char *const systems[] = {"http://terminology.hl7.org/CodeSystem/designation-usage",
                                          "http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra",
                                          "http://snomed.info/sct"};
    bool usual = designation->use_code.length == 0;
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        usual |= slice_is(designation->use_system, systems[i]);
    }
    return usual && designation->value.length > 0 && !designation_withdrawn(designation);
}

static const struct designation *listed_designations(yyjson_val *listed, struct arena *arena,
                                                     size_t *ret_count)
{
    yyjson_val *nodes = json_get(listed, "designation");
    struct designation *all = arena_array(arena, yyjson_arr_size(nodes) + 1, sizeof *all);
    size_t at, max;
    yyjson_val *node;
    *ret_count = 0;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        yyjson_val *use = json_get(node, "use");
        if (all != NULL) {
            all[(*ret_count)++] =
                (struct designation){.language = json_get_string(node, "language"),
                                     .use_system = json_get_string(use, "system"),
                                     .use_code = json_get_string(use, "code"),
                                     .value = json_get_string(node, "value"),
                                     .node = node};
        }
    }
    return all;
}

/* ---- what to show -----------------------------------------------------------------------------
 */

/* The first designation of exactly that language, else of one below it. */
static const struct designation *in_language(const struct designation *all, size_t count,
                                             struct slice language)
{
    const struct designation *near = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!is_name(&all[i]) || all[i].language.length == 0) {
            continue;
        }
        if (slice_equals_ignoring_case(all[i].language, language)) {
            return &all[i];
        }
        if (near == NULL && language_matches(language, all[i].language)) {
            near = &all[i];
        }
    }
    return near;
}

struct shown display_for(const struct question *question, const struct code_system *system,
                         uint32_t code, yyjson_val *listed)
{
    struct slice display = json_get_string(listed, "display");
    struct shown standard = {display.length > 0 ? display : code_display(system, code),
                             system->language};
    if (question->language_count == 0) {
        return standard;
    }
    size_t count, more;
    const struct designation *all =
        scope_designations(question->scope, system, code, question->arena, &count);
    const struct designation *own = listed_designations(listed, question->arena, &more);
    for (size_t i = 0; i < question->language_count; i++) {
        struct slice language = question->languages[i];
        if (system->language.length > 0 && standard.text.length > 0 &&
            language_matches(language, system->language)) {
            return standard;
        }
        const struct designation *found = in_language(own, more, language);
        found = found != NULL ? found : in_language(all, count, language);
        if (found != NULL) {
            return (struct shown){found->value, found->language};
        }
    }
    return standard;
}

/* ---- what came with a code --------------------------------------------------------------------
 */

struct choices {
    struct shown list[64];
    size_t count;
    struct slice standard; /* the code system's own display */
};

static void add_choice(struct choices *choices, struct slice text, struct slice language)
{
    for (size_t i = 0; i < choices->count; i++) {
        if (slice_equals(choices->list[i].text, text)) {
            return;
        }
    }
    if (text.length > 0 && choices->count < sizeof choices->list / sizeof choices->list[0]) {
        choices->list[choices->count++] = (struct shown){text, language};
    }
}

static void collect(struct question *question, const struct code_system *system, uint32_t code,
                    yyjson_val *listed, struct choices *choices)
{
    size_t count, more;
    const struct designation *all =
        scope_designations(question->scope, system, code, question->arena, &count);
    const struct designation *own = listed_designations(listed, question->arena, &more);
    choices->standard = code_display(system, code);
    if (choices->standard.length == 0) {
        choices->standard = json_get_string(listed, "display");
    }
    add_choice(choices, choices->standard, system->language);
    add_choice(choices, json_get_string(listed, "display"), system->language);
    for (size_t i = 0; i < count + more; i++) {
        const struct designation *each = i < count ? &all[i] : &own[i - count];
        if (is_name(each)) {
            add_choice(choices, each->value, each->language);
        }
    }
}

static bool in_languages(const struct question *question, struct slice language)
{
    bool fits = question->language_count == 0 || language.length == 0;
    for (size_t i = 0; i < question->language_count; i++) {
        fits |= language_matches(question->languages[i], language);
    }
    return fits;
}

/* Case and runs of white space make no other display. */
static bool same_words(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;
    a = slice_trim(a);
    b = slice_trim(b);
    while (i < a.length && j < b.length) {
        bool space = a.at[i] == ' ', other = b.at[j] == ' ';
        if (space != other ||
            !slice_equals_ignoring_case(slice_of(a.at + i, 1), slice_of(b.at + j, 1))) {
            return false;
        }
        while (space && i + 1 < a.length && a.at[i + 1] == ' ') {
            i++;
        }
        while (other && j + 1 < b.length && b.at[j + 1] == ' ') {
            j++;
        }
        i++;
        j++;
    }
    return i == a.length && j == b.length;
}

static void add_quoted(struct buffer *out, const struct shown *shown)
{
    buffer_print(out, "'%.*s'", SLICE_ARGS(shown->text));
    if (shown->language.length > 0) {
        buffer_print(out, " (%.*s)", SLICE_ARGS(shown->language));
    }
}

/* "'A' (en)", "one of 2 choices: 'A' (en) or 'B' (de)". */
static struct slice name_choices(const struct question *question, const struct choices *choices)
{
    struct buffer out = {.arena = question->arena};
    const struct shown *fitting[64];
    size_t count = 0;
    for (size_t i = 0; i < choices->count; i++) {
        if (in_languages(question, choices->list[i].language)) {
            fitting[count++] = &choices->list[i];
        }
    }
    if (count > 1) {
        buffer_print(&out, "one of %zu choices: ", count);
    }
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&out, i == 0 ? "" : i + 1 == count ? " or " : ", ");
        add_quoted(&out, fitting[i]);
    }
    return buffer_slice(&out);
}

static void tell_wrong(struct question *question, const struct code_system *system, uint32_t code,
                       const struct choices *choices, bool any, struct slice display,
                       struct slice path, bool lenient)
{
    struct problems *problems = &question->scope->problems;
    struct slice languages = question->language_count > 0 ? question->language_text : SLICE("--");
    uint32_t errors = problems->errors;
    struct problem *problem =
        any ? problem_add(problems, MESSAGE_DISPLAY_WRONG, path, display, system->url,
                          code_text(system, code), name_choices(question, choices), languages)
            : problem_add(problems, MESSAGE_DISPLAY_NONE_WRONG, path, display, system->url,
                          code_text(system, code), languages, choices->standard);
    if (problem != NULL && lenient) {
        problem->severity = SEVERITY_WARNING;
        problems->errors = errors;
    }
}

void display_check(struct question *question, const struct code_system *system, uint32_t code,
                   yyjson_val *listed, struct slice display, struct slice path, bool lenient)
{
    struct choices choices = {.count = 0};
    bool any = false, right = false, standard = false;
    collect(question, system, code, listed, &choices);
    if (choices.count == 0) {
        problem_add(&question->scope->problems, MESSAGE_DISPLAY_UNKNOWN, path, system->url,
                    code_text(system, code), display);
        return;
    }
    for (size_t i = 0; i < choices.count; i++) {
        const struct shown *each = &choices.list[i];
        bool same = same_words(each->text, display);
        bool fits = in_languages(question, each->language);
        any |= fits;
        right |= fits && same;
        standard |=
            same && (slice_equals(each->language, system->language) || each->language.length == 0);
    }
    if (right) {
        return;
    }
    if (!any && standard) {
        problem_add(&question->scope->problems, MESSAGE_DISPLAY_NONE_RIGHT, path, system->url,
                    code_text(system, code), question->language_text, display);
        return;
    }
    tell_wrong(question, system, code, &choices, any, display, path, lenient);
}

bool display_known(struct question *question, const struct code_system *system, uint32_t code,
                   yyjson_val *listed, struct slice display)
{
    struct choices choices = {.count = 0};
    collect(question, system, code, listed, &choices);
    for (size_t i = 0; i < choices.count; i++) {
        if (in_languages(question, choices.list[i].language) &&
            same_words(choices.list[i].text, display)) {
            return true;
        }
    }
    return choices.count == 0;
}
