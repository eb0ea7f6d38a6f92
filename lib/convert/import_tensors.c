/* Encoders and models: a record a tensor. */
#include "convert/import.h"
#include "convert/model_inference.h"
#include "core/file_kind.h"
#include "core/json_file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "huggingface/hf_config.h"
#include "stream/writer.h"

#include <sys/stat.h>

#include <inttypes.h>
#include <stdio.h>

enum { MAX_SETTINGS = 1 << 20 };

/* How many tensors came out in another dtype than they had. */
typedef struct Conversions {
    size_t rounded, widened;
} Conversions;

static DType wanted_dtype(const ImportRequest *request, ElementType type) {
    return element_is_float(type) && !request->keep_dtype ? request->dtype : element_dtype(type);
}

/* Whether the elements are in the file as they are written. */
static bool is_as_stored(const Array *array, DType dtype) {
    return element_dtype(array->type) == dtype && element_size(array->type) == dtype_size(dtype) &&
           array->type != ELEMENT_BOOL && array->type != ELEMENT_U64;
}

static bool check_finite(DType dtype, const void *values, size_t count, Error *error) {
    const size_t at = dtype_is_float(dtype) ? dtype_find_not_finite(dtype, values, count) : count;
    return at == count ||
           error_set(error, "element %zu is not finite; no model computes with such a weight", at);
}

static bool put_tensor(StreamWriter *writer, const TensorChoice *choice, DType dtype, const void *data,
                       Error *error) {
    Record record = {.key = choice->name, .key_size = strlen(choice->name), .count = 1};
    RecordTensor *tensor = &record.tensors[0];
    *tensor = (RecordTensor){
        .name = "value", .dtype = dtype, .dimensions = choice->array->dimensions, .data = data};
    memcpy(tensor->shape, choice->array->shape, sizeof tensor->shape);
    return stream_writer_put(writer, &record, error);
}

static bool write_tensor(StreamWriter *writer, ArrayFile *file, const TensorChoice *choice, DType dtype,
                         Error *error) {
    const Array *array = choice->array;
    const size_t count = (size_t)array_elements(array);
    ArrayReader *reader = array_reader_open(file, array, error);
    if (!reader) return false;
    void *converted = NULL;
    const void *bytes = array_reader_next(reader, array_rows(array), error), *data = bytes;
    bool fine = bytes != NULL;
    if (fine && !is_as_stored(array, dtype)) {
        data = converted = memory_allocate(count, dtype_size(dtype), error);
        fine = converted && element_convert(array->type, bytes, dtype, converted, count, error);
    }
    if (bytes && !(fine = fine && check_finite(dtype, data, count, error)))
        error_prefix(error, "%s: %s: ", array_file_path(file), array->name);
    fine = fine && put_tensor(writer, choice, dtype, data, error);
    free(converted);
    array_reader_close(reader);
    return fine;
}

static void count_conversion(Conversions *conversions, ElementType from, DType to) {
    const size_t before = element_size(from), after = dtype_size(to);
    if (before == after && (!element_is_float(from) || element_dtype(from) == to)) return;
    if (element_is_float(from) && (after < before || (after == before && element_dtype(from) != to)))
        conversions->rounded++;
    else
        conversions->widened++;
}

static bool write_tensors(const ImportRequest *request, ArrayFile *file, const TensorChoices *choices,
                          const json_t *header, Conversions *conversions, Error *error) {
    StreamWriter *writer = stream_writer_open(request->output, header, error);
    if (!writer) return false;
    Progress progress;
    progress_start(&progress, "tensors", choices->taken_count);
    bool fine = true;
    for (size_t i = 0; i < choices->taken_count && fine; i++) {
        const TensorChoice *choice = &choices->taken[i];
        const DType dtype = wanted_dtype(request, choice->array->type);
        fine = write_tensor(writer, file, choice, dtype, error);
        count_conversion(conversions, choice->array->type, dtype);
        progress_update(&progress, i + 1);
    }
    progress_finish(&progress);
    if (!fine) {
        stream_writer_abandon(writer);
        return false;
    }
    stream_writer_add_content(writer, "file", array_file_content(file));
    return stream_writer_close(writer, error);
}

static void report(const char *what, const ArrayFile *file, const TensorChoices *choices,
                   const Conversions *conversions) {
    char left[CHOICES_TEXT], converted[80] = "";
    const char *beside = array_file_beside(file);
    if (conversions->rounded || conversions->widened)
        snprintf(converted, sizeof converted, " (%zu rounded, %zu widened to another dtype)",
                 conversions->rounded, conversions->widened);
    log_report("%s of %zu tensors taken%s; left %s%s%s", what, choices->taken_count, converted,
               tensor_choices_describe_left(choices, left), *beside ? "; beside them " : "", beside);
}

static void sign(const ImportRequest *request, json_t *header) {
    header_sign(header, request->tool, json_incref(request->options));
    header_add_input(header, "file", NULL);
}

static json_t *encoder_header(const ImportRequest *request, const json_t *config) {
    json_t *header = header_create("encoder");
    json_object_set_new(header, "modality", json_string(hf_config_modality(config)));
    json_object_set(header, "config", (json_t *)config);
    sign(request, header);
    return header;
}

static bool choose_and_write_encoder(const ImportRequest *request, ArrayFile *file, const json_t *config,
                                     Error *error) {
    TensorChoices choices;
    Conversions conversions = {0};
    json_t *header = encoder_header(request, config);
    const bool fine = tensor_choices_start(&choices, file, request->select, request->rename, error) &&
                      tensor_choices_encoder(&choices, config, error) &&
                      write_tensors(request, file, &choices, header, &conversions, error);
    if (fine) {
        char what[80];
        snprintf(what, sizeof what, "%s encoder (%s)", hf_config_modality(config),
                 json_string_value(json_object_get(config, "architecture")));
        report(what, file, &choices, &conversions);
    }
    tensor_choices_free(&choices);
    json_decref(header);
    return fine;
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) || S_ISDIR(status.st_mode); /* what is not there is reported when it is read */
}

bool import_encoder(const ImportRequest *request, Error *error) {
    char *beside = NULL;
    if (!request->config) {
        if (!is_folder(request->file)) {
            error_set(error, "%s: no folder; --config names the config.json of the encoder in it",
                      request->file);
            return file_kind_explain(request->file, error);
        }
        beside = memory_format("%s/config.json", request->file);
    }
    json_t *config = hf_config_read(request->config ? request->config : beside, error);
    free(beside);
    ArrayFile *file = config ? array_file_open(request->file, error) : NULL;
    const bool fine = file && choose_and_write_encoder(request, file, config, error);
    array_file_close(file);
    json_decref(config);
    return fine;
}

/* Moves the encoder that the setting `key` names a file of to the header. */
static bool move_encoder(json_t *settings, const char *key, json_t *header, const char *header_key,
                         const char *modality, Error *error) {
    const json_t *path = json_object_get(settings, key);
    json_object_set_new(header, header_key, json_null());
    if (!path || json_is_null(path) || (json_is_string(path) && !json_string_length(path))) {
        json_object_del(settings, key);
        return true;
    }
    json_t *config = json_is_string(path) ? hf_config_read(json_string_value(path), error)
                                          : hf_config_normalise(path, error);
    if (!config) return error_prefix(error, "%s: ", key);
    json_object_set_new(header, header_key, config);
    json_object_del(settings, key);
    return !strcmp(hf_config_modality(config), modality) ||
           error_set(error, "%s: a %s encoder where one of %ss is needed", key, hf_config_modality(config),
                     modality);
}

static bool add_settings(const ImportRequest *request, const TensorChoices *choices, json_t *header,
                         Error *error) {
    json_t *settings = request->config ? json_file_read(request->config, MAX_SETTINGS, error)
                                       : model_settings_infer(choices);
    if (!settings) return false;
    if (!move_encoder(settings, "text-config", header, "text_encoder", "text", error) ||
        !move_encoder(settings, "image-config", header, "image_encoder", "image", error)) {
        json_decref(settings);
        return error_prefix(error, "%s: ", request->config);
    }
    json_object_set_new(header, "config", settings);
    return true;
}

static bool check_encoders(const TensorChoices *choices, const json_t *header, Error *error) {
    const json_t *text = json_object_get(header, "text_encoder");
    const json_t *image = json_object_get(header, "image_encoder");
    return (json_is_null(text) || tensor_choices_check_encoder(choices, "text_encoder.", text, error)) &&
           (json_is_null(image) || tensor_choices_check_encoder(choices, "cv_encoder.", image, error));
}

bool import_model(const ImportRequest *request, Error *error) {
    ArrayFile *file = array_file_open(request->file, error);
    if (!file) return false;
    TensorChoices choices;
    Conversions conversions = {0};
    json_t *header = header_create("model");
    bool fine = tensor_choices_start(&choices, file, request->select, request->rename, error) &&
                tensor_choices_model(&choices, error) && add_settings(request, &choices, header, error) &&
                check_encoders(&choices, header, error);
    sign(request, header);
    fine = fine && write_tensors(request, file, &choices, header, &conversions, error);
    if (fine) report("model", file, &choices, &conversions);
    tensor_choices_free(&choices);
    json_decref(header);
    array_file_close(file);
    return fine;
}
