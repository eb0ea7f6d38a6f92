/* Fusions: from the projected tokens of items to one vector an item. A new one is a file with a FusionKind
 * and a line in registry.c. */
#ifndef MODEL_FUSION_H
#define MODEL_FUSION_H

#include "model/settings.h"
#include "nn/operators/operators.h"

/* The projected tokens of a batch of items; text or image is NULL where the tower has none. */
typedef struct ItemTokens {
    size_t items;
    Tensor *text, *image; /* [tokens, D] */
    Segments text_segments, image_segments;
    bool padding; /* the last item is the padding item */
} ItemTokens;

typedef struct FusionKind {
    const char *name;
    bool uses_text, uses_image;
    size_t padding_text_tokens; /* masked tokens that the padding item has, beside its image tokens */

    /* Whether the settings fit; a message says which do not. NULL: always. */
    bool (*check)(const Settings *settings, Error *error);

    /* Adds the parameters and returns the module, to be freed with free(). */
    void *(*create)(ParameterSet *set, const Settings *settings);

    /* The item vectors [items, D]. */
    Tensor *(*forward)(const void *module, Tape *tape, const ItemTokens *tokens, double dropout);
} FusionKind;

/* NULL, and a message that lists those there are. */
const FusionKind *fusion_find(const char *name, Error *error);

/* Whether `heads` divides D: for check functions. */
bool fusion_check_heads(const Settings *settings, Error *error);

#endif
