/* SPDX-License-Identifier: MIT */
/* Units from any bytes: what is read has words, is equal to itself, and is worth something in base
 * units that can be read again. Two codes with a zero byte between them are compared. */

#include "fuzz.h"
#include "ucum/ucum.h"

static void try_unit(struct slice code, struct arena *arena)
{
    size_t at = 0;
    const char *fault = ucum_fault(code, &at);
    struct ucum_unit unit, again;
    struct slice text, base;
    struct decimal value;
    must(at <= code.length);
    must((ucum_parse(code, NULL, &unit) == STATUS_OK) == (fault == NULL));
    if (fault != NULL) {
        return;
    }
    must(ucum_display(code, arena, NULL, &text) == STATUS_OK);
    must(unit.mixed || ucum_equal(&unit, &unit));
    must(unit.numerator.coefficient > 0 && unit.denominator.coefficient > 0);
    enum status status = ucum_canonical(decimal_from_integer(1), code, arena, NULL, &value, &base);
    must(!unit.mixed || status == STATUS_UNPROCESSABLE);
    if (status == STATUS_OK && base.length <= UCUM_CODE_LENGTH && ucum_fault(base, &at) == NULL) {
        must(ucum_parse(base, NULL, &again) == STATUS_OK && ucum_commensurable(&unit, &again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct slice rest = slice_of((const char *)bytes, length);
    struct arena *arena = arena_create((size_t)1 << 20);
    must(arena != NULL);
    struct slice first = slice_cut(&rest, '\0');
    try_unit(first, arena);
    if (rest.at != NULL) {
        int there = 0, back = 0;
        struct decimal a = decimal_from_integer(3), b = decimal_from_integer(5);
        try_unit(rest, arena);
        enum status status = ucum_compare(a, first, b, rest, NULL, &there);
        if (status == STATUS_OK && ucum_compare(b, rest, a, first, NULL, &back) == STATUS_OK) {
            must((there > 0) - (there < 0) == (back < 0) - (back > 0));
        }
    }
    arena_destroy(arena);
    return 0;
}
