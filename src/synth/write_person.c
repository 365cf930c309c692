/* SPDX-License-Identifier: MIT */
/* Patient, RelatedPerson, Person, and the deprivation of where somebody lives. */
#include "synth/synth_int.h"

/* VERIFIED: say that the number is traced, which only a Patient's identifier may. */
static void put_nhs_number(struct buffer *out, const struct person *person, bool verified)
{
    PUT(out, "{");
    if (verified) {
        PUT(out, "\"extension\":[{\"url\":\"https://fhir.hl7.org.uk/StructureDefinition/"
                 "Extension-UKCore-NHSNumberVerificationStatus\",\"valueCodeableConcept\":{"
                 "\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/CodeSystem/"
                 "UKCore-NHSNumberVerificationStatusEngland\",\"code\":\"01\",\"display\":"
                 "\"Number present and verified\"}]}}],");
    }
    PUT(out, "\"system\":\"https://fhir.nhs.uk/Id/nhs-number\",\"value\":\"");
    put_text(out, person->nhs);
    PUT(out, "\"}");
}

static void put_identifiers(struct buffer *out, const struct person *person, bool verified)
{
    PUT(out, ",\"identifier\":[");
    if (person->has_nhs) {
        put_nhs_number(out, person, verified);
        PUT(out, ",");
    }
    PUT(out, "{\"system\":\"https://example.org/Id/local-patient-number\",\"value\":\"P");
    put_number(out, 100000000 + person->index);
    PUT(out, "\"}]");
}

static void put_name(struct buffer *out, const struct person *person)
{
    int age = years_between(person->birth, person->end);
    PUT(out, "{\"use\":\"official\",\"family\":\"");
    put_text(out, person->family);
    PUT(out, "\",\"given\":[\"");
    put_text(out, person->given);
    if (person->middle != NULL) {
        PUT(out, "\",\"");
        put_text(out, person->middle);
    }
    PUT(out, "\"]");
    if (age >= 18) {
        PUT(out, ",\"prefix\":[\"");
        put_text(out, person->female ? (person->index % 3 == 0 ? "Ms" : "Mrs") : "Mr");
        PUT(out, "\"]");
    }
    PUT(out, "}");
}

static void put_ethnicity(struct buffer *out, const struct person *person)
{
    const char *display = "Not stated";
    char code = 'Z';
    if (!person->not_stated) {
        code = person->ethnicity;
        for (unsigned i = 0; i < ETHNIC_GROUPS; i++) {
            if (synth_ethnic_groups[i].code == code) {
                display = synth_ethnic_groups[i].display;
            }
        }
    }
    PUT(out, "{\"url\":\"https://fhir.hl7.org.uk/StructureDefinition/"
             "Extension-UKCore-EthnicCategory\",\"valueCodeableConcept\":{\"coding\":[{\"system\":"
             "\"https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland\",\"code\":\"");
    put(out, &code, 1);
    PUT(out, "\",\"display\":\"");
    put_text(out, display);
    PUT(out, "\"}]}}");
}

static void put_extensions(struct buffer *out, const struct person *person)
{
    PUT(out, ",\"extension\":[");
    put_ethnicity(out, person);
    if (person->death != DAY_NEVER) {
        PUT(out, ",{\"url\":\"https://fhir.hl7.org.uk/StructureDefinition/"
                 "Extension-UKCore-DeathNotificationStatus\",\"extension\":[{\"url\":"
                 "\"deathNotificationStatus\",\"valueCodeableConcept\":{\"coding\":[{\"system\":"
                 "\"https://fhir.hl7.org.uk/CodeSystem/UKCore-DeathNotificationStatus\",\"code\":"
                 "\"2\",\"display\":\"Formal - death notice received from Registrar of "
                 "Deaths\"}]}}]}");
    }
    if (!person->has_nhs) {
        PUT(out, ",{\"url\":\"https://fhir.hl7.org.uk/StructureDefinition/"
                 "Extension-UKCore-NHSNumberUnavailableReason\",\"valueCodeableConcept\":{"
                 "\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/CodeSystem/"
                 "UKCore-NHSNumberUnavailableReason\",\"code\":\"nhs-number-not-known\","
                 "\"display\":\"NHS number not known\"}]}}");
    }
    PUT(out, "]");
}

static void put_home(struct buffer *out, const struct person *person)
{
    PUT(out, ",\"address\":[{\"use\":\"home\",\"type\":\"both\",\"line\":[\"");
    if (person->home != NULL) {
        put_text(out, person->home->name);
        PUT(out, "\",\"");
    }
    put_text(out, person->line);
    PUT(out, "\"],\"city\":\"");
    put_text(out, person->area->place->name);
    PUT(out, "\",\"district\":\"");
    put_text(out, person->area->place->county);
    PUT(out, "\",\"postalCode\":\"");
    put_text(out, person->postcode);
    PUT(out, "\",\"country\":\"England\"}]");
}

static void put_telecom(struct buffer *out, struct person *person, int age)
{
    if (age < 16) {
        return;
    }
    struct random *random = &person->random;
    PUT(out, ",\"telecom\":[");
    if (age < 80 || chance(random, 50)) {
        PUT(out, "{\"system\":\"phone\",\"value\":\"07700 900");
        put_number(out, 100 + pick(random, 900));
        PUT(out, "\",\"use\":\"mobile\"}");
    } else {
        PUT(out, "{\"system\":\"phone\",\"value\":\"01632 960");
        put_number(out, 100 + pick(random, 900));
        PUT(out, "\",\"use\":\"home\"}");
    }
    if (chance(random, age < 70 ? 70 : 30)) {
        PUT(out, ",{\"system\":\"email\",\"value\":\"p");
        put_number(out, person->index);
        PUT(out, "@example.org\"}");
    }
    PUT(out, "]");
}

static void put_marriage(struct buffer *out, struct person *person, int age)
{
    if (age < 18) {
        return;
    }
    unsigned level = pick(&person->random, 100);
    const char *code = "S";
    const char *display = "Never Married";
    unsigned married = age < 30 ? 12 : age < 45 ? 50 : age < 75 ? 62 : 48;
    unsigned divorced = age < 30 ? 1 : age < 45 ? 7 : 14;
    unsigned widowed = age < 65 ? 1 : age < 75 ? 8 : 32;
    if (level < married) {
        code = "M";
        display = "Married";
    } else if (level < married + divorced) {
        code = "D";
        display = "Divorced";
    } else if (level < married + divorced + widowed) {
        code = "W";
        display = "Widowed";
    }
    PUT(out, ",\"maritalStatus\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "v3-MaritalStatus\",\"code\":\"");
    put_text(out, code);
    PUT(out, "\",\"display\":\"");
    put_text(out, display);
    PUT(out, "\"}]}");
}

/* Fewer than the nine in a hundred of Census 2021 (England), and of five languages only. */
static void put_language(struct buffer *out, struct person *person)
{
    const char *code = "en";
    const char *display = "English";
    if (chance(&person->random, 35)) {
        switch (person->ethnicity) {
        case 'C':
            code = "pl";
            display = "Polish";
            break;
        case 'H':
            code = "pa";
            display = "Punjabi";
            break;
        case 'J':
            code = "ur";
            display = "Urdu";
            break;
        case 'K':
            code = "bn";
            display = "Bengali";
            break;
        case 'S':
            code = "ar";
            display = "Arabic";
            break;
        default:
            break;
        }
    }
    PUT(out, ",\"communication\":[{\"language\":{\"coding\":[{\"system\":\"urn:ietf:bcp:47\","
             "\"code\":\"");
    put_text(out, code);
    PUT(out, "\",\"display\":\"");
    put_text(out, display);
    PUT(out, "\"}]},\"preferred\":true}]");
}

void write_patient(struct scene *scene)
{
    struct person *person = scene->person;
    int age = years_between(person->birth, person->end);
    struct buffer *out = writer_begin(scene->writer, TYPE_PATIENT, &person->id, "Patient");
    put_extensions(out, person);
    put_identifiers(out, person, true);
    PUT(out, ",\"active\":true,\"name\":[");
    put_name(out, person);
    PUT(out, "]");
    put_telecom(out, person, age);
    PUT(out, ",\"gender\":\"");
    put_text(out, person->female ? "female" : "male");
    PUT(out, "\",\"birthDate\":\"");
    put_day(out, person->birth);
    PUT(out, "\"");
    if (person->death != DAY_NEVER) {
        PUT(out, ",\"deceasedDateTime\":\"");
        put_moment(out, person->death, (int)pick(&person->random, 1440));
        PUT(out, "\"");
    }
    put_home(out, person);
    put_marriage(out, person, age);
    put_language(out, person);
    const struct practice *practice = &person->area->practices[person->practice];
    PUT(out, ",\"generalPractitioner\":[");
    put_reference(out, "Organization", &practice->site.id);
    PUT(out, "]");
    writer_end(scene->writer, TYPE_PATIENT, &person->id);
}

/* The mother as a RelatedPerson of the child; a Person says that she is also a Patient. Both are in
 * the child's record, which comes after hers, so that nothing refers forward. */
void write_mother(struct scene *scene, const struct person *mother)
{
    struct uuid related = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_RELATED, &related, "RelatedPerson");
    put_identifiers(out, mother, false);
    PUT(out, ",\"active\":true,\"patient\":");
    put_reference(out, "Patient", &scene->person->id);
    PUT(out, ",\"relationship\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "v3-RoleCode\",\"code\":\"MTH\",\"display\":\"mother\"}]}],\"name\":[");
    put_name(out, mother);
    PUT(out, "],\"gender\":\"female\",\"birthDate\":\"");
    put_day(out, mother->birth);
    PUT(out, "\"");
    writer_end(scene->writer, TYPE_RELATED, &related);

    struct uuid id = new_id(scene);
    out = writer_begin(scene->writer, TYPE_PERSON, &id, NULL);
    PUT(out, ",\"name\":[");
    put_name(out, mother);
    PUT(out, "],\"gender\":\"female\",\"birthDate\":\"");
    put_day(out, mother->birth);
    PUT(out, "\",\"active\":true,\"link\":[{\"target\":");
    put_reference(out, "Patient", &mother->id);
    PUT(out, ",\"assurance\":\"level3\"},{\"target\":");
    put_reference(out, "RelatedPerson", &related);
    PUT(out, ",\"assurance\":\"level3\"}]");
    writer_end(scene->writer, TYPE_PERSON, &id);
}

void write_deprivation(struct scene *scene)
{
    struct person *person = scene->person;
    struct uuid id = new_id(scene);
    struct buffer *out = writer_begin(scene->writer, TYPE_OBSERVATION, &id, "Observation");
    PUT(out,
        ",\"status\":\"final\",\"category\":[{\"coding\":[{\"system\":"
        "\"http://terminology.hl7.org/CodeSystem/observation-category\",\"code\":"
        "\"social-history\",\"display\":\"Social History\"}]}],\"code\":{\"coding\":[{"
        "\"system\":\"https://example.org/CodeSystem/synthetic-people\",\"code\":\"imd-decile\","
        "\"display\":\"Index of Multiple Deprivation decile\"}],\"text\":\"Index of Multiple "
        "Deprivation decile of the home (1 is the most deprived)\"},\"subject\":");
    put_reference(out, "Patient", &person->id);
    PUT(out, ",\"effectiveDateTime\":\"");
    put_day(out, person->end);
    PUT(out, "\",\"valueInteger\":");
    put_number(out, person->imd);
    writer_end(scene->writer, TYPE_OBSERVATION, &id);
}
