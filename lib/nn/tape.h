/* Tensors of one step and the record of how they came about. Operators append to the tape; tape_backward
 * walks it in reverse. All memory comes from the tape's two arenas and goes at tape_reset: contexts and the
 * indices as they are made from the host's, values from the backend's. What the host makes goes up by
 * tape_upload and tape_leaf, and tape_read is the only way back. */
#ifndef NN_TAPE_H
#define NN_TAPE_H

#include "core/arena.h"
#include "nn/backend/backend.h"
#include "nn/segments.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A matrix in the backend's memory, row-major. A vector is a row. */
typedef struct Tensor {
    float *value;
    float *gradient; /* NULL until a backward step writes it */
    size_t rows, columns;
    bool needs_gradient;
    uint16_t *rounded; /* the value in bf16: tape_matrix */
} Tensor;

typedef struct Tape Tape;
typedef void (*Backward)(Tape *tape, void *context);

typedef struct TapeNode {
    Tensor *y;         /* what the operator made */
    const char *maker; /* the operator */
    Backward backward;
    void *context;
    bool always; /* runs without a gradient of y, too */
} TapeNode;

/* Memory that no backward step to come will read. */
typedef struct Piece {
    float *values;
    size_t count;
} Piece;

/* What was uploaded in this step. */
typedef struct Upload {
    const void *from, *to;
    size_t bytes;
} Upload;

/* Sees what each operator makes, and each gradient before a backward step takes it, as `values`. */
typedef struct TapeWatch {
    void (*see)(void *context, Tape *tape, const char *maker, const Tensor *values, bool is_gradient);
    void *context;
} TapeWatch;

struct Tape {
    Arena *arena;  /* the host's */
    Arena *values; /* the backend's */
    const Backend *backend;
    Staging *staging; /* of what goes up; NULL: nothing has to */
    Upload *uploads;
    size_t upload_count, upload_capacity;
    TapeNode *nodes;
    size_t count, capacity;
    Piece *pieces; /* what gradients are made of before the arena of values is asked */
    size_t piece_count, piece_capacity;
    bool recording;        /* false: forward only, nothing needs a gradient */
    uint64_t dropout_seed; /* of this step */
    uint64_t dropout_uses; /* operators with dropout so far in this step */
    TapeWatch watch;       /* {0}: nobody */
};

/* A tape owns its arenas. `recording` says whether gradients are wanted. */
Tape *tape_create(const Backend *backend, bool recording);
void tape_destroy(Tape *tape);

/* Forgets all tensors and starts a step whose dropout follows from `dropout_seed`. */
void tape_reset(Tape *tape, uint64_t dropout_seed);

/* A place to come back to: tape_rewind forgets what was taken and uploaded since. Only for a tape that does
 * not record. */
typedef struct TapeMark {
    ArenaMark arena, values;
    size_t uploads;
} TapeMark;
TapeMark tape_mark(const Tape *tape);
void tape_rewind(Tape *tape, TapeMark mark);

/* `count` × `size` bytes of the backend's memory, not set. */
void *tape_take(Tape *tape, size_t count, size_t size);

/* The same `bytes` in the backend's memory, where it is not the host's; an array goes up once in a step, so
 * it must not change in it. NULL stays NULL. */
const void *tape_upload(Tape *tape, const void *from, size_t bytes);
const uint32_t *tape_upload_rows(Tape *tape, const uint32_t *rows, size_t count);
const size_t *tape_upload_offsets(Tape *tape, Segments segments);

/* Lets what was called so far begin. What is uploaded before goes up in one piece. */
void tape_send(Tape *tape);

/* A tensor's values for the host, once all that makes them has been done. They live as long as the tensor. */
const float *tape_read(Tape *tape, const Tensor *tensor);

/* A new tensor, its values not set. */
Tensor *tape_tensor(Tape *tape, size_t rows, size_t columns, bool needs_gradient);

/* A tensor of the host's values, which must outlive the step. */
Tensor *tape_leaf(Tape *tape, const float *values, size_t rows, size_t columns, bool needs_gradient);

/* A tensor over values that are in the backend's memory and outlive the step. */
Tensor *tape_view(Tape *tape, const float *values, size_t rows, size_t columns, bool needs_gradient);

/* To be called by every operator when it has made y; the operator is called as the function that calls it.
 * Appends its backward step, if y needs a gradient. It is run when y has got one;
 * after it y's values and gradient are no more. `context` lives in the host's arena. */
#define tape_record(tape, y, backward, context) tape_record_as(__func__, tape, y, backward, context)
void tape_record_as(const char *maker, Tape *tape, Tensor *y, Backward backward, void *context);

/* After tape_record: all ranks take this backward step together, also where y got no gradient. */
void tape_run_always(Tape *tape, const Tensor *y);

/* For a backward step: nothing reads this memory of the arena of values any more, so that gradients
 * may take it. */
void tape_release(Tape *tape, void *memory, size_t bytes);

/* The gradient of a tensor, zeroed when it is asked for first. */
float *tape_gradient(Tape *tape, Tensor *tensor);

/* As tape_gradient for an operator that overwrites: *beta is 0 and the values are not set when it is the
 * first to write, and 1 when it has to add. */
float *tape_gradient_target(Tape *tape, Tensor *tensor, float *beta);

/* For the backward step of y, at its end: the gradient of x += that of y. */
void tape_pass_gradient(Tape *tape, Tensor *y, Tensor *x);

/* A tensor's value as an operand of products, in bf16 too when the backend wants that: rounded once. */
Matrix tape_matrix(Tape *tape, Tensor *tensor);

/* Room for a tensor's value in bf16 when the backend wants that, for an operator that fills it by itself. */
void tape_take_rounded(Tape *tape, Tensor *tensor);

/* Any values [rows, columns] as an operand, rounded anew. */
Matrix tape_round(Tape *tape, const float *values, size_t rows, size_t columns);

/* Sets the gradient of the scalar `loss` to 1 and runs all backward steps in reverse. */
void tape_backward(Tape *tape, Tensor *loss);

/* One use of dropout, different for each use in a step; none when the tape does not record. */
Dropout tape_dropout(Tape *tape, double rate);

/* A block of the host's arena for an operator's context. */
#define TAPE_CONTEXT(tape, Type, ...)                                                                        \
    ({                                                                                                       \
        Type *context_ = arena_take((tape)->arena, 1, sizeof(Type));                                         \
        *context_ = (Type){__VA_ARGS__};                                                                     \
        context_;                                                                                            \
    })

#endif
