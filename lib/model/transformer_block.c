#include "model/transformer_block.h"

#include <stdarg.h>
#include <stdio.h>

const BlockNames block_names_bert = {
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .wide = "intermediate.dense",
    .narrow = "output.dense",
    .feed_forward_norm = "output.LayerNorm",
};

enum { NAME_SIZE = 512 };

LinearLayer linear_layer_create(ParameterSet *set, ParameterGroup group, InitialValue initial, size_t out,
                                size_t in, bool bias, const char *format, ...) {
    char name[NAME_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return (LinearLayer){parameter_add(set, group, initial, out, in, "%s.weight", name),
                         bias ? parameter_add(set, group, INITIAL_ZERO, out, 0, "%s.bias", name) : NULL};
}

NormLayer norm_layer_create(ParameterSet *set, ParameterGroup group, size_t width, const char *format, ...) {
    char name[NAME_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return (NormLayer){parameter_add(set, group, INITIAL_ONE, width, 0, "%s.weight", name),
                       parameter_add(set, group, INITIAL_ZERO, width, 0, "%s.bias", name)};
}

TransformerBlock transformer_block_create(ParameterSet *set, const BlockShape *shape, const BlockNames *names,
                                          const char *prefix) {
    const size_t width = shape->width, wide = shape->intermediate;
    const ParameterGroup group = shape->group;
    const bool bias = shape->attention_bias;
#define LINEAR(name, out, in, with_bias)                                                                     \
    .name = linear_layer_create(set, group, shape->initial, out, in, with_bias, "%s%s", prefix, names->name)
#define NORM(name) .name = norm_layer_create(set, group, width, "%s%s", prefix, names->name)
    TransformerBlock block = {
        .shape = *shape,
        LINEAR(query, width, width, bias),
        LINEAR(key, width, width, bias),
        LINEAR(value, width, width, bias),
        LINEAR(output, width, width, bias),
        NORM(attention_norm),
        LINEAR(wide, wide, width, true),
        LINEAR(narrow, width, wide, true),
        NORM(feed_forward_norm),
    };
#undef LINEAR
#undef NORM
    block.joined.weight =
        parameter_join(set, (Parameter *[]){block.query.weight, block.key.weight, block.value.weight}, 3);
    if (bias)
        block.joined.bias =
            parameter_join(set, (Parameter *[]){block.query.bias, block.key.bias, block.value.bias}, 3);
    return block;
}

static Tensor *apply(Tape *tape, LinearLayer layer, Tensor *x) {
    return linear(tape, x, layer.weight, layer.bias, ACTIVATION_NONE);
}

static Tensor *attend(Tape *tape, const TransformerBlock *block, Tensor *x, Segments segments,
                      double dropout_rate) {
    Tensor *qkv = apply(tape, block->joined, x);
    Tensor *mixed =
        self_attention(tape, qkv, segments, block->shape.heads, block->shape.causal, dropout_rate);
    return apply(tape, block->output, mixed);
}

static Tensor *feed(Tape *tape, const TransformerBlock *block, Tensor *x) {
    return feed_forward(tape, x,
                        &(LinearPair){block->wide.weight, block->wide.bias, block->narrow.weight,
                                      block->narrow.bias, block->shape.activation});
}

Tensor *transformer_block_forward(Tape *tape, const TransformerBlock *block, Tensor *x, Segments segments,
                                  double dropout_rate) {
    const double epsilon = block->shape.epsilon;
    const NormLayer first = block->attention_norm, second = block->feed_forward_norm;
    if (block->shape.norm_first) {
        Tensor *normalised = layer_norm(tape, x, first.weight, first.bias, epsilon);
        x = residual_add(tape, x, attend(tape, block, normalised, segments, dropout_rate), dropout_rate);
        normalised = layer_norm(tape, x, second.weight, second.bias, epsilon);
        return residual_add(tape, x, feed(tape, block, normalised), dropout_rate);
    }
    x = residual_layer_norm(tape, x, attend(tape, block, x, segments, dropout_rate), dropout_rate,
                            first.weight, first.bias, epsilon);
    return residual_layer_norm(tape, x, feed(tape, block, x), dropout_rate, second.weight, second.bias,
                               epsilon);
}
