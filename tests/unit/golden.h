/* The arrays of a file in tests/golden/modules (see tests/golden/convert_modules.py). */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "check.h"
#include "core/memory.h"
#include "core/name_table.h"
#include "stream/reader.h"

typedef struct GoldenArray {
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS]; /* of what is kept */
    size_t count, every;                   /* elements that are kept: 0, every, 2·every, … */
    float *values;
    uint32_t *integers; /* of an integer array, in place of values */
    double largest;     /* magnitude in the whole array */
} GoldenArray;

typedef struct Golden {
    json_t *header;
    NameTable *names;
    GoldenArray *arrays;
    size_t capacity;
} Golden;

static inline void golden_add(Golden *golden, const Record *record) {
    bool added;
    const size_t number = name_table_add(golden->names, record->key, record->key_size, &added);
    golden->arrays = memory_grow(golden->arrays, &golden->capacity, number + 1, sizeof *golden->arrays);
    const RecordTensor *value = record_find(record, "value"), *every = record_find(record, "every"),
                       *largest = record_find(record, "largest");
    const size_t count = record_tensor_elements(value);
    GoldenArray *array = &golden->arrays[number];
    *array = (GoldenArray){.dimensions = value->dimensions, .count = count, .every = 1};
    memcpy(array->shape, value->shape, sizeof array->shape);
    void *copy = memory_need(count + 1, sizeof(float));
    memcpy(copy, value->data, count * sizeof(float));
    if (value->dtype == DTYPE_I32) {
        array->integers = copy;
        return;
    }
    array->values = copy;
    for (size_t i = 0; i < count; i++)
        array->largest = fmax(array->largest, fabs((double)array->values[i]));
    if (every) {
        uint32_t step;
        float most;
        memcpy(&step, every->data, sizeof step);
        memcpy(&most, largest->data, sizeof most);
        array->every = step;
        array->largest = (double)most;
    }
}

/* Ends the program when the file cannot be read: nothing can be tested then. */
static inline Golden golden_read_file(const char *path) {
    Golden golden = {.names = name_table_create()};
    Error error = {""};
    Record record;
    StreamStatus status = STREAM_ERROR;
    StreamReader *reader = stream_reader_open(path, &error);
    while (reader && (status = stream_reader_next(reader, &record, &error)) == STREAM_RECORD)
        golden_add(&golden, &record);
    if (status != STREAM_END) {
        printf("Bail out! %s\n", error.message);
        exit(2);
    }
    golden.header = json_deep_copy(stream_reader_header(reader));
    stream_reader_close(reader);
    return golden;
}

/* tests/golden/FOLDER/NAME.pmt */
static inline Golden golden_read_below(const char *folder, const char *name) {
    char path[1024];
    const char *project = getenv("PROJECT");
    snprintf(path, sizeof path, "%s/tests/golden/%s/%s.pmt", project ? project : ".", folder, name);
    return golden_read_file(path);
}

static inline Golden golden_read(const char *name) {
    return golden_read_below("modules", name);
}

static inline void golden_free(Golden *golden) {
    for (size_t i = 0; i < name_table_count(golden->names); i++) {
        free(golden->arrays[i].values);
        free(golden->arrays[i].integers);
    }
    free(golden->arrays);
    name_table_destroy(golden->names);
    json_decref(golden->header);
}

/* The array named by a prefix and the rest, or NULL. */
static inline const GoldenArray *golden_find(const Golden *golden, const char *prefix, const char *rest) {
    char name[512];
    const int size = snprintf(name, sizeof name, "%s%s", prefix, rest);
    const size_t number = name_table_find(golden->names, name, (size_t)size);
    return number == SIZE_MAX ? NULL : &golden->arrays[number];
}

static inline const GoldenArray *golden_need(const Golden *golden, const char *name) {
    const GoldenArray *array = golden_find(golden, "", name);
    if (!array) {
        printf("Bail out! there is no array %s\n", name);
        exit(2);
    }
    return array;
}

/* The largest difference of a whole array `got` from what is kept of the golden one, as a fraction of the
 * largest magnitude. */
static inline double golden_difference(const GoldenArray *want, const float *got) {
    double difference = 0;
    for (size_t i = 0; i < want->count; i++) {
        const double d = fabs((double)got[i * want->every] - (double)want->values[i]);
        if (!(d <= difference)) difference = d; /* also takes a NaN */
    }
    return difference / fmax(want->largest, 1e-30);
}

#endif
