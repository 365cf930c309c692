/* SPDX-License-Identifier: MIT */
/* A workload is what clients do: each connection runs a session that says, again and again, which
 * request comes next and is shown the answer. The table of workloads is in workload.c. */
#ifndef CARELAYER_BENCH_WORKLOAD_H
#define CARELAYER_BENCH_WORKLOAD_H

#include "base/base.h"
#include "response.h"
#include "target.h"

/* What the command line says about the work to do. */
struct workload_options {
    const char *ids;    /* file of "Type/id" lines; NULL: ask the server by a search */
    const char *paths;  /* file of paths below the base, for `get` */
    const char *types;  /* comma-separated types that `read` and `batch` ask ids of */
    const char **files; /* Bundles to import */
    size_t file_count;
    uint64_t limit; /* most ids to ask the server for */
    uint64_t page;  /* _count of search and $everything; 0: the workload's own */
    uint64_t seed;
};

/* A whole request: two runs of bytes, so that a large body is sent from where it lies. */
struct exchange {
    struct slice head, body;
    const char *step; /* what it is, for error counts: "create Patient"; static */
};

struct session;

/* Prepared once, read-only while sessions run. */
struct work {
    const struct workload *workload;
    const struct target *target;
    const struct workload_options *options;
    struct arena *arena;    /* process lifetime */
    struct slice *requests; /* whole requests, or heads */
    struct slice *bodies;   /* beside them; NULL when there are none */
    size_t request_count;
    bool once;               /* each request is to be sent once, in order */
    _Atomic uint64_t next;   /* index of the next, when ONCE */
    uint64_t resources;      /* resources that all requests together carry or ask for */
    uint64_t sample_entries; /* entries of the Bundle that a first request gave; 0: not a Bundle */
    const char *problem;     /* why prepare failed, and how to mend it; static or in ARENA */
};

struct workload {
    const char *name;
    const char *meaning;
    /* Builds WORK; on failure sets work->problem. */
    enum status (*prepare)(struct work *work);
    /* The next request of SESSION; its slices live until the answer came. False: nothing is left
     * to do. */
    bool (*next)(struct session *session, struct exchange *ret_exchange);
    /* Looks at the answer of the last exchange; NULL when it does not matter. A code of 0 means
     * that none came. */
    void (*answer)(struct session *session, const struct response *response);
};

struct session {
    struct work *work;
    struct random random;
    struct arena *scratch; /* for requests made up on the way; the session's own */
    void *state;           /* the workload's own, in scratch; NULL at first */
};

extern const struct workload workloads[];
extern const size_t workload_count;

/* The workload of that name, or NULL. */
const struct workload *workload_find(const char *name);

/* Readies SESSION number INDEX. False: no memory. */
bool session_open(struct session *session, struct work *work, unsigned index);
void session_close(struct session *session);

/* ids.c: up to options->limit "Type/id" references, from the file or by searching for TYPES
 * (comma-separated), following next links. */
MUST_CHECK enum status work_collect_ids(struct work *work, const char *types,
                                        struct slice **ret_ids, size_t *ret_count);

/* ids.c: the non-empty lines of a file. */
MUST_CHECK enum status work_read_lines(struct work *work, const char *path,
                                       struct slice **ret_lines, size_t *ret_count);

/* Sets work->problem to the formatted text and gives STATUS back. */
enum status work_fail(struct work *work, enum status status, const char *text, ...)
    __attribute__((format(printf, 3, 4)));

/* workload_post.c */
enum status import_prepare(struct work *work);
enum status batch_prepare(struct work *work);

/* workload_crud.c */
enum status crud_prepare(struct work *work);
bool crud_next(struct session *session, struct exchange *ret_exchange);
void crud_answer(struct session *session, const struct response *response);

#endif
