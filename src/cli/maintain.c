/* SPDX-License-Identifier: MIT */
/* carelayer backup, restore, check, migrate, reindex: looking after the store. */
#include <stdio.h>

#include "cli/cli.h"

static const char *const settings[] = {
    "data", "database", "database-writers", "definitions", "package", "cache", NULL};

/* What a subcommand does once the store is open. */
typedef enum status maintenance(struct store *store, const char *file,
                                struct cli_progress *progress, struct outcome *outcome);

static enum status do_backup(struct store *store, const char *file, struct cli_progress *progress,
                             struct outcome *outcome)
{
    return store_backup(store, file, cli_progress_store, progress, outcome);
}

static enum status do_check(struct store *store, const char *file, struct cli_progress *progress,
                            struct outcome *outcome)
{
    (void)file;
    return store_check(store, cli_progress_store, progress, outcome);
}

static enum status do_reindex(struct store *store, const char *file, struct cli_progress *progress,
                              struct outcome *outcome)
{
    (void)file;
    return store_reindex(store, cli_progress_store, progress, outcome);
}

struct task {
    const char *usage;
    bool needs_file;
    const char *noun;
    const char *success;
    maintenance *run;
    enum cli_access access;
};

static int maintain(int argc, char **argv, const struct task *task)
{
    struct cli_arguments arguments;
    int code = cli_read(argc, argv, task->usage, settings, NULL, &arguments);
    if (code >= 0) {
        return code;
    }
    if (arguments.file_count != (task->needs_file ? 1 : 0)) {
        (void)fprintf(stderr, "carelayer %s: %s; see --help\n", argv[0],
                      task->needs_file ? "name one file" : "takes options only");
        return CLI_USAGE;
    }
    if (!cli_has_data(&arguments)) {
        return CLI_USAGE;
    }
    struct definitions *definitions;
    struct store *store;
    struct outcome outcome;
    struct cli_progress progress;
    outcome_init(&outcome, arguments.arena);
    enum status status = cli_open_store(&arguments, task->access, &definitions, &store);
    if (status != STATUS_OK) {
        return cli_exit_code(status);
    }
    cli_progress_begin(&progress, task->noun);
    status = task->run(store, arguments.files[0], &progress, &outcome);
    cli_progress_end(&progress);
    cli_print_outcome(&outcome, arguments.config.data);
    store_close(store);
    definitions_close(definitions);
    if (status == STATUS_OK && outcome.errors == 0) {
        (void)puts(task->success);
        return CLI_OK;
    }
    return outcome.errors > 0 && status == STATUS_CORRUPT ? CLI_INPUT : cli_exit_code(status);
}

int cli_backup(int argc, char **argv)
{
    static const struct task task = {
        "usage: carelayer backup --data DIR FILE\n\nWrites a whole, consistent copy of the records "
        "to a new file. The server may go on meanwhile.",
        true,
        "pages",
        "backup written",
        do_backup,
        CLI_READ_ONLY};
    return maintain(argc, argv, &task);
}

int cli_check(int argc, char **argv)
{
    static const struct task task = {
        "usage: carelayer check --data DIR\n\nChecks that everything stored agrees: pages, "
        "directory, places, membership, index rows, history. Exit 1 when not.",
        false,
        "resources",
        "everything agrees",
        do_check,
        CLI_READ_ONLY};
    return maintain(argc, argv, &task);
}

int cli_reindex(int argc, char **argv)
{
    static const struct task task = {"usage: carelayer reindex --data DIR\n\nComputes every index "
                                     "row anew from the records; may "
                                     "be stopped and started again.",
                                     false,
                                     "resources",
                                     "index is new",
                                     do_reindex,
                                     CLI_MUST_EXIST};
    return maintain(argc, argv, &task);
}

int cli_restore(int argc, char **argv)
{
    struct cli_arguments arguments;
    int code = cli_read(argc, argv,
                        "usage: carelayer restore --data DIR FILE\n\nMakes a data folder out of a "
                        "backup after checking it; refuses to overwrite records.",
                        settings, NULL, &arguments);
    if (code >= 0) {
        return code;
    }
    if (arguments.file_count != 1 || arguments.config.data[0] == '\0') {
        (void)fputs("carelayer restore: give --data DIR and one backup file\n", stderr);
        return CLI_USAGE;
    }
    if (cli_database(&arguments) != NULL) {
        (void)fputs("carelayer restore: a PostgreSQL server is restored with its own tools "
                    "(docs/operate/postgresql.md)\n",
                    stderr);
        return CLI_USAGE;
    }
    struct outcome outcome;
    struct cli_progress progress;
    outcome_init(&outcome, arguments.arena);
    cli_progress_begin(&progress, "pages");
    enum status status = store_restore(arguments.files[0], arguments.config.data,
                                       cli_progress_store, &progress, &outcome);
    cli_progress_end(&progress);
    cli_print_outcome(&outcome, arguments.files[0]);
    if (status == STATUS_OK) {
        (void)puts("restored");
    }
    return status == STATUS_CORRUPT ? CLI_INPUT : cli_exit_code(status); /* of the backup */
}

int cli_migrate(int argc, char **argv)
{
    struct cli_arguments arguments;
    int code = cli_read(argc, argv,
                        "usage: carelayer migrate --data DIR\n\nBrings the store's schema up to "
                        "this program. The server does it too when it starts.",
                        settings, NULL, &arguments);
    if (code >= 0) {
        return code;
    }
    struct definitions *definitions;
    struct outcome outcome;
    outcome_init(&outcome, arguments.arena);
    if (arguments.file_count > 0) {
        (void)fputs("carelayer migrate: takes options only; see --help\n", stderr);
        return CLI_USAGE;
    }
    if (!cli_has_data(&arguments)) {
        return CLI_USAGE;
    }
    enum status status = cli_open_definitions(&arguments, &definitions);
    if (status == STATUS_OK) {
        struct cli_progress progress;
        cli_progress_begin(&progress, "records brought to the new layout");
        struct store_options options = {.folder = arguments.config.data,
                                        .definitions = definitions,
                                        .database = cli_database(&arguments),
                                        .cache_bytes = arguments.config.cache,
                                        .must_exist = true,
                                        .progress = cli_progress_store,
                                        .context = &progress};
        status = store_migrate(&options, &outcome);
        cli_progress_end(&progress);
        cli_print_outcome(&outcome, arguments.config.data);
        definitions_close(definitions);
    }
    return cli_exit_code(status);
}
