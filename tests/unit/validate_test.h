/* SPDX-License-Identifier: MIT */
/* What the tests of validate share: a resource in, "rule@path" of each problem out. */
#ifndef CARELAYER_TESTS_VALIDATE_TEST_H
#define CARELAYER_TESTS_VALIDATE_TEST_H

#include "fhir_test.h"
#include "validate/validate.h"

/* The problems of TEXT (JSON with ' for "), joined by spaces; "" when there is none. */
static inline const char *problems_with(const char *text, const struct validate_options *given)
{
    struct outcome outcome;
    struct json json;
    resource_type type;
    char *copy = (char *)(uintptr_t)arena_copy(arena, slice_text(text)).at;
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    outcome_init(&outcome, arena);
    assert_int_equal(json_read(slice_text(copy), &json_limits_default, arena, &outcome, &json),
                     STATUS_OK);
    struct validate_options options = {.definitions = definitions};
    if (given != NULL) {
        options = *given;
        options.definitions = definitions;
    }
    enum status status =
        validate_resource(&options, &json, json.root, SLICE(""), arena, &outcome, &type);
    assert_int_equal(status == STATUS_OK, outcome.errors == 0);
    struct buffer out = {.arena = arena};
    for (const struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        buffer_add_text(&out, out.length > 0 ? " " : "");
        buffer_add(&out, issue->rule);
        buffer_add_byte(&out, '@');
        buffer_add(&out, issue->path);
        assert_true(issue->text.length > 10);
        assert_true(issue->line >= 1);
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

#define assert_fine(text)            assert_string_equal(problems_with(text, NULL), "")
#define assert_problem(text, expect) assert_string_equal(problems_with(text, NULL), expect)

#endif
