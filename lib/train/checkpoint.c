#include "train/checkpoint.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/same_run.h"
#include "stream/reader.h"
#include "stream/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* ---- writing ---- */

/* At the end of an epoch the last model is the parameters themselves. */
static bool writes_kept(const Trainer *trainer) {
    return trainer_kept(trainer)->values && !(trainer->options.keep_last && !trainer->state.batch);
}

static json_t *state_json(const EpochState *state) {
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "batch", (json_int_t)state->batch, "losses",
                     (json_int_t)state->losses, "updates", (json_int_t)state->updates, "waiting",
                     (json_int_t)state->waiting, "loss_total", state->loss_total, "norm_total",
                     state->norm_total);
}

static json_t *checkpoint_header(const Trainer *trainer, int64_t log_bytes) {
    json_t *header = header_create("checkpoint");
    json_object_set(header, "run", trainer->options.identity);
    json_object_set_new(header, "threads", json_integer(parallel_threads()));
    json_object_set_new(header, "epoch", json_integer(trainer->epoch));
    json_object_set_new(header, "step", json_integer((json_int_t)trainer->step));
    json_object_set_new(header, "updates", json_integer((json_int_t)trainer->updates));
    json_object_set_new(header, "state", state_json(&trainer->state));
    json_object_set_new(header, "best_epoch", json_integer(trainer->best.epoch));
    json_object_set_new(header, "best", json_real(trainer->best.score));
    if (trainer->best.valid) json_object_set(header, "best_valid", trainer->best.valid);
    json_object_set_new(header, "log_bytes", json_integer(log_bytes));
    return header;
}

/* Values in the backend's memory of a parameter's shape; `place` is one of parameter_set_read. */
static RecordTensor state(const ParameterSet *set, size_t place, const char *name, const Parameter *parameter,
                          const float *values) {
    RecordTensor tensor = {.name = name,
                           .dtype = DTYPE_F32,
                           .dimensions = parameter->dimensions,
                           .data = parameter_set_read(set, place, values, parameter->count)};
    memcpy(tensor.shape, parameter->shape, sizeof tensor.shape);
    return tensor;
}

/* What rows of a parameter owe that is moved by rows: nn/row_updates.h. */
typedef struct Owed {
    int32_t *moves; /* [rows], to be freed */
    float last[3];
} Owed;

static Owed owed_create(const RowUpdates *updates) {
    if (!updates) return (Owed){0};
    const AdamW *last = &updates->last;
    Owed owed = {memory_need(updates->rows, sizeof(int32_t)), {last->keep, last->step_size, last->root}};
    for (size_t i = 0; i < updates->rows; i++)
        owed.moves[i] = (int32_t)(updates->moves - updates->known[i]);
    return owed;
}

static void add_owed(Record *record, const Parameter *parameter, const Owed *owed) {
    if (!owed->moves) return;
    record->tensors[record->count++] =
        record_tensor("owed", DTYPE_I32, owed->moves, 1, (uint64_t)parameter->rows);
    record->tensors[record->count++] = record_tensor("last", DTYPE_F32, owed->last, 1, (uint64_t)3);
}

static bool put_parameter(const Trainer *trainer, size_t number, StreamWriter *writer, Error *error) {
    const ParameterSet *set = trainer->recommender->parameters;
    const Parameter *p = set->list[number];
    const int64_t steps = (int64_t)trainer->optimizer.steps[number];
    Record record = {.key = p->name, .key_size = strlen(p->name)};
    record.tensors[record.count++] = state(set, 0, "value", p, p->value);
    record.tensors[record.count++] = state(set, 1, "first_moment", p, p->first_moment);
    record.tensors[record.count++] = state(set, 2, "second_moment", p, p->second_moment);
    record.tensors[record.count++] = record_tensor("steps", DTYPE_I64, &steps, 1, (uint64_t)1);
    if (trainer->state.waiting && p->touched)
        record.tensors[record.count++] = state(set, 3, "gradient", p, p->gradient);
    if (writes_kept(trainer))
        record.tensors[record.count++] = state(set, 4, "kept", p, trainer_kept(trainer)->values[number]);
    Owed owed = owed_create(p->row_updates);
    add_owed(&record, p, &owed);
    const bool fine = stream_writer_put(writer, &record, error);
    free(owed.moves);
    return fine;
}

bool checkpoint_write(Trainer *trainer, Error *error) {
    int64_t log_bytes;
    if (!training_log_sync(trainer->log, &log_bytes, error)) return false;
    json_t *header = checkpoint_header(trainer, log_bytes);
    StreamWriter *writer = stream_writer_open(trainer->options.checkpoint, header, error);
    json_decref(header);
    if (!writer) return false;
    for (size_t i = 0; i < trainer->recommender->parameters->count; i++)
        if (!put_parameter(trainer, i, writer, error)) {
            stream_writer_abandon(writer);
            return false;
        }
    return stream_writer_close(writer, error);
}

/* ---- reading ---- */

/* Of a parameter, into values in the backend's memory. */
static bool take_values(const ParameterSet *set, const Record *record, const char *name,
                        const Parameter *parameter, float *values, Error *error) {
    const RecordTensor *tensor = record_need_float(record, name, parameter->dimensions, error);
    if (!tensor) return false;
    if (!parameter_check(parameter, tensor, error)) return error_prefix(error, "%s: ", name);
    float *wide = memory_need(parameter->count, sizeof *wide);
    dtype_to_f32(tensor->dtype, tensor->data, wide, parameter->count);
    parameter_set_write(set, wide, parameter->count, values);
    free(wide);
    return true;
}

/* The rows that have a gradient. */
static void touch_rows(const ParameterSet *set, Parameter *parameter) {
    const float *gradient = parameter_set_read(set, 0, parameter->gradient, parameter->count);
    for (uint32_t row = 0; row < parameter->rows; row++)
        for (size_t i = row * parameter->columns; i < (row + 1) * parameter->columns; i++)
            if (gradient[i] != 0) {
                parameter_touch_rows(parameter, &row, 1);
                break;
            }
}

static bool take_gradient(const ParameterSet *set, const Record *record, Parameter *parameter, Error *error) {
    if (!record_find(record, "gradient")) return true;
    float *gradient = parameter_gradient(parameter, set->backend);
    if (!take_values(set, record, "gradient", parameter, gradient, error)) return false;
    if (parameter->touched_rows) touch_rows(set, parameter);
    return true;
}

static bool take_owed(const Optimizer *optimizer, const Record *record, Parameter *parameter, Error *error) {
    if (!parameter->row_updates) return true;
    const RecordTensor *moves = record_need(record, "owed", DTYPE_I32, 1, error);
    const RecordTensor *last = moves ? record_need(record, "last", DTYPE_F32, 1, error) : NULL;
    if (!last) return false;
    if (moves->shape[0] != parameter->rows || last->shape[0] != 3)
        return error_set(error, "what rows of %s owe is not of its rows", parameter->name);
    Owed owed = {memory_need(parameter->rows, sizeof(int32_t)), {0}};
    memcpy(owed.moves, moves->data, parameter->rows * sizeof *owed.moves);
    memcpy(owed.last, last->data, sizeof owed.last);
    const AdamW move = optimizer_move(optimizer, owed.last[0], owed.last[1], owed.last[2]);
    const bool fine = row_updates_restore(parameter->row_updates, owed.moves, &move);
    free(owed.moves);
    return fine || error_set(error, "what rows of %s owe contradicts itself", parameter->name);
}

/* The model that is kept, where there is one; of the last epoch it may be the parameters themselves. */
static bool take_kept(Trainer *trainer, const Record *record, size_t number, Error *error) {
    const ParameterSet *set = trainer->recommender->parameters;
    KeptModel *kept = trainer->options.keep_last ? &trainer->last : &trainer->best;
    if (!kept->epoch) return true;
    const bool is_value = trainer->options.keep_last && !trainer->state.batch;
    if (!kept->values) kept->values = parameter_set_copy(set, NULL);
    return take_values(set, record, is_value ? "value" : "kept", set->list[number], kept->values[number],
                       error);
}

static bool take_record(Trainer *trainer, const Record *record, bool *taken, Error *error) {
    const ParameterSet *set = trainer->recommender->parameters;
    const size_t number = name_table_find(set->names, record->key, record->key_size);
    if (number == SIZE_MAX) return error_set(error, "the model has no tensor %s", record->key);
    if (taken[number]) return error_set(error, "the tensor %s comes twice", record->key);
    taken[number] = true;
    Parameter *p = set->list[number];
    const RecordTensor *steps = record_need(record, "steps", DTYPE_I64, 1, error);
    if (!steps) return false;
    if (steps->shape[0] != 1) return error_set(error, "steps of %s is no single number", p->name);
    memcpy(&trainer->optimizer.steps[number], steps->data, sizeof(int64_t));
    if (trainer->optimizer.steps[number] > trainer->step)
        return error_set(error, "steps of %s are more than there were", p->name);
    if (!take_values(set, record, "value", p, p->value, error) ||
        !take_values(set, record, "first_moment", p, p->first_moment, error) ||
        !take_values(set, record, "second_moment", p, p->second_moment, error) ||
        !take_gradient(set, record, p, error) || !take_owed(&trainer->optimizer, record, p, error) ||
        !take_kept(trainer, record, number, error))
        return false;
    parameter_changed(p);
    return true;
}

static bool take_count(const json_t *header, const char *key, uint64_t *value, Error *error) {
    int64_t number;
    if (!header_integer(header, key, 0, INT64_MAX, &number, error)) return false;
    *value = (uint64_t)number;
    return true;
}

static bool take_state(EpochState *state, const json_t *json, Error *error) {
    if (!take_count(json, "batch", &state->batch, error) ||
        !take_count(json, "losses", &state->losses, error) ||
        !take_count(json, "updates", &state->updates, error) ||
        !take_count(json, "waiting", &state->waiting, error))
        return false;
    state->loss_total = json_number_value(json_object_get(json, "loss_total"));
    state->norm_total = json_number_value(json_object_get(json, "norm_total"));
    return state->waiting <= state->losses && state->losses <= state->batch &&
                   state->updates <= state->losses && isfinite(state->loss_total) &&
                   isfinite(state->norm_total)
               ? true
               : error_set(error, "its counts contradict each other");
}

static bool take_header(Trainer *trainer, const json_t *header, int64_t *log_bytes, Error *error) {
    KeptModel *best = &trainer->best;
    if (!take_count(header, "step", &trainer->step, error) ||
        !take_count(header, "updates", &trainer->updates, error) ||
        !header_integer(header, "epoch", 0, INT32_MAX, &trainer->epoch, error) ||
        !header_integer(header, "best_epoch", 0, trainer->epoch, &best->epoch, error) ||
        !header_integer(header, "log_bytes", TRAINING_LOG_NONE, INT64_MAX, log_bytes, error) ||
        !take_state(&trainer->state, json_object_get(header, "state"), error))
        return false;
    best->score = json_number_value(json_object_get(header, "best"));
    best->valid = json_incref(json_object_get(header, "best_valid"));
    if (trainer->options.keep_last) trainer->last.epoch = trainer->epoch;
    const json_int_t threads = json_integer_value(json_object_get(header, "threads"));
    if (threads != parallel_threads())
        log_report("%s is of a run with --threads %lld: with %d it goes on to the same but for rounding",
                   trainer->options.checkpoint, (long long)threads, parallel_threads());
    return true;
}

static bool take_records(Trainer *trainer, StreamReader *reader, Error *error) {
    const ParameterSet *set = trainer->recommender->parameters;
    bool *taken = memory_need(set->count, sizeof *taken);
    Record record;
    StreamStatus status = STREAM_RECORD;
    bool fine = true;
    while (fine && (status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        fine = take_record(trainer, &record, taken, error);
    fine = fine && status == STREAM_END;
    for (size_t i = 0; fine && i < set->count; i++)
        fine = taken[i] || error_set(error, "it lacks the tensor %s", set->list[i]->name);
    free(taken);
    return fine;
}

bool checkpoint_read(Trainer *trainer, int64_t *log_bytes, Error *error) {
    const char *path = trainer->options.checkpoint;
    struct stat status;
    if (!path || trainer->options.restart) return true;
    if (stat(path, &status))
        return errno == ENOENT || error_set_errno(error, "cannot read the checkpoint %s", path);
    StreamReader *reader = stream_reader_open_kind(path, "checkpoint", error);
    if (!reader) return false;
    const json_t *header = stream_reader_header(reader);
    const bool fine = same_run(json_object_get(header, "run"), trainer->options.identity,
                               "or --restart to begin anew", error) &&
                      take_header(trainer, header, log_bytes, error) && take_records(trainer, reader, error);
    stream_reader_close(reader);
    if (!fine) return error_prefix(error, "checkpoint %s: ", path);
    log_report("going on from %s: %" PRId64 " epochs and %" PRIu64 " batches are done", path, trainer->epoch,
               trainer->state.batch);
    return true;
}
