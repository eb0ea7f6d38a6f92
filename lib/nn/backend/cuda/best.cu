#include "device.h"
#include "nn/backend/ranked_key.h"
#include "table.h"
#include "values.h"

/* A block for each row of scores. In shared memory stand the best so far, sorted, and behind them waits what
 * was found to be better than the last of these. Where there is no more room, all are sorted, and the last of
 * the best is a better one from there on: most scores are only looked at. In which order they wait makes no
 * difference, since no two keys are equal. */

enum { PLACES = 2 * CUDA_BEST_MOST, SCORES = 4 };

typedef struct Contest {
    uint64_t keys[PLACES]; /* the best, and what waits */
    unsigned waiting;      /* or would, if there were room */
} Contest;

/* The largest first; `count` is a power of two. A bitonic sort (Batcher 1968): pieces that fall and rise by
 * turns become such of twice the size. */
static __device__ void sort(uint64_t *keys, unsigned count) {
    for (unsigned size = 2; size <= count; size *= 2)
        for (unsigned apart = size / 2; apart; apart /= 2) {
            __syncthreads();
            for (unsigned pair = threadIdx.x; pair < count / 2; pair += BLOCK) {
                const unsigned i = 2 * pair - pair % apart;
                const uint64_t one = keys[i], other = keys[i + apart];
                if ((one < other) != !(i & size)) continue;
                keys[i] = other, keys[i + apart] = one;
            }
        }
    __syncthreads();
}

/* Lets what waits take its place among the best. */
static __device__ void settle(Contest &contest, unsigned k) {
    const unsigned used = k + (contest.waiting < PLACES - k ? contest.waiting : PLACES - k);
    unsigned count = 1;
    while (count < used)
        count *= 2;
    for (unsigned i = used + threadIdx.x; i < count; i += BLOCK)
        contest.keys[i] = 0;
    sort(contest.keys, count);
    if (threadIdx.x == 0) contest.waiting = 0;
    __syncthreads();
}

static __device__ bool is_masked(const ScoreTile &tile, size_t row, uint32_t candidate) {
    size_t low = tile.masked_offsets[row], high = tile.masked_offsets[row + 1];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (tile.masked[middle] < candidate)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tile.masked_offsets[row + 1] && tile.masked[low] == candidate;
}

/* The keys of a thread's candidates among those from `first` on; 0 for none. Whether a score is not finite.
 */
static __device__ bool look_at_scores(const ScoreTile &tile, size_t row, size_t first,
                                      uint64_t (&keys)[SCORES]) {
    const float *scores = tile.scores + row * tile.count;
    bool bad = false;
    for (unsigned s = 0; s < SCORES; s++) {
        const size_t c = first + s * BLOCK + threadIdx.x;
        const bool there = c < tile.count;
        const float score = there ? scores[c] : 0;
        keys[s] = there && isfinite(score) ? ranked_key(score, tile.first + static_cast<uint32_t>(c)) : 0;
        bad |= !isfinite(score);
    }
    return bad;
}

/* Lets those that are better than the worst wait, as far as there is room, and sets their keys to 0. Whether
 * there was too little. */
static __device__ bool wait_in_line(const ScoreTile &tile, size_t row, unsigned k, Contest &contest,
                                    uint64_t (&keys)[SCORES]) {
    const uint64_t worst = contest.keys[k - 1];
    bool crowded = false;
    for (unsigned s = 0; s < SCORES; s++) {
        if (keys[s] <= worst || is_masked(tile, row, ranked_candidate(keys[s]))) continue;
        const unsigned place = k + atomicAdd(&contest.waiting, 1u);
        if (place < PLACES)
            contest.keys[place] = keys[s], keys[s] = 0;
        else
            crowded = true;
    }
    return crowded;
}

/* Whether a score is not finite. */
static __device__ bool add_row(const ScoreTile &tile, size_t row, unsigned k, Contest &contest) {
    bool bad = false;
    for (size_t first = 0; first < tile.count; first += SCORES * BLOCK) {
        uint64_t keys[SCORES];
        bad |= look_at_scores(tile, row, first, keys);
        while (__syncthreads_or(wait_in_line(tile, row, k, contest, keys)))
            settle(contest, k);
    }
    settle(contest, k);
    return bad;
}

static __device__ uint32_t first_bad(const float *scores) {
    uint32_t i = 0;
    while (isfinite(scores[i]))
        i++;
    return i;
}

void cuda_add_best(const ScoreTile *tile_, const BestCandidates *best_) {
    const ScoreTile tile = *tile_;
    const BestCandidates best = *best_;
    each_block(tile.rows, [=] __device__(size_t i) {
        __shared__ Contest contest;
        uint64_t *keys = best.keys + i * best.k;
        for (size_t place = threadIdx.x; place < best.k; place += BLOCK)
            contest.keys[place] = keys[place];
        if (threadIdx.x == 0) contest.waiting = 0;
        __syncthreads();
        const bool bad = add_row(tile, i, static_cast<unsigned>(best.k), contest);
        for (size_t place = threadIdx.x; place < best.k; place += BLOCK)
            keys[place] = contest.keys[place];
        if (__syncthreads_or(bad) && threadIdx.x == 0 && !best.bad[i])
            best.bad[i] = tile.first + first_bad(tile.scores + i * tile.count);
    });
}
