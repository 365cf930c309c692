/* SPDX-License-Identifier: MIT */
#include "testing.h"

static void collects_what_is_added(void **state)
{
    struct buffer out = {.arena = *state};
    buffer_add_text(&out, "a");
    buffer_add_byte(&out, 'b');
    buffer_add(&out, SLICE("cd"));
    buffer_add(&out, (struct slice){NULL, 0});
    buffer_add_unsigned(&out, UINT64_MAX);
    buffer_add_byte(&out, ' ');
    buffer_add_signed(&out, INT64_MIN);
    buffer_add_byte(&out, ' ');
    buffer_add_signed(&out, 0);
    buffer_print(&out, " %s", "printed");
    assert_buffer_is(&out, "abcd18446744073709551615 -9223372036854775808 0 printed");
}

static void grows_by_single_bytes_to_millions(void **state)
{
    struct buffer out = {.arena = *state};
    for (int i = 0; i < 3000000; i++) {
        buffer_add_byte(&out, (char)i);
    }
    assert_int_equal(out.length, 3000000);
    for (int i = 0; i < 3000000; i++) {
        assert_true(out.at[i] == (char)i);
    }
}

static void prints_more_than_its_small_room(void **state)
{
    struct buffer out = {.arena = *state};
    buffer_print(&out, "%0300d|", 7);
    assert_int_equal(out.length, 301);
    assert_int_equal(out.at[299], '7');
    assert_int_equal(out.at[300], '|');
}

static void is_broken_when_the_arena_is_full_and_stays_so(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1000);
    struct buffer out = {.arena = arena};
    for (int i = 0; i < 2000; i++) {
        buffer_add_byte(&out, 'x');
    }
    assert_false(buffer_ok(&out));
    size_t length = out.length;
    assert_true(length > 250 && length <= 1000);
    buffer_add_text(&out, "more");
    buffer_add_json_string(&out, SLICE("more"));
    buffer_print(&out, "%s", "more");
    assert_null(buffer_reserve(&out, 1));
    assert_int_equal(out.length, length);
    arena_destroy(arena);
}

static void uses_the_last_bytes_of_a_limit(void **state)
{
    (void)state;
    /* Doubling from 600 would not fit below the limit, 900 does. */
    struct arena *arena = arena_create(1000);
    struct buffer out = {.arena = arena};
    assert_non_null(buffer_reserve(&out, 600));
    out.length = 600;
    assert_non_null(buffer_reserve(&out, 300));
    assert_true(buffer_ok(&out));
    arena_destroy(arena);
}

static void escapes_json_at_every_place_of_a_word(void **state)
{
    /* The scan goes eight bytes at a time: try the escape at each offset, and each length. */
    static const char special[] = {'"', '\\', '\n', 0x01, 0x1F};
    static const char *const escaped[] = {"\\\"", "\\\\", "\\n", "\\u0001", "\\u001f"};
    for (size_t length = 1; length < 20; length++) {
        for (size_t at = 0; at < length; at++) {
            for (size_t k = 0; k < sizeof special; k++) {
                char text[20], wanted[64];
                memset(text, 0x7F, length);
                text[at] = special[k];
                struct buffer out = {.arena = *state};
                buffer_add_json_string(&out, slice_of(text, length));
                size_t n = 0;
                wanted[n++] = '"';
                memset(wanted + n, 0x7F, at);
                n += at;
                memcpy(wanted + n, escaped[k], strlen(escaped[k]));
                n += strlen(escaped[k]);
                memset(wanted + n, 0x7F, length - at - 1);
                n += length - at - 1;
                wanted[n++] = '"';
                assert_true(slice_equals(buffer_slice(&out), slice_of(wanted, n)));
            }
        }
    }
}

static void writes_json_strings_that_read_back(void **state)
{
    char every[256];
    for (int i = 0; i < 128; i++) {
        every[i] = (char)(127 - i);
    }
    memcpy(every + 128, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9);
    struct buffer out = {.arena = *state};
    struct json json;
    buffer_add_json_string(&out, slice_of(every, 137));
    assert_int_equal(json_read(buffer_slice(&out), &json_limits_default, *state, NULL, &json),
                     STATUS_OK);
    assert_true(slice_equals(json_string(json.root), slice_of(every, 137)));
    out.length = 0;
    buffer_add_json_string(&out, (struct slice){NULL, 0});
    assert_buffer_is(&out, "\"\"");
    out.length = 0;
    buffer_add_json_string(&out, SLICE("\b\f\r\t/"));
    assert_buffer_is(&out, "\"\\b\\f\\r\\t/\"");
}

static void escapes_for_html_and_urls(void **state)
{
    struct buffer out = {.arena = *state};
    buffer_add_html(&out, SLICE("<a href=\"x\">'Q&A'</a>!"));
    assert_buffer_is(&out, "&lt;a href=&quot;x&quot;&gt;&#39;Q&amp;A&#39;&lt;/a&gt;!");
    out.length = 0;
    buffer_add_url(&out, SLICE("a-Z_0.~/ |+\xC3\xA9"), false);
    assert_buffer_is(&out, "a-Z_0.~%2F%20%7C%2B%C3%A9");
    out.length = 0;
    buffer_add_url(&out, SLICE("a/b"), true);
    assert_buffer_is(&out, "a/b");
}

/* Each growth may be a copy of everything: there are few, also at the end. */
static void grows_in_few_steps_up_to_the_limit_of_its_arena(void **state)
{
    (void)state;
    struct arena *arena = arena_create((size_t)8 << 20);
    struct buffer buffer = {.arena = arena};
    size_t steps = 0;
    for (size_t capacity = 0; buffer_ok(&buffer); capacity = buffer.capacity) {
        buffer_add_byte(&buffer, 'x');
        steps += buffer.capacity != capacity;
    }
    print_message("%zu bytes in %zu steps\n", buffer.length, steps);
    assert_true(buffer.length > (size_t)2 << 20);
    assert_true(steps < 200);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_in_few_steps_up_to_the_limit_of_its_arena),
        TEST_IN_ARENA(collects_what_is_added),
        TEST_IN_ARENA(grows_by_single_bytes_to_millions),
        TEST_IN_ARENA(prints_more_than_its_small_room),
        cmocka_unit_test(is_broken_when_the_arena_is_full_and_stays_so),
        cmocka_unit_test(uses_the_last_bytes_of_a_limit),
        TEST_IN_ARENA(escapes_json_at_every_place_of_a_word),
        TEST_IN_ARENA(writes_json_strings_that_read_back),
        TEST_IN_ARENA(escapes_for_html_and_urls),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
