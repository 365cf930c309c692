/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <unistd.h>

#include "testing.h"

static void starts_with_the_defaults_of_the_table(void **state)
{
    (void)state;
    struct config config;
    config_init(&config);
    assert_string_equal(config.host, "127.0.0.1");
    assert_int_equal(config.port, 8080);
    assert_int_equal(config.memory, INT64_C(1) << 30);
    assert_int_equal(config.max_headers, 32 << 10);
    assert_int_equal(config.idle_timeout, 60);
    assert_false(config.integrity);
    assert_int_equal(config.package.count, 0);
}

static void sets_each_kind_of_value(void **state)
{
    struct config config;
    config_init(&config);
    char value[] = "/data";
    assert_int_equal(config_set(&config, "data", value, *state, NULL), STATUS_OK);
    value[1] = 'X';
    assert_string_equal(config.data, "/data");
    assert_int_equal(config_set(&config, "port", "0", *state, NULL), STATUS_OK);
    assert_int_equal(config.port, 0);
    assert_int_equal(config_set(&config, "cache", "3M", *state, NULL), STATUS_OK);
    assert_int_equal(config.cache, 3 << 20);
    assert_int_equal(config_set(&config, "max-body", "2000", *state, NULL), STATUS_OK);
    assert_int_equal(config.max_body, 2000);
    assert_int_equal(config_set(&config, "integrity", "on", *state, NULL), STATUS_OK);
    assert_true(config.integrity);
    assert_int_equal(config_set(&config, "package", "a.tgz", *state, NULL), STATUS_OK);
    assert_int_equal(config_set(&config, "package", "b.tgz", *state, NULL), STATUS_OK);
    assert_int_equal(config.package.count, 2);
    assert_string_equal(config.package.items[0], "a.tgz");
    assert_string_equal(config.package.items[1], "b.tgz");
}

static void refuses_bad_values_and_keeps_the_old(void **state)
{
    static const char *const rows[][2] = {
        {"port", "65536"}, {"port", "-1"},         {"port", ""},
        {"port", "80a"},   {"port", "1k"},         {"cache", "1"},
        {"cache", "1T"},   {"cache", "M"},         {"idle-timeout", "0"},
        {"page", "10001"}, {"integrity", "maybe"}, {"memory", "99999999999G"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config config, before;
        struct outcome outcome;
        outcome_init(&outcome, *state);
        memset(&config, 0, sizeof config);
        config_init(&config);
        before = config;
        assert_int_equal(config_set(&config, rows[i][0], rows[i][1], *state, &outcome),
                         STATUS_VALUE);
        assert_int_equal(outcome.errors, 1);
        assert_slice_is(outcome.first->path, rows[i][0]);
        assert_true(config.port == before.port && config.cache == before.cache &&
                    config.integrity == before.integrity && config.memory == before.memory);
    }
}

static void hints_at_the_name_that_was_meant(void **state)
{
    static const char *const rows[][2] = {{"prot", "Did you mean port?"},
                                          {"idle-timeuot", "Did you mean idle-timeout?"},
                                          {"max_body", "Did you mean max-body?"}};
    struct config config;
    config_init(&config);
    for (size_t i = 0; i < 3; i++) {
        struct outcome outcome;
        outcome_init(&outcome, *state);
        assert_int_equal(config_set(&config, rows[i][0], "1", *state, &outcome), STATUS_VALUE);
        assert_true(slice_ends(outcome.first->text, slice_text(rows[i][1])));
    }
    struct outcome outcome;
    outcome_init(&outcome, *state);
    assert_int_equal(config_set(&config, "nothing-like-it-at-all-in-the-whole-table-of-settings",
                                "1", *state, &outcome),
                     STATUS_VALUE);
    assert_null(memmem(outcome.first->text.at, outcome.first->text.length, "Did you", 7));
}

static enum status read_text(struct config *config, const char *text, struct arena *arena,
                             struct outcome *outcome)
{
    char path[] = "carelayer-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(disk_write_all(fd, slice_text(text), 0), STATUS_OK);
    enum status status = config_read_file(config, path, arena, outcome);
    (void)close(fd);
    (void)unlink(path);
    return status;
}

static void reads_a_file_with_comments(void **state)
{
    struct config config;
    struct outcome outcome;
    config_init(&config);
    outcome_init(&outcome, *state);
    assert_int_equal(read_text(&config,
                               "# all of it\n\n  port = 9000   # here\r\n"
                               "base-url=https://example.org/fhir#part\n"
                               "package = one.tgz\npackage = two.tgz",
                               *state, &outcome),
                     STATUS_OK);
    assert_int_equal(config.port, 9000);
    assert_string_equal(config.base_url, "https://example.org/fhir#part");
    assert_int_equal(config.package.count, 2);
    assert_int_equal(outcome.count, 0);
}

static void reports_every_bad_line_of_a_file_with_its_number(void **state)
{
    struct config config;
    struct outcome outcome;
    config_init(&config);
    outcome_init(&outcome, *state);
    assert_int_equal(read_text(&config, "port = 9000\nport 1\n\nprot = 1\nport = x\npage = 7\n",
                               *state, &outcome),
                     STATUS_VALUE);
    assert_int_equal(outcome.errors, 3);
    assert_int_equal(outcome.first->line, 2);
    assert_int_equal(outcome.first->next->line, 4);
    assert_int_equal(outcome.last->line, 5);
    assert_int_equal(config.port, 9000);
    assert_int_equal(config.page, 7);
    assert_int_equal(config_read_file(&config, "/nonexistent/file", *state, &outcome),
                     STATUS_NOT_FOUND);
}

static void takes_settings_from_the_environment(void **state)
{
    struct config config;
    struct outcome outcome;
    config_init(&config);
    outcome_init(&outcome, *state);
    assert_int_equal(setenv("CARELAYER_MAX_BODY", "5M", 1), 0);
    assert_int_equal(setenv("CARELAYER_CORS", "https://a.example, https://b.example", 1), 0);
    assert_int_equal(setenv("CARELAYER_PAGE", "many", 1), 0);
    assert_int_equal(config_read_environment(&config, *state, &outcome), STATUS_VALUE);
    assert_int_equal(unsetenv("CARELAYER_MAX_BODY"), 0);
    assert_int_equal(unsetenv("CARELAYER_CORS"), 0);
    assert_int_equal(unsetenv("CARELAYER_PAGE"), 0);
    assert_int_equal(config.max_body, 5 << 20);
    assert_int_equal(config.cors.count, 2);
    assert_string_equal(config.cors.items[1], "https://b.example");
    assert_int_equal(outcome.errors, 1);
    assert_slice_is(outcome.first->path, "page");
}

static void finds_the_folder_of_the_terminologies(void **state)
{
    struct config config;
    config_init(&config);
    assert_null(config_terminology(&config, *state));
    config.data = "/records";
    assert_string_equal(config_terminology(&config, *state), "/records/terminology");
    config.terminology = "/shared";
    assert_string_equal(config_terminology(&config, *state), "/shared");
}

static void writes_a_row_of_the_manual_for_each_setting(void **state)
{
    struct buffer out = {.arena = *state};
    config_write_manual(&out);
    assert_true(buffer_ok(&out));
#define CONFIG_ROW(member, name, kind, value, low, high, meaning)                                  \
    assert_non_null(memmem(out.at, out.length, "| `--" name "` |", strlen("| `--" name "` |")));
    CONFIG_TABLE(CONFIG_ROW)
#undef CONFIG_ROW
    assert_non_null(memmem(out.at, out.length, "`CARELAYER_MAX_BODY`", 20));
    assert_true(config_is_switch("integrity"));
    assert_false(config_is_switch("port"));
    assert_false(config_is_switch("no such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_the_defaults_of_the_table),
        TEST_IN_ARENA(sets_each_kind_of_value),
        TEST_IN_ARENA(refuses_bad_values_and_keeps_the_old),
        TEST_IN_ARENA(hints_at_the_name_that_was_meant),
        TEST_IN_ARENA(reads_a_file_with_comments),
        TEST_IN_ARENA(reports_every_bad_line_of_a_file_with_its_number),
        TEST_IN_ARENA(takes_settings_from_the_environment),
        TEST_IN_ARENA(finds_the_folder_of_the_terminologies),
        TEST_IN_ARENA(writes_a_row_of_the_manual_for_each_setting),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
