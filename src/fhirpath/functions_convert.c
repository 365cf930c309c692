/* SPDX-License-Identifier: MIT */
/* Conversion (FHIRPath N1, section 5.5), iif(), and boundaries and precision (FHIRPath 2). */
#include "fhirpath/fhirpath_int.h"

/* ---- 5.5.1 iif --------------------------------------------------------------------------------
 */

enum status function_iif(struct call *call, struct values *out)
{
    struct values criterion = {0};
    struct fhirpath_value system;
    struct frame frame = *call->frame;
    if (call->step->left != NO_STEP) {
        if (call->count > 1) {
            return call_fail(call, STATUS_INVALID, "iif() is asked of one item; here are several.");
        }
        frame.focus = call->input;
        frame.focus_count = call->count;
    }
    struct call inner = *call;
    inner.frame = &frame;
    TRY(call_argument(&inner, 0, &criterion));
    bool chosen = false;
    if (criterion.count > 0) {
        if (criterion.count > 1 || !value_system(call->evaluation, criterion.items, &system) ||
            system.kind != FHIRPATH_BOOLEAN) {
            return call_fail(call, STATUS_INVALID, "The criterion of iif() is true or false.");
        }
        chosen = system.boolean;
    }
    if (!chosen && call->step->argument_count < 3) {
        return STATUS_OK;
    }
    struct values result;
    TRY(call_argument(&inner, chosen ? 1 : 2, &result));
    values_share(call->evaluation, out, result.items, result.count);
    return STATUS_OK;
}

/* ---- 5.5.2 and on: one table of what becomes what ----------------------------------------------
 */

static bool text_is_one_of(struct slice text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (slice_equals_ignoring_case(text, slice_text(*words))) {
            return true;
        }
    }
    return false;
}

static bool to_boolean(const struct fhirpath_value *value, bool *ret_boolean)
{
    static const char *const yes[] = {"true", "t", "yes", "y", "1", "1.0", NULL};
    static const char *const no[] = {"false", "f", "no", "n", "0", "0.0", NULL};
    struct decimal number;
    switch (value->kind) {
    case FHIRPATH_BOOLEAN:
        *ret_boolean = value->boolean;
        return true;
    case FHIRPATH_STRING:
        *ret_boolean = text_is_one_of(value->string, yes);
        return *ret_boolean || text_is_one_of(value->string, no);
    case FHIRPATH_INTEGER:
    case FHIRPATH_DECIMAL:
        number =
            value->kind == FHIRPATH_INTEGER ? decimal_from_integer(value->integer) : value->decimal;
        *ret_boolean = decimal_compare(number, decimal_from_integer(1)) == 0;
        return *ret_boolean || decimal_sign(number) == 0;
    default:
        return false;
    }
}

/* A number as it is written in text: a sign and zeros at the start are allowed, E is not. */
static bool text_to_decimal(struct slice text, struct decimal *ret_decimal)
{
    bool minus = text.length > 0 && text.at[0] == '-';
    if (minus || (text.length > 0 && text.at[0] == '+')) {
        text = slice_from(text, 1);
    }
    while (text.length > 1 && text.at[0] == '0' && text.at[1] >= '0' && text.at[1] <= '9') {
        text = slice_from(text, 1);
    }
    if (text.length == 0 || text.at[0] < '0' || slice_index(text, 'e') < text.length ||
        slice_index(text, 'E') < text.length || !decimal_parse(text, ret_decimal)) {
        return false;
    }
    *ret_decimal = minus ? decimal_negate(*ret_decimal) : *ret_decimal;
    return true;
}

static bool to_integer(const struct fhirpath_value *value, int64_t *ret_integer)
{
    struct decimal decimal;
    switch (value->kind) {
    case FHIRPATH_INTEGER:
        *ret_integer = value->integer;
        return true;
    case FHIRPATH_BOOLEAN:
        *ret_integer = value->boolean ? 1 : 0;
        return true;
    case FHIRPATH_STRING:
        return slice_index(value->string, '.') == value->string.length &&
               text_to_decimal(value->string, &decimal) &&
               decimal_to_integer(decimal, ret_integer) && *ret_integer >= INT32_MIN &&
               *ret_integer <= INT32_MAX;
    default:
        return false;
    }
}

static bool to_decimal(const struct fhirpath_value *value, struct decimal *ret_decimal)
{
    switch (value->kind) {
    case FHIRPATH_DECIMAL:
        *ret_decimal = value->decimal;
        return true;
    case FHIRPATH_INTEGER:
        *ret_decimal = decimal_from_integer(value->integer);
        return true;
    case FHIRPATH_BOOLEAN:
        *ret_decimal = (struct decimal){value->boolean ? 10 : 0, 1};
        return true;
    case FHIRPATH_STRING:
        return text_to_decimal(value->string, ret_decimal);
    default:
        return false;
    }
}

/* Dates become dateTimes and the other way round; text is read. */
static bool to_date(const struct fhirpath_value *value, enum fhirpath_kind kind,
                    struct partial_date *ret_date)
{
    enum date_kind found;
    if (value->kind == FHIRPATH_STRING) {
        struct slice text = value->string;
        size_t taken = date_text_read(text, kind == FHIRPATH_TIME, ret_date, &found);
        return taken > 0 && taken == text.length &&
               (kind != FHIRPATH_DATE || found == DATE_KIND_DATE);
    }
    bool date = value->kind == FHIRPATH_DATE || value->kind == FHIRPATH_DATETIME;
    if (value->kind != kind && (!date || kind == FHIRPATH_TIME)) {
        return false;
    }
    *ret_date = value->date;
    if (kind == FHIRPATH_DATE && ret_date->precision > PRECISION_DAY) {
        *ret_date = (struct partial_date){.precision = PRECISION_DAY,
                                          .year = value->date.year,
                                          .month = value->date.month,
                                          .day = value->date.day};
    }
    return true;
}

static bool to_quantity(const struct fhirpath_value *value, struct fhirpath_quantity *ret_quantity)
{
    if (value->kind == FHIRPATH_QUANTITY) {
        *ret_quantity = *value->quantity;
        return true;
    }
    if (value->kind == FHIRPATH_STRING) {
        return quantity_read(value->string, ret_quantity);
    }
    *ret_quantity = (struct fhirpath_quantity){.unit = SLICE("1")};
    return (value->kind == FHIRPATH_INTEGER || value->kind == FHIRPATH_DECIMAL ||
            value->kind == FHIRPATH_BOOLEAN) &&
           to_decimal(value, &ret_quantity->value);
}

/* The value as one of KIND, *RET_VALUE; false: it is none. */
static bool convert(struct evaluation *evaluation, const struct fhirpath_value *value,
                    enum fhirpath_kind kind, struct fhirpath_value *ret_value)
{
    ret_value->kind = kind;
    switch (kind) {
    case FHIRPATH_BOOLEAN:
        return to_boolean(value, &ret_value->boolean);
    case FHIRPATH_INTEGER:
        return to_integer(value, &ret_value->integer);
    case FHIRPATH_DECIMAL:
        return to_decimal(value, &ret_value->decimal);
    case FHIRPATH_DATE:
    case FHIRPATH_DATETIME:
    case FHIRPATH_TIME:
        return to_date(value, kind, &ret_value->date);
    case FHIRPATH_QUANTITY: {
        struct fhirpath_quantity *quantity = arena_alloc(evaluation->arena, sizeof *quantity);
        ret_value->quantity = quantity;
        return quantity != NULL && to_quantity(value, quantity);
    }
    default: {
        struct buffer text = {.arena = evaluation->arena};
        fhirpath_write(value, &text);
        ret_value->string = text.length > 0 ? buffer_slice(&text) : (struct slice){"", 0};
        return value->kind != FHIRPATH_TYPE;
    }
    }
}

static bool convert_unit(struct call *call, struct fhirpath_value *value, struct slice unit)
{
    struct fhirpath_quantity *wanted = arena_alloc(call->evaluation->arena, sizeof *wanted);
    struct slice word = calendar_word(unit);
    if (wanted == NULL) {
        return false;
    }
    /* 0 of the wanted unit and the quantity: the sum is the quantity in that unit. */
    *wanted = (struct fhirpath_quantity){.value = decimal_from_integer(0),
                                         .unit = word.length > 0 ? word : unit,
                                         .calendar = word.length > 0};
    bool fits = quantity_add(wanted, value->quantity, false, wanted);
    value->quantity = wanted;
    return fits;
}

static enum status convert_input(struct call *call, enum fhirpath_kind kind,
                                 struct fhirpath_value *ret_value, bool *ret_has,
                                 bool *ret_converts)
{
    struct fhirpath_value value;
    struct slice unit;
    bool has_unit;
    TRY(call_single(call, &value, ret_has));
    *ret_converts = *ret_has && convert(call->evaluation, &value, kind, ret_value);
    if (kind == FHIRPATH_QUANTITY) {
        TRY(call_string(call, 0, &unit, &has_unit));
        if (has_unit && *ret_converts) {
            *ret_converts = convert_unit(call, ret_value, unit);
        }
    }
    return STATUS_OK;
}

static enum status convert_run(struct call *call, enum fhirpath_kind kind, struct values *out)
{
    struct fhirpath_value value;
    bool has, converts;
    TRY(convert_input(call, kind, &value, &has, &converts));
    if (converts) {
        values_add_all(call->evaluation, out, &value, 1);
    }
    return STATUS_OK;
}

static enum status convert_test(struct call *call, enum fhirpath_kind kind, enum truth *ret_truth)
{
    struct fhirpath_value value;
    bool has, converts;
    TRY(convert_input(call, kind, &value, &has, &converts));
    *ret_truth = call->count == 0 ? TRUTH_EMPTY : truth(converts);
    return STATUS_OK;
}

#define CONVERSION(name, kind)                                                                     \
    enum status function_to_##name(struct call *call, struct values *out)                          \
    {                                                                                              \
        return convert_run(call, kind, out);                                                       \
    }                                                                                              \
    enum status function_converts_to_##name(struct call *call, enum truth *ret_truth)              \
    {                                                                                              \
        return convert_test(call, kind, ret_truth);                                                \
    }
CONVERSION(boolean, FHIRPATH_BOOLEAN)
CONVERSION(integer, FHIRPATH_INTEGER)
CONVERSION(decimal, FHIRPATH_DECIMAL)
CONVERSION(string, FHIRPATH_STRING)
CONVERSION(date, FHIRPATH_DATE)
CONVERSION(date_time, FHIRPATH_DATETIME)
CONVERSION(time, FHIRPATH_TIME)
CONVERSION(quantity, FHIRPATH_QUANTITY)

/* ---- boundaries -------------------------------------------------------------------------------
 */

#define BOUNDARY_DIGITS 8  /* of decimals, when not said otherwise */
#define BOUNDARY_MOST   31 /* digits that may be asked for */

static bool decimal_boundary(struct decimal value, int64_t digits, bool high,
                             struct decimal *ret_boundary)
{
    /* Half a unit of the last digit that was written. */
    struct decimal half = {5, value.scale + 1};
    struct decimal edge;
    return (high ? decimal_add : decimal_subtract)(value, half, &edge) &&
           decimal_round(edge, (int32_t)digits, high ? DECIMAL_CEILING : DECIMAL_FLOOR,
                         ret_boundary);
}

/* Digits of a written date: 2014-01-05T08:05:00.000 has 17. */
static unsigned precision_digits(enum precision precision, bool time)
{
    static const uint8_t digits[] = {
        [PRECISION_YEAR] = 4,         [PRECISION_MONTH] = 6,       [PRECISION_DAY] = 8,
        [PRECISION_HOUR] = 10,        [PRECISION_MINUTE] = 12,     [PRECISION_SECOND] = 14,
        [PRECISION_MILLISECOND] = 17, [PRECISION_MICROSECOND] = 17};
    return digits[precision] - (time ? 8u : 0u);
}

static bool precision_of(int64_t digits, bool time, enum precision *ret_precision)
{
    unsigned first = time ? PRECISION_HOUR : PRECISION_YEAR;
    for (unsigned precision = first; precision <= PRECISION_MILLISECOND; precision++) {
        if ((int64_t)precision_digits((enum precision)precision, time) == digits) {
            *ret_precision = (enum precision)precision;
            return true;
        }
    }
    return false;
}

static void fill_date(struct partial_date *date, bool high)
{
    enum precision had = date->precision;
    if (had < PRECISION_MONTH) {
        date->month = high ? 12 : 1;
    }
    if (had < PRECISION_DAY) {
        int64_t year;
        unsigned month, day = 1;
        if (high) { /* the day before the first of the next month */
            int64_t next = date->month == 12 ? calendar_days(date->year + 1, 1, 1)
                                             : calendar_days(date->year, date->month + 1u, 1);
            calendar_date(next - 1, &year, &month, &day);
        }
        date->day = (uint8_t)day;
    }
}

static void fill_clock(struct partial_date *date, bool high)
{
    enum precision had = date->precision;
    if (had < PRECISION_HOUR) {
        date->hour = high ? 23 : 0;
    }
    if (had < PRECISION_MINUTE) {
        date->minute = high ? 59 : 0;
    }
    if (had < PRECISION_SECOND) {
        date->second = high ? 59 : 0;
    }
    if (had < PRECISION_MILLISECOND) {
        date->micros = high ? 999000 : 0;
    }
}

static bool date_boundary(const struct fhirpath_value *value, int64_t digits, bool high,
                          struct fhirpath_value *ret_boundary)
{
    bool time = value->kind == FHIRPATH_TIME;
    enum precision precision;
    if (!precision_of(digits, time, &precision) ||
        (value->kind == FHIRPATH_DATE && precision > PRECISION_DAY)) {
        return false;
    }
    *ret_boundary = *value;
    struct partial_date *date = &ret_boundary->date;
    if (!time) {
        fill_date(date, high);
    }
    fill_clock(date, high);
    date->precision = precision;
    /* Of a dateTime without zone any may be meant, from 14 hours east to 12 hours west. */
    if (value->kind == FHIRPATH_DATETIME && precision >= PRECISION_HOUR && !date->has_zone) {
        date->has_zone = true;
        date->zone_minutes = high ? -12 * 60 : 14 * 60;
    }
    return true;
}

static bool quantity_boundary(struct call *call, const struct fhirpath_value *value, int64_t digits,
                              bool high, struct fhirpath_value *ret_boundary)
{
    struct fhirpath_quantity *quantity = arena_alloc(call->evaluation->arena, sizeof *quantity);
    if (quantity == NULL) {
        return false;
    }
    *quantity = *value->quantity;
    *ret_boundary = *value;
    ret_boundary->quantity = quantity;
    return decimal_boundary(value->quantity->value, digits, high, &quantity->value);
}

static enum status boundary(struct call *call, bool high, struct values *out)
{
    struct fhirpath_value value, result = {0};
    struct decimal number;
    int64_t digits;
    bool has, said, fits;
    TRY(call_single(call, &value, &has));
    TRY(call_integer(call, 0, &digits, &said));
    if (!has) {
        return STATUS_OK;
    }
    switch (value.kind) {
    case FHIRPATH_INTEGER:
    case FHIRPATH_DECIMAL:
    case FHIRPATH_QUANTITY:
        digits = said ? digits : BOUNDARY_DIGITS;
        if (digits < 0 || digits > BOUNDARY_MOST) {
            return STATUS_OK;
        }
        if (value.kind == FHIRPATH_QUANTITY) {
            fits = quantity_boundary(call, &value, digits, high, &result);
            break;
        }
        result.kind = FHIRPATH_DECIMAL;
        fits =
            to_decimal(&value, &number) && decimal_boundary(number, digits, high, &result.decimal);
        break;
    case FHIRPATH_DATE:
        fits = date_boundary(&value, said ? digits : 8, high, &result);
        break;
    case FHIRPATH_DATETIME:
        fits = date_boundary(&value, said ? digits : 17, high, &result);
        break;
    case FHIRPATH_TIME:
        fits = date_boundary(&value, said ? digits : 9, high, &result);
        break;
    default:
        return call_fail(call, STATUS_INVALID, "Only numbers, quantities and dates have bounds.");
    }
    if (fits) {
        values_add_all(call->evaluation, out, &result, 1);
    }
    return STATUS_OK;
}

enum status function_low_boundary(struct call *call, struct values *out)
{
    return boundary(call, false, out);
}

enum status function_high_boundary(struct call *call, struct values *out)
{
    return boundary(call, true, out);
}

enum status function_precision(struct call *call, struct values *out)
{
    struct fhirpath_value value;
    bool has;
    TRY(call_single(call, &value, &has));
    if (!has) {
        return STATUS_OK;
    }
    switch (value.kind) {
    case FHIRPATH_INTEGER:
        values_add_integer(call->evaluation, out, 0);
        return STATUS_OK;
    case FHIRPATH_DECIMAL:
        values_add_integer(call->evaluation, out, value.decimal.scale);
        return STATUS_OK;
    case FHIRPATH_DATE:
    case FHIRPATH_DATETIME:
    case FHIRPATH_TIME:
        values_add_integer(call->evaluation, out,
                           precision_digits(value.date.precision, value.kind == FHIRPATH_TIME));
        return STATUS_OK;
    default:
        return call_fail(call, STATUS_INVALID, "Only numbers and dates have a precision.");
    }
}

enum status function_comparable(struct call *call, enum truth *ret_truth)
{
    struct fhirpath_value value, other;
    bool has, has_other;
    *ret_truth = TRUTH_EMPTY;
    TRY(call_single(call, &value, &has));
    TRY(call_system(call, 0, FHIRPATH_QUANTITY, &other, &has_other));
    if (!has || !has_other) {
        return STATUS_OK;
    }
    if (value.kind != FHIRPATH_QUANTITY) {
        return call_fail(call, STATUS_INVALID, "comparable() is asked of a quantity.");
    }
    *ret_truth = truth(quantity_comparable(value.quantity, other.quantity));
    return STATUS_OK;
}
