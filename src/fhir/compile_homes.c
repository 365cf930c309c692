/* SPDX-License-Identifier: MIT */
/* Which patient a resource belongs to, and which it concerns. The table of homes is our own: the
 * Patient compartment lists neither Task nor Device nor Binary, and names performers as well as
 * subjects. Members are found in the definitions: every reference that may name a patient. */
#include "fhir/compile_int.h"

struct home {
    const char *type;
    const char *paths; /* JSON members, best first, separated by spaces */
};

/* Patient is its own home. Types that are absent belong to no patient. */
static const struct home homes[] = {
    {"Account", "subject"},
    {"AdverseEvent", "subject"},
    {"AllergyIntolerance", "patient"},
    {"Appointment", "participant.actor"},
    {"AppointmentResponse", "actor"},
    {"AuditEvent", "entity.what agent.who"},
    {"Basic", "subject"},
    {"BiologicallyDerivedProduct", "collection.source"},
    {"BodyStructure", "patient"},
    {"CarePlan", "subject"},
    {"CareTeam", "subject"},
    {"ChargeItem", "subject"},
    {"Claim", "patient"},
    {"ClaimResponse", "patient"},
    {"ClinicalImpression", "subject"},
    {"Communication", "subject sender recipient"},
    {"CommunicationRequest", "subject recipient"},
    {"Composition", "subject"},
    {"Condition", "subject"},
    {"Consent", "patient"},
    {"Contract", "subject"},
    {"Coverage", "beneficiary"},
    {"CoverageEligibilityRequest", "patient"},
    {"CoverageEligibilityResponse", "patient"},
    {"DetectedIssue", "patient"},
    {"Device", "patient"},
    {"DeviceRequest", "subject"},
    {"DeviceUseStatement", "subject"},
    {"DiagnosticReport", "subject"},
    {"DocumentManifest", "subject"},
    {"DocumentReference", "subject"},
    {"Encounter", "subject"},
    {"EnrollmentRequest", "candidate"},
    {"EpisodeOfCare", "patient"},
    {"ExplanationOfBenefit", "patient"},
    {"FamilyMemberHistory", "patient"},
    {"Flag", "subject"},
    {"Goal", "subject"},
    {"GuidanceResponse", "subject"},
    {"ImagingStudy", "subject"},
    {"Immunization", "patient"},
    {"ImmunizationEvaluation", "patient"},
    {"ImmunizationRecommendation", "patient"},
    {"Invoice", "subject recipient"},
    {"List", "subject"},
    {"MeasureReport", "subject"},
    {"Media", "subject"},
    {"MedicationAdministration", "subject"},
    {"MedicationDispense", "subject"},
    {"MedicationRequest", "subject"},
    {"MedicationStatement", "subject"},
    {"MolecularSequence", "patient"},
    {"NutritionOrder", "patient"},
    {"Observation", "subject"},
    {"Person", "link.target"},
    {"Procedure", "subject"},
    {"Provenance", "target agent.who"},
    {"QuestionnaireResponse", "subject source author"},
    {"RelatedPerson", "patient"},
    {"RequestGroup", "subject"},
    {"ResearchSubject", "individual"},
    {"RiskAssessment", "subject"},
    {"Schedule", "actor"},
    {"ServiceRequest", "subject"},
    {"Specimen", "subject"},
    {"SupplyDelivery", "patient"},
    {"SupplyRequest", "deliverTo requester"},
    {"Task", "for focus owner requester"},
    {"VisionPrescription", "patient"},
};

/* Directory, conformance and knowledge: about nobody, wanted by everybody. */
static const char *const shared_types[] = {
    "ActivityDefinition",
    "CapabilityStatement",
    "CatalogEntry",
    "ChargeItemDefinition",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "DeviceDefinition",
    "EffectEvidenceSynthesis",
    "Endpoint",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "GraphDefinition",
    "HealthcareService",
    "ImplementationGuide",
    "InsurancePlan",
    "Library",
    "Location",
    "Measure",
    "Medication",
    "MedicationKnowledge",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "MessageDefinition",
    "NamingSystem",
    "ObservationDefinition",
    "OperationDefinition",
    "Organization",
    "OrganizationAffiliation",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "ResearchStudy",
    "RiskEvidenceSynthesis",
    "SearchParameter",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Substance",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
    "TerminologyCapabilities",
    "TestReport",
    "TestScript",
    "ValueSet",
};

#define DEPTH_LIMIT 8u

struct member_walk {
    struct compiler *compiler;
    resource_type patient;
    struct text_row steps[DEPTH_LIMIT];
    uint16_t types[DEPTH_LIMIT];
    uint32_t count;
};

static bool may_name_patient(const struct element_tables *tables, const struct element_row *element,
                             resource_type patient)
{
    for (uint16_t i = 0; i < element->target_count; i++) {
        if (tables->targets[element->first_target + i] == patient) {
            return true;
        }
    }
    return element->target_count == 0;
}

static bool is_open(const struct member_walk *walk, uint16_t type, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        if (walk->types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Extensions are left out (they nest without end), and so are resources within resources: those
 * are walked by whoever takes them apart. */
static void walk_type(struct member_walk *walk, uint16_t number, size_t depth)
{
    struct element_tables tables = compile_view(walk->compiler);
    const struct type_row *type = &tables.types[number];
    walk->types[depth] = number;
    for (size_t i = 0; i < type->element_count; i++) {
        const struct element_row *element = type_element(&tables, type, i);
        const struct type_row *inner = element_type_row(&tables, element);
        walk->steps[depth] = element->name;
        if (element->fhir_type == FHIR_TYPE_REFERENCE) {
            if (may_name_patient(&tables, element, walk->patient)) {
                struct path_row row = {.step_count = (uint16_t)(depth + 1),
                                       .type = FHIR_TYPE_REFERENCE,
                                       .target = walk->patient};
                compile_path_add(walk->compiler, &row, walk->steps);
                walk->count++;
            }
        } else if ((inner->kind == TYPE_BACKBONE || inner->kind == TYPE_COMPLEX) &&
                   element->fhir_type != FHIR_TYPE_EXTENSION && depth + 1 < DEPTH_LIMIT &&
                   !is_open(walk, element->type, depth + 1)) {
            walk_type(walk, element->type, depth + 1);
        }
    }
}

/* One path of the home table. STATUS_INTERNAL: the table names what R4 does not have. */
static enum status add_home(struct compiler *compiler, resource_type type, resource_type patient,
                            struct slice path)
{
    struct text_row steps[DEPTH_LIMIT];
    struct path_row row = {.type = FHIR_TYPE_REFERENCE, .target = patient};
    struct element_tables tables = compile_view(compiler);
    const struct type_row *owner = &tables.types[type - 1];
    const struct element_row *element = NULL;
    while (path.at != NULL) {
        struct slice step = slice_cut(&path, '.');
        element = NULL;
        for (size_t i = 0; i < owner->element_count && element == NULL; i++) {
            const struct element_row *each = type_element(&tables, owner, i);
            element = slice_equals(table_text(&tables, each->name), step) ? each : NULL;
        }
        if (element == NULL || row.step_count == DEPTH_LIMIT) {
            return STATUS_INTERNAL;
        }
        steps[row.step_count++] = element->name;
        owner = element_type_row(&tables, element);
    }
    if (element == NULL || element->fhir_type != FHIR_TYPE_REFERENCE ||
        !may_name_patient(&tables, element, patient)) {
        return STATUS_INTERNAL;
    }
    compile_path_add(compiler, &row, steps);
    return STATUS_OK;
}

static enum status add_homes(struct compiler *compiler, resource_type type, resource_type patient,
                             struct slice paths, struct resource_extra_row *row)
{
    row->first_home = (uint32_t)TABLE_COUNT(compiler, BLOB_PATHS, struct path_row);
    while (paths.length > 0) {
        struct slice path = slice_cut(&paths, ' ');
        enum status status = add_home(compiler, type, patient, path);
        if (status != STATUS_OK) {
            return outcome_fail(compiler->outcome, status, "",
                                "The table of homes names %.*s, which is no reference to a "
                                "patient in this specification.",
                                SLICE_ARGS(path));
        }
        row->home_count++;
    }
    return STATUS_OK;
}

static struct slice home_of(struct slice type)
{
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        if (slice_is(type, homes[i].type)) {
            return slice_text(homes[i].paths);
        }
    }
    return (struct slice){NULL, 0};
}

static bool is_shared(struct slice type)
{
    for (size_t i = 0; i < sizeof shared_types / sizeof *shared_types; i++) {
        if (slice_is(type, shared_types[i])) {
            return true;
        }
    }
    return false;
}

enum status compile_homes(struct compiler *compiler)
{
    resource_type patient = compile_resource_find(compiler, SLICE("Patient"));
    for (size_t i = 0; i < compiler->resource_count; i++) {
        struct resource_extra_row row =
            *TABLE_ROW(compiler, BLOB_RESOURCES, struct resource_extra_row, i);
        struct slice name =
            compiled_text(compiler, TABLE_ROW(compiler, BLOB_TYPES, struct type_row, i)->name);
        row.shared = is_shared(name);
        TRY(add_homes(compiler, (resource_type)(i + 1), patient, home_of(name), &row));
        row.first_member = (uint32_t)TABLE_COUNT(compiler, BLOB_PATHS, struct path_row);
        if (patient != RESOURCE_TYPE_NONE) {
            struct member_walk walk = {.compiler = compiler, .patient = patient};
            walk_type(&walk, (uint16_t)i, 0);
            row.member_count = walk.count;
        }
        *TABLE_ROW(compiler, BLOB_RESOURCES, struct resource_extra_row, i) = row;
    }
    return STATUS_OK;
}
