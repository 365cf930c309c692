/* SPDX-License-Identifier: MIT */
/* Inside synth: who a person is, the world they live in, and how a resource is written. */
#ifndef CARELAYER_SYNTH_INT_H
#define CARELAYER_SYNTH_INT_H

#include "synth/synth.h"

/*    type                 file and element name     */
#define SYNTH_TYPES(X)                                                                             \
    X(TYPE_ORGANIZATION, "Organization")                                                           \
    X(TYPE_LOCATION, "Location")                                                                   \
    X(TYPE_SERVICE, "HealthcareService")                                                           \
    X(TYPE_PRACTITIONER, "Practitioner")                                                           \
    X(TYPE_ROLE, "PractitionerRole")                                                               \
    X(TYPE_PATIENT, "Patient")                                                                     \
    X(TYPE_RELATED, "RelatedPerson")                                                               \
    X(TYPE_PERSON, "Person")                                                                       \
    X(TYPE_ENCOUNTER, "Encounter")                                                                 \
    X(TYPE_CONDITION, "Condition")                                                                 \
    X(TYPE_ALLERGY, "AllergyIntolerance")                                                          \
    X(TYPE_OBSERVATION, "Observation")                                                             \
    X(TYPE_REPORT, "DiagnosticReport")                                                             \
    X(TYPE_IMMUNIZATION, "Immunization")                                                           \
    X(TYPE_REQUEST, "MedicationRequest")                                                           \
    X(TYPE_STATEMENT, "MedicationStatement")                                                       \
    X(TYPE_PROCEDURE, "Procedure")                                                                 \
    X(TYPE_DOCUMENT, "DocumentReference")                                                          \
    X(TYPE_PLAN, "CarePlan")                                                                       \
    X(TYPE_TEAM, "CareTeam")                                                                       \
    X(TYPE_APPOINTMENT, "Appointment")

enum synth_type {
#define SYNTH_TYPE_ROW(name, text) name,
    SYNTH_TYPES(SYNTH_TYPE_ROW)
#undef SYNTH_TYPE_ROW
        TYPE_COUNT
};
extern const char *const synth_type_names[TYPE_COUNT];

/* An id: a UUID in text, without a NUL. */
struct uuid {
    char text[UUID_LENGTH];
};

/* Days since 1970-01-01. */
typedef int32_t day_number; /* a number, not a struct */
#define DAY_NEVER INT32_MAX

struct civil {
    int year, month, day;
};
struct civil civil_of(day_number day);
day_number day_of(int year, int month, int day);
/* Whole years between; 0 for a day before the birth. */
int years_between(day_number birth, day_number day);
day_number day_add_years(day_number day, int years);

/* ---- writing ------------------------------------------------------------------------------- */

/* Where resources go: a buffer a type (NDJSON), or the one of the Bundle being written. */
struct writer {
    enum synth_format format;
    struct buffer types[TYPE_COUNT]; /* SYNTH_BUNDLE uses types[0] only */
    struct buffer *out;              /* of the resource being written */
    uint64_t resources;
    bool first; /* no entry in this Bundle yet */
};

static inline void put(struct buffer *out, const char *text, size_t length)
{
    if (out->capacity - out->length < length && buffer_reserve(out, length) == NULL) {
        return;
    }
    memcpy(out->at + out->length, text, length);
    out->length += length;
}

/* A literal, its length known to the compiler. */
#define PUT(out, literal) put((out), "" literal, sizeof(literal) - 1)

static inline void put_text(struct buffer *out, const char *text)
{
    put(out, text, strlen(text));
}

void put_number(struct buffer *out, uint64_t value);
/* VALUE / 10^PLACES with exactly so many decimals: 1234, 1 -> 123.4. PLACES 0..3. */
void put_decimal(struct buffer *out, int64_t value, unsigned places);
void put_day(struct buffer *out, day_number day); /* YYYY-MM-DD */
/* A moment of that day in the UK's time: 2024-07-01T09:30:00+01:00. MINUTE 0..1439. */
void put_moment(struct buffer *out, day_number day, int minute);

/* {"system":...,"code":...,"display":...} with the system of the letter: S SNOMED CT, D dm+d,
 * L LOINC. */
void put_coding(struct buffer *out, char system, const char *code, const char *display);
/* {"coding":[...]} */
void put_concept(struct buffer *out, char system, const char *code, const char *display);
/* {"reference":"Type/id"} */
void put_reference(struct buffer *out, const char *type, const struct uuid *id);

/* Starts a resource: {"resourceType":...,"id":... and meta.profile when PROFILE is a UK Core
 * profile name. Leaves the object open; writer_end closes it. */
struct buffer *writer_begin(struct writer *writer, enum synth_type type, const struct uuid *id,
                            const char *profile);
void writer_end(struct writer *writer, enum synth_type type, const struct uuid *id);
void writer_open_bundle(struct writer *writer);
void writer_close_bundle(struct writer *writer);

/* ---- the world ----------------------------------------------------------------------------- */

#define PRACTICES       8 /* an area */
#define PRACTICE_GPS    4
#define PHARMACIES      5
#define CARE_HOMES      4
#define CONSULTANTS     12
#define COMMUNITY_STAFF 6

struct staff {
    struct uuid id, role;
    const char *given, *family;
    bool female;
};

struct site {
    struct uuid id, location;
    char name[64];
    char code[8];
    char line[48];
    char postcode[9];
};

struct practice {
    struct site site;
    struct uuid service;
    struct staff gps[PRACTICE_GPS];
    struct staff nurse;
    struct site *pharmacy; /* the nearest */
};

struct area {
    const struct place *place;
    struct site hospital;
    struct uuid emergency, ward; /* Locations of the hospital */
    struct uuid services[CONSULTANTS];
    struct staff consultants[CONSULTANTS];
    struct site community;
    struct uuid community_service;
    struct staff community_staff[COMMUNITY_STAFF];
    struct practice practices[PRACTICES];
    struct site pharmacies[PHARMACIES];
    struct site care_homes[CARE_HOMES];
};

struct world {
    uint64_t seed, people;
    day_number until;
    unsigned area_count;
    struct area *areas;
    const uint32_t *nhs_suffixes; /* the six digits of each valid number, in order */
    uint32_t nhs_offset;
};

/* The hospital's specialties, in the order of area.consultants and area.services. */
struct specialty {
    const char *code; /* UKCore-PracticeSettingCode */
    const char *name;
};
extern const struct specialty synth_specialties[CONSULTANTS];
enum {
    SPECIALTY_CARDIOLOGY,
    SPECIALTY_RESPIRATORY,
    SPECIALTY_DIABETES,
    SPECIALTY_NEUROLOGY,
    SPECIALTY_ORTHOPAEDICS,
    SPECIALTY_ONCOLOGY,
    SPECIALTY_GERIATRICS,
    SPECIALTY_OBSTETRICS,
    SPECIALTY_PAEDIATRICS,
    SPECIALTY_RHEUMATOLOGY,
    SPECIALTY_GASTROENTEROLOGY,
    SPECIALTY_EMERGENCY
};

/* Makes the organisations in ARENA. NULL when it is full. */
struct world *world_create(const struct synth_options *options, day_number until,
                           struct arena *arena);
void world_write(const struct world *world, struct writer *writer);

/* ---- tables -------------------------------------------------------------------------------- */

struct place {
    const char *name, *county;
    const char *postcode_area; /* letters */
};
#define PLACES 12
extern const struct place synth_places[PLACES];
extern const char *const synth_streets[];
extern const unsigned synth_street_count;

struct name_list {
    const char *const *names;
    unsigned count;
};
/* A given name of the sex, group and birth year; a family name of the group. */
const char *name_given(struct random *random, bool female, char ethnicity, int birth_year);
const char *name_family(struct random *random, char ethnicity);

struct ethnic_group {
    char code; /* UKCore-EthnicCategoryEngland */
    const char *display;
    uint16_t per_10000; /* Census 2021, England */
};
#define ETHNIC_GROUPS 16
extern const struct ethnic_group synth_ethnic_groups[ETHNIC_GROUPS];

/* Age bands of prevalence: 0-17, 18-34, 35-44, 45-54, 55-64, 65-74, 75-84, 85 and over. */
#define AGE_BANDS 8
struct illness {
    const char *code, *display; /* SNOMED CT */
    uint16_t men[AGE_BANDS];    /* per 10,000 in the band */
    uint16_t women[AGE_BANDS];
    int8_t deprivation;           /* per cent more in decile 1 than the average */
    uint16_t south_asian, black;  /* per cent of the average; 100 is as everyone */
    int8_t specialty;             /* who sees them at the hospital; -1 the practice alone */
    uint8_t hospital_per_100;     /* outpatient visits a year per 100 people with it */
    const char *plan_code, *plan; /* care plan (SNOMED CT) and its title; NULL none */
};
enum {
    ILL_HYPERTENSION,
    ILL_DIABETES,
    ILL_ASTHMA,
    ILL_COPD,
    ILL_CHD,
    ILL_HEART_FAILURE,
    ILL_FIBRILLATION,
    ILL_STROKE,
    ILL_KIDNEY,
    ILL_DEPRESSION,
    ILL_ANXIETY,
    ILL_DEMENTIA,
    ILL_EPILEPSY,
    ILL_THYROID,
    ILL_OSTEOARTHRITIS,
    ILL_RHEUMATOID,
    ILL_OSTEOPOROSIS,
    ILL_GOUT,
    ILL_REFLUX,
    ILL_MIGRAINE,
    ILL_SCHIZOPHRENIA,
    ILL_BREAST_CANCER,
    ILL_PROSTATE_CANCER,
    ILL_COLON_CANCER,
    ILL_LUNG_CANCER,
    ILL_COUNT
};
extern const struct illness synth_illnesses[ILL_COUNT];
/* Prevalence at an age, interpolated between the middles of the bands and never falling with age:
 * 0..1, before deprivation and ethnic group. */
double illness_prevalence(const struct illness *illness, bool female, double age);

struct medicine {
    char system; /* D dm+d VMP, S SNOMED CT clinical drug, N the text alone */
    const char *code, *display;
    const char *dosage;        /* as the label says it */
    uint8_t frequency, period; /* so many times in so many days */
    uint16_t quantity;         /* of an issue */
    char unit;                 /* t tablet, c capsule, d dose */
    uint8_t days;              /* that an issue lasts */
};
/* Penicillins stand together, from MED_AMOXICILLIN to MED_FLUCLOXACILLIN. */
enum {
    MED_AMLODIPINE_5,
    MED_AMLODIPINE_10,
    MED_RAMIPRIL,
    MED_BISOPROLOL_2,
    MED_BISOPROLOL_5,
    MED_ATORVASTATIN_20,
    MED_ATORVASTATIN_40,
    MED_ATORVASTATIN_80,
    MED_ASPIRIN,
    MED_CLOPIDOGREL,
    MED_APIXABAN,
    MED_FUROSEMIDE,
    MED_SPIRONOLACTONE,
    MED_METFORMIN,
    MED_GLICLAZIDE,
    MED_DAPAGLIFLOZIN,
    MED_INSULIN,
    MED_SALBUTAMOL,
    MED_BECLOMETASONE,
    MED_SERTRALINE_50,
    MED_SERTRALINE_100,
    MED_PROPRANOLOL,
    MED_OMEPRAZOLE,
    MED_LANSOPRAZOLE,
    MED_LEVOTHYROXINE,
    MED_DONEPEZIL,
    MED_LEVETIRACETAM,
    MED_ALLOPURINOL,
    MED_ALENDRONIC_ACID,
    MED_METHOTREXATE,
    MED_OLANZAPINE,
    MED_PARACETAMOL,
    MED_AMOXICILLIN,
    MED_FLUCLOXACILLIN,
    MED_CLARITHROMYCIN,
    MED_DOXYCYCLINE,
    MED_NITROFURANTOIN,
    MED_COUNT
};
extern const struct medicine synth_medicines[MED_COUNT];

/* What a long-term condition is treated with: the share of those with it who take it. */
struct treatment {
    int8_t illness;
    uint8_t medicine;
    uint8_t per_100;
    uint8_t lag_months; /* it begins so long after the diagnosis, at most */
};
extern const struct treatment synth_treatments[];
extern const unsigned synth_treatment_count;

/* A complaint that passes. */
struct complaint {
    const char *code, *display;
    uint8_t days;             /* that it lasts */
    uint8_t weight[4];        /* at 0-14, 15-44, 45-64, 65+ */
    int8_t medicine;          /* index into synth_medicines; -1 none */
    uint8_t medicine_per_100; /* how often it is given */
    bool emergency;           /* a reason to attend A&E */
};
extern const struct complaint synth_complaints[];
extern const unsigned synth_complaint_count;

struct allergy {
    bool penicillin;
    const char *code, *display;
    const char *category; /* medication, food, environment */
    uint16_t per_10000;   /* people */
    bool severe;
    const char *reaction, *reaction_display;
};
extern const struct allergy synth_allergies[];
extern const unsigned synth_allergy_count;

struct vaccine {
    const char *procedure, *procedure_display; /* SNOMED CT */
    char system;                               /* D dm+d; N not encoded, the text alone */
    const char *product, *product_display;
    int16_t weeks;   /* of age; <0: given in autumns, see life.c */
    uint16_t since;  /* the year it came into the schedule */
    uint8_t per_100; /* coverage */
    char sex;        /* f, or b both */
    uint8_t dose;    /* number in its series */
    bool oral;
};
extern const struct vaccine synth_vaccines[];
extern const unsigned synth_vaccine_count;
extern const struct vaccine synth_flu, synth_flu_child, synth_covid[3], synth_shingles,
    synth_pneumococcal, synth_rsv;

struct measure {
    const char *loinc, *loinc_display;
    const char *snomed, *snomed_display; /* NULL none */
    const char *unit, *ucum;
    uint8_t places;    /* decimals */
    int32_t low, high; /* reference range in units of the last decimal; 0,0 none */
};
enum {
    MEASURE_WEIGHT,
    MEASURE_HEIGHT,
    MEASURE_BMI,
    MEASURE_PULSE,
    MEASURE_OXYGEN,
    MEASURE_TEMPERATURE,
    MEASURE_PEAK_FLOW,
    MEASURE_FEV,
    MEASURE_PHQ9,
    MEASURE_HBA1C,
    MEASURE_CHOLESTEROL,
    MEASURE_HDL,
    MEASURE_TRIGLYCERIDE,
    MEASURE_CREATININE,
    MEASURE_EGFR,
    MEASURE_SODIUM,
    MEASURE_POTASSIUM,
    MEASURE_HAEMOGLOBIN,
    MEASURE_WHITE_CELLS,
    MEASURE_PLATELETS,
    MEASURE_MCV,
    MEASURE_TSH,
    MEASURE_ALT,
    MEASURE_ALBUMIN,
    MEASURE_ALP,
    MEASURE_PSA,
    MEASURE_COUNT
};
extern const struct measure synth_measures[MEASURE_COUNT];

/* ---- people -------------------------------------------------------------------------------- */

/* People are made in blocks, so that a child's mother can be somebody before them in their block.
 */
#define BLOCK 32

struct person {
    uint64_t index;
    struct random random; /* continues where the demographics ended */
    struct uuid id;
    uint64_t next_id;
    bool female, care_home, has_nhs;
    char ethnicity;   /* true group, for names and risks */
    bool penicillin;  /* allergic to it */
    bool not_stated;  /* recorded as Z */
    uint8_t imd;      /* 1 most deprived .. 10 */
    uint8_t practice; /* of the area */
    const struct area *area;
    const struct site *home; /* the care home, or NULL */
    day_number birth, death; /* death DAY_NEVER while alive */
    day_number end;          /* the death or the last day of the record */
    const char *given, *middle, *family;
    char nhs[11];
    char line[64];
    char postcode[9];
    int8_t mother;          /* index in the block; -1 unknown here */
    day_number children[4]; /* birthdays of the children in the block */
    uint8_t child_count;
    day_number onset[ILL_COUNT]; /* DAY_NEVER: not theirs */
    /* body: what values are drawn around */
    double height_cm, bmi, systolic, cholesterol, hba1c, egfr;
    uint8_t smoking; /* 0 never, 1 ex, 2 current */
};

void person_uuid(const struct world *world, struct person *person, struct uuid *ret_id);
/* The people [first, first + count) of the world, with mothers among them. */
void block_make(const struct world *world, uint64_t first, unsigned count,
                struct person people[static BLOCK]);
/* Everything about one person. PEOPLE is their block; SCRATCH is not the arena that the writer's
 * buffers grow in. */
void life_write(const struct world *world, struct person *person, const struct person *people,
                struct writer *writer, struct arena *scratch);

/* The NUMBERTH valid NHS number of the test range; NUMBER < synth_nhs_capacity(). */
void nhs_number(const struct world *world, uint64_t number, char ret_text[static 11]);
const uint32_t *nhs_suffixes(struct arena *arena);

/* ---- resources (write_*.c) ------------------------------------------------------------------ */

/* What a resource is about, for the writers below. */
struct scene {
    const struct world *world;
    struct person *person;
    struct writer *writer;
    struct uuid encounter; /* of now */
    bool in_encounter;     /* is encounter set? */
    day_number day;
    int minute;
    const struct staff *staff;
    const struct site *site;    /* where */
    struct arena *letter_arena; /* scratch */
};

void write_patient(struct scene *scene);
void write_mother(struct scene *scene, const struct person *mother);
void write_deprivation(struct scene *scene);

enum visit {
    VISIT_SURGERY,
    VISIT_PHONE,
    VISIT_OUTPATIENT,
    VISIT_EMERGENCY,
    VISIT_INPATIENT,
    VISIT_HOME
};
struct reason {
    const char *code, *display;
};
/* Writes the Encounter and makes it the scene's. NIGHTS for an inpatient. ELECTIVE or not. */
void write_encounter(struct scene *scene, enum visit visit, int minutes, int nights, bool elective,
                     struct reason reason);
/* ABATED DAY_NEVER while it lasts. Gives the id for those who refer to it. */
void write_condition(struct scene *scene, struct reason what, day_number onset, day_number abated,
                     bool long_term, struct uuid *ret_id);
void write_allergy(struct scene *scene, const struct allergy *allergy);
void write_no_allergy(struct scene *scene);
void write_immunization(struct scene *scene, const struct vaccine *vaccine);
void write_request(struct scene *scene, const struct medicine *medicine, bool repeat, bool active);
void write_statement(struct scene *scene, const struct medicine *medicine, day_number start,
                     day_number stop, const struct uuid *condition);
void write_measure(struct scene *scene, unsigned measure, int64_t value, struct uuid *ret_id);
void write_pressure(struct scene *scene, int systolic, int diastolic);
void write_smoking(struct scene *scene);
void write_report(struct scene *scene, const char *loinc, const char *display,
                  const struct uuid *results, unsigned count);
void write_procedure(struct scene *scene, struct reason what, const struct uuid *because);
void write_letter(struct scene *scene, bool discharge, const char *specialty, struct reason about);
void write_plan(struct scene *scene, const struct illness *illness, const struct uuid *condition);
void write_team(struct scene *scene, const struct staff *nurse);
enum appointment_status {
    APPOINTMENT_FULFILLED,
    APPOINTMENT_MISSED,
    APPOINTMENT_BOOKED,
    APPOINTMENT_CANCELLED
};
void write_appointment(struct scene *scene, enum appointment_status status,
                       const struct specialty *specialty, const struct staff *with, int minutes,
                       bool follow_up);

/* ---- what is measured (measures.c) ----------------------------------------------------------- */

void measure_body(struct scene *scene, int age);   /* pressure, pulse, size, smoking */
void measure_casual(struct scene *scene, int age); /* what a passing visit leaves, or nothing */
void measure_acute(struct scene *scene);           /* at the emergency department */
void measure_blood(struct scene *scene, int age);  /* laboratory panels */
void measure_illnesses(struct scene *scene);       /* what each condition is watched by */

/* ---- small helpers --------------------------------------------------------------------------- */

static inline unsigned pick(struct random *random, unsigned bound)
{
    return (unsigned)(((random_next(random) >> 32) * bound) >> 32);
}

/* True so many times in a hundred. */
static inline bool chance(struct random *random, unsigned per_100)
{
    return pick(random, 100) < per_100;
}

static inline struct uuid new_id(struct scene *scene)
{
    struct uuid id;
    person_uuid(scene->world, scene->person, &id);
    return id;
}

#endif
