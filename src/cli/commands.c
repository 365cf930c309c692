/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

const struct command cli_commands[] = {
    {"export", cli_export, "write every record as NDJSON, one file a type"},
    {"import", cli_import, "store Bundles, resources and NDJSON from files"},
    {"serve", cli_serve, "serve the FHIR API and the web apps"},
    {"synth", cli_synth, "make a synthetic population"},
    {"validate", cli_validate, "check resources against the specification"},
    {NULL, NULL, NULL},
};
