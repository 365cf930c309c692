/* SPDX-License-Identifier: MIT */
/* Whole synthetic records from a suite: each resource comes back as it went in, to the digit, and
 * index values recomputed from the stored bodies agree. Skipped where the suite is not. */
#include <glob.h>

#include "store_test.h"

#define BUNDLES 3

struct loading {
    yyjson_val *entries;
    struct arena *put_arena;
};

static enum status put_entries(struct store_tx *tx, void *context)
{
    struct loading *loading = context;
    size_t i, max;
    yyjson_val *entry;
    yyjson_arr_foreach(loading->entries, i, max, entry)
    {
        yyjson_val *resource = json_get(entry, "resource");
        struct store_draft *draft = NULL;
        struct store_written written;
        arena_reset(loading->put_arena, 0);
        TRY(store_draft_make(store, type_of(resource), json_get_string(resource, "id"), resource,
                             SLICE(""), loading->put_arena, NULL, &draft));
        TRY(store_put(tx, draft, STORE_CREATED, NULL, loading->put_arena, NULL, &written));
    }
    return STATUS_OK;
}

static void assert_same(yyjson_val *resource, struct arena *scratch)
{
    static const struct slice empty = {"\"meta\":{},", 10};
    struct store_version version;
    struct buffer wanted = {.arena = scratch}, got = {.arena = scratch};
    assert_int_equal(store_read_now(reader, type_of(resource), json_get_string(resource, "id"),
                                    scratch, &version),
                     STATUS_OK);
    json_write(resource, NULL, NULL, &wanted);
    struct slice body = version.body;
    if (json_get(resource, "meta") == NULL) { /* it was given one to hold its version */
        size_t at = version.splice - 8;
        assert_true(slice_starts(slice_from(body, at), empty));
        buffer_add(&got, slice_head(body, at));
        body = slice_from(body, at + empty.length);
    }
    buffer_add(&got, body);
    assert_true(slice_equals(buffer_slice(&wanted), buffer_slice(&got)));
}

static void bundle_round_trip(const char *path)
{
    struct arena *scratch = arena_create(0);
    struct loading loading = {.put_arena = arena_create(0)};
    struct buffer plain = {.arena = scratch};
    struct slice packed;
    struct json json;
    assert_int_equal(disk_read_file(path, (size_t)1 << 30, scratch, &packed), STATUS_OK);
    assert_int_equal(gzip_inflate(packed, (size_t)1 << 30, &plain), STATUS_OK);
    assert_int_equal(json_read(buffer_slice(&plain), &json_limits_default, scratch, NULL, &json),
                     STATUS_OK);
    loading.entries = json_get(json.root, "entry");
    assert_int_equal(store_write(store, put_entries, &loading), STATUS_OK);
    size_t i, max;
    yyjson_val *entry;
    yyjson_arr_foreach(loading.entries, i, max, entry)
    {
        assert_same(json_get(entry, "resource"), scratch);
    }
    arena_destroy(loading.put_arena);
    arena_destroy(scratch);
}

static void every_resource_of_a_record_comes_back_as_it_went_in(void **state)
{
    (void)state;
    const char *suites = getenv("CARELAYER_SUITES");
    glob_t paths;
    const char *pattern = arena_print(arena, "%s/synthea/*.json.gz", suites != NULL ? suites : "");
    if (suites == NULL || glob(pattern, 0, NULL, &paths) != 0) {
        print_message("skipped: the suite is not here\n");
        skip();
    }
    for (size_t i = 0; i < paths.gl_pathc && i < BUNDLES; i++) {
        bundle_round_trip(paths.gl_pathv[i * 7 % paths.gl_pathc]);
    }
    globfree(&paths);
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(store_check(store, NULL, NULL, &outcome), STATUS_OK);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(store_check(store, NULL, NULL, &outcome), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_resource_of_a_record_comes_back_as_it_went_in),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
