/* SPDX-License-Identifier: MIT */
/* Condition, AllergyIntolerance, Observation, DiagnosticReport, Immunization, Procedure. */
#include "synth/synth_int.h"

static void put_subject(struct buffer *out, const struct scene *scene)
{
    PUT(out, ",\"subject\":");
    put_reference(out, "Patient", &scene->person->id);
    if (scene->in_encounter) {
        PUT(out, ",\"encounter\":");
        put_reference(out, "Encounter", &scene->encounter);
    }
}

static void put_effective(struct buffer *out, const struct scene *scene)
{
    PUT(out, ",\"effectiveDateTime\":\"");
    put_moment(out, scene->day, scene->minute);
    PUT(out, "\"");
}

void write_condition(struct scene *scene, struct reason what, day_number onset, day_number abated,
                     bool long_term, struct uuid *ret_id)
{
    *ret_id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_CONDITION, ret_id, "Condition");
    bool active = abated == DAY_NEVER;
    PUT(out, ",\"clinicalStatus\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "condition-clinical\",\"code\":\"");
    put_text(out, active ? "active\",\"display\":\"Active" : "resolved\",\"display\":\"Resolved");
    PUT(out, "\"}]},\"verificationStatus\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/condition-ver-status\",\"code\":\"confirmed\",\"display\":\"Confirmed\"}]}"
             ",\"category\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "condition-category\",\"code\":\"");
    put_text(out, long_term ? "problem-list-item\",\"display\":\"Problem List Item"
                            : "encounter-diagnosis\",\"display\":\"Encounter Diagnosis");
    PUT(out, "\"}]}],\"code\":");
    put_concept(out, 'S', what.code, what.display);
    put_subject(out, scene);
    PUT(out, ",\"onsetDateTime\":\"");
    put_day(out, onset);
    if (!active) {
        PUT(out, "\",\"abatementDateTime\":\"");
        put_day(out, abated);
    }
    PUT(out, "\",\"recordedDate\":\"");
    put_day(out, onset);
    PUT(out, "\",\"recorder\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    writer_end(scene->writer, TYPE_CONDITION, ret_id);
}

static struct buffer *begin_allergy(struct scene *scene, struct uuid *ret_id)
{
    *ret_id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_ALLERGY, ret_id, "AllergyIntolerance");
    PUT(out, ",\"clinicalStatus\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "allergyintolerance-clinical\",\"code\":\"active\",\"display\":\"Active\"}]},"
             "\"verificationStatus\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/allergyintolerance-verification\",\"code\":\"confirmed\",\"display\":"
             "\"Confirmed\"}]}");
    return out;
}

static void end_allergy(struct scene *scene, struct buffer *out, const struct uuid *id)
{
    PUT(out, ",\"recordedDate\":\"");
    put_day(out, scene->day);
    PUT(out, "\",\"recorder\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    writer_end(scene->writer, TYPE_ALLERGY, id);
}

void write_allergy(struct scene *scene, const struct allergy *allergy)
{
    struct uuid id;
    struct buffer *out = begin_allergy(scene, &id);
    PUT(out, ",\"type\":\"allergy\",\"category\":[\"");
    put_text(out, allergy->category);
    PUT(out, "\"],\"criticality\":\"");
    put_text(out, allergy->severe ? "high" : "low");
    PUT(out, "\",\"code\":");
    put_concept(out, 'S', allergy->code, allergy->display);
    PUT(out, ",\"patient\":");
    put_reference(out, "Patient", &scene->person->id);
    PUT(out, ",\"reaction\":[{\"manifestation\":[");
    put_concept(out, 'S', allergy->reaction, allergy->reaction_display);
    PUT(out, "],\"severity\":\"");
    put_text(out, allergy->severe ? "severe" : "mild");
    PUT(out, "\"}]");
    end_allergy(scene, out, &id);
}

void write_no_allergy(struct scene *scene)
{
    struct uuid id;
    struct buffer *out = begin_allergy(scene, &id);
    PUT(out, ",\"code\":");
    put_concept(out, 'S', "716186003", "No known allergy");
    PUT(out, ",\"patient\":");
    put_reference(out, "Patient", &scene->person->id);
    end_allergy(scene, out, &id);
}

static struct buffer *begin_observation(struct scene *scene, const struct uuid *id, bool laboratory)
{
    struct buffer *out = writer_begin(scene->writer, TYPE_OBSERVATION, id,
                                      laboratory ? "Observation-Lab" : "Observation");
    PUT(out, ",\"status\":\"final\",\"category\":[{\"coding\":[{\"system\":"
             "\"http://terminology.hl7.org/CodeSystem/observation-category\",\"code\":\"");
    put_text(out, laboratory ? "laboratory\",\"display\":\"Laboratory"
                             : "vital-signs\",\"display\":\"Vital Signs");
    PUT(out, "\"}]}],\"code\":");
    return out;
}

static void put_quantity(struct buffer *out, int64_t value, unsigned places, const char *unit,
                         const char *ucum)
{
    PUT(out, "{\"value\":");
    put_decimal(out, value, places);
    PUT(out, ",\"unit\":\"");
    put_text(out, unit);
    PUT(out, "\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"");
    put_text(out, ucum);
    PUT(out, "\"}");
}

static void put_range(struct buffer *out, const struct measure *measure)
{
    PUT(out, ",\"referenceRange\":[{");
    if (measure->low > 0) {
        PUT(out, "\"low\":");
        put_quantity(out, measure->low, measure->places, measure->unit, measure->ucum);
    }
    if (measure->high > 0) {
        put_text(out, measure->low > 0 ? ",\"high\":" : "\"high\":");
        put_quantity(out, measure->high, measure->places, measure->unit, measure->ucum);
    }
    PUT(out, "}]");
}

static void put_interpretation(struct buffer *out, const struct measure *measure, int64_t value)
{
    const char *code = "N\",\"display\":\"Normal";
    if (measure->high > 0 && value > measure->high) {
        code = "H\",\"display\":\"High";
    } else if (value < measure->low) {
        code = "L\",\"display\":\"Low";
    }
    PUT(out,
        ",\"interpretation\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
        "v3-ObservationInterpretation\",\"code\":\"");
    put_text(out, code);
    PUT(out, "\"}]}]");
}

void write_measure(struct scene *scene, unsigned number, int64_t value, struct uuid *ret_id)
{
    const struct measure *measure = &synth_measures[number];
    bool laboratory = number >= MEASURE_HBA1C;
    *ret_id = new_id(scene);
    struct buffer *out = begin_observation(scene, ret_id, laboratory);
    PUT(out, "{\"coding\":[");
    put_coding(out, 'L', measure->loinc, measure->loinc_display);
    if (measure->snomed != NULL) {
        PUT(out, ",");
        put_coding(out, 'S', measure->snomed, measure->snomed_display);
    }
    PUT(out, "]}");
    put_subject(out, scene);
    put_effective(out, scene);
    PUT(out, ",\"performer\":[");
    if (laboratory) {
        put_reference(out, "Organization", &scene->person->area->hospital.id);
    } else {
        put_reference(out, "Practitioner", &scene->staff->id);
    }
    PUT(out, "],\"valueQuantity\":");
    put_quantity(out, value, measure->places, measure->unit, measure->ucum);
    if (measure->low > 0 || measure->high > 0) {
        put_interpretation(out, measure, value);
        put_range(out, measure);
    }
    writer_end(scene->writer, TYPE_OBSERVATION, ret_id);
}

void write_pressure(struct scene *scene, int systolic, int diastolic)
{
    struct uuid id = new_id(scene);
    struct buffer *out = begin_observation(scene, &id, false);
    PUT(out, "{\"coding\":[");
    put_coding(out, 'L', "85354-9", "Blood pressure panel with all children optional");
    PUT(out, ",");
    put_coding(out, 'S', "75367002", "Blood pressure");
    PUT(out, "]}");
    put_subject(out, scene);
    put_effective(out, scene);
    PUT(out, ",\"performer\":[");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, "],\"component\":[{\"code\":");
    put_concept(out, 'L', "8480-6", "Systolic blood pressure");
    PUT(out, ",\"valueQuantity\":");
    put_quantity(out, systolic, 0, "mmHg", "mm[Hg]");
    PUT(out, "},{\"code\":");
    put_concept(out, 'L', "8462-4", "Diastolic blood pressure");
    PUT(out, ",\"valueQuantity\":");
    put_quantity(out, diastolic, 0, "mmHg", "mm[Hg]");
    PUT(out, "}]");
    writer_end(scene->writer, TYPE_OBSERVATION, &id);
}

void write_smoking(struct scene *scene)
{
    static const struct reason states[3] = {
        {"266919005", "Never smoked tobacco"}, {"8517006", "Ex-smoker"}, {"77176002", "Smoker"}};
    struct reason state = states[scene->person->smoking];
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_OBSERVATION, &id, "Observation");
    PUT(out, ",\"status\":\"final\",\"category\":[{\"coding\":[{\"system\":"
             "\"http://terminology.hl7.org/CodeSystem/observation-category\",\"code\":"
             "\"social-history\",\"display\":\"Social History\"}]}],\"code\":");
    put_concept(out, 'L', "72166-2", "Tobacco smoking status");
    put_subject(out, scene);
    put_effective(out, scene);
    PUT(out, ",\"valueCodeableConcept\":");
    put_concept(out, 'S', state.code, state.display);
    writer_end(scene->writer, TYPE_OBSERVATION, &id);
}

void write_report(struct scene *scene, const char *loinc, const char *display,
                  const struct uuid *results, unsigned count)
{
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_REPORT, &id, "DiagnosticReport-Lab");
    PUT(out, ",\"status\":\"final\",\"category\":[{\"coding\":[{\"system\":"
             "\"http://terminology.hl7.org/CodeSystem/v2-0074\",\"code\":\"LAB\",\"display\":"
             "\"Laboratory\"}]}],\"code\":");
    put_concept(out, 'L', loinc, display);
    put_subject(out, scene);
    put_effective(out, scene);
    PUT(out, ",\"issued\":\"");
    put_moment(out, scene->day, scene->minute + 240);
    PUT(out, "\",\"performer\":[");
    put_reference(out, "Organization", &scene->person->area->hospital.id);
    PUT(out, "],\"result\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            PUT(out, ",");
        }
        put_reference(out, "Observation", &results[i]);
    }
    PUT(out, "]");
    writer_end(scene->writer, TYPE_REPORT, &id);
}

void write_immunization(struct scene *scene, const struct vaccine *vaccine)
{
    struct random *random = &scene->person->random;
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_IMMUNIZATION, &id, "Immunization");
    PUT(out, ",\"extension\":[{\"url\":\"https://fhir.hl7.org.uk/StructureDefinition/"
             "Extension-UKCore-VaccinationProcedure\",\"valueCodeableConcept\":");
    put_concept(out, 'S', vaccine->procedure, vaccine->procedure_display);
    PUT(out, "}],\"status\":\"completed\",\"vaccineCode\":");
    if (vaccine->system == 'N') {
        PUT(out, "{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-NullFlavor\","
                 "\"code\":\"UNC\",\"display\":\"un-encoded\"}],\"text\":\"");
        put_text(out, vaccine->product_display);
        PUT(out, "\"}");
    } else {
        put_concept(out, vaccine->system, vaccine->product, vaccine->product_display);
    }
    PUT(out, ",\"patient\":");
    put_reference(out, "Patient", &scene->person->id);
    PUT(out, ",\"occurrenceDateTime\":\"");
    put_moment(out, scene->day, scene->minute);
    PUT(out, "\",\"recorded\":\"");
    put_day(out, scene->day);
    PUT(out, "\",\"primarySource\":true,\"location\":");
    put_reference(out, "Location", &scene->site->location);
    PUT(out, ",\"lotNumber\":\"SYN");
    put_number(out, 10000 + pick(random, 90000));
    if (vaccine->oral) {
        PUT(out, "\"");
    } else {
        PUT(out, "\",\"site\":");
        put_concept(out, 'S', "368208006", "Left upper arm structure");
        PUT(out, ",\"route\":");
        put_concept(out, 'S', "78421000", "Intramuscular route");
        PUT(out, ",\"doseQuantity\":");
        put_quantity(out, 5, 1, "mL", "mL");
    }
    PUT(out, ",\"performer\":[{\"actor\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, "}],\"protocolApplied\":[{\"doseNumberPositiveInt\":");
    put_number(out, vaccine->dose);
    PUT(out, "}]");
    writer_end(scene->writer, TYPE_IMMUNIZATION, &id);
}

void write_procedure(struct scene *scene, struct reason what, const struct uuid *because)
{
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_PROCEDURE, &id, "Procedure");
    PUT(out, ",\"status\":\"completed\",\"code\":");
    put_concept(out, 'S', what.code, what.display);
    put_subject(out, scene);
    PUT(out, ",\"performedDateTime\":\"");
    put_moment(out, scene->day, scene->minute);
    PUT(out, "\",\"performer\":[{\"actor\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, "}]");
    if (because != NULL) {
        PUT(out, ",\"reasonReference\":[");
        put_reference(out, "Condition", because);
        PUT(out, "]");
    }
    writer_end(scene->writer, TYPE_PROCEDURE, &id);
}
