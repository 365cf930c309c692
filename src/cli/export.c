/* SPDX-License-Identifier: MIT */
/* carelayer export */
#include <stdio.h>

#include "cli/cli.h"
#include "feed/feed.h"

static const char *const settings[] = {"data",        "database", "database-writers",
                                       "definitions", "package",  "cache",
                                       "reserve",     "timezone", NULL};

int cli_export(int argc, char **argv)
{
    struct cli_arguments arguments;
    const char *folder = NULL;
    const struct cli_option own[] = {{"out", &folder, NULL, "folder for the files; made if needed"},
                                     {0}};
    int code = cli_read(argc, argv,
                        "usage: carelayer export --data DIR --out DIR\n\nWrites every current "
                        "resource as NDJSON, one file a type, in one consistent snapshot.",
                        settings, own, &arguments);
    if (code >= 0) {
        return code;
    }
    if (folder == NULL || arguments.file_count > 0) {
        (void)fputs("carelayer export: say where to: --out DIR\n", stderr);
        return CLI_USAGE;
    }
    if (!cli_has_data(&arguments)) {
        return CLI_USAGE;
    }
    struct cli_service service;
    struct outcome outcome;
    struct cli_progress progress;
    uint64_t count = 0;
    outcome_init(&outcome, arguments.arena);
    enum status status = cli_open_service(&arguments, CLI_MUST_EXIST, &service);
    if (status == STATUS_OK) {
        cli_progress_begin(&progress, "resources");
        status =
            feed_export(&service.service, folder, cli_progress_store, &progress, &outcome, &count);
        cli_progress_end(&progress);
        cli_print_outcome(&outcome, "carelayer export");
        if (status == STATUS_OK) {
            (void)printf("%llu resources written to %s\n", (unsigned long long)count, folder);
        }
    }
    cli_close_service(&service);
    return cli_exit_code(status);
}
