/* SPDX-License-Identifier: MIT */
/* Instants are microseconds since 1970-01-01T00:00:00Z as int64_t. Partial dates are FHIR's date,
 * dateTime and instant at whatever precision was written (R4 datatypes, "Primitive types"). */
#ifndef CARELAYER_BASE_TIME_H
#define CARELAYER_BASE_TIME_H

#include "buffer.h"
#include "slice.h"

#define MICROS_PER_SECOND INT64_C(1000000)
#define MICROS_PER_DAY    (INT64_C(86400) * MICROS_PER_SECOND)

/* Now, from the system clock (never before the last answer of this process). */
int64_t time_now(void);

/* Now from a clock that only goes forward, in microseconds: for deadlines and durations. */
int64_t time_monotonic(void);

enum precision {
    PRECISION_YEAR,
    PRECISION_MONTH,
    PRECISION_DAY,
    PRECISION_HOUR, /* FHIRPath only: no form below reads it */
    PRECISION_MINUTE,
    PRECISION_SECOND,
    PRECISION_MILLISECOND, /* one to three digits of fraction */
    PRECISION_MICROSECOND, /* four or more; digits past six are cut */
};

struct partial_date {
    enum precision precision;
    bool has_zone;
    int32_t zone_minutes;         /* east of UTC; meaningless without has_zone */
    int16_t year;                 /* 1..9999 */
    uint8_t month, day;           /* 1..; 0 when not given */
    uint8_t hour, minute, second; /* second 60 is accepted and read as the next minute */
    uint32_t micros;
};

/* Which written form is wanted. DATE: YYYY[-MM[-DD]]. DATETIME: DATE or with time, seconds and
 * zone required once there is a time. INSTANT: whole, to the second at least, with zone.
 * SEARCH: DATETIME where seconds, zone and time parts may be missing (R4 search, "date").
 * TIME: hh:mm:ss[.fff] only; the date parts stay 0. */
enum date_form {
    DATE_FORM_DATE,
    DATE_FORM_DATETIME,
    DATE_FORM_INSTANT,
    DATE_FORM_SEARCH,
    DATE_FORM_TIME
};

/* False unless TEXT is exactly such a form of a day that exists. */
bool date_parse(struct slice text, enum date_form form, struct partial_date *ret_date);

/* The half-open range [low, high) of instants that the partial date may mean. A date without zone
 * is read in the server's zone (Europe/London unless date_zone_set says otherwise). */
void date_range(const struct partial_date *date, int64_t *ret_low, int64_t *ret_high);

/* Days from 1970-01-01 to this day of the proleptic Gregorian calendar; and back. */
int64_t calendar_days(int64_t year, unsigned month, unsigned day);
void calendar_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

/* Days of a month (1..12), 28 to 31. */
unsigned calendar_month_length(int64_t year, unsigned month);

/* Seconds east of UTC of the server's zone at an instant in seconds. */
int32_t zone_offset(int64_t instant);

/* Sets the zone for dates written without one: an IANA name. False when the machine does not know
 * it. Once, before other threads start. */
bool date_zone_set(const char *name);

/* "2026-11-21T20:10:22.123Z": a FHIR instant in UTC with milliseconds, 24 bytes. */
#define INSTANT_LENGTH 24
void instant_write(int64_t instant, char ret_text[static INSTANT_LENGTH + 1]);

/* Which day it is at an instant, by the calendars of the server's zone: days since 1970-01-01. */
int32_t day_at(int64_t instant);

/* "2026-11-21", 10 bytes; DAY within the years 1 to 9999. */
#define DAY_LENGTH 10
void day_write(int32_t day, char ret_text[static DAY_LENGTH + 1]);

/* "Sat, 21 Nov 2026 20:10:22 GMT" (RFC 9110 IMF-fixdate), 29 bytes; and back (IMF-fixdate only). */
#define HTTP_DATE_LENGTH 29
void http_date_write(int64_t instant, char ret_text[static HTTP_DATE_LENGTH + 1]);
bool http_date_parse(struct slice text, int64_t *ret_instant);

#endif
