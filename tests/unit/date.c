/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "base/base_int.h"
#include "testing.h"

static void assert_range(const char *text, enum date_form form, const char *low, const char *high)
{
    struct partial_date date;
    int64_t from = 0, to = 0;
    char written[INSTANT_LENGTH + 1];
    assert_true(date_parse(slice_text(text), form, &date));
    date_range(&date, &from, &to);
    instant_write(from, written);
    assert_string_equal(written, low);
    instant_write(to, written);
    assert_string_equal(written, high);
}

static void assert_forms(const char *text, const char *wanted)
{
    /* One letter a form that accepts it: Date, datetiMe, Instant, Search, Time. */
    static const char letters[] = "DMIST";
    char got[8];
    size_t count = 0;
    for (int form = DATE_FORM_DATE; form <= DATE_FORM_TIME; form++) {
        struct partial_date date;
        if (date_parse(slice_text(text), (enum date_form)form, &date)) {
            got[count++] = letters[form];
        }
    }
    got[count] = '\0';
    assert_string_equal(got, wanted);
}

static void accepts_each_form_where_it_belongs(void **state)
{
    (void)state;
    assert_forms("2024", "DMS");
    assert_forms("2024-02", "DMS");
    assert_forms("2024-02-29", "DMS");
    assert_forms("2024-02-29T10:11:12Z", "MIS");
    assert_forms("2024-02-29T10:11:12.5+14:00", "MIS");
    assert_forms("2024-02-29T10:11:60-13:59", "MIS");
    assert_forms("2024-02-29T10:11:12", "S");
    assert_forms("2024-02-29T10:11", "S");
    assert_forms("2024-02-29T10:11+01:00", "S");
    assert_forms("10:11:12", "T");
    assert_forms("10:11:12.123456789", "T");
}

static void refuses_a_date_that_does_not_exist(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "0000",
                                        "202",
                                        "20245",
                                        "2024-",
                                        "2024-00",
                                        "2024-13",
                                        "2024-1",
                                        "2024-01-00",
                                        "2024-01-32",
                                        "2024-04-31",
                                        "2023-02-29",
                                        "1900-02-29",
                                        "2024-02-30",
                                        "2024-02-29T",
                                        "24-01-01",
                                        "2024/01/01",
                                        " 2024",
                                        "2024 ",
                                        "2024-01-01 10:00:00Z",
                                        "-2024",
                                        "2024-01-01T24:00:00Z",
                                        "2024-01-01T10:60:00Z",
                                        "2024-01-01T10:00:61Z",
                                        "2024-01-01T10:00:00.Z",
                                        "2024-01-01T10:00:00z",
                                        "2024-01-01t10:00:00Z",
                                        "2024-01-01T10:00:00+14:01",
                                        "2024-01-01T10:00:00+1:00",
                                        "2024-01-01T10:00:00+0100",
                                        "2024-01-01T10:00:00ZZ",
                                        "2024-01T10:00:00Z",
                                        "2024T10:00:00Z",
                                        "2024-01-01T10",
                                        "10:11",
                                        "25:00:00",
                                        "2024-01-01T10:00:00+01:60",
                                        "2024-01-01Z",
                                        "\xD9\xA2\xD9\xA0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_forms(wrong[i], "");
    }
    assert_forms("2000-02-29", "DMS");
}

static void keeps_the_parts_and_the_precision(void **state)
{
    (void)state;
    struct partial_date date;
    assert_true(date_parse(SLICE("2024-05-06T07:08:09.123456789-03:30"), DATE_FORM_INSTANT, &date));
    assert_int_equal(date.year, 2024);
    assert_int_equal(date.month, 5);
    assert_int_equal(date.day, 6);
    assert_int_equal(date.hour, 7);
    assert_int_equal(date.minute, 8);
    assert_int_equal(date.second, 9);
    assert_int_equal(date.micros, 123456);
    assert_true(date.has_zone);
    assert_int_equal(date.zone_minutes, -210);
    assert_int_equal(date.precision, PRECISION_MICROSECOND);
    assert_true(date_parse(SLICE("2024-05-06T07:08:09.12Z"), DATE_FORM_INSTANT, &date));
    assert_int_equal(date.micros, 120000);
    assert_int_equal(date.precision, PRECISION_MILLISECOND);
    assert_true(date_parse(SLICE("2024-05"), DATE_FORM_DATE, &date));
    assert_int_equal(date.day, 0);
    assert_false(date.has_zone);
    assert_int_equal(date.precision, PRECISION_MONTH);
}

static void gives_the_range_of_each_precision(void **state)
{
    (void)state;
    assert_range("2024", DATE_FORM_DATE, "2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z");
    assert_range("2024-02", DATE_FORM_DATE, "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z");
    assert_range("2023-12", DATE_FORM_DATE, "2023-12-01T00:00:00.000Z", "2024-01-01T00:00:00.000Z");
    assert_range("2024-01-15T10:30Z", DATE_FORM_SEARCH, "2024-01-15T10:30:00.000Z",
                 "2024-01-15T10:31:00.000Z");
    assert_range("2024-01-15T10:30:05+02:00", DATE_FORM_DATETIME, "2024-01-15T08:30:05.000Z",
                 "2024-01-15T08:30:06.000Z");
    assert_range("2024-01-15T10:30:05.25Z", DATE_FORM_DATETIME, "2024-01-15T10:30:05.250Z",
                 "2024-01-15T10:30:05.251Z");
    assert_range("2016-12-31T23:59:60Z", DATE_FORM_DATETIME, "2017-01-01T00:00:00.000Z",
                 "2017-01-01T00:00:01.000Z");
    assert_range("0001", DATE_FORM_DATE, "0001-01-01T00:00:00.000Z", "0002-01-01T00:00:00.000Z");
}

static void reads_dates_without_zone_as_british_time(void **state)
{
    (void)state;
    assert_range("2024-07-01", DATE_FORM_DATE, "2024-06-30T23:00:00.000Z",
                 "2024-07-01T23:00:00.000Z");
    assert_range("2024-03", DATE_FORM_DATE, "2024-03-01T00:00:00.000Z", "2024-03-31T23:00:00.000Z");
    assert_range("2024-03-31", DATE_FORM_DATE, "2024-03-31T00:00:00.000Z",
                 "2024-03-31T23:00:00.000Z");
    assert_range("1970", DATE_FORM_DATE, "1969-12-31T23:00:00.000Z", "1970-12-31T23:00:00.000Z");
    assert_range("1943-07-01", DATE_FORM_DATE, "1943-06-30T22:00:00.000Z",
                 "1943-07-01T22:00:00.000Z");
    assert_range("1850-07-01", DATE_FORM_DATE, "1850-07-01T00:00:00.000Z",
                 "1850-07-02T00:00:00.000Z");
}

static void covers_both_meanings_of_the_hour_that_comes_twice(void **state)
{
    (void)state;
    /* 2024-10-27: 02:00 BST becomes 01:00 GMT. */
    assert_range("2024-10-27T01:30", DATE_FORM_SEARCH, "2024-10-27T00:30:00.000Z",
                 "2024-10-27T01:31:00.000Z");
    assert_range("2024-10-27T00:59", DATE_FORM_SEARCH, "2024-10-26T23:59:00.000Z",
                 "2024-10-27T00:00:00.000Z");
    assert_range("2024-10-27T02:00", DATE_FORM_SEARCH, "2024-10-27T02:00:00.000Z",
                 "2024-10-27T02:01:00.000Z");
    /* 2024-03-31: 01:00 to 02:00 does not exist; read as if the clock had not changed. */
    assert_range("2024-03-31T01:30", DATE_FORM_SEARCH, "2024-03-31T01:30:00.000Z",
                 "2024-03-31T01:31:00.000Z");
}

static bool knows_zones(void)
{
    bool known = date_zone_set("Europe/Paris");
    assert_true(date_zone_set("Europe/London"));
    return known;
}

static void the_built_in_british_rules_are_those_of_tzdata(void **state)
{
    (void)state;
    if (!knows_zones()) {
        skip();
    }
    assert_int_equal(setenv("TZ", "Europe/London", 1), 0);
    tzset();
    /* Every six hours and a bit, 1900 to 2037. */
    for (int64_t at = calendar_days(1900, 1, 1) * 86400; at < INT64_C(2145916800); at += 22000) {
        time_t when = (time_t)at;
        struct tm local;
        assert_non_null(localtime_r(&when, &local));
        assert_int_equal(zone_offset(at), local.tm_gmtoff);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void takes_another_zone_from_the_machine(void **state)
{
    (void)state;
    if (!knows_zones()) {
        skip();
    }
    assert_true(date_zone_set("America/New_York"));
    assert_range("2024-07-01", DATE_FORM_DATE, "2024-07-01T04:00:00.000Z",
                 "2024-07-02T04:00:00.000Z");
    assert_range("2024-11-03T01:30", DATE_FORM_SEARCH, "2024-11-03T05:30:00.000Z",
                 "2024-11-03T06:31:00.000Z");
    assert_range("2999-07-01", DATE_FORM_DATE, "2999-07-01T04:00:00.000Z",
                 "2999-07-02T04:00:00.000Z");
    assert_true(date_zone_set("Asia/Kolkata"));
    assert_range("2024-01-01", DATE_FORM_DATE, "2023-12-31T18:30:00.000Z",
                 "2024-01-01T18:30:00.000Z");
    assert_true(date_zone_set("UTC"));
    assert_range("2024-07-01", DATE_FORM_DATE, "2024-07-01T00:00:00.000Z",
                 "2024-07-02T00:00:00.000Z");
    assert_true(date_zone_set("Europe/London"));
}

static void refuses_a_zone_that_is_not_known(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe/London\n", "zone.tab"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(date_zone_set(wrong[i]));
    }
    assert_range("2024-07-01", DATE_FORM_DATE, "2024-06-30T23:00:00.000Z",
                 "2024-07-01T23:00:00.000Z");
}

static void counts_days_both_ways(void **state)
{
    (void)state;
    assert_int_equal(calendar_days(1970, 1, 1), 0);
    assert_int_equal(calendar_days(2000, 3, 1), 11017);
    for (int64_t days = -719162; days < 2932896; days += 13) {
        int64_t year = 0;
        unsigned month = 0, day = 0;
        calendar_date(days, &year, &month, &day);
        assert_true(month >= 1 && month <= 12 && day >= 1 && day <= 31);
        assert_int_equal(calendar_days(year, month, day), days);
    }
}

static void writes_and_reads_http_dates(void **state)
{
    (void)state;
    char text[HTTP_DATE_LENGTH + 1];
    int64_t instant = 0;
    http_date_write(INT64_C(784111777) * MICROS_PER_SECOND + 999999, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(http_date_parse(slice_text(text), &instant));
    assert_true(instant == INT64_C(784111777) * MICROS_PER_SECOND);
    static const char *const wrong[] = {
        "Mon, 06 Nov 1994 08:49:37 GMT",  "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 24:49:37 GMT",  "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",  "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:4a:37 GMT",  ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(http_date_parse(slice_text(wrong[i]), &instant));
    }
}

static void writes_instants_before_1970_too(void **state)
{
    (void)state;
    char text[INSTANT_LENGTH + 1];
    instant_write(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    instant_write(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

static void clocks_do_not_go_back(void **state)
{
    (void)state;
    int64_t now = time_now(), steady = time_monotonic();
    assert_true(now > INT64_C(1600000000) * MICROS_PER_SECOND);
    for (int i = 0; i < 1000; i++) {
        int64_t next = time_now(), later = time_monotonic();
        assert_true(next >= now && later >= steady);
        now = next;
        steady = later;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_each_form_where_it_belongs),
        cmocka_unit_test(refuses_a_date_that_does_not_exist),
        cmocka_unit_test(keeps_the_parts_and_the_precision),
        cmocka_unit_test(gives_the_range_of_each_precision),
        cmocka_unit_test(reads_dates_without_zone_as_british_time),
        cmocka_unit_test(covers_both_meanings_of_the_hour_that_comes_twice),
        cmocka_unit_test(the_built_in_british_rules_are_those_of_tzdata),
        cmocka_unit_test(takes_another_zone_from_the_machine),
        cmocka_unit_test(refuses_a_zone_that_is_not_known),
        cmocka_unit_test(counts_days_both_ways),
        cmocka_unit_test(writes_and_reads_http_dates),
        cmocka_unit_test(writes_instants_before_1970_too),
        cmocka_unit_test(clocks_do_not_go_back),
    };
    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
