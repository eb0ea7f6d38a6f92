/* Hugging Face folders imported and run, against the hidden states that PyTorch gave
 * (tests/golden/make_encoders.py). */
#include "golden.h"

#include "convert/import.h"
#include "core/log.h"
#include "core/parallel.h"
#include "model/encode_stream.h"
#include "nn/backend/backend.h"
#include "stream/hidden_states.h"
#include "stream_files.h"

static const char *const folders[] = {"xlm-roberta-tiny", "bert-tiny", "clip-vit-tiny", "clip-tiny-full",
                                      "vit-tiny"};
enum { FOLDERS = sizeof folders / sizeof *folders, BLOCKS_MOST = 12 };

/* The bounds, as fractions of the largest magnitude: of f32 weights, and of weights rounded to f16 and bf16
 * and then widened, which are as far off as rounding makes the whole encoder. */
static const double bounds[] = {2e-5, 5e-3, 5e-2};
static const DType weight_dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};

static Option no_options[] = {{0}};
static const Program program = {.name = "test", .options = no_options};

static Golden read_golden(int folder) {
    char name[128];
    snprintf(name, sizeof name, "%s/expected", folders[folder]);
    return golden_read_below("encoders", name);
}

static bool is_text(const Golden *golden) {
    return golden_find(golden, "in.", "input_ids") != NULL;
}

/* Imports the folder as encoder.pmt; its weights become `dtype`, or stay what they are. */
static bool import(int folder, bool keep, DType dtype) {
    log_open("test_encoders", LOG_QUIET);
    parallel_set_threads(1);
    char path[512];
    const char *project = getenv("PROJECT");
    Error error = {""};
    snprintf(path, sizeof path, "%s/tests/golden/encoders/%s", project ? project : ".", folders[folder]);
    const ImportRequest request = {.file = path,
                                   .output = stream_path("encoder.pmt"),
                                   .keep_dtype = keep,
                                   .dtype = dtype,
                                   .tool = "test",
                                   .options = json_object()};
    const bool fine = import_encoder(&request, &error);
    CHECK(fine, "%s", error.message);
    json_decref(request.options);
    return fine;
}

static size_t row_length(const Golden *golden, size_t row) {
    const GoldenArray *mask = golden_need(golden, "in.attention_mask");
    size_t length = 0;
    for (size_t t = 0; t < mask->shape[1]; t++)
        length += mask->integers[row * mask->shape[1] + t];
    return length;
}

/* input.pmt: token ids without padding, or pixels; the keys count from 0. */
static void write_input(const Golden *golden) {
    const bool text = is_text(golden);
    const GoldenArray *array = golden_need(golden, text ? "in.input_ids" : "in.pixels");
    StreamWriter *writer = stream_start(stream_path("input.pmt"), header_create(text ? "tokens" : "pixels"));
    for (size_t row = 0; row < array->shape[0]; row++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", row);
        const size_t size = array->count / array->shape[0];
        stream_put(writer, key,
                   text ? record_tensor("ids", DTYPE_I32, array->integers + row * size, 1,
                                        (uint64_t)row_length(golden, row))
                        : record_tensor("pixels", DTYPE_F32, array->values + row * size, 3, array->shape[1],
                                        array->shape[2], array->shape[3]));
    }
    stream_finish(writer);
}

/* `input` and `output` are files of the folder. */
static bool encode(bool text, const char *input, const char *output, int64_t blocks, DType dtype,
                   const char *compute) {
    Error error = {""};
    char *inputs[] = {(char *)stream_path(input)};
    const EncodeRequest request = {.modality = text ? MODALITY_TEXT : MODALITY_IMAGE,
                                   .encoder = stream_path("encoder.pmt"),
                                   .inputs = inputs,
                                   .input_count = 1,
                                   .output = stream_path(output),
                                   .blocks = blocks,
                                   .dtype = dtype,
                                   .compute = compute};
    const bool fine = encode_stream(&request, &program, &error);
    CHECK(fine, "%s", error.message);
    return fine;
}

/* The largest difference of a record from what is kept of its row, as a fraction of the largest magnitude. */
static double row_difference(const GoldenArray *want, size_t row_size, size_t row, const HiddenStates *got) {
    const size_t there = got->rows * got->width;
    float *values = memory_need(there + 1, sizeof *values);
    hidden_states_to_f32(got, values);
    double difference = 0;
    for (size_t i = 0; i < want->count; i++) {
        const size_t at = i * want->every;
        if (at / row_size != row || at % row_size >= there) continue;
        const double d = fabs((double)values[at % row_size] - (double)want->values[i]);
        if (!(d <= difference)) difference = d; /* also takes a NaN */
    }
    free(values);
    return difference / want->largest;
}

static double stream_difference(const Golden *golden, const char *file, size_t blocks, DType dtype) {
    char name[32];
    Error error = {""};
    Record record;
    snprintf(name, sizeof name, "out.hidden.%zu", blocks);
    const GoldenArray *want = golden_need(golden, name);
    StreamReader *reader = stream_reader_open_kind(stream_path(file), "hidden", &error);
    CHECK(reader, "%s", error.message);
    double difference = reader ? 0 : NAN;
    size_t rows = 0, row_size = 0;
    for (; reader && stream_reader_next(reader, &record, &error) == STREAM_RECORD; rows++) {
        HiddenStates hidden = {0};
        CHECK(hidden_states_of(&record, &hidden, &error), "%s", error.message);
        const size_t length = is_text(golden) ? row_length(golden, rows) : hidden.rows;
        CHECK(hidden.dtype == dtype && hidden.rows == length && (size_t)atoi(record.key) == rows);
        row_size =
            hidden.width * (is_text(golden) ? golden_need(golden, "in.attention_mask")->shape[1] : length);
        const double d = row_difference(want, row_size, rows, &hidden);
        if (!(d <= difference)) difference = d;
    }
    CHECK(rows * row_size <= want->count * want->every && rows * row_size > (want->count - 1) * want->every,
          "%zu rows of %zu: %s", rows, row_size, error.message);
    stream_reader_close(reader);
    return difference;
}

static size_t count_blocks(const Golden *golden) {
    char name[16];
    size_t blocks = 0;
    do
        snprintf(name, sizeof name, "hidden.%zu", ++blocks);
    while (blocks < BLOCKS_MOST && golden_find(golden, "out.", name));
    CHECK(blocks > 1 && blocks < BLOCKS_MOST);
    return blocks - 1;
}

/* What is written, and by how much that is off: bf16 by half a unit of its 8 bits, i8 by half a step. */
static const struct {
    DType dtype;
    double bound;
} outputs[] = {{DTYPE_F32, 0}, {DTYPE_BF16, 1.0 / 256}, {DTYPE_I8, 0.5 / 127}};

/* Every hidden state, with weights of every dtype. */
static void check_folder(int folder) {
    Golden golden = read_golden(folder);
    const size_t blocks = count_blocks(&golden);
    const bool text = is_text(&golden);
    write_input(&golden);
    for (size_t w = 0; w < sizeof bounds / sizeof *bounds; w++) {
        if (!import(folder, weight_dtypes[w] == DTYPE_F32, weight_dtypes[w])) continue;
        for (size_t k = 0; k <= blocks; k++)
            for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++) {
                const DType dtype = outputs[o].dtype;
                const char *output = "hidden.pmt";
                if (!encode(text, "input.pmt", output, (int64_t)k, dtype, "f32")) continue;
                const double bound = bounds[w] + outputs[o].bound;
                const double difference = stream_difference(&golden, output, k, dtype);
                CHECK(difference <= bound, "%s, weights in %s, %zu blocks, %s: %.2e", folders[folder],
                      dtype_name(weight_dtypes[w]), k, dtype_name(dtype), difference);
            }
    }
    golden_free(&golden);
}

static void xlm_roberta_gives_pytorchs_states(void) {
    check_folder(0);
}
static void bert_gives_pytorchs_states(void) {
    check_folder(1);
}
static void clip_vision_gives_pytorchs_states(void) {
    check_folder(2);
}
static void clips_image_part_gives_pytorchs_states(void) {
    check_folder(3);
}
static void vit_gives_pytorchs_states(void) {
    check_folder(4);
}

/* From each boundary to each later one: the same as in one go, to the bit, where the boundary is kept in f32.
 */
static void a_boundary_changes_nothing(void) {
    for (int folder = 0; folder < FOLDERS; folder++) {
        Golden golden = read_golden(folder);
        const size_t blocks = count_blocks(&golden);
        const bool text = is_text(&golden);
        write_input(&golden);
        if (!import(folder, true, DTYPE_F32)) continue;
        for (size_t k = 0; k <= blocks; k++) {
            const char *at = "boundary.pmt", *top = "top.pmt";
            if (!encode(text, "input.pmt", at, (int64_t)k, DTYPE_F32, "f32")) continue;
            if (!encode(text, at, top, -1, DTYPE_F32, "f32")) continue;
            double difference = stream_difference(&golden, top, blocks, DTYPE_F32);
            CHECK(difference <= bounds[0], "%s from %zu: %.2e", folders[folder], k, difference);
            if (!encode(text, "input.pmt", at, (int64_t)k, DTYPE_BF16, "f32")) continue;
            if (!encode(text, at, top, -1, DTYPE_F32, "f32")) continue;
            difference = stream_difference(&golden, top, blocks, DTYPE_F32);
            CHECK(difference <= bounds[2], "%s from %zu in bf16: %.2e", folders[folder], k, difference);
        }
        golden_free(&golden);
    }
}

/* Products of operands rounded to bf16 are off as much as weights in bf16 make them, behind every block. */
static void products_in_bf16_stay_near(void) {
    for (int folder = 0; folder < FOLDERS && backend_has_bf16(); folder++) {
        Golden golden = read_golden(folder);
        write_input(&golden);
        if (!import(folder, true, DTYPE_F32)) continue;
        for (size_t k = 0; k <= count_blocks(&golden); k++) {
            if (!encode(is_text(&golden), "input.pmt", "hidden.pmt", (int64_t)k, DTYPE_F32, "bf16")) continue;
            const double difference = stream_difference(&golden, "hidden.pmt", k, DTYPE_F32);
            CHECK(difference <= bounds[2], "%s, %zu blocks: %.2e", folders[folder], k, difference);
        }
        golden_free(&golden);
    }
}

RUN_TESTS(TEST(xlm_roberta_gives_pytorchs_states), TEST(bert_gives_pytorchs_states),
          TEST(clip_vision_gives_pytorchs_states), TEST(clips_image_part_gives_pytorchs_states),
          TEST(vit_gives_pytorchs_states), TEST(a_boundary_changes_nothing), TEST(products_in_bf16_stay_near))
