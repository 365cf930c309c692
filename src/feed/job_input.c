/* SPDX-License-Identifier: MIT */
/* One file of an import over HTTP: it is had whole before a line of it is stored, then goes through
 * the door that all imports go through. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed/jobs_int.h"

#define FETCHES       3
#define UNITS_AT_ONCE 2 /* a request that writes waits for no more than these */
#define MEASURE_STEP  ((size_t)1 << 18)

struct running {
    struct feed_job *job;
    size_t at;
    struct intake *intake;
    struct arena *arena; /* of this file */
    struct outcome outcome;
    int file; /* that is taken in; -1: not open */
};

static bool stops(void *context)
{
    return feed_job_ends(context);
}

static void show_bytes(void *context, uint64_t done, uint64_t all)
{
    struct feed_job *job = context;
    atomic_store(&job->done, done);
    atomic_store(&job->all, all);
}

static void show_stored(void *context, uint64_t resources, uint64_t bytes)
{
    struct feed_job *job = context;
    atomic_store(&job->stored, resources);
    atomic_store(&job->done, bytes);
}

static void set_state(struct feed_job *job, enum import_state state)
{
    (void)pthread_mutex_lock(&job->jobs->lock);
    job->state = state;
    (void)pthread_mutex_unlock(&job->jobs->lock);
}

static enum status save_intake(struct running *running, struct intake intake)
{
    struct feed_job *job = running->job;
    (void)pthread_mutex_lock(&job->jobs->lock);
    *running->intake = intake;
    (void)pthread_mutex_unlock(&job->jobs->lock);
    return feed_job_save_state(job, IMPORT_STORING);
}

/* Is it the file that is at fault, and not the machine? */
static bool is_of_input(enum status status)
{
    return status != STATUS_OK && status != STATUS_BUSY &&
           (status_http(status) < 500 || status == STATUS_TRANSIENT);
}

/* The file is done with: what became of it is written down before it is called done. */
static enum status settle(struct running *running, enum status why, uint64_t stored)
{
    struct feed_job *job = running->job;
    struct feed_jobs *jobs = job->jobs;
    const char *rejects = feed_job_path(job, running->arena, running->at, "rejects");
    const char *data = feed_job_path(job, running->arena, running->at, "data");
    const char *path = feed_job_path(job, running->arena, running->at, "ndjson");
    struct intake done = *running->intake;
    if (rejects == NULL || data == NULL || path == NULL) {
        return STATUS_MEMORY;
    }
    TRY(outcomes_write(rejects, path, &running->outcome, &done.errors));
    done.state = INTAKE_DONE;
    done.status = why;
    done.stored = stored;
    TRY(save_intake(running, done));
    (void)disk->unlink(data);
    (void)disk->unlink(rejects);
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->totals.errors += done.errors;
    (void)pthread_mutex_unlock(&jobs->lock);
    return STATUS_OK;
}

/* ---- having the file ----------------------------------------------------------------------------
 */

static enum status fetch(struct running *running)
{
    struct feed_job *job = running->job;
    const struct config *config = job->jobs->service.config;
    struct fetch fetch = {.places = job->jobs->places,
                          .url = job->ask.inputs[running->at].url,
                          .path = feed_job_path(job, running->arena, running->at, "data"),
                          .bytes = (uint64_t)config->import_file,
                          .seconds = config->import_timeout,
                          .stall = config->import_stall,
                          .spare = config->export_spare,
                          .arena = running->arena,
                          .stops = stops,
                          .progress = show_bytes,
                          .context = job};
    enum status status = fetch.path != NULL ? STATUS_OK : STATUS_MEMORY;
    bool again = status == STATUS_OK;
    for (int i = 0; i < FETCHES && again && !feed_job_ends(job); i++) {
        if (i > 0) {
            feed_jobs_wait(job->jobs, MICROS_PER_SECOND / 2 << i);
        }
        outcome_init(&running->outcome, running->arena);
        status = fetch_file(&fetch, &running->outcome, &again);
    }
    if (status == STATUS_OK) {
        (void)pthread_mutex_lock(&job->jobs->lock);
        job->jobs->totals.fetched += atomic_load(&job->done);
        (void)pthread_mutex_unlock(&job->jobs->lock);
    }
    return feed_job_ends(job) ? STATUS_BUSY : status;
}

static enum status open_file(struct running *running)
{
    const struct feed_job *job = running->job;
    struct slice url = job->ask.inputs[running->at].url;
    if (places_is_file(url)) {
        return places_open(job->jobs->places, url, running->arena, &running->outcome,
                           &running->file);
    }
    const char *path = feed_job_path(job, running->arena, running->at, "data");
    running->file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return running->file >= 0 ? STATUS_OK : path == NULL ? STATUS_MEMORY : disk_status(errno);
}

static int64_t time_of(const struct stat *about)
{
    return (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec;
}

/* A file of the operator's folder is read where it is: another file by now is another import. */
static enum status check_same(struct running *running, struct intake *intake)
{
    struct stat about;
    if (fstat(running->file, &about) != 0) {
        return STATUS_IO;
    }
    if (intake->state == INTAKE_WAITING) {
        intake->length = (uint64_t)about.st_size;
        intake->changed = time_of(&about);
        return STATUS_OK;
    }
    return !places_is_file(running->job->ask.inputs[running->at].url) ||
                   (intake->length == (uint64_t)about.st_size && intake->changed == time_of(&about))
               ? STATUS_OK
               : outcome_fail(&running->outcome, STATUS_CONFLICT, "input.url",
                              "The file changed while it was taken in: what was read before is "
                              "stored. Import it once more when it is whole.");
}

/* Packed it is unpacked once for nothing: so a file that is not whole stores nothing. */
static enum status measure(struct running *running, uint64_t *ret_length)
{
    struct feed_job *job = running->job;
    uint64_t most = (uint64_t)job->jobs->service.config->import_file;
    int copy = fcntl(running->file, F_DUPFD_CLOEXEC, 0);
    struct gzip_reader *reader = copy >= 0 ? gzip_reader_open(copy) : NULL;
    char *room = arena_zero(running->arena, MEASURE_STEP);
    enum status status = reader != NULL && room != NULL ? STATUS_OK : STATUS_MEMORY;
    size_t count = 1;
    *ret_length = 0;
    while (status == STATUS_OK && count > 0 && *ret_length <= most) {
        status = gzip_reader_read(reader, room, MEASURE_STEP, &count);
        *ret_length += status == STATUS_OK ? count : 0;
        status = status == STATUS_OK && feed_job_ends(job) ? STATUS_BUSY : status;
    }
    gzip_reader_close(reader);
    if (lseek(running->file, 0, SEEK_SET) != 0 && status == STATUS_OK) {
        return STATUS_IO;
    }
    if (status == STATUS_STRUCTURE) {
        return outcome_fail(&running->outcome, status, "input.url",
                            "The file is no whole gzip file: nothing of it was stored.");
    }
    return status == STATUS_OK && *ret_length > most
               ? outcome_fail(&running->outcome, STATUS_TOO_LONG, "input.url",
                              "Unpacked the file is longer than import-file: split it, or ask the "
                              "operator.")
               : status;
}

static enum status have(struct running *running)
{
    struct feed_job *job = running->job;
    struct intake intake = *running->intake;
    uint64_t length;
    set_state(job, IMPORT_FETCHING);
    show_bytes(job, 0, 0);
    if (intake.state == INTAKE_WAITING && !places_is_file(job->ask.inputs[running->at].url)) {
        TRY(fetch(running));
    }
    TRY(open_file(running));
    TRY(check_same(running, &intake));
    TRY(measure(running, &length));
    intake.state = INTAKE_FETCHED;
    TRY(save_intake(running, intake));
    show_bytes(job, 0, length);
    return STATUS_OK;
}

/* ---- taking it in -------------------------------------------------------------------------------
 */

/* A kill may have left half a line at the end, which the next would go on with. */
static enum status cut_half_line(int file)
{
    struct stat about;
    char byte = '\n';
    if (fstat(file, &about) != 0) {
        return STATUS_IO;
    }
    off_t length = about.st_size;
    while (length > 0 && pread(file, &byte, 1, length - 1) == 1 && byte != '\n') {
        length--;
    }
    return length == about.st_size || ftruncate(file, length) == 0 ? STATUS_OK : STATUS_IO;
}

static enum status explain_stop(struct running *running, enum status status)
{
    switch (status) {
    case STATUS_STRUCTURE:
        return outcome_fail(&running->outcome, status, "input.url",
                            "The file cannot be read to its end. What stood before is stored.");
    case STATUS_TOO_LONG:
        return outcome_fail(
            &running->outcome, status, "input.url",
            "One line is longer than 1 GiB: split it. What stood before is stored.");
    case STATUS_TOO_COSTLY:
        return outcome_fail(&running->outcome, status, "input.url",
                            "A few lines take more memory than they may: make them shorter. What "
                            "stood before is stored.");
    default:
        return status;
    }
}

static const char *ledger_of(const struct running *running)
{
    return arena_print(running->arena, "%s/%zu", running->job->id, running->at + 1);
}

/* By an earlier process: of a file that cannot be gone on with. */
static enum status stored_before(const struct running *running, uint64_t *ret_stored)
{
    struct ledger ledger;
    const char *name = ledger_of(running);
    if (name == NULL) {
        return STATUS_MEMORY;
    }
    ledger_name("", name, &ledger);
    TRY(ledger_read(running->job->jobs->service.store, running->arena, &ledger));
    *ret_stored = ledger.stored;
    return STATUS_OK;
}

static enum status import_file(struct running *running, int rejects, uint64_t *ret_stored)
{
    struct feed_job *job = running->job;
    struct feed_jobs *jobs = job->jobs;
    char sender[QUALITY_SOURCE_MOST];
    struct outcome outcome; /* names paths of ours: not for the client */
    struct feed_result result = {0};
    struct feed_options options = {.service = &jobs->service,
                                   .rejects = rejects,
                                   .source = {sender, 0},
                                   .progress = show_stored,
                                   .stops = stops,
                                   .context = job,
                                   .ledger = ledger_of(running),
                                   .request = slice_text(job->id),
                                   .base_url = job->ask.base_url,
                                   .ndjson = true,
                                   .outcomes = true,
                                   .type = job->ask.inputs[running->at].type,
                                   .units = UNITS_AT_ONCE};
    const char *path = arena_print(running->arena, "/proc/self/fd/%d", running->file);
    if (options.ledger == NULL || path == NULL) {
        return STATUS_MEMORY;
    }
    if (!quality_source_read(job->ask.source, true, sender, &options.source.length)) {
        options.source = (struct slice){0};
    }
    outcome_init(&outcome, running->arena);
    enum status status = feed_import(&options, &path, 1, &outcome, &result);
    *ret_stored = result.stored_in_all;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->totals.resources += result.stored;
    (void)pthread_mutex_unlock(&jobs->lock);
    return feed_job_ends(job) ? STATUS_BUSY : explain_stop(running, status);
}

static enum status take_in(struct running *running, uint64_t *ret_stored)
{
    const char *path = feed_job_path(running->job, running->arena, running->at, "rejects");
    int rejects = path != NULL ? open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (rejects < 0) {
        return path != NULL ? disk_status(errno) : STATUS_MEMORY;
    }
    enum status status = cut_half_line(rejects);
    if (status == STATUS_OK) {
        status = import_file(running, rejects, ret_stored);
    }
    (void)close(rejects);
    return status;
}

static enum status run_input(struct running *running)
{
    uint64_t stored = 0;
    enum status status = have(running);
    if (status == STATUS_OK) {
        set_state(running->job, IMPORT_STORING);
        status = take_in(running, &stored);
        struct intake intake = *running->intake;
        status = status == STATUS_OK ? check_same(running, &intake) : status;
    } else if (running->intake->state == INTAKE_FETCHED) {
        TRY(stored_before(running, &stored));
    }
    if (status != STATUS_OK && (!is_of_input(status) || running->outcome.errors == 0)) {
        return status;
    }
    return settle(running, status, stored);
}

enum status feed_job_run_input(struct feed_job *job, size_t at)
{
    struct arena *arena = arena_create(0);
    struct running running = {
        .job = job, .at = at, .intake = &job->intakes[at], .arena = arena, .file = -1};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    outcome_init(&running.outcome, arena);
    (void)pthread_mutex_lock(&job->jobs->lock);
    job->at = at;
    (void)pthread_mutex_unlock(&job->jobs->lock);
    atomic_store(&job->stored, 0);
    enum status status = run_input(&running);
    if (running.file >= 0) {
        (void)close(running.file);
    }
    arena_destroy(arena);
    return status;
}
