/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <unistd.h>

#include "base/base_int.h"
#include "testing.h"

static void writes_and_reads_base64(void **state)
{
    /* RFC 4648, section 10. */
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"},
                                          {"\xFB\xFF", "+/8="}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer out = {.arena = *state}, back = {.arena = *state};
        base64_write(slice_text(rows[i][0]), &out);
        assert_buffer_is(&out, rows[i][1]);
        assert_true(base64_parse(buffer_slice(&out), false, &back));
        assert_buffer_is(&back, rows[i][0]);
    }
}

static void refuses_what_is_not_base64(void **state)
{
    static const char *const wrong[] = {
        "Z",     "Zg",   "Zg=",  "Zg==Zg==", "=Zg=",     "Z===",   "Zm9v\n",
        "Zm 9v", "Zm-_", "====", "Zg==Zm9v", "Zm9vZg=x", "Zm9\xC3"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buffer out = {.arena = *state};
        assert_false(base64_parse(slice_text(wrong[i]), false, &out));
    }
    struct buffer out = {.arena = *state};
    assert_true(base64_parse(SLICE(" Zm9v\r\n\tYmFy \n"), true, &out));
    assert_buffer_is(&out, "foobar");
    assert_false(base64_parse(SLICE("Zm 9v"), true, &out));
}

static void decodes_urls_strictly(void **state)
{
    struct buffer out = {.arena = *state};
    assert_true(url_decode(SLICE("a%20b+c%C3%A9"), true, &out));
    assert_buffer_is(&out, "a b c\xC3\xA9");
    out.length = 0;
    assert_true(url_decode(SLICE("a+b%2b"), false, &out));
    assert_buffer_is(&out, "a+b+");
    static const char *const wrong[] = {"%",   "%4",  "a%",  "%zz",  "%4g",
                                        "%00", "%C3", "%ff", "\xC3("};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        out.length = 0;
        assert_false(url_decode(slice_text(wrong[i]), false, &out));
    }
}

static void writes_hex(void **state)
{
    struct buffer out = {.arena = *state};
    hex_write(slice_of("\x00\xAB\xFF", 3), &out);
    assert_buffer_is(&out, "00abff");
}

static struct slice noise(struct arena *arena, size_t length)
{
    struct random random;
    random_seed(&random, 5, 5);
    char *at = arena_alloc(arena, length);
    for (size_t i = 0; i < length; i++) {
        at[i] = (char)('a' + random_below(&random, 20));
    }
    return slice_of(at, length);
}

static void compresses_and_inflates_any_length(void **state)
{
    static const size_t lengths[] = {0, 1, 16384, 100000, 3000000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct slice text = noise(*state, lengths[i]);
        struct buffer small = {.arena = *state}, back = {.arena = *state};
        buffer_add_text(&back, "kept");
        assert_int_equal(gzip_compress(text, 6, &small), STATUS_OK);
        assert_int_equal(gzip_inflate(buffer_slice(&small), lengths[i], &back), STATUS_OK);
        assert_true(slice_equals(slice_from(buffer_slice(&back), 4), text));
        assert_slice_is(slice_head(buffer_slice(&back), 4), "kept");
        if (lengths[i] > 0) {
            back.length = 0;
            assert_int_equal(gzip_inflate(buffer_slice(&small), lengths[i] - 1, &back),
                             STATUS_TOO_LONG);
        }
    }
}

static void stops_a_bomb_at_its_limit(void **state)
{
    char *zeros = arena_zero(*state, 10000000);
    struct buffer bomb = {.arena = *state}, out = {.arena = *state};
    assert_int_equal(gzip_compress(slice_of(zeros, 10000000), 9, &bomb), STATUS_OK);
    assert_true(bomb.length < 20000);
    size_t before = arena_used(*state);
    assert_int_equal(gzip_inflate(buffer_slice(&bomb), 1000, &out), STATUS_TOO_LONG);
    assert_true(arena_used(*state) - before < 40000);
}

static void reads_members_one_after_another_and_refuses_damage(void **state)
{
    struct buffer both = {.arena = *state}, out = {.arena = *state};
    assert_int_equal(gzip_compress(SLICE("one "), 6, &both), STATUS_OK);
    size_t first = both.length;
    assert_int_equal(gzip_compress(SLICE("two"), 6, &both), STATUS_OK);
    assert_int_equal(gzip_inflate(buffer_slice(&both), 100, &out), STATUS_OK);
    assert_buffer_is(&out, "one two");
    for (size_t cut = 0; cut < both.length; cut++) {
        out.length = 0;
        enum status wanted = cut == first ? STATUS_OK : STATUS_STRUCTURE;
        assert_int_equal(gzip_inflate(slice_head(buffer_slice(&both), cut), 100, &out), wanted);
    }
    buffer_add_text(&both, "rubbish");
    assert_int_equal(gzip_inflate(buffer_slice(&both), 100, &out), STATUS_STRUCTURE);
    both.at[both.length - 9] ^= 1;
    both.length -= 7;
    both.at[both.length - 5] ^= 1; /* in the CRC */
    assert_int_equal(gzip_inflate(buffer_slice(&both), 100, &out), STATUS_STRUCTURE);
}

static void computes_crc32c_the_same_in_both_ways(void **state)
{
    /* RFC 3720, appendix B.4. */
    static const unsigned char zeros[32] = {0};
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, zeros, 32), 0x8A9136AA);
    assert_int_equal(crc32c(0, "", 0), 0);
    struct slice text = noise(*state, 1000);
    for (size_t length = 0; length < 100; length++) {
        uint32_t whole = crc32c(0, text.at + 1, length);
        assert_int_equal(crc32c_by_table(0, text.at + 1, length), whole);
        uint32_t part = crc32c(0, text.at + 1, length / 3);
        assert_int_equal(crc32c(part, text.at + 1 + length / 3, length - length / 3), whole);
    }
}

/* What a file with these BYTES reads as, in pieces of SIZE. */
static enum status read_file(struct slice bytes, size_t size, struct buffer *out)
{
    FILE *file = tmpfile();
    size_t count = 1;
    enum status status = STATUS_OK;
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.at, 1, bytes.length, file), bytes.length);
    rewind(file);
    struct gzip_reader *reader = gzip_reader_open(dup(fileno(file)));
    assert_non_null(reader);
    while (status == STATUS_OK && count > 0) {
        char *to = buffer_reserve(out, size);
        status = gzip_reader_read(reader, to, size, &count);
        out->length += count;
    }
    gzip_reader_close(reader);
    assert_int_equal(fclose(file), 0);
    return status;
}

static void assert_reads(struct slice bytes, struct slice expected, struct arena *arena)
{
    static const size_t sizes[] = {1, 7, 1 << 20};
    for (size_t i = expected.length > 1000; i < 3; i++) {
        struct buffer out = {.arena = arena};
        assert_int_equal(read_file(bytes, sizes[i], &out), STATUS_OK);
        assert_true(slice_equals(buffer_slice(&out), expected));
    }
}

static void reads_files_plain_or_gzip(void **state)
{
    struct slice text = noise(*state, 300000);
    struct buffer members = {.arena = *state}, twice = {.arena = *state};
    assert_reads(SLICE("plain"), SLICE("plain"), *state);
    assert_reads(SLICE("\x1f"), SLICE("\x1f"), *state);
    assert_reads(slice_of("", 0), slice_of("", 0), *state);
    assert_reads(text, text, *state);
    for (int i = 0; i < 2; i++) {
        buffer_add(&twice, text);
        assert_int_equal(gzip_compress(text, 6, &members), STATUS_OK);
        assert_int_equal(gzip_compress(slice_of("", 0), 6, &members), STATUS_OK);
    }
    assert_reads(buffer_slice(&members), buffer_slice(&twice), *state);
    buffer_add(&members, slice_of(arena_zero(*state, 200000), 200000)); /* as tapes pad */
    assert_reads(buffer_slice(&members), buffer_slice(&twice), *state);
}

static void a_file_whose_later_member_is_damaged_is_not_read_as_a_shorter_one(void **state)
{
    static const struct slice ends[] = {
        {"junk", 4}, {"\0\0x", 3}, {"\x1f", 1}, {"\x1f\x8b", 2}, {"\x1fX\x08", 3}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct buffer bytes = {.arena = *state}, out = {.arena = *state};
        assert_int_equal(gzip_compress(SLICE("one"), 6, &bytes), STATUS_OK);
        buffer_add(&bytes, ends[i]);
        assert_int_equal(read_file(buffer_slice(&bytes), 100, &out), STATUS_STRUCTURE);
        assert_buffer_is(&out, "one");
    }
    struct buffer bytes = {.arena = *state}, out = {.arena = *state};
    assert_int_equal(gzip_compress(SLICE("one"), 6, &bytes), STATUS_OK);
    bytes.at[bytes.length - 5] ^= 1; /* of the checksum */
    assert_int_equal(read_file(buffer_slice(&bytes), 100, &out), STATUS_STRUCTURE);
}

static void digests_with_sha256(void **state)
{
    uint8_t digest[SHA256_LENGTH];
    struct buffer out = {.arena = *state};
    sha256(SLICE("abc"), digest); /* FIPS 180-4 example */
    hex_write(slice_of((const char *)digest, sizeof digest), &out);
    assert_buffer_is(&out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(writes_and_reads_base64),
        TEST_IN_ARENA(refuses_what_is_not_base64),
        TEST_IN_ARENA(decodes_urls_strictly),
        TEST_IN_ARENA(writes_hex),
        TEST_IN_ARENA(compresses_and_inflates_any_length),
        TEST_IN_ARENA(stops_a_bomb_at_its_limit),
        TEST_IN_ARENA(reads_members_one_after_another_and_refuses_damage),
        TEST_IN_ARENA(reads_files_plain_or_gzip),
        TEST_IN_ARENA(a_file_whose_later_member_is_damaged_is_not_read_as_a_shorter_one),
        TEST_IN_ARENA(computes_crc32c_the_same_in_both_ways),
        TEST_IN_ARENA(digests_with_sha256),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
