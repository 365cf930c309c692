/* SPDX-License-Identifier: MIT */
/* What several subcommands do: finding the program's own files, opening the store, progress. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

#ifndef CARELAYER_DATA_FOLDER
#define CARELAYER_DATA_FOLDER "/usr/local/share/carelayer"
#endif

const char *cli_program_path(struct arena *arena, const char *name)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    struct slice folder = slice_of(program, length > 0 ? (size_t)length : 0);
    while (folder.length > 0 && folder.at[folder.length - 1] != '/') {
        folder.length--;
    }
    /* Beside the program, in the project around a build folder, or installed. */
    const char *places[] = {
        arena_print(arena, "%.*s%s", SLICE_ARGS(folder), name),
        arena_print(arena, "%.*s../%s", SLICE_ARGS(folder), name),
        arena_print(arena, "%s/%s", CARELAYER_DATA_FOLDER, name),
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct stat about;
        if (stat(places[i], &about) == 0) {
            return places[i];
        }
    }
    return NULL;
}

/* Where compiled packages are kept between runs: the XDG base directory rules. */
static const char *cache_folder(struct arena *arena)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (cache != NULL && cache[0] == '/') {
        return arena_print(arena, "%s/carelayer", cache);
    }
    return home != NULL && home[0] == '/' ? arena_print(arena, "%s/.cache/carelayer", home)
                                          : ".carelayer-cache";
}

enum status cli_open_definitions(const struct cli_arguments *arguments,
                                 struct definitions **ret_definitions)
{
    struct outcome outcome;
    outcome_init(&outcome, arguments->arena);
    const char *path = arguments->config.definitions;
    if (path[0] == '\0') {
        path = cli_program_path(arguments->arena, "definitions/r4.blob");
    }
    const struct config_list *packages = &arguments->config.package;
    const char *base = cli_program_path(arguments->arena, "definitions/r4.tgz");
    if (packages->count > 0 && base == NULL) {
        path = NULL;
    }
    enum status status =
        path != NULL
            ? definitions_open_with(path, base, packages->items, packages->count,
                                    cache_folder(arguments->arena), &outcome, ret_definitions)
            : outcome_fail(&outcome, STATUS_NOT_FOUND, "",
                           "The FHIR definitions (r4.blob, and r4.tgz for --package) are not "
                           "beside the program: build again, or give --definitions.");
    if (status != STATUS_OK) {
        cli_print_outcome(&outcome, "carelayer");
    }
    return status;
}

enum status cli_open_judges(const struct cli_arguments *arguments, struct outcome *outcome,
                            struct cli_judges *judges)
{
    TRY(conformance_open(judges->definitions, &judges->conformance));
    TRY(terms_open(judges->conformance, outcome, &judges->terms));
    if (arguments->config.terminology[0] != '\0') {
        terms_use_releases(judges->terms, arguments->config.terminology);
    }
    return validator_open(judges->definitions, judges->conformance, judges->terms,
                          &judges->validator);
}

void cli_close_judges(struct cli_judges *judges)
{
    validator_close(judges->validator);
    terms_close(judges->terms);
    conformance_close(judges->conformance);
    if (judges->definitions != NULL) {
        definitions_close(judges->definitions);
    }
    *judges = (struct cli_judges){0};
}

bool cli_has_data(const struct cli_arguments *arguments)
{
    if (arguments->config.data[0] == '\0') {
        (void)fputs("carelayer: say where the records are: --data DIR\n", stderr);
        return false;
    }
    return true;
}

const char *cli_database(const struct cli_arguments *arguments)
{
    return arguments->config.database[0] != '\0' ? arguments->config.database : NULL;
}

enum status cli_open_store(const struct cli_arguments *arguments, enum cli_access access,
                           struct definitions **ret_definitions, struct store **ret_store)
{
    struct outcome outcome;
    outcome_init(&outcome, arguments->arena);
    TRY(cli_open_definitions(arguments, ret_definitions));
    struct cli_progress progress;
    cli_progress_begin(&progress, "records brought to the new layout");
    struct store_options options = {.folder = arguments->config.data,
                                    .definitions = *ret_definitions,
                                    .progress = cli_progress_store,
                                    .context = &progress,
                                    .database = cli_database(arguments),
                                    .writers = (size_t)arguments->config.database_writers,
                                    .cache_bytes = arguments->config.cache,
                                    .must_exist = access != CLI_MAY_CREATE,
                                    .read_only = access == CLI_READ_ONLY};
    enum status status = store_open(&options, &outcome, ret_store);
    cli_progress_end(&progress);
    if (status != STATUS_OK) {
        cli_print_outcome(&outcome, arguments->config.data);
        definitions_close(*ret_definitions);
        *ret_definitions = NULL;
    }
    return status;
}

void cli_progress_begin(struct cli_progress *progress, const char *noun)
{
    *progress = (struct cli_progress){
        .noun = noun, .shown = isatty(STDERR_FILENO) != 0, .started = time_monotonic()};
}

void cli_progress_show(struct cli_progress *progress, uint64_t done, uint64_t all)
{
    int64_t now = time_monotonic();
    if (!progress->shown || now - progress->last < MICROS_PER_SECOND / 10) {
        return;
    }
    progress->last = now;
    double seconds = (double)(now - progress->started) / (double)MICROS_PER_SECOND;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (all > 0) {
        int part = (int)(done * 30 / all);
        (void)fprintf(stderr, "\r[%-30.*s] %llu of %llu %s, %.0f/s ", part > 30 ? 30 : part,
                      "##############################", (unsigned long long)done,
                      (unsigned long long)all, progress->noun, rate);
    } else {
        (void)fprintf(stderr, "\r%llu %s, %.0f/s ", (unsigned long long)done, progress->noun, rate);
    }
    (void)fflush(stderr);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->shown && progress->last != 0) {
        (void)fputs("\r\033[K", stderr);
    }
}

void cli_progress_store(void *context, uint64_t done, uint64_t all)
{
    cli_progress_show(context, done, all);
}
