/* SPDX-License-Identifier: MIT */
/* Measures: a criterion in CQL is the name of an expression of one of the measure's libraries (R4
 * measure-definitions.html#Measure.group.population.criteria). CQL is not evaluated; whether the
 * library defines what is named can be read from its text, or from its compiled form (ELM). */
#include "validate/form_int.h"

#define LIBRARIES_MOST 32u

struct library {
    const struct canonical *held;
    yyjson_val *root;
    struct slice cql; /* its text; empty: none here */
    yyjson_val *elm;  /* ELM's library.statements.def; NULL: none here */
};

struct measure {
    struct checker *checker;
    struct library libraries[LIBRARIES_MOST];
    size_t count;
    bool whole; /* every library that the measure names is here, and can be read */
};

/* ---- words of CQL -----------------------------------------------------------------------------
 */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Past what is in quotes from AT on; *RET_INSIDE is that, as it is written. */
static size_t after_quotes(struct slice text, size_t at, struct slice *ret_inside)
{
    char quote = text.at[at];
    size_t end = at + 1;
    while (end < text.length && text.at[end] != quote) {
        end += text.at[end] == '\\' ? 2 : 1;
    }
    end = end < text.length ? end : text.length;
    *ret_inside = slice_of(text.at + at + 1, end - at - 1);
    return end + 1;
}

/* Takes the next word or "name" off REST, passing over the rest of the language; false at the end.
 */
static bool next_word(struct slice *rest, struct slice *ret_word)
{
    size_t at = 0;
    while (at < rest->length) {
        char c = rest->at[at];
        struct slice here = slice_from(*rest, at);
        if (slice_starts(here, SLICE("//"))) {
            at += slice_index(here, '\n');
        } else if (slice_starts(here, SLICE("/*"))) {
            const char *end = memmem(here.at + 2, here.length - 2, "*/", 2);
            at = end != NULL ? (size_t)(end - rest->at) + 2 : rest->length;
        } else if (c == '"') {
            *rest = slice_from(*rest, after_quotes(*rest, at, ret_word));
            return true;
        } else if (c == '\'') {
            at = after_quotes(*rest, at, ret_word);
        } else if (is_word(c)) {
            size_t end = at;
            while (end < rest->length && is_word(rest->at[end])) {
                end++;
            }
            *ret_word = slice_of(rest->at + at, end - at);
            *rest = slice_from(*rest, end);
            return true;
        } else {
            at++;
        }
    }
    *rest = slice_from(*rest, rest->length);
    return false;
}

/* "define [public|private] [fluent] [function] NAME" */
static bool text_defines(struct slice cql, struct slice name)
{
    static const char *const before[] = {"public", "private", "fluent", "function"};
    struct slice word;
    while (next_word(&cql, &word)) {
        if (!slice_is(word, "define") || !next_word(&cql, &word)) {
            continue;
        }
        for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
            if (slice_is(word, before[i]) && !next_word(&cql, &word)) {
                return false;
            }
        }
        if (slice_equals(word, name)) {
            return true;
        }
    }
    return false;
}

static bool library_defines(const struct library *library, struct slice name)
{
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(library->elm, i, max, each)
    {
        if (slice_equals(json_get_string(each, "name"), name)) {
            return true;
        }
    }
    return text_defines(library->cql, name);
}

/* ---- libraries --------------------------------------------------------------------------------
 */

static void read_content(struct measure *measure, struct library *library)
{
    struct arena *arena = measure->checker->arena;
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(library->root, "content"), i, max, each)
    {
        struct slice type = json_get_string(each, "contentType");
        struct buffer bytes = {.arena = arena};
        struct json json;
        bool cql = slice_is(slice_head(type, slice_index(type, ';')), "text/cql");
        bool elm = slice_is(type, "application/elm+json");
        if ((!cql && !elm) || !base64_parse(json_get_string(each, "data"), true, &bytes)) {
            continue;
        }
        if (cql) {
            library->cql = buffer_slice(&bytes);
        } else if (json_read(buffer_slice(&bytes), &json_limits_default, arena, NULL, &json) ==
                   STATUS_OK) {
            yyjson_val *statements = json_get(json_get(json.root, "library"), "statements");
            library->elm = json_get(statements, "def");
        }
    }
}

static void hold_libraries(struct measure *measure, yyjson_val *root)
{
    struct conformance *conformance = measure->checker->options->conformance;
    size_t i, max;
    yyjson_val *each;
    measure->whole = true;
    yyjson_arr_foreach(json_get(root, "library"), i, max, each)
    {
        const struct canonical *held =
            measure->count < LIBRARIES_MOST
                ? conformance_hold(conformance, SLICE("Library"), json_string(each))
                : NULL;
        if (held == NULL) {
            measure->whole = false;
            continue;
        }
        struct library *library = &measure->libraries[measure->count++];
        *library = (struct library){.held = held, .root = held->json->root};
        read_content(measure, library);
        measure->whole = measure->whole && (library->cql.length > 0 || library->elm != NULL);
    }
}

/* ---- criteria ---------------------------------------------------------------------------------
 */

/* One name, bare or in quotes, off the front of REST; false when none stands there. */
static bool take_name(struct slice *rest, struct slice *ret_name)
{
    size_t end = 0;
    if (rest->length > 0 && rest->at[0] == '"') {
        *rest = slice_from(*rest, after_quotes(*rest, 0, ret_name));
        return true;
    }
    while (end < rest->length && is_word(rest->at[end])) {
        end++;
    }
    *ret_name = slice_head(*rest, end);
    *rest = slice_from(*rest, end);
    return end > 0;
}

/* "Name" or "Library.Name"; false for an expression of another form. */
static bool read_name(struct slice text, struct slice *ret_library, struct slice *ret_name)
{
    struct slice rest = slice_trim(text);
    *ret_library = (struct slice){NULL, 0};
    if (!take_name(&rest, ret_name)) {
        return false;
    }
    if (rest.length > 0 && rest.at[0] == '.') {
        rest = slice_from(rest, 1);
        *ret_library = *ret_name;
        return take_name(&rest, ret_name) && rest.length == 0;
    }
    return rest.length == 0;
}

/* True also when it cannot be told: another library may be included by those that are named. */
static bool may_be_defined(const struct measure *measure, struct slice library, struct slice name)
{
    bool met = false;
    for (size_t i = 0; i < measure->count; i++) {
        const struct library *each = &measure->libraries[i];
        if (library.length > 0 && !slice_equals(json_get_string(each->root, "name"), library)) {
            continue;
        }
        if ((each->cql.length == 0 && each->elm == NULL) || library_defines(each, name)) {
            return true;
        }
        met = true;
    }
    return library.length > 0 ? !met : !measure->whole || measure->count == 0;
}

static void check_criterion(const struct measure *measure, const struct place *place,
                            yyjson_val *owner)
{
    struct slice library, name;
    yyjson_val *criteria = json_get(owner, "criteria");
    struct slice language = json_get_string(criteria, "language");
    bool cql = slice_is(language, "text/cql") || slice_is(language, "text/cql-identifier") ||
               slice_is(language, "text/cql.identifier");
    if (cql && read_name(json_get_string(criteria, "expression"), &library, &name) &&
        !may_be_defined(measure, library, name)) {
        struct place at = place_member(measure->checker, place, "criteria", NO_INDEX);
        report(measure->checker, &at.frame, criteria, RULE_CRITERION,
               "The library defines no expression of this name: correct the name, or define it.");
    }
}

static void check_criteria(const struct measure *measure, const struct place *place,
                           yyjson_val *owner, const char *member)
{
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(owner, member), i, max, each)
    {
        struct place at = place_member(measure->checker, place, member, (uint32_t)i);
        check_criterion(measure, &at, each);
        if (strcmp(member, "stratifier") == 0) {
            check_criteria(measure, &at, each, "component");
        }
    }
}

void check_measure(struct checker *checker, const struct frame *frame, const struct type_row *type,
                   yyjson_val *root)
{
    struct place place = {.frame = *frame, .type = type};
    struct measure measure = {.checker = checker};
    size_t i, max;
    yyjson_val *group;
    if (!checker->options->strict) {
        return;
    }
    hold_libraries(&measure, root);
    yyjson_arr_foreach(json_get(root, "group"), i, max, group)
    {
        struct place at = place_member(checker, &place, "group", (uint32_t)i);
        check_criteria(&measure, &at, group, "population");
        check_criteria(&measure, &at, group, "stratifier");
    }
    check_criteria(&measure, &place, root, "supplementalData");
    for (size_t each = 0; each < measure.count; each++) {
        conformance_release(checker->options->conformance, measure.libraries[each].held);
    }
}
