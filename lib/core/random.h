/* Random numbers that are the same on every machine: xoshiro256** for sequences (Blackman and Vigna 2018),
 * seeded by splitmix64, and a hash of (seed, index) where many threads need a number each. */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct Random {
    uint64_t state[4];
} Random;

/* `stream` separates the users of one seed (initialisation, shuffling, …). */
void random_seed(Random *random, uint64_t seed, uint64_t stream);
uint64_t random_next(Random *random);

/* Uniform in [0, 1). */
double random_uniform(Random *random);

/* Normal with mean 0 and deviation 1 (Box and Muller). */
double random_normal(Random *random);

/* Uniform in 0 … bound − 1, without bias; bound > 0. */
uint64_t random_below(Random *random, uint64_t bound);

/* Fisher and Yates. */
void random_shuffle(Random *random, uint32_t *values, size_t count);

/* 64 well-mixed bits of a seed and an index; the same on any thread. */
static inline uint64_t random_hash(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
