#include "model/fuse_stream.h"

#include "core/finite.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "model/item_names.h"
#include "model/item_window.h"
#include "model/lineage.h"
#include "model/model_file.h"
#include "model/recommender.h"
#include "stream/hidden_states.h"
#include "stream/join.h"

#include <inttypes.h>
#include <string.h>

/* So much of what waits for its partner stays in memory; more goes into a scratch file. */
#define JOIN_MEMORY ((size_t)32 << 20)

typedef struct Job {
    const FuseRequest *request;
    json_t *model_header, *model_content;
    Settings settings;
    Recommender *recommender;
    Tape *tape;
    StreamReader *readers[MODALITIES]; /* NULL: the tower does not read it */
    ItemWindow window;
    StreamWriter *writer;
    Progress progress;
    uint64_t done;
} Job;

/* Hidden states must come from the encoder's last block. */
static bool check_blocks(const Job *job, Modality modality, const json_t *header, const char *name,
                         Error *error) {
    const json_t *blocks = json_object_get(header, "blocks");
    const json_t *encoder = json_object_get(job->model_header, modality_encoder_key(modality));
    if (!json_is_object(encoder)) encoder = json_object_get(header, "encoder");
    const json_t *all = json_object_get(encoder, "num_hidden_layers");
    if (!json_is_integer(blocks) || !json_is_integer(all) ||
        json_integer_value(blocks) == json_integer_value(all))
        return true;
    return error_set(
        error, "%s: hidden states after %lld of %lld blocks; let pm-encode-%s --model carry them to the top",
        name, (long long)json_integer_value(blocks), (long long)json_integer_value(all),
        modality_name(modality));
}

static bool open_side(Job *job, Modality modality, bool needed, const char *path, Error *error) {
    if (!needed && path)
        return error_set(error, "the model's tower %s does not read --%s", tower_name(job->settings.tower),
                         modality_name(modality));
    if (!needed) return true;
    if (!path)
        return error_set(error, "the model's tower %s needs --%s", tower_name(job->settings.tower),
                         modality_name(modality));
    StreamReader *reader = job->readers[modality] = stream_reader_open_kind(path, "hidden", error);
    if (!reader) return false;
    const json_t *header = stream_reader_header(reader);
    const char *of = header_text(header, "modality", error);
    int64_t width;
    if (!of || !header_integer(header, "width", 1, 1 << 24, &width, error))
        return error_prefix(error, "%s: ", path);
    if (strcmp(of, modality_name(modality)))
        return error_set(error, "%s: hidden states of %s, given as --%s", path, of, modality_name(modality));
    job->window.sides[modality].width = (size_t)width;
    return check_blocks(job, modality, header, path, error);
}

static bool open_sides(Job *job, Error *error) {
    bool reads[MODALITIES];
    bool fine = recommender_modalities(&job->settings, reads, error);
    for (Modality modality = 0; fine && modality < MODALITIES; modality++)
        fine = open_side(job, modality, reads[modality], job->request->hidden[modality], error);
    return fine;
}

/* The ID tower's table stays a passenger: nothing of it is computed. */
static bool load_model(Job *job, StreamReader *reader, Error *error) {
    const bool id = job->settings.tower == TOWER_ID;
    const RecommenderInputs inputs = {.item_towers = !id,
                                      .text_width = job->window.sides[MODALITY_TEXT].width,
                                      .image_width = job->window.sides[MODALITY_IMAGE].width};
    const ModelFilter filter = {.keep = id ? ITEM_TENSORS : NULL};
    ModelFound found;
    job->recommender = recommender_create(&job->settings, &inputs, error);
    return job->recommender &&
           model_file_read(reader, job->recommender->parameters, &filter, &found, error) &&
           model_file_check_complete(job->recommender->parameters, job->request->model, error);
}

static bool open_model(Job *job, Error *error) {
    StreamReader *reader = stream_reader_open_kind(job->request->model, "model", error);
    if (!reader) return false;
    job->model_header = json_deep_copy(stream_reader_header(reader));
    bool fine = settings_read(&job->settings, json_object_get(job->model_header, "config"), error) ||
                error_prefix(error, "%s: ", job->request->model);
    if (fine && job->settings.tower == TOWER_VECTORS)
        fine = error_set(error,
                         "%s: this model was trained over given item vectors and has no towers to make them",
                         job->request->model);
    fine = fine && open_sides(job, error) && load_model(job, reader, error);
    if (fine) job->model_content = stream_reader_content(reader);
    stream_reader_close(reader);
    return fine;
}

static json_t *vector_json(const float *vector, size_t count) {
    json_t *values = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(values, json_real((double)vector[i]));
    return values;
}

/* `padding` is the padding item's vector, which goes into the header for user encoders that see it. */
static bool open_writer(Job *job, const Program *program, const float *padding, Error *error) {
    const UserEncoderKind *users = user_encoder_find(job->settings.user_encoder, error);
    if (!users) return false;
    json_t *header = header_create("items");
    json_object_set_new(header, "dim", json_integer(job->settings.dim));
    json_object_set_new(header, "tower", json_string(tower_name(job->settings.tower)));
    if (users->sees_padding)
        json_object_set_new(header, "padding_item", vector_json(padding, (size_t)job->settings.dim));
    header_sign(header, program->name, options_record(program));
    header_add_input(header, "model", job->model_header);
    for (Modality modality = 0; modality < MODALITIES; modality++)
        if (job->readers[modality])
            header_add_input(header, modality_name(modality), stream_reader_header(job->readers[modality]));
    job->writer = stream_writer_open(job->request->output, header, error);
    json_decref(header);
    if (!job->writer) return false;
    stream_writer_add_content(job->writer, "model", json_incref(job->model_content));
    return true;
}

static bool put_vector(Job *job, const char *key, size_t key_size, const float *vector, Error *error) {
    Record record = {.key = key, .key_size = key_size, .count = 1};
    record.tensors[0] = record_tensor("vector", DTYPE_F32, vector, 1, (uint64_t)job->settings.dim);
    return stream_writer_put(job->writer, &record, error);
}

/* The vectors of the window's items, and with `padding` the padding item's behind them. */
static const float *fuse_window(Job *job, bool padding) {
    ItemTokens tokens;
    ItemWindow *window = &job->window;
    ItemBatch batch = {.count = window->items};
    tape_reset(job->tape, 0);
    if (job->readers[MODALITY_TEXT]) {
        batch.text_segments = item_window_segments(window, MODALITY_TEXT);
        batch.text_hidden = window->sides[MODALITY_TEXT].values;
    }
    if (job->readers[MODALITY_IMAGE]) {
        batch.image_segments = item_window_segments(window, MODALITY_IMAGE);
        batch.image_hidden = window->sides[MODALITY_IMAGE].values;
        batch.image_tokens = window->items ? window->sides[MODALITY_IMAGE].offsets[1] : 0;
    }
    return tape_read(job->tape, recommender_items(job->recommender, job->tape, &batch, padding, &tokens));
}

static bool check_vectors(const Job *job, const float *vectors, Error *error) {
    const size_t dim = (size_t)job->settings.dim, at = first_not_finite(vectors, job->window.items * dim);
    if (at == SIZE_MAX) return true;
    char item[WINDOW_ITEM_TEXT];
    item_window_describe(&job->window, at / dim, item);
    return error_set(error, "%s: %s makes a vector of it that is infinite or no number", item,
                     job->request->model);
}

/* The header waits for the first window, since the padding item has as many image tokens as any. */
static bool flush_window(Job *job, const Program *program, Error *error) {
    ItemWindow *window = &job->window;
    const size_t dim = (size_t)job->settings.dim;
    if (!job->writer && !open_writer(job, program, fuse_window(job, true) + window->items * dim, error))
        return false;
    const float *vectors = fuse_window(job, false);
    if (!check_vectors(job, vectors, error)) return false;
    for (size_t i = 0; i < window->items; i++)
        if (!put_vector(job, window->keys[i], window->key_sizes[i], vectors + i * dim, error)) return false;
    job->done += window->items;
    item_window_clear(window);
    progress_update(&job->progress, job->done);
    return true;
}

static bool take_hidden(Job *job, Modality modality, const Record *record, Error *error) {
    const size_t width = job->window.sides[modality].width;
    HiddenStates hidden;
    if (!hidden_states_of(record, &hidden, error)) return false;
    if (hidden.width != width) {
        char where[RECORD_WHERE_TEXT];
        record_where(record, where);
        return error_set(error, "%s: hidden states of width %zu; the header says %zu", where, hidden.width,
                         width);
    }
    hidden_states_to_f32(&hidden, item_window_add_rows(&job->window, modality, hidden.rows));
    return true;
}

/* An item's records: of both modalities, or NULL for the one that the tower does not read. */
static bool take_item(Job *job, const Program *program, const Record *const records[MODALITIES],
                      Error *error) {
    const Record *any = records[MODALITY_TEXT] ? records[MODALITY_TEXT] : records[MODALITY_IMAGE];
    if (job->window.items == WINDOW_ITEMS && !flush_window(job, program, error)) return false;
    for (Modality modality = 0; modality < MODALITIES; modality++)
        if (records[modality] && !take_hidden(job, modality, records[modality], error)) return false;
    item_window_add(&job->window, any->key, any->key_size);
    return true;
}

/* Says what is left out, unless nothing remains, which is an error of its own. */
static void report_unmatched(const Job *job, const StreamJoin *join) {
    for (Modality modality = 0; modality < MODALITIES; modality++) {
        const JoinSide join_side = modality == MODALITY_TEXT ? JOIN_A : JOIN_B;
        const uint64_t alone = stream_join_unmatched(join, join_side);
        if (alone && (job->done || job->window.items))
            log_warning("%" PRIu64
                        " items of %s are left out, since the other stream lacks them; the first is '%s'",
                        alone, stream_reader_name(job->readers[modality]),
                        stream_join_first_unmatched(join, join_side));
    }
}

static bool fuse_both(Job *job, const Program *program, Error *error) {
    StreamJoin *join =
        stream_join_create(job->readers[MODALITY_TEXT], job->readers[MODALITY_IMAGE], JOIN_MEMORY);
    Record text, image;
    const Record *const records[] = {[MODALITY_TEXT] = &text, [MODALITY_IMAGE] = &image};
    StreamStatus status;
    while ((status = stream_join_next(join, &text, &image, error)) == STREAM_RECORD)
        if (!take_item(job, program, records, error)) {
            status = STREAM_ERROR;
            break;
        }
    if (status == STREAM_END) report_unmatched(job, join);
    stream_join_destroy(join);
    return status == STREAM_END;
}

static bool fuse_one(Job *job, Modality modality, const Program *program, Error *error) {
    Record record;
    const Record *records[MODALITIES] = {NULL};
    StreamStatus status;
    records[modality] = &record;
    while ((status = stream_reader_next(job->readers[modality], &record, error)) == STREAM_RECORD)
        if (!take_item(job, program, records, error)) return false;
    return status == STREAM_END;
}

/* The rows of an ID tower's table under its items' names. */
static bool copy_table(Job *job, const Program *program, Error *error) {
    const ParameterSet *set = job->recommender->parameters;
    const size_t dim = (size_t)job->settings.dim;
    ItemNumbers items;
    const Passenger *table = item_table_read(set, dim, NULL, &items, error);
    if (!table) return error_prefix(error, "%s: ", job->request->model);
    bool fine = true;
    float *row = memory_need(dim, sizeof *row);
    for (size_t i = 0; fine && i <= items.count; i++) { /* row 0 is the padding item's */
        dtype_to_f32(table->dtype, (const char *)table->data + i * dim * dtype_size(table->dtype), row, dim);
        if (i == 0) {
            fine = open_writer(job, program, row, error);
            continue;
        }
        size_t size;
        const char *name = name_table_name(items.names, i - 1, &size);
        fine = put_vector(job, name, size, row, error);
        job->done++;
    }
    free(row);
    item_numbers_free(&items);
    return fine;
}

static bool fuse_all(Job *job, const Program *program, Error *error) {
    const StreamReader *text = job->readers[MODALITY_TEXT], *image = job->readers[MODALITY_IMAGE];
    if (!text && !image) return copy_table(job, program, error);
    const bool both = text && image;
    if (!(both ? fuse_both(job, program, error)
               : fuse_one(job, text ? MODALITY_TEXT : MODALITY_IMAGE, program, error)))
        return false;
    if (job->window.items || job->done) return flush_window(job, program, error);
    return both ? error_set(error, "%s and %s have no item in common", stream_reader_name(text),
                            stream_reader_name(image))
                : error_set(error, "%s: it holds no item", stream_reader_name(text ? text : image));
}

/* The hashes that tell are in an index, or else known when all is read. */
static bool check_makers(const Job *job, Error *error) {
    const Lineage model = {job->request->model, job->model_header, job->model_content};
    bool fine = true;
    for (Modality modality = 0; fine && !job->request->any_model && modality < MODALITIES; modality++) {
        const StreamReader *reader = job->readers[modality];
        if (!reader) continue;
        json_t *content = stream_reader_content(reader);
        const Lineage hidden = {stream_reader_name(reader), stream_reader_header(reader), content};
        fine = lineage_check_hidden(&hidden, &model, modality, error);
        json_decref(content);
    }
    return fine;
}

static bool run(Job *job, const Program *program, Error *error) {
    const Backend *backend = backend_find(job->request->device, job->request->compute, error);
    if (!backend || !open_model(job, error)) return false;
    job->tape = tape_create(backend, false);
    parameter_set_move(job->recommender->parameters, backend);
    progress_start(&job->progress, "items", 0);
    const bool fine = check_makers(job, error) && fuse_all(job, program, error) && check_makers(job, error);
    progress_finish(&job->progress);
    if (!fine) return false;
    for (Modality modality = 0; modality < MODALITIES; modality++)
        if (job->readers[modality])
            stream_writer_add_content(job->writer, modality_name(modality),
                                      stream_reader_content(job->readers[modality]));
    StreamWriter *writer = job->writer;
    job->writer = NULL;
    return stream_writer_close(writer, error);
}

bool fuse_stream(const FuseRequest *request, const Program *program, Error *error) {
    Job *job = memory_need(1, sizeof *job);
    job->request = request;
    const bool fine = run(job, program, error);
    if (fine) log_report("%" PRIu64 " items, vectors of %" PRId64, job->done, job->settings.dim);
    stream_writer_abandon(job->writer);
    recommender_destroy(job->recommender);
    tape_destroy(job->tape);
    json_decref(job->model_header);
    json_decref(job->model_content);
    for (Modality modality = 0; modality < MODALITIES; modality++)
        stream_reader_close(job->readers[modality]);
    item_window_free(&job->window);
    free(job);
    return fine;
}
