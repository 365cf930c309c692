/* SPDX-License-Identifier: MIT */
/* suites/synthea: what must hold of every real record. A transaction that exchanges no link is
 * written byte for byte as it came; with ids given, no reference to an entry is left; a subset is
 * JSON and never longer than the whole and its tag. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fhir/fhir.h"

#define FILE_LIMIT ((size_t)256 << 20)
#define TAG_LENGTH 150

static struct slice file_read(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buffer packed = {.arena = arena}, text = {.arena = arena};
    char block[65536];
    size_t length;
    while (file != NULL && (length = fread(block, 1, sizeof(block), file)) > 0) {
        buffer_add(&packed, slice_of(block, length));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    assert_int_equal(gzip_inflate(buffer_slice(&packed), FILE_LIMIT, &text), STATUS_OK);
    return buffer_slice(&text);
}

static void entry_holds(const struct definitions *definitions, struct bundle *bundle,
                        const struct bundle_entry *entry, struct arena *arena)
{
    struct bundle_linker linker;
    struct buffer whole = {.arena = arena}, linked = {.arena = arena}, subset = {.arena = arena};
    bundle_linker_start(&linker, definitions, bundle, entry);
    json_write(entry->resource, NULL, NULL, &whole);
    struct link_changes changes = {.arena = arena};
    assert_int_equal(resource_exchange_links(definitions, entry->resource_type, entry->resource,
                                             bundle_link_resolve, &linker, &changes),
                     STATUS_OK);
    json_write(entry->resource, NULL, NULL, &linked);
    resource_restore_links(&changes);
    assert_true(buffer_ok(&whole) && buffer_ok(&linked));
    if (entry->link == NULL || entry->link->target.length == 0) {
        assert_true(slice_equals(buffer_slice(&whole), buffer_slice(&linked)));
    } else {
        assert_null(memmem(linked.at, linked.length, "\"reference\":\"urn:uuid:", 22));
    }
    for (enum summary summary = SUMMARY_TRUE; summary <= SUMMARY_DATA; summary++) {
        struct json json;
        subset.length = 0;
        resource_write_subset(definitions, entry->resource_type, entry->resource, summary, NULL, 0,
                              &subset);
        assert_true(buffer_ok(&subset) && subset.length <= whole.length + TAG_LENGTH);
        assert_int_equal(json_read(buffer_slice(&subset), &json_limits_default, arena, NULL, &json),
                         STATUS_OK);
    }
}

static void file_holds(const struct definitions *definitions, const char *path)
{
    struct arena *arena = arena_create((size_t)1 << 30);
    struct outcome outcome;
    struct json json;
    struct bundle bundle;
    outcome_init(&outcome, arena);
    assert_int_equal(json_read(file_read(arena, path), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    assert_int_equal(
        bundle_read(definitions, json.root, (struct slice){NULL, 0}, arena, &outcome, &bundle),
        STATUS_OK);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < bundle.count; i++) {
            struct arena_mark mark = arena_mark(arena);
            entry_holds(definitions, &bundle, &bundle.entries[i], arena);
            arena_rewind(arena, mark);
        }
        for (size_t i = 0; i < bundle.count; i++) {
            const char *id = arena_print(arena, "new-%zu", i);
            assert_int_equal(
                bundle_set_target(definitions, &bundle, &bundle.entries[i], slice_text(id)),
                STATUS_OK);
        }
    }
    arena_destroy(arena);
}

static void every_record_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct definitions *definitions = NULL;
    assert_int_equal(definitions_open(getenv("CARELAYER_DEFINITIONS"), NULL, &definitions),
                     STATUS_OK);
    const char *suites = getenv("CARELAYER_SUITES");
    struct arena *arena = arena_create((size_t)1 << 20);
    const char *folder =
        arena_print(arena, "%s/synthea", suites != NULL ? suites : "../shared/suites");
    DIR *files = opendir(folder);
    size_t count = 0;
    for (struct dirent *file = NULL; files != NULL && (file = readdir(files)) != NULL;) {
        if (slice_ends(slice_text(file->d_name), SLICE(".json.gz"))) {
            file_holds(definitions, arena_print(arena, "%s/%s", folder, file->d_name));
            count++;
        }
    }
    if (files != NULL) {
        (void)closedir(files);
    }
    print_message("%zu files\n", count);
    arena_destroy(arena);
    definitions_close(definitions);
    if (count == 0) {
        print_message("skipped: suites/synthea is not there\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_record_comes_out_as_it_went_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
