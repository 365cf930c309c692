/* SPDX-License-Identifier: MIT */
/* store: numbers and quantities made ready: their implicit ranges as exact decimals, in canonical
 * units where the unit is one of UCUM. The index has doubles, which keep the order; where a double
 * equals an end of a range the body decides by these. */
#include "find_int.h"
#include "ucum/ucum.h"

static void set_doubles(struct wanted *wanted)
{
    wanted->number = decimal_double(wanted->exact);
    wanted->low = decimal_double(wanted->exact_low);
    wanted->high = decimal_double(wanted->exact_high);
}

static bool less(struct decimal a, struct decimal b)
{
    return decimal_compare(a, b) < 0;
}

enum status prepare_number(struct wanted *wanted)
{
    const struct store_value *value = wanted->value;
    wanted->exact = value->number;
    wanted->exact_low = value->number_low;
    wanted->exact_high = value->number_high;
    if (value->compare == STORE_AP) { /* ten in a hundred (R4 search, "ap") */
        struct decimal slack, low, high, tenth = {.coefficient = 1, .scale = 1};
        if (!decimal_multiply(value->number, tenth, &slack)) {
            return STATUS_VALUE;
        }
        slack = decimal_sign(slack) < 0 ? decimal_negate(slack) : slack;
        if (!decimal_subtract(value->number, slack, &low) ||
            !decimal_add(value->number, slack, &high)) {
            return STATUS_VALUE;
        }
        wanted->exact_low = less(low, wanted->exact_low) ? low : wanted->exact_low;
        wanted->exact_high = less(wanted->exact_high, high) ? high : wanted->exact_high;
    }
    set_doubles(wanted);
    return STATUS_OK;
}

static bool to_canonical(struct search *search, struct slice unit, struct decimal *number,
                         struct slice *ret_unit)
{
    return ucum_canonical(*number, unit, search->arena, NULL, number, ret_unit) == STATUS_OK;
}

/* "5.4|http://unitsofmeasure.org|g/L" is compared in canonical units (R4 search, "quantity"). */
static bool make_canonical(struct search *search, struct wanted *wanted)
{
    const struct store_value *value = wanted->value;
    struct decimal number = wanted->exact, low = wanted->exact_low, high = wanted->exact_high;
    if (!slice_is(value->system, UCUM_SYSTEM) || value->code.length == 0 ||
        !to_canonical(search, value->code, &number, &wanted->unit) ||
        !to_canonical(search, value->code, &low, &wanted->unit) ||
        !to_canonical(search, value->code, &high, &wanted->unit)) {
        return false;
    }
    wanted->exact = number;
    wanted->exact_low = low;
    wanted->exact_high = high;
    wanted->canonical = true;
    set_doubles(wanted);
    return true;
}

enum status prepare_quantity(struct search *search, struct wanted *wanted)
{
    const struct store_value *value = wanted->value;
    struct store_value unit = {
        .has_system = value->system.length > 0, .system = value->system, .code = value->code};
    struct number_list list = {.arena = search->arena};
    TRY(prepare_number(wanted));
    wanted->any_unit = value->code.length == 0 && value->system.length == 0;
    if (wanted->any_unit) {
        return STATUS_OK;
    }
    if (make_canonical(search, wanted)) {
        unit = (struct store_value){
            .has_system = true, .system = SLICE(CANONICAL_UNITS), .code = wanted->unit};
    }
    /* Otherwise the unit as it is written; "5.4||mg" whatever its system, as code or in words. */
    TRY(find_codes(search, &unit, true, &list));
    wanted->numbers = list.items;
    wanted->number_count = list.count;
    return STATUS_OK;
}
