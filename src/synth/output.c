/* SPDX-License-Identifier: MIT */
/* Threads take batches of people in turn and write them in the same turn, so that the files do not
 * depend on who was faster. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "synth/synth_int.h"

#define BATCH 128 /* people; a multiple of BLOCK */

struct run {
    const struct synth_options *options;
    const struct world *world;
    int files[TYPE_COUNT]; /* NDJSON only; -1 closed */
    atomic_uint_fast64_t next_batch;
    atomic_int failed; /* the first status that was not STATUS_OK */
    pthread_mutex_t mutex;
    pthread_cond_t turned;
    uint64_t turn; /* the batch whose turn it is to be written */
    struct synth_totals totals;
};

static void fail(struct run *run, enum status status)
{
    int expected = STATUS_OK;
    atomic_compare_exchange_strong(&run->failed, &expected, (int)status);
}

static enum status write_all(int file, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(file, bytes.at, bytes.length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return disk_status(errno);
        }
        bytes = slice_from(bytes, (size_t)written);
    }
    return STATUS_OK;
}

static enum status open_file(const char *directory, const char *name, int *ret_file)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        return STATUS_VALUE;
    }
    *ret_file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return *ret_file < 0 ? disk_status(errno) : STATUS_OK;
}

static enum status write_file(const char *directory, const char *name, struct slice bytes)
{
    int file;
    TRY(open_file(directory, name, &file));
    enum status status = write_all(file, bytes);
    if (close(file) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    return status;
}

/* Writes what the writer holds to the NDJSON files and empties it. */
static enum status flush(struct run *run, struct writer *writer)
{
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        struct buffer *buffer = &writer->types[i];
        if (!buffer_ok(buffer)) {
            return STATUS_MEMORY;
        }
        TRY(write_all(run->files[i], buffer_slice(buffer)));
        run->totals.bytes += buffer->length;
        buffer->length = 0;
    }
    run->totals.resources += writer->resources;
    writer->resources = 0;
    return STATUS_OK;
}

static enum status write_person_file(struct run *run, struct writer *writer, uint64_t index)
{
    char name[64];
    snprintf(name, sizeof name, "person-%08" PRIu64 ".json", index);
    if (!buffer_ok(&writer->types[0])) {
        return STATUS_MEMORY;
    }
    return write_file(run->options->directory, name, buffer_slice(&writer->types[0]));
}

/* One batch, into the writer; Bundles go to their files at once. */
static enum status make_batch(struct run *run, uint64_t first, uint64_t count,
                              struct writer *writer, struct arena *scratch, uint64_t *ret_bytes)
{
    struct person people[BLOCK];
    *ret_bytes = 0;
    for (uint64_t done = 0; done < count; done += BLOCK) {
        unsigned some = count - done < BLOCK ? (unsigned)(count - done) : BLOCK;
        block_make(run->world, first + done, some, people);
        for (unsigned i = 0; i < some; i++) {
            life_write(run->world, &people[i], people, writer, scratch);
            if (run->options->format == SYNTH_BUNDLE) {
                *ret_bytes += writer->types[0].length;
                TRY(write_person_file(run, writer, first + done + i));
                writer->types[0].length = 0;
            }
        }
    }
    return STATUS_OK;
}

/* Waits for the batch's turn, writes it and gives the turn on. A failed batch gives it on too. */
static void take_turn(struct run *run, uint64_t batch, uint64_t count, enum status status,
                      uint64_t bytes, struct writer *writer)
{
    pthread_mutex_lock(&run->mutex);
    while (run->turn != batch) {
        pthread_cond_wait(&run->turned, &run->mutex);
    }
    if (status == STATUS_OK && run->options->format == SYNTH_NDJSON) {
        status = flush(run, writer);
    } else {
        run->totals.bytes += bytes;
        run->totals.resources += writer->resources;
        writer->resources = 0;
    }
    if (status != STATUS_OK) {
        fail(run, status);
    }
    run->totals.people += count;
    if (run->options->progress != NULL) {
        run->options->progress(run->options->context, run->totals.people, run->totals.bytes);
    }
    run->turn++;
    pthread_cond_broadcast(&run->turned);
    pthread_mutex_unlock(&run->mutex);
}

static void *work(void *context)
{
    struct run *run = context;
    uint64_t people = run->options->people;
    struct arena *arena = arena_create(0);
    struct arena *scratch = arena_create((size_t)1 << 20);
    struct writer writer = {.format = run->options->format};
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        writer.types[i].arena = arena;
    }
    for (;;) {
        uint64_t batch = atomic_fetch_add(&run->next_batch, 1);
        uint64_t first = batch * BATCH;
        if (first >= people || atomic_load(&run->failed) != STATUS_OK) {
            break;
        }
        uint64_t count = people - first < BATCH ? people - first : BATCH;
        enum status status = STATUS_MEMORY;
        uint64_t bytes = 0;
        if (arena != NULL && scratch != NULL) {
            status = make_batch(run, first, count, &writer, scratch, &bytes);
        }
        take_turn(run, batch, count, status, bytes, &writer);
    }
    arena_destroy(scratch);
    arena_destroy(arena);
    return NULL;
}

static enum status open_files(struct run *run)
{
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.ndjson", synth_type_names[i]);
        TRY(open_file(run->options->directory, name, &run->files[i]));
    }
    return STATUS_OK;
}

static enum status close_files(struct run *run)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        if (run->files[i] >= 0 && close(run->files[i]) != 0 && status == STATUS_OK) {
            status = disk_status(errno);
        }
        run->files[i] = -1;
    }
    return status;
}

static enum status write_organisations(struct run *run, struct arena *arena)
{
    struct writer writer = {.format = run->options->format};
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        writer.types[i].arena = arena;
    }
    world_write(run->world, &writer);
    if (run->options->format == SYNTH_NDJSON) {
        return flush(run, &writer);
    }
    if (!buffer_ok(&writer.types[0])) {
        return STATUS_MEMORY;
    }
    run->totals.bytes += writer.types[0].length;
    run->totals.resources += writer.resources;
    return write_file(run->options->directory, "00-organisations.json",
                      buffer_slice(&writer.types[0]));
}

static unsigned thread_count(const struct synth_options *options)
{
    unsigned count = options->threads;
    if (count == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        count = cores > 0 ? (unsigned)cores : 1;
    }
    return count < SYNTH_THREADS_MAX ? count : SYNTH_THREADS_MAX;
}

static void run_threads(struct run *run)
{
    pthread_t threads[SYNTH_THREADS_MAX];
    unsigned wanted = thread_count(run->options);
    unsigned started = 0;
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, run) == 0) {
        started++;
    }
    work(run);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

static enum status read_until(struct slice text, day_number *ret_day)
{
    struct partial_date date;
    struct slice wanted = text.length > 0 ? text : SLICE(SYNTH_UNTIL);
    if (!date_parse(wanted, DATE_FORM_DATE, &date) || date.precision != PRECISION_DAY ||
        date.year < 2000 || date.year > 2100) {
        return STATUS_VALUE;
    }
    *ret_day = day_of(date.year, date.month, date.day);
    return STATUS_OK;
}

static enum status check_options(const struct synth_options *options, struct outcome *outcome,
                                 day_number *ret_until)
{
    if (options->people < 1 || options->people > SYNTH_PEOPLE_MAX) {
        return outcome_fail(outcome, STATUS_VALUE, "people",
                            "Give a number of people from 1 to %" PRIu64 ".", SYNTH_PEOPLE_MAX);
    }
    if (options->threads > SYNTH_THREADS_MAX) {
        return outcome_fail(outcome, STATUS_VALUE, "threads", "Give at most %d threads.",
                            SYNTH_THREADS_MAX);
    }
    if (read_until(options->until, ret_until) != STATUS_OK) {
        return outcome_fail(outcome, STATUS_VALUE, "until",
                            "Give a whole date, YYYY-MM-DD, from 2000 to 2100.");
    }
    return STATUS_OK;
}

static enum status run_all(struct run *run, struct arena *arena)
{
    enum status status = write_organisations(run, arena);
    if (status == STATUS_OK) {
        run_threads(run);
        status = (enum status)atomic_load(&run->failed);
    }
    return status;
}

enum status synth_run(const struct synth_options *options, struct outcome *outcome,
                      struct synth_totals *ret_totals)
{
    day_number until = 0;
    *ret_totals = (struct synth_totals){0};
    TRY(check_options(options, outcome, &until));
    enum status status = disk_make_directory(options->directory);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "out", "The folder cannot be made.");
    }
    struct arena *arena = arena_create(0);
    struct run run = {
        .options = options, .mutex = PTHREAD_MUTEX_INITIALIZER, .turned = PTHREAD_COND_INITIALIZER};
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        run.files[i] = -1;
    }
    if (arena != NULL) {
        run.world = world_create(options, until, arena);
    }
    if (run.world == NULL) {
        status = STATUS_MEMORY;
    } else {
        status = options->format == SYNTH_NDJSON ? open_files(&run) : STATUS_OK;
        status = status == STATUS_OK ? run_all(&run, arena) : status;
        enum status closed = close_files(&run);
        status = status == STATUS_OK ? closed : status;
    }
    arena_destroy(arena);
    *ret_totals = run.totals;
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "out", "The files cannot be written whole.");
    }
    return STATUS_OK;
}
