/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "testing.h"

static int ends[2];

static int set_up(void **state)
{
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        return 1;
    }
    log_target_set(ends[1]);
    log_level_set(LOG_INFO);
    return make_arena(state);
}

static int tear_down(void **state)
{
    log_target_set(STDERR_FILENO);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return drop_arena(state);
}

/* What was logged since the last call. */
static struct slice lines(struct arena *arena)
{
    char *at = arena_alloc(arena, 65536);
    ssize_t got = read(ends[0], at, 65536);
    return slice_of(at, got > 0 ? (size_t)got : 0);
}

static struct json one_line(struct arena *arena)
{
    struct slice text = lines(arena);
    struct json json;
    assert_true(slice_ends(text, SLICE("}\n")));
    assert_int_equal(slice_index(text, '\n'), text.length - 1);
    assert_int_equal(json_read(text, &json_limits_default, arena, NULL, &json), STATUS_OK);
    return json;
}

static void writes_one_line_of_json_an_event(void **state)
{
    errno = EAGAIN;
    log_event(LOG_STORE_FULL, LOG_NUMBER(LOG_FIELD_ERRNO, ENOSPC), LOG_NUMBER(LOG_FIELD_BYTES, -5),
              LOG_TEXT(LOG_FIELD_STAGE, "perform"));
    assert_int_equal(errno, EAGAIN);
    struct json json = one_line(*state);
    assert_slice_is(json_get_string(json.root, "level"), "error");
    assert_slice_is(json_get_string(json.root, "event"), "store_full");
    assert_slice_is(json_get_string(json.root, "message"),
                    "disk full: writes are refused until there is space");
    assert_slice_is(json_number(json_get(json.root, "errno")), "28");
    assert_slice_is(json_number(json_get(json.root, "bytes")), "-5");
    assert_slice_is(json_get_string(json.root, "stage"), "perform");
    struct partial_date date;
    assert_true(date_parse(json_get_string(json.root, "time"), DATE_FORM_INSTANT, &date));
}

static void leaves_out_events_below_the_level(void **state)
{
    log_write(LOG_REQUEST_DONE, NULL, 0);
    assert_int_equal(lines(*state).length, 0);
    log_level_set(LOG_DEBUG);
    log_write(LOG_REQUEST_DONE, NULL, 0);
    assert_slice_is(json_get_string(one_line(*state).root, "event"), "request_done");
    log_level_set(LOG_ERROR);
    log_write(LOG_AUTH_OFF, NULL, 0);
    assert_int_equal(lines(*state).length, 0);
}

static void a_text_cannot_forge_a_line_or_a_field(void **state)
{
    log_event(LOG_STORE_OPENED, LOG_TEXT(LOG_FIELD_FILE, "a\"b\\c\n{\"level\":\"x\"}\x7F"));
    struct json json = one_line(*state);
    assert_slice_is(json_get_string(json.root, "file"), "a\"b\\c?{\"level\":\"x\"}?");
    assert_slice_is(json_get_string(json.root, "level"), "info");
    log_event(LOG_STORE_OPENED, LOG_TEXT(LOG_FIELD_FILE, "not utf-8 \xFF\xC3"));
    assert_slice_is(json_get_string(one_line(*state).root, "file"), "not utf-8 ??");
}

static void cuts_long_texts_between_characters(void **state)
{
    char text[1001];
    for (size_t i = 0; i < 1000; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    text[1000] = '\0';
    log_event(LOG_STORE_OPENED, LOG_TEXT(LOG_FIELD_FILE, text),
              LOG_TEXT(LOG_FIELD_ADDRESS, text + 2), LOG_TEXT(LOG_FIELD_LIBRARY, text),
              LOG_TEXT(LOG_FIELD_VERSION, text), LOG_TEXT(LOG_FIELD_STAGE, text),
              LOG_TEXT(LOG_FIELD_STATUS, text), LOG_TEXT(LOG_FIELD_RESOURCE, text),
              LOG_TEXT(LOG_FIELD_REQUEST, text));
    struct json json = one_line(*state);
    assert_int_equal(json_get_string(json.root, "file").length, 256);
    memmove(text + 1, text, 999);
    text[0] = 'x';
    text[999] = '\0'; /* a whole character again */
    log_event(LOG_STORE_OPENED, LOG_TEXT(LOG_FIELD_FILE, text));
    assert_int_equal(json_get_string(one_line(*state).root, "file").length, 255);
}

static void every_event_and_field_of_the_tables_is_sound_json(void **state)
{
    log_level_set(LOG_DEBUG);
    for (int event = 0; event < LOG_EVENT_LAST; event++) {
        log_write((enum log_event)event, NULL, 0);
        assert_true(json_get_string(one_line(*state).root, "message").length > 0);
    }
}

static void has_no_class_or_field_for_personal_data(void **state)
{
    (void)state;
    /* Names that a field about a person would have; a new field is to be thought about here. */
    static const char *const names[] = {
#define LOG_FIELD_ROW(name, json, kind, class) json,
        LOG_FIELDS(LOG_FIELD_ROW)
#undef LOG_FIELD_ROW
    };
    static const char *const personal[] = {"patient", "person", "name", "nhs",  "identifier",
                                           "birth",   "text",   "body", "user", "value",
                                           "query",   "url",    "id"};
    for (size_t i = 0; i < LOG_FIELD_LAST; i++) {
        for (size_t j = 0; j < sizeof personal / sizeof personal[0]; j++) {
            assert_string_not_equal(names[i], personal[j]);
        }
    }
}

#define LOGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGGED(writes_one_line_of_json_an_event),
        LOGGED(leaves_out_events_below_the_level),
        LOGGED(a_text_cannot_forge_a_line_or_a_field),
        LOGGED(cuts_long_texts_between_characters),
        LOGGED(every_event_and_field_of_the_tables_is_sound_json),
        cmocka_unit_test(has_no_class_or_field_for_personal_data),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
