/* SPDX-License-Identifier: MIT */
/* The same work again and again, each time with another allocation failing: it must end in an
 * error or in the right answer, never in a crash or a wrong one. */
#include <stdio.h>

#include "testing.h"

static const char bundle[] =
    "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\","
    "\"name\":[{\"given\":[\"A\\u00e9\",\"B\"],\"family\":\"C\"}],\"multipleBirthInteger\":2,"
    "\"extension\":[{\"url\":\"urn:x\",\"valueDecimal\":1.500}]}},null,true,[],{}]}";

/* Fills BODY to some size, so that reading and writing need several chunks. */
static struct slice long_body(struct arena *arena)
{
    struct buffer body = {.arena = arena};
    buffer_add_byte(&body, '[');
    for (int i = 0; i < 120; i++) {
        buffer_add_text(&body, bundle);
        buffer_add_byte(&body, i < 119 ? ',' : ']');
    }
    assert_true(buffer_ok(&body));
    return buffer_slice(&body);
}

/* True when the result is there and whole; it is then in *RET_TEXT. */
static bool do_the_work(struct slice body, struct arena *arena, struct slice *ret_text)
{
    struct outcome outcome;
    struct json json;
    outcome_init(&outcome, arena);
    if (json_read(body, &json_limits_default, arena, &outcome, &json) != STATUS_OK) {
        return false;
    }
    struct arena_mark mark = arena_mark(arena);
    struct buffer pretty = {.arena = arena};
    json_write_pretty(json.root, &pretty);
    arena_rewind(arena, mark);
    struct buffer first = {.arena = arena}, changed = {.arena = arena}, out = {.arena = arena};
    json_write(json.root, NULL, NULL, &first);
    yyjson_mut_doc *copy = json_mutable(arena, json.root);
    if (copy != NULL) {
        json_write_mutable(yyjson_mut_doc_get_root(copy), &changed);
        if (buffer_ok(&first) && buffer_ok(&changed)) {
            assert_true(slice_equals(buffer_slice(&first), buffer_slice(&changed)));
        }
    }
    for (int i = 0; i < 10; i++) {
        uint32_t line = 0, column = 0;
        json_position(&json, json.root + i, &line, &column);
        (void)outcome_fail(&outcome, STATUS_INVALID, "Patient", "At %u:%u.", line, column);
    }
    outcome_write_json(&outcome, &out);
    buffer_add(&out, buffer_slice(&changed));
    *ret_text = buffer_slice(&out);
    return buffer_ok(&out) && !arena_full(arena);
}

static void json_and_outcomes_survive_each_failing_allocation(void **state)
{
    struct slice body = long_body(*state);
    struct arena *whole = arena_create((size_t)32 << 20);
    struct slice wanted = {NULL, 0};
    assert_true(do_the_work(body, whole, &wanted));
    unsigned long failures = 0;
    for (unsigned long n = 1;; n++) {
        struct arena *arena = arena_create((size_t)32 << 20);
        struct slice text = {NULL, 0};
        arena_fail_after(n);
        bool done = do_the_work(body, arena, &text);
        arena_fail_after(0);
        assert_true(done || arena_full(arena));
        if (done) {
            assert_true(slice_equals(text, wanted));
        }
        failures += !done;
        arena_destroy(arena);
        if (done) {
            break;
        }
    }
    print_message("%lu allocations failed in turn\n", failures);
    assert_true(failures > 30);
    arena_destroy(whole);
}

static void json_and_outcomes_survive_each_limit(void **state)
{
    struct slice body = long_body(*state);
    struct arena *whole = arena_create((size_t)32 << 20);
    struct slice wanted = {NULL, 0};
    bool done = false;
    assert_true(do_the_work(body, whole, &wanted));
    for (size_t limit = 1; !done; limit += 4099) {
        struct arena *arena = arena_create(limit);
        struct slice text = {NULL, 0};
        done = do_the_work(body, arena, &text);
        assert_true(done || arena_full(arena));
        assert_true(arena_used(arena) <= limit);
        assert_true(!done || slice_equals(text, wanted));
        arena_destroy(arena);
    }
    arena_destroy(whole);
}

static void settings_survive_each_failing_allocation(void **state)
{
    (void)state;
    bool done = false;
    for (unsigned long n = 1; !done; n++) {
        struct arena *arena = arena_create((size_t)1 << 20);
        struct outcome outcome;
        struct config config;
        outcome_init(&outcome, arena);
        config_init(&config);
        arena_fail_after(n);
        enum status first = config_set(&config, "package", "a.tgz", arena, &outcome);
        enum status second = config_set(&config, "prot", "1", arena, &outcome);
        arena_fail_after(0);
        assert_int_equal(second, STATUS_VALUE);
        assert_true(outcome.errors == (first == STATUS_OK ? 1 : 2));
        assert_true(config.package.count == (first == STATUS_OK ? 1 : 0));
        done = !arena_full(arena);
        arena_destroy(arena);
    }
}

static void codecs_survive_each_failing_allocation(void **state)
{
    struct slice body = long_body(*state);
    bool done = false;
    for (unsigned long n = 1; !done; n++) {
        struct arena *arena = arena_create((size_t)8 << 20);
        struct buffer small = {.arena = arena}, text = {.arena = arena}, back = {.arena = arena};
        arena_fail_after(n);
        enum status made = gzip_compress(body, 1, &small);
        enum status inflated = STATUS_INTERNAL;
        if (made == STATUS_OK) {
            inflated = gzip_inflate(buffer_slice(&small), body.length, &back);
        }
        base64_write(body, &text);
        arena_fail_after(0);
        done = !arena_full(arena);
        assert_true(!done || (inflated == STATUS_OK && buffer_ok(&text)));
        assert_true(inflated != STATUS_OK || slice_equals(buffer_slice(&back), body));
        arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(json_and_outcomes_survive_each_failing_allocation),
        TEST_IN_ARENA(json_and_outcomes_survive_each_limit),
        cmocka_unit_test(settings_survive_each_failing_allocation),
        TEST_IN_ARENA(codecs_survive_each_failing_allocation),
    };
    return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
