/* SPDX-License-Identifier: MIT */
/* `near` (R4 location.html#search): places within a distance of a point. */
#include "search/search_int.h"
#include "ucum/ucum.h"

/* "If the distance is omitted, then the server can use its own discretion" */
#define NEAR_METRES 5000

static bool read_degrees(struct slice text, double most, double *ret_degrees)
{
    struct decimal number;
    if (!decimal_parse(text, &number)) {
        return false;
    }
    *ret_degrees = decimal_double(number);
    return *ret_degrees >= -most && *ret_degrees <= most;
}

bool read_near(struct planning *planning, struct slice text, struct store_value *value)
{
    size_t count;
    struct decimal distance;
    struct slice *parts = split_values(planning->arena, text, '|', &count);
    if (parts == NULL || count < 2 || count > 4 || !read_degrees(parts[0], 90, &value->latitude) ||
        !read_degrees(parts[1], 180, &value->longitude)) {
        return false;
    }
    value->metres = NEAR_METRES;
    bool has_unit = count == 4 && parts[3].length > 0;
    if (count == 2 || parts[2].length == 0) {
        return !has_unit;
    }
    if (!decimal_parse(parts[2], &distance) || decimal_sign(distance) < 0) {
        return false;
    }
    struct slice unit = has_unit ? unescape(planning->arena, parts[3]) : SLICE("km");
    if (ucum_convert(distance, unit, SLICE("m"), NULL, &distance) != STATUS_OK) {
        return false;
    }
    value->metres = decimal_double(distance);
    return true;
}
