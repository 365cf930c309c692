/* SPDX-License-Identifier: MIT */
#include "fhir_test.h"

static const char *const kind_names[] = {"local", "foreign", "urn", "fragment", "query", "broken"};

static struct reference assert_kind(const char *text, const char *kind)
{
    struct reference reference =
        reference_parse(definitions, slice_text(text), SLICE("https://our.example/fhir"));
    if (!slice_is(slice_text(kind), kind_names[reference.kind])) {
        print_message("%s\n", text);
    }
    assert_string_equal(kind_names[reference.kind], kind);
    return reference;
}

static void assert_local(const char *text, const char *type, const char *id, const char *version)
{
    struct reference reference = assert_kind(text, "local");
    assert_true(slice_is(resource_type_name(definitions, reference.type), type));
    assert_true(slice_is(reference.id, id));
    assert_true(slice_is(reference.version, version));
}

static void reads_references_to_our_own_resources(void **state)
{
    (void)state;
    assert_local("Patient/1", "Patient", "1", "");
    assert_local("Observation/a.b-C9/_history/3", "Observation", "a.b-C9", "3");
    assert_local("https://our.example/fhir/Patient/1", "Patient", "1", "");
    assert_local("HTTPS://Our.Example/fhir/Patient/1/_history/2", "Patient", "1", "2");
}

static void reads_references_to_elsewhere(void **state)
{
    (void)state;
    assert_kind("https://other.example/fhir/Patient/1", "foreign");
    assert_kind("https://our.example/FHIR/Patient/1", "foreign");
    assert_kind("https://our.example.evil/fhir/Patient/1", "foreign");
    assert_kind("https://our.example/fhirx/Patient/1", "foreign");
    assert_kind("http://our.example/fhir/Patient/1", "foreign");
    assert_kind("ftp://x", "foreign");
    assert_kind("urn:ietf:rfc:3986", "foreign");
    assert_kind("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn");
    assert_kind("URN:UUID:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn");
    assert_kind("urn:oid:1.2.3", "urn");
}

static void takes_no_absolute_reference_for_ours_without_a_base(void **state)
{
    (void)state;
    struct reference reference =
        reference_parse(definitions, SLICE("https://our.example/fhir/Patient/1"), SLICE(""));
    assert_int_equal(reference.kind, REFERENCE_FOREIGN);
}

static void reads_fragments_and_queries(void **state)
{
    (void)state;
    assert_true(slice_is(assert_kind("#p1", "fragment").id, "p1"));
    assert_int_equal(assert_kind("#", "fragment").id.length, 0);
    struct reference query = assert_kind("Patient?identifier=http://x|1", "query");
    assert_true(slice_is(resource_type_name(definitions, query.type), "Patient"));
    assert_true(slice_is(query.query, "identifier=http://x|1"));
}

static void names_broken_references(void **state)
{
    (void)state;
    static const char *const broken[] = {"",
                                         "Patient",
                                         "Patient/",
                                         "/Patient/1",
                                         "patient/1",
                                         "Nobody/1",
                                         "Resource/1",
                                         "Patient/1/",
                                         "Patient/1/_history",
                                         "Patient/1/_history/",
                                         "Patient/1/_history/2/3",
                                         "Patient/1/name",
                                         "Patient/a_b",
                                         "Patient/1 ",
                                         " Patient/1",
                                         "Patient/1#x",
                                         "Patient?",
                                         "Nobody?x=1",
                                         "?x=1",
                                         "urn:uuid:",
                                         "urn:oid:",
                                         "http:",
                                         ":x",
                                         "1http://x",
                                         "https://our.example/fhir/Nobody/1",
                                         "https://our.example/fhir/",
                                         "https://our.example/fhir/metadata",
                                         "Patient/\x01",
                                         "Patient/\xC3\xA9"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_kind(broken[i], "broken");
    }
}

static void knows_the_shape_of_ids(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'a', sizeof(longest));
    assert_true(resource_id_valid(slice_of(longest, 64)));
    assert_false(resource_id_valid(slice_of(longest, 65)));
    assert_true(resource_id_valid(SLICE("A-z.09")));
    assert_true(resource_id_valid(SLICE("..")));
    assert_false(resource_id_valid(SLICE("")));
    assert_false(resource_id_valid(SLICE("a/b")));
    assert_false(resource_id_valid(SLICE("a_b")));
    assert_false(resource_id_valid(slice_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(reads_references_to_our_own_resources),
        FHIR_TEST(reads_references_to_elsewhere),
        FHIR_TEST(takes_no_absolute_reference_for_ours_without_a_base),
        FHIR_TEST(reads_fragments_and_queries),
        FHIR_TEST(names_broken_references),
        FHIR_TEST(knows_the_shape_of_ids),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
