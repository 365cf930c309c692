/* SPDX-License-Identifier: MIT */
/* What the tests of full validation share: a validator over the base definitions, profiles added to
 * them, and the problems of a resource. */
#ifndef CARELAYER_TESTS_PROFILE_TEST_H
#define CARELAYER_TESTS_PROFILE_TEST_H

#include "validate_test.h"

static struct conformance *conformance;
static struct terms *terms;
static struct validator *validator;

static inline int full_setup(void **state)
{
    struct outcome outcome;
    int failed = arena_setup(state);
    outcome_init(&outcome, arena);
    return failed != 0 || conformance_open(definitions, &conformance) != STATUS_OK ||
           terms_open(conformance, &outcome, &terms) != STATUS_OK ||
           validator_open(definitions, conformance, terms, &validator) != STATUS_OK;
}

static inline int full_teardown(void **state)
{
    (void)arena_teardown(state);
    validator_close(validator);
    terms_close(terms);
    conformance_close(conformance);
    return 0;
}

static inline void add(const char *text)
{
    struct buffer out = {.arena = arena};
    struct outcome outcome;
    outcome_init(&outcome, arena);
    json_write(parse(text), NULL, NULL, &out);
    enum status status = conformance_add(conformance, buffer_slice(&out), &outcome);
    if (status != STATUS_OK && outcome.first != NULL) {
        print_error("%.*s\n", SLICE_ARGS(outcome.first->text));
    }
    assert_int_equal(status, STATUS_OK);
}

/* A profile http://x/p of TYPE. */
static inline void add_profile(const char *type, const char *elements)
{
    add(arena_print(arena,
                    "{'resourceType':'StructureDefinition','url':'http://x/p','name':'P',"
                    "'status':'draft','kind':'resource','abstract':false,'type':'%s',"
                    "'baseDefinition':'http://hl7.org/fhir/StructureDefinition/%s',"
                    "'derivation':'constraint','differential':{'element':[%s]}}",
                    type, type, elements));
}

static inline void add_extension(const char *url, const char *contexts, const char *elements)
{
    add(arena_print(arena,
                    "{'resourceType':'StructureDefinition','url':'%s','name':'E',"
                    "'status':'draft','kind':'complex-type','abstract':false,'type':'Extension',"
                    "'context':[%s],"
                    "'baseDefinition':'http://hl7.org/fhir/StructureDefinition/Extension',"
                    "'derivation':'constraint','differential':{'element':[%s]}}",
                    url, contexts, elements));
}

static int64_t deadline; /* of the tests' questions; 0: none */

/* What is found in TEXT, judged as WISHED. */
static inline void judge(const char *text, struct validate_options wished, struct outcome *outcome)
{
    struct json json;
    resource_type type;
    struct buffer body = {.arena = arena};
    wished.definitions = definitions;
    wished.validator = validator;
    outcome_init(outcome, arena);
    json_write(parse(text), NULL, NULL, &body);
    assert_int_equal(json_read(buffer_slice(&body), &json_limits_default, arena, outcome, &json),
                     STATUS_OK);
    enum status status =
        validate_resource(&wished, &json, json.root, SLICE(""), arena, outcome, &type);
    assert_int_equal(status == STATUS_OK, outcome->errors == 0);
}

/* The errors of TEXT, "rule@path" of each, strictly judged as WISHED; warnings are passed over. */
static inline const char *errors_as(const char *text, struct validate_options wished)
{
    struct outcome outcome;
    struct buffer out = {.arena = arena};
    wished.strict = true;
    judge(text, wished, &outcome);
    for (const struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        if (issue->severity <= SEVERITY_ERROR) {
            buffer_add_text(&out, out.length > 0 ? " " : "");
            buffer_add(&out, issue->rule);
            buffer_add_byte(&out, '@');
            buffer_add(&out, issue->path);
            assert_true(issue->text.length > 10);
        }
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

/* The same against http://x/p (and what TEXT declares). */
static inline const char *errors_of(const char *text, bool with_profile)
{
    const struct slice profile = SLICE("http://x/p");
    return errors_as(text, (struct validate_options){.deadline = deadline,
                                                     .profiles = &profile,
                                                     .profile_count = with_profile});
}

#define assert_fits(text)           assert_string_equal(errors_of(text, true), "")
#define assert_breaks(text, expect) assert_string_equal(errors_of(text, true), expect)
#define assert_base(text, expect)   assert_string_equal(errors_of(text, false), expect)

#define PATIENT(members) "{'resourceType':'Patient'," members "}"
#define OBSERVATION(members)                                                                       \
    "{'resourceType':'Observation','status':'final','code':{'text':'x'}," members "}"

#define SLICING(path, kind, by, rules)                                                             \
    "{'path':'" path "','slicing':{'discriminator':[{'type':'" kind "','path':'" by                \
    "'}],'rules':'" rules "'}},"

#define FULL_TEST(name) cmocka_unit_test_setup_teardown(name, full_setup, full_teardown)

#endif
