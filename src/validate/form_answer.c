/* SPDX-License-Identifier: MIT */
/* One answer against its question: type, options, limits. */
#include <stdio.h>

#include "validate/form_int.h"

#define CORE "http://hl7.org/fhir/StructureDefinition/"
#define SDC  "http://hl7.org/fhir/uv/sdc/StructureDefinition/"

/* ---- comparing --------------------------------------------------------------------------------
 */

static bool is_moment(struct slice name)
{
    return slice_ends(name, SLICE("Date")) || slice_ends(name, SLICE("DateTime"));
}

static bool moments_compare(struct slice a, struct slice b, int *ret_order)
{
    struct partial_date left, right;
    int64_t a_low, a_high, b_low, b_high;
    if (!date_parse(a, DATE_FORM_DATETIME, &left) || !date_parse(b, DATE_FORM_DATETIME, &right)) {
        return false;
    }
    date_range(&left, &a_low, &a_high);
    date_range(&right, &b_low, &b_high);
    if (a_low == b_low && a_high == b_high) {
        *ret_order = 0;
        return true;
    }
    *ret_order = a_low < b_low ? -1 : 1;
    return a_high <= b_low || b_high <= a_low;
}

static bool quantities_compare(yyjson_val *a, yyjson_val *b, int *ret_order)
{
    struct decimal left, right;
    struct slice a_code = json_get_string(a, "code"), b_code = json_get_string(b, "code");
    if (a_code.length == 0 || !slice_equals(a_code, b_code) ||
        !slice_equals(json_get_string(a, "system"), json_get_string(b, "system")) ||
        !decimal_parse(json_number(json_get(a, "value")), &left) ||
        !decimal_parse(json_number(json_get(b, "value")), &right)) {
        return false;
    }
    *ret_order = decimal_compare(left, right);
    return true;
}

/* Of two codings, by what both say. */
static bool codings_equal(yyjson_val *a, yyjson_val *b)
{
    struct slice a_system = json_get_string(a, "system"), b_system = json_get_string(b, "system");
    return slice_equals(json_get_string(a, "code"), json_get_string(b, "code")) &&
           slice_equals(a_system, b_system);
}

bool answers_compare(yyjson_val *a, struct slice a_name, yyjson_val *b, struct slice b_name,
                     int *ret_order)
{
    struct decimal left, right;
    if (yyjson_is_raw(a) && yyjson_is_raw(b)) {
        if (!decimal_parse(json_number(a), &left) || !decimal_parse(json_number(b), &right)) {
            return false;
        }
        *ret_order = decimal_compare(left, right);
        return true;
    }
    if (yyjson_is_bool(a) && yyjson_is_bool(b)) {
        *ret_order = yyjson_get_bool(a) == yyjson_get_bool(b) ? 0 : 1;
        return true;
    }
    if (yyjson_is_str(a) && yyjson_is_str(b)) {
        if (is_moment(a_name) && is_moment(b_name)) {
            return moments_compare(json_string(a), json_string(b), ret_order);
        }
        *ret_order = slice_compare(json_string(a), json_string(b));
        return true;
    }
    if (!yyjson_is_obj(a) || !yyjson_is_obj(b)) {
        return false;
    }
    if (slice_ends(a_name, SLICE("Quantity")) && slice_ends(b_name, SLICE("Quantity"))) {
        return quantities_compare(a, b, ret_order);
    }
    if (slice_ends(a_name, SLICE("Reference"))) {
        *ret_order =
            slice_equals(json_get_string(a, "reference"), json_get_string(b, "reference")) ? 0 : 1;
        return true;
    }
    *ret_order = codings_equal(a, b) ? 0 : 1;
    return true;
}

/* ---- types ------------------------------------------------------------------------------------
 */

/* Which member an answer to an item of this type has (R4 value set item-type). A choice may have
 * options of several types. */
static const struct {
    const char *type, *member, *also;
} answer_types[] = {
    {"boolean", "valueBoolean", NULL},
    {"decimal", "valueDecimal", NULL},
    {"integer", "valueInteger", NULL},
    {"date", "valueDate", NULL},
    {"dateTime", "valueDateTime", NULL},
    {"time", "valueTime", NULL},
    {"string", "valueString", NULL},
    {"text", "valueString", NULL},
    {"url", "valueUri", NULL},
    {"attachment", "valueAttachment", NULL},
    {"reference", "valueReference", NULL},
    {"quantity", "valueQuantity", NULL},
    {"choice", "valueCoding", "valueString valueInteger valueDate valueTime valueReference"},
    {"open-choice", "valueCoding", "valueString valueInteger valueDate valueTime valueReference"},
};

static bool is_among(struct slice name, const char *names)
{
    struct slice rest = slice_text(names);
    while (rest.at != NULL) {
        if (slice_equals(slice_cut(&rest, ' '), name)) {
            return true;
        }
    }
    return false;
}

static bool type_fits(struct checker *checker, const struct place *at,
                      const struct form_item *question, yyjson_val *value, struct slice name)
{
    for (size_t i = 0; i < sizeof answer_types / sizeof answer_types[0]; i++) {
        if (!slice_is(question->type, answer_types[i].type)) {
            continue;
        }
        if (slice_is(name, answer_types[i].member) || is_among(name, answer_types[i].also)) {
            return true;
        }
        report(checker, &at->frame, value, RULE_ANSWER,
               say(checker, "The question asks for an answer of type %s: give it as %s.",
                   answer_types[i].type, answer_types[i].member));
        return false;
    }
    return true; /* a type that R4 does not know is the questionnaire's problem */
}

/* ---- options ----------------------------------------------------------------------------------
 */

static bool is_exclusive(yyjson_val *option)
{
    return yyjson_is_true(extension_value(option, CORE "questionnaire-optionExclusive"));
}

/* The option that was chosen, or NULL. */
static yyjson_val *chosen_option(yyjson_val *options, yyjson_val *value, struct slice name)
{
    size_t i, max;
    yyjson_val *option;
    yyjson_arr_foreach(options, i, max, option)
    {
        struct slice option_name;
        int order;
        yyjson_val *offered = choice_value(option, "value", &option_name);
        if (offered != NULL && slice_equals(option_name, name) &&
            answers_compare(value, name, offered, option_name, &order) && order == 0) {
            return option;
        }
    }
    return NULL;
}

static bool offers_type(yyjson_val *options, struct slice name)
{
    size_t i, max;
    yyjson_val *option;
    yyjson_arr_foreach(options, i, max, option)
    {
        if (yyjson_obj_getn(option, name.at, name.length) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_options(struct checker *checker, const struct place *answer_place,
                          const struct place *value_place, const struct form_item *question,
                          yyjson_val *answer, yyjson_val *value, struct slice name)
{
    yyjson_val *options = json_get(question->definition, "answerOption");
    bool coded = slice_is(name, "valueCoding");
    if (options == NULL || (slice_is(question->type, "open-choice") && !coded)) {
        return;
    }
    if (!offers_type(options, name) && slice_is(name, "valueString")) {
        report_as(checker, SEVERITY_WARNING, &answer_place->frame, value, RULE_OPTION,
                  "The question offers codes: choose one of them rather than its words.");
        return;
    }
    yyjson_val *option = chosen_option(options, value, name);
    if (option == NULL) {
        report(checker, coded ? &answer_place->frame : &value_place->frame, value, RULE_OPTION,
               "The answer is none of those that the question offers: choose one of its "
               "answerOptions.");
    } else if (is_exclusive(option) && yyjson_arr_size(json_get(answer, "answer")) > 1) {
        report(checker, &answer_place->frame, value, RULE_OPTION,
               "This option excludes all others: give it alone, or leave it out.");
    }
}

/* A value set that the questionnaire contains is not among the conformance resources. */
static bool is_fragment(struct slice canonical)
{
    return canonical.length > 0 && canonical.at[0] == '#';
}

static void check_value_set(struct checker *checker, const struct place *place,
                            struct slice value_set, const struct terms_coding *coding,
                            yyjson_val *at, const char *text)
{
    struct terms *terms = checker->options->terms;
    if (terms == NULL || value_set.length == 0 || is_fragment(value_set)) {
        return;
    }
    enum terms_verdict verdict = terms_check(terms, value_set, coding, checker->arena, NULL);
    if (verdict == TERMS_NOT_MEMBER) {
        report(checker, &place->frame, at, RULE_OPTION, text);
    } else if (verdict == TERMS_UNKNOWN_SET || verdict == TERMS_UNKNOWN_SYSTEM) {
        report_as(checker, SEVERITY_WARNING, &place->frame, at, RULE_OPTION,
                  "Whether the answer is one of those allowed cannot be told: load the value set "
                  "that the question names and its code systems.");
    }
}

static void check_answer_set(struct checker *checker, const struct place *answer_place,
                             const struct place *value_place, const struct form_item *question,
                             yyjson_val *value, struct slice name)
{
    struct slice set = json_get_string(question->definition, "answerValueSet");
    struct terms_coding coding = {0};
    if (slice_is(name, "valueCoding")) {
        coding = (struct terms_coding){.system = json_get_string(value, "system"),
                                       .version = json_get_string(value, "version"),
                                       .code = json_get_string(value, "code")};
        if (coding.system.length == 0) {
            return; /* said by the check of codings */
        }
        check_value_set(checker, answer_place, set, &coding, value,
                        "The code is not in the value set of the question: choose one that is.");
    } else if (slice_is(name, "valueString") && !slice_is(question->type, "open-choice")) {
        coding.code = json_string(value);
        check_value_set(checker, value_place, set, &coding, value,
                        "The text is no code of the value set of the question: choose one.");
    }
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static void check_limit(struct checker *checker, const struct place *place,
                        const struct form_item *question, const char *url, int sign,
                        yyjson_val *value, struct slice name)
{
    size_t i, max;
    yyjson_val *extension;
    yyjson_arr_foreach(json_get(question->definition, "extension"), i, max, extension)
    {
        struct slice limit_name;
        int order;
        if (!slice_is(json_get_string(extension, "url"), url)) {
            continue;
        }
        yyjson_val *limit = choice_value(extension, "value", &limit_name);
        if (!answers_compare(value, name, limit, limit_name, &order)) {
            report(checker, &place->frame, value, RULE_ANSWER,
                   "The answer cannot be compared with the limit that the question sets: give "
                   "both with the same formal unit (system and code).");
        } else if (order * sign > 0) {
            report(checker, &place->frame, value, RULE_ANSWER,
                   sign > 0 ? "The answer is over the largest value that the question allows."
                            : "The answer is under the smallest value that the question allows.");
        }
    }
}

static size_t characters_of(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += (text.at[i] & 0xC0) != 0x80;
    }
    return count;
}

static void check_length(struct checker *checker, const struct place *place,
                         const struct form_item *question, yyjson_val *value)
{
    uint64_t limit;
    yyjson_val *most = json_get(question->definition, "maxLength");
    yyjson_val *least = extension_value(question->definition, CORE "minLength");
    if (!yyjson_is_str(value)) {
        return;
    }
    size_t length = characters_of(json_string(value));
    if (slice_to_unsigned(json_number(most), INT32_MAX, &limit) && length > limit) {
        report(checker, &place->frame, value, RULE_ANSWER,
               say(checker, "The answer may have %u characters at most.", (unsigned)limit));
    }
    if (slice_to_unsigned(json_number(least), INT32_MAX, &limit) && length < limit) {
        report(checker, &place->frame, value, RULE_ANSWER,
               say(checker, "The answer needs %u characters at least.", (unsigned)limit));
    }
}

static void check_decimals(struct checker *checker, const struct place *place,
                           const struct form_item *question, yyjson_val *value)
{
    uint64_t limit;
    struct decimal number;
    yyjson_val *places = extension_value(question->definition, CORE "maxDecimalPlaces");
    struct slice text = json_number(yyjson_is_obj(value) ? json_get(value, "value") : value);
    if (slice_to_unsigned(json_number(places), INT32_MAX, &limit) && decimal_parse(text, &number) &&
        number.scale > (int64_t)limit) {
        report(checker, &place->frame, value, RULE_ANSWER,
               say(checker, "The answer may have %u decimal places at most.", (unsigned)limit));
    }
}

static void check_attachment(struct checker *checker, const struct place *answer_place,
                             const struct form_item *question, yyjson_val *attachment)
{
    size_t i, max;
    yyjson_val *extension;
    bool limited = false, fits = false;
    struct slice type = json_get_string(attachment, "contentType");
    yyjson_arr_foreach(json_get(question->definition, "extension"), i, max, extension)
    {
        if (slice_is(json_get_string(extension, "url"), CORE "mimeType")) {
            limited = true;
            fits = fits || slice_equals(json_get_string(extension, "valueCode"), type);
        }
    }
    if (limited && !fits) {
        report(checker, &answer_place->frame, attachment, RULE_ANSWER,
               "The question takes other media types only: give contentType, and content, of one "
               "that its mimeType extension allows.");
    }
}

/* unitOption: the units offered; unitValueSet: a value set of them. */
static void check_unit(struct checker *checker, const struct place *place,
                       const struct form_item *question, yyjson_val *quantity)
{
    size_t i, max;
    yyjson_val *extension;
    bool limited = false, fits = false;
    yyjson_arr_foreach(json_get(question->definition, "extension"), i, max, extension)
    {
        if (slice_is(json_get_string(extension, "url"), CORE "questionnaire-unitOption")) {
            limited = true;
            fits = fits || codings_equal(json_get(extension, "valueCoding"), quantity);
        }
    }
    if (limited && !fits) {
        report(checker, &place->frame, quantity, RULE_ANSWER,
               "The question takes other units only: give system and code of one that it offers.");
    }
    struct slice set =
        json_string(extension_value(question->definition, CORE "questionnaire-unitValueSet"));
    struct terms_coding coding = {.system = json_get_string(quantity, "system"),
                                  .code = json_get_string(quantity, "code")};
    if (set.length > 0 && coding.code.length == 0) {
        report(checker, &place->frame, quantity, RULE_ANSWER,
               "The question takes units of a value set: give the unit's system and code.");
    } else {
        check_value_set(checker, place, set, &coding, quantity,
                        "The unit is not in the value set of units that the question names.");
    }
}

void check_answer(struct checker *checker, const struct place *place,
                  const struct form_item *question, yyjson_val *item, yyjson_val *answer)
{
    struct slice name;
    yyjson_val *value = choice_value(answer, "value", &name);
    if (value == NULL ||
        type_find_element(checker->tables, place->type, name.at, name.length) == NULL) {
        return; /* none, or reported as unknown already */
    }
    char member[64];
    (void)snprintf(member, sizeof member, "%.*s", SLICE_ARGS(name));
    struct place at = place_member(checker, place, member, NO_INDEX);
    if (!type_fits(checker, &at, question, value, name)) {
        return;
    }
    check_options(checker, place, &at, question, item, value, name);
    check_answer_set(checker, place, &at, question, value, name);
    check_limit(checker, &at, question, CORE "minValue", -1, value, name);
    check_limit(checker, &at, question, CORE "maxValue", 1, value, name);
    check_limit(checker, &at, question, SDC "sdc-questionnaire-minQuantity", -1, value, name);
    check_limit(checker, &at, question, SDC "sdc-questionnaire-maxQuantity", 1, value, name);
    check_length(checker, &at, question, value);
    check_decimals(checker, &at, question, value);
    if (slice_is(name, "valueAttachment")) {
        check_attachment(checker, place, question, value);
    } else if (slice_is(name, "valueQuantity")) {
        check_unit(checker, &at, question, value);
    }
}
