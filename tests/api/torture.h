/* SPDX-License-Identifier: MIT */
/* Torture: a script of one request, sent again and again, each time with another allocation or SQL
 * step failing, until it passes untouched. What a failed try may leave behind is nothing. */
#ifndef CARELAYER_TESTS_TORTURE_H
#define CARELAYER_TESTS_TORTURE_H

#include "service.h"

/* '@' in any of the texts is the round's own mark, so that each round begins anew; ' is a quote in
 * bodies. */
struct call {
    const char *method;
    const char *path;
    const char *headers; /* or NULL */
    const char *body;    /* or NULL */
};

struct script {
    const char *name;
    struct call before[4]; /* sent untouched; ended by one without method */
    struct call call;      /* the one that is tortured */
    size_t bytes;          /* instead of a body: that many, too many for an arena, in a file */
    bool each;             /* a batch: entries fail by themselves */
};

enum fault_kind { FAULT_ALLOCATION, FAULT_SQL, FAULT_KINDS };

/* Every N and every way to fail; else a choice that takes seconds. */
extern bool torture_thorough;

/* A service whose log is out of the way and whose complaints go nowhere; cmocka's setup and
 * teardown. */
int torture_setup(void **state);
int torture_teardown(void **state);

void torture(const struct script *script, enum fault_kind kind);

/* Everything in the store agrees. */
void torture_check_store(void);

/* ---- for scripts that are no request ---- */

/* The N-th allocation or step after fault_begin fails, with code of SQLite's CODE; fault_end says
 * whether it did. */
void fault_begin(enum fault_kind kind, unsigned long n, int code);
bool fault_end(void);

/* The N after this one, and how many ways there are to fail at N. */
unsigned long fault_next(unsigned long n);
size_t fault_codes(enum fault_kind kind, unsigned long n, int *ret_codes);
#define FAULT_CODES_MOST 8

/* A round's mark, new with each call; TEXT with it in the place of '@'. */
const char *torture_mark(void);
const char *torture_text(const char *text, const char *mark);

#endif
