/* Tensors so large that they move out of the reader instead of being copied. */
#include "stream_files.h"

#include "core/memory.h"
#include "model/encoder.h"
#include "model/model_file.h"

enum { WIDTH = 640, WIDE = 700, VOCABULARY = 900 };

static const EncoderConfig config = {.architecture = ENCODER_ROBERTA,
                                     .width = WIDTH,
                                     .blocks = 2,
                                     .heads = 4,
                                     .intermediate = WIDE,
                                     .epsilon = 1e-5,
                                     .activation = ACTIVATION_GELU,
                                     .vocabulary = VOCABULARY,
                                     .positions = 20,
                                     .types = 1,
                                     .padding_id = 1};

static ParameterSet *make(int64_t start, uint64_t seed) {
    ParameterSet *set = parameter_set_create();
    encoder_destroy(encoder_create(set, &config, "", start, config.blocks));
    if (seed) parameter_set_initialise(set, seed);
    return set;
}

static void write_set(const ParameterSet *set, const char *file,
                      bool (*put)(StreamWriter *, const ParameterSet *)) {
    StreamWriter *writer = stream_start(stream_path(file), header_create("encoder"));
    CHECK(put(writer, set));
    stream_finish(writer);
}

static bool put_f32(StreamWriter *writer, const ParameterSet *set) {
    Error error;
    return model_file_write(writer, set, &error);
}

static bool put_bf16(StreamWriter *writer, const ParameterSet *set) {
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *p = set->list[i];
        uint16_t *rounded = memory_need(p->count, sizeof *rounded);
        dtype_from_f32(DTYPE_BF16, p->value, rounded, p->count);
        RecordTensor tensor = {
            .name = "value", .dtype = DTYPE_BF16, .dimensions = p->dimensions, .data = rounded};
        memcpy(tensor.shape, p->shape, sizeof p->shape);
        stream_put(writer, p->name, tensor);
        free(rounded);
    }
    return true;
}

static void read_into(ParameterSet *set, const char *file, const char *keep, size_t loaded, size_t kept) {
    Error error = {""};
    ModelFound found;
    const ModelFilter filter = {.keep = keep};
    StreamReader *reader = stream_reader_open(stream_path(file), &error);
    CHECK(reader && model_file_read(reader, set, &filter, &found, &error), "%s", error.message);
    CHECK(found.loaded == loaded && found.kept == kept, "%zu loaded, %zu kept", found.loaded, found.kept);
    stream_reader_close(reader);
}

static void whole_encoder_comes_back(void) {
    ParameterSet *made = make(ENCODER_FROM_INPUT, 3), *got = make(ENCODER_FROM_INPUT, 0);
    write_set(made, "f32.pmt", put_f32);
    read_into(got, "f32.pmt", NULL, made->count, 0);
    for (size_t i = 0; i < made->count; i++)
        CHECK(!memcmp(got->list[i]->value, made->list[i]->value, made->list[i]->count * sizeof(float)), "%s",
              made->list[i]->name);
    read_into(got, "f32.pmt", NULL, made->count, 0); /* a second time over the first */
    parameter_set_destroy(made);
    parameter_set_destroy(got);
}

/* What is below the boundary becomes passengers, and is written again with the rest. */
static void frozen_blocks_are_kept(void) {
    ParameterSet *made = make(ENCODER_FROM_INPUT, 3), *upper = make(1, 0),
                 *again = make(ENCODER_FROM_INPUT, 0);
    write_set(made, "f32.pmt", put_f32);
    read_into(upper, "f32.pmt", "embeddings.|encoder.", upper->count, made->count - upper->count);
    write_set(upper, "upper.pmt", put_f32);
    read_into(again, "upper.pmt", NULL, made->count, 0);
    for (size_t i = 0; i < made->count; i++)
        CHECK(!memcmp(again->list[i]->value, made->list[i]->value, made->list[i]->count * sizeof(float)),
              "%s", made->list[i]->name);
    parameter_set_destroy(made);
    parameter_set_destroy(upper);
    parameter_set_destroy(again);
}

static void other_dtypes_are_widened(void) {
    ParameterSet *made = make(ENCODER_FROM_INPUT, 3), *got = make(ENCODER_FROM_INPUT, 0);
    write_set(made, "bf16.pmt", put_bf16);
    read_into(got, "bf16.pmt", NULL, made->count, 0);
    for (size_t i = 0; i < made->count; i++)
        CHECK(relative_difference(got->list[i]->value, made->list[i]->value, made->list[i]->count) <=
                  1.0 / 256,
              "%s", made->list[i]->name);
    parameter_set_destroy(made);
    parameter_set_destroy(got);
}

static void another_shape_is_an_error(void) {
    Error error;
    ModelFound found;
    EncoderConfig wider = config;
    wider.vocabulary++;
    ParameterSet *made = make(ENCODER_FROM_INPUT, 3), *set = parameter_set_create();
    encoder_destroy(encoder_create(set, &wider, "", ENCODER_FROM_INPUT, wider.blocks));
    write_set(made, "f32.pmt", put_f32);
    StreamReader *reader = stream_reader_open(stream_path("f32.pmt"), &error);
    CHECK(!model_file_read(reader, set, &(ModelFilter){0}, &found, &error));
    CHECK(strstr(error.message, "f32.pmt: tensor embeddings.word_embeddings.weight has the shape [900, 640]"),
          "%s", error.message);
    stream_reader_close(reader);
    parameter_set_destroy(made);
    parameter_set_destroy(set);
}

RUN_TESTS(TEST(whole_encoder_comes_back), TEST(frozen_blocks_are_kept), TEST(other_dtypes_are_widened),
          TEST(another_shape_is_an_error))
