/* Every kernel of another backend against the plain one of the processor, over many shapes: on any machine
 * the CUDA kernels run as fibers on the host, in orders drawn from a seed; with PM_TEST_DEVICE=cuda, on a
 * card. */
#include "kernel_comparison.h"

#include "eval/top_k.h"
#include "nn/backend/ranked_key.h"

/* ---- Elements ---- */

static void call_round(Run *run) {
    float *from = floats(run, run->rows);
    run->backend->elements->round(run->rows, from, halves(run, run->rows));
}

static void call_add(Run *run) {
    float *from = floats(run, run->rows);
    run->backend->elements->add(run->rows, from, floats(run, run->rows));
}

static void call_add_scaled(Run *run) {
    float *from = floats(run, run->rows), *scale = chosen(run, 0) ? floats(run, 1) : NULL;
    run->backend->elements->add_scaled(run->rows, 0.7f, scale, from, floats(run, run->rows));
}

static void call_multiply(Run *run) {
    float *a = floats(run, run->rows), *b = floats(run, run->rows);
    run->backend->elements->multiply(run->rows, a, b, floats(run, run->rows));
    run->backend->elements->add_products(run->rows, a, b, floats(run, run->rows));
}

static void call_relu(Run *run) {
    float *x = floats(run, run->rows), *y = floats(run, run->rows), *dy = floats(run, run->rows);
    run->backend->elements->relu(run->rows, x, y);
    run->backend->elements->relu_backward(run->rows, y, dy, floats(run, run->rows));
}

static void call_add_dropped(Run *run) {
    const Dropout dropout = some_dropout(run, chosen(run, 0));
    float *x = floats(run, run->rows), *to = floats(run, run->rows);
    float *base = chosen(run, 1) ? chosen(run, 2) ? to : floats(run, run->rows) : NULL;
    run->backend->elements->add_dropped(run->rows, base, x, dropout, to);
}

static void call_weighted_sum(Run *run) {
    WeightedScalars scalars = {.count = run->rows};
    for (size_t i = 0; i < run->rows; i++) {
        scalars.values[i] = floats(run, 1);
        scalars.weights[i] = random_normal(&run->random);
    }
    run->backend->elements->weighted_sum(&scalars, floats(run, 1));
}

static void test_elements(void) {
    const size_t *const rows = SIZES(0, 1, 255, 256, 257, 70000);
    compare(call_round, 0, rows, WIDTHS(1));
    compare(call_add, 0, rows, WIDTHS(1));
    compare(call_add_scaled, 1, rows, WIDTHS(1));
    compare(call_multiply, 0, rows, WIDTHS(1));
    compare(call_relu, 0, rows, WIDTHS(1));
    compare(call_add_dropped, 3, rows, WIDTHS(1));
    compare(call_weighted_sum, 0, SIZES(0, 1, 2, 8), WIDTHS(1));
}

/* ---- Memory ---- */

static void call_memory(Run *run) {
    const size_t count = run->rows;
    float *values = floats(run, count), *filled = floats(run, count), *copied = floats(run, count);
    run->backend->memory->fill(count, 0.5f, filled);
    run->backend->memory->copy(count * sizeof *values, values, copied);
}

static void test_memory(void) {
    compare(call_memory, 0, SIZES(0, 1, 1000, 20000, 3000000), WIDTHS(1));
}

/* ---- Columns ---- */

static void call_columns(Run *run) {
    const size_t wide = run->columns + 5;
    float *from = floats(run, run->rows * wide), *copied = floats(run, run->rows * wide);
    float *added = floats(run, run->rows * run->columns);
    run->backend->columns->copy(run->rows, run->columns, from + 2, wide, copied + 3, wide);
    run->backend->columns->add(run->rows, run->columns, from + 2, wide, added, run->columns);
}

static void call_column_sums(Run *run) {
    float *from = floats(run, run->rows * run->columns);
    run->backend->columns->sums(run->rows, run->columns, from, floats(run, run->columns), run->scratch);
}

static void test_columns(void) {
    compare(call_columns, 0, SOME_ROWS, SOME_COLUMNS);
    compare(call_column_sums, 0, SOME_ROWS, SOME_COLUMNS);
    compare(call_column_sums, 0, SIZES(20000), WIDTHS(1, 40));
}

/* ---- Rows ---- */

static void call_gather(Run *run) {
    float *from = floats(run, 50 * run->columns);
    uint32_t *rows = numbers(run, run->rows, 50);
    run->backend->rows->gather(run->rows, run->columns, from, rows, floats(run, run->rows * run->columns));
}

/* Lists of very different lengths: with option 0 nearly all rows go to one target. */
static void call_scatter_add(Run *run) {
    const size_t rows = run->rows, most = rows + 1;
    uint32_t *targets = memory_need(most, sizeof *targets), *order = memory_need(most, sizeof *order);
    size_t *starts = memory_need(most + 1, sizeof *starts), lists = 0;
    for (size_t i = 0; i < rows; i++) {
        order[i] = (uint32_t)i;
        if (!i || !random_below(&run->random, chosen(run, 0) ? 200 : 3)) {
            targets[lists] = (uint32_t)(2 * lists);
            starts[lists++] = i;
        }
    }
    starts[lists] = rows;
    random_shuffle(&run->random, order, (uint32_t)rows);
    float *from = floats(run, rows * run->columns), *to = floats(run, 2 * (lists + 1) * run->columns);
    const RowLists row_lists = {lists, rows, add_array(run, ARRAY_INTEGERS, targets, lists * sizeof *targets),
                                add_array(run, ARRAY_INTEGERS, starts, (lists + 1) * sizeof *starts),
                                add_array(run, ARRAY_INTEGERS, order, rows * sizeof *order)};
    run->backend->rows->scatter_add(run->columns, from, &row_lists, to, run->scratch);
    free(targets);
    free(order);
    free(starts);
}

static void call_embedding_sum(Run *run) {
    EmbeddingSum sum = {.count = run->rows, .columns = run->columns, .table_count = 1 + chosen(run, 1) * 3u};
    if (chosen(run, 0)) sum.base = floats(run, run->rows * run->columns);
    for (size_t t = 0; t < sum.table_count; t++) {
        sum.tables[t].table = floats(run, 20 * run->columns);
        if (t != 1) sum.tables[t].rows = numbers(run, run->rows, 20);
        sum.tables[t].row = 7;
    }
    sum.y = floats(run, run->rows * run->columns);
    run->backend->rows->embedding_sum(&sum);
}

static void call_normalise(Run *run) {
    const size_t count = run->rows * run->columns;
    float *x = floats(run, count), *y = floats(run, count), *inverse = floats(run, run->rows);
    float *dy = floats(run, count), *dx = floats(run, count);
    if (run->rows > 1) run->backend->memory->fill(run->columns, 0, x);
    run->backend->rows->normalise(run->rows, run->columns, x, y, inverse);
    if (run->rows > 1) run->backend->memory->fill(1, 1, inverse);
    run->backend->rows->normalise_backward(run->rows, run->columns, y, inverse, dy, dx);
}

static void call_cut_patches(Run *run) {
    const size_t patch = run->columns, size = 3 * patch, pixels = run->rows * 3 * size * size;
    float *from = floats(run, pixels);
    run->backend->rows->cut_patches(run->rows, 3, size, patch, from, floats(run, pixels));
}

static void test_rows(void) {
    compare(call_gather, 0, SOME_ROWS, SOME_COLUMNS);
    compare(call_scatter_add, 1, SIZES(0, 1, 2, 64, 65, 128, 700), WIDTHS(1, 31, 33, 200));
    compare(call_embedding_sum, 2, SOME_ROWS, WIDTHS(1, 33, 257));
    compare(call_normalise, 0, SOME_ROWS, SOME_COLUMNS);
    compare(call_cut_patches, 0, SIZES(0, 1, 5), WIDTHS(1, 4, 7));
}

/* ---- Segments ---- */

static void call_join(Run *run) {
    const size_t count = run->rows, columns = run->columns;
    const bool one_row = chosen(run, 0);
    size_t *a_host, *b_host;
    size_t *a_offsets = offsets(run, count, 5, &a_host), *b_offsets = offsets(run, count, 7, &b_host);
    const size_t a_rows = one_row ? count : a_host[count], rows = a_rows + b_host[count];
    float *a = floats(run, (one_row ? 1 : a_rows) * columns), *b = floats(run, b_host[count] * columns);
    float *y = floats(run, rows * columns), *dy = floats(run, rows * columns);
    float *da = one_row || chosen(run, 1) ? NULL : floats(run, a_rows * columns);
    float *db = chosen(run, 2) ? NULL : floats(run, b_host[count] * columns);
    if (one_row) a_offsets = NULL;
    run->backend->segments->join(count, rows, columns, a, a_offsets, b, b_offsets, y);
    run->backend->segments->join_backward(count, rows, columns, dy, a_offsets, b_offsets, da, db);
    free(a_host);
    free(b_host);
}

static void call_segment_rows(Run *run) {
    const SegmentKernels *segments = run->backend->segments;
    const size_t count = run->rows, columns = run->columns;
    size_t *host, *places = offsets(run, count, 9, &host);
    const size_t rows = host[count];
    float *x = floats(run, rows * columns), *y = floats(run, count * columns),
          *dy = floats(run, count * columns);
    segments->mean(count, rows, columns, x, places, y);
    segments->mean_backward(count, rows, columns, dy, places, floats(run, rows * columns));
    segments->first(count, columns, x, places, floats(run, count * columns));
    segments->first_backward(count, columns, dy, places, floats(run, rows * columns));
    free(host);
}

static void test_segments(void) {
    compare(call_join, 3, SIZES(0, 1, 2, 40), WIDTHS(1, 33, 300));
    compare(call_segment_rows, 0, SIZES(0, 1, 2, 40), SOME_COLUMNS);
}

/* ---- Activations ---- */

static void call_activation(Run *run, Activation activation) {
    const size_t count = run->rows * run->columns;
    const bool rounds = chosen(run, 0);
    float *bias = chosen(run, 1) ? floats(run, run->columns) : NULL, *z = floats(run, count);
    uint16_t *kept = rounds ? halves(run, count) : NULL;
    const Values y = {chosen(run, 2) ? z : floats(run, count), rounds ? halves(run, count) : NULL};
    run->backend->activations->forward(run->rows, run->columns, activation, bias, z, kept, y);
    float *gradient = floats(run, count), *again = floats(run, count);
    const Values before = {rounds ? NULL : floats(run, count), rounds ? halves(run, count) : NULL};
    const Values values = {chosen(run, 1) ? again : NULL, rounds ? halves(run, count) : NULL};
    run->backend->activations->backward(run->rows, run->columns, activation, before, values, gradient,
                                        rounds ? halves(run, count) : NULL,
                                        chosen(run, 2) ? floats(run, run->columns) : NULL, run->scratch);
}

static void call_none(Run *run) {
    call_activation(run, ACTIVATION_NONE);
}

static void call_relu_activation(Run *run) {
    call_activation(run, ACTIVATION_RELU);
}

static void call_gelu(Run *run) {
    call_activation(run, ACTIVATION_GELU);
}

static void call_quick_gelu(Run *run) {
    call_activation(run, ACTIVATION_QUICK_GELU);
}

static void call_sigmoid(Run *run) {
    call_activation(run, ACTIVATION_SIGMOID);
}

static void test_activations(void) {
    static const Kernel kernels[] = {call_none, call_relu_activation, call_gelu, call_quick_gelu,
                                     call_sigmoid};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        compare(kernels[i], 3, SIZES(0, 1, 33, 130), WIDTHS(1, 33, 257));
}

/* ---- Layer norm ---- */

static void call_layer_norm(Run *run) {
    const size_t rows = run->rows, columns = run->columns, count = rows * columns;
    const bool drops = chosen(run, 0), residual = drops || chosen(run, 1), adds = chosen(run, 2);
    run->tolerance = 3e-4; /* of a column that is nearly constant little is left */
    const Dropout dropout = some_dropout(run, drops);
    float *weight = floats(run, columns), *n = floats(run, count), *inverse = floats(run, rows);
    const LayerNormForward forward = {rows,
                                      columns,
                                      residual ? floats(run, count) : NULL,
                                      floats(run, count),
                                      weight,
                                      floats(run, columns),
                                      dropout,
                                      1e-2f,
                                      floats(run, count),
                                      adds ? halves(run, count) : NULL,
                                      adds ? n : NULL,
                                      adds ? inverse : NULL};
    run->backend->layer_norm->forward(&forward);
    const bool trains = chosen(run, 1);
    const LayerNormBackward backward = {rows,
                                        columns,
                                        weight,
                                        n,
                                        inverse,
                                        floats(run, count),
                                        dropout,
                                        residual ? floats(run, count) : NULL,
                                        floats(run, count),
                                        adds,
                                        !adds,
                                        trains ? floats(run, columns) : NULL,
                                        trains ? floats(run, columns) : NULL};
    run->backend->layer_norm->backward(&backward, run->scratch);
}

static void test_layer_norm(void) {
    compare(call_layer_norm, 3, SOME_ROWS, SOME_COLUMNS);
}

/* ---- Attention ---- */

static void lay_out_places(Attention *attention, const size_t *queries, const size_t *keys, size_t *places) {
    for (size_t s = 0; s < attention->segments; s++) {
        const size_t rows = queries[s + 1] - queries[s], columns = keys[s + 1] - keys[s];
        const size_t stride = (columns + ATTENTION_STRIDE - 1) / ATTENTION_STRIDE * ATTENTION_STRIDE;
        places[s + 1] = places[s] + attention->heads * rows * stride;
        if (rows > attention->most_queries) attention->most_queries = rows;
        if (columns > attention->most_keys) attention->most_keys = columns;
    }
    attention->query_rows = queries[attention->segments];
    attention->key_rows = keys[attention->segments];
    attention->place_count = places[attention->segments];
}

/* Segments of up to `rows` rows; with option 1 queries and keys are of different ones. */
static void attend(Run *run, float *(*inputs)(Run *run, size_t count)) {
    enum { SEGMENTS = 5, HEADS = 2 };
    const size_t width = run->columns, columns = HEADS * width;
    const bool apart = chosen(run, 1) && !chosen(run, 0);
    size_t *query_host, *key_host, *places = memory_need(SEGMENTS + 1, sizeof *places);
    Attention attention = {.segments = SEGMENTS, .heads = HEADS, .width = width, .causal = chosen(run, 0)};
    attention.queries = offsets(run, SEGMENTS, run->rows, &query_host);
    attention.keys = apart ? offsets(run, SEGMENTS, run->rows, &key_host) : attention.queries;
    if (!apart) key_host = query_host;
    lay_out_places(&attention, query_host, key_host, places);
    attention.places = add_array(run, ARRAY_INTEGERS, places, (SEGMENTS + 1) * sizeof *places);
    attention.scale = 1.0f / sqrtf((float)width);
    attention.dropout = some_dropout(run, chosen(run, 2));
    attention.q_stride = attention.k_stride = attention.v_stride = 3 * columns;
    const size_t most = attention.query_rows > attention.key_rows ? attention.query_rows : attention.key_rows;
    float *qkv = inputs(run, 3 * most * columns), *gradient = floats(run, 3 * most * columns);
    attention.q = qkv, attention.k = qkv + columns, attention.v = qkv + 2 * columns;
    const size_t count = attention.query_rows * columns;
    const Values y = {floats(run, count), chosen(run, 2) ? halves(run, count) : NULL};
    const float *dy = inputs(run, count);
    const size_t kept = run->backend->attention->kept_size(&attention) * sizeof(float);
    float *left = attention.kept = run->backend->memory->take(kept);
    run->backend->attention->forward(&attention, y, run->scratch);
    /* Of one key, what goes back to queries and keys cancels out, which shows where nothing is added to it.
     */
    const bool replaces = !apart && run->rows > 2;
    const AttentionGradients gradients = {gradient, gradient + columns, apart ? NULL : gradient + 2 * columns,
                                          replaces};
    run->backend->attention->backward(&attention, y.values, dy, gradients, run->scratch);
    attention.kept = NULL;
    const Values forward_only = {floats(run, count), NULL};
    run->backend->attention->forward(&attention, forward_only, run->scratch);
    run->backend->memory->release(left, kept);
    free(query_host);
    if (apart) free(key_host);
    free(places);
}

static void call_attention(Run *run) {
    attend(run, floats);
}

/* Inputs lose nothing when they are rounded. Probabilities and the gradients of scores do, 2⁻⁸ of each at
 * most, before they are multiplied. */
static void call_attention_in_bf16(Run *run) {
    run->tolerance = 0x1p-7;
    attend(run, short_floats);
}

static void test_attention(void) {
    compare(call_attention, 3, SIZES(0, 1, 2, 31, 32, 33, 100), WIDTHS(1, 16, 33, 64, 130));
    compare(call_attention, 3, SIZES(512), WIDTHS(64));
}

static void test_attention_in_bf16(void) {
    const Backend *const plain = other;
    other = other_bf16;
    compare(call_attention_in_bf16, 3, SIZES(0, 1, 2, 16, 17, 33, 64, 65, 130), WIDTHS(32, 64));
    compare(call_attention_in_bf16, 3, SIZES(512), WIDTHS(64));
    compare(call_attention_in_bf16, 0, SIZES(40), WIDTHS(33));
    other = plain;
}

/* ---- Sequences ---- */

/* Of the rows' sequences about a third begin in each of the first steps. */
enum { STEPS = 9 };

static Steps steps_of(Run *run, size_t starts[STEPS + 1]) {
    starts[0] = 0;
    for (size_t t = 0; t < STEPS; t++)
        starts[t + 1] = starts[t] + (t < 2 ? (run->rows * (t + 1) + 2) / 3 : run->rows);
    return (Steps){starts[STEPS], STEPS,
                   add_array(run, ARRAY_INTEGERS, starts, (STEPS + 1) * sizeof *starts)};
}

static void call_recurrence(Run *run) {
    size_t starts[STEPS + 1];
    const size_t rows = steps_of(run, starts).rows, d = run->columns, sequences = run->rows;
    const float *inputs = floats(run, rows * 3 * d), *products = floats(run, sequences * 3 * d);
    float *h = floats(run, rows * d), *kept = chosen(run, 0) ? floats(run, rows * 4 * d) : NULL;
    for (size_t t = 0; t < STEPS; t++) {
        const size_t row = starts[t], before = t ? row - starts[t - 1] : 0;
        run->backend->sequences->recurrent_step(
            &(RecurrentStep){starts[t + 1] - row, before, d, inputs + row * 3 * d, products,
                             h + (row - before) * d, h + row * d, kept ? kept + row * 4 * d : NULL});
    }
    const float *keeps = floats(run, rows * 4 * d), *dy = floats(run, rows * d);
    float *di = floats(run, rows * 3 * d), *dg = floats(run, rows * 3 * d);
    float *beginning = floats(run, sequences * 3 * d), *carried = floats(run, sequences * d);
    for (size_t t = STEPS; t-- > 0;) {
        const size_t row = starts[t], before = t ? row - starts[t - 1] : 0;
        run->backend->sequences->recurrent_step_backward(&(RecurrentStepBackward){
            starts[t + 1] - row, before, d, h + (row - before) * d, keeps + row * 4 * d, dy + row * d,
            di + row * 3 * d, dg + (row - before) * 3 * d, beginning, carried});
    }
}

static void call_windows(Run *run) {
    size_t starts[STEPS + 1];
    const Steps steps = steps_of(run, starts);
    const size_t kernel = chosen(run, 0) ? 3 : 2, dilation = chosen(run, 1) ? 4 : 1;
    const size_t count = steps.rows * run->columns;
    float *x = floats(run, count), *y = floats(run, count * kernel), *dy = floats(run, count * kernel);
    run->backend->sequences->windows(steps, run->columns, kernel, dilation, x, y);
    run->backend->sequences->windows_backward(steps, run->columns, kernel, dilation, dy, floats(run, count));
}

static void test_sequences(void) {
    compare(call_recurrence, 1, SIZES(0, 1, 5, 70), WIDTHS(1, 33, 257));
    compare(call_windows, 2, SIZES(0, 1, 5, 70), WIDTHS(1, 33, 257));
}

/* ---- Losses ---- */

/* Numbers below `bound`, in each of `count` lists rising. */
static uint32_t *rising(Run *run, const size_t *host, size_t count, size_t bound) {
    uint32_t *values = memory_need(host[count] + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        for (size_t number = 0, k = host[i]; k < host[i + 1]; number++)
            if (random_below(&run->random, bound - number) < host[i + 1] - k) values[k++] = (uint32_t)number;
    uint32_t *array = add_array(run, ARRAY_INTEGERS, values, host[count] * sizeof *values);
    free(values);
    return array;
}

static void call_debiased(Run *run) {
    enum { FIRST = 2, USERS = 4 };
    const size_t rows = run->rows, count = run->columns;
    size_t *host, *own = offsets(run, USERS, count < 6 ? count - 1 : 6, &host);
    const DebiasedLoss loss = {numbers(run, FIRST + rows, count),
                               numbers(run, FIRST + rows, USERS),
                               own,
                               rising(run, host, USERS, count),
                               floats(run, count),
                               floats(run, count)};
    float *scores = floats(run, rows * count);
    run->backend->losses->debiased(rows, FIRST, count, 0.25f, &loss, scores, doubles(run, rows));
    free(host);
}

/* An anchor's positives: one to three, the same one perhaps more than once. */
static size_t *some_positives(Run *run, size_t anchors, size_t **host) {
    *host = memory_need(anchors + 1, sizeof **host);
    for (size_t i = 0; i < anchors; i++)
        (*host)[i + 1] = (*host)[i] + 1 + random_below(&run->random, 3);
    return add_array(run, ARRAY_INTEGERS, *host, (anchors + 1) * sizeof **host);
}

static void call_contrastive(Run *run) {
    enum { FIRST = 2, GROUPS = 3 };
    const size_t rows = run->rows, anchors = FIRST + rows, count = run->columns;
    size_t *groups_host, *excluded_host, *positives_host;
    float *weights = floats(run, count);
    run->backend->memory->fill(count, 3, weights);
    uint32_t *groups = numbers(run, anchors, GROUPS);
    size_t *group_offsets = offsets(run, GROUPS, 4, &groups_host);
    size_t *excluded_offsets = offsets(run, anchors, 3, &excluded_host);
    size_t *positive_offsets = some_positives(run, anchors, &positives_host);
    const ContrastiveLoss loss = {5.0f,
                                  weights,
                                  groups,
                                  group_offsets,
                                  numbers(run, groups_host[GROUPS], count),
                                  excluded_offsets,
                                  numbers(run, excluded_host[anchors], count),
                                  positive_offsets,
                                  numbers(run, positives_host[anchors], count),
                                  3};
    float *scores = floats(run, rows * count);
    run->backend->losses->contrastive(rows, FIRST, count, 0.25f, &loss, scores, doubles(run, rows),
                                      run->scratch);
    free(groups_host);
    free(excluded_host);
    free(positives_host);
}

static void call_softmax(Run *run) {
    uint32_t *classes = numbers(run, run->rows, run->columns);
    float *scores = floats(run, run->rows * run->columns);
    run->backend->losses->softmax(run->rows, run->columns, 0.5f, classes, scores, doubles(run, run->rows));
}

static void call_mean(Run *run) {
    double *losses = doubles(run, run->rows);
    run->backend->losses->mean(run->rows, losses, floats(run, 1));
}

static void test_losses(void) {
    compare(call_debiased, 0, SOME_ROWS, WIDTHS(1, 2, 33, 257, 1030));
    compare(call_contrastive, 0, SOME_ROWS, WIDTHS(1, 2, 33, 257, 1030));
    compare(call_softmax, 0, SOME_ROWS, WIDTHS(1, 2, 33, 257, 1030));
    compare(call_mean, 0, SIZES(0, 1, 255, 3000), WIDTHS(1));
}

/* ---- Scores ---- */

/* Small ones, of which many are equal. */
static float *whole_numbers(Run *run, size_t count) {
    float *values = memory_need(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_below(&run->random, 7) - 3;
    float *array = add_array(run, ARRAY_F32, values, count * sizeof *values);
    free(values);
    return array;
}

static void call_scores(Run *run) {
    enum { FIRST = 9, AROUND = 40 };
    const size_t rows = run->rows, columns = run->columns, all = FIRST + columns + AROUND;
    size_t *host, *masked_offsets = offsets(run, rows, columns < 30 ? columns : 30, &host);
    float *scores = whole_numbers(run, rows * columns), *targets = whole_numbers(run, rows);
    const ScoreTile tile = {
        rows, columns, FIRST, scores, numbers(run, rows, all), masked_offsets, rising(run, host, rows, all)};
    Standing *standings = (Standing *)(void *)numbers(run, 3 * rows, 10);
    run->backend->scores->find_targets(&tile, targets);
    if (rows && chosen(run, 0)) run->backend->memory->fill(1, -INFINITY, targets);
    if (rows) run->backend->memory->fill(rows, 0, (float *)(void *)standings);
    if (rows && columns > 2 && chosen(run, 1)) run->backend->memory->fill(2, NAN, scores + 1);
    run->backend->scores->add_standings(&tile, targets, standings);
    free(host);
}

enum { TILES = 3 };

/* What the processor's backend leaves to top_k, over all tiles of a row. */
static void select_by_top_k(size_t row, const ScoreTile *tiles, const BestCandidates *best) {
    ScoredItem *items = memory_need(best->k, sizeof *items);
    const size_t first = tiles->masked_offsets[row], masked = tiles->masked_offsets[row + 1] - first;
    TopK top;
    top_k_start(&top, items, best->k, tiles->masked + first, masked);
    for (int t = 0; t < TILES; t++) {
        uint32_t *candidates = memory_need(tiles[t].count, sizeof *candidates);
        for (size_t c = 0; c < tiles[t].count; c++)
            candidates[c] = tiles[t].first + (uint32_t)c;
        top_k_add(&top, candidates, tiles[t].count, tiles[t].scores + row * tiles[t].count);
        free(candidates);
    }
    top_k_sort(&top);
    best->bad[row] = top.bad;
    for (size_t i = 0; i < best->k; i++)
        best->keys[row * best->k + i] = i < top.count ? ranked_key(items[i].score, items[i].item) : 0;
    free(items);
}

/* Equal ones, different ones, or such that each is the best so far. */
static float *scores_of_a_kind(Run *run, size_t rows, size_t columns, int kind) {
    if (kind < 2) return kind ? floats(run, rows * columns) : whole_numbers(run, rows * columns);
    float *values = memory_need(rows * columns + 1, sizeof *values);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = (float)(i % columns) - 100;
    float *array = add_array(run, ARRAY_F32, values, rows * columns * sizeof *values);
    free(values);
    return array;
}

static void *zeros(Run *run, size_t bytes) {
    void *values = memory_need(bytes + 1, 1), *array = add_array(run, ARRAY_INTEGERS, values, bytes);
    free(values);
    return array;
}

static void select_best(Run *run, size_t k, int kind) {
    const size_t rows = run->rows, columns = run->columns, all = TILES * columns + 1;
    size_t *host, *masked_offsets = offsets(run, rows, columns < 30 ? columns : 30, &host);
    const uint32_t *masked = rising(run, host, rows, all);
    const BestCandidates best = {k, zeros(run, rows * k * sizeof(uint64_t)),
                                 zeros(run, rows * sizeof(uint32_t))};
    ScoreTile tiles[TILES];
    for (size_t t = 0; t < TILES; t++) {
        float *scores = scores_of_a_kind(run, rows, columns, kind);
        if (rows && kind == 3 && t) run->backend->memory->fill(1, t == 1 ? -INFINITY : NAN, scores + 1);
        tiles[t] = (ScoreTile){.rows = rows,
                               .count = columns,
                               .first = (uint32_t)(1 + t * columns),
                               .scores = scores,
                               .masked_offsets = masked_offsets,
                               .masked = masked};
        if (run->backend->scores->add_best) run->backend->scores->add_best(&tiles[t], &best);
    }
    for (size_t i = 0; i < rows && !run->backend->scores->add_best; i++)
        select_by_top_k(i, tiles, &best);
    free(host);
}

static void call_best(Run *run) {
    static const size_t ks[] = {1, 10, 700, 1024};
    select_best(run, ks[run->variant % 4], run->variant / 4);
}

static void test_scores(void) {
    compare(call_scores, 2, SOME_ROWS, SOME_COLUMNS);
    compare(call_best, 4, SIZES(0, 1, 9), WIDTHS(2, 33, 1030, 3000));
}

/* ---- The optimizer ---- */

/* Arrays of very different lengths, one behind the other. */
enum { LENGTHS = 70 };

static size_t length_of(const Run *run, size_t i) {
    return i == 3 ? run->rows : i * 7 % 5 * run->rows / 100;
}

static size_t all_lengths(const Run *run) {
    size_t all = 0;
    for (size_t i = 0; i < LENGTHS; i++)
        all += length_of(run, i);
    return all;
}

/* A step of arrays of `count` values. */
static AdamW some_adamw(Run *run, size_t count) {
    float *second = floats(run, count);
    run->backend->memory->fill(count, 0.7f, second);
    return (AdamW){.count = count,
                   .value = floats(run, count),
                   .first = floats(run, count),
                   .second = second,
                   .gradient = floats(run, count),
                   .factor = floats(run, 1),
                   .beta1 = 0.9f,
                   .rest1 = 0.1f,
                   .beta2 = 0.999f,
                   .rest2 = 0.001f,
                   .epsilon = 1e-3f,
                   .keep = 0.99f,
                   .step_size = 0.01f,
                   .root = 3};
}

static void call_adamw(Run *run) {
    AdamW step = some_adamw(run, all_lengths(run));
    if (chosen(run, 0)) run->backend->memory->fill(1, NAN, (float *)step.factor);
    AdamW steps[LENGTHS];
    for (size_t i = 0; i < LENGTHS; i++) {
        step.count = length_of(run, i);
        step.step_size *= 1.1f;
        steps[i] = step;
        step.value += step.count, step.first += step.count, step.second += step.count;
        step.gradient += step.count;
    }
    run->backend->optimizer->adamw(LENGTHS, steps);
}

/* Some rows of a table, or with option 0 all: a step, and what steps without a gradient do. */
static void call_rows_of_adamw(Run *run) {
    const size_t columns = run->columns, all = run->rows, count = chosen(run, 0) ? all : (all + 1) / 2;
    uint32_t *host = memory_need(count + 1, sizeof *host);
    for (size_t i = 0; i < count; i++)
        host[i] = (uint32_t)(2 * i);
    const uint32_t *rows = add_array(run, ARRAY_INTEGERS, host, count * sizeof *host);
    free(host);
    AdamW step = some_adamw(run, all * columns);
    step.count = count * columns;
    step.rows = chosen(run, 0) ? NULL : rows;
    step.columns = columns;
    run->backend->optimizer->adamw(1, &step);
    run->backend->optimizer->catch_up(&step, (const OwedMoves *)(const void *)floats(run, 4 * count));
    if (!chosen(run, 0)) run->backend->rows->fill(count, columns, rows, 0.5f, (float *)step.gradient);
}

static void call_norm(Run *run) {
    const float *values = floats(run, all_lengths(run));
    float *factor = floats(run, 1);
    double *total = doubles(run, 1);
    FloatArray arrays[LENGTHS];
    for (size_t i = 0; i < LENGTHS; i++) {
        arrays[i] = (FloatArray){length_of(run, i), values};
        values += arrays[i].count;
    }
    run->backend->optimizer->sum_of_squares(LENGTHS, arrays, total, run->scratch);
    run->backend->optimizer->clip(total, 0.5, chosen(run, 0) ? 2.0 : 0, factor);
    if (run->rows) run->backend->memory->fill(1, INFINITY, (float *)values - 1);
    run->backend->optimizer->sum_of_squares(LENGTHS, arrays, total, run->scratch);
    run->backend->optimizer->clip(total, 0.5, chosen(run, 0) ? 2.0 : 0, floats(run, 1));
}

static void test_optimizer(void) {
    compare(call_adamw, 1, SIZES(0, 1, 257, 70000), WIDTHS(1));
    compare(call_rows_of_adamw, 1, SIZES(0, 1, 2, 33, 257), WIDTHS(1, 17, 64, 257));
    compare(call_norm, 1, SIZES(0, 1, 257, 4096, 4097, 70000), WIDTHS(1));
}

/* ---- Products ---- */

/* Of [rows, inner] by [inner, columns], either operand turned or not, in rows that are longer than the
 * matrix. */
static void call_matmul(Run *run) {
    const bool a_turned = chosen(run, 0), b_turned = chosen(run, 1), adds = chosen(run, 2);
    const size_t m = run->rows, n = run->columns, k = m * n % 71;
    const size_t a_rows = a_turned ? k : m, a_stride = (a_turned ? m : k) + 3;
    const size_t b_rows = b_turned ? n : k, b_stride = (b_turned ? k : n) + 1;
    Matrix a = matrix_of(floats(run, a_rows * a_stride), a_stride);
    Matrix b = matrix_of(floats(run, b_rows * b_stride), b_stride);
    a.transposed = a_turned, b.transposed = b_turned;
    run->backend->matmul(m, n, k, a, b, adds ? 1.0f : 0.0f, floats(run, m * (n + 2)), n + 2);
}

/* With a bias that may lie anywhere. */
static void call_matmul_with_bias(Run *run) {
    const size_t m = run->rows, n = run->columns, k = m * n % 71;
    const Matrix a = matrix_of(floats(run, m * k), k), b = matrix_of(floats(run, n * k), k);
    for (int i = 0; i < 3; i++)
        backend_matmul_with_bias(run->backend, m, n, k, a, transposed(b), floats(run, n), floats(run, m * n));
}

/* The operands are in bf16, which the plain product has in f32; the right one lies there, or is packed and
 * used again after a change. */
static void call_matmul_bf16(Run *run) {
    const bool a_turned = chosen(run, 0), b_turned = chosen(run, 1), packs = chosen(run, 2);
    const size_t m = run->rows, n = run->columns, k = 1 + m * n % 71;
    uint16_t *rounded[] = {halves(run, m * k), halves(run, k * n), halves(run, k * n)};
    const size_t counts[] = {m * k, k * n, k * n};
    float *values[3], *c = floats(run, m * n);
    for (int i = 0; i < 3; i++) {
        uint16_t *host = memory_need(counts[i] + 1, sizeof *host);
        float *wide = memory_need(counts[i] + 1, sizeof *wide);
        run->backend->memory->download(counts[i] * sizeof *host, rounded[i], host);
        dtype_to_f32(DTYPE_BF16, host, wide, counts[i]);
        values[i] = add_array(run, ARRAY_F32, wide, counts[i] * sizeof *wide);
        free(host);
        free(wide);
    }
    Packing packing = {0};
    const Matrix a = {values[0], a_turned ? m : k, a_turned, rounded[0], NULL};
    const Matrix b = {values[1], b_turned ? k : n, b_turned, packs ? NULL : rounded[1],
                      packs ? &packing : NULL};
    run->backend->matmul(m, n, k, a, b, 1, c, n);
    backend_matmul_with_bias(run->backend, m, n, k, a, b, floats(run, n), floats(run, m * n));
    run->backend->memory->copy(k * n * sizeof(float), values[2], values[1]);
    run->backend->memory->copy(k * n * sizeof(uint16_t), rounded[2], rounded[1]);
    packing_outdate(&packing);
    run->backend->matmul(m, n, k, a, b, 0, floats(run, m * n), n);
    run->backend->release_packing(&packing);
}

static void test_products(void) {
    compare(call_matmul, 3, SOME_ROWS, WIDTHS(1, 3, 64, 257));
    compare(call_matmul_with_bias, 0, SOME_ROWS, WIDTHS(1, 3, 64, 257));
}

static void test_products_in_bf16(void) {
    const Backend *const plain = other;
    other = other_bf16;
    compare(call_matmul_bf16, 3, SOME_ROWS, WIDTHS(1, 3, 64, 257));
    other = plain;
}

/* The kernels of the processor, but for the products, which other libraries compute. */
static void test_numbers_of_threads(void) {
    const Backend *const compared = other;
    other = &backend_cpu;
    to_the_bit = true;
    test_elements();
    test_columns();
    test_rows();
    test_segments();
    test_activations();
    test_layer_norm();
    test_attention();
    test_sequences();
    test_losses();
    test_scores();
    test_optimizer();
    other = compared;
    to_the_bit = false;
}

int main(void) {
    const char *device = getenv("PM_TEST_DEVICE");
    const Test tests[] = {TEST(test_memory),
                          TEST(test_elements),
                          TEST(test_columns),
                          TEST(test_rows),
                          TEST(test_segments),
                          TEST(test_activations),
                          TEST(test_layer_norm),
                          TEST(test_attention),
                          TEST(test_sequences),
                          TEST(test_losses),
                          TEST(test_scores),
                          TEST(test_optimizer),
                          TEST(test_products),
                          TEST(test_products_in_bf16),
                          TEST(test_attention_in_bf16),
                          TEST(test_numbers_of_threads)};
    Error error;
    if (!device) device = "cuda-on-host";
    other = backend_find(device, "f32", &error);
    other_bf16 = other ? backend_find(device, "bf16", &error) : NULL;
    if (other_bf16) return run_tests(tests, (int)(sizeof tests / sizeof *tests));
    printf("1..1\nnot ok 1 - %s\n", error.message);
    return 1;
}
