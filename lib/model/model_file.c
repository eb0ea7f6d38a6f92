#include "model/model_file.h"

#include "core/finite.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* From this size on, a copy of a tensor would cost more than giving the reader new memory. */
enum { MOVED_BYTES = 1 << 20 };

/* What the words of --transfer stand for. */
static const struct {
    const char *word, *globs;
} transfers[] = {
    {"full", "*"},
    {"items", "text_encoder.*,cv_encoder.*,fusion_module.*,id_encoder.*"},
    {"user", "user_encoder.*"},
    {"text", "text_encoder.*"},
    {"image", "cv_encoder.*"},
};

static bool matches_globs(const char *globs, const char *name) {
    for (const char *at = globs; *at;) {
        char glob[256];
        const size_t length = strcspn(at, ",");
        snprintf(glob, sizeof glob, "%.*s", (int)length, at);
        if (!fnmatch(glob, name, 0)) return true;
        at += length + (at[length] == ',');
    }
    return false;
}

static bool matches(const ModelFilter *filter, const char *name) {
    if (!filter->transfer) return true;
    for (const char *at = filter->transfer; *at;) {
        char word[256];
        const size_t length = strcspn(at, ",");
        const char *globs = word;
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        for (size_t i = 0; i < sizeof transfers / sizeof *transfers; i++)
            if (!strcmp(transfers[i].word, word)) globs = transfers[i].globs;
        if (matches_globs(globs, name)) return true;
        at += length + (at[length] == ',');
    }
    return false;
}

static bool has_prefix(const char *prefixes, const char *name) {
    for (const char *at = prefixes; at && *at;) {
        const size_t length = strcspn(at, "|");
        if (!strncmp(at, name, length)) return true;
        at += length + (at[length] == '|');
    }
    return false;
}

/* A large tensor in the dtype that is kept moves out of the reader; others are copied or widened. */
static bool load(StreamReader *reader, Parameter *parameter, const RecordTensor *tensor, Error *error) {
    if (tensor->dtype != DTYPE_F32 || record_tensor_bytes(tensor) < MOVED_BYTES)
        return parameter_load(parameter, tensor, error);
    if (!parameter_check(parameter, tensor, error)) return false;
    parameter_adopt(parameter, stream_reader_take(reader, tensor));
    return true;
}

static bool check_finite(const Parameter *parameter, Error *error) {
    const size_t place = first_not_finite(parameter->value, parameter->count);
    return place == SIZE_MAX || error_set(error, "tensor %s: element %zu is not finite (%g)", parameter->name,
                                          place, (double)parameter->value[place]);
}

static void keep(StreamReader *reader, ParameterSet *set, const char *name, const RecordTensor *tensor) {
    if (record_tensor_bytes(tensor) < MOVED_BYTES)
        parameter_set_keep_passenger(set, name, strlen(name), tensor);
    else
        parameter_set_adopt_passenger(set, name, strlen(name), tensor, stream_reader_take(reader, tensor));
}

static bool read_record(StreamReader *reader, const Record *record, ParameterSet *set,
                        const ModelFilter *filter, ModelFound *found, Error *error) {
    char name[1024];
    const RecordTensor *tensor = record_find(record, "value");
    if (!tensor) return error_set(error, "tensor %s has no \"value\"", record->key);
    snprintf(name, sizeof name, "%s%s", filter->prefix ? filter->prefix : "", record->key);
    if (matches(filter, name) && filter->aside && has_prefix(filter->aside, name)) {
        keep(reader, filter->aside_set, name, tensor);
        found->aside++;
        return true;
    }
    Parameter *parameter = matches(filter, name) ? parameter_find(set, name, strlen(name)) : NULL;
    const bool given = parameter ? parameter->loaded : parameter_set_passenger(set, name) != NULL;
    if (given && filter->only_missing) {
        found->passed++;
    } else if (parameter) {
        if (!load(reader, parameter, tensor, error) || !check_finite(parameter, error)) return false;
        found->loaded++;
    } else if (matches(filter, name) && has_prefix(filter->keep, name)) {
        keep(reader, set, name, tensor);
        found->kept++;
    } else {
        found->left++;
    }
    return true;
}

bool model_file_read(StreamReader *reader, ParameterSet *set, const ModelFilter *filter, ModelFound *found,
                     Error *error) {
    Record record;
    StreamStatus status;
    *found = (ModelFound){0};
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        if (!read_record(reader, &record, set, filter, found, error))
            return error_prefix(error, "%s: ", stream_reader_name(reader));
    if (status == STREAM_ERROR) return false;
    if (filter->transfer && !found->loaded && !found->kept && !found->aside)
        return error_set(error, "%s: no tensor of it that --transfer %s takes is one of this model's",
                         stream_reader_name(reader), filter->transfer);
    return true;
}

bool model_file_check_complete(const ParameterSet *set, const char *name, Error *error) {
    const Parameter *first = NULL;
    size_t missing = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!set->list[i]->loaded) {
            if (!first) first = set->list[i];
            missing++;
        }
    return !missing || error_set(error, "%s: %zu tensor%s of this model missing, the first is %s", name,
                                 missing, missing == 1 ? " is" : "s are", first->name);
}

static bool put(StreamWriter *writer, const char *name, DType dtype, int dimensions, const uint64_t *shape,
                const void *data, Error *error) {
    Record record = {.key = name, .key_size = strlen(name), .count = 1};
    record.tensors[0] =
        (RecordTensor){.name = "value", .dtype = dtype, .dimensions = dimensions, .data = data};
    memcpy(record.tensors[0].shape, shape, (size_t)dimensions * sizeof *shape);
    return stream_writer_put(writer, &record, error);
}

bool model_file_write(StreamWriter *writer, const ParameterSet *set, Error *error) {
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *p = set->list[i];
        const float *values = parameter_set_read(set, 0, p->value, p->count);
        if (!put(writer, p->name, DTYPE_F32, p->dimensions, p->shape, values, error)) return false;
    }
    for (size_t i = 0; i < name_table_count(set->passenger_names); i++) {
        const Passenger *p = &set->passengers[i];
        if (!put(writer, name_table_name(set->passenger_names, i, NULL), p->dtype, p->dimensions, p->shape,
                 p->data, error))
            return false;
    }
    return true;
}
