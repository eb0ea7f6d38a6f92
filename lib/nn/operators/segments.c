#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct JoinSegments {
    Tensor *a, *b, *y;
    Parameter *row; /* prepend_row: takes the place of a */
    Segments a_segments, b_segments;
} JoinSegments;

/* Of segment_mean and segment_first. */
typedef struct SegmentRow {
    Tensor *x, *y;
    Segments segments;
} SegmentRow;

static void copy_rows(float *to, const float *from, size_t rows, size_t columns) {
    if (rows) memcpy(to, from, rows * columns * sizeof *to);
}

static void join_segments_backward(Tape *tape, void *context) {
    const JoinSegments *join = context;
    const size_t columns = join->y->columns;
    const size_t *a = join->a_segments.offsets, *b = join->b_segments.offsets;
    float *da = join->a->needs_gradient ? tape_gradient(tape, join->a) : NULL;
    float *db = join->b->needs_gradient ? tape_gradient(tape, join->b) : NULL;
#pragma omp parallel for schedule(static) if (join->y->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < join->a_segments.count; i++) {
        const float *dy = join->y->gradient + (a[i] + b[i]) * columns;
        const size_t first = (a[i + 1] - a[i]) * columns, second = (b[i + 1] - b[i]) * columns;
        for (size_t j = 0; da && j < first; j++)
            da[a[i] * columns + j] += dy[j];
        for (size_t j = 0; db && j < second; j++)
            db[b[i] * columns + j] += dy[first + j];
    }
}

Tensor *join_segments(Tape *tape, Tensor *a, Segments a_segments, Tensor *b, Segments b_segments,
                      Segments *joined) {
    const size_t columns = a->columns, count = a_segments.count;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    for (size_t i = 0; i <= count; i++)
        offsets[i] = a_segments.offsets[i] + b_segments.offsets[i];
    *joined = (Segments){count, offsets};
    Tensor *y = tape_tensor(tape, offsets[count], columns, a->needs_gradient || b->needs_gradient);
#pragma omp parallel for schedule(static) if (y->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++) {
        const size_t first = segments_length(a_segments, i);
        float *to = y->value + offsets[i] * columns;
        copy_rows(to, a->value + a_segments.offsets[i] * columns, first, columns);
        copy_rows(to + first * columns, b->value + b_segments.offsets[i] * columns,
                  segments_length(b_segments, i), columns);
    }
    tape_record(tape, y, join_segments_backward,
                TAPE_CONTEXT(tape, JoinSegments, a, b, y, NULL, a_segments, b_segments));
    return y;
}

static void prepend_row_backward(Tape *tape, void *context) {
    const JoinSegments *join = context;
    const size_t columns = join->y->columns;
    const size_t *b = join->b_segments.offsets;
    float *db = join->b->needs_gradient ? tape_gradient(tape, join->b) : NULL;
    for (size_t i = 0; i < join->b_segments.count; i++) {
        const float *dy = join->y->gradient + (b[i] + i) * columns;
        for (size_t j = 0; join->row->trainable && j < columns; j++)
            join->row->gradient[j] += dy[j];
        for (size_t j = 0; db && j < (b[i + 1] - b[i]) * columns; j++)
            db[b[i] * columns + j] += dy[columns + j];
    }
    join->row->touched = join->row->touched || join->row->trainable;
}

Tensor *prepend_row(Tape *tape, Parameter *row, Tensor *x, Segments segments, Segments *longer) {
    const size_t columns = x->columns, count = segments.count;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    for (size_t i = 0; i <= count; i++)
        offsets[i] = segments.offsets[i] + i;
    *longer = (Segments){count, offsets};
    Tensor *y = tape_tensor(tape, offsets[count], columns, x->needs_gradient || row->trainable);
    for (size_t i = 0; i < count; i++) {
        float *to = y->value + offsets[i] * columns;
        copy_rows(to, row->value, 1, columns);
        copy_rows(to + columns, x->value + segments.offsets[i] * columns, segments_length(segments, i),
                  columns);
    }
    tape_record(tape, y, prepend_row_backward,
                TAPE_CONTEXT(tape, JoinSegments, NULL, x, y, row, {0}, segments));
    return y;
}

static void segment_mean_backward(Tape *tape, void *context) {
    const SegmentRow *mean = context;
    const size_t columns = mean->y->columns;
    float *dx = tape_gradient(tape, mean->x);
#pragma omp parallel for schedule(static) if (mean->x->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < mean->segments.count; i++) {
        const float factor = 1.0f / (float)segments_length(mean->segments, i);
        const float *dy = mean->y->gradient + i * columns;
        for (size_t t = mean->segments.offsets[i]; t < mean->segments.offsets[i + 1]; t++)
            for (size_t j = 0; j < columns; j++)
                dx[t * columns + j] += factor * dy[j];
    }
}

Tensor *segment_mean(Tape *tape, Tensor *x, Segments segments) {
    const size_t columns = x->columns;
    Tensor *y = tape_tensor(tape, segments.count, columns, x->needs_gradient);
#pragma omp parallel for schedule(static) if (x->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments.count; i++) {
        float *to = y->value + i * columns;
        memset(to, 0, columns * sizeof *to);
        for (size_t t = segments.offsets[i]; t < segments.offsets[i + 1]; t++)
            for (size_t j = 0; j < columns; j++)
                to[j] += x->value[t * columns + j];
        const size_t length = segments_length(segments, i);
        for (size_t j = 0; length && j < columns; j++)
            to[j] /= (float)length;
    }
    tape_record(tape, y, segment_mean_backward, TAPE_CONTEXT(tape, SegmentRow, x, y, segments));
    return y;
}

static void segment_first_backward(Tape *tape, void *context) {
    const SegmentRow *first = context;
    const size_t columns = first->y->columns;
    float *dx = tape_gradient(tape, first->x);
#pragma omp parallel for schedule(static) if (first->y->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < first->segments.count; i++) {
        if (!segments_length(first->segments, i)) continue;
        float *to = dx + first->segments.offsets[i] * columns;
        for (size_t j = 0; j < columns; j++)
            to[j] += first->y->gradient[i * columns + j];
    }
}

Tensor *segment_first(Tape *tape, Tensor *x, Segments segments) {
    const size_t columns = x->columns;
    Tensor *y = tape_tensor(tape, segments.count, columns, x->needs_gradient);
    for (size_t i = 0; i < segments.count; i++) {
        float *to = y->value + i * columns;
        if (segments_length(segments, i))
            copy_rows(to, x->value + segments.offsets[i] * columns, 1, columns);
        else
            memset(to, 0, columns * sizeof *to);
    }
    tape_record(tape, y, segment_first_backward, TAPE_CONTEXT(tape, SegmentRow, x, y, segments));
    return y;
}
