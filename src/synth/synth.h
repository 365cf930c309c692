/* SPDX-License-Identifier: MIT */
/* synth: a UK population that never lived, made from a seed.
 *
 * The same seed, number of people, last day and format give the same bytes, whatever the number of
 * threads: each person draws from a random stream of their own, made of the seed and their index.
 * Every NHS number is from 999 000 0000 to 999 999 9999, the range kept for tests; every telephone
 * number is from Ofcom's ranges for drama; organisations and staff have numbers of our own systems
 * alone. Rates and their sources are in docs/synthetic-people.md. */
#ifndef CARELAYER_SYNTH_SYNTH_H
#define CARELAYER_SYNTH_SYNTH_H

#include "base/base.h"

/* One transaction Bundle a person (entries are PUT with ids), after one of organisations that sorts
 * first; or one NDJSON file a resource type. */
enum synth_format { SYNTH_BUNDLE, SYNTH_NDJSON };

/* The last day of every record unless --until says otherwise: fixed, so that output is too. */
#define SYNTH_UNTIL "2025-12-31"

#define SYNTH_PEOPLE_MAX  UINT64_C(100000000)
#define SYNTH_THREADS_MAX 64

/* Called now and then from one thread at a time. */
/* a function type, not a struct */
typedef void synth_progress(void *context, uint64_t people_done, uint64_t bytes_done);

struct synth_options {
    uint64_t people; /* 1..SYNTH_PEOPLE_MAX */
    uint64_t seed;
    struct slice until; /* YYYY-MM-DD, 2000-01-01 to 2100-12-31; empty: SYNTH_UNTIL */
    enum synth_format format;
    const char *directory;    /* made when it is missing; files of the same names are replaced */
    unsigned threads;         /* 1..SYNTH_THREADS_MAX; 0: one a core */
    synth_progress *progress; /* may be NULL */
    void *context;            /* for progress */
};

struct synth_totals {
    uint64_t people;
    uint64_t resources; /* with those of the organisations */
    uint64_t bytes;
};

/* Writes the population into the directory. STATUS_VALUE with an issue in OUTCOME for options out
 * of range; STATUS_NO_SPACE, STATUS_IO or STATUS_MEMORY when the machine fails, and then what has
 * been written is not whole. OUTCOME may be NULL. */
MUST_CHECK enum status synth_run(const struct synth_options *options, struct outcome *outcome,
                                 struct synth_totals *ret_totals);

/* How many different valid NHS numbers 999 000 0000 to 999 999 9999 holds: those whose check digit
 * would be 10 do not exist. People past this many have no NHS number, and say why. */
uint32_t synth_nhs_capacity(void);

/* Is the text ten digits with a right Modulus 11 check digit (NHS Data Dictionary, "NHS NUMBER")?
 */
bool synth_nhs_valid(struct slice text);

#endif
