/* SPDX-License-Identifier: MIT */
/* Dates in every form, HTTP dates, decimals and natural numbers from any bytes: an accepted date
 * has a range that is not empty, an accepted decimal is written and read back equal. */
#include "fuzz.h"

static void try_dates(struct slice text)
{
    for (int form = DATE_FORM_DATE; form <= DATE_FORM_TIME; form++) {
        struct partial_date date;
        if (date_parse(text, (enum date_form)form, &date)) {
            int64_t low = 0, high = 0;
            date_range(&date, &low, &high);
            must(low < high);
        }
    }
    int64_t instant = 0;
    char back[HTTP_DATE_LENGTH + 1];
    if (http_date_parse(text, &instant)) {
        http_date_write(instant, back);
        /* Second 60 is written as the next minute. */
        must(slice_is(text, back) || text.at[23] == '6');
    }
}

static void try_decimal(struct slice text, struct arena *arena)
{
    struct decimal value, back, low, high;
    if (!decimal_parse(text, &value)) {
        return;
    }
    struct buffer out = {.arena = arena};
    decimal_write(value, &out);
    must(decimal_parse(buffer_slice(&out), &back));
    must(decimal_compare(value, back) == 0 && value.scale == back.scale);
    must(decimal_range(value, &low, &high));
    must(decimal_compare(low, value) < 0 && decimal_compare(value, high) < 0);
    (void)decimal_double(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct slice text = slice_of((const char *)bytes, length);
    struct arena *arena = arena_create((size_t)1 << 20);
    must(arena != NULL);
    uint64_t number = 0;
    (void)slice_to_unsigned(text, UINT64_MAX, &number);
    try_dates(text);
    try_decimal(text, arena);
    arena_destroy(arena);
    return 0;
}
