/* SPDX-License-Identifier: MIT */
/* Prints docs/operate/configuration.md from the table of settings. */
#include <stdio.h>

#include "base/base.h"

int main(void)
{
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return 3;
    }
    struct buffer out = {.arena = arena};
    config_write_manual(&out);
    bool written = buffer_ok(&out) && fwrite(out.at, 1, out.length, stdout) == out.length &&
                   fflush(stdout) == 0;
    arena_destroy(arena);
    return written ? 0 : 3;
}
