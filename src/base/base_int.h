/* SPDX-License-Identifier: MIT */
/* What the parts of base share among themselves. */
#ifndef CARELAYER_BASE_BASE_INT_H
#define CARELAYER_BASE_BASE_INT_H

#include <stddef.h>
#include <stdint.h>

/* The first and last instant (seconds, UTC) at which clocks of the server's zone show LOCAL
 * (seconds since 1970-01-01T00:00:00 there). They differ in the hour that an autumn change
 * repeats; a time that a spring change skips is read as if the change had not been. */
void zone_instants(int64_t local, int64_t *ret_first, int64_t *ret_last);

/* crc32c as on a machine without the instruction. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t length);

/* 10^EXPONENT, 0..38. */
__int128 power_of_ten(int exponent);

/* Decimal digits of a magnitude (not negative); 0 has one. */
int count_digits(__int128 magnitude);

/* Scales and exponents of decimals stay within plus and minus this. */
#define DECIMAL_SCALE_MOST 400

#endif
