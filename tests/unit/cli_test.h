/* SPDX-License-Identifier: MIT */
/* What the tests of subcommands share: a folder of their own to work in, and what was printed. */
#ifndef CARELAYER_TESTS_CLI_TEST_H
#define CARELAYER_TESTS_CLI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

static char folder[256];
static char printed[65536];

/* Makes the folder and goes there: 0, or -1. */
static inline int enter_folder(const char *name)
{
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    snprintf(folder, sizeof folder, "%s/carelayer-%s-XXXXXX", parent, name);
    return getenv("CARELAYER_PROGRAM") != NULL && mkdtemp(folder) != NULL && chdir(folder) == 0
               ? 0
               : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "cd / && rm -r '%s'", folder);
    return system(command);
}

/* Runs COMMAND: its exit code, and what it printed in `printed`. */
static inline int run_command(const char *command)
{
    FILE *output = popen(command, "r");
    assert_non_null(output);
    size_t length = fread(printed, 1, sizeof printed - 1, output);
    printed[length] = '\0';
    int status = pclose(output);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#endif
