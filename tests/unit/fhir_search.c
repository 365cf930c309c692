/* SPDX-License-Identifier: MIT */
/* Search parameters: what their expressions come to, and how the paths are walked. */
#include "fhir_test.h"

static resource_type resource(const char *name)
{
    return resource_type_find(definitions, slice_text(name));
}

static const struct search_parameter *parameter(const char *type, const char *code)
{
    const struct search_parameter *found =
        search_parameter_find(definitions, resource(type), slice_text(code));
    if (found == NULL) {
        print_error("%s %s\n", type, code);
    }
    assert_non_null(found);
    return found;
}

/* "name.given telecom[system=phone].value subject->Patient" */
static const char *paths_of(const struct search_parameter *found)
{
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < found->path_count; i++) {
        const struct search_path *path = &found->paths[i];
        buffer_add_text(&out, i > 0 ? " " : "");
        for (size_t j = 0; j < path->count; j++) {
            buffer_add_text(&out, j > 0 ? "." : "");
            buffer_add(&out, path->steps[j]);
            if (path->filter_name.length > 0 && path->filter_step == j + 1) {
                buffer_print(&out, "[%.*s=%.*s]", SLICE_ARGS(path->filter_name),
                             SLICE_ARGS(path->filter_value));
            }
        }
        if (path->target != RESOURCE_TYPE_NONE) {
            buffer_add_text(&out, "->");
            buffer_add(&out, resource_type_name(definitions, path->target));
        }
    }
    return as_text(&out);
}

static void turns_expressions_into_paths(void **state)
{
    (void)state;
    static const struct {
        const char *type, *code, *paths;
    } rows[] = {
        {"Patient", "_id", "id"},
        {"Patient", "_lastUpdated", "meta.lastUpdated"},
        {"Patient", "_tag", "meta.tag"},
        {"Patient", "identifier", "identifier"},
        {"Patient", "family", "name.family"},
        {"Patient", "death-date", "deceasedDateTime"},
        {"Patient", "phone", "telecom[system=phone]"},
        {"Patient", "language", "communication.language"},
        {"Observation", "patient", "subject->Patient"},
        {"Observation", "code", "code"},
        {"Observation", "date",
         "effectiveDateTime effectivePeriod effectiveTiming effectiveInstant"},
        {"Observation", "value-quantity", "valueQuantity valueSampledData"},
        {"Observation", "value-string", "valueString valueCodeableConcept.text"},
        {"Observation", "combo-code", "code component.code"},
        {"Condition", "onset-age", "onsetAge onsetRange"},
        {"Condition", "abatement-date", "abatementDateTime abatementPeriod"},
        {"MedicationRequest", "medication", "medicationReference"},
        {"MedicationRequest", "code", "medicationCodeableConcept"},
        {"Library", "depends-on", "relatedArtifact[type=depends-on].resource"},
        {"Task", "patient", "for->Patient"},
        {"Encounter", "participant", "participant.individual"},
        {"Patient", "mothersMaidenName",
         "extension[url=http://hl7.org/fhir/StructureDefinition/"
         "patient-extensions-Patient-mothersMaidenName].valueMarkdown "
         "extension[url=http://hl7.org/fhir/StructureDefinition/"
         "patient-extensions-Patient-mothersMaidenName].valueString "
         "extension[url=http://hl7.org/fhir/StructureDefinition/"
         "patient-extensions-Patient-mothersMaidenName].valueAddress "
         "extension[url=http://hl7.org/fhir/StructureDefinition/"
         "patient-extensions-Patient-mothersMaidenName].valueHumanName"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct search_parameter *found = parameter(rows[i].type, rows[i].code);
        assert_true(found->simple);
        assert_false(found->exists);
        assert_string_equal(paths_of(found), rows[i].paths);
    }
}

static void keeps_a_truth_value_as_existence(void **state)
{
    (void)state;
    const struct search_parameter *found = parameter("Patient", "deceased");
    assert_true(found->simple && found->exists);
    assert_string_equal(paths_of(found), "deceasedBoolean deceasedDateTime");
    assert_true(
        slice_is(found->expression, "Patient.deceased.exists() and Patient.deceased != false"));
}

static void says_what_is_not_simple(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"Bundle", "composition"},
                                          {"Location", "near"},
                                          {"Observation", "code-value-quantity"},
                                          {"QuestionnaireResponse", "item-subject"},
                                          {"Patient", "_text"},
                                          {"Patient", "_filter"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct search_parameter *found = parameter(rows[i][0], rows[i][1]);
        assert_false(found->simple);
        assert_int_equal(found->path_count, 0);
    }
}

static void every_other_parameter_of_the_specification_is_simple(void **state)
{
    (void)state;
    size_t other = 0, count;
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        const struct search_parameter *all = search_parameters(definitions, type, &count);
        for (size_t i = 0; i < count; i++) {
            bool computed = all[i].kind == SEARCH_COMPOSITE || all[i].kind == SEARCH_SPECIAL ||
                            all[i].expression.length == 0;
            other += !all[i].simple && !computed;
            assert_int_equal(all[i].simple, all[i].path_count > 0);
            assert_int_equal(all[i].number, i + 1);
            assert_true(i == 0 || slice_compare(all[i - 1].code, all[i].code) < 0);
            for (size_t j = 0; j < all[i].path_count; j++) {
                assert_true(all[i].paths[j].count > 0);
            }
        }
    }
    assert_int_equal(other, 3); /* item-subject and two of Bundle.entry[0] */
}

static void knows_kinds_targets_and_urls(void **state)
{
    (void)state;
    const struct search_parameter *found = parameter("Condition", "subject");
    assert_int_equal(found->kind, SEARCH_REFERENCE);
    assert_int_equal(found->target_count, 2);
    assert_true(slice_is(found->url, "http://hl7.org/fhir/SearchParameter/Condition-subject"));
    assert_int_equal(parameter("Patient", "birthdate")->kind, SEARCH_DATE);
    assert_int_equal(parameter("Patient", "birthdate")->paths[0].type, FHIR_TYPE_DATE);
    assert_null(search_parameter_find(definitions, resource("Patient"), SLICE("Birthdate")));
    assert_null(search_parameter_find(definitions, resource("Patient"), SLICE("")));
    assert_null(search_parameter_find(definitions, RESOURCE_TYPE_NONE, SLICE("_id")));
    /* Binary is no DomainResource: it has no narrative to search. */
    assert_null(search_parameter_find(definitions, resource("Binary"), SLICE("_text")));
    assert_non_null(search_parameter_find(definitions, resource("Binary"), SLICE("_id")));
}

/* R4 shows with "example-extension" what a SearchParameter may look like. */
static void an_example_of_a_parameter_is_no_parameter(void **state)
{
    (void)state;
    assert_null(search_parameter_find(definitions, resource("Patient"), SLICE("part-agree")));
    assert_true(slice_is(parameter("Condition", "_id")->url,
                         "http://hl7.org/fhir/SearchParameter/Resource-id"));
    /* Experimental, but of the specification. */
    (void)parameter("Patient", "mothersMaidenName");
}

/* "code=code value.as(Quantity)=value-quantity" */
static const char *components_of(const char *type, const char *code)
{
    struct buffer out = {.arena = arena};
    const struct search_parameter *found = parameter(type, code);
    for (size_t i = 0; i < found->component_count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        buffer_add(&out, found->components[i].expression);
        buffer_add_byte(&out, '=');
        buffer_add(&out, found->components[i].parameter->code);
    }
    return as_text(&out);
}

static void resolves_the_components_of_composites(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"Observation", "code-value-quantity", "code=code value.as(Quantity)=value-quantity"},
        {"Observation", "combo-code-value-concept",
         "code=combo-code value.as(CodeableConcept)=combo-value-concept"},
        /* The specification writes as(DateTime). */
        {"Observation", "code-value-date",
         "code=code value.as(dateTime) | value.as(Period)=value-date"},
        /* The specification has these two the other way round. */
        {"DocumentReference", "relationship", "code=relation target=relatesto"},
        {"ValueSet", "context-type-quantity",
         "code=context-type value.as(Quantity) | value.as(Range)=context-quantity"},
        {"MolecularSequence", "chromosome-variant-coordinate",
         "%resource.referenceSeq.chromosome=chromosome start=variant-start end=variant-end"},
        {"Patient", "name", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(components_of(rows[i][0], rows[i][1]), rows[i][2]);
    }
    const struct search_parameter *code = parameter("Observation", "code");
    assert_ptr_equal(parameter("Observation", "code-value-string")->components[0].parameter, code);
}

/* 1,400 files of the package, of which those with several bases or for all types count often. */
static void every_parameter_of_the_specification_is_known_for_every_type_it_applies_to(void **state)
{
    (void)state;
    size_t pairs = 0, common = 0, composites = 0, count;
    static const char *const shared[] = {"_id",       "_lastUpdated", "_tag",    "_profile",
                                         "_security", "_source",      "_content"};
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        const struct search_parameter *all = search_parameters(definitions, type, &count);
        for (size_t i = 0; i < count; i++) {
            bool own = all[i].code.at[0] != '_';
            pairs += own;
            common += !own;
            composites += all[i].kind == SEARCH_COMPOSITE;
            assert_true((all[i].kind == SEARCH_COMPOSITE) == (all[i].component_count >= 2));
        }
        for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
            assert_non_null(search_parameter_find(definitions, type, slice_text(shared[i])));
        }
    }
    assert_int_equal(pairs, 1708);
    assert_int_equal(common, 1457);
    assert_int_equal(composites, 72);
}

static void collect(void *context, const struct search_path *path, yyjson_val *value)
{
    struct buffer *out = context;
    assert_true(path->count > 0);
    buffer_add_text(out, out->length > 0 ? " " : "");
    json_write(value, NULL, NULL, out);
}

static const char *walked(const char *code, const char *patient)
{
    struct buffer out = {.arena = arena};
    const struct search_parameter *found = parameter("Patient", code);
    yyjson_val *root = parse(patient);
    for (size_t i = 0; i < found->path_count; i++) {
        search_path_walk(&found->paths[i], root, collect, &out);
    }
    return as_text(&out);
}

static void walks_arrays_filters_and_gaps(void **state)
{
    (void)state;
    const char *patient = "{'name':[{'given':['a',null,'b']},{},{'given':['c']},'x'],'telecom':"
                          "[{'system':'phone','value':'1'},{'system':'email','value':'2'},"
                          "{'value':'3'}],'deceasedBoolean':false,'birthDate':null,"
                          "'address':{'city':'not an array'},'communication':[[{'language':{}}]]}";
    assert_string_equal(walked("given", patient), "\"a\" \"b\" \"c\"");
    assert_string_equal(walked("phone", patient), "{\"system\":\"phone\",\"value\":\"1\"}");
    assert_string_equal(walked("email", patient), "{\"system\":\"email\",\"value\":\"2\"}");
    assert_string_equal(walked("deceased", patient), "false");
    assert_string_equal(walked("birthdate", patient), "");
    assert_string_equal(walked("address-city", patient), "\"not an array\"");
    assert_string_equal(walked("language", patient), "");
    assert_string_equal(walked("given", "[]"), "");
    assert_string_equal(walked("given", "7"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(turns_expressions_into_paths),
        FHIR_TEST(keeps_a_truth_value_as_existence),
        FHIR_TEST(says_what_is_not_simple),
        FHIR_TEST(every_other_parameter_of_the_specification_is_simple),
        FHIR_TEST(knows_kinds_targets_and_urls),
        FHIR_TEST(an_example_of_a_parameter_is_no_parameter),
        FHIR_TEST(resolves_the_components_of_composites),
        FHIR_TEST(every_parameter_of_the_specification_is_known_for_every_type_it_applies_to),
        FHIR_TEST(walks_arrays_filters_and_gaps),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
