#include "nn/operators/operators.h"

/* Of join_segments and prepend_row. */
typedef struct JoinSegments {
    Tensor *a, *b, *y;
    Parameter *row;                      /* prepend_row: takes the place of a */
    const size_t *a_offsets, *b_offsets; /* uploaded; a_offsets is NULL for prepend_row */
    const size_t *joined_offsets;        /* uploaded for prepend_row */
    Segments joined;
} JoinSegments;

/* Of segment_mean and segment_first. */
typedef struct SegmentRow {
    Tensor *x, *y;
    const size_t *offsets; /* uploaded */
} SegmentRow;

static float *wanted_gradient(Tape *tape, Tensor *x) {
    return x && x->needs_gradient ? tape_gradient(tape, x) : NULL;
}

/* The gradient of a row that stands before each segment: the sum of what their first rows got. */
static void row_backward(Tape *tape, const JoinSegments *join) {
    const size_t segments = join->joined.count, columns = join->y->columns;
    const ArenaMark mark = arena_mark(tape->values);
    float *firsts = tape_take(tape, segments * columns, sizeof *firsts);
    tape->backend->segments->first(segments, columns, join->y->gradient, join->joined_offsets, firsts);
    tape->backend->columns->sums(segments, columns, firsts, parameter_gradient(join->row, tape->backend),
                                 tape->values);
    arena_rewind(tape->values, mark);
}

static void join_backward(Tape *tape, void *context) {
    const JoinSegments *join = context;
    float *da = wanted_gradient(tape, join->a), *db = wanted_gradient(tape, join->b);
    if (da || db)
        tape->backend->segments->join_backward(join->joined.count, join->y->rows, join->y->columns,
                                               join->y->gradient, join->a_offsets, join->b_offsets, da, db);
    if (join->row && join->row->trainable) row_backward(tape, join);
}

/* The rows of a, or the one row, before those of b. */
static Tensor *join(Tape *tape, const float *a_values, bool needs, JoinSegments *join) {
    const size_t rows = segments_rows(join->joined), columns = join->b->columns;
    join->y = tape_tensor(tape, rows, columns, needs || join->b->needs_gradient);
    tape->backend->segments->join(join->joined.count, rows, columns, a_values, join->a_offsets,
                                  join->b->value, join->b_offsets, join->y->value);
    tape_record(tape, join->y, join_backward, join);
    return join->y;
}

Tensor *join_segments(Tape *tape, Tensor *a, Segments a_segments, Tensor *b, Segments b_segments,
                      Segments *joined) {
    const size_t count = a_segments.count;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    for (size_t i = 0; i <= count; i++)
        offsets[i] = a_segments.offsets[i] + b_segments.offsets[i];
    *joined = (Segments){count, offsets};
    return join(tape, a->value, a->needs_gradient,
                TAPE_CONTEXT(tape, JoinSegments, .a = a, .b = b,
                             .a_offsets = tape_upload_offsets(tape, a_segments),
                             .b_offsets = tape_upload_offsets(tape, b_segments), .joined = *joined));
}

Tensor *prepend_row(Tape *tape, Parameter *row, Tensor *x, Segments segments, Segments *longer) {
    const size_t count = segments.count;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    for (size_t i = 0; i <= count; i++)
        offsets[i] = segments.offsets[i] + i;
    *longer = (Segments){count, offsets};
    return join(tape, row->value, row->trainable,
                TAPE_CONTEXT(tape, JoinSegments, .row = row, .b = x,
                             .b_offsets = tape_upload_offsets(tape, segments),
                             .joined_offsets = tape_upload_offsets(tape, *longer), .joined = *longer));
}

static void segment_mean_backward(Tape *tape, void *context) {
    const SegmentRow *mean = context;
    tape->backend->segments->mean_backward(mean->y->rows, mean->x->rows, mean->y->columns, mean->y->gradient,
                                           mean->offsets, tape_gradient(tape, mean->x));
}

Tensor *segment_mean(Tape *tape, Tensor *x, Segments segments) {
    const size_t *offsets = tape_upload_offsets(tape, segments);
    Tensor *y = tape_tensor(tape, segments.count, x->columns, x->needs_gradient);
    tape->backend->segments->mean(segments.count, x->rows, x->columns, x->value, offsets, y->value);
    tape_record(tape, y, segment_mean_backward, TAPE_CONTEXT(tape, SegmentRow, x, y, offsets));
    return y;
}

static void segment_first_backward(Tape *tape, void *context) {
    const SegmentRow *first = context;
    tape->backend->segments->first_backward(first->y->rows, first->y->columns, first->y->gradient,
                                            first->offsets, tape_gradient(tape, first->x));
}

Tensor *segment_first(Tape *tape, Tensor *x, Segments segments) {
    const size_t *offsets = tape_upload_offsets(tape, segments);
    Tensor *y = tape_tensor(tape, segments.count, x->columns, x->needs_gradient);
    tape->backend->segments->first(segments.count, x->columns, x->value, offsets, y->value);
    tape_record(tape, y, segment_first_backward, TAPE_CONTEXT(tape, SegmentRow, x, y, offsets));
    return y;
}
