#include "model/encode_stream.h"

#include "core/file.h"
#include "core/finite.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "model/encode_source.h"
#include "model/item_window.h"
#include "model/lineage.h"
#include "model/model_file.h"
#include "model/recommender.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <string.h>

/* What is encoded together, of at most WINDOW_ITEMS items: enough for the products, and few enough for the
 * caches. */
enum { WINDOW_TOKENS = 1600 };

typedef struct Job {
    const EncodeRequest *request;
    EncodeSource source;
    ParameterSet *parameters;
    EncoderConfig config;
    json_t *encoder_header; /* of the file that the blocks came from */
    json_t *encoder_content;
    Encoder *encoder;
    size_t end;
    Tape *tape;
    StreamWriter *writer;
    ItemWindow window;
    size_t tokens; /* of the items in the window */
    void *row;     /* one item's hidden states in the dtype that is written */
    size_t row_capacity;
    Progress progress;
    uint64_t read;      /* items of the input so far */
    uint64_t done;      /* of these, before those in the window */
    uint64_t kept;      /* items that a killed run has written … */
    size_t passed;      /* … of these, the ones in the last window */
    ContentHash *input; /* of the items so far; NULL where it is not needed */
} Job;

/* Has a window with so many items and tokens no room for an item with `more`? */
static bool is_full(size_t items, size_t tokens, size_t more) {
    return items == WINDOW_ITEMS || tokens + more > WINDOW_TOKENS;
}

/* The encoder's configuration in the header of its file. */
static bool read_config(Job *job, const json_t *header, const char *name, Error *error) {
    const char *wanted = modality_name(job->request->modality);
    const json_t *config = json_object_get(header, "config");
    if (job->request->model) {
        config = json_object_get(header, modality_encoder_key(job->request->modality));
        if (!json_is_object(config))
            return error_set(error, "%s: this model holds no %s encoder; give one with --encoder", name,
                             wanted);
    }
    if (!encoder_config_read(&job->config, config, error)) return error_prefix(error, "%s: ", name);
    if (encoder_config_is_text(&job->config) != (job->request->modality == MODALITY_TEXT))
        return error_set(error, "%s: this is no %s encoder", name, wanted);
    return true;
}

/* What the file with the blocks is called among the options. */
static const char *weights_option(const Job *job) {
    return job->request->model ? "model" : "encoder";
}

/* Where to start and to stop, before anything large is read. */
static bool choose_blocks(Job *job, Error *error) {
    const size_t blocks = job->config.blocks;
    if (job->source.start == ENCODE_FROM_LAST) job->source.start = (int64_t)blocks;
    job->end = job->request->blocks < 0 ? blocks : (size_t)job->request->blocks;
    if (job->end > blocks) return error_set(error, "--blocks %zu, but the encoder has %zu", job->end, blocks);
    if (job->source.start > (int64_t)job->end)
        return error_set(error,
                         "%s: its hidden states have %" PRId64
                         " blocks behind them already, and --blocks %zu "
                         "is fewer",
                         stream_reader_name(job->source.reader), job->source.start, job->end);
    return true;
}

static bool load_encoder(Job *job, Error *error) {
    const EncodeRequest *request = job->request;
    const bool model = request->model != NULL;
    StreamReader *reader =
        stream_reader_open_kind(model ? request->model : request->encoder, weights_option(job), error);
    if (!reader) return false;
    const char *name = stream_reader_name(reader);
    const ModelFilter filter = {0};
    ModelFound found;
    bool fine = read_config(job, stream_reader_header(reader), name, error) && choose_blocks(job, error);
    if (fine) {
        const char *prefix = model ? recommender_encoder_prefix(&job->config) : "";
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

static json_t *describe_header(const Job *job, const Program *program) {
    json_t *header = header_create("hidden");
    json_object_set_new(header, "modality", json_string(modality_name(job->request->modality)));
    json_object_set(header, "encoder",
                    json_object_get(job->encoder_header, !job->request->model
                                                             ? "config"
                                                             : modality_encoder_key(job->request->modality)));
    json_object_set_new(header, "blocks", json_integer((json_int_t)job->end));
    json_object_set_new(header, "width", json_integer((json_int_t)job->config.width));
    json_object_set_new(header, "dtype", json_string(dtype_name(job->request->dtype)));
    header_sign(header, program->name, options_record(program));
    header_add_input(header, weights_option(job), job->encoder_header);
    header_add_input(header, "input", job->source.header);
    return header;
}

/* All that the bytes of the output follow from: core/same_run.h. */
static json_t *describe_run(const Job *job, const Program *program) {
    json_t *run = options_record(program), *input = encode_source_known(&job->source);
    const Shard *shard = &job->request->shard;
    json_object_set_new(run, "level", json_integer(job->request->level));
    if (shard->count)
        json_object_set_new(run, "shard", json_sprintf("%" PRIu64 "/%" PRIu64, shard->number, shard->count));
    json_object_set(run, weights_option(job), job->encoder_content);
    json_object_set_new(run, "input", input ? input : json_null());
    return run;
}

/* Windows are made up as they were in the run that was killed, for the last bits of an item's states may
 * depend on what it is computed with: finds the window that its last item was in. */
static void pass_record(void *context, const Record *record) {
    Job *job = context;
    const size_t tokens = record->count ? record->tensors[0].shape[0] : 0;
    if (record->number == 1) job->done = job->passed = job->tokens = 0;
    if (is_full(job->passed, job->tokens, tokens)) {
        job->done += job->passed;
        job->passed = job->tokens = 0;
    }
    job->passed++;
    job->tokens += tokens;
}

/* What is not known of the input beforehand is looked at while it is read again. */
static bool open_to_resume(Job *job, const json_t *header, const json_t *run, Error *error) {
    job->writer =
        stream_writer_resume(job->request->output, header, run, (ReplayWatch){pass_record, job}, error);
    if (!job->writer) return false;
    if (json_is_null(json_object_get(run, "input"))) job->input = content_hash_create();
    const JournalMark *done = stream_writer_done(job->writer);
    job->kept = done ? done->records : 0;
    job->tokens = 0;
    if (!done) return true;
    log_report("going on after %" PRIu64 " items", job->kept);
    if (job->input || !job->done) return true;
    job->read = job->done;
    return encode_source_skip(&job->source, job->done, error);
}

static bool open_writer(Job *job, const Program *program, Error *error) {
    json_t *header = describe_header(job, program);
    bool fine;
    if (job->request->resume) {
        json_t *run = describe_run(job, program);
        fine = open_to_resume(job, header, run, error);
        json_decref(run);
    } else {
        job->writer = stream_writer_open(job->request->output, header, error);
        fine = job->writer;
    }
    json_decref(header);
    if (job->writer) stream_writer_set_level(job->writer, job->request->level);
    return fine;
}

/* The states of the window's items after `end` blocks. */
static const float *run_blocks(Job *job, size_t end, Segments *segments) {
    const WindowSide *side = &job->window.sides[0];
    *segments = item_window_segments(&job->window, 0);
    tape_reset(job->tape, 0);
    Tensor *hidden;
    if (job->source.start != ENCODER_FROM_INPUT)
        hidden = tape_leaf(job->tape, side->values, side->rows, side->width, false);
    else if (job->request->modality == MODALITY_TEXT)
        hidden = encoder_embed_text(job->encoder, job->tape, side->values, *segments, 0);
    else
        hidden = encoder_embed_images(job->encoder, job->tape, side->values, job->window.items, segments, 0);
    return tape_read(job->tape, encoder_run_blocks(job->encoder, job->tape, hidden, *segments, end, 0));
}

/* The first item whose states are not finite; the number of items when all are. */
static size_t find_not_finite(const Job *job, const float *states, Segments segments) {
    const size_t count = segments.offsets[job->window.items] * job->config.width;
    const size_t at = first_not_finite(states, count) / job->config.width;
    size_t item = 0;
    while (item < job->window.items && segments.offsets[item + 1] <= at)
        item++;
    return item;
}

/* Runs the window again, block by block, to see where it began. */
static bool refuse_states(Job *job, size_t bad, Error *error) {
    char item[WINDOW_ITEM_TEXT], place[64] = "the embedding";
    size_t block = job->source.start < 0 ? 0 : (size_t)job->source.start;
    for (; block < job->end; block++) {
        Segments segments;
        const float *states = run_blocks(job, block, &segments);
        const size_t found = find_not_finite(job, states, segments);
        if (found == job->window.items) continue;
        bad = found;
        break;
    }
    if (block) snprintf(place, sizeof place, "block %zu", block);
    item_window_describe(&job->window, bad, item);
    return error_set(error, "%s: %s makes hidden states that are infinite or no number%s", item, place,
                     strcmp(job->request->compute, "f32") ? "; --compute f32 reaches further" : "");
}

/* `hidden` are the states of the item. */
static bool put_item(Job *job, size_t i, const float *hidden, size_t rows, Error *error) {
    const DType dtype = job->request->dtype;
    const size_t width = job->config.width;
    job->row = memory_grow(job->row, &job->row_capacity, hidden_states_bytes(dtype, rows, width), 1);
    Record record = {.key = job->window.keys[i], .key_size = job->window.key_sizes[i]};
    if (hidden_states_fill(&record, dtype, hidden, rows, width, job->row, error))
        return stream_writer_put(job->writer, &record, error);
    char item[WINDOW_ITEM_TEXT];
    item_window_describe(&job->window, i, item);
    return error_prefix(error, "%s: ", item);
}

static bool encode_window(Job *job, Error *error) {
    ItemWindow *window = &job->window;
    Segments segments;
    if (!window->items) return true;
    const float *states = run_blocks(job, job->end, &segments);
    const size_t bad = find_not_finite(job, states, segments);
    if (bad < window->items) return refuse_states(job, bad, error);
    for (size_t i = 0; i < window->items; i++)
        if (job->done + i >= job->kept && !put_item(job, i, states + segments.offsets[i] * job->config.width,
                                                    segments_length(segments, i), error))
            return false;
    job->done += window->items;
    item_window_clear(window);
    job->tokens = 0;
    progress_update(&job->progress, job->done);
    return true;
}

static bool take_item(Job *job, const EncodeItem *item, Error *error) {
    ItemWindow *window = &job->window;
    if (is_full(window->items, job->tokens, item->tokens) && !encode_window(job, error)) return false;
    window->sides[0].width = item->width;
    void *to = item_window_add_rows(window, 0, item->rows);
    if (!encode_source_write(&job->source, item, &job->config, to, error)) return false;
    item_window_add(window, item->key, item->key_size);
    job->tokens += item->tokens;
    return true;
}

static bool refuse_input(const Job *job, Error *error) {
    return error_set(
        error,
        "%s: its first %" PRIu64
        " items are not those that %s.part was made from; give the same, or remove that to begin "
        "anew",
        stream_reader_name(job->source.reader), job->kept, job->request->output);
}

/* Notes what was read for the run that may have to go on, and compares it with what the one before noted. */
static bool note_item(Job *job, Error *error) {
    char text[CONTENT_HASH_TEXT];
    encode_source_hash(&job->source, job->input);
    content_hash_text(job->input, text);
    if (job->read > job->kept) stream_writer_note(job->writer, text);
    return job->read != job->kept || !strcmp(text, stream_writer_done(job->writer)->input) ||
           refuse_input(job, error);
}

static bool encode_items(Job *job, Error *error) {
    EncodeItem item;
    StreamStatus status;
    const uint64_t before = job->done; /* are not needed again */
    while ((status = encode_source_next(&job->source, &job->config, &item, error)) == STREAM_RECORD) {
        job->read++;
        if (job->input && !note_item(job, error)) return false;
        if (job->read > before && !take_item(job, &item, error)) return false;
    }
    if (status == STREAM_END && job->read < job->kept) return refuse_input(job, error);
    return status == STREAM_END && encode_window(job, error);
}

/* Of hidden states, which blocks go on from. The hash that tells is in an index, or else known when all is
 * read. */
static bool check_maker(const Job *job, Error *error) {
    const EncodeRequest *request = job->request;
    if (request->any_model || job->source.start == ENCODER_FROM_INPUT) return true;
    json_t *content = encode_source_content(&job->source);
    const Lineage hidden = {stream_reader_name(job->source.reader), job->source.header, content};
    const Lineage maker = {request->model ? request->model : request->encoder, job->encoder_header,
                           job->encoder_content};
    const bool fine = request->model ? lineage_check_hidden(&hidden, &maker, request->modality, error)
                                     : lineage_check_encoder(&hidden, &maker, error);
    json_decref(content);
    return fine;
}

static bool finish(Job *job, Error *error) {
    if (!check_maker(job, error)) return false;
    stream_writer_add_content(job->writer, weights_option(job), json_incref(job->encoder_content));
    stream_writer_add_content(job->writer, "input", encode_source_content(&job->source));
    StreamWriter *writer = job->writer;
    job->writer = NULL;
    return stream_writer_close(writer, error);
}

static bool run(Job *job, const Program *program, Error *error) {
    const EncodeRequest *request = job->request;
    const Backend *backend = backend_find(job->request->device, request->compute, error);
    if (!backend ||
        !encode_source_open(&job->source, request->modality, request->inputs, request->input_count,
                            &request->shard, error) ||
        !load_encoder(job, error) || !check_maker(job, error) ||
        !encode_source_check(&job->source, &job->config, error))
        return false;
    const uint64_t count = encode_source_count(&job->source);
    if (!open_writer(job, program, error)) return false;
    job->tape = tape_create(backend, false);
    parameter_set_move(job->parameters, backend);
    progress_start_at(&job->progress, "items", job->done, count);
    const bool fine = encode_items(job, error);
    progress_finish(&job->progress);
    return fine && finish(job, error);
}

bool encode_stream(const EncodeRequest *request, const Program *program, Error *error) {
    Job *job = memory_need(1, sizeof *job);
    job->request = request;
    const bool fine = run(job, program, error);
    if (fine) log_detail("%" PRIu64 " items encoded with blocks up to %zu", job->done, job->end);
    stream_writer_abandon(job->writer);
    encode_source_close(&job->source);
    encoder_destroy(job->encoder);
    parameter_set_destroy(job->parameters);
    tape_destroy(job->tape);
    json_decref(job->encoder_header);
    json_decref(job->encoder_content);
    content_hash_destroy(job->input);
    item_window_free(&job->window);
    free(job->row);
    free(job);
    return fine;
}
