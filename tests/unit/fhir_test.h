/* SPDX-License-Identifier: MIT */
/* What the tests of fhir share: the compiled base definitions (CARELAYER_DEFINITIONS names the
 * file; the build sets it), an arena for each test, and JSON from literals. */
#ifndef CARELAYER_TESTS_FHIR_TEST_H
#define CARELAYER_TESTS_FHIR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fhir/fhir.h"

static struct definitions *definitions;
static struct arena *arena;

static inline int definitions_setup(void **state)
{
    (void)state;
    const char *path = getenv("CARELAYER_DEFINITIONS");
    if (path == NULL) {
        print_message("CARELAYER_DEFINITIONS is not set\n");
        return -1;
    }
    return definitions_open(path, NULL, &definitions) == STATUS_OK ? 0 : -1;
}

static inline int definitions_teardown(void **state)
{
    (void)state;
    definitions_close(definitions);
    return 0;
}

static inline int arena_setup(void **state)
{
    (void)state;
    arena = arena_create((size_t)16 << 20);
    return arena != NULL ? 0 : -1;
}

static inline int arena_teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

#define FHIR_TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

/* TEXT is JSON with ' for ", so that tests can be read. */
static inline yyjson_val *parse(const char *text)
{
    char *copy = (char *)(uintptr_t)arena_copy(arena, slice_text(text)).at;
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    struct json json;
    assert_int_equal(json_read(slice_text(copy), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    return json.root;
}

static inline resource_type type_of(yyjson_val *resource)
{
    resource_type type = resource_type_find(definitions, json_get_string(resource, "resourceType"));
    assert_int_not_equal(type, RESOURCE_TYPE_NONE);
    return type;
}

static inline const char *as_text(const struct buffer *out)
{
    assert_true(buffer_ok(out));
    return arena_copy(arena, buffer_slice(out)).at;
}

static inline const char *written(const yyjson_val *value)
{
    struct buffer out = {.arena = arena};
    json_write(value, NULL, NULL, &out);
    return as_text(&out);
}

/* Compares with a text written with ' for ". */
static inline void assert_json(const char *actual, const char *expected)
{
    assert_string_equal(actual, written(parse(expected)));
}

#endif
