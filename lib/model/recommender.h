/* A recommender: item towers, user encoder and objectives put together from settings. Any part may be left
 * out, so that a tool holds only what it uses. */
#ifndef MODEL_RECOMMENDER_H
#define MODEL_RECOMMENDER_H

#include "model/encoder.h"
#include "model/modality.h"
#include "model/objective/objective.h"

/* What goes into the recommender. */
typedef struct RecommenderInputs {
    bool item_towers; /* projections and fusion, or the ID table */
    bool user_encoder;
    bool objectives;
    size_t text_width, image_width; /* of the hidden states that come in; 0: that modality does not */
    const EncoderConfig *text,
        *image; /* encoders whose blocks above text_blocks and image_blocks are part of */
    int64_t text_blocks, image_blocks; /* the recommender; NULL: the hidden states are the encoder's last */
    size_t id_items;                   /* rows of the ID table, the padding item's not counted */
} RecommenderInputs;

typedef struct Recommender {
    Settings settings;
    ParameterSet *parameters;
    Encoder *text_encoder, *image_encoder; /* NULL: hidden states come in finished */
    LinearLayer text_projection, image_projection;
    const FusionKind *fusion; /* NULL: ID tower, or items come in as vectors */
    void *fusion_module;
    Parameter *item_table;
    const UserEncoderKind *user_kind;
    void *user_module;
    ObjectiveParts objective;
    void *objective_modules[OBJECTIVE_MOST_PARTS];
} Recommender;

/* The prefix of an encoder's own names in a model. */
const char *recommender_encoder_prefix(const EncoderConfig *config);

/* Which modalities the tower and fusion of these settings read. */
bool recommender_modalities(const Settings *settings, bool reads[MODALITIES], Error *error);

/* Checks the settings and creates the parts; parameters are not initialised yet. To be given to
 * recommender_destroy, with its parameters. */
Recommender *recommender_create(const Settings *settings, const RecommenderInputs *inputs, Error *error);
void recommender_destroy(Recommender *recommender);

/* A batch of distinct items, as far as the towers read them. */
typedef struct ItemBatch {
    size_t count;
    Segments text_segments, image_segments; /* of ids or hidden states */
    const uint32_t *text_ids;
    float *text_hidden, *image_hidden; /* [tokens, width] */
    const float *pixels;               /* [count, 3, size, size] */
    size_t image_tokens;               /* hidden states of each image, for the padding item */
    float *vectors;                    /* [count, D]: items that come in as vectors */
    const uint32_t *numbers;           /* ID tower */
} ItemBatch;

/* Item vectors [count, D], and with `padding` the padding item's as one more row. `tokens` receives the
 * projected tokens; its members are NULL for towers without them. */
Tensor *recommender_items(const Recommender *recommender, Tape *tape, const ItemBatch *batch, bool padding,
                          ItemTokens *tokens);

/* Hidden states of the users' positions. */
Tensor *recommender_users(const Recommender *recommender, Tape *tape, Tensor *items, const UserRows *rows);

/* Whether item vectors need the padding item's behind them. */
bool recommender_sees_padding(const Recommender *recommender);

#endif
