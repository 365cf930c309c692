/* SPDX-License-Identifier: MIT */
/* carelayer import */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "feed/feed.h"

static const char *const settings[] = {"data",
                                       "database",
                                       "database-writers",
                                       "definitions",
                                       "terminology",
                                       "package",
                                       "rules",
                                       "workers",
                                       "cache",
                                       "reserve",
                                       "timezone",
                                       "base-url",
                                       "memory",
                                       "test-numbers",
                                       "validate",
                                       "require-profile",
                                       NULL};

static void show(void *context, uint64_t resources, uint64_t bytes)
{
    (void)bytes;
    cli_progress_show(context, resources, 0);
}

static void report(const struct feed_result *result, int64_t micros, const char *rejects)
{
    double seconds = (double)micros / (double)MICROS_PER_SECOND;
    (void)printf("%llu resources stored in %.1f s (%.0f/s, %.1f MB/s)\n",
                 (unsigned long long)result->stored, seconds, (double)result->stored / seconds,
                 (double)result->bytes / 1e6 / seconds);
    if (result->resumed > 0) {
        (void)printf("%llu units were stored by an earlier run and skipped\n",
                     (unsigned long long)result->resumed);
    }
    if (result->files_done_before > 0) {
        (void)printf("%llu files were imported before and skipped (--again imports them once "
                     "more)\n",
                     (unsigned long long)result->files_done_before);
    }
    if (result->rejected > 0) {
        (void)printf("%llu resources rejected: see %s\n", (unsigned long long)result->rejected,
                     rejects);
    }
}

static enum status run(const struct cli_arguments *arguments, struct feed_options *options,
                       const char *rejects, struct feed_result *result)
{
    struct outcome outcome;
    struct cli_progress progress;
    outcome_init(&outcome, arguments->arena);
    options->rejects =
        open(rejects, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600); /* an earlier run's stay */
    if (options->rejects < 0) {
        enum status failed = outcome_fail(&outcome, disk_status(errno), rejects,
                                          "The rejects file cannot be written: check its path and "
                                          "rights.");
        cli_print_outcome(&outcome, "carelayer import");
        return failed;
    }
    cli_progress_begin(&progress, "resources");
    options->progress = show;
    options->context = &progress;
    enum status status =
        feed_import(options, arguments->files, arguments->file_count, &outcome, result);
    cli_progress_end(&progress);
    (void)close(options->rejects);
    if (status != STATUS_OK) {
        cli_print_outcome(&outcome, "carelayer import");
    }
    return status;
}

int cli_import(int argc, char **argv)
{
    struct cli_arguments arguments;
    struct feed_options options = {0};
    const char *rejects = NULL;
    const char *source = NULL;
    char sender[QUALITY_SOURCE_MOST];
    const struct cli_option own[] = {
        {"split", NULL, &options.split, "store transaction Bundles resource by resource"},
        {"again", NULL, &options.again, "import also files that were imported before"},
        {"source", &source, NULL,
         "who sent the files, where a resource does not say (meta.source): an ODS code or a URL"},
        {"rejects", &rejects, NULL, "file for what was rejected [DIR/rejects.ndjson]"},
        {0}};
    int code = cli_read(
        argc, argv,
        "usage: carelayer import --data DIR FILE...\n\nImports Bundles and resources "
        "in JSON or XML, and NDJSON, plain or gzip; '-' is stdin. Ids are kept:\n"
        "what exists becomes an older version. A transaction Bundle is stored whole or not at "
        "all. Exit 1 when something was rejected.",
        settings, own, &arguments);
    if (code >= 0) {
        return code;
    }
    if (arguments.file_count == 0) {
        (void)fputs("carelayer import: name the files to import; '-' is stdin\n", stderr);
        return CLI_USAGE;
    }
    if (!cli_has_data(&arguments)) {
        return CLI_USAGE;
    }
    options.source.at = sender;
    if (source != NULL &&
        !quality_source_read(slice_text(source), true, sender, &options.source.length)) {
        (void)fputs("carelayer import: --source takes an ODS code (RX1), an http(s) URL or a "
                    "urn:oid, and no number of a person\n",
                    stderr);
        return CLI_USAGE;
    }
    struct cli_service service;
    enum status status = cli_open_service(&arguments, CLI_MAY_CREATE, &service);
    struct feed_result result = {0};
    int64_t started = time_monotonic();
    if (status == STATUS_OK) {
        options.service = &service.service;
        if (rejects == NULL) {
            rejects = arena_print(arguments.arena, "%s/rejects.ndjson", arguments.config.data);
        }
        status = run(&arguments, &options, rejects, &result);
        report(&result, time_monotonic() - started, rejects);
    }
    cli_close_service(&service);
    return status == STATUS_OK && result.rejected > 0 ? CLI_INPUT : cli_exit_code(status);
}
