#include "check.h"
#include "huggingface/hf_config.h"
#include "model/fresh_encoder.h"
#include "stream/reader.h"

#include <unistd.h>

typedef struct Statistics {
    size_t count;
    double mean, deviation;
} Statistics;

typedef void Visitor(const Record *record, Statistics statistics);

static Statistics measure(const RecordTensor *tensor) {
    Statistics result = {(size_t)record_tensor_elements(tensor), 0, 0};
    double square = 0;
    for (size_t i = 0; i < result.count; i++) {
        float value;
        memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
        result.mean += value;
        square += (double)value * value;
    }
    result.mean /= (double)result.count;
    result.deviation = sqrt(fmax(square / (double)result.count - result.mean * result.mean, 0));
    return result;
}

/* Makes the encoder of a configuration, reads it back and shows each tensor; returns how many there are. */
static size_t visit(const char *description, uint64_t seed, Visitor *visitor) {
    char path[] = "/tmp/test_fresh_encoder.XXXXXX";
    Error error = {"none"};
    json_t *raw = json_loads(description, 0, NULL), *config = hf_config_normalise(raw, &error);
    json_t *header = header_create("encoder");
    close(mkstemp(path));
    StreamWriter *writer = stream_writer_open(path, header, &error);
    CHECK(writer && fresh_encoder_put(writer, config, seed, &error) && stream_writer_close(writer, &error),
          "%s", error.message);
    StreamReader *reader = stream_reader_open(path, &error);
    Record record;
    size_t count = 0;
    while (stream_reader_next(reader, &record, &error) == STREAM_RECORD) {
        const RecordTensor *value = record_find(&record, "value");
        CHECK(value && value->dtype == DTYPE_F32, "%s", record.key);
        if (value && visitor) visitor(&record, measure(value));
        count++;
    }
    stream_reader_close(reader);
    unlink(path);
    json_decref(header);
    json_decref(config);
    json_decref(raw);
    return count;
}

static bool has(const Record *record, const char *part) {
    return strstr(record->key, part) != NULL;
}

static bool is_near(double got, double want, size_t count) {
    return fabs(got - want) < want * 5 / sqrt((double)count); /* many standard errors */
}

static void check_constants(const Record *record, Statistics got) {
    if (has(record, ".bias"))
        CHECK(got.mean == 0 && got.deviation == 0, "%s", record->key);
    else if (has(record, "LayerNorm.weight") || has(record, "layer_norm") || has(record, "layrnorm"))
        CHECK(got.mean == 1 && got.deviation == 0, "%s", record->key);
    else
        CHECK(fabs(got.mean) < 5 * got.deviation / sqrt((double)got.count), "%s: mean %g", record->key,
              got.mean);
}

static float value_at(const RecordTensor *tensor, size_t row, size_t column) {
    float value;
    memcpy(&value, (const char *)tensor->data + (row * (size_t)tensor->shape[1] + column) * sizeof value,
           sizeof value);
    return value;
}

static void check_text(const Record *record, Statistics got) {
    const RecordTensor *value = record_find(record, "value");
    check_constants(record, got);
    if (has(record, "word_embeddings") || has(record, "position_embeddings")) {
        for (size_t column = 0; column < 64; column++) {
            CHECK(value_at(value, 1, column) == 0, "%s", record->key);
            CHECK(value_at(value, 2, column) != 0, "%s", record->key);
        }
    } else if (value->dimensions == 2) {
        CHECK(is_near(got.deviation, 0.02, got.count), "%s: deviation %g", record->key, got.deviation);
    }
}

static const char text[] =
    "{\"model_type\": \"xlm-roberta\", \"vocab_size\": 500, \"hidden_size\": 64, \"num_hidden_layers\": 4,"
    " \"num_attention_heads\": 4, \"intermediate_size\": 128, \"max_position_embeddings\": 66,"
    " \"type_vocab_size\": 1, \"pad_token_id\": 1}";

static const char image[] =
    "{\"model_type\": \"clip_vision_model\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"intermediate_size\": 128, \"image_size\": 32, \"patch_size\": 8}";

static void test_text(void) {
    const size_t count = visit(text, 1, check_text);
    CHECK(count == 5 + 4 * 16, "%zu tensors", count);
}

static void check_image(const Record *record, Statistics got) {
    const double want = has(record, "class_embedding") || has(record, "out_proj") ? 1 / 8.0
                        : has(record, "_proj") || has(record, "fc2")              ? 1 / 16.0
                        : has(record, "fc1")                                      ? 1 / sqrt(128)
                                                                                  : 0.02;
    check_constants(record, got);
    if (got.deviation > 0)
        CHECK(is_near(got.deviation, want, got.count), "%s: deviation %g, not %g", record->key, got.deviation,
              want);
}

static void test_image(void) {
    const size_t count = visit(image, 1, check_image);
    CHECK(count == 5 + 2 * 16, "%zu tensors", count);
}

static double first_deviation, second_deviation;

static void note_first(const Record *record, Statistics got) {
    if (has(record, "patch_embedding")) first_deviation = got.deviation;
}

static void note_second(const Record *record, Statistics got) {
    if (has(record, "patch_embedding")) second_deviation = got.deviation;
}

static void test_seeds_differ(void) {
    visit(image, 1, note_first);
    visit(image, 1, note_second);
    CHECK(first_deviation == second_deviation, "%g and %g", first_deviation, second_deviation);
    visit(image, 2, note_second);
    CHECK(first_deviation != second_deviation, "%g twice", first_deviation);
}

RUN_TESTS(TEST(test_text), TEST(test_image), TEST(test_seeds_differ))
