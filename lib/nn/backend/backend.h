/* What differs between processors: memory, the matrix product and the kernels. */
#ifndef NN_BACKEND_H
#define NN_BACKEND_H

#include "core/error.h"
#include "nn/backend/kernels.h"
#include "nn/backend/matrix.h"

/* Memory of a backend, where all values and the indices of kernels lie. */
typedef struct MemoryKernels {
    /* At least `bytes`, aligned to 64, their contents not set; where there is none the program ends with a
     * message. */
    void *(*take)(size_t bytes);
    void (*release)(void *memory, size_t bytes); /* NULL: nothing */

    /* to[i] = value. */
    void (*fill)(size_t count, float value, float *to);

    /* Both in the backend's memory; they do not overlap. */
    void (*copy)(size_t bytes, const void *from, void *to);

    /* From the host; `from` may be changed once it returns. */
    void (*upload)(size_t bytes, const void *from, void *to);

    /* To the host; waits until all that was called before has been done. */
    void (*download)(size_t bytes, const void *from, void *to);

    /* Lets what was called before begin: what reads staged bytes may wait for more of them. */
    void (*send)(void);

    /* To the host, a few bytes, which are there after the next `collect`; that waits for what was called
     * before the last `post` alone. */
    void (*post)(size_t bytes, const void *from, void *to);
    void (*collect)(void);
} MemoryKernels;

/* Bytes of the host for the kernels of a step, which go to the backend's memory together. */
typedef struct Staging Staging;

typedef struct StagingKernels {
    Staging *(*create)(void);
    void (*destroy)(Staging *staging);

    /* Kernels that are called from here on read nothing that was added before. */
    void (*restart)(Staging *staging);

    /* Where the bytes are for the kernels that are called next; `from` may be changed once it returns. */
    const void *(*add)(Staging *staging, size_t bytes, const void *from);
} StagingKernels;

typedef struct Backend {
    const char *name;
    bool rounds;    /* products take bf16 where the left matrix has it and the right one has it or a
                       packing; sums are f32 */
    bool is_host;   /* its memory is the host's: what lies in the one lies in the other */
    size_t at_once; /* of a product's result, this many values are best worked on at a time */
    size_t score_rows,
        score_columns; /* of scores: a loss takes so many rows at a time, ranking also columns */

    /* c [m, n] = a [m, k] · b [k, n] + beta · c, where beta is 0 (c is not read) or 1. */
    void (*matmul)(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);
    void (*release_packing)(Packing *packing);

    /* c [m, n], without gaps, = a · b + bias [n]. NULL: a product and then an activation do as well. */
    void (*matmul_with_bias)(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float *c);

    const MemoryKernels *memory;
    const StagingKernels *staging; /* NULL where its memory is the host's */
    const ElementKernels *elements;
    const ColumnKernels *columns;
    const RowKernels *rows;
    const SegmentKernels *segments;
    const ActivationKernels *activations;
    const LayerNormKernels *layer_norm;
    const AttentionKernels *attention;
    const SequenceKernels *sequences;
    const LossKernels *losses;
    const ScoreKernels *scores;
    const OptimizerKernels *optimizer;
    const ExchangeKernels *exchange; /* NULL: ranks exchange over the host alone */
} Backend;

/* How many rows of so many columns to take at a time when a product's result is worked on at once: few enough
 * for the cache, enough for a product to be fast. */
static inline size_t backend_rows_at_once(const Backend *backend, size_t columns) {
    const size_t rows = backend->at_once / columns;
    return rows < 256 ? 256 : rows;
}

/* c [m, n] = a · b + bias [n] in each row. */
static inline void backend_matmul_with_bias(const Backend *backend, size_t m, size_t n, size_t k, Matrix a,
                                            Matrix b, const float *bias, float *c) {
    if (backend->matmul_with_bias) {
        backend->matmul_with_bias(m, n, k, a, b, bias, c);
    } else {
        const Values values = {c, NULL};
        backend->matmul(m, n, k, a, b, 0, c, n);
        backend->activations->forward(m, n, ACTIVATION_NONE, bias, c, NULL, values);
    }
}

/* The entry of --device, which is spelled the same in every tool. */
#define OPTION_DEVICE(device)                                                                                \
    {                                                                                                        \
        .name = "device", .kind = OPTION_TEXT, .value = &(device), .argument = "NAME", .help = DEVICE_HELP,  \
        .check = backend_check_device                                                                        \
    }
#define DEVICE_HELP "where to compute: cpu, cuda, cuda:N"

/* Whether `device` is a name of one; this machine need not have it. */
bool backend_check_device(const char *device, Error *error);

/* The backend of a device for products in a dtype ("f32" or "bf16"): "cpu" or NULL; "cuda" or "cuda:N", a
 * card; or "cuda-on-host", the card's kernels on the processor. NULL with a message where this machine or
 * this build has none. */
const Backend *backend_find(const char *device, const char *dtype, Error *error);

/* Products in f32, on any processor. */
extern const Backend backend_cpu;

/* Whether backend_find knows bf16 on this processor, and on a device. */
bool backend_has_bf16(void);
bool backend_rounds(const char *device);

/* What computes the products here, whether there is a plug-in for cards, and by what cards exchange, in a
 * line for --version. */
const char *backend_describe(void);

#endif
