/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "synth/synth_int.h"

const char *const synth_type_names[TYPE_COUNT] = {
#define SYNTH_TYPE_ROW(name, text) text,
    SYNTH_TYPES(SYNTH_TYPE_ROW)
#undef SYNTH_TYPE_ROW
};

/* Civil dates from day numbers and back: years start in March, so that leap days come last; an era
 * is the 400 years after which the calendar repeats. Good for every day of 1600 and later. */
struct civil civil_of(day_number day)
{
    int days = day + 719468;
    int era = days / 146097;
    int of_era = days - era * 146097;
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153;
    struct civil civil = {.day = of_year - (153 * month + 2) / 5 + 1,
                          .month = month < 10 ? month + 3 : month - 9};
    civil.year = year + era * 400 + (civil.month <= 2 ? 1 : 0);
    return civil;
}

day_number day_of(int year, int month, int day)
{
    year -= month <= 2 ? 1 : 0;
    int era = year / 400;
    int of_era_year = year - era * 400;
    int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int of_era = of_era_year * 365 + of_era_year / 4 - of_era_year / 100 + of_year;
    return era * 146097 + of_era - 719468;
}

int years_between(day_number birth, day_number day)
{
    if (day <= birth) {
        return 0;
    }
    struct civil from = civil_of(birth);
    struct civil to = civil_of(day);
    bool before = to.month < from.month || (to.month == from.month && to.day < from.day);
    return to.year - from.year - (before ? 1 : 0);
}

day_number day_add_years(day_number day, int years)
{
    struct civil civil = civil_of(day);
    if (civil.month == 2 && civil.day == 29) {
        civil.day = 28;
    }
    return day_of(civil.year + years, civil.month, civil.day);
}

void put_number(struct buffer *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(out, digits + at, sizeof digits - at);
}

void put_decimal(struct buffer *out, int64_t value, unsigned places)
{
    static const int64_t powers[] = {1, 10, 100, 1000};
    assert(places < 4);
    if (value < 0) {
        PUT(out, "-");
        value = -value;
    }
    put_number(out, (uint64_t)(value / powers[places]));
    if (places > 0) {
        char text[4] = {'.'};
        int64_t rest = value % powers[places];
        for (unsigned i = places; i > 0; i--) {
            text[i] = (char)('0' + rest % 10);
            rest /= 10;
        }
        put(out, text, places + 1);
    }
}

static void two_digits(char *at, int value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

void put_day(struct buffer *out, day_number day)
{
    struct civil civil = civil_of(day);
    char text[10] = "YYYY-MM-DD";
    two_digits(text, civil.year / 100);
    two_digits(text + 2, civil.year % 100);
    two_digits(text + 5, civil.month);
    two_digits(text + 8, civil.day);
    put(out, text, sizeof text);
}

/* Summer time runs from the last Sunday of March to the last of October (Summer Time Order 2002);
 * nothing here happens at the hour of the change. */
static bool summer_time(struct civil civil, day_number day)
{
    if (civil.month < 3 || civil.month > 10) {
        return false;
    }
    if (civil.month > 3 && civil.month < 10) {
        return true;
    }
    int weekday = (day + 4) % 7; /* 0 is Sunday; 1970-01-01 was a Thursday */
    int last_sunday = civil.day - weekday;
    while (last_sunday + 7 <= 31) {
        last_sunday += 7;
    }
    return civil.month == 3 ? civil.day >= last_sunday : civil.day < last_sunday;
}

void put_moment(struct buffer *out, day_number day, int minute)
{
    struct civil civil = civil_of(day);
    char text[25] = "YYYY-MM-DDThh:mm:00+00:00";
    two_digits(text, civil.year / 100);
    two_digits(text + 2, civil.year % 100);
    two_digits(text + 5, civil.month);
    two_digits(text + 8, civil.day);
    two_digits(text + 11, minute / 60);
    two_digits(text + 14, minute % 60);
    if (day > 0 && summer_time(civil, day)) {
        text[21] = '1';
    }
    put(out, text, sizeof text);
}

void put_coding(struct buffer *out, char system, const char *code, const char *display)
{
    switch (system) {
    case 'S':
        PUT(out, "{\"system\":\"http://snomed.info/sct\",\"code\":\"");
        break;
    case 'D':
        PUT(out, "{\"system\":\"https://dmd.nhs.uk\",\"code\":\"");
        break;
    default:
        assert(system == 'L');
        PUT(out, "{\"system\":\"http://loinc.org\",\"code\":\"");
    }
    put_text(out, code);
    PUT(out, "\",\"display\":\"");
    put_text(out, display);
    PUT(out, "\"}");
}

void put_concept(struct buffer *out, char system, const char *code, const char *display)
{
    PUT(out, "{\"coding\":[");
    put_coding(out, system, code, display);
    PUT(out, "]}");
}

void put_reference(struct buffer *out, const char *type, const struct uuid *id)
{
    PUT(out, "{\"reference\":\"");
    put_text(out, type);
    PUT(out, "/");
    put(out, id->text, sizeof id->text);
    PUT(out, "\"}");
}

struct buffer *writer_begin(struct writer *writer, enum synth_type type, const struct uuid *id,
                            const char *profile)
{
    struct buffer *out = &writer->types[0];
    if (writer->format == SYNTH_NDJSON) {
        out = &writer->types[type];
    } else {
        if (!writer->first) {
            PUT(out, ",\n");
        }
        writer->first = false;
        PUT(out, "{\"fullUrl\":\"https://example.org/fhir/");
        put_text(out, synth_type_names[type]);
        PUT(out, "/");
        put(out, id->text, sizeof id->text);
        PUT(out, "\",\"resource\":");
    }
    writer->out = out;
    PUT(out, "{\"resourceType\":\"");
    put_text(out, synth_type_names[type]);
    PUT(out, "\",\"id\":\"");
    put(out, id->text, sizeof id->text);
    PUT(out, "\"");
    if (profile != NULL) {
        PUT(out, ",\"meta\":{\"profile\":[\"https://fhir.hl7.org.uk/StructureDefinition/UKCore-");
        put_text(out, profile);
        PUT(out, "\"]}");
    }
    return out;
}

void writer_end(struct writer *writer, enum synth_type type, const struct uuid *id)
{
    struct buffer *out = writer->out;
    PUT(out, "}");
    if (writer->format == SYNTH_NDJSON) {
        PUT(out, "\n");
    } else {
        PUT(out, ",\"request\":{\"method\":\"PUT\",\"url\":\"");
        put_text(out, synth_type_names[type]);
        PUT(out, "/");
        put(out, id->text, sizeof id->text);
        PUT(out, "\"}}");
    }
    writer->resources++;
}

void writer_open_bundle(struct writer *writer)
{
    if (writer->format == SYNTH_BUNDLE) {
        PUT(&writer->types[0],
            "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[\n");
        writer->first = true;
    }
}

void writer_close_bundle(struct writer *writer)
{
    if (writer->format == SYNTH_BUNDLE) {
        PUT(&writer->types[0], "\n]}\n");
    }
}
