/* SPDX-License-Identifier: MIT */
#include "testing.h"

static void compares_and_finds(void **state)
{
    (void)state;
    assert_true(slice_starts(SLICE("Patient/1"), SLICE("Patient/")));
    assert_false(slice_starts(SLICE("Pat"), SLICE("Patient")));
    assert_true(slice_ends(SLICE("a.json"), SLICE(".json")));
    assert_false(slice_ends(SLICE("json"), SLICE(".json")));
    assert_true(slice_equals_ignoring_case(SLICE("Content-TYPE"), SLICE("content-type")));
    assert_false(slice_equals_ignoring_case(SLICE("a["), SLICE("a{")));
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_compare(SLICE("\x80"), SLICE("a")) > 0);
    assert_int_equal(slice_compare(SLICE(""), slice_text(NULL)), 0);
    assert_int_equal(slice_index(SLICE("a=b"), '='), 1);
    assert_int_equal(slice_index(SLICE("ab"), '='), 2);
    assert_int_equal(slice_index(slice_text(NULL), '='), 0);
    assert_slice_is(slice_from(SLICE("abc"), 5), "");
    assert_slice_is(slice_head(SLICE("abc"), 5), "abc");
}

static void trims_only_white_space_at_the_ends(void **state)
{
    (void)state;
    assert_slice_is(slice_trim(SLICE(" \t\r\n a b \v\f")), "a b");
    assert_slice_is(slice_trim(SLICE("   ")), "");
}

static void cuts_every_part_empty_ones_too(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "", "b", ""};
    struct slice s = SLICE("a,,b,");
    size_t count = 0;
    while (s.at != NULL) {
        struct slice part = slice_cut(&s, ',');
        assert_true(count < 4);
        assert_slice_is(part, parts[count++]);
    }
    assert_int_equal(count, 4);
}

static void reads_natural_numbers_and_nothing_else(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(slice_to_unsigned(SLICE("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(slice_to_unsigned(SLICE("0"), 10, &value));
    assert_int_equal(value, 0);
    static const char *const wrong[] = {"",   "18446744073709551616", "11",  "-1", "+1", " 1",
                                        "1 ", "99999999999999999999", "0x1", "1a", "01"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(slice_to_unsigned(slice_text(wrong[i]), i == 1 ? UINT64_MAX : 10, &value));
    }
}

static void knows_well_formed_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain text longer than eight bytes",
                                       "12345678\xC3\xA9",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC3",
                                      "\xC3(",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xE2\x82",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF0\x9F\x98",
                                      "\xFF",
                                      "12345678\xC3"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(slice_is_utf8(slice_text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(slice_is_utf8(slice_text(bad[i])));
    }
}

static void writes_every_code_point_as_utf8(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *text;
    } cases[] = {{'A', "A"},
                 {0x7F, "\x7F"},
                 {0x80, "\xC2\x80"},
                 {0x7FF, "\xDF\xBF"},
                 {0x800, "\xE0\xA0\x80"},
                 {0xFFFF, "\xEF\xBF\xBF"},
                 {0x10000, "\xF0\x90\x80\x80"},
                 {0x10FFFF, "\xF4\x8F\xBF\xBF"}};
    char text[4];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = utf8_write(text, cases[i].code);
        assert_true(slice_is(slice_of(text, length), cases[i].text));
    }
    for (uint32_t code = 1; code <= 0x10FFFF; code += 7) {
        size_t length = utf8_write(text, code);
        assert_int_equal(slice_is_utf8(slice_of(text, length)), code < 0xD800 || code > 0xDFFF);
    }
}

static void hashes_equal_texts_equally_and_others_apart(void **state)
{
    (void)state;
    char text[64] = {0};
    uint64_t seen[64];
    for (size_t i = 0; i < 64; i++) {
        seen[i] = slice_hash(slice_of(text, i));
        for (size_t j = 0; j < i; j++) {
            assert_true(seen[i] != seen[j]);
        }
    }
    char copy[] = "Patient.name.given";
    assert_true(slice_hash(SLICE("Patient.name.given")) == slice_hash(slice_text(copy)));
    copy[17] ^= 1;
    assert_true(slice_hash(SLICE("Patient.name.given")) != slice_hash(slice_text(copy)));
}

static void every_status_has_a_sound_row(void **state)
{
    (void)state;
    for (int i = 0; i < STATUS_COUNT; i++) {
        enum status status = (enum status)i;
        assert_true(status_http(status) >= 200 && status_http(status) <= 507);
        assert_true(strlen(status_issue(status)) > 0);
        assert_true(slice_starts(slice_text(status_name(status)), SLICE("STATUS_")));
    }
    assert_int_equal(status_http(STATUS_GONE), 410);
    assert_string_equal(status_issue(STATUS_GONE), "deleted");
    assert_string_equal(status_name(STATUS_GONE), "STATUS_GONE");
}

static void tells_bytes_apart_wherever_they_differ(void **state)
{
    (void)state;
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    for (size_t length = 0; length < sizeof text; length++) {
        char other[sizeof text];
        memcpy(other, text, sizeof other);
        assert_true(bytes_equal(text, other, length));
        for (size_t i = 0; i < length; i++) {
            other[i] ^= 1;
            assert_false(bytes_equal(text, other, length));
            other[i] ^= 1;
        }
        other[length] ^= 1; /* what lies behind does not count */
        assert_true(bytes_equal(text, other, length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_and_finds),
        cmocka_unit_test(tells_bytes_apart_wherever_they_differ),
        cmocka_unit_test(trims_only_white_space_at_the_ends),
        cmocka_unit_test(cuts_every_part_empty_ones_too),
        cmocka_unit_test(reads_natural_numbers_and_nothing_else),
        cmocka_unit_test(knows_well_formed_utf8),
        cmocka_unit_test(writes_every_code_point_as_utf8),
        cmocka_unit_test(hashes_equal_texts_equally_and_others_apart),
        cmocka_unit_test(every_status_has_a_sound_row),
    };
    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
