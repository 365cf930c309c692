/* SPDX-License-Identifier: MIT */
/* Records and profiles from outside: a resource through full validation, against the base and, when
 * the input has a second line, against the StructureDefinition there, which is added as one that is
 * posted to the API. Taking in is never stricter than judging. */

#include "fuzz.h"
#include "validate/validate.h"

#define REOPEN_AFTER 2000u /* compiled profiles stay as long as their validator */

static struct definitions *definitions;
static struct conformance *conformance;
static struct terms *terms;
static struct validator *validator;

static void close_all(void)
{
    validator_close(validator);
    terms_close(terms);
    conformance_close(conformance);
    validator = NULL;
}

static void open_all(void)
{
    const char *path = getenv("CARELAYER_DEFINITIONS");
    if (definitions == NULL) {
        must(path != NULL && definitions_open(path, NULL, &definitions) == STATUS_OK);
    }
    must(conformance_open(definitions, &conformance) == STATUS_OK &&
         terms_open(conformance, NULL, &terms) == STATUS_OK &&
         validator_open(definitions, conformance, terms, &validator) == STATUS_OK);
}

#define UNDECIDED UINT32_MAX /* memory was short */

/* The errors; a verdict without a reason is a bug. */
static uint32_t judge(struct slice text, const struct slice *profile, bool strict)
{
    struct arena *arena = arena_create((size_t)32 << 20);
    struct outcome outcome;
    struct json json;
    struct buffer out = {.arena = arena};
    resource_type type;
    must(arena != NULL);
    outcome_init(&outcome, arena);
    enum status status = json_read(text, &json_limits_default, arena, &outcome, &json);
    if (status == STATUS_OK) {
        struct validate_options options = {.definitions = definitions,
                                           .validator = validator,
                                           .strict = strict,
                                           .must_support = strict,
                                           .now = INT64_C(1600000000000000),
                                           .profiles = profile,
                                           .profile_count = profile != NULL ? 1 : 0};
        status =
            validate_resource(&options, &json, json.root, slice_of("", 0), arena, &outcome, &type);
    }
    bool full = arena_full(arena);
    must(full || (status == STATUS_OK) == (outcome.errors == 0));
    outcome_write_json(&outcome, &out);
    uint32_t errors = full ? UNDECIDED : outcome.errors;
    arena_destroy(arena);
    return errors;
}

static void judge_with(struct slice text, struct slice profile)
{
    struct arena *arena = arena_create((size_t)32 << 20);
    struct outcome outcome;
    struct json json;
    must(arena != NULL);
    outcome_init(&outcome, arena);
    enum status status = conformance_add(conformance, profile, &outcome);
    must(status == STATUS_OK || status == STATUS_MEMORY || outcome.errors > 0);
    if (status == STATUS_OK &&
        json_read(profile, &json_limits_default, arena, NULL, &json) == STATUS_OK) {
        struct slice url = json_get_string(json.root, "url");
        (void)judge(text, &url, true);
        conformance_remove(conformance, json_get_string(json.root, "resourceType"), url,
                           json_get_string(json.root, "version"));
    }
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned count;
    struct slice rest = slice_of((const char *)data, size);
    struct slice text = slice_cut(&rest, '\n');
    if (validator != NULL && count++ % REOPEN_AFTER == 0) {
        close_all();
    }
    if (validator == NULL) {
        open_all();
    }
    uint32_t judged = judge(text, NULL, true);
    uint32_t taken = judge(text, NULL, false);
    must(judged > 0 || taken == 0 || taken == UNDECIDED);
    if (rest.length > 0) {
        judge_with(text, rest);
    }
    return 0;
}
