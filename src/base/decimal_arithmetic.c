/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>

#include "base_int.h"
#include "decimal.h"

/* A magnitude of 256 bits, least significant limb first: room for the product of two coefficients,
 * and for one of 36 digits moved by 40 places. */
#define LIMBS 4
struct wide {
    uint64_t limbs[LIMBS];
};

#define SHIFT_MOST 40 /* 10^76 < 2^253 */

static unsigned __int128 magnitude_of(__int128 value)
{
    return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
}

static struct wide wide_of(unsigned __int128 value)
{
    return (struct wide){{(uint64_t)value, (uint64_t)(value >> 64)}};
}

static void wide_multiply_small(struct wide *wide, uint64_t factor)
{
    unsigned __int128 carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (unsigned __int128)wide->limbs[i] * factor;
        wide->limbs[i] = (uint64_t)carry;
        carry >>= 64;
    }
    assert(carry == 0);
}

static struct wide wide_multiply(unsigned __int128 a, unsigned __int128 b)
{
    struct wide low = wide_of(a);
    struct wide high = wide_of(a);
    wide_multiply_small(&low, (uint64_t)b);
    wide_multiply_small(&high, (uint64_t)(b >> 64));
    unsigned __int128 carry = 0;
    for (int i = 1; i < LIMBS; i++) {
        carry += (unsigned __int128)low.limbs[i] + high.limbs[i - 1];
        low.limbs[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return low;
}

static void wide_shift_tens(struct wide *wide, int places)
{
    for (; places > 0; places -= 19) {
        wide_multiply_small(wide, (uint64_t)power_of_ten(places < 19 ? places : 19));
    }
}

/* Divides in place; gives the remainder. */
static uint64_t wide_divide_small(struct wide *wide, uint64_t divisor)
{
    unsigned __int128 rest = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        rest = rest << 64 | wide->limbs[i];
        wide->limbs[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint64_t)rest;
}

static int wide_compare(const struct wide *a, const struct wide *b)
{
    for (int i = LIMBS - 1; i >= 0; i--) {
        if (a->limbs[i] != b->limbs[i]) {
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
        }
    }
    return 0;
}

/* *A += B, or *A -= B where A >= B. */
static void wide_add(struct wide *a, const struct wide *b)
{
    unsigned __int128 carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (unsigned __int128)a->limbs[i] + b->limbs[i];
        a->limbs[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void wide_subtract(struct wide *a, const struct wide *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < LIMBS; i++) {
        uint64_t first = a->limbs[i] - b->limbs[i];
        uint64_t second = first - borrow;
        borrow = (uint64_t)((a->limbs[i] < b->limbs[i]) | (first < borrow));
        a->limbs[i] = second;
    }
}

static bool wide_fits(const struct wide *wide)
{
    struct wide limit = wide_of((unsigned __int128)power_of_ten(DECIMAL_DIGITS));
    return wide_compare(wide, &limit) < 0;
}

/* At least so many digits, from the length in bits: 0.30103 is the logarithm of 2. */
static int wide_digits_least(const struct wide *wide)
{
    for (int i = LIMBS - 1; i >= 0; i--) {
        if (wide->limbs[i] != 0) {
            int bits = 64 * i + 63 - __builtin_clzll(wide->limbs[i]);
            return bits * 30102 / 100000 + 1;
        }
    }
    return 1;
}

/* Does a magnitude whose dropped part is LAST (the first digit dropped) and REST (did anything
 * follow?) go up by one? */
static bool rounds_up(enum decimal_rounding rounding, bool negative, bool odd, unsigned last,
                      bool rest)
{
    switch (rounding) {
    case DECIMAL_HALF_EVEN:
        return last > 5 || (last == 5 && (rest || odd));
    case DECIMAL_HALF_UP:
        return last >= 5;
    case DECIMAL_FLOOR:
        return negative && (last > 0 || rest);
    case DECIMAL_CEILING:
        return !negative && (last > 0 || rest);
    case DECIMAL_TRUNCATE:
        break;
    }
    return false;
}

/* Puts a result of at most 36 digits into the bounds of scale. */
static bool finish(unsigned __int128 magnitude, bool negative, int64_t scale,
                   struct decimal *ret_value)
{
    if (magnitude == 0) {
        scale = scale < 0 ? 0 : scale > DECIMAL_SCALE_MOST ? DECIMAL_SCALE_MOST : scale;
    }
    unsigned last = 0;
    bool rest = false;
    while (scale > DECIMAL_SCALE_MOST && (magnitude != 0 || last != 0)) {
        rest = rest || last != 0;
        last = (unsigned)(magnitude % 10);
        magnitude /= 10;
        scale--;
    }
    if (scale == DECIMAL_SCALE_MOST) {
        magnitude += rounds_up(DECIMAL_HALF_EVEN, negative, magnitude % 2 == 1, last, rest);
    }
    while (scale < -DECIMAL_SCALE_MOST &&
           magnitude < (unsigned __int128)power_of_ten(DECIMAL_DIGITS - 1)) {
        magnitude *= 10;
        scale++;
    }
    if (scale < -DECIMAL_SCALE_MOST) {
        return false;
    }
    scale = scale > DECIMAL_SCALE_MOST ? DECIMAL_SCALE_MOST : scale;
    *ret_value =
        (struct decimal){negative ? -(__int128)magnitude : (__int128)magnitude, (int32_t)scale};
    return true;
}

/* Shortens a wide magnitude to 36 digits. REST: it stands for slightly more. */
static bool finish_wide(struct wide wide, bool negative, bool rest, int64_t scale,
                        struct decimal *ret_value)
{
    unsigned last = 0;
    for (int places = wide_digits_least(&wide) - DECIMAL_DIGITS - 1; places > 0; places -= 19) {
        uint64_t power = (uint64_t)power_of_ten(places < 19 ? places : 19);
        rest = wide_divide_small(&wide, power) != 0 || rest;
        scale -= places < 19 ? places : 19;
    }
    while (!wide_fits(&wide)) {
        rest = rest || last != 0;
        last = (unsigned)wide_divide_small(&wide, 10);
        scale--;
    }
    unsigned __int128 magnitude = (unsigned __int128)wide.limbs[1] << 64 | wide.limbs[0];
    if (rounds_up(DECIMAL_HALF_EVEN, negative, magnitude % 2 == 1, last, rest)) {
        magnitude++;
    }
    if (magnitude == (unsigned __int128)power_of_ten(DECIMAL_DIGITS)) {
        magnitude /= 10;
        scale--;
    }
    return finish(magnitude, negative, scale, ret_value);
}

static bool fits(__int128 coefficient)
{
    __int128 limit = power_of_ten(DECIMAL_DIGITS);
    return coefficient < limit && coefficient > -limit;
}

struct decimal decimal_from_integer(int64_t value)
{
    return (struct decimal){value, 0};
}

bool decimal_from_double(double value, int digits, struct decimal *ret_value)
{
    char text[40];
    struct decimal exact;
    assert(digits >= 1 && digits <= 17);
    int length = snprintf(text, sizeof text, "%.*E", digits - 1, value);
    char *sign = length > 0 ? strchr(text, 'E') : NULL;
    if (sign == NULL || !decimal_parse(slice_of(text, (size_t)length), &exact)) {
        return false;
    }
    *ret_value = decimal_normalise(exact);
    return true;
}

struct decimal decimal_negate(struct decimal value)
{
    return (struct decimal){-value.coefficient, value.scale};
}

int decimal_sign(struct decimal value)
{
    return (value.coefficient > 0) - (value.coefficient < 0);
}

/* HIGH has the smaller scale. */
static bool add_apart(struct decimal high, struct decimal low, struct decimal *ret_value)
{
    int64_t gap = (int64_t)low.scale - high.scale;
    bool rest = false;
    struct wide large = wide_of(magnitude_of(high.coefficient));
    struct wide small = wide_of(magnitude_of(low.coefficient));
    int64_t scale = low.scale;
    if (gap > SHIFT_MOST + DECIMAL_DIGITS) {
        /* Below half of the last of 36 digits whatever HIGH is: only its sign can matter. */
        scale = high.scale + SHIFT_MOST;
        gap = SHIFT_MOST;
        small = wide_of(1);
    }
    for (; gap > SHIFT_MOST; gap--) {
        rest = wide_divide_small(&small, 10) != 0 || rest;
        scale--;
    }
    /* A 1 in the last place stands for all that was cut off: at least four further digits will be
     * dropped, so it only tells a tie from what is no tie. */
    if (rest && small.limbs[0] % 10 == 0) {
        struct wide one = wide_of(1);
        wide_add(&small, &one);
    }
    wide_shift_tens(&large, (int)gap);
    bool negative = high.coefficient < 0;
    if ((high.coefficient < 0) == (low.coefficient < 0)) {
        wide_add(&large, &small);
    } else if (wide_compare(&large, &small) >= 0) {
        wide_subtract(&large, &small);
    } else {
        wide_subtract(&small, &large);
        large = small;
        negative = low.coefficient < 0;
    }
    return finish_wide(large, negative, false, scale, ret_value);
}

bool decimal_add(struct decimal a, struct decimal b, struct decimal *ret_value)
{
    struct decimal high = a.scale <= b.scale ? a : b;
    struct decimal low = a.scale <= b.scale ? b : a;
    int64_t gap = (int64_t)low.scale - high.scale;
    __int128 sum;
    if (gap <= DECIMAL_DIGITS &&
        !__builtin_mul_overflow(high.coefficient, power_of_ten((int)gap), &sum) &&
        !__builtin_add_overflow(sum, low.coefficient, &sum) && fits(sum)) {
        *ret_value = (struct decimal){sum, low.scale};
        return true;
    }
    if (high.coefficient == 0) {
        *ret_value = low;
        return true;
    }
    if (low.coefficient == 0) {
        /* Zeros as far as they fit. */
        int room = DECIMAL_DIGITS - count_digits((__int128)magnitude_of(high.coefficient));
        int places = gap < room ? (int)gap : room;
        *ret_value = (struct decimal){high.coefficient * power_of_ten(places > 0 ? places : 0),
                                      high.scale + (places > 0 ? places : 0)};
        return true;
    }
    return add_apart(high, low, ret_value);
}

bool decimal_subtract(struct decimal a, struct decimal b, struct decimal *ret_value)
{
    return decimal_add(a, decimal_negate(b), ret_value);
}

bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *ret_value)
{
    __int128 product;
    int64_t scale = (int64_t)a.scale + b.scale;
    if (!__builtin_mul_overflow(a.coefficient, b.coefficient, &product) && fits(product) &&
        scale <= DECIMAL_SCALE_MOST && scale >= -DECIMAL_SCALE_MOST) {
        *ret_value = (struct decimal){product, (int32_t)scale};
        return true;
    }
    bool negative = (a.coefficient < 0) != (b.coefficient < 0);
    return finish_wide(wide_multiply(magnitude_of(a.coefficient), magnitude_of(b.coefficient)),
                       negative, false, scale, ret_value);
}

/* A quotient in the making: QUOTIENT is the digits so far, REST < DIVISOR what is left. */
struct division {
    unsigned __int128 quotient, rest, divisor;
    int spare; /* places by which the rest can be moved at once */
};

static struct division begin_division(__int128 a, __int128 b)
{
    struct division division = {.divisor = magnitude_of(b)};
    division.quotient = magnitude_of(a) / division.divisor;
    division.rest = magnitude_of(a) % division.divisor;
    division.spare = 38 - count_digits((__int128)division.divisor);
    assert(division.spare > 0);
    division.spare = division.spare > 19 ? 19 : division.spare;
    return division;
}

/* PLACES further digits of the quotient. */
static void divide_on(struct division *division, int places)
{
    while (places > 0) {
        int step = places < division->spare ? places : division->spare;
        unsigned __int128 power = (unsigned __int128)power_of_ten(step);
        unsigned __int128 moved = division->rest * power;
        division->quotient = division->quotient * power + moved / division->divisor;
        division->rest = moved % division->divisor;
        places -= step;
    }
}

bool decimal_divide(struct decimal a, struct decimal b, int digits, enum decimal_rounding rounding,
                    struct decimal *ret_value)
{
    assert(digits >= 1 && digits <= DECIMAL_DIGITS);
    if (b.coefficient == 0) {
        return false;
    }
    int64_t scale = (int64_t)a.scale - b.scale;
    int64_t wanted = scale > 0 ? scale : 0; /* of an exact quotient */
    bool negative = (a.coefficient < 0) != (b.coefficient < 0);
    if (a.coefficient == 0) {
        return finish(0, false, wanted, ret_value);
    }
    struct division division = begin_division(a.coefficient, b.coefficient);
    /* One digit more than asked for decides, with the rest, how to round. */
    while (division.rest != 0 && count_digits((__int128)division.quotient) <= digits) {
        int places = digits + 1 - count_digits((__int128)division.quotient);
        if (division.quotient == 0) {
            places =
                count_digits((__int128)division.divisor) - count_digits((__int128)division.rest);
            places = places > 0 ? places : 1;
        }
        divide_on(&division, places);
        scale += places;
    }
    unsigned __int128 magnitude = division.quotient;
    unsigned last = 0;
    bool rest = false;
    while (count_digits((__int128)magnitude) > digits) {
        rest = rest || last != 0;
        last = (unsigned)(magnitude % 10);
        magnitude /= 10;
        scale--;
    }
    bool inexact = division.rest != 0 || rest || last != 0;
    if (rounds_up(rounding, negative, magnitude % 2 == 1, last, rest || division.rest != 0)) {
        magnitude++;
        if (count_digits((__int128)magnitude) > digits) {
            magnitude /= 10;
            scale--;
        }
    }
    while (!inexact && scale > wanted && magnitude % 10 == 0) {
        magnitude /= 10;
        scale--;
    }
    while (!inexact && scale < 0 && count_digits((__int128)magnitude) < digits) {
        magnitude *= 10;
        scale++;
    }
    return finish(magnitude, negative, scale, ret_value);
}

bool decimal_divide_whole(struct decimal a, struct decimal b, struct decimal *ret_quotient,
                          struct decimal *ret_remainder)
{
    if (b.coefficient == 0) {
        return false;
    }
    int64_t places = (int64_t)b.scale - a.scale;
    if (places < 0) {
        /* B in the places of A; when it does not fit, it is more than A. */
        __int128 divisor;
        if (-places > 38 ||
            __builtin_mul_overflow(b.coefficient, power_of_ten((int)-places), &divisor)) {
            *ret_quotient = decimal_from_integer(0);
            *ret_remainder = a;
            return true;
        }
        *ret_quotient = (struct decimal){a.coefficient / divisor, 0};
        *ret_remainder = (struct decimal){a.coefficient % divisor, a.scale};
        return true;
    }
    struct division division = begin_division(a.coefficient, b.coefficient);
    for (; places > 0; places--) {
        divide_on(&division, 1);
        if (!fits((__int128)division.quotient)) {
            return false;
        }
        if (division.rest == 0 && division.quotient == 0) {
            break; /* A is 0 */
        }
    }
    __int128 quotient = (__int128)division.quotient, rest = (__int128)division.rest;
    bool negative = (a.coefficient < 0) != (b.coefficient < 0);
    *ret_quotient = (struct decimal){negative ? -quotient : quotient, 0};
    *ret_remainder = (struct decimal){a.coefficient < 0 ? -rest : rest, b.scale};
    return true;
}

bool decimal_round(struct decimal value, int32_t scale, enum decimal_rounding rounding,
                   struct decimal *ret_value)
{
    assert(scale >= -DECIMAL_SCALE_MOST && scale <= DECIMAL_SCALE_MOST);
    int64_t more = (int64_t)scale - value.scale;
    if (more >= 0) {
        int digits = count_digits((__int128)magnitude_of(value.coefficient));
        if (value.coefficient != 0 && more + digits > DECIMAL_DIGITS) {
            return false;
        }
        *ret_value = (struct decimal){
            value.coefficient == 0 ? 0 : value.coefficient * power_of_ten((int)more), scale};
        return true;
    }
    bool negative = value.coefficient < 0;
    unsigned __int128 magnitude = magnitude_of(value.coefficient);
    unsigned __int128 rest = 0;
    unsigned last = 0;
    if (-more > 38) {
        rest = magnitude;
        magnitude = 0;
    } else {
        rest = magnitude % (unsigned __int128)power_of_ten((int)-more);
        magnitude /= (unsigned __int128)power_of_ten((int)-more);
        unsigned __int128 unit = (unsigned __int128)power_of_ten((int)-more - 1);
        last = (unsigned)(rest / unit);
        rest %= unit;
    }
    magnitude += rounds_up(rounding, negative, magnitude % 2 == 1, last, rest != 0);
    *ret_value = (struct decimal){negative ? -(__int128)magnitude : (__int128)magnitude, scale};
    return true;
}

bool decimal_power(struct decimal base, int exponent, struct decimal *ret_value)
{
    assert(exponent >= -1000 && exponent <= 1000);
    struct decimal power = decimal_from_integer(1);
    struct decimal square = base;
    unsigned left = (unsigned)(exponent < 0 ? -exponent : exponent);
    while (left > 0) {
        if ((left & 1) != 0 && !decimal_multiply(power, square, &power)) {
            return false;
        }
        left >>= 1;
        if (left > 0 && !decimal_multiply(square, square, &square)) {
            return false;
        }
    }
    if (exponent < 0 && !decimal_divide(decimal_from_integer(1), power, DECIMAL_DIGITS,
                                        DECIMAL_HALF_EVEN, &power)) {
        return false;
    }
    *ret_value = power;
    return true;
}

struct decimal decimal_normalise(struct decimal value)
{
    if (value.coefficient == 0) {
        return decimal_from_integer(0);
    }
    int64_t small = (int64_t)value.coefficient;
    if (small == value.coefficient) { /* nearly always: 128 bits divide slowly */
        while (value.scale > 0 && small % 10 == 0) {
            small /= 10;
            value.scale--;
        }
        value.coefficient = small;
    }
    while (value.scale > 0 && value.coefficient % 10 == 0) {
        value.coefficient /= 10;
        value.scale--;
    }
    while (value.scale < 0 &&
           magnitude_of(value.coefficient) < (unsigned __int128)power_of_ten(DECIMAL_DIGITS - 1)) {
        value.coefficient *= 10;
        value.scale++;
    }
    return value;
}

bool decimal_to_integer(struct decimal value, int64_t *ret_value)
{
    value = decimal_normalise(value);
    if (value.scale != 0 || value.coefficient > INT64_MAX || value.coefficient < INT64_MIN) {
        return false;
    }
    *ret_value = (int64_t)value.coefficient;
    return true;
}
