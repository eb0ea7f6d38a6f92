#include "model/encoder_layout.h"

#include "core/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The sizes of tensors, by what they mean. */
typedef enum Size {
    NONE,
    HIDDEN,
    INTERMEDIATE,
    VOCABULARY,
    POSITIONS,
    TYPES,
    CHANNELS,
    PATCH,
    TOKENS, /* of an image: the class and the patches */
    SIZE_COUNT
} Size;

/* What a fresh tensor holds: a constant, or normal numbers whose deviation follows from the sizes. */
typedef enum Start {
    ZERO,
    ONE,
    RANGE,  /* initializer_range, 0.02 */
    EMBED,  /* RANGE, and the row of the padding token 0 */
    CLASS,  /* the rest is CLIP's, from Hugging Face's CLIPPreTrainedModel._init_weights: hidden ^ −½ */
    INWARD, /* hidden ^ −½ · (2 · blocks) ^ −½ */
    WIDEN,  /* (2 · hidden) ^ −½ */
} Start;

typedef struct Part {
    const char *name; /* %d stands for the number of the block */
    Start start;
    Size shape[4];
} Part;

static const Part text_embeddings[] = {
    {"embeddings.word_embeddings.weight", EMBED, {VOCABULARY, HIDDEN}},
    {"embeddings.position_embeddings.weight", RANGE, {POSITIONS, HIDDEN}},
    {"embeddings.token_type_embeddings.weight", RANGE, {TYPES, HIDDEN}},
    {"embeddings.LayerNorm.weight", ONE, {HIDDEN}},
    {"embeddings.LayerNorm.bias", ZERO, {HIDDEN}},
    {0},
};

static const Part text_block[] = {
    {"encoder.layer.%d.attention.self.query.weight", RANGE, {HIDDEN, HIDDEN}},
    {"encoder.layer.%d.attention.self.query.bias", ZERO, {HIDDEN}},
    {"encoder.layer.%d.attention.self.key.weight", RANGE, {HIDDEN, HIDDEN}},
    {"encoder.layer.%d.attention.self.key.bias", ZERO, {HIDDEN}},
    {"encoder.layer.%d.attention.self.value.weight", RANGE, {HIDDEN, HIDDEN}},
    {"encoder.layer.%d.attention.self.value.bias", ZERO, {HIDDEN}},
    {"encoder.layer.%d.attention.output.dense.weight", RANGE, {HIDDEN, HIDDEN}},
    {"encoder.layer.%d.attention.output.dense.bias", ZERO, {HIDDEN}},
    {"encoder.layer.%d.attention.output.LayerNorm.weight", ONE, {HIDDEN}},
    {"encoder.layer.%d.attention.output.LayerNorm.bias", ZERO, {HIDDEN}},
    {"encoder.layer.%d.intermediate.dense.weight", RANGE, {INTERMEDIATE, HIDDEN}},
    {"encoder.layer.%d.intermediate.dense.bias", ZERO, {INTERMEDIATE}},
    {"encoder.layer.%d.output.dense.weight", RANGE, {HIDDEN, INTERMEDIATE}},
    {"encoder.layer.%d.output.dense.bias", ZERO, {HIDDEN}},
    {"encoder.layer.%d.output.LayerNorm.weight", ONE, {HIDDEN}},
    {"encoder.layer.%d.output.LayerNorm.bias", ZERO, {HIDDEN}},
    {0},
};

static const Part clip_embeddings[] = {
    {"embeddings.class_embedding", CLASS, {HIDDEN}},
    {"embeddings.patch_embedding.weight", RANGE, {HIDDEN, CHANNELS, PATCH, PATCH}},
    {"embeddings.position_embedding.weight", RANGE, {TOKENS, HIDDEN}},
    {"pre_layrnorm.weight", ONE, {HIDDEN}},
    {"pre_layrnorm.bias", ZERO, {HIDDEN}},
    {0},
};

static const Part clip_block[] = {
    {"encoder.layers.%d.layer_norm1.weight", ONE, {HIDDEN}},
    {"encoder.layers.%d.layer_norm1.bias", ZERO, {HIDDEN}},
    {"encoder.layers.%d.self_attn.q_proj.weight", INWARD, {HIDDEN, HIDDEN}},
    {"encoder.layers.%d.self_attn.q_proj.bias", ZERO, {HIDDEN}},
    {"encoder.layers.%d.self_attn.k_proj.weight", INWARD, {HIDDEN, HIDDEN}},
    {"encoder.layers.%d.self_attn.k_proj.bias", ZERO, {HIDDEN}},
    {"encoder.layers.%d.self_attn.v_proj.weight", INWARD, {HIDDEN, HIDDEN}},
    {"encoder.layers.%d.self_attn.v_proj.bias", ZERO, {HIDDEN}},
    {"encoder.layers.%d.self_attn.out_proj.weight", CLASS, {HIDDEN, HIDDEN}},
    {"encoder.layers.%d.self_attn.out_proj.bias", ZERO, {HIDDEN}},
    {"encoder.layers.%d.layer_norm2.weight", ONE, {HIDDEN}},
    {"encoder.layers.%d.layer_norm2.bias", ZERO, {HIDDEN}},
    {"encoder.layers.%d.mlp.fc1.weight", WIDEN, {INTERMEDIATE, HIDDEN}},
    {"encoder.layers.%d.mlp.fc1.bias", ZERO, {INTERMEDIATE}},
    {"encoder.layers.%d.mlp.fc2.weight", INWARD, {HIDDEN, INTERMEDIATE}},
    {"encoder.layers.%d.mlp.fc2.bias", ZERO, {HIDDEN}},
    {0},
};

static const Part clip_end[] = {
    {"post_layernorm.weight", ONE, {HIDDEN}},
    {"post_layernorm.bias", ZERO, {HIDDEN}},
    {0},
};

static const Part nothing[] = {{0}};

typedef struct Architecture {
    const char *name;
    const Part *embeddings, *block, *end;
} Architecture;

static const Architecture architectures[] = {
    {"xlm-roberta", text_embeddings, text_block, nothing},
    {"roberta", text_embeddings, text_block, nothing},
    {"bert", text_embeddings, text_block, nothing},
    {"clip-vision", clip_embeddings, clip_block, clip_end},
};

/* What the parts of one configuration need. */
typedef struct Plan {
    int64_t sizes[SIZE_COUNT], blocks, padding;
    double range, factor; /* initializer_range and initializer_factor */
} Plan;

static const Architecture *find_architecture(const json_t *config, Error *error) {
    const char *name = json_string_value(json_object_get(config, "architecture"));
    for (size_t i = 0; name && i < sizeof architectures / sizeof *architectures; i++)
        if (!strcmp(architectures[i].name, name)) return &architectures[i];
    error_set(error, "no encoder of the architecture '%s' is known", name ? name : "");
    return NULL;
}

static bool read_size(const json_t *config, const char *key, int64_t largest, int64_t *value, Error *error) {
    const json_t *number = json_object_get(config, key);
    *value = json_integer_value(number);
    if (json_is_integer(number) && *value >= 1 && *value <= largest) return true;
    return error_set(error, "%s must be a whole number from 1 to %" PRId64, key, largest);
}

static double read_real(const json_t *config, const char *key, double otherwise) {
    const json_t *number = json_object_get(config, key);
    return json_is_number(number) ? json_number_value(number) : otherwise;
}

static bool read_text_plan(const json_t *config, Plan *plan, Error *error) {
    if (!read_size(config, "vocab_size", 10000000, &plan->sizes[VOCABULARY], error) ||
        !read_size(config, "max_position_embeddings", 1000000, &plan->sizes[POSITIONS], error) ||
        !read_size(config, "type_vocab_size", 1000, &plan->sizes[TYPES], error))
        return false;
    const json_t *padding = json_object_get(config, "pad_token_id");
    plan->padding = json_integer_value(padding);
    if (json_is_integer(padding) && plan->padding >= 0 && plan->padding < plan->sizes[VOCABULARY])
        return true;
    return error_set(error, "pad_token_id must be a token of the vocabulary");
}

static bool read_image_plan(const json_t *config, Plan *plan, Error *error) {
    int64_t side;
    if (!read_size(config, "image_size", 65536, &side, error) ||
        !read_size(config, "patch_size", 65536, &plan->sizes[PATCH], error) ||
        !read_size(config, "num_channels", 16, &plan->sizes[CHANNELS], error))
        return false;
    const int64_t patches = side / plan->sizes[PATCH];
    if (patches < 1) return error_set(error, "patch_size must not be above image_size");
    plan->sizes[TOKENS] = patches * patches + 1;
    return true;
}

static bool read_plan(const json_t *config, const Architecture *architecture, Plan *plan, Error *error) {
    plan->range = read_real(config, "initializer_range", 0.02);
    plan->factor = read_real(config, "initializer_factor", 1);
    return read_size(config, "hidden_size", 65536, &plan->sizes[HIDDEN], error) &&
           read_size(config, "intermediate_size", 1 << 20, &plan->sizes[INTERMEDIATE], error) &&
           read_size(config, "num_hidden_layers", 1000, &plan->blocks, error) &&
           (architecture->embeddings == text_embeddings ? read_text_plan : read_image_plan)(config, plan,
                                                                                            error);
}

static double deviation_of(Start start, const Plan *plan) {
    const double hidden = (double)plan->sizes[HIDDEN];
    switch (start) {
    case RANGE:
    case EMBED:
        return plan->range * plan->factor;
    case CLASS:
        return plan->factor / sqrt(hidden);
    case INWARD:
        return plan->factor / sqrt(hidden * 2 * (double)plan->blocks);
    case WIDEN:
        return plan->factor / sqrt(2 * hidden);
    case ZERO:
    case ONE:
        break;
    }
    return 0;
}

static size_t count_parts(const Part *parts) {
    size_t count = 0;
    while (parts[count].name)
        count++;
    return count;
}

static EncoderTensor *add_parts(EncoderTensor *tensor, const Part *parts, int block, const Plan *plan) {
    for (const Part *part = parts; part->name; part++, tensor++) {
        const char *number = strstr(part->name, "%d");
        if (number)
            snprintf(tensor->name, sizeof tensor->name, "%.*s%d%s", (int)(number - part->name), part->name,
                     block, number + 2);
        else
            snprintf(tensor->name, sizeof tensor->name, "%s", part->name);
        while (tensor->dimensions < 4 && part->shape[tensor->dimensions] != NONE) {
            tensor->shape[tensor->dimensions] = (uint64_t)plan->sizes[part->shape[tensor->dimensions]];
            tensor->dimensions++;
        }
        tensor->initial = part->start == ZERO  ? ENCODER_ZERO
                          : part->start == ONE ? ENCODER_ONE
                                               : ENCODER_NORMAL;
        tensor->deviation = deviation_of(part->start, plan);
        tensor->zero_row = part->start == EMBED ? plan->padding : -1;
    }
    return tensor;
}

size_t encoder_layout(const json_t *config, EncoderTensor **list, Error *error) {
    Plan plan = {0};
    const Architecture *architecture = find_architecture(config, error);
    if (!architecture || !read_plan(config, architecture, &plan, error)) return 0;
    const size_t count = count_parts(architecture->embeddings) +
                         (size_t)plan.blocks * count_parts(architecture->block) +
                         count_parts(architecture->end);
    *list = memory_need(count, sizeof **list);
    EncoderTensor *next = add_parts(*list, architecture->embeddings, 0, &plan);
    for (int block = 0; block < plan.blocks; block++)
        next = add_parts(next, architecture->block, block, &plan);
    add_parts(next, architecture->end, 0, &plan);
    return count;
}

uint64_t encoder_tensor_elements(const EncoderTensor *tensor) {
    uint64_t elements = 1;
    for (int i = 0; i < tensor->dimensions; i++)
        elements *= tensor->shape[i];
    return elements;
}
