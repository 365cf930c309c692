/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

const struct command cli_commands[] = {
    {"backup", cli_backup, "copy the records to a file"},
    {"check", cli_check, "check that everything stored agrees"},
    {"export", cli_export, "write every record as NDJSON, one file a type"},
    {"fhirpath", cli_fhirpath, "evaluate a FHIRPath expression on a resource"},
    {"import", cli_import, "store Bundles, resources and NDJSON from files"},
    {"migrate", cli_migrate, "bring a store up to this version of the program"},
    {"reindex", cli_reindex, "compute the search index anew"},
    {"restore", cli_restore, "make a data folder out of a backup"},
    {"serve", cli_serve, "serve the FHIR API and the web apps"},
    {"synth", cli_synth, "make a synthetic population"},
    {"terminology", cli_terminology, "load releases of SNOMED CT and dm+d"},
    {"validate", cli_validate, "check resources against the specification"},
    {NULL, NULL, NULL},
};
