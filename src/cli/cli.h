/* SPDX-License-Identifier: MIT */
/* cli: one file a subcommand. Exit: 0 success, 1 the input is bad, 2 usage, 3 our fault. */
#ifndef CARELAYER_CLI_CLI_H
#define CARELAYER_CLI_CLI_H

#include "base/base.h"
#include "fhir/fhir.h"
#include "request/request.h"
#include "store/store.h"
#include "terms/terms.h"
#include "validate/validate.h"

enum cli_exit { CLI_OK = 0, CLI_INPUT = 1, CLI_USAGE = 2, CLI_FAULT = 3 };

/* A subcommand: ARGV[0] is its name. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};
extern const struct command cli_commands[]; /* ended by a row without name */

int cli_backup(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_fhirpath(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_log(int argc, char **argv);
int cli_migrate(int argc, char **argv);
int cli_reindex(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_synth(int argc, char **argv);
int cli_terminology(int argc, char **argv);
int cli_validate(int argc, char **argv);

/* Options that a subcommand has beside the settings of the configuration table. */
struct cli_option {
    const char *name;   /* without dashes */
    const char **value; /* takes one: set here; NULL for a switch */
    bool *given;        /* set when it was given; may be NULL */
    const char *help;   /* for --help */
};

struct cli_arguments {
    struct arena *arena; /* process lifetime: settings and file names live here */
    struct config config;
    const char **files; /* what is not an option */
    size_t file_count;
};

/* Reads the command line: settings (those named in SETTINGS, a NULL-ended list), OPTIONS (ended by
 * a row without name) and files. Prints help or what is wrong. -1: go on; else the exit code. */
int cli_read(int argc, char **argv, const char *usage, const char *const *settings,
             const struct cli_option *options, struct cli_arguments *ret_arguments);

/* After the command: gives back what cli_read holds, the arena of the arguments too. */
void cli_end(void);

/* Prints an outcome for people on stderr. */
void cli_print_outcome(const struct outcome *outcome, const char *name);

/* The address of the PostgreSQL server; NULL: the records are in the data folder. */
const char *cli_database(const struct cli_arguments *arguments);

/* Was the data folder said? Else prints how, for an exit with CLI_USAGE. */
bool cli_has_data(const struct cli_arguments *arguments);

/* The exit code that a status stands for. */
int cli_exit_code(enum status status);

/* Opens the compiled definitions of the configuration: the given file, else beside the program,
 * else the installed ones; with packages they are compiled together and cached. Prints what is
 * wrong. */
MUST_CHECK enum status cli_open_definitions(const struct cli_arguments *arguments,
                                            struct definitions **ret_definitions);

/* What judges a resource where there is no store: definitions, and what stands on them. */
struct cli_judges {
    struct definitions *definitions; /* opened first, with cli_open_definitions */
    struct conformance *conformance;
    struct terms *terms;
    struct validator *validator;
};
/* Opens what stands on the definitions. cli_close_judges is right after a failure too. */
MUST_CHECK enum status cli_open_judges(const struct cli_arguments *arguments,
                                       struct outcome *outcome, struct cli_judges *judges);
void cli_close_judges(struct cli_judges *judges);

/* Opens definitions and store for a tool that works on --data; prints what is wrong. Read-only
 * works beside a server that has the folder open. */
enum cli_access { CLI_MAY_CREATE, CLI_MUST_EXIST, CLI_READ_ONLY };
MUST_CHECK enum status cli_open_store(const struct cli_arguments *arguments, enum cli_access access,
                                      struct definitions **ret_definitions,
                                      struct store **ret_store);

/* Definitions, store, access log and workers, as the server, import and export need them. Prints
 * what is wrong; cli_close_service is right after a failure too. */
struct cli_service {
    struct definitions *definitions;
    struct service service;
};
MUST_CHECK enum status cli_open_service(struct cli_arguments *arguments, enum cli_access access,
                                        struct cli_service *ret_service);
void cli_close_service(struct cli_service *opened);

/* A folder that belongs to the program: NAME beside the executable, or under the installed data
 * folder. NULL when there is none. */
const char *cli_program_path(struct arena *arena, const char *name);

/* Progress on a terminal, silence in a pipe. */
struct cli_progress {
    const char *noun; /* "resources" */
    bool shown;
    int64_t started, last;
};
void cli_progress_begin(struct cli_progress *progress, const char *noun);
void cli_progress_show(struct cli_progress *progress, uint64_t done, uint64_t all);
void cli_progress_end(struct cli_progress *progress);
/* The same as a store_progress, CONTEXT being a struct cli_progress. */
void cli_progress_store(void *context, uint64_t done, uint64_t all);

#endif
