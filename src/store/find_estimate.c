/* SPDX-License-Identifier: MIT */
/* store: how many matches there are about, in bounded time. A few are counted one after another; if
 * that does not reach the end, matches are counted in windows spread evenly over all places, and
 * the rest is thought to be like them. The windows are always the same, so an estimate does not
 * change between the pages of one answer. */
#include "find_int.h"

#define COUNT_LOOKS  3000 /* to count exactly */
#define WINDOWS      24   /* of each part of the places */
#define WINDOW_LOOKS 64

/* Places as one line: the number of the patient, and how far into their record. */
struct sample {
    struct finder *finder;
    double matches; /* in all windows, and how much of the line these cover */
    double covered;
};

static enum status last_place(struct connection *connection, int64_t low, int64_t high,
                              int64_t *ret_last)
{
    struct statement *statement;
    bool row = false;
    *ret_last = low;
    TRY(statement_get(connection, SQL_PLACE_LAST, &statement));
    statement_bind_number(statement, 1, low);
    statement_bind_number(statement, 2, high);
    TRY(statement_row(connection, statement, &row));
    if (row && !statement_is_null(statement, 0)) {
        *ret_last = statement_number(statement, 0);
    }
    statement_reset(statement);
    return STATUS_OK;
}

static enum status place_of(struct connection *connection, double at, int64_t *ret_rid)
{
    int64_t first = place_first((uint32_t)at), last = 0;
    TRY(last_place(connection, first, first + SEQUENCE_LIMIT, &last));
    *ret_rid = first + (int64_t)((at - (double)(uint32_t)at) * (double)(last - first + 1));
    return STATUS_OK;
}

static enum status line_of(struct connection *connection, int64_t rid, double *ret_at)
{
    int64_t first = place_first(place_patient(rid)), last = 0;
    TRY(last_place(connection, first, first + SEQUENCE_LIMIT, &last));
    double within = (double)(rid - first) / (double)(last - first + 1);
    *ret_at = (double)place_patient(rid) + (within < 1 ? within : 1);
    return STATUS_OK;
}

/* Counts from LOW on, no further than HIGH and not for long. */
static enum status count_window(struct sample *sample, double low, double high)
{
    struct finder *finder = sample->finder;
    struct connection *connection = finder->root.connection;
    int64_t from = 0, end = 0;
    double reached = high;
    TRY(place_of(connection, low, &from));
    TRY(place_of(connection, high, &end));
    finder->pause = finder->looked + WINDOW_LOOKS;
    for (;;) {
        struct candidate candidate;
        TRY(finder_next(finder, from, &candidate));
        if (candidate.rid >= end) {
            break;
        }
        if (candidate.paused) {
            TRY(line_of(connection, candidate.rid, &reached));
            break;
        }
        sample->matches++;
        from = candidate.rid + 1;
    }
    reached = reached < high ? reached : high;
    sample->covered += reached > low ? reached - low : 0;
    return STATUS_OK;
}

/* The matches between two patients' numbers. */
static enum status count_part(struct finder *finder, double low, double high, double *ret_count)
{
    struct sample sample = {.finder = finder};
    double step = (high - low) / WINDOWS;
    *ret_count = 0;
    finder_rewind(finder);
    for (int i = 0; i < WINDOWS && high > low; i++) {
        double begin = low + i * step;
        TRY(count_window(&sample, begin, i + 1 < WINDOWS ? begin + step : high));
    }
    if (sample.covered > 0) {
        *ret_count = sample.matches * (high - low) / sample.covered;
    }
    return STATUS_OK;
}

static enum status count_exactly(struct finder *finder, uint64_t *ret_count, bool *ret_done)
{
    struct candidate candidate = {.rid = -1};
    *ret_count = 0;
    finder_rewind(finder);
    finder->pause = finder->looked + COUNT_LOOKS;
    for (;;) {
        TRY(finder_next(finder, candidate.rid + 1, &candidate));
        if (candidate.paused || candidate.rid == STREAM_END) {
            break;
        }
        ++*ret_count;
    }
    *ret_done = !candidate.paused;
    return STATUS_OK;
}

/* What is shared by all, what belongs to nobody, and what belongs to patients. */
static enum status count_parts(struct finder *finder, double *ret_count)
{
    struct connection *connection = finder->root.connection;
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_PLACE_HIGHEST, &statement));
    TRY(statement_row(connection, statement, &row));
    double patients = row ? (double)place_patient(statement_number(statement, 0)) + 1 : 0;
    statement_reset(statement);
    const double bounds[][2] = {
        {PLACE_SHARED, 1}, {1, PLACE_BUCKETS + 1}, {PATIENT_FIRST, patients}};
    *ret_count = 0;
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        double count = 0;
        TRY(count_part(finder, bounds[i][0], bounds[i][1], &count));
        *ret_count += count;
    }
    return STATUS_OK;
}

enum status finder_estimate(struct finder *finder, uint64_t *ret_total)
{
    bool done = false;
    enum status status = count_exactly(finder, ret_total, &done);
    if (status == STATUS_OK && !done) {
        double count = 0;
        uint64_t least = *ret_total;
        status = count_parts(finder, &count);
        *ret_total = count > (double)least ? (uint64_t)count : least;
    }
    finder->pause = 0;
    return status;
}
