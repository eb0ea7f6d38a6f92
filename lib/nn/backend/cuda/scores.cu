#include "device.h"
#include "table.h"
#include "values.h"

static void find_targets(const ScoreTile *tile_, float *to) {
    const ScoreTile tile = *tile_;
    each(tile.rows, [=] __device__(size_t i) {
        const uint32_t column = tile.targets[i] - tile.first;
        if (column < tile.count) to[i] = tile.scores[i * tile.count + column];
    });
}

/* What a thread counts. */
typedef struct Found {
    uint32_t higher, equal, unordered;
} Found;

static __device__ Found look_at_scores(const ScoreTile &tile, const float *scores, float target) {
    Found found = {0, 0, 0};
    for (size_t c = threadIdx.x; c < tile.count; c += BLOCK) {
        found.higher += scores[c] > target;
        found.equal += scores[c] == target;
        found.unordered += scores[c] != scores[c];
    }
    return found;
}

/* Takes back what was counted of masked candidates. */
static __device__ void mask(const ScoreTile &tile, size_t row, const float *scores, float target,
                            Found &found) {
    for (size_t k = tile.masked_offsets[row] + threadIdx.x; k < tile.masked_offsets[row + 1]; k += BLOCK) {
        const uint32_t column = tile.masked[k] - tile.first;
        if (column >= tile.count) continue;
        found.higher -= scores[column] > target;
        found.equal -= scores[column] == target;
        found.equal += target == -INFINITY;
    }
}

static __device__ uint32_t first_bad(const float *scores) {
    uint32_t i = 0;
    while (scores[i] == scores[i])
        i++;
    return i;
}

static void add_standings(const ScoreTile *tile_, const float *target_scores, Standing *standings) {
    const ScoreTile tile = *tile_;
    each_block(tile.rows, [=] __device__(size_t i) {
        const float *scores = tile.scores + i * tile.count, target = target_scores[i];
        Found found = look_at_scores(tile, scores, target);
        mask(tile, i, scores, target, found);
        const uint32_t higher = block_sum(found.higher), equal = block_sum(found.equal);
        const uint32_t unordered = block_sum(found.unordered);
        if (threadIdx.x) return;
        standings[i].higher += higher, standings[i].equal += equal;
        if (unordered && !standings[i].bad) standings[i].bad = tile.first + first_bad(scores);
    });
}

const ScoreKernels cuda_scores = {find_targets, add_standings, cuda_add_best, CUDA_BEST_MOST};
