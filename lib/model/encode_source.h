/* What an encoder reads, item by item: a stream of tokens, pixels or hidden states, or image stores. */
#ifndef MODEL_ENCODE_SOURCE_H
#define MODEL_ENCODE_SOURCE_H

#include "data/image_stores.h"
#include "model/encoder.h"
#include "model/modality.h"
#include "stream/content_hash.h"
#include "stream/hidden_states.h"
#include "stream/reader.h"

/* Blocks behind hidden states that are "last": all of the encoder, however many. */
#define ENCODE_FROM_LAST INT64_MAX

typedef struct EncodeSource {
    Modality modality;
    int64_t
        start; /* blocks that its hidden states have behind them, ENCODER_FROM_INPUT or ENCODE_FROM_LAST */
    const json_t *header;
    StreamReader *reader; /* NULL: image stores */
    ImageStores *images;
    uint64_t first, left; /* images: before those to come, and how many they are */
    bool share;           /* of the images, not all of them */
    const Shard *shard;   /* of the stream */
    Record record;
} EncodeSource;

typedef struct EncodeItem {
    const char *key;
    size_t key_size;
    size_t rows, width;  /* of 4-byte elements: ids, values of hidden states, or one row of pixels */
    size_t tokens;       /* hidden states that it will have */
    HiddenStates hidden; /* as they are stored … */
    const void *values;  /* … and what is no hidden states */
    DType dtype;
} EncodeItem;

/* One stream ("-" or NULL: standard input), or image stores. Only a share of the items, unless `shard` is
 * {0}. */
bool encode_source_open(EncodeSource *source, Modality modality, char *const *paths, size_t count,
                        const Shard *shard, Error *error);
void encode_source_close(EncodeSource *source); /* {0} is allowed */

/* 0: not known. */
uint64_t encode_source_count(const EncodeSource *source);

/* What encode_source_content will be, where it is known beforehand: of image stores, and of a stream with an
 * index. A new reference; NULL when it is not known. */
json_t *encode_source_known(const EncodeSource *source);

/* Passes over the first `count` items of an input that is known beforehand, without reading them. */
bool encode_source_skip(EncodeSource *source, uint64_t count, Error *error);

/* Adds the last item, of a stream, to a hash of all that was read. */
void encode_source_hash(const EncodeSource *source, ContentHash *hash);

/* Whether the images of stores are made for this encoder. */
bool encode_source_check(const EncodeSource *source, const EncoderConfig *config, Error *error);

/* The next item, if it is one for this encoder; valid until the next call. */
StreamStatus encode_source_next(EncodeSource *source, const EncoderConfig *config, EncodeItem *item,
                                Error *error);

/* Its rows, as the encoder takes them: pixels normalised, ids of its vocabulary. */
bool encode_source_write(const EncodeSource *source, const EncodeItem *item, const EncoderConfig *config,
                         void *to, Error *error);

/* After the last item. A new reference. */
json_t *encode_source_content(const EncodeSource *source);

#endif
