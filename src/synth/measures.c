/* SPDX-License-Identifier: MIT */
/* What is measured at a visit, around values that change with age, conditions and treatment. */
#include <math.h>

#include "synth/synth_int.h"

static double years_since(day_number then, day_number now)
{
    return (now - then) / 365.25;
}

static bool has(const struct scene *scene, unsigned illness)
{
    return scene->person->onset[illness] <= scene->day;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* The value in units of the measure's last decimal. */
static void record(struct scene *scene, unsigned measure, double value, struct uuid *ret_id)
{
    static const double powers[] = {1, 10, 100, 1000};
    write_measure(scene, measure, llround(value * powers[synth_measures[measure].places]), ret_id);
}

/* Height in cm at an age: UK-WHO growth charts' medians in straight pieces, times how tall this
 * person is among adults. */
static double height_at(const struct person *person, double age)
{
    static const double ages[] = {0, 1, 2, 4, 8, 12, 16};
    static const double boys[] = {50, 76, 87, 102, 127, 149, 173};
    static const double girls[] = {49, 74, 86, 101, 126, 150, 162};
    const double *heights = person->female ? girls : boys;
    double adult = person->female ? 162 : 176;
    if (age >= 17) {
        return person->height_cm;
    }
    double at = heights[6];
    for (unsigned i = 0; i + 1 < 7; i++) {
        if (age < ages[i + 1]) {
            at = heights[i] +
                 (heights[i + 1] - heights[i]) * (age - ages[i]) / (ages[i + 1] - ages[i]);
            break;
        }
    }
    return at * (1 + (person->height_cm / adult - 1) * 0.8);
}

static double bmi_at(const struct person *person, double age, double years_to_end)
{
    if (age < 18) {
        double median = age < 1   ? 15.5 + 1.5 * age
                        : age < 6 ? 17 - (age - 1) * 0.3
                                  : 15.5 + (age - 6) * 0.5;
        return median * (1 + (person->bmi / 27.3 - 1) * 0.5);
    }
    /* A kilogram every three years or so. */
    return clamp(person->bmi - 0.12 * years_to_end, 16, 60);
}

static void record_size(struct scene *scene, bool height)
{
    struct person *person = scene->person;
    double age = years_since(person->birth, scene->day);
    double metres = round(height_at(person, age)) / 100;
    double bmi = bmi_at(person, age, years_since(scene->day, person->end));
    double weight = bmi * metres * metres + 0.6 * random_normal(&person->random);
    weight = round(clamp(weight, 2.2, 220) * 10) / 10;
    struct uuid id;
    record(scene, MEASURE_WEIGHT, weight, &id);
    if (height) {
        record(scene, MEASURE_HEIGHT, metres * 100, &id);
        if (age >= 2) {
            record(scene, MEASURE_BMI, weight / (metres * metres), &id);
        }
    }
}

static void record_pressure(struct scene *scene)
{
    struct person *person = scene->person;
    double systolic = person->systolic - 0.25 * years_since(scene->day, person->end);
    day_number onset = person->onset[ILL_HYPERTENSION];
    if (onset != DAY_NEVER) {
        /* Rises before the diagnosis, falls with treatment. */
        double since = years_since(onset, scene->day);
        systolic += since < 0 ? clamp(20 + 3 * since, 0, 20) : 26 * exp(-since / 1.5) + 7;
    }
    if (has(scene, ILL_HEART_FAILURE)) {
        systolic -= 8;
    }
    systolic = clamp(systolic + 6 * random_normal(&person->random), 84, 218);
    double diastolic = clamp(0.5 * systolic + 14 + 5 * random_normal(&person->random), 44, 128);
    write_pressure(scene, (int)lround(systolic),
                   (int)lround(diastolic < systolic - 12 ? diastolic : systolic - 12));
}

void measure_body(struct scene *scene, int age)
{
    struct uuid id;
    if (age >= 16) {
        record_pressure(scene);
        write_smoking(scene);
        record(scene, MEASURE_PULSE, clamp(73 + 9 * random_normal(&scene->person->random), 46, 128),
               &id);
    }
    record_size(scene, true);
}

void measure_casual(struct scene *scene, int age)
{
    struct random *random = &scene->person->random;
    struct uuid id;
    if (age < 16) {
        if (chance(random, 35)) {
            record(scene, MEASURE_TEMPERATURE, clamp(37.1 + 0.6 * random_normal(random), 35.8, 40),
                   &id);
        }
        if (age < 5 && chance(random, 40)) {
            record_size(scene, chance(random, 50));
        }
        return;
    }
    if (chance(random, age < 40 ? 25 : 45)) {
        record_pressure(scene);
    }
    if (chance(random, 12)) {
        record_size(scene, false);
    }
}

void measure_acute(struct scene *scene)
{
    struct random *random = &scene->person->random;
    struct uuid id;
    record(scene, MEASURE_PULSE, clamp(86 + 14 * random_normal(random), 48, 160), &id);
    double oxygen = has(scene, ILL_COPD) ? 93 : 97.3;
    record(scene, MEASURE_OXYGEN, clamp(oxygen + 1.4 * random_normal(random), 78, 100), &id);
    record(scene, MEASURE_TEMPERATURE, clamp(37.1 + 0.7 * random_normal(random), 35.2, 40.6), &id);
    if (years_since(scene->person->birth, scene->day) >= 16) {
        record_pressure(scene);
    }
}

static double filtration(const struct scene *scene)
{
    struct person *person = scene->person;
    double rate = person->egfr + 0.75 * years_since(scene->day, person->end);
    if (has(scene, ILL_KIDNEY)) {
        rate = 54 - 1.2 * years_since(person->onset[ILL_KIDNEY], scene->day) +
               (person->egfr - 80) * 0.12;
    }
    return clamp(rate + 2.5 * random_normal(&person->random), 9, 125);
}

/* Serum creatinine in umol/L that the CKD-EPI 2009 equation gives this rate for. */
static double creatinine_for(const struct person *person, double rate, double age)
{
    double kappa = person->female ? 61.9 : 79.6;
    double alpha = person->female ? -0.329 : -0.411;
    double share = rate / (141 * pow(0.993, age) * (person->female ? 1.018 : 1));
    return kappa * (share < 1 ? pow(share, -1 / 1.209) : pow(share, 1 / alpha));
}

static void record_renal(struct scene *scene)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    struct uuid ids[4];
    double rate = filtration(scene);
    double age = years_since(person->birth, scene->day);
    record(scene, MEASURE_SODIUM, clamp(139.5 + 2.2 * random_normal(random), 126, 149), &ids[0]);
    record(scene, MEASURE_POTASSIUM,
           clamp(4.3 + (rate < 45 ? 0.3 : 0) + 0.35 * random_normal(random), 3, 6.2), &ids[1]);
    record(scene, MEASURE_CREATININE, clamp(creatinine_for(person, rate, age), 28, 700), &ids[2]);
    record(scene, MEASURE_EGFR, rate, &ids[3]);
    write_report(scene, "24362-6", "Renal function 2000 panel - Serum or Plasma", ids, 4);
}

static void record_lipids(struct scene *scene)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    struct uuid ids[3];
    bool statin = has(scene, ILL_CHD) || has(scene, ILL_STROKE) || has(scene, ILL_DIABETES);
    double total = person->cholesterol * (statin ? 0.78 : 1) + 0.25 * random_normal(random);
    double hdl = (person->female ? 1.6 : 1.3) + 0.25 * random_normal(random);
    total = clamp(total, 2.3, 9.5);
    record(scene, MEASURE_CHOLESTEROL, total, &ids[0]);
    record(scene, MEASURE_HDL, clamp(hdl, 0.6, total - 0.8), &ids[1]);
    record(scene, MEASURE_TRIGLYCERIDE, clamp(1.4 + 0.5 * random_normal(random), 0.4, 7), &ids[2]);
    write_report(scene, "24331-1", "Lipid 1996 panel - Serum or Plasma", ids, 3);
}

static void record_count(struct scene *scene)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    struct uuid ids[4];
    double haemoglobin = (person->female ? 132 : 147) - (has(scene, ILL_KIDNEY) ? 11 : 0) -
                         (has(scene, ILL_COLON_CANCER) ? 12 : 0);
    record(scene, MEASURE_HAEMOGLOBIN, clamp(haemoglobin + 9 * random_normal(random), 68, 186),
           &ids[0]);
    record(scene, MEASURE_WHITE_CELLS, clamp(6.9 + 1.7 * random_normal(random), 2.1, 19), &ids[1]);
    record(scene, MEASURE_PLATELETS, clamp(262 + 58 * random_normal(random), 82, 620), &ids[2]);
    record(scene, MEASURE_MCV, clamp(90 + 4.5 * random_normal(random), 68, 112), &ids[3]);
    write_report(scene, "58410-2", "CBC panel - Blood by Automated count", ids, 4);
}

static void record_liver(struct scene *scene)
{
    struct random *random = &scene->person->random;
    struct uuid ids[3];
    record(scene, MEASURE_ALT, clamp(24 * exp(0.4 * random_normal(random)), 6, 260), &ids[0]);
    record(scene, MEASURE_ALP, clamp(78 * exp(0.25 * random_normal(random)), 28, 320), &ids[1]);
    record(scene, MEASURE_ALBUMIN, clamp(42 + 3 * random_normal(random), 24, 52), &ids[2]);
    write_report(scene, "24325-3", "Hepatic function 2000 panel - Serum or Plasma", ids, 3);
}

static void record_sugar(struct scene *scene)
{
    struct person *person = scene->person;
    double value = person->hba1c + 0.15 * years_since(person->birth, scene->day) / 4;
    if (has(scene, ILL_DIABETES)) {
        /* High at diagnosis, better with treatment, worse with the years. */
        double since = years_since(person->onset[ILL_DIABETES], scene->day);
        value = 51 + 16 * exp(-since / 0.8) + 0.45 * since + (person->hba1c - 36) * 2;
    }
    struct uuid id;
    record(scene, MEASURE_HBA1C, clamp(value + 1.6 * random_normal(&person->random), 24, 135), &id);
}

void measure_blood(struct scene *scene, int age)
{
    struct random *random = &scene->person->random;
    if (age < 16 && !chance(random, 20)) {
        return;
    }
    record_renal(scene);
    record_count(scene);
    if (age >= 40 || has(scene, ILL_DIABETES) || has(scene, ILL_CHD)) {
        record_lipids(scene);
    }
    if (age >= 16 && (has(scene, ILL_DIABETES) || chance(random, 30))) {
        record_sugar(scene);
    }
    if (chance(random, 45)) {
        record_liver(scene);
    }
}

void measure_illnesses(struct scene *scene)
{
    struct person *person = scene->person;
    struct random *random = &person->random;
    struct uuid id;
    if (has(scene, ILL_ASTHMA) && years_since(person->birth, scene->day) >= 6) {
        double best =
            (person->female ? 430 : 580) * (person->height_cm / (person->female ? 162 : 176));
        double age = years_since(person->birth, scene->day);
        best *= age < 20 ? 0.35 + 0.0325 * age : age > 35 ? 1 - (age - 35) * 0.005 : 1;
        record(scene, MEASURE_PEAK_FLOW,
               clamp(best * (0.86 + 0.09 * random_normal(random)), 90, 760), &id);
    }
    if (has(scene, ILL_COPD)) {
        double since = years_since(person->onset[ILL_COPD], scene->day);
        record(scene, MEASURE_FEV, clamp(63 - 0.9 * since + 5 * random_normal(random), 28, 69),
               &id);
    }
    if (has(scene, ILL_DEPRESSION) && chance(random, 60)) {
        double since = years_since(person->onset[ILL_DEPRESSION], scene->day);
        record(scene, MEASURE_PHQ9,
               clamp(5 + 10 * exp(-since / 2) + 3 * random_normal(random), 0, 27), &id);
    }
    if (has(scene, ILL_THYROID)) {
        record(scene, MEASURE_TSH, clamp(2.4 * exp(0.6 * random_normal(random)), 0.05, 38), &id);
    }
    if (has(scene, ILL_PROSTATE_CANCER)) {
        record(scene, MEASURE_PSA, clamp(1.6 * exp(0.9 * random_normal(random)), 0.1, 90), &id);
    }
}
