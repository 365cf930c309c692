/* SPDX-License-Identifier: MIT */
#include "base_int.h"
#include "time.h"

struct cursor {
    const char *at;
    const char *end;
};

static bool at_end(const struct cursor *cursor)
{
    return cursor->at == cursor->end;
}

static bool take_byte(struct cursor *cursor, char byte)
{
    if (cursor->at < cursor->end && *cursor->at == byte) {
        cursor->at++;
        return true;
    }
    return false;
}

/* Exactly DIGITS digits; -1 otherwise. */
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

static bool take_day(struct cursor *cursor, struct partial_date *date)
{
    int year = take_number(cursor, 4);
    if (year < 1) {
        return false;
    }
    date->year = (int16_t)year;
    date->precision = PRECISION_YEAR;
    if (!take_byte(cursor, '-')) {
        return true;
    }
    int month = take_number(cursor, 2);
    if (month < 1 || month > 12) {
        return false;
    }
    date->month = (uint8_t)month;
    date->precision = PRECISION_MONTH;
    if (!take_byte(cursor, '-')) {
        return true;
    }
    int day = take_number(cursor, 2);
    if (day < 1 || (unsigned)day > calendar_month_length(year, (unsigned)month)) {
        return false;
    }
    date->day = (uint8_t)day;
    date->precision = PRECISION_DAY;
    return true;
}

static bool take_fraction(struct cursor *cursor, struct partial_date *date)
{
    uint32_t micros = 0;
    int digits = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        if (digits < 6) {
            micros = micros * 10 + (uint32_t)(*cursor->at - '0');
        }
        digits += digits < 7 ? 1 : 0;
        cursor->at++;
    }
    for (int i = digits; i < 6; i++) {
        micros *= 10;
    }
    date->micros = micros;
    date->precision = digits <= 3 ? PRECISION_MILLISECOND : PRECISION_MICROSECOND;
    return digits > 0;
}

static bool take_clock(struct cursor *cursor, bool seconds_required, struct partial_date *date)
{
    int hour = take_number(cursor, 2);
    if (hour < 0 || hour > 23 || !take_byte(cursor, ':')) {
        return false;
    }
    int minute = take_number(cursor, 2);
    if (minute < 0 || minute > 59) {
        return false;
    }
    date->hour = (uint8_t)hour;
    date->minute = (uint8_t)minute;
    date->precision = PRECISION_MINUTE;
    if (!take_byte(cursor, ':')) {
        return !seconds_required;
    }
    int second = take_number(cursor, 2);
    if (second < 0 || second > 60) {
        return false;
    }
    date->second = (uint8_t)second;
    date->precision = PRECISION_SECOND;
    return !take_byte(cursor, '.') || take_fraction(cursor, date);
}

/* Z or +hh:mm up to 14:00 (R4 datatypes: the regular expression of dateTime). */
static bool take_zone(struct cursor *cursor, struct partial_date *date)
{
    date->has_zone = true;
    if (take_byte(cursor, 'Z')) {
        return true;
    }
    bool west = take_byte(cursor, '-');
    if (!west && !take_byte(cursor, '+')) {
        return false;
    }
    int hours = take_number(cursor, 2);
    if (hours < 0 || !take_byte(cursor, ':')) {
        return false;
    }
    int minutes = take_number(cursor, 2);
    if (minutes < 0 || minutes > 59 || hours * 60 + minutes > 14 * 60) {
        return false;
    }
    date->zone_minutes = west ? -(hours * 60 + minutes) : hours * 60 + minutes;
    return true;
}

bool date_parse(struct slice text, enum date_form form, struct partial_date *ret_date)
{
    struct partial_date date = {0};
    if (text.length == 0) {
        return false;
    }
    struct cursor cursor = {text.at, text.at + text.length};
    if (form == DATE_FORM_TIME) {
        if (!take_clock(&cursor, true, &date) || !at_end(&cursor)) {
            return false;
        }
        *ret_date = date;
        return true;
    }
    if (!take_day(&cursor, &date)) {
        return false;
    }
    if (at_end(&cursor)) {
        *ret_date = date;
        return form != DATE_FORM_INSTANT;
    }
    if (form == DATE_FORM_DATE || date.precision != PRECISION_DAY || !take_byte(&cursor, 'T') ||
        !take_clock(&cursor, form != DATE_FORM_SEARCH, &date)) {
        return false;
    }
    if (at_end(&cursor) ? form != DATE_FORM_SEARCH : !take_zone(&cursor, &date)) {
        return false;
    }
    if (!at_end(&cursor)) {
        return false;
    }
    *ret_date = date;
    return true;
}

/* Microseconds from START to the end of the unit that the precision names. */
static int64_t unit_length(const struct partial_date *date)
{
    switch (date->precision) {
    case PRECISION_HOUR:
        return 3600 * MICROS_PER_SECOND;
    case PRECISION_MINUTE:
        return 60 * MICROS_PER_SECOND;
    case PRECISION_SECOND:
        return MICROS_PER_SECOND;
    case PRECISION_MILLISECOND:
        return 1000;
    case PRECISION_MICROSECOND:
        return 1;
    case PRECISION_DAY:
        return MICROS_PER_DAY;
    case PRECISION_MONTH:
        return calendar_month_length(date->year, date->month) * MICROS_PER_DAY;
    default:
        return (calendar_month_length(date->year, 2) == 29 ? 366 : 365) * MICROS_PER_DAY;
    }
}

void date_range(const struct partial_date *date, int64_t *ret_low, int64_t *ret_high)
{
    int64_t days = date->year == 0 ? 0 /* a time alone: of the first day */
                                   : calendar_days(date->year, date->month > 0 ? date->month : 1,
                                                   date->day > 0 ? date->day : 1);
    int64_t seconds = days * 86400 + date->hour * 3600 + date->minute * 60 + date->second;
    int64_t low = seconds * MICROS_PER_SECOND + date->micros;
    int64_t length = unit_length(date);
    if (date->has_zone) {
        int64_t zone = INT64_C(60) * date->zone_minutes * MICROS_PER_SECOND;
        *ret_low = low - zone;
        *ret_high = low - zone + length;
        return;
    }
    int64_t first = 0, last = 0, ignored = 0;
    zone_instants(seconds, &first, &ignored);
    *ret_low = low + (first - seconds) * MICROS_PER_SECOND;
    /* The last microsecond decides, not the first one after: that one may come twice. */
    int64_t inside = low + length - 1;
    int64_t inside_seconds =
        (inside >= 0 ? inside : inside - (MICROS_PER_SECOND - 1)) / MICROS_PER_SECOND;
    zone_instants(inside_seconds, &ignored, &last);
    *ret_high = inside + 1 + (last - inside_seconds) * MICROS_PER_SECOND;
}
