/* SPDX-License-Identifier: MIT */
/* A life in the order a record tells it: who, what they have, what was done. Vaccinations and
 * diagnoses go back to birth; visits, results and prescriptions to the last RECORD_YEARS years. */
#include "synth/synth_int.h"

#define RECORD_YEARS  6
#define MEDICINE_DAYS 730 /* prescriptions are kept for so long before the end */
#define ISSUE_DAYS    84

static const struct specialty general_practice = {"600", "General Medical Practice"};

/* At the person's practice, with a GP who is mostly the same. */
static void at_practice(struct scene *scene, bool nurse)
{
    struct person *person = scene->person;
    const struct practice *practice = &person->area->practices[person->practice];
    unsigned usual = (unsigned)(person->index % PRACTICE_GPS);
    if (chance(&person->random, 30)) {
        usual = pick(&person->random, PRACTICE_GPS);
    }
    scene->staff = nurse ? &practice->nurse : &practice->gps[usual];
    scene->site = &practice->site;
    scene->minute = 8 * 60 + 30 + 10 * (int)pick(&person->random, 54);
}

static void at_hospital(struct scene *scene, unsigned specialty)
{
    scene->staff = &scene->person->area->consultants[specialty];
    scene->site = &scene->person->area->hospital;
    scene->minute = 9 * 60 + 10 * (int)pick(&scene->person->random, 48);
}

/* Monday to Friday. */
static day_number weekday(day_number day)
{
    int of_week = (day + 4) % 7; /* 0 is Sunday */
    return of_week == 0 ? day + 1 : of_week == 6 ? day + 2 : day;
}

static bool has(const struct person *person, unsigned illness, day_number day)
{
    return person->onset[illness] <= day;
}

static struct reason reason_of(const struct illness *illness)
{
    return (struct reason){illness->code, illness->display};
}

/* ---- what they have ------------------------------------------------------------------------ */

static void live_allergies(struct scene *scene)
{
    struct person *person = scene->person;
    int years = years_between(person->birth, person->end);
    bool any = false;
    for (unsigned i = 0; i < synth_allergy_count; i++) {
        if (pick(&person->random, 10000) < synth_allergies[i].per_10000) {
            int since = years > 0 ? (int)pick(&person->random, (unsigned)years) : 0;
            scene->day = day_add_years(person->birth, since);
            write_allergy(scene, &synth_allergies[i]);
            person->penicillin = person->penicillin || synth_allergies[i].penicillin;
            any = true;
        }
    }
    if (!any && years >= 18 && chance(&person->random, 30)) {
        scene->day = person->end - (day_number)pick(&person->random, 900);
        write_no_allergy(scene);
    }
}

/* What no prescriber would give this person: a beta blocker like propranolol in asthma, a
 * penicillin in allergy. */
static bool harms(const struct person *person, unsigned medicine)
{
    if (medicine == MED_PROPRANOLOL) {
        return person->onset[ILL_ASTHMA] != DAY_NEVER;
    }
    return person->penicillin && medicine >= MED_AMOXICILLIN && medicine <= MED_FLUCLOXACILLIN;
}

static void live_treatment(struct scene *scene, const struct treatment *treatment,
                           const struct uuid *condition)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    const struct medicine *medicine = &synth_medicines[treatment->medicine];
    unsigned lag_days = treatment->lag_months * 30u;
    day_number start = person->onset[treatment->illness] + (day_number)pick(random, lag_days + 1);
    if (!chance(random, treatment->per_100) || start > person->end ||
        harms(person, treatment->medicine)) {
        return;
    }
    bool alive = person->death == DAY_NEVER;
    write_statement(scene, medicine, start, alive ? DAY_NEVER : person->death, condition);
    day_number from = person->end - MEDICINE_DAYS + (day_number)pick(random, ISSUE_DAYS);
    from = from < start ? start : from;
    at_practice(scene, false);
    for (day_number day = from; day <= person->end; day += ISSUE_DAYS) {
        scene->day = day;
        write_request(scene, medicine, true, alive && day + ISSUE_DAYS > person->end);
    }
}

static void live_conditions(struct scene *scene, struct uuid ids[static ILL_COUNT])
{
    struct person *person = scene->person;
    bool taken[MED_COUNT] = {false};
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        if (person->onset[i] == DAY_NEVER) {
            continue;
        }
        const struct illness *illness = &synth_illnesses[i];
        at_practice(scene, false);
        scene->day = person->onset[i];
        write_condition(scene, reason_of(illness), person->onset[i], DAY_NEVER, true, &ids[i]);
        if (illness->plan != NULL && chance(&person->random, 60)) {
            write_plan(scene, illness, &ids[i]);
        }
        for (unsigned t = 0; t < synth_treatment_count; t++) {
            const struct treatment *treatment = &synth_treatments[t];
            if (treatment->illness == (int)i && !taken[treatment->medicine]) {
                taken[treatment->medicine] = true;
                live_treatment(scene, treatment, &ids[i]);
            }
        }
    }
}

/* ---- vaccinations -------------------------------------------------------------------------- */

static void vaccinate(struct scene *scene, const struct vaccine *vaccine, day_number day)
{
    scene->day = weekday(day);
    if (scene->day > scene->person->end) {
        return;
    }
    at_practice(scene, true);
    write_immunization(scene, vaccine);
}

static void live_schedule(struct scene *scene)
{
    struct person *person = scene->person;
    bool refuses = chance(&person->random, 4);
    for (unsigned i = 0; i < synth_vaccine_count && !refuses; i++) {
        const struct vaccine *vaccine = &synth_vaccines[i];
        day_number due = person->birth + vaccine->weeks * 7 + (day_number)pick(&person->random, 30);
        /* The share of those whose parents do not refuse them all. */
        unsigned per_100 = vaccine->per_100 + 4u;
        bool wanted = vaccine->sex == 'b' || person->female ||
                      civil_of(person->birth).year >= 2007; /* boys have had HPV since 2019 */
        if (due > person->end || civil_of(due).year < vaccine->since || !wanted ||
            !chance(&person->random, per_100)) {
            continue;
        }
        vaccinate(scene, vaccine, due);
    }
}

static bool at_risk(const struct person *person, day_number day)
{
    return has(person, ILL_DIABETES, day) || has(person, ILL_COPD, day) ||
           has(person, ILL_ASTHMA, day) || has(person, ILL_CHD, day) ||
           has(person, ILL_HEART_FAILURE, day) || has(person, ILL_KIDNEY, day) ||
           has(person, ILL_STROKE, day);
}

static void live_autumns(struct scene *scene)
{
    struct person *person = scene->person;
    int last = civil_of(person->end).year;
    bool keen = chance(&person->random, 85);
    for (int year = last - 9; year <= last; year++) {
        day_number day = day_of(year, 10, 1) + (day_number)pick(&person->random, 70);
        int age = years_between(person->birth, day);
        if (person->birth > day || day > person->end) {
            continue;
        }
        if (age >= 65 && keen && chance(&person->random, 90)) {
            vaccinate(scene, &synth_flu, day);
        } else if (age >= 18 && age < 65 && at_risk(person, day) && chance(&person->random, 42)) {
            vaccinate(scene, &synth_flu, day);
        } else if (age >= 2 && age < 12 && chance(&person->random, synth_flu_child.per_100)) {
            vaccinate(scene, &synth_flu_child, day);
        }
        if (year >= 2021 && age >= 75 && keen && chance(&person->random, 65)) {
            vaccinate(scene, &synth_covid[2], day + 7);
        }
    }
}

static void live_pandemic(struct scene *scene)
{
    struct person *person = scene->person;
    day_number start = day_of(2021, 1, 4);
    int age = years_between(person->birth, start);
    unsigned per_100 = age >= 70   ? 95
                       : age >= 50 ? 91
                       : age >= 30 ? 80
                       : age >= 18 ? 72
                       : age >= 12 ? 45
                                   : 0;
    if (person->birth > start || !chance(&person->random, per_100)) {
        return;
    }
    /* The old first: a week and a half for every five years of age. */
    day_number day =
        start + (age >= 85 ? 0 : (85 - age) * 2) + (day_number)pick(&person->random, 30);
    vaccinate(scene, &synth_covid[0], day);
    if (chance(&person->random, synth_covid[1].per_100)) {
        vaccinate(scene, &synth_covid[1], day + 70 + (day_number)pick(&person->random, 20));
        if (age >= 18 && chance(&person->random, 72)) {
            vaccinate(scene, &synth_covid[2],
                      day_of(2021, 10, 20) + (day_number)pick(&person->random, 80));
        }
    }
}

static void live_late_vaccines(struct scene *scene)
{
    static const struct {
        const struct vaccine *vaccine;
        int age;
    } late[] = {{&synth_pneumococcal, 65}, {&synth_shingles, 70}, {&synth_rsv, 75}};
    struct person *person = scene->person;
    for (unsigned i = 0; i < sizeof late / sizeof late[0]; i++) {
        day_number day =
            day_add_years(person->birth, late[i].age) + (day_number)pick(&person->random, 300);
        int year = civil_of(day).year;
        if (day <= person->end && year >= late[i].vaccine->since &&
            chance(&person->random, late[i].vaccine->per_100)) {
            vaccinate(scene, late[i].vaccine, day);
        }
    }
}

/* ---- visits --------------------------------------------------------------------------------- */

static unsigned complaint_age(int age)
{
    return age < 15 ? 0 : age < 45 ? 1 : age < 65 ? 2 : 3;
}

static const struct complaint *draw_complaint(struct scene *scene, int age, bool emergency)
{
    unsigned band = complaint_age(age);
    unsigned total = 0;
    for (unsigned i = 0; i < synth_complaint_count; i++) {
        total += !emergency || synth_complaints[i].emergency ? synth_complaints[i].weight[band] : 0;
    }
    unsigned share = pick(&scene->person->random, total);
    for (unsigned i = 0; i < synth_complaint_count; i++) {
        unsigned weight =
            !emergency || synth_complaints[i].emergency ? synth_complaints[i].weight[band] : 0;
        if (share < weight) {
            return &synth_complaints[i];
        }
        share -= weight;
    }
    return &synth_complaints[0];
}

static void complain(struct scene *scene, const struct complaint *complaint)
{
    struct person *person = scene->person;
    struct reason what = {complaint->code, complaint->display};
    day_number over = scene->day + complaint->days;
    struct uuid id;
    write_condition(scene, what, scene->day, over < person->end ? over : DAY_NEVER, false, &id);
    if (complaint->medicine >= 0 && chance(&person->random, complaint->medicine_per_100)) {
        unsigned wanted = (unsigned)complaint->medicine;
        const struct medicine *medicine =
            &synth_medicines[harms(person, wanted) ? MED_CLARITHROMYCIN : wanted];
        write_request(scene, medicine, false, scene->day + medicine->days > person->end);
    }
}

/* The yearly review of what they have. */
static void visit_review(struct scene *scene, int age)
{
    struct person *person = scene->person;
    at_practice(scene, chance(&person->random, 60));
    struct reason reason = {NULL, NULL};
    for (unsigned i = 0; i < ILL_COUNT && reason.code == NULL; i++) {
        if (has(person, i, scene->day)) {
            reason = reason_of(&synth_illnesses[i]);
        }
    }
    write_encounter(scene, VISIT_SURGERY, 20, 0, true, reason);
    measure_body(scene, age);
    measure_blood(scene, age);
    measure_illnesses(scene);
    scene->in_encounter = false;
}

static void visit_complaint(struct scene *scene, int age)
{
    struct person *person = scene->person;
    at_practice(scene, chance(&person->random, 20));
    const struct complaint *complaint = draw_complaint(scene, age, false);
    enum visit visit = chance(&person->random, 26) ? VISIT_PHONE : VISIT_SURGERY;
    write_encounter(scene, visit, 8 + (int)pick(&person->random, 10), 0, true,
                    (struct reason){complaint->code, complaint->display});
    if (visit == VISIT_SURGERY) {
        measure_casual(scene, age);
    }
    complain(scene, complaint);
    scene->in_encounter = false;
}

/* Coded consultations a year, times ten, by age: fewer than the 5.7 appointments a person that NHS
 * England counts (Appointments in General Practice 2023/24), as many leave nothing coded behind. */
static int visits_per_ten_years(const struct person *person, int age, unsigned burden)
{
    int rate = age < 5    ? 42
               : age < 15 ? 15
               : age < 45 ? (person->female ? 30 : 17)
               : age < 65 ? 30
               : age < 75 ? 38
                          : 48;
    return rate + (int)burden * 5;
}

static unsigned count_illnesses(const struct person *person, day_number day)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        count += has(person, i, day) ? 1 : 0;
    }
    return count;
}

static void live_visits(struct scene *scene, day_number from)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    day_number review = from + (day_number)pick(random, 365);
    day_number day = from;
    for (;;) {
        int age = years_between(person->birth, day);
        unsigned burden = count_illnesses(person, day);
        int gap = 3650 / visits_per_ten_years(person, age, burden);
        day += 1 + (day_number)pick(random, (unsigned)gap * 2);
        scene->day = weekday(day);
        if (scene->day > person->end) {
            return;
        }
        if (burden > 0 && day >= review) {
            visit_review(scene, age);
            review = day + 330 + (day_number)pick(random, 70);
        } else if (age >= 40 && age < 75 && day >= review) {
            /* The NHS Health Check every five years. */
            visit_review(scene, age);
            review = day + 5 * 365;
        } else {
            visit_complaint(scene, age);
        }
    }
}

static void visit_clinic(struct scene *scene, unsigned specialty, struct reason reason)
{
    struct person *person = scene->person;
    unsigned fate = pick(&person->random, 100);
    at_hospital(scene, specialty);
    if (fate < 11) {
        /* Hospital Outpatient Activity 2019-20: 6.2 per cent missed; many more than here are
         * cancelled (16.2), mostly without anybody's going. */
        write_appointment(scene, fate < 6 ? APPOINTMENT_MISSED : APPOINTMENT_CANCELLED,
                          &synth_specialties[specialty], scene->staff, 20, true);
        return;
    }
    write_appointment(scene, APPOINTMENT_FULFILLED, &synth_specialties[specialty], scene->staff, 20,
                      true);
    write_encounter(scene, VISIT_OUTPATIENT, 20, 0, true, reason);
    write_letter(scene, false, synth_specialties[specialty].name, reason);
    scene->in_encounter = false;
}

static void live_clinics(struct scene *scene, day_number from)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        const struct illness *illness = &synth_illnesses[i];
        if (person->onset[i] == DAY_NEVER || illness->specialty < 0) {
            continue;
        }
        day_number start = person->onset[i] > from ? person->onset[i] : from;
        for (day_number year = start; year < person->end; year += 365) {
            unsigned wanted = illness->hospital_per_100;
            while (wanted > 0 && pick(random, 100) < wanted) {
                scene->day = weekday(year + (day_number)pick(random, 360));
                if (scene->day <= person->end) {
                    visit_clinic(scene, (unsigned)illness->specialty, reason_of(illness));
                }
                wanted = wanted > 100 ? wanted - 100 : 0;
            }
        }
    }
}

static const struct operation {
    struct reason what;
    int8_t illness; /* who has it done; -1 anybody */
    uint8_t specialty, from_age, nights;
    uint8_t per_1000; /* a year, of those who may */
} operations[] = {
    {{"609588000", "Total knee replacement"},
     ILL_OSTEOARTHRITIS,
     SPECIALTY_ORTHOPAEDICS,
     50,
     3,
     16},
    {{"52734007", "Total hip replacement"}, ILL_OSTEOARTHRITIS, SPECIALTY_ORTHOPAEDICS, 50, 3, 14},
    {{"415070008", "Percutaneous coronary intervention"}, ILL_CHD, SPECIALTY_CARDIOLOGY, 35, 1, 30},
    {{"232717009", "Coronary artery bypass grafting"}, ILL_CHD, SPECIALTY_CARDIOLOGY, 45, 8, 7},
    {{"43075005", "Partial resection of colon"}, ILL_COLON_CANCER, SPECIALTY_ONCOLOGY, 30, 7, 110},
    {{"90470006", "Prostatectomy"}, ILL_PROSTATE_CANCER, SPECIALTY_ONCOLOGY, 45, 2, 30},
    {{"73761001", "Colonoscopy"}, -1, SPECIALTY_GASTROENTEROLOGY, 40, 0, 14},
    {{"80146002", "Appendectomy"}, -1, SPECIALTY_GASTROENTEROLOGY, 5, 2, 1},
};

static void admit_elective(struct scene *scene, const struct operation *operation,
                           const struct uuid *condition)
{
    struct person *person = scene->person;
    at_hospital(scene, operation->specialty);
    scene->minute = 8 * 60;
    struct reason reason = operation->what;
    if (operation->illness >= 0) {
        reason = reason_of(&synth_illnesses[operation->illness]);
    }
    day_number home = scene->day + operation->nights;
    int nights = home > person->end ? (int)(person->end - scene->day) : operation->nights;
    write_encounter(scene, VISIT_INPATIENT, 300, nights, true, reason);
    scene->minute += 90;
    write_procedure(scene, operation->what, condition);
    scene->day += nights;
    write_letter(scene, true, synth_specialties[operation->specialty].name, reason);
    scene->in_encounter = false;
}

static void live_operations(struct scene *scene, day_number from,
                            const struct uuid ids[static ILL_COUNT])
{
    struct person *person = scene->person;
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct operation *operation = &operations[i];
        const struct uuid *because = NULL;
        day_number start = from;
        if (operation->illness >= 0) {
            day_number onset = person->onset[operation->illness];
            if (onset == DAY_NEVER) {
                continue;
            }
            start = onset > from ? onset : from;
            because = &ids[operation->illness];
        }
        for (day_number year = start; year < person->end; year += 365) {
            if (pick(&person->random, 1000) >= operation->per_1000) {
                continue;
            }
            scene->day = weekday(year + (day_number)pick(&person->random, 360));
            if (scene->day <= person->end &&
                years_between(person->birth, scene->day) >= operation->from_age) {
                admit_elective(scene, operation, because);
                break;
            }
        }
    }
}

/* An attendance at A&E, and for some the admission that follows. */
static void visit_emergency(struct scene *scene, int age)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    const struct complaint *complaint = draw_complaint(scene, age, true);
    struct reason reason = {complaint->code, complaint->display};
    at_hospital(scene, SPECIALTY_EMERGENCY);
    scene->minute = (int)pick(random, 1100);
    write_encounter(scene, VISIT_EMERGENCY, 60 + (int)pick(random, 240), 0, false, reason);
    measure_acute(scene);
    complain(scene, complaint);
    unsigned admitted = age < 15 ? 12 : age < 65 ? 17 : age < 80 ? 38 : 50;
    if (chance(random, admitted)) {
        scene->minute += 90;
        int nights = 1 + (int)pick(random, age < 65 ? 4 : 12);
        nights = scene->day + nights > person->end ? (int)(person->end - scene->day) : nights;
        write_encounter(scene, VISIT_INPATIENT, 200, nights, false, reason);
        measure_blood(scene, age);
        scene->day += nights;
        write_letter(scene, true, "Acute medicine", reason);
    }
    scene->in_encounter = false;
}

/* About 440 attendances a year per 1,000 people, an approximation of England's; more at the ends of
 * life and in deprived places. */
static void live_emergencies(struct scene *scene, day_number from)
{
    struct person *person = scene->person;
    for (day_number year = from; year < person->end; year += 365) {
        int age = years_between(person->birth, year);
        unsigned per_1000 = age < 5 ? 600 : age < 65 ? 370 : age < 80 ? 430 : 750;
        per_1000 = per_1000 * (122 - 4u * person->imd) / 100;
        if (pick(&person->random, 1000) < per_1000) {
            scene->day = year + (day_number)pick(&person->random, 360);
            if (scene->day <= person->end) {
                visit_emergency(scene, age);
            }
        }
    }
}

static void live_home_visits(struct scene *scene)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    int age = years_between(person->birth, person->end);
    bool frail = person->care_home || has(person, ILL_DEMENTIA, person->end) ||
                 has(person, ILL_HEART_FAILURE, person->end) || (age >= 85 && chance(random, 50));
    if (!frail) {
        return;
    }
    day_number day = person->end - 730;
    scene->day = day;
    at_practice(scene, false);
    const struct staff *nurse = &person->area->community_staff[pick(random, COMMUNITY_STAFF)];
    write_team(scene, nurse);
    struct reason reason = {NULL, NULL};
    for (day += (day_number)pick(random, 60); day <= person->end;
         day += 40 + (day_number)pick(random, 60)) {
        scene->day = day;
        scene->staff = nurse;
        scene->site = &person->area->community;
        scene->minute = 9 * 60 + 15 * (int)pick(random, 28);
        write_encounter(scene, VISIT_HOME, 30, 0, true, reason);
        measure_casual(scene, age);
        scene->in_encounter = false;
    }
}

static void live_births(struct scene *scene)
{
    static const struct reason pregnancy = {"72892002", "Normal pregnancy"};
    static const struct reason caesarean = {"11466000", "Cesarean section"};
    static const struct reason delivery = {"177184002", "Normal delivery procedure"};
    struct person *person = scene->person;
    for (unsigned i = 0; i < person->child_count; i++) {
        day_number birth = person->children[i];
        bool section = chance(&person->random, 38);
        struct uuid id;
        at_hospital(scene, SPECIALTY_OBSTETRICS);
        scene->day = birth - 210;
        write_condition(scene, pregnancy, scene->day, birth, false, &id);
        scene->day = birth;
        write_encounter(scene, VISIT_INPATIENT, 200, section ? 2 : 1, true, pregnancy);
        write_procedure(scene, section ? caesarean : delivery, &id);
        scene->in_encounter = false;
    }
}

/* What is booked after the last day. */
static void live_bookings(struct scene *scene)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    if (person->death != DAY_NEVER) {
        return;
    }
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        const struct illness *illness = &synth_illnesses[i];
        if (person->onset[i] != DAY_NEVER && illness->specialty >= 0 &&
            pick(random, 250) < illness->hospital_per_100) {
            at_hospital(scene, (unsigned)illness->specialty);
            scene->day = weekday(person->end + 3 + (day_number)pick(random, 120));
            write_appointment(scene, APPOINTMENT_BOOKED, &synth_specialties[illness->specialty],
                              scene->staff, 20, true);
        }
    }
    if (chance(random, 12)) {
        at_practice(scene, false);
        scene->day = weekday(person->end + 1 + (day_number)pick(random, 28));
        write_appointment(scene, APPOINTMENT_BOOKED, &general_practice, scene->staff, 10, false);
    }
}

void life_write(const struct world *world, struct person *person, const struct person *people,
                struct writer *writer, struct arena *scratch)
{
    struct scene scene = {
        .world = world, .person = person, .writer = writer, .letter_arena = scratch};
    struct uuid ids[ILL_COUNT];
    day_number from = person->end - RECORD_YEARS * 365;
    from = from < person->birth ? person->birth : from;
    writer_open_bundle(writer);
    at_practice(&scene, false);
    scene.day = person->end;
    write_patient(&scene);
    if (person->mother >= 0) {
        write_mother(&scene, &people[person->mother]);
    }
    write_deprivation(&scene);
    live_allergies(&scene);
    live_conditions(&scene, ids);
    live_schedule(&scene);
    live_autumns(&scene);
    live_pandemic(&scene);
    live_late_vaccines(&scene);
    live_births(&scene);
    live_visits(&scene, from);
    live_clinics(&scene, from);
    live_operations(&scene, from, ids);
    live_emergencies(&scene, from);
    live_home_visits(&scene);
    live_bookings(&scene);
    writer_close_bundle(writer);
}
