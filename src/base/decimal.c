/* SPDX-License-Identifier: MIT */
#include "decimal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base_int.h"

#define DIGITS_MOST   DECIMAL_DIGITS
#define EXPONENT_MOST DECIMAL_SCALE_MOST
#define SCALE_MOST    DECIMAL_SCALE_MOST /* so that what is written can be read again */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#define SMALL_MOST (UINT64_MAX / 10 - 1) /* one digit more still fits */

/* Takes the digits at *AT into the coefficient; false when there are none or too many. */
static bool take_digits(struct slice text, size_t *at, __int128 *coefficient, int *digits)
{
    size_t start = *at;
    uint64_t small = *coefficient < (__int128)SMALL_MOST ? (uint64_t)*coefficient : SMALL_MOST;
    for (; small < SMALL_MOST && *at < text.length && is_digit(text.at[*at]); (*at)++) {
        small = small * 10 + (uint64_t)(text.at[*at] - '0');
        *digits += small > 0 ? 1 : 0;
    }
    if (*at > start) {
        *coefficient = small;
    }
    while (*at < text.length && is_digit(text.at[*at])) {
        int digit = text.at[*at] - '0';
        *digits += *digits > 0 || digit > 0 ? 1 : 0;
        if (*digits > DIGITS_MOST) {
            return false;
        }
        *coefficient = *coefficient * 10 + digit;
        (*at)++;
    }
    return *at > start;
}

static bool take_exponent(struct slice text, size_t *at, int32_t *exponent)
{
    bool negative = false;
    (*at)++;
    if (*at < text.length && (text.at[*at] == '-' || text.at[*at] == '+')) {
        negative = text.at[*at] == '-';
        (*at)++;
    }
    size_t start = *at;
    while (*at < text.length && is_digit(text.at[*at])) {
        *exponent = *exponent * 10 + (text.at[*at] - '0');
        if (*exponent > EXPONENT_MOST) {
            return false;
        }
        (*at)++;
    }
    *exponent = negative ? -*exponent : *exponent;
    return *at > start;
}

bool decimal_is_json(struct slice text)
{
    const char *at = text.at;
    const char *end = at + text.length;
    at += at < end && *at == '-';
    if (at == end || !is_digit(*at) || (*at == '0' && at + 1 < end && is_digit(at[1]))) {
        return false;
    }
    while (at < end && is_digit(*at)) {
        at++;
    }
    if (at < end && *at == '.') {
        const char *first = ++at;
        while (at < end && is_digit(*at)) {
            at++;
        }
        if (at == first) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const char *first = at;
        while (at < end && is_digit(*at)) {
            at++;
        }
        if (at == first) {
            return false;
        }
    }
    return at == end;
}

bool decimal_parse(struct slice text, struct decimal *ret_value)
{
    __int128 coefficient = 0;
    int digits = 0;
    size_t at = 0;
    bool negative = text.length > 0 && text.at[0] == '-';
    at += negative ? 1 : 0;
    size_t whole = at;
    if (!take_digits(text, &at, &coefficient, &digits) ||
        (at - whole > 1 && text.at[whole] == '0')) {
        return false;
    }
    size_t fraction = 0;
    if (at < text.length && text.at[at] == '.') {
        at++;
        size_t start = at;
        if (!take_digits(text, &at, &coefficient, &digits)) {
            return false;
        }
        fraction = at - start;
    }
    int32_t exponent = 0;
    if (at < text.length && (text.at[at] == 'e' || text.at[at] == 'E') &&
        !take_exponent(text, &at, &exponent)) {
        return false;
    }
    if (at != text.length || fraction > SCALE_MOST) {
        return false;
    }
    int32_t scale = (int32_t)fraction - exponent;
    if (scale > SCALE_MOST) {
        return false;
    }
    *ret_value = (struct decimal){negative ? -coefficient : coefficient, scale};
    return true;
}

static const uint64_t small_powers[] = {1,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000,
                                        100000000000000000,
                                        1000000000000000000,
                                        10000000000000000000U};

__int128 power_of_ten(int exponent)
{
    assert(exponent >= 0 && exponent <= 38);
    return exponent < 20 ? (__int128)small_powers[exponent]
                         : (__int128)small_powers[19] * (__int128)small_powers[exponent - 19];
}

int count_digits(__int128 magnitude)
{
    int digits = 1;
    if (magnitude >= power_of_ten(19)) {
        for (digits = 20; digits < 39 && magnitude >= power_of_ten(digits); digits++) {
        }
        return digits;
    }
    while (digits < 19 && (uint64_t)magnitude >= small_powers[digits]) {
        digits++;
    }
    return digits;
}

int decimal_compare(struct decimal a, struct decimal b)
{
    int sign_a = (a.coefficient > 0) - (a.coefficient < 0);
    int sign_b = (b.coefficient > 0) - (b.coefficient < 0);
    if (sign_a != sign_b || sign_a == 0) {
        return (sign_a > sign_b) - (sign_a < sign_b);
    }
    if (a.scale == b.scale) {
        return (a.coefficient > b.coefficient) - (a.coefficient < b.coefficient);
    }
    __int128 large_a = sign_a < 0 ? -a.coefficient : a.coefficient;
    __int128 large_b = sign_b < 0 ? -b.coefficient : b.coefficient;
    int digits_a = count_digits(large_a);
    int digits_b = count_digits(large_b);
    int32_t order_a = digits_a - a.scale;
    int32_t order_b = digits_b - b.scale;
    if (order_a != order_b) {
        return order_a > order_b ? sign_a : -sign_a;
    }
    /* Same order of magnitude: with as many digits each, the coefficients compare. */
    if (digits_a < digits_b) {
        large_a *= power_of_ten(digits_b - digits_a);
    } else {
        large_b *= power_of_ten(digits_a - digits_b);
    }
    return sign_a * ((large_a > large_b) - (large_a < large_b));
}

bool decimal_range(struct decimal value, struct decimal *ret_low, struct decimal *ret_high)
{
    if (value.scale < 0 && value.coefficient > -10 && value.coefficient < 10) {
        value.coefficient *= 10;
        value.scale++;
    }
    __int128 tenfold = 0;
    __int128 low = 0, high = 0;
    if (__builtin_mul_overflow(value.coefficient, (__int128)10, &tenfold) ||
        __builtin_sub_overflow(tenfold, (__int128)5, &low) ||
        __builtin_add_overflow(tenfold, (__int128)5, &high) || value.scale == INT32_MAX) {
        return false;
    }
    *ret_low = (struct decimal){low, value.scale + 1};
    *ret_high = (struct decimal){high, value.scale + 1};
    return true;
}

#define DIGITS_BUFFER 40

/* Digits of the magnitude, most significant first; gives how many. */
static size_t write_digits(__int128 coefficient, char ret_digits[static DIGITS_BUFFER])
{
    unsigned __int128 magnitude =
        coefficient < 0 ? -(unsigned __int128)coefficient : (unsigned __int128)coefficient;
    char reversed[DIGITS_BUFFER];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude != 0);
    for (size_t i = 0; i < count; i++) {
        ret_digits[i] = reversed[count - 1 - i];
    }
    return count;
}

double decimal_double(struct decimal value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const __int128 exact = (__int128)1 << 53;
    /* Both exact as doubles: one division rounds once. */
    if (value.coefficient <= exact && value.coefficient >= -exact && value.scale >= 0 &&
        value.scale <= 22) {
        return (double)value.coefficient / powers[value.scale];
    }
    char text[DIGITS_BUFFER + 24];
    char digits[DIGITS_BUFFER];
    size_t count = write_digits(value.coefficient, digits);
    int length = snprintf(text, sizeof text, "%s%.*sE%d", value.coefficient < 0 ? "-" : "",
                          (int)count, digits, -value.scale);
    return length > 0 ? strtod(text, NULL) : 0.0;
}

void decimal_write(struct decimal value, struct buffer *out)
{
    char digits[DIGITS_BUFFER];
    size_t count = write_digits(value.coefficient, digits);
    if (value.coefficient < 0) {
        buffer_add_byte(out, '-');
    }
    if (value.scale < 0 || value.scale > DIGITS_MOST) {
        buffer_add(out, slice_of(digits, count));
        buffer_add_byte(out, 'E');
        buffer_add_signed(out, -(int64_t)value.scale);
        return;
    }
    size_t scale = (size_t)value.scale;
    if (count > scale) {
        buffer_add(out, slice_of(digits, count - scale));
    } else {
        buffer_add_byte(out, '0');
    }
    if (scale > 0) {
        buffer_add_byte(out, '.');
        for (size_t i = count; i < scale; i++) {
            buffer_add_byte(out, '0');
        }
        size_t tail = count < scale ? count : scale;
        buffer_add(out, slice_of(digits + count - tail, tail));
    }
}
