/* SPDX-License-Identifier: MIT */
/* From the text of a search value to its typed form (R4 search, "Search Parameter Types"). */
#include "search/search_int.h"

struct slice *split_values(struct arena *arena, struct slice text, char separator,
                           size_t *ret_count)
{
    size_t most = 1;
    for (size_t i = 0; i < text.length; i++) {
        most += text.at[i] == separator;
    }
    struct slice *parts = arena_array(arena, most, sizeof *parts);
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; parts != NULL && i < text.length; i++) {
        if (text.at[i] == '\\') {
            i++;
        } else if (text.at[i] == separator) {
            parts[count++] = slice_of(text.at + start, i - start);
            start = i + 1;
        }
    }
    if (parts != NULL) {
        parts[count++] = slice_from(text, start);
    }
    *ret_count = count;
    return parts;
}

enum status check_value_count(struct planning *planning, const struct search_argument *argument,
                              size_t count)
{
    if (count <= SEARCH_VALUES_MOST) {
        return STATUS_OK;
    }
    return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "",
                        "Parameter '%s' has more than %d values: ask in several searches.",
                        shown_name(planning->arena, argument), SEARCH_VALUES_MOST);
}

struct slice unescape(struct arena *arena, struct slice text)
{
    if (slice_index(text, '\\') == text.length) {
        return text;
    }
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '\\' && i + 1 < text.length && strchr(",$|\\", text.at[i + 1]) != NULL) {
            i++;
        }
        buffer_add_byte(&out, text.at[i]);
    }
    return buffer_slice(&out);
}

enum store_compare take_prefix(struct slice *text)
{
    static const struct {
        const char *text;
        enum store_compare compare;
    } prefixes[] = {{"eq", STORE_EQ}, {"ne", STORE_NE}, {"gt", STORE_GT},
                    {"lt", STORE_LT}, {"ge", STORE_GE}, {"le", STORE_LE},
                    {"sa", STORE_SA}, {"eb", STORE_EB}, {"ap", STORE_AP}};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (slice_starts(*text, slice_text(prefixes[i].text))) {
            *text = slice_from(*text, 2);
            return prefixes[i].compare;
        }
    }
    return STORE_EQ;
}

const char *shown_name(struct arena *arena, const struct search_argument *argument)
{
    struct slice name = argument->name;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:";
    if (name.length == 0 || name.length > 64) {
        return "(unreadable)";
    }
    for (size_t i = 0; i < name.length; i++) {
        if (memchr(letters, name.at[i], sizeof letters - 1) == NULL) {
            return "(unreadable)";
        }
    }
    return arena_print(arena, "%.*s", SLICE_ARGS(name));
}

static bool read_date(struct slice text, struct store_value *value)
{
    struct partial_date date;
    value->compare = take_prefix(&text);
    if (!date_parse(text, DATE_FORM_SEARCH, &date)) {
        return false;
    }
    date_range(&date, &value->low, &value->high);
    return true;
}

static bool read_number(struct slice text, struct store_value *value)
{
    value->compare = take_prefix(&text);
    return decimal_parse(text, &value->number) &&
           decimal_range(value->number, &value->number_low, &value->number_high);
}

/* [prefix]number|system|code; the two behind may both be missing. */
static bool read_quantity(struct planning *planning, struct slice text, struct store_value *value)
{
    size_t count;
    struct slice *parts = split_values(planning->arena, text, '|', &count);
    if (parts == NULL || (count != 1 && count != 3) || !read_number(parts[0], value)) {
        return false;
    }
    if (count == 3) {
        value->system = unescape(planning->arena, parts[1]);
        value->has_system = value->system.length > 0;
        value->code = unescape(planning->arena, parts[2]);
    }
    return true;
}

/* code, system|code, |code (no system), system| (any code of it). */
static bool read_token(struct planning *planning, struct slice text, struct store_value *value)
{
    size_t count;
    struct slice *parts = split_values(planning->arena, text, '|', &count);
    if (parts == NULL || count > 2 || text.length == 0 || slice_is(text, "|")) {
        return false;
    }
    value->has_system = count == 2;
    value->system = count == 2 ? unescape(planning->arena, parts[0]) : (struct slice){0};
    value->code = unescape(planning->arena, parts[count - 1]);
    return true;
}

static bool may_target(const struct search_parameter *parameter, resource_type type)
{
    for (size_t i = 0; i < parameter->target_count; i++) {
        if (parameter->targets[i] == type) {
            return true;
        }
    }
    return parameter->target_count == 0;
}

/* id, Type/id, absolute URL; with :Type the value is an id of that type. */
static bool read_reference(struct planning *planning, const struct search_parameter *parameter,
                           const struct search_argument *argument, struct slice text,
                           struct store_value *value)
{
    const struct search_options *options = planning->options;
    struct slice plain = unescape(planning->arena, text);
    resource_type wanted = resource_type_find(options->definitions, argument->modifier);
    if (resource_id_valid(plain)) {
        value->id = plain;
        value->target = wanted;
        return true;
    }
    struct reference reference = reference_parse(options->definitions, plain, options->base_url);
    if (reference.kind == REFERENCE_LOCAL) {
        value->id = reference.id;
        value->target = reference.type;
        return (wanted == RESOURCE_TYPE_NONE || wanted == reference.type) &&
               may_target(parameter, reference.type);
    }
    value->text = plain;
    return reference.kind == REFERENCE_FOREIGN || reference.kind == REFERENCE_URN;
}

static bool read_missing(struct slice text, struct store_value *value)
{
    value->boolean = slice_is(text, "true");
    return value->boolean || slice_is(text, "false");
}

static bool read_text(struct planning *planning, struct slice text, struct store_value *value)
{
    value->text = unescape(planning->arena, text);
    return value->text.length > 0;
}

static bool read_value(struct planning *planning, const struct search_parameter *parameter,
                       const struct search_argument *argument, enum store_modifier modifier,
                       struct slice text, struct store_value *value)
{
    if (modifier == STORE_MISSING) {
        return read_missing(text, value);
    }
    if (modifier == STORE_IDENTIFIER) {
        return read_token(planning, text, value);
    }
    switch (parameter->kind) {
    case SEARCH_DATE:
        return read_date(text, value);
    case SEARCH_NUMBER:
        return read_number(text, value);
    case SEARCH_QUANTITY:
        return read_quantity(planning, text, value);
    case SEARCH_TOKEN:
        return read_token(planning, text, value);
    case SEARCH_REFERENCE:
        return read_reference(planning, parameter, argument, text, value);
    case SEARCH_STRING:
    case SEARCH_URI:
        return read_text(planning, text, value);
    case SEARCH_COMPOSITE:
    case SEARCH_SPECIAL:
        break;
    }
    return false;
}

/* Which modifier goes with which kind; false: not one that is answered here. */
static bool read_modifier(const struct planning *planning, const struct search_parameter *parameter,
                          struct slice text, enum store_modifier *ret_modifier)
{
    static const struct {
        const char *name;
        enum store_modifier modifier;
        unsigned kinds;
    } known[] = {
        {"missing", STORE_MISSING, ~0u},
        {"not", STORE_NOT, 1u << SEARCH_TOKEN},
        {"exact", STORE_EXACT, 1u << SEARCH_STRING},
        {"contains", STORE_CONTAINS, 1u << SEARCH_STRING},
        {"below", STORE_BELOW, 1u << SEARCH_URI},
        {"above", STORE_ABOVE, 1u << SEARCH_URI},
        {"identifier", STORE_IDENTIFIER, 1u << SEARCH_REFERENCE},
    };
    *ret_modifier = STORE_PLAIN;
    if (text.length == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_is(text, known[i].name)) {
            *ret_modifier = known[i].modifier;
            return (known[i].kinds & 1u << parameter->kind) != 0;
        }
    }
    return parameter->kind == SEARCH_REFERENCE &&
           resource_type_find(planning->options->definitions, text) != RESOURCE_TYPE_NONE;
}

static const char *value_form(enum search_kind kind)
{
    static const char *const forms[] = {
        [SEARCH_NUMBER] = "a number, with a prefix such as ge if wanted: ge5.4",
        [SEARCH_DATE] = "a date or time, with a prefix such as ge if wanted: ge2026-01-31",
        [SEARCH_STRING] = "some text",
        [SEARCH_TOKEN] = "code, system|code, |code or system|",
        [SEARCH_REFERENCE] = "an id, Type/id (of a type that it may refer to) or an absolute URL",
        [SEARCH_COMPOSITE] = "not supported",
        [SEARCH_QUANTITY] = "number or number|system|code: ge5.4|http://unitsofmeasure.org|mg",
        [SEARCH_URI] = "a URI",
        [SEARCH_SPECIAL] = "not supported"};
    return forms[kind];
}

enum status plan_clause(struct planning *planning, const struct search_parameter *parameter,
                        const struct search_argument *argument)
{
    const char *name = shown_name(planning->arena, argument);
    struct store_clause clause = {.parameter = parameter};
    if (!read_modifier(planning, parameter, argument->modifier, &clause.modifier)) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s' is not supported with this modifier.", name);
    }
    size_t count;
    struct slice *texts = split_values(planning->arena, argument->value, ',', &count);
    struct store_value *values = arena_array(planning->arena, count, sizeof *values);
    if (texts == NULL || values == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(check_value_count(planning, argument, count));
    for (size_t i = 0; i < count; i++) {
        if (!read_value(planning, parameter, argument, clause.modifier, texts[i], &values[i])) {
            return outcome_fail(planning->outcome, STATUS_VALUE, "",
                                "A value of parameter '%s' cannot be read: give %s.", name,
                                clause.modifier == STORE_MISSING ? "true or false"
                                                                 : value_form(parameter->kind));
        }
    }
    clause.values = values;
    clause.value_count = count;
    planning->clauses[planning->plan->query.clause_count++] = clause;
    return STATUS_OK;
}
