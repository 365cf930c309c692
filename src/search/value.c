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

enum status check_value_count(struct planning *planning, size_t count)
{
    if (count <= SEARCH_VALUES_MOST) {
        return STATUS_OK;
    }
    return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "",
                        "Parameter '%s' has more than %d values: ask in several searches.",
                        planning->shown, SEARCH_VALUES_MOST);
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

/* system|code|value of R4 search, ":of-type": all three. */
static bool read_of_type(struct planning *planning, struct slice text, struct store_value *value)
{
    size_t count;
    struct slice *parts = split_values(planning->arena, text, '|', &count);
    if (parts == NULL || count != 3) {
        return false;
    }
    value->has_system = true;
    value->system = unescape(planning->arena, parts[0]);
    value->code = unescape(planning->arena, parts[1]);
    value->text = unescape(planning->arena, parts[2]);
    return value->system.length > 0 && value->code.length > 0 && value->text.length > 0;
}

/* id, Type/id, absolute URL; with :Type the value is an id of that type. */
static bool read_reference(struct planning *planning, const struct search_parameter *parameter,
                           resource_type wanted, struct slice text, struct store_value *value)
{
    const struct search_options *options = planning->options;
    struct slice plain = unescape(planning->arena, text);
    if (resource_id_valid(plain)) {
        value->id = plain;
        value->target = wanted;
        return true;
    }
    struct reference reference = reference_parse(options->definitions, plain, options->base_url);
    if (reference.kind == REFERENCE_LOCAL) {
        value->id = reference.id;
        value->target = reference.type;
        return reference.version.length == 0 &&
               (wanted == RESOURCE_TYPE_NONE || wanted == reference.type) &&
               search_parameter_targets(parameter, reference.type);
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

/* Words, all of which must be there. A query language is not among the words: its signs would be
 * taken for something else than they mean. */
static bool read_words(struct planning *planning, struct slice text, struct store_value *value)
{
    if (!read_text(planning, text, value)) {
        return false;
    }
    struct slice rest = value->text;
    for (size_t i = 0; i < rest.length; i++) {
        if (strchr("()\"", rest.at[i]) != NULL) {
            return false;
        }
    }
    while (rest.at != NULL) {
        struct slice word = slice_cut(&rest, ' ');
        if (slice_is(word, "AND") || slice_is(word, "OR") || slice_is(word, "NOT")) {
            return false;
        }
    }
    return true;
}

/* component$component (R4 search, "Composite Search Parameters"). */
static bool read_composite(struct planning *planning, const struct search_parameter *parameter,
                           struct slice text, struct store_value *value)
{
    size_t count;
    struct slice *texts = split_values(planning->arena, text, '$', &count);
    struct store_value *parts = arena_array(planning->arena, count, sizeof *parts);
    if (texts == NULL || parts == NULL || count != parameter->component_count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct search_parameter *component = parameter->components[i].parameter;
        parts[i] = (struct store_value){0};
        if (component == NULL || component->kind == SEARCH_COMPOSITE ||
            !read_value(planning, component, NULL, RESOURCE_TYPE_NONE, texts[i], &parts[i])) {
            return false;
        }
    }
    value->parts = parts;
    value->part_count = count;
    return true;
}

static bool read_plain(struct planning *planning, const struct search_parameter *parameter,
                       resource_type type, struct slice text, struct store_value *value)
{
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
        return read_reference(planning, parameter, type, text, value);
    case SEARCH_STRING:
        return parameter->expression.length > 0 ? read_text(planning, text, value)
                                                : read_words(planning, text, value);
    case SEARCH_URI:
        return read_text(planning, text, value);
    case SEARCH_COMPOSITE:
        return read_composite(planning, parameter, text, value);
    case SEARCH_SPECIAL:
        return read_near(planning, text, value);
    }
    return false;
}

bool read_value(struct planning *planning, const struct search_parameter *parameter,
                const struct search_modifier *modifier, resource_type type, struct slice text,
                struct store_value *value)
{
    switch (modifier != NULL ? modifier->modifier : STORE_PLAIN) {
    case STORE_MISSING:
        return read_missing(text, value);
    case STORE_IDENTIFIER:
        return read_token(planning, text, value);
    case STORE_OF_TYPE:
        return read_of_type(planning, text, value);
    case STORE_TEXT:
        return read_words(planning, text, value);
    default:
        return read_plain(planning, parameter, type, text, value);
    }
}

const char *value_form(const struct search_parameter *parameter,
                       const struct search_modifier *modifier)
{
    static const char *const forms[] = {
        [SEARCH_NUMBER] = "a number, with a prefix such as ge if wanted: ge5.4",
        [SEARCH_DATE] = "a date or time, with a prefix such as ge if wanted: ge2026-01-31",
        [SEARCH_STRING] = "some text",
        [SEARCH_TOKEN] = "code, system|code, |code or system|",
        [SEARCH_REFERENCE] = "an id, Type/id (of a type that it may refer to, without a version) "
                             "or an absolute URL",
        [SEARCH_COMPOSITE] = "a value of each component, with $ between them: code$value",
        [SEARCH_QUANTITY] = "number or number|system|code: ge5.4|http://unitsofmeasure.org|mg",
        [SEARCH_URI] = "a URI",
        [SEARCH_SPECIAL] = "latitude|longitude|distance|unit in degrees, with a UCUM unit of "
                           "length: 51.5|-0.12|2|km"};
    static const char words[] =
        "words, all of which must be there; commas stand between alternatives, and there are no "
        "signs or operators of a query language";
    switch (modifier != NULL ? modifier->modifier : STORE_PLAIN) {
    case STORE_MISSING:
        return "true or false";
    case STORE_IDENTIFIER:
        return forms[SEARCH_TOKEN];
    case STORE_OF_TYPE:
        return "system|code|value: the type of the identifier and its value";
    case STORE_TEXT:
        return words;
    default:
        return parameter->kind == SEARCH_STRING && parameter->expression.length == 0
                   ? words
                   : forms[parameter->kind];
    }
}
