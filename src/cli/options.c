/* SPDX-License-Identifier: MIT */
/* The command line: settings of the configuration table, a command's own options, files. */
#include <stdio.h>

#include "cli/cli.h"
#include "http/http.h"

struct reading {
    int argc;
    char **argv;
    int at;
    const char *const *settings;
    const struct cli_option *options;
    struct cli_arguments *arguments;
    struct outcome outcome;
};

static bool listed(const char *const *settings, const char *name)
{
    for (; *settings != NULL; settings++) {
        if (strcmp(*settings, name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct cli_option *find_option(const struct cli_option *options, const char *name)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (strcmp(options->name, name) == 0) {
            return options;
        }
    }
    return NULL;
}

static enum status complain(struct reading *reading, const char *name, const char *what)
{
    return outcome_fail(&reading->outcome, STATUS_VALUE, name, "%s", what);
}

/* The value of the option at hand: after '=', or the next argument. */
static const char *take_value(struct reading *reading, const char *inline_value)
{
    if (inline_value != NULL) {
        return inline_value;
    }
    return reading->at + 1 < reading->argc ? reading->argv[++reading->at] : NULL;
}

static enum status read_own(struct reading *reading, const struct cli_option *option,
                            const char *inline_value)
{
    if (option->given != NULL) {
        *option->given = true;
    }
    if (option->value == NULL) {
        return inline_value == NULL ? STATUS_OK : complain(reading, option->name, "takes no value");
    }
    *option->value = take_value(reading, inline_value);
    return *option->value != NULL ? STATUS_OK : complain(reading, option->name, "needs a value");
}

static enum status read_setting(struct reading *reading, const char *name, const char *inline_value)
{
    const char *value = inline_value;
    if (value == NULL && config_is_switch(name)) {
        /* A switch may stand alone; "--integrity off" is read too. */
        const char *next = reading->at + 1 < reading->argc ? reading->argv[reading->at + 1] : "";
        bool spelt = strcmp(next, "on") == 0 || strcmp(next, "off") == 0;
        value = spelt ? take_value(reading, NULL) : "on";
    } else {
        value = take_value(reading, inline_value);
    }
    if (value == NULL) {
        return complain(reading, name, "needs a value");
    }
    return config_set(&reading->arguments->config, name, value, reading->arguments->arena,
                      &reading->outcome);
}

static enum status read_option(struct reading *reading, const char *text)
{
    struct slice whole = slice_text(text + 2);
    size_t equals = slice_index(whole, '=');
    const char *name = arena_copy(reading->arguments->arena, slice_head(whole, equals)).at;
    const char *value = equals < whole.length ? whole.at + equals + 1 : NULL;
    const struct cli_option *option = find_option(reading->options, name);
    if (option != NULL) {
        return read_own(reading, option, value);
    }
    if (listed(reading->settings, name)) {
        return read_setting(reading, name, value);
    }
    return complain(reading, name, "there is no such option here: see --help");
}

static void print_help(const char *usage, const char *const *settings,
                       const struct cli_option *options)
{
    static const struct {
        const char *name, *value, *meaning;
    } rows[] = {
#define HELP_ROW(member, name, kind, value, low, high, meaning) {name, value, meaning},
        CONFIG_TABLE(HELP_ROW)
#undef HELP_ROW
    };
    (void)printf("%s\n\noptions:\n", usage);
    for (; options != NULL && options->name != NULL; options++) {
        (void)printf("  --%-18s %s\n", options->name, options->help);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (listed(settings, rows[i].name)) {
            (void)printf("  --%-18s %s", rows[i].name, rows[i].meaning);
            (void)printf(rows[i].value[0] != '\0' ? " [%s]\n" : "\n", rows[i].value);
        }
    }
    (void)printf("  --%-18s %s\n", "config FILE",
                 "read settings from a file of name = value lines");
    (void)printf("  --%-18s %s\n", "help", "this text");
}

/* Is the argument at hand --config? Then also its file: the next argument, or after '='; NULL:
 * there is none. */
static bool is_config(struct reading *reading, const char **ret_file)
{
    static const char option[] = "--config";
    const char *text = reading->argv[reading->at];
    size_t length = sizeof option - 1;
    bool is = strncmp(text, option, length) == 0 && (text[length] == '\0' || text[length] == '=');
    *ret_file = is ? take_value(reading, text[length] == '=' ? text + length + 1 : NULL) : NULL;
    return is;
}

/* The file and the environment come before the command line, whatever the order written. */
static enum status read_other_sources(struct reading *reading)
{
    struct cli_arguments *arguments = reading->arguments;
    for (reading->at = 1; reading->at < reading->argc; reading->at++) {
        const char *file;
        if (strcmp(reading->argv[reading->at], "--") == 0) {
            break;
        }
        if (!is_config(reading, &file)) {
            continue;
        }
        TRY(file != NULL
                ? config_read_file(&arguments->config, file, arguments->arena, &reading->outcome)
                : complain(reading, "config", "needs a value"));
    }
    return config_read_environment(&arguments->config, arguments->arena, &reading->outcome);
}

static enum status read_all(struct reading *reading)
{
    struct cli_arguments *arguments = reading->arguments;
    bool only_files = false;
    TRY(read_other_sources(reading));
    for (reading->at = 1; reading->at < reading->argc; reading->at++) {
        const char *text = reading->argv[reading->at];
        const char *file;
        bool is_option = !only_files && text[0] == '-' && text[1] == '-';
        bool is_short = !only_files && text[0] == '-' && text[1] != '\0' && !is_option;
        if (is_short) {
            return complain(reading, "",
                            "options have two dashes: see --help; a file whose name "
                            "begins with a dash goes after --");
        }
        if (is_option && text[2] == '\0') {
            only_files = true;
        } else if (is_option && is_config(reading, &file)) {
            continue; /* read already */
        } else if (is_option) {
            TRY(read_option(reading, text));
        } else {
            arguments->files[arguments->file_count++] = text;
        }
    }
    return http_check_base_url(&arguments->config, &reading->outcome);
}

/* Of process lifetime: one command is read in a process. */
static struct arena *process_arena;

void cli_end(void)
{
    if (process_arena != NULL) {
        arena_destroy(process_arena);
        process_arena = NULL;
    }
}

int cli_read(int argc, char **argv, const char *usage, const char *const *settings,
             const struct cli_option *options, struct cli_arguments *ret_arguments)
{
    static const char *const no_settings[] = {NULL};
    struct arena *arena = process_arena = arena_create(0);
    const char **files = arena != NULL ? arena_array(arena, (size_t)argc, sizeof *files) : NULL;
    if (files == NULL) {
        return CLI_FAULT;
    }
    process_arena = arena;
    *ret_arguments = (struct cli_arguments){.arena = arena, .files = files};
    config_init(&ret_arguments->config);
    struct reading reading = {.argc = argc,
                              .argv = argv,
                              .settings = settings != NULL ? settings : no_settings,
                              .options = options,
                              .arguments = ret_arguments};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(usage, reading.settings, options);
            return CLI_OK;
        }
    }
    outcome_init(&reading.outcome, arena);
    if (read_all(&reading) != STATUS_OK) {
        cli_print_outcome(&reading.outcome, "carelayer");
        (void)fprintf(stderr, "carelayer %s --help lists the options.\n", argv[0]);
        return CLI_USAGE;
    }
    return -1;
}

void cli_print_outcome(const struct outcome *outcome, const char *name)
{
    struct buffer text = {.arena = outcome->arena};
    outcome_write_text(outcome, slice_text(name), &text);
    if (text.length > 0) {
        (void)fwrite(text.at, 1, text.length, stderr);
    }
}

int cli_exit_code(enum status status)
{
    if (status == STATUS_OK) {
        return CLI_OK;
    }
    if (status == STATUS_REQUIRED) {
        return CLI_USAGE; /* --data is missing */
    }
    bool fault = status_http(status) >= 500 && status != STATUS_NOT_SUPPORTED;
    return fault ? CLI_FAULT : CLI_INPUT;
}
