/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "base_int.h"
#include "time.h"

#define DAY INT64_C(86400)

/* The clock changes of the United Kingdom up to 1995 (orders under the Summer Time Acts; British
 * Standard Time 1968-71), each in UTC. Held here and not taken from the machine, so that the
 * default zone needs no tzdata and gives the same index rows on every machine. */
struct change {
    int16_t year;
    uint8_t month, day, hour; /* changes were on the hour */
    uint8_t offset;           /* hours east of UTC from then on */
};

static const struct change british_changes[] = {
    {1916, 5, 21, 2, 1}, {1916, 10, 1, 2, 0},  {1917, 4, 8, 2, 1},  {1917, 9, 17, 2, 0},
    {1918, 3, 24, 2, 1}, {1918, 9, 30, 2, 0},  {1919, 3, 30, 2, 1}, {1919, 9, 29, 2, 0},
    {1920, 3, 28, 2, 1}, {1920, 10, 25, 2, 0}, {1921, 4, 3, 2, 1},  {1921, 10, 3, 2, 0},
    {1922, 3, 26, 2, 1}, {1922, 10, 8, 2, 0},  {1923, 4, 22, 2, 1}, {1923, 9, 16, 2, 0},
    {1924, 4, 13, 2, 1}, {1924, 9, 21, 2, 0},  {1925, 4, 19, 2, 1}, {1925, 10, 4, 2, 0},
    {1926, 4, 18, 2, 1}, {1926, 10, 3, 2, 0},  {1927, 4, 10, 2, 1}, {1927, 10, 2, 2, 0},
    {1928, 4, 22, 2, 1}, {1928, 10, 7, 2, 0},  {1929, 4, 21, 2, 1}, {1929, 10, 6, 2, 0},
    {1930, 4, 13, 2, 1}, {1930, 10, 5, 2, 0},  {1931, 4, 19, 2, 1}, {1931, 10, 4, 2, 0},
    {1932, 4, 17, 2, 1}, {1932, 10, 2, 2, 0},  {1933, 4, 9, 2, 1},  {1933, 10, 8, 2, 0},
    {1934, 4, 22, 2, 1}, {1934, 10, 7, 2, 0},  {1935, 4, 14, 2, 1}, {1935, 10, 6, 2, 0},
    {1936, 4, 19, 2, 1}, {1936, 10, 4, 2, 0},  {1937, 4, 18, 2, 1}, {1937, 10, 3, 2, 0},
    {1938, 4, 10, 2, 1}, {1938, 10, 2, 2, 0},  {1939, 4, 16, 2, 1}, {1939, 11, 19, 2, 0},
    {1940, 2, 25, 2, 1}, {1941, 5, 4, 1, 2},   {1941, 8, 10, 1, 1}, {1942, 4, 5, 1, 2},
    {1942, 8, 9, 1, 1},  {1943, 4, 4, 1, 2},   {1943, 8, 15, 1, 1}, {1944, 4, 2, 1, 2},
    {1944, 9, 17, 1, 1}, {1945, 4, 2, 1, 2},   {1945, 7, 15, 1, 1}, {1945, 10, 7, 2, 0},
    {1946, 4, 14, 2, 1}, {1946, 10, 6, 2, 0},  {1947, 3, 16, 2, 1}, {1947, 4, 13, 1, 2},
    {1947, 8, 10, 1, 1}, {1947, 11, 2, 2, 0},  {1948, 3, 14, 2, 1}, {1948, 10, 31, 2, 0},
    {1949, 4, 3, 2, 1},  {1949, 10, 30, 2, 0}, {1950, 4, 16, 2, 1}, {1950, 10, 22, 2, 0},
    {1951, 4, 15, 2, 1}, {1951, 10, 21, 2, 0}, {1952, 4, 20, 2, 1}, {1952, 10, 26, 2, 0},
    {1953, 4, 19, 2, 1}, {1953, 10, 4, 2, 0},  {1954, 4, 11, 2, 1}, {1954, 10, 3, 2, 0},
    {1955, 4, 17, 2, 1}, {1955, 10, 2, 2, 0},  {1956, 4, 22, 2, 1}, {1956, 10, 7, 2, 0},
    {1957, 4, 14, 2, 1}, {1957, 10, 6, 2, 0},  {1958, 4, 20, 2, 1}, {1958, 10, 5, 2, 0},
    {1959, 4, 19, 2, 1}, {1959, 10, 4, 2, 0},  {1960, 4, 10, 2, 1}, {1960, 10, 2, 2, 0},
    {1961, 3, 26, 2, 1}, {1961, 10, 29, 2, 0}, {1962, 3, 25, 2, 1}, {1962, 10, 28, 2, 0},
    {1963, 3, 31, 2, 1}, {1963, 10, 27, 2, 0}, {1964, 3, 22, 2, 1}, {1964, 10, 25, 2, 0},
    {1965, 3, 21, 2, 1}, {1965, 10, 24, 2, 0}, {1966, 3, 20, 2, 1}, {1966, 10, 23, 2, 0},
    {1967, 3, 19, 2, 1}, {1967, 10, 29, 2, 0}, {1968, 2, 18, 2, 1}, {1971, 10, 31, 2, 0},
    {1972, 3, 19, 2, 1}, {1972, 10, 29, 2, 0}, {1973, 3, 18, 2, 1}, {1973, 10, 28, 2, 0},
    {1974, 3, 17, 2, 1}, {1974, 10, 27, 2, 0}, {1975, 3, 16, 2, 1}, {1975, 10, 26, 2, 0},
    {1976, 3, 21, 2, 1}, {1976, 10, 24, 2, 0}, {1977, 3, 20, 2, 1}, {1977, 10, 23, 2, 0},
    {1978, 3, 19, 2, 1}, {1978, 10, 29, 2, 0}, {1979, 3, 18, 2, 1}, {1979, 10, 28, 2, 0},
    {1980, 3, 16, 2, 1}, {1980, 10, 26, 2, 0}, {1981, 3, 29, 1, 1}, {1981, 10, 25, 1, 0},
    {1982, 3, 28, 1, 1}, {1982, 10, 24, 1, 0}, {1983, 3, 27, 1, 1}, {1983, 10, 23, 1, 0},
    {1984, 3, 25, 1, 1}, {1984, 10, 28, 1, 0}, {1985, 3, 31, 1, 1}, {1985, 10, 27, 1, 0},
    {1986, 3, 30, 1, 1}, {1986, 10, 26, 1, 0}, {1987, 3, 29, 1, 1}, {1987, 10, 25, 1, 0},
    {1988, 3, 27, 1, 1}, {1988, 10, 23, 1, 0}, {1989, 3, 26, 1, 1}, {1989, 10, 29, 1, 0},
    {1990, 3, 25, 1, 1}, {1990, 10, 28, 1, 0}, {1991, 3, 31, 1, 1}, {1991, 10, 27, 1, 0},
    {1992, 3, 29, 1, 1}, {1992, 10, 25, 1, 0}, {1993, 3, 28, 1, 1}, {1993, 10, 24, 1, 0},
    {1994, 3, 27, 1, 1}, {1994, 10, 23, 1, 0}, {1995, 3, 26, 1, 1}, {1995, 10, 22, 1, 0},
};

#define CHANGES (sizeof british_changes / sizeof british_changes[0])

/* British rules since 1996 (Directive 2000/84/EC and SI 2002/262): summer time from 01:00 UTC on
 * the last Sunday of March to 01:00 UTC on the last Sunday of October. */
static int64_t last_sunday(int64_t year, unsigned month)
{
    int64_t last = calendar_days(year, month, 31);
    int64_t weekday = ((last + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 is Sunday */
    return (last - weekday) * DAY + 3600;
}

/* One number for year, month, day and hour, in their order: the search below compares many rows
 * with one instant, and this spares it their calendar. */
static uint32_t pack(uint32_t year, unsigned month, unsigned day, unsigned hour)
{
    return year << 14 | month << 10 | day << 5 | hour;
}

static int32_t british_offset_before_1996(uint32_t packed)
{
    size_t low = 0, high = CHANGES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct change *change = &british_changes[middle];
        if (pack((uint32_t)change->year, change->month, change->day, change->hour) <= packed) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? british_changes[low - 1].offset * 3600 : 0;
}

static int32_t british_offset(int64_t instant)
{
    int64_t year = 0;
    unsigned month = 0, day = 0;
    int64_t days = instant >= 0 ? instant / DAY : -((DAY - 1 - instant) / DAY);
    calendar_date(days, &year, &month, &day);
    if (year >= 1996) {
        if (month < 3 || month > 10) {
            return 0;
        }
        if (month > 3 && month < 10) {
            return 3600;
        }
        int64_t change = last_sunday(year, month);
        return (month == 3) == (instant >= change) ? 3600 : 0;
    }
    if (year < british_changes[0].year) {
        return 0;
    }
    unsigned hour = (unsigned)((instant - days * DAY) / 3600);
    return british_offset_before_1996(pack((uint32_t)year, month, day, hour));
}

/* Another zone, as the machine's tzdata describes it. */
struct transition {
    int64_t instant;
    int32_t offset; /* from then on */
};

#define PROBE_STEP      (14 * DAY)
#define FIRST_YEAR      1900
#define LAST_YEAR       2450 /* rules repeat after 400 years: enough past the last change of law */
#define TRANSITIONS_MAX 4096
#define CYCLE           (146097 * DAY)

static struct {
    struct arena *arena; /* NULL: British time */
    struct transition *items;
    size_t count;
    int64_t end; /* instants from here on are looked up a cycle earlier */
} zone;

static int32_t probe(int64_t instant)
{
    time_t when = (time_t)instant;
    struct tm local;
    return localtime_r(&when, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}

static int64_t find_change(int64_t low, int64_t high)
{
    int32_t before = probe(low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (probe(middle) == before) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

static bool fill_zone(void)
{
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return false;
    }
    struct transition *items = arena_array(arena, TRANSITIONS_MAX, sizeof *items);
    if (items == NULL) {
        arena_destroy(arena);
        return false;
    }
    int64_t at = calendar_days(FIRST_YEAR, 1, 1) * DAY;
    int64_t end = calendar_days(LAST_YEAR, 1, 1) * DAY;
    size_t count = 0;
    items[count++] = (struct transition){INT64_MIN, probe(at)};
    while (at < end && count < TRANSITIONS_MAX) {
        int64_t next = at + PROBE_STEP;
        if (probe(next) != items[count - 1].offset) {
            next = find_change(at, next);
            items[count++] = (struct transition){next, probe(next)};
        }
        at = next;
    }
    zone.items = arena_resize(arena, items, TRANSITIONS_MAX * sizeof *items, count * sizeof *items);
    zone.count = count;
    zone.end = end;
    zone.arena = arena;
    return true;
}

static bool is_zone_name(const char *name)
{
    size_t length =
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");
    return length > 0 && length < 64 && name[length] == '\0' && name[0] != '/';
}

static bool machine_knows(const char *name)
{
    const char *folder = getenv("TZDIR");
    char path[512];
    int length =
        snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name);
    char head[4] = {0};
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        return false;
    }
    bool whole = fread(head, 1, sizeof head, file) == sizeof head;
    (void)fclose(file);
    return whole && memcmp(head, "TZif", sizeof head) == 0;
}

/* Asks the C library for the whole zone once, because asking it each time takes a lock. */
static bool read_zone(const char *name)
{
    const char *before = getenv("TZ");
    char *kept = before != NULL ? strdup(before) : NULL;
    bool done = setenv("TZ", name, 1) == 0;
    if (done) {
        tzset();
        done = fill_zone();
    }
    if (kept != NULL) {
        (void)setenv("TZ", kept, 1);
    } else {
        (void)unsetenv("TZ");
    }
    free(kept);
    tzset();
    return done;
}

bool date_zone_set(const char *name)
{
    static struct transition universal[] = {{INT64_MIN, 0}};
    struct arena *before = zone.arena;
    bool british = strcmp(name, "Europe/London") == 0 || strcmp(name, "GB") == 0;
    if (british) {
        zone.items = NULL;
        zone.arena = NULL;
    } else if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
        zone.items = universal;
        zone.count = 1;
        zone.end = INT64_MAX;
        zone.arena = NULL;
    } else if (!is_zone_name(name) || !machine_knows(name) || !read_zone(name)) {
        return false;
    }
    arena_destroy(before);
    return true;
}

int32_t zone_offset(int64_t instant)
{
    if (zone.items == NULL) {
        return british_offset(instant);
    }
    if (instant >= zone.end) {
        instant -= ((instant - zone.end) / CYCLE + 1) * CYCLE;
    }
    size_t low = 1, high = zone.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone.items[middle].instant <= instant) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return zone.items[low - 1].offset;
}

void zone_instants(int64_t local, int64_t *ret_first, int64_t *ret_last)
{
    int32_t earlier = zone_offset(local - DAY);
    int32_t later = zone_offset(local + DAY);
    *ret_first = *ret_last = local - earlier;
    if (earlier == later) {
        return;
    }
    bool before_change = zone_offset(local - earlier) == earlier;
    bool after_change = zone_offset(local - later) == later;
    if (before_change && after_change) {
        *ret_first = local - (earlier > later ? earlier : later);
        *ret_last = local - (earlier > later ? later : earlier);
    } else if (after_change) {
        *ret_first = *ret_last = local - later;
    }
}
