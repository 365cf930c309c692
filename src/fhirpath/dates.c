/* SPDX-License-Identifier: MIT */
/* Dates, dateTimes and times at any precision: reading, writing, and adding time to them (FHIRPath
 * N1, "Date/Time Arithmetic"). */
#include "fhirpath/fhirpath_int.h"

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char c)
{
    if (cursor->at < cursor->end && *cursor->at == c) {
        cursor->at++;
        return true;
    }
    return false;
}

/* Exactly DIGITS digits: -1 when they are not there. */
static int take_number(struct cursor *cursor, int digits)
{
    int value = 0;
    if (cursor->end - cursor->at < digits) {
        return -1;
    }
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(unsigned char)cursor->at[i] - '0';
        if (digit > 9) {
            return -1;
        }
        value = value * 10 + (int)digit;
    }
    cursor->at += digits;
    return value;
}

static bool read_days(struct cursor *cursor, struct partial_date *date)
{
    int year = take_number(cursor, 4);
    if (year < 1) {
        return false;
    }
    date->year = (int16_t)year;
    date->precision = PRECISION_YEAR;
    if (!take(cursor, '-')) {
        return true;
    }
    int month = take_number(cursor, 2);
    if (month < 1 || month > 12) {
        return false;
    }
    date->month = (uint8_t)month;
    date->precision = PRECISION_MONTH;
    if (!take(cursor, '-')) {
        return true;
    }
    int day = take_number(cursor, 2);
    if (day < 1 || (day > 28 && (unsigned)day > calendar_month_length(year, (unsigned)month))) {
        return false;
    }
    date->day = (uint8_t)day;
    date->precision = PRECISION_DAY;
    return true;
}

static bool read_fraction(struct cursor *cursor, struct partial_date *date)
{
    uint32_t scale = 100000;
    const char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        date->micros += (uint32_t)(*cursor->at - '0') * scale;
        scale /= 10;
        cursor->at++;
    }
    date->precision = cursor->at - start <= 3 ? PRECISION_MILLISECOND : PRECISION_MICROSECOND;
    return cursor->at > start;
}

static bool read_clock(struct cursor *cursor, struct partial_date *date)
{
    int hour = take_number(cursor, 2);
    if (hour < 0 || hour > 23) {
        return false;
    }
    date->hour = (uint8_t)hour;
    date->precision = PRECISION_HOUR;
    if (!take(cursor, ':')) {
        return true;
    }
    int minute = take_number(cursor, 2);
    if (minute < 0 || minute > 59) {
        return false;
    }
    date->minute = (uint8_t)minute;
    date->precision = PRECISION_MINUTE;
    if (!take(cursor, ':')) {
        return true;
    }
    int second = take_number(cursor, 2);
    if (second < 0 || second > 60) {
        return false;
    }
    date->second = (uint8_t)second;
    date->precision = PRECISION_SECOND;
    /* A dot without digits is the dot of a path. */
    if (cursor->end - cursor->at < 2 || cursor->at[0] != '.' || cursor->at[1] < '0' ||
        cursor->at[1] > '9') {
        return true;
    }
    cursor->at++;
    return read_fraction(cursor, date);
}

static bool read_zone(struct cursor *cursor, struct partial_date *date)
{
    if (take(cursor, 'Z')) {
        date->has_zone = true;
        return true;
    }
    bool west = cursor->at < cursor->end && *cursor->at == '-';
    if (!west && (cursor->at == cursor->end || *cursor->at != '+')) {
        return true;
    }
    /* A sign without hh:mm is an operator. */
    struct cursor ahead = {cursor->at + 1, cursor->end};
    int hours = take_number(&ahead, 2);
    if (hours < 0 || !take(&ahead, ':')) {
        return true;
    }
    int minutes = take_number(&ahead, 2);
    if (minutes < 0 || minutes > 59 || hours * 60 + minutes > 14 * 60) {
        return false;
    }
    date->has_zone = true;
    date->zone_minutes = west ? -(hours * 60 + minutes) : hours * 60 + minutes;
    cursor->at = ahead.at;
    return true;
}

size_t date_text_read(struct slice text, bool time, struct partial_date *ret_date,
                      enum date_kind *ret_kind)
{
    struct cursor cursor = {text.at, text.at + text.length};
    *ret_date = (struct partial_date){0};
    if (text.length == 0) {
        return 0;
    }
    if (time) {
        *ret_kind = DATE_KIND_TIME;
        return read_clock(&cursor, ret_date) ? (size_t)(cursor.at - text.at) : 0;
    }
    *ret_kind = DATE_KIND_DATE;
    if (!read_days(&cursor, ret_date)) {
        return 0;
    }
    if (take(&cursor, 'T')) {
        *ret_kind = DATE_KIND_DATETIME;
        bool clock = cursor.at < cursor.end && *cursor.at >= '0' && *cursor.at <= '9';
        if (clock && (ret_date->precision != PRECISION_DAY || !read_clock(&cursor, ret_date) ||
                      !read_zone(&cursor, ret_date))) {
            return 0;
        }
    }
    return (size_t)(cursor.at - text.at);
}

/* DIGITS digits of VALUE, with zeros in front, behind BEFORE (0: nothing). */
static void write_part(char before, uint32_t value, size_t digits, struct buffer *out)
{
    char text[8];
    size_t at = sizeof text;
    for (size_t i = 0; i < digits; i++) {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    }
    if (before != 0) {
        text[--at] = before;
    }
    buffer_add(out, slice_of(text + at, sizeof text - at));
}

static void write_zone(const struct partial_date *date, struct buffer *out)
{
    uint32_t minutes =
        (uint32_t)(date->zone_minutes < 0 ? -date->zone_minutes : date->zone_minutes);
    if (!date->has_zone) {
        return;
    }
    if (minutes == 0) {
        buffer_add_byte(out, 'Z');
        return;
    }
    write_part(date->zone_minutes < 0 ? '-' : '+', minutes / 60, 2, out);
    write_part(':', minutes % 60, 2, out);
}

void date_text_write(const struct partial_date *date, enum fhirpath_kind kind, struct buffer *out)
{
    enum precision precision = date->precision;
    if (kind != FHIRPATH_TIME) {
        write_part(0, (uint32_t)date->year, 4, out); /* 1 to 9999 */
        if (precision >= PRECISION_MONTH) {
            write_part('-', date->month, 2, out);
        }
        if (precision >= PRECISION_DAY) {
            write_part('-', date->day, 2, out);
        }
        if (precision < PRECISION_HOUR) {
            return;
        }
        buffer_add_byte(out, 'T');
    }
    write_part(0, date->hour, 2, out);
    if (precision >= PRECISION_MINUTE) {
        write_part(':', date->minute, 2, out);
    }
    if (precision >= PRECISION_SECOND) {
        write_part(':', date->second, 2, out);
    }
    if (precision >= PRECISION_MILLISECOND) {
        write_part('.', date->micros / 1000, 3, out);
    }
    if (precision == PRECISION_MICROSECOND && date->micros % 1000 != 0) {
        write_part(0, date->micros % 1000, 3, out);
    }
    write_zone(date, out);
}

/* ---- units of time ----------------------------------------------------------------------------
 */

struct time_unit {
    const char *word, *plural;
    const char *ucum;      /* the definite unit that means the same; NULL: there is none */
    int64_t months;        /* of years and months */
    int64_t micros;        /* of the rest */
    enum precision needed; /* what the unit changes */
};

#define SECOND MICROS_PER_SECOND
static const struct time_unit time_units[] = {
    {"year", "years", NULL, 12, 0, PRECISION_YEAR},
    {"month", "months", NULL, 1, 0, PRECISION_MONTH},
    {"week", "weeks", "wk", 0, 7 * MICROS_PER_DAY, PRECISION_DAY},
    {"day", "days", "d", 0, MICROS_PER_DAY, PRECISION_DAY},
    {"hour", "hours", "h", 0, 3600 * SECOND, PRECISION_HOUR},
    {"minute", "minutes", "min", 0, 60 * SECOND, PRECISION_MINUTE},
    {"second", "seconds", "s", 0, SECOND, PRECISION_SECOND},
    {"millisecond", "milliseconds", "ms", 0, 1000, PRECISION_MILLISECOND},
};

#define UNIT_COUNT (sizeof time_units / sizeof time_units[0])

static const struct time_unit *find_word(struct slice word)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (slice_is(word, time_units[i].word) || slice_is(word, time_units[i].plural)) {
            return &time_units[i];
        }
    }
    return NULL;
}

struct slice calendar_word(struct slice word)
{
    const struct time_unit *unit = find_word(word);
    return unit != NULL ? slice_text(unit->word) : (struct slice){NULL, 0};
}

struct slice quantity_ucum(const struct fhirpath_quantity *quantity, bool *ret_definite)
{
    const struct time_unit *unit = quantity->calendar ? find_word(quantity->unit) : NULL;
    *ret_definite = unit == NULL || unit->ucum != NULL;
    return unit == NULL         ? quantity->unit
           : unit->ucum != NULL ? slice_text(unit->ucum)
                                : slice_text(unit->months == 12 ? "a" : "mo");
}

/* Quoted words ('month') are taken for the calendar's; 'a' and 'mo' are definite lengths, which no
 * date can be moved by. */
static const struct time_unit *unit_of(const struct fhirpath_quantity *quantity)
{
    const struct time_unit *unit = find_word(quantity->unit);
    for (size_t i = 0; unit == NULL && i < UNIT_COUNT; i++) {
        if (time_units[i].ucum != NULL && slice_is(quantity->unit, time_units[i].ucum)) {
            unit = &time_units[i];
        }
    }
    return unit;
}

/* ---- moving a date ----------------------------------------------------------------------------
 */

static int64_t floor_divide(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

/* By months; the last day of the month where it has fewer days. */
static bool shift_months(struct partial_date *date, int64_t months)
{
    int64_t all = (int64_t)date->year * 12 + (date->month > 0 ? date->month - 1 : 0) + months;
    int64_t year = floor_divide(all, 12);
    if (year < 1 || year > 9999) {
        return false;
    }
    unsigned month = (unsigned)(all - year * 12) + 1;
    date->year = (int16_t)year;
    if (date->precision >= PRECISION_MONTH) {
        date->month = (uint8_t)month;
    }
    if (date->day > 28) {
        unsigned length = calendar_month_length(year, month);
        date->day = (uint8_t)(date->day < length ? date->day : length);
    }
    return true;
}

static void set_clock(struct partial_date *date, int64_t micros)
{
    date->hour = (uint8_t)(micros / (3600 * SECOND));
    date->minute = (uint8_t)(micros / (60 * SECOND) % 60);
    date->second = (uint8_t)(micros / SECOND % 60);
    date->micros = (uint32_t)(micros % SECOND);
}

static int64_t clock_of(const struct partial_date *date)
{
    return (date->hour * INT64_C(3600) + date->minute * 60 + date->second) * SECOND + date->micros;
}

static bool shift_micros(struct partial_date *date, int64_t micros)
{
    int64_t days = calendar_days(date->year, date->month, date->day);
    int64_t clock = clock_of(date) + micros % MICROS_PER_DAY;
    int64_t carry = floor_divide(clock, MICROS_PER_DAY);
    int64_t year;
    unsigned month, day;
    days += micros / MICROS_PER_DAY + carry;
    if (days < calendar_days(1, 1, 1) || days > calendar_days(9999, 12, 31)) {
        return false;
    }
    calendar_date(days, &year, &month, &day);
    date->year = (int16_t)year;
    date->month = (uint8_t)month;
    date->day = (uint8_t)day;
    set_clock(date, clock - carry * MICROS_PER_DAY);
    return true;
}

/* The amount as whole units of what the date is precise to: more precise quantities are cut to it
 * ("2014 + 25 months" is 2016: two whole years). */
static bool shift_date(struct partial_date *date, const struct time_unit *unit, int64_t amount,
                       int64_t micros)
{
    if (unit->months > 0) {
        int64_t months = amount * unit->months;
        return shift_months(date, date->precision == PRECISION_YEAR ? months / 12 * 12 : months);
    }
    switch (date->precision) {
    case PRECISION_YEAR: /* a year has 365 days here, a month 30: section 6.7 */
        return shift_months(date, micros / (365 * MICROS_PER_DAY) * 12);
    case PRECISION_MONTH:
        return shift_months(date, micros / (30 * MICROS_PER_DAY));
    case PRECISION_DAY:
        return shift_micros(date, micros / MICROS_PER_DAY * MICROS_PER_DAY);
    case PRECISION_HOUR:
        return shift_micros(date, micros / (3600 * SECOND) * 3600 * SECOND);
    case PRECISION_MINUTE:
        return shift_micros(date, micros / (60 * SECOND) * 60 * SECOND);
    case PRECISION_SECOND:
        return shift_micros(date, micros / SECOND * SECOND);
    default:
        return shift_micros(date, micros);
    }
}

static void shift_time(struct partial_date *date, int64_t micros)
{
    int64_t clock = (clock_of(date) + micros % MICROS_PER_DAY) % MICROS_PER_DAY;
    set_clock(date, clock < 0 ? clock + MICROS_PER_DAY : clock);
}

bool date_shift(const struct fhirpath_value *date, const struct fhirpath_quantity *quantity,
                bool minus, struct fhirpath_value *ret_date, bool *ret_fits)
{
    const struct time_unit *unit = unit_of(quantity);
    struct decimal amount = minus ? decimal_negate(quantity->value) : quantity->value;
    struct decimal exact;
    int64_t whole = 0, micros = 0;
    *ret_date = *date;
    *ret_fits = false;
    if (unit == NULL || (date->kind == FHIRPATH_TIME && unit->needed < PRECISION_HOUR)) {
        return false;
    }
    /* Fractions count for seconds only (section 6.7.1). */
    enum decimal_rounding cut = DECIMAL_TRUNCATE;
    if ((unit->needed < PRECISION_SECOND && !decimal_round(amount, 0, cut, &amount)) ||
        !decimal_multiply(amount, decimal_from_integer(unit->micros), &exact) ||
        !decimal_round(exact, 0, cut, &exact) || !decimal_to_integer(exact, &micros) ||
        micros > INT64_MAX / 4 || micros < INT64_MIN / 4) {
        return true;
    }
    if (unit->months > 0 &&
        (!decimal_to_integer(amount, &whole) || whole > 200000 || whole < -200000)) {
        return true;
    }
    if (date->kind == FHIRPATH_TIME) {
        shift_time(&ret_date->date, micros);
        *ret_fits = true;
        return true;
    }
    *ret_fits = shift_date(&ret_date->date, unit, whole, micros);
    return true;
}
