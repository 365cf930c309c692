/* SPDX-License-Identifier: MIT */
/* The closed loop: N connections, each sending its next request as soon as the last was answered,
 * driven by few threads that each own an epoll set and their share of the connections. It shares
 * the machine's cores with the server, so it does two system calls a request and little else. */
#ifndef CARELAYER_BENCH_DRIVER_H
#define CARELAYER_BENCH_DRIVER_H

#include "histogram.h"
#include "workload.h"

struct driver_options {
    unsigned concurrency; /* connections, from 1 */
    unsigned threads;     /* from 1; never more than connections are used */
    double warm_up;       /* seconds not counted */
    double seconds;       /* counted; 0: until REQUESTS are done */
    uint64_t requests;    /* 0: until SECONDS are over, or the workload has no more */
    const pid_t *server;  /* processes whose CPU time is taken */
    size_t server_count;
};

#define DRIVER_FAULTS 8 /* kinds of failure that are told apart */

struct fault {
    int status;       /* HTTP; 0: no whole answer (refused, closed, not HTTP) */
    const char *step; /* of the workload */
    uint64_t count;
};

struct driver_result {
    struct histogram latency; /* of every answer, microseconds */
    double seconds;           /* counted */
    uint64_t requests;        /* answered, good or bad, plus failed */
    uint64_t errors;          /* not 2xx or 304, or no whole answer */
    uint64_t connects;        /* connections made again */
    uint64_t bytes;           /* on the wire, inwards */
    struct fault faults[DRIVER_FAULTS];
    double server_cpu; /* seconds, all named processes; -1: not asked, or a process is gone */
};

/* Runs WORK. STATUS_TRANSIENT: the server could not be reached, or went away for good;
 * STATUS_MEMORY, STATUS_IO: our side. */
MUST_CHECK enum status driver_run(struct work *work, const struct driver_options *options,
                                  struct arena *arena, struct driver_result *ret_result);

/* CPU seconds (user + system, all threads) that a process used so far, from /proc/PID/stat, in
 * steps of the clock tick; -1 when there is no such process. */
double driver_process_cpu(pid_t pid);

#endif
