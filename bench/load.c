/* SPDX-License-Identifier: MIT */
/* carelayer-bench: a load driver for any FHIR R4 server on this machine. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"
#include "report.h"

#define SERVERS_MAX 64
#define EXIT_BAD    1
#define EXIT_USAGE  2
#define EXIT_OURS   3

struct settings {
    struct workload_options work;
    struct driver_options run;
    const char *base;
    const char *workload;
    struct buffer headers;
    pid_t servers[SERVERS_MAX];
    bool json;
    bool warm_up_given;
    bool help;
};

enum option_code {
    OPTION_IDS = 256,
    OPTION_PATHS,
    OPTION_TYPES,
    OPTION_LIMIT,
    OPTION_PAGE,
    OPTION_SEED,
    OPTION_SECONDS,
    OPTION_REQUESTS,
    OPTION_WARM_UP,
    OPTION_SERVER,
    OPTION_HEADER,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option options[] = {
    {"concurrency", required_argument, NULL, 'c'},
    {"threads", required_argument, NULL, 't'},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"requests", required_argument, NULL, OPTION_REQUESTS},
    {"warm-up", required_argument, NULL, OPTION_WARM_UP},
    {"ids", required_argument, NULL, OPTION_IDS},
    {"paths", required_argument, NULL, OPTION_PATHS},
    {"types", required_argument, NULL, OPTION_TYPES},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"page", required_argument, NULL, OPTION_PAGE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"server-pid", required_argument, NULL, OPTION_SERVER},
    {"header", required_argument, NULL, OPTION_HEADER},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static void print_help(FILE *out)
{
    fputs("usage: carelayer-bench [options] BASE WORKLOAD [FILE...]\n\n"
          "Puts a FHIR R4 server under a closed-loop load and says what it gave.\n"
          "BASE is http://HOST[:PORT]/PATH on this machine (loopback only). Workloads:\n\n",
          out);
    for (size_t i = 0; i < workload_count; i++) {
        fprintf(out, "  %-12s %s\n", workloads[i].name, workloads[i].meaning);
    }
    fputs("\n"
          "  -c, --concurrency N   connections (64)\n"
          "  -t, --threads N       threads of the driver (1)\n"
          "      --seconds S       time that counts (10)\n"
          "      --requests N      stop after N requests instead\n"
          "      --warm-up S       time before that (1; import: 0)\n"
          "      --ids FILE        lines `Type/id` instead of a search for them\n"
          "      --types A,B       types that `read` takes ids of (Patient,Observation,Encounter,\n"
          "                        Condition)\n"
          "      --limit N         most ids to ask the server for (10000)\n"
          "      --page N          entries to ask for in `search` (20) and `everything` (1000)\n"
          "      --paths FILE      lines with paths below BASE, for `get`\n"
          "      --header LINE     a further request header; may be repeated\n"
          "      --server-pid N    process whose CPU time is taken; may be repeated\n"
          "      --seed N          of the choices that sessions make (1)\n"
          "      --json            one line of JSON instead of a table\n\n"
          "Exit: 0 done and no error, 1 the server failed some or all requests, 2 usage,\n"
          "3 our fault.\n",
          out);
}

static bool to_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_number)
{
    return slice_to_unsigned(slice_text(text), high, ret_number) && *ret_number >= low;
}

static bool to_seconds(const char *text, double *ret_seconds)
{
    char *end;
    errno = 0;
    *ret_seconds = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && *ret_seconds >= 0 && *ret_seconds <= 1e6;
}

static bool add_server(struct settings *settings, const char *text)
{
    uint64_t pid;
    if (settings->run.server_count == SERVERS_MAX || !to_number(text, 1, INT32_MAX, &pid)) {
        return false;
    }
    settings->servers[settings->run.server_count++] = (pid_t)pid;
    return true;
}

static bool add_header(struct settings *settings, const char *line)
{
    if (strchr(line, ':') == NULL || strpbrk(line, "\r\n") != NULL) {
        return false;
    }
    buffer_add_text(&settings->headers, line);
    buffer_add_text(&settings->headers, "\r\n");
    return true;
}

/* Takes one option. False: its value is bad. */
static bool take_option(struct settings *settings, int code, const char *value)
{
    uint64_t number = 0;
    switch (code) {
    case 'c':
        return to_number(value, 1, 100000, &number) &&
               (settings->run.concurrency = (unsigned)number) > 0;
    case 't':
        return to_number(value, 1, 64, &number) && (settings->run.threads = (unsigned)number) > 0;
    case OPTION_SECONDS:
        return to_seconds(value, &settings->run.seconds) && settings->run.seconds > 0;
    case OPTION_REQUESTS:
        return to_number(value, 1, UINT64_MAX / 2, &settings->run.requests);
    case OPTION_WARM_UP:
        settings->warm_up_given = true;
        return to_seconds(value, &settings->run.warm_up);
    case OPTION_LIMIT:
        return to_number(value, 1, 10000000, &settings->work.limit);
    case OPTION_PAGE:
        return to_number(value, 1, 1000000, &settings->work.page);
    case OPTION_SEED:
        return to_number(value, 0, UINT64_MAX / 2, &settings->work.seed);
    case OPTION_SERVER:
        return add_server(settings, value);
    case OPTION_HEADER:
        return add_header(settings, value);
    case OPTION_IDS:
        settings->work.ids = value;
        return true;
    case OPTION_PATHS:
        settings->work.paths = value;
        return true;
    case OPTION_TYPES:
        settings->work.types = value;
        return true;
    case OPTION_JSON:
        return settings->json = true;
    default:
        return settings->help = true;
    }
}

static bool take_arguments(int count, char **arguments, struct settings *settings)
{
    int code, index = 0;
    while ((code = getopt_long(count, arguments, "c:t:", options, &index)) != -1) {
        if (code == '?') {
            return false;
        }
        if (!take_option(settings, code, optarg)) {
            fprintf(stderr, "carelayer-bench: %s is no value for that option; see --help.\n",
                    optarg);
            return false;
        }
    }
    if (settings->help) {
        return true;
    }
    if (count - optind < 2) {
        fputs("carelayer-bench: give BASE and WORKLOAD; see --help.\n", stderr);
        return false;
    }
    settings->base = arguments[optind];
    settings->workload = arguments[optind + 1];
    settings->work.files = (const char **)(void *)(arguments + optind + 2);
    settings->work.file_count = (size_t)(count - optind - 2);
    return true;
}

static int report(const struct settings *settings, const struct work *work, enum status status,
                  const struct driver_result *result, struct arena *arena)
{
    struct buffer out = {.arena = arena};
    if (settings->json) {
        report_write_json(work, &settings->run, result, &out);
    } else {
        report_write_table(work, &settings->run, result, &out);
    }
    fwrite(out.at, 1, out.length, stdout);
    if (status == STATUS_TRANSIENT) {
        fputs("carelayer-bench: the server stopped answering; the run was broken off.\n", stderr);
    } else if (status != STATUS_OK || !buffer_ok(&out)) {
        fputs("carelayer-bench: no memory or descriptors for the run (see ulimit -n).\n", stderr);
        return EXIT_OURS;
    }
    return status == STATUS_OK && result->errors == 0 && result->requests > 0 ? EXIT_SUCCESS
                                                                              : EXIT_BAD;
}

static int run(struct settings *settings, struct arena *arena)
{
    struct target target;
    const char *problem;
    struct work work = {.target = &target, .options = &settings->work, .arena = arena};
    work.workload = workload_find(settings->workload);
    if (work.workload == NULL) {
        fputs("carelayer-bench: there is no such workload; see --help.\n", stderr);
        return EXIT_USAGE;
    }
    if (target_parse(settings->base, arena, &target, &problem) != STATUS_OK) {
        fprintf(stderr, "carelayer-bench: %s\n", problem);
        return EXIT_USAGE;
    }
    target.headers = buffer_slice(&settings->headers);
    if (work.workload->prepare(&work) != STATUS_OK) {
        fprintf(stderr, "carelayer-bench: %s\n",
                work.problem != NULL ? work.problem : "the workload could not be prepared");
        return EXIT_BAD;
    }
    if (work.once || settings->run.requests > 0) {
        settings->run.seconds = 0;
        settings->run.warm_up = settings->warm_up_given && !work.once ? settings->run.warm_up : 0;
    }
    settings->run.server = settings->servers;
    static struct driver_result result;
    enum status status = driver_run(&work, &settings->run, arena, &result);
    return report(settings, &work, status, &result, arena);
}

int main(int count, char **arguments)
{
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        fputs("carelayer-bench: no memory.\n", stderr);
        return EXIT_OURS;
    }
    struct settings settings = {
        .work = {.types = "Patient,Observation,Encounter,Condition", .limit = 10000, .seed = 1},
        .run = {.concurrency = 64, .threads = 1, .warm_up = 1, .seconds = 10},
        .headers = {.arena = arena},
    };
    signal(SIGPIPE, SIG_IGN);
    int code;
    if (!take_arguments(count, arguments, &settings)) {
        code = EXIT_USAGE;
    } else if (settings.help) {
        print_help(stdout);
        code = EXIT_SUCCESS;
    } else {
        code = run(&settings, arena);
    }
    arena_destroy(arena);
    return code;
}
