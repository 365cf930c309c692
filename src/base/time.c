/* SPDX-License-Identifier: MIT */
#include "time.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base_int.h"

static _Atomic int64_t last_now;

static int64_t clock_micros(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    assert(failed == 0);
    (void)failed;
    return (int64_t)now.tv_sec * MICROS_PER_SECOND + now.tv_nsec / 1000;
}

int64_t time_now(void)
{
    int64_t now = clock_micros(CLOCK_REALTIME);
    int64_t last = atomic_load_explicit(&last_now, memory_order_relaxed);
    while (now > last) {
        if (atomic_compare_exchange_weak_explicit(&last_now, &last, now, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return now;
        }
    }
    return last;
}

int64_t time_monotonic(void)
{
    return clock_micros(CLOCK_MONOTONIC);
}

unsigned calendar_month_length(int64_t year, unsigned month)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : lengths[month - 1];
}

/* Counts from 0000-03-01, so that the leap day is the last of its year. */
int64_t calendar_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void calendar_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    *ret_day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

int32_t day_at(int64_t instant)
{
    int64_t seconds = instant / MICROS_PER_SECOND - (instant % MICROS_PER_SECOND < 0);
    int64_t local = seconds + zone_offset(seconds);
    return (int32_t)(local / 86400 - (local % 86400 < 0));
}

void day_write(int32_t day, char ret_text[static DAY_LENGTH + 1])
{
    int64_t year;
    unsigned month, date;
    calendar_date(day, &year, &month, &date);
    (void)snprintf(ret_text, DAY_LENGTH + 1, "%04u-%02u-%02u", (unsigned)year % 10000, month % 100,
                   date % 100);
}

struct fields {
    int64_t year, days;
    unsigned month, day, hour, minute, second, millis;
};

static struct fields split(int64_t instant)
{
    struct fields f;
    int64_t in_day = instant % MICROS_PER_DAY;
    in_day += in_day < 0 ? MICROS_PER_DAY : 0;
    f.days = (instant - in_day) / MICROS_PER_DAY;
    calendar_date(f.days, &f.year, &f.month, &f.day);
    unsigned seconds = (unsigned)(in_day / MICROS_PER_SECOND);
    f.millis = (unsigned)(in_day % MICROS_PER_SECOND / 1000);
    f.hour = seconds / 3600;
    f.minute = seconds / 60 % 60;
    f.second = seconds % 60;
    return f;
}

static void put(char *at, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void instant_write(int64_t instant, char ret_text[static INSTANT_LENGTH + 1])
{
    struct fields f = split(instant);
    assert(f.year >= 0 && f.year <= 9999);
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", INSTANT_LENGTH + 1);
    put(ret_text, (unsigned)f.year, 4);
    put(ret_text + 5, f.month, 2);
    put(ret_text + 8, f.day, 2);
    put(ret_text + 11, f.hour, 2);
    put(ret_text + 14, f.minute, 2);
    put(ret_text + 17, f.second, 2);
    put(ret_text + 20, f.millis, 3);
}

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static unsigned weekday(int64_t days)
{
    return (unsigned)(((days + 4) % 7 + 7) % 7);
}

void http_date_write(int64_t instant, char ret_text[static HTTP_DATE_LENGTH + 1])
{
    struct fields f = split(instant);
    assert(f.year >= 0 && f.year <= 9999);
    memcpy(ret_text, "Xxx, 00 Xxx 0000 00:00:00 GMT", HTTP_DATE_LENGTH + 1);
    memcpy(ret_text, day_names + (size_t)3 * weekday(f.days), 3);
    put(ret_text + 5, f.day, 2);
    memcpy(ret_text + 8, month_names + (size_t)3 * (f.month - 1), 3);
    put(ret_text + 12, (unsigned)f.year, 4);
    put(ret_text + 17, f.hour, 2);
    put(ret_text + 20, f.minute, 2);
    put(ret_text + 23, f.second, 2);
}

/* DIGITS digits at AT as a number; -1 when they are not digits. */
static int take(const char *at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

static bool matches(const char *at, const char *shape)
{
    for (size_t i = 0; shape[i] != '\0'; i++) {
        if (shape[i] != '0' && shape[i] != at[i]) {
            return false;
        }
    }
    return true;
}

bool http_date_parse(struct slice text, int64_t *ret_instant)
{
    if (text.length != HTTP_DATE_LENGTH || !matches(text.at + 3, ", 00 ") ||
        !matches(text.at + 11, " 0000 00:00:00 GMT")) {
        return false;
    }
    int month = 0;
    while (month < 12 && memcmp(text.at + 8, month_names + (size_t)3 * (size_t)month, 3) != 0) {
        month++;
    }
    int day = take(text.at + 5, 2), year = take(text.at + 12, 4);
    int hour = take(text.at + 17, 2), minute = take(text.at + 20, 2);
    int second = take(text.at + 23, 2);
    if (month == 12 || day < 1 || year < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60) {
        return false;
    }
    int64_t days = calendar_days(year, (unsigned)month + 1, (unsigned)day);
    int64_t back_year = 0;
    unsigned back_month = 0, back_day = 0;
    calendar_date(days, &back_year, &back_month, &back_day);
    if (back_month != (unsigned)month + 1 ||
        memcmp(text.at, day_names + (size_t)3 * weekday(days), 3) != 0) {
        return false;
    }
    *ret_instant =
        days * MICROS_PER_DAY + ((int64_t)hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND;
    return true;
}
