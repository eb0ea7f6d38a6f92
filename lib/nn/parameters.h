/* The named tensors that are learned, with their gradients and the optimizer's moments. They are created,
 * loaded and initialised in the host's memory; parameter_set_move takes them to that of a backend, where
 * values are read and written through the set. */
#ifndef NN_PARAMETERS_H
#define NN_PARAMETERS_H

#include "core/name_table.h"
#include "core/random.h"
#include "nn/backend/backend.h"
#include "nn/row_updates.h"
#include "nn/touched_rows.h"
#include "stream/record.h"

typedef enum InitialValue {
    INITIAL_ZERO,
    INITIAL_ONE,
    INITIAL_NORMAL,         /* mean 0, deviation 0.02 (BERT) */
    INITIAL_XAVIER_NORMAL,  /* deviation √(2 / (rows + columns)) */
    INITIAL_XAVIER_UNIFORM, /* ± √(6 / (rows + columns)) */
    INITIAL_UNIFORM,        /* ± 1 / √columns (PyTorch's own) */
} InitialValue;

typedef enum ParameterGroup { GROUP_TEXT, GROUP_IMAGE, GROUP_REST, GROUP_COUNT } ParameterGroup;

typedef struct Parameter Parameter;
struct Parameter {
    const char *name;
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
    size_t rows, columns, count;         /* as a matrix: the first dimension by the product of the others */
    float *value;                        /* in the memory of the set's backend, as all that follow */
    float *gradient;                     /* NULL until it is trained */
    float *first_moment, *second_moment; /* AdamW's, NULL until it is trained */
    ParameterGroup group;
    InitialValue initial;
    bool loaded;  /* its value came from a file */
    bool touched; /* it has a gradient; else the values of `gradient` mean nothing */
    bool trainable;
    TouchedRows *touched_rows; /* NULL: not known; else the gradient of all other rows is zero */
    RowUpdates *row_updates;   /* NULL: a step moves all of it */
    Parameter *whole;          /* the matrix that this one's memory is a part of, or NULL: parameter_join */
    Parameter **parts;         /* of a whole */
    size_t part_count;         /* 0: no whole */
    Packing packing;           /* of a matrix */
};

/* A tensor that no part of the model in memory uses, kept as it came so that nothing of a model is lost. */
typedef struct Passenger {
    DType dtype;
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
    void *data;
} Passenger;

enum { PARAMETER_READINGS = 5 };

typedef struct ParameterSet {
    const Backend *backend;            /* the cpu's before parameter_set_move */
    struct ParameterReading *readings; /* [PARAMETER_READINGS]: parameter_set_read's */
    NameTable *names;
    Parameter **list; /* by the number of their name; they do not move */
    size_t count, capacity;
    Parameter **wholes;
    size_t whole_count, whole_capacity;
    NameTable *passenger_names;
    Passenger *passengers;
    size_t passenger_capacity;
} ParameterSet;

ParameterSet *parameter_set_create(void);
void parameter_set_destroy(ParameterSet *set);

/* A new parameter named by a printf format; its values are not set. Two of one name are a fault of the
 * program. columns = 0 makes a vector of `rows`. */
Parameter *parameter_add(ParameterSet *set, ParameterGroup group, InitialValue initial, size_t rows,
                         size_t columns, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* As parameter_add with any shape. */
Parameter *parameter_add_shaped(ParameterSet *set, ParameterGroup group, InitialValue initial, int dimensions,
                                const uint64_t *shape, const char *name);

/* Lays parameters of the same columns one below the other in memory, and returns them as one parameter of all
 * their rows, so that one product serves them all. It has no name; the parts stay what they were. */
Parameter *parameter_join(ParameterSet *set, Parameter *const *parts, size_t count);

/* To be called after each change of a parameter's values. */
void parameter_changed(Parameter *parameter);

/* The values as the right operand of products. */
Matrix parameter_matrix(Parameter *parameter);

/* The gradient, for a backward step that adds to it: zeroed when it is asked for first. From then on the
 * parameter, with the parts that it has, counts as touched. */
float *parameter_gradient(Parameter *parameter, const Backend *backend);

/* As parameter_gradient for a step that overwrites: *beta is 0 and the values are not set when it is the
 * first to write, and 1 when it has to add. */
float *parameter_gradient_target(Parameter *parameter, float *beta);

/* Lets it be known which rows of a trainable table have a gradient. For a table that nothing reads but
 * embedding_sum. */
void parameter_follow_rows(Parameter *parameter);

/* Makes steps move only the rows that got a gradient: see row_updates.h. Follows them, too. */
void parameter_update_by_rows(Parameter *parameter);

/* Its values and moments, for row_updates_catch_up. */
RowTable parameter_row_table(const Parameter *parameter);

/* Notes which rows of a touched table have a gradient; they are the host's, rising, each once. */
void parameter_touch_rows(Parameter *parameter, const uint32_t *rows, size_t count);

Parameter *parameter_find(const ParameterSet *set, const char *name, size_t size);

/* Before parameter_set_move: initial values for all that were not loaded; each follows from the seed and its
 * own name alone. */
void parameter_set_initialise(ParameterSet *set, uint64_t seed);

/* Takes all values to the memory of a backend, whose tapes may use them from then on. */
void parameter_set_move(ParameterSet *set, const Backend *backend);

/* Values in the backend's memory, of a parameter or beside it, for the host. They live until others are read
 * at the same place, 0 … PARAMETER_READINGS − 1. */
const float *parameter_set_read(const ParameterSet *set, size_t place, const float *values, size_t count);

/* The other way; parameter_changed is the caller's to call. */
void parameter_set_write(const ParameterSet *set, const float *from, size_t count, float *values);

/* Takes the memory that training needs, in that of the backend. */
void parameter_set_make_trainable(ParameterSet *set);

/* A copy of all values in the backend's memory, by parameter: a new one, to be given to
 * parameter_set_free_copy, or into one that is there. */
float **parameter_set_copy(const ParameterSet *set, float **copy);
void parameter_set_restore(ParameterSet *set, float *const *copy);
void parameter_set_free_copy(const ParameterSet *set, float **copy);

/* From here on no parameter counts as touched. */
void parameter_set_clear_gradients(ParameterSet *set);

/* Before parameter_set_move: takes the value of a float tensor of the same shape. An error names the tensor
 * and both shapes. */
bool parameter_load(Parameter *parameter, const RecordTensor *tensor, Error *error);

/* Whether parameter_load would take the tensor. */
bool parameter_check(const Parameter *parameter, const RecordTensor *tensor, Error *error);

/* Before parameter_set_move: takes over the memory of a value of the parameter's shape (of a part of a whole:
 * copies and frees it). */
void parameter_adopt(Parameter *parameter, float *value);

/* Keeps a copy of a tensor under a name (a second one of the same name replaces the first). */
void parameter_set_keep_passenger(ParameterSet *set, const char *name, size_t size,
                                  const RecordTensor *tensor);

/* The same without a copy: the tensor's data are in `data`, which the set takes over. */
void parameter_set_adopt_passenger(ParameterSet *set, const char *name, size_t size,
                                   const RecordTensor *tensor, void *data);

/* NULL when there is none of this name. */
const Passenger *parameter_set_passenger(const ParameterSet *set, const char *name);

#endif
