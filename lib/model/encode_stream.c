#include "model/encode_stream.h"

#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/image_resize.h"
#include "data/image_store.h"
#include "model/encoder.h"
#include "model/model_file.h"
#include "model/recommender.h"

#include <inttypes.h>
#include <string.h>

/* What is encoded together: enough for the products, and few enough for the caches. */
enum { WINDOW_ITEMS = 128, WINDOW_TOKENS = 1600 };

/* An input of either sort. */
typedef struct Source {
    StreamReader *reader; /* NULL: an image store */
    ImageStore *images;
    const json_t *header;
    int64_t start; /* blocks that its hidden states have behind them, or ENCODER_FROM_INPUT */
} Source;

/* Items that wait to be encoded together. */
typedef struct Window {
    size_t items, tokens, rows, row_capacity,
        width; /* rows of `width` elements: tokens, hidden states or whole images */
    size_t offsets[WINDOW_ITEMS + 1];
    char *keys[WINDOW_ITEMS];
    size_t key_sizes[WINDOW_ITEMS];
    uint32_t *ids;
    float *values;
} Window;

typedef struct Job {
    const EncodeRequest *request;
    Source source;
    ParameterSet *parameters;
    EncoderConfig config;
    json_t *encoder_header; /* of the file that the blocks came from */
    json_t *encoder_content;
    Encoder *encoder;
    size_t end;
    Tape *tape;
    StreamWriter *writer;
    Window window;
    void *row; /* one item's hidden states in the dtype that is written */
    size_t row_capacity;
    Progress progress;
    uint64_t done;
} Job;

static bool open_stream_source(Source *source, const EncodeRequest *request, Error *error) {
    const char *wanted = modality_name(request->modality);
    source->reader = stream_reader_open_kind(
        request->input, request->modality == MODALITY_TEXT ? "tokens|hidden" : "pixels|hidden", error);
    if (!source->reader) return false;
    const json_t *header = source->header = stream_reader_header(source->reader);
    source->start = ENCODER_FROM_INPUT;
    if (strcmp(json_string_value(json_object_get(header, "kind")), "hidden")) return true;
    const char *modality = json_string_value(json_object_get(header, "modality"));
    if (!modality || strcmp(modality, wanted))
        return error_set(error, "%s: holds hidden states of %s, not of %s",
                         stream_reader_name(source->reader), modality ? modality : "an unnamed modality",
                         wanted);
    if (json_is_string(json_object_get(header, "blocks"))) { /* "last": nothing is above it */
        source->start = INT64_MAX;
        return true;
    }
    return header_integer(header, "blocks", 0, 10000, &source->start, error) ||
           error_prefix(error, "%s: ", stream_reader_name(source->reader));
}

static bool open_source(Source *source, const EncodeRequest *request, Error *error) {
    if (request->modality == MODALITY_TEXT || !request->input || !image_store_is_one(request->input))
        return open_stream_source(source, request, error);
    source->images = image_store_open(request->input, error);
    if (!source->images) return false;
    source->header = image_store_header(source->images);
    source->start = ENCODER_FROM_INPUT;
    return true;
}

static void close_source(Source *source) {
    stream_reader_close(source->reader);
    image_store_close(source->images);
}

/* The encoder's configuration in the header of its file. */
static bool read_config(Job *job, const json_t *header, const char *name, Error *error) {
    const char *wanted = modality_name(job->request->modality);
    const json_t *config = json_object_get(header, "config");
    if (job->request->model) {
        config = json_object_get(header,
                                 job->request->modality == MODALITY_TEXT ? "text_encoder" : "image_encoder");
        if (!json_is_object(config))
            return error_set(error, "%s: this model holds no %s encoder; give one with --encoder", name,
                             wanted);
    }
    if (!encoder_config_read(&job->config, config, error)) return error_prefix(error, "%s: ", name);
    if (encoder_config_is_text(&job->config) != (job->request->modality == MODALITY_TEXT))
        return error_set(error, "%s: this is no %s encoder", name, wanted);
    return true;
}

/* Where to start and to stop, before anything large is read. */
static bool choose_blocks(Job *job, Error *error) {
    const size_t blocks = job->config.blocks;
    if (job->source.start == INT64_MAX) job->source.start = (int64_t)blocks;
    job->end = job->request->blocks < 0 ? blocks : (size_t)job->request->blocks;
    if (job->end > blocks) return error_set(error, "--blocks %zu, but the encoder has %zu", job->end, blocks);
    if (job->source.start > (int64_t)job->end)
        return error_set(error,
                         "%s: its hidden states have %" PRId64
                         " blocks behind them already, and --blocks %zu "
                         "is fewer",
                         file_display_name(job->request->input), job->source.start, job->end);
    return true;
}

static bool load_encoder(Job *job, Error *error) {
    const EncodeRequest *request = job->request;
    const bool model = request->model != NULL;
    StreamReader *reader = stream_reader_open_kind(model ? request->model : request->encoder,
                                                   model ? "model" : "encoder", error);
    if (!reader) return false;
    const char *name = stream_reader_name(reader);
    const ModelFilter filter = {0};
    ModelFound found;
    bool fine = read_config(job, stream_reader_header(reader), name, error) && choose_blocks(job, error);
    if (fine) {
        const char *prefix = !model                               ? ""
                             : request->modality == MODALITY_TEXT ? recommender_text_prefix()
                                                                  : recommender_image_prefix(&job->config);
        job->parameters = parameter_set_create();
        job->encoder = encoder_create(job->parameters, &job->config, prefix, job->source.start, job->end);
        fine = model_file_read(reader, job->parameters, &filter, &found, error) &&
               model_file_check_complete(job->parameters, name, error);
    }
    if (fine) {
        job->encoder_header = json_deep_copy(stream_reader_header(reader));
        job->encoder_content = stream_reader_content(reader);
    }
    stream_reader_close(reader);
    return fine;
}

static bool open_writer(Job *job, const Program *program, Error *error) {
    json_t *header = header_create("hidden");
    json_object_set_new(header, "modality", json_string(modality_name(job->request->modality)));
    json_object_set(header, "encoder",
                    json_object_get(job->encoder_header, !job->request->model ? "config"
                                                         : job->request->modality == MODALITY_TEXT
                                                             ? "text_encoder"
                                                             : "image_encoder"));
    json_object_set_new(header, "blocks", json_integer((json_int_t)job->end));
    json_object_set_new(header, "width", json_integer((json_int_t)job->config.width));
    json_object_set_new(header, "dtype", json_string(dtype_name(job->request->dtype)));
    header_sign(header, program->name, options_record(program));
    header_add_input(header, job->request->model ? "model" : "encoder", job->encoder_header);
    header_add_input(header, "input", job->source.header);
    job->writer = stream_writer_open(job->request->output, header, error);
    json_decref(header);
    return job->writer != NULL;
}

/* `hidden` are the states of the item. */
static bool put_item(Job *job, size_t i, const float *hidden, size_t rows, Error *error) {
    const size_t width = job->config.width, size = dtype_size(job->request->dtype);
    job->row = memory_grow(job->row, &job->row_capacity, rows * width, size);
    dtype_from_f32(job->request->dtype, hidden, job->row, rows * width);
    Record record = {.key = job->window.keys[i], .key_size = job->window.key_sizes[i], .count = 1};
    record.tensors[0] =
        record_tensor("hidden", job->request->dtype, job->row, 2, (uint64_t)rows, (uint64_t)width);
    return stream_writer_put(job->writer, &record, error);
}

static bool encode_window(Job *job, Error *error) {
    Window *window = &job->window;
    if (!window->items) return true;
    tape_reset(job->tape, 0);
    Segments segments = {window->items, window->offsets};
    Tensor *hidden;
    if (job->source.start != ENCODER_FROM_INPUT)
        hidden = tape_leaf(job->tape, window->values, window->rows, window->width, false);
    else if (job->request->modality == MODALITY_TEXT)
        hidden = encoder_embed_text(job->encoder, job->tape, window->ids, segments, 0);
    else
        hidden = encoder_embed_images(job->encoder, job->tape, window->values, window->items, &segments, 0);
    hidden = encoder_run_blocks(job->encoder, job->tape, hidden, segments, job->end, 0);
    const float *states = tape_read(job->tape, hidden);
    for (size_t i = 0; i < window->items; i++)
        if (!put_item(job, i, states + segments.offsets[i] * job->config.width, segments_length(segments, i),
                      error))
            return false;
    for (size_t i = 0; i < window->items; i++)
        free(window->keys[i]);
    job->done += window->items;
    window->items = window->rows = window->tokens = 0;
    progress_update(&job->progress, job->done);
    return true;
}

/* Room for one more item of `rows` rows; encodes the window when it is full. */
static bool begin_item(Job *job, const char *key, size_t key_size, size_t rows, size_t width, Error *error) {
    Window *window = &job->window;
    const size_t tokens = job->source.start == ENCODER_FROM_INPUT && job->request->modality == MODALITY_IMAGE
                              ? encoder_config_image_tokens(&job->config)
                              : rows;
    if ((window->items == WINDOW_ITEMS || window->tokens + tokens > WINDOW_TOKENS) &&
        !encode_window(job, error))
        return false;
    window->tokens += tokens;
    const bool ids = job->source.start == ENCODER_FROM_INPUT && job->request->modality == MODALITY_TEXT;
    size_t capacity = window->row_capacity;
    if (ids)
        window->ids = memory_grow(window->ids, &capacity, window->rows + rows, sizeof(uint32_t));
    else
        window->values = memory_grow(window->values, &capacity, window->rows + rows, width * sizeof(float));
    window->row_capacity = capacity;
    window->width = width;
    window->keys[window->items] = memory_copy_text(key, key_size);
    window->key_sizes[window->items] = key_size;
    window->offsets[window->items] = window->rows;
    window->rows += rows;
    window->offsets[++window->items] = window->rows;
    return true;
}

static bool take_tokens(Job *job, const Record *record, Error *error) {
    const RecordTensor *tensor = record_need(record, "ids", DTYPE_I32, 1, error);
    if (!tensor || !begin_item(job, record->key, record->key_size, tensor->shape[0], 1, error)) return false;
    Window *window = &job->window;
    uint32_t *ids = window->ids + window->offsets[window->items - 1];
    if (tensor->shape[0]) memcpy(ids, tensor->data, tensor->shape[0] * sizeof *ids);
    if (encoder_check_tokens(&job->config, ids, tensor->shape[0], error)) return true;
    char where[RECORD_WHERE_TEXT];
    record_where(record, where);
    return error_prefix(error, "%s: ", where);
}

static bool wrong_shape(const Record *record, const RecordTensor *tensor, const char *wanted, size_t size,
                        Error *error) {
    char where[RECORD_WHERE_TEXT], found[RECORD_TENSOR_TEXT];
    record_where(record, where);
    record_tensor_describe(tensor, found);
    return error_set(error, "%s: %s is %s, but the encoder's %s is %zu", where, tensor->name, found, wanted,
                     size);
}

static bool take_hidden(Job *job, const Record *record, Error *error) {
    const RecordTensor *tensor = record_need_float(record, "hidden", 2, error);
    if (!tensor) return false;
    const size_t width = job->config.width, rows = tensor->shape[0];
    if (tensor->shape[1] != width) return wrong_shape(record, tensor, "width", width, error);
    if (!begin_item(job, record->key, record->key_size, rows, width, error)) return false;
    const Window *window = &job->window;
    dtype_to_f32(tensor->dtype, tensor->data, window->values + window->offsets[window->items - 1] * width,
                 rows * width);
    return true;
}

static bool take_pixels(Job *job, const Record *record, Error *error) {
    const RecordTensor *tensor = record_find(record, "pixels");
    const size_t size = job->config.image_size, count = 3 * size * size;
    const bool bytes = tensor && tensor->dtype == DTYPE_U8;
    tensor = bytes ? record_need(record, "pixels", DTYPE_U8, 3, error)
                   : record_need_float(record, "pixels", 3, error);
    if (!tensor) return false;
    const uint64_t *shape = tensor->shape;
    if (shape[bytes ? 2 : 0] != 3 || shape[bytes ? 0 : 1] != size || shape[bytes ? 1 : 2] != size)
        return wrong_shape(record, tensor, "image size", size, error);
    if (!begin_item(job, record->key, record->key_size, 1, count, error)) return false;
    float *to = job->window.values + (job->window.rows - 1) * count;
    if (bytes)
        image_normalise(tensor->data, size, &job->config.recipe, to);
    else
        dtype_to_f32(tensor->dtype, tensor->data, to, count);
    return true;
}

static bool encode_images(Job *job, Error *error) {
    ImageStore *images = job->source.images;
    const size_t size = job->config.image_size;
    if (image_store_size(images) != size)
        return error_set(
            error, "%s: images of %u pixels a side, but the encoder's are %zu; pack them with --size %zu",
            image_store_name(images), image_store_size(images), size, size);
    image_recipe_compare(&job->config.recipe, image_store_header(images), image_store_name(images));
    StoredImage image;
    int status;
    while ((status = image_store_next(images, &image, error)) > 0) {
        if (!begin_item(job, image.name, image.name_size, 1, 3 * size * size, error)) return false;
        image_normalise(image.pixels, size, &job->config.recipe,
                        job->window.values + (job->window.rows - 1) * 3 * size * size);
    }
    if (status < 0) return false;
    stream_writer_add_content(job->writer, "input", image_store_content(images));
    return true;
}

static bool encode_records(Job *job, Error *error) {
    Record record;
    StreamStatus status;
    bool (*const take)(Job *, const Record *, Error *) = job->source.start != ENCODER_FROM_INPUT ? take_hidden
                                                         : job->request->modality == MODALITY_TEXT
                                                             ? take_tokens
                                                             : take_pixels;
    while ((status = stream_reader_next(job->source.reader, &record, error)) == STREAM_RECORD)
        if (!take(job, &record, error)) return false;
    if (status == STREAM_ERROR) return false;
    stream_writer_add_content(job->writer, "input", stream_reader_content(job->source.reader));
    return true;
}

static bool run(Job *job, const Program *program, Error *error) {
    const Backend *backend = backend_find("cpu", job->request->compute, error);
    if (!backend || !open_source(&job->source, job->request, error) || !load_encoder(job, error) ||
        !open_writer(job, program, error))
        return false;
    job->tape = tape_create(backend, false);
    parameter_set_move(job->parameters, backend);
    stream_writer_add_content(job->writer, job->request->model ? "model" : "encoder", job->encoder_content);
    job->encoder_content = NULL;
    progress_start(&job->progress, "items", job->source.images ? image_store_count(job->source.images) : 0);
    if (!(job->source.images ? encode_images(job, error) : encode_records(job, error)) ||
        !encode_window(job, error))
        return false;
    progress_finish(&job->progress);
    StreamWriter *writer = job->writer;
    job->writer = NULL;
    return stream_writer_close(writer, error);
}

bool encode_stream(const EncodeRequest *request, const Program *program, Error *error) {
    Job *job = memory_need(1, sizeof *job);
    job->request = request;
    const bool fine = run(job, program, error);
    if (fine) log_detail("%" PRIu64 " items encoded with blocks up to %zu", job->done, job->end);
    stream_writer_abandon(job->writer);
    close_source(&job->source);
    encoder_destroy(job->encoder);
    parameter_set_destroy(job->parameters);
    tape_destroy(job->tape);
    json_decref(job->encoder_header);
    json_decref(job->encoder_content);
    for (size_t i = 0; i < job->window.items; i++)
        free(job->window.keys[i]);
    free(job->window.ids);
    free(job->window.values);
    free(job->row);
    free(job);
    return fine;
}
