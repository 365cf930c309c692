/* SPDX-License-Identifier: MIT */
#include "random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "time.h"

void random_bytes(void *bytes, size_t length)
{
    char *at = bytes;
    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);
        if (got < 0 && errno != EINTR) {
            abort();
        }
        if (got > 0) {
            at += got;
            length -= (size_t)got;
        }
    }
}

void random_uuid(char ret_text[static UUID_LENGTH + 1])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[16];
    random_bytes(bytes + 6, 10);
    uint64_t millis = (uint64_t)(time_now() / 1000);
    for (int i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)(millis >> (40 - 8 * i));
    }
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x70);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    char *at = ret_text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    *at = '\0';
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream)
{
    uint64_t state = stream;
    state = seed ^ splitmix(&state);
    for (int i = 0; i < 4; i++) {
        random->state[i] = splitmix(&state);
    }
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    /* The high half of a product is fair once the low half is past 2^64 mod bound. */
    unsigned __int128 product = (unsigned __int128)random_next(random) * bound;
    if ((uint64_t)product < bound) {
        uint64_t unfair = -bound % bound;
        while ((uint64_t)product < unfair) {
            product = (unsigned __int128)random_next(random) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* True with probability exp(-X), 0 <= X <= 1, by comparisons alone (von Neumann): a library's
 * exp() or log() may differ in its last digit from one machine to the next. */
static bool happens(struct random *random, double x)
{
    double n = 1;
    bool odd = true;
    while (random_unit(random) < x / n) {
        n += 1;
        odd = !odd;
    }
    return odd;
}

static double exponential(struct random *random)
{
    double whole = 0;
    for (;;) {
        double part = random_unit(random);
        if (happens(random, part)) {
            return whole + part;
        }
        whole += 1;
    }
}

double random_normal(struct random *random)
{
    /* Rejection from the exponential distribution: keep x with probability exp(-(x-1)^2/2). */
    for (;;) {
        double x = exponential(random);
        double away = x - 1;
        double t = away * away * 0.5;
        bool kept = true;
        while (kept && t > 1) {
            kept = happens(random, 1);
            t -= 1;
        }
        if (kept && happens(random, t)) {
            return (random_next(random) >> 63) != 0 ? -x : x;
        }
    }
}
