#include "device.h"
#include "table.h"
#include "values.h"

/* Work on many arrays at once: each is cut into pieces of at most PIECE values, and the pieces are numbered
 * through, so that one kernel goes through those of MOST arrays. Its arguments have room for no more. */
enum { MOST = 32, PIECE = 16 * BLOCK };

template <typename Part> struct Parts {
    size_t count;
    size_t first_piece[MOST + 1]; /* of part i; that of part i + 1 is behind its last one */
    Part parts[MOST];
};

/* MOST of them, from the first on. */
template <typename Part> static Parts<Part> take_parts(const Part *parts, size_t first, size_t count) {
    Parts<Part> some = {smaller(count - first, MOST), {0}, {}};
    for (size_t i = 0; i < some.count; i++) {
        some.parts[i] = parts[first + i];
        some.first_piece[i + 1] = some.first_piece[i] + divide_up(some.parts[i].count, PIECE);
    }
    return some;
}

template <typename Part> static __device__ inline size_t part_of(const Parts<Part> &parts, size_t piece) {
    size_t part = 0;
    while (parts.first_piece[part + 1] <= piece)
        part++;
    return part;
}

static __device__ inline void move(const AdamW &step, float factor, size_t place) {
    const size_t columns = step.columns;
    const size_t i = step.rows ? step.rows[place / columns] * columns + place % columns : place;
    const float g = step.gradient[i] * factor;
    const float first = step.beta1 * step.first[i] + step.rest1 * g;
    const float second = step.beta2 * step.second[i] + step.rest2 * g * g;
    step.first[i] = first;
    step.second[i] = second;
    step.value[i] =
        step.keep * step.value[i] - step.step_size * first / (sqrtf(second) * step.root + step.epsilon);
}

static void adamw(size_t count, const AdamW *steps) {
    for (size_t taken = 0; taken < count; taken += MOST) {
        const Parts<AdamW> some = take_parts(steps, taken, count);
        each_block(some.first_piece[some.count], [=] __device__(size_t piece) {
            const size_t part = part_of(some, piece);
            const AdamW &step = some.parts[part];
            const float factor = *step.factor;
            const size_t first = (piece - some.first_piece[part]) * PIECE;
            for (size_t i = first + threadIdx.x; !isnan(factor) && i < step.count && i < first + PIECE;
                 i += BLOCK)
                move(step, factor, i);
        });
    }
}

static void catch_up(const AdamW *step_, const OwedMoves *owed) {
    const AdamW step = *step_;
    const size_t columns = step.columns;
    each_cell(columns ? step.count / columns : 0, columns, [=] __device__(size_t row, size_t j) {
        const OwedMoves moves = owed[row];
        const size_t i = (step.rows ? step.rows[row] : row) * columns + j;
        const float first = step.first[i], second = step.second[i];
        step.value[i] =
            moves.keep * step.value[i] - moves.step_size * first / (sqrtf(second) * step.root + step.epsilon);
        step.first[i] = first * moves.first;
        step.second[i] = second * moves.second;
    });
}

/* A sum for each piece, and then these, in an order that follows from the sizes alone. */
static void sum_of_squares(size_t count, const FloatArray *arrays, double *total, Arena *) {
    size_t pieces = 0, done = 0;
    for (size_t i = 0; i < count; i++)
        pieces += divide_up(arrays[i].count, PIECE);
    double *sums = static_cast<double *>(device_room(pieces * sizeof *sums));
    for (size_t taken = 0; taken < count; taken += MOST) {
        const Parts<FloatArray> some = take_parts(arrays, taken, count);
        double *own = sums + done;
        done += some.first_piece[some.count];
        each_block(some.first_piece[some.count], [=] __device__(size_t piece) {
            const size_t part = part_of(some, piece);
            const FloatArray &array = some.parts[part];
            const size_t first = (piece - some.first_piece[part]) * PIECE;
            double sum = 0;
            for (size_t i = first + threadIdx.x; i < array.count && i < first + PIECE; i += BLOCK)
                sum += static_cast<double>(array.values[i]) * static_cast<double>(array.values[i]);
            sum = block_sum(sum);
            if (threadIdx.x == 0) own[piece] = sum;
        });
    }
    each_block(1, [=] __device__(size_t) {
        double sum = 0;
        for (size_t i = threadIdx.x; i < pieces; i += BLOCK)
            sum += sums[i];
        sum = block_sum(sum);
        if (threadIdx.x == 0) *total = sum;
    });
}

static void clip(const double *total, double scale, double clip_, float *factor) {
    each(1, [=] __device__(size_t) {
        const double norm = sqrt(*total) * scale;
        *factor = !isfinite(norm)             ? NAN
                  : clip_ > 0 && norm > clip_ ? static_cast<float>(scale * (clip_ / norm))
                                              : static_cast<float>(scale);
    });
}

const OptimizerKernels cuda_optimizer = {adamw, catch_up, sum_of_squares, clip};
