/* Texts or images on their way into a training: the stream of their tokens, pixels or hidden states, and the
 * encoder that carries them on. */
#ifndef TRAIN_SIDE_H
#define TRAIN_SIDE_H

#include "data/feature_store.h"
#include "model/encoder.h"
#include "model/modality.h"
#include "stream/reader.h"

/* What one modality calls by other names than the other. */
typedef struct SideKind {
    Modality modality;
    const char *name;           /* of the option that gives the stream */
    const char *raw;            /* what a stream holds that no block was applied to */
    const char *encoder_option; /* that gives the encoder's weights */
    const char *config_option;  /* that gives its architecture alone */
    const char *prefix;         /* of its tensors in a model */
    const char *projection;     /* what carries its last hidden states on */
    FeatureKind raw_kind;
    ParameterGroup group; /* of its parameters */
} SideKind;

typedef struct Side {
    const SideKind *kind;
    const char *path, *weights_path, *config_path; /* as the options gave them, or NULL */
    FeatureStore *store;                           /* NULL: the tower does not read it */
    json_t *encoder_json; /* the encoder's configuration; NULL: hidden states come in finished */
    EncoderConfig encoder;
    StreamReader *weights; /* of an encoder; read once, so that a pipe will do */
    json_t *weights_content;
    bool config_given; /* config_path, on the command line */
    bool from_init;    /* what goes on from the stream has values of --init */
} Side;

extern const SideKind side_kinds[MODALITIES];

/* Of the hidden states that come in or that the encoder makes; 0 without a stream. */
size_t side_width(const Side *side);

void side_free(Side *side);

#endif
