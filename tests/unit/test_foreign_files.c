/* Foreign files against what their own libraries wrote. */
#include "check.h"

#include "arrays/array_file.h"
#include "arrays/array_writer.h"
#include "arrays/pickle.h"
#include "convert/model_inference.h"
#include "core/file.h"
#include "core/memory.h"
#include "huggingface/encoder_shapes.h"
#include "huggingface/hf_config.h"
#include "huggingface/name_rules.h"
#include "huggingface/tensor_choice.h"

#include <dirent.h>
#include <unistd.h>

static const char *golden(const char *name) {
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    const char *project = getenv("PROJECT");
    snprintf(path, sizeof paths[0], "%s/tests/golden/%s", project ? project : ".", name);
    return path;
}

/* All elements of an array, read in pieces of `rows` rows. */
static unsigned char *read_array(ArrayFile *file, const Array *array, uint64_t rows, size_t *size,
                                 Error *error) {
    *size = (size_t)array_elements(array) * element_size(array->type);
    unsigned char *bytes = memory_need(*size, 1);
    ArrayReader *reader = array_reader_open(file, array, error);
    const size_t row = (size_t)array_row_elements(array) * element_size(array->type);
    bool fine = reader != NULL;
    for (uint64_t at = 0; at < array_rows(array) && fine; at += rows) {
        const uint64_t now = rows < array_rows(array) - at ? rows : array_rows(array) - at;
        const void *piece = array_reader_next(reader, now, error);
        fine = piece != NULL;
        if (fine && row) memcpy(bytes + at * row, piece, now * row);
    }
    array_reader_close(reader);
    if (fine) return bytes;
    free(bytes);
    return NULL;
}

static bool same_array(ArrayFile *got_file, const Array *got, ArrayFile *want_file, const Array *want,
                       uint64_t rows) {
    Error error;
    size_t got_size, want_size;
    bool same = got->type == want->type && got->dimensions == want->dimensions &&
                !memcmp(got->shape, want->shape, sizeof got->shape);
    unsigned char *got_bytes = read_array(got_file, got, rows, &got_size, &error);
    unsigned char *want_bytes = read_array(want_file, want, 1000000, &want_size, &error);
    same =
        same && got_bytes && want_bytes && got_size == want_size && !memcmp(got_bytes, want_bytes, got_size);
    free(got_bytes);
    free(want_bytes);
    return same;
}

static void compare_files(const char *got_path, const char *want_path, size_t count) {
    Error error;
    ArrayFile *got = array_file_open(golden(got_path), &error);
    CHECK(got, "%s", error.message);
    ArrayFile *want = array_file_open(golden(want_path), &error);
    CHECK(want, "%s", error.message);
    if (!got || !want) return;
    CHECK(array_file_count(got) == count && array_file_count(want) == count, "%zu arrays in %s",
          array_file_count(got), got_path);
    for (size_t i = 0; i < array_file_count(want); i++) {
        const Array *wanted = array_file_get(want, i);
        const Array *array = array_file_need(got, wanted->name, &error);
        CHECK(array && same_array(got, array, want, wanted, 1 + i % 3), "%s in %s", wanted->name, got_path);
    }
    array_file_close(got);
    array_file_close(want);
}

static void test_checkpoints(void) {
    static const struct {
        const char *name;
        size_t count;
    } files[] = {{"views", 131},           {"bare-f16", 128}, {"legacy-views", 4},
                 {"parameters-proto4", 3}, {"dtypes", 11},    {"control", 1}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char got[100], want[100];
        snprintf(got, sizeof got, "checkpoints/%s.pt", files[i].name);
        snprintf(want, sizeof want, "checkpoints/%s.expected.safetensors", files[i].name);
        compare_files(got, want, files[i].count);
    }
}

static void test_beside(void) {
    Error error;
    ArrayFile *file = array_file_open(golden("checkpoints/views.pt"), &error);
    CHECK(file && !strcmp(array_file_beside(file), "optimizer, rng_state, cuda_rng_state, scaler_state"),
          "%s", file ? array_file_beside(file) : error.message);
    CHECK(file && !array_file_need(file, "nothing", &error) && strstr(error.message, "no array 'nothing'"));
    array_file_close(file);
}

/* Opens and reads everything; true when all of it was readable. */
static bool read_whole_file(const char *path, Error *error) {
    ArrayFile *file = array_file_open(path, error);
    bool fine = file != NULL;
    for (size_t i = 0; fine && i < array_file_count(file); i++) {
        size_t size;
        unsigned char *bytes = read_array(file, array_file_get(file, i), 1, &size, error);
        fine = bytes != NULL;
        free(bytes);
    }
    array_file_close(file);
    return fine;
}

static void test_hostile(void) {
    DIR *folder = opendir(golden("checkpoints/hostile"));
    CHECK(folder);
    size_t count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        char path[700];
        Error error = {""};
        snprintf(path, sizeof path, "%s/%s", golden("checkpoints/hostile"), entry->d_name);
        CHECK(!read_whole_file(path, &error), "%s was read", entry->d_name);
        CHECK(strstr(error.message, entry->d_name) && !strchr(error.message, '\n'), "'%s' does not name %s",
              error.message, entry->d_name);
        count++;
    }
    if (folder) closedir(folder);
    CHECK(count == 83, "%zu files", count);
    CHECK(access("PWNED_BY_PICKLE", F_OK));
}

static void test_arrays(void) {
    compare_files("arrays/plain.npz", "arrays/expected.safetensors", 14);
    compare_files("arrays/compressed.npz", "arrays/expected.safetensors", 14);
    Error error;
    ArrayFile *lone = array_file_open(golden("arrays/column_major.npy"), &error);
    ArrayFile *want = array_file_open(golden("arrays/expected.safetensors"), &error);
    CHECK(lone && want && array_file_count(lone) == 1);
    if (lone && want)
        CHECK(same_array(lone, array_file_need(lone, "arr_0", &error), want,
                         array_file_need(want, "f32", &error), 2));
    array_file_close(lone);
    array_file_close(want);
    CHECK(!array_file_open(golden("arrays/objects.npz"), &error) && strstr(error.message, "pickled objects"),
          "%s", error.message);
    CHECK(!array_file_open(golden("arrays/records.npz"), &error) && strstr(error.message, "records"), "%s",
          error.message);
    CHECK(!array_file_open(golden("arrays/absent.npz"), &error) && strstr(error.message, "No such file"),
          "%s", error.message);
}

static void test_elements(void) {
    Error error;
    const int64_t wide[] = {-5, 1LL << 40};
    const uint64_t unsigned_wide[] = {UINT64_MAX};
    const double reals[] = {1.5, -2.25};
    const unsigned char truths[] = {2, 0};
    const int64_t small[] = {-128, 127, 128};
    int32_t narrow[2];
    float floats[2];
    uint16_t halves[2];
    unsigned char bytes[2];
    CHECK(element_convert(ELEMENT_I64, wide, DTYPE_I32, narrow, 1, &error) && narrow[0] == -5);
    CHECK(!element_convert(ELEMENT_I64, wide, DTYPE_I32, narrow, 2, &error) &&
          strstr(error.message, "1099511627776"));
    CHECK(!element_convert(ELEMENT_I64, wide, DTYPE_U8, bytes, 1, &error) && strstr(error.message, "-5"));
    CHECK(!element_convert(ELEMENT_U64, unsigned_wide, DTYPE_I64, narrow, 1, &error));
    CHECK(!element_convert(ELEMENT_F64, reals, DTYPE_I32, narrow, 1, &error) && strstr(error.message, "f64"));
    CHECK(element_convert(ELEMENT_F64, reals, DTYPE_F32, floats, 2, &error) && floats[0] == 1.5f &&
          floats[1] == -2.25f);
    CHECK(element_convert(ELEMENT_F64, reals, DTYPE_F16, halves, 2, &error) && halves[0] == 0x3e00 &&
          halves[1] == 0xc080);
    CHECK(element_convert(ELEMENT_F32, floats, DTYPE_BF16, halves, 2, &error) && halves[0] == 0x3fc0);
    CHECK(element_convert(ELEMENT_BOOL, truths, DTYPE_U8, bytes, 2, &error) && bytes[0] == 1 &&
          bytes[1] == 0);
    CHECK(element_convert(ELEMENT_BOOL, truths, DTYPE_BOOL, bytes, 2, &error) && bytes[0] == 1 &&
          bytes[1] == 0);
    CHECK(!element_convert(ELEMENT_U8, truths, DTYPE_BOOL, bytes, 1, &error) &&
          strstr(error.message, "bool"));
    CHECK(element_convert(ELEMENT_I64, small, DTYPE_I8, bytes, 2, &error) && bytes[0] == 0x80 &&
          bytes[1] == 127);
    CHECK(!element_convert(ELEMENT_I64, small + 2, DTYPE_I8, bytes, 1, &error) &&
          strstr(error.message, "128"));
    element_to_mask(ELEMENT_F64, (const double[]){0, -0.5}, bytes, 2);
    CHECK(bytes[0] == 0 && bytes[1] == 1);
}

typedef struct Supplied {
    const unsigned char *const *bytes;
    const size_t *sizes;
    size_t at[3], failing;
} Supplied;

/* Brings five bytes at a time. */
static bool supply_piece(void *context, size_t index, const void **bytes, size_t *size, Error *error) {
    Supplied *supplied = context;
    const size_t left = supplied->sizes[index] - supplied->at[index];
    if (index == supplied->failing) return error_set(error, "the supply failed");
    *bytes = supplied->bytes[index] + supplied->at[index];
    *size = left < 5 ? left : 5;
    supplied->at[index] += *size;
    return true;
}

static void check_written(const ArrayTarget *target, const char *path) {
    static const float floats[] = {1, 2, 3, 4, 5, 6};
    static const int32_t ids[] = {7, 8, 9};
    const unsigned char *const bytes[] = {(const unsigned char *)floats, NULL, (const unsigned char *)ids};
    const size_t sizes[] = {sizeof floats, 0, sizeof ids};
    const OutputArray arrays[] = {
        {"a.weight", DTYPE_F32, 2, {2, 3}}, {"nothing", DTYPE_U8, 2, {0, 3}}, {"ids", DTYPE_I32, 1, {3}}};
    Error error;
    Supplied supplied = {.bytes = bytes, .sizes = sizes, .failing = SIZE_MAX};
    CHECK(array_target_write(target, path, arrays, 3, (ArraySupply){supply_piece, &supplied}, &error), "%s",
          error.message);
    ArrayFile *file = array_file_open(path, &error);
    CHECK(file && array_file_count(file) == 3, "%s", error.message);
    for (size_t i = 0; file && i < 3; i++) {
        const Array *array = array_file_need(file, arrays[i].name, &error);
        size_t size = 0;
        unsigned char *got = array ? read_array(file, array, 1, &size, &error) : NULL;
        CHECK(got && size == sizes[i] && array->dimensions == arrays[i].dimensions &&
              array->shape[0] == arrays[i].shape[0] && (!size || !memcmp(got, bytes[i], size)));
        free(got);
    }
    array_file_close(file);
    unlink(path);
    supplied = (Supplied){.bytes = bytes, .sizes = sizes, .failing = 2};
    CHECK(!array_target_write(target, path, arrays, 3, (ArraySupply){supply_piece, &supplied}, &error) &&
              strstr(error.message, "the supply failed"),
          "%s", error.message);
    CHECK(access(path, F_OK));
}

static void test_writers(void) {
    char folder[] = "/tmp/test_foreign_files.XXXXXX", path[64];
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    check_written(&safetensors_target, path);
    snprintf(path, sizeof path, "%s/x.npz", folder);
    check_written(&npz_target, path);
    CHECK(!rmdir(folder)); /* nothing else was left in it */
}

/* pickle.dumps of an instance of a plain class with four attributes, protocol 4. */
static const char instance[] =
    "\x80\4\x95\x50\0\0\0\0\0\0\0\x8c\x09lmdb_pack\x94\x8c\x0aLMDB_Image\x94\x93\x94)\x81\x94}\x94(\x8c\x08"
    "channels\x94K\3\x8c\4size\x94K\2M\0\1\x86\x94\x8c\5image\x94"
    "C\6abcdef\x94\x8c\5ratio\x94G\x3f\xe0\0\0\0\0\0\0ub.";

static void test_pickled_instance(void) {
    Error error;
    size_t used;
    const unsigned char *bytes = (const unsigned char *)instance;
    Pickle *pickle = pickle_parse(bytes, sizeof instance - 1, &used, &error);
    CHECK(pickle, "%s", error.message);
    if (!pickle) return;
    const PickleValue *root = pickle_root(pickle);
    CHECK(used == sizeof instance - 1 && root->kind == PICKLE_OBJECT &&
          pickle_is_global(root->object->callee, "lmdb_pack.LMDB_Image"));
    const PickleValue *state = root->object->state, *image = pickle_get(state, "image");
    CHECK(pickle_get(state, "channels")->integer == 3 && pickle_get(state, "ratio")->real == 0.5);
    CHECK(pickle_count(pickle_get(state, "size")) == 2 &&
          pickle_item(pickle_get(state, "size"), 1)->integer == 256);
    CHECK(image->kind == PICKLE_BYTES && image->text.size == 6 && !memcmp(image->text.bytes, "abcdef", 6));
    CHECK(!pickle_get(state, "id"));
    pickle_free(pickle);
    for (size_t size = 0; size < sizeof instance - 1; size++)
        CHECK(!pickle_parse(bytes, size, NULL, &error), "cut to %zu bytes", size);
}

static void check_rule(const char *rules, const char *name, const char *want) {
    Error error;
    char *got = name_rules_apply(rules, name, &error);
    CHECK(want ? got && !strcmp(got, want) : !got, "%s of %s: %s", rules, name, got ? got : "(error)");
    free(got);
}

static void test_names(void) {
    check_rule(NULL, "a.b", "a.b");
    check_rule("a.=c.", "a.b", "c.b");
    check_rule("a.=", "a.b", "b");
    check_rule("x=y,a.=c.", "a.b", "c.b");
    check_rule("e.*.w=f.*.v", "e.0.q.w", "f.0.q.v");
    check_rule("e.*.w=f.*.v", "e.0.q.b", "e.0.q.b");
    check_rule("e.*=f", "e.0", NULL);
    check_rule("nothing", "e.0", NULL);
    NameTable *names = name_table_create();
    name_table_add(names, "module.model.a", 14, NULL);
    CHECK(name_wrapper_length(names) == 13);
    name_table_add(names, "module.b", 8, NULL);
    CHECK(name_wrapper_length(names) == 7);
    name_table_destroy(names);
    CHECK(is_position_ids("x.position_ids") && is_position_ids("position_ids") &&
          !is_position_ids("x.position_id"));
}

static void test_configurations(void) {
    Error error;
    json_t *clip = hf_config_read(golden("encoders/clip-tiny-full/config.json"), &error);
    CHECK(clip && hf_config_size(clip, "hidden_size") == 32 && !strcmp(hf_config_modality(clip), "image"));
    json_t *again = hf_config_normalise(clip, &error);
    CHECK(again && json_equal(clip, again));
    json_t *text = hf_config_read(golden("checkpoints/text_config.json"), &error);
    CHECK(text && hf_config_size(text, "vocab_size") == 64 && !strcmp(hf_config_modality(text), "text"));
    json_decref(clip);
    json_decref(again);
    json_decref(text);
    static const char *const wrong[][2] = {
        {"{}", "model_type"},
        {"[]", "object"},
        {"{\"model_type\": \"t5\"}", "t5"},
        {"{\"model_type\": \"bert\", \"hidden_size\": 10, \"num_attention_heads\": 3}", "multiple"},
        {"{\"model_type\": \"bert\", \"hidden_size\": -1}", "hidden_size"},
        {"{\"model_type\": \"bert\", \"vocab_size\": 1e9}", "vocab_size"},
        {"{\"model_type\": \"vit\", \"patch_size\": 500}", "patch_size"},
        {"{\"model_type\": \"bert\", \"hidden_act\": \"swish\"}", "swish"},
        {"{\"model_type\": \"bert\", \"position_embedding_type\": \"relative_key\"}", "relative_key"},
        {"{\"model_type\": \"clip\"}", "vision_config"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *raw = json_loads(wrong[i][0], 0, NULL);
        CHECK(raw && !hf_config_normalise(raw, &error) && strstr(error.message, wrong[i][1]), "%s: %s",
              wrong[i][0], error.message);
        json_decref(raw);
    }
    json_t *raw = json_loads("{\"model_type\": \"vit\"}", 0, NULL), *vit = hf_config_normalise(raw, &error);
    size_t count;
    EncoderShape *shapes = encoder_shapes(vit, &count);
    CHECK(count == 4 + 12 * 16 && shapes[1].shape[1] == 197 &&
          !strcmp(shapes[4].name, "encoder.layer.0.layernorm_before.weight"));
    free(shapes);
    json_decref(raw);
    json_decref(vit);
}

static void test_inference(void) {
    Error error;
    TensorChoices choices;
    ArrayFile *file = array_file_open(golden("checkpoints/views.pt"), &error);
    CHECK(file && tensor_choices_start(&choices, file, NULL, NULL, &error) &&
          tensor_choices_model(&choices, &error));
    json_t *got = model_settings_infer(&choices);
    json_t *want = json_pack("{s:s, s:i, s:s, s:i, s:i, s:s, s:i, s:i}", "tower", "modal", "dim", 12,
                             "fusion", "merge_attn", "fusion-layers", 1, "fusion-intermediate", 20,
                             "user-encoder", "sasrec", "user-blocks", 2, "max-seq-len", 5);
    CHECK(json_equal(got, want));
    json_decref(got);
    json_decref(want);
    tensor_choices_free(&choices);
    array_file_close(file);
}

RUN_TESTS(TEST(test_checkpoints), TEST(test_beside), TEST(test_hostile), TEST(test_arrays),
          TEST(test_elements), TEST(test_writers), TEST(test_pickled_instance), TEST(test_names),
          TEST(test_configurations), TEST(test_inference))
