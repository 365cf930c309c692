/* SPDX-License-Identifier: MIT */
/* The compiler: packages added to the base specification, and packages that are none. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fhir/compile_int.h"
#include "fhir_test.h"

static char folder[256];

static const char *base_package(void)
{
    struct slice path = slice_text(getenv("CARELAYER_DEFINITIONS"));
    while (path.length > 0 && path.at[path.length - 1] != '/') {
        path.length--;
    }
    return arena_print(arena, "%.*sr4.tgz", SLICE_ARGS(path));
}

static const char *file_at(const char *name)
{
    return arena_print(arena, "%s/%s", folder, name);
}

/* TEXT with ' for ", but \x27 left for those that expressions need. */
static void write_file(const char *name, const char *text)
{
    char *copy = (char *)(uintptr_t)arena_copy(arena, slice_text(text)).at;
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at == '`' ? '\'' : *at;
    }
    assert_int_equal(disk_replace_file(file_at(name), slice_text(copy)), STATUS_OK);
}

static int folder_setup(void **state)
{
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    snprintf(folder, sizeof folder, "%s/carelayer-compile-XXXXXX", parent);
    return mkdtemp(folder) != NULL ? definitions_setup(state) : -1;
}

static int folder_teardown(void **state)
{
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return definitions_teardown(state) | (system(command) != 0);
}

#define PARAMETER(url, code, base, type, expression)                                               \
    "{'resourceType':'SearchParameter','url':'" url "','code':'" code "','base':['" base           \
    "'],'type':'" type "','expression':'" expression "'}"

static void write_own_package(void)
{
    assert_int_equal(mkdir(file_at("own"), 0700), 0);
    write_file("own/1.json", PARAMETER("http://x/ethnic", "ethnic", "Patient", "token",
                                       "Patient.extension(`http://x/e`).value.as(Coding)"));
    write_file("own/2.json", PARAMETER("http://x/odd", "odd", "Patient", "string",
                                       "Patient.name.where(use=`official`).given.first()"));
    write_file("own/3.json",
               PARAMETER("http://x/gone", "gone", "Patient", "string", "Patient.surname"));
    /* The same url as one of the base: it takes its place. */
    write_file("own/4.json", PARAMETER("http://hl7.org/fhir/SearchParameter/Patient-active",
                                       "active", "Patient", "token", "Patient.link.type"));
    /* The same code under another url: the base's stays. */
    write_file("own/5.json",
               PARAMETER("http://x/gender", "gender", "Patient", "token", "Patient.maritalStatus"));
    write_file("own/6.json", "{'resourceType':'StructureDefinition','url':'http://x/profile',"
                             "'kind':'resource','type':'Patient','derivation':'constraint'}");
    write_file("own/7.json", "{'resourceType':'CodeSystem','url':"
                             "'http://hl7.org/fhir/administrative-gender','content':'complete',"
                             "'concept':[{'code':'male'},{'code':'new'}]}");
    write_file("own/8.json", "{ no json");
    write_file("own/9.json", "{'url':'x','a':[1,2]}");
    write_file("own/a.json", PARAMETER("http://x/two", "two", "Resource", "token",
                                       "(Patient.name | Person.name).where(use=`old`)"));
    write_file("own/b.json",
               PARAMETER("http://x/union", "union", "Resource", "token",
                         " ( Patient.identifier )|Person.identifier.where(system=`a|b`)"));
}

static const char *steps_of(const struct definitions *from, const char *type, const char *code)
{
    struct buffer out = {.arena = arena};
    const struct search_parameter *found =
        search_parameter_find(from, resource_type_find(from, slice_text(type)), slice_text(code));
    if (found == NULL) {
        return "none";
    }
    for (size_t i = 0; i < found->path_count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        for (size_t j = 0; j < found->paths[i].count; j++) {
            buffer_add_text(&out, j > 0 ? "." : "");
            buffer_add(&out, found->paths[i].steps[j]);
        }
        buffer_add_text(&out, found->paths[i].filter_name.length > 0 ? "?" : "");
        buffer_add(&out, found->paths[i].filter_value);
    }
    return found->simple ? as_text(&out) : "not simple";
}

static void adds_a_package_to_the_base(void **state)
{
    (void)state;
    write_own_package();
    struct outcome outcome;
    struct definitions *merged, *again;
    const char *const packages[] = {file_at("own")};
    outcome_init(&outcome, arena);
    assert_int_equal(definitions_open_with(getenv("CARELAYER_DEFINITIONS"), base_package(),
                                           packages, 1, file_at("cache"), &outcome, &merged),
                     STATUS_OK);
    assert_int_equal(outcome.errors, 0);
    assert_true(outcome.count >= 2); /* no JSON; the code that was taken */
    assert_string_equal(steps_of(merged, "Patient", "ethnic"), "extension.valueCoding?http://x/e");
    assert_string_equal(steps_of(merged, "Patient", "odd"), "not simple");
    assert_string_equal(steps_of(merged, "Patient", "gone"), "not simple");
    assert_string_equal(steps_of(merged, "Patient", "active"), "link.type");
    assert_string_equal(steps_of(merged, "Patient", "gender"), "gender");
    assert_string_equal(steps_of(merged, "Patient", "two"), "not simple");
    assert_string_equal(steps_of(merged, "Patient", "union"), "identifier");
    assert_string_equal(steps_of(merged, "Person", "union"), "identifier?a|b");
    assert_string_equal(steps_of(merged, "Group", "union"), "not simple");
    assert_string_equal(steps_of(merged, "Patient", "birthdate"), "birthDate");
    assert_string_equal(steps_of(definitions, "Patient", "ethnic"), "none");
    const struct element_tables *tables = definitions_tables(merged);
    const struct element_row *gender =
        type_find_element(tables, type_find(merged, SLICE("Patient")), "gender", 6);
    const struct code_set_row *set = &tables->code_sets[gender->code_set - 1];
    assert_true(code_set_has(tables, set, SLICE("new"), SLICE("")));
    assert_false(code_set_has(tables, set, SLICE("female"), SLICE("")));
    assert_false(slice_equals(definitions_hash(merged), definitions_hash(definitions)));

    /* The second time it comes from the cache: no package is needed for that. */
    assert_int_equal(definitions_open_with(getenv("CARELAYER_DEFINITIONS"), "no such file",
                                           packages, 1, file_at("cache"), &outcome, &again),
                     STATUS_OK);
    assert_true(slice_equals(definitions_hash(merged), definitions_hash(again)));
    definitions_close(again);
    definitions_close(merged);
}

static void compiles_the_same_to_the_same_bytes(void **state)
{
    (void)state;
    struct outcome outcome;
    struct definitions *again;
    const char *const packages[] = {base_package()};
    outcome_init(&outcome, arena);
    assert_int_equal(definitions_compile(packages, 1, file_at("again.blob"), &outcome), STATUS_OK);
    assert_int_equal(definitions_open(file_at("again.blob"), &outcome, &again), STATUS_OK);
    assert_true(slice_equals(definitions_hash(again), definitions_hash(definitions)));
    definitions_close(again);
}

static enum status compiled(const char *package)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    enum status status = definitions_compile(&package, 1, file_at("x.blob"), &outcome);
    assert_int_equal(status == STATUS_OK, outcome.errors == 0);
    assert_int_not_equal(access(file_at("x.blob"), F_OK), 0);
    return status;
}

static void refuses_what_is_no_base_specification(void **state)
{
    (void)state;
    struct slice whole;
    assert_int_equal(compiled(file_at("missing.tgz")), STATUS_NOT_FOUND);
    write_file("text.tgz", "not gzip");
    assert_int_equal(compiled(file_at("text.tgz")), STATUS_STRUCTURE);
    write_file("patient.json", "{'resourceType':'Patient'}");
    assert_int_equal(compiled(file_at("patient.json")), STATUS_REQUIRED);
    assert_int_equal(disk_read_file(base_package(), (size_t)64 << 20, arena, &whole), STATUS_OK);
    assert_int_equal(disk_replace_file(file_at("cut.tgz"), slice_head(whole, whole.length / 8)),
                     STATUS_OK);
    assert_int_equal(compiled(file_at("cut.tgz")), STATUS_STRUCTURE);
    char *bytes = (char *)(uintptr_t)whole.at;
    memset(bytes + whole.length / 16, 0x55, 64);
    assert_int_equal(disk_replace_file(file_at("bad.tgz"), whole), STATUS_OK);
    assert_int_equal(compiled(file_at("bad.tgz")), STATUS_STRUCTURE);
}

static enum status count_file(void *context, struct slice name, struct slice text)
{
    size_t *count = context;
    assert_true(slice_ends(name, SLICE(".json")));
    assert_true(text.length > 0);
    *count += 1;
    return *count == 100 ? STATUS_BUSY : STATUS_OK;
}

static void stops_reading_when_the_visitor_does(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(package_read(base_package(), count_file, &count, NULL), STATUS_BUSY);
    assert_int_equal(count, 100);
}

static int big_arena_setup(void **state)
{
    (void)state;
    arena = arena_create((size_t)128 << 20);
    return arena != NULL ? 0 : -1;
}

#define COMPILE_TEST(name) cmocka_unit_test_setup_teardown(name, big_arena_setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMPILE_TEST(adds_a_package_to_the_base),
        COMPILE_TEST(compiles_the_same_to_the_same_bytes),
        COMPILE_TEST(refuses_what_is_no_base_specification),
        COMPILE_TEST(stops_reading_when_the_visitor_does),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
