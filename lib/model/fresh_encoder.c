#include "model/fresh_encoder.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/random.h"
#include "huggingface/encoder_shapes.h"
#include "huggingface/hf_config.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

static bool ends_with(const char *name, const char *end) {
    const size_t length = strlen(name), wanted = strlen(end);
    return length >= wanted && !strcmp(name + length - wanted, end);
}

static bool is_architecture(const json_t *config, const char *name) {
    return !strcmp(json_string_value(json_object_get(config, "architecture")), name);
}

static double number_or(const json_t *config, const char *key, double otherwise) {
    const json_t *value = json_object_get(config, key);
    return value ? json_number_value(value) : otherwise;
}

/* Of a weight; CLIP's are those of CLIPPreTrainedModel._init_weights. */
static double deviation_of(const json_t *config, const char *name) {
    const double width = (double)hf_config_size(config, "hidden_size");
    const double blocks = (double)hf_config_size(config, "num_hidden_layers");
    if (is_architecture(config, "clip-vision")) {
        const double factor = number_or(config, "initializer_factor", 1);
        if (ends_with(name, "class_embedding") || ends_with(name, "out_proj.weight"))
            return factor / sqrt(width);
        if (ends_with(name, "fc1.weight")) return factor / sqrt(2 * width);
        if (ends_with(name, "q_proj.weight") || ends_with(name, "k_proj.weight") ||
            ends_with(name, "v_proj.weight") || ends_with(name, "fc2.weight"))
            return factor / sqrt(2 * blocks * width);
    }
    return number_or(config, "initializer_range", 0.02);
}

/* The row that stays 0: of the padding token, and in RoBERTa of its position; SIZE_MAX for none. */
static size_t padding_row(const json_t *config, const char *name) {
    const bool roberta = is_architecture(config, "roberta") || is_architecture(config, "xlm-roberta");
    if (ends_with(name, "word_embeddings.weight") ||
        (roberta && ends_with(name, "position_embeddings.weight")))
        return hf_config_size(config, "pad_token_id");
    return SIZE_MAX;
}

/* Each row has random numbers of its own, so that any number of threads draws the same. */
static void draw_rows(float *values, size_t rows, size_t columns, double deviation, uint64_t seed) {
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++) {
        Random random;
        random_seed(&random, seed, row);
        for (size_t column = 0; column < columns; column++)
            values[row * columns + column] = (float)(deviation * random_normal(&random));
    }
}

static void fill(float *values, size_t count, const EncoderShape *tensor, const json_t *config,
                 uint64_t seed) {
    if (ends_with(tensor->name, ".bias")) {
        memset(values, 0, count * sizeof *values);
    } else if (tensor->dimensions == 1 && ends_with(tensor->name, ".weight")) { /* of a layer norm */
        for (size_t i = 0; i < count; i++)
            values[i] = 1;
    } else {
        const size_t rows = tensor->dimensions > 1 ? (size_t)tensor->shape[0] : 1, columns = count / rows;
        const size_t padding = padding_row(config, tensor->name);
        draw_rows(values, rows, columns, deviation_of(config, tensor->name),
                  random_hash(seed, XXH3_64bits(tensor->name, strlen(tensor->name))));
        if (padding < rows) memset(values + padding * columns, 0, columns * sizeof *values);
    }
}

static bool put_tensor(StreamWriter *writer, const EncoderShape *tensor, const json_t *config, uint64_t seed,
                       Error *error) {
    Record record = {.key = tensor->name, .key_size = strlen(tensor->name), .count = 1};
    RecordTensor *value = &record.tensors[0];
    *value = (RecordTensor){.name = "value", .dtype = DTYPE_F32, .dimensions = tensor->dimensions};
    memcpy(value->shape, tensor->shape, sizeof tensor->shape);
    const size_t count = (size_t)record_tensor_elements(value);
    float *values = memory_allocate(count, sizeof *values, error);
    if (!values) return error_prefix(error, "%s: ", tensor->name);
    fill(values, count, tensor, config, seed);
    value->data = values;
    const bool fine = stream_writer_put(writer, &record, error);
    free(values);
    return fine;
}

/* A slip in a description is noticed before the disk is full. */
static bool check_size(const EncoderShape *tensors, size_t count, Error *error) {
    enum { LARGEST = 64 }; /* GB */
    double parameters = 0;
    for (size_t i = 0; i < count; i++) {
        double elements = 1;
        for (int d = 0; d < tensors[i].dimensions; d++)
            elements *= (double)tensors[i].shape[d];
        parameters += elements;
    }
    const double gigabytes = parameters * sizeof(float) / 1e9;
    log_detail("%.0f parameters, %.2f GB", parameters, gigabytes);
    return gigabytes <= LARGEST ||
           error_set(error,
                     "an encoder of %.0f parameters, %.0f GB; is the description right? The limit is %d GB",
                     parameters, gigabytes, LARGEST);
}

bool fresh_encoder_put(StreamWriter *writer, const json_t *config, uint64_t seed, Error *error) {
    size_t count;
    EncoderShape *tensors = encoder_shapes(config, &count);
    bool fine = check_size(tensors, count, error);
    Progress progress;
    progress_start(&progress, "tensors", count);
    for (size_t i = 0; fine && i < count; i++) {
        fine = put_tensor(writer, &tensors[i], config, seed, error);
        progress_update(&progress, i + 1);
    }
    progress_finish(&progress);
    free(tensors);
    return fine;
}
