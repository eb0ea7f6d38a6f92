/* SASRec (Kang and McAuley 2018): causal post-layer-norm blocks over item vectors plus positions. A padded
 * position is seen by none, so none is computed; the last item always has the last position. */
#include "core/memory.h"
#include "model/transformer_block.h"
#include "model/user_encoder/user_encoder.h"

#include <inttypes.h>
#include <stdio.h>

#define EPSILON 1e-6

typedef struct Sasrec {
    Parameter *positions;
    NormLayer norm;
    size_t block_count;
    TransformerBlock blocks[];
} Sasrec;

static const BlockNames names = {
    .query = "multi_head_attention.w_Q",
    .key = "multi_head_attention.w_K",
    .value = "multi_head_attention.w_V",
    .output = "multi_head_attention.fc",
    .attention_norm = "multi_head_attention.layer_norm",
    .wide = "feed_forward.w_1",
    .narrow = "feed_forward.w_2",
    .feed_forward_norm = "feed_forward.layer_norm",
};

#define PREFIX "user_encoder.transformer_encoder."

static bool check(const Settings *settings, Error *error) {
    return settings->dim % settings->user_heads == 0 ||
           error_set(error, "--dim %" PRId64 " must be a multiple of --user-heads %" PRId64, settings->dim,
                     settings->user_heads);
}

static void *create(ParameterSet *set, const Settings *settings) {
    const size_t count = (size_t)settings->user_blocks, width = (size_t)settings->dim;
    const BlockShape shape = {.width = width,
                              .intermediate = 4 * width,
                              .heads = (size_t)settings->user_heads,
                              .epsilon = EPSILON,
                              .activation = ACTIVATION_RELU,
                              .causal = true,
                              .initial = INITIAL_XAVIER_NORMAL,
                              .group = GROUP_REST};
    Sasrec *sasrec = memory_need(1, sizeof *sasrec + count * sizeof *sasrec->blocks);
    sasrec->block_count = count;
    sasrec->positions = parameter_add(set, GROUP_REST, INITIAL_XAVIER_NORMAL, (size_t)settings->max_seq_len,
                                      width, PREFIX "position_embedding.weight");
    sasrec->norm = norm_layer_create(set, GROUP_REST, width, PREFIX "layer_norm");
    for (size_t i = 0; i < count; i++) {
        char prefix[96];
        snprintf(prefix, sizeof prefix, PREFIX "transformer_blocks.%zu.", i);
        sasrec->blocks[i] = transformer_block_create(set, &shape, &names, prefix);
    }
    return sasrec;
}

static uint32_t *number_positions(Tape *tape, const UserRows *rows) {
    uint32_t *positions = arena_take(tape->arena, segments_rows(rows->inputs), sizeof *positions);
    for (size_t user = 0; user < rows->inputs.count; user++) {
        size_t place = rows->max_seq_len - segments_length(rows->inputs, user);
        for (size_t p = rows->inputs.offsets[user]; p < rows->inputs.offsets[user + 1]; p++)
            positions[p] = (uint32_t)place++;
    }
    return positions;
}

static Tensor *forward(const void *module, Tape *tape, Tensor *items, const UserRows *rows,
                       double dropout_rate) {
    const Sasrec *sasrec = module;
    const size_t count = segments_rows(rows->inputs);
    const EmbeddingRows places = {sasrec->positions, number_positions(tape, rows), 0, -1};
    Tensor *x = embedding_sum(tape, gather_rows(tape, items, rows->rows, count), &places, 1, count);
    x = dropout(tape, layer_norm(tape, x, sasrec->norm.weight, sasrec->norm.bias, EPSILON), dropout_rate);
    for (size_t i = 0; i < sasrec->block_count; i++)
        x = transformer_block_forward(tape, &sasrec->blocks[i], x, rows->inputs, dropout_rate);
    return x;
}

const UserEncoderKind user_encoder_sasrec = {
    .name = "sasrec", .check = check, .create = create, .forward = forward};
