/* User encoders: from the vectors of the items that a user met to a hidden state at each of them. A new one
 * is a file with a UserEncoderKind and a line in registry.c. */
#ifndef MODEL_USER_ENCODER_H
#define MODEL_USER_ENCODER_H

#include "model/settings.h"
#include "nn/operators/operators.h"

/* The inputs of a batch of users, without padding: position p of `inputs` is row rows[p] of the item vectors.
 */
typedef struct UserRows {
    Segments inputs; /* by user; each at most max_seq_len long */
    const uint32_t *rows;
    uint32_t padding_row; /* of the item vectors, for kinds that see padding */
    size_t max_seq_len;
} UserRows;

typedef struct UserEncoderKind {
    const char *name;
    bool sees_padding; /* needs the padding item's vector at padding_row */

    /* Whether the settings fit; a message says which do not. NULL: always. */
    bool (*check)(const Settings *settings, Error *error);

    /* Adds the parameters and returns the module, to be freed with free(). */
    void *(*create)(ParameterSet *set, const Settings *settings);

    /* The hidden states of the positions of `inputs`: [positions, D]. */
    Tensor *(*forward)(const void *module, Tape *tape, Tensor *items, const UserRows *rows, double dropout);
} UserEncoderKind;

/* NULL, and a message that lists those there are. */
const UserEncoderKind *user_encoder_find(const char *name, Error *error);

#endif
