#include "core/random.h"

#include <math.h>

void random_seed(Random *random, uint64_t seed, uint64_t stream) {
    const uint64_t mixed = random_hash(seed, stream);
    for (uint64_t i = 0; i < 4; i++)
        random->state[i] = random_hash(mixed, i);
}

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

uint64_t random_next(Random *random) {
    uint64_t *s = random->state;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_uniform(Random *random) {
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

double random_normal(Random *random) {
    const double radius = sqrt(-2.0 * log(1.0 - random_uniform(random)));
    return radius * cos(2.0 * M_PI * random_uniform(random));
}

uint64_t random_below(Random *random, uint64_t bound) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value;
    do
        value = random_next(random);
    while (value >= limit);
    return value % bound;
}

void random_shuffle(Random *random, uint32_t *values, size_t count) {
    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)random_below(random, i);
        const uint32_t value = values[i - 1];
        values[i - 1] = values[j];
        values[j] = value;
    }
}
