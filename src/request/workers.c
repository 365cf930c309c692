/* SPDX-License-Identifier: MIT */
/* Worker threads, each with a store reader of its own, taking work in order of arrival. */
#include <pthread.h>
#include <stdlib.h>

#include "request/request_int.h"

struct worker {
    pthread_t thread;
    struct store_reader *reader;
    struct workers *all;
    bool running;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, *last;
    bool stopping;
    size_t count;
    struct arena *arena;
    struct worker worker[];
};

static struct work *next_work(struct workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    while (workers->first == NULL && !workers->stopping) {
        (void)pthread_cond_wait(&workers->wake, &workers->lock);
    }
    struct work *work = workers->first;
    if (work != NULL) {
        workers->first = work->next;
        if (workers->first == NULL) {
            workers->last = NULL;
        }
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return work;
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    for (struct work *work; (work = next_work(worker->all)) != NULL;) {
        work->run(work->context, worker->reader);
        store_reader_rest(worker->reader);
    }
    return NULL;
}

enum status workers_start(struct store *store, size_t count, struct workers **ret_workers)
{
    struct arena *arena = arena_create(0);
    struct workers *workers =
        arena != NULL ? arena_zero(arena, sizeof *workers + count * sizeof(struct worker)) : NULL;
    if (workers == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    workers->arena = arena;
    (void)pthread_mutex_init(&workers->lock, NULL);
    (void)pthread_cond_init(&workers->wake, NULL);
    for (size_t i = 0; i < count; i++) {
        struct worker *worker = &workers->worker[i];
        worker->all = workers;
        workers->count++;
        enum status status = store_reader_open(store, &worker->reader);
        if (status == STATUS_OK &&
            pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            status = STATUS_MEMORY;
        }
        if (status != STATUS_OK) {
            workers_stop(workers);
            return status;
        }
        worker->running = true;
    }
    *ret_workers = workers;
    return STATUS_OK;
}

void workers_stop(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    (void)pthread_cond_broadcast(&workers->wake);
    (void)pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->count; i++) {
        if (workers->worker[i].running) {
            (void)pthread_join(workers->worker[i].thread, NULL);
        }
        if (workers->worker[i].reader != NULL) {
            store_reader_close(workers->worker[i].reader);
        }
    }
    (void)pthread_cond_destroy(&workers->wake);
    (void)pthread_mutex_destroy(&workers->lock);
    arena_destroy(workers->arena);
}

void workers_submit(struct workers *workers, struct work *work)
{
    work->next = NULL;
    (void)pthread_mutex_lock(&workers->lock);
    if (workers->last != NULL) {
        workers->last->next = work;
    } else {
        workers->first = work;
    }
    workers->last = work;
    (void)pthread_cond_signal(&workers->wake);
    (void)pthread_mutex_unlock(&workers->lock);
}
