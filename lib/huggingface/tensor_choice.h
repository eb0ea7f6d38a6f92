/* Which tensors of a foreign file are taken, and under which names. */
#ifndef HUGGINGFACE_TENSOR_CHOICE_H
#define HUGGINGFACE_TENSOR_CHOICE_H

#include "arrays/array_file.h"
#include "core/name_table.h"

typedef struct TensorChoice {
    const char *name; /* the one it gets */
    const Array *array;
} TensorChoice;

typedef struct TensorChoices {
    const ArrayFile *file;
    NameTable *names; /* of all candidates: the names in the file after --select and --rename */
    const Array **arrays;
    TensorChoice *taken;
    size_t taken_count;
    NameTable *taken_names;
    NameTable *left; /* groups of what was not taken, … */
    size_t *left_counts, left_capacity, left_total;
} TensorChoices;

/* The candidates: tensors whose name in the file matches the glob `select` (NULL: all), renamed by `rename`
 * (NULL: not): FROM=TO, several joined by commas. FROM without a '*' is the beginning of a name, which TO
 * replaces; with one '*' it is a whole name, and what the '*' stood for goes where TO has its '*'. The first
 * rule that fits is used. Two tensors that get one name are an error. */
bool tensor_choices_start(TensorChoices *choices, const ArrayFile *file, const char *select,
                          const char *rename, Error *error);
void tensor_choices_free(TensorChoices *choices);

/* Takes the tensors of the encoder with this normalised description, wherever in the file it lies, under
 * their names without what stands before them. One that is missing or has another shape is an error. */
bool tensor_choices_encoder(TensorChoices *choices, const json_t *config, Error *error);

/* Takes everything but position_ids (whole numbers that count from 0), without a "module.", "model." or
 * "_orig_mod." that stands before every name. */
bool tensor_choices_model(TensorChoices *choices, Error *error);

/* Checks the shapes of the encoder of a model that was taken, under `part` ("text_encoder." …). */
bool tensor_choices_check_encoder(const TensorChoices *choices, const char *part, const json_t *config,
                                  Error *error);

/* "3: 2 pooler, 1 position_ids", or "none". */
enum { CHOICES_TEXT = 400 };
const char *tensor_choices_describe_left(const TensorChoices *choices, char text[CHOICES_TEXT]);

#endif
