/* SPDX-License-Identifier: MIT */
/* carelayer synth: a synthetic population into files. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "synth/synth.h"

static const char usage[] =
    "carelayer synth --people N --seed S --out DIR [--format bundle|ndjson]\n"
    "\n"
    "Makes a UK population that never lived. The same options give the same bytes.\n"
    "bundle: 00-organisations.json, then one transaction Bundle a person; ndjson: a file a type.";

struct showing {
    struct cli_progress progress;
    uint64_t people;
};

static void show(void *context, uint64_t people_done, uint64_t bytes_done)
{
    struct showing *showing = context;
    (void)bytes_done;
    cli_progress_show(&showing->progress, people_done, showing->people);
}

static int refuse(const char *what)
{
    fprintf(stderr, "carelayer synth: %s\nTry 'carelayer synth --help'.\n", what);
    return CLI_USAGE;
}

static bool read_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    return text != NULL && slice_to_unsigned(slice_text(text), max, ret_value);
}

static int run(struct synth_options *options, struct arena *arena)
{
    struct outcome outcome;
    struct synth_totals totals;
    struct showing showing = {.people = options->people};
    outcome_init(&outcome, arena);
    options->progress = show;
    options->context = &showing;
    cli_progress_begin(&showing.progress, "people");
    int64_t started = time_monotonic();
    enum status status = synth_run(options, &outcome, &totals);
    cli_progress_end(&showing.progress);
    if (status != STATUS_OK) {
        cli_print_outcome(&outcome, "carelayer synth");
        return status == STATUS_VALUE ? CLI_USAGE : CLI_FAULT;
    }
    if (showing.progress.shown) {
        double seconds = (double)(time_monotonic() - started) / 1e6;
        fprintf(stderr, "%" PRIu64 " people, %" PRIu64 " resources, %.1f MB in %.1f s\n",
                totals.people, totals.resources, (double)totals.bytes / 1e6, seconds);
    }
    return CLI_OK;
}

int cli_synth(int argc, char **argv)
{
    const char *people = NULL;
    const char *seed = "1";
    const char *out = NULL;
    const char *format = "bundle";
    const char *until = SYNTH_UNTIL;
    const char *threads = "0";
    const char *const settings[] = {NULL};
    const struct cli_option own[] = {
        {"people", &people, NULL, "how many people to make"},
        {"seed", &seed, NULL, "a whole number; another seed makes other people (1)"},
        {"out", &out, NULL, "the folder to write to; made when missing"},
        {"format", &format, NULL, "bundle or ndjson (bundle)"},
        {"until", &until, NULL, "the last day of every record (" SYNTH_UNTIL ")"},
        {"threads", &threads, NULL, "how many threads; 0 is one a core (0)"},
        {NULL, NULL, NULL, NULL},
    };
    struct cli_arguments arguments;
    int done = cli_read(argc, argv, usage, settings, own, &arguments);
    if (done >= 0) {
        return done;
    }
    struct synth_options options = {.directory = out, .until = slice_text(until)};
    uint64_t thread_number;
    if (!read_number(people, SYNTH_PEOPLE_MAX, &options.people) || options.people == 0) {
        return refuse("give --people, a number from 1 to 100000000.");
    }
    if (!read_number(seed, UINT64_MAX, &options.seed)) {
        return refuse("give --seed, a whole number that is not negative.");
    }
    if (out == NULL || arguments.file_count > 0) {
        return refuse("give --out, the folder to write to, and no other names.");
    }
    if (!read_number(threads, SYNTH_THREADS_MAX, &thread_number)) {
        return refuse("give --threads, a number from 0 to 64.");
    }
    options.threads = (unsigned)thread_number;
    if (strcmp(format, "ndjson") == 0) {
        options.format = SYNTH_NDJSON;
    } else if (strcmp(format, "bundle") != 0) {
        return refuse("give --format bundle or --format ndjson.");
    }
    return run(&options, arguments.arena);
}
