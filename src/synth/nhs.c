/* SPDX-License-Identifier: MIT */
#include "synth/synth_int.h"

/* The check digit of 999 and these six digits; 10 when there is none (NHS Data Dictionary: weights
 * ten down to two, eleven less the remainder by eleven, eleven read as nought). */
static unsigned check_digit(uint32_t suffix)
{
    unsigned sum = 9 * 10 + 9 * 9 + 9 * 8;
    for (unsigned weight = 2; weight <= 7; weight++) {
        sum += (suffix % 10) * weight;
        suffix /= 10;
    }
    unsigned check = 11 - sum % 11;
    return check == 11 ? 0 : check;
}

uint32_t synth_nhs_capacity(void)
{
    /* Counted once by the test: of a million suffixes these have a check digit. */
    return 909091;
}

const uint32_t *nhs_suffixes(struct arena *arena)
{
    uint32_t *suffixes = arena_array(arena, synth_nhs_capacity(), sizeof *suffixes);
    if (suffixes == NULL) {
        return NULL;
    }
    uint32_t count = 0;
    for (uint32_t suffix = 0; suffix < 1000000 && count < synth_nhs_capacity(); suffix++) {
        if (check_digit(suffix) < 10) {
            suffixes[count++] = suffix;
        }
    }
    return suffixes;
}

void nhs_number(const struct world *world, uint64_t number, char ret_text[static 11])
{
    /* A prime step that does not divide the capacity visits each number once, far from the last. */
    const uint64_t step = 454501;
    uint64_t at = (number * step + world->nhs_offset) % synth_nhs_capacity();
    uint32_t suffix = world->nhs_suffixes[at];
    unsigned check = check_digit(suffix);
    memcpy(ret_text, "999", 3);
    for (int i = 8; i >= 3; i--) {
        ret_text[i] = (char)('0' + suffix % 10);
        suffix /= 10;
    }
    ret_text[9] = (char)('0' + check);
    ret_text[10] = '\0';
}

bool synth_nhs_valid(struct slice text)
{
    if (text.length != 10) {
        return false;
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
        sum += (unsigned)(text.at[i] - '0') * (i < 9 ? 10 - i : 1);
    }
    /* The check digit makes the weighted sum divisible; 10 cannot be written as one digit. */
    return sum % 11 == 0;
}
