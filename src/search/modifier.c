/* SPDX-License-Identifier: MIT */
/* What there is: kinds, modifiers, prefixes and names. Planning, the capability statement and the
 * table in docs all run on these. */
#include "search/search_int.h"

#define KIND(name) (1u << SEARCH_##name)

/* R4 search, "Modifiers". */
static const struct search_modifier modifiers[] = {
    {"missing", STORE_MISSING,
     KIND(NUMBER) | KIND(DATE) | KIND(STRING) | KIND(TOKEN) | KIND(REFERENCE) | KIND(QUANTITY) |
         KIND(URI),
     "there is no such value, or (false) there is one"},
    {"exact", STORE_EXACT, KIND(STRING), "the whole text, case and accents included"},
    {"contains", STORE_CONTAINS, KIND(STRING) | KIND(URI), "the text anywhere in it"},
    {"text", STORE_TEXT, KIND(TOKEN) | KIND(REFERENCE), "the words beside the code"},
    {"not", STORE_NOT, KIND(TOKEN), "none of its values is this"},
    {"in", STORE_PLAIN, KIND(TOKEN), "a code of the value set"},
    {"not-in", STORE_NOT, KIND(TOKEN), "no code of the value set"},
    {"below", STORE_PLAIN, KIND(TOKEN), "the code or one that it subsumes"},
    {"above", STORE_PLAIN, KIND(TOKEN), "the code or one that subsumes it"},
    {"of-type", STORE_OF_TYPE, KIND(TOKEN), "an identifier of this type: system|code|value"},
    {"below", STORE_BELOW, KIND(URI) | KIND(REFERENCE), "this or what is below it"},
    {"above", STORE_ABOVE, KIND(URI) | KIND(REFERENCE), "this or what is above it"},
    {"identifier", STORE_IDENTIFIER, KIND(REFERENCE), "the identifier inside the reference"},
    {"[type]", STORE_PLAIN, KIND(REFERENCE), "only references to this resource type"},
};

const struct search_modifier *search_modifiers(size_t *ret_count)
{
    *ret_count = sizeof modifiers / sizeof modifiers[0];
    return modifiers;
}

/* R4 search, "Prefixes". */
static const struct search_prefix prefixes[] = {
    {"eq", STORE_EQ}, {"ne", STORE_NE}, {"gt", STORE_GT}, {"lt", STORE_LT}, {"ge", STORE_GE},
    {"le", STORE_LE}, {"sa", STORE_SA}, {"eb", STORE_EB}, {"ap", STORE_AP}};

const struct search_prefix *search_prefixes(size_t *ret_count)
{
    *ret_count = sizeof prefixes / sizeof prefixes[0];
    return prefixes;
}

bool search_kind_has_prefixes(enum search_kind kind)
{
    return kind == SEARCH_NUMBER || kind == SEARCH_DATE || kind == SEARCH_QUANTITY;
}

enum store_compare take_prefix(struct slice *text)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (slice_starts(*text, slice_text(prefixes[i].name))) {
            *text = slice_from(*text, 2);
            return prefixes[i].compare;
        }
    }
    return STORE_EQ;
}

/* `_text` and `_content` have no expression: their values are all words of a resource. */
static bool is_words(const struct search_parameter *parameter)
{
    return slice_is(parameter->code, "_text") || slice_is(parameter->code, "_content");
}

bool search_parameter_answered(const struct search_parameter *parameter)
{
    switch (parameter->kind) {
    case SEARCH_COMPOSITE:
        return parameter->component_count > 0;
    case SEARCH_SPECIAL:
        return slice_is(parameter->code, "near");
    default:
        return parameter->expression.length > 0 || is_words(parameter);
    }
}

/* "subject.where(resolve() is Patient)" leads to patients, whatever else is listed. */
static bool is_elsewhere(const struct search_parameter *parameter, resource_type type)
{
    for (size_t i = 0; i < parameter->path_count; i++) {
        if (parameter->paths[i].target == RESOURCE_TYPE_NONE ||
            parameter->paths[i].target == type) {
            return false;
        }
    }
    return parameter->path_count > 0;
}

bool search_parameter_targets(const struct search_parameter *parameter, resource_type type)
{
    if (is_elsewhere(parameter, type)) {
        return false;
    }
    for (size_t i = 0; i < parameter->target_count; i++) {
        if (parameter->targets[i] == type) {
            return true;
        }
    }
    return parameter->kind == SEARCH_REFERENCE && parameter->target_count == 0;
}

static const struct search_extra extras[] = {
    {"_has", SEARCH_SPECIAL, "_has:Type:reference:parameter=value: what refers to it is like this",
     false},
    {"_list", SEARCH_SPECIAL, "The id of a List that it is an item of.", false},
    {"_type", SEARCH_TOKEN, "Only these resource types.", true},
};

const struct search_extra *search_extras(size_t *ret_count)
{
    *ret_count = sizeof extras / sizeof extras[0];
    return extras;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

const char *shown_name(struct arena *arena, struct slice name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:*";
    if (name.length == 0 || name.length > 128) {
        return "(unreadable)";
    }
    for (size_t i = 0; i < name.length; i++) {
        if (memchr(letters, name.at[i], sizeof letters - 1) == NULL) {
            return "(unreadable)";
        }
    }
    const char *shown = arena_print(arena, "%.*s", SLICE_ARGS(name));
    return shown != NULL ? shown : "(unreadable)";
}

enum status refuse_unknown(struct planning *planning)
{
    if (planning->options->learning) {
        return outcome_fail(planning->outcome, STATUS_TRANSIENT, "",
                            "Search parameter '%s' is not known yet: search parameters are being "
                            "taken in at this moment. Ask again.",
                            planning->shown);
    }
    return outcome_fail(
        planning->outcome, STATUS_PARAMETER, "",
        "Search parameter '%s' is not supported for this type: [base]/metadata "
        "lists those that are.%s",
        planning->shown,
        planning->options->conditional ? "" : " With 'Prefer: handling=lenient' it is ignored.");
}

enum status refuse_modifier(struct planning *planning)
{
    return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                        "Parameter '%s' is not supported with this modifier.", planning->shown);
}

enum status refuse_many(struct planning *planning)
{
    return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "",
                        "Parameter '%s' leads to too many types: name them, as in "
                        "subject:Patient.name.",
                        planning->shown);
}
