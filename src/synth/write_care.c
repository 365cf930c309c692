/* SPDX-License-Identifier: MIT */
/* Encounter, MedicationRequest, MedicationStatement, DocumentReference, CarePlan, CareTeam,
 * Appointment. */
#include "synth/synth_int.h"

static const struct visit_kind {
    const char *class_code, *class_display;
    const char *code, *display;
} visits[] = {
    [VISIT_SURGERY] = {"AMB", "ambulatory", "308335008", "Patient encounter procedure"},
    [VISIT_PHONE] = {"VR", "virtual", "185317003", "Telephone encounter"},
    [VISIT_OUTPATIENT] = {"AMB", "ambulatory", "390906007", "Follow-up encounter"},
    [VISIT_EMERGENCY] = {"EMER", "emergency", "4525004", "Emergency department patient visit"},
    [VISIT_INPATIENT] = {"IMP", "inpatient encounter", "32485007", "Hospital admission"},
    [VISIT_HOME] = {"HH", "home health", "439708006", "Home visit"},
};

static void put_hospitalization(struct buffer *out, const struct scene *scene, bool elective)
{
    const struct person *person = scene->person;
    bool died = person->death != DAY_NEVER && scene->day >= person->death - 1;
    PUT(out, ",\"hospitalization\":{\"extension\":[{\"url\":\"https://fhir.hl7.org.uk/"
             "StructureDefinition/Extension-UKCore-AdmissionMethod\",\"valueCodeableConcept\":{"
             "\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/CodeSystem/"
             "UKCore-AdmissionMethodEngland\",\"code\":\"");
    if (elective) {
        PUT(out, "12\",\"display\":\"Elective Admission: Booked\"}]}}]");
    } else {
        PUT(out, "21\",\"display\":\"Emergency Admission: Emergency Care Department or dental "
                 "casualty department of the Health Care Provider\"}]}}]");
    }
    PUT(out, ",\"dischargeDisposition\":{\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/"
             "CodeSystem/UKCore-DischargeDestinationEngland\",\"code\":\"");
    if (died) {
        PUT(out, "79\",\"display\":\"Not applicable - Patient died or stillbirth\"}]}}");
    } else if (person->care_home) {
        PUT(out, "85\",\"display\":\"Non-NHS (other than Local Authority) run Care Home\"}]}}");
    } else {
        PUT(out, "19\"}]}}");
    }
}

void write_encounter(struct scene *scene, enum visit visit, int minutes, int nights, bool elective,
                     struct reason reason)
{
    const struct visit_kind *kind = &visits[visit];
    struct person *person = scene->person;
    scene->encounter = new_id(scene);
    scene->in_encounter = true;
    struct buffer *out =
        writer_begin(scene->writer, TYPE_ENCOUNTER, &scene->encounter, "Encounter");
    PUT(out,
        ",\"status\":\"finished\",\"class\":{\"system\":\"http://terminology.hl7.org/CodeSystem/"
        "v3-ActCode\",\"code\":\"");
    put_text(out, kind->class_code);
    PUT(out, "\",\"display\":\"");
    put_text(out, kind->class_display);
    PUT(out, "\"},\"type\":[");
    put_concept(out, 'S', kind->code, kind->display);
    PUT(out, "],\"subject\":");
    put_reference(out, "Patient", &person->id);
    PUT(out, ",\"participant\":[{\"type\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/v3-ParticipationType\",\"code\":\"PPRF\",\"display\":\"primary "
             "performer\"}]}],\"individual\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, "}],\"period\":{\"start\":\"");
    put_moment(out, scene->day, scene->minute);
    PUT(out, "\",\"end\":\"");
    int end = scene->minute + minutes;
    put_moment(out, scene->day + nights, nights > 0 ? 11 * 60 + minutes % 180 : end);
    PUT(out, "\"}");
    if (reason.code != NULL) {
        PUT(out, ",\"reasonCode\":[");
        put_concept(out, 'S', reason.code, reason.display);
        PUT(out, "]");
    }
    if (visit == VISIT_INPATIENT) {
        put_hospitalization(out, scene, elective);
    }
    if (visit != VISIT_PHONE && visit != VISIT_HOME) {
        PUT(out, ",\"location\":[{\"location\":");
        const struct uuid *where = visit == VISIT_EMERGENCY   ? &person->area->emergency
                                   : visit == VISIT_INPATIENT ? &person->area->ward
                                                              : &scene->site->location;
        put_reference(out, "Location", where);
        PUT(out, "}]");
    }
    PUT(out, ",\"serviceProvider\":");
    put_reference(out, "Organization", &scene->site->id);
    writer_end(scene->writer, TYPE_ENCOUNTER, &scene->encounter);
}

static void put_medicine(struct buffer *out, const struct medicine *medicine)
{
    PUT(out, ",\"medicationCodeableConcept\":");
    if (medicine->system == 'N') {
        PUT(out, "{\"text\":\"");
        put_text(out, medicine->display);
        PUT(out, "\"}");
    } else {
        put_concept(out, medicine->system, medicine->code, medicine->display);
    }
}

static void put_dosage(struct buffer *out, const struct medicine *medicine)
{
    PUT(out, "{\"text\":\"");
    put_text(out, medicine->dosage);
    PUT(out, "\",\"timing\":{\"repeat\":{\"frequency\":");
    put_number(out, medicine->frequency);
    PUT(out, ",\"period\":");
    put_number(out, medicine->period);
    PUT(out, ",\"periodUnit\":\"d\"}}");
    if (medicine->unit == 't' || medicine->unit == 'c') {
        PUT(out, ",\"route\":");
        put_concept(out, 'S', "26643006", "Oral route");
    }
    PUT(out, "}");
}

void write_request(struct scene *scene, const struct medicine *medicine, bool repeat, bool active)
{
    struct person *person = scene->person;
    const struct practice *practice = &person->area->practices[person->practice];
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_REQUEST, &id, "MedicationRequest");
    PUT(out, ",\"status\":\"");
    put_text(out, active ? "active" : "completed");
    PUT(out, "\",\"intent\":\"order\",\"category\":[{\"coding\":[{\"system\":"
             "\"http://terminology.hl7.org/CodeSystem/medicationrequest-category\",\"code\":"
             "\"community\",\"display\":\"Community\"}]}]");
    put_medicine(out, medicine);
    PUT(out, ",\"subject\":");
    put_reference(out, "Patient", &person->id);
    if (scene->in_encounter) {
        PUT(out, ",\"encounter\":");
        put_reference(out, "Encounter", &scene->encounter);
    }
    PUT(out, ",\"authoredOn\":\"");
    put_moment(out, scene->day, scene->minute);
    PUT(out, "\",\"requester\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, ",\"courseOfTherapyType\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/medicationrequest-course-of-therapy\",\"code\":\"");
    put_text(out, repeat ? "continuous\",\"display\":\"Continuous long term therapy"
                         : "acute\",\"display\":\"Short course (acute) therapy");
    PUT(out, "\"}]},\"dosageInstruction\":[");
    put_dosage(out, medicine);
    PUT(out, "],\"dispenseRequest\":{\"quantity\":{\"value\":");
    put_number(out, medicine->quantity);
    switch (medicine->unit) {
    case 't':
        PUT(out,
            ",\"unit\":\"tablet\",\"system\":\"http://snomed.info/sct\",\"code\":\"428673006\"}");
        break;
    case 'c':
        PUT(out, ",\"unit\":\"capsule\",\"system\":\"http://snomed.info/sct\",\"code\":"
                 "\"428641000\"}");
        break;
    case 'd':
        PUT(out, ",\"unit\":\"dose\",\"system\":\"http://snomed.info/sct\",\"code\":"
                 "\"3317411000001100\"}");
        break;
    default:
        PUT(out, ",\"unit\":\"cartridge\"}");
    }
    PUT(out, ",\"expectedSupplyDuration\":{\"value\":");
    put_number(out, medicine->days);
    PUT(out, ",\"unit\":\"day\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"d\"},"
             "\"performer\":");
    put_reference(out, "Organization", &practice->pharmacy->id);
    PUT(out, "},\"substitution\":{\"allowedBoolean\":false}");
    writer_end(scene->writer, TYPE_REQUEST, &id);
}

void write_statement(struct scene *scene, const struct medicine *medicine, day_number start,
                     day_number stop, const struct uuid *condition)
{
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_STATEMENT, &id, "MedicationStatement");
    PUT(out, ",\"status\":\"");
    put_text(out, stop == DAY_NEVER ? "active" : "completed");
    PUT(out, "\",\"category\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "medication-statement-category\",\"code\":\"community\",\"display\":\"Community\"}]}");
    put_medicine(out, medicine);
    PUT(out, ",\"subject\":");
    put_reference(out, "Patient", &scene->person->id);
    PUT(out, ",\"effectivePeriod\":{\"start\":\"");
    put_day(out, start);
    if (stop != DAY_NEVER) {
        PUT(out, "\",\"end\":\"");
        put_day(out, stop);
    }
    PUT(out, "\"},\"dateAsserted\":\"");
    put_day(out, scene->person->end);
    PUT(out, "\",\"reasonReference\":[");
    put_reference(out, "Condition", condition);
    PUT(out, "],\"dosage\":[");
    put_dosage(out, medicine);
    PUT(out, "]");
    writer_end(scene->writer, TYPE_STATEMENT, &id);
}

/* The letter is written after its JSON has begun, so it takes a buffer of its own. */
static void put_letter_text(struct buffer *text, const struct scene *scene, bool discharge,
                            const char *specialty, struct reason about)
{
    const struct person *person = scene->person;
    const struct practice *practice = &person->area->practices[person->practice];
    put_text(text, person->area->hospital.name);
    PUT(text, "\n");
    put_text(text, specialty);
    PUT(text, "\n\nTo: ");
    put_text(text, practice->site.name);
    PUT(text, "\nDate: ");
    put_day(text, scene->day);
    PUT(text, "\n\nRe: ");
    put_text(text, person->given);
    PUT(text, " ");
    put_text(text, person->family);
    PUT(text, ", born ");
    put_day(text, person->birth);
    if (person->has_nhs) {
        PUT(text, ", NHS number ");
        put_text(text, person->nhs);
    }
    PUT(text, "\n\nDear colleague,\n\n");
    if (discharge) {
        PUT(text,
            "This person was in our care and has now been discharged. Reason for admission: ");
    } else {
        PUT(text, "Thank you for referring this person, whom I saw in clinic today about: ");
    }
    put_text(text, about.display);
    PUT(text,
        ".\n\nExamination and results are in the record. Please continue the medicines listed "
        "there");
    if (discharge) {
        PUT(text, " and see them within two weeks");
    } else {
        PUT(text, "; we shall see them again as arranged");
    }
    PUT(text, ".\n\nYours sincerely,\nDr ");
    put_text(text, scene->staff->given);
    PUT(text, " ");
    put_text(text, scene->staff->family);
    PUT(text, "\n\nThis is a synthetic letter about nobody.\n");
}

void write_letter(struct scene *scene, bool discharge, const char *specialty, struct reason about)
{
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_DOCUMENT, &id, NULL);
    PUT(out, ",\"status\":\"current\",\"docStatus\":\"final\",\"type\":");
    if (discharge) {
        put_concept(out, 'S', "373942005", "Discharge summary");
    } else {
        put_concept(out, 'S', "823691000000103", "Clinical letter");
    }
    PUT(out, ",\"subject\":");
    put_reference(out, "Patient", &scene->person->id);
    PUT(out, ",\"date\":\"");
    put_moment(out, scene->day, 17 * 60);
    PUT(out, "\",\"author\":[");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, "],\"custodian\":");
    put_reference(out, "Organization", &scene->site->id);
    PUT(out, ",\"description\":\"");
    put_text(out, discharge ? "Discharge summary" : "Clinic letter");
    PUT(out, ", ");
    put_text(out, specialty);
    PUT(out, "\",\"content\":[{\"attachment\":{\"contentType\":\"text/plain; charset=utf-8\","
             "\"language\":\"en-GB\",\"data\":\"");
    struct arena_mark mark = arena_mark(scene->letter_arena);
    struct buffer text = {.arena = scene->letter_arena};
    put_letter_text(&text, scene, discharge, specialty, about);
    base64_write(buffer_slice(&text), out);
    if (!buffer_ok(&text)) {
        out->broken = true;
    }
    arena_rewind(scene->letter_arena, mark);
    PUT(out, "\",\"title\":\"");
    put_text(out, discharge ? "Discharge summary" : "Clinic letter");
    PUT(out, "\",\"creation\":\"");
    put_moment(out, scene->day, 17 * 60);
    PUT(out, "\"}}],\"context\":{\"encounter\":[");
    put_reference(out, "Encounter", &scene->encounter);
    PUT(out, "]}");
    writer_end(scene->writer, TYPE_DOCUMENT, &id);
}

void write_plan(struct scene *scene, const struct illness *illness, const struct uuid *condition)
{
    const struct person *person = scene->person;
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_PLAN, &id, NULL);
    bool ended = person->death != DAY_NEVER;
    PUT(out, ",\"status\":\"");
    put_text(out, ended ? "completed" : "active");
    PUT(out, "\",\"intent\":\"plan\",\"category\":[");
    put_concept(out, 'S', illness->plan_code, illness->plan);
    PUT(out, "],\"title\":\"");
    put_text(out, illness->plan);
    PUT(out, "\",\"subject\":");
    put_reference(out, "Patient", &person->id);
    PUT(out, ",\"period\":{\"start\":\"");
    put_day(out, scene->day);
    if (ended) {
        PUT(out, "\",\"end\":\"");
        put_day(out, person->death);
    }
    PUT(out, "\"},\"created\":\"");
    put_day(out, scene->day);
    PUT(out, "\",\"author\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, ",\"addresses\":[");
    put_reference(out, "Condition", condition);
    PUT(out, "],\"activity\":[{\"detail\":{\"status\":\"");
    put_text(out, ended ? "completed" : "in-progress");
    PUT(out, "\",\"description\":\"Review at the practice once a year, sooner when symptoms "
             "change\"}},{\"detail\":{\"status\":\"");
    put_text(out, ended ? "completed" : "in-progress");
    PUT(out, "\",\"description\":\"Knows whom to call and when\"}}]");
    writer_end(scene->writer, TYPE_PLAN, &id);
}

void write_team(struct scene *scene, const struct staff *nurse)
{
    const struct person *person = scene->person;
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_TEAM, &id, NULL);
    PUT(out, ",\"status\":\"");
    put_text(out, person->death == DAY_NEVER ? "active" : "inactive");
    PUT(out, "\",\"name\":\"Care at home\",\"subject\":");
    put_reference(out, "Patient", &person->id);
    PUT(out, ",\"period\":{\"start\":\"");
    put_day(out, scene->day);
    PUT(out, "\"},\"participant\":[{\"member\":");
    put_reference(out, "Practitioner", &scene->staff->id);
    PUT(out, "},{\"member\":");
    put_reference(out, "Practitioner", &nurse->id);
    PUT(out, "}");
    if (person->home != NULL) {
        PUT(out, ",{\"member\":");
        put_reference(out, "Organization", &person->home->id);
        PUT(out, "}");
    }
    PUT(out, "],\"managingOrganization\":[");
    put_reference(out, "Organization", &person->area->community.id);
    PUT(out, "]");
    writer_end(scene->writer, TYPE_TEAM, &id);
}

void write_appointment(struct scene *scene, enum appointment_status status,
                       const struct specialty *specialty, const struct staff *with, int minutes,
                       bool follow_up)
{
    static const char *const statuses[] = {"fulfilled", "noshow", "booked", "cancelled"};
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_APPOINTMENT, &id, "Appointment");
    PUT(out, ",\"status\":\"");
    put_text(out, statuses[status]);
    if (status == APPOINTMENT_CANCELLED) {
        PUT(out, "\",\"cancelationReason\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
                 "CodeSystem/appointment-cancellation-reason\",\"code\":\"pat\",\"display\":"
                 "\"Patient\"}]}");
    } else {
        PUT(out, "\"");
    }
    PUT(out, ",\"specialty\":[{\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/CodeSystem/"
             "UKCore-PracticeSettingCode\",\"code\":\"");
    put_text(out, specialty->code);
    PUT(out, "\",\"display\":\"");
    put_text(out, specialty->name);
    PUT(out, "\"}]}],\"appointmentType\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/v2-0276\",\"code\":\"");
    put_text(out, follow_up
                      ? "FOLLOWUP\",\"display\":\"A follow up visit from a previous appointment"
                      : "ROUTINE\",\"display\":\"Routine appointment - default if not valued");
    PUT(out, "\"}]},\"start\":\"");
    put_moment(out, scene->day, scene->minute);
    PUT(out, "\",\"end\":\"");
    put_moment(out, scene->day, scene->minute + minutes);
    PUT(out, "\",\"minutesDuration\":");
    put_number(out, (uint64_t)minutes);
    PUT(out, ",\"participant\":[{\"actor\":");
    put_reference(out, "Patient", &scene->person->id);
    PUT(out, ",\"required\":\"required\",\"status\":\"accepted\"},{\"actor\":");
    put_reference(out, "Practitioner", &with->id);
    PUT(out, ",\"required\":\"required\",\"status\":\"accepted\"},{\"actor\":");
    put_reference(out, "Location", &scene->site->location);
    PUT(out, ",\"required\":\"information-only\",\"status\":\"accepted\"}]");
    writer_end(scene->writer, TYPE_APPOINTMENT, &id);
}
