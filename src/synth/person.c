/* SPDX-License-Identifier: MIT */
/* Who the people are: born when, dead or alive, of which sex, group, place and household, and with
 * which long-term conditions since when. */
#include <stdio.h>
#include <stdlib.h>

#include "synth/synth_int.h"

/* Usual residents of England by five years of age, per 1,000, after Census 2021; the last band is
 * 90+. */
static const uint16_t age_pyramid[19] = {54, 59, 60, 57, 60, 66, 70, 67, 63, 64,
                                         69, 67, 58, 49, 50, 36, 25, 17, 9};

/* An approximation of the ages of those who die in a year in England, per 1,000:
 * 0, 1-14, 15-44, 45-54, 55-64, 65-74, 75-84, 85-89, 90-101. */
static const uint16_t death_ages[9] = {5, 2, 36, 40, 88, 163, 282, 180, 204};
static const uint8_t death_age_from[10] = {0, 1, 15, 45, 55, 65, 75, 85, 90, 102};

/* People who died in the DEATH_YEARS before the last day are kept, as registers keep them: about
 * 9.6 deaths a year per 1,000 living (577,160 in England and Wales in 2022, ONS), so 46 in 1,046
 * records. */
#define DEATH_YEARS        5
#define DEAD_PER_10000     440
#define NOT_STATED_PER_100 4

static unsigned weighted(struct random *random, const uint16_t *weights, unsigned count)
{
    unsigned total = 0;
    for (unsigned i = 0; i < count; i++) {
        total += weights[i];
    }
    unsigned share = pick(random, total);
    unsigned at = 0;
    while (at + 1 < count && share >= weights[at]) {
        share -= weights[at];
        at++;
    }
    return at;
}

static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

void person_uuid(const struct world *world, struct person *person, struct uuid *ret_id)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t number = person->next_id++;
    uint64_t stream = mix(world->seed * UINT64_C(0x9e3779b97f4a7c15) + person->index);
    uint64_t halves[2];
    halves[0] = mix(stream + number * UINT64_C(0x9e3779b97f4a7c15));
    halves[1] = mix(halves[0] ^ mix(person->index ^ (number << 40) ^ UINT64_C(0x5deece66d)));
    /* Version 8, made to measure (RFC 9562 section 5.8). */
    halves[0] = (halves[0] & ~UINT64_C(0xf000)) | UINT64_C(0x8000);
    halves[1] = (halves[1] & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
    char *at = ret_id->text;
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *at++ = '-';
        }
        *at++ = digits[(halves[i / 16] >> (60 - 4 * (i % 16))) & 15];
    }
}

/* The shares of groups shift with age: in the Census those other than White British are a larger
 * part of the young. A living person of this age, at random. */
static char draw_ethnicity(struct random *random, int age)
{
    unsigned others_per_100 = age < 45 ? 125 : age < 65 ? 88 : 42;
    unsigned total = 0;
    unsigned weights[ETHNIC_GROUPS];
    for (unsigned i = 0; i < ETHNIC_GROUPS; i++) {
        weights[i] = synth_ethnic_groups[i].per_10000 * (i == 0 ? 100 : others_per_100);
        total += weights[i];
    }
    if (total < 1000000) {
        weights[0] += 1000000 - total;
        total = 1000000;
    } else {
        weights[0] -= total - 1000000;
        total = 1000000;
    }
    unsigned share = pick(random, total);
    unsigned at = 0;
    while (at + 1 < ETHNIC_GROUPS && share >= weights[at]) {
        share -= weights[at];
        at++;
    }
    return synth_ethnic_groups[at].code;
}

static void draw_life_span(const struct world *world, struct person *person)
{
    struct random *random = &person->random;
    if (pick(random, 10000) < DEAD_PER_10000) {
        person->death = world->until - (day_number)pick(random, DEATH_YEARS * 365);
        unsigned band = weighted(random, death_ages, 9);
        unsigned days = (unsigned)(death_age_from[band + 1] - death_age_from[band]) * 365;
        /* The most deprived die younger: here 7.4 years between the first and the last decile;
         * life expectancy differs by 9.7 (men) and 7.9 (women) (ONS, 2018 to 2020). */
        int shift = band < 3 ? 0 : ((int)person->imd - 5) * 300;
        int age_days = death_age_from[band] * 365 + (int)pick(random, days) + shift;
        person->birth = person->death - (day_number)(age_days * 1.0007);
        person->end = person->death;
        return;
    }
    unsigned band = weighted(random, age_pyramid, 19);
    unsigned age_days = band * 1826 + pick(random, 1826);
    if (band == 18) {
        /* Fewer at each year past ninety. */
        unsigned a = pick(random, 3650);
        unsigned b = pick(random, 3650);
        age_days = 90 * 365 + (a < b ? a : b) + 23;
    }
    person->birth = world->until - (day_number)age_days;
    person->death = DAY_NEVER;
    person->end = world->until;
}

static void draw_home(const struct world *world, struct person *person)
{
    struct random *random = &person->random;
    person->area = &world->areas[pick(random, world->area_count)];
    person->practice = (uint8_t)pick(random, PRACTICES);
    snprintf(person->line, sizeof person->line, "%u %s", 1 + pick(random, 220),
             synth_streets[pick(random, synth_street_count)]);
    static const char letters[] = "ABDEFGHJLNPQRSTUWXYZ";
    snprintf(person->postcode, sizeof person->postcode, "%s%u %u%c%c",
             person->area->place->postcode_area, 1 + pick(random, 20), pick(random, 10),
             letters[pick(random, 20)], letters[pick(random, 20)]);
}

/* Everything that does not depend on the rest of the block. */
static void draw_person(const struct world *world, uint64_t index, struct person *ret_person)
{
    struct person *person = ret_person;
    *person = (struct person){.index = index, .mother = -1};
    random_seed(&person->random, world->seed, index);
    struct random *random = &person->random;
    person_uuid(world, person, &person->id);
    person->has_nhs = index < synth_nhs_capacity();
    if (person->has_nhs) {
        nhs_number(world, index, person->nhs);
    }
    person->imd = (uint8_t)(1 + pick(random, 10));
    draw_life_span(world, person);
    int age = years_between(person->birth, person->end);
    /* Women outlive men: 51 per cent of all (Census 2021), 65 of those past 85. */
    person->female = chance(random, age < 65 ? 50 : age < 85 ? 54 : 64);
    person->ethnicity = draw_ethnicity(random, age);
    person->not_stated = chance(random, NOT_STATED_PER_100);
    int year = civil_of(person->birth).year;
    person->given = name_given(random, person->female, person->ethnicity, year);
    person->middle = chance(random, 60)
                         ? name_given(random, person->female, person->ethnicity, year - 25)
                         : NULL;
    person->family = name_family(random, person->ethnicity);
    draw_home(world, person);
}

/* A woman of the block before the child, 18 to 42 when it was born and without a child within ten
 * months of it, becomes its mother; the child lives with her. */
static void find_mother(struct person *people, unsigned child)
{
    struct person *baby = &people[child];
    unsigned start = child > 0 ? pick(&baby->random, child) : 0;
    for (unsigned i = 0; i < child; i++) {
        unsigned at = (start + i) % child;
        struct person *woman = &people[at];
        int age = years_between(woman->birth, baby->birth);
        bool fits = woman->female && woman->end >= baby->birth && age >= 18 && age <= 42 &&
                    woman->child_count < sizeof woman->children / sizeof woman->children[0];
        for (unsigned other = 0; fits && other < woman->child_count; other++) {
            fits = abs(woman->children[other] - baby->birth) > 320;
        }
        if (!fits) {
            continue;
        }
        woman->children[woman->child_count++] = baby->birth;
        baby->mother = (int8_t)at;
        baby->area = woman->area;
        baby->practice = woman->practice;
        baby->imd = woman->imd;
        baby->ethnicity = woman->ethnicity;
        baby->given =
            name_given(&baby->random, baby->female, baby->ethnicity, civil_of(baby->birth).year);
        baby->family = woman->family;
        memcpy(baby->line, woman->line, sizeof baby->line);
        memcpy(baby->postcode, woman->postcode, sizeof baby->postcode);
        return;
    }
}

static double risk(const struct illness *illness, const struct person *person)
{
    double factor = 1 + illness->deprivation / 100.0 * (5.5 - person->imd) / 4.5;
    switch (person->ethnicity) {
    case 'H':
    case 'J':
    case 'K':
    case 'L':
        return factor * illness->south_asian / 100;
    case 'M':
    case 'N':
    case 'P':
    case 'D':
    case 'E':
        return factor * illness->black / 100;
    default:
        return factor;
    }
}

/* The onset is the age at which the prevalence passes the person's own level, so that any year's
 * cross-section has the table's prevalence. Some levels are one the person shares among conditions:
 * that makes the many-times ill without changing any prevalence. */
static void draw_conditions(struct person *person)
{
    struct random *random = &person->random;
    double shared = random_unit(random);
    double age = (person->end - person->birth) / 365.25;
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        const struct illness *illness = &synth_illnesses[i];
        double own = random_unit(random);
        double level = chance(random, 20) ? shared : own;
        double factor = risk(illness, person);
        person->onset[i] = DAY_NEVER;
        if (factor <= 0 || illness_prevalence(illness, person->female, age) * factor <= level) {
            continue;
        }
        double low = 0;
        double high = age;
        for (unsigned step = 0; step < 14; step++) {
            double middle = (low + high) / 2;
            if (illness_prevalence(illness, person->female, middle) * factor > level) {
                high = middle;
            } else {
                low = middle;
            }
        }
        person->onset[i] = person->birth + (day_number)(high * 365.25);
        if (person->onset[i] > person->end) {
            person->onset[i] = person->end;
        }
    }
}

/* Mean heights of the Health Survey for England 2021 (175.9 and 162.4 cm); BMI, pressure,
 * cholesterol and the scatter of all are approximations in its region. */
static void draw_body(struct person *person)
{
    struct random *random = &person->random;
    double age = (person->end - person->birth) / 365.25;
    person->height_cm = (person->female ? 162 : 176) + 6.5 * random_normal(random);
    person->bmi = 27.3 + 4.6 * random_normal(random) + (5.5 - person->imd) * 0.15;
    if (person->onset[ILL_DIABETES] != DAY_NEVER) {
        person->bmi += 3.5;
    }
    if (person->bmi < 17.5) {
        person->bmi = 17.5 + random_unit(random);
    }
    person->systolic = 117 + (age > 30 ? (age - 30) * 0.25 : 0) + 9 * random_normal(random);
    person->cholesterol = 5.0 + 0.8 * random_normal(random);
    person->hba1c = 36 + 2.2 * random_normal(random);
    person->egfr = 108 - (age > 35 ? (age - 35) * 0.75 : 0) + 7 * random_normal(random);
    /* 12 per cent; ONS, Adult smoking habits 2022, has 12.7 for England. How it differs by decile,
     * and the quarter who used to, are approximations. */
    unsigned smokers = 23u - 2u * person->imd;
    unsigned level = pick(random, 100);
    person->smoking = level < smokers ? 2 : level < smokers + 25 ? 1 : 0;
    if (person->onset[ILL_COPD] != DAY_NEVER && person->smoking == 0) {
        person->smoking = 1;
    }
}

/* Chances chosen so that about as many of those over 65 live in a care home as in Census 2021 (2.5
 * per cent), most of them old or with dementia. */
static void draw_care_home(struct person *person)
{
    int age = years_between(person->birth, person->end);
    bool dementia = person->onset[ILL_DEMENTIA] != DAY_NEVER;
    unsigned per_100 = age < 65 ? 0 : dementia ? 25 : age < 85 ? 1 : 6;
    if (!chance(&person->random, per_100)) {
        return;
    }
    person->care_home = true;
    person->home = &person->area->care_homes[pick(&person->random, CARE_HOMES)];
    memcpy(person->postcode, person->home->postcode, sizeof person->postcode);
    snprintf(person->line, sizeof person->line, "%s", person->home->line);
}

void block_make(const struct world *world, uint64_t first, unsigned count,
                struct person people[static BLOCK])
{
    for (unsigned i = 0; i < count; i++) {
        draw_person(world, first + i, &people[i]);
    }
    for (unsigned i = 1; i < count; i++) {
        if (years_between(people[i].birth, people[i].end) < 18) {
            find_mother(people, i);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        draw_conditions(&people[i]);
        draw_body(&people[i]);
        draw_care_home(&people[i]);
    }
}
