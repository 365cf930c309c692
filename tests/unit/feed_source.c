/* SPDX-License-Identifier: MIT */
/* Cutting files into units: nothing is lost, whatever the lengths of lines. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "feed/feed_int.h"
#include "testing.h"

static char path[] = "/tmp/carelayer-source-XXXXXX";

static int make_file(void **state)
{
    (void)snprintf(path, sizeof path, "/tmp/carelayer-source-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        return 1;
    }
    (void)close(fd);
    return make_arena(state);
}

static int drop_file(void **state)
{
    (void)unlink(path);
    return drop_arena(state);
}

#define TEST_ON_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, drop_file)

/* COUNT lines {"n":"000...": LENGTH bytes about}, lengths given by a function of the line. */
static void write_lines(size_t count, size_t (*length)(size_t line), bool last_newline)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(file, "{\"n\":\"%0*zu\"}", (int)length(i), i);
        if (i + 1 < count || last_newline) {
            (void)fputc('\n', file);
        }
    }
    assert_int_equal(fclose(file), 0);
}

struct cut {
    size_t lines, units, bytes;
};

/* Reads all units; every line must begin and end as one, and follow on the one before. */
static struct cut read_units(struct arena *arena)
{
    struct source source;
    struct outcome outcome;
    struct cut cut = {0};
    outcome_init(&outcome, arena);
    assert_int_equal(source_open(path, false, &outcome, &source), STATUS_OK);
    for (;;) {
        struct slice text;
        uint64_t line;
        assert_int_equal(source_next(&source, &outcome, &text, &line), STATUS_OK);
        if (text.length == 0) {
            break;
        }
        assert_int_equal(line, cut.lines + 1);
        cut.units++;
        cut.bytes += text.length;
        while (text.at != NULL && text.length > 0) {
            struct slice one = slice_cut(&text, '\n');
            assert_true(one.length > 2 && one.at[0] == '{' && one.at[one.length - 1] == '}');
            cut.lines++;
        }
    }
    source_close(&source);
    return cut;
}

static size_t about_a_kilobyte(size_t line)
{
    return 900 + line * 37 % 300;
}

static size_t about_two_kilobytes(size_t line)
{
    return 1900 + line * 91 % 400;
}

static size_t nearly_a_megabyte(size_t line)
{
    return 700000 + line * 31337 % 250000;
}

static size_t any_length(size_t line)
{
    return line % 97 == 0 ? 300000 + line % 1000 * 900 : 10 + line * 7919 % 3000;
}

static size_t two_megabytes(size_t line)
{
    return 2000000 + line;
}

static void every_line_is_in_some_unit(void **state)
{
    static const struct {
        size_t count;
        size_t (*length)(size_t line);
    } rows[] = {{7000, about_a_kilobyte}, {5000, about_two_kilobytes}, {12, nearly_a_megabyte},
                {3000, any_length},       {4, two_megabytes},          {1, about_a_kilobyte},
                {500, about_a_kilobyte},  {501, about_a_kilobyte},     {1000, any_length}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int newline = 0; newline < 2; newline++) {
            write_lines(rows[i].count, rows[i].length, newline == 1);
            assert_int_equal(read_units(*state).lines, rows[i].count);
        }
    }
}

static void cuts_a_file_alike_each_time(void **state)
{
    write_lines(3000, any_length, true);
    struct cut first = read_units(*state);
    struct cut second = read_units(*state);
    assert_int_equal(first.units, second.units);
    assert_true(first.units > 5);
    assert_int_equal(first.bytes, second.bytes);
}

static void a_document_over_many_lines_is_one_unit(void **state)
{
    struct source source;
    struct outcome outcome;
    struct slice text;
    uint64_t line;
    FILE *file = fopen(path, "w");
    (void)fputs("{\n\"a\": [1,\n2]\n}\n", file);
    assert_int_equal(fclose(file), 0);
    outcome_init(&outcome, *state);
    assert_int_equal(source_open(path, false, &outcome, &source), STATUS_OK);
    assert_false(source.lines);
    assert_int_equal(source_next(&source, &outcome, &text, &line), STATUS_OK);
    assert_slice_is(text, "{\n\"a\": [1,\n2]\n}\n");
    assert_int_equal(source_next(&source, &outcome, &text, &line), STATUS_OK);
    assert_int_equal(text.length, 0);
    source_close(&source);
}

static bool is_lines(struct arena *arena, const char *text)
{
    struct source source;
    struct outcome outcome;
    FILE *file = fopen(path, "w");
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    outcome_init(&outcome, arena);
    assert_int_equal(source_open(path, false, &outcome, &source), STATUS_OK);
    bool lines = source.lines;
    source_close(&source);
    return lines;
}

static void tells_lines_from_documents_by_the_brackets_of_the_first(void **state)
{
    assert_true(is_lines(*state, "{\"a\":[{}]}\n{}\n"));
    assert_true(is_lines(*state, "{\"a\":\"}\\\"{{\"} \r\n{}\n"));
    assert_true(is_lines(*state, "{\"a\":nonsense}\n{}\n"));
    assert_false(is_lines(*state, "{\"a\":[\n]}\n"));
    assert_false(is_lines(*state, "{\"a\":\"}\n"));
    assert_false(is_lines(*state, "[]\n"));
    assert_false(is_lines(*state, "\n{}\n"));
}

static void an_empty_file_has_no_units(void **state)
{
    assert_int_equal(read_units(*state).units, 0);
}

static void a_missing_file_is_an_error_that_names_it(void **state)
{
    struct source source;
    struct outcome outcome;
    outcome_init(&outcome, *state);
    assert_int_equal(source_open("/nonexistent/file", false, &outcome, &source), STATUS_NOT_FOUND);
    assert_int_equal(outcome.errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_FILE(every_line_is_in_some_unit),
        TEST_ON_FILE(cuts_a_file_alike_each_time),
        TEST_ON_FILE(a_document_over_many_lines_is_one_unit),
        TEST_ON_FILE(tells_lines_from_documents_by_the_brackets_of_the_first),
        TEST_ON_FILE(an_empty_file_has_no_units),
        TEST_ON_FILE(a_missing_file_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests_name("feed_source", tests, NULL, NULL);
}
