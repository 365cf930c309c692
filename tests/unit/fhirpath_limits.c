/* SPDX-License-Identifier: MIT */
/* FHIRPath: limits, positions, memory that runs out, paths of nodes, and FHIRPath Patch. */
#include "fhirpath_test.h"

/* ---- limits ------------------------------------------------------------------------------------
 */

static enum status compile(const char *text, const struct fhirpath **ret_expression)
{
    outcome_init(&asked_outcome, arena);
    return fhirpath_compile(definitions, slice_text(text), NULL, 0, arena, &asked_outcome,
                            ret_expression);
}

static char *repeated(const char *text, size_t times)
{
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < times; i++) {
        buffer_add_text(&out, text);
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

static void refuses_expressions_that_are_too_long_or_too_deep(void **state)
{
    (void)state;
    const struct fhirpath *expression;
    assert_int_equal(compile(repeated(" ", 65537), &expression), STATUS_TOO_COSTLY);
    assert_int_equal(compile(repeated("(", 30000), &expression), STATUS_TOO_COSTLY);
    assert_int_equal(compile(repeated("-", 30000), &expression), STATUS_TOO_COSTLY);
    assert_int_equal(compile(arena_print(arena, "a%s", repeated(".a", 30000)), &expression),
                     STATUS_TOO_COSTLY);
    assert_int_equal(compile(arena_print(arena, "a%s", repeated(".a", 200)), &expression),
                     STATUS_OK);
    assert_int_equal(compile(arena_print(arena, "1%s", repeated("+1", 30000)), &expression),
                     STATUS_TOO_COSTLY);
}

static void ends_evaluations_that_take_too_many_steps(void **state)
{
    (void)state;
    struct asked asked = {.resource = patient, .environment = {.step_limit = 1000}};
    struct fhirpath_collection values;
    assert_int_equal(ask_values(&asked, "(1).repeat($this + 1)", &values), STATUS_TOO_COSTLY);
    assert_int_equal(asked_outcome.errors, 1);
    assert_int_equal(
        ask_values(&asked, "descendants().select(%resource.descendants()).count()", &values),
        STATUS_TOO_COSTLY);
    assert_int_equal(ask_values(&asked, "name.given.count()", &values), STATUS_OK);
    asked.environment.depth_limit = 2;
    assert_int_equal(ask_values(&asked, "1 + 2 + 3 + 4", &values), STATUS_TOO_COSTLY);
    assert_int_equal(ask_values(&asked, "descendants()", &values), STATUS_TOO_COSTLY);
}

static void says_where_in_the_expression_it_went_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        uint32_t line, column;
    } rows[] = {{"1 +\n  ) 2", 2, 3},
                {"name.where(given1 = 1)", 1, 12},
                {"name.first().single(1)", 1, 14},
                {"name and true", 1, 1},
                {"active is\n Nothing", 2, 2},
                {"true and 'a'.matches('(')", 1, 22}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct asked asked = {.resource = patient};
        assert_string_equal(ask(&asked, rows[i].expression), "error");
        assert_int_equal(asked_outcome.first->line, rows[i].line);
        assert_int_equal(asked_outcome.first->column, rows[i].column);
    }
}

static void never_repeats_a_value_in_its_errors(void **state)
{
    (void)state;
    static const char *const expressions[] = {"name.single()", "name.family + 1", "active < 1",
                                              "name.family.matches(name.given.first() & '(')"};
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        struct asked asked = {.resource = patient};
        assert_string_equal(ask(&asked, expressions[i]), "error");
        struct slice text = asked_outcome.first->text;
        assert_null(memmem(text.at, text.length, "Chalmers", 8));
        assert_null(memmem(text.at, text.length, "Peter", 5));
    }
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static void survives_every_allocation_that_fails(void **state)
{
    (void)state;
    static const char expression[] =
        "name.where(given.exists(matches('P.*'))).given.select(upper() & '1').distinct().sort() | "
        "descendants().ofType(string).first() | (1 'g' * 2 'm').toString() | "
        "name.repeat(given).defineVariable('a', 1.5).select(%a).first().round(1).toString() | "
        "'1,2'.split(',').join('-').replaceMatches('-', '+').encode('hex')";
    for (unsigned long n = 1; n < 1000; n++) {
        const struct fhirpath *compiled;
        struct fhirpath_environment environment = {.definitions = definitions};
        struct fhirpath_collection values = {NULL, 0};
        arena_reset(arena, (size_t)16 << 20);
        struct fhirpath_node focus = fhirpath_root(
            definitions, resource_type_find(definitions, SLICE("Patient")), parse(patient));
        arena_fail_after(n);
        enum status status =
            fhirpath_compile(definitions, SLICE(expression), focus.type, 0, arena, NULL, &compiled);
        if (status == STATUS_OK) {
            status = fhirpath_evaluate(compiled, &environment, &focus, arena, NULL, &values);
        }
        arena_fail_after(0);
        if (!arena_full(arena)) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(values.count, 7);
            return;
        }
        assert_int_not_equal(status, STATUS_OK);
    }
    fail();
}

static void tests_as_an_invariant_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        bool holds;
    } rows[] = {{"active", true},
                {"deceased", false},
                {"photo", false},
                {"gender", true},
                {"name.exists() and contact.exists()", true}};
    struct fhirpath_environment environment = {.definitions = definitions};
    yyjson_val *root = parse(patient);
    struct fhirpath_node focus =
        fhirpath_root(definitions, resource_type_find(definitions, SLICE("Patient")), root);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fhirpath *expression;
        bool holds;
        assert_int_equal(compile(rows[i].expression, &expression), STATUS_OK);
        assert_int_equal(
            fhirpath_test(expression, &environment, &focus, arena, &asked_outcome, &holds),
            STATUS_OK);
        assert_int_equal(holds, rows[i].holds);
    }
}

static void compiles_every_search_expression_of_the_specification(void **state)
{
    (void)state;
    size_t count, compiled = 0;
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        const struct search_parameter *all = search_parameters(definitions, type, &count);
        for (size_t i = 0; i < count; i++) {
            const struct fhirpath *expression;
            struct arena_mark mark = arena_mark(arena);
            if (all[i].expression.length > 0) {
                assert_int_equal(
                    fhirpath_compile(definitions, all[i].expression,
                                     resource_row(definitions_tables(definitions), type),
                                     FHIRPATH_LENIENT, arena, NULL, &expression),
                    STATUS_OK);
                compiled++;
            }
            arena_rewind(arena, mark);
        }
    }
    assert_true(compiled > 2000);
}

static const char *paths(const char *expression)
{
    struct asked asked = {.resource = patient};
    struct fhirpath_collection values;
    struct buffer out = {.arena = arena};
    assert_int_equal(ask_values(&asked, expression, &values), STATUS_OK);
    for (size_t i = 0; i < values.count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        fhirpath_write_path(definitions, &values.items[i].node, &out);
    }
    return arena_print(arena, "%.*s", SLICE_ARGS(buffer_slice(&out)));
}

static void says_where_a_node_stands(void **state)
{
    (void)state;
    assert_string_equal(paths("name[1].given"), "Patient.name[1].given[0]");
    assert_string_equal(paths("extension.value.unit"), "Patient.extension[0].value.unit");
    assert_string_equal(paths("contained.name"), "Patient.contained[0].name");
    assert_string_equal(paths("name.where(use = 'maiden').given.skip(1)"),
                        "Patient.name[2].given[1]");
    assert_string_equal(paths("descendants().where($this is url)"), "");
    assert_string_equal(paths("$this"), "Patient");
}

/* ---- FHIRPath Patch ----------------------------------------------------------------------------
 */

/* OPERATIONS: the parameters, JSON with '. The result as JSON with ', or "" when it is refused. */
static const char *patched(const char *resource, const char *operations, enum status expected)
{
    struct buffer out = {.arena = arena};
    yyjson_mut_doc *result = NULL;
    yyjson_val *root = parse(resource);
    yyjson_val *patch =
        parse(arena_print(arena, "{'resourceType':'Parameters','parameter':[%s]}", operations));
    outcome_init(&asked_outcome, arena);
    enum status status = fhirpath_patch_apply(
        definitions, resource_type_find(definitions, json_get_string(root, "resourceType")), root,
        patch, arena, &asked_outcome, &result);
    assert_int_equal(status, expected);
    if (status != STATUS_OK) {
        assert_true(asked_outcome.errors > 0);
        return "";
    }
    json_write_mutable(yyjson_mut_doc_get_root(result), &out);
    for (size_t i = 0; i < out.length; i++) {
        out.at[i] = out.at[i] == '"' ? '\'' : out.at[i];
    }
    return arena_print(arena, "%.*s", SLICE_ARGS(buffer_slice(&out)));
}

#define OPERATION(type, path, rest)                                                                \
    "{'name':'operation','part':[{'name':'type','valueCode':'" type                                \
    "'},{'name':'path','valueString':'" path "'}" rest "]}"
#define PART(name, member, value) ",{'name':'" name "','" member "':" value "}"
#define PATIENT(members)          "{'resourceType':'Patient'," members "}"

static void patches_add_and_replace(void **state)
{
    (void)state;
    assert_string_equal(patched(PATIENT("'active':true"),
                                OPERATION("add", "Patient",
                                          PART("name", "valueString", "'deceased'")
                                              PART("value", "valueBoolean", "true")),
                                STATUS_OK),
                        PATIENT("'active':true,'deceasedBoolean':true"));
    assert_string_equal(
        patched(PATIENT("'deceasedBoolean':true"),
                OPERATION("replace", "Patient.deceased", PART("value", "valueDateTime", "'2020'")),
                STATUS_OK),
        PATIENT("'deceasedDateTime':'2020'"));
    assert_string_equal(
        patched(PATIENT("'birthDate':'1970'"),
                OPERATION("add", "Patient.birthDate",
                          PART("name", "valueString", "'extension'") PART(
                              "value", "valueExtension", "{'url':'http://x','valueCode':'y'}")),
                STATUS_OK),
        PATIENT("'birthDate':'1970','_birthDate':{'extension':[{'url':'http://x','valueCode':'y'}]"
                "}"));
    assert_string_equal(
        patched(PATIENT("'active':true"),
                OPERATION("add", "Patient",
                          PART("name", "valueString", "'contact'")
                              PART("value", "part",
                                   "[{'name':'gender','valueCode':'male'},{'name':'name',"
                                   "'valueHumanName':{'text':'n'}}]")),
                STATUS_OK),
        PATIENT("'active':true,'contact':[{'gender':'male','name':{'text':'n'}}]"));
}

static void patches_lists_of_primitives_with_their_extensions(void **state)
{
    (void)state;
    static const char name[] =
        PATIENT("'name':[{'given':['a','b','c'],'_given':[null,{'id':'x'},null]}]");
    assert_string_equal(
        patched(name,
                OPERATION("insert", "Patient.name.given",
                          PART("index", "valueInteger", "0") PART("value", "valueString", "'z'")),
                STATUS_OK),
        PATIENT("'name':[{'given':['z','a','b','c'],'_given':[null,null,{'id':'x'},null]}]"));
    assert_string_equal(patched(name, OPERATION("delete", "Patient.name.given[1]", ""), STATUS_OK),
                        PATIENT("'name':[{'given':['a','c']}]"));
    assert_string_equal(
        patched(name,
                OPERATION("move", "Patient.name.given",
                          PART("source", "valueInteger", "1")
                              PART("destination", "valueInteger", "2")),
                STATUS_OK),
        PATIENT("'name':[{'given':['a','c','b'],'_given':[null,null,{'id':'x'}]}]"));
}

static void patches_leave_no_empty_object(void **state)
{
    (void)state;
    assert_string_equal(patched(PATIENT("'active':true,'contact':[{'name':{'text':'n'}}]"),
                                OPERATION("delete", "Patient.contact.name.text", ""), STATUS_OK),
                        PATIENT("'active':true"));
    assert_string_equal(patched(PATIENT("'active':true"),
                                OPERATION("delete", "Patient.name.where(use.empty().not())", ""),
                                STATUS_OK),
                        PATIENT("'active':true"));
}

static void patches_work_one_after_the_other(void **state)
{
    (void)state;
    assert_string_equal(
        patched(PATIENT("'name':[{'text':'a'}]"),
                OPERATION("add", "Patient",
                          PART("name", "valueString", "'name'") PART(
                              "value", "valueHumanName",
                              "{'text':'b'}")) "," OPERATION("delete", "Patient.name[0]",
                                                             "") "," OPERATION("replace",
                                                                               "Patient.name.text",
                                                                               PART("value",
                                                                                    "valueString",
                                                                                    "'c'")),
                STATUS_OK),
        PATIENT("'name':[{'text':'c'}]"));
}

static void patches_that_do_not_apply_are_refused(void **state)
{
    (void)state;
    static const char two[] = PATIENT("'active':true,'name':[{'text':'a'},{'text':'b'}]");
    static const struct {
        const char *operation;
        enum status status;
    } rows[] = {
        {OPERATION("replace", "Patient.birthDate", PART("value", "valueDate", "'2000'")),
         STATUS_UNPROCESSABLE},
        {OPERATION("replace", "Patient.name", PART("value", "valueHumanName", "{'text':'c'}")),
         STATUS_UNPROCESSABLE},
        {OPERATION("delete", "Patient.name", ""), STATUS_UNPROCESSABLE},
        {OPERATION("delete", "Patient", ""), STATUS_UNPROCESSABLE},
        {OPERATION("delete", "1 + 1", ""), STATUS_UNPROCESSABLE},
        {OPERATION("add", "Patient",
                   PART("name", "valueString", "'active'") PART("value", "valueBoolean", "false")),
         STATUS_UNPROCESSABLE},
        {OPERATION("add", "Patient",
                   PART("name", "valueString", "'nothing'") PART("value", "valueBoolean", "false")),
         STATUS_UNPROCESSABLE},
        {OPERATION("insert", "Patient.name",
                   PART("index", "valueInteger", "3")
                       PART("value", "valueHumanName", "{'text':'c'}")),
         STATUS_UNPROCESSABLE},
        {OPERATION("insert", "Patient.active",
                   PART("index", "valueInteger", "0") PART("value", "valueBoolean", "true")),
         STATUS_UNPROCESSABLE},
        {OPERATION("move", "Patient.name",
                   PART("source", "valueInteger", "2") PART("destination", "valueInteger", "0")),
         STATUS_UNPROCESSABLE},
        {OPERATION("move", "Patient.name", ""), STATUS_STRUCTURE},
        {OPERATION("turn", "Patient.name", ""), STATUS_STRUCTURE},
        {OPERATION("replace", "Patient.active",
                   PART("value", "valueBoolean", "false") PART("type", "valueCode", "'delete'")),
         STATUS_STRUCTURE},
        {OPERATION("delete", "Patient.(", ""), STATUS_STRUCTURE},
        {OPERATION("delete", "Patient.nothing", ""), STATUS_INVALID},
        {"{'name':'operation'}", STATUS_STRUCTURE},
        {"{'name':'other'}", STATUS_STRUCTURE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(patched(two, rows[i].operation, rows[i].status), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(refuses_expressions_that_are_too_long_or_too_deep),
        FHIR_TEST(ends_evaluations_that_take_too_many_steps),
        FHIR_TEST(says_where_in_the_expression_it_went_wrong),
        FHIR_TEST(never_repeats_a_value_in_its_errors),
        FHIR_TEST(survives_every_allocation_that_fails),
        FHIR_TEST(tests_as_an_invariant_is_asked),
        FHIR_TEST(compiles_every_search_expression_of_the_specification),
        FHIR_TEST(says_where_a_node_stands),
        FHIR_TEST(patches_add_and_replace),
        FHIR_TEST(patches_lists_of_primitives_with_their_extensions),
        FHIR_TEST(patches_leave_no_empty_object),
        FHIR_TEST(patches_work_one_after_the_other),
        FHIR_TEST(patches_that_do_not_apply_are_refused),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
