/* SPDX-License-Identifier: MIT */
/* feed, inside: imports that were asked for over HTTP ($import). */
#ifndef CARELAYER_FEED_JOBS_INT_H
#define CARELAYER_FEED_JOBS_INT_H

#include <stdatomic.h>

#include "feed/feed_int.h"

/* ---- places.c: where files may be fetched from --------------------------------------------------
 * Nothing may until the operator names it: a server that fetches what it is told to is a way into
 * the network that it stands in. */

struct places;

/* URLS: "https://host/path/" each; FOLDER: empty, none. Explained in OUTCOME. In ARENA. */
MUST_CHECK enum status places_read(const struct config_list *urls, const char *folder,
                                   struct arena *arena, struct outcome *outcome,
                                   struct places **ret_places);

/* May URL (http or https) be fetched? Scheme, host and port must be those of a place, and its path
 * the place's or below it. *RET_URL is what was judged, in ARENA: fetch that, and nothing that was
 * read otherwise. STATUS_FORBIDDEN and STATUS_VALUE, explained in OUTCOME without a part of URL. */
MUST_CHECK enum status places_allow(const struct places *places, struct slice url,
                                    struct arena *arena, struct outcome *outcome,
                                    const char **ret_url);

bool places_is_file(struct slice url); /* a file: URL */

/* Opens a file below the folder: a regular one, by no link. The same statuses. */
MUST_CHECK enum status places_open(const struct places *places, struct slice url,
                                   struct arena *arena, struct outcome *outcome, int *ret_file);

/* ---- fetch.c: one file over HTTP ----------------------------------------------------------------
 */

struct fetch {
    const struct places *places;
    struct slice url;
    const char *path;    /* the file to write, replaced whole */
    uint64_t bytes;      /* at most */
    int64_t seconds;     /* in all */
    int64_t stall;       /* seconds without a byte */
    int64_t spare;       /* bytes of the disk to leave */
    struct arena *arena; /* scratch */
    bool (*stops)(void *context);
    void (*progress)(void *context, uint64_t done, uint64_t all); /* ALL 0: unknown */
    void *context;
};

/* Fetches the whole file, durably, or nothing. *RET_AGAIN: it may go better later. STATUS_BUSY: it
 * was stopped. Explained in OUTCOME, without a part of the URL or of what came. */
MUST_CHECK enum status fetch_file(const struct fetch *fetch, struct outcome *outcome,
                                  bool *ret_again);

/* ---- jobs ---------------------------------------------------------------------------------------
 */

enum intake_state { INTAKE_WAITING, INTAKE_FETCHED, INTAKE_DONE };

/* One file of a job. */
struct intake {
    enum intake_state state;
    enum status status; /* STATUS_OK, or why it was not taken in, or not to its end */
    uint64_t stored;    /* resources */
    uint64_t errors;    /* lines of its file of outcomes; 0: there is none */
    uint64_t length;    /* of a file of the operator's folder when it was begun, in bytes */
    int64_t changed;    /* the same: its time of change, in nanoseconds */
};

struct feed_jobs;

struct feed_job {
    struct feed_jobs *jobs;
    struct feed_job *next; /* in order of arrival */
    struct arena *arena;   /* of all that lives as long as the job */
    char id[UUID_LENGTH + 1];
    const char *folder;
    struct import_ask ask;
    int64_t begun; /* instant */

    /* Changed by the thread, under the lock. */
    enum import_state state;
    enum status status; /* why it failed */
    int64_t finished;
    size_t at; /* the input that is worked on */
    struct intake *intakes;

    _Atomic uint64_t done, all; /* bytes of what is worked on; ALL 0: unknown */
    _Atomic uint64_t stored;    /* resources of the input that is worked on, by this process */
    _Atomic bool cancelled;
    bool running;
    double polls; /* that may be answered now */
    int64_t polled;
};

struct feed_jobs {
    struct service service; /* the server's, with workers of our own */
    struct importer importer;
    struct places *places;
    struct arena *arena;
    const char *folder;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct feed_job *list;
    struct import_statistics totals;
    _Atomic bool stopping;
    pthread_t thread;
    bool runs;
};

bool feed_job_ends(const struct feed_job *job);
const char *feed_job_path(const struct feed_job *job, struct arena *arena, size_t input,
                          const char *suffix);

/* job_state.c: job.json, written once, and state.json, after each step; both durable. */
struct feed_job *feed_job_create(struct feed_jobs *jobs, const char *id);
void feed_job_destroy(struct feed_job *job);
MUST_CHECK enum status feed_job_take(struct feed_job *job, const struct import_ask *ask);
MUST_CHECK enum status feed_job_save(const struct feed_job *job);
MUST_CHECK enum status feed_job_save_state(const struct feed_job *job, enum import_state state);
/* STATUS_CORRUPT, STATUS_NOT_FOUND, STATUS_STRUCTURE: it is none of ours. */
MUST_CHECK enum status feed_job_load(struct feed_job *job);
/* Takes away what says that there is such a job: it does not begin again. */
void feed_job_forget(const struct feed_job *job);
/* Removes the folder: first what says that there is such a job. */
void feed_job_remove(const struct feed_job *job);
/* The completed job as the client is told: JSON. */
void feed_job_manifest(const struct feed_job *job, struct slice base_url, struct buffer *out);

/* job_outcomes.c: writes PATH durably, of the lines in REJECTS, if there are any, each once, and
 * LAST if it holds an error; so many lines. */
MUST_CHECK enum status outcomes_write(const char *rejects, const char *path,
                                      const struct outcome *last, uint64_t *ret_count);

/* job_input.c: has input AT and takes it in. STATUS_OK also when the file is at fault: that is
 * told in its outcomes. STATUS_BUSY: the job ends. */
MUST_CHECK enum status feed_job_run_input(struct feed_job *job, size_t at);

/* job_run.c: works on jobs until the end; context is the feed_jobs. */
void *feed_jobs_run(void *context);
/* Waits so long, or until something changes. */
void feed_jobs_wait(struct feed_jobs *jobs, int64_t micros);

#endif
