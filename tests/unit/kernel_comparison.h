/* One call of a kernel with another backend and with the plain one of the processor, compared. */
#ifndef TESTS_KERNEL_COMPARISON_H
#define TESTS_KERNEL_COMPARISON_H

#include "check.h"
#include "core/dtype.h"
#include "core/memory.h"
#include "core/random.h"
#include "nn/backend/backend.h"
#include "nn/segments.h"

#include <omp.h>

typedef enum ArrayKind { ARRAY_F32, ARRAY_BF16, ARRAY_F64, ARRAY_INTEGERS } ArrayKind;

/* Backend memory with a border on either side, so that what is written beside an array is seen. */
typedef struct Array {
    ArrayKind kind;
    size_t bytes;   /* with the borders */
    size_t skipped; /* of these, before the array */
    unsigned char *memory;
    double tolerance;
} Array;

enum { MOST_ARRAYS = 32, BORDER = 64 };

/* A kernel called once with one backend. All that is random follows from the seed, so that two runs differ in
 * the backend alone; afterwards all arrays, what was read too, must be the same. */
typedef struct Run {
    const Backend *backend;
    Random random;
    Arena *scratch;
    Array arrays[MOST_ARRAYS];
    size_t count;
    size_t rows, columns; /* of the shape that is tried */
    int variant;          /* all combinations of what the kernel's options are, one after the other */
    double tolerance;     /* of arrays to come, relative to the largest value */
} Run;

static const Backend *other, *other_bf16; /* that are compared with backend_cpu */
static bool to_the_bit;                   /* whether all must be the same, on one thread and on three */

static inline void *add_array(Run *run, ArrayKind kind, const void *values, size_t bytes) {
    Array *array = &run->arrays[run->count++];
    CHECK(run->count < MOST_ARRAYS);
    const size_t shift = kind == ARRAY_F32 ? 4 * (size_t)random_below(&run->random, 4) : 0; /* unaligned */
    *array = (Array){kind, bytes + 2 * BORDER, BORDER + shift, NULL, run->tolerance};
    array->bytes += shift;
    unsigned char *host = memory_need(array->bytes, 1);
    memset(host, 1, array->bytes);
    if (bytes) memcpy(host + array->skipped, values, bytes);
    array->memory = run->backend->memory->take(array->bytes);
    run->backend->memory->upload(array->bytes, host, array->memory);
    free(host);
    return array->memory + array->skipped;
}

/* Random values, what a kernel reads or writes. */
static inline float *floats(Run *run, size_t count) {
    float *values = memory_need(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_normal(&run->random);
    float *array = add_array(run, ARRAY_F32, values, count * sizeof *values);
    free(values);
    return array;
}

static inline uint16_t *halves(Run *run, size_t count) {
    uint16_t *values = memory_need(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        const float value = (float)random_normal(&run->random);
        dtype_from_f32(DTYPE_BF16, &value, &values[i], 1);
    }
    const double tolerance = run->tolerance;
    run->tolerance = 0.01; /* where f32 differs a little, a bf16 may be the next one */
    uint16_t *array = add_array(run, ARRAY_BF16, values, count * sizeof *values);
    run->tolerance = tolerance;
    free(values);
    return array;
}

/* Of values that bf16 has, too. */
static inline float *short_floats(Run *run, size_t count) {
    float *values = memory_need(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        uint16_t rounded;
        values[i] = (float)random_normal(&run->random);
        dtype_from_f32(DTYPE_BF16, &values[i], &rounded, 1);
        dtype_to_f32(DTYPE_BF16, &rounded, &values[i], 1);
    }
    float *array = add_array(run, ARRAY_F32, values, count * sizeof *values);
    free(values);
    return array;
}

static inline double *doubles(Run *run, size_t count) {
    double *values = memory_need(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = fabs(random_normal(&run->random));
    double *array = add_array(run, ARRAY_F64, values, count * sizeof *values);
    free(values);
    return array;
}

/* Numbers below `bound`. */
static inline uint32_t *numbers(Run *run, size_t count, size_t bound) {
    uint32_t *values = memory_need(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (uint32_t)random_below(&run->random, bound);
    uint32_t *array = add_array(run, ARRAY_INTEGERS, values, count * sizeof *values);
    free(values);
    return array;
}

/* Segments of 0 … most rows; their lengths sum up to *rows. The host's copy is to be freed. */
static inline size_t *offsets(Run *run, size_t count, size_t most, size_t **host) {
    *host = memory_need(count + 1, sizeof **host);
    for (size_t i = 0; i < count; i++) {
        const size_t length = random_below(&run->random, 4) ? random_below(&run->random, most + 1) : 0;
        (*host)[i + 1] = (*host)[i] + length;
    }
    return add_array(run, ARRAY_INTEGERS, *host, (count + 1) * sizeof **host);
}

static inline bool chosen(const Run *run, int option) {
    return run->variant >> option & 1;
}

static inline Dropout some_dropout(Run *run, bool drops) {
    const uint64_t seed = random_next(&run->random);
    return drops ? dropout_create(0.3, seed) : dropout_none();
}

static inline double value_at(const Array *array, const unsigned char *host, size_t i) {
    float value;
    double wide;
    switch (array->kind) {
    case ARRAY_F32:
        memcpy(&value, host + 4 * i, 4);
        return value;
    case ARRAY_BF16:
        dtype_to_f32(DTYPE_BF16, host + 2 * i, &value, 1);
        return value;
    case ARRAY_F64:
        memcpy(&wide, host + 8 * i, 8);
        return wide;
    case ARRAY_INTEGERS:
        break;
    }
    return host[i];
}

static inline double compare_arrays(const Array *array, const unsigned char *got, const unsigned char *want) {
    static const size_t sizes[] = {4, 2, 8, 1};
    const size_t end = array->bytes - BORDER, count = (end - array->skipped) / sizes[array->kind];
    double difference = 0, largest = 0.05; /* where all should cancel out, not all does */
    if (memcmp(got, want, array->skipped) || memcmp(got + end, want + end, BORDER)) return INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double x = value_at(array, got + array->skipped, i),
                     y = value_at(array, want + array->skipped, i);
        if (x == y || (isnan(x) && isnan(y))) continue;
        if (!(fabs(x - y) <= difference)) difference = fabs(x - y);
        if (fabs(y) > largest) largest = fabs(y);
    }
    return difference / largest;
}

static inline unsigned char *take_back(const Run *run, const Array *array) {
    unsigned char *host = memory_need(array->bytes, 1);
    run->backend->memory->download(array->bytes, array->memory, host);
    run->backend->memory->release(array->memory, array->bytes);
    return host;
}

typedef void (*Kernel)(Run *run);

static inline void run_kernel(Run *run, const Backend *backend, Kernel kernel, uint64_t seed) {
    run->backend = backend;
    run->count = 0;
    run->tolerance = 2e-5;
    random_seed(&run->random, seed, 0);
    kernel(run);
}

static inline void compare_run(Run *run, Kernel kernel, uint64_t seed) {
    Run reference = *run;
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    setenv("PM_FIBER_SEED", text, 1);
    if (to_the_bit) omp_set_num_threads(3);
    run_kernel(&reference, &backend_cpu, kernel, seed);
    if (to_the_bit) omp_set_num_threads(1);
    run_kernel(run, other, kernel, seed);
    for (size_t i = 0; i < run->count; i++) {
        unsigned char *want = take_back(&reference, &reference.arrays[i]),
                      *got = take_back(run, &run->arrays[i]);
        const double difference = compare_arrays(&run->arrays[i], got, want);
        CHECK(difference <= (to_the_bit ? 0 : run->arrays[i].tolerance),
              "array %zu, %zu x %zu, variant %d, seed %llu: %g", i, run->rows, run->columns, run->variant,
              (unsigned long long)seed, difference);
        free(want);
        free(got);
    }
}

/* Over shapes, options and seeds. */
static inline void compare(Kernel kernel, int options, const size_t *rows, const size_t *columns) {
    Run run = {.scratch = arena_create()};
    uint64_t seed = 1;
    for (const size_t *r = rows; *r != SIZE_MAX; r++)
        for (const size_t *c = columns; *c; c++)
            for (int variant = 0; variant < 1 << options; variant++) {
                run.rows = *r, run.columns = *c, run.variant = variant;
                compare_run(&run, kernel, seed++);
            }
    arena_destroy(run.scratch);
}

#define SIZES(...) ((const size_t[]){__VA_ARGS__, SIZE_MAX})
#define WIDTHS(...) ((const size_t[]){__VA_ARGS__, 0})
#define SOME_ROWS SIZES(0, 1, 2, 7, 33, 300)
#define SOME_COLUMNS WIDTHS(1, 3, 31, 32, 33, 64, 257, 1030)

#endif
