/* SPDX-License-Identifier: MIT */
/* carelayer: a data layer for health and social care. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static void print_usage(FILE *to)
{
    (void)fputs("carelayer: a data layer for health and social care\n\n"
                "usage: carelayer COMMAND [OPTIONS]     carelayer COMMAND --help says more\n\n",
                to);
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        (void)fprintf(to, "  %-10s %s\n", command->name, command->summary);
    }
    (void)fputs("\nExit: 0 success, 1 the input is bad, 2 usage, 3 a fault of the program or the "
                "machine.\n",
                to);
}

/* Where a standard descriptor is closed, the next file opened would get its number, and what is
 * printed would be written into that: a segment of the access log, say. In its place comes one that
 * every use of fails on. */
static bool hold_standard_descriptors(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int number = 0; number < 3; number++) {
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", modes[number]) != number) {
            return false;
        }
    }
    return true;
}

/* What was printed and did not arrive is no success. */
static int settle_output(int code)
{
    bool arrived = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (arrived || code == CLI_USAGE || code == CLI_FAULT) {
        return code;
    }
    (void)fputs("carelayer: the output cannot be written\n", stderr);
    return CLI_FAULT;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    struct slice name = slice_text(argv[1]);
    if (slice_is(name, "--help") || slice_is(name, "-h") || slice_is(name, "help")) {
        print_usage(stdout);
        return CLI_OK;
    }
    if (slice_is(name, "--version")) {
        (void)puts("carelayer " CARELAYER_VERSION);
        return CLI_OK;
    }
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        if (slice_is(name, command->name)) {
            int code = command->run(argc - 1, argv + 1);
            cli_end();
            return code;
        }
    }
    (void)fprintf(stderr, "carelayer: there is no command of that name.\n\n");
    print_usage(stderr);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    (void)umask(077); /* whatever we write may hold records */
    return hold_standard_descriptors() ? settle_output(run(argc, argv)) : CLI_FAULT;
}
