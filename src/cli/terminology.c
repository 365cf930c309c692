/* SPDX-License-Identifier: MIT */
/* carelayer terminology load: releases of terminologies that an operator has a licence for. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "terms/terms.h"

static const char *const settings[] = {"data", "terminology", NULL};

static const char usage[] =
    "usage: carelayer terminology load --data DIR RELEASE...\n"
    "       carelayer terminology load --terminology FOLDER RELEASE...\n\n"
    "Compiles releases, each a folder or zip as it was fetched, into DIR/terminology, where the\n"
    "server finds them at its next start: SNOMED CT in RF2 (the snapshot of an edition, or of its\n"
    "packages in one folder), and the NHSBSA dictionary of medicines and devices (dm+d). Of "
    "several\n"
    "versions of one terminology the newest is used where none is asked for.";

static int load(const struct cli_arguments *arguments)
{
    const char *folder = config_terminology(&arguments->config, arguments->arena);
    enum status status = disk_make_directory(folder);
    for (size_t i = 1; i < arguments->file_count && status == STATUS_OK; i++) {
        struct outcome outcome;
        struct arena *arena = arena_create(0);
        const char *name = "";
        outcome_init(&outcome, arena);
        status = arena != NULL ? terms_load(arguments->files[i], folder, &outcome, arena, &name)
                               : STATUS_MEMORY;
        if (status == STATUS_OK) {
            (void)printf("loaded %s\n", name);
        } else {
            cli_print_outcome(&outcome, arguments->files[i]);
        }
        arena_destroy(arena);
    }
    bool theirs =
        status == STATUS_NOT_SUPPORTED || status == STATUS_STRUCTURE || status == STATUS_NOT_FOUND;
    return theirs ? CLI_INPUT : cli_exit_code(status);
}

int cli_terminology(int argc, char **argv)
{
    struct cli_arguments arguments;
    int code = cli_read(argc, argv, usage, settings, NULL, &arguments);
    if (code >= 0) {
        return code;
    }
    if (arguments.file_count < 2 || strcmp(arguments.files[0], "load") != 0) {
        (void)fputs("carelayer terminology: say load, and name at least one release; see --help\n",
                    stderr);
        return CLI_USAGE;
    }
    bool said = arguments.config.terminology[0] != '\0' || cli_has_data(&arguments);
    return said ? load(&arguments) : CLI_USAGE;
}
