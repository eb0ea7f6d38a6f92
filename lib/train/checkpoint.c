#include "train/checkpoint.h"

#include "core/log.h"
#include "core/memory.h"
#include "stream/reader.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static json_t *checkpoint_header(const Trainer *trainer) {
    json_t *header = header_create("checkpoint");
    json_object_set_new(header, "config", settings_record(&trainer->recommender->settings));
    json_object_set(header, "users", trainer->behaviours->content);
    json_object_set_new(header, "epoch", json_integer(trainer->epoch));
    json_object_set_new(header, "step", json_integer((json_int_t)trainer->step));
    json_object_set_new(header, "best_epoch", json_integer(trainer->best_epoch));
    json_object_set_new(header, "best", json_real(trainer->best));
    if (trainer->best_valid) json_object_set(header, "best_valid", trainer->best_valid);
    json_object_set_new(header, "log_size", json_integer((json_int_t)training_log_size(trainer->log)));
    return header;
}

static RecordTensor state(const char *name, const Parameter *parameter, const float *values) {
    RecordTensor tensor = {
        .name = name, .dtype = DTYPE_F32, .dimensions = parameter->dimensions, .data = values};
    memcpy(tensor.shape, parameter->shape, sizeof tensor.shape);
    return tensor;
}

static bool put_parameter(const Trainer *trainer, size_t number, StreamWriter *writer, Error *error) {
    const ParameterSet *set = trainer->recommender->parameters;
    const Parameter *p = set->list[number];
    const float *best = trainer->best_values ? trainer->best_values[number] : NULL;
    const int64_t steps = (int64_t)trainer->optimizer.steps[number];
    Record record = {.key = p->name, .key_size = strlen(p->name)};
    record.tensors[record.count++] = state("value", p, parameter_set_read(set, 0, p->value, p->count));
    record.tensors[record.count++] =
        state("first_moment", p, parameter_set_read(set, 1, p->first_moment, p->count));
    record.tensors[record.count++] =
        state("second_moment", p, parameter_set_read(set, 2, p->second_moment, p->count));
    record.tensors[record.count++] = record_tensor("steps", DTYPE_I64, &steps, 1, (uint64_t)1);
    if (best) record.tensors[record.count++] = state("best", p, parameter_set_read(set, 3, best, p->count));
    return stream_writer_put(writer, &record, error);
}

bool checkpoint_write(const Trainer *trainer, Error *error) {
    if (!trainer->options.checkpoint) return true;
    json_t *header = checkpoint_header(trainer);
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

/* Of a parameter, into values in the backend's memory. */
static bool take_state(const ParameterSet *set, const Record *record, const char *name,
                       const Parameter *parameter, float *values, Error *error) {
    const RecordTensor *tensor = record_need_float(record, name, parameter->dimensions, error);
    if (!tensor) return false;
    if (record_tensor_elements(tensor) != parameter->count)
        return error_set(error, "%s of %s has another shape than the model", name, parameter->name);
    float *wide = memory_need(parameter->count, sizeof *wide);
    dtype_to_f32(tensor->dtype, tensor->data, wide, parameter->count);
    parameter_set_write(set, wide, parameter->count, values);
    free(wide);
    return true;
}

static bool take_record(Trainer *trainer, const Record *record, Error *error) {
    const ParameterSet *set = trainer->recommender->parameters;
    const size_t number = name_table_find(set->names, record->key, record->key_size);
    if (number == SIZE_MAX) return error_set(error, "the model has no tensor %s", record->key);
    Parameter *p = set->list[number];
    const RecordTensor *steps = record_need(record, "steps", DTYPE_I64, 1, error);
    if (!steps || !take_state(set, record, "value", p, p->value, error) ||
        !take_state(set, record, "first_moment", p, p->first_moment, error) ||
        !take_state(set, record, "second_moment", p, p->second_moment, error))
        return false;
    parameter_changed(p);
    memcpy(&trainer->optimizer.steps[number], steps->data, sizeof(int64_t));
    if (!trainer->best_epoch || trainer->options.keep_last) return true;
    if (!trainer->best_values) trainer->best_values = parameter_set_copy(set, NULL);
    return take_state(set, record, "best", p, trainer->best_values[number], error);
}

/* All settings must be those of the run that wrote the checkpoint, but for how long to train. */
static bool check_settings(const Trainer *trainer, const json_t *header, Error *error) {
    json_t *own = settings_record(&trainer->recommender->settings);
    const json_t *theirs = json_object_get(header, "config");
    const char *key;
    json_t *value;
    bool fine = true;
    json_object_foreach(own, key, value) {
        if (!strcmp(key, "epochs") || !strcmp(key, "patience") ||
            json_equal(value, json_object_get(theirs, key)))
            continue;
        fine = error_set(error, "it belongs to a run with another --%s; remove it or give the same settings",
                         key);
        break;
    }
    json_decref(own);
    if (fine && !json_equal(json_object_get(header, "users"), trainer->behaviours->content))
        fine =
            error_set(error, "it belongs to a run with other behaviours; remove it or give the same --users");
    return fine;
}

static bool take_all(Trainer *trainer, StreamReader *reader, uint64_t *log_size, Error *error) {
    const json_t *header = stream_reader_header(reader);
    int64_t step, log_bytes;
    Record record;
    StreamStatus status;
    if (!check_settings(trainer, header, error) ||
        !header_integer(header, "epoch", 0, INT32_MAX, &trainer->epoch, error) ||
        !header_integer(header, "best_epoch", 0, INT32_MAX, &trainer->best_epoch, error) ||
        !header_integer(header, "step", 0, INT64_MAX, &step, error) ||
        !header_integer(header, "log_size", 0, INT64_MAX, &log_bytes, error))
        return false;
    trainer->step = (uint64_t)step;
    trainer->best = json_number_value(json_object_get(header, "best"));
    trainer->best_valid = json_incref(json_object_get(header, "best_valid"));
    *log_size = (uint64_t)log_bytes;
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        if (!take_record(trainer, &record, error)) return false;
    if (status == STREAM_ERROR) return false;
    return stream_reader_count(reader) == trainer->recommender->parameters->count ||
           error_set(error, "it has not all tensors of the model");
}

bool checkpoint_read(Trainer *trainer, uint64_t *log_size, Error *error) {
    const char *path = trainer->options.checkpoint;
    if (!path || access(path, F_OK)) return true;
    StreamReader *reader = stream_reader_open_kind(path, "checkpoint", error);
    if (!reader) return false;
    const bool fine = take_all(trainer, reader, log_size, error);
    stream_reader_close(reader);
    if (!fine) return error_prefix(error, "checkpoint %s: ", path);
    log_report("going on after epoch %" PRId64 " of %s", trainer->epoch, path);
    return true;
}
