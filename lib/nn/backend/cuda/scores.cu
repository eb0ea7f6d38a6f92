#include "device.h"
#include "table.h"
#include "values.h"

static void pick(size_t count, const float *from, const size_t *places, float *to) {
    each(count, [=] __device__(size_t i) { to[i] = from[places[i]]; });
}

static void compare(size_t rows, size_t count, const float *scores, size_t stride, const float *targets,
                    ScoreCounts *counts) {
    each_block(rows, [=] __device__(size_t i) {
        const float target = targets[i];
        uint32_t higher = 0, equal = 0, unordered = 0;
        for (size_t c = threadIdx.x; c < count; c += BLOCK) {
            const float score = scores[i * stride + c];
            higher += score > target;
            equal += score == target;
            unordered += score != score;
        }
        higher = block_sum(higher), equal = block_sum(equal), unordered = block_sum(unordered);
        if (threadIdx.x) return;
        counts[i].higher += higher, counts[i].equal += equal, counts[i].unordered += unordered;
    });
}

const ScoreKernels cuda_scores = {pick, compare};
