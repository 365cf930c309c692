/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

const struct command cli_commands[] = {
    {"serve", cli_serve, "serve the FHIR API and the web apps"},
    {NULL, NULL, NULL},
};
