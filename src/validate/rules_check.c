/* SPDX-License-Identifier: MIT */
/* Holds objects against the rules of their type. */
#include "validate/rules_int.h"

/* ---- tests ------------------------------------------------------------------------------------
 */

/* NHS Data Dictionary, "NHS NUMBER": weights 10 to 2, 11 less the remainder by 11 is the check
 * digit; 11 is written 0, and 10 is not valid. */
static bool is_nhs_number(struct slice text)
{
    int sum = 0;
    if (text.length != 10 || slice_is(text, "0000000000") || slice_is(text, "9999999999")) {
        return false;
    }
    for (size_t i = 0; i < 10; i++) {
        int digit = text.at[i] - '0';
        if (digit < 0 || digit > 9) {
            return false;
        }
        sum += i < 9 ? digit * (10 - (int)i) : 0;
    }
    return (11 - sum % 11) % 11 == text.at[9] - '0';
}

/* A: a capital letter, 9: a digit, X: either; all else stands for itself. */
static bool has_form(struct slice text, struct slice form)
{
    if (text.length != form.length) {
        return false;
    }
    for (size_t i = 0; i < form.length; i++) {
        char c = text.at[i];
        bool letter = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
        switch (form.at[i]) {
        case 'A':
            if (!letter) {
                return false;
            }
            break;
        case '9':
            if (!digit) {
                return false;
            }
            break;
        case 'X':
            if (!letter && !digit) {
                return false;
            }
            break;
        default:
            if (c != form.at[i]) {
                return false;
            }
        }
    }
    return true;
}

static bool has_some_form(struct slice text, const struct rule_list *forms)
{
    for (size_t i = 0; i < forms->count; i++) {
        if (has_form(text, forms->items[i])) {
            return true;
        }
    }
    return false;
}

static bool date_of(struct slice text, struct partial_date *ret_date)
{
    return date_parse(text, DATE_FORM_DATETIME, ret_date);
}

static int64_t now_of(const struct checker *checker)
{
    return checker->options->now != 0 ? checker->options->now : time_now();
}

/* A day of grace: it is tomorrow already in half of the world. */
static bool is_future(const struct checker *checker, const struct partial_date *date)
{
    int64_t low, high;
    date_range(date, &low, &high);
    return low > now_of(checker) + MICROS_PER_DAY;
}

/* What a partial date leaves open is read in favour of the sender. */
static bool is_before(const struct partial_date *date, const struct partial_date *other)
{
    int64_t low, high, other_low, other_high;
    date_range(date, &low, &high);
    date_range(other, &other_low, &other_high);
    return high <= other_low;
}

/* Does INSTANT lie more than YEARS behind the date? */
static bool is_beyond(struct partial_date date, int years, int64_t instant)
{
    int64_t low, high;
    if (date.year + years > 9998) {
        return false;
    }
    date.year = (int16_t)(date.year + years);
    if (date.month == 2 && date.day == 29) {
        date.day = 28;
    }
    date_range(&date, &low, &high);
    return instant >= high + MICROS_PER_DAY;
}

/* The member that a test compares with; false when it is not there. */
static bool other_date(const struct rule_row *row, const yyjson_val *object,
                       struct partial_date *ret_date)
{
    return date_of(json_get_string(object, row->other), ret_date);
}

static bool date_passes(const struct checker *checker, const struct rule_row *row,
                        const yyjson_val *object, struct slice text)
{
    struct partial_date date, other;
    if (!date_of(text, &date)) {
        return true; /* reported as a format already */
    }
    if (row->test == RULE_TEST_NOT_FUTURE) {
        return !is_future(checker, &date);
    }
    if (row->test == RULE_TEST_NOT_BEFORE) {
        return !other_date(row, object, &other) || !is_before(&date, &other);
    }
    if (row->other == NULL) {
        return !is_beyond(date, row->years, now_of(checker));
    }
    int64_t low, high;
    date_range(&date, &low, &high);
    return !other_date(row, object, &other) || !is_beyond(other, row->years, low);
}

/* ---- quantities -------------------------------------------------------------------------------
 */

/* The same unit goes before one of the same kind: % and mmol/mol of HbA1c are both numbers. */
static const struct rule_range *range_for(const struct rule_row *row, struct slice code)
{
    struct ucum_unit unit;
    for (size_t i = 0; i < row->range_count; i++) {
        if (slice_equals(row->ranges[i].unit, code)) {
            return &row->ranges[i];
        }
    }
    if (ucum_parse(code, NULL, &unit) != STATUS_OK) {
        return NULL;
    }
    const struct rule_range *alike = NULL;
    for (size_t i = row->range_count; i-- > 0;) {
        if (ucum_equal(&unit, &row->ranges[i].parsed)) {
            return &row->ranges[i];
        }
        alike = ucum_commensurable(&unit, &row->ranges[i].parsed) ? &row->ranges[i] : alike;
    }
    return alike;
}

static bool is_within(const struct rule_range *range, struct decimal value, struct slice code)
{
    int low, high;
    if (slice_equals(range->unit, code)) {
        return decimal_compare(value, range->low) >= 0 && decimal_compare(value, range->high) <= 0;
    }
    return ucum_compare(value, code, range->low, range->unit, NULL, &low) == STATUS_OK &&
           ucum_compare(value, code, range->high, range->unit, NULL, &high) == STATUS_OK &&
           low >= 0 && high <= 0;
}

/* NULL, or what is wrong with the quantity. */
static const char *quantity_fault(const struct rule_row *row, const yyjson_val *quantity)
{
    struct decimal value;
    if (json_get(quantity, "comparator") != NULL ||
        !decimal_parse(json_number(json_get(quantity, "value")), &value)) {
        return NULL; /* more or less than what was measured, or nothing at all */
    }
    struct slice code = json_get_string(quantity, "code");
    const struct rule_range *range =
        slice_is(json_get_string(quantity, "system"), UCUM_SYSTEM) ? range_for(row, code) : NULL;
    if (range == NULL) {
        return row->unit_text;
    }
    return is_within(range, value, code) ? NULL : row->text;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static bool value_is_one_of(yyjson_val *value, const struct rule_list *list)
{
    struct slice text = json_string(value);
    if (yyjson_is_bool(value)) {
        text = slice_text(yyjson_get_bool(value) ? "true" : "false");
    }
    for (size_t i = 0; i < list->count; i++) {
        bool none = list->items[i].length == 0;
        if (none ? value == NULL
                 : value != NULL && slice_equals_ignoring_case(list->items[i], text)) {
            return true;
        }
    }
    return false;
}

static bool conditions_hold(const struct rule_row *row, const yyjson_val *object)
{
    for (size_t i = 0; i < row->condition_count; i++) {
        const struct rule_condition *condition = &row->conditions[i];
        if (!value_is_one_of(json_get(object, condition->member), &condition->values)) {
            return false;
        }
    }
    return true;
}

/* NULL, or what is wrong with one value. */
static const char *value_fault(const struct checker *checker, const struct rule_row *row,
                               const yyjson_val *object, yyjson_val *value)
{
    bool passes = true;
    switch (row->test) {
    case RULE_TEST_RANGE:
        return quantity_fault(row, value);
    case RULE_TEST_NHS_NUMBER:
        passes = !yyjson_is_str(value) || is_nhs_number(json_string(value));
        break;
    case RULE_TEST_SHAPE:
        passes = !yyjson_is_str(value) || has_some_form(json_string(value), &row->forms);
        break;
    case RULE_TEST_NOT_FUTURE:
    case RULE_TEST_NOT_BEFORE:
    case RULE_TEST_WITHIN:
        passes = date_passes(checker, row, object, json_string(value));
        break;
    }
    return passes ? NULL : row->text;
}

static void check_row(struct checker *checker, const struct frame *up, const struct rule_row *row,
                      yyjson_val *object)
{
    yyjson_val *value = json_get(object, row->member);
    if (value == NULL || !conditions_hold(row, object)) {
        return;
    }
    struct frame frame = {.up = up, .element = row->element, .indexed = yyjson_is_arr(value)};
    size_t count = frame.indexed ? yyjson_arr_size(value) : 1;
    yyjson_val *item = frame.indexed ? yyjson_arr_get_first(value) : value;
    for (; frame.index < count; frame.index++) {
        const char *fault = value_fault(checker, row, object, item);
        if (fault != NULL) {
            report_rule(checker, &frame, item, row->severity, row->name, fault);
        }
        item = frame.indexed ? unsafe_yyjson_get_next(item) : item;
    }
}

/* The rows of one coding. SEEN: rows that another coding of the object has led to. */
static void check_coding(struct checker *checker, const struct frame *frame, uint16_t type,
                         yyjson_val *object, const yyjson_val *coding,
                         const struct rule_row *seen[static 8], size_t *seen_count)
{
    const struct rules *rules = checker->options->rules;
    struct slice code = json_get_string(coding, "code");
    struct slice system = json_get_string(coding, "system");
    for (size_t slot = slice_hash(code) & rules->mask; rules->codings[slot].row != NULL;
         slot = (slot + 1) & rules->mask) {
        const struct rule_coding *known = &rules->codings[slot];
        if (known->row->type != type || !slice_equals(known->code, code) ||
            !slice_equals(known->system, system)) {
            continue;
        }
        bool again = false;
        for (size_t i = 0; i < *seen_count; i++) {
            again = again || seen[i] == known->row;
        }
        if (!again) {
            if (*seen_count < 8) {
                seen[(*seen_count)++] = known->row;
            }
            check_row(checker, frame, known->row, object);
        }
    }
}

void check_rules(struct checker *checker, const struct frame *frame, const struct type_row *type,
                 yyjson_val *object)
{
    const struct rules *rules = checker->options->rules;
    uint16_t index = (uint16_t)(type - checker->tables->types);
    for (const struct rule_row *row = rules->plain[index]; row != NULL; row = row->next) {
        check_row(checker, frame, row, object);
    }
    if (rules->coded[index] == NULL) {
        return;
    }
    const struct rule_row *seen[8];
    size_t seen_count = 0, i, max;
    yyjson_val *coding;
    yyjson_val *codings = json_get(json_get(object, rules->coded[index]), "coding");
    yyjson_arr_foreach(codings, i, max, coding)
    {
        check_coding(checker, frame, index, object, coding, seen, &seen_count);
    }
}
