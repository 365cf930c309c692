/* SPDX-License-Identifier: MIT */
/* carelayer-definitions OUTPUT PACKAGE...: compiles packages into a blob. The build runs it. */
#include <stdio.h>

#include "fhir/fhir.h"

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: carelayer-definitions OUTPUT PACKAGE...\n", stderr);
        return 2;
    }
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        fputs("carelayer-definitions: no memory\n", stderr);
        return 3;
    }
    struct outcome outcome;
    outcome_init(&outcome, arena);
    enum status status =
        definitions_compile((const char *const *)argv + 2, (size_t)argc - 2, argv[1], &outcome);
    struct buffer text = {.arena = arena};
    outcome_write_text(&outcome, SLICE("carelayer-definitions"), &text);
    if (status != STATUS_OK || outcome.errors > 0) {
        fwrite(text.at, 1, text.length, stderr);
        fprintf(stderr, "carelayer-definitions: %s\n", status_name(status));
    }
    arena_destroy(arena);
    return status == STATUS_OK ? 0 : 1;
}
