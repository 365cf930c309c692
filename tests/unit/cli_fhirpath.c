/* SPDX-License-Identifier: MIT */
/* carelayer fhirpath as a shell sees it: what expressions know of packages and releases. */
#include "cli_test.h"

static void write_file(const char *name, const char *text)
{
    char plain[2048];
    size_t length = strlen(text);
    assert_true(length < sizeof plain);
    for (size_t i = 0; i <= length; i++) {
        plain[i] = text[i] == '\'' ? '"' : text[i];
    }
    assert_int_equal(disk_replace_file(name, slice_text(plain)), STATUS_OK);
}

static void write_package(void)
{
    assert_int_equal(disk_make_directory("package"), STATUS_OK);
    write_file("package/package.json", "{'name':'own','version':'1.0.0'}");
    write_file("package/profile.json",
               "{'resourceType':'StructureDefinition','url':'http://x/active','name':'Active',"
               "'status':'active','kind':'resource','abstract':false,'type':'Patient',"
               "'baseDefinition':'http://hl7.org/fhir/StructureDefinition/Patient',"
               "'derivation':'constraint','differential':{'element':[{'id':'Patient.active',"
               "'path':'Patient.active','min':1}]}}");
    write_file("package/codes.json",
               "{'resourceType':'CodeSystem','url':'http://x/codes','status':'active',"
               "'content':'complete','concept':[{'code':'a','concept':[{'code':'b'}]}]}");
    write_file("package/set.json",
               "{'resourceType':'ValueSet','url':'http://x/set','status':'active','compose':"
               "{'include':[{'system':'http://x/codes','concept':[{'code':'b'}]}]}}");
}

static int setup(void **state)
{
    (void)state;
    if (enter_folder("fhirpath") != 0 || setenv("XDG_CACHE_HOME", folder, 1) != 0) {
        return -1;
    }
    write_package();
    write_file("patient.json", "{'resourceType':'Patient','active':true,'maritalStatus':{'coding':"
                               "[{'system':'http://x/codes','code':'b'}]},'contact':[{'name':"
                               "{'family':'c'},'relationship':[{'coding':[{'system':"
                               "'http://x/codes','code':'a'}]}]}]}");
    write_file("other.json", "{'resourceType':'Patient','gender':'female'}");
    return 0;
}

/* What `carelayer fhirpath [--package package] EXPRESSION FILE` prints; *RET_CODE how it ends. */
static const char *ask(const char *expression, const char *file, bool with_package, int *ret_code)
{
    char command[2048];
    snprintf(command, sizeof command, "'%s' fhirpath %s \"%s\" %s 2>&1",
             getenv("CARELAYER_PROGRAM"), with_package ? "--package package" : "", expression,
             file);
    *ret_code = run_command(command);
    return printed;
}

static const char *answer(const char *expression, const char *file)
{
    int code;
    const char *text = ask(expression, file, true, &code);
    assert_int_equal(code, 0);
    return text;
}

static void holds_resources_to_the_profiles_of_packages(void **state)
{
    (void)state;
    int code;
    assert_string_equal(answer("conformsTo('http://x/active')", "patient.json"), "boolean: true\n");
    assert_string_equal(answer("conformsTo('http://x/active')", "other.json"), "boolean: false\n");
    assert_string_equal(
        answer("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", "other.json"),
        "boolean: true\n");
    assert_string_equal(
        answer("conformsTo('http://hl7.org/fhir/StructureDefinition/Person')", "other.json"),
        "boolean: false\n");
    (void)ask("conformsTo('http://x/active')", "patient.json", false, &code);
    assert_int_equal(code, 1); /* a profile that is not loaded is an error, not false */
}

static void knows_the_value_sets_of_packages(void **state)
{
    (void)state;
    int code;
    assert_string_equal(answer("maritalStatus.memberOf('http://x/set')", "patient.json"),
                        "boolean: true\n");
    assert_string_equal(answer("contact.relationship.memberOf('http://x/set')", "patient.json"),
                        "boolean: false\n");
    assert_string_equal(
        answer("gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')",
               "other.json"),
        "boolean: true\n");
    assert_string_equal(
        answer("contact.relationship.coding.subsumes(%resource.maritalStatus.coding)",
               "patient.json"),
        "boolean: true\n");
    (void)ask("maritalStatus.memberOf('http://x/set')", "patient.json", false, &code);
    assert_true(code == 1 || printed[0] == '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_resources_to_the_profiles_of_packages),
        cmocka_unit_test(knows_the_value_sets_of_packages),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
