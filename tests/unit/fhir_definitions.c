/* SPDX-License-Identifier: MIT */
/* What the compiled base specification says, and what the reader refuses. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fhir_test.h"

static const struct element_row *element_of(const char *type, const char *name)
{
    const struct type_row *row = type_find(definitions, slice_text(type));
    assert_non_null(row);
    return type_find_element(definitions_tables(definitions), row, name, strlen(name));
}

static resource_type resource(const char *name)
{
    return resource_type_find(definitions, slice_text(name));
}

static void knows_the_concrete_resource_types_in_byte_order(void **state)
{
    (void)state;
    assert_true(slice_is(definitions_fhir_version(definitions), "4.0.1"));
    assert_int_equal(definitions_hash(definitions).length, 64);
    assert_int_equal(resource_type_count(definitions), 146);
    for (resource_type type = 2; type <= resource_type_count(definitions); type++) {
        assert_true(slice_compare(resource_type_name(definitions, (resource_type)(type - 1)),
                                  resource_type_name(definitions, type)) < 0);
    }
    assert_int_equal(resource("Account"), 1);
    assert_int_equal(resource("Resource"), RESOURCE_TYPE_NONE);
    assert_int_equal(resource("DomainResource"), RESOURCE_TYPE_NONE);
    assert_int_equal(resource("HumanName"), RESOURCE_TYPE_NONE);
    assert_int_equal(resource("Patient.contact"), RESOURCE_TYPE_NONE);
    assert_int_equal(resource(""), RESOURCE_TYPE_NONE);
    assert_int_equal(resource_type_name(definitions, RESOURCE_TYPE_NONE).length, 0);
    assert_int_equal(resource_type_name(definitions, 147).length, 0);
}

static void finds_every_element_by_its_name_and_nothing_else(void **state)
{
    (void)state;
    const struct element_tables *tables = definitions_tables(definitions);
    size_t found = 0;
    for (uint32_t t = 0; t < tables->type_count; t++) {
        const struct type_row *type = &tables->types[t];
        assert_ptr_equal(type_find(definitions, table_text(tables, type->name)), type);
        for (size_t i = 0; i < type->element_count; i++) {
            const struct element_row *element = type_element(tables, type, i);
            struct slice name = table_text(tables, element->name);
            assert_ptr_equal(type_find_element(tables, type, name.at, name.length), element);
            assert_null(type_find_element(tables, type, name.at, name.length - 1) == element
                            ? element
                            : NULL);
            assert_true(element->group < type->group_count && type->group_count <= 64);
            found++;
        }
    }
    assert_int_equal(found, tables->element_count);
    assert_null(element_of("Patient", "resourceType"));
    assert_null(element_of("Patient", ""));
    assert_null(element_of("Patient", "deceased"));
}

static void spells_out_choices_in_one_group(void **state)
{
    (void)state;
    const struct element_row *quantity = element_of("Observation", "valueQuantity");
    const struct element_row *text = element_of("Observation", "valueString");
    assert_int_equal(quantity->fhir_type, FHIR_TYPE_QUANTITY);
    assert_int_equal(text->fhir_type, FHIR_TYPE_STRING);
    assert_int_equal(quantity->group, text->group);
    assert_int_equal(quantity->stem_length, 5);
    assert_int_equal(quantity->flags, ELEMENT_CHOICE | ELEMENT_SUMMARY);
    assert_null(element_of("Observation", "valueDecimal"));
    assert_non_null(element_of("Extension", "valueUsageContext"));
}

static void knows_cardinality_types_and_flags(void **state)
{
    (void)state;
    const struct type_row *observation = type_find(definitions, SLICE("Observation"));
    const struct element_row *status = element_of("Observation", "status");
    assert_int_equal(status->min, 1);
    assert_int_equal(status->max, 1);
    assert_int_equal(status->flags, ELEMENT_MODIFIER | ELEMENT_SUMMARY);
    assert_true((observation->required >> status->group & 1) == 1);
    assert_true((observation->modifiers >> status->group & 1) == 1);
    assert_int_equal(element_of("Patient", "name")->max, UINT16_MAX);
    assert_int_equal(element_of("Patient", "name")->flags, ELEMENT_ARRAY | ELEMENT_SUMMARY);
    assert_int_equal(element_of("Patient", "id")->fhir_type, FHIR_TYPE_ID);
    assert_int_equal(element_of("HumanName", "id")->fhir_type, FHIR_TYPE_STRING);
    assert_int_equal(element_of("Extension", "url")->fhir_type, FHIR_TYPE_URI);
    assert_int_equal(element_of("Narrative", "div")->fhir_type, FHIR_TYPE_XHTML);
    assert_null(element_of("string", "value"));
    assert_non_null(element_of("string", "extension"));
    /* A content reference has the type of the element that it names. */
    const struct element_row *item = element_of("Questionnaire.item", "item");
    assert_int_equal(item->flags & ELEMENT_REFERENCE, ELEMENT_REFERENCE);
    assert_int_equal(item->type, element_of("Questionnaire", "item")->type);
    assert_int_equal(
        element_type_row(definitions_tables(definitions), element_of("Bundle.entry", "resource"))
            ->kind,
        TYPE_ABSTRACT);
}

static bool has_code(const char *type, const char *element, const char *system, const char *code)
{
    const struct element_tables *tables = definitions_tables(definitions);
    const struct element_row *row = element_of(type, element);
    assert_int_not_equal(row->code_set, 0);
    return code_set_has(tables, &tables->code_sets[row->code_set - 1], slice_text(code),
                        slice_text(system));
}

static void lists_the_codes_of_finite_required_bindings(void **state)
{
    (void)state;
    assert_true(has_code("Patient", "gender", "", "female"));
    assert_false(has_code("Patient", "gender", "", "Female"));
    assert_true(has_code("Patient", "gender", "http://hl7.org/fhir/administrative-gender", "male"));
    assert_false(has_code("Patient", "gender", "urn:other", "male"));
    /* A whole hierarchy, and an excluded code. */
    assert_true(has_code("AllergyIntolerance", "clinicalStatus", "", "resolved"));
    assert_true(has_code("OperationDefinition.parameter", "type", "", "Patient"));
    assert_int_equal(element_of("Attachment", "contentType")->code_set, 0);
    assert_int_equal(element_of("Money", "currency")->code_set, 0);
    assert_int_equal(element_of("Observation", "code")->code_set, 0);
}

static void knows_which_types_a_reference_may_name(void **state)
{
    (void)state;
    const struct element_tables *tables = definitions_tables(definitions);
    const struct element_row *subject = element_of("Condition", "subject");
    assert_int_equal(subject->target_count, 2);
    assert_int_equal(tables->targets[subject->first_target], resource("Patient"));
    assert_int_equal(tables->targets[subject->first_target + 1], resource("Group"));
    assert_int_equal(element_of("Task", "focus")->target_count, 0);
}

static const char *paths_text(const struct search_path *paths, size_t count)
{
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        for (size_t j = 0; j < paths[i].count; j++) {
            buffer_add_text(&out, j > 0 ? "." : "");
            buffer_add(&out, paths[i].steps[j]);
        }
        assert_int_equal(paths[i].target, resource("Patient"));
    }
    return as_text(&out);
}

static const char *homes(const char *type)
{
    size_t count;
    const struct search_path *paths = home_paths(definitions, resource(type), &count);
    return paths_text(paths, count);
}

static void knows_where_resources_live(void **state)
{
    (void)state;
    assert_string_equal(homes("Observation"), "subject");
    assert_string_equal(homes("Task"), "for focus owner requester");
    assert_string_equal(homes("Device"), "patient");
    assert_string_equal(homes("Appointment"), "participant.actor");
    assert_string_equal(homes("AuditEvent"), "entity.what agent.who");
    assert_string_equal(homes("Patient"), "");
    assert_string_equal(homes("Binary"), "");
    assert_string_equal(homes("Organization"), "");
}

static void lists_every_element_that_may_name_a_patient(void **state)
{
    (void)state;
    const struct element_tables *tables = definitions_tables(definitions);
    size_t count, home_count;
    const struct search_path *paths = member_paths(definitions, resource("Observation"), &count);
    assert_string_equal(paths_text(paths, count), "subject focus performer note.authorReference");
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        const struct search_path *home = home_paths(definitions, type, &home_count);
        paths = member_paths(definitions, type, &count);
        const char *members = arena_print(arena, " %s ", paths_text(paths, count));
        for (size_t i = 0; i < home_count; i++) {
            assert_non_null(strstr(members, arena_print(arena, " %s ", paths_text(&home[i], 1))));
        }
        /* What is shared has no home. */
        assert_false(resource_type_is_shared(definitions, type) && home_count > 0);
    }
    assert_true(resource_type_is_shared(definitions, resource("Organization")));
    assert_false(resource_type_is_shared(definitions, resource("Patient")));
    assert_false(resource_type_is_shared(definitions, RESOURCE_TYPE_NONE));
    assert_true(tables->type_count > 600);
}

/* ---- files that are no blob -------------------------------------------------------------------
 */

static const char *temporary_file(struct slice content)
{
    const char *path = arena_print(arena, "%s/carelayer-blob-%d",
                                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp", getpid());
    assert_int_equal(disk_replace_file(path, content), STATUS_OK);
    return path;
}

static void refuses_a_blob_that_was_changed_or_cut(void **state)
{
    (void)state;
    struct slice whole;
    struct definitions *opened;
    assert_int_equal(
        disk_read_file(getenv("CARELAYER_DEFINITIONS"), (size_t)64 << 20, arena, &whole),
        STATUS_OK);
    char *bytes = (char *)(uintptr_t)whole.at;
    const size_t places[] = {0, 8, 12, 16, 24, 40, 80, 200, whole.length / 2, whole.length - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bytes[places[i]] = (char)(bytes[places[i]] ^ 1);
        const char *path = temporary_file(whole);
        assert_int_equal(definitions_open(path, NULL, &opened), STATUS_CORRUPT);
        bytes[places[i]] = (char)(bytes[places[i]] ^ 1);
    }
    const size_t lengths[] = {0, 7, 100, whole.length - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const char *path = temporary_file(slice_head(whole, lengths[i]));
        assert_int_not_equal(definitions_open(path, NULL, &opened), STATUS_OK);
    }
    const char *path = temporary_file(whole);
    assert_int_equal(definitions_open(path, NULL, &opened), STATUS_OK);
    assert_true(slice_equals(definitions_hash(opened), definitions_hash(definitions)));
    definitions_close(opened);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(definitions_open(path, NULL, &opened), STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(knows_the_concrete_resource_types_in_byte_order),
        FHIR_TEST(finds_every_element_by_its_name_and_nothing_else),
        FHIR_TEST(spells_out_choices_in_one_group),
        FHIR_TEST(knows_cardinality_types_and_flags),
        FHIR_TEST(lists_the_codes_of_finite_required_bindings),
        FHIR_TEST(knows_which_types_a_reference_may_name),
        FHIR_TEST(knows_where_resources_live),
        FHIR_TEST(lists_every_element_that_may_name_a_patient),
        FHIR_TEST(refuses_a_blob_that_was_changed_or_cut),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
